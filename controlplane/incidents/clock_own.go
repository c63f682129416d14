package incidents

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents/law"
)

// ownClocks are the duties that are the company's own.
func (d *dossier) ownClocks() (out []Clock) {
	suspected, certain := d.caseAware()
	trigger, shadow := certain, false
	if certain.IsZero() {
		trigger, shadow = suspected, true
	}
	if trigger.IsZero() {
		return nil
	}
	for _, j := range jurisdictions(d.company()) {
		for _, rule := range d.pack(trigger).Of(j, law.ControllerAware, trigger) {
			if c, ok := d.controllerClock(rule, trigger, shadow); ok {
				out = append(out, c)
			}
		}
		out = append(out, d.followUps(j)...)
		out = append(out, d.significantClocks(j, trigger, shadow)...)
	}
	return out
}

// jurisdictions are whose law is ours: that of the main establishment, and the
// Union's where we have an establishment in it, or where nothing is recorded.
func jurisdictions(c Company) []string {
	switch {
	case c.Jurisdiction == "UK" && c.Establishment:
		return []string{"UK", "EU"}
	case c.Jurisdiction == "UK":
		return []string{"UK"}
	}
	return []string{"EU"}
}

// regimeOf is a rule's regime as notices name it.
func regimeOf(r law.Rule) string {
	return strings.ReplaceAll(strings.ToLower(r.Regime), " ", "-")
}

// telecoms are the regimes of providers of public electronic communications.
func telecoms(r law.Rule) bool { return r.Regime == "Telecoms" || r.Regime == "PECR" }

// regimesOf are the regimes of notices that meet a rule: an authority that is told
// as a provider's is told on the form of data protection, too.
func regimesOf(r law.Rule) []string {
	switch r.Regime {
	case "Telecoms":
		return []string{regimeOf(r), "gdpr"}
	case "PECR":
		return []string{regimeOf(r), "uk-gdpr"}
	}
	return []string{regimeOf(r)}
}

// controllerClock is a duty that begins when we, as a controller or a provider,
// are aware. ok is false where the rule is not about us.
func (d *dossier) controllerClock(rule law.Rule, trigger time.Time, shadow bool) (c Clock, ok bool) {
	company := d.company()
	if telecoms(rule) && !company.Telecoms {
		return c, false
	}
	ours := d.row.ours() == law.Yes
	if since := controlplane.FromMillis(d.data.OurDataAt); ours && since.After(trigger) && !telecoms(rule) {
		trigger = since // that it is our data, too, was known later
	}
	if c, ok = d.clock(rule, trigger, shadow, d.zone, company.Country); !ok {
		return c, false
	}
	if d.row.ours() == law.Unknown && !telecoms(rule) {
		return d.oursUnknown(c), true
	}
	if !ours && !telecoms(rule) {
		c.State, c.Shadow, c.Why = NotDue, false, "As recorded, no data of which we are the controller (staff, billing) are touched."
		return c, true
	}
	switch rule.Recipient {
	case law.ToRegister:
		c = d.settle(c, controlplane.FromMillis(d.row.OpenedAt))
		c.Why = "This case is the entry."
		return c, true
	case law.ToPeople:
		return d.peopleClock(c, rule), true
	}
	c = d.settle(c, nth(d.delivered(ToAuthority, "", regimesOf(rule)...), 0))
	if risk, decided := d.decidedAsOurs(""); decided && !risk.Authority && !met(c) && !telecoms(rule) {
		c.State, c.Why = NotDue, "Decided: "+risk.Reasons
	}
	if c.Why == "" && company.Jurisdiction != "EU" && company.Jurisdiction != "UK" {
		c.Why = "Where the company is established is not recorded, or outside of the Union: this is the Union’s rule. Without an establishment in it, each authority where people live is told."
	}
	if _, decided := d.decidedAsOurs(c.Rule); !decided && !telecoms(rule) {
		return c, true
	}
	return d.notDue(c), true
}

