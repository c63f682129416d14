package access

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Summary is what a page over many customers says of each.
type Summary struct {
	Customer, Name string
	Persons        int
	Unnamed        int // keys, accounts and users of which nobody knows whose they are
	Differences    int
	Unattested     bool
	Expiring       int // grants that end within 14 days
	ChangedAt      time.Time
	NoticeLate     bool
}

// Summaries returns one line for each customer of the scope, by slug. Permission: access.read.
func (s *Service) Summaries(ctx context.Context, scope policy.Scope, limit int, pageToken string) (items []Summary, next string, err error) {
	page, next, err := s.customers.ListCustomers(ctx, scope, customers.CustomerFilter{Limit: pageSize(limit), PageToken: pageToken})
	if err != nil {
		return nil, "", wrap("summaries", err)
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		lines, err := s.linesNow(tx, page)
		if err == nil {
			items, err = s.summaries(tx, page, lines)
		}
		return err
	})
	return items, next, wrap("summaries", err)
}

// lineNow is a line as it stands now, without what people read.
type lineNow struct {
	Line
	key   lineKey
	spans []spanRow
}

// linesNow are the lines of customers as they stand now, by customer.
func (s *Service) linesNow(tx *db.Tx, page []customers.Customer) (map[string][]lineNow, error) {
	ids := make([]string, len(page))
	for i, c := range page {
		ids[i] = c.ID
	}
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := standing(tx, ids)
	if err != nil {
		return nil, err
	}
	servers, err := s.serversOf(tx, ids, time.Time{})
	if err != nil {
		return nil, err
	}
	sources := []string{sourceTeleport}
	for _, all := range servers {
		sources = append(sources, all...)
	}
	by := map[string]*listing{}
	for _, r := range rows {
		b := by[r.CustomerID]
		if b == nil {
			b = &listing{lines: map[lineKey]*entered{}}
			by[r.CustomerID] = b
		}
		b.add(r)
		if r.ServerID != "" {
			sources = append(sources, r.ServerID)
		}
	}
	good, err := s.attestations(tx, tx.Now, tx.Now, unique(sources))
	if err != nil {
		return nil, err
	}
	out := make(map[string][]lineNow, len(by))
	for customer, b := range by {
		b.fold()
		for k, e := range b.lines {
			e.line.Attested = attestedLine(k, good, servers[customer])
			out[customer] = append(out[customer], lineNow{e.line, k, e.spans})
		}
	}
	return out, nil
}

func (s *Service) summaries(tx *db.Tx, page []customers.Customer, lines map[string][]lineNow) (items []Summary, err error) {
	ids := make([]string, len(page))
	for i, c := range page {
		ids[i] = c.ID
	}
	ending, changed, err := countExpiring(tx, ids, tx.Now.Add(renewals[0]).UnixMilli())
	if err != nil {
		return nil, err
	}
	late, err := lateNoticesOf(tx, ids)
	if err != nil {
		return nil, err
	}
	theirs, err := customersOwn(tx, ids)
	if err != nil {
		return nil, err
	}
	for _, c := range page {
		x := Summary{Customer: c.ID, Name: c.Name, Expiring: ending[c.ID], ChangedAt: millis(changed[c.ID]), NoticeLate: late[c.ID]}
		var all counted
		for _, l := range lines[c.ID] {
			if l.Way != WayCustomer && !theirs[l.key.person] {
				all.add(l.key)
			}
			if !l.agrees() {
				x.Differences++
			}
			x.Unattested = x.Unattested || !l.Attested && l.measurable()
		}
		x.Persons, x.Unnamed = len(all.persons), len(all.unnamed)
		items = append(items, x)
	}
	return items, nil
}

// measurable reports whether a machine could say what is enforced of a line.
func (l Line) measurable() bool {
	switch l.Way {
	case WayPhysical, WayVisit, WayBackupKey:
		return false
	}
	return true
}

// Cell is a person's grant on a customer, for the matrix.
type Cell struct {
	Person, Customer string
	Roles            []string
	Until            time.Time // the earliest end
	Difference       bool
}

// Matrix returns persons × customers, as many customers as fit a page: people of
// ours who have not left, by name. Permission: access.read over all customers.
func (s *Service) Matrix(ctx context.Context, scope policy.Scope, limit int, pageToken string) (people []Person, columns []Summary, cells []Cell, next string, err error) {
	if err := overAll(scope); err != nil {
		return nil, nil, nil, "", err
	}
	page, next, err := s.customers.ListCustomers(ctx, scope, customers.CustomerFilter{Limit: pageSize(limit), PageToken: pageToken})
	if err != nil {
		return nil, nil, nil, "", wrap("matrix", err)
	}
	all, err := s.People(ctx, scope)
	if err != nil {
		return nil, nil, nil, "", err
	}
	people = slices.DeleteFunc(all, func(p Person) bool { return p.Kind == KindCustomer || !p.LeftAt.IsZero() })
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		lines, err := s.linesNow(tx, page)
		if err != nil {
			return err
		}
		for _, c := range page {
			cells = append(cells, cellsOf(c.ID, lines[c.ID])...)
		}
		columns, err = s.summaries(tx, page, lines)
		return err
	})
	return people, columns, cells, next, wrap("matrix", err)
}

// cellsOf are what persons have on one customer: what they are granted, and what
// is enforced beside it.
func cellsOf(customer string, lines []lineNow) (out []Cell) {
	by := map[string]*Cell{}
	for _, l := range lines {
		if l.key.person == "" || l.Way != WayTeleport && l.Way != WayLogin {
			continue
		}
		c := by[l.key.person]
		if c == nil {
			c = &Cell{Person: l.key.person, Customer: customer}
			by[l.key.person] = c
		}
		if l.Listed != nil && !slices.Contains(c.Roles, l.Role) {
			c.Roles = append(c.Roles, l.Role)
		}
		if l.Listed != nil && !l.Listed.Until.IsZero() && (c.Until.IsZero() || l.Listed.Until.Before(c.Until)) {
			c.Until = l.Listed.Until
		}
		c.Difference = c.Difference || !l.agrees()
	}
	for _, c := range by {
		slices.Sort(c.Roles)
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Cell) int {
		return cmp.Or(strings.Compare(a.Person, b.Person), strings.Compare(a.Customer, b.Customer))
	})
	return out
}
