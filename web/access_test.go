package web_test

import (
	"encoding/csv"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// papered is a person on lists who has the papers that a grant asks for.
func (h *house) papered(name string) access.Person {
	h.t.Helper()
	x := ok[access.Person](h.t)(h.access.AddPerson(h.ctx, all, access.NewPerson{Kind: access.KindContractor, Company: "Night GmbH", Name: name, TeleportUsers: []string{strings.ToLower(name[:3])}}))
	for _, k := range []access.PaperKind{access.PaperConfidentiality, access.PaperTraining} {
		ok[access.Paper](h.t)(h.access.AddPaper(h.ctx, all, access.Paper{Person: x.ID, Kind: k, From: h.clock.Now().Add(-time.Hour), Until: h.clock.Now().AddDate(1, 0, 0), Reference: "HR 1"}))
	}
	return x
}

func (h *house) day(days int) string {
	return h.clock.Now().AddDate(0, 0, days).Format(time.DateOnly)
}

// From the form to the customer's page, its table and its document, and off it
// again: yesterday's list still shows them.
func TestAGrantGoesThroughThePages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada, ines, otto := h.browser(h.admin.ID), h.browser(h.owner.ID), h.browser(h.stranger.ID)
		tomas := h.papered("Tomas Łukaszewicz")
		form := url.Values{"customer": {h.maple.ID}, "person": {tomas.ID}, "role": {"operator"}, "reason": {"=1+1 looks after the shop"}, "ticket": {"OPS-7"}, "until": {h.day(30)}}
		if a := ada.send("/access/grants", url.Values{"customer": {h.maple.ID}, "person": {tomas.ID}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#reason"`) || !strings.Contains(a.body, `value="`+tomas.ID+`" selected`) {
			t.Errorf("an empty form: %d", a.status)
		}
		check := ada.send("/access/grants", form)
		if check.status != http.StatusOK || !strings.Contains(check.body, "Is this right?") || !strings.Contains(check.body, `name="checked"`) {
			t.Fatalf("check: %d %s", check.status, between(check.body, `id="errors"`, "</div>"))
		}
		checkPage(t, check.body)
		if strings.Contains(ines.page("/access"), "Łukaszewicz") {
			t.Error("they are on the list before anybody said so")
		}
		form.Set("checked", "1")
		made := ada.send("/access/grants", form)
		if made.status != http.StatusSeeOther || !strings.HasPrefix(made.location(), "/access/grants/grt_") {
			t.Fatalf("grant: %d %s", made.status, between(made.body, `id="errors"`, "</div>"))
		}
		self, _, _ := strings.Cut(made.location(), "?")
		ada.page(self)
		ines.page(self)
		if got := otto.get(self).status; got != http.StatusNotFound {
			t.Errorf("a stranger sees the grant: %d", got)
		}
		body := html.UnescapeString(ines.page("/access"))
		for _, want := range []string{"Tomas Łukaszewicz", "Looks after services, without root", "OPS-7", `href="https://tickets.example/OPS-7"`, "unattested"} {
			if !strings.Contains(body, want) {
				t.Errorf("the customer's list lacks %q", want)
			}
		}
		if strings.Contains(body, `<header class="say good">`) {
			t.Errorf("nothing confirmed it, and the page says %q", heading(body))
		}
		h.exports(ines)
		clock.Advance(48 * time.Hour)
		ada, ines = h.browser(h.admin.ID), h.browser(h.owner.ID)
		if a := ada.post(self+"/revoke", "why", ""); a.status != http.StatusUnprocessableEntity {
			t.Errorf("revoke without why: %d", a.status)
		}
		if a := ada.post(self+"/revoke", "why", "The work is done"); a.location() != self+"?done=grant_revoked" {
			t.Fatalf("revoke: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
		}
		if body := ines.page("/access"); strings.Contains(between(body, `id="staff"`, "</section>"), "Łukaszewicz") {
			t.Error("they are still on the list")
		}
		then := ines.page("/access?on=" + clock.Now().AddDate(0, 0, -1).Format(time.DateOnly))
		if !strings.Contains(then, "Tomas Łukaszewicz") || !strings.Contains(heading(then), "could reach") {
			t.Errorf("yesterday's list: %q", heading(then))
		}
		for _, p := range []*person{ada, ines} {
			if body := html.UnescapeString(p.page("/access/changes")); !strings.Contains(body, "Tomas Łukaszewicz was taken off") || !strings.Contains(body, "Tomas Łukaszewicz was added") {
				t.Error("the changes do not tell of both")
			}
		}
		if body := ines.page("/activity?show=access"); !strings.Contains(body, "was taken off an access list") {
			t.Error("the record does not tell of it")
		}
	})
}

