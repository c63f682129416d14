package customers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

type customerRow struct {
	ID        string `gorm:"column:id;primaryKey"`
	Slug      string `gorm:"column:slug"`
	Name      string `gorm:"column:name"`
	Parent    string `gorm:"column:parent_id"`
	Country   string `gorm:"column:country"`
	Zone      string `gorm:"column:zone"`
	Version   int64  `gorm:"column:version"`
	CreatedAt int64  `gorm:"column:created_at;autoCreateTime:false"`
	UpdatedAt int64  `gorm:"column:updated_at;autoUpdateTime:false"`
}

func (customerRow) TableName() string { return "customers" }

func (r customerRow) customer() Customer {
	return Customer{
		ID: r.ID, Slug: r.Slug, Name: r.Name, Parent: r.Parent, Country: r.Country, Zone: r.Zone, Version: r.Version,
		CreatedAt: controlplane.FromMillis(r.CreatedAt), UpdatedAt: controlplane.FromMillis(r.UpdatedAt),
	}
}

// NewCustomer is what a customer is made of.
type NewCustomer struct {
	Name    string
	Slug    string // "" makes one of the name
	Parent  string // id of a customer, or ""
	Country string // ISO 3166-1 alpha-2
	Zone    string // IANA time zone
}

// CustomerChange says what to change; nil stays as it is.
type CustomerChange struct {
	Name, Parent, Country, Zone *string
	// Version is the version that the change was made from; 0 takes any.
	Version int64
}

// CreateCustomer makes a customer and its data key. Only staff may.
//
// Errors: invalid, conflict where the slug is taken, forbidden outside staff.
func (s *Store) CreateCustomer(ctx context.Context, scope policy.Scope, in NewCustomer) (Customer, error) {
	if err := staffOnly(scope); err != nil {
		return Customer{}, err
	}
	var c check
	row := customerRow{ID: controlplane.NewID(controlplane.PrefixCustomer), Slug: in.Slug, Parent: in.Parent, Version: 1}
	row.Name = c.text("/name", in.Name, true)
	if row.Slug == "" {
		row.Slug = slugOf(row.Name)
	}
	row.Slug = c.slug("/slug", row.Slug)
	row.Country = c.country("/country", in.Country)
	row.Zone = c.zone("/zone", in.Zone)
	if err := c.err(); err != nil {
		return Customer{}, err
	}
	if err := s.keeper.EnsureKey(ctx, row.ID); err != nil {
		return Customer{}, fmt.Errorf("customers: create: %w", err)
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		if err := parentOK(tx, row.ID, row.Parent); err != nil {
			return err
		}
		row.CreatedAt, row.UpdatedAt = tx.NowMillis(), tx.NowMillis()
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Customer: row.ID, Subject: row.ID, Kind: "customer.created", Data: map[string]any{
			"slug": row.Slug, "name": row.Name, "parent": row.Parent, "country": row.Country, "zone": row.Zone,
		}})
	})
	if db.IsDuplicate(err) {
		return Customer{}, taken("/slug", "Another customer has this short name. Choose a different one.")
	}
	return row.customer(), wrap("create", err)
}

// parentOK refuses a parent that does not exist or that would make a circle.
func parentOK(tx *db.Tx, id, parent string) error {
	for at, n := parent, 0; at != ""; n++ {
		if at == id || n > 20 {
			return controlplane.Invalid(controlplane.Field{Pointer: "/parent", Message: "A customer cannot be above itself. Choose another parent."})
		}
		var row customerRow
		if err := tx.Where("id = ?", at).Take(&row).Error; db.IsNotFound(err) {
			return controlplane.Invalid(controlplane.Field{Pointer: "/parent", Message: "There is no such customer."})
		} else if err != nil {
			return err
		}
		at = row.Parent
	}
	return nil
}

// GetCustomer returns a customer by id or slug.
func (s *Store) GetCustomer(ctx context.Context, scope policy.Scope, ref string) (c Customer, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error { c, err = s.CustomerIn(tx, scope, ref); return err })
	return c, err
}

// CustomerIn is GetCustomer inside a transaction.
func (s *Store) CustomerIn(tx *db.Tx, scope policy.Scope, ref string) (Customer, error) {
	var row customerRow
	if err := inScope(tx.DB, "id", scope).Where("id = ? OR slug = ?", ref, ref).Take(&row).Error; err != nil {
		return Customer{}, missing("customer", err)
	}
	return row.customer(), nil
}

// CustomerFilter narrows a list of customers.
type CustomerFilter struct {
	Parent    string          // "" is all
	Name      string          // part of its name or slug, in any case
	Only      []string        // ids; nil is all
	Without   map[string]bool // ids that are left out
	Limit     int             // 0 is 50; at most 200
	PageToken string
}

// ListCustomers returns customers by slug, and the token of the next page.
func (s *Store) ListCustomers(ctx context.Context, scope policy.Scope, f CustomerFilter) (items []Customer, next string, err error) {
	limit, after, err := page(f.Limit, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	var rows []customerRow
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		q := named(inScope(tx.DB, "id", scope), f.Name).Where("slug > ?", after)
		if f.Parent != "" {
			q = q.Where("parent_id = ?", f.Parent)
		}
		if f.Only != nil {
			q = q.Where("id IN ?", f.Only)
		}
		return q.Order("slug").Limit(limit + 1 + len(f.Without)).Find(&rows).Error
	})
	if err != nil {
		return nil, "", wrap("list", err)
	}
	rows = slices.DeleteFunc(rows, func(r customerRow) bool { return f.Without[r.ID] })
	if len(rows) > limit {
		rows = rows[:limit]
		next = pageToken(rows[limit-1].Slug)
	}
	for _, r := range rows {
		items = append(items, r.customer())
	}
	return items, next, nil
}

