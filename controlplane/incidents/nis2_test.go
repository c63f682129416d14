package incidents_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

var (
	// quiet is an impact of which everything is known, and nothing is significant.
	quiet = law.Impact{Malicious: law.No, PhysicalAccess: law.No, TradeSecrets: law.No, Harm: law.No, Intrusion: law.No, Recurring: law.No}
	// important is a company that NIS2 is about.
	important = incidents.Company{Jurisdiction: "EU", Country: "DE", Zone: "Europe/Berlin", Entity: law.Entity{Type: law.Important, Size: law.Medium, Services: []law.Service{law.ManagedService}}}
)

func (w *world) impact(c incidents.Case, i law.Impact) incidents.Case {
	w.t.Helper()
	return must[incidents.Case](w.t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Impact: &i}))
}

// since writes down since when somebody is sure of something: of the incident itself,
// or of the case as a whole ("").
func (w *world) since(c incidents.Case, subject string, sure law.Certainty, at incidents.At) incidents.Case {
	w.t.Helper()
	return must[incidents.Case](w.t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Customer: subject, Certainty: sure, Aware: at, Ground: "Seen."}))
}

// NIS2's clocks begin with what is certain of the incident itself, which is not what
// is certain of anybody's data.
func TestNIS2Aware(t *testing.T) {
	suspected := func(in *incidents.NewCase) { in.Certainty = law.Suspected }
	for name, c := range map[string]struct {
		open func(*incidents.NewCase)
		do   func(w *world, c incidents.Case)
		want string // of the early warning
		data string // of Article 33(1), our data being touched
	}{
		"suspected data, nothing known of the size": {suspected, func(*world, incidents.Case) {}, "shadow unknown until 2026-11-21T09:00:00Z", "shadow running until 2026-11-23T09:00:00Z"},
		"an outage is certain when it was seen": {suspected, func(w *world, c incidents.Case) {
			w.impact(c, law.Impact{OutageMinutes: 31})
		}, "running until 2026-11-21T09:00:00Z", "shadow running until 2026-11-23T09:00:00Z"},
		"a bad act is certain when somebody says so": {suspected, func(w *world, c incidents.Case) {
			w.impact(c, law.Impact{Malicious: law.Yes})
		}, "running until 2026-11-21T14:00:00Z", "shadow running until 2026-11-23T09:00:00Z"},
		"who says so twice says so since the first": {suspected, func(w *world, c incidents.Case) {
			w.impact(c, law.Impact{Malicious: law.Yes})
			w.clock.Advance(time.Hour)
			w.impact(c, quiet)
			w.impact(c, law.Impact{Intrusion: law.Yes})
		}, "running until 2026-11-21T14:00:00Z", "shadow running until 2026-11-23T09:00:00Z"},
		"certain data is a certain incident": {nil, func(w *world, c incidents.Case) {
			w.impact(c, law.Impact{Malicious: law.Yes})
		}, "running until 2026-11-21T09:00:00Z", "running until 2026-11-23T09:00:00Z"},
		"certain of the incident, and of no data": {suspected, func(w *world, c incidents.Case) {
			w.since(c, law.TheIncident, law.Certain, "2026-11-20T08:00:00Z")
			w.impact(c, law.Impact{Malicious: law.Yes})
		}, "running until 2026-11-21T08:00:00Z", "shadow running until 2026-11-23T09:00:00Z"},
		"certain of the incident, significance not known": {suspected, func(w *world, c incidents.Case) {
			w.since(c, law.TheIncident, law.Certain, "2026-11-20T08:00:00Z")
		}, "unknown until 2026-11-21T08:00:00Z", "shadow running until 2026-11-23T09:00:00Z"},
		"data that is certain later makes it no later": {suspected, func(w *world, c incidents.Case) {
			w.impact(c, law.Impact{Malicious: law.Yes})
			w.clock.Advance(time.Hour)
			w.since(c, "", law.Certain, "")
		}, "running until 2026-11-21T14:00:00Z", "running until 2026-11-23T15:00:00Z"},
		"not significant": {suspected, func(w *world, c incidents.Case) { w.impact(c, quiet) }, "not_due until 2026-11-21T09:00:00Z", "shadow running until 2026-11-23T09:00:00Z"},
		"in scope later": {suspected, func(w *world, c incidents.Case) {
			must[incidents.Company](w.t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
			w.impact(c, law.Impact{OutageMinutes: 31})
			must[incidents.Company](w.t)(w.incidents.SetCompany(w.ctx, w.all, important))
		}, "running until 2026-11-21T09:00:00Z", "shadow running until 2026-11-23T09:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lite(t, func(w *world) {
				must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, important))
				ours := func(in *incidents.NewCase) {
					if in.OurData = law.Yes; c.open != nil {
						c.open(in)
					}
				}
				open := w.open(nil, ours)
				w.clock.Advance(5 * time.Hour)
				c.do(w, open)
				w.wantClock(open, "nis2-23-early", c.want)
				w.wantClock(open, "gdpr-33-1", c.data)
			})
		})
	}
}

