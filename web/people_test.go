package web_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/ledger"
)

// between returns what stands between two marks of a page, unescaped.
func between(page, before, after string) string {
	_, rest, _ := strings.Cut(page, before)
	got, _, _ := strings.Cut(rest, after)
	return html.UnescapeString(got)
}

// invitation is the path of the link on the page of an invitation.
func (h *house) invitation(a answer) string {
	h.t.Helper()
	link := between(a.body, `<pre id="secret" tabindex="0">`, "</pre>")
	if a.status != http.StatusOK || a.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(link, h.url+"/invite/") {
		h.t.Fatalf("invitation: %d %s, link %q", a.status, heading(a.body), link)
	}
	checkPage(h.t, a.body)
	return strings.TrimPrefix(link, h.url)
}

const goodPassword = "seven brown hares dance"

// takeUp sets a sign-in by an invitation, and returns the secret of the app.
func (p *person) takeUp(path string) string {
	p.h.t.Helper()
	page := p.page(path)
	secret := strings.ReplaceAll(between(page, `<code class="wrap">`, "</code>"), " ", "")
	a := p.post(path, "password", goodPassword, "code", p.h.code(secret))
	if a.status != http.StatusOK || !strings.Contains(a.body, `class="key"`) {
		p.h.t.Fatalf("take up: %d %s", a.status, heading(a.body))
	}
	return secret
}

// code is the app's next code: each is good once.
func (h *house) code(secret string) string {
	h.t.Helper()
	h.clock.Advance(30 * time.Second)
	return ok[string](h.t)(totp.GenerateCode(secret, h.clock.Now()))
}

// An owner adds a person, who sets up their sign-in, gets another role, is
// signed out and removed.
func TestOwnerLooksAfterPeople(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ines := h.browser(h.owner.ID)
		ines.page("/people")
		ines.page("/people/new")
		wrong := ines.post("/people", "name", "Lena Vogt", "email", "lena", "role", "restorer")
		if wrong.status != http.StatusUnprocessableEntity || !strings.Contains(wrong.body, `id="email-error"`) || !strings.Contains(wrong.body, `value="restorer" checked`) {
			t.Errorf("a bad address: %d", wrong.status)
		}
		checkPage(t, wrong.body)
		link := h.invitation(ines.post("/people", "name", "Lena Vogt", "email", "lena@maple.example", "role", "reader"))
		list := ines.page("/people")
		if !strings.Contains(list, "Lena Vogt") || !strings.Contains(list, "invited") || strings.Contains(list, link) {
			t.Error("the list does not show the new person, or shows the link again")
		}
		id := regexp.MustCompile(`/people/(con_\w+)">Lena Vogt`).FindStringSubmatch(list)[1]
		lena := h.browser("")
		lena.takeUp(link)
		lena.page("/home")
		if a := lena.get("/people"); a.status != http.StatusForbidden {
			t.Errorf("a reader sees people: %d", a.status)
		}
		if a := ines.post("/people/"+id, "role", "king"); a.status != http.StatusUnprocessableEntity {
			t.Errorf("an unknown role: %d", a.status)
		}
		if a := ines.post("/people/"+id, "role", "restorer"); a.location() != "/people/"+id+"?done=saved" {
			t.Errorf("role: %d %s", a.status, a.location())
		}
		if page := ines.page("/people/" + id); !strings.Contains(page, "may restore") || !strings.Contains(page, "Lost phone") {
			t.Errorf("person: %s", heading(page))
		}
		h.invitation(ines.post("/people/" + id + "/invite"))
		lena.page("/home") // until the new link is used
		ines.post("/people/" + id + "/signout")
		if a := lena.get("/home"); a.status != http.StatusSeeOther {
			t.Errorf("after signing out: %d", a.status)
		}
		if a := ines.post("/people/" + id + "/remove"); a.location() != "/people?done=removed" {
			t.Errorf("remove: %d %s", a.status, a.location())
		}
		if strings.Contains(ines.page("/people"), "Lena") {
			t.Error("the removed person is on the list")
		}
		if a := ines.get("/people/" + id); a.status != http.StatusNotFound {
			t.Errorf("the removed person's page: %d", a.status)
		}
		if page := ines.page("/people/" + h.owner.ID); strings.Contains(page, "/remove") || !strings.Contains(page, "This is you") {
			t.Error("an owner can remove themselves")
		}
		for _, act := range []string{"/remove", ""} {
			if a := ines.post("/people/"+h.owner.ID+act, "role", "reader"); a.status != http.StatusForbidden {
				t.Errorf("oneself%s: %d, want 403", act, a.status)
			}
		}
		for _, path := range []string{"/people/" + h.stranger.ID, "/staff", "/staff/" + h.admin.ID, "/auditors/x/end"} {
			if a := ines.get(path); a.status != http.StatusNotFound {
				t.Errorf("%s: %d, want 404", path, a.status)
			}
		}
	})
}

