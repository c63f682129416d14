package access

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/teleport"
)

// The kinds of PlannedChange.
const (
	planCreate  = "role.create"
	planWiden   = "role.widen"
	planNarrow  = "role.narrow"
	planRestore = "role.restore" // it was changed by hand, in what it allows
	planAddRole = "user.add_role"
	planStrip   = "user.remove_role" // somebody holds a role of ours that was not made for them
	planLock    = "lock.user"
)

// certLife is how long a certificate lasts where a role does not say.
const certLife = 12 * time.Hour

// SharedLabel begins the label's value of a node on which several customers
// live; the server's name follows it. A customer's own slug there would let
// whoever looks after a neighbour onto all of that customer's servers, or keep
// out whoever looks after this one. No slug has a colon.
const SharedLabel = "shared:"

// desired is what a role of ours ought to be.
type desired struct {
	name, person, role string
	slugs              []string // sorted
	logins             []string
	maxTTL             time.Duration
}

// role is it as the cluster takes it. A role for nobody's servers names no label
// at all: it reaches nothing, and certificates with it reach nothing either.
func (d desired) teleport(labelKey string) teleport.Role {
	r := teleport.Role{Name: d.name, Ours: true, Owner: d.person, MaxTTL: d.maxTTL, Allow: teleport.Reach{Logins: d.logins}}
	if len(d.slugs) > 0 {
		r.Allow.NodeLabels = map[string][]string{labelKey: d.slugs}
	}
	return r
}

// roleNamed returns a configured role.
func (s *Service) roleNamed(name string) (Role, bool) {
	i := slices.IndexFunc(s.opts.Roles, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{Name: name}, false
	}
	return s.opts.Roles[i], true
}

// desire is what the roles of persons ought to be by what is listed, sorted by
// name: those with grants, and those that have a role in the cluster already. A
// role that the configuration does not know any more lets nobody in.
func (s *Service) desire(d *directory, lines []listedRow, only string) []desired {
	type key struct{ person, role string }
	slugs := map[key][]string{}
	for _, l := range lines {
		if l.Source == "grant" && l.ServerID == "" && d.people[l.PersonID].LeftAt.IsZero() {
			k := key{l.PersonID, l.Role}
			slugs[k] = append(append(slugs[k], d.slugs[l.CustomerID]), d.shared[l.CustomerID]...)
		}
	}
	names := map[key]string{}
	for _, r := range d.ours {
		if only == "" || r.Person == only {
			k := key{r.Person, r.Role}
			names[k] = r.Name
			slugs[k] = append(slugs[k], []string{}...)
		}
	}
	out := make([]desired, 0, len(slugs))
	for k, list := range slugs {
		role, known := s.roleNamed(k.role)
		if !known {
			list = nil
		}
		list = slices.DeleteFunc(slices.Clone(list), func(v string) bool { return v == "" })
		slices.Sort(list)
		name := names[k]
		if name == "" {
			name = roleName(d.people[k.person], k.role)
		}
		ttl := role.MaxTTL
		if ttl == 0 {
			ttl = certLife
		}
		out = append(out, desired{name: name, person: k.person, role: k.role, slugs: slices.Compact(list), logins: role.Logins, maxTTL: ttl})
	}
	slices.SortFunc(out, func(a, b desired) int { return cmp.Compare(a.name, b.name) })
	return out
}

// roleName is what a role of ours is called: the person's name for people, and
// the end of their id, because two may have one name.
func roleName(p Person, role string) string {
	name := slugOf(p.Name, 24)
	if p.Kind == KindCustomer { // the name stands in the ledger of whoever shares a server with them
		name = "customers"
	}
	return "ostler-" + name + roleEnd(p, role)
}

// roleEnd is what the name of a role of ours ends with whatever the person is
// called by now: whose it is and which role, whole.
func roleEnd(p Person, role string) string {
	return "-" + p.ID[max(0, len(p.ID)-5):] + "-" + slugOf(role, 24)
}

