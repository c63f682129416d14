package backups

import (
	"context"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Uncovered returns the plans of the scope that nothing can be restored from:
// their repository is not ready, or they have no copy. planned are all
// tenancies that have a plan at all. It is for pages over very many plans; the
// plans have no next runs. Permission: plan.read.
func (s *Service) Uncovered(ctx context.Context, scope policy.Scope) (open []Plan, planned map[string]bool, err error) {
	if open, err = s.plans(ctx, scope, withoutCopy); err != nil {
		return nil, nil, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		ids, err := plannedTenancies(tx, scope)
		planned = make(map[string]bool, len(ids))
		for _, id := range ids {
			planned[id] = true
		}
		return err
	})
	return open, planned, err
}
