package web

import (
	"html/template"
	"strings"
	"time"
)

// Clock words depend on the reader's language, zone and the page's Now: these
// are the renderer's, with the page at hand.

// day returns t's calendar day in the reader's zone: "today", "yesterday",
// "Sunday 15 November", with the year where it is another.
func day(tx *Text, t, now time.Time, zone *time.Location) string {
	t, now = t.In(zone), now.In(zone)
	switch daysBetween(t, now) {
	case 0:
		return tx.T("day.today")
	case 1:
		return tx.T("day.yesterday")
	case -1:
		return tx.T("day.tomorrow")
	}
	weekday := strings.Split(tx.T("day.weekdays"), " ")[t.Weekday()]
	month := strings.Split(tx.T("day.months"), " ")[t.Month()-1]
	if t.Year() != now.Year() {
		return tx.T("day.year", "weekday", weekday, "day", t.Format("2"), "month", month, "year", t.Format("2006"))
	}
	return tx.T("day.date", "weekday", weekday, "day", t.Format("2"), "month", month)
}

// daysBetween returns how many calendar days now is after t, each in its own zone.
func daysBetween(t, now time.Time) int {
	midnight := func(x time.Time) time.Time {
		return time.Date(x.Year(), x.Month(), x.Day(), 0, 0, 0, 0, time.UTC)
	}
	return int(midnight(now).Sub(midnight(t)) / (24 * time.Hour))
}

// moment returns t as a day and a time: "today 02:14", "Wed 18 Nov 02:14".
func moment(tx *Text, t, now time.Time, zone *time.Location) string {
	words := day(tx, t, now, zone)
	if t, now = t.In(zone), now.In(zone); t.Year() == now.Year() && max(daysBetween(t, now), -daysBetween(t, now)) > 1 {
		weekday := strings.Split(tx.T("day.weekdays"), " ")[t.Weekday()]
		words = tx.T("day.short", "weekday", string([]rune(weekday)[:3]), "date", dayMonth(tx, t))
	}
	return words + " " + t.In(zone).Format("15:04")
}

// dayMonth returns t's date without its year: "18 Nov".
func dayMonth(tx *Text, t time.Time) string {
	return tx.T("day.month", "day", t.Format("2"), "month", strings.Split(tx.T("day.short_months"), " ")[t.Month()-1])
}

// ago returns how far t is from now: "3 h ago", "in 20 min"; farther than two
// days it is the moment itself.
func ago(tx *Text, t, now time.Time, zone *time.Location) string {
	d := now.Sub(t)
	if d.Abs() >= 48*time.Hour {
		return moment(tx, t, now, zone)
	}
	if d.Abs() < 45*time.Second {
		return tx.T("time.now")
	}
	if d < 0 {
		return tx.T("time.in", "span", span(tx, -d))
	}
	return tx.T("time.ago", "span", span(tx, d))
}

// span returns a length of time in its largest fitting unit: "41 min", "3 h",
// "5 days"; under ten of a unit it is exact to the next one below.
func span(tx *Text, d time.Duration) string {
	switch {
	case d < time.Second:
		return tx.T("span.ms", "n", int(d.Milliseconds()))
	case d < 90*time.Second:
		return tx.T("span.s", "n", int(d.Seconds()))
	case d < 90*time.Minute:
		return tx.T("span.min", "n", int(d.Round(time.Minute).Minutes()))
	case d < 36*time.Hour:
		return tx.T("span.h", "n", int(d.Round(time.Hour).Hours()))
	}
	return tx.T("span.days", "n", int(d.Round(24*time.Hour).Hours()/24))
}

// instant is the exact time for title and datetime.
func instant(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04:05 MST")
}

// timeTag writes a <time> whose words are given, with the instant on hover.
func timeTag(words string, t time.Time, zone *time.Location) template.HTML {
	var b strings.Builder
	b.WriteString(`<time datetime="`)
	b.WriteString(t.UTC().Format(time.RFC3339))
	b.WriteString(`" title="`)
	b.WriteString(template.HTMLEscapeString(instant(t, zone)))
	b.WriteString(`">`)
	b.WriteString(template.HTMLEscapeString(words))
	b.WriteString(`</time>`)
	return template.HTML(b.String()) //nolint:gosec // every part is escaped above
}