// slugOf is a text in small letters, digits and "-".
func slugOf(s string, longest int) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
		default:
			gap = true
		}
		if b.Len() >= longest {
			break
		}
	}
	return cmp.Or(b.String(), "x")
}

// leftLock is the name of the lock that keeps a user out for good.
func (s *Service) leftLock(person, user string) string {
	return "ostler-left-" + person + "-" + s.unknownIndex(user)[:12]
}

// plan is what would have to change in the cluster for the lists to be enforced,
// and the users of single sign-on whose connector does not give them their roles.
func (s *Service) plan(d *directory, want []desired, st teleport.State) (changes []PlannedChange, missing []string) {
	have := map[string]teleport.Role{}
	for _, r := range st.Roles {
		have[r.Name] = r
	}
	for _, w := range want {
		changes = append(changes, s.planRole(d, w, have)...)
	}
	users := map[string]teleport.User{}
	for _, u := range st.Users {
		users[u.Name] = u
	}
	for _, w := range want {
		if len(w.slugs) == 0 {
			continue
		}
		p := d.people[w.person]
		for _, name := range p.TeleportUsers {
			u, there := users[name]
			switch {
			case there && slices.Contains(u.Roles, w.name):
			case there && u.Connector != "":
				missing = append(missing, name+" lacks "+w.name)
			default:
				why := "the user does not have the role"
				if !there {
					why = "there is no such user"
				}
				changes = append(changes, PlannedChange{What: planAddRole, Role: w.name, User: name, Person: p.Name, Why: why})
			}
		}
	}
	for _, h := range d.strangers(want, st.Users, st.At) {
		changes = append(changes, PlannedChange{What: planStrip, Role: h.role, User: h.user, Person: d.people[d.ours[h.role].Person].Name, Why: "the user is not theirs"})
	}
	return append(changes, s.planLocks(d, st, users)...), missing
}

// holding is a user of the cluster who holds a role.
type holding struct{ user, role string }

// strangers are the local users who hold a role of ours and are not of the person
// for whom it was made: what it is given later, they would have too. Somebody may
// answer for a role as it was found; then it stays.
func (d *directory) strangers(want []desired, users []teleport.User, now time.Time) (out []holding) {
	for _, u := range users {
		if u.Connector != "" { // the connector would put it back: it is drift
			continue
		}
		for _, w := range want {
			if slices.Contains(u.Roles, w.name) && !slices.Contains(d.people[w.person].TeleportUsers, u.Name) && d.accepted[w.name].Until <= now.UnixMilli() {
				out = append(out, holding{u.Name, w.name})
			}
		}
	}
	return out
}

// planRole compares one role.
func (s *Service) planRole(d *directory, w desired, have map[string]teleport.Role) []PlannedChange {
	c := PlannedChange{Role: w.name, Person: d.people[w.person].Name}
	r, there := have[w.name]
	if !there {
		if len(w.slugs) == 0 {
			return nil
		}
		c.What, c.Add, c.Why = planCreate, w.slugs, "no role of ours gives it yet"
		return []PlannedChange{c}
	}
	is := r.Allow.NodeLabels[s.opts.LabelKey]
	c.Add = slices.DeleteFunc(slices.Clone(w.slugs), func(v string) bool { return slices.Contains(is, v) })
	c.Remove = slices.DeleteFunc(slices.Clone(is), func(v string) bool { return slices.Contains(w.slugs, v) })
	switch {
	case len(c.Remove) > 0:
		c.What, c.Why = planNarrow, "not on these customers' lists"
	case len(c.Add) > 0:
		c.What, c.Why = planWiden, "on these customers' lists"
	case s.byHand(w, r):
		c.What, c.Why = planRestore, "the role was changed in the cluster"
	default:
		return nil
	}
	return []PlannedChange{c}
}

