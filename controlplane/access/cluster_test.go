package access_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/teleport"
)

// legacy is a role of others that reaches maple.
func legacy() teleport.Role {
	return teleport.Role{Name: "legacy", Allow: teleport.Reach{Logins: []string{"root"}, NodeLabels: map[string][]string{"customer": {"maple"}}}, MaxTTL: 10 * time.Hour}
}

func TestObserve(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d, clock)
		p.c.roles["legacy"] = legacy()
		p.c.roles["boss"] = teleport.Role{Name: "boss", Allow: teleport.Reach{Writes: []string{"role"}}}
		p.c.users["bob"] = teleport.User{Name: "bob", Roles: []string{"legacy"}}
		p.c.users["chief"] = teleport.User{Name: "chief", Roles: []string{"boss"}}
		if st := p.state(); !st.Configured || st.Mode != access.Observe || !st.LookedAt.IsZero() {
			t.Errorf("before: got %+v", st)
		}
		p.look()
		same(t, "maple", p.columns(p.Maple), []string{"Bob Builder legacy enforced could", "Teleport user chief boss enforced could"})
		same(t, "harbour", p.columns(p.Harbour), []string{"Teleport user chief boss enforced could"})
		st := p.state()
		if st.LookedAt.IsZero() || st.Cluster != "memory" || len(st.Foreign) != 2 || len(st.Planned) != 0 {
			t.Errorf("after: got %+v", st)
		}
		if f := st.Foreign[1]; f.Role != "legacy" || f.Why != "label" || !slices.Equal(f.Reaches, []string{"maple"}) || !slices.Equal(f.Users, []string{"bob"}) {
			t.Errorf("foreign: got %+v", f)
		}
		same(t, "findings", p.open(), []string{findings.AccessDrift, findings.AccessDrift, findings.AccessDrift, findings.AccessForeignRole, findings.AccessForeignRole})
		if len(p.c.calls) != 1 {
			t.Errorf("observing changed the cluster: %v", p.c.calls)
		}
		// Somebody answers for it: the line is listed till then, and agrees.
		if n := must[int](t)(p.access.AcceptBaseline(p.Ctx, p.all, "", p.ada.ID, clock.Now().AddDate(0, 1, 0), "it was there before us")); n != 2 {
			t.Errorf("accepted: got %d, want 2", n)
		}
		p.tick()
		same(t, "accepted", p.columns(p.Maple), []string{"Bob Builder legacy listed enforced could", "Teleport user chief boss listed enforced could"})
		same(t, "findings", p.open(), nil)
		p.hours(24 * 32)
		p.look()
		same(t, "after its time", p.open(), []string{findings.AccessDrift, findings.AccessDrift, findings.AccessDrift, findings.AccessForeignRole, findings.AccessForeignRole})
	})
}

func TestDriftOpensAtTheLastCleanScan(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d, clock)
		p.look()
		clean := p.state().LookedAt
		p.hours(1)
		p.c.unread = []string{"nodes"}
		p.look() // not clean: it says nothing
		p.hours(1)
		p.c.unread = nil
		p.c.roles["legacy"] = legacy()
		p.c.users["bob"] = teleport.User{Name: "bob", Roles: []string{"legacy"}}
		p.look()
		l := p.read(p.Maple, access.At{})
		var got *access.Interval
		for _, x := range l.Lines {
			if x.Role == "legacy" {
				got = x.Enforced
			}
		}
		if got == nil || !got.From.Equal(clean) {
			t.Errorf("enforced: got %+v, want from %s", got, clean)
		}
		f := p.one(findings.AccessDrift)
		if f.Customer != p.Maple.ID || f.Args["person"] != "Bob Builder" || f.Severity != findings.Bad {
			t.Errorf("finding: got %+v", f)
		}
		p.c.users["bob"] = teleport.User{Name: "bob"}
		p.look()
		same(t, "after it went", p.open(), nil)
		// A certificate with the role may be out for as long as the role says.
		same(t, "maple", p.columns(p.Maple), []string{"Bob Builder legacy could"})
		p.hours(11)
		p.due()
		p.look()
		same(t, "after its life", p.columns(p.Maple), nil)
	})
}

