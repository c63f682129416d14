package sample

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"ostler/web"
)

// Cast is the recording that the samples play: eight minutes of somebody
// restarting a web server.
func Cast() []byte {
	var b strings.Builder
	b.WriteString(`{"version":2,"width":100,"height":28,"timestamp":1795338720}` + "\n")
	at, prompt := 0.4, "\\u001b[1;32mtomas@shop-1\\u001b[0m:\\u001b[1;34m~\\u001b[0m$ "
	say := func(wait float64, s string) {
		at += wait
		fmt.Fprintf(&b, "[%.3f,\"o\",\"%s\"]\n", at, s)
	}
	say(0, prompt)
	for _, c := range []struct{ command, answer string }{
		{"systemctl status nginx", `\u001b[1;31m●\u001b[0m nginx.service - A high performance web server\r\n     Active: \u001b[1;31mfailed\u001b[0m (Result: exit-code)\r\n`},
		{"sudo nginx -t", `nginx: [emerg] unknown directive \"serverr_name\" in /etc/nginx/sites-enabled/shop:4\r\n`},
		{"sudo sed -i s/serverr_name/server_name/ /etc/nginx/sites-enabled/shop", ""},
		{"sudo systemctl restart nginx", ""},
		{"curl -sI https://shop.example | head -1", `HTTP/2 200\r\n`},
		{"exit", `logout\r\n`},
	} {
		for _, k := range c.command {
			say(0.07, strings.ReplaceAll(string(k), `"`, `\"`))
		}
		say(0.2, `\r\n`+c.answer)
		say(78, prompt)
	}
	return []byte(b.String())
}

const castLength = 482 * time.Second

func auditor(title, say string) web.Page {
	p := nobody(title, say)
	p.Nav = "sessions"
	p.Viewer = web.Viewer{Name: "Helle Nyberg", Company: "Maple Bakery", Auditor: true, May: map[string]bool{"session.watch": true, "session.read": true, "access.read": true}}
	return p
}

func sessionSamples(tx *web.Text) []Sample {
	var all []Sample
	for _, f := range []func(*web.Text) []Sample{sessionLists, sessionPages, replays, sessionQueue, sessionOps, connected, sessionForms} {
		all = append(all, f(tx)...)
	}
	return all
}

func sessionNav(tx *web.Text, current string, keys ...string) (out []web.Filter) {
	if len(keys) == 0 {
		keys = []string{"sessions.title", "queue.title", "search.title", "logins.title", "viewings.title", "holds.title", "draws.title", "feed.title"}
	}
	for _, k := range keys {
		out = append(out, web.Filter{Label: tx.T(k), Href: "#main", Current: k == current, Count: -1})
	}
	return out
}

func sessionHeads(tx *web.Text) []string {
	return heads(tx, "col.person", "session.began", "col.server", "session.purpose_of", "session.what", "session.recording", "session.review")
}

