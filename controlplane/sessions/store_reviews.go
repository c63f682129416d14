package sessions

import (
	"cmp"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// reviewRow is how much a session wants to be looked at, and what came of it.
type reviewRow struct {
	SessionID    string `gorm:"primaryKey"`
	StartedAt    int64
	SealOwner    string
	RiskScore    int64
	RiskWhy      string
	State        string
	Before       string // the state that a claim comes back to
	Because      string
	DrawID       string
	DrawDay      string // whose sample has looked at it
	QueuedAt     int64
	DueAt        int64
	ByID         string
	ClaimedUntil int64
	Verdict      string
	VerdictAt    int64
	Watched      int64 // parts in a thousand
	ClaimedBy    string
	Question     []byte
	QuestionBy   string
	QuestionAt   int64
	ClosedWhy    string
	ClosedAt     int64
	Text         []byte
	AskedBy      string
	AskedWhy     []byte
	Answer       []byte
	AnsweredBy   string
	AnsweredAt   int64
	Void         []byte
}

func (reviewRow) TableName() string { return "session_reviews" }

// reviewIn is how the review of a session stands, with a claim that is over given
// back; one that nobody has looked at yet has a row that is not stored.
func reviewIn(tx *db.Tx, row sessionRow) (reviewRow, error) {
	var r reviewRow
	err := tx.Where("session_id = ?", row.ID).Take(&r).Error
	if db.IsNotFound(err) {
		return reviewRow{SessionID: row.ID, StartedAt: row.StartedAt, SealOwner: row.SealOwner, State: string(NotWanted)}, nil
	}
	if err != nil {
		return r, fmt.Errorf("find review: %w", err)
	}
	return r.at(tx.Now), nil
}

// at is a row at an instant: a claim whose time is over is nobody's.
func (r reviewRow) at(now time.Time) reviewRow {
	if ReviewState(r.State) == Claimed && r.ClaimedUntil <= now.UnixMilli() {
		return r.unclaimed()
	}
	if r.ClaimedUntil <= now.UnixMilli() {
		r.ClaimedBy, r.ClaimedUntil = "", 0
	}
	return r
}

// unclaimed is a row without its claim.
func (r reviewRow) unclaimed() reviewRow {
	if ReviewState(r.State) == Claimed {
		r.State = cmp.Or(r.Before, string(Waiting))
	}
	r.Before, r.ClaimedBy, r.ClaimedUntil = "", "", 0
	return r
}

// saveReview stores a row, new or not.
func saveReview(tx *db.Tx, r reviewRow) error { return db.Upsert(tx, &r, "session_id") }

// sealReview seals a text of a review.
func (s *Service) sealReview(r reviewRow, column, text string) ([]byte, error) {
	return s.seal(r.SealOwner, "session_reviews", column, r.SessionID, text)
}

// review opens a row, but for its reviewer's name.
func (s *Service) review(r reviewRow) (Review, error) {
	at := controlplane.FromMillis
	out := Review{State: ReviewState(r.State), Because: r.Because, DueAt: at(r.DueAt), By: cmp.Or(r.ByID, r.ClaimedBy), ClaimedBy: r.ClaimedBy, ClaimedUntil: at(r.ClaimedUntil),
		Verdict: Verdict(r.Verdict), VerdictAt: at(r.VerdictAt), Watched: float64(r.Watched) / 1000, Draw: r.DrawID, QuestionBy: r.QuestionBy, QuestionAt: at(r.QuestionAt),
		Closed: r.ClosedWhy, ClosedAt: at(r.ClosedAt)}
	var err error
	for _, x := range []struct {
		column string
		sealed []byte
		into   *string
	}{{"text", r.Text, &out.Text}, {"question", r.Question, &out.Question}, {"answer", r.Answer, &out.Answer}, {"void", r.Void, &out.Void}, {"asked_why", r.AskedWhy, &out.Why}} {
		if *x.into, err = s.open(r.SealOwner, "session_reviews", x.column, r.SessionID, x.sealed); err != nil {
			return out, fmt.Errorf("review of %s: %w", r.SessionID, err)
		}
	}
	return out, nil
}

// reviewRows are the rows of sessions, by session.
func reviewRows(tx *db.Tx, ids []string) (map[string]reviewRow, error) {
	var rows []reviewRow
	if err := oneOf(tx, "session_id", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find reviews: %w", err)
	}
	out := make(map[string]reviewRow, len(rows))
	for _, r := range rows {
		out[r.SessionID] = r.at(tx.Now)
	}
	return out, nil
}

// openStates are the states in which somebody still has to look.
const openStates = "('waiting', 'claimed', 'asked')"

// watchable is what a session must be for a review: no recording is a finding of its own.
const watchable = "s.state NOT IN ('missing', 'unrecorded')"

// hopelessRow is a session whose review has to end, or to go on.
type hopelessRow struct{ SessionID string }

// hopelessReviews are open reviews whose recording nobody can watch any more, and
// those that ended so and whose recording is here and whole again.
func hopelessReviews(tx *db.Tx, limit int) (rows []hopelessRow, err error) {
	const from = " FROM session_reviews r JOIN staff_sessions s ON s.id = r.session_id LEFT JOIN session_recordings c ON c.session_id = r.session_id WHERE r.state "
	err = tx.Raw("SELECT r.session_id"+from+"IN "+openStates+" AND (s.state IN ('missing', 'unrecorded') OR c.deleted_at > 0 OR c.integrity IN ('changed', 'gone'))"+
		" UNION ALL SELECT r.session_id"+from+"= 'unreviewable' AND s.state = 'stored' AND c.deleted_at = 0 AND c.integrity NOT IN ('changed', 'gone') LIMIT ?", limit).Scan(&rows).Error
	return rows, err
}

// queueRow is one session of the queue.
type queueRow struct {
	SessionID string
	RiskScore int64
	StartedAt int64
}

// queuePlace is where a page of the queue ended.
type queuePlace struct {
	risk, started int64
	id            string
}

// queueRows are sessions that wait, the riskiest first and then the oldest, that
// a person did not take part in by the names that are on record.
func queueRows(tx *db.Tx, f QueueFilter, person, by string, after queuePlace, limit int) (rows []queueRow, err error) {
	q := tx.Table("session_reviews r").Select("r.session_id, r.risk_score, r.started_at").Joins("JOIN staff_sessions s ON s.id = r.session_id").
		Where("r.state IN " + openStates + " AND " + watchable)
	q = q.Where("NOT EXISTS (SELECT 1 FROM staff_session_people p WHERE p.session_id = r.session_id AND p.person_id = ?)", person)
	if f.Customer != "" {
		q = q.Where("EXISTS (SELECT 1 FROM staff_session_customers c WHERE c.session_id = r.session_id AND c.customer_id = ?)", f.Customer)
	}
	if f.Because != "" {
		q = q.Where("r.because = ?", f.Because)
	}
	if f.Mine {
		q = q.Where("(r.by_id = ? AND r.state = 'asked' OR r.claimed_by = ? AND r.claimed_until > ?)", by, by, tx.NowMillis())
	}
	if after.id != "" {
		q = q.Where("(r.risk_score < ? OR r.risk_score = ? AND (r.started_at, r.session_id) > (?, ?))", after.risk, after.risk, after.started, after.id)
	}
	if err := q.Order("r.risk_score DESC, r.started_at, r.session_id").Limit(limit).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("list queue: %w", err)
	}
	return rows, nil
}

