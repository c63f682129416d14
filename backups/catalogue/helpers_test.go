package catalogue_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
)

type where struct {
	segment string
	block   int
}

// store keeps blocks in memory, as strictly as a caller may.
type store struct {
	mu     sync.Mutex
	blocks map[where][]byte
	gets   int
	puts   int
	fail   error // of every Put, once failAt were made
	failAt int
	onGet  func(w where, b []byte) ([]byte, error) // nil: as it is
}

func newStore() *store { return &store{blocks: map[where][]byte{}} }

func (s *store) Put(_ context.Context, segment string, block int, plain []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil && s.puts >= s.failAt {
		return s.fail
	}
	s.puts++
	w := where{segment, block}
	if _, ok := s.blocks[w]; ok {
		return fmt.Errorf("put twice: %v", w)
	}
	s.blocks[w] = bytes.Clone(plain)
	return nil
}

func (s *store) Get(ctx context.Context, segment string, block int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	w := where{segment, block}
	b, ok := s.blocks[w]
	if !ok {
		return nil, fmt.Errorf("%w: no such block", catalogue.ErrDamaged)
	}
	if s.onGet != nil {
		return s.onGet(w, b)
	}
	return b, nil
}

func (s *store) Delete(_ context.Context, segment string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.blocks, func(w where, _ []byte) bool { return w.segment == segment })
	return nil
}

func (s *store) segments() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[string]bool{}
	for w := range s.blocks {
		names[w.segment] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// tree is a snapshot: path to entry.
type tree map[string]catalogue.Entry

func (t tree) file(path string, size, mtime int64) tree {
	return t.put(catalogue.Entry{Path: []byte(path), Type: wire.NodeFile, Size: size, MTime: mtime, Mode: 0o644, UID: 33, GID: 33})
}

func (t tree) link(path, target string) tree {
	return t.put(catalogue.Entry{Path: []byte(path), Type: wire.NodeSymlink, Mode: 0o777, Link: []byte(target)})
}

func (t tree) dir(path string) tree {
	return t.put(catalogue.Entry{Path: []byte(path), Type: wire.NodeDir, Mode: 0o755})
}

// put adds an entry, and the folders above it where they are missing.
func (t tree) put(e catalogue.Entry) tree {
	p := string(e.Path)
	for i := 1; i < len(p); i++ {
		if p[i] == '/' {
			if _, ok := t[p[:i]]; !ok {
				t.dir(p[:i])
			}
		}
	}
	t[p] = e
	return t
}

// remove takes out a path and all beneath it.
func (t tree) remove(path string) {
	maps.DeleteFunc(t, func(p string, _ catalogue.Entry) bool { return p == path || strings.HasPrefix(p, path+"/") })
}

// depthFirst returns the entries as restic gives them.
func (t tree) depthFirst() []catalogue.Entry {
	paths := slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
	})
	out := make([]catalogue.Entry, len(paths))
	for i, p := range paths {
		out[i] = t[p]
	}
	return out
}

// grouped returns the entries as listings and hits have them: by folder, then
// by name.
func (t tree) grouped() []catalogue.Entry {
	out := t.depthFirst()
	slices.SortStableFunc(out, func(a, b catalogue.Entry) int { return comparePaths(string(a.Path), string(b.Path)) })
	return out
}

func comparePaths(a, b string) int {
	ad, an := split(a)
	bd, bn := split(b)
	if d := strings.Compare(strings.ReplaceAll(ad, "/", "\x00"), strings.ReplaceAll(bd, "/", "\x00")); d != 0 {
		return d
	}
	return strings.Compare(an, bn)
}

func split(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/')
	return p[:i], p[i+1:]
}

func listing(t testing.TB, entries []catalogue.Entry, o catalogue.ListingOptions) []byte {
	t.Helper()
	if o.TempDir == "" {
		o.TempDir = t.TempDir()
	}
	var out bytes.Buffer
	w := catalogue.NewListingWriter(&out, o)
	for _, e := range entries {
		if err := w.Add(e); err != nil {
			t.Fatalf("add %q: %v", e.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	return out.Bytes()
}

func readAll(data []byte) ([]catalogue.Entry, error) {
	r := catalogue.ReadListing(bytes.NewReader(data))
	var out []catalogue.Entry
	for {
		e, err := r.Next()
		if err != nil {
			return out, err
		}
		out = append(out, clone(*e))
	}
}

func clone(e catalogue.Entry) catalogue.Entry {
	e.Path, e.Link = bytes.Clone(e.Path), bytes.Clone(e.Link)
	return e
}

func same(a, b catalogue.Entry) bool {
	return bytes.Equal(a.Path, b.Path) && a.Type == b.Type && a.Size == b.Size && a.MTime == b.MTime &&
		a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID && bytes.Equal(a.Link, b.Link)
}

func sameAll(a, b []catalogue.Entry) bool { return slices.EqualFunc(a, b, same) }

// plan is a catalogue with what its caller keeps.
type plan struct {
	t        testing.TB
	store    *store
	cache    *catalogue.Cache
	manifest catalogue.Manifest
	block    int // how small blocks are cut; 0: as they are
}

func newPlan(t testing.TB) *plan {
	return &plan{t: t, store: newStore(), cache: catalogue.NewCache(64 << 20)}
}

func (p *plan) open() *catalogue.Catalogue {
	c := catalogue.Open(p.store, p.manifest, p.cache)
	if p.block > 0 {
		return catalogue.Small(c, p.block)
	}
	return c
}

func (p *plan) append(ord catalogue.Ordinal, t tree) catalogue.Stats {
	p.t.Helper()
	data := listing(p.t, t.depthFirst(), catalogue.ListingOptions{}.SmallBlocks(p.block))
	m, obsolete, stats, err := p.open().Append(context.Background(), ord, catalogue.ReadListing(bytes.NewReader(data)))
	if err != nil {
		p.t.Fatalf("append %d: %v", ord, err)
	}
	p.swap(m, obsolete)
	return stats
}

func (p *plan) compact(alive catalogue.Alive) {
	p.t.Helper()
	m, obsolete, err := p.open().Compact(context.Background(), alive)
	if err != nil {
		p.t.Fatalf("compact: %v", err)
	}
	p.swap(m, obsolete)
}

// swap does what a caller does, and checks that nothing stays behind.
func (p *plan) swap(m catalogue.Manifest, obsolete []string) {
	p.t.Helper()
	p.manifest = m
	for _, name := range obsolete {
		if err := p.store.Delete(context.Background(), name); err != nil {
			p.t.Fatal(err)
		}
	}
	want := slices.Sorted(slices.Values(m.Names()))
	if got := p.store.segments(); !slices.Equal(got, want) {
		p.t.Fatalf("stored segments: got %v, want %v", got, want)
	}
}
