package sessions_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

func simple(began time.Time) []teleport.Event { return typed(began, "uptime", "ls -la /srv") }

// A recording comes, is sealed, and is what the ledger says.
func TestRecordingStored(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		var told []string
		r.sessions.OnStored(func(_ *db.Tx, id string) error { told = append(told, id); return nil })
		x := r.stored(simple, r.Maple)
		same(t, "told", told, []string{x.ID})
		rec := x.Recording
		if rec.Duration != 3*time.Second || rec.Width != 100 || rec.Height != 30 || rec.Partial != "" || rec.Integrity != sessions.Unchecked || x.Commands != 2 {
			t.Errorf("got %+v with %d commands", rec, x.Commands)
		}
		if want := x.EndedAt.AddDate(0, 12, 0); !rec.KeptUntil.Equal(want) {
			t.Errorf("kept until %v, want %v", rec.KeptUntil, want)
		}
		same(t, "entries", r.entries("session.recording"), []string{"session.recording_stored"})
		same(t, "findings", r.open(""), nil)
		cast := r.played(x.ID)
		if !strings.HasPrefix(cast, `{"version":2,"width":100,"height":30,`) || !strings.Contains(cast, `[2.500,"o","ls -la /srv\r\n"]`) {
			t.Errorf("got %s", cast)
		}
		if keys := r.keys(); len(keys) != 3 {
			t.Errorf("got blobs %v, want three", keys)
		}
		for _, key := range r.keys() {
			if b := must[[]byte](t)(r.blobs.ReadAll(t.Context(), key)); strings.Contains(string(b), "uptime") {
				t.Errorf("%s is not sealed", key)
			}
		}
		if got := r.check(x.ID); got != sessions.Intact {
			t.Errorf("a check says %s", got)
		}
		if r.Clock.Advance(7 * 24 * time.Hour); r.pending("session.check") != 0 {
			t.Error("a check waits already")
		}
		r.run()
		if at := r.get(x.ID).Recording.CheckedAt; at.Before(clock.Now().Add(-time.Minute)) {
			t.Errorf("it was checked at %v, want the week after too", at)
		}
	})
}

// Absent at first, then present: asked for until Grace is over, missing then, and
// stored when it comes after all.
func TestRecordingLate(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		early, late := r.session(nil, r.Maple), r.session(nil, r.Maple, r.Harbour)
		r.run()
		if x := r.get(early); x.State != sessions.Uploaded || r.pending("session.fetch") != 2 {
			t.Fatalf("got %s with %d jobs, want it asked for again", x.State, r.pending("session.fetch"))
		}
		r.tapes.set(func() { r.tapes.tapes[r.sid(early)] = simple(clock.Now()) })
		for range 12 {
			r.later(2 * time.Minute)
		}
		if x := r.get(early); x.State != sessions.Stored {
			t.Errorf("got %s, want it stored", x.State)
		}
		x := r.get(late)
		if x.State != sessions.Missing || r.pending("session.fetch") != 0 {
			t.Fatalf("got %s with %d jobs, want it missing", x.State, r.pending("session.fetch"))
		}
		same(t, "findings", r.open(""), []string{"session.recording_missing", "session.recording_missing"})
		same(t, "entries", r.entries("session.missing"), []string{"session.missing", "session.missing"})
		_, err := r.sessions.OpenCast(r.Ctx, r.all, late, "vwg_1")
		wants(t, "play", err, "conflict", "no recording")

		r.again(late)
		if x := r.get(late); x.State != sessions.Missing {
			t.Errorf("got %s", x.State)
		}
		r.tapes.set(func() { r.tapes.tapes[x.SID] = simple(x.StartedAt) })
		r.again(late)
		if x := r.get(late); x.State != sessions.Stored || x.Recording == nil {
			t.Errorf("got %s, want it stored", x.State)
		}
		same(t, "findings", r.open(""), nil)
	})
}

// The cluster is down: the session is missing when its time is over, and is asked
// for until the cluster answers.
func TestRecordingUnreachable(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		id := r.session(simple, r.Maple)
		r.tapes.set(func() { r.tapes.err = teleport.ErrUnreachable })
		for range 6 {
			r.later(20 * time.Minute)
		}
		if x := r.get(id); x.State != sessions.Missing || r.pending("session.fetch") != 1 {
			t.Fatalf("got %s with %d jobs", x.State, r.pending("session.fetch"))
		}
		found := r.found(r.Maple.ID)
		if len(found) != 1 || found[0].Args["because"] != "The cluster does not answer" || found[0].Args["person"] != "Bob Builder" {
			t.Errorf("got %+v", found)
		}
		r.tapes.set(func() { r.tapes.err = nil })
		r.later(time.Hour)
		if x := r.get(id); x.State != sessions.Stored {
			t.Errorf("got %s, want it stored", x.State)
		}
		same(t, "findings", r.open(""), nil)
	})
}

