package certs_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ostler/certs"
	"ostler/certs/limits"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

const days = 24 * time.Hour

// planned is a database with certificates, and a planner that reads it.
type planned struct {
	t testing.TB
	d *db.DB
	p *certs.Planner
}

func newPlanned(t testing.TB, d *db.DB) *planned {
	return &planned{t: t, d: d, p: certs.NewPlanner()}
}

func (p *planned) do(fn func(tx *db.Tx) error) {
	p.t.Helper()
	if err := p.d.Write(p.t.Context(), fn); err != nil {
		p.t.Fatal(err)
	}
}

// row is a certificate; instants are after dbtest.Start, 0 is none.
type row struct {
	id, customer, authority, from, open string
	life                                time.Duration // 0: it never had one
	ends                                time.Duration // of its life
	renew, next, poll, paused           time.Duration
	attempts                            int
}

func ms(after time.Duration) int64 {
	if after == 0 {
		return 0
	}
	return dbtest.Start.Add(after).UnixMilli()
}

// values are the row's columns; what is due is what is due first.
func (r row) values() map[string]any {
	v := map[string]any{"id": r.id, "server_id": r.id, "customer_id": r.customer, "authority_id": r.authority, "renew_from": r.from, "open_issue": r.open,
		"renew_at": ms(r.renew), "next_try": ms(r.next), "poll_at": ms(r.poll), "paused_until": ms(r.paused), "attempts": r.attempts}
	due := max(ms(r.renew), ms(r.next), ms(r.paused))
	if r.life > 0 {
		v["not_before"], v["not_after"], v["issued_round"] = ms(r.ends-r.life), ms(r.ends), 1
		v["window_start"], v["window_end"] = ms(r.renew)-1000, ms(r.renew)+3_600_000
	}
	if p := ms(r.poll); p > 0 && (p < due || due == 0) {
		due = p
	}
	if r.open != "" {
		due = ms(r.poll)
	}
	v["due_at"] = due
	return v
}

func (p *planned) add(rows ...row) {
	p.t.Helper()
	p.do(func(tx *db.Tx) error {
		insert, err := filler(tx, "certificates")
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := insert(r.values()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *planned) refresh() (read int) {
	p.t.Helper()
	if err := p.d.Read(p.t.Context(), func(tx *db.Tx) (err error) { read, err = p.p.Refresh(tx); return err }); err != nil {
		p.t.Fatal(err)
	}
	return read
}

// plenty is room for everything at the primary authority.
var plenty = map[string]certs.Room{"": {Slots: 1000, Orders: -1}}

func ids(due []certs.Due) (out []string) {
	for _, d := range due {
		out = append(out, d.Certificate)
	}
	return out
}

func TestPlanOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlanned(t, d)
		p.add(
			row{id: "new_2", customer: "cus_a", next: -time.Minute},
			row{id: "new_1", customer: "cus_b", next: -time.Hour},
			row{id: "renewal_late", life: 90 * days, ends: 29 * days, renew: -24 * time.Hour},
			row{id: "renewal", life: 90 * days, ends: 30 * days, renew: -time.Minute},
			row{id: "renewal_failing", life: 90 * days, ends: 28 * days, renew: -48 * time.Hour, next: -time.Hour, attempts: 3},
			row{id: "asked", life: 90 * days, ends: 80 * days, renew: -time.Second, from: "person"},
			row{id: "expiring_90", life: 90 * days, ends: 9 * days, renew: -20 * 24 * time.Hour},
			row{id: "expiring_160h", life: 160 * time.Hour, ends: 8 * time.Hour, renew: -70 * time.Hour},
			row{id: "expired", life: 90 * days, ends: -time.Hour, renew: -30 * 24 * time.Hour},
			row{id: "expired_failing", life: 90 * days, ends: -40 * 24 * time.Hour, renew: -70 * 24 * time.Hour, next: -time.Hour, attempts: 40},
			row{id: "short_on_time", life: 160 * time.Hour, ends: 80 * time.Hour, renew: -time.Second},
			row{id: "later", life: 90 * days, ends: 60 * days, renew: time.Hour},
			row{id: "new_later", next: time.Hour},
			row{id: "open", life: 90 * days, ends: 3 * days, renew: -time.Hour, open: "iss_1"},
			row{id: "paused", life: 90 * days, ends: 3 * days, renew: -time.Hour, paused: time.Hour},
		)
		if n := p.refresh(); n != 15 || p.p.Len() != 15 {
			t.Errorf("read %d rows, knows %d, want 15", n, p.p.Len())
		}
		due := p.p.Due(clock.Now(), plenty, 100)
		want := []string{"expired", "expiring_160h", "expiring_90", "expired_failing", "asked", "renewal_late", "renewal", "short_on_time", "renewal_failing", "new_1", "new_2"}
		if got := ids(due); !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		for _, c := range due {
			if !c.Class.Valid() {
				t.Errorf("%s: class %q", c.Certificate, c.Class)
			}
		}
		if got := ids(p.p.Due(clock.Now(), plenty, 2)); !slices.Equal(got, want[:2]) {
			t.Errorf("the first two: got %v, want %v", got, want[:2])
		}
	})
}

