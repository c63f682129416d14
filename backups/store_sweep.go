package backups

import (
	"fmt"
	"time"

	"ostler/controlplane/db"
)

// newestArrivals returns for each plan the instant at which its newest snapshot
// arrived (Unix milliseconds).
func newestArrivals(tx *db.Tx) (map[string]int64, error) {
	var rows []struct {
		PlanID string
		Newest int64
	}
	if err := tx.Raw("SELECT plan_id, MAX(arrived_at) AS newest FROM backup_snapshots WHERE gone_at = 0 GROUP BY plan_id").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("backups: newest arrivals: %w", err)
	}
	out := make(map[string]int64, len(rows))
	for _, r := range rows {
		out[r.PlanID] = r.Newest
	}
	return out, nil
}

// forgetListings drops which jobs answered for folders that were asked for
// before an instant.
func forgetListings(tx *db.Tx, before time.Time) error {
	if err := tx.Where("asked_at < ?", before.UnixMilli()).Delete(&listingRow{}).Error; err != nil {
		return fmt.Errorf("backups: forget listings: %w", err)
	}
	return nil
}
