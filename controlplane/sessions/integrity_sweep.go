package sessions

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
)

// sweepEvery is how often all that the ledger says was stored is held against the
// database: which recordings are checked is the ledger's to say, not the row's.
const sweepEvery = 24 * time.Hour

// lateChecks is how many times CheckEvery a recording may go unchecked before that
// is a finding.
const lateChecks = 3

// sweep is how far this process is with that.
type sweep struct {
	mu      sync.Mutex
	next    time.Time       // when it begins again
	token   string          // the page of the ledger that is next
	deleted map[string]bool // let go of, as the ledger says: newer than what was stored
	late    int
	oldest  int64
}

// dueSweep takes one page of the ledger, and looks at what it says was stored.
func (s *Service) dueSweep(ctx context.Context) error {
	ctx = controlplane.System(ctx, "sessions.watch")
	now, err := s.db.Now(ctx)
	if err != nil {
		return err
	}
	w := &s.reviews.sweep
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Before(w.next) {
		return nil
	}
	if w.token == "" {
		w.deleted, w.late, w.oldest = map[string]bool{}, 0, 0
	}
	items, next, err := s.ledger.List(ctx, ofRecordings(), ledger.Filter{Kinds: []string{entryStored, entryDeleted}, Limit: ledger.MaxLimit, PageToken: w.token})
	if err != nil {
		return err
	}
	var stored []string
	for _, i := range items {
		if i.Kind == entryDeleted {
			w.deleted[i.Subject] = true
		} else if !slices.Contains(stored, i.Subject) {
			stored = append(stored, i.Subject)
		}
	}
	for _, id := range stored {
		if err := s.sweepOne(ctx, w, id); err != nil {
			return err
		}
	}
	if w.token = next; next != "" {
		return nil
	}
	w.next = now.Add(sweepEvery)
	return s.tellLate(ctx, w.late, w.oldest)
}

// sweepOne holds what the database has of a recording against that the ledger says
// it was stored.
func (s *Service) sweepOne(ctx context.Context, w *sweep, session string) error {
	var rec recordingRow
	var now time.Time
	var has bool
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		rec, has, err = recordingOf(tx, session)
		return err
	})
	if err != nil {
		return err
	}
	every := s.opts.CheckEvery.Milliseconds()
	seen := max(rec.CheckedAt, rec.StoredAt)
	switch {
	case !has:
		return s.spoilt(ctx, session, "The ledger says that it was stored, and the database does not know it")
	case rec.DeletedAt > 0:
		gone, err := s.letGoOf(ctx, w, session)
		if err != nil || gone {
			return err
		}
		return s.spoilt(ctx, session, "The database says that it was let go of, and the ledger does not")
	case s.erased(rec.SealOwner):
		return nil
	}
	if seen < now.UnixMilli()-lateChecks*every {
		w.late++
		if w.oldest == 0 || seen < w.oldest {
			w.oldest = seen
		}
	}
	if rec.CheckAt <= now.UnixMilli()+every && (seen >= now.UnixMilli()-2*every || rec.CheckAt <= now.UnixMilli()) {
		return nil
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return checkNow(tx, session) })
}

// letGoOf reports whether the ledger says that a recording was let go of: by the
// pages that were read, or by an entry that came since.
func (s *Service) letGoOf(ctx context.Context, w *sweep, session string) (bool, error) {
	if w.deleted[session] {
		return true, nil
	}
	items, _, err := s.ledger.List(ctx, ofRecordings(), ledger.Filter{Subject: session, Kinds: []string{entryDeleted}, Limit: 1})
	return len(items) > 0, err
}

// spoilt names a recording of which the database does not say what the ledger says.
func (s *Service) spoilt(ctx context.Context, session, why string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := s.sessionIn(tx, ofRecordings(), session)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return s.findings.Raise(tx, findings.Finding{Key: findings.SessionRecordingChanged + ":" + session, Kind: findings.SessionRecordingChanged, Severity: findings.Bad,
				Owner: findings.Ops, Subject: session, Args: map[string]string{"because": "The ledger has a recording of session " + session + ", and the database does not know the session"}, Link: "/sessions"})
		}
		if err != nil || s.erased(row.SealOwner) {
			return err
		}
		if rec, has, err := recordingOf(tx, session); err != nil {
			return err
		} else if has && rec.sound() {
			rec.Integrity = string(Changed)
			if err := db.Save(tx, &rec); err != nil {
				return err
			}
			if err := s.enterRecording(tx, row, entryChecked, map[string]any{"integrity": string(Changed)}); err != nil {
				return err
			}
		}
		return s.raiseRecording(tx, row, findings.SessionRecordingChanged, findings.Bad, why)
	})
}

const (
	uncheckedStore  = findings.SessionUnchecked + ":store"
	uncheckedLate   = findings.SessionUnchecked + ":late"
	uncheckedErased = findings.SessionUnchecked + ":erased"
)

// tellLate says that recordings have gone unchecked for too long, or that none has.
func (s *Service) tellLate(ctx context.Context, late int, oldest int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		erased, err := s.lockedAway(tx)
		if err != nil {
			return err
		}
		if err := s.tellUnchecked(tx, uncheckedErased, erased, 0, "The keys of their customers were destroyed, so nobody can read them. They are let go of when their term is over"); err != nil {
			return err
		}
		return s.tellUnchecked(tx, uncheckedLate, late, oldest, "Checks do not come to an end: see the jobs that compare recordings")
	})
}

// lockedAway counts the recordings that are there and whose key was destroyed.
func (s *Service) lockedAway(tx *db.Tx) (n int, err error) {
	owners, err := recordingOwners(tx)
	for _, o := range owners {
		if s.erased(o.SealOwner) {
			n += int(o.N)
		}
	}
	return n, err
}

// tellUnchecked opens a finding that recordings cannot be compared with the
// ledger, or closes it where there are none.
func (s *Service) tellUnchecked(tx *db.Tx, key string, n int, since int64, because string) error {
	if n <= 0 {
		return s.findings.Close(tx, key, "recordings are compared with the ledger again")
	}
	count := "One recording"
	if n > 1 {
		count = strconv.Itoa(n) + " recordings"
	}
	args := map[string]string{"count": count, "because": because}
	if since > 0 {
		args["since"] = controlplane.FromMillis(since).In(s.opts.Zone).Format("2 January 2006")
	}
	return s.findings.Raise(tx, findings.Finding{Key: key, Kind: findings.SessionUnchecked, Severity: findings.Unknown, Owner: findings.Ops, Args: args, Link: "/sessions"})
}
