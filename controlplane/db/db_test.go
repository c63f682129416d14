package db_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

type setting struct {
	Name      string `gorm:"primaryKey"`
	Value     []byte
	UpdatedAt int64 `gorm:"autoUpdateTime:false"`
}

func (setting) TableName() string { return "settings" }

func count(t *testing.T, d *db.DB) int64 {
	t.Helper()
	var n int64
	if err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.Model(&setting{}).Count(&n).Error }); err != nil {
		t.Fatal(err)
	}
	return n
}

func put(name string) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		return tx.Create(&setting{Name: name, Value: []byte("x"), UpdatedAt: tx.NowMillis()}).Error
	}
}

func TestWriteCommitsOrLeavesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var woken int
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			tx.AfterCommit(func() { woken++ })
			if !tx.Now.Equal(clock.Now()) {
				t.Errorf("Now %v, want the clock's %v", tx.Now, clock.Now())
			}
			return put("a")(tx)
		})
		if err != nil || woken != 1 || count(t, d) != 1 {
			t.Fatalf("error %v, woken %d, rows %d; want none, 1, 1", err, woken, count(t, d))
		}
		boom := errors.New("boom")
		err = d.Write(t.Context(), func(tx *db.Tx) error {
			tx.AfterCommit(func() { woken++ })
			return errors.Join(put("b")(tx), boom)
		})
		if !errors.Is(err, boom) || woken != 1 || count(t, d) != 1 {
			t.Errorf("after an error: %v, woken %d, rows %d; want boom, 1, 1", err, woken, count(t, d))
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = d.Write(t.Context(), func(tx *db.Tx) error { _ = put("c")(tx); panic("ouch") })
		}()
		if count(t, d) != 1 {
			t.Error("a panic left a row")
		}
		if err := d.Write(t.Context(), put("d")); err != nil {
			t.Errorf("after a panic: %v", err)
		}
		if err := d.Write(t.Context(), put("d")); !db.IsDuplicate(err) {
			t.Errorf("the same key again: %v, want a duplicate", err)
		}
	})
}

func TestReadCannotWrite(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		if err := d.Read(t.Context(), put("a")); err == nil || count(t, d) != 0 {
			t.Errorf("a write in Read: %v, rows %d", err, count(t, d))
		}
	})
}

func TestNestingPanics(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		defer func() {
			if p := fmt.Sprint(recover()); !strings.Contains(p, "nested") {
				t.Errorf("panic %q, want one about nesting", p)
			}
		}()
		_ = d.Write(t.Context(), func(tx *db.Tx) error { return d.Read(tx.Context(), func(*db.Tx) error { return nil }) })
	})
}

// Twenty writers raise one number, each by reading it first: nothing is lost.
func TestWritersAreSerializable(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return tx.Create(&setting{Name: "n", Value: []byte{0}}).Error }); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := d.Write(t.Context(), func(tx *db.Tx) error {
					var s setting
					if err := tx.Where("name = 'n'").Take(&s).Error; err != nil {
						return err
					}
					return tx.Model(&setting{}).Where("name = 'n'").Update("value", []byte{s.Value[0] + 1}).Error
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var s setting
		if err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.Take(&s).Error }); err != nil || s.Value[0] != 20 {
			t.Errorf("number %v, %v, want 20", s.Value, err)
		}
	})
}

func TestCancelledContextEndsTheTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		ctx, cancel := context.WithCancel(t.Context())
		err := d.Write(ctx, func(tx *db.Tx) error { cancel(); return put("a")(tx) })
		if err == nil || count(t, d) != 0 {
			t.Errorf("cancelled: %v, rows %d", err, count(t, d))
		}
		if err := d.Write(t.Context(), put("b")); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

func TestSQLiteTakesOneProcess(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "ostler.db")
	first, err := db.Open(t.Context(), db.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Open(t.Context(), db.Options{URL: url}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second one: %v, want an error that says who is first", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := db.Open(t.Context(), db.Options{URL: url})
	if err != nil {
		t.Fatalf("after the first has closed: %v", err)
	}
	_ = second.Close()
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for url, want := range map[string]string{"mysql://x": "unknown database", "": "unknown database", "postgres://127.0.0.1:1/x?connect_timeout=1": "open postgres"} {
		if _, err := db.Open(t.Context(), db.Options{URL: url}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v, want %q", url, err, want)
		}
	}
}

// columns are the tables' columns and whether they may be null, by name.
func columns(t *testing.T, d *db.DB) map[string]string {
	t.Helper()
	query := `SELECT m.name AS t, c.name AS c, c.type AS k, c."notnull" AS n FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`
	if d.Dialect() == db.Postgres {
		query = `SELECT table_name AS t, column_name AS c, data_type AS k, CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END AS n FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
			WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`
	}
	var rows []struct {
		T, C, K string
		N       int
	}
	if err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.Raw(query).Scan(&rows).Error }); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"text": "text", "integer": "number", "bigint": "number", "blob": "bytes", "bytea": "bytes"}
	out := map[string]string{}
	for _, r := range rows {
		if strings.HasPrefix(r.T, "goose") {
			continue
		}
		kind, ok := kinds[strings.ToLower(r.K)]
		if !ok {
			t.Errorf("%s.%s has the type %s", r.T, r.C, r.K)
		}
		null := " null"
		if r.N == 1 || r.C == "id" { // SQLite lets a TEXT primary key be null; nothing writes one
			null = ""
		}
		out[r.T+"."+r.C] = kind + null
	}
	return out
}