func TestStaffAndAuditors(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada := h.browser(h.admin.ID)
		for _, path := range []string{"/staff", "/staff/new", "/staff/" + h.admin.ID, "/customers/" + h.maple.ID + "/people/new", "/customers/" + h.maple.ID + "/auditors/new", "/people/" + h.owner.ID} {
			ada.page(path)
		}
		again := ada.post("/staff", "name", "Bo Lindt", "email", "ada@host.example", "role", "ops")
		if again.status != http.StatusConflict || !strings.Contains(again.body, `id="email-error"`) {
			t.Errorf("an address that is taken: %d", again.status)
		}
		bo := h.browser("")
		bo.takeUp(h.invitation(ada.post("/staff", "name", "Bo Lindt", "email", "bo@host.example", "role", "ops")))
		bo.page("/today")
		if a := bo.post("/staff", "name", "X", "email", "x@host.example", "role", "admin"); a.status != http.StatusForbidden {
			t.Errorf("ops add staff: %d", a.status)
		}
		id := regexp.MustCompile(`/staff/(stf_\w+)">Bo Lindt`).FindStringSubmatch(ada.page("/staff"))[1]
		if page := bo.page("/staff/" + id); strings.Contains(page, "/remove") {
			t.Error("ops are offered what they may not do")
		}
		ada.post("/staff/"+id, "role", "support")
		if a := ada.post("/staff/" + id + "/remove"); a.location() != "/staff/"+id+"?done=removed" {
			t.Errorf("switch off: %d %s", a.status, a.location())
		}
		if a := bo.get("/today"); a.status != http.StatusSeeOther {
			t.Errorf("after being switched off: %d", a.status)
		}
		if page := ada.page("/staff/" + id); !strings.Contains(page, "switched off") || strings.Contains(page, "/invite") {
			t.Error("the page does not say that the person is switched off")
		}
		ada.post("/staff/" + id + "/enable")
		h.invitation(ada.post("/staff/" + id + "/invite"))
		ada.post("/staff/" + id + "/signout")
		if a := ada.post("/staff/" + h.admin.ID + "/remove"); a.status != http.StatusForbidden {
			t.Errorf("an admin switches themselves off: %d", a.status)
		}

		where := "/customers/" + h.maple.ID
		h.invitation(ada.post(where+"/people", "name", "Kim Adler", "email", "kim@maple.example", "role", "owner"))
		for _, until := range []string{"", "2030-02-31", h.clock.Now().AddDate(1, 0, 0).Format(time.DateOnly)} {
			if a := ada.post(where+"/auditors", "name", "Helle Nyberg", "email", "helle@audit.example", "until", until); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="until-error"`) {
				t.Errorf("until %q: %d", until, a.status)
			}
		}
		day := h.clock.Now().AddDate(0, 0, 10).Format(time.DateOnly)
		for field, value := range map[string]string{"customers": "nobody-has-it", "from": "2030-02-31", "to": "soon"} {
			if a := ada.post(where+"/auditors", "name", "Helle Nyberg", "email", "helle@audit.example", "until", day, field, value); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="`+field+`-error"`) {
				t.Errorf("%s %q: %d", field, value, a.status)
			}
		}
		if a := ada.post(where+"/auditors", "name", "Olaf Moen", "email", "olaf@audit.example", "until", day, "customers", h.harbour.Slug, "from", "2020-01-01", "to", "2020-01-31"); a.status != http.StatusOK {
			t.Errorf("several customers and a period: %d", a.status)
		}
		if page := ada.page("/customers/" + h.harbour.ID); !strings.Contains(page, "Olaf Moen") || !strings.Contains(page, "sessions from 2020-01-01 to 2020-01-31") {
			t.Error("the further customer's page does not name the auditor and the period")
		}
		link := h.invitation(ada.post(where+"/auditors", "name", "Helle Nyberg", "email", "helle@audit.example", "until", h.clock.Now().AddDate(0, 0, 10).Format(time.DateOnly)))
		helle := h.browser("")
		helle.takeUp(link)
		if a := helle.get("/"); a.location() != "/recordings" {
			t.Errorf("an auditor begins at %s", a.location())
		}
		for _, path := range []string{"/evidence", "/activity", "/account"} {
			helle.page(path)
		}
		for path, want := range map[string]int{"/home": 404, "/people": 404, "/customers": 404, "/jobs": 403, "/evidence/bundle?personal=1": 403} {
			if a := helle.get(path); a.status != want {
				t.Errorf("an auditor at %s: %d, want %d", path, a.status, want)
			}
		}
		if page := h.browser(h.owner.ID).page("/people"); !strings.Contains(page, "Helle Nyberg") || strings.Contains(page, "/end") {
			t.Error("the owner does not see who audits them, or is offered to end it")
		}
		end := regexp.MustCompile(`/auditors/aud_\w+/end`).FindString(ada.page(where))
		h.invitation(ada.post(strings.Replace(end, "/end", "/invite", 1)))
		if a := ada.post(end); a.location() != where+"?done=auditor_ended" {
			t.Errorf("end: %d %s", a.status, a.location())
		}
		if a := helle.get("/evidence"); a.status != http.StatusSeeOther {
			t.Errorf("after the end: %d", a.status)
		}
		ada.page(where)
	})
}

