package acmetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// The paths of Pebble.
const (
	PathDirectory  = "/dir"
	PathNonce      = "/nonce-plz"
	PathNewAccount = "/sign-me-up"
	PathAccount    = "/my-account/"
	PathNewOrder   = "/order-plz"
	PathOrders     = "/list-orderz/"
	PathOrder      = "/my-order/"
	PathFinalize   = "/finalize-order/"
	PathAuthz      = "/authZ/"
	PathChallenge  = "/chalZ/"
	PathCert       = "/certZ/"
	PathRenewal    = "/draft-ietf-acme-ari-03/renewalInfo/"
)

// Proxy stands before an authority: it counts what is asked, and makes faults.
type Proxy struct {
	next http.Handler

	mu     sync.Mutex
	faults []*fault
	counts map[string]int
}

// A Fault answers in the authority's place, or by it: next is the way to it.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

type fault struct {
	path string
	left int // how often still; negative for ever
	fn   Fault
}

// NewProxy stands before a handler: that of Reverse, or one in this process.
func NewProxy(next http.Handler) *Proxy {
	return &Proxy{next: next, counts: make(map[string]int)}
}

// Reverse leads to an authority elsewhere ("https://127.0.0.1:14000"), by a
// transport that trusts it. The Host stays as it was asked for, so that the
// authority's URLs lead back through the proxy.
func Reverse(target string, transport http.RoundTripper) (http.Handler, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("acmetest: %w", err)
	}
	return &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}, nil
}

// On makes a fault of the next times (for ever where negative) that a path is
// asked for. A path that ends in / is a prefix. The latest fault goes first.
func (p *Proxy) On(path string, times int, fn Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &fault{path: path, left: times, fn: fn})
}

// Heal ends all faults.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Count is how often a path (or all below one that ends in /) was asked for.
func (p *Proxy) Count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for asked, times := range p.counts {
		if matches(path, asked) {
			n += times
		}
	}
	return n
}

// Asked are the paths that were asked for, and how often.
func (p *Proxy) Asked() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Total is how many requests there were.
func (p *Proxy) Total() int { return p.Count("/") }

func matches(path, asked string) bool {
	return asked == path || strings.HasSuffix(path, "/") && strings.HasPrefix(asked, path)
}

// ServeHTTP counts, and answers by the latest fault that fits.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fn := p.take(r.URL.Path); fn != nil {
		fn(w, r, p.next)
		return
	}
	p.next.ServeHTTP(w, r)
}

func (p *Proxy) take(path string) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[path]++
	for _, f := range slices.Backward(p.faults) {
		if f.left == 0 || !matches(f.path, path) {
			continue
		}
		f.left--
		return f.fn
	}
	return nil
}

// Answer is a Fault: one answer, without the authority. Headers are pairs.
func Answer(status int, contentType, body string, headers ...string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// Problem is a Fault: a problem document (RFC 8555, 6.7); typ without its prefix.
func Problem(status int, typ, detail string, headers ...string) Fault {
	raw, _ := json.Marshal(map[string]any{"type": "urn:ietf:params:acme:error:" + typ, "detail": detail, "status": status}) // strings: it cannot fail
	return Answer(status, "application/problem+json", string(raw), headers...)
}

// Edit is a Fault: the authority's own answer, where it is a JSON object, after
// a change. The header may be changed too.
func Edit(change func(doc map[string]any, header http.Header)) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		var doc map[string]any
		if json.Unmarshal(body, &doc) == nil {
			change(doc, rec.Header())
			body, _ = json.Marshal(doc) // it was JSON before
		}
		maps.Copy(w.Header(), rec.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(body)
	}
}

// Drop is a Fault: the authority does it, and the answer is lost.
func Drop(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// Hang is a Fault: no answer, until the asker gives up.
func Hang(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// Payload reads what a signed request asks for into v, and leaves the request
// as it was.
func Payload(r *http.Request, v any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var jws struct{ Payload string }
	if err := json.Unmarshal(body, &jws); err != nil {
		return err
	}
	raw, err := base64.RawURLEncoding.DecodeString(jws.Payload)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}
