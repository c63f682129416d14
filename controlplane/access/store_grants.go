package access

import (
	"fmt"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

type grantRow struct {
	ID         string `gorm:"primaryKey"`
	CustomerID string
	PersonID   string
	TeamID     string
	Role       string
	Kind       string
	State      string
	Reason     []byte
	Ticket     string
	TicketBy   int64
	FromAt     int64
	UntilAt    int64
	GrantedBy  string
	GrantedAt  int64
	Needs      string
	AnswerBy   int64
	BegunAt    int64
	EndedAt    int64
	EndedBy    string
	EndedWhy   []byte
	ReviewBy   int64
	ReviewedBy string
	ReviewedAt int64
	ReviewNote []byte
	OwnerID    string
	NextAt     int64
	Version    int64
	Alone      int64
}

func (grantRow) TableName() string { return "access_grants" }

// needs are the approvals that are missing.
func (r grantRow) needs() []string {
	if r.Needs == "" {
		return nil
	}
	return strings.Split(r.Needs, ",")
}

// approvalRow is an answer; Round is the grant's version when it was given.
type approvalRow struct {
	GrantID    string `gorm:"primaryKey"`
	Round      int64  `gorm:"primaryKey;autoIncrement:false"`
	AsKind     string `gorm:"primaryKey"`
	CustomerID string
	ByID       string
	Yes        int64
	Note       []byte
	At         int64
}

func (approvalRow) TableName() string { return "access_approvals" }

// grantRows are the grants of ids.
func grantRows(tx *db.Tx, ids []string) (rows []grantRow, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = oneOf(tx.DB, tx.Dialect(), "id", ids).Order("id").Find(&rows).Error
	return rows, err
}

// openGrants are the grants of a customer that are proposed or active, of a
// person or of a team.
func openGrants(tx *db.Tx, customer, person, team, role string) (rows []grantRow, err error) {
	err = tx.Where("customer_id = ? AND person_id = ? AND team_id = ? AND role = ? AND state IN ('proposed', 'active')", customer, person, team, role).
		Order("id").Find(&rows).Error
	return rows, err
}

// grantsOfTeam are the active grants of a team.
func grantsOfTeam(tx *db.Tx, team string) (rows []grantRow, err error) {
	err = tx.Where("team_id = ? AND state = 'active'", team).Order("id").Find(&rows).Error
	return rows, err
}

// openGrantsOfTeam are the grants of a team that are proposed or active.
func openGrantsOfTeam(tx *db.Tx, team string) (rows []grantRow, err error) {
	err = tx.Where("team_id = ? AND state IN ('proposed', 'active')", team).Order("id").Find(&rows).Error
	return rows, err
}

// recentEmergencies are emergency grants to a customer with a role that were not
// reviewed, or ended after an instant.
func recentEmergencies(tx *db.Tx, customer, role string, after int64) (rows []grantRow, err error) {
	err = tx.Where("customer_id = ? AND role = ? AND kind = ? AND (reviewed_at = 0 OR (CASE WHEN ended_at > 0 THEN ended_at ELSE until_at END) > ?)",
		customer, role, string(GrantBreakGlass), after).Order("id").Find(&rows).Error
	return rows, err
}

// grantsOfPerson are the grants that name a person and are not over.
func grantsOfPerson(tx *db.Tx, person string) (rows []grantRow, err error) {
	err = tx.Where("person_id = ? AND state IN ('proposed', 'active')", person).Order("id").Find(&rows).Error
	return rows, err
}

// grantedNow reports whether a grant that is not over names a person, or a team
// that they are in now or later.
func grantedNow(tx *db.Tx, person string) (bool, error) {
	var n int64
	err := tx.Raw(`SELECT COUNT(*) FROM access_grants g WHERE g.state IN ('proposed', 'active') AND (g.person_id = ? OR g.team_id IN
		(SELECT m.team_id FROM access_members m WHERE m.person_id = ? AND (m.until_at = 0 OR m.until_at > ?)))`, person, person, tx.NowMillis()).Scan(&n).Error
	return n > 0, err
}

// grantsOnServers are the active grants of whoever lives on servers, as far as
// they reach persons; nil persons is all.
func (s *Service) grantsOnServers(tx *db.Tx, servers, persons []string) (rows []grantRow, err error) {
	living, args := s.customers.Living(everybody)
	q := tx.Where("state = 'active' AND customer_id IN (SELECT customer_id FROM ("+living+") t WHERE t.server_id IN "+listed(tx.Dialect())+")", append(args, list(servers))...)
	if persons != nil {
		in := listed(tx.Dialect())
		q = q.Where("(person_id IN "+in+" OR team_id IN (SELECT team_id FROM access_members WHERE person_id IN "+in+"))", list(persons), list(persons))
	}
	err = q.Order("id").Find(&rows).Error
	return rows, err
}

// everybody is the scope of rules that follow who lives where.
var everybody = policy.AllCustomers("who shares a server with whom")

// tenant is a customer on a server.
type tenant struct{ ServerID, CustomerID string }

// sharedServers are those on which a customer of the list lives with others.
func (s *Service) sharedServers(tx *db.Tx, customers []string) (servers []string, err error) {
	living, args := s.customers.Living(everybody)
	query := "SELECT DISTINCT a.server_id FROM (" + living + ") a JOIN (" + living + ") b ON b.server_id = a.server_id AND b.customer_id <> a.customer_id WHERE a.customer_id IN " +
		listed(tx.Dialect()) + " ORDER BY a.server_id"
	err = tx.Raw(query, append(append(append([]any{}, args...), args...), list(customers))...).Scan(&servers).Error
	return servers, err
}

// tenantsOf are who lives on servers.
func (s *Service) tenantsOf(tx *db.Tx, servers []string) (rows []tenant, err error) {
	living, args := s.customers.Living(everybody)
	err = tx.Raw("SELECT DISTINCT server_id, customer_id FROM ("+living+") t WHERE t.server_id IN "+listed(tx.Dialect())+" ORDER BY server_id, customer_id",
		append(args, list(servers))...).Scan(&rows).Error
	return rows, err
}

// dueGrants are grants of which something is due.
func dueGrants(tx *db.Tx, limit int) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM access_grants WHERE next_at > 0 AND next_at <= ? ORDER BY next_at, id LIMIT ?", tx.NowMillis(), limit).Scan(&ids).Error
	return ids, err
}

