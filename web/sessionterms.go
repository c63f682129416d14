package web

import (
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// sessionTermsPage is what was agreed with a customer about recordings.
func (v *visit) sessionTermsPage(scope policy.Scope) (*AccessForm, sessions.Terms, error) {
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, v.c.FormValue("customer"))
	if err != nil {
		return nil, sessions.Terms{}, err
	}
	t, err := v.p.Sessions.TermsOf(v.ctx, scope, c.ID)
	if err != nil {
		return nil, t, err
	}
	page := v.accessForm(v.t("sessionterms.title"), v.t("sessionterms.say", "company", c.Name), "/sessions/terms", v.ofCustomer("/sessions", c.ID), v.t("terms.save"))
	page.Nav, page.Crumbs = "sessions", []Link{v.sessionHome(), {c.Name, v.ofCustomer("/sessions", c.ID)}}
	page.Lines = []string{v.t("sessionterms.months", "n", t.Months), v.t("sessionterms.told")}
	var was []string
	if t.Watch {
		was = append(was, "watch")
	}
	if t.Commands {
		was = append(was, "commands")
	}
	page.Fields = []FormField{v.tickedOf("see", v.t("sessionterms.see"), []Choice{{Value: "commands", Label: v.t("sessionterms.commands")}, {Value: "watch", Label: v.t("sessionterms.watch")}}, was),
		v.entered("percent", v.t("sessionterms.percent"), strconv.Itoa(t.Percent)).kind("number").hint(v.t("sessionterms.percent_hint"))}
	page.Hidden = []Pair{{Label: "customer", Value: c.ID}, versionOf(t.Version)}
	return page, t, nil
}

func (p *Portal) sessionTerms(v *visit) error {
	scope, err := v.scope(policy.SessionAdmin)
	if err != nil {
		return err
	}
	page, _, err := v.sessionTermsPage(scope)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) sessionTermsSave(v *visit) error {
	scope, err := v.scope(policy.SessionAdmin)
	if err != nil {
		return err
	}
	page, t, err := v.sessionTermsPage(scope)
	if err != nil {
		return err
	}
	t.Watch, t.Commands, t.Version = false, false, v.version()
	for _, x := range v.formList("see") {
		t.Watch, t.Commands = t.Watch || x == "watch", t.Commands || x == "commands"
	}
	if t.Percent, err = v.numberField("percent"); err != nil {
		return v.invalid(page, err)
	}
	if _, err := p.Sessions.SetTerms(v.ctx, scope, t); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect(v.ofCustomer("/sessions", t.Customer), "saved")
}

// holds are what keeps recordings beyond their term.
func (p *Portal) holds(v *visit) error {
	scope, err := v.scope(policy.SessionRead)
	if err != nil {
		return err
	}
	all := v.c.QueryParam("all") != ""
	items, err := p.Sessions.Holds(v.ctx, scope, v.c.QueryParam("customer"), all)
	if err != nil {
		return err
	}
	stand := 0
	for _, h := range items {
		if h.ReleasedAt.IsZero() && (h.Until.IsZero() || h.Until.After(v.now)) {
			stand++
		}
	}
	page := v.sessionsPage("/sessions/holds", v.t("holds.title"), v.t("holds.say", "n", stand, "number", capital(p.tx.Number(stand))))
	if stand == 0 {
		page.Say = v.t("holds.say_none")
	}
	page.Sub = v.t("holds.sub")
	if v.can(policy.SessionAdmin) {
		page.Acts = []Act{{Label: v.t("holds.new"), Href: "/sessions/holds/new"}}
	}
	toggle := Act{Label: v.t("holds.all"), Href: "/sessions/holds?all=1"}
	if all {
		toggle = Act{Label: v.t("holds.standing"), Href: "/sessions/holds"}
	}
	page.Acts = append(page.Acts, toggle)
	sec := Section{ID: "holds", Title: v.t("holds.list"), Empty: v.t("holds.empty")}
	if sec.Grid, err = v.holdGrid(items); err != nil {
		return err
	}
	page.Sections = []Section{sec}
	return v.render(page)
}

// holdGrid is holds as a table.
func (v *visit) holdGrid(items []sessions.Hold) (Grid, error) {
	customers, staff := map[string]bool{}, map[string]bool{}
	for _, h := range items {
		for _, id := range []string{h.By, h.Asked, h.ReleasedBy, h.ReviewedBy} {
			if id != "" {
				staff[id] = true
			}
		}
		if h.Customer != "" {
			customers[h.Customer] = true
		}
	}
	names, err := v.namesOfCustomers(keysOf(customers))
	if err != nil {
		return Grid{}, err
	}
	who, err := v.staffNames(keysOf(staff)...)
	if err != nil {
		return Grid{}, err
	}
	g := Grid{Heads: []string{v.t("holds.what"), v.t("col.reason"), v.t("holds.by"), v.t("col.until"), v.t("col.state"), ""}}
	for _, h := range items {
		what := Cell{Link: Link{v.t("holds.one"), "/sessions/" + h.Session}}
		if h.Session == "" {
			what = Cell{Link: Link{names[h.Customer], "/customers/" + h.Customer}, Notes: []string{v.holdSpan(h)}}
		}
		until := v.orDash(h.Until)
		if h.Until.IsZero() {
			until = Cell{Link: Link{Label: v.t("holds.open")}}
		}
		state, do := v.holdState(h, who)
		g.Rows = append(g.Rows, GridRow{ID: h.ID, Cells: []Cell{what, {Link: Link{Label: PlainName([]byte(h.Reason))}}, {Link: Link{Label: who[h.By]}, At: h.At}, until, state, do}})
	}
	return g, nil
}

