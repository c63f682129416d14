package catalogue_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
)

// million makes the entries of a server with so many files, in restic's order:
// sites with the same software, uploads with names and times of their own, and
// mail, whose names are hardly to be packed.
func million(files int, each func(catalogue.Entry)) {
	r := rand.New(rand.NewPCG(1, 2))
	made := 0
	base := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	dir := func(path string) {
		each(catalogue.Entry{Path: []byte(path), Type: wire.NodeDir, MTime: base + r.Int64N(3e10), Mode: 0o755, UID: 1000, GID: 1000})
	}
	file := func(path string, size, mtime int64) {
		made++
		each(catalogue.Entry{Path: []byte(path), Type: wire.NodeFile, Size: size, MTime: mtime, Mode: 0o644, UID: 1000, GID: 1000})
	}
	dir("/srv")
	for site := 0; made < files; site++ {
		root := fmt.Sprintf("/srv/site%04d.example", site)
		installed := base + r.Int64N(3e7)*1000
		dir(root)
		dir(root + "/mail")
		for i := range 4 {
			box := fmt.Sprintf("%s/mail/box%d", root, i)
			dir(box)
			for _, name := range sorted(100, func() string {
				return fmt.Sprintf("%d.M%dP%d.mx1,S=%d:2,S", 1700000000+r.IntN(3e7), r.IntN(1e6), r.IntN(30000), r.IntN(90000))
			}) {
				file(box+"/"+name, 500+r.Int64N(90000), base+r.Int64N(3e10))
			}
		}
		dir(root + "/web")
		for i := range 60 {
			sub := fmt.Sprintf("%s/web/plugin-%02d", root, i)
			dir(sub)
			for k := range 20 {
				file(fmt.Sprintf("%s/class-widget-%02d.php", sub, k), int64(200+(i*k*7919)%40000), installed+int64(i)*1000)
			}
		}
		dir(root + "/web/uploads")
		for month := 1; month <= 12; month++ {
			sub := fmt.Sprintf("%s/web/uploads/2024-%02d", root, month)
			dir(sub)
			for _, name := range sorted(33, func() string {
				return fmt.Sprintf("IMG_2024%02d%02d_%06d-%dx768.jpg", month, 1+r.IntN(28), r.IntN(240000), 1024-256*r.IntN(3))
			}) {
				file(sub+"/"+name, 20000+r.Int64N(4e6), base+r.Int64N(3e10))
			}
		}
	}
}

