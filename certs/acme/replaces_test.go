package acme_test

import (
	"net/http"
	"slices"
	"testing"

	"ostler/certs/acme"
	"ostler/certs/acme/acmetest"
)

// minded answers an order that replaces something with a refusal, and leaves
// others alone.
func minded(fault acmetest.Fault) acmetest.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if replacesOf(r) == "" {
			next.ServeHTTP(w, r)
			return
		}
		fault(w, r, next)
	}
}

func TestReplacesIsDropped(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	old, _ := issued(t, c, ca, acmetest.Request(t, "a.example"))
	id, err := acme.CertID(acmetest.Leaf(t, old.Chain))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		fault acmetest.Fault
		kind  acme.Kind // "": issued without
	}{
		{"replaced already", acmetest.Problem(409, "alreadyReplaced", "certificate has been replaced"), ""},
		{"conflict of another type", acmetest.Problem(409, "conflict", "replaced"), ""},
		{"not ours", acmetest.Problem(403, "unauthorized", "requester account did not request the certificate being replaced by this order"), ""},
		{"not known", acmetest.Problem(404, "malformed", "unknown certificate"), ""},
		{"malformed", acmetest.Problem(400, "malformed", "parsing replaces: bad"), ""},
		{"500 about it", acmetest.Problem(500, "serverInternal", "could not find an order for the given certificate"), ""},
		{"a limit is no reason", acmetest.Problem(429, "rateLimited", "too many new orders (300) from this account"), acme.KindRateLimited},
		{"nor is a busy CA", acmetest.Answer(503, "text/plain", "busy"), acme.KindUnreachable},
		{"nor a forbidden name", acmetest.Problem(400, "rejectedIdentifier", "no"), acme.KindRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ca.On(acmetest.PathNewOrder, -1, minded(tt.fault))
			t.Cleanup(ca.Heal)
			r := acmetest.Request(t, "a.example")
			r.Replaces = id
			k := &acmetest.Keeper{}
			before := ca.Count(acmetest.PathNewOrder)
			_, s, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01()))
			if tt.kind != "" {
				if e := refusal(t, err); e.Kind != tt.kind {
					t.Errorf("got %v, want %s", e, tt.kind)
				}
				if got := ca.Count(acmetest.PathNewOrder) - before; got != 1 || s.WithoutReplaces {
					t.Errorf("asked %d times, want once, with replaces", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.Index(k.Events, acme.EventReplacesDropped); i < 0 || k.Args[i]["detail"] == "" || !s.WithoutReplaces {
				t.Errorf("got %v: nobody says that it was dropped", k.Events)
			}
		})
	}
}

func TestReplacesIsSent(t *testing.T) {
	ca := acmetest.New(t, acmetest.Options{})
	c := ca.Open(t, ca.Options(t))
	old, _ := issued(t, c, ca, acmetest.Request(t, "a.example"))
	id, err := acme.CertID(acmetest.Leaf(t, old.Chain))
	if err != nil {
		t.Fatal(err)
	}
	var sent string
	ca.On(acmetest.PathNewOrder, -1, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		sent = replacesOf(r)
		next.ServeHTTP(w, r)
	})
	r := acmetest.Request(t, "a.example")
	r.Replaces = id
	if _, s := issued(t, c, ca, r); s.WithoutReplaces || sent != id {
		t.Errorf("sent %q, want %q", sent, id)
	}
	// A further replacement of the same is refused by Pebble itself, once it has
	// noted the first: that it does on the side.
	for range 10 {
		k := &acmetest.Keeper{}
		_, s, err := c.Issue(t.Context(), r, acme.State{}, k.Hooks(ca.HTTP01()))
		if err != nil {
			t.Fatal(err)
		}
		if s.WithoutReplaces {
			return
		}
	}
	t.Error("replaced ten times")
}

// replacesOf reads what an order replaces, and leaves the request as it was.
func replacesOf(r *http.Request) string {
	var doc struct{ Replaces string }
	if err := acmetest.Payload(r, &doc); err != nil {
		return ""
	}
	return doc.Replaces
}
