package secrets

import (
	"context"
	"crypto/rand"
	"time"

	"ostler/controlplane/db"
)

// homeRow is the one row that says where new keys go, and who moves the others.
type homeRow struct {
	ID         string `gorm:"column:id;primaryKey"`
	Home       string `gorm:"column:home"`
	Epoch      int64  `gorm:"column:epoch"`
	Holder     string `gorm:"column:holder"`
	LeaseUntil int64  `gorm:"column:lease_until"`
	StartedAt  int64  `gorm:"column:started_at"`
	ChangedAt  int64  `gorm:"column:changed_at"`
}

// TableName names the table for gorm.
func (homeRow) TableName() string { return "key_home" }

const homeID = "home"

// homeOf reads the row; keys are in the file keyring where there is none.
func homeOf(tx *db.Tx) (homeRow, error) {
	var rows []homeRow
	err := tx.Where("id = ?", homeID).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return homeRow{ID: homeID, Home: string(HomeFile)}, err
	}
	return rows[0], nil
}

func activeHome(ctx context.Context, d *db.DB) (HomeName, error) {
	var r homeRow
	err := d.Read(ctx, func(tx *db.Tx) (err error) {
		r, err = homeOf(tx)
		return err
	})
	return HomeName(r.Home), err
}

func saveHome(tx *db.Tx, r homeRow) error {
	r.ChangedAt = tx.NowMillis()
	return db.Upsert(tx, &r, "id")
}

// extendHold makes the hold of an epoch last until then, and reports whether
// it is still that one's.
func extendHold(tx *db.Tx, epoch int64, until time.Time) (bool, error) {
	got := tx.Model(&homeRow{}).Where("id = ? AND epoch = ? AND holder <> ''", homeID, epoch).Updates(map[string]any{"lease_until": until.UnixMilli()})
	return got.RowsAffected == 1, got.Error
}

// endHold gives the hold of an epoch up, if it is still that one's.
func endHold(tx *db.Tx, epoch int64) error {
	return tx.Model(&homeRow{}).Where("id = ? AND epoch = ?", homeID, epoch).Updates(map[string]any{"holder": "", "lease_until": 0}).Error
}

// removalRow is one thing to be destroyed in Vault.
type removalRow struct {
	ID         string `gorm:"column:id;primaryKey"`
	CustomerID string `gorm:"column:customer_id"`
	Kind       string `gorm:"column:kind"`
	Name       string `gorm:"column:name"`
	DueAt      int64  `gorm:"column:due_at"`
	DoneAt     int64  `gorm:"column:done_at"`
}

// TableName names the table for gorm.
func (removalRow) TableName() string { return "key_removals" }

func insertRemoval(tx *db.Tx, customer, kind, name string, after time.Duration) error {
	return tx.Create(&removalRow{ID: rand.Text(), CustomerID: customer, Kind: kind, Name: name, DueAt: tx.Now.Add(after).UnixMilli()}).Error
}

func addRemoval(ctx context.Context, d *db.DB, customer, kind, name string, after time.Duration) error {
	return d.Write(ctx, func(tx *db.Tx) error { return insertRemoval(tx, customer, kind, name, after) })
}

// what says what is removed, to people.
func (r removalRow) what() string {
	if r.Kind == removeCustomer {
		return "the keys and credentials"
	}
	return "credential " + r.Name
}

// dueRemovals are those that are due, after an id.
func dueRemovals(tx *db.Tx, after string, limit int) (rows []removalRow, err error) {
	err = tx.Where("done_at = 0 AND due_at <= ? AND id > ?", tx.NowMillis(), after).Order("id").Limit(limit).Find(&rows).Error
	return rows, err
}

func closeRemoval(tx *db.Tx, id string) error {
	return tx.Model(&removalRow{}).Where("id = ?", id).Updates(map[string]any{"done_at": tx.NowMillis()}).Error
}

func openRemovals(tx *db.Tx) (int, error) {
	var n int64
	err := tx.Model(&removalRow{}).Where("done_at = 0").Count(&n).Error
	return int(n), err
}

// countKeys counts the living data keys by home.
func countKeys(tx *db.Tx, into map[HomeName]int) error {
	var rows []struct {
		Home string
		N    int
	}
	err := tx.Raw("SELECT home, COUNT(*) AS n FROM data_keys WHERE destroyed_at = 0 GROUP BY home").Scan(&rows).Error
	for _, r := range rows {
		into[HomeName(r.Home)] = r.N
	}
	return err
}
