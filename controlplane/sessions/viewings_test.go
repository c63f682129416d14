package sessions_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// contact is a contact who is really there.
func (w *world) contact(c customers.Customer, name string, role policy.Role) (context.Context, policy.Scope, customers.Contact) {
	w.T.Helper()
	first, _, _ := strings.Cut(strings.ToLower(name), " ")
	x := must[customers.Contact](w.T)(w.Customers.AddContact(w.Ctx, w.all, customers.NewContact{Customer: c.ID, Name: name, Email: first + "@" + c.Slug + ".example", Role: role}))
	a := controlplane.Actor{Kind: controlplane.ActorContact, ID: x.ID, Customer: c.ID, Role: string(role)}
	return controlplane.WithActor(w.T.Context(), a), policy.ScopeOf(a), x
}

// auditor is an outside auditor who has signed in.
func (w *world) auditor(in identity.NewAuditor) (context.Context, policy.Scope, identity.Person) {
	w.T.Helper()
	in.Name, in.Email = "Helle Nyberg", "helle@audit.example"
	p := must[identity.Person](w.T)(w.Identity.AddAuditor(w.Ctx, w.all, in))
	a := controlplane.Actor{Kind: controlplane.ActorAuditor, ID: p.ID, Customer: p.Customer, Customers: p.Customers, Role: string(policy.RoleAuditor), From: p.From, To: p.To}
	return controlplane.WithActor(w.T.Context(), a), policy.ScopeOf(a), p
}

// watch lets a customer's owners watch.
func (w *world) watch(c customers.Customer, yes bool) {
	w.T.Helper()
	t := must[sessions.Terms](w.T)(w.sessions.TermsOf(w.Ctx, w.all, c.ID))
	t.Watch = yes
	must[sessions.Terms](w.T)(w.sessions.SetTerms(w.Ctx, w.all, t))
}

// played is that somebody played stretches, and the time that it takes at the most
// speed, in steps as a player says them.
func (w *world) played(ctx context.Context, viewing string, parts ...sessions.Stretch) (out sessions.Viewing) {
	w.T.Helper()
	for _, p := range parts {
		for at := p.From; at < p.To; at += 16 * 30 * time.Second {
			w.Clock.Advance(30 * time.Second)
			out = must[sessions.Viewing](w.T)(w.sessions.Watched(ctx, w.all, viewing, []sessions.Stretch{{From: at, To: min(p.To, at+16*30*time.Second)}}))
		}
	}
	return out
}

func minutes(from, to float64) sessions.Stretch {
	return sessions.Stretch{From: time.Duration(from * float64(time.Minute)), To: time.Duration(to * float64(time.Minute))}
}

