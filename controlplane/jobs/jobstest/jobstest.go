// Package jobstest plays the agent of a server for tests: it takes jobs and ends
// them by the calls that a real agent's session makes, without a host.
package jobstest

import (
	"context"
	"encoding/json"
	"testing"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/jobs"
)

// Agent is the agent of one server.
type Agent struct {
	T      testing.TB
	Jobs   *jobs.Jobs
	Server string
	ID     string // the agent's, which is the actor of all it does
	// Sign signs what is offered; nil: nobody looks at the signature.
	Sign func(wire.Envelope) (wire.SignedEnvelope, error)
	// Leaves says which kinds Next passes over; nil: none.
	Leaves func(wire.Action) bool
}

// Job is one that was offered.
type Job struct {
	Ref    wire.JobRef
	Action wire.Action
	Params json.RawMessage
}

// Read reads the parameters into v.
func (j Job) Read(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(j.Params, v); err != nil {
		t.Fatalf("parameters of %s: %v", j.Action, err)
	}
}

func (a Agent) actor() context.Context {
	return controlplane.WithActor(a.T.Context(), controlplane.Actor{Kind: controlplane.ActorAgent, ID: a.ID})
}

func unsigned(e wire.Envelope) (wire.SignedEnvelope, error) {
	payload, err := json.Marshal(e)
	return wire.SignedEnvelope{Payload: payload}, err
}

// Offered is what is due for the server now. Nothing of it is taken yet.
func (a Agent) Offered() []Job {
	a.T.Helper()
	sign := a.Sign
	if sign == nil {
		sign = unsigned
	}
	offers, err := a.Jobs.Offers(a.actor(), a.Server, a.ID, sign)
	if err != nil {
		a.T.Fatal(err)
	}
	out := make([]Job, len(offers))
	for i, o := range offers {
		var e wire.Envelope
		if err := json.Unmarshal(o.Envelope.Payload, &e); err != nil {
			a.T.Fatal(err)
		}
		out[i] = Job{wire.JobRef{Job: e.Job, Epoch: o.Epoch}, e.Action, e.Params}
	}
	return out
}

// Accept takes a job that was offered, and reports whether it is the agent's.
func (a Agent) Accept(j Job) bool {
	a.T.Helper()
	ok, err := a.Jobs.Accept(a.actor(), a.Server, a.ID, j.Ref)
	if err != nil {
		a.T.Fatal(err)
	}
	return ok
}

// Take takes all that is due.
func (a Agent) Take() (out []Job) {
	a.T.Helper()
	for _, j := range a.Offered() {
		if a.Accept(j) {
			out = append(out, j)
		}
	}
	return out
}

// Next takes the next job of a kind and reads its parameters; where none is due
// yet the plane does its own work first. One of another kind ends the test,
// unless the agent leaves those.
func (a Agent) Next(kind wire.Action, params any) wire.JobRef {
	a.T.Helper()
	for range 10 {
		for _, j := range a.Offered() {
			switch {
			case j.Action == kind:
				if !a.Accept(j) {
					a.T.Fatalf("%s: accept refused", kind)
				}
				j.Read(a.T, params)
				return j.Ref
			case a.Leaves == nil || !a.Leaves(j.Action):
				a.T.Fatalf("offered %s, want %s", j.Action, kind)
			}
		}
		a.Tick()
	}
	a.T.Fatalf("no %s was offered", kind)
	return wire.JobRef{}
}

// Tick has the plane do its own jobs.
func (a Agent) Tick() {
	a.T.Helper()
	if err := a.Jobs.Tick(controlplane.System(a.T.Context(), "test")); err != nil {
		a.T.Fatal(err)
	}
}

// Finish ends a job with an answer.
func (a Agent) Finish(ref wire.JobRef, data any) {
	a.T.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		a.T.Fatal(err)
	}
	a.End(wire.Result{JobRef: ref, Outcome: wire.Succeeded, Data: raw})
}

// End ends a job.
func (a Agent) End(r wire.Result) {
	a.T.Helper()
	known, err := a.Jobs.Finish(a.actor(), a.Server, a.ID, r)
	if err != nil {
		a.T.Fatal(err)
	}
	if !known {
		a.T.Fatal("the result is not known")
	}
}
