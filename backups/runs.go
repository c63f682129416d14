package backups

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

const runTimeout = 12 * time.Hour

// RunNow starts a run by hand and returns it. Permission: backup.run. Errors:
// conflict while the repository is not ready or a run is going on.
func (s *Service) RunNow(ctx context.Context, scope policy.Scope, plan string) (Run, error) {
	var out Run
	a, _ := controlplane.ActorFrom(ctx)
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		p, repo, err := s.planAndRepository(tx, scope, plan)
		if err != nil {
			return err
		}
		if RepositoryState(repo.State) != RepositoryReady {
			return notReady(repo)
		}
		active, err := activeRun(tx, p.ID)
		if err != nil {
			return err
		}
		if active != "" {
			return controlplane.Errorf(controlplane.CodeConflict, "Wait for it to finish, or cancel it.", "A backup of this plan is going on already")
		}
		if theirs, err := s.stillTheirs(tx, p); err != nil {
			return err
		} else if !theirs {
			return controlplane.Errorf(controlplane.CodeConflict, "Correct the folders in the plan, or ask us to.", "The plan names folders that are not this customer's on the server any more")
		}
		out, err = s.startRun(tx, p, repo, a.ID, tx.Now, tx.Now.Add(24*time.Hour))
		return err
	})
	return out, err
}

func notReady(repo repositoryRow) error {
	next := map[RepositoryState]string{
		RepositoryChoosing:     "The customer chooses first who holds the recovery key.",
		RepositoryUnconfirmed:  "The customer confirms the recovery key first.",
		RepositoryPreparing:    "Wait until the server has made its key; is it connected?",
		RepositoryRegistering:  "Wait until the off-site store knows the server.",
		RepositoryInitialising: "Wait until the server has made the repository.",
		RepositoryFailed:       "See why it failed, mend that, and try again.",
	}[RepositoryState(repo.State)]
	return controlplane.Errorf(controlplane.CodeConflict, next, "The encrypted repository of this plan is not ready")
}

func (s *Service) planAndRepository(tx *db.Tx, scope policy.Scope, id string) (planRow, repositoryRow, error) {
	p, err := db.One[planRow](tx, scope, "plan", id)
	if err != nil {
		return p, repositoryRow{}, err
	}
	repo, err := db.One[repositoryRow](tx, scope, "repository", p.RepositoryID)
	return p, repo, err
}

// activeRun returns the id of the plan's run that is going on, or "".
func activeRun(tx *db.Tx, plan string) (string, error) {
	rows, err := db.Where[runRow](tx, policy.AllCustomers("one plan's runs"), "due_at DESC", 1, "plan_id = ? AND state = ?", plan, string(RunActive))
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0].ID, nil
}

// stillTheirs reports whether every path of the plan is its customer's now: a
// tenancy ends, or loses folders, after the plan was made.
func (s *Service) stillTheirs(tx *db.Tx, p planRow) (bool, error) {
	plan, err := p.value(repositoryRow{})
	if err != nil {
		return false, err
	}
	ten, err := s.customers.TenancyIn(tx, policy.OneCustomer(p.CustomerID), p.TenancyID)
	if err != nil {
		return false, fmt.Errorf("backups: bounds: %w", err)
	}
	return !slices.ContainsFunc(plan.Paths, func(path string) bool { return !ten.Covers(path) }), nil
}

// narrowed ends what has not ended and would still read or write folders that
// are not the tenancy's any more: backups of its plans, and restores on the
// server. A download of one's own copy goes on.
func (s *Service) narrowed(tx *db.Tx, ten customers.Tenancy) error {
	err := s.jobs.CancelOpen(tx, ten.Server, ten.Customer, string(wire.ActionBackup), func(run string) (bool, error) {
		return s.runOutside(tx, ten, run)
	})
	if err != nil {
		return err
	}
	return s.narrowRestores(tx, ten)
}

// runOutside reports whether a run is of a plan of the tenancy that names a
// folder outside of it.
func (s *Service) runOutside(tx *db.Tx, ten customers.Tenancy, run string) (bool, error) {
	row, err := db.One[runRow](tx, policy.OneCustomer(ten.Customer), "run", run)
	if err != nil {
		return false, err
	}
	p, err := db.One[planRow](tx, policy.OneCustomer(ten.Customer), "plan", row.PlanID)
	if err != nil || p.TenancyID != ten.ID {
		return false, err
	}
	plan, err := p.value(repositoryRow{})
	return err == nil && slices.ContainsFunc(plan.Paths, func(path string) bool { return !ten.Covers(path) }), err
}

