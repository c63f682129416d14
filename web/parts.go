package web

import (
	"fmt"
	"html/template"
	"time"
)

// Event is one line of a timeline.
type Event struct {
	At     time.Time
	Tone   Tone   // "" is a plain fact
	Text   string // what happened, one sentence
	Detail string // a quiet second line
	Who    string // who did it
	Link   Link   // where it leads
	Href   string // to the entry by itself
	// WhoHref leads to what else they did.
	WhoHref  string
	kind, by string // of the ledger's entry
}

type eventDay struct {
	Day    time.Time
	Events []Event
}

// byDay groups events, newest first, by the reader's calendar day.
func byDay(events []Event, zone *time.Location) []eventDay {
	var days []eventDay
	for _, e := range events {
		y, m, d := e.At.In(zone).Date()
		if n := len(days); n > 0 {
			ly, lm, ld := days[n-1].Day.In(zone).Date()
			if y == ly && m == lm && d == ld {
				days[n-1].Events = append(days[n-1].Events, e)
				continue
			}
		}
		days = append(days, eventDay{e.At, []Event{e}})
	}
	return days
}

// Fact is one cell of a status strip: a label, a value and how it is.
type Fact struct {
	Label string
	State State     // the value as a word; Tone "" shows it plainly
	At    time.Time // shown as "3 h ago" after the word, where set
	Note  string    // a quiet second line
	Link  Link
}

// Pair is one line of a list of facts.
type Pair struct {
	Label, Value string
	Mono         bool
}

// Need is one thing that needs a person: what, why, and one action.
type Need struct {
	State  State
	Title  string
	Cause  string
	Where  Link
	Since  time.Time
	Count  int // times seen, where more than 1
	Action Link
	// Also is a second way, said quietly.
	Also Link
	// Post is set where the action is a form's button and not a link.
	Post bool
	// Strong is the one that comes first.
	Strong bool
}

// Step is one line of a live checklist.
type Step struct {
	State State
	Text  string
	Note  string
	At    time.Time
}

// Pager leads to the next and the first page of a list.
type Pager struct {
	First, Next string // addresses; "" is none
}

// DayState is how a day went for a backup plan.
type DayState string

// The states of a day.
const (
	DayComplete DayState = "complete"
	DayPartial  DayState = "partial"
	DayFailed   DayState = "failed"
	DayMissed   DayState = "missed"  // a run was due and there was none
	DayUnknown  DayState = "unknown" // not known, such as while the host was silent
	DayNone     DayState = "none"    // nothing was due: before the plan, or no run that day
)

// Valid reports whether s is a known state.
func (s DayState) Valid() bool {
	switch s {
	case DayComplete, DayPartial, DayFailed, DayMissed, DayUnknown, DayNone:
		return true
	}
	return false
}

// Calendar is one state for each day, oldest first; the last is Until's day.
type Calendar struct {
	Name  string
	Until time.Time
	Days  []DayState
}

// Counts returns how many days have each state.
func (c Calendar) Counts() map[DayState]int {
	m := map[DayState]int{}
	for _, d := range c.Days {
		m[d]++
	}
	return m
}

// stripView is a calendar drawn as bars: the height tells as much as the colour.
type stripView struct {
	Width        int
	Bars         template.HTML
	Label        string // the whole in words, for screen readers and under it
	First, Until string
}

// bar is one day of a strip. Bars are written here, not by a template: a page
// has a thousand of them, and each place in a template costs a microsecond.
func bar(b []byte, class, title string, x, y, h int) []byte {
	return fmt.Appendf(b, `<rect class="%s" x="%d" y="%d" width="7" height="%d" rx="1.5"><title>%s</title></rect>`,
		template.HTMLEscapeString(class), x, y, h, template.HTMLEscapeString(title))
}

// stripOf draws a calendar: a full bar is complete, a shorter one with a notch
// partial, a stub failed or missed, a hollow one unknown, a dot nothing due.
func stripOf(tx *Text, c Calendar) stripView {
	const step, top, full = 10, 2, 40
	v := stripView{Width: step*len(c.Days) + 2}
	var bars []byte
	for i, d := range c.Days {
		y, h := top, full
		switch d {
		case DayPartial:
			y, h = top+14, full-14
		case DayFailed, DayMissed:
			y, h = top+30, full-30
		case DayNone:
			y, h = top+37, 3
		}
		bars = bar(bars, "d-"+string(d), dayMonth(tx, c.Until.AddDate(0, 0, i-len(c.Days)+1))+": "+tx.T(dayTexts[d]), i*step+2, y, h)
	}
	v.Bars = template.HTML(bars) //nolint:gosec // bar escapes
	v.Label = calendarWords(tx, c)
	v.Until = dayMonth(tx, c.Until)
	v.First = dayMonth(tx, c.Until.AddDate(0, 0, 1-len(c.Days)))
	return v
}

var dayTexts = map[DayState]string{
	DayComplete: "calendar.complete", DayPartial: "calendar.partial", DayFailed: "calendar.failed",
	DayMissed: "calendar.missed", DayUnknown: "calendar.unknown", DayNone: "calendar.none",
}

// calendarWords is a calendar in words: "87 complete, 2 partial, 1 missed".
func calendarWords(tx *Text, c Calendar) string {
	m := c.Counts()
	s := ""
	for _, k := range []struct {
		d   DayState
		key string
	}{
		{DayComplete, "calendar.n_complete"}, {DayPartial, "calendar.n_partial"}, {DayFailed, "calendar.n_failed"},
		{DayMissed, "calendar.n_missed"}, {DayUnknown, "calendar.n_unknown"},
	} {
		if m[k.d] == 0 {
			continue
		}
		if s != "" {
			s += ", "
		}
		s += tx.T(k.key, "n", m[k.d])
	}
	if s == "" {
		return tx.T("calendar.empty")
	}
	return s
}
