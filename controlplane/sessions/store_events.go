package sessions

import (
	"encoding/json"
	"errors"
	"fmt"

	"ostler/controlplane/db"
)

// feedRow is how the reading of the cluster's audit log goes.
type feedRow struct {
	ID           int64 `gorm:"primaryKey;autoIncrement:false"`
	Cluster      string
	BeganAt      int64
	Watermark    int64
	ReadTo       int64
	ReadAt       int64
	DeepAt       int64
	DeepAsked    int64
	NextAt       int64
	Events       int64
	Trouble      string
	TroubleSince int64
}

func (feedRow) TableName() string { return "session_feed" }

// feedIn is the one row, the zero row before the first reading.
func feedIn(tx *db.Tx) (feedRow, error) {
	var rows []feedRow
	if err := tx.Where("id = 1").Limit(1).Find(&rows).Error; err != nil {
		return feedRow{}, fmt.Errorf("find feed: %w", err)
	}
	if len(rows) == 0 {
		return feedRow{ID: 1}, nil
	}
	return rows[0], nil
}

func saveFeed(tx *db.Tx, row feedRow) error {
	row.ID = 1
	return db.Upsert(tx, &row, "id")
}

// batchRow are events of a page as they came, of the same customers, compressed
// and sealed. Once they were let go of the row stays, without its data.
type batchRow struct {
	ID        string `gorm:"primaryKey"`
	Cluster   string
	Events    int64
	SHA256    string `gorm:"column:sha256"`
	Data      []byte
	ReadAt    int64
	SealOwner string
	Customers string // joined by ","
	LastAt    int64
	HeldUntil int64
	DeletedAt int64
}

func (batchRow) TableName() string { return "session_batches" }

// eventRow is one event: Pos and Len are where it stands in its batch.
type eventRow struct {
	Cluster string `gorm:"primaryKey"`
	EventID string `gorm:"primaryKey"`
	Mark    string
	Type    string
	At      int64
	BatchID string
	Pos     int64
	Len     int64
}

func (eventRow) TableName() string { return "session_events" }

// knownEvents are those of the ids that were taken in.
func knownEvents(tx *db.Tx, cluster string, ids []string) (map[string]bool, error) {
	var known []string
	err := tx.Raw("SELECT event_id FROM session_events WHERE cluster = ? AND event_id IN "+listed(tx.Dialect()), cluster, textList(ids)).Scan(&known).Error
	out := make(map[string]bool, len(known))
	for _, id := range known {
		out[id] = true
	}
	return out, err
}

