package access

import (
	"path"
	"slices"
	"strings"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// What is read in the place of whom or what is another customer's, or lies outside
// of the reader's bounds.
const (
	OthersPerson       = "a person of another customer"
	OthersPersonHere   = "a person of another customer on this server"
	UnexplainedOnShare = "an unexplained way in on the shared server"
)

// isOthers reports whether a text is one of those.
func isOthers(text string) bool {
	return text == OthersPerson || text == OthersPersonHere || text == UnexplainedOnShare
}

// about is what decides how somebody or something on a list is read.
type about struct {
	owner  string   // the customer whose own person it is, or who let them in; "" nobody is
	named  bool     // a person of ours is behind it
	server string   // "" is all of a customer's
	shared bool     // several customers live on the server
	within []string // a way in: the customers in whose bounds it lies
}

// readAs is what whoever reads with a scope reads in its place; "" is the thing
// itself. It is the one rule of what customers learn of each other: whatever shows
// somebody on a list, in a change, in a mail, in a finding or in the ledger asks it.
func (a about) readAs(scope policy.Scope) string {
	switch {
	case scope.All(), a.owner != "" && scope.Allows(a.owner):
		return ""
	case a.owner != "" && a.server == "":
		return OthersPerson
	case a.owner != "":
		return OthersPersonHere
	case a.named, !a.shared, slices.ContainsFunc(a.within, scope.Allows):
		return ""
	}
	return UnexplainedOnShare
}

// about is what decides how a person is read on a server.
func (r personRow) about(server string) about {
	return about{owner: r.CustomerID, named: true, server: server}
}

// callings are what persons are called, for whom.
type callings struct {
	names map[string]string
	rows  map[string]personRow
}

// callingsOf are what the persons of ids are called.
func (s *Service) callingsOf(tx *db.Tx, ids []string) (callings, error) {
	c := callings{names: map[string]string{}, rows: map[string]personRow{}}
	rows, err := personRows(tx, unique(ids))
	if err != nil {
		return c, err
	}
	for _, r := range rows {
		c.rows[r.ID] = r
		if c.names[r.ID], err = s.open(r.CustomerID, "access_persons", "name", r.ID, r.Name); err != nil {
			return c, err
		}
	}
	return c, nil
}

// of is a person's name as a scope reads it of a server, and what is read in its
// place where that is not theirs to know.
func (c callings) of(scope policy.Scope, person, server string) (name, others string) {
	if person == "" {
		return "", ""
	}
	row, seen := c.rows[person]
	a := row.about(server)
	if !seen { // a customer's own transaction does not see others' people
		a.owner = "another"
	}
	if others = a.readAs(scope); others != "" {
		return "", others
	}
	return c.names[person], ""
}

// bounds are who lives on a server, and where.
type bounds []customers.Tenancy

func (s *Service) boundsOf(tx *db.Tx, server string) (bounds, error) {
	list, err := s.customers.TenanciesIn(tx, enforcing(), customers.TenancyFilter{Server: server})
	return list, err
}

// customers are those who live there.
func (b bounds) customers() (ids []string) {
	for _, t := range b {
		ids = append(ids, t.Customer)
	}
	return unique(ids)
}

// shared reports whether several customers live there.
func (b bounds) shared() bool {
	return slices.ContainsFunc(b, func(t customers.Tenancy) bool { return t.Customer != b[0].Customer })
}

// within are the customers in whose bounds a way in lies: its file, or the home of
// its account, is in one of their paths, or that home holds paths of theirs alone.
func (b bounds) within(d foundData) (ids []string) {
	home := path.Clean("/" + d.Home)
	var holds []string // customers with paths in the home
	if strings.Count(home, "/") > 1 {
		for _, t := range b {
			if slices.ContainsFunc(t.Paths, func(p string) bool { return strings.HasPrefix(p, home+"/") }) {
				holds = append(holds, t.Customer)
			}
		}
	}
	if holds = unique(holds); len(holds) == 1 {
		ids = holds
	}
	for _, t := range b {
		if d.Home != "" && t.Covers(home) || d.File != "" && t.Covers(path.Clean("/"+d.File)) {
			ids = append(ids, t.Customer)
		}
	}
	return unique(ids)
}

// about is what decides how a way in is read. Whose it is said to be sees it, also
// before they have said that it is theirs.
func (r foundRow) about(d foundData, b bounds) about {
	a := about{named: r.whose() != "", server: r.Server, shared: b.shared(), within: b.within(d)}
	if r.ofCustomer() {
		a.owner = r.Customer
	} else if r.Customer != "" {
		a.within = append(a.within, r.Customer)
	}
	return a
}

// others is a way in without what tells whose it is.
func (f Found) others(text string) Found {
	f.Account, f.Fingerprint, f.Rights, f.Comment = "", "", text, ""
	f.Person, f.PersonName, f.Customer, f.Confirmed, f.ConfirmedBy, f.Owner, f.Others = "", "", "", "", "", "", true
	return f
}
