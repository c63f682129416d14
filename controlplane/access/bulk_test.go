package access_test

import (
	"slices"
	"testing"

	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// TestBulk holds what benches make in SQL to the rules: every span stands in the
// tree where it ought to, and lists are as full as they are meant to be.
func TestBulk(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		h := access.History{N: 4000, Begin: clock.Now().AddDate(-3, 0, 0).UnixMilli(), End: clock.Now().UnixMilli(), Customers: []string{w.Maple.ID, w.Harbour.ID}, People: []string{w.bob.ID, w.cleo.ID}}
		h.Last = (h.End - h.Begin) * 10 * 2 / int64(h.N)
		w.Write(func(tx *db.Tx) error { return w.access.Bulk(tx, h) })
		rows, wrong := 0, 0
		if err := w.access.EachVersion(w.Ctx, func(right bool) {
			if rows++; !right {
				wrong++
			}
		}); err != nil {
			t.Fatal(err)
		}
		if rows < 5900 || wrong > 0 {
			t.Errorf("versions: got %d, of which %d stand elsewhere in the tree, want about 6,000 and none", rows, wrong)
		}
		l := w.read(w.Maple, access.At{At: clock.Now().AddDate(-1, 0, 0)})
		if n := len(l.Lines); n != 2 {
			t.Errorf("on a list a year ago: got %d, want both", n)
		}
		for _, x := range l.Lines {
			if x.Notified.IsZero() || l.ChangedAt.IsZero() {
				t.Errorf("a year ago: %s told %v, the list changed %v; want both known", x.Person.Name, x.Notified, l.ChangedAt)
			}
		}
	})
}

// TestAgain: what benches copy is verified like what was written.
func TestAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		p := access.Part{Column: access.Enforced, Source: "bench", Customers: []string{w.Maple.ID}}
		w.settle(p, access.Want{Customer: w.Maple.ID, Unknown: "SHA256:1", Way: access.WayLogin, Role: "root", Ground: "key_1"})
		w.hours(1)
		w.settle(p)
		before, _, err := w.access.VerifyReplay(w.Ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.access.Again(w.Ctx, "bench", 25, w.sequence); err != nil {
			t.Fatal(err)
		}
		if n, differ, err := w.access.VerifyReplay(w.Ctx); err != nil || len(differ) != 0 || n != before+2*24 {
			t.Errorf("verified: got %d, %v, %v, want %d and none that differ", n, differ, err, before+2*24)
		}
		want := []string{w.tamper(t)}
		if _, differ, err := w.access.VerifyReplay(w.Ctx); err != nil || !slices.Equal(differ, want) {
			t.Errorf("one row changed: got %v, %v, want %v", differ, err, want)
		}
	})
}

// tamper changes one of all rows beside the ledger, and says whose.
func (w *world) tamper(t testing.TB) (span string) {
	t.Helper()
	w.Write(func(tx *db.Tx) error {
		var rev string
		if err := tx.Raw("SELECT rev, id FROM access_spans WHERE source = 'bench' AND known_until > 0 ORDER BY rev LIMIT 1 OFFSET 7").Row().Scan(&rev, &span); err != nil {
			return err
		}
		return tx.Exec("UPDATE access_spans SET known_until = known_until + 1, hi = hi + 1 WHERE rev = ?", rev).Error
	})
	return span
}

// TestPlanAt: each part of the question reads, of a node, only what holds the
// instant. By the other end's index it would read all that ever stood there.
func TestPlanAt(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newWorld(t, dbtest.SQLite(t, clock), clock)
	now := clock.Now().UnixMilli()
	w.Write(func(tx *db.Tx) error {
		got, err := access.PlanAt(tx, w.Maple.ID, now-2_000_000, now-1_000_000)
		hi, lo := "access_spans_hi (customer_id=? AND node=? AND hi>?)", "access_spans_lo (customer_id=? AND node=? AND lo<?)"
		same(t, "indexes", got, []string{hi, lo, lo, hi, lo})
		return err
	})
}