// exports reads a list as a table and as a document.
func (h *house) exports(p *person) {
	t := h.t
	t.Helper()
	a := p.get("/access/list.csv")
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || a.status != http.StatusOK || !strings.Contains(a.header.Get("Content-Disposition"), "access-"+h.maple.Slug) {
		t.Fatalf("csv: %d %v", a.status, err)
	}
	at, found := map[string]int{}, false
	for i, name := range rows[0] {
		at[name] = i
	}
	for _, r := range rows[1:] {
		if r[at["as_at"]] == "" || r[at["as_known_at"]] == "" || !strings.HasPrefix(r[at["log"]], "test.invalid/ledger") || r[at["log_size"]] == "" {
			t.Errorf("a row does not say what it is about: %q", r)
		}
		if r[at["person"]] == "Tomas Łukaszewicz" {
			found = true
			if got := r[at["reason"]]; !strings.HasPrefix(got, "'=") {
				t.Errorf("reason: got %q, want it to be no formula", got)
			}
		}
	}
	if !found {
		t.Error("the table lacks them")
	}
	pdf := p.get("/access/list.pdf")
	if pdf.status != http.StatusOK || pdf.header.Get("Content-Type") != "application/pdf" || !strings.HasPrefix(pdf.body, "%PDF-") || len(pdf.body) < 2000 {
		t.Errorf("pdf: %d, %d bytes", pdf.status, len(pdf.body))
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	second := h.clock.Now().Add(-time.Second).In(berlin)
	stamp := second.UTC().Format("2006-01-02T15:04:05") + ".000Z"
	if body := p.get("/access/list.csv?on=" + second.Format(time.DateOnly) + "&at=" + second.Format(time.TimeOnly)).body; !strings.Contains(body, stamp) {
		t.Errorf("to the second: %q has no %s", body, stamp)
	}
	for _, wrong := range []string{"/access?on=x", "/access?on=2026-02-30", "/access?on=2026-01-01&at=99:99"} {
		if body := p.page(wrong); !strings.Contains(body, `href="#on"`) {
			t.Errorf("%s is not said to be wrong", wrong)
		}
	}
	if got := p.get("/access/list.csv?on=x").status; got != http.StatusUnprocessableEntity {
		t.Errorf("a table of no instant: %d", got)
	}
}

// Every page about access, empty and with something on it, for each who may see it.
func TestAccessPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada, ines, jonas, otto := h.browser(h.admin.ID), h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.stranger.ID)
		of := "?customer=" + h.maple.ID
		pages := func() {
			t.Helper()
			for _, path := range []string{"/access", "/access" + of, "/access/changes", "/access/changes" + of + "&column=enforced", "/access/notices", "/access/notices" + of, "/access/instructing" + of, "/access/instructing/new" + of, "/access/about" + of,
				"/access/matrix", "/access/matrix?q=maple", "/access/grants", "/access/grants" + of + "&show=ended", "/access/grants/new", "/access/grants/new" + of, "/access/grants/new" + of + "&kind=break_glass", "/access/terms" + of, "/access/entries", "/access/entries?show=ended",
				"/access/entries/new", "/access/facilities", "/access/facilities/new", "/access/found", "/access/found?show=all", "/access/baseline", "/access/teleport", "/access/teleport/mode", "/access/campaigns", "/access/campaigns/new",
				"/access/persons", "/access/persons/new", "/access/teams", "/access/teams/new", "/access/recording", "/access/instructions/new" + of} {
				ada.page(path)
			}
			for _, path := range []string{"/access", "/access/changes", "/access/notices", "/access/instructing", "/access/instructing/new", "/access/about", "/home"} {
				ines.page(path)
			}
			jonas.page("/access")
		}
		pages()
		h.fillAccess(ada, ines)
		pages()
		for path, p := range map[string]*person{"/access/matrix": ines, "/access/persons": ines, "/access/teleport": otto, "/access" + of: otto, "/access/grants/new" + of: ines} {
			if got := p.get(path).status; got != http.StatusNotFound {
				t.Errorf("%s: got %d, want 404", path, got)
			}
		}
		if a := jonas.get("/access/instructing/new"); a.status != http.StatusForbidden {
			t.Errorf("a reader says who instructs us: %d", a.status)
		}
		if a := jonas.post("/access/instructing", "name", "x"); a.status != http.StatusForbidden {
			t.Errorf("a reader says who instructs us: %d", a.status)
		}
	})
}

