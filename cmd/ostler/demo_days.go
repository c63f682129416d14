package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ostler/controlplane/jobs"
)

// settle waits until no job is under way, or none of the kinds. What waits for
// its time is not: keys that are not used any more, say, are deleted later.
func (d *demo) settle(ctx context.Context, kinds ...string) error {
	var last error
	var open []jobs.Job
	err := waitFor(ctx, "the servers to finish", func() bool {
		if last = d.app.Jobs.Tick(ctx); last != nil {
			return false
		}
		open, _, last = d.app.Jobs.List(ctx, everyone, jobs.Filter{Open: true, Kinds: kinds})
		open = slices.DeleteFunc(open, func(j jobs.Job) bool {
			return j.State == jobs.Queued && j.Failure == nil && j.NotBefore.After(d.clock.Now())
		})
		return last == nil && len(open) == 0
	})
	if err != nil && len(open) > 0 {
		err = fmt.Errorf("%w: %s is %s", err, open[0].Kind, open[0].State)
	}
	return errors.Join(err, last)
}

// days lets the nights pass: files change, the clock jumps to the next start,
// real backups run.
func (d *demo) days(ctx context.Context, say func(string, ...any)) error {
	dues, err := d.nights()
	if err != nil {
		return err
	}
	var issued bool
	for i, due := range dues {
		if !issued && time.Until(due) > -behind {
			if issued, err = true, d.issue(ctx, say); err != nil {
				return err
			}
		}
		if err := d.oneDay(i, i == len(dues)-1, due.Add(-9*time.Hour)); err != nil {
			return err
		}
		if err := d.worked(i, i == len(dues)-1, due.Add(-9*time.Hour)); err != nil {
			return err
		}
		if err := d.until(ctx, due); err != nil {
			return err
		}
		d.clock.Advance(due.Add(2 * time.Second).Sub(d.clock.Now()))
		if _, err := d.app.Sessions.ReadNow(ctx, everyone); err != nil { // a first reading goes back a day, and no further
			return fmt.Errorf("demo: sessions: %w", err)
		}
		say("Night of %s: backing up …", due.Format("2 January"))
		if err := d.settle(ctx); err != nil {
			return err
		}
	}
	if !issued {
		return d.issue(ctx, say)
	}
	return nil
}

// nights are the plan's starts between the clock and real time.
func (d *demo) nights() ([]time.Time, error) {
	dues, err := jobs.NextRuns(demoCron, demoZone, d.clock.Now(), d.o.days+1)
	if err != nil {
		return nil, err
	}
	real := time.Now().Add(-time.Minute)
	return slices.DeleteFunc(dues, func(t time.Time) bool { return t.After(real) }), nil
}

// remember keeps the SHA-256 of the file that is about to be lost.
func (d *demo) remember(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d.lostSum = fmt.Sprintf("%x", sha256.Sum256(data))
	return nil
}

// oneDay changes every company's files. On the last day the first company
// loses its file, and the second a whole folder.
func (d *demo) oneDay(day int, last bool, at time.Time) error {
	for i, co := range d.cast.company {
		if last && i == 0 { // what the night before has, and the customer wants back
			if err := d.remember(filepath.Join(d.host(co.server), co.root, lostFile)); err != nil {
				return err
			}
		}
		if err := d.cast.live(d.host(co.server), co, day, at); err != nil {
			return err
		}
		if last && i == 0 {
			if err := os.Remove(filepath.Join(d.host(co.server), co.root, lostFile)); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
		if last && i == 1 {
			if err := os.RemoveAll(filepath.Join(d.host(co.server), co.root, "uploads-2025")); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
	}
	return nil
}
