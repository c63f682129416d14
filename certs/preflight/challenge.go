package preflight

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// challenge looks at _acme-challenge of a name for the two ways of dns-01.
func (c *Checker) challenge(ctx context.Context, r Request, name string) []Problem {
	base := strings.TrimPrefix(name, "*.")
	record := "_acme-challenge." + base
	at, err := c.resolver.lookup(ctx, record, dns.TypeTXT)
	if err != nil {
		return []Problem{failed(name, err, true)}
	}
	chain := at.chain
	end := chain[len(chain)-1]
	args := map[string]string{"record": record, "end": end, "target": clean(r.Targets[base])}
	detail := strings.Join(chain, " -> ")
	var problems []Problem
	if r.Way == WayDelegate {
		if p := delegation(at, args); p.Code != "" {
			p.Name, p.Args, p.Fatal, p.Detail = name, args, true, detail
			return []Problem{p}
		}
	} else if len(chain) > 1 {
		problems = append(problems, Problem{Name: name, Code: ChallengeAway, Args: args, Detail: detail})
	}
	if values := texts(at.rrs); len(values) > 0 {
		args["count"] = strconv.Itoa(len(values))
		problems = append(problems, Problem{Name: name, Code: StaleTXT, Args: args, Detail: strings.Join(values, ", ")})
	}
	return append(problems, c.servers(ctx, name, end)...)
}

// delegation reports how _acme-challenge fails to lead to its target.
func delegation(at answer, args map[string]string) Problem {
	switch {
	case len(at.chain) > 1 && slices.Contains(at.chain[1:], args["target"]):
		return Problem{}
	case len(at.chain) > 1:
		return Problem{Code: DelegationOther}
	case len(at.rrs) > 0:
		return Problem{Code: DelegationRecord}
	}
	return Problem{Code: DelegationNone}
}

// servers looks whether the name servers of the zone that a record stands in answer.
func (c *Checker) servers(ctx context.Context, name, record string) []Problem {
	servers, err := c.resolver.serversOf(ctx, record)
	if errors.Is(err, ErrNoZone) {
		return []Problem{{Name: name, Code: ZoneUnknown, Fatal: true, Args: map[string]string{"record": record}}}
	}
	if err != nil {
		return []Problem{failed(name, err, true)}
	}
	answers := make([]bool, len(servers))
	c.resolver.each(ctx, servers, record, dns.TypeTXT, func(i int, in *dns.Msg) {
		answers[i] = answers[i] || in.Rcode == dns.RcodeSuccess || in.Rcode == dns.RcodeNameError
	})
	var silent []string
	for i, s := range servers {
		if !answers[i] {
			silent = append(silent, s.host)
		}
	}
	if len(silent) == 0 {
		return nil
	}
	p := Problem{Name: name, Code: NSSome, Args: map[string]string{"silent": strings.Join(silent, ", "), "record": record}}
	if len(silent) == len(servers) {
		p.Code, p.Fatal = NSUnreachable, true
	}
	return []Problem{p}
}
