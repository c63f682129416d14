package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

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
		if !j.mayTakeBack(tx, server, agent) {
			return nil
		}
		return tx.Exec(`UPDATE jobs SET state = 'queued', lease_until = 0 WHERE server = ? AND executor = 'agent' AND `+open+` AND state = 'offered'
			AND cancel_asked = 0 AND (agent <> ? OR lease_until <= ?)`, server, agent, tx.NowMillis()).Error
	}
	rows, err := j.claim(ctx, offerBatch, takeBack, "q.executor = 'agent' AND q.server = ? AND q."+open, []any{server}, func(tx *db.Tx, r *row) {
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

// takeBackEvery is how often offers that were not accepted are looked for.
const takeBackEvery = time.Second

// tookBack is when the offers of a server were last taken back, and for whom.
type tookBack struct {
	agent string
	at    int64
}

// mayTakeBack says whether it is time to look for offers that nobody accepted;
// for another agent it always is.
func (j *Jobs) mayTakeBack(tx *db.Tx, server, agent string) bool {
	now := tx.NowMillis()
	j.mu.Lock()
	last := j.took[server]
	j.mu.Unlock()
	if since := now - last.at; last.agent == agent && since >= 0 && since < takeBackEvery.Milliseconds() {
		return false
	}
	tx.AfterCommit(func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.took[server] = tookBack{agent, now}
	})
	return true
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

// CancelAsked returns the jobs of a server that are out and are to stop.
func (j *Jobs) CancelAsked(ctx context.Context, server string) (refs []wire.JobRef, err error) {
	err = j.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := find(tx, 200, "server = ? AND executor = 'agent' AND "+open+" AND state IN ('offered', 'accepted', 'running') AND cancel_asked = 1", server)
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
		return tx.Raw(`SELECT id FROM jobs WHERE server = ? AND executor = 'agent' AND `+open+` AND epoch > 0
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
