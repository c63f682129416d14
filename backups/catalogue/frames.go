package catalogue

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// What a reader of a listing takes: it comes from a host, and few bytes can
// stand for many names.
const (
	maxFrame   = 4 << 20 // bytes of a block
	maxEntries = 1 << 28
	maxPaths   = 64 << 30 // bytes of all paths
)

// frameWriter writes a listing whose entries come sorted.
type frameWriter struct {
	out   io.Writer
	sum   hash.Hash
	block *blockWriter
	begun bool
}

func newFrameWriter(w io.Writer, limit int) *frameWriter {
	return &frameWriter{out: w, sum: sha256.New(), block: newBlockWriter(limit)}
}

func (w *frameWriter) write(p []byte) error {
	if !w.begun {
		w.begun = true
		if err := w.write([]byte(listingHead)); err != nil {
			return err
		}
	}
	w.sum.Write(p)
	_, err := w.out.Write(p)
	return err
}

func (w *frameWriter) add(dir, name []byte, events []event) error {
	w.block.add(dir, name, events)
	if !w.block.full() {
		return nil
	}
	return w.frame()
}

func (w *frameWriter) frame() error {
	b := w.block.finish()
	if err := w.write(binary.LittleEndian.AppendUint32(nil, uint32(len(b)))); err != nil {
		return err
	}
	return w.write(b)
}

func (w *frameWriter) close(entries int64) error {
	if w.block.keys > 0 {
		if err := w.frame(); err != nil {
			return err
		}
	}
	end := binary.LittleEndian.AppendUint64(make([]byte, 4), uint64(entries))
	if err := w.write(end); err != nil {
		return err
	}
	_, err := w.out.Write(w.sum.Sum(nil))
	return err
}

// ListingReader reads a listing, one block in memory. It is not for concurrent use.
type ListingReader struct {
	in    io.Reader
	sum   hash.Hash
	dec   *zstd.Decoder
	begun bool
	err   error
	n     int64
	paths int64 // bytes of all paths
	buf   []byte

	block     *names
	col       columnReader
	key, run  int
	dir, name []byte // of the entry, and of the one before when a block begins
	event     []event
	path      []byte
	entry     Entry
}

// ReadListing returns a reader of a listing. It trusts nothing in it.
func ReadListing(r io.Reader) *ListingReader {
	return &ListingReader{in: r, sum: sha256.New(), dec: newDecoder()}
}

// Next returns the next entry, sorted by folder and name; it is valid until the
// next call. io.EOF means that the listing was whole. Anything wrong with the
// listing is ErrListing; an error of the reader beneath comes wrapped.
func (r *ListingReader) Next() (*Entry, error) {
	s, err := r.next()
	if err != nil {
		return nil, err
	}
	r.path = join(r.path[:0], r.dir, r.name)
	r.entry.Path = r.path
	s.fill(&r.entry)
	return &r.entry, nil
}

// Entries is how many were read.
func (r *ListingReader) Entries() int64 { return r.n }

// next goes to the next entry: dir, name and what it returns are valid until
// the next call.
func (r *ListingReader) next() (*state, error) {
	if r.err != nil {
		return nil, r.err
	}
	s, err := r.step()
	if err != nil {
		if errors.Is(err, errBlock) || errors.Is(err, errOrder) || errors.Is(err, errName) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: %w", ErrListing, err)
		}
		r.err = err
		return nil, err
	}
	r.n++
	return s, nil
}

func (r *ListingReader) step() (*state, error) {
	for r.block == nil || r.key == r.block.keys {
		if r.block != nil && !r.col.end() {
			return nil, errBlock
		}
		if err := r.load(); err != nil {
			return nil, err
		}
	}
	run := r.block.runOf(r.key, r.run)
	name := r.block.name(r.key)
	dir := r.block.runs[run].dir
	if !validName(name) || (run != r.run || r.key == 0) && !validDir(dir) {
		return nil, errName
	}
	if r.n > 0 && compareKeys(r.dir, r.name, dir, name) >= 0 {
		return nil, errOrder
	}
	if r.paths += int64(len(dir) + 1 + len(name)); r.paths > maxPaths || r.n >= maxEntries {
		return nil, errBlock
	}
	var err error
	if r.event, err = r.col.read(r.key, r.event[:0]); err != nil {
		return nil, err
	}
	if e := &r.event[0]; len(r.event) != 1 || e.kind == gone || e.ord != 0 || e.size < 0 || len(e.link) > maxLink {
		return nil, errBlock
	}
	r.dir, r.name, r.run = dir, name, run
	r.key++
	return &r.event[0].state, nil
}

// load reads the next block; io.EOF at a whole end.
func (r *ListingReader) load() error {
	if !r.begun {
		head, err := r.read(len(listingHead))
		if err != nil {
			return err
		}
		if !bytes.Equal(head, []byte(listingHead)) {
			return errBlock
		}
		r.begun = true
	}
	size, err := r.read(4)
	if err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(size)
	if n == 0 {
		return r.trailer()
	}
	if n > maxFrame {
		return errBlock
	}
	frame, err := r.read(int(n))
	if err != nil {
		return err
	}
	if r.block, err = openBlock(bytes.Clone(frame), r.dec); err != nil {
		return err
	}
	cols, err := r.block.columns(r.dec)
	if err != nil {
		return err
	}
	r.col.open(cols)
	r.key, r.run = 0, 0
	return nil
}

// trailer checks the end of the listing.
func (r *ListingReader) trailer() error {
	count, err := r.read(8)
	if err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(count)
	want := r.sum.Sum(nil)
	sum, err := r.read(len(want))
	if err != nil {
		return err
	}
	if n != uint64(r.n) || !bytes.Equal(sum, want) {
		return errBlock
	}
	switch _, err := r.read(1); {
	case err == nil:
		return errBlock // more than a listing
	case !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return io.EOF
}

// read returns the next n bytes, valid until the next call. An end is
// io.ErrUnexpectedEOF here; any other error is the reader's own.
func (r *ListingReader) read(n int) ([]byte, error) {
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("catalogue: read listing: %w", err)
	}
	r.sum.Write(r.buf)
	return r.buf, nil
}
