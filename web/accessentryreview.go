package web

import (
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// entryReviewForm asks whether somebody still needs what they have.
func (v *visit) entryReviewForm() (policy.Scope, access.Entry, *AccessForm, error) {
	scope, err := v.scope(policy.AccessApprove)
	if err != nil {
		return scope, access.Entry{}, nil, err
	}
	e, err := v.p.Access.GetEntry(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return scope, e, nil, err
	}
	page := v.accessForm(v.t("entries.review_title"), v.t("entries.review_say", "name", e.PersonName, "way", lower(wayWord(v.p.tx, e.Way))), "/access/entries/"+e.ID+"/review", "/access/entries", v.t("entries.review_do"))
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("entries.title"), "/access/entries"})
	page.Lines = []string{v.t("entries.review_1"), v.t("entries.review_2")}
	page.About = v.t("entries.review_about")
	due := ""
	if !e.ReviewBy.IsZero() {
		due = v.dayOf(e.ReviewBy)
	}
	page.Answers = []Pair{{Label: v.t("col.person"), Value: e.PersonName}, {Label: v.t("access.how"), Value: join(wayWord(v.p.tx, e.Way), e.Role)}, {Label: v.t("col.reason"), Value: PlainName([]byte(e.Reason))},
		{Label: v.t("col.since"), Value: v.moment(e.From)}, {Label: v.t("entries.review_due"), Value: due}}
	page.Fields = []FormField{v.entered("review", v.t("entries.review_next"), v.dayValue(v.now.AddDate(0, 3, 0))).kind("date").hint(v.t("entries.review_hint")),
		v.entered("note", v.t("grant.note"), "").rows(3).hint(v.t("entries.review_note"))}
	return scope, e, page, nil
}

func (p *Portal) entryReview(v *visit) error {
	_, _, page, err := v.entryReviewForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

// entryReviewDo notes that somebody looked, and when it is looked at again.
func (p *Portal) entryReviewDo(v *visit) error {
	scope, e, page, err := v.entryReviewForm()
	if err != nil {
		return err
	}
	next, err := v.dayField("review")
	if err == nil {
		_, err = p.Access.ReviewEntry(v.ctx, scope, e.ID, next, v.formValue("note"))
	}
	if err != nil {
		return v.invalid(page, relabelled(err, "/review_by", "/review"))
	}
	return v.redirect("/access/entries", "reviewed")
}
