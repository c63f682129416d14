package identity

import (
	"ostler/controlplane"
	"ostler/controlplane/db"
)

// stands reports whether the session and the token that an actor came with are
// still good; an actor without either has nothing that could end.
func (s *Store) stands(tx *db.Tx, a controlplane.Actor) (bool, error) {
	var n int64
	if a.Session != "" {
		err := tx.Table(sessionRow{}.TableName()).Where("id = ? AND person_id = ? AND ended_at = 0 AND expires_at > ?", a.Session, a.ID, tx.NowMillis()).Count(&n).Error
		if err != nil || n == 0 {
			return false, err
		}
	}
	if a.Token != "" {
		err := tx.Table(tokenRow{}.TableName()).Where("id = ? AND person_id = ? AND revoked_at = 0 AND expires_at > ?", a.Token, a.ID, tx.NowMillis()).Count(&n).Error
		if err != nil || n == 0 {
			return false, err
		}
	}
	return true, nil
}
