package incidents_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

func TestRiskOf(t *testing.T) {
	want := map[incidents.Level][3]incidents.Level{
		incidents.Low:    {incidents.Low, incidents.Low, incidents.Medium},
		incidents.Medium: {incidents.Low, incidents.Medium, incidents.High},
		incidents.High:   {incidents.Medium, incidents.High, incidents.High},
	}
	for likelihood, row := range want {
		for i, severity := range incidents.Levels() {
			if got := incidents.RiskOf(likelihood, severity); got != row[i] {
				t.Errorf("%s × %s: got %s, want %s", likelihood, severity, got, row[i])
			}
		}
	}
	if got := incidents.RiskOf("", incidents.High); got != "" {
		t.Errorf("not known: got %q", got)
	}
}

func TestDecide(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		ours := w.open(nil, func(in *incidents.NewCase) { in.OurData = law.Yes })
		theirs := w.open([]customers.Server{w.mapleOne})
		const l, m, h = incidents.Low, incidents.Medium, incidents.High
		for _, tt := range []struct {
			name string
			c    incidents.Case
			in   incidents.NewDecision
			want controlplane.Code
			risk incidents.Level
		}{
			{"no reasons", theirs, incidents.NewDecision{Likelihood: l, Severity: l}, controlplane.CodeInvalid, ""},
			{"no level", theirs, incidents.NewDecision{Likelihood: "huge", Severity: l, Reasons: "x"}, controlplane.CodeInvalid, ""},
			{"too long", theirs, incidents.NewDecision{Likelihood: l, Severity: l, Reasons: longest(4001)}, controlplane.CodeInvalid, ""},
			{"low, the longest reasons", theirs, incidents.NewDecision{Likelihood: l, Severity: l, Reasons: longest(4000)}, "", l},
			{"high, not ours to tell", theirs, incidents.NewDecision{Likelihood: h, Severity: h, Reasons: hostile}, "", h},
			{"medium, ours, not told", ours, incidents.NewDecision{Likelihood: m, Severity: m, Reasons: "x"}, controlplane.CodeInvalid, ""},
			{"medium, ours, told", ours, incidents.NewDecision{Likelihood: m, Severity: m, Authority: true, Reasons: "x"}, "", m},
			{"high, ours, people not told", ours, incidents.NewDecision{Likelihood: h, Severity: h, Authority: true, Reasons: "x"}, controlplane.CodeInvalid, ""},
			{"high, ours, exempt", ours, incidents.NewDecision{Likelihood: h, Severity: h, Authority: true, Exemption: incidents.Unintelligible, Reasons: "The key is safe."}, "", h},
			{"exempt and told", ours, incidents.NewDecision{Likelihood: h, Severity: h, Authority: true, People: true, Exemption: incidents.Effort, Reasons: "x"}, controlplane.CodeInvalid, ""},
			{"exempt of a low risk", theirs, incidents.NewDecision{Likelihood: l, Severity: l, Exemption: incidents.Effort, Reasons: "x"}, controlplane.CodeInvalid, ""},
			{"no such exemption", theirs, incidents.NewDecision{Likelihood: h, Severity: h, Exemption: "tired", Reasons: "x"}, controlplane.CodeInvalid, ""},
			{"one duty", theirs, incidents.NewDecision{Rule: "nis2-23-early", NotDue: true, Reasons: "No service that it names."}, "", ""},
			{"no such duty", theirs, incidents.NewDecision{Rule: "nis3", NotDue: true, Reasons: "x"}, controlplane.CodeInvalid, ""},
			{"customers are always told", theirs, incidents.NewDecision{Rule: "gdpr-33-2", NotDue: true, Reasons: "x"}, controlplane.CodeInvalid, ""},
			{"a duty and a risk", theirs, incidents.NewDecision{Rule: "nis2-23-early", NotDue: true, Likelihood: l, Reasons: "x"}, controlplane.CodeInvalid, ""},
			{"not due without a duty", theirs, incidents.NewDecision{Likelihood: l, Severity: l, NotDue: true, Reasons: "x"}, controlplane.CodeInvalid, ""},
		} {
			got, err := w.incidents.Decide(w.ctx, w.all, tt.c.ID, tt.in)
			if code(err) != tt.want || got.Risk != tt.risk {
				t.Errorf("%s: got %q, %v; want %q, %q", tt.name, got.Risk, err, tt.risk, tt.want)
			}
		}
		if got := w.get(theirs.ID).Decisions; len(got) != 3 || got[1].Reasons != hostile || got[2].Rule != "nis2-23-early" {
			t.Errorf("kept: got %+v", got)
		}
		if got := len(w.entries("incident.decided")); got != 5 {
			t.Errorf("ledger: got %d entries, want 5", got)
		}
	})
}

// A decision is looked at again when somebody becomes certain of more, and when
// more is known of the impact; a later decision settles that.
func TestDecisionsAreLookedAtAgain(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open([]customers.Server{w.mapleOne, w.harbourOne})
		low := incidents.NewDecision{Likelihood: incidents.Low, Severity: incidents.Low, Reasons: "Nothing personal."}
		decide := func() { must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, low)) }
		again := func(when string, want bool) {
			t.Helper()
			list := w.get(c.ID).Decisions
			if got := list[len(list)-1].Again; (got != "") != want {
				t.Errorf("%s: got %q", when, got)
			}
		}
		w.clock.Advance(time.Minute)
		decide()
		again("at once", false)
		w.clock.Advance(time.Minute)
		w.affect(c, w.maple)
		again("a customer is certain", true)
		w.clock.Advance(time.Minute)
		decide()
		again("decided anew", false)
		w.clock.Advance(time.Minute)
		impact := law.Impact{OutageMinutes: 45}
		must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, w.get(c.ID).Version, incidents.CaseChange{Impact: &impact}))
		again("the impact", true)
		title := "Another title"
		w.clock.Advance(time.Minute)
		decide()
		w.clock.Advance(time.Minute)
		must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, w.get(c.ID).Version, incidents.CaseChange{Title: &title}))
		again("the title", false)
	})
}
