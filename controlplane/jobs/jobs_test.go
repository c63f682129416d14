package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

const (
	server   = "srv_a"
	agent    = "agt_a"
	customer = "cus_a"
	other    = "cus_b"
)

var everyone = policy.AllCustomers("test")

// plane is one control plane's jobs on a database.
type plane struct {
	*jobs.Jobs
	t    *testing.T
	d    *db.DB
	keys *secrets.Keeper
	bus  *bus.Bus
	ctx  context.Context
}

func newPlane(t *testing.T, d *db.DB) *plane {
	t.Helper()
	ctx := controlplane.System(t.Context(), "test")
	k, err := secrets.OpenFile(ctx, d, filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"", customer, other} {
		if err := k.EnsureKey(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	return (&plane{t: t, d: d, keys: k, ctx: ctx}).restart(jobs.Options{})
}

// restart is another process on the same database: all memory is gone.
func (p *plane) restart(o jobs.Options) *plane {
	b := bus.New()
	return &plane{Jobs: jobs.New(p.d, p.keys, b, o), t: p.t, d: p.d, keys: p.keys, bus: b, ctx: p.ctx}
}

func (p *plane) write(fn func(tx *db.Tx) error) {
	p.t.Helper()
	if err := p.d.Write(p.ctx, fn); err != nil {
		p.t.Fatal(err)
	}
}

func (p *plane) enqueue(s jobs.Spec) jobs.Job {
	p.t.Helper()
	var job jobs.Job
	p.write(func(tx *db.Tx) (err error) {
		job, err = p.Enqueue(tx, s)
		return err
	})
	return job
}

// backup is a job of an agent that runs at most once; list is one that is idempotent.
func backup(resource string) jobs.Spec {
	return jobs.Spec{Kind: string(wire.ActionBackup), Executor: jobs.Agent, Server: server, Customer: customer, Resource: resource, Timeout: time.Hour, Params: map[string]string{"plan": "pln_1"}}
}

func list(resource string) jobs.Spec {
	s := backup(resource)
	s.Kind = string(wire.ActionList)
	return s
}

func (p *plane) get(id string) jobs.Job {
	p.t.Helper()
	job, err := p.Get(p.ctx, everyone, id)
	if err != nil {
		p.t.Fatal(err)
	}
	return job
}

func (p *plane) wantState(id string, want jobs.State) jobs.Job {
	p.t.Helper()
	job := p.get(id)
	if job.State != want {
		p.t.Fatalf("state of %s: got %s, want %s", id, job.State, want)
	}
	return job
}

func (p *plane) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// sign puts the envelope into the payload.
func sign(e wire.Envelope) (wire.SignedEnvelope, error) {
	text, err := json.Marshal(e)
	return wire.SignedEnvelope{Payload: text}, err
}

// offers returns the refs of what is offered to an agent now.
func (p *plane) offers(agent string) []wire.JobRef {
	p.t.Helper()
	got, err := p.Offers(p.ctx, server, agent, sign)
	p.must(err)
	var refs []wire.JobRef
	for _, o := range got {
		var e wire.Envelope
		p.must(json.Unmarshal(o.Envelope.Payload, &e))
		refs = append(refs, wire.JobRef{Job: e.Job, Epoch: o.Epoch})
	}
	return refs
}

func (p *plane) accept(ref wire.JobRef) {
	p.t.Helper()
	if ok, err := p.Accept(p.ctx, server, agent, ref); err != nil || !ok {
		p.t.Fatalf("accept: got %v, %v", ok, err)
	}
}

// accepted queues a job and has the agent accept it.
func (p *plane) accepted(s jobs.Spec) wire.JobRef {
	p.t.Helper()
	job := p.enqueue(s)
	refs := p.offers(agent)
	if len(refs) != 1 || refs[0].Job != job.ID {
		p.t.Fatalf("offers: got %v, want %s", refs, job.ID)
	}
	p.accept(refs[0])
	return refs[0]
}

func (p *plane) finish(ref wire.JobRef, o wire.Outcome, f *wire.Failure) bool {
	p.t.Helper()
	known, err := p.Finish(p.ctx, server, agent, wire.Result{JobRef: ref, Outcome: o, Failure: f, Data: json.RawMessage(`{"ok":true}`)})
	p.must(err)
	return known
}

func TestAgentJobFromQueueToResult(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		var done []jobs.Job
		p.Handle(string(wire.ActionBackup), jobs.Handler{Done: func(tx *db.Tx, job jobs.Job) error {
			done = append(done, job)
			return nil
		}})
		s := backup("repo")
		s.Key, s.Subject, s.Title = "run:1", "run_1", "job.backup"
		job := p.enqueue(s)
		if again := p.enqueue(s); again.ID != job.ID {
			t.Errorf("the same key: got another job %s", again.ID)
		}
		ref := p.offers(agent)[0]
		if ref.Epoch != 1 {
			t.Errorf("epoch: got %d, want 1", ref.Epoch)
		}
		if more := p.offers(agent); len(more) != 0 {
			t.Errorf("offered twice within its lease: %v", more)
		}
		p.accept(ref)
		p.accept(ref) // comes again
		p.wantState(job.ID, jobs.Accepted)
		p.must(p.Progress(p.ctx, server, agent, wire.Progress{JobRef: ref, Seq: 1, Step: "scan", Current: "a"}))
		got := p.wantState(job.ID, jobs.Running)
		if got.Progress == nil || got.Progress.Step != "scan" || got.Attempt != 1 || string(got.Params) != `{"plan":"pln_1"}` {
			t.Errorf("running job: got %+v", got)
		}
		for range 2 { // a result, and the same again
			if !p.finish(ref, wire.Succeeded, nil) {
				t.Error("the result: got unknown")
			}
		}
		got = p.wantState(job.ID, jobs.Succeeded)
		if len(done) != 1 || done[0].State != jobs.Succeeded || string(done[0].Result) != `{"ok":true}` || got.Agent != agent {
			t.Errorf("done: got %d, last %+v", len(done), done)
		}
		if got.CreatedBy.ID != "test" || got.CreatedBy.Kind != controlplane.ActorSystem {
			t.Errorf("created by: got %+v", got.CreatedBy)
		}
	})
}

