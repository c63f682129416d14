package web

import (
	"net/http"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// ownNotices are what a customer was told about incidents, and what they told us.
func (p *Portal) ownNotices(v *visit) error {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return err
	}
	if strings.TrimSpace(v.c.QueryParam("q")) != "" {
		return p.ownFind(v, scope)
	}
	token := v.c.QueryParam("page")
	items, next, err := p.Incidents.Notices(v.ctx, scope, incidents.NoticeFilter{Customer: v.actor.Customer, Limit: 50, Token: token})
	if err != nil {
		return err
	}
	at, n, err := p.Incidents.Concerns(v.ctx, scope)
	if err != nil {
		return err
	}
	page := &Incidents{Page: v.page("notices", v.t("inc.own_title"), "")}
	unread := 0
	for _, x := range items {
		if x.State != incidents.Acknowledged {
			unread++
		}
	}
	v.saidOfOwn(page, at, n, unread, len(items))
	page.Acts = []Act{{Label: v.t("inc.own_report"), Href: "/notices/report", Strong: true}}
	if len(items) > 0 {
		page.Find = v.seekBox("/notices", v.t("inc.own_find"))
	}
	sec := Section{ID: "notices", Title: v.t("inc.own_list"), Lead: v.t("inc.own_lead"), Empty: v.t("inc.own_empty"), Pager: pagerFor("/notices", nil, token, next), Grid: v.ownGrid(items)}
	said := Section{ID: "reports", Title: v.t("inc.own_reports"), Empty: v.t("inc.own_reports_empty"), Grid: Grid{Heads: []string{v.t("inc.rp_text"), v.t("inc.rp_when"), v.t("col.state")}}}
	reports, err := p.Incidents.Reports(v.ctx, scope, false)
	if err != nil {
		return err
	}
	for _, r := range reports {
		state := State{ToneBusy, v.t("inc.own_waits")}
		if !r.DecidedAt.IsZero() {
			state = State{ToneGood, v.t("inc.own_looked")}
		}
		said.Grid.Rows = append(said.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: short(plain(r.Text))}, Notes: []string{r.ID}}, {At: r.ReceivedAt}, {State: state}}})
	}
	page.Sections = []Section{sec, said}
	page.Live, page.Refresh = []string{bus.TopicCustomer(v.actor.Customer)}, 60
	return v.render(page)
}

// ownGrid is a customer's notices as a table.
func (v *visit) ownGrid(items []incidents.Notice) Grid {
	g := Grid{Heads: []string{v.t("inc.own_what"), v.t("inc.n_sent_at"), v.t("col.state")}}
	for _, x := range items {
		title := orWord(plain(x.Title), wordOf(v, purposes, x.Purpose))
		g.Rows = append(g.Rows, GridRow{Cells: []Cell{{Link: Link{title, "/notices/" + x.ID}, Strong: true, Notes: []string{join(wordOf(v, purposes, x.Purpose), v.phase(x))}}, v.orDash(x.SentAt), {State: v.ownState(x)}}})
	}
	return g
}

// ownFind finds notices that a customer was sent, by their words or a reference.
func (p *Portal) ownFind(v *visit, scope policy.Scope) error {
	page := &Incidents{Page: v.page("notices", v.t("inc.own_title"), v.t("inc.own_find")), Find: v.seekBox("/notices", v.t("inc.own_find"))}
	page.Crumbs = []Link{{v.t("inc.own_title"), "/notices"}}
	found, err := p.Incidents.Find(v.ctx, scope, page.Find.Query)
	if err != nil {
		return v.invalid(page, err)
	}
	v.foundIncidents(&page.Page, found, page.Find.Query)
	page.Sections = []Section{{ID: "notices", Title: v.t("inc.own_list"), Empty: v.t("inc.find_no_notices"), Grid: v.ownGrid(found.Notices)}}
	return v.render(page)
}

// saidOfOwn is the sentence: what we are looking into comes before what was told.
func (v *visit) saidOfOwn(page *Incidents, servers []string, n, unread, all int) {
	switch {
	case n > 0:
		page.Say, page.Tone = v.concernsSaid(servers), ToneBad
		if unread > 0 {
			page.Sub = v.t("inc.own_unread", "n", unread)
		}
	case unread > 0:
		page.Say, page.Tone = v.t("inc.own_say_unread", "n", unread, "number", capital(v.p.tx.Number(unread))), ToneWarn
	case all > 0:
		page.Say, page.Tone = v.t("inc.own_say_read"), ToneGood
	default:
		page.Say = v.t("inc.own_say_none")
	}
}

// concernsSaid says that we look into something, and what it may concern.
func (v *visit) concernsSaid(servers []string) string {
	return v.t("inc.concerns", "what", v.concerned(servers))
}

