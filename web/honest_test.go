package web_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// No page of any reader gives an all-clear while something is not backed up,
// and what the headline counts is in the list beneath it.
func TestNoAllClearWithoutABackup(t *testing.T) {
	h := newSQLite(t)
	ada, ines, jonas := h.browser(h.admin.ID), h.browser(h.owner.ID), h.browser(h.reader.ID)
	pages := func(when, want string) {
		t.Helper()
		for path, p := range map[string]*person{"/today": ada, "/customers/" + h.maple.ID: ada, "/servers/" + h.server.ID: ada, "/home": ines, "/backups": ines} {
			body := p.page(path)
			if said := heading(body); strings.Contains(said, "Nothing needs") || strings.Contains(said, "complete") || strings.Contains(body, "Nothing is open") {
				t.Errorf("%s, %s says %q", when, path, said)
			}
			if list := between(body, `<ul class="need">`, "</ul>"); want != "" && path != "/backups" && !strings.Contains(list, want) {
				t.Errorf("%s, %s does not list %q:\n%s", when, path, want, list)
			}
		}
	}
	pages("no plan", "maple-1 has no backup plan")
	if body := jonas.page("/home"); strings.Contains(body, "/plan\"") || !strings.Contains(body, "maple-1 has no backup plan") {
		t.Errorf("a reader: %q", heading(body))
	}
	if body := ines.page("/home"); !strings.Contains(body, `href="/tenancies/`+h.tenancy.ID+`/plan"`) {
		t.Error("an owner is not led to the form of a plan")
	}
	h.newPlan(backups.CustodyEscrow)
	pages("preparing", "maple-1 has no backup yet")
	for path, p := range map[string]*person{"/home": ines, "/backups": ines, "/servers/" + h.server.ID: ada, "/customers/" + h.maple.ID: ada} {
		if body := p.page(path); !strings.Contains(body, "begins once the key is safe") {
			t.Errorf("%s promises a time before the key is safe", path)
		}
	}
	h.prepared()
	h.initialised()
	pages("no copy", "maple-1 has no backup yet")
	h.backup(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	if body := ada.page("/today"); strings.Contains(body, "maple-1 has no backup") || !strings.Contains(body, "shared-1 has no backup plan") {
		t.Errorf("with a copy: %q", heading(body))
	}
}

// From a copy without the file one comes to the same place in the copies
// beside it, and from Home back to what was asked for.
func TestALostFileIsLookedForInOtherCopies(t *testing.T) {
	h := newSQLite(t)
	plan, first := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	h.clock.Advance(time.Hour)
	ok[backups.Run](t)(h.backups.RunNow(h.ctx, all, plan.ID))
	h.backup(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	latest := ok[map[string]backups.Snapshot](t)(h.backups.LatestSnapshots(h.ctx, all, []string{h.server.ID}))[h.server.ID]
	if latest.ID == first.ID {
		t.Fatal("there is no second copy")
	}
	ines, jonas := h.browser(h.owner.ID), h.browser(h.reader.ID)
	if body := ines.page("/home"); !strings.Contains(body, `href="/snapshots/`+latest.ID+`"`) || !strings.Contains(body, "Get a file back") {
		t.Error("Home does not lead to getting a file back")
	}
	if body := jonas.page("/home"); strings.Contains(body, "Get a file back") {
		t.Error("Home offers files to who may not see them")
	}
	odd := url.QueryEscape("/srv/shop/a b\xff")
	for _, page := range []string{"", "/file"} {
		body := html.UnescapeString(ines.page("/snapshots/" + latest.ID + page + "?path=" + odd))
		if !strings.Contains(body, `href="/snapshots/`+first.ID+page+"?path="+odd+`"`) || strings.Contains(body, "copy later") {
			t.Errorf("%q of the newest copy does not lead to the one before", page)
		}
		body = html.UnescapeString(ines.page("/snapshots/" + first.ID + page + "?path=" + odd))
		if !strings.Contains(body, `href="/snapshots/`+latest.ID+page+"?path="+odd+`"`) || strings.Contains(body, "copy earlier") {
			t.Errorf("%q of the first copy does not lead to the one after", page)
		}
	}
	r := ok[backups.Restore](t)(h.backups.StartDownload(h.ctx, all, first.ID, []byte("/srv/shop/a")))
	for _, path := range []string{"/home", "/backups", "/activity?show=restores"} {
		if body := ines.page(path); !strings.Contains(body, `href="/restores/`+r.ID+`"`) {
			t.Errorf("%s does not lead to the file that was asked for", path)
		}
		if body := jonas.page(path); strings.Contains(body, "/restores/") {
			t.Errorf("%s shows a reader a file", path)
		}
	}
}

// A folder of the plan that is not there is named to everybody, with what to
// do; the names of files are for those who may see them.
func TestAMissingFolderOfThePlanIsNamed(t *testing.T) {
	h := newSQLite(t)
	plan, _ := h.ready(wire.BackupResult{Outcome: wire.BackupPartial, TotalFiles: 1, UnreadCount: 1, Unread: []wire.Unread{{Path: "/srv/shop/private.ods", Reason: "permission denied"}}, MissingPaths: []string{"/srv/shop/uploads-2025"}})
	runs := ok[[]backups.Run](t)(h.backups.Runs(h.ctx, all, plan.ID, h.clock.Now().Add(-time.Hour), 1))
	for id, seesFiles := range map[string]bool{h.admin.ID: false, h.reader.ID: false, h.owner.ID: true} {
		body := h.browser(id).page("/jobs/" + runs[0].Job)
		if !strings.Contains(heading(body), "/srv/shop/uploads-2025 does not exist on the server") || !strings.Contains(body, "make it, or change the plan") || !strings.Contains(body, `href="/plans/`+plan.ID+`"`) {
			t.Errorf("%s is not told which folder: %q", id, heading(body))
		}
		if got := strings.Contains(body, "private.ods"); got != seesFiles {
			t.Errorf("%s sees the name of a file: %v, want %v", id, got, seesFiles)
		}
	}
}

// Until a browser has said its zone, a customer's people and auditors read
// times in their customer's.
func TestZoneBeforeTheBrowserSaysIt(t *testing.T) {
	h := newSQLite(t)
	for id, want := range map[string]string{h.owner.ID: "Europe/Berlin", h.admin.ID: "UTC"} {
		if page := h.browser(id).page("/account"); !strings.Contains(page, "Times are in "+want) {
			t.Errorf("%s does not read times in %s", id, want)
		}
	}
	ines := h.browser(h.owner.ID)
	ines.jar.SetCookies(ok[*url.URL](t)(url.Parse(h.url)), []*http.Cookie{{Name: "zone", Value: "America%2FLima"}})
	if page := ines.page("/account"); !strings.Contains(page, "Times are in America/Lima") {
		t.Error("what the browser says does not count")
	}
}

// Whoever may not is told in their own words what, and whom to ask.
func TestForbiddenInTheReadersWords(t *testing.T) {
	h := newSQLite(t)
	support := ok[identity.Person](t)(h.identity.AddStaff(h.ctx, all, identity.NewStaff{Name: "Sofia Lind", Email: "sofia@host.example", Role: policy.RoleSupport}))
	for id, want := range map[string]string{support.ID: "Ask a colleague", h.reader.ID: "Ask an owner of your account"} {
		a := h.browser(id).get("/tenancies/" + h.tenancy.ID + "/plan")
		if a.status != http.StatusForbidden || !strings.Contains(a.body, want) || heading(a.body) != "Your role does not let you change backup plans." {
			t.Errorf("got %d %q, want %q", a.status, heading(a.body), want)
		}
		checkPage(t, a.body)
	}
}

// Staff who are to remind a customer are led to the people who can confirm.
func TestWhomToRemindOfAKey(t *testing.T) {
	h := newSQLite(t)
	plan := h.newPlan(backups.CustodyCustomer)
	h.prepared()
	ada, ines := h.browser(h.admin.ID), h.browser(h.owner.ID)
	body := ada.page("/keys/" + plan.Repository.ID)
	if !strings.Contains(body, "mailto:ine@maple-bakery.example") || strings.Contains(body, "mailto:jon@") {
		t.Error("the owner's address is not there, or a reader's is")
	}
	if body := ines.page("/keys/" + plan.Repository.ID); strings.Contains(body, "mailto:") {
		t.Error("the customer is shown whom to remind")
	}
	if body := ada.page("/today"); !strings.Contains(body, `href="/keys/`+plan.Repository.ID+`"`) {
		t.Error("Today does not lead there")
	}
}

// A form that is not right names the line that is wrong.
func TestAWrongLineIsNamed(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	plan := h.newPlan(backups.CustodyEscrow)
	for _, path := range []string{"/plans/" + plan.ID, "/tenancies/" + h.tenancy.ID + "/plan"} {
		a := ada.post(path, "name", "Files", "paths", "/srv/shop\r\n\r\n/srv/shop/../etc\r\n/opt", "cron", "15 2 * * *", "zone", "Europe/Berlin", "custody", "escrow")
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "/srv/shop/../etc: a path") || !strings.Contains(a.body, "/opt is outside") {
			t.Errorf("%s: %d\n%s", path, a.status, between(a.body, `id="errors"`, "</div>"))
		}
	}
}

func TestAnAuditorComesToTheEvidence(t *testing.T) {
	h := newSQLite(t)
	x := ok[identity.Person](t)(h.identity.AddAuditor(h.ctx, all, identity.NewAuditor{Customer: h.maple.ID, Name: "Helle Nyberg", Email: "helle@audit.example", Until: h.clock.Now().Add(time.Hour)}))
	helle := h.browser(x.ID)
	if a := helle.get("/"); a.location() != "/recordings" {
		t.Errorf("the first page: %d %s", a.status, a.location())
	}
	helle.page("/evidence")
	gone := helle.get("/home")
	if gone.status != http.StatusNotFound || !strings.Contains(gone.body, `<a class="act" href="/">`) {
		t.Errorf("a page that is not theirs: %d", gone.status)
	}
	checkPage(t, gone.body)
}

func TestTheHouseIsNamedToWhoeverSignsIn(t *testing.T) {
	h := newSQLite(t)
	if said := heading(h.browser("").page("/signin")); said != "Sign in to Ostler of Harbour Hosting." {
		t.Errorf("got %q", said)
	}
	scope := ok[policy.Scope](t)(policy.For(h.ctx, policy.PeopleWrite))
	link := ok[identity.Link](t)(h.identity.Invite(h.ctx, scope, h.owner.ID))
	if page := h.browser("").page(link.Path); !strings.Contains(page, "Harbour Hosting") {
		t.Error("the invitation does not say whose it is")
	}
}

// scanned has the server looked at and say that a key of root is there.
func (h *house) scanned(print string) {
	h.t.Helper()
	ok[string](h.t)(h.access.Look(h.ctx, all, h.server.ID))
	var p wire.AccessScanParams
	h.finish(h.take(wire.ActionAccessScan, &p), wire.AccessScan{Accounts: []wire.HostAccount{{Name: "root"}}, Keys: []wire.HostKey{{Account: "root", Fingerprint: print, Type: "ssh-ed25519", Comment: "ops@laptop", File: "/root/.ssh/authorized_keys"}}, RootLogin: "prohibit-password", KeyFiles: []string{".ssh/authorized_keys"}})
	h.tick()
}

// A way in that nobody answers for is open; one that somebody accepted, or that
// the customer let in, is not, and none of them is left out.
func TestAccessWaysInWithoutAPerson(t *testing.T) {
	h := newSQLite(t)
	if err := h.d.Write(h.ctx, func(tx *db.Tx) error { return h.customers.MarkActive(tx, all, h.server.ID) }); err != nil {
		t.Fatal(err)
	}
	key := "SHA256:" + strings.Repeat("a", 43)
	h.scanned(key)
	ada, ines := h.browser(h.admin.ID), h.browser(h.owner.ID)
	list := map[*person]string{ada: "/access?customer=" + h.maple.ID, ines: "/access"}
	section := func(p *person, id string) string {
		return between(html.UnescapeString(p.page(list[p])), `aria-labelledby="`+id+`"`, "</section>")
	}
	for p := range list {
		if got := section(p, "unknown"); !strings.Contains(got, key) || !strings.Contains(got, "nobody known") {
			t.Errorf("a key of nobody's is not shown as one: %q", got)
		}
		if body := p.page(list[p]); strings.Contains(body, `<header class="say good">`) {
			t.Errorf("an all-clear with a key of nobody's: %q", heading(body))
		}
	}
	mara := h.papered("Mara Voss")
	ok[int](t)(h.access.AcceptBaseline(h.ctx, all, h.server.ID, mara.ID, h.clock.Now().AddDate(0, 3, 0), "It was there before us"))
	for p := range list {
		got := section(p, "accepted")
		if !strings.Contains(got, key) || !strings.Contains(got, "accepted as it was found") || !strings.Contains(got, "to be reviewed by") || strings.Contains(got, "state bad") {
			t.Errorf("an accepted key: %q", got)
		}
		if named := strings.Contains(got, "Mara Voss answers for it"); named != (p == ada) {
			t.Errorf("who answers is named: %v", named)
		}
		if body := p.page(list[p]); strings.Contains(body, "nobody answers") || strings.Contains(body, "nobody known") {
			t.Errorf("an accepted key counts as open: %q", heading(body))
		}
	}
	ours, _, err := h.access.ListFound(h.ctx, all, access.FoundFilter{Server: h.server.ID})
	if err != nil || len(ours) != 1 {
		t.Fatalf("found: %d, %v", len(ours), err)
	}
	ok[access.Found](t)(h.access.Explain(h.ctx, all, ours[0].ID, "", h.maple.ID))
	h.tick()
	for p := range list {
		if got := section(p, "yours"); strings.Contains(got, key) {
			t.Errorf("it is the customer's before they said so: %q", got)
		}
	}
	contact := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: h.owner.ID, Role: string(policy.RoleOwner), Customer: h.maple.ID})
	ok[access.Found](t)(h.access.ConfirmFound(contact, policy.OneCustomer(h.maple.ID), ours[0].ID, true, ""))
	h.tick()
	for p := range list {
		got := section(p, "yours") + section(p, "accepted") // theirs by our word, or not before their own
		if !strings.Contains(got, key) || strings.Contains(p.page(list[p]), "nobody known") {
			t.Errorf("the customer's own key: %q", got)
		}
	}
}

