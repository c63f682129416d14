package incidents_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// latest is the assertion that was recorded last.
func latest(c incidents.Case) law.Assertion { return c.Awareness[len(c.Awareness)-1] }

// Awareness that is corrected twice: earlier counts at once, later needs another
// person, and what was known before can be read.
func TestAwarenessCorrectedTwice(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(nil, func(in *incidents.NewCase) { in.OurData = law.Yes })
		first := latest(c)
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-23T09:00:00Z")

		w.clock.Advance(time.Hour)
		c = must[incidents.Case](t)(w.incidents.Assert(w.asBob(), w.all, c.ID, incidents.NewAssertion{Certainty: law.Certain, Aware: "2026-11-20T06:00:00Z", Ground: "Cleo saw it at six.", Supersedes: first.ID}))
		second := latest(c)
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-23T06:00:00Z")

		w.clock.Advance(time.Hour)
		c = must[incidents.Case](t)(w.incidents.Assert(w.asBob(), w.all, c.ID, incidents.NewAssertion{Certainty: law.Certain, Aware: "2026-11-20T08:00:00Z", Ground: "It was eight, by the log.", Supersedes: second.ID}))
		third := latest(c)
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-23T06:00:00Z") // nobody confirmed it

		if _, err := w.incidents.ConfirmAssertion(w.asBob(), w.all, c.ID, third.ID); code(err) != controlplane.CodeForbidden {
			t.Errorf("whoever made it confirms it: %v", err)
		}
		if _, err := w.incidents.ConfirmAssertion(w.ctx, w.all, c.ID, second.ID); code(err) != controlplane.CodeConflict {
			t.Errorf("one that counts: %v", err)
		}
		w.clock.Advance(time.Hour)
		c = must[incidents.Case](t)(w.incidents.ConfirmAssertion(w.ctx, w.all, c.ID, third.ID))
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-23T08:00:00Z")
		if got := latest(c); got.ConfirmedBy != w.ada.ID || !got.ConfirmedAt.Equal(w.clock.Now()) {
			t.Errorf("confirmed: %+v", got)
		}
		if _, err := w.incidents.ConfirmAssertion(w.ctx, w.all, c.ID, third.ID); code(err) != controlplane.CodeConflict {
			t.Errorf("again: %v", err)
		}

		for at, want := range map[string]string{
			"2026-11-20T09:30:00Z": "running until 2026-11-23T09:00:00Z", "2026-11-20T10:00:00Z": "running until 2026-11-23T06:00:00Z",
			"2026-11-20T11:59:59Z": "running until 2026-11-23T06:00:00Z", "2026-11-20T12:00:00Z": "running until 2026-11-23T08:00:00Z",
		} {
			then, clocks, err := w.incidents.AsKnown(w.ctx, w.all, c.ID, instant(t, at))
			if err != nil {
				t.Fatal(err)
			}
			if got := state(w.byRule(clocks)["gdpr-33-1"]); got != want {
				t.Errorf("as known at %s: got %q, want %q", at, got, want)
			}
			for _, a := range then.Awareness {
				if a.RecordedAt.After(instant(t, at)) || a.ConfirmedAt.After(instant(t, at)) {
					t.Errorf("as known at %s: %+v", at, a)
				}
			}
		}
		if _, _, err := w.incidents.AsKnown(w.ctx, w.all, c.ID, instant(t, "2026-11-20T08:59:59Z")); code(err) != controlplane.CodeNotFound {
			t.Errorf("before it was opened: %v", err)
		}
		if _, _, err := w.incidents.AsKnown(w.ctx, w.all, c.ID, instant(t, "2026-11-21T08:59:59Z")); code(err) != controlplane.CodeInvalid {
			t.Errorf("the future: %v", err)
		}
		kinds := []string{}
		for _, e := range w.entries("incident.") {
			if e.Subject == c.ID {
				kinds = append(kinds, e.Kind)
			}
		}
		same(t, "ledger", kinds, []string{"incident.opened", "incident.asserted", "incident.corrected", "incident.corrected", "incident.corrected"})
	})
}

