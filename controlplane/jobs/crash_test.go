package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
)

// TestPlaneKilledAfterCommit has the plane die after the commit and before the
// wake-up: the next process starts the job once and takes one result.
func TestPlaneKilledAfterCommit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		job := p.enqueue(backup("repo"))
		p = p.restart(jobs.Options{}) // no wake-up was heard by anybody
		refs := p.offers(agent)
		if len(refs) != 1 || refs[0].Job != job.ID {
			t.Fatalf("offers: got %v", refs)
		}
		p.accept(refs[0])
		ends := 0
		p = p.restart(jobs.Options{})
		p.Handle(string(wire.ActionBackup), jobs.Handler{Done: func(*db.Tx, jobs.Job) error { ends++; return nil }})
		if more := p.offers(agent); len(more) != 0 {
			t.Errorf("offered again while it runs: %v", more)
		}
		p.finish(refs[0], wire.Succeeded, nil)
		p.finish(refs[0], wire.Succeeded, nil)
		if ends != 1 || p.get(job.ID).Attempt != 1 {
			t.Errorf("got %d results, %d starts, want one each", ends, p.get(job.ID).Attempt)
		}
	})
}

// TestPlaneKilledAtEachStep kills the plane after every step of an agent's job.
func TestPlaneKilledAtEachStep(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		fresh := newPlane(t, d)
		for kill := range 5 {
			t.Run(fmt.Sprint("after step ", kill), func(t *testing.T) {
				p := fresh.restart(jobs.Options{})
				step := func(n int) {
					if n == kill {
						p = p.restart(jobs.Options{})
						p.must(p.Reconnected(p.ctx, server, agent, nil))
					}
				}
				job := p.enqueue(list(fmt.Sprint("repo", kill)))
				step(0)
				ref := p.offers(agent)[0]
				step(1) // the offer may or may not have arrived: it is made again
				if kill == 1 {
					ref = p.offers(agent)[0]
				}
				p.accept(ref)
				step(2)
				p.must(p.Progress(p.ctx, server, agent, wire.Progress{JobRef: ref, Seq: 1}))
				step(3)
				if !p.finish(ref, wire.Succeeded, nil) {
					t.Error("result: got unknown")
				}
				step(4)
				if !p.finish(ref, wire.Succeeded, nil) { // the ack was lost
					t.Error("result again: got unknown")
				}
				if got := p.wantState(job.ID, jobs.Succeeded); got.Attempt != 1 {
					t.Errorf("starts: got %d, want 1", got.Attempt)
				}
			})
		}
	})
}

// TestAcceptLost has the host begin although the plane never got its accept.
func TestAcceptLost(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		job := p.enqueue(backup("repo"))
		ref := p.offers(agent)[0]
		clock.Advance(time.Minute)
		p.must(p.Tick(p.ctx))
		p.wantState(job.ID, jobs.Queued)
		p.must(p.Reconnected(p.ctx, server, agent, []wire.JobRef{ref}))
		p.wantState(job.ID, jobs.Accepted)
		if got := p.offers(agent); len(got) != 0 {
			t.Errorf("offered although the host works at it: %v", got)
		}

		second := p.enqueue(backup("other"))
		ref = p.offers(agent)[0]
		clock.Advance(time.Minute)
		p.must(p.Tick(p.ctx))
		if !p.finish(ref, wire.Succeeded, nil) { // the result is the first that is heard
			t.Error("result: got unknown")
		}
		if got := p.wantState(second.ID, jobs.Succeeded); got.Attempt != 1 {
			t.Errorf("starts: got %d, want 1", got.Attempt)
		}
	})
}

func TestSilentServer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		once, again := p.accepted(backup("repo")), p.accepted(list("other"))
		p.must(p.Progress(p.ctx, server, agent, wire.Progress{JobRef: once, Seq: 1}))
		clock.Advance(time.Hour) // silent for its whole timeout
		p.must(p.Tick(p.ctx))
		p.wantState(once.Job, jobs.Running)
		p.must(p.Renew(p.ctx, server, []wire.JobRef{once}))
		clock.Advance(74 * time.Minute)
		p.must(p.Tick(p.ctx))
		p.wantState(once.Job, jobs.Running) // renewed
		p.wantState(again.Job, jobs.Queued) // idempotent: it will run again
		p.must(p.Renew(p.ctx, "srv_b", []wire.JobRef{once}))
		clock.Advance(2 * time.Minute)
		p.must(p.Tick(p.ctx))
		p.wantState(once.Job, jobs.Interrupted) // at most once
		if !p.finish(once, wire.Succeeded, nil) {
			t.Error("a result after the end: got unknown")
		}
		p.wantState(once.Job, jobs.Interrupted)
	})
}

