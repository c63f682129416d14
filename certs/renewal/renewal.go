// Package renewal decides when a certificate is renewed. It keeps true that a
// window belongs to the certificate it was given for and to no other, that the
// instant within it is chosen once and kept, that no answer of a CA which makes
// no sense moves a renewal, and that many renewals do not fall into one hour. It
// knows no clock, no network and no database.
//
// The rules are RFC 9773 (ACME Renewal Information), and the lifetime where the
// CA has none to give: a third of it left, or half of one under 10 days.
package renewal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Certificate is what is renewed.
type Certificate struct {
	CertID              string // RFC 9773, 4.1; "" where it has none
	NotBefore, NotAfter time.Time
	// Hurried says that it was issued because of a window in the past. Another
	// such window within a day is a fault of the CA, not a revocation.
	Hurried bool
}

// Lifetime is how long it is valid.
func (c Certificate) Lifetime() time.Duration { return c.NotAfter.Sub(c.NotBefore) }

// Left is the share of the lifetime that is left at now, from 1 down to 0.
func (c Certificate) Left(now time.Time) float64 {
	life := c.Lifetime()
	if life <= 0 || !now.Before(c.NotAfter) {
		return 0
	}
	return min(1, float64(c.NotAfter.Sub(now))/float64(life))
}

// Source is where a window comes from.
type Source string

// The sources.
const (
	FromARI      Source = "ari"
	FromLifetime Source = "lifetime"
)

// Valid reports whether s is a known source.
func (s Source) Valid() bool { return s == FromARI || s == FromLifetime }

// Plan is when a certificate is renewed. It is kept as it is; the zero value
// stands before the first one.
type Plan struct {
	CertID      string // of the certificate that it is for
	From        Source
	Start, End  time.Time // the window
	At          time.Time // the instant chosen in it
	Explanation string    // a URL of the CA that says why, "" for none
	PollAt      time.Time // when the CA is asked (again)
	Bad         int       // bad answers in a row; a person should hear of a run of them, once
}

// Answer is what a CA answered about a certificate's renewal.
type Answer struct {
	Start, End  time.Time
	Explanation string
	RetryAfter  time.Duration // 0 where it did not say
}

// Load is how many renewals are planned for the hour of an instant, for Planner
// to choose a quieter one. nil: nothing is known.
type Load func(time.Time) int

// Planner chooses. Rand is needed; Load may be nil.
type Planner struct {
	Rand *rand.Rand
	Load Load
}

const (
	short = 10 * 24 * time.Hour // lifetimes under it are renewed at their half
	day   = 24 * time.Hour

	minPoll     = time.Minute
	maxPoll     = day
	defaultPoll = 6 * time.Hour

	candidates = 8
)

// Errors of answers that make no sense.
var (
	errOrder   = errors.New("renewal: the window ends before it starts")
	errEmpty   = errors.New("renewal: there is no window")
	errLate    = errors.New("renewal: the window starts when the certificate is about to end")
	errTwice   = errors.New("renewal: the window is in the past again, and the certificate is new")
	errForeign = errors.New("renewal: the window is wider than the certificate's life")
)

// FromLife returns the window by the lifetime alone: centred at a third of it
// left (half under 10 days), a hundredth of it to either side.
func FromLife(c Certificate) (start, end time.Time) {
	life := c.Lifetime()
	left := life / 3
	if life < short {
		left = life / 2
	}
	centre := c.NotAfter.Add(-left)
	return centre.Add(-life / 100), centre.Add(life / 100)
}

// First is the plan of a certificate that the CA was not asked about yet: by
// its lifetime, and the CA is asked soon. A certificate without a CertID is not
// asked about.
func (p Planner) First(c Certificate, now time.Time) Plan {
	plan := Plan{CertID: c.CertID, From: FromLifetime}
	plan.Start, plan.End = FromLife(c)
	plan.At = p.choose(plan.Start, plan.End, now)
	if c.CertID != "" {
		plan.PollAt = now.Add(p.within(0, minPoll))
	}
	return plan
}

