package web

import (
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/identity"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// persons are everybody who can stand on a list.
func (p *Portal) persons(v *visit) error {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return err
	}
	people, err := p.Access.People(v.ctx, scope)
	if err != nil {
		return err
	}
	here := 0
	s := Section{ID: "persons", Title: v.t("persons.title"), Empty: v.t("persons.empty"), Grid: Grid{Heads: []string{v.t("col.person"), v.t("persons.kind"), v.t("persons.papers"), v.t("persons.names"), v.t("col.state")}}}
	for _, x := range people {
		state := State{ToneGood, v.t("persons.here")}
		if !x.LeftAt.IsZero() {
			state = State{ToneUnknown, v.t("persons.left")}
		} else {
			here++
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{ID: x.ID, Cells: []Cell{{Link: Link{x.Name, "/access/persons/" + x.ID}, Strong: true, Notes: []string{x.Company}}, {Link: Link{Label: kindWord(p.tx, x.Kind)}},
			{State: v.paperState(x)}, {Link: Link{Label: strings.Join(append(append([]string{}, x.TeleportUsers...), x.Logins...), ", ")}, Code: true}, {State: state, At: x.LeftAt}}})
	}
	if v.can(policy.AccessWrite) {
		s.Acts = []Act{{Label: v.t("persons.new"), Href: "/access/persons/new"}}
	}
	page := v.accessPage("/access/persons", v.t("persons.title"), v.t("persons.say", "n", here, "number", capital(p.tx.Number(here))))
	page.Crumbs = v.accessCrumbs("", "")
	page.Sections = []Section{s}
	return v.render(page)
}

// paperState is whether somebody has what a grant asks for.
func (v *visit) paperState(x access.Person) State {
	if !human(x) {
		return State{}
	}
	have := map[access.PaperKind]bool{}
	for _, pp := range x.Papers {
		have[pp.Kind] = have[pp.Kind] || !pp.From.After(v.now) && (pp.Until.IsZero() || pp.Until.After(v.now))
	}
	switch {
	case !have[access.PaperConfidentiality] && !have[access.PaperTraining]:
		return State{ToneWarn, v.t("persons.no_papers")}
	case !have[access.PaperConfidentiality]:
		return State{ToneWarn, v.t("persons.no_agreement")}
	case !have[access.PaperTraining]:
		return State{ToneWarn, v.t("persons.no_training")}
	}
	return State{ToneGood, v.t("persons.papers_good")}
}

var paperTexts = map[access.PaperKind]string{access.PaperConfidentiality: "paper.confidentiality", access.PaperTraining: "paper.training", access.PaperBrief: "paper.brief"}

// personByID is a person as the reader sees them.
func (v *visit) personByID() (access.Person, error) {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return access.Person{}, err
	}
	return v.p.Access.GetPerson(v.ctx, scope, v.c.Param("id"))
}

