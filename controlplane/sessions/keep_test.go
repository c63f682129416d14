package sessions_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/identity"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

const month = 31 * 24 * time.Hour

// A recording is let go of at the end of its term: its bytes, commands and
// transcript go, its SHA-256 and a certificate stay.
func TestLetGo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(ran("rm -rf /"), r.Maple)
		clock.Advance(x.Recording.KeptUntil.Sub(clock.Now()) - time.Second)
		if r.run(); !r.get(x.ID).Recording.DeletedAt.IsZero() {
			t.Fatal("it was let go of a second too early")
		}
		r.later(2 * time.Second)
		now := r.get(x.ID)
		if now.Recording.DeletedAt.IsZero() || now.Recording.DeletedWhy != "term" || now.Recording.SHA256 != x.Recording.SHA256 || now.State != sessions.Stored || now.Commands != 1 {
			t.Fatalf("got %+v", now.Recording)
		}
		if keys := r.keys(); len(keys) != 0 {
			t.Errorf("got blobs %v, want none", keys)
		}
		same(t, "search", r.search(sessions.CommandQuery{Text: "rm"}), nil)
		_, err := r.sessions.OpenCast(r.Ctx, r.all, x.ID, "vwg_1")
		wants(t, "play", err, controlplane.CodeConflict, "was let go of on")
		_, err = r.sessions.Commands(r.Ctx, r.all, x.ID)
		wants(t, "commands", err, controlplane.CodeConflict, "let go of")
		_, err = r.sessions.Fetch(r.Ctx, r.all, x.ID)
		wants(t, "fetch", err, controlplane.CodeConflict, "let go of")
		_, err = r.sessions.Check(r.Ctx, r.all, x.ID)
		wants(t, "check", err, controlplane.CodeConflict, "let go of")
		_, err = r.sessions.Hold(r.Ctx, r.all, sessions.Hold{Session: x.ID, Reason: "too late"})
		wants(t, "hold", err, controlplane.CodeConflict, "let go of")

		items, _, err := r.Ledger.List(r.Ctx, r.all, ledger.Filter{Subject: x.ID, Kinds: []string{"session.recording_deleted"}})
		if err != nil || len(items) != 1 {
			t.Fatalf("got %+v, %v, want a certificate", items, err)
		}
		i := items[0]
		if i.Customer != r.Maple.ID || i.Data["sha256"] != x.Recording.SHA256 || i.Data["cast_sha256"] != x.Recording.CastSHA256 || i.Data["why"] != "term" || i.Data["backups_hold_until"] == nil {
			t.Errorf("got %+v", i.Data)
		}
		r.later(30 * 24 * time.Hour)
		// Nobody was there to make the samples of these days; nothing else is amiss.
		same(t, "findings", slices.DeleteFunc(r.open(""), func(k string) bool { return k == "session.draw_missed" }), nil)
	})
}

// Terms that changed since: what is longer now is kept.
func TestLongerTerm(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(simple, r.Maple)
		r.lists.mu.Lock()
		r.lists.months[r.Maple.ID] = 14
		r.lists.mu.Unlock()
		r.later(13 * month)
		rec := r.get(x.ID).Recording
		if !rec.DeletedAt.IsZero() || !rec.KeptUntil.Equal(x.EndedAt.AddDate(0, 14, 0)) {
			t.Errorf("got %+v", rec)
		}
		r.later(2 * month)
		if r.get(x.ID).Recording.DeletedAt.IsZero() {
			t.Error("it is still there")
		}
	})
}

// What is shorter now is let go of earlier: each check looks.
func TestShorterTerm(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(simple, r.Maple)
		r.lists.mu.Lock()
		r.lists.months[r.Maple.ID] = 3
		r.lists.mu.Unlock()
		r.later(8 * 24 * time.Hour)
		if rec := r.get(x.ID).Recording; !rec.KeptUntil.Equal(x.EndedAt.AddDate(0, 3, 0)) {
			t.Errorf("kept until %v, want three months", rec.KeptUntil)
		}
		if r.later(3 * month); r.get(x.ID).Recording.DeletedAt.IsZero() {
			t.Error("it is still there")
		}
	})
}

// Jobs that are long over are forgotten.
func TestJobsForgotten(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		r.stored(simple, r.Maple)
		fetches := func() int {
			return must[int](t)(r.Jobs.Count(r.Ctx, r.all, jobs.Filter{Kinds: []string{"session.fetch"}}))
		}
		if n := fetches(); n != 1 {
			t.Fatalf("got %d jobs, want one", n)
		}
		if r.later(29 * 24 * time.Hour); fetches() != 1 {
			t.Error("it was forgotten too early")
		}
		if r.later(2 * 24 * time.Hour); fetches() != 0 {
			t.Error("it is still there")
		}
	})
}

