package incidents_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/mail"
)

func (w *world) timeline(c incidents.Case, from, to time.Time) ([]incidents.Moment, []string) {
	w.t.Helper()
	items, partial, err := w.incidents.Timeline(w.ctx, w.all, c.ID, from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	if !slices.IsSortedFunc(items, func(a, b incidents.Moment) int { return a.At.Compare(b.At) }) {
		w.t.Error("the timeline is not in order")
	}
	return items, partial
}

func has(items []incidents.Moment, kind, part string) bool {
	return slices.ContainsFunc(items, func(m incidents.Moment) bool { return m.Kind == kind && strings.Contains(m.Text, part) })
}

func TestTimeline(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		start := w.clock.Now()
		w.around.moments = []incidents.Moment{
			{At: start.Add(-2 * time.Hour), Kind: "session", Text: "Bob began a session.", Server: w.mapleOne.ID, Path: "/sessions/ssn_1"},
			{At: start.Add(-26 * time.Hour), Kind: "login", Text: "Too early.", Server: w.mapleOne.ID},
			{At: start.Add(-time.Hour), Kind: "login", Text: "Elsewhere.", Server: w.harbourOne.ID},
			{At: start.Add(5 * time.Hour), Kind: "job", Text: "After it was contained.", Server: w.mapleOne.ID},
		}
		c := w.open([]customers.Server{w.mapleOne})
		w.run()
		w.clock.Advance(time.Hour)
		w.affect(c, w.maple)
		if err := w.incidents.Note(w.ctx, w.all, c.ID, incidents.At(start.Add(-3*time.Hour).Format(time.RFC3339)), "A strange mail came. "+hostile); err != nil {
			t.Fatal(err)
		}
		must[incidents.Task](t)(w.incidents.AddTask(w.ctx, w.all, c.ID, incidents.Task{Text: "Call them"}))
		must[incidents.Action](t)(w.incidents.Act(w.ctx, w.all, c.ID, incidents.NewAction{Kind: incidents.ActSnapshot, Why: "Evidence"}))
		must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Likelihood: incidents.Low, Severity: incidents.Low, Reasons: "Nothing personal"}))
		must[incidents.Case](t)(w.incidents.Contain(w.ctx, w.all, c.ID, "", "Firewall."))
		w.clock.Advance(6 * time.Hour)
		items, partial := w.timeline(c, time.Time{}, time.Time{})
		same(t, "partial", partial, nil)
		for _, want := range [][2]string{{"case", "was opened"}, {"case", "A strange mail came. <script>"}, {"awareness", "Maple Bakery"}, {"case", "Task: Call them."}, {"action", "Evidence."}, {"decision", "the risk is low"},
			{"case", "Contained"}, {"case", "recordings of one server"}, {"session", "Bob began"}} {
			if !has(items, want[0], want[1]) {
				t.Errorf("no %s “%s” in %v", want[0], want[1], items)
			}
		}
		for _, not := range []string{"Too early", "Elsewhere", "After it was"} {
			if has(items, "login", not) || has(items, "job", not) {
				t.Errorf("“%s” is there", not)
			}
		}
		items, _ = w.timeline(c, start.Add(-150*time.Minute), start.Add(-90*time.Minute))
		if len(items) != 1 || items[0].Path != "/sessions/ssn_1" {
			t.Errorf("of a time: got %v", items)
		}
		if _, _, err := w.incidents.Timeline(w.ctx, w.all, c.ID, start, start); code(err) != controlplane.CodeInvalid {
			t.Errorf("no time: got %v", err)
		}
		ctx, own := w.asContact(w.anna)
		if _, _, err := w.incidents.Timeline(ctx, own, c.ID, time.Time{}, time.Time{}); code(err) != controlplane.CodeNotFound {
			t.Errorf("a contact: got %v", err)
		}
	})
}

// What could not be read is said, and the rest is there; a timeline has a bound,
// which the case's own moments come before.
func TestTimelineIsPartial(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		start := w.clock.Now()
		c := w.open([]customers.Server{w.mapleOne})
		w.around.moments = []incidents.Moment{{At: start, Kind: "session", Text: "There.", Server: w.mapleOne.ID}}
		w.around.err = incidents.Unread{"The logins of maple-1 could not be read."}
		w.clock.Advance(time.Minute)
		items, partial := w.timeline(c, time.Time{}, time.Time{})
		if same(t, "partial", partial, []string{"The logins of maple-1 could not be read."}); !has(items, "session", "There.") {
			t.Errorf("the rest is gone: %v", items)
		}
		w.around.err = errors.New("dial: secret")
		if _, partial = w.timeline(c, time.Time{}, time.Time{}); len(partial) != 1 || strings.Contains(partial[0], "secret") {
			t.Errorf("partial: got %v", partial)
		}
		w.around.err, w.around.moments = nil, nil
		for i := range 1200 {
			w.around.moments = append(w.around.moments, incidents.Moment{At: start.Add(-time.Duration(i) * time.Second), Kind: "job", Text: fmt.Sprint(i), Server: w.mapleOne.ID})
		}
		items, partial = w.timeline(c, time.Time{}, time.Time{})
		if len(items) != 1000 || !has(items, "case", "was opened") || len(partial) != 1 || !strings.Contains(partial[0], "1,000") {
			t.Errorf("bound: got %d items, %v", len(items), partial)
		}
	})
}

