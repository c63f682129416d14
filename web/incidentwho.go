package web

import (
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

var noTime time.Time

// whenPair is an instant as a line of facts, in the case's zone.
func (v *visit) whenPair(key string, t time.Time, none string) Pair {
	if t.IsZero() {
		return Pair{Label: v.t(key), Value: v.t(none)}
	}
	return Pair{Label: v.t(key), Value: v.until(t)}
}

// awareForm takes somebody's word about since when what was known.
func (v *visit) awareForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.say_more"), v.t("inc.aware_say"), "/aware", v.t("inc.aware_do"))
	page.Lines = []string{v.t("inc.aware_1"), v.t("inc.aware_2")}
	names, err := v.namesOfCustomers(customersIn(c))
	if err != nil {
		return nil, err
	}
	was := law.Assertion{Certainty: law.Certain}
	old := v.entered("supersedes", "", "").Value
	for _, a := range c.Awareness {
		if a.ID == old {
			was = a
			page.Title, page.Say, page.Lines = v.t("inc.correct"), v.t("inc.correct_say"), []string{v.t("inc.correct_1"), v.t("inc.correct_2")}
			page.Hidden = []Pair{{Label: "supersedes", Value: a.ID}, {Label: "customer", Value: a.Customer}}
		}
	}
	certainty := v.radiosOf("certainty", v.t("inc.a_what"), []RoleChoice{{Value: string(law.Certain), Label: v.t("inc.certain"), Note: v.t("inc.certain_note")}, {Value: string(law.Suspected), Label: v.t("inc.suspected"), Note: v.t("inc.suspected_note")}}, string(was.Certainty))
	page.Fields = []FormField{certainty}
	if len(page.Hidden) == 0 {
		about := []Choice{{Value: "", Label: v.t("inc.a_whole")}, {Value: law.TheIncident, Label: v.t("inc.a_itself")}}
		for _, a := range c.Affected {
			about = append(about, Choice{Value: a.Customer, Label: names[a.Customer]})
		}
		page.Fields = append(page.Fields, v.entered("customer", v.t("inc.a_about"), "").among(about))
	}
	page.Fields = append(page.Fields, v.timeField("aware", v.t("inc.a_when"), "inc.time_now", was.At), v.entered("ground", v.t("inc.a_ground"), "").rows(3).hint(v.t("inc.a_ground_hint")))
	return page, nil
}

func (p *Portal) incidentAware(v *visit) error { return v.caseStep(policy.IncidentWrite, v.awareForm) }

func (p *Portal) incidentAwareDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.awareForm, "inc_asserted", "awareness", func(scope policy.Scope, c incidents.Case) error {
		_, err := p.Incidents.Assert(v.ctx, scope, c.ID, incidents.NewAssertion{Customer: v.formValue("customer"), Certainty: law.Certainty(v.formValue("certainty")), Aware: v.at("aware"), Ground: v.text("ground"), Supersedes: v.formValue("supersedes")})
		return err
	})
}

// incidentAwareConfirm confirms a correction, as the second person.
func (p *Portal) incidentAwareConfirm(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentWrite)
	if err != nil {
		return err
	}
	if _, err := p.Incidents.ConfirmAssertion(v.ctx, scope, c.ID, v.c.Param("assertion")); err != nil {
		return v.caseRefused(scope, c, err)
	}
	return v.redirect("/incidents/"+c.ID+"?done=inc_confirmed#awareness", "")
}

// caseRefused shows a case again with why something did not go through.
func (v *visit) caseRefused(scope policy.Scope, c incidents.Case, err error) error {
	page, perr := v.casePage(scope, c)
	if perr != nil {
		return err
	}
	return v.refused(page, err)
}

// incidentKnown is what was known of awareness and deadlines at an instant.
func (p *Portal) incidentKnown(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentRead)
	if err != nil {
		return err
	}
	page := v.incidentsPage("", v.t("inc.as_known"), "")
	page.Parts, page.Crumbs, page.Exercise = nil, v.caseCrumbs(c), v.exercise(c.Drill)
	known := v.now
	if at := v.c.QueryParam("at"); at != "" {
		t, err := law.ParseTime(at, v.zone)
		if err != nil {
			page.Errors = append(page.Errors, FieldError{"at", v.t("inc.time_offset", "zone", v.zone.String())})
		} else {
			known = t
		}
	}
	at := v.now
	then, clocks, err := p.Incidents.AsKnown(v.ctx, scope, c.ID, known)
	if err != nil {
		return err
	}
	page.Say = v.t("inc.known_say", "when", v.until(known))
	names, err := v.namesOfCustomers(customersIn(c))
	if err != nil {
		return err
	}
	x := caseParts{c: then, names: names}
	var ids []string
	for _, a := range then.Awareness {
		ids = append(ids, a.By, a.ConfirmedBy)
	}
	if x.who, err = v.staffNames(ids...); err != nil {
		return err
	}
	x.c.ID = c.ID
	aware := v.awarenessSection(x)
	aware.Acts = nil
	for i := range aware.Grid.Rows {
		aware.Grid.Rows[i].Cells[5] = Cell{}
	}
	v.now = known // how it stood then
	due := Section{ID: "due", Title: v.t("inc.clocks"), Empty: v.t("inc.no_clocks"), Grid: Grid{Heads: []string{v.t("inc.k_duty"), v.t("inc.k_whose"), v.t("col.state"), v.t("col.until")}}}
	for _, k := range v.clockCards(then, byUrgency(clocks), names) {
		due.Grid.Rows = append(due.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: k.Title}}, {Link: k.Whose}, {State: State{k.State.Tone, k.Big}}, {Link: Link{Label: k.Until}}}})
	}
	v.now = at
	page.Sections = []Section{v.knownAt(c, known), aware, due}
	return v.render(page)
}

