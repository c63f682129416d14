package incidents

import (
	"context"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// assert writes somebody's word about awareness, in the actor's name, and returns
// it as it is kept.
func (s *Service) assert(tx *db.Tx, row caseRow, a law.Assertion) (law.Assertion, error) {
	a.ID, a.By, a.RecordedAt = controlplane.NewID(controlplane.PrefixAssertion), actorOf(tx.Context()).ID, tx.Now
	r := assertionRow{ID: a.ID, CaseID: row.ID, CustomerID: a.Customer, Certainty: string(a.Certainty), At: a.At.UnixMilli(), ByID: a.By, RecordedAt: tx.NowMillis(), Supersedes: a.Supersedes}
	var err error
	if r.Ground, err = s.seal(keyOf(a.Customer), "incident_assertions", "ground", a.ID, a.Ground); err != nil {
		return a, err
	}
	if err := db.Insert(tx, &r); err != nil {
		return a, err
	}
	kind := "incident.asserted"
	data := map[string]any{"assertion": a.ID, "certainty": string(a.Certainty), "aware": controlplane.Instant(a.At)}
	if a.Customer != "" {
		data[subjectOf(a.Customer)] = a.Customer
	}
	if a.Supersedes != "" {
		kind, data["supersedes"] = "incident.corrected", a.Supersedes
	}
	return a, s.enter(tx, row.ID, kind, data, map[string]string{"ground": a.Ground})
}

// keyOf is with whose key the ground of an assertion is sealed: what is about no
// customer, with the company's.
func keyOf(customer string) string {
	if customer == law.TheIncident {
		return ""
	}
	return customer
}

// subjectOf is what the ledger calls whom an assertion is about.
func subjectOf(customer string) string {
	if customer == law.TheIncident {
		return "subject"
	}
	return "customer"
}

// Assert adds somebody's word about awareness: of the case as a whole, of the
// incident itself (law.TheIncident), or of one customer's part. A correction to an earlier time counts at once; one to a later
// time, or from certain to suspected, once another person confirms it. Who is
// said to be certainly affected is so in the case. Permission: incident.write.
// Errors: invalid, not found, conflict where the case does not go on.
func (s *Service) Assert(ctx context.Context, scope policy.Scope, id string, in NewAssertion) (out Case, err error) {
	if !in.Certainty.Valid() {
		return out, invalid("/certainty", "Say suspected or certain.")
	}
	ground, err := textField("/ground", in.Ground, maxPassage, true)
	if err != nil {
		return out, err
	}
	if in.Customer != "" {
		if err := s.ready(ctx, keyOf(in.Customer)); err != nil {
			return out, err
		}
	}
	return s.change(ctx, scope, id, "assert", func(tx *db.Tx, row *caseRow, _ *caseData) ([]string, error) {
		at, err := s.awareWhen("/aware", in.Aware, zoneNamed(row.Zone), tx.Now)
		if err != nil {
			return nil, err
		}
		a := law.Assertion{Customer: in.Customer, Certainty: in.Certainty, At: at, Ground: ground, Supersedes: in.Supersedes}
		if err := s.mayAssert(tx, *row, a); err != nil {
			return nil, err
		}
		if a, err = s.assert(tx, *row, a); err != nil || keyOf(a.Customer) == "" {
			return nil, err
		}
		return s.stateByWord(tx, *row, a)
	})
}

// mayAssert refuses words about nobody in the case, and corrections of nothing.
func (s *Service) mayAssert(tx *db.Tx, row caseRow, a law.Assertion) error {
	if keyOf(a.Customer) != "" {
		all, err := affectedMap(tx, row.ID)
		if err != nil {
			return err
		}
		if r, ok := all[a.Customer]; !ok || r.RemovedAt > 0 {
			return invalid("/customer", "This customer is not in the case. Put them into it first.")
		}
	}
	if a.Supersedes == "" {
		return nil
	}
	rows, err := assertionRows(tx, row.ID)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(rows, func(r assertionRow) bool { return r.ID == a.Supersedes && r.CustomerID == a.Customer }) {
		return invalid("/supersedes", "There is no such assertion about this.")
	}
	return nil
}

// stateByWord has a customer be certain in a case by somebody's word. A
// correction of a word changes no state.
func (s *Service) stateByWord(tx *db.Tx, row caseRow, a law.Assertion) ([]string, error) {
	all, err := affectedMap(tx, row.ID)
	r := all[a.Customer]
	if err != nil || a.Certainty != law.Certain || r.State == string(Certain) {
		return []string{a.Customer}, err
	}
	r.State, r.ClearedAt, r.ClearedWhy = string(Certain), 0, nil
	if r.History, err = withState(r.History, stateAt{At: tx.NowMillis(), State: Certain}); err != nil {
		return nil, err
	}
	if err := db.Save(tx, &r); err != nil {
		return nil, err
	}
	return []string{a.Customer}, s.enter(tx, row.ID, "incident.affected", map[string]any{"customers": 1, "state": string(Certain), "first": []string{a.Customer}}, nil)
}

// ConfirmAssertion confirms a correction to a later time, as another person: from
// then on it counts. Permission: incident.write. Errors: not found, forbidden for
// whoever made it, conflict where it needs nobody.
func (s *Service) ConfirmAssertion(ctx context.Context, scope policy.Scope, id, assertion string) (Case, error) {
	return s.change(ctx, scope, id, "confirm assertion", func(tx *db.Tx, row *caseRow, _ *caseData) ([]string, error) {
		rows, err := assertionRows(tx, row.ID)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(rows, func(r assertionRow) bool { return r.ID == assertion })
		if i < 0 {
			return nil, controlplane.NotFound("assertion")
		}
		all := make([]law.Assertion, len(rows))
		for j, r := range rows {
			all[j] = law.Assertion{ID: r.ID, Customer: r.CustomerID, Certainty: law.Certainty(r.Certainty), At: controlplane.FromMillis(r.At), By: r.ByID, Supersedes: r.Supersedes}
		}
		actor := actorOf(ctx)
		switch {
		case rows[i].ConfirmedBy != "":
			return nil, conflict("There is nothing to do.", "It is confirmed already")
		case !law.NeedsSecond(all[i], all):
			return nil, conflict("There is nothing to do.", "It counts without a second person")
		case actor.ID == rows[i].ByID || actor.Kind != controlplane.ActorStaff:
			return nil, controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to confirm it.", "Whoever corrected it cannot confirm it")
		}
		rows[i].ConfirmedBy, rows[i].ConfirmedAt = actor.ID, tx.NowMillis()
		if err := db.Save(tx, &rows[i]); err != nil {
			return nil, err
		}
		data := map[string]any{"assertion": assertion, "confirmed": true, "aware": controlplane.Instant(all[i].At)}
		if keyOf(rows[i].CustomerID) == "" {
			return nil, s.enter(tx, row.ID, "incident.corrected", data, nil)
		}
		data["customer"] = rows[i].CustomerID
		return []string{rows[i].CustomerID}, s.enter(tx, row.ID, "incident.corrected", data, nil)
	})
}