// sessionRows are sessions in every state that a list shows.
func sessionRows(tx *web.Text, staff bool) []web.GridRow {
	t := tx.T
	who := func(name string, notes ...string) web.Cell {
		if !staff {
			notes = nil
		}
		return lead(name, notes...)
	}
	rows := []web.GridRow{
		row(who("Tomas Lind", t("session.as", "login", "tomas")), when(0.4, t("session.running", "span", "24 min")), word("shop-1", "Maple Bakery"), ticket("OPS-1402", "The shop is down"), word(t("session.kind_terminal")), said(web.ToneBusy, t("recording.live")), web.Cell{Notes: []string{t("review.not_wanted")}}),
		row(who("Karolina Oleksandra Brzęczyszczykiewicz", t("session.as", "login", "root"), t("session.others", "n", 1)), when(4, "24 min"), word("shop-1", "Maple Bakery"), ticket("OPS-1311", "Moves the database", t("session.break_glass")), word(t("session.kind_terminal"), t("session.commands", "n", 14)), said(web.ToneGood, t("recording.recorded")), said(web.ToneWarn, t("review.overdue"), t("review.risk_of", "n", 72), "It was under emergency access.")),
		row(who("Jens Holm"), when(26, "2 min"), word("mail-7", "Maple Bakery, Harbour Mail"), said(web.ToneWarn, t("session.lacks", "what", t("session.lack_ticket"))), word(t("session.kind_exec")), said(web.ToneWarn, t("recording.unrecorded")), web.Cell{Notes: []string{t("review.not_wanted")}}),
		row(who(t("session.who_user", "user", "deploy-bot")), when(28, t("session.endless")), word("old-node-3", t("session.no_server")), said(web.ToneWarn, t("session.lacks", "what", t("session.lack_person")+" "+t("word.and")+" "+t("session.lack_grant"))), word(t("session.kind_terminal")), said(web.ToneBad, t("recording.missing")), said(web.ToneBusy, t("review.waiting"), t("review.risk_of", "n", 100))),
		row(who("Tomas Lind"), when(50, "12 min"), word("shop-1", "Maple Bakery"), ticket("OPS-1399", "Restart of the web server"), word(t("session.kind_sftp")), said(web.ToneGood, t("recording.recorded")), said(web.ToneGood, t("review.fine"))),
		row(who("Mia Roth"), when(9000, "3 h"), word("shop-1", "Maple Bakery"), ticket("OPS-0871", "Moves to the new machine"), word(t("session.kind_terminal"), t("session.commands", "n", 212)), said(web.ToneUnknown, t("recording.deleted", "when", "Sunday 15 November")), said(web.ToneBad, t("review.violation"))),
	}
	for i := range rows {
		if !staff { // others on the server, and the risk, are not theirs to see
			rows[i].Cells[2].Notes = nil
			rows[i].Cells[6].Notes = nil
		}
	}
	return rows
}

func sessionLists(tx *web.Text) []Sample {
	t := tx.T
	p := ops("sessions", t("sessions.title"), "There is no recording of a session on old-node-3. "+t("sessions.others", "n", 2, "number", "Two"))
	p.Tone, p.Sub = web.ToneBad, t("sessions.latest", "when", "today 13:56")
	sift := &web.Sift{Action: "#", Do: t("access.show"), Clear: "#", Fields: []web.FormField{{ID: "show", Label: t("sessions.show"), Options: []web.Choice{{Value: "", Label: t("sessions.any")}, {Value: "live", Label: t("sessions.live"), Chosen: true}}},
		{ID: "from", Label: t("sessions.since"), Type: "date"}, {ID: "to", Label: t("sessions.until"), Type: "date", Value: "2026-11-20"}}}
	full := &web.Sessions{Page: p, Parts: sessionNav(tx, "sessions.title"), Sift: sift,
		Truths:   []web.State{state(web.ToneWarn, t("feed.read", "when", "today 14:19:52")+"; "+t("feed.unread", "n", 2)+".")},
		Needs:    []web.Need{{State: state(web.ToneBad, t("severity.bad")), Title: "There is no recording of a session on old-node-3", Cause: "The cluster never announced one. The session began yesterday 10:20.", Since: at(27), Action: web.Link{Label: "Open the session", Href: "#"}, Strong: true}},
		Sections: []web.Section{{ID: "sessions", Title: t("sessions.list"), Grid: web.Grid{Heads: sessionHeads(tx), Rows: sessionRows(tx, true)}, Pager: web.Pager{Next: "#"}}}}
	wrong := *full
	wrong.Errors = []web.FieldError{{Field: "to", Message: t("activity.no_day")}}
	calm := ops("sessions", t("sessions.title"), t("sessions.say"))
	calm.Tone = web.ToneGood
	good := &web.Sessions{Page: calm, Parts: sessionNav(tx, "sessions.title"), Truths: []web.State{state(web.ToneGood, t("feed.read", "when", "today 14:19:52")+".")}, Sift: sift, Sections: []web.Section{{ID: "sessions", Title: t("sessions.list"), Grid: web.Grid{Heads: sessionHeads(tx), Rows: sessionRows(tx, true)[4:5]}}}}
	none := ops("sessions", t("sessions.title"), t("feed.none"))
	none.Tone = web.ToneUnknown
	empty := &web.Sessions{Page: none, Parts: sessionNav(tx, "sessions.title"), Truths: []web.State{state(web.ToneUnknown, t("feed.none"))}, Sections: []web.Section{{ID: "sessions", Title: t("sessions.list"), Empty: t("sessions.empty")}}}
	return []Sample{{"sessions-full", full}, {"sessions-wrong", &wrong}, {"sessions-good", good}, {"sessions-empty", empty}}
}

