package backups_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
)

// When a customer leaves a server, or gives folders up, another may get them: a
// plan made before must not read them, nor a restore write into them.
func TestAPlanEndsWhereTheTenancyDoes(t *testing.T) {
	for name, change := range map[string]func(*house) error{
		"ended": func(h *house) error {
			_, err := h.customers.EndTenancy(h.ctx, h.all, h.tenancy.ID)
			return err
		},
		"other folders": func(h *house) error {
			paths := []string{"/srv/elsewhere"}
			_, err := h.customers.UpdateTenancy(h.ctx, h.all, h.tenancy.ID, customers.TenancyChange{Paths: &paths})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				h := newHouse(t, d, clock)
				p, snap := h.ready()
				ctx, scope := h.owner(h.customer.ID)
				if err := change(h); err != nil {
					t.Fatal(err)
				}
				if _, err := h.backups.RunNow(ctx, scope, p.ID); controlplane.ErrorCode(err) != controlplane.CodeConflict {
					t.Errorf("run now: got %v, want conflict", err)
				}
				if _, err := h.backups.StartPutBack(ctx, scope, snap.ID, []byte("/srv/shop/a")); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
					t.Errorf("put back: got %v, want invalid", err)
				}
				if _, err := h.backups.StartDownload(ctx, scope, snap.ID, []byte("/srv/shop/a")); err != nil {
					t.Errorf("download of one's own copy: %v", err)
				}
				clock.Advance(25 * time.Hour)
				h.tick()
				runs := must[[]backups.Run](t)(h.backups.Runs(ctx, scope, p.ID, time.Time{}, 1))
				if len(runs) != 1 || runs[0].State != backups.RunFailed || runs[0].Job != "" {
					t.Errorf("the scheduled run: got %+v, want one that failed without a job", runs)
				}
				if _, ok := h.openKinds()[findings.BackupFailed]; !ok {
					t.Error("no finding says that there are no backups")
				}
			})
		})
	}
}

// Whoever may add a store must not have the control plane write other files of
// its machine, or signal other processes.
func TestAStoreNamesItsOwnFilesOnly(t *testing.T) {
	h := newHouse(t, dbtest.SQLite(t, &dbtest.Clock{}), &dbtest.Clock{})
	dir := t.TempDir()
	for _, name := range []string{"folder.htpasswd", "folder.pid"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i, tt := range []struct {
		htpasswd, pid string
		ok            bool
	}{
		{dir + "/htpasswd", dir + "/rest-server.pid", true},
		{dir + "/.htpasswd", "", true},
		{dir + "/nowhere/htpasswd", "", false},
		{dir + "/folder.htpasswd", "", false},
		{dir + "/2.htpasswd", dir + "/folder.pid", false},
		{"/etc/passwd", "", false},
		{"/srv/../etc/htpasswd", "", false},
		{"htpasswd", "", false},
		{"/srv/store/htpasswd", "/etc/hostname", false},
	} {
		_, err := h.backups.AddStore(h.ctx, h.all, backups.OffSite{Name: fmt.Sprint("store ", i), URL: "https://127.0.0.1:2", HtpasswdPath: tt.htpasswd, PIDPath: tt.pid, Country: "DE"})
		if got := err == nil; got != tt.ok {
			t.Errorf("%s, %s: got %v, want taken %v", tt.htpasswd, tt.pid, err, tt.ok)
		}
	}
}
