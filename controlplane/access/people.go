package access

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// NewPerson is what a person on lists is made of.
type NewPerson struct {
	Kind          PersonKind
	Staff         string // stf_: the name is theirs then
	Customer      string // KindCustomer
	Name, Company string
	Owner         string
	TeleportUsers []string
	Logins        []string
}

// PersonChange says what to change; nil stays as it is.
type PersonChange struct {
	Name, Company, Owner  *string
	TeleportUsers, Logins *[]string
	Version               int64
}

// AddPerson adds somebody who can stand on a list. Permission: access.write.
//
// Errors: invalid with fields, conflict where the staff member is a person already.
func (s *Service) AddPerson(ctx context.Context, scope policy.Scope, in NewPerson) (out Person, err error) {
	if err := s.ready(ctx, in.Customer); err != nil {
		return Person{}, err
	}
	if in.Staff != "" && in.Kind != KindCustomer {
		p, err := s.identity.Person(ctx, controlplane.Actor{Kind: controlplane.ActorStaff, ID: in.Staff})
		if err != nil {
			return Person{}, controlplane.Invalid(controlplane.Field{Pointer: "/staff", Message: "There is no such person among your staff."})
		}
		in.Name = p.Name
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { out, err = s.addPerson(tx, scope, in); return err })
	if db.IsDuplicate(err) {
		return Person{}, conflict("Find them in the list of people and change them there.", "This member of your staff is in the list of people already")
	}
	return out, wrap("add person", err)
}

func (s *Service) addPerson(tx *db.Tx, scope policy.Scope, in NewPerson) (Person, error) {
	var c inputs
	row := personRow{ID: controlplane.NewID(controlplane.PrefixPerson), Kind: string(in.Kind), StaffID: in.Staff, CustomerID: in.Customer, OwnerID: in.Owner,
		Version: 1, CreatedAt: tx.NowMillis(), UpdatedAt: tx.NowMillis()}
	if err := s.checkPerson(tx, scope, &c, row); err != nil {
		return Person{}, err
	}
	p := Person{Name: c.line("/name", in.Name, maxName, "Enter a name."), Company: c.line("/company", in.Company, maxName, ""),
		TeleportUsers: c.names("/teleport_users", in.TeleportUsers), Logins: c.names("/logins", in.Logins)}
	if err := s.mayName(tx, &c, row, Person{}, p); err != nil {
		return Person{}, err
	}
	if err := c.err(); err != nil {
		return Person{}, err
	}
	if err := s.sealPerson(&row, p); err != nil {
		return Person{}, err
	}
	if err := db.Insert(tx, &row); err != nil {
		return Person{}, err
	}
	if err := s.personEntry(tx, row, p, "person.added"); err != nil {
		return Person{}, err
	}
	return s.person(row)
}

// checkPerson checks what a person is to us and to others.
func (s *Service) checkPerson(tx *db.Tx, scope policy.Scope, c *inputs, row personRow) error {
	kind := PersonKind(row.Kind)
	switch {
	case !kind.Valid():
		c.add("/kind", "Choose staff, contractor, third_party, customer or service.")
	case kind == KindCustomer && row.CustomerID == "":
		c.add("/customer", "Say whose person this is.")
	case kind != KindCustomer && row.CustomerID != "":
		c.add("/customer", "Only a customer's own person belongs to a customer.")
	case kind == KindStaff && row.StaffID == "":
		c.add("/staff", "Choose who of your staff this is.")
	case row.StaffID != "" && kind != KindStaff && kind != KindContractor:
		c.add("/staff", "Only staff and contractors sign in here as staff.")
	case kind == KindService && row.OwnerID == "":
		c.add("/owner", "Choose the person who answers for this service account.")
	}
	if row.CustomerID == "" {
		if err := overAll(scope); err != nil {
			return err
		}
	} else if _, err := s.customers.CustomerIn(tx, scope, row.CustomerID); err != nil {
		return err
	}
	if row.OwnerID == "" {
		return nil
	}
	owner, err := onePerson(tx, row.OwnerID)
	if err != nil {
		return err
	}
	if owner.ID == "" || owner.LeftAt != 0 || PersonKind(owner.Kind) == KindService || owner.ID == row.ID {
		c.add("/owner", "The owner must be a person who works for you now.")
	}
	return nil
}

