package access

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Authorisation says who may instruct us for a customer.
type Authorisation struct {
	// ID is aut_; an owner among the contacts may instruct without being
	// registered, and then it is their con_.
	ID, Customer string
	Contact      string // con_, "" where they have no sign-in
	Name         string
	Capacity     string // "contact", "designee", "owner"
	// Acts are what they may instruct: restore, session, change, access, all.
	Acts        []string
	From, Until time.Time // Until zero is open
	Document    string    // where the designation is kept
	EndedAt     time.Time
	CreatedBy   string
}

// What somebody may instruct us to do, and in what capacity.
const (
	ActRestore = "restore"
	ActSession = "session"
	ActChange  = "change"
	ActAccess  = "access"
	ActAll     = "all"

	CapacityContact  = "contact"
	CapacityDesignee = "designee"
	CapacityOwner    = "owner"
)

// Acts lists what somebody may instruct.
func Acts() []string { return []string{ActRestore, ActSession, ActChange, ActAccess, ActAll} }

// good reports whether it stands at an instant.
func (a Authorisation) good(at time.Time) bool {
	return !a.From.After(at) && (a.Until.IsZero() || a.Until.After(at)) && (a.EndedAt.IsZero() || a.EndedAt.After(at))
}

// covers reports whether it is for an act.
func (a Authorisation) covers(act string) bool {
	return slices.Contains(a.Acts, act) || slices.Contains(a.Acts, ActAll)
}

// AddAuthorisation registers one. Permission: access.confirm (an owner of the
// customer) or access.write. Errors: invalid with fields, not found.
func (s *Service) AddAuthorisation(ctx context.Context, scope policy.Scope, a Authorisation) (Authorisation, error) {
	c, err := s.customerOf(ctx, scope, a.Customer)
	if err != nil {
		return Authorisation{}, err
	}
	a.ID, a.Customer, a.EndedAt = controlplane.NewID(controlplane.PrefixAuthorisation), c.ID, time.Time{}
	if err := a.check(); err != nil {
		return Authorisation{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		in := a
		if in.From.IsZero() {
			in.From = tx.Now
		}
		if !in.Until.IsZero() && (!in.Until.After(in.From) || !in.Until.After(tx.Now)) {
			return invalid("/until", "Choose an end that lies after the beginning, and after now.")
		}
		if in.Contact != "" {
			p, err := s.customers.ContactIn(tx, policy.OneCustomer(c.ID), in.Contact)
			if controlplane.ErrorCode(err) == controlplane.CodeNotFound || err == nil && !p.RemovedAt.IsZero() {
				return invalid("/contact", "Choose one of the customer's contacts.")
			}
			if err != nil {
				return err
			}
			in.Name = p.Name
		}
		in.CreatedBy = actorOf(tx.Context()).ID
		if err := s.insertAuthorisation(tx, in); err != nil {
			return err
		}
		a = in
		return s.note(tx, ledger.Entry{Customer: c.ID, Subject: in.ID, Kind: "access.authorised",
			Data: map[string]any{"contact": in.Contact, "capacity": in.Capacity, "acts": strings.Join(in.Acts, " "),
				"from": controlplane.Instant(in.From), "until": controlplane.Instant(in.Until)},
			Personal: map[string]string{"name": in.Name, "document": in.Document}})
	})
	return a, wrap("add authorisation", err)
}

// check cleans and refuses what cannot be registered.
func (a *Authorisation) check() error {
	var f inputs
	needed := ""
	if a.Contact == "" {
		needed = "Enter their name, or choose a contact."
	}
	a.Name = f.line("/name", a.Name, maxName, needed)
	a.Document = f.line("/document", a.Document, 500, "")
	if a.Capacity == "" {
		a.Capacity = CapacityDesignee
	}
	if a.Capacity != CapacityContact && a.Capacity != CapacityDesignee {
		f.add("/capacity", "Choose contact or designee.")
	}
	slices.Sort(a.Acts)
	a.Acts = slices.Compact(a.Acts)
	if len(a.Acts) == 0 || slices.ContainsFunc(a.Acts, func(act string) bool { return !slices.Contains(Acts(), act) }) {
		f.add("/acts", "Choose what they may instruct: "+strings.Join(Acts(), ", ")+".")
	}
	return f.err()
}

// EndAuthorisation ends one now. Ending it again changes nothing. Permission: as
// for adding one.
func (s *Service) EndAuthorisation(ctx context.Context, scope policy.Scope, id string) error {
	return wrap("end authorisation", s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[authorisationRow](tx, scope, "authorisation", id)
		if err != nil || r.EndedAt > 0 {
			return err
		}
		r.EndedAt, r.EndedBy = tx.NowMillis(), actorOf(tx.Context()).ID
		if err := db.Save(tx, &r); err != nil {
			return err
		}
		return s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "access.authorisation_ended", Data: map[string]any{"contact": r.ContactID}})
	}))
}

