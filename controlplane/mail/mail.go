// Package mail sends mail to people and keeps the evidence of it. It keeps true
// that a mail commits with the change it tells of, that its exact bytes and its
// Message-ID are fixed before the first try, that nothing of its content leaves
// over a connection that is not encrypted and verified, and that what is not
// known about a delivery is said: "accepted" is a server's word for it and never
// "read", and a mail that may have been delivered twice is marked so.
//
// Each mail has one recipient, one row and one job. Addresses, subjects and
// bytes are sealed; the ledger holds the hash of the bytes.
package mail

import (
	"slices"
	"time"
)

// Message is a mail to be sent to one person.
type Message struct {
	// Key is unique for ever: the same key again is the mail that is there.
	// "" stands for no key.
	Key      string
	Customer string // whose matter it is; "" is the company's own
	Person   string // con_ or stf_ id of the recipient; "" where it is nobody's
	To       string // e-mail address, without a name
	Name     string // the recipient's name, for the greeting; may be ""
	Template string // one of Templates
	Lang     string // BCP 47; a language that is not there reads English
	// Args fill the template. A paragraph whose argument is missing is left out.
	// They hold no file names: a mail says that there is something, and the
	// portal says what. An argument that a template takes as a list has an entry
	// on each of its lines; one that it takes as a text of several paragraphs has
	// empty lines between them, and is up to 200,000 characters long.
	Args map[string]string
	// Path is the page of the portal that the link leads to: "/restores/res_...".
	// "" is the portal's home.
	Path    string
	Subject string // id of the thing it tells of, for the ledger and List
}

// Templates that there are.
const (
	RestoreReady  = "restore.ready"  // args: server, missing, until
	RestorePlaced = "restore.placed" // args: server, missing, until
	RestoreFailed = "restore.failed" // args: server or target
	AskAnswered   = "ask.answered"   // args: server

	CertificateExpiring = "certificate.expiring" // args: names, days, server, until, because
	CertificateExpired  = "certificate.expired"  // args: names, server, until, because

	AccessChanged    = "access.changed"     // args: items (a list)
	AccessBreakGlass = "access.break_glass" // args: items (a list)
	AccessApprove    = "access.approve"     // args: who, role, reason, until, by
	AccessReviewed   = "access.reviewed"    // args: who, result
	AccessFlagged    = "access.flagged"     // args: what, because
	AccessDecided    = "access.decided"     // args: what, decision, because

	IncidentNotice    = "incident.notice"    // args: text (of several paragraphs)
	IncidentUpdate    = "incident.update"    // args: text
	IncidentWithdrawn = "incident.withdrawn" // args: text
	IncidentFreeze    = "incident.freeze"    // args: text
	IncidentAdvisory  = "incident.advisory"  // args: text
	IncidentChange    = "incident.change"    // args: text
	IncidentChannel   = "incident.channel"   // no args: mail may be read by others, somebody calls
	IncidentAlarm     = "incident.alarm"     // to staff; args: what, number, due, because
	IncidentSecond    = "incident.second"    // to staff; args: who, number, what, until
	IncidentConfirm   = "incident.confirm"   // to staff; args: who, number, what
	IncidentReceived  = "incident.received"  // to who reported something; args: number, text

	Test = "test" // no args
)

// State is what is known about the delivery of a mail.
type State string

// The states of a mail.
const (
	Queued       State = "queued"       // waits for its first try
	Sending      State = "sending"      // being handed over; after a crash: may have been
	Deferred     State = "deferred"     // not taken yet; it is tried again
	Accepted     State = "accepted"     // the mail server took it: not "read"
	Bounced      State = "bounced"      // reported as undeliverable, after it was accepted
	Failed       State = "failed"       // refused for good, or given up
	Unsent       State = "unsent"       // no mail server is configured
	Opened       State = "opened"       // the recipient opened its page in the portal
	Acknowledged State = "acknowledged" // the recipient confirmed it in the portal
)

// States lists every state.
func States() []State {
	return []State{Queued, Sending, Deferred, Accepted, Bounced, Failed, Unsent, Opened, Acknowledged}
}

// Valid reports whether s is a known state.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// Waiting reports whether the mail is still to be sent.
func (s State) Waiting() bool { return s == Queued || s == Sending || s == Deferred }

// Cause says why a mail, or one try of it, was not taken.
type Cause string

