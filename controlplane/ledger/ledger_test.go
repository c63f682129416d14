package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

const origin = "demo.invalid/ostler"

var (
	all       = policy.AllCustomers("test")
	customers = []string{"", "cus_a", "cus_b", "cus_c"}
)

// world is a ledger with a few customers.
type world struct {
	t   testing.TB
	ctx context.Context
	d   *db.DB
	k   *secrets.Keeper
	l   *ledger.Ledger
	ids []string
}

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	k, err := secrets.OpenFile(t.Context(), d, filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, d: d, k: k, ctx: controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorStaff, ID: "stf_1"})}
	for _, c := range customers {
		if err := k.EnsureKey(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	w.l = w.open(ledger.Options{Origin: origin, SimulatedClock: true})
	return w
}

func (w *world) open(o ledger.Options) *ledger.Ledger {
	w.t.Helper()
	l, err := ledger.New(w.d, w.k, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) entry(i int) ledger.Entry {
	return ledger.Entry{
		Customer: customers[i%len(customers)], Server: fmt.Sprintf("srv_%d", i%3), Subject: fmt.Sprintf("run_%d", i),
		Kind: "backup.finished", Data: map[string]any{"bytes": i, "note": "ok <&> \"quoted\" \u2028", "list": []int{i, 2}, "yes": true},
		Personal: map[string]string{"email": fmt.Sprintf("p%d@example.com", i)},
	}
}

// append appends n entries, each in a transaction of its own.
func (w *world) append(n int) {
	w.t.Helper()
	for range n {
		w.add(w.entry(len(w.ids)))
	}
}

func (w *world) add(e ledger.Entry) string {
	w.t.Helper()
	var id string
	w.must(w.d.Write(w.ctx, func(tx *db.Tx) (err error) { id, err = w.l.Append(tx, e); return err }))
	w.ids = append(w.ids, id)
	return id
}

func (w *world) sequence() int {
	w.t.Helper()
	n, err := w.l.Sequence(w.ctx)
	w.must(err)
	return n
}

func (w *world) verify(known ...string) ledger.Report {
	w.t.Helper()
	r, err := w.l.Verify(w.ctx, all, ledger.VerifyOptions{Known: known})
	w.must(err)
	return r
}

func (w *world) wantOK() ledger.Report {
	w.t.Helper()
	r := w.verify()
	if !r.OK() {
		w.t.Fatalf("verify: %s (%d problems)", r.First(), len(r.Problems))
	}
	return r
}

func (w *world) list(scope policy.Scope, f ledger.Filter) []ledger.Item {
	w.t.Helper()
	items, _, err := w.l.List(w.ctx, scope, f)
	w.must(err)
	return items
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	w.must(w.d.Write(w.ctx, func(tx *db.Tx) error { return tx.Exec(sql, args...).Error }))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestAppendThenSequence(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d)
		clock.Advance(time.Minute)
		w.append(9)
		for _, i := range w.list(all, ledger.Filter{Limit: 9}) {
			if i.Seq != -1 || i.Leaf != -1 || i.Sequenced() {
				t.Errorf("entry %s before Sequence: seq %d, leaf %d, want -1", i.ID, i.Seq, i.Leaf)
			}
		}
		if r := w.wantOK(); r.Pending != 9 || r.Leaves != 1 {
			t.Errorf("before Sequence: %d pending, %d leaves, want 9 and 1", r.Pending, r.Leaves)
		}
		if n := w.sequence(); n != 9 {
			t.Errorf("Sequence: got %d, want 9", n)
		}
		if n := w.sequence(); n != 0 {
			t.Errorf("Sequence again: got %d, want 0", n)
		}
		r := w.wantOK()
		if r.Leaves != 10 || r.Size != 10 || r.Pending != 0 || r.Checkpoints != 2 || r.Chains != 4 || r.Personal != 9 || r.Forgotten != 0 {
			t.Errorf("report: %+v", r)
		}
		items := w.list(policy.OneCustomer("cus_a"), ledger.Filter{})
		slices.Reverse(items)
		for i, item := range items {
			if item.Seq != int64(i) || item.Customer != "cus_a" || item.Generation != 1 {
				t.Errorf("chain of cus_a: item %d has seq %d, customer %s", i, item.Seq, item.Customer)
			}
			if want := fmt.Sprintf("p%d@example.com", i*4+1); item.Personal["email"] != want {
				t.Errorf("personal: got %q, want %q", item.Personal["email"], want)
			}
			if item.Data["bytes"] != int64(i*4+1) || item.Actor.ID != "stf_1" || item.At != dbtest.Start.Add(time.Minute) {
				t.Errorf("item: %+v", item)
			}
		}
		if len(items) != 2 { // 1 and 5 of 0 to 8
			t.Errorf("chain of cus_a: got %d items, want 2", len(items))
		}
	})
}

func TestFirstLeafTellsOfTheLog(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	items := w.list(all, ledger.Filter{Kinds: []string{ledger.KindOpened}})
	if len(items) != 1 {
		t.Fatalf("got %d entries, want the first leaf", len(items))
	}
	i := items[0]
	if i.Leaf != 0 || i.Seq != 0 || i.Data["origin"] != origin+"/g1" || i.Data["clock"] != "the clock was simulated" || i.Data["clock_simulated"] != true || i.Data["generation"] != int64(1) {
		t.Errorf("first leaf: %+v", i)
	}
	if got, want := w.l.Origin(), origin+"/g1"; got != want {
		t.Errorf("origin: got %q, want %q", got, want)
	}
}