func TestFramesOfTheWrongEpochServerOrAgent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		job := p.enqueue(backup("repo"))
		old := p.offers(agent)[0]
		clock.Advance(31 * time.Second) // nobody accepted
		ref := p.offers(agent)[0]
		if ref.Epoch != 2 {
			t.Fatalf("second offer: got epoch %d, want 2", ref.Epoch)
		}
		for _, c := range []struct {
			name, server, agent string
			ref                 wire.JobRef
		}{
			{"older epoch", server, agent, old},
			{"epoch to come", server, agent, wire.JobRef{Job: job.ID, Epoch: 3}},
			{"another server", "srv_b", agent, ref},
			{"another agent", server, "agt_b", ref},
			{"no such job", server, agent, wire.JobRef{Job: "job_x", Epoch: 1}},
		} {
			if ok, err := p.Accept(p.ctx, c.server, c.agent, c.ref); ok || err != nil {
				t.Errorf("%s: accept: got %v, %v", c.name, ok, err)
			}
			if known, err := p.Finish(p.ctx, c.server, c.agent, wire.Result{JobRef: c.ref, Outcome: wire.Succeeded}); known || err != nil {
				t.Errorf("%s: finish: got %v, %v", c.name, known, err)
			}
			p.must(p.Progress(p.ctx, c.server, c.agent, wire.Progress{JobRef: c.ref, Seq: 9}))
			p.must(p.Reject(p.ctx, c.server, c.agent, wire.Reject{JobRef: c.ref}))
			p.wantState(job.ID, jobs.Offered)
		}
		if _, err := p.Finish(p.ctx, server, agent, wire.Result{JobRef: ref, Outcome: "fine"}); err == nil {
			t.Error("unknown outcome: got no error")
		}
		if n := p.ProgressKept(); n != 0 {
			t.Errorf("kept of reports that are not theirs: got %d, want none", n)
		}
		p.accept(ref)
		p.must(p.Progress(p.ctx, "srv_b", agent, wire.Progress{JobRef: wire.JobRef{Job: job.ID, Epoch: 1 << 60}, Seq: 1 << 60}))
		p.must(p.Progress(p.ctx, server, agent, wire.Progress{JobRef: ref, Seq: 1, Current: strings.Repeat("x", 1<<20)}))
		if got := p.wantState(job.ID, jobs.Running); len(got.Progress.Current) > 4<<10 {
			t.Errorf("a file's name of %d bytes is kept", len(got.Progress.Current))
		}
		p.finish(ref, wire.Succeeded, nil)
		if !p.finish(old, wire.Failed, nil) {
			t.Error("a late result of a job that is over: got unknown, so the host would keep it for ever")
		}
		p.wantState(job.ID, jobs.Succeeded)
	})
}

