package incidents

import (
	"time"
)

// Audience is to whom a notice goes.
type Audience string

// The audiences.
const (
	ToCustomer  Audience = "customer"  // Article 33(2), or an advisory
	ToAuthority Audience = "authority" // a paper for the authority's own form: recorded when it was handed in
	ToCSIRT     Audience = "csirt"
	ToPeople    Audience = "people" // by the customer, or by us where the data is ours
)

// Valid reports whether a is a known audience.
func (a Audience) Valid() bool {
	return a == ToCustomer || a == ToAuthority || a == ToCSIRT || a == ToPeople
}

// Purpose is what a notice is for.
type Purpose string

// The purposes.
const (
	First      Purpose = "first"
	Update     Purpose = "update"     // a phase (Article 33(4))
	Withdrawal Purpose = "withdrawal" // it was a false alarm
	Final      Purpose = "final"
	Freezing   Purpose = "freeze"   // data is kept longer because of a case
	Advisory   Purpose = "advisory" // software that they run
	Change     Purpose = "change"   // of a service
)

// Valid reports whether p is a known purpose.
func (p Purpose) Valid() bool {
	switch p {
	case First, Update, Withdrawal, Final, Freezing, Advisory, Change:
		return true
	}
	return false
}

// NoticeState is how far a notice has come.
type NoticeState string

// The states of a notice.
const (
	Draft        NoticeState = "draft"
	Waiting      NoticeState = "waiting"  // for a second person
	Sent         NoticeState = "sent"     // handed to mail
	Accepted     NoticeState = "accepted" // a mail server took it: not "read"
	Opened       NoticeState = "opened"   // in the portal
	Acknowledged NoticeState = "acknowledged"
	Unreachable  NoticeState = "unreachable" // nobody could be reached yet: a person must
	Called       NoticeState = "called"      // told another way, recorded
	Discarded    NoticeState = "discarded"   // a draft that was not needed
	Drilled      NoticeState = "drilled"     // an exercise: nothing was sent
)

// Valid reports whether s is a known state.
func (s NoticeState) Valid() bool {
	switch s {
	case Draft, Waiting, Sent, Accepted, Opened, Acknowledged, Unreachable, Called, Discarded, Drilled:
		return true
	}
	return false
}

// Delivered reports whether it stops the clock: a mail server took it on a
// channel of the customer, somebody opened it, or a person told them.
func (s NoticeState) Delivered() bool {
	return s == Accepted || s == Opened || s == Acknowledged || s == Called
}

// Known is what is known of a field.
type Known string

// What is known. Empty is neither: nobody has written anything yet.
const (
	Empty     Known = ""
	IsKnown   Known = "known"
	IsRange   Known = "range"
	IsUnknown Known = "unknown" // with an owner and a date
)

// Valid reports whether k is a known word.
func (k Known) Valid() bool { return k == Empty || k == IsKnown || k == IsRange || k == IsUnknown }

// Field is one of the facts that Article 33(3) GDPR asks for. Keys: "nature",
// "categories", "people", "record_categories", "records", "contact",
// "consequences", "measures", "delay".
type Field struct {
	Key   string
	Known Known
	Value string // IsKnown
	Low   int64  // IsRange
	High  int64
	Owner string    // IsUnknown: stf_
	By    time.Time // IsUnknown: until when
}

// FieldKeys are the facts in their order.
func FieldKeys() []string {
	return []string{"nature", "categories", "people", "record_categories", "records", "consequences", "measures", "contact", "delay"}
}

// Notice is what one recipient is told.
type Notice struct {
	ID       string // bnt_
	Case     string // inc_; "" with an advisory or a change
	Advisory string // adv_
	Customer string // whose data it holds, and nobody else's; "" is the company's own
	Audience Audience
	Purpose  Purpose
	Phase    int    // 1 is the first, of this customer in this case
	Regime   string // "gdpr", "uk-gdpr", "nis2"
	Lang     string // BCP 47
	Title    string
	Fields   []Field
	Words    string // beside the fields, by its author
	Text     string // as it is sent: made of the template, the fields and the words
	SHA256   string // of Text; in the ledger when it is sent
	State    NoticeState
	Author   string
	MadeAt   time.Time
	AskedAt  time.Time // a second person is asked
	Second   string
	Alone    bool   // sent without one
	AloneWhy string // why, after an hour or because there was nobody
	LateWhy  string
	SentAt   time.Time
	DueAt    time.Time // of the clock that it stops
	ToldAt   time.Time // delivered
	Tries    []Try     // Get only
	Drill    bool
	Version  int64
}

// Try is one attempt to reach a person with a notice.
type Try struct {
	Contact, Name string // con_; or an outside recipient's name
	How           string // "mail", "call", "letter", "portal", "form"
	Mail          string // mail_
	State, Cause  string // of package mail
	At            time.Time
	Note          string
	By            string
}

// NoticeEdit changes a draft; nil leaves as it is.
type NoticeEdit struct {
	Fields []Field // those given replace those of their keys
	Words  *string
	Lang   *string
}

// Check is something that is to be looked at before sending.
type Check struct {
	Key  string // "contact", "delay", "field.people", "recipient", "other_customer", "channel", "second"
	Text string
	// Stops says that it cannot be sent so; anything else only warns.
	Stops bool
}

// Preview is a notice as it would be sent.
type Preview struct {
	Notice     Notice
	Recipients []Try // the first who would be written to, and who is next
	Checks     []Check
}

// Sending sends a notice, or asks for a second person.
type Sending struct {
	// Version is that of the notice that was looked at, and Seen those of many, by
	// id. What somebody else wrote goes only as it was looked at; 0, or none, is
	// enough for what one wrote oneself.
	Version int64
	Seen    map[string]int64
	// AloneWhy sends without a second person: after an hour of asking, where
	// there is no other, or with the first notice to a customer.
	AloneWhy string
	LateWhy  string // required where it is late
}

// Telling records that a person told somebody, by another way than mail, or that
// a form was handed in.
type Telling struct {
	To, How, Note string // How: "call", "letter", "form"
	At            At
	Reference     string // an authority's file number
	LateWhy       string // required where it is late, and its field "delay" says nothing
}

// NewAdvisory tells customers of something that is no breach.
type NewAdvisory struct {
	Purpose  Purpose // Advisory or Change
	Title    string
	Text     string
	Software string // name of a package; "" asks for Customers
	Below    string // versions before it; "" is all
	// Customers are told beside those who run it, each with Ground as the reason.
	Customers []string
	Ground    string
}

// AdvisoryNote is an advisory, with why each customer is told.
type AdvisoryNote struct {
	ID string // adv_
	NewAdvisory
	MadeAt time.Time
	By     string
	SentAt time.Time
	Drill  bool
	For    []Runs // whom it concerns
	// Silent are servers whose inventory is not known: their customers may be
	// concerned, and it says so.
	Silent []string
	// Unwritten are customers of whom there is no notice yet: it is drafted by and
	// by, or nothing can be written for them.
	Unwritten []string // Get only
	Told      int
	Waiting   int
}

// Runs is the ground for the belief that a customer runs some software.
type Runs struct {
	Customer, Server string
	Package, Version string
	SeenAt           time.Time
	Ground           string // a sentence
}
