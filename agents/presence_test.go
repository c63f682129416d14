package agents_test

import (
	"slices"
	"testing"
	"time"

	"ostler/agents"
	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
)

func TestSilent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		h := w.enrol()
		tick := func() { t.Helper(); w.must(w.agents.Tick(t.Context())) }
		clock.Advance(5 * time.Minute)
		tick()
		w.wantOpen()
		clock.Advance(6 * time.Minute)
		tick()
		w.wantOpen("server.never_connected")
		s := w.connect(h, hello("i1", "boot-1", "machine-1"))
		w.wantOpen()
		clock.Advance(time.Minute)
		for range 3 { // the third is read only after the first was heard
			s.send(wire.Frame{Type: wire.FrameHeartbeat, Heartbeat: &wire.Heartbeat{UnixMilli: clock.Now().UnixMilli(), DiskFreeBytes: 7, DiskSizeBytes: 9}})
		}
		tick()
		st, err := w.agents.Status(w.ctx, all, w.server)
		if err != nil || !st.HeardAt.Equal(clock.Now()) || st.DiskFree != 7 {
			t.Errorf("heartbeat: got heard %v, disk %d, %v, want %v, 7", st.HeardAt, st.DiskFree, err, clock.Now())
		}
		s.hangUp()
		clock.Advance(agents.SilentAfter - time.Second)
		tick()
		w.wantOpen()
		clock.Advance(2 * time.Second)
		tick()
		tick()
		w.wantOpen("server.silent")
		if _, got := w.open(); !slices.Equal(got, []string{"server.silent"}) {
			t.Errorf("the tenant's findings: got %v, want server.silent", got)
		}
		w.wantState(agents.Silent)
		at, connected, err := w.agents.LastHeard(t.Context(), w.server)
		if err != nil || connected || at.IsZero() {
			t.Errorf("last heard: got %v, %v, %v", at, connected, err)
		}
		w.connect(h, hello("i1", "boot-1", "machine-1")).hangUp()
		w.wantOpen()
		if _, got := w.open(); len(got) != 0 {
			t.Errorf("the tenant's findings: got %v, want none", got)
		}
	})
}

// A plane that was away calls no server silent before the servers had time to
// come back.
func TestSilentAfterAStart(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newWorld(t, dbtest.SQLite(t, clock), clock)
	w.connect(w.enrol(), hello("i1", "boot-1", "machine-1")).hangUp()
	clock.Advance(time.Hour)
	deps := w.agents.Deps
	deps.Jobs = jobs.New(w.d, deps.Keeper, deps.Bus, jobs.Options{})
	again, err := agents.New(deps, agents.Options{Domain: "test.invalid", StreamURL: "https://localhost:1", Wall: clock})
	w.must(err)
	for _, tt := range []struct {
		after time.Duration
		want  []string
	}{{0, nil}, {agents.SilentAfter + 29*time.Second, nil}, {2 * time.Second, []string{"server.silent"}}} {
		clock.Advance(tt.after)
		w.must(deps.Jobs.Tick(t.Context())) // what was offered goes back into the queue
		w.must(again.Tick(t.Context()))
		w.wantOpen(tt.want...)
	}
}

func TestSkew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		s := w.connect(w.enrol(), hello("i1", "boot-1", "machine-1"))
		for _, tt := range []struct {
			off  time.Duration
			want []string
		}{{4 * time.Minute, nil}, {-6 * time.Minute, []string{"server.clock_skew"}}, {-7 * time.Minute, []string{"server.clock_skew"}}, {time.Second, nil}} {
			b := wire.Frame{Type: wire.FrameHeartbeat, Heartbeat: &wire.Heartbeat{UnixMilli: clock.Now().Add(tt.off).UnixMilli()}}
			for range 3 {
				s.send(b) // the third is read only after the first was heard
			}
			w.must(w.agents.Tick(t.Context()))
			w.wantOpen(tt.want...)
		}
		s.hangUp()
	})
}

