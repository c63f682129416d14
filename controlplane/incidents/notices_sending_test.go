package incidents_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
)

// TestSecondPerson: the first notice waits for an hour at most, others wait.
func TestSecondPerson(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne})
		n := w.draft(c, incidents.First, w.maple)
		n = must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{Version: n.Version}))
		if n.State != incidents.Waiting || len(w.sent(mail.IncidentNotice)) != 0 {
			t.Fatalf("got %s, mails %v", n.State, w.post.to())
		}
		same(t, "asked", w.sent(mail.IncidentSecond), []string{"bob@ostler.example", "cleo@ostler.example"})
		if !slices.Contains(w.kinds(), "incident.second") {
			t.Errorf("findings: %v", w.kinds())
		}
		if _, err := w.incidents.Approve(w.ctx, w.all, n.ID, n.Version); code(err) != controlplane.CodeConflict {
			t.Errorf("the author approved: %v", err)
		}
		if _, err := w.incidents.Approve(w.asBob(), w.all, n.ID, n.Version-1); code(err) != controlplane.CodeConflict {
			t.Errorf("what was not looked at: got %v", err)
		}
		n = must[incidents.Notice](t)(w.incidents.Approve(w.asBob(), w.all, n.ID, n.Version))
		if n.State != incidents.Sent || n.Second != w.bob.ID || n.AloneWhy != "" || n.SHA256 == "" {
			t.Errorf("got %+v", n)
		}
		w.run()
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
		if slices.Contains(w.kinds(), "incident.second") {
			t.Errorf("findings: %v", w.kinds())
		}
		// An update waits however long, unless nobody answered for an hour and its author says why.
		u := w.draft(c, incidents.Update, w.maple)
		if u.Purpose != incidents.Update || u.Phase != 2 {
			t.Fatalf("got %+v", u)
		}
		if _, err := w.incidents.Send(w.ctx, w.all, u.ID, incidents.Sending{AloneWhy: "quick"}); code(err) != controlplane.CodeConflict {
			t.Errorf("alone at once: %v", err)
		}
		u = must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, u.ID, incidents.Sending{}))
		w.later(2 * time.Hour)
		if got := w.notice(u.ID); got.State != incidents.Waiting {
			t.Errorf("an update went by itself: %s", got.State)
		}
		u = must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, u.ID, incidents.Sending{AloneWhy: "Nobody answered."}))
		if u.State != incidents.Sent || u.AloneWhy != "Nobody answered." {
			t.Errorf("got %+v", u)
		}
		// Who did not write it is the second person.
		v := w.draft(c, incidents.Update, w.maple)
		if v = must[incidents.Notice](t)(w.incidents.Send(w.asBob(), w.all, v.ID, incidents.Sending{Version: v.Version})); v.State != incidents.Sent || v.Second != w.bob.ID {
			t.Errorf("got %+v", v)
		}
	})
}

// Two persons are required, and one signs in: the first notice goes after an hour
// in the author's name, and says why.
func TestTheFirstNoticeGoesAfterAnHour(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne})
		n := w.draft(c, incidents.First, w.maple)
		must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{}))
		w.later(59 * time.Minute)
		if got := w.notice(n.ID); got.State != incidents.Waiting {
			t.Fatalf("before the hour was over: %s", got.State)
		}
		w.later(time.Minute)
		got := w.notice(n.ID)
		if got.State != incidents.Sent || got.Author != w.ada.ID || got.Second != "" || !strings.Contains(got.AloneWhy, "nobody answered within an hour") {
			t.Errorf("got %+v", got)
		}
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
		w.later(time.Hour)
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
	})
}

// What is late goes out with the reasons, also where a second person did not come.
func TestLate(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.draft(c, incidents.First, w.maple)
		if n.DueAt.IsZero() {
			t.Fatalf("no clock: %+v", of(t, c, w.maple))
		}
		w.later(n.DueAt.Sub(w.clock.Now()) - 30*time.Minute)
		must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{}))
		w.later(time.Hour)
		got := w.notice(n.ID)
		if got.State != incidents.Sent || !strings.Contains(got.LateWhy, "nobody answered") || !strings.Contains(got.Text, "Why this comes late\n"+got.LateWhy) {
			t.Errorf("got %+v\n%s", got, got.Text)
		}
		d := w.affect(w.open([]customers.Server{w.harbourOne}), w.harbour)
		m := w.draft(d, incidents.First, w.harbour)
		w.later(25 * time.Hour)
		if p := must[incidents.Preview](t)(w.incidents.Preview(w.ctx, w.all, m.ID)); !slices.Contains(texts(p.Checks), "delay") {
			t.Errorf("checks: %+v", p.Checks)
		}
		if _, err := w.incidents.Send(w.ctx, w.all, m.ID, incidents.Sending{AloneWhy: "now"}); code(err) != controlplane.CodeInvalid {
			t.Errorf("late without reasons: %v", err)
		}
		m = must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, m.ID, incidents.Sending{AloneWhy: "now", LateWhy: "We were asleep."}))
		w.run()
		w.becomes(mail.IncidentNotice, "henry@harbour.example", mail.Accepted, "")
		w.run()
		clock := of(t, w.get(d.ID), w.harbour).Clock
		if m.State != incidents.Sent || !strings.Contains(m.Text, "We were asleep.") || clock.State != incidents.MetLate {
			t.Errorf("got %s, clock %+v", m.State, clock)
		}
	})
}

