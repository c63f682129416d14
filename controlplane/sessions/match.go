package sessions

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

// What a session may lack of its ground.
const (
	lacksPerson        = "person"
	lacksGrant         = "grant"
	lacksTicket        = "ticket"
	lacksAuthorisation = "authorisation"
)

// kindShared is the ground of whom another customer's grant lets onto a server
// that several live on: its ticket and its instruction are theirs.
const kindShared = "shared"

// matcher looks up whose sessions were, each thing once in a transaction.
type matcher struct {
	s       *Service
	tx      *db.Tx
	servers map[string]string // by host
	living  map[string][]customers.Tenancy
	people  map[string][]Somebody
	grounds map[groundKey]Ground
	// openKeys are the open findings about grounds; nil before the first look.
	openKeys map[string]bool
}

// groundKey asks for a ground by the minute: grants do not change more often.
type groundKey struct {
	customer, person, server string
	minute                   int64
}

func (s *Service) newMatcher(tx *db.Tx) *matcher {
	return &matcher{s: s, tx: tx, servers: map[string]string{}, living: map[string][]customers.Tenancy{}, people: map[string][]Somebody{}, grounds: map[groundKey]Ground{}}
}

// matched is whose a session was, where, and on what ground.
type matched struct {
	server, person, name string
	users                []string              // as participants stand
	people               map[string][]Somebody // by name at the cluster
	on                   []customerRow
	grounds              map[string]Ground // by customer; the reason is not sealed yet
	unknown              bool
}

// userMark is the keyed hash of a name at the cluster.
func (s *Service) userMark(user string) string {
	return hex.EncodeToString(s.keeper.Index("session.user", user))
}

// match looks up everything about a session.
func (m *matcher) match(f facts) (out matched, err error) {
	out.people, out.grounds = map[string][]Somebody{}, map[string]Ground{}
	if out.server, err = m.server(f.Host); err != nil {
		return out, err
	}
	for i, p := range f.Participants {
		who, err := m.who(p.User)
		if err != nil {
			return out, err
		}
		out.users = append(out.users, p.User)
		out.people[p.User] = who
		out.unknown = out.unknown || len(who) == 0
		if i == 0 && p.User == f.User {
			out.name = names(who)
			if len(who) == 1 {
				out.person = who[0].ID
			}
		}
	}
	out.unknown = out.unknown || f.User == ""
	on, since, err := m.customersDuring(out.server, f)
	if err != nil {
		return out, err
	}
	for _, c := range on {
		row, g, err := m.standing(c, out, f, since[c])
		if err != nil {
			return out, err
		}
		out.on, out.grounds[c] = append(out.on, row), g
	}
	return out, nil
}

// server is the server that a host name is of, "" for none of ours.
func (m *matcher) server(host string) (string, error) {
	if id, known := m.servers[host]; known || host == "" {
		return id, nil
	}
	v, err := m.s.customers.ServerIn(m.tx, ofFeed(), strings.ToLower(host))
	if err != nil && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
		return "", err
	}
	m.servers[host] = v.ID
	return v.ID, nil
}

// customersAt are those who lived on a server at an instant. Of whom the key was
// destroyed nothing is kept any more.
func (m *matcher) customersAt(server string, at int64) (ids []string, err error) {
	if server == "" {
		return nil, nil
	}
	list, err := m.lived(server)
	if err != nil {
		return nil, err
	}
	when := controlplane.FromMillis(at)
	for _, t := range list {
		if !t.CreatedAt.After(when) && (t.EndedAt.IsZero() || t.EndedAt.After(when)) && !m.s.erased(t.Customer) {
			ids = append(ids, t.Customer)
		}
	}
	return distinct(ids), nil
}

// lived are all who ever lived on a server.
func (m *matcher) lived(server string) ([]customers.Tenancy, error) {
	if list, known := m.living[server]; known || server == "" {
		return list, nil
	}
	list, err := m.s.customers.TenanciesIn(m.tx, ofFeed(), customers.TenancyFilter{Server: server, Ended: true})
	if err == nil {
		m.living[server] = list
	}
	return list, err
}

