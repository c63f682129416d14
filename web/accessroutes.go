package web

import (
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// accessPages are who can reach servers, for both sides. What both see stands
// under one address: a contact sees their own customer there, staff the one
// that "customer" in the address names.
func (p *Portal) accessPages() []route {
	if p.Access == nil {
		return nil
	}
	routes := []route{
		get("/access", policy.SignedIn, policy.AccessRead, "portal.access", p.access),
		get("/access/list.csv", policy.SignedIn, policy.AccessRead, "portal.access.csv", p.accessCSV),
		get("/access/list.pdf", policy.SignedIn, policy.AccessRead, "portal.access.pdf", p.accessPDF),
		get("/access/changes", policy.SignedIn, policy.AccessRead, "portal.access.changes", p.accessChanges),
		get("/access/changes/:id", policy.SignedIn, policy.AccessRead, "portal.access.change", p.accessChange),
		get("/access/notices", policy.SignedIn, policy.AccessRead, "portal.notices", p.notices),
		get("/access/notices/:id", policy.SignedIn, policy.AccessRead, "portal.notice", p.notice),
		post("/access/notices/:id/acknowledge", policy.Customers, policy.AccessConfirm, "portal.notice.acknowledge", p.noticeAcknowledge),
		get("/access/instructing", policy.SignedIn, policy.AccessRead, "portal.instructing", p.instructing),
		get("/access/instructing/new", policy.SignedIn, policy.AccessRead, "portal.authorisation.new", p.authorisationNew),
		post("/access/instructing", policy.SignedIn, policy.AccessRead, "portal.authorisation.add", p.authorisationAdd),
		post("/access/authorisations/:id/end", policy.SignedIn, policy.AccessRead, "portal.authorisation.end", p.authorisationEnd),
		get("/access/instructions/:id", policy.SignedIn, policy.AccessRead, "portal.instruction", p.instruction),
		post("/access/instructions/:id", policy.SignedIn, policy.AccessApprove, "portal.instruction.decide", p.instructionDecide),
		get("/access/about", policy.SignedIn, policy.AccessRead, "portal.access.about", p.accessAbout),
		get("/access/grants/:id", policy.SignedIn, policy.AccessRead, "portal.grant", p.grant),
		post("/access/grants/:id/answer", policy.SignedIn, policy.AccessApprove, "portal.grant.answer", p.grantAnswer),
		post("/access/found/:id/confirm", policy.Customers, policy.AccessConfirm, "portal.found.confirm", p.foundConfirm),
	}
	routes = append(routes, p.accessPeoplePages()...)
	routes = append(routes, p.accessStaffPages()...)
	for _, a := range p.grantActions() {
		ask, do := p.grantAct(a)
		routes = append(routes, get("/access/grants/:id/"+a.word, policy.Staff, a.perm, "portal.grant."+a.word, ask), post("/access/grants/:id/"+a.word, policy.Staff, a.perm, "portal.grant."+a.word+".do", do))
	}
	return routes
}

// accessPeoplePages are the persons and teams who stand on lists, for staff.
func (p *Portal) accessPeoplePages() []route {
	return []route{
		get("/access/persons", policy.Staff, policy.AccessRead, "portal.persons", p.persons),
		get("/access/persons/new", policy.Staff, policy.AccessWrite, "portal.person.new", p.personNew),
		post("/access/persons", policy.Staff, policy.AccessWrite, "portal.person.add", p.personAdd),
		get("/access/persons/:id", policy.Staff, policy.AccessRead, "portal.person", p.personOf),
		get("/access/persons/:id/edit", policy.Staff, policy.AccessWrite, "portal.person.edit", p.personEdit),
		post("/access/persons/:id", policy.Staff, policy.AccessWrite, "portal.person.save", p.personSave),
		get("/access/persons/:id/papers", policy.Staff, policy.AccessWrite, "portal.paper.new", p.paperNew),
		post("/access/persons/:id/papers", policy.Staff, policy.AccessWrite, "portal.paper.add", p.paperAdd),
		get("/access/persons/:id/leave", policy.Staff, policy.AccessWrite, "portal.person.leave", p.personLeave),
		post("/access/persons/:id/leave", policy.Staff, policy.AccessWrite, "portal.person.leave.do", p.personLeaveDo),
		get("/access/teams", policy.Staff, policy.AccessRead, "portal.teams", p.teams),
		get("/access/teams/new", policy.Staff, policy.AccessWrite, "portal.team.new", p.teamNew),
		get("/access/teams/:id", policy.Staff, policy.AccessWrite, "portal.team", p.teamEdit),
		post("/access/teams", policy.Staff, policy.AccessWrite, "portal.team.save", p.teamSave),
	}
}

// accessStaffPages are for those who grant access and answer for it.
func (p *Portal) accessStaffPages() []route {
	return []route{
		get("/access/recording", policy.Staff, policy.SelfRead, "portal.recording", p.recording),
		post("/access/recording", policy.Staff, policy.SelfWrite, "portal.recording.noted", p.recordingNoted),
		get("/access/matrix", policy.Staff, policy.AccessRead, "portal.matrix", p.matrix),
		get("/access/grants", policy.Staff, policy.AccessRead, "portal.grants", p.grants),
		get("/access/grants/new", policy.Staff, policy.AccessWrite, "portal.grant.new", p.grantNew),
		post("/access/grants", policy.Staff, policy.AccessWrite, "portal.grant.make", p.grantMake),
		get("/access/terms", policy.Staff, policy.AccessWrite, "portal.terms", p.terms),
		post("/access/terms", policy.Staff, policy.AccessWrite, "portal.terms.save", p.termsSave),
		get("/access/entries", policy.Staff, policy.AccessRead, "portal.entries", p.entries),
		get("/access/entries/new", policy.Staff, policy.AccessWrite, "portal.entry.new", p.entryNew),
		post("/access/entries", policy.Staff, policy.AccessWrite, "portal.entry.add", p.entryAdd),
		get("/access/entries/:id/end", policy.Staff, policy.AccessWrite, "portal.entry.end", p.entryEnd),
		post("/access/entries/:id/end", policy.Staff, policy.AccessWrite, "portal.entry.end.do", p.entryEndDo),
		get("/access/entries/:id/review", policy.Staff, policy.AccessApprove, "portal.entry.review", p.entryReview),
		post("/access/entries/:id/review", policy.Staff, policy.AccessApprove, "portal.entry.review.do", p.entryReviewDo),
		get("/access/notices/:id/call", policy.Staff, policy.AccessWrite, "portal.notice.call", p.noticeCall),
		post("/access/notices/:id/call", policy.Staff, policy.AccessWrite, "portal.notice.call.do", p.noticeCallDo),
		get("/access/facilities", policy.Staff, policy.AccessRead, "portal.facilities", p.facilities),
		get("/access/facilities/new", policy.Staff, policy.AccessWrite, "portal.facility.new", p.facilityNew),
		get("/access/facilities/:id", policy.Staff, policy.AccessWrite, "portal.facility", p.facilityEdit),
		post("/access/facilities", policy.Staff, policy.AccessWrite, "portal.facility.save", p.facilitySave),
		get("/access/found", policy.Staff, policy.AccessRead, "portal.found", p.found),
		get("/access/found/:id/explain", policy.Staff, policy.AccessWrite, "portal.found.explain", p.foundExplain),
		post("/access/found/:id/explain", policy.Staff, policy.AccessWrite, "portal.found.explain.do", p.foundExplainDo),
		get("/access/baseline", policy.Staff, policy.AccessAdmin, "portal.baseline", p.baseline),
		post("/access/baseline", policy.Staff, policy.AccessAdmin, "portal.baseline.accept", p.baselineAccept),
		get("/access/teleport", policy.Staff, policy.AccessRead, "portal.enforcement", p.enforcement),
		get("/access/teleport/mode", policy.Staff, policy.AccessAdmin, "portal.mode", p.mode),
		post("/access/teleport/mode", policy.Staff, policy.AccessAdmin, "portal.mode.set", p.modeSet),
		get("/access/teleport/role", policy.Staff, policy.AccessAdmin, "portal.role", p.foreignRole),
		post("/access/teleport/role", policy.Staff, policy.AccessAdmin, "portal.role.accept", p.foreignRoleAccept),
		post("/access/look", policy.Staff, policy.AccessWrite, "portal.access.look", p.accessLook),
		get("/access/campaigns", policy.Staff, policy.AccessRead, "portal.recertifications", p.recertifications),
		get("/access/campaigns/new", policy.Staff, policy.AccessAdmin, "portal.recertification.new", p.recertificationNew),
		post("/access/campaigns", policy.Staff, policy.AccessAdmin, "portal.recertification.start", p.recertificationStart),
		get("/access/campaigns/:id", policy.Staff, policy.AccessRead, "portal.recertification", p.recertification),
		post("/access/campaigns/:id/items/:item", policy.Staff, policy.AccessApprove, "portal.recertification.answer", p.recertificationAnswer),
		get("/access/instructions/new", policy.Staff, policy.AccessWrite, "portal.instruction.new", p.instructionNew),
		post("/access/instructions", policy.Staff, policy.AccessWrite, "portal.instruction.flag", p.instructionFlag),
	}
}

// accessOf is the customer whom a page about access is about: a contact's or an
// auditor's own; for staff the one that the address or the form names, and the
// zero customer where it names none.
func (v *visit) accessOf(perm policy.Permission) (policy.Scope, customers.Customer, error) {
	scope, err := v.scope(perm)
	if err != nil {
		return scope, customers.Customer{}, err
	}
	ref := v.c.FormValue("customer")
	if ref == "" {
		ref = v.actor.Customer
	}
	if ref == "" {
		return scope, customers.Customer{}, nil
	}
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, ref)
	return scope, c, err
}

// ofCustomer adds the customer to an address, for staff; contacts have one only.
func (v *visit) ofCustomer(path, customer string) string {
	if !v.staff() || customer == "" {
		return path
	}
	return path + "?" + query("customer", customer)
}
