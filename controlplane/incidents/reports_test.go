package incidents_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/incidents"
)

func (w *world) reports(waiting bool) []incidents.Report {
	w.t.Helper()
	return must[[]incidents.Report](w.t)(w.incidents.Reports(w.ctx, w.all, waiting))
}

func public(text, address string) incidents.NewReport {
	return incidents.NewReport{Source: incidents.FromPublic, Text: text, Name: "Mallory", Contact: "mallory@example.org", Address: address}
}

// A report from outside is kept sealed and clean, and nothing of it is given
// back: neither in the answer nor in an error.
func TestAPublicReport(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		nobody := t.Context()
		got, err := w.incidents.Report(nobody, w.all, public("Your shop\x00 leaks\r\npasswords "+hostile, "192.0.2.1"))
		if err != nil || !controlplane.ValidID(controlplane.PrefixReport, got.ID) || got.ReceivedAt.IsZero() || got.Text+got.Name+got.Contact+got.Address != "" {
			t.Fatalf("answer: got %+v, %v", got, err)
		}
		kept := w.reports(true)
		if len(kept) != 1 || kept[0].Text != "Your shop  leaks\npasswords "+strings.TrimSpace(strings.ReplaceAll(hostile, "\u202e", "")) || kept[0].Name != "Mallory" {
			t.Errorf("kept: got %+v", kept)
		}
		for _, c := range []string{"text", "name", "contact"} {
			var sealed []byte
			w.write(func(tx *db.Tx) error { return tx.Raw("SELECT " + c + " FROM incident_reports").Row().Scan(&sealed) })
			if strings.Contains(string(sealed), "leaks") || strings.Contains(string(sealed), "allory") {
				t.Errorf("%s is not sealed", c)
			}
		}
		for _, tt := range []struct {
			name string
			in   incidents.NewReport
			want controlplane.Code
		}{
			{"nothing", public(" \x00\n ", "192.0.2.2"), controlplane.CodeInvalid},
			{"too long", public(longest(4001), "192.0.2.2"), controlplane.CodeInvalid},
			{"the longest", public(longest(4000), "192.0.2.2"), ""},
			{"broken UTF-8", public("\xff\xfe leak", "192.0.2.2"), ""},
			{"a very long name", incidents.NewReport{Source: incidents.FromPublic, Text: "x", Name: longest(100_000), Contact: longest(100_000), Address: "192.0.2.2"}, ""},
			{"in somebody's name", incidents.NewReport{Source: incidents.FromPublic, Text: "x", Customer: w.maple.ID, Server: w.mapleOne.ID, Key: "k", Subject: "fnd_1", Address: "192.0.2.2"}, ""},
			{"no source", incidents.NewReport{Text: "x"}, controlplane.CodeInvalid},
		} {
			_, err := w.incidents.Report(nobody, w.all, tt.in)
			if code(err) != tt.want {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
			if err != nil && tt.in.Text != "x" && strings.Contains(err.Error(), strings.TrimSpace(tt.in.Text[:1])+longest(2)) {
				t.Errorf("%s: the error says what was sent: %v", tt.name, err)
			}
		}
		for _, r := range w.reports(true) {
			if r.Customer+r.Server+r.Key+r.Subject != "" || len([]rune(r.Name)) > 200 || len([]rune(r.Contact)) > 200 {
				t.Errorf("kept: got %+v", r.NewReport)
			}
		}
	})
}

// One address may report five times an hour, all together a hundred times; an
// address is kept as a keyed hash, and not longer than its hour.
func TestTooManyPublicReports(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		send := func(address string) controlplane.Code {
			_, err := w.incidents.Report(t.Context(), w.all, public("x", address))
			return code(err)
		}
		for i := range 5 {
			if got := send(fmt.Sprintf("2001:db8::%x", i+1)); got != "" {
				t.Fatalf("%d: got %q", i, got)
			}
		}
		if got := send("2001:db8::ffff"); got != controlplane.CodeTooMany {
			t.Errorf("one machine's network: got %q", got)
		}
		if got := send("2001:db8:0:1::1"); got != "" {
			t.Errorf("another network: got %q", got)
		}
		if got := send("not an address"); got != "" {
			t.Errorf("no address: got %q", got)
		}
		for i := range 93 {
			if got := send(fmt.Sprintf("198.51.100.%d", i)); got != "" {
				t.Fatalf("flood %d: got %q", i, got)
			}
		}
		if got := send("203.0.113.1"); got != controlplane.CodeTooMany {
			t.Errorf("all together: got %q", got)
		}
		w.clock.Advance(time.Hour)
		if got := send("2001:db8::1"); got != "" {
			t.Errorf("an hour later: got %q", got)
		}
		var marks int64
		w.write(func(tx *db.Tx) error { return tx.Raw("SELECT COUNT(*) FROM incident_report_marks").Scan(&marks).Error })
		if marks != 2 {
			t.Errorf("marks: got %d, want 2: those of this hour", marks)
		}
	})
}

