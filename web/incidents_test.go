package web_test

import (
	"encoding/csv"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// letters are the mails that incidents asked for.
type letters struct {
	mu   sync.Mutex
	sent map[string]incidents.Letter // by key
}

// Enqueue implements incidents.Mailer.
func (l *letters) Enqueue(_ *db.Tx, x incidents.Letter) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sent == nil {
		l.sent = map[string]incidents.Letter{}
	}
	l.sent[x.Key] = x
	return controlplane.NewID(controlplane.PrefixMail), nil
}

// to reports whether a mail went to an address.
func (l *letters) to(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.sent {
		if x.To == address {
			return true
		}
	}
	return false
}

// colleague is another one of ours who may work on incidents.
func (h *house) colleague() identity.Person {
	h.t.Helper()
	return ok[identity.Person](h.t)(h.identity.AddStaff(h.ctx, all, identity.NewStaff{Name: "Tomas Lind", Email: "tomas@host.example", Role: policy.RoleOps}))
}

// follow sends a form that must go through, and shows the page that it leads to.
func (p *person) follow(path string, pairs ...string) string {
	p.h.t.Helper()
	a := p.post(path, pairs...)
	if a.status != http.StatusSeeOther {
		p.h.t.Fatalf("POST %s: %d %s\n%s", path, a.status, heading(a.body), between(a.body, `id="errors"`, "</div>"))
	}
	return p.page(a.location())
}

// noticeID is a notice in an address.
const noticeID = `bnt_[0-9a-z]{26}`

