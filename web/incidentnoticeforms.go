package web

import (
	"errors"
	"strconv"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// noticeForm begins a form about a notice.
func (v *visit) noticeForm(x one, title, say, path, do string) *AccessForm {
	at := "/incidents/notices/" + x.n.ID
	page := v.accessForm(title, say, at+path, at, do)
	page.Nav, page.Exercise = "incidents", v.exercise(x.n.Drill)
	page.Crumbs = append(v.crumbsOf(x), Link{v.t("inc.the_notice"), at})
	return page
}

// noticeStep shows a form about a notice.
func (v *visit) noticeStep(make func(one) (*AccessForm, error)) error {
	_, x, err := v.noticeByID(policy.IncidentWrite)
	if err != nil {
		return err
	}
	page, err := make(x)
	if err != nil {
		return err
	}
	return v.render(page)
}

// noticeStepDo carries a form about a notice out.
func (v *visit) noticeStepDo(make func(one) (*AccessForm, error), done string, do func(policy.Scope, one) error) error {
	scope, x, err := v.noticeByID(policy.IncidentWrite)
	if err != nil {
		return err
	}
	page, err := make(x)
	if err != nil {
		return err
	}
	if err := do(scope, x); err != nil {
		return v.wrongCase(page, err)
	}
	return v.redirect("/incidents/notices/"+x.n.ID, done)
}

// valueOfField is a field as it is edited: words, a number, or a range.
func valueOfField(f incidents.Field) string {
	switch f.Known {
	case incidents.IsKnown:
		return f.Value
	case incidents.IsRange:
		return strconv.FormatInt(f.Low, 10) + "-" + strconv.FormatInt(f.High, 10)
	}
	return ""
}

// counts reports whether a field is a number of people or records.
func counts(key string) bool { return key == "people" || key == "records" }

// factFields are the facts of a notice as inputs: one for each, and once who finds
// out what is left empty.
func (v *visit) factFields(fields []incidents.Field, words, lang string) ([]FormField, error) {
	who, err := v.ourChoices(v.t("inc.owner_later"))
	if err != nil {
		return nil, err
	}
	out := []FormField{v.entered("words", v.t("inc.words"), words).rows(6).optional().hint(v.t("inc.words_hint"))}
	owner, by := "", noTime
	for _, f := range fields {
		if f.Key == "contact" {
			continue // it stands with who we are to the law
		}
		field := v.entered("f_"+f.Key, wordOf(v, fieldTexts, f.Key), valueOfField(f)).optional()
		if counts(f.Key) {
			field = field.hint(v.t("inc.range_hint"))
		} else {
			field = field.rows(2)
		}
		if f.Known == incidents.IsUnknown {
			owner, by = f.Owner, f.By
			field.Hint = join2(field.Hint, v.t("inc.k_unknown"))
		}
		out = append(out, field)
	}
	out = append(out, v.entered("owner", v.t("inc.owner"), owner).among(who).hint(v.t("inc.owner_hint")), v.timeField("by", v.t("inc.owner_by"), "inc.time_when", by))
	langs := []Choice{{Value: "en", Label: "English"}, {Value: "de", Label: "Deutsch"}}
	return append(out, v.entered("lang", v.t("inc.lang"), lang).among(langs)), nil
}

// factsEntered reads the facts of a form. What was left empty is not known yet,
// where somebody is to find it out.
func (v *visit) factsEntered(fields []incidents.Field) (incidents.NoticeEdit, error) {
	words, lang := v.text("words"), v.formValue("lang")
	in := incidents.NoticeEdit{Words: &words, Lang: &lang}
	owner, by := v.formValue("owner"), noTime
	if s := v.formValue("by"); s != "" {
		t, err := law.ParseTime(s, v.zone)
		if err != nil {
			return in, controlplane.Invalid(controlplane.Field{Pointer: "/by", Message: v.t("inc.time_offset", "zone", v.zone.String())})
		}
		by = t
	}
	for _, f := range fields {
		if f.Key == "contact" {
			continue
		}
		value := v.text("f_" + f.Key)
		now := incidents.Field{Key: f.Key, Known: incidents.IsKnown, Value: value}
		low, high, isRange := rangeOf(value)
		switch {
		case value == "" && f.Known == incidents.IsUnknown && owner == "":
			now = f
		case value == "" && owner == "":
			now = incidents.Field{Key: f.Key}
		case value == "":
			now = incidents.Field{Key: f.Key, Known: incidents.IsUnknown, Owner: owner, By: by}
		case counts(f.Key) && isRange:
			now = incidents.Field{Key: f.Key, Known: incidents.IsRange, Low: low, High: high}
		}
		in.Fields = append(in.Fields, now)
	}
	return in, nil
}

// rangeOf reads "100-200".
func rangeOf(s string) (low, high int64, ok bool) {
	a, b, ok := strings.Cut(strings.NewReplacer("–", "-", " ", "", "\u202f", "", "\u00a0", "").Replace(s), "-")
	if !ok {
		return 0, 0, false
	}
	low, err1 := strconv.ParseInt(a, 10, 64)
	high, err2 := strconv.ParseInt(b, 10, 64)
	return low, high, err1 == nil && err2 == nil
}

// editNoticeForm changes what a notice says.
func (v *visit) editNoticeForm(x one) (page *AccessForm, err error) {
	page = v.noticeForm(x, v.t("inc.n_edit"), v.t("inc.n_edit_say", "to", v.noticeTo(x.n, x.names)), "/edit", v.t("inc.save"))
	page.Lines = []string{v.t("inc.n_edit_1"), v.t("inc.n_edit_2")}
	page.Hidden = []Pair{versionOf(x.n.Version)}
	fields := x.n.Fields
	if key := v.entered("field", "", "").Value; key != "" {
		page.Hidden, fields = append(page.Hidden, Pair{Label: "field", Value: key}), onlyField(fields, key)
	}
	page.Fields, err = v.factFields(fields, x.n.Words, x.n.Lang)
	return page, err
}

func onlyField(fields []incidents.Field, key string) (out []incidents.Field) {
	for _, f := range fields {
		if f.Key == key {
			out = append(out, f)
		}
	}
	return out
}

func (p *Portal) caseNoticeEdit(v *visit) error { return v.noticeStep(v.editNoticeForm) }

func (p *Portal) caseNoticeSave(v *visit) error {
	return v.noticeStepDo(v.editNoticeForm, "saved", func(scope policy.Scope, x one) error {
		fields := x.n.Fields
		if key := v.formValue("field"); key != "" {
			fields = onlyField(fields, key)
		}
		in, err := v.factsEntered(fields)
		if err != nil {
			return err
		}
		_, err = p.Incidents.Edit(v.ctx, scope, x.n.ID, v.version(), in)
		return v.fieldError(err, in)
	})
}

// fieldError names the input of a field that is wrong.
func (v *visit) fieldError(err error, in incidents.NoticeEdit) error {
	var e *controlplane.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Fields = nil
	for _, f := range e.Fields {
		parts := strings.Split(strings.TrimPrefix(f.Pointer, "/"), "/")
		if parts[0] == "fields" && len(parts) == 3 {
			if i, err := strconv.Atoi(parts[1]); err == nil && i >= 0 && i < len(in.Fields) {
				f.Pointer = "/f_" + in.Fields[i].Key
				if parts[2] == "owner" || parts[2] == "by" {
					f.Pointer = "/" + parts[2]
				}
			}
		}
		if len(out.Fields) == 0 || out.Fields[len(out.Fields)-1] != f { // every field has the same owner
			out.Fields = append(out.Fields, f)
		}
	}
	return &out
}

// allForm writes the same into every draft of a case.
func (v *visit) allForm(c incidents.Case) (*AccessForm, error) {
	page := v.caseForm(c, v.t("inc.edit_all"), v.t("inc.edit_all_say"), "/notices/all", v.t("inc.edit_all_do"))
	page.Lines = []string{v.t("inc.edit_all_1"), v.t("inc.edit_all_2")}
	page.Back = "/incidents/" + c.ID + "/notices"
	var fields []incidents.Field
	for _, key := range incidents.FieldKeys() {
		fields = append(fields, incidents.Field{Key: key})
	}
	all, err := v.factFields(fields, "", "")
	if err != nil {
		return nil, err
	}
	page.Fields = all[:len(all)-1] // each keeps its language
	return page, nil
}

func (p *Portal) caseNoticesAll(v *visit) error { return v.caseStep(policy.IncidentWrite, v.allForm) }

func (p *Portal) caseNoticesAllSave(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentWrite)
	if err != nil {
		return err
	}
	page, err := v.allForm(c)
	if err != nil {
		return err
	}
	var fields []incidents.Field
	for _, key := range incidents.FieldKeys() { // what is left empty stays as it is
		if v.text("f_"+key) != "" || v.formValue("owner") != "" {
			fields = append(fields, incidents.Field{Key: key})
		}
	}
	in, err := v.factsEntered(fields)
	if err == nil {
		if in.Lang = nil; *in.Words == "" {
			in.Words = nil
		}
		_, err = p.Incidents.EditAll(v.ctx, scope, c.ID, in)
		err = v.fieldError(err, in)
	}
	if err != nil {
		return v.wrongCase(page, err)
	}
	return v.redirect("/incidents/"+c.ID+"/notices", "saved")
}

