package web

import (
	"cmp"
	"strings"

	"ostler/certs"
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
		page.NewCA, page.Kinds = "/certificates/authorities/new", v.providerKinds()
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

// newAuthorityPage is the form for an authority. Where none is known yet, one
// is proposed.
func (p *Portal) newAuthorityPage(v *visit, proposed certs.NewAuthority) *CertAdd {
	page := &CertAdd{Page: v.page("certs", v.t("certadd.authority"), v.t("certadd.authority_say")), Action: "/certificates/authorities", Back: "/certificates/settings", Lead: v.t("certadd.authority_note")}
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
