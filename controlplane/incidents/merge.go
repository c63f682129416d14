package incidents

import (
	"context"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// part is what of a case goes to another one.
type part struct {
	from, into caseRow
	servers    []string
	customers  []affectedRow
	assertions []assertionRow
}

// Merge has a case go on in another: the earliest awareness of both counts, and
// what was told in the one was told in the other. Permission: incident.write.
// Errors: invalid, not found, conflict where either does not go on, or only one is a drill.
func (s *Service) Merge(ctx context.Context, scope policy.Scope, id, into, why string) (out Case, err error) {
	if why, err = textField("/why", why, maxPassage, true); err != nil {
		return out, err
	}
	if err := s.readyForAll(ctx, scope, id); err != nil {
		return out, wrap("merge", err)
	}
	return s.change(ctx, scope, into, "merge", func(tx *db.Tx, row *caseRow, d *caseData) ([]string, error) {
		from, err := caseRowIn(tx, scope, id)
		switch {
		case err != nil:
			return nil, err
		case from.ID == row.ID:
			return nil, invalid("/into", "This is the same case.")
		case State(from.State) != Open:
			return nil, wrongState(from)
		case from.Drill != row.Drill:
			return nil, conflict("Keep the exercise apart.", "One of the two is an exercise")
		}
		was, err := s.dataOf(from)
		if err != nil {
			return nil, err
		}
		p := part{from: from, into: *row}
		if err := s.allOf(tx, &p); err != nil {
			return nil, err
		}
		if err := s.mootAsked(tx, row.ID, "another case goes on in this one", ""); err != nil {
			return nil, err
		}
		touched, err := s.bring(tx, p)
		if err != nil {
			return nil, err
		}
		if err := s.moveNotices(tx, from.ID, row.ID, from.ClockFrom); err != nil {
			return nil, err
		}
		if err := s.takeAlong(tx, from, *row); err != nil {
			return nil, err
		}
		before, err := s.dossierIn(tx, everyone(), row.ID)
		if err != nil {
			return nil, err
		}
		widen(row, d, from, was, tx.NowMillis())
		before.becameSignificant(d)
		return touched, s.merged(tx, from, was, *row, why)
	})
}

// merged ends the case that goes on in another.
func (s *Service) merged(tx *db.Tx, from caseRow, was caseData, into caseRow, why string) error {
	from.State, from.MergedInto, from.ClosedAt, was.ClosedWhy = string(Merged), into.ID, tx.NowMillis(), why
	if err := s.mootAsked(tx, from.ID, "the case goes on in another one"); err != nil {
		return err
	}
	if err := s.saveCase(tx, &from, was); err != nil {
		return err
	}
	if err := s.recount(tx, from.ID); err != nil {
		return err
	}
	words := map[string]string{"why": why}
	if err := s.enter(tx, from.ID, "incident.merged", map[string]any{"into": into.ID}, words); err != nil {
		return err
	}
	return s.enter(tx, into.ID, "incident.merged", map[string]any{"from": from.ID}, map[string]string{"why": why})
}

// readyForAll makes the keys of all customers in a case.
func (s *Service) readyForAll(ctx context.Context, scope policy.Scope, ref string) error {
	var ids []string
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := caseRowIn(tx, scope, ref)
		if err != nil {
			return err
		}
		rows, err := affectedRows(tx, row.ID)
		ids = nil
		for _, r := range rows {
			ids = append(ids, r.CustomerID)
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.ready(ctx, ids...)
}

// allOf takes everything of a case that counts for its clocks.
func (s *Service) allOf(tx *db.Tx, p *part) error {
	servers, err := serverRows(tx, p.from.ID, false)
	if err != nil {
		return err
	}
	for _, v := range servers {
		p.servers = append(p.servers, v.ServerID)
	}
	if p.customers, err = affectedRows(tx, p.from.ID); err != nil {
		return err
	}
	since, err := s.countsSince(tx, p.from)
	if err != nil {
		return err
	}
	rows, err := assertionRows(tx, p.from.ID)
	for _, a := range rows {
		if max(a.RecordedAt, a.BroughtAt) >= since {
			p.assertions = append(p.assertions, a)
		}
	}
	return err
}

// bring copies a part of a case into another: the one that it came from keeps its
// history. It returns the customers.
func (s *Service) bring(tx *db.Tx, p part) (touched []string, err error) {
	if err := s.addServers(tx, p.into, p.servers); err != nil {
		return nil, err
	}
	there, err := affectedMap(tx, p.into.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range p.customers {
		if err := s.bringCustomer(tx, p, r, there); err != nil {
			return nil, err
		}
		touched = append(touched, r.CustomerID)
	}
	if err := s.bringTheirs(tx, p); err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, a := range p.assertions {
		ids[a.ID] = controlplane.NewID(controlplane.PrefixAssertion)
	}
	for _, a := range p.assertions {
		ground, err := s.open(keyOf(a.CustomerID), "incident_assertions", "ground", a.ID, a.Ground)
		if err != nil {
			return nil, err
		}
		a.ID, a.CaseID, a.Supersedes, a.BroughtAt = ids[a.ID], p.into.ID, ids[a.Supersedes], tx.NowMillis()
		if a.Ground, err = s.seal(keyOf(a.CustomerID), "incident_assertions", "ground", a.ID, ground); err != nil {
			return nil, err
		}
		if err := db.Insert(tx, &a); err != nil {
			return nil, err
		}
	}
	return touched, nil
}

// bringCustomer has a customer be in another case as surely as in either.
func (s *Service) bringCustomer(tx *db.Tx, p part, r affectedRow, there map[string]affectedRow) error {
	now := tx.NowMillis()
	because, err := s.open(r.CustomerID, "incident_affected", "because", p.from.ID, r.Because)
	if err != nil {
		return err
	}
	why, err := s.open(r.CustomerID, "incident_affected", "cleared_why", p.from.ID, r.ClearedWhy)
	if err != nil {
		return err
	}
	to, ok := there[r.CustomerID]
	was := to.History
	rank := map[string]int{string(Certain): 3, string(Possible): 2, string(Cleared): 1}
	if !ok || to.RemovedAt > 0 || rank[r.State] > rank[to.State] {
		r.Servers = joined(distinct(append(parted[string](r.Servers), parted[string](to.Servers)...)))
		if ok && to.RemovedAt == 0 {
			r.AddedAt = min(r.AddedAt, to.AddedAt)
		}
		if r.AddedAt <= p.from.OpenedAt {
			r.AddedAt = min(r.AddedAt, p.into.OpenedAt) // in it from the beginning: awareness of both counts
		}
		to = r
		to.CaseID = p.into.ID
	} else {
		to.Servers = joined(distinct(append(parted[string](to.Servers), parted[string](r.Servers)...)))
		if to.History, err = historyBrought(was, r, "", p.from.ClockFrom, now); err != nil {
			return err
		}
		return db.Upsert(tx, &to, "case_id", "customer_id")
	}
	if to.History, err = historyBrought(was, r, AffectedState(r.State), p.from.ClockFrom, now); err != nil {
		return err
	}
	if to.Because, err = s.seal(r.CustomerID, "incident_affected", "because", p.into.ID, because); err != nil {
		return err
	}
	if to.ClearedWhy, err = s.seal(r.CustomerID, "incident_affected", "cleared_why", p.into.ID, why); err != nil {
		return err
	}
	return db.Upsert(tx, &to, "case_id", "customer_id")
}

// historyBrought adds to a customer's history in a case, from now, what came with them
// from another one: their state unless "", and since when they say that they knew, as it
// was written down there since an instant. What was known here before stays what was known.
func historyBrought(history string, r affectedRow, state AffectedState, since, now int64) (string, error) {
	var more []stateAt
	if at, by := knewLast(r.History, now, since); at > 0 {
		more = append(more, stateAt{At: now, TheyKnew: at, By: by})
	}
	if state != "" {
		more = append(more, stateAt{At: now, State: state})
	}
	if len(more) == 0 {
		return history, nil
	}
	return withState(history, more...)
}

// Split makes a case of its own of a part of another; their clocks run on in it.
// Servers take those tenants along who are on no other server of the case; who is
// on both stays unless they are named. Permission: incident.write. Errors:
// invalid, not found, conflict where the case does not go on.
func (s *Service) Split(ctx context.Context, scope policy.Scope, id string, in SplitOff) (out Case, err error) {
	title, err1 := textField("/title", in.Title, maxTitle, true)
	why, err2 := textField("/why", in.Why, maxPassage, true)
	if err := joinFields([]error{err1, err2}); err != nil {
		return out, err
	}
	if err := s.readyForAll(ctx, scope, id); err != nil {
		return out, wrap("split", err)
	}
	made := ""
	_, err = s.change(ctx, scope, id, "split", func(tx *db.Tx, row *caseRow, d *caseData) ([]string, error) {
		made = ""
		p, err := s.partOf(tx, *row, in)
		if err != nil {
			return nil, err
		}
		if made, err = s.splitOff(tx, p, *d, title, why); err != nil {
			return nil, err
		}
		return nil, s.enter(tx, row.ID, "incident.split", map[string]any{"into": made, "servers": p.servers, "customers": len(p.customers)}, map[string]string{"why": why})
	})
	if err != nil {
		return out, err
	}
	return s.Get(ctx, scope, made)
}

// partOf is what of a case is split off.
func (s *Service) partOf(tx *db.Tx, row caseRow, in SplitOff) (p part, err error) {
	p.from = row
	servers, err := serverRows(tx, row.ID, false)
	if err != nil {
		return p, err
	}
	for _, v := range in.Servers {
		if !slices.ContainsFunc(servers, func(r serverRow) bool { return r.ServerID == v }) {
			return p, invalid("/servers", "This server is not in the case.")
		}
	}
	p.servers = distinct(in.Servers)
	rows, err := affectedRows(tx, row.ID)
	if err != nil {
		return p, err
	}
	for _, c := range in.Customers {
		if !slices.ContainsFunc(rows, func(r affectedRow) bool { return r.CustomerID == c }) {
			return p, invalid("/customers", "This customer is not in the case.")
		}
	}
	for _, r := range rows {
		on := parted[string](r.Servers)
		only := len(on) > 0 && !slices.ContainsFunc(on, func(v string) bool { return !slices.Contains(p.servers, v) })
		if only || slices.Contains(in.Customers, r.CustomerID) {
			p.customers = append(p.customers, r)
		}
	}
	if len(p.servers)+len(p.customers) == 0 {
		return p, invalid("/customers", "Name a customer or a server.")
	}
	all, err := assertionRows(tx, row.ID)
	for _, a := range all {
		if keyOf(a.CustomerID) == "" || slices.ContainsFunc(p.customers, func(r affectedRow) bool { return r.CustomerID == a.CustomerID }) {
			p.assertions = append(p.assertions, a)
		}
	}
	return p, err
}

// splitOff opens the case that a part goes on in.
func (s *Service) splitOff(tx *db.Tx, p part, d caseData, title, why string) (string, error) {
	year := tx.Now.In(zoneNamed(p.from.Zone)).Year()
	seq, err := nextSeq(tx, year)
	if err != nil {
		return "", err
	}
	row := p.from
	row.ID, row.Year, row.Seq, row.Version, row.OurData, row.FrozenUntil = controlplane.NewID(controlplane.PrefixIncident), int64(year), seq, 0, oursApart(p.from), 0
	row.NextDue, row.ShadowDue, row.Late, row.WakeAt, row.OpenedAt, row.OpenedBy = 0, 0, 0, 0, p.from.OpenedAt, actorOf(tx.Context()).ID
	if err := s.saveCase(tx, &row, caseData{Title: title, Summary: d.Summary, Impact: d.Impact, PeopleIn: d.PeopleIn, OurDataAt: d.OurDataAt, SignificantAt: d.SignificantAt}); err != nil {
		return "", err
	}
	if err := s.enter(tx, row.ID, "incident.opened", map[string]any{"number": row.numberOf(), "drill": row.Drill == 1, "servers": p.servers, "from": p.from.ID}, map[string]string{"title": title}); err != nil {
		return "", err
	}
	if err := s.enter(tx, row.ID, "incident.split", map[string]any{"from": p.from.ID}, map[string]string{"why": why}); err != nil {
		return "", err
	}
	p.into = row
	since, err := s.countsSince(tx, p.from)
	if err != nil {
		return "", err
	}
	p.assertions = slices.DeleteFunc(p.assertions, func(a assertionRow) bool { return max(a.RecordedAt, a.BroughtAt) < since })
	touched, err := s.bring(tx, p)
	if err != nil {
		return "", err
	}
	if err := s.leave(tx, p, touched); err != nil {
		return "", err
	}
	if err := s.recount(tx, row.ID); err != nil {
		return "", err
	}
	return row.ID, s.tellAffected(tx, row.ID, touched)
}

// oursApart is whether our own data is touched in a part of a case: where it is in the
// whole, nobody has said of the part.
func oursApart(whole caseRow) int64 {
	if whole.ours() == law.No {
		return oursColumn(law.No)
	}
	return oursColumn(law.Unknown)
}

// leave has a part be no more in the case that it came from.
func (s *Service) leave(tx *db.Tx, p part, customers []string) error {
	if len(customers) > 0 {
		if err := s.mootAsked(tx, p.from.ID, "they are in a case of their own now", customers...); err != nil {
			return err
		}
		if err := s.moveNotices(tx, p.from.ID, p.into.ID, 0, customers...); err != nil {
			return err
		}
	}
	if err := s.secondMoved(tx, p.from, p.into); err != nil {
		return err
	}
	if err := markRemoved(tx, "incident_affected", "customer_id", p.from.ID, customers); err != nil {
		return err
	}
	return markRemoved(tx, "incident_servers", "server_id", p.from.ID, p.servers)
}
