package jobs_test

import (
	"errors"
	"slices"
	"testing"

	"ostler/agents/wire"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
)

// What an agent says at one time ends as if it were said one by one.
func TestHear(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p := newPlane(t, d)
		var ends []string
		p.Handle(string(wire.ActionBackup), jobs.Handler{Done: func(tx *db.Tx, job jobs.Job) error {
			tx.AfterCommit(func() { ends = append(ends, job.ID) })
			return nil
		}})
		for _, r := range []string{"a", "b", "c"} {
			p.enqueue(backup(r))
		}
		refs := p.offers(agent)
		woken, cancel := p.bus.Subscribe(bus.TopicJob(refs[1].Job))
		defer cancel()
		customers, cancel := p.bus.Subscribe(bus.TopicCustomer(customer))
		defer cancel()
		ok, err := p.Hear(p.ctx, server, agent, []jobs.Said{{Accept: &refs[1]}})
		p.must(err)
		if !slices.Equal(ok, []bool{true}) {
			t.Errorf("an accept: got %v", ok)
		}
		select {
		case <-customers:
		default:
			t.Error("the accept did not wake the customer's pages")
		}
		said := []jobs.Said{
			{Accept: &refs[0]}, {Accept: &refs[1]}, {Result: &wire.Result{JobRef: refs[0], Outcome: wire.Succeeded}},
			{Accept: &wire.JobRef{Job: refs[2].Job, Epoch: 7}}, {Result: &wire.Result{JobRef: wire.JobRef{Job: "job_unknown", Epoch: 1}, Outcome: wire.Succeeded}},
		}
		ok, err = p.Hear(p.ctx, server, agent, said)
		p.must(err)
		if want := []bool{true, true, true, false, false}; !slices.Equal(ok, want) {
			t.Errorf("answers: got %v, want %v", ok, want)
		}
		got := p.wantState(refs[0].Job, jobs.Succeeded)
		if got.Attempt != 1 || got.AcceptedAt.IsZero() || !slices.Equal(ends, []string{got.ID}) {
			t.Errorf("accepted and ended at once: got attempt %d, accepted %v, ends %v", got.Attempt, got.AcceptedAt, ends)
		}
		if got := p.wantState(refs[1].Job, jobs.Accepted); got.Attempt != 1 || got.AcceptedAt.IsZero() || !got.StartedAt.IsZero() {
			t.Errorf("accepted: got attempt %d at %v", got.Attempt, got.AcceptedAt)
		}
		select {
		case <-woken:
		default:
			t.Error("nobody was woken by the accept")
		}
		p.wantState(refs[2].Job, jobs.Offered)
		if ok, err = p.Hear(p.ctx, server, "agt_other", said[:2]); err != nil || slices.Contains(ok, true) {
			t.Errorf("of another agent: got %v, %v, want none", ok, err)
		}
	})
}

// Where the end of one cannot be stored, nothing of what was said with it is.
func TestHearAllOrNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p := newPlane(t, d)
		broken := errors.New("broken")
		p.Handle(string(wire.ActionList), jobs.Handler{Done: func(*db.Tx, jobs.Job) error { return broken }})
		p.enqueue(backup("a"))
		p.enqueue(list("b"))
		p.enqueue(backup("c"))
		refs := p.offers(agent)
		said := []jobs.Said{{Result: &wire.Result{JobRef: refs[0], Outcome: wire.Succeeded}}, {Result: &wire.Result{JobRef: refs[1], Outcome: wire.Succeeded}}, {Accept: &refs[2]}}
		if _, err := p.Hear(p.ctx, server, agent, said); !errors.Is(err, broken) {
			t.Errorf("got %v, want broken", err)
		}
		for _, r := range refs {
			p.wantState(r.Job, jobs.Offered)
		}
		if !p.finish(refs[0], wire.Succeeded, nil) {
			t.Error("one by one: the first is unknown")
		}
		p.accept(refs[2])
	})
}

// A cancel of what is out wakes those who pass it on.
func TestCancelWakesTheSession(t *testing.T) {
	d := dbtest.SQLite(t, nil)
	p := newPlane(t, d)
	ref := p.accepted(backup("a"))
	woken, cancel := p.bus.Subscribe(bus.TopicAgentCancels(server))
	defer cancel()
	p.must(p.Cancel(p.ctx, everyone, ref.Job))
	select {
	case <-woken:
	default:
		t.Error("nobody was woken")
	}
}
