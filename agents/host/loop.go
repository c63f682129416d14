package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// task is a job that was offered and has no result yet.
type task struct {
	env     wire.Envelope
	epoch   int64
	running bool
	cancel  context.CancelCauseFunc // of a running one
}

// Why a job's context ended.
var (
	errCancelled = errors.New("cancelled by the plane")
	errTimeout   = errors.New("the job's time was over")
)

// recoverJobs gives every job that was running when the agent stopped its end:
// at-most-once ones are interrupted; the others wait for a new offer.
func (a *Agent) recoverJobs() error {
	for _, e := range a.journal.In(JobStarted) {
		if r, ok := a.spool.Get(e.Job); ok { // stopped between spool and journal
			e.Outcome = r.Outcome
			if err := a.journal.Finish(e); err != nil {
				return err
			}
			continue
		}
		if e.Action.Restart() != wire.AtMostOnce {
			continue
		}
		a.log.Warn("job.interrupted", "job", e.Job, "action", string(e.Action))
		r := wire.Result{JobRef: wire.JobRef{Job: e.Job, Epoch: e.Epoch}, Outcome: wire.Interrupted, StartedAt: e.At, EndedAt: a.now().UnixMilli(),
			Failure: &wire.Failure{Cause: wire.CauseInternal, Detail: "the agent or the server stopped in the middle"}}
		if err := a.spool.Put(r); err != nil {
			return err
		}
		e.Outcome = r.Outcome
		if err := a.journal.Finish(e); err != nil {
			return err
		}
	}
	return nil
}

// runningRefs are the jobs that run now, for Hello.
func (a *Agent) runningRefs() []wire.JobRef {
	a.mu.Lock()
	defer a.mu.Unlock()
	var refs []wire.JobRef
	for _, id := range a.order {
		if t := a.tasks[id]; t.running {
			refs = append(refs, wire.JobRef{Job: id, Epoch: t.epoch})
		}
	}
	return refs
}

// offered takes or refuses one offer.
func (a *Agent) offered(o wire.Offer) {
	policy, err := LoadPolicy(a.o.PolicyDirs...)
	if err != nil {
		a.log.Error("policy.unreadable", "err", err)
		policy = Policy{} // allows nothing
	}
	a.mu.Lock()
	id := a.identity
	a.mu.Unlock()
	now := a.clock(policy)
	env, refused := verifier{server: id.Server, keys: id.SignerKeys, policy: policy, now: now}.verify(o.Envelope)
	ref := wire.JobRef{Job: env.Job, Epoch: o.Epoch}
	if refused != nil && refused.failure.Cause == wire.CauseSignature {
		a.reject(ref, refused.failure)
		return
	}
	if a.offeredAgain(ref) {
		return
	}
	switch {
	case refused != nil && refused.expired:
		a.finish(Entry{Job: env.Job, Epoch: o.Epoch, Action: env.Action, Resource: env.Resource, Until: env.ExpiresAt},
			wire.Result{JobRef: ref, Outcome: wire.Expired, Failure: &refused.failure, EndedAt: a.now().UnixMilli()})
	case refused != nil:
		a.reject(ref, refused.failure)
	default:
		a.mu.Lock()
		a.tasks[env.Job] = &task{env: env, epoch: o.Epoch}
		a.order = append(a.order, env.Job)
		a.mu.Unlock()
		a.schedule()
	}
}

// clock is what an envelope's times are compared with: the host's own clock,
// or the plane's simulated one where the host's policy allows that.
func (a *Agent) clock(p Policy) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.SimulatedTime {
		return a.now().Add(a.planeAhead)
	}
	return a.now()
}

func (a *Agent) reject(ref wire.JobRef, f wire.Failure) {
	if !jobName.MatchString(ref.Job) {
		a.log.Error("job.unreadable_offer", "cause", string(f.Cause), "detail", f.Detail)
		return
	}
	a.log.Warn("job.rejected", "job", ref.Job, "cause", string(f.Cause), "detail", f.Detail)
	a.send(wire.Frame{Type: wire.FrameReject, Reject: &wire.Reject{JobRef: ref, Failure: f}})
}

