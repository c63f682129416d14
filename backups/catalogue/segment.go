package catalogue

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
)

// An index is a head, the number of data blocks, for each what ref has, packed,
// and a checksum. It is the last block of its segment; the manifest has its sum.
const indexHead = "OI\x01"

// maxIndex bounds an index, unpacked: some 200,000 blocks, 2,000 million paths.
const maxIndex = maxBlockRaw

// maxRefs bounds the first keys of an index, each with its whole path.
const maxRefs = 128 << 20

var (
	errHistory = errors.New("one path has more history than a block holds: compact first")
	errIndex   = errors.New("catalogue: the index of a segment is too large")
)

// ref is what an index says about a block.
type ref struct {
	dir, name []byte // of its first key
	keys      int
	sum       uint32 // the checksum at its end
}

// segmentWriter writes one segment. Keys come sorted.
type segmentWriter struct {
	ctx   context.Context
	to    Blocks
	seg   Segment
	block *blockWriter
	refs  []ref
	held  int    // bytes of refs' keys
	dir   []byte // of the last key
	name  []byte
}

func (c *Catalogue) newSegment(ctx context.Context) *segmentWriter {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return &segmentWriter{ctx: ctx, to: c.blocks, block: newBlockWriter(c.bounds.block),
		seg: Segment{Name: hex.EncodeToString(id[:]), First: math.MaxUint32}}
}

// add takes the next key with its events, at least one.
func (w *segmentWriter) add(dir, name []byte, events []event) error {
	if w.seg.Keys > 0 && compareKeys(w.dir, w.name, dir, name) >= 0 {
		return fmt.Errorf("%w: %w", ErrDamaged, errOrder)
	}
	w.dir, w.name = append(w.dir[:0], dir...), append(w.name[:0], name...)
	if w.block.keys == 0 {
		if w.held += len(dir) + len(name); w.held > maxRefs {
			return errIndex
		}
		both := append(append(make([]byte, 0, len(dir)+len(name)), dir...), name...)
		w.refs = append(w.refs, ref{dir: both[:len(dir):len(dir)], name: both[len(dir):]})
	}
	w.block.add(dir, name, events)
	w.seg.Keys++
	w.seg.Events += int64(len(events))
	w.seg.First = min(w.seg.First, events[0].ord)
	w.seg.Last = max(w.seg.Last, events[len(events)-1].ord)
	if !w.block.full() {
		return nil
	}
	return w.flush()
}

func (w *segmentWriter) flush() error {
	if w.block.raw() > maxBlockRaw {
		return fmt.Errorf("catalogue: %w", errHistory)
	}
	r := &w.refs[len(w.refs)-1]
	r.keys = w.block.keys
	b := w.block.finish()
	r.sum = blockSum(b)
	return w.put(b)
}

func (w *segmentWriter) put(b []byte) error {
	if err := w.to.Put(w.ctx, w.seg.Name, w.seg.Blocks, b); err != nil {
		return fmt.Errorf("catalogue: put block: %w", err)
	}
	w.seg.Blocks++
	w.seg.Bytes += int64(len(b))
	return nil
}

// close ends the segment; one without keys is none.
func (w *segmentWriter) close() (Segment, error) {
	if w.seg.Keys == 0 {
		return Segment{}, nil
	}
	if w.block.keys > 0 {
		if err := w.flush(); err != nil {
			return Segment{}, err
		}
	}
	raw := binary.AppendUvarint(nil, uint64(len(w.refs)))
	var before []byte
	for _, r := range w.refs {
		shared := commonPrefix(before, r.dir)
		for _, v := range [...]uint64{uint64(shared), uint64(len(r.dir) - shared), uint64(len(r.name)), uint64(r.keys), uint64(r.sum)} {
			raw = binary.AppendUvarint(raw, v)
		}
		raw = append(append(raw, r.dir[shared:]...), r.name...)
		before = r.dir
	}
	if len(raw) > maxIndex {
		return Segment{}, errIndex
	}
	out := binary.AppendUvarint([]byte(indexHead), uint64(len(raw)))
	out = w.block.enc.EncodeAll(raw, out)
	sum := sha256.Sum256(out)
	w.seg.Sum = hex.EncodeToString(sum[:])
	return w.seg, w.put(out)
}

