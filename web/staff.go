package web

import (
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// colleagues are the hosting company's own people.
func (v *visit) colleagues() ([]identity.Person, error) {
	scope, err := v.scope(policy.PeopleRead)
	if err != nil {
		return nil, err
	}
	return v.p.Identity.People(v.ctx, scope, identity.PeopleFilter{Kind: controlplane.ActorStaff})
}

func (p *Portal) staff(v *visit) error {
	people, err := v.colleagues()
	if err != nil {
		return err
	}
	page := &People{Page: v.page("people", v.t("people.title"), ""), Rows: v.personRows(people, "/staff/")}
	v.saidOf(&page.Page, v.viewer.Company, people)
	if v.can(policy.PeopleWrite) {
		page.New = "/staff/new"
	}
	return v.render(page)
}

func (p *Portal) newStaff(v *visit) *NewPerson {
	page := v.newPerson(v.t("newperson.say", "company", v.viewer.Company), "/staff", "/staff", staffRoles, policy.RoleSupport)
	page.Crumbs = []Link{{v.t("people.title"), "/staff"}}
	return page
}

func (p *Portal) staffNew(v *visit) error { return v.render(p.newStaff(v)) }

func (p *Portal) staffCreate(v *visit) error {
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	page := p.newStaff(v)
	x, err := p.Identity.AddStaff(v.ctx, scope, identity.NewStaff{Name: page.Name, Email: page.Email, Role: page.role()})
	if err != nil {
		return v.invalid(page, err)
	}
	return v.invited(x, Link{v.t("people.title"), "/staff"})
}

// colleague is the one in the address.
func (v *visit) colleague() (identity.Person, error) {
	people, err := v.colleagues()
	if err != nil {
		return identity.Person{}, err
	}
	i := slices.IndexFunc(people, func(x identity.Person) bool { return x.ID == v.c.Param("id") })
	if i < 0 {
		return identity.Person{}, controlplane.NotFound("person")
	}
	return people[i], nil
}

func (v *visit) staffPage(x identity.Person) *Person {
	page := v.personPage(x, "people", "/staff/"+x.ID, staffRoles)
	page.Crumbs = []Link{{v.t("people.title"), "/staff"}}
	return page
}

func (p *Portal) staffMember(v *visit) error {
	x, err := v.colleague()
	if err != nil {
		return err
	}
	return v.render(v.staffPage(x))
}

// staffChange changes somebody, and shows their page with what is wrong or done.
func (v *visit) staffChange(in identity.StaffChange, done string) error {
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	x, err := v.colleague()
	if err != nil {
		return err
	}
	if _, err := v.p.Identity.UpdateStaff(v.ctx, scope, x.ID, in); err != nil {
		return v.invalid(v.staffPage(x), err)
	}
	return v.redirect("/staff/"+x.ID, done)
}

func (p *Portal) staffSave(v *visit) error {
	role := policy.Role(v.c.FormValue("role"))
	return v.staffChange(identity.StaffChange{Role: &role}, "saved")
}

// staffRemove disables: the record goes on naming who did what.
func (p *Portal) staffRemove(v *visit) error {
	off := true
	return v.staffChange(identity.StaffChange{Disabled: &off}, "removed")
}

func (p *Portal) staffEnable(v *visit) error {
	off := false
	return v.staffChange(identity.StaffChange{Disabled: &off}, "enabled")
}

func (p *Portal) staffInvite(v *visit) error {
	x, err := v.colleague()
	if err != nil {
		return err
	}
	return v.invited(x, Link{x.Name, "/staff/" + x.ID})
}

func (p *Portal) staffSignOut(v *visit) error {
	scope, err := v.scope(policy.PeopleWrite)
	if err != nil {
		return err
	}
	x, err := v.colleague()
	if err != nil {
		return err
	}
	if err := p.Identity.EndAccess(v.ctx, scope, x.ID); err != nil {
		return err
	}
	return v.redirect("/staff/"+x.ID, "signed_out")
}
