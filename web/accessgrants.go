package web

import (
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// grantGroups are the choices above the list, by the word in the address.
var grantGroups = []struct {
	word, key string
	states    []access.GrantState
}{
	{"", "grants.active", []access.GrantState{access.GrantActive, access.GrantProposed}}, {"proposed", "grants.proposed", []access.GrantState{access.GrantProposed}},
	{"ended", "grants.ended", []access.GrantState{access.GrantRevoked, access.GrantExpired, access.GrantRefused}},
}

// grants are who was granted what, newest first.
func (p *Portal) grants(v *visit) error {
	scope, c, err := v.accessOf(policy.AccessRead)
	if err != nil {
		return err
	}
	show := v.c.QueryParam("show")
	page := v.accessPage("/access/grants", v.t("grants.title"), v.t("grants.say"))
	page.Crumbs = v.accessCrumbs(c.ID, c.Name)
	if c.ID != "" {
		page.Parts = v.accessParts(c.ID, "")
		page.Say = v.t("grants.say_of", "company", c.Name)
	}
	f := access.GrantFilter{Customer: c.ID, Limit: 50, PageToken: v.c.QueryParam("page")}
	base := v.ofCustomer("/access/grants", c.ID)
	sep := "?"
	if c.ID != "" {
		sep = "&"
	}
	for _, g := range grantGroups {
		href := base
		if g.word != "" {
			href += sep + query("show", g.word)
		}
		if g.word == show {
			f.States = g.states
		}
		page.Filters = append(page.Filters, Filter{Label: v.t(g.key), Href: href, Current: g.word == show, Count: -1})
	}
	items, next, err := p.Access.Grants(v.ctx, scope, f)
	if err != nil {
		return err
	}
	s := Section{ID: "grants", Title: v.t("grants.title"), Empty: v.t("grants.empty"), Grid: v.grantGrid(items)}
	if v.can(policy.AccessWrite) {
		s.Acts = []Act{{Label: v.t("grant.new"), Href: v.ofCustomer("/access/grants/new", c.ID)}}
	}
	if show != "" {
		base += sep + query("show", show)
	}
	v.pageOf(&s.Pager, base, next)
	page.Sections = []Section{s}
	return v.render(page)
}

// grantGrid is grants as a table.
func (v *visit) grantGrid(items []access.Grant) Grid {
	g := Grid{Heads: []string{v.t("col.person"), v.t("col.customer"), v.t("col.role"), v.t("col.why"), v.t("access.span"), v.t("col.state")}}
	ids := map[string]bool{}
	for _, x := range items {
		ids[x.Customer] = true
	}
	names, err := v.customerNames(keysOf(ids))
	if err != nil {
		v.p.log.ErrorContext(v.ctx, "web.names", "error", err)
	}
	for _, x := range items {
		why := v.ticket(x.Ticket)
		why.Notes = []string{PlainName([]byte(x.Reason))}
		who := Cell{Link: Link{x.Who, "/access/grants/" + x.ID}, Strong: true}
		if x.Team != "" {
			who.Notes = []string{v.t("grant.team")}
		}
		of := Cell{Link: Link{names[x.Customer], "/access?" + query("customer", x.Customer)}}
		if names[x.Customer] == "" {
			of = Cell{}
		}
		end := v.upTo(x.Until)
		if !x.EndedAt.IsZero() {
			end = v.t("grant.ended", "when", v.moment(x.EndedAt))
		}
		g.Rows = append(g.Rows, GridRow{Cells: []Cell{who, of, {Link: Link{Label: v.roleTitle(x.Role)}}, why, {At: x.From, Notes: []string{end}}, {State: v.grantState(x), Notes: v.grantWaits(x)}}})
	}
	return g
}

var needTexts = map[string]string{"second": "grant.needs_second", "customer": "grant.needs_customer"}

// grantWaits says what a grant lacks.
func (v *visit) grantWaits(x access.Grant) (out []string) {
	for _, n := range x.Needs {
		if key, ok := needTexts[n]; ok {
			out = append(out, v.t(key, "when", v.moment(x.AnswerBy)))
		}
	}
	if x.State == access.GrantActive && !x.ReviewBy.IsZero() && x.ReviewedAt.IsZero() {
		out = append(out, v.t("grant.review_by", "when", v.moment(x.ReviewBy)))
	}
	if x.State == access.GrantActive && x.Ticket == "" && !x.TicketBy.IsZero() {
		out = append(out, v.t("grant.ticket_by", "when", v.moment(x.TicketBy)))
	}
	return out
}

// grantByID is a grant as the reader sees it, with its customer.
func (v *visit) grantByID(perm policy.Permission) (policy.Scope, access.Grant, customers.Customer, error) {
	scope, err := v.scope(perm)
	if err != nil {
		return scope, access.Grant{}, customers.Customer{}, err
	}
	g, err := v.p.Access.GetGrant(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return scope, g, customers.Customer{}, err
	}
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, g.Customer)
	return scope, g, c, err
}

