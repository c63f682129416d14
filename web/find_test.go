package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/backups/catalogue"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// odd is a name that no page may trip over.
const odd = "two\nlines \xff<img src=x onerror=alert(1)>.txt"

// tree is the files of a played copy with their sizes.
type tree map[string]int64

// listed has the played host list the names of the copy that is asked for next,
// and the plane take them in.
func (h *house) listed(files tree) {
	h.t.Helper()
	nodes := maps.Clone(files)
	for p := range files {
		for d := path.Dir(p); d != "/"; d = path.Dir(d) {
			nodes[d] = -1
		}
	}
	var out bytes.Buffer
	w := catalogue.NewListingWriter(&out, catalogue.ListingOptions{TempDir: h.t.TempDir()})
	for _, p := range slices.Sorted(maps.Keys(nodes)) {
		e := catalogue.Entry{Path: []byte(p), Type: wire.NodeFile, Size: nodes[p], MTime: 1_700_000_000_000 + nodes[p], Mode: 0o644}
		if nodes[p] < 0 {
			e.Type, e.Size = wire.NodeDir, 0
		}
		if err := w.Add(e); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	var p wire.CatalogueParams
	ref := h.take(wire.ActionCatalogue, &p)
	sum := sha256.Sum256(out.Bytes())
	up := wire.Upload{Size: int64(out.Len()), SHA256: hex.EncodeToString(sum[:]), Chunks: 1}
	if err := h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, 0, up.SHA256, &out); err != nil {
		h.t.Fatal(err)
	}
	var ids []string
	snaps, _, err := h.backups.Snapshots(h.ctx, all, backups.SnapshotFilter{Server: h.server.ID})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range snaps {
		ids = append(ids, s.ResticID)
	}
	h.finish(ref, wire.CatalogueResult{Upload: up, Entries: int64(len(nodes)), Snapshots: ids})
	h.tick()
}

// again makes another copy, a day later, whose names are known. The schedule is
// paused: it would make copies of its own.
func (h *house) again(plan string, files tree) backups.Snapshot {
	h.t.Helper()
	h.clock.Advance(24 * time.Hour)
	ok[backups.Plan](h.t)(h.backups.UpdatePlan(h.ctx, all, plan, backups.PlanInput{Tenancy: h.tenancy.ID, Name: "Files", Paths: []string{"/srv/shop"}, Cron: "15 2 * * *", Zone: "Europe/Berlin"}, false))
	ok[backups.Run](h.t)(h.backups.RunNow(h.ctx, all, plan))
	h.backup(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: int64(len(files))})
	h.listed(files)
	snaps, _, err := h.backups.Snapshots(h.ctx, all, backups.SnapshotFilter{Plan: plan, Limit: 1})
	if err != nil {
		h.t.Fatal(err)
	}
	return snaps[0]
}

