package incidents

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// Contain says since when nobody could reach the data any more, and by what:
// exposure is stated until then. Permission: incident.write. Errors: invalid, not
// found, conflict where the case does not go on.
func (s *Service) Contain(ctx context.Context, scope policy.Scope, id string, at At, how string) (out Case, err error) {
	if how, err = textField("/how", how, maxPassage, true); err != nil {
		return out, err
	}
	return s.change(ctx, scope, id, "contain", func(tx *db.Tx, row *caseRow, d *caseData) ([]string, error) {
		t, err := s.when("/at", at, zoneNamed(row.Zone), tx.Now)
		if err != nil {
			return nil, err
		}
		row.ContainedAt, d.ContainedHow = t.UnixMilli(), how
		return nil, s.enter(tx, row.ID, "incident.contained", map[string]any{"at": controlplane.Instant(t)}, map[string]string{"how": how})
	})
}

// Handled says that the incident is handled: a final report is due a month later
// where one of progress was due before. A later word moves it to an earlier time, and
// never to a later one. Permission: incident.write. Errors: invalid, not found,
// conflict for a later time, or where the case does not go on.
func (s *Service) Handled(ctx context.Context, scope policy.Scope, id string, at At, how string) (out Case, err error) {
	if how, err = textField("/how", how, maxPassage, true); err != nil {
		return out, err
	}
	return s.change(ctx, scope, id, "handled", func(tx *db.Tx, row *caseRow, d *caseData) ([]string, error) {
		t, err := s.when("/at", at, zoneNamed(row.Zone), tx.Now)
		if err != nil {
			return nil, err
		}
		if row.HandledAt > 0 && t.UnixMilli() > row.HandledAt {
			return nil, conflict("Write an earlier time, or decide with reasons which report is not due.", "It is recorded as handled at an earlier time, and the final report is due by that")
		}
		row.HandledAt, d.HandledHow = t.UnixMilli(), how
		return nil, s.enter(tx, row.ID, "incident.handled", map[string]any{"at": controlplane.Instant(t)}, map[string]string{"how": how})
	})
}

// Close ends a case: it is over, or it was a false alarm, which everybody who was
// told is told. Where somebody is certain, a false alarm counts once another person
// confirms it (Case.Asked): until then the case goes on. Permission: incident.write.
// Errors: invalid, not found, conflict where a duty runs that nobody has met or
// decided, or a suspicion that nobody has.
func (s *Service) Close(ctx context.Context, scope policy.Scope, id string, in Closing) (out Case, err error) {
	if in.State != Closed && in.State != FalseAlarm {
		return out, invalid("/state", "Say closed or false_alarm.")
	}
	why, err := textField("/why", in.Why, maxPassage, true)
	if err != nil {
		return out, err
	}
	others, err := s.writers(ctx, actorOf(ctx).ID)
	if err != nil {
		return out, wrap("close", err)
	}
	return s.change(ctx, scope, id, "close", func(tx *db.Tx, row *caseRow, d *caseData) ([]string, error) {
		switch {
		case in.State == FalseAlarm:
			if waits, err := s.needsSecond(tx, *row, holding{others: others, act: AskFalseAlarm, why: why}); err != nil || waits {
				return nil, err
			}
		case row.Drill == 0:
			if err := s.mayClose(tx, row.ID); err != nil {
				return nil, err
			}
		}
		return nil, s.end(tx, row, d, in.State, why)
	})
}

// end ends a case.
func (s *Service) end(tx *db.Tx, row *caseRow, d *caseData, state State, why string) error {
	row.State, row.ClosedAt, d.ClosedWhy = string(state), tx.NowMillis(), why
	if err := s.mootAsked(tx, row.ID, "the case has ended"); err != nil {
		return err
	}
	return s.enter(tx, row.ID, "incident.closed", map[string]any{"state": string(state)}, map[string]string{"why": why})
}

// mayClose refuses to close over a duty that runs.
func (s *Service) mayClose(tx *db.Tx, id string) error {
	d, err := s.dossierIn(tx, everyone(), id)
	if err != nil {
		return err
	}
	open, title := 0, ""
	for _, c := range d.clocks() {
		if c.runs() || c.undone() {
			if open++; title == "" {
				title = c.Title
			}
		}
	}
	if _, decided := d.decided(""); !decided && !d.certainOf("") {
		return conflict("Say since when it is certain, that it was a false alarm, or decide with reasons what it was, and close it then.", "It is suspected, and nobody has decided whether it is so")
	}
	if d.row.ours() == law.Unknown {
		return conflict("Say yes or no with what is known of the case, and close it then.", oursUnsaid)
	}
	if d.row.HandledAt == 0 && len(d.delivered(ToCSIRT, "")) > 0 {
		return conflict("Say when it was handled, and how: the final report is due by that.", "The CSIRT was told of this case, and it is not recorded as handled")
	}
	if open == 0 {
		return d.undecided(s.opts.Assess)
	}
	return conflict("Do them, or decide with reasons that they are not due, and close it then.", "%s of this case still run or are undecided, the first is “%s”", count(open, "deadline"), title)
}

