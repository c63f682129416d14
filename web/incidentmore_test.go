package web_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// opened is the page of a case that somebody opened about the first server.
func (h *house) opened(p *person, title string) string {
	h.t.Helper()
	a := p.post("/incidents/new", "title", title, "servers", h.server.ID, "certainty", "suspected")
	at, _, _ := strings.Cut(a.location(), "?")
	if a.status != http.StatusSeeOther {
		h.t.Fatalf("open: %d %s\n%s", a.status, heading(a.body), between(a.body, `id="errors"`, "</div>"))
	}
	return at
}

// asked is a search as an address has it.
func asked(q string) string { return "q=" + url.QueryEscape(q) }

// What authorities ask is written into the case, or owed by somebody until a day,
// and stands in their form.
func TestWhatAuthoritiesAsk(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	h.known(ada)
	at := h.opened(ada, "The order database was copied")
	if body := html.UnescapeString(ada.page(at)); !strings.Contains(body, "Nine answers are not written yet.") {
		t.Errorf("the case does not say what is missing: %s", between(body, `id="known"`, "</section>"))
	}
	form := at + "/facts"
	soon := h.clock.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05Z")
	for _, x := range []struct{ field, value, want string }{{"f_police", strings.Repeat("x", 4001), `href="#f_police"`}, {"by", "2199-13-01", `href="#by"`}} {
		if a := ada.post(form, "version", version(ada.page(form)), "owner", h.admin.ID, "by", soon, x.field, x.value); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, x.want) {
			t.Errorf("%s: %d %s", x.field, a.status, between(a.body, `id="errors"`, "</div>"))
		} else {
			checkPage(t, a.body)
		}
	}
	body := html.UnescapeString(ada.follow(form, "version", version(ada.page(form)), "f_police", "Yes, file 7\r\n<b>Ulm</b>", "f_encrypted", "No", "owner", "", "by", ""))
	if !strings.Contains(body, "Yes, file 7") || !strings.Contains(body, "Seven answers are not written yet.") {
		t.Errorf("written: %s", between(body, `id="known"`, "</section>"))
	}
	body = html.UnescapeString(ada.follow(form, "version", version(ada.page(form)), "f_police", "Yes, file 7", "owner", h.admin.ID, "by", soon))
	if !strings.Contains(body, "Not known yet: Ada Keller finds it out by") || strings.Contains(body, "not written yet") {
		t.Errorf("owed: %s", between(body, `id="known"`, "</section>"))
	}
	h.clock.Advance(2 * time.Hour)
	ada = h.browser(h.admin.ID)
	shown := html.UnescapeString(ada.page(form))
	by := between(between(shown, `name="by"`, ">"), `value="`, `"`)
	ada.follow(form, "version", version(shown), "f_police", "Yes, file 7", "f_overseas", "No", "owner", h.admin.ID, "by", by)
	paper := html.UnescapeString(ada.page(at + "/papers/ico"))
	for _, want := range []string{"Yes, file 7.", "Was the data encrypted?", "Not known yet: Ada Keller finds it out by"} {
		if !strings.Contains(paper, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	ops := ok[identity.Person](t)(h.identity.AddStaff(h.ctx, all, identity.NewStaff{Name: "Uma Reader", Email: "uma@host.example", Role: policy.RoleSupport}))
	for name, p := range map[string]*person{"a customer": h.browser(h.owner.ID), "who may not write": h.browser(ops.ID)} {
		if a := p.get(form); a.status == http.StatusOK && strings.Contains(a.body, `name="f_police"`) {
			t.Errorf("%s is shown the form", name)
		}
	}
}

// What a page of a case says is in words that a person would use.
func TestWordsOfACase(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	h.known(ada)
	at := h.opened(ada, "The order database was copied")
	ada.follow(at+"/affect", "customer", h.maple.ID, "state", "affected", "because", "It was theirs")
	for path, want := range map[string][]string{
		at:                 {"23 h left", "nothing says that others read it", "Our own limit."},
		at + "/customers":  {"One customer is in “The order database was copied”."},
		"/incidents":       {"23 h left"},
		"/incidents/rules": {"One month"},
	} {
		h.clock.Advance(time.Minute)
		body := html.UnescapeString(ada.page(path))
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s does not say %q", path, w)
			}
		}
	}
	ada.follow(at+"/aware", "certainty", "certain", "ground", "The log shows it", "aware", "")
	ada.post(at+"/notices", "audience", "customer", "purpose", "first")
	notice := regexp.MustCompile(noticeID).FindString(ada.page(at + "/notices"))
	ada.follow("/incidents/notices/"+notice+"/tell", "how", "call", "to", "Ines Moreau", "note", "Ines has it", "at", "")
	if told := ada.page("/incidents/register"); !regexp.MustCompile(`Maple Bakery, [A-Z][a-z]{2} \d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d CES?T`).MatchString(told) {
		t.Error("the register does not say when they were told, with its day and zone")
	}
}

