package backups

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"ostler/backups/catalogue"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

// A segment is one blob: its blocks one after another, each sealed for its
// place, and a table of their sizes at the end. The table is in clear and
// trusted with nothing: a block that stands elsewhere does not open.

// segmentMagic ends a segment's blob.
const segmentMagic = "OSG1"

// segmentBlocks keeps the blocks of one plan's catalogue (catalogue.Blocks).
// What it has put stands in the database first, to be deleted unless a manifest
// names it.
type segmentBlocks struct {
	s                      *Service
	customer, server, plan string

	mu   sync.Mutex
	open map[string]*segmentWriter
	put  []string // every segment it has begun
}

// segmentWriter is a segment on its way into the bucket.
type segmentWriter struct {
	w      *blob.Writer
	cancel context.CancelFunc // before Close: nothing is stored
	sizes  []uint32
}

func (s *Service) blocksOf(customer, server, plan string) *segmentBlocks {
	return &segmentBlocks{s: s, customer: customer, server: server, plan: plan, open: map[string]*segmentWriter{}}
}

func (b *segmentBlocks) key(segment string) string { return segmentKey(b.plan, segment) }

func segmentKey(plan, segment string) string { return "catalogues/" + plan + "/" + segment }

// ad is what a block is sealed for.
func (b *segmentBlocks) ad(segment string, block int) secrets.AD {
	return ad("catalogue", b.server+"|"+segment, strconv.Itoa(block))
}

// Put is catalogue.Blocks'. The blocks of a segment come in their order.
func (b *segmentBlocks) Put(ctx context.Context, segment string, block int, plain []byte) error {
	sealed, err := b.s.keeper.Seal(b.customer, b.ad(segment, block), plain)
	if err != nil {
		return fmt.Errorf("backups: catalogue block: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.open[segment]
	if w == nil {
		if w, err = b.begin(ctx, segment); err != nil {
			return err
		}
		b.open[segment] = w
	}
	if block != len(w.sizes) {
		return fmt.Errorf("backups: catalogue block %d of %s comes out of order", block, segment)
	}
	if _, err := w.w.Write(sealed); err != nil {
		return fmt.Errorf("backups: catalogue block: %w", err)
	}
	w.sizes = append(w.sizes, uint32(len(sealed)))
	return nil
}

func (b *segmentBlocks) begin(ctx context.Context, segment string) (*segmentWriter, error) {
	err := b.s.db.Write(ctx, func(tx *db.Tx) error {
		return db.Insert(tx, &segmentRow{Name: segment, CustomerID: b.customer, PlanID: b.plan, DeleteAt: tx.Now.Add(keepUnnamed).UnixMilli()})
	})
	if err != nil {
		return nil, err
	}
	b.put = append(b.put, segment)
	ctx, cancel := context.WithCancel(ctx)
	w, err := b.s.blobs.NewWriter(ctx, b.key(segment), nil)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("backups: catalogue segment: %w", err)
	}
	return &segmentWriter{w: w, cancel: cancel}, nil
}

// finish stores what was put.
func (b *segmentBlocks) finish() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for segment := range b.open {
		errs = append(errs, b.end(segment))
	}
	return errors.Join(errs...)
}

// end stores one segment: its table, then all of it becomes visible at once.
func (b *segmentBlocks) end(segment string) error {
	w := b.open[segment]
	delete(b.open, segment)
	defer w.cancel()
	_, err := w.w.Write(segmentFooter(w.sizes))
	if err != nil {
		w.cancel()
	}
	if err = errors.Join(err, w.w.Close()); err != nil {
		return fmt.Errorf("backups: catalogue segment: %w", err)
	}
	return nil
}

// discard lets go of what was not stored yet.
func (b *segmentBlocks) discard() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.open {
		w.cancel()
		_ = w.w.Close() // cancelled: there is nothing to store
	}
	clear(b.open)
}

