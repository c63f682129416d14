package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
)

// maxProblems bounds a report.
const maxProblems = 100

// Problem is one thing that is not as it was written.
type Problem struct {
	Generation int64
	Entry      string    // id; "" where the entry itself is gone
	Leaf       int64     // place in the tree; -1 where there is none
	At         time.Time // the entry's; zero where unknown
	What       string    // "its stored content does not match the tree"
}

// String is the sentence for people: which entry, and what differs.
func (p Problem) String() string {
	var where []string
	if p.Leaf >= 0 {
		where = append(where, fmt.Sprintf("leaf %d", p.Leaf))
	}
	if !p.At.IsZero() {
		where = append(where, controlplane.Instant(p.At))
	}
	switch {
	case p.Entry != "" && len(where) > 0:
		return fmt.Sprintf("entry %s (%s): %s", p.Entry, strings.Join(where, ", "), p.What)
	case p.Entry != "":
		return fmt.Sprintf("entry %s: %s", p.Entry, p.What)
	case len(where) > 0:
		return strings.Join(where, ", ") + ": " + p.What
	}
	return p.What
}

// Report is what a verification found.
type Report struct {
	Origin      string // the newest log's
	Key         string // the verifier key that the checkpoints were checked with
	Size        int64  // leaves of the newest log
	Leaves      int64  // leaves checked, of every log
	Pending     int64  // entries without a place yet: the tree does not protect them
	Checkpoints int64  // signed checkpoints checked
	Chains      int64  // customers' chains checked
	Personal    int64  // personal values opened and compared with their commitments
	Forgotten   int64  // commitments whose values were forgotten or erased
	// Problems are what differs, the first bad entry first; at most 100.
	Problems []Problem
	// More is how many further problems were not kept.
	More int64
}

// OK reports whether everything is as it was written.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// First returns the sentence of the first problem, or "".
func (r Report) First() string {
	if r.OK() {
		return ""
	}
	return r.Problems[0].String()
}

func (r *Report) add(p Problem) {
	if len(r.Problems) >= maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, p)
}

// sort brings the first bad entry to the front: those with a place by their
// place, and what belongs to no leaf after them.
func (r *Report) sort() {
	slices.SortStableFunc(r.Problems, func(a, b Problem) int {
		if (a.Leaf < 0) != (b.Leaf < 0) {
			if a.Leaf < 0 {
				return 1
			}
			return -1
		}
		if a.Generation != b.Generation {
			return int(a.Generation - b.Generation)
		}
		return int(a.Leaf - b.Leaf)
	})
}
