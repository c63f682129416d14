package backups

import (
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm/clause"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

type offSiteRow struct {
	ID, Name, URL, Pin, HtpasswdPath, Location, Country string
	PIDPath                                             string `gorm:"column:pid_path"`
	CreatedAt                                           int64  `gorm:"autoCreateTime:false"`
}

func (offSiteRow) TableName() string { return "backup_stores" }

func (r offSiteRow) value() OffSite {
	return OffSite{ID: r.ID, Name: r.Name, URL: r.URL, Pin: r.Pin, HtpasswdPath: r.HtpasswdPath, PIDPath: r.PIDPath,
		Location: r.Location, Country: r.Country, CreatedAt: controlplane.FromMillis(r.CreatedAt)}
}

type repositoryRow struct {
	ID, CustomerID, TenancyID, ServerID, StoreID, StoreUser, State, Custody, ResticID, KeyFingerprint string
	StoreHash, EscrowSealed, RevealPrivate, RevealSealed, KeyCheck                                    []byte
	Round                                                                                             int64
	FailureCause, ConfirmedBy                                                                         string
	ConfirmedAt                                                                                       int64
	CreatedAt                                                                                         int64 `gorm:"autoCreateTime:false"`
}

func (repositoryRow) TableName() string { return "backup_repositories" }

func (r repositoryRow) value() Repository {
	return Repository{ID: r.ID, Customer: r.CustomerID, Tenancy: r.TenancyID, Server: r.ServerID, OffSite: r.StoreID,
		State: RepositoryState(r.State), Custody: Custody(r.Custody), Shown: len(r.KeyCheck) > 0, FailureCause: r.FailureCause,
		KeyFingerprint: r.KeyFingerprint, ConfirmedAt: controlplane.FromMillis(r.ConfirmedAt), CreatedAt: controlplane.FromMillis(r.CreatedAt)}
}

type planRow struct {
	ID, CustomerID, TenancyID, ServerID, RepositoryID, Name, Paths, Excludes, Cron, Zone string
	JitterSeconds, CatchUp, Enabled                                                      int64
	CreatedAt                                                                            int64 `gorm:"autoCreateTime:false"`
	UpdatedAt                                                                            int64 `gorm:"autoUpdateTime:false"`
}

func (planRow) TableName() string { return "backup_plans" }

func (r planRow) value(repo repositoryRow) (Plan, error) {
	p := Plan{ID: r.ID, Customer: r.CustomerID, Tenancy: r.TenancyID, Server: r.ServerID, Name: r.Name, Cron: r.Cron, Zone: r.Zone,
		Jitter: time.Duration(r.JitterSeconds) * time.Second, CatchUp: r.CatchUp != 0, Enabled: r.Enabled != 0,
		CreatedAt: controlplane.FromMillis(r.CreatedAt), UpdatedAt: controlplane.FromMillis(r.UpdatedAt), Repository: repo.value()}
	if err := json.Unmarshal([]byte(r.Paths), &p.Paths); err != nil {
		return p, fmt.Errorf("backups: plan %s: paths: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(r.Excludes), &p.Excludes); err != nil {
		return p, fmt.Errorf("backups: plan %s: excludes: %w", r.ID, err)
	}
	return p, nil
}

type runRow struct {
	ID, CustomerID, PlanID, ServerID, JobID, StartedBy, State string
	DueAt, FinishedAt                                         int64
	SnapshotID, FailureCause                                  string
	Unread                                                    []byte
	UnreadCount, Files, Bytes, AddedBytes                     int64
	DurationMS                                                int64 `gorm:"column:duration_ms"`
}

func (runRow) TableName() string { return "backup_runs" }

func (r runRow) value() Run {
	return Run{ID: r.ID, Customer: r.CustomerID, Plan: r.PlanID, Server: r.ServerID, Job: r.JobID, StartedBy: r.StartedBy,
		State: RunState(r.State), DueAt: controlplane.FromMillis(r.DueAt), FinishedAt: controlplane.FromMillis(r.FinishedAt),
		Snapshot: r.SnapshotID, FailureCause: r.FailureCause, UnreadCount: r.UnreadCount, Files: r.Files, Bytes: r.Bytes,
		AddedBytes: r.AddedBytes, Duration: time.Duration(r.DurationMS) * time.Millisecond}
}

type snapshotRow struct {
	ID, CustomerID, PlanID, RepositoryID, ServerID, RunID, ResticID string
	ClaimedAt, ArrivedAt                                            int64
	Outcome                                                         string
	UnreadCount, Files, Bytes, AddedBytes                           int64
	GoneAt                                                          int64
}

func (snapshotRow) TableName() string { return "backup_snapshots" }

func (r snapshotRow) value() Snapshot {
	return Snapshot{ID: r.ID, Customer: r.CustomerID, Plan: r.PlanID, Repository: r.RepositoryID, Server: r.ServerID, Run: r.RunID,
		ResticID: r.ResticID, ClaimedAt: controlplane.FromMillis(r.ClaimedAt), ArrivedAt: controlplane.FromMillis(r.ArrivedAt),
		Outcome: RunState(r.Outcome), UnreadCount: r.UnreadCount, Files: r.Files, Bytes: r.Bytes, AddedBytes: r.AddedBytes,
		GoneAt: controlplane.FromMillis(r.GoneAt)}
}

type listingRow struct {
	SnapshotID, PathHash, CustomerID, JobID string
	AskedAt                                 int64
}

func (listingRow) TableName() string { return "backup_listings" }

// endedRun is what a calendar needs of a run.
type endedRun struct {
	DueAt int64
	State RunState
}

// runsSince finds the runs of a plan that were due at or after an instant.
func runsSince(tx *db.Tx, scope policy.Scope, plan string, since time.Time) ([]endedRun, error) {
	var runs []endedRun
	err := db.Within(tx.Model(&runRow{}), scope).Where("plan_id = ? AND due_at >= ?", plan, controlplane.Millis(since)).Find(&runs).Error
	if err != nil {
		return nil, fmt.Errorf("backups: find runs: %w", err)
	}
	return runs, nil
}

// snapshotPage finds a page of snapshots older than (before, beforeID), and one more.
func snapshotPage(tx *db.Tx, scope policy.Scope, f SnapshotFilter, before int64, beforeID string) ([]snapshotRow, error) {
	q := db.Within(tx.DB, scope).Order("arrived_at DESC, id DESC").Limit(f.Limit + 1)
	if f.Gone {
		q = q.Where("gone_at > 0")
	} else {
		q = q.Where("gone_at = 0")
	}
	for column, v := range map[string]string{"customer_id": f.Customer, "server_id": f.Server, "plan_id": f.Plan} {
		if v != "" {
			q = q.Where(clause.Eq{Column: column, Value: v})
		}
	}
	if beforeID != "" {
		q = q.Where("(arrived_at < ? OR arrived_at = ? AND id < ?)", before, before, beforeID)
	}
	var rows []snapshotRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("backups: snapshots: %w", err)
	}
	return rows, nil
}

// latestSnapshots finds the newest snapshot of each server: by the index, one
// look for each, however many there are.
func latestSnapshots(tx *db.Tx, scope policy.Scope, servers []string) ([]snapshotRow, error) {
	newest := db.Within(tx.Table("backup_snapshots AS n"), scope).Select("n.id").Where("n.server_id = v.server_id AND n.gone_at = 0").Order("n.arrived_at DESC, n.id DESC").Limit(1)
	each := tx.Table("(?) AS v", tx.Model(&planRow{}).Distinct("server_id").Where("server_id IN ?", servers)).Select("(?)", newest)
	var rows []snapshotRow
	if err := tx.Where("id IN (?)", each).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("backups: latest snapshots: %w", err)
	}
	return rows, nil
}
