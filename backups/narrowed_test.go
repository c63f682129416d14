package backups_test

import (
	"testing"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/jobs"
)

// What waits when a tenancy ends or loses folders is cancelled with it; a
// download of one's own copy is not, nor what the tenancy still covers.
func TestNarrowingCancelsWhatWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(h *house) error
		want   jobs.State // of the backup and of the file on its way back
	}{
		"ended": {func(h *house) error {
			_, err := h.customers.EndTenancy(h.ctx, h.all, h.tenancy.ID)
			return err
		}, jobs.Cancelled},
		"other folders": {func(h *house) error {
			_, err := h.customers.UpdateTenancy(h.ctx, h.all, h.tenancy.ID, customers.TenancyChange{Paths: &[]string{"/srv/elsewhere"}})
			return err
		}, jobs.Cancelled},
		"more folders": {func(h *house) error {
			_, err := h.customers.UpdateTenancy(h.ctx, h.all, h.tenancy.ID, customers.TenancyChange{Paths: &[]string{"/srv/elsewhere", "/srv/shop"}})
			return err
		}, jobs.Queued},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				h := newHouse(t, d, clock)
				p, snap := h.ready()
				ctx, scope := h.owner(h.customer.ID)
				run := must[backups.Run](t)(h.backups.RunNow(h.ctx, h.all, p.ID))
				back := must[backups.Restore](t)(h.backups.StartPutBack(ctx, scope, snap.ID, []byte("/srv/shop/a")))
				down := must[backups.Restore](t)(h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/a")))
				if err := tt.change(h); err != nil {
					t.Fatal(err)
				}
				for _, j := range []struct {
					id   string
					want jobs.State
				}{{run.Job, tt.want}, {back.Job, tt.want}, {down.Job, jobs.Queued}} {
					if got := must[jobs.Job](t)(h.jobs.Get(h.ctx, h.all, j.id)); got.State != j.want {
						t.Errorf("%s: got %s, want %s", got.Kind, got.State, j.want)
					}
				}
				if got := must[backups.Run](t)(h.backups.Run(h.ctx, h.all, run.ID)); (got.State == backups.RunCancelled) != (tt.want == jobs.Cancelled) {
					t.Errorf("run: got %s", got.State)
				}
			})
		})
	}
}

// A run that is out already is asked to stop.
func TestNarrowingStopsARun(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p, _ := h.ready()
	run := must[backups.Run](t)(h.backups.RunNow(h.ctx, h.all, p.ID))
	var params wire.BackupParams
	h.take(wire.ActionBackup, &params)
	if _, err := h.customers.EndTenancy(h.ctx, h.all, h.tenancy.ID); err != nil {
		t.Fatal(err)
	}
	if got := must[jobs.Job](t)(h.jobs.Get(h.ctx, h.all, run.Job)); !got.CancelAsked {
		t.Errorf("got %+v, want it asked to stop", got)
	}
}