// byHand reports whether a role of ours allows other than we said.
func (s *Service) byHand(w desired, r teleport.Role) bool {
	want := w.teleport(s.opts.LabelKey)
	others := maps.Clone(r.Allow.NodeLabels)
	delete(others, s.opts.LabelKey)
	a := r.Allow
	return !r.Ours || r.Owner != w.person || len(others) > 0 || a.NodeExpression != "" || a.JoinsSessions ||
		len(a.Writes)+len(a.ImpersonatesRoles)+len(a.ImpersonatesUsers)+len(a.RequestsRoles) > 0 ||
		!slices.Equal(slices.Sorted(slices.Values(a.Logins)), slices.Sorted(slices.Values(want.Allow.Logins)))
}

// planLocks are the locks that those who left lack.
func (s *Service) planLocks(d *directory, st teleport.State, users map[string]teleport.User) (changes []PlannedChange) {
	locked := map[string]bool{}
	for _, l := range st.Locks {
		if l.User != "" && l.Targets <= 1 && l.Expires.IsZero() {
			locked[l.User] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.people)) {
		p := d.people[id]
		if p.LeftAt.IsZero() {
			continue
		}
		for _, u := range p.TeleportUsers {
			if _, there := users[u]; there && !locked[u] {
				changes = append(changes, PlannedChange{What: planLock, User: u, Person: p.Name, Why: WhyLeft})
			}
		}
	}
	return changes
}

// personsOf are those whom changes are about: the enforcement's jobs are theirs.
func (d *directory) personsOf(changes []PlannedChange) []string {
	ids := map[string]bool{}
	for _, c := range changes {
		if r, ok := d.ours[c.Role]; ok {
			ids[r.Person] = true
		}
		for _, id := range d.users[c.User] {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// replan replaces what is planned about one person.
func (d *directory) replan(old, fresh []PlannedChange, person string) []PlannedChange {
	mine := func(c PlannedChange) bool { return slices.Contains(d.personsOf([]PlannedChange{c}), person) }
	out := slices.DeleteFunc(slices.Clone(old), mine)
	for _, c := range fresh {
		if mine(c) && len(out) < maxPlanned {
			out = append(out, c)
		}
	}
	return out
}

// adopt takes in roles of ours that the cluster has and we do not know: after a
// restore of our database, or where a role was made and its answer lost.
func (d *directory) adopt(tx *db.Tx, st teleport.State, roles []Role) error {
	taken := map[[2]string]bool{}
	for _, r := range d.ours {
		taken[[2]string{r.Person, r.Role}] = true
	}
	for _, r := range st.Roles {
		if _, known := d.ours[r.Name]; known || !r.Ours || d.people[r.Owner].ID == "" {
			continue
		}
		for _, role := range roles {
			if strings.HasSuffix(r.Name, roleEnd(d.people[r.Owner], role.Name)) && !taken[[2]string{r.Owner, role.Name}] {
				row := clusterRole{Name: r.Name, Person: r.Owner, Role: role.Name, MadeAt: tx.NowMillis()}
				if err := db.Insert(tx, &row); err != nil {
					return err
				}
				d.ours[r.Name], taken[[2]string{r.Owner, role.Name}] = row, true
				break
			}
		}
	}
	return nil
}

// connector is the mapping that users of single sign-on need, as a fragment of a
// connector's attributes_to_roles: one group for each role of ours, by its name.
func connector(d *directory, want []desired, st teleport.State) string {
	sso := map[string]bool{}
	for _, u := range st.Users {
		if u.Connector != "" {
			for _, id := range d.users[u.Name] {
				sso[id] = true
			}
		}
	}
	var b strings.Builder
	for _, w := range want {
		if sso[w.person] && len(w.slugs) > 0 {
			b.WriteString("  - {name: groups, value: \"" + w.name + "\", roles: [\"" + w.name + "\"]}\n")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "attributes_to_roles:\n" + b.String()
}
