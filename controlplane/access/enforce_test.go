package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/teleport"
)

// revoke ends a grant.
func (p *plane) revoke(g access.Grant) {
	p.T.Helper()
	must[access.Grant](p.T)(p.access.Revoke(p.Ctx, p.all, g.ID, "not needed any more"))
}

// changes are a customer's listed changes in short, oldest first: "removed Bob Builder enforced".
func (p *plane) changes(c customers.Customer) (out []string) {
	p.T.Helper()
	items, _, err := p.access.Changes(p.Ctx, p.all, access.ChangeFilter{Customer: c.ID})
	if err != nil {
		p.T.Fatal(err)
	}
	for _, x := range items {
		if x.Way != access.WayTeleport {
			continue
		}
		s := string(x.Kind) + " " + x.Name
		if !x.EnforcedAt.IsZero() {
			s += " enforced"
		}
		out = append(out, s)
	}
	slices.Reverse(out)
	return out
}

func TestEnforceFollowsTheLists(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		g := p.grant(p.Maple, p.bob, "operator", 100)
		same(t, "not yet enforced", p.changes(p.Maple), []string{"added Bob Builder"})
		p.tick()
		same(t, "granted", p.c.labels(t), []string{"maple"})
		same(t, "confirmed", p.changes(p.Maple), []string{"added Bob Builder enforced"})
		p.grant(p.Harbour, p.bob, "operator", 100)
		p.tick()
		same(t, "widened", p.c.labels(t), []string{"harbour", "maple"})
		same(t, "maple", p.columns(p.Maple), []string{"Bob Builder operator listed enforced could"})

		p.c.enter("bob", "ops", p.HarbourOne)
		p.revoke(g)
		p.tick()
		same(t, "narrowed", p.c.labels(t), []string{"harbour"})
		same(t, "confirmed", p.changes(p.Maple), []string{"added Bob Builder enforced", "removed Bob Builder enforced"})
		if p.c.sessions() != 1 || len(p.c.locks) != 0 {
			t.Errorf("a session that is still allowed was cut: %d sessions, locks %v", p.c.sessions(), p.c.locks)
		}
		// The certificate may still be out: whoever trusts the narrowed role alone may not say "none".
		same(t, "maple", p.columns(p.Maple), []string{"Bob Builder operator could"})
		if n := len(p.open()); n != 0 {
			t.Errorf("findings: %v", p.open())
		}
		p.hours(13)
		p.due()
		p.look()
		same(t, "after the certificate's life", p.columns(p.Maple), nil)
		for _, r := range p.c.roles {
			if r.Ours && (!slices.Equal(r.Allow.Logins, []string{"ops"}) || r.MaxTTL != 12*time.Hour || r.Owner != p.bob.ID || !strings.HasPrefix(r.Name, "ostler-bob-builder-")) {
				t.Errorf("role: got %+v", r)
			}
		}
	})
}

func TestTwoRolesAreNeverMerged(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	p.grant(p.Maple, p.bob, "operator", 100)
	p.grant(p.Harbour, p.bob, "engineer", 100)
	p.tick()
	var got []string
	for _, r := range p.c.roles {
		got = append(got, strings.Join(r.Allow.Logins, ",")+"@"+strings.Join(r.Allow.NodeLabels["customer"], ","))
	}
	slices.Sort(got)
	same(t, "roles", got, []string{"ops@maple", "root@harbour"})
}

func TestRevokeCutsTheSession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		g := p.grant(p.Maple, p.bob, "operator", 100)
		p.tick()
		p.c.enter("bob", "ops", p.MapleOne)
		p.c.calls = nil
		p.revoke(g)
		p.tick()
		if p.c.sessions() != 0 {
			t.Errorf("sessions: got %d, want none", p.c.sessions())
		}
		narrow, lock := slices.Index(p.c.calls, "role "), slices.Index(p.c.calls, "lock bob")
		if narrow < 0 || lock < narrow {
			t.Errorf("order: got %v, want the role first and then the lock", p.c.calls)
		}
		for _, l := range p.c.locks {
			if l.User != "bob" || l.Role != "" || l.Expires.IsZero() || l.Expires.Sub(clock.Now()) > time.Minute {
				t.Errorf("lock: got %+v, want a short one on the user alone", l)
			}
		}
		if n := len(p.open()); n != 0 {
			t.Errorf("findings: %v", p.open())
		}
		same(t, "the lock is no end of what is granted elsewhere", p.changes(p.Maple), []string{"added Bob Builder enforced", "removed Bob Builder enforced"})
	})
}

