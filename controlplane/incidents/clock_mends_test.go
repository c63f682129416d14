package incidents_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// ticked records whether data of our own is touched; where it waits for him, Bob confirms it.
func (w *world) ticked(c incidents.Case, yes bool) {
	w.t.Helper()
	ours := map[bool]law.Answer{true: law.Yes, false: law.No}[yes]
	w.confirmed(must[incidents.Case](w.t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{OurData: &ours})))
}

// low decides that a risk is unlikely, and nobody is told; a minute passes.
func (w *world) low(c incidents.Case) {
	w.t.Helper()
	w.clock.Advance(time.Minute)
	must[incidents.Decision](w.t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Likelihood: incidents.Low, Severity: incidents.Low, Reasons: "It was encrypted."}))
	w.clock.Advance(time.Minute)
}

// A decision is about what was known as it was made: new facts, and our own data
// that was not known of, ask for another one.
func TestDecisionsFromBefore(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.open(nil, func(in *incidents.NewCase) { in.OurData = law.Yes })
		w.low(c)
		must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Rule: "gdpr-34", NotDue: true, Reasons: "Nobody to tell."}))
		must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}))
		w.till("2026-11-25T09:00:00Z")
		must[incidents.Case](t)(w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Why: "The key leaked."}))
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-28T09:00:00Z")
		w.wantClock(c, "gdpr-33-1 before", "late until 2026-11-23T09:00:00Z") // decided anew, it is due at once
		w.wantClock(c, "gdpr-34", "unknown")
		w.low(c)
		w.wantClock(c, "gdpr-33-1", "not_due until 2026-11-28T09:00:00Z")
		w.wantClock(c, "gdpr-33-1 before", "not_due until 2026-11-23T09:00:00Z")
	})
	lite(t, func(w *world) {
		c := w.open(nil)
		w.low(c)
		must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Rule: "gdpr-33-1", NotDue: true, Reasons: "Not ours."}))
		w.till("2026-11-21T09:00:00Z")
		w.ticked(c, true)
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-24T09:00:00Z")
		w.wantClock(c, "gdpr-34", "unknown")
		w.low(c)
		w.wantClock(c, "gdpr-33-1", "not_due until 2026-11-24T09:00:00Z")
		w.ticked(c, false)
		w.low(c)
		w.ticked(c, true)
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-24T09:00:00Z")
	})
}

// Nobody alone moves the authority's deadline later: not by a box, not by a merge.
func TestOurDataIsNeverLater(t *testing.T) {
	const first = "running until 2026-11-23T09:00:00Z"
	lite(t, func(w *world) {
		c := w.open(nil, func(in *incidents.NewCase) { in.OurData = law.Yes })
		w.clock.Advance(time.Hour)
		w.ticked(c, false)
		w.ticked(c, true)
		w.wantClock(c, "gdpr-33-1", first)
		other := w.open(nil)
		w.clock.Advance(time.Hour)
		w.ticked(other, true)
		must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, other.ID, c.ID, "One intruder."))
		w.wantClock(c, "gdpr-33-1", first)
		must[incidents.Case](t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Certainty: law.Certain, Aware: "2026-11-20T08:00:00Z", Ground: "Bob knew."}))
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-23T08:00:00Z")
	})
	lite(t, func(w *world) {
		c := w.open(nil)
		w.clock.Advance(time.Hour)
		w.ticked(c, true)
		w.clock.Advance(time.Hour)
		w.ticked(c, false)
		w.ticked(c, true)
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-23T10:00:00Z")
		into := w.open(nil)
		w.low(into)
		must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, c.ID, into.ID, "One intruder."))
		w.wantClock(into, "gdpr-33-1", "running until 2026-11-23T10:00:00Z")
	})
}

// A newer word of suspicion is no correction: the earliest counts.
func TestSuspicionFromTheBeginning(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: w.maple.ID, Amount: 12, Unit: law.Hours, FromSuspicion: true}))
		c := w.open(on(w.mapleOne), func(in *incidents.NewCase) { in.Certainty = law.Suspected })
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-20T21:00:00Z")
		w.clock.Advance(5 * time.Hour)
		must[incidents.Case](t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Customer: w.maple.ID, Certainty: law.Suspected, Ground: "Perhaps theirs."}))
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-20T21:00:00Z")
	})
}

// What was withdrawn tells nobody any more.
func TestWithdrawnIsNotTold(t *testing.T) {
	lite(t, func(w *world) {
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		w.tell(c, w.maple)
		w.clock.Advance(time.Hour)
		w.told(c, w.maple.ID, incidents.ToCustomer, incidents.Withdrawal, "gdpr", w.clock.Now())
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T09:00:00Z")
		w.clock.Advance(time.Hour)
		w.tell(c, w.maple)
		w.wantClock(c, "gdpr-33-2 maple", "met until 2026-11-21T09:00:00Z")
	})
}

// What two cases were together is done when both are, and as bad as either.
func TestMergeTakesTheWorse(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Jurisdiction: "EU", Entity: law.Entity{Scope: law.Yes, Services: []law.Service{law.ManagedService}}}))
		contained := func(c incidents.Case, at incidents.At) {
			must[incidents.Case](t)(w.incidents.Contain(w.ctx, w.all, c.ID, at, "Keys rotated."))
		}
		impact := func(c incidents.Case, i law.Impact) {
			must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Impact: &i}))
		}
		into, other, third := w.open(nil), w.open(nil), w.open(nil)
		contained(into, "2026-11-20T07:00:00Z")
		contained(other, "2026-11-20T08:00:00Z")
		impact(into, law.Impact{Malicious: law.No, PhysicalAccess: law.No, Recurring: law.No})
		impact(other, law.Impact{OutageMinutes: 31, Malicious: law.No, PhysicalAccess: law.No, Recurring: law.No})
		c := must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, other.ID, into.ID, "One intruder."))
		if want := instant(t, "2026-11-20T08:00:00Z"); !c.ContainedAt.Equal(want) || c.Significant.Answer != law.Yes {
			t.Errorf("got contained %v, significant %s; want %v, yes", c.ContainedAt, c.Significant.Answer, want)
		}
		c = must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, third.ID, into.ID, "One intruder."))
		if !c.ContainedAt.IsZero() {
			t.Errorf("one of them goes on: contained %v", c.ContainedAt)
		}
	})
}

// A case closes over no duty without a number, either.
func TestCloseAsksForDutiesWithoutANumber(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.open(nil, func(in *incidents.NewCase) { in.OurData = law.Yes })
		refused := func(when string) {
			t.Helper()
			if _, err := w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}); code(err) != controlplane.CodeConflict {
				t.Errorf("%s: got %v, want a conflict", when, err)
			}
		}
		w.told(c, "", incidents.ToAuthority, incidents.First, "gdpr", w.clock.Now())
		refused("undecided")
		must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Likelihood: incidents.High, Severity: incidents.High, Authority: true, People: true, Reasons: "Bank data."}))
		refused("decided, and not told")
		w.told(c, "", incidents.ToPeople, incidents.First, "gdpr", w.clock.Now())
		must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}))
	})
}
