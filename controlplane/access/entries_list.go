package access

import (
	"context"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// EntryFilter narrows Entries; zero fields do not.
type EntryFilter struct {
	Customer, Person, Facility string // Customer: those that reach this one
	Ways                       []Way
	Ended                      bool // those that have ended too
	Limit                      int
	PageToken                  string
}

// Entries lists entries, newest first: of a scope that is not over all customers
// those that reach one of its customers. Permission: access.read.
func (s *Service) Entries(ctx context.Context, scope policy.Scope, f EntryFilter) (items []Entry, next string, err error) {
	limit, err := pageOf(controlplane.PrefixAccessEntry, f.Limit, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		whose := scope
		if f.Customer != "" {
			c, err := s.customers.CustomerIn(tx, scope, f.Customer)
			if err != nil {
				return err
			}
			whose = policy.OneCustomer(c.ID)
		}
		rows, err := s.entriesReaching(tx, whose, f, limit+1)
		if err != nil {
			return err
		}
		if len(rows) > limit {
			rows = rows[:limit]
			next = rows[limit-1].ID
		}
		items, err = s.entriesOf(tx, rows)
		for i := range items {
			items[i] = items[i].shown(scope)
		}
		return err
	})
	return items, next, wrap("entries", err)
}

// shown is an entry as a scope may see it: of a neighbour on a shared server who
// can come, and not whose or why.
func (e Entry) shown(scope policy.Scope) Entry {
	if scope.All() || e.Customer == "" || scope.Allows(e.Customer) {
		return e
	}
	e.Customer, e.Reason, e.Ticket, e.EndedWhy, e.EndedBy, e.CreatedBy = "", "", "", "", "", ""
	return e
}

// entriesReaching reads entries until there are enough that reach a scope.
func (s *Service) entriesReaching(tx *db.Tx, scope policy.Scope, f EntryFilter, most int) (out []entryRow, err error) {
	where, args := f.conditions()
	var hosts []host
	places := map[string]Facility{}
	if !scope.All() {
		if hosts, err = s.hostsOf(tx, everyone()); err != nil {
			return nil, err
		}
		all, err := facilities(tx)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			places[p.ID] = p
		}
	}
	const atOnce = 500
	for after := f.PageToken; ; {
		w, a := where, args
		if after != "" {
			w, a = w+" AND id < ?", append(slices.Clone(a), after)
		}
		rows, err := db.Where[entryRow](tx, everyone(), "id DESC", atOnce, w, a...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			after = r.ID
			reached := scope.All() || slices.ContainsFunc(r.reaches(hosts, places), func(at [2]string) bool { return scope.Allows(at[0]) })
			if reached {
				if out = append(out, r); len(out) == most {
					return out, nil
				}
			}
		}
		if len(rows) < atOnce {
			return out, nil
		}
	}
}

func (f EntryFilter) conditions() (where string, args []any) {
	conds := []string{"1 = 1"}
	add := func(cond string, v ...any) { conds, args = append(conds, cond), append(args, v...) }
	if !f.Ended {
		add("ended_at = 0")
	}
	if f.Person != "" {
		add("person_id = ?", f.Person)
	}
	if f.Facility != "" {
		add("facility_id = ?", f.Facility)
	}
	if len(f.Ways) > 0 {
		ways := make([]string, len(f.Ways))
		for i, w := range f.Ways {
			ways[i] = string(w)
		}
		add("way IN ?", ways)
	}
	return strings.Join(conds, " AND "), args
}

// entriesOf are rows as others see them.
func (s *Service) entriesOf(tx *db.Tx, rows []entryRow) ([]Entry, error) {
	var ids []string
	for _, r := range rows {
		for _, id := range []string{r.PersonID, r.EscortID} {
			if id != "" {
				ids = append(ids, id)
			}
		}
	}
	names, err := s.namesIn(tx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(rows))
	for _, r := range rows {
		e, err := s.entryNamed(r, names)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