// grant is one grant: what it gives, who answered, and what can be done.
func (p *Portal) grant(v *visit) error {
	_, g, c, err := v.grantByID(policy.AccessRead)
	if err != nil {
		return err
	}
	page, err := v.grantPage(g, c)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) grantPage(g access.Grant, c customers.Customer) (*Access, error) {
	state := v.grantState(g)
	page := &Access{Page: v.page("access", v.t("grant.title"), v.t("grant.say", "who", g.Who, "role", v.roleTitle(g.Role), "company", c.Name, "state", state.Word)), Parts: v.accessParts(c.ID, "")}
	page.Tone = state.Tone
	page.Crumbs = []Link{{v.t("access.title"), v.ofCustomer("/access", c.ID)}}
	if v.staff() {
		page.Crumbs = append(v.accessCrumbs(c.ID, c.Name), Link{v.t("grants.title"), v.ofCustomer("/access/grants", c.ID)})
	}
	waits := v.grantWaits(g)
	page.Facts = []Fact{{Label: v.t("col.state"), State: state, Note: join(waits...)}, v.factAt("col.since", g.From), v.factAt("col.until", g.Until), v.factAt("grant.granted_at", g.GrantedAt)}
	if len(waits) > 0 && page.Tone == ToneGood {
		page.Tone = ToneWarn
	}
	page.Pairs = []Pair{{Label: v.t("col.reason"), Value: PlainName([]byte(g.Reason))}, {Label: v.t("col.ticket"), Value: g.Ticket}}
	names, err := v.p.Identity.Names(v.ctx, []string{g.GrantedBy, g.EndedBy, g.ReviewedBy})
	if err != nil {
		return nil, err
	}
	page.Pairs = append(page.Pairs, Pair{Label: v.t("grant.by"), Value: names[g.GrantedBy]})
	if g.Alone {
		page.Pairs = append(page.Pairs, Pair{Label: v.t("grant.alone"), Value: v.t("grant.was_alone", "name", names[g.GrantedBy])})
	}
	if !g.EndedAt.IsZero() {
		page.Facts = append(page.Facts, Fact{Label: v.t("grant.end"), At: g.EndedAt, Note: join(names[g.EndedBy], v.changeWhy(g.EndedWhy))})
	}
	if !g.ReviewBy.IsZero() {
		page.Facts = append(page.Facts, Fact{Label: v.t("grant.reviewed"), At: g.ReviewedAt, Note: names[g.ReviewedBy], State: reviewWord(v, g)})
	}
	page.Sections = append(page.Sections, v.answersSection(g))
	v.grantPageActs(page, g)
	if page.Events, _, err = v.events(ledger.Filter{Customer: c.ID, Subject: g.ID, Limit: 20}); err != nil {
		return nil, err
	}
	page.Events = withoutSelf(page.Events, "/access/grants/"+g.ID)
	page.Live = []string{bus.TopicCustomer(c.ID)}
	return page, nil
}

func reviewWord(v *visit, g access.Grant) State {
	if g.ReviewedAt.IsZero() {
		return State{ToneWarn, v.t("grant.not_reviewed")}
	}
	return State{ToneGood, v.t("grant.was_reviewed")}
}

func (v *visit) answersSection(g access.Grant) Section {
	s := Section{ID: "answers", Title: v.t("grant.answers"), Grid: Grid{Heads: []string{v.t("col.person"), v.t("grant.as"), v.t("grant.said"), v.t("col.when")}}}
	for _, a := range g.Approvals {
		said := State{ToneGood, v.t("grant.yes")}
		if !a.Yes {
			said = State{ToneBad, v.t("grant.no")}
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: a.Name}}, {Link: Link{Label: v.asWord(a.As)}}, {State: said, Notes: []string{PlainName([]byte(a.Note))}}, {At: a.At}}})
	}
	if len(g.Approvals) == 0 {
		if s.Empty = v.t("grant.no_answers"); g.State != access.GrantProposed {
			s.Empty = v.t("grant.none_needed")
		}
	}
	return s
}

var asTexts = map[string]string{"second": "grant.as_second", "customer": "grant.as_customer"}

func (v *visit) asWord(as string) string {
	if key, ok := asTexts[as]; ok {
		return v.t(key)
	}
	return as
}

// mayAnswer reports whether the reader can be the one whom a grant waits for.
func (v *visit) mayAnswer(g access.Grant) bool {
	if g.State != access.GrantProposed || !v.can(policy.AccessApprove) {
		return false
	}
	for _, n := range g.Needs {
		if n == "second" && v.staff() && g.GrantedBy != v.actor.ID || n == "customer" && v.actor.Customer != "" {
			return true
		}
	}
	return false
}

func (v *visit) grantPageActs(page *Access, g access.Grant) {
	if v.mayAnswer(g) {
		page.Sections = append(page.Sections, Section{ID: "answer", Title: v.t("grant.your_answer"), Lead: v.t("grant.your_answer_lead"),
			Grid: Grid{Heads: []string{""}, Rows: []GridRow{{Cells: []Cell{{Ask: &Ask1{Action: "/access/grants/" + g.ID + "/answer", ID: "note", Label: v.t("grant.note"), Yes: v.t("grant.approve"), No: v.t("grant.refuse")}}}}}}})
	}
	if !v.staff() {
		return
	}
	for _, a := range v.p.grantActions() {
		if v.can(a.perm) && a.when(v, g) {
			page.Acts = append(page.Acts, Act{Label: v.t(a.label), Href: "/access/grants/" + g.ID + "/" + a.word})
		}
	}
}

// grantAnswer approves or refuses a proposed grant.
func (p *Portal) grantAnswer(v *visit) error {
	scope, g, c, err := v.grantByID(policy.AccessApprove)
	if err != nil {
		return err
	}
	answer := v.c.FormValue("answer")
	if answer != "yes" && answer != "no" {
		err = controlplane.Invalid(controlplane.Field{Pointer: "/note", Message: v.t("letin.say_which")})
	} else {
		_, err = p.Access.Answer(v.ctx, scope, g.ID, answer == "yes", v.formValue("words"))
	}
	if err != nil {
		page, perr := v.grantPage(g, c)
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/access/grants/"+g.ID, "grant_"+answer)
}
