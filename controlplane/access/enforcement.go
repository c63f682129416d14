package access

import (
	"context"
	"time"

	"ostler/controlplane/policy"
)

// Mode is how the cluster is dealt with.
type Mode string

// The modes, each a step; any of them goes back to the one before.
const (
	Observe Mode = "observe" // read only: the list is what the cluster enforces today
	Shadow  Mode = "shadow"  // read only: shows what Enforce would change
	Enforce Mode = "enforce" // the cluster's roles follow the lists
)

// Valid reports whether m is a known mode.
func (m Mode) Valid() bool { return m == Observe || m == Shadow || m == Enforce }

// registerEnforcement hooks up the cluster and the hosts.
func (s *Service) registerEnforcement() {}

// Enforcement is how the cluster stands.
type Enforcement struct {
	Configured bool
	Fake       bool // the cluster says itself that it is none
	Mode       Mode
	ModeSince  time.Time
	ModeBy     string
	Cluster    string
	Version    string
	LookedAt   time.Time // latest clean look
	// Trouble is why it is not looked at now; TroubleSince is since when
	// enforcement is unconfirmed.
	Trouble, TroubleNext string
	TroubleSince         time.Time
	IdentityExpires      time.Time
	LocksRefused         bool
	// Planned is what Enforce would change, or what is not carried out yet.
	Planned []PlannedChange
	// Foreign are roles that are not ours and reach customers' servers.
	Foreign []ForeignRole
	// Connector is the mapping that single sign-on users need, as the cluster's
	// connector wants it, and whom it lacks.
	Connector        string
	ConnectorMissing []string
}

// PlannedChange is one difference between lists and cluster.
type PlannedChange struct {
	What   string // "role.create", "role.narrow", "role.widen", "role.delete", "user.add_role", "lock.user", "lock.kick"
	Role   string
	User   string
	Person string // name
	Add    []string
	Remove []string // customers' slugs
	Why    string
}

// ForeignRole is a role of the cluster that we did not make.
type ForeignRole struct {
	Role    string
	Users   []string
	Reaches []string // customers' slugs; "*" is all
	Why     string   // "wildcard", "label", "expression", "admin"
	// AcceptedBy and Until: a person answers for it till then; "" nobody does.
	AcceptedBy string
	Until      time.Time
}

// Enforcement returns how the cluster stands. Permission: access.read over all customers.
func (s *Service) Enforcement(ctx context.Context, scope policy.Scope) (Enforcement, error) {
	return Enforcement{}, errContract
}

// SetMode changes the mode, with why. Enforce is refused before the cluster was
// looked at, and while persons with grants have no Teleport user. Permission: access.admin.
func (s *Service) SetMode(ctx context.Context, scope policy.Scope, m Mode, why string) (Enforcement, error) {
	return Enforcement{}, errContract
}

// Look has the cluster, and where server is not "" that host, looked at now, and
// returns the job. Permission: access.write.
func (s *Service) Look(ctx context.Context, scope policy.Scope, server string) (job string, err error) {
	return "", errContract
}

// AcceptRole notes that a person answers for a foreign role until a date. Permission: access.admin.
func (s *Service) AcceptRole(ctx context.Context, scope policy.Scope, role, owner string, until time.Time, reason string) error {
	return errContract
}

// Found is a way in that a scan found on a host.
type Found struct {
	ID, Server, ServerName string // key_
	Kind                   FoundKind
	Account                string // login on the host
	Fingerprint            string // SHA256:... of a key
	Rights                 string // "sudo: ALL", options of a key
	Comment                string // of a key; sealed
	Person                 string // prs_ of whoever it belongs to, "" unknown
	PersonName             string
	// Of the customer: the customer let them in.
	Customer    string
	ConfirmedBy string // con_: the customer said that they did
	ConfirmedAt time.Time
	// Baseline: it was there before us; Owner answers for it until ReviewBy.
	Baseline bool
	Owner    string
	ReviewBy time.Time
	SeenAt   time.Time
	FirstAt  time.Time
	GoneAt   time.Time
	LastUsed time.Time
}

// FoundKind is what was found.
type FoundKind string

// The kinds.
const (
	FoundKey     FoundKind = "key"     // a line of an authorized_keys file
	FoundSudo    FoundKind = "sudo"    // a right by sudoers or by a group of it
	FoundAccount FoundKind = "account" // an account that can sign in with a password
	FoundCA      FoundKind = "ca"      // an authority whose certificates sshd takes
	FoundLogin   FoundKind = "login"   // a session that runs now
)

// FoundFilter narrows ListFound; zero fields do not.
type FoundFilter struct {
	Customer, Server, Person string
	Unexplained              bool // neither a person's, nor the customer's, nor accepted
	Gone                     bool
	Limit                    int
	PageToken                string
}

// ListFound lists what scans found. A customer sees what is on their servers;
// on a shared server, their own and ours. Permission: access.read.
func (s *Service) ListFound(ctx context.Context, scope policy.Scope, f FoundFilter) (items []Found, next string, err error) {
	return nil, "", errContract
}

// Explain says whose a way in is: a person's, or (of the customer) the customer's.
// Permission: access.write.
func (s *Service) Explain(ctx context.Context, scope policy.Scope, found, person, customer string) (Found, error) {
	return Found{}, errContract
}

// ConfirmFound is the customer's word that they let somebody in, with a name, or
// that they did not: then it becomes a finding at once. Permission: access.confirm.
func (s *Service) ConfirmFound(ctx context.Context, scope policy.Scope, found string, yes bool, name string) (Found, error) {
	return Found{}, errContract
}

// AcceptBaseline accepts everything unexplained on a server (or, with server "",
// what the cluster enforces) as it was found, with an owner and a review date.
// Permission: access.admin.
func (s *Service) AcceptBaseline(ctx context.Context, scope policy.Scope, server, owner string, review time.Time, reason string) (n int, err error) {
	return 0, errContract
}
