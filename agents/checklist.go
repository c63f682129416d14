package agents

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// StepState says how far a step of an enrolment is.
type StepState string

// The states of a step.
const (
	StepDone   StepState = "done"
	StepNow    StepState = "now"    // what is waited for
	StepLater  StepState = "later"  // not before the one above
	StepFailed StepState = "failed" // needs a person
)

// Valid reports whether s is a known state.
func (s StepState) Valid() bool {
	return s == StepDone || s == StepNow || s == StepLater || s == StepFailed
}

// The keys of the steps, in their order; pages have text for "enrol.<key>".
const (
	StepToken     = "token"     // a token was made
	StepContacted = "contacted" // the agent redeemed it
	StepConnected = "connected" // the agent's session stood
	StepInventory = "inventory" // the server said what it is
	StepReady     = "ready"     // all of it, and the agent is connected now
)

// Step is one line of the enrolment's checklist.
type Step struct {
	Key   string
	State StepState
	At    time.Time // when it was done
	// Until is the end of an unused token's time.
	Until time.Time
}

// Checklist returns how far the enrolment of a server is. The bus topic
// server:<id> tells when to look again.
//
// Errors: not found outside the scope.
func (a *Agents) Checklist(ctx context.Context, scope policy.Scope, server string) ([]Step, error) {
	var steps []Step
	err := a.DB.Read(ctx, func(tx *db.Tx) error {
		v, err := a.Servers.ServerIn(tx, scope, server)
		if err != nil {
			return err
		}
		steps, err = checklist(tx, v.ID)
		return err
	})
	return steps, err
}

func checklist(tx *db.Tx, server string) ([]Step, error) {
	token, contacted := Step{Key: StepToken}, Step{Key: StepContacted}
	connected, inventory, ready := Step{Key: StepConnected}, Step{Key: StepInventory}, Step{Key: StepReady}
	e, err := latestEnrolment(tx, server)
	if err != nil {
		return nil, fmt.Errorf("agents: find token: %w", err)
	}
	s, err := statusIn(tx, server)
	if err != nil {
		return nil, err
	}
	inv, err := inventoryOf(tx, server)
	if err != nil {
		return nil, fmt.Errorf("agents: find inventory: %w", err)
	}
	again := e != nil && e.UsedAt == 0 && e.ExpiresAt > tx.NowMillis() // a new token waits: the old agent does not count
	if e != nil {
		token.At = controlplane.FromMillis(e.CreatedAt)
		if e.UsedAt == 0 {
			token.Until = controlplane.FromMillis(e.ExpiresAt)
		}
	}
	if s.State != NotEnrolled && !again {
		contacted.At, connected.At = s.EnrolledAt, s.ConnectedAt
		if inv != nil && inv.Agent == s.Agent {
			inventory.At = s.InventoryAt
		}
		if !inventory.At.IsZero() && s.State == Connected {
			ready.At = later(inventory.At, connected.At)
		}
	}
	steps := []Step{token, contacted, connected, inventory, ready}
	walk(steps)
	if e != nil && e.UsedAt == 0 && !again && s.State == NotEnrolled {
		steps[0].State, steps[1].State = StepFailed, StepLater // the token ran out unused
	}
	if s.State == Frozen && !again {
		steps[2].State = StepFailed
	}
	return steps, nil
}

// walk sets the states: done where there is an instant, then now, then later.
func walk(steps []Step) {
	next := StepNow
	for i := range steps {
		if !steps[i].At.IsZero() {
			steps[i].State = StepDone
			continue
		}
		steps[i].State, next = next, StepLater
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
