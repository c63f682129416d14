package incidents_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

func TestOneSentenceOpensACase(t *testing.T) {
	each(t, func(w *world) {
		c := must[incidents.Case](t)(w.incidents.Open(w.ctx, w.all, incidents.NewCase{Title: "I think we were hacked"}))
		if c.Number != "2026-1" || c.State != incidents.Open || c.Lead != w.ada.ID || c.Version != 1 || len(c.Awareness) != 1 {
			t.Errorf("got %+v", c)
		}
		if a := c.Awareness[0]; a.Certainty != law.Suspected || a.Ground != "I think we were hacked" || a.By != w.ada.ID || !a.At.Equal(w.clock.Now()) {
			t.Errorf("awareness: got %+v", a)
		}
		if want := w.clock.Now().Add(24 * time.Hour); !c.AssessBy.Equal(want) {
			t.Errorf("to be decided by: got %v, want %v", c.AssessBy, want)
		}
		if c.NextDue != (time.Time{}) || c.Late {
			t.Errorf("a suspicion runs nothing: next %v, late %v", c.NextDue, c.Late)
		}
		if again := w.open(nil); again.Number != "2026-2" {
			t.Errorf("the second one: got %s", again.Number)
		}
		if got := must[incidents.Case](t)(w.incidents.Get(w.ctx, w.all, "2026-1")); got.ID != c.ID {
			t.Errorf("by number: got %s, want %s", got.ID, c.ID)
		}
		kinds := []string{}
		for _, e := range w.entries("incident.") {
			if e.Subject == c.ID {
				kinds = append(kinds, e.Kind)
			}
			if e.Customer != "" {
				t.Errorf("%s stands in a customer's ledger", e.Kind)
			}
		}
		same(t, "ledger", kinds, []string{"incident.opened", "incident.asserted"})
	})
}

