package preflight

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Without returns the authoritative servers that do not show value as a TXT of
// name; one that does not answer is one of them. No server: all of them show it.
// Errors: DNSError, ErrNoZone.
func (r *Resolver) Without(ctx context.Context, name, value string) ([]string, error) {
	lacking, silent, _, err := r.Look(ctx, name, value)
	return slices.Concat(lacking, silent), err
}

// Look asks every authoritative server of the zone of name for its TXT
// values. lacking are the servers that answered without value, silent those that
// did not answer, all is how many there are. Errors: DNSError, ErrNoZone.
func (r *Resolver) Look(ctx context.Context, name, value string) (lacking, silent []string, all int, err error) {
	servers, err := r.serversOf(ctx, name)
	if err != nil {
		return nil, nil, 0, err
	}
	lacks := make([]bool, len(servers))
	answered := make([]bool, len(servers))
	r.each(ctx, servers, name, dns.TypeTXT, func(i int, in *dns.Msg) {
		answered[i] = true
		lacks[i] = lacks[i] || !slices.Contains(texts(in.Answer), value)
	})
	for i, s := range servers {
		if !answered[i] {
			silent = append(silent, s.host)
		} else if lacks[i] {
			lacking = append(lacking, s.host)
		}
	}
	return lacking, silent, len(servers), nil
}

// serversOf returns the name servers of the zone that name is in.
func (r *Resolver) serversOf(ctx context.Context, name string) ([]authority, error) {
	if len(r.opts.Authorities) > 0 {
		return r.authorities(ctx, "")
	}
	zone, err := r.Zone(ctx, name)
	if err != nil {
		return nil, err
	}
	servers, err := r.authorities(ctx, zone)
	if err == nil && len(servers) == 0 {
		err = ErrNoZone
	}
	return servers, err
}

// each asks all addresses of all servers at once and hands over every answer
// that came, one server's one after another. A refusal is an answer too.
func (r *Resolver) each(ctx context.Context, servers []authority, name string, qtype uint16, got func(int, *dns.Msg)) {
	type reply struct {
		server int
		in     *dns.Msg
	}
	replies := make(chan reply)
	var g sync.WaitGroup
	for i, s := range servers {
		for _, addr := range s.addrs {
			g.Go(func() {
				in, err := r.exchange(ctx, addr, question(name, qtype, false))
				if err != nil { // once more: a packet may be lost
					in, err = r.exchange(ctx, addr, question(name, qtype, false))
				}
				if err == nil {
					replies <- reply{i, in}
				}
			})
		}
	}
	go func() {
		g.Wait()
		close(replies)
	}()
	for a := range replies {
		got(a.server, a.in)
	}
}

// texts are the values of TXT records; the parts of one are joined.
func texts(rrs []dns.RR) []string {
	var found []string
	for _, rr := range rrs {
		if t, ok := rr.(*dns.TXT); ok {
			found = append(found, strings.Join(t.Txt, ""))
		}
	}
	return found
}

// addresses are those of A and AAAA records, sorted.
func addresses(rrs []dns.RR) []netip.Addr {
	var found []netip.Addr
	for _, rr := range rrs {
		switch rr := rr.(type) {
		case *dns.A:
			if ip, ok := netip.AddrFromSlice(rr.A.To4()); ok {
				found = append(found, ip)
			}
		case *dns.AAAA:
			if ip, ok := netip.AddrFromSlice(rr.AAAA); ok {
				found = append(found, ip)
			}
		}
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found)
}

// list joins words for a sentence.
func list[T any](items []T, text func(T) string) string {
	var words []string
	for _, i := range items {
		words = append(words, text(i))
	}
	return cmp.Or(strings.Join(words, ", "), "none")
}
