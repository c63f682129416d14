package pgtest_test

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"ostler/internal/pgtest"
)

func TestURLGivesAnEmptyDatabaseOwnedByAnOrdinaryRole(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		db := open(t, pgtest.URL(t))
		var name, role string
		var super, bypass bool
		err := db.QueryRowContext(t.Context(), `SELECT current_database(), rolname, rolsuper, rolbypassrls
			FROM pg_roles WHERE rolname = current_user`).Scan(&name, &role, &super, &bypass)
		if err != nil {
			t.Fatal(err)
		}
		if role != pgtest.Role || super || bypass {
			t.Errorf("role %s, superuser %v, bypasses row-level security %v", role, super, bypass)
		}
		if seen[name] {
			t.Errorf("database %s given twice", name)
		}
		seen[name] = true
		if _, err := db.ExecContext(t.Context(), `CREATE TABLE thing (id int)`); err != nil {
			t.Errorf("owner may not create a table: %v", err)
		}
	}
}

func TestRowLevelSecurityBites(t *testing.T) {
	db := open(t, pgtest.URL(t))
	for _, q := range []string{
		`CREATE TABLE thing (customer text)`,
		`ALTER TABLE thing ENABLE ROW LEVEL SECURITY`,
		`ALTER TABLE thing FORCE ROW LEVEL SECURITY`,
		`CREATE POLICY own ON thing USING (customer = 'a') WITH CHECK (true)`,
		`INSERT INTO thing VALUES ('a'), ('b')`,
	} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	var got int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM thing`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != 1 {
		t.Errorf("rows seen: got %d, want 1", got)
	}
}

func TestStopRemovesEverything(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster of its own")
	}
	super, stop, err := pgtest.Start(pgtest.Options{})
	if errors.Is(err, pgtest.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	db := open(t, super)
	var fsync string
	if err := db.QueryRowContext(t.Context(), `SHOW fsync`).Scan(&fsync); err != nil || fsync != "on" {
		t.Errorf("fsync: got %q (%v), want on unless asked otherwise", fsync, err)
	}
	u, err := url.Parse(super)
	if err != nil {
		t.Fatal(err)
	}
	dir := u.Query().Get("host")
	stop()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there after stop: %v", dir, err)
	}
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("the server still answers after stop")
	}
}

func open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