// Cases, notices and reports are found by reference and words; a customer finds
// their own notices, and no more.
func TestIncidentsAreFound(t *testing.T) {
	h := newSQLite(t)
	ada, ines, otto, nobody := h.browser(h.admin.ID), h.browser(h.owner.ID), h.browser(h.stranger.ID), h.browser("")
	h.known(ada)
	at := h.opened(ada, "The order database was copied")
	id := strings.TrimPrefix(at, "/incidents/")
	nobody.post("/report", "text", "Your orders are on a forum", "name", "Mara")
	ada.follow(at+"/affect", "customer", h.maple.ID, "state", "affected", "because", "It was theirs")
	ada.post(at+"/notices", "audience", "customer", "purpose", "first")
	notice := regexp.MustCompile(noticeID).FindString(ada.page(at + "/notices"))
	if body := ada.page("/incidents"); !strings.Contains(body, `action="/incidents/find"`) {
		t.Error("the list of incidents has no search")
	}
	ada.page("/incidents/find")
	for q, want := range map[string]string{"DATABASE": at, id: at, "forum": "/incidents/reports/rpt_", notice: "/incidents/notices/" + notice} {
		body := ada.page("/incidents/find?" + asked(q))
		if !strings.Contains(body, `href="`+want) || !strings.Contains(heading(body), "One was found for") {
			t.Errorf("%s: %q", q, heading(body))
		}
	}
	if body := html.UnescapeString(ada.page("/incidents/find?" + asked("<b>nowhere"))); heading(body) != "Nothing was found for “<b>nowhere”." {
		t.Errorf("nothing: %q", heading(body))
	}
	if a := ada.get("/incidents/find?" + asked(strings.Repeat("x", 300))); a.status != http.StatusUnprocessableEntity {
		t.Errorf("too long: %d", a.status)
	}
	if a := ines.get("/incidents/find?q=orders"); a.status != http.StatusNotFound && a.status != http.StatusForbidden {
		t.Errorf("a customer before the search of staff: %d", a.status)
	}
	none := func(who string, p *person, q string) {
		t.Helper()
		if body := p.page("/notices?" + asked(q)); strings.Contains(body, "/notices/"+notice) || strings.Contains(body, "rpt_") || strings.Contains(body, at) || !strings.Contains(html.UnescapeString(heading(body)), "Nothing was found") {
			t.Errorf("%s finds something by %q: %q", who, q, heading(body))
		}
	}
	none("a customer, of a draft,", ines, "maple-1")
	version := version(ada.page("/incidents/notices/" + notice))
	ada.follow("/incidents/notices/"+notice+"/send", "version", version, "alone_why", "Nobody else is awake.")
	if body := ines.page("/notices?" + asked("MAPLE-1")); !strings.Contains(body, `href="/notices/`+notice) {
		t.Errorf("their own: %q", heading(body))
	}
	if body := ines.page("/notices"); !strings.Contains(body, `action="/notices"`) {
		t.Error("what was told has no search")
	}
	none("a customer, of a case,", ines, id)
	none("a customer, of a report,", ines, "forum")
	none("another customer", otto, notice)
	none("another customer", otto, "maple-1")
}

