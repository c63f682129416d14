package identity

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

// PasswordChange is what somebody sends who changes their password.
type PasswordChange struct {
	Old, New string
}

// ChangePassword changes one's own password. Every other session of the person
// ends; this one goes on under the new cookie value that is returned. API
// tokens stay: they are revoked one by one, or all by EndAccess.
//
// Errors: invalid (the old one is wrong, the new one too weak), too many.
func (s *Store) ChangePassword(ctx context.Context, in PasswordChange) (secret string, err error) {
	a, err := self(ctx, true)
	if err != nil {
		return "", err
	}
	var p Person
	if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { p, err = s.personIn(tx, anyone(), a.ID); return err }); err != nil {
		return "", wrap("change password", err)
	}
	if problem := PasswordProblem(in.New, p.Name, p.Email); problem != "" {
		return "", controlplane.Invalid(controlplane.Field{Pointer: "/new_password", Message: problem})
	}
	mark := s.mark("confirm", a.ID, "")
	cred, err := s.countChange(ctx, p, mark)
	if err != nil {
		return "", wrap("change password", err)
	}
	sealed, err := s.newPassword(ctx, p, cred, in)
	if err != nil {
		return "", err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.lower(tx, mark); err != nil {
			return err
		}
		if err := tx.Table(cred.TableName()).Where("person_id = ?", p.ID).Updates(map[string]any{"password_sealed": sealed, "password_at": tx.NowMillis()}).Error; err != nil {
			return err
		}
		if _, err := s.endOthers(tx, p.ID, a.Session); err != nil {
			return err
		}
		secret = newSecret()
		if err := s.turn(tx, a.Session, p.ID, secret); err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Customer: p.Customer, Subject: p.ID, Kind: "password.changed"})
	})
	if err != nil {
		return "", wrap("change password", err)
	}
	return secret, nil
}

// turn gives a session another secret.
func (s *Store) turn(tx *db.Tx, session, person, secret string) error {
	var row sessionRow
	if err := tx.Where("id = ? AND person_id = ? AND ended_at = 0", session, person).Take(&row).Error; db.IsNotFound(err) {
		return signedOut()
	} else if err != nil {
		return err
	}
	v, err := s.session(row)
	if err != nil {
		return err
	}
	row.Hash = hashOf(useSession, secret)
	if err := s.sealClient(&row, Client{Address: v.Address, UserAgent: v.UserAgent}); err != nil {
		return err
	}
	return tx.Save(&row).Error
}

// countChange counts one more attempt, before the old password is looked at:
// many at once cannot slip through. It returns the person's credential.
func (s *Store) countChange(ctx context.Context, p Person, mark []byte) (cred credentialRow, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if n, err := s.count(tx, mark); err != nil {
			return err
		} else if n >= factorLimit {
			return tooMany()
		}
		if _, err := s.raise(tx, mark, factorLimit, factorWindow); err != nil {
			return err
		}
		err := tx.Where("person_id = ?", p.ID).Take(&cred).Error
		if db.IsNotFound(err) {
			return controlplane.Errorf(controlplane.CodeConflict, "Ask for an invitation: it sets a password and a second factor.", "You have no password yet")
		}
		return err
	})
	return cred, err
}

// newPassword checks the old password and seals the hash of the new one.
func (s *Store) newPassword(ctx context.Context, p Person, cred credentialRow, in PasswordChange) ([]byte, error) {
	hash, err := s.keeper.OpenLocal(local("password", p.ID), cred.Password)
	if err != nil {
		return nil, wrap("change password", err)
	}
	ok := len(in.Old) <= maxPassword
	if ok {
		if ok, err = s.verify(ctx, string(hash), in.Old); err != nil {
			return nil, wrap("change password", err)
		}
	}
	if !ok {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/old_password", Message: "This is not your present password."})
	}
	fresh, err := s.hash(ctx, in.New)
	if err != nil {
		return nil, wrap("change password", err)
	}
	sealed, err := s.keeper.SealLocal(local("password", p.ID), []byte(fresh))
	return sealed, wrap("change password", err)
}
