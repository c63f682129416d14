package certs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// maxFound bounds the certificates of others that are kept of one server.
const maxFound = 2000

// Found lists the certificates on a server that somebody else renews, as last
// seen; of all servers where server is "". Permission: cert.read.
func (s *Service) Found(ctx context.Context, scope policy.Scope, server string) ([]Found, error) {
	if server != "" {
		srv, err := s.customers.GetServer(ctx, scope, server)
		if err != nil {
			return nil, err
		}
		server = srv.ID
	}
	var out []Found
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		out = nil
		rows, err := db.Where[foundRow](tx, scope, "server_id, path", maxFound, "gone_at = 0 AND (? = '' OR server_id = ?)", server, server)
		if err != nil {
			return err
		}
		for _, r := range rows {
			f, err := r.value()
			if err != nil {
				return err
			}
			out = append(out, f)
		}
		return nil
	})
	return out, err
}

// doneLook keeps what a host saw.
func (s *Service) doneLook(tx *db.Tx, job jobs.Job) error {
	res, ok := jobs.Result[wire.CertLooked](job)
	if !ok {
		return nil // the server's silence, or its policy, has findings of its own
	}
	var p wire.CertLookParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return fmt.Errorf("certs: look: %w", err)
	}
	rows, err := company[certRow](tx, "id", 0, "server_id = ? AND ended_at = 0 AND issued_round > 0", job.Server)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := s.hostSaw(tx, row, res.Seen); err != nil {
			return err
		}
	}
	if !p.Find {
		return nil
	}
	return s.keepFound(tx, job.Server, res.Found)
}

// hostSaw judges a certificate by what the host saw of its names.
func (s *Service) hostSaw(tx *db.Tx, cert certRow, seen []wire.CertSeen) error {
	names, err := cert.names()
	if err != nil {
		return err
	}
	endpoints, err := decode[[]Endpoint](cert.Endpoints)
	if err != nil {
		return err
	}
	var mine []wire.CertSeen
	for _, e := range seen {
		ours := slices.ContainsFunc(names, func(n string) bool { return sni(n) == e.Name })
		if len(endpoints) > 0 {
			ours = ours && slices.Contains(endpoints, Endpoint{Address: e.Address, Protocol: e.Protocol})
		}
		if ours {
			e.Right = e.Leaf != "" && e.Leaf == cert.Leaf && e.Chain == cert.Chain
			mine = append(mine, e)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	if _, err := s.saw(tx, &cert, "host", cert.IssueID, mine); err != nil {
		return err
	}
	return saveCert(tx, &cert)
}

// keepFound keeps the certificates of others on a server: those that are not
// listed any more are gone.
func (s *Service) keepFound(tx *db.Tx, server string, found []wire.FoundCert) error {
	tens, err := s.customers.TenanciesIn(tx, forAttempts(), customers.TenancyFilter{Server: server})
	if err != nil {
		return fmt.Errorf("certs: found: %w", err)
	}
	there, err := company[foundRow](tx, "path", 0, "server_id = ?", server)
	if err != nil {
		return err
	}
	byPath := map[string]foundRow{}
	for _, r := range there {
		byPath[r.Path] = r
	}
	for i, f := range found {
		row, known := byPath[f.Path]
		if i >= maxFound && !known {
			break
		}
		delete(byPath, f.Path)
		if !known {
			row = foundRow{ID: controlplane.NewID(controlplane.PrefixFound), ServerID: server, Path: f.Path}
		}
		row.Data, row.SeenAt, row.GoneAt, row.CustomerID = encode(f), tx.NowMillis(), 0, ownerOf(tens, f.Names)
		if err := db.Upsert(tx, &row, "id"); err != nil {
			return err
		}
	}
	for _, r := range byPath {
		if r.GoneAt == 0 {
			r.GoneAt = tx.NowMillis()
			if err := db.Save(tx, &r); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownerOf is whose sites all the names are, "" where they are not one customer's.
func ownerOf(tens []customers.Tenancy, names []string) string {
	for _, t := range tens {
		if len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return !covers(t, n) }) {
			return t.Customer
		}
	}
	return ""
}

// TakeOver has a found certificate looked after by us: it is issued anew, and in
// the step that installs it the old renewer is stopped. in.Names may be empty:
// then they are the found one's; in.Tenancy may be, where they are one's sites.
// Permission: cert.write. Errors: invalid with fields, not_found, conflict.
func (s *Service) TakeOver(ctx context.Context, scope policy.Scope, found string, in NewCertificate) (Certificate, error) {
	var f Found
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := db.One[foundRow](tx, scope, "certificate", found)
		if err != nil {
			return err
		}
		if f, err = row.value(); err != nil {
			return err
		}
		if row.TakenBy != "" {
			return controlplane.Errorf(controlplane.CodeConflict, "Look at the certificate that took its place.", "This one has been taken over already")
		}
		return nil
	})
	if err != nil {
		return Certificate{}, err
	}
	if len(in.Names) == 0 {
		in.Names = f.Names
	}
	if in.Tenancy == "" {
		tens, err := s.customers.Tenancies(ctx, scope, customers.TenancyFilter{Server: f.Server})
		if err != nil {
			return Certificate{}, err
		}
		for _, t := range tens {
			if len(in.Names) > 0 && covers(t, in.Names[0]) {
				in.Tenancy = t.ID
			}
		}
	}
	return s.create(ctx, scope, in, ReasonTakeover, found)
}

// noteTaken notes which certificate takes a found one's place.
func (s *Service) noteTaken(tx *db.Tx, found, cert string) error {
	row, err := db.One[foundRow](tx, forAttempts(), "certificate", found)
	if err != nil {
		return err
	}
	if row.TakenBy != "" && cert != "" {
		return controlplane.Errorf(controlplane.CodeConflict, "Look at the certificate that took its place.", "This one has been taken over already")
	}
	row.TakenBy = cert
	return db.Save(tx, &row)
}

// takeParams say whose place a certificate takes.
func (s *Service) takeParams(tx *db.Tx, cert certRow, services []wire.Service) (wire.CertTakeParams, error) {
	row, err := db.One[foundRow](tx, forAttempts(), "certificate", cert.FoundID)
	if err != nil {
		return wire.CertTakeParams{}, err
	}
	f, err := row.value()
	return wire.CertTakeParams{Certificate: cert.ID, Folder: cert.Folder, Path: f.Path, Renewer: f.Renewer, Lineage: f.Lineage, Services: services}, err
}

// took notes that an old renewer was stopped in the step that had ours served.
func (s *Service) took(tx *db.Tx, cert *certRow, taken *wire.CertTaken) error {
	cert.TakenAt = tx.NowMillis()
	p, err := s.takeParams(tx, *cert, nil)
	if err != nil {
		return err
	}
	if taken == nil {
		taken = &wire.CertTaken{}
	}
	return s.note(tx, *cert, "certificate.taken_over", map[string]any{"renewer": p.Renewer, "lineage": p.Lineage, "path": p.Path, "changed": anyList(taken.Changed)})
}

// giveBack has the host let the old renewer renew again.
func (s *Service) giveBack(tx *db.Tx, cert certRow) error {
	services, err := decode[[]wire.Service](cert.Services)
	if err != nil {
		return err
	}
	params, err := s.takeParams(tx, cert, services)
	if err != nil {
		return err
	}
	params.Undo = true
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionCertTake), Executor: jobs.Agent, Server: cert.ServerID, Customer: cert.CustomerID,
		Resource: resource(cert.ID), Key: string(wire.ActionCertTake) + ":" + cert.ID, Subject: cert.ID, Params: params,
		ExpiresAt: tx.Now.Add(requestLife), Title: "job.certificate_take_over"})
	if err != nil {
		return fmt.Errorf("certs: give back: %w", err)
	}
	return nil
}

