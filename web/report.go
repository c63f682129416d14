package web

import (
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// reportForm is where anybody says that something may be wrong, without signing
// in and without a script.
func (v *visit) reportForm() *AccessForm {
	page := v.accessForm(v.t("inc.pub_title"), v.t("inc.pub_say"), "/report", "/", v.t("inc.pub_do"))
	page.Nav = ""
	if v.p.o.Company != "" {
		page.Say = v.t("inc.pub_say_at", "company", v.p.o.Company)
	}
	page.Lines = []string{v.t("inc.pub_1"), v.t("inc.pub_2"), v.t("inc.pub_3"), v.t("inc.pub_4", "n", v.p.Incidents.ReporterMonths())}
	page.Fields = []FormField{v.entered("text", v.t("inc.pub_text"), "").rows(6).hint(v.t("inc.pub_text_hint")), v.entered("name", v.t("inc.pub_name"), "").optional(), v.entered("contact", v.t("inc.pub_contact"), "").optional().hint(v.t("inc.pub_contact_hint"))}
	return page
}

// report is the public page; after a report it says the reference.
func (p *Portal) report(v *visit) error {
	if v.actor.Kind == controlplane.ActorContact {
		return v.c.Redirect(http.StatusSeeOther, "/notices/report")
	}
	page := v.reportForm()
	if ref := v.c.QueryParam("ref"); controlplane.ValidID(controlplane.PrefixReport, ref) {
		page.Title, page.Say, page.Tone, page.Do, page.Fields = v.t("inc.pub_thanks"), v.t("inc.pub_thanks_say"), ToneGood, "", nil
		page.Lines, page.About, page.Answers = []string{v.t("inc.pub_thanks_1"), v.t("inc.pub_thanks_2")}, v.t("inc.pub_ref"), []Pair{{Label: v.t("inc.pub_ref_label"), Value: ref, Mono: true}}
	}
	return v.render(page)
}

func (p *Portal) reportSend(v *visit) error {
	page := v.reportForm()
	in := incidents.NewReport{Source: incidents.FromPublic, Text: v.text("text"), Name: v.formValue("name"), Contact: v.formValue("contact"), Address: v.c.RealIP()}
	r, err := p.Incidents.Report(v.ctx, policy.Scope{}, in)
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/report?"+query("ref", r.ID), "")
}

// reportFrom is who reported something, in words.
func (v *visit) reportFrom(r incidents.Report) string {
	return join(wordOf(v, reportSources, r.Source), plain(r.Name), plain(r.Contact))
}

// reports are all reports, those that nobody has looked at first.
func (p *Portal) reports(v *visit) error {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return err
	}
	items, err := p.Incidents.Reports(v.ctx, scope, v.c.QueryParam("all") == "")
	if err != nil {
		return err
	}
	page := v.incidentsPage("/incidents/reports", v.t("inc.reports"), "")
	waiting := 0
	for _, r := range items {
		if r.DecidedAt.IsZero() {
			waiting++
		}
	}
	page.Say, page.Tone = v.t("inc.say_reports", "n", waiting, "number", capital(p.tx.Number(waiting))), ToneWarn
	if waiting == 0 {
		page.Say, page.Tone = v.t("inc.reports_none"), ToneGood
	}
	page.Sub = v.t("inc.reports_sub")
	page.Acts = []Act{{Label: v.t("inc.reports_all"), Href: "/incidents/reports?all=1"}}
	sec := Section{ID: "reports", Title: v.t("inc.reports"), Empty: v.t("inc.reports_empty")}
	if sec.Grid, err = v.reportGrid(items); err != nil {
		return err
	}
	page.Sections = []Section{sec}
	return v.render(page)
}

// reportGrid is reports as a table.
func (v *visit) reportGrid(items []incidents.Report) (Grid, error) {
	g := Grid{Heads: []string{v.t("inc.rp_text"), v.t("inc.rp_from"), v.t("inc.rp_when"), v.t("col.state")}}
	var customers, staff []string
	for _, r := range items {
		customers, staff = append(customers, r.Customer), append(staff, r.DecidedBy)
	}
	names, err := v.namesOfCustomers(uniq(customers))
	if err != nil {
		return g, err
	}
	who, err := v.staffNames(uniq(staff)...)
	if err != nil {
		return g, err
	}
	for _, r := range items {
		g.Rows = append(g.Rows, GridRow{Cells: []Cell{{Link: Link{orWord(short(plain(r.Text)), r.ID), "/incidents/reports/" + r.ID}, Strong: true}, {Link: Link{Label: v.reportFrom(r)}, Notes: []string{names[r.Customer]}}, {At: r.ReceivedAt}, v.reportState(r, who)}})
	}
	return g, nil
}

func (v *visit) reportState(r incidents.Report, who map[string]string) Cell {
	switch {
	case r.DecidedAt.IsZero():
		return Cell{State: State{ToneWarn, v.t("inc.report_waits")}}
	case r.Case != "":
		return Cell{State: State{ToneGood, v.t("inc.report_case")}, Link: Link{}, Notes: []string{who[r.DecidedBy]}}
	}
	return Cell{State: State{ToneUnknown, v.t("inc.report_aside")}, Notes: []string{plain(r.SetAside), who[r.DecidedBy]}}
}

