package incidents_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
)

// facts writes facts of a case.
func (w *world) facts(c incidents.Case, facts ...incidents.Field) incidents.Case {
	w.t.Helper()
	return must[incidents.Case](w.t)(w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Facts: facts}))
}

// fact is a fact of a case.
func fact(t testing.TB, c incidents.Case, key string) incidents.Field {
	t.Helper()
	for _, f := range c.Facts {
		if f.Key == key {
			return f
		}
	}
	t.Fatalf("no fact %s: %v", key, c.Facts)
	return incidents.Field{}
}

func isKnown(key, value string) incidents.Field {
	return incidents.Field{Key: key, Known: incidents.IsKnown, Value: value}
}

// What the form of the Information Commissioner asks is all there: with an answer,
// or as not known yet with who owes it.
func TestICOFormNamesEveryField(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		w.known()
		form := func(c incidents.Case) map[string]incidents.FormField {
			out := map[string]incidents.FormField{}
			for _, x := range must[incidents.Form](t)(w.incidents.AuthorityForm(w.ctx, w.all, c.ID, incidents.FormICO)).Fields {
				out[x.Key] = x
			}
			return out
		}
		bare := w.open([]customers.Server{w.mapleOne}, func(in *incidents.NewCase) { in.Kinds = nil })
		full := w.open([]customers.Server{w.mapleOne})
		by := w.clock.Now().Add(day)
		var known []incidents.Field
		for _, key := range incidents.CaseFactKeys() {
			known = append(known, isKnown(key, "What is known of "+key))
		}
		w.facts(full, known...)
		w.facts(bare, incidents.Field{Key: "police", Known: incidents.IsUnknown, Owner: w.bob.ID, By: by})
		had, lacks := form(full), form(bare)
		for _, x := range []struct{ what, key, own, lacks string }{
			{"first report or follow-up", "phase", "", ""},
			{"nature", "nature", "", ""},
			{"kinds", "kinds", "", "Not known yet."},
			{"when it was discovered", "discovered", "", ""},
			{"who discovered it, and how", "discovered_by", "discovered", "Not known yet."},
			{"when it happened", "occurred", "", "Not known yet."},
			{"whose data", "categories", "", "Not known yet."},
			{"how many people", "people", "", "Not known yet."},
			{"which records", "record_categories", "", "Not known yet."},
			{"how many records", "records", "", "Not known yet."},
			{"special categories", "special_categories", "special_categories", "Not known yet."},
			{"consequences", "consequences", "", "Not known yet."},
			{"likelihood and severity", "risk", "", "Not known yet."},
			{"encrypted", "encrypted", "encrypted", "Not known yet."},
			{"staff trained within two years", "training", "training", "Not known yet."},
			{"actions", "measures", "", "Not known yet."},
			{"subjects told", "people_told", "", "Not known yet."},
			{"other regulators", "regulators", "regulators", "Not known yet."},
			{"police", "police", "police", "Not known yet: Bob Builder finds it out by "},
			{"overseas", "overseas", "overseas", "Not known yet."},
			{"our part as processor", "processor", "", ""},
			{"processors involved", "processors", "processors", "Not known yet."},
			{"why more than 72 hours", "delay", "", "Not known yet."},
			{"data protection officer or contact", "contact", "", ""},
			{"prevention", "prevention", "prevention", "Not known yet."},
		} {
			if had[x.key].Question == "" {
				t.Errorf("%s: the form does not ask it", x.what)
			}
			if want := "What is known of " + x.own + "."; x.own != "" && had[x.key].Answer != want {
				t.Errorf("%s: got %q, want %q", x.what, had[x.key].Answer, want)
			}
			if got := lacks[x.key]; x.lacks == "" && got.Answer == "" || x.lacks != "" && (got.Answer != "" || !strings.HasPrefix(got.Missing, x.lacks)) {
				t.Errorf("%s: got %+v, want %q", x.what, got, x.lacks)
			}
		}
		if got := lacks["special_categories"].Missing; !strings.Contains(got, "Ada Admin leads the case") {
			t.Errorf("who owes it: got %q", got)
		}
		if got := w.register(0)[0].Facts; !strings.Contains(got, "Special categories of data: What is known of special_categories.") {
			t.Errorf("register: got %q", got)
		}
	})
}

