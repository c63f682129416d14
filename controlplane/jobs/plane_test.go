package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
)

// mail is a job of the plane.
func mail(key string) jobs.Spec {
	return jobs.Spec{Kind: "mail.send", Executor: jobs.Plane, Customer: customer, Key: key}
}

func runs(run func(ctx context.Context, job jobs.Job) (any, error)) jobs.Handler {
	return jobs.Handler{Run: run}
}

func TestPlaneJobEnds(t *testing.T) {
	for _, c := range []struct {
		name        string
		run         func(ctx context.Context, job jobs.Job) (any, error)
		maxAttempts int
		want        jobs.State
		cause       wire.Cause
		detail      string
	}{
		{"succeeds", func(context.Context, jobs.Job) (any, error) { return map[string]int{"n": 1}, nil }, 1, jobs.Succeeded, "", ""},
		{"fails", func(context.Context, jobs.Job) (any, error) { return nil, errors.New("smtp: 421") }, 1, jobs.Failed, wire.CauseInternal, "smtp: 421"},
		{"fails, and may again", func(context.Context, jobs.Job) (any, error) { return nil, errors.New("smtp: 421") }, 2, jobs.Queued, wire.CauseInternal, "smtp: 421"},
		{"fails for good", func(context.Context, jobs.Job) (any, error) { return nil, jobs.Fail(wire.CauseNotFound, "no such box") }, 5, jobs.Failed, wire.CauseNotFound, "no such box"},
		{"panics", func(context.Context, jobs.Job) (any, error) { panic("nil map") }, 1, jobs.Failed, wire.CauseInternal, "panic: nil map"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlane(t, dbtest.SQLite(t, &dbtest.Clock{}))
			p.Handle("mail.send", runs(c.run))
			s := mail("m")
			s.MaxAttempts = c.maxAttempts
			job := p.enqueue(s)
			p.must(p.Tick(p.ctx))
			got := p.wantState(job.ID, c.want)
			if got.Failure == nil && c.cause != "" || got.Failure != nil && (got.Failure.Cause != c.cause || got.Failure.Detail != c.detail) {
				t.Errorf("failure: got %+v, want %s %q", got.Failure, c.cause, c.detail)
			}
			if c.want == jobs.Succeeded && string(got.Result) != `{"n":1}` {
				t.Errorf("result: got %s", got.Result)
			}
		})
	}
}

func TestPlaneActorAndDone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		var actors []string
		p.Handle("mail.send", jobs.Handler{
			Run: func(ctx context.Context, job jobs.Job) (any, error) {
				a, _ := controlplane.ActorFrom(ctx)
				actors = append(actors, "run "+a.ID)
				return nil, nil
			},
			Done: func(tx *db.Tx, job jobs.Job) error {
				a, _ := controlplane.ActorFrom(tx.Context())
				actors = append(actors, "done "+a.ID+" "+string(job.State))
				return nil
			},
		})
		p.enqueue(mail("m"))
		p.must(p.Tick(t.Context()))
		if got, want := strings.Join(actors, ", "), "run jobs, done jobs succeeded"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestTwoReplicasClaim has replicas fight over jobs: each runs once, and of a