// An exercise sends nothing, and its clocks run as if it had.
func TestADrillSendsNothing(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.shared}, func(n *incidents.NewCase) { n.Drill = true }), w.maple)
		w.drafts(c, incidents.First)
		sent, kept, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "An exercise."})
		if err != nil || sent != 2 || len(kept) != 0 {
			t.Fatalf("got %d, %v, %v", sent, kept, err)
		}
		w.clear(c.ID, w.harbour.ID, "An exercise.")
		w.later(48 * time.Hour)
		if to := w.post.to(); len(to) != 0 {
			t.Errorf("mails of an exercise: %v", to)
		}
		items, _, _ := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID, Customer: w.maple.ID})
		if len(items) != 1 || items[0].State != incidents.Drilled || !strings.Contains(w.notice(items[0].ID).Text, "THIS IS AN EXERCISE") {
			t.Errorf("got %+v", items)
		}
		ctx, scope := w.asContact(w.anna)
		if own, _, err := w.incidents.Notices(ctx, scope, incidents.NoticeFilter{}); err != nil || len(own) != 0 {
			t.Errorf("a contact sees an exercise: %+v, %v", own, err)
		}
	})
}

// A paper for an authority is recorded when it was handed in.
func TestPapers(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne}, func(n *incidents.NewCase) { n.OurData = "yes" })
		n := must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToAuthority, "gdpr", incidents.First))
		if !strings.Contains(n.Text, "Artikel 33 Absatz 1") || n.Lang != "de" || !strings.Contains(n.Text, "Hof Hosting") {
			t.Errorf("got %s\n%s", n.Lang, n.Text)
		}
		if _, err := w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{AloneWhy: "x"}); code(err) != controlplane.CodeConflict {
			t.Errorf("a paper was sent: %v", err)
		}
		if _, err := w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToAuthority, "gdpr", incidents.First); code(err) != controlplane.CodeConflict {
			t.Errorf("two drafts: %v", err)
		}
		for name, in := range map[string]incidents.Telling{"nobody": {How: "form"}, "no way": {To: "x", How: "smoke"}, "to come": {To: "x", How: "form", At: "2099-01-01 10:00"}, "a call of nothing": {To: "x", How: "call"}} {
			if _, err := w.incidents.Tell(w.ctx, w.all, n.ID, in); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		got := must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "BayLDA", How: "form", Reference: "LDA-1085.1-2026"}))
		w.run()
		if got.State != incidents.Called || got.ToldAt.IsZero() || got.SHA256 == "" || len(got.Tries) != 1 || got.Tries[0].How != "form" {
			t.Errorf("got %+v", got)
		}
		if u := must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToAuthority, "gdpr", incidents.Update)); u.Phase != 2 {
			t.Errorf("phase: %d", u.Phase)
		}
		e := must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToCSIRT, "nis2", incidents.First))
		if !strings.Contains(e.Text, "Artikel 23 Absatz 4 Buchstabe a") {
			t.Errorf("got\n%s", e.Text)
		}
		if strings.Contains(e.Text, "siehe unten") || !strings.Contains(e.Text, "Ob rechtswidrige oder böswillige Handlungen") || !strings.Contains(e.Text, "grenzüberschreitende Auswirkungen haben kann") {
			t.Errorf("Article 23(4)(a): got\n%s", e.Text)
		}
		for phase, want := range []string{"Buchstabe a", "Buchstabe b", "Buchstabe c"} {
			if phase > 0 {
				e = must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToCSIRT, "nis2", incidents.Update))
			}
			must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, e.ID, 0, incidents.NoticeEdit{Fields: []incidents.Field{{Key: "cross_border", Known: incidents.IsKnown, Value: "Austria, too."}}}))
			if e = must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, e.ID, incidents.Telling{To: "CERT-Bund", How: "form"})); !strings.Contains(e.Text, "Absatz 4 "+want) || !strings.Contains(e.Text, "Austria, too.") {
				t.Errorf("phase %d: %s is missing in\n%s", phase+1, want, e.Text)
			}
		}
		p := must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, incidents.ToPeople, "uk-gdpr", incidents.First))
		if len(p.Fields) != 4 {
			t.Errorf("fields for people: %+v", p.Fields)
		}
	})
}