// grant opens a row; names of people are apart.
func (s *Service) grant(r grantRow) (g Grant, err error) {
	at := controlplane.FromMillis
	g = Grant{ID: r.ID, Customer: r.CustomerID, Person: r.PersonID, Team: r.TeamID, Role: r.Role, Kind: GrantKind(r.Kind), State: GrantState(r.State), Ticket: r.Ticket,
		TicketBy: at(r.TicketBy), From: at(r.FromAt), Until: at(r.UntilAt), GrantedBy: r.GrantedBy, GrantedAt: at(r.GrantedAt), Needs: r.needs(), AnswerBy: at(r.AnswerBy),
		EndedAt: at(r.EndedAt), EndedBy: r.EndedBy, ReviewBy: at(r.ReviewBy), ReviewedBy: r.ReviewedBy, ReviewedAt: at(r.ReviewedAt), Owner: r.OwnerID, Alone: r.Alone == 1, Version: r.Version}
	if g.Reason, err = s.open(r.CustomerID, "access_grants", "reason", r.ID, r.Reason); err != nil {
		return g, err
	}
	g.EndedWhy, err = s.open(r.CustomerID, "access_grants", "ended_why", r.ID, r.EndedWhy)
	return g, err
}

// fullGrants opens rows with the names of persons and teams, and the answers.
func (s *Service) fullGrants(tx *db.Tx, rows []grantRow) (out []Grant, err error) {
	var persons, teams, ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
		if r.PersonID != "" {
			persons = append(persons, r.PersonID)
		} else {
			teams = append(teams, r.TeamID)
		}
	}
	names, err := s.namesIn(tx, unique(persons))
	if err != nil {
		return nil, err
	}
	teamNames, err := namesOfTeams(tx, unique(teams))
	if err != nil {
		return nil, err
	}
	var answers []approvalRow
	if len(ids) > 0 {
		if err := oneOf(tx.DB, tx.Dialect(), "grant_id", ids).Order("at, as_kind").Find(&answers).Error; err != nil {
			return nil, err
		}
	}
	for _, r := range rows {
		g, err := s.grant(r)
		if err != nil {
			return nil, err
		}
		if g.Who = names[r.PersonID]; r.TeamID != "" {
			g.Who = teamNames[r.TeamID]
		}
		for _, a := range answers {
			if a.GrantID != r.ID {
				continue
			}
			note, err := s.open(a.CustomerID, "access_approvals", "note", fmt.Sprint(a.GrantID, "/", a.Round, "/", a.AsKind), a.Note)
			if err != nil {
				return nil, err
			}
			g.Approvals = append(g.Approvals, Approval{As: a.AsKind, By: a.ByID, Yes: a.Yes == 1, Note: note, At: controlplane.FromMillis(a.At)})
		}
		out = append(out, g)
	}
	return out, nil
}

// unique returns each once, sorted.
func unique(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// listGrants is a page of grants, newest first, and one more.
func listGrants(tx *db.Tx, scope policy.Scope, f GrantFilter, at int64, after string) (rows []grantRow, err error) {
	q := db.Within(tx.DB, scope).Order("granted_at DESC, id DESC").Limit(f.Limit + 1)
	for _, by := range []struct{ column, value string }{{"customer_id", f.Customer}, {"person_id", f.Person}, {"team_id", f.Team}} {
		if by.value != "" {
			q = q.Where(by.column+" = ?", by.value)
		}
	}
	if len(f.States) > 0 {
		states := make([]string, len(f.States))
		for i, st := range f.States {
			states[i] = string(st)
		}
		q = q.Where("state IN ?", db.Padded(states))
	}
	if after != "" {
		q = q.Where("(granted_at, id) < (?, ?)", at, after)
	}
	err = q.Find(&rows).Error
	return rows, err
}
