package incidents_test

import (
	"strings"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
)

// Staff find cases, notices and reports by reference, number and words; a contact
// finds the notices sent to them, and nothing else, whatever they ask.
func TestFind(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		w.known()
		c := w.open([]customers.Server{w.shared}, func(in *incidents.NewCase) { in.Title = "Übergriff on the mail store" })
		other := w.open(nil, func(in *incidents.NewCase) { in.Title = "A disk that broke"; in.Drill = true })
		r := must[incidents.Report](t)(w.incidents.Report(t.Context(), w.all, public("My MAIL shows another's folder", "192.0.2.1")))
		w.affect(c, w.maple, w.harbour)
		drafts, _, err := w.incidents.MakeDrafts(w.ctx, w.all, c.ID, incidents.First)
		if err != nil {
			t.Fatal(err)
		}
		theirs := map[string]string{}
		for _, n := range drafts {
			theirs[n.Customer] = n.ID
		}
		ctx, own := w.asContact(w.anna)
		found := func(q string) (out []string) {
			f := must[incidents.Found](t)(w.incidents.Find(w.ctx, w.all, q))
			return idsOf(f)
		}
		ownFound := func(q string) []string {
			return idsOf(must[incidents.Found](t)(w.incidents.Find(ctx, own, q)))
		}
		for _, tt := range []struct {
			q    string
			want []string
		}{
			{c.Number, []string{c.ID}},
			{c.ID, []string{c.ID}},
			{strings.ToUpper(c.ID), []string{c.ID}},
			{"übergriff", []string{c.ID}},
			{"U\u0308BERGRIFF  mail", []string{c.ID}},
			{"mail", []string{c.ID, r.ID}},
			{"disk", []string{other.ID}},
			{"mallory", []string{r.ID}},
			{r.ID, []string{r.ID}},
			{theirs[w.harbour.ID], []string{theirs[w.harbour.ID]}},
			{"2026-999", nil},
			{controlplane.NewID(controlplane.PrefixIncident), nil},
			{"% _ '", nil},
		} {
			if got := found(tt.q); strings.Join(sorted(got), " ") != strings.Join(sorted(tt.want), " ") {
				t.Errorf("%q: got %v, want %v", tt.q, got, tt.want)
			}
		}
		same(t, "a draft before a contact", ownFound(theirs[w.maple.ID]), nil)
		for _, id := range theirs {
			must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, id, incidents.Sending{AloneWhy: "It is three in the morning."}))
		}
		same(t, "their notice", ownFound(theirs[w.maple.ID]), []string{theirs[w.maple.ID]})
		same(t, "their notice by its text", ownFound("shared-1"), []string{theirs[w.maple.ID]})
		for _, q := range []string{theirs[w.harbour.ID], c.ID, c.Number, r.ID, "übergriff", "mallory", "harbour"} {
			if got := ownFound(q); len(got) != 0 && !(len(got) == 1 && got[0] == theirs[w.maple.ID]) {
				t.Errorf("a contact finds %v by %q", got, q)
			}
		}
		for _, q := range []string{"", " \n", strings.Repeat("x", 201)} {
			if _, err := w.incidents.Find(w.ctx, w.all, q); code(err) != controlplane.CodeInvalid {
				t.Errorf("%.5q: got %v", q, err)
			}
		}
	})
}

func idsOf(f incidents.Found) (ids []string) {
	for _, c := range f.Cases {
		ids = append(ids, c.ID)
	}
	for _, n := range f.Notices {
		ids = append(ids, n.ID)
	}
	for _, r := range f.Reports {
		ids = append(ids, r.ID)
	}
	return ids
}
