package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/controlplane/server"
)

// into reads an answer of the wanted status.
func into[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var v T
	if a.status != status {
		t.Fatalf("got %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

func TestPlansRoundTrip(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	body := fmt.Sprintf(`{"tenancy":%q,"name":"Sites","paths":["/srv/mine/www"],"cron":"0 3 * * *","zone":"Europe/Berlin","jitter_seconds":60}`, o.tenancy.ID)
	a := w.call("admin", "POST", server.Base+"/plans", body, "Idempotency-Key", "one")
	p := into[server.BackupPlan](t, a, http.StatusCreated)
	if p.ServerName != o.server.Name || p.CustomerName != "Mine" || p.JitterSeconds != 60 || len(p.NextRuns) != 7 || p.Repository.State != "ready" {
		t.Errorf("made: got %+v", p)
	}
	if again := w.call("admin", "POST", server.Base+"/plans", body, "Idempotency-Key", "one"); again.body != a.body {
		t.Errorf("the same key again: got %s, want %s", again.body, a.body)
	}
	tag := a.header.Get("ETag")
	w.wall.Advance(1)
	a = w.call("mine-owner", "PATCH", server.Base+"/plans/"+p.ID, `{"enabled":false,"excludes":["*.tmp"]}`, "If-Match", tag)
	changed := into[server.BackupPlan](t, a, http.StatusOK)
	if changed.Enabled || changed.Name != "Sites" || len(changed.Excludes) != 1 || changed.NextRuns != nil {
		t.Errorf("changed: got %+v", changed)
	}
	if bad := w.call("admin", "PATCH", server.Base+"/plans/"+p.ID, `{"name":"Lost"}`, "If-Match", `"v1"`); bad.status != http.StatusConflict {
		t.Errorf("an old ETag: got %d, want 409: %s", bad.status, bad.body)
	}
	for query, want := range map[string]int{"": 2, "?server=" + o.server.Name: 2, "?customer=mine": 2, "?customer=nobody": 0, "?page_size=1": 1} {
		l := into[server.Page[server.BackupPlan]](t, w.call("admin", "GET", server.Base+"/plans"+query, ""), http.StatusOK)
		if len(l.Items) != want {
			t.Errorf("%s: got %d plans, want %d", query, len(l.Items), want)
		}
		if query == "?page_size=1" {
			next := into[server.Page[server.BackupPlan]](t, w.call("admin", "GET", server.Base+"/plans?page_token="+l.NextPageToken, ""), http.StatusOK)
			if len(next.Items) != 1 || next.Items[0].ID == l.Items[0].ID || next.NextPageToken != "" {
				t.Errorf("second page: got %+v", next)
			}
		}
	}
	if bad := w.call("admin", "GET", server.Base+"/plans?page_token=zzz", ""); bad.status != http.StatusUnprocessableEntity {
		t.Errorf("a made-up token: got %d, want 422", bad.status)
	}
}

func TestRunsTellOutcomesApart(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	a := w.call("mine-restorer", "GET", server.Base+"/runs/"+o.run, "")
	r := into[server.BackupRun](t, a, http.StatusOK)
	if r.State != "partial" || r.UnreadCount != 1 || len(r.Unread) != 1 || r.Unread[0].Path != "/srv/mine/b\nd" || r.Unread[0].PathB64 != nil {
		t.Errorf("partial: got %+v", r)
	}
	if hidden := into[server.BackupRun](t, w.call("admin", "GET", server.Base+"/runs/"+o.run, ""), http.StatusOK); hidden.Unread != nil || hidden.UnreadCount != 1 {
		t.Errorf("staff do not see file names: got %+v", hidden)
	}
	a = w.call("admin", "POST", server.Base+"/plans/"+o.plan.ID+"/runs", "")
	r = into[server.BackupRun](t, a, http.StatusAccepted)
	if r.State != "active" || a.header.Get("Location") != server.Base+"/jobs/"+r.JobID {
		t.Errorf("started: got %+v at %q", r, a.header.Get("Location"))
	}
	if twice := w.call("admin", "POST", server.Base+"/plans/"+o.plan.ID+"/runs", ""); twice.status != http.StatusConflict {
		t.Errorf("while one is going on: got %d, want 409: %s", twice.status, twice.body)
	}
	var p wire.BackupParams
	w.finish(o.server.ID, w.take(o.server.ID, wire.ActionBackup, &p), nil, &wire.Failure{Cause: wire.CauseStoreFull, Detail: "507"})
	r = into[server.BackupRun](t, w.call("mine-owner", "GET", server.Base+"/runs/"+r.ID, ""), http.StatusOK)
	if r.State != "failed" || r.Failure == nil || r.Failure.Cause != "store_full" || r.Failure.Message == "" || r.Failure.Next == "" {
		t.Errorf("failed: got %+v, %+v", r, r.Failure)
	}
	j := into[server.JobView](t, w.call("admin", "GET", server.Base+"/jobs/"+r.JobID, ""), http.StatusOK)
	if j.Failure == nil || j.Failure.Next != r.Failure.Next || j.Failure.Detail != "507" {
		t.Errorf("its job: got %+v", j.Failure)
	}
	l := into[server.Page[server.BackupRun]](t, w.call("mine-reader", "GET", server.Base+"/plans/"+o.plan.ID+"/runs?page_size=1", ""), http.StatusOK)
	if len(l.Items) != 1 || l.Items[0].ID != r.ID || l.NextPageToken == "" {
		t.Errorf("newest first: got %+v", l)
	}
}

func TestRecoveryKeyIsShownOnce(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	ten := o.tenancy
	body := fmt.Sprintf(`{"server":%q,"customer":%q,"paths":["/srv/second"]}`, o.server.ID, o.customer.ID)
	made := into[struct{ ID string }](t, w.call("admin", "POST", server.Base+"/tenancies", body), http.StatusCreated)
	ten.ID = made.ID
	plan := fmt.Sprintf(`{"tenancy":%q,"name":"Second","paths":["/srv/second"],"cron":"0 3 * * *","zone":"UTC"}`, ten.ID)
	p := into[server.BackupPlan](t, w.call("admin", "POST", server.Base+"/plans", plan), http.StatusCreated)
	path := server.Base + "/repositories/" + p.Repository.ID
	if p.Repository.State != "choosing" || p.Repository.Custody != "" {
		t.Fatalf("new: got %+v", p.Repository)
	}
	if a := w.call("mine-restorer", "POST", path+"/custody", `{"custody":"customer"}`); a.status != http.StatusForbidden {
		t.Errorf("a restorer chooses: got %d, want 403", a.status)
	}
	into[server.BackupRepository](t, w.call("mine-owner", "POST", path+"/custody", `{"custody":"customer"}`), http.StatusOK)
	if a := w.call("mine-owner", "POST", path+"/reveal", ""); a.status != http.StatusConflict {
		t.Errorf("before the host made it: got %d, want 409", a.status)
	}
	w.prepared(o.server.ID)
	if a := w.call("admin", "POST", path+"/reveal", ""); a.status != http.StatusNotFound {
		t.Errorf("staff ask for a customer's key: got %d, want 404", a.status)
	}
	a := w.call("mine-owner", "POST", path+"/reveal", "", "Idempotency-Key", "k")
	if key := into[server.RecoveryKey](t, a, http.StatusOK); key.Key != recoveryKey || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("shown: got %q, %q", key.Key, a.header.Get("Cache-Control"))
	}
	if again := w.call("mine-owner", "POST", path+"/reveal", "", "Idempotency-Key", "k"); again.status != http.StatusConflict || strings.Contains(again.body, "ABCDE") {
		t.Errorf("the same request again: got %d: %s", again.status, again.body)
	}
	if wrong := w.call("mine-owner", "POST", path+"/confirm", `{"last_group":"WRONG"}`); wrong.status != http.StatusUnprocessableEntity || strings.Contains(wrong.body, "WRONG") {
		t.Errorf("a wrong group: got %d: %s", wrong.status, wrong.body)
	}
	r := into[server.BackupRepository](t, w.call("mine-owner", "POST", path+"/confirm", `{"last_group":"stvwx"}`), http.StatusOK)
	if r.State != "registering" || r.ConfirmedAt == "" {
		t.Errorf("confirmed: got %+v", r)
	}
}

func TestFoldersOfSnapshots(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	odd := []byte("b\xff\n\u202e\\.txt")
	path := server.Base + "/snapshots/" + o.snapshot + "/files?path_b64=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("/srv/mine/\xff")))
	a := w.call("mine-owner", "GET", path, "")
	f := into[server.SnapshotFolder](t, a, http.StatusAccepted)
	if f.Over || f.Found != nil || f.Path != `/srv/mine/\xff` || a.header.Get("Location") != server.Base+"/jobs/"+f.Job {
		t.Errorf("at first: got %+v at %q", f, a.header.Get("Location"))
	}
	var p wire.ListParams
	ref := w.take(o.server.ID, wire.ActionList, &p)
	if string(p.Path) != "/srv/mine/\xff" {
		t.Errorf("the host is asked for %q", p.Path)
	}
	w.finish(o.server.ID, ref, wire.Listing{Found: true, Nodes: []wire.Node{
		{Name: odd, Type: wire.NodeFile, Size: 5, Mode: 0o640, MTime: 1_700_000_000_000},
		{Name: []byte("link"), Type: wire.NodeSymlink, Mode: 0o777, LinkTarget: []byte("../x")}}}, nil)
	f = into[server.SnapshotFolder](t, w.call("mine-owner", "GET", path+"&wait=1s", ""), http.StatusOK)
	if !f.Over || f.Found == nil || !*f.Found || len(f.Entries) != 2 {
		t.Fatalf("then: got %+v", f)
	}
	e := f.Entries[0]
	if e.Name != "b\\xff\n\u202e\\\\.txt" || !bytes.Equal(e.NameB64, odd) || e.Mode != "-rw-r-----" || e.ModifiedAt != "2023-11-14T22:13:20.000Z" {
		t.Errorf("entry: got %+v", e)
	}
	if l := f.Entries[1]; l.NameB64 != nil || l.LinkTarget != "../x" || l.Mode != "lrwxrwxrwx" {
		t.Errorf("link: got %+v", l)
	}
	for _, query := range []string{"?path_b64=%21", "?path=/a&path_b64=L2E%3D", "?wait=1h"} {
		if a := w.call("mine-owner", "GET", server.Base+"/snapshots/"+o.snapshot+"/files"+query, ""); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d, want 422", query, a.status)
		}
	}
}

func TestDownloadContent(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	path := server.Base + "/restores/" + o.restore
	if a := w.call("mine-owner", "GET", path+"/content", ""); a.status != http.StatusConflict || a.problem(t).Next == "" {
		t.Errorf("before it is here: got %d: %s", a.status, a.body)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), wire.ChunkSize/16+100)
	w.arrive(o, content)
	sum := sha256.Sum256(content)
	r := into[server.Restore](t, w.call("mine-owner", "GET", path+"?wait=1s", ""), http.StatusOK)
	if r.State != "ready" || !r.Over || r.ContentURL != path+"/content" || r.SHA256 != hex.EncodeToString(sum[:]) || r.ExpiresAt == "" {
		t.Fatalf("ready: got %+v", r)
	}
	tests := []struct {
		name    string
		headers []string
		status  int
		from    int
	}{
		{"whole", nil, http.StatusOK, 0},
		{"over the edge of a chunk", []string{"Range", fmt.Sprintf("bytes=%d-", wire.ChunkSize-3), "If-Range", `"` + r.SHA256 + `"`}, http.StatusPartialContent, wire.ChunkSize - 3},
		{"of another file", []string{"Range", "bytes=5-", "If-Range", `"other"`}, http.StatusOK, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := w.call("mine-owner", "GET", r.ContentURL, "", tt.headers...)
			if a.status != tt.status || a.body != string(content[tt.from:]) {
				t.Errorf("got %d with %d bytes, want %d with %d", a.status, len(a.body), tt.status, len(content)-tt.from)
			}
			for k, want := range map[string]string{"ETag": `"` + r.SHA256 + `"`, "Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff",
				"Content-Type": "application/octet-stream", "Content-Disposition": "attachment; filename=report.ods"} {
				if got := a.header.Get(k); got != want {
					t.Errorf("%s: got %q, want %q", k, got, want)
				}
			}
		})
	}
	if a := w.call("admin", "GET", r.ContentURL, ""); a.status != http.StatusForbidden {
		t.Errorf("staff fetch a customer's file: got %d, want 403", a.status)
	}
}

