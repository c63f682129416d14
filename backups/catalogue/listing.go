package catalogue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A listing is a head, blocks with one event for each key at ordinal 0, each
// after its length in four bytes, a length of zero, the number of entries in
// eight, and the SHA-256 of all before. Numbers are little endian.
const listingHead = "ostler listing 1\n"

// ListingOptions bounds a ListingWriter.
type ListingOptions struct {
	// TempDir is a private folder for what does not fit in memory: one file,
	// 0600, without a name. "" is the system's.
	TempDir string
	// Memory is how many bytes may wait in memory, 0 for 8 MiB. What it has
	// for each folder, 8 bytes and the paths of those that are open, comes on top.
	Memory int

	block int // blockRaw where it is 0
}

// ListingWriter writes the listing of one snapshot. Nothing is written before
// Close: the last entry can be the root's. It is not for concurrent use.
type ListingWriter struct {
	out     io.Writer
	o       ListingOptions
	spill   spill
	open    []*folder // from the root down
	free    [][]byte
	waiting int     // bytes in open
	ends    []int64 // of each folder, in the order they were opened: where its last chunk begins
	last    []byte  // the folder that was opened last
	mixed   bool    // folders did not come in their order, or one came twice
	n       int64
	err     error
	closed  bool
}

// folder is one whose entries still come.
type folder struct {
	path  []byte
	no    int
	chunk int64 // where its last chunk begins, plus one
	buf   []byte
}

// NewListingWriter returns a writer of a listing to w.
func NewListingWriter(w io.Writer, o ListingOptions) *ListingWriter {
	if o.Memory <= 0 {
		o.Memory = 8 << 20
	}
	if o.block <= 0 {
		o.block = blockRaw
	}
	return &ListingWriter{out: w, o: o, spill: spill{dir: o.TempDir}}
}

// Add takes the next entry. Restic's order is best: depth first, names bytewise;
// any other costs memory. The root has no entry. It copies what it keeps. An
// entry that cannot be is ErrListing, and so is a type that is none of wire's:
// give NodeIrregular for what restic calls something else. After any error the
// listing is lost.
func (w *ListingWriter) Add(e Entry) error {
	if w.err != nil {
		return w.err
	}
	if w.closed {
		return errors.New("catalogue: add to a listing that is closed")
	}
	w.err = w.add(&e)
	return w.err
}

func (w *ListingWriter) add(e *Entry) error {
	dir, name, err := cut(e.Path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrListing, err)
	}
	s := stateOf(e)
	if s.kind == gone {
		return fmt.Errorf("%w: unknown type of node %q", ErrListing, e.Type)
	}
	if len(s.link) > maxLink || s.size < 0 {
		return fmt.Errorf("%w: a link of %d bytes, a size of %d", ErrListing, len(s.link), s.size)
	}
	f, err := w.folder(dir)
	if err != nil {
		return fmt.Errorf("catalogue: write listing: %w", err)
	}
	before := len(f.buf)
	f.buf = appendEntry(f.buf, name, &s)
	w.waiting += len(f.buf) - before
	w.n++
	if w.waiting+len(w.spill.mem) > w.o.Memory {
		if err := w.relieve(); err != nil {
			return fmt.Errorf("catalogue: write listing: %w", err)
		}
	}
	return nil
}

// folder returns the open folder of a path; folders that it does not lie
// beneath are over.
func (w *ListingWriter) folder(dir []byte) (*folder, error) {
	for len(w.open) > 0 {
		top := w.open[len(w.open)-1]
		if len(dir) == len(top.path) && bytes.Equal(dir, top.path) {
			return top, nil
		}
		if beneath(dir, top.path) {
			break
		}
		if err := w.flush(top); err != nil {
			return nil, err
		}
		w.free = append(w.free, top.buf)
		w.open = w.open[:len(w.open)-1]
	}
	if len(w.ends) > 0 && compareDirs(dir, w.last) <= 0 {
		w.mixed = true
	}
	if !validDir(dir) {
		return nil, fmt.Errorf("%w: %w", ErrListing, errName)
	}
	w.last = append(w.last[:0], dir...)
	f := &folder{path: bytes.Clone(dir), no: len(w.ends)}
	if n := len(w.free); n > 0 {
		f.buf, w.free = w.free[n-1], w.free[:n-1]
	}
	w.ends = append(w.ends, 0)
	w.open = append(w.open, f)
	return f, nil
}

// flush moves what waits in a folder to the spill.
func (w *ListingWriter) flush(f *folder) error {
	if len(f.buf) == 0 {
		return nil
	}
	var head [chunkHead]byte
	where, err := w.spill.append(putChunkHead(head[:0], f.chunk, len(f.path), len(f.buf)), f.path, f.buf)
	f.chunk = where + 1
	w.ends[f.no] = where
	w.waiting -= len(f.buf)
	f.buf = f.buf[:0]
	return err
}

// relieve empties memory to disk: what is finished, and, where that does not
// help, what is open.
func (w *ListingWriter) relieve() error {
	if err := w.spill.toDisk(); err != nil {
		return err
	}
	if w.waiting <= w.o.Memory/2 {
		return nil
	}
	w.free = nil
	for _, f := range w.open {
		if err := w.flush(f); err != nil {
			return err
		}
		f.buf = nil
	}
	return nil
}

// Entries is how many were added.
func (w *ListingWriter) Entries() int64 { return w.n }

