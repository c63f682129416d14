// Package vaulttest is a Vault for tests: a fake that answers over HTTP as
// Vault does (paths, statuses, shapes and sentences), and what sets up a Vault,
// the fake or a real one, as an operator would. It keeps true that what the
// conformance test asks of a home is asked of the fake and of HashiCorp's own
// core by the same code; "make test-vault" keeps the fake honest.
package vaulttest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fake is a Vault in memory. Its zero value is not usable; see New.
type Fake struct {
	srv  *httptest.Server
	root string

	mu       sync.Mutex
	now      func() time.Time
	sealed   bool
	tokens   map[string]*token
	policies map[string][]rule
	roles    map[string]*role
	mounts   map[string]string // path: type
	keys     map[string]*transitKey
	values   map[string]*value
	wrapping *rsa.PrivateKey
	calls    map[string]int // by method and path
	hook     func(method, path string)
	corrupt  bool
}

type token struct {
	policies []string
	ends     time.Time
	ttl      time.Duration
	maxEnds  time.Time
	wraps    map[string]any // of a wrapping token
	made     string         // its creation path
}

type role struct {
	id       string
	policies []string
	ttl, max time.Duration
	secrets  map[string]bool
}

type rule struct {
	path string
	caps []string
	only map[string]string // what may be written, and with which value; nil is anything
}

// New starts a fake that is open and empty. Close it.
func New() *Fake {
	f := &Fake{root: "hvs." + rand.Text(), now: time.Now, tokens: map[string]*token{}, policies: map[string][]rule{}, roles: map[string]*role{},
		mounts: map[string]string{}, keys: map[string]*transitKey{}, values: map[string]*value{}, calls: map[string]int{}}
	f.tokens[f.root] = &token{policies: []string{"root"}}
	f.srv = httptest.NewServer(http.HandlerFunc(f.serve))
	return f
}

// Close stops it.
func (f *Fake) Close() { f.srv.Close() }

// Addr is its address.
func (f *Fake) Addr() string { return f.srv.URL }

// RootToken may do everything.
func (f *Fake) RootToken() string { return f.root }

// Seal seals it, or opens it again.
func (f *Fake) Seal(sealed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealed = sealed
}

// Now has it tell the time by now, for tokens.
func (f *Fake) Now(now func() time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

// Calls returns how often a method and path were asked: "POST auth/approle/login".
func (f *Fake) Calls(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[call]
}

// Corrupt has decrypt answer with something else than was sealed.
func (f *Fake) Corrupt(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.corrupt = on
}

// Keys lists the names of the keys in transit, sorted.
func (f *Fake) Keys() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for at := range f.keys {
		names = append(names, at[strings.LastIndex(at, "/")+1:])
	}
	slices.Sort(names)
	return names
}

