package certs

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/certs/acme"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
)

// probeLabel stands for "*" where a wildcard is looked at.
const probeLabel = "ostler-check"

// sni is the name that is sent for a name of a certificate.
func sni(name string) string {
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		return probeLabel + "." + rest
	}
	return name
}

// endpoints are where every name of a certificate is served: as a person said,
// or at the addresses that the names have now, port 443. A name without an
// address has no endpoint.
func (s *Service) endpoints(ctx context.Context, cert certRow) ([]wire.Endpoint, error) {
	names, err := cert.names()
	if err != nil {
		return nil, err
	}
	if out, err := said(cert, names); out != nil || err != nil {
		return out, err
	}
	var out []wire.Endpoint
	for _, n := range names {
		addrs, err := s.opts.Resolve(ctx, sni(n))
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue // the preflight has looked at it: what is not there now is looked at again daily
		}
		for _, a := range addrs {
			out = append(out, wire.Endpoint{Name: sni(n), Address: net.JoinHostPort(a, "443"), Protocol: wire.ProtocolTLS})
		}
	}
	return out, nil
}

// said are the endpoints that a person named, nil where nobody did.
func said(cert certRow, names []string) ([]wire.Endpoint, error) {
	endpoints, err := decode[[]Endpoint](cert.Endpoints)
	if err != nil || len(endpoints) == 0 {
		return nil, err
	}
	var out []wire.Endpoint
	for _, n := range names {
		for _, e := range endpoints {
			out = append(out, wire.Endpoint{Name: sni(n), Address: e.Address, Protocol: e.Protocol})
		}
	}
	return out, nil
}

// endpointsOf are those of an attempt that is installed again.
func (s *Service) endpointsOf(_ *db.Tx, cert certRow, last issueRow) ([]wire.Endpoint, error) {
	names, err := cert.names()
	if err != nil {
		return nil, err
	}
	if out, err := said(cert, names); out != nil || err != nil {
		return out, err
	}
	return decode[[]wire.Endpoint](last.Endpoints)
}

// deploy has the host install an attempt's chain. The caller saves the row.
func (s *Service) deploy(tx *db.Tx, cert certRow, row *issueRow, endpoints []wire.Endpoint) error {
	services, err := decode[[]wire.Service](cert.Services)
	if err != nil {
		return err
	}
	params := wire.CertDeployParams{Certificate: cert.ID, Folder: cert.Folder, Round: row.Round, Chain: row.ChainPEM, Services: services, Endpoints: endpoints}
	if cert.FoundID != "" && cert.TakenAt == 0 {
		take, err := s.takeParams(tx, cert, services)
		if err != nil {
			return err
		}
		params.Take = &take
	}
	row.Tries++
	job, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionCertDeploy), Executor: jobs.Agent, Server: row.ServerID, Customer: row.CustomerID,
		Resource: resource(cert.ID), Key: fmt.Sprintf("%s:%s:%d", wire.ActionCertDeploy, row.ID, row.Tries), Subject: row.ID, ExpiresAt: tx.Now.Add(requestLife), Title: "job.certificate_deploy",
		Params: params})
	if err != nil {
		return fmt.Errorf("certs: deploy: %w", err)
	}
	row.State, row.JobID, row.Why, row.Endpoints = string(IssueDeploying), job.ID, "", encode(endpoints)
	addStep(tx, row, StepDeploying, nil)
	return nil
}

