package access

import (
	"context"
	"errors"
	"time"

	"ostler/controlplane/policy"
)

var errContract = errors.New("access: not there yet")

// registerLists hooks up grants, people and lists.
func (s *Service) registerLists() {}

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

// NewGrant is what a grant is made of: Person or Team, not both.
type NewGrant struct {
	Customer     string // id or slug
	Person, Team string
	Role         string
	Kind         GrantKind // "" is normal; baseline only by AcceptBaseline
	Reason       string
	Ticket       string
	// NoTicketUntil takes a grant without a ticket while the ticket system is
	// down: it is filled in by then (at most 24 h), or the grant ends.
	NoTicketUntil time.Time
	From, Until   time.Time // From zero is now; Until is required
}

// Grant proposes or makes a grant. A grant is refused while the person's
// confidentiality agreement, training or acknowledgement of the customer's brief
// is missing or expires before it begins; of a team, whoever lacks one is named.
// Permission: access.write.
//
// Errors: invalid with fields, conflict (the same is granted already), not found.
func (s *Service) Grant(ctx context.Context, scope policy.Scope, in NewGrant) (Grant, error) {
	return Grant{}, errContract
}

// Answer approves or refuses a proposed grant: a second person of ours, who is
// not the one who granted it and gains nothing by it, or a designee of the
// customer. Permission: access.approve.
func (s *Service) Answer(ctx context.Context, scope policy.Scope, grant string, yes bool, note string) (Grant, error) {
	return Grant{}, errContract
}

// Extend moves a grant's end, with a reason of its own. It needs what a new grant needs.
func (s *Service) Extend(ctx context.Context, scope policy.Scope, grant string, until time.Time, reason, ticket string) (Grant, error) {
	return Grant{}, errContract
}

// FillTicket gives a grant the ticket that it lacked.
func (s *Service) FillTicket(ctx context.Context, scope policy.Scope, grant, ticket string) (Grant, error) {
	return Grant{}, errContract
}

// Revoke ends a grant now, with why. Revoking it again changes nothing. Permission: access.write.
func (s *Service) Revoke(ctx context.Context, scope policy.Scope, grant, why string) (Grant, error) {
	return Grant{}, errContract
}

// Review notes that somebody other than its user looked at a break-glass grant
// or a baseline. Permission: access.approve.
func (s *Service) Review(ctx context.Context, scope policy.Scope, grant, note string) (Grant, error) {
	return Grant{}, errContract
}

// GrantFilter narrows Grants; zero fields do not.
type GrantFilter struct {
	Customer, Person, Team string
	States                 []GrantState
	Limit                  int
	PageToken              string
}

// Grants lists grants, newest first. Permission: access.read.
func (s *Service) Grants(ctx context.Context, scope policy.Scope, f GrantFilter) (items []Grant, next string, err error) {
	return nil, "", errContract
}

// GetGrant returns one grant. Permission: access.read.
func (s *Service) GetGrant(ctx context.Context, scope policy.Scope, id string) (Grant, error) {
	return Grant{}, errContract
}

// Leave ends everything that a person has, on every customer at once, and locks
// them out for good: one transaction, then one job to the cluster. Permission:
// access.write over all customers. Leaving again changes nothing.
func (s *Service) Leave(ctx context.Context, scope policy.Scope, person, why string) (customers int, err error) {
	return 0, errContract
}

// PutTeam makes or changes a team; whoever is taken out loses what it gave them.
// Permission: access.write over all customers.
func (s *Service) PutTeam(ctx context.Context, scope policy.Scope, t Team) (Team, error) {
	return Team{}, errContract
}

// Teams lists teams by name with their members. Permission: access.read over all customers.
func (s *Service) Teams(ctx context.Context, scope policy.Scope) ([]Team, error) {
	return nil, errContract
}
