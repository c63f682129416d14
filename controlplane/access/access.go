// Package access keeps, for each customer, the list of everybody who can reach
// their servers. It keeps true that intended, enforced and possible access are
// three columns that are never mixed, that what is not attested reads
// "unattested" and never "none", that any past list can be read as it was known
// at any past instant, that no change of a list goes untold, and that nobody is
// on a list without a ground that has an end.
//
// The way of a change: a person changes a grant or an entry, or a scan finds
// something. settle compares what ought to be in a column with the spans that
// are open in it and writes the difference: spans, ledger entries, items for the
// customer's next notice, and the jobs that carry it to Teleport. There is no
// other way into a list.
package access

import "time"

// Column is one of the three readings of a list.
type Column string

// The columns.
const (
	Listed   Column = "listed"   // intended: somebody with the right to do so put them there
	Enforced Column = "enforced" // what Teleport's roles and the hosts' attestations say
	Could    Column = "could"    // adds live sessions, certificates not yet expired, keys found
)

// Valid reports whether c is a known column.
func (c Column) Valid() bool { return c == Listed || c == Enforced || c == Could }

// Way is how somebody can reach a server.
type Way string

// The ways. WayCustomer is apart from the rest: those the customer let in.
const (
	WayTeleport  Way = "teleport"   // sessions through Teleport
	WayLogin     Way = "login"      // an account, key or sudo right on the host itself
	WayAdmin     Way = "admin"      // administers Teleport, Ostler or a hypervisor, and could give themselves access
	WayBackupKey Way = "backup_key" // holds keys of the backups
	WayRestore   Way = "restore"    // staff who may restore in the portal
	WayPhysical  Way = "physical"   // may stand before the machine
	WayVisit     Way = "visit"      // a third party, escorted, for a time
	WayService   Way = "service"    // a service account, with a human owner
	WayCustomer  Way = "customer"   // somebody the customer let in
)

// Ways lists the ways in the order in which lists show them.
func Ways() []Way {
	return []Way{WayTeleport, WayLogin, WayAdmin, WayBackupKey, WayRestore, WayPhysical, WayVisit, WayService, WayCustomer}
}

// Valid reports whether w is a known way.
func (w Way) Valid() bool {
	for _, x := range Ways() {
		if x == w {
			return true
		}
	}
	return false
}

// PersonKind is what somebody on a list is to us.
type PersonKind string

// The kinds of person.
const (
	KindStaff      PersonKind = "staff"       // our own people
	KindContractor PersonKind = "contractor"  // works for us under our agreements
	KindThirdParty PersonKind = "third_party" // a facility's or supplier's people
	KindCustomer   PersonKind = "customer"    // the customer's own: developers, agencies
	KindService    PersonKind = "service"     // no human; Owner is one
)

// Valid reports whether k is a known kind.
func (k PersonKind) Valid() bool {
	switch k {
	case KindStaff, KindContractor, KindThirdParty, KindCustomer, KindService:
		return true
	}
	return false
}

// Person is somebody who can stand on a list. Name and company are sealed.
type Person struct {
	ID       string // prs_
	Kind     PersonKind
	Staff    string // stf_ where they sign in here, "" where they do not
	Customer string // KindCustomer: whose they are; "" for everybody else
	Name     string
	Company  string // third parties: for whom they work
	Owner    string // prs_: the human who answers for a service account
	// TeleportUsers and Logins are the names that they use there and on hosts.
	// One person may have several; a name that two persons use is a finding, and
	// both are on the list.
	TeleportUsers []string
	Logins        []string
	Papers        []Paper // newest of each kind
	LeftAt        time.Time
	Version       int64
	CreatedAt     time.Time
}

// PaperKind is a ground without which nobody is granted access.
type PaperKind string

// The papers.
const (
	PaperConfidentiality PaperKind = "confidentiality" // agreement signed before the work began
	PaperTraining        PaperKind = "training"        // mandatory training, valid for a time
	PaperBrief           PaperKind = "brief"           // acknowledgement of one customer's duty brief
)

// Valid reports whether k is a known kind.
func (k PaperKind) Valid() bool {
	return k == PaperConfidentiality || k == PaperTraining || k == PaperBrief
}

