package catalogue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"ostler/backups/catalogue"
)

func TestUnchangedSnapshotCostsNothing(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	p.append(0, sample())
	puts, before := p.store.puts, p.manifest.Names()
	for ord := catalogue.Ordinal(1); ord < 50; ord++ {
		if s := p.append(ord, sample()); s.Written != 0 || s.New+s.Changed+s.Gone != 0 {
			t.Fatalf("append %d: got %+v", ord, s)
		}
	}
	if p.store.puts != puts || !slices.Equal(p.manifest.Names(), before) || p.manifest.Snapshots() != 50 {
		t.Errorf("got %d puts and %v, want %d and %v", p.store.puts, p.manifest, puts, before)
	}
}

func TestAppendLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := built(t)
	before, segments := p.manifest, p.store.segments()
	next := maps.Clone(sample())
	for i := range 2000 { // enough that blocks are stored before the end
		path := fmt.Sprintf("/srv/%d", i*7919)
		next[path] = catalogue.Entry{Path: []byte(path), Type: "file", Size: int64(i) * 104729, MTime: int64(i) * 15485863}
	}
	data := listing(t, next.depthFirst(), catalogue.ListingOptions{})
	down := errors.New("store down")
	tests := []struct {
		name string
		ctx  func(context.Context) context.Context
		data []byte
		fail error
		want error
	}{
		{"truncated listing", nil, data[:len(data)-1], nil, catalogue.ErrListing},
		{"store fails", nil, data, down, down},
		{"cancelled", func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}, data, nil, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			if tt.ctx != nil {
				ctx = tt.ctx(ctx)
			}
			puts := p.store.puts
			p.store.fail, p.store.failAt = tt.fail, puts+2
			_, _, _, err := p.open().Append(ctx, 2, catalogue.ReadListing(bytes.NewReader(tt.data)))
			p.store.fail = nil
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if tt.name != "cancelled" && p.store.puts == puts {
				t.Error("nothing was put that could stay behind")
			}
			if got := p.store.segments(); !slices.Equal(got, segments) {
				t.Errorf("segments: got %v, want %v", got, segments)
			}
		})
	}
	p.append(2, next) // and then it works
	if p.manifest.Next != before.Next+1 {
		t.Errorf("next: got %d", p.manifest.Next)
	}
}

func TestAppendRefusesOldOrdinals(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	p.append(5, sample())
	p.append(6, tree{})
	p.compact(func(o catalogue.Ordinal) bool { return o == 5 })
	for _, ord := range []catalogue.Ordinal{0, 5, 6, 1<<32 - 1} {
		data := listing(t, nil, catalogue.ListingOptions{})
		if _, _, _, err := p.open().Append(t.Context(), ord, catalogue.ReadListing(bytes.NewReader(data))); err == nil {
			t.Errorf("append %d: got no error", ord)
		}
	}
	if newest, ok := p.manifest.Newest(); !ok || newest != 5 {
		t.Errorf("newest: got %d %v, want 5", newest, ok)
	}
}

func TestSameListingsMakeTheSameBlocks(t *testing.T) {
	t.Parallel()
	blocks := func(p *plan) [][]byte {
		var out [][]byte
		for _, s := range p.manifest.Segments {
			for i := range s.Blocks {
				out = append(out, p.store.blocks[where{s.Name, i}])
			}
		}
		return out
	}
	a, b := built(t), built(t)
	if !slices.EqualFunc(blocks(a), blocks(b), bytes.Equal) {
		t.Error("after append: blocks differ")
	}
	alive := func(o catalogue.Ordinal) bool { return o == 1 }
	a.compact(alive)
	b.compact(alive)
	if !slices.EqualFunc(blocks(a), blocks(b), bytes.Equal) {
		t.Error("after compact: blocks differ")
	}
	if slices.Equal(a.manifest.Names(), b.manifest.Names()) {
		t.Error("two segments have one name")
	}
}

func TestCompactForgetsNames(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	p.append(0, tree{}.file("/srv/secret-name", 1, 1))
	p.append(1, tree{}.file("/srv/other", 1, 1))
	alive := func(o catalogue.Ordinal) bool { return o == 1 }
	if !p.open().Worth(alive) || p.open().Worth(nil) {
		t.Error("worth: half of the snapshots are gone, and then none")
	}
	p.compact(alive)
	hits, _, err := p.open().Search(t.Context(), catalogue.Query{Text: "secret"}, nil)
	if err != nil || len(hits) != 0 || p.manifest.Segments[0].Keys != 2 {
		t.Errorf("got %v %v, %+v", hits, err, p.manifest)
	}
	before := p.manifest.Names()
	p.compact(alive)
	if got := p.manifest.Names(); !slices.Equal(got, before) {
		t.Error("nothing is gone, and it was rewritten")
	}
}

func TestSegmentsStayFew(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	p.block = 300
	all := tree{}
	for i := range 1000 {
		all.file(fmt.Sprintf("/srv/%02d/%04d", i%50, i), 1, 1)
	}
	for ord := range catalogue.Ordinal(120) {
		all.file(fmt.Sprintf("/srv/%02d/%04d", ord%50, ord), int64(ord)+2, 1)
		all.file(fmt.Sprintf("/srv/%02d/new%04d", ord%50, ord), 1, 1)
		p.append(ord, all)
		if n := len(p.manifest.Segments); n > 8 {
			t.Fatalf("segments after %d: got %d", ord, n)
		}
	}
}

func TestReadersWhileMerging(t *testing.T) {
	t.Parallel()
	p := built(t)
	p.cache = catalogue.NewCache(20_000) // small: things go while others read them
	want, err := answers(p.open())
	if err != nil {
		t.Fatal(err)
	}
	readers, stop := sync.WaitGroup{}, make(chan struct{})
	old := p.open()
	for range 4 {
		readers.Go(func() {
			for {
				got, err := answers(old)
				if err != nil || got != want {
					t.Errorf("while it merges: %v, the same answer: %v", err, got == want)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	all := sample()
	for ord := catalogue.Ordinal(2); ord < 20; ord++ {
		all.file(fmt.Sprintf("/srv/web/%d", ord), 1, 1)
		data := listing(t, all.depthFirst(), catalogue.ListingOptions{})
		m, _, _, err := p.open().Append(t.Context(), ord, catalogue.ReadListing(bytes.NewReader(data)))
		if err != nil {
			t.Fatal(err)
		}
		p.manifest = m // what is obsolete is deleted once its readers are done
		if ord%6 == 0 {
			if p.manifest, _, err = p.open().Compact(t.Context(), func(o catalogue.Ordinal) bool { return o != ord-1 }); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	readers.Wait()
	if used := p.cache.Used(); used <= 0 || used > 20_000 {
		t.Errorf("cache: got %d bytes, want some, at most 20,000", used)
	}
}