func TestReconnected(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		works, lost, spooled := p.accepted(backup("a")), p.accepted(backup("b")), p.accepted(backup("c"))
		offered := p.enqueue(backup("d"))
		p.offers(agent)
		p.must(p.Reconnected(p.ctx, server, agent, []wire.JobRef{works}))
		p.wantState(offered.ID, jobs.Queued)
		if refs := p.offers(agent); len(refs) != 1 || refs[0].Epoch != 2 {
			t.Errorf("what was only offered: got %v, want a second offer", refs)
		}
		p.finish(spooled, wire.Succeeded, nil)
		// A report from before the reconnection, written late, is no sign of life.
		p.must(p.Progress(p.ctx, server, agent, wire.Progress{JobRef: lost, Seq: 1, Step: "backup"}))
		clock.Advance(3 * time.Minute)
		p.must(p.Tick(p.ctx))
		p.wantState(works.Job, jobs.Accepted)
		p.wantState(lost.Job, jobs.Interrupted)
		p.wantState(spooled.Job, jobs.Succeeded)

		// The server is installed anew: another agent, which works at nothing.
		p.must(p.Reconnected(p.ctx, server, "agt_new", nil))
		clock.Advance(3 * time.Minute)
		p.must(p.Tick(p.ctx))
		p.wantState(works.Job, jobs.Interrupted)
		refs, err := p.Offers(p.ctx, server, "agt_new", sign)
		if err != nil || len(refs) != 1 || refs[0].Epoch != 3 {
			t.Errorf("the queue is lost with the agent: got %v, %v", refs, err)
		}
	})
}

// TestWorkerKilled has a process die in the middle of a job of the plane.
func TestWorkerKilled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		dead := newPlane(t, d)
		begun, hang := make(chan struct{}), make(chan struct{})
		dead.Handle("mail.send", runs(func(context.Context, jobs.Job) (any, error) {
			close(begun)
			<-hang
			return "from the dead", nil
		}))
		job := dead.enqueue(mail("m"))
		ended := make(chan error)
		go func() { ended <- dead.Tick(dead.ctx) }()
		<-begun

		p := dead.restart(jobs.Options{})
		p.Handle("mail.send", runs(func(context.Context, jobs.Job) (any, error) { return "alive", nil }))
		p.must(p.Tick(p.ctx))
		p.wantState(job.ID, jobs.Running) // its lease still holds
		clock.Advance(2 * time.Minute)
		p.must(p.Tick(p.ctx))
		p.wantState(job.ID, jobs.Queued)
		clock.Advance(time.Minute)
		p.must(p.Tick(p.ctx))
		p.wantState(job.ID, jobs.Succeeded)
		close(hang) // and it was only asleep
		p.must(<-ended)
		if got := p.get(job.ID); string(got.Result) != `"alive"` || got.Epoch != 2 {
			t.Errorf("got %s in epoch %d: an older epoch wrote", got.Result, got.Epoch)
		}
	})
}

func TestExpiry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		s := list("repo")
		s.ExpiresAt = clock.Now().Add(30 * time.Second)
		job := p.enqueue(s)
		behind := p.enqueue(list("repo"))
		clock.Advance(30 * time.Second)
		if refs := p.offers(agent); len(refs) != 1 || refs[0].Job != behind.ID {
			t.Errorf("offers: got %v, want what stands behind the expired job", refs)
		}
		p.must(p.Tick(p.ctx))
		p.wantState(job.ID, jobs.Expired)
	})
}

func TestSignerDown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		job := p.enqueue(backup("repo"))
		down := func(wire.Envelope) (wire.SignedEnvelope, error) {
			return wire.SignedEnvelope{}, errors.New("signer: refused")
		}
		if offers, err := p.Offers(p.ctx, server, agent, down); len(offers) != 0 || err == nil {
			t.Errorf("got %v, %v", offers, err)
		}
		p.wantState(job.ID, jobs.Queued)
		clock.Advance(time.Minute)
		if refs := p.offers(agent); len(refs) != 1 {
			t.Errorf("when the signer is back: got %v", refs)
		}
	})
}

// TestManyJobs queues and finishes jobs in batches.
func TestManyJobs(t *testing.T) {
	const n, batch = many, min(many, 500)
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d).restart(jobs.Options{Workers: 64})
		p.Handle("mail.send", runs(func(context.Context, jobs.Job) (any, error) { return nil, nil }))
		begin := time.Now()
		for i := 0; i < n; i += batch {
			p.write(func(tx *db.Tx) error {
				for k := range batch {
					if _, err := p.Enqueue(tx, backup(fmt.Sprint("repo", i+k))); err != nil {
						return err
					}
				}
				return nil
			})
		}
		queued := time.Since(begin)
		finished := 0
		for finished < n {
			refs := p.offers(agent)
			if len(refs) == 0 {
				t.Fatalf("no offers after %d", finished)
			}
			said := make([]jobs.Said, 0, len(refs))
			for _, ref := range refs {
				said = append(said, jobs.Said{Result: &wire.Result{JobRef: ref, Outcome: wire.Succeeded}})
			}
			known, err := p.Hear(p.ctx, server, agent, said)
			p.must(err)
			if slices.Contains(known, false) {
				t.Fatalf("not all of %d are known: %v", len(refs), known)
			}
			finished += len(refs)
		}
		t.Logf("%d jobs: queued in %s, offered and finished in %s", n, queued.Round(time.Millisecond), (time.Since(begin) - queued).Round(time.Millisecond))
	})
}