// undecided refuses to close over customers about whom nobody has decided.
func (d *dossier) undecided(within time.Duration) error {
	if _, decided := d.decided(""); decided || d.assessBy(within).IsZero() {
		return nil
	}
	return conflict("Say of each whether they are affected, or record a decision with its reasons, and close it then.", "Customers of this case may be affected: nobody told them, and nobody has decided about them")
}

// undone reports whether a clock is a duty of ours without a number that nobody
// met, or of which nobody decided whether a risk makes it due, or whether what
// happened was significant.
func (c Clock) undone() bool {
	rule := c.Deadline.Rule
	if c.State == Unknown && rule.Trigger == law.SignificantAware {
		return true
	}
	if c.State == Unknown && rule.Trigger == law.ProcessorAware && !c.Shadow { // the rules know no time for it
		return true
	}
	return !c.Shadow && rule.Recipient != law.Theirs && (c.State == Running || c.State == Late || c.State == Unknown && rule.Trigger == law.ControllerAware)
}

// Reopen opens a case again. Closed wrongly, its old clocks run on; new facts
// start new ones from Aware, for the case and for everybody known to be affected;
// clocks that were not met, or decided not to be due, stay as they were.
// Permission: incident.write. Errors: invalid, not found, conflict where it is
// open or goes on in another.
func (s *Service) Reopen(ctx context.Context, scope policy.Scope, id string, in Reopening) (out Case, err error) {
	why, err := textField("/why", in.Why, maxPassage, true)
	if err != nil {
		return out, err
	}
	keys, err := s.certainIn(ctx, scope, id)
	if err != nil {
		return out, wrap("reopen", err)
	}
	if err := s.ready(ctx, keys...); err != nil {
		return out, err
	}
	return s.change(ctx, scope, id, "reopen", func(tx *db.Tx, row *caseRow, d *caseData) ([]string, error) {
		at, err := s.awareWhen("/aware", in.Aware, zoneNamed(row.Zone), tx.Now)
		if err != nil {
			return nil, err
		}
		if !in.Wrongly && at.Before(controlplane.FromMillis(row.ClosedAt)) {
			return nil, invalid("/aware", "This was known before the case was closed: it was closed wrongly. Reopen it as closed wrongly, and its old clock runs on.")
		}
		data := map[string]any{"wrongly": in.Wrongly, "was": row.State}
		row.State, row.ClosedAt, d.ClosedWhy = string(Open), 0, ""
		if in.Wrongly {
			return nil, s.enter(tx, row.ID, "incident.reopened", data, map[string]string{"why": why})
		}
		data["aware"] = controlplane.Instant(at)
		d.Eras = append(d.Eras, era{From: row.ClockFrom, Until: tx.NowMillis(), HandledAt: row.HandledAt})
		row.ClockFrom, row.ContainedAt, row.HandledAt, d.ContainedHow, d.HandledHow = tx.NowMillis(), 0, 0, "", ""
		if err := s.enter(tx, row.ID, "incident.reopened", data, map[string]string{"why": why}); err != nil {
			return nil, err
		}
		return s.newClocks(tx, *row, law.Assertion{Certainty: law.Certain, At: at, Ground: why})
	}, Closed, FalseAlarm)
}

// certainIn are the customers known to be affected in a case.
func (s *Service) certainIn(ctx context.Context, scope policy.Scope, ref string) (ids []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := caseRowIn(tx, scope, ref)
		if err != nil {
			return err
		}
		rows, err := affectedRows(tx, row.ID)
		ids = nil
		for _, r := range rows {
			if r.State == string(Certain) {
				ids = append(ids, r.CustomerID)
			}
		}
		return err
	})
	return ids, err
}

// newClocks begins a case's clocks anew.
func (s *Service) newClocks(tx *db.Tx, row caseRow, a law.Assertion) (touched []string, err error) {
	if _, err := s.assert(tx, row, a); err != nil {
		return nil, err
	}
	rows, err := affectedRows(tx, row.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.State != string(Certain) {
			continue
		}
		a.Customer = r.CustomerID
		if _, err := s.assert(tx, row, a); err != nil {
			return nil, err
		}
		touched = append(touched, r.CustomerID)
	}
	return touched, nil
}
