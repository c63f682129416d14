package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Bounds of grants.
const (
	maxBreakGlass = 4 * time.Hour
	answerTime    = 12 * time.Hour // of silence, and a proposed grant is refused
	maxNoTicket   = 24 * time.Hour
	maxAhead      = 92 * 24 * time.Hour // how far ahead a grant may begin
)

// Approvals that a grant may need.
const (
	needSecond   = "second"
	needCustomer = "customer"
)

// NewGrant is what a grant is made of: Person or Team, not both.
type NewGrant struct {
	Customer     string // id or slug
	Person, Team string
	Role         string
	Kind         GrantKind // "" is normal; baseline only by AcceptBaseline
	Reason       string
	Ticket       string
	// NoTicketUntil takes a grant without a ticket while the ticket system is
	// down: it is filled in by then (at most 24 h), or the grant ends.
	NoTicketUntil time.Time
	From, Until   time.Time // From zero is now; Until is required
	// Alone: emergency access to oneself, with nobody else awake to grant it.
	Alone bool
}

// Grant proposes or makes a grant. A grant is refused while the person's
// confidentiality agreement, training or acknowledgement of the customer's brief
// is missing or expires before it begins; of a team, whoever lacks one is named.
// Break-glass is in force at once, for four hours at most, and is reviewed the
// next working day by somebody else; it takes two people, or one who says that
// they are alone. Whoever grants to themselves needs a second person, whatever the
// terms say. Permission: access.write.
//
// Errors: invalid with fields, conflict (the same is granted already), not found.
func (s *Service) Grant(ctx context.Context, scope policy.Scope, in NewGrant) (Grant, error) {
	if err := s.checkTicket(ctx, in.Ticket, in.NoTicketUntil); err != nil {
		return Grant{}, err
	}
	if in.Kind == "" {
		in.Kind = GrantNormal
	}
	if in.Kind == GrantBaseline {
		return Grant{}, controlplane.Invalid(controlplane.Field{Pointer: "/kind", Message: "A baseline is accepted as a whole, with an owner and a review date."})
	}
	return s.writeGrant(ctx, func(tx *db.Tx) (grantRow, error) { return s.grantIn(tx, scope, in, "") })
}

// writeGrant changes one grant in a transaction and returns it.
func (s *Service) writeGrant(ctx context.Context, do func(tx *db.Tx) (grantRow, error)) (out Grant, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := do(tx)
		if err != nil {
			return err
		}
		all, err := s.fullGrants(tx, []grantRow{row})
		if err == nil {
			out = all[0]
		}
		return err
	})
	if err != nil {
		return Grant{}, wrap("grant", err)
	}
	return out, s.nameApprovals(ctx, &out)
}

// grantIn makes a grant in a transaction; owner is a baseline's.
func (s *Service) grantIn(tx *db.Tx, scope policy.Scope, in NewGrant, owner string) (grantRow, error) {
	customer, err := s.customers.CustomerIn(tx, scope, in.Customer)
	if err != nil {
		return grantRow{}, err
	}
	terms, err := s.termsIn(tx, customer.ID)
	if err != nil {
		return grantRow{}, err
	}
	row, reason, err := s.checkGrant(tx, in, terms)
	if err != nil {
		return row, err
	}
	row.OwnerID = owner
	if err := s.Hold(tx, customer.ID, row.Ticket); err != nil {
		return row, err
	}
	persons, err := s.personsOf(tx, row)
	if err != nil {
		return row, err
	}
	if err := s.alone(tx, persons, customer.ID); err != nil {
		return row, err
	}
	if GrantKind(row.Kind) != GrantBaseline {
		if err := s.gate(tx, whoPointer(row), persons, terms, millis(row.FromAt)); err != nil {
			return row, err
		}
		if err := grantedAlready(tx, row); err != nil {
			return row, err
		}
	}
	own, err := s.namesStaff(tx, persons, row.GrantedBy)
	if err != nil {
		return row, err
	}
	if err := twoPeople(&row, own, in.Alone); err != nil {
		return row, err
	}
	if err := s.oneEmergency(tx, row, own); err != nil {
		return row, err
	}
	row.Needs = needs(row, terms, own)
	return row, s.insertGrant(tx, &row, reason)
}

