package controlplane

import (
	"context"
	"slices"
	"time"
)

// ActorKind says what sort of actor does something.
type ActorKind string

// The kinds of actor.
const (
	ActorStaff   ActorKind = "staff"   // a person of the hosting company
	ActorContact ActorKind = "contact" // a person of a customer
	ActorAuditor ActorKind = "auditor" // an outside person with a time-boxed sign-in
	ActorAgent   ActorKind = "agent"   // an agent on a server
	ActorSystem  ActorKind = "system"  // the plane itself: schedules, sweeps
)

// Valid reports whether k is a known kind.
func (k ActorKind) Valid() bool {
	switch k {
	case ActorStaff, ActorContact, ActorAuditor, ActorAgent, ActorSystem:
		return true
	}
	return false
}

// Actor is who does something. It travels in the context, and the ledger
// reads it there.
type Actor struct {
	Kind ActorKind
	ID   string // stf_, con_ or agt_ id; a component's name for the system
	// Customer is the customer of a contact, or the first one of an auditor, and
	// "" for everyone else.
	Customer string
	// Customers are all customers of an auditor of several, Customer among them;
	// nil where there is one at most.
	Customers []string
	// From and To bound what an auditor looks at: what began in that time, To
	// itself not included. Zero is open.
	From, To time.Time
	// Role is the actor's role (see package policy); "" for agents and the system.
	Role string
	// Session or Token names the credential that the actor came with ("" for the system).
	Session, Token string
	// Permissions narrows the role to a token's permissions (see package
	// policy). nil is the whole role, except with a Token: a token that names
	// no permission has none.
	Permissions []string
}

// Own returns the customers that the actor belongs to, if any.
func (a Actor) Own() []string {
	switch {
	case len(a.Customers) > 0:
		return slices.Clone(a.Customers)
	case a.Customer != "":
		return []string{a.Customer}
	}
	return nil
}

// InPeriod reports whether what began at an instant is within what the actor
// may look at.
func (a Actor) InPeriod(at time.Time) bool {
	return !at.Before(a.From) && (a.To.IsZero() || at.Before(a.To))
}

type actorKey struct{}

// WithActor returns a context that carries a.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom returns the actor of ctx; ok is false where there is none.
func ActorFrom(ctx context.Context) (a Actor, ok bool) {
	a, ok = ctx.Value(actorKey{}).(Actor)
	return a, ok
}

// System returns a context whose actor is the plane's component of that name.
func System(ctx context.Context, component string) context.Context {
	return WithActor(ctx, Actor{Kind: ActorSystem, ID: component})
}

type requestKey struct{}

// WithRequestID returns a context that carries the id of the request being answered.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestID returns the request id of ctx, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}
