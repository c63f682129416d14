package certs

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
)

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
			r.LookedAt, r.LookAt = tx.NowMillis(), tx.Now.Add(s.opts.LookEvery-spread(r.ServerID, s.opts.LookEvery/8)).UnixMilli()
		}
		return db.Save(tx, &r)
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

// spread is a part of a span that is each id's own: what began together does
// not stay so.
func spread(id string, span time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return time.Duration(h.Sum64() % uint64(max(span, 1)))
}
