package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/identity"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

func TestEmptyHouse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		ada := h.browser(h.admin.ID)
		for _, path := range []string{"/today", "/servers", "/servers?state=silent&q=x", "/servers/new", "/servers/" + h.server.ID, "/servers/" + h.server.ID + "/enrol", "/customers", "/customers/new",
			"/customers/" + h.maple.ID, "/customers/" + h.maple.ID + "/tenancies/new", "/tenancies/" + h.tenancy.ID + "/plan", "/jobs", "/jobs?show=failed", "/activity", "/activity?show=people", "/account"} {
			ada.page(path)
		}
		if got := heading(ada.page("/today")); strings.Contains(got, "Nothing needs") {
			t.Errorf("two servers were never heard of, and the page says %q", got)
		}
		ines := h.browser(h.owner.ID)
		for _, path := range []string{"/home", "/backups", "/activity", "/account", "/servers/" + h.server.ID, "/jobs", "/tenancies/" + h.tenancy.ID + "/plan"} {
			ines.page(path)
		}
	})
}

func TestSignInGuards(t *testing.T) {
	h := newSQLite(t)
	nobody := h.browser("")
	if a := nobody.get("/home?x=1"); a.status != http.StatusSeeOther || a.location() != "/signin?next=%2Fhome%3Fx%3D1" {
		t.Errorf("got %d %s, want the sign-in page and back", a.status, a.location())
	}
	nobody.page("/signin")
	a := nobody.post("/signin", "email", "ada@host.example", "password", "not this one")
	if a.status != http.StatusUnauthorized || !strings.Contains(a.body, `value="ada@host.example"`) || strings.Contains(a.body, "not this one") {
		t.Errorf("wrong password: %d", a.status)
	}
	checkPage(t, a.body)
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "javascript:alert(1)"} {
		ines := h.browser(h.owner.ID)
		if a := ines.get("/signin?next=" + url.QueryEscape(next)); a.location() != "/" {
			t.Errorf("next=%s leads to %s", next, a.location())
		}
	}
	if a := nobody.get("/demo/spent"); a.status == http.StatusSeeOther || strings.Contains(a.body, "<nav aria-label=\"Main\"") {
		t.Errorf("a spent link: %d", a.status)
	}
	ines := h.browser(h.owner.ID)
	r := ok[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/signout", nil))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := ines.do(r); a.status != http.StatusForbidden {
		t.Errorf("a form of another site: %d, want 403", a.status)
	}
	ines.page("/account")
	if a := ines.post("/signout"); a.location() != "/signin" {
		t.Errorf("sign out: %d %s", a.status, a.location())
	}
	if a := ines.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("after signing out: %d", a.status)
	}
}

func newSQLite(t *testing.T) *house {
	t.Helper()
	c := &dbtest.Clock{}
	return newHouse(t, dbtest.SQLite(t, c), c)
}