// ownWaiting counts the sessions that wait and that a person took part in.
func ownWaiting(tx *db.Tx, person string) (n int64, err error) {
	err = tx.Raw(`SELECT COUNT(DISTINCT r.session_id) FROM session_reviews r JOIN staff_sessions s ON s.id = r.session_id
		JOIN staff_session_people p ON p.session_id = r.session_id WHERE p.person_id = ? AND r.state IN `+openStates+` AND `+watchable, person).Scan(&n).Error
	return n, err
}

// giveBack ends the claims whose time is over, and returns how many.
func giveBack(tx *db.Tx) (n int64, err error) {
	res := tx.Exec("UPDATE session_reviews SET state = before, before = '', claimed_by = '', claimed_until = 0 WHERE state = 'claimed' AND claimed_until <= ? AND before <> ''", tx.NowMillis())
	return res.RowsAffected, res.Error
}

// anyClaimOver reports whether there is something to give back.
func anyClaimOver(tx *db.Tx) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM session_reviews WHERE state = 'claimed' AND claimed_until <= ?", tx.NowMillis()).Scan(&n).Error
	return n > 0, err
}

// overdueRow is what is past its time: how many, since when, and the riskiest one's host.
type overdueRow struct {
	N     int64
	Since int64
	Host  string
}

