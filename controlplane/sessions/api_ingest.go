package sessions

import (
	"context"
	"errors"
	"time"

	"ostler/controlplane/policy"
)

var errUnbuilt = errors.New("sessions: not built yet")

func (s *Service) registerIngest() {}
func (s *Service) registerLogins() {}

// Filter selects sessions.
type Filter struct {
	Customer, Server, Person string
	Kinds                    []Kind
	States                   []State
	Reviews                  []ReviewState
	Ungrounded               bool // only those that lack a ground
	From, To                 time.Time
	Limit                    int // at most 200; 0 is 50
	PageToken                string
}

// List returns sessions, the latest first. Contacts and auditors see those that
// touch their customers, an auditor those of their period only, and none of
// them the risk and the review's text. Permission: session.read.
func (s *Service) List(ctx context.Context, scope policy.Scope, f Filter) (items []Session, next string, err error) {
	return nil, "", errUnbuilt
}

// Get returns one session, as List does. Permission: session.read. Errors: not found.
func (s *Service) Get(ctx context.Context, scope policy.Scope, id string) (Session, error) {
	return Session{}, errUnbuilt
}

// Event is one event of a session, as the cluster gave it.
type Event struct {
	ID, Type string
	At       time.Time
	Raw      []byte // JSON
}

// Events returns what the cluster said of a session, the oldest first. Staff only.
func (s *Service) Events(ctx context.Context, scope policy.Scope, session string) ([]Event, error) {
	return nil, errUnbuilt
}

// Feed says how the reading of the audit log goes. Staff only.
func (s *Service) Feed(ctx context.Context, scope policy.Scope) (Feed, error) {
	return Feed{}, errUnbuilt
}

// ReadNow has the audit log read at once, with the deep overlap. It returns the job.
// Permission: session.admin.
func (s *Service) ReadNow(ctx context.Context, scope policy.Scope) (job string, err error) {
	return "", errUnbuilt
}

// Quarantine lists events that could not be taken in, the latest first. Staff only.
func (s *Service) Quarantine(ctx context.Context, scope policy.Scope, limit int, pageToken string) (items []Quarantined, next string, err error) {
	return nil, "", errUnbuilt
}

// Dismiss says that a person has looked at such an event. Permission: session.admin.
func (s *Service) Dismiss(ctx context.Context, scope policy.Scope, id, why string) error {
	return errUnbuilt
}

// LoginFilter selects logins that hosts saw.
type LoginFilter struct {
	Customer, Server string
	States           []LoginState
	From, To         time.Time
	Limit            int
	PageToken        string
}

// Logins lists logins that hosts saw, the latest first. Permission: session.read.
func (s *Service) Logins(ctx context.Context, scope policy.Scope, f LoginFilter) (items []Login, next string, err error) {
	return nil, "", errUnbuilt
}

// Explain says why a login outside was right, and closes its finding; the customer sees
// it. Permission: session.review. Errors: invalid, not found, conflict where it
// is not outside.
func (s *Service) Explain(ctx context.Context, scope policy.Scope, login, why string) (Login, error) {
	return Login{}, errUnbuilt
}

// CoverageOf is recorded ÷ all logins of a customer's servers in a time (zero:
// the last 30 days). Permission: session.read.
func (s *Service) CoverageOf(ctx context.Context, scope policy.Scope, customer string, from, to time.Time) (Coverage, error) {
	return Coverage{}, errUnbuilt
}
