package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// why returns the keys and the sentences of Why.
func (p *plane) why(scope policy.Scope, id string) (keys []string, text string) {
	p.t.Helper()
	reasons, err := p.Why(p.ctx, scope, id)
	p.must(err)
	for _, r := range reasons {
		keys = append(keys, r.Key)
		s := r.Text("en", nil)
		if s == "" || strings.ContainsAny(s, "{}") {
			p.t.Errorf("%s: sentence %q", r.Key, s)
		}
		text += s + "\n"
	}
	return keys, text
}

func TestWhy(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var heard time.Time
		connected := true
		p := newPlane(t, d).restart(jobs.Options{LastHeard: func(ctx context.Context, id string) (time.Time, bool, error) {
			return heard, connected, nil
		}})
		want := func(name, id string, scope policy.Scope, wantKeys ...string) {
			t.Helper()
			if keys, text := p.why(scope, id); !slices.Equal(keys, wantKeys) {
				t.Errorf("%s: got %v, want %v\n%s", name, keys, wantKeys, text)
			}
		}
		first := p.enqueue(list("repo"))
		want("nothing in the way", first.ID, everyone, jobs.WhySoon)
		foreign := list("repo")
		foreign.Customer = other
		second := p.enqueue(foreign)
		want("another is before it", second.ID, everyone, jobs.WhyBehind)
		want("another customer's is before it", second.ID, policy.OneCustomer(other), jobs.WhyOther)
		connected = false
		want("the server has never connected", first.ID, everyone, jobs.WhyNeverSeen)
		heard = clock.Now()
		want("the server is silent", first.ID, everyone, jobs.WhySilent)
		if _, text := p.why(everyone, first.ID); !strings.Contains(text, "2026-11-20T09:00:00.000Z") {
			t.Errorf("last heard: got %q", text)
		}
		connected = true
		ref := p.offers(agent)[0]
		want("sent", first.ID, everyone, jobs.WhyOffered)
		p.accept(ref)
		want("in the journal", first.ID, everyone, jobs.WhyAccepted)
		want("the resource is held", second.ID, everyone, jobs.WhyBusy)
		p.must(p.Progress(p.ctx, server, agent, wire.Progress{JobRef: ref, Seq: 1}))
		want("it runs", first.ID, everyone)
		p.must(p.Cancel(p.ctx, everyone, first.ID))
		want("asked to stop", first.ID, everyone, jobs.WhyCancelAsked)
		p.finish(ref, wire.Cancelled, nil)
		want("over", first.ID, everyone)
		planned := list("other")
		planned.NotBefore = clock.Now().Add(time.Hour)
		want("planned", p.enqueue(planned).ID, everyone, jobs.WhyNotBefore)
		p.must(p.Cancel(p.ctx, everyone, second.ID))
		lost := p.accepted(list("third"))
		p.must(p.Reconnected(p.ctx, server, agent, nil))
		want("the agent came back without it", lost.Job, everyone, jobs.WhyLost)
	})
}

// TestManyAgents has agents of many servers accept, report and finish at once.
func TestManyAgents(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		p.Handle(string(wire.ActionList), jobs.Handler{Done: func(tx *db.Tx, job jobs.Job) error {
			return tx.Exec("INSERT INTO settings (name, value, updated_at) VALUES (?, ?, ?)", job.ID, []byte{1}, tx.NowMillis()).Error
		}})
		const servers, each = 12, 4
		var wg sync.WaitGroup
		for s := range servers {
			wg.Go(func() {
				if err := work(p, fmt.Sprint("srv_", s), each); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		items, _, err := p.List(p.ctx, everyone, jobs.Filter{States: []jobs.State{jobs.Succeeded}, Limit: 200})
		if err != nil || len(items) != servers*each {
			t.Errorf("succeeded: got %d, %v; want %d", len(items), err, servers*each)
		}
	})
}

// work queues and carries out jobs of one server.
func work(p *plane, server string, n int) error {
	ctx := controlplane.WithActor(p.ctx, controlplane.Actor{Kind: controlplane.ActorAgent, ID: agent})
	for range n {
		err := p.d.Write(p.ctx, func(tx *db.Tx) error {
			s := list("repo")
			s.Server = server
			_, err := p.Enqueue(tx, s)
			return err
		})
		if err != nil {
			return err
		}
	}
	for range n {
		offers, err := p.Offers(ctx, server, agent, func(e wire.Envelope) (wire.SignedEnvelope, error) {
			return wire.SignedEnvelope{Payload: []byte(e.Job)}, nil
		})
		if err != nil || len(offers) != 1 {
			return fmt.Errorf("%s: %d offers, %w", server, len(offers), err)
		}
		ref := wire.JobRef{Job: string(offers[0].Envelope.Payload), Epoch: offers[0].Epoch}
		if ok, err := p.Accept(ctx, server, agent, ref); err != nil || !ok {
			return fmt.Errorf("%s: accept: %v, %w", server, ok, err)
		}
		if err := p.Progress(ctx, server, agent, wire.Progress{JobRef: ref, Seq: 1}); err != nil {
			return err
		}
		if known, err := p.Finish(ctx, server, agent, wire.Result{JobRef: ref, Outcome: wire.Succeeded}); err != nil || !known {
			return fmt.Errorf("%s: finish: %v, %w", server, known, err)
		}
	}
	return nil
}
