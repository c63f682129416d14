package certs

import (
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

// narrowed pauses the certificates of a tenancy that have a name which is no
// longer the customer's there, and ends those of one that has ended.
func (s *Service) narrowed(tx *db.Tx, now customers.Tenancy) error {
	rows, err := company[certRow](tx, "id", 0, "tenancy_id = ? AND ended_at = 0", now.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !now.EndedAt.IsZero() {
			if err := s.endRow(tx, &row); err != nil {
				return err
			}
			continue
		}
		if err := s.coverAgain(tx, row, now); err != nil {
			return err
		}
	}
	return nil
}

// coverAgain pauses a certificate that is covered no more, and says when it is again.
func (s *Service) coverAgain(tx *db.Tx, row certRow, ten customers.Tenancy) error {
	names, err := row.names()
	if err != nil {
		return err
	}
	for _, n := range names {
		if covers(ten, n) {
			continue
		}
		if row.PausedUntil < Forever.UnixMilli() {
			if err := s.pauseRow(tx, &row, Forever, ""); err != nil {
				return err
			}
		}
		row.Why = encode(Why{Code: WhyNotCovered, Name: n})
		if err := saveCert(tx, &row); err != nil {
			return err
		}
		return s.raise(tx, row, findings.CertNotCovered, findings.Warn, findings.Ops, map[string]string{"name": n})
	}
	return s.findings.Close(tx, findingKey(findings.CertNotCovered, row.ID), "its names are the customer's sites again")
}
