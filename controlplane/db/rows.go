package db

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Insert adds a row. Errors: a duplicate (IsDuplicate) where its key is taken.
func Insert[T any](tx *Tx, row *T) error {
	err := tx.Create(row).Error
	if r, ok := any(row).(remembers[T]); ok && err == nil {
		err = r.AfterFind(tx.DB)
	}
	if err != nil {
		return fmt.Errorf("db: insert %T: %w", row, err)
	}
	return nil
}

// remembers is a row that knows how it was read: its AfterFind keeps a copy,
// which Was returns; nil where it was not read.
type remembers[T any] interface {
	Was() *T
	AfterFind(*gorm.DB) error
}

// Save writes a row that is there: every column, or, of one that remembers how
// it was read, what has changed since. A wide row with many indexes costs
// several times as much to write as a few of its columns.
func Save[T any](tx *Tx, row *T) error {
	var err error
	if r, ok := any(row).(remembers[T]); ok && r.Was() != nil {
		if err = saveChanges(tx, r.Was(), row); err == nil {
			err = r.AfterFind(tx.DB)
		}
	} else {
		err = tx.DB.Save(row).Error
	}
	if err != nil {
		return fmt.Errorf("db: save %T: %w", row, err)
	}
	return nil
}

// saveChanges writes the columns in which a row differs from how it was.
func saveChanges[T any](tx *Tx, was, row *T) error {
	stmt := &gorm.Statement{DB: tx.DB}
	if err := stmt.Parse(row); err != nil {
		return err
	}
	before, now := reflect.ValueOf(was).Elem(), reflect.ValueOf(row).Elem()
	var set strings.Builder
	var args []any
	for _, f := range stmt.Schema.Fields {
		v := now.FieldByIndex(f.StructField.Index)
		if f.DBName == "" || same(before.FieldByIndex(f.StructField.Index), v) {
			continue
		}
		if len(args) > 0 {
			set.WriteString(", ")
		}
		set.WriteString(f.DBName + " = ?")
		args = append(args, v.Interface())
	}
	if len(args) == 0 {
		return nil
	}
	id := stmt.Schema.PrioritizedPrimaryField
	res := tx.Exec("UPDATE "+stmt.Schema.Table+" SET "+set.String()+" WHERE "+id.DBName+" = ?", append(args, before.FieldByIndex(id.StructField.Index).Interface())...)
	if res.Error == nil && res.RowsAffected != 1 {
		return fmt.Errorf("there are %d of it: %w", res.RowsAffected, gorm.ErrRecordNotFound)
	}
	return res.Error
}

// same compares two values of a column.
func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice {
		return bytes.Equal(a.Bytes(), b.Bytes())
	}
	return a.Equal(b)
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