// From one sentence to a notice that the customer has acknowledged, by forms
// only; each step of it is on the page of the case.
func TestAnIncidentFromOneSentence(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada, ines, otto := h.browser(h.admin.ID), h.browser(h.owner.ID), h.browser(h.stranger.ID)
		h.known(ada)
		if a := ada.post("/incidents", "title", " "); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="title-error"`) {
			t.Fatalf("no sentence: %d", a.status)
		}
		opened := ada.post("/incidents", "title", "I think we were hacked <script>alert(1)</script>")
		at, _, _ := strings.Cut(opened.location(), "?")
		if opened.status != http.StatusSeeOther || !strings.HasPrefix(at, "/incidents/inc_") {
			t.Fatalf("open: %d %s\n%s", opened.status, opened.location(), heading(opened.body))
		}
		body := ada.page(at)
		if strings.Contains(body, "<script>alert") || !strings.Contains(heading(body), "I think we were hacked") || !strings.Contains(body, "Say which servers or customers it touches") {
			t.Errorf("the case: %q", heading(body))
		}
		body = ada.follow(at+"/affect", "servers", h.server.ID, "state", "possible", "because", "It is that server")
		if !strings.Contains(body, "Maple Bakery") || strings.Contains(body, "Harbour Mail") {
			t.Errorf("who lives on the server is not in it alone: %q", heading(body))
		}
		h.everyPageOf(ada, at)
		for who, p := range map[string]*person{"ines": ines, "otto": otto} {
			home, mine := p.page("/home"), who == "ines"
			if got := strings.Contains(heading(home), "e are looking into something that may concern maple-1. We will tell you what we know."); got != mine {
				t.Errorf("%s is told of it: %v, want %v: %q", who, got, mine, heading(home))
			}
			if strings.Contains(home, "hacked") {
				t.Errorf("%s reads what staff wrote", who)
			}
			if a := p.get(at); a.status != http.StatusNotFound {
				t.Errorf("the case for %s: %d", who, a.status)
			}
		}
		if said := heading(ada.page("/today")); !strings.Contains(said, "an incident is open that touches maple-1") {
			t.Errorf("Today says %q", said)
		}
		body = ada.follow(at+"/affect", "customer", h.maple.ID, "state", "affected", "because", "The order database was read")
		if !strings.Contains(body, "One customer is affected.") || !strings.Contains(body, "How this is computed") || !strings.Contains(body, "Tell the customer") {
			t.Errorf("no clock of the customer's: %q", heading(body))
		}
		h.everyPageOf(ada, at)
		sent := ada.post(at+"/notices", "audience", "customer", "purpose", "first")
		notice := regexp.MustCompile(noticeID).FindString(sent.location())
		if notice == "" {
			notice = regexp.MustCompile(noticeID).FindString(ada.page(at + "/notices"))
		}
		page := "/incidents/notices/" + notice
		for _, path := range []string{"", "/edit", "/edit?field=people", "/tell", "/discard"} {
			ada.page(page + path)
		}
		if a := ines.get("/notices/" + notice); a.status != http.StatusNotFound {
			t.Errorf("a draft is before the customer: %d", a.status)
		}
		version := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(ada.page(page + "/edit"))[1]
		body = ada.follow(page+"/edit", "version", version, "f_people", "100-200", "f_nature", "Somebody read the orders <b>", "owner", h.admin.ID, "by", clock.Now().AddDate(0, 0, 1).UTC().Format("2006-01-02T15:04"), "lang", "en", "words", "We are sorry.")
		if !strings.Contains(body, "100 to 200") || !strings.Contains(body, "Ada Keller finds it out") || !strings.Contains(body, "Somebody read the orders &lt;b&gt;") {
			t.Errorf("what was written is not there:\n%s", between(body, `id="fields"`, "</section>"))
		}
		version = regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(body)[1]
		if body = ada.follow(page+"/send", "version", version, "alone_why", "Nobody else is awake."); !strings.Contains(body, "Exactly as it was sent") || !strings.Contains(body, "SHA-256") {
			t.Errorf("sent: %q", heading(body))
		}
		if !h.letters.to("ine@maple-bakery.example") || h.letters.to("ott@harbour-mail.example") {
			t.Error("the mail does not go to the customer, or goes to another one")
		}
		if a := otto.get("/notices/" + notice); a.status != http.StatusNotFound {
			t.Errorf("another customer's notice: %d", a.status)
		}
		if body = ines.page("/notices"); !strings.Contains(body, notice) || !strings.Contains(heading(body), "maple-1") {
			t.Errorf("the list of what was told: %q", heading(body))
		}
		if a := ines.get(page); a.location() != "/notices/"+notice {
			t.Errorf("the address that staff have: %d %s", a.status, a.location())
		}
		if body = ines.page("/notices/" + notice); !strings.Contains(body, "Somebody read the orders") {
			t.Error("the text is not there")
		}
		if body = ada.page(page); !strings.Contains(heading(body), "opened") {
			t.Errorf("opening it was not noted: %q", heading(body))
		}
		ines.follow("/notices/" + notice + "/acknowledge")
		if body = ada.page(at); !strings.Contains(body, "acknowledged") || !strings.Contains(body, "One was told.") {
			t.Errorf("the case does not know that they have it: %q", heading(body))
		}
		h.everyPageOf(ada, at)
		if a := otto.post("/notices/" + notice + "/acknowledge"); a.status != http.StatusNotFound {
			t.Errorf("somebody else's word for it: %d", a.status)
		}
	})
}

// known says who the company is: whom to ask stands in every notice.
func (h *house) known(ada *person) {
	h.t.Helper()
	ada.follow("/incidents/company", "version", version(ada.page("/incidents/company")), "name", "Harbour Hosting", "jurisdiction", "EU", "country", "DE", "zone", "Europe/Berlin", "contact", "Priya Nair", "contact_email", "privacy@host.example", "entity_type", "unknown", "entity_size", "unknown", "authorities", "BlnBDI")
}

// everyPageOf looks at every page and form of a case.
func (h *house) everyPageOf(p *person, at string) {
	h.t.Helper()
	for _, path := range []string{"", "/clocks", "/customers", "/edit", "/impact", "/contain", "/handled", "/aware", "/known", "/affect", "/affect?customer=" + h.maple.ID, "/clear?customer=" + h.maple.ID, "/close", "/close?state=false_alarm", "/merge", "/split",
		"/tasks/new", "/note", "/timeline", "/act", "/act?kind=snapshot", "/act?kind=lock", "/act?kind=rotate", "/act?kind=done", "/decide", "/freeze", "/notices", "/notices/all", "/papers/ico", "/papers/edpb", "/papers/after"} {
		p.page(at + path)
	}
}

// What is done in a case is done by forms that say what is wrong with them.
func TestWorkInACase(t *testing.T) {
	h := newSQLite(t)
	ada, tomas := h.browser(h.admin.ID), h.browser(h.colleague().ID)
	h.known(ada)
	a := ada.post("/incidents/new", "title", "A disk was lost", "servers", h.server.ID, "customers", h.harbour.ID, "certainty", "suspected", "kinds", "loss", "summary", "two\r\nlines", "drill", "1")
	at, _, _ := strings.Cut(a.location(), "?")
	if a.status != http.StatusSeeOther {
		t.Fatalf("open: %d %s\n%s", a.status, heading(a.body), between(a.body, `id="errors"`, "</div>"))
	}
	if body := ada.page(at); !strings.Contains(body, "Exercise. Nothing leaves the house.") || !strings.Contains(body, "Harbour Mail") || !strings.Contains(body, "Maple Bakery") {
		t.Errorf("an exercise does not say so, or customers are missing: %q", heading(body))
	}
	if body := ada.page(at + "/edit"); !strings.Contains(body, "Exercise. Nothing leaves the house.") {
		t.Error("the mark of an exercise does not stand across its forms")
	}
	for _, x := range []wrongForm{
		{"/contain", "at", "2199-01-01T00:00", "future"}, {"/aware", "aware", "2025-10-26T02:30", "twice"}, {"/aware", "ground", "", "ground"}, {"/close?state=closed", "why", "", "why"}, {"/tasks/new", "text", "", "text"}, {"/decide", "reasons", "", "likelihood"}, {"/act", "kind", "lock", "target"}, {"/merge", "into", "", "into"}, {"/freeze", "until", "", "until"},
	} {
		if a := ada.post(at+x.path, x.with(x.field, x.value)...); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, x.want) {
			t.Errorf("%s with %s %q: %d %s", x.path, x.field, x.value, a.status, between(a.body, `id="errors"`, "</div>"))
		} else {
			checkPage(t, a.body)
		}
	}
	ada.follow(at+"/tasks/new", "text", "Call the post", "owner", h.admin.ID)
	task := regexp.MustCompile(`tsk_[0-9a-z]{26}`).FindString(ada.page(at))
	ada.page(at + "/tasks/" + task)
	ada.follow(at+"/tasks/"+task, "note", "They look for it")
	ada.follow(at+"/act", "kind", "done", "why", "Called the post")
	ada.follow(at+"/note", "text", "The post says that it was scanned in Ulm")
	if body := ada.page(at + "/timeline"); !strings.Contains(body, "scanned in Ulm") {
		t.Error("the timeline does not have the note")
	}
	ada.follow(at+"/decide", "likelihood", "low", "severity", "medium", "reasons", "The disk is encrypted")
	ada.follow(at+"/contain", "how", "Its key was destroyed")
	ada.follow(at+"/clear", "customer", h.harbour.ID, "why", "Nothing of theirs was on it")
	body := ada.follow(at+"/aware", "certainty", "certain", "ground", "The disk is not there", "aware", "")
	asr := regexp.MustCompile(`supersedes=(asr_[0-9a-z]{26})`).FindAllStringSubmatch(body, -1)
	if len(asr) == 0 {
		t.Fatalf("no word of awareness can be corrected:\n%s", between(body, `id="awareness"`, "</section>"))
	}
	h.clock.Advance(20 * time.Minute)
	last := asr[len(asr)-1][1]
	ada.page(at + "/aware?supersedes=" + last)
	ada.follow(at+"/aware", "supersedes", last, "certainty", "certain", "ground", "It was still there at noon", "aware", h.clock.Now().Add(-time.Minute).UTC().Format("2006-01-02T15:04:05Z"))
	if body = ada.page(at); !strings.Contains(body, "waits for a second person") || strings.Contains(body, "/confirm\"") {
		t.Error("a correction to a later time is not waiting, or its author may confirm it")
	}
	path := regexp.MustCompile(`/incidents/inc_[0-9a-z]{26}/aware/asr_[0-9a-z]{26}/confirm`).FindString(tomas.page(at))
	if path == "" {
		t.Fatal("a colleague is not offered to confirm it")
	}
	if body = tomas.follow(path); !strings.Contains(body, "confirmed by Tomas Lind") {
		t.Error("it is not confirmed")
	}
	ada.page(at + "/known")
	if body = ada.follow(at+"/close", "state", "closed", "why", "The exercise is over"); !strings.Contains(heading(body), "closed") {
		t.Errorf("closed: %q", heading(body))
	}
	ada.page(at + "/reopen")
	ada.follow(at+"/reopen", "wrongly", "wrongly", "why", "It was not over")
}

// wrongForm is a form with one field that is wrong, and what the answer must say.
type wrongForm struct{ path, field, value, want string }

// with fills in the rest of what such forms ask for.
func (w wrongForm) with(field, value string) []string {
	out := []string{field, value}
	for k, v := range map[string]string{"certainty": "suspected", "how": "Its key was destroyed", "ground": "Somebody saw it"} {
		if k != field {
			out = append(out, k, v)
		}
	}
	return out
}

// Anybody can report something without signing in, is given a reference, and not
// without end; what comes of it staff decide.
func TestReportsFromOutside(t *testing.T) {
	h := newSQLite(t)
	nobody, ada, ines := h.browser(""), h.browser(h.admin.ID), h.browser(h.owner.ID)
	body := nobody.page("/report")
	if strings.Contains(body, `aria-label="Main"`) || strings.Contains(body, "<script type=\"module\" src=\"\"") {
		t.Error("the public page has a navigation")
	}
	if a := nobody.post("/report", "text", ""); a.status != http.StatusUnprocessableEntity {
		t.Errorf("nothing said: %d", a.status)
	}
	a := nobody.post("/report", "text", "Your login page looks odd <img src=x>", "contact", "mara@example.net")
	ref := regexp.MustCompile(`rpt_[0-9a-z]{26}`).FindString(a.location())
	if a.status != http.StatusSeeOther || ref == "" {
		t.Fatalf("report: %d %s %s", a.status, a.location(), heading(a.body))
	}
	if body = nobody.page(a.location()); !strings.Contains(body, ref) || strings.Contains(body, "login page") {
		t.Errorf("the reference: %q", heading(body))
	}
	if body = nobody.page("/report?ref=" + url.QueryEscape(`"><b>`)); strings.Contains(body, "Reference") {
		t.Error("a made-up reference is shown")
	}
	for range 6 {
		a = nobody.post("/report", "text", "again")
	}
	if a.status != http.StatusTooManyRequests {
		t.Errorf("the seventh in an hour: %d, want 429", a.status)
	}
	checkPage(t, a.body)
	r := ok[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/report", strings.NewReader("text=x")))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := nobody.do(r); a.status != http.StatusForbidden {
		t.Errorf("a form of another site: %d", a.status)
	}
	if a := ines.get("/report"); a.location() != "/notices/report" {
		t.Errorf("a customer is led to %q", a.location())
	}
	ines.page("/notices/report")
	ines.follow("/notices/report", "text", "Orders that nobody made", "server", h.server.ID)
	if body = ines.page("/notices"); !strings.Contains(body, "Orders that nobody made") || strings.Contains(body, "login page") {
		t.Error("a customer does not see their own report alone")
	}
	if a := h.browser(h.stranger.ID).post("/notices/report", "text", "x", "server", h.server.ID); a.status != http.StatusNotFound {
		t.Errorf("about another customer's server: %d", a.status)
	}
	body = ada.page("/incidents")
	if !strings.Contains(body, "Orders that nobody made") || !strings.Contains(body, ref) || strings.Contains(body, "<img src=x>") {
		t.Errorf("staff do not see the reports: %q", heading(body))
	}
	ada.page("/incidents/reports/" + ref)
	if a := ada.post("/incidents/reports/"+ref, "what", "aside"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("set aside without a word: %d", a.status)
	}
	if body = ada.follow("/incidents/reports/"+ref, "what", "new", "title", "The login page was changed"); !strings.Contains(heading(body), "The login page was changed") {
		t.Errorf("a case of it: %q", heading(body))
	}
	ada.page("/incidents/reports?all=1")
	ada.page("/incidents/reports/" + ref)
}

