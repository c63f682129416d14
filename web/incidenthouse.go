package web

import (
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// houseForm begins a form of what holds for every case.
func (v *visit) houseForm(title, say, at, do string) *AccessForm {
	page := v.accessForm(title, say, at, "/incidents", do)
	page.Nav, page.Crumbs = "incidents", []Link{{v.t("inc.title"), "/incidents"}}
	return page
}

var servicesOfLaw = []struct {
	service law.Service
	key     string
}{{law.ManagedService, "inc.srv_managed"}, {law.DataCentre, "inc.srv_dc"}, {law.Cloud, "inc.srv_cloud"}, {law.DNS, "inc.srv_dns"}, {law.TLD, "inc.srv_tld"}}

func jurisdictions(v *visit, none string) []Choice {
	out := []Choice{{Value: "EU", Label: v.t("inc.j_eu")}, {Value: "UK", Label: v.t("inc.j_uk")}, {Value: "other", Label: v.t("inc.j_other")}}
	if none != "" {
		out = append([]Choice{{Value: "", Label: none}}, out[:2]...)
	}
	return out
}

// lawCompanyForm is who we are to the law.
func (v *visit) lawCompanyForm() (*AccessForm, incidents.Company, error) {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return nil, incidents.Company{}, err
	}
	c, err := v.p.Incidents.CompanyProfile(v.ctx, scope)
	if err != nil {
		return nil, c, err
	}
	page := v.houseForm(v.t("inc.company"), v.t("inc.company_say"), "/incidents/company", "")
	page.Lines = []string{v.t("inc.company_1"), v.t("inc.company_2"), v.inScope(c.Entity)}
	if !v.can(policy.IncidentAdmin) {
		page.About, page.Answers = v.t("inc.company"), v.companyPairs(c)
		return page, c, nil
	}
	page.Do = v.t("inc.save")
	page.Fields = []FormField{v.entered("name", v.t("inc.co_name"), c.Name), v.entered("jurisdiction", v.t("inc.co_jurisdiction"), c.Jurisdiction).among(jurisdictions(v, "")), v.entered("country", v.t("inc.co_country"), c.Country).optional().hint(v.t("inc.co_country_hint", "list", strings.Join(law.Countries(), ", "))),
		v.entered("zone", v.t("inc.co_zone"), c.Zone).hint(v.t("inc.co_zone_hint")), v.tick("establishment", v.t("inc.co_establishment"), v.t("inc.co_establishment_hint"), c.Establishment),
		v.entered("authorities", v.t("inc.co_authorities"), strings.Join(c.Authorities, "\n")).rows(3).optional().hint(v.t("inc.co_authorities_hint")), v.entered("csirt", v.t("inc.co_csirt"), c.CSIRT).optional(),
		v.entered("contact", v.t("inc.co_contact"), c.Contact).hint(v.t("inc.co_contact_hint")), v.entered("contact_email", v.t("col.email"), c.ContactEmail).kind("email"), v.entered("contact_phone", v.t("inc.co_phone"), c.ContactPhone).kind("tel").optional(),
		v.tick("telecoms", v.t("inc.co_telecoms"), v.t("inc.co_telecoms_hint"), c.Telecoms)}
	last := len(page.Fields) - 1
	page.Fields = slices.Insert(page.Fields, last, v.entityFields(c.Entity)...)
	page.Hidden = []Pair{versionOf(c.Version)}
	return page, c, nil
}

func (v *visit) companyPairs(c incidents.Company) []Pair {
	return []Pair{{Label: v.t("inc.co_name"), Value: plain(c.Name)}, {Label: v.t("inc.co_jurisdiction"), Value: c.Jurisdiction}, {Label: v.t("inc.co_zone"), Value: c.Zone}, {Label: v.t("inc.co_authorities"), Value: orWord(v.p.tx.List(c.Authorities), v.t("unknown"))},
		{Label: v.t("inc.co_contact"), Value: join(plain(c.Contact), plain(c.ContactEmail), plain(c.ContactPhone))}, {Label: v.t("inc.co_scope"), Value: v.inScope(c.Entity)}}
}