func (v *visit) discardForm(x one) (*AccessForm, error) {
	page := v.noticeForm(x, v.t("inc.discard"), v.t("inc.discard_say", "to", v.noticeTo(x.n, x.names)), "/discard", v.t("inc.discard"))
	page.Lines = []string{v.t("inc.discard_1")}
	page.Fields = []FormField{v.entered("why", v.t("col.why"), "").rows(2)}
	return page, nil
}

func (p *Portal) caseNoticeDiscard(v *visit) error { return v.noticeStep(v.discardForm) }

func (p *Portal) caseNoticeDiscardDo(v *visit) error {
	return v.noticeStepDo(v.discardForm, "saved", func(scope policy.Scope, x one) error {
		_, err := p.Incidents.Discard(v.ctx, scope, x.n.ID, v.text("why"))
		return err
	})
}

// tellForm records that somebody was told another way than by mail.
func (v *visit) tellForm(x one) (*AccessForm, error) {
	page := v.noticeForm(x, v.t("inc.tell_it"), v.t("inc.tell_say", "to", v.noticeTo(x.n, x.names)), "/tell", v.t("inc.tell_do"))
	page.Lines = []string{v.t("inc.tell_1"), v.t("inc.tell_2")}
	hows := []RoleChoice{{Value: "call", Label: v.t("inc.how_call"), Note: v.t("inc.how_call_note")}, {Value: "letter", Label: v.t("inc.how_letter"), Note: v.t("inc.how_letter_note")}, {Value: "form", Label: v.t("inc.how_form"), Note: v.t("inc.how_form_note")}}
	how := "call"
	if x.n.Audience != incidents.ToCustomer {
		how = "form"
	}
	page.Fields = []FormField{v.entered("to", v.t("inc.tell_to"), "").hint(v.t("inc.tell_to_hint")), v.radiosOf("how", v.t("inc.how"), hows, how), v.timeField("at", v.t("col.when"), "inc.time_now", noTime),
		v.entered("note", v.t("inc.tell_note"), "").rows(3).hint(v.t("inc.tell_note_hint")), v.entered("reference", v.t("inc.reference"), "").optional().hint(v.t("inc.reference_hint"))}
	if late := x.n.DueAt; late.IsZero() || v.now.After(late) {
		page.Fields = append(page.Fields, v.entered("late_why", v.t("inc.late_why"), x.n.LateWhy).rows(2).optional().hint(v.t("inc.late_why_hint")))
	}
	return page, nil
}

func (p *Portal) caseNoticeTell(v *visit) error { return v.noticeStep(v.tellForm) }

func (p *Portal) caseNoticeTellDo(v *visit) error {
	return v.noticeStepDo(v.tellForm, "inc_told", func(scope policy.Scope, x one) error {
		_, err := p.Incidents.Tell(v.ctx, scope, x.n.ID, incidents.Telling{To: v.formValue("to"), How: v.formValue("how"), Note: v.text("note"), At: v.at("at"), Reference: v.formValue("reference"), LateWhy: v.text("late_why")})
		return err
	})
}
