package incidents_test

import (
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
)

// one is a number that a query answers.
func (w *world) one(query string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.db.Read(w.ctx, func(tx *db.Tx) error { return tx.Raw(query, args...).Scan(&n).Error }); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// The mark of an address goes when its hour is over, also where nobody reports
// anything again.
func TestMarksAreSwept(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		must[incidents.Report](t)(w.incidents.Report(t.Context(), w.all, public("Something leaks", "192.0.2.1")))
		w.later(59 * time.Minute)
		if n := w.one("SELECT COUNT(*) FROM incident_report_marks"); n == 0 {
			t.Error("within the hour: the mark is gone")
		}
		w.later(time.Minute)
		if n := w.one("SELECT COUNT(*) FROM incident_report_marks"); n != 0 {
			t.Errorf("after the hour: %d marks", n)
		}
	})
}

// Who reported something is deleted a year after it was dealt with, and not while
// its case goes on; that it was is in the ledger.
func TestReportersTerm(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		report := func(in incidents.NewReport) string {
			return must[incidents.Report](t)(w.incidents.Report(t.Context(), w.all, in)).ID
		}
		triage := func(id string, in incidents.Triage) {
			must[incidents.Report](t)(w.incidents.Triage(w.ctx, w.all, id, in))
		}
		c := w.open(nil)
		aside, belongs, waits := report(public("It is nothing", "192.0.2.1")), report(public("It is something", "192.0.2.2")), report(public("Nobody looks", "192.0.2.3"))
		bare := report(incidents.NewReport{Source: incidents.FromPublic, Text: "No name", Address: "192.0.2.4"})
		ctx, own := w.asContact(w.anna)
		theirs := must[incidents.Report](t)(w.incidents.Report(ctx, own, incidents.NewReport{Source: incidents.FromCustomer, Customer: w.maple.ID, Text: "Odd mails", Name: "Anna", Contact: "+49 1"})).ID
		for _, id := range []string{aside, bare, theirs} {
			triage(id, incidents.Triage{Aside: "A test of theirs."})
		}
		triage(belongs, incidents.Triage{Case: c.ID})
		named := func() (out []string) {
			for id, what := range map[string]string{aside: "aside", belongs: "belongs", waits: "waits", bare: "bare", theirs: "theirs"} {
				r := must[incidents.Report](t)(w.incidents.ReportByID(w.ctx, w.all, id))
				if r.Name != "" || r.Contact != "" {
					out = append(out, what)
				} else if r.ForgottenAt.IsZero() != (id == bare) {
					t.Errorf("%s: forgotten at %v", what, r.ForgottenAt)
				}
				if r.Text == "" {
					t.Errorf("%s: its text is gone", what)
				}
			}
			return sorted(out)
		}
		start := w.clock.Now()
		w.later(start.AddDate(1, 0, 0).Sub(w.clock.Now()) - time.Minute)
		same(t, "within a year", named(), []string{"aside", "belongs", "theirs", "waits"})
		w.later(time.Minute)
		same(t, "after a year", named(), []string{"belongs", "waits"})
		var erased []string
		for _, e := range w.entries("incident.reporter_erased") {
			erased = append(erased, e.Subject)
			if want := map[string]string{theirs: w.maple.ID}[e.Subject]; e.Customer != want {
				t.Errorf("entry of %s: customer %q, want %q", e.Subject, e.Customer, want)
			}
		}
		same(t, "entries", sorted(erased), sorted([]string{aside, theirs}))
		if n := w.one("SELECT COUNT(*) FROM incident_reports WHERE LENGTH(reporter) > 0 AND COALESCE(LENGTH(name), 0) + COALESCE(LENGTH(contact), 0) = 0"); n != 2 {
			t.Errorf("hashes kept: got %d", n)
		}
		w.falseAlarm(c.ID, "It was nothing.")
		triage(waits, incidents.Triage{Aside: "Late, and nothing."})
		w.later(300 * day)
		same(t, "its case had ended", named(), []string{"belongs", "waits"})
		w.later(67 * day)
		same(t, "a year after the end", named(), nil)
		if got := w.incidents.ReporterMonths(); got != 12 {
			t.Errorf("months: got %d", got)
		}
		w.run()
		if n := len(w.entries("incident.reporter_erased")); n != 4 {
			t.Errorf("entries at the end: got %d", n)
		}
		if _, err := w.incidents.ReportByID(ctx, own, aside); code(err) != controlplane.CodeNotFound {
			t.Errorf("another's report: got %v", err)
		}
	})
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
