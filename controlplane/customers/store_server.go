package customers

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

type serverRow struct {
	ID        string `gorm:"column:id;primaryKey"`
	Name      string `gorm:"column:name"`
	Location  string `gorm:"column:location"`
	Country   string `gorm:"column:country"`
	State     string `gorm:"column:state"`
	Version   int64  `gorm:"column:version"`
	CreatedAt int64  `gorm:"column:created_at;autoCreateTime:false"`
	UpdatedAt int64  `gorm:"column:updated_at;autoUpdateTime:false"`
}

func (serverRow) TableName() string { return "servers" }

func (r serverRow) server() (Server, error) {
	s := Server{
		ID: r.ID, Name: r.Name, Location: r.Location, Country: r.Country, State: ServerState(r.State), Version: r.Version,
		CreatedAt: controlplane.FromMillis(r.CreatedAt), UpdatedAt: controlplane.FromMillis(r.UpdatedAt),
	}
	if !s.State.Valid() {
		return Server{}, fmt.Errorf("server %s: unknown state %q", r.ID, r.State)
	}
	return s, nil
}

// NewServer is what a server is made of.
type NewServer struct {
	Name     string // its host name
	Location string // facility, room, rack; may be ""
	Country  string // ISO 3166-1 alpha-2 of the facility
}

// ServerChange says what to change; nil stays as it is.
type ServerChange struct {
	Location, Country *string
	// Version is the version that the change was made from; 0 takes any.
	Version int64
}

// CreateServer makes a server in the state expected. Only staff may.
//
// Errors: invalid, conflict where the name is taken, forbidden outside staff.
func (s *Store) CreateServer(ctx context.Context, scope policy.Scope, in NewServer) (Server, error) {
	if err := staffOnly(scope); err != nil {
		return Server{}, err
	}
	var c check
	row := serverRow{ID: controlplane.NewID(controlplane.PrefixServer), State: string(ServerExpected), Version: 1}
	row.Name = c.host("/name", in.Name)
	row.Location = c.text("/location", in.Location, false)
	row.Country = c.country("/country", in.Country)
	if err := c.err(); err != nil {
		return Server{}, err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row.CreatedAt, row.UpdatedAt = tx.NowMillis(), tx.NowMillis()
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Server: row.ID, Subject: row.ID, Kind: "server.created", Data: map[string]any{
			"name": row.Name, "location": row.Location, "country": row.Country,
		}})
	})
	if db.IsDuplicate(err) {
		return Server{}, taken("/name", "Another server has this name. Choose a different one.")
	}
	if err != nil {
		return Server{}, wrap("create server", err)
	}
	return row.server()
}

// GetServer returns a server by id or name. A contact's scope finds it if and
// only if their customer lives on it.
func (s *Store) GetServer(ctx context.Context, scope policy.Scope, ref string) (v Server, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error { v, err = s.ServerIn(tx, scope, ref); return err })
	return v, err
}

// ServerIn is GetServer inside a transaction.
func (s *Store) ServerIn(tx *db.Tx, scope policy.Scope, ref string) (Server, error) {
	var row serverRow
	if err := livedOn(tx.DB, scope).Where("servers.id = ? OR servers.name = ?", ref, ref).Take(&row).Error; err != nil {
		return Server{}, missing("server", err)
	}
	return row.server()
}

// livedOn narrows a query to the servers on which a customer of the scope lives.
func livedOn(q *gorm.DB, scope policy.Scope) *gorm.DB {
	if scope.All() {
		return q
	}
	return q.Where("EXISTS (SELECT 1 FROM tenancies t WHERE t.server_id = servers.id AND t.ended_at = 0 AND t.customer_id IN ?)", scope.Customers())
}

// ServerFilter narrows a list of servers.
type ServerFilter struct {
	Customer  string      // servers on which this customer lives; "" is all
	State     ServerState // "" is all
	Limit     int         // 0 is 50; at most 200
	PageToken string
	Short     bool // id, name, location and state only: for pages over very many
}

// ListServers returns servers by name, and the token of the next page.
func (s *Store) ListServers(ctx context.Context, scope policy.Scope, f ServerFilter) (items []Server, next string, err error) {
	limit, after, err := page(f.Limit, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	if f.State != "" && !f.State.Valid() {
		return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/state", Message: "Choose expected, active or retired."})
	}
	var rows []serverRow
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		q := livedOn(tx.DB, scope).Where("servers.name > ?", after)
		if f.Customer != "" {
			q = livedOn(q, policy.OneCustomer(f.Customer))
		}
		if f.State != "" {
			q = q.Where("servers.state = ?", string(f.State))
		}
		rows, err = scanServers(q.Order("servers.name").Limit(limit+1), f.Short)
		return err
	})
	if err != nil {
		return nil, "", wrap("list servers", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = pageToken(rows[limit-1].Name)
	}
	items, err = servers(rows)
	return items, next, wrap("list servers", err)
}

