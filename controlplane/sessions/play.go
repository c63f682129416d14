package sessions

import (
	"context"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// sight is what reviews decide for those who read recordings; registerReviews
// sets both. Where one is nil nobody sees anything.
type sight struct {
	// look asks whether who is in ctx may read a session's recording now: viewing is
	// an open one of theirs and of this session, and their right still stands.
	look func(ctx context.Context, scope policy.Scope, session, viewing string) error
	// searched notes viewings of way "search" of these sessions, in the search's transaction.
	searched func(tx *db.Tx, sessions []string, query string) error
}