// Home and Today give no all-clear while something about access is open.
func TestAccessNoAllClear(t *testing.T) {
	for kind, args := range map[string]map[string]string{
		findings.AccessDrift:      {"person": "Mara Voss", "where": "Maple Bakery", "because": "Nobody granted root"},
		findings.AccessNoticeLate: {"where": "Maple Bakery", "by": "Saturday", "because": "The mail server refused it"},
		findings.AccessHostUnread: {"where": "maple-1", "because": "it did not answer", "for": "Maple Bakery"},
	} {
		h := newSQLite(t)
		f := findings.Finding{Key: kind + ":x", Kind: kind, Customer: h.maple.ID, Severity: findings.Bad, Owner: findings.Ops, Args: args}
		if err := h.d.Write(h.ctx, func(tx *db.Tx) error { return h.findings.Raise(tx, f) }); err != nil {
			t.Fatal(err)
		}
		ops, _, _ := findings.Sentence("en", f)
		ada, ines := h.browser(h.admin.ID), h.browser(h.owner.ID)
		if body := html.UnescapeString(ada.page("/today")); !strings.Contains(between(body, `<ul class="need">`, "</ul>"), ops) {
			t.Errorf("%s: Today does not list %q", kind, ops)
		}
		for path, p := range map[string]*person{"/today": ada, "/home": ines, "/access": ines, "/access?customer=" + h.maple.ID: ada} {
			if body := p.page(path); strings.Contains(body, `<header class="say good">`) || strings.Contains(heading(body), "Nothing needs") {
				t.Errorf("%s: %s says %q", kind, path, heading(body))
			}
		}
	}
}
