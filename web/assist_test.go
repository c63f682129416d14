package web_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
	"ostler/web"
)

// Staff see a customer's files once they have said why, for that customer only,
// and for four hours; the customer reads who, why and until when.
func TestStaffSayWhyFirst(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 9})
	r := h.inPlace(snap, "/srv/shop/secret")
	ada, ines := h.browser(h.admin.ID), h.browser(h.owner.ID)
	folder, form := pathOf(snap.ID, "", "/srv/shop"), "/assist/new?customer="+h.maple.ID
	files := []string{"/find", "/basket", "/restores", "/restores/" + r.ID, folder, pathOf(snap.ID, "/file", "/srv/shop/a")}
	for _, path := range files {
		a := ada.get(path)
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "Say why") || strings.Contains(a.body, "secret") {
			t.Errorf("%s without a reason: %d %q", path, a.status, heading(a.body))
		}
		checkPage(t, a.body)
	}
	for _, path := range []string{folder, "/restores/" + r.ID} {
		if a := ada.get(path); !strings.Contains(a.body, `href="`+form+"&amp;next=") {
			t.Errorf("%s does not lead to the form", path)
		}
	}
	ada.says("/customers/"+h.maple.ID, "Maple Bakery", []string{`href="` + form + `"`, "None of us has seen"})
	bad := ada.post("/assist", "customer", h.maple.ID, "reason", "", "ticket", "")
	if bad.status != http.StatusUnprocessableEntity || !strings.Contains(bad.body, `id="reason-error"`) {
		t.Errorf("without a reason: %d", bad.status)
	}
	checkPage(t, bad.body)
	ada.says(form, "Why do you need to see files of Maple Bakery", []string{"four hours"})
	if a := ada.post("/assist", "customer", h.maple.ID, "reason", "Ines asked by phone", "ticket", "OPS-7", "next", "https://elsewhere.example/"); a.location() != "/find?done=assist" {
		t.Fatalf("start: %d %s", a.status, a.location())
	}
	for _, path := range append(files, "/today", "/servers") {
		body := ada.page(path)
		if banner := between(body, `<aside class="stripe helping"`, "</aside>"); !strings.Contains(banner, "Maple Bakery") || !strings.Contains(banner, "OPS-7") || !strings.Contains(banner, `/end"`) {
			t.Errorf("%s does not say whom I help", path)
		}
	}
	ada.says("/customers/"+h.maple.ID, "", []string{"Ines asked by phone", "OPS-7", "open now", `href="/find"`})
	for path, want := range map[string]string{"/activity?show=restores": "OPS-7: Ines asked by phone", "/restores": "Ines asked by phone", "/home": "One of us may see your files"} {
		if body := ines.page(path); !strings.Contains(body, want) || !strings.Contains(body, "Ada Keller") {
			t.Errorf("%s does not tell the customer", path)
		}
	}
	if body := ines.page("/home"); strings.Contains(body, "stripe helping") {
		t.Error("the banner is shown to the customer")
	}
	bo := ok[identity.Person](t)(h.identity.AddStaff(h.ctx, all, identity.NewStaff{Name: "Bo Lang", Email: "bo@host.example", Role: policy.RoleOps}))
	if a := h.browser(bo.ID).get(folder); a.status != http.StatusForbidden {
		t.Errorf("a colleague of who said why: %d", a.status)
	}
	h.clock.Advance(backups.AssistTime + time.Second)
	ada = h.browser(h.admin.ID)
	if a := ada.get(folder); a.status != http.StatusForbidden || strings.Contains(a.body, "stripe helping") {
		t.Errorf("after its time: %d", a.status)
	}
	ada.says("/customers/"+h.maple.ID, "", []string{`href="` + form + `"`}, "open now")
}

