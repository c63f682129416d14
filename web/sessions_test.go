package web_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
	"ostler/web"
)

// watching begins a look at a recording, and returns where it is watched and the
// viewing.
func (p *person) watching(session, purpose string) (replay, viewing string) {
	p.h.t.Helper()
	a := p.post("/sessions/"+session+"/watch", "purpose", purpose)
	if a.status != http.StatusSeeOther || !strings.Contains(a.location(), "/replay?viewing=vwg_") {
		p.h.t.Fatalf("watch: %d %s %s", a.status, a.location(), heading(a.body))
	}
	u := ok[*url.URL](p.h.t)(url.Parse(a.location()))
	return a.location(), u.Query().Get("viewing")
}

// part asks for a range of a recording, as the player does.
func (p *person) part(session, viewing, span string) answer {
	p.h.t.Helper()
	r := ok[*http.Request](p.h.t)(http.NewRequestWithContext(p.h.t.Context(), http.MethodGet, p.h.url+"/sessions/"+session+"/cast?viewing="+viewing, nil))
	r.Header.Set("Range", span)
	r.Header.Set("HX-Request", "true")
	return p.do(r)
}

// A session from the list to the verdict, through pages only; the customer sees
// who watched.
func TestASessionIsReviewedThroughThePages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada, ines := h.browser(h.admin.ID), h.browser(h.owner.ID)
		for _, path := range []string{"/sessions", "/sessions/queue", "/sessions/commands", "/sessions/logins", "/sessions/viewings", "/sessions/holds", "/sessions/holds/new", "/sessions/draws", "/sessions/feed", "/sessions/terms?customer=" + h.maple.ID} {
			ada.page(path)
		}
		ines.page("/connected")
		ines.page("/connected/viewings")
		h.onCrew("Ada Keller", h.admin.ID, "ada")
		id := h.sessionsThere()
		ada, ines = h.browser(h.admin.ID), h.browser(h.owner.ID)
		if body := ada.page("/sessions"); !strings.Contains(body, "Tomas Lind") || !strings.Contains(body, `href="/sessions/`+id+`"`) || !strings.Contains(body, "OPS-7") {
			t.Errorf("the list: %s", heading(body))
		}
		body := html.UnescapeString(ada.page("/sessions/" + id))
		for _, want := range []string{"Tomas Lind was on maple-1", "?show=commands#commands", "192.0.2.7:50000", "SHA-256 of the events", `action="/sessions/` + id + `/watch"`, "href=\"/activity/"} {
			if !strings.Contains(body, want) {
				t.Errorf("the session's page lacks %q", want)
			}
		}
		if strings.Contains(body, "sudo systemctl restart nginx") {
			t.Error("what was run stands there before anybody asked: to read it is to look at the recording")
		}
		if body := ada.page("/sessions/" + id + "?show=commands"); !strings.Contains(body, "sudo systemctl restart nginx") {
			t.Error("what was run is not shown to who may watch")
		}
		if body := ines.page("/connected/viewings"); !strings.Contains(body, "what was run") {
			t.Error("the customer does not see that somebody read what was run")
		}
		replay, viewing := ada.watching(id, "review")
		page := ada.page(replay)
		for _, want := range []string{`data-viewing="` + viewing + `"`, "sudo systemctl restart nginx", `name="verdict"`, "tomas@maple-1:~$ exit"} {
			if !strings.Contains(page, want) {
				t.Errorf("the replay lacks %q", want)
			}
		}
		if strings.ContainsAny(page, "\x1b\x07") {
			t.Error("a control character of the terminal is on the page")
		}
		h.playsBack(ada, id, viewing, page)
		if a := ada.post("/sessions/"+id+"/notes", "viewing", viewing, "at", "x", "text", ""); a.status != http.StatusUnprocessableEntity || a.header.Get("Content-Security-Policy") != web.PlayerSecurityPolicy {
			t.Errorf("a wrong remark: %d", a.status)
		}
		if a := ada.post("/sessions/"+id+"/notes", "viewing", viewing, "at", "0:02", "text", "restarted without asking", "shown", "1"); a.status != http.StatusSeeOther {
			t.Fatalf("a remark: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
		}
		version := between(page, `name="version" value="`, `"`)
		if a := ada.post("/sessions/"+id+"/verdict", "viewing", viewing, "verdict", "question", "version", version); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#verdict-text"`) {
			t.Errorf("a question without its text: %d", a.status)
		}
		page = ada.page(replay)
		done := ada.post("/sessions/"+id+"/verdict", "viewing", viewing, "verdict", "fine", "version", between(page, `name="version" value="`, `"`))
		if done.status != http.StatusSeeOther {
			t.Fatalf("verdict: %d %s", done.status, between(done.body, `id="errors"`, "</div>"))
		}
		if body := ada.page("/sessions/" + id); !strings.Contains(body, "reviewed: fine") {
			t.Errorf("after the verdict: %s", heading(body))
		}
		seen := html.UnescapeString(ines.page("/connected") + ines.page("/connected/viewings") + ines.page("/sessions/"+id))
		for _, want := range []string{"Tomas Lind", "reviewed: fine", "Ada Keller", "To review it"} {
			if !strings.Contains(seen, want) {
				t.Errorf("the customer does not see %q", want)
			}
		}
	})
}

