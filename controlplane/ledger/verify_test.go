package ledger_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// blob reads one value of the database.
func (w *world) blob(sql string, args ...any) (b []byte) {
	w.t.Helper()
	w.must(w.d.Read(w.ctx, func(tx *db.Tx) error { return tx.Raw(sql, args...).Row().Scan(&b) }))
	return b
}

// swap exchanges the text of two leaves.
func (w *world) swap(a, b int) {
	w.t.Helper()
	const read = "SELECT leaf FROM ledger_leaves WHERE leaf_index = ?"
	x, y := w.blob(read, a), w.blob(read, b)
	w.exec("UPDATE ledger_leaves SET leaf = ? WHERE leaf_index = ?", y, a)
	w.exec("UPDATE ledger_leaves SET leaf = ? WHERE leaf_index = ?", x, b)
}

func TestVerifyNamesWhatWasChanged(t *testing.T) {
	// Leaf 0 opens the log; entry n has leaf n+1. Leaves 1 to 10 came with the
	// first checkpoint, 11 to 20 with the second.
	const leafOf7 = "UPDATE ledger_leaves SET leaf = ? WHERE leaf_index = 8"
	tests := []struct {
		name   string
		damage func(w *world)
		entry  int // -1: no entry is named
		want   string
	}{
		{"one byte of a leaf", func(w *world) {
			b := w.blob("SELECT leaf FROM ledger_leaves WHERE leaf_index = 8")
			w.exec(leafOf7, bytes.Replace(b, []byte(`"bytes":7`), []byte(`"bytes":8`), 1))
		}, 7, "(leaf 8, 2026-11-20T09:00:00.000Z): its stored content does not match the tree"},
		{"a leaf that is no JSON", func(w *world) { w.exec(leafOf7, []byte("x")) }, 7, "its stored content does not match the tree"},
		{"a leaf's hash", func(w *world) {
			w.exec("UPDATE ledger_hashes SET hash = ? WHERE idx = 1", bytes.Repeat([]byte{1}, 32))
		}, 0, "its stored content does not match the tree"},
		{"a node of the tree", func(w *world) {
			w.exec("UPDATE ledger_hashes SET hash = ? WHERE idx = 2", bytes.Repeat([]byte{1}, 32))
		}, 0, "the stored tree over leaves 0 to 1"},
		{"a node deleted", func(w *world) { w.exec("DELETE FROM ledger_hashes WHERE idx = 2") }, 0, "the stored tree over leaves 0 to 1"},
		{"a row's subject", func(w *world) { w.exec("UPDATE ledger_entries SET subject = 'x' WHERE id = ?", w.ids[7]) }, 7, "its row differs from its leaf: subject"},
		{"a row's time", func(w *world) { w.exec("UPDATE ledger_entries SET at = at + 1 WHERE id = ?", w.ids[3]) }, 3, "its row differs from its leaf: time"},
		{"a row's data", func(w *world) {
			w.exec("UPDATE ledger_entries SET data = ? WHERE id = ?", []byte(`{"bytes":9}`), w.ids[3])
		}, 3, "data"},
		{"a deleted row", func(w *world) { w.exec("DELETE FROM ledger_entries WHERE id = ?", w.ids[5]) }, 5, "its row is missing"},
		{"a deleted leaf", func(w *world) { w.exec("DELETE FROM ledger_leaves WHERE entry_id = ?", w.ids[5]) }, 5, "it is missing from the tree's leaves"},
		{"a deleted row and its leaf", func(w *world) {
			w.exec("DELETE FROM ledger_leaves WHERE entry_id = ?", w.ids[5])
			w.exec("DELETE FROM ledger_entries WHERE id = ?", w.ids[5])
		}, -1, "leaf 6: it is missing from the tree's leaves"},
		{"a deleted leaf and its hash", func(w *world) {
			w.exec("DELETE FROM ledger_leaves WHERE entry_id = ?", w.ids[5])
			w.exec("DELETE FROM ledger_hashes WHERE idx = 10")
		}, 5, "it is missing from the tree's leaves"},
		{"a swapped pair", func(w *world) { w.swap(4, 8) }, 3, "its stored content does not match the tree"},
		{"a swapped pair with its hashes", func(w *world) {
			w.swap(4, 8)
			a, b := w.blob("SELECT hash FROM ledger_hashes WHERE idx = 7"), w.blob("SELECT hash FROM ledger_hashes WHERE idx = 15")
			w.exec("UPDATE ledger_hashes SET hash = ? WHERE idx = 7", b)
			w.exec("UPDATE ledger_hashes SET hash = ? WHERE idx = 15", a)
		}, 3, "its number in the customer's chain is 1, and 0 comes next"},
		{"a truncated tail", func(w *world) {
			w.exec("DELETE FROM ledger_leaves WHERE leaf_index > 17")
			w.exec("DELETE FROM ledger_entries WHERE leaf_index > 18")
		}, 17, "it and everything after it is missing: the signed checkpoint covers 21 leaves"},
		{"a truncated tail without rows", func(w *world) {
			w.exec("DELETE FROM ledger_leaves WHERE leaf_index > 17")
			w.exec("DELETE FROM ledger_entries WHERE leaf_index > 17")
		}, -1, "leaf 18: it and everything after it is missing"},
		{"a forged checkpoint", func(w *world) {
			note := w.blob("SELECT note FROM ledger_checkpoints WHERE size = 11")
			w.exec("UPDATE ledger_checkpoints SET note = ? WHERE size = 11", bytes.Replace(note, []byte("\n11\n"), []byte("\n12\n"), 1))
		}, 9, "the checkpoint of size 11 that ends with it is forged or damaged"},
		{"checkpoints exchanged", func(w *world) {
			note := w.blob("SELECT note FROM ledger_checkpoints WHERE size = 21")
			w.exec("UPDATE ledger_checkpoints SET note = ? WHERE size = 11", note)
		}, 9, "the checkpoint that ends with it is of size 21, and stands at size 11"},
		{"the last checkpoint deleted", func(w *world) { w.exec("DELETE FROM ledger_checkpoints WHERE size = 21") }, 19, "no signed checkpoint covers it"},
		{"a checkpoint beyond the end", func(w *world) {
			w.exec("INSERT INTO ledger_checkpoints (generation, size, note) VALUES (1, 99, ?)", []byte("x"))
		}, 19, "the checkpoint of size 99 is forged"},
		{"a personal value exchanged", func(w *world) {
			sealed := w.blob("SELECT sealed FROM ledger_personal WHERE entry_id = ?", w.ids[4])
			w.exec("UPDATE ledger_personal SET sealed = ? WHERE entry_id = ?", sealed, w.ids[8])
		}, 8, "its personal value email does not open"},
		{"a personal value deleted", func(w *world) { w.exec("DELETE FROM ledger_personal WHERE entry_id = ?", w.ids[8]) }, 8, "its personal value email is missing, and no entry says that it was forgotten"},
		{"a personal value renamed", func(w *world) { w.exec("UPDATE ledger_personal SET name = 'x' WHERE entry_id = ?", w.ids[8]) }, 8, "it has a personal value x that it does not commit to"},
		{"a personal value of no entry", func(w *world) { w.exec("UPDATE ledger_personal SET entry_id = 'led_x' WHERE entry_id = ?", w.ids[8]) }, 8, "is missing"},
		{"an entry put in", func(w *world) {
			w.exec(`INSERT INTO ledger_entries (id, customer_id, server_id, subject, kind, actor_kind, actor_id, at, data, commitments, generation, leaf_index, seq)
				SELECT 'led_x', customer_id, server_id, subject, kind, actor_kind, actor_id, at, data, commitments, generation, 99, 99 FROM ledger_entries WHERE id = ?`, w.ids[2])
		}, -1, "entry led_x (leaf 99, 2026-11-20T09:00:00.000Z): its row says that it has a place in the tree, and the tree does not have it"},
		{"an entry that waits again", func(w *world) {
			w.exec(`INSERT INTO ledger_appended (id, customer_id, entry) SELECT id, customer_id, json_array(at, '', '', '', '', '', '{}', CAST(commitments AS TEXT)) FROM ledger_entries WHERE id = ?`, w.ids[2])
		}, 2, "a row of it waits for a place in the tree, and it has one"},
		{"a chain's head", func(w *world) { w.exec("UPDATE ledger_chains SET size = size + 1 WHERE customer_id = 'cus_a'") }, -1, `the chain of customer "cus_a" does not match`},
		{"a chain's row deleted", func(w *world) { w.exec("DELETE FROM ledger_chains WHERE customer_id = 'cus_a'") }, -1, "heads of 1 customers' chains are missing"},
		{"the log's size", func(w *world) { w.exec("UPDATE ledger_logs SET size = 20") }, -1, "the log's row says 20 leaves, and there are 21"},
		{"the log's origin", func(w *world) { w.exec("UPDATE ledger_logs SET origin = 'x'") }, -1, `the log calls itself "x"`},
		{"the log's row", func(w *world) { w.exec("DELETE FROM ledger_logs") }, -1, "the row of the log demo.invalid/ostler/g1 is missing"},
		{"a hash too many", func(w *world) {
			w.exec("INSERT INTO ledger_hashes (generation, idx, hash) VALUES (1, 999, ?)", []byte("x"))
		}, -1, "1 stored hashes belong to no leaf"},
	}
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	w.append(10)
	w.sequence()
	w.append(10)
	w.sequence()
	whole := w.snapshot()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.restore(whole)
			w.wantOK()
			tt.damage(w)
			r := w.verify()
			if r.OK() || !strings.Contains(r.First(), tt.want) {
				t.Fatalf("first problem: got %q, want %q", r.First(), tt.want)
			}
			if tt.entry >= 0 && r.Problems[0].Entry != w.ids[tt.entry] {
				t.Errorf("named %q, want entry %d, %s", r.First(), tt.entry, w.ids[tt.entry])
			}
		})
	}
}