// Paper is one such ground of one person.
type Paper struct {
	ID, Person  string // pap_, prs_
	Kind        PaperKind
	Customer    string // PaperBrief: whose brief
	Version     string // of the brief, the training or the agreement
	From, Until time.Time
	RecordedBy  string // stf_
	Reference   string // where the paper itself is kept
}

// Team is a name for several persons; a list always names the persons.
type Team struct {
	ID, Name  string // tea_
	Members   []Member
	Version   int64
	CreatedAt time.Time
}

// Member is a person in a team, for a time; Until zero is open.
type Member struct {
	Person, Name string
	From, Until  time.Time
}

// Role is what a grant gives on the customer's servers. The installation's
// configuration lists them.
type Role struct {
	Name   string        `koanf:"name"`    // "operator"
	Title  string        `koanf:"title"`   // "Operates services; no root"
	Logins []string      `koanf:"logins"`  // host logins that Teleport allows
	MaxTTL time.Duration `koanf:"max_ttl"` // of a certificate with it; 0 is 12 h
}

// GrantState is how a grant stands.
type GrantState string

// The states of a grant. Only an active one lists anybody, from From to Until.
const (
	GrantProposed GrantState = "proposed" // waits for a second person or the customer
	GrantActive   GrantState = "active"
	GrantRefused  GrantState = "refused" // by a person, or by twelve hours of silence
	GrantRevoked  GrantState = "revoked"
	GrantExpired  GrantState = "expired"
)

// Valid reports whether s is a known state.
func (s GrantState) Valid() bool {
	switch s {
	case GrantProposed, GrantActive, GrantRefused, GrantRevoked, GrantExpired:
		return true
	}
	return false
}

// GrantKind is on what ground a grant stands.
type GrantKind string

// The kinds of grant.
const (
	GrantNormal     GrantKind = "normal"
	GrantBreakGlass GrantKind = "break_glass" // at most four hours; told at once; reviewed the next working day
	GrantBaseline   GrantKind = "baseline"    // existed before Ostler came; accepted with owner and review date
)

// Valid reports whether k is a known kind.
func (k GrantKind) Valid() bool {
	return k == GrantNormal || k == GrantBreakGlass || k == GrantBaseline
}

// Grant lets a person or a team reach one customer's servers in a role.
type Grant struct {
	ID       string // grt_
	Customer string
	Person   string // prs_, or
	Team     string // tea_
	Who      string // the person's or team's name
	Role     string
	Kind     GrantKind
	State    GrantState
	Reason   string // sealed
	Ticket   string
	// TicketBy is set where the ticket system was down: by then a ticket is filled in.
	TicketBy    time.Time
	From, Until time.Time
	GrantedBy   string // stf_
	GrantedAt   time.Time
	// Needs are the approvals still missing: "second", "customer".
	Needs []string
	// AnswerBy is when silence becomes refusal; zero where nothing is missing.
	AnswerBy   time.Time
	Approvals  []Approval
	EndedAt    time.Time
	EndedBy    string
	EndedWhy   string
	ReviewBy   time.Time // break-glass and baseline
	ReviewedBy string
	ReviewedAt time.Time
	Owner      string // baseline: who answers for it, prs_
	Alone      bool   // break-glass: taken by one person, with nobody else awake
	Version    int64
}

// Approval is one answer to a proposed grant.
type Approval struct {
	As   string // "second", "customer"
	By   string // stf_, con_
	Name string
	Yes  bool
	Note string
	At   time.Time
}

// Terms are what was agreed with one customer about access.
type Terms struct {
	Customer         string
	NoticeHours      int  // within which a change is told; 24
	SecondPerson     bool // grants want a second person of ours
	CustomerApproves bool // grants want the customer's designee
	MaxDays          int  // longest grant; 92
	RecordingMonths  int  // recordings are kept at most so long; 12
	Brief            string
	BriefVersion     string // "" asks nobody for an acknowledgement
	Version          int64
}

