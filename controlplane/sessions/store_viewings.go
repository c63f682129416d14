package sessions

import (
	"fmt"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// viewingRow is one look at a recording.
type viewingRow struct {
	ID        string `gorm:"primaryKey"`
	SessionID string
	SealOwner string
	ByID      string
	ByKind    string
	ByName    []byte
	Way       string
	Purpose   string
	OpenedAt  int64
	LastAt    int64
	WatchedMS int64 `gorm:"column:watched_ms"`
	Parts     string
	Query     []byte
}

func (viewingRow) TableName() string { return "session_viewings" }

// viewingOf is a viewing by id. Errors: not found.
func viewingOf(tx *db.Tx, id string) (row viewingRow, err error) {
	err = tx.Where("id = ?", id).Take(&row).Error
	switch {
	case db.IsNotFound(err):
		return row, controlplane.NotFound("viewing")
	case err != nil:
		return row, fmt.Errorf("find viewing: %w", err)
	}
	return row, nil
}

// insertViewings adds rows, a few in each statement.
func insertViewings(tx *db.Tx, rows []viewingRow) error {
	for part := range slices.Chunk(rows, 20) {
		if err := tx.Create(&part).Error; err != nil {
			return fmt.Errorf("insert viewings: %w", err)
		}
	}
	return nil
}

// viewingRows is a page of viewings within a scope and a period, the latest first.
func viewingRows(tx *db.Tx, scope policy.Scope, f ViewingFilter, period Filter, limit int) (rows []viewingRow, err error) {
	q := tx.Model(&viewingRow{})
	if !scope.All() {
		only := scope.Customers()
		if f.Customer != "" {
			if only = nil; scope.Allows(f.Customer) {
				only = []string{f.Customer}
			}
		}
		q = q.Where("session_id IN (SELECT session_id FROM staff_session_customers WHERE customer_id IN ?)", db.Padded(append(only, "")))
	} else if f.Customer != "" {
		q = q.Where("session_id IN (SELECT session_id FROM staff_session_customers WHERE customer_id = ?)", f.Customer)
	}
	if !period.From.IsZero() {
		q = q.Where("session_id IN (SELECT id FROM staff_sessions WHERE started_at >= ?)", period.From.UnixMilli())
	}
	if !period.To.IsZero() {
		q = q.Where("session_id IN (SELECT id FROM staff_sessions WHERE started_at < ?)", period.To.UnixMilli())
	}
	if f.Session != "" {
		q = q.Where("session_id = ?", f.Session)
	}
	if f.By != "" {
		q = q.Where("by_id = ?", f.By)
	}
	if !f.From.IsZero() {
		q = q.Where("opened_at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		q = q.Where("opened_at < ?", f.To.UnixMilli())
	}
	if f.PageToken != "" {
		q = q.Where("id < ?", f.PageToken)
	}
	if err := q.Order("id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list viewings: %w", err)
	}
	return rows, nil
}

// lastSign is when a person last gave a sign of looking at a session.
func lastSign(tx *db.Tx, session, by string) (at int64, err error) {
	err = tx.Raw("SELECT COALESCE(MAX(last_at), 0) FROM session_viewings WHERE session_id = ? AND by_id = ? AND way = ?", session, by, wayPlayer).Scan(&at).Error
	return at, err
}

// waysOf are how a person looked at a session's recording, but for searches.
func waysOf(tx *db.Tx, session, by string) (ways []string, err error) {
	err = tx.Raw("SELECT DISTINCT way FROM session_viewings WHERE session_id = ? AND by_id = ? AND way <> ?", session, by, waySearch).Scan(&ways).Error
	return ways, err
}

// partsOf are the stretches of all viewings of a person and a session.
func partsOf(tx *db.Tx, session, by string) (texts []string, err error) {
	err = tx.Raw("SELECT parts FROM session_viewings WHERE session_id = ? AND by_id = ? AND watched_ms > 0", session, by).Scan(&texts).Error
	return texts, err
}

// watchedPart is what was watched of a session in one viewing.
type watchedPart struct{ SessionID, Parts string }

// partsSince are the stretches of all viewings with a sign since an instant.
func partsSince(tx *db.Tx, since int64) (rows []watchedPart, err error) {
	err = tx.Raw("SELECT session_id, parts FROM session_viewings WHERE last_at >= ? AND watched_ms > 0 ORDER BY session_id", since).Scan(&rows).Error
	return rows, err
}

// prolongClaim has a claim end later, where it is that person's and not over.
func prolongClaim(tx *db.Tx, session, by string, until int64) error {
	return tx.Exec("UPDATE session_reviews SET claimed_until = ? WHERE session_id = ? AND claimed_by = ? AND claimed_until > ? AND claimed_until < ?", until, session, by, tx.NowMillis(), until).Error
}

// noteRow is a remark at a second of a recording.
type noteRow struct {
	ID        string `gorm:"primaryKey"`
	SessionID string
	SealOwner string
	AtMS      int64 `gorm:"column:at_ms"`
	Text      []byte
	ByID      string
	ByName    []byte
	MadeAt    int64
	Shown     int64
}

func (noteRow) TableName() string { return "session_notes" }

// noteRows are the remarks on a session, in the recording's order: all, or those
// that are shown to the customer and those of one person.
func noteRows(tx *db.Tx, session string, all bool, by string) (rows []noteRow, err error) {
	q := tx.Where("session_id = ?", session)
	if !all {
		q = q.Where("shown = 1 OR by_id = ?", by)
	}
	err = q.Order("at_ms, id").Find(&rows).Error
	return rows, err
}
