package web

import (
	"html/template"
	"slices"
	"strings"

	"ostler/controlplane/access"
	"ostler/controlplane/bus"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// summariesShown is how many customers a page of the overview shows.
const summariesShown = 100

// accessOverview is what needs staff first, then each customer in a line.
func (p *Portal) accessOverview(v *visit, scope policy.Scope) error {
	page := v.accessPage("/access", v.t("access.title"), "")
	g := v.gather(findings.Filter{Grouped: true})
	g.keep(func(o opened) bool { return o.finding == nil || family(o.finding.Kind) == "access" })
	waiting, _, err := p.Access.Grants(v.ctx, scope, access.GrantFilter{States: []access.GrantState{access.GrantProposed}, Limit: 50})
	if err != nil {
		return err
	}
	items, next, err := p.Access.Summaries(v.ctx, scope, summariesShown, v.c.QueryParam("page"))
	if err != nil {
		return err
	}
	g.summaries(items)
	e, err := p.Access.Enforcement(v.ctx, scope)
	if err != nil {
		return err
	}
	page.Needs = g.needs()
	page.Needs = page.Needs[:min(len(page.Needs), shownNeeds)]
	page.Facts = v.overviewFacts(items, waiting, e)
	v.saidOfOverview(page, g, items, waiting, e)
	if len(waiting) > 0 {
		page.Sections = append(page.Sections, v.proposedSection(waiting))
	}
	s := v.summarySection(items)
	v.pageOf(&s.Pager, "/access", next)
	page.Sections = append(page.Sections, s)
	page.Live, page.Refresh = []string{bus.TopicFindings}, 60
	return v.render(page)
}

// pageOf leads through a list from an address without a query of its own.
func (v *visit) pageOf(pg *Pager, path, next string) {
	if v.c.QueryParam("page") != "" {
		pg.First = path
	}
	if next != "" {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		pg.Next = path + sep + query("page", next)
	}
}

// saidOfOverview is the sentence: the worst that is open, and how many more.
func (v *visit) saidOfOverview(page *Access, g *facts, items []access.Summary, waiting []access.Grant, e access.Enforcement) {
	worst, _ := worstOf(g.facts())
	switch {
	case worst != nil:
		n := len(g.open)
		page.Say, page.Tone = v.t("accessops.say_open", "n", n, "number", capital(v.p.tx.Number(n)))+" "+capital(openSentence(v.p.tx, *worst, n)), worst.Kind.Tone()
	case len(waiting) > 0:
		page.Say, page.Tone = v.t("accessops.say_waiting", "n", len(waiting), "number", capital(v.p.tx.Number(len(waiting)))), ToneBusy
	case !e.Configured:
		page.Say, page.Tone = v.t("accessops.say_no_cluster"), ToneUnknown
	case len(items) == 0:
		page.Say, page.Tone = v.t("accessops.say_none"), ToneUnknown
	default:
		page.Say, page.Tone = v.t("accessops.say_good"), ToneGood
	}
}

func (v *visit) overviewFacts(items []access.Summary, waiting []access.Grant, e access.Enforcement) []Fact {
	expiring := 0
	for _, s := range items {
		expiring += s.Expiring
	}
	cluster := Fact{Label: "Teleport", State: v.clusterState(e), Link: Link{v.t("cluster.title"), "/access/teleport"}}
	if e.Configured {
		cluster.At = e.LookedAt
	}
	return []Fact{cluster, {Label: v.t("cluster.mode"), State: State{Word: v.modeWord(e.Mode)}, Note: fakeNote(v, e)},
		{Label: v.t("accessops.waiting"), State: State{Word: group(int64(len(waiting)))}, Link: Link{v.t("grants.title"), "/access/grants"}},
		{Label: v.t("accessops.expiring"), State: State{Word: group(int64(expiring))}, Note: v.t("accessops.expiring_note")}}
}

// proposedSection are grants that wait for somebody.
func (v *visit) proposedSection(items []access.Grant) Section {
	return Section{ID: "proposed", Title: v.t("access.proposed"), Lead: v.t("access.proposed_lead"), Grid: v.grantGrid(items)}
}

// summarySection is each customer in a line.
func (v *visit) summarySection(items []access.Summary) Section {
	s := Section{ID: "customers", Title: v.t("customers.title"), Empty: v.t("accessops.empty"), Grid: Grid{Heads: []string{v.t("col.customer"), v.t("col.state"), v.t("accessops.persons"), v.t("accessops.expiring"), v.t("col.changed")}}}
	for _, x := range items {
		s.Grid.Rows = append(s.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{x.Name, "/access?" + query("customer", x.Customer)}, Strong: true}, {State: v.summaryState(x)},
			{Link: Link{Label: group(int64(x.Persons))}}, {Link: Link{Label: group(int64(x.Expiring))}}, v.orDash(x.ChangedAt)}})
	}
	return s
}

