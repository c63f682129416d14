package sample

import "ostler/web"

// accessSingle are one change, one notice and one entry by themselves.
func accessSingle(tx *web.Text) []Sample {
	t := tx.T
	fact := func(key string, hours float64) web.Fact { return web.Fact{Label: t(key), At: at(hours)} }
	word := func(key string, tone web.Tone, said string) web.Fact {
		return web.Fact{Label: t(key), State: state(tone, t(said))}
	}
	cp := customer("access", t("change.title"), t("changes.added", "name", "Karolina Oleksandra Brzęczyszczykiewicz")+".")
	cp.Sub, cp.Crumbs = t("change.sub", "from", "today 11:20", "known", "today 11:20"), []web.Link{link(t("access.title")), link(t("changes.title"))}
	change := &web.Access{Page: cp, Parts: accessNav(tx, false), Acts: []web.Act{{Label: t("event.to_notice"), Href: "#"}, {Label: t("event.to_grant"), Href: "#"}, {Label: t("change.entry"), Href: "#"}},
		Facts: []web.Fact{fact("changes.from", 2), fact("change.known", 2), fact("access.enforced", 1.9), fact("changes.told", 1), fact("notices.read", 0.2), word("changes.acknowledged", web.ToneBusy, "changes.not_acknowledged")},
		Pairs: []web.Pair{{Label: t("col.person"), Value: "Karolina Oleksandra Brzęczyszczykiewicz"}, {Label: t("access.how"), Value: join(t("way.teleport"), "Everything on the server, root included")}, {Label: t("change.where"), Value: t("access.all_servers")},
			{Label: t("col.why"), Value: "Moves the database"}, {Label: t("change.column"), Value: t("changes.listed")}, {Label: t("col.until"), Value: "Thu 31 Dec 23:59"}, {Label: "Id", Value: "chg_06h05gt9k2b8w4m1x7z3n5q6rt", Mono: true}},
		Events: []web.Event{{At: at(2), Text: "Karolina Oleksandra Brzęczyszczykiewicz was put on an access list.", Detail: "Moves the database.", Who: "Ada Keller", Href: "/activity/1"}}}
	up := ops("access", t("change.title"), t("changes.seen", "name", t("changes.somebody"))+".")
	up.Sub = t("change.sub", "from", "Fri 20 Nov 01:15", "known", "today 02:10")
	unknown := &web.Access{Page: up, Parts: accessNav(tx, true), Facts: []web.Fact{fact("changes.from", 30), fact("change.known", 12), fact("access.enforced", 30), word("changes.told", web.ToneUnknown, "access.never_told")},
		Pairs: []web.Pair{{Label: t("col.person"), Value: t("access.nobody_known")}, {Label: t("letin.found"), Value: "SHA256:Jb3m0r6qk8kq4x1Vd0c9bQ2p7e5Q0u1Wv3y8Zt6aLmE", Mono: true}, {Label: t("access.how"), Value: join(t("way.login"), "root")}, {Label: t("change.where"), Value: "shop-1"}, {Label: t("change.column"), Value: t("changes.enforced")}}}
	return append([]Sample{{"change-told", change}, {"change-unknown", unknown}}, accessCalls(tx)...)
}

