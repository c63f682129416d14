package web

import (
	"slices"
	"time"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

func instantOf(ms int64) time.Time { return controlplane.FromMillis(ms) }

// foundCerts are the certificates on a server that somebody else renews.
func (p *Portal) foundCerts(v *visit) error {
	scope, err := v.scope(policy.CertRead)
	if err != nil {
		return err
	}
	s, err := p.Customers.GetServer(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	list, err := p.Certs.Found(v.ctx, scope, s.ID)
	if err != nil {
		return err
	}
	page := &FoundCerts{Page: v.page("certs", v.t("foundcert.title"), "")}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, {s.Name, "/servers/" + s.ID}}
	ids, open := map[string]bool{}, 0
	for _, f := range list {
		ids[f.Customer] = true
		if f.TakenBy == "" {
			open++
		}
		if f.SeenAt.After(page.Looked) {
			page.Looked = f.SeenAt
		}
	}
	delete(ids, "")
	names, err := v.customerNames(keysOf(ids))
	if err != nil {
		return err
	}
	for _, f := range list {
		page.Rows = append(page.Rows, v.foundRow(f, names))
	}
	page.Say = v.t("foundcert.say", "n", open, "server", s.Name)
	if open == 0 {
		page.Say = v.t("foundcert.say_none", "server", s.Name)
	}
	if !page.Looked.IsZero() {
		page.Sub = v.t("foundcert.looked", "when", v.moment(page.Looked))
	}
	return v.render(page)
}

// foundRow is one found certificate.
func (v *visit) foundRow(f certs.Found, names map[string]string) FoundCertRow {
	from, until := instantOf(f.NotBefore), instantOf(f.NotAfter)
	r := FoundCertRow{Names: f.Names, Path: f.Path, Issuer: f.Issuer, Renewer: v.renewerWord(f.Renewer), Until: until, State: v.daysLeft(from, until),
		Lifetime: v.t("foundcert.lifetime", "span", span(v.p.tx, until.Sub(from))), UsedBy: f.UsedBy}
	if n := names[f.Customer]; n != "" {
		r.Customer = Link{n, "/customers/" + f.Customer}
	}
	switch {
	case f.TakenBy != "":
		r.Taken = Link{v.t("cert.open"), "/certificates/" + f.TakenBy}
	case f.Customer == "":
		r.TakeWhy = v.t("foundcert.nobodys")
	case v.can(policy.CertWrite):
		r.Take = "/servers/" + f.Server + "/certificates/" + f.ID
	}
	return r
}

// takePage is the form that takes a found certificate over.
func (p *Portal) takePage(v *visit) (policy.Scope, certs.Found, *CertForm, error) {
	scope, err := v.scope(policy.CertWrite)
	if err != nil {
		return scope, certs.Found{}, nil, err
	}
	s, err := p.Customers.GetServer(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return scope, certs.Found{}, nil, err
	}
	list, err := p.Certs.Found(v.ctx, scope, s.ID)
	if err != nil {
		return scope, certs.Found{}, nil, err
	}
	i := slices.IndexFunc(list, func(f certs.Found) bool { return f.ID == v.c.Param("found") && f.TakenBy == "" })
	if i < 0 {
		return scope, certs.Found{}, nil, controlplane.NotFound("certificate")
	}
	f, back := list[i], "/servers/"+s.ID+"/certificates"
	names, err := v.customerNames([]string{f.Customer})
	if err != nil {
		return scope, f, nil, err
	}
	row := v.foundRow(f, names)
	page := &CertForm{Page: v.page("certs", v.t("foundcert.take"), ""), Action: back + "/" + f.ID, Back: back, Expert: v.staff(), Take: &row, IsNew: true}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, {s.Name, "/servers/" + s.ID}, {v.t("foundcert.title"), back}}
	tenancies, err := p.Customers.TenanciesOf(v.ctx, scope, s.ID)
	if err != nil {
		return scope, f, nil, err
	}
	for _, t := range tenancies {
		if t.Customer == f.Customer && page.Tenancy == "" {
			if err := v.certForm(scope, page, t, certs.Certificate{Names: f.Names, Challenge: certs.ChallengeAgent, Key: "ec256"}); err != nil {
				return scope, f, nil, err
			}
		}
	}
	page.Say = v.t("foundcert.say_take", "name", f.Names[0], "server", s.Name)
	renewer := f.Renewer
	if renewer == "" {
		renewer = v.t("foundcert.who_renews")
	}
	page.TakeLines = []string{v.t("foundcert.take_1"), v.t("foundcert.take_2", "renewer", renewer), v.t("foundcert.take_3")}
	return scope, f, page, nil
}

func (p *Portal) take(v *visit) error {
	_, _, page, err := p.takePage(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) takeDo(v *visit) error {
	scope, f, page, err := p.takePage(v)
	if err != nil {
		return err
	}
	in, err := v.certInput()
	if err != nil {
		return v.invalid(page, err)
	}
	c, err := p.Certs.TakeOver(v.ctx, scope, f.ID, in)
	if err != nil {
		page.Open = true
		return v.invalid(page, err)
	}
	return v.redirect("/certificates/"+c.ID, "cert_taken")
}
