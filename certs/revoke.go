package certs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ostler/agents/wire"
	"ostler/certs/acme"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Reasons of revocations (RFC 5280, 5.3.1) that may be given.
const (
	reasonUnspecified = 0
	reasonKey         = 1
	reasonAffiliation = 3
	reasonSuperseded  = 4
	reasonCessation   = 5
)

func validRevocation(reason int) bool {
	switch reason {
	case reasonUnspecified, reasonKey, reasonAffiliation, reasonSuperseded, reasonCessation:
		return true
	}
	return false
}

type revokeParams struct {
	Issue  string `json:"issue"`
	Reason int    `json:"reason"`
}

// Revoke revokes what is installed (RFC 5280, 5.3.1: 0 unspecified, 1 key
// compromise, 3 affiliation changed, 4 superseded, 5 cessation of operation).
// It is renewed at once, but for 5, which pauses it. Permission: cert.write.
// Errors: conflict where nothing is installed, or it is revoked already.
func (s *Service) Revoke(ctx context.Context, scope policy.Scope, id string, reason int) (Certificate, error) {
	if !validRevocation(reason) {
		return Certificate{}, controlplane.Invalid(controlplane.Field{Pointer: "/reason", Message: "Choose 0 (unspecified), 1 (key compromise), 3 (affiliation changed), 4 (superseded) or 5 (cessation of operation)."})
	}
	if reason == reasonKey {
		return Certificate{}, controlplane.Invalid(controlplane.Field{Pointer: "/reason", Message: "A key that others know is blocked and replaced first: say that the key is compromised instead."})
	}
	return s.edit(ctx, scope, id, func(tx *db.Tx, row *certRow) error {
		switch {
		case row.IssueID == "":
			return controlplane.Errorf(controlplane.CodeConflict, "There is nothing to revoke yet.", "No certificate has been issued for these names")
		case row.RevokedAt > 0:
			return controlplane.Errorf(controlplane.CodeConflict, "Wait for the new one.", "This certificate is revoked already")
		}
		if err := s.revokeLater(tx, *row, row.IssueID, reason); err != nil {
			return err
		}
		return s.note(tx, *row, "certificate.revocation_asked", map[string]any{"serial": row.Serial, "reason": reason})
	})
}

// revokeLater has the plane revoke what an attempt brought.
func (s *Service) revokeLater(tx *db.Tx, cert certRow, issue string, reason int) error {
	_, err := s.jobs.Enqueue(tx, jobs.Spec{Kind: jobRevoke, Executor: jobs.Plane, Customer: cert.CustomerID, Key: jobRevoke + ":" + issue,
		Subject: cert.ID, Params: revokeParams{issue, reason}, MaxAttempts: 20, Title: "job.certificate_revoke"})
	if err != nil {
		return fmt.Errorf("certs: revoke: %w", err)
	}
	return nil
}

// revokeBlocked has all that was issued for keys which are blocked revoked, now
// that another one is served.
func (s *Service) revokeBlocked(tx *db.Tx, cert certRow, served issueRow) error {
	rows, err := company[issueRow](tx, "started_at, id", 0, "certificate_id = ? AND serial <> '' AND serial <> ? AND dry_run = 0 AND not_after > ? "+
		"AND spki IN (SELECT spki FROM cert_keys WHERE certificate_id = ? AND blocked_at > 0)", cert.ID, served.Serial, tx.NowMillis(), cert.ID)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, r := range rows {
		if done[r.Serial] {
			continue // installed twice, issued once
		}
		done[r.Serial] = true
		if err := s.revokeLater(tx, cert, r.ID, reasonKey); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) runRevoke(ctx context.Context, job jobs.Job) (any, error) {
	var p revokeParams
	if err := json.Unmarshal(job.Params, &p); err != nil {
		return nil, fmt.Errorf("certs: revoke: %w", err)
	}
	var row issueRow
	var ca authorityRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if row, err = db.One[issueRow](tx, forAttempts(), "attempt", p.Issue); err != nil {
			return err
		}
		ca, err = authorityIn(tx, row.AuthorityID)
		return err
	})
	if err != nil {
		return nil, err
	}
	leaf, err := leafOf(row.ChainPEM)
	if err != nil {
		return nil, err
	}
	acc, err := s.account(ctx, ca)
	if err == nil {
		err = acc.engine.Revoke(ctx, leaf.Raw, p.Reason)
	}
	var e *acme.Error
	if errors.As(err, &e) {
		switch e.Kind {
		case acme.KindRevoked:
			return p, nil
		case acme.KindUnreachable, acme.KindRateLimited:
			return nil, jobs.Fail(wire.CauseCA, controlplane.Line(e.Error(), maxDetail))
		}
		return nil, jobs.Fail(wire.CauseCARefused, controlplane.Line(e.Error(), maxDetail))
	}
	return p, err
}

