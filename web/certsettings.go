package web

import (
	"cmp"
	"slices"
	"strings"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// authorityRoles are what a CA is for, in words.
var authorityRoles = []struct {
	role       certs.AuthorityRole
	word, note string
}{{certs.RolePrimary, "carole.primary", "carole.primary_note"}, {certs.RoleFallback, "carole.fallback", "carole.fallback_note"}, {certs.RoleStaging, "carole.staging", "carole.staging_note"}}

// certSettings shows where certificates come from.
func (p *Portal) certSettings(v *visit) error {
	scope, err := v.scope(policy.CertRead)
	if err != nil {
		return err
	}
	page := &CertSettings{Page: v.page("certs", v.t("certset.title"), ""), More: v.certMore("/certificates/settings")}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}}
	cas, err := p.Certs.Authorities(v.ctx, scope)
	if err != nil {
		return err
	}
	primary := ""
	for _, a := range cas {
		page.Authorities = append(page.Authorities, v.authorityRow(a))
		if a.Role == certs.RolePrimary && primary == "" {
			primary = a.Name
		}
	}
	page.Say, page.Tone = v.t("certset.say", "ca", primary, "n", len(cas)), ""
	if primary == "" {
		page.Say, page.Tone = v.t("certset.say_none"), ToneWarn
	}
	if page.Providers, err = v.providerRows(scope); err != nil {
		return err
	}
	if v.can(policy.CertAdmin) {
		page.NewCA = "/certificates/authorities/new"
		for _, k := range p.Certs.ProviderKinds() {
			page.Kinds = append(page.Kinds, Link{k.Kind, k.Kind})
		}
	}
	return v.render(page)
}

func (v *visit) authorityRow(a certs.Authority) AuthorityRow {
	r := AuthorityRow{Name: a.Name, Directory: a.Directory, Account: a.AccountURL, Contact: strings.TrimPrefix(a.Contact, "mailto:"), State: State{ToneGood, v.t("certset.open")}}
	for _, x := range authorityRoles {
		if x.role == a.Role {
			r.Role = v.t(x.word)
		}
	}
	if a.BlockedUntil.After(v.now) {
		r.State, r.Note, r.Until = State{ToneWarn, v.t("certset.blocked")}, v.whyCause(a.BlockedWhy), a.BlockedUntil
	}
	return r
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
	for _, x := range list {
		row := ProviderRow{Name: x.Name, Kind: x.Kind, Zone: x.Zone, Made: x.CreatedAt, Customer: Link{Label: v.p.o.Company}}
		if x.Customer != "" {
			row.Customer = Link{names[x.Customer], "/customers/" + x.Customer}
		}
		out = append(out, row)
	}
	return out, err
}

// newAuthorityPage is the form for an authority. Where none is known yet, one
// is proposed.
func (p *Portal) newAuthorityPage(v *visit, proposed certs.NewAuthority) *CertAdd {
	page := &CertAdd{Page: v.page("certs", v.t("certadd.authority"), v.t("certadd.authority_say")), Action: "/certificates/authorities", Lead: v.t("certadd.authority_note")}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, {v.t("certset.title"), "/certificates/settings"}}
	add := func(id, label, hint string, optional bool, rows int) {
		value := v.c.FormValue(id)
		if v.c.Request().Method != "POST" {
			value = map[string]string{"name": proposed.Name, "directory": proposed.Directory, "contact": proposed.Contact, "profile": proposed.Profile, "roots": string(proposed.RootsPEM)}[id]
		}
		page.Fields = append(page.Fields, AddField{ID: id, Label: label, Hint: hint, Value: value, Optional: optional, Rows: rows, Secret: id == "eab_key"})
	}
	add("name", v.t("col.name"), v.t("certadd.name_hint"), false, 0)
	add("directory", v.t("certadd.directory"), v.t("certadd.directory_hint"), false, 0)
	add("contact", v.t("certadd.contact"), v.t("certadd.contact_hint"), true, 0)
	add("profile", v.t("certform.profile"), v.t("certform.profile_hint"), true, 0)
	add("eab_key_id", v.t("certadd.eab_id"), v.t("certadd.eab_hint"), true, 0)
	add("eab_key", v.t("certadd.eab_key"), "", true, 0)
	add("roots", v.t("certadd.roots"), v.t("certadd.roots_hint"), true, 4)
	for _, r := range authorityRoles {
		page.Roles = append(page.Roles, RoleChoice{string(r.role), v.t(r.word), v.t(r.note), string(r.role) == cmp.Or(v.c.FormValue("role"), string(certs.RolePrimary))})
	}
	return page
}

