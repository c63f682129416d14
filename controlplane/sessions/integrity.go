package sessions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// The job that reads a recording back. One runs at a time: it is never urgent.
const (
	jobCheck      = "session.check"
	checkTimeout  = time.Hour
	checksAtOnce  = 20 // queued by one look
	resourceCheck = "session.check"
)

type checkParams struct {
	Session string `json:"session"`
}

// dueChecks has recordings read back, each every CheckEvery.
func (s *Service) dueChecks(ctx context.Context) error {
	ctx = controlplane.System(ctx, "sessions.watch")
	var due []recordingRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		due, err = dueRecordings(tx, "check_at", 1)
		return err
	})
	if err != nil || len(due) == 0 {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := dueRecordings(tx, "check_at", checksAtOnce)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if _, err := s.enqueueCheck(tx, r.SessionID, fmt.Sprint(r.CheckAt)); err != nil {
				return err
			}
			r.CheckAt = tx.Now.Add(s.opts.CheckEvery).UnixMilli()
			if err := db.Save(tx, &r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) enqueueCheck(tx *db.Tx, session, which string) (string, error) {
	job, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobCheck, Executor: jobs.Plane, Resource: resourceCheck, Key: jobCheck + ":" + session + ":" + which,
		Supersedes: jobCheck + ":" + session, Subject: session, Params: checkParams{session}, Timeout: checkTimeout, Title: "job.session_check"})
	return job.ID, err
}

// Check reads a recording back now and compares it with the ledger. It returns the
// job. Permission: session.review. Errors: not found, conflict where there is none.
func (s *Service) Check(ctx context.Context, scope policy.Scope, session string) (job string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := s.sessionIn(tx, scope, session); err != nil {
			return err
		}
		rec, ok, err := recordingOf(tx, session)
		switch {
		case err != nil:
			return err
		case !ok:
			return conflict("See why there is none on the session's page.", "There is no recording to check")
		case rec.DeletedAt > 0:
			return conflict("Its SHA-256 and the entry about its end stay in the ledger.", "The recording was let go of")
		}
		job, err = s.enqueueCheck(tx, session, controlplane.NewID(controlplane.PrefixJob))
		return err
	})
	return job, wrap("check", err)
}

// checked is what a check found, and why in a sentence without its full stop.
type checked struct {
	Integrity Integrity `json:"integrity"`
	Why       string    `json:"why,omitempty"`
}

func (s *Service) runCheck(ctx context.Context, job jobs.Job) (any, error) {
	var p checkParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, err
	}
	var rec recordingRow
	var blobs []blobRow
	var commands commandsRow
	var customers []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if rec, _, err = recordingOf(tx, p.Session); err != nil || rec.SessionID == "" || rec.DeletedAt > 0 {
			return err
		}
		if blobs, err = blobsOf(tx, rec); err != nil {
			return err
		}
		if commands, err = commandsOf(tx, p.Session); err == nil {
			customers, err = customerIDs(tx, p.Session)
		}
		return err
	})
	if err == nil {
		err = s.ready(ctx, customers...)
	}
	if err != nil || rec.SessionID == "" || rec.DeletedAt > 0 {
		return nil, err
	}
	known, err := s.sumsOf(ctx, p.Session)
	if err != nil {
		return nil, err
	}
	if s.erased(rec.SealOwner) { // the sweep says how many there are
		return map[string]string{"unchecked": "its customer's key was destroyed"}, nil
	}
	found, err := s.compare(ctx, rec, blobs, commands, known)
	if err != nil {
		s.opts.Log.WarnContext(ctx, "sessions.check", "session.id", p.Session, "err", err)
		return nil, s.uncheckable(ctx, rec, err)
	}
	return found, s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.findings.Close(tx, uncheckedStore, "a recording was compared with the ledger"); err != nil {
			return err
		}
		return s.settleCheck(tx, rec, found)
	})
}

// uncheckable says that a check cannot be made now: it is made again, and until
// then that is a finding.
func (s *Service) uncheckable(ctx context.Context, rec recordingRow, cause error) error {
	why := "the place where recordings are kept does not answer"
	var known *controlplane.Error
	if errors.As(cause, &known) {
		why = known.Message
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		return s.tellUnchecked(tx, uncheckedStore, 1, max(rec.CheckedAt, rec.StoredAt), capital(why))
	})
	if err != nil {
		return err
	}
	return jobs.Fail(wire.CausePlane, why)
}