// Get is catalogue.Blocks'.
func (b *segmentBlocks) Get(ctx context.Context, segment string, block int) ([]byte, error) {
	if err := b.endIfOpen(segment); err != nil {
		return nil, err
	}
	t, err := b.table(ctx, segment)
	if err != nil {
		return nil, err
	}
	if block < 0 || block+1 >= len(t) {
		return nil, fmt.Errorf("backups: catalogue segment has no block %d: %w", block, catalogue.ErrDamaged)
	}
	sealed, err := b.read(ctx, segment, t[block], t[block+1]-t[block])
	if err != nil {
		return nil, err
	}
	plain, err := b.s.keeper.Open(b.customer, b.ad(segment, block), sealed)
	if errors.Is(err, secrets.ErrOpen) {
		return nil, fmt.Errorf("backups: catalogue block does not open: %w", catalogue.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("backups: catalogue block: %w", err)
	}
	return plain, nil
}

// endIfOpen stores a segment that is read while it is still open.
func (b *segmentBlocks) endIfOpen(segment string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[segment] == nil {
		return nil
	}
	return b.end(segment)
}

// read returns n bytes of a segment's blob; what is not there is damage.
func (b *segmentBlocks) read(ctx context.Context, segment string, offset, n int64) ([]byte, error) {
	r, err := b.s.blobs.NewRangeReader(ctx, b.key(segment), offset, n, nil)
	if err != nil {
		return nil, blobError(err)
	}
	buf := make([]byte, n)
	_, err = io.ReadFull(r, buf)
	err = errors.Join(err, r.Close())
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("backups: catalogue segment is too short: %w", catalogue.ErrDamaged)
	}
	if err != nil {
		return nil, blobError(err)
	}
	return buf, nil
}

func blobError(err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("backups: catalogue segment is missing: %w", catalogue.ErrDamaged)
	}
	return fmt.Errorf("backups: catalogue segment: %w", err)
}

// Delete is catalogue.Blocks'.
func (b *segmentBlocks) Delete(ctx context.Context, segment string) error {
	b.s.tables.forget(segment)
	if err := b.s.blobs.Delete(ctx, b.key(segment)); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("backups: catalogue segment: %w", err)
	}
	return nil
}

// segmentFooter is the table of a segment: the size of each block, their
// number, and the magic.
func segmentFooter(sizes []uint32) []byte {
	out := make([]byte, 0, 4*len(sizes)+8)
	for _, n := range sizes {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(sizes)))
	return append(out, segmentMagic...)
}

// table returns the offsets of a segment's blocks, and their end.
func (b *segmentBlocks) table(ctx context.Context, segment string) ([]int64, error) {
	if t := b.s.tables.get(segment); t != nil {
		return t, nil
	}
	attrs, err := b.s.blobs.Attributes(ctx, b.key(segment))
	if err != nil {
		return nil, blobError(err)
	}
	bad := fmt.Errorf("backups: catalogue segment has no table: %w", catalogue.ErrDamaged)
	if attrs.Size < 8 {
		return nil, bad
	}
	tail, err := b.read(ctx, segment, attrs.Size-8, 8)
	if err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(tail))
	start := attrs.Size - 8 - 4*n
	if !bytes.Equal(tail[4:], []byte(segmentMagic)) || start < 0 {
		return nil, bad
	}
	raw, err := b.read(ctx, segment, start, 4*n)
	if err != nil {
		return nil, err
	}
	t := make([]int64, 1, n+1)
	for ; len(raw) > 0; raw = raw[4:] {
		t = append(t, t[len(t)-1]+int64(binary.BigEndian.Uint32(raw)))
	}
	if t[n] != start {
		return nil, bad
	}
	b.s.tables.put(segment, t)
	return t, nil
}

// maxTables bounds the tables that are remembered.
const maxTables = 2000

// segmentTables remembers where the blocks of segments are. Segments never
// change and their names are never used again.
type segmentTables struct {
	mu  sync.Mutex
	all map[string][]int64
}

func newSegmentTables() *segmentTables { return &segmentTables{all: map[string][]int64{}} }

func (t *segmentTables) get(segment string) []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[segment]
}

func (t *segmentTables) put(segment string, offsets []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) >= maxTables {
		clear(t.all)
	}
	t.all[segment] = slices.Clip(offsets)
}

func (t *segmentTables) forget(segment string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, segment)
}
