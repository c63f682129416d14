package web

import (
	"slices"
	"strings"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// providersHome is where the reader finds the DNS providers: customers their
// own, staff all of them.
func (v *visit) providersHome() Link {
	if v.staff() {
		return Link{v.t("certset.title"), "/certificates/settings"}
	}
	return Link{v.t("certset.providers"), "/certificates/dns"}
}

// providerScope is what the reader may do with credentials of DNS providers:
// owners with their own, admins with all.
func (v *visit) providerScope() (policy.Scope, error) {
	if v.staff() {
		return v.scope(policy.CertAdmin)
	}
	return v.scope(policy.CertWrite)
}

// providerKinds are the kinds that the reader may add. What runs programs of the
// control plane is the company's.
func (v *visit) providerKinds() (out []Link) {
	for _, k := range v.p.Certs.ProviderKinds() {
		if v.staff() || k.Kind != "exec" {
			out = append(out, Link{k.Kind, k.Kind})
		}
	}
	return out
}

func (v *visit) providerRows(scope policy.Scope) (out []ProviderRow, err error) {
	list, err := v.p.Certs.Providers(v.ctx, scope, "")
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, x := range list {
		ids[x.Customer] = true
	}
	delete(ids, "")
	names, err := v.customerNames(keysOf(ids))
	if err != nil {
		return nil, err
	}
	_, denied := v.providerScope()
	for _, x := range list {
		row := ProviderRow{Name: x.Name, Kind: x.Kind, Zone: x.Zone, Made: x.CreatedAt, Customer: Link{Label: v.p.o.Company}}
		if x.Customer != "" {
			row.Customer = Link{names[x.Customer], "/customers/" + x.Customer}
		}
		if denied == nil {
			row.Remove = "/certificates/providers/" + x.ID + "/remove"
		}
		out = append(out, row)
	}
	return out, nil
}

// ownProviders are a customer's DNS providers.
func (p *Portal) ownProviders(v *visit) error {
	scope, err := v.providerScope()
	if err != nil {
		return err
	}
	page := &DNSProviders{Page: v.page("certs", v.t("certset.providers"), ""), Kinds: v.providerKinds()}
	page.Crumbs = []Link{{v.t("padlock.title"), "/certificates"}}
	if page.Rows, err = v.providerRows(scope); err != nil {
		return err
	}
	page.Say, page.Sub = v.t("certdns.say", "n", len(page.Rows)), v.t("certdns.sub")
	if len(page.Rows) == 0 {
		page.Say = v.t("certdns.say_none")
	}
	return v.render(page)
}

// newProviderPage is the form for the credentials of one kind of DNS provider.
func (p *Portal) newProviderPage(v *visit) (*CertAdd, certs.ProviderKind, error) {
	var kind certs.ProviderKind
	home := v.providersHome()
	all := p.Certs.ProviderKinds()
	i := slices.IndexFunc(all, func(k certs.ProviderKind) bool { return k.Kind == v.c.FormValue("kind") })
	if i < 0 || !slices.ContainsFunc(v.providerKinds(), func(l Link) bool { return l.Href == all[i].Kind }) {
		return nil, kind, controlplane.NotFound("kind of DNS provider")
	}
	kind = all[i]
	page := &CertAdd{Page: v.page("certs", v.t("certadd.provider"), v.t("certadd.provider_say", "kind", kind.Kind)), Action: "/certificates/providers", Back: home.Href, Lead: v.t("certadd.provider_note"),
		Hidden: map[string]string{"kind": kind.Kind}}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, home}
	page.Fields = []AddField{{ID: "name", Label: v.t("col.name"), Hint: v.t("certadd.provider_name"), Value: v.c.FormValue("name")}}
	if v.staff() {
		page.Fields = append(page.Fields, AddField{ID: "zone", Label: v.t("certadd.zone"), Hint: v.t("certadd.zone_hint"), Value: v.c.FormValue("zone"), Optional: true})
	} else {
		page.Fields[0].Hint = v.t("certadd.provider_own")
	}
	for _, f := range kind.Fields {
		x := AddField{ID: "config-" + f.Name, Label: f.Name, Hint: f.Help, Secret: f.Secret, Optional: !f.Required}
		if !f.Secret {
			x.Value = v.c.FormValue(x.ID)
		}
		page.Fields = append(page.Fields, x)
	}
	if !v.staff() {
		return page, kind, nil
	}
	names, err := v.allCustomers()
	if err != nil {
		return nil, kind, err
	}
	chosen := v.c.FormValue("customer")
	page.For = append([]Choice{{"", v.t("certadd.ours"), chosen == ""}}, names...)
	for i := range page.For {
		page.For[i].Chosen = page.For[i].Value == chosen
	}
	return page, kind, nil
}

