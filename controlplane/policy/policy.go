// Package policy decides who may do what, and mints the Scope without which no
// slice hands out a customer's data. It knows nouns and permissions, and no database.
package policy

import (
	"context"
	"slices"

	"ostler/controlplane"
)

// Role is what a person is to a customer or to the hosting company.
type Role string

// The roles of staff, contacts and auditors.
const (
	RoleOps      Role = "ops"      // staff: looks after servers
	RoleAdmin    Role = "admin"    // staff: ops, and may change people and settings
	RoleSupport  Role = "support"  // staff: sees, changes nothing
	RoleOwner    Role = "owner"    // contact: everything of the customer, keys included
	RoleRestorer Role = "restorer" // contact: sees backups and may restore
	RoleReader   Role = "reader"   // contact: sees
	RoleAuditor  Role = "auditor"  // auditor: reads what the sign-in is scoped to
)

// Valid reports whether r is a known role.
func (r Role) Valid() bool { _, ok := permissions[r]; return ok }

// OfStaff reports whether r is a role of the hosting company's people.
func (r Role) OfStaff() bool { return r == RoleOps || r == RoleAdmin || r == RoleSupport }

// Permission is one thing that a role may do. Names are "noun.verb".
type Permission string

// The permissions.
const (
	CustomerRead   Permission = "customer.read"
	CustomerWrite  Permission = "customer.write"
	ServerRead     Permission = "server.read"
	ServerWrite    Permission = "server.write"
	ServerEnrol    Permission = "server.enrol"
	WindowWrite    Permission = "window.write" // open and close change windows
	PlanRead       Permission = "plan.read"
	PlanWrite      Permission = "plan.write"
	KeyConfirm     Permission = "key.confirm" // see the recovery key once and confirm it
	BackupRun      Permission = "backup.run"
	SnapshotRead   Permission = "snapshot.read" // see that snapshots exist
	FileRead       Permission = "file.read"     // see file names and contents of snapshots
	RestoreRun     Permission = "restore.run"
	RestoreAssist  Permission = "restore.assist" // staff: help one customer restore, with a reason and a ticket
	RestoreAsk     Permission = "restore.ask"    // contact: have us restore
	JobRead        Permission = "job.read"
	JobCancel      Permission = "job.cancel"
	FindingRead    Permission = "finding.read"
	FindingWrite   Permission = "finding.write"
	LedgerRead     Permission = "ledger.read"
	PeopleRead     Permission = "people.read"
	PeopleWrite    Permission = "people.write"
	CertRead       Permission = "cert.read"
	CertWrite      Permission = "cert.write" // create, change, pause and renew certificates
	CertAdmin      Permission = "cert.admin" // authorities, providers, mass re-issues, compromised keys
	AccessRead     Permission = "access.read"
	AccessWrite    Permission = "access.write"    // grant, revoke, people, entries
	AccessApprove  Permission = "access.approve"  // answer proposed grants, reviews and recertifications
	AccessAdmin    Permission = "access.admin"    // how the cluster is dealt with, baselines, campaigns
	AccessConfirm  Permission = "access.confirm"  // contact: whom we let in, who may instruct, notices
	SessionRead    Permission = "session.read"    // see that sessions were, by whom and why
	SessionWatch   Permission = "session.watch"   // play recordings and read their text; every viewing is on record
	SessionReview  Permission = "session.review"  // judge sessions, explain logins
	SessionAdmin   Permission = "session.admin"   // holds, terms, the reading of the cluster's log
	IncidentRead   Permission = "incident.read"   // staff: cases; contacts: what they were told
	IncidentReport Permission = "incident.report" // say that something may be wrong
	IncidentWrite  Permission = "incident.write"  // cases, notices, advisories
	IncidentAdmin  Permission = "incident.admin"  // rules of law, contracts' terms, who we are to the law
	SelfRead       Permission = "self.read"       // one's own sessions, tokens, second factor
	SelfWrite      Permission = "self.write"
)

var (
	staffSees   = []Permission{CustomerRead, ServerRead, PlanRead, SnapshotRead, JobRead, FindingRead, LedgerRead, PeopleRead, CertRead, AccessRead, SessionRead, IncidentRead, IncidentReport, SelfRead, SelfWrite}
	contactSees = []Permission{CustomerRead, ServerRead, PlanRead, SnapshotRead, JobRead, FindingRead, LedgerRead, CertRead, AccessRead, SessionRead, IncidentRead, IncidentReport, SelfRead, SelfWrite}
)

