package certs

import (
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// forAttempts is the scope of what follows from jobs.
func forAttempts() policy.Scope { return policy.AllCustomers("certificates: what a job brought") }

// hostWhy is why a host's job came to nothing; code is for what has no better one.
func hostWhy(job jobs.Job, code string) Why {
	w := Why{Code: code}
	if job.Failure != nil {
		w.Detail = job.Failure.Detail
		if c, ok := causeCodes[job.Failure.Cause]; ok {
			w.Code = c
		}
	}
	switch job.State {
	case jobs.Cancelled, jobs.Superseded:
		w.Code = WhyCancelled
	case jobs.Expired:
		w.Code = WhyServerSilent
	case jobs.Rejected:
		if job.Failure == nil || job.Failure.Cause != wire.CauseUnsupported {
			w.Code = WhyHostRefused
		}
	}
	return w
}

// causeCodes are the words of hosts in ours.
var causeCodes = map[wire.Cause]string{
	wire.CausePolicy:        WhyHostRefused,
	wire.CauseUnsupported:   WhyOldAgent,
	wire.CauseDiskFull:      WhyDiskFull,
	wire.CauseServiceConfig: WhyServiceConfig,
	wire.CauseServiceReload: WhyServiceReload,
	wire.CauseNoService:     WhyNoService,
	wire.CauseNotServed:     WhyNotServed,
	wire.CauseRenewer:       WhyRenewer,
	wire.CauseCertKey:       WhyKeyMissing,
	wire.CauseChain:         WhyChainRefused,
	wire.CauseCertFolder:    WhyFolder,
}

// end closes an attempt.
func (s *Service) end(tx *db.Tx, row *issueRow, state IssueState, why Why, step string) error {
	row.State, row.EndedAt, row.JobID = string(state), tx.NowMillis(), ""
	if why.Code != "" {
		row.Why = encode(why)
	} else {
		row.Why = ""
	}
	addStep(tx, row, step, stepArgs(why))
	if err := remove[tokenRow](tx, "issue_id = ?", row.ID); err != nil {
		return err
	}
	if row.Serial == "" { // what was issued is counted already
		if err := (Budget{}).GiveBack(tx, row.ID, row.AuthorityID); err != nil {
			return err
		}
	}
	if err := db.Save(tx, row); err != nil {
		return err
	}
	if err := s.campaignEnded(tx, *row); err != nil {
		return err
	}
	return nil
}

func stepArgs(why Why) map[string]string {
	if why.Code == "" {
		return nil
	}
	return map[string]string{"code": why.Code}
}

// fail ends an attempt that came to nothing: what is installed stays, and the
// next try is planned.
func (s *Service) fail(tx *db.Tx, cert *certRow, row *issueRow, why Why) error {
	if err := s.named(tx, row.AuthorityID, &why); err != nil {
		return err
	}
	if why.Code == WhyCancelled || why.Code == WhyChanged || why.Code == WhyEnded {
		return s.cancelled(tx, cert, row, why)
	}
	return s.failAs(tx, cert, row, why, IssueFailed, StepFailed)
}

func (s *Service) failAs(tx *db.Tx, cert *certRow, row *issueRow, why Why, state IssueState, step string) error {
	cert.OpenIssue = ""
	if row.DryRun == 0 {
		cert.Attempts++
		if cert.FailingSince == 0 {
			cert.FailingSince = tx.NowMillis()
		}
		cert.NextTry = s.retryAt(tx, *cert)
		if u := controlplane.Millis(why.Until); u > cert.NextTry {
			cert.NextTry = u
		}
		row.NextTry, cert.Why = cert.NextTry, encode(why)
	}
	if err := s.end(tx, row, state, why, step); err != nil {
		return err
	}
	if err := saveCert(tx, cert); err != nil {
		return err
	}
	if row.DryRun == 0 {
		if err := s.raiseFailed(tx, *cert, *row, why); err != nil {
			return err
		}
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: cert.CustomerID, Server: cert.ServerID, Subject: cert.ID, Kind: "certificate.failed",
		Data: map[string]any{"issue": row.ID, "code": why.Code, "name": why.Name, "attempts": cert.Attempts, "dry_run": row.DryRun != 0, "rolled_back": state == IssueRolledBack}})
	if err != nil {
		return err
	}
	return s.admit(tx, row.AuthorityID)
}

// cancelled ends an attempt that nobody wants any more.
func (s *Service) cancelled(tx *db.Tx, cert *certRow, row *issueRow, why Why) error {
	cert.OpenIssue = ""
	if err := s.end(tx, row, IssueCancelled, why, StepFailed); err != nil {
		return err
	}
	if why.Code == WhyCancelled { // a person stopped it: not at once again
		cert.NextTry = max(cert.NextTry, tx.Now.Add(24*time.Hour).UnixMilli())
	}
	return saveCert(tx, cert)
}

// retryAfter is the wait after a number of failures in a row: 1, 10 and 100
// minutes, then a day.
func retryAfter(attempts int) time.Duration {
	switch attempts {
	case 0, 1:
		return time.Minute
	case 2:
		return 10 * time.Minute
	case 3:
		return 100 * time.Minute
	}
	return 24 * time.Hour
}

// named fills what sentences want to know of a CA.
func (s *Service) named(tx *db.Tx, authority string, why *Why) error {
	if why.Args["authority"] != "" {
		return nil
	}
	ca, err := authorityIn(tx, authority)
	if err != nil {
		return err
	}
	args := map[string]string{"authority": ca.Name}
	for k, v := range why.Args {
		args[k] = v
	}
	why.Args = args
	return nil
}

// maxDetail bounds a technical line of an attempt, in characters.
const maxDetail = 500
