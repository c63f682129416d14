// Package certs looks after the TLS certificates of every site on every server.
// It keeps true that a private key never leaves its host, that a certificate
// has at most one order open however many replicas run and however often they
// are killed, that no request goes to a CA that we know it would refuse, that a
// working certificate is never replaced by one that is not served, and that
// "served" is what a handshake showed, not what was intended.
//
// The way of a certificate: the host makes a key and a signing request
// (wire.ActionCertRequest), a job of the plane takes it through an order at the
// CA (certs/acme), and the host installs the chain, reloads its services and
// looks at what they serve (wire.ActionCertDeploy). Each attempt at this is an
// Issue, and all of them are kept.
package certs

import (
	"time"

	"ostler/agents/wire"
)

// State is how a certificate stands.
type State string

// The states of a certificate. Served is the only good one: every endpoint
// showed the newest certificate when it was last looked at.
const (
	StateNew      State = "new"      // never issued yet
	StateServed   State = "served"   // issued, and every endpoint shows it
	StateUnserved State = "unserved" // issued, and an endpoint shows something else or nothing
	StateExpired  State = "expired"  // what is installed is not valid any more
	StateRevoked  State = "revoked"  // what is installed was revoked
	StateEnded    State = "ended"    // looked after no more
)

// Valid reports whether s is a known state.
func (s State) Valid() bool {
	switch s {
	case StateNew, StateServed, StateUnserved, StateExpired, StateRevoked, StateEnded:
		return true
	}
	return false
}

// Challenge is how a CA is shown that a name is ours.
type Challenge string

// The challenges.
const (
	ChallengeAgent    Challenge = "http-agent"    // http-01, answered by the agent on the server
	ChallengePlane    Challenge = "http-redirect" // http-01, redirected by the site to the control plane
	ChallengeDNS      Challenge = "dns"           // dns-01 in the customer's zone, by a provider's credentials
	ChallengeDelegate Challenge = "dns-delegated" // dns-01 in our zone, by a CNAME of _acme-challenge
)

// Valid reports whether c is a known challenge.
func (c Challenge) Valid() bool {
	return c == ChallengeAgent || c == ChallengePlane || c == ChallengeDNS || c == ChallengeDelegate
}

// Certificate is a set of names on one server, and what we know of the
// certificate that covers them. All of it is kept clear: names of sites are no
// persons' names.
type Certificate struct {
	ID       string // crt_
	Customer string
	Tenancy  string
	Server   string
	Folder   string // its folder on the host, made from the first name; unique on the server
	// Names are DNS names (lower case, A-labels; "*." first where it is a
	// wildcard) in the order they were asked for; a subset of the tenancy's sites.
	Names     []string
	Key       wire.KeyType
	Challenge Challenge
	Provider  string // dns_ of the DNS provider where Challenge is dns
	Authority string // ca_ of the CA to ask first; "" the primary one
	Profile   string // the CA's profile (RFC draft-ietf-acme-profiles); "" the authority's own
	Services  []wire.Service
	Endpoints []Endpoint
	State     State
	// Issued is what is installed, zero before the first.
	Issued Issued
	// Renewal says when it is renewed next, and why then.
	Renewal Renewal
	// Failing are the attempts that failed since the last success; zero where none did.
	Failing Failing
	// PausedUntil keeps it from the CA until an instant; Forever is until a person says so.
	PausedUntil time.Time
	PauseReason string
	// Seen is what every endpoint showed when it was last looked at, from the host and from here.
	Seen []Seen
	// Open is the attempt under way, "" where there is none.
	Open string
	// Version rises by one with every change by a person; it makes the ETag.
	Version                       int64
	CreatedAt, UpdatedAt, EndedAt time.Time
}

// Forever is a PausedUntil that only a person ends.
var Forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Endpoint is where the certificate's names are served: all of them at each.
type Endpoint struct {
	Address  string            `json:"address"` // "192.0.2.7:443"
	Protocol wire.CertProtocol `json:"protocol"`
}

// Issued is an issued certificate.
type Issued struct {
	Issue               string // iss_
	Round               int64
	Serial              string // hex
	Leaf                string // hex SHA-256 of the DER
	Chain               string // hex SHA-256 of all DER, in order
	SPKI                string // hex SHA-256 of the public key info
	Issuer              string
	Authority           string // ca_
	NotBefore, NotAfter time.Time
	RevokedAt           time.Time // zero while good
	RevokeReason        int       // RFC 5280, 5.3.1
}

// Renewal is the plan for the next renewal.
type Renewal struct {
	At time.Time // the chosen instant; zero where there is none
	// From says where the window comes from.
	From        RenewalSource
	Start, End  time.Time // the window
	Explanation string    // a URL of the CA that says why, RFC 9773
	PollAt      time.Time // when the CA is asked again
}

// RenewalSource is where a renewal window comes from.
type RenewalSource string

// The sources.
const (
	FromARI      RenewalSource = "ari"      // the CA, RFC 9773
	FromLifetime RenewalSource = "lifetime" // 1/3 of the lifetime left, 1/2 where it is under 10 days
	FromPerson   RenewalSource = "person"   // somebody asked for it
)

