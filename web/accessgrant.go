package web

import (
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// grantForm asks who is granted what, why and until when.
func (v *visit) grantForm(c customers.Customer) (*AccessForm, error) {
	emergency := v.formValue("kind") == string(access.GrantBreakGlass)
	back := v.ofCustomer("/access", c.ID)
	page := v.accessForm(v.t("grant.new"), v.t("grant.new_say"), "/access/grants", back, v.t("grant.check"))
	page.Crumbs = v.accessCrumbs(c.ID, c.Name)
	if c.ID != "" {
		page.Say = v.t("grant.new_say_of", "company", c.Name)
		page.Hidden = []Pair{{Label: "customer", Value: c.ID}}
	} else {
		of, err := v.customerChoices(v.t("grant.choose"))
		if err != nil {
			return nil, err
		}
		page.Fields = append(page.Fields, v.entered("customer", v.t("col.customer"), "").among(of))
	}
	people, err := v.personChoices(v.t("grant.choose"), human)
	if err != nil {
		return nil, err
	}
	teams, err := v.teamChoices()
	if err != nil {
		return nil, err
	}
	page.Fields = append(page.Fields, v.entered("person", v.t("col.person"), "").among(people))
	if len(teams) > 1 && !emergency {
		page.Fields = append(page.Fields, v.entered("team", v.t("grant.or_team"), "").among(teams))
	}
	role := v.entered("role", v.t("col.role"), "")
	for _, r := range v.p.Access.Roles() {
		role.Radios = append(role.Radios, RoleChoice{Value: r.Name, Label: r.Name, Note: r.Title, Chosen: role.Value == r.Name})
	}
	page.Fields = append(page.Fields, role, v.entered("reason", v.t("col.reason"), "").rows(3).hint(v.t("grant.reason_hint")), v.entered("ticket", v.t("col.ticket"), "").optional(),
		v.tickedOf("no_ticket", v.t("grant.no_ticket"), []Choice{{"1", v.t("grant.no_ticket_tick"), false}}, nil))
	if !emergency {
		page.Fields = append(page.Fields, v.entered("until", v.t("col.until"), "").kind("date").hint(v.t("grant.until_hint")))
		return page, nil
	}
	page.Tone, page.Say = ToneWarn, v.t("grant.emergency_say")
	if c.ID != "" {
		page.Say = v.t("grant.emergency_say_of", "company", c.Name)
	}
	page.Lines = []string{v.t("grant.emergency_1"), v.t("grant.emergency_2"), v.t("grant.emergency_3"), v.t("grant.emergency_4")}
	page.Hidden = append(page.Hidden, Pair{Label: "kind", Value: string(access.GrantBreakGlass)})
	var hours []Choice
	for n := 1; n <= 4; n++ {
		hours = append(hours, Choice{Value: strconv.Itoa(n), Label: v.t("grant.n_hours", "n", n)})
	}
	page.Fields = append(page.Fields, v.entered("hours", v.t("grant.hours"), "1").among(hours),
		v.tickedOf("alone", v.t("grant.alone"), []Choice{{"1", v.t("grant.alone_tick"), false}}, nil).hint(v.t("grant.alone_hint")))
	return page, nil
}

func (v *visit) teamChoices() ([]Choice, error) {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return nil, err
	}
	list, err := v.p.Access.Teams(v.ctx, scope)
	out := []Choice{{Value: "", Label: v.t("grant.no_team")}}
	for _, t := range list {
		out = append(out, Choice{Value: t.ID, Label: t.Name})
	}
	return out, err
}

func (p *Portal) grantNew(v *visit) error {
	_, c, err := v.accessOf(policy.AccessWrite)
	if err != nil {
		return err
	}
	page, err := v.grantForm(c)
	if err != nil {
		return err
	}
	return v.render(page)
}

