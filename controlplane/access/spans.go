package access

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A span is found by a relational interval tree (Kriegel, Pötke, Seidl: Managing
// intervals efficiently in object-relational databases, VLDB 2000): each
// interval stands at the number in it, in minutes, that has the most zeros at
// its end. All that hold an instant then stand at its ancestors, of which there
// are treeBits, whatever else there is.
const (
	treeBits = 28 // minutes since 1970, until the year 2480
	forever  = math.MaxInt64
	treeEnd  = 1<<treeBits - 1
	minute   = int64(time.Minute / time.Millisecond)
)

// fork is the node of the milliseconds from lo to before hi.
func fork(lo, hi int64) int64 {
	l, u := minuteOf(lo), minuteOf(max(hi-1, lo))
	high := bits.Len64(uint64((l - 1) ^ u))
	return u &^ (1<<(high-1) - 1)
}

func minuteOf(ms int64) int64 { return min(max(ms/minute, 1), treeEnd) }

// ancestors are the nodes at which an interval that holds an instant can stand:
// those before the instant's minute, itself and those after it.
func ancestors(ms int64) (before, after []int64) {
	q := minuteOf(ms)
	before = append(before, q)
	for k := bits.TrailingZeros64(uint64(q)) + 1; k < treeBits; k++ {
		if w := q>>(k+1)<<(k+1) | 1<<k; w < q {
			before = append(before, w)
		} else {
			after = append(after, w)
		}
	}
	return before, after
}

// place sets where a row that is known now stands in the tree.
func (r *spanRow) place() {
	r.Lo, r.Hi = r.FromAt, r.UntilAt
	if r.UntilAt == 0 {
		r.Node, r.Hi = 0, forever
		return
	}
	r.Node = fork(r.Lo, r.Hi)
}

// superseded is the row as what was known until now; it stands in the tree by
// when it was known.
func (r spanRow) superseded(now int64) spanRow {
	r.KnownUntil, r.Live = max(now, r.KnownFrom), 0
	r.Lo, r.Hi = r.KnownFrom, r.KnownUntil
	r.Node = -fork(r.Lo, r.Hi)
	return r
}

// next is the next version of a span, with another end.
func (r spanRow) next(until, now int64) spanRow {
	r.Rev = revision(r.ID, r.revision()+1)
	r.UntilAt, r.KnownFrom, r.KnownUntil = until, max(now, r.KnownFrom), 0
	r.place()
	return r
}

// over reports whether the span has ended by an instant.
func (r spanRow) overAt(at int64) bool { return r.UntilAt != 0 && r.UntilAt <= at }

func (r spanRow) line() lineKey {
	return lineKey{Column(r.Col), r.CustomerID, r.PersonID, r.UnknownIndex, Way(r.Way), r.Role, r.ServerID}
}

func (r spanRow) key() spanKey { return spanKey{r.line(), r.Ground} }

// revision names a version of a span.
func revision(span string, n int) string { return span + "/" + strconv.Itoa(n) }

func (r spanRow) revision() int {
	_, n, _ := strings.Cut(r.Rev, "/")
	i, _ := strconv.Atoi(n) // revision wrote it
	return i
}

// sortEvents puts events into an order of their own: by customer, what begins
// before what ends, and then by span.
func sortEvents(events []event) {
	slices.SortFunc(events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.row.CustomerID, b.row.CustomerID), cmp.Compare(a.kind, b.kind),
			cmp.Compare(a.row.PersonID, b.row.PersonID), cmp.Compare(a.row.Way, b.row.Way), cmp.Compare(a.row.Role, b.row.Role),
			cmp.Compare(a.row.ServerID, b.row.ServerID), cmp.Compare(a.row.Ground, b.row.Ground), cmp.Compare(a.row.ID, b.row.ID))
	})
}
