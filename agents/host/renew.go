package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"ostler/agents/wire"
)

// renewAt is when a certificate is renewed: at two thirds of its life, and up
// to a twentieth later, so that agents that enrolled together do not come together.
func renewAt(notBefore, notAfter time.Time) time.Time {
	life := notAfter.Sub(notBefore)
	return notBefore.Add(life * 2 / 3).Add(time.Duration(rand.Int64N(int64(life/20) + 1)))
}

// renewLoop keeps the certificate young until ctx ends.
func (a *Agent) renewLoop(ctx context.Context) {
	for ctx.Err() == nil {
		leaf, err := a.Identity().leaf()
		if err != nil {
			a.log.Error("renew.parse", "err", err)
			return
		}
		if !sleep(ctx, max(0, renewAt(leaf.NotBefore, leaf.NotAfter).Sub(a.now()))) {
			return
		}
		for tries := 0; ; tries++ {
			err := a.renew(ctx)
			if err == nil {
				a.log.Info("renew.done")
				break
			}
			wait := backoff(tries, 30*time.Second, time.Hour)
			a.log.Warn("renew.failed", "err", err, "expires", leaf.NotAfter, "next_in", wait.Round(time.Second))
			if !sleep(ctx, wait) {
				return
			}
		}
	}
}

// renew asks for a new certificate with the same key, at the stream's address
// and, where that does not answer any more, at the address of the enrolment:
// the plane lets an expired but known key renew, and do nothing else.
func (a *Agent) renew(ctx context.Context) error {
	csr, err := newCSR(a.key)
	if err != nil {
		return fmt.Errorf("host: make signing request: %w", err)
	}
	body, err := json.Marshal(wire.RenewRequest{CSR: csr})
	if err != nil {
		return err
	}
	old := a.Identity()
	conf, err := clientTLS(a.Identity, a.key)
	if err != nil {
		return err
	}
	tr := &http.Transport{TLSClientConfig: conf, Proxy: http.ProxyFromEnvironment}
	defer tr.CloseIdleConnections()
	var res wire.RenewResponse
	err = postJSON(ctx, tr, old.StreamURL+wire.PathRenew, body, &res)
	if err != nil {
		second := postJSON(ctx, tr, old.PlaneURL+wire.PathRenew, body, &res)
		if second != nil {
			return fmt.Errorf("host: renew: %w", errors.Join(err, second))
		}
	}
	id := old
	id.Certificate = res.Certificate
	if len(res.CA) > 0 {
		id.CA = res.CA
	}
	id.SignerKeys = a.signerKeys(old.SignerKeys, res.SignerKeys)
	if err := id.check(a.key); err != nil {
		return fmt.Errorf("host: renewed certificate: %w", err)
	}
	if err := id.save(a.o.State); err != nil {
		return err
	}
	a.setIdentity(id)
	return nil
}

// signerKeys is which signer keys count after a renewal. Keys that the plane
// names no more are dropped. A new one is not taken: it would let whoever
// answers renewals sign work for this host. It comes by enrolment only.
func (a *Agent) signerKeys(old, now [][]byte) [][]byte {
	known := func(list [][]byte, k []byte) bool {
		return slices.ContainsFunc(list, func(x []byte) bool { return string(x) == string(k) })
	}
	var keep [][]byte
	for _, k := range old {
		if known(now, k) {
			keep = append(keep, k)
		}
	}
	for _, k := range now {
		if !known(old, k) {
			a.log.Warn("renew.signer_key_ignored", "key_id", wire.KeyID(k))
		}
	}
	if len(keep) == 0 {
		return old
	}
	return keep
}

// backoff is how long to wait after the given number of failures before: a
// random time up to twice as long each time, at least half a step.
func backoff(tries int, first, most time.Duration) time.Duration {
	step := most
	if tries < 30 {
		step = min(most, first<<tries)
	}
	return step/2 + time.Duration(rand.Int64N(int64(step/2)+1))
}

// sleep waits for d; it reports false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