// send posts a form that has a field more than once.
func (p *person) send(path string, form url.Values) answer {
	p.h.t.Helper()
	r := ok[*http.Request](p.h.t)(http.NewRequestWithContext(p.h.t.Context(), http.MethodPost, p.h.url+path, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.do(r)
}

var pickField = regexp.MustCompile(`name="pick" value="([^"]+)"`)

// picksOn are the values of a page's boxes and buttons for the basket.
func picksOn(page string) (out []string) {
	for _, m := range pickField.FindAllStringSubmatch(page, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// links are the addresses that a page leads to and that have a part.
func links(page, part string) (out []string) {
	for _, m := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if to := html.UnescapeString(m[1]); strings.Contains(to, part) && !slices.Contains(out, to) {
			out = append(out, to)
		}
	}
	return out
}

// From Home one comes to a version of a file by a search, and from there to the
// basket and what becomes of it; whatever bytes its name has.
func TestSearchVersionBasketOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		plan, first := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 3})
		h.listed(tree{"/srv/shop/office/Invoice.ods": 10, "/srv/shop/" + odd: 20})
		second := h.again(plan.ID, tree{"/srv/shop/office/Invoice.ods": 11, "/srv/shop/" + odd: 20})
		third := h.again(plan.ID, tree{"/srv/shop/" + odd: 20})
		ines := h.browser(h.owner.ID)
		if home := ines.page("/home"); !strings.Contains(home, `action="/find"`) || !strings.Contains(home, `name="q"`) {
			t.Error("Home has no search")
		}
		found := ines.page("/find?q=invoice")
		if said := heading(found); !strings.Contains(said, "One was found") || !strings.Contains(found, "missing from the backup of") || strings.Contains(found, "deleted") {
			t.Errorf("search: %q", said)
		}
		to := links(found, "/files?")
		if len(to) != 1 {
			t.Fatalf("versions: %q", to)
		}
		versions := ines.page(to[0])
		picks := picksOn(versions)
		if len(picks) != 2 || !strings.HasPrefix(picks[0], second.ID+":") || !strings.HasPrefix(picks[1], first.ID+":") || !strings.Contains(versions, "Missing from the backup") {
			t.Fatalf("versions: %q %q", heading(versions), picks)
		}
		added := ines.post("/basket/add", "pick", picks[1], "back", to[0])
		if added.location() != to[0]+"&done=basket" {
			t.Fatalf("add: %d %s", added.status, added.location())
		}
		if page := ines.page(added.location()); !strings.Contains(page, "which holds 1 item") || len(picksOn(page)) != 1 {
			t.Error("the page does not say that it is in the basket")
		}
		list := ines.page("/find?q=onerror")
		if strings.Contains(list, "<img") || !strings.Contains(list, `\xff`) {
			t.Error("a strange name is not shown escaped and marked")
		}
		if boxes := picksOn(list); len(boxes) != 1 || !strings.HasPrefix(boxes[0], third.ID+":") {
			t.Fatalf("boxes: %q", boxes)
		} else if a := ines.post("/basket/add", "pick", boxes[0]); a.location() != "/basket?done=basket" {
			t.Fatalf("add: %d %s", a.status, a.location())
		}
		page := ines.page("/basket")
		if !strings.Contains(heading(page), "2 items") || !strings.Contains(page, "2 files, 30") {
			t.Errorf("basket: %q", heading(page))
		}
		bad := ines.post("/basket/server", "placement", "folder", "folder", "restored", "conflict", "overwrite")
		if bad.status != http.StatusUnprocessableEntity || !strings.Contains(bad.body, `id="folder-error"`) || !strings.Contains(bad.body, `value="overwrite" checked`) || !strings.Contains(bad.body, `value="restored"`) {
			t.Errorf("a folder that is none: %d", bad.status)
		}
		checkPage(t, bad.body)
		a := ines.post("/basket/server", "placement", "original", "conflict", "overwrite", "mail", "1")
		if a.status != http.StatusSeeOther {
			t.Fatalf("order: %d %s", a.status, heading(a.body))
		}
		var p wire.PreviewParams
		h.take(wire.ActionPreview, &p)
		got := map[string]string{}
		for _, s := range p.Selections {
			got[string(s.Paths[0])] = s.SnapshotID
		}
		if want := map[string]string{"/srv/shop/office/Invoice.ods": first.ResticID, "/srv/shop/" + odd: third.ResticID}; !maps.Equal(got, want) || p.Target.Conflict != wire.ConflictOverwrite {
			t.Errorf("ordered %q by %q, want %q", got, p.Target.Conflict, want)
		}
		if page := ines.page("/basket"); len(links(page, "/snapshots/")) != 0 {
			t.Error("the basket is not empty after its order")
		}
		down := ines.post("/basket/add", "pick", picks[0])
		if down = ines.post("/basket/download", "format", "tar.gz"); down.status != http.StatusSeeOther || !strings.HasPrefix(down.location(), "/restores/") {
			t.Errorf("download: %d %s", down.status, down.location())
		}
		if a := ines.post("/basket/download", "format", "zip"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Nothing is chosen") {
			t.Errorf("an empty basket is ordered: %d", a.status)
		}
	})
}

// What is said to be searched was: nothing found is no promise.
func TestFindSaysWhatWasNotSearched(t *testing.T) {
	h := newSQLite(t)
	ines := h.browser(h.owner.ID)
	if page := ines.page("/find"); !strings.Contains(page, "There is no copy") || strings.Contains(ines.page("/home"), `action="/find"`) {
		t.Error("without a copy there is something to search")
	}
	plan, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	page := ines.page("/find?q=invoice")
	if !strings.Contains(heading(page), "could be searched") || !strings.Contains(page, "was not searched: the list of names is being made") || !strings.Contains(page, `href="/snapshots/`+snap.ID+`"`) {
		t.Errorf("nothing was searched: %q", heading(page))
	}
	if page := ines.page("/files?plan=" + plan.ID + "&path=%2Fsrv%2Fshop%2Fa"); !strings.Contains(heading(page), "is not known") || !strings.Contains(page, `href="/snapshots/`+snap.ID+`?path=%2Fsrv%2Fshop"`) {
		t.Errorf("versions that are not known: %q", heading(page))
	}
	h.listed(tree{"/srv/shop/a.txt": 1})
	if page := ines.page("/find?q=invoice"); !strings.Contains(heading(page), "No copy has a file") || strings.Contains(page, "Not searched") {
		t.Errorf("nothing found: %q", heading(page))
	}
	if page := ines.page("/find?q=a&on=2001-02-03"); !strings.Contains(heading(page), "No copy was made on that day or before") {
		t.Errorf("before the first copy: %q", heading(page))
	}
	for field, query := range map[string]string{"on": "on=soon", "min": "min=-1", "from": "from=x", "to": "from=2026-11-02&to=2026-11-01", "type": "type=door"} {
		a := ines.get("/find?q=a&" + query)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `href="#`+field+`"`) {
			t.Errorf("%s: %d", query, a.status)
		}
		checkPage(t, a.body)
	}
	if a := ines.get("/find?q=a&page=junk"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a page that is none: %d", a.status)
	} else {
		checkPage(t, a.body)
	}
	if a := ines.get("/files?plan=" + plan.ID + "&path=%2Fsrv%2Fshop%2Fnever"); a.status != http.StatusNotFound {
		t.Errorf("a file that never was: %d", a.status)
	}
}

