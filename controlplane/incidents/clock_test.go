package incidents_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// lite runs fn with a world on SQLite only: what is tested is arithmetic.
func lite(t *testing.T, fn func(w *world)) {
	t.Helper()
	clock := &dbtest.Clock{}
	fn(newWorld(t, dbtest.SQLite(t, clock), clock))
}

// till moves the clock on to an instant.
func (w *world) till(text string) {
	w.t.Helper()
	w.clock.Advance(instant(w.t, text).Sub(w.clock.Now()))
}

var berlin = incidents.Company{Jurisdiction: "EU", Country: "DE", Zone: "Europe/Berlin", Entity: law.Entity{Scope: law.No}}

// TestCustomersClock is Article 33(2) by contracts.
func TestCustomersClock(t *testing.T) {
	for name, c := range map[string]struct {
		terms     incidents.Terms
		suspected bool   // nobody is certain of them yet
		aware     string // of the case; they are known to be affected from then, too
		want      string
		contract  bool
		rule      string
	}{
		"nothing agreed":            {aware: "2026-11-20T08:30:00Z", want: "running until 2026-11-21T08:30:00Z"},
		"nothing agreed, suspected": {aware: "2026-11-20T08:30:00Z", suspected: true, want: "shadow running until 2026-11-21T08:30:00Z"},
		"twelve hours":              {terms: incidents.Terms{Amount: 12, Unit: law.Hours}, aware: "2026-11-20T08:30:00Z", want: "running until 2026-11-20T20:30:00Z", contract: true},
		"twelve from suspicion":     {terms: incidents.Terms{Amount: 12, Unit: law.Hours, FromSuspicion: true}, suspected: true, aware: "2026-11-20T08:30:00Z", want: "running until 2026-11-20T20:30:00Z", contract: true},
		"from suspicion alone":      {terms: incidents.Terms{FromSuspicion: true}, suspected: true, aware: "2026-11-20T08:30:00Z", want: "running until 2026-11-21T08:30:00Z", contract: true},
		"over a weekend in hours":   {terms: incidents.Terms{Amount: 48, Unit: law.Hours}, aware: "2026-11-20T08:30:00Z", want: "running until 2026-11-22T08:30:00Z", contract: true},
		"one working day, a Friday": {terms: incidents.Terms{Amount: 1, Unit: law.WorkingDays, Country: "DE"}, aware: "2026-11-20T08:30:00Z", want: "running until 2026-11-23T22:59:59Z", contract: true},
		"late on Friday in Berlin is Saturday": {terms: incidents.Terms{Amount: 1, Unit: law.WorkingDays, Country: "DE", Zone: "Asia/Tokyo"}, aware: "2026-11-20T08:30:00Z",
			want: "running until 2026-11-23T14:59:59Z", contract: true},
		"over Christmas":             {terms: incidents.Terms{Amount: 2, Unit: law.WorkingDays, Country: "DE-BY"}, aware: "2026-12-23T12:00:00Z", want: "running until 2026-12-28T22:59:59Z", contract: true},
		"two days":                   {terms: incidents.Terms{Amount: 2, Unit: law.Days}, aware: "2026-11-20T08:30:00Z", want: "running until 2026-11-22T22:59:59Z", contract: true},
		"the United Kingdom's":       {terms: incidents.Terms{Jurisdiction: "UK"}, aware: "2026-11-20T08:30:00Z", want: "running until 2026-11-21T08:30:00Z", rule: "uk-gdpr-33-2"},
		"half an hour off, in India": {terms: incidents.Terms{Amount: 1, Unit: law.Days, Zone: "Asia/Kolkata"}, aware: "2026-11-20T08:30:00Z", want: "running until 2026-11-21T18:29:59Z", contract: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lite(t, func(w *world) {
				w.till("2026-11-19T09:00:00Z")
				must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
				c.terms.Customer = w.maple.ID
				must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, c.terms))
				w.till(c.aware)
				open := w.open(on(w.mapleOne))
				if !c.suspected {
					open = w.affect(open, w.maple)
				}
				rule := c.rule
				if rule == "" {
					rule = "gdpr-33-2"
				}
				got := w.clocks(open)[rule+" maple"]
				if state(got) != c.want || got.Contract != c.contract || len(got.Steps) == 0 {
					t.Errorf("got %q, contract %v, steps %v; want %q, %v", state(got), got.Contract, got.Steps, c.want, c.contract)
				}
				if a := of(t, open, w.maple); state(a.Clock) != c.want {
					t.Errorf("in the case: %q", state(a.Clock))
				}
			})
		})
	}
}

