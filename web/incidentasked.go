package web

import (
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// askedTexts are the facts of a case that authorities ask for, as their forms do.
var askedTexts = map[string]string{
	"discovered": "inc.q_discovered", "special_categories": "inc.q_special", "encrypted": "inc.q_encrypted", "training": "inc.q_training", "prevention": "inc.q_prevention",
	"processors": "inc.q_processors", "police": "inc.q_police", "regulators": "inc.q_regulators", "overseas": "inc.q_overseas",
}

// askedForm is what authorities ask of a case: one answer for each question, and
// once who finds out what is left empty.
func (v *visit) askedForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.asked"), v.t("inc.asked_say"), "/facts", v.t("inc.save"))
	page.Lines = []string{v.t("inc.asked_1"), v.t("inc.asked_2")}
	page.Hidden = []Pair{versionOf(c.Version)}
	who, err := v.ourChoices(v.t("inc.owner_later"))
	if err != nil {
		return nil, err
	}
	owner, by := owed(c.Facts)
	for _, f := range c.Facts {
		field := v.entered("f_"+f.Key, wordOf(v, askedTexts, f.Key), f.Value).rows(2).optional()
		if f.Known == incidents.IsUnknown {
			field.Hint = v.t("inc.k_unknown")
		}
		page.Fields = append(page.Fields, field)
	}
	page.Fields = append(page.Fields, v.entered("owner", v.t("inc.owner"), owner).among(who).hint(v.t("inc.owner_hint")), v.timeField("by", v.t("inc.owner_by"), "inc.time_when", by))
	return page, nil
}

// owed is who finds out what is not known, and until when: of the last that
// somebody owes.
func owed(facts []incidents.Field) (owner string, by time.Time) {
	for _, f := range facts {
		if f.Known == incidents.IsUnknown {
			owner, by = f.Owner, f.By
		}
	}
	return owner, by
}

func (p *Portal) incidentAsked(v *visit) error { return v.caseStep(policy.IncidentWrite, v.askedForm) }

func (p *Portal) incidentAskedSave(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.askedForm, "saved", "known", func(scope policy.Scope, c incidents.Case) error {
		facts, err := v.askedEntered(c)
		if err != nil {
			return err
		}
		_, err = p.Incidents.Update(v.ctx, scope, c.ID, v.version(), incidents.CaseChange{Facts: facts})
		return renamed(err, askedPointers(facts))
	})
}

// askedEntered reads the answers. What was left empty is not known yet, where
// somebody is to find it out; who was named before for it stays, overdue too,
// unless somebody else is named, or another time.
func (v *visit) askedEntered(c incidents.Case) (out []incidents.Field, err error) {
	was, until := owed(c.Facts)
	owner, by, shown := v.formValue("owner"), v.formValue("by"), ""
	if !until.IsZero() {
		shown = until.In(v.zone).Format("2006-01-02T15:04")
	}
	same, at := owner == was && by == shown, until
	if !same && owner != "" {
		if at, err = law.ParseTime(by, v.zone); err != nil {
			return nil, controlplane.Invalid(controlplane.Field{Pointer: "/by", Message: v.t("inc.time_offset", "zone", v.zone.String())})
		}
	}
	for _, f := range c.Facts {
		value := v.text("f_" + f.Key)
		switch {
		case value != "":
			f = incidents.Field{Key: f.Key, Known: incidents.IsKnown, Value: value}
		case same && f.Known == incidents.IsUnknown:
		case owner != "" && (!same || at.After(v.now)):
			f = incidents.Field{Key: f.Key, Known: incidents.IsUnknown, Owner: owner, By: at}
		default:
			f = incidents.Field{Key: f.Key}
		}
		out = append(out, f)
	}
	return out, nil
}

// askedPointers are the fields of facts by what they are called in the form.
func askedPointers(facts []incidents.Field) map[string]string {
	out := map[string]string{}
	for i, f := range facts {
		at := "/facts/" + strconv.Itoa(i)
		out[at+"/value"], out[at+"/owner"], out[at+"/by"] = "/f_"+f.Key, "/owner", "/by"
	}
	return out
}

// askedPairs are the answers of a case, as its page shows them; how many are still
// to be written is said once.
func (v *visit) askedPairs(c incidents.Case, who map[string]string) (out []Pair) {
	open := 0
	for _, f := range c.Facts {
		label := wordOf(v, askedTexts, f.Key)
		switch f.Known {
		case incidents.IsKnown:
			out = append(out, Pair{Label: label, Value: plainText(f.Value)})
		case incidents.IsUnknown:
			out = append(out, Pair{Label: label, Value: v.t("inc.asked_owed", "who", orWord(who[f.Owner], v.t("inc.nobody")), "when", v.until(f.By))})
		default:
			open++
		}
	}
	if open > 0 {
		out = append(out, Pair{Label: v.t("inc.asked"), Value: v.t("inc.asked_open", "n", open, "number", capital(v.p.tx.Number(open)))})
	}
	return out
}
