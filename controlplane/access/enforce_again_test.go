package access_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/teleport"
)

// TestRevokedWhileEnforced takes a second grant away while the job of the first
// is at the cluster: its look is older, and does not end the second's session.
func TestRevokedWhileEnforced(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		maple, harbour := p.grant(p.Maple, p.bob, "operator", 100), p.grant(p.Harbour, p.bob, "operator", 100)
		p.tick()
		p.c.enter("bob", "ops", p.HarbourOne)
		var once sync.Once
		p.c.before = func(call string) error {
			if call == "observe" {
				once.Do(func() {
					if _, err := p.access.Revoke(p.Ctx, p.all, harbour.ID, "nor there"); err != nil {
						t.Error(err)
					}
				})
			}
			return nil
		}
		p.revoke(maple)
		p.tick()
		if n := p.c.sessions(); n != 0 {
			t.Errorf("sessions: got %d, want none; calls %v", n, p.c.calls)
		}
		if got := p.c.labels(t); len(got) != 0 {
			t.Errorf("the role still reaches %v", got)
		}
		same(t, "findings", p.open(), nil)
	})
}

// TestRevokedAgainAfterAGap: what could not be ended once is tried anew for the
// next removal, now that the cluster takes locks.
func TestRevokedAgainAfterAGap(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	maple, harbour := p.grant(p.Maple, p.bob, "operator", 100), p.grant(p.Harbour, p.bob, "operator", 100)
	p.tick()
	p.c.enter("bob", "ops", p.MapleOne)
	p.c.noLocks = teleport.ErrRefused
	p.revoke(maple)
	p.tick()
	p.one(findings.AccessLocksRefused)
	p.c.noLocks = nil
	p.revoke(harbour)
	p.tick()
	p.look()
	if n := p.c.sessions(); n != 0 {
		t.Errorf("sessions: got %d, want none; calls %v", n, p.c.calls)
	}
	same(t, "findings", p.open(), nil)
}

// byHand has somebody make the role of ours reach other customers.
func (p *plane) byHand(slugs ...string) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	for name, r := range p.c.roles {
		r.Allow.NodeLabels = map[string][]string{"customer": slugs}
		p.c.roles[name] = r
	}
}

// drifts are the names of the customers with an open difference.
func (p *plane) drifts() (where []string) {
	p.T.Helper()
	for _, f := range p.openFindings() {
		if f.Kind == findings.AccessDrift {
			where = append(where, f.Args["where"])
		}
	}
	slices.Sort(where)
	return where
}

// TestAGapHidesNoDrift: a session that nobody can end explains no other difference.
func TestAGapHidesNoDrift(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	g := p.grant(p.Maple, p.bob, "operator", 100)
	p.tick()
	p.c.enter("bob", "ops", p.MapleOne)
	p.c.noLocks = teleport.ErrRefused
	p.revoke(g)
	p.tick()
	p.mode(access.Shadow)
	p.byHand("harbour")
	p.look()
	same(t, "drift", p.drifts(), []string{"Harbour Mail"})
}

// TestDriftWaitsForTheCluster: a removal that is being carried out is no
// difference for a while, and closes none that is open.
func TestDriftWaitsForTheCluster(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		g := p.grant(p.Maple, p.bob, "operator", 100)
		p.tick()
		p.mode(access.Shadow)
		p.byHand("maple", "harbour")
		p.look()
		same(t, "before", p.drifts(), []string{"Harbour Mail"})
		p.c.before = func(call string) error { // it may be looked at, and takes no roles
			if strings.HasPrefix(call, "role") {
				return teleport.ErrUnreachable
			}
			return nil
		}
		p.mode(access.Enforce)
		p.revoke(g)
		p.look()
		same(t, "at once", p.drifts(), []string{"Harbour Mail"})
		closed, _, err := p.Findings.List(t.Context(), p.all, findings.Filter{Closed: true, Kinds: []string{findings.AccessDrift}})
		if err != nil || len(closed) != 0 {
			t.Errorf("closed: got %+v, %v", closed, err)
		}
		clock.Advance(6 * time.Minute)
		p.look()
		same(t, "later", p.drifts(), []string{"Harbour Mail", "Maple Bakery"})
		p.c.before = nil
		clock.Advance(5 * time.Minute)
		p.look()
		p.look()
		same(t, "carried out", p.open(), nil)
	})
}

// TestAdoptsTheWholeRole: of two roles of which one's name ends like the
// other's, each is taken in as itself, whatever the person is called by then.
func TestAdoptsTheWholeRole(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock, func(_ *access.Deps, o *access.Options) {
		o.Roles = []access.Role{{Name: "admin", Title: "All", Logins: []string{"root"}}, {Name: "db-admin", Title: "Databases", Logins: []string{"dba"}}}
	})
	p.grant(p.Maple, p.bob, "db-admin", 100)
	p.tick()
	before := p.c.labels(t)
	p.Write(func(tx *db.Tx) error { return tx.Exec("DELETE FROM access_cluster_roles").Error })
	p.look()
	same(t, "maple", p.columns(p.Maple), []string{"Bob Builder db-admin listed enforced could"})
	same(t, "one role", p.c.labels(t), before)
	for name, r := range p.c.roles {
		if !slices.Equal(r.Allow.Logins, []string{"dba"}) {
			t.Errorf("%s: got logins %v", name, r.Allow.Logins)
		}
	}
	same(t, "findings", p.open(), nil)
}

func TestHostGivesNoCause(t *testing.T) {
	for _, tt := range []struct{ detail, want string }{
		{"", "It gave no cause"},
		{"ökonomie is off", "Ökonomie is off"},
		{"4 files", "4 files"},
	} {
		clock := &dbtest.Clock{}
		p := newPlane(t, dbtest.SQLite(t, clock), clock)
		p.active(p.MapleOne)
		must[string](t)(p.access.Look(p.Ctx, p.all, p.MapleOne.ID))
		p.host(p.MapleOne, func(wire.Action, json.RawMessage) (any, *wire.Failure) {
			return nil, &wire.Failure{Cause: wire.CauseSourceMissing, Detail: tt.detail}
		})
		if f := p.one(findings.AccessHostUnread); f.Args["because"] != tt.want {
			t.Errorf("%q: got %q, want %q", tt.detail, f.Args["because"], tt.want)
		}
	}
}

// TestRemovalsHideNoOtherDrift: somebody loses one thing after another, and what
// they reach beside that is found at the next look.
func TestRemovalsHideNoOtherDrift(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		grants := []access.Grant{p.grant(p.Maple, p.bob, "operator", 100), p.grant(p.Maple, p.bob, "engineer", 100)}
		p.tick()
		p.c.before = func(call string) error { // the cluster takes nothing: each removal is at work for long
			if strings.HasPrefix(call, "role") {
				return teleport.ErrUnreachable
			}
			return nil
		}
		other := legacy()
		other.Allow.NodeLabels["customer"] = []string{"harbour"}
		p.c.roles["legacy"] = other
		p.c.users["bob"] = teleport.User{Name: "bob", Roles: append([]string{"legacy"}, p.c.users["bob"].Roles...)}
		for i, g := range grants {
			p.revoke(g)
			p.look()
			same(t, fmt.Sprintf("after removal %d", i+1), p.drifts(), []string{"Harbour Mail"})
			clock.Advance(3 * time.Minute)
		}
		clock.Advance(6 * time.Minute)
		p.look()
		same(t, "later", p.drifts(), []string{"Harbour Mail", "Maple Bakery"})
	})
}
