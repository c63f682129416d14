package catalogue

import (
	"context"
	"slices"
)

// History returns the versions of a path that living snapshots have, newest
// first; none where there are none. Versions that differ in nothing are one.
func (c *Catalogue) History(ctx context.Context, path []byte, alive Alive) ([]Version, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	dir, name, err := cut(folderKey(path))
	if err != nil {
		return nil, nil // no such path can be
	}
	events, err := c.eventsOf(ctx, dir, name)
	if err != nil {
		return nil, err
	}
	living := c.manifest.living(alive)
	var out []Version
	for _, v := range versions(nil, events, living) {
		version := Version{
			Entry: v.state.entry(dir, name), First: living[v.spans[0].from], Last: living[v.spans[len(v.spans)-1].to-1],
			Spans: make([]Span, len(v.spans)),
		}
		for i, s := range v.spans {
			version.Copies += s.to - s.from
			version.Spans[i] = Span{First: living[s.from], Last: living[s.to-1]}
		}
		out = append(out, version)
	}
	slices.Reverse(out)
	return out, nil
}

// version is one state of a path, and in which of the living snapshots it was.
type version struct {
	state *state
	spans []stretch // never empty; they neither touch nor overlap
}

// stretch is living snapshots, from up to to, as places in their list.
type stretch struct{ from, to int }

// last is the place of the last snapshot that has it.
func (v *version) last() int { return v.spans[len(v.spans)-1].to - 1 }

// versions returns the versions of one path in dst, sorted by the last snapshot
// that has each. A log file is another one in each of many thousand snapshots.
func versions(dst []version, events []event, living []Ordinal) []version {
	dst = dst[:0]
	find := func(s *state) int { return slices.IndexFunc(dst, func(v version) bool { return v.state.equal(s) }) }
	if len(events) > fewEvents {
		find = byState(len(events))
	}
	back := false
	for i := range events {
		if events[i].kind == gone {
			continue
		}
		from, to := reach(events, i, living)
		if from == to {
			continue
		}
		s := &events[i].state
		k := find(s)
		if k < 0 || k == len(dst) {
			dst = append(dst, version{state: s, spans: []stretch{{from, to}}})
			continue
		}
		back = back || k < len(dst)-1
		v := &dst[k]
		if last := &v.spans[len(v.spans)-1]; last.to == from {
			last.to = to
		} else {
			v.spans = append(v.spans, stretch{from, to})
		}
	}
	if back { // no two have the same last snapshot
		slices.SortFunc(dst, func(a, b version) int { return a.last() - b.last() })
	}
	return dst
}

// fewEvents is up to how many events comparing each with each is cheapest.
const fewEvents = 32

// byState numbers states as they are first asked for, and finds them again.
func byState(n int) func(*state) int {
	type key struct {
		kind        kind
		owner       owner
		size, mtime int64
		link        string
	}
	known := make(map[key]int, n)
	return func(s *state) int {
		k := key{s.kind, s.owner, s.size, s.mtime, string(s.link)}
		no, ok := known[k]
		if !ok {
			no = len(known)
			known[k] = no
		}
		return no
	}
}
