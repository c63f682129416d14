package incidents

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
)

// significantAware is since when a significant incident is known, which is not the
// same as that somebody's data was compromised: since anybody was certain of the
// incident itself, or of its data, whichever is earlier. Where nobody was, and it is
// significant all the same, since the earliest word about it.
func (d *dossier) significantAware(s law.Significance) (since time.Time, shadow bool) {
	suspected, certain := d.caseAware()
	if a, ok := d.effective(law.TheIncident, law.Certain); ok {
		certain = earlier(certain, a.At)
	}
	if !certain.IsZero() {
		return certain, false
	}
	if a, ok := d.effective(law.TheIncident, law.Suspected); ok {
		suspected = earlier(suspected, a.At)
	}
	return suspected, s.Answer != law.Yes
}

// becameSignificant notes since when an incident is recorded as significant: d is what
// it was before, data what it is now.
func (d *dossier) becameSignificant(data *caseData) {
	entity := d.company().Entity
	if law.Significant(entity, impactOf(*data)).Answer == law.Yes && law.Significant(entity, d.impact()).Answer != law.Yes {
		data.SignificantAt = controlplane.Millis(d.now)
	}
}

// noteSignificant writes down that somebody is certain of a significant incident: who
// answers so says so. That a service was away is certain since it was seen, the
// earliest word about the case; anything else since now. Earlier words stand.
func (s *Service) noteSignificant(tx *db.Tx, row caseRow, data *caseData) error {
	d, err := s.dossierIn(tx, everyone(), row.ID)
	if err != nil {
		return err
	}
	is := law.Significant(d.company().Entity, impactOf(*data))
	d.becameSignificant(data)
	if _, certain := d.effective(law.TheIncident, law.Certain); certain || is.Answer != law.Yes {
		return nil
	}
	at := tx.Now
	if seen, _ := d.caseAware(); is.Seen && !seen.IsZero() {
		at = seen
	}
	_, err = s.assert(tx, row, law.Assertion{Customer: law.TheIncident, Certainty: law.Certain, At: at, Ground: "By the answers about its size: " + strings.Join(is.Why, " ")})
	return err
}

// significantClocks are the duties of NIS2 and its like: the chain from the early
// warning to the final report.
func (d *dossier) significantClocks(jurisdiction string) (out []Clock) {
	s := law.Significant(d.company().Entity, d.impact())
	trigger, shadow := d.significantAware(s)
	rules := d.pack().Of(jurisdiction, law.SignificantAware, trigger)
	slices.SortStableFunc(rules, func(a, b law.Rule) int { return cmp.Compare(a.Amount, b.Amount) })
	handed := 0
	for _, rule := range rules {
		c, ok := d.clock(rule, trigger, shadow, d.zone, d.company().Country)
		if !ok {
			continue
		}
		if rule.Recipient == law.ToCustomers {
			c = d.settle(c, d.allTold())
		} else {
			c = d.settle(c, nth(d.handedIn(rule), handed))
			handed++
		}
		out = append(out, d.notSignificant(d.notDueNIS2(d.bySignificance(c, s)), rules))
	}
	if s.Answer != law.No || d.data.SignificantAt > 0 {
		for _, c := range d.finals(jurisdiction) {
			out = append(out, d.notDueNIS2(c))
		}
	}
	return out
}

// notDueNIS2 applies a decision about one rule alone.
func (d *dossier) notDueNIS2(c Clock) Clock {
	if _, ok := d.decidedNIS2(c.Rule); !ok {
		return c
	}
	return d.notDue(c)
}

// decidedNIS2 is the latest decision about a rule that was not made before the incident
// was recorded as significant: that is a new fact, which asks for another.
func (d *dossier) decidedNIS2(rule string) (Decision, bool) {
	x, ok := d.decided(rule)
	return x, ok && x.At.UnixMilli() >= d.data.SignificantAt
}

