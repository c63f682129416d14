package incidents_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// ours has data of our own be touched.
func ours(in *incidents.NewCase) { in.OurData = law.Yes }

// decide decides, a minute after what was before.
func (w *world) decide(c incidents.Case, in incidents.NewDecision) {
	w.t.Helper()
	w.clock.Advance(time.Minute)
	in.Reasons = "So it is."
	must[incidents.Decision](w.t)(w.incidents.Decide(w.ctx, w.all, c.ID, in))
}

// over closes a case.
func (w *world) over(c incidents.Case) error {
	_, err := w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."})
	return err
}

// No act of one person alone has a clock vanish, begin later, or be met without a
// notice about it that was delivered.
func TestNoActTakesAClockAway(t *testing.T) {
	suspected := func(in *incidents.NewCase) { in.Certainty, in.OurData = law.Suspected, law.Yes }
	for name, x := range map[string]struct {
		company incidents.Company
		do      func(t *testing.T, w *world) incidents.Case
		clock   string
		want    string
	}{
		"who was certain is split off": {berlin, func(t *testing.T, w *world) incidents.Case {
			c := w.affect(w.open(on(w.shared), suspected), w.maple)
			must[incidents.Case](t)(w.incidents.Split(w.ctx, w.all, c.ID, incidents.SplitOff{Title: "Maple", Customers: []string{w.maple.ID}, Why: "Another door."}))
			return c
		}, "gdpr-33-1", "running until 2026-11-23T09:00:00Z"},
		"a part of what is ours is ours as long": {berlin, func(t *testing.T, w *world) incidents.Case {
			c := w.affect(w.open(on(w.shared), ours), w.maple)
			part := must[incidents.Case](t)(w.incidents.Split(w.ctx, w.all, c.ID, incidents.SplitOff{Title: "Maple", Customers: []string{w.maple.ID}, Why: "Another door."}))
			w.clock.Advance(10 * time.Hour)
			w.ticked(part, true)
			return part
		}, "gdpr-33-1", "running until 2026-11-23T09:00:00Z"},
		"a duty was decided away before the risk was high": {berlin, func(_ *testing.T, w *world) incidents.Case {
			c := w.open(nil, ours)
			w.decide(c, incidents.NewDecision{Rule: "gdpr-33-1", NotDue: true})
			w.decide(c, incidents.NewDecision{Likelihood: incidents.High, Severity: incidents.High, Authority: true, People: true})
			return c
		}, "gdpr-33-1", "running until 2026-11-23T09:00:00Z"},
		"people, too": {berlin, func(_ *testing.T, w *world) incidents.Case {
			c := w.open(nil, ours)
			w.decide(c, incidents.NewDecision{Rule: "gdpr-34", NotDue: true})
			w.decide(c, incidents.NewDecision{Likelihood: incidents.High, Severity: incidents.High, Authority: true, People: true})
			return c
		}, "gdpr-34", "running"},
		"a duty that was decided away after the risk": {berlin, func(_ *testing.T, w *world) incidents.Case {
			c := w.open(nil, ours)
			w.decide(c, incidents.NewDecision{Likelihood: incidents.High, Severity: incidents.High, Authority: true, People: true})
			w.decide(c, incidents.NewDecision{Rule: "gdpr-33-1", NotDue: true})
			return c
		}, "gdpr-33-1", "not_due until 2026-11-23T09:00:00Z"},
		"decided before it was significant": {important, func(_ *testing.T, w *world) incidents.Case {
			c := w.open(nil)
			w.decide(c, incidents.NewDecision{Rule: "nis2-23-early", NotDue: true})
			w.clock.Advance(time.Minute)
			w.impact(c, law.Impact{Malicious: law.Yes})
			return c
		}, "nis2-23-early", "running until 2026-11-21T09:00:00Z"},
		"decided after it was significant": {important, func(_ *testing.T, w *world) incidents.Case {
			c := w.open(nil)
			w.impact(c, law.Impact{Malicious: law.Yes})
			w.decide(c, incidents.NewDecision{Rule: "nis2-23-early", NotDue: true})
			w.impact(c, law.Impact{Malicious: law.Yes, LossEUR: 1})
			return c
		}, "nis2-23-early", "not_due until 2026-11-21T09:00:00Z"},
		"told before new facts, and merged": {berlin, func(t *testing.T, w *world) incidents.Case {
			c, into := w.affect(w.open(on(w.mapleOne)), w.maple), w.open(nil)
			w.tell(c, w.maple)
			if err := w.over(c); err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(time.Hour)
			must[incidents.Case](t)(w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Why: "More files."}))
			must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, c.ID, into.ID, "One."))
			return into
		}, "gdpr-33-2 maple", "running until 2026-11-21T10:00:00Z"},
		"handed in at the same authority again": {incidents.Company{Jurisdiction: "other"}, func(_ *testing.T, w *world) incidents.Case {
			c, in := w.open(nil, ours), []string{"DE", "FR"}
			c = must[incidents.Case](w.t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{PeopleIn: &in}))
			w.told(c, "", incidents.ToAuthority, incidents.First, "gdpr", w.clock.Now())
			w.clock.Advance(time.Minute)
			w.told(c, "", incidents.ToAuthority, incidents.Update, "gdpr", w.clock.Now())
			return c
		}, "gdpr-33-1", "running until 2026-11-23T09:00:00Z"},
		"terms are longer before a customer comes in": {berlin, func(t *testing.T, w *world) incidents.Case {
			must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: w.maple.ID, Amount: 4, Unit: law.Hours}))
			c := w.open(nil)
			w.clock.Advance(time.Hour)
			must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: w.maple.ID, Amount: 72, Unit: law.Hours}))
			w.clock.Advance(time.Hour)
			return must[incidents.Case](t)(w.incidents.Affect(w.ctx, w.all, c.ID, incidents.Affect{State: incidents.Certain, Customers: []string{w.maple.ID}, Since: "2026-11-20T09:00:00Z", Because: "Their files."}))
		}, "gdpr-33-2 maple", "running until 2026-11-20T13:00:00Z"},
		"handled again, later": {important, func(t *testing.T, w *world) incidents.Case {
			c := w.open(nil)
			w.impact(c, law.Impact{Malicious: law.Yes})
			w.told(c, "", incidents.ToCSIRT, incidents.First, "nis2", w.clock.Now())
			w.told(c, "", incidents.ToCSIRT, incidents.Update, "nis2", w.clock.Now())
			w.till("2026-12-30T09:00:00Z")
			must[incidents.Case](t)(w.incidents.Handled(w.ctx, w.all, c.ID, "", "Rebuilt."))
			w.till("2027-01-15T09:00:00Z")
			if _, err := w.incidents.Handled(w.ctx, w.all, c.ID, "", "Rebuilt again."); code(err) != controlplane.CodeConflict {
				t.Errorf("later: got %v, want a conflict", err)
			}
			return must[incidents.Case](t)(w.incidents.Handled(w.ctx, w.all, c.ID, "2026-12-29T09:00:00Z", "A day before."))
		}, "nis2-23-final-handled", "running until 2027-01-29T22:59:59Z"},
		"an answer takes back that it was significant": {important, func(_ *testing.T, w *world) incidents.Case {
			c := w.open(nil)
			w.impact(c, law.Impact{Malicious: law.Yes})
			w.clock.Advance(time.Minute)
			return w.impact(c, quiet)
		}, "nis2-23-early", "running until 2026-11-21T09:00:00Z"},
		"and a decision does": {important, func(_ *testing.T, w *world) incidents.Case {
			c := w.open(nil)
			w.impact(c, law.Impact{Malicious: law.Yes})
			w.impact(c, quiet)
			w.decide(c, incidents.NewDecision{Rule: "nis2-23-early", NotDue: true})
			return c
		}, "nis2-23-early", "not_due until 2026-11-21T09:00:00Z"},
		"we are out of scope since": {important, func(t *testing.T, w *world) incidents.Case {
			c := w.open(nil)
			w.impact(c, law.Impact{Malicious: law.Yes})
			w.clock.Advance(time.Minute)
			must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Jurisdiction: "EU", Country: "DE", Zone: "Europe/Berlin", Entity: law.Entity{Type: law.NotInScope, Size: law.Small}}))
			return c
		}, "nis2-23-early", "running until 2026-11-21T09:00:00Z"},
		"we are elsewhere since": {berlin, func(t *testing.T, w *world) incidents.Case {
			c := w.open(nil, ours)
			w.clock.Advance(time.Minute)
			must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Jurisdiction: "UK", Country: "GB", Zone: "Europe/London"}))
			return c
		}, "gdpr-33-1", "running until 2026-11-23T09:00:00Z"},
		"we are no provider since": {incidents.Company{Jurisdiction: "EU", Telecoms: true}, func(t *testing.T, w *world) incidents.Case {
			c := w.open(nil)
			w.clock.Advance(time.Minute)
			must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
			return c
		}, "eu-611-2013-initial", "running until 2026-11-21T09:00:00Z"},
		"people in the United Kingdom, and we are in the Union": {berlin, func(_ *testing.T, w *world) incidents.Case {
			c, in := w.open(nil, ours), []string{"DE", "GB"}
			return must[incidents.Case](w.t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{PeopleIn: &in}))
		}, "uk-gdpr-33-1", "running until 2026-11-23T09:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lite(t, func(w *world) {
				must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, x.company))
				w.wantClock(x.do(t, w), x.clock, x.want)
			})
		})
	}
}

