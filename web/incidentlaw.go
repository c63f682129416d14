package web

import (
	"strconv"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// countriesEntered are countries as somebody wrote them in one line.
func countriesEntered(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
}

// knownNumber is a figure as it is entered; what is not known stays empty.
func knownNumber[T int | int64 | float64](n T) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatFloat(float64(n), 'f', -1, 64)
}

// impactForm is what NIS2's significance is judged by; what is not known stays
// empty.
func (v *visit) impactForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.impact"), v.t("inc.impact_say"), "/impact", v.t("inc.save"))
	page.Lines = []string{v.t("inc.impact_1"), v.t("inc.impact_2"), v.t("inc.impact_3")}
	answers := []Choice{{Value: "unknown", Label: v.t("unknown")}, {Value: "yes", Label: v.t("inc.yes")}, {Value: "no", Label: v.t("inc.no")}}
	number := func(id, key, was string) FormField { return v.entered(id, v.t(key), was).kind("number").optional() }
	answer := func(id, key string, was law.Answer) FormField {
		if !was.Valid() {
			was = law.Unknown
		}
		return v.entered(id, v.t(key), string(was)).among(answers)
	}
	i := c.Impact
	page.Fields = []FormField{number("outage_minutes", "inc.i_outage", knownNumber(i.OutageMinutes)), number("limited_minutes", "inc.i_limited", knownNumber(i.LimitedMinutes)),
		number("limited_percent", "inc.i_limited_percent", knownNumber(i.LimitedPercent)), number("limited_users", "inc.i_limited_users", knownNumber(i.LimitedUsers)),
		answer("malicious", "inc.i_malicious", i.Malicious), number("compromised_percent", "inc.i_compromised_percent", knownNumber(i.CompromisedPct)),
		number("compromised_users", "inc.i_compromised_users", knownNumber(i.CompromisedUser)), answer("physical_access", "inc.i_physical", i.PhysicalAccess),
		number("loss_eur", "inc.i_loss", knownNumber(i.LossEUR)), number("loss_percent", "inc.i_loss_percent", knownNumber(i.LossPercent)), answer("trade_secrets", "inc.i_secrets", i.TradeSecrets),
		answer("harm", "inc.i_harm", i.Harm), answer("intrusion", "inc.i_intrusion", i.Intrusion), answer("recurring", "inc.i_recurring", i.Recurring),
		v.tick("scheduled", v.t("inc.i_scheduled"), v.t("inc.i_scheduled_hint"), i.Scheduled)}
	page.Hidden = []Pair{versionOf(c.Version)}
	return page, nil
}

func (p *Portal) incidentImpact(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.impactForm)
}

func (p *Portal) incidentImpactSave(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.impactForm, "saved", "known", func(scope policy.Scope, c incidents.Case) error {
		var errs []error
		number := func(id string) float64 {
			s := v.formValue(id)
			if s == "" {
				return -1
			}
			n, err := strconv.ParseFloat(s, 64)
			if err != nil || n < 0 || n > 1e12 {
				errs = append(errs, controlplane.Invalid(controlplane.Field{Pointer: "/" + id, Message: v.t("form.no_number")}))
			}
			return n
		}
		answer := func(id string) law.Answer { return law.Answer(v.formValue(id)) }
		in := law.Impact{OutageMinutes: int(number("outage_minutes")), LimitedMinutes: int(number("limited_minutes")), LimitedPercent: number("limited_percent"), LimitedUsers: int(number("limited_users")),
			Malicious: answer("malicious"), CompromisedPct: number("compromised_percent"), CompromisedUser: int(number("compromised_users")), PhysicalAccess: answer("physical_access"),
			LossEUR: int64(number("loss_eur")), LossPercent: number("loss_percent"), TradeSecrets: answer("trade_secrets"), Harm: answer("harm"), Intrusion: answer("intrusion"), Recurring: answer("recurring"),
			Scheduled: v.yes("scheduled")}
		if err := formErrors(errs...); err != nil {
			return err
		}
		_, err := p.Incidents.Update(v.ctx, scope, c.ID, v.version(), incidents.CaseChange{Impact: &in})
		return err
	})
}

// theirSteps are what financial entities do for their own authority, in words.
var theirSteps = map[incidents.TheirStep]string{incidents.TheirClassified: "inc.step_classified", incidents.TheirInitial: "inc.step_initial", incidents.TheirIntermediate: "inc.step_intermediate", incidents.TheirFinal: "inc.step_final"}

