package sessions

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sort"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"ostler/controlplane/secrets"
)

// A recording's blob is its blocks one after another, each packed and sealed for
// its place. Where they begin stands in the database, in clear and trusted with
// nothing: a block that stands elsewhere does not open, and the whole has a
// SHA-256 in the ledger.

// blobKind is what a blob of a recording has.
type blobKind string

// The kinds of blob.
const (
	blobRaw  blobKind = "raw"  // the events as the cluster gave them
	blobCast blobKind = "cast" // the asciicast
	blobText blobKind = "text" // the transcript
)

// Sizes of blocks, in bytes of what is in them.
const (
	blockSize = 128 << 10 // a block ends with the first line's end behind this
	maxBlock  = 256 << 10
)

// errDamaged says that a recording's bytes are not what was stored.
var errDamaged = errors.New("sessions: the recording is damaged")

// errGone says that the store does not have them.
var errGone = errors.New("sessions: the recording is not in the store")

// block is where a block begins: in what is in the blob, in the blob itself, in
// time, and in lines.
type block struct {
	plain, stored, line int64
	at                  time.Duration
}

// packer packs and unpacks blocks.
type packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newPacker() *packer {
	// Both fail for options that do not go together only: these do.
	enc, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	dec, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(64<<20))
	return &packer{enc: enc, dec: dec}
}

func (p *packer) pack(plain []byte) []byte { return p.enc.EncodeAll(plain, nil) }

func (p *packer) unpack(packed []byte) ([]byte, error) { return p.dec.DecodeAll(packed, nil) }

// blobKey is where a blob is in the bucket.
func blobKey(session, name string) string { return "recordings/" + session + "/" + name }

// blockAD is what a block is sealed for.
func blockAD(kind blobKind, session, name string, n int) secrets.AD {
	return secrets.AD{Table: "session_blobs", Column: string(kind), Row: session + "|" + name + "|" + strconv.Itoa(n)}
}

// blobWriter writes one blob of a recording.
type blobWriter struct {
	s      *Service
	row    blobRow
	w      *blob.Writer
	cancel context.CancelFunc // before Close: nothing is stored
	buf    []byte
	lines  bool // blocks end with a line's end, and lines begin with their second
	hash   hash.Hash
	next   block
	blocks []block
	err    error
}

func (s *Service) newBlob(ctx context.Context, row blobRow) (*blobWriter, error) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := s.blobs.NewWriter(ctx, blobKey(row.SessionID, row.Name), nil)
	if err != nil {
		cancel()
		return nil, &storeError{err}
	}
	return &blobWriter{s: s, row: row, w: w, cancel: cancel, lines: blobKind(row.Kind) != blobRaw, hash: sha256.New()}, nil
}

// storeError is an error of the place where recordings are kept.
type storeError struct{ err error }

func (e *storeError) Error() string { return "sessions: store recording: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// Write implements io.Writer.
func (w *blobWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	_, _ = w.hash.Write(p) // a hash never fails
	w.buf = append(w.buf, p...)
	for len(w.buf) >= blockSize {
		n := min(len(w.buf), maxBlock)
		if w.lines {
			if n = bytes.LastIndexByte(w.buf[:n], '\n') + 1; n == 0 {
				break // goes on until its end comes
			}
		}
		if w.err = w.block(n); w.err != nil {
			return 0, w.err
		}
	}
	return len(p), nil
}

// block writes the first n bytes of what waits.
func (w *blobWriter) block(n int) error {
	plain := w.buf[:n]
	b := w.next
	if w.lines {
		b.at = max(b.at, lineTime(plain))
	}
	sealed, err := w.s.keeper.Seal(w.row.SealOwner, blockAD(blobKind(w.row.Kind), w.row.SessionID, w.row.Name, len(w.blocks)), w.s.sight.packer.pack(plain))
	if err != nil {
		return fmt.Errorf("sessions: seal recording: %w", err)
	}
	if _, err := w.w.Write(sealed); err != nil {
		return &storeError{err}
	}
	w.blocks = append(w.blocks, b)
	w.next = block{plain: b.plain + int64(n), stored: b.stored + int64(len(sealed)), line: b.line + int64(bytes.Count(plain, []byte{'\n'})), at: b.at}
	w.buf = append(w.buf[:0], w.buf[n:]...)
	return nil
}

// lineTime is when the first line of a block is, "[12.345,": nothing for a header.
func lineTime(plain []byte) time.Duration {
	if len(plain) == 0 || plain[0] != '[' {
		return 0
	}
	number, _, _ := bytes.Cut(plain[1:min(len(plain), 32)], []byte{','})
	seconds, err := strconv.ParseFloat(string(number), 64)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds*1000+0.5) * time.Millisecond
}

// close stores the blob: all of it becomes visible at once.
func (w *blobWriter) close() error {
	defer w.cancel()
	for len(w.buf) > 0 && w.err == nil {
		w.err = w.block(min(len(w.buf), maxBlock))
	}
	if w.err != nil {
		w.cancel()
		_ = w.w.Close() // cancelled: there is nothing to store
		return w.err
	}
	if err := w.w.Close(); err != nil {
		return &storeError{err}
	}
	return nil
}

// discard stores nothing.
func (w *blobWriter) discard() {
	w.cancel()
	_ = w.w.Close() // cancelled: there is nothing to store
}