// Terms that change while a case is open never make a deadline later than it was shown.
func TestTermsChangeInAnOpenCase(t *testing.T) {
	lite(t, func(w *world) {
		set := func(amount int, unit law.Unit) {
			t.Helper()
			w.clock.Advance(time.Minute)
			must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: "maple", Amount: amount, Unit: unit}))
		}
		set(72, law.Hours)
		set(20, law.Hours)
		w.till("2026-11-20T10:00:00Z")
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T06:00:00Z")
		set(48, law.Hours)
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T06:00:00Z")
		set(10, law.Hours)
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-20T20:00:00Z")
		if next := w.get(c.ID).NextDue; !next.Equal(instant(t, "2026-11-20T20:00:00Z")) {
			t.Errorf("what Watch waits for: %v", next)
		}
		set(48, law.Hours)
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-20T20:00:00Z")
		w.till("2026-11-20T15:00:00Z")
		w.tell(c, w.maple)
		set(1, law.Hours)
		w.wantClock(c, "gdpr-33-2 maple", "met until 2026-11-20T20:00:00Z") // not late by what came after
		if c2 := w.affect(w.open(on(w.mapleOne)), w.maple); c2.ID != c.ID {
			w.wantClock(c2, "gdpr-33-2 maple", "running until "+w.clock.Now().Add(time.Hour).Format(time.RFC3339))
		}
	})
}

// The role of a customer may differ by server; an unknown one is a controller's.
func TestRoles(t *testing.T) {
	lite(t, func(w *world) {
		for name, x := range map[string]struct {
			terms incidents.Terms
			want  incidents.DataRole
			due   bool
		}{
			"nothing":        {incidents.Terms{}, incidents.RoleUnknown, true},
			"a processor":    {incidents.Terms{Role: incidents.Processor}, incidents.Processor, false},
			"on one of two":  {incidents.Terms{Role: incidents.Processor, Services: map[string]incidents.DataRole{w.shared.ID: incidents.Controller}}, incidents.Controller, true},
			"unknown on one": {incidents.Terms{Role: incidents.Processor, Services: map[string]incidents.DataRole{w.shared.ID: incidents.RoleUnknown}}, incidents.RoleUnknown, true},
			"on neither":     {incidents.Terms{Role: incidents.Controller, Services: map[string]incidents.DataRole{w.shared.ID: incidents.Processor, w.mapleOne.ID: incidents.Processor}}, incidents.Processor, false},
		} {
			x.terms.Customer = w.maple.ID
			w.clock.Advance(time.Minute)
			must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, x.terms))
			c := w.affect(w.open(on(w.shared, w.mapleOne)), w.maple)
			w.tell(c, w.maple)
			if a := of(t, w.get(c.ID), w.maple); a.Role != x.want || a.TheirDue.IsZero() == x.due {
				t.Errorf("%s: got %s, their due %v", name, a.Role, a.TheirDue)
			}
		}
	})
}

