package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// certNewPage begins the form of a new certificate: whose it is, then the rest.
func (p *Portal) certNewPage(v *visit) (*CertForm, error) {
	page := &CertForm{Page: v.page("certs", v.t("certform.new"), v.t("certform.say")), Action: "/certificates/new", IsNew: true, Back: "/certificates", Expert: v.staff()}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}}
	scope, err := v.scope(policy.CertWrite)
	if err != nil {
		return nil, err
	}
	if id := v.c.FormValue("tenancy"); id != "" {
		t, err := p.Customers.GetTenancy(v.ctx, scope, id)
		if err != nil {
			return nil, err
		}
		page.Action = "/certificates"
		return page, v.certForm(scope, page, t, certs.Certificate{Names: t.Sites, Challenge: certs.ChallengeAgent, Key: wire.KeyP256})
	}
	list, err := v.tenancies(customers.TenancyFilter{})
	if err != nil {
		return nil, err
	}
	var servers, owners []string
	for _, t := range list {
		servers, owners = append(servers, t.Server), append(owners, t.Customer)
	}
	on, err := v.serverNames(unique(servers))
	if err != nil {
		return nil, err
	}
	names, err := v.customerNames(unique(owners))
	if err != nil {
		return nil, err
	}
	for _, t := range list {
		if len(t.Sites) == 0 {
			continue
		}
		label := on[t.Server] + ": " + v.p.tx.List(t.Sites[:min(3, len(t.Sites))])
		if n := names[t.Customer]; n != "" {
			label = n + ", " + label
		}
		page.Pick = append(page.Pick, Link{label, t.ID})
	}
	slices.SortFunc(page.Pick, func(a, b Link) int { return strings.Compare(a.Label, b.Label) })
	return page, nil
}