// What is held is kept, as long as it is held.
func TestHolds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		one, two, other := r.stored(simple, r.Maple), r.stored(simple, r.Maple), r.stored(simple, r.Harbour)
		end := one.Recording.KeptUntil
		clock.Advance(end.Sub(clock.Now()) - 24*time.Hour)
		h := must[sessions.Hold](t)(r.sessions.Hold(r.Ctx, r.all, sessions.Hold{Session: one.ID, Reason: "A court asked"}))
		if want := clock.Now().Add(30 * 24 * time.Hour); !h.Until.Equal(want) || h.By != r.ada.ID || h.Reason != "A court asked" {
			t.Errorf("got %+v, want a freeze until %v", h, want)
		}
		r.later(48 * time.Hour)
		for _, c := range []struct {
			id   string
			kept bool
		}{{one.ID, true}, {two.ID, false}, {other.ID, false}} {
			if got := r.get(c.id).Recording.DeletedAt.IsZero(); got != c.kept {
				t.Errorf("kept %v, want %v", got, c.kept)
			}
		}
		if holds := r.get(one.ID).Recording.Holds; len(holds) != 1 || holds[0].ID != h.ID {
			t.Errorf("got holds %+v", holds)
		}
		r.later(27 * 24 * time.Hour)
		if !r.get(one.ID).Recording.DeletedAt.IsZero() {
			t.Fatal("it was let go of while it was held")
		}
		r.later(3 * 24 * time.Hour)
		if x := r.get(one.ID); x.Recording.DeletedAt.IsZero() || len(x.Recording.Holds) != 0 {
			t.Errorf("got %+v, want it let go of at the hold's end", x.Recording)
		}
		if all := must[[]sessions.Hold](t)(r.sessions.Holds(r.Ctx, r.all, r.Maple.ID, true)); len(all) != 1 {
			t.Errorf("got %+v", all)
		}
		same(t, "those that stand", must[[]sessions.Hold](t)(r.sessions.Holds(r.Ctx, r.all, "", false)), nil)
	})
}

// A customer's hold keeps the sessions of its time.
func TestHoldOfCustomer(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		before, within, other := r.stored(simple, r.Maple), "", ""
		clock.Advance(48 * time.Hour)
		from := clock.Now().Add(-2 * time.Hour)
		within, other = r.stored(simple, r.Maple, r.Harbour).ID, r.stored(simple, r.Harbour).ID
		clock.Advance(time.Hour)
		h := must[sessions.Hold](t)(r.sessions.Hold(r.Ctx, r.all, sessions.Hold{Customer: r.Maple.ID, From: from, Reason: "An incident", Until: clock.Now().AddDate(2, 0, 0)}))
		for id, want := range map[string]int{before.ID: 0, within: 1, other: 0} {
			if got := len(r.get(id).Recording.Holds); got != want {
				t.Errorf("got %d holds, want %d", got, want)
			}
		}
		ctx, scope := r.Owner(r.Harbour)
		if x := must[sessions.Session](t)(r.sessions.Get(ctx, scope, within)); len(x.Recording.Holds) != 0 {
			t.Errorf("a neighbour sees %+v", x.Recording.Holds)
		}
		r.later(13 * month)
		for id, kept := range map[string]bool{before.ID: false, within: true, other: false} {
			if got := r.get(id).Recording.DeletedAt.IsZero(); got != kept {
				t.Errorf("kept %v, want %v", got, kept)
			}
		}
		must[sessions.Hold](t)(r.sessions.Release(r.Ctx, r.all, h.ID, "It is over"))
		if r.run(); !r.get(within).Recording.DeletedAt.IsZero() {
			t.Error("one person released it")
		}
		_, err := r.sessions.Release(r.Ctx, r.all, h.ID, "")
		wants(t, "the same person", err, controlplane.CodeConflict, "yourself")
		bob := r.admin(r.bob)
		h = must[sessions.Hold](t)(r.sessions.Release(bob, r.all, h.ID, ""))
		if h.ReleasedBy != r.bob.ID || h.Asked != r.ada.ID || h.ReleasedAt.IsZero() {
			t.Errorf("got %+v", h)
		}
		if r.run(); r.get(within).Recording.DeletedAt.IsZero() {
			t.Error("two persons released it, and it is still there")
		}
		_, err = r.sessions.Release(bob, r.all, h.ID, "again")
		wants(t, "again", err, controlplane.CodeConflict, "has ended")
		same(t, "entries", r.entries("session.hold"), []string{"session.hold_placed", "session.hold_release_asked", "session.hold_released"})
	})
}

