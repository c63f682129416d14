// Package teleport talks to one Teleport cluster. It knows no customer and no
// database. It keeps true that a cause is named within seconds (unreachable, a
// wrong CA, an expired identity, a missing permission), that what it did not
// make it never changes, that a lock has one target, and that what a cluster
// refuses is said and never passed off as done.
package teleport

import (
	"errors"
	"time"
)

// State is what a cluster says of who may reach what.
type State struct {
	At               time.Time // when reading began, by our clock: what was in force then
	Cluster, Version string
	Roles            []Role
	Users            []User
	Locks            []Lock
	Nodes            []Node
	Live             []Live
	// LocksRefused says that the cluster does not do locks, or not for us.
	LocksRefused bool
	// Skipped counts what could not be read: State is then no clean scan.
	// Unread says what that was, a kind of resource and, where we know, why.
	Skipped int
	Unread  []string
}

// Role is a role of the cluster, as far as it reaches servers or the cluster itself.
type Role struct {
	Name     string
	Revision string // the cluster's, for PutRole; "" makes the role anew or overwrites our own
	// Ours says that the role carries our mark; Owner is what the mark names.
	Ours        bool
	Owner       string
	Allow, Deny Reach
	// MaxTTL is how long a certificate with the role lives.
	MaxTTL time.Duration
	// Expires ends the role in the cluster itself; zero does not.
	Expires time.Time
}

// Reach is what one half of a role names.
type Reach struct {
	Logins []string
	// NodeLabels are label keys and the values that match; "*" matches all.
	NodeLabels map[string][]string
	// NodeExpression is a label expression, "" where there is none. We do not
	// evaluate it: a role with one reaches what we cannot tell.
	NodeExpression string
	// Writes are the kinds of resource that it may create or change ("role",
	// "user", "lock", "*"): whoever writes roles or users can give themselves access.
	Writes []string
	// Impersonates, Joins and Requests are further ways in.
	ImpersonatesRoles, ImpersonatesUsers []string
	JoinsSessions                        bool
	RequestsRoles                        []string
}

// User is a user of the cluster.
type User struct {
	Name  string
	Roles []string
	// Connector is the single sign-on connector that makes this user, and its
	// roles anew at each login; "" for a local one.
	Connector string
	Bot       bool
	Traits    map[string][]string
	Expires   time.Time // of an SSO user's record; zero does not expire
}

// Lock keeps one thing out. Exactly one of User, Role, Login, Node and Session
// is set: several would be "or" on the cluster, not "and". Teleport has no lock
// on one session: PutLock refuses it, and no cluster reports one.
type Lock struct {
	Name                             string // carries our change's id
	Ours                             bool   // carries our mark; PutLock sets it
	User, Role, Login, Node, Session string
	// Targets counts the targets of a lock that others made; ours have one.
	Targets int
	Message string
	Expires time.Time // zero is for good
}

// Node is a server that the cluster reaches.
type Node struct {
	ID, Hostname string
	Labels       map[string]string
}

// Live is a session that runs now.
type Live struct {
	ID, Kind       string
	User, Login    string
	Participants   []string
	Node, Hostname string
	Started        time.Time
}

// What went wrong, for errors.Is. The text of an error says more, and never a secret.
var (
	ErrUnreachable = errors.New("the cluster does not answer")
	ErrWrongCA     = errors.New("the cluster's certificate is not signed by the identity's CA")
	ErrExpired     = errors.New("the identity has expired")
	ErrIdentity    = errors.New("the identity file cannot be used")
	ErrDenied      = errors.New("the identity may not do this")
	ErrRefused     = errors.New("this cluster does not do this")
	ErrNotOurs     = errors.New("a role of this name is not ours")
	ErrNotFound    = errors.New("there is none of this name")
	ErrChanged     = errors.New("it was changed meanwhile")
	ErrInUse       = errors.New("it is still in use")
	ErrClock       = errors.New("the cluster's certificate is not valid at this time")
	ErrTooMuch     = errors.New("the answer is larger than the cluster sends, or it is busy")
	ErrSSO         = errors.New("the user's roles come from single sign-on") // with ErrRefused
)
