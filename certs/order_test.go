package certs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/certs/acme"
	"ostler/certs/preflight"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
)

// TestKilledAtEachStep ends the process before and behind each step that is
// kept: it stays one order, and one certificate.
func TestKilledAtEachStep(t *testing.T) {
	for _, at := range []string{"before order", "after order", "after made", "before finalize", "after finalize", "before issued", "after issued"} {
		t.Run(at, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				h := newHouse(t, d, clock)
				killed := false
				h.ca.at = func(step string) error {
					if step == at && !killed {
						killed = true
						return errors.New("killed")
					}
					return nil
				}
				c := h.create("maple.example")
				h.host(nil)
				clock.Advance(5 * time.Minute) // the job's own wait
				h.host(nil)
				if !killed {
					t.Fatal("it was not killed")
				}
				if got := h.get(c.ID); got.State != certs.StateServed || h.ca.orders != 1 || h.ca.issued != 1 {
					t.Errorf("got %s, %d orders, %d certificates; want served, 1, 1", got.State, h.ca.orders, h.ca.issued)
				}
				if items, _, err := h.certs.Issues(h.ctx, h.all, c.ID, certs.Page{}); err != nil || len(items) != 1 {
					t.Errorf("attempts: got %d, %v", len(items), err)
				}
			})
		})
	}
}

// TestTwoReplicas has two planes at the same database: each certificate has one order.
func TestTwoReplicas(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		j2, _, c2 := h.replica(certs.Options{})
		sites := h.sites(12)
		for _, n := range sites {
			h.create(n)
		}
		sys := controlplane.System(t.Context(), "test")
		for range 4 {
			for _, o := range h.offers() {
				h.finish(o.Ref, h.good(o))
			}
			var wg sync.WaitGroup
			wg.Go(func() { _ = h.jobs.Tick(sys) })
			wg.Go(func() { _ = j2.Tick(sys) })
			wg.Go(func() { _ = c2.Look(t.Context()) })
			wg.Go(func() { _ = h.certs.Look(t.Context()) })
			wg.Wait()
		}
		h.host(nil)
		if h.ca.orders != len(sites) || h.ca.issued != len(sites) {
			t.Errorf("got %d orders and %d certificates, want %d", h.ca.orders, h.ca.issued, len(sites))
		}
		for _, n := range sites {
			if got := h.get(n).State; got != certs.StateServed {
				t.Errorf("%s: got %s", n, got)
			}
		}
	})
}

// sites gives the tenancy n more sites.
func (h *house) sites(n int) (out []string) {
	h.t.Helper()
	for i := range n {
		out = append(out, fmt.Sprintf("site-%03d.maple.example", i))
	}
	all := append(slices.Clone(h.tenancy.Sites), out...)
	h.tenancy = must[customers.Tenancy](h.t)(h.customers.UpdateTenancy(h.ctx, h.all, h.tenancy.ID, customers.TenancyChange{Sites: &all}))
	return out
}

// TestBrokenNamesHoldNobodyUp has a hundred names that fail and twenty that do
// not: the CA never hears of what the look before it stops, and what failed
// before stands behind.
func TestBrokenNamesHoldNobodyUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouseWith(t, d, clock, certs.Options{Concurrent: 4})
		sites := h.sites(120)
		broken := map[string]bool{}
		for i, n := range sites {
			if i%6 != 0 {
				broken[n] = true
			}
			if i%6 == 1 {
				h.checks.found[n] = preflight.Problem{Code: preflight.NoAddress, Fatal: true, Args: map[string]string{"target": n, "server": "192.0.2.7"}}
			}
		}
		h.ca.fail = func(_ string, r acme.Request) error {
			if broken[r.Names[0]] {
				return &acme.Error{Kind: acme.KindValidation, Name: r.Names[0], Detail: "connection refused"}
			}
			return nil
		}
		for _, n := range sites {
			h.create(n)
		}
		h.host(nil)
		served := 0
		for _, n := range sites {
			if h.get(n).State == certs.StateServed {
				served++
			}
		}
		if served != 20 || h.ca.orders != 20 || h.ca.most > 4 {
			t.Fatalf("got %d served, %d orders, %d at a time; want 20, 20, at most 4", served, h.ca.orders, h.ca.most)
		}
		// Tried again, they stand behind what never failed.
		h.ca.order, h.ca.fail = nil, nil
		h.checks.found = map[string]preflight.Problem{}
		clock.Advance(5 * time.Minute)
		h.look()
		for _, n := range []string{"maple.example", "www.maple.example"} {
			h.create(n)
		}
		for all := h.offers(); len(all) > 0; all = h.offers() { // every signing request is there
			for _, o := range all {
				h.finish(o.Ref, h.good(o))
			}
		}
		h.host(nil)
		at := slices.Index(h.ca.order, "www.maple.example")
		if at < 0 || at > 40 || len(h.ca.order) != 102 {
			t.Errorf("a good one came at place %d of %d", at, len(h.ca.order))
		}
	})
}

