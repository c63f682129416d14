package access

import (
	"context"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// registerTelling hooks up notices, entries, campaigns and authorisations.
func (s *Service) registerTelling() {
	s.onChanged = append(s.onChanged, s.gather)
	s.due = append(s.due, s.entriesDue, s.campaignsDue, s.noticesDue)
	s.customers.OnTenancyChanged(s.tenancyChanged)
	s.jobs.HandleSchedule(scheduleCampaign, s.quarter)
}

// asSystem reads what a list is made of in the name of the plane: rows of the
// company's own people are no customer's. What is read is bounded by a scope.
func asSystem(ctx context.Context) context.Context { return controlplane.System(ctx, "access") }

// everyone is the scope of the plane's own work on lists.
func everyone() policy.Scope { return policy.AllCustomers("access: lists of all tenants") }

// customerOf finds a customer by id or slug, and makes their key where it is missing.
func (s *Service) customerOf(ctx context.Context, scope policy.Scope, ref string) (customers.Customer, error) {
	c, err := s.customers.GetCustomer(ctx, scope, ref)
	if err != nil {
		return c, err
	}
	return c, s.keeper.EnsureKey(ctx, c.ID)
}

// note appends to the ledger.
func (s *Service) note(tx *db.Tx, e ledger.Entry) error {
	for k, v := range e.Personal {
		if v == "" {
			delete(e.Personal, k)
		}
	}
	_, err := s.ledger.Append(tx, e)
	return err
}

// writeOwners writes a mail of its own to every owner of a customer and returns
// the first one's id; "" where there is nobody, or no mail.
func (s *Service) writeOwners(tx *db.Tx, customer string, l Letter) (first string, err error) {
	if s.mail == nil {
		return "", nil
	}
	owners, err := s.owners(tx, customer)
	if err != nil {
		return "", err
	}
	key := l.Key
	for _, c := range owners {
		l.Key, l.Customer, l.Person, l.To, l.Name, l.Lang = key+":"+c.ID, customer, c.ID, c.Email, c.Name, c.Language
		id, err := s.mail.Enqueue(tx, l)
		if err != nil {
			return "", err
		}
		if first == "" {
			first = id
		}
	}
	return first, nil
}

// owners are the contacts who are told, the longest there first.
func (s *Service) owners(tx *db.Tx, customer string) ([]customers.Contact, error) {
	contacts, err := s.customers.ContactsIn(tx, policy.OneCustomer(customer), customer, false)
	if err != nil {
		return nil, err
	}
	var out []customers.Contact
	for _, c := range contacts {
		if c.Role == policy.RoleOwner {
			out = append(out, c)
		}
	}
	return out, nil
}

func invalid(pointer, message string) error {
	return controlplane.Invalid(controlplane.Field{Pointer: pointer, Message: message})
}

// sentencePart is a sentence without its full stop.
func sentencePart(s string) string { return strings.TrimRight(strings.TrimSpace(s), ".") }

// instantWords is an instant as people read it, in a zone.
func instantWords(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("2 January 2006 15:04 MST")
}

// zoneOf is the time zone of a customer's people.
func zoneOf(c customers.Customer) *time.Location {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}
