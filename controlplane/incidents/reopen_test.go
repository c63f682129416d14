package incidents_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// reopened opens a case again on new facts that are known now.
func (w *world) reopened(c incidents.Case) incidents.Case {
	w.t.Helper()
	return must[incidents.Case](w.t)(w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Why: "The files turned up."}))
}

// New facts start a new clock; what was overdue before does not vanish by them.
func TestReopenKeepsWhatWasNotMet(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.shared)), w.maple, w.harbour)
		w.tell(c, w.maple)
		w.clock.Advance(30 * time.Hour)
		c = w.falseAlarm(c.ID, "It was a test of ours.")
		w.told(c, w.maple.ID, incidents.ToCustomer, incidents.Withdrawal, "gdpr", w.clock.Now())
		w.clock.Advance(10 * time.Hour)
		for _, at := range []incidents.At{"2026-11-21T14:59:00Z", "2026-11-20T09:00:00Z"} {
			_, err := w.incidents.Reopen(w.ctx, w.all, c.ID, incidents.Reopening{Aware: at, Why: "More."})
			var e *controlplane.Error
			if !asError(err, &e) || e.Code != controlplane.CodeInvalid || !strings.Contains(e.Fields[0].Message, "closed wrongly") {
				t.Errorf("known at %s, before it was closed: %v", at, err)
			}
		}
		c = w.reopened(c)
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-23T01:00:00Z")
		w.wantClock(c, "gdpr-33-2 harbour", "running until 2026-11-23T01:00:00Z")
		w.wantClock(c, "gdpr-33-2 harbour before", "late until 2026-11-21T09:00:00Z")
		if k, ok := w.clocks(c)["gdpr-33-2 maple before"]; ok {
			t.Errorf("maple was told in time: %+v", k)
		}
		if a := of(t, c, w.harbour); !c.Late || a.Clock.State != incidents.Late || !strings.Contains(a.Clock.Why, "before the case was reopened") {
			t.Errorf("the case: late %v, harbour's clock %+v", c.Late, a.Clock)
		}
		if _, err := w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}); code(err) != controlplane.CodeConflict {
			t.Errorf("closed over it: %v", err)
		}
		w.tell(c, w.harbour)
		w.wantClock(c, "gdpr-33-2 harbour", "met until 2026-11-23T01:00:00Z")
		w.wantClock(c, "gdpr-33-2 harbour before", "met_late until 2026-11-21T09:00:00Z")
		_, clocks, err := w.incidents.AsKnown(w.ctx, w.all, c.ID, instant(t, "2026-11-21T14:00:00Z"))
		if got := w.byRule(clocks); err != nil || state(got["gdpr-33-2 harbour"]) != "late until 2026-11-21T09:00:00Z" || len(got["gdpr-33-2 harbour before"].Rule) != 0 {
			t.Errorf("as it was known before: %v, %v", got, err)
		}
	})
}

// A clock from before that runs still goes on, and a merge takes it along.
func TestReopenAndMerge(t *testing.T) {
	lite(t, func(w *world) {
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		w.clock.Advance(time.Hour)
		c = w.falseAlarm(c.ID, "A test.")
		w.clock.Advance(time.Hour)
		c = w.reopened(c)
		w.wantClock(c, "gdpr-33-2 maple before", "running until 2026-11-21T09:00:00Z")
		w.wantClock(c, "gdpr-33-2 maple", "running until 2026-11-21T11:00:00Z")
		if !c.NextDue.Equal(instant(t, "2026-11-21T09:00:00Z")) {
			t.Errorf("next due: %v", c.NextDue)
		}
		into := w.open(nil)
		into = must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, c.ID, into.ID, "One intruder."))
		w.wantClock(into, "gdpr-33-2 maple", "running until 2026-11-21T09:00:00Z")
	})
	lite(t, func(w *world) { // what was told before the new facts tells nobody of them, in another case either
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		w.tell(c, w.maple)
		w.clock.Advance(time.Hour)
		must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Over."}))
		w.clock.Advance(time.Hour)
		c = w.reopened(c)
		into := must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, c.ID, w.open(nil).ID, "One intruder."))
		w.wantClock(into, "gdpr-33-2 maple", "running until 2026-11-21T11:00:00Z")
	})
}

