package jobs

import (
	"fmt"
	"regexp"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
)

// Times of the delivery.
const (
	offerLease  = 30 * time.Second // an offer without an accept is offered again after it
	planeLease  = time.Minute      // of a job of the plane; renewed while it runs
	lostLease   = 2 * time.Minute  // for the spooled result of a job that the host does not work at
	agentGrace  = 15 * time.Minute // after a job's timeout, for a silent agent
	agentMaxRun = 24 * time.Hour   // where an agent's job has no timeout of its own
)

// runLease is how long an agent's job may stay unheard of.
func runLease(r *row) time.Duration {
	timeout := time.Duration(r.TimeoutMillis) * time.Millisecond
	if timeout <= 0 {
		timeout = agentMaxRun
	}
	return timeout + agentGrace
}

// move takes a job to another state, writes what change does to it, and runs
// the kind's Done where that ends it.
func (j *Jobs) move(tx *db.Tx, r *row, to State, change func(*row)) error {
	from, epoch := r.State, r.Epoch
	if !from.Allows(to) {
		return fmt.Errorf("jobs: %s may not go from %s to %s", r.ID, from, to)
	}
	r.State = to
	if change != nil {
		change(r)
	}
	if to.Terminal() {
		r.FinishedAt, r.LeaseUntil, r.Lost = tx.NowMillis(), 0, 0
	}
	if err := save(tx, r, from, epoch); err != nil {
		return err
	}
	j.wake(tx, r)
	if !to.Terminal() {
		return nil
	}
	handler := j.handler(r.Kind)
	if handler.Done == nil {
		return nil
	}
	job, err := j.job(r)
	if err != nil {
		return err
	}
	if err := handler.Done(tx, job); err != nil {
		return fmt.Errorf("jobs: end of %s %s: %w", r.Kind, r.ID, err)
	}
	return nil
}

// wake publishes a job's change after the commit, and wakes the executor where
// something may be due.
func (j *Jobs) wake(tx *db.Tx, r *row) {
	topics := []string{bus.TopicJob(r.ID)}
	if r.Server != "" {
		topics = append(topics, bus.TopicServer(r.Server))
	}
	if r.Customer != "" {
		topics = append(topics, bus.TopicCustomer(r.Customer))
	}
	successor := r.State.Terminal() && r.Resource != ""
	if successor || r.CancelAsked == 1 || r.State == Queued && r.NotBefore <= tx.NowMillis() {
		topics = append(topics, executorTopic(r))
		if r.CancelAsked == 1 && r.Executor == string(Agent) {
			topics = append(topics, bus.TopicAgentCancels(r.Server))
		}
		if successor && r.Executor == string(Agent) {
			topics = append(topics, bus.TopicPlaneJobs) // a resource may be shared by both
		}
	}
	tx.AfterCommit(func() { j.publish(topics...) })
}

func executorTopic(r *row) string {
	if r.Executor == string(Agent) {
		return bus.TopicAgentJobs(r.Server)
	}
	return bus.TopicPlaneJobs
}

func (j *Jobs) publish(topics ...string) {
	if j.bus != nil {
		j.bus.Publish(topics...)
	}
}

// settle ends an attempt: for good, or back into the queue where the kind may
// try again. f and result may be nil.
func (j *Jobs) settle(tx *db.Tx, r *row, to State, f *wire.Failure, result []byte) error {
	sealedResult, err := j.seal(r, "result", result)
	if err != nil {
		return err
	}
	f = bounded(f)
	var detail []byte
	if f != nil && f.Detail != "" {
		if detail, err = j.seal(r, "failure_detail", []byte(f.Detail)); err != nil {
			return err
		}
	}
	wait, again := j.again(tx, r, to, f)
	if again {
		to = Queued
	}
	return j.move(tx, r, to, func(r *row) {
		r.Result, r.FailureCause, r.FailureDetail = sealedResult, "", detail
		if f != nil {
			r.FailureCause = string(f.Cause)
		}
		if again {
			r.NotBefore, r.LeaseUntil, r.Lost, r.Progress = tx.Now.Add(wait).UnixMilli(), 0, 0, nil
		}
	})
}

// maxDetail bounds a failure's line, in characters.
const maxDetail = 1000

// causeForm is what a cause looks like. It is stored in clear and goes into
// the ledger: a host must not put anything else there.
var causeForm = regexp.MustCompile(`^[a-z][a-z_]{0,39}$`)

// bounded returns a failure as it may be stored, whatever a host made of it.
func bounded(f *wire.Failure) *wire.Failure {
	if f == nil {
		return nil
	}
	g := *f
	if !causeForm.MatchString(string(g.Cause)) {
		g.Cause = wire.CauseInternal
	}
	g.Detail = controlplane.Line(g.Detail, maxDetail)
	return &g
}

// again says whether an attempt that ended so is followed by another, and after
// which wait. What must run at most once is tried again only after a failure
// that the host reported, never after an interruption.
func (j *Jobs) again(tx *db.Tx, r *row, to State, f *wire.Failure) (time.Duration, bool) {
	if r.CancelAsked == 1 || r.Attempt >= r.MaxAttempts {
		return 0, false
	}
	h := j.handler(r.Kind)
	switch to {
	case Failed:
		retry := h.Retry
		if retry == nil {
			retry = DefaultRetry
		}
		if f == nil || !retry(*f) {
			return 0, false
		}
	case Interrupted:
		if r.restart() == wire.AtMostOnce {
			return 0, false
		}
	default:
		return 0, false
	}
	backoff := h.Backoff
	if backoff == nil {
		backoff = DefaultBackoff
	}
	wait := jitter(backoff(max(1, r.Attempt)), r.ID, r.Attempt)
	if r.ExpiresAt > 0 && tx.Now.Add(wait).UnixMilli() >= r.ExpiresAt {
		return 0, false
	}
	return wait, true
}

// start notes that a host or worker has begun an attempt.
func start(r *row, now int64) {
	r.Attempt++
	r.AcceptedAt, r.StartedAt, r.Lost = now, 0, 0
}
