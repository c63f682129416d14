package certs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

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
		rows, err := where[foundRow](tx, scope, "server_id, path", maxFound, "gone_at = 0 AND (? = '' OR server_id = ?)", server, server)
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

// lookAtServer has a host say what its endpoints show, and which certificates
// others renew there.
func (s *Service) lookAtServer(tx *db.Tx, server string, at int64) error {
	rows, err := company[certRow](tx, "not_after, id", maxSeen, "server_id = ? AND ended_at = 0 AND issued_round > 0", server)
	if err != nil {
		return err
	}
	params := wire.CertLookParams{Find: true}
	for _, r := range rows {
		names, err := r.names()
		if err != nil {
			return err
		}
		endpoints, err := said(r, names)
		if err != nil {
			return err
		}
		if endpoints == nil {
			issues, err := company[issueRow](tx, "id", 1, "id = ?", r.IssueID)
			if err != nil {
				return err
			}
			for _, i := range issues {
				if endpoints, err = decode[[]wire.Endpoint](i.Endpoints); err != nil {
					return err
				}
			}
		}
		if len(params.Endpoints)+len(endpoints) > maxSeen {
			break
		}
		params.Endpoints = append(params.Endpoints, endpoints...)
	}
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionCertLook), Executor: jobs.Agent, Server: server, Resource: "certificates:look",
		Key: fmt.Sprintf("%s:%s:%d", wire.ActionCertLook, server, at), Subject: server, Params: params, ExpiresAt: tx.Now.Add(s.opts.LookEvery), Title: "job.certificate_look"})
	if err != nil {
		return fmt.Errorf("certs: look: %w", err)
	}
	return nil
}

// doneLook keeps what a host saw.
func (s *Service) doneLook(tx *db.Tx, job jobs.Job) error {
	res, ok := result[wire.CertLooked](job)
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
		if err := upsert(tx, &row, "id"); err != nil {
			return err
		}
	}
	for _, r := range byPath {
		if r.GoneAt == 0 {
			r.GoneAt = tx.NowMillis()
			if err := save(tx, &r); err != nil {
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

// TakeOver has a found certificate looked after by us: it is issued anew, and
// where that is installed the old renewer is stopped. in.Names may be empty:
// then they are the found one's; in.Tenancy may be, where they are one's sites.
// Permission: cert.write. Errors: invalid with fields, not_found, conflict.
func (s *Service) TakeOver(ctx context.Context, scope policy.Scope, found string, in NewCertificate) (Certificate, error) {
	var f Found
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := one[foundRow](tx, scope, "certificate", found)
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
	row, err := one[foundRow](tx, forAttempts(), "certificate", found)
	if err != nil {
		return err
	}
	if row.TakenBy != "" && cert != "" {
		return controlplane.Errorf(controlplane.CodeConflict, "Look at the certificate that took its place.", "This one has been taken over already")
	}
	row.TakenBy = cert
	return save(tx, &row)
}

// takeLater has the host stop the old renewer, now that ours is served.
func (s *Service) takeLater(tx *db.Tx, cert certRow) error { return s.take(tx, cert, false) }

func (s *Service) take(tx *db.Tx, cert certRow, undo bool) error {
	row, err := one[foundRow](tx, forAttempts(), "certificate", cert.FoundID)
	if err != nil {
		return err
	}
	f, err := row.value()
	if err != nil {
		return err
	}
	_, err = s.jobs.Enqueue(tx, jobs.Spec{Kind: string(wire.ActionCertTake), Executor: jobs.Agent, Server: cert.ServerID, Customer: cert.CustomerID,
		Resource: resource(cert.ID), Key: fmt.Sprintf("%s:%s:%v:%d", wire.ActionCertTake, cert.ID, undo, tx.NowMillis()), Subject: cert.ID,
		ExpiresAt: tx.Now.Add(requestLife), Title: "job.certificate_take_over",
		Params: wire.CertTakeParams{Certificate: cert.ID, Folder: cert.Folder, Path: f.Path, Renewer: f.Renewer, Lineage: f.Lineage, Undo: undo}})
	if err != nil {
		return fmt.Errorf("certs: take over: %w", err)
	}
	return nil
}

// doneTake notes that an old renewer was stopped, or renews again.
func (s *Service) doneTake(tx *db.Tx, job jobs.Job) error {
	var p wire.CertTakeParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return fmt.Errorf("certs: take over: %w", err)
	}
	cert, err := one[certRow](tx, forAttempts(), "certificate", job.Subject)
	if err != nil {
		return err
	}
	res, ok := result[wire.CertTaken](job)
	if !ok {
		why := hostWhy(job, WhyRenewer)
		return s.raise(tx, cert, findings.CertRenewer, findings.Bad, findings.Ops, map[string]string{"renewer": p.Renewer, "because": why.Detail})
	}
	if err := s.findings.Close(tx, findingKey(findings.CertRenewer, cert.ID), "done on the server"); err != nil {
		return err
	}
	kind := "certificate.taken_over"
	cert.TakenAt = tx.NowMillis()
	if p.Undo {
		kind, cert.TakenAt = "certificate.given_back", 0
		if err := s.noteTaken(tx, cert.FoundID, ""); err != nil {
			return err
		}
	}
	if err := saveCert(tx, &cert); err != nil {
		return err
	}
	return s.note(tx, cert, kind, map[string]any{"renewer": p.Renewer, "lineage": p.Lineage, "path": p.Path, "changed": anyList(res.Changed)})
}

// UndoTakeOver gives a certificate back to its old renewer, and ends it here.
// Permission: cert.write. Errors: conflict where it was not taken over.
func (s *Service) UndoTakeOver(ctx context.Context, scope policy.Scope, id string) (Certificate, error) {
	return s.edit(ctx, scope, id, func(tx *db.Tx, row *certRow) error {
		if row.FoundID == "" {
			return controlplane.Errorf(controlplane.CodeConflict, "End it instead, if it is to be looked after no more.", "This certificate was never anybody else's")
		}
		if row.TakenAt > 0 {
			if err := s.take(tx, *row, true); err != nil {
				return err
			}
		} else if err := s.noteTaken(tx, row.FoundID, ""); err != nil {
			return err
		}
		return s.endRow(tx, row)
	})
}

// dueServers has every server that is looked after asked once a day.
func (s *Service) dueServers(ctx context.Context) error {
	now, err := s.db.Now(ctx)
	if err != nil {
		return err
	}
	if err := s.addServers(ctx, now); err != nil {
		return err
	}
	var due []serverRow
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		due, err = company[serverRow](tx, "look_at", 200, "look_at <= ?", tx.NowMillis())
		return err
	})
	for _, r := range due {
		if err == nil {
			err = s.dueServer(ctx, r)
		}
	}
	return err
}

