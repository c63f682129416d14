package jobs

import (
	"context"
	"errors"
	"fmt"

	"ostler/agents/wire"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
)

// sweepBatch bounds the overdue jobs of one pass.
const sweepBatch = 500

// sweep deals with what no executor will: jobs whose time is over, offers that
// nobody accepted, workers and hosts that are gone. Each job has a transaction
// of its own: one whose end fails does not hold the others up.
func (j *Jobs) sweep(ctx context.Context) error {
	var ids []string
	err := j.db.Read(ctx, func(tx *db.Tx) (err error) {
		ids, err = overdue(tx, sweepBatch)
		return err
	})
	if err != nil {
		return fmt.Errorf("jobs: sweep: %w", err)
	}
	var errs []error
	for _, id := range ids {
		if err := j.withRow(ctx, id, j.sweepRow); err != nil && !errors.Is(err, errMoved) {
			errs = append(errs, fmt.Errorf("jobs: sweep %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

func (j *Jobs) sweepRow(tx *db.Tx, r *row) error {
	now := tx.NowMillis()
	switch {
	case r.State == Queued && r.ExpiresAt > 0 && r.ExpiresAt <= now:
		return j.move(tx, r, Expired, nil)
	case !r.State.Active() || r.LeaseUntil > now:
		return nil // it has moved on since it was listed
	case r.State == Offered && r.CancelAsked == 1:
		return j.move(tx, r, Cancelled, nil)
	case r.State == Offered:
		return j.move(tx, r, Queued, func(r *row) { r.LeaseUntil = 0 })
	case r.Executor == string(Plane) && r.CancelAsked == 1:
		return j.move(tx, r, Cancelled, nil)
	}
	failure := wire.Failure{Cause: wire.CauseTimeout, Detail: "the server was silent until the job's time was over"}
	switch {
	case r.Executor == string(Plane):
		failure = wire.Failure{Cause: wire.CauseInternal, Detail: "the worker stopped in the middle"}
	case r.Lost == 1:
		failure = wire.Failure{Cause: wire.CauseInternal, Detail: "the agent came back and does not work at it any more"}
	}
	return j.settle(tx, r, Interrupted, &failure, nil)
}

// wakeServers wakes the agents whose jobs' time has come since the last pass.
func (j *Jobs) wakeServers(ctx context.Context) error {
	var servers []string
	var now int64
	j.mu.Lock()
	since := j.wokenAt
	j.mu.Unlock()
	err := j.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.NowMillis()
		servers, err = dueServers(tx, since)
		return err
	})
	if err != nil {
		return fmt.Errorf("jobs: wake: %w", err)
	}
	j.mu.Lock()
	j.wokenAt = now
	j.mu.Unlock()
	for _, s := range servers {
		j.publish(bus.TopicAgentJobs(s))
	}
	return nil
}
