package acme_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

func TestRefusedNonces(t *testing.T) {
	for _, tt := range []struct{ percent, certificates int }{{5, 16}, {50, 16}, {90, 8}} {
		t.Run(fmt.Sprint(tt.percent), func(t *testing.T) {
			t.Parallel()
			ca := acmetest.New(t, acmetest.Options{NonceReject: tt.percent})
			c := ca.Open(t, ca.Options(t))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var all sync.WaitGroup
			for i := range tt.certificates {
				all.Go(func() {
					k := &acmetest.Keeper{}
					r := acmetest.Request(t, fmt.Sprintf("n%d.example", i))
					if _, _, err := c.Issue(ctx, r, acme.State{}, k.Hooks(ca.HTTP01())); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		})
	}
}

// TestNonceAfterNonce has a CA that takes none at all: it is asked at a bounded
// rate, for as long as the context lasts.
func TestNonceAfterNonce(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	opts := ca.Options(t)
	c := ca.Open(t, opts)
	ca.On(acmetest.PathNewOrder, -1, acmetest.Problem(400, "badNonce", "again", "Replay-Nonce", "bm9uY2U"))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	k := &acmetest.Keeper{}
	_, _, err := c.Issue(ctx, acmetest.Request(t, "a.example"), acme.State{}, k.Hooks(ca.HTTP01()))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the context", err)
	}
	if got := ca.Count(acmetest.PathNewOrder); got < 4 || got > 20 {
		t.Errorf("asked %d times in half a second, want about a dozen", got)
	}
}

// TestNonceWithoutEnd goes on long after lego's 20 s.
func TestNonceWithoutEnd(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	opts := ca.Options(t)
	clock := newHurried()
	opts.Now, opts.After = clock.now, clock.after
	c := ca.Open(t, opts)
	ca.On(acmetest.PathNewOrder, 220, acmetest.Problem(400, "badNonce", "again", "Replay-Nonce", "bm9uY2U"))
	issued(t, c, ca, acmetest.Request(t, "a.example"))
	if got := clock.total(); got < time.Minute {
		t.Errorf("220 refusals took %s of waits, want them to be rarer in the end", got)
	}
}
