package access_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
)

func TestParseInstant(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text string
		zone *time.Location
		want string // "" is an error
	}{
		{"2026-11-20T14:05:06Z", berlin, "2026-11-20T14:05:06.000Z"},
		{"2026-11-20T14:05:06+01:00", nil, "2026-11-20T13:05:06.000Z"},
		{"2026-11-20T14:05:06.789Z", berlin, "2026-11-20T14:05:06.789Z"},
		{"2026-11-20 14:05", berlin, "2026-11-20T13:05:00.000Z"},
		{"2026-11-20 14:05:06", berlin, "2026-11-20T13:05:06.000Z"},
		{"  2026-11-20 14:05:06 ", nil, "2026-11-20T14:05:06.000Z"},
		{"2026-11-20T14:05", berlin, "2026-11-20T13:05:00.000Z"},
		{"2026-11-20T14:05:06", berlin, "2026-11-20T13:05:06.000Z"},
		{"2026-07-20 14:05", berlin, "2026-07-20T12:05:00.000Z"},
		{"2026-03-29 02:30", berlin, ""}, // left out
		{"2026-03-29 03:30", berlin, "2026-03-29T01:30:00.000Z"},
		{"2026-02-30 10:00", berlin, ""},
		{"2026-11-20 24:00", berlin, ""},
		{"2026-11-20", berlin, ""},
		{"yesterday", nil, ""},
	} {
		got, err := access.ParseInstant("/at", tt.text, tt.zone)
		if tt.want == "" {
			if code(err) != controlplane.CodeInvalid || fields(err)[0].Pointer != "/at" || fields(err)[0].Message == "" {
				t.Errorf("%q: got %v, %v, want invalid at /at", tt.text, got, err)
			}
			continue
		}
		if err != nil || controlplane.Instant(got) != tt.want {
			t.Errorf("%q: got %s, %v, want %s", tt.text, controlplane.Instant(got), err, tt.want)
		}
	}
	if got, err := access.ParseInstant("/at", " ", nil); err != nil || !got.IsZero() {
		t.Errorf("nothing: got %v, %v, want the zero instant", got, err)
	}
}
