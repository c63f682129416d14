package incidents_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// A case does not close over a duty that runs; a false alarm ends all of them.
func TestClose(t *testing.T) {
	each(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		var closed []string
		w.incidents.OnClosed(func(_ *db.Tx, c incidents.Case) error {
			closed = append(closed, string(c.State)+" "+c.ClosedWhy)
			return nil
		})
		c := w.affect(w.open(on(w.shared)), w.maple)
		if _, err := w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}); code(err) != controlplane.CodeConflict {
			t.Errorf("while maple is not told: %v", err)
		}
		for name, in := range map[string]incidents.Closing{"no why": {State: incidents.Closed}, "no state": {Why: "x"}, "merged": {State: incidents.Merged, Why: "x"}} {
			if _, err := w.incidents.Close(w.ctx, w.all, c.ID, in); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.tell(c, w.maple)
		if _, err := w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}); code(err) != controlplane.CodeConflict {
			t.Errorf("while nobody has decided about harbour: %v", err)
		}
		w.clear(c.ID, w.harbour.ID, "Not theirs.")
		c = must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}))
		if c.State != incidents.Closed || !c.ClosedAt.Equal(w.clock.Now()) || c.ClosedWhy != "Over." || !c.NextDue.IsZero() {
			t.Errorf("got %+v", c)
		}
		if _, err := w.incidents.Contain(w.ctx, w.all, c.ID, "", "Too late."); code(err) != controlplane.CodeConflict {
			t.Errorf("a closed case changes: %v", err)
		}
		alarm := w.affect(w.open(on(w.shared)), w.maple)
		alarm = w.falseAlarm(alarm.ID, "A test of ours.")
		w.wantClock(alarm, "gdpr-33-2 maple", "not_due until 2026-11-21T09:00:00Z")
		same(t, "hook", closed, []string{"closed Over.", "false_alarm A test of ours."})
	})
}

// Closed in error, the old clock runs on; new facts start a new one.
func TestReopen(t *testing.T) {
	each(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.affect(w.open(on(w.shared)), w.maple, w.harbour)
		w.tell(c, w.maple)
		w.clock.Advance(20 * time.Hour)
		c = w.falseAlarm(c.ID, "It was a test.")
		w.later(10 * time.Hour)
		same(t, "while it is closed", w.kinds(), nil)
		if _, err := w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Wrongly: true}); code(err) != controlplane.CodeInvalid {
			t.Errorf("without a why: %v", err)
		}
		c = must[incidents.Case](t)(w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Wrongly: true, Why: "It was no test."}))
		w.wantClock(c, "gdpr-33-2 maple", "late until 2026-11-21T09:00:00Z") // what they had was withdrawn
		w.wantClock(c, "gdpr-33-2 harbour", "late until 2026-11-21T09:00:00Z")
		if !c.Late || c.ClosedWhy != "" || !c.ClosedAt.IsZero() {
			t.Errorf("got %+v", c)
		}
		w.run()
		same(t, "alarms come at once", w.kinds(), []string{"incident.late"})
		if _, err := w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Wrongly: true, Why: "again"}); code(err) != controlplane.CodeConflict {
			t.Errorf("an open one: %v", err)
		}

		w.clock.Advance(time.Minute)
		w.tell(c, w.maple)
		w.tell(c, w.harbour)
		must[incidents.Case](t)(w.incidents.Contain(w.ctx, w.all, c.ID, "", "Keys rotated."))
		must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}))
		w.clock.Advance(24 * time.Hour)
		c = must[incidents.Case](t)(w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Aware: "2026-11-22T14:00:00Z", Why: "The files turned up."}))
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-23T14:00:00Z")
		w.wantClock(c, "gdpr-33-2 harbour", "running until 2026-11-23T14:00:00Z")
		if a := of(t, c, w.maple); !a.ToldAt.IsZero() || !c.ContainedAt.IsZero() {
			t.Errorf("what was before: told %v, contained %v", a.ToldAt, c.ContainedAt)
		}
		then, clocks, err := w.incidents.AsKnown(w.ctx, w.all, c.ID, instant(t, "2026-11-21T14:00:00Z"))
		if got := state(w.byRule(clocks)["gdpr-33-2 maple"]); err != nil || got != "met until 2026-11-21T09:00:00Z" || then.State != incidents.FalseAlarm {
			t.Errorf("as it was known before: %q, %s, %v", got, then.State, err)
		}
		w.clock.Advance(time.Hour)
		w.tell(c, w.maple)
		w.wantClock(c, "gdpr-33-2 maple", "met until 2026-11-23T14:00:00Z")
	})
}

