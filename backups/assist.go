package backups

import (
	"context"
	"time"

	"ostler/controlplane/policy"
)

// AssistTime is how long an assist lasts.
const AssistTime = 4 * time.Hour

// Assist lets one member of staff see one customer's files and restore them,
// for AssistTime, because of a reason and a ticket that the customer sees.
type Assist struct {
	ID, Customer, Staff        string // asi_, cus_, stf_
	Reason                     string // sealed in the database
	Ticket                     string // as the ticket system has it: "OPS-1234"
	StartedAt, EndsAt, EndedAt time.Time
}

// Open reports whether the assist lasts at an instant.
func (a Assist) Open(now time.Time) bool {
	return a.ID != "" && a.EndedAt.IsZero() && now.Before(a.EndsAt)
}

// StartAssist begins an assist of the actor, staff with restore.assist; one that
// they have open ends. It stands in the customer's ledger and timeline
// ("restore.assist_started"). Errors: forbidden, invalid (/reason, /ticket),
// not_found.
func (s *Service) StartAssist(ctx context.Context, customer, reason, ticket string) (Assist, error) {
	return Assist{}, notYet()
}

// EndAssist ends an assist of the actor; it may have ended already. Errors:
// forbidden, not_found.
func (s *Service) EndAssist(ctx context.Context, id string) error { return notYet() }

// AssistFilter narrows a list of assists; its zero value is all of the scope.
type AssistFilter struct {
	Customer string
	Open     bool
	Limit    int // at most 200; 0 means 50
}

// Assists lists assists, newest first. Permission: ledger.read.
func (s *Service) Assists(ctx context.Context, scope policy.Scope, f AssistFilter) ([]Assist, error) {
	return nil, notYet()
}

// AssistScope returns the scope in which the actor may do what has to do with
// a customer's files (file.read, restore.run): for contacts that of policy.For,
// for staff the one customer of their open assist, which is returned too.
// Errors: unauthorized; forbidden, for staff without an assist with the next
// step to say why first.
func (s *Service) AssistScope(ctx context.Context, p policy.Permission) (policy.Scope, Assist, error) {
	return policy.Scope{}, Assist{}, notYet()
}
