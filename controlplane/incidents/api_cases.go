package incidents

import (
	"context"
	"errors"
	"time"

	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

var errUnbuilt = errors.New("incidents: not built yet")

func (s *Service) registerCases() {}

// CaseFilter selects cases, newest first.
type CaseFilter struct {
	State    State // "" is all
	Customer string
	Server   string
	Drills   bool // exercises, too
	Limit    int
	Token    string
}

// Open opens a case. Permission: incident.write.
func (s *Service) Open(ctx context.Context, scope policy.Scope, in NewCase) (Case, error) {
	return Case{}, errUnbuilt
}

// Get returns a case whole, by id or number. Permission: incident.read, of staff.
func (s *Service) Get(ctx context.Context, scope policy.Scope, ref string) (Case, error) {
	return Case{}, errUnbuilt
}

// AsKnown returns a case's awareness and clocks as they were known at an instant.
func (s *Service) AsKnown(ctx context.Context, scope policy.Scope, ref string, known time.Time) (Case, []Clock, error) {
	return Case{}, nil, errUnbuilt
}

// List lists cases. Permission: incident.read, of staff.
func (s *Service) List(ctx context.Context, scope policy.Scope, f CaseFilter) (items []Case, next string, err error) {
	return nil, "", errUnbuilt
}

// Update changes a case. Permission: incident.write.
func (s *Service) Update(ctx context.Context, scope policy.Scope, id string, version int64, in CaseChange) (Case, error) {
	return Case{}, errUnbuilt
}

// Affect puts customers into a case. Permission: incident.write.
func (s *Service) Affect(ctx context.Context, scope policy.Scope, id string, in Affect) (Case, error) {
	return Case{}, errUnbuilt
}

// Clear says that a customer is not in it, and why. Whoever was told is told so.
// Permission: incident.write.
func (s *Service) Clear(ctx context.Context, scope policy.Scope, id, customer, why string) (Case, error) {
	return Case{}, errUnbuilt
}

// Assert adds somebody's word about awareness. Permission: incident.write.
func (s *Service) Assert(ctx context.Context, scope policy.Scope, id string, in NewAssertion) (Case, error) {
	return Case{}, errUnbuilt
}

// ConfirmAssertion confirms a correction to a later time, as another person.
// Permission: incident.write.
func (s *Service) ConfirmAssertion(ctx context.Context, scope policy.Scope, id, assertion string) (Case, error) {
	return Case{}, errUnbuilt
}

// Contain says since when nobody could reach the data any more, and by what.
// Permission: incident.write.
func (s *Service) Contain(ctx context.Context, scope policy.Scope, id string, at At, how string) (Case, error) {
	return Case{}, errUnbuilt
}

// Handled says that the incident is handled: a final report is due a month later.
func (s *Service) Handled(ctx context.Context, scope policy.Scope, id string, at At, how string) (Case, error) {
	return Case{}, errUnbuilt
}

// Close ends a case. Permission: incident.write.
func (s *Service) Close(ctx context.Context, scope policy.Scope, id string, in Closing) (Case, error) {
	return Case{}, errUnbuilt
}

// Reopen opens a case again. Permission: incident.write.
func (s *Service) Reopen(ctx context.Context, scope policy.Scope, id string, in Reopening) (Case, error) {
	return Case{}, errUnbuilt
}

// Merge has a case go on in another: the earliest awareness of both counts.
// Permission: incident.write.
func (s *Service) Merge(ctx context.Context, scope policy.Scope, id, into, why string) (Case, error) {
	return Case{}, errUnbuilt
}

// Split makes a case of its own of a part of another; their clocks run on in it.
// Permission: incident.write.
func (s *Service) Split(ctx context.Context, scope policy.Scope, id string, in SplitOff) (Case, error) {
	return Case{}, errUnbuilt
}

// Clocks are all duties of a case: the company's own first, then one a customer.
// Permission: incident.read, of staff.
func (s *Service) Clocks(ctx context.Context, scope policy.Scope, id string) ([]Clock, error) {
	return nil, errUnbuilt
}

// Concerns counts the open cases, no drills, that touch whoever is in scope: what
// a headline must not pass over. Permission: incident.read.
func (s *Service) Concerns(ctx context.Context, scope policy.Scope) (servers []string, n int, err error) {
	return nil, 0, errUnbuilt
}

// TermsOf returns a customer's terms. Permission: incident.read.
func (s *Service) TermsOf(ctx context.Context, scope policy.Scope, customer string) (Terms, error) {
	return Terms{}, errUnbuilt
}

// SetTerms changes them; cases that are open are counted anew from then on, never
// to a later time than was shown before. Permission: incident.admin.
func (s *Service) SetTerms(ctx context.Context, scope policy.Scope, in Terms) (Terms, error) {
	return Terms{}, errUnbuilt
}

// CompanyProfile returns who we are to the law. Permission: incident.read, of staff.
func (s *Service) CompanyProfile(ctx context.Context, scope policy.Scope) (Company, error) {
	return Company{}, errUnbuilt
}

// SetCompany changes it. Permission: incident.admin.
func (s *Service) SetCompany(ctx context.Context, scope policy.Scope, in Company) (Company, error) {
	return Company{}, errUnbuilt
}

// Rules are the rules in use, with how they came. Permission: incident.read.
func (s *Service) Rules(ctx context.Context, scope policy.Scope) (p law.Pack, sha256 string, since time.Time, err error) {
	return law.Pack{}, "", time.Time{}, errUnbuilt
}

// LoadRules puts another pack into use, from now on; it is entered in the ledger
// whole. Permission: incident.admin.
func (s *Service) LoadRules(ctx context.Context, scope policy.Scope, pack []byte) (law.Pack, error) {
	return law.Pack{}, errUnbuilt
}
