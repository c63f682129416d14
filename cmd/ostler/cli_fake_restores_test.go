package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/server"
)

// files knows one file of a strange name, and one page besides.
func (f *fakeAPI) files(w http.ResponseWriter, r *http.Request, rest string) {
	q := r.URL.Query()
	if rest == "history" {
		raw, _ := base64.StdEncoding.DecodeString(q.Get("path_b64"))
		if string(raw) != "/srv/b\xff" || q.Get("plan") == "" {
			refuse(w, controlplane.NotFound("file"))
			return
		}
		since := server.SnapshotRef{ID: "snap_3", ArrivedAt: "2026-11-21T02:14:00.000Z"}
		v := server.FileVersion{Type: "file", Size: 1536, Mode: "-rw-r--r--", ModifiedAt: "2026-11-02T10:00:00.000Z", FirstSeen: server.SnapshotRef{ID: "snap_1", ArrivedAt: "2026-11-18T02:14:00.000Z"},
			LastSeen: server.SnapshotRef{ID: "snap_2", ArrivedAt: "2026-11-20T02:14:00.000Z"}, Copies: 2}
		reply(w, 200, server.FileHistory{Plan: q.Get("plan"), Path: `/srv/b\xff`, PathB64: raw, Versions: []server.FileVersion{v}, MissingFrom: &since, Source: "catalogue"})
		return
	}
	if q.Get("q") == "nothing" {
		reply(w, 200, server.FilesPage{Page: server.Page[server.FoundFile]{Items: []server.FoundFile{}}, Snapshots: 12})
		return
	}
	if want := (map[string]string{"ext": "ods", "min_size": "1536", "modified_to": "2026-11-19T00:00:00Z", "on": "2026-11-18"}); q.Get("q") == "narrow" {
		for k, v := range want {
			if q.Get(k) != v {
				refuse(w, controlplane.Invalid(controlplane.Field{Pointer: "/" + k, Message: "Send " + v + "."}))
				return
			}
		}
	}
	last := server.SnapshotRef{ID: "snap_2", ArrivedAt: "2026-11-20T02:14:00.000Z"}
	out := server.FilesPage{Snapshots: 12, Servers: []string{"srv_1"}, Behind: []server.PlanBehind{{Plan: "pln_1", Name: "db", Server: "srv_1", Snapshots: 2,
		Why: &server.FailureCause{Cause: "off", Message: "The list of the names is turned off.", Next: "Turn it on."}}}}
	out.Items = []server.FoundFile{{Server: "srv_1", Plan: "pln_1", Path: `/srv/b\xff`, PathB64: []byte("/srv/b\xff"), Type: "file", Size: 1536, Versions: 2, In: last, MissingSince: &last}}
	if q.Get("page_token") == "" {
		out.Items[0], out.NextPageToken = server.FoundFile{Server: "srv_1", Path: "/srv/a\x1b[31m", Type: "dir", Versions: 1, In: last, Present: true}, "two"
	}
	reply(w, 200, out)
}

