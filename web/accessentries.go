package web

import (
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// entryWays are the ways that an entry can be of.
var entryWays = []access.Way{access.WayPhysical, access.WayVisit, access.WayAdmin, access.WayBackupKey, access.WayService, access.WayLogin, access.WayCustomer}

// entries put somebody on lists by another ground than a grant.
func (p *Portal) entries(v *visit) error {
	scope, c, err := v.accessOf(policy.AccessRead)
	if err != nil {
		return err
	}
	ended := v.c.QueryParam("show") == "ended"
	items, next, err := p.Access.Entries(v.ctx, scope, access.EntryFilter{Customer: c.ID, Ended: ended, Limit: 100, PageToken: v.c.QueryParam("page")})
	if err != nil {
		return err
	}
	page := v.accessPage("/access/entries", v.t("entries.title"), v.t("entries.say"))
	page.Crumbs = v.accessCrumbs(c.ID, c.Name)
	if c.ID != "" {
		page.Parts = v.accessParts(c.ID, "")
	}
	base := v.ofCustomer("/access/entries", c.ID)
	over := base + "?show=ended"
	if c.ID != "" {
		over = base + "&show=ended"
	}
	page.Filters = []Filter{{Label: v.t("entries.open"), Href: base, Current: !ended, Count: -1}, {Label: v.t("entries.with_ended"), Href: over, Current: ended, Count: -1}}
	s := Section{ID: "entries", Title: v.t("entries.title"), Lead: v.t("entries.lead"), Empty: v.t("entries.empty"), Grid: v.entryGrid(items)}
	if v.can(policy.AccessWrite) {
		s.Acts = []Act{{Label: v.t("entries.new"), Href: v.ofCustomer("/access/entries/new", c.ID)}}
	}
	if ended {
		base = over
	}
	v.pageOf(&s.Pager, base, next)
	page.Sections = []Section{s}
	return v.render(page)
}

func (v *visit) entryGrid(items []access.Entry) Grid {
	g := Grid{Heads: []string{v.t("col.person"), v.t("access.how"), v.t("entries.where"), v.t("col.why"), v.t("access.span"), ""}}
	ids, servers := map[string]bool{}, map[string]bool{}
	for _, x := range items {
		if x.Customer != "" {
			ids[x.Customer] = true
		}
		if x.Server != "" {
			servers[x.Server] = true
		}
	}
	names, err := v.customerNames(keysOf(ids))
	if err != nil {
		v.p.log.ErrorContext(v.ctx, "web.names", "error", err)
	}
	on, err := v.servers(keysOf(servers))
	if err != nil {
		v.p.log.ErrorContext(v.ctx, "web.names", "error", err)
	}
	places := v.placeNames()
	for _, x := range items {
		where := join(names[x.Customer], on[x.Server].Name, places[x.Facility], x.Rack)
		if where == "" {
			where = v.t("entries.everywhere")
		}
		why := v.ticket(x.Ticket)
		why.Notes = []string{PlainName([]byte(x.Reason))}
		if x.EscortName != "" {
			why.Notes = append(why.Notes, v.t("entries.escorted", "name", x.EscortName))
		}
		span := Cell{At: x.From, Notes: []string{v.upTo(x.Until)}}
		var acts []Act
		switch {
		case !x.EndedAt.IsZero():
			span.Notes = []string{v.t("grant.ended", "when", v.moment(x.EndedAt)), PlainName([]byte(x.EndedWhy))}
		case v.can(policy.AccessWrite):
			acts = []Act{{Label: v.t("instructing.end"), Href: "/access/entries/" + x.ID + "/end"}}
		}
		if x.EndedAt.IsZero() && v.can(policy.AccessApprove) {
			acts = append(acts, Act{Label: v.t("grant.review"), Href: "/access/entries/" + x.ID + "/review"})
		}
		if !x.ReviewBy.IsZero() && x.EndedAt.IsZero() {
			span.Notes = append(span.Notes, v.t("grant.review_by", "when", v.dayOf(x.ReviewBy)))
		}
		g.Rows = append(g.Rows, GridRow{ID: x.ID, Cells: []Cell{{Link: Link{x.PersonName, "/access/persons/" + x.Person}, Strong: true}, {Link: Link{Label: wayWord(v.p.tx, x.Way)}, Notes: []string{x.Role}}, {Link: Link{Label: where}}, why, span, {Acts: acts}}})
	}
	return g
}

// placeNames are the names of facilities by id; none where they cannot be read.
func (v *visit) placeNames() map[string]string {
	out := map[string]string{}
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return out
	}
	list, err := v.p.Access.Facilities(v.ctx, scope)
	if err != nil {
		v.p.log.ErrorContext(v.ctx, "web.names", "error", err)
	}
	for _, f := range list {
		out[f.ID] = f.Name
	}
	return out
}