// TestOnlyTheScopeWaits has the CA refuse one registered domain for an hour.
func TestOnlyTheScopeWaits(t *testing.T) {
	for _, c := range []struct {
		name  string
		scope acme.Scope
		about string
		other bool // whether the other certificate goes on
	}{
		{"one name", acme.ScopeName, "maple.example", true},
		{"one set of names", acme.ScopeSet, "", true},
		{"new orders of the account", acme.ScopeOrders, "", false},
		{"all of it", acme.ScopeAuthority, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				h := newHouse(t, d, clock)
				until := clock.Now().Add(time.Hour)
				h.ca.fail = func(_ string, r acme.Request) error {
					if r.Names[0] == "maple.example" && clock.Now().Before(until) {
						return &acme.Error{Kind: acme.KindRateLimited, Scope: c.scope, Name: c.about, Status: 429, Detail: "too many", RetryAfter: until}
					}
					return nil
				}
				a := h.create("maple.example")
				h.host(nil)
				b := h.create("shop.maple.example")
				h.host(nil)
				h.look()
				h.host(nil)
				i := h.newest(a.ID)
				if i.State != certs.IssueWaiting || i.Why.Code != certs.WhyRateLimited || i.Why.Until.Before(until) {
					t.Errorf("got %s, %+v", i.State, i.Why)
				}
				whys := must[[]certs.Why](t)(h.certs.WhyNot(h.ctx, h.all, a.ID))
				if len(whys) < 2 || whys[0].Code != certs.WhyRateLimited {
					t.Errorf("why not: got %+v", whys)
				}
				if got := h.get(b.ID).State == certs.StateServed; got != c.other {
					t.Errorf("the other one is served: got %v, want %v", got, c.other)
				}
				asked := len(h.ca.asked)
				clock.Advance(59 * time.Minute)
				h.look()
				h.host(nil)
				if len(h.ca.asked) != asked {
					t.Errorf("it was asked %d times before its time", len(h.ca.asked)-asked)
				}
				clock.Advance(2 * time.Minute)
				h.look()
				h.host(nil)
				if x, y := h.get(a.ID).State, h.get(b.ID).State; x != certs.StateServed || y != certs.StateServed {
					t.Errorf("after it: got %s and %s", x, y)
				}
				if items, _, _ := h.certs.Issues(h.ctx, h.all, a.ID, certs.Page{}); len(items) != 1 {
					t.Errorf("attempts: got %d, want 1", len(items))
				}
			})
		})
	}
}

// TestOneNameFails: the old certificate stays, and the culprit is named.
func TestOneNameFails(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example", "www.maple.example")
		h.host(nil)
		old := h.get(c.ID).Issued
		h.ca.fail = func(string, acme.Request) error {
			return &acme.Error{Kind: acme.KindValidation, Name: "www.maple.example", Status: 403, Detail: "192.0.2.7: connection refused"}
		}
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(nil)
		now, i := h.get(c.ID), h.newest(c.ID)
		if now.State != certs.StateServed || now.Issued != old || i.Why.Name != "www.maple.example" || i.Why.Code != certs.WhyValidation {
			t.Errorf("got %+v, %+v", now, i.Why)
		}
		if cause, next := i.Why.Text("en"); cause != "Test CA could not see that www.maple.example is ours." || next == "" {
			t.Errorf("got %q, %q", cause, next)
		}
		// It is tried again after 1, 10 and 100 minutes, and once in a day from then on.
		for n, least := range []time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute} {
			wait := h.get(c.ID).Failing.NextTry.Sub(clock.Now())
			if wait < least-time.Second || wait > least+least/5 {
				t.Errorf("wait %d: got %s, want about %s", n+1, wait, least)
			}
			clock.Advance(wait + time.Second)
			h.look()
			h.host(nil)
		}
		if f := h.get(c.ID).Failing; f.Attempts != 4 || f.Why.Name != "www.maple.example" || f.NextTry.Sub(clock.Now()) < 20*time.Hour {
			t.Errorf("failing: got %+v", f)
		}
		if got := h.openFindings(findings.CertFailed); len(got) != 1 || got[0].Owner != findings.OfCustomer {
			t.Errorf("findings: got %+v", got)
		}
		h.ca.fail = nil
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(nil)
		if got := h.get(c.ID); got.Failing.Attempts != 0 || len(h.openFindings(findings.CertFailed)) != 0 {
			t.Errorf("after it: got %+v", got.Failing)
		}
	})
}

