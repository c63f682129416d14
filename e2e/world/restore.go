package world

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Pick is one file or folder of a snapshot.
type Pick struct {
	Snapshot string `json:"snapshot"`
	Path     []byte `json:"path_b64"`
}

// Of picks paths of one snapshot.
func Of(snapshot string, paths ...string) []Pick {
	picks := make([]Pick, len(paths))
	for i, p := range paths {
		picks[i] = Pick{snapshot, []byte(p)}
	}
	return picks
}

// Place is where on a server files go.
type Place struct {
	Server    string `json:"server,omitempty"`
	Placement string `json:"placement,omitempty"`
	Folder    []byte `json:"folder_b64,omitempty"`
	Conflict  string `json:"conflict,omitempty"`
	Special   bool   `json:"special,omitempty"`
}

// Order asks for files and folders.
type Order struct {
	Kind     string `json:"kind"` // archive, in_place
	Picks    []Pick `json:"picks"`
	Customer string `json:"customer,omitempty"`
	Format   string `json:"format,omitempty"`
	Target   *Place `json:"target,omitempty"`
	MailMe   bool   `json:"mail_me,omitempty"`
}

// Tally is what a step on a server came to.
type Tally struct {
	Counts      map[string]int64
	Bytes       int64
	SafetyBytes int64 `json:"safety_bytes"`
}

// Restore is a restore, as the API shows it.
type Restore struct {
	ID, Job, Kind, State, Name, SHA256 string
	Busy, Over, Incomplete, Resumable  bool
	Size, Files, Bytes                 int64
	MissingCount                       int64 `json:"missing_count"`
	Missing                            []struct {
		Path    string
		PathB64 []byte `json:"path_b64"`
		Why     Failure
	}
	Preview, Result, Undo *Tally
	UndoUntil             string `json:"undo_until"`
	Failure               *Failure
	UndoFailure           *Failure `json:"undo_failure"`
	Assist                *struct{ Reason, Ticket string }
}

// Change is one line of a list of changes.
type Change struct {
	Path, Type, Act, SHA256, Note string
	PathB64                       []byte `json:"path_b64"`
	Size                          int64
	Why                           *Failure
}

// Name is the path that a change is about, in bytes.
func (c Change) Name() string { return bytesOf(c.Path, c.PathB64) }

// bytesOf is a path of the API: the bytes stand beside it where it is not UTF-8.
func bytesOf(text string, raw []byte) string {
	if raw != nil {
		return string(raw)
	}
	return text
}

// Order starts restores, and fails the test unless they are taken.
func (c Caller) Order(o Order) []Restore {
	c.W.T.Helper()
	var out struct{ Items []Restore }
	status, raw := c.Do(http.MethodPost, "/restores", o)
	if status != http.StatusAccepted || json.Unmarshal(raw, &out) != nil || len(out.Items) == 0 {
		c.W.T.Fatalf("restore: status %d: %s", status, raw)
	}
	return out.Items
}

// Refused expects an order to be refused, and returns the answer.
func (c Caller) Refused(o Order) (status int, answer string) {
	c.W.T.Helper()
	status, raw := c.Do(http.MethodPost, "/restores", o)
	if status < 400 || status >= 500 {
		c.W.T.Errorf("an order that is refused: status %d: %s", status, raw)
	}
	return status, string(raw)
}

// Restore is one restore as it is now.
func (c Caller) Restore(id string) Restore {
	c.W.T.Helper()
	var r Restore
	if !c.Get("/restores/"+id, &r) {
		c.W.T.Fatalf("the restore %s cannot be read", id)
	}
	return r
}

// Idle waits until nothing is at work for a restore, and returns it. The plane
// may be away meanwhile.
func (c Caller) Idle(id string, limit time.Duration) Restore {
	c.W.T.Helper()
	var r Restore
	Eventually(c.W.T, "nothing is at work for the restore "+id, limit, func() bool {
		r = Restore{} // what is not there any more is left out
		return c.Get("/restores/"+id, &r) && !r.Busy
	})
	return r
}

// Came waits for a restore, and fails the test unless it is in a state then.
func (c Caller) Came(id, state string, limit time.Duration) Restore {
	c.W.T.Helper()
	r := c.Idle(id, limit)
	if r.State != state {
		c.W.T.Fatalf("restore: got %s, failure %+v, of the undo %+v; want %s", r.State, r.Failure, r.UndoFailure, state)
	}
	return r
}

// Step confirms, undoes or cancels a restore.
func (c Caller) Step(id, step string) {
	c.W.T.Helper()
	if status, raw := c.Do(http.MethodPost, "/restores/"+id+"/"+step, nil); status != http.StatusAccepted {
		c.W.T.Fatalf("%s: status %d: %s", step, status, raw)
	}
}