// oneSession is a session that was recorded and judged; the others are made of it.
func oneSession(tx *web.Text) *web.OneSession {
	t := tx.T
	p := ops("sessions", t("session.title"), t("session.say", "who", "Tomas Lind", "where", "shop-1", "when", "today 09:12", "span", "24 min"))
	p.Tone, p.Sub, p.Crumbs = web.ToneGood, t("session.kind_terminal")+", "+t("session.commands", "n", 14), []web.Link{link(t("sessions.title"))}
	sum := strings.Repeat("9f86d081884c7d65", 4)
	done := state(web.ToneGood, t("course.done"))
	return &web.OneSession{Page: p, Parts: sessionNav(tx, ""),
		Facts:   []web.Fact{{Label: t("col.server"), Link: link("shop-1")}, {Label: t("col.customers"), State: web.State{Word: "Maple Bakery"}}, {Label: t("session.began"), At: at(5)}, {Label: t("session.lasted"), State: web.State{Word: "24 min"}}, {Label: t("session.recording"), State: state(web.ToneGood, t("recording.recorded"))}, {Label: t("session.review"), State: state(web.ToneGood, t("review.fine"))}},
		Ground:  []web.Pair{{Label: t("col.person"), Value: "Tomas Lind"}, {Label: t("session.user"), Value: "tomas", Mono: true}, {Label: t("session.login"), Value: "tomas", Mono: true}, {Label: t("session.from"), Value: "198.51.100.7:52044", Mono: true}, {Label: t("col.reason"), Value: "Restart of the web server"}, {Label: t("session.role"), Value: "Looks after services, without root, " + t("session.grant_normal")}},
		Tickets: ticket("OPS-1402"),
		Course:  []web.Step{{State: done, Text: t("course.began"), At: at(5)}, {State: done, Text: t("course.ended"), At: at(4.6)}, {State: done, Text: t("course.stored"), At: at(4.59)}, {State: web.State{Word: t("course.later")}, Text: t("course.kept"), At: at(-8000)}},
		Watch:   &web.WatchBox{Action: "#", Lead: t("watch.lead", "span", "24:03"), Do: t("watch.do"), Purposes: []web.RoleChoice{{Value: "review", Label: t("purpose.review"), Note: t("purpose.review_note"), Chosen: true}, {Value: "support", Label: t("purpose.support"), Note: t("purpose.support_note")}}},
		Review:  &web.ReviewBox{State: state(web.ToneGood, t("review.fine")), Lead: t("review.lead_reviewed", "name", "Ada Keller", "when", "today 12:40"), Lines: []string{t("review.because_sample")}, Pairs: []web.Pair{{Label: t("review.watched"), Value: t("review.watched_of", "percent", 100)}}, Acts: []web.Act{{Label: t("review.ask"), Href: "#"}}},
		Proof:   &web.Proof{State: state(web.ToneGood, t("proof.intact")), Lead: t("proof.intact_lead", "when", "today 11:00"), Sums: []web.Pair{{Label: t("proof.events"), Value: sum}, {Label: t("proof.cast"), Value: sum}}, Ledger: link(t("proof.ledger")), Checks: []web.Act{{Label: t("proof.check"), Href: "#", Post: true}}},
		Sections: []web.Section{
			{ID: "participants", Title: t("participant.title"), Grid: web.Grid{Heads: heads(tx, "col.person", "participant.joined", "participant.left", "participant.mode"), Rows: []web.GridRow{row(word("Tomas Lind", "tomas"), when(5), when(4.6), word(t("participant.peer"))), row(web.Cell{Link: web.Link{Label: "shared"}, State: state(web.ToneWarn, t("participant.several", "n", 2))}, when(4.9), when(4.8), word(t("participant.observer")))}}},
			{ID: "commands", Title: t("commands.title"), Lead: t("commands.said", "n", 14, "some", "systemctl status nginx, sudo nginx -t and sudo systemctl restart nginx"), Grid: web.Grid{Heads: heads(tx, "commands.at", "commands.command", "commands.ended"), Rows: []web.GridRow{row(word("0:02"), web.Cell{Link: web.Link{Label: "systemctl status nginx"}, Code: true}, word(t("commands.exit", "code", "3"), t("commands.kernel"))), row(word("1:21"), web.Cell{Link: web.Link{Label: "sudo sed -i s/serverr_name/server_name/ /etc/nginx/sites-enabled/shop"}, Code: true}, word("", t("commands.screen")))}}, Notes: []string{t("commands.more", "n", 12)}},
			viewingsOf(tx, false),
		},
		Acts:   []web.Act{{Label: t("session.hold"), Href: "#"}, {Label: t("session.open_grant"), Href: "#"}, {Label: t("session.open_person"), Href: "#"}},
		Events: []web.Event{{At: at(4.59), Tone: web.ToneGood, Text: "The recording was stored.", Href: "/activity/x"}, {At: at(5), Text: "Tomas Lind began a session on shop-1.", Who: "Teleport"}},
	}
}

