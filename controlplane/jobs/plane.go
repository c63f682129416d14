package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
)

// finishTries is how often the end of a job of the plane is written before it
// is left to the end of its lease.
const finishTries = 4

var errCancelled = errors.New("jobs: cancelled")

// claimPlane takes at most n due jobs for this process.
func (j *Jobs) claimPlane(ctx context.Context, n int) ([]*row, error) {
	kinds := j.planeKinds()
	if n <= 0 || len(kinds) == 0 {
		return nil, nil
	}
	rows, err := j.claim(ctx, n, nil, "q.executor = 'plane' AND q.kind IN ?", []any{kinds}, func(tx *db.Tx, r *row) {
		start(r, tx.NowMillis())
		r.State, r.StartedAt, r.Agent = Running, tx.NowMillis(), j.o.Replica
		r.LeaseUntil = tx.Now.Add(planeLease).UnixMilli()
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: claim: %w", err)
	}
	return rows, nil
}

// execute carries out a claimed job and writes its end.
func (j *Jobs) execute(ctx context.Context, r *row) {
	job, err := j.job(r)
	if err != nil {
		j.o.Log.ErrorContext(ctx, "jobs.open", "job.id", r.ID, "error", err)
		return
	}
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	limited, cancel := context.WithTimeout(run, job.Timeout)
	defer cancel()
	var guard sync.WaitGroup
	guard.Go(func() { j.guard(limited, r, stop) })
	result, err := j.call(limited, job)
	timedOut := errors.Is(limited.Err(), context.DeadlineExceeded)
	cause := context.Cause(run)
	cancel()
	guard.Wait()

	to, failure := Succeeded, (*wire.Failure)(nil)
	switch {
	case err == nil:
	case errors.Is(cause, errMoved):
		return // somebody else has the job
	case errors.Is(cause, errCancelled):
		to = Cancelled
	case ctx.Err() != nil:
		j.finishPlane(ctx, r, true, func(tx *db.Tx, now *row) error { return j.release(tx, now) })
		return
	case timedOut:
		to, failure = Failed, &wire.Failure{Cause: wire.CauseTimeout, Detail: "it took longer than " + job.Timeout.String()}
	default:
		f := failureOf(err)
		to, failure = Failed, &f
	}
	j.finishPlane(ctx, r, to != Succeeded, func(tx *db.Tx, now *row) error {
		now.SettledEpoch = now.Epoch
		return j.settle(tx, now, to, failure, result)
	})
}

// release gives a job back that the process's end stopped; it was no attempt.
func (j *Jobs) release(tx *db.Tx, r *row) error {
	if r.CancelAsked == 1 {
		return j.move(tx, r, Cancelled, nil)
	}
	return j.move(tx, r, Queued, func(r *row) { r.Attempt--; r.LeaseUntil = 0 })
}

// call runs the kind's Run; a panic is a failure.
func (j *Jobs) call(ctx context.Context, job Job) (result json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			j.o.Log.ErrorContext(ctx, "jobs.panic", "job.id", job.ID, "job.kind", job.Kind, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = Fail(wire.CauseInternal, fmt.Sprintf("panic: %v", p))
		}
	}()
	v, err := j.handler(job.Kind).Run(controlplane.System(ctx, "jobs"), job)
	if err != nil || v == nil {
		return nil, err
	}
	return json.Marshal(v)
}

// guard renews the lease while the job runs and stops it where it was cancelled
// or taken over.
func (j *Jobs) guard(ctx context.Context, r *row, stop context.CancelCauseFunc) {
	var woken <-chan string
	if j.bus != nil {
		ch, cancel := j.bus.Subscribe(bus.TopicJob(r.ID))
		defer cancel()
		woken = ch
	}
	renew := time.NewTicker(planeLease / 3)
	defer renew.Stop()
	look := j.watchPlane
	whole := context.WithoutCancel(ctx) // a query cut short costs its connection
	for {
		cancelled, err := look(whole, r)
		switch {
		case errors.Is(err, errMoved):
			stop(errMoved)
			return
		case err == nil && cancelled:
			stop(errCancelled)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-woken:
			look = j.watchPlane
		case <-renew.C:
			look = j.renewPlane
		}
	}
}

// watchPlane says whether a claim was asked to stop; errMoved where it is gone.
func (j *Jobs) watchPlane(ctx context.Context, r *row) (cancelled bool, err error) {
	err = j.db.Read(ctx, func(tx *db.Tx) error {
		now, err := claimStanding(tx, r.Seq)
		if err == nil {
			cancelled, err = claimStands(now, r)
		}
		return err
	})
	return cancelled, err
}

// renewPlane is watchPlane, and pushes the lease.
func (j *Jobs) renewPlane(ctx context.Context, r *row) (cancelled bool, err error) {
	err = j.db.Claim(ctx, func(tx *db.Tx) error {
		now, err := lockedRow(tx, r.ID)
		if err == nil {
			cancelled, err = claimStands(now, r)
		}
		if err != nil {
			return err
		}
		return tx.Exec("UPDATE jobs SET lease_until = ? WHERE seq = ?", tx.Now.Add(planeLease).UnixMilli(), r.Seq).Error
	})
	return cancelled, err
}

