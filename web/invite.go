package web

import (
	"strings"
	"time"
	"unicode"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// base is where people reach the portal, without a slash at the end.
func (v *visit) base() string {
	if v.p.o.URL != "" {
		return strings.TrimSuffix(v.p.o.URL, "/")
	}
	scheme := "http://"
	if v.p.o.Secure {
		scheme = "https://"
	}
	return scheme + v.c.Request().Host
}

// invited makes an invitation and shows its link in its own answer: it can be
// read this once.
func (v *visit) invited(x identity.Person, back Link) error {
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	link, err := v.p.Identity.Invite(v.ctx, scope, x.ID)
	if err != nil {
		return err
	}
	nav := "people"
	if v.staff() && x.Customer != "" {
		nav = "customers"
	}
	page := &Invited{Page: v.page(nav, v.t("invited.title"), v.t("invited.say", "name", x.Name)), Link: v.base() + link.Path, Expires: link.ExpiresAt, Back: back}
	if x.SignIn == identity.SignInReady {
		page.Sub = v.t("invited.again", "name", x.Name)
	}
	return v.render(page)
}

// newPerson is the form, filled with what was sent.
func (v *visit) newPerson(say, action, back string, roles []policy.Role, chosen policy.Role) *NewPerson {
	if r := policy.Role(v.c.FormValue("role")); r != "" {
		chosen = r
	}
	nav := "people"
	if strings.HasPrefix(action, "/customers/") {
		nav = "customers"
	}
	return &NewPerson{Page: v.page(nav, v.t("newperson.title"), say), Action: action, Back: back, Name: strings.TrimSpace(v.c.FormValue("name")), Email: strings.TrimSpace(v.c.FormValue("email")),
		Roles: v.roleChoices(roles, chosen)}
}

// role is the one that the form's sender chose.
func (n *NewPerson) role() policy.Role {
	for _, r := range n.Roles {
		if r.Chosen {
			return policy.Role(r.Value)
		}
	}
	return ""
}

// newContact is the form for a contact: of the reader's company for an owner,
// of the customer in the address for staff.
func (p *Portal) newContact(v *visit) (*NewPerson, customers.Customer, error) {
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return nil, customers.Customer{}, err
	}
	id, action, back := v.actor.Customer, "/people", "/people"
	if v.staff() {
		id = v.c.Param("id")
		back = "/customers/" + id
		action = back + "/people"
	}
	c, err := p.Customers.GetCustomer(v.ctx, scope, id)
	if err != nil {
		return nil, c, err
	}
	page := v.newPerson(v.t("newperson.say", "company", c.Name), action, back, contactRoles, policy.RoleReader)
	page.Crumbs = []Link{{v.t("people.title"), "/people"}}
	if v.staff() {
		page.Crumbs = []Link{{v.t("customers.title"), "/customers"}, {c.Name, back}}
	}
	return page, c, nil
}

func (p *Portal) contactNew(v *visit) error {
	page, _, err := p.newContact(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) contactCreate(v *visit) error {
	page, c, err := p.newContact(v)
	if err != nil {
		return err
	}
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	x, err := p.Customers.AddContact(v.ctx, scope, customers.NewContact{Customer: c.ID, Name: page.Name, Email: page.Email, Role: page.role()})
	if err != nil {
		return v.invalid(page, err)
	}
	return v.invited(identity.Person{ID: x.ID, Customer: c.ID, Name: x.Name}, Link{page.Crumbs[len(page.Crumbs)-1].Label, page.Back})
}

// auditors are who may read, or might, a customer's record from outside.
func (v *visit) auditors(customer string) ([]AuditorRow, error) {
	scope, err := v.scope(policy.PeopleRead)
	if err != nil {
		return nil, err
	}
	list, err := v.p.Identity.Auditors(v.ctx, scope, customer)
	if err != nil {
		return nil, err
	}
	var out []AuditorRow
	for _, a := range list {
		row := AuditorRow{Name: a.Name, Email: a.Email, State: v.signInState(a.Person), Period: v.period(a.From, a.To), Until: a.Until}
		switch {
		case !a.Active:
			row.State.Word = v.t("auditor.over")
			if !a.EndedAt.IsZero() {
				row.Until = a.EndedAt
			}
		case v.staff() && v.can(policy.PeopleWrite):
			row.Invite, row.End = "/auditors/"+a.ID+"/invite", "/auditors/"+a.ID+"/end"
		}
		out = append(out, row)
	}
	return out, nil
}

// period says which sessions an auditor sees.
func (v *visit) period(from, to time.Time) string {
	day := func(t time.Time) string { return t.In(v.zone).Format(time.DateOnly) }
	switch last := to.Add(-time.Millisecond); {
	case from.IsZero() && to.IsZero():
		return ""
	case from.IsZero():
		return v.t("auditor.to", "to", day(last))
	case to.IsZero():
		return v.t("auditor.from", "from", day(from))
	default:
		return v.t("auditor.period", "from", day(from), "to", day(last))
	}
}

// newAuditor is the form for an outside auditor of one customer, or of several.
func (p *Portal) newAuditor(v *visit) (*NewPerson, customers.Customer, error) {
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return nil, customers.Customer{}, err
	}
	c, err := p.Customers.GetCustomer(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return nil, c, err
	}
	back := "/customers/" + c.ID
	page := v.newPerson(v.t("newauditor.say", "company", c.Name), back+"/auditors", back, nil, "")
	page.Title, page.Auditor, page.Until = v.t("newauditor.title"), true, v.c.FormValue("until")
	page.Customers, page.From, page.To = v.c.FormValue("customers"), v.c.FormValue("from"), v.c.FormValue("to")
	page.Crumbs = []Link{{v.t("customers.title"), "/customers"}, {c.Name, back}}
	return page, c, nil
}

