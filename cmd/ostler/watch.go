package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// watchLedger is the kind of the nightly job and schedule that verify the ledger.
const watchLedger = "ledger.verify"

// ledgerCheck is what the nightly verification found.
type ledgerCheck struct {
	OK     bool   `json:"ok"`
	Leaves int64  `json:"leaves"`
	Entry  string `json:"entry"`
	Detail string `json:"detail"`
}

// watch has the plane verify its own ledger every night, against the newest
// checkpoint that it kept outside the database, and makes a difference a finding.
func (a *App) watch(ctx context.Context) error {
	a.Jobs.Handle(watchLedger, jobs.Handler{Run: a.verifyLedger, Done: a.ledgerVerified})
	a.Jobs.HandleSchedule(watchLedger, func(tx *db.Tx, _ jobs.Schedule, at time.Time) error {
		_, err := a.Jobs.Enqueue(tx, jobs.Spec{Kind: watchLedger, Executor: jobs.Plane, Resource: watchLedger, Key: fmt.Sprintf("%s:%d", watchLedger, at.Unix()),
			Subject: watchLedger, Timeout: 2 * time.Hour, MaxAttempts: 3, Title: "job.ledger_verify"})
		return err
	})
	return a.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := a.Jobs.PutSchedule(tx, jobs.Schedule{Key: watchLedger, Kind: watchLedger, Cron: "40 4 * * *", Zone: "UTC", CatchUp: true, Enabled: true})
		return err
	})
}

func (a *App) verifyLedger(ctx context.Context, _ jobs.Job) (any, error) {
	kept := filepath.Join(a.Config.DataDir, "checkpoint")
	var known []string
	switch b, err := os.ReadFile(kept); {
	case err == nil:
		known = []string{string(b)}
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("ledger watch: %w", err)
	}
	r, err := a.Ledger.Verify(ctx, policy.AllCustomers("the nightly verification"), ledger.VerifyOptions{Known: known})
	if err != nil {
		return nil, err
	}
	if !r.OK() {
		return ledgerCheck{Leaves: r.Leaves, Entry: r.Problems[0].Entry, Detail: r.First()}, nil
	}
	c, err := a.Ledger.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(kept+".new", c, 0o600); err != nil {
		return nil, fmt.Errorf("ledger watch: %w", err)
	}
	return ledgerCheck{OK: true, Leaves: r.Leaves}, os.Rename(kept+".new", kept)
}

func (a *App) ledgerVerified(tx *db.Tx, job jobs.Job) error {
	v, ok := jobs.Result[ledgerCheck](job)
	if !ok {
		v = ledgerCheck{Detail: "the nightly verification could not be carried out"}
	}
	if v.OK {
		return a.Findings.Close(tx, findings.LedgerBroken, "the ledger verifies")
	}
	args := map[string]string{"detail": v.Detail}
	if v.Entry != "" {
		args["entry"] = v.Entry
	}
	return a.Findings.Raise(tx, findings.Finding{Key: findings.LedgerBroken, Kind: findings.LedgerBroken, Severity: findings.Bad, Owner: findings.Ops,
		Subject: job.ID, Args: args, Link: "/jobs/" + job.ID})
}