// doneRevoke notes a revocation. Where it is of what is installed, a new one is
// asked for.
func (s *Service) doneRevoke(tx *db.Tx, job jobs.Job) error {
	p, ok := jobs.Result[revokeParams](job)
	if !ok {
		return nil // the job shows why, and is a finding where it is stuck
	}
	row, err := db.One[issueRow](tx, forAttempts(), "attempt", p.Issue)
	if err != nil {
		return err
	}
	cert, err := db.One[certRow](tx, forAttempts(), "certificate", row.CertificateID)
	if err != nil {
		return err
	}
	if err := s.note(tx, cert, "certificate.revoked", map[string]any{"issue": row.ID, "serial": row.Serial, "reason": p.Reason}); err != nil {
		return err
	}
	if cert.IssueID != row.ID || cert.RevokedAt > 0 {
		return nil
	}
	cert.RevokedAt, cert.RevokeReason = tx.NowMillis(), int64(p.Reason)
	if cert.EndedAt == 0 {
		cert.State = string(StateRevoked)
		cert.RenewAt, cert.RenewFrom, cert.NextTry = tx.NowMillis(), string(FromPerson), tx.NowMillis()
		if p.Reason == reasonCessation {
			cert.PausedUntil = Forever.UnixMilli()
		}
		if err := s.raise(tx, cert, findings.CertRevoked, findings.Bad, findings.Ops, nil); err != nil {
			return err
		}
		tx.AfterCommit(func() { s.opts.Bus.Publish(topicWatch) })
	}
	return saveCert(tx, &cert)
}

// Compromised says that the key of a certificate is known to others: the key is
// blocked, a new one is made, and the old certificate is revoked once the new
// one is served. Detail is how it is known. Permission: cert.admin. Errors:
// conflict where there is no key yet.
func (s *Service) Compromised(ctx context.Context, scope policy.Scope, id, detail string) (out Issue, err error) {
	if err := checkReason("/detail", detail, true); err != nil {
		return Issue{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		cert, err := db.One[certRow](tx, scope, "certificate", id)
		if err != nil {
			return err
		}
		if cert.SPKI == "" {
			return controlplane.Errorf(controlplane.CodeConflict, "Have it issued first.", "This certificate has no key yet")
		}
		if err := s.blockKeys(tx, cert); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Customer: cert.CustomerID, Server: cert.ServerID, Subject: cert.ID, Kind: "certificate.compromised",
			Data: map[string]any{"spki": cert.SPKI, "serial": cert.Serial}, Personal: personal(detail)}); err != nil {
			return err
		}
		if err := s.raise(tx, cert, findings.CertKeyBlocked, findings.Bad, findings.Ops, nil); err != nil {
			return err
		}
		if cert.EndedAt > 0 { // nothing takes its place: it is revoked now
			return s.revokeLater(tx, cert, cert.IssueID, reasonKey)
		}
		if cert.OpenIssue != "" {
			if err := s.cancelOpen(tx, &cert, Why{Code: WhyKeyBlocked}); err != nil {
				return err
			}
		}
		row, err := s.begin(tx, &cert, start{reason: ReasonCompromise, revokeOld: true, anew: true})
		if err != nil {
			return err
		}
		out, err = row.value()
		return err
	})
	return out, err
}

// blockKeys keeps the key in use, and those of rounds that are still on the
// host, from ever being used again.
func (s *Service) blockKeys(tx *db.Tx, cert certRow) error {
	rows, err := company[keyRow](tx, "round", 0, "certificate_id = ? AND blocked_at = 0", cert.ID)
	if err != nil {
		return err
	}
	for _, k := range rows {
		k.BlockedAt = tx.NowMillis()
		if err := db.Save(tx, &k); err != nil {
			return err
		}
	}
	return nil
}

// topicWatch has Watch look at once.
const topicWatch = "certificates"