// A fact is known, or unknown with one of our people and a time to come.
func TestCaseFactsRefused(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open(nil)
		soon := w.clock.Now().Add(time.Hour)
		for what, x := range map[string]struct {
			f    incidents.Field
			want string
		}{
			"no such fact":    {isKnown("weather", "fine"), "/facts/0/key"},
			"nothing said":    {isKnown("police", " \n"), "/facts/0/value"},
			"too long":        {isKnown("police", strings.Repeat("ä", 4001)), "/facts/0/value"},
			"a range":         {incidents.Field{Key: "police", Known: incidents.IsRange, High: 3}, "/facts/0/known"},
			"nobody owes it":  {incidents.Field{Key: "police", Known: incidents.IsUnknown, By: soon}, "/facts/0/owner"},
			"no such person":  {incidents.Field{Key: "police", Known: incidents.IsUnknown, Owner: controlplane.NewID(controlplane.PrefixStaff), By: soon}, "/facts/0/owner"},
			"a contact":       {incidents.Field{Key: "police", Known: incidents.IsUnknown, Owner: w.anna.ID, By: soon}, "/facts/0/owner"},
			"no time":         {incidents.Field{Key: "police", Known: incidents.IsUnknown, Owner: w.bob.ID}, "/facts/0/by"},
			"a time past":     {incidents.Field{Key: "police", Known: incidents.IsUnknown, Owner: w.bob.ID, By: w.clock.Now().Add(-time.Hour)}, "/facts/0/by"},
			"an unknown word": {incidents.Field{Key: "police", Known: "perhaps"}, "/facts/0/known"},
		} {
			_, err := w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Facts: []incidents.Field{x.f}})
			if got := pointers(err); len(got) != 1 || got[0] != x.want {
				t.Errorf("%s: got %v (%v), want %s", what, got, err, x.want)
			}
		}
		if _, err := w.incidents.Update(w.ctx, w.all, c.ID, 0, incidents.CaseChange{Facts: []incidents.Field{isKnown("police", "a"), isKnown("police", "b")}}); code(err) != controlplane.CodeInvalid {
			t.Errorf("twice: got %v", err)
		}
	})
}

// Facts are sealed, followed through time, taken away, and go along when a case
// goes on in another.
func TestCaseFactsCourse(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c, other := w.open(nil), w.open(nil)
		due := w.clock.Now().Add(time.Hour)
		owed := incidents.Field{Key: "police", Known: incidents.IsUnknown, Owner: w.bob.ID, By: due}
		w.facts(c, owed, isKnown("training", hostile))
		if got := fact(t, w.get(c.ID), "police"); got.Known != incidents.IsUnknown || got.Owner != w.bob.ID || !got.By.Equal(due) {
			t.Errorf("owed: got %+v", got)
		}
		before := w.clock.Now()
		w.clock.Advance(2 * time.Hour)
		w.facts(c, owed, isKnown("encrypted", "No")) // overdue, and shown again by whoever edits the rest
		w.facts(c, isKnown("police", "Yes, file 7"), incidents.Field{Key: "training"})
		if got := w.get(c.ID); fact(t, got, "police").Value != "Yes, file 7" || fact(t, got, "training").Known != incidents.Empty || fact(t, got, "encrypted").Value != "No" {
			t.Errorf("facts: got %+v", got.Facts)
		}
		was, _, err := w.incidents.AsKnown(w.ctx, w.all, c.ID, before)
		if err != nil || fact(t, was, "police").Known != incidents.IsUnknown || fact(t, was, "training").Value == "" {
			t.Errorf("as known: got %+v, %v", was.Facts, err)
		}
		var sealed []byte
		if err := w.db.Read(w.ctx, func(tx *db.Tx) error {
			return tx.Raw("SELECT data FROM incident_cases WHERE id = ?", c.ID).Row().Scan(&sealed)
		}); err != nil || len(sealed) == 0 || strings.Contains(string(sealed), "file 7") {
			t.Errorf("not sealed: %d bytes, %v", len(sealed), err)
		}
		entries := w.entries("incident.changed")
		if got := entries[len(entries)-1].Data["fields"]; len(got.([]any)) != 2 {
			t.Errorf("entry: got %v", got)
		}
		w.facts(other, isKnown("encrypted", "Yes"), isKnown("overseas", "No"))
		got := must[incidents.Case](t)(w.incidents.Merge(w.ctx, w.all, c.ID, other.ID, "One and the same."))
		for key, want := range map[string]string{"police": "Yes, file 7", "encrypted": "Yes\nNo", "overseas": "No"} {
			if f := fact(t, got, key); f.Value != want {
				t.Errorf("merged %s: got %q, want %q", key, f.Value, want)
			}
		}
	})
}

// pointers are the fields that an error is about.
func pointers(err error) (out []string) {
	var e *controlplane.Error
	if errors.As(err, &e) {
		for _, f := range e.Fields {
			out = append(out, f.Pointer)
		}
	}
	return out
}
