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
	var without []string
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err := coverage(tx, scope)
		planned, without = make(map[string]bool, len(all)), nil
		for _, p := range all {
			planned[p.tenancy] = true
			if !p.covered {
				without = append(without, p.plan)
			}
		}
		return err
	})
	if err != nil || len(without) == 0 {
		return nil, planned, err
	}
	open, err = s.plans(ctx, scope, "id IN ?", without)
	return open, planned, err
}
