package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/controlplane/server"
)

func TestArchives(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	order := fmt.Sprintf(`{"kind":"archive","format":"tar.gz","picks":[{"snapshot":%q,"path":"/srv/mine/www"},{"snapshot":%q,"path_b64":%q}]}`,
		o.snapshot, o.snapshot, base64.StdEncoding.EncodeToString([]byte(odd)))
	a := w.call("mine-owner", "POST", server.Base+"/restores", order)
	s := into[server.StartedRestores](t, a, http.StatusAccepted)
	if len(s.Items) != 1 || s.ID != s.Items[0].ID || s.Kind != "archive" || s.Picked != 2 || !s.Busy || s.ContentURL != "" || a.header.Get("Location") != server.Base+"/jobs/"+s.Job {
		t.Fatalf("started: got %+v at %q", s, a.header.Get("Location"))
	}
	picks := into[server.Page[server.Picked]](t, w.call("mine-owner", "GET", server.Base+"/restores/"+s.ID+"/items", ""), http.StatusOK)
	if len(picks.Items) != 2 || string(picks.Items[0].PathB64) != odd {
		t.Errorf("chosen: got %+v", picks.Items)
	}
	whole := into[server.StartedRestores](t, w.call("mine-owner", "POST", server.Base+"/restores", fmt.Sprintf(`{"kind":"in_place","picks":[{"snapshot":%q,"path":"/srv"}]}`, o.snapshot)), http.StatusAccepted)
	picks = into[server.Page[server.Picked]](t, w.call("mine-owner", "GET", server.Base+"/restores/"+whole.ID+"/items", ""), http.StatusOK)
	if len(picks.Items) != 1 || picks.Items[0].Path != "/srv/mine" || picks.Items[0].Chosen != "/srv" {
		t.Errorf("chosen above one's folders: got %+v", picks.Items)
	}
	var p wire.ArchiveParams
	ref := w.take(o.server.ID, wire.ActionArchive, &p)
	content := bytes.Repeat([]byte("x"), 1000)
	w.finish(o.server.ID, ref, wire.ArchiveResult{Upload: w.send(o.server.ID, ref, content), Files: 7, Bytes: 99, MissingCount: 1,
		Missing: []wire.Problem{{Path: []byte(odd), Cause: wire.CauseDamaged}}}, nil)
	w.tick()
	sum := sha256.Sum256(content)
	r := into[server.Restore](t, w.call("mine-owner", "GET", server.Base+"/restores/"+s.ID+"?wait=1s", ""), http.StatusOK)
	if r.State != "ready" || r.Busy || !r.Over || r.SHA256 != hex.EncodeToString(sum[:]) || r.Files != 7 || !r.Incomplete || !strings.HasSuffix(r.Name, "-INCOMPLETE.tar.gz") {
		t.Errorf("ready: got %+v", r)
	}
	if len(r.Missing) != 1 || string(r.Missing[0].PathB64) != odd || r.Missing[0].Why.Cause != "repository_damaged" || r.Missing[0].Why.Next == "" {
		t.Errorf("missing: got %+v", r.Missing)
	}
	a = w.call("mine-owner", "GET", r.ContentURL, "", "Range", "bytes=990-")
	if a.status != http.StatusPartialContent || len(a.body) != 10 || !strings.Contains(a.header.Get("Content-Disposition"), "-INCOMPLETE.tar.gz") {
		t.Errorf("fetched: got %d, %d bytes, %q", a.status, len(a.body), a.header.Get("Content-Disposition"))
	}
	for name, body := range map[string]string{"nothing chosen": `{"kind":"archive"}`,
		"text and bytes": fmt.Sprintf(`{"kind":"archive","picks":[{"snapshot":%q,"path":"/a","path_b64":"L2E="}]}`, o.snapshot), "another format": `{"kind":"archive","format":"rar","picks":[]}`} {
		if a := w.call("mine-owner", "POST", server.Base+"/restores", body); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d, want 422: %s", name, a.status, a.body)
		}
	}
	if a := w.call("mine-reader", "POST", server.Base+"/restores", order); a.status != http.StatusForbidden {
		t.Errorf("a reader: got %d, want 403", a.status)
	}
}

