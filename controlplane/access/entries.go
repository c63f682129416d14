package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Entry puts somebody on lists by another ground than a grant: a key to a
// cabinet, a visit, a hypervisor, a backup key, a service account. It says
// where: one customer, one server, or a facility and rack; none of them is all
// customers.
type Entry struct {
	ID             string // ent_
	Way            Way    // admin, backup_key, physical, visit, service, login, customer
	Person         string // prs_
	PersonName     string
	Customer       string
	Server         string
	Facility, Rack string
	Role           string // "hypervisor pve-1", "cabling"
	Reason, Ticket string
	Escort         string // visits: prs_ of who goes with them
	EscortName     string
	From, Until    time.Time // Until zero only with ReviewBy
	ReviewBy       time.Time
	EndedAt        time.Time
	EndedBy        string
	EndedWhy       string // one of the words WhyEnded ..., or what somebody wrote
	CreatedBy      string
	Version        int64
}

// longestVisit bounds a visit: whoever comes more often has an entry of their own.
const longestVisit = 7 * 24 * time.Hour

// longestBack is how long after it began an entry or a membership is entered.
const longestBack = 7 * 24 * time.Hour

// longestEntry bounds an entry, and the time to its review.
const longestEntry = 366 * 24 * time.Hour

// AddEntry puts somebody on lists; nobody adds themselves. Permission: access.write. Errors: invalid with
// fields, not found, forbidden for what reaches more than the scope.
func (s *Service) AddEntry(ctx context.Context, scope policy.Scope, e Entry) (Entry, error) {
	if e.Customer != "" {
		c, err := s.customerOf(ctx, scope, e.Customer)
		if err != nil {
			return Entry{}, err
		}
		e.Customer = c.ID
	} else if err := overAll(scope); err != nil {
		return Entry{}, err
	}
	if err := s.keyAll(ctx); err != nil {
		return Entry{}, err
	}
	var out Entry
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		in := e
		if in.From.IsZero() {
			in.From = tx.Now
		}
		role, err := s.checkEntry(tx, &in)
		if err != nil {
			return err
		}
		in.ID, in.CreatedBy = controlplane.NewID(controlplane.PrefixAccessEntry), actorOf(tx.Context()).ID
		r := entryRow{ID: in.ID, Way: string(in.Way), PersonID: in.Person, CustomerID: in.Customer, ServerID: in.Server, FacilityID: in.Facility, Rack: in.Rack, Role: role,
			Ticket: in.Ticket, EscortID: in.Escort, FromAt: controlplane.Millis(in.From), UntilAt: controlplane.Millis(in.Until), ReviewBy: controlplane.Millis(in.ReviewBy),
			CreatedBy: in.CreatedBy, Version: 1, CreatedAt: tx.NowMillis()}
		if r.Reason, err = s.seal(r.CustomerID, "access_entries", "reason", r.ID, in.Reason); err != nil {
			return err
		}
		if err := db.Insert(tx, &r); err != nil {
			return err
		}
		if err := s.note(tx, ledger.Entry{Customer: r.CustomerID, Server: r.ServerID, Subject: r.ID, Kind: "access.entry_added",
			Data: map[string]any{"way": r.Way, "person": r.PersonID, "facility": r.FacilityID, "rack": r.Rack, "role": r.Role, "ticket": r.Ticket, "escort": r.EscortID,
				"from": controlplane.Instant(in.From), "until": controlplane.Instant(in.Until), "review_by": controlplane.Instant(in.ReviewBy)},
			Personal: map[string]string{"reason": in.Reason}}); err != nil {
			return err
		}
		if err := s.settleEntries(tx, "id = ?", r.ID); err != nil {
			return err
		}
		out, err = s.entry(tx, r)
		return err
	})
	return out, wrap("add entry", err)
}

// keyAll makes the keys of all customers before lists of theirs are written.
func (s *Service) keyAll(ctx context.Context) error {
	var ids []string
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) (err error) {
		hosts, err := s.hostsOf(tx, everyone())
		for _, h := range hosts {
			ids = append(ids, h.Customers...)
		}
		return err
	})
	if err != nil {
		return wrap("keys", err)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if err := s.keeper.EnsureKey(ctx, id); err != nil {
			return wrap("keys", err)
		}
	}
	return nil
}

