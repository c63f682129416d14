package limits

import (
	"cmp"
	"slices"
	"time"
)

// Renewal is what an order renews. Limits spare renewals.
type Renewal string

// The kinds of renewals. An order with other names than the certificate it
// replaces is none.
const (
	RenewalNone Renewal = ""
	// RenewalSameSet is for exactly the names of a certificate that this CA has
	// issued before.
	RenewalSameSet Renewal = "same_set"
	// RenewalARI is one of the same names, within its window, that says what it
	// replaces (RFC 9773, 5): the CA takes it whatever was used.
	RenewalARI Renewal = "ari"
)

// Valid reports whether r is a known kind.
func (r Renewal) Valid() bool { return r == RenewalNone || r == RenewalSameSet || r == RenewalARI }

// Request is an order that somebody wants to make.
type Request struct {
	Names   []string
	Renewal Renewal
}

// Verdict is whether an order may be made.
type Verdict struct {
	Allowed bool
	// NotBefore is when to ask again where it may not; zero where time alone
	// does not help: the name is paused until a person lifts that.
	NotBefore time.Time
	// Limit and Scope are what is in the way, Used of Max per Per. All but
	// Limit and Scope are zero where the CA said so itself (ByCA) and the limit
	// has no rule here.
	Limit     Limit
	Scope     string
	Used, Max int64
	Per       time.Duration
	// ByCA says that NotBefore is the CA's word, and Said is what it said.
	ByCA bool
	Said string
}

// Keys are the states that Check looks at, in their order.
func (r Rules) Keys(q Request) []Key {
	keys := append(r.Counted(q), Key{All, ""})
	for _, n := range each(q.Names, Name) {
		keys = append(keys, Key{FailedInRow, n})
	}
	// A word of the CA holds for renewals too.
	keys = append(keys, Key{NewOrders, ""}, Key{PerSet, Set(q.Names)})
	for _, d := range RegisteredDomains(q.Names) {
		keys = append(keys, Key{PerDomain, d})
	}
	for _, n := range each(q.Names, Name) {
		keys = append(keys, Key{FailedNames, n})
	}
	return sorted(keys)
}

// Counted are the states that a CA may count this order in, in their order:
// what a reservation holds. Renewals are counted in fewer of them.
func (r Rules) Counted(q Request) []Key {
	spared := q.Renewal == RenewalARI || q.Renewal == RenewalSameSet && r.SameSet
	var keys []Key
	add := func(l Limit, scopes ...string) {
		for _, s := range scopes {
			if r.rules[l].limited() {
				keys = append(keys, Key{l, s})
			}
		}
	}
	if !spared {
		add(NewOrders, "")
		add(PerDomain, RegisteredDomains(q.Names)...)
	}
	add(PerSet, Set(q.Names))
	add(FailedNames, each(q.Names, Name)...)
	return sorted(keys)
}

func sorted(keys []Key) []Key {
	slices.SortFunc(keys, Key.Compare)
	return slices.Compact(keys)
}

// Check says whether an order may be made at now. Where it may not, the verdict
// is the one that waits longest.
func (r Rules) Check(now time.Time, q Request, u Usage) Verdict {
	if against := r.Refusals(now, q, u); len(against) > 0 {
		return against[0]
	}
	return Verdict{Allowed: true, NotBefore: now}
}

// Refusals are all limits that are in the way of an order, the one that waits
// longest first; empty where it may be made.
func (r Rules) Refusals(now time.Time, q Request, u Usage) []Verdict {
	counted := r.Counted(q)
	var against []Verdict
	for _, k := range r.Keys(q) {
		s, rule := u[k], r.rules[k.Limit]
		v := Verdict{Limit: k.Limit, Scope: k.Scope, Max: rule.Max, Per: rule.Per}
		if rule.limited() {
			v.Used = s.Used(rule, now)
		}
		at, ok := now, true
		if k.Limit == FailedInRow { // what is under way may fail
			s.Row += u[Key{FailedNames, k.Scope}].Held
		}
		if k.Limit == FailedInRow || q.Renewal != RenewalARI && slices.Contains(counted, k) {
			at, ok = s.Next(rule, now)
		}
		switch {
		case s.BlockedUntil.After(at):
			v.NotBefore, v.ByCA, v.Said = s.BlockedUntil, true, s.Said
		case !ok: // NotBefore stays zero
		case at.After(now):
			v.NotBefore = at
		default:
			continue
		}
		if !ok {
			v.NotBefore = time.Time{}
		}
		against = append(against, v)
	}
	slices.SortStableFunc(against, func(a, b Verdict) int {
		if a.NotBefore.IsZero() != b.NotBefore.IsZero() {
			return cmp.Compare(b2i(b.NotBefore.IsZero()), b2i(a.NotBefore.IsZero()))
		}
		return b.NotBefore.Compare(a.NotBefore)
	})
	return against
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
