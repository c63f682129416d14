package web

import (
	"cmp"
	"slices"

	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// openShown is how many open cases the first page of incidents shows.
const openShown = 200

// incidentList is what is open: the cases with what is due next, those that are
// late first, and the reports nobody has looked at.
func (p *Portal) incidentList(v *visit) error {
	page, err := v.incidentListPage()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) incidentListPage() (*Incidents, error) {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return nil, err
	}
	page := v.incidentsPage("/incidents", v.t("inc.title"), "")
	open, next, err := v.p.Incidents.List(v.ctx, scope, incidents.CaseFilter{State: incidents.Open, Drills: true, Limit: openShown})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(open, soonest)
	waiting, err := v.p.Incidents.Reports(v.ctx, scope, true)
	if err != nil {
		return nil, err
	}
	v.saidOfIncidents(page, open, len(waiting))
	if v.mayAct() {
		page.Quick = &BoxForm{ID: "happened", Title: v.t("inc.happened"), Lead: v.t("inc.happened_lead"), Action: "/incidents", Do: v.t("inc.happened_do"),
			Fields: []FormField{v.entered("title", v.t("inc.happened_field"), "").hint(v.t("inc.happened_hint"))}}
		page.Acts = []Act{{Label: v.t("inc.happened_more"), Href: "/incidents/new"}}
	}
	page.Find = v.seekBox("/incidents/find", v.t("inc.find_label"))
	page.Needs = v.reportNeeds(waiting)
	cases := Section{ID: "open", Title: v.t("inc.open"), Empty: v.t("inc.open_empty")}
	if cases.Grid, err = v.caseGrid(open); err != nil {
		return nil, err
	}
	if next != "" {
		cases.Notes = []string{v.t("inc.open_more", "n", openShown)}
	}
	old := Section{ID: "closed", Title: v.t("inc.past"), Empty: v.t("inc.past_empty")}
	if old, err = v.pastCases(scope, old); err != nil {
		return nil, err
	}
	page.Sections = []Section{cases, old}
	return page, nil
}

// pastCases are the latest that have ended.
func (v *visit) pastCases(scope policy.Scope, sec Section) (Section, error) {
	token := v.c.QueryParam("page")
	items, next, err := v.p.Incidents.List(v.ctx, scope, incidents.CaseFilter{Drills: true, Limit: 50, Token: token})
	if err != nil {
		return sec, err
	}
	ended := slices.DeleteFunc(items, func(c incidents.Case) bool { return c.State == incidents.Open })
	if sec.Grid, err = v.caseGrid(ended); err != nil {
		return sec, err
	}
	sec.Pager = pagerFor("/incidents", nil, token, next)
	return sec, nil
}

// soonest puts what is late first, then what is due next, then what is newest.
func soonest(a, b incidents.Case) int {
	first := func(x incidents.Case) int {
		switch {
		case x.Late:
			return 0
		case !x.NextDue.IsZero():
			return 1
		}
		return 2
	}
	return cmp.Or(first(a)-first(b), a.NextDue.Compare(b.NextDue), b.OpenedAt.Compare(a.OpenedAt))
}

// saidOfIncidents is the sentence: what is late, what is due next, what waits.
func (v *visit) saidOfIncidents(page *Incidents, open []incidents.Case, waiting int) {
	late, real := 0, 0
	var next *incidents.Case
	for i, c := range open {
		if c.Drill {
			continue
		}
		real++
		if c.Late {
			late++
		}
		if !c.NextDue.IsZero() && c.NextDue.After(v.now) && (next == nil || c.NextDue.Before(next.NextDue)) {
			next = &open[i]
		}
	}
	tx := v.p.tx
	switch {
	case late > 0:
		page.Say, page.Tone = v.t("inc.say_late", "n", late, "number", capital(tx.Number(late))), ToneBad
	case next != nil:
		page.Say, page.Tone = v.t("inc.say_due", "n", real, "number", capital(tx.Number(real)), "left", v.hours(next.NextDue.Sub(v.now))), ToneWarn
	case real > 0:
		page.Say, page.Tone = v.t("inc.say_open", "n", real, "number", capital(tx.Number(real))), ToneWarn
	case waiting > 0:
		page.Say, page.Tone = v.t("inc.say_reports", "n", waiting, "number", capital(tx.Number(waiting))), ToneWarn
	default:
		page.Say, page.Tone = v.t("inc.say_none"), ToneGood
	}
	if waiting > 0 && page.Say != v.t("inc.say_reports", "n", waiting, "number", capital(tx.Number(waiting))) {
		page.Sub = v.t("inc.sub_reports", "n", waiting)
	}
}

