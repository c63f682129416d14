package web

import (
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// teams are names for several persons; each list names the persons.
func (p *Portal) teams(v *visit) error {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return err
	}
	list, err := p.Access.Teams(v.ctx, scope)
	if err != nil {
		return err
	}
	page := v.accessPage("/access/teams", v.t("teams.title"), v.t("teams.say", "n", len(list), "number", capital(p.tx.Number(len(list)))))
	page.Crumbs = v.accessCrumbs("", "")
	s := Section{ID: "teams", Title: v.t("teams.title"), Lead: v.t("teams.lead"), Empty: v.t("teams.empty"), Grid: Grid{Heads: []string{v.t("teams.team"), v.t("teams.members")}}}
	for _, t := range list {
		var names []string
		for _, m := range v.membersNow(t) {
			names = append(names, m.Name)
		}
		c := Cell{Link: Link{Label: t.Name}, Strong: true}
		if v.can(policy.AccessWrite) {
			c.Link.Href = "/access/teams/" + t.ID
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{ID: t.ID, Cells: []Cell{c, {Link: Link{Label: p.tx.List(names)}}}})
	}
	if v.can(policy.AccessWrite) {
		s.Acts = []Act{{Label: v.t("teams.new"), Href: "/access/teams/new"}}
	}
	page.Sections = []Section{s}
	return v.render(page)
}

// membersNow are those who are in a team now.
func (v *visit) membersNow(t access.Team) (out []access.Member) {
	for _, m := range t.Members {
		if !m.From.After(v.now) && (m.Until.IsZero() || m.Until.After(v.now)) {
			out = append(out, m)
		}
	}
	return out
}

func (v *visit) teamForm(t access.Team) (*AccessForm, error) {
	page := v.accessForm(v.t("teams.new"), v.t("teams.new_say"), "/access/teams", "/access/teams", v.t("terms.save"))
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("teams.title"), "/access/teams"})
	if t.ID != "" {
		page.Title, page.Say = t.Name, v.t("teams.edit_say", "name", t.Name)
		page.Lines = []string{v.t("teams.line_1"), v.t("teams.line_2")}
	}
	people, err := v.personChoices("", human)
	if err != nil {
		return nil, err
	}
	var in []string
	for _, m := range v.membersNow(t) {
		in = append(in, m.Person)
	}
	page.Hidden = []Pair{{Label: "id", Value: t.ID}, versionOf(t.Version)}
	page.Fields = []FormField{v.entered("name", v.t("col.name"), t.Name), v.tickedOf("members", v.t("teams.members"), people[1:], in)}
	return page, nil
}

func (p *Portal) teamNew(v *visit) error {
	page, err := v.teamForm(access.Team{})
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) teamByID(id string) (access.Team, error) {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return access.Team{}, err
	}
	list, err := v.p.Access.Teams(v.ctx, scope)
	if err != nil {
		return access.Team{}, err
	}
	i := slices.IndexFunc(list, func(t access.Team) bool { return t.ID == id })
	if i < 0 {
		return access.Team{}, controlplane.NotFound("team")
	}
	return list[i], nil
}

func (p *Portal) teamEdit(v *visit) error {
	t, err := v.teamByID(v.c.Param("id"))
	if err != nil {
		return err
	}
	page, err := v.teamForm(t)
	if err != nil {
		return err
	}
	return v.render(page)
}

// teamSave makes or changes a team: who was in it and still is, stays as they were.
func (p *Portal) teamSave(v *visit) error {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return err
	}
	var t access.Team
	if id := v.formValue("id"); id != "" {
		if t, err = v.teamByID(id); err != nil {
			return err
		}
	}
	page, err := v.teamForm(t)
	if err != nil {
		return err
	}
	page.Hidden = []Pair{{Label: "id", Value: t.ID}, versionOf(v.version())}
	was := v.membersNow(t)
	in := access.Team{ID: t.ID, Name: v.formValue("name"), Version: v.version()}
	for _, id := range v.formList("members") {
		m := access.Member{Person: id}
		if i := slices.IndexFunc(was, func(x access.Member) bool { return x.Person == id }); i >= 0 {
			m = was[i]
		}
		in.Members = append(in.Members, m)
	}
	if _, err := p.Access.PutTeam(v.ctx, scope, in); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/teams", "saved")
}
