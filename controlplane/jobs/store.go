package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// row is a job in the database.
type row struct {
	Seq           int64  `gorm:"column:seq;primaryKey;autoIncrement"`
	ID            string `gorm:"column:id"`
	Kind          string `gorm:"column:kind"`
	Executor      string `gorm:"column:executor"`
	Server        string `gorm:"column:server"`
	Customer      string `gorm:"column:customer_id"`
	Resource      string `gorm:"column:resource"`
	Key           string `gorm:"column:unique_key"` // the id where the Spec has none
	Supersedes    string `gorm:"column:supersede_key"`
	Subject       string `gorm:"column:subject"`
	Title         string `gorm:"column:title"`
	Params        []byte `gorm:"column:params"`
	State         State  `gorm:"column:state"`
	Epoch         int64  `gorm:"column:epoch"`
	Attempt       int    `gorm:"column:attempt"`
	MaxAttempts   int    `gorm:"column:max_attempts"`
	NotBefore     int64  `gorm:"column:not_before"`
	ExpiresAt     int64  `gorm:"column:expires_at"`
	TimeoutMillis int64  `gorm:"column:timeout_ms"`
	CreatedAt     int64  `gorm:"column:created_at;autoCreateTime:false"`
	OfferedAt     int64  `gorm:"column:offered_at"`
	AcceptedAt    int64  `gorm:"column:accepted_at"`
	StartedAt     int64  `gorm:"column:started_at"`
	FinishedAt    int64  `gorm:"column:finished_at"`
	LeaseUntil    int64  `gorm:"column:lease_until"`
	Lost          int64  `gorm:"column:lost"`          // 1: the host came back and does not work at it
	SettledEpoch  int64  `gorm:"column:settled_epoch"` // the latest epoch whose result was taken
	Agent         string `gorm:"column:agent"`
	Progress      []byte `gorm:"column:progress"`
	Result        []byte `gorm:"column:result"`
	FailureCause  string `gorm:"column:failure_cause"`
	FailureDetail []byte `gorm:"column:failure_detail"`
	CancelAsked   int64  `gorm:"column:cancel_asked"`
	ActorKind     string `gorm:"column:actor_kind"`
	ActorID       string `gorm:"column:actor_id"`

	was *row // as it was read; nil where it was not, or not whole
}

func (row) TableName() string { return "jobs" }

// listColumns leaves the large sealed columns out.
const listColumns = `seq, id, kind, executor, server, customer_id, resource, unique_key, supersede_key, subject, title, state, epoch, attempt,
	max_attempts, not_before, expires_at, timeout_ms, created_at, offered_at, accepted_at, started_at, finished_at, lease_until, lost, settled_epoch, agent,
	progress, failure_cause, failure_detail, cancel_asked, actor_kind, actor_id`

func (r *row) ref() wire.JobRef { return wire.JobRef{Job: r.ID, Epoch: r.Epoch} }

func (r *row) restart() wire.Restart {
	if r.Executor == string(Plane) {
		return wire.Idempotent
	}
	return wire.Action(r.Kind).Restart()
}

func ad(column, id string) secrets.AD { return secrets.AD{Table: "jobs", Column: column, Row: id} }

func (j *Jobs) seal(r *row, column string, value []byte) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	return j.keys.Seal(r.Customer, ad(column, r.ID), value)
}

func (j *Jobs) open(r *row, column string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	return j.keys.Open(r.Customer, ad(column, r.ID), sealed)
}

// job opens a row.
func (j *Jobs) job(r *row) (Job, error) {
	key := r.Key
	if key == r.ID {
		key = ""
	}
	job := Job{
		ID: r.ID, Kind: r.Kind, Executor: Executor(r.Executor), Server: r.Server, Customer: r.Customer, Resource: r.Resource,
		Key: key, Subject: r.Subject, Title: r.Title, State: r.State, Epoch: r.Epoch, Attempt: r.Attempt, MaxAttempts: r.MaxAttempts,
		NotBefore: controlplane.FromMillis(r.NotBefore), ExpiresAt: controlplane.FromMillis(r.ExpiresAt),
		CreatedAt: controlplane.FromMillis(r.CreatedAt), OfferedAt: controlplane.FromMillis(r.OfferedAt),
		AcceptedAt: controlplane.FromMillis(r.AcceptedAt), StartedAt: controlplane.FromMillis(r.StartedAt),
		FinishedAt: controlplane.FromMillis(r.FinishedAt), Timeout: time.Duration(r.TimeoutMillis) * time.Millisecond, Agent: r.Agent,
		CreatedBy: controlplane.Actor{Kind: controlplane.ActorKind(r.ActorKind), ID: r.ActorID}, CancelAsked: r.CancelAsked == 1,
	}
	params, err1 := j.open(r, "params", r.Params)
	result, err2 := j.open(r, "result", r.Result)
	progress, err3 := j.open(r, "progress", r.Progress)
	detail, err4 := j.open(r, "failure_detail", r.FailureDetail)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return job, fmt.Errorf("jobs: open %s: %w", r.ID, err)
	}
	job.Params, job.Result = params, result
	if r.FailureCause != "" {
		job.Failure = &wire.Failure{Cause: wire.Cause(r.FailureCause), Detail: string(detail)}
	}
	if progress != nil {
		job.Progress = &wire.Progress{}
		if err := json.Unmarshal(progress, job.Progress); err != nil {
			return job, fmt.Errorf("jobs: open %s: %w", r.ID, err)
		}
	}
	return job, nil
}

