package killpoint_test

import (
	"testing"

	"ostler/internal/killpoint"
)

func TestUntil(t *testing.T) {
	reached := false
	got := killpoint.Until(func() { killpoint.Kill("renamed"); reached = true })
	if got != "renamed" || reached {
		t.Errorf("killed at %q, went on %v; want renamed, and not on", got, reached)
	}
	if got := killpoint.Until(func() { reached = true }); got != "" || !reached {
		t.Errorf("nothing killed: got %q, reached the end %v", got, reached)
	}
	defer func() {
		if recover() != "a fault" {
			t.Error("another panic was swallowed")
		}
	}()
	killpoint.Until(func() { panic("a fault") })
}