// Who helps one customer sees nothing of another.
func TestAnAssistIsForOneCustomer(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 9})
	r := h.inPlace(snap, "/srv/shop/secret")
	ada, ines := h.browser(h.admin.ID), h.browser(h.owner.ID)
	if a := ada.post("/assist", "customer", h.harbour.ID, "reason", "They asked", "ticket", "OPS-8"); a.status != http.StatusSeeOther {
		t.Fatalf("start: %d %s", a.status, heading(a.body))
	}
	missing := []string{"/restores/" + r.ID, pathOf(snap.ID, "", "/srv/shop"), pathOf(snap.ID, "/file", "/srv/shop/a"), "/downloads/" + r.ID + "/file", "/files?plan=" + snap.Plan + "&path=%2Fsrv%2Fshop%2Fa"}
	for _, path := range missing {
		if a := ada.get(path); a.status != http.StatusNotFound || strings.Contains(a.body, "secret") {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	for _, path := range []string{"/restores/" + r.ID + "/cancel", "/restores/" + r.ID + "/confirm", "/restores/" + r.ID + "/undo", "/restores/" + r.ID + "/again", "/snapshots/" + snap.ID + "/download?path=%2Fsrv%2Fshop%2Fa", "/snapshots/" + snap.ID + "/putback?path=%2Fsrv%2Fshop%2Fa"} {
		if a := ada.post(path); a.status != http.StatusNotFound {
			t.Errorf("POST %s: %d", path, a.status)
		}
	}
	for _, path := range []string{"/restores", "/find", "/basket", "/customers/" + h.maple.ID, "/activity?show=restores", "/jobs"} {
		if body := ada.page(path); strings.Contains(body, "/restores/"+r.ID) || strings.Contains(body, "secret") || path != "/customers/"+h.maple.ID && path != "/jobs" && strings.Contains(body, "/snapshots/"+snap.ID) {
			t.Errorf("%s shows something of the other customer", path)
		}
	}
	if body := ada.page("/jobs/" + r.Job); strings.Contains(body, "/restores/") || strings.Contains(body, "secret") {
		t.Error("the other customer's job leads to their files")
	}
	ada.says("/assist/new?customer="+h.maple.ID, "Maple Bakery", []string{"Your access to files of Harbour Mail ends with this"})
	if body := ines.page("/restores"); strings.Contains(body, "OPS-8") {
		t.Error("a customer reads of another's assist")
	}
	banner := between(ada.page("/today"), `<aside class="stripe helping"`, "</aside>")
	_, end, _ := strings.Cut(banner, `action="`)
	end, _, _ = strings.Cut(end, `"`)
	if a := ada.post(end); a.location() != "/customers/"+h.harbour.ID+"?done=assist_ended" {
		t.Errorf("end %s: %d %s", end, a.status, a.location())
	}
	if body := ada.page("/today"); strings.Contains(body, "stripe helping") {
		t.Error("the banner stays after the end")
	}
	support := ok[identity.Person](t)(h.identity.AddStaff(h.ctx, all, identity.NewStaff{Name: "Sofia Lind", Email: "sofia@host.example", Role: policy.RoleSupport}))
	sofia := h.browser(support.ID)
	if a := sofia.get("/find"); a.status != http.StatusForbidden || heading(a.body) != "Your role does not let you help customers restore." {
		t.Errorf("who may not help: %d %q", a.status, heading(a.body))
	}
	if body := sofia.page("/customers/" + h.maple.ID); strings.Contains(body, "/assist/") {
		t.Error("who may not help is led to it")
	}
}

// A customer asks, we take it up, look, and answer; both sides see how it stands.
func TestCustomerAsksUsToRestore(t *testing.T) {
	h := newSQLite(t)
	h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 9})
	ines, jonas, otto, ada := h.browser(h.owner.ID), h.browser(h.reader.ID), h.browser(h.stranger.ID), h.browser(h.admin.ID)
	ines.says("/ask", "What should we restore", []string{"ine@maple-bakery.example"})
	bad := ines.post("/ask", "what", " ")
	if bad.status != http.StatusUnprocessableEntity || !strings.Contains(bad.body, `id="what-error"`) {
		t.Errorf("an empty request: %d", bad.status)
	}
	checkPage(t, bad.body)
	a := ines.post("/ask", "what", "The folder <b>office</b>\r\nas of Friday", "mail", "1")
	at, _, _ := strings.Cut(a.location(), "?")
	if !strings.HasPrefix(at, "/asks/ask_") {
		t.Fatalf("ask: %d %s", a.status, heading(a.body))
	}
	ines.says(at, "We have your request", []string{"&lt;b&gt;office", "hx-sse:connect", "You also get a mail"}, at+"/take")
	for who, p := range map[string]*person{"a reader": jonas, "another customer": otto} {
		want := map[string]int{"a reader": http.StatusForbidden, "another customer": http.StatusNotFound}[who]
		if x := p.get(at); x.status != want {
			t.Errorf("%s: %d, want %d", who, x.status, want)
		}
	}
	if body := otto.page("/asks"); strings.Contains(body, "office") {
		t.Error("another customer's list shows it")
	}
	if x := jonas.get("/asks"); x.status != http.StatusForbidden {
		t.Errorf("a reader's list: %d", x.status)
	}
	today := ada.page("/today")
	if strings.Contains(heading(today), "Nothing needs") || !strings.Contains(today, "Maple Bakery asks us to restore something") || !strings.Contains(today, `href="`+at+`"`) {
		t.Errorf("Today does not lead to it: %q", heading(today))
	}
	if home := ines.page("/home"); strings.Contains(heading(home), "Nothing needs") || !strings.Contains(home, `href="`+at+`"`) {
		t.Errorf("Home: %q", heading(home))
	}
	help := "/assist/new?ask=" + strings.TrimPrefix(at, "/asks/")
	ada.says(at, "Maple Bakery asks us to restore something", []string{`href="` + help + `"`, `action="` + at + `/take"`, `action="` + at + `/answer"`, "Ines Moreau"}, "hx-sse:connect")
	ada.says("/asks", "One request waits", []string{`href="` + at + `"`, "Maple Bakery"})
	ada.says(help, "Maple Bakery", []string{"They asked us: The folder &lt;b&gt;office&lt;/b&gt;", strings.TrimPrefix(at, "/asks/")})
	if x := ada.post("/assist", "ask", strings.TrimPrefix(at, "/asks/"), "reason", "They asked us", "ticket", "OPS-9"); x.location() != "/find?done=assist" {
		t.Fatalf("help: %d %s", x.status, heading(x.body))
	}
	ines.says(at, "Ada Keller is at it", nil)
	ada.says(at, "is at it for Maple Bakery", []string{`href="/find"`}, at+"/take")
	if x := ada.post(at+"/answer", "answer", ""); x.status != http.StatusUnprocessableEntity || !strings.Contains(x.body, `id="answer-error"`) {
		t.Errorf("an empty answer: %d", x.status)
	}
	if x := ines.post(at+"/answer", "answer", "mine"); x.status != http.StatusNotFound {
		t.Errorf("the customer answers: %d", x.status)
	}
	if x := ada.post(at+"/answer", "answer", "It is back\nwhere it was."); x.location() != at+"?done=answered" {
		t.Fatalf("answer: %d %s", x.status, heading(x.body))
	}
	ines.says(at, "Your request is answered", []string{"It is back\nwhere it was.", "Answered by", "Ada Keller"}, "hx-sse:connect")
	ada.says("/asks", "No request waits", []string{`href="` + at + `"`})
	if body := ada.page("/today"); strings.Contains(body, "asks us to restore something</h3>") {
		t.Error("an answered request is still open")
	}
	if x := ada.post(at + "/take"); x.status != http.StatusConflict {
		t.Errorf("take what is done: %d", x.status)
	}
	ines.says("/activity?show=restores", "", []string{"You asked us to restore something.", "A request to restore was answered."})
}

