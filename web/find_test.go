package web_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ostler/agents/wire"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

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
		// Of a search for some versions it is one of those that is picked.
		if boxes := picksOn(ines.page("/find?q=invoice&min=0.000011&type=file")); len(boxes) != 1 || !strings.HasPrefix(boxes[0], second.ID+":") {
			t.Errorf("of 11 bytes: %q, want the one of %s", boxes, second.ID)
		}
		if boxes := picksOn(ines.page("/find?q=invoice&to=2020-01-01")); len(boxes) != 0 {
			t.Errorf("of another time: %q", boxes)
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
		// A folder that is named and not chosen is asked about, and not passed over.
		bad = ines.post("/basket/server", "placement", "original", "folder", "/srv/shop/restored", "conflict", "overwrite")
		if bad.status != http.StatusUnprocessableEntity || !strings.Contains(between(bad.body, `<fieldset id="placement"`, "</fieldset>"), "A folder is named below") {
			t.Errorf("a folder that is not chosen: %d", bad.status)
		}
		checkPage(t, bad.body)
		// A server of theirs without a backup of its own can be restored to.
		ok[customers.Tenancy](t)(h.customers.CreateTenancy(h.ctx, all, customers.NewTenancy{Server: h.shared.ID, Customer: h.maple.ID, Paths: []string{"/srv/bakery"}}))
		page = ines.page("/basket")
		if which := between(page, `<select id="server"`, "</select>"); !strings.Contains(which, h.shared.ID) || !strings.Contains(page, "shared-1: /srv/bakery") {
			t.Errorf("the servers to restore to: %q", which)
		}
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

// Whoever of us helps a customer, with a reason, finds and collects as they do,
// for that customer only.
func TestFindForACustomer(t *testing.T) {
	h := newSQLite(t)
	plan, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	h.listed(tree{"/srv/shop/a.txt": 1})
	ada := h.browser(h.admin.ID)
	if a := ada.post("/assist", "customer", h.maple.ID, "reason", "They asked by telephone for a file", "ticket", "OPS-12"); a.status != http.StatusSeeOther {
		t.Fatalf("assist: %d %s", a.status, heading(a.body))
	}
	found := ada.page("/find?q=a.txt")
	boxes := picksOn(found)
	if len(boxes) != 1 || !strings.Contains(found, "Add the newest versions") || !strings.Contains(found, "OPS-12") {
		t.Fatalf("found: %q %q", heading(found), boxes)
	}
	for _, path := range []string{"/files?plan=" + plan.ID + "&path=%2Fsrv%2Fshop%2Fa.txt", "/snapshots/" + snap.ID + "?path=%2Fsrv%2Fshop", "/snapshots/" + snap.ID + "/file?path=%2Fsrv%2Fshop%2Fa.txt"} {
		if len(picksOn(ada.page(path))) == 0 {
			t.Errorf("%s: nothing can be chosen", path)
		}
	}
	if a := ada.post("/basket/add", "pick", boxes[0], "back", "/find?q=a.txt"); a.location() != "/find?q=a.txt&done=basket" {
		t.Fatalf("add: %d %s", a.status, a.location())
	}
	if page := ada.page("/basket"); !strings.Contains(page, "a.txt") || !strings.Contains(page, `name="special"`) {
		t.Errorf("basket: %q", heading(page))
	}
	if page := h.browser(h.owner.ID).page("/basket"); strings.Contains(page, "a.txt") {
		t.Error("the customer sees our basket")
	}
}