// refuseRun records a run that does not start, because what it would read is
// not the customer's.
func (s *Service) refuseRun(tx *db.Tx, p planRow, repo repositoryRow, by string, due time.Time) (Run, error) {
	row := runRow{ID: controlplane.NewID(controlplane.PrefixRun), CustomerID: p.CustomerID, PlanID: p.ID, ServerID: p.ServerID, StartedBy: by,
		State: string(RunFailed), FailureCause: string(wire.CauseUnsafePath), DueAt: due.UnixMilli(), FinishedAt: tx.NowMillis()}
	if err := db.Insert(tx, &row); err != nil {
		return Run{}, err
	}
	why := wire.Failure{Cause: wire.CauseUnsafePath, Detail: "the plan names folders that are not this customer's on the server any more"}
	if err := s.runFindings(tx, row, p, repo, jobs.Job{Failure: &why}); err != nil {
		return Run{}, err
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish("customer:"+row.CustomerID, "server:"+row.ServerID) })
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: "backup.failed",
		Data: map[string]any{"plan": p.ID, "plan_name": p.Name, "failure_cause": row.FailureCause}})
	return row.value(), err
}

// startRun makes the run and its job.
func (s *Service) startRun(tx *db.Tx, p planRow, repo repositoryRow, by string, due, expires time.Time) (Run, error) {
	if theirs, err := s.stillTheirs(tx, p); err != nil {
		return Run{}, err
	} else if !theirs {
		return s.refuseRun(tx, p, repo, by, due)
	}
	plan, err := p.value(repo)
	if err != nil {
		return Run{}, err
	}
	wr, err := s.wireRepository(tx, repo)
	if err != nil {
		return Run{}, err
	}
	row := runRow{ID: controlplane.NewID(controlplane.PrefixRun), CustomerID: p.CustomerID, PlanID: p.ID, ServerID: p.ServerID,
		StartedBy: by, State: string(RunActive), DueAt: due.UnixMilli()}
	params := wire.BackupParams{Repository: wr, Plan: p.ID, Run: row.ID, Tenancy: p.TenancyID, Paths: plan.Paths, Excludes: plan.Excludes,
		Tags: []string{"plan:" + p.ID, "run:" + row.ID}}
	if s.opts.SimulatedClock() {
		params.SnapshotTime = tx.NowMillis()
	}
	job, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionBackup), Executor: jobs.Agent, Server: p.ServerID, Customer: p.CustomerID,
		Resource: "repository:" + repo.ID, Key: "backup:" + row.ID, Subject: row.ID, Params: params, ExpiresAt: expires, Timeout: runTimeout,
		MaxAttempts: 1, Title: "job.backup"})
	if err != nil {
		return Run{}, err
	}
	row.JobID = job.ID
	if err := db.Insert(tx, &row); err != nil {
		return Run{}, err
	}
	_, err = s.ledger.Append(tx, ledger.Entry{Customer: p.CustomerID, Server: p.ServerID, Subject: row.ID, Kind: "backup.queued",
		Data: map[string]any{"plan": p.ID, "plan_name": p.Name, "by": by, "job": job.ID}})
	return row.value(), err
}

// due is the schedule of a plan: it starts a run, or records why there is none.
func (s *Service) due(tx *db.Tx, sch jobs.Schedule, at time.Time) error {
	p, repo, err := s.planAndRepository(tx, policy.AllCustomers("schedule"), sch.Subject)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		return s.jobs.DeleteSchedule(tx, sch.Key)
	}
	if err != nil || p.Enabled == 0 {
		return err
	}
	if RepositoryState(repo.State) != RepositoryReady {
		return nil // the open finding about the key or the repository says so
	}
	active, err := activeRun(tx, p.ID)
	if err != nil {
		return err
	}
	if active != "" {
		row := runRow{ID: controlplane.NewID(controlplane.PrefixRun), CustomerID: p.CustomerID, PlanID: p.ID, ServerID: p.ServerID,
			StartedBy: "schedule", State: string(RunSkipped), DueAt: at.UnixMilli(), FinishedAt: tx.NowMillis()}
		return db.Insert(tx, &row)
	}
	next, err := jobs.NextRuns(p.Cron, p.Zone, at, 1)
	if err != nil {
		return fmt.Errorf("backups: due: %w", err)
	}
	_, err = s.startRun(tx, p, repo, "schedule", at, latest(next[0], tx.Now.Add(time.Hour)))
	return err
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

