package sessions_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/sessions"
)

// A customer whose key was destroyed stands in nobody's way: what is theirs is
// let go of without it, and everybody else's goes on.
func TestErasedStopsNobody(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		theirs, both, other := r.stored(simple, r.Maple), r.stored(simple, r.Maple, r.Harbour), r.stored(simple, r.Harbour)
		waits := r.session(simple, r.Maple)
		if err := r.Keeper.Destroy(r.Ctx, r.Maple.ID); err != nil {
			t.Fatal(err)
		}
		_, err := r.sessions.Commands(r.Ctx, r.all, theirs.ID)
		wants(t, "commands", err, controlplane.CodeConflict, "key of this recording was destroyed")
		r.run()
		if x := r.get(waits); x.State != sessions.Missing || r.pending("session.fetch") != 0 {
			t.Errorf("one that would be sealed with it: got %s, want it missing and no job", x.State)
		}
		if err := r.sessions.Assess(r.Ctx, theirs.ID); err != nil {
			t.Errorf("its risk: %v", err)
		}
		if _, err := r.sessions.Recheck(r.Ctx, r.all); err != nil {
			t.Errorf("recheck: %v", err)
		}
		r.later(13 * month)
		for _, id := range []string{theirs.ID, both.ID, other.ID} {
			if x := r.get(id); x.Recording.DeletedAt.IsZero() {
				t.Errorf("a recording of %v outlived its term", x.Customers)
			}
		}
		if keys := r.keys(); len(keys) != 0 {
			t.Errorf("got blobs %v, want none", keys)
		}
		if n := count(r.entries("session.recording_deleted"), "session.recording_deleted"); n != 4 {
			t.Errorf("got %d certificates, want one for each session and customer", n)
		}
		r.later(time.Hour)
	})
}
