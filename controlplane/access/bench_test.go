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
	var people []access.Person
	for i := range benchPersons {
		p := must[access.Person](b)(w.access.AddPerson(w.ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: fmt.Sprintf("Person %03d", i)}))
		people = append(people, p)
	}
	r := rand.New(rand.NewPCG(1, uint64(n)))
	end := clock.Now()
	begin := end.AddDate(-benchYears, 0, 0).UnixMilli()
	whole := end.UnixMilli() - begin
	last := int64(float64(whole) * benchLines * float64(lists) / float64(n)) // of one span, on average
	for done := 0; done < n; {
		part := make([]access.Bulk, 0, 10_000)
		for range min(10_000, n-done) {
			from := begin + r.Int64N(whole)
			until := from + last/2 + r.Int64N(last+1)
			planned := until
			if r.IntN(2) == 0 {
				planned += last + r.Int64N(92*24*3_600_000)
			}
			part = append(part, access.Bulk{Customer: all[done%lists].ID, Person: people[r.IntN(benchPersons)].ID, From: from, Until: until, Planned: planned})
			done++
		}
		w.write(func(tx *db.Tx) error { return w.access.InsertBulk(tx, part) })
	}
	if d.Dialect() == db.Postgres {
		w.write(func(tx *db.Tx) error { return tx.Exec("ANALYZE access_spans").Error })
	}
	return w, all
}

// BenchmarkListAt reads lists at any instant, as known at any other. 99 of 100
// are to take 20 ms at most, and a million spans a third longer than 10,000.
func BenchmarkListAt(b *testing.B) {
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		for _, c := range []struct{ n, lists int }{{10_000, 10}, {1_000_000, 1000}, {10_000, 1}, {1_000_000, 1}} {
			b.Run(fmt.Sprintf("%s/spans=%d/customers=%d", engine, c.n, c.lists), func(b *testing.B) {
				clock := &dbtest.Clock{}
				d := benchDB(b, engine, clock)
				w, all := benchHistory(b, d, clock, c.n, c.lists)
				r := rand.New(rand.NewPCG(3, 4))
				for b.Loop() {
					took := make([]time.Duration, 0, 1000)
					lines := 0
					for range cap(took) {
						at := clock.Now().Add(-time.Duration(r.Int64N(int64(benchYears * 365 * 24 * time.Hour))))
						known := at.Add(time.Duration(r.Int64N(int64(clock.Now().Sub(at)) + 1)))
						if r.IntN(2) == 0 {
							known = clock.Now()
						}
						start := time.Now()
						l, err := w.access.List(w.ctx, w.all, all[r.IntN(len(all))].ID, access.At{At: at, KnownAt: known})
						took = append(took, time.Since(start))
						if err != nil {
							b.Fatal(err)
						}
						lines += len(l.Lines)
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
					b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
					b.ReportMetric(float64(lines)/float64(len(took)), "lines")
				}
			})
		}
	}
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
	clock := &dbtest.Clock{}
	w := newWorld(b, dbtest.SQLite(b, clock), clock)
	const each = 500
	for done := 0; done < 500_000; done += 2 * each {
		p := access.Part{Column: access.Enforced, Source: "bench", Customers: []string{w.maple.ID}}
		var wants []access.Want
		for i := range each {
			wants = append(wants, access.Want{Customer: w.maple.ID, Unknown: fmt.Sprintf("SHA256:%d", i), Way: access.WayLogin, Role: "root", Ground: fmt.Sprintf("key_%d", i)})
		}
		w.settle(p, wants...)
		clock.Advance(time.Minute)
		w.settle(p)
		clock.Advance(time.Minute)
	}
	for b.Loop() {
		start := time.Now()
		n, differ, err := w.access.VerifyReplay(w.ctx)
		if err != nil || n < 500_000 || len(differ) > 0 {
			b.Fatalf("%d entries, %d differ, %v", n, len(differ), err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s")
	}
}