// known writes down who we are to the law.
func (w *world) known() {
	w.t.Helper()
	must[incidents.Company](w.t)(w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Name: "Ostler Hosting", Jurisdiction: "EU", Country: "DE", Zone: "Europe/Berlin", Establishment: true,
		Authorities: []string{"BayLDA"}, Contact: "Dora Data", ContactEmail: "privacy@ostler.example", Entity: law.Entity{Scope: law.No}}))
}

func (w *world) register(year int) []incidents.RegisterEntry {
	w.t.Helper()
	return must[[]incidents.RegisterEntry](w.t)(w.incidents.Register(w.ctx, w.all, year))
}

// The register has what somebody was certain of, told or not, with why not; no
// drill, and no suspicion that was nothing. It is kept five years from the end.
func TestRegister(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		w.known()
		suspicion := func(in *incidents.NewCase) { in.Certainty = law.Suspected }
		nothing := w.open([]customers.Server{w.mapleOne}, suspicion)
		w.falseAlarm(nothing.ID, "It was us.")
		w.open([]customers.Server{w.mapleOne}, func(in *incidents.NewCase) { in.Drill = true })
		c := w.open([]customers.Server{w.mapleOne}, func(in *incidents.NewCase) { in.Title, in.OurData = "=1+1 "+hostile, law.Yes })
		w.affect(c, w.maple)
		got := w.register(0)
		if len(got) != 1 || got[0].Case.ID != c.ID || got[0].NotTold != "Nobody has decided yet." || !got[0].KeptUntil.IsZero() {
			t.Fatalf("got %+v", got)
		}
		must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Likelihood: incidents.Low, Severity: incidents.Low, Reasons: "Only test data."}))
		must[incidents.Action](t)(w.incidents.Act(w.ctx, w.all, c.ID, incidents.NewAction{Kind: incidents.ActDone, Why: "Took it off the net"}))
		must[incidents.Case](t)(w.incidents.Contain(w.ctx, w.all, c.ID, "", "Firewall."))
		for _, n := range w.drafts(c, incidents.First) {
			must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "Anna", How: "call", Note: "She knows."}))
		}
		must[incidents.Case](t)(w.incidents.Close(w.ctx, w.all, c.ID, incidents.Closing{State: incidents.Closed, Why: "Done."}))
		e := w.register(w.clock.Now().Year())[0]
		for what, ok := range map[string]bool{
			"facts":    strings.Contains(e.Facts, "=1+1") && strings.Contains(e.Facts, "1 customer affected"),
			"effects":  strings.Contains(e.Effects, "Risk: low"),
			"remedies": strings.Contains(e.Remedies, "Took it off the net") && strings.Contains(e.Remedies, "Contained"),
			"told":     len(e.Recipients) == 1 && e.Recipients[0].To == "Maple Bakery" && !e.Recipients[0].ToldAt.IsZero(),
			"not told": e.NotTold == "Only test data.",
			"kept":     e.KeptUntil.Equal(w.get(c.ID).ClosedAt.AddDate(5, 0, 0)),
		} {
			if !ok {
				t.Errorf("%s: got %+v", what, e)
			}
		}
		if got := w.register(w.clock.Now().Year() - 1); len(got) != 0 {
			t.Errorf("last year: got %v", got)
		}
		w.clock.Advance(5*366*day + time.Hour)
		if got := w.register(0); len(got) != 0 {
			t.Errorf("after five years: got %v", got)
		}
		ctx, own := w.asContact(w.anna)
		if _, err := w.incidents.Register(ctx, own, 0); code(err) != controlplane.CodeNotFound {
			t.Errorf("a contact: got %v", err)
		}
	})
}

