package incidents

import (
	"context"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// Bounds of a contract's time.
const (
	maxHours = 24 * 31
	maxDays  = 31
)

// TermsOf returns a customer's terms; the zero ones but for the customer where
// nothing was agreed. Permission: incident.read. Errors: not found.
func (s *Service) TermsOf(ctx context.Context, scope policy.Scope, customer string) (t Terms, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, scope, customer)
		if err != nil {
			return err
		}
		t, err = termsIn(tx, c.ID)
		return err
	})
	return t, wrap("terms", err)
}

// termsIn are a customer's terms now.
func termsIn(tx *db.Tx, customer string) (Terms, error) {
	rows, err := termsVersions(tx, customer)
	if err != nil || len(rows) == 0 {
		return Terms{Customer: customer, Role: RoleUnknown}, err
	}
	return rows[len(rows)-1].terms()
}

// SetTerms changes them; cases that are open are counted anew from then on, never
// to a later time than was shown before. Version is the one that was read; 0
// takes any. Permission: incident.admin. Errors: invalid, not found, conflict
// where somebody changed them since.
func (s *Service) SetTerms(ctx context.Context, scope policy.Scope, in Terms) (out Terms, err error) {
	if !scope.All() {
		return out, controlplane.NotFound("customer")
	}
	if in.Role == "" {
		in.Role = RoleUnknown
	}
	if err := in.check(); err != nil {
		return out, err
	}
	if err := s.ready(ctx); err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, scope, in.Customer)
		if err != nil {
			return err
		}
		if err := s.servicesField(tx, scope, in.Services); err != nil {
			return err
		}
		is, err := termsIn(tx, c.ID)
		if err != nil {
			return err
		}
		if in.Version != 0 && in.Version != is.Version {
			return conflict("Load them again, look at what is new, and change them then.", "Somebody has changed these terms since you opened them")
		}
		t := in
		t.Customer, t.Version = c.ID, is.Version+1
		row, err := rowOf(t, actorOf(ctx).ID, tx.NowMillis())
		if err != nil {
			return err
		}
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		data := map[string]any{"customer": c.ID, "amount": t.Amount, "unit": string(t.Unit), "from_suspicion": t.FromSuspicion, "role": string(t.Role),
			"jurisdiction": t.Jurisdiction, "country": t.Country, "zone": t.Zone, "financial": t.Financial, "version": t.Version}
		if err := s.enter(tx, c.ID, "incident.terms", data, nil); err != nil {
			return err
		}
		out = t
		return s.recountAll(tx, c.ID)
	})
	return out, wrap("set terms", err)
}

// recountAll counts the open cases anew; of a customer unless "".
func (s *Service) recountAll(tx *db.Tx, customer string) error {
	ids, err := openCases(tx, customer)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.recount(tx, id); err != nil {
			return err
		}
	}
	return nil
}

// check says what is wrong with terms.
func (t Terms) check() error {
	var errs []error
	add := func(bad bool, pointer, message string) {
		if bad {
			errs = append(errs, invalid(pointer, message))
		}
	}
	add(t.Customer == "", "/customer", "Name the customer.")
	add(t.Amount < 0, "/amount", "This is less than nothing.")
	add(!t.Unit.Valid() || t.Unit == law.Months, "/unit", "Count in hours, days or working days.")
	add((t.Amount == 0) != (t.Unit == ""), "/unit", "A number needs a unit, and a unit a number.")
	add(t.Unit == law.Hours && t.Amount > maxHours || t.Unit != law.Hours && t.Amount > maxDays, "/amount", "At most a month: the law says without undue delay.")
	add(!t.Role.Valid(), "/role", "Say controller, processor or unknown.")
	add(!slices.Contains([]string{"", "EU", "UK"}, t.Jurisdiction), "/jurisdiction", "Say EU or UK, or nothing for the company’s.")
	errs = append(errs, countryField(t.Country), zoneField(t.Zone))
	for _, role := range t.Services {
		add(!role.Valid(), "/services", "Say controller, processor or unknown.")
	}
	return joinFields(errs)
}

// countryField checks a country whose holidays count.
func countryField(country string) error {
	code, _, _ := strings.Cut(country, "-")
	if country != "" && !slices.Contains(law.Countries(), code) {
		return invalid("/country", "The public holidays of this country are not known here. Known are "+strings.Join(law.Countries(), ", ")+".")
	}
	return nil
}

// countriesField checks codes of countries, and sorts them.
func countriesField(codes []string) ([]string, error) {
	var out []string
	for _, c := range codes {
		c = strings.ToUpper(strings.TrimSpace(c))
		if len(c) != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z' {
			return nil, invalid("/people_in", "Write countries by their two letters, as in AT, DE, FR.")
		}
		out = append(out, c)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func zoneField(zone string) error {
	if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
		return invalid("/zone", "Name a time zone, as in Europe/Berlin.")
	}
	return nil
}

// servicesField checks the servers that roles are told of by.
func (s *Service) servicesField(tx *db.Tx, scope policy.Scope, services map[string]DataRole) error {
	for id := range services {
		v, err := s.customers.ServerIn(tx, scope, id)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound || err == nil && v.ID != id {
			return invalid("/services", "There is no such server.")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
