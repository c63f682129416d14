package certs

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

const (
	// handshakeLimit bounds one look at an endpoint.
	handshakeLimit = 10 * time.Second
	// firstLook is how long after an installation the names are looked at from here.
	firstLook = 10 * time.Second
	// lookParallel is how many endpoints are looked at at a time.
	lookParallel = 32
	// maxSeen bounds what is kept of one look.
	maxSeen = 400
)

// CheckServed looks at every endpoint of a certificate from here, and has the
// host look too. Permission: cert.read. Errors: conflict where nothing is installed.
func (s *Service) CheckServed(ctx context.Context, scope policy.Scope, id string) (Served, error) {
	var cert certRow
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if cert, err = db.One[certRow](tx, scope, "certificate", id); err != nil {
			return err
		}
		if cert.IssuedRound == 0 {
			return nothingInstalled()
		}
		return s.askLook(tx, cert)
	})
	if err != nil {
		return Served{}, err
	}
	return s.look(ctx, cert)
}

// askLook has the host look at the endpoints of one certificate.
func (s *Service) askLook(tx *db.Tx, cert certRow) error {
	names, err := cert.names()
	if err != nil {
		return err
	}
	endpoints, err := said(cert, names)
	if err != nil {
		return err
	}
	if endpoints == nil {
		rows, err := company[issueRow](tx, "id", 1, "id = ?", cert.IssueID)
		if err != nil || len(rows) == 0 {
			return err
		}
		if endpoints, err = decode[[]wire.Endpoint](rows[0].Endpoints); err != nil {
			return err
		}
	}
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionCertLook), Executor: jobs.Agent, Server: cert.ServerID, Customer: cert.CustomerID,
		Supersedes: string(wire.ActionCertLook) + ":" + cert.ID, Subject: cert.ID, Params: wire.CertLookParams{Endpoints: endpoints},
		ExpiresAt: tx.Now.Add(time.Hour), Title: "job.certificate_look"})
	if err != nil {
		return fmt.Errorf("certs: look: %w", err)
	}
	return nil
}

// look looks at every endpoint from here, and keeps what they showed.
func (s *Service) look(ctx context.Context, cert certRow) (Served, error) {
	endpoints, err := s.endpoints(ctx, cert)
	if err != nil {
		return Served{}, err
	}
	endpoints = endpoints[:min(len(endpoints), maxSeen)]
	seen := make([]wire.CertSeen, len(endpoints))
	var wg sync.WaitGroup
	turn := make(chan struct{}, lookParallel)
	for i, e := range endpoints {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			seen[i] = s.see(ctx, e)
			seen[i].Right = seen[i].Leaf != "" && seen[i].Leaf == cert.Leaf && seen[i].Chain == cert.Chain
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return Served{}, err
	}
	var out Served
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := db.One[certRow](tx, forAttempts(), "certificate", cert.ID)
		if err != nil {
			return err
		}
		if out, err = s.saw(tx, &now, "plane", cert.IssueID, seen); err != nil {
			return err
		}
		return saveCert(tx, &now)
	})
	return out, err
}

// see is one look from here. What lies in private networks is the host's to look at.
func (s *Service) see(ctx context.Context, e wire.Endpoint) wire.CertSeen {
	at, err := netip.ParseAddrPort(e.Address)
	if err != nil || !s.opts.Private && !controlplane.PublicAddress(at.Addr()) {
		return wire.CertSeen{Endpoint: e, Problem: problemPrivate}
	}
	seen := s.opts.See(ctx, e, handshakeLimit)
	if at.Addr().Is6() && seen.Leaf == "" && strings.Contains(seen.Problem, "unreachable") {
		seen.Problem = problemNoRoute
	}
	return seen
}

// Where we do not or cannot look from here: no sign of anything.
const (
	problemPrivate = "not looked at from here: the address is a private one"
	problemNoRoute = "not looked at from here: there is no way to it over IPv6"
)

// saw keeps what endpoints showed, from the host or from here, and judges it.
// Where another certificate was installed in the meantime it keeps nothing.
func (s *Service) saw(tx *db.Tx, cert *certRow, from, issue string, seen []wire.CertSeen) (Served, error) {
	out := Served{At: tx.Now, Right: true, Seen: seenFrom(tx, from, seen)}
	asked := 0
	var wrong Why
	for _, e := range seen {
		if e.Problem == problemPrivate || e.Problem == problemNoRoute {
			continue
		}
		if asked++; !e.Right && out.Right {
			out.Right = false
			blame(&wrong, []wire.CertSeen{e})
		}
	}
	if cert.IssueID != issue || cert.EndedAt > 0 || asked == 0 {
		return out, nil
	}
	before, err := decode[[]Seen](cert.Seen)
	if err != nil {
		return out, err
	}
	kept := out.Seen
	for _, e := range before {
		if e.From != from {
			kept = append(kept, e)
		}
	}
	cert.Seen = encode(kept[:min(len(kept), maxSeen)])
	return out, s.judge(tx, cert, out.Right, wrong)
}

// judge moves a certificate between served and unserved. An attempt under way
// says itself how it ends.
func (s *Service) judge(tx *db.Tx, cert *certRow, right bool, wrong Why) error {
	if cert.OpenIssue != "" || cert.State != string(StateServed) && cert.State != string(StateUnserved) {
		return nil
	}
	if right {
		if cert.State == string(StateServed) {
			return nil
		}
		cert.State = string(StateServed)
		if err := s.note(tx, *cert, "certificate.served_again", map[string]any{"serial": cert.Serial}); err != nil {
			return err
		}
		return s.findings.Close(tx, findingKey(findings.CertNotServed, cert.ID), "every endpoint shows it")
	}
	wrong.Code = WhyNotServed
	if cert.State == string(StateServed) {
		cert.State = string(StateUnserved)
		if err := s.note(tx, *cert, "certificate.not_served", map[string]any{"serial": cert.Serial, "name": wrong.Name, "address": wrong.Args["address"]}); err != nil {
			return err
		}
	}
	cause, _ := wrong.Text("en")
	return s.raise(tx, *cert, findings.CertNotServed, findings.Bad, findings.Ops, map[string]string{"because": cause, "address": wrong.Args["address"]})
}
