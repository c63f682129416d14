package web

import (
	"time"

	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// dueSoon is from how little time left on a duty asks for attention.
const dueSoon = 6 * time.Hour

// clocksShown is how many clocks the page of a case shows.
const clocksShown = 12

// clockCards are the duties of a case, what is late or due next first.
func (v *visit) clockCards(c incidents.Case, clocks []incidents.Clock, names map[string]string) []ClockCard {
	var out []ClockCard
	for _, k := range clocks {
		out = append(out, v.clockCard(c, k, names))
	}
	return out
}

// clockRank orders clocks: what is late, what runs, what is not known, the rest.
func clockRank(k incidents.Clock) int {
	switch {
	case k.State == incidents.Late && !k.Shadow:
		return 0
	case k.State == incidents.Running && !k.Shadow:
		return 1
	case k.State == incidents.Running, k.State == incidents.Late:
		return 2
	case k.State == incidents.Unknown:
		return 3
	case k.State == incidents.MetLate:
		return 4
	case k.State == incidents.Met:
		return 5
	}
	return 6
}

func (v *visit) clockCard(c incidents.Case, k incidents.Clock, names map[string]string) ClockCard {
	card := ClockCard{Title: k.Title, Passed: -1, Whose: Link{Label: v.t("inc.us")}, Steps: k.Steps, Why: plain(k.Why)}
	if card.Title == "" {
		card.Title = k.Deadline.Rule.Title
	}
	if k.Customer != "" {
		card.Whose = Link{names[k.Customer], "/customers/" + k.Customer}
	}
	v.clockStands(&card, k)
	if k.Shadow && card.State.Tone != ToneGood && k.State != incidents.Unknown {
		card.Why = join2(v.t("inc.shadow"), card.Why)
	}
	rule := k.Deadline.Rule
	card.Label = v.limitOf(k, rule)
	if !k.Regulation.IsZero() {
		card.Beside = v.t("inc.beside", "when", v.until(k.Regulation))
	}
	for _, x := range []Pair{{Label: v.t("inc.law_source"), Value: rule.Source}, {Label: v.t("inc.law_threshold"), Value: rule.Threshold}, {Label: v.t("inc.law_late"), Value: rule.Late}, {Label: v.t("inc.law_from"), Value: rule.From}} {
		if x.Value != "" {
			card.Law = append(card.Law, x)
		}
	}
	if (k.State == incidents.Running || k.State == incidents.Late) && c.State == incidents.Open && !k.Shadow {
		card.Do = v.clockDo(c, k)
	}
	return card
}

// join2 puts two sentences after each other.
func join2(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

// clockStands is how a duty stands: the time left, or what became of it.
func (v *visit) clockStands(card *ClockCard, k incidents.Clock) {
	number := !k.Strict.IsZero()
	if number {
		card.Until = v.t("inc.until", "when", v.until(k.Strict))
	}
	switch k.State {
	case incidents.Running:
		left := k.Strict.Sub(v.now)
		card.State, card.Big = State{ToneBusy, v.t("inc.c_running")}, v.t("inc.left", "span", v.hours(left))
		if !number {
			card.Big = v.t("inc.undue")
			card.Gone = v.t("inc.since", "when", v.until(k.Trigger))
			return
		}
		if left < dueSoon {
			card.State.Tone = ToneWarn
		}
		if k.Shadow {
			card.State = State{ToneUnknown, v.t("inc.c_shadow")}
		}
		v.passed(card, k.Trigger, k.Strict)
	case incidents.Late:
		card.State, card.Big = State{ToneBad, v.t("inc.c_late")}, v.t("inc.late_by", "span", v.hours(v.now.Sub(k.Strict)))
		if k.Shadow {
			card.State = State{ToneWarn, v.t("inc.c_shadow_late")}
		}
	case incidents.Met:
		card.State, card.Big = State{ToneGood, v.t("inc.c_met")}, v.t("inc.done_at", "when", v.until(k.MetAt))
	case incidents.MetLate:
		card.State, card.Big = State{ToneWarn, v.t("inc.c_met_late", "span", v.hours(k.MetAt.Sub(k.Strict)))}, v.t("inc.done_at", "when", v.until(k.MetAt))
	case incidents.NotDue:
		card.State, card.Big = State{ToneGood, v.t("inc.c_not_due")}, v.t("inc.not_due")
	default:
		card.State, card.Big = State{ToneUnknown, v.t("inc.c_unknown")}, v.t("inc.not_known")
	}
}

// passed is how much of a duty's time is over.
func (v *visit) passed(card *ClockCard, from, to time.Time) {
	all := to.Sub(from)
	if all <= 0 {
		return
	}
	gone := min(max(v.now.Sub(from), 0), all)
	card.Passed = int(gone * 100 / all)
	card.Gone = v.t("inc.gone", "gone", v.hours(gone), "all", v.hours(all))
}

// limitOf says whose number a duty has: the law's, the contract's, or our own
// where the law names none.
func (v *visit) limitOf(k incidents.Clock, r law.Rule) string {
	switch {
	case k.State != incidents.Running && k.State != incidents.Late: // nothing is to be done by it any more, or nobody knows
		return ""
	case k.Contract:
		return v.t("inc.by_contract")
	case r.Undue && r.Amount > 0:
		return v.t("inc.by_us")
	case r.Undue:
		return v.t("inc.by_law_undue")
	}
	return v.t("inc.by_law")
}

// clockDo leads to what meets a duty.
func (v *visit) clockDo(c incidents.Case, k incidents.Clock) Link {
	if !v.mayAct() {
		return Link{}
	}
	at := "/incidents/" + c.ID
	switch k.Deadline.Rule.Recipient {
	case law.ToController, law.ToCustomers:
		return Link{v.t("inc.notices_of"), at + "/notices"}
	case law.ToAuthority, law.ToCSIRT, law.ToPeople:
		return Link{v.t("inc.draft_it"), at + "/notices"}
	case law.ToRegister:
		return Link{v.t("inc.register"), "/incidents/register"}
	}
	return Link{}
}

// incidentClocks are all clocks of a case.
func (p *Portal) incidentClocks(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentRead)
	if err != nil {
		return err
	}
	clocks, err := p.Incidents.Clocks(v.ctx, scope, c.ID)
	if err != nil {
		return err
	}
	names, err := v.namesOfCustomers(customersIn(c))
	if err != nil {
		return err
	}
	page := &Incident{Page: v.page("incidents", v.t("inc.clocks"), v.t("inc.all_clocks", "title", plain(c.Title))), Exercise: v.exercise(c.Drill)}
	page.Crumbs = v.caseCrumbs(c)
	page.Clocks = v.clockCards(c, byUrgency(clocks), names)
	return v.render(page)
}

// customersIn are the customers of a case, by id.
func customersIn(c incidents.Case) (out []string) {
	for _, a := range c.Affected {
		out = append(out, a.Customer)
	}
	return out
}