// notAble is when a server that cannot be asked is thought of again.
const notAble = time.Hour

// dueServer has one server asked, where its agent can and may.
func (s *Service) dueServer(ctx context.Context, due serverRow) error {
	able, err := s.able(ctx, due.ServerID, wire.ActionCertLook)
	if err != nil {
		return fmt.Errorf("certs: look at %s: %w", due.ServerID, err)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := company[serverRow](tx, "server_id", 1, "server_id = ? AND look_at = ?", due.ServerID, due.LookAt)
		if err != nil || len(rows) == 0 {
			return err
		}
		r := rows[0]
		r.LookAt = tx.Now.Add(notAble).UnixMilli()
		if able {
			if err := s.lookAtServer(tx, r.ServerID, due.LookAt); err != nil {
				return err
			}
			r.LookedAt, r.LookAt = tx.NowMillis(), tx.Now.Add(s.opts.LookEvery).UnixMilli()
		}
		return save(tx, &r)
	})
}

// serversEvery is how often new servers are looked for.
const serversEvery = 10 * time.Minute

// addServers notes the servers that are new.
func (s *Service) addServers(ctx context.Context, now time.Time) error {
	if now.Sub(s.servers.Load()) < serversEvery {
		return nil
	}
	s.servers.Store(now)
	for token := ""; ; {
		page, next, err := s.customers.ListServers(ctx, forAttempts(), customers.ServerFilter{State: customers.ServerActive, Limit: 200, Short: true, PageToken: token})
		if err != nil {
			return fmt.Errorf("certs: servers: %w", err)
		}
		err = s.db.Write(ctx, func(tx *db.Tx) error {
			for _, srv := range page {
				if err := insertOnce(tx, &serverRow{ServerID: srv.ID, LookAt: tx.NowMillis()}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || next == "" {
			return err
		}
		token = next
	}
}
