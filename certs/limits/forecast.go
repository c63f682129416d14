package limits

import "time"

// Load is what a forecast is made for.
type Load struct {
	// Sites is how many new certificates are wanted.
	Sites int64
	// Domains is how many of them lie under each registered domain; those that
	// are missing have one of their own.
	Domains map[string]int64
}

// Forecast is how long an onboarding takes.
type Forecast struct {
	// Takes is until the last order may be made; 0 is at once.
	Takes time.Duration
	// Orders is how many orders that are, second tries included.
	Orders int64
	// Limit is the rule that makes it take so long, and Scope what it is counted
	// for; "" where nothing is in the way.
	Limit Limit
	Scope string
}

// secondTries is the share of orders that are made again, in hundredths: a site
// that is not moved yet, a typing error in a zone.
const secondTries = 4

// Forecast says how long new certificates take by the rules, as things stand
// at now. It is exact for orders that are made as soon as they may be, of which
// 4 in 100 are made twice; the time of the CA and of hosts is not in it.
func (r Rules) Forecast(now time.Time, w Load, u Usage) Forecast {
	if w.Sites <= 0 {
		return Forecast{}
	}
	f := Forecast{Orders: w.Sites + (w.Sites*secondTries+50)/100}
	longest := func(k Key, n int64) {
		if at := r.last(now, u[k], r.rules[k.Limit], n); at.Sub(now) > f.Takes {
			f.Takes, f.Limit, f.Scope = at.Sub(now), k.Limit, k.Scope
		}
	}
	longest(Key{All, ""}, 1)
	longest(Key{NewOrders, ""}, f.Orders)
	for domain, n := range w.Domains {
		longest(Key{PerDomain, domain}, n) // what fails is no certificate
	}
	return f
}

// last is when the n-th from now on is free.
func (r Rules) last(now time.Time, s State, rule Rule, n int64) time.Time {
	at := now
	if rule.limited() && n > 0 {
		s.Held += n - 1
		at, _ = s.Next(rule, now)
	}
	if s.BlockedUntil.After(at) {
		at = s.BlockedUntil
	}
	return at
}
