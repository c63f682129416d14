package identity

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

func personOf(c customers.Contact) Person {
	return Person{
		Kind: controlplane.ActorContact, ID: c.ID, Customer: c.Customer, Name: c.Name, Email: c.Email,
		Role: c.Role, Language: c.Language, Active: c.RemovedAt.IsZero(),
	}
}

// personIn returns a person by id. A contact outside the scope does not exist.
func (s *Store) personIn(tx *db.Tx, scope policy.Scope, id string) (Person, error) {
	if strings.HasPrefix(id, controlplane.PrefixContact) {
		c, err := s.customers.ContactIn(tx, scope, id)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return Person{}, controlplane.NotFound("person")
		}
		return personOf(c), err
	}
	if strings.HasPrefix(id, prefixAuditor) {
		return s.auditorIn(tx, scope, id)
	}
	var row staffRow
	if err := tx.Where("id = ?", id).Take(&row).Error; err != nil {
		return Person{}, missing("person", err)
	}
	return s.staff(row)
}

// anyone is the scope of what a credential itself decides.
func anyone() policy.Scope {
	return policy.AllCustomers("a credential names its person, of whatever customer")
}

// viewer returns the scope in which the actor of ctx sees people, and whether
// they see the e-mail addresses of staff.
func viewer(ctx context.Context) (scope policy.Scope, staff bool) {
	a, _ := controlplane.ActorFrom(ctx)
	if a.Kind == controlplane.ActorSystem {
		return anyone(), true
	}
	return policy.ScopeOf(a), a.Kind == controlplane.ActorStaff
}

// Person returns the person that an actor is, as the actor of ctx may see them:
// a contact sees the names of staff and of their own customer's people. An agent
// and the plane itself get a name to show and nothing else.
//
// Errors: not found, also for a person of another customer.
func (s *Store) Person(ctx context.Context, a controlplane.Actor) (Person, error) {
	switch a.Kind {
	case controlplane.ActorSystem:
		return Person{Kind: a.Kind, ID: a.ID, Name: s.o.Issuer, Active: true}, nil
	case controlplane.ActorAgent:
		return Person{Kind: a.Kind, ID: a.ID, Name: "agent", Active: true}, nil
	}
	scope, staff := viewer(ctx)
	var p Person
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { p, err = s.personIn(tx, scope, a.ID); return err })
	if err != nil {
		return Person{}, wrap("person", err)
	}
	return p.shown(staff), nil
}

// shown hides the e-mail addresses of staff from everybody else.
func (p Person) shown(toStaff bool) Person {
	if p.Kind == controlplane.ActorStaff && !toStaff {
		p.Email, p.SignIn, p.Version = "", "", 0
	}
	return p
}

// Names returns the names of the people with these ids whom the actor of ctx
// may see, by id; whoever they may not see is missing.
func (s *Store) Names(ctx context.Context, ids []string) (map[string]string, error) {
	scope, _ := viewer(ctx)
	out := make(map[string]string, len(ids))
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		for _, id := range ids {
			if _, done := out[id]; done {
				continue
			}
			p, err := s.personIn(tx, scope, id)
			if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
				continue
			}
			if err != nil {
				return err
			}
			out[id] = p.Name
		}
		return nil
	})
	return out, wrap("names", err)
}

// PeopleFilter narrows a list of people.
type PeopleFilter struct {
	Kind     controlplane.ActorKind // staff or contact; "" is both
	Customer string                 // contacts of this customer only
}

// People returns staff (for a scope over all customers) and contacts by name,
// with how far their sign-in is. Names are sealed: the list is sorted in memory
// and has no pages.
func (s *Store) People(ctx context.Context, scope policy.Scope, f PeopleFilter) ([]Person, error) {
	var out []Person
	if f.Kind != controlplane.ActorStaff {
		contacts, err := s.customers.ListContacts(ctx, scope, f.Customer)
		if err != nil {
			return nil, wrap("people", err)
		}
		for _, c := range contacts {
			out = append(out, personOf(c))
		}
	}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		all := slices.Clone(out)
		if f.Kind != controlplane.ActorContact && f.Customer == "" && scope.All() {
			var rows []staffRow
			if err := tx.Find(&rows).Error; err != nil {
				return err
			}
			for _, r := range rows {
				p, err := s.staff(r)
				if err != nil {
					return err
				}
				all = append(all, p)
			}
		}
		if err := s.signIns(tx, all); err != nil {
			return err
		}
		out = all
		return nil
	})
	slices.SortFunc(out, func(a, b Person) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out, wrap("people", err)
}

// signIns fills in how far each person's sign-in is and when they were last seen.
func (s *Store) signIns(tx *db.Tx, people []Person) error {
	ids := make([]string, len(people))
	for i, p := range people {
		ids[i] = p.ID
	}
	states, seen := map[string]SignInState{}, map[string]int64{}
	for part := range slices.Chunk(ids, 500) {
		var ready, invited []string
		if err := tx.Table("sign_in_links").Where("person_id IN ? AND kind = ? AND used_at = 0 AND expires_at > ?", part, linkInvite, tx.NowMillis()).Pluck("person_id", &invited).Error; err != nil {
			return err
		}
		if err := tx.Table("credentials").Where("person_id IN ?", part).Pluck("person_id", &ready).Error; err != nil {
			return err
		}
		var last []struct {
			Person string `gorm:"column:person_id"`
			At     int64  `gorm:"column:seen_at"`
		}
		if err := tx.Table("sessions").Select("person_id, MAX(seen_at) AS seen_at").Where("person_id IN ?", part).Group("person_id").Scan(&last).Error; err != nil {
			return err
		}
		for _, id := range invited {
			states[id] = SignInInvited
		}
		for _, id := range ready {
			states[id] = SignInReady
		}
		for _, l := range last {
			seen[l.Person] = l.At
		}
	}
	for i, p := range people {
		people[i].SignIn = cmp.Or(states[p.ID], SignInNone)
		people[i].SeenAt = controlplane.FromMillis(seen[p.ID])
	}
	return nil
}