// permissions says what each role may do. Staff do not see a customer's file
// names: reading files is the customer's. Who has restore.assist may, for one
// customer and four hours, with a reason and a ticket that the customer sees:
// backups.AssistScope mints that scope.
var permissions = map[Role][]Permission{
	RoleSupport:  staffSees,
	RoleOps:      append(slices.Clone(staffSees), CustomerWrite, ServerWrite, ServerEnrol, WindowWrite, PlanWrite, BackupRun, JobCancel, FindingWrite, RestoreAssist, CertWrite, AccessWrite, AccessApprove, SessionWatch, SessionReview, IncidentWrite),
	RoleAdmin:    append(slices.Clone(staffSees), CustomerWrite, ServerWrite, ServerEnrol, WindowWrite, PlanWrite, BackupRun, JobCancel, FindingWrite, PeopleWrite, RestoreAssist, CertWrite, CertAdmin, AccessWrite, AccessApprove, AccessAdmin, SessionWatch, SessionReview, SessionAdmin, IncidentWrite, IncidentAdmin),
	RoleReader:   contactSees,
	RoleRestorer: append(slices.Clone(contactSees), FileRead, RestoreRun, RestoreAsk, BackupRun, JobCancel),
	RoleOwner:    append(slices.Clone(contactSees), FileRead, RestoreRun, RestoreAsk, BackupRun, JobCancel, KeyConfirm, PlanWrite, PeopleRead, PeopleWrite, CertWrite, AccessConfirm, AccessApprove, SessionWatch),
	RoleAuditor:  {CustomerRead, LedgerRead, SessionRead, SessionWatch, SelfRead}, // CustomerRead: the names of those who let them in
}

// Kind returns the kind of actor that may hold the role, "" for an unknown role.
func (r Role) Kind() controlplane.ActorKind {
	switch r {
	case RoleOps, RoleAdmin, RoleSupport:
		return controlplane.ActorStaff
	case RoleOwner, RoleRestorer, RoleReader:
		return controlplane.ActorContact
	case RoleAuditor:
		return controlplane.ActorAuditor
	}
	return ""
}

// Valid reports whether p is a known permission: one that some role has.
func (p Permission) Valid() bool {
	for _, ps := range permissions {
		if slices.Contains(ps, p) {
			return true
		}
	}
	return false
}

// Can reports whether the actor's role has the permission and, where the actor
// came with a token, whether the token has it too. A role of the wrong kind
// (staff's on a contact) can nothing. Whose object it is decides Scope, not Can.
func Can(a controlplane.Actor, p Permission) bool {
	r := Role(a.Role)
	if a.Kind != r.Kind() || !slices.Contains(permissions[r], p) {
		return false
	}
	if a.Token == "" && a.Permissions == nil {
		return true
	}
	return slices.Contains(a.Permissions, string(p))
}

// Permissions returns what a role may do, sorted by name.
func Permissions(r Role) []Permission {
	ps := slices.Clone(permissions[r])
	slices.Sort(ps)
	return ps
}

// Scope limits a store call to some customers' rows. Its fields are unexported:
// only this package mints one, from an actor or with a reason.
type Scope struct {
	customers []string
	all       bool
	reason    string
}

// All reports whether the scope reaches every customer.
func (s Scope) All() bool { return s.all }

// Customers returns the customers that the scope reaches (nil where All).
func (s Scope) Customers() []string { return slices.Clone(s.customers) }

// Reason says why a scope reaches every customer.
func (s Scope) Reason() string { return s.reason }

// Allows reports whether the scope reaches the customer.
func (s Scope) Allows(customer string) bool {
	return s.all || customer != "" && slices.Contains(s.customers, customer)
}

// AllCustomers returns a scope over every customer, for the plane's own work
// (schedules, results of jobs, sweeps); the reason stands in the code and in
// no other place.
func AllCustomers(reason string) Scope { return Scope{all: true, reason: reason} }

// OneCustomer returns a scope over one customer, for work that belongs to it;
// over nothing where id is "".
func OneCustomer(id string) Scope {
	if id == "" {
		return Scope{}
	}
	return Scope{customers: []string{id}}
}

// For checks that the actor of ctx has the permission and returns the scope
// that comes with the actor: staff reach every customer, a contact their own,
// an auditor those whom the sign-in names.
//
// Errors: unauthorized where ctx has no actor, forbidden where the role lacks p.
func For(ctx context.Context, p Permission) (Scope, error) {
	a, ok := controlplane.ActorFrom(ctx)
	if !ok {
		return Scope{}, controlplane.Errorf(controlplane.CodeUnauthorized, "Sign in and try again.", "You are not signed in")
	}
	if a.Kind == controlplane.ActorSystem {
		return AllCustomers("system: " + a.ID), nil
	}
	if !Can(a, p) {
		return Scope{}, controlplane.Errorf(controlplane.CodeForbidden, "Ask an owner of your account, or us, to do it or to change your role.", "Your role does not include this (%s)", p)
	}
	return ScopeOf(a), nil
}

// ScopeOf returns the scope that an actor's kind gives, whatever they may do
// in it. An agent and an actor without a customer reach nothing.
func ScopeOf(a controlplane.Actor) Scope {
	switch a.Kind {
	case controlplane.ActorStaff:
		return AllCustomers("staff of the hosting company")
	case controlplane.ActorContact:
		return OneCustomer(a.Customer)
	case controlplane.ActorAuditor:
		return Scope{customers: a.Own()}
	}
	return Scope{}
}
