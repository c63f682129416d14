package jobs

import (
	"context"
	"errors"
	"fmt"

	"ostler/agents/wire"
	"ostler/controlplane/db"
)

// Said is what an agent says of a job: that it is in the host's journal, or
// how it ended.
type Said struct {
	Accept *wire.JobRef
	Result *wire.Result // where it is no accept
}

// Hear is Accept and Finish for what an agent says at one time, in one
// transaction, in its order: ok has the answer to each. Where one of them
// cannot be stored none is; Accept and Finish then tell which.
func (j *Jobs) Hear(ctx context.Context, server, agent string, said []Said) (ok []bool, err error) {
	ended := map[wire.JobRef]bool{}
	for _, s := range said {
		if s.Result != nil {
			ended[s.Result.JobRef] = true
		}
	}
	err = j.db.Write(asAgent(ctx, agent), func(tx *db.Tx) error {
		ok = make([]bool, len(said))
		for i, s := range said {
			var err error
			switch {
			case s.Result != nil:
				ok[i], err = j.finishIn(tx, server, agent, *s.Result)
			case ended[*s.Accept]:
				ok[i] = true // its result says so too
			default:
				ok[i], err = j.acceptIn(tx, server, agent, *s.Accept)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: hear: %w", err)
	}
	for ref := range ended {
		j.forgetProgress(server, ref.Job)
	}
	return ok, nil
}

// Accept stores that the job is in the host's journal: from now on it is
// delivered. ok is false where the offer is no longer good; the host then must
// not start. An accept that comes again, or late but in the newest epoch, is good.
func (j *Jobs) Accept(ctx context.Context, server, agent string, ref wire.JobRef) (ok bool, err error) {
	err = j.db.Write(asAgent(ctx, agent), func(tx *db.Tx) (err error) {
		ok, err = j.acceptIn(tx, server, agent, ref)
		return err
	})
	if errors.Is(err, errMoved) || db.IsDuplicate(err) {
		return false, nil // a cancel, or another job of the resource, was faster
	}
	if err != nil {
		return false, fmt.Errorf("jobs: accept: %w", err)
	}
	return ok, nil
}

func (j *Jobs) acceptIn(tx *db.Tx, server, agent string, ref wire.JobRef) (bool, error) {
	customer, ok, err := acceptRow(tx, server, agent, ref.Job, ref.Epoch)
	if err != nil {
		return false, err
	}
	if ok {
		j.wake(tx, &row{ID: ref.Job, Server: server, Customer: customer, Executor: string(Agent), State: Accepted})
		return true, nil
	}
	r, err := rowByID(tx, ref.Job)
	if err != nil || r == nil || !mine(r, server, agent, ref.Epoch) || r.State.Terminal() {
		return false, err
	}
	if r.State == Accepted || r.State == Running {
		return true, nil
	}
	return true, j.accept(tx, r)
}

func (j *Jobs) accept(tx *db.Tx, r *row) error {
	return j.move(tx, r, Accepted, func(r *row) {
		start(r, tx.NowMillis())
		r.LeaseUntil = tx.NowMillis() + runLease(r).Milliseconds()
	})
}

// Finish takes a job's result where server, agent and epoch are right. known
// says that the plane needs nothing more of this epoch and the host may forget
// it: the result is stored now or was before, or the job is over. Where it is
// false the host keeps the result, and sends it in the epoch of the next offer.
func (j *Jobs) Finish(ctx context.Context, server, agent string, res wire.Result) (known bool, err error) {
	err = j.db.Write(asAgent(ctx, agent), func(tx *db.Tx) (err error) {
		known, err = j.finishIn(tx, server, agent, res)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("jobs: finish: %w", err)
	}
	j.forgetProgress(server, res.Job)
	return known, nil
}

func (j *Jobs) finishIn(tx *db.Tx, server, agent string, res wire.Result) (known bool, err error) {
	r, err := rowByID(tx, res.Job)
	if err != nil || r == nil {
		return false, err
	}
	return j.finish(tx, r, server, agent, res)
}

func (j *Jobs) finish(tx *db.Tx, r *row, server, agent string, res wire.Result) (known bool, err error) {
	to, ok := outcomes[res.Outcome]
	switch {
	case !ok:
		return false, fmt.Errorf("%s: unknown outcome %q", res.Job, res.Outcome)
	case r.Server != server || r.Executor != string(Agent):
		return false, nil
	case r.State.Terminal() || res.Epoch <= r.SettledEpoch:
		return true, nil
	case !mine(r, server, agent, res.Epoch):
		return false, nil
	}
	if r.State == Queued || r.State == Offered { // its accept was lost on the way
		start(r, tx.NowMillis())
	}
	r.SettledEpoch = res.Epoch
	failure := res.Failure
	if failure == nil && (to == Failed || to == Interrupted) {
		failure = &wire.Failure{Cause: wire.CauseInternal}
	}
	return true, j.settle(tx, r, to, failure, res.Data)
}
