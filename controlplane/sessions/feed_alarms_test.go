package sessions_test

import (
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// fetches are the jobs that are to bring recordings, over or not.
func (w *world) fetches(open bool) []jobs.Job {
	w.T.Helper()
	items, _, err := w.Jobs.List(w.Ctx, w.all, jobs.Filter{Kinds: []string{"session.fetch"}, Open: open})
	if err != nil {
		w.T.Fatal(err)
	}
	return items
}

// A session whose recording the cluster has waits for it no longer than any
// other: when its job is cancelled another one is made, and after that it is
// missing, with a finding, until the recording comes.
func TestUploadedWaitsNotForEver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		c := &scripted{list: []teleport.Event{ // the upload is told of before the end
			event("session.start", 0, of("size", "80:25")), event("session.upload", 59, map[string]any{"sid": "sid-1"}), event("session.end", 60, of("interactive", true))}}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.lists.grants(w.Maple, w.bobPerson)
		w.Clock.Advance(began.Add(5 * time.Minute).Sub(w.Clock.Now()))
		if err := w.sessions.TakeIn(w.Ctx, c.list); err != nil {
			t.Fatal(err)
		}
		x := w.one(sessions.Filter{})
		if due := x.DueAt.Sub(w.Clock.Now()); x.State != sessions.Uploaded || due != 15*time.Minute {
			t.Fatalf("got %s, due in %s; want a time by which it is to be here", x.State, due)
		}
		cancel := func() {
			t.Helper()
			for _, j := range w.fetches(true) {
				if err := w.Jobs.Cancel(w.Ctx, w.all, j.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		pass := func() { // without the jobs of the plane
			t.Helper()
			if err := w.sessions.NoteRead(w.Ctx); err != nil {
				t.Fatal(err)
			}
			if err := w.sessions.Pass(w.Ctx); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		w.Clock.Advance(16 * time.Minute)
		pass()
		if x := w.one(sessions.Filter{}); x.State != sessions.Uploaded || len(w.fetches(true)) != 1 || !x.DueAt.After(w.Clock.Now()) {
			t.Fatalf("past its time: got %s, %d jobs, due %s; want a fresh job and another time", x.State, len(w.fetches(true)), x.DueAt)
		}
		w.Clock.Advance(16 * time.Minute)
		pass()
		if x := w.one(sessions.Filter{}); x.State != sessions.Uploaded || len(w.fetches(true)) != 1 {
			t.Fatalf("while its job is there: got %s", x.State)
		}
		cancel()
		w.Clock.Advance(16 * time.Minute)
		pass()
		if x := w.one(sessions.Filter{}); x.State != sessions.Missing || count(w.open(w.Maple.ID), findings.SessionRecordingMissing) != 1 {
			t.Errorf("in the end: got %s, findings %v; want it missing", x.State, w.open(w.Maple.ID))
		}
	})
}
