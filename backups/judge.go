package backups

import (
	"fmt"
	"maps"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// failureKinds are the causes of failed runs that have a kind of finding of
// their own; any other is backup.failed with its cause.
var failureKinds = map[wire.Cause]string{
	wire.CauseStoreUnreachable: findings.StoreUnreachable,
	wire.CauseStoreFull:        findings.StoreFull,
	wire.CauseStoreRefused:     findings.StoreRefused,
	wire.CauseDamaged:          findings.RepositoryDamaged,
	wire.CauseWrongPassword:    findings.RepositoryPassword,
}

// storeKinds concern the store, not one plan: they are shown as one group.
var storeKinds = map[string]bool{findings.StoreUnreachable: true, findings.StoreFull: true, findings.StoreRefused: true}

func failureKey(kind, plan string) string { return kind + ":" + plan }

// runFindings opens what went wrong and closes what is mended.
func (s *Service) runFindings(tx *db.Tx, row runRow, p planRow, repo repositoryRow, job jobs.Job) error {
	partial, folder, missed := failureKey(findings.BackupPartial, p.ID), failureKey(findings.FolderMissing, p.ID), failureKey(findings.BackupMissed, p.ID)
	switch RunState(row.State) {
	case RunComplete:
		return s.closeFailures(tx, p.ID, "", "a complete backup arrived", partial, folder, missed)
	case RunPartial:
		if err := s.raisePartial(tx, row, p, job); err != nil {
			return err
		}
		return s.closeFailures(tx, p.ID, "", "a partial backup arrived", missed)
	case RunCancelled, RunMissed: // a missed run is the sweep's finding, by age
		return nil
	}
	return s.raiseFailed(tx, row, p, repo, job)
}

// raisePartial says what is not in a snapshot: folders of the plan that are not
// there, and files that were not read. Each closes once a backup has it no
// more. A folder of the plan is no secret of the customer's and is named; files
// are only counted.
func (s *Service) raisePartial(tx *db.Tx, row runRow, p planRow, job jobs.Job) error {
	args, err := s.findingArgs(tx, p)
	if err != nil {
		return err
	}
	f := findings.Finding{Customer: row.CustomerID, Server: row.ServerID, Subject: p.ID, Severity: findings.Warn, Owner: findings.Ops, Link: "/jobs/" + row.JobID}
	files, folders := row.UnreadCount, []string(nil)
	if res, ok := jobs.Result[wire.BackupResult](job); ok {
		files, folders = res.UnreadCount, res.MissingPaths
	}
	missing, unread := f, f
	missing.Kind, missing.Args, missing.Link = findings.FolderMissing, maps.Clone(args), "/plans/"+p.ID
	if len(folders) > 0 {
		missing.Args["path"] = folders[0]
	}
	if len(folders) > 1 {
		missing.Args["count"] = countOf(int64(len(folders)), "folder", "folders")
	}
	if err := s.raiseOrClose(tx, missing, len(folders) > 0, "the plan's folders are there again"); err != nil {
		return err
	}
	unread.Kind, unread.Args = findings.BackupPartial, args
	if files > 0 {
		unread.Args["count"] = countOf(files, "file", "files")
	}
	return s.raiseOrClose(tx, unread, files > 0 || len(folders) == 0, "every file that is there was read")
}

// raiseOrClose has a plan's finding of a kind open or closed.
func (s *Service) raiseOrClose(tx *db.Tx, f findings.Finding, open bool, cause string) error {
	f.Key = failureKey(f.Kind, f.Subject)
	if !open {
		return s.findings.Close(tx, f.Key, cause)
	}
	return s.findings.Raise(tx, f)
}

// raiseFailed says why a run failed, and closes what an earlier one said.
func (s *Service) raiseFailed(tx *db.Tx, row runRow, p planRow, repo repositoryRow, job jobs.Job) error {
	args, err := s.findingArgs(tx, p)
	if err != nil {
		return err
	}
	store, err := db.One[offSiteRow](tx, policy.AllCustomers("the name of a run's store"), "store", repo.StoreID)
	if err != nil {
		return err
	}
	kind, own := failureKinds[wire.Cause(row.FailureCause)]
	f := findings.Finding{Kind: kind, Customer: row.CustomerID, Server: row.ServerID, Subject: p.ID, Severity: findings.Bad, Owner: findings.Ops,
		Link: "/jobs/" + row.JobID, Args: map[string]string{"server": args["server"], "store": store.Name, "detail": failureDetail(job)}}
	if p.Enabled != 0 && kind == findings.StoreUnreachable { // this run is not tried again: the next one is
		if f.Args["next"], err = nextDue(p, tx.Now); err != nil {
			return err
		}
	}
	if storeKinds[kind] {
		f.Group = kind + ":" + store.ID
	}
	if !own {
		f.Kind = findings.BackupFailed
		args["cause"], args["detail"], args["store"] = row.FailureCause, f.Args["detail"], store.Name
		f.Args = args
	}
	f.Key = failureKey(f.Kind, p.ID)
	if err := s.findings.Raise(tx, f); err != nil {
		return err
	}
	return s.closeFailures(tx, p.ID, f.Kind, "it fails for another cause now")
}

// nextDue is when a plan is due next, as the sentence of a finding has it.
func nextDue(p planRow, now time.Time) (string, error) {
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return "", fmt.Errorf("backups: %w", err)
	}
	runs, err := jobs.NextRuns(p.Cron, p.Zone, now, 1)
	if err != nil {
		return "", fmt.Errorf("backups: next run: %w", err)
	}
	return runs[0].In(zone).Format("2 January at 15:04"), nil
}

// closeFailures closes the failures of a plan, but for one kind, and more keys.
func (s *Service) closeFailures(tx *db.Tx, plan, but, cause string, keys ...string) error {
	for _, kind := range failureKinds {
		keys = append(keys, failureKey(kind, plan))
	}
	keys = append(keys, failureKey(findings.BackupFailed, plan))
	for _, k := range keys {
		if k == failureKey(but, plan) {
			continue
		}
		if err := s.findings.Close(tx, k, cause); err != nil {
			return err
		}
	}
	return nil
}

// countOf writes a number with its noun.
func countOf(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// failureDetail is one short line for staff.
func failureDetail(job jobs.Job) string {
	switch {
	case job.State == jobs.Interrupted:
		return "the agent or the server stopped in the middle of it"
	case job.Failure != nil && job.Failure.Detail != "":
		return job.Failure.Detail
	}
	return "no detail"
}

// findingArgs are what the sentences about a plan's backups name: the server,
// the plan and, where there is one, when the latest snapshot arrived.
func (s *Service) findingArgs(tx *db.Tx, p planRow) (map[string]string, error) {
	name, err := s.serverName(tx, p.ServerID)
	if err != nil {
		return nil, err
	}
	args := map[string]string{"server": name, "plan": p.Name}
	snaps, err := db.Where[snapshotRow](tx, policy.AllCustomers("finding"), "arrived_at DESC", 1, "plan_id = ? AND gone_at = 0", p.ID)
	if err != nil || len(snaps) == 0 {
		return args, err
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return nil, fmt.Errorf("backups: %w", err)
	}
	args["last"] = controlplane.FromMillis(snaps[0].ArrivedAt).In(zone).Format("2 January 15:04")
	return args, nil
}
