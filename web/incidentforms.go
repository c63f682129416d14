package web

import (
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// caseStep shows a form of a case: make builds it.
func (v *visit) caseStep(perm policy.Permission, make func(incidents.Case) (*AccessForm, error)) error {
	_, c, err := v.incidentCase(perm)
	if err != nil {
		return err
	}
	page, err := make(c)
	if err != nil {
		return err
	}
	return v.render(page)
}

// caseDo carries a form of a case out and shows the case again, at a place of its
// page; what is wrong is shown with the form.
func (v *visit) caseDo(perm policy.Permission, make func(incidents.Case) (*AccessForm, error), done, place string, do func(policy.Scope, incidents.Case) error) error {
	scope, c, err := v.incidentCase(perm)
	if err != nil {
		return err
	}
	page, err := make(c)
	if err != nil {
		return err
	}
	if err := do(scope, c); err != nil {
		return v.wrongCase(page, err)
	}
	to := "/incidents/" + c.ID + "?done=" + done
	if place != "" {
		to += "#" + place
	}
	return v.redirect(to, "")
}

func (v *visit) required(id, key string) error {
	if v.text(id) != "" {
		return nil
	}
	return controlplane.Invalid(controlplane.Field{Pointer: "/" + id, Message: v.t(key)})
}

func (v *visit) editForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.edit"), v.t("inc.edit_say"), "/edit", v.t("inc.save"))
	who, err := v.ourChoices(v.t("inc.nobody"))
	if err != nil {
		return nil, err
	}
	page.Fields = []FormField{v.entered("title", v.t("inc.f_title"), c.Title), v.entered("summary", v.t("inc.f_summary"), c.Summary).rows(6).optional().hint(v.t("inc.f_summary_hint")), v.kindsField(c.Kinds),
		v.timeField("occurred_from", v.t("inc.occurred"), "inc.time_unknown", c.OccurredFrom), v.entered("people_in", v.t("inc.people_in"), strings.Join(c.PeopleIn, ", ")).optional().hint(v.t("inc.people_in_hint")), v.entered("lead", v.t("inc.col_lead"), c.Lead).among(who),
		v.oursField(c.OurData), v.tick("channel_unsafe", v.t("inc.unsafe"), v.t("inc.unsafe_hint"), c.ChannelUnsafe)}
	page.Hidden = []Pair{versionOf(c.Version)}
	return page, nil
}

// oursField asks whether data of our own is touched: nobody has said is an answer.
func (v *visit) oursField(was law.Answer) FormField {
	return v.radiosOf("our_data", v.t("inc.our_data"), []RoleChoice{{Value: string(law.Yes), Label: v.t("inc.yes"), Note: v.t("inc.our_data_yes")}, {Value: string(law.No), Label: v.t("inc.no"), Note: v.t("inc.our_data_no")},
		{Value: string(law.Unknown), Label: v.t("inc.our_data_unsaid"), Note: v.t("inc.our_data_unsaid_note")}}, string(was))
}

func (p *Portal) incidentEdit(v *visit) error { return v.caseStep(policy.IncidentWrite, v.editForm) }

func (p *Portal) incidentSave(v *visit) error {
	return v.endsCase(v.editForm, "saved", "known", func(scope policy.Scope, c incidents.Case) (incidents.Case, error) {
		title, summary, kinds, lead, occurred := v.formValue("title"), v.text("summary"), v.kindsEntered(), v.formValue("lead"), v.at("occurred_from")
		ours, unsafe := law.Answer(v.formValue("our_data")), v.yes("channel_unsafe")
		people := countriesEntered(v.formValue("people_in"))
		in := incidents.CaseChange{Title: &title, Summary: &summary, Kinds: &kinds, ChannelUnsafe: &unsafe, Lead: &lead, PeopleIn: &people}
		if ours != "" {
			in.OurData = &ours
		}
		if occurred != "" && string(occurred) != c.OccurredFrom.In(v.zone).Format("2006-01-02T15:04") { // an empty one would be now
			in.OccurredFrom = &occurred
		}
		return p.Incidents.Update(v.ctx, scope, c.ID, v.version(), in)
	})
}

func (v *visit) containForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.contain"), v.t("inc.contain_say"), "/contain", v.t("inc.contain_do"))
	page.Lines = []string{v.t("inc.contain_1")}
	page.Fields = []FormField{v.timeField("at", v.t("inc.contain_at"), "inc.time_now", c.ContainedAt), v.entered("how", v.t("inc.contain_how"), "").rows(3)}
	return page, nil
}

func (p *Portal) incidentContain(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.containForm)
}

func (p *Portal) incidentContainDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.containForm, "inc_contained", "known", func(scope policy.Scope, c incidents.Case) error {
		_, err := p.Incidents.Contain(v.ctx, scope, c.ID, v.at("at"), v.text("how"))
		return err
	})
}

func (v *visit) handledForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.handle"), v.t("inc.handle_say"), "/handled", v.t("inc.handle_do"))
	page.Lines = []string{v.t("inc.handle_1")}
	page.Fields = []FormField{v.timeField("at", v.t("inc.handle_at"), "inc.time_now", c.HandledAt), v.entered("how", v.t("inc.handle_how"), "").rows(3)}
	return page, nil
}

func (p *Portal) incidentHandled(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.handledForm)
}

func (p *Portal) incidentHandledDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.handledForm, "saved", "known", func(scope policy.Scope, c incidents.Case) error {
		_, err := p.Incidents.Handled(v.ctx, scope, c.ID, v.at("at"), v.text("how"))
		return err
	})
}

