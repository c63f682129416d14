package teleport

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Via is how a user reaches servers.
type Via string

// The ways in.
const (
	ViaLabel       Via = "label"       // a role names values of the label
	ViaWildcard    Via = "wildcard"    // a role matches every value
	ViaOther       Via = "other"       // a role matches by other labels only
	ViaExpression  Via = "expression"  // a label expression or a template that we do not evaluate
	ViaAdmin       Via = "admin"       // may write roles, users or the like, and so give themselves access
	ViaImpersonate Via = "impersonate" // may take certificates of other users or roles
	ViaRequest     Via = "request"     // may ask for further roles
	ViaJoin        Via = "join"        // may join other users' sessions
)

// Valid says whether v is one of the above.
func (v Via) Valid() bool {
	return slices.Contains([]Via{ViaLabel, ViaWildcard, ViaOther, ViaExpression, ViaAdmin, ViaImpersonate, ViaRequest, ViaJoin}, v)
}

// Way is one way in of one user by one role. Each of Logins is reached on each
// node that the role matches: a role is a product. Two roles of one user do
// not multiply on Teleport's nodes: each is checked with its own logins
// (Principals says where they do).
type Way struct {
	User, Connector string
	Bot             bool
	Role            string
	Via             Via
	// Logins are those that are left by deny rules and locks. A template that we
	// do not evaluate stands as it is, and the way is Unsure.
	Logins []string
	// Values are values of the label that are reached: those that the role
	// names, and those of nodes that it matches by pattern or by other labels.
	// "*" is all of them, those of nodes to come too. For ViaImpersonate and
	// ViaRequest they are those of the roles in Through; for ViaExpression and
	// ViaJoin they are not known, and empty.
	Values []string
	// Patterns are the globs and expressions among the role's values.
	Patterns []string
	// Except are values and patterns that a deny rule of any role of the user
	// takes away from "*" and from Patterns.
	Except []string
	// Also are further labels that a node must carry.
	Also map[string][]string
	// Nodes are the ids of nodes that are reached now; Unlabelled those among
	// them that do not carry the label at all.
	Nodes, Unlabelled []string
	// Through are the roles or users that are impersonated or asked for, or the
	// kinds of resource that are written.
	Through []string
	// Unsure says that less may be reached: by a deny rule that is an
	// expression, or by a template that we do not evaluate.
	Unsure bool
}

// Reaches says whether the way leads to nodes with this value of the label. For
// ViaExpression and ViaJoin we cannot tell, and say no.
func (w Way) Reaches(value string) bool {
	if matchesValue(w.Except, value) {
		return false
	}
	return slices.Contains(w.Values, wildcard) || slices.Contains(w.Values, value) || matchesValue(w.Patterns, value)
}

// Reaches says who reaches which values of a label, by what the cluster holds:
// each user, with the roles that are theirs, less what deny rules and locks in
// force take away. It does not see certificates issued earlier for roles taken
// off since (they last up to the role's MaxTTL), roles of approved requests, or
// roles that access lists of the Enterprise edition add at login. Where a thing
// cannot be known it errs to the side of more: Unsure says so.
func Reaches(s State, labelKey string) []Way {
	m := mapOf(s, labelKey)
	var out []Way
	for _, u := range s.Users {
		if over(u.Expires, s.At) || m.lockedOut(u) {
			continue
		}
		out = append(out, m.waysOf(u)...)
	}
	slices.SortFunc(out, func(a, b Way) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Role, b.Role), cmp.Compare(a.Via, b.Via))
	})
	return out
}