// offeredAgain handles the offer of a job that is known already, and reports
// whether it was. An older epoch is ignored.
func (a *Agent) offeredAgain(ref wire.JobRef) bool {
	a.mu.Lock()
	if t := a.tasks[ref.Job]; t != nil {
		newer := ref.Epoch >= t.epoch
		t.epoch = max(t.epoch, ref.Epoch)
		running := t.running
		a.mu.Unlock()
		if newer && running {
			a.setEpoch(ref)
			a.send(wire.Frame{Type: wire.FrameAccept, JobRef: &ref})
		}
		return true
	}
	r, kept := a.unspooled[ref.Job]
	if kept {
		r.Epoch = max(r.Epoch, ref.Epoch)
		a.unspooled[ref.Job] = r
	}
	a.mu.Unlock()
	if kept {
		a.send(wire.Frame{Type: wire.FrameResult, Result: &r})
		return true
	}
	e, ok := a.journal.Get(ref.Job)
	if !ok || e.MayStart(ref.Epoch) {
		return false
	}
	a.setEpoch(ref)
	e.Epoch = ref.Epoch // even an older one: a plane that was restored counts anew
	r, ok = a.result(e)
	if !ok {
		r = wire.Result{JobRef: ref, Outcome: wire.Failed, EndedAt: e.At,
			Failure: &wire.Failure{Cause: wire.CauseInternal, Detail: "it ran before on this host; its result is not kept any more"}}
	}
	a.send(wire.Frame{Type: wire.FrameResult, Result: &r})
	return true
}

func (a *Agent) setEpoch(ref wire.JobRef) {
	if err := a.journal.SetEpoch(ref.Job, ref.Epoch); err != nil {
		a.log.Warn("journal.epoch", "job", ref.Job, "err", err)
	}
}

// result returns the spooled result of a finished job in its newest epoch.
func (a *Agent) result(e Entry) (wire.Result, bool) {
	r, ok := a.spool.Get(e.Job)
	r.Epoch = e.Epoch
	return r, ok
}

// acked forgets a result that the plane has.
func (a *Agent) acked(ref wire.JobRef) {
	a.mu.Lock()
	delete(a.unspooled, ref.Job)
	a.mu.Unlock()
	e, ok := a.journal.Get(ref.Job)
	if !ok || e.State != JobFinished {
		return
	}
	if err := a.journal.Ack(ref.Job); err != nil {
		a.log.Error("journal.ack", "job", ref.Job, "err", err)
		return
	}
	a.spool.Acked(ref.Job, e.Action)
}

// cancelled ends a job, or sees to it that it never starts.
func (a *Agent) cancelled(ref wire.JobRef) {
	if !jobName.MatchString(ref.Job) {
		return
	}
	a.mu.Lock()
	t := a.tasks[ref.Job]
	if t != nil && ref.Epoch < t.epoch {
		a.mu.Unlock()
		return
	}
	if t != nil && t.running {
		t.cancel(errCancelled)
		a.mu.Unlock()
		return
	}
	entry := Entry{Job: ref.Job, Epoch: ref.Epoch, Until: a.now().Add(Remember).UnixMilli()}
	if t != nil {
		entry.Action, entry.Resource, entry.Until = t.env.Action, t.env.Resource, t.env.ExpiresAt
		a.drop(ref.Job)
	}
	a.mu.Unlock()
	if e, ok := a.journal.Get(ref.Job); ok && e.State != JobStarted {
		a.offeredAgain(ref) // it has its result
		return
	}
	a.finish(entry, wire.Result{JobRef: ref, Outcome: wire.Cancelled, EndedAt: a.now().UnixMilli()})
}

// drop removes a task; a.mu is held.
func (a *Agent) drop(job string) {
	delete(a.tasks, job)
	a.order = slices.DeleteFunc(a.order, func(id string) bool { return id == job })
}

// dropWaiting forgets the jobs that have not started: what happens to them
// without a connection, a cancel say, would not be heard. The plane offers them
// again. a.mu is held.
func (a *Agent) dropWaiting() {
	for _, id := range slices.Clone(a.order) {
		if !a.tasks[id].running {
			a.drop(id)
		}
	}
}

// schedule starts what may start: one job for each resource, so many in all,
// in the order of the offers.
func (a *Agent) schedule() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.base == nil || a.stopping {
		return
	}
	for _, id := range a.order {
		t := a.tasks[id]
		kind, places := weight(t.env.Action, a.o.Parallel)
		if t.running || a.busy[t.env.Resource] || a.running[kind] >= places {
			continue
		}
		ctx, cancel := context.WithCancelCause(a.base)
		t.running, t.cancel = true, cancel
		a.busy[t.env.Resource] = true
		a.running[kind]++
		a.work.Go(func() {
			a.run(ctx, t)
			cancel(nil)
			a.mu.Lock()
			if a.tasks[t.env.Job] == t { // not yet offered again
				a.drop(t.env.Job)
			}
			a.busy[t.env.Resource] = false
			delete(a.busy, t.env.Resource)
			a.running[kind]--
			idle := a.running == [2]int{}
			a.mu.Unlock()
			if idle {
				a.freeLater()
			}
			a.schedule()
		})
	}
}

