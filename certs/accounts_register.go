package certs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"ostler/agents/wire"
	"ostler/certs/acme"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
)

type registerParams struct {
	Authority string `json:"authority"`
}

// registerLater has the plane make our account at a CA that has just been
// added: what an order finds in its way before that costs no request there, and
// a CA that does not want us says so before anything waits for it.
func (s *Service) registerLater(tx *db.Tx, authority string) error {
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobRegister, Executor: jobs.Plane, Key: jobRegister + ":" + authority, Subject: authority,
		Params: registerParams{authority}, MaxAttempts: 20, Title: "job.authority_register"})
	if err != nil {
		return fmt.Errorf("certs: register: %w", err)
	}
	return nil
}

// runRegister makes the account, or finds the one that the same key has. An
// account that could not be made is asked for again by the first order.
func (s *Service) runRegister(ctx context.Context, job jobs.Job) (any, error) {
	var p registerParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, fmt.Errorf("certs: register: %w", err)
	}
	row, err := s.authority(ctx, p.Authority)
	if err != nil {
		return nil, err
	}
	_, err = s.account(ctx, row)
	var e *acme.Error
	if errors.As(err, &e) {
		cause := wire.CauseCARefused
		if e.Kind == acme.KindUnreachable || e.Kind == acme.KindRateLimited {
			cause = wire.CauseCA
		}
		return nil, jobs.Fail(cause, controlplane.Line(e.Error(), maxDetail))
	}
	return p, err
}

// openAccounts opens the accounts that there are, so that this process knows
// what the CAs say of themselves before the first order wants to. One that does
// not answer is asked again by whoever needs it.
func (s *Service) openAccounts(ctx context.Context) {
	var rows []authorityRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = company[authorityRow](tx, "id", 0, "account_url <> ''")
		return err
	})
	var all sync.WaitGroup
	for _, row := range rows {
		all.Go(func() {
			if _, err := s.account(ctx, row); err != nil && ctx.Err() == nil {
				s.opts.Log.WarnContext(ctx, "certs.account", "authority", row.ID, "error", err)
			}
		})
	}
	all.Wait()
	if err != nil && ctx.Err() == nil {
		s.opts.Log.ErrorContext(ctx, "certs.account", "error", err)
	}
}
