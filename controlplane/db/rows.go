package db

import (
	"fmt"

	"gorm.io/gorm/clause"
)

// Insert adds a row. Errors: a duplicate (IsDuplicate) where its key is taken.
func Insert[T any](tx *Tx, row *T) error {
	if err := tx.Create(row).Error; err != nil {
		return fmt.Errorf("db: insert %T: %w", row, err)
	}
	return nil
}

// Save writes every column of a row that is there.
func Save[T any](tx *Tx, row *T) error {
	if err := tx.DB.Save(row).Error; err != nil {
		return fmt.Errorf("db: save %T: %w", row, err)
	}
	return nil
}

// Upsert inserts a row, or writes all of it over the one with the same key.
func Upsert[T any](tx *Tx, row *T, key ...string) error {
	columns := make([]clause.Column, len(key))
	for i, k := range key {
		columns[i].Name = k
	}
	if err := tx.Clauses(clause.OnConflict{Columns: columns, UpdateAll: true}).Create(row).Error; err != nil {
		return fmt.Errorf("db: upsert %T: %w", row, err)
	}
	return nil
}