func TestRestoreThatFails(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	body := fmt.Sprintf(`{"snapshot":%q,"kind":"put_back","path_b64":%q}`, o.snapshot, base64.StdEncoding.EncodeToString([]byte("/srv/mine/x\xff")))
	a := w.call("mine-owner", "POST", server.Base+"/restores", body)
	r := into[server.Restore](t, a, http.StatusAccepted)
	if r.Path != `/srv/mine/x\xff` || r.TargetB64 == nil || a.header.Get("Location") != server.Base+"/jobs/"+r.Job {
		t.Errorf("asked: got %+v", r)
	}
	var p wire.ApplyParams
	w.finish(o.server.ID, w.take(o.server.ID, wire.ActionApply, &p), nil, &wire.Failure{Cause: wire.CauseExists})
	r = into[server.Restore](t, w.call("mine-owner", "GET", server.Base+"/restores/"+r.ID+"?wait=1s", ""), http.StatusOK)
	if r.State != "failed" || r.Failure == nil || r.Failure.Cause != "exists" || !strings.Contains(r.Failure.Message, "there already") {
		t.Errorf("failed: got %+v, %+v", r, r.Failure)
	}
	if outside := w.call("mine-owner", "POST", server.Base+"/restores", fmt.Sprintf(`{"snapshot":%q,"kind":"put_back","path":"/etc/passwd"}`, o.snapshot)); outside.status != http.StatusUnprocessableEntity {
		t.Errorf("outside the tenancy: got %d, want 422", outside.status)
	}
	l := into[server.Page[server.Restore]](t, w.call("mine-owner", "GET", server.Base+"/restores", ""), http.StatusOK)
	if len(l.Items) != 2 || l.Items[0].ID != r.ID {
		t.Errorf("list: got %d, want 2, newest first", len(l.Items))
	}
}

func TestBundleVerifiesElsewhere(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	other := w.newTenant("Other")
	if _, err := w.ledger.Sequence(w.ctx); err != nil {
		t.Fatal(err)
	}
	a := w.call("mine-reader", "GET", server.Base+"/ledger-bundle?customer="+o.customer.Slug, "")
	if a.status != http.StatusOK || !strings.Contains(a.body, o.customer.ID) || strings.Contains(a.body, other.customer.ID) {
		t.Errorf("one's own: got %d: %.200s", a.status, a.body)
	}
	if a := w.call("mine-reader", "GET", server.Base+"/ledger-bundle?customer="+other.customer.Slug, ""); a.status != http.StatusNotFound {
		t.Errorf("another's: got %d, want 404", a.status)
	}
	if a := w.call("mine-reader", "GET", server.Base+"/ledger-bundle", ""); a.status != http.StatusForbidden || a.problem(t).Code != "forbidden" {
		t.Errorf("the whole log: got %d: %.200s", a.status, a.body)
	}
}
