package access_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
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
	all := []customers.Customer{w.Maple}
	for i := 1; i < lists; i++ {
		all = append(all, w.Customer(fmt.Sprintf("bench-%04d", i), fmt.Sprintf("Bench %d", i)))
	}
	begin := clock.Now().AddDate(-benchYears, 0, 0).UnixMilli()
	h := access.History{N: n, Begin: begin, End: clock.Now().UnixMilli()}
	h.Last = int64(float64(h.End-begin) * benchLines * float64(lists) / float64(n)) // of one span, on average
	for _, c := range all {
		h.Customers = append(h.Customers, c.ID)
	}
	for i := range benchPersons {
		h.People = append(h.People, must[access.Person](b)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: fmt.Sprintf("Person %03d", i)})).ID)
	}
	w.Write(func(tx *db.Tx) error { return w.access.Bulk(tx, h) })
	return w, all
}

// BenchmarkListAt reads lists at any instant, as known at any other. 99 of 100
// are to take 20 ms at most, and a million spans a third longer than 10,000. Both
// stand open at once and are read in turns, in no order: whatever else the machine
// does meets both alike.
func BenchmarkListAt(b *testing.B) {
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		for _, c := range []struct {
			as        string
			few, many int // lists that the spans are on
		}{{"many", 10, 1000}, {"one", 1, 1}} {
			b.Run(fmt.Sprintf("%s/customers=%s", engine, c.as), func(b *testing.B) {
				few, many := newReadings(b, engine, 10_000, c.few), newReadings(b, engine, 1_000_000, c.many)
				var p50, p99, cpu []float64 // of each round: a machine that is busy for a while spoils one
				for b.Loop() {
					r := rand.New(rand.NewPCG(3, 4))
					for range benchRounds {
						f, m := readInTurns(b, r, few, many)
						p50, p99, cpu = append(p50, m.wall(50)/f.wall(50)), append(p99, m.wall(99)/f.wall(99)), append(cpu, m.cpu()/f.cpu())
					}
				}
				few.report(b, "10k")
				many.report(b, "1M")
				b.ReportMetric(median(p50), "p50-ratio")
				b.ReportMetric(median(p99), "p99-ratio")
				b.ReportMetric(median(cpu), "cpu-ratio")
			})
		}
	}
}

// readings are a world whose lists are read, and how long that took each time: by
// the clock, and of this process's processors (the database's own are not in it
// where that is PostgreSQL).
type readings struct {
	w          *world
	all        []customers.Customer
	took, busy []time.Duration
	lines      int
}

const benchRounds, benchReads = 7, 1000 // of each world

func newReadings(b *testing.B, engine db.Dialect, n, lists int) *readings {
	clock := &dbtest.Clock{}
	w, all := benchHistory(b, benchDB(b, engine, clock), clock, n, lists)
	return &readings{w: w, all: all}
}

// readInTurns reads lists of two worlds, each at the same instants as the other,
// and returns what that took.
func readInTurns(b *testing.B, r *rand.Rand, few, many *readings) (f, m readings) {
	b.Helper()
	now, done := few.w.Clock.Now(), len(few.took)
	for range benchReads {
		at := now.Add(-time.Duration(r.Int64N(int64(benchYears * 365 * 24 * time.Hour))))
		known := at.Add(time.Duration(r.Int64N(int64(now.Sub(at)) + 1)))
		if r.IntN(2) == 0 {
			known = now
		}
		turn := []*readings{few, many}
		if r.IntN(2) == 0 {
			turn = []*readings{many, few}
		}
		which := r.IntN(len(many.all))
		for _, w := range turn {
			w.read(b, which%len(w.all), access.At{At: at, KnownAt: known})
		}
	}
	return readings{took: few.took[done:], busy: few.busy[done:]}, readings{took: many.took[done:], busy: many.busy[done:]}
}

func median(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }

func (r *readings) read(b *testing.B, which int, at access.At) {
	b.Helper()
	start, busy := time.Now(), processorTime(b)
	l, err := r.w.access.List(r.w.Ctx, r.w.all, r.all[which].ID, at)
	r.took, r.busy = append(r.took, time.Since(start)), append(r.busy, processorTime(b)-busy)
	if err != nil {
		b.Fatal(err)
	}
	r.lines += len(l.Lines)
}

// processorTime is how long this process's threads have run.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// wall is how long so many of 100 readings took at most, in milliseconds.
func (r *readings) wall(of100 int) float64 {
	took := slices.Sorted(slices.Values(r.took))
	return float64(took[len(took)*of100/100].Microseconds()) / 1000
}

// cpu is how long a reading kept the processors on average, in milliseconds.
func (r *readings) cpu() float64 {
	var all time.Duration
	for _, d := range r.busy {
		all += d
	}
	return float64(all.Microseconds()) / 1000 / float64(len(r.busy))
}

func (r *readings) report(b *testing.B, as string) {
	b.ReportMetric(r.wall(50), as+"-p50-ms")
	b.ReportMetric(r.wall(99), as+"-p99-ms")
	b.ReportMetric(r.cpu(), as+"-cpu-ms")
	b.ReportMetric(float64(r.lines)/float64(len(r.took)), as+"-lines")
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
				w.grant(w.Customer(fmt.Sprintf("leave-%04d", i), fmt.Sprintf("Leave %d", i)), w.bob, "operator", 1000)
			}
			w.hours(1)
			for b.Loop() {
				start := time.Now()
				if n := must[int](b)(w.access.Leave(w.Ctx, w.all, w.bob.ID, "his contract is over")); n != 2000 {
					b.Fatalf("taken off %d lists, want 2000", n)
				}
				b.ReportMetric(time.Since(start).Seconds(), "s")
			}
		})
	}
}

// BenchmarkVerifyReplay verifies 500,000 changes of lists against the ledger, and
// then again, with one of the rows changed beside it.
func BenchmarkVerifyReplay(b *testing.B) {
	const each, changes = 500, 500_000
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			clock := &dbtest.Clock{}
			w := newWorld(b, benchDB(b, engine, clock), clock)
			p := access.Part{Column: access.Enforced, Source: "bench", Customers: []string{w.Maple.ID}}
			var wants []access.Want
			for i := range each {
				wants = append(wants, access.Want{Customer: w.Maple.ID, Unknown: fmt.Sprintf("SHA256:%d", i), Way: access.WayLogin, Role: "root", Ground: fmt.Sprintf("key_%d", i)})
			}
			w.settle(p, wants...)
			clock.Advance(time.Minute)
			w.settle(p)
			start := time.Now()
			if err := w.access.Again(w.Ctx, "bench", changes/(2*each), w.sequence); err != nil {
				b.Fatal(err)
			}
			fixture := time.Since(start)
			for b.Loop() {
				w.replays(b, "verified", changes, nil)
				span := w.tamper(b)
				w.replays(b, "one-changed", changes, []string{span})
			}
			b.ReportMetric(fixture.Seconds(), "fixture-s")
		})
	}
}

// replays verifies at least so many entries, of which these spans differ, and
// says how long it took.
func (w *world) replays(b *testing.B, as string, entries int, want []string) {
	b.Helper()
	start, busy := time.Now(), processorTime(b)
	n, differ, err := w.access.VerifyReplay(w.Ctx)
	if err != nil || n < entries || !slices.Equal(differ, want) {
		b.Fatalf("got %d entries, %v differ, %v; want %d and %v", n, differ, err, entries, want)
	}
	b.ReportMetric(time.Since(start).Seconds(), as+"-s")
	b.ReportMetric((processorTime(b) - busy).Seconds(), as+"-cpu-s")
}