// accessCalls are a notice that reached nobody, the call, and the review of an entry.
func accessCalls(tx *web.Text) []Sample {
	t := tx.T
	items := web.Section{ID: "items", Title: t("notice.items"), Grid: web.Grid{Heads: heads(tx, "changes.what", "col.why", "changes.from", "access.enforced", "changes.told", "changes.acknowledged"), Rows: []web.GridRow{
		row(web.Cell{Link: link(t("changes.removed", "name", "Mia Roth")), Notes: []string{t("way.physical")}}, web.Cell{Link: web.Link{Label: t("changes.why_left")}}, when(45), said(web.ToneUnknown, t("access.by_hand")), said(web.ToneBusy, t("access.not_told")), said(web.ToneBusy, t("changes.not_acknowledged")))}}}
	mails := web.Section{ID: "mails", Title: t("notice.mails"), Lead: t("notice.mails_lead"), Grid: web.Grid{Heads: heads(tx, "notice.to", "col.state", "col.when"), Rows: []web.GridRow{row(web.Cell{Link: web.Link{Label: "Jonas Weber"}}, said(web.ToneBad, t("mailstate.bounced"), "550 no such mailbox"), when(44))}}}
	np := ops("access", t("notices.notice"), t("notice.say", "n", 1, "state", t("notice.unreachable")))
	np.Tone, np.Problem = web.ToneBad, &web.Problem{Cause: t("notice.nobody"), Next: t("notice.nobody_next")}
	facts := []web.Fact{{Label: t("notices.opened"), At: at(45)}, {Label: t("notices.due"), At: at(21)}, {Label: t("notices.sent"), At: at(44.9)}, {Label: t("notices.accepted"), State: web.State{Word: "–"}}}
	nobody := &web.Access{Page: np, Parts: accessNav(tx, true), Acts: []web.Act{{Label: t("notice.call"), Href: "#", Strong: true}}, Facts: facts, Sections: []web.Section{items, mails}}
	tp := customer("access", t("notices.notice"), t("notice.say", "n", 1, "state", t("notice.called")))
	tp.Tone = web.ToneGood
	called := &web.Access{Page: tp, Parts: accessNav(tx, false), Acts: []web.Act{{Label: t("notice.acknowledge"), Href: "#", Post: true, Strong: true}}, Facts: append(facts[:3:3], web.Fact{Label: t("notice.call_fact"), At: at(1)}),
		Pairs: []web.Pair{{Label: t("notice.call_note"), Value: "Ines Moreau: she knows, and changes the address of Jonas Weber."}}, Sections: []web.Section{items, mails}}
	call := &web.AccessForm{Page: ops("access", t("notice.call"), t("notice.call_say", "company", "Maple Bakery")), Action: "#", Back: "#", Do: t("notice.call_do"), About: t("notice.items"),
		Answers: []web.Pair{{Label: "Thu 19 Nov 16:02", Value: t("changes.removed", "name", "Mia Roth") + ", " + t("changes.why_left")}},
		Fields: []web.FormField{{ID: "contact", Label: t("notice.call_who"), Options: []web.Choice{{Label: t("instructing.somebody")}, {Value: "Ines Moreau", Label: "Ines Moreau"}}}, {ID: "name", Label: t("notice.call_name"), Hint: t("notice.call_name_hint"), Optional: true},
			{ID: "on", Label: t("notice.call_on"), Type: "date", Value: "2026-11-21"}, {ID: "at", Label: t("access.at"), Type: "time", Value: "14:20"}, {ID: "said", Label: t("notice.call_said"), Hint: t("notice.call_said_hint"), Rows: 3}}}
	call.Errors = []web.FieldError{{Field: "name", Message: "Say whom you reached."}, {Field: "said", Message: "Say in a sentence what was said."}}
	review := &web.AccessForm{Page: ops("access", t("entries.review_title"), t("entries.review_say", "name", "Mara Voss", "way", "may stand before the machine")), Action: "#", Back: "#", Do: t("entries.review_do"), About: t("entries.review_about"),
		Lines:   []string{t("entries.review_1"), t("entries.review_2")},
		Answers: []web.Pair{{Label: t("col.person"), Value: "Mara Voss"}, {Label: t("access.how"), Value: t("way.physical")}, {Label: t("col.reason"), Value: "Changes disks"}, {Label: t("entries.review_due"), Value: "Friday 4 December"}},
		Fields:  []web.FormField{{ID: "review", Label: t("entries.review_next"), Type: "date", Hint: t("entries.review_hint")}, {ID: "note", Label: t("grant.note"), Hint: t("entries.review_note"), Rows: 3}}}
	return []Sample{{"notice-unreachable", nobody}, {"notice-called", called}, {"accessform-call", call}, {"accessform-review", review}}
}
