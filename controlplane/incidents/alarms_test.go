package incidents_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// alarmed are the alarms in the ledger, in order: "rule level".
func (w *world) alarmed() (out []string) {
	w.t.Helper()
	for _, e := range w.entries("incident.alarm") {
		out = append(out, fmt.Sprint(e.Data["rule"], " ", e.Data["level"]))
	}
	return out
}

// mailed are to whom alarms were mailed, in order.
func (w *world) mailed() (out []string) {
	for _, l := range w.post.letters("incident.alarm") {
		first, _, _ := strings.Cut(l.To, "@")
		out = append(out, first)
	}
	return out
}

// A deadline is spoken of at half of the time, at a quarter left, at an hour left,
// and when it has passed: each once.
func TestAlarms(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.mapleOne), func(in *incidents.NewCase) { in.Lead = w.bob.ID }), w.maple)
		w.later(12*time.Hour - time.Millisecond)
		same(t, "before half", w.kinds(), nil)
		w.later(time.Millisecond)
		same(t, "at half", w.kinds(), []string{"incident.due"})
		same(t, "mail at half", w.mailed(), []string{"bob"})
		if f := w.found()[0]; f.Severity != findings.Warn || f.Customer != "" || f.Owner != findings.Ops || f.Link != "/incidents/"+c.ID {
			t.Errorf("got %+v", f)
		}
		w.later(time.Hour)
		same(t, "once", w.alarmed(), []string{"gdpr-33-2 half"})
		w.later(5 * time.Hour)
		if f := w.found()[0]; f.Severity != findings.Bad {
			t.Errorf("a quarter is left: %s", f.Severity)
		}
		same(t, "mail at a quarter", w.mailed(), []string{"bob", "bob", "ada"})
		w.later(5 * time.Hour)
		same(t, "an hour is left", w.alarmed(), []string{"gdpr-33-2 half", "gdpr-33-2 quarter", "gdpr-33-2 hour"})
		title, cause, _ := findings.Sentence("en", w.found()[0])
		if title != "Case 2026-1: Tell the customer, as their processor (1 customer) within 1 hour" || !strings.Contains(cause, "21 November 2026 09:00 UTC") {
			t.Errorf("it reads %q, %q", title, cause)
		}
		w.later(time.Hour)
		if w.get(c.ID).Late {
			t.Error("late at the instant itself")
		}
		w.later(time.Millisecond)
		same(t, "late", w.kinds(), []string{"incident.late"})
		if !w.get(c.ID).Late {
			t.Error("the case is not late")
		}
		w.tell(c, w.maple)
		w.run()
		same(t, "told", w.kinds(), nil)
		w.wantClock(c, "gdpr-33-2 maple", "met_late until 2026-11-21T09:00:00Z")
		for _, l := range w.post.letters("incident.alarm") {
			if l.Args["number"] != "2026-1" || l.Args["what"] == "" || l.Args["due"] == "" || l.Args["because"] == "" || l.Path != "/incidents/"+c.ID {
				t.Errorf("a mail: %+v", l)
			}
		}
	})
}

// The plane is down for a day across a deadline: one alarm at once, the worst,
// and lateness is by the instants and not by when it came.
func TestDownAcrossADeadline(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.shared)), w.maple, w.harbour)
		w.clock.Advance(20 * time.Hour)
		w.told(c, w.maple.ID, incidents.ToCustomer, incidents.First, "gdpr", w.clock.Now()) // in time; nobody counted anew since
		w.clock.Advance(26 * time.Hour)
		w.run()
		same(t, "findings", w.kinds(), []string{"incident.late"})
		if f := w.found()[0]; f.Args["count"] != "1 customer" || f.Args["for"] != "22 hours" {
			t.Errorf("got %v", f.Args)
		}
		same(t, "one alarm", w.alarmed(), []string{"gdpr-33-2 late"})
		same(t, "mail", w.mailed(), []string{"ada"})
		w.wantClock(c, "gdpr-33-2 maple", "met until 2026-11-21T09:00:00Z")
		w.wantClock(c, "gdpr-33-2 harbour", "late until 2026-11-21T09:00:00Z")
		if got := w.get(c.ID); !got.Late || !got.NextDue.IsZero() {
			t.Errorf("the case: late %v, next %v", got.Late, got.NextDue)
		}
	})
}

// A suspicion is to be decided within a day.
func TestAssess(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(nil, func(in *incidents.NewCase) { in.Certainty = law.Suspected })
		w.later(24*time.Hour + time.Millisecond)
		same(t, "after a day", w.kinds(), []string{"incident.assess"})
		if f := w.found()[0]; f.Args["for"] != "24 hours" {
			t.Errorf("got %v", f.Args)
		}
		must[incidents.Case](t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Certainty: law.Certain, Ground: "The log says so."}))
		same(t, "decided", w.kinds(), nil)
		if by := w.get(c.ID).AssessBy; !by.IsZero() {
			t.Errorf("to be decided by %v", by)
		}
		// A customer who may be affected is to be decided, too.
		possible := w.open(on(w.mapleOne))
		w.later(25 * time.Hour)
		same(t, "a customer", w.kinds(), []string{"incident.assess", "incident.due"}) // and what would be due were it so
		w.clear(possible.ID, w.maple.ID, "Not theirs.")
		same(t, "cleared", w.kinds(), nil)
	})
}

// A drill rings nobody: the ledger alone knows what would have been.
func TestDrillsRaiseNoAlarms(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(on(w.mapleOne), func(in *incidents.NewCase) { in.Drill, in.OurData = true, law.Yes })
		w.affect(c, w.maple)
		for range 5 {
			w.later(20 * time.Hour)
		}
		same(t, "findings", w.kinds(), nil)
		same(t, "mail", w.post.to(), nil)
		if got := w.alarmed(); !slices.Contains(got, "gdpr-33-2 late") || !slices.Contains(got, "gdpr-33-1 late") {
			t.Errorf("the ledger: %v", got)
		}
		if !w.get(c.ID).Late {
			t.Error("it says not that it was late")
		}
	})
}

// Whoever leads a case and left is not written to in vain.
func TestNobodyLeads(t *testing.T) {
	each(t, func(w *world) {
		eve := w.staff("Eve Early", policy.RoleOps)
		w.affect(w.open(on(w.mapleOne), func(in *incidents.NewCase) { in.Lead = eve.ID }), w.maple)
		gone := true
		must[identity.Person](t)(w.identity.UpdateStaff(w.ctx, w.all, eve.ID, identity.StaffChange{Disabled: &gone}))
		w.later(12 * time.Hour)
		same(t, "mail", w.mailed(), []string{"ada"})
	})
}

// Deadlines that fall together are one alarm, however many customers they are of.
func TestOneAlarmForMany(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.shared)), w.maple, w.harbour)
		w.clock.Advance(time.Hour)
		c = must[incidents.Case](t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Customer: w.harbour.ID, Certainty: law.Certain, Aware: "2026-11-20T08:00:00Z", Ground: "Earlier."}))
		w.later(11 * time.Hour)
		same(t, "two", w.kinds(), []string{"incident.due", "incident.due"})
		c = must[incidents.Case](t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Customer: w.maple.ID, Certainty: law.Certain, Aware: "2026-11-20T08:00:00Z", Ground: "Earlier."}))
		w.run()
		found := w.found()
		if len(found) != 1 {
			t.Fatalf("got %d findings", len(found))
		}
	})
}