// RollAccountKey gives our account at a CA a new key. Permission: cert.admin;
// scope must reach every customer. Errors: not_found, conflict where the
// account was not made yet, unavailable where the CA does not take it.
func (s *Service) RollAccountKey(ctx context.Context, scope policy.Scope, id string) (Authority, error) {
	if !scope.All() {
		return Authority{}, controlplane.NotFound("authority")
	}
	if err := s.keeper.EnsureKey(ctx, ""); err != nil {
		return Authority{}, fmt.Errorf("certs: roll: %w", err)
	}
	row, err := s.authority(ctx, id)
	if err != nil {
		return Authority{}, err
	}
	if row.AccountURL == "" {
		return Authority{}, controlplane.Errorf(controlplane.CodeConflict, "It is being made, or the authority has refused it: see the job that makes it. There is no need to change its key before.", "There is no account at this authority yet")
	}
	row, err = s.nextKey(ctx, row)
	if err != nil {
		return Authority{}, err
	}
	next, err := s.accountKey(row.ID, "next_key", row.NextKey)
	if err != nil {
		return Authority{}, err
	}
	acc, err := s.account(ctx, row)
	if err == nil {
		err = acc.engine.Rollover(ctx, next)
	}
	if err != nil && !s.rolledAlready(ctx, row, next) {
		return Authority{}, controlplane.Errorf(controlplane.CodeUnavailable, "Try again later: the new key is kept, and used once the authority takes it.", "The authority did not take the new key").Because(err)
	}
	return s.adoptKey(ctx, row, next)
}

// nextKey keeps a new account key beside the one in use, before the CA learns
// of it: whatever is killed, one of the two is right.
func (s *Service) nextKey(ctx context.Context, row authorityRow) (authorityRow, error) {
	if len(row.NextKey) > 0 {
		return row, nil
	}
	key, sealed, err := s.newAccountKey(row.ID, "next_key")
	if err != nil {
		return row, err
	}
	spki, err := spkiOf(key.Public())
	if err != nil {
		return row, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if row, err = authorityIn(tx, row.ID); err != nil || len(row.NextKey) > 0 {
			return err
		}
		row.NextKey = sealed
		if err := db.Insert(tx, &keyRow{SPKI: spki, CertificateID: row.ID, SeenAt: tx.NowMillis()}); err != nil {
			return err
		}
		return db.Save(tx, &row)
	})
	return row, err
}

// rolledAlready reports whether the CA knows the new key: the answer to an
// earlier change was lost.
func (s *Service) rolledAlready(ctx context.Context, row authorityRow, next cryptoSigner) bool {
	o := s.engineOptions(row, next)
	o.AccountURL = ""
	engine, err := s.open(ctx, o)
	if err != nil {
		return false
	}
	url, err := engine.Register(ctx, acme.Registration{Existing: true})
	return err == nil && url == row.AccountURL
}

// adoptKey takes the new account key into use.
func (s *Service) adoptKey(ctx context.Context, row authorityRow, next cryptoSigner) (out Authority, err error) {
	der, err := pkcs8(next)
	if err != nil {
		return out, err
	}
	sealed, err := s.keeper.Seal("", ad("cert_authorities", "account_key", row.ID), der)
	if err != nil {
		return out, fmt.Errorf("certs: roll: %w", err)
	}
	thumbprint, err := acme.Thumbprint(next.Public())
	if err != nil {
		return out, fmt.Errorf("certs: roll: %w", err)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := authorityIn(tx, row.ID)
		if err != nil {
			return err
		}
		if string(now.NextKey) != string(row.NextKey) {
			return controlplane.Errorf(controlplane.CodeConflict, "Look at the authority again.", "Somebody else has changed the key")
		}
		now.AccountKey, now.NextKey, now.Thumbprint = sealed, nil, thumbprint
		if err := db.Save(tx, &now); err != nil {
			return err
		}
		if err := s.restartAt(tx, row.ID); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Subject: row.ID, Kind: "authority.key_changed", Data: map[string]any{"thumbprint": thumbprint}}); err != nil {
			return err
		}
		out, err = authorityValue(tx, now)
		return err
	})
	return out, err
}

// restartAt begins attempts anew whose challenges the old account key answers.
func (s *Service) restartAt(tx *db.Tx, authority string) error {
	rows, err := company[issueRow](tx, "id", 0, "authority_id = ? AND ended_at = 0 AND serial = ''", authority)
	if err != nil {
		return err
	}
	for _, row := range rows {
		cert, err := db.One[certRow](tx, forAttempts(), "certificate", row.CertificateID)
		if err != nil {
			return err
		}
		if err := s.cancelOpen(tx, &cert, Why{Code: WhyChanged}); err != nil {
			return err
		}
		cert.NextTry = tx.Now.Add(time.Second).UnixMilli()
		if err := saveCert(tx, &cert); err != nil {
			return err
		}
	}
	return nil
}
