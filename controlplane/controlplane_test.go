package controlplane_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
)

func TestIDs(t *testing.T) {
	var ids []string
	for range 1000 {
		ids = append(ids, controlplane.NewID(controlplane.PrefixServer))
	}
	instants := make([]string, len(ids)) // the time part; ids of one instant have no order
	for i, id := range ids {
		instants[i] = id[:16]
	}
	if !slices.IsSorted(instants) {
		t.Error("ids are not in the order in which they were made")
	}
	if len(slices.Compact(slices.Clone(ids))) != 1000 {
		t.Error("an id came twice")
	}
	for id, want := range map[string]bool{
		ids[0]: true, strings.ToUpper(ids[0]): false, ids[0][:29]: false, ids[0] + "0": false, "cus_" + ids[0][4:]: false,
		"": false, "srv_": false, "srv_" + strings.Repeat("i", 26): false, "srv_" + strings.Repeat("0", 25) + "/": false,
	} {
		if got := controlplane.ValidID(controlplane.PrefixServer, id); got != want {
			t.Errorf("ValidID(%q) = %v, want %v", id, got, want)
		}
	}
}

func TestErrorShowsPeopleNoCause(t *testing.T) {
	inner := errors.New("dial tcp 10.0.0.1: secret")
	e := controlplane.Errorf(controlplane.CodeUnavailable, "Try again.", "The store does not answer").Because(inner)
	if strings.Contains(e.Message, "secret") || strings.Contains(e.Next, "secret") {
		t.Errorf("the message has the cause: %q", e.Message)
	}
	if !errors.Is(e, inner) || controlplane.ErrorCode(errors.Join(errors.New("x"), e)) != controlplane.CodeUnavailable {
		t.Error("the cause or the code is lost")
	}
	if got := controlplane.ErrorCode(inner); got != controlplane.CodeInternal {
		t.Errorf("any other error is %q, want internal", got)
	}
	if got := controlplane.ErrorCode(nil); got != "" {
		t.Errorf("no error is %q", got)
	}
}

func TestInstants(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 5, 0, 7e6, time.FixedZone("", 3600))
	if got, want := controlplane.Instant(at), "2026-11-21T08:05:00.007Z"; got != want {
		t.Errorf("Instant = %q, want %q", got, want)
	}
	if controlplane.Instant(time.Time{}) != "" || controlplane.Millis(time.Time{}) != 0 || !controlplane.FromMillis(0).IsZero() {
		t.Error("the zero time is not kept")
	}
	if got := controlplane.FromMillis(controlplane.Millis(at)); !got.Equal(at) {
		t.Errorf("round trip %v, want %v", got, at)
	}
}

func TestActorTravelsInTheContext(t *testing.T) {
	if _, ok := controlplane.ActorFrom(context.Background()); ok {
		t.Error("an actor from nowhere")
	}
	ctx := controlplane.System(t.Context(), "sweep")
	if a, ok := controlplane.ActorFrom(ctx); !ok || a.Kind != controlplane.ActorSystem || a.ID != "sweep" {
		t.Errorf("actor %+v, %v", a, ok)
	}
}