func TestClone(t *testing.T) {
	const same = "machine-1"
	// each step dials; the sessions before stay open unless hang says otherwise
	type step struct {
		hi   *wire.Hello
		ping bool // the other end answers pings
		hang bool // the session before hangs up first
	}
	tests := []struct {
		name   string
		steps  []step
		frozen bool
	}{
		{"reboot after the connection closed", []step{{hi: hello("i1", "boot-1", same)}, {hi: hello("i2", "boot-2", same), hang: true}}, false},
		{"reboot while the old connection hangs", []step{{hi: hello("i1", "boot-1", same)}, {hi: hello("i2", "boot-2", same)}}, false},
		{"restart of the agent", []step{{hi: hello("i1", "boot-1", same), ping: true}, {hi: hello("i2", "boot-1", same), hang: true}}, false},
		{"reconnect of one instance", []step{{hi: hello("i1", "boot-1", same), ping: true}, {hi: hello("i1", "boot-1", same), ping: true}}, false},
		{"the old session answers", []step{{hi: hello("i1", "boot-1", same), ping: true}, {hi: hello("i2", "boot-1", same)}}, true},
		{"a copied disk, booted beside", []step{{hi: hello("i1", "boot-1", same), ping: true}, {hi: hello("i2", "boot-2", same)}}, true},
		{"an instance that gave way comes back", []step{{hi: hello("i1", "boot-1", same)}, {hi: hello("i2", "boot-2", same)}, {hi: hello("i1", "boot-1", same)}}, true},
		{"another machine while connected", []step{{hi: hello("i1", "boot-1", same)}, {hi: hello("i2", "boot-9", "machine-2")}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := &dbtest.Clock{}
			w := newWorld(t, dbtest.SQLite(t, clock), clock)
			h := w.enrol()
			var before *live
			for i, s := range tt.steps {
				if s.hang {
					before.hangUp()
				}
				l := w.dial(h, s.hi, s.ping)
				if tt.frozen && i == len(tt.steps)-1 {
					w.wantCode(l.end(), controlplane.CodeConflict)
					w.wantCode(before.end(), controlplane.CodeConflict)
					break
				}
				l.next(wire.FrameWelcome)
				before = l
			}
			if !tt.frozen {
				w.wantOpen()
				w.wantState(agents.Connected)
				return
			}
			w.wantOpen("agent.cloned")
			w.wantState(agents.Frozen)
			_, err := w.agents.Authenticate(t.Context(), h.cert)
			w.wantCode(err, controlplane.CodeConflict)
			_, err = w.agents.Renew(t.Context(), h.cert, wire.RenewRequest{CSR: csr(t, h.key)})
			w.wantCode(err, controlplane.CodeConflict)
		})
	}
}

func TestThaw(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.wantCode(w.agents.Unfreeze(w.ctx, all, w.server), controlplane.CodeConflict)
		freeze := func(h *host) {
			t.Helper()
			first := w.connect(h, hello("i1", "boot-1", "machine-1"))
			second := w.dial(h, hello("i2", "boot-1", "machine-2"), false)
			w.wantCode(second.end(), controlplane.CodeConflict)
			w.wantCode(first.end(), controlplane.CodeConflict)
			w.wantOpen("agent.cloned")
		}
		h := w.enrol()
		freeze(h)
		w.must(w.agents.Unfreeze(w.ctx, all, w.server))
		w.wantOpen()
		w.connect(h, hello("i1", "boot-1", "machine-1")).hangUp()
		freeze(h)
		h = w.enrol() // a new key: the copy is out
		w.wantOpen()
		w.connect(h, hello("i1", "boot-1", "machine-1")).hangUp()
	})
}

// A clock that jumps, as the demo's does, makes nobody silent who is heard.
func TestJumpingClock(t *testing.T) {
	clock := &dbtest.Clock{}
	sim := &dbtest.Clock{}
	w := newWorldOn(t, dbtest.SQLite(t, sim), sim, clock)
	s := w.connect(w.enrol(), hello("i1", "boot-1", "machine-1"))
	sim.Advance(24 * time.Hour)
	w.must(w.agents.Tick(t.Context()))
	w.wantOpen()
	s.hangUp()
}
