package world

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Gate stands before a store, with the store's own certificate. A test closes
// it for some requests, so that what makes them is in the middle for sure.
type Gate struct {
	URL string

	mu   sync.Mutex
	shut []*bar
}

// bar holds up the requests that it matches.
type bar struct {
	match   func(*http.Request) bool
	reached chan struct{}
	open    chan struct{}
	once    sync.Once
}

// NewGate opens a gate before a store.
func NewGate(t testing.TB, s *Store) *Gate {
	t.Helper()
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	g := &Gate{}
	proxy := &httputil.ReverseProxy{ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it is on loopback, and ours
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.wait(r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	srv.Config.ErrorLog = quiet
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	g.URL = srv.URL
	t.Cleanup(func() {
		g.Open()
		srv.CloseClientConnections()
		srv.Close()
	})
	return g
}

// wait holds a request up while a bar is down for it; false where its sender went away.
func (g *Gate) wait(r *http.Request) bool {
	g.mu.Lock()
	bars := append([]*bar(nil), g.shut...)
	g.mu.Unlock()
	for _, b := range bars {
		if !b.match(r) {
			continue
		}
		b.once.Do(func() { close(b.reached) })
		select {
		case <-b.open:
		case <-r.Context().Done():
			return false
		}
	}
	return true
}

// Shut holds up every request of a method whose path has a part ("/data/"), and
// returns a channel that is closed when the first one has come.
func (g *Gate) Shut(method, part string) (reached <-chan struct{}) {
	b := &bar{reached: make(chan struct{}), open: make(chan struct{}), match: func(r *http.Request) bool {
		return r.Method == method && strings.Contains(r.URL.Path, part)
	}}
	g.mu.Lock()
	g.shut = append(g.shut, b)
	g.mu.Unlock()
	return b.reached
}

// Open lets everything through.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.shut {
		close(b.open)
	}
	g.shut = nil
}