// Principals are the logins that a new certificate of the user carries: those of
// all their roles. Teleport's nodes look at each role by itself; a server whose
// own sshd trusts the cluster's CA takes every one of them, whatever its labels
// are: there roles do multiply. A template that we do not evaluate stands as it
// is.
func Principals(s State, user string) []string {
	m := mapOf(s, "")
	var out []string
	for _, u := range s.Users {
		if u.Name != user || over(u.Expires, s.At) || m.lockedOut(u) {
			continue
		}
		for _, name := range u.Roles {
			logins, unknown := fill(m.roles[name].Allow.Logins, u.Traits)
			out = slices.Concat(out, logins, unknown)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// over reports whether something that ends at end is over; zero never is.
func over(end, at time.Time) bool { return !end.IsZero() && !at.Before(end) }

// chart is a State made ready for questions about one label.
type chart struct {
	key     string
	roles   map[string]Role // in force
	names   []string        // of roles, sorted
	nodes   []Node          // not locked
	locks   []Lock          // in force
	partial bool            // not all nodes were read
}

func mapOf(s State, key string) *chart {
	m := &chart{key: key, roles: map[string]Role{}}
	for _, l := range s.Locks {
		if !over(l.Expires, s.At) {
			m.locks = append(m.locks, l)
		}
	}
	for _, r := range s.Roles {
		if !over(r.Expires, s.At) {
			m.roles[r.Name] = r
			m.names = append(m.names, r.Name)
		}
	}
	slices.Sort(m.names)
	for _, n := range s.Nodes {
		if !slices.ContainsFunc(m.locks, func(l Lock) bool { return l.Node != "" && l.Node == n.ID }) {
			m.nodes = append(m.nodes, n)
		}
	}
	m.partial = slices.ContainsFunc(s.Unread, func(what string) bool { return strings.HasPrefix(what, "node") })
	return m
}

// lockedOut reports whether a lock keeps the user out altogether. One on a role
// keeps out whoever holds it, by whatever role they come.
func (m *chart) lockedOut(u User) bool {
	return slices.ContainsFunc(m.locks, func(l Lock) bool {
		return l.User == u.Name || l.Role != "" && slices.Contains(u.Roles, l.Role)
	})
}

// denials are what all roles of a user take away from all of them.
type denials struct {
	logins, writes []string
	asRoles        []string // roles that may not be impersonated
	asUsers        []string
	requests       []string
	nodes          []map[string][]string
	unsure         bool // an expression or template among those for nodes and logins
}

func (m *chart) denialsOf(u User, held []Role) denials {
	var d denials
	for _, l := range m.locks {
		if l.Login != "" {
			d.logins = append(d.logins, l.Login)
		}
	}
	for _, r := range held {
		logins, unknown := fill(r.Deny.Logins, u.Traits)
		d.logins = append(d.logins, logins...)
		labels, unsure := fillLabels(r.Deny.NodeLabels, u.Traits)
		if len(labels) > 0 {
			d.nodes = append(d.nodes, labels)
		}
		d.unsure = d.unsure || unsure || len(unknown) > 0 || r.Deny.NodeExpression != ""
		d.writes = append(d.writes, r.Deny.Writes...)
		d.asRoles = append(d.asRoles, r.Deny.ImpersonatesRoles...)
		d.asUsers = append(d.asUsers, r.Deny.ImpersonatesUsers...)
		d.requests = append(d.requests, r.Deny.RequestsRoles...)
	}
	return d
}

func (m *chart) waysOf(u User) []Way {
	var held []Role
	for _, name := range u.Roles {
		if r, ok := m.roles[name]; ok && !slices.ContainsFunc(held, func(h Role) bool { return h.Name == name }) {
			held = append(held, r)
		}
	}
	d := m.denialsOf(u, held)
	var out []Way
	for _, r := range held {
		w := Way{User: u.Name, Connector: u.Connector, Bot: u.Bot, Role: r.Name}
		if to, ok := m.toNodes(w, r, u, d); ok {
			out = append(out, to)
		}
		out = append(out, m.around(w, r, u, d)...)
	}
	return out
}

// without is list less what is taken away; "*" and patterns take as in a cluster.
func without(list, taken []string) []string {
	return slices.DeleteFunc(slices.Clone(list), matcher(taken))
}

// exactly is list less what is taken away by name.
func exactly(list, taken []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return slices.Contains(taken, v) })
}
