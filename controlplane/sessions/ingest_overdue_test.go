package sessions_test

import (
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// TestOverdueAndEndless: what ended and was not recorded is missing, and so is what
// never ended and does not run; what runs is left alone.
func TestOverdueAndEndless(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var ended []string
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.sessions.OnEnded(func(_ *db.Tx, id string) error { ended = append(ended, id); return nil })
		start := w.Clock.Now()
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: start, NoUpload: true})
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-harbour-1", Start: start, NoEnd: true})
		if err := w.cluster.PutRole(teleport.Role{Name: "in", Allow: teleport.Reach{Logins: []string{"root"}, NodeLabels: map[string][]string{"*": {"*"}}}}); err != nil {
			t.Fatal(err)
		}
		if err := w.cluster.PutUser("cleo", "in"); err != nil {
			t.Fatal(err)
		}
		runs, err := w.cluster.Connect("cleo", "root", "node-shared-1")
		if err != nil {
			t.Fatal(err)
		}
		state := func(v string) sessions.Session { return w.one(sessions.Filter{Server: v}) }
		w.later(10 * time.Minute)
		if x := state(w.MapleOne.ID); x.State != sessions.Ended || !x.DueAt.After(w.Clock.Now()) {
			t.Errorf("in time: got %s, due %s", x.State, x.DueAt)
		}
		w.later(16 * time.Minute)
		if x := state(w.MapleOne.ID); x.State != sessions.Missing {
			t.Errorf("when its time is over: got %s", x.State)
		}
		if x := state(w.HarbourOne.ID); x.State != sessions.Live {
			t.Errorf("without an end, before an hour is over: got %s", x.State)
		}
		w.later(time.Hour)
		if x := state(w.HarbourOne.ID); x.State != sessions.Missing || !x.Endless {
			t.Errorf("without an end: got %s, endless %v", x.State, x.Endless)
		}
		if x := state(w.Shared.ID); x.State != sessions.Live || x.SID != runs.ID || x.Endless {
			t.Errorf("one that runs: got %+v", x)
		}
		if len(ended) != 2 {
			t.Errorf("told of %d ends, want two", len(ended))
		}
		got := w.open("")
		if count(got, findings.SessionRecordingMissing) != 2 || count(got, findings.SessionEndless) != 1 {
			t.Errorf("open: %v", got)
		}
		w.cluster.Upload(state(w.MapleOne.ID).SID) // late, and it comes
		w.later(time.Minute)
		if x := state(w.MapleOne.ID); x.State != sessions.Uploaded && x.State != sessions.Stored {
			t.Errorf("a recording that came late: got %s", x.State)
		}
	})
}

// TestNothingIsMissingThatWasNotReadYet: while the log is not read, no recording is overdue.
func TestNothingIsMissingThatWasNotReadYet(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := feedWorld(t, d, clock, teleporttest.Options{})
		w.play(teleporttest.Script{User: "bob", Login: "root", Node: "node-maple-1", Start: w.Clock.Now(), UploadAfter: time.Minute})
		w.later(5 * time.Second)
		w.cluster.Down()
		w.later(20 * time.Hour)
		if x := w.one(sessions.Filter{}); x.State != sessions.Ended {
			t.Errorf("while nothing is read: got %s", x.State)
		}
		w.cluster.Up()
		w.later(time.Minute)
		if x := w.one(sessions.Filter{}); x.State != sessions.Uploaded && x.State != sessions.Stored {
			t.Errorf("read again: got %s", x.State)
		}
	})
}
