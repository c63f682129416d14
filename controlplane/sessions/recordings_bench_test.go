package sessions_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

func eachEngine(b *testing.B, fn func(b *testing.B, d *db.DB, clock *dbtest.Clock)) {
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			clock := &dbtest.Clock{}
			d := dbtest.SQLite
			if engine == db.Postgres {
				d = dbtest.Postgres
			}
			fn(b, d(b, clock), clock)
		})
	}
}

// took reports a share of the times that something took, in milliseconds.
func took(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "p95-ms")
}

// BenchmarkSeek goes to any instant of a recording of eight hours: it is opened,
// and what is shown from there on is read. 95 of 100 are to take 200 ms at most.
func BenchmarkSeek(b *testing.B) {
	eachEngine(b, func(b *testing.B, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(b, d, clock)
		x := r.stored(func(began time.Time) []teleport.Event {
			t := newTape(began)
			for i := range 8 * 3600 {
				t.print(time.Duration(i)*time.Second, fmt.Sprintf("\x1b[32m%d\x1b[0m of building %s\r\n", i, strings.Repeat("a part and ", 20)))
			}
			return t.end(8 * time.Hour)
		}, r.Maple)
		rnd := rand.New(rand.NewPCG(1, 2))
		buf := make([]byte, 64<<10)
		var times []time.Duration
		for b.Loop() {
			for range 200 {
				start := time.Now()
				c := must[*sessions.Cast](b)(r.sessions.OpenCast(r.Ctx, r.all, x.ID, "vwg_1"))
				must[sessions.Mark](b)(c.SeekTime(time.Duration(rnd.Int64N(int64(8 * time.Hour)))))
				if _, err := io.ReadFull(c, buf); err != nil && err != io.ErrUnexpectedEOF {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
		}
		took(b, times)
		b.ReportMetric(float64(x.Recording.CastBytes)/1e6, "MB")
	})
}

// BenchmarkSearchCommands searches a thousand sessions of sixty commands each for
// what few of them have. It is to take 500 ms at most.
func BenchmarkSearchCommands(b *testing.B) {
	eachEngine(b, func(b *testing.B, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(b, d, clock)
		rnd := rand.New(rand.NewPCG(1, 2))
		words := strings.Fields("systemctl restart nginx journalctl -u php-fpm tail -f /var/log/syslog vim /etc/hosts grep -r error /srv/www du -sh df -h apt-get update")
		for i := range 1000 {
			commands := make([]string, 60)
			for k := range commands {
				commands[k] = fmt.Sprintf("%s %s %s --number %d", words[rnd.IntN(len(words))], words[rnd.IntN(len(words))], words[rnd.IntN(len(words))], rnd.IntN(1e6))
			}
			if i%50 == 0 {
				commands[30] = "cat /etc/shadow"
			}
			p := sessions.Planted{SID: fmt.Sprintf("sid-%d", i), Kind: sessions.Interactive, Host: "maple-1", Server: r.MapleOne.ID, Customers: []string{r.Maple.ID},
				Person: r.bobPerson.ID, Name: "Bob Builder", Started: clock.Now().Add(-time.Duration(i) * time.Hour), Ended: clock.Now()}
			r.Write(func(tx *db.Tx) error { return r.sessions.PlantCommands(tx, p, commands) })
		}
		var times []time.Duration
		for b.Loop() {
			for range 10 {
				start := time.Now()
				if got := r.search(sessions.CommandQuery{Text: "etc/shadow"}); len(got) != 20 {
					b.Fatalf("got %d sessions, want 20", len(got))
				}
				times = append(times, time.Since(start))
			}
		}
		took(b, times)
	})
}

// BenchmarkFetch brings a recording of 2.3 MB: converted, packed, sealed, stored.
func BenchmarkFetch(b *testing.B) {
	eachEngine(b, func(b *testing.B, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(b, d, clock)
		var times []time.Duration
		for b.Loop() {
			id := r.session(func(began time.Time) []teleport.Event {
				t := newTape(began)
				for size, i := 0, 0; size < 2_300_000; i++ {
					t.print(time.Duration(i)*150*time.Millisecond, fmt.Sprintf("\x1b[32m%d\x1b[0m of building %s\r\n", i, strings.Repeat("a part and ", 5)))
					size += len(t.list[len(t.list)-1].Raw)
				}
				return t.end(time.Hour)
			}, r.Maple)
			start := time.Now()
			if err := r.sessions.FetchOnce(r.Ctx, id); err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(start))
		}
		took(b, times)
	})
}
