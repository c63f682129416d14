package identity

import (
	"context"
	"errors"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// linkPrefix is the prefix of a link's id.
const linkPrefix = "lnk_"

// The kinds of links.
const (
	linkInvite = "invite"
	linkDemo   = "demo"
)

type linkRow struct {
	ID        string `gorm:"column:id;primaryKey"`
	Kind      string `gorm:"column:kind"`
	Hash      []byte `gorm:"column:secret_hash"`
	Person    string `gorm:"column:person_id"`
	Customer  string `gorm:"column:customer_id"`
	TOTP      []byte `gorm:"column:totp_sealed"` // of an invitation
	CreatedAt int64  `gorm:"column:created_at;autoCreateTime:false"`
	ExpiresAt int64  `gorm:"column:expires_at"`
	UsedAt    int64  `gorm:"column:used_at"`
}

func (linkRow) TableName() string { return "sign_in_links" }

// totpAD ties an invitation's second factor to its secret and its person.
func (r linkRow) totpAD() secrets.AD {
	return secrets.AD{Table: "sign_in_links", Column: bound("totp", r.Hash, r.Person, r.Kind), Row: r.ID}
}

// Invitation is what the page of an invitation shows. Looking at it does not
// use it up.
type Invitation struct {
	Person Person
	// Reset says that the person has a password and a second factor already,
	// which the new ones will replace.
	Reset      bool
	TOTPSecret string // base32, for typing into an app that cannot scan
	TOTPURL    string // otpauth://, for the picture; see QR
	ExpiresAt  time.Time
}

// Acceptance is what a new person sends.
type Acceptance struct {
	Password string
	Code     string // of the authenticator app, to show that it holds the secret
	Client   Client
}

// Accepted is a person's first session, and their recovery codes, which can be
// read this once.
type Accepted struct {
	SignedIn
	RecoveryCodes []string
}

// Invite makes a single-use link by which a person whom the scope reaches sets
// a password and a second factor; links that they had before are void. Somebody
// who has both gets them anew with it: that is how a lost phone is replaced.
//
// Errors: not found, conflict where the person was removed.
func (s *Store) Invite(ctx context.Context, scope policy.Scope, person string) (Link, error) {
	var link Link
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		p, err := s.reached(tx, scope, person)
		if err != nil {
			return err
		}
		link, err = s.invite(tx, p)
		return err
	})
	return link, wrap("invite", err)
}

func (s *Store) invite(tx *db.Tx, p Person) (Link, error) {
	totpSecret, err := newTOTP(s.o.Issuer, p.Email)
	if err != nil {
		return Link{}, err
	}
	has, err := hasCredential(tx, p.ID)
	if err != nil {
		return Link{}, err
	}
	link, err := s.link(tx, p, linkInvite, InviteLife, totpSecret)
	if err != nil {
		return Link{}, err
	}
	return link, s.append(tx, ledger.Entry{Customer: p.Customer, Subject: p.ID, Kind: "person.invited", Data: map[string]any{
		"role": string(p.Role), "reset": has, "expires_at": controlplane.Instant(link.ExpiresAt),
	}})
}

func hasCredential(tx *db.Tx, person string) (bool, error) {
	var n int64
	err := tx.Table(credentialRow{}.TableName()).Where("person_id = ?", person).Count(&n).Error
	return n > 0, err
}

func (s *Store) link(tx *db.Tx, p Person, kind string, life time.Duration, totpSecret string) (Link, error) {
	if !p.Active {
		return Link{}, controlplane.Errorf(controlplane.CodeConflict, "Add them again first.", "This person was removed")
	}
	if err := tx.Where("person_id = ? AND kind = ?", p.ID, kind).Delete(&linkRow{}).Error; err != nil {
		return Link{}, err
	}
	out := Link{ID: controlplane.NewID(linkPrefix), Secret: newSecret(), ExpiresAt: tx.Now.Add(life)}
	out.Path = "/" + kind + "/" + out.Secret
	row := linkRow{
		ID: out.ID, Kind: kind, Hash: hashOf(useLink, kind+out.Secret), Person: p.ID, Customer: p.Customer, TOTP: []byte{},
		CreatedAt: tx.NowMillis(), ExpiresAt: out.ExpiresAt.UnixMilli(),
	}
	if totpSecret != "" {
		var err error
		if row.TOTP, err = s.keeper.SealLocal(row.totpAD(), []byte(totpSecret)); err != nil {
			return Link{}, err
		}
	}
	return out, tx.Create(&row).Error
}

