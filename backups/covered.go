package backups

import (
	"context"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Uncovered returns the plans of the scope that nothing can be restored from
// (their repository is not ready, or they have no copy) and the tenancies that
// have no plan at all, with their id, server and customer. It is for pages over
// very many plans; the plans have no next runs. Permission: plan.read.
func (s *Service) Uncovered(ctx context.Context, scope policy.Scope) (open []Plan, unplanned []customers.Tenancy, err error) {
	if open, err = s.plans(ctx, scope, notCovered); err != nil {
		return nil, nil, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error { unplanned, err = s.unplanned(tx, scope); return err })
	return open, unplanned, err
}
