package access

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/teleport"
)

// directory is what the cluster's names mean here.
type directory struct {
	slugs    map[string]string   // customers' slugs by id
	names    map[string]string   // customers' names by id
	bySlug   map[string]string   // customers by slug
	ids      []string            // of customers, sorted
	servers  map[string]string   // by host name
	hosts    map[string]string   // host names by server
	tenants  map[string][]string // by server
	shared   map[string][]string // label values of shared servers, by customer
	people   map[string]Person
	users    map[string][]string // persons by Teleport user
	logins   map[string][]string // persons by login on hosts
	ours     map[string]clusterRole
	accepted map[string]acceptedRow
}

// directoryIn reads the directory.
func (s *Service) directoryIn(tx *db.Tx) (*directory, error) {
	d := &directory{slugs: map[string]string{}, names: map[string]string{}, bySlug: map[string]string{}, servers: map[string]string{}, hosts: map[string]string{},
		tenants: map[string][]string{}, shared: map[string][]string{}, people: map[string]Person{}, users: map[string][]string{}, logins: map[string][]string{}, ours: map[string]clusterRole{}}
	called, err := s.called(tx)
	if err != nil {
		return nil, err
	}
	for _, c := range called {
		d.slugs[c.ID], d.names[c.ID], d.bySlug[c.Slug] = c.Slug, c.Name, c.ID
	}
	d.ids = slices.Sorted(maps.Keys(d.slugs))
	servers, living, err := s.places(tx)
	if err != nil {
		return nil, err
	}
	for _, v := range servers {
		d.servers[v.Name], d.hosts[v.ID] = v.ID, v.Name
	}
	for _, l := range living {
		d.tenants[l.ServerID] = append(d.tenants[l.ServerID], l.CustomerID)
	}
	for server, tenants := range d.tenants {
		for _, c := range tenants {
			if len(tenants) > 1 {
				d.shared[c] = append(d.shared[c], SharedLabel+d.hosts[server])
			}
		}
	}
	rows, err := peopleRows(tx, enforcing())
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		p, err := s.person(r)
		if err != nil {
			return nil, err
		}
		d.people[p.ID] = p
		for _, u := range p.TeleportUsers {
			d.users[u] = append(d.users[u], p.ID)
		}
		for _, l := range p.Logins {
			d.logins[l] = append(d.logins[l], p.ID)
		}
	}
	roles, err := clusterRoles(tx, "")
	if err != nil {
		return nil, err
	}
	for _, r := range roles {
		d.ours[r.Name] = r
	}
	d.accepted, err = acceptedRoles(tx)
	return d, err
}

// sight is what one look at the cluster says.
type sight struct {
	enforced []want
	foreign  []ForeignRole
	ways     []teleport.Way
	nodes    map[string]string // servers by node
	g        gather
}

// unknownUser is how a user of the cluster stands on a list whom nobody is known to be.
func unknownUser(u string) string { return "Teleport user " + u }

// look says who stands in which column by a state. Where a role cannot be
// evaluated it is foreign and said so; nothing is left out because it is not sure.
func (d *directory) look(s teleport.State, labelKey string) sight {
	out := sight{ways: teleport.Reaches(s, labelKey), nodes: map[string]string{},
		g: gather{enforced: map[want]bool{}, could: map[want]bool{}, roles: map[[3]string]bool{}}}
	roles := map[string]teleport.Role{}
	for _, r := range s.Roles {
		roles[r.Name] = r
	}
	for _, n := range s.Nodes {
		out.nodes[n.ID] = d.servers[strings.ToLower(n.Hostname)]
	}
	for _, w := range out.ways {
		for _, who := range d.whoIs(w.User) {
			d.way(&out.g, w, who, d.roleOf(roles[w.Role], who), out.nodes)
		}
	}
	out.enforced = sortedWants(out.g.enforced)
	out.foreign = d.foreign(s, labelKey)
	return out
}