// CountCustomers returns how many customers there are whose name or slug holds
// a text, in any case.
func (s *Store) CountCustomers(ctx context.Context, scope policy.Scope, name string) (int, error) {
	var n int64
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		return named(inScope(tx.Model(&customerRow{}), "id", scope), name).Count(&n).Error
	})
	return int(n), wrap("count", err)
}

// named narrows a query to customers whose name or slug holds a text.
func named(q *gorm.DB, text string) *gorm.DB {
	if text == "" {
		return q
	}
	pattern := "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(text)) + "%"
	return q.Where("(LOWER(name) LIKE ? ESCAPE '!' OR slug LIKE ? ESCAPE '!')", pattern, pattern)
}

// UpdateCustomer changes a customer. Only staff may.
//
// Errors: invalid, not found, conflict where somebody changed it since, forbidden.
func (s *Store) UpdateCustomer(ctx context.Context, scope policy.Scope, id string, in CustomerChange) (Customer, error) {
	if err := staffOnly(scope); err != nil {
		return Customer{}, err
	}
	var c check
	change := map[string]any{}
	set(change, "name", in.Name, func(v string) string { return c.text("/name", v, true) })
	set(change, "country", in.Country, func(v string) string { return c.country("/country", v) })
	set(change, "zone", in.Zone, func(v string) string { return c.zone("/zone", v) })
	set(change, "parent_id", in.Parent, func(v string) string { return v })
	if err := c.err(); err != nil {
		return Customer{}, err
	}
	var out Customer
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := s.CustomerIn(tx, scope, id)
		if err != nil {
			return err
		}
		if in.Parent != nil {
			if err := parentOK(tx, before.ID, *in.Parent); err != nil {
				return err
			}
		}
		if err := update(tx, customerRow{}.TableName(), before.ID, before.Version, in.Version, change); err != nil {
			return err
		}
		if out, err = s.CustomerIn(tx, scope, before.ID); err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Customer: out.ID, Subject: out.ID, Kind: "customer.changed", Data: change})
	})
	return out, wrap("update", err)
}

// Names returns the names of the given customers that the scope reaches, by id.
func (s *Store) Names(ctx context.Context, scope policy.Scope, ids []string) (map[string]string, error) {
	names := make(map[string]string, len(ids))
	if len(ids) == 0 {
		return names, nil
	}
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err := inScope(tx.Model(&customerRow{}), "id", scope).Where("id IN ?", ids).Select("id, name").Rows()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
		for rows.Next() {
			var id, name string
			if err := rows.Scan(&id, &name); err != nil {
				return err
			}
			names[id] = name
		}
		return nil
	})
	return names, wrap("names", err)
}

// update writes the changed columns of one row and raises its version. wanted
// is the version that the caller saw, 0 for any.
func update(tx *db.Tx, table, id string, current, wanted int64, change map[string]any) error {
	if wanted != 0 && wanted != current {
		return controlplane.Errorf(controlplane.CodeConflict, "Load it again, look at what changed, and make your change anew.", "Somebody else changed this in the meantime")
	}
	columns := map[string]any{"version": current + 1, "updated_at": tx.NowMillis()}
	for k, v := range change {
		columns[k] = v
	}
	return tx.Table(table).Where("id = ?", id).Updates(columns).Error
}

func set(change map[string]any, column string, v *string, clean func(string) string) {
	if v != nil {
		change[column] = clean(*v)
	}
}

func (s *Store) append(tx *db.Tx, e ledger.Entry) error {
	if _, err := s.ledger.Append(tx, e); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// inScope narrows a query to the customers of the scope.
func inScope(q *gorm.DB, column string, scope policy.Scope) *gorm.DB {
	if scope.All() {
		return q
	}
	return q.Where(column+" IN ?", scope.Customers())
}

func staffOnly(scope policy.Scope) error {
	if scope.All() {
		return nil
	}
	return controlplane.Errorf(controlplane.CodeForbidden, "Ask us to do it.", "Only the hosting company may do this")
}

func taken(pointer, message string) error {
	e := controlplane.Errorf(controlplane.CodeConflict, "Change the marked field and send it again.", "This is taken already")
	e.Fields = []controlplane.Field{{Pointer: pointer, Message: message}}
	return e
}

// missing turns "no such row" into the one answer for what does not exist and
// for what is another customer's.
func missing(noun string, err error) error {
	if db.IsNotFound(err) {
		return controlplane.NotFound(noun)
	}
	return err
}

// wrap says where an error came from; what people may read stays as it is.
func wrap(act string, err error) error {
	var e *controlplane.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("customers: %s: %w", act, err)
}

const pagePrefix = "1."

func pageToken(after string) string {
	return pagePrefix + base64.RawURLEncoding.EncodeToString([]byte(after))
}

// page returns how many items to give and the key after which they begin.
func page(limit int, token string) (n int, after string, err error) {
	switch {
	case limit <= 0:
		limit = 50
	case limit > 200:
		limit = 200
	}
	if token == "" {
		return limit, "", nil
	}
	rest, ok := strings.CutPrefix(token, pagePrefix)
	b, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil {
		return 0, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a token of a page. Begin at the first page."})
	}
	return limit, string(b), nil
}