// playsBack asks for the recording as the player does, and says what was watched.
func (h *house) playsBack(p *person, id, viewing, page string) {
	h.t.Helper()
	if a := p.part(id, viewing, "bytes=0-9"); a.status != http.StatusPartialContent || a.body != `{"version"` && !strings.HasPrefix(a.body, "{") || len(a.body) != 10 {
		h.t.Errorf("the first bytes: %d %q", a.status, a.body)
	}
	whole := p.part(id, viewing, "bytes=0-")
	if got := fmt.Sprint(len(whole.body)); got != between(page, `data-size="`, `"`) {
		h.t.Errorf("the recording has %s bytes, and the page says %s", got, between(page, `data-size="`, `"`))
	}
	if a := p.part(id, "vwg_00000000000000000000000000", "bytes=0-9"); a.status < 400 {
		h.t.Errorf("a part without a viewing: %d", a.status)
	}
	h.clock.Advance(10 * time.Second)
	for parts, want := range map[string]int{"0-2000,1000-3000": http.StatusOK, "5-1": http.StatusUnprocessableEntity, "x": http.StatusUnprocessableEntity, "": http.StatusUnprocessableEntity} {
		a := p.post("/sessions/"+id+"/watched", "viewing", viewing, "parts", parts)
		var said map[string]string
		if a.status != want || json.Unmarshal([]byte(a.body), &said) != nil || want == http.StatusOK && said["watched"] != "0:03 watched" {
			h.t.Errorf("watched %q: %d %s", parts, a.status, a.body)
		}
	}
}

// What a customer may watch is by what was agreed, and never a reader's.
func TestACustomerWatchesByTheTerms(t *testing.T) {
	h := newSQLite(t)
	id := h.sessionsThere()
	ines, jonas, otto := h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.stranger.ID)
	h.agrees(h.maple, false, false)
	body := ines.page("/sessions/" + id)
	if strings.Contains(body, "/watch\"") || !strings.Contains(body, "not shown to you by what was agreed") || strings.Contains(body, "restart nginx") {
		t.Errorf("what was not agreed is there: %s", heading(body))
	}
	if a := ines.post("/sessions/"+id+"/watch", "purpose", "own"); a.status != http.StatusForbidden {
		t.Errorf("the owner watches what was not agreed: %d", a.status)
	}
	h.agrees(h.maple, true, true)
	if body := html.UnescapeString(ines.page("/connected")); !strings.Contains(body, "commands") || !strings.Contains(body, "restart nginx") {
		t.Error("the commands are not on the list although that was agreed")
	}
	replay, viewing := ines.watching(id, "own")
	page := ines.page(replay)
	if strings.Contains(page, `name="verdict"`) || strings.Contains(page, `id="note"`) {
		t.Error("a customer is offered to judge")
	}
	if a := jonas.post("/sessions/"+id+"/watch", "purpose", "own"); a.status != http.StatusForbidden {
		t.Errorf("a reader watches: %d", a.status)
	}
	for _, a := range []answer{otto.get("/sessions/" + id), otto.get(replay), otto.part(id, viewing, "bytes=0-9"), otto.post("/sessions/"+id+"/watched", "viewing", viewing, "parts", "0-9")} {
		if a.status != http.StatusNotFound {
			t.Errorf("a stranger: %d", a.status)
		}
	}
	if got := otto.page("/connected"); strings.Contains(got, "Tomas") {
		t.Error("a stranger sees who was on another's server")
	}
	h.agrees(h.maple, false, true)
	h.clock.Advance(2 * time.Second)
	if a := ines.part(id, viewing, "bytes=0-9"); a.status != http.StatusForbidden || !json.Valid([]byte(a.body)) {
		t.Errorf("after the terms changed: %d %s", a.status, a.body)
	}
}

