package jobs_test

import (
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/jobs"
)

func TestNextRuns(t *testing.T) {
	for _, c := range []struct {
		name, cron, zone, from string
		want                   []string // UTC
	}{
		{"every day", "30 2 * * *", "UTC", "2026-11-20T09:00:00Z", []string{"2026-11-21T02:30:00Z", "2026-11-22T02:30:00Z"}},
		{"the minute itself is past", "30 2 * * *", "", "2026-11-20T02:30:00Z", []string{"2026-11-21T02:30:00Z"}},
		{"within the minute before", "30 2 * * *", "UTC", "2026-11-20T02:29:59Z", []string{"2026-11-20T02:30:00Z"}},
		{"a zone without summer time", "15 0 * * *", "Asia/Kolkata", "2026-03-28T00:00:00Z", []string{"2026-03-28T18:45:00Z", "2026-03-29T18:45:00Z"}},
		{"winter and summer", "0 4 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", []string{"2026-03-28T03:00:00Z", "2026-03-29T02:00:00Z", "2026-03-30T02:00:00Z"}},
		{"does not exist: next valid minute", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"begins in the jump", "0 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		{"several that do not exist run once", "0,20,40 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z", "2026-03-29T01:40:00Z", "2026-03-30T00:00:00Z"}},
		{"exists twice: the first", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"asked between the two", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:00:00Z", []string{"2026-10-26T01:30:00Z"}},
		{"before the repeated hour", "30 1,3 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", []string{"2026-10-24T23:30:00Z", "2026-10-25T02:30:00Z"}},
		{"every hour, into summer", "15 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", []string{"2026-03-29T00:15:00Z", "2026-03-29T01:15:00Z", "2026-03-29T02:15:00Z"}},
		{"every hour on the hour, into summer", "0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}},
		{"every hour, into winter", "15 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z",
			[]string{"2026-10-25T00:15:00Z", "2026-10-25T01:15:00Z", "2026-10-25T02:15:00Z"}},
		{"half an hour of summer time", "10 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", []string{"2026-10-03T15:30:00Z", "2026-10-04T15:10:00Z"}},
		{"weekdays", "0 22 * * 1-5", "UTC", "2026-11-20T23:00:00Z", []string{"2026-11-23T22:00:00Z"}},
		{"a leap day", "0 0 29 2 *", "UTC", "2026-11-20T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		{"the 31st", "0 5 31 * *", "UTC", "2026-11-20T00:00:00Z", []string{"2026-12-31T05:00:00Z", "2027-01-31T05:00:00Z", "2027-03-31T05:00:00Z"}},
		{"by name", "@daily", "Asia/Kolkata", "2026-11-20T00:00:00Z", []string{"2026-11-20T18:30:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, err := time.Parse(time.RFC3339, c.from)
			if err != nil {
				t.Fatal(err)
			}
			runs, err := jobs.NextRuns(c.cron, c.zone, from, len(c.want))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range runs {
				got = append(got, r.Format(time.RFC3339))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestNextRunsRefuses(t *testing.T) {
	for _, c := range []struct{ name, cron, zone string }{
		{"empty", "", "UTC"},
		{"four fields", "0 2 * *", "UTC"},
		{"six fields", "0 0 2 * * *", "UTC"},
		{"every second", "@everysecond", "UTC"},
		{"no hour 25", "0 25 * * *", "UTC"},
		{"a day that never comes", "0 0 31 2 *", "UTC"},
		{"no such zone", "0 2 * * *", "Europe/Atlantis"},
		{"the machine's zone", "0 2 * * *", "Local"},
		{"a path for a zone", "0 2 * * *", "../etc/passwd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jobs.NextRuns(c.cron, c.zone, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), 2)
			if controlplane.ErrorCode(err) != controlplane.CodeInvalid {
				t.Errorf("got %v, want invalid", err)
			}
		})
	}
}

// TestNextRunsAYear checks a year of every zone's changes by what must hold:
// times go forward, and one a day stays one a day.
func TestNextRunsAYear(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"} {
		for _, cron := range []string{"30 0 * * *", "30 2 * * *"} {
			from := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
			runs, err := jobs.NextRuns(cron, zone, from, 365)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range runs {
				gap := r.Sub(from)
				if i > 0 && (gap < 22*time.Hour || gap > 26*time.Hour) {
					t.Errorf("%s %s: %s after %s", cron, zone, gap, from)
				}
				from = r
			}
		}
		for _, from := range []time.Time{time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)} {
			hours, err := jobs.NextRuns("7 * * * *", zone, from, 24*65)
			if err != nil {
				t.Fatal(err)
			}
			for i := 1; i < len(hours); i++ {
				if gap := hours[i].Sub(hours[i-1]); gap != time.Hour && zone != "Australia/Lord_Howe" {
					t.Fatalf("%s: every hour, got %s at %s", zone, gap, hours[i])
				}
			}
		}
	}
}
