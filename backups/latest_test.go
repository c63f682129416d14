package backups_test

import (
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/policy"
)

func TestLatestSnapshots(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		plan, first := h.ready()
		clock.Advance(time.Hour)
		if _, err := h.backups.RunNow(h.ctx, h.all, plan.ID); err != nil {
			t.Fatal(err)
		}
		h.backup(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 7})
		ctx, scope := h.owner(h.customer.ID)
		got, err := h.backups.LatestSnapshots(ctx, scope, []string{first.Server, "srv_none"})
		if err != nil || len(got) != 1 || got[first.Server].Files != 7 || !got[first.Server].ArrivedAt.After(first.ArrivedAt) {
			t.Errorf("got %+v, %v, want the second copy", got, err)
		}
		if got, err := h.backups.LatestSnapshots(ctx, policy.OneCustomer("cus_none"), []string{first.Server}); err != nil || len(got) != 0 {
			t.Errorf("another customer: got %+v, %v", got, err)
		}
		if got, err := h.backups.LatestSnapshots(ctx, scope, nil); err != nil || len(got) != 0 {
			t.Errorf("no servers: got %+v, %v", got, err)
		}
		if days, err := h.backups.Calendar(ctx, scope, plan, 3); err != nil || len(days) != 3 || days[2].State != backups.RunComplete || days[2].Runs != 2 {
			t.Errorf("calendar: got %+v, %v", days, err)
		}
	})
}

func TestUncovered(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		look := func(scope policy.Scope, open, unplanned int) {
			t.Helper()
			got, without, err := h.backups.Uncovered(h.ctx, scope)
			if err != nil || len(got) != open || len(without) != unplanned {
				t.Errorf("got %d plans and %d tenancies, %v, want %d and %d", len(got), len(without), err, open, unplanned)
			}
		}
		look(h.all, 0, 1)
		look(policy.OneCustomer("cus_none"), 0, 0)
		plan := h.plan(backups.CustodyEscrow)
		look(h.all, 1, 0)
		look(policy.OneCustomer(plan.Customer), 1, 0)
		look(policy.OneCustomer("cus_none"), 0, 0)
		h.prepared()
		h.tick()
		var init wire.RepoInitParams
		h.finish(h.take(wire.ActionRepoInit, &init), wire.RepoInitialised{ResticID: "abc", Created: true})
		look(h.all, 1, 0)
		h.backup(wire.BackupResult{Outcome: wire.BackupComplete})
		look(h.all, 0, 0)
	})
}
