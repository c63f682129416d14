package jobs

import (
	"context"
	"errors"
	"fmt"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
)

// offerBatch bounds the offers of one call.
const offerBatch = 32

// Offers takes what is due for a server and returns it signed, each job in a
// new epoch: of each resource the first, while none of it is out. What was
// offered to another agent of the server, or not accepted in 30 s, is offered
// again. Where sign fails, the jobs go back into the queue.
func (j *Jobs) Offers(ctx context.Context, server, agent string, sign func(wire.Envelope) (wire.SignedEnvelope, error)) ([]wire.Offer, error) {
	ctx = asAgent(ctx, agent)
	takeBack := func(tx *db.Tx) error {
		return tx.Exec(`UPDATE jobs SET state = 'queued', lease_until = 0 WHERE server = ? AND executor = 'agent' AND state = 'offered'
			AND cancel_asked = 0 AND (agent <> ? OR lease_until <= ?)`, server, agent, tx.NowMillis()).Error
	}
	rows, err := j.claim(ctx, offerBatch, takeBack, "q.executor = 'agent' AND q.server = ?", []any{server}, func(tx *db.Tx, r *row) {
		r.State, r.Agent = Offered, agent
		r.LeaseUntil = tx.Now.Add(offerLease).UnixMilli()
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: offers: %w", err)
	}
	offers := make([]wire.Offer, 0, len(rows))
	var errs []error
	for _, r := range rows {
		o, err := j.offer(r, sign)
		if err != nil {
			errs = append(errs, fmt.Errorf("jobs: offer %s: %w", r.ID, err))
			errs = append(errs, j.withRow(ctx, r.ID, func(tx *db.Tx, now *row) error {
				if now.State != Offered || now.Epoch != r.Epoch {
					return nil
				}
				return j.move(tx, now, Queued, func(r *row) { r.LeaseUntil = 0; r.NotBefore = tx.Now.Add(offerLease).UnixMilli() })
			}))
			continue
		}
		offers = append(offers, o)
	}
	return offers, errors.Join(errs...)
}

func (j *Jobs) offer(r *row, sign func(wire.Envelope) (wire.SignedEnvelope, error)) (wire.Offer, error) {
	job, err := j.job(r)
	if err != nil {
		return wire.Offer{}, err
	}
	signed, err := sign(wire.Envelope{
		Job: r.ID, Server: r.Server, Action: wire.Action(r.Kind), Resource: r.Resource, Params: job.Params,
		NotBefore: r.NotBefore, ExpiresAt: r.ExpiresAt, TimeoutSeconds: int((r.TimeoutMillis + 999) / 1000),
	})
	return wire.Offer{Epoch: r.Epoch, Envelope: signed}, err
}

// Accept stores that the job is in the host's journal: from now on it is
// delivered. ok is false where the offer is no longer good; the host then must
// not start. An accept that comes again, or late but in the newest epoch, is good.
func (j *Jobs) Accept(ctx context.Context, server, agent string, ref wire.JobRef) (ok bool, err error) {
	err = j.withRow(asAgent(ctx, agent), ref.Job, func(tx *db.Tx, r *row) error {
		ok = false
		if !mine(r, server, agent, ref.Epoch) || r.State.Terminal() {
			return nil
		}
		ok = true
		if r.State == Accepted || r.State == Running {
			return nil
		}
		return j.accept(tx, r)
	})
	if errors.Is(err, errMoved) || db.IsDuplicate(err) {
		return false, nil // a cancel, or another job of the resource, was faster
	}
	if err != nil {
		return false, fmt.Errorf("jobs: accept: %w", err)
	}
	return ok, nil
}

func (j *Jobs) accept(tx *db.Tx, r *row) error {
	return j.move(tx, r, Accepted, func(r *row) {
		start(r, tx.NowMillis())
		r.LeaseUntil = tx.NowMillis() + runLease(r).Milliseconds()
	})
}

// Reject ends a job that the host refuses for good.
func (j *Jobs) Reject(ctx context.Context, server, agent string, rej wire.Reject) error {
	err := j.withRow(asAgent(ctx, agent), rej.Job, func(tx *db.Tx, r *row) error {
		if !mine(r, server, agent, rej.Epoch) || !r.State.Allows(Rejected) {
			return nil
		}
		return j.settle(tx, r, Rejected, &rej.Failure, nil)
	})
	if err != nil {
		return fmt.Errorf("jobs: reject: %w", err)
	}
	j.forgetProgress(server, rej.Job)
	return nil
}

// Finish takes a job's result where server, agent and epoch are right. known
// says that the plane needs nothing more of this epoch and the host may forget
// it: the result is stored now or was before, or the job is over. Where it is
// false the host keeps the result, and sends it in the epoch of the next offer.
func (j *Jobs) Finish(ctx context.Context, server, agent string, res wire.Result) (known bool, err error) {
	err = j.withRow(asAgent(ctx, agent), res.Job, func(tx *db.Tx, r *row) (err error) {
		known, err = j.finish(tx, r, server, agent, res)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("jobs: finish: %w", err)
	}
	j.forgetProgress(server, res.Job)
	return known, nil
}

// FinishAll is Finish for what an agent has spooled, in one transaction: it
// returns those that are known. Where one of them cannot be stored none is;
// Finish then tells which.
func (j *Jobs) FinishAll(ctx context.Context, server, agent string, results []wire.Result) (known []wire.JobRef, err error) {
	err = j.db.Write(asAgent(ctx, agent), func(tx *db.Tx) error {
		known = nil
		for _, res := range results {
			r, err := rowByID(tx, res.Job)
			if err != nil {
				return err
			}
			if r == nil {
				continue
			}
			ok, err := j.finish(tx, r, server, agent, res)
			if err != nil {
				return err
			}
			if ok {
				known = append(known, res.JobRef)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: finish: %w", err)
	}
	for _, res := range results {
		j.forgetProgress(server, res.Job)
	}
	return known, nil
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

// CancelAsked returns the jobs of a server that are out and are to stop.
func (j *Jobs) CancelAsked(ctx context.Context, server string) (refs []wire.JobRef, err error) {
	err = j.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := find(tx, 200, "server = ? AND executor = 'agent' AND state IN ('offered', 'accepted', 'running') AND cancel_asked = 1", server)
		for _, r := range rows {
			refs = append(refs, r.ref())
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: cancel asked: %w", err)
	}
	return refs, nil
}

// Renew notes that the host still works at these jobs.
func (j *Jobs) Renew(ctx context.Context, server string, refs []wire.JobRef) error {
	if len(refs) == 0 {
		return nil
	}
	err := j.db.Claim(ctx, func(tx *db.Tx) error {
		for _, ref := range refs {
			if err := renewRow(tx, server, ref); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("jobs: renew: %w", err)
	}
	return nil
}

// renewRow pushes the lease of one job at work.
func renewRow(tx *db.Tx, server string, ref wire.JobRef) error {
	return tx.Exec(`UPDATE jobs SET lost = 0, lease_until = ? + CASE WHEN timeout_ms > 0 THEN timeout_ms ELSE ? END
		WHERE id = ? AND server = ? AND epoch = ? AND executor = 'agent' AND state IN ('accepted', 'running')`,
		tx.NowMillis()+agentGrace.Milliseconds(), agentMaxRun.Milliseconds(), ref.Job, server, ref.Epoch).Error
}

// Reconnected squares the table with what an agent says after Hello: what it
// works at is renewed, what was only offered goes back into the queue, and what
// it does not work at has two minutes for a spooled result to arrive.
func (j *Jobs) Reconnected(ctx context.Context, server, agent string, running []wire.JobRef) error {
	ctx = asAgent(ctx, agent)
	epochs := map[string]int64{}
	for _, ref := range running {
		epochs[ref.Job] = ref.Epoch
	}
	var ids []string
	err := j.db.Read(ctx, func(tx *db.Tx) error {
		return tx.Raw(`SELECT id FROM jobs WHERE server = ? AND executor = 'agent' AND state IN ('queued', 'offered', 'accepted', 'running') AND epoch > 0
			ORDER BY +seq`, server).Scan(&ids).Error
	})
	if err != nil {
		return fmt.Errorf("jobs: reconnected: %w", err)
	}
	for _, id := range ids {
		err := j.withRow(ctx, id, func(tx *db.Tx, r *row) error { return j.reconcile(tx, r, agent, epochs) })
		if err != nil && !errors.Is(err, errMoved) && !db.IsDuplicate(err) {
			return fmt.Errorf("jobs: reconnected: %w", err)
		}
	}
	j.publish("agent-jobs:" + server)
	return nil
}

// reconcile squares one job with what the agent works at.
func (j *Jobs) reconcile(tx *db.Tx, r *row, agent string, running map[string]int64) error {
	epoch, works := running[r.ID]
	works = works && epoch == r.Epoch && r.Agent == agent
	switch {
	case works && (r.State == Queued && r.SettledEpoch < epoch || r.State == Offered):
		return j.accept(tx, r)
	case works && r.State != Queued:
		return renewRow(tx, r.Server, r.ref())
	case r.State == Offered && r.CancelAsked == 1:
		return j.move(tx, r, Cancelled, nil)
	case r.State == Offered:
		return j.move(tx, r, Queued, func(r *row) { r.LeaseUntil = 0 })
	case (r.State == Accepted || r.State == Running) && r.Lost == 0:
		state, until := r.State, tx.Now.Add(lostLease).UnixMilli()
		r.Lost, r.LeaseUntil = 1, min(r.LeaseUntil, until)
		return save(tx, r, state, r.Epoch)
	}
	return nil
}

// mine says whether a frame of an agent in an epoch is about r as it is.
func mine(r *row, server, agent string, epoch int64) bool {
	return r.Executor == string(Agent) && r.Server == server && r.Agent == agent && r.Epoch == epoch && epoch > r.SettledEpoch
}

// asAgent makes the agent the actor where the context has none.
func asAgent(ctx context.Context, agent string) context.Context {
	if _, ok := controlplane.ActorFrom(ctx); ok {
		return ctx
	}
	return controlplane.WithActor(ctx, controlplane.Actor{Kind: controlplane.ActorAgent, ID: agent})
}

// withRow runs fn on a job's row in a write transaction; a job that does not
// exist is left alone.
func (j *Jobs) withRow(ctx context.Context, id string, fn func(tx *db.Tx, r *row) error) error {
	return j.db.Write(ctx, func(tx *db.Tx) error {
		r, err := rowByID(tx, id)
		if err != nil || r == nil {
			return err
		}
		return fn(tx, r)
	})
}