func TestOwnPasswordAndCodes(t *testing.T) {
	h := newSQLite(t)
	link := ok[identity.Link](t)(h.identity.Invite(h.ctx, all, h.owner.ID))
	ines := h.browser("")
	secret := ines.takeUp(link.Path)
	elsewhere := h.browser(h.owner.ID)
	if page := ines.page("/account"); !strings.Contains(page, "10 are left") || !strings.Contains(page, "Sign out everywhere else") {
		t.Error("the account does not say how the sign-in stands")
	}
	ines.page("/account/password")
	for field, pair := range map[string][2]string{"old_password": {"not this one", "nine quiet owls wait"}, "new_password": {goodPassword, "short"}} {
		a := ines.post("/account/password", "old_password", pair[0], "new_password", pair[1])
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="`+field+`-error"`) || strings.Contains(a.body, pair[1]) {
			t.Errorf("wrong %s: %d", field, a.status)
		}
		checkPage(t, a.body)
	}
	if a := ines.post("/account/password", "old_password", goodPassword, "new_password", "nine quiet owls wait"); a.location() != "/account?done=password" {
		t.Fatalf("change: %d %s", a.status, heading(a.body))
	}
	ines.page("/account?done=password")
	if a := elsewhere.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("the other browser after the change: %d", a.status)
	}
	ines.page("/account/codes")
	if a := ines.post("/account/codes", "code", "000000"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="code-error"`) {
		t.Errorf("a wrong code: %d", a.status)
	}
	a := ines.post("/account/codes", "code", h.code(secret))
	if a.status != http.StatusOK || strings.Count(between(a.body, `<ol class="key">`, "</ol>"), "<li>") != 10 || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("new codes: %d %s", a.status, heading(a.body))
	}
	checkPage(t, a.body)
	elsewhere = h.browser(h.owner.ID)
	ines.post("/account/sessions/others")
	if a := elsewhere.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("signed out everywhere else: %d", a.status)
	}
	if page := h.browser(h.reader.ID).page("/account"); !strings.Contains(page, "You came by a link") {
		t.Error("somebody without a password is not told so")
	}
}

func TestTokenPresets(t *testing.T) {
	h := newSQLite(t)
	ines := h.browser(h.owner.ID)
	for preset, want := range map[string]string{"look": "Look", "backup": "Back up and restore", "all": "All that you may"} {
		a := ines.post("/account/tokens", "name", preset, "days", "7", "preset", preset, "permissions", "people.write")
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", preset, a.status, heading(a.body))
		}
		if got := between(a.body, "<b>"+preset+"</b>", "</tr>"); !strings.Contains(got, ">"+want+"<") {
			t.Errorf("%s reads as %q", preset, got)
		}
	}
	if a := ines.post("/account/tokens", "name", "x", "days", "7", "preset", "chosen"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "<details open>") {
		t.Errorf("nothing ticked: %d", a.status)
	}
	if a := ines.post("/account/tokens", "name", "x", "days", "7", "preset", "king"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("an unknown preset: %d", a.status)
	}
}