func TestPlanKeepsToRoom(t *testing.T) {
	d := dbtest.SQLite(t, &dbtest.Clock{})
	p := newPlanned(t, d)
	var rows []row
	for i := range 10 {
		rows = append(rows, row{id: fmt.Sprint("spared_", i), life: 90 * days, ends: 30 * days, renew: -time.Minute, from: "ari"},
			row{id: fmt.Sprint("new_", i), next: -time.Minute},
			row{id: fmt.Sprint("other_", i), authority: "ca_2", next: -time.Minute})
	}
	p.add(rows...)
	p.refresh()
	count := func(rooms map[string]certs.Room) (spared, fresh, other int) {
		for _, c := range p.p.Due(dbtest.Start, rooms, 100) {
			switch {
			case c.Authority == "ca_2":
				other++
			case c.Spared:
				spared++
			default:
				fresh++
			}
		}
		return spared, fresh, other
	}
	for _, tt := range []struct {
		name                 string
		rooms                map[string]certs.Room
		spared, fresh, other int
	}{
		{"plenty", map[string]certs.Room{"": {Slots: 100, Orders: -1}, "ca_2": {Slots: 100, Orders: -1}}, 10, 10, 10},
		{"no room there", map[string]certs.Room{"": {Slots: 100, Orders: -1}}, 10, 10, 0},
		{"twelve at a time", map[string]certs.Room{"": {Slots: 12, Orders: -1}, "ca_2": {Slots: 3, Orders: -1}}, 10, 2, 3},
		{"four orders", map[string]certs.Room{"": {Slots: 100, Orders: 4}}, 10, 4, 0},
		{"no orders", map[string]certs.Room{"": {Slots: 100}}, 10, 0, 0},
		{"blocked", map[string]certs.Room{"": {Slots: 100, Orders: -1, Blocked: dbtest.Start.Add(time.Second)}, "ca_2": {Slots: 1, Orders: -1, Blocked: dbtest.Start}}, 0, 0, 1},
		{"an authority that nobody has", map[string]certs.Room{"ca_9": {Slots: 100, Orders: -1}}, 0, 0, 0},
	} {
		if spared, fresh, other := count(tt.rooms); spared != tt.spared || fresh != tt.fresh || other != tt.other {
			t.Errorf("%s: %d spared, %d new, %d elsewhere, want %d, %d, %d", tt.name, spared, fresh, other, tt.spared, tt.fresh, tt.other)
		}
	}
}

