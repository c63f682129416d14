package web

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// incidentPaper is a document of a case: an authority's form, or the report after it.
func (p *Portal) incidentPaper(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentRead)
	if err != nil {
		return err
	}
	page := &CasePaper{Page: v.page("incidents", v.t("inc.papers"), ""), Exercise: v.exercise(c.Drill), Made: v.now}
	page.Crumbs = v.caseCrumbs(c)
	which := v.c.Param("paper")
	for _, l := range []Link{{v.t("inc.paper_ico"), "ico"}, {v.t("inc.paper_edpb"), "edpb"}, {v.t("inc.paper_after"), "after"}} {
		page.Parts = append(page.Parts, Filter{Label: l.Label, Href: "/incidents/" + c.ID + "/papers/" + l.Href, Current: l.Href == which, Count: -1})
	}
	switch which {
	case "ico", "edpb":
		f, err := p.Incidents.AuthorityForm(v.ctx, scope, c.ID, which)
		if err != nil {
			return err
		}
		page.Title, page.Say, page.Lead = f.Title, v.t("inc.form_say", "title", f.Title, "n", f.Missing), f.Sentence
		if f.Missing == 0 {
			page.Say = v.t("inc.form_whole", "title", f.Title)
		}
		for _, q := range f.Fields {
			page.Answers = append(page.Answers, PaperAnswer{Question: q.Question, Answer: plainText(q.Answer), Missing: plain(q.Missing), Required: q.Required})
		}
	case "after":
		paper, err := p.Incidents.AfterAction(v.ctx, scope, c.ID)
		if err != nil {
			return err
		}
		page.Title, page.Say = paper.Title, trimDot(plain(paper.Title))+"."
		page.Papers = papersOf(paper)
	default:
		return controlplane.NotFound("paper")
	}
	return v.render(page)
}

// papersOf are a document's parts as a page shows them.
func papersOf(paper incidents.Paper) (out []PaperPart) {
	for i, s := range paper.Sections {
		part := PaperPart{ID: "part-" + strconv.Itoa(i+1), Heading: s.Heading}
		for _, x := range s.Paragraphs {
			part.Paragraphs = append(part.Paragraphs, plainText(x))
		}
		for j, row := range s.Rows {
			var cells []string
			for _, x := range row {
				cells = append(cells, plain(x))
			}
			if j == 0 {
				part.Heads = cells
				continue
			}
			part.Rows = append(part.Rows, cells)
		}
		out = append(out, part)
	}
	return out
}

// incidentTimeline is what was done in a case, with what happened on its servers.
func (p *Portal) incidentTimeline(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentRead)
	if err != nil {
		return err
	}
	list := v.incidentsPage("", v.t("inc.timeline"), v.t("inc.timeline_say", "title", trimDot(plain(c.Title))))
	list.Parts, list.Crumbs, list.Exercise = nil, v.caseCrumbs(c), v.exercise(c.Drill)
	var from, to time.Time
	for id, t := range map[string]*time.Time{"from": &from, "to": &to} {
		if s := v.c.QueryParam(id); s != "" {
			at, err := law.ParseTime(s, v.zone)
			if err != nil {
				list.Errors = append(list.Errors, FieldError{"", v.t("inc.time_offset", "zone", v.zone.String())})
				continue
			}
			*t = at
		}
	}
	items, partial, err := p.Incidents.Timeline(v.ctx, scope, c.ID, from, to)
	if err != nil {
		return err
	}
	on, err := v.servers(serversOfMoments(items))
	if err != nil {
		return err
	}
	var ids []string
	for _, m := range items {
		if isPersonID(m.By) {
			ids = append(ids, m.By)
		}
	}
	who, err := v.staffNames(ids...)
	if err != nil {
		return err
	}
	if len(partial) > 0 {
		list.Sub, list.Tone = v.t("inc.timeline_partial", "what", v.p.tx.List(partial)), ToneUnknown
	}
	sec := Section{ID: "timeline", Title: v.t("inc.timeline"), Lead: v.t("inc.timeline_lead"), Empty: v.t("inc.timeline_empty"), Grid: Grid{Heads: []string{v.t("col.when"), v.t("inc.m_kind"), v.t("inc.m_what"), v.t("col.server"), v.t("inc.d_who")}}}
	for _, m := range items {
		what := Cell{Link: Link{plain(m.Text), m.Path}}
		if !v.mayFollow(m.Path) {
			what.Link.Href = ""
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{At: m.At}, {Link: Link{Label: wordOf(v, momentKinds, m.Kind)}}, what, {Link: Link{Label: on[m.Server].Name}}, {Link: Link{Label: orWord(who[m.By], v.plainBy(m))}}}})
	}
	if v.mayAct() && c.State == incidents.Open {
		sec.Acts = []Act{{Label: v.t("inc.note_add"), Href: "/incidents/" + c.ID + "/note"}}
	}
	list.Sections = []Section{sec}
	return v.render(list)
}

// plainBy is who did something where it is no id of ours; what the plane did in a
// case has its own name there.
func (v *visit) plainBy(m incidents.Moment) string {
	switch {
	case isPersonID(m.By) || m.By == "":
		return ""
	case m.Server == "":
		return v.t("inc.by_itself")
	}
	return plain(m.By)
}

func serversOfMoments(items []incidents.Moment) []string {
	all := map[string]bool{}
	for _, m := range items {
		if m.Server != "" {
			all[m.Server] = true
		}
	}
	return keysOf(all)
}

