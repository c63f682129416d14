package incidents_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// asked is what waits for a second person in a case; there is one such thing.
func (w *world) asked(c incidents.Case) incidents.Asked {
	w.t.Helper()
	var open []incidents.Asked
	for _, a := range c.Asked {
		if a.State == incidents.AskOpen {
			open = append(open, a)
		}
	}
	if len(open) != 1 {
		w.t.Fatalf("what waits: %+v", c.Asked)
	}
	return open[0]
}

// alarm says as Ada that a case was a false alarm.
func (w *world) alarm(c incidents.Case) incidents.Case {
	w.t.Helper()
	return must[incidents.Case](w.t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.FalseAlarm, Why: "It was a test of ours."}))
}

// A false alarm takes clocks away that somebody's certainty began: the case goes on,
// late too, until another person confirms it.
func TestFalseAlarmNeedsASecond(t *testing.T) {
	each(t, func(w *world) {
		c := w.alarm(w.affect(w.open(on(w.mapleOne)), w.maple))
		if c.State != incidents.Open || c.ClosedWhy != "" || c.NextDue.IsZero() {
			t.Fatalf("got %s, %q, next due %v", c.State, c.ClosedWhy, c.NextDue)
		}
		a := w.asked(c)
		if a.Act != incidents.AskFalseAlarm || a.By != w.ada.ID || a.Why != "It was a test of ours." || !a.At.Equal(w.clock.Now()) {
			t.Errorf("got %+v", a)
		}
		same(t, "asked for", w.kinds(), []string{"incident.second"})
		title, cause, _ := findings.Sentence("en", w.found()[0])
		if title != "Ada Admin says that case 2026-1 was a false alarm: another person has to confirm it" || !strings.Contains(cause, "clocks run on") {
			t.Errorf("it reads %q, %q", title, cause)
		}
		same(t, "mail", w.post.to(), []string{"incident.confirm bob@ostler.example", "incident.confirm cleo@ostler.example"})
		if _, err := w.incidents.ConfirmAsked(w.ctx, w.all, c.ID, a.ID); code(err) != controlplane.CodeForbidden {
			t.Errorf("its author: %v", err)
		}
		if _, err := w.incidents.Close(w.asBob(), w.all, c.ID, incidents.Closing{State: incidents.FalseAlarm, Why: "So do I."}); code(err) != controlplane.CodeConflict {
			t.Errorf("said again: %v", err)
		}
		w.later(24*time.Hour + time.Millisecond)
		w.wantClock(c, "gdpr-33-2 maple", "late until 2026-11-21T09:00:00Z")
		same(t, "late all the same", w.kinds(), []string{"incident.late", "incident.second"})

		c = must[incidents.Case](t)(w.incidents.ConfirmAsked(w.asBob(), w.all, c.ID, a.ID))
		if c.State != incidents.FalseAlarm || c.ClosedWhy != "It was a test of ours." || !c.ClosedAt.Equal(w.clock.Now()) {
			t.Errorf("got %s, %q at %v", c.State, c.ClosedWhy, c.ClosedAt)
		}
		if got := c.Asked[0]; got.State != incidents.AskConfirmed || got.SettledBy != w.bob.ID || !got.SettledAt.Equal(w.clock.Now()) || got.AloneWhy != "" {
			t.Errorf("got %+v", got)
		}
		same(t, "ended", w.kinds(), nil)
		if _, err := w.incidents.ConfirmAsked(w.asBob(), w.all, c.ID, a.ID); code(err) != controlplane.CodeConflict {
			t.Errorf("again: %v", err)
		}
		if n := len(w.entries("incident.asked")); n != 2 {
			t.Errorf("entries: %d", n)
		}
	})
}

