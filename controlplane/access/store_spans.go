package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

type spanRow struct {
	Rev          string `gorm:"primaryKey"`
	ID           string
	CustomerID   string
	Col          string
	Source       string
	PersonID     string
	Unknown      []byte
	UnknownIndex string
	Way          string
	Role         string
	ServerID     string
	Ground       string
	FromAt       int64
	UntilAt      int64
	KnownFrom    int64
	KnownUntil   int64
	Live         int64
	Begun        int64
	Node         int64
	Lo           int64
	Hi           int64
}

func (spanRow) TableName() string { return "access_spans" }

type changeRow struct {
	ID             string `gorm:"primaryKey"`
	CustomerID     string
	Col            string
	Kind           string
	Source         string
	SpanID         string
	PersonID       string
	Unknown        []byte
	Way            string
	Role           string
	ServerID       string
	Ground         string
	At             int64
	UntilAt        int64
	Why            []byte
	Baseline       int64
	KnownAt        int64
	EnforcedAt     int64
	NotifiedAt     int64
	AcknowledgedAt int64
}

func (changeRow) TableName() string { return "access_changes" }

// oneOf narrows a query to rows whose column is one of any number of values: one
// parameter, because the SQLite driver binds many in quadratic time.
func oneOf(q *gorm.DB, dialect db.Dialect, column string, values []string) *gorm.DB {
	if len(values) == 1 {
		return q.Where(column+" = ?", values[0])
	}
	return q.Where(column+" IN "+listed(dialect), list(values))
}

// listed is the right side of IN for a parameter made by list.
func listed(dialect db.Dialect) string {
	if dialect == db.Postgres {
		return "(SELECT json_array_elements_text(CAST(? AS json)) AS value)"
	}
	return "(SELECT value FROM json_each(?))"
}

func list(values []string) string {
	if values == nil {
		values = []string{}
	}
	b, _ := json.Marshal(values) // strings always marshal
	return string(b)
}

// liveSpans are the open spans of a part.
func liveSpans(tx *db.Tx, p part) (rows []spanRow, err error) {
	q := tx.Where("live = 1 AND col = ?", string(p.Column))
	if p.Source != "" {
		q = q.Where("source = ?", p.Source)
	}
	for _, by := range []struct {
		column string
		values []string
	}{{"ground", p.Grounds}, {"person_id", p.Persons}, {"server_id", p.Servers}, {"customer_id", p.Customers}} {
		if by.values != nil {
			q = oneOf(q, tx.Dialect(), by.column, by.values)
		}
	}
	if err := q.Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find spans: %w", err)
	}
	return rows, nil
}

// linesOf are the open spans of a column of persons, by line: whoever is found
// and known to nobody has one ground only.
func linesOf(tx *db.Tx, column Column, persons []string) (map[lineKey][]spanRow, error) {
	out := map[lineKey][]spanRow{}
	if len(persons) == 0 {
		return out, nil
	}
	rows, err := liveSpans(tx, part{Column: column, Persons: persons})
	for _, r := range rows {
		out[r.line()] = append(out[r.line()], r)
	}
	return out, err
}

// rowsAtOnce bounds an INSERT: the SQLite driver binds in quadratic time.
const rowsAtOnce = 16

func insertAll[T any](tx *db.Tx, rows []T) error {
	for part := range slices.Chunk(rows, rowsAtOnce) {
		if err := tx.Create(&part).Error; err != nil {
			return fmt.Errorf("insert: %w", err)
		}
	}
	return nil
}

const (
	updateSpan         = "UPDATE access_spans SET known_until = ?, live = ?, begun = ?, node = ?, lo = ?, hi = ? WHERE rev = ?"
	updateSpanPostgres = "UPDATE access_spans SET known_until = $1, live = $2, begun = $3, node = $4, lo = $5, hi = $6 WHERE rev = $7"
)