func (v *visit) closeForm(c incidents.Case) (*AccessForm, error) {
	state := v.entered("state", "", string(incidents.Closed)).Value
	page := v.caseForm(c, v.t("inc.close"), v.t("inc.close_say"), "/close", v.t("inc.close"))
	page.Lines = []string{v.t("inc.close_1"), v.t("inc.close_2")}
	why := v.entered("why", v.t("col.why"), "").rows(4)
	if state == string(incidents.FalseAlarm) {
		page.Title, page.Say, page.Do = v.t("inc.false_alarm"), v.t("inc.false_say"), v.t("inc.false_alarm")
		page.Lines, why.Hint = []string{v.t("inc.false_1"), v.t("inc.false_2"), v.t("inc.false_3")}, v.t("inc.false_hint")
	}
	page.Hidden, page.Fields = []Pair{{Label: "state", Value: state}}, []FormField{why}
	return page, nil
}

func (p *Portal) incidentClose(v *visit) error { return v.caseStep(policy.IncidentWrite, v.closeForm) }

func (p *Portal) incidentCloseDo(v *visit) error {
	return v.endsCase(v.closeForm, "inc_closed", "", func(scope policy.Scope, c incidents.Case) (incidents.Case, error) {
		return p.Incidents.Close(v.ctx, scope, c.ID, incidents.Closing{State: incidents.State(v.formValue("state")), Why: v.text("why")})
	})
}

func (v *visit) reopenForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.reopen"), v.t("inc.reopen_say"), "/reopen", v.t("inc.reopen"))
	page.Fields = []FormField{v.radiosOf("wrongly", v.t("inc.reopen_how"), []RoleChoice{{Value: "facts", Label: v.t("inc.reopen_facts"), Note: v.t("inc.reopen_facts_note")}, {Value: "wrongly", Label: v.t("inc.reopen_wrongly"), Note: v.t("inc.reopen_wrongly_note")}}, "facts"),
		v.timeField("aware", v.t("inc.reopen_aware"), "inc.time_now", noTime), v.entered("why", v.t("col.why"), "").rows(3)}
	return page, nil
}

func (p *Portal) incidentReopen(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.reopenForm)
}

func (p *Portal) incidentReopenDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.reopenForm, "inc_reopened", "", func(scope policy.Scope, c incidents.Case) error {
		_, err := p.Incidents.Reopen(v.ctx, scope, c.ID, incidents.Reopening{Wrongly: v.formValue("wrongly") == "wrongly", Aware: v.at("aware"), Why: v.text("why")})
		return err
	})
}

func (v *visit) mergeForm(c incidents.Case) (*AccessForm, error) {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return nil, err
	}
	open, _, err := v.p.Incidents.List(v.ctx, scope, incidents.CaseFilter{State: incidents.Open, Drills: c.Drill, Limit: openShown})
	if err != nil {
		return nil, err
	}
	page := v.caseForm(c, v.t("inc.merge"), v.t("inc.merge_say"), "/merge", v.t("inc.merge"))
	page.Lines = []string{v.t("inc.merge_1"), v.t("inc.merge_2")}
	options := []Choice{{Value: "", Label: v.t("inc.merge_choose")}}
	for _, o := range open {
		if o.ID != c.ID && o.Drill == c.Drill {
			options = append(options, Choice{Value: o.ID, Label: o.Number + ": " + short(plain(o.Title))})
		}
	}
	page.Fields = []FormField{v.entered("into", v.t("inc.merge_into"), "").among(options), v.entered("why", v.t("col.why"), "").rows(3)}
	return page, nil
}

func (p *Portal) incidentMerge(v *visit) error { return v.caseStep(policy.IncidentWrite, v.mergeForm) }

func (p *Portal) incidentMergeDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.mergeForm, "saved", "", func(scope policy.Scope, c incidents.Case) error {
		if err := v.required("into", "inc.merge_missing"); err != nil {
			return err
		}
		_, err := p.Incidents.Merge(v.ctx, scope, c.ID, v.formValue("into"), v.text("why"))
		return err
	})
}

func (v *visit) splitForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.split"), v.t("inc.split_say"), "/split", v.t("inc.split"))
	names, err := v.namesOfCustomers(customersIn(c))
	if err != nil {
		return nil, err
	}
	on, err := v.servers(c.Servers)
	if err != nil {
		return nil, err
	}
	var who, where []Choice
	for _, a := range c.Affected {
		who = append(who, Choice{Value: a.Customer, Label: names[a.Customer]})
	}
	for _, s := range c.Servers {
		where = append(where, Choice{Value: s, Label: on[s].Name})
	}
	page.Fields = []FormField{v.entered("title", v.t("inc.f_title"), "")}
	if len(who) > 0 {
		page.Fields = append(page.Fields, v.tickedOf("customers", v.t("col.customers"), who, nil))
	}
	if len(where) > 0 {
		page.Fields = append(page.Fields, v.tickedOf("servers", v.t("col.servers"), where, nil))
	}
	page.Fields = append(page.Fields, v.entered("why", v.t("col.why"), "").rows(3))
	return page, nil
}

func (p *Portal) incidentSplit(v *visit) error { return v.caseStep(policy.IncidentWrite, v.splitForm) }

func (p *Portal) incidentSplitDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.splitForm, "saved", "", func(scope policy.Scope, c incidents.Case) error {
		_, err := p.Incidents.Split(v.ctx, scope, c.ID, incidents.SplitOff{Title: v.formValue("title"), Customers: v.formList("customers"), Servers: v.formList("servers"), Why: v.text("why")})
		return err
	})
}
