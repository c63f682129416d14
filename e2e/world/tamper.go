package world

import (
	"bytes"
	"context"
	"database/sql"
	"os"

	_ "github.com/glebarez/sqlite" // registers "sqlite"
	_ "github.com/jackc/pgx/v5/stdlib"
)

// open opens the database of the stopped plane as whoever has its disk could.
func (w *World) open() *sql.DB {
	w.T.Helper()
	driver, dsn := "pgx", w.database
	if w.database == "" {
		driver, dsn = "sqlite", w.SQLite()
	}
	d, err := sql.Open(driver, dsn)
	if err != nil {
		w.T.Fatal(err)
	}
	d.SetMaxOpenConns(1)
	return d
}

// Exec runs a statement in the stopped plane's database, and fails the test
// unless it changes one row.
func (w *World) Exec(statement string, args ...any) {
	w.T.Helper()
	if n := w.exec1(statement, args...); n != 1 {
		w.T.Fatalf("%s: %d rows; want one", statement, n)
	}
}

// exec1 runs one statement in the stopped plane's database, and returns how many
// rows it changed.
func (w *World) exec1(statement string, args ...any) int64 {
	w.T.Helper()
	d := w.open()
	defer func() { _ = d.Close() }()
	if w.database != "" {
		if _, err := d.ExecContext(context.Background(), "SET ostler.customer = '*'"); err != nil {
			w.T.Fatal(err)
		}
	}
	res, err := d.ExecContext(context.Background(), statement, args...)
	var n int64
	if err == nil {
		n, err = res.RowsAffected()
	}
	if err != nil {
		w.T.Fatalf("%s: %v", statement, err)
	}
	return n
}

// Passed lets the minutes be over that the stopped plane gives whoever was at
// work at a job (the executor "agent" or "plane") and was killed: its jobs can
// be given out again at once.
func (w *World) Passed(executor string) {
	w.T.Helper()
	literal := map[string]string{"agent": "'agent'", "plane": "'plane'"}[executor]
	w.exec1("UPDATE jobs SET state = 'queued', lease_until = 0, lost = 0, not_before = 0 WHERE state IN ('offered', 'accepted', 'running') AND executor = " + literal)
}

// ChangeLeaf changes one byte of the leaf of an entry: in SQLite's file itself,
// in PostgreSQL by the table's owner.
func (w *World) ChangeLeaf(entry string) {
	w.T.Helper()
	d := w.open()
	if w.database != "" {
		_ = d.Close()
		w.Exec(`UPDATE ledger_leaves SET leaf = set_byte(leaf, position('"job":"job_'::bytea in leaf) + 12, get_byte(leaf, position('"job":"job_'::bytea in leaf) + 12) # 1) WHERE entry_id = $1`, entry)
		return
	}
	var leaf []byte
	_, err := d.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	if err == nil {
		err = d.QueryRow("SELECT leaf FROM ledger_leaves WHERE entry_id = ?", entry).Scan(&leaf)
	}
	if err != nil {
		w.T.Fatal(err)
	}
	_ = d.Close()
	file, err := os.ReadFile(w.SQLite())
	if err != nil {
		w.T.Fatal(err)
	}
	at := bytes.Index(leaf, []byte(`"job":"job_`)) + 12
	changed := bytes.Clone(leaf)
	changed[at] ^= 1
	tampered := bytes.ReplaceAll(file, leaf, changed) // a page that was split may hold a stale copy
	if at < 12 || bytes.Equal(tampered, file) {
		w.T.Fatalf("the leaf of %s is not in one piece in the file", entry)
	}
	if err := os.WriteFile(w.SQLite(), tampered, 0o600); err != nil {
		w.T.Fatal(err)
	}
}
