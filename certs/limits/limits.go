// Package limits is a twin of the rate limits of a certificate authority. It
// keeps true that an order which it allows is one that the CA does not refuse
// for a limit: what is reserved counts as used until its end is known, what the
// CA counts is counted here no earlier than there, and what the CA itself says
// stands above what was counted. It knows no clock and no database.
//
// The limits are those of Let's Encrypt (letsencrypt.org/docs/rate-limits): each
// is a bucket that refills steadily, one every Per/Max, not a window that opens
// again at once. Of a bucket one instant is kept, that at which it is full again
// (GCRA's theoretical arrival time).
package limits

import (
	"fmt"
	"maps"
	"time"
)

// Limit is one of a CA's limits.
type Limit string

// The limits.
const (
	// All is no limit of a rate: it holds what the CA says of everything that
	// we ask (a 503, a 429 without a reason). It is never reserved.
	All Limit = "all"
	// NewOrders are orders of the account, whatever becomes of them.
	NewOrders Limit = "new_orders"
	// PerDomain are certificates under a registered domain, of all accounts.
	PerDomain Limit = "certificates_per_domain"
	// PerSet are certificates for exactly the same names, of all accounts.
	PerSet Limit = "certificates_per_set"
	// FailedNames are failed authorizations of a name.
	FailedNames Limit = "failed_authorizations"
	// FailedInRow are failed authorizations of a name without a success between
	// them: at its end the CA pauses the name until a person lifts that.
	FailedInRow Limit = "failures_in_a_row"
)

// Limits lists every limit in a fixed order.
func Limits() []Limit {
	return []Limit{All, NewOrders, PerDomain, PerSet, FailedNames, FailedInRow}
}

// Valid reports whether l is a known limit.
func (l Limit) Valid() bool {
	switch l {
	case All, NewOrders, PerDomain, PerSet, FailedNames, FailedInRow:
		return true
	}
	return false
}

// Rule is how much a limit allows: Max at once, refilled one by one over Per. A
// Per of 0 never refills: only a success sets it back. The zero Rule is no limit.
type Rule struct {
	Max int64
	Per time.Duration
}

// limited reports whether there is anything to keep to.
func (r Rule) limited() bool { return r.Max > 0 }

// interval is after how long one more is free, rounded up to a millisecond.
func (r Rule) interval() time.Duration {
	if r.Max <= 0 || r.Per <= 0 {
		return 0
	}
	ms := (r.Per.Milliseconds() + r.Max - 1) / r.Max
	return time.Duration(max(ms, 1)) * time.Millisecond
}

// Rules are the limits of one CA. The zero value has none.
type Rules struct {
	rules map[Limit]Rule
	// SameSet says that a certificate for names which the CA has issued for
	// before takes nothing from NewOrders and PerDomain.
	SameSet bool
}

const day = 24 * time.Hour

// LetsEncrypt returns the limits of Let's Encrypt.
func LetsEncrypt() Rules {
	return Rules{SameSet: true, rules: map[Limit]Rule{
		NewOrders:   {300, 3 * time.Hour},
		PerDomain:   {50, 7 * day},
		PerSet:      {5, 7 * day},
		FailedNames: {5, time.Hour},
		FailedInRow: {1152, 0},
	}}
}

// None returns the limits of a CA that has none, such as a test CA.
func None() Rules { return Rules{} }

// Rule returns a limit's rule, the zero one where there is none.
func (r Rules) Rule(l Limit) Rule { return r.rules[l] }

// With returns the rules with one of them replaced: an exception that the CA
// has granted, or another CA's. The zero Rule lifts the limit. The error says
// what is wrong with the rule.
func (r Rules) With(l Limit, rule Rule) (Rules, error) {
	switch {
	case !l.Valid() || l == All:
		return r, fmt.Errorf("limits: unknown limit %q", l)
	case rule.Max < 0 || rule.Per < 0 || rule.Max == 0 && rule.Per > 0:
		return r, fmt.Errorf("limits: %s: %d per %s is no rate", l, rule.Max, rule.Per)
	case rule.Max > 0 && rule.Per == 0 && l != FailedInRow:
		return r, fmt.Errorf("limits: %s: it needs a time after which it is free again", l)
	case rule.Per > 0 && l == FailedInRow:
		return r, fmt.Errorf("limits: %s: it is set back by a success, not by time", l)
	}
	r.rules = maps.Clone(r.rules)
	if r.rules == nil {
		r.rules = map[Limit]Rule{}
	}
	if r.rules[l] = rule; !rule.limited() {
		delete(r.rules, l)
	}
	return r, nil
}