// TestRewrittenTreeIsFound changes a leaf and computes everything above it
// again, as somebody with the database and without the signing key would.
func TestRewrittenTreeIsFound(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	w.append(3)
	w.sequence()
	handed, err := w.l.Checkpoint(w.ctx)
	w.must(err)
	w.append(4)
	w.sequence()
	// Another log over other entries, with a key of its own, whose rows then
	// take the place of the first one's.
	w2 := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	w2.append(7)
	w2.sequence()
	other := w2.snapshot()
	for _, table := range []string{"ledger_logs", "ledger_personal", "ledger_checkpoints"} {
		delete(other, table)
	}
	w.restore(other)
	w.exec("DELETE FROM ledger_personal")
	r := w.verify(string(handed))
	if r.OK() || !strings.Contains(r.First(), "leaf 0") || !strings.Contains(r.First(), "the root is not the one signed at size") {
		t.Errorf("first problem: %s", r.First())
	}
}

// TestCutLogIsFoundByACheckpointHandedOut cuts the end off so that the rest
// fits together.
func TestCutLogIsFoundByACheckpointHandedOut(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	w.append(3)
	w.sequence()
	size := w.blob("SELECT size FROM ledger_logs")
	chains := w.rows("SELECT customer_id, size, head FROM ledger_chains")
	w.append(1)
	w.sequence()
	handed, err := w.l.Checkpoint(w.ctx)
	w.must(err)
	for _, sql := range []string{
		"DELETE FROM ledger_personal WHERE entry_id IN (SELECT id FROM ledger_entries WHERE leaf_index = 4)",
		"DELETE FROM ledger_entries WHERE leaf_index = 4", "DELETE FROM ledger_leaves WHERE leaf_index = 4",
		"DELETE FROM ledger_hashes WHERE idx > 6", "DELETE FROM ledger_checkpoints WHERE size = 5", "DELETE FROM ledger_chains",
	} {
		w.exec(sql)
	}
	w.exec("UPDATE ledger_logs SET size = CAST(? AS INTEGER)", string(size))
	for _, c := range chains {
		w.exec("INSERT INTO ledger_chains (generation, customer_id, size, head) VALUES (1, ?, ?, ?)", c["customer_id"], c["size"], c["head"])
	}
	w.wantOK() // nothing inside the database can tell
	if r := w.verify(string(handed)); !strings.Contains(r.First(), "a checkpoint that was handed out covers 5 leaves") {
		t.Errorf("first problem: %q", r.First())
	}
}

