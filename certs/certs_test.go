package certs_test

import (
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// TestTheWay takes a certificate from its names to what is served, and on to
// its renewal.
func TestTheWay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example", "www.maple.example")
		if c.State != certs.StateNew || c.Open == "" || c.Key != wire.KeyP256 || c.Folder != "maple.example" {
			t.Fatalf("created: got %+v", c)
		}
		h.host(nil)
		c = h.get("www.maple.example")
		if c.State != certs.StateServed || c.Open != "" || c.Issued.Serial == "" || c.Issued.Issuer != "Fake CA" || len(c.Seen) != 2 || !c.Seen[0].Right {
			t.Fatalf("served: got %+v", c)
		}
		if i := h.newest(c.ID); i.State != certs.IssueServed || i.Requests != 7 || i.OrderURL == "" || i.Round != 1 || i.EndedAt.IsZero() {
			t.Errorf("attempt: got %+v", i)
		}
		if left := c.Renewal.At.Sub(clock.Now()); left < 55*24*time.Hour || left > 65*24*time.Hour || c.Renewal.From != certs.FromLifetime {
			t.Errorf("renewal: got %+v, in %s", c.Renewal, left)
		}
		clock.Advance(c.Renewal.At.Sub(clock.Now()) - time.Hour)
		h.look()
		h.host(nil)
		if h.ca.orders != 1 {
			t.Errorf("orders before it is due: got %d, want 1", h.ca.orders)
		}
		clock.Advance(2 * time.Hour)
		h.look()
		h.host(nil)
		now := h.get(c.ID)
		if now.Issued.Serial == c.Issued.Serial || now.State != certs.StateServed || now.Issued.Round != 2 || h.ca.orders != 2 {
			t.Errorf("renewed: got %+v, %d orders", now.Issued, h.ca.orders)
		}
		if i := h.newest(c.ID); i.Reason != certs.ReasonRenewal || i.StartedBy == "" {
			t.Errorf("second attempt: got %+v", i)
		}
	})
}
