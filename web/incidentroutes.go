package web

import (
	"time"

	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// incidentPages are breaches: cases and what belongs to them for staff, what
// they were told for customers, and the page where anybody reports something.
func (p *Portal) incidentPages() []route {
	if p.Incidents == nil {
		return nil
	}
	routes := []route{
		get("/report", policy.Public, "", "portal.report", p.report),
		post("/report", policy.Public, "", "portal.report.send", p.reportSend),
		get("/notices", policy.Customers, policy.IncidentRead, "portal.breach_notices", p.ownNotices),
		get("/notices/report", policy.Customers, policy.IncidentReport, "portal.own_report", p.ownReport),
		post("/notices/report", policy.Customers, policy.IncidentReport, "portal.own_report.send", p.ownReportSend),
		get("/notices/:notice", policy.Customers, policy.IncidentRead, "portal.breach_notice", p.ownNotice),
		post("/notices/:notice/acknowledge", policy.Customers, policy.IncidentRead, "portal.breach_notice.acknowledge", p.ownAcknowledge),
		get("/incidents", policy.Staff, policy.IncidentRead, "portal.incidents", p.incidentList),
		post("/incidents", policy.Staff, policy.IncidentWrite, "portal.incident.open", p.incidentOpen),
		get("/incidents/new", policy.Staff, policy.IncidentWrite, "portal.incident.new", p.incidentNew),
		post("/incidents/new", policy.Staff, policy.IncidentWrite, "portal.incident.new.do", p.incidentNewDo),
		get("/incidents/find", policy.Staff, policy.IncidentRead, "portal.incidents.find", p.incidentFind),
		get("/incidents/reports", policy.Staff, policy.IncidentRead, "portal.reports", p.reports),
		get("/incidents/reports/:report", policy.Staff, policy.IncidentRead, "portal.report.one", p.reportOne),
		post("/incidents/reports/:report", policy.Staff, policy.IncidentWrite, "portal.report.triage", p.reportTriage),
	}
	return append(append(append(append(routes, p.casePages()...), p.caseWorkPages()...), p.caseNoticePages()...), p.incidentHousePages()...)
}

// casePages are one case: what is known, and who is in it.
func (p *Portal) casePages() []route {
	const at = "/incidents/:id"
	return []route{
		get(at, policy.Staff, policy.IncidentRead, "portal.incident", p.incident),
		get(at+"/clocks", policy.Staff, policy.IncidentRead, "portal.incident.clocks", p.incidentClocks),
		get(at+"/customers", policy.Staff, policy.IncidentRead, "portal.incident.customers", p.incidentCustomers),
		get(at+"/edit", policy.Staff, policy.IncidentWrite, "portal.incident.edit", p.incidentEdit),
		post(at+"/edit", policy.Staff, policy.IncidentWrite, "portal.incident.save", p.incidentSave),
		get(at+"/facts", policy.Staff, policy.IncidentWrite, "portal.incident.facts", p.incidentAsked),
		post(at+"/facts", policy.Staff, policy.IncidentWrite, "portal.incident.facts.save", p.incidentAskedSave),
		get(at+"/impact", policy.Staff, policy.IncidentWrite, "portal.incident.impact", p.incidentImpact),
		post(at+"/impact", policy.Staff, policy.IncidentWrite, "portal.incident.impact.save", p.incidentImpactSave),
		get(at+"/contain", policy.Staff, policy.IncidentWrite, "portal.incident.contain", p.incidentContain),
		post(at+"/contain", policy.Staff, policy.IncidentWrite, "portal.incident.contain.do", p.incidentContainDo),
		get(at+"/handled", policy.Staff, policy.IncidentWrite, "portal.incident.handled", p.incidentHandled),
		post(at+"/handled", policy.Staff, policy.IncidentWrite, "portal.incident.handled.do", p.incidentHandledDo),
		get(at+"/aware", policy.Staff, policy.IncidentWrite, "portal.incident.aware", p.incidentAware),
		post(at+"/aware", policy.Staff, policy.IncidentWrite, "portal.incident.aware.do", p.incidentAwareDo),
		post(at+"/aware/:assertion/confirm", policy.Staff, policy.IncidentWrite, "portal.incident.aware.confirm", p.incidentAwareConfirm),
		get(at+"/known", policy.Staff, policy.IncidentRead, "portal.incident.known", p.incidentKnown),
		get(at+"/affect", policy.Staff, policy.IncidentWrite, "portal.incident.affect", p.incidentAffect),
		post(at+"/affect", policy.Staff, policy.IncidentWrite, "portal.incident.affect.do", p.incidentAffectDo),
		get(at+"/clear", policy.Staff, policy.IncidentWrite, "portal.incident.clear", p.incidentClear),
		post(at+"/clear", policy.Staff, policy.IncidentWrite, "portal.incident.clear.do", p.incidentClearDo),
		get(at+"/their-steps", policy.Staff, policy.IncidentWrite, "portal.incident.their_steps", p.incidentTheirSteps),
		post(at+"/their-steps", policy.Staff, policy.IncidentWrite, "portal.incident.their_steps.save", p.incidentTheirStepsSave),
		get(at+"/they-knew", policy.Staff, policy.IncidentWrite, "portal.incident.they_knew", p.incidentTheyKnew),
		post(at+"/they-knew", policy.Staff, policy.IncidentWrite, "portal.incident.they_knew.do", p.incidentTheyKnewDo),
		post(at+"/asked/:asked/confirm", policy.Staff, policy.IncidentWrite, "portal.incident.asked.confirm", p.incidentAskedConfirm),
		post(at+"/asked/:asked/withdraw", policy.Staff, policy.IncidentWrite, "portal.incident.asked.withdraw", p.incidentAskedWithdraw),
		get(at+"/close", policy.Staff, policy.IncidentWrite, "portal.incident.close", p.incidentClose),
		post(at+"/close", policy.Staff, policy.IncidentWrite, "portal.incident.close.do", p.incidentCloseDo),
		get(at+"/reopen", policy.Staff, policy.IncidentWrite, "portal.incident.reopen", p.incidentReopen),
		post(at+"/reopen", policy.Staff, policy.IncidentWrite, "portal.incident.reopen.do", p.incidentReopenDo),
		get(at+"/merge", policy.Staff, policy.IncidentWrite, "portal.incident.merge", p.incidentMerge),
		post(at+"/merge", policy.Staff, policy.IncidentWrite, "portal.incident.merge.do", p.incidentMergeDo),
		get(at+"/split", policy.Staff, policy.IncidentWrite, "portal.incident.split", p.incidentSplit),
		post(at+"/split", policy.Staff, policy.IncidentWrite, "portal.incident.split.do", p.incidentSplitDo),
	}
}

// caseWorkPages are what is done in a case, and its papers.
func (p *Portal) caseWorkPages() []route {
	const at = "/incidents/:id"
	return []route{
		get(at+"/tasks/new", policy.Staff, policy.IncidentWrite, "portal.incident.task.new", p.incidentTaskNew),
		post(at+"/tasks/new", policy.Staff, policy.IncidentWrite, "portal.incident.task.add", p.incidentTaskAdd),
		get(at+"/tasks/:task", policy.Staff, policy.IncidentWrite, "portal.incident.task", p.incidentTask),
		post(at+"/tasks/:task", policy.Staff, policy.IncidentWrite, "portal.incident.task.done", p.incidentTaskDone),
		get(at+"/note", policy.Staff, policy.IncidentWrite, "portal.incident.note", p.incidentNote),
		post(at+"/note", policy.Staff, policy.IncidentWrite, "portal.incident.note.add", p.incidentNoteAdd),
		get(at+"/timeline", policy.Staff, policy.IncidentRead, "portal.incident.timeline", p.incidentTimeline),
		get(at+"/act", policy.Staff, policy.IncidentWrite, "portal.incident.act", p.incidentAct),
		post(at+"/act", policy.Staff, policy.IncidentWrite, "portal.incident.act.do", p.incidentActDo),
		get(at+"/decide", policy.Staff, policy.IncidentWrite, "portal.incident.decide", p.incidentDecide),
		post(at+"/decide", policy.Staff, policy.IncidentWrite, "portal.incident.decide.do", p.incidentDecideDo),
		get(at+"/freeze", policy.Staff, policy.IncidentWrite, "portal.incident.freeze", p.incidentFreeze),
		post(at+"/freeze", policy.Staff, policy.IncidentWrite, "portal.incident.freeze.do", p.incidentFreezeDo),
		get(at+"/thaw", policy.Staff, policy.IncidentAdmin, "portal.incident.thaw", p.incidentThaw),
		post(at+"/thaw", policy.Staff, policy.IncidentAdmin, "portal.incident.thaw.do", p.incidentThawDo),
		get(at+"/papers/:paper", policy.Staff, policy.IncidentRead, "portal.incident.paper", p.incidentPaper),
	}
}

// caseNoticePages are what recipients are told.
func (p *Portal) caseNoticePages() []route {
	const at, one = "/incidents/:id/notices", "/incidents/notices/:notice"
	return []route{
		get(at, policy.Staff, policy.IncidentRead, "portal.incident.notices", p.caseNotices),
		post(at, policy.Staff, policy.IncidentWrite, "portal.incident.notices.draft", p.caseNoticesDraft),
		get(at+"/all", policy.Staff, policy.IncidentWrite, "portal.incident.notices.all", p.caseNoticesAll),
		post(at+"/all", policy.Staff, policy.IncidentWrite, "portal.incident.notices.all.save", p.caseNoticesAllSave),
		post(at+"/send", policy.Staff, policy.IncidentWrite, "portal.incident.notices.send", p.caseNoticesSend),
		get(one, policy.SignedIn, policy.IncidentRead, "portal.incident.notice", p.caseNotice),
		get(one+"/edit", policy.Staff, policy.IncidentWrite, "portal.incident.notice.edit", p.caseNoticeEdit),
		post(one+"/edit", policy.Staff, policy.IncidentWrite, "portal.incident.notice.save", p.caseNoticeSave),
		post(one+"/send", policy.Staff, policy.IncidentWrite, "portal.incident.notice.send", p.caseNoticeSend),
		post(one+"/approve", policy.Staff, policy.IncidentWrite, "portal.incident.notice.approve", p.caseNoticeApprove),
		get(one+"/discard", policy.Staff, policy.IncidentWrite, "portal.incident.notice.discard", p.caseNoticeDiscard),
		post(one+"/discard", policy.Staff, policy.IncidentWrite, "portal.incident.notice.discard.do", p.caseNoticeDiscardDo),
		get(one+"/tell", policy.Staff, policy.IncidentWrite, "portal.incident.notice.tell", p.caseNoticeTell),
		post(one+"/tell", policy.Staff, policy.IncidentWrite, "portal.incident.notice.tell.do", p.caseNoticeTellDo),
	}
}

// incidentHousePages are what does not belong to one case.
func (p *Portal) incidentHousePages() []route {
	return []route{
		get("/incidents/register", policy.Staff, policy.IncidentRead, "portal.register", p.register),
		get("/incidents/register.csv", policy.Staff, policy.IncidentRead, "portal.register.csv", p.registerCSV),
		get("/incidents/advisories", policy.Staff, policy.IncidentRead, "portal.advisories", p.advisories),
		get("/incidents/advisories/new", policy.Staff, policy.IncidentWrite, "portal.advisory.new", p.advisoryNew),
		post("/incidents/advisories", policy.Staff, policy.IncidentWrite, "portal.advisory.plan", p.advisoryPlan),
		get("/incidents/advisories/:advisory", policy.Staff, policy.IncidentRead, "portal.advisory", p.advisory),
		post("/incidents/advisories/:advisory/send", policy.Staff, policy.IncidentWrite, "portal.advisory.send", p.advisorySend),
		get("/incidents/company", policy.Staff, policy.IncidentRead, "portal.lawcompany", p.lawCompany),
		post("/incidents/company", policy.Staff, policy.IncidentAdmin, "portal.lawcompany.save", p.lawCompanySave),
		get("/incidents/terms", policy.Staff, policy.IncidentRead, "portal.breachterms", p.breachTerms),
		post("/incidents/terms", policy.Staff, policy.IncidentAdmin, "portal.breachterms.save", p.breachTermsSave),
		get("/incidents/rules", policy.Staff, policy.IncidentRead, "portal.lawrules", p.lawRules),
		post("/incidents/rules", policy.Staff, policy.IncidentAdmin, "portal.lawrules.load", p.lawRulesLoad),
	}
}

// incidentParts are the pages beside one about incidents.
func (v *visit) incidentParts(current string) []Filter {
	list := []Link{{v.t("inc.title"), "/incidents"}, {v.t("inc.reports"), "/incidents/reports"}, {v.t("inc.register"), "/incidents/register"}, {v.t("inc.advisories"), "/incidents/advisories"},
		{v.t("inc.company"), "/incidents/company"}, {v.t("inc.terms"), "/incidents/terms"}, {v.t("inc.rules"), "/incidents/rules"}}
	var out []Filter
	for _, l := range list {
		out = append(out, Filter{Label: l.Label, Href: l.Href, Current: l.Href == current, Count: -1})
	}
	return out
}

// incidentsPage begins a page of lists about incidents.
func (v *visit) incidentsPage(current, title, say string) *Incidents {
	page := &Incidents{Page: v.page("incidents", title, say), Parts: v.incidentParts(current)}
	if current != "/incidents" {
		page.Crumbs = []Link{{v.t("inc.title"), "/incidents"}}
	}
	return page
}

// incidentCase is the case that the address names. From here on times are shown
// in its zone.
func (v *visit) incidentCase(perm policy.Permission) (policy.Scope, incidents.Case, error) {
	scope, err := v.scope(perm)
	if err != nil {
		return scope, incidents.Case{}, err
	}
	c, err := v.p.Incidents.Get(v.ctx, scope, v.c.Param("id"))
	if err == nil {
		v.zone = caseZone(c, v.zone)
	}
	return scope, c, err
}

// caseZone is the zone that a case's times are shown in.
func caseZone(c incidents.Case, or *time.Location) *time.Location {
	z, err := time.LoadLocation(c.Zone)
	if err != nil || c.Zone == "" || c.Zone == "Local" {
		return or
	}
	return z
}

// exercise is what stands across every page of an exercise.
func (v *visit) exercise(drill bool) string {
	if drill {
		return v.t("inc.exercise")
	}
	return ""
}

// caseForm begins a form of a case.
func (v *visit) caseForm(c incidents.Case, title, say, path, do string) *AccessForm {
	at := "/incidents/" + c.ID
	page := v.accessForm(title, say, at+path, at, do)
	page.Nav, page.Crumbs, page.Exercise = "incidents", v.caseCrumbs(c), v.exercise(c.Drill)
	return page
}

// caseCrumbs lead back to a case.
func (v *visit) caseCrumbs(c incidents.Case) []Link {
	return []Link{{v.t("inc.title"), "/incidents"}, {v.t("inc.case", "number", c.Number), "/incidents/" + c.ID}}
}