// A customer finds a file, downloads it and puts it back, through pages only.
func TestCustomerGetsAFileBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		plan, snap := h.ready(wire.BackupResult{Outcome: wire.BackupPartial, TotalFiles: 3, TotalBytes: 99, UnreadCount: 1, Unread: []wire.Unread{{Path: "/srv/shop/\u202esecret", Reason: "permission denied"}}})
		ines := h.browser(h.owner.ID)
		if got := heading(ines.page("/home")); strings.Contains(got, "Nothing needs") {
			t.Errorf("a partial copy is open, and the page says %q", got)
		}
		for _, path := range []string{"/backups", "/plans/" + plan.ID, "/plans/" + plan.ID + "/copies", "/plans/" + plan.ID + "/edit", "/servers/" + h.server.ID, "/keys/" + plan.Repository.ID, "/activity"} {
			ines.page(path)
		}
		odd := "two\nlines \xff<img src=x onerror=alert(1)>.txt"
		waiting := ines.page("/snapshots/" + snap.ID + "?path=%2Fsrv%2Fshop")
		if !strings.Contains(waiting, "Waiting for maple-1") || !strings.Contains(waiting, "hx-sse:connect") {
			t.Errorf("the page does not say that it waits: %s", heading(waiting))
		}
		var p wire.ListParams
		h.finish(h.take(wire.ActionList, &p), wire.Listing{Found: true, Nodes: []wire.Node{{Name: []byte(odd), Type: wire.NodeFile, Size: 12, Mode: 0o644}, {Name: []byte("office"), Type: wire.NodeDir}}})
		listed := ines.page("/snapshots/" + snap.ID + "?path=%2Fsrv%2Fshop")
		if strings.Contains(listed, "<img") || !strings.Contains(listed, `\n`) || !strings.Contains(listed, `\xff`) {
			t.Error("a strange name is not shown escaped and marked")
		}
		file := "/snapshots/" + snap.ID + "/file?path=" + url.QueryEscape("/srv/shop/"+odd)
		ines.page(file)
		if got := heading(ines.page("/snapshots/" + snap.ID + "/file?path=%2Fsrv%2Fshop%2Fgone")); !strings.Contains(got, "no file") {
			t.Errorf("a missing file: %q", got)
		}
		a := ines.post("/snapshots/"+snap.ID+"/putback?path="+url.QueryEscape("/srv/shop/"+odd), "x", "")
		if a.status != http.StatusSeeOther {
			t.Fatalf("put back: %d %s", a.status, heading(a.body))
		}
		ines.page(a.location())
		var back wire.ApplyParams
		ref := h.take(wire.ActionApply, &back)
		if got := string(back.Selections[0].Paths[0]); got != "/srv/shop/"+odd {
			t.Errorf("path %q did not survive the form", got)
		}
		h.finish(ref, wire.Changes{Counts: map[wire.Act]int64{wire.ActBeside: 1},
			Changes: []wire.Change{{Path: []byte("/srv/shop/" + odd + back.Target.Suffix), Type: wire.NodeFile, Act: wire.ActBeside, Size: 12, SHA256: strings.Repeat("a", 64)}}})
		if got := ines.page(a.location()); !strings.Contains(got, strings.Repeat("a", 64)) {
			t.Error("no SHA-256 on the page of the restore")
		}
		down := ines.post("/snapshots/"+snap.ID+"/download?path=%2Fsrv%2Fshop%2Foffice.ods", "x", "")
		ines.page(down.location())
		if dl := ines.get("/downloads/" + strings.TrimPrefix(down.location(), "/restores/") + "/file"); dl.status != http.StatusConflict {
			t.Errorf("a download that is not ready: %d, want 409", dl.status)
		}
		job := ok[backups.Restore](t)(h.backups.Restore(h.ctx, all, strings.TrimPrefix(down.location(), "/restores/"))).Job
		ines.page("/jobs/" + job)
		if c := ines.post("/jobs/" + job + "/cancel"); c.location() != "/jobs/"+job+"?done=cancelled" {
			t.Errorf("cancel: %d %s", c.status, c.location())
		}
		ines.page(down.location())
		if !strings.Contains(ines.page("/activity?show=restores"), "asked for") {
			t.Error("the restore is not in the activity")
		}
	})
}

func TestFolderStatesAreToldApart(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 3})
	ines := h.browser(h.owner.ID)
	base := "/snapshots/" + snap.ID + "?path="
	for path, l := range map[string]wire.Listing{"%2Fempty": {Found: true}, "%2Fgone": {Found: false}} {
		ines.page(base + path)
		var p wire.ListParams
		h.finish(h.take(wire.ActionList, &p), l)
	}
	if got := heading(ines.page(base + "%2Fempty")); !strings.Contains(got, "was empty") {
		t.Errorf("empty: %q", got)
	}
	if got := heading(ines.page(base + "%2Fgone")); !strings.Contains(got, "no folder") {
		t.Errorf("gone: %q", got)
	}
	ines.page(base + "%2Fbroken")
	var p wire.ListParams
	ref := h.take(wire.ActionList, &p)
	h.end(wire.Result{JobRef: ref, Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CauseWrongPassword}})
	failed := ines.page(base + "%2Fbroken&job=" + ref.Job)
	if !strings.Contains(heading(failed), "could not list") || !strings.Contains(failed, "does not have the right key") || strings.Contains(failed, "hx-sse:connect") {
		t.Errorf("a failed listing: %q", heading(failed))
	}
}