// A stream that breaks is tried again; after the last try what came is kept, and
// the whole replaces it when it comes.
func TestRecordingBreaks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		id := r.session(simple, r.Maple)
		sid := r.sid(id)
		r.tapes.set(func() { r.tapes.breaks[sid] = 5 })
		r.run()
		if x := r.get(id); x.State != sessions.Uploaded || x.Recording != nil {
			t.Fatalf("got %s and %+v, want it tried again", x.State, x.Recording)
		}
		for range 4 {
			r.later(10 * time.Minute)
		}
		x := r.get(id)
		if x.State != sessions.Stored || x.Recording.Partial == "" || !x.Recording.Playable() {
			t.Fatalf("got %s and %+v, want a part", x.State, x.Recording)
		}
		same(t, "findings", r.open(""), []string{"session.recording_partial"})
		if got := r.check(id); got != sessions.Intact {
			t.Errorf("a check of a part says %s", got)
		}
		r.tapes.set(func() { delete(r.tapes.breaks, sid) })
		r.again(id)
		whole := r.get(id).Recording
		if whole.Partial != "" || whole.Bytes <= x.Recording.Bytes {
			t.Errorf("got %+v, want the whole", whole)
		}
		same(t, "findings", r.open(""), nil)
		same(t, "entries", r.entries("session.recording_"), []string{"session.recording_stored", "session.recording_completed"})
		if got := r.check(id); got != sessions.Intact {
			t.Errorf("a check of the whole says %s", got)
		}
		r.later(7 * time.Hour)
		if keys := r.keys(); len(keys) != 3 {
			t.Errorf("got blobs %v, want three", keys)
		}
	})
}

// Events that cannot be read, and a recording without an end, are a part.
func TestRecordingPartial(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		bad := r.session(func(began time.Time) []teleport.Event {
			list := simple(began)
			list[3].Bad = teleport.ErrTooMuch
			return list
		}, r.Maple)
		endless := r.session(func(began time.Time) []teleport.Event { l := simple(began); return l[:len(l)-1] }, r.Maple)
		copied := r.plant(sessions.Planted{Kind: sessions.SCP, Started: clock.Now().Add(-time.Hour), Ended: clock.Now()},
			func(began time.Time) []teleport.Event { l := simple(began); return l[:len(l)-1] }, r.Maple)
		r.run()
		for id, want := range map[string]string{bad: "1 of its events", endless: "no end", copied: ""} {
			if x := r.get(id); x.Recording == nil || !strings.Contains(x.Recording.Partial, want) || (want == "") != (x.Recording.Partial == "") {
				t.Errorf("%s: got %+v, want %q", x.Kind, x.Recording, want)
			}
		}
	})
}

// A command that left no recording: nobody asks for one.
func TestExecWithoutRecording(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		id := r.plant(sessions.Planted{Kind: sessions.Exec, State: sessions.Unrecorded, Started: clock.Now()}, nil, r.Maple)
		for what, call := range map[string]func() error{
			"fetch":    func() error { _, err := r.sessions.Fetch(r.Ctx, r.all, id); return err },
			"check":    func() error { _, err := r.sessions.Check(r.Ctx, r.all, id); return err },
			"play":     func() error { _, err := r.sessions.OpenCast(r.Ctx, r.all, id, "vwg_1"); return err },
			"timeline": func() error { _, err := r.sessions.Timeline(r.Ctx, r.all, id, "vwg_1"); return err },
			"commands": func() error { _, err := r.sessions.Commands(r.Ctx, r.all, id); return err },
		} {
			wants(t, what, call(), "conflict", "")
		}
		r.Write(func(tx *db.Tx) error { return r.sessions.RecordingMissing(tx, id, "It did not come in time") })
		if x := r.get(id); x.State != sessions.Unrecorded {
			t.Errorf("got %s", x.State)
		}
		same(t, "findings", r.open(""), nil)
	})
}

// Terms of several customers: the shortest counts.
func TestKeptLeast(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		r.lists.months[r.Maple.ID], r.lists.months[r.Harbour.ID] = 9, 6
		for _, c := range []struct {
			x      sessions.Session
			months int
		}{{r.stored(simple, r.Maple), 9}, {r.stored(simple, r.Maple, r.Harbour), 6}, {r.stored(simple), 12}} {
			if want := c.x.EndedAt.AddDate(0, c.months, 0); !c.x.Recording.KeptUntil.Equal(want) {
				t.Errorf("got %v, want %v", c.x.Recording.KeptUntil, want)
			}
		}
		kinds := r.entries("session.recording")
		if n := len(slices.DeleteFunc(kinds, func(k string) bool { return k != "session.recording_stored" })); n != 4 {
			t.Errorf("got %d entries, want one for each customer and one of the company", n)
		}
	})
}

// An event of two megabytes is kept, played in parts, and read in lines.
func TestLargeEvent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		text := strings.Repeat("grüße \x1b[1m\x00", 180_000)
		x := r.stored(func(began time.Time) []teleport.Event {
			return newTape(began).print(time.Second, text).print(2*time.Second, "\r\nafter\r\n").end(3 * time.Second)
		}, r.Maple)
		for line := range strings.Lines(r.played(x.ID)) {
			if len(line) > 64<<10 {
				t.Errorf("a line has %d bytes", len(line))
			}
		}
		var last sessions.Line
		for from := 0; ; {
			lines, more, err := r.sessions.Transcript(r.Ctx, r.all, x.ID, "vwg_1", from, 100)
			if err != nil || len(lines) == 0 {
				t.Fatalf("got %d lines, %v", len(lines), err)
			}
			from, last = from+len(lines), lines[len(lines)-1]
			if !more {
				break
			}
		}
		if last.Text != "after" {
			t.Errorf("the last line is %q", last.Text)
		}
		if got := r.check(x.ID); got != sessions.Intact {
			t.Errorf("a check says %s", got)
		}
	})
}