// checkGrant checks what was entered and fills a row.
func (s *Service) checkGrant(tx *db.Tx, in NewGrant, terms Terms) (grantRow, string, error) {
	var c inputs
	row := grantRow{ID: controlplane.NewID(controlplane.PrefixGrant), CustomerID: terms.Customer, PersonID: in.Person, TeamID: in.Team, Role: in.Role, Kind: string(in.Kind),
		GrantedBy: actorOf(tx.Context()).ID, GrantedAt: tx.NowMillis(), FromAt: controlplane.Millis(in.From), UntilAt: controlplane.Millis(in.Until), TicketBy: controlplane.Millis(in.NoTicketUntil), Version: 1}
	if row.FromAt == 0 {
		row.FromAt = tx.NowMillis()
	}
	reason := c.line("/reason", in.Reason, maxReason, "Say why, in a sentence: the customer reads it.")
	row.Ticket = c.line("/ticket", in.Ticket, maxShort, "")
	switch {
	case !in.Kind.Valid():
		c.add("/kind", "Choose normal or break_glass.")
	case (in.Person == "") == (in.Team == ""):
		c.add("/person", "Choose a person or a team.")
	}
	if !slices.ContainsFunc(s.opts.Roles, func(r Role) bool { return r.Name == in.Role }) {
		c.add("/role", "Choose one of the roles of this installation.")
	}
	if row.Ticket != "" {
		row.TicketBy = 0
	}
	s.checkTicketBy(&c, tx, row)
	checkTimes(&c, tx, row, terms)
	return row, reason, c.err()
}

func (s *Service) checkTicketBy(c *inputs, tx *db.Tx, row grantRow) {
	switch {
	case row.TicketBy != 0 && (row.TicketBy <= tx.NowMillis() || row.TicketBy > tx.Now.Add(maxNoTicket).UnixMilli()):
		c.add("/no_ticket_until", "A ticket is filled in within 24 hours.")
	case row.Ticket == "" && row.TicketBy == 0 && s.ticketsNeeded() && GrantKind(row.Kind) == GrantNormal:
		c.add("/ticket", "Enter the ticket, or say by when it will be filled in.")
	}
}

func (s *Service) ticketsNeeded() bool { return s.opts.TicketLink != "" || s.opts.CheckTicket != nil }

func checkTimes(c *inputs, tx *db.Tx, row grantRow, terms Terms) {
	from, until := millis(row.FromAt), millis(row.UntilAt)
	switch {
	case row.UntilAt == 0:
		c.add("/until", "Say until when. Access ends by itself, and can be renewed.")
	case !until.After(from) || !until.After(tx.Now):
		c.add("/until", "It must end after it begins, and after now.")
	case GrantKind(row.Kind) == GrantBreakGlass && until.Sub(from) > maxBreakGlass:
		c.add("/until", "Emergency access lasts four hours at most.")
	case until.Sub(from) > time.Duration(terms.MaxDays)*24*time.Hour:
		c.add("/until", fmt.Sprintf("Access lasts %d days at most, as agreed with this customer.", terms.MaxDays))
	}
	switch {
	case from.Before(tx.Now.Add(-time.Minute)):
		c.add("/from", "It cannot begin in the past.")
	case from.Sub(tx.Now) > maxAhead:
		c.add("/from", "It begins within 92 days.")
	case GrantKind(row.Kind) == GrantBreakGlass && from.After(tx.Now.Add(time.Minute)):
		c.add("/from", "Emergency access begins now.")
	}
}

// personsOf are those whom a grant reaches: its person, or the members of its
// team now and later.
func (s *Service) personsOf(tx *db.Tx, row grantRow) ([]personRow, error) {
	ids := []string{row.PersonID}
	if row.TeamID != "" {
		if _, err := oneTeam(tx, row.TeamID); err != nil {
			return nil, controlplane.Invalid(controlplane.Field{Pointer: "/team", Message: "There is no such team."})
		}
		members, err := membersOf(tx, []string{row.TeamID})
		if err != nil {
			return nil, err
		}
		ids = nil
		for _, m := range members[row.TeamID] {
			if m.UntilAt == 0 || m.UntilAt > tx.NowMillis() {
				ids = append(ids, m.PersonID)
			}
		}
	}
	rows, err := personRows(tx, unique(ids))
	if err != nil {
		return nil, err
	}
	if row.PersonID != "" && (len(rows) == 0 || rows[0].CustomerID != "" && rows[0].CustomerID != row.CustomerID) {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/person", Message: "There is no such person."})
	}
	return rows, nil
}

// alone refuses a grant to a customer's own person where it would reach a server
// that others share: they would read a stranger's name on their lists.
func (s *Service) alone(tx *db.Tx, persons []personRow, customer string) error {
	if !slices.ContainsFunc(persons, func(p personRow) bool { return PersonKind(p.Kind) == KindCustomer }) {
		return nil
	}
	servers, err := s.sharedServers(tx, []string{customer})
	if err != nil || len(servers) == 0 {
		return err
	}
	return conflict("Let them in by an account of their own, as an entry.", "This customer shares a server with others, whom a customer's own person must not reach")
}

func whoPointer(row grantRow) string {
	if row.TeamID != "" {
		return "/team"
	}
	return "/person"
}

// grantedAlready refuses a grant that gives nothing more than one that is there.
func grantedAlready(tx *db.Tx, row grantRow) error {
	there, err := openGrants(tx, row.CustomerID, row.PersonID, row.TeamID, row.Role)
	if err != nil {
		return err
	}
	for _, g := range there {
		if g.FromAt <= row.FromAt && g.UntilAt >= row.UntilAt && GrantKind(row.Kind) == GrantNormal {
			return conflict("Extend that one, or choose another role or time.", "The same is granted already, until %s", day(millis(g.UntilAt)))
		}
	}
	return nil
}

