package certs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane/db"
)

const (
	// readAhead is how far before its instant a row is read.
	readAhead = 10 * time.Minute
	// readAll is how often the whole table is read again.
	readAll = time.Hour
	// fewMoved is how many rows are read one by one rather than all anew.
	fewMoved = 5000
	// idsAtOnce bounds the values that one statement binds.
	idsAtOnce = 50
)

// planColumns are what a reading is made of.
const planColumns = "id, customer_id, authority_id, not_before, not_after, renew_at, renew_from, window_start, window_end, poll_at, attempts, " +
	"next_try, paused_until, open_issue, issued_round, due_at, created_at, ended_at"

// Refresh reads what has become due, and what has moved among what was due: all
// that Due and Polls need. The first time, and once an hour, it reads the whole
// table. Read may be a read-only transaction of nobody's in particular. It
// returns how many rows it has read.
func (p *Planner) Refresh(tx *db.Tx) (read int, err error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	now := tx.NowMillis()
	if p.whole == 0 || now-p.whole >= readAll.Milliseconds() {
		return p.reread(tx)
	}
	until := now + readAhead.Milliseconds()
	due, err := readPlan(tx, "due_at > 0 AND due_at <= ?", until)
	if err != nil {
		return 0, err
	}
	moved := p.moved(due, until)
	if len(moved) > fewMoved {
		return p.reread(tx)
	}
	for part := range slices.Chunk(moved, idsAtOnce) {
		again, err := readPlan(tx, "id IN ("+strings.TrimSuffix(strings.Repeat("?, ", len(part)), ", ")+")", part...)
		if err != nil {
			return 0, err
		}
		due = append(due, again...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range moved { // those that are there still come back at once
		p.drop(id.(string))
	}
	for _, r := range due {
		p.put(r)
	}
	return len(due), nil
}

// moved are the certificates that were due as far as the planner knew, and are
// not among those that are.
func (p *Planner) moved(due []reading, until int64) (ids []any) {
	seen := make(map[string]bool, len(due))
	for _, r := range due {
		seen[r.id] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.all {
		if e := &p.all[i]; e.due > 0 && e.due <= until && !seen[e.id] {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// reread reads the whole table.
func (p *Planner) reread(tx *db.Tx) (int, error) {
	all, err := readPlan(tx, "1 = 1")
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reset()
	for _, r := range all {
		p.put(r)
	}
	p.whole = tx.NowMillis()
	return len(all), nil
}

// readPlan reads certificates that are looked after.
func readPlan(tx *db.Tx, cond string, args ...any) (out []reading, err error) {
	rows, err := tx.Raw("SELECT "+planColumns+" FROM certificates WHERE ended_at = 0 AND "+cond, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("certs: plan: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var r certRow
		if err := rows.Scan(&r.ID, &r.CustomerID, &r.AuthorityID, &r.NotBefore, &r.NotAfter, &r.RenewAt, &r.RenewFrom, &r.WindowStart, &r.WindowEnd,
			&r.PollAt, &r.Attempts, &r.NextTry, &r.PausedUntil, &r.OpenIssue, &r.IssuedRound, &r.DueAt, &r.CreatedAt, &r.EndedAt); err != nil {
			return nil, fmt.Errorf("certs: plan: %w", err)
		}
		out = append(out, readingOf(r))
	}
	return out, nil
}