// registerYear is the year that the address asks for; 0 is all.
func (v *visit) registerYear() int {
	y, err := strconv.Atoi(v.c.QueryParam("year"))
	if err != nil || y < 2000 || y > 9999 {
		return 0
	}
	return y
}

// register is the register of breaches, those nobody was told of too.
func (p *Portal) register(v *visit) error {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return err
	}
	year := v.registerYear()
	items, err := p.Incidents.Register(v.ctx, scope, year)
	if err != nil {
		return err
	}
	page := v.incidentsPage("/incidents/register", v.t("inc.register"), v.t("inc.register_say", "n", len(items), "number", capital(p.tx.Number(len(items)))))
	if len(items) == 0 {
		page.Say = v.t("inc.register_none")
	}
	page.Sub = v.t("inc.register_sub")
	years := []Choice{{Value: "", Label: v.t("inc.all_years")}}
	for y := v.now.Year(); y > v.now.Year()-8; y-- {
		years = append(years, Choice{Value: strconv.Itoa(y), Label: strconv.Itoa(y)})
	}
	was := ""
	if year > 0 {
		was = strconv.Itoa(year)
	}
	page.Sift = &Sift{Action: "/incidents/register", Do: v.t("access.show"), Fields: []FormField{{ID: "year", Label: v.t("inc.year"), Options: chosen1(years, was)}}}
	csvHref := "/incidents/register.csv"
	if year > 0 {
		csvHref += "?" + query("year", was)
	}
	page.Acts = []Act{{Label: v.t("inc.csv"), Href: csvHref}}
	sec := Section{ID: "register", Title: v.t("inc.register_list"), Empty: v.t("inc.register_empty"), Grid: Grid{Heads: []string{v.t("inc.col_case"), v.t("inc.reg_facts"), v.t("inc.reg_effects"), v.t("inc.reg_remedies"), v.t("inc.reg_told"), v.t("inc.reg_kept")}}}
	for _, e := range items {
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: v.registerCells(e)})
	}
	page.Sections = []Section{sec}
	return v.render(page)
}

func (v *visit) registerCells(e incidents.RegisterEntry) []Cell {
	facts := Cell{Notes: []string{plain(e.Facts)}}
	if e.Cause != "" {
		facts.Notes = append(facts.Notes, v.t("inc.reg_cause", "what", plain(e.Cause)))
	}
	told := Cell{}
	for i, t := range e.Recipients {
		if i == 4 {
			told.Notes = append(told.Notes, v.t("inc.reg_more", "n", len(e.Recipients)-4))
			break
		}
		told.Notes = append(told.Notes, join(plain(t.To), inCase(e.Case, v.zone, t.ToldAt, t.SentAt)))
	}
	if e.NotTold != "" {
		told.Notes = append(told.Notes, v.t("inc.reg_not_told", "why", plain(e.NotTold)))
	}
	if e.Delay != "" {
		told.Notes = append(told.Notes, v.t("inc.reg_delay", "why", plain(e.Delay)))
	}
	name := Cell{Link: Link{short(plain(e.Case.Title)), "/incidents/" + e.Case.ID}, Strong: true, Notes: []string{e.Case.Number, v.caseState(e.Case).Word}}
	return []Cell{name, facts, {Notes: []string{plain(e.Effects)}}, {Notes: []string{plain(e.Remedies)}}, told, v.orDash(e.KeptUntil)}
}

var registerHeads = []string{"number", "title", "state", "opened_at", "detected_at", "occurred_from", "contained_at", "closed_at", "kinds", "facts", "effects", "remedies", "cause", "not_told", "delay", "recipients", "kept_until", "case"}

// registerCSV is the register as a table.
func (p *Portal) registerCSV(v *visit) error {
	scope, err := v.scope(policy.IncidentRead)
	if err != nil {
		return err
	}
	items, err := p.Incidents.Register(v.ctx, scope, v.registerYear())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{registerHeads}
	for _, e := range items {
		rows = append(rows, v.registerRow(e))
	}
	for _, r := range rows {
		for i := range r {
			r[i] = inert(r[i])
		}
		if err := w.Write(r); err != nil {
			return fmt.Errorf("web: csv: %w", err)
		}
	}
	if w.Flush(); w.Error() != nil {
		return fmt.Errorf("web: csv: %w", w.Error())
	}
	return v.attachment("register-"+v.now.UTC().Format("20060102T150405Z")+".csv", "text/csv; charset=utf-8", b.Bytes())
}

func (v *visit) registerRow(e incidents.RegisterEntry) []string {
	c, kinds, told := e.Case, "", ""
	for _, k := range c.Kinds {
		kinds = joinWith(kinds, string(k), ";")
	}
	for _, t := range e.Recipients {
		told = joinWith(told, t.To+" "+stampOf(t.ToldAt), ";")
	}
	return []string{c.Number, c.Title, string(c.State), stampOf(c.OpenedAt), stampOf(c.DetectedAt), stampOf(c.OccurredFrom), stampOf(c.ContainedAt), stampOf(c.ClosedAt), kinds, e.Facts, e.Effects, e.Remedies, e.Cause, e.NotTold, e.Delay, told, stampOf(e.KeptUntil), c.ID}
}

// inCase is the first of instants that there is, in the case's zone and with its
// day: a register is read years later.
func inCase(c incidents.Case, or *time.Location, at ...time.Time) string {
	for _, t := range at {
		if !t.IsZero() {
			return t.In(caseZone(c, or)).Format("Mon 2 Jan 2006 15:04 MST")
		}
	}
	return ""
}

func joinWith(a, b, sep string) string {
	if a == "" {
		return b
	}
	return a + sep + b
}