// knownAt chooses the instant: each at which something was said.
func (v *visit) knownAt(c incidents.Case, known time.Time) Section {
	sec := Section{ID: "at", Title: v.t("inc.known_at"), Lead: v.t("inc.known_lead")}
	for _, a := range c.Awareness {
		sec.Acts = append(sec.Acts, Act{Label: v.until(a.RecordedAt), Href: "/incidents/" + c.ID + "/known?" + query("at", a.RecordedAt.UTC().Format(time.RFC3339)), Strong: a.RecordedAt.Truncate(time.Second).Equal(known)})
	}
	return sec
}

// affectForm puts customers, or everybody on servers, into a case.
func (v *visit) affectForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.affect"), v.t("inc.affect_say"), "/affect", v.t("inc.affect_do"))
	page.Lines = []string{v.t("inc.affect_1"), v.t("inc.affect_2")}
	one, state := v.entered("customer", "", "").Value, incidents.Possible
	if one != "" {
		names, err := v.namesOfCustomers([]string{one})
		if err != nil {
			return nil, err
		}
		state = incidents.Certain
		page.Say, page.Lines, page.Hidden = v.t("inc.affected_say", "name", names[one]), []string{v.t("inc.affected_1")}, []Pair{{Label: "customer", Value: one}}
	} else {
		servers, err := v.serversField("servers", v.t("col.servers"), v.t("inc.servers_hint"), nil)
		if err != nil {
			return nil, err
		}
		who, err := v.customersField("customers", v.t("col.customers"), v.t("inc.customers_hint"), nil)
		if err != nil {
			return nil, err
		}
		page.Fields = []FormField{servers, who}
	}
	page.Fields = append(page.Fields, v.radiosOf("state", v.t("inc.how_sure"), []RoleChoice{{Value: string(incidents.Possible), Label: v.t("inc.possible"), Note: v.t("inc.possible_note")}, {Value: string(incidents.Certain), Label: v.t("inc.affected"), Note: v.t("inc.affected_note")}}, string(state)),
		v.timeField("since", v.t("inc.known_since"), "inc.time_now", noTime), v.entered("because", v.t("inc.because"), "").rows(3).hint(v.t("inc.because_hint")))
	return page, nil
}

func (p *Portal) incidentAffect(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.affectForm)
}

func (p *Portal) incidentAffectDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.affectForm, "inc_affected", "customers", func(scope policy.Scope, c incidents.Case) error {
		servers, err := v.serversEntered("servers")
		if err != nil {
			return err
		}
		who, err := v.customersEntered("customers")
		if err != nil {
			return err
		}
		if one := v.formValue("customer"); one != "" {
			who = append(who, one)
		}
		_, err = p.Incidents.Affect(v.ctx, scope, c.ID, incidents.Affect{Customers: who, Servers: servers, State: incidents.AffectedState(v.formValue("state")), Since: v.at("since"), Because: v.text("because")})
		return err
	})
}

func (v *visit) clearForm(c incidents.Case) (*AccessForm, error) {
	one, name, err := v.oneIn(c)
	if err != nil {
		return nil, err
	}
	page := v.caseForm(c, v.t("inc.clear"), v.t("inc.clear_say", "name", name), "/clear", v.t("inc.clear_do"))
	page.Lines = []string{v.t("inc.clear_1"), v.t("inc.clear_2")}
	page.Hidden = []Pair{{Label: "customer", Value: one}}
	page.Fields = []FormField{v.entered("why", v.t("col.why"), "").rows(3).hint(v.t("inc.clear_hint"))}
	return page, nil
}

// oneIn is the customer of a case that a form is about.
func (v *visit) oneIn(c incidents.Case) (id, name string, err error) {
	id = v.entered("customer", "", "").Value
	if !slices.Contains(customersIn(c), id) {
		return "", "", controlplane.NotFound("customer")
	}
	names, err := v.namesOfCustomers([]string{id})
	return id, names[id], err
}

func (p *Portal) incidentClear(v *visit) error { return v.caseStep(policy.IncidentWrite, v.clearForm) }

func (p *Portal) incidentClearDo(v *visit) error {
	return v.endsCase(v.clearForm, "inc_cleared", "customers", func(scope policy.Scope, c incidents.Case) (incidents.Case, error) {
		return p.Incidents.Clear(v.ctx, scope, c.ID, v.formValue("customer"), v.text("why"))
	})
}
