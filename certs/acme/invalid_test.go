package acme_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

func TestOneNameFails(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	ca.Solver.Break("bad.example", "worse.example")
	start := time.Now()
	_, _, err := c.Issue(t.Context(), acmetest.Request(t, "good.example", "bad.example", "fine.example", "worse.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
	e := refusal(t, err)
	var named []string
	for _, s := range e.Sub {
		named = append(named, s.Name)
	}
	slices.Sort(named)
	if e.Kind != acme.KindValidation || !slices.Equal(named, []string{"bad.example", "worse.example"}) || !slices.Contains(named, e.Name) {
		t.Errorf("got %v, naming %q, want both culprits", e, named)
	}
	if !strings.Contains(e.Detail, "404") || !strings.HasSuffix(e.Type, "unauthorized") {
		t.Errorf("got %q %q, want what the CA saw", e.Type, e.Detail)
	}
	if took := time.Since(start); took > 11*time.Second { // the others' grace would be 12
		t.Errorf("it took %s", took)
	}
	if got := ca.Solver.Open(); got != 0 {
		t.Errorf("answers that still stand: got %d, want 0", got)
	}
}

func TestSolverFails(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	_, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(map[string]acme.Solver{acme.DNS01: ca.DNS, acme.HTTP01: broken{}}))
	if e := refusal(t, err); e.Kind != acme.KindSolver || e.Name != "a.example" {
		t.Errorf("got %v, want our own solver's failure", e)
	}
	if got := ca.Count(acmetest.PathChallenge); got != 0 {
		t.Errorf("the CA was told to look %d times", got)
	}
}

func status(s string) acmetest.Fault {
	return acmetest.Edit(func(doc map[string]any, h http.Header) {
		doc["status"] = s
		delete(doc, "certificate")
	})
}

func TestInvalidAfterFinalize(t *testing.T) {
	problem := map[string]any{"type": "urn:ietf:params:acme:error:caa", "status": 403, "detail": `Rechecking CAA for "b.example": forbidden`}
	sub := map[string]any{"type": "urn:ietf:params:acme:error:compound", "detail": "one", "subproblems": []any{
		map[string]any{"type": "urn:ietf:params:acme:error:caa", "detail": "forbidden", "identifier": map[string]any{"type": "dns", "value": "b.example"}}}}
	for _, tt := range []struct {
		name string
		path string
		doc  map[string]any // the order's error
		want string         // name
	}{
		{"at the next look", acmetest.PathOrder, problem, "b.example"},
		{"at the next look, with a sub-problem", acmetest.PathOrder, sub, "b.example"},
		{"at once", acmetest.PathFinalize, problem, "b.example"},
		{"without a word", acmetest.PathOrder, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ca := acmetest.New(t, acmetest.Options{})
			opts := ca.Options(t)
			clock := newHurried() // how long it waits, and not how fast this machine is
			opts.Now, opts.After = clock.now, clock.after
			c := ca.Open(t, opts)
			invalid := acmetest.Edit(func(doc map[string]any, _ http.Header) {
				doc["status"] = "invalid"
				delete(doc, "certificate")
				if tt.doc != nil {
					doc["error"] = tt.doc
				}
			})
			ca.On(tt.path, -1, invalid)
			ca.On(acmetest.PathOrder, -1, invalid)
			k := &acmetest.Keeper{}
			waited := time.Duration(-1)
			hooks := k.Hooks(ca.HTTP01())
			event := hooks.Event
			hooks.Event = func(e acme.Event, args map[string]string) {
				if e == acme.EventFinalizing {
					waited = clock.total()
				}
				event(e, args)
			}
			_, s, err := c.Issue(t.Context(), acmetest.Request(t, "a.example", "b.example"), acme.State{}, hooks)
			if waited < 0 || clock.total()-waited > 2*time.Second {
				t.Errorf("it waited for %s, want at most 2 s", clock.total()-waited)
			}
			if looks := ca.Count(acmetest.PathOrder); looks > 1 {
				t.Errorf("it was looked at %d times, want once", looks)
			}
			e := refusal(t, err)
			if e.Kind != acme.KindOrderInvalid || e.Name != tt.want || tt.doc != nil && e.Type == "" {
				t.Errorf("got %v (%s), want an invalid order about %q", e, e.Type, tt.want)
			}
			if s.Step != acme.StepFinalizing {
				t.Errorf("step: got %s, want finalizing", s.Step)
			}
		})
	}
}

