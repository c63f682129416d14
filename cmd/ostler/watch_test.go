package main

import (
	"os"
	"path/filepath"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
)

// The nightly verification opens a finding once a row was changed, and also
// where the whole database was put back to an earlier state.
func TestLedgerWatch(t *testing.T) {
	c := defaults()
	c.DataDir = t.TempDir()
	c, err := c.complete()
	if err != nil {
		t.Fatal(err)
	}
	a, err := OpenApp(t.Context(), c, AppOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	ctx := controlplane.System(t.Context(), "test")
	night := func() ledgerCheck {
		t.Helper()
		if _, err := a.Ledger.Sequence(ctx); err != nil {
			t.Fatal(err)
		}
		v, err := a.verifyLedger(ctx, jobs.Job{})
		if err != nil {
			t.Fatal(err)
		}
		return v.(ledgerCheck)
	}
	if _, err := a.Customers.CreateCustomer(ctx, everyone, customers.NewCustomer{Name: "Maple", Country: "DE", Zone: "Europe/Berlin"}); err != nil {
		t.Fatal(err)
	}
	if v := night(); !v.OK || v.Leaves < 2 {
		t.Fatalf("an untouched ledger: %+v", v)
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, "checkpoint")); err != nil {
		t.Errorf("no checkpoint is kept outside the database: %v", err)
	}
	if err := a.DB.Write(ctx, func(tx *db.Tx) error {
		return tx.Exec("UPDATE ledger_leaves SET leaf = replace(CAST(leaf AS TEXT), 'customer.created', 'customer.creates') WHERE CAST(leaf AS TEXT) LIKE '%customer.created%'").Error
	}); err != nil {
		t.Fatal(err)
	}
	v := night()
	if v.OK || v.Entry == "" {
		t.Fatalf("after a leaf was changed: %+v", v)
	}
	result := []byte(`{"ok":false,"entry":"` + v.Entry + `","detail":"it differs"}`)
	if err := a.DB.Write(ctx, func(tx *db.Tx) error { return a.ledgerVerified(tx, jobs.Job{State: jobs.Succeeded, Result: result}) }); err != nil {
		t.Fatal(err)
	}
	if worst, n, err := a.Findings.Worst(ctx, everyone); err != nil || n != 1 || worst != findings.Bad {
		t.Errorf("findings: %d, worst %q, %v, want one that is bad", n, worst, err)
	}
	if err := a.DB.Write(ctx, func(tx *db.Tx) error {
		return a.ledgerVerified(tx, jobs.Job{State: jobs.Succeeded, Result: []byte(`{"ok":true}`)})
	}); err != nil {
		t.Fatal(err)
	}
	if _, n, _ := a.Findings.Worst(ctx, everyone); n != 0 {
		t.Errorf("after a good night %d findings are open", n)
	}
}