// Each second counts once, and nobody plays faster than sixteen times.
func TestWatchedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		var log bytes.Buffer
		w := newWorld(t, d, clock, func(_ *sessions.Deps, o *sessions.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		s := w.took() // an hour
		first := must[sessions.Viewing](t)(w.sessions.OpenViewing(w.Ctx, w.all, s.ID, "player", ""))
		watched := func(what string, viewing string, want float64, parts ...sessions.Stretch) {
			t.Helper()
			v, err := w.sessions.Watched(w.Ctx, w.all, viewing, parts)
			if err != nil || v.Watched != time.Duration(want*float64(time.Minute)) {
				t.Errorf("%s: %v, %v, want %v minutes", what, v.Watched, err, want)
			}
		}
		watched("no time went by", first.ID, 0, minutes(0, 1))
		if !strings.Contains(log.String(), "watched_impossible") || !strings.Contains(log.String(), "dropped_ms=60000") {
			t.Errorf("the log has %q", log.String())
		}
		clock.Advance(time.Minute)
		watched("sixteen times", first.ID, 10, minutes(0, 10))
		clock.Advance(time.Minute)
		watched("again, and a bit", first.ID, 12, minutes(5, 12), minutes(0, 1))
		clock.Advance(time.Minute)
		watched("more than can be", first.ID, 28, minutes(12, 40))
		clock.Advance(10 * time.Minute)
		watched("beyond both ends, and backwards", first.ID, 30, minutes(-5, 1), minutes(58, 90), minutes(50, 40))
		if dropped := strings.Count(log.String(), "watched_impossible"); dropped != 2 {
			t.Errorf("said %d times that something cannot be", dropped)
		}

		// A second window brings no second of its own, nor twice the speed.
		second := must[sessions.Viewing](t)(w.sessions.OpenViewing(w.Ctx, w.all, s.ID, "player", "support"))
		clock.Advance(time.Minute)
		watched("second window", second.ID, 10, minutes(20, 30))
		watched("first one at the same time", first.ID, 30, minutes(30, 40))
		clock.Advance(time.Minute)
		cleo := w.as(w.cleo, policy.RoleOps)
		third := must[sessions.Viewing](t)(w.sessions.OpenViewing(cleo, w.all, s.ID, "player", "review"))
		clock.Advance(time.Minute)
		if _, err := w.sessions.Watched(cleo, w.all, third.ID, []sessions.Stretch{minutes(10, 20)}); err != nil {
			t.Fatal(err)
		}
		done := must[sessions.Session](t)(w.sessions.Judge(w.Ctx, w.all, s.ID, sessions.Fine, "", s.Version))
		if want := 0.533; done.Review.Watched < want-.001 || done.Review.Watched > want+.001 { // 0-30, 58-60
			t.Errorf("share of whoever judged: %v, want %v", done.Review.Watched, want)
		}
		if got := must[sessions.ReviewCounts](t)(w.sessions.Counts(w.Ctx, w.all)).Watched; got != 32*time.Minute {
			t.Errorf("watched by all: %v, want 32m", got)
		}
		_, err := w.sessions.Watched(cleo, w.all, first.ID, nil)
		wantCode(t, "somebody else's viewing", err, controlplane.CodeNotFound)
		_, err = w.sessions.Watched(w.Ctx, w.all, first.ID, make([]sessions.Stretch, 1001))
		wantCode(t, "too many", err, controlplane.CodeInvalid)
	})
}

// Who does not watch any more opens the recording again, and that is on record.
func TestLookIsOver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		s := w.took()
		look := must[sessions.Viewing](t)(w.sessions.OpenViewing(w.Ctx, w.all, s.ID, "player", ""))
		for range 3 {
			clock.Advance(90 * time.Minute)
			if _, err := w.sessions.Watched(w.Ctx, w.all, look.ID, []sessions.Stretch{minutes(0, 1)}); err != nil {
				t.Fatalf("somebody who watches: %v", err)
			}
		}
		clock.Advance(2*time.Hour + time.Second)
		if _, err := w.sessions.Watched(w.Ctx, w.all, look.ID, []sessions.Stretch{minutes(1, 2)}); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("a look of two hours ago: got %v, want it over", err)
		}
		if _, _, err := w.sessions.Transcript(w.Ctx, w.all, s.ID, look.ID, 0, 10); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("the text by it: got %v, want it over", err)
		}
	})
}

