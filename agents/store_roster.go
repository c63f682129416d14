package agents

import (
	"database/sql"
	"errors"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

const listedColumns = "SELECT s.id, s.name, s.location, p.server, p.connected, p.connected_at, p.heard_at, p.silent_at, p.frozen_at FROM ("

// notConnected returns the servers whose agent is not connected. That which is
// connected is taken away from all by two indexes, before a row is read.
func (a *Agents) notConnected(tx *db.Tx, scope policy.Scope) ([]Listed, error) {
	servers, args := a.Servers.LookedAfter(scope)
	return scanListed(tx, nil, 0, listedColumns+servers+") s LEFT JOIN presence p ON p.server = s.id WHERE s.id IN (SELECT a.id FROM ("+servers+
		") a EXCEPT SELECT server FROM presence WHERE connected = 1 AND frozen_at = 0) ORDER BY s.name", append(args, args...)...)
}

// listed returns a page of servers, and one more where there is one.
func (a *Agents) listed(tx *db.Tx, scope policy.Scope, f ListFilter) ([]Listed, error) {
	servers, args := a.Servers.LookedAfter(scope)
	query := listedColumns + servers + ") s LEFT JOIN presence p ON p.server = s.id WHERE s.name > ?"
	args = append(args, f.After)
	if f.Name != "" {
		query, args = query+named, append(args, pattern(f.Name))
	}
	if f.Only != nil {
		query, args = query+" AND s.id IN ?", append(args, f.Only)
	}
	return scanListed(tx, f.Without, f.Limit+1, query+" ORDER BY s.name LIMIT ?", append(args, f.Limit+1+len(f.Without))...)
}

func (a *Agents) countListed(tx *db.Tx, scope policy.Scope, name string) (n int, err error) {
	servers, args := a.Servers.LookedAfter(scope)
	query := "SELECT COUNT(*) FROM (" + servers + ") s WHERE 1 = 1"
	if name != "" {
		query, args = query+named, append(args, pattern(name))
	}
	return n, tx.Raw(query, args...).Row().Scan(&n)
}

const named = " AND s.name LIKE ? ESCAPE '!'"

// pattern matches names that hold a text. Host names are lower case.
func pattern(text string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(text)) + "%"
}

// scanListed scans by hand, at most n rows (0: all) but those left out: lists are long.
func scanListed(tx *db.Tx, without map[string]bool, n int, query string, args ...any) (out []Listed, err error) {
	rows, err := tx.Raw(query, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() && (n == 0 || len(out) < n) {
		var l Listed
		var server sql.NullString
		var at [5]sql.NullInt64
		if err := rows.Scan(&l.Server, &l.Name, &l.Location, &server, &at[0], &at[1], &at[2], &at[3], &at[4]); err != nil {
			return nil, err
		}
		if without[l.Server] {
			continue
		}
		p := presenceRow{Connected: at[0].Int64, ConnectedAt: at[1].Int64, SilentAt: at[3].Int64, FrozenAt: at[4].Int64}
		l.State, l.HeardAt = p.state(), controlplane.FromMillis(at[2].Int64)
		if !server.Valid {
			l.State = NotEnrolled
		}
		out = append(out, l)
	}
	return out, nil
}