// TestOwnClocks is what we owe ourselves, by who we are.
func TestOwnClocks(t *testing.T) {
	yes := law.Entity{Scope: law.Yes, Services: []law.Service{law.ManagedService}}
	for name, c := range map[string]struct {
		company incidents.Company
		change  func(in *incidents.NewCase)
		impact  *law.Impact
		want    map[string]string // "" is not there
	}{
		"nothing recorded": {
			want: map[string]string{"gdpr-33-1": "not_due until 2026-11-23T09:00:00Z", "nis2-23-early": "unknown until 2026-11-21T09:00:00Z", "eu-611-2013-initial": "", "uk-gdpr-33-1": ""},
		},
		"our data, nothing recorded": {
			change: func(in *incidents.NewCase) { in.OurData = law.Yes },
			want:   map[string]string{"gdpr-33-1": "running until 2026-11-23T09:00:00Z", "gdpr-34": "unknown", "gdpr-33-5": "met"},
		},
		"our data, suspected": {
			company: berlin, change: func(in *incidents.NewCase) { in.OurData, in.Certainty = law.Yes, law.Suspected },
			want: map[string]string{"gdpr-33-1": "shadow running until 2026-11-23T09:00:00Z", "nis2-23-early": "not_due until 2026-11-21T09:00:00Z"},
		},
		"in the United Kingdom": {
			company: incidents.Company{Jurisdiction: "UK", Country: "GB", Zone: "Europe/London"}, change: func(in *incidents.NewCase) { in.OurData = law.Yes },
			want: map[string]string{"uk-gdpr-33-1": "running until 2026-11-23T09:00:00Z", "gdpr-33-1": "", "uk-gdpr-34": "unknown", "uk-csrb-initial": "", "uk-pecr-5a": ""},
		},
		"in both": {
			company: incidents.Company{Jurisdiction: "UK", Establishment: true}, change: func(in *incidents.NewCase) { in.OurData = law.Yes },
			want: map[string]string{"uk-gdpr-33-1": "running until 2026-11-23T09:00:00Z", "gdpr-33-1": "running until 2026-11-23T09:00:00Z"},
		},
		"a provider in the United Kingdom": {
			company: incidents.Company{Jurisdiction: "UK", Telecoms: true},
			want:    map[string]string{"uk-pecr-5a": "running until 2026-11-23T09:00:00Z", "uk-gdpr-33-1": "not_due until 2026-11-23T09:00:00Z"},
		},
		"the same before the day": {
			company: incidents.Company{Jurisdiction: "UK", Telecoms: true}, change: func(in *incidents.NewCase) { in.Aware = "2025-08-19T23:00:00Z" },
			want: map[string]string{"uk-pecr-5a": "late until 2025-08-20T23:00:00Z"},
		},
		"the same on the day": {
			company: incidents.Company{Jurisdiction: "UK", Telecoms: true}, change: func(in *incidents.NewCase) { in.Aware = "2025-08-20T00:00:00Z" },
			want: map[string]string{"uk-pecr-5a": "late until 2025-08-23T00:00:00Z"},
		},
		"a provider in the Union": {
			company: incidents.Company{Jurisdiction: "EU", Telecoms: true},
			want:    map[string]string{"eu-611-2013-initial": "running until 2026-11-21T09:00:00Z", "eu-611-2013-full": ""},
		},
		"an important entity, nothing known": {
			company: incidents.Company{Jurisdiction: "EU", Entity: yes},
			want:    map[string]string{"nis2-23-early": "unknown until 2026-11-21T09:00:00Z", "nis2-23-notification": "unknown until 2026-11-23T09:00:00Z"},
		},
		"significant": {
			company: incidents.Company{Jurisdiction: "EU", Entity: yes}, impact: &law.Impact{OutageMinutes: 31},
			want: map[string]string{"nis2-23-early": "running until 2026-11-21T09:00:00Z", "nis2-23-notification": "running until 2026-11-23T09:00:00Z", "nis2-23-recipients": "running", "nis2-23-final": ""},
		},
		"not significant": {
			company: incidents.Company{Jurisdiction: "EU", Entity: yes}, impact: &law.Impact{OutageMinutes: 30, Malicious: law.No, PhysicalAccess: law.No, Recurring: law.No, TradeSecrets: law.No, Harm: law.No, Intrusion: law.No},
			want: map[string]string{"nis2-23-early": "not_due until 2026-11-21T09:00:00Z"},
		},
		"scope not known": {
			company: incidents.Company{Jurisdiction: "EU"}, impact: &law.Impact{OutageMinutes: 31},
			want: map[string]string{"nis2-23-early": "unknown until 2026-11-21T09:00:00Z"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lite(t, func(w *world) {
				must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, c.company))
				change := []func(*incidents.NewCase){}
				if c.change != nil {
					change = append(change, c.change)
				}
				open := w.open(nil, change...)
				if c.impact != nil {
					open = must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, open.ID, 0, incidents.CaseChange{Impact: c.impact}))
				}
				clocks := w.clocks(open)
				for rule, want := range c.want {
					got, ok := clocks[rule]
					if want == "" && ok {
						t.Errorf("%s: got %q, want none", rule, state(got))
					} else if want != "" && state(got) != want {
						t.Errorf("%s: got %q, want %q", rule, state(got), want)
					}
					if (got.State == incidents.Unknown || got.State == incidents.NotDue) && got.Why == "" {
						t.Errorf("%s is %s and says not why", rule, got.State)
					}
				}
			})
		})
	}
}

