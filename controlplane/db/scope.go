package db

import (
	"fmt"
	"math/bits"
	"slices"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// Within narrows a query to the rows of a scope's customers, by the table's
// customer_id. What belongs to the company ("") is only in a scope over all.
func Within(q *gorm.DB, scope policy.Scope) *gorm.DB {
	if scope.All() {
		return q
	}
	return q.Where("customer_id IN ? AND customer_id <> ''", Padded(scope.Customers()))
}

// Padded repeats the last value up to a power of two, so that lists of any
// length are few different statements.
func Padded[T any](values []T) []T {
	if len(values) < 2 {
		return values
	}
	n := 1 << bits.Len(uint(len(values)-1))
	return append(slices.Clone(values), slices.Repeat(values[len(values)-1:], n-len(values))...)
}

// One finds a single row by id within the scope. Errors: not_found, naming the
// noun; another customer's row and one that does not exist answer the same.
func One[T any](tx *Tx, scope policy.Scope, noun, id string) (T, error) {
	var row T
	err := Within(tx.DB, scope).Where("id = ?", id).Take(&row).Error
	switch {
	case IsNotFound(err):
		return row, controlplane.NotFound(noun)
	case err != nil:
		return row, fmt.Errorf("db: find %s: %w", noun, err)
	}
	return row, nil
}

// Where finds the rows of a condition within the scope, at most limit of them
// unless that is 0.
func Where[T any](tx *Tx, scope policy.Scope, order string, limit int, cond string, args ...any) ([]T, error) {
	var rows []T
	q := Within(tx.DB, scope).Where(cond, args...).Order(order)
	if limit > 0 {
		q = q.Limit(limit)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("db: find %T: %w", rows, err)
	}
	return rows, nil
}
