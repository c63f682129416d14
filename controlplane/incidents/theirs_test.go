package incidents_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// said writes down what Maple told us.
func (w *world) said(c incidents.Case, step incidents.TheirStep, at incidents.At) incidents.Case {
	w.t.Helper()
	return must[incidents.Case](w.t)(w.incidents.TheySaid(w.ctx, w.all, c.ID, incidents.NewTheirWord{Customer: w.maple.ID, Step: step, At: at, ToldBy: "Mira Moss, their officer"}))
}

// TestTheirTimes are DORA's four: all are there, and what is not known reads so.
func TestTheirTimes(t *testing.T) {
	all := func(initial, outer, intermediate, final string) map[string]string {
		return map[string]string{"dora-initial maple": initial, "dora-initial-outer maple": outer, "dora-intermediate maple": intermediate, "dora-final maple": final}
	}
	told := func(w *world, c incidents.Case) { w.tell(c, w.maple) } // on Friday at 9:00
	for name, c := range map[string]struct {
		do   func(w *world, c incidents.Case)
		want map[string]string
		why  map[string]string // of a rule: a part of it
	}{
		"nothing known": {func(*world, incidents.Case) {}, all("unknown", "unknown", "unknown", "unknown"),
			map[string]string{"dora-initial maple": "when they classified it", "dora-initial-outer maple": "with our notice", "dora-intermediate maple": "their initial notification", "dora-final maple": "their intermediate report"}},
		"told": {told, all("unknown", "running until 2026-11-21T09:00:00Z", "unknown", "unknown"),
			map[string]string{"dora-initial-outer maple": "noon of the next working day, Mon 23 Nov 2026 12:00 CET"}},
		"classified, 22 hours after": {func(w *world, c incidents.Case) {
			told(w, c)
			w.till("2026-11-21T08:00:00Z")
			w.said(c, incidents.TheirClassified, "2026-11-21T07:00:00Z")
		}, all("running until 2026-11-21T11:00:00Z", "running until 2026-11-21T09:00:00Z", "unknown", "unknown"), nil},
		"they knew before us": {func(w *world, c incidents.Case) {
			must[incidents.Case](w.t)(w.incidents.TheyKnew(w.ctx, w.all, c.ID, w.maple.ID, "2026-11-20T07:00:00Z"))
			told(w, c)
		}, all("unknown", "running until 2026-11-21T07:00:00Z", "unknown", "unknown"), nil},
		"sent in time": {func(w *world, c incidents.Case) {
			told(w, c)
			w.till("2026-11-20T15:00:00Z")
			w.said(c, incidents.TheirClassified, "2026-11-20T10:00:00Z")
			w.said(c, incidents.TheirInitial, "2026-11-20T13:00:00Z")
		}, all("met until 2026-11-20T14:00:00Z", "met until 2026-11-21T09:00:00Z", "running until 2026-11-23T13:00:00Z", "unknown"), nil},
		"sent late": {func(w *world, c incidents.Case) {
			told(w, c)
			w.till("2026-11-21T12:00:00Z")
			w.said(c, incidents.TheirClassified, "2026-11-20T10:00:00Z")
			w.said(c, incidents.TheirInitial, "2026-11-21T11:00:00Z")
		}, all("met_late until 2026-11-20T14:00:00Z", "met_late until 2026-11-21T09:00:00Z", "running until 2026-11-24T11:00:00Z", "unknown"), nil},
		"passed, and nothing said": {func(w *world, c incidents.Case) {
			told(w, c)
			w.till("2026-11-22T09:00:01Z")
		}, all("unknown", "unknown until 2026-11-21T09:00:00Z", "unknown", "unknown"), map[string]string{"dora-initial-outer maple": "whether they met it is not known here"}},
		"to the final one, from the latest intermediate one": {func(w *world, c incidents.Case) {
			told(w, c)
			w.said(c, incidents.TheirInitial, "")
			w.till("2026-11-25T09:00:00Z")
			w.said(c, incidents.TheirIntermediate, "2026-11-23T08:00:00Z")
			w.said(c, incidents.TheirIntermediate, "2026-11-25T08:00:00Z")
		}, map[string]string{"dora-intermediate maple": "met_late until 2026-11-23T09:00:00Z", "dora-final maple": "running until 2026-12-25T22:59:59Z"},
			map[string]string{"dora-final maple": "noon of the next working day, Mon 28 Dec 2026 12:00 CET"}},
		"the final one": {func(w *world, c incidents.Case) {
			told(w, c)
			w.said(c, incidents.TheirIntermediate, "")
			w.till("2026-11-25T09:00:00Z")
			w.said(c, incidents.TheirFinal, "")
		}, map[string]string{"dora-final maple": "met until 2026-12-20T22:59:59Z"}, nil},
		"they did not, after all": {func(w *world, c incidents.Case) {
			told(w, c)
			w.said(c, incidents.TheirClassified, "")
			w.clock.Advance(time.Minute)
			must[incidents.Case](w.t)(w.incidents.TheySaid(w.ctx, w.all, c.ID, incidents.NewTheirWord{Customer: w.maple.ID, Step: incidents.TheirClassified, NotSo: true, ToldBy: "Mira Moss"}))
		}, all("unknown", "running until 2026-11-21T09:00:00Z", "unknown", "unknown"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lite(t, func(w *world) {
				must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
				must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: w.maple.ID, Financial: true, Country: "DE"}))
				open := w.affect(w.open(on(w.shared)), w.maple)
				c.do(w, open)
				clocks := w.clocks(open)
				for rule, want := range c.want {
					if got := state(clocks[rule]); got != want {
						t.Errorf("%s: got %q, want %q", rule, got, want)
					}
				}
				for rule, want := range c.why {
					if k := clocks[rule]; !strings.Contains(k.Why, want) {
						t.Errorf("%s says %q, want …%s…", rule, k.Why, want)
					}
				}
				if _, ok := clocks["dora-initial harbour"]; ok {
					t.Error("times of DORA for who is no financial entity")
				}
				if k := w.get(open.ID); k.Late {
					t.Error("what is theirs makes us late")
				}
			})
		})
	}
}

