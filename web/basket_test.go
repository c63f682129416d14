package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
)

func TestBasketLeadsBackWithinThePortal(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	h.listed(tree{"/srv/shop/a.txt": 1})
	ines := h.browser(h.owner.ID)
	pick := picksOn(ines.page("/snapshots/" + snap.ID + "?path=%2Fsrv%2Fshop"))[1]
	for back, want := range map[string]string{"//evil.example": "/basket?done=basket", "https://evil.example/": "/basket?done=basket", `/\evil.example`: "/basket?done=basket", "javascript:alert(1)": "/basket?done=basket",
		"": "/basket?done=basket", "/find?q=a": "/find?q=a&done=basket", "/\t/evil.example": "/basket?done=basket"} {
		if a := ines.post("/basket/add", "pick", pick, "back", back); a.location() != want {
			t.Errorf("back=%q leads to %q, want %q", back, a.location(), want)
		}
	}
	if a := ines.post("/basket/add", "back", "/find"); a.location() != "/find?done=nothing" || !strings.Contains(ines.page(a.location()), "Nothing was ticked") {
		t.Errorf("nothing ticked: %d %s", a.status, a.location())
	}
	for _, pick := range []string{"x", snap.ID + ":!!:file:1", snap.ID + "::file:1", snap.ID + ":L2E:file:x"} {
		if a := ines.post("/basket/add", "pick", pick); a.status != http.StatusUnprocessableEntity {
			t.Errorf("pick=%s: %d", pick, a.status)
		}
	}
	page := ines.page("/basket")
	item := between(page, `name="item" value="`, `"`)
	if a := ines.post("/basket/remove", "item", strings.TrimSuffix(strings.TrimPrefix(item, `name="item" value="`), `"`)); a.location() != "/basket?done=taken_out" {
		t.Errorf("take out: %s", a.location())
	}
	if page := ines.page("/basket?done=taken_out"); !strings.Contains(heading(page), "empty") {
		t.Errorf("after taking out: %q", heading(page))
	}
}

// A large folder comes in pages, a file in it is found, and a whole page of it
// goes into the basket, until that is full.
func TestLargeFoldersAndFullBaskets(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1200})
	files := tree{}
	for i := range 1200 {
		files[fmt.Sprintf("/srv/shop/%04d \xff.jpg", i)] = 10
	}
	h.listed(files)
	ines := h.browser(h.owner.ID)
	at, total := "/snapshots/"+snap.ID+"?path=%2Fsrv%2Fshop", 0
	for at != "" {
		body := ines.page(at)
		picks := picksOn(body)[1:] // the first is the folder itself
		total += len(picks)
		if !strings.Contains(body, "From our list of this copy") {
			t.Error("the page does not say where it is from")
		}
		a := ines.send("/basket/add", url.Values{"pick": picks, "back": {at}})
		switch {
		case total <= wire.MaxSelected && a.location() != at+"&done=basket":
			t.Fatalf("add %d: %d %s", total, a.status, a.location())
		case total > wire.MaxSelected && (a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "A basket holds 1000")):
			t.Errorf("a full basket: %d", a.status)
		}
		next := links(body, "after=")
		if at = ""; len(next) > 0 {
			at = next[0]
		}
	}
	if total != 1200 {
		t.Errorf("pages list %d, want 1,200", total)
	}
	body := ines.page("/basket")
	if n := strings.Count(body, `name="item"`); n != 1000 || !strings.Contains(body, "1000 files") {
		t.Errorf("the basket lists %d, want 1,000", n)
	}
	file := ines.page("/snapshots/" + snap.ID + "/file?path=" + url.QueryEscape("/srv/shop/0777 \xff.jpg"))
	if !strings.Contains(file, "10\u00a0B") || len(picksOn(file)) != 0 || !strings.Contains(file, "This is in your basket") {
		t.Errorf("a file far down: %q", heading(file))
	}
	if body := ines.page("/snapshots/" + snap.ID + "/file?path=%2Fsrv%2Fshop%2F0777"); !strings.Contains(heading(body), "no file") {
		t.Errorf("a file that is not there: %q", heading(body))
	}
	if a := ines.get("/snapshots/" + snap.ID + "/file?path=%2Fsrv%2Fshop"); a.location() != "/snapshots/"+snap.ID+"?path=%2Fsrv%2Fshop" {
		t.Errorf("a folder as a file: %d %s", a.status, a.location())
	}
}

