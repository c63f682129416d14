package sessions

import (
	"context"
	"errors"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Event is one event of a session, as the cluster gave it.
type Event struct {
	ID, Type string
	At       time.Time
	Raw      []byte // JSON
}

// Events returns what the cluster said of a session, the oldest first. Staff
// only. Errors: not found.
func (s *Service) Events(ctx context.Context, scope policy.Scope, session string) (out []Event, err error) {
	if err := staffOnly(scope); err != nil {
		return nil, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := s.sessionIn(tx, scope, session)
		if err != nil {
			return err
		}
		out, err = s.eventsOf(tx, row)
		return err
	})
	return out, wrap("events", err)
}

var errUnbuiltEvents = errors.New("sessions: not built yet")

func (s *Service) eventsOf(tx *db.Tx, row sessionRow) ([]Event, error) { return nil, errUnbuiltEvents }
