package limits

import "time"

// Key names a state: a limit, and what it is counted for ("" for the account, a
// registered domain, a set's hash, a name).
type Key struct {
	Limit Limit
	Scope string
}

// Compare orders keys: whoever takes several takes them in this order.
func (k Key) Compare(o Key) int {
	switch {
	case k.Limit != o.Limit && k.Limit < o.Limit, k.Limit == o.Limit && k.Scope < o.Scope:
		return -1
	case k == o:
		return 0
	}
	return 1
}

// State is how a limit stands for one scope. The zero value has used nothing.
type State struct {
	// Full is when all is free again; in the past, or zero: it is.
	Full time.Time
	// Held are reserved and not counted by the CA yet.
	Held int64
	// Row are the failures in a row.
	Row int64
	// BlockedUntil is what the CA said itself, and Said its words.
	BlockedUntil time.Time
	Said         string
}

// Usage is how things stand, of one CA. What is missing has used nothing.
type Usage map[Key]State

// full is the later of now and when all is free again.
func (s State) full(now time.Time) time.Time {
	if s.Full.After(now) {
		return s.Full
	}
	return now
}

// Used is how many are in use or held, at most r.Max (of failures in a row: how many).
func (s State) Used(r Rule, now time.Time) int64 {
	step := r.interval()
	if step == 0 {
		return s.Row
	}
	used := int64((s.full(now).Sub(now) + step - 1) / step)
	return min(used+s.Held, r.Max)
}

// Next is when one more is free: now, or later. ok is false where time alone
// does not free one. What the CA said is not in it.
func (s State) Next(r Rule, now time.Time) (at time.Time, ok bool) {
	if !r.limited() {
		return now, true
	}
	step := r.interval()
	if step == 0 {
		return now, s.Row < r.Max
	}
	at = s.full(now).Add(time.Duration(s.Held+1-r.Max) * step)
	if at.Before(now) {
		return now, true
	}
	return at, true
}

// Hold reserves one.
func (s State) Hold() State {
	s.Held++
	return s
}

// Release gives a reserved one back.
func (s State) Release() State {
	s.Held = max(0, s.Held-1)
	return s
}

// Spend counts one as the CA does at now. More than the rule allows it does not
// count, and neither does the CA.
func (s State) Spend(r Rule, now time.Time) State {
	step := r.interval()
	if !r.limited() || step == 0 {
		return s
	}
	s.Full = s.full(now).Add(step)
	if most := now.Add(time.Duration(r.Max) * step); s.Full.After(most) {
		s.Full = most
	}
	return s
}

// Fail counts one more failure in a row.
func (s State) Fail() State {
	s.Row++
	return s
}

// Succeed ends a row of failures.
func (s State) Succeed() State {
	s.Row = 0
	return s
}

// Block keeps the scope from the CA until an instant that the CA itself named.
// A later word replaces an earlier one, even where it is sooner.
func (s State) Block(until time.Time, said string) State {
	s.BlockedUntil, s.Said = until, said
	return s
}

// Idle reports whether the state is worth no row at now: all of it is free, and
// the CA has said nothing that still holds.
func (s State) Idle(now time.Time) bool {
	return s.Held == 0 && s.Row == 0 && !s.Full.After(now) && !s.BlockedUntil.After(now)
}