// reportByID is the report that the address names.
func (v *visit) reportByID(scope policy.Scope) (incidents.Report, error) {
	return v.p.Incidents.ReportByID(v.ctx, scope, v.c.Param("report"))
}

// reportOne is one report, and what becomes of it.
func (p *Portal) reportOne(v *visit) error {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return err
	}
	page, _, err := v.triagePage(scope)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) triagePage(scope policy.Scope) (*AccessForm, incidents.Report, error) {
	r, err := v.reportByID(scope)
	if err != nil {
		return nil, r, err
	}
	page := v.accessForm(v.t("inc.rp_one"), short(trimDot(plain(r.Text)))+".", "/incidents/reports/"+r.ID, "/incidents/reports", "")
	page.Nav, page.Crumbs = "incidents", []Link{{v.t("inc.title"), "/incidents"}, {v.t("inc.reports"), "/incidents/reports"}}
	names, err := v.namesOfCustomers(uniq([]string{r.Customer}))
	if err != nil {
		return nil, r, err
	}
	page.About = v.t("inc.rp_one")
	for _, x := range []Pair{{Label: v.t("inc.rp_text"), Value: plainText(r.Text)}, {Label: v.t("inc.rp_from"), Value: v.reportFrom(r)}, {Label: v.t("col.customer"), Value: names[r.Customer]}, v.whenPair("inc.rp_when", r.ReceivedAt, "unknown"), {Label: v.t("inc.pub_ref_label"), Value: r.ID, Mono: true}} {
		if x.Value != "" {
			page.Answers = append(page.Answers, x)
		}
	}
	if !r.ForgottenAt.IsZero() {
		page.Answers = append(page.Answers, Pair{Label: v.t("inc.rp_forgotten"), Value: v.t("inc.rp_forgotten_at", "when", v.until(r.ForgottenAt))})
	}
	if r.Server != "" {
		page.Answers = append(page.Answers, Pair{Label: v.t("col.server"), Value: v.serverName(r.Server)})
	}
	switch {
	case r.Case != "":
		page.Ways = []Act{{Label: v.t("inc.report_case"), Href: "/incidents/" + r.Case}}
		return page, r, nil
	case !r.DecidedAt.IsZero():
		page.Answers = append(page.Answers, Pair{Label: v.t("inc.report_aside"), Value: plain(r.SetAside)})
		return page, r, nil
	case !v.mayAct():
		return page, r, nil
	}
	open, _, err := v.p.Incidents.List(v.ctx, scope, incidents.CaseFilter{State: incidents.Open, Limit: openShown})
	if err != nil {
		return nil, r, err
	}
	page.Do = v.t("inc.rp_do")
	what := []RoleChoice{{Value: "new", Label: v.t("inc.rp_new"), Note: v.t("inc.rp_new_note")}}
	if len(open) > 0 {
		what = append(what, RoleChoice{Value: "case", Label: v.t("inc.rp_case"), Note: v.t("inc.rp_case_note")})
	}
	what = append(what, RoleChoice{Value: "aside", Label: v.t("inc.rp_aside"), Note: v.t("inc.rp_aside_note")})
	page.Fields = []FormField{v.radiosOf("what", v.t("inc.rp_what"), what, "new"), v.entered("title", v.t("inc.rp_title"), short(plain(r.Text)))}
	if len(open) > 0 {
		options := []Choice{{Value: "", Label: v.t("inc.merge_choose")}}
		for _, c := range open {
			options = append(options, Choice{Value: c.ID, Label: c.Number + ": " + short(plain(c.Title))})
		}
		page.Fields = append(page.Fields, v.entered("case", v.t("inc.rp_which"), "").among(options))
	}
	page.Fields = append(page.Fields, v.entered("aside", v.t("inc.rp_why"), "").optional())
	return page, r, nil
}

func (p *Portal) reportTriage(v *visit) error {
	scope, err := v.scope(policy.IncidentWrite)
	if err != nil {
		return err
	}
	page, r, err := v.triagePage(scope)
	if err != nil {
		return err
	}
	var in incidents.Triage
	switch v.formValue("what") {
	case "new":
		c := incidents.NewCase{Title: v.formValue("title"), Summary: r.Text, Source: r.ID}
		if r.Server != "" {
			c.Servers = []string{r.Server}
		}
		if r.Customer != "" {
			c.Customers = []string{r.Customer}
		}
		in.New = &c
	case "case":
		if in.Case = v.formValue("case"); in.Case == "" {
			return v.invalid(page, controlplane.Invalid(controlplane.Field{Pointer: "/case", Message: v.t("inc.merge_missing")}))
		}
	default:
		if in.Aside = v.text("aside"); in.Aside == "" {
			return v.invalid(page, controlplane.Invalid(controlplane.Field{Pointer: "/aside", Message: v.t("inc.rp_why_missing")}))
		}
	}
	done, err := p.Incidents.Triage(v.ctx, scope, r.ID, in)
	if err != nil {
		return v.invalid(page, err)
	}
	if done.Case != "" {
		return v.redirect("/incidents/"+done.Case, "inc_opened")
	}
	return v.redirect("/incidents/reports", "saved")
}
