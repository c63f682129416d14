package web

import (
	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

func isJob(id string) bool { return controlplane.ValidID(controlplane.PrefixJob, id) }

func (v *visit) taskForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.task_add"), v.t("inc.task_say"), "/tasks/new", v.t("inc.task_add"))
	who, err := v.ourChoices(v.t("inc.nobody"))
	if err != nil {
		return nil, err
	}
	page.Fields = []FormField{v.entered("text", v.t("inc.t_text"), "").rows(2), v.entered("owner", v.t("inc.t_owner"), v.actor.ID).among(who), v.timeField("due_at", v.t("col.until"), "inc.time_none", noTime)}
	return page, nil
}

func (p *Portal) incidentTaskNew(v *visit) error { return v.caseStep(policy.IncidentWrite, v.taskForm) }

func (p *Portal) incidentTaskAdd(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.taskForm, "saved", "tasks", func(scope policy.Scope, c incidents.Case) error {
		t := incidents.Task{Text: v.text("text"), Owner: v.formValue("owner")}
		if due := v.formValue("due_at"); due != "" {
			at, err := law.ParseTime(due, v.zone)
			if err != nil {
				return controlplane.Invalid(controlplane.Field{Pointer: "/due_at", Message: v.t("inc.time_offset", "zone", v.zone.String())})
			}
			t.DueAt = at
		}
		_, err := p.Incidents.AddTask(v.ctx, scope, c.ID, t)
		return err
	})
}

func (v *visit) taskDoneForm(c incidents.Case) (*AccessForm, error) {
	for _, t := range c.Tasks {
		if t.ID == v.c.Param("task") {
			page := v.caseForm(c, v.t("inc.task_do"), v.t("inc.task_done_say", "text", short(plain(t.Text))), "/tasks/"+t.ID, v.t("inc.task_do"))
			page.Fields = []FormField{v.entered("note", v.t("inc.t_note"), "").rows(2).optional()}
			return page, nil
		}
	}
	return nil, controlplane.NotFound("task")
}

func (p *Portal) incidentTask(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.taskDoneForm)
}

func (p *Portal) incidentTaskDone(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.taskDoneForm, "saved", "tasks", func(scope policy.Scope, _ incidents.Case) error {
		_, err := p.Incidents.TaskDone(v.ctx, scope, v.c.Param("task"), v.text("note"))
		return err
	})
}

func (v *visit) caseNoteForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.note_add"), v.t("inc.note_say"), "/note", v.t("inc.note_add"))
	page.Fields = []FormField{v.entered("text", v.t("inc.note_text"), "").rows(3), v.timeField("at", v.t("inc.note_at"), "inc.time_now", noTime)}
	return page, nil
}

func (p *Portal) incidentNote(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.caseNoteForm)
}

func (p *Portal) incidentNoteAdd(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.caseNoteForm, "saved", "tasks", func(scope policy.Scope, c incidents.Case) error {
		return p.Incidents.Note(v.ctx, scope, c.ID, v.at("at"), v.text("text"))
	})
}

// actForm contains an incident: what to do, to whom or what, and why.
func (v *visit) actForm(c incidents.Case) (*AccessForm, error) {
	kind := incidents.ActionKind(v.entered("kind", "", "").Value)
	if !kind.Valid() {
		page := v.caseForm(c, v.t("inc.act"), v.t("inc.act_choose"), "/act", "")
		for _, k := range []incidents.ActionKind{incidents.ActSnapshot, incidents.ActLock, incidents.ActRevoke, incidents.ActRotate, incidents.ActDone} {
			page.Ways = append(page.Ways, Act{Label: wordOf(v, actionKinds, k), Href: "/incidents/" + c.ID + "/act?kind=" + string(k)})
		}
		return page, nil
	}
	page := v.caseForm(c, wordOf(v, actionKinds, kind), v.t(actSays[kind]), "/act", wordOf(v, actionKinds, kind))
	page.Hidden = []Pair{{Label: "kind", Value: string(kind)}}
	page.Lines = []string{v.t("inc.act_1")}
	options, err := v.actTargets(c, kind)
	if err != nil {
		return nil, err
	}
	if options != nil {
		page.Fields = []FormField{v.entered("target", v.t(actAsks[kind]), "").among(options)}
	}
	page.Fields = append(page.Fields, v.entered("why", v.t("col.why"), "").rows(2))
	return page, nil
}

var actSays = map[incidents.ActionKind]string{
	incidents.ActRevoke: "inc.act_revoke_say", incidents.ActLock: "inc.act_lock_say", incidents.ActRotate: "inc.act_rotate_say", incidents.ActSnapshot: "inc.act_snapshot_say", incidents.ActDone: "inc.act_done_say",
}

var actAsks = map[incidents.ActionKind]string{
	incidents.ActRevoke: "inc.act_whose", incidents.ActLock: "inc.act_whose", incidents.ActRotate: "inc.act_which_cert", incidents.ActSnapshot: "inc.act_which_server",
}

func (p *Portal) incidentAct(v *visit) error { return v.caseStep(policy.IncidentWrite, v.actForm) }

func (p *Portal) incidentActDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.actForm, "inc_acted", "doing", func(scope policy.Scope, c incidents.Case) error {
		in := incidents.NewAction{Kind: incidents.ActionKind(v.formValue("kind")), Target: v.formValue("target"), Why: v.text("why")}
		if needs := in.Kind == incidents.ActLock || in.Kind == incidents.ActRevoke || in.Kind == incidents.ActRotate; needs && in.Target == "" {
			return controlplane.Invalid(controlplane.Field{Pointer: "/target", Message: v.t("inc.act_missing")})
		}
		if in.Target == everyServer {
			in.Target = ""
		}
		_, err := p.Incidents.Act(v.ctx, scope, c.ID, in)
		return err
	})
}

