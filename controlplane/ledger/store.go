package ledger

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"ostler/controlplane/db"
)

type logRow struct {
	Generation  int64  `gorm:"column:generation;primaryKey;autoIncrement:false"`
	Origin      string `gorm:"column:origin"`
	Size        int64  `gorm:"column:size"`
	LeaseHolder string `gorm:"column:lease_holder"`
	LeaseUntil  int64  `gorm:"column:lease_until"`
}

// TableName names the table for gorm.
func (logRow) TableName() string { return "ledger_logs" }

type entryRow struct {
	ID          string `gorm:"column:id;primaryKey"`
	CustomerID  string `gorm:"column:customer_id"`
	ServerID    string `gorm:"column:server_id"`
	Subject     string `gorm:"column:subject"`
	Kind        string `gorm:"column:kind"`
	ActorKind   string `gorm:"column:actor_kind"`
	ActorID     string `gorm:"column:actor_id"`
	At          int64  `gorm:"column:at"`
	Data        []byte `gorm:"column:data"`
	Commitments []byte `gorm:"column:commitments"`
	Generation  int64  `gorm:"column:generation"`
	LeafIndex   int64  `gorm:"column:leaf_index"`
	Seq         int64  `gorm:"column:seq"`
}

// TableName names the table for gorm.
func (entryRow) TableName() string { return "ledger_entries" }

type personalRow struct {
	EntryID    string `gorm:"column:entry_id;primaryKey"`
	Name       string `gorm:"column:name;primaryKey"`
	CustomerID string `gorm:"column:customer_id"`
	Sealed     []byte `gorm:"column:sealed"`
}

// TableName names the table for gorm.
func (personalRow) TableName() string { return "ledger_personal" }

type leafRow struct {
	Generation int64  `gorm:"column:generation;primaryKey;autoIncrement:false"`
	LeafIndex  int64  `gorm:"column:leaf_index;primaryKey;autoIncrement:false"`
	EntryID    string `gorm:"column:entry_id"`
	CustomerID string `gorm:"column:customer_id"`
	Seq        int64  `gorm:"column:seq"`
	Leaf       []byte `gorm:"column:leaf"`
}

// TableName names the table for gorm.
func (leafRow) TableName() string { return "ledger_leaves" }

type hashRow struct {
	Generation int64  `gorm:"column:generation;primaryKey;autoIncrement:false"`
	Idx        int64  `gorm:"column:idx;primaryKey;autoIncrement:false"`
	Hash       []byte `gorm:"column:hash"`
}

// TableName names the table for gorm.
func (hashRow) TableName() string { return "ledger_hashes" }

type chainRow struct {
	Generation int64  `gorm:"column:generation;primaryKey;autoIncrement:false"`
	CustomerID string `gorm:"column:customer_id;primaryKey"`
	Size       int64  `gorm:"column:size"`
	Head       []byte `gorm:"column:head"`
}

// TableName names the table for gorm.
func (chainRow) TableName() string { return "ledger_chains" }

type checkpointRow struct {
	Generation int64  `gorm:"column:generation;primaryKey;autoIncrement:false"`
	Size       int64  `gorm:"column:size;primaryKey;autoIncrement:false"`
	Note       []byte `gorm:"column:note"`
}

// TableName names the table for gorm.
func (checkpointRow) TableName() string { return "ledger_checkpoints" }

// createAll inserts rows in parts of a few fixed sizes: each size is one
// prepared statement.
func createAll[T any](tx *db.Tx, rows []T) error {
	for _, size := range []int{256, 32, 8, 2, 1} {
		for len(rows) >= size {
			part := rows[:size:size]
			if err := tx.Create(&part).Error; err != nil {
				return err
			}
			rows = rows[size:]
		}
	}
	return nil
}

// newestLog returns the newest log; ok is false where there is none.
func newestLog(tx *db.Tx) (row logRow, ok bool, err error) {
	var rows []logRow
	err = tx.Order("generation DESC").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return logRow{}, false, err
	}
	return rows[0], true, nil
}

// newestCheckpoint returns the newest checkpoint of a generation.
func newestCheckpoint(tx *db.Tx, generation int64) (row checkpointRow, ok bool, err error) {
	var rows []checkpointRow
	err = tx.Where("generation = ?", generation).Order("size DESC").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return checkpointRow{}, false, err
	}
	return rows[0], true, nil
}

func checkpointOfSize(tx *db.Tx, generation, size int64) (row checkpointRow, ok bool, err error) {
	var rows []checkpointRow
	err = tx.Where("generation = ? AND size = ?", generation, size).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return checkpointRow{}, false, err
	}
	return rows[0], true, nil
}

// chainsOf returns the chains of customers, by customer.
func chainsOf(tx *db.Tx, generation int64, customers []string) (map[string]chainRow, error) {
	var rows []chainRow
	err := tx.Where("generation = ? AND customer_id IN ?", generation, db.Padded(customers)).Find(&rows).Error
	chains := make(map[string]chainRow, len(rows))
	for _, r := range rows {
		chains[r.CustomerID] = r
	}
	return chains, err
}

// pendingTable is a view of the entries that have no place yet; the sequencer
// moves them to entryRow's own table.
const pendingTable = "ledger_pending"

// unplaced says of rows of pendingTable what those of entryRow's table say
// themselves.
func unplaced(rows []entryRow) []entryRow {
	for i := range rows {
		rows[i].LeafIndex, rows[i].Seq = -1, -1
	}
	return rows
}

// pendingAfter returns entries that have no place yet, in the order in which
// they were made.
func pendingAfter(tx *db.Tx, id string, limit int) (rows []entryRow, err error) {
	err = tx.Table(pendingTable).Where("id > ?", id).Order("id").Limit(limit).Find(&rows).Error
	return unplaced(rows), err
}

// deletePersonal deletes the personal values of entries and returns the
// entries that had some, by customer.
func deletePersonal(tx *db.Tx, ids []string) (map[string][]string, error) {
	byCustomer := map[string][]string{}
	for part := range slices.Chunk(ids, 256) {
		var rows []personalRow
		if err := tx.Select("entry_id", "name", "customer_id").Where("entry_id IN ?", db.Padded(part)).Order("entry_id, name").Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			if !slices.Contains(byCustomer[r.CustomerID], r.EntryID) {
				byCustomer[r.CustomerID] = append(byCustomer[r.CustomerID], r.EntryID)
			}
		}
		if err := tx.Where("entry_id IN ?", db.Padded(part)).Delete(&personalRow{}).Error; err != nil {
			return nil, err
		}
	}
	return byCustomer, nil
}

// hashes reads a log's stored hashes, those of this transaction first; without
// a transaction it knows what it was given.
type hashes struct {
	tx         *db.Tx
	generation int64
	known      map[int64]tlog.Hash
}

func newHashes(tx *db.Tx, generation int64) *hashes {
	return &hashes{tx: tx, generation: generation, known: map[int64]tlog.Hash{}}
}

// ReadHashes implements tlog.HashReader.
func (h *hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var want []int64
	for _, i := range indexes {
		if _, ok := h.known[i]; !ok {
			want = append(want, i)
		}
	}
	if len(want) > 0 && h.tx != nil {
		var rows []hashRow
		if err := h.tx.Where("generation = ? AND idx IN ?", h.generation, db.Padded(want)).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			if len(r.Hash) == tlog.HashSize {
				h.known[r.Idx] = tlog.Hash(r.Hash)
			}
		}
	}
	got := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hash, ok := h.known[index]
		if !ok {
			return nil, &missingHash{index}
		}
		got[i] = hash
	}
	return got, nil
}