func TestContainAndHandled(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(on(w.mapleOne))
		c = must[incidents.Case](t)(w.incidents.Contain(w.ctx, w.all, c.ID, "2026-11-20 08:00", "Access revoked."))
		c = must[incidents.Case](t)(w.incidents.Handled(w.ctx, w.all, c.ID, "", "Rebuilt."))
		if !c.ContainedAt.Equal(instant(t, "2026-11-20T08:00:00Z")) || !c.HandledAt.Equal(w.clock.Now()) {
			t.Errorf("got %v, %v", c.ContainedAt, c.HandledAt)
		}
		if _, err := w.incidents.Contain(w.ctx, w.all, c.ID, "2026-11-21 08:00", "x"); code(err) != controlplane.CodeInvalid {
			t.Errorf("the future: %v", err)
		}
		if _, err := w.incidents.Handled(w.ctx, w.all, c.ID, "", " "); code(err) != controlplane.CodeInvalid {
			t.Errorf("no how: %v", err)
		}
	})
}

// Merged, the earliest awareness of both counts, and what was told was told.
func TestMerge(t *testing.T) {
	each(t, func(w *world) {
		early := w.affect(w.open(on(w.mapleOne)), w.maple)
		w.clock.Advance(5 * time.Hour)
		late := w.affect(w.open(on(w.shared), func(in *incidents.NewCase) { in.OurData = law.Yes }), w.maple, w.harbour)
		w.tell(late, w.harbour)
		w.wantClock(late, "gdpr-33-2 maple", "running until 2026-11-21T14:00:00Z")
		if _, err := w.incidents.Merge(w.ctx, w.all, late.ID, late.ID, "x"); code(err) != controlplane.CodeInvalid {
			t.Errorf("into itself: %v", err)
		}
		drill := w.open(nil, func(in *incidents.NewCase) { in.Drill = true })
		if _, err := w.incidents.Merge(w.ctx, w.all, drill.ID, late.ID, "x"); code(err) != controlplane.CodeConflict {
			t.Errorf("a drill: %v", err)
		}
		c := must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, early.ID, late.ID, "One intruder."))
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T09:00:00Z")
		w.wantClock(c, "gdpr-33-2 harbour", "met until 2026-11-21T14:00:00Z")
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-23T09:00:00Z")
		if len(c.Affected) != 2 || len(c.Servers) != 2 || len(of(t, c, w.maple).Servers) != 2 || !c.DetectedAt.Equal(early.DetectedAt) {
			t.Errorf("got %+v on %v", c.Affected, c.Servers)
		}
		_, clocks, err := w.incidents.AsKnown(w.ctx, w.all, early.ID, instant(t, "2026-11-20T10:00:00Z"))
		if got := state(w.byRule(clocks)["gdpr-33-2 maple"]); err != nil || got != "running until 2026-11-21T09:00:00Z" {
			t.Errorf("as it was known before: %q, %v", got, err)
		}
		was := w.get(early.ID)
		if was.State != incidents.Merged || was.MergedInto != late.ID || len(was.Awareness) != 2 || len(was.Affected) != 1 {
			t.Errorf("the other: %+v", was)
		}
		if len(must[[]incidents.Clock](t)(w.incidents.Clocks(w.ctx, w.all, early.ID))) != 0 {
			t.Error("the other has clocks")
		}
		if _, err := w.incidents.Merge(w.ctx, w.all, early.ID, late.ID, "again"); code(err) != controlplane.CodeConflict {
			t.Errorf("again: %v", err)
		}
		if _, err := w.incidents.Reopen(w.ctx, w.all, early.ID, incidents.Reopening{Why: "x"}); code(err) != controlplane.CodeConflict {
			t.Errorf("reopened: %v", err)
		}
	})
}

