package identity

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// Credentials is how one's own sign-in stands. Ready is false for a person who
// never took up an invitation, such as one who came by a demo's link.
type Credentials struct {
	Ready        bool
	PasswordAt   time.Time // when the password was set
	FactorAt     time.Time // when the second factor was set up
	RecoveryLeft int       // unused recovery codes; warn below three
}

// Credentials returns how the sign-in of the one who asks stands.
func (s *Store) Credentials(ctx context.Context) (Credentials, error) {
	a, err := self(ctx, false)
	if err != nil {
		return Credentials{}, err
	}
	var c Credentials
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var row credentialRow
		err := tx.Where("person_id = ?", a.ID).Take(&row).Error
		if db.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		c = Credentials{Ready: true, PasswordAt: controlplane.FromMillis(row.PasswordAt), FactorAt: controlplane.FromMillis(row.CreatedAt)}
		c.RecoveryLeft, err = recoveryLeft(tx, a.ID)
		return err
	})
	return c, wrap("credentials", err)
}