func TestAppendRefuses(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	contact := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_1", Customer: "cus_a"})
	tests := []struct {
		name string
		ctx  context.Context
		e    ledger.Entry
		want string
	}{
		{"no actor", t.Context(), ledger.Entry{Kind: "a.b"}, "no actor"},
		{"a contact and another customer", contact, ledger.Entry{Kind: "a.b", Customer: "cus_b"}, "their own customer"},
		{"a contact and the company", contact, ledger.Entry{Kind: "a.b"}, "their own customer"},
		{"no kind", w.ctx, ledger.Entry{}, "noun.past-verb"},
		{"kind with a space", w.ctx, ledger.Entry{Kind: "backup finished"}, "noun.past-verb"},
		{"a float", w.ctx, ledger.Entry{Kind: "a.b", Data: map[string]any{"x": 1.5}}, "whole number"},
		{"a number too large", w.ctx, ledger.Entry{Kind: "a.b", Data: map[string]any{"x": int64(1) << 53}}, "whole number"},
		{"a channel", w.ctx, ledger.Entry{Kind: "a.b", Data: map[string]any{"x": make(chan int)}}, "unsupported type"},
		{"too much data", w.ctx, ledger.Entry{Kind: "a.b", Data: map[string]any{"x": strings.Repeat("x", ledger.MaxData)}}, "at most"},
		{"name of a personal value", w.ctx, ledger.Entry{Kind: "a.b", Personal: map[string]string{"A B": "x"}}, "not a name"},
		{"too long a personal value", w.ctx, ledger.Entry{Kind: "a.b", Personal: map[string]string{"x": strings.Repeat("x", ledger.MaxPersonal+1)}}, "too long"},
		{"a customer without a key", w.ctx, ledger.Entry{Kind: "a.b", Customer: "cus_none", Personal: map[string]string{"x": "y"}}, "no data key"},
		{"an id that is no text", w.ctx, ledger.Entry{Kind: "a.b", Subject: "\xff"}, "UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := w.d.Write(tt.ctx, func(tx *db.Tx) error { _, err := w.l.Append(tx, tt.e); return err })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	w.wantOK()
}

func TestRolledBackEntryLeavesNoGap(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		w := newWorld(t, d)
		w.append(3)
		stop := errors.New("stop")
		err := d.Write(w.ctx, func(tx *db.Tx) error {
			if _, err := w.l.Append(tx, w.entry(1)); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatalf("got %v, want stop", err)
		}
		w.append(3)
		w.sequence()
		if r := w.wantOK(); r.Leaves != 7 {
			t.Errorf("leaves: got %d, want 7", r.Leaves)
		}
	})
}

func TestTwoSequencersAndManyWriters(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		w := newWorld(t, d)
		other := w.open(ledger.Options{Origin: origin})
		const writers, each = 4, 15
		ctx, stop := context.WithCancel(w.ctx)
		var sequencers, appenders sync.WaitGroup
		for _, l := range []*ledger.Ledger{w.l, other, w.l} {
			sequencers.Go(func() {
				for ctx.Err() == nil {
					if _, err := l.Sequence(ctx); err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for n := range writers {
			appenders.Go(func() {
				for i := range each {
					err := d.Write(w.ctx, func(tx *db.Tx) error { _, err := w.l.Append(tx, w.entry(n+i)); return err })
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		appenders.Wait()
		stop()
		sequencers.Wait()
		w.sequence()
		if r := w.wantOK(); r.Leaves != writers*each+1 || r.Pending != 0 {
			t.Errorf("leaves: got %d, pending %d, want %d and 0", r.Leaves, r.Pending, writers*each+1)
		}
	})
}

func TestStopBetweenHashesAndCheckpoint(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	w.append(5)
	w.sequence()
	w.append(6)
	w.exec(`CREATE TRIGGER stop BEFORE INSERT ON ledger_checkpoints BEGIN SELECT RAISE(ABORT, 'the process stopped'); END`)
	if _, err := w.l.Sequence(w.ctx); err == nil {
		t.Fatal("the sequencer did not stop")
	}
	if r := w.wantOK(); r.Leaves != 6 || r.Pending != 6 {
		t.Errorf("after the stop: %d leaves, %d pending, want 6 and 6", r.Leaves, r.Pending)
	}
	w.exec(`DROP TRIGGER stop`)
	if n := w.sequence(); n != 6 {
		t.Errorf("after the restart: got %d, want 6", n)
	}
	if r := w.wantOK(); r.Leaves != 12 {
		t.Errorf("leaves: got %d, want 12", r.Leaves)
	}
}

func TestBatches(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		w := newWorld(t, d)
		w.must(d.Write(w.ctx, func(tx *db.Tx) error {
			for i := range 1203 {
				e := w.entry(i)
				e.Personal = nil
				if _, err := w.l.Append(tx, e); err != nil {
					return err
				}
			}
			return nil
		}))
		if n := w.sequence(); n != 1203 {
			t.Errorf("Sequence: got %d, want 1203", n)
		}
		if r := w.wantOK(); r.Leaves != 1204 || r.Checkpoints != 3 {
			t.Errorf("report: %d leaves, %d checkpoints, want 1204 and 3", r.Leaves, r.Checkpoints)
		}
	})
}
