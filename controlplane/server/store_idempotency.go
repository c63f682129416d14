package server

import "ostler/controlplane/db"

// idempotencyRow is one used Idempotency-Key.
type idempotencyRow struct {
	ID          string `gorm:"column:id;primaryKey"` // hash of actor, method, path and key
	Customer    string `gorm:"column:customer_id"`
	RequestHash []byte `gorm:"column:request_hash"`
	Done        int64  `gorm:"column:done"`
	Answer      []byte `gorm:"column:answer"` // sealed; empty where it is not kept
	CreatedAt   int64  `gorm:"column:created_at;autoCreateTime:false"`
	ExpiresAt   int64  `gorm:"column:expires_at"`
}

func (idempotencyRow) TableName() string { return "idempotency" }

// idempotencyByID returns nil where the key is new.
func idempotencyByID(tx *db.Tx, id string) (*idempotencyRow, error) {
	var rows []idempotencyRow
	if err := tx.Where("id = ?", id).Limit(1).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// claimIdempotency takes a key, over a dead row of it.
func claimIdempotency(tx *db.Tx, r idempotencyRow) error {
	if err := dropIdempotency(tx, r.ID); err != nil {
		return err
	}
	return tx.Create(&r).Error
}

func finishIdempotency(tx *db.Tx, id string, sealed []byte) error {
	return tx.Exec("UPDATE idempotency SET done = 1, answer = ? WHERE id = ?", sealed, id).Error
}

func dropIdempotency(tx *db.Tx, id string) error {
	return tx.Exec("DELETE FROM idempotency WHERE id = ?", id).Error
}

func purgeIdempotency(tx *db.Tx) error {
	return tx.Exec("DELETE FROM idempotency WHERE expires_at <= ?", tx.NowMillis()).Error
}