func overdueReviews(tx *db.Tx) (out overdueRow, err error) {
	from := ` FROM session_reviews r JOIN staff_sessions s ON s.id = r.session_id WHERE r.state IN ` + openStates + ` AND ` + watchable + ` AND r.due_at > 0 AND r.due_at <= ?`
	if err = tx.Raw("SELECT COUNT(*) AS n, COALESCE(MIN(r.due_at), 0) AS since"+from, tx.NowMillis()).Scan(&out).Error; err != nil || out.N == 0 {
		return out, err
	}
	err = tx.Raw("SELECT s.host"+from+" ORDER BY r.risk_score DESC, r.started_at LIMIT 1", tx.NowMillis()).Scan(&out.Host).Error
	return out, err
}

// judgedRow is a verdict that counts, and whose it is.
type judgedRow struct {
	SessionID string
	ByID      string
	VerdictAt int64
}

// judgedAfter are verdicts that count, the oldest first, from behind a place on.
func judgedAfter(tx *db.Tx, at int64, id string, limit int) (rows []judgedRow, err error) {
	err = tx.Raw("SELECT session_id, by_id, verdict_at FROM session_reviews WHERE state = 'reviewed' AND (verdict_at, session_id) > (?, ?) ORDER BY verdict_at, session_id LIMIT ?",
		at, id, limit).Scan(&rows).Error
	return rows, err
}

// countRow is how many reviews came to a state or a verdict.
type countRow struct {
	State, Verdict string
	Overdue        int64
	N              int64
}

// reviewCounts counts what is open now and what was judged since an instant.
func reviewCounts(tx *db.Tx, since int64) (rows []countRow, err error) {
	err = tx.Raw(`SELECT r.state, r.verdict, CASE WHEN r.due_at > 0 AND r.due_at <= ? THEN 1 ELSE 0 END AS overdue, COUNT(*) AS n
		FROM session_reviews r JOIN staff_sessions s ON s.id = r.session_id
		WHERE r.state IN `+openStates+` AND `+watchable+` OR r.state = 'reviewed' AND r.verdict_at >= ? OR r.state = 'unreviewable' AND r.closed_at >= ?
		GROUP BY 1, 2, 3`, tx.NowMillis(), since, since).Scan(&rows).Error
	return rows, err
}

// addressRow is an address from which a person came.
type addressRow struct {
	PersonID     string `gorm:"primaryKey"`
	AddressMark  string `gorm:"primaryKey"`
	FirstSession string
	FirstAt      int64
}

func (addressRow) TableName() string { return "session_addresses" }

// newAddress keeps from where a person came in a session, and reports whether
// it was new to them then: they had come before, from elsewhere.
func newAddress(tx *db.Tx, person, mark string, row sessionRow) (bool, error) {
	var rows []addressRow
	if err := tx.Where("person_id = ? AND (address_mark = ? OR first_at < ?)", person, mark, row.StartedAt).Order("first_at, first_session").Find(&rows).Error; err != nil {
		return false, fmt.Errorf("find addresses: %w", err)
	}
	known, before := false, false
	for _, r := range rows {
		if r.AddressMark == mark {
			known = r.FirstSession != row.ID && r.FirstAt <= row.StartedAt
			if r.FirstAt <= row.StartedAt {
				continue
			}
		}
		before = before || r.AddressMark != mark
	}
	if !known {
		x := addressRow{PersonID: person, AddressMark: mark, FirstSession: row.ID, FirstAt: row.StartedAt}
		if err := db.Upsert(tx, &x, "person_id", "address_mark"); err != nil {
			return false, err
		}
	}
	return !known && before, nil
}

// tookPartThen reports whether a person used a name of a session when it was taken in.
func tookPartThen(tx *db.Tx, session, person string) (bool, error) {
	if person == "" {
		return false, nil
	}
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM staff_session_people WHERE session_id = ? AND person_id = ?", session, person).Scan(&n).Error
	return n > 0, err
}

// sessionRows are the rows of sessions, by id.
func sessionRows(tx *db.Tx, ids []string) (map[string]sessionRow, error) {
	var rows []sessionRow
	if err := oneOf(tx, "id", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find sessions: %w", err)
	}
	out := make(map[string]sessionRow, len(rows))
	for _, r := range rows {
		out[r.ID] = r
	}
	return out, nil
}