// TestClockSkew has our clock behind the cluster's: a short lock is over before
// it bites, and the next one lasts longer.
func TestClockSkew(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	g := p.grant(p.Maple, p.bob, "operator", 100)
	p.tick()
	p.c.ahead = 100 * time.Second
	p.c.enter("bob", "ops", p.MapleOne)
	p.revoke(g)
	for range 4 {
		p.tick()
		clock.Advance(20 * time.Second)
	}
	if p.c.sessions() != 0 {
		t.Errorf("sessions: got %d, want none; calls %v", p.c.sessions(), p.c.calls)
	}
	p.look()
	same(t, "findings", p.open(), nil)
	// So far ahead that none of our locks ever bites: that is said.
	p.c.ahead = 3 * time.Hour
	g = p.grant(p.Maple, p.bob, "operator", 100)
	p.tick()
	p.c.enter("bob", "ops", p.MapleOne)
	p.revoke(g)
	for range 20 {
		p.tick()
		clock.Advance(time.Minute)
	}
	if f := p.one(findings.AccessLocksRefused); f.Args["person"] != "Bob Builder" || !strings.Contains(f.Args["because"], "clock") {
		t.Errorf("got %+v", f.Args)
	}
}

func TestLeaving(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		p.users(p.bob, "bob", "bob-sso")
		p.c.users["bob-sso"] = teleport.User{Name: "bob-sso", Connector: "okta"}
		p.grant(p.Maple, p.bob, "operator", 100)
		p.grant(p.Harbour, p.bob, "operator", 100)
		p.tick()
		p.c.enter("bob", "ops", p.MapleOne)
		p.c.enter("bob-sso", "ops", p.HarbourOne)
		if n := must[int](t)(p.access.Leave(p.Ctx, p.all, p.bob.ID, "a new employer")); n != 2 {
			t.Errorf("customers: got %d, want 2", n)
		}
		p.tick()
		if got := p.c.labels(t); len(got) != 0 {
			t.Errorf("the role still reaches %v", got)
		}
		if p.c.sessions() != 0 || len(p.c.users["bob"].Roles) != 0 {
			t.Errorf("got %d sessions, roles %v", p.c.sessions(), p.c.users["bob"].Roles)
		}
		var locked []string
		for _, l := range p.c.locks {
			if l.Expires.IsZero() {
				locked = append(locked, l.User)
			}
		}
		slices.Sort(locked)
		same(t, "locked for good", locked, []string{"bob", "bob-sso"})
		p.look()
		for _, c := range []customers.Customer{p.Maple, p.Harbour} {
			if got := p.columns(c); len(got) != 0 { // no certificate works past such a lock
				t.Errorf("%s: got %v", c.Name, got)
			}
		}
		same(t, "findings", p.open(), nil)
		// Somebody takes a lock off by hand: the next look puts it back.
		clear(p.c.locks)
		clock.Advance(5 * time.Minute)
		p.look()
		if len(p.c.locks) != 2 {
			t.Errorf("locks after one was taken off: got %d, want 2", len(p.c.locks))
		}
	})
}

func TestSSO(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	p.c.users["bob"] = teleport.User{Name: "bob", Connector: "okta"}
	p.grant(p.Maple, p.bob, "operator", 100)
	p.tick()
	p.look()
	st := p.state()
	var role string
	for name := range p.c.roles {
		role = name
	}
	if len(st.ConnectorMissing) != 1 || !strings.Contains(st.ConnectorMissing[0], role) || !strings.Contains(st.Connector, role) {
		t.Errorf("got %q and %q, want them to name %s", st.ConnectorMissing, st.Connector, role)
	}
	clock.Advance(6 * time.Minute)
	p.look()
	if f := p.one(findings.AccessDrift); !strings.Contains(f.Args["because"], "does not let them in") || f.Severity != findings.Warn {
		t.Errorf("got %+v", f)
	}
	p.c.users["bob"] = teleport.User{Name: "bob", Connector: "okta", Roles: []string{role}}
	p.look()
	if st := p.state(); len(st.ConnectorMissing) != 0 || len(p.open()) != 0 {
		t.Errorf("after the mapping: got %q, %v", st.ConnectorMissing, p.open())
	}
}