func unique(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (p *Portal) certNew(v *visit) error {
	page, err := p.certNewPage(v)
	if err != nil {
		return err
	}
	if len(page.Pick) == 1 { // nothing to choose
		return v.redirect("/certificates/new?"+url.Values{"tenancy": {page.Pick[0].Href}}.Encode(), "")
	}
	return v.render(page)
}

func (p *Portal) certCreate(v *visit) error {
	page, err := p.certNewPage(v)
	if err != nil {
		return err
	}
	scope, err := v.scope(policy.CertWrite)
	if err != nil {
		return err
	}
	in, err := v.certInput()
	if err != nil {
		return v.invalid(page, err)
	}
	c, err := p.Certs.Create(v.ctx, scope, in)
	if err != nil {
		page.Open = true
		return v.invalid(page, err)
	}
	return v.redirect("/certificates/"+c.ID, "cert_created")
}

// certForm fills a form's choices; what was entered goes before what is.
func (v *visit) certForm(scope policy.Scope, page *CertForm, t customers.Tenancy, c certs.Certificate) error {
	page.Tenancy = t.ID
	if v.c.Request().Method == "POST" {
		in, _ := v.certInput() // what is wrong is said by who asks
		c = certs.Certificate{Names: in.Names, Challenge: in.Challenge, Key: in.Key, Provider: in.Provider, Authority: in.Authority, Profile: in.Profile, Services: in.Services, Endpoints: in.Endpoints}
		page.Endpoints = v.c.FormValue("endpoints")
	} else {
		page.Endpoints = endpointLines(c.Endpoints)
	}
	page.Profile = c.Profile
	for _, n := range unique(append(slices.Clone(t.Sites), c.Names...)) {
		page.Sites = append(page.Sites, Choice{n, n, slices.Contains(c.Names, n)})
	}
	for _, n := range t.Sites {
		if w := "*." + n; !slices.Contains(c.Names, w) {
			page.Wildcards = append(page.Wildcards, Choice{Value: w, Label: w})
		}
	}
	for _, x := range challengeWords {
		page.Challenges = append(page.Challenges, RoleChoice{string(x.challenge), v.t(x.key), v.t(x.about), x.challenge == c.Challenge})
	}
	providers, err := v.p.Certs.Providers(v.ctx, scope, t.Customer)
	if err != nil {
		return err
	}
	page.Providers = []Choice{{"", v.t("certform.no_provider"), c.Provider == ""}}
	for _, x := range providers {
		if x.Zone == "" { // the company's own is for delegation only
			page.Providers = append(page.Providers, Choice{x.ID, x.Name, x.ID == c.Provider})
		}
	}
	for _, k := range keyWords {
		page.Keys = append(page.Keys, Choice{string(k.key), v.t(k.word), k.key == c.Key})
	}
	for _, s := range wire.Services() {
		page.Services = append(page.Services, Choice{string(s), serviceNames[s], slices.Contains(c.Services, s)})
	}
	cas, err := v.p.Certs.Authorities(v.ctx, scope)
	page.CAs = []Choice{{"", v.t("certform.primary"), c.Authority == ""}}
	for _, a := range cas {
		if a.Role != certs.RoleStaging {
			page.CAs = append(page.CAs, Choice{a.ID, a.Name, a.ID == c.Authority})
		}
	}
	page.Say = v.t("certform.say_on", "server", v.serverName(t.Server))
	return err
}

// certInput is what a person entered about a certificate.
func (v *visit) certInput() (certs.NewCertificate, error) {
	if err := v.c.Request().ParseForm(); err != nil {
		return certs.NewCertificate{}, controlplane.Invalid()
	}
	form := v.c.Request().PostForm
	in := certs.NewCertificate{Tenancy: form.Get("tenancy"), Names: form["names"], Key: wire.KeyType(form.Get("key")), Challenge: certs.Challenge(form.Get("challenge")),
		Provider: form.Get("provider"), Authority: form.Get("authority"), Profile: strings.TrimSpace(form.Get("profile"))}
	if in.Challenge != certs.ChallengeDNS {
		in.Provider = ""
	}
	for _, s := range form["services"] {
		in.Services = append(in.Services, wire.Service(s))
	}
	var err error
	in.Endpoints, err = endpointsOf(form.Get("endpoints"))
	return in, err
}

// endpointsOf reads endpoints, one a line: "192.0.2.7:443", "mail.example:25 smtp".
func endpointsOf(text string) (out []certs.Endpoint, err error) {
	var wrong []controlplane.Field
	for i, line := range lines(text) {
		address, protocol, _ := strings.Cut(line, " ")
		e := certs.Endpoint{Address: address, Protocol: wire.CertProtocol(strings.TrimSpace(protocol))}
		if e.Protocol == "" {
			e.Protocol = wire.ProtocolTLS
		}
		if !e.Protocol.Valid() {
			wrong = append(wrong, controlplane.Field{Pointer: "/endpoints/" + strconv.Itoa(i), Message: "Write tls, smtp, imap or pop3 after the address."})
		}
		out = append(out, e)
	}
	if len(wrong) > 0 {
		return out, controlplane.Invalid(wrong...)
	}
	return out, nil
}

func endpointLines(list []certs.Endpoint) string {
	var out []string
	for _, e := range list {
		line := e.Address
		if e.Protocol != wire.ProtocolTLS {
			line += " " + string(e.Protocol)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// certEditPage is the form of a certificate that is there.
func (p *Portal) certEditPage(v *visit) (policy.Scope, certs.Certificate, *CertForm, error) {
	scope, c, err := v.aCert(policy.CertWrite, v.c.Param("id"))
	if err != nil {
		return scope, c, nil, err
	}
	t, err := p.Customers.GetTenancy(v.ctx, scope, c.Tenancy)
	if err != nil {
		return scope, c, nil, err
	}
	self := "/certificates/" + c.ID
	page := &CertForm{Page: v.page("certs", v.t("certform.edit"), ""), Action: self, Back: self, Expert: v.staff(), Version: c.Version}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, {certName(c), self}}
	if err := v.certForm(scope, page, t, c); err != nil {
		return scope, c, nil, err
	}
	page.Say, page.Sub = v.t("certform.say_edit", "name", certName(c)), v.t("certform.edit_sub")
	return scope, c, page, nil
}

func (p *Portal) certEdit(v *visit) error {
	_, _, page, err := p.certEditPage(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) certSave(v *visit) error {
	scope, c, page, err := p.certEditPage(v)
	if err != nil {
		return err
	}
	in, err := v.certInput()
	if err != nil {
		return v.invalid(page, err)
	}
	version, _ := strconv.ParseInt(v.c.FormValue("version"), 10, 64)
	change := certs.CertificateChange{Names: &in.Names, Challenge: &in.Challenge, Provider: &in.Provider, Version: version}
	if page.Expert {
		change.Key, change.Authority, change.Profile, change.Services, change.Endpoints = &in.Key, &in.Authority, &in.Profile, &in.Services, &in.Endpoints
	}
	if _, err := p.Certs.Update(v.ctx, scope, c.ID, change); err != nil {
		page.Open = true
		return v.invalid(page, err)
	}
	return v.redirect("/certificates/"+c.ID, "saved")
}
