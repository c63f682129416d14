package certs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// maxOfTenancy bounds the certificates of one tenancy.
const maxOfTenancy = 20_000

// Create has a set of names looked after: the first attempt begins at once.
// Permission: cert.write. Errors: invalid with fields, not_found, conflict.
func (s *Service) Create(ctx context.Context, scope policy.Scope, in NewCertificate) (Certificate, error) {
	return s.create(ctx, scope, in, ReasonNew, "")
}

// create is Create; found is what it takes the place of.
func (s *Service) create(ctx context.Context, scope policy.Scope, in NewCertificate, reason Reason, found string) (Certificate, error) {
	ten, err := s.customers.GetTenancy(ctx, scope, in.Tenancy)
	if err != nil {
		return Certificate{}, err
	}
	if err := s.keeper.EnsureKey(ctx, ten.Customer); err != nil {
		return Certificate{}, fmt.Errorf("certs: create: %w", err)
	}
	in = in.filled()
	var out Certificate
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		ten, err := s.customers.TenancyIn(tx, scope, in.Tenancy)
		if err != nil {
			return err
		}
		if err := s.check(tx, scope, ten, in); err != nil {
			return err
		}
		row := certRow{ID: controlplane.NewID(controlplane.PrefixCertificate), CustomerID: ten.Customer, TenancyID: ten.ID, ServerID: ten.Server,
			State: string(StateNew), Seen: "[]", FoundID: found, Version: 1, CreatedAt: tx.NowMillis(), NextTry: tx.NowMillis()}
		in.fill(&row)
		if err := s.insertCert(tx, &row, in.Names); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: "certificate.created",
			Data: settings(row, in.Names)}); err != nil {
			return err
		}
		if found != "" {
			if err := s.noteTaken(tx, found, row.ID); err != nil {
				return err
			}
		}
		if _, err := s.begin(tx, &row, start{reason: reason}); err != nil {
			return err
		}
		out, err = s.value(row)
		return err
	})
	return out, err
}

// settings are what a person says of a certificate, for the ledger.
func settings(row certRow, names []string) map[string]any {
	return map[string]any{"names": anyList(names), "key": row.KeyType, "challenge": row.Challenge, "provider": row.ProviderID,
		"authority": row.AuthorityID, "profile": row.Profile, "services": row.Services, "endpoints": row.Endpoints}
}

func anyList(in []string) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

func (s *Service) insertCert(tx *db.Tx, row *certRow, names []string) error {
	n, err := count[certRow](tx, "tenancy_id = ? AND ended_at = 0", row.TenancyID)
	if err != nil {
		return err
	}
	if n >= maxOfTenancy {
		return controlplane.Errorf(controlplane.CodeConflict, "End some of them first.", "This customer has %d certificates on this server already", n)
	}
	base := strings.Replace(names[0], "*", "_wildcard", 1)
	if len(base) > 100 {
		base = base[:100]
	}
	row.Folder = base
	taken, err := count[certRow](tx, "server_id = ? AND folder = ?", row.ServerID, base)
	if err != nil {
		return err
	}
	if taken > 0 { // a name of its own for ever: what is in the other folder is not touched
		row.Folder = base + "-" + strings.TrimPrefix(row.ID, controlplane.PrefixCertificate)
	}
	if err := saveNew(tx, row); err != nil {
		return err
	}
	return insertNames(tx, *row, names)
}

func insertNames(tx *db.Tx, row certRow, names []string) error {
	for _, n := range names {
		if err := db.Insert(tx, &nameRow{CertificateID: row.ID, CustomerID: row.CustomerID, Name: n}); err != nil {
			return err
		}
	}
	return nil
}

// filled is the input with its defaults, its names as they are kept.
func (in NewCertificate) filled() NewCertificate {
	if in.Key == "" {
		in.Key = wire.KeyP256
	}
	if in.Challenge == "" {
		in.Challenge = ChallengeAgent
	}
	names := make([]string, len(in.Names))
	for i, n := range in.Names {
		names[i] = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(n)), ".")
	}
	in.Names = names
	return in
}

