package ledger_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
)

// wire is a bus of one topic.
type wire struct{ ch chan string }

func (w wire) Publish(topics ...string) {
	for _, topic := range topics {
		select {
		case w.ch <- topic:
		default:
		}
	}
}

func (w wire) Subscribe(...string) (<-chan string, func()) { return w.ch, func() {} }

// in returns the world for a test inside a bubble.
func (w *world) in(t *testing.T) *world {
	inside := *w
	inside.t = t
	inside.ctx = controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: "stf_1"})
	return &inside
}

func TestRunSequencesWithinASecond(t *testing.T) {
	tests := []struct {
		name string
		bus  bool
	}{{"woken by the bus", true}, {"by the sweep", false}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outside := newWorld(t, dbtest.SQLite(t, db.SystemClock{})) // its pools live on after the bubble
			synctest.Test(t, func(t *testing.T) {
				w := outside.in(t)
				o := ledger.Options{Origin: origin}
				if tt.bus {
					o.Bus = wire{make(chan string, 1)}
				}
				w.l = w.open(o)
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- w.l.Run(ctx) }()
				time.Sleep(1234 * time.Millisecond)
				for range 5 {
					w.append(3)
					time.Sleep(time.Second)
					if r := w.wantOK(); r.Pending != 0 {
						t.Errorf("%d entries without a place after a second", r.Pending)
					}
				}
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestLeasePassesToAnotherReplica(t *testing.T) {
	outside := newWorld(t, dbtest.SQLite(t, db.SystemClock{}))
	synctest.Test(t, func(t *testing.T) {
		w := outside.in(t)
		first, second := w.open(ledger.Options{Origin: origin}), w.open(ledger.Options{Origin: origin})
		run := func(l *ledger.Ledger) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- l.Run(ctx) }()
			return func() { cancel(); <-done }
		}
		stopFirst := run(first)
		w.append(1)
		time.Sleep(time.Second)
		stopFirst()
		stopSecond := run(second)
		w.append(1)
		time.Sleep(5 * time.Second)
		if r := w.wantOK(); r.Pending != 0 {
			t.Errorf("%d entries wait although the lease ended", r.Pending)
		}
		stopSecond()
	})
}

func TestGenerations(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		w := newWorld(t, d)
		w.append(4)
		w.sequence()
		old, err := w.l.Checkpoint(w.ctx)
		w.must(err)
		w.append(2) // wait for a place while the new log opens
		before := w.l
		w.l = w.open(ledger.Options{Origin: origin + "/g1", Generation: 2})
		if got, want := w.l.Origin(), origin+"/g2"; got != want {
			t.Errorf("origin: got %q, want %q", got, want)
		}
		opened := w.list(all, ledger.Filter{Kinds: []string{ledger.KindOpened}})[0]
		if opened.Generation != 2 || opened.Leaf != 0 || opened.Data["previous_checkpoint"] != string(old) || opened.Data["clock"] != "the clock was real" {
			t.Errorf("first leaf: %+v", opened)
		}
		if _, err := before.Sequence(w.ctx); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("the old log still grows: %v", err)
		}
		if n := w.sequence(); n != 2 {
			t.Errorf("Sequence: got %d, want the 2 that waited", n)
		}
		if r := w.wantOK(); r.Leaves != 8 || r.Size != 3 {
			t.Errorf("report: %d leaves, size %d, want 8 and 3", r.Leaves, r.Size)
		}
		if p, err := w.l.Prove(w.ctx, all, w.ids[0]); err != nil || p.Verify(before.PublicKey()) != nil {
			t.Errorf("an entry of the old log: %v", err)
		}
		if again := w.open(ledger.Options{Origin: origin}); again.Origin() != origin+"/g2" {
			t.Errorf("a restart takes %s", again.Origin())
		}
		for name, o := range map[string]ledger.Options{
			"older generation": {Origin: origin, Generation: 1},
			"another origin":   {Origin: "other.invalid/ostler"},
			"no origin":        {},
			"bad origin":       {Origin: "with space"},
			"bad checkpoint":   {Origin: origin, Generation: 3, PreviousCheckpoint: "x"},
		} {
			if _, err := ledger.New(d, w.k, o); err == nil {
				t.Errorf("%s: want an error", name)
			}
		}
		third := w.open(ledger.Options{Origin: origin, Generation: 4, PreviousCheckpoint: string(old)})
		items := w.list(all, ledger.Filter{Kinds: []string{ledger.KindOpened}, Limit: 1})
		if newest, err := w.l.Checkpoint(w.ctx); err != nil || items[0].Data["previous_checkpoint"] != string(newest) {
			t.Errorf("an older checkpoint than the database's own was taken: %v, %v", items[0].Data, err)
		}
		w.l = third
		w.wantOK()
	})
}