// An auditor sees recordings with their name over them, until their time is
// over, and nothing else.
func TestAnAuditorWatchesUntilTheirTimeIsOver(t *testing.T) {
	h := newSQLite(t)
	id := h.sessionsThere()
	helle := h.browser(h.auditorOf(h.maple, 2).ID)
	if a := helle.get("/"); a.location() != "/recordings" {
		t.Errorf("their first page: %s", a.location())
	}
	body := helle.page("/recordings")
	if !strings.Contains(body, "Maple Bakery") || !strings.Contains(body, "Your sign-in ends") || !strings.Contains(body, `href="/sessions/`+id+`"`) {
		t.Errorf("their list: %s", heading(body))
	}
	helle.page("/sessions/" + id)
	replay, viewing := helle.watching(id, "")
	page := helle.page(replay)
	if strings.Count(page, `data-mark="Helle Nyberg · `) < 4 || !strings.Contains(page, "Shown to Helle Nyberg,") || strings.Contains(page, `name="verdict"`) || !strings.Contains(page, `id="note"`) {
		t.Error("the watermark is not there, or more than they may")
	}
	for _, path := range []string{"/sessions", "/sessions/queue", "/sessions/logins", "/sessions/feed", "/sessions/holds", "/sessions/viewings", "/connected", "/home", "/today", "/servers", "/jobs"} {
		if a := helle.get(path); a.status != http.StatusNotFound && a.status != http.StatusForbidden {
			t.Errorf("%s by an auditor: %d", path, a.status)
		}
	}
	if a := helle.part(id, viewing, "bytes=0-9"); a.status != http.StatusPartialContent {
		t.Errorf("a part: %d", a.status)
	}
	h.clock.Advance(3 * time.Hour)
	if a := helle.part(id, viewing, "bytes=0-9"); a.status < 400 || strings.Contains(a.body, "version") {
		t.Errorf("a part after their time: %d %s", a.status, a.body)
	}
	if a := helle.get(replay); a.status != http.StatusSeeOther && a.status < 400 {
		t.Errorf("the page after their time: %d", a.status)
	}
}

// Who took part does not review, and who comes second is told who was first.
func TestWhoMayNotReviewIsToldWhy(t *testing.T) {
	h := newSQLite(t)
	h.onCrew("Ada Keller", h.admin.ID, "ada")
	id := h.sessionsThere()
	own := h.played("ada", "root", "maple-1", typed{"rm -rf /var/log/nginx", ""})
	mara := ok[identity.Person](t)(h.identity.AddStaff(h.ctx, all, identity.NewStaff{Name: "Mara Voss", Email: "mara@host.example", Role: policy.RoleOps}))
	h.onCrew("Mara Voss", mara.ID, "mara")
	ada, other := h.browser(h.admin.ID), h.browser(mara.ID)
	if a := ada.post("/sessions/" + own + "/claim"); a.status != http.StatusForbidden || !strings.Contains(a.body, `id="errors"`) {
		t.Errorf("one's own session: %d %s", a.status, heading(a.body))
	} else {
		checkPage(t, a.body)
	}
	if a := other.post("/sessions/" + id + "/claim"); a.status != http.StatusSeeOther {
		t.Fatalf("claim: %d %s", a.status, heading(a.body))
	}
	second := ada.post("/sessions/" + id + "/claim")
	if second.status != http.StatusConflict || !strings.Contains(between(second.body, `id="errors"`, "</div>"), "Mara Voss") {
		t.Errorf("the second reviewer: %d %s", second.status, between(second.body, `id="errors"`, "</div>"))
	}
	if body := ada.page("/sessions/" + id); !strings.Contains(body, "Mara Voss reviews it") {
		t.Error("the page does not say who has it")
	}
	if body := other.page("/sessions/" + id); !strings.Contains(body, "You review it") || !strings.Contains(body, "/unclaim\"") {
		t.Error("who has it is not told so")
	}
	if a := other.post("/sessions/" + id + "/unclaim"); a.status != http.StatusSeeOther {
		t.Errorf("give it back: %d", a.status)
	}
}

