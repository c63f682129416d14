package agents

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

const stuckKey = findings.JobStuck + ":"

var everyJob = policy.AllCustomers("jobs that do not move")

// sweepJobs raises which jobs do not move any more, and closes that once they
// have. Most passes find nothing and write nothing.
func (a *Agents) sweepJobs(ctx context.Context) error {
	if a.o.Wall.Now().Sub(a.started) < startGrace { // nothing moved while we were away
		return nil
	}
	stuck, more, err := a.Jobs.Stuck(ctx, everyJob)
	if err != nil {
		return fmt.Errorf("agents: sweep: %w", err)
	}
	open, err := a.openStuck(ctx)
	if err != nil {
		return fmt.Errorf("agents: sweep: %w", err)
	}
	var errs []error
	for _, j := range stuck {
		if !open[j.ID] {
			errs = append(errs, a.DB.Write(ctx, func(tx *db.Tx) error { return a.raiseStuck(tx, j) }))
		}
		delete(open, j.ID)
	}
	if more { // some of the others may be stuck too
		return errors.Join(errs...)
	}
	for job := range open {
		errs = append(errs, a.DB.Write(ctx, func(tx *db.Tx) error { return a.Findings.Close(tx, stuckKey+job, "it has moved, or ended") }))
	}
	return errors.Join(errs...)
}

// openStuck are the jobs that an open finding is about.
func (a *Agents) openStuck(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	for token, more := "", true; more; more = token != "" {
		items, next, err := a.Findings.List(ctx, everyJob, findings.Filter{Kinds: []string{findings.JobStuck}, Limit: 200, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, x := range items {
			open[strings.TrimPrefix(x.Key, stuckKey)] = true
		}
		token = next
	}
	return open, nil
}

func (a *Agents) raiseStuck(tx *db.Tx, j jobs.StuckJob) error {
	x := findings.Finding{Key: stuckKey + j.ID, Server: j.Server, Subject: j.ID, Kind: findings.JobStuck, Severity: findings.Bad, Owner: findings.Ops,
		Link: "/jobs/" + j.ID, Args: map[string]string{"job": j.Kind, "detail": j.Why, "for": findings.Ago("en", tx.Now.Sub(j.Since))}}
	if j.Server != "" {
		return a.raise(tx, x, false)
	}
	return a.Findings.Raise(tx, x)
}
