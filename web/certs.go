package web

import (
	"net/url"
	"strings"
	"time"

	"ostler/certs"
	"ostler/controlplane/bus"
	"ostler/controlplane/policy"
)

// certPage is how many certificates a page of the list shows.
const certPage = 50

// certGroups are the choices above the list, by the word in the address.
var certGroups = []struct {
	word, key string
	filter    certs.Filter
}{
	{"", "certs.all", certs.Filter{}}, {"failing", "certs.failing", certs.Filter{Failing: true}}, {"unserved", "certs.unserved", certs.Filter{State: certs.StateUnserved}},
	{"expired", "certs.expired", certs.Filter{State: certs.StateExpired}}, {"soon", "certs.soon", certs.Filter{}}, {"new", "certs.new_ones", certs.Filter{State: certs.StateNew}},
	{"ended", "certs.ended", certs.Filter{State: certs.StateEnded, Ended: true}},
}

// soon is how near an end is for the choice "soon".
const soon = 14 * 24 * time.Hour

// certificates is the list for staff, and the padlock page for a customer.
func (p *Portal) certificates(v *visit) error {
	if !v.staff() {
		return p.padlocks(v)
	}
	scope, err := v.scope(policy.CertRead)
	if err != nil {
		return err
	}
	page := &Certificates{Page: v.page("certs", v.t("certs.title"), ""), Query: strings.ToLower(strings.TrimSpace(v.c.QueryParam("q"))), Group: v.c.QueryParam("show"), More: v.certMore("/certificates")}
	f := certs.Filter{}
	for _, g := range certGroups {
		if g.word == page.Group {
			f = g.filter
		}
		page.Filters = append(page.Filters, Filter{Label: v.t(g.key), Href: certsAddress(page.Query, g.word, ""), Current: g.word == page.Group, Count: -1})
	}
	if page.Group == "soon" {
		f.Before = v.now.Add(soon)
	}
	f.Server = v.c.QueryParam("server")
	f.Text, f.PageSize, f.PageToken = page.Query, certPage, v.c.QueryParam("page")
	items, next, err := p.Certs.List(v.ctx, scope, f)
	if err != nil {
		return err
	}
	if page.Rows, err = v.certRows(items); err != nil {
		return err
	}
	if next != "" {
		page.Pager.Next = certsAddress(page.Query, page.Group, next)
	}
	if f.PageToken != "" {
		page.Pager.First = certsAddress(page.Query, page.Group, "")
	}
	if v.can(policy.CertWrite) {
		page.New = "/certificates/new"
	}
	page.None = len(items) == 0 && page.Query == "" && page.Group == "" && f.PageToken == ""
	page.Live, page.Refresh = []string{bus.TopicFindings}, 60
	if err := v.certsSaid(scope, page); err != nil {
		return err
	}
	return v.render(page)
}

// certsSaid writes the list's sentence, made of all certificates.
func (v *visit) certsSaid(scope policy.Scope, page *Certificates) error {
	sum, err := v.certSum(scope)
	if err != nil {
		return err
	}
	page.Say, page.Tone = v.certsSentence(sum)
	page.Sub = v.t("certs.sub")
	return nil
}

func certsAddress(query, group, token string) string {
	q := url.Values{}
	for name, value := range map[string]string{"q": query, "show": group, "page": token} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/certificates"
	}
	return "/certificates?" + q.Encode()
}

// certPages are the other pages of certificates that the reader may see.
func (v *visit) certMore(current string) []Filter {
	list := []Link{{v.t("certs.title"), "/certificates"}, {v.t("certlimits.title"), "/certificates/limits"}, {v.t("certset.title"), "/certificates/settings"}}
	if v.can(policy.CertAdmin) {
		list = append(list, Link{v.t("campaign.title"), "/certificates/campaigns"})
	}
	var out []Filter
	for _, l := range list {
		out = append(out, Filter{Label: l.Label, Href: l.Href, Current: l.Href == current, Count: -1})
	}
	return out
}