// Who may look, at what; the right is asked again at every read.
func TestWhoMayWatch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		alone := w.took()
		shared := w.took(func(m *sessions.Made) {
			m.Customers, m.Server, m.Host = []string{w.Maple.ID, w.Harbour.ID}, w.Shared.ID, "shared-1"
		})
		owner, own, ines := w.contact(w.Maple, "Ines Moreau", policy.RoleOwner)
		reader, _, _ := w.contact(w.Maple, "Jonas Weber", policy.RoleReader)
		stranger, foreign, _ := w.contact(w.Harbour, "Otto Brandt", policy.RoleOwner)

		open := func(ctx context.Context, scope policy.Scope, s sessions.Session) (sessions.Viewing, error) {
			return w.sessions.OpenViewing(ctx, scope, s.ID, "player", "")
		}
		_, err := open(owner, own, alone)
		wantCode(t, "without terms", err, controlplane.CodeForbidden, "agreed")
		w.watch(w.Maple, true)
		v := must[sessions.Viewing](t)(open(owner, own, alone))
		if v.Name != "Ines Moreau" || v.Kind != "contact" || v.Purpose != "own" {
			t.Errorf("viewing: %+v", v)
		}
		_, err = open(owner, own, shared)
		wantCode(t, "a shared server", err, controlplane.CodeForbidden, "share")
		_, err = open(reader, own, alone)
		wantCode(t, "a reader", err, controlplane.CodeForbidden)
		_, err = open(stranger, foreign, alone)
		wantCode(t, "another customer", err, controlplane.CodeNotFound)
		_, err = open(controlplane.System(t.Context(), "test"), w.all, alone)
		wantCode(t, "nobody", err, controlplane.CodeForbidden)
		for _, bad := range [][2]string{{"telepathy", "own"}, {"search", "own"}, {"player", "review"}} {
			_, err = w.sessions.OpenViewing(owner, own, alone.ID, bad[0], bad[1])
			wantCode(t, strings.Join(bad[:], " "), err, controlplane.CodeInvalid)
		}

		for what, x := range map[string]struct {
			ctx     context.Context
			session string
			viewing string
			code    controlplane.Code
		}{
			"theirs":             {owner, alone.ID, v.ID, ""},
			"of another":         {w.Ctx, alone.ID, v.ID, controlplane.CodeNotFound},
			"of no viewing":      {owner, alone.ID, "vwg_00000000000000000000000000", controlplane.CodeNotFound},
			"of another session": {owner, shared.ID, v.ID, controlplane.CodeNotFound},
		} {
			if err := w.sessions.MayLook(x.ctx, x.session, x.viewing); err != nil && x.code == "" || err == nil && x.code != "" || x.code != "" && controlplane.ErrorCode(err) != x.code {
				t.Errorf("%s: %v, want %q", what, err, x.code)
			}
		}
		w.watch(w.Maple, false)
		wantCode(t, "when the terms have changed", w.sessions.MayLook(owner, alone.ID, v.ID), controlplane.CodeForbidden)
		w.watch(w.Maple, true)
		if err := w.sessions.MayLook(owner, alone.ID, v.ID); err != nil {
			t.Error(err)
		}
		if err := w.Customers.RemoveContact(w.Ctx, w.all, ines.ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "when they are removed", w.sessions.MayLook(owner, alone.ID, v.ID), controlplane.CodeUnauthorized)
		_, err = w.sessions.Watched(owner, own, v.ID, nil)
		wantCode(t, "and give a sign", err, controlplane.CodeNotFound)
	})
}

// Every look is listed, for whoever it concerns.
func TestViewingsAreListed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		alone := w.took()
		shared := w.took(func(m *sessions.Made) {
			m.Customers, m.Server, m.Host = []string{w.Maple.ID, w.Harbour.ID}, w.Shared.ID, "shared-1"
		})
		far := w.took(func(m *sessions.Made) {
			m.Customers, m.Server, m.Host = []string{w.Harbour.ID}, w.HarbourOne.ID, "harbour-1"
		})
		for _, s := range []sessions.Session{alone, shared, far} {
			must[sessions.Viewing](t)(w.sessions.OpenViewing(w.Ctx, w.all, s.ID, "transcript", "support"))
		}
		if err := w.sessions.Found(w.as(w.cleo, policy.RoleOps), "rm -rf", alone.ID, far.ID); err != nil {
			t.Fatal(err)
		}
		list := func(ctx context.Context, scope policy.Scope, f sessions.ViewingFilter) (out []string) {
			t.Helper()
			for {
				items, next, err := w.sessions.Viewings(ctx, scope, f)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range items {
					out = append(out, strings.TrimSpace(v.Name+" "+v.Way+" "+map[string]string{alone.ID: "alone", shared.ID: "shared", far.ID: "far"}[v.Session]+" "+v.Query))
				}
				if f.PageToken = next; next == "" {
					return out
				}
			}
		}
		same(t, "all", list(w.Ctx, w.all, sessions.ViewingFilter{Limit: 2}),
			[]string{"Cleo Clark search far rm -rf", "Cleo Clark search alone rm -rf", "Ada Admin transcript far", "Ada Admin transcript shared", "Ada Admin transcript alone"})
		same(t, "of a session", list(w.Ctx, w.all, sessions.ViewingFilter{Session: alone.ID, By: w.ada.ID}), []string{"Ada Admin transcript alone"})
		ctx, scope := w.Owner(w.Maple)
		same(t, "as Maple sees it", list(ctx, scope, sessions.ViewingFilter{}), []string{"Cleo Clark search alone rm -rf", "Ada Admin transcript shared", "Ada Admin transcript alone"})
		same(t, "another's, as Maple asks", list(ctx, scope, sessions.ViewingFilter{Customer: w.Harbour.ID}), []string(nil))
		same(t, "another's session", list(ctx, scope, sessions.ViewingFilter{Session: far.ID}), []string(nil))
		same(t, "before", list(w.Ctx, w.all, sessions.ViewingFilter{To: clock.Now()}), []string(nil))
		_, _, err := w.sessions.Viewings(w.Ctx, w.all, sessions.ViewingFilter{PageToken: "x"})
		wantCode(t, "a page of nothing", err, controlplane.CodeInvalid)
		same(t, "ledger", w.entries("session.viewed"), []string{"session.viewed", "session.viewed", "session.viewed", "session.viewed"}) // shared: one for each customer
	})
}

