package web

import (
	"slices"

	"ostler/controlplane/policy"
)

func get(path string, a policy.Audience, perm policy.Permission, name string, h func(*visit) error) route {
	return route{policy.Route{Method: "GET", Path: path, Audience: a, Permission: perm, Name: name}, h}
}

func post(path string, a policy.Audience, perm policy.Permission, name string, h func(*visit) error) route {
	return route{policy.Route{Method: "POST", Path: path, Audience: a, Permission: perm, Name: name}, h}
}

// table is every page and form of the portal: who it is for, and what they
// must be allowed.
func (p *Portal) table() []route {
	return slices.Concat(p.doors(), p.opsPages(), p.planPages(), p.certPages(), p.accessPages(), p.sessionPages(), p.incidentPages(), p.customerPages(), p.peoplePages(), p.recordPages())
}

// doors are the ways in, and one's own account.
func (p *Portal) doors() []route {
	return []route{
		get("/static/*", policy.Public, "", "portal.static", p.static),
		get("/", policy.Public, "", "portal.start", p.start),
		get("/signin", policy.Public, "", "portal.signin", p.signIn),
		post("/signin", policy.Public, "", "portal.signin.password", p.signInPassword),
		get("/signin/code", policy.Public, "", "portal.signin.code", p.signInCode),
		post("/signin/code", policy.Public, "", "portal.signin.second", p.signInSecond),
		get("/invite/:secret", policy.Public, "", "portal.invite", p.invite),
		post("/invite/:secret", policy.Public, "", "portal.invite.accept", p.inviteAccept),
		get("/demo/:secret", policy.Public, "", "portal.demo", p.demo),
		post("/signout", policy.SignedIn, policy.SelfRead, "portal.signout", p.signOut),
		get("/account", policy.SignedIn, policy.SelfRead, "portal.account", p.account),
		post("/account/sessions/:id/revoke", policy.SignedIn, policy.SelfWrite, "portal.session.revoke", p.sessionRevoke),
		post("/account/tokens", policy.SignedIn, policy.SelfWrite, "portal.token.make", p.tokenMake),
		post("/account/tokens/:id/revoke", policy.SignedIn, policy.SelfWrite, "portal.token.revoke", p.tokenRevoke),
		post("/account/sessions/others", policy.SignedIn, policy.SelfWrite, "portal.session.others", p.sessionsEnd),
		get("/account/password", policy.SignedIn, policy.SelfWrite, "portal.password", p.passwordForm),
		post("/account/password", policy.SignedIn, policy.SelfWrite, "portal.password.change", p.passwordChange),
		get("/account/codes", policy.SignedIn, policy.SelfWrite, "portal.codes", p.codesForm),
		post("/account/codes", policy.SignedIn, policy.SelfWrite, "portal.codes.replace", p.codesReplace),
		get("/events", policy.SignedIn, policy.SelfRead, "portal.events", p.eventStream),
	}
}

// opsPages are for those who look after servers; customers see their own servers too.
func (p *Portal) opsPages() []route {
	return []route{
		get("/today", policy.Staff, policy.FindingRead, "portal.today", p.today),
		get("/servers", policy.Staff, policy.ServerRead, "portal.servers", p.servers),
		get("/servers/new", policy.Staff, policy.ServerWrite, "portal.server.new", p.serverNew),
		post("/servers", policy.Staff, policy.ServerWrite, "portal.server.create", p.serverCreate),
		get("/servers/:id", policy.SignedIn, policy.ServerRead, "portal.server", p.server),
		get("/servers/:id/enrol", policy.Staff, policy.ServerEnrol, "portal.enrol", p.enrol),
		post("/servers/:id/enrol", policy.Staff, policy.ServerEnrol, "portal.enrol.token", p.enrolToken),
		get("/customers", policy.Staff, policy.CustomerRead, "portal.customers", p.customers),
		get("/customers/new", policy.Staff, policy.CustomerWrite, "portal.customer.new", p.customerNew),
		post("/customers", policy.Staff, policy.CustomerWrite, "portal.customer.create", p.customerCreate),
		get("/customers/:id", policy.Staff, policy.CustomerRead, "portal.customer", p.customer),
		get("/customers/:id/tenancies/new", policy.Staff, policy.CustomerWrite, "portal.tenancy.new", p.tenancyNew),
		post("/customers/:id/tenancies", policy.Staff, policy.CustomerWrite, "portal.tenancy.create", p.tenancyCreate),
	}
}