// Contacts report for their own customer, see that they did, and not what we
// make of it; others' reports are not there for them.
func TestACustomersReport(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		ctx, own := w.asContact(w.anna)
		got := must[incidents.Report](t)(w.incidents.Report(ctx, own, incidents.NewReport{Source: incidents.FromCustomer, Customer: w.maple.ID, Server: w.mapleOne.ID, Text: "Strange files."}))
		if got.By != w.anna.ID || got.Text != "Strange files." {
			t.Errorf("got %+v", got)
		}
		for name, in := range map[string]incidents.NewReport{
			"another's":        {Source: incidents.FromCustomer, Customer: w.harbour.ID, Text: "x"},
			"another's server": {Source: incidents.FromCustomer, Customer: w.maple.ID, Server: w.harbourOne.ID, Text: "x"},
			"as staff":         {Source: incidents.FromStaff, Text: "x"},
			"as a finding":     {Source: incidents.FromFinding, Key: "k", Text: "x"},
		} {
			if _, err := w.incidents.Report(ctx, own, in); code(err) != controlplane.CodeNotFound {
				t.Errorf("%s: got %v", name, err)
			}
		}
		must[incidents.Report](t)(w.incidents.Report(w.asBob(), w.all, incidents.NewReport{Source: incidents.FromStaff, Text: "I clicked on something."}))
		w.write(func(tx *db.Tx) error {
			return w.incidents.ReportIn(tx, w.all, incidents.NewReport{Source: incidents.FromFinding, Customer: w.maple.ID, Key: "k1", Text: "About maple."})
		})
		other, theirs := w.asContact(w.henry)
		if list := must[[]incidents.Report](t)(w.incidents.Reports(other, theirs, false)); len(list) != 0 {
			t.Errorf("another customer sees %+v", list)
		}
		must[incidents.Report](t)(w.incidents.Triage(w.ctx, w.all, got.ID, incidents.Triage{Aside: "They always say so."}))
		list := must[[]incidents.Report](t)(w.incidents.Reports(ctx, own, false))
		if len(list) != 1 || list[0].ID != got.ID || list[0].SetAside != "" || list[0].DecidedBy != "" || list[0].DecidedAt.IsZero() {
			t.Errorf("their own: got %+v", list)
		}
		if _, err := w.incidents.Triage(ctx, own, got.ID, incidents.Triage{Aside: "x"}); code(err) != controlplane.CodeNotFound {
			t.Errorf("a contact decides: got %v", err)
		}
		for _, e := range w.entries("incident.reported") {
			if (e.Customer != "") != (e.Subject == got.ID) {
				t.Errorf("ledger: an entry of %q about %s", e.Customer, e.Subject)
			}
		}
	})
}

// What another slice found is reported once for a key.
func TestReportIn(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		in := incidents.NewReport{Source: incidents.FromFinding, Key: "session.violation:ssn_1", Subject: "ssn_1", Text: longest(9000)}
		for range 2 {
			w.write(func(tx *db.Tx) error { return w.incidents.ReportIn(tx, w.all, in) })
		}
		if got := w.reports(true); len(got) != 1 || got[0].Subject != "ssn_1" || len([]rune(got[0].Text)) != 4000 {
			t.Errorf("got %d reports", len(got))
		}
		err := w.db.Write(w.ctx, func(tx *db.Tx) error {
			return w.incidents.ReportIn(tx, w.all, incidents.NewReport{Source: incidents.FromPublic, Text: "x"})
		})
		if err == nil {
			t.Error("only findings come this way")
		}
		w.write(func(tx *db.Tx) error {
			return w.findings.Raise(tx, findings.Finding{Key: "backup.missed:pln_1", Customer: w.maple.ID, Server: w.mapleOne.ID, Kind: findings.BackupMissed, Severity: findings.Warn, Owner: findings.Ops,
				Args: map[string]string{"server": "maple-1", "for": "27 hours"}})
		})
		f := must[[]findings.Finding](t)(list(w.findings.List(w.ctx, w.all, findings.Filter{})))[0]
		for range 2 {
			r := must[incidents.Report](t)(w.incidents.Report(w.asBob(), w.all, incidents.NewReport{Source: incidents.FromFinding, Subject: f.ID}))
			if r.Server != w.mapleOne.ID || r.Customer != w.maple.ID || !strings.Contains(r.Text, "maple-1") {
				t.Errorf("of a finding: got %+v", r)
			}
		}
		if got := len(w.reports(true)); got != 2 {
			t.Errorf("got %d reports, want 2", got)
		}
	})
}

