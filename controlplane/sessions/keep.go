package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gocloud.dev/gcerrors"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/secrets"
)

// The job that deletes blobs that nothing names.
const (
	jobDelete     = "session.delete"
	deleteTimeout = 10 * time.Minute
	deleteAgain   = 10 * time.Minute
	endsAtOnce    = 50
)

// Why a recording was let go of; anything else is what a person wrote.
const (
	whyTerm = "term"
)

// backupsKeep is how long the plane's own backups may hold what was deleted here:
// thirty daily ones and twelve monthly ones are kept.
const backupsKeep = 396 * 24 * time.Hour

// heldAgain is how long a recording that is held is not looked at.
const heldAgain = time.Hour

// dueEnds lets recordings go whose term is over, each in a transaction of its own:
// one that cannot be let go of keeps no other one.
func (s *Service) dueEnds(ctx context.Context) error {
	ctx = controlplane.System(ctx, "sessions.watch")
	var due []recordingRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		due, err = dueRecordings(tx, "look_at", endsAtOnce)
		return err
	})
	if err != nil {
		return err
	}
	var failed []error
	for _, r := range due {
		err := s.ready(ctx, r.SealOwner)
		if err == nil {
			err = s.db.Write(ctx, func(tx *db.Tx) error { return s.endTerm(tx, r.SessionID) })
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			failed = append(failed, fmt.Errorf("sessions: end of term of %s: %w", r.SessionID, err))
		}
	}
	return errors.Join(failed...)
}

// endTerm lets a recording go, unless its term is longer now or a hold keeps it:
// both are read in this transaction, so that no hold comes a moment too late.
func (s *Service) endTerm(tx *db.Tx, session string) error {
	rec, ok, err := recordingOf(tx, session)
	if err != nil || !ok || rec.DeletedAt > 0 || rec.LookAt > tx.NowMillis() {
		return err
	}
	row, err := s.sessionIn(tx, ofRecordings(), session)
	if err != nil {
		return err
	}
	until, err := s.keptUntil(tx, row)
	if err != nil {
		return err
	}
	rec.KeptUntil, rec.LookAt = until.UnixMilli(), until.UnixMilli()
	holds, err := s.holdsOn(tx, []string{session})
	if err != nil {
		return err
	}
	switch {
	case until.After(tx.Now):
		return db.Save(tx, &rec)
	case len(holds[session]) > 0:
		rec.LookAt = tx.Now.Add(heldAgain).UnixMilli()
		return db.Save(tx, &rec)
	}
	return s.letGo(tx, row, rec, whyTerm)
}

// letGo deletes a recording: what says so commits first, its bytes go after. Row,
// SHA-256 and the entry in the ledger stay.
func (s *Service) letGo(tx *db.Tx, row sessionRow, rec recordingRow, why string) error {
	var err error
	// With a key that was destroyed nothing is sealed: the entry says why.
	if rec.DeletedWhy, err = s.seal(rec.SealOwner, "session_recordings", "deleted_why", rec.SessionID, why); err != nil && !errors.Is(err, secrets.ErrErased) {
		return err
	}
	rec.DeletedAt = tx.NowMillis()
	if err := db.Save(tx, &rec); err != nil {
		return err
	}
	if err := forgetCommands(tx, rec.SessionID); err != nil {
		return err
	}
	if err := dropBlobs(tx, rec.RawBlob, rec.CastBlob, rec.TextBlob); err != nil {
		return err
	}
	err = s.enterRecording(tx, row, entryDeleted, map[string]any{"sha256": rec.SHA256, "cast_sha256": rec.CastSHA256, "why": why, "stored_at": controlplane.FromMillis(rec.StoredAt),
		"backups_hold_until": tx.Now.Add(backupsKeep)})
	if err != nil {
		return err
	}
	for _, kind := range []string{findings.SessionRecordingChanged, findings.SessionRecordingPartial} {
		if err := s.closeRecording(tx, rec.SessionID, kind, "the recording was let go of"); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish(TopicSessions) })
	return s.enqueueDelete(tx, rec.SessionID, rec.DeletedAt)
}

// keepWork is how long jobs that are over are kept: what they did stands in the ledger.
const keepWork = 30 * 24 * time.Hour

// dueForget forgets jobs that are long over, and lets go of events whose term is,
// once an hour; once a day, and at first, it sweeps the store.
func (s *Service) dueForget(ctx context.Context) error {
	ctx = controlplane.System(ctx, "sessions.watch")
	now, err := s.db.Now(ctx)
	if err != nil {
		return err
	}
	slot := now.Truncate(time.Hour).UnixMilli()
	was := s.sight.forgot.Swap(slot)
	if was == slot {
		return nil
	}
	if was == 0 || now.UTC().Hour() == 4 {
		s.sweepHalf(ctx, now)
	}
	_, err = s.jobs.Forget(ctx, []string{jobFetch, jobCheck, jobDelete}, now.Add(-keepWork))
	return errors.Join(err, s.letEventsGo(ctx), s.letQuarantineGo(ctx))
}

type deleteParams struct {
	Session string `json:"session"`
}

func (s *Service) enqueueDelete(tx *db.Tx, session string, at int64) error {
	slot := tx.Now.Truncate(deleteAgain).UnixMilli() // what a job left is asked for anew
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobDelete, Executor: jobs.Plane, Resource: jobDelete + ":" + session, Key: fmt.Sprintf("%s:%s:%d:%d", jobDelete, session, at, slot),
		Subject: session, Params: deleteParams{session}, Timeout: deleteTimeout, Title: "job.session_delete"})
	return err
}

// dueOrphans has blobs deleted that no recording names: of a fetch that was cut
// short, or of a recording that was replaced or let go of.
func (s *Service) dueOrphans(ctx context.Context) error {
	ctx = controlplane.System(ctx, "sessions.watch")
	var found []orphan
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { found, err = orphans(tx, endsAtOnce); return err })
	if err != nil || len(found) == 0 {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, o := range found {
			if err := s.enqueueDelete(tx, o.SessionID, o.DeleteAt); err != nil {
				return err
			}
		}
		return nil
	})
}

// runDelete deletes what is to be deleted of a session.
func (s *Service) runDelete(ctx context.Context, job jobs.Job) (any, error) {
	var p deleteParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, err
	}
	var rows []blobRow
	if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { rows, err = blobsToDelete(tx, p.Session); return err }); err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := s.blobs.Delete(ctx, blobKey(r.SessionID, r.Name)); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			s.opts.Log.WarnContext(ctx, "sessions.delete", "session.id", r.SessionID, "err", err)
			return nil, jobs.Fail(wire.CausePlane, "the place where recordings are kept does not delete")
		}
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return forgetBlob(tx, r.Name) }); err != nil {
			return nil, err
		}
	}
	return map[string]int{"blobs": len(rows)}, nil
}