func (v *visit) holdSpan(h sessions.Hold) string {
	if h.From.IsZero() && h.To.IsZero() {
		return v.t("holds.every")
	}
	from, to := v.t("holds.beginning"), v.t("holds.now")
	if !h.From.IsZero() {
		from = v.dayOf(h.From)
	}
	if !h.To.IsZero() {
		to = v.dayOf(h.To)
	}
	return v.t("holds.span", "from", from, "to", to)
}

// holdState is how a hold stands, and what can be done about it.
func (v *visit) holdState(h sessions.Hold, who map[string]string) (state, do Cell) {
	switch {
	case h.Alone && h.ReviewedBy == "":
		state = Cell{State: State{ToneWarn, v.t("holds.alone")}, Notes: []string{v.t("holds.alone_by", "name", who[h.ReleasedBy])}}
		if v.can(policy.SessionAdmin) && h.ReleasedBy != v.actor.ID {
			do.Acts = []Act{{Label: v.t("holds.look"), Href: "/sessions/holds/" + h.ID + "/release"}}
		}
		return state, do
	case h.Alone:
		return Cell{State: State{ToneUnknown, v.t("holds.released_alone")}, Notes: []string{who[h.ReleasedBy], v.t("holds.looked_by", "name", who[h.ReviewedBy])}}, do
	case !h.ReleasedAt.IsZero():
		return Cell{State: State{ToneUnknown, v.t("holds.released")}, Notes: []string{who[h.ReleasedBy]}}, do
	case !h.Until.IsZero() && !h.Until.After(v.now):
		return Cell{State: State{ToneUnknown, v.t("holds.ended")}}, do
	case h.Asked != "":
		state = Cell{State: State{ToneBusy, v.t("holds.asked")}, Notes: []string{v.t("holds.asked_by", "name", who[h.Asked])}}
		if v.can(policy.SessionAdmin) && h.Asked != v.actor.ID {
			do.Acts = []Act{{Label: v.t("holds.grant"), Href: "/sessions/holds/" + h.ID + "/release"}}
		}
		do.Acts = append(do.Acts, v.releaseAloneAct(h)...)
		return state, do
	}
	if v.can(policy.SessionAdmin) {
		do.Acts = append([]Act{{Label: v.t("holds.release"), Href: "/sessions/holds/" + h.ID + "/release"}}, v.releaseAloneAct(h)...)
	}
	return Cell{State: State{ToneGood, v.t("holds.stands")}}, do
}

// releaseAloneAct ends a hold by one person, in an emergency.
func (v *visit) releaseAloneAct(h sessions.Hold) []Act {
	if !v.can(policy.SessionAdmin) {
		return nil
	}
	return []Act{{Label: v.t("holds.alone_do"), Href: "/sessions/holds/" + h.ID + "/alone"}}
}

// holdForm keeps one session's recording, or a customer's of a time.
func (v *visit) holdForm() (*AccessForm, error) {
	page := v.accessForm(v.t("holds.new"), v.t("holds.new_say"), "/sessions/holds", "/sessions/holds", v.t("holds.do"))
	page.Nav, page.Crumbs = "sessions", []Link{v.sessionHome(), {v.t("holds.title"), "/sessions/holds"}}
	page.Lines = []string{v.t("holds.new_1"), v.t("holds.new_2")}
	if id := v.c.FormValue("session"); id != "" {
		page.Say, page.Hidden, page.Back = v.t("holds.new_say_one"), []Pair{{Label: "session", Value: id}}, "/sessions/"+pathEscape(id)
	} else {
		options, err := v.customerChoices(v.t("holds.choose"))
		if err != nil {
			return nil, err
		}
		page.Fields = []FormField{v.entered("customer", v.t("col.customer"), "").among(options), v.entered("from", v.t("holds.from"), "").kind("date").optional(), v.entered("to", v.t("holds.to"), "").kind("date").optional()}
	}
	page.Fields = append(page.Fields, v.entered("reason", v.t("col.reason"), "").rows(3).hint(v.t("holds.reason_hint")), v.entered("until", v.t("col.until"), "").kind("date").optional().hint(v.t("holds.until_hint")))
	return page, nil
}

func (p *Portal) holdNew(v *visit) error {
	page, err := v.holdForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) holdAdd(v *visit) error {
	scope, err := v.scope(policy.SessionAdmin)
	if err != nil {
		return err
	}
	page, err := v.holdForm()
	if err != nil {
		return err
	}
	h := sessions.Hold{Session: v.formValue("session"), Customer: v.formValue("customer"), Reason: v.formValue("reason")}
	if h.Session != "" {
		h.Customer = ""
	}
	var errs [4]error
	h.From, errs[0] = v.dayField("from")
	if !h.From.IsZero() {
		h.From = h.From.Add(time.Second).In(v.zone).AddDate(0, 0, -1)
	}
	h.To, errs[1] = v.dayField("to")
	h.Until, errs[2] = v.dayField("until")
	if h.Reason == "" {
		errs[3] = controlplane.Invalid(controlplane.Field{Pointer: "/reason", Message: v.t("holds.reason_missing")})
	}
	if err := formErrors(errs[:]...); err != nil {
		return v.invalid(page, err)
	}
	if _, err := p.Sessions.Hold(v.ctx, scope, h); err != nil {
		return v.invalid(page, err)
	}
	if h.Session != "" {
		return v.redirect("/sessions/"+h.Session, "held")
	}
	return v.redirect("/sessions/holds", "held")
}
