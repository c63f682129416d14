package ledger_test

import (
	"testing"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

func benchmarkWrite(b *testing.B, entry bool) {
	w := newWorld(b, dbtest.SQLite(b, db.SystemClock{}))
	e := w.entry(1)
	e.Personal = nil
	i := 0
	for b.Loop() {
		i++
		w.must(w.d.Write(w.ctx, func(tx *db.Tx) error {
			err := tx.Exec("INSERT INTO settings (name, value, updated_at) VALUES (?, ?, ?)", i, []byte("value"), tx.NowMillis()).Error
			if err == nil && entry {
				_, err = w.l.Append(tx, e)
			}
			return err
		}))
	}
}

func BenchmarkWriteWithoutEntry(b *testing.B) { benchmarkWrite(b, false) }
func BenchmarkWriteWithEntry(b *testing.B)    { benchmarkWrite(b, true) }

func BenchmarkSequence1000(b *testing.B) {
	w := newWorld(b, dbtest.SQLite(b, db.SystemClock{}))
	for b.Loop() {
		b.StopTimer()
		w.must(w.d.Write(w.ctx, func(tx *db.Tx) error {
			for i := range 1000 {
				e := w.entry(i)
				e.Personal = nil
				if _, err := w.l.Append(tx, e); err != nil {
					return err
				}
			}
			return nil
		}))
		b.StartTimer()
		if n := w.sequence(); n != 1000 {
			b.Fatalf("got %d, want 1000", n)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b, dbtest.SQLite(b, db.SystemClock{}))
	w.append(1000)
	w.sequence()
	for b.Loop() {
		w.wantOK()
	}
}