func TestRecoveryKeyIsShownOnceAndConfirmed(t *testing.T) {
	h := newSQLite(t)
	plan := h.newPlan(backups.CustodyOpen)
	at := "/keys/" + plan.Repository.ID
	ines, jonas, ada := h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.admin.ID)
	ines.page(at)
	if a := jonas.post(at + "/choose?custody=customer"); a.status != http.StatusForbidden {
		t.Errorf("a reader chooses: %d", a.status)
	}
	if a := ada.post(at + "/choose?custody=customer"); a.status != http.StatusForbidden && a.status != http.StatusConflict {
		t.Errorf("staff take the customer's choice: %d", a.status)
	}
	if a := ines.post(at + "/choose?custody=customer"); a.status != http.StatusSeeOther {
		t.Fatalf("choose: %d %s", a.status, heading(a.body))
	}
	ines.page(at)
	h.prepared()
	ines.page(at)
	jonas.page(at)
	if got := heading(ines.page("/home")); !strings.Contains(got, "need") || strings.Contains(got, "Nothing") {
		t.Errorf("home while the key is not confirmed: %q", got)
	}
	shown := ines.post(at + "/show")
	if shown.status != http.StatusOK || !strings.Contains(shown.body, ">"+password+"</pre>") || !strings.Contains(shown.body, "restic password of the repository") || shown.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("show: %d", shown.status)
	}
	checkPage(t, shown.body)
	if again := ines.post(at + "/show"); again.status != http.StatusConflict || strings.Contains(again.body, "STVWX") {
		t.Errorf("shown twice: %d", again.status)
	}
	wrong := ines.post(at+"/confirm", "last_group", "WRONG")
	if wrong.status != http.StatusUnprocessableEntity || !strings.Contains(wrong.body, `href="#last_group"`) || strings.Contains(wrong.body, "STVWX") {
		t.Errorf("wrong group: %d", wrong.status)
	}
	checkPage(t, wrong.body)
	if a := ines.post(at+"/confirm", "last_group", "stvwx"); a.status != http.StatusSeeOther {
		t.Fatalf("confirm: %d %s", a.status, heading(a.body))
	}
	h.initialised()
	ines.page(at)
}

