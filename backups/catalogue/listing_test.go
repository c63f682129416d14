package catalogue_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
)

// sample is a tree with everything a listing can hold.
func sample() tree {
	t := tree{}.dir("/empty").link("/srv/now", "releases/\xff\n").link("/srv/nowhere", "")
	for i, c := range components {
		t.file("/srv/"+c+"/"+components[(i*7)%len(components)], int64(i)<<i, int64(i)*999-7)
		t.file("/"+c+"/x", 1, 1)
	}
	for i, kind := range []wire.NodeType{wire.NodeDevice, wire.NodeCharDev, wire.NodeFIFO, wire.NodeSocket, wire.NodeIrregular} {
		t.put(catalogue.Entry{Path: fmt.Appendf(nil, "/dev/%d", i), Type: kind, Mode: 1 << 31, UID: 1<<32 - 1, GID: uint32(i), MTime: -1 << 63})
	}
	t.file("/dev/large", 1<<63-1, 1<<63-1)
	return t
}

func TestListingSaysWhatWasAdded(t *testing.T) {
	t.Parallel()
	entries := sample().depthFirst()
	shuffled := slices.Clone(entries)
	r := rand.New(rand.NewPCG(7, 7))
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	reversed := slices.Clone(entries)
	slices.Reverse(reversed)
	tests := []struct {
		name    string
		entries []catalogue.Entry
		o       catalogue.ListingOptions
	}{
		{"in memory", entries, catalogue.ListingOptions{}},
		{"on disk", entries, catalogue.ListingOptions{Memory: 1}},
		{"partly on disk", entries, catalogue.ListingOptions{Memory: 300}},
		{"small blocks", entries, catalogue.ListingOptions{}.SmallBlocks(50)},
		{"any order", shuffled, catalogue.ListingOptions{}},
		{"any order on disk", shuffled, catalogue.ListingOptions{Memory: 200}},
		{"backwards", reversed, catalogue.ListingOptions{Memory: 1000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.TempDir = t.TempDir()
			data := listing(t, tt.entries, tt.o)
			got, err := readAll(data)
			if err != io.EOF || !sameAll(got, sample().grouped()) {
				t.Errorf("got %d entries, %v; want %d, EOF", len(got), err, len(entries))
			}
			left, err := os.ReadDir(tt.o.TempDir)
			if err != nil || len(left) > 0 {
				t.Errorf("temporary files: got %v %v, want none", left, err)
			}
		})
	}
}

func TestListingIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	entries := sample().depthFirst()
	a := listing(t, entries, catalogue.ListingOptions{})
	b := listing(t, entries, catalogue.ListingOptions{Memory: 100})
	if !bytes.Equal(a, b) {
		t.Error("two listings of the same entries differ")
	}
}

func TestEmptyListing(t *testing.T) {
	t.Parallel()
	data := listing(t, nil, catalogue.ListingOptions{})
	if got, err := readAll(data); len(got) != 0 || err != io.EOF {
		t.Errorf("got %v %v, want none, EOF", got, err)
	}
	if got, err := readAll(nil); len(got) != 0 || !errors.Is(err, catalogue.ErrListing) {
		t.Errorf("nothing at all: got %v %v, want ErrListing", got, err)
	}
}

func TestListingRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	file := func(path string) catalogue.Entry { return catalogue.Entry{Path: []byte(path), Type: wire.NodeFile} }
	long := "/" + string(bytes.Repeat([]byte("x"), 5000))
	tests := []struct {
		name    string
		entries []catalogue.Entry
	}{
		{"root", []catalogue.Entry{file("/")}},
		{"relative", []catalogue.Entry{file("x")}},
		{"no path", []catalogue.Entry{file("")}},
		{"slash at the end", []catalogue.Entry{file("/x/")}},
		{"two slashes", []catalogue.Entry{file("/x//y")}},
		{"parent", []catalogue.Entry{file("/x/..")}},
		{"beneath parent", []catalogue.Entry{file("/x/../y")}},
		{"dot", []catalogue.Entry{file("/x/./y")}},
		{"NUL in name", []catalogue.Entry{file("/x\x00")}},
		{"NUL in folder", []catalogue.Entry{file("/x\x00/y")}},
		{"relative folder", []catalogue.Entry{file("x/y")}},
		{"long name", []catalogue.Entry{file(long)}},
		{"no type", []catalogue.Entry{{Path: []byte("/x")}}},
		{"unknown type", []catalogue.Entry{{Path: []byte("/x"), Type: "door"}}},
		{"size below zero", []catalogue.Entry{{Path: []byte("/x"), Type: wire.NodeFile, Size: -1}}},
		{"long link", []catalogue.Entry{{Path: []byte("/x"), Type: wire.NodeSymlink, Link: bytes.Repeat([]byte("y"), 1<<16)}}},
		{"twice", []catalogue.Entry{file("/x"), file("/x")}},
		{"twice, apart", []catalogue.Entry{file("/a/x"), file("/b/x"), file("/a/x")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := catalogue.NewListingWriter(io.Discard, catalogue.ListingOptions{TempDir: t.TempDir()})
			var err error
			for _, e := range tt.entries {
				err = w.Add(e)
			}
			if end := w.Close(); err == nil {
				err = end
			} else if end == nil {
				t.Error("closed without an error after one")
			}
			if !errors.Is(err, catalogue.ErrListing) {
				t.Errorf("got %v, want ErrListing", err)
			}
		})
	}
}

