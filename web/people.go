package web

import (
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

var signInStates = map[identity.SignInState]struct {
	tone Tone
	key  string
}{identity.SignInReady: {ToneGood, "person.ready"}, identity.SignInInvited: {ToneBusy, "person.invited"}, identity.SignInNone: {ToneUnknown, "person.none"}}

// signInState is how far somebody's sign-in is.
func (v *visit) signInState(x identity.Person) State {
	if !x.Active {
		return State{ToneUnknown, v.t("person.disabled")}
	}
	s := signInStates[x.SignIn]
	return State{s.tone, v.t(s.key)}
}

// roleNotes say what a role may do.
var roleNotes = map[policy.Role]string{
	policy.RoleOwner: "role.owner_note", policy.RoleRestorer: "role.restorer_note", policy.RoleReader: "role.reader_note",
	policy.RoleOps: "role.ops_note", policy.RoleAdmin: "role.admin_note", policy.RoleSupport: "role.support_note",
}

// roleSays are the sentence about somebody with a role.
var roleSays = map[policy.Role]string{
	policy.RoleOwner: "person.say_owner", policy.RoleRestorer: "person.say_restorer", policy.RoleReader: "person.say_reader",
	policy.RoleOps: "person.say_ops", policy.RoleAdmin: "person.say_admin", policy.RoleSupport: "person.say_support",
}

var (
	contactRoles = []policy.Role{policy.RoleOwner, policy.RoleRestorer, policy.RoleReader}
	staffRoles   = []policy.Role{policy.RoleOps, policy.RoleSupport, policy.RoleAdmin}
)

func (v *visit) roleChoices(roles []policy.Role, chosen policy.Role) []RoleChoice {
	var out []RoleChoice
	for _, r := range roles {
		out = append(out, RoleChoice{Value: string(r), Label: capital(roleWord(v.p.tx, r)), Note: v.t(roleNotes[r]), Chosen: r == chosen})
	}
	return out
}

// personRows are people as a table; where is the address before their id.
func (v *visit) personRows(people []identity.Person, where string) []PersonRow {
	var out []PersonRow
	for _, x := range people {
		out = append(out, PersonRow{Name: x.Name, Email: x.Email, Role: roleWord(v.p.tx, x.Role), Href: where + x.ID, State: v.signInState(x), Seen: x.SeenAt, This: x.ID == v.actor.ID})
	}
	return out
}

// contacts are a customer's people and how far their sign-in is.
func (v *visit) contacts(customer string) ([]identity.Person, error) {
	scope, err := v.scope(policy.PeopleRead)
	if err != nil {
		return nil, err
	}
	return v.p.Identity.People(v.ctx, scope, identity.PeopleFilter{Kind: controlplane.ActorContact, Customer: customer})
}

// saidOf counts who can sign in, and who cannot yet.
func (v *visit) saidOf(p *Page, company string, people []identity.Person) {
	ready, waiting := 0, 0
	for _, x := range people {
		switch {
		case !x.Active:
		case x.SignIn == identity.SignInReady:
			ready++
		default:
			waiting++
		}
	}
	p.Say = v.t("people.say", "n", ready, "number", capital(v.p.tx.Number(ready)), "company", company)
	if waiting > 0 {
		p.Sub = v.t("people.sub", "n", waiting, "number", capital(v.p.tx.Number(waiting)))
	}
}

// people are those of the reader's own company.
func (p *Portal) people(v *visit) error {
	people, err := v.contacts(v.actor.Customer)
	if err != nil {
		return err
	}
	page := &People{Page: v.page("people", v.t("people.title"), ""), Rows: v.personRows(people, "/people/")}
	v.saidOf(&page.Page, v.viewer.Company, people)
	if page.Auditors, err = v.auditors(v.actor.Customer); err != nil {
		return err
	}
	if v.can(policy.PeopleWrite) {
		page.New = "/people/new"
	}
	return v.render(page)
}

// contactByID is one contact as the reader sees them.
func (v *visit) contactByID() (identity.Person, error) {
	scope, err := v.scope(policy.PeopleRead)
	if err != nil {
		return identity.Person{}, err
	}
	c, err := v.p.Customers.GetContact(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return identity.Person{}, err
	}
	people, err := v.contacts(c.Customer)
	if err != nil {
		return identity.Person{}, err
	}
	i := slices.IndexFunc(people, func(x identity.Person) bool { return x.ID == c.ID })
	if i < 0 {
		return identity.Person{}, controlplane.NotFound("person")
	}
	return people[i], nil
}

// personPage says what a person may, and what can be done about it.
func (v *visit) personPage(x identity.Person, nav, self string, roles []policy.Role) *Person {
	page := &Person{Page: v.page(nav, x.Name, v.t(roleSays[x.Role], "name", x.Name)), State: v.signInState(x), Seen: x.SeenAt,
		Again: x.SignIn == identity.SignInReady, Staff: x.Kind == controlplane.ActorStaff}
	page.Self = self
	page.Facts = []Pair{{Label: v.t("col.email"), Value: x.Email}, {Label: v.t("col.role"), Value: roleWord(v.p.tx, x.Role)}}
	if !x.Active {
		page.Say = v.t("person.say_off", "name", x.Name)
	}
	switch {
	case !v.can(policy.PeopleWrite):
	case x.ID == v.actor.ID:
		page.Why = v.t("person.self")
	case !x.Active:
		page.Enable = self + "/enable"
	default:
		page.Roles, page.Save = v.roleChoices(roles, x.Role), self
		page.Invite, page.Remove = self+"/invite", self+"/remove"
		if !x.SeenAt.IsZero() || page.Again {
			page.SignOut = self + "/signout"
		}
	}
	return page
}

func (v *visit) contactPage(x identity.Person) (*Person, error) {
	page := v.personPage(x, "people", "/people/"+x.ID, contactRoles)
	page.Crumbs = []Link{{v.t("people.title"), "/people"}}
	if v.staff() {
		names, err := v.customerNames([]string{x.Customer})
		if err != nil {
			return nil, err
		}
		page.Nav, page.Crumbs = "customers", []Link{{v.t("customers.title"), "/customers"}, {names[x.Customer], "/customers/" + x.Customer}}
	}
	return page, nil
}

func (p *Portal) contact(v *visit) error {
	x, err := v.contactByID()
	if err != nil {
		return err
	}
	page, err := v.contactPage(x)
	if err != nil {
		return err
	}
	return v.render(page)
}

// contactSave changes what somebody may do.
func (p *Portal) contactSave(v *visit) error {
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	role := policy.Role(v.c.FormValue("role"))
	if _, err := p.Customers.UpdateContact(v.ctx, scope, v.c.Param("id"), customers.ContactChange{Role: &role}); err != nil {
		x, perr := v.contactByID()
		if perr != nil {
			return perr
		}
		page, perr := v.contactPage(x)
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/people/"+v.c.Param("id"), "saved")
}

// contactInvite makes a new link; the one before is void.
func (p *Portal) contactInvite(v *visit) error {
	x, err := v.contactByID()
	if err != nil {
		return err
	}
	return v.invited(x, Link{x.Name, "/people/" + x.ID})
}

// contactSignOut ends every session and token of somebody: a lost laptop.
func (p *Portal) contactSignOut(v *visit) error {
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	x, err := v.contactByID()
	if err != nil {
		return err
	}
	if err := p.Identity.EndAccess(v.ctx, scope, x.ID); err != nil {
		return err
	}
	return v.redirect("/people/"+x.ID, "signed_out")
}

func (p *Portal) contactRemove(v *visit) error {
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	x, err := v.contactByID()
	if err != nil {
		return err
	}
	if err := p.Customers.RemoveContact(v.ctx, scope, x.ID); err != nil {
		return err
	}
	if err := p.Identity.EndAccess(v.ctx, scope, x.ID); err != nil {
		return err
	}
	to := "/people"
	if v.staff() {
		to = "/customers/" + x.Customer
	}
	return v.redirect(to, "removed")
}
