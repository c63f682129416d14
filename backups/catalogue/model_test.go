package catalogue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
)

// model is what a catalogue must say, kept the naive way.
type model struct {
	snaps map[catalogue.Ordinal]tree
	dead  map[catalogue.Ordinal]bool
}

func (m *model) alive(o catalogue.Ordinal) bool { return !m.dead[o] }

func (m *model) living() []catalogue.Ordinal {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m.snaps)), func(o catalogue.Ordinal) bool { return m.dead[o] })
}

func (m *model) folder(o catalogue.Ordinal, dir string) []catalogue.Entry {
	var out []catalogue.Entry
	for _, e := range m.snaps[o].grouped() {
		if d, _ := split(string(e.Path)); d == dir {
			out = append(out, e)
		}
	}
	return out
}

func (m *model) history(path string) []catalogue.Version {
	var out []catalogue.Version
	living := m.living()
	for i, o := range living {
		e, ok := m.snaps[o][path]
		if !ok {
			continue
		}
		k := slices.IndexFunc(out, func(v catalogue.Version) bool { return same(v.Entry, e) })
		if k < 0 {
			out = append(out, catalogue.Version{Entry: e, First: o, Last: o, Copies: 1, Spans: []catalogue.Span{{First: o, Last: o}}})
			continue
		}
		v := out[k]
		if last := &v.Spans[len(v.Spans)-1]; i > 0 && last.Last == living[i-1] {
			last.Last = o
		} else {
			v.Spans = append(v.Spans, catalogue.Span{First: o, Last: o})
		}
		v.Last = o
		v.Copies++
		out = append(slices.Delete(out, k, k+1), v)
	}
	slices.Reverse(out)
	return out
}

func (m *model) search(q catalogue.Query, match func(path string) bool) []catalogue.Hit {
	living := m.living()
	paths := map[string]bool{}
	for _, o := range living {
		for p := range m.snaps[o] {
			paths[p] = true
		}
	}
	var out []catalogue.Hit
	for _, p := range slices.SortedFunc(maps.Keys(paths), comparePaths) {
		if !match(p) || len(q.Beneath) > 0 && !strings.HasPrefix(p, string(q.Beneath)+"/") {
			continue
		}
		h := catalogue.Hit{Path: []byte(p)}
		found := false
		for i, v := range m.history(p) {
			if i == 0 {
				h.First, h.Last = v.First, v.Last
				h.Present = v.Last == living[len(living)-1]
			}
			h.First = min(h.First, v.First)
			h.Versions++
			there := q.At == nil || slices.ContainsFunc(v.Spans, func(s catalogue.Span) bool { return s.First <= *q.At && *q.At <= s.Last })
			if !found && there && fits(q, v.Entry) {
				h.Newest, h.In, found = v.Entry, v.Last, true
				if q.At != nil {
					h.In = *q.At
				}
			}
		}
		if found {
			out = append(out, h)
		}
	}
	return out
}

func fits(q catalogue.Query, e catalogue.Entry) bool {
	return (q.Type == "" || e.Type == q.Type) &&
		(q.MinSize == 0 && q.MaxSize == 0 || e.Type == wire.NodeFile) &&
		e.Size >= q.MinSize && (q.MaxSize == 0 || e.Size <= q.MaxSize) &&
		(q.ModifiedFrom == 0 || e.MTime >= q.ModifiedFrom) && (q.ModifiedTo == 0 || e.MTime < q.ModifiedTo)
}

// components are what paths are made of: a name can be a folder here, a link
// there, and anything but a slash and a NUL.
var components = []string{
	"a", "b", "ab", "a.b", "a b", "A", "B.PHP", "c.php", "...", "..\\x", ".. ", "-rf", "new\nline", "\xff\xfe", "\x01",
	"\u202egpj.exe", "über", "u\u0308ber", "ÜBER", "日本", "<img onerror>", "%2e%2e", "a\xffb", "~", "!", " ", "\t", "aa", "ab.c",
}

func randomPath(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString("/" + components[r.IntN(len(components))])
	}
	return b.String()
}

// mutate changes a snapshot into the next one.
func mutate(r *rand.Rand, before tree, snaps map[catalogue.Ordinal]tree, ord catalogue.Ordinal) tree {
	t := maps.Clone(before)
	switch r.IntN(20) {
	case 0:
		return tree{}
	case 1:
		return t
	case 2: // an older one comes back
		if old, ok := snaps[catalogue.Ordinal(r.IntN(int(ord)+1))]; ok {
			return maps.Clone(old)
		}
	}
	for range r.IntN(25) {
		p := randomPath(r)
		t.remove(p)
		clearWay(t, p)
		switch r.IntN(6) {
		case 0:
		case 1:
			t.link(p, "/"+components[r.IntN(len(components))])
		case 2:
			t.dir(p)
		case 3:
			t.put(catalogue.Entry{Path: []byte(p), Type: wire.NodeFIFO, Mode: 0o600, UID: r.Uint32(), GID: r.Uint32(), MTime: r.Int64() - r.Int64()})
		default:
			t.file(p, r.Int64N(5), []int64{0, 1000, 1001, -7, 1 << 62, -1 << 63}[r.IntN(6)])
		}
	}
	return t
}

