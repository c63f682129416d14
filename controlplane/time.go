package controlplane

import "time"

// Millis returns t as Unix milliseconds, the form in which both databases keep
// instants; the zero time is 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the inverse of Millis, in UTC.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// InstantFormat is how instants stand in JSON: RFC 3339 in UTC with milliseconds.
const InstantFormat = "2006-01-02T15:04:05.000Z"

// Instant returns t in InstantFormat, or "" for the zero time.
func Instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(InstantFormat)
}
