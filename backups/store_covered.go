package backups

import (
	"errors"
	"fmt"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// notCovered is the condition of plans that nothing can be restored from:
// almost none are, and no others are read. The repository is the tenancy's.
const notCovered = `id IN (SELECT id FROM backup_plans WHERE copied_at = 0
	UNION ALL SELECT id FROM backup_plans WHERE tenancy_id IN (SELECT tenancy_id FROM backup_repositories WHERE state <> 'ready'))`

// copied notes the arrival of a plan's first copy. Whoever takes a plan's last
// copy away sets it to 0 again.
func copied(tx *db.Tx, plan string) error {
	if err := tx.Exec("UPDATE backup_plans SET copied_at = ? WHERE id = ? AND copied_at = 0", tx.NowMillis(), plan).Error; err != nil {
		return fmt.Errorf("backups: note a copy: %w", err)
	}
	return nil
}

// unplanned finds the tenancies of the scope that have not ended and have no
// plan: those that have one are taken away before a row is read.
func (s *Service) unplanned(tx *db.Tx, scope policy.Scope) (out []customers.Tenancy, err error) {
	living, args := s.customers.Living(scope)
	rows, err := tx.Raw("SELECT t.id, t.server_id, t.customer_id FROM ("+living+") t WHERE t.id IN (SELECT a.id FROM ("+living+
		") a EXCEPT SELECT tenancy_id FROM backup_plans) ORDER BY t.id", append(args, args...)...).Rows()
	if err != nil {
		return nil, fmt.Errorf("backups: tenancies without a plan: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var t customers.Tenancy
		if err := rows.Scan(&t.ID, &t.Server, &t.Customer); err != nil {
			return nil, fmt.Errorf("backups: tenancies without a plan: %w", err)
		}
		out = append(out, t)
	}
	return out, nil
}
