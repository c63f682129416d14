package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// Event is one event of a session, as the cluster gave it.
type Event struct {
	ID, Type string
	At       time.Time
	Raw      []byte // JSON
}

// maxEvents bounds what is shown of one session.
const maxEvents = 5000

// Events returns what the cluster said of a session, the oldest first. Staff
// only: it says what was run, so it is a viewing, as Commands is. Permission:
// session.watch. Errors: not found, forbidden, conflict where it was let go of.
func (s *Service) Events(ctx context.Context, scope policy.Scope, session string) (out []Event, err error) {
	if err := staffOnly(scope); err != nil {
		return nil, err
	}
	actor, _ := controlplane.ActorFrom(ctx)
	if err := mayGlance(actor, scope); err != nil {
		return nil, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := s.sessionIn(tx, scope, session)
		if err == nil {
			out, err = s.eventsOf(tx, row)
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = conflict("Their SHA-256 stay in the ledger.", "What the cluster said of this session was let go of when its term was over")
	}
	if err == nil {
		err = s.glance(ctx, scope, session, wayEvents)
	}
	if err != nil {
		return nil, wrap("events", err)
	}
	return out, nil
}

// eventsOf opens the events of a session, each batch once.
func (s *Service) eventsOf(tx *db.Tx, row sessionRow) (out []Event, err error) {
	rows, err := eventRowsOf(tx, row.Cluster, row.Mark, maxEvents)
	if err != nil {
		return nil, err
	}
	batches := map[string][]byte{}
	for _, r := range rows {
		raw, here := batches[r.BatchID]
		if !here {
			b, err := batchIn(tx, r.BatchID)
			if err != nil {
				return nil, err
			}
			if b.DeletedAt == 0 {
				raw, err = s.openBatch(b)
			}
			if err != nil && !errors.Is(err, secrets.ErrErased) {
				return nil, err
			}
			batches[r.BatchID] = raw
		}
		if raw == nil {
			continue // nobody reads it any more
		}
		if r.Pos < 0 || r.Len < 0 || r.Pos+r.Len > int64(len(raw)) {
			return nil, fmt.Errorf("event %s does not stand in its batch", r.EventID)
		}
		out = append(out, Event{ID: r.EventID, Type: r.Type, At: controlplane.FromMillis(r.At), Raw: raw[r.Pos : r.Pos+r.Len]})
	}
	return out, nil
}
