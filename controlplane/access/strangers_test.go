package access_test

import (
	"slices"
	"testing"

	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/teleport"
)

// TestUserTakenOffKeepsNoRole takes a Teleport user off a person who has no grants
// any more: their role is empty then, and the next grant would fill it for whoever
// uses that user by now.
func TestUserTakenOffKeepsNoRole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		p.c.users["robert"] = teleport.User{Name: "robert"}
		g := p.grant(p.Maple, p.bob, "operator", 100)
		p.tick()
		p.revoke(g)
		p.tick()
		if got := p.c.users["bob"].Roles; len(got) != 1 {
			t.Fatalf("roles of bob after the revoke: got %v, want the empty one", got)
		}
		p.users(p.bob, "robert")
		p.users(p.cleo, "cleo", "bob") // by now it is somebody else's
		widened := ""
		p.c.before = func(call string) error {
			if call == "role maple" && widened == "" {
				widened = "with"
				if len(p.c.users["bob"].Roles) == 0 {
					widened = "without"
				}
			}
			return nil
		}
		p.grant(p.Maple, p.bob, "operator", 100)
		p.tick()
		if widened != "without" {
			t.Errorf("the role was made wider %s bob in it, want without", widened)
		}
		if bob, robert := p.c.users["bob"].Roles, p.c.users["robert"].Roles; len(bob) != 0 || len(robert) != 1 {
			t.Errorf("roles: got bob %v, robert %v, want it with robert alone", bob, robert)
		}
		p.look()
		same(t, "maple", p.columns(p.Maple), []string{"Bob Builder operator listed enforced could"})
		same(t, "findings", p.open(), nil)
	})
}

// TestRoleOfOursByHand has somebody give a role of ours to a user whom it was not
// made for: the plan says so, and following the lists takes it away.
func TestRoleOfOursByHand(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	p.grant(p.Maple, p.bob, "operator", 100)
	p.tick()
	p.mode(access.Shadow)
	role := p.c.users["bob"].Roles[0]
	p.c.users["cleo"] = teleport.User{Name: "cleo", Roles: []string{"staff", role}}
	p.look()
	if got := p.state().Planned; len(got) != 1 || got[0].What != "user.remove_role" || got[0].User != "cleo" || got[0].Role != role || got[0].Person != "Bob Builder" {
		t.Errorf("planned: got %+v", got)
	}
	p.mode(access.Enforce)
	p.look()
	if got := p.c.users["cleo"].Roles; !slices.Equal(got, []string{"staff"}) {
		t.Errorf("roles of cleo: got %v, want staff alone", got)
	}
	if got := p.state().Planned; len(got) != 0 {
		t.Errorf("planned: got %+v, want nothing", got)
	}
}
