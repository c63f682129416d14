package identity

import (
	"context"
	"encoding/hex"
	"strings"

	"golang.org/x/text/unicode/norm"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/secrets"
)

type credentialRow struct {
	Person     string `gorm:"column:person_id;primaryKey"`
	Customer   string `gorm:"column:customer_id"`
	Password   []byte `gorm:"column:password_sealed"`
	TOTP       []byte `gorm:"column:totp_sealed"`
	Step       int64  `gorm:"column:totp_step"`
	CreatedAt  int64  `gorm:"column:created_at;autoCreateTime:false"`
	PasswordAt int64  `gorm:"column:password_at"`
}

func (credentialRow) TableName() string { return "credentials" }

type recoveryRow struct {
	Person   string `gorm:"column:person_id;primaryKey"`
	Hash     []byte `gorm:"column:code_hash;primaryKey"`
	Customer string `gorm:"column:customer_id"`
	UsedAt   int64  `gorm:"column:used_at"`
}

func (recoveryRow) TableName() string { return "recovery_codes" }

type pendingRow struct {
	Hash      []byte `gorm:"column:secret_hash;primaryKey"`
	Person    string `gorm:"column:person_id"`
	Customer  string `gorm:"column:customer_id"`
	Attempts  int64  `gorm:"column:attempts"`
	CreatedAt int64  `gorm:"column:created_at;autoCreateTime:false"`
	ExpiresAt int64  `gorm:"column:expires_at"`
}

func (pendingRow) TableName() string { return "pending_sign_ins" }

// local is where a sign-in secret stands; its key never leaves this machine's
// keyring.
func local(column, person string) secrets.AD {
	return secrets.AD{Table: "credentials", Column: column, Row: person}
}

// SignIn is the first step of signing in.
type SignIn struct {
	Email    string
	Password string
	// Customer is the slug of a customer, for a person with one password for
	// several of them; else "".
	Customer string
	Client   Client
}

// candidate is a person whose password may have been meant.
type candidate struct {
	person     Person
	credential credentialRow
	password   string // its hash
}

// SignIn checks an e-mail address and a password, and returns what the second
// factor needs. Whether the account exists shows in neither the answer nor the
// work: an unknown one costs a password hash too.
//
// Errors: unauthorized, too many, conflict where the same e-mail address and
// password are those of several customers and Customer does not say which.
func (s *Store) SignIn(ctx context.Context, in SignIn) (Pending, error) {
	ctx = asSystem(ctx)
	email := norm.NFC.String(strings.TrimSpace(in.Email))
	if len(email) > 254 || len(in.Password) > maxPassword {
		return Pending{}, wrongPassword()
	}
	a, err := s.begin(ctx, email, in.Customer, in.Client.Address)
	if err != nil {
		return Pending{}, err
	}
	found, err := s.candidates(ctx, email, in.Customer)
	if err != nil {
		return Pending{}, wrap("sign in", err)
	}
	matches, err := s.matching(ctx, found, in.Password)
	if err != nil {
		return Pending{}, wrap("sign in", err)
	}
	var out Pending
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if len(matches) == 0 {
			return s.noteFailure(tx, a, found)
		}
		if err := s.succeeded(tx, a, len(matches) == len(found)); err != nil {
			return err
		}
		if len(matches) > 1 {
			return nil
		}
		m := matches[0]
		out = Pending{Secret: newSecret(), ExpiresAt: tx.Now.Add(PendingLife)}
		return tx.Create(&pendingRow{
			Hash: hashOf(usePending, out.Secret), Person: m.person.ID, Customer: m.person.Customer,
			CreatedAt: tx.NowMillis(), ExpiresAt: out.ExpiresAt.UnixMilli(),
		}).Error
	})
	switch {
	case err != nil:
		return Pending{}, wrap("sign in", err)
	case len(matches) == 0:
		return Pending{}, wrongPassword()
	case len(matches) > 1:
		e := controlplane.Errorf(controlplane.CodeConflict, "Enter the short name of the customer that you mean.", "You sign in to more than one customer with this password")
		e.Fields = []controlplane.Field{{Pointer: "/customer", Message: "Enter the short name of the customer that you mean."}}
		return Pending{}, e
	}
	return out, nil
}

func wrongPassword() error {
	return controlplane.Errorf(controlplane.CodeUnauthorized, "Check both and try again. If you have not set a password yet, use the link of your invitation.", "The e-mail address or the password is not right")
}

// candidates returns the people with this e-mail address who have a password.
func (s *Store) candidates(ctx context.Context, email, customer string) ([]candidate, error) {
	var out []candidate
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		out = nil
		people, err := s.peopleByEmail(tx, email, customer)
		if err != nil {
			return err
		}
		for _, p := range people {
			c := candidate{person: p}
			err := tx.Where("person_id = ?", p.ID).Take(&c.credential).Error
			if db.IsNotFound(err) {
				continue
			}
			if err != nil {
				return err
			}
			b, err := s.keeper.OpenLocal(local("password", p.ID), c.credential.Password)
			if err != nil {
				return err
			}
			c.password = string(b)
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

func (s *Store) peopleByEmail(tx *db.Tx, email, customer string) ([]Person, error) {
	var out []Person
	contacts, err := s.customers.ContactsByEmailIn(tx, anyone(), email)
	if err != nil {
		return nil, err
	}
	only := ""
	if customer != "" {
		c, err := s.customers.CustomerIn(tx, anyone(), customer)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		only = c.ID
	}
	for _, c := range contacts {
		if only == "" || c.Customer == only {
			out = append(out, personOf(c))
		}
	}
	auditors, err := s.auditorsByEmail(tx, email, only)
	if err != nil {
		return nil, err
	}
	out = append(out, auditors...)
	if only != "" {
		return out, nil
	}
	var rows []staffRow
	if err := tx.Where("email_index = ? AND disabled_at = 0", s.keeper.Index(customers.EmailIndex, email)).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, r := range rows {
		p, err := s.staff(r)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// matching hashes once for each candidate, and once where there is none.
func (s *Store) matching(ctx context.Context, found []candidate, password string) ([]candidate, error) {
	if len(found) == 0 {
		_, err := s.verify(ctx, s.decoy, password)
		return nil, err
	}
	var out []candidate
	for _, c := range found {
		ok, err := s.verify(ctx, c.password, password)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, c)
		}
	}
	return out, nil
}

// noteFailure puts a failed password into the ledger: of the person where there
// is exactly one, with the address only as the blind index.
func (s *Store) noteFailure(tx *db.Tx, a attempt, found []candidate) error {
	if !worthNoting(a.n, pairLimit) {
		return nil
	}
	e := ledger.Entry{Kind: "signin.failed", Data: map[string]any{
		"step": "password", "account": hex.EncodeToString(s.keeper.Index(customers.EmailIndex, a.account)), "shut_out": a.n == pairLimit,
	}}
	if len(found) == 1 {
		e.Customer, e.Subject = found[0].person.Customer, found[0].person.ID
	}
	return s.append(tx, e)
}
