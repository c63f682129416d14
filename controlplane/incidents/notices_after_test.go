package incidents_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
)

// A false alarm: whoever was told is told so, and what was not sent is not sent.
func TestFalseAlarm(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.shared})
		w.drafts(c, incidents.First)
		items, _, err := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID, Customer: w.maple.ID, Audience: incidents.ToCustomer, State: incidents.Draft})
		if err != nil || len(items) != 1 {
			t.Fatalf("got %v, %v", items, err)
		}
		w.sendAlone(items[0].ID)
		waiting, _, _ := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID, Customer: w.harbour.ID, State: incidents.Draft})
		must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, waiting[0].ID, incidents.Sending{}))
		w.falseAlarm(c.ID, "It was a test of ours.")
		w.later(2 * time.Hour)
		same(t, "notices", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
		same(t, "withdrawn", w.sent(mail.IncidentWithdrawn), []string{"anna@maple.example"})
		if l := w.post.letters(mail.IncidentWithdrawn)[0]; !strings.Contains(l.Args["text"], "It was a test of ours.") || !strings.Contains(l.Args["text"], "does not hold") {
			t.Errorf("got\n%s", l.Args["text"])
		}
		if got := w.notice(waiting[0].ID); got.State != incidents.Discarded {
			t.Errorf("got %s", got.State)
		}
		w.later(24 * time.Hour)
		same(t, "withdrawn", w.sent(mail.IncidentWithdrawn)[:1], []string{"anna@maple.example"})
		if slices.Contains(w.kinds(), "incident.second") {
			t.Errorf("findings: %v", w.kinds())
		}
	})
}

// Who is cleared after they were told is told so; a reason that names another
// customer stays here.
func TestCleared(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.shared})
		w.drafts(c, incidents.First)
		sent, _, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "now"})
		if err != nil || sent != 2 {
			t.Fatal(sent, err)
		}
		w.clear(c.ID, w.maple.ID, "Only Harbour Mail was read.")
		w.run()
		w.run()
		got := w.post.letters(mail.IncidentWithdrawn)
		if len(got) != 1 || got[0].To != "anna@maple.example" || strings.Contains(got[0].Args["text"], "Harbour") || strings.Contains(got[0].Args["text"], "Why\n") {
			t.Errorf("got %+v", got)
		}
	})
}

// TestFreezing: whom it concerns is told once for each end.
func TestFreezing(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne})
		w.run()
		same(t, "told", w.sent(mail.IncidentFreeze), []string{"anna@maple.example"})
		w.affect(c, w.harbour)
		w.run()
		same(t, "told", w.sent(mail.IncidentFreeze), []string{"anna@maple.example", "henry@harbour.example"})
		until := incidents.At(w.clock.Now().Add(90 * 24 * time.Hour).Format(time.RFC3339))
		must[incidents.Case](t)(w.incidents.Freeze(w.ctx, w.all, c.ID, until, "The police asked for it."))
		w.run()
		got := w.post.letters(mail.IncidentFreeze)
		if len(got) != 4 || !strings.Contains(got[3].Args["text"], "The police asked for it.") {
			t.Errorf("got %d: %+v", len(got), got)
		}
		w.later(24 * time.Hour)
		if len(w.post.letters(mail.IncidentFreeze)) != 4 || slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("mails %v, findings %v", w.post.to(), w.kinds())
		}
	})
}
