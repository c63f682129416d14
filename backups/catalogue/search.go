package catalogue

import (
	"bytes"
	"context"
	"fmt"

	"ostler/agents/wire"
)

// Hits of one search: how many where a query does not say, and at most.
const (
	defaultHits = 100
	maxHits     = 10_000
)

// Search returns the paths that answer a query, sorted by folder ('/' below
// all other bytes) and name, each once. more is true where there are further
// ones: ask again with After. It reads the segments of its manifest only,
// whatever is merged meanwhile. ctx stops it.
func (c *Catalogue) Search(ctx context.Context, q Query, alive Alive) (hits []Hit, more bool, err error) {
	if err := c.check(); err != nil {
		return nil, false, err
	}
	if q.At != nil && (!c.manifest.Has(*q.At) || alive != nil && !alive(*q.At)) {
		return nil, false, fmt.Errorf("%w: %d", ErrUnknown, *q.At)
	}
	s := newSearch(ctx, c, q, alive)
	if len(s.living) == 0 {
		return nil, false, nil
	}
	pick := func(seg *Segment, block int, n *names) ([]int, bool, error) {
		return s.match.keys(n, func() (*folded, error) { return c.folded(seg, block, n) })
	}
	dir, name, after := s.from()
	m, err := c.merge(ctx, c.manifest.Segments, dir, name, pick)
	if err != nil {
		return nil, false, err
	}
	for seen := 1; ; seen++ {
		if seen%256 == 0 && ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		more, err := m.next()
		if err == nil {
			err = s.match.err // a pattern that was given up has matched nothing
		}
		if err != nil {
			return nil, false, err
		}
		if !more || !beneath(m.dir, s.root) {
			return hits, false, nil
		}
		if after && bytes.Equal(m.dir, dir) && bytes.Equal(m.name, name) {
			continue
		}
		events, err := m.events()
		if err != nil {
			return nil, false, err
		}
		hit, ok := s.hit(m, events)
		if !ok {
			continue
		}
		if len(hits) == s.q.Limit {
			return hits, true, nil
		}
		hits = append(hits, hit)
	}
}

// folded returns a block's names, folded.
func (c *Catalogue) folded(seg *Segment, block int, n *names) (*folded, error) {
	return fetch(c.cache, cacheKey{seg.Name, block, partFolded}, func() (*folded, int64, error) {
		f := n.fold()
		size := int64(64)
		if &f.blob[0] != &n.blob[0] {
			size += int64(cap(f.blob))
		}
		return f, size, nil
	})
}

// search is one query, made ready.
type search struct {
	q      Query
	match  *matcher
	root   []byte // Beneath as a folder
	living []Ordinal
	buf    []version
}

func newSearch(ctx context.Context, c *Catalogue, q Query, alive Alive) *search {
	if q.Limit <= 0 {
		q.Limit = defaultHits
	}
	q.Limit = min(q.Limit, maxHits)
	return &search{q: q, match: newMatcher(ctx, &q), root: folderKey(q.Beneath), living: c.manifest.living(alive)}
}

// from returns the key to begin at, and whether it is itself left out.
func (s *search) from() (dir, name []byte, after bool) {
	dir, name, err := cut(s.q.After)
	if err != nil || compareKeys(dir, name, s.root, nil) < 0 {
		return s.root, nil, false
	}
	return dir, name, true
}

// hit reports whether a path answers the query, by what became of it.
func (s *search) hit(m *merged, events []event) (Hit, bool) {
	answer, in := s.answer(events)
	if answer == nil {
		return Hit{}, false
	}
	s.buf = versions(s.buf[:0], events, s.living)
	first, last := len(s.living), 0
	for i := range s.buf {
		first = min(first, s.buf[i].spans[0].from)
		last = max(last, s.buf[i].last())
	}
	h := Hit{
		Newest: answer.entry(m.dir, m.name), In: in, Versions: len(s.buf),
		First: s.living[first], Last: s.living[last], Present: last == len(s.living)-1,
	}
	h.Path = h.Newest.Path
	return h, true
}

// answer returns the newest state that answers the query and the newest snapshot
// that has it, or the state at At; nil where there is none.
func (s *search) answer(events []event) (*state, Ordinal) {
	if s.q.At != nil {
		if t := at(events, *s.q.At); t != nil && s.fits(t) {
			return t, *s.q.At
		}
		return nil, 0
	}
	for i := len(events) - 1; i >= 0; i-- {
		t := &events[i].state
		if t.kind == gone || !s.fits(t) {
			continue
		}
		if from, to := reach(events, i, s.living); from < to {
			return t, s.living[to-1]
		}
	}
	return nil, 0
}

// fits reports whether a state is what is searched, names aside.
func (s *search) fits(t *state) bool {
	q := &s.q
	switch {
	case q.Type != "" && nodeTypes[t.kind] != q.Type,
		(q.MinSize > 0 || q.MaxSize > 0) && nodeTypes[t.kind] != wire.NodeFile,
		t.size < q.MinSize,
		q.MaxSize > 0 && t.size > q.MaxSize,
		q.ModifiedFrom != 0 && t.mtime < q.ModifiedFrom,
		q.ModifiedTo != 0 && t.mtime >= q.ModifiedTo:
		return false
	}
	return true
}