// TestNothingIsAskedOfTheCA where the look before it finds a fault.
func TestNothingIsAskedOfTheCA(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		h.checks.found["maple.example"] = preflight.Problem{Code: preflight.NoAddress, Fatal: true, Args: map[string]string{"target": "maple.example", "server": "192.0.2.7"}}
		c := h.create("maple.example")
		h.host(nil)
		i := h.newest(c.ID)
		if len(h.ca.asked) != 0 || i.State != certs.IssueFailed || i.Why.Code != string(preflight.NoAddress) || i.Requests != 0 {
			t.Errorf("got %d requests, %s, %+v", len(h.ca.asked), i.State, i.Why)
		}
		if cause, next := i.Why.Text("en"); cause == "" || next != "Add an A or AAAA record for maple.example that points to 192.0.2.7." {
			t.Errorf("got %q, %q", cause, next)
		}
	})
}

// TestLapsedOrders: what a CA lets lapse is ordered again in the same attempt, a few times.
func TestLapsedOrders(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		times := 0
		h.ca.fail = func(string, acme.Request) error {
			if times++; times <= 2 {
				return &acme.Error{Kind: acme.KindOrderGone, Detail: "expired"}
			}
			return nil
		}
		c := h.create("maple.example")
		h.host(nil)
		if i := h.newest(c.ID); i.State != certs.IssueServed || times != 3 {
			t.Errorf("got %s after %d orders", i.State, times)
		}
		times = -100
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(nil)
		if i := h.newest(c.ID); i.State != certs.IssueFailed || i.Why.Code != certs.WhyOrderLost || times != -97 {
			t.Errorf("for ever: got %s, %+v after %d orders", i.State, i.Why, times+100)
		}
	})
}

// TestTheServerIsAway over the renewal: it is issued on its return.
func TestTheServerIsAway(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(nil)
		clock.Advance(h.get(c.ID).Renewal.At.Sub(clock.Now()) + time.Hour)
		for range 20 { // ten days of silence
			h.look()
			h.tick()
			clock.Advance(12 * time.Hour)
		}
		if i := h.newest(c.ID); i.State != certs.IssueRequesting || h.ca.orders != 1 {
			t.Fatalf("away: got %s, %d orders", i.State, h.ca.orders)
		}
		h.host(nil)
		if got := h.get(c.ID); got.State != certs.StateServed || got.Issued.Round != 2 || h.ca.orders != 2 {
			t.Errorf("back: got %+v, %d orders", got, h.ca.orders)
		}
	})
}

// TestNotServed: a rollback keeps the old one, and installs the same
// certificate again rather than ask for another.
func TestNotServed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(nil)
		old := h.get(c.ID).Issued
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(map[wire.Action]func(offer) wire.Result{wire.ActionCertDeploy: func(o offer) wire.Result {
			var p wire.CertDeployParams
			h.read(o, &p)
			return wire.Result{Outcome: wire.Succeeded, Data: encode(h.ca.deployed(t, p, false))}
		}})
		now, i := h.get(c.ID), h.newest(c.ID)
		if now.State != certs.StateServed || now.Issued != old || i.State != certs.IssueRolledBack || i.Why.Code != certs.WhyNotServed || i.Why.Args["address"] != "192.0.2.7:443" {
			t.Errorf("got %+v, %s, %+v", now, i.State, i.Why)
		}
		if got := h.openFindings(findings.CertNotServed); len(got) != 1 || got[0].Severity != findings.Bad {
			t.Errorf("findings: got %+v", got)
		}
		clock.Advance(2 * time.Minute)
		h.look()
		h.host(nil)
		now = h.get(c.ID)
		if now.Issued.Serial == old.Serial || now.Issued.Round != 2 || now.State != certs.StateServed || h.ca.issued != 2 {
			t.Errorf("again: got %+v, %d certificates", now.Issued, h.ca.issued)
		}
		if got := h.openFindings(findings.CertNotServed); len(got) != 0 {
			t.Errorf("findings after it: got %+v", got)
		}
	})
}

// TestPausedByTheCA: names that the CA has paused are asked for again when a
// person says so, and not before.
func TestPausedByTheCA(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		h.ca.fail = func(string, acme.Request) error {
			return &acme.Error{Kind: acme.KindPaused, Name: "maple.example", Status: 429, Detail: "paused", Link: "https://ca.test/unpause"}
		}
		c := h.create("maple.example")
		h.host(nil)
		i := h.newest(c.ID)
		if _, next := i.Why.Text("en"); i.State != certs.IssueFailed || i.Why.Code != certs.WhyCAPaused || !strings.Contains(next, "https://ca.test/unpause") {
			t.Errorf("got %s, %+v, %q", i.State, i.Why, next)
		}
		asked := len(h.ca.asked)
		h.ca.fail = nil
		for range 5 {
			clock.Advance(25 * time.Hour)
			h.look()
			h.host(nil)
		}
		if len(h.ca.asked) != asked {
			t.Errorf("it was asked %d times while paused", len(h.ca.asked)-asked)
		}
		must[certs.Issue](t)(h.certs.Renew(h.ctx, h.all, c.ID))
		h.host(nil)
		if got := h.get(c.ID).State; got != certs.StateServed {
			t.Errorf("after it was lifted: got %s, %+v", got, h.newest(c.ID).Why)
		}
	})
}
