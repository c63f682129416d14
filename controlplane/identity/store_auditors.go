package identity

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Auditor is an outside person who was let in for a time.
type Auditor struct {
	Person
	AddedAt, Until time.Time
	EndedAt        time.Time // zero unless the time was ended early
}

// Auditors returns those who may or might read a customer's evidence within the
// scope, who may now first, then by name; of all its customers where customer
// is "".
func (s *Store) Auditors(ctx context.Context, scope policy.Scope, customer string) ([]Auditor, error) {
	if customer != "" && !scope.Allows(customer) {
		return nil, controlplane.NotFound("customer")
	}
	var out []Auditor
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		q := tx.Order("customer_id, id")
		switch {
		case customer != "":
			q = q.Where("id IN (?)", auditorsOf(tx, customer))
		case !scope.All():
			q = q.Where("id IN (?)", auditorsOf(tx, append(scope.Customers(), "")...))
		}
		var rows []auditorRow
		if err := q.Find(&rows).Error; err != nil {
			return err
		}
		people := make([]Person, len(rows))
		for i, r := range rows {
			var err error
			if people[i], err = s.auditor(tx, r); err != nil {
				return err
			}
		}
		if err := s.signIns(tx, people); err != nil {
			return err
		}
		out = make([]Auditor, len(rows))
		for i, r := range rows {
			out[i] = r.value(people[i])
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Auditor) int {
		if a.Active != b.Active {
			return map[bool]int{true: -1, false: 1}[a.Active]
		}
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out, wrap("auditors", err)
}

// Auditor returns one of Auditors.
//
// Errors: not_found, also outside the scope.
func (s *Store) Auditor(ctx context.Context, scope policy.Scope, id string) (Auditor, error) {
	var out Auditor
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		var row auditorRow
		if err := tx.Where("id = ?", id).Take(&row).Error; err != nil {
			return missing("person", err)
		}
		p, err := s.auditorIn(tx, scope, id)
		if err != nil {
			return err
		}
		people := []Person{p}
		err = s.signIns(tx, people)
		out = row.value(people[0])
		return err
	})
	return out, wrap("auditor", err)
}

func (r auditorRow) value(p Person) Auditor {
	return Auditor{p, controlplane.FromMillis(r.CreatedAt), controlplane.FromMillis(r.Until), controlplane.FromMillis(r.EndedAt)}
}
