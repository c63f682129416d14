package identity

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

// SecondFactor ends a sign-in: pending is the value of the first step's cookie,
// code is of the authenticator app or a recovery code. The session that it
// returns has a value of its own; the first step's is good for nothing any more.
//
// Errors: unauthorized (the code is wrong, or was used already), expired (begin
// with the password again), too many.
func (s *Store) SecondFactor(ctx context.Context, pending, code string, c Client) (SignedIn, error) {
	var p Person
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		row, err := findPending(tx, pending)
		if err != nil {
			return err
		}
		p, err = s.personIn(tx, anyone(), row.Person)
		return err
	})
	if err != nil {
		return SignedIn{}, wrap("second factor", err)
	}
	var out SignedIn
	var refused error // committed all the same: the attempt counts
	err = s.db.Write(controlplane.WithActor(ctx, p.actor()), func(tx *db.Tx) error {
		refused = nil
		row, err := findPending(tx, pending)
		if err != nil {
			return err
		}
		if p, err = s.personIn(tx, anyone(), row.Person); err != nil {
			return err
		}
		if !p.Active {
			return beginAgain()
		}
		method, err := s.factor(tx, p, row, code, c)
		if err != nil {
			refused = err
			if controlplane.ErrorCode(err) == controlplane.CodeInternal {
				return err
			}
			return nil
		}
		if err := tx.Where("secret_hash = ?", row.Hash).Delete(&pendingRow{}).Error; err != nil {
			return err
		}
		if out, err = s.start(tx, p, method, c); err != nil {
			return err
		}
		if out.RecoveryLeft, err = recoveryLeft(tx, p.ID); err != nil {
			return err
		}
		return s.remember(tx, p.Email, network(c.Address))
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return SignedIn{}, wrap("second factor", err)
	}
	return out, nil
}

func beginAgain() error {
	return controlplane.Errorf(controlplane.CodeExpired, "Begin again with your e-mail address and password.", "This sign-in took too long")
}

func findPending(tx *db.Tx, secret string) (pendingRow, error) {
	var row pendingRow
	err := tx.Where("secret_hash = ? AND expires_at > ? AND attempts < ?", hashOf(usePending, secret), tx.NowMillis(), pendingLimit).Take(&row).Error
	if db.IsNotFound(err) {
		return row, beginAgain()
	}
	return row, err
}

// factor counts the attempt, then checks the code. Its errors that people may
// read leave the count standing.
func (s *Store) factor(tx *db.Tx, p Person, row pendingRow, code string, c Client) (Method, error) {
	if err := tx.Table(row.TableName()).Where("secret_hash = ?", row.Hash).Update("attempts", row.Attempts+1).Error; err != nil {
		return "", err
	}
	address := network(c.Address)
	known, err := s.known(tx, p.Email, address)
	if err != nil {
		return "", err
	}
	if !known {
		address = ""
	}
	mark := s.mark("factor", p.ID, address)
	if n, err := s.count(tx, mark); err != nil {
		return "", err
	} else if n >= factorLimit {
		return "", tooMany()
	}
	method, ok, err := s.checkCode(tx, p, code)
	if err != nil || ok {
		return method, err
	}
	n, err := s.raise(tx, mark, factorLimit, factorWindow)
	if err != nil {
		return "", err
	}
	if worthNoting(n, factorLimit) {
		if err := s.append(tx, ledger.Entry{Customer: p.Customer, Subject: p.ID, Kind: "signin.failed", Data: map[string]any{
			"step": "second_factor", "shut_out": n == factorLimit,
		}}); err != nil {
			return "", err
		}
	}
	return "", controlplane.Errorf(controlplane.CodeUnauthorized, "Wait for the next code of your app and enter that. Without the app, use one of your recovery codes.", "This code is not right, or was used already")
}

// checkCode takes a code of the authenticator app or a recovery code, each once.
func (s *Store) checkCode(tx *db.Tx, p Person, code string) (Method, bool, error) {
	if !isTOTP(code) {
		used := tx.Table(recoveryRow{}.TableName()).Where("person_id = ? AND code_hash = ? AND used_at = 0", p.ID, recoveryHash(p.ID, code)).Update("used_at", tx.NowMillis())
		if used.Error != nil || used.RowsAffected == 0 {
			return "", false, used.Error
		}
		left, err := recoveryLeft(tx, p.ID)
		if err != nil {
			return "", false, err
		}
		return MethodRecovery, true, s.append(tx, ledger.Entry{Customer: p.Customer, Subject: p.ID, Kind: "recovery.used", Data: map[string]any{"left": left}})
	}
	var cred credentialRow
	if err := tx.Where("person_id = ?", p.ID).Take(&cred).Error; err != nil {
		return "", false, err
	}
	secret, err := s.keeper.OpenLocal(local("totp", p.ID), cred.TOTP)
	if err != nil {
		return "", false, err
	}
	step, ok, err := totpStep(string(secret), code, tx.Now)
	if err != nil || !ok || step <= cred.Step { // a step is good once, and none before it
		return "", false, err
	}
	return MethodTOTP, true, tx.Table(cred.TableName()).Where("person_id = ?", p.ID).Update("totp_step", step).Error
}

func recoveryLeft(tx *db.Tx, person string) (int, error) {
	var n int64
	err := tx.Table(recoveryRow{}.TableName()).Where("person_id = ? AND used_at = 0", person).Count(&n).Error
	return int(n), err
}

// setRecovery replaces a person's recovery codes and returns the new ones, the
// only time that they can be read.
func (s *Store) setRecovery(tx *db.Tx, p Person) ([]string, error) {
	if err := tx.Where("person_id = ?", p.ID).Delete(&recoveryRow{}).Error; err != nil {
		return nil, err
	}
	codes := newRecoveryCodes()
	for _, c := range codes {
		if err := tx.Create(&recoveryRow{Person: p.ID, Hash: recoveryHash(p.ID, c), Customer: p.Customer}).Error; err != nil {
			return nil, err
		}
	}
	return codes, nil
}

// ReplaceRecoveryCodes gives the one who asks ten new recovery codes against a
// code of the authenticator app; the old ones are void.
//
// Errors: invalid where the code is wrong, too many.
func (s *Store) ReplaceRecoveryCodes(ctx context.Context, code string) ([]string, error) {
	a, err := self(ctx, true)
	if err != nil {
		return nil, err
	}
	var codes []string
	var refused error
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		p, err := s.personIn(tx, anyone(), a.ID)
		if err != nil {
			return err
		}
		if refused, err = s.confirm(tx, p, code); err != nil || refused != nil {
			return err
		}
		if codes, err = s.setRecovery(tx, p); err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Customer: p.Customer, Subject: p.ID, Kind: "recovery.replaced"})
	})
	if err == nil {
		err = refused
	}
	return codes, wrap("recovery codes", err)
}

// confirm checks a code of somebody who is signed in, under a limit of its own
// for each person. refused is for them to read and is to be committed.
func (s *Store) confirm(tx *db.Tx, p Person, code string) (refused, err error) {
	mark := s.mark("confirm", p.ID, "")
	if n, err := s.count(tx, mark); err != nil {
		return nil, err
	} else if n >= factorLimit {
		return tooMany(), nil
	}
	if isTOTP(code) {
		if _, ok, err := s.checkCode(tx, p, code); err != nil || ok {
			return nil, err
		}
	}
	if _, err := s.raise(tx, mark, factorLimit, factorWindow); err != nil {
		return nil, err
	}
	return controlplane.Invalid(controlplane.Field{Pointer: "/code", Message: "This code is not right, or was used already. Wait for the next one of your app."}), nil
}