// clearWay removes what stands where a folder of path must be.
func clearWay(t tree, path string) {
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			if e, ok := t[path[:i]]; ok && e.Type != wire.NodeDir {
				t.remove(path[:i])
			}
		}
	}
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			m := &model{snaps: map[catalogue.Ordinal]tree{}, dead: map[catalogue.Ordinal]bool{}}
			p := newPlan(t)
			p.block = []int{0, 1, 400}[seed%3]
			p.cache = catalogue.NewCache([]int64{0, 3000, 64 << 20}[seed%3])
			if testing.Short() && seed > 2 {
				t.Skip("more of the same")
			}
			last, ord := tree{}, catalogue.Ordinal(0)
			for n := range 60 {
				ord += catalogue.Ordinal(r.IntN(8) / 6) // a gap now and then
				last = mutate(r, last, m.snaps, ord)
				checkStats(t, p.append(ord, last), m, last)
				m.snaps[ord] = last
				if r.IntN(4) == 0 && n > 3 {
					for o := range m.snaps {
						m.dead[o] = m.dead[o] || r.IntN(3) == 0
					}
					checkModel(t, r, p, m) // alive tells, before Compact does
					if r.IntN(2) == 0 {
						p.compact(m.alive)
						drop(m)
					}
				}
				if n%10 == 0 {
					checkModel(t, r, p, m)
				}
				ord++
			}
			checkModel(t, r, p, m)
			manifestSurvivesJSON(t, p)
			checkModel(t, r, p, m)
			p.compact(func(catalogue.Ordinal) bool { return false })
			if got := len(p.store.blocks); got != 0 || p.manifest.Bytes() != 0 {
				t.Errorf("blocks after the last snapshot went: got %d, want none", got)
			}
			p.append(ord+5, last)
		})
	}
}

// drop forgets what Compact dropped.
func drop(m *model) {
	for o := range m.dead {
		if m.dead[o] {
			delete(m.snaps, o)
		}
	}
	m.dead = map[catalogue.Ordinal]bool{}
}

func manifestSurvivesJSON(t *testing.T, p *plan) {
	t.Helper()
	text, err := json.Marshal(p.manifest)
	if err != nil {
		t.Fatal(err)
	}
	p.manifest = catalogue.Manifest{}
	if err := json.Unmarshal(text, &p.manifest); err != nil {
		t.Fatal(err)
	}
}

func checkStats(t *testing.T, got catalogue.Stats, m *model, now tree) {
	t.Helper()
	want := catalogue.Stats{Entries: int64(len(now)), Written: got.Written}
	before := tree{}
	if all := slices.Sorted(maps.Keys(m.snaps)); len(all) > 0 {
		before = m.snaps[all[len(all)-1]]
	}
	for p, e := range now {
		if b, ok := before[p]; !ok {
			want.New++
		} else if !same(b, e) {
			want.Changed++
		}
	}
	for p := range before {
		if _, ok := now[p]; !ok {
			want.Gone++
		}
	}
	if got != want {
		t.Fatalf("stats: got %+v, want %+v", got, want)
	}
}

func checkModel(t *testing.T, r *rand.Rand, p *plan, m *model) {
	t.Helper()
	c := p.open()
	if n := len(p.manifest.Segments); n > 10 {
		t.Fatalf("segments: got %d, want few", n)
	}
	for o := range m.snaps {
		if m.dead[o] || r.IntN(3) > 0 {
			continue
		}
		checkWalk(t, c, m, o, "/")
		for range 3 {
			path := randomPath(r)
			checkFolder(t, c, m, o, path)
			checkWalk(t, c, m, o, path)
		}
		checkFolder(t, c, m, o, "/")
	}
	for range 20 {
		checkHistory(t, c, m, randomPath(r))
	}
	for range 12 {
		checkSearch(t, r, c, m)
	}
}

