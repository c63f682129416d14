package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Answer approves or refuses a proposed grant: a second person of ours, who is
// not the one who granted it and gains nothing by it, or a designee of the
// customer. Permission: access.approve.
func (s *Service) Answer(ctx context.Context, scope policy.Scope, grant string, yes bool, note string) (Grant, error) {
	out, err := s.writeGrant(ctx, func(tx *db.Tx) (grantRow, error) {
		row, err := db.One[grantRow](tx, scope, "grant", grant)
		if err != nil {
			return row, err
		}
		as, err := s.answersAs(tx, row)
		if err != nil {
			return row, err
		}
		if yes {
			if err := s.Hold(tx, row.CustomerID, row.ID, row.Ticket); err != nil {
				return row, err
			}
		}
		var c inputs
		if note = c.line("/note", note, maxReason, ""); c.err() != nil {
			return row, c.err()
		}
		return row, s.answer(tx, &row, as, yes, note)
	})
	if err != nil || out.State != GrantProposed || len(out.Needs) > 0 {
		return out, err
	}
	// The customer's transaction sees that customer's rows alone; the lists of
	// others who share a server are the plane's to write.
	if err := s.due1(ctx, out.ID); err != nil {
		return out, err
	}
	return s.GetGrant(ctx, scope, grant)
}

// answersAs says as what the actor may answer a grant.
func (s *Service) answersAs(tx *db.Tx, row grantRow) (string, error) {
	a := actorOf(tx.Context())
	as := needSecond
	if a.Kind == controlplane.ActorContact {
		as = needCustomer
	}
	switch {
	case GrantState(row.State) != GrantProposed || row.AnswerBy != 0 && row.AnswerBy <= tx.NowMillis():
		return "", conflict("Look at how it stands now.", "This grant waits for no answer any more")
	case a.Kind != controlplane.ActorContact && a.Kind != controlplane.ActorStaff:
		return "", controlplane.Errorf(controlplane.CodeForbidden, "Ask a person to do it.", "Only a person answers for access")
	case !slices.Contains(row.needs(), as):
		return "", conflict("Wait for the others.", "This grant does not wait for an answer of yours")
	case as == needCustomer:
		return as, nil
	case a.ID == row.GrantedBy:
		return "", controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to look at it.", "Nobody approves what they granted themselves")
	}
	persons, err := s.personsOf(tx, row)
	if err != nil {
		return "", err
	}
	own, err := s.namesStaff(tx, persons, a.ID)
	if err != nil {
		return "", err
	}
	if own {
		return "", controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to look at it.", "Nobody approves access of their own")
	}
	return as, nil
}

func (s *Service) answer(tx *db.Tx, row *grantRow, as string, yes bool, note string) error {
	a := actorOf(tx.Context())
	sealed, err := s.seal(row.CustomerID, "access_approvals", "note", fmt.Sprint(row.ID, "/", row.Version, "/", as), note)
	if err != nil {
		return err
	}
	if err := db.Insert(tx, &approvalRow{GrantID: row.ID, Round: row.Version, AsKind: as, CustomerID: row.CustomerID, ByID: a.ID, Yes: flag(yes), Note: sealed, At: tx.NowMillis()}); err != nil {
		return err
	}
	if err := s.grantEntry(tx, *row, "grant.answered", map[string]any{"as": as, "yes": yes}, note); err != nil {
		return err
	}
	row.Version++
	if !yes {
		return s.endGrant(tx, row, GrantRefused, tx.NowMillis(), a.ID, note)
	}
	row.Needs = strings.Join(slices.DeleteFunc(row.needs(), func(n string) bool { return n == as }), ",")
	if row.Needs == "" && a.Kind != controlplane.ActorContact {
		return s.activateChecked(tx, row)
	}
	return s.saveGrant(tx, row)
}

