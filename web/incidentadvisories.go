package web

import (
	"slices"

	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// advisories are what customers were told that is no breach.
func (p *Portal) advisories(v *visit) error {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return err
	}
	items, err := p.Incidents.Advisories(v.ctx, scope)
	if err != nil {
		return err
	}
	page := v.incidentsPage("/incidents/advisories", v.t("inc.advisories"), v.t("inc.advisories_say"))
	if v.mayAct() {
		page.Acts = []Act{{Label: v.t("inc.advisory_new"), Href: "/incidents/advisories/new", Strong: true}}
	}
	var ids []string
	for _, a := range items {
		ids = append(ids, a.By)
	}
	who, err := v.staffNames(ids...)
	if err != nil {
		return err
	}
	sec := Section{ID: "advisories", Title: v.t("inc.advisories"), Empty: v.t("inc.advisories_empty"), Grid: Grid{Heads: []string{v.t("inc.adv_what"), v.t("inc.adv_about"), v.t("inc.adv_for"), v.t("col.state"), v.t("inc.n_by")}}}
	for _, a := range items {
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{plain(a.Title), "/incidents/advisories/" + a.ID}, Strong: true, Notes: []string{wordOf(v, purposes, a.Purpose)}}, {Link: Link{Label: softwareOf(v, a)}}, {Link: Link{Label: v.t("inc.adv_customers", "n", concerned(a))}},
			{State: v.advisoryState(a)}, {Link: Link{Label: who[a.By]}, At: a.MadeAt}}})
	}
	page.Sections = []Section{sec}
	return v.render(page)
}

func softwareOf(v *visit, a incidents.AdvisoryNote) string {
	switch {
	case a.Software == "":
		return "–"
	case a.Below == "":
		return a.Software
	}
	return v.t("inc.adv_below", "software", a.Software, "version", a.Below)
}

// concerned counts the customers of an advisory.
func concerned(a incidents.AdvisoryNote) int {
	all := map[string]bool{}
	for _, r := range a.For {
		all[r.Customer] = true
	}
	return len(all)
}

func (v *visit) advisoryState(a incidents.AdvisoryNote) State {
	switch {
	case a.SentAt.IsZero():
		return State{ToneWarn, v.t("inc.adv_draft")}
	case a.Waiting > 0:
		return State{ToneBusy, v.t("inc.adv_told", "n", a.Told, "waiting", a.Waiting)}
	}
	return State{ToneGood, v.t("inc.adv_all", "n", a.Told)}
}

func (v *visit) advisoryForm() (*AccessForm, error) {
	page := v.accessForm(v.t("inc.advisory_new"), v.t("inc.advisory_say"), "/incidents/advisories", "/incidents/advisories", v.t("inc.advisory_plan"))
	page.Nav, page.Crumbs = "incidents", []Link{{v.t("inc.title"), "/incidents"}, {v.t("inc.advisories"), "/incidents/advisories"}}
	page.Lines = []string{v.t("inc.advisory_1"), v.t("inc.advisory_2")}
	who, err := v.customersField("customers", v.t("col.customers"), v.t("inc.adv_customers_hint"), nil)
	if err != nil {
		return nil, err
	}
	page.Fields = []FormField{v.radiosOf("purpose", v.t("inc.purpose"), []RoleChoice{{Value: string(incidents.Advisory), Label: v.t("inc.p_advisory"), Note: v.t("inc.p_advisory_note")}, {Value: string(incidents.Change), Label: v.t("inc.p_change"), Note: v.t("inc.p_change_note")}}, string(incidents.Advisory)),
		v.entered("title", v.t("inc.adv_title"), ""), v.entered("text", v.t("inc.adv_text"), "").rows(6).hint(v.t("inc.adv_text_hint")), v.entered("software", v.t("inc.adv_software"), "").optional().hint(v.t("inc.adv_software_hint")), v.entered("below", v.t("inc.adv_version"), "").optional(),
		who, v.entered("ground", v.t("inc.adv_ground"), "").optional().hint(v.t("inc.adv_ground_hint"))}
	return page, nil
}

func (p *Portal) advisoryNew(v *visit) error {
	page, err := v.advisoryForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) advisoryPlan(v *visit) error {
	scope, err := v.scope(policy.IncidentWrite)
	if err != nil {
		return err
	}
	page, err := v.advisoryForm()
	if err != nil {
		return err
	}
	who, err := v.customersEntered("customers")
	if err != nil {
		return v.invalid(page, err)
	}
	a, err := p.Incidents.PlanAdvisory(v.ctx, scope, incidents.NewAdvisory{Purpose: incidents.Purpose(v.formValue("purpose")), Title: v.formValue("title"), Text: v.text("text"), Software: v.formValue("software"), Below: v.formValue("below"), Customers: who, Ground: v.text("ground")})
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/incidents/advisories/"+a.ID, "inc_planned")
}

