package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
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

// ready makes the keys of customers, before a transaction seals with them.
func (s *Service) ready(ctx context.Context, customers ...string) error {
	for _, c := range append(customers, "") {
		if err := s.keeper.EnsureKey(ctx, c); err != nil {
			return fmt.Errorf("access: %w", err)
		}
	}
	return nil
}

// personRows are the persons of ids.
func personRows(tx *db.Tx, ids []string) (rows []personRow, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if err := oneOf(tx.DB, tx.Dialect(), "id", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find persons: %w", err)
	}
	return rows, nil
}

// onePerson is a person, the zero row where there is none.
func onePerson(tx *db.Tx, id string) (personRow, error) {
	rows, err := personRows(tx, []string{id})
	if err != nil || len(rows) == 0 {
		return personRow{}, err
	}
	return rows[0], nil
}

const onLists = "SELECT person_id FROM access_spans WHERE person_id <> ''"

// peopleRows are all persons whom a scope may see: never another customer's own.
func peopleRows(tx *db.Tx, scope policy.Scope) (rows []personRow, err error) {
	q := tx.Order("id")
	if !scope.All() {
		q = q.Where("customer_id IN ? OR customer_id = '' AND id IN ("+onLists+" AND customer_id IN ?)", scope.Customers(), scope.Customers())
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find persons: %w", err)
	}
	return rows, nil
}

// stoodOnList reports whether a person stands or stood on a list of the scope.
func stoodOnList(tx *db.Tx, scope policy.Scope, person string) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM (SELECT 1 FROM access_spans WHERE customer_id IN ? AND person_id = ? LIMIT 1) x", scope.Customers(), person).Scan(&n).Error
	return n > 0, err
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

// sealPerson puts what is personal into a row.
func (s *Service) sealPerson(row *personRow, p Person) error {
	for _, v := range []struct {
		column, value string
		into          *[]byte
	}{{"name", p.Name, &row.Name}, {"company", p.Company, &row.Company}, {"teleport_users", words(p.TeleportUsers), &row.TeleportUsers}, {"logins", words(p.Logins), &row.Logins}} {
		b, err := s.seal(row.CustomerID, "access_persons", v.column, row.ID, v.value)
		if err != nil {
			return err
		}
		*v.into = b
	}
	return nil
}

// words are names as a column holds them, sealed; none is "".
func words(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return list(names)
}

// person opens a row; papers are apart.
func (s *Service) person(row personRow) (p Person, err error) {
	p = Person{ID: row.ID, Kind: PersonKind(row.Kind), Staff: row.StaffID, Customer: row.CustomerID, Owner: row.OwnerID,
		LeftAt: controlplane.FromMillis(row.LeftAt), Version: row.Version, CreatedAt: controlplane.FromMillis(row.CreatedAt)}
	var users, logins string
	for _, v := range []struct {
		column string
		sealed []byte
		into   *string
	}{{"name", row.Name, &p.Name}, {"company", row.Company, &p.Company}, {"teleport_users", row.TeleportUsers, &users}, {"logins", row.Logins, &logins}} {
		if *v.into, err = s.open(row.CustomerID, "access_persons", v.column, row.ID, v.sealed); err != nil {
			return p, fmt.Errorf("person %s: %s: %w", row.ID, v.column, err)
		}
	}
	var err1, err2 error
	if users != "" {
		err1 = json.Unmarshal([]byte(users), &p.TeleportUsers)
	}
	if logins != "" {
		err2 = json.Unmarshal([]byte(logins), &p.Logins)
	}
	return p, errors.Join(err1, err2)
}

// shown leaves out of a person what only their own company is to see.
func (p Person) shown(scope policy.Scope) Person {
	if scope.All() || scope.Allows(p.Customer) {
		return p
	}
	p.TeleportUsers, p.Logins, p.Owner = nil, nil, ""
	p.Papers = slices.Clone(p.Papers)
	for i := range p.Papers {
		p.Papers[i].Reference, p.Papers[i].RecordedBy = "", ""
	}
	return p
}

// staffRows are the persons who are our staff, by staff id.
func staffRows(tx *db.Tx) (map[string]personRow, error) {
	var rows []personRow
	if err := tx.Where("staff_id <> ''").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find staff: %w", err)
	}
	out := make(map[string]personRow, len(rows))
	for _, r := range rows {
		out[r.StaffID] = r
	}
	return out, nil
}