// TestDecisions is what a decision makes of a duty, and new facts of a decision.
func TestDecisions(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.open(nil, func(in *incidents.NewCase) { in.OurData = law.Yes })
		decide := func(in incidents.NewDecision) {
			t.Helper()
			w.clock.Advance(time.Hour)
			must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, in))
		}
		decide(incidents.NewDecision{Likelihood: incidents.Low, Severity: incidents.Low, Reasons: "It was encrypted, and the key is safe."})
		w.wantClock(c, "gdpr-33-1", "not_due until 2026-11-23T09:00:00Z")
		w.wantClock(c, "gdpr-34", "not_due")
		if k := w.clocks(c)["gdpr-33-1"]; !strings.Contains(k.Why, "the key is safe") {
			t.Errorf("why: %q", k.Why)
		}
		// The key leaked: due by the first clock.
		w.till("2026-11-24T09:00:00Z")
		decide(incidents.NewDecision{Likelihood: incidents.High, Severity: incidents.High, Authority: true, People: true, Reasons: "The key was in the same folder."})
		w.wantClock(c, "gdpr-33-1", "late until 2026-11-23T09:00:00Z")
		w.wantClock(c, "gdpr-34", "running")
		w.told(c, "", incidents.ToAuthority, incidents.First, "gdpr", w.clock.Now())
		w.told(c, "", incidents.ToPeople, incidents.First, "gdpr", w.clock.Now())
		w.wantClock(c, "gdpr-33-1", "met_late until 2026-11-23T09:00:00Z")
		w.wantClock(c, "gdpr-34", "met")
	})
}

// That our own data is touched, too, may be known later: its clock begins then.
func TestOurDataKnownLater(t *testing.T) {
	lite(t, func(w *world) {
		c := w.open(nil)
		w.clock.Advance(30 * time.Hour)
		yes := law.Yes
		c = must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{OurData: &yes}))
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-24T15:00:00Z")
	})
}

// TestChainOfNIS2 goes from the early warning to the final report.
func TestChainOfNIS2(t *testing.T) {
	company := incidents.Company{Jurisdiction: "EU", Country: "DE", Zone: "Europe/Berlin", Entity: law.Entity{Scope: law.Yes, Services: []law.Service{law.ManagedService}}}
	begin := func(w *world) incidents.Case {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, company))
		c := w.open(on(w.mapleOne))
		c = must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Impact: &law.Impact{Malicious: law.Yes}}))
		w.told(c, "", incidents.ToCSIRT, incidents.First, "nis2", instant(t, "2026-11-21T08:00:00Z"))
		w.told(c, "", incidents.ToCSIRT, incidents.Update, "nis2", instant(t, "2026-11-23T10:00:00Z"))
		w.told(c, w.maple.ID, incidents.ToCustomer, incidents.First, "gdpr", instant(t, "2026-11-20T12:00:00Z"))
		w.till("2026-11-24T09:00:00Z")
		w.wantClock(c, "nis2-23-early", "met until 2026-11-21T09:00:00Z")
		w.wantClock(c, "nis2-23-notification", "met_late until 2026-11-23T09:00:00Z")
		w.wantClock(c, "nis2-23-recipients", "met")
		// A month after it was handed in: the end of 23 December in Berlin.
		w.wantClock(c, "nis2-23-final", "running until 2026-12-23T22:59:59Z")
		return c
	}
	t.Run("handled in time", func(t *testing.T) {
		lite(t, func(w *world) {
			c := begin(w)
			w.till("2026-12-10T09:00:00Z")
			must[incidents.Case](t)(w.incidents.Handled(w.ctx, w.all, c.ID, "2026-12-05T12:00:00Z", "Rebuilt."))
			w.told(c, "", incidents.ToCSIRT, incidents.Update, "nis2", w.clock.Now()) // no final report
			w.wantClock(c, "nis2-23-final", "running until 2026-12-23T22:59:59Z")
			w.told(c, "", incidents.ToCSIRT, incidents.Final, "nis2", w.clock.Now())
			w.wantClock(c, "nis2-23-final", "met until 2026-12-23T22:59:59Z")
			if _, ok := w.clocks(c)["nis2-23-final-handled"]; ok {
				t.Error("a second final report is asked for")
			}
		})
	})
	t.Run("still going on", func(t *testing.T) {
		lite(t, func(w *world) {
			c := begin(w)
			w.told(c, "", incidents.ToCSIRT, incidents.Update, "nis2", w.clock.Now()) // asked for: no month's progress
			w.wantClock(c, "nis2-23-final", "running until 2026-12-23T22:59:59Z")
			w.till("2026-12-20T09:00:00Z")
			w.told(c, "", incidents.ToCSIRT, incidents.Update, "nis2", w.clock.Now())
			w.wantClock(c, "nis2-23-final", "met until 2026-12-23T22:59:59Z") // progress
			w.till("2027-01-31T12:00:00Z")
			must[incidents.Case](t)(w.incidents.Handled(w.ctx, w.all, c.ID, "", "Rebuilt."))
			w.wantClock(c, "nis2-23-final-handled", "running until 2027-02-28T22:59:59Z") // no 31 February
			k := w.clocks(c)["nis2-23-final-handled"]
			if want := instant(t, "2027-03-01T22:59:59Z"); !k.Regulation.Equal(want) { // the 28th is a Sunday
				t.Errorf("by the regulation: got %v, want %v", k.Regulation, want)
			}
			w.told(c, "", incidents.ToCSIRT, incidents.Final, "nis2", w.clock.Now())
			w.wantClock(c, "nis2-23-final-handled", "met until 2027-02-28T22:59:59Z")
		})
	})
}