// index is a segment's index, shared and never written to.
type index struct{ refs []ref }

// seek returns the block that a key would be in.
func (x *index) seek(dir, name []byte) int {
	lo, hi := 0, len(x.refs) // the first block whose first key is after the key
	for lo < hi {
		mid := (lo + hi) / 2
		if compareKeys(x.refs[mid].dir, x.refs[mid].name, dir, name) > 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return max(lo-1, 0)
}

// index reads the index of a segment.
func (c *Catalogue) index(ctx context.Context, seg *Segment) (*index, error) {
	return fetch(c.cache, cacheKey{seg.Name, seg.Blocks - 1, partIndex}, func() (*index, int64, error) {
		b, err := c.get(ctx, seg, seg.Blocks-1)
		if err != nil {
			return nil, 0, err
		}
		sum := sha256.Sum256(b)
		if hex.EncodeToString(sum[:]) != seg.Sum {
			return nil, 0, damaged(seg, seg.Blocks-1, errBlock)
		}
		x, size, ok := c.readIndex(seg, b)
		if !ok {
			return nil, 0, damaged(seg, seg.Blocks-1, errBlock)
		}
		return x, size, nil
	})
}

func (c *Catalogue) readIndex(seg *Segment, b []byte) (*index, int64, bool) {
	if len(b) < len(indexHead) || string(b[:len(indexHead)]) != indexHead {
		return nil, 0, false
	}
	r := byteReader{b: b[len(indexHead):]}
	p := packed{raw: r.count(), zstd: true}
	p.data = r.b
	raw, err := p.unpack(c.cache.dec)
	if err != nil || r.bad {
		return nil, 0, false
	}
	r = byteReader{b: raw}
	n := r.count()
	if n != seg.Blocks-1 || n > len(raw) {
		return nil, 0, false
	}
	x := &index{refs: make([]ref, n)}
	size := int64(len(raw))
	var dir []byte
	for i := range x.refs {
		shared, rest, name := r.count(), r.count(), r.count()
		x.refs[i].keys = r.count()
		x.refs[i].sum = uint32(r.uvarint())
		if r.bad || shared > len(dir) {
			return nil, 0, false
		}
		if size += int64(shared + rest); size > 3*maxRefs {
			return nil, 0, false
		}
		dir = append(dir[:shared:shared], r.take(rest)...)
		x.refs[i].dir, x.refs[i].name = dir, r.take(name)
		size += 64
	}
	return x, size, !r.bad && len(r.b) == 0
}

// get reads one block as it was put.
func (c *Catalogue) get(ctx context.Context, seg *Segment, block int) ([]byte, error) {
	b, err := c.blocks.Get(ctx, seg.Name, block)
	if err != nil {
		return nil, fmt.Errorf("catalogue: get block: %w", err)
	}
	return b, nil
}

func damaged(seg *Segment, block int, err error) error {
	return fmt.Errorf("%w: segment %s, block %d: %w", ErrDamaged, seg.Name, block, err)
}

// names reads a block's names.
func (c *Catalogue) names(ctx context.Context, seg *Segment, x *index, block int) (*names, error) {
	return fetch(c.cache, cacheKey{seg.Name, block, partNames}, func() (*names, int64, error) {
		b, err := c.get(ctx, seg, block)
		if err != nil {
			return nil, 0, err
		}
		n, err := openBlock(b, c.cache.dec)
		if err != nil {
			return nil, 0, damaged(seg, block, err)
		}
		if r := &x.refs[block]; n.keys != r.keys || blockSum(b) != r.sum {
			return nil, 0, damaged(seg, block, errBlock)
		}
		return n, n.size(), nil
	})
}

// columns reads the rest of a block.
func (c *Catalogue) columns(seg *Segment, n *names, block int) (*columns, error) {
	return fetch(c.cache, cacheKey{seg.Name, block, partColumns}, func() (*columns, int64, error) {
		cols, err := n.columns(c.cache.dec)
		if err != nil {
			return nil, 0, damaged(seg, block, err)
		}
		return cols, cols.size(), nil
	})
}