// personOf is one person: papers, grants, entries, and leaving.
func (p *Portal) personOf(v *visit) error {
	x, err := v.personByID()
	if err != nil {
		return err
	}
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return err
	}
	self := "/access/persons/" + x.ID
	grants, _, err := p.Access.Grants(v.ctx, scope, access.GrantFilter{Person: x.ID, Limit: 200})
	if err != nil {
		return err
	}
	held, _, err := p.Access.Entries(v.ctx, scope, access.EntryFilter{Person: x.ID, Limit: 200})
	if err != nil {
		return err
	}
	lists, n, err := v.reachSection(scope, x)
	if err != nil {
		return err
	}
	page := v.accessPage("/access/persons", x.Name, v.t("person_of.say", "name", x.Name, "n", n, "number", p.tx.Number(n)))
	if n == 0 {
		page.Say = v.t("person_of.say_none", "name", x.Name)
	}
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("persons.title"), "/access/persons"})
	if !x.LeftAt.IsZero() {
		page.Say, page.Tone = v.t("person_of.say_left", "name", x.Name, "when", v.moment(x.LeftAt)), ToneUnknown
	} else if s := v.paperState(x); s.Tone == ToneWarn {
		page.Say, page.Tone = page.Say+" "+v.t("person_of.papers", "what", s.Word), ToneWarn
	}
	page.Pairs = []Pair{{Label: v.t("persons.kind"), Value: join(kindWord(p.tx, x.Kind), x.Company)}, {Label: v.t("persons.teleport"), Value: strings.Join(x.TeleportUsers, ", "), Mono: true},
		{Label: v.t("persons.logins"), Value: strings.Join(x.Logins, ", "), Mono: true}}
	if x.Owner != "" {
		o, err := p.Access.GetPerson(v.ctx, scope, x.Owner)
		if err != nil && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			return err
		}
		page.Pairs = append(page.Pairs, Pair{Label: v.t("persons.owner"), Value: o.Name})
	}
	if x.LeftAt.IsZero() || n > 0 {
		page.Sections = append(page.Sections, lists)
	}
	page.Sections = append(page.Sections, v.papersSection(x, self))
	gs := Section{ID: "grants", Title: v.t("grants.title"), Empty: v.t("person_of.no_grants"), Grid: v.grantGrid(grants)}
	if v.can(policy.AccessWrite) && x.LeftAt.IsZero() {
		gs.Acts = []Act{{Label: v.t("grant.new"), Href: "/access/grants/new?" + query("person", x.ID)}}
	}
	page.Sections = append(page.Sections, gs)
	if len(held) > 0 {
		page.Sections = append(page.Sections, Section{ID: "entries", Title: v.t("entries.title"), Grid: v.entryGrid(held)})
	}
	page.Acts = v.personActs(x, self)
	if page.Events, _, err = v.events(ledger.Filter{Subject: x.ID, Limit: 20}); err != nil {
		return err
	}
	page.Events = withoutSelf(page.Events, self)
	return v.render(page)
}

func (v *visit) papersSection(x access.Person, self string) Section {
	s := Section{ID: "papers", Title: v.t("persons.papers"), Empty: v.t("person_of.no_papers"), Grid: Grid{Heads: []string{v.t("paper.paper"), v.t("col.since"), v.t("col.until"), v.t("col.state"), v.t("paper.reference")}}}
	for _, pp := range x.Papers {
		state := State{ToneGood, v.t("facilities.valid")}
		if !pp.Until.IsZero() && !pp.Until.After(v.now) {
			state = State{ToneWarn, v.t("facilities.ended")}
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: v.t(paperTexts[pp.Kind])}, Notes: []string{pp.Version}}, {At: pp.From}, v.orDash(pp.Until), {State: state}, {Link: Link{Label: pp.Reference}}}})
	}
	if v.can(policy.AccessWrite) && x.LeftAt.IsZero() && human(x) {
		s.Acts = []Act{{Label: v.t("paper.new"), Href: self + "/papers"}}
	}
	return s
}

