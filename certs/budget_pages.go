package certs

import (
	"cmp"
	"slices"
	"time"

	"ostler/certs/limits"
	"ostler/controlplane"
	"ostler/controlplane/db"
)

// Line is how one limit stands for one scope.
type Line struct {
	limits.Key
	Used, Max int64
	// Per is over what time Max are free again; 0 where only a success, or a
	// person, sets it back.
	Per time.Duration
	// Next is when one more is free; zero where time alone frees none.
	Next time.Time
	// BlockedUntil is the CA's own word, zero for none, and Said what it said.
	BlockedUntil time.Time
	Said         string
}

// maxLines bounds the page of a CA's limits.
const maxLines = 200

// Lines are the limits of a CA that anything is used of, those of the account
// first, then the fullest; at most 200.
func (Budget) Lines(tx *db.Tx, authority string) ([]Line, error) {
	rules, err := rulesOf(tx, authority)
	if err != nil {
		return nil, err
	}
	u, err := inUse(tx, authority, maxLines)
	if err != nil {
		return nil, err
	}
	account := limits.Key{Limit: limits.NewOrders}
	if _, used := u[account]; !used && rules.Rule(account.Limit).Max > 0 {
		u[account] = limits.State{} // shown, used or not
	}
	var out []Line
	for k, s := range u {
		rule := rules.Rule(k.Limit)
		l := Line{Key: k, Max: rule.Max, Per: rule.Per}
		if s.BlockedUntil.After(tx.Now) {
			l.BlockedUntil, l.Said = s.BlockedUntil, s.Said
		}
		if rule.Max == 0 && l.BlockedUntil.IsZero() {
			continue // of a rule that was lifted
		}
		if rule.Max > 0 {
			l.Used = s.Used(rule, tx.Now)
		}
		if at, ok := s.Next(rule, tx.Now); ok {
			l.Next = at
			if l.BlockedUntil.After(at) {
				l.Next = l.BlockedUntil
			}
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Line) int {
		return cmp.Or(first(a.Scope == "", b.Scope == ""), first(!a.BlockedUntil.IsZero(), !b.BlockedUntil.IsZero()),
			b.Next.Compare(a.Next), cmp.Compare(b.Used, a.Used), a.Compare(b.Key))
	})
	return out[:min(len(out), maxLines)], nil
}

// first orders what is true before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// Room is what an authority has room for now.
type Room struct {
	// Slots are the attempts that may begin, beside those under way.
	Slots int
	// Orders are the new orders that the account's limit still allows; negative:
	// it has none. Renewals that are exempt take no order.
	Orders int64
	// Blocked keeps everything from it until an instant; zero: nothing does.
	Blocked time.Time
}

// Room is what the limits of a CA's account still allow now: Orders, and
// Blocked. The slots are the caller's to say.
func (Budget) Room(tx *db.Tx, authority string) (Room, error) {
	rules, err := rulesOf(tx, authority)
	if err != nil {
		return Room{}, err
	}
	all, account := limits.Key{Limit: limits.All}, limits.Key{Limit: limits.NewOrders}
	u, err := usage(tx, authority, []limits.Key{all, account}, false)
	if err != nil {
		return Room{}, err
	}
	room := Room{Orders: -1}
	if rule := rules.Rule(limits.NewOrders); rule.Max > 0 {
		room.Orders = rule.Max - u[account].Used(rule, tx.Now)
	}
	if u[account].BlockedUntil.After(tx.Now) {
		room.Orders = 0
	}
	if b := u[all].BlockedUntil; b.After(tx.Now) {
		room.Blocked = b
	}
	return room, nil
}

// Forecast says how long an onboarding takes at a CA, as its limits stand.
func (Budget) Forecast(tx *db.Tx, authority string, w limits.Load) (limits.Forecast, error) {
	rules, err := rulesOf(tx, authority)
	if err != nil {
		return limits.Forecast{}, err
	}
	keys := []limits.Key{{Limit: limits.All}, {Limit: limits.NewOrders}}
	for d := range w.Domains {
		keys = append(keys, limits.Key{Limit: limits.PerDomain, Scope: d})
	}
	slices.SortFunc(keys, limits.Key.Compare)
	u, err := usage(tx, authority, keys, false)
	if err != nil {
		return limits.Forecast{}, err
	}
	return rules.Forecast(tx.Now, w, u), nil
}

// Rules are the limits of a CA.
func (Budget) Rules(tx *db.Tx, authority string) (limits.Rules, error) { return rulesOf(tx, authority) }

// SetRule enters an exception that a CA has granted; the zero Rule lifts the
// limit. The caller enters it in the ledger. Errors: invalid.
func (Budget) SetRule(tx *db.Tx, authority string, l limits.Limit, r limits.Rule) error {
	if _, err := limits.None().With(l, r); err != nil {
		return controlplane.Errorf(controlplane.CodeInvalid, "Give a number, and the time after which all of it is free again.",
			"This is no rate limit").Because(err)
	}
	return saveRule(tx, authority, l, r)
}

// Tidy forgets limits that are idle again, and gives back what attempts hold
// that have ended without a word: some thousands at a time.
func (b Budget) Tidy(tx *db.Tx, authority string) (forgotten int64, err error) {
	ended, err := leftBehind(tx, authority, 100)
	if err != nil {
		return 0, err
	}
	for _, issue := range ended {
		if err := b.GiveBack(tx, issue, authority); err != nil {
			return 0, err
		}
	}
	return tidyLimits(tx, authority, 5000)
}
