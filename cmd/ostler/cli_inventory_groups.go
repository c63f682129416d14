package main

import (
	"maps"
	"slices"
	"strings"
)

// inventoryGroup is a group of an Ansible inventory.
type inventoryGroup struct {
	Hosts []string `json:"hosts"`
}

// inventoryOf is what a script prints for --list: groups by customer, role,
// region and state, and in _meta the variables of every host, so that nobody
// asks for them one by one.
func inventoryOf(all hostsView) map[string]any {
	groups := map[string][]string{"ostler": {}}
	vars := map[string]any{}
	for _, h := range all.Items {
		vars[h.Name] = varsOf(h, all.Scope)
		for _, g := range groupsOf(h) {
			groups[g] = append(groups[g], h.Name)
		}
	}
	out := map[string]any{"_meta": map[string]any{"hostvars": vars}}
	for name, members := range groups {
		out[name] = inventoryGroup{members}
	}
	return out
}

// groupsOf are the groups of one server, each once.
func groupsOf(h hostView) []string {
	groups := map[string]bool{"ostler": true, "region_" + groupName(h.Country): true, "state_" + groupName(h.Agent): true}
	if place, _, _ := strings.Cut(h.Location, ","); strings.TrimSpace(place) != "" {
		groups["region_"+groupName(h.Country)+"_"+groupName(strings.TrimSpace(place))] = true
	}
	for _, slug := range h.Customers {
		groups["customer_"+groupName(slug)] = true // a slug has no "_": two of them never share a group
	}
	for _, role := range h.Roles {
		groups["role_"+groupName(role)] = true
	}
	return slices.Sorted(maps.Keys(groups))
}

// groupName is a text as Ansible takes it in the name of a group.
func groupName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(s))
}

// scopeAll is the scope of a token that sees every customer.
const scopeAll = "all"

// varsOf are the variables of one server. Only who sees all customers knows
// whether it is shared, and so what its label is.
func varsOf(h hostView, scope string) map[string]any {
	v := map[string]any{"ostler_server": h.ID, "ostler_customers": h.Customers, "ostler_shared": h.Shared, "ostler_roles": h.Roles,
		"ostler_country": h.Country, "ostler_location": literal(h.Location), "ostler_state": h.State, "ostler_agent_state": h.Agent,
		"ostler_scope": scope}
	switch {
	case scope != scopeAll:
	case h.Shared: // a slug would let whoever looks after a neighbour onto all of that neighbour's servers
		v["ostler_customer_label"] = "shared:" + h.Name
	case len(h.Customers) == 1:
		v["ostler_customer_label"] = h.Customers[0]
	}
	return v
}

// literal keeps a text that people typed from being run as a template on the
// machine that runs the playbook.
func literal(s string) any {
	if strings.ContainsRune(s, '{') {
		return map[string]string{"__ansible_unsafe": s}
	}
	return s
}

// hostVars is what a script prints for --host: nothing for one it does not know.
func hostVars(all hostsView, name string) map[string]any {
	for _, h := range all.Items {
		if h.Name == name {
			return varsOf(h, all.Scope)
		}
	}
	return map[string]any{}
}
