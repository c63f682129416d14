package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

type tokenRow struct {
	ID          string `gorm:"column:id;primaryKey"`
	Hash        []byte `gorm:"column:secret_hash"`
	Kind        string `gorm:"column:kind"`
	Person      string `gorm:"column:person_id"`
	Customer    string `gorm:"column:customer_id"`
	Name        []byte `gorm:"column:name_sealed"`
	Permissions string `gorm:"column:permissions_json"`
	CreatedAt   int64  `gorm:"column:created_at;autoCreateTime:false"`
	ExpiresAt   int64  `gorm:"column:expires_at"`
	UsedAt      int64  `gorm:"column:used_at"`
	RevokedAt   int64  `gorm:"column:revoked_at"`
}

func (tokenRow) TableName() string { return "tokens" }

// bound ties a sealed value to the token's secret and to what it may do.
func (r tokenRow) bound(column string) string {
	return bound(column, r.Hash, r.Person, r.Kind, r.Permissions, strconv.FormatInt(r.ExpiresAt, 10))
}

// Token is a credential for programs. It acts as the person who made it, with
// some of their permissions, and ends with them.
type Token struct {
	ID          string // tok_; not the secret
	Kind        TokenKind
	Person      string
	Customer    string // of a customer's token
	Name        string
	Permissions []policy.Permission
	CreatedAt   time.Time
	ExpiresAt   time.Time
	UsedAt      time.Time // to five minutes; zero: never
}

// NewToken is what a token is made of.
type NewToken struct {
	Name        string
	Permissions []policy.Permission // some of one's own, at least one
	ExpiresAt   time.Time           // at most a year ahead
}

func (s *Store) token(r tokenRow) (Token, error) {
	t := Token{
		ID: r.ID, Kind: TokenKind(r.Kind), Person: r.Person, Customer: r.Customer,
		CreatedAt: controlplane.FromMillis(r.CreatedAt), ExpiresAt: controlplane.FromMillis(r.ExpiresAt), UsedAt: controlplane.FromMillis(r.UsedAt),
	}
	if err := json.Unmarshal([]byte(r.Permissions), &t.Permissions); err != nil {
		return t, fmt.Errorf("token %s: permissions: %w", r.ID, err)
	}
	var err error
	t.Name, err = s.open("tokens", r.bound("name"), r.ID, r.Customer, r.Name)
	return t, err
}

// MakeToken makes a token for the one who asks, who must have come with a
// session, and returns its secret, the only time that it can be read.
//
// Errors: invalid, forbidden for a token.
func (s *Store) MakeToken(ctx context.Context, in NewToken) (secret string, t Token, err error) {
	a, err := self(ctx, true)
	if err != nil {
		return "", Token{}, err
	}
	now, err := s.db.Now(ctx)
	if err != nil {
		return "", Token{}, wrap("make token", err)
	}
	name, permissions, err := checkToken(a, in, now)
	if err != nil {
		return "", Token{}, err
	}
	kind := TokenStaff
	if a.Kind != controlplane.ActorStaff {
		kind = TokenCustomer
	}
	secret = newTokenSecret(kind)
	list, err := json.Marshal(permissions)
	if err != nil {
		return "", Token{}, wrap("make token", err)
	}
	row := tokenRow{
		ID: controlplane.NewID(controlplane.PrefixToken), Hash: hashOf(useToken, secret), Kind: string(kind), Person: a.ID, Customer: a.Customer,
		Permissions: string(list), ExpiresAt: controlplane.Millis(in.ExpiresAt),
	}
	if row.Name, err = s.seal("tokens", row.bound("name"), row.ID, a.Customer, name); err != nil {
		return "", Token{}, wrap("make token", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row.CreatedAt = tx.NowMillis()
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.append(tx, ledger.Entry{Customer: row.Customer, Subject: row.ID, Kind: "token.made", Data: map[string]any{
			"person": row.Person, "kind": row.Kind, "permissions": texts(permissions), "expires_at": controlplane.Instant(in.ExpiresAt),
		}})
	})
	if err != nil {
		return "", Token{}, wrap("make token", err)
	}
	t, err = s.token(row)
	return secret, t, wrap("make token", err)
}

func checkToken(a controlplane.Actor, in NewToken, now time.Time) (name string, permissions []policy.Permission, err error) {
	var fields []controlplane.Field
	add := func(pointer, message string) {
		fields = append(fields, controlplane.Field{Pointer: pointer, Message: message})
	}
	name, problem := cleanName(in.Name)
	if problem != "" {
		add("/name", problem)
	}
	if len(in.Permissions) == 0 {
		add("/permissions", "Choose at least one permission.")
	}
	for i, p := range in.Permissions {
		if !policy.Can(a, p) {
			add(fmt.Sprintf("/permissions/%d", i), "Your role does not include this permission.")
		}
	}
	switch {
	case in.ExpiresAt.IsZero():
		add("/expires_at", "Say until when the token is good: at most a year.")
	case !in.ExpiresAt.After(now):
		add("/expires_at", "This is in the past.")
	case in.ExpiresAt.After(now.Add(TokenLife)):
		add("/expires_at", "A token is good for a year at most.")
	}
	if fields != nil {
		return "", nil, controlplane.Invalid(fields...)
	}
	permissions = slices.Clone(in.Permissions)
	slices.Sort(permissions)
	return name, slices.Compact(permissions), nil
}

