//go:build slow

package e2e_test

import (
	"testing"

	"ostler/internal/pgtest"
)

// TestSlowSessionsMainLine walks it on PostgreSQL.
func TestSlowSessionsMainLine(t *testing.T) {
	t.Parallel()
	sessionsMainLine(t, pgtest.URL(t))
}

// TestSlowAccessMainLine walks lists on PostgreSQL.
func TestSlowAccessMainLine(t *testing.T) {
	t.Parallel()
	accessMainLine(t, pgtest.URL(t))
}
