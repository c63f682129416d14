package agents_test

import (
	"encoding/json"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
)

func TestAJobThatDoesNotMove(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		clock.Advance(10 * time.Minute)
		const agent = "agt_1"
		ctx := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorAgent, ID: agent})
		sign := func(e wire.Envelope) (wire.SignedEnvelope, error) {
			payload, err := json.Marshal(e)
			return wire.SignedEnvelope{Payload: payload}, err
		}
		enqueue := func(key string, expires time.Duration) (job jobs.Job) {
			t.Helper()
			w.must(d.Write(w.ctx, func(tx *db.Tx) (err error) {
				job, err = w.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionInventory), Executor: jobs.Agent, Server: w.server, Key: key,
					Params: struct{}{}, Timeout: time.Minute, ExpiresAt: tx.Now.Add(expires)})
				return err
			}))
			return job
		}
		stuck := func(want string) {
			t.Helper()
			w.must(w.agents.Tick(t.Context()))
			got := ""
			items, _, err := w.findings.List(w.ctx, all, findings.Filter{Kinds: []string{findings.JobStuck}})
			w.must(err)
			for _, x := range items {
				_, cause, _ := findings.Sentence("en", x)
				got += x.Subject + " " + cause + ";"
			}
			if got != want {
				t.Errorf("stuck: got %q, want %q", got, want)
			}
		}
		offer := func() wire.JobRef {
			t.Helper()
			offers, err := w.jobs.Offers(ctx, w.server, agent, sign)
			w.must(err)
			if len(offers) != 1 {
				t.Fatalf("got %d offers, want one", len(offers))
			}
			var e wire.Envelope
			w.must(json.Unmarshal(offers[0].Envelope.Payload, &e))
			return wire.JobRef{Job: e.Job, Epoch: offers[0].Epoch}
		}

		// A job that waits for its server is not stuck, until its end is not stored.
		waits := enqueue("waits", 10*time.Hour)
		clock.Advance(10 * time.Hour)
		stuck("")
		clock.Advance(2 * time.Hour)
		stuck(waits.ID + " Its time is over, and its end cannot be stored: the log of the control plane says why.;")
		w.must(w.jobs.Tick(t.Context()))
		stuck("")

		// One that the host says it works at, for ever.
		works := enqueue("works", time.Hour)
		ref := offer()
		if ok, err := w.jobs.Accept(ctx, w.server, agent, ref); !ok || err != nil {
			t.Fatal(ok, err)
		}
		for range 8 {
			clock.Advance(10 * time.Minute)
			w.must(w.jobs.Renew(ctx, w.server, []wire.JobRef{ref}))
		}
		stuck(works.ID + " It has been at work for more than twice its time.;")
		stuck(works.ID + " It has been at work for more than twice its time.;")
		if _, err := w.jobs.Finish(ctx, w.server, agent, wire.Result{JobRef: ref, Outcome: wire.Succeeded, Data: json.RawMessage(`{}`)}); err != nil {
			t.Fatal(err)
		}
		stuck("")

		// One that is offered over and over.
		offered := enqueue("offered", 5*time.Hour)
		for range 30 {
			stuck("")
			offer()
			clock.Advance(31 * time.Second)
			w.must(w.jobs.Tick(t.Context()))
		}
		stuck(offered.ID + " It was offered 30 times and never accepted.;")
		if ref := offer(); ref.Job == offered.ID {
			if ok, err := w.jobs.Accept(ctx, w.server, agent, ref); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		stuck("")
	})
}
