package jobs

import (
	"bytes"
	"errors"
	"strings"

	"ostler/controlplane/db"
)

// allColumns are those of a whole row, in the order of row.fields. They are
// written out, and so are the statements of this file: every job runs them
// several times, and to have them made anew takes longer than what they do.
const allColumns = `seq, id, kind, executor, server, customer_id, resource, unique_key, supersede_key, subject, title, params, state, epoch, attempt,
	max_attempts, not_before, expires_at, timeout_ms, created_at, offered_at, accepted_at, started_at, finished_at, lease_until, lost, settled_epoch, agent,
	progress, result, failure_cause, failure_detail, cancel_asked, actor_kind, actor_id`

func (r *row) fields() []any {
	return []any{&r.Seq, &r.ID, &r.Kind, &r.Executor, &r.Server, &r.Customer, &r.Resource, &r.Key, &r.Supersedes, &r.Subject, &r.Title, &r.Params, &r.State, &r.Epoch, &r.Attempt,
		&r.MaxAttempts, &r.NotBefore, &r.ExpiresAt, &r.TimeoutMillis, &r.CreatedAt, &r.OfferedAt, &r.AcceptedAt, &r.StartedAt, &r.FinishedAt, &r.LeaseUntil, &r.Lost, &r.SettledEpoch, &r.Agent,
		&r.Progress, &r.Result, &r.FailureCause, &r.FailureDetail, &r.CancelAsked, &r.ActorKind, &r.ActorID}
}

// wholeRows reads the rows of a query for allColumns.
func wholeRows(tx *db.Tx, query string, args ...any) (out []*row, err error) {
	rows, err := tx.Raw(query, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		r := &row{}
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, err
		}
		r.read()
		out = append(out, r)
	}
	return out, nil
}

// read notes that r is as the database has it.
func (r *row) read() {
	was := *r
	was.was = nil
	r.was = &was
}

