package acme_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

func TestRefusalsOfAnOrder(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{Blocked: []string{"blocked.example"}})
	c := ca.Open(t, ca.Options(t))
	date := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	const limited = "rateLimited"
	for _, tt := range []struct {
		name  string
		fault acmetest.Fault
		kind  acme.Kind
		scope acme.Scope
		about string        // the name
		wait  time.Duration // RetryAfter from now
	}{
		{"new orders", acmetest.Problem(429, limited, "too many new orders (300) from this account in the last 3h0m0s, retry after 2031-01-02 03:04:05 UTC: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account", "Retry-After", "36"),
			acme.KindRateLimited, acme.ScopeOrders, "", 36 * time.Second},
		{"a date", acmetest.Problem(429, limited, "too many new orders (300) from this account", "Retry-After", date.Format(http.TimeFormat)),
			acme.KindRateLimited, acme.ScopeOrders, "", time.Until(date)},
		{"the same set", acmetest.Problem(429, limited, `too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after `+date.Format(time.DateTime)+` UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-hostnames`),
			acme.KindRateLimited, acme.ScopeSet, "", time.Until(date)},
		{"the domain", acmetest.Problem(429, limited, `too many certificates (50) already issued for "example.com" in the last 168h0m0s, retry after 2031-01-02 03:04:05 UTC`, "Retry-After", "60"),
			acme.KindRateLimited, acme.ScopeDomain, "example.com", time.Minute},
		{"the name", acmetest.Problem(429, limited, `too many failed authorizations (5) for "www.example.com" in the last 1h0m0s, retry after 2031-01-02 03:04:05 UTC`, "Retry-After", "60"),
			acme.KindRateLimited, acme.ScopeName, "www.example.com", time.Minute},
		{"paused", acmetest.Problem(429, limited, "Your account is temporarily prevented from requesting certificates for www.example.com and possibly others. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=abc.def"),
			acme.KindPaused, acme.ScopeName, "www.example.com", 0},
		{"our address", acmetest.Problem(429, limited, "too many new registrations (10) from this IP address in the last 3h0m0s"),
			acme.KindRateLimited, acme.ScopeIP, "", 0},
		{"no word of what", acmetest.Problem(429, limited, "slow down", "Retry-After", "5"),
			acme.KindRateLimited, acme.ScopeAccount, "", 5 * time.Second},
		{"429 of a load balancer", acmetest.Answer(429, "text/html", "<html>slow down</html>", "Retry-After", "5"),
			acme.KindRateLimited, acme.ScopeIP, "", 5 * time.Second},
		{"503 in plain text", acmetest.Answer(503, "text/plain", "Service Unavailable\nplease come again\n", "Retry-After", "120"),
			acme.KindUnreachable, acme.ScopeAuthority, "", 2 * time.Minute},
		{"503 with a date", acmetest.Answer(503, "text/plain", "busy", "Retry-After", date.Format(http.TimeFormat)),
			acme.KindUnreachable, acme.ScopeAuthority, "", time.Until(date)},
		{"load shed", acmetest.Problem(503, limited, "Service busy; retry later.", "Retry-After", "10"),
			acme.KindUnreachable, acme.ScopeAuthority, "", 10 * time.Second},
		{"500", acmetest.Problem(500, "serverInternal", "oops"), acme.KindUnreachable, acme.ScopeNone, "", 0},
		{"deactivated account", acmetest.Problem(403, "unauthorized", `Account is not valid, has status "deactivated"`), acme.KindAccount, acme.ScopeNone, "", 0},
		{"unknown account", acmetest.Problem(400, "accountDoesNotExist", "no such account"), acme.KindAccount, acme.ScopeNone, "", 0},
		{"CAA", acmetest.Problem(403, "caa", "CAA record for a.example prevents issuance"), acme.KindRefused, acme.ScopeNone, "", 0},
		{"profile", acmetest.Problem(400, "invalidProfile", "none such"), acme.KindProfile, acme.ScopeNone, "", 0},
		{"a page where JSON should be", acmetest.Answer(200, "text/html", "<html>hello</html>"), acme.KindBadAnswer, acme.ScopeNone, "", 0},
		{"an order without a URL", acmetest.Answer(201, "application/json", `{"status":"pending","identifiers":[{"type":"dns","value":"a.example"}]}`), acme.KindBadAnswer, acme.ScopeNone, "", 0},
		{"an order of other names", acmetest.Answer(201, "application/json", `{"status":"pending","identifiers":[{"type":"dns","value":"b.example"}]}`, "Location", ca.Directory), acme.KindBadAnswer, acme.ScopeNone, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ca.On(acmetest.PathNewOrder, 1, tt.fault)
			t.Cleanup(ca.Heal)
			before := ca.Count(acmetest.PathNewOrder)
			_, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
			e := refusal(t, err)
			if e.Kind != tt.kind || e.Scope != tt.scope || e.Name != tt.about {
				t.Errorf("got %q, scope %q, name %q (%v), want %q, %q, %q", e.Kind, e.Scope, e.Name, e, tt.kind, tt.scope, tt.about)
			}
			if got := time.Until(e.RetryAfter); tt.wait == 0 != e.RetryAfter.IsZero() || tt.wait > 0 && (got > tt.wait+time.Second || got < tt.wait-5*time.Second) {
				t.Errorf("retry after: got %s, want %s", e.RetryAfter, tt.wait)
			}
			if got := ca.Count(acmetest.PathNewOrder) - before; got != 1 {
				t.Errorf("the CA was asked %d times, want once", got)
			}
			if strings.Contains(e.Error(), "\n") {
				t.Errorf("got more than one line: %q", e)
			}
		})
	}
	t.Run("by the CA itself", func(t *testing.T) {
		_, _, err := c.Issue(t.Context(), acmetest.Request(t, "blocked.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
		if e := refusal(t, err); e.Kind != acme.KindRefused || !strings.HasSuffix(e.Type, "rejectedIdentifier") {
			t.Errorf("got %v, want refused", e)
		}
	})
}

func TestPausedLeadsToItsPage(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	ca.On(acmetest.PathNewOrder, 1, acmetest.Problem(429, "rateLimited", "Your account is temporarily prevented from requesting certificates for a.example and possibly others. Please visit: https://portal.example/sfe/v1/unpause?jwt=abc.def."))
	_, _, err := c.Issue(t.Context(), acmetest.Request(t, "a.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
	if e := refusal(t, err); e.Link != "https://portal.example/sfe/v1/unpause?jwt=abc.def" {
		t.Errorf("got the link %q", e.Link)
	}
}

func TestProblemsOfSingleNames(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	ca.On(acmetest.PathNewOrder, 1, acmetest.Answer(400, "application/problem+json", `{"type":"urn:ietf:params:acme:error:compound","detail":"two","status":400,"subproblems":[
		{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"not that one","identifier":{"type":"dns","value":"x.example"}},
		{"type":"urn:ietf:params:acme:error:caa","detail":"nor that","identifier":{"type":"dns","value":"y.example"}}]}`))
	_, _, err := c.Issue(t.Context(), acmetest.Request(t, "x.example", "y.example"), acme.State{}, (&acmetest.Keeper{}).Hooks(ca.HTTP01()))
	e := refusal(t, err)
	if e.Kind != acme.KindRefused || e.Name != "x.example" || len(e.Sub) != 2 || e.Sub[1].Name != "y.example" || e.Sub[1].Detail != "nor that" {
		t.Errorf("got %+v, want both names", e)
	}
}

// TestLimitOnTheWay is a 429 after the order was made: the order goes on later.
func TestLimitOnTheWay(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	for _, path := range []string{acmetest.PathAuthz, acmetest.PathChallenge, acmetest.PathFinalize, acmetest.PathOrder, acmetest.PathCert} {
		ca.On(path, 1, acmetest.Answer(503, "text/plain", "busy", "Retry-After", "30"))
		k := &acmetest.Keeper{}
		r := acmetest.Request(t, "a.example")
		_, s, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01()))
		if e := refusal(t, err); e.Kind != acme.KindUnreachable || e.RetryAfter.IsZero() {
			t.Errorf("%s: got %v, want unreachable with an instant", path, e)
		}
		order := s.Order
		_, s, err = c.Issue(t.Context(), r, k.State(), k.Hooks(ca.HTTP01()))
		if err != nil || s.Order != order {
			t.Errorf("%s: got %v with the order %s, want the same order %s", path, err, s.Order, order)
		}
	}
}