// could are those who could have access beyond what is enforced: by ways that
// take a further step, by sessions that run, by certificates that may be out.
func (d *directory) could(v sight, s teleport.State, certs []certRow) []want {
	g := gather{enforced: v.g.enforced, could: maps.Clone(v.g.could), roles: v.g.roles}
	d.alive(&g, s, v, certs)
	return sortedWants(g.could)
}

// who is a person, or an unknown user.
type who struct{ person, unknown string }

func (d *directory) whoIs(user string) (out []who) {
	for _, id := range d.users[user] {
		out = append(out, who{person: id})
	}
	if out == nil {
		return []who{{unknown: unknownUser(user)}}
	}
	return out
}

// roleOf is what a role of the cluster is called on lists: a role of ours, held
// by whom it was made for, is that of their grants.
func (d *directory) roleOf(r teleport.Role, by who) string {
	if o, ok := d.ours[r.Name]; ok && r.Ours && o.Person == by.person {
		return o.Role
	}
	return r.Name
}

// gather keeps wants, each once.
type gather struct {
	enforced, could map[want]bool
	roles           map[[3]string]bool // customer, person or unknown, and role: who is enforced by what
}

func sortedWants(m map[want]bool) []want {
	return slices.SortedFunc(maps.Keys(m), func(a, b want) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Person, b.Person), cmp.Compare(a.Unknown, b.Unknown), cmp.Compare(a.Way, b.Way),
			cmp.Compare(a.Role, b.Role), cmp.Compare(a.Server, b.Server), a.Until.Compare(b.Until))
	})
}

func (g *gather) add(could bool, w want) {
	if could {
		g.could[w] = true
		return
	}
	g.enforced[w] = true
	g.roles[[3]string{w.Customer, w.Person + w.Unknown, w.Role}] = true
}

// way puts one way of the cluster into the columns.
func (d *directory) way(g *gather, w teleport.Way, by who, role string, nodes map[string]string) {
	base := want{Person: by.person, Unknown: by.unknown, Way: WayTeleport, Role: role, Ground: "role:" + w.Role}
	could := false
	switch w.Via {
	case teleport.ViaAdmin:
		base.Way = WayAdmin
	case teleport.ViaImpersonate, teleport.ViaRequest:
		could = true
	case teleport.ViaLabel, teleport.ViaWildcard, teleport.ViaOther:
	default: // it cannot be told what is reached: a foreign role says so
		return
	}
	whole := map[string]bool{}
	for _, c := range d.reached(w) {
		whole[c] = true
		base.Customer, base.Server = c, ""
		g.add(could, base)
	}
	for _, n := range w.Nodes {
		server := nodes[n]
		for _, tenant := range d.tenants[server] {
			if !whole[tenant] {
				base.Customer, base.Server = tenant, server
				g.add(could, base)
			}
		}
	}
}

