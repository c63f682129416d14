package catalogue_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
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

// BenchmarkMillion builds the catalogue of a million files once, and reports
// what everything costs.
func BenchmarkMillion(b *testing.B) {
	if testing.Short() {
		b.Skip("a million files")
	}
	const files = 1_000_000
	ctx := context.Background()
	var (
		list bytes.Buffer
		p    = newPlan(b)
	)
	p.cache = catalogue.NewCache(256 << 20)
	var entries []catalogue.Entry
	million(files, func(e catalogue.Entry) { entries = append(entries, e) })
	b.Run("listing", func(b *testing.B) {
		for b.Loop() {
			list.Reset()
			start := cpu()
			w := catalogue.NewListingWriter(&list, catalogue.ListingOptions{TempDir: b.TempDir()})
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
	})
	entries = nil
	runtime.GC()
	merge := func(b *testing.B, ord catalogue.Ordinal) {
		start := cpu()
		m, _, stats, err := p.open().Append(ctx, ord, catalogue.ReadListing(bytes.NewReader(list.Bytes())))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric((cpu() - start).Seconds(), "CPU-s")
		b.ReportMetric(float64(stats.Written)/1e6, "MB")
		p.manifest = m
	}
	b.Run("append/first", func(b *testing.B) {
		for b.Loop() {
			p.manifest = catalogue.Manifest{}
			merge(b, 0)
		}
	})
	b.Run("append/unchanged", func(b *testing.B) {
		for b.Loop() {
			merge(b, p.manifest.Next)
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
		for _, warm := range []bool{false, true} {
			b.Run(fmt.Sprintf("search/%s/warm=%v", q.name, warm), func(b *testing.B) {
				n := 0
				for b.Loop() {
					c := p.open()
					if !warm {
						c = catalogue.Open(p.store, p.manifest, catalogue.NewCache(256<<20))
					}
					hits, _, err := c.Search(ctx, q.q, nil)
					if err != nil {
						b.Fatal(err)
					}
					n = len(hits)
				}
				b.ReportMetric(float64(n), "hits")
				b.ReportMetric(float64(p.cache.Used())/1e6, "cache-MB")
			})
		}
	}
	b.Run("folder/cold", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i++
			c := catalogue.Open(p.store, p.manifest, nil)
			dir := fmt.Appendf(nil, "/srv/site%04d.example/web/plugin-%02d", i%400, i%60)
			e, found, _, err := c.Folder(ctx, 0, dir, 1000)
			if err != nil || !found || len(e) != 20 {
				b.Fatal(len(e), found, err)
			}
		}
	})
	b.Run("walk/root", func(b *testing.B) {
		for b.Loop() {
			if err := p.open().Walk(ctx, 0, []byte("/"), func(catalogue.Entry) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
