package web

import (
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

func (p *Portal) newTenancyPage(v *visit) (*NewTenancy, customers.Customer, error) {
	scope, err := v.scope(policy.CustomerWrite)
	if err != nil {
		return nil, customers.Customer{}, err
	}
	c, err := p.Customers.GetCustomer(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return nil, c, err
	}
	page := &NewTenancy{Page: v.page("customers", v.t("newtenancy.title"), v.t("newtenancy.say", "customer", c.Name)), Action: "/customers/" + c.ID + "/tenancies",
		Server: v.c.FormValue("server"), Paths: v.c.FormValue("paths"), Sites: v.c.FormValue("sites"), Databases: v.c.FormValue("databases"), Dedicated: v.c.FormValue("dedicated") != ""}
	page.Crumbs = []Link{{v.t("customers.title"), "/customers"}, {c.Name, "/customers/" + c.ID}}
	for token := ""; ; {
		items, next, err := p.Customers.ListServers(v.ctx, scope, customers.ServerFilter{Limit: 200, PageToken: token})
		if err != nil {
			return nil, c, err
		}
		for _, s := range items {
			if s.State != customers.ServerRetired {
				page.Servers = append(page.Servers, Link{s.Name, s.ID})
			}
		}
		if token = next; token == "" {
			return page, c, nil
		}
	}
}

func (p *Portal) tenancyNew(v *visit) error {
	page, _, err := p.newTenancyPage(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) tenancyCreate(v *visit) error {
	page, c, err := p.newTenancyPage(v)
	if err != nil {
		return err
	}
	scope, err := v.scope(policy.CustomerWrite)
	if err != nil {
		return err
	}
	_, err = p.Customers.CreateTenancy(v.ctx, scope, customers.NewTenancy{Server: page.Server, Customer: c.ID, Dedicated: page.Dedicated, Paths: lines(page.Paths), Sites: lines(page.Sites), Databases: lines(page.Databases)})
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/customers/"+c.ID, "created")
}