func (v *visit) personForm(x access.Person) (*AccessForm, error) {
	page := v.accessForm(v.t("persons.new"), v.t("persons.new_say"), "/access/persons", "/access/persons", v.t("persons.add"))
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("persons.title"), "/access/persons"})
	owners, err := v.personChoices(v.t("persons.no_owner"), human)
	if err != nil {
		return nil, err
	}
	rest := []FormField{
		v.entered("company", v.t("persons.company"), x.Company).hint(v.t("persons.company_hint")).optional(),
		v.entered("teleport_users", v.t("persons.teleport"), strings.Join(x.TeleportUsers, "\n")).rows(2).hint(v.t("persons.teleport_hint")).optional(),
		v.entered("logins", v.t("persons.logins"), strings.Join(x.Logins, "\n")).rows(2).hint(v.t("persons.logins_hint")).optional(),
		v.entered("owner", v.t("persons.owner"), x.Owner).among(owners).hint(v.t("persons.owner_hint")),
	}
	name := v.entered("name", v.t("col.name"), x.Name)
	if x.ID != "" {
		page.Title, page.Say, page.Action, page.Back, page.Do = x.Name, v.t("person_of.edit_say", "name", x.Name), "/access/persons/"+x.ID, "/access/persons/"+x.ID, v.t("terms.save")
		page.Hidden = []Pair{versionOf(x.Version)}
		page.Fields = append([]FormField{name}, rest...)
		return page, nil
	}
	kind := v.entered("kind", v.t("persons.kind"), string(access.KindStaff))
	for _, k := range []access.PersonKind{access.KindStaff, access.KindContractor, access.KindThirdParty, access.KindCustomer, access.KindService} {
		kind.Radios = append(kind.Radios, RoleChoice{Value: string(k), Label: capital(kindWord(v.p.tx, k)), Chosen: kind.Value == string(k)})
	}
	staff, err := v.staffChoices()
	if err != nil {
		return nil, err
	}
	theirs, err := v.customerChoices(v.t("persons.no_customer"))
	if err != nil {
		return nil, err
	}
	page.Fields = append([]FormField{kind, v.entered("staff", v.t("persons.staff"), "").among(staff).hint(v.t("persons.staff_hint")), name.hint(v.t("persons.name_hint")).optional(),
		v.entered("customer", v.t("col.customer"), "").among(theirs).hint(v.t("persons.customer_hint"))}, rest...)
	return page, nil
}

// staffChoices are those who sign in here.
func (v *visit) staffChoices() ([]Choice, error) {
	out := []Choice{{Value: "", Label: v.t("persons.not_here")}}
	if !v.can(policy.PeopleRead) {
		return out, nil
	}
	scope, err := v.scope(policy.PeopleRead)
	if err != nil {
		return nil, err
	}
	people, err := v.p.Identity.People(v.ctx, scope, identity.PeopleFilter{Kind: controlplane.ActorStaff})
	for _, x := range people {
		if x.Active {
			out = append(out, Choice{Value: x.ID, Label: x.Name})
		}
	}
	return out, err
}

// customerChoices are customers to choose from, by name.
func (v *visit) customerChoices(none string) ([]Choice, error) {
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return nil, err
	}
	out := []Choice{{Value: "", Label: none}}
	for token := ""; ; {
		items, next, err := v.p.Customers.ListCustomers(v.ctx, scope, customers.CustomerFilter{Limit: 200, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, c := range items {
			out = append(out, Choice{Value: c.ID, Label: c.Name})
		}
		if token = next; next == "" {
			return out, nil
		}
	}
}

func (p *Portal) personNew(v *visit) error {
	page, err := v.personForm(access.Person{})
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) personAdd(v *visit) error {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return err
	}
	page, err := v.personForm(access.Person{})
	if err != nil {
		return err
	}
	in := access.NewPerson{Kind: access.PersonKind(v.formValue("kind")), Staff: v.formValue("staff"), Customer: v.formValue("customer"), Name: v.formValue("name"), Company: v.formValue("company"), Owner: v.formValue("owner"),
		TeleportUsers: lines(v.c.FormValue("teleport_users")), Logins: lines(v.c.FormValue("logins"))}
	x, err := p.Access.AddPerson(v.ctx, scope, in)
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/persons/"+x.ID, "person_added")
}

func (p *Portal) personEdit(v *visit) error {
	x, err := v.personByID()
	if err != nil {
		return err
	}
	page, err := v.personForm(x)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) personSave(v *visit) error {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return err
	}
	x, err := v.personByID()
	if err != nil {
		return err
	}
	page, err := v.personForm(x)
	if err != nil {
		return err
	}
	company, owner, users, logins := v.formValue("company"), v.formValue("owner"), lines(v.c.FormValue("teleport_users")), lines(v.c.FormValue("logins"))
	in := access.PersonChange{Company: &company, Owner: &owner, TeleportUsers: &users, Logins: &logins, Version: v.version()}
	if name := v.formValue("name"); name != x.Name {
		in.Name = &name
	}
	if _, err := p.Access.ChangePerson(v.ctx, scope, x.ID, in); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/persons/"+x.ID, "saved")
}