func viewingsOf(tx *web.Text, several bool) web.Section {
	t := tx.T
	sec := web.Section{ID: "viewings", Title: t("viewings.list"), Lead: t("viewings.lead"), Grid: web.Grid{Heads: heads(tx, "viewings.who", "viewings.when", "viewings.how", "viewings.why", "viewings.watched")}}
	sec.Grid.Rows = []web.GridRow{row(word("Ada Keller", t("viewing.staff")), when(2), word(t("viewing.player")), word(t("purpose.review")), word("24:03")),
		row(word("Helle Nyberg", t("viewing.auditor")), when(1), word(t("viewing.search"), t("viewings.query", "words", "restart nginx")), word(t("purpose.audit")), web.Cell{})}
	if several {
		sec.Grid.Heads = append(sec.Grid.Heads, "")
		for i := range sec.Grid.Rows {
			sec.Grid.Rows[i].Cells = append(sec.Grid.Rows[i].Cells, todo(t("viewings.session")))
		}
	}
	return sec
}

func sessionPages(tx *web.Text) []Sample {
	t := tx.T
	out := []Sample{{"session-reviewed", oneSession(tx)}}
	add := func(name string, tone web.Tone, say string, recording, review web.State, why string, change func(*web.OneSession)) {
		s := oneSession(tx)
		s.Say, s.Tone = say, tone
		s.Facts[4].State, s.Facts[5].State, s.Review.State = recording, review, review
		if why != "" {
			s.Watch = &web.WatchBox{Why: &web.Problem{Cause: t(why), Next: t(why + "_next")}}
		}
		change(s)
		out = append(out, Sample{"session-" + name, s})
	}
	none := web.State{Word: t("review.not_wanted")}
	add("live", web.ToneBusy, t("session.say_live", "who", "Tomas Lind", "where", "shop-1", "when", "today 13:56", "span", "24 min"), state(web.ToneBusy, t("recording.live")), none, "watch.live", func(s *web.OneSession) {
		s.Proof, s.Course = nil, []web.Step{s.Course[0], {State: state(web.ToneBusy, t("course.now")), Text: t("course.runs")}}
		s.Review = &web.ReviewBox{State: none, Lead: t("review.lead_not_wanted")}
		s.Sections = s.Sections[:1]
	})
	add("awaited", web.ToneBusy, s0(tx), state(web.ToneBusy, t("recording.awaited")), none, "watch.awaited", func(s *web.OneSession) {
		s.Proof, s.Course = nil, append(s.Course[:2:2], web.Step{State: state(web.ToneBusy, t("course.now")), Text: t("course.awaited"), Note: t("course.awaited_note", "when", "today 14:35")})
	})
	add("missing", web.ToneBad, s0(tx)+" "+t("session.but_missing"), state(web.ToneBad, t("recording.missing")), state(web.ToneBusy, t("review.waiting")), "watch.missing", func(s *web.OneSession) {
		s.Proof, s.Review = nil, &web.ReviewBox{State: state(web.ToneBusy, t("review.waiting")), Lead: t("review.lead_missing"), Lines: []string{t("review.because_risk"), "There is no recording of it.", "No ticket says why."}, Pairs: []web.Pair{{Label: t("review.risk"), Value: t("review.risk_of", "n", 65)}, {Label: t("review.due"), Value: "Sat 28 Nov 09:36"}}}
		s.Course = append(s.Course[:1:1], web.Step{State: state(web.ToneWarn, t("course.lacking")), Text: t("course.no_end"), Note: t("course.no_end_note")}, web.Step{State: state(web.ToneBad, t("course.lacking")), Text: t("course.missing"), Note: t("course.missing_note")})
		s.Tickets = web.Cell{}
		s.Ground = append(s.Ground[:4:4], web.Pair{Label: t("session.missing"), Value: "For which ticket. " + t("session.missing_note")})
		s.Acts = append([]web.Act{{Label: t("session.fetch"), Href: "#", Post: true}}, s.Acts...)
	})
	add("unrecorded", web.ToneWarn, s0(tx)+" "+t("session.but_unrecorded"), state(web.ToneWarn, t("recording.unrecorded")), none, "watch.unrecorded", func(s *web.OneSession) {
		s.Proof, s.Review = nil, &web.ReviewBox{State: none, Lead: t("review.lead_not_wanted")}
		s.Course = append(s.Course[:2:2], web.Step{State: state(web.ToneWarn, t("course.lacking")), Text: t("course.unrecorded"), Note: t("course.unrecorded_note")})
		s.Ground = append(s.Ground, web.Pair{Label: t("session.command"), Value: "systemctl restart nginx", Mono: true})
	})
	add("deleted", web.ToneUnknown, s0(tx), state(web.ToneUnknown, t("recording.deleted", "when", "Sunday 15 November")), state(web.ToneGood, t("review.fine")), "watch.deleted", func(s *web.OneSession) {
		s.Proof.State, s.Proof.Lead, s.Proof.Checks = state(web.ToneUnknown, t("proof.deleted")), t("proof.deleted_lead"), nil
		s.Course[3] = web.Step{State: state(web.ToneUnknown, t("course.gone")), Text: t("course.deleted"), Note: t("recording.why_term"), At: at(140)}
	})
	add("changed", web.ToneBad, s0(tx)+" "+t("session.but_changed"), state(web.ToneBad, t("recording.changed")), state(web.ToneBusy, t("review.waiting")), "watch.changed", func(s *web.OneSession) {
		s.Proof.State, s.Proof.Lead = state(web.ToneBad, t("proof.changed")), t("proof.changed_lead", "when", "today 11:00")
		s.Course[3] = web.Step{State: state(web.ToneBusy, t("course.held")), Text: t("course.hold", "n", 1), Note: t("course.hold_until", "when", "Mon 21 Dec 09:00")}
	})
	add("claimed", web.ToneWarn, s0(tx), state(web.ToneGood, t("recording.recorded")), state(web.ToneBusy, t("review.claimed")), "", func(s *web.OneSession) {
		s.Problem = &web.Problem{Cause: "Mara Voss reviews this session until today 14:28", Next: "Take another one, or come back then."}
		s.Review.Lead = t("review.lead_claimed", "name", "Mara Voss", "when", "today 14:28")
	})
	add("own", "", s0(tx), state(web.ToneGood, t("recording.recorded")), state(web.ToneBusy, t("review.waiting")), "", func(s *web.OneSession) {
		s.Problem = &web.Problem{Cause: "You took part in this session, under the name tomas-admin", Next: "Somebody else reviews it."}
	})
	add("question", web.ToneWarn, s0(tx)+" "+t("session.said_review", "what", t("review.asked")), state(web.ToneWarn, t("recording.partial")), state(web.ToneWarn, t("review.asked")), "", func(s *web.OneSession) {
		s.Watch.Lead += " " + t("watch.partial")
		s.Review.Lead, s.Review.Pairs = t("review.lead_asked", "name", "Ada Keller"), []web.Pair{{Label: t("review.text"), Value: "Why was the configuration changed at 1:21?"}}
		s.Review.Acts = []web.Act{{Label: t("review.answer_do"), Href: "#", Strong: true}}
	})
	return append(out, Sample{"session-theirs", theirSession(tx)})
}

