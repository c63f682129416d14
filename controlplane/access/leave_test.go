package access_test

import (
	"errors"
	"fmt"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// Whoever leaves is off every list in one transaction, whatever put them there.
func TestLeave(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.Share()
		w.due() // what staff can do by their role
		w.grant(w.Maple, w.bob, "operator", 100)
		team := must[access.Team](t)(w.access.PutTeam(w.Ctx, w.all, access.Team{Name: "Night", Members: []access.Member{{Person: w.bob.ID}, {Person: w.cleo.ID}}}))
		must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, access.NewGrant{Customer: w.Harbour.ID, Team: team.ID, Role: "engineer", Reason: "on call", Until: clock.Now().AddDate(0, 0, 9)}))
		must[access.Terms](t)(w.access.SetTerms(w.Ctx, w.all, access.Terms{Customer: w.Maple.ID, SecondPerson: true}))
		waits := must[access.Grant](t)(w.access.Grant(w.Ctx, w.all, w.asked(func(in *access.NewGrant) { in.Role = "engineer" })))
		var left []string
		w.access.OnLeave(func(_ *db.Tx, p access.Person, why string) error { left = append(left, p.Name+": "+why); return nil })
		w.hours(1)
		for name, c := range map[string]struct {
			err  error
			code controlplane.Code
		}{
			"oneself":       {second(w.access.Leave(w.as(w.bob), w.all, w.bob.ID, "bye")), controlplane.CodeForbidden},
			"without a why": {second(w.access.Leave(w.Ctx, w.all, w.bob.ID, "")), controlplane.CodeInvalid},
			"nobody":        {second(w.access.Leave(w.Ctx, w.all, "prs_0", "x")), controlplane.CodeNotFound},
			"by a customer": {second(w.access.Leave(w.Ctx, policy.OneCustomer(w.Maple.ID), w.bob.ID, "x")), controlplane.CodeForbidden},
		} {
			if controlplane.ErrorCode(c.err) != c.code {
				t.Errorf("%s: got %v, want %s", name, c.err, c.code)
			}
		}
		if n := must[int](t)(w.access.Leave(w.Ctx, w.all, w.bob.ID, "his contract is over")); n != 2 {
			t.Errorf("taken off %d customers' lists, want 2", n)
		}
		if n := must[int](t)(w.access.Leave(w.Ctx, w.all, w.bob.ID, "again")); n != 0 {
			t.Errorf("again: %d, want 0", n)
		}
		same(t, "told", left, []string{"Bob Builder: his contract is over"})
		w.due()
		for _, c := range []customers.Customer{w.Maple, w.Harbour} {
			for _, l := range w.read(c, access.At{}).Lines {
				if l.Person.ID == w.bob.ID {
					t.Errorf("%s: still there: %+v", c.Slug, l)
				}
			}
		}
		if g := must[access.Grant](t)(w.access.GetGrant(w.Ctx, w.all, waits.ID)); g.State != access.GrantRevoked {
			t.Errorf("what waited: got %s, want revoked", g.State)
		}
		people := must[[]identity.Person](t)(w.Identity.People(w.Ctx, w.all, identity.PeopleFilter{Kind: controlplane.ActorStaff}))
		for _, p := range people {
			if p.ID == w.bob.Staff && p.Active {
				t.Error("he signs in still")
			}
		}
		if _, err := w.access.PutTeam(w.Ctx, w.all, access.Team{ID: team.ID, Name: "Night", Members: []access.Member{{Person: w.bob.ID}}}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("into a team again: got %v, want invalid", err)
		}
		all := must[[]access.Person](t)(w.access.People(w.Ctx, w.all))
		if last := all[len(all)-1]; last.ID != w.bob.ID || last.LeftAt.IsZero() {
			t.Errorf("the last of the people is %+v, want who has left", last)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// A plane that dies in the middle of it has taken nobody off any list, or
// everybody off all; and doing it again is enough.
func TestLeaveOfManyCustomersIsWhole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		const n = 60
		all := make([]customers.Customer, n)
		for i := range all {
			all[i] = w.Customer(fmt.Sprintf("customer-%03d", i), fmt.Sprintf("Customer %d", i))
			w.grant(all[i], w.bob, "operator", 100)
		}
		killed := errors.New("killed")
		kill := true
		var heard []access.Change
		w.access.OnChanged(func(_ *db.Tx, changes []access.Change) error {
			if kill {
				return killed
			}
			heard = append(heard, changes...)
			return nil
		})
		w.hours(1)
		if _, err := w.access.Leave(w.Ctx, w.all, w.bob.ID, "his contract is over"); !errors.Is(err, killed) {
			t.Fatalf("got %v, want what killed it", err)
		}
		for _, c := range all {
			same(t, "afterwards as before", who(w.read(c, access.At{})), []string{bobOperates})
		}
		if p := must[access.Person](t)(w.access.GetPerson(w.Ctx, w.all, w.bob.ID)); !p.LeftAt.IsZero() {
			t.Error("he has left without it")
		}
		kill = false
		if got := must[int](t)(w.access.Leave(w.Ctx, w.all, w.bob.ID, "his contract is over")); got != n {
			t.Errorf("taken off %d lists, want %d", got, n)
		}
		if len(heard) != n {
			t.Errorf("told of %d changes, want %d", len(heard), n)
		}
		for _, c := range all {
			same(t, "nobody", who(w.read(c, access.At{})), nil)
		}
		if _, differ, err := w.access.VerifyReplay(w.Ctx); err != nil || len(differ) > 0 {
			t.Errorf("replay: %v differ, %v", differ, err)
		}
	})
}