func TestEvidence(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		l := h.ledger
		ok[int](t)(l.Sequence(h.ctx))
		ines, ada := h.browser(h.owner.ID), h.browser(h.admin.ID)
		if page := ines.page("/evidence"); !strings.Contains(heading(page), "Nobody has checked") || !strings.Contains(page, "/evidence/bundle?personal=1") {
			t.Errorf("before any check: %s", heading(page))
		}
		ada.page("/evidence")
		if a := ines.post("/evidence/check"); a.location() != "/evidence?done=checked" {
			t.Fatalf("check: %d %s", a.status, heading(a.body))
		}
		if got := heading(ines.page("/evidence")); !strings.Contains(got, "as they were written") {
			t.Errorf("after a check: %s", got)
		}
		for who, a := range map[string]answer{"owner": ines.get("/evidence/bundle"), "owner with names": ines.get("/evidence/bundle?personal=1"), "staff": ada.get("/evidence/bundle"), "staff, one customer": ada.get("/evidence/bundle?customer=" + h.maple.ID)} {
			r, err := ledger.VerifyBundle(strings.NewReader(a.body), l.PublicKey())
			if err != nil || !r.OK() || r.Leaves == 0 || !strings.Contains(a.header.Get("Content-Disposition"), "evidence-") {
				t.Errorf("%s: %d, %+v, %v", who, a.status, r, err)
			}
			if has := strings.Contains(a.body, "ine@maple"); has != (who == "owner with names") && who != "staff" {
				t.Errorf("%s: names in it: %v", who, has)
			}
		}
		if strings.Contains(ines.get("/evidence/bundle").body, h.harbour.ID) {
			t.Error("another customer's entries are in the file")
		}
		if a := ines.get("/evidence/bundle?customer=" + h.harbour.ID); strings.Contains(a.body, h.harbour.ID) {
			t.Error("another customer's record by its id")
		}
		if a := ada.get("/evidence?customer=cus_none"); a.status != http.StatusNotFound {
			t.Errorf("no such customer: %d", a.status)
		}
	})
}

// One changed byte: the page names the entry to those whose it is, and every
// headline says so.
func TestBrokenRecordIsSaid(t *testing.T) {
	h := newSQLite(t)
	ok[int](t)(h.ledger.Sequence(h.ctx))
	items, _, err := h.ledger.List(h.ctx, all, ledger.Filter{Kinds: []string{"contact.added"}, Customer: h.maple.ID, Limit: 1})
	if err != nil || len(items) != 1 {
		t.Fatal(len(items), err)
	}
	if err := h.d.Write(h.ctx, func(tx *db.Tx) error {
		return tx.Exec("UPDATE ledger_entries SET data = ? WHERE id = ?", []byte(`{"role":"king"}`), items[0].ID).Error
	}); err != nil {
		t.Fatal(err)
	}
	ines, otto := h.browser(h.owner.ID), h.browser(h.stranger.ID)
	ines.post("/evidence/check")
	page := ines.page("/evidence")
	if !strings.Contains(heading(page), "not as it was written") || !strings.Contains(page, "/activity/"+items[0].ID) {
		t.Errorf("the owner: %s", heading(page))
	}
	if page := otto.page("/evidence"); strings.Contains(page, items[0].ID) || !strings.Contains(page, "not of this customer") {
		t.Error("another customer's entry is named, or not counted")
	}
	for _, p := range []*person{ines, otto} {
		if got := heading(p.page("/home")); !strings.Contains(got, "does not verify") {
			t.Errorf("home: %s", got)
		}
	}
	if got := heading(h.browser(h.admin.ID).page("/today")); !strings.Contains(got, "does not verify") {
		t.Errorf("today: %s", got)
	}
}