// allCustomers are choices of whose something is.
func (v *visit) allCustomers() (out []Choice, err error) {
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return nil, err
	}
	for token := ""; ; {
		items, next, err := v.p.Customers.ListCustomers(v.ctx, scope, customers.CustomerFilter{Limit: 200, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, c := range items {
			out = append(out, Choice{Value: c.ID, Label: c.Name})
		}
		if token = next; token == "" {
			return out, nil
		}
	}
}

func (p *Portal) providerNew(v *visit) error {
	page, _, err := p.newProviderPage(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) providerAdd(v *visit) error {
	page, kind, err := p.newProviderPage(v)
	if err != nil {
		return err
	}
	scope, err := v.providerScope()
	if err != nil {
		return err
	}
	in := certs.NewProvider{Customer: v.actor.Customer, Name: strings.TrimSpace(v.c.FormValue("name")), Kind: kind.Kind, Config: map[string]string{}}
	if v.staff() {
		in.Customer, in.Zone = v.c.FormValue("customer"), strings.TrimSpace(v.c.FormValue("zone"))
	}
	var fields []string
	for _, f := range kind.Fields {
		if s := strings.TrimSpace(v.c.FormValue("config-" + f.Name)); s != "" {
			in.Config[f.Name] = s
		}
		fields = append(fields, "/config/"+f.Name, "/config-"+f.Name)
	}
	if _, err := p.Certs.AddProvider(v.ctx, scope, in); err != nil {
		return v.invalid(page, relabelled(err, fields...))
	}
	return v.redirect(v.providersHome().Href, "created")
}

// providerRemovePage says what follows where credentials are forgotten.
func (v *visit) providerRemovePage() (policy.Scope, certs.Provider, *CertConfirm, error) {
	scope, err := v.providerScope()
	if err != nil {
		return scope, certs.Provider{}, nil, err
	}
	list, err := v.p.Certs.Providers(v.ctx, scope, "")
	if err != nil {
		return scope, certs.Provider{}, nil, err
	}
	i := slices.IndexFunc(list, func(x certs.Provider) bool { return x.ID == v.c.Param("id") })
	if i < 0 {
		return scope, certs.Provider{}, nil, controlplane.NotFound("DNS provider")
	}
	x, home := list[i], v.providersHome()
	page := &CertConfirm{Page: v.page("certs", v.t("certdns.remove"), v.t("certdns.remove_say", "name", x.Name)), Action: "/certificates/providers/" + x.ID + "/remove", Back: home.Href, Do: v.t("certdns.remove_do")}
	page.Tone, page.Lines = ToneWarn, []string{v.t("certdns.remove_1"), v.t("certdns.remove_2"), v.t("certdns.remove_3")}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, home}
	return scope, x, page, nil
}

func (p *Portal) providerRemove(v *visit) error {
	_, _, page, err := v.providerRemovePage()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) providerRemoveDo(v *visit) error {
	scope, x, page, err := v.providerRemovePage()
	if err != nil {
		return err
	}
	if err := p.Certs.RemoveProvider(v.ctx, scope, x.ID); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect(v.providersHome().Href, "provider_removed")
}