// fill writes the input into a row.
func (in NewCertificate) fill(row *certRow) {
	row.Names, row.KeyType, row.Challenge, row.ProviderID = encode(in.Names), string(in.Key), string(in.Challenge), in.Provider
	row.AuthorityID, row.Profile = in.Authority, in.Profile
	row.Services, row.Endpoints = encode(append([]wire.Service{}, in.Services...)), encode(append([]Endpoint{}, in.Endpoints...))
}

// plain reports whether s shows as what it is: no control characters, and no
// marks that turn the direction of text.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) })
}

// Update changes a certificate. Permission: cert.write. Errors: invalid with
// fields, not_found, conflict where somebody changed it since.
func (s *Service) Update(ctx context.Context, scope policy.Scope, id string, in CertificateChange) (Certificate, error) {
	var out Certificate
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[certRow](tx, scope, "certificate", id)
		if err != nil {
			return err
		}
		if err := live(row); err != nil {
			return err
		}
		if in.Version != 0 && in.Version != row.Version {
			return controlplane.Errorf(controlplane.CodeConflict, "Read it again and make your change anew.", "Somebody has changed this certificate since you read it")
		}
		ten, err := s.customers.TenancyIn(tx, scope, row.TenancyID)
		if err != nil {
			return err
		}
		now, err := merged(row, in)
		if err != nil {
			return err
		}
		if err := s.check(tx, scope, ten, now); err != nil {
			return err
		}
		out, err = s.change(tx, row, now)
		return err
	})
	return out, err
}

// merged is what the row says with a change over it.
func merged(row certRow, in CertificateChange) (NewCertificate, error) {
	c, err := row.value()
	if err != nil {
		return NewCertificate{}, err
	}
	out := NewCertificate{Tenancy: c.Tenancy, Names: c.Names, Key: c.Key, Challenge: c.Challenge, Provider: c.Provider, Authority: c.Authority,
		Profile: c.Profile, Services: c.Services, Endpoints: c.Endpoints}
	set(&out.Names, in.Names)
	set(&out.Key, in.Key)
	set(&out.Challenge, in.Challenge)
	set(&out.Provider, in.Provider)
	set(&out.Authority, in.Authority)
	set(&out.Profile, in.Profile)
	set(&out.Services, in.Services)
	set(&out.Endpoints, in.Endpoints)
	return out.filled(), nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// change writes a checked change, and has the certificate issued anew where its
// names or its key's kind are others.
func (s *Service) change(tx *db.Tx, row certRow, in NewCertificate) (Certificate, error) {
	before := row
	in.fill(&row)
	row.Version++
	row.UpdatedAt = tx.NowMillis()
	anew := before.Names != row.Names || before.KeyType != row.KeyType
	if before.Names != row.Names {
		if err := remove[nameRow](tx, "certificate_id = ?", row.ID); err != nil {
			return Certificate{}, err
		}
		if err := insertNames(tx, row, in.Names); err != nil {
			return Certificate{}, err
		}
	}
	row.LookAt = tx.NowMillis()
	if _, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Server: row.ServerID, Subject: row.ID, Kind: "certificate.changed",
		Data: settings(row, in.Names)}); err != nil {
		return Certificate{}, err
	}
	if anew && row.OpenIssue != "" {
		if err := s.cancelOpen(tx, &row, Why{Code: WhyChanged}); err != nil {
			return Certificate{}, err
		}
	}
	if anew || row.State == string(StateNew) && row.OpenIssue == "" {
		reason := ReasonNames
		if row.IssuedRound == 0 {
			reason = ReasonNew
		}
		row.NextTry, row.Attempts, row.FailingSince = tx.NowMillis(), 0, 0
		if _, err := s.begin(tx, &row, start{reason: reason}); err != nil {
			return Certificate{}, err
		}
	} else if err := saveCert(tx, &row); err != nil {
		return Certificate{}, err
	}
	return s.value(row)
}

// live refuses what can no longer be changed.
func live(row certRow) error {
	if row.EndedAt != 0 {
		return controlplane.Errorf(controlplane.CodeConflict, "Create a new one for these names.", "This certificate is looked after no more")
	}
	return nil
}

// covers reports whether a name belongs to a tenancy: one of its sites, or a
// wildcard over one.
func covers(ten customers.Tenancy, name string) bool {
	return slices.Contains(ten.Sites, name) || strings.HasPrefix(name, "*.") && slices.Contains(ten.Sites, name[2:])
}