// advisory is one: whom it concerns and why, and how far it is.
func (p *Portal) advisory(v *visit) error {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return err
	}
	a, err := p.Incidents.AdvisoryOf(v.ctx, scope, v.c.Param("advisory"))
	if err != nil {
		return err
	}
	page, err := v.advisoryPage(scope, a)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) advisoryPage(scope policy.Scope, a incidents.AdvisoryNote) (*CaseNotice, error) {
	page := &CaseNotice{Page: v.page("incidents", v.t("inc.advisory"), ""), Exercise: v.exercise(a.Drill), Text: plainText(a.Text)}
	page.Crumbs = []Link{{v.t("inc.title"), "/incidents"}, {v.t("inc.advisories"), "/incidents/advisories"}}
	page.Say, page.Tone = trimDot(plain(a.Title))+". "+v.t("inc.adv_concerns", "n", concerned(a)), v.advisoryState(a).Tone
	page.Facts = []Fact{{Label: v.t("col.state"), State: v.advisoryState(a)}, {Label: v.t("inc.adv_about"), State: State{Word: softwareOf(v, a)}}, v.factAt("inc.n_sent_at", a.SentAt)}
	var customers, servers []string
	for _, r := range a.For {
		customers, servers = append(customers, r.Customer), append(servers, r.Server)
	}
	names, err := v.namesOfCustomers(uniq(customers))
	if err != nil {
		return nil, err
	}
	on, err := v.servers(uniq(append(slices.Clone(a.Silent), servers...)))
	if err != nil {
		return nil, err
	}
	sec := Section{ID: "for", Title: v.t("inc.adv_for"), Lead: v.t("inc.adv_for_lead"), Empty: v.t("inc.adv_for_empty"), Grid: Grid{Heads: []string{v.t("col.customer"), v.t("col.server"), v.t("inc.adv_package"), v.t("inc.adv_seen"), v.t("inc.adv_ground")}}}
	for _, r := range a.For {
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{names[r.Customer], "/customers/" + r.Customer}}, {Link: Link{Label: on[r.Server].Name}}, {Link: Link{Label: join(r.Package, r.Version)}, Code: r.Package != ""}, v.orDash(r.SeenAt), {Notes: []string{plain(r.Ground)}}}})
	}
	page.Sections = []Section{sec}
	if len(a.Silent) > 0 {
		s := Section{ID: "silent", Title: v.t("inc.adv_silent"), Lead: v.t("inc.adv_silent_lead")}
		for _, id := range a.Silent {
			s.Items = append(s.Items, on[id].Name)
		}
		page.Sections = append(page.Sections, s)
	}
	if len(a.Unwritten) > 0 {
		s := Section{ID: "unwritten", Title: v.t("inc.adv_unwritten"), Lead: v.t("inc.adv_unwritten_lead")}
		for _, id := range a.Unwritten {
			s.Items = append(s.Items, names[id])
		}
		page.Sections = append(page.Sections, s)
	}
	notices, err := v.noticesBy(scope, incidents.NoticeFilter{Advisory: a.ID})
	if err != nil {
		return nil, err
	}
	if len(notices) > 0 {
		page.Sections = append(page.Sections, Section{ID: "notices", Title: v.t("inc.notices"), Grid: v.noticeGrid(openFirst(notices), names, nil)})
	}
	open := slices.ContainsFunc(notices, func(n incidents.Notice) bool { return n.State == incidents.Draft || n.State == incidents.Waiting })
	if (open || len(a.Unwritten) > 0) && v.mayAct() {
		page.Forms = []BoxForm{{ID: "send", Title: v.t("inc.adv_send"), Lead: v.t("inc.adv_send_lead"), Action: "/incidents/advisories/" + a.ID + "/send", Do: v.t("inc.adv_send"), Hidden: []Pair{seenOf(notices)}}}
	}
	return page, nil
}

func uniq(ids []string) []string {
	all := map[string]bool{}
	for _, id := range ids {
		if id != "" {
			all[id] = true
		}
	}
	return keysOf(all)
}

func (p *Portal) advisorySend(v *visit) error {
	scope, err := v.scope(policy.IncidentWrite)
	if err != nil {
		return err
	}
	a, err := p.Incidents.SendAdvisory(v.ctx, scope, v.c.Param("advisory"), incidents.Sending{Seen: v.seen()})
	if err != nil {
		was, gerr := p.Incidents.AdvisoryOf(v.ctx, scope, v.c.Param("advisory"))
		if gerr != nil {
			return err
		}
		page, perr := v.advisoryPage(scope, was)
		if perr != nil {
			return err
		}
		return v.invalid(page, err)
	}
	return v.redirect("/incidents/advisories/"+a.ID, "inc_sent")
}