func (w *blobWriter) sum() string { return hex.EncodeToString(w.hash.Sum(nil)) }

// table is where the blocks begin, and the end, as the database keeps it.
func (w *blobWriter) table() []byte {
	out := binary.AppendUvarint(nil, uint64(len(w.blocks)))
	var last block
	for _, b := range append(w.blocks, w.next) {
		for _, n := range [...]int64{b.plain - last.plain, b.stored - last.stored, b.line - last.line, int64((b.at - last.at) / time.Millisecond)} {
			out = binary.AppendUvarint(out, uint64(max(n, 0)))
		}
		last = b
	}
	return out
}

// parseTable reads a table; its last entry is the end.
func parseTable(raw []byte) ([]block, error) {
	next := func() int64 {
		n, size := binary.Uvarint(raw)
		if size <= 0 || n > 1<<50 {
			raw = nil
			return -1
		}
		raw = raw[size:]
		return int64(n)
	}
	count := next()
	if count < 0 || count > int64(len(raw)) {
		return nil, errDamaged
	}
	out := make([]block, 0, count+1)
	var b block
	for range count + 1 {
		plain, stored, line, ms := next(), next(), next(), next()
		if min(plain, stored, line, ms) < 0 || max(plain, stored) > 4*maxBlock {
			return nil, errDamaged
		}
		b = block{plain: b.plain + plain, stored: b.stored + stored, line: b.line + line, at: b.at + time.Duration(ms)*time.Millisecond}
		out = append(out, b)
	}
	if out[0].plain != 0 || out[0].stored != 0 {
		return nil, errDamaged
	}
	return out, nil
}

// blobReader reads a blob from any place. It implements io.ReadSeekCloser.
type blobReader struct {
	ctx     context.Context // of whoever opened it: their right ends with it
	s       *Service
	row     blobRow
	blocks  []block
	allowed func() error // asked before every read and seek; nil is always
	pos     int64
	loaded  int // the block in buf, -1 for none
	buf     []byte
}

func (s *Service) openBlob(ctx context.Context, row blobRow, allowed func() error) (*blobReader, error) {
	blocks, err := parseTable(row.Blocks)
	if err != nil {
		return nil, err
	}
	return &blobReader{ctx: ctx, s: s, row: row, blocks: blocks, allowed: allowed, loaded: -1}, nil
}

func (r *blobReader) size() int64 { return r.blocks[len(r.blocks)-1].plain }

// Read implements io.Reader.
func (r *blobReader) Read(p []byte) (int, error) {
	if r.allowed != nil {
		if err := r.allowed(); err != nil {
			return 0, err
		}
	}
	if r.pos >= r.size() {
		return 0, io.EOF
	}
	n := sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].plain > r.pos }) - 1
	if err := r.load(n); err != nil {
		return 0, err
	}
	copied := copy(p, r.buf[r.pos-r.blocks[n].plain:])
	r.pos += int64(copied)
	return copied, nil
}

// Seek implements io.Seeker.
func (r *blobReader) Seek(offset int64, whence int) (int64, error) {
	if r.allowed != nil {
		if err := r.allowed(); err != nil {
			return 0, err
		}
	}
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.size()
	}
	if offset < 0 {
		return 0, errors.New("sessions: seek: before the beginning")
	}
	r.pos = offset
	return offset, nil
}

// Close implements io.Closer.
func (r *blobReader) Close() error {
	r.blocks, r.buf, r.loaded = []block{{}}, nil, -1
	return nil
}

// line returns where the block begins that has a line.
func (r *blobReader) line(n int64) block {
	i := sort.Search(len(r.blocks)-1, func(i int) bool { return r.blocks[i].line > n })
	return r.blocks[max(i-1, 0)]
}

// load brings a block.
func (r *blobReader) load(n int) error {
	if n == r.loaded {
		return nil
	}
	from, to := r.blocks[n], r.blocks[n+1]
	in, err := r.s.blobs.NewRangeReader(r.ctx, blobKey(r.row.SessionID, r.row.Name), from.stored, to.stored-from.stored, nil)
	if err != nil {
		return readError(err)
	}
	sealed := make([]byte, to.stored-from.stored)
	_, err = io.ReadFull(in, sealed)
	err = errors.Join(err, in.Close())
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return errDamaged
	case err != nil:
		return readError(err)
	}
	packed, err := r.s.keeper.Open(r.row.SealOwner, blockAD(blobKind(r.row.Kind), r.row.SessionID, r.row.Name, n), sealed)
	if errors.Is(err, secrets.ErrOpen) {
		return errDamaged
	}
	if err != nil {
		return fmt.Errorf("sessions: read recording: %w", err)
	}
	plain, err := r.s.sight.packer.unpack(packed)
	if err != nil || int64(len(plain)) != to.plain-from.plain {
		return errDamaged
	}
	r.buf, r.loaded = plain, n
	return nil
}

func readError(err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return errGone
	case gcerrors.InvalidArgument: // it ends before
		return errDamaged
	}
	return fmt.Errorf("sessions: read recording: %w", err)
}

// hold loads the block that begins at an offset.
func (r *blobReader) hold(offset int64) error {
	if r.allowed != nil {
		if err := r.allowed(); err != nil {
			return err
		}
	}
	return r.load(sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].plain > offset }) - 1)
}