// What they told us is appended, sealed with their key, seen as it was known, and goes
// along with them.
func TestTheySaid(t *testing.T) {
	each(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.affect(w.open(on(w.mapleOne)), w.maple)
		word := incidents.NewTheirWord{Customer: w.maple.ID, Step: incidents.TheirClassified, ToldBy: "Mira Moss"}
		if _, err := w.incidents.TheySaid(w.ctx, w.all, c.ID, word); code(err) != controlplane.CodeConflict {
			t.Errorf("no financial entity: %v", err)
		}
		must[incidents.Terms](t)(w.incidents.SetTerms(w.ctx, w.all, incidents.Terms{Customer: w.maple.ID, Financial: true}))
		for name, change := range map[string]func(*incidents.NewTheirWord){
			"no step": func(x *incidents.NewTheirWord) { x.Step = "guessed" }, "nobody said so": func(x *incidents.NewTheirWord) { x.ToldBy = "" },
			"the future": func(x *incidents.NewTheirWord) { x.At = "2027-01-01T00:00:00Z" }, "not in the case": func(x *incidents.NewTheirWord) { x.Customer = w.harbour.ID },
		} {
			bad := word
			change(&bad)
			if _, err := w.incidents.TheySaid(w.ctx, w.all, c.ID, bad); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.tell(c, w.maple)
		before := w.clock.Now()
		w.clock.Advance(time.Hour)
		w.said(c, incidents.TheirClassified, "2026-11-20T09:00:00Z")
		w.clock.Advance(time.Hour)
		c = w.said(c, incidents.TheirClassified, "2026-11-20T10:00:00Z")
		if got := of(t, c, w.maple).TheySaid; len(got) != 2 || got[0].ToldBy != "Mira Moss, their officer" || got[1].By != w.ada.ID || !got[1].At.Equal(instant(t, "2026-11-20T10:00:00Z")) {
			t.Errorf("got %+v", got)
		}
		if got := state(w.asOf(c, before)["dora-initial maple"]); got != "unknown" {
			t.Errorf("as known before: %q", got)
		}
		if got := state(w.asOf(c, before.Add(time.Hour))["dora-initial maple"]); got != "running until 2026-11-20T13:00:00Z" {
			t.Errorf("as known between: %q", got)
		}
		for _, e := range w.entries("incident.changed") {
			if data, _ := json.Marshal(e.Data); bytes.Contains(data, []byte("Mira")) {
				t.Error("a person’s name stands clear in the ledger")
			}
		}
		into := w.open(on(w.shared))
		must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, c.ID, into.ID, "One intruder."))
		w.wantClock(into, "dora-initial maple", "running until 2026-11-20T14:00:00Z")
		part := must[incidents.Case](t)(w.incidents.Split(w.ctx, w.all, into.ID, incidents.SplitOff{Title: "Theirs", Customers: []string{w.maple.ID}, Why: "Another hole."}))
		w.wantClock(part, "dora-initial maple", "running until 2026-11-20T14:00:00Z")
	})
}

