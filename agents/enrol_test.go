package agents_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ostler/agents"
	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

func TestEnrol(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		h := w.enrol()
		if got, want := h.cert.URIs[0].String(), "spiffe://test.invalid/server/"+w.server+"/agent/"+h.res.Agent; got != want {
			t.Errorf("SAN: got %s, want %s", got, want)
		}
		if got, want := h.cert.NotAfter.Sub(clock.Now()), agents.DefaultLife; got != want {
			t.Errorf("life: got %v, want %v", got, want)
		}
		id, err := w.agents.Authenticate(t.Context(), h.cert)
		if err != nil || id.Server != w.server || id.Agent != h.res.Agent {
			t.Errorf("identity: got %+v, %v", id, err)
		}
		if len(h.res.SignerKeys) != 1 {
			t.Errorf("signer keys: got %d, want 1", len(h.res.SignerKeys))
		}
		again, err := w.agents.Redeem(t.Context(), remote, h.req)
		if err != nil || !slices.Equal(again.Certificate, h.res.Certificate) {
			t.Errorf("a lost answer asked for again: got another certificate (%v)", err)
		}
		w.wantOpen()
		thief := newHost(t, h.req.Token)
		_, err = w.agents.Redeem(t.Context(), remote, thief.req)
		w.wantCode(err, controlplane.CodeUnauthorized)
		w.wantOpen("enrolment.reused")
		if _, err := w.agents.Authenticate(t.Context(), h.cert); err != nil {
			t.Errorf("the right agent suffers from a thief: %v", err)
		}
		s, err := w.store.GetServer(w.ctx, all, w.server)
		if err != nil || s.State != customers.ServerActive {
			t.Errorf("server: got %s, %v, want active", s.State, err)
		}
	})
}

func TestRedeemRefuses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		bound, _, err := w.agents.NewTokenFrom(w.ctx, all, w.server, netip.MustParsePrefix("198.51.100.0/24"))
		w.must(err)
		good := w.token()
		p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		w.must(err)
		rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
		w.must(err)
		tests := []struct {
			name  string
			spoil func(*wire.EnrolRequest)
			late  time.Duration
			want  controlplane.Code
		}{
			{"no token", func(r *wire.EnrolRequest) { r.Token = "" }, 0, controlplane.CodeUnauthorized},
			{"damaged token", func(r *wire.EnrolRequest) { r.Token = r.Token[:20] + "0" + r.Token[21:] + "0" }, 0, controlplane.CodeUnauthorized},
			{"unknown token", func(r *wire.EnrolRequest) { r.Token = otherSecret(t, good) }, 0, controlplane.CodeUnauthorized},
			{"another plane's token", func(r *wire.EnrolRequest) { r.Token = wire.NewEnrolToken([32]byte{1}, [32]byte{2}) }, 0, controlplane.CodeUnauthorized},
			{"another address", func(r *wire.EnrolRequest) { r.Token = bound }, 0, controlplane.CodeForbidden},
			{"no CSR", func(r *wire.EnrolRequest) { r.CSR = nil }, 0, controlplane.CodeInvalid},
			{"P-384", func(r *wire.EnrolRequest) { r.CSR = csr(t, p384) }, 0, controlplane.CodeInvalid},
			{"RSA", func(r *wire.EnrolRequest) { r.CSR = csr(t, rsaKey) }, 0, controlplane.CodeInvalid},
			{"CSR signed by another key", func(r *wire.EnrolRequest) { r.CSR[len(r.CSR)-1] ^= 1 }, 0, controlplane.CodeInvalid},
			{"no machine id", func(r *wire.EnrolRequest) { r.MachineID = "" }, 0, controlplane.CodeInvalid},
			{"long hostname", func(r *wire.EnrolRequest) { r.Hostname = string(make([]byte, 300)) }, 0, controlplane.CodeInvalid},
			{"expired", func(*wire.EnrolRequest) {}, agents.TokenLife, controlplane.CodeExpired}, // last: it moves the clock
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				req := newHost(t, good).req
				tt.spoil(&req)
				clock.Advance(tt.late)
				_, err := w.agents.Redeem(t.Context(), remote, req)
				if got := controlplane.ErrorCode(err); got != tt.want {
					t.Errorf("got %v (%s), want %s", err, got, tt.want)
				}
			})
		}
		s, err := w.agents.Status(w.ctx, all, w.server)
		if err != nil || s.State != agents.NotEnrolled {
			t.Errorf("after refusals: got %s, %v, want not enrolled", s.State, err)
		}
	})
}

