package web

import (
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// recertifications are the times at which all lists are confirmed anew.
func (p *Portal) recertifications(v *visit) error {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return err
	}
	list, err := p.Access.Campaigns(v.ctx, scope)
	if err != nil {
		return err
	}
	page := v.accessPage("/access/campaigns", v.t("recert.title"), v.t("recert.say_none"))
	page.Crumbs = v.accessCrumbs("", "")
	s := Section{ID: "campaigns", Title: v.t("recert.title"), Lead: v.t("recert.lead"), Empty: v.t("recert.empty"), Grid: Grid{Heads: []string{v.t("col.name"), v.t("col.state"), v.t("recert.due"), v.t("recert.kept"), v.t("recert.revoked"), v.t("recert.open")}}}
	for _, c := range list {
		state := v.recertState(c)
		if c.Open > 0 && page.Tone == "" {
			page.Say, page.Tone = v.t("recert.say_open", "n", c.Open, "when", v.moment(c.DueAt)), state.Tone
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{ID: c.ID, Cells: []Cell{{Link: Link{c.Title, "/access/campaigns/" + c.ID}, Strong: true, Notes: []string{v.t("recert.started", "when", v.moment(c.StartedAt))}}, {State: state}, {At: c.DueAt},
			{Link: Link{Label: group(int64(c.Kept))}}, {Link: Link{Label: group(int64(c.Revoked))}}, {Link: Link{Label: group(int64(c.Open))}}}})
	}
	if len(list) > 0 && page.Tone == "" {
		page.Say, page.Tone = v.t("recert.say_done"), ToneGood
	}
	if v.can(policy.AccessAdmin) {
		s.Acts = []Act{{Label: v.t("recert.new"), Href: "/access/campaigns/new"}}
	}
	page.Sections = []Section{s}
	return v.render(page)
}

func (v *visit) recertState(c access.Campaign) State {
	switch {
	case !c.EndedAt.IsZero() || c.Open == 0:
		return State{ToneGood, v.t("recert.done")}
	case !c.DueAt.After(v.now):
		return State{ToneWarn, v.t("recert.over")}
	}
	return State{ToneBusy, v.t("recert.running")}
}

// recertPage is one campaign: what it asks, the open ones first.
func (v *visit) recertPage(id string) (*Access, error) {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return nil, err
	}
	list, err := v.p.Access.Campaigns(v.ctx, scope)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(c access.Campaign) bool { return c.ID == id })
	if i < 0 {
		return nil, controlplane.NotFound("campaign")
	}
	c := list[i]
	items, next, err := v.p.Access.CampaignItems(v.ctx, scope, c.ID, v.c.QueryParam("customer"), 50, v.c.QueryParam("page"))
	if err != nil {
		return nil, err
	}
	page := v.accessPage("/access/campaigns", c.Title, v.t("recert.say_of", "title", c.Title, "n", c.Open, "all", c.Total, "when", v.moment(c.DueAt)))
	page.Tone = v.recertState(c).Tone
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("recert.title"), "/access/campaigns"})
	page.Sub = v.t("recert.sub")
	s, err := v.recertItems(c, items)
	if err != nil {
		return nil, err
	}
	v.pageOf(&s.Pager, "/access/campaigns/"+c.ID, next)
	page.Sections = []Section{s}
	return page, nil
}

