package sessions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

// batchesAtOnce is how many batches one transaction's look finds.
const batchesAtOnce = 100

// letEventsGo lets go of the cluster's events whose term is over: that of the
// recordings of the same customers, the least where there are several, and the
// company's own where they are nobody's. What remains is the hash, in the ledger.
func (s *Service) letEventsGo(ctx context.Context) error {
	before := map[string]int64{}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		groups, err := batchGroups(tx)
		if err != nil {
			return err
		}
		for _, g := range groups {
			months, err := s.leastMonths(tx, split(g.Customers))
			if err != nil {
				return err
			}
			if cut := tx.Now.AddDate(0, -months, 0).UnixMilli(); g.First < cut {
				before[g.Customers] = cut
			}
		}
		return nil
	})
	if err != nil {
		return wrap("events whose term is over", err)
	}
	var failed []error
	for customers, cut := range before {
		if err := s.letBatchesGo(ctx, customers, cut); err != nil {
			failed = append(failed, wrap("end of events", err))
		}
	}
	return errors.Join(failed...)
}

// letBatchesGo lets go of the batches of some customers that are older than an instant.
func (s *Service) letBatchesGo(ctx context.Context, customers string, before int64) error {
	for {
		var ids []string
		err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
			ids, err = batchesBefore(tx, customers, before, batchesAtOnce)
			return err
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.letBatchGo(tx, id) }); err != nil {
				return fmt.Errorf("batch %s: %w", id, err)
			}
		}
		if len(ids) < batchesAtOnce {
			return nil
		}
	}
}

// letBatchGo lets go of one batch, unless a hold keeps a session that is in it.
func (s *Service) letBatchGo(tx *db.Tx, id string) error {
	row, err := batchIn(tx, id)
	if err != nil || row.DeletedAt > 0 {
		return err
	}
	sessions, err := sessionsIn(tx, row.Cluster, id)
	if err != nil {
		return err
	}
	holds, err := s.holdsOn(tx, sessions)
	if err != nil {
		return err
	}
	if len(holds) > 0 {
		return holdBatch(tx, id, tx.Now.Add(heldAgain).UnixMilli())
	}
	feed, err := feedIn(tx)
	if err != nil {
		return err
	}
	if err := dropBatch(tx, id, feed.Watermark-(s.opts.Overlap+s.opts.Deep).Milliseconds()); err != nil {
		return err
	}
	_, err = s.ledger.Append(tx, ledger.Entry{Subject: id, Kind: "session.events_deleted", Data: map[string]any{"count": row.Events, "sha256": row.SHA256,
		"to": controlplane.Instant(controlplane.FromMillis(row.LastAt)), "why": whyTerm, "backups_hold_until": tx.Now.Add(backupsKeep)}})
	return err
}

// leastMonths is for how many months recordings are kept that several customers
// share: the least of their terms.
func (s *Service) leastMonths(tx *db.Tx, customers []string) (least int, err error) {
	for _, c := range customers {
		months, err := s.months(tx, c)
		if err != nil {
			return 0, err
		}
		if least == 0 || months < least {
			least = months
		}
	}
	if least == 0 {
		least = s.opts.Months
	}
	return least, nil
}

// letQuarantineGo lets go of the bytes of events that could not be taken in, once
// the company's term is over.
func (s *Service) letQuarantineGo(ctx context.Context) error {
	return wrap("end of quarantine", s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := quarantinedBefore(tx, tx.Now.AddDate(0, -s.opts.Months, 0).UnixMilli(), batchesAtOnce)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := dropQuarantined(tx, r.ID); err != nil {
				return err
			}
			_, err := s.ledger.Append(tx, ledger.Entry{Subject: r.ID, Kind: "session.quarantine_deleted",
				Data: map[string]any{"event": r.EventID, "type": r.Type, "bytes": r.Bytes, "why": whyTerm, "backups_hold_until": tx.Now.Add(backupsKeep)}})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// halfWritten is how a file store names what it was writing when it was killed:
// our blob's name, and what makes it its own.
var halfWritten = regexp.MustCompile(`^recordings/[^/]+/(?:raw|cast|text)_[0-9a-z]+\.[0-9a-f]+\.tmp$`)

// keepHalf is how long what may still be written is left alone: longer than any fetch.
const keepHalf = 24 * time.Hour

// sweepHalf deletes what a killed process left half written in the store. Nothing
// depends on it: where the store does not answer, the next sweep finds it.
func (s *Service) sweepHalf(ctx context.Context, now time.Time) {
	it := s.blobs.List(nil)
	swept := 0
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && halfWritten.MatchString(o.Key) && now.Sub(o.ModTime) > keepHalf {
			swept++
			err = s.blobs.Delete(ctx, o.Key)
		}
		if err != nil {
			s.opts.Log.WarnContext(ctx, "sessions.sweep", "err", err)
			return
		}
	}
	if swept > 0 {
		s.opts.Log.InfoContext(ctx, "sessions.sweep", "files", swept)
	}
}