// Discard lets go of what waits, temporary files included. It is safe to call
// at any time and again; without a Close before, there is no listing.
func (w *ListingWriter) Discard() {
	w.closed = true
	w.open, w.free, w.ends = nil, nil, nil
	_ = w.spill.close() // nobody reads it again
}

// Close writes the listing, and lets go of what waited. It does not close the
// writer beneath.
func (w *ListingWriter) Close() error {
	if w.err != nil || w.closed {
		w.Discard()
		return w.err
	}
	defer w.Discard()
	if err := w.write(); err != nil {
		w.err = fmt.Errorf("catalogue: write listing: %w", err)
	}
	return w.err
}

func (w *ListingWriter) write() error {
	for _, f := range w.open {
		if err := w.flush(f); err != nil {
			return err
		}
	}
	w.open, w.free = nil, nil
	if err := w.spill.ready(); err != nil {
		return err
	}
	out := newFrameWriter(w.out, w.o.block)
	if err := w.folders(out); err != nil {
		return err
	}
	return out.close(w.n)
}

// folders gives out all entries, sorted.
func (w *ListingWriter) folders(out *frameWriter) error {
	if w.mixed {
		return w.sorted(out)
	}
	var f loaded
	for _, end := range w.ends {
		if err := f.load(&w.spill, end); err != nil {
			return err
		}
		if err := f.give(out); err != nil {
			return err
		}
	}
	return nil
}

// sorted is for entries that came in another order: it holds the paths of all
// folders.
func (w *ListingWriter) sorted(out *frameWriter) error {
	type end struct {
		dir   []byte
		where int64
	}
	ends := make([]end, 0, len(w.ends))
	var f loaded
	for _, where := range w.ends {
		dir, err := f.pathAt(&w.spill, where)
		if err != nil {
			return err
		}
		ends = append(ends, end{bytes.Clone(dir), where})
	}
	slices.SortStableFunc(ends, func(a, b end) int { return compareDirs(a.dir, b.dir) })
	for len(ends) > 0 {
		n := 1
		for n < len(ends) && bytes.Equal(ends[n].dir, ends[0].dir) {
			n++
		}
		wheres := make([]int64, n)
		for i := range wheres {
			wheres[i] = ends[i].where
		}
		if err := f.load(&w.spill, wheres...); err != nil {
			return err
		}
		if err := f.give(out); err != nil {
			return err
		}
		ends = ends[n:]
	}
	return nil
}

// loaded is one folder, read from the spill.
type loaded struct {
	dir    []byte
	data   []byte
	head   []byte
	chunks []int64
}

func (f *loaded) readHead(s *spill, where int64) (before int64, path, entries int, err error) {
	f.head, err = s.at(f.head[:0], where, chunkHead)
	if err != nil {
		return 0, 0, 0, err
	}
	h := f.head
	return int64(binary.LittleEndian.Uint64(h)), int(binary.LittleEndian.Uint32(h[8:])), int(binary.LittleEndian.Uint32(h[12:])), nil
}

func (f *loaded) pathAt(s *spill, where int64) ([]byte, error) {
	_, n, _, err := f.readHead(s, where)
	if err != nil {
		return nil, err
	}
	f.dir, err = s.at(f.dir[:0], where+chunkHead, n)
	return f.dir, err
}

// load reads the chunks of one folder, in the order they were written.
func (f *loaded) load(s *spill, ends ...int64) error {
	f.data = f.data[:0]
	for _, end := range ends {
		f.chunks = f.chunks[:0]
		for where := end; where >= 0; {
			f.chunks = append(f.chunks, where)
			before, _, _, err := f.readHead(s, where)
			if err != nil {
				return err
			}
			where = before - 1
		}
		for _, where := range slices.Backward(f.chunks) {
			_, path, entries, err := f.readHead(s, where)
			if err != nil {
				return err
			}
			if f.dir, err = s.at(f.dir[:0], where+chunkHead, path); err != nil {
				return err
			}
			if f.data, err = s.at(f.data, where+chunkHead+int64(path), entries); err != nil {
				return err
			}
		}
	}
	return nil
}

// give writes the folder's entries, which it sorts where they are not.
func (f *loaded) give(out *frameWriter) error {
	var (
		r     = byteReader{b: f.data}
		s     [1]event
		last  []byte
		first = true
	)
	for len(r.b) > 0 {
		name, err := readEntry(&r, &s[0].state)
		if err != nil {
			return err
		}
		if !first && bytes.Compare(last, name) >= 0 {
			return f.giveSorted(out)
		}
		first, last = false, name
	}
	r = byteReader{b: f.data}
	for len(r.b) > 0 {
		name, err := readEntry(&r, &s[0].state)
		if err != nil {
			return err
		}
		if err := out.add(f.dir, name, s[:]); err != nil {
			return err
		}
	}
	return nil
}

func (f *loaded) giveSorted(out *frameWriter) error {
	type item struct {
		name []byte
		s    state
	}
	var items []item
	for r := (byteReader{b: f.data}); len(r.b) > 0; {
		var s state
		name, err := readEntry(&r, &s)
		if err != nil {
			return err
		}
		items = append(items, item{name, s})
	}
	slices.SortFunc(items, func(a, b item) int { return bytes.Compare(a.name, b.name) })
	for i := range items {
		if i > 0 && bytes.Equal(items[i-1].name, items[i].name) {
			return fmt.Errorf("%w: %w", ErrListing, errOrder)
		}
		if err := out.add(f.dir, items[i].name, []event{{state: items[i].s}}); err != nil {
			return err
		}
	}
	return nil
}
