package web

import (
	"html/template"
	"time"
)

// Sessions is a page of lists about sessions on customers' servers: what is
// true of all of them first, then the lists, with what can be done about each.
type Sessions struct {
	Page
	Parts    []Filter // the pages beside this one
	Truths   []State  // sentences about all: how far the log is read, what is recorded
	Needs    []Need
	Facts    []Fact
	Pairs    []Pair
	Acts     []Act
	Sift     *Sift
	Sections []Section
	Hits     []SessionHit
	Pager    Pager
}

// Template names the template.
func (*Sessions) Template() string { return "sessions" }

// Sift is a form that chooses what a list shows.
type Sift struct {
	Action string
	Hidden []Pair // Label is the input's name
	Fields []FormField
	Clear  string // address of the whole list; "" where it is shown
	Search string // id of the field that "/" leads to; "" for none
	Do     string
}

// SessionHit is one session with the commands that a search found in it.
type SessionHit struct {
	Session  Link
	Who      string
	At       time.Time
	Commands []MomentRow
	More     int // how many others there are
}

// OneSession is one session: who, on what ground, how far its recording and
// its review are, and everybody who looked at it.
type OneSession struct {
	Page
	Parts    []Filter
	Facts    []Fact
	Ground   []Pair
	Tickets  Cell   // the ticket, with where it leads
	Course   []Step // how far it is, in words
	Proof    *Proof
	Watch    *WatchBox
	Review   *ReviewBox
	Sections []Section
	Acts     []Act
	Events   []Event
}

// Template names the template.
func (*OneSession) Template() string { return "session" }

// Proof is what shows that a recording is the one that was made.
type Proof struct {
	State  State
	Lead   string
	Sums   []Pair // Label is what the SHA-256 is of
	Ledger Link
	Checks []Act
}

// WatchBox opens a recording: each look is a viewing, with its purpose.
type WatchBox struct {
	Action   string // "" where it cannot be watched
	Lead     string
	Why      *Problem // why it cannot
	Purposes []RoleChoice
	At       string // where it begins, in milliseconds; "" is the beginning
	Do       string
}

// ReviewBox is how the review of a session stands, and what this reader can do.
type ReviewBox struct {
	State State
	Lead  string
	Lines []string
	Pairs []Pair
	Acts  []Act
}

// Replay is a recording being looked at: the player, and without JavaScript the
// transcript, the timeline and the forms.
type Replay struct {
	Page
	Facts []Fact
	// Mark is whose look it is, and Marked when it began; Watermark has both,
	// over what is shown. "" for none.
	Mark, Watermark string
	Marked          time.Time
	Player          Player
	Strip           Strip
	Moments         []MomentRow
	MoreOf          int // how many moments are left out
	Lines           []LineRow
	Later           Pager // of the transcript
	Notes           []NoteRow
	Noting          *NoteForm
	Verdict         *VerdictForm
	Keys            []Pair // Label is a key, Value what it does
	Watched         string
	Read, Purpose   string // where the transcript is opened by itself, and why; "" is not offered
}

// Template names the template.
func (*Replay) Template() string { return "sessionreplay" }

// Player is what the script needs; lengths are milliseconds.
type Player struct {
	Cast, Watched   string // addresses
	Viewing         string
	Size, Duration  int64 // bytes of the recording, and its length
	From            int64 // where it begins
	Columns, Height int
}

// Strip is a recording's timeline as a drawing, 1,000 wide.
type Strip struct {
	Marks template.HTML
	Label string // the whole in words
}

// MomentRow is something that happened in a recording.
type MomentRow struct {
	At   time.Duration
	Kind string // as the slice says it
	Word string // the kind in words
	Text string // one clean line
	Note string // how it is known, how it ended
	Code bool
	Href string // of a search: leads to it
}

// LineRow is a line of a transcript.
type LineRow struct {
	At   time.Duration
	Text string
}

// NoteRow is a remark at a second of a recording.
type NoteRow struct {
	At     time.Duration
	Text   string
	By     string
	MadeAt time.Time
	Shown  bool
}

// NoteForm makes a remark.
type NoteForm struct {
	Action, Viewing string
	At, Text        string
	Shown           bool
	MayShow         bool // the reader may have the customer see it
}

// VerdictForm judges a session.
type VerdictForm struct {
	Action, Viewing string
	Version         int64
	Choices         []RoleChoice
	Text            string
	Unclaim         string
}
