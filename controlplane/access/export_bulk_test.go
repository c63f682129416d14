package access

import (
	"context"
	"fmt"
	"strings"

	"ostler/controlplane/db"
)

// History is what Bulk makes: N spans of grants between two instants, of some
// customers in turn and of some people, each about Last milliseconds long. Every
// second one was to last up to 92 days longer and was ended early.
type History struct {
	Customers, People []string
	N                 int
	Begin, End, Last  int64
}

// numbered is a table of the numbers from one parameter to the next, by dialect.
var numbered = map[db.Dialect]string{
	db.SQLite:   "WITH RECURSIVE i(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM i WHERE n < ?)",
	db.Postgres: "WITH i(n) AS (SELECT generate_series(CAST(? AS bigint), CAST(? AS bigint)))",
}

// forkSQL is the bits below the highest in which the ends of a row differ, of its
// column d: what fork clears.
func forkSQL() string {
	var b strings.Builder
	b.WriteString("CASE")
	for bits := 1; bits < treeBits; bits++ {
		fmt.Fprintf(&b, " WHEN d < %d THEN %d", 1<<bits, 1<<(bits-1)-1)
	}
	fmt.Fprintf(&b, " ELSE %d END", 1<<(treeBits-1)-1)
	return b.String()
}

// Bulk inserts a history into the spans, with the versions that they would have by
// now, and a change for each, told within the hour, but no entries: in the order in
// which they became known, with the indexes made afterwards.
func (s *Service) Bulk(tx *db.Tx, h History) error {
	indexes, err := dropIndexes(tx, "access_spans")
	if err != nil {
		return err
	}
	more, err := dropIndexes(tx, "access_changes")
	if err != nil {
		return err
	}
	indexes = append(indexes, more...)
	for _, t := range []struct {
		name string
		ids  []string
	}{{"bulk_customers", h.Customers}, {"bulk_people", h.People}} {
		if err := tx.Exec("CREATE TEMPORARY TABLE " + t.name + " (n BIGINT PRIMARY KEY, id TEXT)").Error; err != nil {
			return err
		}
		values := "SELECT key, value FROM json_each(?)"
		if tx.Dialect() == db.Postgres {
			values = "SELECT ordinality - 1, value FROM json_array_elements_text(CAST(? AS json)) WITH ORDINALITY"
		}
		if err := tx.Exec("INSERT INTO "+t.name+" "+values, list(t.ids)).Error; err != nil {
			return err
		}
	}
	if err := tx.Exec(bulkSQL(tx.Dialect()), 1, h.N, h.Begin, h.End-h.Begin, h.Last/2, h.Last+1, int64(92*24*3_600_000), len(h.Customers), len(h.People)).Error; err != nil {
		return err
	}
	if err := tx.Exec(changesSQL).Error; err != nil {
		return err
	}
	for _, t := range []string{"bulk_customers", "bulk_people"} {
		if err := tx.Exec("DROP TABLE " + t).Error; err != nil {
			return err
		}
	}
	for _, sql := range indexes {
		if err := tx.Exec(sql).Error; err != nil {
			return err
		}
	}
	if tx.Dialect() == db.SQLite {
		return nil
	}
	return tx.Exec("ANALYZE access_spans, access_changes").Error
}

// changesSQL makes the change of each version.
const changesSQL = `INSERT INTO access_changes (id, customer_id, col, kind, source, span_id, person_id, way, role, server_id, ground, at, until_at, baseline, known_at, enforced_at, notified_at)
	SELECT 'chg_' || substr(rev, 5), customer_id, col, CASE WHEN rev LIKE '%/1' THEN 'added' ELSE 'removed' END, source, id, person_id, way, role, server_id, ground,
		CASE WHEN rev LIKE '%/1' THEN from_at ELSE until_at END, until_at, 0, known_from, known_from + 60000, known_from + 3600000
	FROM access_spans WHERE ground = 'grt_bulk' ORDER BY known_from`

// bulkSQL makes the spans of a number: one row as it is known now, and of those
// that were ended early one as it was known before.
func bulkSQL(d db.Dialect) string {
	id, none := "'spn_' || printf('%026d', x.n)", "x''"
	if d == db.Postgres {
		id, none = "'spn_' || lpad(CAST(x.n AS text), 26, '0')", "CAST('' AS bytea)"
	}
	minute := func(ms string) string { return "(CASE WHEN " + ms + " < 60000 THEN 1 ELSE " + ms + " / 60000 END)" }
	return numbered[d] + `,
	b AS (SELECT n, (n * 2654435761) % 4294967296 AS g, ((n + 12345) * 2246822519) % 4294967296 AS h FROM i),
	a AS (SELECT n, CAST(? AS bigint) + ((g & 2147483647) * 65536 + (h & 65535)) % CAST(? AS bigint) AS f, CAST(? AS bigint) + ((h & 2147483647) * 257) % CAST(? AS bigint) AS len,
		CASE WHEN n % 2 = 0 THEN ((g >> 7) * 1021) % CAST(? AS bigint) ELSE 0 END AS more, n % CAST(? AS bigint) AS c, (h >> 16) % CAST(? AS bigint) AS p FROM b),
	v AS (
		SELECT n, c, p, CASE WHEN more > 0 THEN 2 ELSE 1 END AS rev, f, f + len AS til, CASE WHEN more > 0 THEN f + len ELSE f END AS kf, CAST(0 AS bigint) AS ku, f AS lo, f + len AS hi, 1 AS sign FROM a
		UNION ALL SELECT n, c, p, 1, f, f + len + more, f, f + len, f, f + len, -1 FROM a WHERE more > 0),
	w AS (SELECT v.*, ` + minute("lo") + ` AS l, ` + minute("(hi - 1)") + ` AS u FROM v),
	x AS (SELECT w.*, ((l - 1) | u) - ((l - 1) & u) AS d FROM w)
	INSERT INTO access_spans (rev, id, customer_id, col, source, person_id, unknown, unknown_index, way, role, server_id, ground, from_at, until_at, known_from, known_until, live, begun, node, lo, hi)
	SELECT ` + id + ` || '/' || rev, ` + id + `, bulk_customers.id, 'listed', 'grant', bulk_people.id, ` + none + `, '', 'teleport', 'operator', '', 'grt_bulk', f, til, kf, ku, 0, 1,
		sign * (u & ~(` + forkSQL() + `)), lo, hi
	FROM x JOIN bulk_customers ON bulk_customers.n = x.c JOIN bulk_people ON bulk_people.n = x.p ORDER BY kf`
}

