package world

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ostler/internal/acmelab"
)

// Ask is a kind of request to an authority.
type Ask string

// The kinds, by the paths that Pebble has for them.
const (
	AskDirectory   Ask = "/dir"
	AskNonce       Ask = "/nonce-plz"
	AskAccount     Ask = "/sign-me-up"
	AskMyAccount   Ask = "/my-account/"
	AskNewOrder    Ask = "/order-plz"
	AskOrder       Ask = "/my-order/"
	AskFinalize    Ask = "/finalize-order/"
	AskAuthz       Ask = "/authZ/"
	AskChallenge   Ask = "/chalZ/"
	AskCertificate Ask = "/certZ/"
	AskRevoke      Ask = "/revoke-cert"
	AskRollover    Ask = "/rollover-account-key"
	AskRenewal     Ask = "/draft-ietf-acme-ari-03/renewalInfo/"
)

var asks = []Ask{AskDirectory, AskNonce, AskAccount, AskMyAccount, AskNewOrder, AskOrder, AskFinalize, AskAuthz, AskChallenge, AskCertificate, AskRevoke, AskRollover, AskRenewal}

// Fault is what happens to requests of a kind in place of the authority's answer.
type Fault struct {
	Ask   Ask
	If    string // a part of what the request says ("maple.example"); "" is all of them
	Times int    // how many requests; 0 is until it is lifted
	// Hang gives no answer until the asker goes away. Otherwise Status, Header
	// and Body are the answer, or, where Rewrite is set, the authority is asked
	// and its answer changed.
	Hang    bool
	Status  int
	Header  map[string]string
	Body    string
	Rewrite func(body []byte) []byte
}

// RateLimited is a 429 with a Retry-After, as authorities say it.
func RateLimited(ask Ask, retryAfter, detail string) Fault {
	raw, _ := json.Marshal(map[string]any{"type": "urn:ietf:params:acme:error:rateLimited", "detail": detail, "status": 429}) // strings: it cannot fail
	return Fault{Ask: ask, Status: http.StatusTooManyRequests, Body: string(raw), Header: map[string]string{"Retry-After": retryAfter, "Content-Type": "application/problem+json"}}
}

// Unavailable is a 503 in plain text, as load balancers say it.
func Unavailable(ask Ask, retryAfter string) Fault {
	return Fault{Ask: ask, Status: http.StatusServiceUnavailable, Body: "Service busy; retry later.", Header: map[string]string{"Retry-After": retryAfter, "Content-Type": "text/plain"}}
}

// Asked is one request that came.
type Asked struct {
	Ask     Ask
	Path    string
	Payload string // what it says, decoded; "" for a question
	Status  int    // of the answer; 0 while there is none
}

// Faults stands before an authority: it counts, keeps and disturbs requests.
type Faults struct {
	Directory string

	mu      sync.Mutex
	faults  []*Fault
	holds   []*hold
	asked   []*Asked
	traffic bytes.Buffer
	proxy   *httputil.ReverseProxy
}

// hold keeps requests of a kind, or the answers to them.
type hold struct {
	ask     Ask
	after   bool
	reached chan struct{}
	open    chan struct{}
	once    sync.Once
}