// Failing is a run of failed attempts.
type Failing struct {
	Attempts int
	Since    time.Time
	NextTry  time.Time
	Why      Why // of the latest attempt
}

// Why is a failure or a wait in plain words. Code is one of the closed list in
// why.go; Args fill its sentence; Detail is one technical line.
type Why struct {
	Code   string            `json:"code"`
	Args   map[string]string `json:"args,omitempty"`
	Name   string            `json:"name,omitempty"` // the name it is about, where it is one
	Detail string            `json:"detail,omitempty"`
	// Until is when a wait ends, zero where it is no wait.
	Until time.Time `json:"until,omitzero"`
}

// Seen is what one endpoint served for one name.
type Seen struct {
	wire.CertSeen
	From string // "host" or "plane"
	At   time.Time
}

// Reason is why an attempt was made.
type Reason string

// The reasons.
const (
	ReasonNew         Reason = "new"
	ReasonRenewal     Reason = "renewal"
	ReasonForced      Reason = "forced"      // a person asked for it now
	ReasonNames       Reason = "names"       // the names or the key's kind changed
	ReasonReplacement Reason = "replacement" // a mass re-issue
	ReasonCompromise  Reason = "compromise"  // the key is known to others
	ReasonTakeover    Reason = "takeover"    // it was somebody else's to renew
)

// Valid reports whether r is a known reason.
func (r Reason) Valid() bool {
	switch r {
	case ReasonNew, ReasonRenewal, ReasonForced, ReasonNames, ReasonReplacement, ReasonCompromise, ReasonTakeover:
		return true
	}
	return false
}

// IssueState is how far an attempt is.
type IssueState string

// The states of an attempt, in their order. Those from Served on are its end.
const (
	IssueWaiting    IssueState = "waiting"    // for its turn: pause, limits, or the server
	IssueRequesting IssueState = "requesting" // the host makes key and signing request
	IssueOrdering   IssueState = "ordering"   // an order at the CA
	IssueDeploying  IssueState = "deploying"  // the host installs and looks
	IssueServed     IssueState = "served"
	IssueRolledBack IssueState = "rolled_back" // issued, not served: the one before is in use again
	IssueFailed     IssueState = "failed"
	IssueCancelled  IssueState = "cancelled"
)

// Valid reports whether s is a known state.
func (s IssueState) Valid() bool {
	switch s {
	case IssueWaiting, IssueRequesting, IssueOrdering, IssueDeploying, IssueServed, IssueRolledBack, IssueFailed, IssueCancelled:
		return true
	}
	return false
}

// Terminal reports whether s is an end.
func (s IssueState) Terminal() bool {
	return s == IssueServed || s == IssueRolledBack || s == IssueFailed || s == IssueCancelled
}

// Issue is one attempt to have a certificate issued and served.
type Issue struct {
	ID          string // iss_
	Certificate string
	Customer    string
	Round       int64
	Reason      Reason
	DryRun      bool // at the staging authority; nothing of it is installed
	State       IssueState
	Authority   string
	OrderURL    string // at the CA; "" before there is one
	Requests    int    // to the CA, so far
	Issued      Issued // zero before it was issued
	Why         Why    // why it failed, or what it waits for
	Steps       []Step // what happened, in order
	StartedBy   string // actor id
	StartedAt   time.Time
	EndedAt     time.Time // zero while it goes on
	NextTry     time.Time // of the attempt after it, zero where there is none planned
}

// Step is one line of an attempt's history.
type Step struct {
	At   time.Time         `json:"at"`
	Code string            `json:"code"` // one of the closed list in why.go
	Args map[string]string `json:"args,omitempty"`
}

// Authority is a certificate authority and our account there.
type Authority struct {
	ID         string // ca_
	Name       string // "Let's Encrypt"
	Directory  string // URL of its directory (RFC 8555, 7.1.1)
	Role       AuthorityRole
	Contact    string // mailto:, may be ""
	Profile    string // asked for where a certificate names none
	AccountURL string // "" before the account was made
	Thumbprint string // RFC 7638, base64url
	RootsPEM   []byte // trusted for the directory's own TLS in place of the system's (a test CA); public
	// BlockedUntil keeps all away from it: a 503, or a limit of the account.
	BlockedUntil time.Time
	BlockedWhy   Why
	CreatedAt    time.Time
}

// AuthorityRole is what a CA is for.
type AuthorityRole string

// The roles of authorities.
const (
	RolePrimary  AuthorityRole = "primary"
	RoleFallback AuthorityRole = "fallback" // asked after Options.FallbackAfter of failure at the primary
	RoleStaging  AuthorityRole = "staging"  // dry runs: nothing of it is deployed
)

// Valid reports whether r is a known role.
func (r AuthorityRole) Valid() bool {
	return r == RolePrimary || r == RoleFallback || r == RoleStaging
}

// Found is a certificate on a host that somebody else renews.
type Found struct {
	wire.FoundCert
	ID       string // fct_
	Server   string
	Customer string // whose site it names; "" where it is nobody's
	SeenAt   time.Time
	TakenBy  string // crt_ of the certificate that took its place
}