// A mail is offered to one's own address, and where no mail server is set up no
// page promises one.
func TestNoMailIsPromisedWithoutAServer(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 9})
	ines := h.browser(h.owner.ID)
	if a := ines.post("/basket/add", "pick", snap.ID+":"+base64.RawURLEncoding.EncodeToString([]byte("/srv/shop/a"))+":file:7"); a.status != http.StatusSeeOther {
		t.Fatalf("basket: %d %s", a.status, heading(a.body))
	}
	for _, path := range []string{"/basket", "/ask"} {
		ines.says(path, "", []string{"Send a mail to ine@maple-bakery.example", `name="mail"`}, "No mail server")
	}
	h.serve(web.Options{Company: "Harbour Hosting", BrowseWait: time.Millisecond})
	ines = h.browser(h.owner.ID)
	for _, path := range []string{"/basket", "/ask"} {
		ines.says(path, "", []string{"No mail server is set up"}, `name="mail"`)
	}
	a := ines.post("/ask", "what", "All of it", "mail", "1")
	at, _, _ := strings.Cut(a.location(), "?")
	ines.says(at, "We have your request", nil, "You also get a mail")
	a = ines.post("/basket/download", "format", "zip", "mail", "1")
	r := ok[backups.Restore](t)(h.backups.Restore(h.ctx, all, strings.TrimPrefix(a.location(), "/restores/")))
	if r.MailMe {
		t.Error("a mail is promised")
	}
}

// A copy that the store has no more is in every headline.
func TestAGoneCopyIsInTheHeadline(t *testing.T) {
	h := newSQLite(t)
	_, snap := h.ready(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	h.listed(tree{"/srv/shop/a": 1})
	ok[backups.Run](t)(h.backups.RunNow(h.ctx, all, snap.Plan))
	h.backup(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	var p wire.CatalogueParams
	ref := h.take(wire.ActionCatalogue, &p)
	h.finish(ref, wire.CatalogueResult{Upload: h.upload(ref, []byte("no listing")), Entries: 1, Snapshots: []string{p.SnapshotID}})
	if s := ok[backups.Snapshot](t)(h.backups.Snapshot(h.ctx, all, snap.ID)); s.GoneAt.IsZero() {
		t.Fatal("the first copy is not known to be gone")
	}
	for path, x := range map[string]*person{"/home": h.browser(h.owner.ID), "/today": h.browser(h.admin.ID), "/customers/" + h.maple.ID: h.browser(h.admin.ID)} {
		body := x.page(path)
		if said := heading(body); strings.Contains(said, "Nothing needs") || !strings.Contains(between(body, `<ul class="need">`, "</ul>"), "no longer") {
			t.Errorf("%s says %q", path, said)
		}
	}
	if body := h.browser(h.reader.ID).page("/activity?show=backups"); !strings.Contains(body, "A copy of maple-1 is no longer in the store.") {
		t.Error("it is not in the activity")
	}
}