func (v *visit) entryForm() (policy.Scope, *AccessForm, string, error) {
	scope, c, err := v.accessOf(policy.AccessWrite)
	if err != nil {
		return scope, nil, "", err
	}
	back := v.ofCustomer("/access/entries", c.ID)
	page := v.accessForm(v.t("entries.new"), v.t("entries.new_say"), "/access/entries", back, v.t("entries.add"))
	page.Crumbs = append(v.accessCrumbs(c.ID, c.Name), Link{v.t("entries.title"), back})
	way := v.entered("way", v.t("access.how"), string(access.WayPhysical))
	for _, w := range entryWays {
		way.Radios = append(way.Radios, RoleChoice{Value: string(w), Label: wayWord(v.p.tx, w), Chosen: way.Value == string(w)})
	}
	people, err := v.personChoices(v.t("grant.choose"), nil)
	if err != nil {
		return scope, nil, "", err
	}
	escorts, err := v.personChoices(v.t("entries.no_escort"), human)
	if err != nil {
		return scope, nil, "", err
	}
	of, err := v.customerChoices(v.t("entries.everybody"))
	if err != nil {
		return scope, nil, "", err
	}
	places := []Choice{{Value: "", Label: v.t("entries.no_place")}}
	list, err := v.p.Access.Facilities(v.ctx, scope)
	if err != nil {
		return scope, nil, "", err
	}
	for _, f := range list {
		places = append(places, Choice{Value: f.ID, Label: f.Name})
	}
	page.Fields = []FormField{way, v.entered("person", v.t("col.person"), "").among(people).hint(v.t("entries.person_hint")), v.entered("role", v.t("entries.what"), "").hint(v.t("entries.what_hint")).optional(),
		v.entered("customer", v.t("col.customer"), c.ID).among(of).hint(v.t("entries.customer_hint")), v.entered("facility", v.t("facilities.place"), "").among(places), v.entered("rack", v.t("entries.rack"), "").hint(v.t("entries.rack_hint")).optional(),
		v.entered("server", v.t("col.server"), "").hint(v.t("entries.server_hint")).optional(), v.entered("escort", v.t("entries.escort"), "").among(escorts),
		v.entered("reason", v.t("col.reason"), "").rows(3), v.entered("ticket", v.t("col.ticket"), "").optional(),
		v.entered("until", v.t("col.until"), "").kind("date").hint(v.t("entries.until_hint")).optional(), v.entered("review", v.t("entries.review"), "").kind("date").optional()}
	return scope, page, c.ID, nil
}

func (p *Portal) entryNew(v *visit) error {
	_, page, _, err := v.entryForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) entryAdd(v *visit) error {
	scope, page, customer, err := v.entryForm()
	if err != nil {
		return err
	}
	until, err1 := v.dayField("until")
	review, err2 := v.dayField("review")
	server, err3 := v.serverField("server")
	if err = formErrors(err1, err2, err3); err == nil {
		e := access.Entry{Way: access.Way(v.formValue("way")), Person: v.formValue("person"), Customer: v.formValue("customer"), Server: server, Facility: v.formValue("facility"), Rack: v.formValue("rack"), Role: v.formValue("role"),
			Reason: v.formValue("reason"), Ticket: v.formValue("ticket"), Escort: v.formValue("escort"), From: v.now, Until: until, ReviewBy: review}
		_, err = p.Access.AddEntry(v.ctx, scope, e)
	}
	if err != nil {
		return v.invalid(page, relabelled(err, "/review_by", "/review"))
	}
	return v.redirect(v.ofCustomer("/access/entries", customer), "saved")
}

// serverField reads a server's name of a form and returns its id.
func (v *visit) serverField(id string) (string, error) {
	name := v.formValue(id)
	if name == "" {
		return "", nil
	}
	scope, err := v.scope(policy.ServerRead)
	if err != nil {
		return "", err
	}
	s, err := v.p.Customers.GetServer(v.ctx, scope, name)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		return "", controlplane.Invalid(controlplane.Field{Pointer: "/" + id, Message: v.t("entries.no_server", "name", name)})
	}
	return s.ID, err
}

// entryEndForm asks why somebody is taken off.
func (v *visit) entryEndForm() (*AccessForm, error) {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return nil, err
	}
	id := v.c.Param("id")
	e, err := v.p.Access.GetEntry(v.ctx, scope, id)
	if err != nil {
		return nil, err
	}
	page := v.accessForm(v.t("entries.end"), v.t("entries.end_say", "name", e.PersonName, "way", lower(wayWord(v.p.tx, e.Way))), "/access/entries/"+id+"/end", "/access/entries", v.t("entries.end_do"))
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("entries.title"), "/access/entries"})
	page.Lines = []string{v.t("entries.end_1"), v.t("grant.revoke_3")}
	page.Fields = []FormField{v.entered("why", v.t("col.why"), "").hint(v.t("grant.why_hint"))}
	return page, nil
}

func (p *Portal) entryEnd(v *visit) error {
	page, err := v.entryEndForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) entryEndDo(v *visit) error {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return err
	}
	page, err := v.entryEndForm()
	if err != nil {
		return err
	}
	if _, err := p.Access.EndEntry(v.ctx, scope, v.c.Param("id"), v.formValue("why")); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/entries", "ended")
}
