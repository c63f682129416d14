package backups

import (
	"context"
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// RestoreFilter narrows a list of restores; its zero value is all of the scope.
type RestoreFilter struct {
	Customer  string
	Server    string // that it is from, or that it goes to
	Limit     int    // at most 200; 0 means 50
	PageToken string
}

// ListRestores lists restores, newest first, and the token of the next page (""
// at the end). Permission: restore.run. Errors: invalid (/page_token).
func (s *Service) ListRestores(ctx context.Context, scope policy.Scope, f RestoreFilter) ([]Restore, string, error) {
	var before int64
	var beforeID string
	if f.PageToken != "" {
		if _, err := fmt.Sscanf(f.PageToken, "%d.%s", &before, &beforeID); err != nil {
			return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "Use the token of the page before."})
		}
	}
	limit := page(f.Limit)
	var rows []restoreRow
	var assists map[string]Assist
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if rows, err = restorePage(tx, scope, f, before, beforeID, limit+1); err != nil {
			return err
		}
		assists, err = s.assistsOf(tx, rows)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = fmt.Sprintf("%d.%s", rows[limit-1].CreatedAt, rows[limit-1].ID)
	}
	out, err := s.restoreValues(rows, assists)
	return out, next, err
}
