package incidents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// joining has customers come into a case.
type joining struct {
	customers map[string][]string // with the servers by which
	state     AffectedState
	since     time.Time // when that was known; zero is with the case itself
	because   string
	beginning bool // as the case is opened
	// loose is of what must not fail for a key that is not here: then the words
	// stand in the company's ledger alone.
	loose bool
}

// putCustomers has customers come into a case, or become more certain in it, and
// returns those for whom something changed. Who is certain does not become
// possible again; who was cleared comes back.
func (s *Service) putCustomers(tx *db.Tx, row caseRow, j joining) (touched []string, err error) {
	there, err := affectedMap(tx, row.ID)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(j.customers)) {
		r, ok := there[id]
		changed, err := s.putOne(tx, row, &r, ok, id, j)
		if err != nil {
			return nil, err
		}
		if changed {
			touched = append(touched, id)
		}
	}
	if len(touched) == 0 {
		return nil, nil
	}
	return touched, s.enter(tx, row.ID, "incident.affected", map[string]any{"customers": len(touched), "state": string(j.state), "first": touched[:min(len(touched), 100)]},
		map[string]string{"because": j.because})
}

// putOne writes one customer's row, and the assertion that begins their clock.
func (s *Service) putOne(tx *db.Tx, row caseRow, r *affectedRow, there bool, id string, j joining) (changed bool, err error) {
	was := AffectedState(r.State)
	if !there || r.RemovedAt > 0 {
		*r, was = affectedRow{CaseID: row.ID, CustomerID: id, AddedAt: tx.NowMillis(), History: r.History}, ""
	}
	servers := joined(distinct(append(parted[string](r.Servers), j.customers[id]...)))
	newly := was == "" || was == Cleared || was == Possible && j.state == Certain
	if !newly && servers == r.Servers {
		return false, nil
	}
	r.Servers = servers
	if newly {
		r.State, r.ClearedAt, r.ClearedWhy = string(j.state), 0, nil
		if r.History, err = withState(r.History, stateAt{At: tx.NowMillis(), State: j.state}); err != nil {
			return false, err
		}
		if j.because != "" {
			if r.Because, err = s.seal(id, "incident_affected", "because", row.ID, j.because); err != nil && !(j.loose && errors.Is(err, secrets.ErrNoKey)) {
				return false, err
			}
		}
		if err := s.assertOf(tx, row, id, j); err != nil {
			return false, err
		}
	}
	return true, db.Upsert(tx, r, "case_id", "customer_id")
}

// assertOf writes the word about one customer with which they come into a case.
func (s *Service) assertOf(tx *db.Tx, row caseRow, customer string, j joining) error {
	a := law.Assertion{Customer: customer, Certainty: law.Suspected, At: j.since, Ground: first(j.because, "They are tenants of a server of the case.")}
	switch {
	case j.state == Certain:
		a.Certainty = law.Certain
	case j.beginning:
		return nil // suspected as long as the case
	}
	if a.At.IsZero() {
		a.At = tx.Now
	}
	_, err := s.assert(tx, row, a)
	if j.loose && errors.Is(err, secrets.ErrNoKey) {
		a.Ground = ""
		_, err = s.assert(tx, row, a)
	}
	return err
}

// withState adds to a customer's history.
func withState(history string, more ...stateAt) (string, error) {
	var list []stateAt
	if history != "" {
		if err := json.Unmarshal([]byte(history), &list); err != nil {
			return "", fmt.Errorf("read history: %w", err)
		}
	}
	text, err := json.Marshal(append(list, more...))
	if err != nil {
		return "", fmt.Errorf("write history: %w", err)
	}
	return string(text), nil
}

// Affect puts customers, or the tenants of servers, into a case. Each has a clock
// of their own, from Since. A customer who is named with a server is in it by
// that server if they live on it. Permission: incident.write. Errors: invalid,
// not found, conflict where the case does not go on.
func (s *Service) Affect(ctx context.Context, scope policy.Scope, id string, in Affect) (out Case, err error) {
	if in.State != Possible && in.State != Certain {
		return out, invalid("/state", "Say possible or affected.")
	}
	because, err := textField("/because", in.Because, maxPassage, in.State == Certain)
	if err != nil {
		return out, err
	}
	if len(in.Customers)+len(in.Servers) == 0 {
		return out, invalid("/customers", "Name a customer or a server.")
	}
	keys, err := s.keysFor(ctx, scope, in)
	if err != nil {
		return out, wrap("affect", err)
	}
	if err := s.ready(ctx, keys...); err != nil {
		return out, err
	}
	return s.change(ctx, scope, id, "affect", func(tx *db.Tx, row *caseRow, d *caseData) ([]string, error) {
		servers, err1 := s.serversOf(tx, scope, in.Servers)
		named, err2 := s.customersOf(tx, scope, in.Customers)
		since, err3 := s.awareWhen("/since", in.Since, zoneNamed(row.Zone), tx.Now)
		if err := joinFields([]error{err1, err2, err3}); err != nil {
			return nil, err
		}
		tenants, err := s.tenantsOf(tx, servers)
		if err != nil {
			return nil, err
		}
		if err := s.addServers(tx, *row, servers); err != nil {
			return nil, err
		}
		j := joining{customers: tenants, state: in.State, since: since, because: because}
		if len(named) > 0 && len(servers) > 0 && in.State == Certain {
			j.state = Possible // who is named is certain, the other tenants are possibly in it
		}
		touched, err := s.putCustomers(tx, *row, j)
		if err != nil || len(named) == 0 {
			return touched, err
		}
		living, err := s.livingOn(tx, *row, named)
		if err != nil {
			return nil, err
		}
		more, err := s.putCustomers(tx, *row, joining{customers: living, state: in.State, since: since, because: because})
		return distinct(append(touched, more...)), err
	})
}

