package incidents

import (
	"time"

	"ostler/controlplane/incidents/law"
)

// At is an instant as somebody wrote it: RFC 3339, or a local time of the case's
// zone. "" is now. An ambiguous or impossible local time, and the future, are refused.
type At string

// NewCase opens a case: one sentence is enough.
type NewCase struct {
	Title     string // "I think we were hacked"
	Summary   string
	Kinds     []Kind
	Servers   []string // their tenants are in it together
	Customers []string // beside them
	Detected  At       // when a system or a person noticed it
	// Certainty, with Aware and Ground, is the first assertion: suspected unless
	// said otherwise.
	Certainty     law.Certainty
	Aware         At
	Ground        string
	OurData       law.Answer // "" is unknown
	ChannelUnsafe bool
	Drill         bool
	Lead          string // stf_; "" is who opens it
	Source        string // rpt_
}

// CaseChange changes a case; nil leaves as it is.
type CaseChange struct {
	Title, Summary *string
	Kinds          *[]Kind
	OurData        *law.Answer
	ChannelUnsafe  *bool
	OccurredFrom   *At
	Lead           *string
	Impact         *law.Impact // what NIS2's significance is judged by
	PeopleIn       *[]string   // countries in which the people affected live, ISO 3166-1
	Facts          []Field     // each in place of that of its key; an Empty one takes it away
}

// NewAssertion is somebody's word about when we, or one customer's part of it,
// were known.
type NewAssertion struct {
	Customer   string // "" is the case as a whole, law.TheIncident the incident itself
	Certainty  law.Certainty
	Aware      At
	Ground     string // required
	Supersedes string // asr_: corrects that one; to a later time it needs a second person
}

// Affect puts a customer, or the tenants of servers, into a case.
type Affect struct {
	Customers []string
	Servers   []string
	State     AffectedState // Possible or Certain
	Since     At            // when that was known
	Because   string
}

// Closing ends a case.
type Closing struct {
	State State  // Closed or FalseAlarm
	Why   string // required; told to everybody who was told, if it was a false alarm
}

// Reopening opens a case again.
type Reopening struct {
	// Wrongly says that it should not have been closed: the old clock runs on.
	// Otherwise new facts start a new clock, from Aware.
	Wrongly bool
	Aware   At
	Why     string
}

// SplitOff makes a case of its own of a part of another.
type SplitOff struct {
	Title     string
	Customers []string
	Servers   []string
	Why       string
}

// Task is something to be done in a case.
type Task struct {
	ID, Case  string // tsk_
	Text      string
	Owner     string // stf_
	OwnerName string
	MadeAt    time.Time
	MadeBy    string
	DueAt     time.Time
	DoneAt    time.Time
	DoneBy    string
	Note      string
}

// ActionKind is what can be done to contain an incident.
type ActionKind string

// The kinds of action. What is done outside this program is recorded as ActDone.
const (
	ActRevoke   ActionKind = "revoke"   // end a person's access to all servers of the case (or one grant)
	ActLock     ActionKind = "lock"     // a person leaves every list at once, and is locked at the cluster
	ActRotate   ActionKind = "rotate"   // reissue certificates with new keys
	ActSnapshot ActionKind = "snapshot" // back up now
	ActDone     ActionKind = "done"     // something else, by hand: recorded
)

// Valid reports whether k is a known kind.
func (k ActionKind) Valid() bool {
	return k == ActRevoke || k == ActLock || k == ActRotate || k == ActSnapshot || k == ActDone
}

// NewAction asks for one.
type NewAction struct {
	Kind   ActionKind
	Target string // prs_, tea_, grt_, crt_, srv_, pln_; "" with ActSnapshot is every server of the case
	Why    string
}

// Action is what was done, by whom, and what came of it.
type Action struct {
	ID, Case string // act_
	Kind     ActionKind
	Target   string
	Why      string
	By       string
	At       time.Time
	Result   string // in words: "ended 3 grants", or why it could not be done
	Failed   bool
	Open     bool     // it was begun, and what came of it is not known yet
	Refs     []string // jobs and the like that carry it out
}

// Level is low, medium or high.
type Level string

// The levels.
const (
	Low    Level = "low"
	Medium Level = "medium"
	High   Level = "high"
)

// Valid reports whether l is a known level.
func (l Level) Valid() bool { return l == Low || l == Medium || l == High }