func (p *Portal) lawCompany(v *visit) error {
	page, _, err := v.lawCompanyForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) lawCompanySave(v *visit) error {
	scope, err := v.scope(policy.IncidentAdmin)
	if err != nil {
		return err
	}
	page, c, err := v.lawCompanyForm()
	if err != nil {
		return err
	}
	c.Version, c.Name, c.Jurisdiction, c.Country, c.Zone = v.version(), v.formValue("name"), v.formValue("jurisdiction"), v.formValue("country"), v.formValue("zone")
	c.Establishment, c.Authorities, c.CSIRT, c.Telecoms = v.yes("establishment"), lines(v.c.FormValue("authorities")), v.formValue("csirt"), v.yes("telecoms")
	c.Contact, c.ContactEmail, c.ContactPhone = v.formValue("contact"), v.formValue("contact_email"), v.formValue("contact_phone")
	c.Entity = v.entityEntered()
	if _, err := p.Incidents.SetCompany(v.ctx, scope, c); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/incidents/company", "saved")
}

// breachTermsForm is what a customer's contract says about breaches.
func (v *visit) breachTermsForm() (*AccessForm, incidents.Terms, error) {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return nil, incidents.Terms{}, err
	}
	customer := v.entered("customer", "", "").Value
	if customer == "" {
		options, err := v.customerChoices(v.t("holds.choose"))
		if err != nil {
			return nil, incidents.Terms{}, err
		}
		page := v.houseForm(v.t("inc.terms"), v.t("inc.terms_choose"), "/incidents/terms", "")
		for _, o := range options[1:] {
			page.Ways = append(page.Ways, Act{Label: o.Label, Href: "/incidents/terms?" + query("customer", o.Value)})
		}
		return page, incidents.Terms{}, nil
	}
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, customer)
	if err != nil {
		return nil, incidents.Terms{}, err
	}
	t, err := v.p.Incidents.TermsOf(v.ctx, scope, c.ID)
	if err != nil {
		return nil, t, err
	}
	page := v.houseForm(v.t("inc.terms"), v.t("inc.terms_say", "name", c.Name), "/incidents/terms", "")
	page.Crumbs = append(page.Crumbs, Link{c.Name, "/customers/" + c.ID})
	page.Lines = []string{v.t("inc.terms_1"), v.t("inc.terms_2")}
	units := []Choice{{Value: string(law.Hours), Label: v.t("inc.u_hours")}, {Value: string(law.WorkingDays), Label: v.t("inc.u_working_days")}, {Value: string(law.Days), Label: v.t("inc.u_days")}}
	var roles []Choice
	for _, r := range []incidents.DataRole{incidents.RoleUnknown, incidents.Controller, incidents.Processor} {
		roles = append(roles, Choice{Value: string(r), Label: wordOf(v, rolesOfData, r)})
	}
	amount := ""
	if t.Amount > 0 {
		amount = number0(t.Amount)
	}
	page.Fields = []FormField{v.entered("amount", v.t("inc.te_amount"), amount).kind("number").optional().hint(v.t("inc.te_amount_hint")), v.entered("unit", v.t("inc.te_unit"), string(t.Unit)).among(units),
		v.tick("from_suspicion", v.t("inc.te_from"), v.t("inc.te_from_hint"), t.FromSuspicion), v.entered("role", v.t("inc.te_role"), string(t.Role)).among(roles).hint(v.t("inc.te_role_hint")),
		v.entered("jurisdiction", v.t("inc.co_jurisdiction"), t.Jurisdiction).among(jurisdictions(v, v.t("inc.as_company"))), v.entered("country", v.t("inc.co_country"), t.Country).optional().hint(v.t("inc.co_country_hint", "list", strings.Join(law.Countries(), ", "))),
		v.entered("zone", v.t("inc.co_zone"), t.Zone).optional().hint(v.t("inc.te_zone_hint")), v.tick("financial", v.t("inc.te_financial"), v.t("inc.te_financial_hint"), t.Financial)}
	if v.can(policy.IncidentAdmin) {
		page.Do = v.t("terms.save")
	} else {
		page.Answers, page.About = []Pair{{Label: v.t("inc.te_amount"), Value: orWord(join(amount, string(t.Unit)), v.t("inc.te_amount_hint"))}, {Label: v.t("inc.te_role"), Value: wordOf(v, rolesOfData, t.Role)}}, v.t("inc.terms")
	}
	page.Hidden = []Pair{{Label: "customer", Value: c.ID}, versionOf(t.Version)}
	return page, t, nil
}

