package jobs

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ostler/controlplane/db"
)

// open is the condition of jobs that are not over, as the partial indexes say it.
const open = "state IN ('queued', 'offered', 'accepted', 'running')"

// claimable is the part of a claim that keeps the order: of each resource the
// earliest queued job whose time has come, while no other holds it. Its
// arguments are four times now. The + has SQLite walk the queue in its order.
const claimable = `q.state = 'queued' AND +q.not_before <= ? AND (q.expires_at = 0 OR q.expires_at > ?) AND (q.resource = '' OR NOT EXISTS (
	SELECT 1 FROM jobs o WHERE o.server = q.server AND o.resource = q.resource AND o.state IN ('queued', 'offered', 'accepted', 'running')
		AND (o.state <> 'queued' OR o.seq < q.seq AND o.not_before <= ? AND (o.expires_at = 0 OR o.expires_at > ?))))`

// unheld says of what claimable says nothing new, but once for a whole statement:
// of thousands of jobs of one resource each would be looked up by itself.
const unheld = `(q.resource = '' OR (q.server, q.resource) NOT IN (SELECT h.server, h.resource FROM jobs h WHERE h.resource <> '' AND h.state IN ('offered', 'accepted', 'running'))) AND `

// claimableAt is claimable with its arguments. SQLite compares them with the
// conditions of partial indexes, for which it makes the statement a second time
// once they are bound: it gets them written out.
func claimableAt(tx *db.Tx, now int64) (string, []any) {
	if tx.Dialect() == db.SQLite {
		return unheld + strings.ReplaceAll(claimable, "?", strconv.FormatInt(now, 10)), nil
	}
	return claimable, []any{now, now, now, now}
}

// claim takes at most n claimable jobs of a condition and has change prepare
// each; it returns none where another replica was faster.
func (j *Jobs) claim(ctx context.Context, n int, before func(*db.Tx) error, where string, args []any, change func(*db.Tx, *row)) ([]*row, error) {
	const tries = 3
	var rows []*row
	for range tries {
		err := j.db.Claim(ctx, func(tx *db.Tx) error {
			if before != nil {
				if err := before(tx); err != nil {
					return err
				}
			}
			now := tx.NowMillis()
			due, times := claimableAt(tx, now)
			q := "SELECT " + allColumns + " FROM jobs q WHERE " + where + " AND " + due + " ORDER BY q.seq LIMIT ?" + tx.SkipLocked()
			var err error
			if rows, err = wholeRows(tx, q, append(append(append([]any{}, args...), times...), n)...); err != nil {
				return err
			}
			for _, r := range rows {
				from, epoch := r.State, r.Epoch
				r.Epoch++
				r.OfferedAt = now
				change(tx, r)
				if !from.Allows(r.State) {
					return fmt.Errorf("%s may not go from %s to %s", r.ID, from, r.State)
				}
				if err := save(tx, r, from, epoch); err != nil {
					return err
				}
				tx.AfterCommit(func() { j.publish("job:" + r.ID) })
			}
			return nil
		})
		if err == nil {
			return rows, nil
		}
		if !db.IsDuplicate(err) { // jobs_resource_held: the other replica has the resource
			return nil, err
		}
	}
	return nil, nil
}

// dueServers are the servers with an agent's job whose time came after since.
func dueServers(tx *db.Tx, since int64) (servers []string, err error) {
	err = tx.Raw(`SELECT DISTINCT server FROM jobs WHERE executor = 'agent' AND state = 'queued' AND not_before > ? AND not_before <= ?`,
		since, tx.NowMillis()).Scan(&servers).Error
	return servers, err
}

// overdue returns ids of jobs that a sweep has to look at.
func overdue(tx *db.Tx, n int) (ids []string, err error) {
	now := tx.NowMillis()
	err = tx.Raw(`SELECT id FROM jobs WHERE state = 'queued' AND expires_at > 0 AND expires_at <= ?
		UNION ALL SELECT id FROM jobs WHERE state IN ('offered', 'accepted', 'running') AND lease_until <= ? LIMIT ?`, now, now, n).Scan(&ids).Error
	return ids, err
}
