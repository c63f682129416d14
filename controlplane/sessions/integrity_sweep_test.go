package sessions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/fileblob"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/sessions"
)

// Which recordings are checked is what the ledger says was stored: a row that says
// otherwise hides nothing.
func TestSweepFindsWhatRowsHide(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql     string
		because string
	}{
		"never to be checked": {"UPDATE session_recordings SET check_at = 9000000000000000 WHERE session_id = ?", "do not open"},
		"deleted, it says":    {"UPDATE session_recordings SET deleted_at = 1 WHERE session_id = ?", "let go of, and the ledger does not"},
		"no row":              {"DELETE FROM session_recordings WHERE session_id = ?", "does not know it"},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				r := newRecorded(t, d, clock)
				x, other := r.stored(simple, r.Maple), r.stored(simple, r.Maple)
				key := r.blob(x.ID, "cast")
				b := must[[]byte](t)(r.blobs.ReadAll(t.Context(), key))
				b[len(b)/2] ^= 1
				if err := r.blobs.WriteAll(t.Context(), key, b, nil); err != nil {
					t.Fatal(err)
				}
				r.exec(c.sql, x.ID)
				for range 4 {
					r.later(25 * time.Hour)
				}
				found := r.found(r.Maple.ID)
				if len(found) != 1 || found[0].Kind != "session.recording_changed" || found[0].Subject != x.ID || !strings.Contains(found[0].Args["because"], c.because) {
					t.Fatalf("got %+v, want %s named and %q", found, x.ID, c.because)
				}
				if got := r.get(other.ID).Recording.Integrity; got == sessions.Changed {
					t.Errorf("the other one is %s", got)
				}
			})
		})
	}
}

// What was let go of in its time is no finding.
func TestSweepOfWhatWasLetGo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock, func(_ *sessions.Deps, o *sessions.Options) { o.Months = 1 })
		x := r.stored(simple, r.Maple)
		r.later(32 * 24 * time.Hour)
		r.later(25 * time.Hour)
		r.later(25 * time.Hour)
		if r.get(x.ID).Recording.DeletedAt.IsZero() {
			t.Fatal("it is kept")
		}
		same(t, "findings", r.open(""), nil)
	})
}

// A check that cannot be made is a finding until it can be.
func TestUncheckable(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		dir := filepath.Join(t.TempDir(), "recordings")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = bucket.Close() }) // it was read only
		r := newRecorded(t, d, clock, func(dep *sessions.Deps, _ *sessions.Options) { dep.Blobs = bucket })
		r.world.blobs = bucket
		x, lost := r.stored(simple, r.Maple), r.stored(simple, r.Harbour)
		if err := os.Rename(dir, dir+".away"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir, nil, 0o600); err != nil { // it answers, and not with what it should
			t.Fatal(err)
		}
		if got := r.check(x.ID); got != sessions.Unchecked {
			t.Errorf("got %s while the store is away", got)
		}
		found := r.found("")
		if len(found) != 1 || found[0].Kind != "session.unchecked" || !strings.Contains(found[0].Args["because"], "does not answer") {
			t.Fatalf("while the store is away: %+v", found)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			r.later(time.Hour)
		}
		if got := r.get(x.ID).Recording.Integrity; got != sessions.Intact {
			t.Errorf("got %s once the store is back", got)
		}
		same(t, "findings", r.open(""), nil)

		// What nobody can open any more is said, and stops no other check.
		if err := r.Keeper.Destroy(r.Ctx, r.Harbour.ID); err != nil {
			t.Fatal(err)
		}
		for range 9 {
			r.later(25 * time.Hour)
		}
		found = r.found("")
		if len(found) != 1 || found[0].Kind != "session.unchecked" || found[0].Args["count"] != "One recording" || !strings.Contains(found[0].Args["because"], "keys of their customers were destroyed") {
			t.Errorf("after a key was destroyed: %+v", found)
		}
		if got := r.get(x.ID).Recording; got.Integrity != sessions.Intact || clock.Now().Sub(got.CheckedAt) > 8*24*time.Hour {
			t.Errorf("the other one: %s at %v", got.Integrity, got.CheckedAt)
		}
		if got := r.get(lost.ID).Recording.Integrity; got == sessions.Changed {
			t.Errorf("what cannot be opened is %s", got)
		}
	})
}