// A hundred names that fail, in a class before or beside, hold twenty good ones
// up by no more than a third.
func TestPlanBrokenOnesHoldNobodyUp(t *testing.T) {
	for name, broken := range map[string]row{
		"expired":  {life: 90 * days, ends: -time.Hour, renew: -30 * 24 * time.Hour, next: -time.Minute, attempts: 9},
		"renewals": {life: 90 * days, ends: 29 * days, renew: -26 * time.Hour, next: -time.Minute, attempts: 2},
		"new":      {next: -2 * time.Hour, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlanned(t, dbtest.SQLite(t, &dbtest.Clock{}))
			var rows []row
			for i := range 100 {
				broken.id = fmt.Sprint("broken_", i)
				rows = append(rows, broken)
			}
			for i := range 20 {
				rows = append(rows, row{id: fmt.Sprint("good_", i), customer: "cus_good", next: -time.Minute})
			}
			p.add(rows...)
			rounds, good := 0, 0
			for ; good < 20; rounds++ {
				p.refresh()
				due := p.p.Due(dbtest.Start, map[string]certs.Room{"": {Slots: 8, Orders: -1}}, 100)
				if len(due) != 8 {
					t.Fatalf("round %d: %d begin, want all 8 slots used", rounds, len(due))
				}
				for _, c := range due {
					if c.Failures == 0 {
						good++
					}
				}
				p.do(func(tx *db.Tx) error {
					for _, c := range due { // they begin, and end before the next round
						err := tx.Exec("UPDATE certificates SET next_try = ?, renew_at = ?, attempts = 1, due_at = ? WHERE id = ?", ms(time.Hour), ms(time.Hour), ms(time.Hour), c.Certificate).Error
						if err != nil {
							return err
						}
					}
					return nil
				})
			}
			if rounds > 4 { // 3 with nothing broken
				t.Errorf("the good ones took %d rounds, want at most 4", rounds)
			}
		})
	}
}

// A customer who adds hundreds does not stand before one who adds a few.
func TestPlanTakesTurns(t *testing.T) {
	p := newPlanned(t, dbtest.SQLite(t, &dbtest.Clock{}))
	var rows []row
	for i := range 300 {
		rows = append(rows, row{id: fmt.Sprintf("many_%03d", i), customer: "cus_many", next: -time.Hour})
	}
	for i := range 3 {
		rows = append(rows, row{id: fmt.Sprint("few_", i), customer: "cus_few", next: -time.Minute})
	}
	p.add(rows...)
	p.refresh()
	few := 0
	for _, id := range ids(p.p.Due(dbtest.Start, plenty, 6)) {
		if id[:3] == "few" {
			few++
		}
	}
	if few != 3 {
		t.Errorf("%d of the first six are the second customer's, want all 3", few)
	}
}

func TestPlanRefresh(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlanned(t, d)
		var rows []row
		for i := range 200 {
			rows = append(rows, row{id: fmt.Sprint("later_", i), life: 90 * days, ends: 60 * days, renew: 30 * 24 * time.Hour, poll: 5 * time.Hour})
		}
		p.add(rows...)
		p.add(row{id: "due", next: -time.Minute}, row{id: "poll", life: 90 * days, ends: 60 * days, renew: 30 * 24 * time.Hour, poll: -time.Minute})
		p.refresh()
		see := func(when string, wantRead int, wantDue, wantPolls []string) {
			t.Helper()
			if got := p.refresh(); got != wantRead {
				t.Errorf("%s: read %d rows, want %d", when, got, wantRead)
			}
			if got := ids(p.p.Due(clock.Now(), plenty, 100)); !slices.Equal(got, wantDue) {
				t.Errorf("%s: due are %v, want %v", when, got, wantDue)
			}
			if got := p.p.Polls(clock.Now(), 100); !slices.Equal(got, wantPolls) {
				t.Errorf("%s: to be asked about are %v, want %v", when, got, wantPolls)
			}
		}
		see("at first", 2, []string{"due"}, []string{"poll"})
		p.do(func(tx *db.Tx) error {
			return tx.Exec("UPDATE certificates SET open_issue = 'iss_1', due_at = 0 WHERE id = 'due'").Error
		})
		see("begun", 2, nil, []string{"poll"})
		see("begun, and read again", 1, nil, []string{"poll"})
		p.do(func(tx *db.Tx) error {
			return tx.Exec("UPDATE certificates SET renew_at = ?, renew_from = 'ari', due_at = ? WHERE id = 'later_7'", ms(-time.Second), ms(-time.Second)).Error
		})
		see("an earlier window", 2, []string{"later_7"}, []string{"poll"})
		p.do(func(tx *db.Tx) error {
			return tx.Exec("UPDATE certificates SET ended_at = 1, due_at = 0 WHERE id IN ('later_7', 'poll')").Error
		})
		see("ended", 0, nil, []string{})
		if got := p.p.Len(); got != 200 {
			t.Errorf("knows %d, want 200: two have ended", got)
		}
		p.add(row{id: "added", next: 5 * time.Minute})
		see("added", 1, nil, []string{})
		clock.Advance(6 * time.Minute)
		see("its time has come", 1, []string{"added"}, []string{})
		clock.Advance(time.Hour)
		if got := p.refresh(); got != 201 {
			t.Errorf("an hour later: read %d rows, want all 201", got)
		}
	})
}

