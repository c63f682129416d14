package db_test

import (
	"net/url"
	"strings"
	"testing"

	"ostler/controlplane/db"
	"ostler/internal/pgtest"
)

// TestRoleThatPassesBy: a superuser sees every customer's rows whatever the
// policies say, so the plane does not start as one.
func TestRoleThatPassesBy(t *testing.T) {
	u, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User("postgres")
	d, err := db.Open(t.Context(), db.Options{URL: u.String()})
	if err == nil {
		_ = d.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "row-level security") {
		t.Errorf("opened as a superuser: got %v, want a refusal", err)
	}
}
