package deploy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"ostler/agents/wire"
)

// How an endpoint is looked at.
const (
	inARow    = 4 // handshakes after a reload: workers of before it may still answer
	atOnce    = 8 // endpoints
	firstWait = 20 * time.Millisecond
	lastWait  = 500 * time.Millisecond
)

// See makes one handshake at an endpoint and says what it showed. Right is for
// the caller to judge. Nothing is verified: what is served is the question.
func See(ctx context.Context, ep wire.Endpoint, limit time.Duration) wire.CertSeen {
	seen := wire.CertSeen{Endpoint: ep}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", ep.Address)
	if err != nil {
		seen.Problem = problem(err)
		return seen
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := startTLS(conn, ep.Protocol); err != nil {
		seen.Problem = problem(err)
		return seen
	}
	client := tls.Client(conn, &tls.Config{ServerName: serverName(ep.Name), InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err := client.HandshakeContext(ctx); err != nil {
		seen.Problem = problem(err)
		return seen
	}
	c := chain(client.ConnectionState().PeerCertificates)
	s := c.sight()
	seen.Leaf, seen.Chain, seen.NotAfter = s.leaf, s.chain, c[0].NotAfter.UnixMilli()
	return seen
}

// serverName is a name as it is sent: of a wildcard, one that it covers.
func serverName(name string) string {
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		return "ostler-look." + rest
	}
	return name
}

func (s sight) shown(seen wire.CertSeen) bool { return seen.Leaf == s.leaf && seen.Chain == s.chain }

// look sees every endpoint once.
func (e *Engine) look(ctx context.Context, list []wire.Endpoint, right []sight) []wire.CertSeen {
	return each(list, func(ep wire.Endpoint) wire.CertSeen { return e.see(ctx, ep, right) })
}

// settle sees every endpoint until it shows what is right several times in a
// row (once where nothing was reloaded), or the time for that is over.
func (e *Engine) settle(ctx context.Context, list []wire.Endpoint, right []sight, reloaded bool) []wire.CertSeen {
	enough := 1
	if reloaded {
		enough = inARow
	}
	end := time.Now().Add(e.o.Settle)
	return each(list, func(ep wire.Endpoint) wire.CertSeen {
		wait := firstWait
		for row := 0; ; {
			seen := e.see(ctx, ep, right)
			if seen.Right {
				if row++; row == enough {
					return seen
				}
			} else {
				row = 0
				if !time.Now().Add(wait).Before(end) {
					return seen
				}
			}
			if !pause(ctx, wait) {
				seen.Right, seen.Problem = false, "not looked at to the end"
				return seen
			}
			if !seen.Right {
				wait = min(2*wait, lastWait)
			}
		}
	})
}

func (e *Engine) see(ctx context.Context, ep wire.Endpoint, right []sight) wire.CertSeen {
	seen := See(ctx, ep, e.o.Handshake)
	seen.Right = slices.ContainsFunc(right, func(s sight) bool { return s.shown(seen) })
	return seen
}

// each calls f for a few endpoints at a time and keeps their order.
func each(list []wire.Endpoint, f func(wire.Endpoint) wire.CertSeen) []wire.CertSeen {
	out := make([]wire.CertSeen, len(list))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, ep := range list {
		g.Go(func() error {
			out[i] = f(ep)
			return nil
		})
	}
	_ = g.Wait() // none returns one
	return out
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// problem says why there was no handshake, in a few words.
func problem(err error) string {
	var said *startTLSError
	var op *net.OpError
	var no syscall.Errno
	var timeout net.Error
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &said):
		return said.words
	case errors.Is(err, context.Canceled):
		return "not looked at to the end"
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert, which has no type of its own
		return "it says: " + strings.TrimPrefix(op.Err.Error(), "tls: ")
	case errors.As(err, &record):
		return "what answers does not speak TLS"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &no):
		return no.Error() // connection refused, no route to host
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection"
	}
	return "the handshake failed"
}

// sightOf is what a round must be seen as.
func (e *Engine) sightOf(s *shelf, round int64) (sight, error) {
	r, err := s.round(round, false)
	if err != nil {
		return sight{}, err
	}
	defer r.Close()
	b, err := readSmall(r, fullchainFile)
	if err != nil {
		return sight{}, err
	}
	return sightIn(b)
}

// sightIn is what a chain must be seen as.
func sightIn(chain []byte) (sight, error) {
	c, err := parseChain(chain)
	if err != nil {
		return sight{}, err
	}
	return c.sight(), nil
}

// sights are what the certificates in use here must be seen as.
func (e *Engine) sights() []sight {
	base, err := e.base(false)
	if err != nil {
		return nil
	}
	defer base.Close()
	folders, err := list(base)
	if err != nil {
		return nil
	}
	var out []sight
	for _, name := range folders {
		dir, err := openFolder(base, name)
		if err != nil {
			continue
		}
		s := &shelf{Root: dir}
		if live, err := s.live(); err == nil && live > 0 {
			if seen, err := e.sightOf(s, live); err == nil {
				out = append(out, seen)
			} else {
				e.log.Warn("certificate.unreadable", "round", strconv.FormatInt(live, 10), "err", err)
			}
		}
		_ = dir.Close()
	}
	return out
}

// Look says what the endpoints serve now, right where it is one of the
// certificates in use here; and finds the certificates of others.
func (e *Engine) Look(ctx context.Context, p wire.CertLookParams) (wire.CertLooked, error) {
	if err := checkEndpoints(p.Endpoints); err != nil {
		return wire.CertLooked{}, err
	}
	out := wire.CertLooked{Seen: e.look(ctx, p.Endpoints, e.sights()), Found: []wire.FoundCert{}}
	if p.Find {
		out.Found = e.Find()
	}
	if err := context.Cause(ctx); err != nil {
		return out, err
	}
	return out, nil
}