// From a folder one comes to the same folder on any day.
func TestAFolderAtAnyDate(t *testing.T) {
	h := newSQLite(t)
	plan, first := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	h.listed(tree{"/srv/shop/" + odd + "/a": 1})
	second := h.again(plan.ID, tree{"/srv/shop/" + odd + "/a": 2})
	third := h.again(plan.ID, tree{"/srv/shop/" + odd + "/a": 3})
	ines := h.browser(h.owner.ID)
	raw := regexp.MustCompile(`name="raw" value="([^"]+)"`)
	zone := ok[*time.Location](t)(time.LoadLocation("Europe/Berlin"))
	for _, page := range []string{"", "/file"} {
		dir := "/srv/shop/" + odd
		if page != "" {
			dir += "/a"
		}
		body := ines.page("/snapshots/" + third.ID + page + "?path=" + url.QueryEscape(dir))
		form := "/snapshots/" + third.ID + page + "?raw=" + raw.FindStringSubmatch(body)[1] + "&on="
		for day, want := range map[time.Time]string{first.ArrivedAt: first.ID, second.ArrivedAt: second.ID, third.ArrivedAt.AddDate(1, 0, 0): third.ID} {
			if a := ines.get(form + day.In(zone).Format(time.DateOnly)); a.location() != "/snapshots/"+want+page+"?path="+url.QueryEscape(dir) {
				t.Errorf("%s leads to %d %s, want %s", day, a.status, a.location(), want)
			}
		}
		for _, day := range []string{"soon", first.ArrivedAt.AddDate(0, 0, -2).Format(time.DateOnly)} {
			a := ines.get(form + day)
			if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="on-error"`) {
				t.Errorf("%s: %d", day, a.status)
			}
			checkPage(t, a.body)
		}
	}
}

// A folder's own versions do not tell of what lies deeper: its page leads to the
// copy of a day.
func TestVersionsOfAFolder(t *testing.T) {
	h := newSQLite(t)
	plan, _ := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	h.listed(tree{"/srv/shop/office/deep/a": 1})
	last := h.again(plan.ID, tree{"/srv/shop/office/deep/a": 2})
	ines := h.browser(h.owner.ID)
	body := ines.page("/files?plan=" + plan.ID + "&path=%2Fsrv%2Fshop%2Foffice")
	if !strings.Contains(heading(body), "Choose the day") || !strings.Contains(body, "may differ in every copy") || !strings.Contains(body, `action="/snapshots/`+last.ID+`"`) {
		t.Errorf("the page of a folder: %q", heading(body))
	}
	if body := ines.page("/files?plan=" + plan.ID + "&path=%2Fsrv%2Fshop%2Foffice%2Fdeep%2Fa"); strings.Contains(body, "may differ in every copy") {
		t.Error("a file is spoken of as a folder")
	}
}

// Who alone holds the key says whether we keep a list of the names.
func TestTheListOfNamesIsAChoice(t *testing.T) {
	h := newSQLite(t)
	plan := h.newPlan(backups.CustodyCustomer)
	at := "/plans/" + plan.ID
	ines, jonas, ada := h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.admin.ID)
	if page := ines.page(at); !strings.Contains(page, "May we keep a list") || !strings.Contains(page, `value="no" checked`) {
		t.Error("the owner is not asked")
	}
	if page := ada.page(at); strings.Contains(page, "May we keep a list") || !strings.Contains(page, "Only the customer can say yes") || strings.Contains(page, at+"/names") {
		t.Error("staff are offered the customer's choice")
	}
	if page := jonas.page(at); strings.Contains(page, at+"/names") || !strings.Contains(page, "We keep no list") {
		t.Error("a reader is not told, or may choose")
	}
	if a := ada.post(at+"/names", "names", "yes"); a.status != http.StatusForbidden {
		t.Errorf("staff say yes: %d", a.status)
	}
	if a := jonas.post(at+"/names", "names", "yes"); a.status != http.StatusForbidden {
		t.Errorf("a reader says yes: %d", a.status)
	}
	if a := ines.post(at + "/names"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("neither yes nor no: %d", a.status)
	}
	if a := ines.post(at + "/names/anew"); a.status != http.StatusConflict {
		t.Errorf("anew, of none: %d", a.status)
	}
	if a := ines.post(at+"/names", "names", "yes"); a.location() != at+"?done=saved" {
		t.Fatalf("yes: %d %s", a.status, heading(a.body))
	}
	if page := ines.page(at); !strings.Contains(page, `value="yes" checked`) || !strings.Contains(page, at+"/names/anew") {
		t.Error("the choice is not kept")
	}
	if a := ines.post(at + "/names/anew"); a.location() != at+"?done=names" {
		t.Errorf("anew: %d %s", a.status, a.location())
	}
	ines.page(at + "?done=names")
	if a := ines.post(at+"/names", "names", "no"); a.location() != at+"?done=saved" {
		t.Errorf("no: %d", a.status)
	}
	if page := ines.page(at); !strings.Contains(page, `value="no" checked`) {
		t.Error("no is not kept")
	}
}