// grantInput is what was entered, as far as it can be read.
func (v *visit) grantInput(customer string) (access.NewGrant, error) {
	in := access.NewGrant{Customer: customer, Person: v.formValue("person"), Team: v.formValue("team"), Role: v.formValue("role"), Reason: v.formValue("reason"), Ticket: v.formValue("ticket"), Kind: access.GrantNormal}
	var wrong []controlplane.Field
	missing := func(id, key string) {
		wrong = append(wrong, controlplane.Field{Pointer: "/" + id, Message: v.t(key)})
	}
	if customer == "" {
		missing("customer", "grant.customer_missing")
	}
	if in.Person == "" && in.Team == "" {
		missing("person", "grant.person_missing")
	}
	if in.Role == "" {
		missing("role", "grant.role_missing")
	}
	if in.Reason == "" {
		missing("reason", "grant.reason_missing")
	}
	if in.Ticket == "" && len(v.formList("no_ticket")) == 0 {
		missing("ticket", "grant.ticket_missing")
	} else if in.Ticket == "" {
		in.NoTicketUntil = v.now.Add(24 * time.Hour)
	}
	if v.formValue("kind") == string(access.GrantBreakGlass) {
		n, err := strconv.Atoi(v.formValue("hours"))
		if err != nil || n < 1 || n > 4 {
			missing("hours", "grant.hours_wrong")
		}
		in.Kind, in.Until, in.Alone = access.GrantBreakGlass, v.now.Add(time.Duration(n)*time.Hour), len(v.formList("alone")) > 0
		if len(wrong) > 0 {
			return in, controlplane.Invalid(wrong...)
		}
		return in, nil
	}
	var err error
	if in.Until, err = v.dayField("until"); err != nil || in.Until.IsZero() {
		missing("until", "grant.until_missing")
	}
	if len(wrong) > 0 {
		return in, controlplane.Invalid(wrong...)
	}
	return in, nil
}

// grantMake shows what was entered once more, and makes the grant when it is
// sent from there.
func (p *Portal) grantMake(v *visit) error {
	scope, c, err := v.accessOf(policy.AccessWrite)
	if err != nil {
		return err
	}
	page, err := v.grantForm(c)
	if err != nil {
		return err
	}
	in, err := v.grantInput(c.ID)
	if err != nil {
		return v.invalid(page, err)
	}
	switch {
	case v.c.FormValue("change") != "":
		return v.render(page)
	case v.c.FormValue("checked") == "":
		return v.render(v.grantCheck(page, c, in))
	}
	g, err := p.Access.Grant(v.ctx, scope, in)
	if err != nil {
		return v.invalid(page, err)
	}
	if g.State == access.GrantProposed {
		return v.redirect("/access/grants/"+g.ID, "proposed")
	}
	return v.redirect("/access/grants/"+g.ID, "granted")
}

// grantCheck shows what was entered, with what will happen.
func (v *visit) grantCheck(form *AccessForm, c customers.Customer, in access.NewGrant) *AccessForm {
	page := v.accessForm(form.Title, v.t("grant.check_say", "company", c.Name), form.Action, form.Back, v.t("grant.do"))
	page.Crumbs, page.Tone, page.Change = form.Crumbs, form.Tone, v.t("grant.change")
	page.Lines = form.Lines
	if len(page.Lines) == 0 {
		page.Lines = []string{v.t("grant.line_1"), v.t("grant.line_2")}
	}
	who, of := "", "col.person"
	for _, f := range form.Fields {
		for _, o := range f.Options {
			if o.Value != "" && (o.Value == in.Person || o.Value == in.Team) {
				who = join(who, o.Label)
			}
		}
	}
	if in.Team != "" {
		of = "teams.team"
	}
	ticket := in.Ticket
	if ticket == "" {
		ticket = v.t("grant.ticket_later", "when", v.moment(in.NoTicketUntil))
	}
	page.Answers = []Pair{{Label: v.t("col.customer"), Value: c.Name}, {Label: v.t(of), Value: who}, {Label: v.t("col.role"), Value: v.roleTitle(in.Role)}, {Label: v.t("col.reason"), Value: in.Reason},
		{Label: v.t("col.ticket"), Value: ticket}, {Label: v.t("col.until"), Value: v.moment(in.Until)}}
	if in.Alone {
		page.Answers = append(page.Answers, Pair{Label: v.t("grant.alone"), Value: v.t("grant.alone_tick")})
	}
	page.Hidden = []Pair{{Label: "checked", Value: "1"}, {Label: "customer", Value: c.ID}}
	for _, id := range []string{"person", "team", "role", "reason", "ticket", "until", "kind", "hours", "no_ticket", "alone"} {
		if value := v.formValue(id); value != "" {
			page.Hidden = append(page.Hidden, Pair{Label: id, Value: value})
		}
	}
	return page
}

// A grantAction is what can be done with a grant that is there.
type grantAction struct {
	word, label, say, do, done string
	perm                       policy.Permission
	when                       func(*visit, access.Grant) bool
	fields                     func(*visit, access.Grant) []FormField
	lines                      []string
	act                        func(*visit, policy.Scope, access.Grant) error
}

