package web

import (
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// instructActs are what somebody may instruct us to do.
var instructActs = []struct{ act, key string }{{"restore", "act.restore"}, {"session", "act.session"}, {"change", "act.change"}, {"access", "act.access"}, {"all", "act.all"}}

func (v *visit) actWords(acts []string) string {
	var words []string
	for _, a := range instructActs {
		if slices.Contains(acts, a.act) {
			words = append(words, v.t(a.key))
		}
	}
	return v.p.tx.List(words)
}

// maySetInstructing reports whether the reader may say who instructs us.
func (v *visit) maySetInstructing() bool {
	return v.staff() && v.can(policy.AccessWrite) || v.actor.Customer != "" && v.can(policy.AccessConfirm)
}

// instructScope is the scope to change who instructs us, for either side.
func (v *visit) instructScope() (policy.Scope, customers.Customer, error) {
	perm := policy.AccessConfirm
	if v.staff() {
		perm = policy.AccessWrite
	}
	scope, c, err := v.accessOf(perm)
	if err == nil && c.ID == "" {
		err = controlplane.NotFound("customer")
	}
	return scope, c, err
}

// instructing is the register of who may instruct us for a customer, and the
// instructions that were disputed.
func (p *Portal) instructing(v *visit) error {
	scope, c, err := v.accessOf(policy.AccessRead)
	if err == nil && c.ID == "" {
		err = controlplane.NotFound("customer")
	}
	if err != nil {
		return err
	}
	page, err := v.instructingPage(scope, c)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) instructingPage(scope policy.Scope, c customers.Customer) (*Access, error) {
	page := &Access{Page: v.page("access", v.t("instructing.title"), ""), Parts: v.accessParts(c.ID, "/access/instructing")}
	page.Crumbs = v.accessCrumbs(c.ID, c.Name)
	list, err := v.p.Access.Authorisations(v.ctx, scope, c.ID, time.Time{}) // all there were
	if err != nil {
		return nil, err
	}
	now, before := Section{ID: "now", Title: v.t("instructing.now"), Empty: v.t("instructing.empty")}, Section{ID: "before", Title: v.t("instructing.before")}
	heads := []string{v.t("col.person"), v.t("instructing.acts"), v.t("col.since"), v.t("col.until"), v.t("instructing.document")}
	now.Grid.Heads, before.Grid.Heads = append(slices.Clone(heads), ""), heads
	for _, a := range list {
		row := []Cell{{Link: Link{Label: a.Name}, Strong: true, Notes: []string{v.capacity(a.Capacity)}}, {Link: Link{Label: v.actWords(a.Acts)}}, {At: a.From}, v.orDash(a.Until), {Link: Link{Label: a.Document}}}
		if !a.EndedAt.IsZero() || !a.Until.IsZero() && !a.Until.After(v.now) {
			if !a.EndedAt.IsZero() {
				row[3] = Cell{At: a.EndedAt}
			}
			before.Grid.Rows = append(before.Grid.Rows, GridRow{Cells: row})
			continue
		}
		var acts []Act
		if v.maySetInstructing() {
			acts = []Act{{Label: v.t("instructing.end"), Href: v.ofCustomer("/access/authorisations/"+a.ID+"/end", c.ID), Post: true}}
		}
		now.Grid.Rows = append(now.Grid.Rows, GridRow{Cells: append(row, Cell{Acts: acts})})
	}
	n := len(now.Grid.Rows)
	page.Say = v.t("instructing.say", "n", n, "number", capital(v.p.tx.Number(n)), "company", c.Name)
	if v.staff() {
		page.Say = v.t("instructing.say_of", "n", n, "number", v.p.tx.Number(n), "company", c.Name)
	}
	if n == 0 {
		page.Tone = ToneUnknown
	}
	page.Sub = v.t("instructing.sub")
	if v.maySetInstructing() {
		now.Acts = []Act{{Label: v.t("instructing.new"), Href: v.ofCustomer("/access/instructing/new", c.ID)}}
	}
	page.Sections = append(page.Sections, now)
	if len(before.Grid.Rows) > 0 {
		page.Sections = append(page.Sections, before)
	}
	flagged, err := v.flaggedSection(scope, c.ID)
	if err != nil {
		return nil, err
	}
	page.Sections = append(page.Sections, flagged)
	if slices.ContainsFunc(flagged.Grid.Rows, func(r GridRow) bool { return r.Cells[2].State.Tone == ToneWarn }) {
		page.Say, page.Tone = v.t("instructing.paused"), ToneWarn
	}
	return page, nil
}

var capacityTexts = map[string]string{"contact": "capacity.contact", "designee": "capacity.designee"}

func (v *visit) capacity(word string) string {
	if key, ok := capacityTexts[word]; ok {
		return v.t(key)
	}
	return word
}

var decisionTexts = map[string]string{"withdrawn": "decision.withdrawn", "changed": "decision.changed", "lawful": "decision.lawful"}

// flaggedSection are the instructions that we think would break the law.
func (v *visit) flaggedSection(scope policy.Scope, customer string) (Section, error) {
	s := Section{ID: "flagged", Title: v.t("flagged.title"), Lead: v.t("flagged.lead"), Empty: v.t("flagged.empty"), Grid: Grid{Heads: []string{v.t("flagged.what"), v.t("flagged.why"), v.t("col.state"), v.t("flagged.at"), ""}}}
	list, err := v.p.Access.Instructions(v.ctx, scope, customer)
	if err != nil {
		return s, err
	}
	for _, x := range list {
		state := State{ToneWarn, v.t("flagged.paused")}
		why := Cell{Link: Link{Label: PlainName([]byte(x.Why))}}
		if !x.DecidedAt.IsZero() {
			state = State{ToneGood, v.t(decisionTexts[x.Decision])}
			why.Notes = []string{PlainName([]byte(x.Reasons))}
		}
		acts := []Act{{Label: v.t("flagged.open"), Href: "/access/instructions/" + x.ID}}
		what := v.ticket(x.Ticket)
		what.Notes = []string{PlainName([]byte(x.What))}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{ID: x.ID, Cells: []Cell{what, why, {State: state}, {At: x.FlaggedAt}, {Acts: acts}}})
	}
	if v.staff() && v.can(policy.AccessWrite) {
		s.Acts = []Act{{Label: v.t("flagged.new"), Href: v.ofCustomer("/access/instructions/new", customer)}}
	}
	return s, nil
}