// A restore on a server previews, waits for a yes, is done, and is taken back.
func TestRestoreInPlace(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	body := fmt.Sprintf(`{"kind":"in_place","picks":[{"snapshot":%q,"path":"/srv/mine/www"}],"target":{"server":%q,"folder":"/srv/mine/back","conflict":"overwrite"}}`, o.snapshot, o.server.Name)
	s := into[server.StartedRestores](t, w.call("mine-owner", "POST", server.Base+"/restores", body), http.StatusAccepted)
	at := server.Base + "/restores/" + s.ID
	if s.State != "previewing" || s.Placement != "folder" || s.Target != "/srv/mine/back" || s.Conflict != "overwrite" || s.TargetServer != o.server.ID {
		t.Fatalf("started: got %+v", s.Restore)
	}
	if a := w.call("mine-owner", "POST", at+"/confirm", ""); a.status != http.StatusConflict {
		t.Errorf("a yes before there is a preview: got %d, want 409", a.status)
	}
	var p wire.PreviewParams
	ref := w.take(o.server.ID, wire.ActionPreview, &p)
	list := []wire.Change{{Path: []byte("/srv/mine/back/a\xff"), Type: wire.NodeFile, Act: wire.ActReplace, Size: 5},
		{Path: []byte("/srv/mine/back/b"), Type: wire.NodeDevice, Act: wire.ActRefuse, Cause: wire.CauseUnsafePath}, {Path: []byte("/srv/mine/back/c"), Type: wire.NodeFile, Act: wire.ActSame}}
	w.finish(o.server.ID, ref, w.changed(o.server.ID, ref, list...), nil)
	w.tick()
	r := into[server.Restore](t, w.call("mine-owner", "GET", at+"?wait=1s", ""), http.StatusOK)
	if r.State != "previewed" || r.Busy || r.Over || r.Preview == nil || r.Preview.Total != 3 || r.Preview.Changing != 1 || r.Preview.Counts["refuse"] != 1 || r.ExpiresAt == "" {
		t.Fatalf("previewed: got %+v, %+v", r, r.Preview)
	}
	c := into[server.ChangesPage](t, w.call("mine-owner", "GET", at+"/changes?limit=2", ""), http.StatusOK)
	if len(c.Items) != 2 || c.Total != 3 || string(c.Items[0].PathB64) != "/srv/mine/back/a\xff" || c.Items[0].Why != nil || c.Items[1].Why == nil || c.Items[1].Why.Cause != "unsafe_path" {
		t.Errorf("changes: got %+v", c)
	}
	if c = into[server.ChangesPage](t, w.call("mine-owner", "GET", at+"/changes?list=preview&offset=2", ""), http.StatusOK); len(c.Items) != 1 || c.Items[0].Act != "same" || c.Offset != 2 {
		t.Errorf("further changes: got %+v", c)
	}
	if a := w.call("mine-owner", "GET", at+"/changes?list=result", ""); a.status != http.StatusNotFound {
		t.Errorf("a list that is not there: got %d, want 404", a.status)
	}
	a := w.call("mine-owner", "POST", at+"/confirm", "", "Idempotency-Key", "yes")
	if r = into[server.Restore](t, a, http.StatusAccepted); r.State != "applying" || r.ConfirmedBy != o.contact.ID || a.header.Get("Location") != server.Base+"/jobs/"+r.Job {
		t.Errorf("confirmed: got %+v", r)
	}
	if again := w.call("mine-owner", "POST", at+"/confirm", "", "Idempotency-Key", "yes"); again.body != a.body {
		t.Errorf("the same key again: got %s", again.body)
	}
	var apply wire.ApplyParams
	ref = w.take(o.server.ID, wire.ActionApply, &apply)
	done := w.changed(o.server.ID, ref, list...)
	done.Undoable = true
	w.finish(o.server.ID, ref, done, nil)
	w.tick()
	if r = into[server.Restore](t, w.call("mine-owner", "GET", at+"?wait=1s", ""), http.StatusOK); r.State != "ready" || r.UndoUntil == "" || r.Result == nil || r.Result.Counts["replace"] != 1 {
		t.Fatalf("done: got %+v", r)
	}
	if r = into[server.Restore](t, w.call("mine-restorer", "POST", at+"/undo", ""), http.StatusAccepted); r.State != "undoing" {
		t.Errorf("undo: got %+v", r)
	}
	var undo wire.UndoParams
	ref = w.take(o.server.ID, wire.ActionUndo, &undo)
	w.finish(o.server.ID, ref, w.changed(o.server.ID, ref, wire.Change{Path: list[0].Path, Type: wire.NodeFile, Act: wire.ActReturned}), nil)
	w.tick()
	if r = into[server.Restore](t, w.call("mine-owner", "GET", at+"?wait=1s", ""), http.StatusOK); r.State != "undone" || r.UndoUntil != "" || r.Undo == nil || r.Undo.Counts["returned"] != 1 {
		t.Errorf("undone: got %+v, %+v", r, r.Undo)
	}
	if a := w.call("mine-owner", "POST", at+"/cancel", ""); a.status != http.StatusConflict {
		t.Errorf("cancel what is over: got %d, want 409", a.status)
	}
	first := into[server.Page[server.Restore]](t, w.call("mine-owner", "GET", server.Base+"/restores?page_size=1&server="+o.server.ID, ""), http.StatusOK)
	second := into[server.Page[server.Restore]](t, w.call("mine-owner", "GET", server.Base+"/restores?page_size=1&page_token="+first.NextPageToken, ""), http.StatusOK)
	if len(first.Items) != 1 || len(second.Items) != 1 || first.Items[0].ID == second.Items[0].ID || second.NextPageToken != "" {
		t.Errorf("pages: got %+v, then %+v", first, second)
	}
	if outside := w.call("mine-owner", "POST", server.Base+"/restores", strings.Replace(body, "/srv/mine/back", "/etc", 1)); outside.status != http.StatusUnprocessableEntity {
		t.Errorf("outside the tenancy: got %d, want 422", outside.status)
	}
}