// needs are the approvals that a grant waits for; own is one to whoever grants
// it. In an emergency nothing waits.
func needs(row grantRow, terms Terms, own bool) string {
	var out []string
	switch {
	case GrantKind(row.Kind) != GrantNormal:
		return ""
	case terms.SecondPerson || own:
		out = append(out, needSecond)
	}
	if terms.CustomerApproves {
		out = append(out, needCustomer)
	}
	return strings.Join(out, ",")
}

// insertGrant stores a new grant: in force, or proposed.
func (s *Service) insertGrant(tx *db.Tx, row *grantRow, reason string) (err error) {
	if row.Reason, err = s.seal(row.CustomerID, "access_grants", "reason", row.ID, reason); err != nil {
		return err
	}
	row.State = string(GrantProposed)
	if row.Needs != "" {
		row.AnswerBy = tx.Now.Add(answerTime).UnixMilli()
	}
	if GrantKind(row.Kind) == GrantBreakGlass {
		row.ReviewBy = s.nextWorkingDay(tx.Now).UnixMilli()
	}
	row.NextAt = row.next(tx.NowMillis())
	if err := db.Insert(tx, row); err != nil {
		return err
	}
	if err := s.grantEntry(tx, *row, "grant.made", map[string]any{"person": row.PersonID, "team": row.TeamID, "role": row.Role, "kind": row.Kind, "ticket": row.Ticket,
		"ticket_by": controlplane.Instant(millis(row.TicketBy)), "from": controlplane.Instant(millis(row.FromAt)), "until": controlplane.Instant(millis(row.UntilAt)), "needs": row.Needs, "owner": row.OwnerID, "alone": row.Alone == 1}, reason); err != nil {
		return err
	}
	if row.Needs == "" {
		return s.activate(tx, row)
	}
	if slices.Contains(row.needs(), needCustomer) {
		if err := s.askCustomer(tx, *row, reason); err != nil {
			return err
		}
	}
	return s.grantChanged(tx, *row)
}

// activate puts a grant in force that needs nothing more.
func (s *Service) activate(tx *db.Tx, row *grantRow) error {
	row.State, row.AnswerBy, row.Needs = string(GrantActive), 0, ""
	row.FromAt = max(row.FromAt, tx.NowMillis())
	row.BegunAt = tx.NowMillis()
	if err := s.raiseAtStart(tx, *row); err != nil {
		return err
	}
	if err := s.saveGrant(tx, row); err != nil {
		return err
	}
	_, err := s.settleGrants(tx, []string{row.ID}, "")
	return err
}

// saveGrant writes a grant that was changed, and tells whoever follows grants.
func (s *Service) saveGrant(tx *db.Tx, row *grantRow) error {
	row.NextAt = row.next(tx.NowMillis())
	if err := db.Save(tx, row); err != nil {
		return err
	}
	return s.grantChanged(tx, *row)
}

func (s *Service) grantChanged(tx *db.Tx, row grantRow) error {
	if len(s.onGrant) > 0 {
		all, err := s.fullGrants(tx, []grantRow{row})
		if err != nil {
			return err
		}
		for _, f := range s.onGrant {
			if err := f(tx, all[0]); err != nil {
				return err
			}
		}
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish(TopicLists) })
	return nil
}

func (s *Service) grantEntry(tx *db.Tx, row grantRow, kind string, data map[string]any, reason string) error {
	var personal map[string]string
	if reason != "" {
		personal = map[string]string{"reason": reason}
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: row.CustomerID, Subject: row.ID, Kind: kind, Data: data, Personal: personal})
	return err
}

// checkTicket asks the ticket system, before any transaction. It may be down
// where the ticket may be filled in later.
func (s *Service) checkTicket(ctx context.Context, ticket string, later time.Time) error {
	if s.opts.CheckTicket == nil || ticket == "" {
		return nil
	}
	answer, err := s.opts.CheckTicket(ctx, ticket)
	switch {
	case err != nil && later.IsZero():
		return controlplane.Errorf(controlplane.CodeUnavailable, "Try again, or leave the ticket empty and say by when it will be filled in.", "The ticket system does not answer").Because(err)
	case err != nil:
		return controlplane.Errorf(controlplane.CodeUnavailable, "Leave the ticket empty now: it is filled in later.", "The ticket system does not answer, so this ticket cannot be checked").Because(err)
	case answer == TicketGood:
		return nil
	case answer == TicketClosed:
		return controlplane.Invalid(controlplane.Field{Pointer: "/ticket", Message: "This ticket is closed. Open it again, or enter another one."})
	}
	return controlplane.Invalid(controlplane.Field{Pointer: "/ticket", Message: "The ticket system does not know this ticket. Check the number."})
}
