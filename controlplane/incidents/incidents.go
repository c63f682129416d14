// Package incidents leads whoever is on duty through a breach: what is known,
// who must be told, by when, with what, and that they were. It keeps true that
// a clock begins with a person's word and never with a system's, that every
// customer has a clock of their own which only a delivered notice stops, that a
// customer's notice holds nothing of another's, that nothing about a case is
// ever taken back but only followed by something later, and that the first
// notice to a customer never waits for an assessment, a field or, beyond an
// hour, a second person.
//
// The way of a case: somebody says in one sentence what they think; the
// customers on the servers it touches are in it together until shown otherwise;
// package law computes what is due from who became aware when; notices are
// drafted, looked at, sent as mail, and followed until somebody has them.
package incidents

import (
	"time"

	"ostler/controlplane/incidents/law"
)

// State is how far a case has come.
type State string

// The states of a case.
const (
	Open       State = "open"
	Closed     State = "closed"
	FalseAlarm State = "false_alarm" // nothing had happened; whoever was told was told so
	Merged     State = "merged"      // goes on in another one
)

// Valid reports whether s is a known state.
func (s State) Valid() bool { return s == Open || s == Closed || s == FalseAlarm || s == Merged }

// Kind is what happened to personal data (Article 4(12) GDPR).
type Kind string

// The kinds of breach. A case may be of several.
const (
	Destruction Kind = "destruction"
	Loss        Kind = "loss"
	Alteration  Kind = "alteration"
	Disclosure  Kind = "disclosure"
	Access      Kind = "access"
)

// Kinds lists the kinds of breach.
func Kinds() []Kind { return []Kind{Destruction, Loss, Alteration, Disclosure, Access} }

// Valid reports whether k is a known kind.
func (k Kind) Valid() bool {
	return k == Destruction || k == Loss || k == Alteration || k == Disclosure || k == Access
}

// Case is one incident. What people wrote in it is sealed with the company's
// key; what concerns one customer with theirs.
type Case struct {
	ID      string // inc_
	Number  string // "2026-7": the year it was opened in and a count
	Title   string
	Summary string // what is known, in words
	Kinds   []Kind
	State   State
	Drill   bool // an exercise: nothing leaves the house
	// OurData answers whether data of our own staff or billing is touched: yes is
	// that we are controller too, unknown that nobody has said.
	OurData law.Answer
	// Significant is what an incident is for NIS2, with the reasons, and Impact what
	// that is judged by.
	Significant law.Significance
	Impact      law.Impact
	// PeopleIn are the countries in which the people affected live, ISO 3166-1,
	// sorted: without an establishment in the Union, each authority there is told.
	PeopleIn []string
	// ChannelUnsafe says that the usual channel may be compromised: customers are
	// told another way.
	ChannelUnsafe bool
	Zone          string // IANA: in which its times are shown and its hours counted
	DetectedAt    time.Time
	OccurredFrom  time.Time // zero is not known
	ContainedAt   time.Time // exposure is stated until then
	HandledAt     time.Time
	OpenedAt      time.Time
	OpenedBy      string // stf_, or "system"
	Lead          string // stf_
	Source        string // rpt_: where it came from; "" is a person's word
	Servers       []string
	Affected      []Affected // Get only
	Awareness     []law.Assertion
	AssessBy      time.Time // a suspicion is to be decided until then; zero once it is
	FrozenUntil   time.Time // related recordings, logs and backups are kept until then
	FrozenGround  string    // why beyond the first 30 days
	MergedInto    string
	ClosedAt      time.Time
	ClosedWhy     string
	Tasks         []Task   // Get only
	Actions       []Action // Get only
	Decisions     []Decision
	// Facts are what authorities ask of a case beside the facts of Article 33(3), by
	// CaseFactKeys: each known, unknown with an owner and a date, or Empty.
	Facts []Field
	// NextDue is the earliest deadline that runs; zero where none does. Late says
	// that one has passed.
	NextDue time.Time
	Late    bool
	// ShadowDue is the earliest deadline of what nobody has decided: what would be
	// due were it certain. It may have passed; zero where there is none.
	ShadowDue time.Time
	Asked     []Asked // Get only: what takes a clock away, and who confirmed it
	Version   int64
}

// AffectedState is whether a customer is in it.
type AffectedState string

