package access

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Extend moves a grant's end, with a reason of its own. It needs what a new grant
// needs: where that is an answer, a grant is proposed that goes on with this one.
// Permission: access.write.
func (s *Service) Extend(ctx context.Context, scope policy.Scope, grant string, until time.Time, reason, ticket string) (Grant, error) {
	if err := s.checkTicket(ctx, ticket, time.Time{}); err != nil {
		return Grant{}, err
	}
	return s.writeGrant(ctx, func(tx *db.Tx) (grantRow, error) {
		row, err := db.One[grantRow](tx, scope, "grant", grant)
		if err != nil {
			return row, err
		}
		switch {
		case GrantState(row.State) != GrantActive:
			return row, conflict("Grant it anew.", "This grant is not in force")
		case GrantKind(row.Kind) == GrantBreakGlass:
			return row, conflict("Grant normal access, or a new emergency.", "Emergency access is not extended")
		case controlplane.Millis(until) <= row.UntilAt:
			return row, controlplane.Invalid(controlplane.Field{Pointer: "/until", Message: "This is no later than its end now, " + day(millis(row.UntilAt)) + "."})
		}
		return s.extend(tx, scope, row, until, reason, ticket)
	})
}

func (s *Service) extend(tx *db.Tx, scope policy.Scope, row grantRow, until time.Time, reason, ticket string) (grantRow, error) {
	terms, err := s.termsIn(tx, row.CustomerID)
	if err != nil {
		return row, err
	}
	in := NewGrant{Customer: row.CustomerID, Person: row.PersonID, Team: row.TeamID, Role: row.Role, Kind: GrantNormal, Reason: reason, Ticket: ticket, From: later2(tx.Now, millis(row.FromAt)), Until: until}
	next, reason, err := s.checkGrant(tx, in, terms)
	if err != nil {
		return row, err
	}
	persons, err := s.personsOf(tx, row)
	if err != nil {
		return row, err
	}
	own, err := s.namesStaff(tx, persons, next.GrantedBy)
	if err != nil {
		return row, err
	}
	if needs(next, terms, own) != "" {
		return s.grantIn(tx, scope, in, "")
	}
	if err := s.Hold(tx, row.CustomerID, row.ID, row.Ticket, next.Ticket); err != nil {
		return row, err
	}
	if err := s.gate(tx, whoPointer(row), persons, terms, tx.Now); err != nil {
		return row, err
	}
	if err := s.keepWords(tx, row); err != nil {
		return row, err
	}
	was := row.UntilAt
	row.UntilAt = next.UntilAt
	if next.Ticket != "" {
		row.Ticket, row.TicketBy = next.Ticket, 0
	}
	if row.Reason, err = s.seal(row.CustomerID, "access_grants", "reason", row.ID, reason); err != nil {
		return row, err
	}
	if GrantKind(row.Kind) == GrantBaseline { // somebody has looked at it and said why
		row.Kind, row.ReviewBy = string(GrantNormal), 0
		if err := s.findings.Close(tx, findingOf(kindBaseline, row), "it was granted anew"); err != nil {
			return row, err
		}
	}
	row.Version++
	if err := s.findings.Close(tx, findingOf(kindExpiring, row), "it was extended"); err != nil {
		return row, err
	}
	if err := s.grantEntry(tx, row, "grant.extended", map[string]any{"from": controlplane.Instant(millis(was)), "until": controlplane.Instant(until), "ticket": row.Ticket}, reason); err != nil {
		return row, err
	}
	if err := s.saveGrant(tx, &row); err != nil {
		return row, err
	}
	_, err = s.settleGrants(tx, []string{row.ID}, "")
	return row, err
}

func later2(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Revoke ends a grant now, with why. Revoking it again changes nothing. Permission: access.write.
func (s *Service) Revoke(ctx context.Context, scope policy.Scope, grant, why string) (Grant, error) {
	return s.writeGrant(ctx, func(tx *db.Tx) (grantRow, error) {
		row, err := db.One[grantRow](tx, scope, "grant", grant)
		if err != nil {
			return row, err
		}
		return row, s.revokeIn(tx, &row, why)
	})
}

// revokeIn is Revoke inside a transaction.
func (s *Service) revokeIn(tx *db.Tx, row *grantRow, why string) error {
	var c inputs
	if why = c.line("/why", why, maxReason, "Say why, in a sentence: the customer reads it."); c.err() != nil {
		return c.err()
	}
	if state := GrantState(row.State); state != GrantActive && state != GrantProposed {
		return nil
	}
	return s.endGrant(tx, row, GrantRevoked, tx.NowMillis(), actorOf(tx.Context()).ID, why)
}

// endGrant ends a grant that is proposed or active, and what it put on lists.
func (s *Service) endGrant(tx *db.Tx, row *grantRow, state GrantState, at int64, by, why string) (err error) {
	listed := GrantState(row.State) == GrantActive
	if err := s.endRow(tx, row, state, at, by, why); err != nil || !listed {
		return err
	}
	_, err = s.settleGrants(tx, []string{row.ID}, why)
	return err
}

// endRow is endGrant without the lists.
func (s *Service) endRow(tx *db.Tx, row *grantRow, state GrantState, at int64, by, why string) (err error) {
	if row.EndedWhy, err = s.seal(row.CustomerID, "access_grants", "ended_why", row.ID, why); err != nil {
		return err
	}
	row.State, row.EndedAt, row.EndedBy, row.Needs, row.AnswerBy = string(state), at, by, "", 0
	row.Version++
	if err := s.closeEnded(tx, *row); err != nil {
		return err
	}
	if err := s.grantEntry(tx, *row, "grant."+string(state), map[string]any{"at": controlplane.Instant(millis(at)), "by": by}, why); err != nil {
		return fmt.Errorf("end grant: %w", err)
	}
	return s.saveGrant(tx, row)
}

// closeEnded closes the findings that a grant can have and that its end settles.
func (s *Service) closeEnded(tx *db.Tx, row grantRow) error {
	var kinds []string
	if left := row.UntilAt - tx.NowMillis(); left <= renewals[0].Milliseconds() && row.UntilAt-row.FromAt >= 2*renewals[len(renewals)-1].Milliseconds() {
		kinds = append(kinds, kindExpiring)
	}
	if row.TicketBy != 0 {
		kinds = append(kinds, kindTicket)
	}
	if GrantKind(row.Kind) == GrantBaseline {
		kinds = append(kinds, kindBaseline)
	}
	for _, kind := range kinds {
		if err := s.findings.Close(tx, findingOf(kind, row), "the grant has ended"); err != nil {
			return err
		}
	}
	return nil
}