func TestProcessingForAMinute(t *testing.T) {
	for _, tt := range []struct {
		name       string
		retryAfter string
		looks      int // at most
	}{{"no word of when", "", 40}, {"every 10 s", "10", 12}, {"at once, always", "0", 40}} {
		t.Run(tt.name, func(t *testing.T) {
			ca := acmetest.New(t, acmetest.Options{})
			opts := ca.Options(t)
			clock := newHurried()
			opts.Now, opts.After = clock.now, clock.after
			c := ca.Open(t, opts)
			var until time.Time
			processing := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if until.IsZero() {
					until = clock.now().Add(time.Minute)
				}
				if clock.now().After(until) {
					next.ServeHTTP(w, r)
					return
				}
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				status("processing")(w, r, next)
			}
			ca.On(acmetest.PathOrder, -1, processing)
			ca.On(acmetest.PathFinalize, -1, processing)
			issued(t, c, ca, acmetest.Request(t, "a.example"))
			if got := ca.Count(acmetest.PathOrder); got > tt.looks {
				t.Errorf("looked %d times in a minute, want at most %d", got, tt.looks)
			}
		})
	}
}

func TestPatienceEnds(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	opts := ca.Options(t)
	clock := newHurried()
	opts.Now, opts.After, opts.Patience = clock.now, clock.after, time.Minute
	c := ca.Open(t, opts)
	ca.On(acmetest.PathOrder, -1, status("processing"))
	k := &acmetest.Keeper{}
	r := acmetest.Request(t, "a.example")
	_, _, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01()))
	if e := refusal(t, err); e.Kind != acme.KindUnreachable || e.RetryAfter.IsZero() {
		t.Errorf("got %v, want unreachable, and when to come again", e)
	}
	ca.Heal()
	if _, _, err := c.Issue(t.Context(), r, k.State(), k.Hooks(ca.HTTP01())); err != nil {
		t.Errorf("the same order later: %v", err)
	}
}

func TestOrderIsGone(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   string // the path that is asked when it happens
		do   func(ca *acmetest.CA, order string)
		// refuses: Pebble itself would take the challenge
		refuses bool
	}{
		{"deactivated while it is shown", acmetest.PathAuthz, func(ca *acmetest.CA, o string) { ca.SetAuthorizations(o, "deactivated") }, false},
		{"expired while it is shown", acmetest.PathAuthz, func(ca *acmetest.CA, o string) { ca.SetAuthorizations(o, "expired") }, false},
		{"revoked while it is shown", acmetest.PathAuthz, func(ca *acmetest.CA, o string) { ca.SetAuthorizations(o, "revoked") }, false},
		{"deactivated before the CA is told to look", acmetest.PathChallenge, func(ca *acmetest.CA, o string) { ca.SetAuthorizations(o, "deactivated") }, true},
		{"deactivated before the signing request", acmetest.PathFinalize, func(ca *acmetest.CA, o string) { ca.SetAuthorizations(o, "deactivated") }, false},
		{"order expired before the CA is told to look", acmetest.PathChallenge, func(ca *acmetest.CA, o string) { ca.ExpireOrder(o) }, false},
		{"order expired before the signing request", acmetest.PathFinalize, func(ca *acmetest.CA, o string) { ca.ExpireOrder(o) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ca := acmetest.New(t, acmetest.Options{})
			opts := ca.Options(t)
			c := ca.Open(t, opts)
			k := &acmetest.Keeper{}
			ca.On(tt.at, 1, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				tt.do(ca, k.State().Order)
				if tt.at == acmetest.PathChallenge && tt.refuses {
					acmetest.Problem(400, "malformed", "the authorization is not pending")(w, r, next)
					return
				}
				next.ServeHTTP(w, r)
			})
			_, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, k.Hooks(ca.HTTP01()))
			if e := refusal(t, err); e.Kind != acme.KindOrderGone {
				t.Errorf("got %v, want an order that is gone", e)
			}
			if _, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, k.Hooks(ca.HTTP01())); err != nil {
				t.Errorf("a new order: %v", err)
			}
		})
	}
}

func TestUnknownOrderIsGone(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	s := acme.State{Step: acme.StepAuthorize, Order: strings.Replace(ca.Directory, "/dir", "/my-order/none", 1)}
	_, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), s, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
	if e := refusal(t, err); e.Kind != acme.KindOrderGone {
		t.Errorf("got %v, want an order that is gone", e)
	}
}
