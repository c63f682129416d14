package backups_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
)

// A store that cannot learn new servers is said at the first failure, and
// goes on by itself once it can.
func TestStoreUsersCannotBeWritten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p := h.plan(backups.CustodyEscrow)
		if err := os.Mkdir(h.htpasswd, 0o700); err != nil { // a folder stands in the way
			t.Fatal(err)
		}
		h.prepared()
		h.tick()
		f, ok := h.openKinds()[findings.StoreUsers]
		if !ok || f.Customer != "" || f.Args["store"] != "off-site" || f.Args["detail"] == "" {
			t.Errorf("after the first failure: %+v, want a finding of the company's", f)
		}
		items, _, err := h.jobs.List(h.ctx, h.all, jobs.Filter{Kinds: []string{"store.register"}})
		if err != nil || len(items) != 1 || items[0].State != jobs.Queued || items[0].Failure == nil || items[0].Failure.Cause != wire.CauseStoreUsers {
			t.Fatalf("job: %+v, %v, want one that is tried again", items, err)
		}
		if got := items[0].Failure.Detail; strings.Contains(got, "/") {
			t.Errorf("the customer's job names a path of our machine: %q", got)
		}
		if err := os.Remove(h.htpasswd); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
		h.tick()
		if f, ok := h.openKinds()[findings.StoreUsers]; ok {
			t.Errorf("still open: %+v", f)
		}
		if got := must[backups.Repository](t)(h.backups.Repository(h.ctx, h.all, p.Repository.ID)); got.State != backups.RepositoryInitialising {
			t.Errorf("repository: %q, want initialising", got.State)
		}
	})
}

// A store that stays closed to us ends the job within hours, with words for it.
func TestStoreUsersStayUnwritable(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p := h.plan(backups.CustodyEscrow)
	if err := os.Mkdir(h.htpasswd, 0o700); err != nil {
		t.Fatal(err)
	}
	h.prepared()
	for range 10 {
		h.tick()
		clock.Advance(2 * time.Hour)
	}
	if got := must[backups.Repository](t)(h.backups.Repository(h.ctx, h.all, p.Repository.ID)); got.State != backups.RepositoryFailed || got.FailureCause != string(wire.CauseStoreUsers) {
		t.Errorf("repository: %q for %q, want failed for store_users", got.State, got.FailureCause)
	}
	if _, cause, _ := findings.Sentence("en", h.openKinds()[findings.BackupFailed]); strings.Contains(cause, "agent") || !strings.Contains(cause, "control plane") {
		t.Errorf("cause: %q", cause)
	}
}

// What is missing from a snapshot is said by what it is, and closes by itself.
func TestFolderMissing(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p, _ := h.ready()
	for _, tt := range []struct {
		name string
		res  wire.BackupResult
		want []string
	}{
		{"a folder", wire.BackupResult{Outcome: wire.BackupPartial, MissingPaths: []string{"/srv/shop"}}, []string{findings.FolderMissing}},
		{"files", wire.BackupResult{Outcome: wire.BackupPartial, UnreadCount: 2}, []string{findings.BackupPartial}},
		{"both", wire.BackupResult{Outcome: wire.BackupPartial, UnreadCount: 2, MissingPaths: []string{"/srv/shop"}}, []string{findings.FolderMissing, findings.BackupPartial}},
		{"a folder again", wire.BackupResult{Outcome: wire.BackupPartial, MissingPaths: []string{"/srv/shop"}}, []string{findings.FolderMissing}},
		{"partial without a word", wire.BackupResult{Outcome: wire.BackupPartial}, []string{findings.BackupPartial}},
		{"nothing", wire.BackupResult{Outcome: wire.BackupComplete}, nil},
	} {
		clock.Advance(time.Minute)
		must[backups.Run](t)(h.backups.RunNow(h.ctx, h.all, p.ID))
		h.backup(tt.res)
		open := h.openKinds()
		if len(open) != len(tt.want) {
			t.Errorf("%s: open %v, want %v", tt.name, open, tt.want)
		}
		for _, kind := range tt.want {
			if _, ok := open[kind]; !ok {
				t.Errorf("%s: no %s", tt.name, kind)
			}
		}
		if tt.name == "a folder" {
			title, cause, _ := findings.Sentence("en", open[findings.FolderMissing])
			if title != "A folder of the plan is not on maple-1" || !strings.HasPrefix(cause, "/srv/shop does not exist: make it, or change the plan.") {
				t.Errorf("got %q, %q", title, cause)
			}
		}
	}
}

// A run at a store that is down is not tried again: its finding names the next.
func TestStoreDownNamesTheNextRun(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	p, _ := h.ready()
	must[backups.Run](t)(h.backups.RunNow(h.ctx, h.all, p.ID))
	var params wire.BackupParams
	h.end(wire.Result{JobRef: h.take(wire.ActionBackup, &params), Outcome: wire.Failed,
		Failure: &wire.Failure{Cause: wire.CauseStoreUnreachable, Detail: "connection refused"}})
	_, cause, _ := findings.Sentence("en", h.openKinds()[findings.StoreUnreachable])
	if !strings.Contains(cause, "maple-1 reports: connection refused. The next backup is due") || !strings.Contains(cause, "at 02:15") {
		t.Errorf("got %q", cause)
	}
}

func TestPlanRefused(t *testing.T) {
	clock := &dbtest.Clock{}
	h := newHouse(t, dbtest.SQLite(t, clock), clock)
	h.plan(backups.CustodyEscrow)
	for _, tt := range []struct {
		name, cron, path string
		custody          backups.Custody
		pointer, says    string // "" is taken
	}{
		{"the same custody", "15 2 * * *", "/srv/shop", backups.CustodyEscrow, "", ""},
		{"no custody", "15 2 * * *", "/srv/shop", backups.CustodyOpen, "", ""},
		{"another custody", "15 2 * * *", "/srv/shop", backups.CustodyCustomer, "/custody", "has its key already"},
		{"a path outside", "15 2 * * *", "/srv/other", "", "/paths/0", "/srv/other is outside the folders that belong to this customer on the server. Choose one of these, or a folder in it: /srv/shop."},
		{"every minute", "* * * * *", "/srv/shop", "", "/cron", "every minute"},
		{"twice within 14 minutes", "0,14 3 * * 1", "/srv/shop", "", "/cron", "14 minutes"},
		{"every quarter of an hour", "*/15 * * * *", "/srv/shop", "", "", ""},
		{"once in four years", "0 0 29 2 *", "/srv/shop", "", "", ""},
		{"not cron", "often", "/srv/shop", "", "/cron", "five cron fields"},
	} {
		_, err := h.backups.CreatePlan(h.ctx, h.all, backups.PlanInput{Tenancy: h.tenancy.ID, Name: tt.name, Paths: []string{tt.path}, Cron: tt.cron, Zone: "Europe/Berlin", Custody: tt.custody})
		if tt.pointer == "" {
			if err != nil {
				t.Errorf("%s: %v, want taken", tt.name, err)
			}
			continue
		}
		var e *controlplane.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want it refused", tt.name, err)
			continue
		}
		fields := e.Fields
		if len(fields) != 1 || fields[0].Pointer != tt.pointer || !strings.Contains(fields[0].Message, tt.says) {
			t.Errorf("%s: got %v %+v, want %s: %s", tt.name, err, fields, tt.pointer, tt.says)
		}
	}
}
