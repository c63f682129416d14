package access

import (
	"ostler/controlplane/db"
)

// grantGrounds adds what lists say of grants, as it was known at an instant.
func (s *Service) grantGrounds(tx *db.Tx, ids []string, known int64, into map[string]groundInfo) error {
	rows, err := grantRows(tx, ids)
	if err != nil {
		return err
	}
	was, err := wordsAt(tx, ids, known)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if w, changed := was[r.ID]; changed {
			reason, err := s.open(r.CustomerID, "access_grant_words", "reason", w.ID, w.Reason)
			if err != nil {
				return err
			}
			into[r.ID] = groundInfo{id: r.ID, reason: reason, ticket: w.Ticket, by: r.GrantedBy, at: r.GrantedAt}
			continue
		}
		reason, err := s.open(r.CustomerID, "access_grants", "reason", r.ID, r.Reason)
		if err != nil {
			return err
		}
		into[r.ID] = groundInfo{id: r.ID, reason: reason, ticket: r.Ticket, by: r.GrantedBy, at: r.GrantedAt}
	}
	return nil
}

// wordsRow is what was said of a grant until it was changed.
type wordsRow struct {
	ID         string `gorm:"primaryKey"`
	GrantID    string
	CustomerID string
	Reason     []byte
	Ticket     string
	KnownUntil int64
}

func (wordsRow) TableName() string { return "access_grant_words" }

// wordsAt is what was said at an instant of those grants of which something else
// is said by now.
func wordsAt(tx *db.Tx, grants []string, known int64) (map[string]wordsRow, error) {
	if len(grants) == 0 || known >= tx.NowMillis() {
		return nil, nil
	}
	var rows []wordsRow
	err := oneOf(tx.DB, tx.Dialect(), "grant_id", grants).Where("known_until > ?", known).Order("known_until, id").Find(&rows).Error
	out := make(map[string]wordsRow, len(rows))
	for _, r := range rows {
		if _, there := out[r.GrantID]; !there {
			out[r.GrantID] = r
		}
	}
	return out, err
}

// keepWords keeps what is said of a grant until now, before it is changed.
func (s *Service) keepWords(tx *db.Tx, g grantRow) error {
	reason, err := s.open(g.CustomerID, "access_grants", "reason", g.ID, g.Reason)
	if err != nil {
		return err
	}
	r := wordsRow{ID: rowID(), GrantID: g.ID, CustomerID: g.CustomerID, Ticket: g.Ticket, KnownUntil: tx.NowMillis()}
	if r.Reason, err = s.seal(g.CustomerID, "access_grant_words", "reason", r.ID, reason); err != nil {
		return err
	}
	return db.Insert(tx, &r)
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
