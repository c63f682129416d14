package sessions

import "time"

// Verdict is what a reviewer says of a session.
type Verdict string

// The verdicts.
const (
	Fine      Verdict = "fine"
	Question  Verdict = "question"  // somebody has to explain something; stays open until answered
	Violation Verdict = "violation" // a finding that asks for an incident
)

// Valid reports whether v is a known verdict.
func (v Verdict) Valid() bool { return v == Fine || v == Question || v == Violation }

// ReviewState is how far the review of a session is.
type ReviewState string

// The states of a review.
const (
	NotWanted ReviewState = "not_wanted" // neither risky nor drawn; may be reviewed all the same
	Waiting   ReviewState = "waiting"    // in the queue
	Claimed   ReviewState = "claimed"    // somebody watches it now
	Asked     ReviewState = "asked"      // a question is open
	Reviewed  ReviewState = "reviewed"
	// Unreviewable was wanted, and nobody can look any more: see Review.Closed.
	Unreviewable ReviewState = "unreviewable"
)

// Valid reports whether s is a known state.
func (s ReviewState) Valid() bool {
	switch s {
	case NotWanted, Waiting, Claimed, Asked, Reviewed, Unreviewable:
		return true
	}
	return false
}

// Review is how a session was looked at.
type Review struct {
	State ReviewState
	// Because is why it is in the queue: "risk", "sample", "asked" (by a customer
	// or a colleague); "" where it is not.
	Because string
	// Why is what whoever asked for the review wrote; sealed.
	Why   string
	DueAt time.Time
	// By is who judged it or asked the question that is open, or else who claims it,
	// stf_, and Reviewer their name.
	By, Reviewer string
	// ClaimedBy is who has it for review now, Claimer their name, and ClaimedUntil
	// when somebody else may take it.
	ClaimedBy, Claimer string
	ClaimedUntil       time.Time
	Verdict            Verdict
	VerdictAt          time.Time
	Text               string // what the reviewer wrote; sealed
	// Watched is how much of the recording was watched by whoever judged, each
	// minute once: 0 to 1.
	Watched float64
	// Question is what was asked before the verdict, by whom and when; a question
	// that is open stands in Text, By and VerdictAt.
	Question, QuestionBy string
	QuestionAt           time.Time
	Answer               string // to a question, or what is known of a session that nobody can review
	// Closed is why nobody can review it: "deleted", "changed", "gone", "missing",
	// "unrecorded"; "" where somebody can.
	Closed   string
	ClosedAt time.Time
	// Void says why a verdict counts no more: its reviewer turned out to be a participant.
	Void string
	// Draw is the sample that drew it.
	Draw string
}

// shown leaves out what only the company's own people see: what was written, and
// names at the cluster. Who asked and who reviewed stays, and that a verdict does
// not count.
func (r Review) shown() Review {
	r.Text, r.Question, r.Answer, r.Why = "", "", "", ""
	if r.Void != "" {
		r.Void = "Whoever reviewed it turned out to have taken part"
	}
	return r
}

// Draw is one day's sample: which of the sessions that ended that day are
// reviewed although nothing is wrong with them. Commitment, the SHA-256 of the
// seed, is in the ledger before the day begins, the seed after it has ended, so
// that nobody chose.
type Draw struct {
	ID  string // drw_
	Day string // "2026-11-22", in UTC
	// From is the first day without a seed where Commitment is "": Day is the last.
	From string
	// Commitment is hex; "" says that nobody made one before the day began, as
	// when the plane was down: nothing is drawn of that day.
	Commitment string
	Seed       string // hex; "" before it is revealed
	// Percent was committed to with the seed: where nothing else was agreed, or, for
	// who reads as one customer, theirs.
	Percent int
	// Table is the SHA-256, hex, of the shares that differ from Percent: it was
	// committed to with the seed. "" is from before shares were.
	Table string
	// Of and Drawn count the sessions whom the reader may see.
	Of, Drawn  int
	RevealedAt time.Time
}

// Viewing is one person's look at one session's recording.
type Viewing struct {
	ID       string // vwg_
	Session  string
	By, Name string // stf_, con_, aud_
	Kind     string // of the actor: "staff", "contact", "auditor"
	// Way is how: "player", "transcript", "download", "search".
	Way      string
	Purpose  string // "review", "audit", "support", "own": why they looked
	OpenedAt time.Time
	LastAt   time.Time
	Watched  time.Duration // of the recording, each second once
	Query    string        // of a search; sealed
}

// Note is a remark at a second of a recording.
type Note struct {
	ID       string // nte_
	Session  string
	At       time.Duration // since the recording's beginning
	Text     string        // sealed
	By, Name string
	MadeAt   time.Time
	Shown    bool // to the customer
}

// Terms are what was agreed with a customer about recordings.
type Terms struct {
	Customer string
	// Watch says that the customer's owners may watch recordings of sessions on
	// servers that are theirs alone. By default they see that there was one.
	Watch bool
	// Commands says that the customer sees the commands that were run.
	Commands bool
	// Percent of the sessions without a cause that are drawn for review; 0 to 100.
	Percent int
	// Months is how long recordings are kept at most; from the access terms.
	Months  int
	Version int64
}