// Answered is the plan after an answer of the CA. The error says what is wrong
// with the answer: the plan is then that of Failed.
func (p Planner) Answered(old Plan, c Certificate, a Answer, now time.Time) (Plan, error) {
	if err := check(c, a, now); err != nil {
		return p.Failed(old, c, a.RetryAfter, now), err
	}
	plan := Plan{CertID: c.CertID, From: FromARI, Start: a.Start, End: a.End, Explanation: a.Explanation, PollAt: p.poll(a.RetryAfter, now)}
	if last := latest(c); plan.End.After(last) {
		plan.End = last
	}
	kept := old.CertID == c.CertID && old.From == FromARI && !old.At.IsZero()
	if kept && !old.At.Before(plan.Start) && !old.At.After(plan.End) {
		plan.At = old.At // it was chosen once
		return plan, nil
	}
	plan.At = p.choose(plan.Start, plan.End, now)
	return plan, nil
}

// Failed is the plan after no answer, or one that makes no sense: what was known
// of this certificate is kept. Without a window of the CA it is the lifetime's.
// retryAfter is what came with it, 0 for nothing.
func (p Planner) Failed(old Plan, c Certificate, retryAfter time.Duration, now time.Time) Plan {
	plan := old
	if plan.CertID != c.CertID || plan.At.IsZero() {
		plan = p.First(c, now)
	}
	if retryAfter <= 0 {
		retryAfter = defaultPoll
	}
	plan.PollAt = p.poll(retryAfter, now)
	plan.Bad = old.Bad + 1
	if old.CertID != c.CertID {
		plan.Bad = 1
	}
	return plan
}

// check says what is wrong with an answer.
func check(c Certificate, a Answer, now time.Time) error {
	switch {
	case a.Start.IsZero() || a.End.IsZero() || a.Start.Year() < 2000:
		return errEmpty
	case !a.Start.Before(a.End):
		return errOrder
	case a.End.Sub(a.Start) > c.Lifetime()+day:
		return errForeign
	case !a.Start.Before(latest(c)):
		return errLate
	case c.Hurried && a.End.Before(now) && now.Sub(c.NotBefore) < day:
		return errTwice
	}
	return nil
}

// latest is the last instant to renew: a twentieth of the lifetime before its end.
func latest(c Certificate) time.Time { return c.NotAfter.Add(-c.Lifetime() / 20) }

// choose picks an instant between start and end, in a quiet hour of a few drawn
// by chance. What is left of a window that has begun is used; one in the past is now.
func (p Planner) choose(start, end, now time.Time) time.Time {
	if start.Before(now) {
		start = now
	}
	if !start.Before(end) {
		return now
	}
	best := start.Add(p.within(0, end.Sub(start)))
	if p.Load == nil {
		return best
	}
	for range candidates - 1 {
		if at := start.Add(p.within(0, end.Sub(start))); p.Load(at) < p.Load(best) {
			best = at
		}
	}
	return best
}

// poll is when to ask again: RFC 9773, 4.3, within bounds of our own.
func (p Planner) poll(retryAfter time.Duration, now time.Time) time.Time {
	if retryAfter <= 0 {
		retryAfter = defaultPoll
	}
	wait := min(max(retryAfter, minPoll), maxPoll)
	return now.Add(wait)
}

// within is a whole number of milliseconds in [from, to).
func (p Planner) within(from, to time.Duration) time.Duration {
	n := (to - from).Milliseconds()
	if n <= 0 {
		return from
	}
	return from + time.Duration(p.Rand.Int64N(n))*time.Millisecond
}

// String is one technical line.
func (p Plan) String() string {
	return fmt.Sprintf("%s: %s to %s, at %s", p.From, p.Start.UTC().Format(time.RFC3339), p.End.UTC().Format(time.RFC3339), p.At.UTC().Format(time.RFC3339))
}