func TestOpsSetUpAServer(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	bad := ada.post("/servers", "name", "not a name!", "country", "DE")
	if bad.status != http.StatusUnprocessableEntity || !strings.Contains(bad.body, `id="name-error"`) {
		t.Errorf("a bad name: %d", bad.status)
	}
	checkPage(t, bad.body)
	a := ada.post("/servers", "name", "new-1", "location", "Vienna", "country", "AT")
	if a.status != http.StatusTemporaryRedirect { // the browser sends the form on: one press
		t.Fatalf("create: %d %s", a.status, heading(a.body))
	}
	ada.page(a.location())
	made := ada.post(a.location())
	for _, want := range []string{"ostler-agent enrol --plane https://localhost:8445", "sudo ostler-agent run", "restic 0.19"} {
		if made.status != http.StatusOK || !strings.Contains(made.body, want) {
			t.Errorf("command: %d, without %q", made.status, want)
		}
	}
	checkPage(t, made.body)
	c := ada.post("/customers", "name", "Vineyard", "slug", "vineyard", "country", "AT", "zone", "Europe/Vienna")
	ada.page(c.location())
	vineyard, _, _ := strings.Cut(c.location(), "?")
	server := strings.TrimSuffix(strings.TrimPrefix(a.location(), "/servers/"), "/enrol")
	ten := ada.post(vineyard+"/tenancies", "server", server, "paths", "/srv/vine", "sites", "vine.example")
	if ten.status != http.StatusSeeOther {
		t.Fatalf("tenancy: %d %s", ten.status, heading(ten.body))
	}
	again := ada.post(vineyard+"/tenancies", "server", server, "paths", "srv")
	if again.status != http.StatusUnprocessableEntity {
		t.Errorf("a bad path: %d", again.status)
	}
	checkPage(t, again.body)
	plan := ada.post("/tenancies/"+h.tenancy.ID+"/plan", "name", "Files", "paths", "/srv/shop\r\n/etc", "cron", "61 * * * *", "zone", "Europe/Berlin", "custody", "escrow")
	if plan.status != http.StatusUnprocessableEntity || !strings.Contains(plan.body, `id="cron-error"`) || !strings.Contains(plan.body, `id="paths-error"`) {
		t.Errorf("a bad plan: %d", plan.status)
	}
	checkPage(t, plan.body)
	plan = ada.post("/tenancies/"+h.tenancy.ID+"/plan", "name", "Files", "paths", "/srv/shop", "cron", "15 2 * * *", "zone", "Europe/Berlin", "custody", "escrow")
	if plan.status != http.StatusSeeOther {
		t.Fatalf("plan: %d %s", plan.status, heading(plan.body))
	}
	ada.page(plan.location())
	where, _, _ := strings.Cut(plan.location(), "?")
	if a := ada.post(where, "name", "Files", "paths", "/srv/shop", "cron", "30 3 * * *", "zone", "Europe/Berlin", "enabled", "1"); a.location() != where+"?done=saved" {
		t.Errorf("save: %d %s", a.status, a.location())
	}
	if a := ada.post(where + "/run"); a.status != http.StatusConflict {
		t.Errorf("run before the repository is ready: %d, want 409", a.status)
	}
	ada.page("/customers/" + h.maple.ID)
	ada.page("/today")
}

// Every route, by every kind of reader: who is not of its audience finds
// nothing, who may not is told so, and another customer's object is not there.
func TestEveryRouteForEverybody(t *testing.T) {
	h := newSQLite(t)
	session := h.sessionsThere()
	plan, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	restore := ok[backups.Restore](t)(h.backups.StartDownload(h.ctx, all, snap.ID, []byte("/srv/shop/a")))
	request := ok[backups.Ask](t)(h.backups.AskUs(controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: h.owner.ID, Role: string(policy.RoleOwner), Customer: h.maple.ID}),
		policy.OneCustomer(h.maple.ID), backups.NewAsk{What: "the folder office"}))
	auditor := ok[identity.Person](t)(h.identity.AddAuditor(h.ctx, all, identity.NewAuditor{Customer: h.maple.ID, Name: "Helle Nyberg", Email: "helle@audit.example", Until: h.clock.Now().Add(time.Hour)}))
	entries, _, err := h.ledger.List(h.ctx, all, ledger.Filter{Customer: h.maple.ID, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]string{"servers": h.server.ID, "customers": h.maple.ID, "tenancies": h.tenancy.ID, "plans": plan.ID, "jobs": restore.Job, "snapshots": snap.ID, "restores": restore.ID,
		"downloads": restore.ID, "keys": plan.Repository.ID, "account": "ses_00000000000000000000000000", "people": h.reader.ID, "staff": h.admin.ID, "auditors": auditor.ID, "activity": entries[0].ID, "asks": request.ID}
	objects["sessions"] = session
	for noun, id := range h.accessObjects() {
		objects[noun] = id
	}
	readers := map[string]struct {
		*person
		a controlplane.Actor
	}{
		"staff":    {h.browser(h.admin.ID), controlplane.Actor{Kind: controlplane.ActorStaff, Role: string(policy.RoleAdmin)}},
		"reader":   {h.browser(h.reader.ID), controlplane.Actor{Kind: controlplane.ActorContact, Role: string(policy.RoleReader)}},
		"auditor":  {h.browser(auditor.ID), controlplane.Actor{Kind: controlplane.ActorAuditor, Role: string(policy.RoleAuditor)}},
		"stranger": {h.browser(h.stranger.ID), controlplane.Actor{Kind: controlplane.ActorContact, Role: string(policy.RoleOwner)}},
		"nobody":   {h.browser(""), controlplane.Actor{}},
	}
	for _, r := range h.portal.Routes() {
		path := r.Path
		for noun, id := range objects {
			path = strings.Replace(path, "/"+noun+"/:id", "/"+noun+"/"+id, 1)
			path = strings.Replace(path, "/account/tokens/:id", "/account/tokens/tok_00000000000000000000000000", 1)
			path = strings.Replace(path, "/account/sessions/:id", "/account/sessions/"+id, 1)
		}
		if r.Path == "/events" || r.Path == "/static/*" || r.Path == "/signout" || strings.HasSuffix(path, "/:secret") {
			continue
		}
		for who, reader := range readers {
			var a answer
			if r.Method == "GET" {
				a = reader.get(path)
			} else if want(r, reader.a) != 0 || who == "stranger" { // a form that goes through changes the house
				a = reader.post(path)
			} else {
				continue
			}
			wanted := want(r, reader.a)
			if who == "stranger" && strings.Contains(r.Path, ":id") && wanted == 0 {
				wanted = http.StatusNotFound
			}
			if wanted != 0 && a.status != wanted {
				t.Errorf("%s %s by %s: %d, want %d", r.Method, r.Path, who, a.status, wanted)
			}
			if a.status >= 500 {
				t.Errorf("%s %s by %s: %d", r.Method, r.Path, who, a.status)
			}
			if a.header.Get("Content-Security-Policy") == "" {
				t.Errorf("%s %s by %s: no Content-Security-Policy", r.Method, r.Path, who)
			}
		}
	}
}

