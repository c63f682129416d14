package sample

import (
	"strings"
	"time"

	"ostler/web"
)

func sessionQueue(tx *web.Text) []Sample {
	t := tx.T
	n := func(key, n string) web.Fact { return web.Fact{Label: t(key), State: web.State{Word: n}} }
	figures := []web.Fact{n("queue.waiting", "12"), n("queue.overdue", "2"), n("queue.asked", "1"), n("queue.reviewed", "48"), {Label: t("queue.watched"), State: web.State{Word: "31 h"}, Note: t("queue.watched_note")}}
	p := ops("sessions", t("queue.title"), t("queue.say_overdue", "n", 2, "number", "Two"))
	p.Tone, p.Sub, p.Crumbs = web.ToneWarn, t("queue.own", "n", 1), []web.Link{link(t("sessions.title"))}
	sift := &web.Sift{Action: "#", Do: t("access.show"), Fields: []web.FormField{{ID: "because", Label: t("queue.because"), Options: []web.Choice{{Label: t("sessions.any")}, {Value: "risk", Label: t("queue.by_risk")}}}, {ID: "mine", Label: t("queue.whose"), Options: []web.Choice{{Label: t("queue.everybody")}, {Value: "1", Label: t("queue.mine")}}}}}
	grid := web.Grid{Heads: heads(tx, "col.person", "session.began", "col.server", "queue.because", "session.recording", "review.due", "session.review"), Rows: []web.GridRow{
		row(lead("Karolina Oleksandra Brzęczyszczykiewicz", t("session.as", "login", "root")), when(200, "24 min"), word("shop-1", "Maple Bakery"), word(t("review.because_risk"), t("review.risk_of", "n", 72), "It was under emergency access.", "They were root from the beginning."), said(web.ToneGood, t("recording.recorded")), when(32), said(web.ToneWarn, t("review.overdue"))),
		row(lead("Jens Holm"), when(50, "2 min"), word("mail-7", "Harbour Mail"), word(t("review.because_sample")), said(web.ToneGood, t("recording.recorded")), when(-100), said(web.ToneBusy, t("review.claimed"))),
		row(lead(t("session.who_user", "user", "deploy-bot")), when(28, t("session.endless")), word("old-node-3"), word(t("review.because_asked"), t("review.risk_of", "n", 100)), said(web.ToneBad, t("recording.missing")), when(-120), said(web.ToneBusy, t("review.waiting"))),
	}}
	full := &web.Sessions{Page: p, Parts: sessionNav(tx, "queue.title"), Facts: figures, Sift: sift, Sections: []web.Section{{ID: "queue", Title: t("queue.list"), Lead: t("queue.lead"), Grid: grid}}}
	calm := ops("sessions", t("queue.title"), t("queue.say_none"))
	calm.Tone = web.ToneGood
	empty := &web.Sessions{Page: calm, Parts: sessionNav(tx, "queue.title"), Facts: figures[:1], Sections: []web.Section{{ID: "queue", Title: t("queue.list"), Lead: t("queue.lead"), Empty: t("queue.empty")}}}
	d := ops("sessions", t("draws.title"), t("draws.say"))
	hex := strings.Repeat("0a1b2c3d", 8)
	draws := &web.Sessions{Page: d, Parts: sessionNav(tx, "draws.title"), Sections: []web.Section{{ID: "draws", Title: t("draws.list"), Grid: web.Grid{Heads: heads(tx, "draws.day", "col.state", "draws.percent", "draws.drawn", "draws.commitment", "draws.seed"), Rows: []web.GridRow{
		row(word("2026-11-22"), said(web.ToneBusy, t("draws.committed")), word(t("draws.percent_of", "n", 5)), web.Cell{}, web.Cell{Link: web.Link{Label: hex}, Code: true}, web.Cell{Notes: []string{t("draws.later")}}),
		row(word("2026-11-20"), said(web.ToneGood, t("draws.revealed")), word(t("draws.percent_of", "n", 5)), word(t("draws.of", "drawn", 2, "n", 41)), web.Cell{Link: web.Link{Label: hex}, Code: true}, web.Cell{Link: web.Link{Label: hex}, Code: true, Notes: []string{"yesterday 01:00"}}),
	}}}, {ID: "how", Title: t("draws.how"), Lead: t("draws.how_lead"), Items: []string{t("draws.how_1"), t("draws.how_2"), t("draws.how_3"), t("draws.how_4")}, Pre: t("draws.how_code")}}}
	return []Sample{{"queue-full", full}, {"queue-empty", empty}, {"draws-full", draws}, {"draws-empty", &web.Sessions{Page: d, Parts: sessionNav(tx, "draws.title"), Sections: []web.Section{{ID: "draws", Title: t("draws.list"), Empty: t("draws.empty")}}}}}
}