// A word about the incident itself is corrected as any other, and makes no entry in
// the register of breaches of data.
func TestTheIncidentItself(t *testing.T) {
	each(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, important))
		c := w.open(on(w.mapleOne), func(in *incidents.NewCase) { in.Certainty = law.Suspected })
		c = w.impact(c, law.Impact{OutageMinutes: 31})
		i := slices.IndexFunc(c.Awareness, func(a law.Assertion) bool { return a.Customer == law.TheIncident })
		if i < 0 || c.Awareness[i].Certainty != law.Certain || !strings.Contains(c.Awareness[i].Ground, "Unavailable for more than 30 minutes") {
			t.Fatalf("who answered so is not on record: %+v", c.Awareness)
		}
		if k := w.clocks(c)["gdpr-33-2 maple"]; !k.Shadow {
			t.Errorf("nobody is certain of their data: %q", state(k))
		}
		c = must[incidents.Case](t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Customer: law.TheIncident, Certainty: law.Certain, Aware: "2026-11-20T09:00:00Z", Ground: "Somebody mistyped it.", Supersedes: c.Awareness[i].ID}))
		w.clock.Advance(time.Hour)
		later := must[incidents.Case](t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Customer: law.TheIncident, Certainty: law.Certain, Aware: "2026-11-20T09:30:00Z", Ground: "It was up until then.", Supersedes: c.Awareness[len(c.Awareness)-1].ID}))
		w.wantClock(c, "nis2-23-early", "running until 2026-11-21T09:00:00Z") // nobody confirmed it
		must[incidents.Case](t)(w.incidents.ConfirmAssertion(w.asBob(), w.all, c.ID, later.Awareness[len(later.Awareness)-1].ID))
		w.wantClock(c, "nis2-23-early", "running until 2026-11-21T09:30:00Z")
		if n := len(w.register(0)); n != 0 {
			t.Errorf("the register has %d entries, want none: no data is known to be touched", n)
		}
		c = must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.FalseAlarm, Why: "A test of ours."}))
		if c.State != incidents.Open {
			t.Errorf("one person alone took a running clock away: %s", c.State)
		}
		into := w.open(nil, func(in *incidents.NewCase) { in.Certainty = law.Suspected })
		w.impact(into, law.Impact{OutageMinutes: 40})
		must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, c.ID, into.ID, "One outage."))
		w.wantClock(into, "nis2-23-early", "running until 2026-11-21T09:30:00Z")
		for _, e := range w.entries("incident.asserted") {
			if e.Data["customer"] == law.TheIncident {
				t.Error("the ledger calls the incident a customer")
			}
		}
	})
}

// Nobody knows whether it is significant: no case closes over that, until somebody
// answers or decides, and an exercise does.
func TestUnknownNIS2KeepsACaseOpen(t *testing.T) {
	each(t, func(w *world) {
		closing := incidents.Closing{State: incidents.Closed, Why: "Over."}
		refused := func(c incidents.Case, when string) {
			t.Helper()
			if _, err := w.incidents.Close(w.ctx, w.all, c.ID, closing); code(err) != controlplane.CodeConflict || !strings.Contains(err.Error(), "undecided") {
				t.Errorf("%s: got %v, want a conflict", when, err)
			}
		}
		for name, company := range map[string]incidents.Company{"nothing recorded": {Jurisdiction: "EU"}, "size not known": {Jurisdiction: "EU", Entity: law.Entity{Type: law.UnknownType, Services: []law.Service{law.Cloud}}}, "in scope": important} {
			must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, company))
			c := w.open(nil)
			refused(c, name)
			must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Rule: "nis2-23-early", NotDue: true, Reasons: "Nothing was away, and nobody got in."}))
			for _, rule := range []string{"nis2-23-early", "nis2-23-notification", "nis2-23-recipients"} {
				if k := w.clocks(c)[rule]; k.State != incidents.NotDue || !strings.Contains(k.Why, "nobody got in") {
					t.Errorf("%s: %s is %s, %q", name, rule, k.State, k.Why)
				}
			}
			must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, closing))
		}
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, important))
		answered := w.open(nil)
		w.impact(answered, quiet)
		must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, answered.ID, closing))
		drill := w.open(nil, func(in *incidents.NewCase) { in.Drill = true })
		must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, drill.ID, closing))
		// Decided while it was not known: once it is significant, the rest runs.
		c := w.open(nil)
		must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Rule: "nis2-23-early", NotDue: true, Reasons: "Nothing was away."}))
		w.impact(c, law.Impact{OutageMinutes: 31})
		w.wantClock(c, "nis2-23-notification", "running until 2026-11-23T09:00:00Z")
	})
}

// Each question of Article 3 is kept, and asked for where it was not.
func TestImpactIsKept(t *testing.T) {
	each(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, important))
		c := w.open(nil)
		if c.Impact.OutageMinutes != -1 || c.Impact.Harm != law.Unknown || c.Significant.Answer != law.Unknown {
			t.Errorf("nothing known: %+v, %s", c.Impact, c.Significant.Answer)
		}
		in := quiet
		in.TradeSecrets, in.Harm, in.LossEUR = "", law.No, 7
		c = w.impact(c, in)
		in.TradeSecrets = law.Unknown
		if c.Impact != in || c.Significant.Answer != law.Unknown || len(c.Significant.Why) != 1 {
			t.Errorf("got %+v, %+v", c.Impact, c.Significant)
		}
		bad := quiet
		bad.Intrusion = "perhaps"
		if _, err := w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Impact: &bad}); code(err) != controlplane.CodeInvalid {
			t.Errorf("an answer that is none: %v", err)
		}
		secrets := quiet
		secrets.TradeSecrets = law.Yes
		other := w.open(nil)
		w.impact(other, secrets)
		if c = must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, other.ID, c.ID, "One intruder.")); c.Significant.Answer != law.Yes || c.Impact.TradeSecrets != law.Yes {
			t.Errorf("merged: %+v", c.Significant)
		}
	})
}