func list[T any](items []T, _ string, err error) ([]T, error) { return items, err }

// A report that nobody looks at for an hour is a finding, until somebody does.
func TestAReportThatNobodyLooksAt(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		must[incidents.Report](t)(w.incidents.Report(t.Context(), w.all, public(hostile, "192.0.2.1")))
		w.later(59 * time.Minute)
		same(t, "before an hour", w.kinds(), nil)
		w.later(time.Minute)
		same(t, "after an hour", w.kinds(), []string{findings.IncidentReport})
		c := w.open([]customers.Server{w.mapleOne})
		r := w.reports(true)[0]
		got := must[incidents.Report](t)(w.incidents.Triage(w.ctx, w.all, r.ID, incidents.Triage{Case: c.ID}))
		if got.Case != c.ID || got.DecidedBy != w.ada.ID {
			t.Errorf("triaged: got %+v", got)
		}
		same(t, "looked at", only(w.kinds(), findings.IncidentReport), nil)
		if got := w.reports(true); len(got) != 0 {
			t.Errorf("waiting: got %d", len(got))
		}
	})
}

func TestTriage(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		report := func() incidents.Report {
			return must[incidents.Report](t)(w.incidents.Report(w.asBob(), w.all, incidents.NewReport{Source: incidents.FromStaff, Server: w.shared.ID, Text: "Odd logins."}))
		}
		r := report()
		for name, in := range map[string]incidents.Triage{"nothing": {}, "two things": {Case: "inc_1", Aside: "x"}, "too long": {Aside: longest(2001)}} {
			if _, err := w.incidents.Triage(w.ctx, w.all, r.ID, in); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if _, err := w.incidents.Triage(w.ctx, w.all, r.ID, incidents.Triage{Case: "inc_1"}); code(err) != controlplane.CodeNotFound {
			t.Errorf("no such case: got %v", err)
		}
		got := must[incidents.Report](t)(w.incidents.Triage(w.ctx, w.all, r.ID, incidents.Triage{New: &incidents.NewCase{Title: "Odd logins"}}))
		c := w.get(got.Case)
		if c.Source != r.ID || len(c.Servers) != 1 || c.Servers[0] != w.shared.ID || len(c.Affected) != 2 {
			t.Errorf("new case: got %+v", c)
		}
		w.falseAlarm(c.ID, "It was Bob.")
		if _, err := w.incidents.Triage(w.ctx, w.all, report().ID, incidents.Triage{Case: c.ID}); code(err) != controlplane.CodeConflict {
			t.Errorf("to a closed case: got %v", err)
		}
	})
}

// Of two people who look at a report at once one decides; there is one case of it.
func TestTwoPeopleTriageAtOnce(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		r := must[incidents.Report](t)(w.incidents.Report(w.asBob(), w.all, incidents.NewReport{Source: incidents.FromStaff, Text: "Odd logins."}))
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i, ctx := range []func() error{
			func() error {
				_, err := w.incidents.Triage(w.asBob(), w.all, r.ID, incidents.Triage{New: &incidents.NewCase{Title: "By Bob", Servers: []string{w.mapleOne.ID}}})
				return err
			},
			func() error {
				_, err := w.incidents.Triage(w.ctx, w.all, r.ID, incidents.Triage{New: &incidents.NewCase{Title: "By Ada", Servers: []string{w.mapleOne.ID}}})
				return err
			},
		} {
			wg.Go(func() { errs[i] = ctx() })
		}
		wg.Wait()
		cases, _, err := w.incidents.List(w.ctx, w.all, incidents.CaseFilter{})
		if err != nil || len(cases) != 1 {
			t.Fatalf("cases: got %d, %v", len(cases), err)
		}
		lost := errors.Join(errs...)
		if (errs[0] == nil) == (errs[1] == nil) || code(lost) != controlplane.CodeConflict {
			t.Errorf("got %v and %v", errs[0], errs[1])
		}
		if got := w.reports(false); got[0].Case != cases[0].ID {
			t.Errorf("the report belongs to %s, want %s", got[0].Case, cases[0].ID)
		}
	})
}