// lockedRow is rowByID for a transaction that is not serializable.
func lockedRow(tx *db.Tx, id string) (*row, error) {
	q := "SELECT " + allColumns + " FROM jobs WHERE id = ?"
	if tx.Dialect() == db.Postgres {
		q += " FOR UPDATE"
	}
	rows, err := wholeRows(tx, q, id)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// find returns at most n rows in the order in which they were queued; all of
// them where n is negative.
func find(tx *db.Tx, n int, where string, args ...any) ([]*row, error) {
	q := "SELECT " + allColumns + " FROM jobs WHERE " + where + " ORDER BY +seq" // + : by the condition's index, not by walking all jobs
	if n >= 0 {
		q, args = q+" LIMIT ?", append(args[:len(args):len(args)], n)
	}
	return wholeRows(tx, q, args...)
}

// insertRow queues a row that is new; inserted is false where its key is taken.
// To have its number returned would cost as much again: nobody asks for it.
func insertRow(tx *db.Tx, r *row) (inserted bool, err error) {
	const q = `INSERT INTO jobs (id, kind, executor, server, customer_id, resource, unique_key, supersede_key, subject, title, params, max_attempts, not_before,
		expires_at, timeout_ms, created_at, actor_kind, actor_id, state, epoch, attempt, offered_at, accepted_at, started_at, finished_at, lease_until, lost, settled_epoch,
		agent, failure_cause, cancel_asked)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', 0)
		ON CONFLICT (unique_key) DO NOTHING`
	res := tx.Exec(q, r.ID, r.Kind, r.Executor, r.Server, r.Customer, r.Resource, r.Key, r.Supersedes, r.Subject, r.Title, r.Params, r.MaxAttempts, r.NotBefore,
		r.ExpiresAt, r.TimeoutMillis, r.CreatedAt, r.ActorKind, r.ActorID)
	return res.RowsAffected == 1, res.Error
}

// errMoved says that a row is not as it was read: somebody else moved it.
var errMoved = errors.New("jobs: the job has moved on")

// save writes what of r a move may change and has changed, where the job still
// is in that state and epoch.
func save(tx *db.Tx, r *row, state State, epoch int64) error {
	set, args := r.changes()
	res := tx.Exec("UPDATE jobs SET "+set+" WHERE seq = ? AND state = ? AND epoch = ?", append(args, r.Seq, string(state), epoch)...)
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected != 1 {
		return errMoved
	}
	r.read()
	return nil
}

// changes are the columns that a move may write and that differ from what was
// read, as an assignment; all of them where nothing was.
func (r *row) changes() (set string, args []any) {
	var b strings.Builder
	was := r.was
	put := func(column string, changed bool, v any) {
		if was != nil && !changed {
			return
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(column)
		b.WriteString(" = ?")
		args = append(args, v)
	}
	old := was
	if old == nil {
		old = r
	}
	put("state", r.State != old.State, string(r.State))
	put("epoch", r.Epoch != old.Epoch, r.Epoch)
	put("attempt", r.Attempt != old.Attempt, r.Attempt)
	put("not_before", r.NotBefore != old.NotBefore, r.NotBefore)
	put("offered_at", r.OfferedAt != old.OfferedAt, r.OfferedAt)
	put("accepted_at", r.AcceptedAt != old.AcceptedAt, r.AcceptedAt)
	put("started_at", r.StartedAt != old.StartedAt, r.StartedAt)
	put("finished_at", r.FinishedAt != old.FinishedAt, r.FinishedAt)
	put("lease_until", r.LeaseUntil != old.LeaseUntil, r.LeaseUntil)
	put("lost", r.Lost != old.Lost, r.Lost)
	put("settled_epoch", r.SettledEpoch != old.SettledEpoch, r.SettledEpoch)
	put("agent", r.Agent != old.Agent, r.Agent)
	put("progress", !bytes.Equal(r.Progress, old.Progress), r.Progress)
	put("result", !bytes.Equal(r.Result, old.Result), r.Result)
	put("failure_cause", r.FailureCause != old.FailureCause, r.FailureCause)
	put("failure_detail", !bytes.Equal(r.FailureDetail, old.FailureDetail), r.FailureDetail)
	put("cancel_asked", r.CancelAsked != old.CancelAsked, r.CancelAsked)
	if len(args) == 0 {
		return "state = state", nil
	}
	return b.String(), args
}

// acceptRow is the short way of an accept: one statement for an offer that is
// good and that nobody cancelled; ok is false for every other one. It returns
// the job's customer.
func acceptRow(tx *db.Tx, server, agent, id string, epoch int64) (customer string, ok bool, err error) {
	now := tx.NowMillis()
	res := tx.Exec(`UPDATE jobs SET state = 'accepted', attempt = attempt + 1, accepted_at = ?, started_at = 0, lost = 0,
		lease_until = ? + CASE WHEN timeout_ms > 0 THEN timeout_ms ELSE ? END
		WHERE id = ? AND server = ? AND agent = ? AND epoch = ? AND settled_epoch < ? AND executor = 'agent' AND state = 'offered' AND cancel_asked = 0`,
		now, now+agentGrace.Milliseconds(), agentMaxRun.Milliseconds(), id, server, agent, epoch, epoch)
	if res.Error != nil || res.RowsAffected != 1 {
		return "", false, res.Error
	}
	err = tx.Raw("SELECT customer_id FROM jobs WHERE id = ?", id).Scan(&customer).Error
	return customer, true, err
}

// claimStanding reads of a claim only what says whether it stands.
func claimStanding(tx *db.Tx, seq int64) (*row, error) {
	rows, err := tx.Raw("SELECT state, epoch, cancel_asked FROM jobs WHERE seq = ?", seq).Rows()
	if err != nil {
		return nil, err
	}
	var r *row
	for rows.Next() {
		r = &row{}
		if err = rows.Scan(&r.State, &r.Epoch, &r.CancelAsked); err != nil {
			break
		}
	}
	return r, errors.Join(err, rows.Err(), rows.Close())
}

// supersededBy are the ids of older queued jobs of r's supersede key, in their
// order. Most often there are none.
func supersededBy(tx *db.Tx, r *row) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM jobs WHERE supersede_key = ? AND supersede_key <> '' AND state = 'queued' AND id <> ? ORDER BY +seq LIMIT 1000",
		r.Supersedes, r.ID).Scan(&ids).Error
	return ids, err
}