// doneTake notes that the old renewer renews again.
func (s *Service) doneTake(tx *db.Tx, job jobs.Job) error {
	var p wire.CertTakeParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return fmt.Errorf("certs: give back: %w", err)
	}
	cert, err := db.One[certRow](tx, forAttempts(), "certificate", job.Subject)
	if err != nil {
		return err
	}
	res, ok := jobs.Result[wire.CertTaken](job)
	if !ok {
		why := hostWhy(job, WhyRenewer)
		return s.raise(tx, cert, findings.CertRenewer, findings.Bad, findings.Ops, map[string]string{"renewer": p.Renewer, "because": why.Detail})
	}
	if err := s.findings.Close(tx, findingKey(findings.CertRenewer, cert.ID), "done on the server"); err != nil {
		return err
	}
	cert.TakenAt = 0
	if err := s.noteTaken(tx, cert.FoundID, ""); err != nil {
		return err
	}
	if err := saveCert(tx, &cert); err != nil {
		return err
	}
	return s.note(tx, cert, "certificate.given_back", map[string]any{"renewer": p.Renewer, "lineage": p.Lineage, "path": p.Path, "changed": anyList(res.Changed)})
}

// UndoTakeOver gives a certificate back to its old renewer, and ends it here.
// Permission: cert.write. Errors: conflict where it was not taken over.
func (s *Service) UndoTakeOver(ctx context.Context, scope policy.Scope, id string) (Certificate, error) {
	return s.edit(ctx, scope, id, func(tx *db.Tx, row *certRow) error {
		if row.FoundID == "" {
			return controlplane.Errorf(controlplane.CodeConflict, "End it instead, if it is to be looked after no more.", "This certificate was never anybody else's")
		}
		if row.TakenAt > 0 {
			if err := s.giveBack(tx, *row); err != nil {
				return err
			}
		} else if err := s.noteTaken(tx, row.FoundID, ""); err != nil {
			return err
		}
		return s.endRow(tx, row)
	})
}
