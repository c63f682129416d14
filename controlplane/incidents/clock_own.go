package incidents

import (
	"slices"
	"strconv"
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
	var ours []string
	for _, c := range d.companiesDuring() {
		ours = append(ours, jurisdictions(c, d.data.PeopleIn)...)
	}
	for _, j := range distinct(ours) {
		for _, rule := range d.pack().Of(j, law.ControllerAware, trigger) {
			if c, ok := d.controllerClock(rule, trigger, shadow); ok {
				out = append(out, c)
			}
		}
		out = append(out, d.followUps(j)...)
		out = append(out, d.significantClocks(j)...)
	}
	return out
}

// companiesDuring are who we were to the law while the case was open: who we became
// since takes no duty away that ran. Where nothing was recorded, what was recorded first
// counts from the beginning.
func (d *dossier) companiesDuring() (out []Company) {
	for i, v := range d.companies {
		if v.recordedAt > d.known.UnixMilli() {
			break
		}
		over := i+1 < len(d.companies) && d.companies[i+1].recordedAt <= d.row.OpenedAt
		after := d.row.ClosedAt > 0 && v.recordedAt > d.row.ClosedAt && len(out) > 0
		if !over && !after {
			out = append(out, v.Company)
		}
	}
	if len(out) == 0 {
		return []Company{{}}
	}
	return out
}

// telecomsDuring reports whether we were a provider of public communications while the
// case was open.
func (d *dossier) telecomsDuring() bool {
	return slices.ContainsFunc(d.companiesDuring(), func(c Company) bool { return c.Telecoms })
}

// jurisdictions are whose law is ours: that of the main establishment, and the
// Union's where we have an establishment in it, where people in it are affected, or
// where nothing is recorded. The United Kingdom's is apart, and is ours where people
// in it are affected.
func jurisdictions(c Company, peopleIn []string) []string {
	switch {
	case c.Jurisdiction == "UK" && (c.Establishment || slices.ContainsFunc(peopleIn, law.InUnion)):
		return []string{"UK", "EU"}
	case c.Jurisdiction == "UK":
		return []string{"UK"}
	case slices.Contains(peopleIn, "GB"):
		return []string{"EU", "UK"}
	}
	return []string{"EU"}
}

// everyAuthority are the countries whose authorities are told, each: a controller
// without an establishment in the Union has no lead one. all is false where we have
// an establishment there; without countries, nobody has recorded where people live.
func everyAuthority(c Company, peopleIn []string) (countries []string, all bool) {
	if c.Jurisdiction == "EU" || c.Establishment {
		return nil, false
	}
	for _, p := range peopleIn {
		if law.InUnion(p) {
			countries = append(countries, p)
		}
	}
	return countries, true
}

// toAuthorities settles a duty to tell the authority: where there is no lead one, it
// is met once it was handed in as often as there are countries.
func (d *dossier) toAuthorities(c Clock, rule law.Rule) Clock {
	sent := d.delivered(ToAuthority, "", regimesOf(rule)...)
	countries, all := everyAuthority(d.company(), d.data.PeopleIn)
	if !all || rule.Jurisdiction != "EU" || telecoms(rule) {
		return d.settle(c, nth(sent, 0))
	}
	// What one authority is told later is no first notice to another.
	sent = slices.DeleteFunc(sent, func(n told) bool { return n.Purpose != First })
	c = d.settle(c, nth(sent, max(len(countries), 1)-1))
	if c.State == NotDue {
		return c
	}
	if d.company().Jurisdiction == "" {
		c.Why = "Where the company is established is not recorded: this is the Union’s rule. "
	}
	c.Why += "Without an establishment in the Union, each authority where people live is told"
	if len(countries) == 0 {
		c.Why += ": in which countries that is, is not recorded in the case."
		return c
	}
	c.Why += ": " + strings.Join(countries, ", ") + "."
	if n := len(sent); n > 0 && n < len(countries) {
		c.Why += " Handed in so far: " + strconv.Itoa(n) + " of " + strconv.Itoa(len(countries)) + "."
	}
	return c
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
	if telecoms(rule) && !d.telecomsDuring() {
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
	c = d.toAuthorities(c, rule)
	if risk, decided := d.decidedAsOurs(""); decided && !risk.Authority && !met(c) && !telecoms(rule) {
		c.State, c.Why = NotDue, "Decided: "+risk.Reasons
	}
	if telecoms(rule) {
		return d.notDue(c), true
	}
	return d.notDueAsOurs(c), true
}

// notDueAsOurs applies a decision about one rule alone that was made about our own
// data, unless a later one about the risk says that they are told.
func (d *dossier) notDueAsOurs(c Clock) Clock {
	x, ok := d.decidedAsOurs(c.Rule)
	risk, _ := d.decidedAsOurs("")
	tell := risk.Authority
	if c.Deadline.Rule.Recipient == law.ToPeople {
		tell = risk.People
	}
	if !ok || tell && risk.At.After(x.At) {
		return c
	}
	return d.notDue(c)
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
		c = d.toAuthorities(c, c.Deadline.Rule)
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
	return d.notDueAsOurs(c)
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
	if !d.telecomsDuring() {
		return nil
	}
	sent := d.delivered(ToAuthority, "", "telecoms", "gdpr")
	at := nth(sent, 0)
	if at.IsZero() {
		return nil
	}
	for _, rule := range d.pack().Of(jurisdiction, law.InitialSubmitted, at) {
		if !telecoms(rule) {
			continue
		}
		if c, ok := d.clock(rule, at, false, d.zone, d.company().Country); ok {
			out = append(out, d.notDue(d.settle(c, nth(sent, 1))))
		}
	}
	return out
}
