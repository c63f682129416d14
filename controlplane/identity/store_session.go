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

type sessionRow struct {
	ID        string `gorm:"column:id;primaryKey"`
	Hash      []byte `gorm:"column:secret_hash"`
	Person    string `gorm:"column:person_id"`
	Customer  string `gorm:"column:customer_id"`
	Method    string `gorm:"column:method"`
	Address   []byte `gorm:"column:address_sealed"`
	Agent     []byte `gorm:"column:agent_sealed"`
	CreatedAt int64  `gorm:"column:created_at;autoCreateTime:false"`
	SeenAt    int64  `gorm:"column:seen_at"`
	ExpiresAt int64  `gorm:"column:expires_at"`
	EndedAt   int64  `gorm:"column:ended_at"`
}

func (sessionRow) TableName() string { return "sessions" }

// bound ties a sealed value to whose session it is and to its secret: a row
// that somebody made or changed in the database does not open.
func (r sessionRow) bound(column string) string { return bound(column, r.Hash, r.Person, r.Method) }

func (s *Store) session(r sessionRow) (Session, error) {
	v := Session{
		ID: r.ID, Person: r.Person, Customer: r.Customer, Method: Method(r.Method),
		CreatedAt: controlplane.FromMillis(r.CreatedAt), SeenAt: controlplane.FromMillis(r.SeenAt), ExpiresAt: controlplane.FromMillis(r.ExpiresAt),
	}
	var err error
	if v.Address, err = s.open("sessions", r.bound("address"), r.ID, r.Customer, r.Address); err != nil {
		return v, err
	}
	v.UserAgent, err = s.open("sessions", r.bound("agent"), r.ID, r.Customer, r.Agent)
	return v, err
}

// lives returns how long a session of that kind of person lives unused and in all.
func lives(kind controlplane.ActorKind) (idle, life time.Duration) {
	if kind == controlplane.ActorStaff {
		return StaffIdle, StaffLife
	}
	return ContactIdle, ContactLife
}

// start makes a session with a value that nobody has seen before, whatever the
// browser held until now. tx must carry the person as its actor.
func (s *Store) start(tx *db.Tx, p Person, m Method, c Client) (SignedIn, error) {
	_, life := lives(p.Kind)
	secret := newSecret()
	row := sessionRow{
		ID: controlplane.NewID(controlplane.PrefixSession), Hash: hashOf(useSession, secret), Person: p.ID, Customer: p.Customer,
		Method: string(m), CreatedAt: tx.NowMillis(), SeenAt: tx.NowMillis(), ExpiresAt: tx.Now.Add(life).UnixMilli(),
	}
	if err := s.sealClient(&row, c); err != nil {
		return SignedIn{}, err
	}
	if err := tx.Create(&row).Error; err != nil {
		return SignedIn{}, err
	}
	if err := s.append(tx, ledger.Entry{Customer: p.Customer, Subject: row.ID, Kind: "session.started", Data: map[string]any{
		"person": p.ID, "method": row.Method, "expires_at": controlplane.Instant(controlplane.FromMillis(row.ExpiresAt)),
	}}); err != nil {
		return SignedIn{}, err
	}
	v, err := s.session(row)
	v.Current = true
	a := p.actor()
	a.Session = row.ID
	return SignedIn{Secret: secret, Session: v, Actor: a}, err
}

// sealClient seals where a session's browser is and what it says of itself.
func (s *Store) sealClient(row *sessionRow, c Client) (err error) {
	if row.Address, err = s.seal("sessions", row.bound("address"), row.ID, row.Customer, cut(c.Address, 64)); err != nil {
		return err
	}
	row.Agent, err = s.seal("sessions", row.bound("agent"), row.ID, row.Customer, cut(c.UserAgent, 512))
	return err
}

// cut keeps at most n bytes of what a browser says of itself.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return s
}

func signedOut() *controlplane.Error {
	return controlplane.Errorf(controlplane.CodeUnauthorized, "Sign in again.", "You are not signed in, or your session is over")
}