// The states of a customer in a case.
const (
	Possible AffectedState = "possible" // they live on a server that it touches
	Certain  AffectedState = "affected" // their data is concerned
	Cleared  AffectedState = "cleared"  // shown not to be
)

// Valid reports whether s is a known state.
func (s AffectedState) Valid() bool { return s == Possible || s == Certain || s == Cleared }

// Affected is one customer in a case, with the clock that is theirs.
type Affected struct {
	Case, Customer, Name string
	State                AffectedState
	Servers              []string // by which
	Because              string   // in words, sealed with the customer's key
	AddedAt              time.Time
	// SuspectedAt and KnownAt are from when this customer was held to be
	// affected, and known to be: by the earliest assertion that counts.
	SuspectedAt, KnownAt time.Time
	ClearedAt            time.Time
	ClearedWhy           string
	Clock                Clock     // of Article 33(2); Rule "" where none runs yet
	ToldAt               time.Time // the first notice was delivered
	// TheyKnewAt is since when they say that they knew of it themselves, zero where
	// nobody wrote that down; TheyKnewBy is who did, last.
	TheyKnewAt time.Time
	TheyKnewBy string
	// TheirDue is until when they probably have to tell their authority, 72 h from
	// our delivery, or from when they say that they knew, whichever is earlier; zero
	// before, or where they are not the controller.
	TheirDue time.Time
	Role     DataRole
	// Financial says that they are under DORA, by their terms.
	Financial bool
	// TheySaid is what they told us that they did for their own authority, as a
	// financial entity, in the order in which it was written down.
	TheySaid []TheirWord
	Notices  []string // bnt_
}

// DataRole is what a customer is for the data in a service.
type DataRole string

// The roles. Unknown is treated as a controller, and said to be unknown.
const (
	RoleUnknown DataRole = "unknown"
	Controller  DataRole = "controller"
	Processor   DataRole = "processor" // for somebody else: an agency
)

// Valid reports whether r is a known role.
func (r DataRole) Valid() bool { return r == RoleUnknown || r == Controller || r == Processor }

// Terms are what a customer's contract says about breaches. The zero Terms are
// the law's: without undue delay, 24 h from certainty as our own limit.
type Terms struct {
	Customer string
	Amount   int
	Unit     law.Unit
	// FromSuspicion says that the contract's time begins with a suspicion.
	FromSuspicion bool
	Role          DataRole
	Jurisdiction  string              // "EU", "UK": of the main establishment; "" is the company's
	Country       string              // whose public holidays count, for working days: "DE-BY"; "" is the company's
	Zone          string              // IANA; "" is the customer's own
	Financial     bool                // under DORA: its times are shown as how urgent it is to them
	Services      map[string]DataRole // role by server, where it differs
	Version       int64
}

// Company is who we are to the law.
type Company struct {
	Name          string
	Jurisdiction  string // of the main establishment: "EU", "UK", "other"
	Country       string
	Zone          string
	Establishment bool     // an establishment in the Union, not only a representative
	Authorities   []string // names of the authorities where we are established, the lead one first
	CSIRT         string
	Entity        law.Entity // for NIS2: type, size, services; unknown reads "unknown"
	Contact       string     // data protection officer or other contact: in every notice
	ContactEmail  string
	ContactPhone  string
	Telecoms      bool // provider of public electronic communications (PECR, 611/2013)
	Version       int64
}

// Clock is one duty of a case: a rule, from when, until when, and what became of it.
type Clock struct {
	Rule     string // of package law; "" where none runs
	Title    string
	Customer string // "" is the company's own duty
	Shadow   bool   // from a suspicion: what would be due were it certain
	Before   bool   // from before the case was reopened on new facts, and not met then
	law.Deadline
	Contract bool // the number is the contract's, not the law's
	State    ClockState
	MetAt    time.Time
	Why      string // why it is not due, or unknown
}

// ClockState is how a duty stands.
type ClockState string

// The states of a duty.
const (
	Running ClockState = "running"
	Met     ClockState = "met"
	MetLate ClockState = "met_late"
	Late    ClockState = "late"    // passed, and not met
	NotDue  ClockState = "not_due" // decided so, with reasons
	Unknown ClockState = "unknown" // whether it applies is not known: never "not due"
)

// Valid reports whether s is a known state.
func (s ClockState) Valid() bool {
	switch s {
	case Running, Met, MetLate, Late, NotDue, Unknown:
		return true
	}
	return false
}
