package access

import (
	"strings"
	"time"
)

// instantForms are how people write an instant without a zone; seconds may be left out.
var instantForms = []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"}

// ParseInstant reads the instant that a list is asked for: RFC 3339, or
// "2026-11-20 14:05" with or without seconds, by the clocks of a zone (nil is UTC).
// "" is the zero instant, which is now. pointer names the field in the error.
//
// Errors: invalid, also for an hour that the clocks of the zone left out.
func ParseInstant(pointer, text string, zone *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	if zone == nil {
		zone = time.UTC
	}
	for _, form := range instantForms {
		t, err := time.ParseInLocation(form, text, zone)
		if err != nil {
			continue
		}
		if t.In(zone).Format(form) != text {
			return time.Time{}, invalid(pointer, "The clocks were put forward then, and this time was left out. Choose one before or after it.")
		}
		return t.UTC(), nil
	}
	return time.Time{}, invalid(pointer, "Write the date and the time, as in 2026-11-20 14:05 or 2026-11-20T14:05:00Z.")
}