// reportNeeds are the reports that wait, as a list of what needs a person.
func (v *visit) reportNeeds(waiting []incidents.Report) []Need {
	var out []Need
	for _, r := range waiting[:min(len(waiting), shownNeeds)] {
		n := Need{State: State{ToneWarn, v.t("inc.report_waits")}, Title: short(plain(r.Text)), Cause: v.reportFrom(r), Since: r.ReceivedAt}
		n.Action = Link{v.t("inc.report_look"), "/incidents/reports/" + r.ID}
		out = append(out, n)
	}
	return out
}

// short is the beginning of a sentence.
func short(s string) string {
	if r := []rune(s); len(r) > 160 {
		return string(r[:160]) + "…"
	}
	return s
}

// caseGrid is cases as a table: what, what is due next, and who leads.
func (v *visit) caseGrid(items []incidents.Case) (Grid, error) {
	var ids []string
	for _, c := range items {
		ids = append(ids, c.Lead)
	}
	who, err := v.staffNames(ids...)
	if err != nil {
		return Grid{}, err
	}
	g := Grid{Heads: []string{v.t("inc.col_case"), v.t("inc.col_due"), v.t("col.state"), v.t("inc.col_lead"), v.t("inc.col_opened")}}
	for _, c := range items {
		name := Cell{Link: Link{short(plain(c.Title)), "/incidents/" + c.ID}, Strong: true, Notes: []string{c.Number}}
		if c.Drill {
			name.Notes = append(name.Notes, v.t("inc.drill"))
		}
		g.Rows = append(g.Rows, GridRow{Cells: []Cell{name, v.caseDue(c), {State: v.caseState(c)}, {Link: Link{Label: who[c.Lead]}}, {At: c.OpenedAt}}})
	}
	return g, nil
}

// caseDue is what is due next in a case, with the time left and its zone.
func (v *visit) caseDue(c incidents.Case) Cell {
	if c.State != incidents.Open {
		return Cell{Notes: []string{"–"}}
	}
	if c.NextDue.IsZero() {
		if c.Late {
			return Cell{State: State{ToneBad, v.t("inc.passed_some")}}
		}
		if !c.ShadowDue.IsZero() {
			return v.shadowDue(c)
		}
		return Cell{Notes: []string{v.t("inc.none_runs")}}
	}
	zone := caseZone(c, v.zone)
	when := v.t("inc.in_zone", "when", moment(v.p.tx, c.NextDue, v.now, zone), "zone", c.NextDue.In(zone).Format("MST"))
	if left := c.NextDue.Sub(v.now); left < 0 {
		return Cell{State: State{ToneBad, v.t("inc.late_by", "span", v.hours(left))}, Notes: []string{when}}
	}
	tone := ToneBusy
	if c.NextDue.Sub(v.now) < dueSoon {
		tone = ToneWarn
	}
	return Cell{State: State{tone, v.t("inc.left", "span", v.hours(c.NextDue.Sub(v.now)))}, Notes: []string{when}}
}

// shadowDue is what would be due first in a case, were it certain.
func (v *visit) shadowDue(c incidents.Case) Cell {
	zone := caseZone(c, v.zone)
	when := v.t("inc.in_zone", "when", moment(v.p.tx, c.ShadowDue, v.now, zone), "zone", c.ShadowDue.In(zone).Format("MST"))
	look := State{ToneUnknown, v.t("inc.left", "span", v.hours(c.ShadowDue.Sub(v.now)))}
	if c.ShadowDue.Before(v.now) {
		look = State{ToneWarn, v.t("inc.c_shadow_late")}
	}
	return Cell{State: look, Notes: []string{when, v.t("inc.were_it")}}
}

// incidentOpen opens a case with one sentence, and leads on to it.
func (p *Portal) incidentOpen(v *visit) error {
	scope, err := v.scope(policy.IncidentWrite)
	if err != nil {
		return err
	}
	c, err := p.Incidents.Open(v.ctx, scope, incidents.NewCase{Title: v.formValue("title")})
	if err != nil {
		page, perr := v.incidentListPage()
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/incidents/"+c.ID, "inc_opened")
}