// What was said and sent before a case was reopened on new facts meets no clock of them,
// whenever somebody opens it.
func TestNewFactsAreNotTold(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: w.maple.ID, Financial: true}))
		c, into := w.affect(w.open(on(w.mapleOne)), w.maple), w.open(nil)
		w.tell(c, w.maple)
		w.said(c, incidents.TheirClassified, "")
		must[incidents.Case](t)(w.incidents.TheyKnew(w.ctx, w.all, c.ID, w.maple.ID, "2026-11-20T08:00:00Z"))
		w.clock.Advance(time.Hour)
		w.said(c, incidents.TheirInitial, "")
		w.wantClock(c, "dora-initial maple", "met until 2026-11-20T13:00:00Z")
		if err := w.over(c); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Hour)
		must[incidents.Case](t)(w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Why: "More files."}))
		w.clock.Advance(time.Minute)
		check := func(c incidents.Case, when string) {
			t.Helper()
			w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T11:00:00Z")
			w.wantClock(c, "dora-initial maple", "unknown")
			if a := of(t, w.get(c.ID), w.maple); !a.TheirDue.IsZero() || !a.ToldAt.IsZero() {
				t.Errorf("%s: theirs is due %v, told %v", when, a.TheirDue, a.ToldAt)
			}
		}
		check(c, "reopened")
		must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, c.ID, into.ID, "One."))
		check(into, "merged")
	})
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		w.tell(c, w.maple)
		if err := w.over(c); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Hour)
		must[incidents.Case](t)(w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Why: "More files."}))
		w.clock.Advance(time.Minute)
		w.write(func(tx *dbTx) error { // they open only now what was sent before
			if err := tx.Exec("UPDATE incident_notices SET told_at = ? WHERE case_id = ?", tx.NowMillis(), c.ID).Error; err != nil {
				return err
			}
			return w.incidents.Recount(tx, c.ID)
		})
		if a := of(t, w.get(c.ID), w.maple); !a.ToldAt.IsZero() {
			t.Errorf("told of the new facts %v", a.ToldAt)
		}
	})
}