// checkEntry cleans and refuses what cannot stand, and returns what the list
// shows as its role: what for, and where.
func (s *Service) checkEntry(tx *db.Tx, e *Entry) (role string, err error) {
	var c inputs
	e.Reason = c.line("/reason", e.Reason, maxReason, "Say why: the customers read it.")
	e.Ticket = c.line("/ticket", e.Ticket, maxShort, "")
	e.Role = c.line("/role", e.Role, maxShort, "")
	e.Rack = c.line("/rack", e.Rack, maxShort, "")
	e.checkTimes(&c, tx.Now)
	places := 0
	for _, v := range []string{e.Customer, e.Server, e.Facility} {
		if v != "" {
			places++
		}
	}
	if places > 1 {
		c.add("/server", "Choose one of them: a customer, a server, or a facility.")
	}
	if e.Rack != "" && e.Facility == "" {
		c.add("/facility", "Choose the facility in which the rack stands.")
	}
	if err := s.checkEntryPersons(tx, &c, *e); err != nil {
		return "", err
	}
	role = e.Role
	if e.Server != "" {
		if _, err := s.customers.ServerIn(tx, everyone(), e.Server); err != nil {
			return "", err
		}
	}
	if e.Facility != "" {
		f, err := facilityByID(tx, e.Facility)
		if err != nil {
			return "", err
		}
		parts := []string{f.Name}
		if e.Rack != "" {
			parts = append(parts, "rack "+rackOf(e.Rack))
		}
		if e.Role != "" {
			parts = append([]string{e.Role}, parts...)
		}
		role = strings.Join(parts, ", ")
	}
	return role, c.err()
}

func (e *Entry) checkTimes(c *inputs, now time.Time) {
	switch {
	case e.Until.IsZero() && e.ReviewBy.IsZero():
		c.add("/until", "Enter an end, or a date by which somebody looks at it again.")
	case !e.Until.IsZero() && (!e.Until.After(e.From) || !e.Until.After(now)):
		c.add("/until", "Choose an end that lies after the beginning, and after now.")
	case !e.Until.IsZero() && e.Until.Sub(e.From) > longestEntry:
		c.add("/until", "At most a year. Extend it then, if it is still needed.")
	case e.Way == WayVisit && e.Until.IsZero():
		c.add("/until", "A visit has an end.")
	case e.Way == WayVisit && e.Until.Sub(e.From) > longestVisit:
		c.add("/until", "A visit takes a week at most. Add physical access for whoever comes more often.")
	}
	if e.From.Before(now.Add(-longestBack)) {
		c.add("/from", "Seven days ago at the earliest.")
	}
	if !e.ReviewBy.IsZero() && (!e.ReviewBy.After(now) || e.ReviewBy.Sub(now) > longestEntry) {
		c.add("/review_by", "Choose a date within the next year.")
	}
}

// checkEntryPersons checks that whoever is named may stand there.
func (s *Service) checkEntryPersons(tx *db.Tx, c *inputs, e Entry) error {
	p, err := onePerson(tx, e.Person)
	if err != nil {
		return err
	}
	kind := PersonKind(p.Kind)
	own, err := s.ownPerson(tx, p)
	if err != nil {
		return err
	}
	here := func(id string) (bool, error) {
		o, err := onePerson(tx, id)
		return o.ID != "" && o.LeftAt == 0 && PersonKind(o.Kind) != KindService, err
	}
	switch {
	case p.ID == "":
		c.add("/person", "Choose a person.")
	case p.LeftAt != 0:
		c.add("/person", "They have left. Choose somebody who is here.")
	case own:
		c.add("/person", "This is you, or a service account of yours. Ask a colleague to add it.")
	case e.Way == WayCustomer && (kind != KindCustomer || e.Customer == "" || p.CustomerID != e.Customer):
		c.add("/person", "Choose one of the customer's own people, and the customer.")
	case e.Way != WayCustomer && kind == KindCustomer:
		c.add("/way", "Those of a customer are on the list as let in by the customer.")
	case (e.Way == WayService) != (kind == KindService):
		c.add("/person", "A service account is reached as a service, and nobody else.")
	case e.Way == WayService:
		ok, err := here(p.OwnerID)
		if err != nil {
			return err
		}
		if !ok {
			c.add("/person", "The person who answers for this service account has left. Name another one first.")
		}
	}
	switch e.Way {
	case WayAdmin, WayBackupKey, WayPhysical, WayService, WayLogin, WayCustomer:
		if e.Escort != "" {
			c.add("/escort", "Only visits have an escort.")
		}
	case WayVisit:
		ok, err := here(e.Escort)
		if err != nil {
			return err
		}
		if !ok || e.Escort == e.Person {
			c.add("/escort", "Choose who goes with them: somebody else, who is here.")
		}
	default:
		c.add("/way", "Choose admin, backup_key, physical, visit, service, login or customer.")
	}
	return nil
}

// EndEntry takes them off now, with why. Ending it again changes nothing. Permission: access.write.
func (s *Service) EndEntry(ctx context.Context, scope policy.Scope, id, why string) (out Entry, err error) {
	var c inputs
	why = c.line("/why", why, maxReason, "Say why: the customers read it.")
	if err := c.err(); err != nil {
		return Entry{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[entryRow](tx, scope, "entry", id)
		if err != nil {
			return err
		}
		if r.EndedAt == 0 {
			if err := s.endEntry(tx, &r, tx.NowMillis(), why); err != nil {
				return err
			}
		}
		out, err = s.entry(tx, r)
		return err
	})
	return out, wrap("end entry", err)
}