// Authenticate returns the actor and session of a session cookie's value.
// The role is the person's present one.
//
// Errors: unauthorized for anything that signs nobody in (any more).
func (s *Store) Authenticate(ctx context.Context, secret string) (controlplane.Actor, Session, error) {
	if len(secret) != 43 {
		return controlplane.Actor{}, Session{}, signedOut()
	}
	var row sessionRow
	var p Person
	var stale bool
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		if err := tx.Where("secret_hash = ? AND ended_at = 0 AND expires_at > ?", hashOf(useSession, secret), tx.NowMillis()).Take(&row).Error; err != nil {
			return missing("session", err)
		}
		var err error
		if p, err = s.personIn(tx, anyone(), row.Person); err != nil {
			return err
		}
		idle, _ := lives(p.Kind)
		seen := controlplane.FromMillis(row.SeenAt)
		if !p.Active || !tx.Now.Before(seen.Add(idle)) {
			return controlplane.NotFound("session")
		}
		stale = tx.Now.Sub(seen) >= seenEvery
		return nil
	})
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		return controlplane.Actor{}, Session{}, signedOut()
	}
	if err != nil {
		return controlplane.Actor{}, Session{}, wrap("authenticate", err)
	}
	v, err := s.session(row)
	if s.foreign(ctx, "session", row.ID, err) {
		return controlplane.Actor{}, Session{}, signedOut()
	}
	if err == nil && stale {
		err = s.seen(ctx, &row)
		v.SeenAt = controlplane.FromMillis(row.SeenAt)
	}
	if err != nil {
		return controlplane.Actor{}, Session{}, wrap("authenticate", err)
	}
	v.Current = true
	a := p.actor()
	a.Session = row.ID
	return a, v, nil
}

// foreign reports whether err says that a credential's row does not open: it
// was made or changed by somebody else, or bound otherwise by an earlier
// version. Such a row counts as not there; the log has it.
func (s *Store) foreign(ctx context.Context, what, id string, err error) bool {
	if !errors.Is(err, secrets.ErrOpen) {
		return false
	}
	s.o.Log.WarnContext(ctx, "identity.foreign", "what", what, "id", id, "error", err)
	return true
}

func (s *Store) seen(ctx context.Context, row *sessionRow) error {
	return s.db.Write(asSystem(ctx), func(tx *db.Tx) error {
		row.SeenAt = tx.NowMillis()
		return tx.Table(row.TableName()).Where("id = ? AND ended_at = 0", row.ID).Update("seen_at", row.SeenAt).Error
	})
}

// asSystem is for looking a credential up: whose it is is not known yet.
func asSystem(ctx context.Context) context.Context { return controlplane.System(ctx, "identity") }

// self returns the person who asks, and insists on a session where a token
// must not do.
func self(ctx context.Context, sessionNeeded bool) (controlplane.Actor, error) {
	a, _ := controlplane.ActorFrom(ctx)
	switch {
	case a.ID == "" || a.Kind != controlplane.ActorStaff && a.Kind != controlplane.ActorContact && a.Kind != controlplane.ActorAuditor:
		return a, signedOut()
	case sessionNeeded && a.Session == "":
		return a, controlplane.Errorf(controlplane.CodeForbidden, "Sign in to the portal and do it there.", "An API token cannot do this")
	}
	return a, nil
}

// Sessions returns one's own open sessions, the newest first.
func (s *Store) Sessions(ctx context.Context) ([]Session, error) {
	a, err := self(ctx, false)
	if err != nil {
		return nil, err
	}
	idle, _ := lives(a.Kind)
	var rows []sessionRow
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		return tx.Where("person_id = ? AND ended_at = 0 AND expires_at > ? AND seen_at > ?", a.ID, tx.NowMillis(), tx.Now.Add(-idle).UnixMilli()).
			Order("created_at DESC, id DESC").Find(&rows).Error
	})
	out := make([]Session, 0, len(rows))
	for _, r := range rows {
		v, serr := s.session(r)
		if s.foreign(ctx, "session", r.ID, serr) {
			continue
		}
		if serr != nil {
			return nil, wrap("sessions", serr)
		}
		v.Current = r.ID == a.Session
		out = append(out, v)
	}
	return out, wrap("sessions", err)
}

