package incidents

import (
	"context"

	"ostler/controlplane/db"
)

// Pass looks once for all that is due, as Watch does.
func (s *Service) Pass(ctx context.Context) error {
	for _, due := range s.due {
		if err := due(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Recount counts a case anew, as whoever changes what its clocks stand on does.
func (s *Service) Recount(tx *db.Tx, id string) error { return s.recount(tx, id) }

// OnClosed and OnAffected have f told, in the transaction.
func (s *Service) OnClosed(f func(tx *db.Tx, c Case) error) { s.onClosed = append(s.onClosed, f) }

// OnAffected has f told of who comes into a case, or whose state in it changes.
func (s *Service) OnAffected(f func(tx *db.Tx, c Case, a Affected) error) {
	s.onAffected = append(s.onAffected, f)
}