func TestBothDialectsEndInTheSameColumns(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL; make test runs it")
	}
	lite, pg := columns(t, dbtest.SQLite(t, nil)), columns(t, dbtest.Postgres(t, nil))
	if len(lite) < 50 {
		t.Fatalf("only %d columns were found", len(lite))
	}
	keys := map[string]bool{}
	for k := range lite {
		keys[k] = true
	}
	for k := range pg {
		keys[k] = true
	}
	for k := range keys {
		if a, b := strings.TrimSuffix(lite[k], " null"), strings.TrimSuffix(pg[k], " null"); a != b {
			t.Errorf("%s: %q on SQLite, %q on PostgreSQL", k, lite[k], pg[k])
		}
	}
}

// Every table with a customer's rows is bound to the customer of the
// transaction's actor, whatever a query says.
func TestRowLevelSecurity(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL; make test runs it")
	}
	d := dbtest.Postgres(t, nil)
	var tables []struct {
		T      string
		Forced bool
		N      int
	}
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		return tx.Raw(`SELECT c.relname AS t, c.relforcerowsecurity AS forced, (SELECT count(*) FROM pg_policies p WHERE p.tablename = c.relname) AS n
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'customer_id' AND NOT a.attisdropped
			WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace`).Scan(&tables).Error
	})
	if err != nil || len(tables) < 10 {
		t.Fatalf("tables: %d, %v", len(tables), err)
	}
	for _, x := range tables {
		if !x.Forced || x.N == 0 {
			t.Errorf("table %s has a customer_id and no forced row-level security (policies: %d)", x.T, x.N)
		}
	}
	var narrow []string
	err = d.Read(t.Context(), func(tx *db.Tx) error {
		return tx.Raw(`SELECT tablename FROM pg_policies WHERE schemaname = current_schema() AND position('string_to_array' IN qual) = 0`).Scan(&narrow).Error
	})
	if err != nil || len(narrow) > 0 {
		t.Errorf("policies that know one customer and not an auditor's several (write them as 0032 has them, customer_id = ANY (string_to_array(...))): %v, %v", narrow, err)
	}
	insert := func(tx *db.Tx) error {
		return tx.Exec(`INSERT INTO data_keys (customer_id, version, wrapped, created_at, destroyed_at) SELECT 'cus_' || n, 1, '', 0, 0 FROM generate_series(1, 3) n`).Error
	}
	if err := d.Write(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	for _, who := range []struct {
		kind     controlplane.ActorKind
		customer string
		want     int64
	}{
		{controlplane.ActorStaff, "", 3}, {controlplane.ActorContact, "cus_2", 1}, {controlplane.ActorContact, "", 0}, {controlplane.ActorContact, "*", 0},
		{controlplane.ActorAuditor, "cus_3", 1}, {controlplane.ActorAuditor, "cus_99", 0}, {controlplane.ActorContact, "cus_1,cus_2", 0},
		{controlplane.ActorAuditor, "cus_1 cus_3", 2}, {controlplane.ActorAuditor, "cus_1 *", 1}, {controlplane.ActorContact, "cus_1 cus_3", 0},
	} {
		a := controlplane.Actor{Kind: who.kind, ID: "x", Customer: who.customer}
		if who.kind == controlplane.ActorAuditor {
			a.Customers = strings.Fields(who.customer)
		}
		ctx := controlplane.WithActor(t.Context(), a)
		var n int64
		if err := d.Read(ctx, func(tx *db.Tx) error { return tx.Table("data_keys").Count(&n).Error }); err != nil || n != who.want {
			t.Errorf("%s of %q sees %d rows, %v, want %d", who.kind, who.customer, n, err, who.want)
		}
	}
}

func TestSimClockOnlyMovesForward(t *testing.T) {
	c := db.NewSimClock(48 * time.Hour)
	start := c.Now()
	if gap := time.Since(start); gap < 47*time.Hour || !c.Simulated() {
		t.Fatalf("starts %v back, simulated %v", gap, c.Simulated())
	}
	c.Advance(-time.Hour)
	if c.Now().Before(start) {
		t.Error("went back")
	}
	c.Advance(24 * time.Hour)
	if got := c.Now().Sub(start); got < 24*time.Hour || got > 25*time.Hour {
		t.Errorf("advanced by %v, want a day", got)
	}
	c.Advance(1000 * time.Hour)
	if c.Simulated() || time.Since(c.Now()) < -time.Second {
		t.Error("ran past real time")
	}
}
