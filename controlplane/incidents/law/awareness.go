package law

import (
	"cmp"
	"slices"
	"time"
)

// Certainty is how sure somebody was.
type Certainty string

// The certainties. Detected is not aware: what a system noticed is a suspicion
// until a person holds it to be so.
const (
	Suspected Certainty = "suspected"
	Certain   Certainty = "certain" // to a reasonable degree (EDPB Guidelines 9/2022, II.A.2)
)

// Valid reports whether c is a known certainty.
func (c Certainty) Valid() bool { return c == Suspected || c == Certain }

// TheIncident is the Customer of an assertion about the incident itself, whatever
// data it touched: that a service was away is certain when it is seen, and may be
// certain long before it is known of anybody's data. Clocks of significant incidents
// (NIS2) begin with it.
const TheIncident = "incident"

// Assertion is somebody's word about when we became aware. It is never changed:
// another one supersedes it.
type Assertion struct {
	ID         string
	Customer   string // whose part of it; "" is the whole, TheIncident the incident itself
	Certainty  Certainty
	At         time.Time // when they became aware
	By, Ground string
	RecordedAt time.Time
	Supersedes string // the assertion that it corrects
	// ConfirmedBy is the second person, whom a correction to a later time needs.
	ConfirmedBy string
	ConfirmedAt time.Time
}

// Effective is the assertion that counts, as it was known at an instant: of
// those that nobody corrected, the earliest. A correction to an earlier time
// counts at once; to a later one, from when another person confirmed it. ok is
// false where there was none.
func Effective(all []Assertion, c Certainty, knownAt time.Time) (a Assertion, ok bool) {
	known := slices.DeleteFunc(slices.Clone(all), func(a Assertion) bool { return a.RecordedAt.After(knownAt) })
	gone := map[string]bool{}
	for _, a := range known {
		if a.Supersedes != "" && counts(a, known, knownAt) {
			gone[a.Supersedes] = true
		}
	}
	var left []Assertion
	for _, a := range known {
		if a.Certainty == c && !gone[a.ID] && (a.Supersedes == "" || counts(a, known, knownAt)) {
			left = append(left, a)
		}
	}
	if len(left) == 0 {
		return Assertion{}, false
	}
	return slices.MinFunc(left, func(a, b Assertion) int {
		return cmp.Or(a.At.Compare(b.At), a.RecordedAt.Compare(b.RecordedAt), cmp.Compare(a.ID, b.ID))
	}), true
}

// NeedsSecond reports whether a correction counts only once another person
// confirms it: it would move awareness later, or take it back.
func NeedsSecond(correction Assertion, all []Assertion) bool {
	i := slices.IndexFunc(all, func(o Assertion) bool { return o.ID == correction.Supersedes })
	if i < 0 {
		return false
	}
	before := all[i]
	return correction.At.After(before.At) || before.Certainty == Certain && correction.Certainty == Suspected
}

func counts(a Assertion, known []Assertion, at time.Time) bool {
	if !NeedsSecond(a, known) {
		return true
	}
	return a.ConfirmedBy != "" && a.ConfirmedBy != a.By && !a.ConfirmedAt.After(at)
}
