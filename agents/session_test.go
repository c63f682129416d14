package agents_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"ostler/agents"
	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
)

func (w *world) steps() []agents.StepState {
	w.t.Helper()
	steps, err := w.agents.Checklist(w.ctx, all, w.server)
	w.must(err)
	out := make([]agents.StepState, len(steps))
	for i, s := range steps {
		out[i] = s.State
	}
	return out
}

func (w *world) wantSteps(want ...agents.StepState) {
	w.t.Helper()
	if got := w.steps(); !slices.Equal(got, want) {
		w.t.Errorf("checklist: got %v, want %v", got, want)
	}
}

func (w *world) wantState(want agents.State) {
	w.t.Helper()
	s, err := w.agents.Status(w.ctx, all, w.server)
	if err != nil || s.State != want {
		w.t.Errorf("state: got %s, %v, want %s", s.State, err, want)
	}
}

func TestSession(t *testing.T) {
	const d, n, l = agents.StepDone, agents.StepNow, agents.StepLater
	dbtest.Each(t, func(t *testing.T, database *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, database, clock)
		w.wantSteps(n, l, l, l, l)
		token := w.token()
		w.wantSteps(d, n, l, l, l)
		clock.Advance(agents.TokenLife)
		w.wantSteps(agents.StepFailed, l, l, l, l)
		_ = token
		h := w.enrol()
		w.wantSteps(d, d, n, l, l)
		w.wantState(agents.NeverConnected)
		s := w.connect(h, hello("i1", "boot-1", "machine-1"))
		w.wantSteps(d, d, d, n, l)
		w.wantState(agents.Connected)

		offer := s.next(wire.FrameOffer).Offer
		e, err := wire.Verify(h.res.SignerKeys, offer.Envelope)
		w.must(err)
		if e.Action != wire.ActionInventory || e.Server != w.server {
			t.Fatalf("offer: got %s for %s, want the inventory of %s", e.Action, e.Server, w.server)
		}
		ref := wire.JobRef{Job: e.Job, Epoch: offer.Epoch}
		s.send(wire.Frame{Type: wire.FrameAccept, JobRef: &ref})
		s.send(wire.Frame{Type: wire.FrameProgress, Progress: &wire.Progress{JobRef: ref, Seq: 1, Step: "scan"}})
		data, err := json.Marshal(wire.Inventory{OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1", Packages: 321, Disks: []wire.Disk{}})
		w.must(err)
		result := wire.Result{JobRef: ref, Outcome: wire.Succeeded, Data: data}
		s.send(wire.Frame{Type: wire.FrameResult, Result: &result})
		if ack := s.next(wire.FrameAck); *ack.JobRef != ref {
			t.Errorf("ack: got %v, want %v", *ack.JobRef, ref)
		}
		s.send(wire.Frame{Type: wire.FrameResult, Result: &result}) // the ack was lost
		s.next(wire.FrameAck)
		j, err := w.jobs.Get(w.ctx, all, e.Job)
		if err != nil || j.State != jobs.Succeeded {
			t.Errorf("job: got %s, %v, want succeeded", j.State, err)
		}
		w.wantSteps(d, d, d, d, d)
		got, err := w.agents.Status(w.ctx, all, w.server)
		if err != nil || got.Inventory == nil || got.Inventory.Packages != 321 {
			t.Errorf("inventory: got %+v, %v", got.Inventory, err)
		}
		s.hangUp()
		w.wantState(agents.Disconnected)
		s = w.connect(h, hello("i1", "boot-1", "machine-1"))
		w.wantState(agents.Connected)
		s.hangUp()
		w.wantOpen()
		items, _, err := w.ledger.List(w.ctx, all, ledger.Filter{Server: w.server, Kinds: []string{"agent.enrolled", "agent.connected", "server.inventoried"}})
		if err != nil || len(items) != 3 {
			t.Errorf("ledger: got %d entries, %v, want 3", len(items), err)
		}
	})
}

func TestHelloRefused(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newWorld(t, dbtest.SQLite(t, clock), clock)
	h := w.enrol()
	old := hello("i1", "b", "m")
	old.Version = 0
	noInstance := hello("", "b", "m")
	tests := []struct {
		name  string
		frame wire.Frame
		want  controlplane.Code
	}{
		{"not a hello", wire.Frame{Type: wire.FrameHeartbeat, Heartbeat: &wire.Heartbeat{}}, controlplane.CodeInvalid},
		{"empty hello", wire.Frame{Type: wire.FrameHello}, controlplane.CodeInvalid},
		{"no instance", wire.Frame{Type: wire.FrameHello, Hello: noInstance}, controlplane.CodeInvalid},
		{"too old", wire.Frame{Type: wire.FrameHello, Hello: old}, controlplane.CodeConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.wantCode(w.dialWith(h, tt.frame, false).end(), tt.want)
		})
	}
}

func TestBadFrames(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newWorld(t, dbtest.SQLite(t, clock), clock)
	h := w.enrol()
	for name, f := range map[string]wire.Frame{
		"unknown type":    {Type: "shell"},
		"accept of none":  {Type: wire.FrameAccept},
		"strange outcome": {Type: wire.FrameResult, Result: &wire.Result{Outcome: "perhaps"}},
		"a plane's frame": {Type: wire.FrameWelcome, Welcome: &wire.Welcome{}},
	} {
		t.Run(name, func(t *testing.T) {
			l := w.connect(h, hello("i1", "boot-1", "machine-1"))
			l.send(f)
			if err := l.end(); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
				t.Errorf("got %v, want invalid", err)
			}
		})
	}
}

func TestSignerDown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		h := w.enrol()
		w.signer.setDown(true)
		w.must(w.agents.Tick(t.Context()))
		w.wantOpen("signer.down")
		w.wantCode(w.agents.Ready(t.Context()), controlplane.CodeUnavailable)
		s := w.connect(h, hello("i1", "boot-1", "machine-1"))
		// a frame that is answered after the first look for offers
		s.send(wire.Frame{Type: wire.FrameResult, Result: &wire.Result{JobRef: wire.JobRef{Job: controlplane.NewID(controlplane.PrefixJob)}, Outcome: wire.Failed}})
		s.send(wire.Frame{Type: wire.FrameHeartbeat, Heartbeat: &wire.Heartbeat{}})
		select {
		case f := <-s.c.down:
			t.Errorf("unsigned: got a %s", f.Type)
		default:
		}
		s.hangUp()
		w.signer.setDown(false)
		w.must(w.agents.Tick(t.Context()))
		w.wantOpen()
		s = w.connect(h, hello("i1", "boot-1", "machine-1"))
		s.next(wire.FrameOffer)
	})
}

func TestDrain(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newWorld(t, dbtest.SQLite(t, clock), clock)
	s := w.connect(w.enrol(), hello("i1", "boot-1", "machine-1"))
	w.agents.Drain(time.Second)
	if f := s.next(wire.FrameDrain); f.DrainMillis != 1000 {
		t.Errorf("drain: got %d ms, want 1000", f.DrainMillis)
	}
	s.hangUp()
}

// A host that sends without end is read as fast as an honest one has reason to
// send, and no faster.
func TestAFloodIsPaced(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newWorld(t, dbtest.SQLite(t, clock), clock)
	l := w.connect(w.enrol(), hello("i1", "boot-1", "machine-1"))
	beat := wire.Frame{Type: wire.FrameHeartbeat, Heartbeat: &wire.Heartbeat{}}
	for range 1000 {
		l.send(beat)
	}
	start := time.Now()
	for range 5 {
		l.send(beat)
	}
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("five frames more were read in %v", took)
	}
	l.hangUp()
}