// TestAnyChangeIsFound flips one bit of a random value of a random row, for
// every column of every table of the log, and restores it again.
func TestAnyChangeIsFound(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	random := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		for range 1 + random.IntN(6) {
			e := w.entry(random.IntN(1000))
			if random.IntN(2) == 0 {
				e.Personal = nil
			}
			w.add(e)
		}
		w.sequence()
	}
	r := w.wantOK()
	for _, table := range tables {
		rows := w.rows("SELECT * FROM " + table)
		for column := range rows[0] {
			if strings.HasPrefix(column, "lease_") {
				continue // says who sequences, nothing that is kept
			}
			for range 3 {
				row := rows[random.IntN(len(rows))]
				changed := flip(random, row[column])
				if changed == nil {
					continue
				}
				if !w.replace(table, row, column, changed) {
					continue // the database itself refuses it
				}
				got := w.verify()
				if got.OK() {
					t.Errorf("%s.%s: %v became %v, and nothing was found", table, column, row[column], changed)
				}
				if p := got.Problems; len(p) > 0 && p[0].Entry == "" && p[0].Leaf < 0 && table != "ledger_logs" && table != "ledger_chains" && column != "generation" {
					t.Errorf("%s.%s: the problem names no entry: %s", table, column, got.First())
				}
				changedRow := maps.Clone(row)
				changedRow[column] = changed
				if !w.replace(table, changedRow, column, row[column]) {
					t.Fatal("the row could not be restored")
				}
			}
		}
	}
	if again := w.wantOK(); again.Leaves != r.Leaves {
		t.Errorf("leaves: got %d, want %d", again.Leaves, r.Leaves)
	}
}