// dropIndexes drops the indexes of a table and returns how each is made.
func dropIndexes(tx *db.Tx, table string) (made []string, err error) {
	query := "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
	if tx.Dialect() == db.Postgres {
		query = "SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE tablename = ? AND indexname NOT LIKE '%_pkey'"
	}
	var rows []struct{ Name, SQL string }
	if err := tx.Raw(query, table).Scan(&rows).Error; err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := tx.Exec("DROP INDEX " + r.Name).Error; err != nil {
			return nil, err
		}
		made = append(made, r.SQL)
	}
	return made, nil
}

// Again copies all spans of a source and their entries, which must have no place
// in the log yet, until there are times as many, at most 1,000, each under a name
// that no id is made with: none ends in z. It calls placed after every few: to
// place them all at once would take a sequencer very long, and never happens.
func (s *Service) Again(ctx context.Context, source string, times int, placed func() error) error {
	const few = 2
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		for _, sql := range []string{
			"CREATE TABLE again_spans AS SELECT " + spanColumns + " FROM access_spans WHERE source = ?",
			"CREATE TABLE again_entries AS SELECT e.id, e.customer_id, e.entry, v.subject FROM ledger_appended e JOIN ledger_pending v ON v.id = e.id WHERE v.subject IN (SELECT id FROM access_spans WHERE source = ?)",
		} {
			if err := tx.Exec(sql, source).Error; err != nil {
				return err
			}
		}
		return nil
	})
	for from := 1; err == nil && from < times; from += few {
		if err = s.db.Write(ctx, func(tx *db.Tx) error { return again(tx, from, min(from+few, times)-1) }); err == nil {
			err = placed()
		}
	}
	return err
}

// vacuum does for PostgreSQL what autovacuum would, which tests have switched off.
func vacuum(tx *db.Tx, from int) error {
	var waiting int
	if err := tx.Raw("SELECT COUNT(*) FROM ledger_appended").Row().Scan(&waiting); err != nil {
		return err
	}
	if waiting == 0 {
		if err := tx.Exec("TRUNCATE ledger_appended").Error; err != nil {
			return err
		}
	}
	if from%40 != 1 {
		return nil
	}
	return tx.Exec("ANALYZE ledger_leaves, ledger_entries, ledger_hashes, access_spans").Error
}

// again makes the copies of these numbers.
func again(tx *db.Tx, from, to int) error {
	if tx.Dialect() == db.Postgres {
		if err := vacuum(tx, from); err != nil {
			return err
		}
	}
	named := "substr(%[1]s, 1, length(%[1]s) - 4) || printf('%%03dz', i.n)"
	if tx.Dialect() == db.Postgres {
		named = "substr(%[1]s, 1, length(%[1]s) - 4) || lpad(CAST(i.n AS text), 3, '0') || 'z'"
	}
	name := func(column string) string { return fmt.Sprintf(named, column) }
	for _, sql := range []string{
		" INSERT INTO ledger_appended (id, customer_id, entry) SELECT " + name("e.id") + ", e.customer_id, replace(e.entry, e.subject, " + name("e.subject") + ") FROM i CROSS JOIN again_entries e",
		" INSERT INTO access_spans (" + spanColumns + ") SELECT " + name("o.id") + " || substr(o.rev, length(o.id) + 1), " + name("o.id") +
			strings.ReplaceAll(strings.TrimPrefix(spanColumns, "rev, id"), ", ", ", o.") + " FROM i CROSS JOIN again_spans o",
	} {
		if err := tx.Exec(numbered[tx.Dialect()]+sql, from, to).Error; err != nil {
			return err
		}
	}
	return nil
}

const spanColumns = "rev, id, customer_id, col, source, person_id, unknown, unknown_index, way, role, server_id, ground, from_at, until_at, known_from, known_until, live, begun, node, lo, hi"

// EachVersion says of each version of a span whether it stands in the tree where
// it ought to.
func (s *Service) EachVersion(ctx context.Context, f func(right bool)) error {
	return s.eachVersion(ctx, func(r spanRow) { f(r.standsRight()) })
}

// PlanAt is by which indexes SQLite finds what held an instant.
func PlanAt(tx *db.Tx, customer string, at, known int64) (indexes []string, err error) {
	query, args := spansAtSQL(tx, customer, at, known)
	var rows []struct{ Detail string }
	err = tx.Raw("EXPLAIN QUERY PLAN "+query, args...).Scan(&rows).Error
	for _, r := range rows {
		if _, index, found := strings.Cut(r.Detail, "USING INDEX "); found {
			indexes = append(indexes, index)
		}
	}
	return indexes, err
}