// What contains a case is offered for all that it can be done to: persons, service
// accounts, teams and single grants.
func TestWhatActsAreOfferedFor(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	now := h.clock.Now()
	person := func(in access.NewPerson) access.Person {
		return ok[access.Person](t)(h.access.AddPerson(h.ctx, all, in))
	}
	jens := person(access.NewPerson{Kind: access.KindContractor, Name: "Jens Holm", Company: "Night GmbH", Logins: []string{"jens"}})
	bot := person(access.NewPerson{Kind: access.KindService, Name: "deploy-bot", Owner: jens.ID, Logins: []string{"deploy"}})
	gone := person(access.NewPerson{Kind: access.KindContractor, Name: "Karl Gone", Company: "Night GmbH", Logins: []string{"karl"}})
	ok[int](t)(h.access.Leave(h.ctx, all, gone.ID, "New job"))
	for kind, until := range map[access.PaperKind]time.Time{access.PaperConfidentiality: {}, access.PaperTraining: now.AddDate(0, 6, 0)} {
		ok[access.Paper](t)(h.access.AddPaper(h.ctx, all, access.Paper{Person: jens.ID, Kind: kind, Version: "1", Reference: "HR 1", From: now.AddDate(0, 0, -2), Until: until}))
	}
	team := ok[access.Team](t)(h.access.PutTeam(h.ctx, all, access.Team{Name: "Night shift", Members: []access.Member{{Person: jens.ID}}}))
	grant := ok[access.Grant](t)(h.access.Grant(h.ctx, all, access.NewGrant{Customer: h.maple.ID, Team: team.ID, Role: "operator", Reason: "Nights", Ticket: "OPS-1", Until: now.AddDate(0, 1, 0)}))
	elsewhere := ok[access.Grant](t)(h.access.Grant(h.ctx, all, access.NewGrant{Customer: h.harbour.ID, Team: team.ID, Role: "operator", Reason: "Nights", Ticket: "OPS-1", Until: now.AddDate(0, 1, 0)}))
	at := h.opened(ada, "The order database was copied")
	for kind, want := range map[string]map[string]string{
		"revoke": {jens.ID: "Jens Holm, Night GmbH", bot.ID: "Service account: deploy-bot", team.ID: "Team: Night shift", grant.ID: "One grant: Night shift, operator, at Maple Bakery"},
		"lock":   {jens.ID: "Jens Holm, Night GmbH", bot.ID: "Service account: deploy-bot"},
	} {
		body := html.UnescapeString(ada.page(at + "/act?kind=" + kind))
		for id, label := range want {
			if got := strings.TrimPrefix(between(body, `value="`+id+`"`, "</option>"), ">"); !strings.HasPrefix(got, label) {
				t.Errorf("%s: %s is offered as %q, want %q", kind, id, got, label)
			}
		}
		for _, id := range []string{gone.ID, elsewhere.ID} {
			if strings.Contains(body, id) {
				t.Errorf("%s: %s is offered", kind, id)
			}
		}
		if got := strings.Contains(body, team.ID); got != (kind == "revoke") {
			t.Errorf("%s: teams offered: %v", kind, got)
		}
	}
	body := html.UnescapeString(ada.follow(at+"/act", "kind", "revoke", "target", team.ID, "why", "It was by them"))
	if !strings.Contains(between(body, `id="doing"`, "</section>"), "Team: Night shift") {
		t.Errorf("what was done does not name the team: %s", between(body, `id="doing"`, "</section>"))
	}
}

// The public page says for how long it keeps who reported, and keeps it so.
func TestReportersAreForgotten(t *testing.T) {
	h := newSQLite(t)
	ada, nobody := h.browser(h.admin.ID), h.browser("")
	if body := html.UnescapeString(nobody.page("/report")); !strings.Contains(body, "Your name and how we can reach you are deleted 12 months after the report was dealt with.") {
		t.Error("the page does not say for how long names are kept")
	}
	a := nobody.post("/report", "text", "Your orders are on a forum", "name", "Mara Quent", "contact", "mara@example.net")
	ref := regexp.MustCompile(`rpt_[0-9a-z]{26}`).FindString(a.location())
	ada.follow("/incidents/reports/"+ref, "what", "aside", "aside", "It is an old list")
	if body := ada.page("/incidents/reports/" + ref); !strings.Contains(body, "Mara Quent") {
		t.Error("staff do not see who reported it")
	}
	h.clock.Advance(366 * 24 * time.Hour)
	ada = h.browser(h.admin.ID)
	ctx, stop := context.WithCancel(h.ctx)
	ended := make(chan error, 1)
	go func() { ended <- h.incidents.Watch(ctx) }()
	for until := time.Now().Add(time.Minute); strings.Contains(ada.page("/incidents/reports/"+ref), "Mara") && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	body := html.UnescapeString(ada.page("/incidents/reports/" + ref))
	if strings.Contains(body, "Mara") || strings.Contains(body, "mara@") || !strings.Contains(body, "their term was over") || !strings.Contains(body, "on a forum") {
		t.Errorf("after a year: %s", between(body, "<main", "</main>"))
	}
}