// What is known of a case at an instant is what was written in it then.
func TestAsKnown(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(on(w.shared), func(in *incidents.NewCase) { in.Certainty = law.Suspected })
		w.clock.Advance(time.Hour)
		w.affect(c, w.maple)
		w.clock.Advance(time.Hour)
		w.tell(c, w.maple)
		w.clear(c.ID, w.harbour.ID, "Not theirs.")
		title := "It was a leak"
		must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Title: &title}))
		for _, x := range []struct{ at, title, maple, harbour, clock string }{
			{"2026-11-20T09:30:00Z", "I think we were hacked", "possible", "possible", "shadow running until 2026-11-21T09:00:00Z"},
			{"2026-11-20T10:30:00Z", "I think we were hacked", "affected", "possible", "running until 2026-11-21T10:00:00Z"},
			{"2026-11-20T11:00:00Z", "It was a leak", "affected", "cleared", "met until 2026-11-21T10:00:00Z"},
		} {
			then, clocks, err := w.incidents.AsKnown(w.ctx, w.all, c.Number, instant(t, x.at))
			if err != nil {
				t.Fatal(err)
			}
			got := []string{then.Title, string(of(t, then, w.maple).State), string(of(t, then, w.harbour).State), state(w.byRule(clocks)["gdpr-33-2 maple"])}
			same(t, x.at, got, []string{x.title, x.maple, x.harbour, x.clock})
		}
	})
}

func TestAssertRefuses(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(on(w.mapleOne))
		for name, x := range map[string]struct {
			in      incidents.NewAssertion
			pointer string
		}{
			"no certainty":     {incidents.NewAssertion{Ground: "x"}, "/certainty"},
			"no ground":        {incidents.NewAssertion{Certainty: law.Certain}, "/ground"},
			"the future":       {incidents.NewAssertion{Certainty: law.Certain, Ground: "x", Aware: "2026-11-20 10:00"}, "/aware"},
			"who is not in it": {incidents.NewAssertion{Certainty: law.Certain, Ground: "x", Customer: w.harbour.ID}, "/customer"},
			"nothing":          {incidents.NewAssertion{Certainty: law.Certain, Ground: "x", Supersedes: "asr_x"}, "/supersedes"},
			"another's":        {incidents.NewAssertion{Certainty: law.Certain, Ground: "x", Supersedes: c.Awareness[0].ID, Customer: w.maple.ID}, "/supersedes"},
		} {
			_, err := w.incidents.Assert(w.ctx, w.all, c.ID, x.in)
			var e *controlplane.Error
			if !asError(err, &e) || e.Code != controlplane.CodeInvalid || e.Fields[0].Pointer != x.pointer {
				t.Errorf("%s: got %v", name, err)
			}
		}
		// A word about one customer makes them certain.
		c = must[incidents.Case](t)(w.incidents.Assert(w.ctx, w.all, c.ID, incidents.NewAssertion{Certainty: law.Certain, Ground: "Their files are out.", Customer: w.maple.ID, Aware: "2026-11-20 08:00"}))
		if a := of(t, c, w.maple); a.State != incidents.Certain || !a.KnownAt.Equal(instant(t, "2026-11-20T08:00:00Z")) {
			t.Errorf("got %+v", a)
		}
	})
}

// From certain back to suspected takes a second person, too: until then it is due.
func TestCertaintyIsNotTakenBackAlone(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		c = must[incidents.Case](t)(w.incidents.Assert(w.asBob(), w.all, c.ID, incidents.NewAssertion{Certainty: law.Suspected, Ground: "It may be another's file.", Customer: w.maple.ID, Supersedes: latest(c).ID}))
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T09:00:00Z")
		c = must[incidents.Case](t)(w.incidents.ConfirmAssertion(w.ctx, w.all, c.ID, latest(c).ID))
		w.wantClock(c, "gdpr-33-2 maple", "shadow running until 2026-11-21T09:00:00Z")
	})
}