func (p *Portal) auditorNew(v *visit) error {
	page, _, err := p.newAuditor(v)
	if err != nil {
		return err
	}
	page.Until = v.now.In(v.zone).AddDate(0, 0, 14).Format(time.DateOnly)
	return v.render(page)
}

// auditorCreate lets somebody in until the end of a day, by the reader's calendar.
func (p *Portal) auditorCreate(v *visit) error {
	page, c, err := p.newAuditor(v)
	if err != nil {
		return err
	}
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	in := identity.NewAuditor{Customer: c.ID, Name: page.Name, Email: page.Email}
	var until, from, to error
	in.Until, until = v.dayEnd(page.Until)
	if in.From, from = v.dayEnd(page.From); page.From != "" && from == nil {
		in.From = in.From.In(v.zone).AddDate(0, 0, -1)
	}
	in.To, to = v.dayEnd(page.To)
	for id, err := range map[string]error{"from": from, "to": to} {
		if err != nil {
			return v.invalid(page, controlplane.Invalid(controlplane.Field{Pointer: "/" + id, Message: v.t("newauditor.day")}))
		}
	}
	if until != nil {
		in.Until = time.Time{} // a day that cannot be read is no day
	}
	for _, slug := range strings.FieldsFunc(page.Customers, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		_, err := p.Customers.GetCustomer(v.ctx, scope, slug)
		if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
			return v.invalid(page, controlplane.Invalid(controlplane.Field{Pointer: "/customers", Message: v.t("newauditor.no_customer", "name", slug)}))
		}
		if err != nil {
			return err
		}
		in.Also = append(in.Also, slug)
	}
	x, err := p.Identity.AddAuditor(v.ctx, scope, in)
	if err != nil {
		return v.invalid(page, err)
	}
	return v.invited(x, Link{c.Name, page.Back})
}

// dayEnd is the instant at which a day ends by the reader's calendar; zero for "".
func (v *visit) dayEnd(day string) (time.Time, error) {
	if day == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, day, v.zone)
	return t.AddDate(0, 0, 1), err
}

// auditor is the one in the address.
func (v *visit) auditor() (identity.Auditor, error) {
	scope, err := v.scope(policy.PeopleRead)
	if err != nil {
		return identity.Auditor{}, err
	}
	return v.p.Identity.Auditor(v.ctx, scope, v.c.Param("id"))
}

func (p *Portal) auditorInvite(v *visit) error {
	x, err := v.auditor()
	if err != nil {
		return err
	}
	names, err := v.customerNames([]string{x.Customer})
	if err != nil {
		return err
	}
	return v.invited(x.Person, Link{names[x.Customer], "/customers/" + x.Customer})
}

func (p *Portal) auditorEnd(v *visit) error {
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	x, err := v.auditor()
	if err != nil {
		return err
	}
	if err := p.Identity.EndAuditor(v.ctx, scope, x.ID); err != nil {
		return err
	}
	return v.redirect("/customers/"+x.Customer, "auditor_ended")
}
