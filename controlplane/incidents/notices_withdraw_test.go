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

// A false alarm is taken back with everybody who was told on paper, too: a draft for
// each of them, and a task for the lead.
func TestAFalseAlarmWithdrawsPapers(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne}, func(n *incidents.NewCase) { n.OurData, n.Lead, n.Certainty = "yes", w.bob.ID, "suspected" })
		paper := func(to incidents.Audience, regime string, p incidents.Purpose) incidents.Notice {
			return must[incidents.Notice](t)(w.incidents.MakeDraftFor(w.ctx, w.all, c.ID, to, regime, p))
		}
		for _, n := range []incidents.Notice{paper(incidents.ToAuthority, "gdpr", incidents.First), paper(incidents.ToCSIRT, "nis2", incidents.First)} {
			must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "x", How: "form"}))
		}
		open := paper(incidents.ToAuthority, "gdpr", incidents.Update)
		paper(incidents.ToPeople, "gdpr", incidents.First) // nobody was told yet
		w.falseAlarm(c.ID, "It was a test of ours.")
		w.run()
		if got := w.notice(open.ID); got.State != incidents.Discarded {
			t.Errorf("a draft of a false alarm: %s", got.State)
		}
		items, _, err := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID, State: incidents.Draft})
		if err != nil || len(items) != 2 {
			t.Fatalf("drafts: got %+v, %v", items, err)
		}
		for _, n := range items {
			if n = w.notice(n.ID); n.Purpose != incidents.Withdrawal || n.Audience == incidents.ToPeople || !strings.Contains(n.Text, "It was a test of ours.") {
				t.Errorf("got %s %s\n%s", n.Audience, n.Purpose, n.Text)
			}
			must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "x", How: "form"}))
		}
		tasks := w.get(c.ID).Tasks
		if len(tasks) != 2 || tasks[0].Owner != w.bob.ID || tasks[0].DueAt.IsZero() || !strings.Contains(tasks[0].Text+tasks[1].Text, "Tell the CSIRT") {
			t.Errorf("tasks: got %+v", tasks)
		}
	})
}

// A notice that was taken back goes to nobody else, and a draft of it to nobody at all.
func TestTakenBackGoesNoFurther(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.sendAlone(w.draft(c, incidents.First, w.maple).ID)
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Accepted, "")
		w.clear(c.ID, w.maple.ID, "The files were another’s.")
		w.later(5 * time.Hour)
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example"})
		if slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("findings %v", w.kinds())
		}
		if got := w.notice(n.ID); got.State != incidents.Accepted {
			t.Errorf("got %s", got.State)
		}
	})
}