func TestListingWriterTellsWhenItCannotWrite(t *testing.T) {
	t.Parallel()
	full := errors.New("no room")
	w := catalogue.NewListingWriter(failing{full}, catalogue.ListingOptions{})
	for _, e := range sample().depthFirst() {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("close: got %v, want %v", err, full)
	}
	w = catalogue.NewListingWriter(io.Discard, catalogue.ListingOptions{Memory: 1, TempDir: "/nowhere/at/all"})
	if err := w.Add(catalogue.Entry{Path: []byte("/x"), Type: wire.NodeFile}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("add without room: got %v, want that the folder does not exist", err)
	}
	w = catalogue.NewListingWriter(io.Discard, catalogue.ListingOptions{})
	w.Discard()
	if err := w.Add(catalogue.Entry{Path: []byte("/x"), Type: wire.NodeFile}); err == nil {
		t.Error("add after discard: got no error")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
func (f failing) Read([]byte) (int, error)  { return 0, f.err }

func TestTruncatedListing(t *testing.T) {
	t.Parallel()
	data := listing(t, sample().depthFirst(), catalogue.ListingOptions{}.SmallBlocks(200))
	for n := range len(data) {
		if _, err := readAll(data[:n]); !errors.Is(err, catalogue.ErrListing) {
			t.Fatalf("%d bytes of %d: got %v, want ErrListing", n, len(data), err)
		}
	}
	if _, err := readAll(append(bytes.Clone(data), 0)); !errors.Is(err, catalogue.ErrListing) {
		t.Errorf("a byte more: got %v, want ErrListing", err)
	}
	if _, err := readAll(append(bytes.Clone(data), data...)); !errors.Is(err, catalogue.ErrListing) {
		t.Errorf("two listings: got %v, want ErrListing", err)
	}
}

func TestCorruptListing(t *testing.T) {
	t.Parallel()
	data := listing(t, sample().depthFirst(), catalogue.ListingOptions{}.SmallBlocks(200))
	for i := range data {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(data)
			bad[i] ^= flip
			if _, err := readAll(bad); !errors.Is(err, catalogue.ErrListing) {
				t.Fatalf("byte %d ^ %#x: got %v, want ErrListing", i, flip, err)
			}
		}
	}
}

func TestListingReaderPassesErrorsOn(t *testing.T) {
	t.Parallel()
	data := listing(t, sample().depthFirst(), catalogue.ListingOptions{})
	lost := errors.New("connection lost")
	r := catalogue.ReadListing(io.MultiReader(bytes.NewReader(data[:100]), failing{lost}))
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, lost) || errors.Is(err, catalogue.ErrListing) {
			t.Fatalf("got %v, want %v", err, lost)
		}
	}
}

func TestFolderOfManyFiles(t *testing.T) {
	t.Parallel()
	const files = 100_000
	big := tree{}.dir("/srv/mail")
	for i := range files {
		big[fmt.Sprintf("/srv/mail/%06d", i)] = catalogue.Entry{Path: fmt.Appendf(nil, "/srv/mail/%06d", i), Type: wire.NodeFile, Size: int64(i)}
	}
	data := listing(t, big.depthFirst(), catalogue.ListingOptions{Memory: 256 << 10})
	got, err := readAll(data)
	if err != io.EOF || len(got) != files+2 {
		t.Fatalf("got %d entries, %v", len(got), err)
	}
	p := newPlan(t)
	p.append(0, big)
	c := p.open()
	entries, found, cut, err := c.Folder(t.Context(), 0, []byte("/srv/mail"), 0)
	if err != nil || !found || cut || !sameAll(entries, got[2:]) {
		t.Errorf("folder: got %d entries, %v %v %v", len(entries), found, cut, err)
	}
	entries, _, cut, err = c.FolderAfter(t.Context(), 0, []byte("/srv/mail"), []byte("099997"), 1000)
	if err != nil || cut || len(entries) != 2 || string(entries[0].Path) != "/srv/mail/099998" {
		t.Errorf("last page: got %v %v %v", entries, cut, err)
	}
	if n := p.manifest.Segments[0].Blocks; n < 4 {
		t.Errorf("blocks: got %d, want several", n)
	}
}

func FuzzListing(f *testing.F) {
	f.Add(listing(f, sample().depthFirst(), catalogue.ListingOptions{}.SmallBlocks(300)))
	f.Add(listing(f, nil, catalogue.ListingOptions{}))
	f.Add([]byte("ostler listing 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readAll(data)
		if err == nil || err != io.EOF && !errors.Is(err, catalogue.ErrListing) {
			t.Fatalf("got %v", err)
		}
		if err != io.EOF {
			return
		}
		again, err := readAll(listing(t, got, catalogue.ListingOptions{}))
		if err != io.EOF || !sameAll(again, got) {
			t.Fatalf("written again: got %d entries, %v; want %d", len(again), err, len(got))
		}
	})
}