func rowByKey(tx *db.Tx, key string) (*row, error) { return one(tx, "unique_key = ?", key) }

func rowByID(tx *db.Tx, id string) (*row, error) {
	rows, err := wholeRows(tx, "SELECT "+allColumns+" FROM jobs WHERE id = ?", id)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// one returns the row of a condition, nil where there is none.
func one(tx *db.Tx, where string, args ...any) (*row, error) {
	rows, err := find(tx, 1, where, args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// scoped returns the row of an id as far as the scope reaches.
func scoped(tx *db.Tx, scope policy.Scope, id string) (*row, error) {
	where, args := inScope(scope)
	r, err := one(tx, "id = ? AND "+where, append([]any{id}, args...)...)
	if err == nil && r == nil {
		err = controlplane.NotFound("job")
	}
	return r, err
}

func inScope(scope policy.Scope) (string, []any) {
	if scope.All() {
		return "1 = 1", nil
	}
	customers := scope.Customers()
	if len(customers) == 0 {
		return "1 = 0", nil
	}
	return "customer_id IN ? AND customer_id <> ''", []any{customers}
}

const forgetBatch = 100

// ended is the condition of jobs of some kinds that ended before an instant.
const ended = "o.kind IN ? AND o.finished_at > 0 AND o.finished_at < ?"

// endedBefore finds a batch of jobs that are over.
func endedBefore(tx *db.Tx, kinds []string, before time.Time) ([]int64, error) {
	return seqsOf(tx, ended, kinds, before.UnixMilli())
}

// followedBefore finds those that a later one of their subject follows.
func followedBefore(tx *db.Tx, kinds []string, before time.Time) ([]int64, error) {
	return seqsOf(tx, ended+" AND EXISTS (SELECT 1 FROM jobs n WHERE n.subject = o.subject AND n.seq > o.seq AND n.kind IN ?)", kinds, before.UnixMilli(), kinds)
}

// answeredBefore finds those that still have what they brought.
func answeredBefore(tx *db.Tx, kinds []string, before time.Time) ([]int64, error) {
	return seqsOf(tx, ended+" AND (o.result IS NOT NULL OR o.progress IS NOT NULL)", kinds, before.UnixMilli())
}

func seqsOf(tx *db.Tx, where string, args ...any) (seqs []int64, err error) {
	err = tx.Raw("SELECT o.seq FROM jobs o WHERE "+where+" LIMIT ?", append(args, forgetBatch)...).Scan(&seqs).Error
	return seqs, err
}

// deleteJobs deletes jobs that are over: an end is for good.
func deleteJobs(tx *db.Tx, seqs []int64) error {
	return tx.Exec("DELETE FROM jobs WHERE seq IN ?", seqs).Error
}

// emptyJobs lets go of what jobs that are over brought.
func emptyJobs(tx *db.Tx, seqs []int64) error {
	return tx.Exec("UPDATE jobs SET result = NULL, progress = NULL WHERE seq IN ?", seqs).Error
}

// stuck finds at most n open jobs that should have moved on long ago.
func stuck(tx *db.Tx, scope string, args []any, n int) (rows []*row, err error) {
	due := tx.Now.Add(-stuckAfter).UnixMilli()
	const out = "state IN ('offered', 'accepted', 'running')"
	q := "SELECT " + listColumns + " FROM jobs WHERE " + scope + ` AND seq IN (
		SELECT seq FROM jobs WHERE ` + out + ` AND lease_until < ?
		UNION SELECT seq FROM jobs WHERE state IN ('accepted', 'running') AND accepted_at + ? * CASE WHEN timeout_ms > 0 THEN timeout_ms ELSE ? END < ?
		UNION SELECT seq FROM jobs WHERE state = 'queued' AND expires_at > 0 AND expires_at < ?
		UNION SELECT seq FROM jobs WHERE ` + open + ` AND state IN ('queued', 'offered') AND executor = 'agent' AND attempt = 0 AND epoch >= ?)
		ORDER BY seq LIMIT ?`
	all := append(append([]any{}, args...), due, stuckTimes, agentMaxRun.Milliseconds(), due, due, stuckOffers, n)
	return rows, tx.Raw(q, all...).Scan(&rows).Error
}