// fillAccess sends every form about access once, with what is right.
func (h *house) fillAccess(ada, ines *person) {
	t := h.t
	t.Helper()
	sent := func(p *person, path string, form url.Values) string {
		t.Helper()
		a := p.send(path, form)
		if a.status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s\n%s", path, a.status, heading(a.body), between(a.body, `id="errors"`, "</div>"))
		}
		where, _, _ := strings.Cut(a.location(), "?done=")
		where, _, _ = strings.Cut(where, "&done=")
		p.page(where)
		return where
	}
	person := sent(ada, "/access/persons", url.Values{"kind": {"contractor"}, "company": {"Night GmbH"}, "name": {"Jens Holm"}, "logins": {"jens\r\nops"}, "teleport_users": {"jens"}})
	id := strings.TrimPrefix(person, "/access/persons/")
	sent(ada, person+"/papers", url.Values{"kind": {"confidentiality"}, "from": {h.day(-1)}, "reference": {"HR 2"}, "version": {"1"}})
	sent(ada, person+"/papers", url.Values{"kind": {"training"}, "from": {h.day(-1)}, "until": {h.day(300)}, "reference": {"HR 3"}, "version": {"2026"}})
	body := ada.page(person + "/edit")
	version := between(body, `name="version" value="`, `"`)
	sent(ada, person, url.Values{"name": {"Jens Holm"}, "company": {"Night GmbH"}, "logins": {"jens"}, "teleport_users": {"jens"}, "version": {version}})
	sent(ada, "/access/teams", url.Values{"name": {"Night shift"}, "members": {id}})
	teams := ok[[]access.Team](t)(h.access.Teams(h.ctx, all))
	ada.page("/access/teams/" + teams[0].ID)
	sent(ada, "/access/facilities", url.Values{"name": {"Falkenstein 2"}, "country": {"DE"}, "location": {"Frankfurt"}, "controls": {"Photo ID"}, "certificates": {"ISO 27001; DE-1; " + h.day(100) + "; folder 3"}})
	places := ok[[]access.Facility](t)(h.access.Facilities(h.ctx, all))
	ada.page("/access/facilities/" + places[0].ID)
	sent(ada, "/access/entries", url.Values{"way": {"physical"}, "person": {id}, "facility": {places[0].ID}, "reason": {"Changes disks"}, "until": {h.day(80)}})
	entries, _, err := h.access.Entries(h.ctx, all, access.EntryFilter{})
	if err != nil || len(entries) != 1 {
		t.Fatalf("entries: %d %v", len(entries), err)
	}
	body = html.UnescapeString(ines.page("/access"))
	if !strings.Contains(between(body, `id="places"`, "</section>"), "Jens Holm") || !strings.Contains(body, "kept by hand, not measured") {
		t.Errorf("who may stand before the machines is not on the list: %s", between(body, "<main", "</main>"))
	}
	sent(ada, "/access/terms", url.Values{"customer": {h.maple.ID}, "notice_hours": {"12"}, "max_days": {"60"}, "recording_months": {"6"}, "rules": {"customer"}, "version": {between(ada.page("/access/terms?customer="+h.maple.ID), `name="version" value="`, `"`)}})
	if body := ines.page("/access/about"); !strings.Contains(body, "within 12 hours") || !strings.Contains(body, "ISO 27001") || !strings.Contains(body, "we record it") {
		t.Error("the page of places and rules lacks something")
	}
	h.instructs(sent, ines, ada)
	h.approves(sent, id, ada, ines)
	h.reviews(sent, "/access/entries/"+entries[0].ID+"/review", ada)
	h.calls(sent, ada, ines)
	h.oneChange(id, ada, ines)
	if got := heading(ada.page(person)); got != "Jens Holm is on the lists of two customers." {
		t.Errorf("where they stand: %q", got)
	}
	sent(ada, "/access/entries/"+entries[0].ID+"/end", url.Values{"why": {"The key came back"}})
	if a := ada.send(person+"/leave", url.Values{"why": {"New job"}, "typed": {"Jens"}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#typed"`) {
		t.Errorf("leaving with a wrong name: %d", a.status)
	}
	sent(ada, person+"/leave", url.Values{"why": {"New job"}, "typed": {"Jens Holm"}})
	if got := heading(ada.page(person)); !strings.Contains(got, "left") {
		t.Errorf("left: %q", got)
	}
	if a := ada.post("/access/recording?text=" + between(ada.page("/access/recording"), `/access/recording?text=`, `"`)); a.status != http.StatusSeeOther {
		t.Errorf("taking note of what is recorded: %d", a.status)
	}
}