func sorted(n int, name func() string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = name()
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMillion builds the catalogue of a million files, and reports what
// everything costs, in CPU seconds too: a busy machine does not change those much.
func BenchmarkMillion(b *testing.B) {
	if testing.Short() {
		b.Skip("a million files")
	}
	list := &bytes.Buffer{}
	p := newPlan(b)
	p.cache = catalogue.NewCache(256 << 20)
	b.Run("listing", func(b *testing.B) {
		var entries []catalogue.Entry
		million(1_000_000, func(e catalogue.Entry) { entries = append(entries, e) })
		for b.Loop() {
			list.Reset()
			benchListing(b, list, entries)
		}
	})
	b.Run("append/first", func(b *testing.B) {
		for b.Loop() {
			p.manifest = catalogue.Manifest{}
			benchAppend(b, p, list.Bytes())
		}
	})
	b.Run("append/unchanged", func(b *testing.B) {
		for b.Loop() {
			benchAppend(b, p, list.Bytes())
		}
	})
	for _, q := range []struct {
		name string
		q    catalogue.Query
	}{
		{"rare", catalogue.Query{Text: "M5551"}},
		{"none", catalogue.Query{Text: "no such name"}},
		{"common", catalogue.Query{Text: "widget"}},
		{"extension", catalogue.Query{Ext: "docx"}},
		{"glob", catalogue.Query{Text: "IMG_*_1234??-*.jpg"}},
		{"path", catalogue.Query{Text: "site0123.example/web/uploads/2024-07/img_2024"}},
		{"size", catalogue.Query{MinSize: 4_019_000}},
	} {
		b.Run("search/"+q.name+"/cold", func(b *testing.B) { benchSearch(b, p, q.q, false) })
		b.Run("search/"+q.name+"/warm", func(b *testing.B) { benchSearch(b, p, q.q, true) })
	}
	b.Run("folder/cold", func(b *testing.B) { benchFolder(b, p) })
	b.Run("walk/root", func(b *testing.B) {
		for b.Loop() {
			if err := p.open().Walk(context.Background(), 0, []byte("/"), func(catalogue.Entry) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchListing(b *testing.B, list *bytes.Buffer, entries []catalogue.Entry) {
	start := cpu()
	w := catalogue.NewListingWriter(list, catalogue.ListingOptions{TempDir: b.TempDir()})
	for i := range entries {
		if err := w.Add(entries[i]); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric((cpu() - start).Seconds(), "CPU-s")
	b.ReportMetric(float64(list.Len())/1e6, "MB")
}

func benchAppend(b *testing.B, p *plan, list []byte) {
	start := cpu()
	m, _, stats, err := p.open().Append(context.Background(), p.manifest.Next, catalogue.ReadListing(bytes.NewReader(list)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric((cpu() - start).Seconds(), "CPU-s")
	b.ReportMetric(float64(stats.Written)/1e6, "MB")
	p.manifest = m
}

func benchSearch(b *testing.B, p *plan, q catalogue.Query, warm bool) {
	search := func(c *catalogue.Catalogue) int {
		hits, _, err := c.Search(context.Background(), q, nil)
		if err != nil {
			b.Fatal(err)
		}
		return len(hits)
	}
	n := search(p.open())
	start := cpu()
	for b.Loop() {
		c := p.open()
		if !warm {
			c = catalogue.Open(p.store, p.manifest, catalogue.NewCache(256<<20))
		}
		search(c)
	}
	b.ReportMetric(float64((cpu()-start).Milliseconds())/float64(b.N), "CPU-ms/op")
	b.ReportMetric(float64(n), "hits")
	b.ReportMetric(float64(p.cache.Used())/1e6, "cache-MB")
}

func benchFolder(b *testing.B, p *plan) {
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		c := catalogue.Open(p.store, p.manifest, nil)
		dir := fmt.Appendf(nil, "/srv/site%04d.example/web/plugin-%02d", i%400, i%60)
		start := time.Now()
		e, found, _, err := c.Folder(context.Background(), 0, dir, 1000)
		took = append(took, time.Since(start))
		if err != nil || !found || len(e) != 20 {
			b.Fatal(len(e), found, err)
		}
	}
	reportP95(b, took)
}

func reportP95(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
}

// historyFiles is how many files each of the 427 snapshots has. All of them are
// written and merged, so a million takes most of an hour.
func historyFiles(b *testing.B) int {
	text := os.Getenv("OSTLERTEST_HISTORY_FILES")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkSnapshots keeps 427 snapshots, each with a hundredth of its files
// changed, and asks for the history of paths.
func BenchmarkSnapshots(b *testing.B) {
	if testing.Short() {
		b.Skip("427 snapshots")
	}
	p := newPlan(b)
	var entries []catalogue.Entry
	million(historyFiles(b), func(e catalogue.Entry) { entries = append(entries, e) })
	r := rand.New(rand.NewPCG(3, 4))
	var written int64
	for ord := range catalogue.Ordinal(427) {
		entries[1000].MTime++ // one that changes each time
		for range len(entries) / 100 {
			if e := &entries[r.IntN(len(entries))]; e.Type == wire.NodeFile {
				e.Size, e.MTime = e.Size+r.Int64N(100), e.MTime+r.Int64N(1e9)
			}
		}
		data := listing(b, entries, catalogue.ListingOptions{})
		m, obsolete, stats, err := p.open().Append(context.Background(), ord, catalogue.ReadListing(bytes.NewReader(data)))
		if err != nil {
			b.Fatal(err)
		}
		written += stats.Written
		p.swap(m, obsolete)
		if ord%50 == 49 {
			b.Logf("%d snapshots of %d entries: %.1f MB", ord+1, len(entries), float64(m.Bytes())/1e6)
		}
	}
	for _, cold := range []bool{true, false} {
		b.Run(fmt.Sprintf("history/cold=%v", cold), func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				c := p.open()
				if cold {
					c = catalogue.Open(p.store, p.manifest, nil)
				}
				path := entries[r.IntN(len(entries))].Path
				if i%2 == 0 {
					path = entries[1000].Path
				}
				start := time.Now()
				v, err := c.History(context.Background(), path, nil)
				took = append(took, time.Since(start))
				if err != nil || i%2 == 0 && len(v) < 420 {
					b.Fatal(len(v), err)
				}
			}
			reportP95(b, took)
			b.ReportMetric(float64(len(p.manifest.Segments)), "segments")
			b.ReportMetric(float64(p.manifest.Bytes())/1e6, "MB")
			b.ReportMetric(float64(written)/1e6, "MB-written")
		})
	}
}
