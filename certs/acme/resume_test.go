package acme_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

// TestKilledAtEverySave kills the process before and right after each State is
// kept, and begins anew with what was kept: a new process, a new client.
func TestKilledAtEverySave(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	const saves = 4
	for i := range saves {
		for _, killAt := range []int{i + 1, -i - 1} {
			t.Run(fmt.Sprint(killAt), func(t *testing.T) {
				opts := ca.Options(t)
				c := ca.Open(t, opts)
				account, err := c.Register(t.Context(), acme.Registration{Existing: true})
				if err != nil {
					t.Fatal(err)
				}
				k := &acmetest.Keeper{KillAt: killAt}
				r := acmetest.Request(t, "a.example", "b.example")
				if _, _, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01())); !errors.Is(err, acmetest.ErrKilled) {
					t.Fatalf("got %v, want to be killed", err)
				}
				opts.AccountURL = account
				again, err := acme.Open(t.Context(), opts)
				if err != nil {
					t.Fatal(err)
				}
				k.KillAt = 0
				res, s, err := again.Issue(t.Context(), r, k.State(), k.Hooks(ca.HTTP01()))
				if err != nil {
					t.Fatal(err)
				}
				acmetest.Leaf(t, res.Chain)
				if orders, certs := ca.Orders(account); orders != 1 || certs != 1 {
					t.Errorf("got %d orders and %d certificates, want one of each", orders, certs)
				}
				if s.Step != acme.StepIssued {
					t.Errorf("step: got %s", s.Step)
				}
				if i > 0 && killAt != 2 && slices.Index(k.Events, acme.EventResumed) < 0 {
					t.Errorf("events: got %v, want a resumed order", k.Events)
				}
			})
		}
	}
}

// TestLostAnswers loses the answer to a request of an order, once or twice, as
// a connection that breaks does. What may be asked again is: nobody notices.
func TestLostAnswers(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	for _, path := range []string{acmetest.PathNewOrder, acmetest.PathAuthz, acmetest.PathChallenge, acmetest.PathFinalize, acmetest.PathOrder, acmetest.PathCert} {
		for times := range 3 {
			t.Run(fmt.Sprint(path, times), func(t *testing.T) {
				opts := ca.Options(t)
				c := ca.Open(t, opts)
				account, err := c.Register(t.Context(), acme.Registration{Existing: true})
				if err != nil {
					t.Fatal(err)
				}
				ca.On(path, times, acmetest.Drop)
				k := &acmetest.Keeper{}
				r := acmetest.Request(t, "a.example")
				_, _, err = c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01()))
				ca.Heal()
				once := times == 0 || times == 1 && path != acmetest.PathNewOrder
				if once && err != nil {
					t.Fatalf("got %v, want it asked again", err)
				}
				if !once && err != nil && refusal(t, err).Kind != acme.KindUnreachable {
					t.Fatalf("got %v, want unreachable", err)
				}
				if _, _, err := c.Issue(t.Context(), r, k.State(), k.Hooks(ca.HTTP01())); err != nil {
					t.Fatal(err)
				}
				if orders, certs := ca.Orders(account); orders != 1 || certs != 1 {
					t.Errorf("got %d orders and %d certificates, want one of each", orders, certs)
				}
			})
		}
	}
}

// TestAnotherOrderIsNotTaken lets a lost order of the same names stand beside
// one that somebody works on.
func TestAnotherOrderIsNotTaken(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	account, err := c.Register(t.Context(), acme.Registration{Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	other := &acmetest.Keeper{KillAt: -2} // ordered "b", and stays there
	if _, _, err := c.Issue(t.Context(), acmetest.Request(t, "b.example"), acme.State{}, other.Hooks(ca.HTTP01())); !errors.Is(err, acmetest.ErrKilled) {
		t.Fatal(err)
	}
	k := &acmetest.Keeper{}
	if _, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{Step: acme.StepOrdering}, k.Hooks(ca.HTTP01())); err != nil {
		t.Fatal(err)
	}
	if orders, certs := ca.Orders(account); orders != 2 || certs != 1 {
		t.Errorf("got %d orders and %d certificates, want 2 and 1", orders, certs)
	}
}

func TestContextEndsEveryStep(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	for _, path := range []string{acmetest.PathNewOrder, acmetest.PathAuthz, acmetest.PathChallenge, acmetest.PathFinalize, acmetest.PathOrder, acmetest.PathCert} {
		t.Run(path, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ca.On(path, 1, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				cancel()
				acmetest.Hang(w, r, next)
			})
			t.Cleanup(ca.Heal)
			k := &acmetest.Keeper{}
			_, _, err := c.Issue(ctx, acmetest.Request(t, "a.example"), acme.State{}, k.Hooks(ca.HTTP01()))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the end of the context", err)
			}
			if _, ok := errors.AsType[*acme.Error](err); ok {
				t.Errorf("got %v: an ended context is no failure of the CA", err)
			}
			if got := ca.Solver.Open(); got != 0 {
				t.Errorf("answers that still stand: got %d, want 0", got)
			}
		})
	}
}

func TestNoAnswerInTime(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	opts := ca.Options(t)
	opts.Timeout = 50 * time.Millisecond
	opts.Key = acmetest.Key(t)
	c := ca.Open(t, opts)
	ca.On(acmetest.PathNewOrder, 1, acmetest.Hang)
	k := &acmetest.Keeper{}
	_, s, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, k.Hooks(ca.HTTP01()))
	if e := refusal(t, err); e.Kind != acme.KindUnreachable || s.Step != acme.StepOrdering {
		t.Errorf("got %v at %q, want unreachable while ordering", e, s.Step)
	}
}

// TestNothingIsLeftBehind looks for goroutines of ours after calls that were
// given up.
func TestNothingIsLeftBehind(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		ca.On(acmetest.PathChallenge, 1, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			cancel()
			acmetest.Hang(w, r, next)
		})
		k := &acmetest.Keeper{}
		_, _, err := c.Issue(ctx, acmetest.Request(t, "a.example", "b.example", "c.example"), acme.State{}, k.Hooks(ca.HTTP01()))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the end of the context", err)
		}
	}
	buf := make([]byte, 1<<20)
	stacks := string(buf[:runtime.Stack(buf, true)])
	for _, frame := range []string{"acme.(*order)", "acme.(*Client)", "acme.(*exchange)", "api.(*Core)"} {
		if strings.Contains(stacks, frame) {
			t.Errorf("a goroutine is still in %s", frame)
		}
	}
}

// TestStuckNamesHoldNobodyUp has as many names that the CA gets no answer for as
// there are requests at once, and good ones beside them.
func TestStuckNamesHoldNobodyUp(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	ctx, giveUp := context.WithCancel(t.Context())
	var stuck sync.WaitGroup
	var ended atomic.Int32
	for i := range 8 {
		name := fmt.Sprintf("stuck%d.example", i)
		ca.Solver.Hold(name)
		stuck.Go(func() {
			defer ended.Add(1)
			k := &acmetest.Keeper{}
			if _, _, err := c.Issue(ctx, acmetest.Request(t, name), acme.State{}, k.Hooks(ca.HTTP01())); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", name, err)
			}
		})
	}
	for i := range 4 {
		issued(t, c, ca, acmetest.Request(t, fmt.Sprintf("good%d.example", i)))
	}
	if n := ended.Load(); n > 0 {
		t.Errorf("the good ones waited until %d of the stuck ones were over", n)
	}
	giveUp()
	stuck.Wait()
	ca.Solver.Release()
}