func TestOrderOfAResource(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		waiting := list("repo")
		waiting.NotBefore = clock.Now().Add(time.Hour)
		later := p.enqueue(waiting) // its time has not come: it holds nobody up
		a, b := p.enqueue(list("repo")), p.enqueue(list("repo"))
		c := p.enqueue(list("other"))
		free := p.enqueue(list(""))
		ids := func(refs []wire.JobRef) (ids []string) {
			for _, r := range refs {
				ids = append(ids, r.Job)
			}
			return ids
		}
		refs := p.offers(agent)
		if got, want := ids(refs), []string{a.ID, c.ID, free.ID}; !slices.Equal(got, want) {
			t.Fatalf("first offers: got %v, want %v", got, want)
		}
		if got := p.offers(agent); len(got) != 0 {
			t.Errorf("while the resource is held: got %v", got)
		}
		p.accept(refs[0])
		p.finish(refs[0], wire.Succeeded, nil)
		clock.Advance(time.Second)
		if got, want := ids(p.offers(agent)), []string{b.ID}; !slices.Equal(got, want) {
			t.Errorf("after the first ended: got %v, want %v", got, want)
		}
		p.must(p.Cancel(p.ctx, everyone, b.ID))
		if refs, err := p.CancelAsked(p.ctx, server); err != nil || len(refs) != 1 || refs[0].Job != b.ID {
			t.Errorf("cancel asked: got %v, %v", refs, err)
		}
		clock.Advance(time.Hour)
		p.must(p.Tick(p.ctx))
		p.wantState(b.ID, jobs.Cancelled) // it was never accepted
		if got := ids(p.offers(agent)); !slices.Contains(got, later.ID) {
			t.Errorf("when its time has come: got %v, want %s among them", got, later.ID)
		}
	})
}

