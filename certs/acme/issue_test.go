package acme_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

const mostRequests = 8 // for one name

// issued issues, or ends the test.
func issued(t *testing.T, c *acme.Client, ca *acmetest.CA, r acme.Request) (acme.Result, acme.State) {
	t.Helper()
	k := &acmetest.Keeper{}
	res, s, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01()))
	if err != nil {
		t.Fatal(err)
	}
	return res, s
}

// refusal is the error that an Issue ends with.
func refusal(t *testing.T, err error) *acme.Error {
	t.Helper()
	e, ok := errors.AsType[*acme.Error](err)
	if !ok {
		t.Fatalf("got %v, want an *acme.Error", err)
	}
	if !e.Kind.Valid() || !e.Scope.Valid() {
		t.Errorf("got kind %q and scope %q, want those of the lists", e.Kind, e.Scope)
	}
	return e
}

func TestIssueOneName(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	k := &acmetest.Keeper{}
	before := ca.Total()
	res, s, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, k.Hooks(ca.HTTP01()))
	if err != nil {
		t.Fatal(err)
	}
	if got := ca.Total() - before; got != s.Requests || got > mostRequests {
		t.Errorf("requests: the CA saw %d, the state counts %d, want the same and at most %d", got, s.Requests, mostRequests)
	}
	leaf := acmetest.Leaf(t, res.Chain)
	if got := leaf.DNSNames; !slices.Equal(got, []string{"a.example"}) {
		t.Errorf("names: got %q", got)
	}
	roots, middle := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(ca.Root(0))
	_, rest := pem.Decode(res.Chain)
	middle.AppendCertsFromPEM(rest)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: middle, DNSName: "a.example"}); err != nil {
		t.Errorf("the chain does not lead to the root: %v", err)
	}
	want := []acme.Event{acme.EventOrdered, acme.EventPresented, acme.EventValidated, acme.EventFinalizing, acme.EventIssued}
	if !slices.Equal(k.Events, want) {
		t.Errorf("events: got %v, want %v", k.Events, want)
	}
	if got := k.State(); got.Step != acme.StepIssued || got.Certificate != res.URL || res.URL == "" {
		t.Errorf("kept: got %+v, want the certificate %s", got, res.URL)
	}
	if got := ca.Solver.Open(); got != 0 {
		t.Errorf("answers that still stand: got %d, want 0", got)
	}
}

func TestIssueKindsOfNames(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	both := map[string]acme.Solver{acme.HTTP01: ca.Solver, acme.DNS01: ca.DNS}
	for _, tt := range []struct {
		name    string
		names   []string
		solvers map[string]acme.Solver
		event   string // type of the first challenge
	}{
		{"an address", []string{"127.0.0.1"}, ca.HTTP01(), acme.HTTP01},
		{"a wildcard goes by DNS", []string{"*.w.example"}, both, acme.DNS01},
		{"http goes first", []string{"h.example"}, both, acme.HTTP01},
		{"DNS alone", []string{"d.example"}, map[string]acme.Solver{acme.DNS01: ca.DNS}, acme.DNS01},
		{"twice the same", []string{"T.example", "t.example"}, ca.HTTP01(), acme.HTTP01},
		{"a name and an address", []string{"m.example", "127.0.0.1"}, ca.HTTP01(), acme.HTTP01},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := &acmetest.Keeper{}
			res, _, err := c.Issue(t.Context(), acmetest.Request(t, tt.names...), acme.State{}, k.Hooks(tt.solvers))
			if err != nil {
				t.Fatal(err)
			}
			acmetest.Leaf(t, res.Chain)
			i := slices.Index(k.Events, acme.EventPresented)
			if i < 0 || k.Args[i]["type"] != tt.event {
				t.Errorf("events: got %v %v, want the challenge %s", k.Events, k.Args, tt.event)
			}
		})
	}
}