func claimStands(now, r *row) (cancelled bool, err error) {
	if now == nil || now.State != Running || now.Epoch != r.Epoch {
		return false, errMoved
	}
	return now.CancelAsked == 1, nil
}

// finishPlane writes the end of a run where the claim still holds. It outlives
// ctx: what was done is to be known. look says that the end depends on what was
// asked of the job meanwhile; a success does not.
func (j *Jobs) finishPlane(ctx context.Context, r *row, look bool, end func(tx *db.Tx, now *row) error) {
	ctx, cancel := context.WithTimeout(controlplane.System(context.WithoutCancel(ctx), "jobs"), 30*time.Second)
	defer cancel()
	var err error
	for try := range finishTries {
		if try > 0 {
			pause(ctx, 100*time.Millisecond<<try)
		}
		err = j.db.Write(ctx, func(tx *db.Tx) error {
			if !look {
				claimed := *r
				return end(tx, &claimed)
			}
			now, err := rowByID(tx, r.ID)
			if err != nil || now == nil || now.State != Running || now.Epoch != r.Epoch {
				return err
			}
			return end(tx, now)
		})
		if err == nil || errors.Is(err, errMoved) {
			return
		}
	}
	j.o.Log.ErrorContext(ctx, "jobs.finish", "job.id", r.ID, "job.kind", r.Kind, "error", err)
}

// Tick makes one pass: schedules, overdue jobs, waiting progress; and then the
// plane's due jobs, until none is due and all that it started have ended.
func (j *Jobs) Tick(ctx context.Context) error {
	ctx = j.asSystem(ctx)
	err := j.maintain(ctx)
	for ctx.Err() == nil {
		rows, claimErr := j.claimPlane(ctx, j.o.Workers)
		if claimErr != nil || len(rows) == 0 {
			return errors.Join(err, claimErr)
		}
		var wg sync.WaitGroup
		for _, r := range rows {
			wg.Go(func() { j.execute(ctx, r) })
		}
		wg.Wait()
	}
	return errors.Join(err, ctx.Err())
}

func (j *Jobs) asSystem(ctx context.Context) context.Context { return controlplane.System(ctx, "jobs") }

// maintain is the part of a pass that needs no worker.
func (j *Jobs) maintain(ctx context.Context) error {
	return errors.Join(j.runSchedules(ctx), j.sweep(ctx), j.flushProgress(ctx), j.wakeServers(ctx))
}

// Run carries out the plane's jobs, schedules, leases and expiry until ctx
// ends, and then waits for the jobs at work: they are stopped and given back.
// It returns nil.
func (j *Jobs) Run(ctx context.Context) error {
	ctx = j.asSystem(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { j.runWorkers(ctx) })
	wg.Go(func() {
		j.every(ctx, j.o.Sweep, func() error { return errors.Join(j.runSchedules(ctx), j.sweep(ctx), j.wakeServers(ctx)) })
	})
	wg.Go(func() { j.every(ctx, progressEvery, func() error { return j.flushProgress(ctx) }) })
	wg.Wait()
	return nil
}

// every runs pass about every d, spread by a fifth, until ctx ends.
func (j *Jobs) every(ctx context.Context, d time.Duration, pass func() error) {
	for ctx.Err() == nil {
		if err := pass(); err != nil && ctx.Err() == nil {
			j.o.Log.ErrorContext(ctx, "jobs.pass", "error", err)
		}
		pause(ctx, d-d/5+rand.N(d/5*2))
	}
}

// runWorkers claims due jobs while workers are free.
func (j *Jobs) runWorkers(ctx context.Context) {
	var woken <-chan string
	if j.bus != nil {
		ch, cancel := j.bus.Subscribe(bus.TopicPlaneJobs)
		defer cancel()
		woken = ch
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	freed := make(chan struct{}, j.o.Workers)
	free, due := j.o.Workers, true // due: there may be jobs that nobody has claimed
	for ctx.Err() == nil {
		if due && free > 0 {
			rows, err := j.claimPlane(ctx, free)
			if err != nil && ctx.Err() == nil {
				j.o.Log.ErrorContext(ctx, "jobs.claim", "error", err)
			}
			due = len(rows) == free
			for _, r := range rows {
				free--
				wg.Go(func() { defer func() { freed <- struct{}{} }(); j.execute(ctx, r) })
			}
		}
		sweep := time.NewTimer(j.o.Sweep - j.o.Sweep/5 + rand.N(j.o.Sweep/5*2))
		select {
		case <-ctx.Done():
		case <-woken:
			due = true
		case <-freed:
			free++
		case <-sweep.C:
			due = true
		}
		sweep.Stop()
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
