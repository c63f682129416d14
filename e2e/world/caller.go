package world

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Caller is somebody who asks the plane, with an API token.
type Caller struct {
	W     *World
	Token string // the token's file; "" is nobody
}

// Staff is the staff member whom New made.
func (w *World) Staff() Caller { return Caller{W: w, Token: w.Token} }

// CLI runs the command line; the exit code is the test's to judge.
func (c Caller) CLI(args ...string) (stdout, stderr string, code int) {
	c.W.T.Helper()
	o, e, code := c.W.exec(nil, c.env(), args...)
	return string(o), string(e), code
}

// Type is CLI with something on its standard input.
func (c Caller) Type(in string, args ...string) (stdout, stderr string, code int) {
	c.W.T.Helper()
	o, e, code := c.W.exec([]byte(in), c.env(), args...)
	return string(o), string(e), code
}

func (c Caller) env() []string {
	return []string{"OSTLER_URL=" + c.W.URL, "OSTLER_TOKEN=" + c.secret()}
}

func (c Caller) secret() string {
	if c.Token == "" {
		return ""
	}
	b, err := os.ReadFile(c.Token)
	if err != nil {
		c.W.T.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// JSON runs the command line with --output json, fails the test unless it
// exits 0, and reads what it printed into v (unless v is nil).
func (c Caller) JSON(v any, args ...string) {
	c.W.T.Helper()
	out, errs, code := c.CLI(append(args, "--output", "json")...)
	if code != 0 {
		c.W.T.Fatalf("ostler %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		c.W.T.Fatalf("ostler %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Do makes one request to the API; path begins behind its root. body may be nil.
func (c Caller) Do(method, path string, body any) (status int, answer []byte) {
	c.W.T.Helper()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			c.W.T.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(c.W.T.Context(), method, c.W.URL+"/api/v1"+path, in)
	if err != nil {
		c.W.T.Fatal(err)
	}
	if s := c.secret(); s != "" {
		req.Header.Set("Authorization", "Bearer "+s)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(res.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return res.StatusCode, answer
}

// Get reads an answer of the API into v; ok is false where there was no good one.
func (c Caller) Get(path string, v any) (ok bool) {
	c.W.T.Helper()
	status, raw := c.Do(http.MethodGet, path, nil)
	return status == http.StatusOK && json.Unmarshal(raw, v) == nil
}

// Customer is a customer, seen by the owner among its contacts.
type Customer struct {
	Caller
	ID, Slug, Contact string
	Portal            *Portal // the owner, signed in
}

// AddCustomers makes customers by the command line, each with an owner, who is
// invited in the portal, accepts, and makes an API token there.
func (w *World) AddCustomers(slugs ...string) []*Customer {
	w.T.Helper()
	if w.ada == nil {
		w.ada = w.Accept(w.invitation)
	}
	var all []*Customer
	for _, slug := range slugs {
		var customer, contact struct {
			ID string `json:"id"`
		}
		w.JSON(&customer, "customer", "add", slug, "--name", "The "+slug+" company", "--country", "DE")
		w.JSON(&contact, "contact", "add", slug, "--name", "Owner of "+slug, "--email", "owner@"+slug+".example", "--role", "owner")
		owner := w.Accept(w.ada.Invite(contact.ID))
		w.write("token-"+slug, owner.MakeToken("e2e")+"\n")
		all = append(all, &Customer{Caller: Caller{W: w, Token: filepath.Join(w.Dir, "token-"+slug)}, ID: customer.ID, Slug: slug, Contact: contact.ID, Portal: owner})
	}
	return all
}

// Database is the URL of the plane's database.
func (w *World) Database() string {
	if w.database != "" {
		return w.database
	}
	return "sqlite:" + w.SQLite()
}

// SQLite is the file of the embedded database.
func (w *World) SQLite() string { return filepath.Join(w.Dir, "plane", "ostler.db") }

// Downloads is the folder in which the plane keeps what hosts send up.
func (w *World) Downloads() string { return filepath.Join(w.Dir, "plane", "downloads") }

// AddStore makes a store known to the plane, by the command line, at the
// address of what stands before it ("" is its own).
func (w *World) AddStore(name, url string) (id string) {
	w.T.Helper()
	if url == "" {
		url = w.Store.URL
	}
	var out struct {
		ID string `json:"id"`
	}
	w.JSON(&out, "store", "add", name, "--url", url, "--pin", w.Store.Pin, "--htpasswd", w.Store.Htpasswd, "--pid-file", w.Store.PIDFile, "--country", "DE")
	return out.ID
}

// Plan is a backup plan of a customer on a host.
type Plan struct{ ID, Tenancy, Repository string }

// AddPlan makes a tenancy and a plan with escrow for some folders of a host.
// It returns when the repository is ready; the first backup is under way then.
func (w *World) AddPlan(c *Customer, h *Host, name string, paths ...string) Plan {
	w.T.Helper()
	tenancy := []string{"tenancy", "add", "--server", h.Name, "--customer", c.Slug}
	plan := []string{"plan", "add", name, "--custody", "escrow", "--jitter", "0", "--cron", "15 2 * * *", "--wait", "--wait-timeout", "60s"}
	for _, p := range paths {
		tenancy, plan = append(tenancy, "--path", p), append(plan, "--path", p)
	}
	var ten, out struct {
		ID         string `json:"id"`
		Repository struct {
			ID    string `json:"id"`
			State string `json:"state"`
		} `json:"repository"`
	}
	w.JSON(&ten, tenancy...)
	w.JSON(&out, append(plan, "--tenancy", ten.ID)...)
	if out.Repository.State != "ready" {
		w.T.Fatalf("repository: got %s, want ready", out.Repository.State)
	}
	return Plan{ID: out.ID, Tenancy: ten.ID, Repository: out.Repository.ID}
}

// Failure is why something failed, as people are told.
type Failure struct{ Cause, Message, Next, Detail string }

// Run is a run of a plan, as the API shows it.
type Run struct {
	ID, Job, State, Snapshot string
	StartedBy                string `json:"started_by"`
	UnreadCount              int64  `json:"unread_count"`
	Unread                   []struct {
		Path, Reason string
		PathB64      []byte `json:"path_b64"`
	}
	Failure *Failure
}

// Runs are the runs of a plan, newest first.
func (c Caller) Runs(plan string) []Run {
	c.W.T.Helper()
	var out struct{ Items []Run }
	if !c.Get("/plans/"+plan+"/runs", &out) {
		c.W.T.Fatalf("the runs of %s cannot be listed", plan)
	}
	return out.Items
}

// Over waits until the newest run of a plan is over, and returns it.
func (c Caller) Over(plan string, limit time.Duration) Run {
	c.W.T.Helper()
	var last Run
	Eventually(c.W.T, "the run of "+plan+" is over", limit, func() bool {
		runs := c.Runs(plan)
		if len(runs) == 0 {
			return false
		}
		last = runs[0]
		return last.State != "active"
	})
	return last
}

// Problem is the body of an error of the API.
type Problem struct{ Code, Detail, Next string }

// Told fails the test unless both cause and next step are said in plain words.
func (w *World) Told(where string, f *Failure, cause string) {
	w.T.Helper()
	switch {
	case f == nil:
		w.T.Errorf("%s: no cause is told, want %s", where, cause)
	case f.Cause != cause:
		w.T.Errorf("%s: cause: got %s (%s), want %s", where, f.Cause, f.Detail, cause)
	case len(strings.Fields(f.Message)) < 3 || len(strings.Fields(f.Next)) < 3:
		w.T.Errorf("%s: %s says %q and next %q: not in plain words", where, cause, f.Message, f.Next)
	}
}

// Says fails the test unless a text of the command line has each of the parts.
func (w *World) Says(where, text string, parts ...string) {
	w.T.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			w.T.Errorf("%s: %q is not in:\n%s", where, p, text)
		}
	}
}

// Findings are the open findings of one kind ("": of all), as a caller sees them.
func (c Caller) Findings(kind string) []Finding {
	c.W.T.Helper()
	var out struct{ Items []Finding }
	query := url.Values{"page_size": {"200"}}
	if kind != "" {
		query.Set("kind", kind)
	}
	if !c.Get("/findings?"+query.Encode(), &out) {
		c.W.T.Fatalf("findings cannot be listed (%s)", kind)
	}
	return out.Items
}

// Finding is an open finding.
type Finding struct{ ID, Severity, Title, Cause, Next, Link string }