func TestActivityIsSifted(t *testing.T) {
	h := newSQLite(t)
	h.browser(h.owner.ID)
	h.clock.Advance(24 * time.Hour)
	ines := h.browser(h.owner.ID)
	day := h.clock.Now().Format(time.DateOnly)
	ines.post("/people", "name", "Lena Vogt", "email", "lena@maple.example", "role", "reader")
	ok[int](t)(h.ledger.Sequence(h.ctx))
	lines := func(query string) int { return strings.Count(ines.page("/activity"+query), `class="at"`) }
	every, own, today := lines(""), lines("?by="+h.owner.ID), lines("?from="+day)
	before := lines("?to=" + h.clock.Now().AddDate(0, 0, -1).Format(time.DateOnly))
	if own < 3 || own >= every || today != 4 || before != every-today {
		t.Errorf("lines: all %d, own %d, today %d, before %d", every, own, today, before)
	}
	if got := lines("?by=" + h.owner.ID + "&from=" + day + "&show=people"); got != 3 {
		t.Errorf("all choices: %d, want 3", got)
	}
	for _, query := range []string{"?from=yesterday", "?by=stf_none", "?show=none", "?from=" + url.QueryEscape("2026-02-31"), "?show=keys", "?show=trouble"} {
		ines.page("/activity" + query)
	}
}

func TestEntryIsProven(t *testing.T) {
	h := newSQLite(t)
	ines := h.browser(h.owner.ID)
	newest := func(kind string) string {
		items, _, err := h.ledger.List(h.ctx, all, ledger.Filter{Kinds: []string{kind}, Customer: h.maple.ID, Limit: 1})
		if err != nil || len(items) != 1 {
			t.Fatal(len(items), err)
		}
		return items[0].ID
	}
	id := newest("contact.added")
	if page := ines.page("/activity/" + id); !strings.Contains(page, "waits for its place") {
		t.Error("an entry without a place does not say so")
	}
	ok[int](t)(h.ledger.Sequence(h.ctx))
	page := ines.page("/activity/" + id)
	var leaf map[string]any
	if err := json.Unmarshal([]byte(between(page, `<pre tabindex="0">`, "</pre>")), &leaf); err != nil || !strings.Contains(page, "proven just now") {
		t.Errorf("entry: %s, %v", heading(page), err)
	}
	if strings.Contains(page, "jon@") {
		t.Error("a personal value stands on the page")
	}
	if a := h.browser(h.stranger.ID).get("/activity/" + id); a.status != http.StatusNotFound {
		t.Errorf("another customer's entry: %d", a.status)
	}
	h.browser(h.admin.ID).page("/activity/" + id)
	if err := h.d.Write(h.ctx, func(tx *db.Tx) error {
		return tx.Exec("UPDATE ledger_leaves SET leaf = ? WHERE entry_id = ?", []byte(`{"id":"`+id+`"}`), id).Error
	}); err != nil {
		t.Fatal(err)
	}
	if page := ines.page("/activity/" + id); !strings.Contains(page, "not as it was written") {
		t.Error("a changed leaf is shown as proven")
	}
}

// What happened to the server itself is company's own; its customers read of
// it by the finding that is theirs.
func TestCustomerReadsOfASilentServer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		raise := func(f func(tx *db.Tx) error) {
			t.Helper()
			if err := h.d.Write(h.ctx, f); err != nil {
				t.Fatal(err)
			}
		}
		key := "server.silent:" + h.server.ID + ":" + h.maple.ID
		raise(func(tx *db.Tx) error {
			return h.findings.Raise(tx, findings.Finding{Key: key, Customer: h.maple.ID, Server: h.server.ID, Subject: h.server.ID, Kind: findings.ServerSilent, Severity: findings.Bad, Owner: findings.Ops, Args: map[string]string{"server": "maple-1"}})
		})
		raise(func(tx *db.Tx) error { return h.findings.Close(tx, key, "heard again") })
		ines := h.browser(h.owner.ID)
		for _, path := range []string{"/home", "/activity", "/activity?show=trouble", "/servers/" + h.server.ID} {
			page := ines.page(path)
			if !strings.Contains(page, "We have not heard of maple-1.") || !strings.Contains(page, "Closed: We have not heard of maple-1.") {
				t.Errorf("%s does not tell that the server was silent", path)
			}
		}
		if page := h.browser(h.stranger.ID).page("/activity"); strings.Contains(page, "maple-1") {
			t.Error("another customer reads of it")
		}
	})
}