func checkFolder(t *testing.T, c *catalogue.Catalogue, m *model, o catalogue.Ordinal, dir string) {
	t.Helper()
	ctx := context.Background()
	e, isThere := m.snaps[o][dir]
	got, ok, err := c.Stat(ctx, o, []byte(dir))
	if err != nil || ok != (isThere || dir == "/") || isThere && !same(got, e) {
		t.Fatalf("stat %d %q: got %+v %v %v, want %+v", o, dir, got, ok, err, e)
	}
	want := m.folder(o, strings.TrimRight(dir, "/"))
	entries, found, cut, err := c.Folder(ctx, o, []byte(dir), 0)
	if err != nil || cut || found != (dir == "/" || isThere && e.Type == wire.NodeDir) || !sameAll(entries, want) {
		t.Fatalf("folder %d %q: got %v %v %v %v, want %v", o, dir, entries, found, cut, err, want)
	}
	var paged []catalogue.Entry
	var after []byte
	for {
		page, found2, more, err := c.FolderAfter(ctx, o, []byte(dir), after, 2)
		if err != nil || found2 != found || len(page) > 2 || more && len(page) < 2 {
			t.Fatalf("page of %d %q: got %v %v %v", o, dir, page, more, err)
		}
		paged = append(paged, page...)
		if !more {
			break
		}
		_, name := split(string(page[len(page)-1].Path))
		after = []byte(name)
	}
	if !sameAll(paged, want) {
		t.Fatalf("pages of %d %q: got %v, want %v", o, dir, paged, want)
	}
}

func checkWalk(t *testing.T, c *catalogue.Catalogue, m *model, o catalogue.Ordinal, root string) {
	t.Helper()
	var want, got []catalogue.Entry
	prefix := strings.TrimRight(root, "/")
	if e, ok := m.snaps[o][root]; ok {
		want = append(want, e)
	}
	for _, e := range m.snaps[o].grouped() {
		if strings.HasPrefix(string(e.Path), prefix+"/") {
			want = append(want, e)
		}
	}
	err := c.Walk(context.Background(), o, []byte(root), func(e catalogue.Entry) error {
		got = append(got, clone(e))
		return nil
	})
	if err != nil || !sameAll(got, want) {
		t.Fatalf("walk %d %q: got %v %v, want %v", o, root, got, err, want)
	}
}

func checkHistory(t *testing.T, c *catalogue.Catalogue, m *model, path string) {
	t.Helper()
	got, err := c.History(context.Background(), []byte(path), m.alive)
	want := m.history(path)
	if err != nil || !slices.EqualFunc(got, want, sameVersion) {
		t.Fatalf("history of %q: got %+v %v, want %+v", path, got, err, want)
	}
}

func sameVersion(a, b catalogue.Version) bool {
	return same(a.Entry, b.Entry) && a.First == b.First && a.Last == b.Last && a.Copies == b.Copies && slices.Equal(a.Spans, b.Spans)
}

func checkSearch(t *testing.T, r *rand.Rand, c *catalogue.Catalogue, m *model) {
	t.Helper()
	q := catalogue.Query{Limit: 1 + r.IntN(7)}
	match := func(string) bool { return true }
	if r.IntN(3) > 0 {
		text := []string{"a", "b", "A", ".php", "\xff", "\n", "x"}[r.IntN(7)]
		q.Text = text
		match = func(p string) bool {
			_, name := split(p)
			return strings.Contains(asciiLower(name), asciiLower(text))
		}
	}
	living := m.living()
	if len(living) == 0 {
		return
	}
	switch r.IntN(6) {
	case 0:
		q.Type = wire.NodeSymlink
	case 1:
		q.MinSize, q.MaxSize = 1, 1+r.Int64N(4)
	case 2:
		q.ModifiedFrom, q.ModifiedTo = -8, 1001
	case 3:
		q.At = &living[r.IntN(len(living))]
	case 4:
		q.Beneath = []byte("/" + components[r.IntN(3)])
	}
	want := m.search(q, match)
	var got []catalogue.Hit
	for {
		hits, more, err := c.Search(context.Background(), q, m.alive)
		if err != nil || len(hits) > q.Limit {
			t.Fatalf("search: %d hits, %v", len(hits), err)
		}
		got = append(got, hits...)
		if !more {
			break
		}
		q.After = hits[len(hits)-1].Path
	}
	if !slices.EqualFunc(got, want, sameHit) {
		t.Fatalf("search %+v: got %+v, want %+v", q, got, want)
	}
}

func asciiLower(s string) string {
	b := []byte(s)
	for i := range b {
		if 'A' <= b[i] && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

func sameHit(a, b catalogue.Hit) bool {
	return bytes.Equal(a.Path, b.Path) && same(a.Newest, b.Newest) && a.In == b.In && a.Versions == b.Versions &&
		a.First == b.First && a.Last == b.Last && a.Present == b.Present
}