// Several people open cases, and replicas look for alarms, at one instant: every
// case has a number of its own, and every alarm rings once.
func TestManyAtOnce(t *testing.T) {
	each(t, func(w *world) {
		const n = 8
		var wg sync.WaitGroup
		numbers := make([]string, n)
		for i := range n {
			wg.Go(func() {
				c, err := w.incidents.Open(w.ctx, w.all, incidents.NewCase{Title: "I think we were hacked", OurData: law.Yes, Certainty: law.Certain})
				if err != nil {
					t.Error(err)
				}
				numbers[i] = c.Number
			})
		}
		wg.Wait()
		slices.Sort(numbers)
		if len(slices.Compact(slices.Clone(numbers))) != n || numbers[0] != "2026-1" || numbers[n-1] != "2026-8" {
			t.Errorf("numbers: %v", numbers)
		}
		w.clock.Advance(80 * time.Hour)
		for range 3 {
			wg.Go(func() {
				if err := w.incidents.Pass(controlplane.System(t.Context(), "incidents")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := w.alarmed(); len(got) != n {
			t.Errorf("alarms: %v", got)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	each(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Zone: "Europe/Berlin", Jurisdiction: "EU"}))
		w.clock.Advance(instant(t, "2026-11-20T09:00:00Z").Sub(w.clock.Now()))
		for name, c := range map[string]struct {
			in      incidents.NewCase
			pointer string
			words   string
		}{
			"no sentence":            {incidents.NewCase{Title: " "}, "/title", "sentence"},
			"a long one":             {incidents.NewCase{Title: strings.Repeat("x", 201)}, "/title", "200"},
			"a long summary":         {incidents.NewCase{Title: "x", Summary: strings.Repeat("ü", 4001)}, "/summary", "4000"},
			"a time that was twice":  {incidents.NewCase{Title: "x", Aware: "2026-10-25 02:30"}, "/aware", "offset"},
			"a time that never was":  {incidents.NewCase{Title: "x", Detected: "2026-03-29 02:30"}, "/detected", "offset"},
			"the future":             {incidents.NewCase{Title: "x", Aware: "2026-11-20 10:03"}, "/aware", "future"},
			"no time":                {incidents.NewCase{Title: "x", Aware: "yesterday"}, "/aware", "date"},
			"an unknown server":      {incidents.NewCase{Title: "x", Servers: []string{"nowhere-1"}}, "/servers", "no such server"},
			"an unknown customer":    {incidents.NewCase{Title: "x", Customers: []string{"nobody"}}, "/customers", "no such customer"},
			"an unknown kind":        {incidents.NewCase{Title: "x", Kinds: []incidents.Kind{"theft"}}, "/kinds", "Choose"},
			"a certainty":            {incidents.NewCase{Title: "x", Certainty: "maybe"}, "/certainty", "suspected"},
			"a lead who is no staff": {incidents.NewCase{Title: "x", Lead: w.anna.ID}, "/lead", "our people"},
		} {
			_, err := w.incidents.Open(w.ctx, w.all, c.in)
			var e *controlplane.Error
			if !asError(err, &e) || e.Code != controlplane.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Pointer != c.pointer || !strings.Contains(e.Fields[0].Message, c.words) {
				t.Errorf("%s: got %+v", name, err)
			}
		}
		for name, at := range map[string]incidents.At{"local": "2026-11-20 10:01", "with its offset": "2026-10-25T02:30:00+02:00", "a minute ahead": "2026-11-20T09:01:59Z"} {
			if _, err := w.incidents.Open(w.ctx, w.all, incidents.NewCase{Title: "x", Aware: at}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		ctx, scope := w.asContact(w.anna)
		if _, err := w.incidents.Open(ctx, scope, incidents.NewCase{Title: "x"}); code(err) != controlplane.CodeForbidden {
			t.Errorf("a contact opens: %v", err)
		}
	})
}

// Contacts never find a case, whatever they ask.
func TestContactsSeeNoCase(t *testing.T) {
	each(t, func(w *world) {
		c := w.affect(w.open(on(w.shared)), w.maple)
		ctx, scope := w.asContact(w.anna)
		_, err1 := w.incidents.Get(ctx, scope, c.ID)
		_, err2 := w.incidents.Clocks(ctx, scope, c.ID)
		_, _, err3 := w.incidents.List(ctx, scope, incidents.CaseFilter{})
		_, err4 := w.incidents.Update(ctx, scope, c.ID, 0, incidents.CaseChange{})
		_, _, err5 := w.incidents.AsKnown(ctx, scope, c.ID, w.clock.Now())
		_, err6 := w.incidents.CompanyProfile(ctx, scope)
		_, err7 := w.incidents.TermsOf(ctx, scope, w.harbour.ID)
		for i, err := range []error{err1, err2, err3, err4, err5, err6, err7} {
			if code(err) != controlplane.CodeNotFound {
				t.Errorf("%d: got %v, want not found", i+1, err)
			}
		}
		if _, err := w.incidents.TermsOf(ctx, scope, w.maple.ID); err != nil {
			t.Errorf("their own terms: %v", err)
		}
	})
}

// What a headline must not pass over.
func TestConcerns(t *testing.T) {
	each(t, func(w *world) {
		concerns := func() (out []string) {
			t.Helper()
			for _, who := range []struct {
				name string
				of   func() ([]string, int, error)
			}{
				{"staff", func() ([]string, int, error) { return w.incidents.Concerns(w.ctx, w.all) }},
				{"maple", func() ([]string, int, error) { ctx, s := w.asContact(w.anna); return w.incidents.Concerns(ctx, s) }},
				{"harbour", func() ([]string, int, error) { ctx, s := w.asContact(w.henry); return w.incidents.Concerns(ctx, s) }},
			} {
				servers, n, err := who.of()
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, who.name+" "+string(rune('0'+n))+" "+strings.Join(servers, "+"))
			}
			return out
		}
		same(t, "nothing", concerns(), []string{"staff 0 ", "maple 0 ", "harbour 0 "})
		w.open(on(w.mapleOne), func(in *incidents.NewCase) { in.Drill = true })
		same(t, "a drill", concerns(), []string{"staff 0 ", "maple 0 ", "harbour 0 "})
		c := w.open(on(w.mapleOne, w.shared), func(in *incidents.NewCase) { in.Certainty = law.Suspected })
		same(t, "a suspicion", concerns(), []string{"staff 1 maple-1+shared-1", "maple 1 maple-1+shared-1", "harbour 1 shared-1"})
		w.clear(c.ID, w.harbour.ID, "Only files of maple were touched.")
		same(t, "one is cleared", concerns(), []string{"staff 1 maple-1+shared-1", "maple 1 maple-1+shared-1", "harbour 0 "})
		w.falseAlarm(c.ID, "It was a backup run.")
		same(t, "closed", concerns(), []string{"staff 0 ", "maple 0 ", "harbour 0 "})
	})
}

func TestList(t *testing.T) {
	each(t, func(w *world) {
		var numbers []string
		for range 5 {
			w.clock.Advance(time.Minute)
			numbers = append([]string{w.open(on(w.mapleOne)).Number}, numbers...)
		}
		w.clock.Advance(time.Minute)
		drill := w.open(on(w.harbourOne), func(in *incidents.NewCase) { in.Drill = true })
		list := func(f incidents.CaseFilter) (got []string) {
			t.Helper()
			for {
				items, next, err := w.incidents.List(w.ctx, w.all, f)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range items {
					got = append(got, c.Number)
				}
				if f.Token = next; next == "" {
					return got
				}
			}
		}
		same(t, "pages of two", list(incidents.CaseFilter{Limit: 2}), numbers)
		same(t, "with drills", list(incidents.CaseFilter{Drills: true}), append([]string{drill.Number}, numbers...))
		same(t, "of harbour", list(incidents.CaseFilter{Drills: true, Customer: w.harbour.ID}), []string{drill.Number})
		same(t, "on maple-1", list(incidents.CaseFilter{Server: w.mapleOne.ID}), numbers)
		same(t, "closed", list(incidents.CaseFilter{State: incidents.Closed}), nil)
		if _, _, err := w.incidents.List(w.ctx, w.all, incidents.CaseFilter{Token: "x"}); code(err) != controlplane.CodeInvalid {
			t.Errorf("a page that is none: %v", err)
		}
		items, _, err := w.incidents.List(w.ctx, w.all, incidents.CaseFilter{Limit: 1})
		if err != nil || len(items) != 1 || !slices.Equal(items[0].Servers, []string{w.mapleOne.ID}) {
			t.Errorf("servers in a list: %+v, %v", items, err)
		}
	})
}

func TestUpdate(t *testing.T) {
	each(t, func(w *world) {
		c := w.open(on(w.shared))
		title, summary, at, yes := `<b>"Ransom"</b>`, strings.Repeat("<script>", 500), incidents.At("2026-11-19 08:00"), true
		ours := law.Yes
		kinds := []incidents.Kind{incidents.Loss, incidents.Loss, incidents.Access}
		got := must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, c.Version, incidents.CaseChange{Title: &title, Summary: &summary, Kinds: &kinds, OccurredFrom: &at, ChannelUnsafe: &yes,
			OurData: &ours, Lead: &w.bob.ID, Impact: &law.Impact{OutageMinutes: 31, Malicious: law.No}}))
		if got.Title != title || got.Summary != summary || !slices.Equal(got.Kinds, []incidents.Kind{incidents.Loss, incidents.Access}) || !got.ChannelUnsafe || got.OurData != law.Yes || got.Lead != w.bob.ID ||
			!got.OccurredFrom.Equal(instant(t, "2026-11-19T08:00:00Z")) || got.Version != 2 {
			t.Errorf("got %+v", got)
		}
		if _, err := w.incidents.Update(w.ctx, w.all, c.ID, c.Version, incidents.CaseChange{Title: &title}); code(err) != controlplane.CodeConflict {
			t.Errorf("an old version: %v", err)
		}
		none := incidents.At("")
		if got = must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{OccurredFrom: &none})); !got.OccurredFrom.IsZero() {
			t.Errorf("not known any more: got %v", got.OccurredFrom)
		}
		// In the database nothing of it can be read.
		var rows []string
		if err := w.db.Read(w.ctx, func(tx *dbTx) error {
			var data [][]byte
			err := tx.Raw("SELECT data FROM incident_cases UNION ALL SELECT data FROM incident_versions").Scan(&data).Error
			for _, d := range data {
				rows = append(rows, string(d))
			}
			return err
		}); err != nil || len(rows) < 4 {
			t.Fatalf("rows: %d, %v", len(rows), err)
		}
		for _, r := range rows {
			if strings.Contains(r, "Ransom") || strings.Contains(r, "hacked") {
				t.Error("a title stands clear in the database")
			}
		}
	})
}
