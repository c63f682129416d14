package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/server"
)

const goodToken = "ost_staff_good"

// fakeAPI stands in for a control plane where the behaviour of the command line
// is tested and not the API's. It speaks the API's own types and problems over
// real HTTP, knows a handful of made-up objects, and breaks where a test asks
// it to by the name of a file. What the real API does, its own tests and the
// whole-system tests show.
type fakeAPI struct {
	mu       sync.Mutex
	looks    map[string]int                // how often a path was asked for
	restores map[string]string             // id to path
	steps    map[string]string             // id of a restore on a server to its state
	keys     map[string]bool               // idempotency keys that were seen
	requests []string                      // "GET /servers"
	content  map[string][]byte             // by file
	cut      map[string]func(look int) int // after how many bytes the connection breaks off; negative: not
}

func newFakeAPI() *fakeAPI {
	f := &fakeAPI{looks: map[string]int{}, restores: map[string]string{}, steps: map[string]string{}, keys: map[string]bool{}, content: map[string][]byte{}, cut: map[string]func(int) int{}}
	long := bytes.Repeat([]byte("a line of the report\n"), 20000)
	for _, name := range []string{"report.ods", "cut.bin", "stalls.bin", "changed.bin", "b\xff\n\u202e.txt", "slow.bin", "fails.bin", "gone.bin", "www", "holes", "cutwww"} {
		f.content["/srv/"+name] = long
	}
	f.content["/srv/empty"] = nil
	f.cut["/srv/cut.bin"] = func(int) int { return 150_000 }
	f.cut["/srv/cutwww"] = f.cut["/srv/cut.bin"]
	f.cut["/srv/stalls.bin"] = func(look int) int {
		if look == 1 {
			return 100_000
		}
		return 0
	}
	return f
}

func (f *fakeAPI) start(t testing.TB) string {
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

func (f *fakeAPI) look(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks[key]++
	return f.looks[key]
}

func refuse(w http.ResponseWriter, err error) {
	var e *controlplane.Error
	switch v := err.(type) {
	case *controlplane.Error:
		e = v
	default:
		panic(err)
	}
	status := map[controlplane.Code]int{controlplane.CodeInvalid: 422, controlplane.CodeUnauthorized: 401, controlplane.CodeForbidden: 403, controlplane.CodeNotFound: 404,
		controlplane.CodeConflict: 409, controlplane.CodeExpired: 410, controlplane.CodeUnavailable: 503, controlplane.CodeTooMany: 429, controlplane.CodeInternal: 500}[e.Code]
	p := server.Problem{Type: "https://ostler.invalid/problems/" + string(e.Code), Title: "Refused", Status: status, Code: e.Code, Detail: e.Message, Next: e.Next, RequestID: "req_fake"}
	for _, x := range e.Fields {
		p.Errors = append(p.Errors, server.ProblemField{Pointer: x.Pointer, Message: x.Message})
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/readyz" {
		reply(w, 200, map[string]any{"ready": true, "checks": []any{}})
		return
	}
	p := strings.TrimPrefix(r.URL.Path, apiRoot)
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+p)
	f.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+goodToken {
		refuse(w, controlplane.Errorf(controlplane.CodeUnauthorized, "Make a new one.", "This API token is not good"))
		return
	}
	noun, rest, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	handlers := map[string]func(http.ResponseWriter, *http.Request, string){
		"customers": f.customers, "servers": f.servers, "plans": f.plans, "runs": f.runs, "jobs": f.jobs, "snapshots": f.snapshots,
		"restores": f.restore, "tokens": f.tokens, "proxy": f.proxy, "repositories": f.repositories,
		"files": f.files, "assists": f.assists, "asks": f.asks, "mails": f.mails, "certificates": f.certs, "issues": f.issues,
		"certificate-authorities": f.authorities, "dns-providers": f.providers, "certificate-campaigns": f.campaigns, "found-certificates": f.foundCerts,
		"access": f.access, "inventory": f.inventory, "windows": f.windows,
	}
	if h := handlers[noun]; h != nil {
		h(w, r, rest)
		return
	}
	refuse(w, controlplane.NotFound("page or operation"))
}