// A form has every question of its authority; what is missing names who owes it.
func TestAuthorityForm(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		w.known()
		c := w.open([]customers.Server{w.mapleOne}, func(in *incidents.NewCase) { in.Title = hostile; in.OurData = law.Yes })
		for authority, keys := range map[string][]string{
			"ico":  {"organisation", "contact", "phase", "nature", "occurred", "discovered", "aware", "people", "records", "special_categories", "consequences", "risk", "encrypted", "training", "measures", "people_told", "regulators", "police", "processor", "delay"},
			"edpb": {"organisation", "contact", "nature", "categories", "people", "record_categories", "records", "consequences", "measures", "authority", "cross_border", "exemption", "delay"},
		} {
			f := must[incidents.Form](t)(w.incidents.AuthorityForm(w.ctx, w.all, c.ID, authority))
			byKey, missing := map[string]incidents.FormField{}, 0
			for _, x := range f.Fields {
				if byKey[x.Key] = x; (x.Answer == "") != (x.Missing != "") {
					t.Errorf("%s.%s: answer %q, missing %q", authority, x.Key, x.Answer, x.Missing)
				}
				if x.Answer == "" && x.Required {
					missing++
				}
			}
			for _, k := range keys {
				if byKey[k].Question == "" {
					t.Errorf("%s asks %s, and it is not there", authority, k)
				}
			}
			if f.Missing != missing || missing == 0 || f.Sentence == "" {
				t.Errorf("%s: missing %d of %d", authority, f.Missing, missing)
			}
			if got := byKey["organisation"].Answer; got != "Ostler Hosting" {
				t.Errorf("organisation: got %q", got)
			}
			if got := byKey["risk"].Missing; !strings.Contains(got, "Ada Admin") {
				t.Errorf("who owes it: got %q", got)
			}
		}
		w.clock.Advance(time.Minute)
		must[incidents.Decision](t)(w.incidents.Decide(w.ctx, w.all, c.ID, incidents.NewDecision{Likelihood: incidents.High, Severity: incidents.High, Authority: true, Exemption: incidents.Unintelligible, Reasons: "The key is safe."}))
		f := must[incidents.Form](t)(w.incidents.AuthorityForm(w.ctx, w.all, c.ID, "ico"))
		for _, x := range f.Fields {
			if x.Key == "encrypted" && !strings.Contains(x.Answer, "Yes") || x.Key == "people_told" && !strings.HasPrefix(x.Answer, "No.") {
				t.Errorf("%s: got %+v", x.Key, x)
			}
		}
		if _, err := w.incidents.AuthorityForm(w.ctx, w.all, c.ID, "fbi"); code(err) != controlplane.CodeInvalid {
			t.Errorf("another: got %v", err)
		}
	})
}

// That data is kept longer goes out from the first suspicion on: it enters nothing
// in the register, and no paper calls it the first notice.
func TestPapersKnowAFreezeFromANotice(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		w.known()
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne}, func(in *incidents.NewCase) { in.Certainty = law.Suspected })
		w.run()
		same(t, "told", w.sent(mail.IncidentFreeze), []string{"anna@maple.example"})
		if got := w.register(0); len(got) != 0 {
			t.Errorf("a suspicion: got %+v", got)
		}
		w.affect(c, w.maple)
		if got := w.register(0); len(got) != 1 || len(got[0].Recipients) != 0 {
			t.Errorf("certain, nobody told: got %+v", got)
		}
		p := must[incidents.Paper](t)(w.incidents.AfterAction(w.ctx, w.all, c.ID))
		for _, r := range p.Sections[1].Rows {
			if strings.Contains(r[0], "first customer") {
				t.Errorf("got %q", r)
			}
		}
	})
}

func TestAfterAction(t *testing.T) {
	each(t, func(w *world) {
		t := w.t
		c := w.open([]customers.Server{w.mapleOne}, func(in *incidents.NewCase) { in.Title = hostile })
		w.affect(c, w.maple)
		must[incidents.Task](t)(w.incidents.AddTask(w.ctx, w.all, c.ID, incidents.Task{Text: "Ask the data centre", Owner: w.bob.ID}))
		w.clock.Advance(100 * time.Hour)
		p := must[incidents.Paper](t)(w.incidents.AfterAction(w.ctx, w.all, c.ID))
		text := map[string]string{}
		for _, s := range p.Sections {
			text[s.Heading] = strings.Join(s.Paragraphs, " ")
			for _, r := range s.Rows {
				text[s.Heading] += " " + strings.Join(r, " ")
			}
		}
		for heading, want := range map[string]string{"What happened": "open still", "When it was known": "Ada Admin", "Who was told": "Nobody was told.", "What was done": "Nothing is recorded.",
			"What was late": "Maple Bakery", "What is left": "Ask the data centre. It is Bob Builder’s.", "Timeline": "was opened"} {
			if !strings.Contains(text[heading], want) {
				t.Errorf("%s: got %q, want %q in it", heading, text[heading], want)
			}
		}
		if !strings.Contains(text["What is left"], "Maple Bakery is affected, and was not reached") {
			t.Errorf("left: got %q", text["What is left"])
		}
	})
}
