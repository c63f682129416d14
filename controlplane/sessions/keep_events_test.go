package sessions_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// batches are the batches of events: whose key seals each, and whether it is there.
func (w *world) batches() (out []string) {
	w.T.Helper()
	var rows []struct {
		SealOwner string
		DeletedAt int64
		Length    int
	}
	err := w.DB.Read(w.Ctx, func(tx *db.Tx) error {
		return tx.Raw("SELECT seal_owner, deleted_at, LENGTH(data) AS length FROM session_batches").Scan(&rows).Error
	})
	if err != nil {
		w.T.Fatal(err)
	}
	names := map[string]string{w.Maple.ID: "maple", w.Harbour.ID: "harbour", "": "company"}
	for _, r := range rows {
		state := " gone"
		if r.DeletedAt == 0 && r.Length > 0 {
			state = " there"
		} else if r.DeletedAt == 0 || r.Length > 0 {
			state = " half"
		}
		out = append(out, names[r.SealOwner]+state)
	}
	slices.Sort(out)
	return out
}

// Events are sealed with the key of whose they are and let go of with the
// recordings; a hold keeps them, and the hash stays.
func TestEventsHaveATerm(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		on := func(sid, host string) map[string]any { return of("sid", sid, "server_hostname", host, "size", "80:25") }
		c := &scripted{list: []teleport.Event{event("session.start", 0, on("sid-1", "maple-1")), event("session.start", 1, on("sid-2", "harbour-1")),
			event("session.start", 2, on("sid-3", "shared-1")), event("session.upload", 3, map[string]any{"sid": "sid-1"}), event("user.login", 4, map[string]any{"user": "bob"})}}
		w := newWorld(t, d, clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
		w.lists.months[w.Maple.ID] = 3
		w.Clock.Advance(began.Add(10 * time.Minute).Sub(w.Clock.Now()))
		w.run()
		same(t, "batches", w.batches(), []string{"company there", "company there", "harbour there", "maple there"})
		byHost := map[string]string{}
		for _, x := range w.list(sessions.Filter{}) {
			byHost[x.Host] = x.ID
		}
		h := must[sessions.Hold](t)(w.sessions.Hold(w.Ctx, w.all, sessions.Hold{Session: byHost["shared-1"], Reason: "An incident", Until: w.Clock.Now().AddDate(0, 5, 0)}))
		w.later(2 * month)
		same(t, "in their term", w.batches(), []string{"company there", "company there", "harbour there", "maple there"})
		w.later(2 * month) // maple's are over; those of the shared server too, and they are held
		same(t, "after maple's term", w.batches(), []string{"company there", "company there", "harbour there", "maple gone"})
		if _, err := w.sessions.Events(w.Ctx, w.all, byHost["maple-1"]); controlplane.ErrorCode(err) != controlplane.CodeConflict || !strings.Contains(err.Error(), "let go of") {
			t.Errorf("maple's: got %v, want it said that they were let go of", err)
		}
		if got := must[[]sessions.Event](t)(w.sessions.Events(w.Ctx, w.all, byHost["harbour-1"])); len(got) != 1 {
			t.Errorf("harbour's: got %d events, want them", len(got))
		}
		w.later(2 * month)
		same(t, "after the hold "+h.ID, w.batches(), []string{"company gone", "company there", "harbour there", "maple gone"})
		w.later(8 * month)
		same(t, "in the end", w.batches(), []string{"company gone", "company gone", "harbour gone", "maple gone"})
		if n := count(w.entries("session.events_deleted"), "session.events_deleted"); n != 4 {
			t.Errorf("got %d entries, want one for each batch", n)
		}
		if n := len(w.list(sessions.Filter{})); n != 3 {
			t.Errorf("%d sessions are left, want all 3", n)
		}
	})
}