// Nobody became aware of a breach before there was a law on it: a year that is mistyped
// would begin a clock that no rule knows, and no later word could take it back alone.
func TestAwareBeforeTheLaw(t *testing.T) {
	lite(t, func(w *world) {
		const typo = "2016-11-20T08:00:00Z"
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		_, err := w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Customer: w.maple.ID, Certainty: law.Certain, Aware: typo, Ground: "x"})
		if code(err) != controlplane.CodeInvalid {
			t.Errorf("a word: got %v, want invalid", err)
		}
		_, err = w.incidents.Affect(w.ctx, w.all, c.ID, incidents.Affect{State: incidents.Certain, Customers: []string{w.harbour.ID}, Since: typo, Because: "x"})
		if code(err) != controlplane.CodeInvalid {
			t.Errorf("a customer: got %v, want invalid", err)
		}
		if _, err = w.incidents.Open(w.ctx, w.all, incidents.NewCase{Title: "x", Aware: typo}); code(err) != controlplane.CodeInvalid {
			t.Errorf("a case: got %v, want invalid", err)
		}
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T09:00:00Z")
		before := incidents.At("2016-01-01T08:00:00Z")
		must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{OccurredFrom: &before})) // what happened may be older
	})
}

// A pack that forgets a rule ends no duty to a customer.
func TestAPackWithoutTheRule(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		w.clock.Advance(time.Hour)
		must[law.Pack](t)(w.incidents.LoadRules(w.ctx, w.all, []byte(`{"pack": "short", "rules": [`+strings.TrimSuffix(authority("72", "2018-05-25", ""), ",")+`]}`)))
		if err := w.over(c); code(err) != controlplane.CodeConflict {
			t.Errorf("closed over a customer whom nobody told: %v", err)
		}
	})
}

// A case that is merely suspected ends decided, or as a false alarm, and not over.
func TestASuspicionIsNotOver(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.open(on(w.shared), func(in *incidents.NewCase) { in.Certainty = law.Suspected })
		if err := w.over(c); code(err) != controlplane.CodeConflict {
			t.Errorf("suspected: got %v, want a conflict", err)
		}
		w.since(c, law.TheIncident, law.Certain, "") // a service was away, and of no data is it certain
		if err := w.over(c); code(err) != controlplane.CodeConflict {
			t.Errorf("nobody has decided about the customers: %v", err)
		}
		w.low(c)
		if err := w.over(c); err != nil {
			t.Errorf("the incident is certain: %v", err)
		}
	})
}

// What was known at an instant stays what was known, whatever comes to a case later.
func TestAsKnownBeforeAMerge(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		from := w.affect(w.open(on(w.mapleOne)), w.maple)
		w.clock.Advance(time.Hour)
		into := w.open(on(w.shared), func(in *incidents.NewCase) { in.Certainty, in.OurData = law.Suspected, law.Yes })
		w.clock.Advance(time.Hour)
		before := w.clock.Now()
		want := map[string]string{}
		for key, k := range w.asOf(into, before) {
			want[key] = state(k)
		}
		w.clock.Advance(time.Hour)
		must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, from.ID, into.ID, "One."))
		got := w.asOf(into, before)
		for key, k := range got {
			if state(k) != want[key] {
				t.Errorf("%s: got %q, want %q", key, state(k), want[key])
			}
		}
		if len(got) != len(want) {
			t.Errorf("got %d clocks, want %d", len(got), len(want))
		}
	})
}
