package jobs

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// When a job counts as stuck.
const (
	stuckAfter  = time.Hour // after the instant at which a sweep should have moved it
	stuckTimes  = 2         // times its timeout, and stuckAfter, at work without an end
	stuckOffers = 30        // offers without one accept
	stuckMost   = 100
)

// StuckJob is an open job that nothing moves any more.
type StuckJob struct {
	Job
	Since time.Time // when it should have moved, or began
	Why   string    // a line without its full stop, for us
}

// Stuck lists open jobs that nothing moves any more (at most 100; more says that
// there are further ones), without parameters and results: their end cannot be
// stored, they work far beyond their time, or they are offered over and over and
// never accepted. What waits for its time, or for a server that is silent, is
// none of them.
func (j *Jobs) Stuck(ctx context.Context, scope policy.Scope) (items []StuckJob, more bool, err error) {
	err = j.db.Read(ctx, func(tx *db.Tx) error {
		items = nil
		first, args := inScope(scope)
		rows, err := stuck(tx, first, args, stuckMost+1)
		if err != nil {
			return err
		}
		more = len(rows) > stuckMost
		for _, r := range rows[:min(len(rows), stuckMost)] {
			job, err := j.job(r)
			if err != nil {
				return err
			}
			items = append(items, stuckJob(job, r, tx.NowMillis()))
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("jobs: stuck: %w", err)
	}
	return items, more, nil
}

func stuckJob(job Job, r *row, now int64) StuckJob {
	const ended = "Its time is over, and its end cannot be stored: the log of the control plane says why"
	switch {
	case r.State.Active() && r.LeaseUntil < now-stuckAfter.Milliseconds():
		return StuckJob{job, controlplane.FromMillis(r.LeaseUntil), ended}
	case r.State == Queued && r.ExpiresAt > 0 && r.ExpiresAt < now:
		return StuckJob{job, job.ExpiresAt, ended}
	case r.State == Accepted || r.State == Running:
		return StuckJob{job, job.AcceptedAt, "It has been at work for more than twice its time"}
	}
	return StuckJob{job, job.CreatedAt, fmt.Sprintf("It was offered %d times and never accepted", r.Epoch)}
}
