package customers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

type tenancyRow struct {
	ID        string `gorm:"column:id;primaryKey"`
	Server    string `gorm:"column:server_id"`
	Customer  string `gorm:"column:customer_id"`
	Dedicated int64  `gorm:"column:dedicated"`
	Paths     string `gorm:"column:paths_json"`
	Sites     string `gorm:"column:sites_json"`
	Databases string `gorm:"column:databases_json"`
	Version   int64  `gorm:"column:version"`
	CreatedAt int64  `gorm:"column:created_at;autoCreateTime:false"`
	UpdatedAt int64  `gorm:"column:updated_at;autoUpdateTime:false"`
	EndedAt   int64  `gorm:"column:ended_at"`
}

func (tenancyRow) TableName() string { return "tenancies" }

func (r tenancyRow) tenancy() (Tenancy, error) {
	t := Tenancy{
		ID: r.ID, Server: r.Server, Customer: r.Customer, Dedicated: r.Dedicated == 1, Version: r.Version,
		CreatedAt: controlplane.FromMillis(r.CreatedAt), UpdatedAt: controlplane.FromMillis(r.UpdatedAt), EndedAt: controlplane.FromMillis(r.EndedAt),
	}
	for _, f := range []struct {
		text string
		list *[]string
	}{{r.Paths, &t.Paths}, {r.Sites, &t.Sites}, {r.Databases, &t.Databases}} {
		if err := json.Unmarshal([]byte(f.text), f.list); err != nil {
			return Tenancy{}, fmt.Errorf("tenancy %s: %w", r.ID, err)
		}
	}
	return t, nil
}

func rowOf(t Tenancy) tenancyRow {
	r := tenancyRow{
		ID: t.ID, Server: t.Server, Customer: t.Customer, Paths: list(t.Paths), Sites: list(t.Sites), Databases: list(t.Databases),
		Version: t.Version, CreatedAt: controlplane.Millis(t.CreatedAt), UpdatedAt: controlplane.Millis(t.UpdatedAt), EndedAt: controlplane.Millis(t.EndedAt),
	}
	if t.Dedicated {
		r.Dedicated = 1
	}
	return r
}

func list(v []string) string {
	if v == nil {
		v = []string{}
	}
	b, _ := json.Marshal(v) // a list of strings always marshals
	return string(b)
}

// NewTenancy is what a tenancy is made of.
type NewTenancy struct {
	Server, Customer string // ids
	Dedicated        bool
	Paths            []string
	Sites, Databases []string
}

// TenancyChange says what to change; nil stays as it is.
type TenancyChange struct {
	Dedicated               *bool
	Paths, Sites, Databases *[]string
	// Version is the version that the change was made from; 0 takes any.
	Version int64
}

func (c *check) tenancy(t *Tenancy) {
	t.Paths = c.paths("/paths", t.Paths, t.Dedicated)
	t.Sites = c.sites("/sites", t.Sites)
	t.Databases = c.databases("/databases", t.Databases)
	c.size(t.Paths, t.Sites, t.Databases)
}

// CreateTenancy lets a customer live on a server. Only staff may.
//
// Errors: invalid (also where a path, site or database is another customer's),
// conflict (the server is retired, or somebody's alone), not found, forbidden.
func (s *Store) CreateTenancy(ctx context.Context, scope policy.Scope, in NewTenancy) (Tenancy, error) {
	if err := staffOnly(scope); err != nil {
		return Tenancy{}, err
	}
	t := Tenancy{
		ID: controlplane.NewID(controlplane.PrefixTenancy), Dedicated: in.Dedicated, Version: 1,
		Paths: in.Paths, Sites: in.Sites, Databases: in.Databases,
	}
	var c check
	c.tenancy(&t)
	if err := c.err(); err != nil {
		return Tenancy{}, err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		server, err := s.ServerIn(tx, scope, in.Server)
		if err != nil {
			return err
		}
		if server.State == ServerRetired {
			return controlplane.Errorf(controlplane.CodeConflict, "Choose another server.", "This server is retired")
		}
		customer, err := s.CustomerIn(tx, scope, in.Customer)
		if err != nil {
			return err
		}
		t.Server, t.Customer = server.ID, customer.ID
		if err := s.separate(tx, t); err != nil {
			return err
		}
		t.CreatedAt, t.UpdatedAt = tx.Now, tx.Now
		row := rowOf(t)
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		if err := s.append(tx, entry(t, "tenancy.created")); err != nil {
			return err
		}
		return s.tellMade(tx, t)
	})
	return t, wrap("create tenancy", err)
}

