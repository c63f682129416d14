package acme

import (
	"context"
	"time"
)

// The challenge types (RFC 8555, 8).
const (
	HTTP01 = "http-01"
	DNS01  = "dns-01"
)

// Request asks for one certificate. It must not change while its State is kept.
type Request struct {
	// Names are DNS names (lower case, A-labels, "*." first in a wildcard) and
	// IP addresses.
	Names []string
	CSR   []byte // DER
	// Profile is one that the directory lists, "" for the CA's choice.
	Profile string
	// Replaces is the CertID of the certificate that this one renews, "" for
	// none. A CA that minds it is asked again without.
	Replaces string
	// Chain is the common name of a root or an intermediate that the chain
	// should lead to; "", or one the CA does not offer: its default chain.
	Chain string
}

// Step is how far an order is.
type Step string

// The steps, in their order. The zero value stands before the first.
const (
	StepOrdering   Step = "ordering"   // newOrder is about to be sent, or its answer was lost
	StepAuthorize  Step = "authorize"  // the order is there; its names are being shown to be ours
	StepFinalizing Step = "finalizing" // the signing request is about to be sent, or was
	StepIssued     Step = "issued"     // the certificate has a URL
)

// Valid reports whether s is a known step.
func (s Step) Valid() bool {
	switch s {
	case "", StepOrdering, StepAuthorize, StepFinalizing, StepIssued:
		return true
	}
	return false
}

// State is all that must survive a kill to resume the same order. The caller
// keeps it (as JSON) and hands it back; the zero value begins a new order. To
// give an order up, begin with the zero value again.
type State struct {
	Step        Step   `json:"step,omitempty"`
	Order       string `json:"order,omitempty"` // URL
	Finalize    string `json:"finalize,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	// Expires is when the CA forgets the order, zero where it did not say.
	Expires time.Time `json:"expires,omitzero"`
	// WithoutReplaces says that the CA minded Request.Replaces.
	WithoutReplaces bool `json:"without_replaces,omitempty"`
	// Requests to the CA so far, over all attempts at this order.
	Requests int `json:"requests"`
}

// Challenge is what a solver is to show.
type Challenge struct {
	Name    string // of the identifier, without "*."; an IP address as it is
	Type    string // HTTP01 or DNS01
	Token   string
	KeyAuth string // token "." thumbprint of the account
	URL     string
}

// A Solver shows a CA that a name is ours, by one type of challenge. It is
// called for several names at once.
type Solver interface {
	// Present has the challenge answered: when it returns, the CA may look. The
	// channel, which may be nil, receives (or is closed) when the CA did look; it
	// should hold one value, since nobody may be waiting yet.
	Present(ctx context.Context, c Challenge) (hit <-chan struct{}, err error)
	// Clean takes the answer away. It is called after every Present that
	// succeeded, with a context of its own where the first one ended.
	Clean(ctx context.Context, c Challenge) error
}

// Hooks is what Issue tells and asks its caller.
type Hooks struct {
	// Save keeps the State; Issue goes on only when it is kept. It is never
	// called twice at a time. Its error ends Issue, and is returned wrapped.
	Save func(ctx context.Context, s State) error
	// Solvers by challenge type. Where a name can be shown by several,
	// http-01 goes first.
	Solvers map[string]Solver
	// Event is told what happened, for people to read; nil hears nothing. Args
	// are of the keys named beside the events.
	Event func(e Event, args map[string]string)
}

// Event is something that happened to an order.
type Event string

// The events.
const (
	EventOrdered         Event = "ordered"          // a new order was made
	EventResumed         Event = "resumed"          // an order that was there goes on
	EventReplacesDropped Event = "replaces_dropped" // the CA minded Request.Replaces; detail
	EventReused          Event = "reused"           // name: the CA still takes it for ours
	EventPresented       Event = "presented"        // name, type: the answer stands, the CA may look
	EventValidated       Event = "validated"        // name: the CA has seen it
	EventFinalizing      Event = "finalizing"       // all names are shown, the signing request goes off
	EventIssued          Event = "issued"
	EventChainNotOffered Event = "chain_not_offered" // chain: the default one was taken
)

// Valid reports whether e is a known event.
func (e Event) Valid() bool {
	switch e {
	case EventOrdered, EventResumed, EventReplacesDropped, EventReused, EventPresented, EventValidated,
		EventFinalizing, EventIssued, EventChainNotOffered:
		return true
	}
	return false
}

// Result is an issued certificate.
type Result struct {
	Chain []byte // PEM: the leaf first, then every intermediate
	URL   string // of the certificate at the CA
}
