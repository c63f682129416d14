package db

import (
	"context"
	"fmt"
)

// Compact rewrites SQLite's file and empties its log, so that nothing of rows
// that were changed or deleted is left in either; it needs as much room again as
// the file has, and nobody writes meanwhile. It reports whether it did: on
// PostgreSQL, whose own vacuum does it in its own time, it does nothing.
func (d *DB) Compact(ctx context.Context) (bool, error) {
	if d.dialect != SQLite {
		return false, nil
	}
	for _, q := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if err := d.write.WithContext(ctx).Exec(q).Error; err != nil {
			return false, fmt.Errorf("db: compact: %w", err)
		}
	}
	return true, nil
}