// notSignificant applies a decision that the early warning is not due to what would
// follow it, as long as whether the incident is significant is not known.
func (d *dossier) notSignificant(c Clock, rules []law.Rule) Clock {
	if c.State != Unknown {
		return c
	}
	for _, r := range rules {
		if r.Recipient == law.ToCustomers {
			continue
		}
		if x, ok := d.decidedNIS2(r.ID); ok && x.NotDue {
			c.State, c.Why = NotDue, "Decided with “"+r.Title+"”: "+x.Reasons
		}
		break
	}
	return c
}

// bySignificance says what an answer makes of a clock that is not met. What was
// significant once is not due by a decision, with reasons, and by no other answer.
func (d *dossier) bySignificance(c Clock, s law.Significance) Clock {
	switch {
	case met(c) || c.State == NotDue:
	case s.Answer == law.No && d.data.SignificantAt > 0:
		c.Why = "It was recorded as significant, and is not any more: decide, with reasons, whether this is due."
	case s.Answer == law.No:
		c.State, c.Shadow, c.Why = NotDue, false, strings.Join(s.Why, " ")
		if c.Why == "" {
			c.Why = "No criterion of significance holds, as far as everything is recorded."
		}
	case s.Answer != law.Yes:
		c.State, c.Why = Unknown, strings.Join(s.Why, " ")
	}
	return c
}

// handedIn are the notices by which a duty of NIS2 or its like was met.
func (d *dossier) handedIn(r law.Rule) []told {
	if r.Recipient == law.ToCSIRT {
		return d.delivered(ToCSIRT, "")
	}
	return d.delivered(ToAuthority, "", regimeOf(r))
}

// allTold is when the last of the customers in a case was told; zero is not yet.
func (d *dossier) allTold() (at time.Time) {
	for _, r := range d.affected {
		if s := d.stateOf(r); s == Cleared || s == "" {
			continue
		}
		one := d.toldAt(r.CustomerID)
		if one.IsZero() {
			return time.Time{}
		}
		if one.After(at) {
			at = one
		}
	}
	return at
}

// lateIn is when a report of a month's progress was handed in: within its last
// week, or after it.
func lateIn(sent []told, due time.Time) time.Time {
	for _, n := range sent {
		if at := controlplane.FromMillis(n.ToldAt); at.After(due.AddDate(0, 0, -7)) {
			return at
		}
	}
	return time.Time{}
}

// finals are the reports after the notification was handed in: a month after it,
// the final one or, while the incident goes on, one of progress; and then the
// final one a month after it was handled.
func (d *dossier) finals(jurisdiction string) (out []Clock) {
	sent := d.delivered(ToCSIRT, "")
	second := 1
	if x, ok := d.decidedNIS2("nis2-23-notification"); ok && x.NotDue {
		second = 0 // the early warning was all of it
	}
	submitted := nth(sent, second)
	if submitted.IsZero() {
		return nil
	}
	final := time.Time{}
	for _, n := range sent {
		if n.Purpose == Final {
			final = controlplane.FromMillis(n.ToldAt)
		}
	}
	handled := controlplane.FromMillis(d.row.HandledAt)
	ongoing := false
	for _, rule := range d.pack().Of(jurisdiction, law.NotificationSubmitted, submitted) {
		c, ok := d.clock(rule, submitted, false, d.zone, d.company().Country)
		if !ok {
			continue
		}
		done := final
		if ongoing = handled.IsZero() || handled.After(c.Strict); ongoing {
			done = earlier(final, lateIn(sent[second+1:], c.Strict))
			c.Title += ", or one of progress while it goes on"
		}
		out = append(out, d.settle(c, done))
	}
	if handled.IsZero() || !ongoing {
		return out
	}
	for _, rule := range d.pack().Of(jurisdiction, law.IncidentHandled, handled) {
		if c, ok := d.clock(rule, handled, false, d.zone, d.company().Country); ok {
			out = append(out, d.settle(c, final))
		}
	}
	return out
}