// Changes is a list of changes of a restore: preview, result or undo.
func (c Caller) Changes(id, list string) []Change {
	c.W.T.Helper()
	var all []Change
	for {
		var page struct {
			Items []Change
			Total int
		}
		if !c.Get("/restores/"+id+"/changes?list="+list+"&limit=1000&offset="+strconv.Itoa(len(all)), &page) {
			c.W.T.Fatalf("the changes of %s cannot be listed", id)
		}
		if all = append(all, page.Items...); len(all) >= page.Total || len(page.Items) == 0 {
			return all
		}
	}
}

// Content is what a restore has fetched.
func (c Caller) Content(id string) []byte {
	c.W.T.Helper()
	status, raw := c.Do(http.MethodGet, "/restores/"+id+"/content", nil)
	if status != http.StatusOK {
		c.W.T.Fatalf("content: status %d: %.300s", status, raw)
	}
	return raw
}

// SnapshotRef names a snapshot.
type SnapshotRef struct{ ID string }

// Found is one file that a search found.
type Found struct {
	Server, Plan, Path, Type string
	PathB64                  []byte `json:"path_b64"`
	Size                     int64
	Versions                 int
	First, Last              SnapshotRef
	Present                  bool
	MissingSince             *SnapshotRef `json:"missing_since"`
}

// Name is the path of what was found, in bytes.
func (f Found) Name() string { return bytesOf(f.Path, f.PathB64) }

// Search is what a search found, and in how much.
type Search struct {
	Items     []Found
	Next      string `json:"next_page_token"`
	Snapshots int
	Behind    []struct {
		Plan      string
		Snapshots int
		Why       *Failure
	}
}

// Find searches; query are names and values.
func (c Caller) Find(query ...string) Search {
	c.W.T.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	var s Search
	if status, raw := c.Do(http.MethodGet, "/files?"+q.Encode(), nil); status != http.StatusOK || json.Unmarshal(raw, &s) != nil {
		c.W.T.Fatalf("find %q: status %d: %s", query, status, raw)
	}
	return s
}

// Version is a file as it was in some snapshots.
type Version struct {
	Type, Mode string
	Size       int64
	LinkTarget string      `json:"link_target"`
	FirstSeen  SnapshotRef `json:"first_seen"`
	LastSeen   SnapshotRef `json:"last_seen"`
	Copies     int
}

// History are the versions of a file, newest first.
type History struct {
	Versions    []Version
	Present     bool
	MissingFrom *SnapshotRef `json:"missing_from"`
	Source      string
	Behind      int
	Why         *Failure
}

// History lists the versions of one path of a plan.
func (c Caller) History(plan, path string) History {
	c.W.T.Helper()
	var h History
	if status, raw := c.Do(http.MethodGet, "/files/history?"+url.Values{"plan": {plan}, "path": {path}}.Encode(), nil); status != http.StatusOK || json.Unmarshal(raw, &h) != nil {
		c.W.T.Fatalf("history of %q: status %d: %s", path, status, raw)
	}
	return h
}

// Catalogue is how a plan's list of names stands.
type Catalogue struct {
	Status                        string
	Why                           *Failure
	Generation, Snapshots, Behind int
}

// Catalogue reads how a plan's list of names stands.
func (c Caller) Catalogue(plan string) Catalogue {
	c.W.T.Helper()
	var v Catalogue
	if !c.Get("/plans/"+plan+"/catalogue", &v) {
		c.W.T.Fatalf("the catalogue of %s cannot be read", plan)
	}
	return v
}

// Listed waits until a plan's catalogue is whole, with so many snapshots.
func (c Caller) Listed(plan string, snapshots int) {
	c.W.T.Helper()
	Eventually(c.W.T, "the names of all copies are listed", time.Minute, func() bool {
		var v Catalogue
		return c.Get("/plans/"+plan+"/catalogue", &v) && v.Status == "ready" && v.Behind == 0 && v.Snapshots == snapshots
	})
}

// Folder is one folder of a snapshot.
type Folder struct {
	Source, State string
	Why           *Failure
	Found         *bool
	Entries       []struct{ Name, Type string }
}

// Names are those of the folder's entries, in lines.
func (f Folder) Names() string {
	var names []string
	for _, e := range f.Entries {
		names = append(names, e.Name)
	}
	return strings.Join(names, "\n")
}

// Look lists a folder of a snapshot.
func (c Caller) Look(snapshot, dir string) Folder {
	c.W.T.Helper()
	var f Folder
	if status, raw := c.Do(http.MethodGet, "/snapshots/"+snapshot+"/files?"+url.Values{"path": {dir}, "wait": {"30s"}}.Encode(), nil); status != http.StatusOK || json.Unmarshal(raw, &f) != nil {
		c.W.T.Fatalf("look into %q: status %d: %s", dir, status, raw)
	}
	return f
}

// Segments are the files that a plan's catalogue is kept in.
func (w *World) Segments(plan string) []string {
	w.T.Helper()
	files, err := filepath.Glob(filepath.Join(w.Downloads(), "catalogues", plan, "*"))
	if err != nil {
		w.T.Fatal(err)
	}
	var all []string
	for _, f := range files {
		if !strings.HasSuffix(f, ".attrs") {
			all = append(all, f)
		}
	}
	return all
}