// Staff reach one customer's files while they have said why, and no other's.
func TestStaffRestoreByAnAssist(t *testing.T) {
	w := newWorld(t)
	o, other := w.newTenant("Mine"), w.newTenant("Other")
	files := server.Base + "/snapshots/" + o.snapshot + "/files"
	if a := w.call("admin", "GET", files, ""); a.status != http.StatusForbidden || !strings.HasPrefix(a.problem(t).Next, "Say why first") {
		t.Errorf("without a reason: got %d: %s", a.status, a.body)
	}
	a := w.call("admin", "POST", server.Base+"/assists", fmt.Sprintf(`{"customer":%q,"reason":"Asked by phone","ticket":"OPS-7"}`, o.customer.Slug))
	assist := into[server.Assist](t, a, http.StatusCreated)
	if assist.Customer != o.customer.ID || assist.Reason != "Asked by phone" || assist.EndsAt == "" {
		t.Errorf("started: got %+v", assist)
	}
	if c := into[server.Assist](t, w.call("admin", "GET", server.Base+"/assists/current", ""), http.StatusOK); c.ID != assist.ID {
		t.Errorf("current: got %+v", c)
	}
	if a := w.call("admin", "GET", files, ""); a.status != http.StatusAccepted {
		t.Errorf("with a reason: got %d: %s", a.status, a.body)
	}
	if a := w.call("admin", "GET", server.Base+"/files?q=report", ""); a.status != http.StatusOK {
		t.Errorf("find: got %d: %s", a.status, a.body)
	}
	r := into[server.StartedRestores](t, w.call("admin", "POST", server.Base+"/restores", fmt.Sprintf(`{"kind":"download","snapshot":%q,"path":"/srv/mine/a"}`, o.snapshot)), http.StatusAccepted)
	if r.Assist == nil || r.Assist.Ticket != "OPS-7" {
		t.Errorf("restore: got %+v", r.Restore)
	}
	for _, path := range []string{"/snapshots/" + other.snapshot + "/files", "/restores/" + other.restore, "/restores/" + other.restore + "/content", "/files?customer=" + other.customer.ID,
		"/files/history?path=/srv&plan=" + other.plan.ID} {
		if a := w.call("admin", "GET", server.Base+path, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, a.status)
		}
	}
	if l := into[server.Page[server.Assist]](t, w.call("mine-reader", "GET", server.Base+"/assists?open=true", ""), http.StatusOK); len(l.Items) != 1 || l.Items[0].Reason != "Asked by phone" {
		t.Errorf("the customer sees: got %+v", l.Items)
	}
	if a := w.call("admin", "POST", server.Base+"/assists/"+assist.ID+"/end", ""); a.status != http.StatusNoContent {
		t.Errorf("end: got %d: %s", a.status, a.body)
	}
	for _, path := range []string{"/restores/" + r.ID, "/restores", "/files?q=a"} {
		if a := w.call("admin", "GET", server.Base+path, ""); a.status != http.StatusForbidden {
			t.Errorf("%s afterwards: got %d, want 403", path, a.status)
		}
	}
	if a := w.call("admin", "GET", server.Base+"/assists/current", ""); a.status != http.StatusNotFound {
		t.Errorf("current afterwards: got %d, want 404", a.status)
	}
}

