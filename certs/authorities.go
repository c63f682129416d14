package certs

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"ostler/certs/acme"
	"ostler/certs/limits"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Authorities lists the certificate authorities, oldest first. Permission: cert.read.
func (s *Service) Authorities(ctx context.Context, scope policy.Scope) ([]Authority, error) {
	var out []Authority
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		out = nil
		rows, err := company[authorityRow](tx, "created_at, id", 0, "1 = 1")
		if err != nil {
			return err
		}
		for _, r := range rows {
			a, err := authorityValue(tx, r)
			if err != nil {
				return err
			}
			if !scope.All() { // a customer reads who signs, and nothing of our account
				a = Authority{ID: a.ID, Name: a.Name, Directory: a.Directory, Role: a.Role, CreatedAt: a.CreatedAt}
			}
			out = append(out, a)
		}
		return nil
	})
	return out, err
}

// authorityValue is a CA with what keeps all from it now.
func authorityValue(tx *db.Tx, r authorityRow) (Authority, error) {
	a := r.value()
	u, err := usage(tx, r.ID, []limits.Key{{Limit: limits.All}, {Limit: limits.NewOrders}}, false)
	if err != nil {
		return a, err
	}
	for _, st := range u {
		if st.BlockedUntil.After(tx.Now) && st.BlockedUntil.After(a.BlockedUntil) {
			a.BlockedUntil = st.BlockedUntil
			a.BlockedWhy = Why{Code: WhyRateLimited, Args: map[string]string{"authority": r.Name}, Detail: controlplane.Line(st.Said, maxDetail), Until: st.BlockedUntil}
		}
	}
	return a, nil
}

// Proposed is the authority that is proposed to whoever adds the first one: it
// is asked for nothing before.
func (s *Service) Proposed() NewAuthority { return s.opts.Proposed }

// AddAuthority makes a CA known and accepts its terms of service. A job makes
// our account there at once. Permission: cert.admin; scope must reach
// every customer. Errors: invalid with fields, conflict.
func (s *Service) AddAuthority(ctx context.Context, scope policy.Scope, in NewAuthority) (Authority, error) {
	if !scope.All() {
		return Authority{}, controlplane.NotFound("authority")
	}
	if err := in.check(); err != nil {
		return Authority{}, err
	}
	if err := s.keeper.EnsureKey(ctx, ""); err != nil {
		return Authority{}, fmt.Errorf("certs: add authority: %w", err)
	}
	row := authorityRow{ID: controlplane.NewID(controlplane.PrefixAuthority), Name: in.Name, Directory: in.Directory, Role: string(in.Role),
		Contact: in.Contact, Profile: in.Profile, RootsPEM: in.RootsPEM, EABKeyID: in.EABKeyID}
	key, sealed, err := s.newAccountKey(row.ID, "account_key")
	if err != nil {
		return Authority{}, err
	}
	row.AccountKey = sealed
	if row.Thumbprint, err = acme.Thumbprint(key.Public()); err != nil {
		return Authority{}, fmt.Errorf("certs: add authority: %w", err)
	}
	if in.EABKeyID != "" {
		if row.EABKey, err = s.keeper.Seal("", ad("cert_authorities", "eab_key", row.ID), []byte(in.EABKey)); err != nil {
			return Authority{}, fmt.Errorf("certs: add authority: %w", err)
		}
	}
	spki, err := spkiOf(key.Public())
	if err != nil {
		return Authority{}, err
	}
	var out Authority
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row.CreatedAt = tx.NowMillis()
		if err := insertAuthority(tx, row); err != nil {
			return err
		}
		if err := db.Insert(tx, &keyRow{SPKI: spki, CertificateID: row.ID, SeenAt: tx.NowMillis()}); err != nil {
			return err
		}
		if err := s.registerLater(tx, row.ID); err != nil {
			return err
		}
		if err := wakeNew(tx); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Subject: row.ID, Kind: "authority.added",
			Data: map[string]any{"name": row.Name, "directory": row.Directory, "role": row.Role, "profile": row.Profile, "terms_accepted": true}}); err != nil {
			return err
		}
		out, err = authorityValue(tx, row)
		return err
	})
	return out, err
}

func insertAuthority(tx *db.Tx, row authorityRow) error {
	there, err := company[authorityRow](tx, "id", 0, "1 = 1")
	if err != nil {
		return err
	}
	for _, o := range there {
		switch {
		case o.Name == row.Name:
			return controlplane.Invalid(controlplane.Field{Pointer: "/name", Message: "There is an authority of that name already: choose another name."})
		case o.Directory == row.Directory:
			return controlplane.Invalid(controlplane.Field{Pointer: "/directory", Message: "This directory is known already, as " + o.Name + "."})
		}
	}
	if err := oneRole(there, row); err != nil {
		return err
	}
	return db.Insert(tx, &row)
}

