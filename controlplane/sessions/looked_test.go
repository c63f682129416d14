package sessions_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// Nobody says that a session is fine who has not looked at it.
func TestFineNeedsALook(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		cleo := w.as(w.cleo, policy.RoleOps)
		risky := func(m *sessions.Made) { m.Commands = []string{"ls", "cat /etc/shadow", "w", "history -c"} } // at 0:01 and 0:03
		quiet := func(m *sessions.Made) { m.Commands = []string{"uptime"} }
		skipping := func(m *sessions.Made) { m.Idle = []sessions.Stretch{minutes(0, 50)} }
		short := func(m *sessions.Made) { m.Length = 2 * time.Second }
		none := func(m *sessions.Made) { m.Length = 0 }
		for _, c := range []struct {
			name  string
			made  func(*sessions.Made)
			way   string // "" looks not at all
			parts []sessions.Stretch
			says  string // "" is that it counts
			share float64
		}{
			{"nobody looked", quiet, "", nil, "You have not looked", 0},
			{"nobody looked at what is short", short, "", nil, "You have not looked", 0},
			{"nobody looked at what has no length", none, "", nil, "You have not looked", 0},
			{"opened only", quiet, "player", nil, "watched 0 %", 0},
			{"a tenth", quiet, "player", []sessions.Stretch{minutes(0, 6)}, "watched 10 %", 0},
			{"a fifth", quiet, "player", []sessions.Stretch{minutes(0, 6), minutes(54, 60)}, "", .2},
			{"one of two moments", risky, "player", []sessions.Stretch{minutes(0, 0.02)}, "watched 0 %", 0},
			{"every moment that makes it risky", risky, "player", []sessions.Stretch{minutes(0, 0.1)}, "", .001},
			{"skips what is idle", skipping, "player", []sessions.Stretch{minutes(50, 52.1)}, "", .035},
			{"watches what is idle", skipping, "player", []sessions.Stretch{minutes(0, 40)}, "watched 0 %", 0},
			{"read it", quiet, "transcript", nil, "", 0},
			{"took it home", quiet, "download", nil, "", 0},
			{"short, and opened", short, "player", nil, "", 1},
			{"without a length, and opened", none, "player", nil, "", 1},
		} {
			s := w.took(c.made)
			if c.way != "" {
				v := must[sessions.Viewing](t)(w.sessions.OpenViewing(cleo, w.all, s.ID, c.way, "review"))
				w.played(cleo, v.ID, c.parts...)
			}
			// What somebody else watched does not count.
			other := must[sessions.Viewing](t)(w.sessions.OpenViewing(w.Ctx, w.all, s.ID, "player", "review"))
			w.played(w.Ctx, other.ID, minutes(0, 30))
			done, err := w.sessions.Judge(cleo, w.all, s.ID, sessions.Fine, "", s.Version)
			if c.says != "" {
				wantCode(t, c.name, err, controlplane.CodeConflict, c.says)
				continue
			}
			if got := done.Review.Watched; err != nil || got < c.share-.001 || got > c.share+.001 {
				t.Errorf("%s: watched %v, %v, want %v", c.name, got, err, c.share)
			}
		}
		s := w.took(quiet) // what is wrong can be said by who heard of it
		if _, err := w.sessions.Judge(cleo, w.all, s.ID, sessions.Question, "Was this agreed?", s.Version); err != nil {
			t.Errorf("a question: %v", err)
		}
	})
}

// Eight hours are not watched in one call, however long ago the player was opened.
func TestWatchedIsBoundByTime(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		s := w.took(func(m *sessions.Made) { m.Start, m.Length = clock.Now().Add(-9*time.Hour), 8*time.Hour })
		v := must[sessions.Viewing](t)(w.sessions.OpenViewing(w.Ctx, w.all, s.ID, "player", "review"))
		clock.Advance(time.Hour) // open, and silent
		got := must[sessions.Viewing](t)(w.sessions.Watched(w.Ctx, w.all, v.ID, []sessions.Stretch{minutes(0, 480)}))
		if want := 16 * time.Minute; got.Watched != want {
			t.Errorf("in one call after an hour: %v, want %v", got.Watched, want)
		}
		_, err := w.sessions.Judge(w.Ctx, w.all, s.ID, sessions.Fine, "", s.Version)
		wantCode(t, "fine", err, controlplane.CodeConflict, "watched 3 %")
	})
}
