package access

import (
	"context"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// ToldChange is a change by itself, with what became of telling it.
type ToldChange struct {
	Change
	Notice      string // ntc_ that tells of it; "" where none does
	NoticeState string // one of the states of a notice; "" without one
	ReadAt      time.Time
}

// GetChange returns one change. Permission: access.read. Errors: not found.
func (s *Service) GetChange(ctx context.Context, scope policy.Scope, id string) (out ToldChange, err error) {
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		r, err := db.One[changeRow](tx, scope, "change", id)
		if err != nil {
			return err
		}
		all, err := s.changesOf(tx, scope, []changeRow{r})
		if err != nil {
			return err
		}
		out.Change = all[0]
		n, found, err := noticeOf(tx, r.ID)
		if found {
			out.Notice, out.NoticeState, out.ReadAt = n.ID, n.value().State, n.value().ReadAt
		}
		return err
	})
	return out, wrap("change", err)
}