// oneRole keeps one authority in each role.
func oneRole(there []authorityRow, row authorityRow) error {
	for _, o := range there {
		if o.ID != row.ID && o.Role == row.Role {
			return controlplane.Errorf(controlplane.CodeConflict, "Change the role of that one first.", "%s is the %s authority already", o.Name, o.Role)
		}
	}
	return nil
}

func (in NewAuthority) check() error {
	var bad []controlplane.Field
	say := func(pointer, message string) {
		bad = append(bad, controlplane.Field{Pointer: pointer, Message: message})
	}
	if n := len(strings.TrimSpace(in.Name)); n == 0 || n > 100 || !plain(in.Name) {
		say("/name", "Give the authority a name of 1 to 100 characters that can be seen.")
	}
	if u, err := url.Parse(in.Directory); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(in.Directory) > 500 {
		say("/directory", "The directory is an https address, such as https://acme-v02.api.letsencrypt.org/directory.")
	}
	if !in.Role.Valid() {
		say("/role", "Choose “primary”, “fallback” or “staging”.")
	}
	if in.Contact != "" && !customers.ValidEmail(in.Contact) {
		say("/contact", "The contact is one e-mail address, or empty.")
	}
	if len(in.Profile) > 64 || strings.ContainsAny(in.Profile, " \t\n") {
		say("/profile", "A profile is one short word of the authority's own list, such as “tlsserver”.")
	}
	if len(in.RootsPEM) > 0 && (len(in.RootsPEM) > 64<<10 || !x509.NewCertPool().AppendCertsFromPEM(in.RootsPEM)) {
		say("/roots_pem", "The roots are certificates in PEM.")
	}
	if (in.EABKeyID == "") != (in.EABKey == "") {
		say("/eab_key", "External account binding needs both: the key's id and the key.")
	} else if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(in.EABKey, "=")); err != nil {
		say("/eab_key", "The key is base64url, as the authority shows it.")
	}
	if bad != nil {
		return controlplane.Invalid(bad...)
	}
	return nil
}

// UpdateAuthority changes what we say of a CA. Permission: cert.admin; scope
// must reach every customer. Errors: invalid with fields, not_found, conflict.
func (s *Service) UpdateAuthority(ctx context.Context, scope policy.Scope, id string, in AuthorityChange) (Authority, error) {
	if !scope.All() {
		return Authority{}, controlplane.NotFound("authority")
	}
	var out Authority
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := authorityIn(tx, id)
		if err != nil {
			return err
		}
		for _, f := range []struct{ to, from *string }{{&row.Name, in.Name}, {&row.Contact, in.Contact}, {&row.Profile, in.Profile}, {&row.Role, (*string)(in.Role)}} {
			if f.from != nil {
				*f.to = *f.from
			}
		}
		if err := (NewAuthority{Name: row.Name, Directory: row.Directory, Role: AuthorityRole(row.Role), Contact: row.Contact, Profile: row.Profile}).check(); err != nil {
			return err
		}
		there, err := company[authorityRow](tx, "id", 0, "1 = 1")
		if err != nil {
			return err
		}
		if err := oneRole(there, row); err != nil {
			return err
		}
		if err := db.Save(tx, &row); err != nil {
			if db.IsDuplicate(err) {
				return controlplane.Invalid(controlplane.Field{Pointer: "/name", Message: "There is an authority of that name already: choose another name."})
			}
			return err
		}
		if err := wakeNew(tx); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Subject: id, Kind: "authority.changed", Data: map[string]any{"name": row.Name, "role": row.Role, "profile": row.Profile}}); err != nil {
			return err
		}
		out, err = authorityValue(tx, row)
		return err
	})
	return out, err
}

// choose is the CA for an attempt: the staging one for a dry run, the fall-back
// where the primary has failed for long, else the certificate's own or the
// primary one. ok is false where there is none.
func (s *Service) choose(tx *db.Tx, cert certRow, dry bool) (row authorityRow, ok bool, err error) {
	rows, err := company[authorityRow](tx, "created_at, id", 0, "1 = 1")
	if err != nil {
		return row, false, err
	}
	role := RolePrimary
	switch long := cert.FailingSince > 0 && tx.NowMillis()-cert.FailingSince >= s.opts.FallbackAfter.Milliseconds(); {
	case dry:
		role = RoleStaging
	case long && fallsBack(cert):
		role = RoleFallback
	}
	for _, r := range rows {
		if cert.AuthorityID != "" && role == RolePrimary && r.ID == cert.AuthorityID || (cert.AuthorityID == "" || role != RolePrimary) && r.Role == string(role) {
			return r, true, nil
		}
	}
	if role == RoleFallback {
		cert.FailingSince = 0
		return s.choose(tx, cert, dry)
	}
	return row, false, nil
}

// fallsBack reports whether another CA could do better: what is wrong with the
// names themselves is wrong there too.
func fallsBack(cert certRow) bool {
	why, err := decode[Why](cert.Why)
	return err == nil && !strings.HasPrefix(why.Code, "preflight_")
}
