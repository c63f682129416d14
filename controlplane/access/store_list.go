package access

import (
	"errors"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// serverNames are the names of servers, by id; also of those retired.
func (s *Service) serverNames(tx *db.Tx, ids []string) (map[string]string, error) {
	out := make(map[string]string, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	looked, args := s.customers.LookedAfter(everybody)
	var rows []struct{ ID, Name string }
	err := tx.Raw("SELECT id, name FROM ("+looked+") s WHERE id IN "+listed(tx.Dialect()), append(args, list(ids))...).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		out[r.ID] = r.Name
	}
	for _, id := range ids {
		if out[id] != "" {
			continue
		}
		server, err := s.customers.ServerIn(tx, everybody, id)
		if err != nil && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			return nil, err
		}
		out[id] = server.Name
	}
	return out, nil
}

// serversOf are the servers on which customers lived at an instant, zero for now,
// by customer.
func (s *Service) serversOf(tx *db.Tx, customers []string, at time.Time) (map[string][]string, error) {
	living, args := s.customers.Living(everybody)
	if !at.IsZero() {
		living, args = s.customers.LivedAt(everybody, at)
	}
	var rows []tenant
	err := tx.Raw("SELECT DISTINCT server_id, customer_id FROM ("+living+") t WHERE t.customer_id IN "+listed(tx.Dialect())+" ORDER BY server_id", append(args, list(customers))...).Scan(&rows).Error
	out := map[string][]string{}
	for _, r := range rows {
		out[r.CustomerID] = append(out[r.CustomerID], r.ServerID)
	}
	return out, err
}

// lastChange is when a customer's list changed last, as known at an instant.
func lastChange(tx *db.Tx, customer string, known int64) (at int64, err error) {
	err = tx.Raw("SELECT COALESCE(MAX(known_at), 0) FROM (SELECT known_at FROM access_changes WHERE customer_id = ? AND col = 'listed' AND kind <> 'ground' AND known_at <= ? ORDER BY known_at DESC LIMIT 1) c",
		customer, known).Scan(&at).Error
	return at, err
}