func TestTrouble(t *testing.T) {
	for _, tt := range []struct {
		name      string
		err       error
		unread    []string
		sentence  string
		identity  bool
		forgotten bool
	}{
		{"unreachable", fmt.Errorf("teleport: observe: %w", teleport.ErrUnreachable), nil, "does not answer", false, false},
		{"expired", fmt.Errorf("x: %w", teleport.ErrExpired), nil, "has expired", true, false},
		{"wrong CA", fmt.Errorf("x: %w", teleport.ErrWrongCA), nil, "not signed by the authority", true, false},
		{"denied", fmt.Errorf("x: %w", teleport.ErrDenied), nil, "may not read", true, false},
		{"clock", fmt.Errorf("x: %w", teleport.ErrClock), nil, "not valid now", false, false},
		{"not clean", nil, []string{"node: denied"}, "node: denied", false, false},
		{"other", errors.New("boom"), nil, "error of its own", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := &dbtest.Clock{}
			p := newPlane(t, dbtest.SQLite(t, clock), clock)
			p.c.users["bob"] = teleport.User{Name: "bob", Roles: []string{"legacy"}}
			p.c.roles["legacy"] = legacy()
			p.look()
			before := p.state()
			p.c.down, p.c.unread = tt.err, tt.unread
			p.hours(24)
			p.look()
			st := p.state()
			if !strings.Contains(st.Trouble, tt.sentence) || st.TroubleNext == "" || !st.TroubleSince.Equal(before.LookedAt) || !st.LookedAt.Equal(before.LookedAt) {
				t.Errorf("got %+v, want trouble %q since %s", st, tt.sentence, before.LookedAt)
			}
			if got := slices.Contains(p.open(), findings.AccessClusterIdentity); got != tt.identity {
				t.Errorf("a finding about the identity: got %v, want %v", got, tt.identity)
			}
			f := p.one(findings.AccessClusterUnreachable)
			if title, _, _ := findings.Sentence("en", f); title != "What Teleport enforces has been unconfirmed for 24 hours" || f.Severity != findings.Bad {
				t.Errorf("finding: got %q, %s", title, f.Severity)
			}
			l := p.read(p.Maple, access.At{})
			if len(l.Lines) == 0 || l.Lines[len(l.Lines)-1].Attested && l.Lines[len(l.Lines)-1].Way == access.WayTeleport {
				t.Errorf("nothing is forgotten, and it is not attested: got %+v", l.Lines)
			}
			if good := attested(l, "teleport"); good {
				t.Error("teleport is attested during trouble")
			}
			at := p.read(p.Maple, access.At{At: before.LookedAt})
			if !attested(at, "teleport") {
				t.Error("before the trouble it reads unattested")
			}
			p.c.down, p.c.unread = nil, nil
			p.look()
			if st := p.state(); st.Trouble != "" || !st.TroubleSince.IsZero() || slices.Contains(p.open(), findings.AccessClusterUnreachable) || slices.Contains(p.open(), findings.AccessClusterIdentity) {
				t.Errorf("after it: got %+v, %v", st, p.open())
			}
			mid := p.read(p.Maple, access.At{At: before.LookedAt.Add(12 * time.Hour)})
			if attested(mid, "teleport") {
				t.Error("the gap reads attested afterwards")
			}
		})
	}
}

func attested(l access.List, source string) bool {
	for _, a := range l.Attested {
		if a.Source == source {
			return a.Good
		}
	}
	return false
}