// Staff are on every customer's list by what their role here lets them do; what
// a customer came with is no change of their list.
func TestStaffByTheirRole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		var heard []access.Change
		w.access.OnChanged(func(_ *db.Tx, changes []access.Change) error {
			for _, c := range changes {
				if c.Column == access.Listed {
					heard = append(heard, c)
				}
			}
			return nil
		})
		roles := func(c customers.Customer) (out []string) {
			for _, l := range w.read(c, access.At{}).Lines {
				if l.Listed == nil || l.Enforced == nil || !l.Attested {
					out = append(out, "unconfirmed")
				}
				out = append(out, l.Person.Name+" "+string(l.Way))
			}
			return out
		}
		w.due()
		first := []string{"Ada Admin admin", "Ada Admin restore", "Bob Builder restore", "Cleo Clark restore"}
		same(t, "maple", roles(w.Maple), first)
		for _, c := range heard {
			if !c.Baseline {
				t.Errorf("told as a change: %+v, want it in the first list", c)
			}
		}
		heard = nil
		w.due()
		same(t, "again", told(heard), nil)
		fresh := w.Customer("fresh", "Fresh Fish")
		w.due()
		same(t, "a new customer", roles(fresh), first)
		heard = nil
		admin, support := policy.RoleAdmin, policy.RoleSupport
		must[identity.Person](t)(w.Identity.UpdateStaff(w.Ctx, w.all, w.bob.Staff, identity.StaffChange{Role: &admin}))
		must[identity.Person](t)(w.Identity.UpdateStaff(w.Ctx, w.all, w.cleo.Staff, identity.StaffChange{Role: &support}))
		must[identity.Person](t)(w.Identity.AddStaff(w.Ctx, w.all, identity.NewStaff{Name: "Dan Doe", Email: "dan@ostler.example", Role: policy.RoleOps}))
		w.hours(1)
		w.due()
		same(t, "maple afterwards", roles(w.Maple), []string{"Ada Admin admin", "Bob Builder admin", "Ada Admin restore", "Bob Builder restore", "Dan Doe restore"})
		if len(heard) != 9 { // three customers, three changes each
			t.Errorf("told of %v, want nine changes", told(heard))
		}
		for _, c := range heard {
			if c.Baseline {
				t.Errorf("not told as a change: %+v", c)
			}
		}
		same(t, "people", names(must[[]access.Person](t)(w.access.People(w.Ctx, w.all))), []string{"Ada Admin", "Bob Builder", "Cleo Clark", "Dan Doe"})
	})
}

func names(people []access.Person) (out []string) {
	for _, p := range people {
		out = append(out, p.Name)
	}
	return out
}
