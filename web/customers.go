package web

import (
	"maps"
	"slices"
	"strings"

	"ostler/certs"
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

func (p *Portal) customers(v *visit) error {
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return err
	}
	g := v.gather(findings.Filter{})
	g.roster()
	v.everywhere(g)
	l := &customerList{v: v, scope: scope, query: strings.TrimSpace(v.c.QueryParam("q")), group: v.c.QueryParam("state")}
	page := &Customers{Page: v.page("customers", v.t("customers.title"), ""), Query: l.query, Group: l.group}
	if err := l.read(g); err != nil {
		return err
	}
	page.Say = v.t("customers.say", "n", len(l.first), "number", p.tx.Number(len(l.first)), "shown", l.total)
	if page.None = l.total == 0; page.None {
		page.Say = v.t("customers.none")
		return v.render(page)
	}
	items, next, err := l.page(v.c.QueryParam("from"), v.c.QueryParam("page"))
	if err != nil {
		return err
	}
	if page.Filters, err = l.filters(); err != nil {
		return err
	}
	if len(l.first) > 0 && l.group == "" && l.query == "" {
		page.Sub = v.t("customers.order")
	}
	page.Pager = pagerOf(v, next)
	if page.Rows, err = v.customerRows(scope, items, g); err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) customerRows(scope policy.Scope, items []customers.Customer, g *facts) ([]CustomerRow, error) {
	servers, err := v.p.Customers.ServerCounts(v.ctx, scope)
	if err != nil {
		return nil, err
	}
	parents := map[string]bool{}
	for _, c := range items {
		if c.Parent != "" {
			parents[c.Parent] = true
		}
	}
	names, err := v.customerNames(keysOf(parents))
	if err != nil {
		return nil, err
	}
	states := v.openStates(g)
	var rows []CustomerRow
	for _, c := range items {
		row := CustomerRow{Name: c.Name, Href: "/customers/" + c.ID, Servers: servers[c.ID], Since: c.CreatedAt, State: states(c.ID)}
		if c.Parent != "" {
			row.Parent = Link{names[c.Parent], "/customers/" + c.Parent}
		}
		if row.Servers == 0 && row.State.Tone == ToneGood {
			row.State = State{ToneUnknown, v.t("customers.nowhere")}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (p *Portal) customer(v *visit) error {
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return err
	}
	c, err := p.Customers.GetCustomer(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	g := v.gather(findings.Filter{Customer: c.ID})
	g.incidents(c.ID)
	page := &Customer{Page: v.page("customers", c.Name, "")}
	page.Crumbs = []Link{{v.t("customers.title"), "/customers"}}
	page.Facts = []Pair{{Label: v.t("newcustomer.slug"), Value: c.Slug, Mono: true}, {Label: v.t("newcustomer.country"), Value: c.Country},
		{Label: v.t("planedit.zone"), Value: c.Zone}, {Label: "Id", Value: c.ID, Mono: true}}
	if c.Parent != "" {
		names, err := v.customerNames([]string{c.Parent})
		if err != nil {
			return err
		}
		page.Parent = Link{names[c.Parent], "/customers/" + c.Parent}
	}
	if err := v.customerParts(page, scope, c, g); err != nil {
		return err
	}
	if v.can(policy.CustomerWrite) {
		page.NewTenancy = "/customers/" + c.ID + "/tenancies/new"
	}
	if v.can(policy.PeopleWrite) {
		page.NewContact, page.NewAuditor = "/customers/"+c.ID+"/people/new", "/customers/"+c.ID+"/auditors/new"
	}
	if href := v.helpHref(c.ID); href != "" {
		page.Help, page.Asks = Link{v.t("assist.help"), href}, "/asks?"+query("customer", c.ID)
		if href == "/find" {
			page.Help.Label = v.t("assist.files")
		}
	}
	if page.Assists, err = v.assistRows(c.ID); err != nil {
		return err
	}
	page.Evidence = "/evidence?customer=" + c.ID
	page.Connected = v.connectedLine(g, c.ID, v.ofCustomer("/sessions", c.ID))
	page.Needs = g.needs()
	said := g.said(len(page.Tenancies))
	page.Say, page.Tone = c.Name+": "+lower(said.Sentence), said.Tone
	return v.render(page)
}

// customerParts fills tenancies, plans, people and events.
func (v *visit) customerParts(page *Customer, scope policy.Scope, c customers.Customer, g *facts) error {
	tenancies, err := v.p.Customers.Tenancies(v.ctx, scope, customers.TenancyFilter{Customer: c.ID})
	if err != nil {
		return err
	}
	var ids []string
	for _, t := range tenancies {
		ids = append(ids, t.Server)
	}
	servers, err := v.servers(ids)
	if err != nil {
		return err
	}
	var plans []planState
	for _, t := range tenancies {
		on, err := v.planStates(t.Server)
		if err != nil {
			return err
		}
		for _, ps := range on {
			if ps.Tenancy == t.ID {
				plans = append(plans, ps)
			}
		}
		row := v.tenancyRow(t, on)
		row.Server = Link{servers[t.Server].Name, "/servers/" + t.Server}
		page.Tenancies = append(page.Tenancies, row)
	}
	status, err := v.p.Agents.Statuses(v.ctx, scope, ids)
	if err != nil {
		return err
	}
	g.servers(listed(slices.SortedFunc(maps.Values(servers), func(a, b customers.Server) int { return strings.Compare(a.Name, b.Name) }), status))
	g.tenancies(tenancies, plans, func(id string) string { return servers[id].Name })
	g.certs(certs.Filter{Customer: c.ID})
	g.access(c.ID)
	if v.p.Access != nil && v.can(policy.AccessRead) {
		page.Access = Link{v.t("customer.access_open"), "/access?" + query("customer", c.ID)}
	}
	page.Plans = v.planRows(plans, func(p planState) string { return servers[p.Server].Name })
	if v.can(policy.PeopleRead) {
		people, err := v.contacts(c.ID)
		if err != nil {
			return err
		}
		page.Contacts = v.personRows(people, "/people/")
		if page.Auditors, err = v.auditors(c.ID); err != nil {
			return err
		}
	}
	kids, _, err := v.p.Customers.ListCustomers(v.ctx, scope, customers.CustomerFilter{Parent: c.ID, Limit: 200})
	if err != nil {
		return err
	}
	for _, k := range kids {
		page.Children = append(page.Children, Link{k.Name, "/customers/" + k.ID})
	}
	page.Events, _, err = v.events(ledger.Filter{Customer: c.ID, Limit: 20})
	return err
}

func (p *Portal) newCustomerPage(v *visit) *NewCustomer {
	page := &NewCustomer{Page: v.page("customers", v.t("newcustomer.title"), v.t("newcustomer.say")), Name: v.c.FormValue("name"), Slug: v.c.FormValue("slug"), Country: v.c.FormValue("country"), ZoneName: v.c.FormValue("zone")}
	page.Crumbs = []Link{{v.t("customers.title"), "/customers"}}
	return page
}

func (p *Portal) customerNew(v *visit) error {
	page := p.newCustomerPage(v)
	page.ZoneName = v.zone.String()
	return v.render(page)
}

func (p *Portal) customerCreate(v *visit) error {
	scope, err := v.scope(policy.CustomerWrite)
	if err != nil {
		return err
	}
	page := p.newCustomerPage(v)
	c, err := p.Customers.CreateCustomer(v.ctx, scope, customers.NewCustomer{Name: page.Name, Slug: page.Slug, Country: page.Country, Zone: page.ZoneName})
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/customers/"+c.ID, "created")
}

// lines are the lines of a text area, without empty ones.
func lines(s string) []string {
	var out []string
	for _, l := range strings.Split(strings.ReplaceAll(s, "\r", ""), "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}
