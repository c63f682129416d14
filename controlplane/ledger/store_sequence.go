package ledger

import (
	"fmt"

	"gorm.io/gorm/clause"

	"ostler/controlplane/db"
)

// lockedLog reads a log's row and locks it until the transaction ends. Unless
// wait is set, a row that another sequencer holds is passed over.
func lockedLog(tx *db.Tx, generation int64, wait bool) (rows []logRow, err error) {
	tail := tx.SkipLocked()
	if wait && tail != "" {
		tail = " FOR UPDATE"
	}
	err = tx.Raw("SELECT * FROM ledger_logs WHERE generation = ?"+tail, generation).Scan(&rows).Error
	return rows, err
}

// store writes everything a pass made. The size is compared with the one the
// pass began from.
func (b *batch) store(tx *db.Tx, customers []string, c checkpointRow) error {
	if err := createAll(tx, b.leaves); err != nil {
		return fmt.Errorf("store leaves: %w", err)
	}
	if err := createAll(tx, b.stored); err != nil {
		return fmt.Errorf("store hashes: %w", err)
	}
	for _, customer := range customers {
		row := b.chains[customer]
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
			return fmt.Errorf("store chains: %w", err)
		}
	}
	place := "l.leaf_index"
	if tx.Dialect() == db.SQLite {
		place = "+l.leaf_index" // so that it goes through what waits once, and looks up the leaf of each
	}
	if tx.Dialect() == db.Postgres {
		// The leaves are newer than any count of them: it takes them for one or none,
		// and would compare each with everything that waits.
		if err := tx.Exec("SET LOCAL enable_nestloop = off").Error; err != nil {
			return fmt.Errorf("place entries: %w", err)
		}
	}
	for _, move := range []string{
		`INSERT INTO ledger_entries (id, customer_id, server_id, subject, kind, actor_kind, actor_id, at, data, commitments, generation, leaf_index, seq)
			SELECT p.id, p.customer_id, p.server_id, p.subject, p.kind, p.actor_kind, p.actor_id, p.at, p.data, p.commitments, l.generation, l.leaf_index, l.seq
			FROM ledger_pending p JOIN ledger_leaves l ON l.entry_id = p.id WHERE l.generation = ? AND ` + place + ` >= ?`,
		`DELETE FROM ledger_appended WHERE id IN (SELECT entry_id FROM ledger_leaves WHERE generation = ? AND leaf_index >= ?)`,
	} {
		done := tx.Exec(move, b.log.Generation, b.log.Size)
		if done.Error != nil {
			return fmt.Errorf("place entries: %w", done.Error)
		}
		if done.RowsAffected != int64(len(b.leaves)) {
			return fmt.Errorf("place entries: %d of %d", done.RowsAffected, len(b.leaves))
		}
	}
	if err := tx.Create(&c).Error; err != nil {
		return fmt.Errorf("store the checkpoint: %w", err)
	}
	grown := tx.Exec(`UPDATE ledger_logs SET size = ?, lease_holder = ?, lease_until = ? WHERE generation = ? AND size = ?`,
		c.Size, b.log.LeaseHolder, b.log.LeaseUntil, b.log.Generation, b.log.Size)
	if grown.Error != nil {
		return fmt.Errorf("grow the log: %w", grown.Error)
	}
	if grown.RowsAffected != 1 {
		return fmt.Errorf("grow the log: another sequencer was first")
	}
	return nil
}