// Authorisations lists who could instruct for a customer at an instant (zero:
// all there were), those who own the account included. Permission: access.read.
func (s *Service) Authorisations(ctx context.Context, scope policy.Scope, customer string, at time.Time) (out []Authorisation, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, scope, customer)
		if err != nil {
			return err
		}
		out, err = s.authorisations(tx, c.ID)
		return err
	})
	if err != nil {
		return nil, wrap("authorisations", err)
	}
	return slices.DeleteFunc(out, func(a Authorisation) bool { return !at.IsZero() && !a.good(at) }), nil
}

// authorisations are all that there were of a customer, by when they began.
func (s *Service) authorisations(tx *db.Tx, customer string) ([]Authorisation, error) {
	scope := policy.OneCustomer(customer)
	rows, err := db.Where[authorisationRow](tx, scope, "from_at, id", 0, "customer_id = ?", customer)
	if err != nil {
		return nil, err
	}
	out := make([]Authorisation, 0, len(rows))
	for _, r := range rows {
		a, err := s.authorisation(r)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	contacts, err := s.customers.ContactsIn(tx, scope, customer, true)
	if err != nil {
		return nil, err
	}
	for _, c := range contacts {
		if c.Role == policy.RoleOwner {
			out = append(out, ownerOf(c))
		}
	}
	slices.SortStableFunc(out, func(a, b Authorisation) int { return cmp.Or(a.From.Compare(b.From), strings.Compare(a.ID, b.ID)) })
	return out, nil
}

// ownerOf is what an owner may instruct without being registered.
func ownerOf(c customers.Contact) Authorisation {
	return Authorisation{ID: c.ID, Customer: c.Customer, Contact: c.ID, Name: c.Name, Capacity: CapacityOwner, Acts: []string{ActAll}, From: c.CreatedAt, EndedAt: c.RemovedAt}
}

// Authorised returns the authorisation by which an act for a customer may be
// done at tx.Now, for whoever cites it (restores, sessions, grants): aut_, or
// con_ where an owner may without being registered. by is a contact's id, or ""
// for any. Errors: conflict where there is none.
func (s *Service) Authorised(tx *db.Tx, customer, act, by string) (id string, err error) {
	all, err := s.authorisations(tx, customer)
	if err != nil {
		return "", wrap("authorised", err)
	}
	for _, registered := range []bool{true, false} {
		for _, a := range all {
			if (a.Capacity != CapacityOwner) == registered && a.good(tx.Now) && a.covers(act) && (by == "" || a.Contact == by) {
				return a.ID, nil
			}
		}
	}
	return "", controlplane.Errorf(controlplane.CodeConflict, "Have the customer name somebody who may, in the register of who may instruct us.",
		"Nobody is registered who may instruct us to do this for the customer now")
}

func (s *Service) authorisation(r authorisationRow) (a Authorisation, err error) {
	a = Authorisation{ID: r.ID, Customer: r.CustomerID, Contact: r.ContactID, Capacity: r.Capacity, Acts: strings.Fields(r.Acts),
		From: controlplane.FromMillis(r.FromAt), Until: controlplane.FromMillis(r.UntilAt), EndedAt: controlplane.FromMillis(r.EndedAt), CreatedBy: r.CreatedBy}
	if a.Name, err = s.open(r.CustomerID, "access_authorisations", "name", r.ID, r.Name); err != nil {
		return a, fmt.Errorf("authorisation %s: %w", r.ID, err)
	}
	if a.Document, err = s.open(r.CustomerID, "access_authorisations", "document", r.ID, r.Document); err != nil {
		return a, fmt.Errorf("authorisation %s: %w", r.ID, err)
	}
	return a, nil
}

func (s *Service) insertAuthorisation(tx *db.Tx, a Authorisation) (err error) {
	r := authorisationRow{ID: a.ID, CustomerID: a.Customer, ContactID: a.Contact, Capacity: a.Capacity, Acts: strings.Join(a.Acts, " "),
		FromAt: controlplane.Millis(a.From), UntilAt: controlplane.Millis(a.Until), CreatedBy: a.CreatedBy, CreatedAt: tx.NowMillis()}
	if r.Name, err = s.seal(a.Customer, "access_authorisations", "name", a.ID, a.Name); err != nil {
		return err
	}
	if r.Document, err = s.seal(a.Customer, "access_authorisations", "document", a.ID, a.Document); err != nil {
		return err
	}
	return db.Insert(tx, &r)
}
