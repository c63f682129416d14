package ledger

import (
	"errors"

	"gorm.io/gorm"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

func narrowed(tx *db.Tx, scope policy.Scope, f Filter) *gorm.DB {
	q := db.Within(tx.Session(&gorm.Session{}), scope)
	switch {
	case f.Customer != "":
		q = q.Where("customer_id = ?", f.Customer)
	case f.Company:
		q = q.Where("customer_id = ''")
	}
	if f.Server != "" {
		q = q.Where("server_id = ? AND server_id <> ''", f.Server)
	}
	if f.Subject != "" {
		q = q.Where("subject = ? AND subject <> ''", f.Subject)
	}
	if len(f.Kinds) > 0 {
		q = q.Where("kind IN ?", db.Padded(f.Kinds))
	}
	if f.Actor != "" {
		q = q.Where("actor_id = ?", f.Actor)
	}
	if !f.Since.IsZero() {
		q = q.Where("at >= ?", controlplane.Millis(f.Since))
	}
	if !f.Before.IsZero() {
		q = q.Where("at < ?", controlplane.Millis(f.Before))
	}
	return q
}

// listEntries returns rows from a position: first those without a place, then
// the others, each newest first.
func listEntries(tx *db.Tx, scope policy.Scope, f Filter, from position, limit int) (rows []entryRow, err error) {
	after := func(q *gorm.DB) *gorm.DB {
		if !from.Start {
			q = q.Where("(at, id) < (?, ?)", from.At, from.ID)
		}
		return q.Order("at DESC, id DESC")
	}
	if from.Pending {
		if rows, err = scanEntries(after(narrowed(tx, scope, f).Table(pendingTable)).Limit(limit), false); err != nil {
			return nil, err
		}
		rows, from = unplaced(rows), position{Start: true}
	}
	if len(rows) == limit {
		return rows, nil
	}
	placed, err := scanEntries(after(narrowed(tx, scope, f).Model(&entryRow{})).Limit(limit-len(rows)), true)
	return append(rows, placed...), err
}

// scanEntries reads rows by hand, with their place where they have one: most
// pages list entries.
func scanEntries(q *gorm.DB, placed bool) (out []entryRow, err error) {
	columns := "id, customer_id, server_id, subject, kind, actor_kind, actor_id, at, data, commitments"
	if placed {
		columns += ", generation, leaf_index, seq"
	}
	rows, err := q.Select(columns).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	for rows.Next() {
		var r entryRow
		into := []any{&r.ID, &r.CustomerID, &r.ServerID, &r.Subject, &r.Kind, &r.ActorKind, &r.ActorID, &r.At, &r.Data, &r.Commitments, &r.Generation, &r.LeafIndex, &r.Seq}
		if !placed {
			into = into[:10]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// entryByID returns one entry of a scope.
func entryByID(tx *db.Tx, scope policy.Scope, id string) (entryRow, error) {
	var rows, pending []entryRow
	if err := db.Within(tx.Session(&gorm.Session{}), scope).Where("id = ?", id).Find(&rows).Error; err != nil {
		return entryRow{}, err
	}
	if len(rows) > 0 {
		return rows[0], nil
	}
	if err := db.Within(tx.Table(pendingTable), scope).Where("id = ?", id).Find(&pending).Error; err != nil {
		return entryRow{}, err
	}
	if len(pending) == 0 {
		return entryRow{}, controlplane.NotFound("entry")
	}
	return unplaced(pending)[0], nil
}

// personalOf returns the personal rows of entries, by entry.
func personalOf(tx *db.Tx, entries []entryRow) (map[string][]personalRow, error) {
	byEntry := map[string][]personalRow{}
	var ids []string
	for _, e := range entries {
		if len(e.Commitments) > len("{}") {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return byEntry, nil
	}
	var rows []personalRow
	err := tx.Where("entry_id IN ?", db.Padded(ids)).Order("entry_id, name").Find(&rows).Error
	for _, r := range rows {
		byEntry[r.EntryID] = append(byEntry[r.EntryID], r)
	}
	return byEntry, err
}