func (v *visit) authorisationForm(c customers.Customer) (*AccessForm, error) {
	back := v.ofCustomer("/access/instructing", c.ID)
	page := v.accessForm(v.t("instructing.new"), v.t("instructing.new_say", "company", c.Name), back, back, v.t("instructing.add"))
	page.Crumbs = append(v.accessCrumbs(c.ID, c.Name), Link{v.t("instructing.title"), back})
	who := []Choice{{"", v.t("instructing.somebody"), false}}
	if v.can(policy.PeopleRead) {
		people, err := v.contacts(c.ID)
		if err != nil {
			return nil, err
		}
		for _, x := range people {
			who = append(who, Choice{Value: x.ID, Label: x.Name})
		}
	}
	var acts []Choice
	for _, a := range instructActs {
		acts = append(acts, Choice{Value: a.act, Label: capital(v.t(a.key))})
	}
	page.Fields = []FormField{
		v.entered("contact", v.t("instructing.contact"), "").among(who),
		v.entered("name", v.t("col.name"), "").hint(v.t("instructing.name_hint")).optional(),
		v.tickedOf("acts", v.t("instructing.acts"), acts, nil),
		v.entered("until", v.t("col.until"), "").kind("date").hint(v.t("instructing.until_hint")).optional(),
		v.entered("document", v.t("instructing.document"), "").hint(v.t("instructing.document_hint")).optional(),
	}
	return page, nil
}

func (p *Portal) authorisationNew(v *visit) error {
	_, c, err := v.instructScope()
	if err != nil {
		return err
	}
	page, err := v.authorisationForm(c)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) authorisationAdd(v *visit) error {
	scope, c, err := v.instructScope()
	if err != nil {
		return err
	}
	page, err := v.authorisationForm(c)
	if err != nil {
		return err
	}
	until, err := v.dayField("until")
	if err == nil {
		a := access.Authorisation{Customer: c.ID, Contact: v.formValue("contact"), Name: v.formValue("name"), Capacity: "designee", Acts: v.formList("acts"), From: v.now, Until: until, Document: v.formValue("document")}
		if a.Contact != "" {
			a.Capacity = "contact"
		}
		_, err = p.Access.AddAuthorisation(v.ctx, scope, a)
	}
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect(v.ofCustomer("/access/instructing", c.ID), "saved")
}

func (p *Portal) authorisationEnd(v *visit) error {
	scope, c, err := v.instructScope()
	if err != nil {
		return err
	}
	if err := p.Access.EndAuthorisation(v.ctx, scope, v.c.Param("id")); err != nil {
		return err
	}
	return v.redirect(v.ofCustomer("/access/instructing", c.ID), "ended")
}

