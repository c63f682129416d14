package certs

import (
	"fmt"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

func findingKey(kind, cert string) string { return kind + ":" + cert }

// label is a certificate's names as a sentence has them: the first, and how
// many there are besides.
func label(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}

// raise opens a finding about a certificate.
func (s *Service) raise(tx *db.Tx, cert certRow, kind string, severity findings.Severity, owner findings.Owner, args map[string]string) error {
	names, err := cert.names()
	if err != nil {
		return err
	}
	all := map[string]string{"names": label(names)}
	takes := findings.Args(kind)
	for k, v := range args {
		all[k] = v
	}
	for _, k := range takes {
		if k == "server" {
			srv, err := s.customers.ServerIn(tx, forAttempts(), cert.ServerID)
			if err != nil {
				return err
			}
			all["server"] = srv.Name
		}
	}
	return s.findings.Raise(tx, findings.Finding{Key: findingKey(kind, cert.ID), Customer: cert.CustomerID, Server: cert.ServerID, Subject: cert.ID,
		Kind: kind, Severity: severity, Owner: owner, Link: "/certificates/" + cert.ID, Args: all})
}

// raiseFailed tells of an attempt that came to nothing. The first failure of
// something that has long to go is tried again before anybody is called.
func (s *Service) raiseFailed(tx *db.Tx, cert certRow, row issueRow, why Why) error {
	left := controlplane.FromMillis(cert.NotAfter).Sub(tx.Now)
	if cert.NotAfter > 0 && cert.Attempts < 2 && !cert.ends(tx.Now) && row.State != string(IssueRolledBack) {
		return nil
	}
	severity := findings.Warn
	if cert.NotAfter > 0 && left < 3*24*time.Hour {
		severity = findings.Bad
	}
	owner := findings.Ops
	cause, next := why.Text("en")
	args := map[string]string{"because": cause, "count": fmt.Sprint(cert.Attempts)}
	if ofNames(why.Code) {
		owner = findings.OfCustomer
		args["change"] = next
	}
	if row.State == string(IssueRolledBack) || why.Code == WhyNotServed {
		return s.raise(tx, cert, findings.CertNotServed, findings.Bad, findings.Ops, map[string]string{"because": cause, "address": why.Args["address"]})
	}
	return s.raise(tx, cert, findings.CertFailed, severity, owner, args)
}

// ofNames reports whether what is wrong is wrong with the names' DNS: the
// customer's to change.
func ofNames(code string) bool {
	return strings.HasPrefix(code, "preflight_") || code == WhyValidation
}

// closeFindings closes what a served certificate has put right.
func (s *Service) closeFindings(tx *db.Tx, cert certRow) error {
	for _, kind := range []string{findings.CertFailed, findings.CertNotServed, findings.CertExpiring, findings.CertRevoked, findings.CertKeyBlocked} {
		if err := s.findings.Close(tx, findingKey(kind, cert.ID), "a new certificate is served"); err != nil {
			return err
		}
	}
	return nil
}

// closeAll closes every finding of a certificate.
func (s *Service) closeAll(tx *db.Tx, cert certRow, because string) error {
	for _, kind := range []string{findings.CertFailed, findings.CertNotServed, findings.CertExpiring, findings.CertRevoked, findings.CertKeyBlocked,
		findings.CertNotCovered, findings.CertRenewer} {
		if err := s.findings.Close(tx, findingKey(kind, cert.ID), because); err != nil {
			return err
		}
	}
	return nil
}
