package certs

import (
	"fmt"

	"ostler/agents/wire"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
)

// doneRequest takes a host's signing request: it is checked, and goes into the
// line at the CA.
func (s *Service) doneRequest(tx *db.Tx, job jobs.Job) error {
	row, cert, ok, err := s.openIssue(tx, job.Subject)
	if err != nil || !ok || row.JobID != job.ID {
		return err
	}
	res, ok := jobs.Result[wire.CertRequested](job)
	if !ok {
		return s.fail(tx, &cert, &row, hostWhy(job, WhyHostFailed))
	}
	names, err := cert.names()
	if err != nil {
		return err
	}
	if why, err := s.notCovered(tx, cert, names); why != nil || err != nil {
		return failOr(err, func() error { return s.fail(tx, &cert, &row, *why) })
	}
	spki, why := checkCSR(res.CSR, names, wire.KeyType(row.KeyType))
	if why == nil {
		why, err = claimKey(tx, spki, row)
	}
	if err != nil {
		return err
	}
	if why != nil {
		return s.fail(tx, &cert, &row, *why)
	}
	row.CSR, row.SPKI, row.State, row.JobID = res.CSR, spki, string(IssueWaiting), ""
	addStep(tx, &row, StepRequest, nil)
	if err := db.Save(tx, &row); err != nil {
		return err
	}
	return s.admit(tx, row.AuthorityID)
}

func failOr(err error, otherwise func() error) error {
	if err != nil {
		return err
	}
	return otherwise()
}

// notCovered says which name is no site of the tenancy any more.
func (s *Service) notCovered(tx *db.Tx, cert certRow, names []string) (*Why, error) {
	ten, err := s.customers.TenancyIn(tx, forAttempts(), cert.TenancyID)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if !ten.EndedAt.IsZero() || !covers(ten, n) {
			return &Why{Code: WhyNotCovered, Name: n}, nil
		}
	}
	return nil, nil
}

// admitted is how many orders at one CA are at work at a time, over all
// replicas, for each that a replica sends: most of them only look at names.
const admitted = 4

// admit has the first of the line at a CA go on, while there is room. Call it
// only in the plane's own transactions: a contact's does not see the line.
func (s *Service) admit(tx *db.Tx, authority string) error {
	out, err := count[issueRow](tx, "authority_id = ? AND state = ? AND ended_at = 0", authority, IssueOrdering)
	if err != nil {
		return err
	}
	room := admitted*s.opts.Concurrent - int(out)
	if room <= 0 {
		return nil
	}
	rows, err := company[issueRow](tx, "rank, started_at, id", room,
		"authority_id = ? AND state = ? AND job_id = '' AND start_at <= ? AND ended_at = 0", authority, IssueWaiting, tx.NowMillis())
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := s.order(tx, &row); err != nil {
			return err
		}
	}
	return nil
}

type orderParams struct {
	Issue string `json:"issue"`
}

// order has the plane take an attempt through its order.
func (s *Service) order(tx *db.Tx, row *issueRow) error {
	row.Tries++
	job, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobOrder, Executor: jobs.Plane, Customer: row.CustomerID, Resource: resource(row.CertificateID),
		Key: fmt.Sprintf("%s:%s:%d", jobOrder, row.ID, row.Tries), Subject: row.ID, Params: orderParams{row.ID}, Timeout: orderTimeout,
		MaxAttempts: 100, Title: "job.certificate_order"})
	if err != nil {
		return fmt.Errorf("certs: order: %w", err)
	}
	row.State, row.JobID, row.StartAt = string(IssueOrdering), job.ID, 0
	return db.Save(tx, row)
}