// notified fills in when the customer was told of each line.
func (b *listing) notified() error {
	bySpan := map[string]*entered{}
	var ids []string
	for _, e := range b.lines {
		for _, r := range e.spans {
			if Column(r.Col) == Listed {
				bySpan[r.ID], ids = e, append(ids, r.ID)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []struct {
		SpanID     string
		NotifiedAt int64
	}
	err := b.tx.Raw("SELECT span_id, MIN(notified_at) AS notified_at FROM access_changes WHERE notified_at > 0 AND notified_at <= ? AND kind <> 'removed' AND span_id IN "+listed(b.tx.Dialect())+" GROUP BY span_id",
		b.list.KnownAt.UnixMilli(), list(ids)).Scan(&rows).Error
	for _, r := range rows {
		line := &bySpan[r.SpanID].line
		if at := millis(r.NotifiedAt); line.Notified.IsZero() || at.Before(line.Notified) {
			line.Notified = at
		}
	}
	return err
}

type usedRow struct {
	CustomerID string `gorm:"primaryKey"`
	PersonID   string `gorm:"primaryKey"`
	Way        string `gorm:"primaryKey"`
	ServerID   string `gorm:"primaryKey"`
	At         int64
}

func (usedRow) TableName() string { return "access_used" }

// used fills in the latest session of each line, as far as is known.
func (b *listing) used() error {
	var rows []usedRow
	if err := b.tx.Where("customer_id = ? AND at <= ?", b.list.Customer, b.list.KnownAt.UnixMilli()).Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		for k, e := range b.lines {
			if k.person != r.PersonID || string(k.way) != r.Way || k.server != "" && k.server != r.ServerID {
				continue
			}
			if at := millis(r.At); at.After(e.line.LastUsed) {
				e.line.LastUsed = at
			}
		}
	}
	return nil
}

// noteUsed notes that a person was on a customer's servers by a way at an
// instant; an earlier one than is known changes nothing.
func (s *Service) noteUsed(tx *db.Tx, customer, person string, way Way, server string, at int64) error {
	return tx.Exec(`INSERT INTO access_used (customer_id, person_id, way, server_id, at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (customer_id, person_id, way, server_id) DO UPDATE SET at = excluded.at WHERE excluded.at > access_used.at`, customer, person, string(way), server, at).Error
}

// listChanges is a page of changes, newest first, and one more.
func listChanges(tx *db.Tx, scope policy.Scope, f ChangeFilter, at int64, after string) (rows []changeRow, err error) {
	q := db.Within(tx.DB, scope).Where("col = ? AND kind <> ?", string(f.Column), string(Ground)).Order("known_at DESC, id DESC").Limit(f.Limit + 1)
	if f.Customer != "" {
		q = q.Where("customer_id = ?", f.Customer)
	}
	if f.Person != "" {
		q = q.Where("person_id = ?", f.Person)
	}
	if !f.Since.IsZero() {
		q = q.Where("known_at >= ?", f.Since.UnixMilli())
	}
	if !f.Before.IsZero() {
		q = q.Where("known_at < ?", f.Before.UnixMilli())
	}
	if after != "" {
		q = q.Where("(known_at, id) < (?, ?)", at, after)
	}
	err = q.Find(&rows).Error
	return rows, err
}

// standing are the spans of customers that hold now.
func standing(tx *db.Tx, customers []string) (rows []spanRow, err error) {
	err = oneOf(tx.DB, tx.Dialect(), "customer_id", customers).Where("live = 1 AND from_at <= ? AND (until_at = 0 OR until_at > ?)", tx.NowMillis(), tx.NowMillis()).
		Select("customer_id", "id", "col", "source", "person_id", "unknown_index", "way", "role", "server_id", "ground", "from_at", "until_at", "known_from").Find(&rows).Error
	return rows, err
}

// countExpiring counts grants that end soon, by customer, and says when each list changed last.
func countExpiring(tx *db.Tx, customers []string, before int64) (map[string]int, map[string]int64, error) {
	var rows []struct {
		CustomerID string
		N          int64
	}
	in := listed(tx.Dialect())
	err1 := tx.Raw("SELECT customer_id, COUNT(*) AS n FROM access_grants WHERE state = 'active' AND until_at <= ? AND customer_id IN "+in+" GROUP BY customer_id", before, list(customers)).Scan(&rows).Error
	ending := map[string]int{}
	for _, r := range rows {
		ending[r.CustomerID] = int(r.N)
	}
	rows = nil
	err2 := tx.Raw("SELECT c.value AS customer_id, COALESCE((SELECT a.known_at FROM access_changes a WHERE a.customer_id = c.value AND a.col = 'listed' AND a.kind <> 'ground' ORDER BY a.known_at DESC LIMIT 1), 0) AS n FROM "+
		in+" c", list(customers)).Scan(&rows).Error
	changed := map[string]int64{}
	for _, r := range rows {
		changed[r.CustomerID] = r.N
	}
	return ending, changed, errors.Join(err1, err2)
}

// lateNoticesOf are the customers who should have been told of a change by now.
func lateNoticesOf(tx *db.Tx, customers []string) (map[string]bool, error) {
	var ids []string
	err := tx.Raw("SELECT DISTINCT customer_id FROM access_notices WHERE accepted_at = 0 AND called_at = 0 AND acknowledged_at = 0 AND due_at <= ? AND customer_id IN "+listed(tx.Dialect()),
		tx.NowMillis(), list(customers)).Scan(&ids).Error
	out := map[string]bool{}
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}

// customersOwn are the persons of customers' own.
func customersOwn(tx *db.Tx, customers []string) (map[string]bool, error) {
	var ids []string
	err := tx.Raw("SELECT id FROM access_persons WHERE kind = ? AND customer_id IN "+listed(tx.Dialect()), string(KindCustomer), list(customers)).Scan(&ids).Error
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}
