package sessions

import (
	"fmt"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// drawRow is one day's sample; a row without a commitment stands for all days
// since the one before it.
type drawRow struct {
	ID          string `gorm:"primaryKey"`
	Day         string
	Commitment  string
	Seed        []byte
	Percent     int64
	OfN         int64
	Drawn       int64
	CommittedAt int64
	RevealedAt  int64
	Percents    string
}

func (drawRow) TableName() string { return "session_draws" }

// drawRows are days' samples, the latest first, before a day.
func drawRows(tx *db.Tx, before string, limit int) (rows []drawRow, err error) {
	q := tx.Order("day DESC").Limit(limit)
	if before != "" {
		q = q.Where("day < ?", before)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list draws: %w", err)
	}
	return rows, nil
}

// percentRow is what was agreed with one customer.
type percentRow struct {
	CustomerID string
	Percent    int64
}

// percentRows are the customers whose percent is another than what holds elsewhere.
func percentRows(tx *db.Tx, elsewhere int64) (rows []percentRow, err error) {
	err = tx.Raw("SELECT customer_id, percent FROM session_terms WHERE percent <> ? ORDER BY customer_id", elsewhere).Scan(&rows).Error
	return rows, err
}

// countDrawn counts, of some days, the sessions that a scope sees.
func countDrawn(tx *db.Tx, scope policy.Scope, period Filter, items []Draw) error {
	days := make([]string, len(items))
	for i, d := range items {
		days[i] = d.Day
	}
	q := tx.Table("session_reviews r").Select("r.draw_day AS day, COUNT(*) AS of_n, SUM(CASE WHEN r.draw_id = d.id THEN 1 ELSE 0 END) AS drawn").
		Joins("JOIN session_draws d ON d.day = r.draw_day").Where("r.draw_day IN ?", db.Padded(append(days, ""))).Where("r.draw_day <> ''").
		Where("r.session_id IN (SELECT session_id FROM staff_session_customers WHERE customer_id IN ?)", db.Padded(append(scope.Customers(), "")))
	if !period.From.IsZero() {
		q = q.Where("r.started_at >= ?", period.From.UnixMilli())
	}
	if !period.To.IsZero() {
		q = q.Where("r.started_at < ?", period.To.UnixMilli())
	}
	var rows []struct {
		Day        string
		OfN, Drawn int64
	}
	if err := q.Group("r.draw_day").Scan(&rows).Error; err != nil {
		return fmt.Errorf("count draws: %w", err)
	}
	for i := range items {
		items[i].Of, items[i].Drawn = 0, 0
		for _, r := range rows {
			if r.Day == items[i].Day {
				items[i].Of, items[i].Drawn = int(r.OfN), int(r.Drawn)
			}
		}
	}
	return nil
}

// lastDraw is the latest day that has a row; "" is none.
func lastDraw(tx *db.Tx) (day string, err error) {
	err = tx.Raw("SELECT COALESCE(MAX(day), '') FROM session_draws").Scan(&day).Error
	return day, err
}

// drawsToReveal are days that are over, whose seed is not shown yet.
func drawsToReveal(tx *db.Tx, today string) (rows []drawRow, err error) {
	err = tx.Where("revealed_at = 0 AND commitment <> '' AND day < ?", today).Order("day").Limit(10).Find(&rows).Error
	return rows, err
}

// drawOf is a day's row; ok is false for none.
func drawOf(tx *db.Tx, day string) (row drawRow, ok bool, err error) {
	err = tx.Where("day = ?", day).Take(&row).Error
	if db.IsNotFound(err) {
		return row, false, nil
	}
	return row, err == nil, err
}

// ofDay is which sessions are of a day: by their end, or without one by their beginning.
const ofDay = "(s.ended_at >= ? AND s.ended_at < ? OR s.endless = 1 AND s.ended_at = 0 AND s.started_at >= ? AND s.started_at < ?)"

func dayArgs(begin, end time.Time) []any {
	b, e := begin.UnixMilli(), end.UnixMilli()
	return []any{b, e, b, e}
}

// sessionsOfDay are the sessions of a day that have a recording and that no
// sample has looked at.
func sessionsOfDay(tx *db.Tx, begin, end time.Time) (ids []string, err error) {
	err = tx.Raw("SELECT s.id FROM staff_sessions s WHERE s.state = 'stored' AND "+ofDay+
		" AND NOT EXISTS (SELECT 1 FROM session_reviews r WHERE r.session_id = s.id AND r.draw_day <> '') ORDER BY s.id", dayArgs(begin, end)...).Scan(&ids).Error
	return ids, err
}

// awaitedOfDay reports whether a recording of a day's session is still to come.
func awaitedOfDay(tx *db.Tx, begin, end time.Time) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM staff_sessions s WHERE s.state IN ('ended', 'uploaded') AND "+ofDay, dayArgs(begin, end)...).Scan(&n).Error
	return n > 0, err
}

// everyCustomerOfDay are the customers whom a day's sessions touch.
func everyCustomerOfDay(tx *db.Tx, begin, end time.Time) (ids []string, err error) {
	err = tx.Raw("SELECT DISTINCT c.customer_id FROM staff_session_customers c JOIN staff_sessions s ON s.id = c.session_id WHERE "+ofDay, dayArgs(begin, end)...).Scan(&ids).Error
	return ids, err
}

// readTo is until when the audit log was read; 0 is not at all.
func readTo(tx *db.Tx) (at int64, err error) {
	err = tx.Raw("SELECT COALESCE(MAX(read_to), 0) FROM session_feed").Scan(&at).Error
	return at, err
}

// markDrawn says that a day's sample has looked at sessions, drawn or not.
func markDrawn(tx *db.Tx, day string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return oneOf(tx, "session_id", ids).Model(&reviewRow{}).Update("draw_day", day).Error
}
