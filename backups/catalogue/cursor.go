package catalogue

import (
	"context"
)

// picker says which keys of a block are wanted: their numbers, ascending, or
// all of them.
type picker func(seg *Segment, block int, n *names) (keys []int, all bool, err error)

// cursor goes through the keys of one segment, in order, from a key on.
type cursor struct {
	c    *Catalogue
	ctx  context.Context
	seg  *Segment
	pick picker // nil: all
	idx  *index

	block  int // the one that is open; the next one is block + 1
	n      *names
	cols   *columns // read once one of its keys is wanted
	col    columnReader
	all    bool
	picked []int // what is left of it
	key    int   // the one it stands at
	run    int

	dir, name []byte // of the key; nil dir and name at the end
	done      bool
}

// cursor returns a cursor at the first wanted key that is not before (dir, name).
func (c *Catalogue) cursor(ctx context.Context, seg *Segment, dir, name []byte, pick picker) (*cursor, error) {
	x, err := c.index(ctx, seg)
	if err != nil {
		return nil, err
	}
	k := &cursor{c: c, ctx: ctx, seg: seg, pick: pick, idx: x, block: x.seek(dir, name) - 1}
	if err := k.open(); err != nil || k.done {
		return k, err
	}
	from := k.n.find(dir, name)
	if k.all {
		k.key = from
	} else {
		for len(k.picked) > 0 && k.picked[0] < from {
			k.picked = k.picked[1:]
		}
	}
	return k, k.settle()
}

// find returns the first key of a block that is not before (dir, name).
func (n *names) find(dir, name []byte) int {
	lo, hi := 0, len(n.runs)
	for lo < hi {
		mid := (lo + hi) / 2
		if compareDirs(n.runs[mid].dir, dir) >= 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == len(n.runs) {
		return n.keys
	}
	r := &n.runs[lo]
	if string(r.dir) != string(dir) {
		return r.first
	}
	a, b := r.first, r.end
	for a < b {
		mid := (a + b) / 2
		if string(n.name(mid)) >= string(name) {
			b = mid
		} else {
			a = mid + 1
		}
	}
	return a
}

// open goes to the next block that has keys that are wanted.
func (k *cursor) open() error {
	k.n, k.cols = nil, nil
	for {
		k.block++
		if k.block >= len(k.idx.refs) {
			k.done, k.dir, k.name = true, nil, nil
			return nil
		}
		if err := k.ctx.Err(); err != nil {
			return err
		}
		n, err := k.c.names(k.ctx, k.seg, k.idx, k.block)
		if err != nil {
			return err
		}
		k.all, k.picked, k.key, k.run = true, nil, 0, 0
		if k.pick != nil {
			if k.picked, k.all, err = k.pick(k.seg, k.block, n); err != nil {
				return err
			}
		}
		if k.all || len(k.picked) > 0 {
			k.n = n
			return nil
		}
	}
}

// settle makes dir and name those of the key it stands at, in the next block
// where this one is over.
func (k *cursor) settle() error {
	for !k.done {
		switch {
		case k.all && k.key < k.n.keys:
		case !k.all && len(k.picked) > 0:
			k.key = k.picked[0]
		default:
			if err := k.open(); err != nil {
				return err
			}
			continue
		}
		k.run = k.n.runOf(k.key, k.run)
		k.dir, k.name = k.n.runs[k.run].dir, k.n.name(k.key)
		return nil
	}
	return nil
}

// next goes to the next key.
func (k *cursor) next() error {
	if k.all {
		k.key++
	} else {
		k.picked = k.picked[1:]
	}
	return k.settle()
}

// events appends the events of the key it stands at. They are to be asked for
// once at most; their links stay valid.
func (k *cursor) events(dst []event) ([]event, error) {
	if k.cols == nil {
		cols, err := k.c.columns(k.seg, k.n, k.block)
		if err != nil {
			return dst, err
		}
		k.cols = cols
		k.col.open(cols)
	}
	dst, err := k.col.read(k.key, dst)
	if err != nil {
		return dst, damaged(k.seg, k.block, err)
	}
	return dst, nil
}

// merged goes through the keys of several segments at once: one key of all of
// them is one key, with the events of all.
type merged struct {
	cursors   []*cursor // oldest segment first
	at        []*cursor // those that stand at the key
	dir, name []byte    // of the key, valid until next
	buf       []event
}

// merge returns a merged over segments, before its first key.
func (c *Catalogue) merge(ctx context.Context, segs []Segment, dir, name []byte, pick picker) (*merged, error) {
	m := &merged{}
	for i := range segs {
		k, err := c.cursor(ctx, &segs[i], dir, name, pick)
		if err != nil {
			return nil, err
		}
		if !k.done {
			m.cursors = append(m.cursors, k)
		}
	}
	return m, nil
}

// next goes to the next key; false at the end.
func (m *merged) next() (bool, error) {
	for _, k := range m.at {
		if err := k.next(); err != nil {
			return false, err
		}
	}
	m.at = m.at[:0]
	for _, k := range m.cursors {
		if k.done {
			continue
		}
		d := -1
		if len(m.at) > 0 {
			d = compareKeys(k.dir, k.name, m.dir, m.name)
		}
		if d < 0 {
			m.at = m.at[:0]
			m.dir, m.name = k.dir, k.name
		}
		if d <= 0 {
			m.at = append(m.at, k)
		}
	}
	return len(m.at) > 0, nil
}

// events returns what became of the key, sorted by ordinal, valid until next.
// It is to be called once at most for each key.
func (m *merged) events() ([]event, error) {
	m.buf = m.buf[:0]
	for _, k := range m.at {
		from := len(m.buf)
		var err error
		if m.buf, err = k.events(m.buf); err != nil {
			return nil, err
		}
		if from > 0 && m.buf[from-1].ord >= m.buf[from].ord {
			return nil, damaged(k.seg, k.block, errOrder)
		}
	}
	return m.buf, nil
}