// ChangePerson changes a person. Nobody changes their own names in Teleport and on
// servers; while a grant is not over, a service account stays with its owner, and
// Teleport users stay where lists are enforced. Permission: access.write.
func (s *Service) ChangePerson(ctx context.Context, scope policy.Scope, id string, in PersonChange) (out Person, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, p, err := s.personFor(tx, scope, id)
		if err != nil {
			return err
		}
		if err := changedSince(in.Version, row.Version); err != nil {
			return err
		}
		var c inputs
		was := p
		if in.Name != nil {
			if row.StaffID != "" {
				c.add("/name", "This is the name under which they sign in. Change it among your staff.")
			}
			p.Name = c.line("/name", *in.Name, maxName, "Enter a name.")
		}
		if in.Company != nil {
			p.Company = c.line("/company", *in.Company, maxName, "")
		}
		if in.Owner != nil {
			if err := s.mayHandOver(tx, row, *in.Owner); err != nil {
				return err
			}
			row.OwnerID = *in.Owner
			if err := s.checkPerson(tx, scope, &c, row); err != nil {
				return err
			}
		}
		if in.TeleportUsers != nil {
			p.TeleportUsers = c.names("/teleport_users", *in.TeleportUsers)
		}
		if in.Logins != nil {
			p.Logins = c.names("/logins", *in.Logins)
		}
		if err := s.mayName(tx, &c, row, was, p); err != nil {
			return err
		}
		if err := c.err(); err != nil {
			return err
		}
		if err := s.savePerson(tx, &row, p); err != nil {
			return err
		}
		if in.TeleportUsers != nil || in.Logins != nil {
			tx.AfterCommit(func() { s.opts.Bus.Publish(TopicWatch) })
		}
		out, err = s.person(row)
		return err
	})
	return out, wrap("change person", err)
}

// savePerson writes a person who was changed.
func (s *Service) savePerson(tx *db.Tx, row *personRow, p Person) error {
	row.Version++
	row.UpdatedAt = tx.NowMillis()
	if err := s.sealPerson(row, p); err != nil {
		return err
	}
	if err := db.Save(tx, row); err != nil {
		return err
	}
	return s.personEntry(tx, *row, p, "person.changed")
}

func (s *Service) personEntry(tx *db.Tx, row personRow, p Person, kind string) error {
	for _, tell := range s.onNames {
		tell(tx)
	}
	personal := map[string]string{"name": p.Name, "company": p.Company, "teleport_users": strings.Join(p.TeleportUsers, "\n"), "logins": strings.Join(p.Logins, "\n")}
	for k, v := range personal {
		if v == "" {
			delete(personal, k)
		}
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Subject: row.ID, Kind: kind,
		Data: map[string]any{"kind": row.Kind, "staff": row.StaffID, "owner": row.OwnerID}, Personal: personal})
	return err
}

// People lists persons by name, those who left last. Whoever reads for one
// customer sees those who stand or stood on that customer's list, without the
// names that they use elsewhere. Permission: access.read.
func (s *Service) People(ctx context.Context, scope policy.Scope) (out []Person, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := peopleRows(tx, scope)
		if err != nil {
			return err
		}
		out, err = s.withPapers(tx, scope, rows)
		return err
	})
	slices.SortFunc(out, func(a, b Person) int {
		return cmp.Or(cmp.Compare(flag(!a.LeftAt.IsZero()), flag(!b.LeftAt.IsZero())), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out, wrap("people", err)
}

// GetPerson returns a person with their papers. Permission: access.read.
func (s *Service) GetPerson(ctx context.Context, scope policy.Scope, id string) (out Person, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error { out, err = s.personIn(tx, scope, id); return err })
	return out, wrap("person", err)
}

// personIn is GetPerson inside a transaction.
func (s *Service) personIn(tx *db.Tx, scope policy.Scope, id string) (Person, error) {
	row, _, err := s.personFor(tx, scope, id)
	if err != nil {
		return Person{}, err
	}
	people, err := s.withPapers(tx, scope, []personRow{row})
	if err != nil {
		return Person{}, err
	}
	return people[0], nil
}

// personFor finds a person whom the scope may see.
func (s *Service) personFor(tx *db.Tx, scope policy.Scope, id string) (personRow, Person, error) {
	row, err := onePerson(tx, id)
	if err != nil {
		return row, Person{}, err
	}
	seen := row.ID != "" && (scope.All() || scope.Allows(row.CustomerID))
	if row.ID != "" && row.CustomerID == "" && !seen {
		if seen, err = stoodOnList(tx, scope, id); err != nil {
			return row, Person{}, err
		}
	}
	if !seen {
		return row, Person{}, controlplane.NotFound("person")
	}
	p, err := s.person(row)
	return row, p, err
}

// wrap says where an error came from; what people may read stays as it is.
func wrap(act string, err error) error {
	if err == nil || controlplane.ErrorCode(err) != controlplane.CodeInternal {
		return err
	}
	return fmt.Errorf("access: %s: %w", act, err)
}