// A customer's events are unreadable once their key was destroyed, and nobody else's.
func TestErasedEvents(t *testing.T) {
	t.Parallel()
	clock := &dbtest.Clock{}
	c := &scripted{list: []teleport.Event{event("session.start", 0, of("size", "80:25")), event("session.start", 1, of("sid", "sid-2", "size", "80:25", "server_hostname", "harbour-1"))}}
	w := newWorld(t, dbtest.SQLite(t, clock), clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
	w.Clock.Advance(began.Add(10 * time.Minute).Sub(w.Clock.Now()))
	w.run()
	if err := w.Keeper.Destroy(w.Ctx, w.Maple.ID); err != nil {
		t.Fatal(err)
	}
	for _, x := range w.list(sessions.Filter{}) {
		got, err := w.sessions.Events(w.Ctx, w.all, x.ID)
		if theirs := x.Host == "maple-1"; theirs == (err == nil) || theirs == (len(got) == 1) {
			t.Errorf("%s: got %d events, %v", x.Host, len(got), err)
		}
	}
}

// What somebody dismissed is kept until its term is over, with who did it and why.
func TestDismissedIsKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		bad := teleport.Event{ID: "bad-1", Type: "exec", At: clock.Now(), Raw: []byte(`{"user":`), Bad: errors.New("it is not JSON")}
		if err := w.sessions.TakeIn(w.Ctx, []teleport.Event{bad}); err != nil {
			t.Fatal(err)
		}
		held, _, err := w.sessions.Quarantine(w.Ctx, w.all, 0, "")
		if err != nil || len(held) != 1 {
			t.Fatalf("got %+v, %v", held, err)
		}
		if err := w.sessions.Dismiss(w.Ctx, w.all, held[0].ID, "A node of ours was broken"); err != nil {
			t.Fatal(err)
		}
		raw := func() (n int64) {
			t.Helper()
			w.Write(func(tx *db.Tx) error {
				return tx.Raw("SELECT COUNT(*) FROM session_quarantine WHERE raw IS NOT NULL").Scan(&n).Error
			})
			return n
		}
		held, _, err = w.sessions.Quarantine(w.Ctx, w.all, 0, "")
		if err != nil || raw() != 1 || held[0].By != w.ada.ID || held[0].Why != "A node of ours was broken" {
			t.Errorf("%d kept, %+v, %v; want its bytes, and who looked and why", raw(), held, err)
		}
		w.later(13 * month)
		if raw() != 0 || count(w.entries("session.quarantine"), "session.quarantine_deleted") != 1 {
			t.Errorf("%d outlived their term: %v", raw(), w.entries("session.quarantine"))
		}
	})
}

// What a killed process left half written is swept after a day, and nothing else.
func TestHalfWritten(t *testing.T) {
	t.Parallel()
	clock := &dbtest.Clock{}
	clock.Advance(time.Since(clock.Now()))
	dir := t.TempDir()
	w := newWorld(t, dbtest.SQLite(t, clock), clock, func(d *sessions.Deps, _ *sessions.Options) {
		b := must[*blob.Bucket](t)(fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite}))
		t.Cleanup(func() { _ = b.Close() })
		d.Blobs = b
	})
	old := time.Now().Add(-25 * time.Hour)
	half := "recordings/ssn_1/raw_06h075y3xnzhqck8w8j317qg7w.18a9b1c2d3e4f5a6.tmp"
	for name, at := range map[string]time.Time{half: old, strings.Replace(half, "raw", "cast", 1): time.Now(), "recordings/ssn_1/raw_06h075y3xnzhqck8w8j317qg7w": old, "recordings/ssn_1/notes.tmp": old} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("x"), 0o600), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	w.run()
	left := must[[]string](t)(filepath.Glob(filepath.Join(dir, "recordings/ssn_1/*")))
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	same(t, "left", left, []string{"cast_06h075y3xnzhqck8w8j317qg7w.18a9b1c2d3e4f5a6.tmp", "notes.tmp", "raw_06h075y3xnzhqck8w8j317qg7w"})
}
