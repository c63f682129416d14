package web

import (
	"net/url"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// changesShown is how many changes a page shows.
const changesShown = 50

// accessChanges are what changed in a list, or for staff in all lists, newest first.
func (p *Portal) accessChanges(v *visit) error {
	scope, c, err := v.accessOf(policy.AccessRead)
	if err != nil {
		return err
	}
	page := &Access{Page: v.page("access", v.t("changes.title"), v.t("changes.say")), Parts: v.accessParts(c.ID, "/access/changes")}
	page.Crumbs = v.accessCrumbs(c.ID, c.Name)
	f := access.ChangeFilter{Customer: c.ID, Person: v.c.QueryParam("person"), Column: access.Column(v.c.QueryParam("column")), Limit: changesShown, PageToken: v.c.QueryParam("page")}
	if !f.Column.Valid() {
		f.Column = access.Listed
	}
	for _, x := range []struct {
		column access.Column
		key    string
	}{{access.Listed, "changes.listed"}, {access.Enforced, "changes.enforced"}, {access.Could, "changes.could"}} {
		page.Filters = append(page.Filters, Filter{Label: v.t(x.key), Href: v.changesAddress(c.ID, f.Person, x.column, ""), Current: x.column == f.Column, Count: -1})
	}
	items, next, err := p.Access.Changes(v.ctx, scope, f)
	if err != nil {
		return err
	}
	s := Section{ID: "changes", Title: v.t("changes.list"), Empty: v.t("changes.empty"), Grid: v.changeGrid(items)}
	if next != "" {
		s.Pager.Next = v.changesAddress(c.ID, f.Person, f.Column, next)
	}
	if f.PageToken != "" {
		s.Pager.First = v.changesAddress(c.ID, f.Person, f.Column, "")
	}
	if f.Column != access.Listed {
		s.Lead = v.t("changes.seen_lead")
	}
	page.Sections = []Section{s}
	return v.render(page)
}

func (v *visit) changesAddress(customer, person string, column access.Column, token string) string {
	q := url.Values{}
	for name, value := range map[string]string{"person": person, "column": string(column), "page": token} {
		if value != "" && value != string(access.Listed) {
			q.Set(name, value)
		}
	}
	if v.staff() && customer != "" {
		q.Set("customer", customer)
	}
	if len(q) == 0 {
		return "/access/changes"
	}
	return "/access/changes?" + q.Encode()
}

// changeGrid is changes with their course: when it was so, when it was known,
// enforced, told and acknowledged.
func (v *visit) changeGrid(items []access.Change) Grid {
	g := Grid{Heads: []string{v.t("changes.what"), v.t("col.why"), v.t("changes.from"), v.t("access.enforced"), v.t("changes.told"), v.t("changes.acknowledged")}}
	for _, x := range items {
		g.Rows = append(g.Rows, GridRow{ID: x.ID, Cells: []Cell{v.changeLink(x), {Link: Link{Label: v.changeWhy(x.Why)}}, v.changeFrom(x), v.course(x.EnforcedAt, x.Way), v.toldAt(x), v.whenOr(x.AcknowledgedAt, "changes.not_acknowledged")}})
	}
	return g
}

// changeSentence says a change in a few words; whoever is not known is somebody.
func (v *visit) changeSentence(x access.Change) string {
	name := x.Name
	switch {
	case x.Others:
		name = capital(v.unknownWord(x.Unknown))
	case name == "":
		name = v.t("changes.somebody")
	}
	keys := map[access.Column][2]string{access.Listed: {"changes.removed", "changes.added"}, access.Enforced: {"changes.gone", "changes.seen"}, access.Could: {"changes.could_no", "changes.could_yes"}}[x.Column]
	key := keys[0]
	if x.Added {
		key = keys[1]
	}
	if x.Kind == access.Moved {
		key = "changes.moved"
	}
	return v.t(key, "name", name)
}

// changeLink leads to a change by itself.
func (v *visit) changeLink(x access.Change) Cell {
	c := Cell{Link: Link{v.changeSentence(x), "/access/changes/" + x.ID}, Notes: []string{join(wayWord(v.p.tx, x.Way), v.roleTitle(x.Role))}}
	if !x.Others {
		c.Notes = append(c.Notes, PlainName([]byte(x.Unknown)))
	}
	return c
}

// changeWhys are the reasons that are words of the program's.
var changeWhys = map[string]string{access.WhyEnded: "changes.why_ended", access.WhyExpired: "changes.why_expired", access.WhyLeft: "changes.why_left", access.WhyTeam: "changes.why_team", access.WhyTenancy: "changes.why_moved", access.WhyTicket: "changes.why_ticket", "found": "changes.why_found"}

func (v *visit) changeWhy(why string) string {
	if key, ok := changeWhys[why]; ok {
		return v.t(key)
	}
	return PlainName([]byte(why))
}

func (v *visit) changeFrom(x access.Change) Cell {
	c := Cell{At: x.At}
	if x.Added {
		c.Notes = append(c.Notes, v.upTo(x.Until))
	}
	if late := x.KnownAt.Sub(x.At); late > time.Minute {
		c.Notes = append(c.Notes, v.t("changes.known", "when", v.moment(x.KnownAt)))
	}
	return c
}

func (v *visit) course(t time.Time, w access.Way) Cell {
	if t.IsZero() && w.ByHand() {
		return Cell{State: State{ToneUnknown, v.t("access.by_hand")}}
	}
	return v.whenOr(t, "changes.not_enforced")
}

func (v *visit) toldAt(x access.Change) Cell {
	if x.Baseline && x.NotifiedAt.IsZero() {
		return Cell{State: State{ToneUnknown, v.t("access.first_list")}}
	}
	if x.Column != access.Listed {
		return Cell{State: State{ToneUnknown, v.t("access.never_told")}}
	}
	return v.whenOr(x.NotifiedAt, "access.not_told")
}

// whenOr is a time, or the word for that it has not come.
func (v *visit) whenOr(t time.Time, key string) Cell {
	if t.IsZero() {
		return Cell{State: State{ToneBusy, v.t(key)}}
	}
	return Cell{At: t}
}

// sinceVisit is what changed since a contact looked at their list last.
func (v *visit) sinceVisit(scope policy.Scope, customer string) ([]Section, error) {
	last, changes, err := v.p.Access.SinceVisit(v.ctx, scope, customer)
	if err != nil {
		return nil, err
	}
	s := Section{ID: "since", Title: v.t("access.since")}
	switch {
	case last.IsZero():
		return nil, nil
	case len(changes) == 0:
		s.Notes = []string{v.t("access.since_nothing", "when", v.moment(last))}
		return []Section{s}, nil
	}
	s.Lead = v.t("access.since_lead", "when", v.moment(last))
	for _, x := range changes {
		s.Items = append(s.Items, join(v.changeSentence(x), v.moment(x.At), v.changeWhy(x.Why)))
	}
	s.Acts = []Act{{Label: v.t("changes.title"), Href: "/access/changes"}}
	return []Section{s}, nil
}

// waitingGrants are proposed grants of a customer, for whoever may answer.
func (v *visit) waitingGrants(scope policy.Scope, customer string) ([]Section, error) {
	if !v.can(policy.AccessApprove) {
		return nil, nil
	}
	items, _, err := v.p.Access.Grants(v.ctx, scope, access.GrantFilter{Customer: customer, States: []access.GrantState{access.GrantProposed}, Limit: 50})
	if err != nil || len(items) == 0 {
		return nil, err
	}
	s := Section{ID: "proposed", Title: v.t("access.proposed"), Lead: v.t("access.proposed_lead"), Grid: Grid{Heads: []string{v.t("col.person"), v.t("col.role"), v.t("col.why"), v.t("access.span"), v.t("grants.silence"), ""}}}
	for _, g := range items {
		why := v.ticket(g.Ticket)
		why.Notes = []string{PlainName([]byte(g.Reason))}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{g.Who, "/access/grants/" + g.ID}, Strong: true}, {Link: Link{Label: v.roleTitle(g.Role)}}, why,
			{At: g.From, Notes: []string{v.upTo(g.Until)}}, {At: g.AnswerBy}, {Acts: []Act{{Label: v.t("grant.answer"), Href: "/access/grants/" + g.ID}}}}})
	}
	return []Section{s}, nil
}
