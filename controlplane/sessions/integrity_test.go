package sessions_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// blob is the key of one of a recording's blobs.
func (r *recorded) blob(session, kind string) string {
	r.T.Helper()
	keys := r.keys()
	i := slices.IndexFunc(keys, func(k string) bool { return strings.Contains(k, session+"/"+kind+"_") })
	if i < 0 {
		r.T.Fatalf("no %s blob of %s in %v", kind, session, keys)
	}
	return keys[i]
}

func (r *recorded) exec(query string, args ...any) {
	r.T.Helper()
	r.Write(func(tx *db.Tx) error { return tx.Exec(query, args...).Error })
}

// Whatever is changed after it was stored, a check names the session, nobody
// watches it, and a copy that is what was stored mends it.
func TestChangedAfterStored(t *testing.T) {
	t.Parallel()
	flip := func(kind string) func(*recorded, sessions.Session, sessions.Session) {
		return func(r *recorded, x, _ sessions.Session) {
			key := r.blob(x.ID, kind)
			b := must[[]byte](r.T)(r.blobs.ReadAll(r.T.Context(), key))
			b[len(b)/2] ^= 1
			if err := r.blobs.WriteAll(r.T.Context(), key, b, nil); err != nil {
				r.T.Fatal(err)
			}
		}
	}
	cases := []struct {
		name    string
		do      func(r *recorded, x, other sessions.Session)
		want    sessions.Integrity
		because string
	}{
		{"events", flip("raw"), sessions.Changed, "do not open"},
		{"asciicast", flip("cast"), sessions.Changed, "do not open"},
		{"transcript", flip("text"), sessions.Changed, "do not open"},
		{"cut short", func(r *recorded, x, _ sessions.Session) {
			key := r.blob(x.ID, "raw")
			b := must[[]byte](r.T)(r.blobs.ReadAll(r.T.Context(), key))
			if err := r.blobs.WriteAll(r.T.Context(), key, b[:len(b)-5], nil); err != nil {
				r.T.Fatal(err)
			}
		}, sessions.Changed, "do not open"},
		{"deleted", func(r *recorded, x, _ sessions.Session) {
			if err := r.blobs.Delete(r.T.Context(), r.blob(x.ID, "cast")); err != nil {
				r.T.Fatal(err)
			}
		}, sessions.Gone, "not in the place"},
		{"another session's", func(r *recorded, x, other sessions.Session) {
			b := must[[]byte](r.T)(r.blobs.ReadAll(r.T.Context(), r.blob(other.ID, "cast")))
			if err := r.blobs.WriteAll(r.T.Context(), r.blob(x.ID, "cast"), b, nil); err != nil {
				r.T.Fatal(err)
			}
		}, sessions.Changed, "do not open"},
		{"row", func(r *recorded, x, other sessions.Session) {
			r.exec("UPDATE session_recordings SET sha256 = ? WHERE session_id = ?", other.Recording.SHA256, x.ID)
		}, sessions.Changed, "the database says"},
		{"row that names another one", func(r *recorded, x, other sessions.Session) {
			r.exec(`UPDATE session_recordings SET (raw_blob, cast_blob, text_blob, sha256, cast_sha256, text_sha256) =
				(SELECT raw_blob, cast_blob, text_blob, sha256, cast_sha256, text_sha256 FROM session_recordings WHERE session_id = ?) WHERE session_id = ?`, other.ID, x.ID)
		}, sessions.Changed, "not the one in the ledger"},
		{"table of blocks", func(r *recorded, x, _ sessions.Session) {
			r.exec("UPDATE session_blobs SET blocks = ? WHERE session_id = ? AND kind = 'raw'", []byte{1, 2, 3}, x.ID)
		}, sessions.Changed, "do not open"},
		{"commands", func(r *recorded, x, _ sessions.Session) {
			r.exec("DELETE FROM session_commands WHERE session_id = ?", x.ID)
		}, sessions.Changed, "searched"},
		{"some commands", func(r *recorded, x, _ sessions.Session) {
			r.exec("UPDATE session_commands SET commands = NULL WHERE session_id = ?", x.ID)
		}, sessions.Changed, "searched"},
		{"another session's commands", func(r *recorded, x, other sessions.Session) {
			r.exec("UPDATE session_commands SET commands = (SELECT commands FROM session_commands WHERE session_id = ?) WHERE session_id = ?", other.ID, x.ID)
		}, sessions.Changed, "What was run"},
		{"row of blobs", func(r *recorded, x, _ sessions.Session) {
			r.exec("DELETE FROM session_blobs WHERE session_id = ? AND kind = 'text'", x.ID)
		}, sessions.Gone, "not in the database"},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { r.changed(t, c.do, c.want, c.because) })
		}
	})
}

