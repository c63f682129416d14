package sessions

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// sight is how recordings are read. What reviews decide for those who read them
// is set by registerReviews: where look is nil nobody sees anything.
type sight struct {
	// look asks whether who is in ctx may read a session's recording now: viewing is
	// an open one of theirs and of this session, and their right still stands.
	look func(ctx context.Context, scope policy.Scope, session, viewing string) error
	// searched notes viewings of way "search" of these sessions, in the search's transaction.
	searched func(tx *db.Tx, sessions []string, query string) error
	packer   *packer      // of blocks and commands
	most     int          // sessions that a search looks through at once; 0 is maxSearched
	forgot   atomic.Int64 // the latest hour in which old jobs were forgotten
}

// askAgain is how long an answer to "may they look" stands while they read.
const askAgain = time.Second

// Cast is an asciicast v2 that can be read from any place: header, then events,
// one JSON line each.
type Cast struct {
	io.ReadSeekCloser
	Size      int64
	Recording Recording
	Session   Session
	// Marks are places to begin at, in order: the first line at Offset is an event
	// at At or, at 0, the header.
	Marks []Mark
}

// Mark is a place in a Cast.
type Mark struct {
	At     time.Duration
	Offset int64 // in bytes
}

// SeekTime goes to the last mark at or before an instant, and returns it: what
// is read from there on has all that is shown from that instant on.
func (c *Cast) SeekTime(at time.Duration) (Mark, error) {
	found := Mark{}
	for _, m := range c.Marks {
		if m.At > at {
			break
		}
		found = m
	}
	_, err := c.Seek(found.Offset, io.SeekStart)
	return found, err
}

// OpenCast opens a session's recording for somebody who looks at it: viewing is
// an open one of theirs (OpenViewing), and while they read it is asked every
// second whether they still may. Permission: session.watch. Errors: not found,
// forbidden, conflict where there is no recording to play, with the cause.
func (s *Service) OpenCast(ctx context.Context, scope policy.Scope, session, viewing string) (*Cast, error) {
	x, r, err := s.openPart(ctx, scope, session, viewing, blobCast)
	if err != nil {
		return nil, wrap("open recording", err)
	}
	c := &Cast{ReadSeekCloser: playing{r}, Size: r.size(), Recording: *x.Recording, Session: x}
	for _, b := range r.blocks[:len(r.blocks)-1] {
		c.Marks = append(c.Marks, Mark{At: b.at, Offset: b.plain})
	}
	return c, nil
}

// playing says in people's words why a recording cannot be read on.
type playing struct{ *blobReader }

// Read implements io.Reader.
func (p playing) Read(b []byte) (int, error) {
	n, err := p.blobReader.Read(b)
	return n, unreadable(err)
}

// unreadable is an error of a recording's bytes for people; others stay as they are.
func unreadable(err error) error {
	switch {
	case errors.Is(err, errDamaged):
		return conflict("Have it checked. If the cluster still has it, fetch it again.", "The recording is damaged from here on").Because(err)
	case errors.Is(err, errGone):
		return conflict("Have it checked. If the cluster still has it, fetch it again.", "The recording is not in the place where recordings are kept").Because(err)
	}
	return err
}

func conflict(next, format string, args ...any) *controlplane.Error {
	return controlplane.Errorf(controlplane.CodeConflict, next, format, args...)
}

// mayLook asks reviews; nobody may where they were not set.
func (s *Service) mayLook(ctx context.Context, scope policy.Scope, session, viewing string) error {
	if s.sight.look == nil {
		return controlplane.Errorf(controlplane.CodeForbidden, "Ask us.", "Recordings cannot be watched here")
	}
	return s.sight.look(ctx, scope, session, viewing)
}

// openPart opens one blob of a session's recording for somebody who looks.
func (s *Service) openPart(ctx context.Context, scope policy.Scope, session, viewing string, kind blobKind) (x Session, r *blobReader, err error) {
	if x, err = s.Get(ctx, scope, session); err != nil {
		return x, nil, err
	}
	if err := s.mayLook(ctx, scope, session, viewing); err != nil {
		return x, nil, err
	}
	if err := playable(x); err != nil {
		return x, nil, err
	}
	var row blobRow
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rec, ok, err := recordingOf(tx, session)
		if err != nil || !ok {
			return errors.Join(err, errGone)
		}
		name := rec.CastBlob
		if kind == blobText {
			name = rec.TextBlob
		}
		row, err = blobOf(tx, name)
		return err
	})
	if err != nil {
		return x, nil, unreadable(err)
	}
	r, err = s.openBlob(ctx, row, s.askedAgain(ctx, scope, session, viewing))
	return x, r, unreadable(err)
}

// askedAgain asks whether somebody may still look, at most once a second.
func (s *Service) askedAgain(ctx context.Context, scope policy.Scope, session, viewing string) func() error {
	var asked time.Time
	return func() error {
		now, err := s.db.Now(ctx)
		if err != nil {
			return err
		}
		if now.Sub(asked) < askAgain {
			return nil
		}
		if err := s.mayLook(ctx, scope, session, viewing); err != nil {
			return err
		}
		asked = now
		return nil
	}
}

// playable says why a session's recording cannot be watched.
func playable(x Session) error {
	r := x.Recording
	switch {
	case r.Playable():
		return nil
	case r != nil && !r.DeletedAt.IsZero():
		return conflict("Its SHA-256 and the entry about its end stay in the ledger.", "The recording was let go of on %s", r.DeletedAt.Format("2 January 2006"))
	case r != nil && r.Integrity == Changed:
		return conflict("Fetch it again: if the cluster still has it as it was, it is mended.", "The last check found the recording changed, so it is not played")
	case r != nil && r.Integrity == Gone:
		return conflict("Fetch it again: if the cluster still has it, it is mended.", "The recording is not in the place where recordings are kept")
	case x.State == Live:
		return conflict("Come back once the session has ended.", "The session still runs; its recording comes when it has ended")
	case x.State == Missing:
		return conflict("See on the session's page why it is missing, and ask for it again there.", "There is no recording of this session")
	case x.State == Unrecorded:
		return conflict("See what the cluster's log says of it.", "The cluster recorded nothing of this session")
	}
	return conflict("Come back in a few minutes.", "The recording has not come from the cluster yet")
}