func sessionOps(tx *web.Text) []Sample {
	t := tx.T
	page := func(key, say string, tone web.Tone) web.Page {
		p := ops("sessions", t(key), say)
		p.Tone, p.Crumbs = tone, []web.Link{link(t("sessions.title"))}
		return p
	}
	box := func(words string) *web.Sift {
		return &web.Sift{Action: "#", Do: t("find.do"), Search: "q", Fields: []web.FormField{{ID: "q", Label: t("search.words"), Value: words, Type: "search"}, {ID: "from", Label: t("sessions.since"), Type: "date"}, {ID: "to", Label: t("sessions.until"), Type: "date"}}}
	}
	hit := web.SessionHit{Session: web.Link{Label: t("search.hit", "who", "Tomas Lind", "where", "shop-1"), Href: "#"}, Who: t("session.kind_terminal"), At: at(5), More: 3, Commands: []web.MomentRow{{At: 242 * time.Second, Text: "sudo systemctl restart nginx", Note: t("commands.screen"), Href: "#"}, {At: 3 * time.Hour, Text: "systemctl restart nginx --no-block && journalctl -u nginx --since '5 min ago' | tail -n 200", Note: t("commands.kernel"), Href: "#"}}}
	found := &web.Sessions{Page: page("search.title", t("search.found", "n", 1, "words", "restart nginx"), ""), Parts: sessionNav(tx, "search.title"), Sift: box("restart nginx"), Hits: []web.SessionHit{hit}, Pager: web.Pager{Next: "#"}}
	none := &web.Sessions{Page: page("search.title", t("search.none", "words", "rm -rf /"), ""), Parts: sessionNav(tx, "search.title"), Sift: box("rm -rf /"), Sections: []web.Section{{ID: "none", Title: t("search.list"), Empty: t("search.empty")}}}
	ask := &web.Sessions{Page: page("search.title", t("search.say"), ""), Parts: sessionNav(tx, "search.title"), Sift: box("")}
	loginHeads := heads(tx, "logins.when", "col.server", "logins.how", "logins.account", "logins.from", "col.state", "")
	logins := &web.Sessions{Page: page("logins.title", "Somebody logged in to shop-1 past Teleport.", web.ToneBad), Parts: sessionNav(tx, "logins.title"), Sections: []web.Section{{ID: "logins", Title: t("logins.list"), Notes: []string{t("logins.what")}, Grid: web.Grid{Heads: loginHeads, Rows: []web.GridRow{
		row(when(3), word("shop-1"), word(t("login.ssh")), web.Cell{Link: web.Link{Label: "root"}, Code: true, Notes: []string{"SHA256:Jb3m0r6qk8kq4x1Vd0c9bQ2p7e5Q0u1Wv3y8Zt6aLmE"}}, web.Cell{Link: web.Link{Label: "203.0.113.9"}, Code: true}, said(web.ToneBad, t("login.outside")), todo(t("logins.explain"))),
		row(when(30), word("mail-7"), word(t("login.sudo")), web.Cell{Link: web.Link{Label: "jens"}, Code: true, Notes: []string{t("logins.became", "account", "root")}}, web.Cell{Link: web.Link{Label: "tty1"}, Code: true}, said(web.ToneUnknown, t("login.explained"), "Teleport was down", "Ada Keller"), web.Cell{}),
		row(when(1), word("shop-1"), word(t("login.console")), web.Cell{Link: web.Link{Label: "tomas"}, Code: true}, web.Cell{}, said(web.ToneBusy, t("login.awaited")), web.Cell{}),
	}}}}}
	noLogins := &web.Sessions{Page: page("logins.title", t("logins.say"), web.ToneGood), Parts: sessionNav(tx, "logins.title"), Sections: []web.Section{{ID: "logins", Title: t("logins.list"), Empty: t("logins.empty")}}}
	feedPage := page("feed.title", t("feed.stopped_since", "when", "yesterday 22:04", "why", "Teleport does not answer at teleport.example:443")+".", web.ToneBad)
	feedPage.Sub = t("feed.sub")
	facts := []web.Fact{{Label: t("feed.cluster"), State: web.State{Word: "teleport.example"}}, {Label: t("feed.read_to"), At: at(16)}, {Label: t("feed.read_at"), At: at(16)}, {Label: t("feed.events"), State: web.State{Word: "182 403"}}}
	feed := &web.Sessions{Page: feedPage, Parts: sessionNav(tx, "feed.title"), Facts: facts, Acts: []web.Act{{Label: t("feed.read_now"), Href: "#", Post: true}}, Sections: []web.Section{{ID: "unread", Title: t("feed.quarantine"), Lead: t("feed.quarantine_lead"), Grid: web.Grid{Heads: heads(tx, "feed.seen", "feed.type", "feed.at", "feed.size", "feed.reason", "col.state", ""), Rows: []web.GridRow{
		row(when(3), web.Cell{Link: web.Link{Label: "session.command"}, Code: true}, when(3.1), word("2.1 MB"), word("It is larger than an event may be"), said(web.ToneWarn, t("feed.open")), todo(t("feed.dismiss"))),
		row(when(30), web.Cell{Link: web.Link{Label: "–"}, Code: true}, web.Cell{Notes: []string{"–"}}, word("1.2 kB"), word("It has no time"), said(web.ToneUnknown, t("feed.resolved")), web.Cell{}),
	}}}}}
	noFeed := &web.Sessions{Page: page("feed.title", t("feed.read", "when", "today 14:19:52")+".", web.ToneGood), Parts: sessionNav(tx, "feed.title"), Facts: facts, Sections: []web.Section{{ID: "unread", Title: t("feed.quarantine"), Empty: t("feed.empty")}}}
	holds := &web.Sessions{Page: page("holds.title", t("holds.say", "n", 2, "number", "Two"), ""), Parts: sessionNav(tx, "holds.title"), Acts: []web.Act{{Label: t("holds.new"), Href: "#"}, {Label: t("holds.all"), Href: "#"}}, Sections: []web.Section{{ID: "holds", Title: t("holds.list"), Grid: web.Grid{Heads: heads(tx, "holds.what", "col.reason", "holds.by", "col.until", "col.state", ""), Rows: []web.GridRow{
		row(web.Cell{Link: link(t("holds.one"))}, word("Dispute about the outage of 12 November"), web.Cell{Link: web.Link{Label: "Ada Keller"}, At: at(90)}, when(-600), said(web.ToneGood, t("holds.stands")), todo(t("holds.release"))),
		row(web.Cell{Link: link("Maple Bakery"), Notes: []string{t("holds.span", "from", "Sunday 1 November", "to", t("holds.now"))}}, word("Investigation 2026-11"), web.Cell{Link: web.Link{Label: "Tomas Lind"}, At: at(200)}, word(t("holds.open")), said(web.ToneBusy, t("holds.asked"), t("holds.asked_by", "name", "Tomas Lind")), todo(t("holds.grant"))),
	}}}}}
	noHolds := &web.Sessions{Page: page("holds.title", t("holds.say_none"), ""), Parts: sessionNav(tx, "holds.title"), Sections: []web.Section{{ID: "holds", Title: t("holds.list"), Empty: t("holds.empty")}}}
	looks := &web.Sessions{Page: page("viewings.title", t("viewings.say"), ""), Parts: sessionNav(tx, "viewings.title"), Sections: []web.Section{viewingsOf(tx, true)}}
	return []Sample{{"commands-found", found}, {"commands-none", none}, {"commands-ask", ask}, {"logins-full", logins}, {"logins-empty", noLogins}, {"feed-stopped", feed}, {"feed-good", noFeed}, {"holds-full", holds}, {"holds-empty", noHolds}, {"viewings-full", looks}}
}

