package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// What staff can do by their role here, as lists say it.
const (
	sourceStaff = "staff"
	RoleOstler  = "Ostler"  // of WayAdmin: administers Ostler
	RoleAssist  = "restore" // of WayRestore: may restore for a customer, with a reason and a ticket
)

// customersAtOnce bounds a transaction over all customers.
const customersAtOnce = 50

// staffDue keeps true that our staff are people on lists: each has a row, under
// the name that they sign in with, and stands on every customer's list by what
// their role here lets them do. Whoever has left signs in no more.
func (s *Service) staffDue(ctx context.Context) error {
	ctx = controlplane.System(ctx, "access")
	if err := s.endSignIns(ctx); err != nil {
		return err
	}
	staff, err := s.identity.People(ctx, everybody, identity.PeopleFilter{Kind: controlplane.ActorStaff})
	if err != nil {
		return wrap("staff", err)
	}
	all, err := s.allCustomers(ctx)
	if err != nil {
		return err
	}
	digest := staffDigest(staff, all)
	if s.staffSeen(digest) {
		return nil
	}
	if err := s.staffPersons(ctx, staff); err != nil {
		return err
	}
	for part := range slices.Chunk(all, customersAtOnce) {
		if err := s.settleStaff(ctx, staff, part); err != nil {
			return err
		}
	}
	s.staffMu.Lock()
	defer s.staffMu.Unlock()
	s.staffLast = digest
	return nil
}

func (s *Service) staffSeen(digest string) bool {
	s.staffMu.Lock()
	defer s.staffMu.Unlock()
	return s.staffLast == digest
}

func staffDigest(staff []identity.Person, all []string) string {
	h := sha256.New()
	for _, p := range staff {
		fmt.Fprintf(h, "%s|%s|%q|%v\n", p.ID, p.Role, p.Name, p.Active)
	}
	for _, c := range all {
		fmt.Fprintln(h, c)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Service) allCustomers(ctx context.Context) (ids []string, err error) {
	f := customers.CustomerFilter{Limit: longestPage}
	for {
		items, next, err := s.customers.ListCustomers(ctx, everybody, f)
		if err != nil {
			return nil, wrap("customers", err)
		}
		for _, c := range items {
			ids = append(ids, c.ID)
		}
		if f.PageToken = next; next == "" {
			return ids, nil
		}
	}
}

// staffPersons makes a person of each member of the staff, and follows their names.
func (s *Service) staffPersons(ctx context.Context, staff []identity.Person) error {
	return wrap("staff", s.db.Write(ctx, func(tx *db.Tx) error {
		there, err := staffRows(tx)
		if err != nil {
			return err
		}
		for _, p := range staff {
			row, known := there[p.ID]
			if !known {
				if !p.Active {
					continue
				}
				if _, err := s.addPerson(tx, everybody, NewPerson{Kind: KindStaff, Staff: p.ID, Name: p.Name}); err != nil {
					return err
				}
				continue
			}
			person, err := s.person(row)
			if err != nil {
				return err
			}
			if person.Name != p.Name {
				person.Name = p.Name
				if err := s.savePerson(tx, &row, person); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// settleStaff settles what staff can do to some customers. What a customer came
// with is the first list, not a change of it.
func (s *Service) settleStaff(ctx context.Context, staff []identity.Person, all []string) error {
	return wrap("staff", s.db.Write(ctx, func(tx *db.Tx) error {
		there, err := staffRows(tx)
		if err != nil {
			return err
		}
		known, err := customersWith(tx, sourceStaff, all)
		if err != nil {
			return err
		}
		var changes []Change
		for _, column := range []Column{Listed, Enforced} {
			for _, fresh := range []bool{true, false} {
				some := slices.DeleteFunc(slices.Clone(all), func(c string) bool { return known[c] == fresh })
				if len(some) == 0 {
					continue
				}
				wrote, err := s.settleQuietly(tx, part{Column: column, Source: sourceStaff, Customers: some, Baseline: fresh}, staffWants(staff, there, column, some))
				if err != nil {
					return err
				}
				changes = append(changes, wrote...)
			}
		}
		if err := stampSeen(tx, sourceStaff); err != nil {
			return err
		}
		return s.tell(tx, changes)
	}))
}

func staffWants(staff []identity.Person, there map[string]personRow, column Column, all []string) (wants []want) {
	for _, p := range staff {
		row, known := there[p.ID]
		if !known || !p.Active || column == Listed && row.LeftAt != 0 {
			continue
		}
		can := policy.Permissions(p.Role)
		for _, customer := range all {
			w := want{Customer: customer, Person: row.ID, Ground: p.ID}
			if p.Role == policy.RoleAdmin {
				w.Way, w.Role = WayAdmin, RoleOstler
				wants = append(wants, w)
			}
			if slices.Contains(can, policy.RestoreAssist) {
				w.Way, w.Role = WayRestore, RoleAssist
				wants = append(wants, w)
			}
		}
	}
	return wants
}

// endSignIns ends the sign-in of staff who have left. It comes after they left,
// in a transaction of its own; until then the list says that they can.
func (s *Service) endSignIns(ctx context.Context) error {
	var ids []string
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		there, err := staffRows(tx)
		for id, row := range there {
			if row.LeftAt != 0 {
				ids = append(ids, id)
			}
		}
		return err
	})
	ctx = controlplane.System(ctx, "access")
	for _, id := range ids {
		p, perr := s.identity.Person(ctx, controlplane.Actor{Kind: controlplane.ActorStaff, ID: id})
		if perr != nil || !p.Active {
			err = errors.Join(err, perr)
			continue
		}
		yes := true
		_, perr = s.identity.UpdateStaff(ctx, everybody, id, identity.StaffChange{Disabled: &yes})
		err = errors.Join(err, perr)
	}
	return wrap("end sign-ins", err)
}