func unknownLink() error {
	return controlplane.Errorf(controlplane.CodeNotFound, "Copy the whole link, or ask for a new one.", "This link is not known here")
}

// findLink returns an unused link and its person.
func (s *Store) findLink(tx *db.Tx, kind, secret string) (linkRow, Person, error) {
	var row linkRow
	err := tx.Where("secret_hash = ? AND kind = ?", hashOf(useLink, kind+secret), kind).Take(&row).Error
	switch {
	case db.IsNotFound(err):
		return row, Person{}, unknownLink()
	case err != nil:
		return row, Person{}, err
	case row.UsedAt != 0:
		return row, Person{}, controlplane.Errorf(controlplane.CodeExpired, "Sign in, or ask for a new link.", "This link was used already")
	case row.ExpiresAt <= tx.NowMillis():
		return row, Person{}, controlplane.Errorf(controlplane.CodeExpired, "Ask for a new link.", "This link is too old")
	}
	p, err := s.personIn(tx, anyone(), row.Person)
	if err == nil && !p.Active {
		err = controlplane.Errorf(controlplane.CodeExpired, "Ask for a new link.", "This link is no longer good")
	}
	return row, p, err
}

// Invitation returns what the page of an invitation shows.
//
// Errors: not found, expired.
func (s *Store) Invitation(ctx context.Context, secret string) (Invitation, error) {
	var out Invitation
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		row, p, err := s.findLink(tx, linkInvite, secret)
		if err != nil {
			return err
		}
		t, err := s.linkTOTP(row)
		if s.foreign(ctx, "link", row.ID, err) {
			return unknownLink()
		}
		if err != nil {
			return err
		}
		k, err := totpURL(s.o.Issuer, p.Email, t)
		if err != nil {
			return err
		}
		out = Invitation{Person: p, TOTPSecret: t, TOTPURL: k.URL(), ExpiresAt: controlplane.FromMillis(row.ExpiresAt)}
		out.Reset, err = hasCredential(tx, p.ID)
		return err
	})
	return out, wrap("invitation", err)
}

func (s *Store) linkTOTP(row linkRow) (string, error) {
	b, err := s.keeper.OpenLocal(row.totpAD(), row.TOTP)
	return string(b), err
}

// AcceptInvite takes an invitation up: sets the password and the second factor,
// ends what sessions the person had, and signs them in.
//
// Errors: invalid (password or code), not found, expired.
func (s *Store) AcceptInvite(ctx context.Context, secret string, in Acceptance) (Accepted, error) {
	inv, err := s.Invitation(ctx, secret)
	if err != nil {
		return Accepted{}, err
	}
	p := inv.Person
	now, err := s.db.Now(asSystem(ctx))
	if err != nil {
		return Accepted{}, wrap("accept invitation", err)
	}
	var fields []controlplane.Field
	if problem := PasswordProblem(in.Password, p.Name, p.Email); problem != "" {
		fields = append(fields, controlplane.Field{Pointer: "/password", Message: problem})
	}
	step, ok, err := totpStep(inv.TOTPSecret, in.Code, now)
	if err != nil {
		return Accepted{}, wrap("accept invitation", err)
	}
	if !ok {
		fields = append(fields, controlplane.Field{Pointer: "/code", Message: "This code is not right. Wait for the next one of your app, and check the clock of your phone."})
	}
	if fields != nil {
		return Accepted{}, controlplane.Invalid(fields...)
	}
	cred, err := s.credential(ctx, p, in.Password, inv.TOTPSecret)
	if err != nil {
		return Accepted{}, wrap("accept invitation", err)
	}
	cred.Step = step
	var out Accepted
	err = s.db.Write(controlplane.WithActor(ctx, p.actor()), func(tx *db.Tx) (err error) {
		out, err = s.accept(tx, secret, cred, in.Client)
		return err
	})
	return out, wrap("accept invitation", err)
}

