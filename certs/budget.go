package certs

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ostler/certs/acme"
	"ostler/certs/limits"
	"ostler/controlplane/db"
)

// Budget is the twin of the CAs' rate limits, kept in the database: all
// replicas count together, and a restart forgets nothing. The zero value is
// ready.
//
// The way of an order: Reserve before it is made; Ordered when the CA has made
// it (or may have: its answer was lost); then Issued, or GiveBack. All of them
// go by the attempt's id and may be repeated: what was done is not done twice.
// An attempt whose order is gone, and which makes another one, gives back and
// reserves again.
type Budget struct{}

// Ask is an order that somebody wants to make.
type Ask struct {
	Issue     string // iss_; holds the reservation
	Authority string // ca_
	Names     []string
	Renewal   limits.Renewal
}

func (a Ask) request() limits.Request { return limits.Request{Names: a.Names, Renewal: a.Renewal} }

// Reserve counts an order as made, where the limits allow it; where they do not,
// nothing is reserved, and the verdict says which limit and until when. An
// attempt that holds a reservation already is allowed.
func (Budget) Reserve(tx *db.Tx, a Ask) (limits.Verdict, error) {
	if a.Issue == "" {
		return limits.Verdict{}, errNoIssue
	}
	yes := limits.Verdict{Allowed: true, NotBefore: tx.Now}
	if _, held, err := reserved(tx, a.Issue); err != nil || len(held) > 0 {
		return yes, err
	}
	rules, err := rulesOf(tx, a.Authority)
	if err != nil {
		return limits.Verdict{}, err
	}
	q := a.request()
	u, err := usage(tx, a.Authority, rules.Keys(q), false)
	if err != nil {
		return limits.Verdict{}, err
	}
	counted := rules.Counted(q)
	if v := rules.Check(tx.Now, q, u); !v.Allowed || len(counted) == 0 {
		return v, nil // most of those who wait lock nothing
	}
	locked, err := usage(tx, a.Authority, counted, true)
	if err != nil {
		return limits.Verdict{}, err
	}
	for k, s := range locked {
		u[k] = s
	}
	if v := rules.Check(tx.Now, q, u); !v.Allowed {
		return v, nil
	}
	return yes, hold(tx, a.Issue, a.Authority, counted)
}

// Ordered says that the CA has made the attempt's order, or may have.
func (Budget) Ordered(tx *db.Tx, issue string) error {
	return settleAs(tx, issue, func(k limits.Key) bool { return k.Limit == limits.NewOrders }, nil, true)
}

// Issued says that the CA has issued the attempt's certificate. names are those
// in it: their failures in a row are over.
func (b Budget) Issued(tx *db.Tx, issue, authority string, names []string) error {
	if err := settleAs(tx, issue, nil, nil, true); err != nil {
		return err
	}
	return b.succeeded(tx, authority, names)
}

// GiveBack says that the attempt has ended without a certificate: names are
// those that the CA could not see to be ours, none where it was something else
// or no order was made. A new order is counted only where Ordered was called.
func (Budget) GiveBack(tx *db.Tx, issue, authority string, names ...string) error {
	failed := map[string]bool{}
	for _, n := range names {
		failed[limits.Name(n)] = true
	}
	_, held, err := reserved(tx, issue)
	if err != nil {
		return err
	}
	if err := settleAs(tx, issue, nil, failed, false); err != nil {
		return err
	}
	rules, err := rulesOf(tx, authority)
	if err != nil {
		return err
	}
	var keys []limits.Key
	for n := range failed {
		row := limits.Key{Limit: limits.FailedInRow, Scope: n}
		// By its reservation a failure is counted once, however often it is told.
		if rules.Rule(row.Limit).Max > 0 && slices.Contains(held, limits.Key{Limit: limits.FailedNames, Scope: n}) {
			keys = append(keys, row)
		}
	}
	slices.SortFunc(keys, limits.Key.Compare)
	return change(tx, authority, keys, func(_ limits.Key, s limits.State) limits.State { return s.Fail() })
}

// succeeded ends the rows of failures of names.
func (Budget) succeeded(tx *db.Tx, authority string, names []string) error {
	var keys []limits.Key
	for _, n := range names {
		keys = append(keys, limits.Key{Limit: limits.FailedInRow, Scope: limits.Name(n)})
	}
	slices.SortFunc(keys, limits.Key.Compare)
	keys = slices.Compact(keys)
	u, err := usage(tx, authority, keys, false)
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(k limits.Key) bool { return u[k].Row == 0 })
	return change(tx, authority, keys, func(_ limits.Key, s limits.State) limits.State { return s.Succeed() })
}

