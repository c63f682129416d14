package web

import (
	"slices"

	"ostler/controlplane/findings"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// newCaseForm opens a case with what is known already; one sentence is enough.
func (v *visit) newCaseForm() (*AccessForm, error) {
	page := v.accessForm(v.t("inc.new"), v.t("inc.new_say"), "/incidents/new", "/incidents", v.t("inc.happened_do"))
	page.Nav, page.Crumbs = "incidents", []Link{{v.t("inc.title"), "/incidents"}}
	page.Lines = []string{v.t("inc.new_1"), v.t("inc.new_2")}
	servers, err := v.serversField("servers", v.t("col.servers"), v.t("inc.servers_hint"), v.formOrQuery("servers"))
	if err != nil {
		return nil, err
	}
	who, err := v.customersField("customers", v.t("col.customers"), v.t("inc.customers_hint"), v.formOrQuery("customers"))
	if err != nil {
		return nil, err
	}
	page.Fields = []FormField{v.entered("title", v.t("inc.happened_field"), "").hint(v.t("inc.happened_hint")), v.entered("summary", v.t("inc.f_summary"), "").rows(4).optional().hint(v.t("inc.f_summary_hint")),
		v.timeField("detected", v.t("inc.detected"), "inc.time_now", noTime),
		v.radiosOf("certainty", v.t("inc.how_sure"), []RoleChoice{{Value: string(law.Suspected), Label: v.t("inc.suspected"), Note: v.t("inc.suspected_note")}, {Value: string(law.Certain), Label: v.t("inc.certain"), Note: v.t("inc.certain_note")}}, string(law.Suspected)),
		v.timeField("aware", v.t("inc.a_when"), "inc.time_now", noTime), v.entered("ground", v.t("inc.a_ground"), "").optional().hint(v.t("inc.a_ground_hint")), servers, who, v.kindsField(nil),
		v.oursField(law.Unknown), v.tick("channel_unsafe", v.t("inc.unsafe"), v.t("inc.unsafe_hint"), false), v.tick("drill", v.t("inc.drill"), v.t("inc.drill_hint"), false)}
	if s := v.entered("source", "", "").Value; s != "" {
		page.Hidden = []Pair{{Label: "source", Value: s}}
	}
	return page, nil
}

// formOrQuery is what a field of ids holds before anything was entered.
func (v *visit) formOrQuery(id string) []string { return v.c.QueryParams()[id] }

func (p *Portal) incidentNew(v *visit) error {
	page, err := v.newCaseForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) incidentNewDo(v *visit) error {
	scope, err := v.scope(policy.IncidentWrite)
	if err != nil {
		return err
	}
	page, err := v.newCaseForm()
	if err != nil {
		return err
	}
	in, err := v.newCase()
	if err != nil {
		return v.wrongCase(page, err)
	}
	c, err := p.Incidents.Open(v.ctx, scope, in)
	if err != nil {
		return v.wrongCase(page, err)
	}
	return v.redirect("/incidents/"+c.ID, "inc_opened")
}

// newCase is what a form says of a case.
func (v *visit) newCase() (in incidents.NewCase, err error) {
	if in.Servers, err = v.serversEntered("servers"); err != nil {
		return in, err
	}
	if in.Customers, err = v.customersEntered("customers"); err != nil {
		return in, err
	}
	in.Title, in.Summary, in.Kinds, in.Detected, in.Aware, in.Ground = v.formValue("title"), v.text("summary"), v.kindsEntered(), v.at("detected"), v.at("aware"), v.text("ground")
	in.Certainty, in.OurData, in.ChannelUnsafe, in.Drill, in.Source = law.Certainty(v.formValue("certainty")), law.Answer(v.formValue("our_data")), v.yes("channel_unsafe"), v.yes("drill"), v.formValue("source")
	return in, nil
}

// breachKinds are the findings that may be the first sight of an incident.
var breachKinds = []string{findings.AccessDrift, findings.AccessUnexplained, findings.AccessForeignRole, findings.AccessRolePutBack, findings.SessionLoginOutside, findings.SessionUngrounded,
	findings.SessionRecordingMissing, findings.SessionRecordingChanged, findings.SessionViolation, findings.BackupMissed, findings.BackupFailed}

// caseOf leads from a finding that may be an incident to a new case about it, with
// what is known filled in; to nowhere for everybody else.
func (v *visit) caseOf(x findings.Finding, title string) Link {
	if v.p.Incidents == nil || !v.staff() || !v.mayAct() || !slices.Contains(breachKinds, x.Kind) {
		return Link{}
	}
	pairs := []string{"title", title}
	if x.Server != "" {
		pairs = append(pairs, "servers", x.Server)
	}
	if x.Customer != "" {
		pairs = append(pairs, "customers", x.Customer)
	}
	return Link{v.t("inc.happened_do"), "/incidents/new?" + query(pairs...)}
}