// run takes one job from its start in the journal to its result in the spool.
func (a *Agent) run(ctx context.Context, t *task) {
	env := t.env
	entry := Entry{Job: env.Job, Epoch: a.epochOf(t), Action: env.Action, Resource: env.Resource, Until: env.ExpiresAt}
	started := a.now().UnixMilli()
	if policy, err := LoadPolicy(a.o.PolicyDirs...); err != nil || a.clock(policy).UnixMilli() > env.ExpiresAt {
		a.finish(entry, wire.Result{JobRef: wire.JobRef{Job: env.Job, Epoch: entry.Epoch}, Outcome: wire.Expired, EndedAt: started,
			Failure: &wire.Failure{Cause: wire.CauseTimeout, Detail: "its time was over before a place to run was free"}})
		return
	}
	err := a.spool.Remove(env.Job)
	if err == nil {
		err = a.journal.Start(entry)
	}
	if err != nil {
		a.log.Error("job.not_started", "job", env.Job, "err", err)
		if !errors.Is(err, ErrStartedBefore) {
			a.conclude(wire.Result{JobRef: wire.JobRef{Job: env.Job, Epoch: entry.Epoch}, Outcome: wire.Failed,
				StartedAt: started, EndedAt: started, Failure: &wire.Failure{Cause: diskCause(err), Detail: "the agent cannot write its journal, so the job was not started"}}, false)
		}
		return
	}
	ref := wire.JobRef{Job: env.Job, Epoch: a.epochOf(t)}
	a.send(wire.Frame{Type: wire.FrameAccept, JobRef: &ref})
	a.log.Info("job.start", "job", env.Job, "action", string(env.Action))

	limit := defaultTimeout(env.Action)
	if env.TimeoutSeconds > 0 {
		limit = time.Duration(env.TimeoutSeconds) * time.Second
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTimeout)
	defer cancel()
	r := wire.Result{StartedAt: started}
	data, err := a.perform(ctx, t)
	r.EndedAt = a.now().UnixMilli()
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		r.Outcome = wire.Succeeded
		r.Data, err = json.Marshal(data)
		if err != nil {
			r.Outcome, r.Failure = wire.Failed, &wire.Failure{Cause: wire.CauseInternal, Detail: "the result cannot be encoded"}
		}
	case errors.Is(cause, errShutdown) && env.Action.Restart() != wire.AtMostOnce:
		a.log.Info("job.left", "job", env.Job) // it runs again when it is offered again
		return
	case errors.Is(cause, errShutdown):
		r.Outcome, r.Failure = wire.Interrupted, &wire.Failure{Cause: wire.CauseInternal, Detail: "the agent was stopped in the middle"}
	case errors.Is(cause, errCancelled):
		r.Outcome = wire.Cancelled
	case errors.Is(cause, errTimeout):
		r.Outcome, r.Failure = wire.Failed, &wire.Failure{Cause: wire.CauseTimeout, Detail: fmt.Sprintf("not done after %s", limit)}
	default:
		r.Outcome, r.Failure = wire.Failed, failureOf(err)
	}
	a.log.Info("job.end", "job", env.Job, "outcome", string(r.Outcome), "err", helper.Unnamed(err))
	r.JobRef = wire.JobRef{Job: env.Job, Epoch: a.epochOf(t)}
	entry.Epoch = r.Epoch
	a.finish(entry, r)
}

func (a *Agent) epochOf(t *task) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return t.epoch
}

// finish makes a result durable and sends it. Where the disk cannot take it,
// it is kept in memory and sent all the same.
func (a *Agent) finish(e Entry, r wire.Result) {
	e.Outcome = r.Outcome
	err := a.spool.Put(r)
	if err == nil {
		err = a.journal.Finish(e)
	}
	if err != nil {
		a.log.Error("job.result_not_on_disk", "job", r.Job, "err", err)
	}
	a.conclude(r, err != nil)
}

// conclude ends the task of a result and then sends it: the plane may offer the
// job again at once, and must not be told then that it is running. An offer that
// came meanwhile has its epoch in the result. What is to be kept stays in memory
// until the plane has it.
func (a *Agent) conclude(r wire.Result, keep bool) {
	a.mu.Lock()
	if t := a.tasks[r.Job]; t != nil {
		r.Epoch = max(r.Epoch, t.epoch)
		a.drop(r.Job)
	}
	if keep {
		a.unspooled[r.Job] = r
	}
	a.mu.Unlock()
	a.setEpoch(r.JobRef) // of what Finish wrote over
	a.send(wire.Frame{Type: wire.FrameResult, Result: &r})
}

// perform runs the action. A panic in one job is that job's failure.
func (a *Agent) perform(ctx context.Context, t *task) (data any, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("job.panic", "job", t.env.Job, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("host: panic in an action")
		}
	}()
	return a.act(ctx, t)
}
