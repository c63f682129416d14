package incidents_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// asOf are a case's clocks as they were known at an instant, by rule and customer.
func (w *world) asOf(c incidents.Case, known time.Time) map[string]incidents.Clock {
	w.t.Helper()
	_, clocks, err := w.incidents.AsKnown(w.ctx, w.all, c.ID, known)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.byRule(clocks)
}

// packWith is the shipped pack under another version, with a rule in place of the
// authority's 72 hours.
func packWith(t *testing.T, rules string) []byte {
	t.Helper()
	const was = `{"id": "gdpr-33-1",`
	shipped := law.ShippedJSON()
	i := bytes.Index(shipped, []byte(was))
	j := i + bytes.Index(shipped[i:], []byte("},\n")) + 2
	if i < 0 || j < i {
		t.Fatal("the rule is not there")
	}
	pack := append(append(bytes.Clone(shipped[:i]), []byte(rules)...), shipped[j:]...)
	return bytes.Replace(pack, []byte(`"pack": "`), []byte(`"pack": "ours-`), 1)
}

// authority is a rule of the Union's authority in force between days.
func authority(hours, from, to string) string {
	return `{"id": "gdpr-33-1", "jurisdiction": "EU", "regime": "GDPR", "title": "Tell", "trigger": "controller_aware", "amount": ` + hours + `, "unit": "hours", "calendar": "1182/71",
	"recipient": "authority", "from": "` + from + `", "to": "` + to + `", "source": "A law", "enabled": true},`
}

// A law that changes changes nothing that began before: by its own dates, and not by
// when somebody loaded it.
func TestRulesByTrigger(t *testing.T) {
	each(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		ours := func(in *incidents.NewCase) { in.OurData = law.Yes }
		before := w.open(nil, ours)
		p, sum, since, err := w.incidents.Rules(w.ctx, w.all)
		if err != nil || p.Version == "" || len(sum) != 64 || !since.IsZero() {
			t.Fatalf("shipped: %s %s %v %v", p.Version, sum, since, err)
		}
		// A law with 96 hours, from the next day on.
		w.clock.Advance(time.Hour)
		pack := packWith(t, authority("72", "2018-05-25", "2026-11-21")+authority("96", "2026-11-21", ""))
		loaded := must[law.Pack](t)(w.incidents.LoadRules(w.ctx, w.all, pack))
		if !strings.HasPrefix(loaded.Version, "ours-") {
			t.Errorf("loaded: %s", loaded.Version)
		}
		must[law.Pack](t)(w.incidents.LoadRules(w.ctx, w.all, pack)) // again: nothing
		if _, now, since, err := w.incidents.Rules(w.ctx, w.all); err != nil || now == sum || !since.Equal(w.clock.Now()) {
			t.Errorf("now: %s since %v, %v", now, since, err)
		}
		after := w.open(nil, ours)
		w.till("2026-11-21T09:00:00Z")
		next := w.open(nil, ours)
		w.wantClock(before, "gdpr-33-1", "running until 2026-11-23T09:00:00Z")
		w.wantClock(after, "gdpr-33-1", "running until 2026-11-23T10:00:00Z")
		w.wantClock(next, "gdpr-33-1", "running until 2026-11-25T09:00:00Z")
		entries := w.entries("incident.rules")
		if len(entries) != 2 || entries[1].Data["rules"] != string(pack) || entries[1].Data["pack"] != loaded.Version || entries[1].Data["sha256"] == sum || len(entries[1].Data["sha256"].(string)) != 64 {
			t.Errorf("the ledger has %d, and the pack whole with its version and SHA-256: %v", len(entries), len(entries) == 2)
		}
		for name, bad := range map[string]string{"nothing": "", "no rule": `{"pack": "x", "rules": []}`, "a word": `{"pack": "x", "rules": [{"id": "y"}]}`, "too much": `{"pack": "` + strings.Repeat("x", 50_000) + `"}`} {
			if _, err := w.incidents.LoadRules(w.ctx, w.all, []byte(bad)); code(err) != controlplane.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A rule that was in force at the trigger, and that somebody loads later, counts from
// when it was loaded; what was known before stays known so.
func TestRulesKnownLater(t *testing.T) {
	each(t, func(w *world) {
		must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, berlin))
		c := w.open(nil, func(in *incidents.NewCase) { in.OurData = law.Yes })
		w.clock.Advance(10 * time.Hour)
		before := w.clock.Now()
		w.clock.Advance(time.Hour)
		must[law.Pack](t)(w.incidents.LoadRules(w.ctx, w.all, packWith(t, authority("48", "2026-11-01", "")))) // in force since the beginning of the month
		w.wantClock(c, "gdpr-33-1", "running until 2026-11-22T09:00:00Z")
		if next := w.get(c.ID).NextDue; !next.Equal(instant(t, "2026-11-22T09:00:00Z")) {
			t.Errorf("what Watch waits for: %v", next)
		}
		if got, want := state(w.asOf(c, before)["gdpr-33-1"]), "running until 2026-11-23T09:00:00Z"; got != want {
			t.Errorf("as known before: %q, want %q", got, want)
		}
		if got, want := state(w.asOf(c, w.clock.Now())["gdpr-33-1"]), "running until 2026-11-22T09:00:00Z"; got != want {
			t.Errorf("as known since: %q, want %q", got, want)
		}
	})
}