// Line is one person on one customer's list, in one way and role.
type Line struct {
	Person  Person // ID "" where nobody is known to be behind it
	Unknown string // then: what was found ("SHA256:...", a login)
	Way     Way
	Role    string // role of a grant; rights found ("root", "sudo"); facility and rack
	Server  string // "" is all servers of the customer
	// Place is the host's name, or facility and rack, for people.
	Place string
	// The three columns at the instant asked for; nil is not there.
	Listed, Enforced, Could *Interval
	// Attested is whether Enforced and Could were confirmed at that instant;
	// where it is false they read "unattested".
	Attested bool
	Grants   []string // grt_, ent_: the grounds
	// Shared: on a ground of another customer on a server that both live on; its
	// reason is theirs and is not shown.
	Shared bool
	// Others: it is another customer's person, or a way in outside of the reader's
	// bounds; Unknown is what is read of it.
	Others   bool
	Reason   string
	Ticket   string
	By       string // name of who granted it
	Notified time.Time
	LastUsed time.Time // latest session by this way; zero is unused or unknown
	Briefed  bool      // the customer's duty brief is acknowledged
	Trained  time.Time // training valid until; zero is none needed or known
}

// Interval is a time in a column; Until zero is open.
type Interval struct {
	Span        string // spn_
	From, Until time.Time
	// KnownFrom is when we recorded it.
	KnownFrom time.Time
}

// List is one customer's list at one instant, as it was known at another.
type List struct {
	Customer string
	At       time.Time // valid time
	KnownAt  time.Time // transaction time
	Lines    []Line
	// Attested says, for Teleport and each server, when it was last confirmed.
	Attested []Attestation
	// Differences counts lines whose columns do not agree.
	Differences int
	// Persons counts those who can reach the customer's servers, the customer's own
	// apart; Unnamed and OwnUnnamed the keys, accounts and users beside them of which
	// nobody knows whose they are.
	Persons, CustomersOwn int
	Unnamed, OwnUnnamed   int
	ChangedAt             time.Time // latest change of what is listed
}

// Attestation is a time in which a source was looked at without a gap and said
// what Enforced says. What is outside of every attestation is unattested.
type Attestation struct {
	Source   string // "teleport", srv_
	Name     string
	From, To time.Time
	// Good says whether the instant asked for lies inside.
	Good bool
}

// ChangeKind is what a change did to a line of a list.
type ChangeKind string

// The kinds of change.
const (
	Added   ChangeKind = "added"   // the line was not there
	Removed ChangeKind = "removed" // the line is there no more
	Moved   ChangeKind = "moved"   // the line is there, until another end
	Ground  ChangeKind = "ground"  // the line is there as before, on one ground more or fewer: nothing to tell
)

// Valid reports whether k is a known kind.
func (k ChangeKind) Valid() bool { return k == Added || k == Removed || k == Moved || k == Ground }

// Why something ended, where no person wrote it.
const (
	WhyEnded   = "ended"
	WhyExpired = "expired"
	WhyLeft    = "left"    // the person left the company
	WhyTeam    = "team"    // the person is in the team no more
	WhyTenancy = "tenancy" // no server is shared any more
	WhyTicket  = "ticket"  // no ticket was filled in
)

// Change is one difference that settle wrote.
type Change struct {
	ID       string // chg_
	Customer string
	Column   Column
	Kind     ChangeKind
	Added    bool // the line is on the list after it
	Source   string
	Ground   string // grt_, ent_, key_: what the span stands on
	// Baseline: it was so before we looked, or before the customer came; it is
	// part of the first list and no change of it.
	Baseline bool
	Span     string
	Person   string
	Name     string
	Unknown  string
	// Others: it is another customer's person, or a way in outside of the reader's
	// bounds; Unknown is what is read of it.
	Others  bool
	Way     Way
	Role    string
	Server  string
	At      time.Time // from when it is so
	Until   time.Time // planned end, where the line is there after it
	Why     string    // grant's reason, or one of the words WhyEnded ...; sealed in the database
	KnownAt time.Time
	// EnforcedAt and NotifiedAt are zero until Teleport or the host confirmed
	// it, and until a mail server accepted the notice of it.
	EnforcedAt, NotifiedAt, AcknowledgedAt time.Time
}
