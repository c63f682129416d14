package jobs

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Reason is why a job waits: a text key, its arguments and, where it is known,
// the instant at which the reason is over.
type Reason struct {
	Key   string
	Args  map[string]string
	Until time.Time
}

// Keys of reasons.
const (
	WhyNotBefore    = "why.not_before"      // its time has not come: until
	WhyBackoff      = "why.backoff"         // the last attempt failed: until, cause, attempt, max_attempts
	WhySilent       = "why.server_silent"   // the server is not connected: server, since
	WhyNeverSeen    = "why.server_never"    // the server has never connected: server
	WhyBusy         = "why.resource_busy"   // another job is at work on the same: job, title, since
	WhyBehind       = "why.behind"          // another job is before it: job, title
	WhyOffered      = "why.offered"         // sent, the server has not answered yet: since
	WhyAccepted     = "why.accepted"        // the server has it and has not begun
	WhyCancelAsked  = "why.cancel_asked"    // asked to stop
	WhyLost         = "why.lost"            // the agent came back without it: until
	WhyRunningQuiet = "why.running_silent"  // it runs, as far as we know, on a server that is silent: server, since
	WhySoon         = "why.soon"            // nothing stands in its way
	WhyOther        = "why.resource_hidden" // another job is at work on the same, which the reader may not see
)

// Why says why a job is not going on: every reason, the strongest first. It is
// empty for a job that runs or is over.
func (j *Jobs) Why(ctx context.Context, scope policy.Scope, id string) ([]Reason, error) {
	var (
		r, busy *row
		job     Job
		now     time.Time
	)
	err := j.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		if r, err = scoped(tx, scope, id); err != nil {
			return err
		}
		if r.State == Queued && r.Resource != "" {
			busy, err = blocker(tx, r)
		}
		return err
	})
	if err == nil {
		job, err = j.job(r)
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: why: %w", err)
	}
	if r.State.Terminal() {
		return nil, nil
	}
	reasons := stateReasons(job, r)
	if r.State == Queued {
		reasons = append(reasons, queueReasons(job, now)...)
	}
	silent, err := j.silence(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("jobs: why: %w", err)
	}
	reasons = append(reasons, silent...)
	if busy != nil {
		reasons = append(reasons, busyReason(scope, busy))
	}
	if len(reasons) == 0 && r.State == Queued {
		reasons = []Reason{{Key: WhySoon}}
	}
	return reasons, nil
}

// blocker is the job that r's resource waits for, nil where there is none.
func blocker(tx *db.Tx, r *row) (*row, error) {
	held, err := one(tx, "server = ? AND resource = ? AND state IN ('offered', 'accepted', 'running')", r.Server, r.Resource)
	if err != nil || held != nil {
		return held, err
	}
	return one(tx, "server = ? AND resource = ? AND "+open+" AND state = 'queued' AND seq < ? AND not_before <= ? AND (expires_at = 0 OR expires_at > ?)",
		r.Server, r.Resource, r.Seq, tx.NowMillis(), tx.NowMillis())
}

func stateReasons(job Job, r *row) (reasons []Reason) {
	if job.CancelAsked {
		reasons = append(reasons, Reason{Key: WhyCancelAsked})
	}
	switch {
	case r.Lost == 1:
		reasons = append(reasons, Reason{Key: WhyLost, Until: controlplane.FromMillis(r.LeaseUntil)})
	case r.State == Offered:
		reasons = append(reasons, Reason{Key: WhyOffered, Args: map[string]string{"since": controlplane.Instant(job.OfferedAt)}})
	case r.State == Accepted:
		reasons = append(reasons, Reason{Key: WhyAccepted})
	}
	return reasons
}

func queueReasons(job Job, now time.Time) []Reason {
	if !job.NotBefore.After(now) {
		return nil
	}
	args := map[string]string{"until": controlplane.Instant(job.NotBefore)}
	if job.Failure == nil {
		return []Reason{{Key: WhyNotBefore, Args: args, Until: job.NotBefore}}
	}
	args["cause"] = string(job.Failure.Cause)
	args["attempt"], args["max_attempts"] = strconv.Itoa(job.Attempt), strconv.Itoa(job.MaxAttempts)
	return []Reason{{Key: WhyBackoff, Args: args, Until: job.NotBefore}}
}

// silence asks when the job's server was last heard of.
func (j *Jobs) silence(ctx context.Context, r *row) ([]Reason, error) {
	if r.Executor != string(Agent) || j.o.LastHeard == nil {
		return nil, nil
	}
	at, connected, err := j.o.LastHeard(ctx, r.Server)
	if err != nil || connected {
		return nil, err
	}
	args := map[string]string{"server": r.Server}
	if at.IsZero() {
		return []Reason{{Key: WhyNeverSeen, Args: args}}, nil
	}
	args["since"] = controlplane.Instant(at)
	if r.State == Running || r.State == Accepted {
		return []Reason{{Key: WhyRunningQuiet, Args: args}}, nil
	}
	return []Reason{{Key: WhySilent, Args: args}}, nil
}

// busyReason names the other job only to those who may see it.
func busyReason(scope policy.Scope, busy *row) Reason {
	if !scope.All() && !scope.Allows(busy.Customer) {
		return Reason{Key: WhyOther}
	}
	args := map[string]string{"job": busy.ID, "title": busy.Title}
	if busy.State == Queued {
		return Reason{Key: WhyBehind, Args: args}
	}
	since := busy.StartedAt
	if since == 0 {
		since = busy.OfferedAt
	}
	args["since"] = controlplane.Instant(controlplane.FromMillis(since))
	return Reason{Key: WhyBusy, Args: args}
}
