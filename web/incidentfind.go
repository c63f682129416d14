package web

import (
	"strings"

	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// seekBox is the search over incidents, with what was looked for.
func (v *visit) seekBox(action, label string) *Seek {
	return &Seek{Action: action, Label: label, Query: strings.TrimSpace(v.c.QueryParam("q"))}
}

// incidentFind finds cases, notices and reports by a reference or by words.
func (p *Portal) incidentFind(v *visit) error {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return err
	}
	page := v.incidentsPage("/incidents/find", v.t("inc.find"), v.t("inc.find_say"))
	page.Find = v.seekBox("/incidents/find", v.t("inc.find_label"))
	if page.Find.Query == "" {
		page.Sub = v.t("inc.find_sub")
		return v.render(page)
	}
	found, err := p.Incidents.Find(v.ctx, scope, page.Find.Query)
	if err != nil {
		return v.invalid(page, err)
	}
	v.foundIncidents(&page.Page, found, page.Find.Query)
	cases := Section{ID: "cases", Title: v.t("inc.find_cases"), Empty: v.t("inc.find_no_cases")}
	if cases.Grid, err = v.caseGrid(found.Cases); err != nil {
		return err
	}
	notices, err := v.noticesFound(found.Notices)
	if err != nil {
		return err
	}
	reports := Section{ID: "reports", Title: v.t("inc.reports"), Empty: v.t("inc.find_no_reports")}
	if reports.Grid, err = v.reportGrid(found.Reports); err != nil {
		return err
	}
	page.Sections = []Section{cases, notices, reports}
	return v.render(page)
}

// foundIncidents says what a search came to; that nothing was found is said only
// of what was looked through.
func (v *visit) foundIncidents(page *Page, f incidents.Found, words string) {
	n := len(f.Cases) + len(f.Notices) + len(f.Reports)
	page.Say = v.t("inc.find_found", "n", n, "number", capital(v.p.tx.Number(n)), "words", plain(words))
	if n == 0 {
		page.Say = v.t("inc.find_none", "words", plain(words))
	}
	switch {
	case f.Older:
		page.Sub, page.Tone = v.t("inc.find_older"), ToneUnknown
	case f.More:
		page.Sub = v.t("inc.find_more")
	}
}

// noticesFound are the notices that a search found, each with its customer.
func (v *visit) noticesFound(items []incidents.Notice) (Section, error) {
	sec := Section{ID: "notices", Title: v.t("inc.notices"), Empty: v.t("inc.find_no_notices")}
	var customers, staff []string
	for _, n := range items {
		customers, staff = append(customers, n.Customer), append(staff, n.Author, n.Second)
	}
	names, err := v.namesOfCustomers(uniq(customers))
	if err != nil {
		return sec, err
	}
	who, err := v.staffNames(staff...)
	if err != nil {
		return sec, err
	}
	sec.Grid = v.noticeGrid(items, names, who)
	for i, n := range items {
		notes := &sec.Grid.Rows[i].Cells[0].Notes
		*notes = append(*notes, plain(n.Title))
	}
	return sec, nil
}