// Withdrawn by its author or refused by another, nothing has happened; whatever else
// ends the case ends the question.
func TestAskedOtherwise(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		for _, x := range []struct {
			by   string
			want incidents.AskedState
		}{{w.ada.ID, incidents.AskWithdrawn}, {w.bob.ID, incidents.AskDeclined}} {
			a := w.asked(w.alarm(c))
			ctx := w.ctx
			if x.by == w.bob.ID {
				ctx = w.asBob()
			}
			c = must[incidents.Case](t)(w.incidents.WithdrawAsked(ctx, w.all, c.ID, a.ID))
			if got := c.Asked[len(c.Asked)-1]; got.State != x.want || got.SettledBy != x.by || c.State != incidents.Open {
				t.Errorf("got %+v in a case that is %s", got, c.State)
			}
			same(t, "nobody is asked", w.kinds(), nil)
		}
		other := w.affect(w.open(on(w.harbourOne)), w.harbour)
		if _, err := w.incidents.ConfirmAsked(w.asBob(), w.all, other.ID, w.asked(w.alarm(c)).ID); code(err) != controlplane.CodeNotFound {
			t.Errorf("of another case: %v", err)
		}
		must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, c.ID, other.ID, "One intruder."))
		if a := w.get(c.ID).Asked; a[len(a)-1].State != incidents.AskMoot || len(w.kinds()) != 0 {
			t.Errorf("after the merge: %+v, %v", a, w.kinds())
		}
		a := w.asked(must[incidents.Case](t)(w.incidents.Clear(w.ctx, w.all, other.ID, w.harbour.ID, "Not theirs.")))
		split := must[incidents.Case](t)(w.incidents.Split(w.ctx, w.all, other.ID, incidents.SplitOff{Title: "Theirs", Customers: []string{w.harbour.ID}, Why: "Another door."}))
		if _, err := w.incidents.ConfirmAsked(w.asBob(), w.all, other.ID, a.ID); code(err) != controlplane.CodeConflict || of(t, split, w.harbour).State != incidents.Certain {
			t.Errorf("of who was split off: %v", err)
		}
		same(t, "in the end", w.kinds(), nil)
	})
}

// To clear a customer who is held certain is to take a clock away.
func TestClearNeedsASecond(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.shared)), w.maple)
		c = must[incidents.Case](t)(w.incidents.Clear(w.ctx, w.all, c.ID, w.harbour.ID, "Their folder was not read."))
		if of(t, c, w.harbour).State != incidents.Cleared || len(c.Asked) != 0 {
			t.Errorf("a possible one takes one person: %+v", c.Asked)
		}
		c = must[incidents.Case](t)(w.incidents.Clear(w.ctx, w.all, c.ID, w.maple.ID, "Nor was theirs."))
		a := w.asked(c)
		if of(t, c, w.maple).State != incidents.Certain || a.Customer != w.maple.ID || a.Act != incidents.AskClear {
			t.Errorf("got %+v, %+v", a, of(t, c, w.maple))
		}
		if title, _, _ := findings.Sentence("en", w.found()[0]); !strings.Contains(title, "does not concern Maple Bakery") {
			t.Errorf("it reads %q", title)
		}
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T09:00:00Z")
		c = must[incidents.Case](t)(w.incidents.ConfirmAsked(w.asBob(), w.all, c.ID, a.ID))
		if got := of(t, c, w.maple); got.State != incidents.Cleared || got.ClearedWhy != "Nor was theirs." {
			t.Errorf("got %+v", got)
		}
		w.wantClock(c, "gdpr-33-2 maple", "not_due until 2026-11-21T09:00:00Z")
	})
}

// Where nobody else may confirm it, it counts at once, and says so.
// That our own data are touched is not taken back by one person's box.
func TestOurDataNeedsASecond(t *testing.T) {
	no, unknown := law.No, law.Unknown
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.open(nil, ours)
		if _, err := w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{OurData: &unknown}); code(err) != controlplane.CodeInvalid {
			t.Errorf("not known after all: got %v, want invalid", err)
		}
		title := "The payroll"
		c = must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{OurData: &no, Title: &title}))
		a := w.asked(c)
		if a.Act != incidents.AskNotOurs || a.State != incidents.AskOpen || c.OurData != law.Yes || c.Title != title {
			t.Errorf("got %+v, %s, %q", a, c.OurData, c.Title)
		}
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-23T09:00:00Z")
		if _, err := w.incidents.ConfirmAsked(w.ctx, w.all, c.ID, a.ID); code(err) != controlplane.CodeForbidden {
			t.Errorf("alone: got %v, want forbidden", err)
		}
		w.clock.Advance(time.Hour)
		before := w.clock.Now()
		w.clock.Advance(time.Hour)
		c = must[incidents.Case](t)(w.incidents.ConfirmAsked(w.asBob(), w.all, c.ID, a.ID))
		if c.State != incidents.Open || c.OurData != law.No {
			t.Errorf("confirmed: %s, %s", c.State, c.OurData)
		}
		w.wantClock(c, "gdpr-33-1", "not_due until 2026-11-23T09:00:00Z")
		if got, want := state(w.asOf(c, before)["gdpr-33-1"]), "running until 2026-11-23T09:00:00Z"; got != want {
			t.Errorf("as known before: got %q, want %q", got, want)
		}
	})
	lite(t, func(w *world) { // what was asked of a case says nothing of one that comes into it
		into, from := w.open(nil, ours), w.open(nil, ours)
		into = must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, into.ID, 0, incidents.CaseChange{OurData: &no}))
		into = must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, from.ID, into.ID, "One."))
		if got := into.Asked[0].State; got != incidents.AskMoot || into.OurData != law.Yes {
			t.Errorf("got %s, %s", got, into.OurData)
		}
	})
}