// doneDeploy ends an attempt by what the host's endpoints show.
func (s *Service) doneDeploy(tx *db.Tx, job jobs.Job) error {
	row, cert, ok, err := s.openIssue(tx, job.Subject)
	if err != nil || !ok || row.JobID != job.ID {
		return err
	}
	res, ok := deployed(job)
	switch {
	case !ok:
		return s.fail(tx, &cert, &row, hostWhy(job, WhyDeploy))
	case res.Reached == wire.CertServed && !res.RolledBack:
		return s.served(tx, &cert, &row, res)
	}
	why := hostWhy(job, WhyDeploy)
	if res.Failure != nil {
		why.Detail = controlplane.Line(res.Failure.Detail, maxDetail)
		if c, ok := causeCodes[res.Failure.Cause]; ok {
			why.Code = c
		}
	}
	if why.Code == WhyNotServed {
		blame(&why, res.Seen)
	}
	if !res.RolledBack {
		cert.Seen = encode(seenFrom(tx, "host", res.Seen))
	}
	if !res.RolledBack && res.Round == row.Round { // there is none before it: it stays, and is no good yet
		if err := s.install(tx, &cert, row); err != nil {
			return err
		}
		cert.State = string(StateUnserved)
		return s.failAs(tx, &cert, &row, why, IssueFailed, StepFailed)
	}
	if err := s.wentBack(tx, &cert, res); err != nil {
		return err
	}
	return s.failAs(tx, &cert, &row, why, IssueRolledBack, StepRolledBack)
}

// wentBack judges the certificate that is in use again by what its endpoints
// show. Where the host did not look behind it, it is looked at from here at once.
func (s *Service) wentBack(tx *db.Tx, cert *certRow, res wire.CertDeployed) error {
	if len(res.Back) == 0 {
		cert.LookAt = tx.NowMillis()
		tx.AfterCommit(func() { s.opts.Bus.Publish(topicWatch) })
		return nil
	}
	right, wrong := true, Why{}
	for i, e := range res.Back {
		e.Right = e.Leaf != "" && e.Leaf == cert.Leaf && e.Chain == cert.Chain
		if res.Back[i].Right = e.Right; !e.Right && right {
			right = false
			blame(&wrong, []wire.CertSeen{e})
		}
	}
	cert.Seen, cert.OpenIssue = encode(seenFrom(tx, "host", res.Back)), "" // the attempt is over: it may be judged
	return s.judge(tx, cert, right, wrong)
}

// deployed reads what the host says of an installation: a job that failed may
// say it too.
func deployed(job jobs.Job) (wire.CertDeployed, bool) {
	if res, ok := jobs.Result[wire.CertDeployed](job); ok {
		return res, true
	}
	if len(job.Result) == 0 {
		return wire.CertDeployed{}, false
	}
	job.State = jobs.Succeeded
	return jobs.Result[wire.CertDeployed](job)
}

// blame names the first endpoint that shows something else.
func blame(why *Why, seen []wire.CertSeen) {
	for _, e := range seen {
		if !e.Right {
			why.Name = e.Name
			why.Args = map[string]string{"address": e.Address}
			if e.Problem != "" {
				why.Detail = controlplane.Line(e.Problem, maxDetail)
			}
			return
		}
	}
}

func seenFrom(tx *db.Tx, from string, in []wire.CertSeen) []Seen {
	out := make([]Seen, len(in))
	for i, e := range in {
		out[i] = Seen{CertSeen: e, From: from, At: tx.Now}
	}
	return out
}

// install notes that an attempt's certificate is what is installed now.
func (s *Service) install(tx *db.Tx, cert *certRow, row issueRow) error {
	leaf, err := leafOf(row.ChainPEM)
	if err != nil {
		return err
	}
	cert.AriID = ""
	if id, err := acme.CertID(leaf); err == nil {
		cert.AriID = id
	}
	cert.IssueID, cert.IssuedRound, cert.Serial, cert.Leaf, cert.Chain, cert.SPKI = row.ID, row.Round, row.Serial, row.Leaf, row.Chain, row.SPKI
	cert.Issuer, cert.IssuedBy, cert.NotBefore, cert.NotAfter, cert.RevokedAt, cert.RevokeReason = row.Issuer, row.AuthorityID, row.NotBefore, row.NotAfter, 0, 0
	cert.IssuedNames = row.Names
	s.planFirst(tx, cert, Reason(row.Reason))
	cert.UpdatedAt = tx.NowMillis()
	return nil
}