// SignOut ends the session of the one who asks.
func (s *Store) SignOut(ctx context.Context) error {
	a, err := self(ctx, true)
	if err != nil {
		return err
	}
	return s.RevokeSession(ctx, a.Session)
}

// RevokeSession ends one of one's own sessions.
func (s *Store) RevokeSession(ctx context.Context, id string) error {
	a, err := self(ctx, true)
	if err != nil {
		return err
	}
	return wrap("revoke session", s.db.Write(ctx, func(tx *db.Tx) error {
		var row sessionRow
		if err := tx.Where("id = ? AND person_id = ? AND ended_at = 0", id, a.ID).Take(&row).Error; err != nil {
			return missing("session", err)
		}
		return s.endSessions(tx, []sessionRow{row})
	}))
}

// RevokeOtherSessions ends all of one's own sessions but this one, and returns
// how many.
func (s *Store) RevokeOtherSessions(ctx context.Context) (n int, err error) {
	a, err := self(ctx, true)
	if err != nil {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { n, err = s.endOthers(tx, a.ID, a.Session); return err })
	return n, wrap("revoke sessions", err)
}

// endOthers ends the sessions of a person but one ("" for none), and forgets
// sign-ins that wait for a second factor.
func (s *Store) endOthers(tx *db.Tx, person, but string) (int, error) {
	if err := tx.Where("person_id = ?", person).Delete(&pendingRow{}).Error; err != nil {
		return 0, err
	}
	var rows []sessionRow
	if err := tx.Where("person_id = ? AND ended_at = 0 AND id <> ?", person, but).Order("id").Find(&rows).Error; err != nil {
		return 0, err
	}
	return len(rows), s.endSessions(tx, rows)
}

func (s *Store) endSessions(tx *db.Tx, rows []sessionRow) error {
	for _, r := range rows {
		if err := tx.Table(r.TableName()).Where("id = ?", r.ID).Update("ended_at", tx.NowMillis()).Error; err != nil {
			return err
		}
		if r.ExpiresAt <= tx.NowMillis() { // over already: nobody revoked it
			continue
		}
		if err := s.append(tx, ledger.Entry{Customer: r.Customer, Subject: r.ID, Kind: "session.revoked", Data: map[string]any{"person": r.Person}}); err != nil {
			return err
		}
	}
	return nil
}

// EndAccess ends every session and token of a person whom the scope reaches:
// for a lost laptop, or a person who leaves. Contacts' owners may do it for
// their people, staff for everybody.
func (s *Store) EndAccess(ctx context.Context, scope policy.Scope, person string) error {
	return wrap("end access", s.db.Write(ctx, func(tx *db.Tx) error {
		p, err := s.reached(tx, scope, person)
		if err != nil {
			return err
		}
		return s.endAccess(tx, p.ID, "")
	}))
}

func (s *Store) endAccess(tx *db.Tx, person, but string) error {
	if _, err := s.endOthers(tx, person, but); err != nil {
		return err
	}
	if err := tx.Where("person_id = ?", person).Delete(&linkRow{}).Error; err != nil {
		return err
	}
	var rows []tokenRow
	if err := tx.Where("person_id = ? AND revoked_at = 0", person).Order("id").Find(&rows).Error; err != nil {
		return err
	}
	return s.endTokens(tx, rows)
}

// reached returns a person whose credentials a scope may change: a contact of
// its customers, or staff and auditors where it reaches all.
func (s *Store) reached(tx *db.Tx, scope policy.Scope, id string) (Person, error) {
	p, err := s.personIn(tx, scope, id)
	if err == nil && p.Kind != controlplane.ActorContact && !scope.All() {
		return Person{}, controlplane.NotFound("person")
	}
	return p, err
}