// DORA's times are the customer's, not ours: shown, and never an alarm of ours.
func TestTheirs(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: w.maple.ID, Financial: true}))
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		w.wantClock(c, "dora-initial-outer maple", "unknown")
		w.clock.Advance(time.Hour)
		w.tell(c, w.maple)
		w.wantClock(c, "dora-initial-outer maple", "running until 2026-11-21T10:00:00Z")
		if got := w.get(c.ID); !got.NextDue.IsZero() {
			t.Errorf("it is a deadline of ours: %v", got.NextDue)
		}
		w.clock.Advance(25 * time.Hour)
		w.wantClock(c, "dora-initial-outer maple", "unknown until 2026-11-21T10:00:00Z")
		if got := w.get(c.ID); got.Late {
			t.Error("we are late with it")
		}
	})
}

// TestTelecomsFollowUp is 611/2013: three days after the first notice, the rest.
func TestTelecomsFollowUp(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Jurisdiction: "EU", Telecoms: true, Country: "DE"}))
		c := w.open(nil)
		w.told(c, "", incidents.ToAuthority, incidents.First, "gdpr", instant(t, "2026-11-20T12:00:00Z"))
		w.till("2026-11-20T12:00:00Z")
		w.wantClock(c, "eu-611-2013-initial", "met until 2026-11-21T09:00:00Z")
		w.wantClock(c, "eu-611-2013-full", "running until 2026-11-23T23:59:59Z")
		w.told(c, "", incidents.ToAuthority, incidents.Update, "gdpr", w.clock.Now())
		w.wantClock(c, "eu-611-2013-full", "met until 2026-11-23T23:59:59Z")
	})
}

// The hour that a clock is set back in is an hour that passes.
func TestHoursOverAChangeOfClocks(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.open(nil, func(in *incidents.NewCase) { in.OurData, in.Aware = law.Yes, "2026-10-23T10:30:00+02:00" })
		k := w.clocks(c)["gdpr-33-1"]
		if got, want := k.Strict.Format(time.RFC3339), "2026-10-26T09:30:00+01:00"; got != want {
			t.Errorf("strict: got %s, want %s", got, want)
		}
		if got, want := k.Regulation.Format(time.RFC3339), "2026-10-26T10:00:00+01:00"; got != want {
			t.Errorf("by the regulation: got %s, want %s", got, want)
		}
		if k.State != incidents.Late {
			t.Errorf("a month later: %s", k.State)
		}
	})
}