// insertEvents inserts all rows by one statement with one parameter: the SQLite
// driver binds many in quadratic time.
func insertEvents(tx *db.Tx, cluster, batch string, rows []eventRow) error {
	list := make([][6]any, len(rows))
	for i, r := range rows {
		list[i] = [6]any{r.EventID, r.Mark, r.Type, r.At, r.Pos, r.Len}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	query := `INSERT INTO session_events (cluster, event_id, mark, type, at, batch_id, pos, len)
		SELECT ?, value->>0, value->>1, value->>2, value->>3, ?, value->>4, value->>5 FROM json_each(?)`
	if tx.Dialect() == db.Postgres {
		query = `INSERT INTO session_events (cluster, event_id, mark, type, at, batch_id, pos, len)
			SELECT CAST(? AS text), x->>0, x->>1, x->>2, (x->>3)::bigint, CAST(? AS text), (x->>4)::bigint, (x->>5)::bigint FROM json_array_elements(CAST(? AS json)) x`
	}
	if err := tx.Exec(query, cluster, batch, string(text)).Error; err != nil {
		return fmt.Errorf("insert events: %w", err)
	}
	return nil
}

// eventRowsOf are the events of a session, the oldest first.
func eventRowsOf(tx *db.Tx, cluster, mark string, limit int) (rows []eventRow, err error) {
	if mark == "" {
		return nil, nil
	}
	err = tx.Where("cluster = ? AND mark = ?", cluster, mark).Order("at, batch_id, pos").Limit(limit).Find(&rows).Error
	return rows, err
}

// batchIn is a batch.
func batchIn(tx *db.Tx, id string) (row batchRow, err error) {
	err = tx.Where("id = ?", id).Take(&row).Error
	return row, err
}

// customersByMark are the customers of sessions that are here, by mark, sorted.
func customersByMark(tx *db.Tx, cluster string, marks []string) (map[string][]string, error) {
	var rows []struct{ Mark, CustomerID string }
	err := tx.Raw(`SELECT s.mark, COALESCE(c.customer_id, '') AS customer_id FROM staff_sessions s LEFT JOIN staff_session_customers c ON c.session_id = s.id
		WHERE s.cluster = ? AND s.mark IN `+listed(tx.Dialect())+` ORDER BY s.mark, c.customer_id`, cluster, textList(marks)).Scan(&rows).Error
	out := map[string][]string{}
	for _, r := range rows {
		if out[r.Mark] == nil {
			out[r.Mark] = []string{}
		}
		if r.CustomerID != "" {
			out[r.Mark] = append(out[r.Mark], r.CustomerID)
		}
	}
	return out, err
}

// markOfLeave is the session on a host, live at an instant, that a name takes
// part in: the latest; "" is none.
func markOfLeave(tx *db.Tx, cluster, host, userMark string, at int64) (mark string, err error) {
	err = tx.Raw(`SELECT s.mark FROM staff_session_people p JOIN staff_sessions s ON s.id = p.session_id
		WHERE p.user_mark = ? AND p.started_at <= ? AND s.cluster = ? AND s.host = ? AND s.state = 'live' ORDER BY p.started_at DESC, s.id DESC LIMIT 1`,
		userMark, at, cluster, host).Scan(&mark).Error
	return mark, err
}

// quarantineRow is an event that could not be taken in.
type quarantineRow struct {
	ID         string `gorm:"primaryKey"`
	Cluster    string
	EventID    string
	Type       string
	At         int64
	SeenAt     int64
	Reason     string
	Bytes      int64
	Raw        []byte
	ResolvedAt int64
	ResolvedBy string
	Why        []byte
}

func (quarantineRow) TableName() string { return "session_quarantine" }

// quarantinedNow counts those that nobody has looked at.
func quarantinedNow(tx *db.Tx) (n int64, err error) {
	err = tx.Raw("SELECT COUNT(*) FROM session_quarantine WHERE resolved_at = 0").Scan(&n).Error
	return n, err
}

// quarantinedAs are those of the events that are in quarantine, by event.
func quarantinedAs(tx *db.Tx, cluster string, ids []string) (map[string]quarantineRow, error) {
	var rows []quarantineRow
	err := tx.Omit("raw").Where("cluster = ? AND event_id IN "+listed(tx.Dialect()), cluster, textList(ids)).Find(&rows).Error
	out := make(map[string]quarantineRow, len(rows))
	for _, r := range rows {
		out[r.EventID] = r
	}
	return out, err
}

// quarantineRows is a page of them, the latest first.
func quarantineRows(tx *db.Tx, at int64, after string, limit int) (rows []quarantineRow, err error) {
	q := tx.Omit("raw").Order("seen_at DESC, id DESC").Limit(limit)
	if after != "" {
		q = q.Where("(seen_at, id) < (?, ?)", at, after)
	}
	err = q.Find(&rows).Error
	return rows, err
}

// resolveQuarantine marks rows as looked at, or taken in later. What somebody
// looked at stays until its term is over; what was taken in stands in a batch.
func resolveQuarantine(tx *db.Tx, id, by string, why []byte) error {
	raw := ""
	if by == "" {
		raw = ", raw = NULL"
	}
	return tx.Exec("UPDATE session_quarantine SET resolved_at = ?, resolved_by = ?, why = ?"+raw+" WHERE id = ? AND resolved_at = 0", tx.NowMillis(), by, why, id).Error
}

// quarantinedBefore are rows whose bytes are still here and that came before an instant.
func quarantinedBefore(tx *db.Tx, before int64, limit int) (rows []quarantineRow, err error) {
	err = tx.Omit("raw").Where("raw IS NOT NULL AND seen_at < ?", before).Order("seen_at").Limit(limit).Find(&rows).Error
	return rows, err
}

// dropQuarantined lets go of the bytes of an event in quarantine.
func dropQuarantined(tx *db.Tx, id string) error {
	return tx.Exec("UPDATE session_quarantine SET raw = NULL WHERE id = ?", id).Error
}

// batchGroup is whose batches there are, and of when the oldest is.
type batchGroup struct {
	Customers string
	First     int64
}

// batchGroups are the customers who have batches that are there.
func batchGroups(tx *db.Tx) (out []batchGroup, err error) {
	err = tx.Raw("SELECT customers, MIN(last_at) AS first FROM session_batches WHERE deleted_at = 0 GROUP BY customers ORDER BY customers").Scan(&out).Error
	return out, err
}

// batchesBefore are batches of the same customers whose newest event is older
// than an instant, and that no hold is known to keep.
func batchesBefore(tx *db.Tx, customers string, before int64, limit int) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM session_batches WHERE customers = ? AND deleted_at = 0 AND last_at < ? AND held_until <= ? ORDER BY last_at, id LIMIT ?",
		customers, before, tx.NowMillis(), limit).Scan(&ids).Error
	return ids, err
}

