package law

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrFuture is a trigger that has not happened yet.
var ErrFuture = errors.New("law: the time is in the future")

// Skew is how far in the future a trigger may be: clocks differ.
const Skew = 2 * time.Minute

// Holidays says which days nobody works. Weekends are always free.
type Holidays interface {
	// IsHoliday reports whether a local day is a public holiday.
	IsHoliday(day time.Time) bool
}

// Deadline is when a rule's time is over.
type Deadline struct {
	Rule Rule
	// Trigger is when it began, in the zone of who counts.
	Trigger time.Time
	// Strict is what alarms and lateness use: elapsed time for hours, the end of
	// the last day for days and months. Zero for a rule without a number.
	Strict time.Time
	// Regulation is the end by Regulation 1182/71, never before Strict; zero where
	// it does not apply.
	Regulation time.Time
	// Steps say how both were computed, in order.
	Steps []string
}

// Shown is the one time that people see: the strict one.
func (d Deadline) Shown() time.Time { return d.Strict }

// Late reports whether something was done too late.
func (d Deadline) Late(done time.Time) bool { return !d.Strict.IsZero() && done.After(d.Strict) }

// Compute returns when a rule's time is over that was triggered at an instant.
// zone is where who counts is established; holidays may be nil. now guards
// against a trigger in the future.
//
// Hours: Strict is trigger + amount, elapsed. By Article 3(1) and 3(2)(a) of
// Regulation 1182/71 the hour in which the event falls is not counted, so the
// count begins with the next full local hour. Article 3(4) (weekends, holidays)
// is for periods other than hours. Days and months: Article 3(2)(b) and (c),
// then 3(4).
//
// Errors: ErrFuture.
func Compute(r Rule, trigger time.Time, zone *time.Location, holidays Holidays, now time.Time) (Deadline, error) {
	if trigger.After(now.Add(Skew)) {
		return Deadline{}, fmt.Errorf("%w: %s", ErrFuture, trigger.In(zone).Format(time.RFC3339))
	}
	d := Deadline{Rule: r, Trigger: trigger.In(zone)}
	d.say("It began on %s.", stamp(d.Trigger))
	switch r.Unit {
	case "":
		d.say("The rule names no number: without undue delay.")
	case Hours:
		d.hours()
	case WorkingDays:
		d.Strict = endOf(workingDays(d.Trigger, r.Amount, holidays))
		d.say("%d working days end on %s; the day itself is not counted.", r.Amount, stamp(d.Strict))
	default:
		d.days(holidays)
	}
	return d, nil
}

func (d *Deadline) say(format string, args ...any) {
	d.Steps = append(d.Steps, fmt.Sprintf(format, args...))
}

func (d *Deadline) hours() {
	n := time.Duration(d.Rule.Amount) * time.Hour
	zone := d.Trigger.Location()
	d.Strict = d.Trigger.Add(n).In(zone)
	d.say("%d hours have passed on %s.", d.Rule.Amount, stamp(d.Strict))
	if d.Rule.Calendar != Regulation {
		return
	}
	start := nextHour(d.Trigger)
	d.Regulation = start.Add(n).In(zone)
	d.say("By Regulation 1182/71 the hour of the event is not counted: it runs from %s and ends on %s.", stamp(start), stamp(d.Regulation))
	d.say("Alarms and lateness go by the earlier of the two. Weekends and holidays do not extend hours.")
}

// nextHour is the beginning of the next full local hour. Zones that are off by
// half an hour have full hours of their own; where a change of clocks falls
// between, the first full hour on the clock counts.
func nextHour(at time.Time) time.Time {
	into := time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
	next := at.Add(time.Hour - into)
	if m := next.Minute(); m != 0 {
		next = next.Add(time.Duration(60-m) * time.Minute)
	}
	return next
}

func (d *Deadline) days(holidays Holidays) {
	last := d.Trigger.AddDate(0, 0, d.Rule.Amount)
	if d.Rule.Unit == Months {
		last = addMonths(d.Trigger, d.Rule.Amount)
	}
	d.Strict = endOf(last)
	text := fmt.Sprintf("%d %s end", d.Rule.Amount, d.Rule.Unit)
	if d.Rule.Amount == 1 {
		text = "1 " + strings.TrimSuffix(string(d.Rule.Unit), "s") + " ends"
	}
	d.say("The day itself is not counted; %s with %s.", text, stamp(d.Strict))
	if d.Rule.Calendar != Regulation {
		return
	}
	for !works(last, holidays) {
		last = last.AddDate(0, 0, 1)
	}
	d.Regulation = endOf(last)
	if d.Regulation.After(d.Strict) {
		d.say("That is no working day: by Article 3(4) of Regulation 1182/71 it ends with %s. Alarms go by the earlier.", stamp(d.Regulation))
	}
}

// addMonths is the same-numbered day some months later, or the last day of that
// month where it has none (Article 3(2)(c)).
func addMonths(at time.Time, n int) time.Time {
	y, m, day := at.Date()
	first := time.Date(y, m+time.Month(n), 1, 12, 0, 0, 0, at.Location())
	last := first.AddDate(0, 1, -1).Day()
	return time.Date(first.Year(), first.Month(), min(day, last), 12, 0, 0, 0, at.Location())
}

// endOf is the last second of a local day: the end of its last hour. Days may
// have 23 or 25.
func endOf(day time.Time) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, day.Location()).Add(-time.Second)
}

func works(day time.Time, h Holidays) bool {
	if w := day.Weekday(); w == time.Saturday || w == time.Sunday {
		return false
	}
	return h == nil || !h.IsHoliday(day)
}

// workingDays is the n-th working day after a day.
func workingDays(from time.Time, n int, h Holidays) time.Time {
	day := from
	for n > 0 {
		if day = day.AddDate(0, 0, 1); works(day, h) {
			n--
		}
	}
	return day
}

// NoonAfter is noon of the next working day after an instant that falls on a
// weekend or a public holiday: until then most financial entities may send what
// ended then (Delegated Regulation (EU) 2025/301, Article 5, recalled). It is
// their ease, and never makes anything of ours less urgent. ok is false on a
// working day. holidays may be nil.
func NoonAfter(end time.Time, holidays Holidays) (noon time.Time, ok bool) {
	if works(end, holidays) {
		return time.Time{}, false
	}
	y, m, d := workingDays(end, 1, holidays).Date()
	return time.Date(y, m, d, 12, 0, 0, 0, end.Location()), true
}

// stamp is an instant as people read it, with its zone.
func stamp(t time.Time) string { return t.Format("Mon 2 Jan 2006 15:04:05 MST") }
