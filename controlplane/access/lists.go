package access

import (
	"context"
	"errors"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

var errContract = errors.New("access: not there yet")

// registerLists hooks up grants, people and lists.
func (s *Service) registerLists() {
	s.customers.OnTenancyChanged(func(tx *db.Tx, now customers.Tenancy) error {
		if now.EndedAt.IsZero() {
			return nil
		}
		return s.lodgersChanged(tx, now.Server)
	})
	s.customers.OnTenancyMade(func(tx *db.Tx, made customers.Tenancy) error { return s.lodgersChanged(tx, made.Server) })
	s.due = append(s.due, s.spansDue, s.grantsDue, s.papersDue, s.staffDue)
}

// At selects a list's two times; zero is now.
type At struct{ At, KnownAt time.Time }

// List returns a customer's list as it was at one instant, as known at another.
// Permission: access.read. Errors: not found; invalid for an instant in the
// future of what is known.
func (s *Service) List(ctx context.Context, scope policy.Scope, customer string, at At) (List, error) {
	return List{}, errContract
}

// ChangeFilter narrows Changes; zero fields do not.
type ChangeFilter struct {
	Customer, Person string
	Column           Column // "" is Listed
	Since, Before    time.Time
	Limit            int // 0 is 50, at most 200
	PageToken        string
}

// Changes returns what changed in lists, newest first. Permission: access.read.
func (s *Service) Changes(ctx context.Context, scope policy.Scope, f ChangeFilter) (items []Change, next string, err error) {
	return nil, "", errContract
}

// Summary is what a page over many customers says of each.
type Summary struct {
	Customer, Name string
	Persons        int
	Differences    int
	Unattested     bool
	Expiring       int // grants that end within 14 days
	ChangedAt      time.Time
	NoticeLate     bool
}

// Summaries returns one line for each customer of the scope, by slug. Permission: access.read.
func (s *Service) Summaries(ctx context.Context, scope policy.Scope, limit int, pageToken string) (items []Summary, next string, err error) {
	return nil, "", errContract
}

// Cell is a person's grant on a customer, for the matrix.
type Cell struct {
	Person, Customer string
	Roles            []string
	Until            time.Time // the earliest end
	Difference       bool
}

// Matrix returns persons × customers, as many customers as fit a page.
// Permission: access.read over all customers.
func (s *Service) Matrix(ctx context.Context, scope policy.Scope, limit int, pageToken string) (people []Person, columns []Summary, cells []Cell, next string, err error) {
	return nil, nil, nil, "", errContract
}

// VerifyReplay rebuilds all spans from the ledger's entries alone and names
// every span that the tables hold otherwise. It reads in batches.
func (s *Service) VerifyReplay(ctx context.Context) (checked int, differ []string, err error) {
	return 0, nil, errContract
}