func TestAsksAndMails(t *testing.T) {
	w := newWorld(t)
	o, other := w.newTenant("Mine"), w.newTenant("Other")
	ask := into[server.Ask](t, w.call("mine-restorer", "POST", server.Base+"/asks", `{"what":"The menu of last week"}`), http.StatusCreated)
	if ask.State != "open" || ask.Customer != o.customer.ID {
		t.Errorf("asked: got %+v", ask)
	}
	at := server.Base + "/asks/" + ask.ID
	for role, want := range map[string]int{"mine-owner": 200, "mine-reader": 403, "other-owner": 404, "admin": 200} {
		if a := w.call(role, "GET", at, ""); a.status != want {
			t.Errorf("%s: got %d, want %d", role, a.status, want)
		}
	}
	if a := w.call("admin", "POST", server.Base+"/asks", `{"what":"x"}`); a.status != http.StatusNotFound {
		t.Errorf("staff ask: got %d, want 404", a.status)
	}
	if v := into[server.Ask](t, w.call("admin", "POST", at+"/take", ""), http.StatusOK); v.State != "taken" || v.TakenBy == "" {
		t.Errorf("taken: got %+v", v)
	}
	if a := w.call("admin", "POST", at+"/answer", `{"answer":" "}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("an empty answer: got %d, want 422", a.status)
	}
	if v := into[server.Ask](t, w.call("admin", "POST", at+"/answer", `{"answer":"It is back"}`), http.StatusOK); v.State != "done" || v.Answer != "It is back" {
		t.Errorf("answered: got %+v", v)
	}
	for query, want := range map[string]int{"": 3, "?waiting=true": 2, "?customer=mine": 2, "?customer=mine&waiting=true": 1} {
		if l := into[server.Page[server.Ask]](t, w.call("admin", "GET", server.Base+"/asks"+query, ""), http.StatusOK); len(l.Items) != want {
			t.Errorf("%s: got %d, want %d", query, len(l.Items), want)
		}
	}
	m := into[server.Mail](t, w.call("mine-owner", "GET", server.Base+"/mails/"+o.mail, ""), http.StatusOK)
	if m.State != "unsent" || m.To != o.contact.Email || m.Subject != o.restore || m.SHA256 == "" {
		t.Errorf("mail: got %+v", m)
	}
	for query, want := range map[string]int{"?customer=mine": 2, "?customer=mine&state=accepted": 0, "?customer=mine&subject=" + o.instruction: 1, "?subject=" + other.restore: 1, "?page_size=1": 1} {
		if l := into[server.Page[server.Mail]](t, w.call("admin", "GET", server.Base+"/mails"+query, ""), http.StatusOK); len(l.Items) != want {
			t.Errorf("%s: got %d, want %d", query, len(l.Items), want)
		}
	}
	if a := w.call("mine-restorer", "GET", server.Base+"/mails", ""); a.status != http.StatusForbidden {
		t.Errorf("who may not see people: got %d, want 403", a.status)
	}
	if a := w.call("admin", "GET", server.Base+"/mails?state=lost", ""); a.status != http.StatusUnprocessableEntity {
		t.Errorf("no such state: got %d, want 422", a.status)
	}
}