func (v *visit) paperForm() (access.Person, *AccessForm, error) {
	x, err := v.personByID()
	if err != nil {
		return x, nil, err
	}
	self := "/access/persons/" + x.ID
	page := v.accessForm(v.t("paper.new"), v.t("paper.say", "name", x.Name), self+"/papers", self, v.t("terms.save"))
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("persons.title"), "/access/persons"}, Link{x.Name, self})
	kind := v.entered("kind", v.t("paper.paper"), string(access.PaperTraining))
	for _, k := range []access.PaperKind{access.PaperConfidentiality, access.PaperTraining, access.PaperBrief} {
		kind.Radios = append(kind.Radios, RoleChoice{Value: string(k), Label: v.t(paperTexts[k]), Chosen: kind.Value == string(k)})
	}
	theirs, err := v.customerChoices(v.t("paper.no_customer"))
	if err != nil {
		return x, nil, err
	}
	page.Fields = []FormField{kind, v.entered("customer", v.t("paper.customer"), "").among(theirs), v.entered("version", v.t("paper.version"), "").optional(),
		v.entered("from", v.t("col.since"), v.dayValue(v.now)).kind("date"), v.entered("until", v.t("col.until"), "").kind("date").hint(v.t("paper.until_hint")).optional(),
		v.entered("reference", v.t("paper.reference"), "").hint(v.t("paper.reference_hint"))}
	return x, page, nil
}

func (p *Portal) paperNew(v *visit) error {
	_, page, err := v.paperForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) paperAdd(v *visit) error {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return err
	}
	x, page, err := v.paperForm()
	if err != nil {
		return err
	}
	from, err1 := v.dayField("from")
	until, err2 := v.dayField("until")
	if err = formErrors(err1, err2); err == nil {
		pp := access.Paper{Person: x.ID, Kind: access.PaperKind(v.formValue("kind")), Version: v.formValue("version"), Until: until, Reference: v.formValue("reference")}
		if pp.Kind == access.PaperBrief {
			pp.Customer = v.formValue("customer")
		}
		if pp.From = v.now; !from.IsZero() && !from.Equal(v.endOfToday()) {
			pp.From = from.AddDate(0, 0, -1)
		}
		_, err = p.Access.AddPaper(v.ctx, scope, pp)
	}
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/persons/"+x.ID, "saved")
}

// leaveForm asks once more before somebody loses everything.
func (v *visit) leaveForm() (access.Person, *AccessForm, error) {
	x, err := v.personByID()
	if err != nil {
		return x, nil, err
	}
	self := "/access/persons/" + x.ID
	page := v.accessForm(v.t("person_of.leave"), v.t("leave.say", "name", x.Name), self+"/leave", self, v.t("leave.do"))
	page.Tone = ToneBad
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("persons.title"), "/access/persons"}, Link{x.Name, self})
	page.Lines = []string{v.t("leave.line_1"), v.t("leave.line_2"), v.t("leave.line_3"), v.t("leave.line_4")}
	typed := v.entered("typed", v.t("certconfirm.typed", "name", x.Name), "")
	typed.Value = ""
	page.Fields = []FormField{v.entered("why", v.t("col.why"), "").hint(v.t("leave.why_hint")), typed}
	return x, page, nil
}

func (p *Portal) personLeave(v *visit) error {
	_, page, err := v.leaveForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) personLeaveDo(v *visit) error {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return err
	}
	x, page, err := v.leaveForm()
	if err != nil {
		return err
	}
	if v.formValue("typed") != x.Name {
		return v.invalid(page, controlplane.Invalid(controlplane.Field{Pointer: "/typed", Message: v.t("certconfirm.typed_wrong", "name", x.Name)}))
	}
	if _, err := p.Access.Leave(v.ctx, scope, x.ID, v.formValue("why")); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/persons/"+x.ID, "left")
}
