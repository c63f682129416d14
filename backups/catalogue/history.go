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

// versions appends the versions of one path, sorted by the last snapshot that
// has each.
func versions(dst []version, events []event, living []Ordinal) []version {
	for i := range events {
		if events[i].kind == gone {
			continue
		}
		from, to := reach(events, i, living)
		if from == to {
			continue
		}
		s := &events[i].state
		k := slices.IndexFunc(dst, func(v version) bool { return v.state.equal(s) })
		if k < 0 {
			dst = append(dst, version{state: s, spans: []stretch{{from, to}}})
			continue
		}
		v := dst[k]
		if last := &v.spans[len(v.spans)-1]; last.to == from {
			last.to = to
		} else {
			v.spans = append(v.spans, stretch{from, to})
		}
		dst = append(slices.Delete(dst, k, k+1), v)
	}
	return dst
}
