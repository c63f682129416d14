package sessions

import (
	"context"
	"time"

	"ostler/controlplane/policy"
)

func (s *Service) registerReviews() {}

// QueueFilter selects what waits for a review.
type QueueFilter struct {
	Customer  string
	Because   string // "risk", "sample", "asked"
	Mine      bool   // claimed by who asks
	Limit     int
	PageToken string
}

// Queue lists sessions that wait for a review and that whoever asks may review,
// the riskiest first, then the oldest. Own says how many wait that they may not
// review, being a participant. Permission: session.review.
func (s *Service) Queue(ctx context.Context, scope policy.Scope, f QueueFilter) (items []Session, own int, next string, err error) {
	return nil, 0, "", errUnbuilt
}

// Claim takes a session for review, for as long as Watched comes. Permission:
// session.review. Errors: conflict where somebody else has it (by name and until
// when); forbidden where they took part in it, whatever name they used.
func (s *Service) Claim(ctx context.Context, scope policy.Scope, session string) (Session, error) {
	return Session{}, errUnbuilt
}

// Unclaim gives it back.
func (s *Service) Unclaim(ctx context.Context, scope policy.Scope, session string) (Session, error) {
	return Session{}, errUnbuilt
}

// AskReview puts a session into the queue; a customer may, for their own.
// Permission: session.read for contacts' owners, session.review for staff.
func (s *Service) AskReview(ctx context.Context, scope policy.Scope, session, why string) (Session, error) {
	return Session{}, errUnbuilt
}

// Judge gives a verdict. Version is the one that was read. Permission: session.review.
// Errors: conflict where another verdict came first, where the recording is
// missing (it cannot be reviewed) or not here; forbidden for a participant;
// invalid where a question or a violation has no text.
func (s *Service) Judge(ctx context.Context, scope policy.Scope, session string, v Verdict, text string, version int64) (Session, error) {
	return Session{}, errUnbuilt
}

// AnswerQuestion answers a reviewer's question; the reviewer then judges.
// Permission: session.read, of staff.
func (s *Service) AnswerQuestion(ctx context.Context, scope policy.Scope, session, text string) (Session, error) {
	return Session{}, errUnbuilt
}

// OpenViewing begins a look at a recording: nobody reads one without. It is in the
// ledger, and the customer sees it. Permission: session.watch. Errors: forbidden
// (a contact whose customer's terms do not allow it, a shared server, an
// auditor outside of their period), conflict where there is nothing to play.
func (s *Service) OpenViewing(ctx context.Context, scope policy.Scope, session, way, purpose string) (Viewing, error) {
	return Viewing{}, errUnbuilt
}

// Stretch is a part of a recording that was played.
type Stretch struct{ From, To time.Duration }

// Watched adds what was played since the last call; each second counts once. It
// keeps a claim alive. Errors: not found for a viewing of somebody else, and
// when a sign-in's time is over.
func (s *Service) Watched(ctx context.Context, scope policy.Scope, viewing string, parts []Stretch) (Viewing, error) {
	return Viewing{}, errUnbuilt
}

// ViewingFilter selects viewings.
type ViewingFilter struct {
	Session, Customer, By string
	From, To              time.Time
	Limit                 int
	PageToken             string
}

// Viewings lists who looked at recordings, the latest first; contacts see those of
// their customer's sessions. Permission: session.read.
func (s *Service) Viewings(ctx context.Context, scope policy.Scope, f ViewingFilter) (items []Viewing, next string, err error) {
	return nil, "", errUnbuilt
}

// AddNote makes a remark at a second. Permission: session.review, session.watch
// for auditors. Errors: invalid.
func (s *Service) AddNote(ctx context.Context, scope policy.Scope, n Note) (Note, error) {
	return Note{}, errUnbuilt
}

// Notes lists the remarks on a session, in the recording's order; contacts see
// those that are shown to them. Permission: session.watch.
func (s *Service) Notes(ctx context.Context, scope policy.Scope, session string) ([]Note, error) {
	return nil, errUnbuilt
}

// Draws lists the days' samples, the latest first. Permission: session.read.
func (s *Service) Draws(ctx context.Context, scope policy.Scope, limit int, pageToken string) (items []Draw, next string, err error) {
	return nil, "", errUnbuilt
}

// ReviewCounts are figures of a time for the review page.
type ReviewCounts struct {
	Waiting, Overdue, Asked int
	Reviewed, Fine          int
	Questions, Violations   int
	Watched                 time.Duration // each minute of a recording once
}

// Counts returns the figures of the last 30 days. Permission: session.review.
func (s *Service) Counts(ctx context.Context, scope policy.Scope) (ReviewCounts, error) {
	return ReviewCounts{}, errUnbuilt
}
