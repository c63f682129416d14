package access

import (
	"context"
	"errors"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

// Kinds of finding about grants.
const (
	kindExpiring   = findings.AccessGrantExpiring
	kindTicket     = findings.AccessTicketMissing
	kindBreakGlass = findings.AccessBreakGlassReview
	kindBaseline   = findings.AccessBaselineReview
)

// renewals are how long before its end a renewal of a grant is asked for, where
// it lasts at least twice as long.
var renewals = []time.Duration{14 * 24 * time.Hour, 3 * 24 * time.Hour}

func findingOf(kind string, row grantRow) string { return kind + ":" + row.ID }

// next is when something of a grant is due next; 0 is never.
func (r grantRow) next(now int64) (at int64) {
	soonest := func(t int64) {
		if t > 0 && (at == 0 || t < at) {
			at = t
		}
	}
	ahead := func(t int64) {
		if t > now {
			soonest(t)
		}
	}
	if r.ReviewBy != 0 && r.ReviewedAt == 0 {
		ahead(r.ReviewBy)
	}
	switch GrantState(r.State) {
	case GrantProposed:
		soonest(r.UntilAt)
		soonest(r.AnswerBy)
		if r.Needs == "" {
			soonest(now)
		}
	case GrantActive:
		soonest(r.UntilAt)
		if r.Ticket == "" {
			soonest(r.TicketBy)
		}
		for _, d := range renewals {
			if r.UntilAt-r.FromAt >= 2*d.Milliseconds() {
				ahead(r.UntilAt - d.Milliseconds())
			}
		}
	}
	return at
}

// grantsDue does what is due of grants: answers that did not come, tickets that
// were not filled in, ends, renewals to ask for, reviews.
func (s *Service) grantsDue(ctx context.Context) error {
	var ids []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { ids, err = dueGrants(tx, 500); return err })
	for _, id := range ids {
		err = errors.Join(err, s.due1(ctx, id))
	}
	return err
}

// due1 does what is due of one grant. What people are told of an error is noted
// and does not stop the others.
func (s *Service) due1(ctx context.Context, id string) error {
	ctx = controlplane.System(ctx, "access")
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := grantRows(tx, []string{id})
		if err != nil || len(rows) == 0 {
			return err
		}
		return s.grantDue(tx, rows[0])
	})
	return wrap("due", err)
}

func (s *Service) grantDue(tx *db.Tx, row grantRow) error {
	now := tx.NowMillis()
	state := GrantState(row.State)
	switch {
	case state == GrantProposed && row.Needs != "" && row.AnswerBy <= now:
		return s.endGrant(tx, &row, GrantRefused, row.AnswerBy, "", "nobody answered for twelve hours")
	case state == GrantProposed && row.UntilAt <= now:
		return s.endGrant(tx, &row, GrantRefused, row.UntilAt, "", "its end came before the answer")
	case state == GrantProposed && row.Needs == "":
		err := s.activateChecked(tx, &row)
		if controlplane.ErrorCode(err) == controlplane.CodeInvalid { // a paper has run out meanwhile
			return s.endGrant(tx, &row, GrantRefused, now, "", "a paper was missing when it was answered")
		}
		return err
	case state == GrantActive && row.UntilAt <= now:
		return s.endGrant(tx, &row, GrantExpired, row.UntilAt, "", WhyExpired)
	case state == GrantActive && row.Ticket == "" && row.TicketBy != 0 && row.TicketBy <= now:
		return s.endGrant(tx, &row, GrantExpired, now, "", WhyTicket)
	}
	if err := s.raiseDue(tx, row); err != nil {
		return err
	}
	return s.saveGrant(tx, &row)
}

// raiseDue raises the findings of a grant whose time has come.
func (s *Service) raiseDue(tx *db.Tx, row grantRow) error {
	left := time.Duration(row.UntilAt-tx.NowMillis()) * time.Millisecond
	if GrantState(row.State) == GrantActive {
		for _, d := range renewals {
			if left > d || row.UntilAt-row.FromAt < 2*d.Milliseconds() {
				continue
			}
			severity := findings.Warn
			args := map[string]string{"for": findings.Ago("en", left), "by": day(millis(row.UntilAt))}
			if err := s.raiseGrant(tx, row, kindExpiring, severity, args); err != nil {
				return err
			}
			break
		}
	}
	if row.ReviewBy == 0 || row.ReviewedAt != 0 || row.ReviewBy > tx.NowMillis() {
		return nil
	}
	if GrantKind(row.Kind) == GrantBreakGlass {
		return s.raiseGrant(tx, row, kindBreakGlass, findings.Bad, row.reviewArgs())
	}
	return s.raiseGrant(tx, row, kindBaseline, findings.Bad, map[string]string{"by": day(millis(row.ReviewBy))})
}

// raiseAtStart raises what is open from the first moment of a grant.
func (s *Service) raiseAtStart(tx *db.Tx, row grantRow) error {
	if row.Ticket == "" && row.TicketBy != 0 {
		if err := s.raiseGrant(tx, row, kindTicket, findings.Warn, map[string]string{"by": day(millis(row.TicketBy))}); err != nil {
			return err
		}
	}
	if GrantKind(row.Kind) != GrantBreakGlass {
		return nil
	}
	return s.raiseGrant(tx, row, kindBreakGlass, findings.Warn, row.reviewArgs())
}

// reviewArgs are what the finding of an emergency says of its review.
func (r grantRow) reviewArgs() map[string]string {
	args := map[string]string{"by": day(millis(r.ReviewBy))}
	if r.Alone == 1 {
		args["because"] = "They took it alone, and said that nobody else was awake"
	}
	return args
}

func (s *Service) raiseGrant(tx *db.Tx, row grantRow, kind string, severity findings.Severity, args map[string]string) error {
	all, err := s.fullGrants(tx, []grantRow{row})
	if err != nil {
		return err
	}
	customer, err := s.customers.CustomerIn(tx, everybody, row.CustomerID)
	if err != nil {
		return err
	}
	args["person"], args["where"] = all[0].Who, customer.Name
	if kind == kindBaseline {
		if args["what"], args["person"] = all[0].Who, ""; row.OwnerID != "" {
			names, err := s.namesIn(tx, []string{row.OwnerID})
			if err != nil {
				return err
			}
			args["person"] = names[row.OwnerID]
		}
	}
	return s.findings.Raise(tx, findings.Finding{Key: findingOf(kind, row), Customer: row.CustomerID, Subject: row.ID, Kind: kind, Severity: severity,
		Owner: findings.Ops, Args: args, Link: "/access/grants/" + row.ID})
}

// nextWorkingDay is the end of the next working day after an instant: Monday to
// Friday, in the company's zone. Holidays count as working days, so that a review
// is due too early rather than too late.
func (s *Service) nextWorkingDay(at time.Time) time.Time {
	d := at.In(s.opts.Zone)
	for {
		d = time.Date(d.Year(), d.Month(), d.Day()+1, 0, 0, 0, 0, s.opts.Zone)
		if d.Weekday() != time.Saturday && d.Weekday() != time.Sunday {
			return time.Date(d.Year(), d.Month(), d.Day()+1, 0, 0, 0, 0, s.opts.Zone).UTC()
		}
	}
}