func entry(t Tenancy, kind string) ledger.Entry {
	return ledger.Entry{Customer: t.Customer, Server: t.Server, Subject: t.ID, Kind: kind, Data: map[string]any{
		"dedicated": t.Dedicated, "paths": t.Paths, "sites": t.Sites, "databases": t.Databases,
	}}
}

// separate refuses a tenancy that would share something with another
// customer's on the same server. The other customer is not named: a message
// may be shown to people who do not know them.
func (s *Store) separate(tx *db.Tx, t Tenancy) error {
	others, err := tenancies(tx.Where("server_id = ? AND ended_at = 0 AND customer_id <> ?", t.Server, t.Customer))
	if err != nil {
		return err
	}
	var c check
	for _, o := range others {
		if t.Dedicated {
			return controlplane.Errorf(controlplane.CodeConflict, "Choose another server, or make it a shared one.", "Other customers live on this server")
		}
		if o.Dedicated {
			return controlplane.Errorf(controlplane.CodeConflict, "Choose another server.", "This server is another customer's alone")
		}
		for i, p := range t.Paths {
			if slices.ContainsFunc(o.Paths, func(q string) bool { return overlap(p, q) }) {
				c.add(fmt.Sprintf("/paths/%d", i), "This path lies in another customer's, or holds it.")
			}
		}
		for i, v := range t.Sites {
			if slices.Contains(o.Sites, v) {
				c.add(fmt.Sprintf("/sites/%d", i), "This site is another customer's.")
			}
		}
		for i, v := range t.Databases {
			if slices.Contains(o.Databases, v) {
				c.add(fmt.Sprintf("/databases/%d", i), "This database is another customer's.")
			}
		}
	}
	return c.err()
}

func tenancies(q *gorm.DB) ([]Tenancy, error) {
	var rows []tenancyRow
	if err := q.Order("id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Tenancy, 0, len(rows))
	for _, r := range rows {
		t, err := r.tenancy()
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// shortTenancies scans by hand: there are very many.
func shortTenancies(q *gorm.DB) (out []Tenancy, err error) {
	rows, err := q.Model(&tenancyRow{}).Select("id, server_id, customer_id").Order("id").Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var t Tenancy
		if err := rows.Scan(&t.ID, &t.Server, &t.Customer); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// GetTenancy returns a tenancy, also one that has ended.
func (s *Store) GetTenancy(ctx context.Context, scope policy.Scope, id string) (t Tenancy, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error { t, err = s.TenancyIn(tx, scope, id); return err })
	return t, err
}

// TenancyIn is GetTenancy inside a transaction.
func (s *Store) TenancyIn(tx *db.Tx, scope policy.Scope, id string) (Tenancy, error) {
	var row tenancyRow
	if err := inScope(tx.DB, "customer_id", scope).Where("id = ?", id).Take(&row).Error; err != nil {
		return Tenancy{}, missing("tenancy", err)
	}
	return row.tenancy()
}

// TenancyFilter narrows a list of tenancies.
type TenancyFilter struct {
	Server, Customer string   // "" is all
	Servers          []string // nil is all
	Ended            bool     // also those that have ended
	Short            bool     // id, server and customer only: for pages over very many
}

// Tenancies returns tenancies in the order in which they were made.
func (s *Store) Tenancies(ctx context.Context, scope policy.Scope, f TenancyFilter) (items []Tenancy, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error { items, err = s.TenanciesIn(tx, scope, f); return err })
	return items, wrap("tenancies", err)
}

// TenanciesIn is Tenancies inside a transaction.
func (s *Store) TenanciesIn(tx *db.Tx, scope policy.Scope, f TenancyFilter) ([]Tenancy, error) {
	q := inScope(tx.DB, "customer_id", scope)
	if f.Server != "" {
		q = q.Where("server_id = ?", f.Server)
	}
	if f.Servers != nil {
		q = q.Where("server_id IN ?", f.Servers)
	}
	if f.Customer != "" {
		q = q.Where("customer_id = ?", f.Customer)
	}
	if !f.Ended {
		q = q.Where("ended_at = 0")
	}
	if f.Short {
		return shortTenancies(q)
	}
	return tenancies(q)
}

// ServerCounts returns on how many servers each customer of the scope lives now.
func (s *Store) ServerCounts(ctx context.Context, scope policy.Scope) (map[string]int, error) {
	counts := map[string]int{}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		clear(counts)
		var rows []struct {
			CustomerID string
			Servers    int
		}
		q := inScope(tx.Model(&tenancyRow{}), "customer_id", scope).Where("ended_at = 0")
		if err := q.Select("customer_id, COUNT(DISTINCT server_id) AS servers").Group("customer_id").Scan(&rows).Error; err != nil {
			return err
		}
		for _, r := range rows {
			counts[r.CustomerID] = r.Servers
		}
		return nil
	})
	return counts, wrap("count servers", err)
}

