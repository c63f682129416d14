package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// customerGroups are the choices above the list, by the word in the address.
var customerGroups = []struct{ word, key string }{{"", "customers.all"}, {"open", "customers.some_open"}}

// customerList is the list of customers under one choice of a reader's. Without
// a choice those come first for whom something is open, worst first, and then
// the others by their short name.
type customerList struct {
	v     *visit
	scope policy.Scope
	query string // part of a name, as it was typed
	group string // word of a choice
	total int    // customers there are
	first []customers.Customer
}

// read finds the customers for whom something is open.
func (l *customerList) read(g *facts) (err error) {
	if l.total, err = l.v.p.Customers.CountCustomers(l.v.ctx, l.scope, ""); err != nil {
		return err
	}
	ids := g.worst(func(o opened) string { return o.customer })
	known := map[string]customers.Customer{}
	for part := range slices.Chunk(ids, fewNames) {
		items, _, err := l.v.p.Customers.ListCustomers(l.v.ctx, l.scope, customers.CustomerFilter{Only: part, Limit: len(part)})
		if err != nil {
			return err
		}
		for _, c := range items {
			known[c.ID] = c
		}
	}
	for _, id := range ids {
		if c, ok := known[id]; ok {
			l.first = append(l.first, c)
		}
	}
	return nil
}

// open are the customers that match and for whom something is open.
func (l *customerList) open() (out []customers.Customer) {
	query := strings.ToLower(l.query)
	for _, c := range l.first {
		if strings.Contains(strings.ToLower(c.Name), query) || strings.Contains(c.Slug, query) {
			out = append(out, c)
		}
	}
	return out
}

// page returns a page of the list: from is a place among those that are held
// here, token one among the others. next is nil on the last page.
func (l *customerList) page(from, token string) (shown []customers.Customer, next url.Values, err error) {
	var held []customers.Customer
	if l.group == "open" {
		held = l.open()
	} else if l.query == "" {
		held = l.first
	}
	if token == "" {
		start, _ := strconv.Atoi(from) // anything else is the start
		start = max(0, min(start, len(held)))
		shown = held[start:min(start+listPage, len(held))]
		if end := start + len(shown); end < len(held) {
			return shown, url.Values{"from": {strconv.Itoa(end)}}, nil
		}
	}
	if l.group == "open" {
		return shown, nil, nil
	}
	without := map[string]bool{}
	for _, c := range held {
		without[c.ID] = true
	}
	f := customers.CustomerFilter{Name: l.query, Without: without, PageToken: token, Limit: listPage - len(shown)}
	if f.Limit == 0 { // whether there are others is all that is asked
		if len(held) < l.total {
			next = url.Values{"from": {strconv.Itoa(len(held))}}
		}
		return shown, next, nil
	}
	more, after, err := l.v.p.Customers.ListCustomers(l.v.ctx, l.scope, f)
	if after != "" {
		next = url.Values{"page": {after}}
	}
	return append(slices.Clip(shown), more...), next, err
}

// filters are the choices above the list, each with how many it has.
func (l *customerList) filters() ([]Filter, error) {
	all := l.total
	if l.query != "" {
		var err error
		if all, err = l.v.p.Customers.CountCustomers(l.v.ctx, l.scope, l.query); err != nil {
			return nil, err
		}
	}
	counts := map[string]int{"": all, "open": len(l.open())}
	var out []Filter
	for _, c := range customerGroups {
		out = append(out, Filter{Label: l.v.t(c.key), Href: listAddress("/customers", l.query, c.word), Current: c.word == l.group, Count: counts[c.word]})
	}
	return out, nil
}

// listAddress is the address of a list under a text and a choice.
func listAddress(path, query, group string) string {
	q := url.Values{}
	if query != "" {
		q.Set("q", query)
	}
	if group != "" {
		q.Set("state", group)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// openStates is how customers stand by what is open of theirs.
func (v *visit) openStates(g *facts) func(customer string) State {
	count, tones := map[string]int{}, map[string]Tone{}
	for _, o := range g.open {
		count[o.customer]++
		if t := o.Kind.Tone(); tones[o.customer] == "" || toneRank[t] > toneRank[tones[o.customer]] {
			tones[o.customer] = t
		}
	}
	return func(customer string) State {
		switch {
		case g.blind:
			return State{ToneUnknown, v.t("unknown")}
		case count[customer] == 0:
			return State{ToneGood, v.t("customers.open", "n", 0)}
		}
		return State{tones[customer], v.t("customers.open", "n", count[customer])}
	}
}