// Exemption is why people need not be told though the risk is high (Article 34(3) GDPR).
type Exemption string

// The exemptions.
const (
	NoExemption    Exemption = ""
	Unintelligible Exemption = "unintelligible" // (a): encrypted, and the key is safe
	LaterMeasures  Exemption = "later_measures" // (b)
	Effort         Exemption = "effort"         // (c): a public communication instead
)

// Valid reports whether e is a known exemption.
func (e Exemption) Valid() bool {
	return e == NoExemption || e == Unintelligible || e == LaterMeasures || e == Effort
}

// NewDecision is a risk assessment with what follows from it. Reasons are
// required either way.
type NewDecision struct {
	Likelihood, Severity Level
	Authority            bool // tell the authority
	People               bool // tell the people concerned
	Exemption            Exemption
	Reasons              string
	// Rule decides one other duty alone ("nis2-23-early"): NotDue with Reasons.
	Rule   string
	NotDue bool
}

// Decision is one as it was made. A later one follows it; none is changed.
type Decision struct {
	ID, Case string // dec_
	NewDecision
	Risk Level // by likelihood and severity; "" where it is about one duty alone
	By   string
	At   time.Time
	// Again is what became known after the latest decision about something, and
	// that it did not take into account; "" is nothing.
	Again string
}

// Moment is something that happened around the time of a case.
type Moment struct {
	At       time.Time
	Kind     string // "case", "awareness", "notice", "decision", "action", "session", "job", "finding", "login", "change"
	Text     string // a sentence
	Server   string
	Customer string
	Ref      string // id of what it is about
	Path     string // page of the portal that shows it
	By       string
}

// RegisterEntry is one line of the register of breaches (Article 33(5) GDPR):
// also of those that nobody was told of.
type RegisterEntry struct {
	Case       Case
	Facts      string
	Effects    string
	Remedies   string
	Cause      string
	NotTold    string // why the authority was not notified
	Delay      string // why it was late
	Recipients []Told
	KeptUntil  time.Time
}

// Told is one recipient of a case's notices.
type Told struct {
	Notice, To string
	Audience   Audience
	Phase      int
	SentAt     time.Time
	ToldAt     time.Time
}

// Form is what an authority's form asks for, filled in as far as it is known.
type Form struct {
	Authority string // "ico", "edpb"
	Title     string
	Fields    []FormField
	Missing   int
	Sentence  string // what it is, and what it is not
}

// FormField is one question of a form.
type FormField struct {
	Key, Question, Answer string
	Missing               string // why it is empty, and who owes it
	Required              bool
}

// Paper is a document of a case: paragraphs under headings.
type Paper struct {
	Title    string
	Sections []Section
}

// Section is a part of a paper.
type Section struct {
	Heading    string
	Paragraphs []string
	Rows       [][]string // a table, its head first; may be nil
}

// ReportSource is who reported something.
type ReportSource string

// The sources.
const (
	FromStaff    ReportSource = "staff"
	FromCustomer ReportSource = "customer"
	FromPublic   ReportSource = "public"
	FromFinding  ReportSource = "finding" // of another slice
)

// Valid reports whether s is a known source.
func (s ReportSource) Valid() bool {
	return s == FromStaff || s == FromCustomer || s == FromPublic || s == FromFinding
}

// NewReport is somebody's word that something may be wrong.
type NewReport struct {
	Source   ReportSource
	Customer string // FromCustomer
	Server   string
	Text     string
	Name     string // FromPublic: may be ""
	Contact  string // how to answer; may be ""
	Key      string // FromFinding: unique, "session.violation:ssn_..."
	Subject  string // what it is about: ssn_, fnd_
	Address  string // FromPublic: from where, for the limit of how many; kept as a keyed hash
}

// Report is one as it was taken in, and what became of it.
type Report struct {
	ID string // rpt_
	NewReport
	ReceivedAt time.Time
	By         string
	Case       string // it belongs to; "" until somebody looked
	SetAside   string // why it is none
	DecidedAt  time.Time
	DecidedBy  string
	// ForgottenAt is when Name and Contact were deleted: their term was over.
	ForgottenAt time.Time
}

// Triage says what becomes of a report: an existing Case, a new one (New), or
// none (Aside, why).
type Triage struct {
	Case  string
	New   *NewCase
	Aside string
}
