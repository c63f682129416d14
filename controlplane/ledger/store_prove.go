package ledger

import (
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

const dayMillis = 24 * 60 * 60 * 1000

type dailyHeadRow struct {
	Day        int64  `gorm:"column:day"`
	Generation int64  `gorm:"column:generation"`
	LeafIndex  int64  `gorm:"column:leaf_index"`
	Seq        int64  `gorm:"column:seq"`
	Leaf       []byte `gorm:"column:leaf"`
}

func dailyHeads(tx *db.Tx, customer string, since int64) (rows []dailyHeadRow, err error) {
	err = tx.Raw(`SELECT d.day, l.generation, l.leaf_index, l.seq, l.leaf
		FROM (SELECT at / 86400000 AS day, generation, MAX(seq) AS seq FROM ledger_entries
			WHERE customer_id = ? AND at >= ? AND leaf_index >= 0 GROUP BY 1, 2) d
		JOIN ledger_leaves l ON l.generation = d.generation AND l.customer_id = ? AND l.seq = d.seq
		ORDER BY d.day, l.generation`, customer, since, customer).Scan(&rows).Error
	return rows, err
}

func leafOfEntry(tx *db.Tx, id string) (leafRow, error) {
	var rows []leafRow
	if err := tx.Where("entry_id = ?", id).Find(&rows).Error; err != nil {
		return leafRow{}, err
	}
	if len(rows) == 0 {
		return leafRow{}, controlplane.NotFound("leaf")
	}
	return rows[0], nil
}

// leavesFrom returns leaves in their order; customer nil is all of them.
func leavesFrom(tx *db.Tx, generation, from, until int64, customer *string, limit int) (rows []leafRow, err error) {
	q := tx.Where("generation = ? AND leaf_index >= ? AND leaf_index < ?", generation, from, until)
	if customer != nil {
		q = q.Where("customer_id = ?", *customer)
	}
	err = q.Order("leaf_index").Limit(limit).Find(&rows).Error
	return rows, err
}

// entriesByID returns entries by id.
func entriesByID(tx *db.Tx, leaves []leafRow) (map[string]entryRow, error) {
	byID := make(map[string]entryRow, len(leaves))
	for part := range slices.Chunk(leaves, 256) {
		ids := make([]string, 0, len(part))
		for _, r := range part {
			ids = append(ids, r.EntryID)
		}
		var rows []entryRow
		if err := tx.Where("id IN ?", db.Padded(ids)).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			byID[r.ID] = r
		}
	}
	return byID, nil
}

// personalByEntry returns the personal rows of entries, whether or not the
// entries commit to any.
func personalByEntry(tx *db.Tx, ids []string) (map[string][]personalRow, error) {
	byEntry := map[string][]personalRow{}
	for part := range slices.Chunk(ids, 256) {
		var rows []personalRow
		if err := tx.Where("entry_id IN ?", db.Padded(part)).Order("entry_id, name").Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			byEntry[r.EntryID] = append(byEntry[r.EntryID], r)
		}
	}
	return byEntry, nil
}

// hashRange returns the stored hashes with from <= index < until.
func hashRange(tx *db.Tx, generation, from, until int64) (map[int64][]byte, error) {
	var rows []hashRow
	err := tx.Where("generation = ? AND idx >= ? AND idx < ?", generation, from, until).Find(&rows).Error
	byIndex := make(map[int64][]byte, len(rows))
	for _, r := range rows {
		byIndex[r.Idx] = r.Hash
	}
	return byIndex, err
}

// checkpointRange returns the checkpoints with from < size <= until, by size.
func checkpointRange(tx *db.Tx, generation, from, until int64) (rows []checkpointRow, err error) {
	err = tx.Where("generation = ? AND size > ? AND size <= ?", generation, from, until).Order("size").Find(&rows).Error
	return rows, err
}

// countLeaves counts the leaves below a size; customer nil is all of them.
func countLeaves(tx *db.Tx, generation, size int64, customer *string) (n int64, err error) {
	q := tx.Model(&leafRow{}).Where("generation = ? AND leaf_index < ?", generation, size)
	if customer != nil {
		q = q.Where("customer_id = ?", *customer)
	}
	err = q.Count(&n).Error
	return n, err
}
