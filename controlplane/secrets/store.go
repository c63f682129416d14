package secrets

import (
	"context"
	"errors"
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
	Home        string `gorm:"column:home"`
}

// TableName names the table for gorm.
func (dataKeyRow) TableName() string { return "data_keys" }

type keyFileRow struct {
	Name        string `gorm:"column:name;primaryKey"`
	Fingerprint []byte `gorm:"column:fingerprint"`
	CreatedAt   int64  `gorm:"column:created_at;autoCreateTime:false"`
	RetiredAt   int64  `gorm:"column:retired_at"` // 0: in use
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

// errMoved says that new keys have another home than the one a key was wrapped in.
var errMoved = errors.New("secrets: keys have another home now")

func insertDataKey(ctx context.Context, d *db.DB, customer string, home HomeName, wrapped []byte) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		row, err := homeOf(tx)
		if err != nil {
			return err
		}
		if row.Home != string(home) {
			return errMoved
		}
		return tx.Create(&dataKeyRow{CustomerID: customer, Version: 1, Wrapped: wrapped, CreatedAt: tx.NowMillis(), Home: string(home)}).Error
	})
}

// destroyDataKeys empties the rows of a customer, and leaves one that says so
// where there was none: the key can never be made again. It reports whether one
// of them was in Vault.
func destroyDataKeys(tx *db.Tx, customer string) (inVault bool, err error) {
	var rows []dataKeyRow
	if err := tx.Where("customer_id = ?", customer).Find(&rows).Error; err != nil {
		return false, err
	}
	if len(rows) == 0 {
		return false, tx.Create(&dataKeyRow{CustomerID: customer, Version: 1, Wrapped: []byte{}, CreatedAt: tx.NowMillis(), DestroyedAt: tx.NowMillis(), Home: string(HomeFile)}).Error
	}
	for _, r := range rows {
		inVault = inVault || r.Home == string(HomeVault)
	}
	return inVault, tx.Model(&dataKeyRow{}).Where("customer_id = ? AND destroyed_at = 0", customer).
		Updates(map[string]any{"wrapped": []byte{}, "destroyed_at": tx.NowMillis()}).Error
}

// rewrapDataKey exchanges the wrapped form of a key, unless it changed since r
// was read, and reports whether it did.
func rewrapDataKey(tx *db.Tx, r dataKeyRow, home HomeName, wrapped []byte) (bool, error) {
	got := tx.Model(&dataKeyRow{}).
		Where("customer_id = ? AND version = ? AND wrapped = ? AND destroyed_at = 0", r.CustomerID, r.Version, r.Wrapped).
		Updates(map[string]any{"wrapped": wrapped, "home": string(home)})
	return got.RowsAffected == 1, got.Error
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
// database was used with, 0 for none, and whether it was retired.
func newestKEK(ctx context.Context, d *db.DB) (newest int64, retired bool, err error) {
	var rows []keyFileRow
	err = d.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = kekRows(tx)
		return err
	})
	for _, r := range rows {
		if v := r.version(); v > newest {
			newest, retired = v, r.RetiredAt != 0
		}
	}
	return newest, retired, err
}

func kekRows(tx *db.Tx) (rows []keyFileRow, err error) {
	err = tx.Where("name LIKE ?", "kek-%").Order("name").Find(&rows).Error
	return rows, err
}

// version is that of a key-encryption key, 0 for another name.
func (r keyFileRow) version() int64 {
	v, err := strconv.ParseInt(strings.TrimPrefix(r.Name, "kek-"), 10, 32)
	if err != nil {
		return 0
	}
	return v
}

// inFile counts the living data keys that a file of the keyring wraps.
func inFile(tx *db.Tx) (int, error) {
	var n int64
	err := tx.Model(&dataKeyRow{}).Where("home = ? AND destroyed_at = 0", string(HomeFile)).Count(&n).Error
	return int(n), err
}

// retireKEKs notes that all key-encryption keys are retired, and returns the
// names of those that were in use, and of all.
func retireKEKs(tx *db.Tx) (now, all []string, err error) {
	rows, err := kekRows(tx)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		all = append(all, r.Name)
		if r.RetiredAt == 0 {
			now = append(now, r.Name)
		}
	}
	return now, all, tx.Model(&keyFileRow{}).Where("name LIKE ? AND retired_at = 0", "kek-%").Updates(map[string]any{"retired_at": tx.NowMillis()}).Error
}

// erasedCustomers are those whose data keys were destroyed.
func erasedCustomers(tx *db.Tx) (map[string]bool, error) {
	var ids []string
	err := tx.Model(&dataKeyRow{}).Where("destroyed_at <> 0").Distinct("customer_id").Pluck("customer_id", &ids).Error
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}