// resource one at a time.
func TestTwoReplicasClaim(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var mu sync.Mutex
		count, held := map[string]int{}, map[string]bool{}
		handler := runs(func(ctx context.Context, job jobs.Job) (any, error) {
			mu.Lock()
			count[job.Key]++
			if job.Resource != "" && held[job.Resource] {
				t.Errorf("%s: two at a time", job.Resource)
			}
			held[job.Resource] = true
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			held[job.Resource] = false
			return nil, nil
		})
		one := newPlane(t, d)
		planes := []*plane{one, one.restart(jobs.Options{Workers: 3}), one.restart(jobs.Options{Workers: 5})}
		for _, p := range planes {
			p.Handle("mail.send", handler)
		}
		const n = 60
		one.write(func(tx *db.Tx) error {
			for i := range n {
				s := mail(fmt.Sprint("m", i))
				if i%2 == 0 {
					s.Resource = fmt.Sprint("box", i%6)
				}
				if _, err := one.Enqueue(tx, s); err != nil {
					return err
				}
			}
			return nil
		})
		for range 20 { // a pass may find every resource held by another replica
			var wg sync.WaitGroup
			for _, p := range planes {
				wg.Go(func() {
					if err := p.Tick(p.ctx); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if len(count) == n {
				break
			}
		}
		for i := range n {
			if got := count[fmt.Sprint("m", i)]; got != 1 {
				t.Errorf("m%d: ran %d times", i, got)
			}
		}
	})
}

// inside is a process in a synctest bubble; the database is opened outside of
// it, because gorm leaves a goroutine behind.
func (p *plane) inside(t *testing.T) *plane {
	q := p.restart(jobs.Options{})
	q.t, q.ctx = t, controlplane.System(t.Context(), "test")
	return q
}

// TestRun has the loops at work under a false clock: wake-up, renewed lease,
// timeout, cancel of a running job, back-off, shutdown.
func TestRun(t *testing.T) {
	outside := newPlane(t, dbtest.SQLite(t, db.SystemClock{}))
	synctest.Test(t, func(t *testing.T) {
		p := outside.inside(t)
		ctx, stop := context.WithCancel(p.ctx)
		var flaky atomic.Int32
		wait := func(ctx context.Context, job jobs.Job) (any, error) { <-ctx.Done(); return nil, ctx.Err() }
		for kind, run := range map[string]func(ctx context.Context, job jobs.Job) (any, error){
			"quick":  func(context.Context, jobs.Job) (any, error) { return nil, nil },
			"long":   func(context.Context, jobs.Job) (any, error) { time.Sleep(5 * time.Minute); return nil, nil },
			"stuck":  wait,
			"cancel": wait,
			"stop":   wait,
			"flaky": func(context.Context, jobs.Job) (any, error) {
				if flaky.Add(1) < 3 {
					return nil, errors.New("not yet")
				}
				return nil, nil
			},
		} {
			p.Handle(kind, runs(run))
		}
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		ids := map[string]string{}
		for _, kind := range []string{"quick", "long", "stuck", "cancel", "stop", "flaky"} {
			s := jobs.Spec{Kind: kind, Executor: jobs.Plane, MaxAttempts: 3, Timeout: 6 * time.Minute}
			if kind == "stuck" {
				s.MaxAttempts, s.Timeout = 1, time.Minute
			}
			if kind == "stop" {
				s.Timeout = time.Hour
			}
			ids[kind] = p.enqueue(s).ID
		}
		if job, err := p.Wait(p.ctx, everyone, ids["quick"], time.Minute); err != nil || job.State != jobs.Succeeded {
			t.Errorf("quick: got %s, %v", job.State, err)
		}
		p.must(p.Cancel(p.ctx, everyone, ids["cancel"]))
		if job, err := p.Wait(p.ctx, everyone, ids["cancel"], time.Minute); err != nil || job.State != jobs.Cancelled {
			t.Errorf("cancel: got %s, %v", job.State, err)
		}
		time.Sleep(10 * time.Minute)
		for kind, want := range map[string]jobs.State{"long": jobs.Succeeded, "stuck": jobs.Failed, "flaky": jobs.Succeeded, "stop": jobs.Running} {
			if job := p.wantState(ids[kind], want); kind == "long" && job.Epoch != 1 {
				t.Errorf("long: epoch %d: its lease was not renewed", job.Epoch)
			}
		}
		if f := p.get(ids["stuck"]).Failure; f == nil || f.Cause != wire.CauseTimeout {
			t.Errorf("stuck: got %+v", f)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if job := p.wantState(ids["stop"], jobs.Queued); job.Attempt != 0 {
			t.Errorf("given back: attempt %d, want 0", job.Attempt)
		}
	})
}

// TestProgressIsThrottled counts what is written of 100 reports in ten seconds.
func TestProgressIsThrottled(t *testing.T) {
	outside := newPlane(t, dbtest.SQLite(t, db.SystemClock{}))
	synctest.Test(t, func(t *testing.T) {
		p := outside.inside(t)
		ref := p.accepted(backup("repo"))
		woken, cancel := p.bus.Subscribe("job:" + ref.Job)
		defer cancel()
		ctx, stop := context.WithCancel(p.ctx)
		ended := make(chan error)
		go func() { ended <- p.Run(ctx) }()
		writes := 0
		for i := range 100 {
			p.must(p.Progress(p.ctx, server, agent, wire.Progress{JobRef: ref, Seq: int64(i + 1), Done: int64(i)}))
			synctest.Wait()
			select {
			case <-woken:
				writes++
			default:
			}
			time.Sleep(100 * time.Millisecond)
		}
		if writes < 5 || writes > 12 {
			t.Errorf("writes: got %d, want about 10", writes)
		}
		time.Sleep(3 * time.Second)
		if got := p.get(ref.Job).Progress; got == nil || got.Done != 99 {
			t.Errorf("the newest is not written: got %+v", got)
		}
		stop()
		p.must(<-ended)
	})
}
