package db_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// remembered is a setting that knows how it was read.
type remembered struct {
	Name      string `gorm:"primaryKey"`
	Value     []byte
	UpdatedAt int64 `gorm:"autoUpdateTime:false"`

	was *remembered
}

func (remembered) TableName() string { return "settings" }

func (r *remembered) Was() *remembered { return r.was }

func (r *remembered) AfterFind(*gorm.DB) error {
	was := *r
	was.was, r.was = nil, &was
	return nil
}

// A row that remembers how it was read is written by what has changed since.
func TestSaveWritesWhatChanged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		write := func(fn func(tx *db.Tx) error) {
			t.Helper()
			if err := d.Write(t.Context(), fn); err != nil {
				t.Fatal(err)
			}
		}
		write(func(tx *db.Tx) error {
			return db.Insert(tx, &remembered{Name: "a", Value: []byte("1"), UpdatedAt: 1})
		})
		var row remembered
		read := func(tx *db.Tx) error { return tx.Where("name = 'a'").Take(&row).Error }
		want := func(value string, at int64) {
			t.Helper()
			var got remembered
			write(func(tx *db.Tx) error { return tx.Where("name = 'a'").Take(&got).Error })
			if string(got.Value) != value || got.UpdatedAt != at {
				t.Errorf("got %q at %d, want %q at %d", got.Value, got.UpdatedAt, value, at)
			}
		}
		write(read)
		write(func(tx *db.Tx) error { return tx.Exec("UPDATE settings SET value = ?", []byte("2")).Error }) // somebody else
		row.UpdatedAt = 7
		write(func(tx *db.Tx) error { return db.Save(tx, &row) })
		want("2", 7)
		write(func(tx *db.Tx) error { return db.Save(tx, &row) }) // nothing has changed
		want("2", 7)
		write(func(tx *db.Tx) error {
			row.Value = []byte("3")
			if err := db.Save(tx, &row); err != nil {
				return err
			}
			row.UpdatedAt = 0
			return db.Save(tx, &row) // by what has changed since the first
		})
		want("3", 0)
		fresh := remembered{Name: "a", Value: []byte("4"), UpdatedAt: 9}
		write(func(tx *db.Tx) error { return db.Save(tx, &fresh) }) // nothing is remembered: all of it
		want("4", 9)
		write(func(tx *db.Tx) error {
			next := remembered{Name: "b", Value: []byte("5")}
			if err := db.Insert(tx, &next); err != nil || next.was == nil {
				return fmt.Errorf("inserted: %w, remembered %v", err, next.was)
			}
			return tx.Exec("DELETE FROM settings WHERE name = 'b'").Error
		})
		write(func(tx *db.Tx) error { return tx.Exec("DELETE FROM settings").Error })
		row.UpdatedAt = 5
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return db.Save(tx, &row) }); !db.IsNotFound(err) {
			t.Errorf("a row that is gone: got %v, want not found", err)
		}
	})
}