// planPages are backup plans and jobs, for both sides.
func (p *Portal) planPages() []route {
	return []route{
		get("/tenancies/:id/plan", policy.SignedIn, policy.PlanWrite, "portal.plan.new", p.planNew),
		post("/tenancies/:id/plan", policy.SignedIn, policy.PlanWrite, "portal.plan.create", p.planCreate),
		get("/plans/:id", policy.SignedIn, policy.PlanRead, "portal.plan", p.plan),
		post("/plans/:id/run", policy.SignedIn, policy.BackupRun, "portal.plan.run", p.planRun),
		get("/plans/:id/edit", policy.SignedIn, policy.PlanWrite, "portal.plan.edit", p.planEdit),
		post("/plans/:id", policy.SignedIn, policy.PlanWrite, "portal.plan.save", p.planSave),
		get("/plans/:id/copies", policy.SignedIn, policy.SnapshotRead, "portal.copies", p.copies),
		post("/plans/:id/names", policy.SignedIn, policy.PlanWrite, "portal.plan.names", p.namesSet),
		post("/plans/:id/names/anew", policy.SignedIn, policy.PlanWrite, "portal.plan.names.anew", p.namesAnew),
		get("/jobs", policy.SignedIn, policy.JobRead, "portal.jobs", p.jobs),
		get("/jobs/:id", policy.SignedIn, policy.JobRead, "portal.job", p.job),
		post("/jobs/:id/cancel", policy.SignedIn, policy.JobCancel, "portal.job.cancel", p.jobCancel),
	}
}

// customerPages are for contacts: their copies, their files, their key.
func (p *Portal) customerPages() []route {
	return []route{
		get("/home", policy.Customers, policy.ServerRead, "portal.home", p.home),
		get("/backups", policy.Customers, policy.PlanRead, "portal.backups", p.backups),
		get("/find", policy.SignedIn, policy.FileRead, "portal.find", p.find),
		get("/basket", policy.SignedIn, policy.RestoreRun, "portal.basket", p.basket),
		post("/basket/add", policy.SignedIn, policy.RestoreRun, "portal.basket.add", p.basketAdd),
		post("/basket/remove", policy.SignedIn, policy.RestoreRun, "portal.basket.remove", p.basketRemove),
		post("/basket/clear", policy.SignedIn, policy.RestoreRun, "portal.basket.clear", p.basketClear),
		post("/basket/download", policy.SignedIn, policy.RestoreRun, "portal.basket.download", p.basketDownload),
		post("/basket/server", policy.SignedIn, policy.RestoreRun, "portal.basket.server", p.basketOnServer),
		get("/files", policy.SignedIn, policy.FileRead, "portal.files", p.files),
		get("/snapshots/:id", policy.SignedIn, policy.FileRead, "portal.folder", p.folder),
		post("/snapshots/:id/ask", policy.SignedIn, policy.FileRead, "portal.folder.ask", p.folderAsk),
		get("/snapshots/:id/file", policy.SignedIn, policy.FileRead, "portal.file", p.file),
		post("/snapshots/:id/download", policy.SignedIn, policy.RestoreRun, "portal.download.start", p.downloadStart),
		post("/snapshots/:id/putback", policy.SignedIn, policy.RestoreRun, "portal.putback.start", p.putBackStart),
		get("/restores/:id", policy.SignedIn, policy.RestoreRun, "portal.restore", p.restore),
		get("/restores", policy.SignedIn, policy.RestoreRun, "portal.restores", p.restores),
		post("/restores/:id/confirm", policy.SignedIn, policy.RestoreRun, "portal.restore.confirm", p.restoreConfirm),
		post("/restores/:id/undo", policy.SignedIn, policy.RestoreRun, "portal.restore.undo", p.restoreUndo),
		post("/restores/:id/again", policy.SignedIn, policy.RestoreRun, "portal.restore.again", p.restoreAgain),
		post("/restores/:id/cancel", policy.SignedIn, policy.RestoreRun, "portal.restore.cancel", p.restoreCancel),
		get("/ask", policy.Customers, policy.RestoreAsk, "portal.ask.new", p.askNew),
		post("/ask", policy.Customers, policy.RestoreAsk, "portal.ask.make", p.askMake),
		get("/asks", policy.SignedIn, policy.FindingRead, "portal.asks", p.asks),
		get("/asks/:id", policy.SignedIn, policy.FindingRead, "portal.ask", p.ask),
		post("/asks/:id/take", policy.Staff, policy.RestoreAssist, "portal.ask.take", p.askTake),
		post("/asks/:id/answer", policy.Staff, policy.RestoreAssist, "portal.ask.answer", p.askAnswer),
		get("/assist/new", policy.Staff, policy.RestoreAssist, "portal.assist.new", p.assistNew),
		post("/assist", policy.Staff, policy.RestoreAssist, "portal.assist.start", p.assistStart),
		post("/assist/:id/end", policy.Staff, policy.RestoreAssist, "portal.assist.end", p.assistEnd),
		get("/downloads/:id/file", policy.SignedIn, policy.RestoreRun, "portal.download.file", p.downloadFile),
		get("/keys/:id", policy.SignedIn, policy.PlanRead, "portal.key", p.key),
		post("/keys/:id/choose", policy.SignedIn, policy.PlanWrite, "portal.key.choose", p.keyChoose),
		post("/keys/:id/show", policy.Customers, policy.KeyConfirm, "portal.key.show", p.keyShow),
		post("/keys/:id/confirm", policy.Customers, policy.KeyConfirm, "portal.key.confirm", p.keyConfirm),
		post("/keys/:id/return", policy.Customers, policy.KeyConfirm, "portal.key.return", p.keyReturn),
		post("/keys/:id/retry", policy.SignedIn, policy.PlanWrite, "portal.key.retry", p.keyRetry),
	}
}