// OnCall has hook called before each request is carried out, outside of the
// fake's lock: a test seals it between two calls.
func (f *Fake) OnCall(hook func(method, path string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// request is one call, taken apart.
type request struct {
	method, path string
	body         map[string]any
	token        string
	wrap         time.Duration
}

func (q request) text(name string) string { s, _ := q.body[name].(string); return s }

func (q request) texts(name string) (out []string) {
	switch v := q.body[name].(type) {
	case string:
		return strings.Split(v, ",")
	case []any:
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

func (q request) number(name string) int64 {
	switch v := q.body[name].(type) {
	case float64:
		return int64(v)
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}

// answer is what goes back: a status and either errors or a body.
type answer struct {
	status int
	errors []string
	body   map[string]any
}

func fail(status int, errors ...string) answer { return answer{status: status, errors: errors} }

func data(d map[string]any) answer { return answer{status: 200, body: map[string]any{"data": d}} }

var empty = answer{status: 204}

func denied() answer { return fail(403, "1 error occurred:\n\t* permission denied\n\n") }

func badToken() answer {
	return fail(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
}

func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	q := request{method: r.Method, path: strings.TrimPrefix(r.URL.Path, "/v1/"), token: r.Header.Get("X-Vault-Token"), body: map[string]any{}}
	_ = json.NewDecoder(r.Body).Decode(&q.body) // none is an empty one
	if q.body == nil {
		q.body = map[string]any{}
	}
	if q.method == http.MethodPut {
		q.method = http.MethodPost // the same to Vault
	}
	if q.method == "LIST" || r.URL.Query().Get("list") == "true" {
		q.method, q.path = "LIST", strings.TrimSuffix(q.path, "/")
	}
	q.wrap, _ = time.ParseDuration(r.Header.Get("X-Vault-Wrap-TTL"))
	f.mu.Lock()
	hook := f.hook
	f.mu.Unlock()
	if hook != nil {
		hook(q.method, q.path)
	}
	f.mu.Lock()
	f.calls[q.method+" "+q.path]++
	a := f.answer(q)
	if a.status == 200 && q.wrap > 0 {
		a = f.wrapped(q, a)
	}
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	switch {
	case a.errors != nil:
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": a.errors})
	case a.body != nil:
		_ = json.NewEncoder(w).Encode(a.body)
	case a.status != 204:
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []string{}})
	}
}

// answer carries out a request; the lock is held.
func (f *Fake) answer(q request) answer {
	switch q.path {
	case "sys/seal-status":
		return answer{status: 200, body: map[string]any{"type": "shamir", "initialized": true, "sealed": f.sealed, "t": 1, "n": 1, "progress": 0, "version": "1.21.1"}}
	case "sys/unseal":
		f.sealed = false
		return answer{status: 200, body: map[string]any{"sealed": false}}
	}
	if f.sealed {
		return fail(503, "Vault is sealed")
	}
	switch q.path {
	case "sys/wrapping/lookup", "sys/wrapping/unwrap":
		return f.unwrap(q)
	}
	if mount, ok := strings.CutSuffix(q.path, "/login"); ok && f.mounts[mount+"/"] == "approle" {
		return f.login(q, mount)
	}
	t := f.tokens[q.token]
	if t == nil || !t.ends.IsZero() && !f.now().Before(t.ends) {
		return badToken()
	}
	if !f.allowed(t, q) {
		return denied()
	}
	switch {
	case strings.HasPrefix(q.path, "auth/token/"), strings.HasPrefix(q.path, "sys/"):
		return f.system(q, t)
	}
	for mount, kind := range f.mounts {
		rest, ok := strings.CutPrefix(q.path, mount)
		if !ok {
			continue
		}
		switch kind {
		case "transit":
			return f.transit(q, rest)
		case "kv":
			return f.kv(q, rest)
		case "approle":
			return f.approle(q, mount, rest)
		}
	}
	return fail(404, "no handler for route \""+q.path+"\". route entry not found.")
}

// needs is the capability that a request needs.
func (f *Fake) needs(q request) string {
	switch q.method {
	case http.MethodGet:
		return "read"
	case http.MethodDelete:
		return "delete"
	case "LIST":
		return "list"
	}
	if f.exists(q.path) {
		return "update"
	}
	return "create"
}

// allowed reports whether one of the token's policies lets a request through.
func (f *Fake) allowed(t *token, q request) bool {
	r := f.rule(t, q.path)
	if slices.Contains(r.caps, "root") {
		return true
	}
	if !slices.Contains(r.caps, f.needs(q)) {
		return false
	}
	if r.only == nil || q.method != http.MethodPost {
		return true
	}
	for name, v := range q.body {
		if want, ok := r.only[name]; !ok || fmt.Sprint(v) != want {
			return false
		}
	}
	return true
}

// rule is what a token may do at a path: the longest one decides.
func (f *Fake) rule(t *token, path string) (out rule) {
	if slices.Contains(t.policies, "root") {
		return rule{caps: []string{"root"}}
	}
	best := -1
	for _, name := range append(slices.Clone(t.policies), "default") {
		rules := f.policies[name]
		if name == "default" {
			rules = []rule{{path: "auth/token/lookup-self", caps: []string{"read"}}, {path: "auth/token/renew-self", caps: []string{"update"}},
				{path: "auth/token/revoke-self", caps: []string{"update"}}, {path: "sys/capabilities-self", caps: []string{"update"}}}
		}
		for _, r := range rules {
			prefix, glob := strings.CutSuffix(r.path, "*")
			n := len(prefix)
			if !glob {
				n++ // an exact rule goes before a glob of its length
			}
			if (path == r.path || glob && strings.HasPrefix(path, prefix)) && n > best {
				best, out = n, r
			}
		}
	}
	return out
}
