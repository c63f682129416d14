package access

import (
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/jobs"
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
func (s *Service) registerEnforcement() {
	s.onChanged = append(s.onChanged, s.enforceChanges)
	s.onBegun = append(s.onBegun, s.enforceChanges)
	s.onLeave = append(s.onLeave, s.enforceLeaving)
	s.customers.OnTenancyChanged(s.hostTenancy)
	s.customers.OnTenancyMade(s.hostTenancy)
	s.due = append(s.due, s.dueObserve, s.dueScans, s.dueBaselines)
	if s.cluster != nil {
		s.jobs.Handle(jobObserve, jobs.Handler{Run: s.runObserve})
		s.jobs.Handle(jobEnforce, jobs.Handler{Run: s.runEnforce, Done: s.doneEnforce, Backoff: enforceBackoff, Retry: func(f wire.Failure) bool { return f.Cause != wire.CauseExists }})
	}
	s.jobs.Handle(jobHost, jobs.Handler{Run: s.runHost})
	s.jobs.Handle(string(wire.ActionAccessScan), jobs.Handler{Done: s.doneScan})
	s.jobs.Handle(string(wire.ActionEndLogin), jobs.Handler{Done: s.doneEnd})
}

// Enforcement is how the cluster stands.
type Enforcement struct {
	Configured bool
	Fake       bool // the cluster says itself that it is none
	Mode       Mode
	ModeSince  time.Time
	ModeBy     string // name
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
	What   string // "role.create", "role.narrow", "role.widen", "role.delete", "user.add_role", "user.remove_role", "lock.user", "lock.kick"
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
	// AcceptedBy (a name) answers for it till Until; "" nobody does.
	AcceptedBy string
	Until      time.Time
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
	Confirmed   string // "yes" or "no": what the customer said; "" is nothing yet
	ConfirmedBy string // con_: who said so
	ConfirmedAt time.Time
	// Baseline: it was there before us; Owner answers for it until ReviewBy.
	Baseline bool
	Owner    string
	ReviewBy time.Time
	SeenAt   time.Time
	FirstAt  time.Time
	GoneAt   time.Time
	LastUsed time.Time
	Others   bool // outside of the reader's bounds on a shared server: Rights says so
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
