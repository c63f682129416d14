package web

import (
	"net/url"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// connectedPage is how many sessions a page of a customer's list shows.
const connectedPage = 25

// connected is who was on a customer's servers, for its people.
func (p *Portal) connected(v *visit) error {
	scope, err := v.scope(policy.SessionRead)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/connected", v.t("connected.title"), "")
	f := sessions.Filter{Customer: v.actor.Customer, Server: v.c.QueryParam("server"), Limit: connectedPage, PageToken: v.c.QueryParam("page")}
	s := &Sift{Action: "/connected", Do: v.t("access.show")}
	f.From, f.To = v.siftDays(page, s)
	keep := url.Values{}
	for _, id := range []string{"server", "from", "to"} {
		if x := v.c.QueryParam(id); x != "" {
			keep.Set(id, x)
			s.Clear = "/connected"
		}
	}
	if f.Server != "" {
		s.Hidden = []Pair{{Label: "server", Value: f.Server}}
	}
	page.Sift = s
	items, next, err := p.Sessions.List(v.ctx, scope, f)
	if err != nil {
		return err
	}
	terms, err := p.Sessions.TermsOf(v.ctx, scope, v.actor.Customer)
	if err != nil {
		return err
	}
	covered, err := v.coverageOf(scope, v.actor.Customer)
	if err != nil {
		return err
	}
	g := v.gather(findings.Filter{Server: f.Server})
	page.Needs = g.needsOf("session")
	page.Say, page.Tone = v.sessionsSaid(g, nil, covered)
	if page.Say != covered.Word {
		page.Truths = []State{covered}
	}
	page.Sub = v.t("connected.sub")
	sec := Section{ID: "sessions", Title: v.t("connected.list"), Lead: v.t("connected.lead"), Empty: v.t("connected.empty")}
	if len(keep) > 0 {
		sec.Empty = v.t("sessions.no_match")
	}
	if sec.Grid, err = v.connectedGrid(scope, items, terms); err != nil {
		return err
	}
	sec.Pager = pagerFor("/connected", keep, f.PageToken, next)
	outside, err := v.outsideSection(scope, f)
	if err != nil {
		return err
	}
	page.Sections = append([]Section{sec}, outside...)
	page.Sections = append(page.Sections, v.recordingTerms(terms))
	page.Live, page.Refresh = []string{bus.TopicCustomer(v.actor.Customer)}, 60
	return v.render(page)
}

// connectedGrid is a customer's sessions as a table.
func (v *visit) connectedGrid(scope policy.Scope, items []sessions.Session, terms sessions.Terms) (Grid, error) {
	servers, err := v.serversOf(items)
	if err != nil {
		return Grid{}, err
	}
	g := Grid{Heads: []string{v.t("col.person"), v.t("session.began"), v.t("col.server"), v.t("session.purpose_of"), v.t("session.what"), v.t("session.recording"), v.t("session.review")}}
	for _, s := range items {
		what := v.cellWhat(s)
		if terms.Commands && s.Commands > 0 {
			moments, err := v.p.Sessions.Commands(v.ctx, scope, s.ID)
			switch code := controlplane.ErrorCode(err); {
			case err == nil && len(moments) > 0:
				what.Notes = []string{v.commandsSaid(moments)}
			case err == nil, code == controlplane.CodeForbidden, code == controlplane.CodeConflict, code == controlplane.CodeNotFound:
			default:
				return Grid{}, err
			}
		}
		g.Rows = append(g.Rows, GridRow{Cells: []Cell{v.cellWho(s), {At: s.StartedAt, Notes: []string{v.sessionLength(s)}}, v.cellWhere(s, servers, nil), v.cellWhy(s), what, {State: v.recordingState(s)}, v.cellReview(s)}})
	}
	return g, nil
}

// outsideSection are logins that hosts saw and no session explains.
func (v *visit) outsideSection(scope policy.Scope, f sessions.Filter) ([]Section, error) {
	items, _, err := v.p.Sessions.Logins(v.ctx, scope, sessions.LoginFilter{Customer: f.Customer, Server: f.Server, From: f.From, To: f.To, States: []sessions.LoginState{sessions.Outside, sessions.Explained}, Limit: connectedPage})
	if err != nil || len(items) == 0 {
		return nil, err
	}
	sec := Section{ID: "outside", Title: v.t("connected.outside"), Lead: v.t("connected.outside_lead")}
	if sec.Grid, err = v.loginGrid(items); err != nil {
		return nil, err
	}
	return []Section{sec}, nil
}

// recordingTerms says what the customer sees of recordings, and for how long.
func (v *visit) recordingTerms(t sessions.Terms) Section {
	sec := Section{ID: "terms", Title: v.t("connected.terms")}
	if t.Watch {
		sec.Items = append(sec.Items, v.t("connected.may_watch"))
	} else {
		sec.Items = append(sec.Items, v.t("connected.may_not_watch"))
	}
	if t.Commands {
		sec.Items = append(sec.Items, v.t("connected.may_commands"))
	} else {
		sec.Items = append(sec.Items, v.t("connected.may_not_commands"))
	}
	return Section{ID: sec.ID, Title: sec.Title, Items: append(sec.Items, v.t("connected.sample", "n", t.Percent), v.t("connected.kept", "n", t.Months))}
}

// connectedViewings are everybody who looked at recordings of a customer's servers.
func (p *Portal) connectedViewings(v *visit) error {
	scope, err := v.scope(policy.SessionRead)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/connected/viewings", v.t("connected.viewings"), v.t("connected.viewings_say"))
	page.Sub = v.t("connected.viewings_sub")
	f := sessions.ViewingFilter{Customer: v.actor.Customer, Limit: sessionPage, PageToken: v.c.QueryParam("page")}
	sec, err := v.viewingsSection(scope, f, true)
	if err != nil {
		return err
	}
	if len(sec.Grid.Rows) == 0 && f.PageToken == "" {
		page.Say = v.t("connected.viewings_none")
	}
	sec.Pager = pagerFor("/connected/viewings", nil, f.PageToken, sec.Pager.Next)
	page.Sections = []Section{sec}
	return v.render(page)
}

// recordings are what an auditor may look at: their customers', of their period.
func (p *Portal) recordings(v *visit) error {
	if !v.viewer.Auditor {
		return v.c.Redirect(303, v.sessionHome().Href)
	}
	scope, err := v.scope(policy.SessionWatch)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/recordings", v.t("recordings.title"), "")
	names, err := v.namesOfCustomers(v.actor.Own())
	if err != nil {
		return err
	}
	var of []string
	choices := []Choice{{Value: "", Label: v.t("sessions.any")}}
	for _, id := range v.actor.Own() {
		of = append(of, names[id])
		choices = append(choices, Choice{Value: id, Label: names[id]})
	}
	page.Say = v.t("recordings.say", "customers", p.tx.List(of), "period", v.auditPeriod(v.actor))
	if until := v.person.Until; !until.IsZero() {
		page.Sub = v.t("recordings.until", "when", v.moment(until), "span", span(p.tx, until.Sub(v.now)))
	}
	f := sessions.Filter{Customer: v.c.QueryParam("customer"), Server: v.c.QueryParam("server"), Person: v.c.QueryParam("person"), Limit: sessionPage, PageToken: v.c.QueryParam("page")}
	s := &Sift{Action: "/recordings", Do: v.t("access.show")}
	if len(choices) > 2 {
		s.Fields = []FormField{{ID: "customer", Label: v.t("col.customer"), Options: chosen1(choices, f.Customer)}}
	}
	f.From, f.To = v.siftDays(page, s)
	keep := url.Values{}
	for _, id := range []string{"customer", "server", "person", "from", "to"} {
		if x := v.c.QueryParam(id); x != "" {
			keep.Set(id, x)
			s.Clear = "/recordings"
		}
	}
	page.Sift = s
	items, next, err := p.Sessions.List(v.ctx, scope, f)
	if err != nil {
		return err
	}
	sec := Section{ID: "recordings", Title: v.t("recordings.list"), Lead: v.t("recordings.lead"), Empty: v.t("recordings.empty")}
	if len(keep) > 0 {
		sec.Empty = v.t("sessions.no_match")
	}
	if sec.Grid, err = v.sessionGrid(items); err != nil {
		return err
	}
	sec.Pager = pagerFor("/recordings", keep, f.PageToken, next)
	page.Sections = []Section{sec}
	return v.render(page)
}

// auditPeriod is which sessions an auditor may look at, in words.
func (v *visit) auditPeriod(a controlplane.Actor) string {
	switch {
	case a.From.IsZero() && a.To.IsZero():
		return v.t("recordings.any_time")
	case a.To.IsZero():
		return v.t("recordings.since", "from", v.dayOf(a.From))
	case a.From.IsZero():
		return v.t("recordings.before", "to", v.dayOf(a.To.Add(-time.Second)))
	}
	return v.t("recordings.between", "from", v.dayOf(a.From), "to", v.dayOf(a.To.Add(-time.Second)))
}

// connectedOn is one sentence about who was on a server in the last 30 days.
func (v *visit) connectedOn(g *facts, server string) Link {
	const days, most = 30, 200
	if v.p.Sessions == nil || !v.can(policy.SessionRead) || v.viewer.Auditor {
		return Link{}
	}
	href := "/connected?" + query("server", server)
	if v.staff() {
		href = "/sessions?" + query("server", server)
	}
	scope, err := v.scope(policy.SessionRead)
	var items []sessions.Session
	var next string
	if err == nil {
		items, next, err = v.p.Sessions.List(v.ctx, scope, sessions.Filter{Server: server, From: v.now.AddDate(0, 0, -days), Limit: most})
	}
	if err != nil {
		g.unread("slice.sessions", err)
		return Link{}
	}
	missing := 0
	for _, s := range items {
		if s.State == sessions.Missing || s.State == sessions.Unrecorded {
			missing++
		}
	}
	said := v.t("coverage.sessions", "n", len(items), "days", days)
	switch {
	case next != "":
		said = v.t("coverage.many", "most", most, "days", days)
	case len(items) == 0:
		said = v.t("coverage.none", "days", days)
	}
	if missing > 0 {
		said += "; " + v.t("coverage.missing", "n", missing)
	}
	return Link{said + ".", href}
}

// connectedLine is one sentence about who was on a customer's servers, for pages
// that lead there.
func (v *visit) connectedLine(g *facts, customer, href string) Link {
	if v.p.Sessions == nil || !v.can(policy.SessionRead) {
		return Link{}
	}
	scope, err := v.scope(policy.SessionRead)
	var said State
	if err == nil {
		said, err = v.coverageOf(scope, customer)
	}
	if err != nil {
		g.unread("slice.sessions", err)
		return Link{}
	}
	return Link{strings.TrimSpace(said.Word), href}
}
