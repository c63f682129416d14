package incidents

import (
	"fmt"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

// What goes along where a case goes on in another: what customers are still to be
// told, tasks, actions, reports, and what waits for a second person. What data is
// kept for stays with the case that keeps it, and is told from there.

// takeAlong takes it along.
func (s *Service) takeAlong(tx *db.Tx, from, into caseRow) error {
	if err := s.ordersMoved(tx, from, into); err != nil {
		return err
	}
	tasks, err := ofCase[taskRow](tx, from.ID, "id")
	if err != nil {
		return err
	}
	for _, r := range tasks { // Watch speaks of them anew, with the other case's number
		if r.ToldAt == 0 || r.DoneAt > 0 {
			continue
		}
		if err := s.findings.Close(tx, taskFinding(r.ID), goesOn(into)); err != nil {
			return err
		}
	}
	if err := moveWork(tx, from.ID, into.ID); err != nil {
		return err
	}
	return s.secondMoved(tx, from, into)
}

func goesOn(into caseRow) string { return "it goes on in case " + into.numberOf() }

// ordersMoved takes along what customers are still to be told. That a customer was
// cleared in the one is not told to who is in the other.
func (s *Service) ordersMoved(tx *db.Tx, from, into caseRow) error {
	orders, err := ordersOf(tx, from.ID)
	if err != nil {
		return err
	}
	there, err := affectedMap(tx, into.ID)
	if err != nil {
		return err
	}
	for _, o := range orders {
		if o.Purpose == string(Freezing) {
			continue
		}
		if r := there[o.CustomerID]; o.Purpose == string(Withdrawal) && o.CustomerID != "" && r.State != string(Cleared) {
			if err := orderDone(tx, o.ID, tx.NowMillis()); err != nil {
				return err
			}
			data := map[string]any{"order": o.ID, "customer": o.CustomerID, "told": false}
			if err := s.enter(tx, into.ID, "incident.merged", data, map[string]string{"why": "They are in the case that it goes on in: nothing is taken back."}); err != nil {
				return err
			}
			continue
		}
		if err := moveOrder(tx, o.ID, into.ID); err != nil {
			return err
		}
	}
	return nil
}

// secondMoved asks for a second person in the case in which notices wait now, and no
// more in the one where they waited.
func (s *Service) secondMoved(tx *db.Tx, from, into caseRow) error {
	if err := s.noMoreAsked(tx, from.ID, "", ""); err != nil {
		return err
	}
	heads, err := noticeHeads(tx, into.ID)
	if err != nil {
		return err
	}
	waiting := slices.DeleteFunc(heads, func(r noticeRow) bool { return r.State != string(Waiting) })
	if len(waiting) == 0 {
		return nil
	}
	who, err := s.identity.NameIn(tx, waiting[0].Author)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		who, err = "Somebody", nil
	}
	if err != nil {
		return err
	}
	what, path := "a notice", "/incidents/notices/"+waiting[0].ID
	if n := len(waiting); n > 1 {
		what, path = fmt.Sprintf("%d notices", n), casePath(into.ID)+"/notices"
	}
	return s.findings.Raise(tx, findings.Finding{Key: secondKey(noticeRow{CaseID: into.ID}), Subject: into.ID, Kind: findings.IncidentSecond, Severity: findings.Warn, Owner: findings.Ops,
		Link: path, Args: map[string]string{"case": into.numberOf(), "what": what, "person": who}})
}

// countsSince is from when on what was said in a case goes along with it.
func (s *Service) countsSince(tx *db.Tx, from caseRow) (int64, error) {
	d, err := s.dossierIn(tx, everyone(), from.ID)
	if err != nil {
		return 0, err
	}
	return d.unmetSince(), nil
}
