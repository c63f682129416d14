package customers

import (
	"time"

	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// What other slices join to: a page over all servers then reads the rows that
// it shows and counts the others where they are. Each is a query with its
// arguments, to stand in brackets in another one.

// LookedAfter is the servers that are not retired, as far as the scope reaches:
// id, name and location.
func (s *Store) LookedAfter(scope policy.Scope) (query string, args []any) {
	query = "SELECT id, name, location FROM servers WHERE state <> 'retired'"
	if scope.All() {
		return query, nil
	}
	return query + " AND EXISTS (SELECT 1 FROM tenancies t WHERE t.server_id = servers.id AND t.ended_at = 0 AND t.customer_id IN ?)", []any{scope.Customers()}
}

// Active is the servers of which an agent has enrolled, as far as the scope
// reaches: id.
func (s *Store) Active(scope policy.Scope) (query string, args []any) {
	query, args = s.LookedAfter(scope)
	return "SELECT id FROM (" + query + " AND state = 'active') x", args
}

// Living is the tenancies that have not ended, as far as the scope reaches: id,
// server_id and customer_id.
func (s *Store) Living(scope policy.Scope) (query string, args []any) {
	query = "SELECT id, server_id, customer_id FROM tenancies WHERE ended_at = 0"
	if scope.All() {
		return query, nil
	}
	return query + " AND customer_id IN ?", []any{scope.Customers()}
}

// LivedAt is the tenancies that there were at an instant, as far as the scope
// reaches: id, server_id and customer_id.
func (s *Store) LivedAt(scope policy.Scope, at time.Time) (query string, args []any) {
	ms := controlplane.Millis(at)
	query, args = "SELECT id, server_id, customer_id FROM tenancies WHERE created_at <= ? AND (ended_at = 0 OR ended_at > ?)", []any{ms, ms}
	if scope.All() {
		return query, args
	}
	return query + " AND customer_id IN ?", append(args, scope.Customers())
}

// Lived is the tenancies of all times, as far as the scope reaches: server_id,
// customer_id, sites_json and databases_json.
func (s *Store) Lived(scope policy.Scope) (query string, args []any) {
	query = "SELECT server_id, customer_id, sites_json, databases_json FROM tenancies"
	if scope.All() {
		return query, nil
	}
	return query + " WHERE customer_id IN ?", []any{scope.Customers()}
}

// Known is the servers of all times, retired ones too, for staff: id and name.
func (s *Store) Known(scope policy.Scope) (query string, args []any) {
	if scope.All() {
		return "SELECT id, name FROM servers", nil
	}
	return "SELECT id, name FROM servers WHERE EXISTS (SELECT 1 FROM tenancies t WHERE t.server_id = servers.id AND t.customer_id IN ?)", []any{scope.Customers()}
}

// Speaking is the contacts, as far as the scope reaches: id, customer_id, role,
// language and created_at; nothing of it is sealed.
func (s *Store) Speaking(scope policy.Scope) (query string, args []any) {
	query = "SELECT id, customer_id, role, language, created_at FROM contacts WHERE removed_at = 0"
	if scope.All() {
		return query, nil
	}
	return query + " AND customer_id IN ?", []any{scope.Customers()}
}

// Called is the customers as far as the scope reaches: id, slug, name, country and
// zone.
func (s *Store) Called(scope policy.Scope) (query string, args []any) {
	query = "SELECT id, slug, name, country, zone FROM customers"
	if scope.All() {
		return query, nil
	}
	return query + " WHERE id IN ?", []any{scope.Customers()}
}
