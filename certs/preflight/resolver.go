package preflight

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"ostler/controlplane"
)

// maxHops is how many CNAMEs are followed; resolvers give up at about as many.
const maxHops = 16

// ResolverOptions configure a Resolver. The zero value asks the system's
// resolvers and the zones' own name servers on port 53.
type ResolverOptions struct {
	// Servers are recursive resolvers ("127.0.0.53:53"), asked in turn until one
	// answers; none: those of /etc/resolv.conf, or the local one.
	Servers []string
	// Authorities stand in for every zone's own name servers ("127.0.0.1:8053"):
	// for tests, and where port 53 to the outside is closed.
	Authorities []string
	// Port is where a zone's own name servers are asked; 0 means 53.
	Port int
	// Timeout is how long one server has for one answer; 0 means 3 s.
	Timeout time.Duration
	// Private lets zones have name servers at private and loopback addresses; the
	// option of a Checker does so too. Whoever has a zone names its servers, and
	// would have us ask around in our own network otherwise.
	Private bool
}

// Bounds of a zone's name servers: zones have up to 13, and whoever has one
// could name a crowd of strangers that would all be asked.
const (
	maxServers     = 16
	maxServerAddrs = 4 // of each, of each kind
)

// Resolver asks the DNS. It keeps no cache: what is checked is what is there
// now. It may be used by many at once.
type Resolver struct {
	opts    ResolverOptions
	private atomic.Bool
}

// local is asked where the system names no resolver, as libc does.
const local = "127.0.0.1:53"

// NewResolver returns a Resolver; an error where an address has no port.
func NewResolver(o ResolverOptions) (*Resolver, error) {
	if len(o.Servers) == 0 {
		conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("preflight: the system's resolvers: %w", err)
		}
		if err == nil {
			for _, s := range conf.Servers {
				o.Servers = append(o.Servers, net.JoinHostPort(s, conf.Port))
			}
		}
	}
	if len(o.Servers) == 0 {
		o.Servers = []string{local}
	}
	for _, s := range slices.Concat(o.Servers, o.Authorities) {
		if _, _, err := net.SplitHostPort(s); err != nil {
			return nil, fmt.Errorf("preflight: resolver %q: host:port is wanted: %w", s, err)
		}
	}
	if o.Port == 0 {
		o.Port = 53
	}
	if o.Timeout <= 0 {
		o.Timeout = 3 * time.Second
	}
	r := &Resolver{opts: o}
	r.private.Store(o.Private)
	return r, nil
}

// A DNSError is an answer that says nothing about the name: the servers failed.
type DNSError struct {
	Name, Type string
	Server     string // the last one asked
	Rcode      string // "SERVFAIL"; "" where none answered in time
	// DNSSEC says that there is an answer for those who do not check signatures.
	DNSSEC bool
	Err    error // why there was no answer
}

// Error says what was asked, of whom, and what came back.
func (e *DNSError) Error() string {
	if e.Rcode != "" {
		return fmt.Sprintf("%s %s: %s says %s", e.Type, e.Name, e.Server, e.Rcode)
	}
	return fmt.Sprintf("%s %s: %s: %v", e.Type, e.Name, e.Server, e.Err)
}

// Unwrap returns why there was no answer.
func (e *DNSError) Unwrap() error { return e.Err }

// A LoopError is a chain of CNAMEs without an end.
type LoopError struct{ Chain []string }

// Error shows the chain.
func (e *LoopError) Error() string { return "CNAME loop: " + strings.Join(e.Chain, " -> ") }

// exchange asks one server, over TCP where the answer does not fit.
func (r *Resolver) exchange(ctx context.Context, server string, m *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	c := &dns.Client{Net: "udp", Timeout: r.opts.Timeout}
	in, _, err := c.ExchangeContext(ctx, m, server)
	if err == nil && in.Truncated {
		c.Net = "tcp"
		in, _, err = c.ExchangeContext(ctx, m, server)
	}
	if err == nil && !answers(in, m) {
		return nil, errOtherQuestion
	}
	return in, err
}

