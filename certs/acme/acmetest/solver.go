package acmetest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"ostler/certs/acme"
)

// Solver shows names by http-01, at one address for all.
type Solver struct {
	port int

	mu     sync.Mutex
	shown  map[string]*shown // by token
	broken map[string]bool
	held   map[string]bool
	free   chan struct{} // closed by Release
	deaf   bool
	hits   int
	open   int
	cleans int
}

type shown struct {
	challenge acme.Challenge
	hit       chan struct{}
}

func newSolver(t testing.TB) *Solver {
	t.Helper()
	s := &Solver{shown: make(map[string]*shown), broken: make(map[string]bool), held: make(map[string]bool), free: make(chan struct{})}
	srv := httptest.NewUnstartedServer(s)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	s.port = srv.Listener.Addr().(*net.TCPAddr).Port
	return s
}

// Port is where the authority looks.
func (s *Solver) Port() int { return s.port }

// Break has names answered wrongly.
func (s *Solver) Break(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		s.broken[n] = true
	}
}

// Hold has names answered only after Release.
func (s *Solver) Hold(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		s.held[n] = true
	}
}

// Release ends Hold, once.
func (s *Solver) Release() { close(s.free) }

// Deafen has hits not told any more.
func (s *Solver) Deafen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
}

// Hits is how often the authority looked.
func (s *Solver) Hits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// Open is how many challenges are presented and not cleaned.
func (s *Solver) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Present implements acme.Solver.
func (s *Solver) Present(ctx context.Context, c acme.Challenge) (<-chan struct{}, error) {
	if c.Type != acme.HTTP01 || c.Token == "" || !strings.HasPrefix(c.KeyAuth, c.Token+".") {
		return nil, errors.New("acmetest: not a challenge of http-01")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := &shown{challenge: c, hit: make(chan struct{}, 8)}
	s.shown[c.Token] = sh
	s.open++
	if s.deaf {
		return nil, ctx.Err()
	}
	return sh.hit, ctx.Err()
}

// Clean implements acme.Solver.
func (s *Solver) Clean(_ context.Context, c acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shown, c.Token)
	s.open--
	s.cleans++
	return nil
}

// ServeHTTP answers the authority.
func (s *Solver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.URL.Path, "/.well-known/acme-challenge/")
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	s.mu.Lock()
	sh := s.shown[token]
	wrong, held := s.broken[host], s.held[host]
	s.hits++
	s.mu.Unlock()
	if held {
		select {
		case <-s.free:
		case <-r.Context().Done():
		}
	}
	if sh == nil || sh.challenge.Name != host || wrong {
		http.NotFound(w, r)
	} else {
		_, _ = io.WriteString(w, sh.challenge.KeyAuth)
	}
	if sh != nil {
		select {
		case sh.hit <- struct{}{}:
		default:
		}
	}
}

// DNS answers every question for an address with 127.0.0.1, and for a text with
// those that stand there. It shows names by dns-01, too.
type DNS struct {
	addr string

	mu    sync.Mutex
	texts map[string]string
}

func newDNS(t testing.TB) *DNS {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	d := &DNS{addr: l.Addr().String(), texts: make(map[string]string)}
	srv := &dns.Server{Listener: l, Handler: d}
	go func() { _ = srv.ActivateAndServe() }()
	t.Cleanup(func() { _ = l.Close() })
	return d
}

// ServeDNS answers one question.
func (d *DNS) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	for _, question := range q.Question {
		head := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET}
		switch question.Qtype {
		case dns.TypeA:
			m.Answer = append(m.Answer, &dns.A{Hdr: head, A: net.IPv4(127, 0, 0, 1)})
		case dns.TypeTXT:
			d.mu.Lock()
			text, ok := d.texts[question.Name]
			d.mu.Unlock()
			if ok {
				m.Answer = append(m.Answer, &dns.TXT{Hdr: head, Txt: []string{text}})
			}
		}
	}
	_ = w.WriteMsg(m)
}

// Present implements acme.Solver, by dns-01.
func (d *DNS) Present(_ context.Context, c acme.Challenge) (<-chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.texts["_acme-challenge."+c.Name+"."] = digest(c.KeyAuth)
	return nil, nil
}

// Clean implements acme.Solver.
func (d *DNS) Clean(_ context.Context, c acme.Challenge) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.texts, "_acme-challenge."+c.Name+".")
	return nil
}
