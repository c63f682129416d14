package jobs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Filter narrows List; zero fields do not.
type Filter struct {
	Server, Customer, Subject string
	Kinds                     []string
	States                    []State
	Open                      bool // only jobs that are not over
	Limit                     int  // 0 is 50, at most 200
	PageToken                 string
}

// Get returns a job; not found outside the scope.
func (j *Jobs) Get(ctx context.Context, scope policy.Scope, id string) (Job, error) {
	var r *row
	err := j.db.Read(ctx, func(tx *db.Tx) (err error) {
		r, err = scoped(tx, scope, id)
		return err
	})
	if err != nil {
		return Job{}, fmt.Errorf("jobs: get: %w", err)
	}
	return j.job(r)
}

// List returns jobs, newest first, without their Params and Result.
func (j *Jobs) List(ctx context.Context, scope policy.Scope, f Filter) (items []Job, next string, err error) {
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	where, args, err := f.conditions(scope)
	if err != nil {
		return nil, "", err
	}
	var rows []*row
	order := "seq"
	if f.Open {
		order = "+seq" // few are open: find them by their partial index, then sort
	}
	err = j.db.Read(ctx, func(tx *db.Tx) error {
		return tx.Raw("SELECT "+listColumns+" FROM jobs WHERE "+where+" ORDER BY "+order+" DESC LIMIT ?", append(args, limit+1)...).Scan(&rows).Error
	})
	if err != nil {
		return nil, "", fmt.Errorf("jobs: list: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].Seq, 10)
	}
	items = make([]Job, 0, len(rows))
	for _, r := range rows {
		job, err := j.job(r)
		if err != nil {
			return nil, "", err
		}
		items = append(items, job)
	}
	return items, next, nil
}

// Count returns how many jobs there are of a filter, whatever its Limit says.
func (j *Jobs) Count(ctx context.Context, scope policy.Scope, f Filter) (n int, err error) {
	where, args, err := f.conditions(scope)
	if err != nil {
		return 0, err
	}
	err = j.db.Read(ctx, func(tx *db.Tx) error {
		rows := "SELECT seq FROM jobs WHERE " + where
		if f.Open {
			rows += " ORDER BY +seq" // as in List
		}
		return tx.Raw("SELECT COUNT(*) FROM ("+rows+") j", args...).Row().Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("jobs: count: %w", err)
	}
	return n, nil
}

func (f Filter) conditions(scope policy.Scope) (string, []any, error) {
	first, args := inScope(scope)
	where := []string{first}
	add := func(cond string, arg any) { where, args = append(where, cond), append(args, arg) }
	for _, c := range []struct{ column, value string }{{"server", f.Server}, {"customer_id", f.Customer}, {"subject", f.Subject}} {
		if c.value != "" {
			add(c.column+" = ?", c.value)
		}
	}
	if len(f.Kinds) > 0 {
		add("kind IN ?", f.Kinds)
	}
	if f.Open {
		where = append(where, open)
	}
	if len(f.States) > 0 {
		add("state IN ?", f.States)
	}
	if f.PageToken != "" {
		seq, err := strconv.ParseInt(f.PageToken, 10, 64)
		if err != nil {
			return "", nil, controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a page token of this list; leave it out to begin at the first page."})
		}
		add("seq < ?", seq)
	}
	return strings.Join(where, " AND "), args, nil
}

// Cancel stops a job: one that waits is cancelled at once, one that is out is
// asked to stop and ends when its executor says so. A job that is over is a
// conflict.
func (j *Jobs) Cancel(ctx context.Context, scope policy.Scope, id string) error {
	err := j.db.Write(ctx, func(tx *db.Tx) error {
		r, err := scoped(tx, scope, id)
		if err != nil {
			return err
		}
		return j.cancel(tx, r)
	})
	if err != nil {
		return fmt.Errorf("jobs: cancel: %w", err)
	}
	return nil
}

func (j *Jobs) cancel(tx *db.Tx, r *row) error {
	switch {
	case r.State.Terminal():
		return controlplane.Errorf(controlplane.CodeConflict, "There is nothing left to cancel; look at its result instead.", "This job is over already (%s)", r.State)
	case r.State == Queued:
		return j.move(tx, r, Cancelled, func(r *row) { r.CancelAsked = 1 })
	case r.CancelAsked == 1:
		return nil
	}
	r.CancelAsked = 1
	if err := save(tx, r, r.State, r.Epoch); err != nil {
		return err
	}
	j.wake(tx, r)
	return nil
}

// CancelOpen cancels a customer's jobs of one kind for a server's agent that are
// not over, as Cancel does, inside a transaction that takes their ground away.
// which chooses by the job's subject.
func (j *Jobs) CancelOpen(tx *db.Tx, server, customer, kind string, which func(subject string) (bool, error)) error {
	rows, err := find(tx, -1, "server = ? AND customer_id = ? AND executor = 'agent' AND kind = ? AND "+open, server, customer, kind)
	if err != nil {
		return fmt.Errorf("jobs: cancel open: %w", err)
	}
	for _, r := range rows {
		yes, err := which(r.Subject)
		if err == nil && yes {
			err = j.cancel(tx, r)
		}
		if err != nil {
			return fmt.Errorf("jobs: cancel open: %w", err)
		}
	}
	return nil
}

// waitPoll is how often Wait looks without a wake-up.
const waitPoll = 2 * time.Second

// Wait returns the job when it is over, or as it is after d.
func (j *Jobs) Wait(ctx context.Context, scope policy.Scope, id string, d time.Duration) (Job, error) {
	var woken <-chan string
	if j.bus != nil {
		ch, cancel := j.bus.Subscribe(bus.TopicJob(id))
		defer cancel()
		woken = ch
	}
	over := time.NewTimer(d)
	defer over.Stop()
	poll := time.NewTicker(waitPoll)
	defer poll.Stop()
	for {
		job, err := j.Get(ctx, scope, id)
		if err != nil || job.State.Terminal() {
			return job, err
		}
		select {
		case <-ctx.Done():
			return job, ctx.Err()
		case <-over.C:
			return j.Get(ctx, scope, id)
		case <-woken:
		case <-poll.C:
		}
	}
}

// Forget deletes jobs of these kinds that ended before an instant, a batch at a
// time, and returns how many: the answers to questions, and the plane's own
// sweeps, are of no use to anybody later. What was done stands in the ledger.
func (j *Jobs) Forget(ctx context.Context, kinds []string, before time.Time) (n int64, err error) {
	return j.forget(ctx, func(tx *db.Tx) ([]int64, error) { return endedBefore(tx, kinds, before) }, deleteJobs)
}

// ForgetBut is Forget but for the latest of each subject's jobs of these kinds:
// what they worked for still names it. It stays without its result and progress.
func (j *Jobs) ForgetBut(ctx context.Context, kinds []string, before time.Time) (n int64, err error) {
	n, err = j.forget(ctx, func(tx *db.Tx) ([]int64, error) { return followedBefore(tx, kinds, before) }, deleteJobs)
	if err != nil {
		return n, err
	}
	_, err = j.forget(ctx, func(tx *db.Tx) ([]int64, error) { return answeredBefore(tx, kinds, before) }, emptyJobs)
	return n, err
}

// forget finds jobs and drops them, a batch at a time.
func (j *Jobs) forget(ctx context.Context, find func(*db.Tx) ([]int64, error), drop func(*db.Tx, []int64) error) (n int64, err error) {
	for {
		var seqs []int64
		err := j.db.Read(ctx, func(tx *db.Tx) (err error) { seqs, err = find(tx); return err })
		if err == nil && len(seqs) > 0 {
			err = j.db.Write(ctx, func(tx *db.Tx) error { return drop(tx, seqs) })
		}
		batch := int64(len(seqs))
		n += batch
		if err != nil {
			return n, fmt.Errorf("jobs: forget: %w", err)
		}
		if batch < forgetBatch {
			return n, nil
		}
	}
}