// changed changes one of two recordings, and holds what follows to what is wanted.
func (r *recorded) changed(t *testing.T, do func(r *recorded, x, other sessions.Session), want sessions.Integrity, because string) {
	x := r.stored(simple, r.Maple)
	other := r.stored(ran("rm -rf /"), r.Maple)
	do(r, x, other)
	if got := r.check(x.ID); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	found := r.found(r.Maple.ID)
	if len(found) != 1 || found[0].Kind != "session.recording_changed" || found[0].Subject != x.ID || !strings.Contains(found[0].Args["because"], because) {
		t.Fatalf("got %+v, want it named and %q", found, because)
	}
	_, err := r.sessions.OpenCast(r.Ctx, r.all, x.ID, "vwg_1")
	wants(t, "play", err, "conflict", "")
	if got := r.check(other.ID); got != sessions.Intact {
		t.Errorf("the other one is %s", got)
	}
	r.again(x.ID)
	same(t, "findings", r.open(""), nil)
	if got := r.check(x.ID); got != sessions.Intact {
		t.Errorf("after it was fetched again it is %s", got)
	}
	if cast := r.played(x.ID); !strings.Contains(cast, "uptime") {
		t.Errorf("got %s", cast)
	}
	same(t, "commands", texts(must[[]sessions.Moment](t)(r.sessions.Commands(r.Ctx, r.all, x.ID))), []string{"uptime", "ls -la /srv"})
}

// Whatever stands where the blocks of a recording should begin, reading it ends
// with a cause.
func TestBadTables(t *testing.T) {
	t.Parallel()
	clock := &dbtest.Clock{}
	r := newRecorded(t, dbtest.SQLite(t, clock), clock)
	x := r.stored(simple, r.Maple)
	for _, table := range [][]byte{nil, {}, {0}, {1}, {200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200}, {0, 5, 5, 0, 0}, {1, 7, 7, 0, 0, 9, 9, 0, 0}, {1, 0, 0, 0, 0, 100, 0, 0, 0},
		{1, 0, 0, 0, 0, 255, 255, 255, 127, 10, 0, 0}, {2, 0, 0, 0, 0, 0, 0, 0, 0, 90, 90, 1, 1}, {1, 0, 0, 0, 0, 0, 0, 0, 0}} {
		r.exec("UPDATE session_blobs SET blocks = ? WHERE session_id = ?", table, x.ID)
		c, err := r.sessions.OpenCast(r.Ctx, r.all, x.ID, "vwg_1")
		if err == nil {
			var b []byte
			if b, err = io.ReadAll(c); err == nil && len(b) > 0 {
				t.Errorf("%v: got %q", table, b)
			}
		}
		if err != nil && controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("%v: got %v", table, err)
		}
		if lines, _, err := r.sessions.Transcript(r.Ctx, r.all, x.ID, "vwg_1", 0, 0); err == nil && len(lines) > 0 {
			t.Errorf("%v: got %v", table, lines)
		}
		if got := r.check(x.ID); got == sessions.Intact {
			t.Errorf("%v: a check says %s", table, got)
		}
		r.exec("UPDATE session_recordings SET integrity = 'unchecked' WHERE session_id = ?", x.ID)
	}
}

// What the cluster has now is another recording: the first one is kept.
func TestChangedAtTheCluster(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(simple, r.Maple)
		was := r.played(x.ID)
		r.tapes.set(func() { r.tapes.tapes[x.SID] = typed(x.StartedAt, "true") })
		r.again(x.ID)
		found := r.found(r.Maple.ID)
		if len(found) != 1 || found[0].Kind != "session.recording_changed" || !strings.Contains(found[0].Args["because"], "The cluster's copy is another one") {
			t.Fatalf("got %+v", found)
		}
		if got := r.played(x.ID); got != was {
			t.Errorf("got %s, want %s", got, was)
		}
		if err := r.blobs.Delete(t.Context(), r.blob(x.ID, "cast")); err != nil {
			t.Fatal(err)
		}
		if got := r.check(x.ID); got != sessions.Gone {
			t.Errorf("got %s", got)
		}
		r.again(x.ID)
		if got := r.get(x.ID).Recording; got.Integrity != sessions.Gone || got.SHA256 != x.Recording.SHA256 {
			t.Errorf("got %+v, want what was stored first to count", got)
		}
		r.tapes.set(func() { r.tapes.tapes[x.SID] = simple(x.StartedAt) })
		r.again(x.ID)
		if got := r.played(x.ID); got != was {
			t.Errorf("got %s, want %s", got, was)
		}
		same(t, "findings", r.open(""), nil)
		if r.later(7 * time.Hour); len(r.keys()) != 3 {
			t.Errorf("got blobs %v, want three", r.keys())
		}
	})
}

// Whoever can write the database writes entries behind the first one: it counts.
func TestLaterEntriesDoNotCount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(simple, r.Maple)
		other := r.stored(func(began time.Time) []teleport.Event { return typed(began, "rm -rf /") }, r.Maple)
		r.exec(`UPDATE session_recordings SET (raw_blob, cast_blob, text_blob, sha256, cast_sha256, text_sha256) =
			(SELECT raw_blob, cast_blob, text_blob, sha256, cast_sha256, text_sha256 FROM session_recordings WHERE session_id = ?) WHERE session_id = ?`, other.ID, x.ID)
		r.Clock.Advance(time.Second)
		for _, kind := range []string{"session.recording_stored", "session.recording_completed", "session.recording_mended"} {
			r.enter(x, kind, map[string]any{"sha256": other.Recording.SHA256, "cast_sha256": other.Recording.CastSHA256})
		}
		if got := r.check(x.ID); got != sessions.Changed {
			t.Errorf("got %s, want it found", got)
		}
	})
}