func newFaults(t testing.TB, ca *acmelab.CA) *Faults {
	t.Helper()
	to, err := url.Parse(ca.Directory)
	if err != nil {
		t.Fatal(err)
	}
	to.Path = ""
	cert, err := tls.LoadX509KeyPair(ca.CertFile, ca.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	f := &Faults{proxy: &httputil.ReverseProxy{ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // the authority's links lead here
	}, Transport: &http.Transport{MaxIdleConnsPerHost: 64, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}} //nolint:gosec // it is on loopback, and ours
	srv := httptest.NewUnstartedServer(f)
	srv.Config.ErrorLog = quiet
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	f.Directory = srv.URL + string(AskDirectory)
	t.Cleanup(func() {
		f.OpenAll()
		srv.CloseClientConnections()
		srv.Close()
	})
	return f
}

// ServeHTTP passes a request on, or does to it what a test wants.
func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	a := &Asked{Ask: kind(r.URL.Path), Path: r.URL.Path, Payload: payload(body)}
	f.mu.Lock()
	f.asked = append(f.asked, a)
	f.traffic.Write(body)
	f.traffic.WriteString("\n" + a.Payload + "\n")
	f.mu.Unlock()
	if !f.wait(r, a.Ask, false) {
		return
	}
	rec := httptest.NewRecorder()
	switch fault := f.fault(a); {
	case fault == nil:
		f.proxy.ServeHTTP(rec, r)
	case fault.Hang:
		<-r.Context().Done()
		return
	case fault.Rewrite != nil:
		f.proxy.ServeHTTP(rec, r)
		changed := fault.Rewrite(rec.Body.Bytes())
		rec.Body = bytes.NewBuffer(changed)
		rec.Header().Set("Content-Length", strconv.Itoa(len(changed)))
	default:
		for k, v := range fault.Header {
			rec.Header().Set(k, v)
		}
		rec.WriteHeader(fault.Status)
		_, _ = rec.WriteString(fault.Body) // into memory
	}
	f.mu.Lock()
	a.Status = rec.Code
	f.traffic.Write(rec.Body.Bytes())
	f.mu.Unlock()
	if !f.wait(r, a.Ask, true) {
		return
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes()) // it may be gone
}

func kind(path string) Ask {
	for _, a := range asks {
		if path == string(a) || strings.HasSuffix(string(a), "/") && strings.HasPrefix(path, string(a)) {
			return a
		}
	}
	return Ask(path)
}

// payload is what a signed request says (RFC 7515).
func payload(body []byte) string {
	var jws struct{ Payload string }
	if json.Unmarshal(body, &jws) != nil {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(jws.Payload)
	if err != nil {
		return ""
	}
	return string(raw)
}

// fault is what is to happen to a request, nil where it passes.
func (f *Faults) fault(a *Asked) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, x := range f.faults {
		if x.Ask != a.Ask || !strings.Contains(a.Payload+" "+a.Path, x.If) {
			continue
		}
		if x.Times == 1 {
			f.faults = slices.Delete(f.faults, i, i+1)
		} else if x.Times > 1 {
			x.Times--
		}
		return x
	}
	return nil
}

func (f *Faults) wait(r *http.Request, ask Ask, after bool) bool {
	f.mu.Lock()
	holds := slices.Clone(f.holds)
	f.mu.Unlock()
	for _, h := range holds {
		if h.ask != ask || h.after != after {
			continue
		}
		h.once.Do(func() { close(h.reached) })
		select {
		case <-h.open:
		case <-r.Context().Done():
			return false
		}
	}
	return true
}

// Make adds a fault; lift takes it back.
func (f *Faults) Make(x Fault) (lift func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := &x
	f.faults = append(f.faults, one)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.faults = slices.DeleteFunc(f.faults, func(y *Fault) bool { return y == one })
	}
}

// Hold keeps every request of a kind before it reaches the authority, or, with
// after, its answer; the channel is closed when the first one has come.
func (f *Faults) Hold(ask Ask, after bool) (reached <-chan struct{}) {
	h := &hold{ask: ask, after: after, reached: make(chan struct{}), open: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holds = append(f.holds, h)
	return h.reached
}

// OpenAll lets go whatever is held.
func (f *Faults) OpenAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range f.holds {
		close(h.open)
	}
	f.holds = nil
}

// Count is how many requests of some kinds have come, of all kinds where none
// is named, that say a part (a name); "" is any.
func (f *Faults) Count(part string, kinds ...Ask) (n int) {
	for _, a := range f.Asked() {
		if (len(kinds) == 0 || slices.Contains(kinds, a.Ask)) && strings.Contains(a.Payload+" "+a.Path, part) {
			n++
		}
	}
	return n
}

// Asked are all requests that came, in their order.
func (f *Faults) Asked() []Asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Asked, len(f.asked))
	for i, a := range f.asked {
		all[i] = *a
	}
	return all
}

// Forget forgets the requests that came.
func (f *Faults) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = nil
}

// Traffic is all that went both ways, as it was and decoded.
func (f *Faults) Traffic() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.traffic.String()
}
