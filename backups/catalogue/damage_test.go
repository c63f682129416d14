package catalogue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"ostler/backups/catalogue"
)

// built is a catalogue of several segments and blocks.
func built(t testing.TB) *plan {
	p := newPlan(t)
	p.block = 300
	first := sample()
	for i := range 200 {
		first.file(fmt.Sprintf("/srv/web/%03d", i), int64(i), int64(i)*1000)
	}
	p.append(0, first)
	next := maps.Clone(first)
	for i := range 3 {
		next.file(fmt.Sprintf("/srv/web/%03d", i*50), 7, 7)
		next.remove(fmt.Sprintf("/srv/web/%03d", i*50+1))
	}
	p.append(1, next)
	if n := len(p.manifest.Segments); n != 2 {
		t.Fatalf("segments: got %d, want 2", n)
	}
	p.cache = nil
	return p
}

// answers is everything that a catalogue says; the first error ends it.
func answers(c *catalogue.Catalogue) (string, error) {
	var out bytes.Buffer
	ctx := context.Background()
	for _, ord := range []catalogue.Ordinal{0, 1} {
		err := c.Walk(ctx, ord, []byte("/"), func(e catalogue.Entry) error {
			fmt.Fprintf(&out, "%+v\n", e)
			return nil
		})
		if err != nil {
			return "", err
		}
		f, found, cut, err := c.Folder(ctx, ord, []byte("/srv/web"), 0)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&out, f, found, cut)
	}
	hits, more, err := c.Search(ctx, catalogue.Query{Text: "0", Limit: 1000}, nil)
	if err != nil {
		return "", err
	}
	v, err := c.History(ctx, []byte("/srv/web/050"), nil)
	fmt.Fprintln(&out, hits, more, v)
	return out.String(), err
}

func TestDamageIsNeverAnAnswer(t *testing.T) {
	t.Parallel()
	p := built(t)
	want, err := answers(p.open())
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, w where, bad []byte) {
		t.Helper()
		p.store.onGet = func(asked where, b []byte) ([]byte, error) {
			if asked == w {
				return bad, nil
			}
			return b, nil
		}
		if got, err := answers(p.open()); !errors.Is(err, catalogue.ErrDamaged) {
			t.Fatalf("%s of %v: got %v (answer unchanged: %v), want ErrDamaged", name, w, err, got == want)
		}
		if _, _, err := p.open().Compact(context.Background(), func(o catalogue.Ordinal) bool { return o == 1 }); !errors.Is(err, catalogue.ErrDamaged) {
			t.Fatalf("compact with %s of %v: got %v, want ErrDamaged", name, w, err)
		}
	}
	blocks := maps.Clone(p.store.blocks)
	step := 3
	if testing.Short() {
		step = 11
	}
	for w, b := range blocks {
		for i := 0; i < len(b); i += step {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << (i % 8)
			check(fmt.Sprintf("byte %d", i), w, bad)
		}
		check("nothing", w, nil)
		check("half", w, b[:len(b)/2])
		check("a byte more", w, append(bytes.Clone(b), 0))
		for other, o := range blocks {
			if other != w && !bytes.Equal(o, b) {
				check(fmt.Sprintf("%v in place", other), w, o)
			}
		}
	}
}

func TestMissingBlock(t *testing.T) {
	t.Parallel()
	p := built(t)
	for w := range maps.Clone(p.store.blocks) {
		gone := p.store.blocks[w]
		delete(p.store.blocks, w)
		if _, err := answers(p.open()); !errors.Is(err, catalogue.ErrDamaged) {
			t.Errorf("without %v: got %v, want ErrDamaged", w, err)
		}
		p.store.blocks[w] = gone
	}
}

func TestManifestOfAnother(t *testing.T) {
	t.Parallel()
	p := built(t)
	good := p.manifest
	for name, change := range map[string]func(m *catalogue.Manifest){
		"format":            func(m *catalogue.Manifest) { m.Format = 2 },
		"no format":         func(m *catalogue.Manifest) { m.Format = 0 },
		"sum":               func(m *catalogue.Manifest) { m.Segments[0].Sum = m.Segments[1].Sum },
		"blocks":            func(m *catalogue.Manifest) { m.Segments[0].Blocks-- },
		"no blocks":         func(m *catalogue.Manifest) { m.Segments[0].Blocks = 0 },
		"order of segments": func(m *catalogue.Manifest) { slices.Reverse(m.Segments) },
		"segment twice":     func(m *catalogue.Manifest) { m.Segments = append(m.Segments, m.Segments[1]) },
		"next":              func(m *catalogue.Manifest) { m.Next = 1 },
		"snapshots":         func(m *catalogue.Manifest) { m.Merged = append(m.Merged, m.Merged[0]) },
	} {
		p.manifest = good
		p.manifest.Segments = slices.Clone(good.Segments)
		change(&p.manifest)
		if _, err := answers(p.open()); !errors.Is(err, catalogue.ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", name, err)
		}
	}
}

func TestErrorsOfTheStoreComeThrough(t *testing.T) {
	t.Parallel()
	p := built(t)
	down := errors.New("store down")
	p.store.onGet = func(where, []byte) ([]byte, error) { return nil, down }
	if _, err := answers(p.open()); !errors.Is(err, down) || errors.Is(err, catalogue.ErrDamaged) {
		t.Errorf("got %v, want %v", err, down)
	}
}

// A block that is whole, of a writer who means harm.
func FuzzBlock(f *testing.F) {
	p := built(f)
	for w, b := range p.store.blocks {
		f.Add(b, w.block == p.manifest.Segments[0].Blocks-1)
	}
	f.Fuzz(func(t *testing.T, data []byte, index bool) {
		if index {
			catalogue.TryIndex(data)
		} else {
			catalogue.TryBlock(catalogue.Resum(data))
		}
	})
}