// sessionsIn are the sessions that events of a batch are of.
func sessionsIn(tx *db.Tx, cluster, batch string) (ids []string, err error) {
	err = tx.Raw("SELECT id FROM staff_sessions WHERE cluster = ? AND mark IN (SELECT mark FROM session_events WHERE batch_id = ? AND mark <> '') ORDER BY id", cluster, batch).Scan(&ids).Error
	return ids, err
}

// dropBatch lets go of a batch's events; its row stays. Of events that may be
// read again, from an instant on, it stays known that they were.
func dropBatch(tx *db.Tx, id string, from int64) error {
	return errors.Join(tx.Exec("DELETE FROM session_events WHERE batch_id = ? AND at < ?", id, from).Error,
		tx.Exec("UPDATE session_batches SET data = ?, deleted_at = ? WHERE id = ?", []byte{}, tx.NowMillis(), id).Error)
}

// holdBatch says until when a batch that a hold keeps is not looked at.
func holdBatch(tx *db.Tx, id string, until int64) error {
	return tx.Exec("UPDATE session_batches SET held_until = ? WHERE id = ?", until, id).Error
}

// clearMatch forgets on what ground a session was, before it is said anew. Who was
// known to have taken part stays: a name that is changed later makes nobody a
// stranger to their own session.
func clearMatch(tx *db.Tx, session string) error {
	return errors.Join(tx.Exec("DELETE FROM staff_session_customers WHERE session_id = ?", session).Error,
		tx.Exec("DELETE FROM staff_session_people WHERE session_id = ? AND person_id = ''", session).Error)
}

// customersCalled are all customers.
func (s *Service) customersCalled(tx *db.Tx) (ids []string, err error) {
	query, args := s.customers.Called(ofFeed())
	err = tx.Raw("SELECT id FROM ("+query+") c ORDER BY id", args...).Scan(&ids).Error
	return ids, err
}

// customersLiving are the customers who live on some server.
func (s *Service) customersLiving(tx *db.Tx) (ids []string, err error) {
	query, args := s.customers.Living(ofFeed())
	err = tx.Raw("SELECT DISTINCT customer_id FROM ("+query+") c ORDER BY customer_id", args...).Scan(&ids).Error
	return ids, err
}

// unrecordedOn counts the commands of a server and day that left no recording,
// and says when the latest ran.
func unrecordedOn(tx *db.Tx, g grouped) (n, last int64, err error) {
	var row struct{ N, Last int64 }
	err = tx.Raw(`SELECT COUNT(*) AS n, COALESCE(MAX(started_at), 0) AS last FROM staff_sessions
		WHERE server_id = ? AND host = ? AND started_at >= ? AND started_at < ? AND state = 'unrecorded' AND sid = ''`,
		g.server, g.host, g.day, g.day+24*60*60*1000).Scan(&row).Error
	return row.N, row.Last, err
}

// overdue is a session whose recording should be here by now.
type overdue struct{ ID, State string }

// overdueRows are sessions whose recording should be here by now, as far as the
// log was read until then: those of which nothing came, and those whose recording
// the cluster has and nobody brought.
func overdueRows(tx *db.Tx, readTo int64, limit int) (out []overdue, err error) {
	err = tx.Raw("SELECT id, state FROM staff_sessions WHERE state IN ('ended', 'uploaded') AND due_at <= ? ORDER BY due_at, id LIMIT ?", min(readTo, tx.NowMillis()), limit).Scan(&out).Error
	return out, err
}

// liveRows are sessions without an end that began before an instant, and nothing
// of which was seen since.
func liveRows(tx *db.Tx, before int64, limit int) (rows []sessionRow, err error) {
	err = tx.Where(`state = 'live' AND started_at <= ? AND NOT EXISTS (SELECT 1 FROM session_events e WHERE e.mark = staff_sessions.mark AND e.at > ?)`, before, before).
		Order("started_at, id").Limit(limit).Find(&rows).Error
	return rows, err
}

// unmatchedRows are sessions that lack a ground and began since an instant, from an id on.
func unmatchedRows(tx *db.Tx, since int64, after string, limit int) (rows []sessionRow, err error) {
	err = tx.Where("lacks <> '' AND started_at >= ? AND id > ?", since, after).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// rowsOfName are the sessions that a name took part in since an instant, from an id on.
func rowsOfName(tx *db.Tx, mark string, since int64, after string, limit int) (rows []sessionRow, err error) {
	err = tx.Where("id > ? AND id IN (SELECT session_id FROM staff_session_people WHERE user_mark = ? AND started_at >= ?)", after, mark, since).
		Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

// namesSince are the names that took part in sessions since an instant, with
// whose they are held to be, and one session of each.
func namesSince(tx *db.Tx, since int64) (rows []peopleRow, err error) {
	err = tx.Raw("SELECT user_mark, person_id, MAX(session_id) AS session_id FROM staff_session_people WHERE started_at >= ? GROUP BY user_mark, person_id", since).Scan(&rows).Error
	return rows, err
}
