package access

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// sourceGrant is where wants come from that grants make.
const sourceGrant = "grant"

// reach is one person by one grant, for a time.
type reach struct {
	customer, person, role, ground string
	from, until                    int64
}

// reaches are whom grants reach, and when: teams resolved to their members. Who
// has left reaches nothing.
func (s *Service) reaches(tx *db.Tx, grants []grantRow) (out []reach, err error) {
	var teams, persons []string
	for _, g := range grants {
		if g.TeamID != "" {
			teams = append(teams, g.TeamID)
		}
	}
	members, err := membersOf(tx, unique(teams))
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		r := reach{customer: g.CustomerID, person: g.PersonID, role: g.Role, ground: g.ID, from: g.FromAt, until: g.UntilAt}
		if g.TeamID == "" {
			out, persons = append(out, r), append(persons, r.person)
			continue
		}
		for _, m := range members[g.TeamID] {
			r := r
			r.person, r.from = m.PersonID, max(r.from, m.FromAt)
			if m.UntilAt != 0 {
				r.until = min(r.until, m.UntilAt)
			}
			if r.from < r.until {
				out, persons = append(out, r), append(persons, r.person)
			}
		}
	}
	rows, err := personRows(tx, unique(persons))
	if err != nil {
		return nil, err
	}
	left := map[string]bool{}
	for _, p := range rows {
		left[p.ID] = p.LeftAt != 0
	}
	return slices.DeleteFunc(out, func(r reach) bool { return left[r.person] }), nil
}

// settleGrants brings the lists in line with grants that changed: of their own
// customers, and of those who share a server with one.
func (s *Service) settleGrants(tx *db.Tx, ids []string, why string) ([]Change, error) {
	grants, err := grantRows(tx, ids)
	if err != nil || len(grants) == 0 {
		return nil, err
	}
	before, err := liveSpans(tx, part{Column: Listed, Source: sourceGrant, Grounds: ids})
	if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	var persons, customers []string
	for _, g := range grants {
		customers = append(customers, g.CustomerID)
		if reasons[g.ID], err = s.open(g.CustomerID, "access_grants", "reason", g.ID, g.Reason); err != nil {
			return nil, err
		}
	}
	active := slices.DeleteFunc(slices.Clone(grants), func(g grantRow) bool { return GrantState(g.State) != GrantActive })
	reached, err := s.reaches(tx, active)
	if err != nil {
		return nil, err
	}
	var wants []want
	for _, r := range reached {
		persons = append(persons, r.person)
		wants = append(wants, r.want(reasons[r.ground]))
	}
	for _, row := range before {
		persons = append(persons, row.PersonID)
	}
	changes, err := s.settleQuietly(tx, part{Column: Listed, Source: sourceGrant, Grounds: ids, Why: why}, wants)
	if err != nil {
		return nil, err
	}
	servers, err := s.sharedServers(tx, unique(customers))
	if err != nil {
		return nil, err
	}
	more, err := s.settleShared(tx, servers, unique(persons), why)
	if err != nil {
		return nil, err
	}
	changes = append(changes, more...)
	return changes, s.tell(tx, changes)
}

func (r reach) want(why string) want {
	return want{Customer: r.customer, Person: r.person, Way: WayTeleport, Role: r.role, Ground: r.ground, From: millis(r.from), Until: millis(r.until), Why: why}
}

func millis(ms int64) time.Time { return controlplane.FromMillis(ms) }

// settleShared brings in line who reaches shared servers on a grant of another
// tenant: each stands on every tenant's list, on the server as the ground,
// because whose grant it is is not that tenant's to know. nil persons is all.
func (s *Service) settleShared(tx *db.Tx, servers, persons []string, why string) ([]Change, error) {
	if len(servers) == 0 || persons != nil && len(persons) == 0 {
		return nil, nil
	}
	grants, err := s.grantsOnServers(tx, servers, persons)
	if err != nil {
		return nil, err
	}
	reached, err := s.reaches(tx, grants)
	if err != nil {
		return nil, err
	}
	tenants, err := s.tenantsOf(tx, servers)
	if err != nil {
		return nil, err
	}
	wants := sharedWants(reached, tenants, persons, tx.NowMillis())
	switch why {
	case WhyExpired, WhyLeft, WhyTeam, WhyTenancy, WhyTicket:
	default:
		why = "" // what was written of a grant is its own customer's
	}
	return s.settleQuietly(tx, part{Column: Listed, Source: sourceGrant, Servers: servers, Persons: persons, Why: why}, wants)
}

// whyShared is told of whoever reaches a shared server on another tenant's grant.
const whyShared = "reaches a server that you share with others"

// sharedWants are the wants of tenants whose servers others' grants reach. Where
// a tenant's own grant says as much already, nothing more is wanted.
func sharedWants(reached []reach, tenants []tenant, persons []string, now int64) (wants []want) {
	type who struct{ person, role string }
	living := map[string][]string{} // customers by server
	on := map[string][]string{}     // servers by customer
	for _, t := range tenants {
		living[t.ServerID] = append(living[t.ServerID], t.CustomerID)
		on[t.CustomerID] = append(on[t.CustomerID], t.ServerID)
	}
	byServer := map[string]map[who][]reach{}
	for _, r := range reached {
		if r.until <= now || persons != nil && !slices.Contains(persons, r.person) {
			continue
		}
		for _, server := range on[r.customer] {
			if byServer[server] == nil {
				byServer[server] = map[who][]reach{}
			}
			k := who{r.person, r.role}
			byServer[server][k] = append(byServer[server][k], r)
		}
	}
	for _, server := range slices.Sorted(maps.Keys(byServer)) {
		for k, all := range byServer[server] {
			for _, customer := range living[server] {
				own, others := of(all, customer)
				from, until := firstStretch(others)
				if f, u := firstStretch(own); until == 0 || u != 0 && f <= max(from, now) && u >= until {
					continue
				}
				wants = append(wants, want{Customer: customer, Person: k.person, Way: WayTeleport, Role: k.role, Server: server, Ground: server, From: millis(max(from, now)), Until: millis(until), Why: whyShared})
			}
		}
	}
	return wants
}

// of parts what reaches by a customer's own grants from the rest.
func of(all []reach, customer string) (own, others []reach) {
	for _, r := range all {
		if r.customer == customer {
			own = append(own, r)
		} else {
			others = append(others, r)
		}
	}
	return own, others
}

// firstStretch is the first time without a gap of any of them; 0, 0 for none.
// What comes after a gap is wanted when the first has ended.
func firstStretch(all []reach) (from, until int64) {
	all = slices.SortedFunc(slices.Values(all), func(a, b reach) int { return cmp.Compare(a.from, b.from) })
	for i, r := range all {
		switch {
		case i == 0:
			from, until = r.from, r.until
		case r.from > until:
			return from, until
		default:
			until = max(until, r.until)
		}
	}
	return from, until
}

// lodgersChanged follows who lives on a server: its tenants' lists change.
func (s *Service) lodgersChanged(tx *db.Tx, server string) error {
	changes, err := s.settleShared(tx, []string{server}, nil, WhyTenancy)
	if err == nil {
		err = s.tell(tx, changes)
	}
	return wrap("tenancy changed", err)
}
