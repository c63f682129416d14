package db_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"ostler/controlplane/db"
)

// What a row held before it was changed is in neither of SQLite's files any more.
func TestCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ostler.db")
	d, err := db.Open(t.Context(), db.Options{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	exec := func(q string, args ...any) {
		t.Helper()
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return tx.Exec(q, args...).Error }); err != nil {
			t.Fatal(err)
		}
	}
	before := bytes.Repeat([]byte("the form of before "), 50)
	exec("CREATE TABLE kept (id INTEGER PRIMARY KEY, v TEXT)")
	exec("INSERT INTO kept (v) VALUES (?)", string(before))
	exec("UPDATE kept SET v = ?", "another")
	there := func() bool {
		for _, f := range []string{path, path + "-wal"} {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(raw, before[:100]) {
				return true
			}
		}
		return false
	}
	if !there() {
		t.Fatal("the test looks for what was never there")
	}
	did, err := d.Compact(t.Context())
	if err != nil || !did || there() {
		t.Errorf("got %v, %v, still there: %v; want it gone", did, err, there())
	}
}
