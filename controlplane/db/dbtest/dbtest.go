// Package dbtest opens migrated databases for tests, on both engines.
package dbtest

import (
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
	return open(t, "sqlite:"+filepath.Join(t.TempDir(), "ostler.db"), clock)
}

// Postgres opens a migrated, fresh PostgreSQL database.
func Postgres(t testing.TB, clock db.Clock) *db.DB {
	t.Helper()
	return open(t, pgtest.URL(t), clock)
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
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
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