// over is until when a session ran, as far as is known: until now where it does.
func (m *matcher) over(f facts) int64 {
	switch {
	case f.EndedAt > 0:
		return max(f.EndedAt, f.StartedAt)
	case f.Endless:
		return max(f.DueAt, f.StartedAt) // when it was found that it does not run any more
	}
	return m.tx.NowMillis()
}

// customersDuring are those who lived on a server at any instant of a session,
// and since when each did.
func (m *matcher) customersDuring(server string, f facts) (ids []string, since map[string]int64, err error) {
	list, err := m.lived(server)
	if err != nil {
		return nil, nil, err
	}
	since = map[string]int64{}
	began, over := controlplane.FromMillis(f.StartedAt), controlplane.FromMillis(m.over(f))
	for _, t := range list {
		if t.CreatedAt.After(over) || !t.EndedAt.IsZero() && !t.EndedAt.After(began) || m.s.erased(t.Customer) {
			continue
		}
		ids = append(ids, t.Customer)
		since[t.Customer] = earlier(since[t.Customer], controlplane.Millis(t.CreatedAt))
	}
	return distinct(ids), since, nil
}

// newcomers reports whether somebody became a customer of a session since it began.
func (m *matcher) newcomers(row sessionRow, f facts) (bool, error) {
	list, err := m.lived(row.ServerID)
	if err != nil {
		return false, err
	}
	came := slices.ContainsFunc(list, func(t customers.Tenancy) bool { return controlplane.Millis(t.CreatedAt) > f.StartedAt })
	if !came {
		return false, nil
	}
	now, _, err := m.customersDuring(row.ServerID, f)
	if err != nil {
		return false, err
	}
	have, err := customerIDs(m.tx, row.ID)
	return slices.ContainsFunc(now, func(c string) bool { return !slices.Contains(have, c) }), err
}

// erased reports whether a customer's key was destroyed.
func (s *Service) erased(customer string) bool {
	_, err := s.keeper.Seal(customer, secrets.AD{Table: "staff_sessions"}, nil)
	return errors.Is(err, secrets.ErrErased)
}

// who are all persons who use a name at the cluster.
func (m *matcher) who(user string) ([]Somebody, error) {
	if list, known := m.people[user]; known {
		return list, nil
	}
	list, err := m.s.lists.ByUser(m.tx, user)
	m.people[user] = list
	return list, err
}

// standing is on what everybody who took part stood on one customer's list: the
// ground of whoever began it, and what it lacks of any of them. For whom came to
// live there later, that is as it was then.
func (m *matcher) standing(customer string, x matched, f facts, since int64) (row customerRow, first Ground, err error) {
	var lacks []string
	for i, p := range f.Participants {
		at := max(f.StartedAt, since)
		if joined := controlplane.Millis(p.Joined); joined > at {
			at = joined
		}
		g, missing, err := m.best(customer, x.people[p.User], x.server, at)
		if err != nil {
			return row, first, err
		}
		lacks = append(lacks, missing...)
		if i == 0 {
			first = g
		}
	}
	if len(f.Participants) == 0 {
		lacks = []string{lacksPerson}
	}
	first.Lacks = distinct(lacks)
	return customerRow{CustomerID: customer, StartedAt: f.StartedAt, GrantID: first.Grant, GrantKind: first.Kind, Role: first.Role, Ticket: first.Ticket,
		AuthorisationID: first.Authorisation, Lacks: strings.Join(first.Lacks, ",")}, first, nil
}

// best is the best ground of those who use a name, and what it lacks.
func (m *matcher) best(customer string, who []Somebody, server string, at int64) (best Ground, lacks []string, err error) {
	if len(who) == 0 {
		return best, []string{lacksPerson}, nil
	}
	for i, p := range who {
		g, err := m.ground(customer, p.ID, server, at)
		if err != nil {
			return best, nil, err
		}
		if missing := lacking(g); i == 0 || len(missing) < len(lacks) {
			best, lacks = g, missing
		}
	}
	return best, lacks, nil
}

