package access

import (
	"fmt"

	"ostler/controlplane/db"
)

type termsRow struct {
	CustomerID       string `gorm:"primaryKey"`
	NoticeHours      int64
	SecondPerson     int64
	CustomerApproves int64
	MaxDays          int64
	RecordingMonths  int64
	Brief            []byte
	BriefVersion     string
	Version          int64
	UpdatedAt        int64 `gorm:"autoUpdateTime:false"`
}

func (termsRow) TableName() string { return "access_terms" }

// termsOf is what was agreed with a customer, the zero row where nothing was.
func termsOf(tx *db.Tx, customer string) (termsRow, error) {
	var rows []termsRow
	if err := tx.Where("customer_id = ?", customer).Limit(1).Find(&rows).Error; err != nil {
		return termsRow{}, fmt.Errorf("find terms: %w", err)
	}
	if len(rows) == 0 {
		return termsRow{}, nil
	}
	return rows[0], nil
}