// reached are the customers whose label a way reaches.
func (d *directory) reached(w teleport.Way) (ids []string) {
	if !slices.Contains(w.Values, "*") && len(w.Patterns) == 0 {
		for _, v := range w.Values {
			if id, ok := d.bySlug[v]; ok {
				ids = append(ids, id)
			}
		}
		return ids
	}
	for _, id := range d.ids {
		if w.Reaches(d.slugs[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// alive adds who is in now, and certificates that may be out, where that says
// more than what is enforced: by a login, or a role, that they do not have now.
func (d *directory) alive(g *gather, s teleport.State, v sight, certs []certRow) {
	for _, l := range s.Live {
		if allowed(v.ways, l.User, l) {
			continue
		}
		for _, tenant := range d.tenants[v.nodes[l.Node]] {
			for _, by := range d.whoIs(l.User) {
				g.add(true, want{Customer: tenant, Person: by.person, Unknown: by.unknown, Way: WayTeleport, Role: "session as " + controlplane.Line(l.Login, 64),
					Server: v.nodes[l.Node], Ground: "session"})
			}
		}
	}
	for _, c := range certs {
		if !g.roles[[3]string{c.Customer, c.Person, c.Role}] {
			g.add(true, want{Customer: c.Customer, Person: c.Person, Way: WayTeleport, Role: c.Role, Server: c.Server, Ground: "certificate",
				Until: controlplane.FromMillis(c.Until)})
		}
	}
}

// noteSessions notes who uses their access now.
func (s *Service) noteSessions(tx *db.Tx, d *directory, state teleport.State, v sight) error {
	for _, l := range state.Live {
		server := v.nodes[l.Node]
		for _, tenant := range d.tenants[server] {
			for _, person := range d.users[l.User] {
				if err := s.noteUsed(tx, tenant, person, WayTeleport, server, tx.NowMillis()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// maxReaches bounds the customers that a foreign role is said to reach.
const maxReaches = 20

// foreign are the roles that are not ours and reach customers' servers, also
// those that nobody holds.
func (d *directory) foreign(s teleport.State, labelKey string) (out []ForeignRole) {
	held := map[string][]string{}
	for _, u := range s.Users {
		for _, r := range u.Roles {
			held[r] = append(held[r], u.Name)
		}
	}
	asked := s
	asked.Users = nil
	for _, r := range s.Roles { // as if one user held each: traits fill nothing then
		if _, known := d.ours[r.Name]; !r.Ours || !known {
			asked.Users = append(asked.Users, teleport.User{Name: r.Name, Roles: []string{r.Name}})
		}
	}
	byRole := map[string]*ForeignRole{}
	for _, w := range teleport.Reaches(asked, labelKey) {
		why, reaches := d.why(w)
		if why == "" {
			continue
		}
		f := byRole[w.Role]
		if f == nil {
			f = &ForeignRole{Role: w.Role, Users: slices.Sorted(slices.Values(held[w.Role]))}
			byRole[w.Role] = f
		}
		if f.Why == "" || worse(why, f.Why) {
			f.Why = why
		}
		f.Reaches = append(f.Reaches, reaches...)
	}
	for _, name := range slices.Sorted(maps.Keys(byRole)) {
		f := byRole[name]
		slices.Sort(f.Reaches)
		f.Reaches = slices.Compact(f.Reaches)
		if slices.Contains(f.Reaches, "*") {
			f.Reaches = []string{"*"}
		}
		f.Reaches = f.Reaches[:min(len(f.Reaches), maxReaches)]
		out = append(out, *f)
	}
	return out
}

// The reasons for which a role is foreign, the worst first.
var foreignWhys = []string{"admin", "wildcard", "expression", "label"}

func worse(a, b string) bool { return slices.Index(foreignWhys, a) < slices.Index(foreignWhys, b) }

// why is why a way of a role that is not ours matters; "" where it reaches nobody.
func (d *directory) why(w teleport.Way) (why string, reaches []string) {
	switch w.Via {
	case teleport.ViaAdmin, teleport.ViaImpersonate, teleport.ViaRequest:
		return "admin", []string{"*"}
	case teleport.ViaWildcard:
		return "wildcard", []string{"*"}
	case teleport.ViaExpression, teleport.ViaJoin:
		return "expression", nil
	}
	for _, id := range d.reached(w) {
		reaches = append(reaches, d.slugs[id])
	}
	if len(reaches) == 0 && len(w.Nodes) == 0 {
		return "", nil
	}
	return "label", reaches
}

// sameNames are names that two or more persons use, with who they are.
func sameNames(names map[string][]string, without func(string) bool) map[string][]string {
	out := map[string][]string{}
	for name, ids := range names {
		if len(ids) > 1 && (without == nil || !without(name)) {
			out[name] = ids
		}
	}
	return out
}

// hashOf is one of wants, to leave alone what is as it was.
func hashOf(wants ...[]want) string {
	b, _ := json.Marshal(wants) // plain fields always marshal
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