func TestAlone(t *testing.T) {
	each(t, func(w *world) {
		gone := true
		for _, p := range []identity.Person{w.bob, w.cleo} {
			must[identity.Person](t)(w.identity.UpdateStaff(w.ctx, w.all, p.ID, identity.StaffChange{Disabled: &gone}))
		}
		c := w.alarm(w.affect(w.open(on(w.mapleOne)), w.maple))
		if c.State != incidents.FalseAlarm || len(c.Asked) != 1 || c.Asked[0].State != incidents.AskConfirmed || c.Asked[0].AloneWhy == "" || c.Asked[0].SettledBy != "" {
			t.Errorf("got %s, %+v", c.State, c.Asked)
		}
		if e := w.entries("incident.asked"); len(e) != 1 || e[0].Data["alone"] == nil {
			t.Errorf("entries: %+v", e)
		}
		same(t, "findings", w.kinds(), nil)
	})
}

// A suspicion alone ends with one person, and an exercise asks as the real thing does.
func TestSecondWhere(t *testing.T) {
	lite(t, func(w *world) {
		if c := w.alarm(w.open(on(w.mapleOne), func(in *incidents.NewCase) { in.Certainty = law.Suspected })); c.State != incidents.FalseAlarm || len(c.Asked) != 0 {
			t.Errorf("a suspicion: %s, %+v", c.State, c.Asked)
		}
		c := w.alarm(w.open(on(w.mapleOne), func(in *incidents.NewCase) { in.Drill = true }))
		if a := w.asked(c); len(w.post.to()) != 0 || a.State != incidents.AskOpen {
			t.Errorf("an exercise: %+v, mail %v", a, w.post.to())
		}
	})
}

// What customers say that they knew brings their own deadline forward, never ours.
func TestTheyKnew(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.shared)), w.maple, w.harbour)
		c = must[incidents.Case](t)(w.incidents.TheyKnew(w.ctx, w.all, c.ID, w.maple.ID, "2026-11-20T07:00:00Z"))
		if got := of(t, c, w.maple); !got.TheirDue.Equal(instant(t, "2026-11-23T07:00:00Z")) || got.TheyKnewBy != w.ada.ID || got.State != incidents.Certain {
			t.Errorf("got %+v", got)
		}
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T09:00:00Z")
		w.clock.Advance(time.Hour)
		w.tell(c, w.maple)
		w.tell(c, w.harbour)
		first := w.clock.Now()
		c = w.get(c.ID)
		if got := of(t, c, w.maple); !got.TheirDue.Equal(instant(t, "2026-11-23T07:00:00Z")) {
			t.Errorf("told later: %v", got.TheirDue)
		}
		if got := of(t, c, w.harbour); !got.TheirDue.Equal(instant(t, "2026-11-23T10:00:00Z")) || !got.TheyKnewAt.IsZero() {
			t.Errorf("by our delivery: %+v", got)
		}
		w.clock.Advance(time.Hour)
		c = must[incidents.Case](t)(w.incidents.TheyKnew(w.asBob(), w.all, c.ID, w.maple.ID, "2026-11-20T10:30:00Z"))
		if got := of(t, c, w.maple); !got.TheirDue.Equal(instant(t, "2026-11-23T10:00:00Z")) || got.TheyKnewBy != w.bob.ID {
			t.Errorf("corrected: %+v", got)
		}
		then, _, err := w.incidents.AsKnown(w.ctx, w.all, c.ID, first)
		if got := of(t, then, w.maple); err != nil || !got.TheyKnewAt.Equal(instant(t, "2026-11-20T07:00:00Z")) {
			t.Errorf("as it was known: %+v, %v", got, err)
		}
		for _, since := range []incidents.At{"", "2199-01-01T00:00:00Z"} {
			if _, err := w.incidents.TheyKnew(w.ctx, w.all, c.ID, w.maple.ID, since); code(err) != controlplane.CodeInvalid {
				t.Errorf("since %q: %v", since, err)
			}
		}
		if _, err := w.incidents.TheyKnew(w.ctx, w.all, w.open(nil).ID, w.maple.ID, "2026-11-20T07:00:00Z"); code(err) != controlplane.CodeNotFound {
			t.Errorf("who is not in it: %v", err)
		}
	})
}