// TestByHand has somebody change a role of ours in the cluster: drift at once,
// put right only where the cluster follows the lists.
func TestByHand(t *testing.T) {
	for _, mode := range []access.Mode{access.Shadow, access.Enforce} {
		t.Run(string(mode), func(t *testing.T) {
			clock := &dbtest.Clock{}
			p := enforcing(t, dbtest.SQLite(t, clock), clock)
			p.grant(p.Maple, p.bob, "operator", 100)
			p.tick()
			if mode != access.Enforce {
				p.mode(mode)
			}
			for name, r := range p.c.roles {
				r.Allow.NodeLabels = map[string][]string{"customer": {"maple", "harbour"}}
				r.Allow.Logins = []string{"ops", "root"}
				p.c.roles[name] = r
			}
			must[string](t)(p.access.Look(p.Ctx, p.all, ""))
			if err := p.Jobs.Tick(controlplane.System(t.Context(), "test")); err != nil {
				t.Fatal(err)
			}
			p.tick()
			p.look()
			if mode == access.Enforce {
				same(t, "put right", p.c.labels(t), []string{"maple"})
				for _, r := range p.c.roles {
					same(t, "logins", r.Allow.Logins, []string{"ops"})
				}
				same(t, "findings", p.open(), nil)
				same(t, "harbour", p.columns(p.Harbour), []string{"Bob Builder operator could"})
				closed, _, err := p.Findings.List(t.Context(), p.all, findings.Filter{Closed: true, Kinds: []string{findings.AccessDrift}})
				if err != nil || len(closed) != 1 || closed[0].Customer != p.Harbour.ID || closed[0].Cause == "" {
					t.Errorf("the drift that was: got %+v, %v", closed, err)
				}
				return
			}
			same(t, "left as it is", p.c.labels(t), []string{"maple", "harbour"})
			if f := p.one(findings.AccessDrift); f.Customer != p.Harbour.ID {
				t.Errorf("got %+v", f)
			}
			if st := p.state(); len(st.Planned) != 1 || st.Planned[0].What != "role.narrow" || !slices.Equal(st.Planned[0].Remove, []string{"harbour"}) {
				t.Errorf("planned: got %+v", st.Planned)
			}
		})
	}
}

// TestDownForADay has Teleport down while lists change: nothing is lost.
func TestDownForADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		g := p.grant(p.Maple, p.bob, "operator", 500)
		p.tick()
		p.c.down = teleport.ErrUnreachable
		p.revoke(g)
		p.grant(p.Harbour, p.cleo, "operator", 500)
		for range 24 {
			p.tick()
			p.hours(1)
			p.due()
		}
		same(t, "not confirmed", p.changes(p.Maple), []string{"added Bob Builder enforced", "removed Bob Builder"})
		same(t, "still enforced, for all we know", p.columns(p.Maple), []string{"Bob Builder operator enforced could"})
		if attested(p.read(p.Maple, access.At{}), "teleport") {
			t.Error("it reads attested")
		}
		p.c.down = nil
		p.look()
		p.tick()
		same(t, "confirmed", p.changes(p.Maple), []string{"added Bob Builder enforced", "removed Bob Builder enforced"})
		same(t, "harbour", p.columns(p.Harbour), []string{"Cleo Clark operator listed enforced could"})
		p.look()
		same(t, "findings", p.open(), nil)
	})
}

// TestKilledBetweenRoleAndLock stops the plane in the middle: another one goes on.
func TestKilledBetweenRoleAndLock(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := enforcing(t, d, clock)
		g := p.grant(p.Maple, p.bob, "operator", 100)
		p.tick()
		p.c.enter("bob", "ops", p.MapleOne)
		p.revoke(g)
		ctx, kill := context.WithCancel(controlplane.System(t.Context(), "test"))
		p.c.before = func(call string) error {
			if strings.HasPrefix(call, "lock") {
				kill()
				return context.Canceled
			}
			return nil
		}
		if err := p.Jobs.Tick(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if p.c.sessions() != 1 || len(p.c.labels(t)) != 0 {
			t.Fatalf("killed: got %d sessions, role %v", p.c.sessions(), p.c.labels(t))
		}
		p.c.before = nil
		clock.Advance(10 * time.Minute) // the claim's lease
		p.tick()
		p.tick()
		if p.c.sessions() != 0 {
			t.Errorf("sessions: got %d, want none", p.c.sessions())
		}
		same(t, "confirmed", p.changes(p.Maple), []string{"added Bob Builder enforced", "removed Bob Builder enforced"})
	})
}

