package preflight

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"ostler/controlplane"
)

// maxAddresses is how many addresses of a name are fetched from.
const maxAddresses = 8

// reach finds the addresses of a name and looks whether the server answers there.
func (c *Checker) reach(ctx context.Context, r Request, name string) []Problem {
	var four, six answer
	var err4, err6 error
	var g sync.WaitGroup
	g.Go(func() { four, err4 = c.resolver.lookup(ctx, name, dns.TypeA) })
	g.Go(func() { six, err6 = c.resolver.lookup(ctx, name, dns.TypeAAAA) })
	g.Wait()
	found := slices.Concat(addresses(four.rrs), addresses(six.rrs))
	if len(found) == 0 {
		return []Problem{noAddress(r, name, four, six, errors.Join(err4, err6))}
	}
	var problems []Problem
	for _, err := range []error{err4, err6} {
		if err != nil { // the other kind has addresses: a CA goes on with those
			problems = append(problems, failed(name, err, false))
		}
	}
	chain := four.chain
	if len(six.chain) > len(chain) {
		chain = six.chain
	}
	return append(problems, c.byAddress(ctx, r, name, found, chain)...)
}

// noAddress says why there is nowhere to go.
func noAddress(r Request, name string, four, six answer, err error) Problem {
	if err != nil {
		return failed(name, err, true)
	}
	p := Problem{Name: name, Code: NoAddress, Fatal: true, Args: map[string]string{"server": serverWords(r.Server)}}
	chain := four.chain
	p.Args["target"], p.Detail = chain[len(chain)-1], strings.Join(chain, " -> ")
	switch {
	case four.missing && six.missing && len(chain) > 1:
		p.Code = CNAMEDangling
	case four.missing && six.missing:
		p.Code = NoName
	}
	return p
}

// failed is a DNS failure as a problem.
func failed(name string, err error, fatal bool) Problem {
	var loop *LoopError
	var e *DNSError
	p := Problem{Name: name, Code: DNSTimeout, Fatal: fatal, Detail: err.Error(), Args: map[string]string{"type": "records"}}
	if errors.As(err, &e) {
		p.Args["type"], p.Args["error"] = e.Type, e.Rcode
		switch {
		case e.DNSSEC:
			p.Code = DNSSEC
		case e.Rcode != "":
			p.Code = DNSFailed
		}
	}
	if errors.As(err, &loop) {
		p.Code, p.Args["chain"] = CNAMELoop, strings.Join(loop.Chain, " -> ")
	}
	return p
}

// byAddress compares addresses with those of the server and fetches the probe
// from each. One that leads elsewhere and still gives the right answer (a proxy
// before the server) is worth a word, not a stop.
func (c *Checker) byAddress(ctx context.Context, r Request, name string, found []netip.Addr, chain []string) []Problem {
	var problems []Problem
	args := map[string]string{"server": serverWords(r.Server), "addresses": list(found, netip.Addr.String)}
	detail := ""
	if len(chain) > 1 {
		detail = strings.Join(chain, " -> ")
	}
	if !c.opts.Private {
		if hidden := slices.DeleteFunc(slices.Clone(found), controlplane.PublicAddress); len(hidden) > 0 {
			args["private"] = list(hidden, netip.Addr.String)
			return []Problem{{Name: name, Code: PrivateAddr, Fatal: true, Args: args, Detail: detail}}
		}
	}
	elsewhere := func(ip netip.Addr) bool { return len(r.Server) > 0 && !slices.Contains(r.Server, ip) }
	outcomes := c.probeAll(ctx, r, name, found)
	for _, six := range []bool{false, true} {
		var others []netip.Addr
		var why *outcome
		for i, ip := range found {
			if ip.Is6() == six && elsewhere(ip) {
				others = append(others, ip)
				if i < len(outcomes) && outcomes[i].code != "" {
					why = &outcomes[i]
				}
			}
		}
		if len(others) > 0 {
			problems = append(problems, other(name, six, others, r, args, detail, why))
		}
	}
	for i, o := range outcomes {
		if o.code == "" || elsewhere(found[i]) {
			continue
		}
		problems = append(problems, o.problem(name, found[i], r, spared(o, found[i], found, outcomes)))
	}
	return problems
}

// other is an address record that leads elsewhere: fatal where the probe failed
// there, or where there was none.
func other(name string, six bool, others []netip.Addr, r Request, args map[string]string, detail string, why *outcome) Problem {
	p := Problem{Name: name, Code: OtherA, Fatal: why != nil || r.Probe == nil, Detail: detail, Args: map[string]string{"type": "A"}}
	same := netip.Addr.Is4
	if six {
		p.Code, p.Args["type"], same = OtherAAAA, "AAAA", netip.Addr.Is6
	}
	for k, v := range args {
		p.Args[k] = v
	}
	p.Args["others"] = list(others, netip.Addr.String)
	kind := slices.DeleteFunc(slices.Clone(r.Server), func(ip netip.Addr) bool { return !same(ip) })
	p.Args["change"] = "Remove its " + p.Args["type"] + " record"
	if len(kind) > 0 {
		p.Args["change"] = "Change its " + p.Args["type"] + " record to " + serverWords(kind) + ", or remove it"
	}
	if why != nil {
		p.Detail = strings.TrimPrefix(p.Detail+"; "+why.detail, "; ")
	}
	return p
}

// spared reports whether a failure does not stop a CA: an IPv6 address without a
// connection, while every IPv4 address answers as it should.
func spared(o outcome, ip netip.Addr, found []netip.Addr, all []outcome) bool {
	if o.code == HTTPUnchecked {
		return true
	}
	if !ip.Is6() || (o.code != HTTPRefused && o.code != HTTPTimeout) {
		return false
	}
	fours := 0
	for i := range all {
		if found[i].Is4() {
			fours++
			if all[i].code != "" {
				return false
			}
		}
	}
	return fours > 0
}

// serverWords are the server's addresses in a sentence.
func serverWords(server []netip.Addr) string {
	if len(server) == 0 {
		return "the address of its server"
	}
	return list(server, netip.Addr.String)
}
