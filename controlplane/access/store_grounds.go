package access

import (
	"ostler/controlplane/db"
)

// grantGrounds adds what lists say of grants.
func (s *Service) grantGrounds(tx *db.Tx, ids []string, into map[string]groundInfo) error {
	rows, err := grantRows(tx, ids)
	if err != nil {
		return err
	}
	for _, r := range rows {
		reason, err := s.open(r.CustomerID, "access_grants", "reason", r.ID, r.Reason)
		if err != nil {
			return err
		}
		into[r.ID] = groundInfo{id: r.ID, reason: reason, ticket: r.Ticket, by: r.GrantedBy, at: r.GrantedAt}
	}
	return nil
}

// entryGrounds adds what a customer's list says of entries: the reason of one
// that belongs to another customer is theirs.
func (s *Service) entryGrounds(tx *db.Tx, customer string, ids []string, into map[string]groundInfo) error {
	if len(ids) == 0 {
		return nil
	}
	var rows []entryRow
	if err := oneOf(tx.DB, tx.Dialect(), "id", ids).Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		if r.CustomerID != "" && r.CustomerID != customer {
			continue
		}
		reason, err := s.open(r.CustomerID, "access_entries", "reason", r.ID, r.Reason)
		if err != nil {
			return err
		}
		into[r.ID] = groundInfo{id: r.ID, reason: reason, ticket: r.Ticket, by: r.CreatedBy, at: r.CreatedAt}
	}
	return nil
}

// toldOf calls f with why each of the spans was said to come, where it was.
func (s *Service) toldOf(tx *db.Tx, spans []string, f func(span, why string)) error {
	if len(spans) == 0 {
		return nil
	}
	var rows []changeRow
	if err := oneOf(tx.DB, tx.Dialect(), "span_id", spans).Where("kind <> ? AND why IS NOT NULL", string(Removed)).Order("known_at, id").Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		why, err := s.open(r.CustomerID, "access_changes", "why", r.ID, r.Why)
		if err != nil {
			return err
		}
		f(r.SpanID, why)
	}
	return nil
}