// oursUnknown is a duty of which it is not known whether it is ours: nobody has said
// whether our own data are touched. What it shows is what would be due were it so.
func (d *dossier) oursUnknown(c Clock) Clock {
	switch c.Deadline.Rule.Recipient {
	case law.ToRegister:
		c = d.settle(c, controlplane.FromMillis(d.row.OpenedAt))
		c.Why = "This case is the entry."
		return c
	case law.ToPeople:
		c = d.settle(c, nth(d.delivered(ToPeople, "", regimesOf(c.Deadline.Rule)...), 0))
	default:
		c = d.settle(c, nth(d.delivered(ToAuthority, "", regimesOf(c.Deadline.Rule)...), 0))
	}
	if met(c) || c.State == NotDue {
		return c
	}
	c.State, c.Shadow, c.Why = Unknown, true, oursUnsaid+"."
	return c
}

// oursUnsaid says that nobody answered.
const oursUnsaid = "Nobody has said whether our own data (staff, billing) are touched"

// decidedAsOurs is the latest decision about a rule ("" is the risk) that was made
// since our own data is recorded as touched: before, it was about others'.
func (d *dossier) decidedAsOurs(rule string) (Decision, bool) {
	x, ok := d.decided(rule)
	return x, ok && x.At.UnixMilli() >= d.data.OursSaidAt
}

// peopleClock is Article 34: it is due where a high risk was decided.
func (d *dossier) peopleClock(c Clock, rule law.Rule) Clock {
	c = d.settle(c, nth(d.delivered(ToPeople, "", regimesOf(rule)...), 0))
	risk, decided := d.decidedAsOurs("")
	switch {
	case met(c) || c.State == NotDue:
	case !decided:
		c.State, c.Why = Unknown, "Whether a high risk is likely is not decided yet."
	case !risk.People:
		c.State, c.Why = NotDue, "Decided: "+risk.Reasons
	}
	if _, decided := d.decidedAsOurs(c.Rule); !decided {
		return c
	}
	return d.notDue(c)
}

func met(c Clock) bool { return c.State == Met || c.State == MetLate }

// notDue applies a decision about one rule alone.
func (d *dossier) notDue(c Clock) Clock {
	if x, ok := d.decided(c.Rule); ok && x.NotDue && !met(c) {
		c.State, c.Why = NotDue, "Decided: "+x.Reasons
	}
	return c
}

// followUps are what telecoms' authorities are told after the first notice.
func (d *dossier) followUps(jurisdiction string) (out []Clock) {
	if !d.company().Telecoms {
		return nil
	}
	sent := d.delivered(ToAuthority, "", "telecoms", "gdpr")
	at := nth(sent, 0)
	if at.IsZero() {
		return nil
	}
	for _, rule := range d.pack(at).Of(jurisdiction, law.InitialSubmitted, at) {
		if !telecoms(rule) {
			continue
		}
		if c, ok := d.clock(rule, at, false, d.zone, d.company().Country); ok {
			out = append(out, d.notDue(d.settle(c, nth(sent, 1))))
		}
	}
	return out
}

// significantClocks are the duties of NIS2 and its like: the chain from the early
// warning to the final report.
func (d *dossier) significantClocks(jurisdiction string, trigger time.Time, shadow bool) (out []Clock) {
	company := d.company()
	s := law.Significant(company.Entity, d.impact())
	rules := d.pack(trigger).Of(jurisdiction, law.SignificantAware, trigger)
	slices.SortStableFunc(rules, func(a, b law.Rule) int { return cmp.Compare(a.Amount, b.Amount) })
	handed := 0
	for _, rule := range rules {
		c, ok := d.clock(rule, trigger, shadow, d.zone, company.Country)
		if !ok {
			continue
		}
		if rule.Recipient == law.ToCustomers {
			c = d.settle(c, d.allTold())
		} else {
			c = d.settle(c, nth(d.handedIn(rule), handed))
			handed++
		}
		out = append(out, d.notDue(bySignificance(c, s)))
	}
	if s.Answer != law.No {
		for _, c := range d.finals(jurisdiction) {
			out = append(out, d.notDue(c))
		}
	}
	return out
}

// bySignificance says what an answer makes of a clock that is not met.
func bySignificance(c Clock, s law.Significance) Clock {
	switch {
	case met(c) || c.State == NotDue:
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
	if x, ok := d.decided("nis2-23-notification"); ok && x.NotDue {
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
	for _, rule := range d.pack(submitted).Of(jurisdiction, law.NotificationSubmitted, submitted) {
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
	for _, rule := range d.pack(handled).Of(jurisdiction, law.IncidentHandled, handled) {
		if c, ok := d.clock(rule, handled, false, d.zone, d.company().Country); ok {
			out = append(out, d.settle(c, final))
		}
	}
	return out
}
