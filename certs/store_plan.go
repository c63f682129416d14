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

// planColumns are what Planner.put reads.
const planColumns = "id, customer_id, authority_id, not_before, not_after, renew_at, renew_from, window_start, window_end, poll_at, attempts, " +
	"next_try, paused_until, open_issue, issued_round, due_at, created_at, ended_at"

// Refresh reads what has become due, and what has moved among what was due: all
// that Due and Polls need. The first time, and once an hour, it reads the whole
// table. Read may be a read-only transaction of nobody's in particular. It
// returns how many rows it has read.
func (p *Planner) Refresh(tx *db.Tx) (read int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := tx.NowMillis()
	if p.whole == 0 || now-p.whole >= readAll.Milliseconds() {
		return p.reread(tx)
	}
	until := now + readAhead.Milliseconds()
	seen := map[string]bool{}
	if read, err = p.rows(tx, seen, "due_at > 0 AND due_at <= ?", until); err != nil {
		return read, err
	}
	var moved []any
	for i := range p.all {
		if e := &p.all[i]; e.due > 0 && e.due <= until && !seen[e.id] {
			moved = append(moved, e.id)
		}
	}
	if len(moved) > fewMoved {
		return p.reread(tx)
	}
	for part := range slices.Chunk(moved, idsAtOnce) {
		found := map[string]bool{}
		n, err := p.rows(tx, found, "id IN ("+strings.TrimSuffix(strings.Repeat("?, ", len(part)), ", ")+")", part...)
		read += n
		if err != nil {
			return read, err
		}
		for _, id := range part {
			if !found[id.(string)] {
				p.drop(id.(string))
			}
		}
	}
	return read, nil
}

// reread reads the whole table.
func (p *Planner) reread(tx *db.Tx) (int, error) {
	p.reset()
	p.whole = 0
	n, err := p.rows(tx, nil, "1 = 1")
	if err == nil {
		p.whole = tx.NowMillis()
	}
	return n, err
}

// rows reads certificates that are looked after. seen, where it is not nil, is
// filled with their ids.
func (p *Planner) rows(tx *db.Tx, seen map[string]bool, cond string, args ...any) (n int, err error) {
	rows, err := tx.Raw("SELECT "+planColumns+" FROM certificates WHERE ended_at = 0 AND "+cond, args...).Rows()
	if err != nil {
		return 0, fmt.Errorf("certs: plan: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var r certRow
		if err := rows.Scan(&r.ID, &r.CustomerID, &r.AuthorityID, &r.NotBefore, &r.NotAfter, &r.RenewAt, &r.RenewFrom, &r.WindowStart, &r.WindowEnd,
			&r.PollAt, &r.Attempts, &r.NextTry, &r.PausedUntil, &r.OpenIssue, &r.IssuedRound, &r.DueAt, &r.CreatedAt, &r.EndedAt); err != nil {
			return n, fmt.Errorf("certs: plan: %w", err)
		}
		p.put(r)
		if seen != nil {
			seen[r.ID] = true
		}
		n++
	}
	return n, nil
}
