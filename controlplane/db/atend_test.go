package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

func atEnd(tx *db.Tx, name string) error {
	query := "INSERT INTO settings (name, value, updated_at) VALUES (?, ?, ?)"
	if tx.Dialect() == db.Postgres {
		query = "INSERT INTO settings (name, value, updated_at) VALUES ($1, $2, $3)"
	}
	return tx.AtEnd(query, name, []byte("x"), tx.NowMillis())
}

func settings(t *testing.T, d *db.DB) (names []string) {
	t.Helper()
	if err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.Raw("SELECT name FROM settings ORDER BY name").Scan(&names).Error }); err != nil {
		t.Fatal(err)
	}
	return names
}

// What a transaction ends with is stored with it or not at all, and the next
// transaction finds a connection that is free.
func TestAtEnd(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		broken := errors.New("broken")
		gone, cancel := context.WithCancel(t.Context())
		for _, tc := range []struct {
			name string
			ctx  context.Context
			fn   func(tx *db.Tx) error
			ok   bool
			want string
		}{
			{"two statements", t.Context(), func(tx *db.Tx) error { return errors.Join(atEnd(tx, "a"), atEnd(tx, "b")) }, true, "[a b]"},
			{"nothing but the transaction", t.Context(), func(*db.Tx) error { return nil }, true, "[a b]"},
			{"the function fails", t.Context(), func(tx *db.Tx) error { return errors.Join(atEnd(tx, "c"), broken) }, false, "[a b]"},
			{"it cannot be done", t.Context(), func(tx *db.Tx) error { return errors.Join(atEnd(tx, "c"), atEnd(tx, "a")) }, false, "[a b]"},
			{"an error is passed over", t.Context(), func(tx *db.Tx) error {
				_ = tx.Exec("INSERT INTO nowhere VALUES (1)").Error
				if tx.Dialect() == db.SQLite {
					return broken // SQLite goes on after an error
				}
				return nil
			}, false, "[a b]"},
			{"an error is passed over before the end", t.Context(), func(tx *db.Tx) error {
				_ = tx.Exec("INSERT INTO nowhere VALUES (1)").Error
				if tx.Dialect() == db.SQLite {
					return broken
				}
				return atEnd(tx, "c")
			}, false, "[a b]"},
			{"the caller goes away", gone, func(tx *db.Tx) error { cancel(); return atEnd(tx, "c") }, false, "[a b]"},
			{"looked at before the end", t.Context(), func(tx *db.Tx) error {
				var n int64
				err := errors.Join(atEnd(tx, "d"), tx.Flush(), tx.Raw("SELECT COUNT(*) FROM settings WHERE name = 'd'").Scan(&n).Error)
				if n != 1 {
					return errors.Join(err, fmt.Errorf("got %d rows after Flush", n))
				}
				return err
			}, true, "[a b d]"},
		} {
			if err := d.Write(tc.ctx, tc.fn); (err == nil) != tc.ok {
				t.Errorf("%s: got %v, want ok %v", tc.name, err, tc.ok)
			}
			if got := settings(t, d); fmt.Sprint(got) != tc.want {
				t.Errorf("%s: got %v, want %s", tc.name, got, tc.want)
			}
		}
		func() {
			defer func() { _ = recover() }()
			_ = d.Write(t.Context(), func(tx *db.Tx) error { _ = atEnd(tx, "p"); panic("broken") })
		}()
		if err := d.Write(t.Context(), func(tx *db.Tx) error {
			for i := range 200 {
				if err := atEnd(tx, fmt.Sprintf("many-%03d", i)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if got := settings(t, d); len(got) != 203 || slices.Contains(got, "p") {
			t.Errorf("after a panic and 200 statements: %d rows", len(got))
		}
		if err := d.Read(t.Context(), func(tx *db.Tx) error { return atEnd(tx, "read") }); err == nil {
			t.Error("a read wrote")
		}
	})
}
