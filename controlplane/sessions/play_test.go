package sessions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

func withCancel(r *recorded) (context.Context, context.CancelFunc) {
	return context.WithCancel(controlplane.System(r.T.Context(), "jobs"))
}

// long is a recording of some hours with a line every four seconds, of which each
// names its second.
func long(hours int) func(began time.Time) []teleport.Event {
	return func(began time.Time) []teleport.Event {
		t := newTape(began)
		for i := 0; i < hours*3600; i += 4 {
			t.print(time.Duration(i)*time.Second, fmt.Sprintf("second %d of building%s\r\n", i, strings.Repeat(" a part", 20)))
		}
		return t.end(time.Duration(hours) * time.Hour)
	}
}

// In a recording of eight hours one goes to any instant, and what is read there is
// what was shown there.
func TestEightHours(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(long(8), r.Maple)
		if x.Recording.Duration != 8*time.Hour {
			t.Errorf("got %v", x.Recording.Duration)
		}
		c := must[*sessions.Cast](t)(r.sessions.OpenCast(r.Ctx, r.all, x.ID, "vwg_1"))
		if len(c.Marks) < 8 || c.Marks[0] != (sessions.Mark{}) {
			t.Fatalf("got %d marks, the first %+v", len(c.Marks), c.Marks[0])
		}
		for _, at := range []time.Duration{0, 90 * time.Minute, 7*time.Hour + 59*time.Minute, 100 * time.Hour} {
			m := must[sessions.Mark](t)(c.SeekTime(at))
			if m.At > at {
				t.Errorf("%v: got a mark at %v", at, m.At)
			}
			b := must[[]byte](t)(io.ReadAll(c))
			line, _, _ := strings.Cut(string(b), "\n")
			if m.Offset == 0 {
				continue // the header
			}
			var row []any
			if err := json.Unmarshal([]byte(line), &row); err != nil || row[0].(float64) != m.At.Seconds() {
				t.Errorf("%v: got %q, want a line at %v", at, line, m.At)
			}
			if at < 8*time.Hour && !strings.Contains(string(b), fmt.Sprintf("second %d of", int(at.Seconds()))) {
				t.Errorf("%v: it does not have its second", at)
			}
		}
		all := r.played(x.ID)
		if _, err := c.Seek(-10, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		if b := must[[]byte](t)(io.ReadAll(c)); string(b) != all[len(all)-10:] {
			t.Errorf("got %q, want %q", b, all[len(all)-10:])
		}
		lines, more, err := r.sessions.Transcript(r.Ctx, r.all, x.ID, "vwg_1", 5_000, 3)
		if err != nil || !more || len(lines) != 3 || !strings.HasPrefix(lines[1].Text, "second 20004 of") || lines[1].At != 20_004*time.Second {
			t.Errorf("got %+v, %v, %v", lines, more, err)
		}
		lines, more, err = r.sessions.Transcript(r.Ctx, r.all, x.ID, "vwg_1", 8*900-1, 0)
		if err != nil || more || len(lines) != 1 {
			t.Errorf("got %+v, %v, %v, want the last line", lines, more, err)
		}
	})
}

// Nobody reads without an open viewing, and a right that ends while they watch
// stops the next read.
func TestRightsWhileWatching(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(long(1), r.Maple)
		c := must[*sessions.Cast](t)(r.sessions.OpenCast(r.Ctx, r.all, x.ID, "vwg_1"))
		buf := make([]byte, 1000)
		r.asked = 0
		for range 20 {
			must[int](t)(c.Read(buf))
		}
		if r.asked != 1 {
			t.Errorf("it was asked %d times in one second, want once", r.asked)
		}
		r.look = controlplane.Errorf(controlplane.CodeForbidden, "Ask us.", "Your time is over")
		must[int](t)(c.Read(buf))
		clock.Advance(time.Second)
		_, err := c.Read(buf)
		wants(t, "read", err, controlplane.CodeForbidden, "time is over")
		_, err = c.Seek(0, io.SeekStart)
		wants(t, "seek", err, controlplane.CodeForbidden, "time is over")
		for what, call := range map[string]func() error{
			"open":       func() error { _, err := r.sessions.OpenCast(r.Ctx, r.all, x.ID, "vwg_1"); return err },
			"timeline":   func() error { _, err := r.sessions.Timeline(r.Ctx, r.all, x.ID, "vwg_1"); return err },
			"transcript": func() error { _, _, err := r.sessions.Transcript(r.Ctx, r.all, x.ID, "vwg_1", 0, 0); return err },
		} {
			wants(t, what, call(), controlplane.CodeForbidden, "time is over")
		}
		ctx, scope := r.Owner(r.Harbour)
		_, err = r.sessions.OpenCast(ctx, scope, x.ID, "vwg_1")
		wants(t, "a neighbour", err, controlplane.CodeNotFound, "")
	})
}

