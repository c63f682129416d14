package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// Schedule has the due callback of its kind run at the times of a cron line.
type Schedule struct {
	ID, Key, Kind, Customer, Subject string
	Cron                             string // five fields, or @hourly, @daily, @weekly, @monthly, @yearly
	Zone                             string // IANA name; "" is UTC
	// Jitter spreads the schedules of one time: each key has its own, stable
	// delay below it.
	Jitter time.Duration
	// CatchUp has a missed time run once, late, whatever number was missed;
	// without it a time that is more than five minutes past is left out.
	CatchUp bool
	Enabled bool
	NextAt  time.Time // with the key's delay; zero while not enabled
	LastAt  time.Time // the latest run's time, without the delay
}

// late is how far past its time a schedule without CatchUp still runs.
const late = 5 * time.Minute

// HandleSchedule says what a kind of schedule does when it is due; before Run.
// at is the time by the cron line, without the delay: a good part of a job's
// key. due runs in the transaction that moves the schedule on, so a time is
// dealt with once, however many replicas there are. Where due returns an error
// the time comes again.
func (j *Jobs) HandleSchedule(kind string, due func(tx *db.Tx, s Schedule, at time.Time) error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, taken := j.due[kind]; taken {
		panic("jobs: two handlers for schedules of " + kind)
	}
	j.due[kind] = due
}

// PutSchedule makes the schedule of a key, or changes it. A changed cron line,
// zone, jitter or switch counts from now; the rest leaves the next time alone.
//
// Errors: invalid for the cron line or the zone.
func (j *Jobs) PutSchedule(tx *db.Tx, s Schedule) (Schedule, error) {
	p, err := parsePlan(s.Cron, s.Zone)
	if err != nil {
		return Schedule{}, err
	}
	if s.Key == "" || s.Kind == "" || s.Jitter < 0 {
		return Schedule{}, fmt.Errorf("jobs: schedule %q of %q: key, kind and a jitter of at least 0 are needed", s.Key, s.Kind)
	}
	old, err := scheduleByKey(tx, s.Key)
	if err != nil {
		return Schedule{}, fmt.Errorf("jobs: put schedule: %w", err)
	}
	r := scheduleRow{
		ID: controlplane.NewID(controlplane.PrefixSchedule), Key: s.Key, Kind: s.Kind, Customer: s.Customer, Subject: s.Subject, Cron: s.Cron,
		Zone: s.Zone, JitterMillis: s.Jitter.Milliseconds(), CatchUp: flag(s.CatchUp), Enabled: flag(s.Enabled),
	}
	same := false
	if old != nil {
		r.ID, r.LastAt = old.ID, old.LastAt
		r.PlannedAt, r.NextAt = old.PlannedAt, old.NextAt
		same = old.Cron == r.Cron && old.Zone == r.Zone && old.JitterMillis == r.JitterMillis && old.Enabled == r.Enabled
	}
	switch {
	case !s.Enabled:
		r.PlannedAt, r.NextAt = 0, 0
	case !same:
		at, err := p.next(tx.Now)
		if err != nil {
			return Schedule{}, err
		}
		r.plan(at)
	}
	if err := putSchedule(tx, &r, old != nil); err != nil {
		return Schedule{}, fmt.Errorf("jobs: put schedule: %w", err)
	}
	return r.schedule(), nil
}

// DeleteSchedule removes the schedule of a key, where there is one.
func (j *Jobs) DeleteSchedule(tx *db.Tx, key string) error {
	if err := tx.Exec("DELETE FROM job_schedules WHERE sched_key = ?", key).Error; err != nil {
		return fmt.Errorf("jobs: delete schedule: %w", err)
	}
	return nil
}

// runSchedules deals with every schedule that is due, each in a transaction of
// its own: one that fails does not hold the others up.
func (j *Jobs) runSchedules(ctx context.Context) error {
	var ids []string
	err := j.db.Read(ctx, func(tx *db.Tx) (err error) {
		ids, err = dueSchedules(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("jobs: schedules: %w", err)
	}
	var errs []error
	for _, id := range ids {
		if err := j.db.Write(ctx, func(tx *db.Tx) error { return j.runSchedule(tx, id) }); err != nil {
			errs = append(errs, fmt.Errorf("jobs: schedule %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

func (j *Jobs) runSchedule(tx *db.Tx, id string) error {
	r, err := scheduleByID(tx, id)
	if err != nil || r == nil || r.Enabled == 0 || r.NextAt > tx.NowMillis() {
		return err
	}
	j.mu.Lock()
	due := j.due[r.Kind]
	j.mu.Unlock()
	if due == nil {
		return nil // another replica knows the kind, or will after an upgrade
	}
	p, err := parsePlan(r.Cron, r.Zone)
	if err != nil {
		return err
	}
	at, missed, err := r.latest(p, tx.Now)
	if err != nil {
		return err
	}
	run := r.CatchUp == 1 || !missed
	if run {
		r.LastAt = at.UnixMilli()
	}
	next, err := p.next(at)
	if err != nil {
		return err
	}
	r.plan(next)
	if err := moveSchedule(tx, r); err != nil || !run {
		return err
	}
	return due(tx, r.schedule(), at)
}

// latest returns the newest planned time whose delayed time has come, and
// whether it is too late for one without CatchUp.
func (r *scheduleRow) latest(p plan, now time.Time) (at time.Time, missed bool, err error) {
	at = controlplane.FromMillis(r.PlannedAt)
	// After a long time down a frequent plan has passed very often: look back
	// over one day, and only where nothing was in it walk from the start.
	if back := now.Add(-24 * time.Hour); at.Before(back) {
		if recent, err := p.next(back); err == nil && !recent.Add(r.delay()).After(now) {
			at = recent
		}
	}
	for {
		next, err := p.next(at)
		if err != nil {
			return at, false, err
		}
		if next.Add(r.delay()).After(now) {
			break
		}
		at = next
	}
	return at, now.Sub(at.Add(r.delay())) > late, nil
}
