package web

import (
	"strconv"
	"strings"

	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// sitesPage is the form of the sites of a customer on a server: the names that
// certificates there may have.
func (p *Portal) sitesPage(v *visit) (policy.Scope, customers.Tenancy, *TenancySites, error) {
	scope, err := v.scope(policy.CustomerWrite)
	if err != nil {
		return scope, customers.Tenancy{}, nil, err
	}
	t, err := p.Customers.GetTenancy(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return scope, t, nil, err
	}
	names, err := v.customerNames([]string{t.Customer})
	if err != nil {
		return scope, t, nil, err
	}
	server := v.serverName(t.Server)
	page := &TenancySites{Page: v.page("customers", v.t("sites.title"), v.t("sites.say", "customer", names[t.Customer], "server", server)), Action: "/tenancies/" + t.ID + "/sites", Back: "/customers/" + t.Customer,
		Sites: strings.Join(t.Sites, "\n"), Version: t.Version}
	page.Sub = v.t("sites.sub")
	page.Crumbs = []Link{{v.t("customers.title"), "/customers"}, {names[t.Customer], page.Back}}
	return scope, t, page, nil
}

func (p *Portal) sites(v *visit) error {
	_, _, page, err := p.sitesPage(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) sitesSave(v *visit) error {
	scope, t, page, err := p.sitesPage(v)
	if err != nil {
		return err
	}
	page.Sites = v.c.FormValue("sites")
	sites := lines(page.Sites)
	version, _ := strconv.ParseInt(v.c.FormValue("version"), 10, 64) // anything else takes any
	if _, err := p.Customers.UpdateTenancy(v.ctx, scope, t.ID, customers.TenancyChange{Sites: &sites, Version: version}); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect(page.Back, "saved")
}