// peoplePages are who may sign in: a customer's people for their owners and for
// staff, auditors, and the hosting company's own.
func (p *Portal) peoplePages() []route {
	return []route{
		get("/people", policy.Customers, policy.PeopleRead, "portal.people", p.people),
		get("/people/new", policy.Customers, policy.PeopleWrite, "portal.contact.new", p.contactNew),
		post("/people", policy.Customers, policy.PeopleWrite, "portal.contact.create", p.contactCreate),
		get("/people/:id", policy.SignedIn, policy.PeopleRead, "portal.contact", p.contact),
		post("/people/:id", policy.SignedIn, policy.PeopleWrite, "portal.contact.save", p.contactSave),
		post("/people/:id/invite", policy.SignedIn, policy.PeopleWrite, "portal.contact.invite", p.contactInvite),
		post("/people/:id/signout", policy.SignedIn, policy.PeopleWrite, "portal.contact.signout", p.contactSignOut),
		post("/people/:id/remove", policy.SignedIn, policy.PeopleWrite, "portal.contact.remove", p.contactRemove),
		get("/customers/:id/people/new", policy.Staff, policy.PeopleWrite, "portal.customer.contact.new", p.contactNew),
		post("/customers/:id/people", policy.Staff, policy.PeopleWrite, "portal.customer.contact.create", p.contactCreate),
		get("/customers/:id/auditors/new", policy.Staff, policy.PeopleWrite, "portal.auditor.new", p.auditorNew),
		post("/customers/:id/auditors", policy.Staff, policy.PeopleWrite, "portal.auditor.create", p.auditorCreate),
		post("/auditors/:id/invite", policy.Staff, policy.PeopleWrite, "portal.auditor.invite", p.auditorInvite),
		post("/auditors/:id/end", policy.Staff, policy.PeopleWrite, "portal.auditor.end", p.auditorEnd),
		get("/staff", policy.Staff, policy.PeopleRead, "portal.staff", p.staff),
		get("/staff/new", policy.Staff, policy.PeopleWrite, "portal.staff.new", p.staffNew),
		post("/staff", policy.Staff, policy.PeopleWrite, "portal.staff.create", p.staffCreate),
		get("/staff/:id", policy.Staff, policy.PeopleRead, "portal.staff.member", p.staffMember),
		post("/staff/:id", policy.Staff, policy.PeopleWrite, "portal.staff.save", p.staffSave),
		post("/staff/:id/invite", policy.Staff, policy.PeopleWrite, "portal.staff.invite", p.staffInvite),
		post("/staff/:id/signout", policy.Staff, policy.PeopleWrite, "portal.staff.signout", p.staffSignOut),
		post("/staff/:id/remove", policy.Staff, policy.PeopleWrite, "portal.staff.remove", p.staffRemove),
		post("/staff/:id/enable", policy.Staff, policy.PeopleWrite, "portal.staff.enable", p.staffEnable),
	}
}

// recordPages are the record of what happened, and its proof.
func (p *Portal) recordPages() []route {
	return []route{
		get("/activity", policy.SignedIn, policy.LedgerRead, "portal.activity", p.activity),
		get("/activity/:id", policy.SignedIn, policy.LedgerRead, "portal.entry", p.entry),
		get("/evidence", policy.SignedIn, policy.LedgerRead, "portal.evidence", p.evidence),
		post("/evidence/check", policy.SignedIn, policy.LedgerRead, "portal.evidence.check", p.evidenceCheck),
		get("/evidence/bundle", policy.SignedIn, policy.LedgerRead, "portal.evidence.bundle", p.evidenceBundle),
	}
}
