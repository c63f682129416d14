package main

import (
	"strings"
	"testing"
	"time"
)

func TestIncidentClock(t *testing.T) {
	now := time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	v, err := clockOf("gdpr-33-1", "2026-10-23T10:30:00+02:00", "Europe/Berlin", "", now)
	if err != nil || v.Strict != "2026-10-26T09:30:00+01:00" || v.Regulation != "2026-10-26T10:00:00+01:00" || v.Late || len(v.Steps) < 3 {
		t.Errorf("got %+v, %v", v, err)
	}
	if v, err := clockOf("gdpr-34", "2026-10-23 10:30", "Europe/Berlin", "", now); err != nil || !v.Undue || v.Strict != "" || v.Late {
		t.Errorf("a rule without a number: got %+v, %v", v, err)
	}
	if v, err := clockOf("nis2-23-final", "2026-09-25 10:30", "Europe/Berlin", "de", now); err != nil || v.Regulation != "2026-10-26T23:59:59+01:00" {
		t.Errorf("a month: got %+v, %v", v, err)
	}
	for _, c := range []struct{ rule, aware, zone, country, want string }{
		{"gdpr-33-1", "2026-10-25 02:30", "Europe/Berlin", "", "happened twice"},
		{"gdpr-33-1", "2026-03-29 02:30", "Europe/Berlin", "", "did not happen"},
		{"gdpr-33-1", "2026-10-24T12:03:00Z", "UTC", "", "in the future"},
		{"gdpr-33-1", "now", "UTC", "", "no date and time"},
		{"gdpr-33-1", "2026-10-23T10:30:00Z", "Berlin", "", "IANA"},
		{"gdpr-33-1", "2026-10-23T10:30:00Z", "Local", "", "IANA"},
		{"gdpr-33-1", "2026-10-23T10:30:00Z", "", "", "IANA"},
		{"gdpr-33-1", "2017-10-23T10:30:00Z", "UTC", "", "in force"},
		{"omnibus-96h", "2026-10-23T10:30:00Z", "UTC", "", "in force"},
		{"gdpr-33-1", "2026-10-23T10:30:00Z", "UTC", "XX", "--country"},
	} {
		if _, err := clockOf(c.rule, c.aware, c.zone, c.country, now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
