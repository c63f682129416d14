package jobs

import (
	"slices"

	"ostler/agents/wire"
)

// State is where a job is in its life.
type State string

// The states of a job.
const (
	Queued      State = "queued"      // waits for its time, its turn or its executor
	Offered     State = "offered"     // sent to the agent in an epoch, not yet accepted
	Accepted    State = "accepted"    // in the host's journal
	Running     State = "running"     // started
	Succeeded   State = "succeeded"   // done
	Failed      State = "failed"      // ended with a failure, no attempt left
	Interrupted State = "interrupted" // stopped in the middle; it may have had effects
	Expired     State = "expired"     // its time was over before it started
	Cancelled   State = "cancelled"   // a person stopped it
	Superseded  State = "superseded"  // a newer job took its place before it started
	Rejected    State = "rejected"    // the host refuses it for good
)

// States lists every state in the order of a job's life.
func States() []State {
	return []State{Queued, Offered, Accepted, Running, Succeeded, Failed, Interrupted, Expired, Cancelled, Superseded, Rejected}
}

// Valid reports whether s is a known state.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// Terminal reports whether a job in s is over for good.
func (s State) Terminal() bool { return s.Valid() && len(transitions[s]) == 0 }

// Active reports whether a job in s holds its resource.
func (s State) Active() bool { return s == Offered || s == Accepted || s == Running }

// transitions says which state may follow which. Where a job goes back to
// queued it is offered or claimed again in a new epoch. Accepting, starting and
// ending from an earlier state than usual is a frame that was lost on the way:
// the host's journal knows better.
var transitions = map[State][]State{
	Queued:      {Offered, Accepted, Running, Succeeded, Failed, Interrupted, Expired, Cancelled, Superseded, Rejected},
	Offered:     {Queued, Accepted, Running, Succeeded, Failed, Interrupted, Expired, Cancelled, Rejected},
	Accepted:    {Queued, Running, Succeeded, Failed, Interrupted, Expired, Cancelled, Rejected},
	Running:     {Queued, Succeeded, Failed, Interrupted, Expired, Cancelled},
	Succeeded:   nil,
	Failed:      nil,
	Interrupted: nil,
	Expired:     nil,
	Cancelled:   nil,
	Superseded:  nil,
	Rejected:    nil,
}

// Allows reports whether a job may go from s to next.
func (s State) Allows(next State) bool { return slices.Contains(transitions[s], next) }

// outcomes maps what the host reports to the state it asks for.
var outcomes = map[wire.Outcome]State{
	wire.Succeeded:   Succeeded,
	wire.Failed:      Failed,
	wire.Interrupted: Interrupted,
	wire.Expired:     Expired,
	wire.Cancelled:   Cancelled,
}
