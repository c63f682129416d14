package web

import (
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// facilities are the places where servers stand, for staff.
func (p *Portal) facilities(v *visit) error {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return err
	}
	places, err := p.Access.Facilities(v.ctx, scope)
	if err != nil {
		return err
	}
	page := v.accessPage("/access/facilities", v.t("facilities.title"), v.t("facilities.say", "n", len(places), "number", capital(p.tx.Number(len(places)))))
	page.Crumbs = v.accessCrumbs("", "")
	s := v.placesSection(places)
	if v.can(policy.AccessWrite) {
		for i, f := range places {
			s.Grid.Rows[i].Cells[0].Link.Href = "/access/facilities/" + f.ID
		}
		s.Acts = []Act{{Label: v.t("facilities.new"), Href: "/access/facilities/new"}}
	}
	for _, f := range places {
		if ended := v.endedPaper(f); ended != "" {
			page.Say, page.Tone = v.t("about.say_ended", "what", ended, "where", f.Name), ToneWarn
		}
	}
	page.Sections = []Section{s}
	return v.render(page)
}

func (v *visit) facilityForm(f access.Facility) *AccessForm {
	page := v.accessForm(v.t("facilities.new"), v.t("facilities.new_say"), "/access/facilities", "/access/facilities", v.t("terms.save"))
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("facilities.title"), "/access/facilities"})
	if f.ID != "" {
		page.Title, page.Say = f.Name, v.t("facilities.edit_say", "name", f.Name)
	}
	var papers []string
	for _, x := range f.Certificates {
		papers = append(papers, strings.Join([]string{x.Name, x.Number, v.dayValue(x.Until), x.Reference}, "; "))
	}
	page.Hidden = []Pair{{Label: "id", Value: f.ID}, versionOf(f.Version)}
	page.Fields = []FormField{
		v.entered("name", v.t("col.name"), f.Name),
		v.entered("country", v.t("newcustomer.country"), f.Country).hint(v.t("facilities.country_hint")),
		v.entered("location", v.t("facilities.location"), f.Location).hint(v.t("facilities.location_hint")),
		v.entered("controls", v.t("facilities.controls"), f.Controls).rows(3).hint(v.t("facilities.controls_hint")).optional(),
		v.entered("certificates", v.t("facilities.certificates"), strings.Join(papers, "\n")).rows(4).hint(v.t("facilities.certificates_hint")).optional(),
	}
	return page
}

func (p *Portal) facilityNew(v *visit) error { return v.render(v.facilityForm(access.Facility{})) }

func (v *visit) facilityByID(id string) (access.Facility, error) {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return access.Facility{}, err
	}
	list, err := v.p.Access.Facilities(v.ctx, scope)
	if err != nil {
		return access.Facility{}, err
	}
	i := slices.IndexFunc(list, func(f access.Facility) bool { return f.ID == id })
	if i < 0 {
		return access.Facility{}, controlplane.NotFound("facility")
	}
	return list[i], nil
}

func (p *Portal) facilityEdit(v *visit) error {
	f, err := v.facilityByID(v.c.Param("id"))
	if err != nil {
		return err
	}
	return v.render(v.facilityForm(f))
}

func (p *Portal) facilitySave(v *visit) error {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return err
	}
	f := access.Facility{ID: v.formValue("id"), Version: v.version()}
	page := v.facilityForm(f)
	page.Hidden = []Pair{{Label: "id", Value: f.ID}, versionOf(f.Version)}
	f.Name, f.Country, f.Location, f.Controls = v.formValue("name"), v.formValue("country"), v.formValue("location"), v.formValue("controls")
	if f.Certificates, err = v.papersOf("certificates"); err == nil {
		_, err = p.Access.PutFacility(v.ctx, scope, f)
	}
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/facilities", "saved")
}

// papersOf reads certificates, one a line: name; number; day; reference.
func (v *visit) papersOf(id string) (out []access.FacilityPaper, err error) {
	for _, line := range lines(v.c.FormValue(id)) {
		parts := strings.Split(line, ";")
		for len(parts) < 4 {
			parts = append(parts, "")
		}
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		until, derr := time.ParseInLocation(time.DateOnly, parts[2], v.zone)
		if parts[0] == "" || derr != nil {
			return nil, controlplane.Invalid(controlplane.Field{Pointer: "/" + id, Message: v.t("facilities.certificates_wrong", "line", PlainName([]byte(line)))})
		}
		out = append(out, access.FacilityPaper{Name: parts[0], Number: parts[1], Until: until.AddDate(0, 0, 1).Add(-time.Second), Reference: parts[3]})
	}
	return out, nil
}
