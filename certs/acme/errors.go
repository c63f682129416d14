package acme

import (
	"fmt"
	"strings"
	"time"
)

// Kind is what went wrong at a CA, or on the way there.
type Kind string

// The kinds.
const (
	KindUnreachable  Kind = "unreachable"   // no answer, a 5xx, or none in time; the same order may be resumed
	KindRateLimited  Kind = "rate_limited"  // see Scope and RetryAfter
	KindPaused       Kind = "paused"        // the CA paused the names after too many failures; Link ends it
	KindRefused      Kind = "refused"       // by the CA's policy: a name, the signing request, CAA
	KindValidation   Kind = "validation"    // the CA could not see that Name is ours
	KindOrderInvalid Kind = "order_invalid" // refused after the signing request; begin a new order
	KindOrderGone    Kind = "order_gone"    // it, or an authorization, expired or was deactivated; begin a new order
	KindAccount      Kind = "account"       // the CA does not know the account, or does not let it in
	KindProfile      Kind = "profile"       // the CA does not offer the profile
	KindRevoked      Kind = "revoked"       // it is revoked already
	KindUnsupported  Kind = "unsupported"   // the CA does not offer what is asked: a challenge, RFC 9773
	KindSolver       Kind = "solver"        // our own answer to the challenge could not be set up
	KindBadAnswer    Kind = "bad_answer"    // the CA's answer cannot be read, or is not what was asked for
)

// Valid reports whether k is a known kind.
func (k Kind) Valid() bool {
	switch k {
	case KindUnreachable, KindRateLimited, KindPaused, KindRefused, KindValidation, KindOrderInvalid, KindOrderGone,
		KindAccount, KindProfile, KindRevoked, KindUnsupported, KindSolver, KindBadAnswer:
		return true
	}
	return false
}

// Scope is what has to wait after a KindRateLimited or a KindUnreachable.
type Scope string

// The scopes, the narrowest first.
const (
	ScopeNone      Scope = ""
	ScopeName      Scope = "name"      // failed validations of Name
	ScopeSet       Scope = "set"       // certificates for exactly this set of names
	ScopeDomain    Scope = "domain"    // certificates under the registered domain, in Name
	ScopeOrders    Scope = "orders"    // new orders of the account
	ScopeAccount   Scope = "account"   // everything of the account: the CA did not say more
	ScopeIP        Scope = "ip"        // everything from our address
	ScopeAuthority Scope = "authority" // the CA is busy: everything there
)

// Valid reports whether s is a known scope.
func (s Scope) Valid() bool {
	switch s {
	case ScopeNone, ScopeName, ScopeSet, ScopeDomain, ScopeOrders, ScopeAccount, ScopeIP, ScopeAuthority:
		return true
	}
	return false
}

// Error is a refusal or a failure. An ended context and an error of Hooks.Save
// are no Error: they are returned wrapped.
type Error struct {
	Kind   Kind
	Scope  Scope
	Name   string // the name it is about, "" where it is about none or all
	Type   string // the problem's URN, "" where there was none
	Status int    // of HTTP, 0 where there was no answer
	Detail string // of the CA, one line
	Link   string // a page of the CA about it, "" for none
	// RetryAfter is the instant before which the CA does not want to be asked
	// again, zero where it did not say.
	RetryAfter time.Time
	// Sub are the problems of single names (RFC 8555, 6.7.1).
	Sub []Error
	// Err is the cause where there was no answer.
	Err error
}

// Error is one technical line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(string(e.Kind), "_", " "))
	if e.Name != "" {
		fmt.Fprintf(&b, " (%s)", e.Name)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d", e.Status)
	}
	if t := strings.TrimPrefix(e.Type, urn); t != "" {
		fmt.Fprintf(&b, " %s", t)
	}
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	for _, s := range e.Sub {
		fmt.Fprintf(&b, "; %s: %s", s.Name, s.Detail)
	}
	return b.String()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// urn begins the problem types of RFC 8555, 6.7.
const urn = "urn:ietf:params:acme:error:"
