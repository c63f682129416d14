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
		if err := within(tx.DB, scope).Model(&certRow{}).Where("ended_at = 0").Count(&n).Error; err != nil {
			return fmt.Errorf("certs: count: %w", err)
		}
		return nil
	})
	return int(n), err
}
