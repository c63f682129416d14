package backups

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// The kinds of the slice's own plane jobs and schedules.
const (
	jobRegister   = "store.register"
	jobVerify     = "download.verify"
	jobExpire     = "download.expire"
	sweepSchedule = "backups.sweep"
)

// handle registers what the slice does when its jobs end and its schedules are due.
func (s *Service) handle() {
	storeMayBeLate := func(f wire.Failure) bool { // the store reads new users within 30 s
		return f.Cause == wire.CauseStoreRefused || f.Cause == wire.CauseStoreUnreachable || f.Cause == wire.CauseStoreFull
	}
	s.jobs.Handle(string(wire.ActionRepoPrepare), jobs.Handler{Done: s.donePrepare})
	s.jobs.Handle(jobRegister, jobs.Handler{Run: s.runRegister, Done: s.doneRegister})
	s.jobs.Handle(string(wire.ActionRepoInit), jobs.Handler{Done: s.doneInit, Retry: storeMayBeLate, Backoff: initBackoff})
	s.jobs.Handle(string(wire.ActionBackup), jobs.Handler{Done: s.doneBackup})
	s.jobs.Handle(string(wire.ActionList), jobs.Handler{})
	s.jobs.Handle(string(wire.ActionDownload), jobs.Handler{Done: s.doneDownload})
	s.jobs.Handle(jobVerify, jobs.Handler{Run: s.runVerify, Done: s.doneVerify})
	s.jobs.Handle(jobExpire, jobs.Handler{Run: s.runExpire, Done: s.doneExpire})
	s.jobs.Handle(string(wire.ActionPutBack), jobs.Handler{Done: s.donePutBack})
	s.jobs.HandleSchedule(dueSchedule, s.due)
	s.jobs.HandleSchedule(sweepSchedule, func(tx *db.Tx, _ jobs.Schedule, _ time.Time) error { return s.sweep(tx) })
}

func initBackoff(attempt int) time.Duration {
	return min(time.Duration(attempt)*2*time.Second, time.Minute)
}

// Sweep looks now for missed backups and expired downloads (the schedule does
// it every five minutes).
func (s *Service) Sweep(ctx context.Context) error {
	return s.db.Write(controlplane.System(ctx, "backups.sweep"), s.sweep)
}

func (s *Service) sweep(tx *db.Tx) error {
	plans, err := where[planRow](tx, policy.AllCustomers("sweep"), "id", 0, "enabled = 1")
	if err != nil {
		return err
	}
	for _, p := range plans {
		if err := s.sweepPlan(tx, p); err != nil {
			return err
		}
	}
	return s.sweepDownloads(tx)
}

// sweepPlan opens backup.missed where the newest snapshot is older than the
// last due instant but one: one missed start is caught up, two are a finding.
func (s *Service) sweepPlan(tx *db.Tx, p planRow) error {
	all := policy.AllCustomers("sweep")
	repo, err := one[repositoryRow](tx, all, "repository", p.RepositoryID)
	if err != nil || RepositoryState(repo.State) != RepositoryReady {
		return err
	}
	snaps, err := where[snapshotRow](tx, all, "arrived_at DESC", 1, "plan_id = ?", p.ID)
	if err != nil {
		return err
	}
	newest := controlplane.FromMillis(p.CreatedAt)
	if len(snaps) == 1 {
		newest = controlplane.FromMillis(snaps[0].ArrivedAt)
	}
	late, err := overdue(p.Cron, p.Zone, newest, tx.Now)
	if err != nil || !late {
		return err
	}
	args, err := s.findingArgs(tx, p)
	if err != nil {
		return err
	}
	args["for"] = fmt.Sprintf("%d hours", int(tx.Now.Sub(newest).Hours()))
	return s.findings.Raise(tx, findings.Finding{Key: "backup.missed:" + p.ID, Customer: p.CustomerID, Server: p.ServerID, Subject: p.ID,
		Kind: findings.BackupMissed, Severity: findings.Bad, Owner: findings.Ops, Link: "/plans/" + p.ID, Args: args})
}

// overdue reports whether two due instants have passed since the newest
// snapshot, the later of them an hour ago.
func overdue(cron, zone string, newest, now time.Time) (bool, error) {
	dues, err := jobs.NextRuns(cron, zone, newest, 2)
	if err != nil {
		return false, fmt.Errorf("backups: overdue: %w", err)
	}
	return len(dues) == 2 && now.After(dues[1].Add(time.Hour)), nil
}

// sweepDownloads has expired downloads deleted, each by a job.
func (s *Service) sweepDownloads(tx *db.Tx) error {
	rows, err := where[restoreRow](tx, policy.AllCustomers("sweep"), "id", 500, "kind = ? AND expires_at > 0 AND expires_at <= ? AND state <> ?",
		string(RestoreDownload), tx.NowMillis(), string(RestoreExpired))
	if err != nil {
		return err
	}
	for _, r := range rows {
		if _, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobExpire, Executor: jobs.Plane, Server: r.ServerID, Customer: r.CustomerID, Resource: "restore:" + r.ID,
			Key: jobExpire + ":" + r.ID, Subject: r.ID, MaxAttempts: 20, Title: "job.download_expire"}); err != nil {
			return err
		}
	}
	return nil
}

// serverName is the server's host name, for sentences.
func (s *Service) serverName(tx *db.Tx, id string) (string, error) {
	srv, err := s.customers.ServerIn(tx, policy.AllCustomers("the name of a job's server"), id)
	if err != nil {
		return "", fmt.Errorf("backups: server name: %w", err)
	}
	return srv.Name, nil
}

// result reads the answer of a job that succeeded. ok is false where the job
// did not succeed, or its answer cannot be read: that counts as a failure,
// since asking the same host again would bring the same answer.
func result[T any](job jobs.Job) (res T, ok bool) {
	if job.State != jobs.Succeeded {
		return res, false
	}
	return res, json.Unmarshal(job.Result, &res) == nil
}

// causeOf is why a job came to nothing; one that succeeded with an answer that
// cannot be read is a failure without a name.
func causeOf(job jobs.Job) string {
	if c := jobs.CauseOf(job); c != "" {
		return string(c)
	}
	return string(wire.CauseInternal)
}
