package certs

import (
	"context"
	"fmt"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Count returns how many certificates are looked after. Permission: cert.read.
func (s *Service) Count(ctx context.Context, scope policy.Scope) (int, error) {
	var n int64
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		if err := db.Within(tx.DB, scope).Model(&certRow{}).Where("ended_at = 0").Count(&n).Error; err != nil {
			return fmt.Errorf("certs: count: %w", err)
		}
		return nil
	})
	return int(n), err
}

// Called returns what certificates are called, by id: the first name, also of
// those that are looked after no more. Permission: cert.read.
func (s *Service) Called(ctx context.Context, scope policy.Scope, ids []string) (map[string]string, error) {
	out := map[string]string{}
	if len(ids) == 0 {
		return out, nil
	}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		var rows []certRow
		if err := db.Within(tx.DB, scope).Select("id", "names", "folder").Where("id IN ?", ids).Find(&rows).Error; err != nil {
			return fmt.Errorf("certs: names: %w", err)
		}
		for _, r := range rows {
			names, err := r.names()
			if err != nil {
				return err
			}
			if out[r.ID] = r.Folder; len(names) > 0 {
				out[r.ID] = names[0]
			}
		}
		return nil
	})
	return out, err
}