func texts(ps []policy.Permission) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = string(p)
	}
	return out
}

// AuthenticateToken returns the actor of an API token, narrowed to the token's
// permissions (policy.Can respects them), and the token.
//
// Errors: unauthorized.
func (s *Store) AuthenticateToken(ctx context.Context, secret string) (controlplane.Actor, Token, error) {
	kind, ok := parseToken(secret)
	if !ok {
		return controlplane.Actor{}, Token{}, badToken("This is not a whole API token")
	}
	var row tokenRow
	var p Person
	var stale bool
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		err := tx.Where("secret_hash = ? AND kind = ?", hashOf(useToken, secret), string(kind)).Take(&row).Error
		switch {
		case db.IsNotFound(err):
			return badToken("This API token is not known")
		case err != nil:
			return err
		case row.RevokedAt != 0:
			return badToken("This API token was revoked")
		case row.ExpiresAt <= tx.NowMillis():
			return badToken("This API token has expired")
		}
		if p, err = s.personIn(tx, anyone(), row.Person); err != nil {
			return err
		}
		if !p.Active {
			return badToken("The person of this API token was removed")
		}
		stale = tx.Now.Sub(controlplane.FromMillis(row.UsedAt)) >= seenEvery
		return nil
	})
	if err != nil {
		return controlplane.Actor{}, Token{}, wrap("authenticate token", err)
	}
	t, err := s.token(row)
	if s.foreign(ctx, "token", row.ID, err) {
		return controlplane.Actor{}, Token{}, badToken("This API token is not known")
	}
	if err == nil && stale {
		err = s.db.Write(asSystem(ctx), func(tx *db.Tx) error {
			row.UsedAt = tx.NowMillis()
			return tx.Table(row.TableName()).Where("id = ?", row.ID).Update("used_at", row.UsedAt).Error
		})
		t.UsedAt = controlplane.FromMillis(row.UsedAt)
	}
	if err != nil {
		return controlplane.Actor{}, Token{}, wrap("authenticate token", err)
	}
	a := p.actor()
	a.Token, a.Permissions = t.ID, texts(t.Permissions)
	return a, t, nil
}

func badToken(message string) error {
	return controlplane.Errorf(controlplane.CodeUnauthorized, "Make a new token under your account in the portal.", "%s", message)
}

// Tokens returns one's own tokens that are not revoked, the newest first; also
// those that have run out, until the sweep.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	a, err := self(ctx, false)
	if err != nil {
		return nil, err
	}
	return s.tokens(ctx, a.ID)
}

// TokensOf returns the tokens of a person whom the scope reaches.
func (s *Store) TokensOf(ctx context.Context, scope policy.Scope, person string) ([]Token, error) {
	err := s.db.Read(ctx, func(tx *db.Tx) error { _, err := s.reached(tx, scope, person); return err })
	if err != nil {
		return nil, wrap("tokens", err)
	}
	return s.tokens(ctx, person)
}

func (s *Store) tokens(ctx context.Context, person string) ([]Token, error) {
	var rows []tokenRow
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		return tx.Where("person_id = ? AND revoked_at = 0", person).Order("created_at DESC, id DESC").Find(&rows).Error
	})
	out := make([]Token, 0, len(rows))
	for _, r := range rows {
		t, terr := s.token(r)
		if s.foreign(ctx, "token", r.ID, terr) {
			continue
		}
		if terr != nil {
			return nil, wrap("tokens", terr)
		}
		out = append(out, t)
	}
	return out, wrap("tokens", err)
}

// RevokeToken ends one of one's own tokens; a token may revoke itself.
func (s *Store) RevokeToken(ctx context.Context, id string) error {
	a, err := self(ctx, false)
	if err != nil {
		return err
	}
	if a.Token != "" && a.Token != id {
		return controlplane.Errorf(controlplane.CodeForbidden, "Sign in to the portal and do it there.", "An API token cannot revoke another one")
	}
	return wrap("revoke token", s.db.Write(ctx, func(tx *db.Tx) error {
		var row tokenRow
		if err := tx.Where("id = ? AND person_id = ? AND revoked_at = 0", id, a.ID).Take(&row).Error; err != nil {
			return missing("token", err)
		}
		return s.endTokens(tx, []tokenRow{row})
	}))
}

func (s *Store) endTokens(tx *db.Tx, rows []tokenRow) error {
	for _, r := range rows {
		if err := tx.Table(r.TableName()).Where("id = ?", r.ID).Update("revoked_at", tx.NowMillis()).Error; err != nil {
			return err
		}
		if err := s.append(tx, ledger.Entry{Customer: r.Customer, Subject: r.ID, Kind: "token.revoked", Data: map[string]any{"person": r.Person}}); err != nil {
			return err
		}
	}
	return nil
}