func (v *visit) instructionForm() (policy.Scope, customers.Customer, *AccessForm, error) {
	scope, c, err := v.instructScope()
	if err != nil {
		return scope, c, nil, err
	}
	back := v.ofCustomer("/access/instructing", c.ID)
	page := v.accessForm(v.t("flagged.new"), v.t("flagged.new_say", "company", c.Name), v.ofCustomer("/access/instructions", c.ID), back, v.t("flagged.do"))
	page.Crumbs = append(v.accessCrumbs(c.ID, c.Name), Link{v.t("instructing.title"), back})
	page.Lines = []string{v.t("flagged.line_1"), v.t("flagged.line_2"), v.t("flagged.line_3")}
	by := []Choice{{"", v.t("flagged.nobody"), false}}
	list, err := v.p.Access.Authorisations(v.ctx, scope, c.ID, v.now)
	if err != nil {
		return scope, c, nil, err
	}
	for _, a := range list {
		by = append(by, Choice{Value: a.ID, Label: a.Name})
	}
	page.Fields = []FormField{
		v.entered("what", v.t("flagged.what"), "").rows(3).hint(v.t("flagged.what_hint")),
		v.entered("why", v.t("flagged.why"), "").rows(3).hint(v.t("flagged.why_hint")),
		v.entered("authorisation", v.t("flagged.by"), "").among(by),
		v.entered("ticket", v.t("col.ticket"), "").hint(v.t("flagged.ticket_hint")).optional(),
		v.entered("subject", v.t("flagged.subject"), "").hint(v.t("flagged.subject_hint")).optional(),
	}
	return scope, c, page, nil
}

func (p *Portal) instructionNew(v *visit) error {
	_, _, page, err := v.instructionForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) instructionFlag(v *visit) error {
	scope, c, page, err := v.instructionForm()
	if err != nil {
		return err
	}
	in := access.Instruction{Customer: c.ID, What: v.formValue("what"), Why: v.formValue("why"), Authorisation: v.formValue("authorisation"), Ticket: v.formValue("ticket"), Subject: v.formValue("subject")}
	if _, err := p.Access.FlagInstruction(v.ctx, scope, in); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect(v.ofCustomer("/access/instructing", c.ID), "flagged")
}

// instructionPage is one instruction that we paused: what was asked, why it may
// break the law, how it was settled, and the form to settle it.
func (v *visit) instructionPage(perm policy.Permission) (policy.Scope, access.Instruction, *AccessForm, error) {
	scope, err := v.scope(perm)
	if err != nil {
		return scope, access.Instruction{}, nil, err
	}
	x, err := v.p.Access.GetInstruction(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return scope, x, nil, err
	}
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, x.Customer)
	if err != nil {
		return scope, x, nil, err
	}
	back := v.ofCustomer("/access/instructing", c.ID)
	page := v.accessForm(v.t("flagged.title"), v.t("flagged.say"), "/access/instructions/"+x.ID, back, v.t("flagged.decide_do"))
	page.Tone, page.Crumbs = ToneWarn, append(v.accessCrumbs(c.ID, c.Name), Link{v.t("instructing.title"), back})
	page.About = v.t("flagged.about")
	page.Answers = []Pair{{Label: v.t("flagged.what"), Value: PlainName([]byte(x.What))}, {Label: v.t("flagged.why"), Value: PlainName([]byte(x.Why))}, {Label: v.t("col.ticket"), Value: x.Ticket}, {Label: v.t("flagged.at"), Value: v.moment(x.FlaggedAt)}}
	if !x.DecidedAt.IsZero() {
		page.Say, page.Tone, page.Do = v.t("flagged.say_decided", "how", v.t(decisionTexts[x.Decision])), ToneGood, ""
		page.Answers = append(page.Answers, Pair{Label: v.t("flagged.reasons"), Value: PlainName([]byte(x.Reasons))}, Pair{Label: v.t("flagged.decided_at"), Value: v.moment(x.DecidedAt)})
		return scope, x, page, nil
	}
	if !v.can(policy.AccessApprove) {
		page.Do = ""
		return scope, x, page, nil
	}
	f := v.entered("decision", v.t("flagged.decision"), "")
	for _, d := range []string{"withdrawn", "changed", "lawful"} {
		if d == "lawful" && !v.staff() { // we have to say so
			continue
		}
		f.Radios = append(f.Radios, RoleChoice{Value: d, Label: capital(v.t(decisionTexts[d])), Chosen: f.Value == d})
	}
	page.Fields = []FormField{f, v.entered("reasons", v.t("flagged.reasons"), "").rows(3)}
	return scope, x, page, nil
}

func (p *Portal) instruction(v *visit) error {
	_, _, page, err := v.instructionPage(policy.AccessRead)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) instructionDecide(v *visit) error {
	scope, x, page, err := v.instructionPage(policy.AccessApprove)
	if err != nil {
		return err
	}
	if _, err := p.Access.DecideInstruction(v.ctx, scope, x.ID, v.formValue("decision"), v.formValue("reasons")); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/instructions/"+x.ID, "saved")
}