func (v *visit) recertItems(c access.Campaign, items []access.CampaignItem) (Section, error) {
	s := Section{ID: "items", Title: v.t("recert.items"), Empty: v.t("recert.items_empty"), Grid: Grid{Heads: []string{v.t("col.person"), v.t("col.customer"), v.t("access.how"), v.t("recert.used"), v.t("recert.answer")}}}
	ids := map[string]bool{}
	for _, x := range items {
		ids[x.Customer] = true
	}
	names, err := v.customerNames(keysOf(ids))
	if err != nil {
		return s, err
	}
	for _, x := range items {
		used := v.orDash(x.LastUsed)
		if x.LastUsed.IsZero() {
			used = Cell{State: State{ToneWarn, v.t("recert.unused")}}
		}
		who := Cell{Link: Link{x.Name, "/access/persons/" + x.Person}, Strong: true}
		if x.LastOnCall {
			who.Notes = []string{v.t("recert.last_on_call", "when", v.moment(x.RevokeAt))}
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{ID: x.ID, Cells: []Cell{who, {Link: Link{names[x.Customer], "/access?" + query("customer", x.Customer)}}, {Link: Link{Label: wayWord(v.p.tx, x.Way)}, Notes: []string{v.roleTitle(x.Role)}}, used, v.recertAnswer(c, x)}})
	}
	return s, nil
}

var answerTexts = map[string]struct {
	tone Tone
	key  string
}{"keep": {ToneGood, "recert.keep"}, "revoke": {ToneUnknown, "recert.revoke"}, "revoked_silently": {ToneUnknown, "recert.silent"}}

// recertAnswer is what was answered, or the form to answer with.
func (v *visit) recertAnswer(c access.Campaign, x access.CampaignItem) Cell {
	if a, ok := answerTexts[x.Answer]; ok {
		return Cell{State: State{a.tone, v.t(a.key)}, At: x.AnsweredAt, Notes: []string{PlainName([]byte(x.Because))}}
	}
	if !v.can(policy.AccessApprove) {
		return Cell{State: State{ToneBusy, v.t("recert.waits")}}
	}
	return Cell{Ask: &Ask1{Action: "/access/campaigns/" + c.ID + "/items/" + x.ID, ID: "because-" + x.ID, Label: v.t("col.why"), Yes: v.t("recert.do_keep"), No: v.t("recert.do_revoke")}}
}

func (p *Portal) recertification(v *visit) error {
	page, err := v.recertPage(v.c.Param("id"))
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) recertificationAnswer(v *visit) error {
	scope, err := v.scope(policy.AccessApprove)
	if err != nil {
		return err
	}
	id, item, answer := v.c.Param("id"), v.c.Param("item"), v.c.FormValue("answer")
	if answer != "yes" && answer != "no" {
		err = controlplane.Invalid(controlplane.Field{Pointer: "/because-" + item, Message: v.t("letin.say_which")})
	} else {
		_, err = p.Access.AnswerItem(v.ctx, scope, item, answer == "yes", v.formValue("words"))
		err = relabelled(err, "/because", "/because-"+item)
	}
	if err != nil {
		page, perr := v.recertPage(id)
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/access/campaigns/"+id, "saved")
}

func (v *visit) recertForm() *AccessForm {
	page := v.accessForm(v.t("recert.new"), v.t("recert.new_say"), "/access/campaigns", "/access/campaigns", v.t("recert.start"))
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("recert.title"), "/access/campaigns"})
	page.Lines = []string{v.t("recert.line_1"), v.t("recert.line_2"), v.t("recert.line_3")}
	quarter := v.t("recert.quarter", "n", (int(v.now.In(v.zone).Month())-1)/3+1, "year", v.now.In(v.zone).Format("2006"))
	page.Fields = []FormField{v.entered("title", v.t("col.name"), quarter), v.entered("due", v.t("recert.due"), v.dayValue(v.now.Add(14*24*time.Hour))).kind("date")}
	return page
}

func (p *Portal) recertificationNew(v *visit) error { return v.render(v.recertForm()) }

func (p *Portal) recertificationStart(v *visit) error {
	scope, err := v.scope(policy.AccessAdmin)
	if err != nil {
		return err
	}
	page := v.recertForm()
	due, err := v.dayField("due")
	var c access.Campaign
	if err == nil {
		c, err = p.Access.StartCampaign(v.ctx, scope, v.formValue("title"), due)
	}
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/campaigns/"+c.ID, "created")
}