func (p *Portal) breachTerms(v *visit) error {
	page, _, err := v.breachTermsForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) breachTermsSave(v *visit) error {
	scope, err := v.scope(policy.IncidentAdmin)
	if err != nil {
		return err
	}
	page, t, err := v.breachTermsForm()
	if err != nil {
		return err
	}
	if t.Customer == "" && v.formValue("customer") == "" {
		return controlplane.NotFound("customer")
	}
	t.Customer, t.Version, t.Amount, t.Unit = v.formValue("customer"), v.version(), 0, ""
	if v.formValue("amount") != "" {
		if t.Amount, err = v.numberField("amount"); err != nil {
			return v.invalid(page, err)
		}
	}
	if t.Amount > 0 {
		t.Unit = law.Unit(v.formValue("unit"))
	}
	t.FromSuspicion, t.Role, t.Jurisdiction, t.Country, t.Zone, t.Financial = v.yes("from_suspicion"), incidents.DataRole(v.formValue("role")), v.formValue("jurisdiction"), v.formValue("country"), v.formValue("zone"), v.yes("financial")
	if _, err := p.Incidents.SetTerms(v.ctx, scope, t); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/incidents/terms?"+query("customer", t.Customer), "saved")
}

// lawRules are the rules of law in use.
func (p *Portal) lawRules(v *visit) error {
	page, err := v.lawRulesPage()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) lawRulesPage() (*Incidents, error) {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return nil, err
	}
	pack, sum, since, err := v.p.Incidents.Rules(v.ctx, scope)
	if err != nil {
		return nil, err
	}
	page := v.incidentsPage("/incidents/rules", v.t("inc.rules"), v.t("inc.rules_say", "version", pack.Version, "n", len(pack.Rules)))
	page.Sub = v.t("inc.rules_sub")
	page.Facts = []Fact{{Label: v.t("inc.ru_version"), State: State{Word: pack.Version}}, {Label: v.t("inc.ru_sum"), State: State{Word: sum}}, v.factAt("inc.ru_since", since)}
	sec := Section{ID: "rules", Title: v.t("inc.rules"), Lead: v.t("inc.rules_lead"), Grid: Grid{Heads: []string{v.t("inc.ru_rule"), v.t("inc.ru_time"), v.t("inc.ru_threshold"), v.t("inc.ru_force"), v.t("inc.law_source"), v.t("col.state")}}}
	for _, r := range pack.Rules {
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: r.Title}, Notes: []string{join(r.Jurisdiction, r.Regime), r.ID}}, {Link: Link{Label: v.ruleTime(r)}}, {Notes: []string{r.Threshold}}, {Notes: []string{v.inForce(r)}}, {Notes: []string{r.Source}}, {State: v.ruleState(r)}}})
	}
	page.Sections = []Section{sec}
	if v.can(policy.IncidentAdmin) {
		page.Load = &BoxForm{ID: "load", Title: v.t("inc.ru_load"), Lead: v.t("inc.ru_load_lead"), Action: "/incidents/rules", Do: v.t("inc.ru_load_do"), Quiet: true, Fields: []FormField{v.entered("pack", v.t("inc.ru_pack"), "").rows(8)}}
	}
	return page, nil
}

func (v *visit) ruleTime(r law.Rule) string {
	if r.Amount == 0 {
		return v.t("inc.undue")
	}
	units := map[law.Unit]string{law.Hours: "inc.r_hours", law.Days: "inc.r_days", law.Months: "inc.r_months", law.WorkingDays: "inc.r_working_days"}
	key, ok := units[r.Unit]
	if !ok {
		return number0(r.Amount) + " " + string(r.Unit)
	}
	return v.t(key, "n", r.Amount)
}

func (v *visit) inForce(r law.Rule) string {
	switch {
	case r.From == "":
		return v.t("inc.ru_never")
	case r.To == "":
		return v.t("inc.ru_from", "from", r.From)
	}
	return v.t("inc.ru_from_to", "from", r.From, "to", r.To)
}

func (v *visit) ruleState(r law.Rule) State {
	switch {
	case !r.Enabled:
		return State{ToneUnknown, v.t("inc.ru_off")}
	case r.InForce(v.now):
		return State{ToneGood, v.t("inc.ru_on")}
	}
	return State{ToneUnknown, v.t("inc.ru_not_now")}
}

func (p *Portal) lawRulesLoad(v *visit) error {
	scope, err := v.scope(policy.IncidentAdmin)
	if err != nil {
		return err
	}
	if _, err := p.Incidents.LoadRules(v.ctx, scope, []byte(v.c.FormValue("pack"))); err != nil {
		page, perr := v.lawRulesPage()
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/incidents/rules", "saved")
}
