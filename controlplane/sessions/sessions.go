// Package sessions keeps every session that our people have on customers'
// servers: from the first event of the Teleport cluster to the verdict of
// somebody who was not there. It keeps true that no session is without a
// ground unless a finding says so, that a missing recording is a finding and
// never silence, that what was recorded cannot change unnoticed, that nobody
// reviews a session of their own, and that every viewing is itself on record
// and shown to the customer.
//
// The way of a session: ingest reads the cluster's audit log by time and keeps
// each event as it came; a state machine makes sessions of them; a job fetches
// the recording, seals it, and enters its SHA-256 in the ledger; the session is
// matched to a grant, a ticket and an authorisation; a reviewer watches, and
// judges. Logins that hosts saw and the cluster did not are beside them.
package sessions

import "time"

// Kind is what a session was.
type Kind string

// The kinds of session.
const (
	Interactive Kind = "interactive" // a terminal
	Exec        Kind = "exec"        // one command
	SCP         Kind = "scp"         // copied files
	SFTP        Kind = "sftp"        // copied files
	Other       Kind = "other"       // anything else that reached a server: a port forwarded, a desktop
)

// Valid reports whether k is a known kind.
func (k Kind) Valid() bool {
	switch k {
	case Interactive, Exec, SCP, SFTP, Other:
		return true
	}
	return false
}

// State is how far a session, and its recording, have come.
type State string

// The states of a session.
const (
	Live       State = "live"       // begun; no end was seen
	Ended      State = "ended"      // its recording is awaited until DueAt
	Uploaded   State = "uploaded"   // the cluster has the recording; we do not yet
	Stored     State = "stored"     // the recording is here, or was: see Recording
	Missing    State = "missing"    // no recording came in time, or none can be read: a finding
	Unrecorded State = "unrecorded" // the cluster records nothing of its kind: a finding where it should have
)

// Valid reports whether s is a known state.
func (s State) Valid() bool {
	switch s {
	case Live, Ended, Uploaded, Stored, Missing, Unrecorded:
		return true
	}
	return false
}

// Session is one session of somebody on one server.
type Session struct {
	ID      string // ssn_
	Cluster string
	SID     string // the cluster's; "" where it gave none (an exec)
	Kind    Kind
	State   State
	Server  string // srv_; "" where the node is none of our servers
	Host    string // as the cluster calls it
	// Customers lived on the server when the session began.
	Customers []string
	// User is the name at the cluster. Person is whose it is: "" where nobody is
	// known, or where several persons use it (then they are all in Persons).
	User, Person, PersonName string
	Login, Address           string
	StartedAt, EndedAt       time.Time
	// Endless says that no end was seen and that it does not run any more.
	Endless bool
	// Participants are all who took part, the one who began it first.
	Participants []Participant
	Ground       Ground
	Command      string // exec: what was run; interactive: with what it began, if not a shell
	Commands     int    // counted in the recording
	Risk         Risk
	DueAt        time.Time // when a recording that has not come is a finding
	Recording    *Recording
	Review       Review
	Version      int64
}

// Length is how long it lasted; until now where it runs.
func (s Session) Length(now time.Time) time.Duration {
	switch {
	case !s.EndedAt.IsZero():
		return s.EndedAt.Sub(s.StartedAt)
	case s.State == Live:
		return now.Sub(s.StartedAt)
	}
	return 0
}

// Participant is somebody who took part in a session.
type Participant struct {
	User         string
	Persons      []string // prs_, all who use that name
	Name         string
	Joined, Left time.Time
	// Mode is "peer", "observer", "moderator" or "impersonator" (who acted under
	// another one's name); "" is not known.
	Mode string
}

// Ground is on what somebody was there. A session that lacks a part of it is a finding.
type Ground struct {
	Grant         string // grt_
	Kind          string // of the grant: "normal", "break_glass", "baseline"
	Role          string
	Ticket        string
	Reason        string
	Authorisation string // aut_, con_: by whose instruction
	// Lacks are the parts that are missing: "person", "grant", "ticket",
	// "authorisation"; with several customers, of at least one of them.
	Lacks []string
}

// Risk is how much a session wants to be looked at: 0 to 100, and why, as text
// keys ("risk.root", "risk.break_glass").
type Risk struct {
	Score int
	Why   []string
}

// Recording is what is held of a session.
type Recording struct {
	// SHA256 is of the events as the cluster gave them, one JSON line each;
	// CastSHA256 of the asciicast made of them. Both are in the ledger. Hex.
	SHA256, CastSHA256 string
	Bytes, CastBytes   int64
	Duration           time.Duration
	Width, Height      int
	StoredAt           time.Time
	KeptUntil          time.Time // deleted then, unless a hold keeps it
	Holds              []Hold    // those that stand
	DeletedAt          time.Time
	DeletedWhy         string // "term", "contract", or what a person wrote
	Integrity          Integrity
	CheckedAt          time.Time
	Partial            string // why it is not whole; "" is whole
	// MomentsLeft are what happened beside commands (files, connections) beyond what
	// a list keeps; CommandsLeft commands beyond what is searched.
	MomentsLeft, CommandsLeft int
}

// Playable reports whether it can be watched.
func (r *Recording) Playable() bool {
	return r != nil && r.DeletedAt.IsZero() && r.CastBytes > 0 && r.Integrity != Changed && r.Integrity != Gone
}

// Integrity is what the last check of a recording said.
type Integrity string

// The answers of a check.
const (
	Unchecked Integrity = "unchecked" // since it was stored
	Intact    Integrity = "intact"    // its bytes are those whose SHA-256 the ledger has
	Changed   Integrity = "changed"   // they are not
	Gone      Integrity = "gone"      // the store does not have them
)

// Valid reports whether i is a known answer.
func (i Integrity) Valid() bool { return i == Unchecked || i == Intact || i == Changed || i == Gone }

// Hold keeps recordings beyond their term.
type Hold struct {
	ID         string // hld_
	Session    string // one session, or
	Customer   string // every session of a customer between From and To
	From, To   time.Time
	Reason     string // sealed
	By         string // stf_
	At         time.Time
	Until      time.Time // when it ends by itself; a freeze has 30 days
	ReleasedAt time.Time
	ReleasedBy string
	// Asked is who asked for the release: another person grants it.
	Asked string
	// Alone says that one person released it, in an emergency; another one looks at
	// that: ReviewedBy, "" is nobody yet.
	Alone      bool
	ReviewedBy string
}
