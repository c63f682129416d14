package sessions

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

// alarmsAtOnce bounds what one look settles.
const alarmsAtOnce = 100

// dueOverdue says of sessions that ended that no recording came. Nobody is
// accused of what was not read yet: the log has to be read beyond the time.
func (s *Service) dueOverdue(ctx context.Context) error {
	if s.cluster == nil {
		return nil
	}
	ctx = controlplane.System(ctx, "sessions.watch")
	var ids []string
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		feed, err := feedIn(tx)
		if err == nil {
			ids, err = overdueRows(tx, feed.ReadTo, alarmsAtOnce)
		}
		return err
	})
	if err != nil || len(ids) == 0 {
		return wrap("overdue", err)
	}
	if err := s.customersReady(ctx); err != nil {
		return err
	}
	for _, id := range ids {
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			row, err := s.sessionIn(tx, ofFeed(), id)
			if err != nil || State(row.State) != Ended || row.DueAt > tx.NowMillis() {
				return err
			}
			return s.recordingMissing(tx, id, "no recording came within "+findings.Ago("en", s.opts.Grace)+" of its end")
		})
		if err != nil {
			return wrap("overdue", err)
		}
	}
	return nil
}

// findEndless looks for sessions that have no end and do not run any more.
func (s *Service) findEndless(ctx context.Context) error {
	var rows []sessionRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = liveRows(tx, tx.Now.Add(-s.opts.Endless).UnixMilli(), alarmsAtOnce)
		return err
	})
	if err != nil || len(rows) == 0 {
		return wrap("endless", err)
	}
	state, err := s.cluster.Observe(ctx)
	if err != nil || state.Skipped > 0 {
		return nil // it is not known what runs: the next reading tells
	}
	runs := map[string]bool{}
	for _, l := range state.Live {
		runs[l.ID] = true
	}
	for _, r := range rows {
		if runs[r.SID] {
			continue
		}
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.endless(tx, r.ID) }); err != nil {
			return wrap("endless", err)
		}
	}
	return nil
}

// endless says of a session that it has no end, and so no recording.
func (s *Service) endless(tx *db.Tx, id string) error {
	row, err := s.sessionIn(tx, ofFeed(), id)
	if err != nil || State(row.State) != Live || row.Endless == 1 {
		return err
	}
	f, err := s.factsOf(row)
	if err != nil {
		return err
	}
	row.Endless, row.DueAt = 1, tx.NowMillis()
	if err := saveSession(tx, &row); err != nil {
		return err
	}
	customers, err := customerIDs(tx, id)
	if err != nil {
		return err
	}
	if err := s.enter(tx, row, customers, "session.endless", map[string]any{"started_at": controlplane.Instant(controlplane.FromMillis(row.StartedAt))}, facts{}); err != nil {
		return err
	}
	err = s.raiseEach(tx, customers, findings.Finding{Key: findings.SessionEndless + ":" + id, Kind: findings.SessionEndless, Server: row.ServerID, Subject: id, Severity: findings.Warn,
		Owner: findings.Ops, Link: linkTo(id), Args: map[string]string{"person": f.PersonName, "where": f.Host, "at": moment(controlplane.FromMillis(row.StartedAt))}})
	if err != nil {
		return err
	}
	if err := s.recordingMissing(tx, id, "its end never came, and it does not run any more"); err != nil {
		return err
	}
	for _, tell := range s.onEnded {
		if err := tell(tx, id); err != nil {
			return err
		}
	}
	return nil
}