func otherSecret(t *testing.T, token string) string {
	t.Helper()
	_, pin, err := wire.ParseEnrolToken(token)
	if err != nil {
		t.Fatal(err)
	}
	return wire.NewEnrolToken([32]byte{9}, pin)
}

func TestTokenScope(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		other := policy.OneCustomer(controlplane.NewID(controlplane.PrefixCustomer))
		_, _, err := w.agents.NewToken(w.ctx, other, w.server)
		w.wantCode(err, controlplane.CodeNotFound)
		_, err = w.agents.Status(w.ctx, other, w.server)
		w.wantCode(err, controlplane.CodeNotFound)
		_, err = w.agents.Checklist(w.ctx, other, w.server)
		w.wantCode(err, controlplane.CodeNotFound)
		w.wantCode(w.agents.Unfreeze(w.ctx, other, w.server), controlplane.CodeNotFound)
		got, err := w.agents.Statuses(w.ctx, other, []string{w.server})
		if err != nil || len(got) != 0 {
			t.Errorf("statuses: got %v, %v, want none", got, err)
		}
		mine, err := w.agents.Statuses(w.ctx, policy.OneCustomer(w.customer), []string{w.server})
		if err != nil || len(mine) != 1 {
			t.Errorf("own statuses: got %v, %v, want one", mine, err)
		}
	})
}

func TestEnrolAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		old := w.enrol()
		session := w.connect(old, hello("i1", "boot-1", "machine-1"))
		var queued jobs.Job
		w.must(d.Write(w.ctx, func(tx *db.Tx) (err error) {
			queued, err = w.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionInventory), Executor: jobs.Agent, Server: w.server, NotBefore: tx.Now.Add(time.Hour), ExpiresAt: tx.Now.Add(9 * time.Hour)})
			return err
		}))
		now := w.enrol()
		if err := session.end(); err == nil {
			t.Error("the old agent's session went on")
		}
		_, err := w.agents.Authenticate(t.Context(), old.cert)
		w.wantCode(err, controlplane.CodeUnauthorized)
		_, err = w.agents.Redeem(t.Context(), remote, old.req)
		w.wantCode(err, controlplane.CodeUnauthorized)
		_, err = w.agents.Renew(t.Context(), old.cert, wire.RenewRequest{CSR: csr(t, old.key)})
		w.wantCode(err, controlplane.CodeUnauthorized)
		if _, err := w.agents.Authenticate(t.Context(), now.cert); err != nil {
			t.Error(err)
		}
		j, err := w.jobs.Get(w.ctx, all, queued.ID)
		if err != nil || j.State != jobs.Queued {
			t.Errorf("the server's queue: got %s, %v, want queued", j.State, err)
		}
		w.wantOpen()
	})
}

func TestRenew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		h := w.enrol()
		renew := func(cert *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
			t.Helper()
			res, err := w.agents.Renew(t.Context(), cert, wire.RenewRequest{CSR: csr(t, key)})
			w.must(err)
			c, err := x509.ParseCertificate(res.Certificate)
			w.must(err)
			return c
		}
		clock.Advance(5 * 24 * time.Hour)
		second := renew(h.cert, h.key)
		if _, err := w.agents.Authenticate(t.Context(), second); err != nil {
			t.Errorf("the renewed certificate: %v", err)
		}
		if _, err := w.agents.Authenticate(t.Context(), h.cert); err != nil {
			t.Errorf("the one before, still valid: %v", err)
		}
		clock.Advance(30 * 24 * time.Hour)
		_, err := w.agents.Authenticate(t.Context(), second)
		w.wantCode(err, controlplane.CodeExpired)
		third := renew(second, h.key) // expired, but known: may renew

		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		w.must(err)
		fourth := renew(third, key)
		if _, err := w.agents.Authenticate(t.Context(), third); err != nil {
			t.Errorf("the old key before the new one's first use: %v", err)
		}
		l := w.connect(&host{cert: fourth, key: key}, hello("i1", "boot-1", "machine-1"))
		l.hangUp()
		_, err = w.agents.Authenticate(t.Context(), third)
		w.wantCode(err, controlplane.CodeUnauthorized)

		stranger := newWorldCA(t, clock)
		_, err = w.agents.Renew(t.Context(), stranger, wire.RenewRequest{CSR: csr(t, key)})
		w.wantCode(err, controlplane.CodeUnauthorized)
		_, err = w.agents.Authenticate(t.Context(), stranger)
		w.wantCode(err, controlplane.CodeUnauthorized)
	})
}

// newWorldCA returns an agent's certificate of another control plane.
func newWorldCA(t *testing.T, clock *dbtest.Clock) *x509.Certificate {
	t.Helper()
	return newWorld(t, dbtest.SQLite(t, clock), clock).enrol().cert
}