// keysFor are the customers in whose name something is sealed as they come into a case.
func (s *Service) keysFor(ctx context.Context, scope policy.Scope, in Affect) (keys []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		servers, err := s.serversOf(tx, scope, in.Servers)
		if err != nil {
			return err
		}
		tenants, err := s.tenantsOf(tx, servers)
		if err != nil {
			return err
		}
		named, err := s.customersOf(tx, scope, in.Customers)
		keys = append(slices.Collect(maps.Keys(tenants)), named...)
		return err
	})
	return keys, err
}

// addServers puts servers into a case; those that are in it stay.
func (s *Service) addServers(tx *db.Tx, row caseRow, servers []string) error {
	have, err := serverRows(tx, row.ID, false)
	if err != nil {
		return err
	}
	for _, v := range servers {
		if slices.ContainsFunc(have, func(r serverRow) bool { return r.ServerID == v }) {
			continue
		}
		r := serverRow{CaseID: row.ID, ServerID: v, AddedAt: tx.NowMillis(), AddedBy: actorOf(tx.Context()).ID}
		if err := db.Upsert(tx, &r, "case_id", "server_id"); err != nil {
			return err
		}
	}
	return nil
}

// livingOn is each customer with those servers of a case that they live on.
func (s *Service) livingOn(tx *db.Tx, row caseRow, named []string) (map[string][]string, error) {
	servers, err := serverRows(tx, row.ID, false)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(servers))
	for i, v := range servers {
		ids[i] = v.ServerID
	}
	tenants, err := s.tenantsOf(tx, ids)
	out := map[string][]string{}
	for _, c := range named {
		out[c] = tenants[c]
	}
	return out, err
}

// tenancyMade has whoever comes to live on a server of an open case be in it too:
// possibly affected, from now.
func (s *Service) tenancyMade(tx *db.Tx, t customers.Tenancy) error {
	ids, err := openCasesOn(tx, t.Server)
	if err != nil {
		return err
	}
	for _, id := range ids {
		row, err := caseRowIn(tx, everyone(), id)
		if err != nil {
			return err
		}
		touched, err := s.putCustomers(tx, row, joining{customers: map[string][]string{t.Customer: {t.Server}}, state: Possible, since: tx.Now,
			because: "They came to live on a server of the case while it was open.", loose: true})
		if err != nil {
			return err
		}
		if err := s.recount(tx, id); err != nil {
			return err
		}
		if err := s.tellAffected(tx, id, touched); err != nil {
			return err
		}
	}
	return nil
}

// Clear says that a customer is not in it, and why. Whoever was told is told so. Of
// who is held certain, it counts once another person confirms it (Case.Asked).
// Permission: incident.write. Errors: invalid, not found, conflict where they were cleared.
func (s *Service) Clear(ctx context.Context, scope policy.Scope, id, customer, why string) (out Case, err error) {
	if why, err = textField("/why", why, maxPassage, true); err != nil {
		return out, err
	}
	if err = s.ready(ctx, customer); err != nil {
		return out, err
	}
	others, err := s.writers(ctx, actorOf(ctx).ID)
	if err != nil {
		return out, wrap("clear", err)
	}
	return s.change(ctx, scope, id, "clear", func(tx *db.Tx, row *caseRow, _ *caseData) ([]string, error) {
		if _, err := clearable(tx, row.ID, customer); err != nil {
			return nil, err
		}
		if waits, err := s.needsSecond(tx, *row, holding{others: others, act: AskClear, customer: customer, why: why}); err != nil || waits {
			return nil, err
		}
		return s.clear(tx, *row, customer, why)
	})
}

// clearable finds a customer in a case who was not cleared.
func clearable(tx *db.Tx, incident, customer string) (affectedRow, error) {
	all, err := affectedMap(tx, incident)
	if err != nil {
		return affectedRow{}, err
	}
	r, ok := all[customer]
	switch {
	case !ok || r.RemovedAt > 0:
		return r, controlplane.NotFound("customer in this case")
	case r.State == string(Cleared):
		return r, conflict("There is nothing to do.", "They were shown not to be affected before")
	}
	return r, nil
}

// clear has a customer be shown not to be in a case, and returns them.
func (s *Service) clear(tx *db.Tx, row caseRow, customer, why string) ([]string, error) {
	r, err := clearable(tx, row.ID, customer)
	if err != nil {
		return nil, err
	}
	r.State, r.ClearedAt = string(Cleared), tx.NowMillis()
	if r.ClearedWhy, err = s.seal(customer, "incident_affected", "cleared_why", row.ID, why); err != nil {
		return nil, err
	}
	if r.History, err = withState(r.History, stateAt{At: tx.NowMillis(), State: Cleared}); err != nil {
		return nil, err
	}
	if err := db.Save(tx, &r); err != nil {
		return nil, err
	}
	return []string{customer}, s.enterCleared(tx, row, customer, why)
}

// enterCleared enters it with the company and, where they were told, with them.
func (s *Service) enterCleared(tx *db.Tx, row caseRow, customer, why string) error {
	if err := s.enter(tx, row.ID, "incident.cleared", map[string]any{"customer": customer}, map[string]string{"why": why}); err != nil {
		return err
	}
	list, err := s.toldOf(tx, row.ID)
	if err != nil || row.Drill == 1 || !slices.ContainsFunc(list, func(n told) bool { return n.Customer == customer && n.ToldAt > 0 }) {
		return err
	}
	// Why is the company's: it may name others. What the customer is told of it is a notice.
	_, err = s.ledger.Append(tx, ledger.Entry{Customer: customer, Subject: row.ID, Kind: "incident.cleared"})
	return err
}
