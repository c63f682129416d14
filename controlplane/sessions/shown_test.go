package sessions_test

import (
	"testing"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// What our people use among themselves is not for customers: accounts, names at
// the cluster, why a verdict does not count, and what a neighbour's list lacks.
func TestShownToCustomers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		cleo := w.as(w.cleo, policy.RoleOps)
		s := w.took(func(m *sessions.Made) { m.Users = []string{"bob", "night-shift"} })
		shared := w.took(func(m *sessions.Made) {
			m.Customers, m.Server, m.Host, m.Lacks = []string{w.Maple.ID, w.Harbour.ID}, w.Shared.ID, "shared-1", "ticket"
		})
		if err := w.sessions.Lacks(w.Ctx, shared.ID, w.Harbour.ID, ""); err != nil { // it is Maple's list alone that lacks it
			t.Fatal(err)
		}
		w.read(cleo, s.ID)
		must[sessions.Session](t)(w.sessions.Judge(cleo, w.all, s.ID, sessions.Fine, "", s.Version))
		w.lists.uses(w.cleoPerson, "night-shift")
		w.later(61 * time.Minute)
		must[sessions.Hold](t)(w.sessions.Hold(w.Ctx, w.all, sessions.Hold{Session: s.ID, Reason: "A dispute"}))
		must[sessions.Hold](t)(w.sessions.Hold(w.Ctx, w.all, sessions.Hold{Session: shared.ID, Reason: "Harbour's dispute"}))

		owner, own := w.Owner(w.Maple)
		x := must[sessions.Session](t)(w.sessions.Get(owner, own, s.ID))
		if x.Login != "" || x.User != "" || x.Address != "" {
			t.Errorf("a customer reads %q, %q, %q", x.Login, x.User, x.Address)
		}
		if want := "Whoever reviewed it turned out to have taken part"; x.Review.Void != want {
			t.Errorf("a customer reads %q, want %q", x.Review.Void, want)
		}
		if h := x.Recording.Holds; len(h) != 1 || h[0].Session != s.ID {
			t.Errorf("the hold on their own session: %+v", h)
		}
		y := must[sessions.Session](t)(w.sessions.Get(owner, own, shared.ID))
		if h := y.Recording.Holds; len(h) != 1 || h[0].Reason != "" {
			t.Errorf("the hold on a session that they share: %+v", h)
		}
		for _, c := range []struct {
			of   customers.Customer
			want int
		}{{w.Maple, 1}, {w.Harbour, 0}} {
			ctx, scope := w.Owner(c.of)
			items, _, err := w.sessions.List(ctx, scope, sessions.Filter{Ungrounded: true})
			if err != nil || len(items) != c.want {
				t.Errorf("%s finds %d without a ground, want %d (%v)", c.of.Name, len(items), c.want, err)
			}
		}
	})
}