// An auditor sees their customers' sessions of their period, and when their time
// is over the next read ends.
func TestAuditorWatches(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		far := w.Customer("orchard", "Orchard Games")
		now := clock.Now()
		at := func(days int, on customers.Server, of ...customers.Customer) sessions.Session {
			return w.took(func(m *sessions.Made) {
				m.Start, m.Server, m.Customers = now.AddDate(0, 0, days), on.ID, nil
				for _, c := range of {
					m.Customers = append(m.Customers, c.ID)
				}
			})
		}
		before, within, after := at(-40, w.MapleOne, w.Maple), at(-20, w.MapleOne, w.Maple), at(-5, w.MapleOne, w.Maple)
		both, three := at(-19, w.Shared, w.Maple, w.Harbour), at(-18, w.Shared, w.Maple, w.Harbour, far)
		ctx, scope, p := w.auditor(identity.NewAuditor{Customer: w.Maple.ID, Also: []string{w.Harbour.ID}, From: now.AddDate(0, 0, -30), To: now.AddDate(0, 0, -10), Until: now.Add(time.Hour)})

		var listed []string
		items, _, err := w.sessions.List(ctx, scope, sessions.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range items {
			listed = append(listed, s.ID)
		}
		same(t, "listed", listed, []string{three.ID, both.ID, within.ID})
		for what, x := range map[string]struct {
			s    sessions.Session
			code controlplane.Code
		}{
			"within":                       {within, ""},
			"before":                       {before, controlplane.CodeNotFound},
			"after":                        {after, controlplane.CodeNotFound},
			"on a server of both":          {both, ""},
			"on a server of a third's too": {three, controlplane.CodeForbidden},
		} {
			_, err := w.sessions.OpenViewing(ctx, scope, x.s.ID, "player", "audit")
			if x.code == "" && err != nil || x.code != "" && (err == nil || controlplane.ErrorCode(err) != x.code) {
				t.Errorf("%s: %v, want %q", what, err, x.code)
			}
		}
		_, err = w.sessions.Notes(ctx, scope, before.ID)
		wantCode(t, "notes of before", err, controlplane.CodeNotFound)
		_, err = w.sessions.Judge(ctx, scope, within.ID, sessions.Fine, "", within.Version)
		wantCode(t, "a verdict", err, controlplane.CodeForbidden)
		_, err = w.sessions.AskReview(ctx, scope, within.ID, "Please")
		wantCode(t, "a wish", err, controlplane.CodeForbidden)

		v := must[sessions.Viewing](t)(w.sessions.OpenViewing(ctx, scope, within.ID, "player", ""))
		clock.Advance(59 * time.Minute)
		if err := w.sessions.MayLook(ctx, within.ID, v.ID); err != nil {
			t.Errorf("in time: %v", err)
		}
		if got, err := w.sessions.Watched(ctx, scope, v.ID, []sessions.Stretch{minutes(0, 15)}); err != nil || got.Watched != 15*time.Minute || got.Purpose != "audit" || got.Kind != "auditor" {
			t.Errorf("in time: %+v, %v", got, err)
		}
		clock.Advance(time.Minute)
		wantCode(t, "the next read", w.sessions.MayLook(ctx, within.ID, v.ID), controlplane.CodeUnauthorized)
		_, err = w.sessions.Watched(ctx, scope, v.ID, nil)
		wantCode(t, "the next sign", err, controlplane.CodeNotFound)
		_, err = w.sessions.OpenViewing(ctx, scope, within.ID, "player", "audit")
		wantCode(t, "another look", err, controlplane.CodeUnauthorized)
		if !p.From.Equal(now.AddDate(0, 0, -30)) {
			t.Errorf("from %v", p.From)
		}
	})
}