// The causes.
const (
	CauseNone        Cause = ""
	CauseUnreachable Cause = "unreachable" // our mail server does not answer
	CauseNoTLS       Cause = "no_tls"      // it offers no encryption
	CauseCertificate Cause = "certificate" // its certificate does not verify
	CauseLogin       Cause = "login"       // it refuses our login, or us as the sender
	CauseLater       Cause = "later"       // it said: try again later (4xx)
	CauseRefused     Cause = "refused"     // it refused this mail for good (5xx)
	CauseLost        Cause = "lost"        // the connection ended before the mail was handed over
	CauseUnknown     Cause = "unknown"     // the connection ended before the answer: it may have taken it
	CauseAddress     Cause = "address"     // the address cannot be used
	CauseBounced     Cause = "bounced"     // reported undeliverable afterwards
	CauseExpired     Cause = "expired"     // not taken within GiveUp
	CauseCancelled   Cause = "cancelled"   // a person stopped it
	CauseNoServer    Cause = "no_server"   // no mail server is configured
)

// Valid reports whether c is a known cause; none is one.
func (c Cause) Valid() bool {
	return slices.Contains([]Cause{CauseNone, CauseUnreachable, CauseNoTLS, CauseCertificate, CauseLogin, CauseLater, CauseRefused, CauseLost,
		CauseUnknown, CauseAddress, CauseBounced, CauseExpired, CauseCancelled, CauseNoServer}, c)
}

// ours reports whether the cause lies between us and our own mail server, so
// that every other mail meets it too.
func (c Cause) ours() bool {
	return slices.Contains([]Cause{CauseUnreachable, CauseNoTLS, CauseCertificate, CauseLogin}, c)
}

// Content is what of a mail went out.
type Content string

// The contents.
const (
	Full   Content = "full"   // the mail
	Notice Content = "notice" // a mail without content, which says that there is something in the portal
)

// Valid reports whether c is a known content.
func (c Content) Valid() bool { return c == Full || c == Notice }

// Delivery is a mail as it stands, with what is known about it.
type Delivery struct {
	ID, Key  string
	Customer string
	Person   string // con_ or stf_ id, or ""
	To       string
	Template string
	Lang     string
	Title    string // its subject line
	Path     string // page of the portal that its link leads to
	Subject  string // id of the thing it tells of
	// MessageID is the header's value, with its angle brackets.
	MessageID string
	SHA256    string // of its exact bytes, hex
	Size      int64  // bytes
	State     State
	Cause     Cause
	// InDoubt says that it may have been delivered twice, under one Message-ID:
	// the answer to one try was never read.
	InDoubt        bool
	Content        Content // what was accepted; Full before that
	CreatedAt      time.Time
	AcceptedAt     time.Time
	EndedAt        time.Time // bounced or failed
	OpenedAt       time.Time
	AcknowledgedAt time.Time
	CalledAt       time.Time // a person reached the recipient another way
	CallNote       string
	// Last is the latest try; its N is 0 where there was none.
	Last Attempt
	// Get only.
	Attempts []Attempt
	Reports  []Report
}

// Outcome is how a try ended.
type Outcome string

// The outcomes of a try.
const (
	OutcomeOpen     Outcome = ""         // still at it, or the process ended meanwhile
	OutcomeAccepted Outcome = "accepted" // with Reply and QueueID
	OutcomeDeferred Outcome = "deferred"
	OutcomeRefused  Outcome = "refused"
	OutcomeUnknown  Outcome = "unknown" // may have been accepted
)

// Valid reports whether o is a known outcome.
func (o Outcome) Valid() bool {
	return slices.Contains([]Outcome{OutcomeOpen, OutcomeAccepted, OutcomeDeferred, OutcomeRefused, OutcomeUnknown}, o)
}

// Attempt is one try, or several in a row that met the same obstacle before
// the mail was handed over.
type Attempt struct {
	N       int // from 1
	Tries   int // how many tries it stands for
	Start   time.Time
	End     time.Time // of the latest of its tries; zero while open
	Outcome Outcome
	Cause   Cause
	Content Content
	SHA256  string // of the bytes that were handed over, "" where none were
	Code    int    // SMTP reply code, 0 where there was no reply
	Reply   string // the server's text, or what stood in the way
	QueueID string // under which the server took it, where it says so
	Server  string // host and port
	TLS     string // "TLS 1.3"; "" where the connection was not encrypted
	Peer    string // SHA-256 of the server's certificate, hex
	DSN     bool   // reports of failure and delay were asked for
}

// Report is a delivery status notification that came back.
type Report struct {
	ReceivedAt time.Time
	Action     string // failed, delayed, delivered, relayed or expanded (RFC 3464)
	Status     string // "5.1.1"
	Reporter   string // the host that reports
	Diagnostic string // what the refusing server said
	SHA256     string // of the report's bytes, hex
}