func (m *matcher) ground(customer, person, server string, at int64) (Ground, error) {
	k := groundKey{customer, person, server, at / time.Minute.Milliseconds()}
	if g, known := m.grounds[k]; known {
		return g, nil
	}
	g, err := m.s.lists.GroundOf(m.tx, customer, person, server, controlplane.FromMillis(at))
	m.grounds[k] = g
	return g, err
}

// lacking is what a ground lacks.
func lacking(g Ground) (lacks []string) {
	switch {
	case g.Kind == kindShared && g.Grant == "":
		return nil
	case g.Grant == "":
		return []string{lacksGrant}
	}
	if g.Ticket == "" {
		lacks = append(lacks, lacksTicket)
	}
	if g.Authorisation == "" {
		lacks = append(lacks, lacksAuthorisation)
	}
	return lacks
}

// lacks are the parts that are missing, of any customer, as a column holds them.
// Where no customer lives nothing but the person can be missing.
func (x matched) lacks() string {
	var all []string
	if x.unknown {
		all = append(all, lacksPerson)
	}
	for _, c := range x.on {
		all = append(all, split(c.Lacks)...)
	}
	return strings.Join(distinct(all), ",")
}

func (x matched) customerIDs() (ids []string) {
	for _, c := range x.on {
		ids = append(ids, c.CustomerID)
	}
	return ids
}

// named fills in who participants are.
func (x matched) named(list []Participant) []Participant {
	out := slices.Clone(list)
	for i := range out {
		out[i].Name, out[i].Persons = names(x.people[out[i].User]), nil
		for _, p := range x.people[out[i].User] {
			out[i].Persons = append(out[i].Persons, p.ID)
		}
	}
	return out
}

// names are the names of persons who use one name.
func names(who []Somebody) string {
	var all []string
	for _, p := range who {
		all = append(all, p.Name)
	}
	return strings.Join(all, " or ")
}

// used tells that whoever took part was on their customers' servers. Where several
// persons use a name it is not known of whom to tell.
func (s *Service) used(tx *db.Tx, row sessionRow, x matched) error {
	if s.opts.OnUsed == nil || row.ServerID == "" {
		return nil
	}
	for _, user := range distinct(x.users) {
		who := x.people[user]
		if len(who) != 1 {
			continue
		}
		for _, c := range x.customerIDs() {
			if err := s.opts.OnUsed(tx, c, who[0].ID, row.ServerID, controlplane.FromMillis(row.StartedAt)); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepMatch stores whose a session was, and on what ground.
func (s *Service) keepMatch(tx *db.Tx, row sessionRow, x matched) error {
	if err := s.used(tx, row, x); err != nil {
		return err
	}
	for _, c := range x.on {
		c.SessionID = row.ID
		var err error
		if c.Reason, err = s.seal(c.CustomerID, "staff_session_customers", "reason", row.ID, x.grounds[c.CustomerID].Reason); err != nil {
			return err
		}
		if err := db.Insert(tx, &c); err != nil {
			return err
		}
	}
	for _, user := range distinct(x.users) {
		persons := []string{""}
		if who := x.people[user]; len(who) > 0 {
			persons = persons[:0]
			for _, p := range who {
				persons = append(persons, p.ID)
			}
		}
		for _, id := range persons {
			if err := db.Upsert(tx, &peopleRow{SessionID: row.ID, UserMark: s.userMark(user), PersonID: id, StartedAt: row.StartedAt}, "session_id", "user_mark", "person_id"); err != nil {
				return err
			}
		}
	}
	return nil
}

// welcome enters a session's beginning for whoever became its customer since:
// their ledger has nothing of it yet.
func (in *intake) welcome(o *opened, had []string, found matched) error {
	came := slices.DeleteFunc(found.customerIDs(), func(c string) bool { return slices.Contains(had, c) })
	if o.fresh || len(came) == 0 {
		return nil
	}
	return in.s.enter(in.tx, o.row, came, "session.begun", begunData(o.row), o.facts)
}

// begunData is what the ledger says in clear of a session that began.
func begunData(row sessionRow) map[string]any {
	return map[string]any{"kind": row.Kind, "started_at": controlplane.Instant(controlplane.FromMillis(row.StartedAt))}
}