// active makes a server one with an agent.
func (p *plane) active(v customers.Server) {
	p.T.Helper()
	p.Write(func(tx *db.Tx) error { return p.Customers.MarkActive(tx, p.all, v.ID) })
}

const agentID = "agt_00000000000000000000000001"

// host has the played agent of a server answer all that is due for it.
func (p *plane) host(v customers.Server, answer func(a wire.Action, params json.RawMessage) (any, *wire.Failure)) (n int) {
	p.T.Helper()
	ctx := controlplane.WithActor(p.T.Context(), controlplane.Actor{Kind: controlplane.ActorAgent, ID: agentID})
	sign := func(e wire.Envelope) (wire.SignedEnvelope, error) {
		payload, err := json.Marshal(e)
		return wire.SignedEnvelope{Payload: payload}, err
	}
	for _, o := range must[[]wire.Offer](p.T)(p.Jobs.Offers(ctx, v.ID, agentID, sign)) {
		var e wire.Envelope
		if err := json.Unmarshal(o.Envelope.Payload, &e); err != nil {
			p.T.Fatal(err)
		}
		ref := wire.JobRef{Job: e.Job, Epoch: o.Epoch}
		must[bool](p.T)(p.Jobs.Accept(ctx, v.ID, agentID, ref))
		data, failure := answer(e.Action, e.Params)
		r := wire.Result{JobRef: ref, Outcome: wire.Succeeded, Failure: failure}
		if failure != nil {
			r.Outcome = wire.Failed
		}
		raw, err := json.Marshal(data)
		if err != nil {
			p.T.Fatal(err)
		}
		r.Data = raw
		must[bool](p.T)(p.Jobs.Finish(ctx, v.ID, agentID, r))
		n++
	}
	return n
}

func TestLocksRefused(t *testing.T) {
	type answer struct {
		ended wire.EndedLogins
		fail  *wire.Failure
		cuts  bool // whether the session really ends
	}
	for _, tt := range []struct {
		name   string
		agent  bool
		answer answer
		gap    bool
	}{
		{"the host ends it", true, answer{ended: wire.EndedLogins{Ended: 1}, cuts: true}, false},
		{"the host cannot tell", true, answer{ended: wire.EndedLogins{Left: 1}}, true},
		{"the host says done and the cluster does not", true, answer{ended: wire.EndedLogins{Ended: 1}}, true},
		{"the host's policy refuses", true, answer{fail: &wire.Failure{Cause: wire.CausePolicy}}, true},
		{"no agent", false, answer{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := &dbtest.Clock{}
			p := enforcing(t, dbtest.SQLite(t, clock), clock)
			p.c.noLocks = teleport.ErrRefused
			if tt.agent {
				p.active(p.MapleOne)
			}
			g := p.grant(p.Maple, p.bob, "operator", 100)
			p.tick()
			p.c.enter("bob", "ops", p.MapleOne)
			p.revoke(g)
			p.tick()
			same(t, "narrowed all the same", p.c.labels(t), nil)
			n := 0
			p.host(p.MapleOne, func(a wire.Action, params json.RawMessage) (any, *wire.Failure) {
				if a != wire.ActionEndLogin {
					return wire.AccessScan{}, nil
				}
				var q wire.EndLoginParams
				if err := json.Unmarshal(params, &q); err != nil || q.Started == 0 || q != (wire.EndLoginParams{Account: "ops", TeleportUser: "bob", Started: q.Started}) {
					t.Errorf("asked: got %+v, %v", q, err)
				}
				if n++; tt.answer.cuts {
					p.c.live = nil
				}
				return tt.answer.ended, tt.answer.fail
			})
			if want := map[bool]int{true: 1}[tt.agent]; n != want {
				t.Fatalf("asked the host %d times, want %d", n, want)
			}
			p.tick()
			var gap []findings.Finding
			for _, f := range p.openFindings() {
				if f.Kind == findings.AccessLocksRefused && f.Subject == p.bob.ID {
					gap = append(gap, f)
				}
			}
			if got := len(gap) == 1; got != tt.gap {
				t.Fatalf("a gap: got %v, want %v: %v", got, tt.gap, p.open())
			}
			if !tt.gap {
				return
			}
			if lines := p.columns(p.Maple); !slices.ContainsFunc(lines, func(s string) bool { return strings.HasSuffix(s, " could") }) {
				t.Errorf("maple: got %v, want that somebody could be in", lines)
			}
			p.c.live = nil // it ended by itself
			clock.Advance(5 * time.Minute)
			p.look()
			p.tick()
			for _, f := range p.openFindings() {
				if f.Subject == p.bob.ID {
					t.Errorf("still open: %+v", f)
				}
			}
		})
	}
}