func (v *visit) summaryState(x access.Summary) State {
	switch {
	case x.Differences > 0:
		return State{ToneWarn, v.t("accessops.differs", "n", x.Differences)}
	case x.NoticeLate:
		return State{ToneWarn, v.t("accessops.late")}
	case x.Unattested:
		return State{ToneUnknown, v.t("access.unattested")}
	}
	return State{ToneGood, v.t("accessops.agrees")}
}

// matrixColumns is how many customers a page of the matrix shows.
const matrixColumns = 100

// matrix is persons × customers.
func (p *Portal) matrix(v *visit) error {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return err
	}
	people, columns, cells, next, err := p.Access.Matrix(v.ctx, scope, matrixColumns, v.c.QueryParam("page"))
	if err != nil {
		return err
	}
	page := &Matrix{Page: v.page("access", v.t("matrix.title"), v.t("matrix.say", "people", len(people), "n", len(columns))), Parts: v.accessParts("", "/access/matrix"), Query: strings.TrimSpace(v.c.QueryParam("q"))}
	page.Crumbs = v.accessCrumbs("", "")
	v.matrixOf(page, people, columns, cells)
	v.pageOf(&page.Pager, "/access/matrix", next)
	return v.render(page)
}

// matrixOf lays the cells out; a query leaves the persons and customers whose
// names have it: where no person has it, all persons with something there.
func (v *visit) matrixOf(page *Matrix, people []access.Person, columns []access.Summary, cells []access.Cell) {
	has := func(name string) bool { return strings.Contains(strings.ToLower(name), strings.ToLower(page.Query)) }
	anyone := slices.ContainsFunc(people, func(x access.Person) bool { return has(x.Name) })
	if page.Query != "" && !anyone {
		columns = slices.DeleteFunc(slices.Clone(columns), func(c access.Summary) bool { return !has(c.Name) })
	}
	at, by := map[string]int{}, map[string][]access.Cell{}
	for i, c := range columns {
		at[c.Customer] = i
		page.Columns = append(page.Columns, Link{c.Name, "/access?" + query("customer", c.Customer)})
	}
	for _, c := range cells {
		by[c.Person] = append(by[c.Person], c)
	}
	for _, x := range people {
		if anyone && !has(x.Name) {
			continue
		}
		row, any := MatrixRow{Person: Link{x.Name, "/access/persons/" + x.ID}, Note: x.Company, Cells: make([]MatrixCell, len(columns))}, false
		for _, c := range by[x.ID] {
			if i, ok := at[c.Customer]; ok {
				row.Cells[i], any = MatrixCell{Text: strings.Join(c.Roles, ", "), Href: "/access?" + query("customer", c.Customer), Until: c.Until, Differs: c.Difference}, true
			}
		}
		if any || page.Query == "" || anyone {
			page.Rows = append(page.Rows, row)
		}
	}
	if len(columns) == 0 {
		page.Rows = nil
	}
}

// matrixRow is one person's row; see markup for why no template writes it.
func matrixRow(tx *Text, p *Page, r MatrixRow) template.HTML {
	m := newMarkup(tx, p).raw(`<tr><th scope="row">`).link(r.Person)
	if r.Note != "" {
		m.raw(" ").soft(r.Note)
	}
	m.raw("</th>")
	for _, c := range r.Cells {
		if c.Text == "" {
			m.raw("<td></td>")
			continue
		}
		m.raw("<td>")
		if c.Differs {
			m.raw(`<span class="state warn">`).text(c.Text).raw(`</span><span class="vh">, `).text(tx.T("matrix.differs")).raw("</span>")
		} else {
			m.text(c.Text)
		}
		if !c.Until.IsZero() {
			m.raw(`<p class="soft">`).raw(string(timeTag(dayMonth(tx, c.Until.In(m.at)), c.Until, m.at))).raw("</p>")
		}
		m.raw("</td>")
	}
	return m.raw("</tr>").html()
}