// An owner asks for a review, and the answer of a question goes through a page.
func TestAReviewIsAskedForAndAQuestionAnswered(t *testing.T) {
	h := newSQLite(t)
	h.onCrew("Ada Keller", h.admin.ID, "ada")
	id := h.sessionsThere()
	ines, jonas, ada := h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.admin.ID)
	if a := jonas.get("/sessions/" + id + "/review"); a.status != http.StatusForbidden {
		t.Errorf("a reader asks: %d", a.status)
	}
	ines.page("/sessions/" + id + "/review")
	if a := ines.post("/sessions/"+id+"/review", "why", ""); a.status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: %d", a.status)
	}
	if a := ines.post("/sessions/"+id+"/review", "why", "The shop was down"); a.status != http.StatusSeeOther {
		t.Fatalf("ask: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
	}
	if body := ada.page("/sessions/queue"); !strings.Contains(body, "Tomas Lind") || strings.Contains(body, "say good") {
		t.Errorf("the queue: %s", heading(body))
	}
	replay, viewing := ada.watching(id, "review")
	page := ada.page(replay)
	if a := ada.post("/sessions/"+id+"/verdict", "viewing", viewing, "verdict", "question", "verdict-text", "Why restart?", "version", between(page, `name="version" value="`, `"`)); a.status != http.StatusSeeOther {
		t.Fatalf("question: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
	}
	if body := ada.page("/sessions/" + id); !strings.Contains(body, "a question is open") || !strings.Contains(body, "Why restart?") || strings.Contains(body, "say good") {
		t.Errorf("a question is open: %s", heading(body))
	}
	if body := ines.page("/sessions/" + id); strings.Contains(body, "Why restart?") {
		t.Error("the customer reads the reviewer's text")
	}
	ada.page("/sessions/" + id + "/answer")
	if a := ada.post("/sessions/"+id+"/answer", "answer", "The ticket asked for it"); a.status != http.StatusSeeOther {
		t.Errorf("answer: %d %s", a.status, between(a.body, `id="errors"`, "</div>"))
	}
}

// A recording that never came, one that was let go, and one that was changed say
// so, and cannot be watched.
func TestARecordingThatCannotBePlayedSaysWhy(t *testing.T) {
	h := newSQLite(t)
	h.onCrew("Tomas Lind", "stf_00000000000000000000000009", "tomas")
	h.clock.Advance(time.Hour)
	at := h.clock.Now().Add(-10 * time.Minute)
	h.stage.log = append(h.stage.log, h.say("session.start", at, map[string]any{"sid": "sid-x", "user": "tomas", "login": "root", "server_hostname": "maple-1", "size": "80:25", "session_recording": "node"}))
	live := h.readSession("sid-x")
	ada := h.browser(h.admin.ID)
	if body := ada.page("/sessions/" + live); !strings.Contains(heading(body), "has been on maple-1") || strings.Contains(body, "/watch\"") || strings.Contains(body, "say good") {
		t.Errorf("a session that runs: %s", heading(body))
	}
	if a := ada.post("/sessions/"+live+"/watch", "purpose", "support"); a.status != http.StatusConflict {
		t.Errorf("watch what runs: %d %s", a.status, heading(a.body))
	}
	h.clock.Advance(2 * time.Minute)
	h.stage.log = append(h.stage.log, h.say("exec", h.clock.Now().Add(-time.Minute), map[string]any{"user": "tomas", "login": "root", "server_hostname": "maple-1", "command": "reboot", "exitCode": "0"}))
	ok[string](t)(h.sessions.ReadNow(h.ctx, all))
	for range 3 {
		h.tick()
	}
	body := html.UnescapeString(ada.page("/sessions?show=unrecorded"))
	if !strings.Contains(body, "not recorded") || strings.Contains(body, "say good") {
		t.Errorf("a command that was not recorded: %s", heading(body))
	}
}

// No page gives an all-clear while a finding about sessions is open.
func TestSessionsNoAllClear(t *testing.T) {
	for _, kind := range []string{findings.SessionUngrounded, findings.SessionRecordingMissing, findings.SessionUnrecorded, findings.SessionLoginOutside, findings.SessionRecordingChanged, findings.SessionFeedStopped, findings.SessionLoginsUnread} {
		t.Run(kind, func(t *testing.T) {
			h := newSQLite(t)
			f := findings.Finding{Key: kind + ":x", Kind: kind, Customer: h.maple.ID, Server: h.server.ID, Severity: findings.Bad, Owner: findings.Ops, Link: "/sessions", Args: map[string]string{"where": "maple-1"}}
			if kind == findings.SessionFeedStopped {
				f.Args = map[string]string{"because": "It does not answer"}
			}
			if err := h.d.Write(h.ctx, func(tx *db.Tx) error { return h.findings.Raise(tx, f) }); err != nil {
				t.Fatal(err)
			}
			ada, ines := h.browser(h.admin.ID), h.browser(h.owner.ID)
			for path, p := range map[string]*person{"/today": ada, "/sessions": ada, "/sessions?customer=" + h.maple.ID: ada, "/servers/" + h.server.ID: ada, "/home": ines, "/connected": ines} {
				body := p.page(path)
				if strings.Contains(body, `<header class="say good">`) || strings.Contains(heading(body), "Nothing needs") || strings.Contains(heading(body), "Every session that ended") {
					t.Errorf("%s says %q", path, heading(body))
				}
			}
			if body := ines.page("/home"); strings.Contains(body, `href="/sessions"`) {
				t.Error("the customer is led to a page of staff's")
			}
		})
	}
}

// The wider policy is for the page of the player, and for no other.
func TestThePlayersPolicyIsItsOwn(t *testing.T) {
	h := newSQLite(t)
	id := h.sessionsThere()
	ada := h.browser(h.admin.ID)
	replay, viewing := ada.watching(id, "support")
	if got := ada.get(replay).header.Get("Content-Security-Policy"); got != web.PlayerSecurityPolicy {
		t.Errorf("the replay: %s", got)
	}
	for _, path := range []string{"/sessions/" + id, "/sessions", "/sessions/" + id + "/cast?viewing=" + viewing, "/sessions/" + id + "/replay?viewing=none", "/today"} {
		if got := ada.get(path).header.Get("Content-Security-Policy"); got != web.ContentSecurityPolicy {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// What the page of the player brings before the recording fits its budget.
func TestReplayBudget(t *testing.T) {
	h := newSQLite(t)
	id := h.sessionsThere()
	ada := h.browser(h.admin.ID)
	replay, _ := ada.watching(id, "support")
	page := ada.page(replay)
	size := len(page)
	r := renderer(t)
	for _, name := range []string{"app.css", "app.js", "player.js", "player.css", "vendor/asciinema-player.min.js", "vendor/asciinema-player.css", "vendor/icons.svg"} {
		a, found := r.Asset(name)
		if !found {
			t.Skip("make web has not run")
		}
		if !strings.Contains(page, "/static/"+name) {
			t.Errorf("%s is not on the page", name)
		}
		size += len(a.Gzip)
	}
	if size > 130<<10 {
		t.Errorf("got %d bytes, want at most 130 KB", size)
	}
	t.Logf("%d bytes", size)
}
