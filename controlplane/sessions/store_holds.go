package sessions

import (
	"fmt"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// holdRow is one hold.
type holdRow struct {
	ID                    string `gorm:"primaryKey"`
	SessionID, CustomerID string
	SealOwner             string
	FromAt, ToAt          int64
	Reason                []byte
	ByID                  string
	MadeAt, EndsAt        int64
	AskedBy               string
	AskedAt               int64
	ReleasedBy            string
	ReleasedAt            int64
	ReleaseWhy            []byte
	Alone                 int64
	ReviewedBy            string
	ReviewedAt            int64
}

func (holdRow) TableName() string { return "session_holds" }

// termsRow is what was agreed with a customer.
type termsRow struct {
	CustomerID      string `gorm:"primaryKey"`
	Watch, Commands int64
	Percent         int64
	Version         int64
	UpdatedAt       int64 `gorm:"autoUpdateTime:false"`
}

func (termsRow) TableName() string { return "session_terms" }

// standingHolds are the holds that stand now.
func standingHolds(tx *db.Tx) (rows []holdRow, err error) {
	err = tx.Where("released_at = 0 AND ends_at > ?", tx.NowMillis()).Order("made_at, id").Find(&rows).Error
	return rows, err
}

// holdRows are holds within a scope, the latest first; all with those that stood.
func holdRows(tx *db.Tx, scope policy.Scope, customer string, all bool) (rows []holdRow, err error) {
	q := db.Within(tx.DB, scope)
	if customer != "" {
		q = q.Where("customer_id = ? OR session_id <> '' AND EXISTS (SELECT 1 FROM staff_session_customers c WHERE c.session_id = session_holds.session_id AND c.customer_id = ?)", customer, customer)
	}
	if !all {
		q = q.Where("released_at = 0 AND ends_at > ? OR alone = 1 AND reviewed_by = ''", tx.NowMillis())
	}
	if err = q.Order("made_at DESC, id DESC").Limit(1000).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find holds: %w", err)
	}
	return rows, nil
}

// heldSessions are the times and customers of sessions, for holds on customers.
func heldSessions(tx *db.Tx, ids []string) (rows []struct {
	SessionID, CustomerID string
	StartedAt, EndedAt    int64
}, err error) {
	err = tx.Raw("SELECT c.session_id, c.customer_id, s.started_at, s.ended_at FROM staff_session_customers c JOIN staff_sessions s ON s.id = c.session_id WHERE c.session_id IN "+listed(tx.Dialect()), textList(ids)).Scan(&rows).Error
	return rows, err
}

// termsIn is what was agreed with a customer; ok is false where nothing was said.
func termsIn(tx *db.Tx, scope policy.Scope, customer string) (row termsRow, ok bool, err error) {
	rows, err := db.Where[termsRow](tx, scope, "customer_id", 1, "customer_id = ?", customer)
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	return rows[0], true, nil
}
