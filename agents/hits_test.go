package agents_test

import (
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// A hint of a validator wakes who waits for its token; what no token looks like
// wakes nobody, and a host that says too much is not heard for a while.
func TestHit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, database *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, database, clock)
		s := w.connect(w.enrol(), hello("i1", "boot-1", "machine-1"))
		s.next(wire.FrameOffer)
		long := strings.Repeat("a", 129)
		bad := []string{"", "a b", "../x", "a\n", long}
		topics := []string{bus.TopicChallenge("tok-en_1"), bus.TopicChallenge("last"), bus.TopicChallenge("late")}
		for _, b := range bad {
			topics = append(topics, bus.TopicChallenge(b))
		}
		woken, cancel := w.agents.Bus.Subscribe(topics...)
		defer cancel()
		hit := func(token string) {
			s.send(wire.Frame{Type: wire.FrameHit, Hit: &wire.Hit{Token: token, Name: "shop.example"}})
		}
		for _, b := range bad {
			hit(b)
		}
		hit("tok-en_1")
		if got := <-woken; got != bus.TopicChallenge("tok-en_1") {
			t.Errorf("woken for %q", got)
		}
		for range 598 {
			hit("other")
		}
		hit("last")
		if got := <-woken; got != bus.TopicChallenge("last") {
			t.Errorf("woken for %q", got)
		}
		hit("late") // one too many; the session goes on
		hit("")     // two more frames: "late" was heard when the second of them is read
		hit("")
		clock.Advance(time.Second)
		hit("last")
		if got := <-woken; got != bus.TopicChallenge("last") {
			t.Errorf("woken for %q", got)
		}
		w.wantState("connected")
	})
}
