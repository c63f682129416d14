package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ostler/agents"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// serverGroups are the choices above the list, by the word in the address.
var serverGroups = []struct{ word, key string }{{"", "servers.all"}, {"open", "servers.open"}, {"connected", "servers.connected"}, {"silent", "servers.silent"}, {"missing", "servers.missing"}}

// groupOf is the choice that an agent's state belongs to.
func groupOf(s agents.State) string {
	switch s {
	case agents.Connected, agents.Disconnected:
		return "connected"
	case agents.Silent, agents.Frozen:
		return "silent"
	}
	return "missing"
}

// serverList is the list of servers under one choice of a reader's. Without a
// choice those come first about which something is open, worst first, and then
// the others by name.
type serverList struct {
	v      *visit
	query  string // part of a name, in lower case
	group  string // word of a choice
	roster agents.Roster
	first  []agents.Listed // about which something is open, worst first
}

// read finds the servers about which something is open.
func (l *serverList) read(g *facts) error {
	scope, err := l.v.scope(policy.ServerRead)
	if err != nil {
		return err
	}
	ids := g.worst(func(o opened) string { return o.server })
	known := map[string]agents.Listed{}
	for _, s := range l.roster.Open {
		known[s.Server] = s
	}
	unknown := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { _, ok := known[id]; return ok })
	for part := range slices.Chunk(unknown, fewNames) {
		items, _, err := l.v.p.Agents.List(l.v.ctx, scope, agents.ListFilter{Only: part, Limit: len(part)})
		if err != nil {
			return err
		}
		for _, s := range items {
			known[s.Server] = s
		}
	}
	for _, id := range ids {
		if s, ok := known[id]; ok { // one that is retired is not in the list
			l.first = append(l.first, s)
		}
	}
	return nil
}

// inGroup are the servers of a group that are not connected and match.
func (l *serverList) inGroup(group string) []agents.Listed {
	return l.matching(l.roster.Open, func(s agents.Listed) bool { return groupOf(s.State) == group })
}

func (l *serverList) matching(all []agents.Listed, also func(agents.Listed) bool) (out []agents.Listed) {
	for _, s := range all {
		if strings.Contains(s.Name, l.query) && (also == nil || also(s)) {
			out = append(out, s)
		}
	}
	return out
}

// page returns a page of the list: from is a place among those that are held
// here, after a name among the others. next is nil on the last page.
func (l *serverList) page(from, after string) (shown []agents.Listed, next url.Values, err error) {
	var held []agents.Listed
	others := false
	without := map[string]bool{}
	switch l.group {
	case "silent", "missing":
		held = l.inGroup(l.group)
	case "open":
		held = l.matching(l.first, nil)
	case "connected":
		others = true
		for _, s := range l.roster.Open {
			if groupOf(s.State) != "connected" {
				without[s.Server] = true
			}
		}
	default:
		if others = true; l.query == "" {
			held = l.first
		}
	}
	if after == "" {
		start, _ := strconv.Atoi(from) // anything else is the start
		start = max(0, min(start, len(held)))
		shown = held[start:min(start+listPage, len(held))]
		if end := start + len(shown); end < len(held) {
			return shown, url.Values{"from": {strconv.Itoa(end)}}, nil
		}
	}
	if !others {
		return shown, nil, nil
	}
	for _, s := range held {
		without[s.Server] = true
	}
	return l.rest(shown, without, after)
}

// rest fills a page up with the servers that are not held here, by name.
func (l *serverList) rest(shown []agents.Listed, without map[string]bool, after string) ([]agents.Listed, url.Values, error) {
	scope, err := l.v.scope(policy.ServerRead)
	if err != nil {
		return nil, nil, err
	}
	more, next, limit := []agents.Listed(nil), false, listPage-len(shown)
	if limit == 0 { // whether there are others is all that is asked
		more, _, err = l.v.p.Agents.List(l.v.ctx, scope, agents.ListFilter{Name: l.query, Without: without, Limit: 1})
		if len(more) == 0 || err != nil {
			return shown, nil, err
		}
		return shown, url.Values{"from": {strconv.Itoa(len(l.first))}}, nil
	}
	if more, next, err = l.v.p.Agents.List(l.v.ctx, scope, agents.ListFilter{Name: l.query, Without: without, After: after, Limit: limit}); err != nil {
		return nil, nil, err
	}
	shown = append(slices.Clip(shown), more...)
	if !next {
		return shown, nil, nil
	}
	return shown, url.Values{"after": {shown[len(shown)-1].Name}}, nil
}

// filters are the choices above the list, each with how many it has.
func (l *serverList) filters() ([]Filter, error) {
	all := l.roster.Total
	if l.query != "" {
		scope, err := l.v.scope(policy.ServerRead)
		if err != nil {
			return nil, err
		}
		if all, err = l.v.p.Agents.Count(l.v.ctx, scope, l.query); err != nil {
			return nil, err
		}
	}
	silent, missing := len(l.inGroup("silent")), len(l.inGroup("missing"))
	counts := map[string]int{"": all, "open": len(l.matching(l.first, nil)), "connected": all - silent - missing, "silent": silent, "missing": missing}
	var out []Filter
	for _, g := range serverGroups {
		out = append(out, Filter{Label: l.v.t(g.key), Href: listAddress("/servers", l.query, g.word), Current: g.word == l.group, Count: counts[g.word]})
	}
	return out, nil
}

// listed are servers as lists show them; those that are retired are not.
func listed(servers []customers.Server, status map[string]agents.Status) []agents.Listed {
	var out []agents.Listed
	for _, s := range servers {
		if s.State != customers.ServerRetired {
			out = append(out, agents.Listed{Server: s.ID, Name: s.Name, Location: s.Location, State: status[s.ID].State, HeardAt: status[s.ID].HeardAt})
		}
	}
	return out
}