// TestAuthoritiesWherePeopleLive is who is told without an establishment in the Union,
// and by whose law.
func TestAuthoritiesWherePeopleLive(t *testing.T) {
	other, uk := incidents.Company{Jurisdiction: "other"}, incidents.Company{Jurisdiction: "UK", Country: "GB", Zone: "Europe/London"}
	established := incidents.Company{Jurisdiction: "UK", Establishment: true, Authorities: []string{"BayLDA"}}
	for name, c := range map[string]struct {
		company incidents.Company
		people  []string
		handed  int
		want    map[string]string // "" is not there
		why     string            // of the Union's
		form    string            // the authority, on the form
	}{
		"in the Union":               {berlin, []string{"AT", "DE"}, 1, map[string]string{"gdpr-33-1": "met until 2026-11-23T09:00:00Z", "uk-gdpr-33-1": ""}, "", ""},
		"elsewhere, nobody said":     {other, nil, 0, map[string]string{"gdpr-33-1": "running until 2026-11-23T09:00:00Z"}, "in which countries that is, is not recorded", ""},
		"elsewhere, one country":     {other, []string{"AT", "US"}, 1, map[string]string{"gdpr-33-1": "met until 2026-11-23T09:00:00Z"}, "told: AT.", "each authority where people live is told, in AT."},
		"elsewhere, one of three":    {other, []string{"FR", "at", "NO"}, 1, map[string]string{"gdpr-33-1": "running until 2026-11-23T09:00:00Z"}, "told: AT, FR, NO. Handed in so far: 1 of 3.", "in AT, FR, NO."},
		"elsewhere, all three":       {other, []string{"FR", "AT", "NO"}, 3, map[string]string{"gdpr-33-1": "met until 2026-11-23T09:00:00Z"}, "", ""},
		"UK, nobody in the Union":    {uk, []string{"GB"}, 0, map[string]string{"uk-gdpr-33-1": "running until 2026-11-23T09:00:00Z", "uk-gdpr-33-5": "met", "gdpr-33-1": ""}, "", ""},
		"UK, and people in it":       {uk, []string{"GB", "IE"}, 0, map[string]string{"uk-gdpr-33-1": "running until 2026-11-23T09:00:00Z", "gdpr-33-1": "running until 2026-11-23T09:00:00Z"}, "told: IE.", "in IE."},
		"UK, established in it, too": {established, []string{"DE", "IE"}, 1, map[string]string{"gdpr-33-1": "met until 2026-11-23T09:00:00Z"}, "", "Our main establishment is outside of the Union"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lite(t, func(w *world) {
				must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, c.company))
				open := w.open(nil, func(in *incidents.NewCase) { in.OurData = law.Yes })
				if c.people != nil {
					open = must[incidents.Case](t)(w.incidents.Update(w.ctx, w.all, open.ID, 0, incidents.CaseChange{PeopleIn: &c.people}))
				}
				for range c.handed {
					w.clock.Advance(time.Minute)
					w.told(open, "", incidents.ToAuthority, incidents.First, "gdpr", w.clock.Now())
				}
				clocks := w.clocks(open)
				for rule, want := range c.want {
					if got, ok := clocks[rule]; ok != (want != "") || ok && state(got) != want {
						t.Errorf("%s: got %q, want %q", rule, state(got), want)
					}
				}
				if k := clocks["gdpr-33-1"]; !strings.Contains(k.Why, c.why) {
					t.Errorf("it says %q, want …%s…", k.Why, c.why)
				}
				form := must[incidents.Form](t)(w.incidents.AuthorityForm(w.ctx, w.all, open.ID, incidents.FormEDPB))
				for _, f := range form.Fields {
					if f.Key == "authority" && (c.form == "" && name == "elsewhere, nobody said" && f.Answer != "" || !strings.Contains(f.Answer, c.form)) {
						t.Errorf("the form says %q, want …%s…", f.Answer, c.form)
					}
				}
			})
		})
	}
}