// What holds for every case: who we are, contracts, rules, the register, advisories.
func TestTheHouseOfIncidents(t *testing.T) {
	h := newSQLite(t)
	ada, tomas := h.browser(h.admin.ID), h.browser(h.colleague().ID)
	for _, path := range []string{"/incidents", "/incidents/new", "/incidents/reports", "/incidents/register", "/incidents/register?year=2026", "/incidents/advisories", "/incidents/advisories/new", "/incidents/company", "/incidents/terms", "/incidents/terms?customer=" + h.maple.ID, "/incidents/rules"} {
		ada.page(path)
		tomas.page(path)
	}
	h.known(ada)
	body := ada.page("/incidents/company")
	if !strings.Contains(body, "Priya Nair") {
		t.Error("the profile was not kept")
	}
	if a := tomas.post("/incidents/company", "name", "x"); a.status != http.StatusForbidden {
		t.Errorf("the profile by who may not: %d", a.status)
	}
	page := "/incidents/terms?customer=" + h.maple.ID
	body = ada.follow("/incidents/terms", "customer", h.maple.ID, "version", version(ada.page(page)), "amount", "12", "unit", "hours", "role", "controller", "jurisdiction", "", "from_suspicion", "1")
	if !strings.Contains(body, `value="12"`) {
		t.Error("the terms were not kept")
	}
	if a := ada.post("/incidents/rules", "pack", "{"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("rules that are none: %d", a.status)
	} else {
		checkPage(t, a.body)
	}
	a := ada.get("/incidents/register.csv")
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) == 0 || !slices.Contains(rows[0], "kept_until") {
		t.Errorf("csv: %d %v %v", a.status, rows, err)
	}
	planned := ada.post("/incidents/advisories", "purpose", "change", "title", "The office closes at noon", "text", "On 24 December.", "customers", h.maple.ID, "ground", "They call us")
	if planned.status != http.StatusSeeOther {
		t.Fatalf("plan: %d %s", planned.status, between(planned.body, `id="errors"`, "</div>"))
	}
	at, _, _ := strings.Cut(planned.location(), "?")
	if body = ada.page(at); !strings.Contains(body, "Maple Bakery") || h.letters.to("ine@maple-bakery.example") {
		t.Error("it does not say whom it concerns, or was sent already")
	}
	ada.follow(at + "/send")
	ada.page("/incidents/advisories")
}

