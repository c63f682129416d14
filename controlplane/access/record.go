package access

import (
	"maps"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// Kinds of entry of the ledger. From them alone every span can be built again.
const (
	entryAdded   = "access.added"
	entryRemoved = "access.removed"
	entryMoved   = "access.end_moved"
)

// record writes what a diff found: versions of spans, entries, changes.
func (s *Service) record(tx *db.Tx, d diff) ([]Change, error) {
	persons := map[string]bool{}
	for _, e := range d.events {
		if e.row.PersonID != "" {
			persons[e.row.PersonID] = true
		}
	}
	ids := slices.Sorted(maps.Keys(persons))
	names, err := s.callingsOf(tx, ids)
	if err != nil {
		return nil, err
	}
	lines, err := linesOf(tx, Column(d.events[0].row.Col), ids)
	if err != nil {
		return nil, err
	}
	b := batch{s: s, tx: tx, diff: d, names: names, lines: lines}
	for _, e := range d.events {
		if err := b.event(e); err != nil {
			return nil, err
		}
	}
	if err := insertAll(tx, b.spans); err != nil {
		return nil, err
	}
	if err := updateSpans(tx, b.updates); err != nil {
		return nil, err
	}
	if err := insertAll(tx, b.rows); err != nil {
		return nil, err
	}
	return b.changes, tx.Flush()
}

// batch gathers what is written together.
type batch struct {
	s     *Service
	tx    *db.Tx
	diff  diff
	names callings
	lines map[lineKey][]spanRow // as they are after the events so far

	spans, updates []spanRow
	rows           []changeRow
	changes        []Change
}

func (b *batch) event(e event) error {
	unknown, err := b.unknown(&e)
	if err != nil {
		return err
	}
	switch {
	case e.kind == Added:
		b.spans = append(b.spans, e.row)
	case e.over:
		b.updates = append(b.updates, e.row)
	case e.void:
		b.updates = append(b.updates, e.row)
	default:
		b.updates = append(b.updates, e.old.superseded(b.diff.now))
		b.spans = append(b.spans, e.row)
	}
	kind, until, again := b.onLine(e)
	c := changeRow{CustomerID: e.row.CustomerID, Col: e.row.Col, Kind: string(kind), Source: e.row.Source, SpanID: e.row.ID, PersonID: e.row.PersonID,
		Way: e.row.Way, Role: e.row.Role, ServerID: e.row.ServerID, Ground: e.row.Ground, At: e.from(b.diff.at), UntilAt: until, KnownAt: b.diff.now}
	if b.diff.baseline {
		c.Baseline = 1
	}
	if err := b.change(c, unknown, e.why); err != nil {
		return err
	}
	for _, o := range again {
		c.Kind, c.SpanID, c.Ground, c.At, c.UntilAt = string(Added), o.ID, o.Ground, o.FromAt, o.UntilAt
		if err := b.change(c, unknown, ""); err != nil {
			return err
		}
	}
	return b.enter(e, kind, unknown)
}

// from is from when an event is so.
func (e event) from(at int64) int64 {
	switch {
	case e.kind == Added:
		return e.row.FromAt
	case e.kind == Removed && !e.void:
		return e.row.UntilAt
	}
	return at
}

// unknown is what was found of whoever is unknown; a span that is new gets it sealed.
func (b *batch) unknown(e *event) (text string, err error) {
	switch {
	case e.row.PersonID != "":
		return "", nil
	case e.kind == Added:
		e.row.Unknown, err = b.s.seal(e.row.CustomerID, "access_spans", "unknown", e.row.ID, e.unknown)
		return e.unknown, err
	}
	return b.s.open(e.row.CustomerID, "access_spans", "unknown", e.row.ID, e.row.Unknown)
}

// onLine says what an event does to the line that its span is one ground of,
// until when the line is there then, and which grounds come back later: they
// begin after a gap that was not there before.
func (b *batch) onLine(e event) (kind ChangeKind, until int64, again []spanRow) {
	k := e.row.line()
	if k.person == "" { // whoever is unknown stands on one ground
		return e.kind, e.row.UntilAt, nil
	}
	others := slices.DeleteFunc(slices.Clone(b.lines[k]), func(o spanRow) bool { return o.ID == e.row.ID })
	b.lines[k] = others
	if e.kind != Removed {
		b.lines[k] = append(slices.Clone(others), e.row)
	}
	x := e.row.FromAt
	switch {
	case e.kind == Removed && !e.void:
		x = e.row.UntilAt
	case e.kind == Moved:
		x = max(x, b.diff.at)
	}
	end, covered := holds(others, x)
	before, after := end, end
	switch {
	case e.kind == Removed && !covered:
		return Removed, 0, slices.DeleteFunc(others, func(o spanRow) bool { return o.FromAt <= x || e.old.overAt(o.FromAt-1) })
	case e.kind == Added && !covered:
		return Added, e.row.UntilAt, nil
	case !covered:
		before, after = e.old.UntilAt, e.row.UntilAt
	case e.kind == Removed:
		before = later(end, e.old.UntilAt)
	case e.kind == Added:
		after = later(end, e.row.UntilAt)
	default:
		before, after = later(end, e.old.UntilAt), later(end, e.row.UntilAt)
	}
	if before == after {
		return Ground, after, nil
	}
	return Moved, after, nil
}

// holds returns until when spans hold an instant, 0 without an end; covered is
// false where none does.
func holds(spans []spanRow, at int64) (until int64, covered bool) {
	for _, o := range spans {
		if o.FromAt > at || o.overAt(at) {
			continue
		}
		if until = later(until, o.UntilAt); !covered {
			until = o.UntilAt
		}
		covered = true
	}
	return until, covered
}

// later is the later of two ends; 0 is without one.
func later(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

func (b *batch) change(c changeRow, unknown, why string) (err error) {
	c.ID = controlplane.NewID(controlplane.PrefixChange)
	if c.Unknown, err = b.s.seal(c.CustomerID, "access_changes", "unknown", c.ID, unknown); err != nil {
		return err
	}
	if c.Why, err = b.s.seal(c.CustomerID, "access_changes", "why", c.ID, why); err != nil {
		return err
	}
	b.rows = append(b.rows, c)
	out := c.value()
	out.Unknown, out.Why, out.Name = unknown, why, b.name(c.CustomerID, c.PersonID, c.ServerID)
	b.changes = append(b.changes, out)
	return nil
}

// enter writes an event to the ledger: the whole version of the span, and what
// it takes the place of.
func (b *batch) enter(e event, kind ChangeKind, unknown string) error {
	instant := func(ms int64) string { return controlplane.Instant(controlplane.FromMillis(ms)) }
	r := e.row
	data := map[string]any{"span": r.ID, "revision": int64(r.revision()), "column": r.Col, "source": r.Source, "way": r.Way, "role": r.Role, "server": r.ServerID,
		"person": r.PersonID, "ground": r.Ground, "from": instant(r.FromAt), "until": instant(r.UntilAt), "known": instant(r.KnownFrom), "line": string(kind)}
	if e.kind != Added {
		data["was_until"], data["was_known"] = instant(e.old.UntilAt), instant(e.old.KnownFrom)
	}
	entry := entryAdded
	switch {
	case e.void:
		entry, data["void"], data["known"] = entryRemoved, true, instant(r.KnownUntil)
	case e.kind == Removed:
		entry, data["expired"] = entryRemoved, e.over
	case e.kind == Moved:
		entry = entryMoved
	}
	if b.diff.baseline {
		data["baseline"] = true
	}
	personal := map[string]string{}
	for name, v := range map[string]string{"name": b.name(r.CustomerID, r.PersonID, r.ServerID), "unknown": unknown, "why": e.why} {
		if v != "" {
			personal[name] = v
		}
	}
	_, err := b.s.ledger.Append(b.tx, ledger.Entry{Customer: r.CustomerID, Server: r.ServerID, Subject: r.ID, Kind: entry, Data: data, Personal: personal})
	return err
}

// name is a person's name as a customer may read it.
func (b *batch) name(customer, person, server string) string {
	name, _ := b.names.of(policy.OneCustomer(customer), person, server)
	return name
}

// seal seals a personal value of a row; "" stays nothing.
func (s *Service) seal(customer, table, column, row, value string) ([]byte, error) {
	if value == "" {
		return nil, nil
	}
	return s.keeper.Seal(customer, secrets.AD{Table: table, Column: column, Row: row}, []byte(value))
}

// open opens what seal sealed.
func (s *Service) open(customer, table, column, row string, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	b, err := s.keeper.Open(customer, secrets.AD{Table: table, Column: column, Row: row}, sealed)
	return string(b), err
}