func TestRetryAndAtMostOnce(t *testing.T) {
	down := &wire.Failure{Cause: wire.CauseStoreUnreachable, Detail: "dial tcp: timeout"}
	for _, c := range []struct {
		name     string
		spec     jobs.Spec
		attempts int
		outcome  wire.Outcome
		failure  *wire.Failure
		want     jobs.State
	}{
		{"idempotent, interrupted", list("r"), 3, wire.Interrupted, nil, jobs.Queued},
		{"idempotent, may pass", list("r"), 3, wire.Failed, down, jobs.Queued},
		{"idempotent, no attempt left", list("r"), 1, wire.Failed, down, jobs.Failed},
		{"idempotent, will not pass", list("r"), 3, wire.Failed, &wire.Failure{Cause: wire.CauseWrongPassword}, jobs.Failed},
		{"at most once, interrupted", backup("r"), 3, wire.Interrupted, nil, jobs.Interrupted},
		{"at most once, failed and may pass", backup("r"), 3, wire.Failed, down, jobs.Queued},
		{"at most once by default", backup("r"), 0, wire.Failed, down, jobs.Failed},
		{"expired on the host", list("r"), 3, wire.Expired, nil, jobs.Expired},
		{"cancelled on the host", list("r"), 3, wire.Cancelled, nil, jobs.Cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := &dbtest.Clock{}
			p := newPlane(t, dbtest.SQLite(t, clock))
			c.spec.MaxAttempts = c.attempts
			ref := p.accepted(c.spec)
			if !p.finish(ref, c.outcome, c.failure) {
				t.Error("result: got unknown")
			}
			job := p.wantState(ref.Job, c.want)
			if c.want != jobs.Queued {
				return
			}
			if !p.finish(ref, c.outcome, c.failure) {
				t.Error("the same result again: got unknown, so the host would keep it")
			}
			if wait := job.NotBefore.Sub(clock.Now()); wait < 24*time.Second || wait > 36*time.Second {
				t.Errorf("back-off: got %s, want 30 s give or take a fifth", wait)
			}
			if job.Failure == nil {
				t.Error("a queued job after a failure does not say which")
			}
			why, err := p.Why(p.ctx, everyone, ref.Job)
			if err != nil || len(why) != 1 || why[0].Key != jobs.WhyBackoff {
				t.Errorf("why: got %v, %v", why, err)
			}
			clock.Advance(time.Minute)
			if refs := p.offers(agent); len(refs) != 1 || refs[0].Epoch != 2 {
				t.Errorf("second attempt: got %v", refs)
			}
		})
	}
}

func TestSupersedes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		s := list("cert")
		s.Supersedes = "install:mail"
		out := p.accepted(s)
		second, third := p.enqueue(s), p.enqueue(s)
		p.wantState(out.Job, jobs.Accepted) // what is out is not touched
		p.wantState(second.ID, jobs.Superseded)
		p.wantState(third.ID, jobs.Queued)
	})
}

func TestDoneFailsTheResult(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		broken := true
		p.Handle(string(wire.ActionBackup), jobs.Handler{Done: func(tx *db.Tx, job jobs.Job) error {
			if broken {
				return errors.New("disk full")
			}
			return nil
		}})
		ref := p.accepted(backup("r"))
		if known, err := p.Finish(p.ctx, server, agent, wire.Result{JobRef: ref, Outcome: wire.Succeeded}); known || err == nil {
			t.Fatalf("got %v, %v: the host would forget a result that is not stored", known, err)
		}
		p.wantState(ref.Job, jobs.Accepted)
		broken = false
		if !p.finish(ref, wire.Succeeded, nil) {
			t.Error("sent again: got unknown")
		}
		p.wantState(ref.Job, jobs.Succeeded)
	})
}

func TestScope(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		job := p.enqueue(backup("repo"))
		own := p.enqueue(jobs.Spec{Kind: string(wire.ActionInventory), Executor: jobs.Agent, Server: server})
		contact := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_b", Customer: other})
		scope := policy.OneCustomer(other)
		for _, id := range []string{job.ID, own.ID, "job_x"} {
			_, err := p.Get(contact, scope, id)
			_, err2 := p.Why(contact, scope, id)
			_, err3 := p.Wait(contact, scope, id, time.Second)
			for i, err := range []error{err, err2, err3, p.Cancel(contact, scope, id)} {
				if controlplane.ErrorCode(err) != controlplane.CodeNotFound {
					t.Errorf("%s, call %d: got %v, want not found", id, i, err)
				}
			}
		}
		if items, _, err := p.List(contact, scope, jobs.Filter{}); err != nil || len(items) != 0 {
			t.Errorf("list: got %d, %v", len(items), err)
		}
		mine := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_a", Customer: customer})
		items, _, err := p.List(mine, policy.OneCustomer(customer), jobs.Filter{Open: true})
		if err != nil || len(items) != 1 || items[0].ID != job.ID {
			t.Errorf("own list: got %v, %v", items, err)
		}
		p.must(p.Cancel(mine, policy.OneCustomer(customer), job.ID))
		p.wantState(job.ID, jobs.Cancelled)
		if err := p.Cancel(mine, policy.OneCustomer(customer), job.ID); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("cancel what is over: got %v", err)
		}
	})
}

