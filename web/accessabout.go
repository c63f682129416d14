package web

import (
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// accessAbout is what surrounds a list: where the servers stand and with what
// certificates, what was agreed, and what our staff are told about recording.
func (p *Portal) accessAbout(v *visit) error {
	scope, c, err := v.accessOf(policy.AccessRead)
	if err == nil && c.ID == "" {
		err = controlplane.NotFound("customer")
	}
	if err != nil {
		return err
	}
	page := &Access{Page: v.page("access", v.t("about.title"), v.t("about.say")), Parts: v.accessParts(c.ID, "/access/about")}
	page.Crumbs = v.accessCrumbs(c.ID, c.Name)
	places, err := p.Access.Facilities(v.ctx, scope)
	if err != nil {
		return err
	}
	terms, err := p.Access.Terms(v.ctx, scope, c.ID)
	if err != nil {
		return err
	}
	for _, f := range places {
		if ended := v.endedPaper(f); ended != "" {
			page.Say, page.Tone = v.t("about.say_ended", "what", ended, "where", f.Name), ToneWarn
		}
	}
	told, _, err := v.recordingSection()
	if err != nil {
		return err
	}
	terms.Customer = c.ID
	page.Sections = []Section{v.placesSection(places), v.termsSection(terms), told}
	return v.render(page)
}

// endedPaper is the name of a certificate of a place that is over, or "".
func (v *visit) endedPaper(f access.Facility) string {
	for _, x := range f.Certificates {
		if !x.Until.After(v.now) {
			return x.Name
		}
	}
	return ""
}

// placesSection are facilities with their certificates.
func (v *visit) placesSection(places []access.Facility) Section {
	s := Section{ID: "places", Title: v.t("facilities.where"), Empty: v.t("facilities.empty"), Grid: Grid{Heads: []string{v.t("facilities.place"), v.t("facilities.controls"), v.t("facilities.certificates")}}}
	for _, f := range places {
		var papers Cell
		for _, x := range f.Certificates {
			papers.Notes = append(papers.Notes, v.paperLine(x.Name+" "+x.Number, x.Until))
		}
		switch v.endedPaper(f) {
		case "":
			if papers.State = (State{ToneGood, v.t("facilities.valid")}); len(f.Certificates) == 0 {
				papers.State = State{ToneUnknown, v.t("facilities.none")}
			}
		default:
			papers.State = State{ToneWarn, v.t("facilities.ended")}
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{ID: f.ID, Cells: []Cell{{Link: Link{Label: f.Name}, Strong: true, Notes: []string{f.Country}}, {Link: Link{Label: f.Controls}}, papers}})
	}
	return s
}

// paperLine is a paper with its end: "ISO 27001 DE-4711, until 3 March 2027".
func (v *visit) paperLine(name string, until time.Time) string {
	if until.IsZero() {
		return strings.TrimSpace(name)
	}
	if !until.After(v.now) {
		return v.t("facilities.paper_ended", "name", strings.TrimSpace(name), "when", v.dayOf(until))
	}
	return v.t("facilities.paper", "name", strings.TrimSpace(name), "when", v.dayOf(until))
}

// termsSection is what was agreed about access, in sentences.
func (v *visit) termsSection(t access.Terms) Section {
	s := Section{ID: "terms", Title: v.t("terms.agreed"), Items: []string{v.t("terms.hours", "n", t.NoticeHours), v.t("terms.days", "n", t.MaxDays)}}
	if t.SecondPerson {
		s.Items = append(s.Items, v.t("terms.second"))
	}
	if t.CustomerApproves {
		s.Items = append(s.Items, v.t("terms.approves"))
	}
	if t.BriefVersion != "" {
		s.Items = append(s.Items, v.t("terms.brief", "version", t.BriefVersion))
		s.Notes = lines(t.Brief)
	}
	s.Items = append(s.Items, v.t("terms.break_glass"), v.t("terms.recordings", "n", t.RecordingMonths))
	if v.staff() && v.can(policy.AccessWrite) {
		s.Acts = []Act{{Label: v.t("terms.change"), Href: v.ofCustomer("/access/terms", t.Customer)}}
	}
	return s
}

// recordingSection is what staff are told about the recording of their sessions.
func (v *visit) recordingSection() (Section, access.StaffNotice, error) {
	n, err := v.p.Access.StaffNotice(v.ctx)
	return Section{ID: "recording", Title: v.t("recording.title"), Lead: v.t("recording.lead"), Items: n.Text}, n, err
}

// recording is what the reader, one of staff, is told about what is recorded.
func (p *Portal) recording(v *visit) error {
	page, _, err := v.recordingPage()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) recordingPage() (*Access, access.StaffNotice, error) {
	s, n, err := v.recordingSection()
	page := &Access{Page: v.page("access", v.t("recording.title"), v.t("recording.say")), Sections: []Section{s}}
	page.Crumbs, page.Tone = v.accessCrumbs("", ""), ToneBusy
	if !n.AcknowledgedAt.IsZero() {
		page.Say, page.Tone = v.t("recording.said", "when", v.moment(n.AcknowledgedAt)), ToneGood
		return page, n, err
	}
	page.Acts = []Act{{Label: v.t("notice.acknowledge"), Href: "/access/recording?" + query("text", n.SHA256), Post: true, Strong: true}}
	return page, n, err
}

func (p *Portal) recordingNoted(v *visit) error {
	if err := p.Access.AcknowledgeStaffNotice(v.ctx, v.c.QueryParam("text")); err != nil {
		page, _, perr := v.recordingPage()
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/access/recording", "acknowledged")
}

// termsForm are a customer's terms as a form.
func (v *visit) termsForm() (policy.Scope, customers.Customer, *AccessForm, error) {
	scope, c, err := v.instructScope()
	if err != nil {
		return scope, c, nil, err
	}
	t, err := v.p.Access.Terms(v.ctx, scope, c.ID)
	if err != nil {
		return scope, c, nil, err
	}
	self := v.ofCustomer("/access/terms", c.ID)
	page := v.accessForm(v.t("terms.title"), v.t("terms.say", "company", c.Name), self, v.ofCustomer("/access", c.ID), v.t("terms.save"))
	page.Crumbs = v.accessCrumbs(c.ID, c.Name)
	var rules []string
	for on, word := range map[string]bool{"second": t.SecondPerson, "customer": t.CustomerApproves} {
		if word {
			rules = append(rules, on)
		}
	}
	page.Hidden = []Pair{versionOf(t.Version)}
	page.Fields = []FormField{
		v.entered("notice_hours", v.t("terms.f_hours"), number0(t.NoticeHours)).kind("number").hint(v.t("terms.f_hours_hint")),
		v.tickedOf("rules", v.t("terms.f_rules"), []Choice{{"second", v.t("terms.f_second"), false}, {"customer", v.t("terms.f_customer"), false}}, rules).hint(v.t("terms.f_rules_hint")),
		v.entered("max_days", v.t("terms.f_days"), number0(t.MaxDays)).kind("number").hint(v.t("terms.f_days_hint")),
		v.entered("recording_months", v.t("terms.f_months"), number0(t.RecordingMonths)).kind("number").hint(v.t("terms.f_months_hint")),
		v.entered("brief", v.t("terms.f_brief"), t.Brief).rows(6).hint(v.t("terms.f_brief_hint")).optional(),
		v.entered("brief_version", v.t("terms.f_version"), t.BriefVersion).hint(v.t("terms.f_version_hint")).optional(),
	}
	return scope, c, page, nil
}

func (p *Portal) terms(v *visit) error {
	_, _, page, err := v.termsForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) termsSave(v *visit) error {
	scope, c, page, err := v.termsForm()
	if err != nil {
		return err
	}
	t := access.Terms{Customer: c.ID, Brief: v.c.FormValue("brief"), BriefVersion: v.formValue("brief_version"), Version: v.version()}
	for _, rule := range v.formList("rules") {
		t.SecondPerson, t.CustomerApproves = t.SecondPerson || rule == "second", t.CustomerApproves || rule == "customer"
	}
	var errs []error
	for id, n := range map[string]*int{"notice_hours": &t.NoticeHours, "max_days": &t.MaxDays, "recording_months": &t.RecordingMonths} {
		var err error
		*n, err = v.numberField(id)
		errs = append(errs, err)
	}
	if err = formErrors(errs...); err == nil {
		_, err = p.Access.SetTerms(v.ctx, scope, t)
	}
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect(v.ofCustomer("/access/about", c.ID), "saved")
}
