package certs

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"ostler/certs/acme"
	"ostler/certs/renewal"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
)

// planner chooses instants, in hours for which little is planned. What is chance
// in it is the same however often a transaction runs.
func (s *Service) planner(tx *db.Tx, cert certRow) renewal.Planner {
	sum := sha256.Sum256([]byte(cert.ID + cert.AriID + tx.Now.String()))
	return renewal.Planner{Rand: rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:]))), Load: s.turns.Load}
}

// installed is what is renewed.
func (r certRow) installed() renewal.Certificate {
	return renewal.Certificate{CertID: r.AriID, NotBefore: controlplane.FromMillis(r.NotBefore), NotAfter: controlplane.FromMillis(r.NotAfter), Hurried: r.Hurried != 0}
}

func (r certRow) plan() renewal.Plan {
	at := controlplane.FromMillis
	p := renewal.Plan{CertID: r.PlanFor, From: renewal.Source(r.RenewFrom), Start: at(r.WindowStart), End: at(r.WindowEnd), At: at(r.RenewAt),
		Explanation: r.Explanation, PollAt: at(r.PollAt), Bad: int(r.AriFailures)}
	if !p.From.Valid() { // a person's wish is no window
		p.From = renewal.FromLifetime
	}
	return p
}

func (r *certRow) setPlan(p renewal.Plan) {
	ms := controlplane.Millis
	r.PlanFor, r.RenewFrom, r.WindowStart, r.WindowEnd, r.RenewAt = p.CertID, string(p.From), ms(p.Start), ms(p.End), ms(p.At)
	r.Explanation, r.PollAt, r.AriFailures = p.Explanation, ms(p.PollAt), int64(p.Bad)
}

// planFirst plans the renewal of what has just been installed.
func (s *Service) planFirst(tx *db.Tx, cert *certRow, reason Reason) {
	hurried := reason == ReasonRenewal && cert.RenewFrom == string(renewal.FromARI) && cert.WindowEnd > 0 && cert.WindowEnd < cert.NotBefore
	cert.Hurried = flag(hurried)
	cert.setPlan(s.planner(tx, *cert).First(cert.installed(), tx.Now))
	cert.NoticeAt, cert.Noticed = controlplane.Millis(renewal.NextNotice(cert.installed(), 0)), 0
}

// retryAt is when a certificate is tried again after a failure.
func (s *Service) retryAt(tx *db.Tx, cert certRow) int64 {
	c := cert.installed()
	if cert.NotAfter == 0 {
		c = renewal.Certificate{NotBefore: tx.Now, NotAfter: tx.Now.Add(90 * 24 * time.Hour)} // none yet: by the steps alone
	}
	return controlplane.Millis(s.planner(tx, cert).Retry(c, int(cert.Attempts), tx.Now))
}

// polled keeps an answer about a renewal. One that makes no sense moves nothing.
func (s *Service) polled(tx *db.Tx, cert *certRow, ca authorityRow, info acme.Renewal, err error) error {
	before := cert.plan()
	var plan renewal.Plan
	if err == nil {
		var retry time.Duration
		if !info.RetryAfter.IsZero() {
			retry = info.RetryAfter.Sub(tx.Now)
		}
		plan, err = s.planner(tx, *cert).Answered(before, cert.installed(), renewal.Answer{Start: info.Start, End: info.End, Explanation: info.Explanation, RetryAfter: retry}, tx.Now)
	} else {
		var retry time.Duration
		var e *acme.Error
		if errors.As(err, &e) && !e.RetryAfter.IsZero() {
			retry = e.RetryAfter.Sub(tx.Now)
		}
		plan = s.planner(tx, *cert).Failed(before, cert.installed(), retry, tx.Now)
	}
	cert.setPlan(plan)
	if !plan.At.Equal(before.At) {
		tx.AfterCommit(func() { s.turns.Planned(cert.ID, plan.At) })
	}
	if !plan.At.IsZero() && !plan.At.After(tx.Now) {
		tx.AfterCommit(func() { s.opts.Bus.Publish(topicWatch) }) // what is wanted now does not wait for the next round of Watch
	}
	if err2 := saveCert(tx, cert); err2 != nil {
		return err2
	}
	switch {
	case err != nil && plan.Bad >= badAnswers:
		return s.raiseARI(tx, *cert, ca, err)
	case err == nil && before.Bad >= badAnswers:
		if err := s.findings.Close(tx, findingKey(findings.CertARIBad, ca.ID), "the authority answers again"); err != nil {
			return err
		}
	}
	if err == nil && !plan.At.Equal(before.At) && plan.From == renewal.FromARI && (before.From != renewal.FromARI || plan.At.Before(before.At.Add(-time.Hour))) {
		_, err := s.ledger.Append(tx, ledger.Entry{Customer: cert.CustomerID, Server: cert.ServerID, Subject: cert.ID, Kind: "certificate.window",
			Data: map[string]any{"start": controlplane.Instant(plan.Start), "end": controlplane.Instant(plan.End), "renew_at": controlplane.Instant(plan.At), "explanation": plan.Explanation}})
		return err
	}
	return nil
}

// badAnswers is how many bad answers in a row a person hears of.
const badAnswers = 3

// raiseARI tells of a CA whose answers about renewals make no sense: once,
// however many certificates it is asked about.
func (s *Service) raiseARI(tx *db.Tx, cert certRow, ca authorityRow, err error) error {
	names, err2 := cert.names()
	if err2 != nil {
		return err2
	}
	return s.findings.Raise(tx, findings.Finding{Key: findingKey(findings.CertARIBad, ca.ID), Subject: ca.ID, Kind: findings.CertARIBad, Severity: findings.Warn,
		Owner: findings.Ops, Link: "/certificates/" + cert.ID, Args: map[string]string{"authority": ca.Name, "names": label(names), "because": controlplane.Line(err.Error(), maxDetail)}})
}