func TestPlanLoad(t *testing.T) {
	p := newPlanned(t, dbtest.SQLite(t, &dbtest.Clock{}))
	at := dbtest.Start.Add(100 * time.Hour)
	for i := range 5 {
		p.add(row{id: fmt.Sprint("crt_", i), life: 90 * days, ends: 60 * days, renew: 100*time.Hour + time.Duration(i)*time.Minute})
	}
	p.refresh()
	if got := p.p.Load(at.Add(59 * time.Minute)); got != 5 {
		t.Errorf("%d renewals in that hour, want 5", got)
	}
	p.p.Planned("crt_0", at.Add(2*time.Hour))
	p.p.Planned("crt_unknown", at)
	if got, next := p.p.Load(at), p.p.Load(at.Add(2*time.Hour)); got != 4 || next != 1 {
		t.Errorf("%d and %d renewals after one was moved, want 4 and 1", got, next)
	}
}

func TestSweepKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []string
		for i := range 3000 {
			all = append(all, fmt.Sprint("crt_", i))
		}
		var mu sync.Mutex
		seconds, seen := map[int64]int{}, map[string]int{}
		began := time.Now()
		s := certs.Sweep{Pacer: limits.NewPacer(limits.LetsEncryptPace()), Now: time.Now, Ask: func(_ context.Context, id string) {
			mu.Lock()
			seconds[int64(time.Since(began)/time.Second)]++
			seen[id]++
			mu.Unlock()
			time.Sleep(50 * time.Millisecond)
		}}
		n, err := s.Run(t.Context(), all)
		if err != nil || n != len(all) || len(seen) != len(all) {
			t.Errorf("asked about %d, of which %d different (%v), want 3,000", n, len(seen), err)
		}
		for second, n := range seconds {
			if n > 1000 {
				t.Errorf("second %d: %d requests, want at most 1,000", second, n)
			}
		}
		if took := time.Since(began); took > 3400*time.Millisecond {
			t.Errorf("3,000 took %s, want 3.3 s", took)
		}
	})
}

// What a slow database takes to keep answers is not added to what a CA takes.
func TestSweepKeepsWhileItAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []string
		for i := range 3000 {
			all = append(all, fmt.Sprint("crt_", i))
		}
		var mu sync.Mutex
		answered, kept := map[string]bool{}, map[string]int{}
		began := time.Now()
		s := certs.Sweep{Pacer: limits.NewPacer(limits.LetsEncryptPace()), Now: time.Now, Ask: func(_ context.Context, id string) {
			time.Sleep(50 * time.Millisecond)
			mu.Lock()
			answered[id] = true
			mu.Unlock()
		}, Keep: func(_ context.Context, ids []string) {
			time.Sleep(time.Duration(len(ids)) * 900 * time.Microsecond)
			if len(ids) > 250 {
				t.Errorf("%d are kept at once, want at most 250", len(ids))
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				kept[id]++
				if !answered[id] || kept[id] > 1 {
					t.Errorf("%s: kept %d times, answered: %t", id, kept[id], answered[id])
				}
			}
		}}
		if n, err := s.Run(t.Context(), all); err != nil || n != len(all) || len(kept) != len(all) {
			t.Errorf("asked about %d, kept %d (%v), want 3,000", n, len(kept), err)
		}
		if took := time.Since(began); took > 3700*time.Millisecond {
			t.Errorf("3,000 took %s, want not much over the 3.3 s that asking takes", took)
		}
	})
}

func TestSweepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		kept := 0
		s := certs.Sweep{Pacer: limits.NewPacer(limits.LetsEncryptPace()), Now: time.Now, Workers: 10, Keep: func(ctx context.Context, ids []string) {
			if ctx.Err() != nil {
				t.Error("what was asked cannot be kept any more")
			}
			kept += len(ids)
		}, Ask: func(ctx context.Context, _ string) {
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}}
		n, err := s.Run(ctx, make([]string, 100_000))
		if err == nil || n < 150 || n > 250 || kept != n {
			t.Errorf("asked about %d in a second, 10 at a time, kept %d (%v), want about 200 and an error", n, kept, err)
		}
	})
}