// TenanciesOf returns who lives on a server now: all tenants for staff, a
// contact's own for a contact. A server outside the scope is not found.
func (s *Store) TenanciesOf(ctx context.Context, scope policy.Scope, server string) (items []Tenancy, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		v, err := s.ServerIn(tx, scope, server)
		if err != nil {
			return err
		}
		items, err = s.TenanciesIn(tx, scope, TenancyFilter{Server: v.ID})
		return err
	})
	return items, wrap("tenancies", err)
}

// CustomersOfServer returns the ids of the customers that live on a server now,
// for telling all of them. Only in the plane's own transactions or those of
// staff: PostgreSQL shows a contact's transaction that customer alone.
func (s *Store) CustomersOfServer(tx *db.Tx, server string) ([]string, error) {
	var ids []string
	err := tx.Table(tenancyRow{}.TableName()).Where("server_id = ? AND ended_at = 0", server).Distinct("customer_id").Order("customer_id").Pluck("customer_id", &ids).Error
	return ids, wrap("customers of a server", err)
}

// UpdateTenancy changes a tenancy. Only staff may.
func (s *Store) UpdateTenancy(ctx context.Context, scope policy.Scope, id string, in TenancyChange) (Tenancy, error) {
	if err := staffOnly(scope); err != nil {
		return Tenancy{}, err
	}
	var out Tenancy
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := s.TenancyIn(tx, scope, id)
		if err != nil {
			return err
		}
		if !before.EndedAt.IsZero() {
			return controlplane.Errorf(controlplane.CodeConflict, "Make a new one.", "This tenancy has ended")
		}
		t := before
		if in.Dedicated != nil {
			t.Dedicated = *in.Dedicated
		}
		for _, f := range []struct{ to, from *[]string }{{&t.Paths, in.Paths}, {&t.Sites, in.Sites}, {&t.Databases, in.Databases}} {
			if f.from != nil {
				*f.to = *f.from
			}
		}
		var c check
		c.tenancy(&t)
		if err := c.err(); err != nil {
			return err
		}
		if err := s.separate(tx, t); err != nil {
			return err
		}
		row := rowOf(t)
		if err := update(tx, row.TableName(), t.ID, before.Version, in.Version, map[string]any{
			"dedicated": row.Dedicated, "paths_json": row.Paths, "sites_json": row.Sites, "databases_json": row.Databases,
		}); err != nil {
			return err
		}
		if err := s.append(tx, entry(t, "tenancy.changed")); err != nil {
			return err
		}
		if out, err = s.TenancyIn(tx, scope, t.ID); err != nil {
			return err
		}
		return s.tellChanged(tx, out)
	})
	return out, wrap("update tenancy", err)
}

// EndTenancy notes that a customer no longer lives on a server: from now on
// its contacts do not see it. Ending it again changes nothing. Only staff may.
func (s *Store) EndTenancy(ctx context.Context, scope policy.Scope, id string) (Tenancy, error) {
	if err := staffOnly(scope); err != nil {
		return Tenancy{}, err
	}
	var t Tenancy
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		var err error
		if t, err = s.TenancyIn(tx, scope, id); err != nil || !t.EndedAt.IsZero() {
			return err
		}
		if err := update(tx, tenancyRow{}.TableName(), t.ID, t.Version, 0, map[string]any{"ended_at": tx.NowMillis()}); err != nil {
			return err
		}
		if err := s.append(tx, entry(t, "tenancy.ended")); err != nil {
			return err
		}
		if t, err = s.TenancyIn(tx, scope, id); err != nil {
			return err
		}
		return s.tellChanged(tx, t)
	})
	return t, wrap("end tenancy", err)
}
