package web

import (
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// found are the ways in that scans of hosts showed.
func (p *Portal) found(v *visit) error {
	scope, c, err := v.accessOf(policy.AccessRead)
	if err != nil {
		return err
	}
	every := v.c.QueryParam("show") == "all"
	f := access.FoundFilter{Customer: c.ID, Server: v.c.QueryParam("server"), Unexplained: !every, Limit: 100, PageToken: v.c.QueryParam("page")}
	items, next, err := p.Access.ListFound(v.ctx, scope, f)
	if err != nil {
		return err
	}
	page := v.accessPage("/access/found", v.t("found.title"), v.t("found.say_none"))
	page.Crumbs = v.accessCrumbs(c.ID, c.Name)
	here := func(show, token string) string {
		q := query("customer", c.ID, "server", f.Server, "show", show, "page", token)
		if q == "" {
			return "/access/found"
		}
		return "/access/found?" + q
	}
	page.Filters = []Filter{{Label: v.t("found.unexplained"), Href: here("", ""), Current: !every, Count: -1}, {Label: v.t("found.all"), Href: here("all", ""), Current: every, Count: -1}}
	open, asked := 0, 0
	s := Section{ID: "found", Title: v.t("found.list"), Empty: v.t("found.empty"), Grid: Grid{Heads: []string{v.t("letin.found"), v.t("col.server"), v.t("found.whose"), v.t("found.seen"), v.t("found.used"), ""}}}
	for _, x := range items {
		state, note := v.foundState(x)
		switch state.Tone {
		case ToneBad:
			open++
		case ToneBusy:
			asked++
		}
		var acts []Act
		if v.can(policy.AccessWrite) && x.GoneAt.IsZero() {
			acts = []Act{{Label: v.t("found.explain"), Href: "/access/found/" + x.ID + "/explain"}}
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{ID: x.ID, Cells: []Cell{v.foundWhat(x), {Link: Link{x.ServerName, "/servers/" + x.Server}}, {State: state, Notes: []string{note}},
			{At: x.SeenAt, Notes: []string{v.t("found.first", "when", v.moment(x.FirstAt))}}, v.orDash(x.LastUsed), {Acts: acts}}})
	}
	v.saidOfFound(page, open, asked, every)
	page.Sub = v.t("found.sub")
	if f.PageToken != "" {
		s.Pager.First = here(v.c.QueryParam("show"), "")
	}
	if next != "" {
		s.Pager.Next = here(v.c.QueryParam("show"), next)
	}
	if v.can(policy.AccessAdmin) {
		s.Acts = append(s.Acts, Act{Label: v.t("baseline.title"), Href: "/access/baseline?" + query("server", f.Server)})
	}
	page.Sections = []Section{s}
	return v.render(page)
}

// saidOfFound is the headline over what was found: what nobody answers for, then
// what a customer has not answered.
func (v *visit) saidOfFound(page *Access, open, asked int, every bool) {
	switch {
	case open > 0:
		page.Say, page.Tone = v.t("found.say", "n", open, "number", capital(v.p.tx.Number(open))), ToneBad
	case asked > 0:
		page.Say, page.Tone = v.t("found.say_asked", "n", asked, "number", v.p.tx.Number(asked)), ToneWarn
	case every:
		page.Say = v.t("found.say_all")
	default:
		page.Tone = ToneGood
	}
}

// foundState is who answers for a way in.
func (v *visit) foundState(x access.Found) (State, string) {
	switch {
	case !x.GoneAt.IsZero():
		return State{ToneUnknown, v.t("found.gone")}, v.moment(x.GoneAt)
	case x.Confirmed == "no":
		return State{ToneBad, v.t("found.not_theirs")}, v.moment(x.ConfirmedAt)
	case x.Customer != "" && !x.ConfirmedAt.IsZero():
		return State{ToneGood, v.t("found.customers")}, x.PersonName
	case x.Customer != "":
		return State{ToneBusy, v.t("found.asked")}, ""
	case x.Person != "":
		return State{ToneGood, x.PersonName}, ""
	case x.Baseline:
		return State{ToneWarn, v.t("found.baseline")}, v.t("grant.review_by", "when", v.dayOf(x.ReviewBy))
	}
	return State{ToneBad, v.t("found.nobody")}, ""
}

func (v *visit) explainForm() (policy.Scope, access.Found, *AccessForm, error) {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return scope, access.Found{}, nil, err
	}
	x, err := v.p.Access.GetFound(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return scope, x, nil, err
	}
	page := v.accessForm(v.t("found.explain"), v.t("found.explain_say", "server", x.ServerName), "/access/found/"+x.ID+"/explain", "/access/found", v.t("terms.save"))
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("found.title"), "/access/found"})
	page.Answers = []Pair{{Label: v.t("letin.found"), Value: v.foundWhat(x).Link.Label}, {Label: v.t("found.print"), Value: x.Fingerprint, Mono: true}, {Label: v.t("found.comment"), Value: PlainName([]byte(x.Comment))},
		{Label: v.t("letin.first"), Value: v.moment(x.FirstAt)}}
	people, err := v.personChoices(v.t("found.not_person"), nil)
	if err != nil {
		return scope, x, nil, err
	}
	of, err := v.customerChoices(v.t("found.not_customer"))
	if err != nil {
		return scope, x, nil, err
	}
	page.Fields = []FormField{v.entered("person", v.t("col.person"), x.Person).among(people), v.entered("customer", v.t("found.or_customer"), x.Customer).among(of).hint(v.t("found.customer_hint"))}
	return scope, x, page, nil
}