// credential hashes and seals; outside any transaction, because it takes time.
func (s *Store) credential(ctx context.Context, p Person, password, totpSecret string) (credentialRow, error) {
	row := credentialRow{Person: p.ID, Customer: p.Customer}
	hash, err := s.hash(ctx, password)
	if err != nil {
		return row, err
	}
	var err1, err2 error
	row.Password, err1 = s.keeper.SealLocal(local("password", p.ID), []byte(hash))
	row.TOTP, err2 = s.keeper.SealLocal(local("totp", p.ID), []byte(totpSecret))
	return row, errors.Join(err1, err2)
}

func (s *Store) accept(tx *db.Tx, secret string, cred credentialRow, c Client) (Accepted, error) {
	link, p, err := s.findLink(tx, linkInvite, secret)
	if err != nil {
		return Accepted{}, err
	}
	if err := s.use(tx, link); err != nil {
		return Accepted{}, err
	}
	if _, err := s.endOthers(tx, p.ID, ""); err != nil {
		return Accepted{}, err
	}
	cred.CreatedAt, cred.PasswordAt = tx.NowMillis(), tx.NowMillis()
	if err := tx.Save(&cred).Error; err != nil {
		return Accepted{}, err
	}
	var out Accepted
	if out.RecoveryCodes, err = s.setRecovery(tx, p); err != nil {
		return Accepted{}, err
	}
	if err := s.append(tx, ledger.Entry{Customer: p.Customer, Subject: p.ID, Kind: "person.set_up", Data: map[string]any{"second_factor": "totp"}}); err != nil {
		return Accepted{}, err
	}
	if out.SignedIn, err = s.start(tx, p, MethodInvite, c); err != nil {
		return Accepted{}, err
	}
	out.RecoveryLeft = recoveryCodes
	return out, s.remember(tx, p.Email, network(c.Address))
}

func (s *Store) use(tx *db.Tx, link linkRow) error {
	return tx.Table(link.TableName()).Where("id = ?", link.ID).Update("used_at", tx.NowMillis()).Error
}

// MintDemoLink makes a single-use link that signs a person in without any
// factor. It exists in a demo only.
func (s *Store) MintDemoLink(ctx context.Context, person string) (Link, error) {
	if !s.o.Demo {
		return Link{}, noDemo()
	}
	var link Link
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		p, err := s.personIn(tx, anyone(), person)
		if err != nil {
			return err
		}
		if link, err = s.link(tx, p, linkDemo, s.o.DemoLinkLife, ""); err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Customer: p.Customer, Subject: p.ID, Kind: "demo_link.made"})
	})
	return link, wrap("demo link", err)
}

func noDemo() error {
	return controlplane.Errorf(controlplane.CodeNotFound, "Sign in with your e-mail address, password and second factor.", "There are no sign-in links here")
}

// DemoSignIn signs the person of a demo link in.
//
// Errors: not found, expired.
func (s *Store) DemoSignIn(ctx context.Context, secret string, c Client) (SignedIn, error) {
	if !s.o.Demo {
		return SignedIn{}, noDemo()
	}
	var p Person
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) (err error) { _, p, err = s.findLink(tx, linkDemo, secret); return err })
	if err != nil {
		return SignedIn{}, wrap("demo sign-in", err)
	}
	var out SignedIn
	err = s.db.Write(controlplane.WithActor(ctx, p.actor()), func(tx *db.Tx) error {
		link, p, err := s.findLink(tx, linkDemo, secret)
		if err != nil {
			return err
		}
		if err := s.use(tx, link); err != nil {
			return err
		}
		out, err = s.start(tx, p, MethodDemo, c)
		return err
	})
	return out, wrap("demo sign-in", err)
}