// grantActions are revoking, extending, the ticket that was lacking, and reviewing.
func (p *Portal) grantActions() []grantAction {
	open := func(_ *visit, g access.Grant) bool {
		return g.State == access.GrantActive || g.State == access.GrantProposed
	}
	return []grantAction{
		{word: "revoke", label: "grant.revoke", say: "grant.revoke_say", do: "grant.revoke_do", done: "grant_revoked", perm: policy.AccessWrite, when: open, lines: []string{"grant.revoke_1", "grant.revoke_2", "grant.revoke_3"},
			fields: func(v *visit, _ access.Grant) []FormField {
				return []FormField{v.entered("why", v.t("col.why"), "").hint(v.t("grant.why_hint"))}
			},
			act: func(v *visit, s policy.Scope, g access.Grant) error {
				why := v.formValue("why")
				if why == "" {
					return controlplane.Invalid(controlplane.Field{Pointer: "/why", Message: v.t("grant.why_missing")})
				}
				_, err := p.Access.Revoke(v.ctx, s, g.ID, why)
				return err
			}},
		{word: "extend", label: "grant.extend", say: "grant.extend_say", do: "grant.extend_do", done: "saved", perm: policy.AccessWrite,
			when: func(_ *visit, g access.Grant) bool {
				return g.State == access.GrantActive && g.Kind == access.GrantNormal
			},
			fields: func(v *visit, g access.Grant) []FormField {
				return []FormField{v.entered("until", v.t("col.until"), v.dayValue(g.Until)).kind("date"), v.entered("reason", v.t("col.reason"), "").rows(3).hint(v.t("grant.reason_hint")), v.entered("ticket", v.t("col.ticket"), "")}
			},
			act: func(v *visit, s policy.Scope, g access.Grant) error {
				until, err := v.dayField("until")
				if err == nil {
					_, err = p.Access.Extend(v.ctx, s, g.ID, until, v.formValue("reason"), v.formValue("ticket"))
				}
				return err
			}},
		{word: "ticket", label: "grant.fill_ticket", say: "grant.ticket_say", do: "terms.save", done: "saved", perm: policy.AccessWrite,
			when: func(_ *visit, g access.Grant) bool { return g.Ticket == "" && g.State == access.GrantActive },
			fields: func(v *visit, _ access.Grant) []FormField {
				return []FormField{v.entered("ticket", v.t("col.ticket"), "")}
			},
			act: func(v *visit, s policy.Scope, g access.Grant) error {
				_, err := p.Access.FillTicket(v.ctx, s, g.ID, v.formValue("ticket"))
				return err
			}},
		{word: "review", label: "grant.review", say: "grant.review_say", do: "grant.review_do", done: "reviewed", perm: policy.AccessApprove,
			when: func(v *visit, g access.Grant) bool {
				return !g.ReviewBy.IsZero() && g.ReviewedAt.IsZero() && g.GrantedBy != v.actor.ID
			},
			fields: func(v *visit, _ access.Grant) []FormField {
				return []FormField{v.entered("note", v.t("grant.note"), "").rows(3).hint(v.t("grant.review_hint"))}
			},
			act: func(v *visit, s policy.Scope, g access.Grant) error {
				_, err := p.Access.Review(v.ctx, s, g.ID, v.formValue("note"))
				return err
			}},
	}
}

// grantAct makes the two routes of an action: its form, and doing it.
func (p *Portal) grantAct(a grantAction) (ask, do func(*visit) error) {
	begin := func(v *visit) (policy.Scope, access.Grant, *AccessForm, error) {
		scope, g, c, err := v.grantByID(a.perm)
		if err != nil {
			return scope, g, nil, err
		}
		self := "/access/grants/" + g.ID
		page := v.accessForm(v.t(a.label), v.t(a.say, "who", g.Who, "company", c.Name, "role", v.roleTitle(g.Role)), self+"/"+a.word, self, v.t(a.do))
		page.Crumbs = append(v.accessCrumbs(c.ID, c.Name), Link{g.Who, self})
		for _, key := range a.lines {
			page.Lines = append(page.Lines, v.t(key))
		}
		page.Fields = a.fields(v, g)
		return scope, g, page, nil
	}
	ask = func(v *visit) error {
		_, _, page, err := begin(v)
		if err != nil {
			return err
		}
		return v.render(page)
	}
	do = func(v *visit) error {
		scope, g, page, err := begin(v)
		if err != nil {
			return err
		}
		if err := a.act(v, scope, g); err != nil {
			return v.invalid(page, err)
		}
		return v.redirect("/access/grants/"+g.ID, a.done)
	}
	return ask, do
}