// endEntry ends an entry at an instant, takes its lines off, and closes what was
// open about it.
func (s *Service) endEntry(tx *db.Tx, r *entryRow, at int64, why string) (err error) {
	r.EndedAt, r.EndedBy, r.Version = at, actorOf(tx.Context()).ID, r.Version+1
	if r.EndedWhy, err = s.seal(r.CustomerID, "access_entries", "ended_why", r.ID, why); err != nil {
		return err
	}
	if err := db.Save(tx, r); err != nil {
		return err
	}
	if _, err := s.settle(tx, part{Column: Listed, Source: sourceEntry, Grounds: []string{r.ID}, Why: why}, nil); err != nil {
		return err
	}
	for _, key := range []string{reviewKey(r.ID), ownerlessKey(r.ID)} {
		if err := s.findings.Close(tx, key, "the entry has ended"); err != nil {
			return err
		}
	}
	return s.note(tx, ledger.Entry{Customer: r.CustomerID, Server: r.ServerID, Subject: r.ID, Kind: "access.entry_ended",
		Data: map[string]any{"at": controlplane.Instant(controlplane.FromMillis(at))}, Personal: map[string]string{"why": why}})
}

func reviewKey(entry string) string    { return findings.AccessBaselineReview + ":" + entry }
func ownerlessKey(entry string) string { return findings.AccessUnexplained + ":" + entry }

// ReviewEntry notes that somebody looked at an entry and keeps it, until the next
// review. Nobody reviews what is their own. Permission: access.approve.
func (s *Service) ReviewEntry(ctx context.Context, scope policy.Scope, id string, next time.Time, note string) (out Entry, err error) {
	var c inputs
	note = c.line("/note", note, maxReason, "Say why it is still needed.")
	if err := c.err(); err != nil {
		return Entry{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[entryRow](tx, scope, "entry", id)
		if err != nil {
			return err
		}
		p, err := onePerson(tx, r.PersonID)
		if err != nil {
			return err
		}
		own, err := s.ownPerson(tx, p)
		if err != nil {
			return err
		}
		switch {
		case r.EndedAt > 0:
			return conflict("Add a new one if it is needed.", "This entry has ended")
		case own:
			return controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to look at it.", "You cannot review your own access")
		case !next.After(tx.Now) || next.Sub(tx.Now) > longestEntry:
			return invalid("/review_by", "Choose a date within the next year.")
		}
		r.ReviewBy, r.Version = next.UnixMilli(), r.Version+1
		if err := db.Save(tx, &r); err != nil {
			return err
		}
		if err := s.findings.Close(tx, reviewKey(r.ID), "somebody looked at it and keeps it"); err != nil {
			return err
		}
		if err := s.note(tx, ledger.Entry{Customer: r.CustomerID, Server: r.ServerID, Subject: r.ID, Kind: "access.entry_reviewed",
			Data: map[string]any{"review_by": controlplane.Instant(next)}, Personal: map[string]string{"note": note}}); err != nil {
			return err
		}
		out, err = s.entry(tx, r)
		return err
	})
	return out, wrap("review entry", err)
}

// entry is a row as others see it.
func (s *Service) entry(tx *db.Tx, r entryRow) (Entry, error) {
	names, err := s.namesIn(tx, slices.DeleteFunc([]string{r.PersonID, r.EscortID}, func(id string) bool { return id == "" }))
	if err != nil {
		return Entry{}, err
	}
	return s.entryNamed(r, names)
}

func (s *Service) entryNamed(r entryRow, names map[string]string) (e Entry, err error) {
	at := controlplane.FromMillis
	e = Entry{ID: r.ID, Way: Way(r.Way), Person: r.PersonID, PersonName: names[r.PersonID], Customer: r.CustomerID, Server: r.ServerID, Facility: r.FacilityID, Rack: r.Rack,
		Role: r.Role, Ticket: r.Ticket, Escort: r.EscortID, EscortName: names[r.EscortID], From: at(r.FromAt), Until: at(r.UntilAt), ReviewBy: at(r.ReviewBy),
		EndedAt: at(r.EndedAt), EndedBy: r.EndedBy, CreatedBy: r.CreatedBy, Version: r.Version}
	if e.Reason, err = s.open(r.CustomerID, "access_entries", "reason", r.ID, r.Reason); err != nil {
		return e, fmt.Errorf("entry %s: %w", r.ID, err)
	}
	if e.EndedWhy, err = s.open(r.CustomerID, "access_entries", "ended_why", r.ID, r.EndedWhy); err != nil {
		return e, fmt.Errorf("entry %s: %w", r.ID, err)
	}
	return e, nil
}
