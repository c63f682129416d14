package sessions

import (
	"context"
	"io"
	"time"

	"ostler/controlplane/policy"
)

func (s *Service) registerRecordings() {}

// Cast is an asciicast v2 that can be read from any place: header, then events,
// one JSON line each.
type Cast struct {
	io.ReadSeekCloser
	Size      int64
	Recording Recording
	Session   Session
}

// OpenCast opens a session's recording for somebody who looks at it: viewing is
// an open one of theirs (OpenViewing), and every read asks again whether they
// still may. Permission: session.watch. Errors: not found, forbidden, conflict
// where there is no recording to play, with the cause.
func (s *Service) OpenCast(ctx context.Context, scope policy.Scope, session, viewing string) (*Cast, error) {
	return nil, errUnbuilt
}

// Moment is something that happened in a recording.
type Moment struct {
	At   time.Duration // since its beginning
	Kind string        // "command", "idle", "resize", "join", "leave", "file", "network", "note"
	Text string        // one clean line
	For  time.Duration // idle: how long
	// Read says how it is known: "kernel" (enhanced recording) or "screen" (read
	// off what the terminal showed).
	Read string
	Exit string // command: exit code, "" is not known
	ID   string // note: nte_
}

// Line is a line of the transcript: what the terminal showed, without any of its
// control sequences.
type Line struct {
	At   time.Duration
	Text string
}

// Timeline returns what happened in a recording, in order; looking at it is a
// viewing like any other. Permission: session.watch.
func (s *Service) Timeline(ctx context.Context, scope policy.Scope, session, viewing string) ([]Moment, error) {
	return nil, errUnbuilt
}

// Transcript returns the text of a recording from a line on. Permission: session.watch.
func (s *Service) Transcript(ctx context.Context, scope policy.Scope, session, viewing string, from, limit int) (lines []Line, more bool, err error) {
	return nil, false, errUnbuilt
}

// CommandQuery searches commands across all recordings of the scope.
type CommandQuery struct {
	Text             string // every word, in any order, in one command; case does not count
	Customer, Person string
	From, To         time.Time
	Limit            int // sessions; at most 200, 0 is 50
	PageToken        string
}

// CommandHit is one session with the commands that match.
type CommandHit struct {
	Session Session
	Moments []Moment
}

// SearchCommands finds sessions by what was run in them, the latest first. That
// somebody searched, and for what, is on record for every customer whose
// sessions were found. Permission: session.watch.
func (s *Service) SearchCommands(ctx context.Context, scope policy.Scope, q CommandQuery) (hits []CommandHit, next string, err error) {
	return nil, "", errUnbuilt
}

// Commands returns the commands of a session for somebody who may see them
// without watching: staff, and contacts where the customer's terms say so.
// Permission: session.read.
func (s *Service) Commands(ctx context.Context, scope policy.Scope, session string) ([]Moment, error) {
	return nil, errUnbuilt
}

// Check reads a recording back now and compares it with the ledger. It returns the
// job. Permission: session.review.
func (s *Service) Check(ctx context.Context, scope policy.Scope, session string) (job string, err error) {
	return "", errUnbuilt
}

// Fetch asks the cluster for a missing recording again. It returns the job.
// Permission: session.review.
func (s *Service) Fetch(ctx context.Context, scope policy.Scope, session string) (job string, err error) {
	return "", errUnbuilt
}

// Hold keeps recordings beyond their term: one session's, or a customer's of a
// time. Until zero is a freeze of 30 days. Permission: session.admin. Errors:
// invalid, not found.
func (s *Service) Hold(ctx context.Context, scope policy.Scope, h Hold) (Hold, error) {
	return Hold{}, errUnbuilt
}

// Release ends a hold: one person asks, another one grants it. Permission: session.admin.
// Errors: conflict for the same person twice.
func (s *Service) Release(ctx context.Context, scope policy.Scope, hold, why string) (Hold, error) {
	return Hold{}, errUnbuilt
}

// Holds lists the holds that stand, and those that stood where all is set. Staff only.
func (s *Service) Holds(ctx context.Context, scope policy.Scope, customer string, all bool) ([]Hold, error) {
	return nil, errUnbuilt
}

// TermsOf returns what was agreed with a customer. Permission: session.read.
func (s *Service) TermsOf(ctx context.Context, scope policy.Scope, customer string) (Terms, error) {
	return Terms{}, errUnbuilt
}

// SetTerms changes it; Version is the one that was read. Permission: session.admin.
// Errors: invalid, conflict.
func (s *Service) SetTerms(ctx context.Context, scope policy.Scope, t Terms) (Terms, error) {
	return Terms{}, errUnbuilt
}