// flip changes one bit; nil where there is nothing to change.
func flip(random *rand.Rand, v any) any {
	switch v := v.(type) {
	case int64:
		return v ^ 1<<random.IntN(20)
	case string:
		if v == "" {
			return "x"
		}
		b := []byte(v)
		b[random.IntN(len(b))] ^= 1
		return string(b)
	case []byte:
		b := bytes.Clone(v)
		b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		return b
	}
	return nil
}

func (w *world) rows(sql string) (rows []map[string]any) {
	w.t.Helper()
	w.must(w.d.Read(w.ctx, func(tx *db.Tx) error {
		found, err := tx.Raw(sql).Rows()
		if err != nil {
			return err
		}
		defer found.Close()
		columns, err := found.Columns()
		if err != nil {
			return err
		}
		for found.Next() {
			values, targets := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				targets[i] = &values[i]
			}
			if err := found.Scan(targets...); err != nil {
				return err
			}
			row := map[string]any{}
			for i, c := range columns {
				row[c] = values[i]
			}
			rows = append(rows, row)
		}
		return found.Err()
	}))
	if len(rows) == 0 {
		w.t.Fatalf("%s: no rows", sql)
	}
	return rows
}

// replace sets one column of the row that has all these values.
func (w *world) replace(table string, row map[string]any, column string, value any) bool {
	w.t.Helper()
	where, args := []string{}, []any{value}
	for k, v := range row {
		where, args = append(where, k+" = ?"), append(args, v)
	}
	var n int64
	err := w.d.Write(w.ctx, func(tx *db.Tx) error {
		done := tx.Exec(fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s", table, column, strings.Join(where, " AND ")), args...)
		n = done.RowsAffected
		return done.Error
	})
	return err == nil && n == 1
}

var tables = []string{"ledger_logs", "ledger_entries", "ledger_personal", "ledger_leaves", "ledger_hashes", "ledger_chains", "ledger_checkpoints"}

// snapshot reads every table of the log.
func (w *world) snapshot() map[string][]map[string]any {
	w.t.Helper()
	s := map[string][]map[string]any{}
	for _, table := range tables {
		s[table] = w.rows("SELECT * FROM " + table)
	}
	return s
}

// restore puts tables back as they were when nothing waited for its place.
func (w *world) restore(s map[string][]map[string]any) {
	w.t.Helper()
	w.exec("DELETE FROM ledger_appended")
	w.must(w.d.Write(w.ctx, func(tx *db.Tx) error {
		for table, rows := range s {
			if err := tx.Exec("DELETE FROM " + table).Error; err != nil {
				return err
			}
			for _, row := range rows {
				if err := tx.Table(table).Create(maps.Clone(row)).Error; err != nil { // gorm writes into what it creates
					return err
				}
			}
		}
		return nil
	}))
}

func TestSequencerAddsNothingToADamagedLog(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	w.append(7)
	w.sequence()
	w.append(1)
	w.exec("UPDATE ledger_hashes SET hash = ? WHERE idx = (SELECT MAX(idx) FROM ledger_hashes)", bytes.Repeat([]byte{1}, 32))
	_, err := w.l.Sequence(w.ctx)
	if controlplane.ErrorCode(err) != controlplane.CodeConflict {
		t.Errorf("got %v, want a conflict that says to verify", err)
	}
}

func TestVerifyNeedsEveryCustomer(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	_, err := w.l.Verify(w.ctx, policy.OneCustomer("cus_a"), ledger.VerifyOptions{})
	if got := controlplane.ErrorCode(err); got != controlplane.CodeForbidden {
		t.Errorf("got %q, want forbidden", got)
	}
}
