package access

import (
	"encoding/json"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

type facilityRow struct {
	ID           string `gorm:"primaryKey"`
	Name         string
	Country      string
	Location     string
	Certificates string
	Controls     string
	Version      int64
	CreatedAt    int64 `gorm:"autoCreateTime:false"`
	UpdatedAt    int64 `gorm:"autoUpdateTime:false"`
}

func (facilityRow) TableName() string { return "access_facilities" }

func (r facilityRow) value() (f Facility, err error) {
	f = Facility{ID: r.ID, Name: r.Name, Country: r.Country, Location: r.Location, Controls: r.Controls, Version: r.Version}
	if err = json.Unmarshal([]byte(r.Certificates), &f.Certificates); err != nil {
		return f, fmt.Errorf("facility %s: %w", r.ID, err)
	}
	return f, nil
}

func facilityByID(tx *db.Tx, id string) (r facilityRow, err error) {
	err = tx.Where("id = ?", id).Take(&r).Error
	if db.IsNotFound(err) {
		return r, controlplane.NotFound("facility")
	}
	return r, err
}

func facilities(tx *db.Tx) ([]Facility, error) {
	var rows []facilityRow
	if err := tx.Order("name, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find facilities: %w", err)
	}
	out := make([]Facility, 0, len(rows))
	for _, r := range rows {
		f, err := r.value()
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

type entryRow struct {
	ID         string `gorm:"primaryKey"`
	Way        string
	PersonID   string
	CustomerID string
	ServerID   string
	FacilityID string
	Rack       string
	Role       string
	Reason     []byte
	Ticket     string
	EscortID   string
	FromAt     int64
	UntilAt    int64
	ReviewBy   int64
	BegunAt    int64
	EndedAt    int64
	EndedBy    string
	EndedWhy   []byte
	CreatedBy  string
	Version    int64
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
}

func (entryRow) TableName() string { return "access_entries" }

// openEntries are the entries that have not ended, of a condition.
func openEntries(tx *db.Tx, where string, args ...any) ([]entryRow, error) {
	return db.Where[entryRow](tx, everyone(), "id", 0, "ended_at = 0 AND ("+where+")", args...)
}

// entriesOver are open entries whose time is over, or whose person has left.
func entriesOver(tx *db.Tx) ([]entryRow, error) {
	return openEntries(tx, "until_at > 0 AND until_at <= ? OR person_id IN (SELECT id FROM access_persons WHERE left_at > 0 AND left_at <= ?)", tx.NowMillis(), tx.NowMillis())
}

// host is a server as far as entries need it, and who lives on it.
type host struct {
	ID, Name, Location string
	Customers          []string `gorm:"-"`
}

// hostsOf are the servers that a scope reaches with all who live on them.
func (s *Service) hostsOf(tx *db.Tx, scope policy.Scope) ([]host, error) {
	query, args := s.customers.LookedAfter(scope)
	var hosts []host
	if err := tx.Raw(query+" ORDER BY id", args...).Scan(&hosts).Error; err != nil {
		return nil, fmt.Errorf("find servers: %w", err)
	}
	var living []struct{ ServerID, CustomerID string }
	query, args = s.customers.Living(everyone())
	if err := tx.Raw("SELECT DISTINCT server_id, customer_id FROM ("+query+") t ORDER BY server_id, customer_id", args...).Scan(&living).Error; err != nil {
		return nil, fmt.Errorf("find tenancies: %w", err)
	}
	on := map[string][]string{}
	for _, t := range living {
		on[t.ServerID] = append(on[t.ServerID], t.CustomerID)
	}
	for i := range hosts {
		hosts[i].Customers = on[hosts[i].ID]
	}
	return hosts, nil
}

// leftOf tells which persons have left.
func leftOf(tx *db.Tx, persons []string, now time.Time) (map[string]bool, error) {
	var ids []string
	if err := oneOf(tx.Table("access_persons").Where("left_at > 0 AND left_at <= ?", now.UnixMilli()), tx.Dialect(), "id", persons).Pluck("id", &ids).Error; err != nil {
		return nil, fmt.Errorf("find persons: %w", err)
	}
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, nil
}

// listedBy are those of some customers on whose lists a source has put somebody.
func listedBy(tx *db.Tx, source string, customers []string) (ids []string, err error) {
	q := tx.Table(spanRow{}.TableName()).Where("live = 1 AND col = ? AND source = ?", string(Listed), source)
	err = oneOf(q, tx.Dialect(), "customer_id", customers).Distinct("customer_id").Order("customer_id").Pluck("customer_id", &ids).Error
	return ids, err
}
