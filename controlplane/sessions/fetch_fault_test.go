package sessions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/fileblob"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
	"ostler/internal/killpoint"
)

// killed ends a fetch at a point, as a kill -9 does, and says whether it got there.
func (r *recorded) killed(id, point string) bool {
	r.T.Helper()
	kill := func(at string) {
		if at == point {
			killpoint.Kill(point)
		}
	}
	r.tapes.set(func() {
		r.tapes.at = func(_ string, n int) {
			if n == 0 {
				kill("before the first event")
			}
			if n == 4 {
				kill("in the middle")
			}
		}
	})
	armed := true
	r.sessions.OnStored(func(*db.Tx, string) error {
		if armed {
			kill("in the transaction that keeps it")
		}
		return nil
	})
	got := killpoint.Until(func() { _ = r.sessions.FetchOnce(controlplane.System(r.T.Context(), "jobs"), id) })
	armed = false
	r.tapes.set(func() { r.tapes.at = nil })
	return got == point
}

// A kill -9 at any point leaves nothing half: the session is as before, the next
// try keeps the recording, and what was left in the store is swept away.
func TestKilledFetch(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"before the first event", "in the middle", "in the transaction that keeps it"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				r := newRecorded(t, d, clock)
				id := r.session(simple, r.Maple)
				if !r.killed(id, point) {
					t.Fatal("the fetch was not killed")
				}
				if x := r.get(id); x.State != sessions.Uploaded || x.Recording != nil {
					t.Fatalf("got %s and %+v, want it as it was", x.State, x.Recording)
				}
				same(t, "entries", r.entries("session.recording"), nil)
				r.run()
				if x := r.get(id); x.State != sessions.Stored {
					t.Fatalf("got %s, want it stored", x.State)
				}
				if got := r.check(id); got != sessions.Intact {
					t.Errorf("a check says %s", got)
				}
				r.later(7 * time.Hour)
				if keys := r.keys(); len(keys) != 3 {
					t.Errorf("got blobs %v, want three", keys)
				}
			})
		})
	}
}

// The store takes nothing: a finding says so, nothing is lost, and the recording
// is kept when there is room.
func TestStoreFull(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		dir := filepath.Join(t.TempDir(), "recordings")
		full := func(on bool) { // a file where the folder was: nothing can be written
			t.Helper()
			var err error
			if on {
				err = os.Rename(dir, dir+".away")
				if err == nil {
					err = os.WriteFile(dir, nil, 0o600)
				}
			} else if err = os.Remove(dir); err == nil {
				err = os.Rename(dir+".away", dir)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = bucket.Close() }) // everything was closed
		r := newRecorded(t, d, clock, func(dep *sessions.Deps, _ *sessions.Options) { dep.Blobs = bucket })
		r.world.blobs = bucket
		one, two := r.session(simple, r.Maple), r.session(simple, r.Harbour)
		full(true)
		for range 10 {
			r.later(20 * time.Minute)
		}
		same(t, "findings", r.open(""), []string{"session.not_stored"})
		if f := r.found("")[0]; f.Args["count"] != "2 recordings" || !strings.Contains(f.Args["because"], "full") {
			t.Errorf("got %+v", f.Args)
		}
		for _, id := range []string{one, two} {
			if x := r.get(id); x.State != sessions.Uploaded {
				t.Errorf("got %s: the cluster has it, so it is not missing", x.State)
			}
		}
		full(false)
		r.later(time.Hour)
		for _, id := range []string{one, two} {
			if got := r.check(id); got != sessions.Intact {
				t.Errorf("got %s", got)
			}
		}
		same(t, "findings", r.open(""), nil)
		if keys := r.keys(); len(keys) != 6 {
			t.Errorf("got blobs %v, want six", keys)
		}
	})
}

// A process that is stopped gives its fetch back: no try is lost by it.
func TestStoppedFetch(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		id := r.session(simple, r.Maple)
		ctx, stop := withCancel(r)
		r.tapes.set(func() {
			r.tapes.at = func(_ string, n int) {
				if n == 3 {
					stop()
				}
			}
		})
		_ = r.Jobs.Tick(ctx) // it ends with ctx
		r.tapes.set(func() { r.tapes.at = nil })
		r.later(time.Minute)
		if x := r.get(id); x.State != sessions.Stored {
			t.Errorf("got %s, want it stored", x.State)
		}
	})
}

// What was read of the cluster names no path and no address of it.
func TestMissingSaysNoPath(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		id := r.session(simple, r.Maple)
		r.tapes.set(func() {
			r.tapes.err = &os.PathError{Op: "open", Path: "/var/lib/teleport/log", Err: teleport.ErrNotFound}
		})
		for range 4 {
			r.later(10 * time.Minute)
		}
		found := r.found(r.Maple.ID)
		if len(found) != 1 || found[0].Args["because"] != "The cluster has no recording of it" || r.get(id).State != sessions.Missing {
			t.Errorf("got %+v", found)
		}
	})
}
