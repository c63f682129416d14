package web

import (
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// sessionPages are the sessions of our people on customers' servers, and their
// recordings: for staff, for the customer, and for auditors.
func (p *Portal) sessionPages() []route {
	if p.Sessions == nil {
		return nil
	}
	routes := []route{
		get("/connected", policy.Customers, policy.SessionRead, "portal.connected", p.connected),
		get("/connected/viewings", policy.Customers, policy.SessionRead, "portal.connected.viewings", p.connectedViewings),
		get("/recordings", policy.SignedIn, policy.SessionWatch, "portal.recordings", p.recordings),
		get("/sessions/commands", policy.SignedIn, policy.SessionWatch, "portal.commands", p.commands),
		get("/sessions/draws", policy.SignedIn, policy.SessionRead, "portal.draws", p.draws),
		get("/sessions/:id", policy.SignedIn, policy.SessionRead, "portal.staffsession", p.sessionOne),
		get("/sessions/:id/review", policy.SignedIn, policy.SessionRead, "portal.review.ask", p.reviewAskForm),
		post("/sessions/:id/review", policy.SignedIn, policy.SessionRead, "portal.review.ask.do", p.reviewAsk),
	}
	return append(append(routes, p.replayPages()...), p.sessionStaffPages()...)
}

// replayPages are a recording being watched.
func (p *Portal) replayPages() []route {
	return []route{
		post("/sessions/:id/watch", policy.SignedIn, policy.SessionWatch, "portal.watch", p.watch),
		get("/sessions/:id/replay", policy.SignedIn, policy.SessionWatch, "portal.replay", p.replay),
		get("/sessions/:id/cast", policy.SignedIn, policy.SessionWatch, "portal.cast", p.cast),
		post("/sessions/:id/watched", policy.SignedIn, policy.SessionWatch, "portal.watched", p.watched),
		post("/sessions/:id/notes", policy.SignedIn, policy.SessionWatch, "portal.note.add", p.noteAdd),
		post("/sessions/:id/verdict", policy.Staff, policy.SessionReview, "portal.verdict", p.verdict),
	}
}

// sessionStaffPages are for those who look after sessions and judge them.
func (p *Portal) sessionStaffPages() []route {
	return []route{
		get("/sessions", policy.Staff, policy.SessionRead, "portal.staffsessions", p.sessionList),
		get("/sessions/queue", policy.Staff, policy.SessionReview, "portal.queue", p.queue),
		get("/sessions/logins", policy.Staff, policy.SessionRead, "portal.logins", p.logins),
		get("/sessions/logins/:login/explain", policy.Staff, policy.SessionReview, "portal.login.explain", p.loginExplain),
		post("/sessions/logins/:login/explain", policy.Staff, policy.SessionReview, "portal.login.explain.do", p.loginExplainDo),
		get("/sessions/feed", policy.Staff, policy.SessionRead, "portal.sessionfeed", p.feed),
		post("/sessions/feed/read", policy.Staff, policy.SessionAdmin, "portal.feed.read", p.feedRead),
		get("/sessions/feed/:event/dismiss", policy.Staff, policy.SessionAdmin, "portal.event.dismiss", p.eventDismiss),
		post("/sessions/feed/:event/dismiss", policy.Staff, policy.SessionAdmin, "portal.event.dismiss.do", p.eventDismissDo),
		get("/sessions/viewings", policy.Staff, policy.SessionRead, "portal.viewings", p.viewings),
		get("/sessions/holds", policy.Staff, policy.SessionRead, "portal.holds", p.holds),
		get("/sessions/holds/new", policy.Staff, policy.SessionAdmin, "portal.hold.new", p.holdNew),
		post("/sessions/holds", policy.Staff, policy.SessionAdmin, "portal.hold.add", p.holdAdd),
		get("/sessions/holds/:hold/release", policy.Staff, policy.SessionAdmin, "portal.hold.release", p.holdRelease),
		post("/sessions/holds/:hold/release", policy.Staff, policy.SessionAdmin, "portal.hold.release.do", p.holdReleaseDo),
		get("/sessions/holds/:hold/alone", policy.Staff, policy.SessionAdmin, "portal.hold.alone", p.holdAlone),
		post("/sessions/holds/:hold/alone", policy.Staff, policy.SessionAdmin, "portal.hold.alone.do", p.holdAloneDo),
		get("/sessions/terms", policy.Staff, policy.SessionAdmin, "portal.sessionterms", p.sessionTerms),
		post("/sessions/terms", policy.Staff, policy.SessionAdmin, "portal.sessionterms.save", p.sessionTermsSave),
		post("/sessions/:id/claim", policy.Staff, policy.SessionReview, "portal.claim", p.claim),
		post("/sessions/:id/unclaim", policy.Staff, policy.SessionReview, "portal.unclaim", p.unclaim),
		get("/sessions/:id/answer", policy.Staff, policy.SessionRead, "portal.question", p.questionForm),
		post("/sessions/:id/answer", policy.Staff, policy.SessionRead, "portal.question.answer", p.questionAnswer),
		post("/sessions/:id/check", policy.Staff, policy.SessionReview, "portal.recording.check", p.recordingCheck),
		post("/sessions/:id/fetch", policy.Staff, policy.SessionReview, "portal.recording.fetch", p.recordingFetch),
	}
}

// sessionParts are the pages beside one about sessions, for this reader.
func (v *visit) sessionParts(current string) []Filter {
	var list []Link
	switch {
	case v.staff():
		list = []Link{{v.t("sessions.title"), "/sessions"}}
		if v.can(policy.SessionReview) {
			list = append(list, Link{v.t("queue.title"), "/sessions/queue"}, Link{v.t("search.title"), "/sessions/commands"})
		}
		list = append(list, Link{v.t("logins.title"), "/sessions/logins"}, Link{v.t("viewings.title"), "/sessions/viewings"}, Link{v.t("holds.title"), "/sessions/holds"}, Link{v.t("draws.title"), "/sessions/draws"}, Link{v.t("feed.title"), "/sessions/feed"})
	case v.viewer.Auditor:
		list = []Link{{v.t("recordings.title"), "/recordings"}, {v.t("search.title"), "/sessions/commands"}, {v.t("draws.title"), "/sessions/draws"}}
	default:
		list = []Link{{v.t("connected.title"), "/connected"}, {v.t("connected.viewings"), "/connected/viewings"}, {v.t("draws.title"), "/sessions/draws"}}
	}
	var out []Filter
	for _, l := range list {
		out = append(out, Filter{Label: l.Label, Href: l.Href, Current: l.Href == current, Count: -1})
	}
	return out
}

// sessionHome is where a reader's list of sessions is.
func (v *visit) sessionHome() Link {
	switch {
	case v.staff():
		return Link{v.t("sessions.title"), "/sessions"}
	case v.viewer.Auditor:
		return Link{v.t("recordings.title"), "/recordings"}
	}
	return Link{v.t("connected.title"), "/connected"}
}

// sessionNav is the entry of the navigation that a page of sessions belongs to.
func (v *visit) sessionNav() string {
	if v.staff() || v.viewer.Auditor {
		return "sessions"
	}
	return "connected"
}

// sessionsPage begins a page of lists about sessions.
func (v *visit) sessionsPage(current, title, say string) *Sessions {
	page := &Sessions{Page: v.page(v.sessionNav(), title, say), Parts: v.sessionParts(current)}
	if home := v.sessionHome(); home.Href != current {
		page.Crumbs = []Link{home}
	}
	return page
}

// sessionByID is the session that an address names, as far as the reader sees it.
func (v *visit) sessionByID(perm policy.Permission) (policy.Scope, sessions.Session, error) {
	scope, err := v.scope(perm)
	if err != nil {
		return scope, sessions.Session{}, err
	}
	s, err := v.p.Sessions.Get(v.ctx, scope, v.c.Param("id"))
	return scope, s, err
}
