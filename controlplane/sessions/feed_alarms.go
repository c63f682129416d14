package sessions

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
)

// alarmsAtOnce bounds what one look settles.
const alarmsAtOnce = 100

// dueOverdue looks after sessions that wait for a recording beyond their time:
// one that the cluster has is asked for anew, one that did not come is missing.
// Nobody is accused of what was not read yet: the log has to be read beyond the time.
func (s *Service) dueOverdue(ctx context.Context) error {
	if s.cluster == nil {
		return nil
	}
	ctx = controlplane.System(ctx, "sessions.watch")
	var rows []overdue
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		feed, err := feedIn(tx)
		if err == nil {
			rows, err = overdueRows(tx, feed.ReadTo, alarmsAtOnce)
		}
		return err
	})
	if err != nil || len(rows) == 0 {
		return wrap("overdue", err)
	}
	if err := s.customersReady(ctx); err != nil {
		return err
	}
	for _, o := range rows {
		fetches := 0
		if State(o.State) == Uploaded {
			if fetches, err = s.jobs.Count(ctx, ofRecordings(), jobs.Filter{Kinds: []string{jobFetch}, Subject: o.ID, Open: true}); err != nil {
				return wrap("overdue", err)
			}
		}
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.overdue(tx, o.ID, fetches > 0) }); err != nil {
			return wrap("overdue", err)
		}
	}
	return nil
}

// overdue settles one session that waits for its recording beyond its time;
// fetched says that a job is about to bring it. One that the cluster has is asked
// for once more; when that ends without it, it is missing.
func (s *Service) overdue(tx *db.Tx, id string, fetched bool) error {
	row, err := s.sessionIn(tx, ofFeed(), id)
	if err != nil || row.DueAt > tx.NowMillis() {
		return err
	}
	switch State(row.State) {
	case Ended:
		return s.recordingMissing(tx, id, "no recording came within "+findings.Ago("en", s.opts.Grace)+" of its end")
	case Uploaded:
	default:
		return nil
	}
	d, err := s.dataOf(row)
	if err != nil {
		return err
	}
	switch {
	case s.erased(row.SealOwner):
		return s.recordingMissing(tx, id, whyErased)
	case d.Track.Late && !fetched:
		return s.recordingMissing(tx, id, "the cluster says that it has it, and the jobs that were to bring it ended without it")
	case !d.Track.Late && !fetched:
		if err := s.wantRecording(tx, id); err != nil {
			return err
		}
	}
	d.Track.Late, row.DueAt = true, tx.Now.Add(s.opts.Grace).UnixMilli()
	if err := s.sealData(&row, d); err != nil {
		return err
	}
	return saveSession(tx, &row)
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
	last, err := lastEventOf(tx, row.Cluster, row.Mark)
	if err != nil {
		return err
	}
	if err := reopenLogins(tx, id, max(last, row.StartedAt)+endlessLeeway.Milliseconds()); err != nil {
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
