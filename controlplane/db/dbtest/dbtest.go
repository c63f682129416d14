// Package dbtest opens migrated databases for tests, on both engines.
package dbtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/internal/pgtest"
)

// Clock is a clock that tests set. The zero value starts at Start.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Start is the first instant of a test's clock.
var Start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.IsZero() {
		c.now = Start
	}
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now.Add(d)
}

// SQLite opens a migrated SQLite database in a temporary folder.
func SQLite(t testing.TB, clock db.Clock) *db.DB {
	t.Helper()
	return open(t, SQLiteURL(t), clock)
}

// SQLiteURL is the URL of a migrated SQLite database in a temporary folder.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	tables, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ostler.db")
	if err := os.WriteFile(path, tables, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// Postgres opens a migrated, fresh PostgreSQL database.
func Postgres(t testing.TB, clock db.Clock) *db.DB {
	t.Helper()
	return open(t, PostgresURL(t), clock)
}

// PostgresURL is the URL of a migrated, fresh PostgreSQL database.
func PostgresURL(t testing.TB) string {
	t.Helper()
	version, err := db.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	return pgtest.URLFrom(t, version, migrate)
}

// migrated is the file of an SQLite database that has its tables and no more:
// migrations run once for a package's tests, not once for each.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "dbtest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ostler.db")
	if err := migrate("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// migrate makes the tables, and leaves nobody connected.
func migrate(url string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Options{URL: url})
	if err != nil {
		return err
	}
	_, err = d.Migrate(ctx)
	return errors.Join(err, d.Close())
}

func open(t testing.TB, url string, clock db.Clock) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{URL: url, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// Each runs fn as a subtest on SQLite and, unless -short, on PostgreSQL.
func Each(t *testing.T, fn func(t *testing.T, d *db.DB, clock *Clock)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		c := &Clock{}
		fn(t, SQLite(t, c), c)
	})
	if testing.Short() {
		return // make test runs both; make check runs SQLite only
	}
	t.Run("postgres", func(t *testing.T) {
		c := &Clock{}
		fn(t, Postgres(t, c), c)
	})
}