// version is the version that a form carries.
func version(page string) string {
	m := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}

// A finding that may be the first sight of an incident leads to a case about it,
// with what is known filled in; not for customers, and not from every finding.
func TestFromAFindingToACase(t *testing.T) {
	clock := &dbtest.Clock{}
	d := dbtest.SQLite(t, clock)
	h := newHouse(t, d, clock)
	if err := d.Write(h.ctx, func(tx *db.Tx) error {
		if err := h.findings.Raise(tx, findings.Finding{Key: "backup.missed:x", Kind: findings.BackupMissed, Customer: h.maple.ID, Server: h.server.ID, Severity: findings.Bad, Owner: findings.Ops}); err != nil {
			return err
		}
		return h.findings.Raise(tx, findings.Finding{Key: "server.silent:x", Kind: findings.ServerSilent, Customer: h.maple.ID, Server: h.server.ID, Severity: findings.Bad, Owner: findings.Ops})
	}); err != nil {
		t.Fatal(err)
	}
	today := h.browser(h.admin.ID).page("/today")
	if got := strings.Count(today, "/incidents/new?"); got != 1 {
		t.Fatalf("ways to a new case: got %d, want one", got)
	}
	form := h.browser(h.admin.ID).page(html.UnescapeString(regexp.MustCompile(`/incidents/new\?[^"]*`).FindString(today)))
	for _, want := range []string{h.server.Name, h.maple.Name} {
		if !strings.Contains(form, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	if home := h.browser(h.owner.ID).page("/home"); strings.Contains(home, "/incidents/new") {
		t.Error("a customer is led to a case")
	}
}