// reviews has an entry of somebody else's kept until another day.
func (h *house) reviews(sent func(*person, string, url.Values) string, self string, ada *person) {
	t := h.t
	t.Helper()
	if body := ada.page(self); !strings.Contains(body, "Does Jens Holm still need this") || !strings.Contains(body, "Changes disks") {
		t.Errorf("a review: %q", heading(body))
	}
	for field, form := range map[string]url.Values{"review": {"review": {h.day(-1)}, "note": {"Needed"}}, "note": {"review": {h.day(30)}}} {
		if a := ada.send(self, form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#`+field+`"`) {
			t.Errorf("a review without %s: %d", field, a.status)
		}
	}
	sent(ada, self, url.Values{"review": {h.day(30)}, "note": {"I asked him.\r\nHe still changes disks."}})
	if body := ada.page("/access/entries"); !strings.Contains(body, "to be reviewed by") {
		t.Error("the entry does not say when it is reviewed")
	}
}

// calls notes that somebody was told by telephone what no mail told them.
func (h *house) calls(sent func(*person, string, url.Values) string, ada, ines *person) {
	t := h.t
	t.Helper()
	notices, _, err := h.access.Notices(h.ctx, all, h.maple.ID, 1, "")
	if err != nil || len(notices) == 0 {
		t.Fatalf("notices: %d %v", len(notices), err)
	}
	self := "/access/notices/" + notices[0].ID
	if a := ada.send(self+"/call", url.Values{"contact": {"Ines Moreau"}, "on": {h.day(0)}, "said": {"She knows"}}); a.status != http.StatusConflict && a.status != http.StatusUnprocessableEntity {
		t.Errorf("a call about a notice that is being written: %d", a.status)
	}
	if err := h.d.Write(h.ctx, func(tx *db.Tx) error {
		return tx.Exec("UPDATE access_notices SET state = ?, why = 'no mail server takes it' WHERE id = ?", access.NoticeUnreachable, notices[0].ID).Error
	}); err != nil {
		t.Fatal(err)
	}
	if body := ada.page(self); !strings.Contains(body, "No mail about this reached anybody") || !strings.Contains(body, self+"/call") {
		t.Errorf("a notice that reached nobody: %q", heading(body))
	}
	if body := ada.page("/access/notices?customer=" + h.maple.ID); heading(body) != "A notice has reached nobody." {
		t.Errorf("notices: %q", heading(body))
	}
	form := url.Values{"contact": {"Ines Moreau"}, "on": {h.day(0)}, "at": {"00:00"}, "said": {"She has read it here,\r\nand asks for nothing."}}
	for field, wrong := range map[string]string{"on": "x", "at": "99:99", "contact": "", "said": " "} {
		was := form.Get(field)
		form.Set(field, wrong)
		if a := ada.send(self+"/call", form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="errors"`) {
			t.Errorf("a call with %s %q: %d", field, wrong, a.status)
		} else {
			checkPage(t, a.body)
		}
		form.Set(field, was)
	}
	form.Set("at", h.clock.Now().Format("15:04:05"))
	if got := ines.get(self + "/call").status; got != http.StatusNotFound {
		t.Errorf("a customer notes our call: %d", got)
	}
	sent(ada, self+"/call", form)
	for _, p := range []*person{ada, ines} {
		body := html.UnescapeString(p.page(self))
		if !strings.Contains(heading(body), "told another way") || !strings.Contains(body, "Ines Moreau: She has read it here, and asks for nothing.") {
			t.Errorf("the call is not on the page: %q", heading(body))
		}
	}
	if a := ines.post(self + "/acknowledge"); a.location() != self+"?done=acknowledged" {
		t.Errorf("taking note after a call: %d", a.status)
	}
	if body := ada.page(self); strings.Contains(body, self+"/call") {
		t.Error("a call is offered for what was acknowledged")
	}
}

// oneChange reads changes by themselves, from where they are listed.
func (h *house) oneChange(of string, ada, ines *person) {
	t := h.t
	t.Helper()
	changes, _, err := h.access.Changes(h.ctx, all, access.ChangeFilter{Customer: h.maple.ID, Person: of})
	if err != nil || len(changes) == 0 {
		t.Fatalf("changes: %d %v", len(changes), err)
	}
	for _, x := range changes {
		self := "/access/changes/" + x.ID
		for _, p := range []*person{ada, ines} {
			if !strings.Contains(p.page("/access/changes?customer="+h.maple.ID), `href="`+self+`"`) {
				t.Errorf("no way to %s", self)
			}
			body := html.UnescapeString(p.page(self))
			if got := heading(body); got != "Jens Holm was added." {
				t.Errorf("one change: %q", got)
			}
			for _, want := range []string{">Known<", ">Read<", "/access/notices/ntc_", "The entry in the record", "/activity/", x.ID} {
				if !strings.Contains(body, want) {
					t.Errorf("one change lacks %q", want)
				}
			}
			if strings.Contains(body, "/access/persons/") != (p == ada) {
				t.Errorf("who is led to the person: %v", p == ada)
			}
		}
	}
}

// instructs has the customer say who instructs us, and an instruction paused.
func (h *house) instructs(sent func(*person, string, url.Values) string, ines, ada *person) {
	t := h.t
	t.Helper()
	sent(ines, "/access/instructing", url.Values{"name": {"Mara Voss"}, "acts": {"restore", "change"}, "document": {"Letter of 3 March"}})
	list := ok[[]access.Authorisation](t)(h.access.Authorisations(h.ctx, all, h.maple.ID, time.Time{}))
	if len(list) == 0 || !strings.Contains(ines.page("/access/instructing"), "Mara Voss") {
		t.Fatalf("who may instruct: %d", len(list))
	}
	sent(ada, "/access/instructions", url.Values{"customer": {h.maple.ID}, "ticket": {"OPS-8"}, "what": {"Copy a mailbox"}, "why": {"It breaks the secrecy of letters"}})
	flagged := ok[[]access.Instruction](t)(h.access.Instructions(h.ctx, all, h.maple.ID))
	if got := heading(ines.page("/access/instructing")); !strings.Contains(got, "We paused work") {
		t.Errorf("paused: %q", got)
	}
	self := "/access/instructions/" + flagged[0].ID
	ines.page(self)
	sent(ada, self, url.Values{"decision": {"lawful"}, "reasons": {"There is a court's order"}})
	if got := heading(ines.page(self)); !strings.Contains(got, "found lawful") {
		t.Errorf("decided: %q", got)
	}
	for _, a := range list {
		if a.Name == "Mara Voss" {
			sent(ines, "/access/authorisations/"+a.ID+"/end", url.Values{})
		}
	}
}

// approves has a grant proposed and the customer approve it.
func (h *house) approves(sent func(*person, string, url.Values) string, id string, ada, ines *person) {
	t := h.t
	t.Helper()
	self := sent(ada, "/access/grants", url.Values{"customer": {h.maple.ID}, "person": {id}, "role": {"operator"}, "reason": {"Looks after the shop"}, "ticket": {"OPS-9"}, "until": {h.day(20)}, "checked": {"1"}})
	body := ines.page("/access")
	if !strings.Contains(body, `id="proposed"`) || strings.Contains(between(body, `id="staff"`, "</section>"), "Jens Holm") {
		t.Error("a proposed grant is not shown as one")
	}
	if a := ines.post(self+"/answer", "words", "?"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("neither yes nor no: %d", a.status)
	}
	if a := ines.post(self+"/answer", "answer", "yes", "words", "Fine"); a.location() != self+"?done=grant_yes" {
		t.Fatalf("approve: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
	}
	if body := ines.page("/access"); !strings.Contains(between(body, `id="staff"`, "</section>"), "Jens Holm") {
		t.Error("the approved grant is not on the list")
	}
	ada.page(self + "/extend")
	if body := ada.page("/access/matrix"); !strings.Contains(body, "operator") {
		t.Error("the matrix lacks the grant")
	}
}

// accessObjects are one of each thing about access of maple's, by their noun in addresses.
func (h *house) accessObjects() map[string]string {
	t := h.t
	t.Helper()
	x := h.papered("Mara Voss")
	g := ok[access.Grant](t)(h.access.Grant(h.ctx, all, access.NewGrant{Customer: h.maple.ID, Person: x.ID, Role: "operator", Reason: "Looks after the shop", Ticket: "OPS-1", Until: h.clock.Now().AddDate(0, 0, 9)}))
	f := ok[access.Facility](t)(h.access.PutFacility(h.ctx, all, access.Facility{Name: "Frankfurt", Country: "DE", Location: "Frankfurt", Controls: "Photo ID"}))
	e := ok[access.Entry](t)(h.access.AddEntry(h.ctx, all, access.Entry{Way: access.WayPhysical, Person: x.ID, Customer: h.maple.ID, Reason: "Changes disks", From: h.clock.Now(), Until: h.clock.Now().AddDate(0, 1, 0)}))
	team := ok[access.Team](t)(h.access.PutTeam(h.ctx, all, access.Team{Name: "Day", Members: []access.Member{{Person: x.ID}}}))
	a := ok[access.Authorisation](t)(h.access.AddAuthorisation(h.ctx, all, access.Authorisation{Customer: h.maple.ID, Name: "Mara Voss", Capacity: "designee", Acts: []string{"restore"}, From: h.clock.Now(), Document: "Letter"}))
	in := ok[access.Instruction](t)(h.access.FlagInstruction(h.ctx, all, access.Instruction{Customer: h.maple.ID, What: "Copy a mailbox", Why: "It breaks the secrecy of letters", Ticket: "OPS-2"}))
	changes, _, err := h.access.Changes(h.ctx, all, access.ChangeFilter{Customer: h.maple.ID, Person: x.ID})
	notices, _, err1 := h.access.Notices(h.ctx, all, h.maple.ID, 1, "")
	if err != nil || err1 != nil || len(changes) == 0 || len(notices) == 0 {
		t.Fatalf("changes: %d %v, notices: %d %v", len(changes), err, len(notices), err1)
	}
	return map[string]string{"changes": changes[0].ID, "notices": notices[0].ID, "grants": g.ID, "persons": x.ID, "facilities": f.ID, "entries": e.ID, "teams": team.ID, "authorisations": a.ID, "instructions": in.ID}
}

// Emergency access that somebody takes by themselves says so, on the form, on the
// check, and to the customer; and a neighbour on a shared server reads that somebody
// can come, and nothing of who.
func TestAloneAndNeighbours(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada, ines := h.browser(h.admin.ID), h.browser(h.owner.ID)
		me := ok[access.Person](t)(h.access.AddPerson(h.ctx, all, access.NewPerson{Kind: access.KindStaff, Staff: h.admin.ID}))
		for _, k := range []access.PaperKind{access.PaperConfidentiality, access.PaperTraining} {
			ok[access.Paper](t)(h.access.AddPaper(h.ctx, all, access.Paper{Person: me.ID, Kind: k, From: clock.Now().Add(-time.Hour), Until: clock.Now().AddDate(1, 0, 0), Reference: "HR 1"}))
		}
		form := url.Values{"customer": {h.maple.ID}, "kind": {"break_glass"}, "person": {me.ID}, "role": {"operator"}, "reason": {"The shop\nis down"}, "ticket": {"OPS-7"}, "hours": {"2"}, "checked": {"1"}}
		if a := ada.send("/access/grants", form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#alone"`) {
			t.Errorf("by themselves, without saying so: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
		} else {
			checkPage(t, a.body)
		}
		form.Set("alone", "1")
		form.Del("checked")
		if a := ada.send("/access/grants", form); a.status != http.StatusOK || !strings.Contains(a.body, "nobody else is awake") || !strings.Contains(a.body, `name="alone" value="1"`) {
			t.Errorf("the check: %d", a.status)
		}
		form.Set("checked", "1")
		made := ada.send("/access/grants", form)
		if made.status != http.StatusSeeOther {
			t.Fatalf("alone: %d %s", made.status, between(made.body, `id="errors"`, "</div>"))
		}
		self, _, _ := strings.Cut(made.location(), "?")
		for _, p := range []*person{ada, ines} {
			if body := p.page(self); !strings.Contains(body, "took it by themselves") || !strings.Contains(body, "The shop is down") {
				t.Error("the grant does not say that they were alone")
			}
		}
		theirs := ok[access.Person](t)(h.access.AddPerson(h.ctx, all, access.NewPerson{Kind: access.KindCustomer, Customer: h.harbour.ID, Name: "Louie Ilium"}))
		for _, k := range []access.PaperKind{access.PaperConfidentiality, access.PaperTraining} {
			ok[access.Paper](t)(h.access.AddPaper(h.ctx, all, access.Paper{Person: theirs.ID, Kind: k, From: clock.Now().Add(-time.Hour), Until: clock.Now().AddDate(1, 0, 0), Reference: "HR 1"}))
		}
		ok[access.Grant](t)(h.access.Grant(h.ctx, all, access.NewGrant{Customer: h.harbour.ID, Person: theirs.ID, Role: "operator", Reason: "Their agency", Ticket: "OPS-8", Until: clock.Now().AddDate(0, 0, 9)}))
		ok[customers.Tenancy](t)(h.customers.CreateTenancy(h.ctx, all, customers.NewTenancy{Server: h.server.ID, Customer: h.harbour.ID, Paths: []string{"/srv/harbour"}}))
		body := html.UnescapeString(ines.page("/access"))
		if got := between(body, `id="others"`, "</section>"); !strings.Contains(got, "a person of another customer on this server") || strings.Contains(body, "Ilium") {
			t.Errorf("the neighbour's list: %q, named: %v", got, strings.Contains(body, "Ilium"))
		}
		changes := html.UnescapeString(ines.page("/access/changes"))
		if !strings.Contains(changes, "A person of another customer on this server was added") || strings.Contains(changes, "Ilium") {
			t.Errorf("the neighbour's changes: named: %v", strings.Contains(changes, "Ilium"))
		}
		one := "/access/changes/chg_" + between(changes, "/access/changes/chg_", `"`)
		if body := html.UnescapeString(ines.page(one)); !strings.Contains(heading(body), "A person of another customer") || strings.Contains(body, "Ilium") {
			t.Errorf("one change: %q", heading(body))
		}
		if body := ada.page("/access?customer=" + h.maple.ID); !strings.Contains(body, "Louie Ilium") {
			t.Error("our own people do not read who it is")
		}
	})
}
