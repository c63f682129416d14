package access

import (
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
)

// registerLists hooks up grants, people and lists.
func (s *Service) registerLists() {
	s.customers.OnTenancyChanged(func(tx *db.Tx, now customers.Tenancy) error {
		if now.EndedAt.IsZero() {
			return nil
		}
		return s.lodgersChanged(tx, now.Server)
	})
	s.customers.OnTenancyMade(func(tx *db.Tx, made customers.Tenancy) error { return s.lodgersChanged(tx, made.Server) })
	s.due = append(s.due, s.spansDue, s.grantsDue, s.papersDue, s.staffDue)
}
