package access

import (
	"fmt"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// Templates of mail about grants.
const (
	mailApprove  = "access.approve"  // args who, role, reason, until, by
	mailReviewed = "access.reviewed" // args who, result
)

// askCustomer writes to the owners that a grant waits for their answer.
func (s *Service) askCustomer(tx *db.Tx, r grantRow, reason string) error {
	c, who, err := s.ofGrant(tx, r)
	if err != nil {
		return err
	}
	at := func(ms int64) string { return instantWords(controlplane.FromMillis(ms), c) }
	_, err = s.writeOwners(tx, r.CustomerID, Letter{Key: fmt.Sprint(mailApprove, ":", r.ID, ":", r.Version), Template: mailApprove, Path: "/access/grants/" + r.ID, Subject: r.ID,
		Args: map[string]string{"who": who, "role": r.Role, "reason": reason, "until": at(r.UntilAt), "by": at(r.AnswerBy)}})
	return err
}

// tellReviewed writes to the owners what the review of an emergency access found.
func (s *Service) tellReviewed(tx *db.Tx, r grantRow, note string) error {
	_, who, err := s.ofGrant(tx, r)
	if err != nil {
		return err
	}
	_, err = s.writeOwners(tx, r.CustomerID, Letter{Key: mailReviewed + ":" + r.ID, Template: mailReviewed, Path: "/access", Subject: r.ID,
		Args: map[string]string{"who": who, "result": note}})
	return err
}

// ofGrant returns the customer's zone, and the names of those a grant is for.
func (s *Service) ofGrant(tx *db.Tx, r grantRow) (*time.Location, string, error) {
	c, err := s.customers.CustomerIn(tx, everyone(), r.CustomerID)
	if err != nil {
		return nil, "", err
	}
	persons, err := s.personsOf(tx, r)
	if err != nil {
		return nil, "", err
	}
	ids := make([]string, len(persons))
	for i, p := range persons {
		ids[i] = p.ID
	}
	byID, err := s.namesIn(tx, ids)
	if err != nil {
		return nil, "", err
	}
	var names []string
	for _, id := range ids {
		names = append(names, byID[id])
	}
	return zoneOf(c), strings.Join(names, ", "), nil
}