func TestListPages(t *testing.T) {
	p := newPlane(t, dbtest.SQLite(t, &dbtest.Clock{}))
	var want []string
	for i := range 7 {
		s := list("r")
		s.Subject = fmt.Sprint("sub_", i%2)
		want = append(want, p.enqueue(s).ID)
	}
	slices.Reverse(want)
	var got []string
	f := jobs.Filter{Limit: 3}
	for {
		items, next, err := p.List(p.ctx, everyone, f)
		p.must(err)
		for _, x := range items {
			got = append(got, x.ID)
		}
		if f.PageToken = next; next == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages: got %v, want %v", got, want)
	}
	if items, _, err := p.List(p.ctx, everyone, jobs.Filter{Subject: "sub_1", States: []jobs.State{jobs.Queued}, Kinds: []string{"snapshot.list"}}); err != nil || len(items) != 3 {
		t.Errorf("by subject: got %d, %v", len(items), err)
	}
	if _, _, err := p.List(p.ctx, everyone, jobs.Filter{PageToken: "x"}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
		t.Errorf("bad token: got %v", err)
	}
}

func TestEnqueueRefuses(t *testing.T) {
	p := newPlane(t, dbtest.SQLite(t, &dbtest.Clock{}))
	for name, s := range map[string]jobs.Spec{
		"no executor":    {Kind: "snapshot.list"},
		"no shell":       {Kind: "shell.run", Executor: jobs.Agent, Server: server},
		"no server":      {Kind: "snapshot.list", Executor: jobs.Agent},
		"nobody runs it": {Kind: "mail.send", Executor: jobs.Plane},
		"negative":       {Kind: "snapshot.list", Executor: jobs.Agent, Server: server, Timeout: -1},
		"no data key":    {Kind: "snapshot.list", Executor: jobs.Agent, Server: server, Customer: "cus_unknown"},
		"not JSON":       {Kind: "snapshot.list", Executor: jobs.Agent, Server: server, Params: func() {}},
	} {
		if err := p.d.Write(p.ctx, func(tx *db.Tx) error { _, err := p.Enqueue(tx, s); return err }); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if err := p.d.Write(t.Context(), func(tx *db.Tx) error { _, err := p.Enqueue(tx, list("r")); return err }); err == nil {
		t.Error("no actor: got no error")
	}
}

func TestFailureOfAHostileHost(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		p := newPlane(t, d)
		for _, c := range []struct {
			name string
			sent wire.Failure
			want wire.Failure
		}{
			{"known", wire.Failure{Cause: wire.CauseDiskFull, Detail: "no room"}, wire.Failure{Cause: wire.CauseDiskFull, Detail: "no room"}},
			{"from a newer agent", wire.Failure{Cause: "on_fire"}, wire.Failure{Cause: "on_fire"}},
			{"zero byte and a name", wire.Failure{Cause: "Jane Doe\x00", Detail: "a\x00b\nc\u202ed"}, wire.Failure{Cause: wire.CauseInternal, Detail: "a b c?d"}},
			{"too long", wire.Failure{Cause: wire.Cause(strings.Repeat("x", 1<<20)), Detail: strings.Repeat("y", 1<<20)},
				wire.Failure{Cause: wire.CauseInternal, Detail: strings.Repeat("y", 997) + "..."}},
		} {
			s := backup("repo")
			s.MaxAttempts = 1
			ref := p.accepted(s)
			if !p.finish(ref, wire.Failed, &c.sent) {
				t.Fatalf("%s: the result is not known", c.name)
			}
			if got := p.wantState(ref.Job, jobs.Failed).Failure; got == nil || *got != c.want {
				t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
			}
		}
	})
}
