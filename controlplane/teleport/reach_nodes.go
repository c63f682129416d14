package teleport

import (
	"maps"
	"slices"

	"github.com/gravitational/teleport/api/types"
)

// toNodes is the way to nodes that one role opens; false if it opens none.
func (m *chart) toNodes(w Way, r Role, u User, d denials) (Way, bool) {
	logins, unknown := fill(r.Allow.Logins, u.Traits)
	w.Logins = append(exactly(logins, d.logins), unknown...)
	w.Unsure = d.unsure || len(unknown) > 0
	if len(w.Logins) == 0 || len(r.Allow.NodeLabels) == 0 && r.Allow.NodeExpression == "" {
		return w, false
	}
	labels, unsure := fillLabels(r.Allow.NodeLabels, u.Traits)
	if unsure || r.Allow.NodeExpression != "" {
		w.Via, w.Unsure, w.Also = ViaExpression, true, labels
		return w, !slices.ContainsFunc(d.nodes, matchesAll)
	}
	w.Also = maps.Clone(labels)
	delete(w.Also, m.key)
	values, named := labels[m.key]
	switch {
	case matchesAll(labels):
		w.Via, w.Values, w.Also = ViaWildcard, []string{wildcard}, nil
	case named && slices.Contains(values, wildcard):
		w.Via, w.Values = ViaWildcard, []string{wildcard}
	case named:
		w.Via = ViaLabel
		for _, v := range values {
			if isPattern(v) {
				w.Patterns = append(w.Patterns, v)
			} else if v != "" { // of a trait that the user does not have; nodes tell whether it matches any
				w.Values = append(w.Values, v)
			}
		}
	default:
		w.Via = ViaOther
	}
	if len(w.Also) == 0 {
		w.Also = nil
	}
	if m.denied(&w, labels, d) {
		return w, false
	}
	m.reached(&w, labels, d)
	if w.Via == ViaOther && m.partial {
		w.Unsure = true
		return w, true
	}
	return w, len(w.Values)+len(w.Patterns)+len(w.Nodes) > 0
}

// denied takes away the values that deny rules name, and reports whether one
// takes away all that labels match.
func (m *chart) denied(w *Way, labels map[string][]string, d denials) bool {
	for _, deny := range d.nodes {
		if matchesAll(deny) {
			return true
		}
		if !covers(deny, labels, m.key) {
			continue // it takes some nodes away, not a value
		}
		values, named := deny[m.key]
		if !named {
			return true
		}
		w.Except = append(w.Except, values...)
	}
	if slices.Contains(w.Except, wildcard) { // nodes without the label may be left
		w.Via, w.Values, w.Patterns, w.Except = ViaOther, nil, nil, []string{wildcard}
	}
	except := matcher(w.Except)
	w.Values = slices.DeleteFunc(w.Values, func(v string) bool { return v != wildcard && except(v) })
	slices.Sort(w.Except)
	w.Except = slices.Compact(w.Except)
	return false
}

// covers reports whether deny takes away whatever allow matches, as far as
// labels other than key go.
func covers(deny, allow map[string][]string, key string) bool {
	for k, values := range deny {
		if k == key {
			continue
		}
		have, ok := allow[k]
		if !ok || !slices.Contains(values, wildcard) && slices.ContainsFunc(have, func(v string) bool {
			return isPattern(v) || !matchesValue(values, v)
		}) {
			return false
		}
	}
	return true
}

// reached fills in the nodes that are there now, and the values that only they
// tell.
func (m *chart) reached(w *Way, labels map[string][]string, d denials) {
	mine := selectorOf(labels)
	var denied []selector
	for _, labels := range d.nodes {
		denied = append(denied, selectorOf(labels))
	}
	for _, n := range m.nodes {
		if !mine.matches(n.Labels) || slices.ContainsFunc(denied, func(s selector) bool { return s.matches(n.Labels) }) {
			continue
		}
		w.Nodes = append(w.Nodes, n.ID)
		value, has := n.Labels[m.key]
		if !has {
			w.Unlabelled = append(w.Unlabelled, n.ID)
		} else if w.Via != ViaWildcard {
			w.Values = append(w.Values, value)
		}
	}
	for _, list := range []*[]string{&w.Values, &w.Nodes, &w.Unlabelled} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}

// around are the ways of a role that are no logins on nodes.
func (m *chart) around(w Way, r Role, u User, d denials) []Way {
	var out []Way
	if kinds := grants(r.Allow.Writes, d.writes); len(kinds) > 0 {
		a := w
		a.Via, a.Values, a.Through = ViaAdmin, []string{wildcard}, kinds
		out = append(out, a)
	}
	asRoles, _ := fill(r.Allow.ImpersonatesRoles, u.Traits)
	asRoles = without(asRoles, d.asRoles)
	asUsers, _ := fill(r.Allow.ImpersonatesUsers, u.Traits)
	asUsers = without(asUsers, d.asUsers)
	if len(asRoles) > 0 || len(asUsers) > 0 && len(r.Allow.ImpersonatesRoles) == 0 {
		a := w
		a.Via, a.Through = ViaImpersonate, append(asRoles, asUsers...)
		m.byRoles(&a, asRoles, u, d)
		out = append(out, a)
	}
	if asked := without(r.Allow.RequestsRoles, d.requests); len(asked) > 0 {
		a := w
		a.Via, a.Through = ViaRequest, asked
		m.byRoles(&a, asked, u, d)
		out = append(out, a)
	}
	if r.Allow.JoinsSessions {
		a := w
		a.Via, a.Unsure = ViaJoin, true
		out = append(out, a)
	}
	return out
}

// grants are the kinds among those that are written that give access to whoever
// writes them, less those whose writing is denied.
func grants(allow, deny []string) []string {
	if slices.Contains(deny, types.Wildcard) {
		return nil
	}
	if slices.Contains(allow, types.Wildcard) {
		left := exactly(grantKinds, deny)
		if len(left) == len(grantKinds) {
			return []string{types.Wildcard}
		}
		return left
	}
	return slices.DeleteFunc(slices.Clone(allow), func(kind string) bool {
		return !slices.Contains(grantKinds, kind) || slices.Contains(deny, kind)
	})
}

// byRoles says which values would be reached with further roles.
func (m *chart) byRoles(w *Way, names []string, u User, d denials) {
	for _, name := range m.names {
		if !matchesValue(names, name) {
			continue
		}
		r := m.roles[name]
		all := denials{logins: slices.Concat(d.logins, r.Deny.Logins), nodes: slices.Clone(d.nodes), unsure: d.unsure}
		if len(r.Deny.NodeLabels) > 0 {
			all.nodes = append(all.nodes, r.Deny.NodeLabels)
		}
		to, ok := m.toNodes(Way{}, r, u, all)
		if !ok {
			continue
		}
		w.Logins = append(w.Logins, to.Logins...)
		w.Values = append(w.Values, to.Values...)
		w.Patterns = append(w.Patterns, to.Patterns...)
		w.Nodes = append(w.Nodes, to.Nodes...)
		w.Unlabelled = append(w.Unlabelled, to.Unlabelled...)
		w.Unsure = w.Unsure || to.Unsure
	}
	for _, list := range []*[]string{&w.Logins, &w.Values, &w.Patterns, &w.Nodes, &w.Unlabelled} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}