// decideForm judges the risk, and says what follows from it.
func (v *visit) decideForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.decide"), v.t("inc.decide_say"), "/decide", v.t("inc.decide_do"))
	page.Lines = []string{v.t("inc.decide_1"), v.t("inc.decide_2")}
	var was incidents.NewDecision
	for _, d := range c.Decisions {
		if d.NewDecision.Rule == "" {
			was = d.NewDecision
		}
	}
	level := func(id, key string, was incidents.Level, notes ...string) FormField {
		var options []RoleChoice
		for i, l := range []incidents.Level{incidents.Low, incidents.Medium, incidents.High} {
			options = append(options, RoleChoice{Value: string(l), Label: wordOf(v, levels, l), Note: v.t(notes[i])})
		}
		return v.radiosOf(id, v.t(key), options, string(was))
	}
	var exempt []Choice
	for _, e := range []incidents.Exemption{incidents.NoExemption, incidents.Unintelligible, incidents.LaterMeasures, incidents.Effort} {
		exempt = append(exempt, Choice{Value: string(e), Label: wordOf(v, exemptions, e)})
	}
	page.Fields = []FormField{level("likelihood", "inc.likelihood", was.Likelihood, "inc.l_low", "inc.l_medium", "inc.l_high"), level("severity", "inc.severity", was.Severity, "inc.s_low", "inc.s_medium", "inc.s_high"),
		v.tick("authority", v.t("inc.d_authority"), v.t("inc.d_authority_yes"), was.Authority), v.tick("people", v.t("inc.d_people"), v.t("inc.d_people_yes"), was.People), v.entered("exemption", v.t("inc.exemption"), string(was.Exemption)).among(exempt)}
	rules, err := v.openRules(c)
	if err != nil {
		return nil, err
	}
	if len(rules) > 1 {
		page.Fields = append(page.Fields, v.entered("rule", v.t("inc.d_rule"), "").among(rules).hint(v.t("inc.d_rule_hint")))
	}
	page.Fields = append(page.Fields, v.entered("reasons", v.t("inc.d_reasons"), was.Reasons).rows(5).hint(v.t("inc.d_reasons_hint")))
	return page, nil
}

// openRules are duties of the company's that can be decided alone.
func (v *visit) openRules(c incidents.Case) ([]Choice, error) {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return nil, err
	}
	clocks, err := v.p.Incidents.Clocks(v.ctx, scope, c.ID)
	if err != nil {
		return nil, err
	}
	out := []Choice{{Value: "", Label: v.t("inc.d_all")}}
	for _, k := range clocks {
		if k.Customer == "" && k.Rule != "" && k.State != incidents.Met && k.State != incidents.MetLate && k.State != incidents.NotDue {
			out = append(out, Choice{Value: k.Rule, Label: v.t("inc.d_not_due", "title", orWord(k.Title, k.Rule))})
		}
	}
	return out, nil
}

func (p *Portal) incidentDecide(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.decideForm)
}

func (p *Portal) incidentDecideDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.decideForm, "inc_decided", "deciding", func(scope policy.Scope, c incidents.Case) error {
		in := incidents.NewDecision{Likelihood: incidents.Level(v.formValue("likelihood")), Severity: incidents.Level(v.formValue("severity")), Authority: v.yes("authority"), People: v.yes("people"),
			Exemption: incidents.Exemption(v.formValue("exemption")), Reasons: v.text("reasons"), Rule: v.formValue("rule")}
		if in.Rule != "" {
			in = incidents.NewDecision{Rule: in.Rule, NotDue: true, Reasons: in.Reasons}
		}
		_, err := p.Incidents.Decide(v.ctx, scope, c.ID, in)
		return err
	})
}

func (v *visit) freezeForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.freeze"), v.t("inc.freeze_say"), "/freeze", v.t("inc.freeze_do"))
	page.Lines = []string{v.t("inc.freeze_1"), v.t("inc.freeze_2")}
	page.Fields = []FormField{v.timeField("until", v.t("col.until"), "inc.time_when", c.FrozenUntil), v.entered("ground", v.t("inc.freeze_ground"), c.FrozenGround).rows(3)}
	if v.can(policy.IncidentAdmin) && !c.FrozenUntil.IsZero() {
		page.Ways = []Act{{Label: v.t("inc.thaw"), Href: "/incidents/" + c.ID + "/thaw"}}
	}
	return page, nil
}

func (p *Portal) incidentFreeze(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.freezeForm)
}

func (p *Portal) incidentFreezeDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.freezeForm, "inc_frozen", "known", func(scope policy.Scope, c incidents.Case) error {
		if err := v.required("until", "inc.freeze_missing"); err != nil {
			return err
		}
		_, err := p.Incidents.Freeze(v.ctx, scope, c.ID, v.at("until"), v.text("ground"))
		return err
	})
}

func (v *visit) thawForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.thaw"), v.t("inc.thaw_say"), "/thaw", v.t("inc.thaw"))
	page.Lines = []string{v.t("inc.thaw_1")}
	page.Fields = []FormField{v.entered("why", v.t("col.why"), "").rows(3)}
	return page, nil
}

func (p *Portal) incidentThaw(v *visit) error { return v.caseStep(policy.IncidentAdmin, v.thawForm) }

func (p *Portal) incidentThawDo(v *visit) error {
	return v.caseDo(policy.IncidentAdmin, v.thawForm, "inc_thawed", "known", func(scope policy.Scope, c incidents.Case) error {
		_, err := p.Incidents.Thaw(v.ctx, scope, c.ID, v.text("why"))
		return err
	})
}
