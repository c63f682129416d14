package law

import (
	"errors"
	"fmt"
	"time"
)

// What a local time can be that is none, or two.
var (
	ErrAmbiguous   = errors.New("law: this local time happened twice")
	ErrNonexistent = errors.New("law: this local time did not happen")
	ErrNoTime      = errors.New("law: this is no date and time")
)

var localForms = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}

// ParseTime reads an instant with its offset (RFC 3339), or a local date and
// time of a zone. A local time that the clocks skipped, or had twice, is
// refused: it needs its offset.
func ParseTime(text string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.In(zone), nil
	}
	if t, err := time.Parse("2006-01-02T15:04Z07:00", text); err == nil {
		return t.In(zone), nil
	}
	for _, form := range localForms {
		wall, err := time.Parse(form, text)
		if err != nil {
			continue
		}
		return local(wall, zone)
	}
	return time.Time{}, fmt.Errorf("%w: %q", ErrNoTime, text)
}

// local finds the instants at which a zone's clocks showed a time.
func local(wall time.Time, zone *time.Location) (time.Time, error) {
	var found []time.Time
	seen := map[int]bool{}
	for _, hours := range []int{-36, -12, 0, 12, 36} {
		_, offset := wall.Add(time.Duration(hours) * time.Hour).In(zone).Zone()
		if seen[offset] {
			continue
		}
		seen[offset] = true
		t := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, is := t.Zone(); is == offset {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return time.Time{}, fmt.Errorf("%w: %s in %s", ErrNonexistent, wall.Format("2006-01-02 15:04:05"), zone)
	case 1:
		return found[0], nil
	}
	return time.Time{}, fmt.Errorf("%w: %s in %s", ErrAmbiguous, wall.Format("2006-01-02 15:04:05"), zone)
}
