package findings

import (
	"errors"
	"fmt"
	"slices"

	"ostler/controlplane/db"
)

// listQuery is the query of a page of findings. Of a group the worst stands for
// all: the others are looked at in the index of groups alone.
func listQuery(o Filter, where string, args []any, after page, limit int) (string, []any) {
	q := "SELECT " + columns + ", 1 FROM findings WHERE " + where
	switch {
	case o.Grouped && o.Closed: // there are very many, and no index of their groups
		q = "SELECT " + columns + `, g.in_group FROM (SELECT id AS of, COUNT(*) OVER (PARTITION BY grp) AS in_group,
			ROW_NUMBER() OVER (PARTITION BY grp ORDER BY severity_rank, opened_at, id) AS nth FROM findings WHERE ` + where + ") g JOIN findings ON id = g.of WHERE g.nth = 1"
	case o.Grouped:
		group := " FROM findings o WHERE o.grp = findings.grp AND " + where // inside, a column is o's
		q = "SELECT " + columns + ", (SELECT COUNT(*)" + group + ") FROM findings WHERE " + where + " AND NOT EXISTS (SELECT 1" + group +
			" AND (o.severity_rank, o.opened_at, o.id) < (findings.severity_rank, findings.opened_at, findings.id))"
		args = slices.Concat(args, args, args)
	}
	switch {
	case o.Closed && after.ID != "":
		q += " AND (closed_at < ? OR (closed_at = ? AND id < ?))"
		args = append(args, after.At, after.At, after.ID)
	case after.ID != "":
		q += " AND (severity_rank > ? OR (severity_rank = ? AND (opened_at > ? OR (opened_at = ? AND id > ?))))"
		args = append(args, after.Rank, after.Rank, after.At, after.At, after.ID)
	}
	if o.Closed {
		q += " ORDER BY closed_at DESC, id DESC LIMIT ?"
	} else {
		q += " ORDER BY severity_rank, opened_at, id LIMIT ?"
	}
	return q, append(args, limit)
}

// scan reads rows by hand: every page lists findings.
func scan(tx *db.Tx, q string, args []any) (out []row, err error) {
	rows, err := tx.Raw(q, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.ID, &r.Key, &r.Group, &r.Customer, &r.Server, &r.Subject, &r.Kind, &r.Severity, &r.Rank, &r.Owner, &r.Args,
			&r.Next, &r.Link, &r.OpenedAt, &r.SeenAt, &r.ClosedAt, &r.Cause, &r.Count, &r.InGroup); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// OpenKeys are the keys of the open findings of a kind, for whoever raises all
// that are and closes the others; it shows nobody's finding.
func (f *Findings) OpenKeys(tx *db.Tx, kind string) (keys []string, err error) {
	if err := tx.Raw(`SELECT "key" FROM findings WHERE kind = ? AND closed_at = 0 ORDER BY "key"`, kind).Scan(&keys).Error; err != nil {
		return nil, fmt.Errorf("findings: open keys: %w", err)
	}
	return keys, nil
}
