package backups

import (
	"context"
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
	jobRegister = "store.register"
	jobVerify   = "download.verify"
	jobExpire   = "download.expire"
)

// handle registers what the slice does when its jobs end and its schedules are due.
func (s *Service) handle() {
	storeMayBeLate := func(f wire.Failure) bool { // the store reads new users within 30 s
		return f.Cause == wire.CauseStoreRefused || f.Cause == wire.CauseStoreUnreachable || f.Cause == wire.CauseStoreFull
	}
	s.jobs.Handle(string(wire.ActionRepoPrepare), jobs.Handler{Done: s.donePrepare})
	s.jobs.Handle(jobRegister, jobs.Handler{Run: s.runRegister, Done: s.doneRegister, Retry: usersMayBeWritable})
	s.jobs.Handle(string(wire.ActionRepoInit), jobs.Handler{Done: s.doneInit, Retry: storeMayBeLate, Backoff: initBackoff})
	s.jobs.Handle(string(wire.ActionBackup), jobs.Handler{Done: s.doneBackup})
	s.jobs.Handle(string(wire.ActionList), jobs.Handler{})
	s.jobs.Handle(string(wire.ActionDownload), jobs.Handler{Done: s.doneDownload})
	s.jobs.Handle(jobVerify, jobs.Handler{Run: s.runVerify, Done: s.doneVerify})
	s.jobs.Handle(jobExpire, jobs.Handler{Run: s.runExpire, Done: s.doneExpire})
	s.jobs.Handle(string(wire.ActionPutBack), jobs.Handler{Done: s.donePutBack})
	s.jobs.Handle(string(wire.ActionArchive), jobs.Handler{Done: s.doneArchive})
	s.jobs.Handle(string(wire.ActionPreview), jobs.Handler{Done: s.donePreview})
	s.jobs.Handle(string(wire.ActionApply), jobs.Handler{Done: s.doneApply})
	s.jobs.Handle(string(wire.ActionUndo), jobs.Handler{Done: s.doneUndo})
	s.jobs.Handle(string(wire.ActionSettle), jobs.Handler{Done: s.doneSettle})
	s.jobs.HandleSchedule(dueSchedule, s.due)
}

// usersMayBeWritable adds what a person mends outside of us.
func usersMayBeWritable(f wire.Failure) bool {
	return f.Cause == wire.CauseStoreUsers || jobs.DefaultRetry(f)
}

func initBackoff(attempt int) time.Duration {
	return min(time.Duration(attempt)*2*time.Second, time.Minute)
}

// sweepEvery is how often Watch sweeps.
const sweepEvery = 15 * time.Minute

// Watch sweeps until ctx ends. Several replicas may do so at once.
func (s *Service) Watch(ctx context.Context) error {
	for t := time.NewTicker(sweepEvery); ; {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.ErrorContext(ctx, "backups.sweep", "error", err)
		}
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

// Sweep looks for missed backups and restores that have had their time, and lets go of answers
// that nobody needs any more (Watch does it every quarter of an hour). It reads
// first and writes only where something is to be said.
func (s *Service) Sweep(ctx context.Context) error {
	ctx = controlplane.System(ctx, "backups.sweep")
	late, err := s.late(ctx)
	if err != nil {
		return err
	}
	for _, p := range late {
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.raiseMissed(tx, p) }); err != nil {
			return err
		}
	}
	var now time.Time
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		now = tx.Now
		if err := forgetListings(tx, tx.Now.Add(-keepListings)); err != nil {
			return err
		}
		return s.sweepRestores(tx)
	})
	if err != nil {
		return err
	}
	if _, err = s.jobs.Forget(ctx, []string{string(wire.ActionList)}, now.Add(-keepListings)); err != nil {
		return err
	}
	if err := s.forgetSteps(ctx, now.Add(-s.opts.KeepLists)); err != nil {
		return err
	}
	return s.sweepCatalogues(ctx)
}

// forgetSteps lets go of what the jobs of restores brought: file names. The job
// that a restore names stays, without them.
func (s *Service) forgetSteps(ctx context.Context, before time.Time) error {
	if _, err := s.jobs.Forget(ctx, []string{jobVerify, jobExpire, string(wire.ActionSettle)}, before); err != nil {
		return err
	}
	kinds := make([]string, len(stepActions))
	for i, a := range stepActions {
		kinds[i] = string(a)
	}
	_, err := s.jobs.ForgetBut(ctx, kinds, before)
	return err
}

// keepListings is how long the answer to a look into a folder is kept: file
// names stay with us no longer than they are of use.
const keepListings = 24 * time.Hour

// latePlan is a plan whose newest snapshot is too old.
type latePlan struct {
	plan   planRow
	newest time.Time
}

// late finds the plans whose newest snapshot is older than the last due instant
// but one: one missed start is caught up, two are a finding.
func (s *Service) late(ctx context.Context) ([]latePlan, error) {
	all := policy.AllCustomers("sweep")
	var plans []planRow
	var newest map[string]int64
	var now time.Time
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now
		if plans, err = db.Where[planRow](tx, all, "id", 0, "enabled = 1 AND repository_id IN (SELECT id FROM backup_repositories WHERE state = ?)", string(RepositoryReady)); err != nil {
			return err
		}
		newest, err = newestArrivals(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []latePlan
	for _, p := range plans {
		last := controlplane.FromMillis(max(newest[p.ID], p.CreatedAt))
		late, err := overdue(p.Cron, p.Zone, last, now)
		if err != nil {
			return nil, err
		}
		if late {
			out = append(out, latePlan{p, last})
		}
	}
	return out, nil
}

func (s *Service) raiseMissed(tx *db.Tx, l latePlan) error {
	args, err := s.findingArgs(tx, l.plan)
	if err != nil {
		return err
	}
	args["for"] = fmt.Sprintf("%d hours", int(tx.Now.Sub(l.newest).Hours()))
	return s.findings.Raise(tx, findings.Finding{Key: failureKey(findings.BackupMissed, l.plan.ID), Customer: l.plan.CustomerID, Server: l.plan.ServerID,
		Subject: l.plan.ID, Kind: findings.BackupMissed, Severity: findings.Bad, Owner: findings.Ops, Link: "/plans/" + l.plan.ID, Args: args})
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

// serverName is the server's host name, for sentences.
func (s *Service) serverName(tx *db.Tx, id string) (string, error) {
	srv, err := s.customers.ServerIn(tx, policy.AllCustomers("the name of a job's server"), id)
	if err != nil {
		return "", fmt.Errorf("backups: server name: %w", err)
	}
	return srv.Name, nil
}

// causeOf is why a job came to nothing; one that succeeded with an answer that
// cannot be read is a failure without a name.
func causeOf(job jobs.Job) string {
	if c := jobs.CauseOf(job); c != "" {
		return string(c)
	}
	return string(wire.CauseInternal)
}