func TestIssueManyNamesSideBySide(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	var names []string
	for i := range 25 {
		names = append(names, fmt.Sprintf("n%02d.example", i))
	}
	res, s := issued(t, c, ca, acmetest.Request(t, names...))
	if got := len(acmetest.Leaf(t, res.Chain).DNSNames); got != 25 {
		t.Errorf("names: got %d, want 25", got)
	}
	if got, most := s.Requests, 25*4+10; got > most {
		t.Errorf("requests: got %d, want at most %d", got, most)
	}
}

func TestEightAtATimeShareOneClient(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	const each = 4
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range each {
				k := &acmetest.Keeper{}
				r := acmetest.Request(t, fmt.Sprintf("w%d-%d.example", w, i))
				if _, _, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := ca.Count(acmetest.PathNonce); got > 8+1 {
		t.Errorf("asked for a nonce %d times, want at most once per place", got)
	}
	if got := ca.Count(acmetest.PathDirectory); got != 1 {
		t.Errorf("read the directory %d times, want once", got)
	}
}

func TestWithoutHitsTheClockAsks(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	opts := ca.Options(t)
	var mu sync.Mutex
	var longest time.Duration
	opts.After = func(d time.Duration) <-chan time.Time {
		mu.Lock()
		defer mu.Unlock()
		longest = max(longest, d)
		return time.After(d)
	}
	c := ca.Open(t, opts)
	ca.Solver.Deafen()
	_, s := issued(t, c, ca, acmetest.Request(t, "a.example"))
	if s.Requests > mostRequests {
		t.Errorf("requests: got %d, want at most %d", s.Requests, mostRequests)
	}
	if longest > time.Second {
		t.Errorf("it waited for %s at once: a fixed wait?", longest)
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{RetryAfter: 7})
	opts := ca.Options(t)
	clock := newHurried()
	opts.Now, opts.After = clock.now, clock.after
	c := ca.Open(t, opts)
	_, s := issued(t, c, ca, acmetest.Request(t, "a.example"))
	if s.Requests > mostRequests {
		t.Errorf("requests: got %d, want at most %d", s.Requests, mostRequests)
	}
	if got := clock.longest(); got < 5*time.Second || got > 7*time.Second {
		t.Errorf("the longest wait: got %s, want the 7 s that the CA asked for (as a date: by whole seconds)", got)
	}
}

func TestIssueRefusesWhatCannotBe(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	good := acmetest.Request(t, "a.example")
	before := ca.Total()
	for _, tt := range []struct {
		name string
		r    acme.Request
		h    acme.Hooks
		s    acme.State
	}{
		{"another name in the signing request", acme.Request{Names: []string{"b.example"}, CSR: good.CSR}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()), acme.State{}},
		{"one name more", acme.Request{Names: []string{"a.example", "b.example"}, CSR: good.CSR}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()), acme.State{}},
		{"no signing request", acme.Request{Names: []string{"a.example"}}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()), acme.State{}},
		{"nobody keeps the state", good, acme.Hooks{Solvers: ca.HTTP01()}, acme.State{}},
		{"a step of another version", good, (&acmetest.Keeper{}).Hooks(ca.HTTP01()), acme.State{Step: "dancing"}},
	} {
		if _, _, err := c.Issue(t.Context(), tt.r, tt.s, tt.h); err == nil {
			t.Errorf("%s: issued", tt.name)
		}
	}
	if got := ca.Total() - before; got != 0 {
		t.Errorf("the CA was asked %d times, want 0", got)
	}
}

func TestNoSolverForWhatIsOffered(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	k := &acmetest.Keeper{}
	_, _, err := c.Issue(t.Context(), acmetest.Request(t, "*.w.example"), acme.State{}, k.Hooks(ca.HTTP01()))
	if e := refusal(t, err); e.Kind != acme.KindUnsupported || e.Name != "*.w.example" {
		t.Errorf("got %v, want unsupported for the wildcard", e)
	}
}