// theirSession is a session as a customer without recordings sees it.
func theirSession(tx *web.Text) *web.OneSession {
	t := tx.T
	theirs := oneSession(tx)
	theirs.Viewer, theirs.Nav, theirs.Crumbs, theirs.Parts = customer("", "", "").Viewer, "connected", []web.Link{link(t("connected.title"))}, sessionNav(tx, "", "connected.title", "connected.viewings", "draws.title")
	theirs.Facts = append(theirs.Facts[:1:1], theirs.Facts[2:]...)
	theirs.Ground = append(theirs.Ground[:1:1], theirs.Ground[4:]...)
	theirs.Watch = &web.WatchBox{Why: &web.Problem{Cause: t("watch.terms"), Next: t("watch.terms_next")}}
	theirs.Review.Lines, theirs.Proof.Checks, theirs.Acts, theirs.Sections = nil, nil, nil, theirs.Sections[1:]
	return theirs
}

func s0(tx *web.Text) string {
	return tx.T("session.say", "who", "Tomas Lind", "where", "shop-1", "when", "today 09:12", "span", "24 min")
}

func replays(tx *web.Text) []Sample {
	t := tx.T
	second := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	p := ops("sessions", t("replay.title"), t("replay.say", "who", "Tomas Lind", "where", "shop-1", "when", "today 09:12", "span", "8:02"))
	p.Sub, p.Crumbs = t("replay.sub"), []web.Link{link(t("sessions.title")), link(t("session.title"))}
	keys := []web.Pair{}
	for _, k := range [][2]string{{"Space", "replay.key_play"}, {"← →", "replay.key_seek"}, {"[ ]", "replay.key_command"}, {"< >", "replay.key_speed"}, {"i", "replay.key_skip"}, {"n", "replay.key_note"}, {"v", "replay.key_verdict"}, {"Esc", "replay.key_leave"}} {
		keys = append(keys, web.Pair{Label: k[0], Value: t(k[1])})
	}
	run := func(s float64, command, note string) web.MomentRow {
		return web.MomentRow{At: second(s), Kind: "command", Word: t("moment.command"), Text: command, Code: true, Note: note}
	}
	idle := func(s float64) web.MomentRow {
		return web.MomentRow{At: second(s), Kind: "idle", Word: t("moment.idle"), Text: t("moment.idle_for", "span", "78 s")}
	}
	var lines []web.LineRow
	for i, s := range []string{"tomas@shop-1:~$ systemctl status nginx", "● nginx.service - A high performance web server", "     Active: failed (Result: exit-code)", "tomas@shop-1:~$ sudo nginx -t", `nginx: [emerg] unknown directive "serverr_name" in /etc/nginx/sites-enabled/shop:4`, "(full-screen program for 12 s)", "tomas@shop-1:~$ sudo systemctl restart nginx"} {
		lines = append(lines, web.LineRow{At: second(float64(i) * 40), Text: s})
	}
	review := &web.Replay{Page: p, Keys: keys, Watched: t("replay.watched", "span", "3:40"),
		Facts:   []web.Fact{{Label: t("session.integrity"), State: state(web.ToneGood, t("proof.intact")), Note: t("proof.intact_lead", "when", "today 11:00")}, {Label: t("session.purpose_of"), State: web.State{Word: "OPS-1402"}, Note: "Restart of the web server"}, {Label: t("session.review"), State: state(web.ToneBusy, t("review.claimed"))}},
		Player:  web.Player{Cast: "/sample.cast", Watched: "/sample.watched", Viewing: "vwg_1", Size: int64(len(Cast())), Duration: castLength.Milliseconds(), Columns: 100, Height: 28},
		Strip:   web.Strip{Label: t("strip.label", "commands", t("session.commands", "n", 6), "idle", "7 min", "length", "8:02", "n", 1), Marks: template.HTML(`<rect class="idle" x="4" y="0" width="160" height="36"/><line class="command" x1="3" x2="3" y1="8" y2="36"/><line class="command" x1="168" x2="168" y1="8" y2="36"/><line class="note" x1="330" x2="330" y1="0" y2="14"/>`)},
		Moments: []web.MomentRow{run(0.4, "systemctl status nginx", join(t("commands.exit", "code", "3"), t("commands.kernel"))), idle(2), run(80, "sudo nginx -t", t("commands.screen")), idle(82), {At: second(160), Kind: "file", Word: t("moment.file"), Text: "/etc/nginx/sites-enabled/shop"}, run(162, "sudo sed -i s/serverr_name/server_name/ /etc/nginx/sites-enabled/shop", t("commands.screen"))}, MoreOf: 3,
		Lines: lines, Later: web.Pager{Next: "#transcript"},
		Notes:   []web.NoteRow{{At: second(160), Text: "Here the configuration is changed", By: "Ada Keller", MadeAt: at(1), Shown: true}},
		Noting:  &web.NoteForm{Action: "#", Viewing: "vwg_1", At: "0:00", MayShow: true},
		Verdict: &web.VerdictForm{Action: "#", Viewing: "vwg_1", Version: 3, Unclaim: "#", Choices: []web.RoleChoice{{Value: "fine", Label: t("verdict.fine"), Note: t("verdict.fine_note")}, {Value: "question", Label: t("verdict.question"), Note: t("verdict.question_note")}, {Value: "violation", Label: t("verdict.violation"), Note: t("verdict.violation_note")}}}}
	wrong := *review
	wrong.Errors = []web.FieldError{{Field: "at", Message: t("note.bad_at")}, {Field: "verdict-text", Message: t("verdict.text_missing")}}
	audit := *review
	audit.Page = auditor(t("replay.title"), p.Say)
	audit.Sub, audit.Crumbs = p.Sub, []web.Link{link(t("recordings.title")), link(t("session.title"))}
	audit.Watermark = "Helle Nyberg · 2026-11-21 14:20:00 CET"
	audit.Mark, audit.Marked, audit.Verdict, audit.Noting = "Helle Nyberg", at(0), nil, &web.NoteForm{Action: "#", Viewing: "vwg_2", At: "0:00"}
	bare := audit
	bare.Lines, bare.Moments, bare.Notes, bare.MoreOf, bare.Noting, bare.Later = nil, nil, nil, 0, nil, web.Pager{}
	bare.Player.Cast = "/sample.gone"
	return []Sample{{"replay-review", review}, {"replay-wrong", &wrong}, {"replay-auditor", &audit}, {"replay-empty", &bare}}
}
