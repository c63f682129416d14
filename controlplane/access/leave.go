package access

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Leave ends everything that a person has, on every customer at once, and locks
// them out for good: one transaction, then one job to the cluster. Their sign-in
// here ends with it. Permission: access.write over all customers. Leaving again
// changes nothing. It returns from how many customers' lists they were taken.
func (s *Service) Leave(ctx context.Context, scope policy.Scope, person, why string) (customers int, err error) {
	if err := overAll(scope); err != nil {
		return 0, err
	}
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { customers, err = s.leave(tx, scope, person, why); return err })
	if err != nil {
		return 0, wrap("leave", err)
	}
	return customers, s.endSignIns(ctx)
}

func (s *Service) leave(tx *db.Tx, scope policy.Scope, person, why string) (int, error) {
	row, p, err := s.personFor(tx, scope, person)
	if err != nil || row.LeftAt != 0 {
		return 0, err
	}
	var c inputs
	if why = c.line("/why", why, maxReason, "Say why, in a sentence: it stands in the ledger."); c.err() != nil {
		return 0, c.err()
	}
	if row.StaffID != "" && row.StaffID == actorOf(tx.Context()).ID {
		return 0, controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to do it.", "Nobody takes themselves off every list")
	}
	row.LeftAt, row.UpdatedAt = tx.NowMillis(), tx.NowMillis()
	row.Version++
	if row.LeftWhy, err = s.seal(row.CustomerID, "access_persons", "left_why", row.ID, why); err != nil {
		return 0, err
	}
	if err := db.Save(tx, &row); err != nil {
		return 0, err
	}
	if err := s.endGrantsOf(tx, row.ID); err != nil {
		return 0, err
	}
	if err := endMemberships(tx, row.ID); err != nil {
		return 0, err
	}
	changes, err := s.settleQuietly(tx, part{Column: Listed, Persons: []string{row.ID}, Why: WhyLeft}, nil)
	if err != nil {
		return 0, err
	}
	if _, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Subject: row.ID, Kind: "person.left", Data: map[string]any{"staff": row.StaffID},
		Personal: map[string]string{"why": why, "name": p.Name}}); err != nil {
		return 0, err
	}
	p.LeftAt = tx.Now
	for _, left := range s.onLeave {
		if err := left(tx, p, why); err != nil {
			return 0, err
		}
	}
	if err := s.closePapers(tx, row.ID); err != nil {
		return 0, err
	}
	lists := map[string]bool{}
	for _, c := range changes {
		lists[c.Customer] = true
	}
	return len(lists), s.tell(tx, changes)
}

// endGrantsOf ends the grants that name a person; the lists are settled after.
func (s *Service) endGrantsOf(tx *db.Tx, person string) error {
	grants, err := grantsOfPerson(tx, person)
	if err != nil {
		return err
	}
	by := actorOf(tx.Context()).ID
	for _, g := range grants {
		if err := s.endRow(tx, &g, GrantRevoked, tx.NowMillis(), by, WhyLeft); err != nil {
			return err
		}
	}
	return nil
}

// closePapers closes the findings that papers of a person end.
func (s *Service) closePapers(tx *db.Tx, person string) error {
	papers, err := papersOf(tx, []string{person})
	if err != nil {
		return err
	}
	for _, p := range papers[person] {
		if p.Told == 0 || p.ReplacedAt != 0 {
			continue
		}
		if err := s.findings.Close(tx, paperFinding(p), "the person has left"); err != nil {
			return err
		}
	}
	return nil
}