func TestIdentityEnds(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.c.until = clock.Now().Add(10 * 24 * time.Hour)
	p.look()
	if f := p.one(findings.AccessClusterIdentity); f.Args["for"] == "" {
		t.Errorf("got %+v", f)
	}
	p.c.until = clock.Now().Add(time.Hour) // tbot renews it every few minutes
	p.look()
	same(t, "renewed by itself", p.open(), nil)
	p.c.until = clock.Now().Add(5 * time.Minute)
	p.look()
	p.one(findings.AccessClusterIdentity)
}

func TestNames(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.c.roles["legacy"] = legacy()
	p.c.users["ops"] = teleport.User{Name: "ops", Roles: []string{"legacy"}}
	p.c.users["bob2"] = teleport.User{Name: "bob2", Roles: []string{"legacy"}}
	p.users(p.bob, "bob", "bob2", "ops")
	p.users(p.cleo, "cleo", "ops")
	p.look()
	// Two people with one user stand both on the list, one with two users once.
	same(t, "maple", p.columns(p.Maple), []string{"Bob Builder legacy enforced could", "Cleo Clark legacy enforced could"})
	if f := p.one(findings.AccessSameLogin); f.Args["what"] != "ops" || f.Args["person"] == f.Args["other"] {
		t.Errorf("got %+v", f.Args)
	}
	p.users(p.cleo, "cleo")
	p.look()
	same(t, "alone", p.columns(p.Maple), []string{"Bob Builder legacy enforced could", "Cleo Clark legacy could"})
	if slices.Contains(p.open(), findings.AccessSameLogin) {
		t.Error("it stays open")
	}
}

// users gives a person their Teleport users.
func (p *plane) users(who access.Person, names ...string) {
	p.T.Helper()
	must[access.Person](p.T)(p.access.ChangePerson(p.Ctx, p.all, who.ID, access.PersonChange{TeleportUsers: &names}))
}

func TestConnectorPutsARoleBack(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	p.c.roles["legacy"] = legacy()
	give := func(roles ...string) {
		p.c.users["bob"] = teleport.User{Name: "bob", Roles: roles, Connector: "okta"}
		p.look()
	}
	give("legacy")
	give()
	if slices.Contains(p.open(), findings.AccessRolePutBack) {
		t.Fatalf("taken off: %v", p.open())
	}
	give("legacy") // the next login
	if f := p.one(findings.AccessRolePutBack); f.Args["person"] != "Bob Builder" || f.Args["role"] != "legacy" || !strings.Contains(f.Args["because"], "okta") {
		t.Errorf("got %+v", f.Args)
	}
	give()
	if slices.Contains(p.open(), findings.AccessRolePutBack) {
		t.Errorf("off again: %v", p.open())
	}
}

func TestModes(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	set := func(m access.Mode) error {
		_, err := p.access.SetMode(p.Ctx, p.all, m, "as agreed")
		return err
	}
	for _, m := range []access.Mode{access.Shadow, access.Enforce} {
		if err := set(m); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("%s before a look: got %v", m, err)
		}
	}
	p.look()
	if err := set(access.Enforce); controlplane.ErrorCode(err) != controlplane.CodeConflict {
		t.Errorf("enforce without shadow: got %v", err)
	}
	p.grant(p.Maple, p.bob, "operator", 100)
	p.mode(access.Shadow)
	st := p.state()
	var what []string
	for _, c := range st.Planned {
		what = append(what, c.What+" "+c.Person+" "+strings.Join(c.Add, ","))
	}
	same(t, "planned", what, []string{"role.create Bob Builder maple", "user.add_role Bob Builder "})
	for _, c := range p.c.calls {
		if c != "observe" {
			t.Errorf("shadow changed the cluster: %s", c)
		}
	}
	p.users(p.bob)
	if err := set(access.Enforce); controlplane.ErrorCode(err) != controlplane.CodeConflict || !strings.Contains(err.Error(), "Bob Builder") {
		t.Errorf("a grant without a user: got %v", err)
	}
	p.users(p.bob, "bob")
	if _, err := p.access.SetMode(p.as(p.bob), p.all, access.Enforce, "I like it"); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
		t.Errorf("without the permission: got %v", err)
	}
	p.mode(access.Enforce)
	same(t, "enforced", p.c.labels(t), []string{"maple"})
	same(t, "maple", p.columns(p.Maple), []string{"Bob Builder operator listed enforced could"})
	if st := p.state(); len(st.Planned) != 0 || st.Mode != access.Enforce || st.ModeBy != "Ada Admin" {
		t.Errorf("after: got %+v", st)
	}
	if err := set(access.Observe); err != nil {
		t.Fatal(err)
	}
	p.tick()
	same(t, "the way back leaves the cluster as it is", p.c.labels(t), []string{"maple"})
	if n := len(p.ledgerOf("teleport")); n != 3 {
		t.Errorf("changes of mode in the ledger: got %d, want 3", n)
	}
}