func connected(tx *web.Text) []Sample {
	t := tx.T
	nav := func(current string) []web.Filter {
		return sessionNav(tx, current, "connected.title", "connected.viewings", "draws.title")
	}
	page := func(say string, tone web.Tone) web.Page {
		p := customer("connected", t("connected.title"), say)
		p.Tone, p.Sub = tone, t("connected.sub")
		return p
	}
	sift := &web.Sift{Action: "#", Do: t("access.show"), Fields: []web.FormField{{ID: "from", Label: t("sessions.since"), Type: "date"}, {ID: "to", Label: t("sessions.until"), Type: "date"}}}
	rows := sessionRows(tx, false)
	rows[1].Cells[4].Notes = []string{t("commands.said", "n", 14, "some", "systemctl status nginx, sudo nginx -t and sudo systemctl restart nginx")}
	rows[1].Cells[6] = said(web.ToneBusy, t("review.waiting"))
	rows[3].Cells[0] = lead(t("session.who_unknown"))
	terms := web.Section{ID: "terms", Title: t("connected.terms"), Items: []string{t("connected.may_not_watch"), t("connected.may_commands"), t("connected.sample", "n", 5), t("connected.kept", "n", 12)}}
	outside := web.Section{ID: "outside", Title: t("connected.outside"), Lead: t("connected.outside_lead"), Grid: web.Grid{Heads: heads(tx, "logins.when", "col.server", "logins.how", "logins.account", "logins.from", "col.state", ""), Rows: []web.GridRow{row(when(3), word("shop-1"), word(t("login.ssh")), web.Cell{Link: web.Link{Label: "root"}, Code: true}, web.Cell{Link: web.Link{Label: "203.0.113.9"}, Code: true}, said(web.ToneBad, t("login.outside")), web.Cell{})}}}
	covered := state(web.ToneUnknown, t("coverage.sessions", "n", 12, "days", 30)+"; "+t("coverage.missing", "n", 1)+". "+t("coverage.silent", "n", 1, "servers", "shop-2"))
	full := &web.Sessions{Page: page("Somebody logged in to shop-1 without a recorded session. "+t("sessions.others", "n", 1), web.ToneBad), Parts: nav("connected.title"), Truths: []web.State{covered}, Sift: sift,
		Needs:    []web.Need{{State: state(web.ToneBad, t("severity.bad")), Title: "Somebody logged in to shop-1 without a recorded session", Cause: "The server's own records tell of it. We find out who it was, and write it there.", Since: at(3), Action: web.Link{Label: "See who connected", Href: "#"}, Strong: true}},
		Sections: []web.Section{{ID: "sessions", Title: t("connected.list"), Lead: t("connected.lead"), Grid: web.Grid{Heads: sessionHeads(tx), Rows: rows}}, outside, terms}}
	good := &web.Sessions{Page: page(t("coverage.sessions", "n", 12, "days", 30)+t("coverage.all"), web.ToneGood), Parts: nav("connected.title"), Sift: sift, Sections: []web.Section{{ID: "sessions", Title: t("connected.list"), Lead: t("connected.lead"), Grid: web.Grid{Heads: sessionHeads(tx), Rows: rows[4:5]}}, terms}}
	empty := &web.Sessions{Page: page(t("coverage.none", "days", 30)+t("coverage.nor_login"), web.ToneGood), Parts: nav("connected.title"), Sections: []web.Section{{ID: "sessions", Title: t("connected.list"), Empty: t("connected.empty")}, {ID: "terms", Title: t("connected.terms"), Items: []string{t("connected.may_watch"), t("connected.may_not_commands")}}}}
	unknown := &web.Sessions{Page: page(covered.Word, web.ToneUnknown), Parts: nav("connected.title"), Sections: []web.Section{{ID: "sessions", Title: t("connected.list"), Empty: t("connected.empty")}}}
	looks := customer("connected", t("connected.viewings"), t("connected.viewings_say"))
	looks.Sub = t("connected.viewings_sub")
	viewed := &web.Sessions{Page: looks, Parts: nav("connected.viewings"), Sections: []web.Section{viewingsOf(tx, true)}}
	nobody := *viewed
	nobody.Say, nobody.Sections = t("connected.viewings_none"), []web.Section{{ID: "viewings", Title: t("viewings.list"), Empty: t("viewings.empty")}}
	a := auditor(t("recordings.title"), t("recordings.say", "customers", "Maple Bakery and Harbour Mail", "period", t("recordings.between", "from", "Thursday 1 October", "to", "Sunday 15 November")))
	a.Sub = t("recordings.until", "when", "Mon 30 Nov 23:59", "span", "9 days")
	audit := &web.Sessions{Page: a, Parts: sessionNav(tx, "recordings.title", "recordings.title", "search.title", "draws.title"), Sift: sift, Sections: []web.Section{{ID: "recordings", Title: t("recordings.list"), Lead: t("recordings.lead"), Grid: web.Grid{Heads: sessionHeads(tx), Rows: sessionRows(tx, false)}}}}
	no := *audit
	no.Sections = []web.Section{{ID: "recordings", Title: t("recordings.list"), Lead: t("recordings.lead"), Empty: t("recordings.empty")}}
	return []Sample{{"connected-full", full}, {"connected-good", good}, {"connected-empty", empty}, {"connected-unknown", unknown}, {"connected-viewings", viewed}, {"connected-nobody", &nobody}, {"recordings-full", audit}, {"recordings-empty", &no}}
}