// A reader is told that they may not; another customer's plans, copies and
// baskets are not there.
func TestFindAndBasketOfOthers(t *testing.T) {
	h := newSQLite(t)
	plan, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	h.listed(tree{"/srv/shop/a.txt": 1})
	ines, jonas, otto, ada := h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.stranger.ID), h.browser(h.admin.ID)
	file := "/files?plan=" + plan.ID + "&path=%2Fsrv%2Fshop%2Fa.txt"
	picks := picksOn(ines.page(file))
	if a := ines.post("/basket/add", "pick", picks[0]); a.status != http.StatusSeeOther {
		t.Fatalf("add: %d", a.status)
	}
	for _, path := range []string{"/find", "/find?q=a", file, "/basket"} {
		if a := jonas.get(path); a.status != http.StatusForbidden {
			t.Errorf("a reader, %s: %d", path, a.status)
		}
		if a := ada.get(path); a.status != http.StatusForbidden || strings.Contains(a.body, "a.txt") {
			t.Errorf("staff without a reason, %s: %d", path, a.status)
		}
	}
	for _, form := range []string{"/basket/add", "/basket/remove", "/basket/clear", "/basket/download", "/basket/server"} {
		if a := jonas.post(form, "pick", picks[0]); a.status != http.StatusForbidden {
			t.Errorf("a reader, %s: %d", form, a.status)
		}
	}
	if a := otto.get(file); a.status != http.StatusNotFound {
		t.Errorf("versions of another customer's file: %d", a.status)
	}
	if a := otto.post("/basket/add", "pick", picks[0]); a.status != http.StatusNotFound {
		t.Errorf("another customer's copy: %d", a.status)
	}
	if a := otto.get("/snapshots/" + snap.ID + "?path=%2Fsrv&on=2026-01-01"); a.status != http.StatusNotFound {
		t.Errorf("another customer's folder: %d", a.status)
	}
	if page := otto.page("/basket"); strings.Contains(page, "a.txt") {
		t.Error("another customer's basket")
	}
	otto.post("/basket/clear")
	if page := ines.page("/basket"); !strings.Contains(page, "a.txt") {
		t.Error("a stranger emptied the basket")
	}
	if page := otto.page("/find?q=a.txt"); strings.Contains(page, snap.ID) {
		t.Error("a search finds another customer's files")
	}
}

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

// By the keyboard alone: a key leads to the search, what is ticked goes into
// the basket, and the page then begins with what was done.
func TestFindByKeyboard(t *testing.T) {
	ctx := chromium(t)
	h := newSQLite(t)
	h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 2})
	h.listed(tree{"/srv/shop/a/b.txt": 1, "/srv/shop/a/c.txt": 2})
	for _, c := range h.browser(h.owner.ID).cookies() {
		if _, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: h.url}); err != nil {
			t.Fatal(err)
		}
	}
	act := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			var err error
			if k == "/" { // as keyboards do: a page may keep the letter away
				_, err = chromedp.Call(ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: k, Text: k, Code: "Slash", WindowsVirtualKeyCode: 191})
			} else {
				err = chromedp.Do(ctx, chromedp.KeyEvent(k))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	is := func(what, script string) {
		t.Helper()
		var err error
		for range 3 { // a page that goes while it is asked does not answer
			if _, err = chromedp.Run(ctx, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(10*time.Second))); err == nil {
				break
			}
		}
		if err != nil {
			focus, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + " " + document.activeElement.outerHTML + " " + document.activeElement.value`))
			t.Fatalf("%s: %v, at %s", what, err, focus)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(h.url+"/home")); err != nil {
		t.Fatal(err)
	}
	act("/")
	is("the key leads to the box", `document.activeElement.id === "q" && document.activeElement.value === ""`)
	act("a", "/", kb.Enter)
	is("a slash is a letter while one types", `location.pathname === "/find" && document.getElementById("q").value === "a/"`)
	is("files beneath a folder", `document.querySelectorAll("input[name=pick]").length === 2`)
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-all]").focus()`)); err != nil {
		t.Fatal(err)
	}
	act(" ")
	is("all are ticked", `[...document.querySelectorAll("input[name=pick]")].every((b) => b.checked)`)
	act(kb.Tab, " ")
	is("one is not", `document.activeElement.name === "pick" && document.querySelector("[data-all]").indeterminate`)
	act(kb.Tab, kb.Tab, kb.Tab, kb.Tab, kb.Tab, kb.Tab, kb.Enter)
	is("the page begins with what was done", `document.activeElement.id === "done" && document.activeElement.textContent.includes("1 item")`)
	act(kb.Tab, kb.Enter)
	is("and leads to the basket", `location.pathname === "/basket"`)
	bad, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`window.violations`))
	if err != nil || len(bad) > 0 {
		t.Errorf("the policy is broken: %v %v", bad, err)
	}
}
