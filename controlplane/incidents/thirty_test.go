package incidents_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// TestThirtyDays is a whole case over thirty virtual days with Watch at work: from
// one sentence at night to the final report. Time passes by itself.
func TestThirtyDays(t *testing.T) {
	clock := &virtual{start: time.Date(2026, 10, 24, 1, 0, 0, 0, time.UTC)} // a Saturday, a day before the clocks change
	outside := newWorld(t, dbtest.SQLite(t, clock), nil, func(_ *incidents.Deps, o *incidents.Options) { o.Tick = 24 * time.Hour })
	synctest.Test(t, func(t *testing.T) { // the pools of the database live on after the bubble
		clock.began = time.Now()
		w := *outside
		w.t = t
		w.ctx = w.as(w.ada, policy.RoleAdmin)
		ctx, stop := context.WithCancel(controlplane.System(t.Context(), "incidents"))
		done := make(chan error)
		go func() { done <- w.incidents.Watch(ctx) }()
		thirtyDays(&w, clock)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// virtual stands at its start until a bubble begins, and goes on with its time.
type virtual struct{ start, began time.Time }

// Now implements db.Clock.
func (c *virtual) Now() time.Time {
	if c.began.IsZero() {
		return c.start
	}
	return c.start.Add(time.Since(c.began))
}

// thirtyDays is the case.
func thirtyDays(w *world, clock *virtual) {
	t := w.t
	const day = 24 * time.Hour
	// at waits until so long after an instant of the clock, and for Watch to look:
	// it ticks once a day here, and is woken beside it.
	at := func(since time.Time, d time.Duration) {
		time.Sleep(since.Add(d).Sub(clock.Now()))
		w.bus.Publish(incidents.TopicWatch)
		synctest.Wait()
	}
	must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Name: "Ostler", Jurisdiction: "EU", Country: "DE", Zone: "Europe/Berlin", Contact: "Dora Dahl", ContactEmail: "privacy@ostler.example",
		Entity: law.Entity{Scope: law.Yes, Services: []law.Service{law.ManagedService}}}))
	time.Sleep(10 * time.Minute) // between two ticks of Watch

	// One sentence, at ten past three in the morning in Berlin.
	began := clock.Now()
	c := must[incidents.Case](t)(w.incidents.Open(w.ctx, w.all, incidents.NewCase{Title: "I think we were hacked", Servers: []string{"shared-1"}, OurData: law.No}))
	at(began, 12*time.Hour)
	same(t, "a suspicion rings nobody", w.kinds(), nil)

	// Sunday: still a suspicion, and nobody has decided.
	at(began, 25*time.Hour)
	same(t, "after a day", w.kinds(), []string{"incident.assess"})

	// At hour 31 it is certain: maple's files are out, and it was malicious.
	at(began, 31*time.Hour)
	known := clock.Now()
	must[incidents.Case](t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Certainty: law.Certain, Ground: "The files are on a forum."}))
	synctest.Wait() // nobody has decided about the two customers in a day
	w.affect(c, w.maple)
	c = must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Impact: &law.Impact{Malicious: law.Yes}}))
	w.wantClock(c, "gdpr-33-2 maple", "running until "+known.Add(day).Format(time.RFC3339))
	w.wantClock(c, "nis2-23-early", "running until "+known.Add(day).Format(time.RFC3339))

	// Harbour may be affected since the beginning, and is cleared.
	c = w.clear(c.ID, w.harbour.ID, "Their folder was not opened.")
	at(known, time.Hour)
	same(t, "decided", w.kinds(), nil)

	// Half of the time is over: both deadlines are spoken of.
	at(known, 13*time.Hour)
	same(t, "at half", w.kinds(), []string{"incident.due", "incident.due"})
	w.told(c, w.maple.ID, incidents.ToCustomer, incidents.First, "gdpr", clock.Now())
	same(t, "maple is told", w.kinds(), []string{"incident.due"})

	// Nobody hands in the early warning: it comes two hours late.
	at(known, 19*time.Hour)
	at(known, 23*time.Hour+time.Minute)
	at(known, 26*time.Hour)
	same(t, "late", w.kinds(), []string{"incident.late"})
	w.told(c, "", incidents.ToCSIRT, incidents.First, "nis2", clock.Now())
	w.wantClock(c, "nis2-23-early", "met_late until "+known.Add(day).Format(time.RFC3339))

	at(known, 40*time.Hour)
	at(known, 60*time.Hour)

	// The notification in time, and contained on the fourth day.
	at(known, 70*time.Hour)
	w.told(c, "", incidents.ToCSIRT, incidents.Update, "nis2", clock.Now())
	w.wantClock(c, "nis2-23-notification", "met until "+known.Add(3*day).Format(time.RFC3339))
	must[incidents.Case](t)(w.incidents.Contain(w.ctx, w.all, c.ID, "", "Every key was changed."))
	must[incidents.Case](t)(w.incidents.Handled(w.ctx, w.all, c.ID, "", "The server was rebuilt."))
	if _, err := w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}); code(err) != controlplane.CodeConflict {
		t.Errorf("closed before the final report: %v", err)
	}

	// Half of the month is over; the final report on day 29.
	at(began, 21*day)
	same(t, "half of the month", w.kinds(), []string{"incident.due"})
	at(began, 29*day)
	w.told(c, "", incidents.ToCSIRT, incidents.Final, "nis2", clock.Now())
	c = must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}))
	at(began, 30*day)
	same(t, "in the end", w.kinds(), nil)
	rang := w.alarmed()
	slices.Sort(rang) // two rang at one instant
	same(t, "what rang", rang, []string{"assess assess", "gdpr-33-2 half", "nis2-23-early half", "nis2-23-early hour", "nis2-23-early late", "nis2-23-early quarter",
		"nis2-23-final half", "nis2-23-final quarter", "nis2-23-notification half", "nis2-23-notification quarter", "shadow:gdpr-33-2 late"})
	if c.State != incidents.Closed || c.Late {
		t.Errorf("the case: %s, late %v", c.State, c.Late)
	}
}
