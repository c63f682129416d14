// Package preflight finds out all that can be known about an order before a CA
// is asked, and asks no CA. It keeps true that each thing it finds has a code of
// a closed list, that each code has one sentence that says what to change, and
// that a check ends within its bound whatever the name servers do.
//
// What is looked at depends on the way a name is shown to be ours:
//
//	http-agent, http-redirect   A and AAAA, their CNAMEs, CAA, a fetch on port 80 at every address
//	dns                         CAA, the zone's name servers, what stands at _acme-challenge
//	dns-delegated               CAA, that _acme-challenge leads to its target, the target's name servers
//
// Where a name's addresses point does not matter for the last two: they are for
// sites that live elsewhere still.
package preflight

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ostler/controlplane"
)

// Way is how a CA is shown that a name is ours. The words are those of
// certs.Challenge.
type Way string

// The ways.
const (
	WayAgent    Way = "http-agent"    // http-01, answered on the server itself
	WayRedirect Way = "http-redirect" // http-01, redirected by the site to the control plane
	WayDNS      Way = "dns"           // dns-01 in the customer's zone
	WayDelegate Way = "dns-delegated" // dns-01 in our zone, by a CNAME of _acme-challenge
)

// Valid reports whether w is a known way.
func (w Way) Valid() bool {
	return w == WayAgent || w == WayRedirect || w == WayDNS || w == WayDelegate
}

// method is the ACME challenge of a way, as CAA's validationmethods name it.
func (w Way) method() string {
	if w == WayAgent || w == WayRedirect {
		return "http-01"
	}
	return "dns-01"
}

// Options configure a Checker. The zero value asks the system's resolvers.
type Options struct {
	// Resolver answers questions to the DNS; nil makes one of the system's.
	Resolver *Resolver
	// HTTPPort is where http-01 is answered, HTTPSPort where a redirect to https
	// leads; 0 means 80 and 443. A CA knows no others: these are for tests and for
	// a CA of one's own.
	HTTPPort, HTTPSPort int
	// Private lets names point to private and loopback addresses: a CA inside
	// the same network, a demo, a test. The Resolver may then ask such name
	// servers too.
	Private bool
	// HTTPTimeout is the longest that one fetch may take; 0 means 5 s.
	HTTPTimeout time.Duration
	// Bound is the longest that a whole Check may take; 0 means 30 s.
	Bound time.Duration
	// Parallel is how many names are looked at at a time; 0 means 16.
	Parallel int
}

// Request is what an order would be for.
type Request struct {
	Names []string // DNS names ("*." first where it is a wildcard) and IP addresses
	Way   Way
	// Server are the addresses of the server; none: they are not compared.
	Server []netip.Addr
	// Identities are the names by which CAA records allow the CA
	// ("letsencrypt.org", from the directory's caaIdentities); none: what CAA
	// records allow is not judged, only whether they can be looked up.
	Identities []string
	// Account is the URL of our account at the CA; "" before there is one.
	Account string
	// Probe is fetched at each address for the two http ways; nil: it is not.
	Probe *Probe
	// Targets are where _acme-challenge.{name} must lead, by name without "*.",
	// for WayDelegate.
	Targets map[string]string
}

// Probe is a challenge that no CA asked for.
type Probe struct {
	Token  string // as it stands in the path
	Answer string // the body that shows that the right server answered
	// Plane is the base URL that WayRedirect must lead to ("https://plane.example").
	Plane string
}

// Problem is one thing found. Sentence says it in words.
type Problem struct {
	Name   string            `json:"name"` // as in Request.Names
	Code   Code              `json:"code"`
	Args   map[string]string `json:"args,omitempty"` // fill the sentence
	Detail string            `json:"detail,omitempty"`
	// Fatal says that the CA would refuse: do not ask it.
	Fatal bool `json:"fatal"`
}

// Bounds of what a problem quotes, in characters: name servers, web servers and
// records are those of strangers.
const (
	maxArg    = 300
	maxDetail = 1000
)

// tidy makes what was quoted fit for people's eyes and terminals.
func (p *Problem) tidy() {
	p.Detail = controlplane.Line(p.Detail, maxDetail)
	for k, v := range p.Args {
		p.Args[k] = controlplane.Line(v, maxArg)
	}
}

