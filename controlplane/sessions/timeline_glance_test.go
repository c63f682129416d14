package sessions_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
	"ostler/controlplane/sessions/cast"
	"ostler/controlplane/teleport"
)

// Our own people who read what was run have looked at the recording: they need
// the permission, and the customer sees it, once an hour.
func TestGlance(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(simple, r.Maple)
		owner, scope := r.Owner(r.Maple)
		ways := func() (out []string) {
			t.Helper()
			items, _, err := r.sessions.Viewings(owner, scope, sessions.ViewingFilter{Session: x.ID})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range items {
				out = append(out, v.Name+" "+v.Way)
			}
			return out
		}
		sue, _ := r.staff("Sue Support", policy.RoleSupport)
		support := r.as(sue, policy.RoleSupport)
		_, err := r.sessions.Commands(support, r.all, x.ID)
		wants(t, "commands without the permission", err, controlplane.CodeForbidden, "does not include to watch")
		_, err = r.sessions.Events(support, r.all, x.ID)
		wants(t, "events without the permission", err, controlplane.CodeForbidden, "does not include to watch")
		same(t, "refused", ways(), nil)

		for range 3 {
			if got := must[[]sessions.Moment](t)(r.sessions.Commands(r.Ctx, r.all, x.ID)); len(got) != 2 {
				t.Errorf("got %d commands, want 2", len(got))
			}
		}
		same(t, "one for an hour", ways(), []string{"Ada Admin commands"})
		clock.Advance(61 * time.Minute)
		must[[]sessions.Moment](t)(r.sessions.Commands(r.Ctx, r.all, x.ID))
		must[[]sessions.Moment](t)(r.sessions.Commands(r.as(r.bob, policy.RoleOps), r.all, x.ID))
		same(t, "later, and somebody else", ways(), []string{"Bob Builder commands", "Ada Admin commands", "Ada Admin commands"})
		items, _, err := r.sessions.Viewings(r.Ctx, r.all, sessions.ViewingFilter{Session: x.ID, By: r.bob.ID})
		if err != nil || len(items) != 1 {
			t.Fatalf("got %+v, %v", items, err)
		}
		if err := r.sessions.MayLook(r.as(r.bob, policy.RoleOps), x.ID, items[0].ID); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("the recording is read by a look at its commands: %v", err)
		}
		if n := count(r.entries("session."), "session.viewed"); n != 3 {
			t.Errorf("got %d entries, want one for each viewing", n)
		}
	})
}

// The cluster's own events say what was run too, also where nothing is recorded.
func TestGlanceAtEvents(t *testing.T) {
	t.Parallel()
	clock := &dbtest.Clock{}
	c := &scripted{list: []teleport.Event{event("exec", 0, of("sid", "", "command", "cat /etc/shadow"))}}
	w := newWorld(t, dbtest.SQLite(t, clock), clock, func(d *sessions.Deps, _ *sessions.Options) { d.Cluster = c })
	w.Clock.Advance(began.Add(10 * time.Minute).Sub(w.Clock.Now()))
	w.run()
	x := w.one(sessions.Filter{})
	if x.Command != "cat /etc/shadow" {
		t.Errorf("who may watch sees %q", x.Command)
	}
	sue, _ := w.staff("Sue Support", policy.RoleSupport)
	if got := must[sessions.Session](t)(w.sessions.Get(w.as(sue, policy.RoleSupport), w.all, x.ID)); got.Command != "" {
		t.Errorf("who may not sees %q", got.Command)
	}
	must[[]sessions.Event](t)(w.sessions.Events(w.Ctx, w.all, x.ID))
	items, _, err := w.sessions.Viewings(w.Ctx, w.all, sessions.ViewingFilter{Session: x.ID})
	if err != nil || len(items) != 1 || items[0].Way != "events" || items[0].By != w.ada.ID {
		t.Errorf("got %+v, %v", items, err)
	}
}

// However much happens beside them, every command is searched, and what a list
// leaves out is said.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	clock := &dbtest.Clock{}
	r := newRecorded(t, dbtest.SQLite(t, clock), clock)
	x := r.stored(func(began time.Time) []teleport.Event {
		tape := newTape(began)
		for range cast.MaxMoments + 3 {
			tape.add(time.Second, "session.disk", `,"path":"/etc/hosts"`, nil)
		}
		return tape.add(2*time.Second, "session.command", `,"path":"/bin/rm","argv":["-rf","/srv"]`, nil).end(3 * time.Second)
	}, r.Maple)
	if x.Commands != 1 || x.Recording.MomentsLeft != 3 || x.Recording.CommandsLeft != 0 {
		t.Errorf("got %d commands, %+v", x.Commands, x.Recording)
	}
	same(t, "search", r.search(sessions.CommandQuery{Text: "rm -rf"}), []string{x.ID + ": /bin/rm -rf /srv"})
	list := must[[]sessions.Moment](t)(r.sessions.Timeline(r.Ctx, r.all, x.ID, "vwg_1"))
	if got, want := list[0], "3 other moments, as files and connections, were too many for this list. They are in the recording."; got.Kind != "left" || got.Text != want {
		t.Errorf("got %+v, want %q", got, want)
	}
	if got := r.check(x.ID); got != sessions.Intact {
		t.Errorf("a check says %s", got)
	}
}