// Bytes that were changed after the last check stop the playing with a cause.
func TestDamagedWhilePlaying(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(long(2), r.Maple)
		key := r.blob(x.ID, "cast")
		b := must[[]byte](t)(r.blobs.ReadAll(t.Context(), key))
		b[len(b)-100] ^= 1
		if err := r.blobs.WriteAll(t.Context(), key, b, nil); err != nil {
			t.Fatal(err)
		}
		c := must[*sessions.Cast](t)(r.sessions.OpenCast(r.Ctx, r.all, x.ID, "vwg_1"))
		got, err := io.ReadAll(c)
		wants(t, "read", err, controlplane.CodeConflict, "damaged from here on")
		if len(got) == 0 || int64(len(got)) >= c.Size {
			t.Errorf("got %d of %d bytes", len(got), c.Size)
		}
		if err := r.blobs.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		_, err = must[*sessions.Cast](t)(r.sessions.OpenCast(r.Ctx, r.all, x.ID, "vwg_1")).Read(make([]byte, 10))
		wants(t, "read", err, controlplane.CodeConflict, "not in the place")
	})
}

// What a terminal was sent does not act on whoever looks, and a rune that was
// split is whole.
func TestHostileRecording(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(func(began time.Time) []teleport.Event {
			return newTape(began).print(time.Second, "gr\xc3").print(2*time.Second, "\xbc\xc3\x9fe\x1b]0;title\x07\x1b]52;c;cm0=\x07\x1b[2J\x1b[c\r\n").
				print(3*time.Second, "root@maple-1:~# printf '\\x1b[2J'\r\n\x1b[31mred\x1b[0m\r\n").add(4*time.Second, "session.join", `,"user":"eve\u001b[2J"`, nil).end(20 * time.Second)
		}, r.Maple)
		cast := r.played(x.ID)
		for _, bad := range []string{"title", "cm0=", `\u001b[c`, `\u0007`, "\ufffd"} {
			if strings.Contains(cast, bad) {
				t.Errorf("the asciicast has %q: %s", bad, cast)
			}
		}
		lines, more, err := r.sessions.Transcript(r.Ctx, r.all, x.ID, "vwg_1", 0, 0)
		var got []string
		for _, l := range lines {
			got = append(got, l.Text)
		}
		if err != nil || more {
			t.Errorf("got %v, %v", more, err)
		}
		same(t, "transcript", got, []string{"grüße", "", `root@maple-1:~# printf '\x1b[2J'`, "red"})
		list := must[[]sessions.Moment](t)(r.sessions.Timeline(r.Ctx, r.all, x.ID, "vwg_1"))
		var kinds []string
		for _, m := range list {
			kinds = append(kinds, m.Kind+" "+m.Text)
		}
		same(t, "timeline", kinds, []string{`command printf '\x1b[2J'`, "idle ", "join eve [2J"})
		commands := must[[]sessions.Moment](t)(r.sessions.Commands(r.Ctx, r.all, x.ID))
		same(t, "commands", texts(commands), []string{`printf '\x1b[2J'`})
	})
}

// A customer sees commands where their terms say so, on servers that are theirs alone.
func TestCommandsOfCustomers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		own, shared := r.stored(simple, r.Maple), r.stored(simple, r.Maple, r.Harbour)
		ctx, scope := r.Owner(r.Maple)
		_, err := r.sessions.Commands(ctx, scope, own.ID)
		wants(t, "not agreed", err, controlplane.CodeForbidden, "not shown")
		terms := must[sessions.Terms](t)(r.sessions.TermsOf(ctx, scope, r.Maple.ID))
		if terms != (sessions.Terms{Customer: r.Maple.ID, Percent: 5, Months: 12}) {
			t.Errorf("got %+v", terms)
		}
		terms.Commands = true
		terms = must[sessions.Terms](t)(r.sessions.SetTerms(r.Ctx, r.all, terms))
		if _, err := r.sessions.SetTerms(r.Ctx, r.all, sessions.Terms{Customer: r.Maple.ID}); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("an old version: got %v", err)
		}
		list, err := r.sessions.Commands(ctx, scope, own.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "commands", texts(list), []string{"uptime", "ls -la /srv"})
		_, err = r.sessions.Commands(ctx, scope, shared.ID)
		wants(t, "a shared server", err, controlplane.CodeForbidden, "not shown")
		other, others := r.Owner(r.Harbour)
		_, err = r.sessions.Commands(other, others, own.ID)
		wants(t, "a neighbour", err, controlplane.CodeNotFound, "")
		_, err = r.sessions.TermsOf(other, others, r.Maple.ID)
		wants(t, "a neighbour's terms", err, controlplane.CodeNotFound, "")
		_, err = r.sessions.SetTerms(r.Ctx, r.all, sessions.Terms{Customer: r.Maple.ID, Percent: 101})
		wants(t, "percent", err, controlplane.CodeInvalid, "")
	})
}
