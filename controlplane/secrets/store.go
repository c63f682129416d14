package secrets

import (
	"context"
	"strconv"
	"strings"

	"ostler/controlplane/db"
)

type dataKeyRow struct {
	CustomerID  string `gorm:"column:customer_id;primaryKey"`
	Version     int64  `gorm:"column:version;primaryKey;autoIncrement:false"`
	Wrapped     []byte `gorm:"column:wrapped"`
	CreatedAt   int64  `gorm:"column:created_at;autoCreateTime:false"`
	DestroyedAt int64  `gorm:"column:destroyed_at"`
}

// TableName names the table for gorm.
func (dataKeyRow) TableName() string { return "data_keys" }

type keyFileRow struct {
	Name        string `gorm:"column:name;primaryKey"`
	Fingerprint []byte `gorm:"column:fingerprint"`
	CreatedAt   int64  `gorm:"column:created_at;autoCreateTime:false"`
}

// TableName names the table for gorm.
func (keyFileRow) TableName() string { return "key_files" }

// readDataKeys reads the rows of one customer, or all.
func readDataKeys(ctx context.Context, d *db.DB, customer *string) (rows []dataKeyRow, err error) {
	err = d.Read(ctx, func(tx *db.Tx) error {
		q := tx.Order("customer_id, version")
		if customer != nil {
			q = q.Where("customer_id = ?", *customer)
		}
		return q.Find(&rows).Error
	})
	return rows, err
}

func insertDataKey(ctx context.Context, d *db.DB, customer string, wrapped []byte) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		return tx.Create(&dataKeyRow{CustomerID: customer, Version: 1, Wrapped: wrapped, CreatedAt: tx.NowMillis()}).Error
	})
}

// destroyDataKeys empties the rows of a customer, and leaves one that says so
// where there was none: the key can never be made again.
func destroyDataKeys(ctx context.Context, d *db.DB, customer string) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		got := tx.Model(&dataKeyRow{}).Where("customer_id = ? AND destroyed_at = 0", customer).
			Updates(map[string]any{"wrapped": []byte{}, "destroyed_at": tx.NowMillis()})
		if got.Error != nil || got.RowsAffected > 0 {
			return got.Error
		}
		var n int64
		if err := tx.Model(&dataKeyRow{}).Where("customer_id = ?", customer).Count(&n).Error; err != nil || n > 0 {
			return err
		}
		return tx.Create(&dataKeyRow{CustomerID: customer, Version: 1, Wrapped: []byte{}, CreatedAt: tx.NowMillis(), DestroyedAt: tx.NowMillis()}).Error
	})
}

// rewrapDataKey exchanges the wrapped form of a key, unless it changed since r
// was read.
func rewrapDataKey(ctx context.Context, d *db.DB, r dataKeyRow, wrapped []byte) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		return tx.Model(&dataKeyRow{}).
			Where("customer_id = ? AND version = ? AND wrapped = ? AND destroyed_at = 0", r.CustomerID, r.Version, r.Wrapped).
			Updates(map[string]any{"wrapped": wrapped}).Error
	})
}

func readKeyFileRow(ctx context.Context, d *db.DB, name string) (fingerprint []byte, ok bool, err error) {
	var rows []keyFileRow
	err = d.Read(ctx, func(tx *db.Tx) error { return tx.Where("name = ?", name).Find(&rows).Error })
	if err != nil || len(rows) == 0 {
		return nil, false, err
	}
	return rows[0].Fingerprint, true, nil
}

// insertKeyFileRow remembers a key file and returns the fingerprint that the
// database has: another process's, where that was first.
func insertKeyFileRow(ctx context.Context, d *db.DB, name string, fingerprint []byte) ([]byte, error) {
	err := d.Write(ctx, func(tx *db.Tx) error {
		return tx.Create(&keyFileRow{Name: name, Fingerprint: fingerprint, CreatedAt: tx.NowMillis()}).Error
	})
	if err == nil {
		return fingerprint, nil
	}
	if !db.IsDuplicate(err) {
		return nil, err
	}
	known, _, err := readKeyFileRow(ctx, d, name)
	return known, err
}

// newestKEK returns the highest version of a key-encryption key that the
// database was used with, 0 for none.
func newestKEK(ctx context.Context, d *db.DB) (newest int64, err error) {
	var rows []keyFileRow
	err = d.Read(ctx, func(tx *db.Tx) error { return tx.Where("name LIKE ?", "kek-%").Find(&rows).Error })
	for _, r := range rows {
		if v, err := strconv.ParseInt(strings.TrimPrefix(r.Name, "kek-"), 10, 32); err == nil {
			newest = max(newest, v)
		}
	}
	return newest, err
}