// concerned names what an incident may concern, for a sentence.
func (v *visit) concerned(names []string) string {
	switch {
	case len(names) == 0 && v.staff():
		return v.t("inc.customers_of_ours")
	case len(names) == 0:
		return v.t("inc.your_data")
	case len(names) > 3:
		return v.t("inc.and_more", "what", v.p.tx.List(names[:3]), "n", len(names)-3)
	}
	return v.p.tx.List(names)
}

func (v *visit) ownState(n incidents.Notice) State {
	switch n.State {
	case incidents.Acknowledged:
		return State{ToneGood, v.t("inc.own_acknowledged")}
	case incidents.Opened, incidents.Called:
		return State{ToneWarn, v.t("inc.own_open")}
	}
	return State{ToneWarn, v.t("inc.own_new")}
}

// ownNotice is one notice before a contact: opening it is noted.
func (p *Portal) ownNotice(v *visit) error {
	page, n, err := v.ownPage()
	if err != nil {
		return err
	}
	if v.c.Request().Header.Get("Sec-Purpose") == "" && v.c.Request().Method == http.MethodGet {
		if err := p.Incidents.Opened(v.ctx, policy.ScopeOf(v.actor), n.ID); err != nil {
			return err
		}
	}
	return v.render(page)
}

func (v *visit) ownPage() (*CaseNotice, incidents.Notice, error) {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return nil, incidents.Notice{}, err
	}
	n, err := v.p.Incidents.Notice(v.ctx, scope, v.c.Param("notice"))
	if err != nil {
		return nil, n, err
	}
	page := &CaseNotice{Page: v.page("notices", v.t("inc.own_title"), orWord(trimDot(plain(n.Title)), wordOf(v, purposes, n.Purpose))+"."), Own: true, Text: n.Text, Sum: n.SHA256}
	page.Crumbs, page.Tone = []Link{{v.t("inc.own_title"), "/notices"}}, v.ownState(n).Tone
	page.Sub = v.t("inc.own_sent", "when", v.moment(n.SentAt))
	if n.State == incidents.Acknowledged {
		page.Pairs = []Pair{{Label: v.t("col.state"), Value: v.t("inc.own_acknowledged")}}
	} else {
		page.Forms = []BoxForm{{ID: "acknowledge", Title: v.t("inc.own_ack"), Lead: v.t("inc.own_ack_lead"), Action: "/notices/" + n.ID + "/acknowledge", Do: v.t("inc.own_ack_do")}}
	}
	return page, n, nil
}

// ownAcknowledge notes that somebody has taken note.
func (p *Portal) ownAcknowledge(v *visit) error {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return err
	}
	n, err := p.Incidents.Acknowledge(v.ctx, scope, v.c.Param("notice"))
	if err != nil {
		page, _, perr := v.ownPage()
		if perr != nil {
			return err
		}
		return v.invalid(page, err)
	}
	return v.redirect("/notices/"+n.ID, "acknowledged")
}

// ownReportForm is where a customer tells us that something is wrong.
func (v *visit) ownReportForm() (*AccessForm, error) {
	page := v.accessForm(v.t("inc.own_report"), v.t("inc.own_report_say"), "/notices/report", "/notices", v.t("inc.pub_do"))
	page.Nav, page.Crumbs = "notices", []Link{{v.t("inc.own_title"), "/notices"}}
	page.Lines = []string{v.t("inc.own_report_1"), v.t("inc.own_report_2")}
	scope, err := v.scope(policy.ServerRead)
	if err != nil {
		return nil, err
	}
	items, _, err := v.p.Customers.ListServers(v.ctx, scope, customers.ServerFilter{Limit: 200})
	if err != nil {
		return nil, err
	}
	options := []Choice{{Value: "", Label: v.t("inc.no_matter")}}
	for _, s := range items {
		options = append(options, Choice{Value: s.ID, Label: s.Name})
	}
	page.Fields = []FormField{v.entered("text", v.t("inc.pub_text"), "").rows(5).hint(v.t("inc.own_text_hint")), v.entered("server", v.t("col.server"), "").among(options), v.entered("contact", v.t("inc.pub_contact"), "").optional().hint(v.t("inc.own_contact_hint"))}
	return page, nil
}

func (p *Portal) ownReport(v *visit) error {
	page, err := v.ownReportForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) ownReportSend(v *visit) error {
	scope, err := v.scope(policy.IncidentReport)
	if err != nil {
		return err
	}
	page, err := v.ownReportForm()
	if err != nil {
		return err
	}
	in := incidents.NewReport{Source: incidents.FromCustomer, Customer: v.actor.Customer, Server: v.formValue("server"), Text: v.text("text"), Name: v.person.Name, Contact: v.formValue("contact"), Address: v.c.RealIP()}
	if _, err := p.Incidents.Report(v.ctx, scope, in); err != nil {
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return err
		}
		return v.invalid(page, err)
	}
	return v.redirect("/notices", "inc_reported")
}