// want is the status that a reader must get; 0 where it depends on the object.
func want(r policy.Route, a controlplane.Actor) int {
	switch {
	case r.Audience == policy.Public:
		return 0
	case a.Kind == "":
		return http.StatusSeeOther
	case !r.Audience.Admits(string(a.Kind)):
		return http.StatusNotFound
	case !policy.Can(a, r.Permission):
		return http.StatusForbidden
	}
	return 0
}

func TestTokenIsShownOnce(t *testing.T) {
	h := newSQLite(t)
	ines := h.browser(h.owner.ID)
	bad := ines.post("/account/tokens", "name", "", "days", "30")
	if bad.status != http.StatusUnprocessableEntity {
		t.Errorf("without a name: %d", bad.status)
	}
	checkPage(t, bad.body)
	made := ines.post("/account/tokens", "name", "check", "days", "30", "permissions", "job.read")
	if made.status != http.StatusOK || !strings.Contains(made.body, "ost_customer_") {
		t.Fatalf("make: %d %s", made.status, heading(made.body))
	}
	checkPage(t, made.body)
	page := ines.page("/account")
	if strings.Contains(page, "ost_customer_") {
		t.Error("the token is shown again")
	}
	_, rest, _ := strings.Cut(page, `action="/account/tokens/`)
	id, _, _ := strings.Cut(rest, "/")
	if a := ines.post("/account/tokens/" + id + "/revoke"); a.location() != "/account?done=ended" {
		t.Errorf("revoke: %d %s", a.status, a.location())
	}
	ines.page("/account?done=ended")
}

// What a first view brings fits its budget: 55 KB and 6 requests.
func TestFirstViewBudget(t *testing.T) {
	h := newSQLite(t)
	h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	page := h.browser(h.owner.ID).page("/home")
	size, requests := len(page), 1
	r := renderer(t)
	for _, name := range []string{"app.css", "app.js", "vendor/htmx.min.js", "vendor/hx-sse.min.js", "vendor/icons.svg"} {
		a, found := r.Asset(name)
		if !found {
			t.Skip("make web has not run")
		}
		if strings.Contains(page, name) || name == "vendor/icons.svg" {
			size, requests = size+len(a.Gzip), requests+1
		}
	}
	if size > 55<<10 || requests > 6 {
		t.Errorf("got %d bytes in %d requests, want at most 55 KB in 6", size, requests)
	}
}