func (f *fakeAPI) customers(w http.ResponseWriter, r *http.Request, rest string) {
	all := []map[string]string{{"id": "cus_1", "slug": "acme", "name": "Acme GmbH", "country": "DE"},
		{"id": "cus_2", "slug": "oak", "name": "Bäckerei Eiche", "country": "DE"}, {"id": "cus_3", "slug": "evil", "name": "E\x1b[31mvil\u202e", "country": "FR"}}
	switch {
	case r.Method == http.MethodPost && rest == "":
		refuse(w, controlplane.Invalid(controlplane.Field{Pointer: "/country", Message: "Enter a country as its two letters (ISO 3166), such as GB or DE."}))
	case rest == "":
		from := map[string]int{"": 0, "two": 2}[r.URL.Query().Get("page_token")]
		out := map[string]any{"items": all[from:min(from+2, 3)], "next_page_token": ""}
		if from == 0 {
			out["next_page_token"] = "two"
		}
		reply(w, 200, out)
	case strings.HasPrefix(rest, "acme/access"):
		f.customerAccess(w, r, strings.TrimPrefix(strings.TrimPrefix(rest, "acme/access"), "/"))
	case rest == "acme/contacts":
		reply(w, 200, map[string]any{"items": []map[string]string{{"id": "con_1", "name": "Ines Moreau", "email": "ines@acme.example"}}})
	case rest == "acme" || rest == "cus_1":
		reply(w, 200, all[0])
	default:
		refuse(w, controlplane.NotFound("customer"))
	}
}

func (f *fakeAPI) servers(w http.ResponseWriter, r *http.Request, rest string) {
	switch rest {
	case "":
		reply(w, 200, map[string]any{"items": []any{}, "next_page_token": ""})
	case "web1", "srv_1":
		reply(w, 200, map[string]string{"id": "srv_1", "name": "web1", "state": "active", "agent_state": "connected", "country": "DE"})
	case "srv_1/enrolment-tokens":
		reply(w, 201, map[string]string{"token": "ost_enrol_abc", "plane": "https://plane.example:8445", "expires_at": "2026-11-21T22:00:00.000Z"})
	case "web1/found-certificates":
		reply(w, 200, server.Page[server.FoundCertificate]{Items: []server.FoundCertificate{{ID: "fct_1", Names: []string{"blog.acme.example"}, Issuer: "R11", Renewer: "certbot", NotAfter: "2026-12-24T13:05:00.000Z", Path: "/etc/letsencrypt/x"}}})
	case "broken":
		refuse(w, controlplane.Errorf(controlplane.CodeInternal, "Try again; if it stays, tell us the request id.", "Internal error"))
	case "down":
		refuse(w, controlplane.Errorf(controlplane.CodeUnavailable, "Try again in a moment.", "The database does not answer"))
	case "secret":
		refuse(w, controlplane.Errorf(controlplane.CodeForbidden, "Ask an owner of your account.", "Your role does not include this"))
	default:
		refuse(w, controlplane.NotFound("server"))
	}
}

// proxy is what stands before a control plane that is down: no problem, and
// for a moment only.
func (f *fakeAPI) proxy(w http.ResponseWriter, _ *http.Request, rest string) {
	if f.look("proxy "+rest) < 3 {
		http.Error(w, "<h1>Bad Gateway</h1>", http.StatusBadGateway)
		return
	}
	reply(w, 200, map[string]string{"id": rest})
}

func fakePlan(id, name, srv string) server.BackupPlan {
	return server.BackupPlan{ID: id, Name: name, ServerName: srv, ServerID: "srv_1", CustomerName: "Acme GmbH", Paths: []string{"/srv"}, Excludes: []string{},
		Cron: "15 2 * * *", Zone: "Europe/Berlin", Enabled: true, Repository: server.BackupRepository{ID: "rep_1", State: "ready", Custody: "escrow"}}
}

func (f *fakeAPI) plans(w http.ResponseWriter, r *http.Request, rest string) {
	all := []server.BackupPlan{fakePlan("pln_00000000000000000000000001", "www", "web1"), fakePlan("pln_00000000000000000000000002", "www", "web2"),
		fakePlan("pln_00000000000000000000000003", "db", "web2")}
	if rest == "" {
		reply(w, 200, server.Page[server.BackupPlan]{Items: all})
		return
	}
	for i, p := range all {
		switch rest {
		case p.ID:
			if r.Method == http.MethodPatch && r.Header.Get("If-Match") != `"v7"` {
				refuse(w, controlplane.Errorf(controlplane.CodeConflict, "Look at it again.", "Somebody else changed this plan meanwhile"))
				return
			}
			w.Header().Set("ETag", `"v7"`)
			reply(w, 200, p)
			return
		case p.ID + "/catalogue", p.ID + "/catalogue/rebuild":
			f.catalogue(w, r, p.ID)
			return
		case p.ID + "/runs":
			id := []string{"run_complete", "run_partial", "run_failed"}[i]
			reply(w, 202, server.BackupRun{ID: id, PlanID: p.ID, JobID: "job_" + id[4:], State: "active"})
			return
		}
	}
	refuse(w, controlplane.NotFound("plan"))
}

