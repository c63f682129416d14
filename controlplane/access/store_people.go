package access

import (
	"fmt"

	"ostler/controlplane/db"
)

type personRow struct {
	ID            string `gorm:"primaryKey"`
	Kind          string
	StaffID       string
	CustomerID    string
	Name          []byte
	Company       []byte
	OwnerID       string
	TeleportUsers []byte
	Logins        []byte
	LeftAt        int64
	LeftWhy       []byte
	Version       int64
	CreatedAt     int64 `gorm:"autoCreateTime:false"`
	UpdatedAt     int64 `gorm:"autoUpdateTime:false"`
}

func (personRow) TableName() string { return "access_persons" }

// personRows are the persons of ids.
func personRows(tx *db.Tx, ids []string) (rows []personRow, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if err := oneOf(tx.DB, tx.Dialect(), "id", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("access: find persons: %w", err)
	}
	return rows, nil
}

// namesIn are the names of persons, by id.
func (s *Service) namesIn(tx *db.Tx, ids []string) (map[string]string, error) {
	rows, err := personRows(tx, ids)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(rows))
	for _, r := range rows {
		if names[r.ID], err = s.open(r.CustomerID, "access_persons", "name", r.ID, r.Name); err != nil {
			return nil, err
		}
	}
	return names, nil
}
