package sessions_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// scripted is a cluster that a test plays by hand.
type scripted struct {
	mu    sync.Mutex
	list  []teleport.Event
	calls int
	fail  func(call int) error
	keys  int // pages by key that were asked for
}

func (c *scripted) Events(_ context.Context, from, to time.Time, kinds []string, limit int, key string) (list []teleport.Event, next string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.fail != nil {
		if err := c.fail(c.calls); err != nil {
			return nil, "", err
		}
	}
	skip := 0
	if key != "" {
		c.keys++
		_, _ = fmt.Sscan(key, &skip) // a key that it does not know: from the beginning
	}
	for _, e := range c.list {
		if e.At.Before(from) || !e.At.Before(to) || !slices.Contains(kinds, e.Type) {
			continue
		}
		if skip--; skip >= 0 {
			continue
		}
		if len(list) == limit {
			n := 0
			_, _ = fmt.Sscan(key, &n)
			return list, fmt.Sprint(n + limit), nil
		}
		list = append(list, e)
	}
	return list, "", nil
}

func (c *scripted) Stream(context.Context, string, func(teleport.Event) error) error {
	return teleport.ErrNotFound
}

func (c *scripted) Observe(context.Context) (teleport.State, error) { return teleport.State{}, nil }

// TestPages reads more than a page, by time: many events of one instant, and a
// reading that breaks off in the middle and goes on from there.
func TestPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.Clock.Advance(began.Add(time.Hour).Sub(w.Clock.Now()))
		const all = 3500
		for i := range all {
			at := 0
			if i >= 2500 { // the first 2,500 have one instant
				at = i
			}
			e := event("session.command", at, map[string]any{"sid": fmt.Sprintf("sid-%d", i%7), "user": "bob", "server_hostname": "maple-1"})
			e.ID = fmt.Sprintf("event-%d", i)
			c.list = append(c.list, e)
		}
		w.Clock.Advance(time.Hour)
		c.fail = func(call int) error {
			if call == 2 {
				return fmt.Errorf("read events: %w", teleport.ErrUnreachable)
			}
			return nil
		}
		w.run()
		feed, err := w.sessions.Feed(w.Ctx, w.all)
		if err != nil || feed.Events != 1000 || feed.Trouble == "" {
			t.Errorf("broken off: got %+v, %v", feed, err)
		}
		if mark := must[int64](t)(w.sessions.Watermark(w.Ctx)); mark != began.UnixMilli() {
			t.Errorf("the watermark is at %d, want where it broke off, %d", mark, began.UnixMilli())
		}
		w.later(time.Minute)
		feed, err = w.sessions.Feed(w.Ctx, w.all)
		if err != nil || feed.Events != all || feed.Trouble != "" {
			t.Errorf("in the end: got %+v, %v, want all %d", feed, err, all)
		}
		if got := len(w.list(sessions.Filter{})); got != 7 {
			t.Errorf("got %d sessions, want 7", got)
		}
	})
}

// TestLeaveWithAnotherID ends the part of whom it names in the session they are in.
func TestLeaveWithAnotherID(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		w.Clock.Advance(began.Add(time.Hour).Sub(w.Clock.Now()))
		take := func(list ...teleport.Event) {
			t.Helper()
			if err := w.sessions.TakeIn(w.Ctx, list); err != nil {
				t.Fatal(err)
			}
		}
		take(event("session.start", 0, of("size", "80:25")), event("session.join", 10, of("user", "cleo")))
		take(event("session.leave", 20, of("user", "cleo", "sid", "another")))
		x := w.one(sessions.Filter{})
		if len(x.Participants) != 2 || !x.Participants[1].Left.Equal(began.Add(20*time.Second)) {
			t.Errorf("got %+v, want that cleo left", x.Participants)
		}
		if said, err := w.sessions.Events(w.Ctx, w.all, x.ID); err != nil || len(said) != 3 {
			t.Errorf("got %d events of it, %v, want 3", len(said), err)
		}
		take(event("session.leave", 30, of("user", "nobody", "sid", "a third")))
		w.one(sessions.Filter{})
	})
}