// updateSpans writes what changes of rows that are there; flush afterwards.
func updateSpans(tx *db.Tx, rows []spanRow) error {
	query := updateSpan
	if tx.Dialect() == db.Postgres {
		query = updateSpanPostgres
	}
	for _, r := range rows {
		if err := tx.AtEnd(query, r.KnownUntil, r.Live, r.Begun, r.Node, r.Lo, r.Hi, r.Rev); err != nil {
			return fmt.Errorf("update spans: %w", err)
		}
	}
	return nil
}

// dueSpans are open spans that ended, or began, by now: of at most limit.
func dueSpans(tx *db.Tx, limit int) (ended, begun []spanRow, err error) {
	err1 := tx.Where("live = 1 AND until_at > 0 AND until_at <= ?", tx.NowMillis()).Order("until_at, id").Limit(limit).Find(&ended).Error
	err2 := tx.Where("live = 1 AND begun = 0 AND from_at <= ?", tx.NowMillis()).Order("from_at, id").Limit(limit).Find(&begun).Error
	return ended, begun, errors.Join(err1, err2)
}

// spansAt are the spans that held an instant as it was known at another.
func spansAt(tx *db.Tx, customer string, at, known int64) (rows []spanRow, err error) {
	query, args := spansAtSQL(tx, customer, at, known)
	if err := tx.Raw(query, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("access: list: %w", err)
	}
	return rows, nil
}

// spansAtSQL is the SQL of it. Its nodes are numbers of ours, written out: a
// parameter each would cost more than the rows.
func spansAtSQL(tx *db.Tx, customer string, at, known int64) (query string, args []any) {
	before, after := ancestors(at)
	const now = "SELECT * FROM access_spans WHERE customer_id = ? AND "
	parts := []string{
		now + "node IN (" + numbers(before, 1) + ") AND hi > ? AND from_at <= ? AND known_from <= ?",
		now + "node IN (" + numbers(after, 1) + ") AND lo <= ? AND until_at > ? AND known_from <= ?",
		now + "node = 0 AND lo <= ? AND known_from <= ?",
	}
	args = []any{customer, at, at, known, customer, at, at, known, customer, at, known}
	if known < tx.NowMillis() { // what is known now was not superseded
		before, after := ancestors(known)
		const valid = " AND from_at <= ? AND (until_at = 0 OR until_at > ?)"
		// The "+" keeps each from the index of the other end, in which all of a node lies.
		parts = append(parts, now+"node IN ("+numbers(before, -1)+") AND hi > ? AND +lo <= ?"+valid, now+"node IN ("+numbers(after, -1)+") AND lo <= ? AND +hi > ?"+valid)
		args = append(args, customer, known, known, at, at, customer, known, known, at, at)
	}
	return strings.Join(parts, " UNION ALL "), args
}

func numbers(ns []int64, sign int64) string {
	var b strings.Builder
	for i, n := range ns {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, sign*n)
	}
	if len(ns) == 0 {
		return "NULL"
	}
	return b.String()
}

// value is the change as others see it, but for names and what is sealed.
func (r changeRow) value() Change {
	at := controlplane.FromMillis
	return Change{ID: r.ID, Customer: r.CustomerID, Column: Column(r.Col), Kind: ChangeKind(r.Kind), Added: ChangeKind(r.Kind) != Removed, Source: r.Source,
		Ground: r.Ground, Baseline: r.Baseline == 1, Span: r.SpanID, Person: r.PersonID, Way: Way(r.Way), Role: r.Role, Server: r.ServerID, At: at(r.At),
		Until: at(r.UntilAt), KnownAt: at(r.KnownAt), EnforcedAt: at(r.EnforcedAt), NotifiedAt: at(r.NotifiedAt), AcknowledgedAt: at(r.AcknowledgedAt)}
}

// customersWith are those customers that ever had a span of a source.
func customersWith(tx *db.Tx, source string, customers []string) (map[string]bool, error) {
	var ids []string
	err := tx.Raw("SELECT c.value FROM "+listed(tx.Dialect())+" c WHERE EXISTS (SELECT 1 FROM access_changes a WHERE a.customer_id = c.value AND a.col = 'listed' AND a.source = ?)",
		list(customers), source).Scan(&ids).Error
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}