func (f *fakeAPI) repositories(w http.ResponseWriter, r *http.Request, rest string) {
	switch {
	case rest == "rep_1/reveal":
		w.Header().Set("Cache-Control", "no-store")
		reply(w, 200, server.RecoveryKey{Key: "ABCDE-FGHJK"})
	case rest == "rep_1/confirm":
		var in struct {
			LastGroup string `json:"last_group"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		if in.LastGroup != "FGHJK" {
			refuse(w, controlplane.Invalid(controlplane.Field{Pointer: "/last_group", Message: "That is not the last group of the key."}))
			return
		}
		reply(w, 200, server.BackupRepository{ID: "rep_1", State: "registering"})
	default:
		state := []string{"registering", "initialising", "ready"}[min(f.look("repository"), 3)-1]
		reply(w, 200, server.BackupRepository{ID: "rep_1", State: state, Custody: "customer"})
	}
}

func (f *fakeAPI) runs(w http.ResponseWriter, _ *http.Request, rest string) {
	v := server.BackupRun{ID: rest, State: strings.TrimPrefix(rest, "run_"), Files: 3, Bytes: 4096, SnapshotID: "snap_1"}
	switch v.State {
	case "partial":
		v.UnreadCount, v.Unread = 2, []server.UnreadFile{{Path: "/srv/a\nb", Reason: "permission denied"}}
	case "failed":
		v.SnapshotID, v.Failure = "", &server.FailureCause{Cause: "store_full", Message: "The off-site store has no room left.", Next: "Make room in the store."}
	}
	reply(w, 200, v)
}

// jobs of a name are seen running once and have then ended as the name says.
func (f *fakeAPI) jobs(w http.ResponseWriter, r *http.Request, rest string) {
	name, sub, _ := strings.Cut(strings.TrimPrefix(rest, "job_"), "/")
	out := map[string]any{"id": "job_" + name, "kind": "backup.run", "executor": "agent", "state": "running", "attempt": 1, "max_attempts": 1, "created_at": "2026-11-21T20:00:00.000Z",
		"progress": map[string]any{"step": "backup", "done_bytes": 512, "total_bytes": 1024, "files": 2}}
	switch {
	case name == "unknown":
		refuse(w, controlplane.NotFound("job"))
		return
	case sub == "why":
		reply(w, 200, map[string]any{"items": []map[string]string{{"reason": "why.server_silent", "text": "It waits for the server, which has been silent since 3 h."}}, "next_page_token": ""})
		return
	case name == "never":
		if d, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil {
			select {
			case <-time.After(d):
			case <-r.Context().Done():
			}
		}
		out["state"] = "queued"
		delete(out, "progress")
	case f.look(rest) > 1:
		out["over"], out["state"] = true, "succeeded"
		delete(out, "progress")
		if name == "failed" {
			out["state"], out["failure"] = "failed", server.FailureCause{Cause: "store_full", Message: "The off-site store has no room left.", Next: "Make room in the store."}
		}
	}
	reply(w, 200, out)
}

func (f *fakeAPI) snapshots(w http.ResponseWriter, r *http.Request, rest string) {
	if rest == "snap_1" || rest == "snap_2" {
		reply(w, 200, server.Snapshot{ID: rest, Server: "srv_" + rest[5:]})
		return
	}
	if rest != "snap_1/files" {
		refuse(w, controlplane.NotFound("snapshot"))
		return
	}
	raw, _ := base64.StdEncoding.DecodeString(r.URL.Query().Get("path_b64"))
	v := server.SnapshotFolder{Snapshot: "snap_1", Path: string(raw), Job: "job_list", State: "running"}
	if f.look("files "+string(raw)) == 1 {
		reply(w, 202, v)
		return
	}
	yes, no := true, false
	v.State, v.Over, v.Found = "succeeded", true, &no
	switch string(raw) {
	case "/srv":
		v.Found, v.Entries = &yes, []server.SnapshotEntry{
			{Name: "www", Type: "dir", Mode: "drwxr-xr-x", ModifiedAt: "2026-11-20T02:14:00.000Z"},
			{Name: "a\n\x1b[31m\u202ered", Type: "file", Size: 5, Mode: "-rw-r--r--"},
			{Name: `b\xff`, NameB64: []byte("b\xff"), Type: "file", Size: 1536, Mode: "-rw-r--r--"},
			{Name: `<img src=x onerror=alert(1)>`, Type: "file", Mode: "-rw-r--r--"},
			{Name: `..\x`, Type: "symlink", Mode: "lrwxrwxrwx", LinkTarget: "/etc/\x07"}}
	case "/offline":
		v.State, v.Found, v.Failure = "expired", nil, &server.FailureCause{Cause: "expired", Message: "The server did not start it in time.", Next: "Check that the server is connected, then try again."}
	}
	reply(w, 200, v)
}

func (f *fakeAPI) restore(w http.ResponseWriter, r *http.Request, rest string) {
	if id, step, _ := strings.Cut(rest, "/"); strings.HasPrefix(id, "res_place_") {
		f.place(w, r, id, step)
		return
	}
	if r.Method == http.MethodPost {
		var in server.NewRestore
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			panic(err)
		}
		if in.Kind == "archive" || in.Kind == "in_place" {
			f.many(w, r, in)
			return
		}
		file := string(in.PathB64)
		if _, ok := f.content[file]; !ok || in.Snapshot != "snap_1" {
			refuse(w, controlplane.NotFound("snapshot"))
			return
		}
		sum := sha256.Sum256([]byte(file))
		id := "res_" + hex.EncodeToString(sum[:6])
		f.mu.Lock()
		f.restores[id] = file
		f.keys[r.Header.Get("Idempotency-Key")] = true
		f.mu.Unlock()
		reply(w, 202, server.Restore{ID: id, Kind: in.Kind, State: "active", Path: file, Job: "job_download"})
		return
	}
	id, content, _ := strings.Cut(rest, "/")
	f.mu.Lock()
	file, ok := f.restores[id]
	f.mu.Unlock()
	if !ok {
		refuse(w, controlplane.NotFound("restore"))
		return
	}
	if content != "" {
		f.send(w, r, file)
		return
	}
	sum := sha256.Sum256(f.content[file])
	v := server.Restore{ID: id, Kind: "download", State: "active", Path: file, Job: "job_never", Snapshot: "snap_1"}
	if strings.HasPrefix(id, "res_arc_") {
		v.Kind, v.Format, v.Name = "archive", "zip", "web1 2026-11-20.zip"
	}
	if file == "/srv/holes" {
		v.Name, v.Incomplete, v.MissingCount = "web1 2026-11-20-INCOMPLETE.zip", true, 3
		v.Missing = []server.MissingFile{{Path: `/srv/holes/b\xff`, PathB64: []byte("/srv/holes/b\xff"), Why: server.FailureCause{Cause: "repository_damaged", Message: "It is damaged."}}}
	}
	switch {
	case f.look("restore "+id) == 1 && v.Kind == "archive", file == "/srv/slow.bin":
	case file == "/srv/fails.bin":
		v.State, v.Over, v.Failure = "failed", true, &server.FailureCause{Cause: "disk_full", Message: "The server's disk is full.", Next: "Free some space on the server, then try again."}
	default:
		v.State, v.Over, v.Size, v.SHA256 = "ready", true, int64(len(f.content[file])), hex.EncodeToString(sum[:])
	}
	reply(w, 200, v)
}

// send sends a file as the API does, and breaks off where it is told to.
func (f *fakeAPI) send(w http.ResponseWriter, r *http.Request, file string) {
	data := f.content[file]
	sum := sha256.Sum256(data)
	look := f.look("content " + file)
	if file == "/srv/gone.bin" {
		refuse(w, controlplane.Errorf(controlplane.CodeExpired, "Fetch the file from its snapshot again.", "This download is no longer kept"))
		return
	}
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	if file == "/srv/changed.bin" {
		data = bytes.ToUpper(data)
	}
	if cut := f.cut[file]; cut != nil {
		w = &cutter{ResponseWriter: w, left: cut(look)}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// cutter breaks the connection off after some bytes.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.left < len(p) {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		if fl, ok := c.ResponseWriter.(http.Flusher); ok {
			fl.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func (f *fakeAPI) tokens(w http.ResponseWriter, r *http.Request, rest string) {
	switch {
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case rest == "":
		reply(w, 200, map[string]any{"items": []map[string]any{{"id": "tok_1", "name": "laptop", "current": true, "permissions": []string{"server.read"},
			"created_at": "2026-11-01T00:00:00.000Z", "expires_at": "2099-01-01T00:00:00.000Z"}}, "next_page_token": ""})
	default:
		refuse(w, controlplane.NotFound("token"))
	}
}

// readFile is for assertions on what a script left.
func readFile(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(path.Join(parts...))
	if err != nil {
		t.Fatal(fmt.Errorf("after the script: %w", err))
	}
	return b
}
