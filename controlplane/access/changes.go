package access

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// ChangeFilter narrows Changes; zero fields do not.
type ChangeFilter struct {
	Customer, Person string
	Column           Column // "" is Listed
	Since, Before    time.Time
	Limit            int // 0 is 50, at most 200
	PageToken        string
}

// Changes returns what changed in lists, newest first by when it was known.
// Permission: access.read.
func (s *Service) Changes(ctx context.Context, scope policy.Scope, f ChangeFilter) (items []Change, next string, err error) {
	f.Limit = pageSize(f.Limit)
	if f.Column == "" {
		f.Column = Listed
	}
	if !f.Column.Valid() {
		return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/column", Message: "Choose listed, enforced or could."})
	}
	at, after, err := pageAfter(f.PageToken, controlplane.PrefixChange)
	if err != nil {
		return nil, "", err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if f.Customer != "" {
			c, err := s.customers.CustomerIn(tx, scope, f.Customer)
			if err != nil {
				return err
			}
			f.Customer = c.ID
		}
		rows, err := listChanges(tx, scope, f, at, after)
		if err != nil {
			return err
		}
		if len(rows) > f.Limit {
			rows = rows[:f.Limit]
			next = pageToken(rows[f.Limit-1].KnownAt, rows[f.Limit-1].ID)
		}
		items, err = s.changesOf(tx, scope, rows)
		return err
	})
	return items, next, wrap("changes", err)
}