func TestNoCluster(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newWorld(t, dbtest.SQLite(t, clock), clock)
	w.due()
	if st := must[access.Enforcement](t)(w.access.Enforcement(w.Ctx, w.all)); st.Configured || st.Mode != access.Observe {
		t.Errorf("got %+v", st)
	}
	if _, err := w.access.Look(w.Ctx, w.all, ""); controlplane.ErrorCode(err) != controlplane.CodeConflict {
		t.Errorf("look: got %v", err)
	}
	if _, err := w.access.SetMode(w.Ctx, w.all, access.Shadow, "because"); controlplane.ErrorCode(err) != controlplane.CodeConflict {
		t.Errorf("mode: got %v", err)
	}
	ctx, scope := w.Owner(w.Maple)
	if _, err := w.access.Enforcement(ctx, scope); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
		t.Errorf("a contact: got %v", err)
	}
}

// TestOneLookAnInterval has two replicas watch: one job is made.
func TestOneLookAnInterval(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock), clock)
	for range 3 {
		p.due()
		p.tick()
	}
	if n := len(p.c.calls); n != 1 {
		t.Errorf("looks within an interval: got %d, want 1", n)
	}
	clock.Advance(5 * time.Minute)
	p.due()
	p.tick()
	if n := len(p.c.calls); n != 2 {
		t.Errorf("looks after it: got %d, want 2", n)
	}
}

var _ access.Cluster = (*cluster)(nil)

// What is left of a role that was taken away shows beside what somebody still has
// by another: a certificate that may be out, and a session as a login that no role
// gives them now.
func TestWhatIsLeftOfARoleShowsBesideAnother(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d, clock)
		p.c.roles["legacy"] = legacy()
		p.c.roles["reader"] = teleport.Role{Name: "reader", Allow: teleport.Reach{Logins: []string{"guest"}, NodeLabels: map[string][]string{"customer": {"maple"}}}}
		p.c.users["bob"] = teleport.User{Name: "bob", Roles: []string{"legacy", "reader"}}
		p.c.nodes = []teleport.Node{{ID: "n1", Hostname: "maple-1", Labels: map[string]string{"customer": "maple"}}}
		p.c.live = []teleport.Live{{ID: "s1", User: "bob", Login: "root", Node: "n1", Hostname: "maple-1", Started: clock.Now()}, {ID: "s2", User: "bob", Login: "guest", Node: "n1", Hostname: "maple-1", Started: clock.Now()}}
		p.look()
		both := []string{"Bob Builder legacy enforced could", "Bob Builder reader enforced could"}
		same(t, "with both", p.columns(p.Maple), both)
		p.c.users["bob"] = teleport.User{Name: "bob", Roles: []string{"reader"}}
		p.look()
		same(t, "with one", p.columns(p.Maple), []string{"Bob Builder legacy could", "Bob Builder reader enforced could", "Bob Builder session as root @maple-1 could"})
		p.c.live = p.c.live[1:]
		p.hours(11)
		p.due()
		p.look()
		same(t, "after the certificate's life", p.columns(p.Maple), both[1:])
	})
}