// Checker looks at names. It keeps nothing between two checks and may be used by
// many at once.
type Checker struct {
	opts     Options
	resolver *Resolver
}

// New returns a Checker. Errors: those of NewResolver, where no Resolver is given.
func New(o Options) (*Checker, error) {
	if o.Resolver == nil {
		r, err := NewResolver(ResolverOptions{})
		if err != nil {
			return nil, err
		}
		o.Resolver = r
	}
	if o.Private {
		o.Resolver.private.Store(true)
	}
	o.HTTPPort, o.HTTPSPort = cmp.Or(o.HTTPPort, 80), cmp.Or(o.HTTPSPort, 443)
	o.HTTPTimeout, o.Bound = cmp.Or(o.HTTPTimeout, 5*time.Second), cmp.Or(o.Bound, 30*time.Second)
	o.Parallel = cmp.Or(o.Parallel, 16)
	return &Checker{opts: o, resolver: o.Resolver}, nil
}

// Check looks at all names at once and returns what it found: what is fatal
// first, then in the order of the names. None means: the CA may be asked. It
// never fails: what could not be found out is a problem too, so look at
// ctx.Err() before believing a result.
func (c *Checker) Check(ctx context.Context, r Request) []Problem {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Bound)
	defer cancel()
	found := make([][]Problem, len(r.Names))
	var g errgroup.Group
	g.SetLimit(c.opts.Parallel)
	for i, name := range r.Names {
		g.Go(func() error {
			found[i] = c.name(ctx, r, name)
			for j := range found[i] {
				found[i][j].tidy()
			}
			return nil
		})
	}
	_ = g.Wait() // no function of it fails
	all := slices.Concat(found...)
	slices.SortStableFunc(all, func(a, b Problem) int {
		switch {
		case a.Fatal == b.Fatal:
			return 0
		case a.Fatal:
			return -1
		}
		return 1
	})
	return all
}

// name looks at one name.
func (c *Checker) name(ctx context.Context, r Request, name string) []Problem {
	http := r.Way.method() == "http-01"
	if ip, err := netip.ParseAddr(name); err == nil {
		if !http {
			return []Problem{{Name: name, Code: AddressHTTP, Fatal: true, Args: map[string]string{}}}
		}
		return c.byAddress(ctx, r, name, []netip.Addr{ip}, nil)
	}
	if why := badName(name); why != "" {
		return []Problem{{Name: name, Code: BadName, Fatal: true, Args: map[string]string{}, Detail: why}}
	}
	if http && strings.HasPrefix(name, "*.") {
		return []Problem{{Name: name, Code: WildcardDNS, Fatal: true, Args: map[string]string{}}}
	}
	var byCAA, byWay []Problem
	var g sync.WaitGroup
	g.Go(func() { byCAA = c.caa(ctx, r, name) })
	g.Go(func() {
		if http {
			byWay = c.reach(ctx, r, name)
		} else {
			byWay = c.challenge(ctx, r, name)
		}
	})
	g.Wait()
	return slices.Concat(byWay, byCAA)
}

// badName returns what is wrong with a name, "" where nothing is. Names come in
// as A-labels (RFC 5890) in lower case.
func badName(name string) string {
	base := strings.TrimPrefix(name, "*.")
	if len(base) > 253 {
		return "longer than 253 characters"
	}
	labels := strings.Split(base, ".")
	if len(labels) < 2 {
		return "one label only: no public CA issues for it"
	}
	for _, l := range labels {
		switch {
		case l == "":
			return "an empty label"
		case len(l) > 63:
			return "a label longer than 63 characters"
		case l[0] == '-' || l[len(l)-1] == '-':
			return "a label begins or ends with a hyphen"
		case strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			return "a character other than a-z, 0-9 and hyphen"
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "the last label is a number"
	}
	return ""
}

// Stops reports whether any of the problems is fatal, and returns the first that is.
func Stops(ps []Problem) (Problem, bool) {
	for _, p := range ps {
		if p.Fatal {
			return p, true
		}
	}
	return Problem{}, false
}