// TestSharedServerIsEnforced: a grant for one tenant reaches the server by its own
// label, and nothing else of a neighbour; who does stands on every tenant's list.
func TestSharedServerIsEnforced(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	p.Share()
	p.grant(p.Maple, p.bob, "operator", 100)
	p.tick()
	same(t, "maple", p.columns(p.Maple), []string{"Bob Builder operator listed enforced could"})
	same(t, "labels", p.c.labels(t), []string{"maple", "shared:shared-1"})
	same(t, "harbour", p.columns(p.Harbour), []string{"Bob Builder operator @shared-1 listed enforced could"})
	p.look()
	same(t, "findings", p.open(), nil)
	if got := p.changes(p.Harbour); !slices.Equal(got, []string{"added Bob Builder enforced"}) {
		t.Errorf("harbour's changes: got %v", got)
	}
}

// TestGrantEndsDuringAnOutage has a grant expire while nothing runs.
func TestGrantEndsDuringAnOutage(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	p.grant(p.Maple, p.bob, "operator", 2)
	p.tick()
	p.c.enter("bob", "ops", p.MapleOne)
	p.hours(10)
	p.due()
	p.tick()
	if got := p.c.labels(t); len(got) != 0 || p.c.sessions() != 0 {
		t.Errorf("got %v and %d sessions, want nothing", got, p.c.sessions())
	}
	same(t, "changes", p.changes(p.Maple), []string{"added Bob Builder enforced", "removed Bob Builder enforced"})
}

// TestRestoredDatabase forgets which roles are ours: they are known by their mark.
func TestRestoredDatabase(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	p.grant(p.Maple, p.bob, "operator", 100)
	p.tick()
	p.Write(func(tx *db.Tx) error { return tx.Exec("DELETE FROM access_cluster_roles").Error })
	p.look()
	same(t, "maple", p.columns(p.Maple), []string{"Bob Builder operator listed enforced could"})
	same(t, "one role", p.c.labels(t), []string{"maple"})
	if st := p.state(); len(st.Foreign) != 0 || len(st.Planned) != 0 {
		t.Errorf("got %+v", st)
	}
}

// TestMayNotWrite has an identity that may look and not change.
func TestMayNotWrite(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	p.c.before = func(call string) error {
		if strings.HasPrefix(call, "role") {
			return teleport.ErrDenied
		}
		return nil
	}
	p.grant(p.Maple, p.bob, "operator", 100)
	p.tick()
	if f := p.one(findings.AccessClusterIdentity); !strings.Contains(f.Args["because"], "not change") {
		t.Errorf("got %+v", f.Args)
	}
	if st := p.state(); st.Trouble != "" {
		t.Errorf("it may look: got trouble %q", st.Trouble)
	}
	p.c.before = nil
	clock.Advance(5 * time.Minute)
	p.look()
	p.tick()
	same(t, "findings", p.open(), nil)
	same(t, "role", p.c.labels(t), []string{"maple"})
}

// TestNotOurs: a role of the name that we would take belongs to somebody else.
func TestNotOurs(t *testing.T) {
	clock := &dbtest.Clock{}
	p := enforcing(t, dbtest.SQLite(t, clock), clock)
	p.grant(p.Maple, p.bob, "operator", 100)
	p.tick()
	for name, r := range p.c.roles {
		r.Ours, r.Owner = false, ""
		r.Allow.NodeLabels = map[string][]string{"customer": {"harbour"}}
		p.c.roles[name] = r
	}
	p.look()
	for _, r := range p.c.roles {
		if r.Ours || !slices.Equal(r.Allow.NodeLabels["customer"], []string{"harbour"}) {
			t.Errorf("it was changed: %+v", r)
		}
	}
	if got := p.open(); !slices.Contains(got, findings.AccessForeignRole) || !slices.Contains(got, findings.AccessDrift) {
		t.Errorf("findings: got %v", got)
	}
	list, _, err := p.Jobs.List(t.Context(), p.all, jobs.Filter{Kinds: []string{"access.enforce"}, States: []jobs.State{jobs.Failed}})
	if err != nil || len(list) == 0 {
		t.Errorf("failed jobs: got %d, %v", len(list), err)
	}
}