func (p *Portal) foundExplain(v *visit) error {
	_, _, page, err := v.explainForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) foundExplainDo(v *visit) error {
	scope, x, page, err := v.explainForm()
	if err != nil {
		return err
	}
	person, customer := v.formValue("person"), v.formValue("customer")
	if (person == "") == (customer == "") {
		err = controlplane.Invalid(controlplane.Field{Pointer: "/person", Message: v.t("found.choose_one")})
	} else {
		_, err = p.Access.Explain(v.ctx, scope, x.ID, person, customer)
	}
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/found", "saved")
}

func (v *visit) baselineForm() (policy.Scope, *AccessForm, error) {
	scope, err := v.scope(policy.AccessAdmin)
	if err != nil {
		return scope, nil, err
	}
	page := v.accessForm(v.t("baseline.title"), v.t("baseline.say"), "/access/baseline", "/access/found", v.t("baseline.do"))
	page.Tone = ToneWarn
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("found.title"), "/access/found"})
	page.Lines = []string{v.t("baseline.line_1"), v.t("baseline.line_2"), v.t("baseline.line_3")}
	owners, err := v.personChoices(v.t("grant.choose"), human)
	if err != nil {
		return scope, nil, err
	}
	server := v.entered("server", v.t("col.server"), "").hint(v.t("baseline.server_hint")).optional()
	if server.Value != "" {
		server.Value = v.nameOfServer(server.Value)
	}
	page.Fields = []FormField{server, v.entered("owner", v.t("baseline.owner"), "").among(owners),
		v.entered("review", v.t("entries.review"), "").kind("date"), v.entered("reason", v.t("col.reason"), "").rows(3)}
	return scope, page, nil
}

// nameOfServer is the name of a server by its id; a name stays as it is.
func (v *visit) nameOfServer(ref string) string {
	if !controlplane.ValidID(controlplane.PrefixServer, ref) {
		return ref
	}
	return v.serverName(ref)
}

func (p *Portal) baseline(v *visit) error {
	_, page, err := v.baselineForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) baselineAccept(v *visit) error {
	scope, page, err := v.baselineForm()
	if err != nil {
		return err
	}
	server, err1 := v.serverField("server")
	review, err2 := v.dayField("review")
	if err = formErrors(err1, err2); err == nil {
		_, err = p.Access.AcceptBaseline(v.ctx, scope, server, v.formValue("owner"), review, v.formValue("reason"))
	}
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/found", "baseline")
}