// errOtherQuestion is an answer to something else than was asked: forged, or of
// a server that is broken.
var errOtherQuestion = errors.New("the answer is not to what was asked")

// answers reports whether in is about the question of m. A failure may leave the
// question out (RFC 5625, 4.3.2 tells of such servers).
func answers(in, m *dns.Msg) bool {
	if len(in.Question) == 0 {
		return in.Rcode != dns.RcodeSuccess && in.Rcode != dns.RcodeNameError
	}
	got, want := in.Question[0], m.Question[0]
	return in.Response && len(in.Question) == 1 && got.Qtype == want.Qtype && got.Qclass == want.Qclass && strings.EqualFold(got.Name, want.Name)
}

func question(name string, qtype uint16, recurse bool) *dns.Msg {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	m.RecursionDesired = recurse
	m.SetEdns0(1232, false)
	return m
}

// ask asks the resolvers in turn, twice around (a UDP packet may be lost), until
// one gives an answer that says something about the name.
func (r *Resolver) ask(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	failure := &DNSError{Name: name, Type: dns.TypeToString[qtype]}
	for round := range 2 {
		for _, server := range r.opts.Servers {
			if round > 0 && failure.Rcode != "" { // it was answered: asking again would not change it
				failure.DNSSEC = r.unsigned(ctx, failure.Server, name, qtype)
				return nil, failure
			}
			in, err := r.exchange(ctx, server, question(name, qtype, true))
			switch {
			case err != nil:
				if failure.Rcode == "" {
					failure.Server, failure.Err = server, err
				}
			case in.Rcode == dns.RcodeSuccess, in.Rcode == dns.RcodeNameError:
				return in, nil
			default:
				failure.Server, failure.Rcode = server, dns.RcodeToString[in.Rcode]
			}
			if ctx.Err() != nil {
				return nil, failure
			}
		}
	}
	return nil, failure
}

// unsigned reports whether a server that fails gives an answer when it is told
// not to check signatures (RFC 4035, 3.2.2).
func (r *Resolver) unsigned(ctx context.Context, server, name string, qtype uint16) bool {
	q := question(name, qtype, true)
	q.CheckingDisabled = true
	in, err := r.exchange(ctx, server, q)
	return err == nil && (in.Rcode == dns.RcodeSuccess || in.Rcode == dns.RcodeNameError)
}

// An answer is what a name has of one type.
type answer struct {
	chain   []string // the name, and what its CNAMEs lead to
	rrs     []dns.RR // of the type asked for, at the end of the chain
	missing bool     // the end of the chain does not exist (NXDOMAIN)
}

// lookup asks for one type at a name and at what its CNAMEs lead to. Errors:
// DNSError, LoopError.
func (r *Resolver) lookup(ctx context.Context, name string, qtype uint16) (answer, error) {
	a := answer{chain: []string{clean(name)}}
	for len(a.chain) <= maxHops {
		at := a.chain[len(a.chain)-1]
		in, err := r.ask(ctx, at, qtype)
		if err != nil {
			return a, r.loopOf(ctx, name, err)
		}
		before := len(a.chain)
		if loop := a.walk(in); loop != nil {
			return a, loop
		}
		a.missing = in.Rcode == dns.RcodeNameError
		if len(a.rrs) > 0 || a.missing || len(a.chain) == before {
			return a, nil
		}
	}
	return a, &LoopError{a.chain}
}

// walk follows the CNAMEs of one answer and takes the records at their end.
func (a *answer) walk(in *dns.Msg) error {
	qtype := in.Question[0].Qtype
	for {
		at := a.chain[len(a.chain)-1]
		next := ""
		for _, rr := range in.Answer {
			if clean(rr.Header().Name) != at {
				continue
			}
			if rr.Header().Rrtype == qtype {
				a.rrs = append(a.rrs, rr)
			} else if c, ok := rr.(*dns.CNAME); ok {
				next = clean(c.Target)
			}
		}
		if next == "" || len(a.rrs) > 0 {
			return nil
		}
		loops := slices.Contains(a.chain, next)
		a.chain = append(a.chain, next)
		if loops || len(a.chain) > maxHops {
			return &LoopError{a.chain}
		}
	}
}