func (f *fakeAPI) catalogue(w http.ResponseWriter, r *http.Request, plan string) {
	v := server.Catalogue{Plan: plan, Status: "building", Behind: 2, Generation: 1}
	if r.Method == http.MethodPut {
		var in struct {
			On bool `json:"on"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		if !in.On {
			v.Status = "off"
		}
	}
	if r.Method == http.MethodGet && f.look("catalogue") > 2 {
		v = server.Catalogue{Plan: plan, Status: "ready", Snapshots: 2, Generation: 2, Entries: 10, Bytes: 2048}
	}
	reply(w, 200, v)
}

// many starts an archive, or a restore on the server, for each snapshot: each
// is of a server of its own here.
func (f *fakeAPI) many(w http.ResponseWriter, _ *http.Request, in server.NewRestore) {
	out := server.StartedRestores{Items: []server.Restore{}}
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := map[string]bool{}
	for _, p := range in.Picks {
		file := string(p.PathB64)
		if _, ok := f.content[file]; !ok {
			refuse(w, controlplane.NotFound("snapshot"))
			return
		}
		if seen[p.Snapshot] {
			continue
		}
		seen[p.Snapshot] = true
		v := server.Restore{Kind: in.Kind, State: "active", Path: file, Job: "job_other", Picked: len(in.Picks), Snapshot: p.Snapshot}
		v.ID = "res_arc_" + strings.TrimPrefix(file, "/srv/") + p.Snapshot
		f.restores[v.ID] = file
		if in.Kind == "in_place" {
			v.ID, v.State = "res_place_"+strings.TrimPrefix(file, "/srv/"), "previewing"
			f.steps[v.ID] = v.State
		}
		out.Items = append(out.Items, v)
	}
	out.Restore = out.Items[0]
	reply(w, 202, out)
}

// place plays a restore on a server: each look moves it on.
func (f *fakeAPI) place(w http.ResponseWriter, r *http.Request, id, sub string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := f.steps[id]
	if state == "" {
		refuse(w, controlplane.NotFound("restore"))
		return
	}
	if sub == "changes" {
		items := []server.RestoreChange{{Path: "/srv/www/index.html", Type: "file", Act: "replace", Size: 12}, {Path: "/srv/www/s\u202etel", Type: "symlink", Act: "refuse",
			Why: &server.FailureCause{Cause: "unsafe_path", Message: "It leads outside."}}}
		reply(w, 200, server.ChangesPage{Items: items, Total: 25})
		return
	}
	over := state == "ready" || state == "cancelled" || state == "undone"
	switch {
	case sub == "confirm" && state != "previewed", sub == "cancel" && over, sub == "undo" && state != "ready":
		refuse(w, controlplane.Errorf(controlplane.CodeConflict, "Look at its page.", "This restore is %s", state))
		return
	case sub != "":
		state = map[string]string{"confirm": "applying", "cancel": "cancelled", "undo": "undoing"}[sub]
	case state == "previewing" || state == "applying" || state == "undoing":
		state = map[string]string{"previewing": "previewed", "applying": "ready", "undoing": "undone"}[state]
	}
	f.steps[id] = state
	over = state == "ready" || state == "cancelled" || state == "undone"
	v := server.Restore{ID: id, Kind: "in_place", State: state, Over: over, Path: "/srv/www", TargetServer: "srv_1", Job: "job_other", ExpiresAt: "2026-11-21T23:00:00.000Z"}
	counts := map[string]int64{"replace": 3, "same": 22}
	switch {
	case strings.HasSuffix(id, "same"):
		counts = map[string]int64{"same": 25}
	case strings.HasSuffix(id, "holes"):
		counts["refuse"], v.MissingCount = 1, 1
	}
	v.Preview = &server.Tally{Counts: counts, Total: 25, Changing: counts["replace"], Bytes: 4096}
	switch state {
	case "ready":
		v.Result, v.UndoUntil = v.Preview, "2026-11-28T22:00:00.000Z"
	case "undone":
		v.Result, v.Undo = v.Preview, &server.Tally{Counts: map[string]int64{"returned": 3}, Total: 3}
	case "cancelled":
		v.Failure = &server.FailureCause{Cause: "cancelled", Message: "It was cancelled.", Next: "Start it again."}
	}
	reply(w, 200, v)
}

func (f *fakeAPI) assists(w http.ResponseWriter, r *http.Request, rest string) {
	v := server.Assist{ID: "asi_1", Customer: "cus_1", Reason: "Asked by phone", Ticket: "OPS-1", StartedAt: "2026-11-21T20:00:00.000Z", EndsAt: "2026-11-22T00:00:00.000Z"}
	switch {
	case r.Method == http.MethodGet && rest == "":
		reply(w, 200, server.Page[server.Assist]{Items: []server.Assist{v}})
	case rest == "asi_1/end":
		w.WriteHeader(http.StatusNoContent)
	case rest == "", rest == "current":
		reply(w, 200, v)
	default:
		refuse(w, controlplane.NotFound("assist"))
	}
}

func (f *fakeAPI) asks(w http.ResponseWriter, r *http.Request, rest string) {
	v := server.Ask{ID: "ask_1", Customer: "cus_1", State: "open", What: "The menu\nof last week\x1b[2J", CreatedAt: "2026-11-21T20:00:00.000Z"}
	if r.Method == http.MethodPost && rest == "" {
		var in server.NewAsk
		_ = json.NewDecoder(r.Body).Decode(&in)
		v.What = in.What
	}
	switch rest {
	case "", "ask_1":
	case "ask_1/take":
		v.State = "taken"
	case "ask_1/answer":
		var in struct{ Answer string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		v.State, v.Answer = "done", in.Answer
	default:
		refuse(w, controlplane.NotFound("request"))
		return
	}
	if r.Method == http.MethodGet && rest == "" {
		reply(w, 200, server.Page[server.Ask]{Items: []server.Ask{v}})
		return
	}
	reply(w, 200, v)
}

func (f *fakeAPI) mails(w http.ResponseWriter, _ *http.Request, rest string) {
	v := server.Mail{ID: "mail_1", To: "kim@acme.example", Title: "Your files are ready", State: "bounced", Cause: "bounced", InDoubt: true, CreatedAt: "2026-11-21T20:00:00.000Z"}
	switch rest {
	case "":
		reply(w, 200, server.Page[server.Mail]{Items: []server.Mail{v}})
	case "mail_1":
		v.Attempts = []server.MailTry{{N: 1, Tries: 2, Outcome: "accepted", Server: "mail.example:587", TLS: "TLS 1.3", Reply: "250 queued"}}
		v.Reports = []server.MailReport{{Action: "failed", Status: "5.1.1", Diagnostic: "no such user"}}
		reply(w, 200, v)
	default:
		refuse(w, controlplane.NotFound("mail"))
	}
}
