// Package findings keeps what needs a person. It keeps true that a cause is
// open once however often it is seen, that opening and closing stand in the
// ledger with the change that caused them, and that every finding reads as a
// plain sentence with its cause and one next step.
package findings

import (
	"time"

	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/secrets"
)

// Severity is how bad an open finding is.
type Severity string

// The severities, worst first.
const (
	Bad     Severity = "bad"     // harm now, or a clock runs
	Warn    Severity = "warn"    // it will be harm if nobody acts
	Unknown Severity = "unknown" // a fact is missing: never "fine"
)

// Valid reports whether s is a known severity.
func (s Severity) Valid() bool { return s.rank() > 0 }

// Worse reports whether s is worse than t; anything is worse than "".
func (s Severity) Worse(t Severity) bool {
	return s.rank() > 0 && (t.rank() == 0 || s.rank() < t.rank())
}

// rank orders severities, worst first; 0 is no severity.
func (s Severity) rank() int {
	switch s {
	case Bad:
		return 1
	case Warn:
		return 2
	case Unknown:
		return 3
	}
	return 0
}

// Owner is who has to act.
type Owner string

// The owners.
const (
	Ops        Owner = "ops"      // the hosting company
	OfCustomer Owner = "customer" // the customer
)

// Valid reports whether o is a known owner.
func (o Owner) Valid() bool { return o == Ops || o == OfCustomer }

// Finding is one thing that needs a person.
type Finding struct {
	ID string
	// Key names the cause: one finding of a key is open at a time. It is made of
	// kinds and ids: "backup.missed:pln_...".
	Key string
	// Group gathers findings of one outside cause (a store that is down, a
	// server with several tenants); "" is the key.
	Group string
	// Customer whose finding it is; "" is the company's own, which no contact
	// sees: raise one for each tenant, in one Group, where customers must know.
	Customer string
	Server   string
	Subject  string // id of the plan, repository, agent ... it is about
	Kind     string // one of Kinds
	Severity Severity
	Owner    Owner
	Args     map[string]string // for the sentence; sealed
	Next     string            // text key of the one action; "" is the kind's
	Link     string            // path in the portal where it is done
	OpenedAt time.Time
	SeenAt   time.Time // latest Raise
	ClosedAt time.Time // zero while open
	Cause    string    // why it closed, a word or a short sentence; no personal data
	Count    int       // how often it was seen in this opening
	InGroup  int       // how many findings its line stands for; List with Grouped only
}

// Open reports whether the finding is open.
func (x Finding) Open() bool { return x.ClosedAt.IsZero() }

// Findings keeps findings.
type Findings struct {
	db     *db.DB
	keys   *secrets.Keeper
	ledger *ledger.Ledger
	bus    *bus.Bus
}

// New returns the findings of a database. b may be nil.
func New(d *db.DB, k *secrets.Keeper, l *ledger.Ledger, b *bus.Bus) *Findings {
	return &Findings{db: d, keys: k, ledger: l, bus: b}
}
