package incidents_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/findings"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// The tenants of a server in a case that is certain are possibly affected: what would
// be due were they has alarms, and stands in the case and in the list.
func TestShadowsHaveAlarms(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(on(w.shared))
		if !c.NextDue.IsZero() || !c.ShadowDue.Equal(instant(t, "2026-11-21T09:00:00Z")) {
			t.Errorf("next %v, shadow %v", c.NextDue, c.ShadowDue)
		}
		items, _, err := w.incidents.List(w.ctx, w.all, incidents.CaseFilter{})
		if err != nil || len(items) != 1 || !items[0].ShadowDue.Equal(c.ShadowDue) || items[0].Late {
			t.Errorf("in the list: %+v, %v", items, err)
		}
		w.later(12 * time.Hour)
		same(t, "at half", w.alarmed(), []string{"shadow:gdpr-33-2 half"})
		if f := w.found()[0]; f.Kind != findings.IncidentDue || f.Severity != findings.Warn {
			t.Errorf("got %+v", f)
		}
		title, cause, _ := findings.Sentence("en", w.found()[0])
		if title != "Case 2026-1: Tell the customer, as their processor (2 customers) within 12 hours, if they are affected" || !strings.Contains(cause, "a shadow") {
			t.Errorf("it reads %q, %q", title, cause)
		}
		w.affect(c, w.maple) // theirs is none any more; harbour's is
		w.later(6 * time.Hour)
		w.later(5 * time.Hour)
		same(t, "each once", w.alarmed(), []string{"shadow:gdpr-33-2 half", "shadow:gdpr-33-2 quarter", "shadow:gdpr-33-2 hour"})
		w.later(time.Hour + time.Millisecond)
		found := w.found()
		if len(found) == 0 || found[0].Kind == findings.IncidentLate || w.get(c.ID).Late {
			t.Errorf("a shadow is never late: %+v", found)
		}
		titles := ""
		for _, f := range found {
			title, _, _ := findings.Sentence("en", f)
			titles += title + "; "
		}
		if !strings.Contains(titles, "(1 customer) would be late by less than a minute, if they are affected") {
			t.Errorf("they read %q", titles)
		}
		w.clear(c.ID, w.harbour.ID, "Not theirs.")
		for _, f := range w.found() {
			if f.Args["shadow"] != "" {
				t.Errorf("cleared, and still %+v", f)
			}
		}
		if got := w.get(c.ID); !got.ShadowDue.IsZero() {
			t.Errorf("still due were it certain: %v", got.ShadowDue)
		}
	})
}

// A case that is but suspected rings once, for its decision; its list says what would
// be due.
func TestASuspicionHasOneAlarm(t *testing.T) {
	lite(t, func(w *world) {
		c := w.open(on(w.shared), func(in *incidents.NewCase) { in.Certainty, in.OurData = law.Suspected, law.Unknown })
		w.later(23 * time.Hour)
		same(t, "findings", w.kinds(), nil)
		if got := w.get(c.ID); got.ShadowDue.IsZero() {
			t.Error("nothing would be due")
		}
	})
}

// Nobody said whether our own data are touched: unknown, and never "not due".
func TestOurDataUnsaid(t *testing.T) {
	each(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.open(nil, func(in *incidents.NewCase) { in.OurData = "" })
		if c.OurData != law.Unknown || !c.NextDue.IsZero() || !c.ShadowDue.Equal(instant(t, "2026-11-23T09:00:00Z")) {
			t.Errorf("got %q, next %v, shadow %v", c.OurData, c.NextDue, c.ShadowDue)
		}
		w.wantClock(c, "gdpr-33-1", "shadow unknown until 2026-11-23T09:00:00Z")
		if k := w.clocks(c)["gdpr-33-1"]; k.Why != "Nobody has said whether our own data (staff, billing) are touched." {
			t.Errorf("why: %q", k.Why)
		}
		w.wantClock(c, "gdpr-34", "shadow unknown")
		w.later(36 * time.Hour)
		same(t, "at half", w.alarmed(), []string{"shadow:gdpr-33-1 half"})
		if title, _, _ := findings.Sentence("en", w.found()[0]); !strings.Contains(title, "if our own data are touched") {
			t.Errorf("it reads %q", title)
		}
		_, err := w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."})
		if code(err) != controlplane.CodeConflict || !strings.Contains(err.Error(), "Nobody has said") {
			t.Errorf("closed: %v", err)
		}
		w.ticked(c, false)
		same(t, "answered", w.kinds(), nil)
		w.wantClock(c, "gdpr-33-1", "not_due until 2026-11-23T09:00:00Z")
		if c = must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."})); c.State != incidents.Closed {
			t.Errorf("got %s", c.State)
		}
	})
	lite(t, func(w *world) {
		for _, x := range []struct{ whole, want law.Answer }{{law.Yes, law.Unknown}, {law.No, law.No}, {law.Unknown, law.Unknown}} {
			c := w.open(on(w.shared, w.mapleOne), func(in *incidents.NewCase) { in.OurData = x.whole })
			part := must[incidents.Case](t)(w.incidents.Split(w.ctx, w.all, c.ID, incidents.SplitOff{Title: "x", Servers: []string{w.mapleOne.ID}, Why: "x"}))
			if part.OurData != x.want || w.get(c.ID).OurData != x.whole {
				t.Errorf("a part of %s: got %s", x.whole, part.OurData)
			}
		}
		for _, x := range []struct{ a, b, want law.Answer }{{law.Yes, law.No, law.Yes}, {law.No, law.Unknown, law.Unknown}, {law.No, law.No, law.No}, {law.Unknown, law.Yes, law.Yes}} {
			a, b := w.open(nil, func(in *incidents.NewCase) { in.OurData = x.a }), w.open(nil, func(in *incidents.NewCase) { in.OurData = x.b })
			if got := must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, a.ID, b.ID, "One.")); got.OurData != x.want {
				t.Errorf("%s and %s: got %s", x.a, x.b, got.OurData)
			}
		}
		if _, err := w.incidents.Open(w.ctx, w.all, incidents.NewCase{Title: "x", OurData: "perhaps"}); code(err) != controlplane.CodeInvalid {
			t.Errorf("another answer: %v", err)
		}
	})
}
