package acme_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

func TestOpenRefusesWhatIsNoDirectory(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	for _, tt := range []struct {
		name  string
		fault acmetest.Fault
		kind  acme.Kind
	}{
		{"a page", acmetest.Answer(200, "text/html", "<html>"), acme.KindBadAnswer},
		{"{}", acmetest.Answer(200, "application/json", "{}"), acme.KindBadAnswer},
		{"503", acmetest.Answer(503, "text/plain", "busy", "Retry-After", "9"), acme.KindUnreachable},
		{"404", acmetest.Answer(404, "text/plain", "no"), acme.KindRefused},
	} {
		ca.On(acmetest.PathDirectory, 1, tt.fault)
		_, err := acme.Open(t.Context(), ca.Options(t))
		if e := refusal(t, err); e.Kind != tt.kind {
			t.Errorf("%s: got %v, want %s", tt.name, e, tt.kind)
		}
	}
	opts := ca.Options(t)
	opts.Directory = "http://127.0.0.1:1/dir"
	if _, err := acme.Open(t.Context(), opts); err == nil {
		t.Error("opened without TLS")
	}
	opts.Directory = "https://127.0.0.1:1/dir"
	_, err := acme.Open(t.Context(), opts)
	if e := refusal(t, err); e.Kind != acme.KindUnreachable {
		t.Errorf("nobody there: got %v, want unreachable", e)
	}
	opts = ca.Options(t)
	opts.HTTP = nil // the system's roots
	_, err = acme.Open(t.Context(), opts)
	if e := refusal(t, err); e.Kind != acme.KindUnreachable {
		t.Errorf("a CA that nobody vouches for: got %v, want unreachable", e)
	}
}

func TestDirectoryIsReadAgain(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	opts := ca.Options(t)
	clock := newHurried()
	opts.Now, opts.After = clock.now, clock.after
	c := ca.Open(t, opts)
	for _, tt := range []struct {
		name  string
		later time.Duration
		fault acmetest.Fault
		reads int
		ari   bool
	}{
		{"at once", 0, nil, 1, true},
		{"the next day it cannot be read", 24 * time.Hour, acmetest.Answer(503, "text/plain", "busy"), 2, true},
		{"not asked again right away", time.Minute, nil, 2, true},
		{"the day after it has changed", 24 * time.Hour, acmetest.Edit(func(doc map[string]any, _ http.Header) { delete(doc, "renewalInfo") }), 3, false},
	} {
		clock.after(tt.later)
		if tt.fault != nil {
			ca.On(acmetest.PathDirectory, 1, tt.fault)
		}
		d, err := c.Directory(t.Context())
		if err != nil || d.RenewalInfo != tt.ari {
			t.Errorf("%s: got %+v (%v)", tt.name, d, err)
		}
		if got := ca.Count(acmetest.PathDirectory); got != tt.reads {
			t.Errorf("%s: read %d times, want %d", tt.name, got, tt.reads)
		}
	}
}

func TestOldNoncesAreNotUsed(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	opts := ca.Options(t)
	clock := newHurried()
	opts.Now, opts.After = clock.now, clock.after
	c := ca.Open(t, opts)
	issued(t, c, ca, acmetest.Request(t, "a.example"))
	if got := ca.Count(acmetest.PathNonce); got != 1 {
		t.Errorf("asked for %d nonces, want one", got)
	}
	clock.after(20 * time.Minute)
	issued(t, c, ca, acmetest.Request(t, "a.example"))
	if got := ca.Count(acmetest.PathNonce); got != 2 {
		t.Errorf("20 minutes later: asked for %d nonces, want two", got)
	}
}

// TestRenewalsDoNotWaitForOrders sweeps a CA that is a little away: more
// questions are under way than orders may have requests.
func TestRenewalsDoNotWaitForOrders(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	var now, most atomic.Int64
	ca.On(acmetest.PathRenewal, -1, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-r.Context().Done():
		}
		acmetest.Answer(200, "application/json", `{"suggestedWindow":{"start":"2030-01-01T00:00:00Z","end":"2030-01-02T00:00:00Z"}}`)(w, r, next)
	})
	const asked, bound = 320, 64
	var all sync.WaitGroup
	for range asked {
		all.Go(func() {
			if _, err := c.RenewalInfo(t.Context(), "a.b"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := most.Load(); got <= 8 || got > bound {
		t.Errorf("got %d questions at once, want more than 8 and at most %d", got, bound)
	}
}
