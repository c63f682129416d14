package access_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

const (
	benchYears   = 3
	benchPersons = 200
	benchLines   = 40 // on a list at any instant, however many there ever were
)

// benchHistory is a world with n spans in some customers' lists over three years,
// of which half were to last longer and were ended early.
func benchHistory(b *testing.B, d *db.DB, clock *dbtest.Clock, n, lists int) (*world, []customers.Customer) {
	b.Helper()
	w := newWorld(b, d, clock)
	all := []customers.Customer{w.maple}
	for i := 1; i < lists; i++ {
		all = append(all, w.customer(fmt.Sprintf("bench-%04d", i), fmt.Sprintf("Bench %d", i)))
	}
	begin := clock.Now().AddDate(-benchYears, 0, 0).UnixMilli()
	h := access.History{N: n, Begin: begin, End: clock.Now().UnixMilli()}
	h.Last = int64(float64(h.End-begin) * benchLines * float64(lists) / float64(n)) // of one span, on average
	for _, c := range all {
		h.Customers = append(h.Customers, c.ID)
	}
	for i := range benchPersons {
		h.People = append(h.People, must[access.Person](b)(w.access.AddPerson(w.ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: fmt.Sprintf("Person %03d", i)})).ID)
	}
	w.write(func(tx *db.Tx) error { return w.access.Bulk(tx, h) })
	return w, all
}

// BenchmarkListAt reads lists at any instant, as known at any other. 99 of 100
// are to take 20 ms at most, and a million spans a third longer than 10,000.
func BenchmarkListAt(b *testing.B) {
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		few := map[string][2]float64{} // p50 and p99 of 10,000 spans, by how many lists they are on
		for _, c := range []struct {
			n, lists int
			as       string
		}{{10_000, 10, "many"}, {1_000_000, 1000, "many"}, {10_000, 1, "one"}, {1_000_000, 1, "one"}} {
			b.Run(fmt.Sprintf("%s/spans=%d/customers=%d", engine, c.n, c.lists), func(b *testing.B) {
				clock := &dbtest.Clock{}
				d := benchDB(b, engine, clock)
				start := time.Now()
				w, all := benchHistory(b, d, clock, c.n, c.lists)
				fixture := time.Since(start)
				for b.Loop() {
					p50, p99, lines := readAnywhere(b, w, all)
					b.ReportMetric(p50, "p50-ms")
					b.ReportMetric(p99, "p99-ms")
					b.ReportMetric(lines, "lines")
					if before, there := few[c.as]; there && c.n > 10_000 {
						b.ReportMetric(p50/before[0], "p50-ratio")
						b.ReportMetric(p99/before[1], "p99-ratio")
					} else if c.n == 10_000 {
						few[c.as] = [2]float64{p50, p99}
					}
				}
				b.ReportMetric(fixture.Seconds(), "fixture-s")
			})
		}
	}
}

// readAnywhere reads 1,000 lists, and says how long the median and 99 of 100 took,
// in milliseconds, and how many lines one had on average.
func readAnywhere(b *testing.B, w *world, all []customers.Customer) (p50, p99, lines float64) {
	b.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	now := w.clock.Now()
	took := make([]time.Duration, 0, 1000)
	for range cap(took) {
		at := now.Add(-time.Duration(r.Int64N(int64(benchYears * 365 * 24 * time.Hour))))
		known := at.Add(time.Duration(r.Int64N(int64(now.Sub(at)) + 1)))
		if r.IntN(2) == 0 {
			known = now
		}
		start := time.Now()
		l, err := w.access.List(w.ctx, w.all, all[r.IntN(len(all))].ID, access.At{At: at, KnownAt: known})
		took = append(took, time.Since(start))
		if err != nil {
			b.Fatal(err)
		}
		lines += float64(len(l.Lines))
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return ms(took[len(took)/2]), ms(took[len(took)*99/100]), lines / float64(len(took))
}

func benchDB(b *testing.B, engine db.Dialect, clock *dbtest.Clock) *db.DB {
	if engine == db.Postgres {
		return dbtest.Postgres(b, clock)
	}
	return dbtest.SQLite(b, clock)
}

// BenchmarkLeave takes one person off the lists of 2,000 customers.
func BenchmarkLeave(b *testing.B) {
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			clock := &dbtest.Clock{}
			w := newWorld(b, benchDB(b, engine, clock), clock)
			for i := range 2000 {
				w.grant(w.customer(fmt.Sprintf("leave-%04d", i), fmt.Sprintf("Leave %d", i)), w.bob, "operator", 1000)
			}
			w.hours(1)
			for b.Loop() {
				start := time.Now()
				if n := must[int](b)(w.access.Leave(w.ctx, w.all, w.bob.ID, "his contract is over")); n != 2000 {
					b.Fatalf("taken off %d lists, want 2000", n)
				}
				b.ReportMetric(time.Since(start).Seconds(), "s")
			}
		})
	}
}

// BenchmarkVerifyReplay verifies 500,000 changes of lists against the ledger.
func BenchmarkVerifyReplay(b *testing.B) {
	const each, changes = 500, 500_000
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			clock := &dbtest.Clock{}
			w := newWorld(b, benchDB(b, engine, clock), clock)
			p := access.Part{Column: access.Enforced, Source: "bench", Customers: []string{w.maple.ID}}
			var wants []access.Want
			for i := range each {
				wants = append(wants, access.Want{Customer: w.maple.ID, Unknown: fmt.Sprintf("SHA256:%d", i), Way: access.WayLogin, Role: "root", Ground: fmt.Sprintf("key_%d", i)})
			}
			w.settle(p, wants...)
			clock.Advance(time.Minute)
			w.settle(p)
			w.write(func(tx *db.Tx) error { return w.access.Again(tx, "bench", changes/(2*each)) })
			for b.Loop() {
				start := time.Now()
				n, differ, err := w.access.VerifyReplay(w.ctx)
				if err != nil || n < changes || len(differ) > 0 {
					b.Fatalf("%d entries, %d differ, %v", n, len(differ), err)
				}
				b.ReportMetric(time.Since(start).Seconds(), "s")
			}
		})
	}
}