// loopOf tells a loop from other failures: resolvers say SERVFAIL for both.
func (r *Resolver) loopOf(ctx context.Context, name string, err error) error {
	var failure *DNSError
	var loop *LoopError
	if errors.As(err, &failure) && failure.Rcode != "" {
		if _, again := r.Follow(ctx, name); errors.As(again, &loop) {
			return loop
		}
	}
	return err
}

// Follow returns name and all that its CNAMEs lead to, in order; the last is
// where records are. Names are lower case without a dot at the end. A name that
// does not exist is followed as far as it leads. Errors: DNSError, LoopError.
func (r *Resolver) Follow(ctx context.Context, name string) ([]string, error) {
	chain := []string{clean(name)}
	for len(chain) <= maxHops {
		at := chain[len(chain)-1]
		in, err := r.ask(ctx, at, dns.TypeCNAME)
		if err != nil {
			return chain, err
		}
		next := ""
		for _, rr := range in.Answer {
			if c, ok := rr.(*dns.CNAME); ok && clean(c.Hdr.Name) == at {
				next = clean(c.Target)
			}
		}
		if next == "" {
			return chain, nil
		}
		loops := slices.Contains(chain, next)
		chain = append(chain, next)
		if loops {
			return chain, &LoopError{chain}
		}
	}
	return chain, &LoopError{chain}
}

// ErrNoZone says that no zone but the root has the name.
var ErrNoZone = errors.New("no zone has this name")

// Zone returns the apex of the zone that name is in ("maple.example"). Errors:
// DNSError, ErrNoZone.
func (r *Resolver) Zone(ctx context.Context, name string) (string, error) {
	name = clean(name)
	for _, i := range dns.Split(dns.Fqdn(name)) {
		at := name[i:]
		in, err := r.ask(ctx, at, dns.TypeSOA)
		if err != nil {
			return "", err
		}
		alias := slices.ContainsFunc(in.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeCNAME })
		for _, rr := range slices.Concat(in.Answer, in.Ns) {
			owner := clean(rr.Header().Name)
			if rr.Header().Rrtype == dns.TypeSOA && !alias && owner != "" && within(name, owner) {
				return owner, nil
			}
		}
	}
	return "", ErrNoZone
}

// An authority is one name server of a zone and where it is reached.
type authority struct {
	host  string
	addrs []string // host:port
}

// authorities returns the zone's name servers.
func (r *Resolver) authorities(ctx context.Context, zone string) ([]authority, error) {
	if len(r.opts.Authorities) > 0 {
		var found []authority
		for _, a := range r.opts.Authorities {
			found = append(found, authority{a, []string{a}})
		}
		return found, nil
	}
	ns, err := r.lookup(ctx, zone, dns.TypeNS)
	if err != nil {
		return nil, err
	}
	var found []authority
	for _, rr := range ns.rrs[:min(len(ns.rrs), maxServers)] {
		a := authority{host: clean(rr.(*dns.NS).Ns)}
		for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
			got, err := r.lookup(ctx, a.host, t)
			if err != nil {
				continue // it counts as a server that does not answer
			}
			at := addresses(got.rrs)
			if !r.private.Load() {
				at = slices.DeleteFunc(at, func(ip netip.Addr) bool { return !controlplane.PublicAddress(ip) })
			}
			for _, ip := range at[:min(len(at), maxServerAddrs)] {
				a.addrs = append(a.addrs, net.JoinHostPort(ip.String(), strconv.Itoa(r.opts.Port)))
			}
		}
		found = append(found, a)
	}
	return found, nil
}

// clean is how names are compared: lower case, no dot at the end.
func clean(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// within reports whether name is zone or below it.
func within(name, zone string) bool {
	return name == zone || strings.HasSuffix(name, "."+zone)
}