// scanServers scans by hand: lists are long.
func scanServers(q *gorm.DB, short bool) (out []serverRow, err error) {
	columns := "servers.id, servers.name, servers.location, servers.state"
	if !short {
		columns += ", servers.country, servers.version, servers.created_at, servers.updated_at"
	}
	rows, err := q.Model(&serverRow{}).Select(columns).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var r serverRow
		into := []any{&r.ID, &r.Name, &r.Location, &r.State, &r.Country, &r.Version, &r.CreatedAt, &r.UpdatedAt}
		if short {
			into = into[:4]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func servers(rows []serverRow) ([]Server, error) {
	out := make([]Server, 0, len(rows))
	for _, r := range rows {
		v, err := r.server()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// ServersByIDs returns those of the servers that the scope reaches, by id.
func (s *Store) ServersByIDs(ctx context.Context, scope policy.Scope, ids []string) (map[string]Server, error) {
	out := make(map[string]Server, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	var rows []serverRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = scanServers(livedOn(tx.DB, scope).Where("servers.id IN ?", ids), false)
		return err
	})
	if err != nil {
		return nil, wrap("servers", err)
	}
	found, err := servers(rows)
	for _, v := range found {
		out[v.ID] = v
	}
	return out, wrap("servers", err)
}

// UpdateServer changes a server. Only staff may.
//
// Errors: invalid, not found, conflict where somebody changed it since, forbidden.
func (s *Store) UpdateServer(ctx context.Context, scope policy.Scope, id string, in ServerChange) (Server, error) {
	if err := staffOnly(scope); err != nil {
		return Server{}, err
	}
	var c check
	change := map[string]any{}
	set(change, "location", in.Location, func(v string) string { return c.text("/location", v, false) })
	set(change, "country", in.Country, func(v string) string { return c.country("/country", v) })
	if err := c.err(); err != nil {
		return Server{}, err
	}
	var out Server
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := s.ServerIn(tx, scope, id)
		if err != nil {
			return err
		}
		out, err = s.change(tx, before, in.Version, change, "server.changed")
		return err
	})
	return out, wrap("update server", err)
}

// change writes columns of a server with the ledger entry.
func (s *Store) change(tx *db.Tx, before Server, version int64, columns map[string]any, kind string) (Server, error) {
	if err := update(tx, serverRow{}.TableName(), before.ID, before.Version, version, columns); err != nil {
		return Server{}, err
	}
	if err := s.append(tx, ledger.Entry{Server: before.ID, Subject: before.ID, Kind: kind, Data: columns}); err != nil {
		return Server{}, err
	}
	return s.ServerIn(tx, policy.AllCustomers("the row just changed"), before.ID)
}

// MarkActive notes that an agent has enrolled on the server; doing it again
// changes nothing. A retired server is a conflict.
func (s *Store) MarkActive(tx *db.Tx, scope policy.Scope, server string) error {
	before, err := s.ServerIn(tx, scope, server)
	switch {
	case err != nil:
		return wrap("mark active", err)
	case before.State == ServerActive:
		return nil
	case before.State == ServerRetired:
		return controlplane.Errorf(controlplane.CodeConflict, "Make a new server for the machine.", "This server is retired")
	}
	_, err = s.change(tx, before, 0, map[string]any{"state": string(ServerActive)}, "server.activated")
	return wrap("mark active", err)
}

// RetireServer ends looking after a server on which nobody lives any more.
// Only staff may.
func (s *Store) RetireServer(ctx context.Context, scope policy.Scope, id string) (Server, error) {
	if err := staffOnly(scope); err != nil {
		return Server{}, err
	}
	var out Server
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := s.ServerIn(tx, scope, id)
		if err != nil {
			return err
		}
		if before.State == ServerRetired {
			out = before
			return nil
		}
		tenants, err := s.CustomersOfServer(tx, before.ID)
		if err != nil {
			return err
		}
		if len(tenants) > 0 {
			return controlplane.Errorf(controlplane.CodeConflict, "End the tenancies first.", "Customers still live on this server")
		}
		out, err = s.change(tx, before, 0, map[string]any{"state": string(ServerRetired)}, "server.retired")
		return err
	})
	return out, wrap("retire server", err)
}
