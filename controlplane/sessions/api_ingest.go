package sessions

import (
	"context"
	"errors"
	"time"

	"ostler/controlplane/policy"
)

var errUnbuilt = errors.New("sessions: not built yet")

func (s *Service) registerLogins() {}

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
