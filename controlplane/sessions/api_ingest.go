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