// leafOf is the first certificate of a chain in PEM.
func leafOf(chain []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, errors.New("certs: the chain has no certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certs: leaf: %w", err)
	}
	return leaf, nil
}

// served is the good end of an attempt: every endpoint shows the new certificate.
func (s *Service) served(tx *db.Tx, cert *certRow, row *issueRow, res wire.CertDeployed) error {
	old := cert.IssuedRound
	clean := cert.State == string(StateNew) && cert.Attempts == 0 // nothing was ever said of it
	if err := s.install(tx, cert, *row); err != nil {
		return err
	}
	cert.State, cert.Seen, cert.OpenIssue = string(StateServed), encode(seenFrom(tx, "host", res.Seen)), ""
	cert.Attempts, cert.FailingSince, cert.NextTry, cert.Why = 0, 0, 0, ""
	cert.LookAt = tx.Now.Add(min(firstLook, s.opts.LookEvery)).UnixMilli()
	if cert.FoundID != "" && cert.TakenAt == 0 {
		addStep(tx, row, StepOldRenewer, nil)
	}
	if row.RevokeOld != 0 {
		addStep(tx, row, StepOldRevoked, nil)
	}
	if err := s.end(tx, row, IssueServed, Why{}, StepServed); err != nil {
		return err
	}
	if err := s.after(tx, cert, *row, old); err != nil {
		return err
	}
	if cert.FoundID != "" && cert.TakenAt == 0 {
		if err := s.took(tx, cert, res.Taken); err != nil {
			return err
		}
	}
	if err := saveCert(tx, cert); err != nil {
		return err
	}
	if !clean {
		if err := s.closeFindings(tx, *cert); err != nil {
			return err
		}
	}
	names, err := cert.names()
	if err != nil {
		return err
	}
	if _, err := s.ledger.Append(tx, ledger.Entry{Customer: cert.CustomerID, Server: cert.ServerID, Subject: cert.ID, Kind: "certificate.served",
		Data: map[string]any{"issue": row.ID, "names": anyList(names), "serial": row.Serial, "leaf": row.Leaf, "spki": row.SPKI, "issuer": row.Issuer,
			"not_after": controlplane.Instant(controlplane.FromMillis(row.NotAfter)), "authority": row.AuthorityID, "reason": row.Reason}}); err != nil {
		return err
	}
	return s.admit(tx, row.AuthorityID)
}

// forgetAfter is when keys that are not used any more are deleted: there is no
// hurry, and others wait for the host.
const forgetAfter = 10 * time.Minute

// keysOf has a new round's request take the place of a deletion of keys that
// still waits: it does not know of that round.
func keysOf(cert string) string { return "certificate.keys:" + cert }

// after has the host let go of keys that are not used any more, and the old one
// revoked where that is due.
func (s *Service) after(tx *db.Tx, cert *certRow, row issueRow, old int64) error {
	if row.RevokeOld != 0 {
		if err := s.revokeBlocked(tx, *cert, row); err != nil {
			return err
		}
	}
	keep, at := []int64{row.Round}, tx.Now.Add(forgetAfter)
	if old > 0 && old != row.Round && row.RevokeOld == 0 {
		keep = append(keep, old) // to go back to
	}
	if row.RevokeOld != 0 {
		at = tx.Now
	}
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionCertForget), Executor: jobs.Agent, Server: cert.ServerID, Customer: cert.CustomerID,
		Resource: resource(cert.ID), Key: string(wire.ActionCertForget) + ":" + row.ID, Subject: cert.ID, NotBefore: at, Supersedes: keysOf(cert.ID), ExpiresAt: tx.Now.Add(requestLife), Title: "job.certificate_forget",
		Params: wire.CertForgetParams{Certificate: cert.ID, Folder: cert.Folder, Keep: keep}})
	if err != nil {
		return fmt.Errorf("certs: forget: %w", err)
	}
	return nil
}