func (p *Portal) authorityNew(v *visit) error {
	scope, err := v.scope(policy.CertAdmin)
	if err != nil {
		return err
	}
	cas, err := p.Certs.Authorities(v.ctx, scope)
	if err != nil {
		return err
	}
	var proposed certs.NewAuthority
	if len(cas) == 0 {
		proposed = p.Certs.Proposed()
	}
	return v.render(p.newAuthorityPage(v, proposed))
}

func (p *Portal) authorityAdd(v *visit) error {
	page := p.newAuthorityPage(v, certs.NewAuthority{})
	scope, err := v.scope(policy.CertAdmin)
	if err != nil {
		return err
	}
	field := func(name string) string { return strings.TrimSpace(v.c.FormValue(name)) }
	in := certs.NewAuthority{Name: field("name"), Directory: field("directory"), Role: certs.AuthorityRole(field("role")), Contact: field("contact"), Profile: field("profile"),
		RootsPEM: []byte(field("roots")), EABKeyID: field("eab_key_id"), EABKey: field("eab_key")}
	if _, err := p.Certs.AddAuthority(v.ctx, scope, in); err != nil {
		return v.invalid(page, relabelled(err, "/roots_pem", "/roots"))
	}
	return v.redirect("/certificates/settings", "created")
}

// newProviderPage is the form for the credentials of one kind of DNS provider.
func (p *Portal) newProviderPage(v *visit) (*CertAdd, certs.ProviderKind, error) {
	var kind certs.ProviderKind
	all := p.Certs.ProviderKinds()
	i := slices.IndexFunc(all, func(k certs.ProviderKind) bool { return k.Kind == v.c.FormValue("kind") })
	if i < 0 {
		return nil, kind, controlplane.NotFound("kind of DNS provider")
	}
	kind = all[i]
	page := &CertAdd{Page: v.page("certs", v.t("certadd.provider"), v.t("certadd.provider_say", "kind", kind.Kind)), Action: "/certificates/providers", Lead: v.t("certadd.provider_note"),
		Hidden: map[string]string{"kind": kind.Kind}}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, {v.t("certset.title"), "/certificates/settings"}}
	page.Fields = []AddField{{ID: "name", Label: v.t("col.name"), Hint: v.t("certadd.provider_name"), Value: v.c.FormValue("name")},
		{ID: "zone", Label: v.t("certadd.zone"), Hint: v.t("certadd.zone_hint"), Value: v.c.FormValue("zone"), Optional: true}}
	for _, f := range kind.Fields {
		x := AddField{ID: "config-" + f.Name, Label: f.Name, Hint: f.Help, Secret: f.Secret, Optional: !f.Required}
		if !f.Secret {
			x.Value = v.c.FormValue(x.ID)
		}
		page.Fields = append(page.Fields, x)
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
	scope, err := v.scope(policy.CertAdmin)
	if err != nil {
		return err
	}
	in := certs.NewProvider{Customer: v.c.FormValue("customer"), Name: strings.TrimSpace(v.c.FormValue("name")), Kind: kind.Kind, Zone: strings.TrimSpace(v.c.FormValue("zone")), Config: map[string]string{}}
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
	return v.redirect("/certificates/settings", "created")
}