// settleAs ends the hold of an attempt on the keys that which picks (nil: all).
// With issued, all count but failures; without, the names in failed do.
func settleAs(tx *db.Tx, issue string, which func(limits.Key) bool, failed map[string]bool, issued bool) error {
	authority, keys, err := reserved(tx, issue)
	if err != nil {
		return err
	}
	if which != nil {
		keys = slices.DeleteFunc(keys, func(k limits.Key) bool { return !which(k) })
	}
	if len(keys) == 0 {
		return nil
	}
	rules, err := rulesOf(tx, authority)
	if err != nil {
		return err
	}
	return settle(tx, issue, authority, keys, func(k limits.Key, s limits.State) limits.State {
		if counts := k.Limit != limits.FailedNames; counts && issued || !counts && failed[k.Scope] {
			return s.Spend(rules.Rule(k.Limit), tx.Now)
		}
		return s
	})
}

// Refused keeps what an error of the CA speaks of from it until the instant
// that it named, and nothing else: another name, set or domain goes on. Names
// are the order's. until is zero where the error asks nobody to wait.
func (Budget) Refused(tx *db.Tx, authority string, names []string, e *acme.Error) (until time.Time, err error) {
	keys := blocks(e, names)
	if len(keys) == 0 {
		return time.Time{}, nil
	}
	switch {
	case e.Kind == acme.KindPaused:
		until = Forever
	case e.RetryAfter.After(tx.Now):
		until = e.RetryAfter
	default:
		until = tx.Now.Add(waits[keys[0].Limit])
	}
	said := cmp.Or(e.Detail, e.Error())
	if e.Link != "" && !strings.Contains(said, e.Link) {
		said += " " + e.Link
	}
	return until, change(tx, authority, keys, func(_ limits.Key, s limits.State) limits.State { return s.Block(until, said) })
}

// waits are how long to wait where the CA did not say.
var waits = map[limits.Limit]time.Duration{
	limits.All: time.Minute, limits.NewOrders: 10 * time.Minute, limits.PerDomain: 4 * time.Hour, limits.PerSet: 34 * time.Hour, limits.FailedNames: time.Hour,
}

// blocks are the states that an error of a CA speaks of, for an order of names.
func blocks(e *acme.Error, names []string) []limits.Key {
	of := func(l limits.Limit, scope func(string) string) (keys []limits.Key) {
		for _, n := range names {
			keys = append(keys, limits.Key{Limit: l, Scope: scope(n)})
		}
		if e.Name != "" {
			keys = []limits.Key{{Limit: l, Scope: scope(e.Name)}}
		}
		slices.SortFunc(keys, limits.Key.Compare)
		return slices.Compact(keys)
	}
	switch {
	case e.Kind == acme.KindPaused:
		return of(limits.FailedInRow, limits.Name)
	case e.Kind != acme.KindRateLimited && e.RetryAfter.IsZero():
		return nil
	}
	switch e.Scope {
	case acme.ScopeName:
		return of(limits.FailedNames, limits.Name)
	case acme.ScopeDomain:
		return of(limits.PerDomain, limits.RegisteredDomain)
	case acme.ScopeSet:
		return []limits.Key{{Limit: limits.PerSet, Scope: limits.Set(names)}}
	case acme.ScopeOrders:
		return []limits.Key{{Limit: limits.NewOrders}}
	case acme.ScopeAccount, acme.ScopeIP, acme.ScopeAuthority:
		return []limits.Key{{Limit: limits.All}}
	}
	return nil
}

// Lift says that a person has lifted the CA's pause of names.
func (Budget) Lift(tx *db.Tx, authority string, names []string) error {
	var keys []limits.Key
	for _, n := range names {
		keys = append(keys, limits.Key{Limit: limits.FailedInRow, Scope: limits.Name(n)})
	}
	slices.SortFunc(keys, limits.Key.Compare)
	return change(tx, authority, slices.Compact(keys), func(_ limits.Key, s limits.State) limits.State {
		return s.Succeed().Block(time.Time{}, "")
	})
}

// Refusals are all limits that are in the way of an order now, the one that
// waits longest first. An attempt that holds a reservation meets none.
func (Budget) Refusals(tx *db.Tx, a Ask) ([]limits.Verdict, error) {
	if a.Issue != "" {
		if _, held, err := reserved(tx, a.Issue); err != nil || len(held) > 0 {
			return nil, err
		}
	}
	rules, err := rulesOf(tx, a.Authority)
	if err != nil {
		return nil, err
	}
	u, err := usage(tx, a.Authority, rules.Keys(a.request()), false)
	if err != nil {
		return nil, err
	}
	return rules.Refusals(tx.Now, a.request(), u), nil
}