// Split off, their clocks run on in a case of their own.
func TestSplit(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.shared, w.mapleOne)), w.maple, w.harbour)
		w.tell(c, w.maple)
		w.clock.Advance(3 * time.Hour)
		made := must[incidents.Case](t)(w.incidents.Split(w.ctx, w.all, c.ID, incidents.SplitOff{Title: "Only maple", Customers: []string{w.maple.ID}, Servers: []string{w.mapleOne.ID}, Why: "Another door."}))
		if made.ID == c.ID || made.Title != "Only maple" || made.Number != "2026-2" || len(made.Affected) != 1 || len(made.Servers) != 1 || made.State != incidents.Open {
			t.Fatalf("got %+v", made)
		}
		w.wantClock(made, "gdpr-33-2 maple", "met until 2026-11-21T09:00:00Z")
		rest := w.get(c.ID)
		if len(rest.Affected) != 1 || rest.Affected[0].Customer != w.harbour.ID || len(rest.Servers) != 1 {
			t.Errorf("the rest: %+v on %v", rest.Affected, rest.Servers)
		}
		w.wantClock(rest, "gdpr-33-2 harbour", "running until 2026-11-21T09:00:00Z")
		must[incidents.Case](t)(w.incidents.Split(w.ctx, w.all, c.ID, incidents.SplitOff{Title: "Harbour", Servers: []string{w.shared.ID}, Why: "Its own."}))
		if n := len(w.get(c.ID).Affected); n != 0 {
			t.Errorf("servers take their tenants along: %d left", n)
		}
		_, clocks, err := w.incidents.AsKnown(w.ctx, w.all, c.ID, instant(t, "2026-11-20T10:00:00Z"))
		if got := state(w.byRule(clocks)["gdpr-33-2 maple"]); err != nil || got != "met until 2026-11-21T09:00:00Z" {
			t.Errorf("as it was known before: %q, %v", got, err)
		}
		for name, in := range map[string]incidents.SplitOff{"nothing": {Title: "x", Why: "x"}, "no title": {Customers: []string{w.maple.ID}, Why: "x"},
			"somebody else": {Title: "x", Why: "x", Customers: []string{w.maple.ID}}, "another server": {Title: "x", Why: "x", Servers: []string{w.harbourOne.ID}}} {
			if _, err := w.incidents.Split(w.ctx, w.all, c.ID, in); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// New facts and then a merge: what came with the other case counts though it was
// said before.
func TestMergeIntoAReopenedCase(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		into := w.affect(w.open(on(w.shared)), w.maple)
		w.tell(into, w.maple)
		other := w.affect(w.open(on(w.mapleOne), func(in *incidents.NewCase) { in.Certainty = law.Suspected }), w.maple)
		w.clock.Advance(time.Hour)
		w.clear(into.ID, w.harbour.ID, "Not theirs.")
		must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, into.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}))
		into = must[incidents.Case](t)(w.incidents.Reopen(w.ctx, w.all, into.ID, incidents.Reopening{Why: "More files."}))
		w.wantClock(into, "gdpr-33-2 maple", "running until 2026-11-21T10:00:00Z")
		into = must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, other.ID, into.ID, "The same."))
		w.wantClock(into, "gdpr-33-2 maple", "running until 2026-11-21T09:00:00Z")
	})
}
