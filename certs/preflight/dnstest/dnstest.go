// Package dnstest is a name server for tests and for the demo: authoritative for
// the records it was given, recursive over them for those who ask for recursion,
// and open to updates (RFC 2136) that are signed with one of its keys. It speaks
// real DNS over UDP and TCP on a loopback address, and fails where it is told to.
package dnstest

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Options configure a Server. The zero value listens on 127.0.0.1, any port.
type Options struct {
	Addr string // "127.0.0.2:5300"; port 0 is any free one
	// Keys are those that updates may be signed with: name to base64 secret. None:
	// updates need no signature.
	Keys map[string]string
}

// Server is a name server. All methods may be called while it answers.
type Server struct {
	addr    string
	servers []*dns.Server
	keys    map[string]string

	mu      sync.Mutex
	rrs     []dns.RR
	fails   map[question]int // to an rcode, silent or bogus
	asked   map[question]int
	updates int
}

// question is a name (lower case, with a dot) and a type; 0 stands for any.
type question struct {
	name  string
	qtype uint16
}

const (
	silent = -1
	bogus  = -2
)

// TB is what Start needs of *testing.T.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start runs a Server until the test ends.
func Start(tb TB, o Options) *Server {
	tb.Helper()
	s, err := Run(o)
	if err != nil {
		tb.Fatalf("dnstest: %v", err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Run starts a Server; Close ends it.
func Run(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	s := &Server{keys: o.Keys, fails: map[question]int{}, asked: map[question]int{}}
	tcp, udp, err := listen(o.Addr)
	if err != nil {
		return nil, err
	}
	s.addr = udp.LocalAddr().String()
	ready := make(chan struct{}, 2)
	for _, one := range []*dns.Server{{Listener: tcp}, {PacketConn: udp}} {
		one.Handler = dns.HandlerFunc(s.serve)
		one.TsigSecret = o.Keys
		one.MsgAcceptFunc = func(dh dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }
		one.NotifyStartedFunc = func() { ready <- struct{}{} }
		s.servers = append(s.servers, one)
		go func() { _ = one.ActivateAndServe() }() // ends with Close
	}
	<-ready
	<-ready
	return s, nil
}

// listen takes the same port of both protocols.
func listen(addr string) (net.Listener, net.PacketConn, error) {
	var last error
	for range 20 {
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return tcp, udp, nil
		}
		last = err
		tcp.Close()
	}
	return nil, nil, last
}

// Close stops the server.
func (s *Server) Close() {
	for _, one := range s.servers {
		_ = one.Shutdown()
	}
}

// Addr is where it listens: "127.0.0.1:41234", UDP and TCP.
func (s *Server) Addr() string { return s.addr }

// Port is the port of Addr.
func (s *Server) Port() int { return int(netip.MustParseAddrPort(s.addr).Port()) }

// Zone makes a zone with an SOA record and one name server, ns1 in the zone,
// which is this one.
func (s *Server) Zone(apex string) {
	apex = dns.Fqdn(apex)
	host, _, _ := net.SplitHostPort(s.addr)
	s.Add(
		fmt.Sprintf("%s 60 IN SOA ns1.%s hostmaster.%s 1 60 60 60 60", apex, apex, apex),
		fmt.Sprintf("%s 60 IN NS ns1.%s", apex, apex),
		fmt.Sprintf("ns1.%s 60 IN A %s", apex, host),
	)
}

// Add adds records as a zone file has them: "www.maple.example A 192.0.2.9". It
// panics on one that is none.
func (s *Server) Add(records ...string) {
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil || rr == nil {
			panic(fmt.Sprintf("dnstest: %q: %v", text, err))
		}
		s.mu.Lock()
		s.insert(rr)
		s.mu.Unlock()
	}
}

// Remove takes away the records of a name, of one type ("A") or of all ("").
func (s *Server) Remove(name, rrtype string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rrs = slices.DeleteFunc(s.rrs, func(rr dns.RR) bool {
		return lower(rr.Header().Name) == lower(name) && (rrtype == "" || rr.Header().Rrtype == dns.StringToType[rrtype])
	})
}

// Fail has questions for a name (and a type, "" for all) answered with an error:
// "SERVFAIL", "REFUSED"; "silent" for no answer, "bogus" for SERVFAIL to those who
// check DNSSEC, "" to answer again.
func (s *Server) Fail(name, rrtype, how string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := question{lower(name), dns.StringToType[rrtype]}
	switch how {
	case "":
		delete(s.fails, q)
	case "silent":
		s.fails[q] = silent
	case "bogus":
		s.fails[q] = bogus
	default:
		s.fails[q] = dns.StringToRcode[how]
	}
}

// Values are the TXT values of a name, sorted.
func (s *Server) Values(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for _, rr := range s.rrs {
		if t, ok := rr.(*dns.TXT); ok && lower(t.Hdr.Name) == lower(name) {
			found = append(found, strings.Join(t.Txt, ""))
		}
	}
	slices.Sort(found)
	return found
}

// Asked is how often a name was asked for a type.
func (s *Server) Asked(name, rrtype string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[question{lower(name), dns.StringToType[rrtype]}]
}

// Updates is how many updates were accepted.
func (s *Server) Updates() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updates
}

func lower(name string) string { return strings.ToLower(dns.Fqdn(name)) }