// An auditor whose time is ended by hand, in the middle of it.
func TestAuditorIsEndedWhileWatching(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		s := w.took()
		ctx, scope, p := w.auditor(identity.NewAuditor{Customer: w.Maple.ID, Until: clock.Now().Add(time.Hour)})
		v := must[sessions.Viewing](t)(w.sessions.OpenViewing(ctx, scope, s.ID, "player", "audit"))
		if err := w.sessions.MayLook(ctx, s.ID, v.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.Identity.EndAuditor(w.Ctx, w.all, p.ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "the next read", w.sessions.MayLook(ctx, s.ID, v.ID), controlplane.CodeUnauthorized)
	})
}

func TestNotes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		s := w.took()
		owner, own, _ := w.contact(w.Maple, "Ines Moreau", policy.RoleOwner)
		w.watch(w.Maple, true)
		auditor, scope, _ := w.auditor(identity.NewAuditor{Customer: w.Maple.ID, Until: clock.Now().Add(time.Hour)})
		for what, n := range map[string]sessions.Note{"empty": {Session: s.ID}, "before it": {Session: s.ID, Text: "x", At: -time.Second}, "after it": {Session: s.ID, Text: "x", At: 61 * time.Minute}} {
			_, err := w.sessions.AddNote(w.Ctx, w.all, n)
			wantCode(t, what, err, controlplane.CodeInvalid)
		}
		_, err := w.sessions.AddNote(owner, own, sessions.Note{Session: s.ID, Text: "x"})
		wantCode(t, "a contact's", err, controlplane.CodeForbidden)
		must[sessions.Note](t)(w.sessions.AddNote(w.Ctx, w.all, sessions.Note{Session: s.ID, At: 2 * time.Minute, Text: "for us"}))
		must[sessions.Note](t)(w.sessions.AddNote(w.Ctx, w.all, sessions.Note{Session: s.ID, At: 3 * time.Minute, Text: "for them", Shown: true}))
		n := must[sessions.Note](t)(w.sessions.AddNote(auditor, scope, sessions.Note{Session: s.ID, At: time.Minute, Text: "as I see it"}))
		if n.Name != "Helle Nyberg" || !n.Shown || n.MadeAt.IsZero() {
			t.Errorf("the auditor's: %+v", n)
		}
		texts := func(ctx context.Context, scope policy.Scope) (out []string) {
			t.Helper()
			for _, n := range must[[]sessions.Note](t)(w.sessions.Notes(ctx, scope, s.ID)) {
				out = append(out, n.Text)
			}
			return out
		}
		same(t, "ours", texts(w.Ctx, w.all), []string{"as I see it", "for us", "for them"})
		same(t, "theirs", texts(owner, own), []string{"as I see it", "for them"})
		same(t, "the auditor's", texts(auditor, scope), []string{"as I see it", "for them"})
		ctx, foreign := w.Owner(w.Harbour)
		_, err = w.sessions.Notes(ctx, foreign, s.ID)
		wantCode(t, "another's", err, controlplane.CodeNotFound)
		same(t, "ledger", w.entries("session.noted"), []string{"session.noted", "session.noted", "session.noted"})

		// On a server that they share, a remark may be about a neighbour.
		x := w.took(func(m *sessions.Made) {
			m.Customers, m.Server, m.Host = []string{w.Maple.ID, w.Harbour.ID}, w.Shared.ID, "shared-1"
		})
		_, err = w.sessions.AddNote(w.Ctx, w.all, sessions.Note{Session: x.ID, Text: "Harbour's mail was read", Shown: true})
		wantCode(t, "shown to neighbours", err, controlplane.CodeInvalid)
		kept := must[sessions.Note](t)(w.sessions.AddNote(w.Ctx, w.all, sessions.Note{Session: x.ID, Text: "Harbour's mail was read"}))
		if err := w.sessions.ShowNote(w.Ctx, kept.ID); err != nil { // from before that was refused
			t.Fatal(err)
		}
		if got := must[[]sessions.Note](t)(w.sessions.Notes(owner, own, x.ID)); len(got) != 0 {
			t.Errorf("a neighbour reads %+v", got)
		}
	})
}
