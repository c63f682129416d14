package jobs

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/adhocore/gronx"

	"ostler/controlplane"
)

// cronTags are the names that stand for five fields.
var cronTags = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
}

// plan is a cron line in a zone.
type plan struct {
	cron   string
	zone   *time.Location
	hourly bool // every hour: follows the clock's changes instead of naming times of day
}

func parsePlan(cron, zone string) (plan, error) {
	line := strings.Join(strings.Fields(cron), " ")
	if five, ok := cronTags[strings.ToLower(line)]; ok {
		line = five
	}
	fields := strings.Fields(line)
	if len(fields) != 5 || !gronx.IsValid(line) {
		return plan{}, controlplane.Invalid(controlplane.Field{Pointer: "/cron", Message: "Write five fields (minute, hour, day, month, weekday), such as “30 2 * * *” for 02:30 every day."})
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return plan{}, controlplane.Invalid(controlplane.Field{Pointer: "/zone", Message: "Choose a time zone by its IANA name, such as Europe/Berlin."})
	}
	return plan{cron: line, zone: loc, hourly: fields[1] == "*"}, nil
}

// next returns the first time of the plan after from.
//
// A time of day that does not exist on a day runs at the next minute that does;
// one that exists twice runs the first time. A plan for every hour names no
// time of day: it runs in every hour there is, and in none that is not.
func (p plan) next(from time.Time) (time.Time, error) {
	if p.hourly {
		return p.nextHourly(from)
	}
	wall := naive(from.In(p.zone))
	for range 200 { // at most the minutes of a repeated hour are passed over
		next, err := p.after(wall)
		if err != nil {
			return time.Time{}, err
		}
		wall = next
		if at := firstInstant(wall, p.zone); at.After(from) {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("jobs: %q has no time after %s", p.cron, controlplane.Instant(from))
}

// nextHourly goes by the clock's offset at from, and from each change of the
// offset on by the new one.
func (p plan) nextHourly(from time.Time) (time.Time, error) {
	for range 100 {
		local := from.In(p.zone)
		_, seconds := local.Zone()
		_, end := local.ZoneBounds()
		next, err := p.after(from.UTC().Add(time.Duration(seconds) * time.Second))
		if err != nil {
			return time.Time{}, err
		}
		at := next.Add(-time.Duration(seconds) * time.Second)
		if end.IsZero() || at.Before(end) {
			return at, nil
		}
		if at, err = p.atOrAfter(end); err != nil || !at.IsZero() {
			return at, err
		}
		from = end
	}
	return time.Time{}, fmt.Errorf("jobs: %q has no time after %s", p.cron, controlplane.Instant(from))
}

// atOrAfter returns the change of the offset itself where the plan names it.
func (p plan) atOrAfter(change time.Time) (time.Time, error) {
	wall := naive(change.In(p.zone))
	next, err := p.after(wall.Add(-time.Minute))
	if err == nil && next.Equal(wall) {
		return change.UTC(), nil
	}
	return time.Time{}, err
}

// after returns the next wall-clock time of the cron line, written as if it were UTC.
func (p plan) after(wall time.Time) (time.Time, error) {
	next, err := gronx.NextTickAfter(p.cron, wall.Truncate(time.Minute), false)
	if err != nil {
		return time.Time{}, controlplane.Invalid(controlplane.Field{Pointer: "/cron", Message: "This never comes: choose a day that exists."}).Because(err)
	}
	return next.Truncate(time.Minute), nil
}

// naive writes t's wall clock as if it were UTC.
func naive(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// firstInstant returns the first instant at which the wall clock in zone shows
// wall; where the clock jumps over it, the instant of the jump.
func firstInstant(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), 0, 0, zone)
	start, end := t.ZoneBounds()
	if !naive(t).Equal(wall) { // jumped over: t is on one side of the jump
		if naive(t).After(wall) && !start.IsZero() {
			return start.UTC()
		}
		return end.UTC()
	}
	if start.IsZero() {
		return t.UTC()
	}
	// Where the clock was set back, the same wall clock was there before.
	_, before := start.Add(-time.Second).In(zone).Zone()
	_, now := t.Zone()
	if earlier := t.Add(time.Duration(now-before) * time.Second); earlier.Before(start) && naive(earlier.In(zone)).Equal(wall) {
		return earlier.UTC()
	}
	return t.UTC()
}

// NextRuns returns the next n times of a cron line after from, in UTC.
//
// Errors: invalid for a line, a zone or a date that cannot be.
func NextRuns(cron, zone string, from time.Time, n int) ([]time.Time, error) {
	p, err := parsePlan(cron, zone)
	if err != nil {
		return nil, err
	}
	runs := make([]time.Time, 0, n)
	for range n {
		if from, err = p.next(from); err != nil {
			return nil, err
		}
		runs = append(runs, from)
	}
	return runs, nil
}