// theirForm writes down what a financial entity told us of its own steps.
func (v *visit) theirForm(c incidents.Case) (*AccessForm, error) {
	one, name, err := v.oneIn(c)
	if err != nil {
		return nil, err
	}
	page := v.caseForm(c, v.t("inc.their_steps"), v.t("inc.their_steps_say", "name", name), "/their-steps", v.t("inc.save"))
	page.Lines = []string{v.t("inc.their_steps_1"), v.t("inc.their_steps_2")}
	page.Hidden = []Pair{{Label: "customer", Value: one}}
	var steps []Choice
	for _, s := range incidents.TheirSteps() {
		steps = append(steps, Choice{Value: string(s), Label: wordOf(v, theirSteps, s)})
	}
	page.Fields = []FormField{v.entered("step", v.t("inc.their_step"), "").among(steps), v.timeField("at", v.t("inc.their_step_at"), "inc.time_now", noTime),
		v.entered("told_by", v.t("inc.their_step_by"), "").hint(v.t("inc.their_step_by_hint")), v.tick("not_so", v.t("inc.their_step_not"), v.t("inc.their_step_not_hint"), false)}
	for _, a := range c.Affected {
		if a.Customer == one && len(a.TheySaid) > 0 {
			page.About = v.t("inc.their_steps_were")
			page.Answers = v.theirStepsSaid(a)
		}
	}
	return page, nil
}

// theirStepsSaid is what was written down before, in its order.
func (v *visit) theirStepsSaid(a incidents.Affected) (out []Pair) {
	for _, w := range a.TheySaid {
		said := v.t("inc.their_step_never")
		if !w.At.IsZero() {
			said = v.until(w.At)
		}
		out = append(out, Pair{Label: wordOf(v, theirSteps, w.Step), Value: join(said, v.t("inc.their_step_told", "who", plain(w.ToldBy), "when", v.until(w.RecordedAt)))})
	}
	return out
}

func (p *Portal) incidentTheirSteps(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.theirForm)
}

func (p *Portal) incidentTheirStepsSave(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.theirForm, "saved", "customers", func(scope policy.Scope, c incidents.Case) error {
		_, err := p.Incidents.TheySaid(v.ctx, scope, c.ID, incidents.NewTheirWord{Customer: v.formValue("customer"), Step: incidents.TheirStep(v.formValue("step")), At: v.at("at"), NotSo: v.yes("not_so"), ToldBy: v.formValue("told_by")})
		return err
	})
}

// entityFields ask what the company is to NIS2.
func (v *visit) entityFields(e law.Entity) []FormField {
	e = e.Recorded()
	var services, types, sizes []Choice
	for _, s := range servicesOfLaw {
		services = append(services, Choice{Value: string(s.service), Label: v.t(s.key)})
	}
	for _, t := range law.EntityTypes() {
		types = append(types, Choice{Value: string(t), Label: wordOf(v, entityTypes, t)})
	}
	for _, s := range law.Sizes() {
		sizes = append(sizes, Choice{Value: string(s), Label: wordOf(v, entitySizes, s)})
	}
	var was []string
	for _, s := range e.Services {
		was = append(was, string(s))
	}
	return []FormField{v.entered("entity_type", v.t("inc.co_type"), string(e.Type)).among(types).hint(v.t("inc.co_type_hint")), v.entered("entity_size", v.t("inc.co_size"), string(e.Size)).among(sizes).hint(v.t("inc.co_size_hint")),
		v.tickedOf("services", v.t("inc.co_services"), services, was)}
}

var entityTypes = map[law.EntityType]string{law.UnknownType: "unknown", law.Essential: "inc.ty_essential", law.Important: "inc.ty_important", law.NotInScope: "inc.ty_none"}

var entitySizes = map[law.Size]string{law.UnknownSize: "unknown", law.Micro: "inc.sz_micro", law.Small: "inc.sz_small", law.Medium: "inc.sz_medium", law.Large: "inc.sz_large"}

// entityEntered is what was entered of it.
func (v *visit) entityEntered() law.Entity {
	e := law.Entity{Type: law.EntityType(v.formValue("entity_type")), Size: law.Size(v.formValue("entity_size"))}
	for _, s := range v.formList("services") {
		e.Services = append(e.Services, law.Service(s))
	}
	return e
}

// inScope is whether NIS2 is about the company, and why or what is missing.
func (v *visit) inScope(e law.Entity) string {
	in, why := e.InScope()
	return join2(v.t(map[law.Answer]string{law.Yes: "inc.scope_yes", law.No: "inc.scope_no", law.Unknown: "inc.scope_unknown"}[in]), why)
}