// In an emergency one person releases, with a reason, and the ledger says so.
func TestReleaseAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		r := newRecorded(t, d, clock)
		x := r.stored(simple, r.Maple)
		h := must[sessions.Hold](t)(r.sessions.Hold(r.Ctx, r.all, sessions.Hold{Session: x.ID, Reason: "An incident"}))
		_, err := r.sessions.ReleaseAlone(r.Ctx, r.all, h.ID, " ")
		wants(t, "no reason", err, controlplane.CodeInvalid, "")
		h = must[sessions.Hold](t)(r.sessions.ReleaseAlone(r.Ctx, r.all, h.ID, "A judge ordered it, and nobody else is here"))
		if h.ReleasedAt.IsZero() || len(r.get(x.ID).Recording.Holds) != 0 {
			t.Errorf("got %+v", h)
		}
		items, _, err := r.Ledger.List(r.Ctx, r.all, ledger.Filter{Customer: r.Maple.ID, Kinds: []string{"session.hold_released"}})
		if err != nil || len(items) != 1 || items[0].Data["alone"] != true || !strings.Contains(items[0].Personal["reason"], "judge") {
			t.Errorf("got %+v, %v", items, err)
		}
		same(t, "findings", r.open(r.Maple.ID), []string{"session.hold_alone"})
		_, err = r.sessions.Release(r.Ctx, r.all, h.ID, "")
		wants(t, "the same person", err, controlplane.CodeConflict, "released this hold yourself")
		if h = must[sessions.Hold](t)(r.sessions.Release(r.admin(r.bob), r.all, h.ID, "")); h.ReviewedBy != r.bob.ID || !h.Alone {
			t.Errorf("got %+v", h)
		}
		same(t, "findings", r.open(""), nil)
	})
}

func TestBadHolds(t *testing.T) {
	t.Parallel()
	clock := &dbtest.Clock{}
	r := newRecorded(t, dbtest.SQLite(t, clock), clock)
	x := r.stored(simple, r.Maple)
	now := clock.Now()
	for _, c := range []struct {
		name string
		h    sessions.Hold
		code controlplane.Code
	}{
		{"nothing", sessions.Hold{Reason: "why"}, controlplane.CodeInvalid},
		{"both", sessions.Hold{Reason: "why", Session: x.ID, Customer: r.Maple.ID}, controlplane.CodeInvalid},
		{"no reason", sessions.Hold{Session: x.ID, Reason: "  "}, controlplane.CodeInvalid},
		{"a book", sessions.Hold{Session: x.ID, Reason: strings.Repeat("x", 2001)}, controlplane.CodeInvalid},
		{"a time of one session", sessions.Hold{Session: x.ID, Reason: "why", From: now}, controlplane.CodeInvalid},
		{"backwards", sessions.Hold{Customer: r.Maple.ID, Reason: "why", From: now, To: now.Add(-time.Hour)}, controlplane.CodeInvalid},
		{"in the past", sessions.Hold{Session: x.ID, Reason: "why", Until: now.Add(-time.Hour)}, controlplane.CodeInvalid},
		{"for ever", sessions.Hold{Session: x.ID, Reason: "why", Until: now.AddDate(50, 0, 0)}, controlplane.CodeInvalid},
		{"no session", sessions.Hold{Session: controlplane.NewID(controlplane.PrefixStaffSession), Reason: "why"}, controlplane.CodeNotFound},
		{"no customer", sessions.Hold{Customer: controlplane.NewID(controlplane.PrefixCustomer), Reason: "why"}, controlplane.CodeNotFound},
	} {
		_, err := r.sessions.Hold(r.Ctx, r.all, c.h)
		wants(t, c.name, err, c.code, "")
	}
	_, err := r.sessions.Release(r.Ctx, r.all, controlplane.NewID(controlplane.PrefixHold), "why")
	wants(t, "no hold", err, controlplane.CodeNotFound, "")
	ctx, scope := r.Owner(r.Maple)
	_, err = r.sessions.Holds(ctx, scope, "", true)
	wants(t, "a contact", err, controlplane.CodeNotFound, "")
}

func (r *recorded) admin(p identity.Person) context.Context { return r.as(p, policy.RoleAdmin) }