// compare reads a recording back. What counts is the ledger: whoever can write
// the row cannot write that unnoticed.
func (s *Service) compare(ctx context.Context, rec recordingRow, blobs []blobRow, commands commandsRow, known sums) (checked, error) {
	if len(blobs) != 3 {
		return checked{Gone, "What is known of its blobs is not in the database any more"}, nil
	}
	got := map[blobKind]string{}
	for _, b := range blobs {
		sum, err := s.readBack(ctx, b)
		switch {
		case errors.Is(err, errGone):
			return checked{Gone, "It is not in the place where recordings are kept"}, nil
		case errors.Is(err, errDamaged):
			return checked{Changed, "Its bytes do not open as they were sealed"}, nil
		case err != nil:
			return checked{}, err
		}
		got[blobKind(b.Kind)] = sum
	}
	moments, err := s.momentsBack(commands)
	if err != nil {
		return checked{Changed, "What was run in it does not open as it was sealed"}, nil
	}
	first, ok := known.first()
	switch {
	case !ok:
		return checked{Changed, "The ledger does not know it"}, nil
	case got[blobRaw] != first:
		return checked{Changed, "Its SHA-256 is not the one in the ledger"}, nil
	case !known.has(made{got[blobCast], got[blobText], moments}):
		return checked{Changed, "What is played, read or searched of it has not the SHA-256 in the ledger"}, nil
	case rec.SHA256 != first || rec.CastSHA256 != got[blobCast] || rec.TextSHA256 != got[blobText]:
		return checked{Changed, "The SHA-256 that the database says is not the one in the ledger"}, nil
	}
	return checked{Intact, ""}, nil
}

// momentsBack returns the SHA-256 of what was run in a session, and all else.
func (s *Service) momentsBack(row commandsRow) (string, error) {
	commands, err := s.openMoments(row, "commands", row.Commands)
	if err != nil {
		return "", err
	}
	others, err := s.openMoments(row, "others", row.Others)
	return momentsSum(commands, others), err
}

// readBack returns the SHA-256 of a blob.
func (s *Service) readBack(ctx context.Context, row blobRow) (string, error) {
	r, err := s.openBlob(ctx, row, nil)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, struct{ io.Reader }{r}); err != nil {
		return "", err
	}
	if r.size() == 0 { // nothing was read: see that it is there
		if ok, err := s.blobs.Exists(ctx, blobKey(row.SessionID, row.Name)); err != nil || !ok {
			return "", errors.Join(errGone, err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// settleCheck keeps what a check found, unless the recording has changed hands since.
func (s *Service) settleCheck(tx *db.Tx, was recordingRow, found checked) error {
	rec, ok, err := recordingOf(tx, was.SessionID)
	if err != nil || !ok || rec.DeletedAt > 0 || rec.RawBlob != was.RawBlob {
		return err
	}
	row, err := s.sessionIn(tx, ofRecordings(), rec.SessionID)
	if err != nil {
		return err
	}
	before := Integrity(rec.Integrity)
	rec.Integrity, rec.CheckedAt = string(found.Integrity), tx.NowMillis()
	until, err := s.keptUntil(tx, row) // terms may have changed since
	if err != nil {
		return err
	}
	if until.UnixMilli() != rec.KeptUntil {
		rec.KeptUntil, rec.LookAt = until.UnixMilli(), until.UnixMilli()
	}
	if err := db.Save(tx, &rec); err != nil {
		return err
	}
	if found.Integrity == before {
		return nil
	}
	if found.Integrity == Intact {
		if before == Unchecked {
			return nil // its entry in the ledger says so already
		}
		if err := s.closeRecording(tx, rec.SessionID, findings.SessionRecordingChanged, "a check found it as it was stored"); err != nil {
			return err
		}
	} else if err := s.raiseRecording(tx, row, findings.SessionRecordingChanged, findings.Bad, found.Why); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish(TopicSessions) })
	return s.enterRecording(tx, row, entryChecked, map[string]any{"integrity": string(found.Integrity)})
}
