package catalogue

import (
	"fmt"
	"slices"
)

// manifestFormat is what Manifest.Format says of what is written here.
const manifestFormat = 1

// Has reports whether a snapshot was merged, and not dropped since.
func (m Manifest) Has(ord Ordinal) bool {
	_, ok := slices.BinarySearchFunc(m.Merged, ord, func(r Range, o Ordinal) int {
		switch {
		case r.Last < o:
			return -1
		case r.First > o:
			return 1
		}
		return 0
	})
	return ok
}

// Newest returns the newest snapshot; false where there is none.
func (m Manifest) Newest() (Ordinal, bool) {
	if len(m.Merged) == 0 {
		return 0, false
	}
	return m.Merged[len(m.Merged)-1].Last, true
}

// Snapshots is how many snapshots are in the catalogue.
func (m Manifest) Snapshots() int {
	n := 0
	for _, r := range m.Merged {
		n += int(r.Last-r.First) + 1
	}
	return n
}

// Names returns the names of the segments. What is stored for the same
// catalogue under other names is of no use once this manifest is stored.
func (m Manifest) Names() []string {
	names := make([]string, len(m.Segments))
	for i := range m.Segments {
		names[i] = m.Segments[i].Name
	}
	return names
}

// Bytes is the size of all segments, unsealed.
func (m Manifest) Bytes() int64 {
	var n int64
	for i := range m.Segments {
		n += m.Segments[i].Bytes
	}
	return n
}

// with returns the ordinals with a further one, which is above them.
func with(merged []Range, ord Ordinal) []Range {
	merged = slices.Clone(merged)
	if n := len(merged); n > 0 && merged[n-1].Last+1 == ord {
		merged[n-1].Last = ord
		return merged
	}
	return append(merged, Range{ord, ord})
}

// living returns the snapshots that are in the catalogue and alive, ascending.
func (m Manifest) living(alive Alive) []Ordinal {
	out := make([]Ordinal, 0, m.Snapshots())
	for _, r := range m.Merged {
		for o := r.First; ; o++ {
			if alive == nil || alive(o) {
				out = append(out, o)
			}
			if o == r.Last {
				break
			}
		}
	}
	return out
}

// check refuses a manifest that this package did not write.
func (c *Catalogue) check() error {
	m := &c.manifest
	if m.Format != manifestFormat && (m.Format != 0 || len(m.Segments)+len(m.Merged) > 0) {
		return fmt.Errorf("%w: manifest of format %d", ErrDamaged, m.Format)
	}
	for i := range m.Segments {
		if s := &m.Segments[i]; s.Blocks < 2 || s.First > s.Last || s.Last >= m.Next || i > 0 && s.First <= m.Segments[i-1].Last {
			return fmt.Errorf("%w: manifest, segment %s", ErrDamaged, s.Name)
		}
	}
	for i, r := range m.Merged {
		if r.First > r.Last || r.Last >= m.Next || i > 0 && r.First <= m.Merged[i-1].Last {
			return fmt.Errorf("%w: manifest, snapshots %d to %d", ErrDamaged, r.First, r.Last)
		}
	}
	return nil
}

// checkSnapshot is check, and that a snapshot is there.
func (c *Catalogue) checkSnapshot(ord Ordinal) error {
	if err := c.check(); err != nil {
		return err
	}
	if !c.manifest.Has(ord) {
		return fmt.Errorf("%w: %d", ErrUnknown, ord)
	}
	return nil
}