// A case closes over no suspicion that nobody decided, and over no final report.
func TestNothingClosesClean(t *testing.T) {
	lite(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		over := incidents.Closing{State: incidents.Closed, Why: "It was nothing much."}
		for name, servers := range map[string]bool{"with customers": true, "without": false} {
			c := w.open(nil, func(in *incidents.NewCase) {
				if in.Certainty = law.Suspected; servers {
					in.Servers = []string{w.shared.ID}
				}
			})
			w.clock.Advance(25 * time.Hour)
			_, err := w.incidents.Close(w.ctx, w.all, c.ID, over)
			if code(err) != controlplane.CodeConflict || !strings.Contains(err.Error(), "nobody has decided") {
				t.Errorf("%s: an undecided suspicion: %v", name, err)
			}
			w.low(c)
			if c = must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, over)); c.State != incidents.Closed {
				t.Errorf("%s: decided: %s", name, c.State)
			}
		}
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Jurisdiction: "EU", Country: "DE", Zone: "Europe/Berlin", Entity: law.Entity{Scope: law.Yes, Services: []law.Service{law.ManagedService}}}))
		c := w.open(nil)
		c = must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Impact: &law.Impact{Malicious: law.Yes}}))
		w.told(c, "", incidents.ToCSIRT, incidents.First, "nis2", w.clock.Now())
		w.told(c, "", incidents.ToCSIRT, incidents.Update, "nis2", w.clock.Now())
		must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Rule: "nis2-23-recipients", NotDue: true, Reasons: "Nobody noticed."}))
		must[incidents.Case](t)(w.incidents.Handled(w.ctx, w.all, c.ID, "", "Rebuilt."))
		_, err := w.incidents.Close(w.ctx, w.all, c.ID, over)
		if code(err) != controlplane.CodeConflict || !strings.Contains(strings.ToLower(err.Error()), "final") {
			t.Errorf("while the final report is due: %v", err)
		}
	})
}

// What is open in a case goes along where it goes on in another.
func TestMergeTakesAlong(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		from := w.affect(w.open(on(w.shared)), w.maple)
		into := w.affect(w.open(on(w.mapleOne)), w.maple)
		late := must[incidents.Task](t)(w.incidents.AddTask(w.ctx, w.all, from.ID, incidents.Task{Text: "Call the lawyer", Owner: w.bob.ID, DueAt: w.clock.Now().Add(time.Minute)}))
		must[incidents.Action](t)(w.incidents.Act(w.ctx, w.all, from.ID, incidents.NewAction{Kind: incidents.ActDone, Why: "Pulled the plug"}))
		report := must[incidents.Report](t)(w.incidents.Report(w.ctx, w.all, incidents.NewReport{Source: incidents.FromStaff, Text: "Odd mails"}))
		must[incidents.Report](t)(w.incidents.Triage(w.ctx, w.all, report.ID, incidents.Triage{Case: from.ID}))
		// Harbour was told, and is cleared: that is to be told them still. Maple's notice waits.
		w.told(from, w.harbour.ID, incidents.ToCustomer, incidents.First, "gdpr", w.clock.Now())
		w.clear(from.ID, w.harbour.ID, "Not theirs.")
		w.drafts(from, incidents.First)
		items, _, err := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: from.ID, Customer: w.maple.ID, State: incidents.Draft})
		if err != nil || len(items) != 1 {
			t.Fatalf("drafts: %+v, %v", items, err)
		}
		must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, items[0].ID, incidents.Sending{Version: items[0].Version}))
		second := func() (cases []string) {
			for _, f := range w.found() {
				if f.Kind == "incident.second" || f.Kind == "incident.task_late" {
					cases = append(cases, f.Kind+" "+f.Args["case"])
				}
			}
			slices.Sort(cases)
			return cases
		}
		same(t, "before", second(), []string{"incident.second " + from.Number})
		into = must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, from.ID, into.ID, "One intruder."))
		same(t, "asked for", second(), []string{"incident.second " + into.Number})
		if len(into.Tasks) != 1 || into.Tasks[0].ID != late.ID || len(into.Actions) != 1 || len(w.get(from.ID).Tasks) != 0 {
			t.Errorf("tasks %+v, actions %+v", into.Tasks, into.Actions)
		}
		if got := must[incidents.Report](t)(w.incidents.ReportByID(w.ctx, w.all, report.ID)); got.Case != into.ID {
			t.Errorf("the report: %+v", got)
		}
		w.later(2 * time.Minute)
		same(t, "withdrawn", w.sent("incident.withdrawn"), []string{"henry@harbour.example"})
		same(t, "the task is late", second(), []string{"incident.second " + into.Number, "incident.task_late " + into.Number})
		w.later(time.Hour) // nobody answered
		same(t, "sent in the end", second(), []string{"incident.task_late " + into.Number})
		w.write(func(tx *db.Tx) error { // nothing is left behind
			var n int64
			err := tx.Raw("SELECT (SELECT COUNT(*) FROM incident_orders WHERE case_id = ? AND done_at = 0) + (SELECT COUNT(*) FROM incident_tasks WHERE case_id = ?)", from.ID, from.ID).Scan(&n).Error
			if n != 0 {
				t.Errorf("left behind: %d", n)
			}
			return err
		})
	})
}