func sessionForms(tx *web.Text) []Sample {
	t := tx.T
	form := func(title, say, do string, lines []string, fields ...web.FormField) *web.AccessForm {
		p := ops("sessions", t(title), say)
		p.Crumbs = []web.Link{link(t("sessions.title"))}
		return &web.AccessForm{Page: p, Action: "#", Back: "#", Do: t(do), Lines: lines, Fields: fields}
	}
	why := web.FormField{ID: "why", Label: t("col.why"), Rows: 3}
	terms := form("sessionterms.title", t("sessionterms.say", "company", "Maple Bakery"), "terms.save", []string{t("sessionterms.months", "n", 12), t("sessionterms.told")},
		web.FormField{ID: "see", Label: t("sessionterms.see"), Ticks: []web.Choice{{Value: "commands", Label: t("sessionterms.commands"), Chosen: true}, {Value: "watch", Label: t("sessionterms.watch")}}}, web.FormField{ID: "percent", Label: t("sessionterms.percent"), Hint: t("sessionterms.percent_hint"), Type: "number", Value: "5"})
	hold := form("holds.new", t("holds.new_say"), "holds.do", []string{t("holds.new_1"), t("holds.new_2")}, web.FormField{ID: "customer", Label: t("col.customer"), Options: []web.Choice{{Label: t("holds.choose")}, {Value: "1", Label: "Maple Bakery"}}}, web.FormField{ID: "from", Label: t("holds.from"), Type: "date", Optional: true}, web.FormField{ID: "reason", Label: t("col.reason"), Rows: 3, Hint: t("holds.reason_hint")}, web.FormField{ID: "until", Label: t("col.until"), Type: "date", Optional: true, Hint: t("holds.until_hint")})
	hold.Errors = []web.FieldError{{Field: "reason", Message: t("holds.reason_missing")}}
	answer := form("review.answer_do", t("review.answer_say", "name", "Ada Keller"), "review.answer_send", nil, web.FormField{ID: "answer", Label: t("review.answer"), Rows: 4})
	answer.About, answer.Answers = t("review.text"), []web.Pair{{Label: "Ada Keller", Value: "Why was the configuration changed at 1:21?"}}
	return []Sample{{"sessionform-terms", terms}, {"sessionform-hold", hold}, {"sessionform-answer", answer},
		{"sessionform-login", form("logins.explain", t("logins.explain_say"), "logins.explain_do", []string{t("logins.explain_1"), t("logins.explain_2")}, web.FormField{ID: "why", Label: t("logins.why"), Rows: 3, Hint: t("logins.why_hint")})},
		{"sessionform-review", form("review.ask", t("review.ask_say", "who", "Tomas Lind", "when", "today 09:12"), "review.ask_do", []string{t("review.ask_1"), t("review.ask_2")}, why)},
		{"sessionform-release", form("holds.release", t("holds.release_say"), "holds.release_do", []string{t("holds.release_1"), t("holds.release_2")}, why)},
		{"sessionform-dismiss", form("feed.dismiss", t("feed.dismiss_say"), "feed.dismiss_do", []string{t("feed.dismiss_1")}, why)}}
}
