package ledger

import (
	"ostler/controlplane"
	"ostler/controlplane/db"
)

func allLogs(tx *db.Tx) (rows []logRow, err error) {
	err = tx.Order("generation").Find(&rows).Error
	return rows, err
}

func allChains(tx *db.Tx, generation int64) (rows []chainRow, err error) {
	err = tx.Where("generation = ?", generation).Order("customer_id").Find(&rows).Error
	return rows, err
}

// entryAt returns the entry whose row says that it stands at a place.
func entryAt(tx *db.Tx, generation, index int64) (entryRow, bool, error) {
	var rows []entryRow
	err := tx.Where("generation = ? AND leaf_index = ?", generation, index).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return entryRow{}, false, err
	}
	return rows[0], true, nil
}

func problemOf(r entryRow, index int64) Problem {
	return Problem{Entry: r.ID, Leaf: index, At: controlplane.FromMillis(r.At)}
}

// checkpointsOutside returns some checkpoints beyond a size, or without one.
func checkpointsOutside(tx *db.Tx, generation, size int64) (rows []checkpointRow, err error) {
	err = tx.Where("generation = ? AND (size > ? OR size < 1)", generation, size).Order("size").Limit(maxProblems).Find(&rows).Error
	return rows, err
}

func hashesOutside(tx *db.Tx, generation, count int64) (n int64, err error) {
	err = tx.Model(&hashRow{}).Where("generation = ? AND (idx < 0 OR idx >= ?)", generation, count).Count(&n).Error
	return n, err
}

// entriesWithoutLeaf returns some entries that say they have a place and have
// none.
func entriesWithoutLeaf(tx *db.Tx) (rows []entryRow, err error) {
	err = tx.Where(`NOT EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.entry_id = ledger_entries.id)`).
		Order("leaf_index").Limit(maxProblems).Find(&rows).Error
	return rows, err
}

// pendingWithLeaf returns entries that wait for a place and have one.
func pendingWithLeaf(tx *db.Tx) (rows []entryRow, err error) {
	err = tx.Table(pendingTable).Where("EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.entry_id = ledger_pending.id)").
		Order("id").Limit(maxProblems).Find(&rows).Error
	return rows, err
}

func personalWithoutEntry(tx *db.Tx) (rows []personalRow, err error) {
	err = tx.Where(`NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.id = ledger_personal.entry_id)
		AND NOT EXISTS (SELECT 1 FROM ledger_pending p WHERE p.id = ledger_personal.entry_id)`).
		Order("entry_id, name").Limit(maxProblems).Find(&rows).Error
	return rows, err
}

// orphanRows returns the tables that have rows of a generation without a log,
// or leaves at impossible places.
func orphanRows(tx *db.Tx) (tables []string, err error) {
	for _, q := range []struct{ table, also string }{
		{"ledger_leaves", " OR leaf_index < 0 OR leaf_index >= 1125899906842624"},
		{"ledger_hashes", ""}, {"ledger_chains", ""}, {"ledger_checkpoints", ""},
	} {
		var n int64
		err := tx.Raw("SELECT COUNT(*) FROM " + q.table + " WHERE generation NOT IN (SELECT generation FROM ledger_logs)" + q.also).Row().Scan(&n)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			tables = append(tables, q.table)
		}
	}
	return tables, nil
}
