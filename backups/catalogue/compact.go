package catalogue

import (
	"context"
	"slices"
)

// Compact rewrites the catalogue without the versions that no living snapshot
// has: names that were deleted everywhere leave it. Where no snapshot is gone
// it changes nothing. It costs about as much as the first Append; see Worth.
// What it returns is to be treated as Append's.
func (c *Catalogue) Compact(ctx context.Context, alive Alive) (Manifest, []string, error) {
	if err := c.check(); err != nil {
		return Manifest{}, nil, err
	}
	living := c.manifest.living(alive)
	m := c.manifest
	if len(living) == m.Snapshots() {
		return m, nil, nil
	}
	m.Merged = nil
	for _, ord := range living {
		if n := len(m.Merged); n > 0 && m.Merged[n-1].Last+1 == ord {
			m.Merged[n-1].Last = ord
		} else {
			m.Merged = append(m.Merged, Range{ord, ord})
		}
	}
	var written int64
	return c.change(ctx, m, func(ctx context.Context, w *Catalogue) ([]Segment, error) {
		return w.rewrite(ctx, living)
	}, &written)
}

func (c *Catalogue) rewrite(ctx context.Context, living []Ordinal) ([]Segment, error) {
	m, err := c.merge(ctx, c.manifest.Segments, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	w := c.newSegment(ctx)
	var kept []event
	for {
		more, err := m.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		events, err := m.events()
		if err != nil {
			return nil, err
		}
		if kept = narrow(kept[:0], events, living); len(kept) == 0 {
			continue
		}
		if err := w.add(m.dir, m.name, kept); err != nil {
			return nil, err
		}
	}
	seg, err := w.close()
	if err != nil || seg.Keys == 0 {
		return nil, err
	}
	return []Segment{seg}, nil
}

// narrow appends the events that living snapshots need, each at the first of
// them that has it.
func narrow(dst, events []event, living []Ordinal) []event {
	before := state{kind: gone}
	for i := range events {
		from, to := reach(events, i, living)
		if from == to || before.equal(&events[i].state) {
			continue
		}
		e := events[i]
		e.ord = living[from]
		dst = append(dst, e)
		before = e.state
	}
	return dst
}

// reach returns which living snapshots have what event i says: from up to to.
func reach(events []event, i int, living []Ordinal) (from, to int) {
	from, _ = slices.BinarySearch(living, events[i].ord)
	to = len(living)
	if i+1 < len(events) {
		to, _ = slices.BinarySearch(living, events[i+1].ord)
	}
	return from, to
}

// Worth reports whether so many snapshots are gone that Compact is worth its
// cost: a quarter of those that are in the catalogue, or 32.
func (c *Catalogue) Worth(alive Alive) bool {
	all := c.manifest.Snapshots()
	dead := all - len(c.manifest.living(alive))
	return dead >= 32 || dead > 0 && 4*dead >= all
}
