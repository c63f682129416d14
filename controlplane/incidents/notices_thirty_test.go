package incidents_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// TestThirtyDaysOfNotices is what customers are told in a case over thirty virtual
// days, with Watch at work: nobody answers, nobody opens, a mail comes back weeks
// later. Time passes by itself.
func TestThirtyDaysOfNotices(t *testing.T) {
	clock := &virtual{start: time.Date(2026, 10, 24, 1, 0, 0, 0, time.UTC)} // a Saturday, a day before the clocks change
	outside := newWorld(t, dbtest.SQLite(t, clock), nil, func(_ *incidents.Deps, o *incidents.Options) { o.Tick = 5 * time.Minute })
	synctest.Test(t, func(t *testing.T) {
		clock.began = time.Now()
		w := *outside
		w.t = t
		w.ctx = w.as(w.ada, policy.RoleAdmin)
		ctx, stop := context.WithCancel(controlplane.System(t.Context(), "incidents"))
		done := make(chan error)
		go func() { done <- w.incidents.Watch(ctx) }()
		noticesOfThirtyDays(&w, clock)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func noticesOfThirtyDays(w *world, clock *virtual) {
	t := w.t
	const day = 24 * time.Hour
	w.contactable()
	began := clock.Now()
	at := func(d time.Duration) {
		time.Sleep(began.Add(d).Sub(clock.Now()))
		synctest.Wait()
	}
	state := func(id string, want incidents.NoticeState) {
		t.Helper()
		if got := w.notice(id); got.State != want {
			t.Errorf("%s after the beginning: got %s, want %s", clock.Now().Sub(began), got.State, want)
		}
	}
	c := w.affect(w.open([]customers.Server{w.shared}), w.maple)
	n := w.draft(c, incidents.First, w.maple)
	at(10 * time.Minute)
	must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{}))
	at(65 * time.Minute)
	state(n.ID, incidents.Waiting)
	if !slices.Contains(w.kinds(), "incident.second") {
		t.Errorf("nobody is asked: %v", w.kinds())
	}
	at(80 * time.Minute) // the hour is over: it goes in Ada's name
	state(n.ID, incidents.Sent)
	w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Accepted, "")
	state(n.ID, incidents.Accepted)
	at(6 * time.Hour) // nobody opens it
	same(t, "written to", w.sent(mail.IncidentNotice), []string{"anna@maple.example", "berta@maple.example"})
	w.becomes(mail.IncidentNotice, "berta@maple.example", mail.Failed, mail.CauseRefused)
	at(10 * time.Hour) // and then a person hears of it
	if got := w.finding("incident.unreachable"); got.Args["person"] != "Ada Admin" || of(t, w.get(c.ID), w.maple).Clock.State != incidents.Met {
		t.Errorf("finding %+v", got)
	}
	at(12 * time.Hour)
	ctx, scope := w.asContact(w.anna)
	if err := w.incidents.Opened(ctx, scope, n.ID); err != nil {
		t.Fatal(err)
	}
	must[incidents.Notice](t)(w.incidents.Acknowledge(ctx, scope, n.ID))
	at(13 * time.Hour)
	if slices.Contains(w.kinds(), "incident.unreachable") {
		t.Errorf("findings: %v", w.kinds())
	}

	// On day 3 a phase, which waits for Bob until the morning.
	at(3 * day)
	u := w.draft(c, incidents.Update, w.maple)
	must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, u.ID, incidents.Sending{}))
	at(3*day + 9*time.Hour)
	state(u.ID, incidents.Waiting)
	must[incidents.Notice](t)(w.incidents.Approve(w.asBob(), w.all, u.ID, w.notice(u.ID).Version))
	w.becomes(mail.IncidentUpdate, "anna@maple.example", mail.Accepted, "")
	at(3*day + 10*time.Hour)
	state(u.ID, incidents.Accepted)
	must[incidents.Notice](t)(w.incidents.Acknowledge(ctx, scope, u.ID))

	// Harbour is told that they may be affected, cleared on day 9, and told so.
	at(8 * day)
	h := w.draft(c, incidents.First, w.harbour)
	w.sendAlone(h.ID)
	w.becomes(mail.IncidentNotice, "henry@harbour.example", mail.Accepted, "")
	at(8*day + time.Hour)
	must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, h.ID, incidents.Telling{To: "Henry", How: "call", Note: "He has read it."}))
	at(9 * day)
	w.clear(c.ID, w.harbour.ID, "Their folder was not opened.")
	at(9*day + time.Hour)
	same(t, "taken back", w.sent(mail.IncidentWithdrawn), []string{"henry@harbour.example"})
	w.becomes(mail.IncidentWithdrawn, "henry@harbour.example", mail.Accepted, "")
	henry, his := w.asContact(w.henry)
	items, _, err := w.incidents.Notices(henry, his, incidents.NoticeFilter{})
	if err != nil || len(items) < 2 {
		t.Fatalf("henry's: %+v, %v", items, err)
	}
	for _, x := range items {
		must[incidents.Notice](t)(w.incidents.Acknowledge(henry, his, x.ID))
	}

	// A report that the first mail never arrived, weeks later: Anna has it all the same.
	at(25 * day)
	w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Bounced, mail.CauseBounced)
	at(25*day + 6*time.Hour)
	state(n.ID, incidents.Acknowledged)
	at(30 * day)
	same(t, "first notices", w.sent(mail.IncidentNotice), []string{"anna@maple.example", "berta@maple.example", "henry@harbour.example"})
	for _, k := range w.kinds() {
		if k == "incident.unreachable" || k == "incident.second" {
			t.Errorf("in the end: %v", w.kinds())
		}
	}
}
