package sessions

import (
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// staffOnly refuses whoever sees single customers only.
func staffOnly(scope policy.Scope) error {
	if scope.All() {
		return nil
	}
	return controlplane.NotFound("page")
}

// listRows is a page of sessions, the latest first, from behind a place on.
func (s *Service) listRows(tx *db.Tx, scope policy.Scope, f Filter, at int64, after string, limit int) (rows []sessionRow, err error) {
	q := tx.Model(&sessionRow{})
	if !scope.All() {
		only := scope.Customers()
		if f.Customer != "" {
			if only = nil; scope.Allows(f.Customer) {
				only = []string{f.Customer}
			}
		}
		q = q.Where("id IN (SELECT session_id FROM staff_session_customers WHERE customer_id IN ?)", db.Padded(append(only, "")))
	} else if f.Customer != "" {
		q = q.Where("id IN (SELECT session_id FROM staff_session_customers WHERE customer_id = ?)", f.Customer)
	}
	if f.Server != "" {
		q = q.Where("server_id = ?", f.Server)
	}
	if f.Person != "" {
		q = q.Where("id IN (SELECT session_id FROM staff_session_people WHERE person_id = ?)", f.Person)
	}
	if len(f.Kinds) > 0 {
		q = q.Where("kind IN ?", db.Padded(f.Kinds))
	}
	if len(f.States) > 0 {
		q = q.Where("state IN ?", db.Padded(f.States))
	}
	if len(f.Reviews) > 0 {
		q = q.Where("COALESCE((SELECT r.state FROM session_reviews r WHERE r.session_id = staff_sessions.id), ?) IN ?", string(NotWanted), db.Padded(f.Reviews))
	}
	switch {
	case f.Ungrounded && scope.All():
		q = q.Where("lacks <> ''")
	case f.Ungrounded: // what a neighbour's list lacks is not theirs to ask for
		q = q.Where("id IN (SELECT session_id FROM staff_session_customers WHERE lacks <> '' AND customer_id IN ?)", db.Padded(append(scope.Customers(), "")))
	}
	if !f.From.IsZero() {
		q = q.Where("started_at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		q = q.Where("started_at < ?", f.To.UnixMilli())
	}
	if after != "" {
		q = q.Where("(started_at, id) < (?, ?)", at, after)
	}
	if err := q.Order("started_at DESC, id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return rows, nil
}

// glanced reports whether a person looked at a session in a way since an instant.
func glanced(tx *db.Tx, session, by, way string, since int64) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM session_viewings WHERE session_id = ? AND by_id = ? AND way = ? AND opened_at > ?", session, by, way, since).Scan(&n).Error
	return n > 0, err
}