var resticID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// doneBackup records what came of a run, in the transaction that ends its job.
func (s *Service) doneBackup(tx *db.Tx, job jobs.Job) error {
	row, err := db.One[runRow](tx, policy.AllCustomers("job"), "run", job.Subject)
	if err != nil {
		return err
	}
	p, repo, err := s.planAndRepository(tx, policy.AllCustomers("job"), row.PlanID)
	if err != nil {
		return err
	}
	row.FinishedAt = tx.NowMillis()
	if res, ok := jobs.Result[wire.BackupResult](job); ok && resticID.MatchString(res.SnapshotID) {
		if err := s.snapshotArrived(tx, &row, repo, res); err != nil {
			return err
		}
	} else {
		row.State, row.FailureCause = string(failedRun(job)), causeOf(job)
	}
	if err := db.Save(tx, &row); err != nil {
		return err
	}
	if err := s.runFindings(tx, row, p, repo, job); err != nil {
		return err
	}
	if row.SnapshotID != "" {
		if err := s.feed(tx, p, repo); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish("customer:"+row.CustomerID, "server:"+row.ServerID) })
	_, err = s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: "backup." + row.State,
		Data: map[string]any{"plan": p.ID, "plan_name": p.Name, "snapshot": row.SnapshotID, "files": row.Files, "bytes": row.Bytes,
			"unread_count": row.UnreadCount, "failure_cause": row.FailureCause}})
	return err
}

// failedRun maps a job's end to a run's.
func failedRun(job jobs.Job) RunState {
	switch job.State {
	case jobs.Expired, jobs.Superseded:
		return RunMissed
	case jobs.Cancelled:
		return RunCancelled
	case jobs.Interrupted:
		return RunInterrupted
	}
	return RunFailed
}

// snapshotArrived records the snapshot with the instant at which it arrived.
func (s *Service) snapshotArrived(tx *db.Tx, row *runRow, repo repositoryRow, res wire.BackupResult) error {
	row.State = string(RunComplete)
	if res.Outcome != wire.BackupComplete || res.UnreadCount > 0 || len(res.MissingPaths) > 0 {
		row.State = string(RunPartial)
	}
	unread := make([]Unread, 0, len(res.Unread)+len(res.MissingPaths))
	for _, m := range res.MissingPaths {
		unread = append(unread, Unread{Path: m, Reason: "does not exist"})
	}
	for _, u := range res.Unread {
		unread = append(unread, Unread{Path: u.Path, Reason: u.Reason})
	}
	raw, err := json.Marshal(unread)
	if err != nil {
		return fmt.Errorf("backups: unread: %w", err)
	}
	if row.Unread, err = s.keeper.Seal(row.CustomerID, ad("backup_runs", "unread", row.ID), raw); err != nil {
		return fmt.Errorf("backups: unread: %w", err)
	}
	snap := snapshotRow{ID: controlplane.NewID(controlplane.PrefixSnapshot), CustomerID: row.CustomerID, PlanID: row.PlanID, RepositoryID: repo.ID,
		ServerID: row.ServerID, RunID: row.ID, ResticID: res.SnapshotID, ClaimedAt: res.SnapshotAt, ArrivedAt: tx.NowMillis(), Outcome: row.State,
		UnreadCount: figure(res.UnreadCount) + int64(len(res.MissingPaths)), Files: figure(res.TotalFiles), Bytes: figure(res.TotalBytes), AddedBytes: figure(res.AddedBytes)}
	row.SnapshotID, row.UnreadCount = snap.ID, snap.UnreadCount
	row.Files, row.Bytes, row.AddedBytes, row.DurationMS = figure(res.TotalFiles), figure(res.TotalBytes), figure(res.AddedBytes), figure(res.DurationMillis)
	if err := db.Insert(tx, &snap); err != nil {
		return err
	}
	return copied(tx, row.PlanID)
}

// Run returns one run; its unread files only where the actor may see file
// names. Permission: plan.read.
func (s *Service) Run(ctx context.Context, scope policy.Scope, id string) (Run, error) {
	var row runRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, err = db.One[runRow](tx, scope, "run", id)
		return err
	})
	if err != nil {
		return Run{}, err
	}
	out := row.value()
	if _, err := policy.For(ctx, policy.FileRead); err != nil || row.Unread == nil {
		return out, nil //nolint:nilerr // without the permission the names stay hidden, the count is shown
	}
	out.Unread, err = s.unreadOf(row)
	return out, err
}

// Runs lists the runs of a plan that were due at or after since, newest first
// (at most limit). Permission: plan.read.
func (s *Service) Runs(ctx context.Context, scope policy.Scope, plan string, since time.Time, limit int) ([]Run, error) {
	var out []Run
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := db.Where[runRow](tx, scope, "due_at DESC, id DESC", limit, "plan_id = ? AND due_at >= ?", plan, controlplane.Millis(since))
		out = make([]Run, len(rows))
		for i, r := range rows {
			out[i] = r.value()
		}
		return err
	})
	return out, err
}
