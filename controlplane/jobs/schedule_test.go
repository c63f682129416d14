package jobs_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
)

// nightly is a schedule at 10:00 UTC, one hour after the test's clock starts.
func nightly(key string) jobs.Schedule {
	return jobs.Schedule{Key: key, Kind: "backup", Customer: customer, Subject: "pln_1", Cron: "0 10 * * *", Zone: "UTC", Enabled: true}
}

func (p *plane) put(s jobs.Schedule) jobs.Schedule {
	p.t.Helper()
	p.write(func(tx *db.Tx) (err error) {
		s, err = p.PutSchedule(tx, s)
		return err
	})
	return s
}

// recorder notes what was due.
type recorder struct {
	mu  sync.Mutex
	due []string
}

func (r *recorder) handle(tx *db.Tx, s jobs.Schedule, at time.Time) error {
	tx.AfterCommit(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.due = append(r.due, s.Key+" "+at.Format("02 15:04"))
	})
	return nil
}

func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.due)
	if !slices.Equal(r.due, want) {
		t.Errorf("due: got %q, want %q", r.due, want)
	}
	r.due = nil
}

func TestScheduleRunsOnceInTwoReplicas(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		one := newPlane(t, d)
		two := one.restart(jobs.Options{})
		var r recorder
		one.HandleSchedule("backup", r.handle)
		two.HandleSchedule("backup", r.handle)
		for _, key := range []string{"a", "b", "c"} {
			one.put(nightly(key))
		}
		one.must(one.Tick(one.ctx))
		r.want(t) // not yet
		clock.Advance(time.Hour)
		var wg sync.WaitGroup
		for _, p := range []*plane{one, two, one, two} {
			wg.Go(func() {
				if err := p.Tick(p.ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		r.want(t, "a 20 10:00", "b 20 10:00", "c 20 10:00")
		if s := one.put(nightly("a")); !s.NextAt.Equal(dbtest.Start.Add(25*time.Hour)) || !s.LastAt.Equal(dbtest.Start.Add(time.Hour)) {
			t.Errorf("after its run: next %s, last %s", s.NextAt, s.LastAt)
		}
	})
}

func TestScheduleMissed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		var r recorder
		p.HandleSchedule("backup", r.handle)
		catchUp, often, skip := nightly("catch-up"), nightly("often"), nightly("skip")
		catchUp.CatchUp, often.CatchUp = true, true
		often.Cron = "*/10 * * * *"
		for _, s := range []jobs.Schedule{catchUp, often, skip} {
			p.put(s)
		}
		clock.Advance(3*24*time.Hour + 90*time.Minute) // the 23rd, 10:30
		p.must(p.Tick(p.ctx))
		r.want(t, "catch-up 23 10:00", "often 23 10:30")
		p.must(p.Tick(p.ctx))
		r.want(t)
		clock.Advance(23*time.Hour + 33*time.Minute)
		p.must(p.Tick(p.ctx)) // three minutes late is in time
		r.want(t, "catch-up 24 10:00", "often 24 10:00", "skip 24 10:00")
	})
}

func TestScheduleFailingDueComesAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		p := newPlane(t, d)
		var r recorder
		broken := true
		p.HandleSchedule("backup", func(tx *db.Tx, s jobs.Schedule, at time.Time) error {
			if broken && s.Key == "a" {
				return errors.New("no")
			}
			return r.handle(tx, s, at)
		})
		p.put(nightly("a"))
		p.put(nightly("b"))
		clock.Advance(time.Hour)
		if err := p.Tick(p.ctx); err == nil {
			t.Error("tick: got no error")
		}
		r.want(t, "b 20 10:00")
		broken = false
		p.must(p.Tick(p.ctx))
		r.want(t, "a 20 10:00")
	})
}

func TestPutSchedule(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock))
	s := nightly("a")
	first := p.put(s)
	s.Subject = "pln_2"
	if again := p.put(s); again.ID != first.ID || !again.NextAt.Equal(first.NextAt) || again.Subject != "pln_2" {
		t.Errorf("changed subject: got %+v", again)
	}
	s.Cron = "30 11 * * *"
	if again := p.put(s); !again.NextAt.Equal(dbtest.Start.Add(150 * time.Minute)) {
		t.Errorf("changed line: next at %s", again.NextAt)
	}
	s.Enabled = false
	if again := p.put(s); !again.NextAt.IsZero() {
		t.Errorf("switched off: next at %s", again.NextAt)
	}
	s.Cron = "x"
	if err := p.d.Write(p.ctx, func(tx *db.Tx) error { _, err := p.PutSchedule(tx, s); return err }); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
		t.Errorf("bad line: got %v", err)
	}
	p.write(func(tx *db.Tx) error { return p.DeleteSchedule(tx, "a") })
	if again := p.put(nightly("a")); again.ID == first.ID {
		t.Error("deleted and made again: got the old one")
	}
}

func TestJitterIsStableAndSpread(t *testing.T) {
	clock := &dbtest.Clock{}
	p := newPlane(t, dbtest.SQLite(t, clock))
	seen := map[time.Duration]bool{}
	base := dbtest.Start.Add(time.Hour)
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		s := nightly(key)
		s.Jitter = 30 * time.Minute
		delay := p.put(s).NextAt.Sub(base)
		if delay < 0 || delay >= 30*time.Minute {
			t.Errorf("%s: delay %s", key, delay)
		}
		seen[delay.Truncate(time.Minute)] = true
		s.Enabled = false
		p.put(s)
		s.Enabled = true
		if again := p.put(s).NextAt.Sub(base); again != delay {
			t.Errorf("%s: delay changed from %s to %s", key, delay, again)
		}
	}
	if len(seen) < 5 {
		t.Errorf("spread: got %v", seen)
	}
}
