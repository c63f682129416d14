package identity

import (
	"context"
	"time"

	"ostler/controlplane/db"
)

// sweepEvery is how often Run deletes what is over.
const sweepEvery = 10 * time.Minute

// Run deletes what is over, now and then until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.ErrorContext(ctx, "identity.sweep", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Sweep deletes the throttle's counters at the end of their windows, with them
// the last trace of the addresses that they counted, sign-ins that never got
// their second factor, and thirty days after their end links, sessions and
// tokens. It returns how many rows went.
func (s *Store) Sweep(ctx context.Context) (n int64, err error) {
	err = s.db.Write(asSystem(ctx), func(tx *db.Tx) error {
		n = 0
		now, old := tx.NowMillis(), tx.Now.Add(-keepEnded).UnixMilli()
		for _, d := range []struct {
			row   any
			where string
			args  []any
		}{
			{&markRow{}, "until_at <= ?", []any{now}},
			{&pendingRow{}, "expires_at <= ?", []any{now}},
			{&linkRow{}, "expires_at <= ?", []any{old}},
			{&sessionRow{}, "expires_at <= ? OR (ended_at > 0 AND ended_at <= ?)", []any{old, old}},
			{&tokenRow{}, "expires_at <= ? OR (revoked_at > 0 AND revoked_at <= ?)", []any{old, old}},
		} {
			gone := tx.Where(d.where, d.args...).Delete(d.row)
			if gone.Error != nil {
				return gone.Error
			}
			n += gone.RowsAffected
		}
		return nil
	})
	return n, wrap("sweep", err)
}
