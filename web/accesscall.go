package web

import (
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// noticeCallForm asks whom somebody told of a notice by telephone, when, and what
// was said.
func (v *visit) noticeCallForm() (policy.Scope, access.Notice, *AccessForm, error) {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return scope, access.Notice{}, nil, err
	}
	n, err := v.p.Access.GetNotice(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return scope, n, nil, err
	}
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, n.Customer)
	if err != nil {
		return scope, n, nil, err
	}
	self := "/access/notices/" + n.ID
	page := v.accessForm(v.t("notice.call"), v.t("notice.call_say", "company", c.Name), self+"/call", self, v.t("notice.call_do"))
	page.Crumbs = append(v.accessCrumbs(c.ID, c.Name), Link{v.t("notices.title"), v.ofCustomer("/access/notices", c.ID)}, Link{v.t("notices.notice"), self})
	page.About = v.t("notice.items")
	for _, x := range n.Items {
		page.Answers = append(page.Answers, Pair{Label: v.moment(x.At), Value: join(v.changeSentence(x), v.changeWhy(x.Why))})
	}
	who := []Choice{{"", v.t("instructing.somebody"), false}}
	if v.can(policy.PeopleRead) {
		people, err := v.contacts(c.ID)
		if err != nil {
			return scope, n, nil, err
		}
		for _, x := range people {
			who = append(who, Choice{Value: x.Name, Label: x.Name})
		}
	}
	now := v.now.In(v.zone)
	page.Fields = []FormField{v.entered("contact", v.t("notice.call_who"), "").among(who), v.entered("name", v.t("notice.call_name"), "").hint(v.t("notice.call_name_hint")).optional(),
		v.entered("on", v.t("notice.call_on"), v.dayValue(now)).kind("date"), v.entered("at", v.t("access.at"), now.Format("15:04")).kind("time"),
		v.entered("said", v.t("notice.call_said"), "").rows(3).hint(v.t("notice.call_said_hint"))}
	return scope, n, page, nil
}

func (p *Portal) noticeCall(v *visit) error {
	_, _, page, err := v.noticeCallForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

// noticeCallDo notes a call.
func (p *Portal) noticeCallDo(v *visit) error {
	scope, n, page, err := v.noticeCallForm()
	if err != nil {
		return err
	}
	who := v.formValue("contact")
	if who == "" {
		who = v.formValue("name")
	}
	at, err := v.instantOf("/on", v.formValue("on"), v.formValue("at"))
	if err == nil {
		_, err = p.Access.RecordNoticeCall(v.ctx, scope, n.ID, access.NoticeCall{Who: who, At: at, Said: v.formValue("said")})
	}
	if err != nil {
		return v.invalid(page, relabelled(err, "/who", "/name", "/at", "/on"))
	}
	return v.redirect("/access/notices/"+n.ID, "call_noted")
}