// activateChecked is activate for a grant that waited: papers may have run out,
// and people may have left, since it was proposed.
func (s *Service) activateChecked(tx *db.Tx, row *grantRow) error {
	terms, err := s.termsIn(tx, row.CustomerID)
	if err != nil {
		return err
	}
	persons, err := s.personsOf(tx, *row)
	if err != nil {
		return err
	}
	if err := s.gate(tx, whoPointer(*row), persons, terms, millis(max(row.FromAt, tx.NowMillis()))); err != nil {
		return err
	}
	return s.activate(tx, row)
}

// FillTicket gives a grant the ticket that it lacked. Permission: access.write.
func (s *Service) FillTicket(ctx context.Context, scope policy.Scope, grant, ticket string) (Grant, error) {
	if err := s.checkTicket(ctx, ticket, time.Time{}); err != nil {
		return Grant{}, err
	}
	return s.writeGrant(ctx, func(tx *db.Tx) (grantRow, error) {
		row, err := db.One[grantRow](tx, scope, "grant", grant)
		if err != nil {
			return row, err
		}
		var c inputs
		ticket = c.line("/ticket", ticket, maxShort, "Enter the ticket.")
		if err := c.err(); err != nil {
			return row, err
		}
		switch {
		case row.Ticket == ticket:
			return row, nil
		case row.Ticket != "":
			return row, conflict("Extend the grant with the other ticket.", "This grant has its ticket already")
		case GrantState(row.State) != GrantActive && GrantState(row.State) != GrantProposed:
			return row, conflict("Grant it anew.", "This grant is over")
		}
		if err := s.keepWords(tx, row); err != nil {
			return row, err
		}
		row.Ticket, row.TicketBy = ticket, 0
		row.Version++
		if err := s.findings.Close(tx, findingOf(kindTicket, row), "the ticket was filled in"); err != nil {
			return row, err
		}
		if err := s.grantEntry(tx, row, "grant.ticket_filled", map[string]any{"ticket": ticket}, ""); err != nil {
			return row, err
		}
		return row, s.saveGrant(tx, &row)
	})
}

// Review notes that somebody other than its user looked at a break-glass grant
// or a baseline. Permission: access.approve.
func (s *Service) Review(ctx context.Context, scope policy.Scope, grant, note string) (Grant, error) {
	if err := overAll(scope); err != nil {
		return Grant{}, err
	}
	return s.writeGrant(ctx, func(tx *db.Tx) (grantRow, error) {
		row, err := db.One[grantRow](tx, scope, "grant", grant)
		if err != nil {
			return row, err
		}
		var c inputs
		if note = c.line("/note", note, maxReason, "Say what you found, in a sentence."); c.err() != nil {
			return row, c.err()
		}
		persons, err := s.personsOf(tx, row)
		if err != nil {
			return row, err
		}
		a := actorOf(ctx)
		own, err := s.namesStaff(tx, persons, a.ID)
		if err != nil {
			return row, err
		}
		switch {
		case row.ReviewBy == 0:
			return row, conflict("Look at it in a recertification instead.", "This grant needs no review")
		case row.ReviewedAt != 0:
			return row, conflict("Read the review there is.", "This grant was reviewed already")
		case own || GrantKind(row.Kind) == GrantBreakGlass && a.ID == row.GrantedBy:
			return row, controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to look at it.", "Nobody reviews access of their own")
		}
		row.ReviewedBy, row.ReviewedAt = a.ID, tx.NowMillis()
		row.Version++
		if row.ReviewNote, err = s.seal(row.CustomerID, "access_grants", "review_note", row.ID, note); err != nil {
			return row, err
		}
		for _, kind := range []string{kindBreakGlass, kindBaseline} {
			if err := s.findings.Close(tx, findingOf(kind, row), "it was reviewed"); err != nil {
				return row, err
			}
		}
		if err := s.grantEntry(tx, row, "grant.reviewed", map[string]any{}, note); err != nil {
			return row, err
		}
		if GrantKind(row.Kind) == GrantBreakGlass {
			if err := s.tellReviewed(tx, row, note); err != nil {
				return row, err
			}
		}
		return row, s.saveGrant(tx, &row)
	})
}
