package db_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// TestFullDisk holds that a full disk is told in plain words, and that nothing
// of the transaction stays.
func TestFullDisk(t *testing.T) {
	d := dbtest.SQLite(t, &dbtest.Clock{})
	write := func(bytes int) error {
		return d.Write(t.Context(), func(tx *db.Tx) error {
			return tx.Exec("INSERT INTO settings (name, value, updated_at) VALUES (?, zeroblob(?), 0)", fmt.Sprint("blob", bytes), bytes).Error
		})
	}
	var pages int64
	err := d.Write(t.Context(), func(tx *db.Tx) error { return tx.Raw("PRAGMA page_count").Scan(&pages).Error })
	if err == nil { // a file that may not grow is a disk that is full
		err = d.Write(t.Context(), func(tx *db.Tx) error {
			return tx.Raw(fmt.Sprintf("PRAGMA max_page_count = %d", pages+2)).Scan(&pages).Error
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	err = write(1 << 20)
	var e *controlplane.Error
	if !errors.As(err, &e) || e.Code != controlplane.CodeUnavailable || e.Next == "" || !db.IsFull(err) {
		t.Fatalf("got %v, want a full disk with a next step", err)
	}
	if err := write(10); err != nil {
		t.Errorf("what still fits: %v", err)
	}
	if db.IsFull(errors.New("disk")) || !db.IsFull(fmt.Errorf("commit: %w", &pgconn.PgError{Code: "53100"})) {
		t.Error("PostgreSQL's disk_full is not known, or any error is")
	}
}
