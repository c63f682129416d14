package web

import (
	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// feedState is how the reading of Teleport's log goes, in one sentence.
func (v *visit) feedState(f sessions.Feed) State {
	unread := ""
	if f.Quarantined > 0 {
		unread = "; " + v.t("feed.unread", "n", f.Quarantined)
	}
	switch {
	case !f.Configured:
		return State{ToneUnknown, v.t("feed.none")}
	case f.Trouble != "" && f.Since.IsZero():
		return State{ToneBad, v.t("feed.stopped", "why", trimDot(f.Trouble)) + unread + "."}
	case f.Trouble != "":
		return State{ToneBad, v.t("feed.stopped_since", "when", v.moment(f.Since), "why", trimDot(f.Trouble)) + unread + "."}
	case f.ReadTo.IsZero():
		return State{ToneUnknown, v.t("feed.never")}
	case f.Quarantined > 0:
		return State{ToneWarn, v.t("feed.read", "when", v.second(f)) + unread + "."}
	}
	return State{ToneGood, v.t("feed.read", "when", v.second(f)) + "."}
}

// second is until when everything was read, to the second.
func (v *visit) second(f sessions.Feed) string {
	return v.dayOf(f.ReadTo) + " " + f.ReadTo.In(v.zone).Format("15:04:05")
}

// feedSaid puts how the reading goes on top of a page.
func (v *visit) feedSaid(page *Sessions, scope policy.Scope) error {
	f, err := v.p.Sessions.Feed(v.ctx, scope)
	if err != nil {
		return err
	}
	page.Truths = append(page.Truths, v.feedState(f))
	return nil
}

// feed is how sessions come in, and what could not be read.
func (p *Portal) feed(v *visit) error {
	scope, err := v.scope(policy.SessionRead)
	if err != nil {
		return err
	}
	f, err := p.Sessions.Feed(v.ctx, scope)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/sessions/feed", v.t("feed.title"), "")
	said := v.feedState(f)
	page.Say, page.Tone = said.Word, said.Tone
	page.Sub = v.t("feed.sub")
	page.Facts = []Fact{{Label: v.t("feed.cluster"), State: State{Word: orDashWord(PlainName([]byte(f.Cluster)))}}, v.factAt("feed.read_to", f.ReadTo), v.factAt("feed.read_at", f.ReadAt), {Label: v.t("feed.events"), State: State{Word: group(f.Events)}}}
	token := v.c.QueryParam("page")
	items, next, err := p.Sessions.Quarantine(v.ctx, scope, sessionPage, token)
	if err != nil {
		return err
	}
	sec := Section{ID: "unread", Title: v.t("feed.quarantine"), Lead: v.t("feed.quarantine_lead"), Empty: v.t("feed.empty"), Grid: Grid{Heads: []string{v.t("feed.seen"), v.t("feed.type"), v.t("feed.at"), v.t("feed.size"), v.t("feed.reason"), v.t("col.state"), ""}}}
	for _, q := range items {
		state, do := State{ToneWarn, v.t("feed.open")}, Cell{}
		if !q.Resolved.IsZero() {
			state = State{ToneUnknown, v.t("feed.resolved")}
		} else if v.can(policy.SessionAdmin) {
			do.Acts = []Act{{Label: v.t("feed.dismiss"), Href: "/sessions/feed/" + q.ID + "/dismiss"}}
		}
		kind := Cell{Link: Link{Label: orDashWord(PlainName([]byte(q.Type)))}, Code: true}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{At: q.SeenAt}, kind, v.orDash(q.At), {Link: Link{Label: Bytes(q.Bytes)}}, {Link: Link{Label: PlainName([]byte(q.Reason))}}, {State: state}, do}})
	}
	sec.Pager = pagerFor("/sessions/feed", nil, token, next)
	page.Sections = []Section{sec}
	if f.Configured && v.can(policy.SessionAdmin) {
		page.Acts = []Act{{Label: v.t("feed.read_now"), Href: "/sessions/feed/read", Post: true}}
	}
	return v.render(page)
}

// feedRead has the log read at once, as far back as it goes.
func (p *Portal) feedRead(v *visit) error {
	scope, err := v.scope(policy.SessionAdmin)
	if err != nil {
		return err
	}
	if _, err := p.Sessions.ReadNow(v.ctx, scope); err != nil {
		return err
	}
	return v.redirect("/sessions/feed", "feed_read")
}

// dismissForm says that somebody has looked at an event that could not be read.
func (v *visit) dismissForm() *AccessForm {
	at := "/sessions/feed/" + pathEscape(v.c.Param("event")) + "/dismiss"
	page := v.accessForm(v.t("feed.dismiss"), v.t("feed.dismiss_say"), at, "/sessions/feed", v.t("feed.dismiss_do"))
	page.Nav, page.Crumbs = "sessions", []Link{v.sessionHome(), {v.t("feed.title"), "/sessions/feed"}}
	page.Lines = []string{v.t("feed.dismiss_1")}
	page.Fields = []FormField{v.entered("why", v.t("col.why"), "").rows(3)}
	return page
}

func (p *Portal) eventDismiss(v *visit) error { return v.render(v.dismissForm()) }

func (p *Portal) eventDismissDo(v *visit) error {
	scope, err := v.scope(policy.SessionAdmin)
	if err != nil {
		return err
	}
	why := v.formValue("why")
	if why == "" {
		return v.invalid(v.dismissForm(), controlplane.Invalid(controlplane.Field{Pointer: "/why", Message: v.t("feed.why_missing")}))
	}
	if err := p.Sessions.Dismiss(v.ctx, scope, v.c.Param("event"), why); err != nil {
		return v.invalid(v.dismissForm(), err)
	}
	return v.redirect("/sessions/feed", "event_dismissed")
}
