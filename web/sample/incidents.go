package sample

import (
	"strings"

	"ostler/web"
)

// incidentSamples are the pages of breaches, in every state.
func incidentSamples(tx *web.Text) []Sample {
	var all []Sample
	for _, f := range []func(*web.Text) []Sample{incidentLists, incidentCases, caseNotices, casePapers, incidentForms, ownIncidents} {
		all = append(all, f(tx)...)
	}
	return all
}

func incidentNav(tx *web.Text, current string) []web.Filter {
	var out []web.Filter
	for _, key := range []string{"inc.title", "inc.reports", "inc.register", "inc.advisories", "inc.company", "inc.terms", "inc.rules"} {
		out = append(out, web.Filter{Label: tx.T(key), Href: "/", Current: key == current, Count: -1})
	}
	return out
}

func text1(id, label, hint, value string) web.FormField {
	return web.FormField{ID: id, Label: label, Hint: hint, Value: value}
}

func quickForm(tx *web.Text) *web.BoxForm {
	t := tx.T
	return &web.BoxForm{ID: "happened", Title: t("inc.happened"), Lead: t("inc.happened_lead"), Action: "#", Do: t("inc.happened_do"), Fields: []web.FormField{text1("title", t("inc.happened_field"), t("inc.happened_hint"), "")}}
}

func incidentLists(tx *web.Text) []Sample {
	t := tx.T
	caseHeads := heads(tx, "inc.col_case", "inc.col_due", "col.state", "inc.col_lead", "inc.col_opened")
	p := ops("incidents", t("inc.title"), t("inc.say_late", "n", 1, "number", "One"))
	p.Tone, p.Sub = web.ToneBad, t("inc.sub_reports", "n", 1)
	long := strings.Repeat("A key not on the list was used on vineyard-web2, and ", 3) + "we do not know yet what it read"
	full := &web.Incidents{Page: p, Parts: incidentNav(tx, "inc.title"), Quick: quickForm(tx), Acts: []web.Act{{Label: t("inc.happened_more"), Href: "#"}},
		Needs: []web.Need{{State: state(web.ToneWarn, t("inc.report_waits")), Title: "The login page of maple.example looks different since this morning", Cause: t("inc.from_public") + ", mara@example.net", Since: at(0.7), Action: web.Link{Label: t("inc.report_look"), Href: "#"}}},
		Sections: []web.Section{{ID: "open", Title: t("inc.open"), Grid: web.Grid{Heads: caseHeads, Rows: []web.GridRow{
			row(lead(long, "2026-7"), said(web.ToneBad, t("inc.late_by", "span", "1 h 20 min"), "today 12:00 CET"), said(web.ToneBad, t("inc.state_late")), word("Ada Keller"), when(31)),
			row(lead("A backup disk was lost in the post", "2026-6"), said(web.ToneWarn, t("inc.left", "span", "5 h 2 min"), "today 19:22 CET"), said(web.ToneBusy, t("inc.state_open")), word("Tomas Lind"), when(19)),
			row(lead("What if the office burns", "2026-5", t("inc.drill")), said(web.ToneBusy, t("inc.left", "span", "40 h"), "Mon 23 Nov 08:20 CET"), said(web.ToneBusy, t("inc.state_open")), word("Priya Nair"), when(32)),
		}}}, {ID: "closed", Title: t("inc.past"), Grid: web.Grid{Heads: caseHeads, Rows: []web.GridRow{row(lead("A mail went to the wrong customer", "2026-4"), word("–"), said(web.ToneGood, t("inc.state_closed")), word("Ada Keller"), when(900))}}, Pager: web.Pager{Next: "#"}}}}
	calm := ops("incidents", t("inc.title"), t("inc.say_none"))
	calm.Tone = web.ToneGood
	empty := &web.Incidents{Page: calm, Parts: incidentNav(tx, "inc.title"), Quick: quickForm(tx), Sections: []web.Section{{ID: "open", Title: t("inc.open"), Empty: t("inc.open_empty")}, {ID: "closed", Title: t("inc.past"), Empty: t("inc.past_empty")}}}
	wrong := ops("incidents", t("inc.title"), t("inc.say_none"))
	wrong.Errors = []web.FieldError{{Field: "title", Message: "Say it in a sentence."}}
	failed := &web.Incidents{Page: wrong, Parts: incidentNav(tx, "inc.title"), Quick: quickForm(tx), Sections: empty.Sections}
	page := func(current, say string) web.Page {
		p := ops("incidents", t(current), say)
		p.Crumbs = []web.Link{link(t("inc.title"))}
		return p
	}
	register := &web.Incidents{Page: page("inc.register", t("inc.register_say", "n", 1, "number", "One")), Parts: incidentNav(tx, "inc.register"), Acts: []web.Act{{Label: t("inc.csv"), Href: "#"}}, Sift: &web.Sift{Action: "#", Do: t("access.show"), Fields: []web.FormField{{ID: "year", Label: t("inc.year"), Options: []web.Choice{{Label: t("inc.all_years")}, {Value: "2026", Label: "2026"}}}}},
		Sections: []web.Section{{ID: "register", Title: t("inc.register_list"), Grid: web.Grid{Heads: heads(tx, "inc.col_case", "inc.reg_facts", "inc.reg_effects", "inc.reg_remedies", "inc.reg_told", "inc.reg_kept"), Rows: []web.GridRow{row(lead("A mail went to the wrong customer", "2026-4", t("inc.state_closed")), word("", "An invoice of Birch Dental was sent to Vineyard.", t("inc.reg_cause", "what", "two customers with one initial")), word("", "One name and one amount were read by one person."), word("", "The mail was deleted, in writing."), word("", "Birch Dental, Mon 12 Oct 09:12", t("inc.reg_not_told", "why", "unlikely to result in a risk")), when(-40000))}}}}}
	rules := &web.Incidents{Page: page("inc.rules", t("inc.rules_say", "n", 2, "version", "2026-11-22")), Parts: incidentNav(tx, "inc.rules"), Facts: []web.Fact{{Label: t("inc.ru_version"), State: web.State{Word: "2026-11-22"}}, {Label: t("inc.ru_sum"), State: web.State{Word: strings.Repeat("0a1b2c3d", 8)}}, {Label: t("inc.ru_since"), At: at(400)}},
		Load: &web.BoxForm{ID: "load", Title: t("inc.ru_load"), Lead: t("inc.ru_load_lead"), Action: "#", Do: t("inc.ru_load_do"), Quiet: true, Fields: []web.FormField{{ID: "pack", Label: t("inc.ru_pack"), Rows: 8}}},
		Sections: []web.Section{{ID: "rules", Title: t("inc.rules"), Lead: t("inc.rules_lead"), Grid: web.Grid{Heads: heads(tx, "inc.ru_rule", "inc.ru_time", "inc.ru_threshold", "inc.ru_force", "inc.law_source", "col.state"), Rows: []web.GridRow{
			row(word("Tell the supervisory authority", "EU, GDPR", "gdpr-33-1"), word("72 "+t("inc.u_hours")), word("", "Unless the breach is unlikely to result in a risk to people."), word("", t("inc.ru_from", "from", "2018-05-25")), word("", "Regulation (EU) 2016/679, Article 33(1)"), said(web.ToneGood, t("inc.ru_on"))),
			row(word("Tell the supervisory authority", "EU, Omnibus", "omnibus-96h"), word("96 "+t("inc.u_hours")), word("", "High risk only."), word("", t("inc.ru_never")), word("", "COM(2025) 837, a proposal"), said(web.ToneUnknown, t("inc.ru_off"))),
		}}}}}
	return []Sample{{"incidents-full", full}, {"incidents-empty", empty}, {"incidents-wrong", failed}, {"register-full", register}, {"lawrules-full", rules}}
}

func sampleClocks(tx *web.Text) []web.ClockCard {
	t := tx.T
	steps := []string{"It began on Sat 21 Nov 2026 06:20:00 CET.", "24 hours have passed on Sun 22 Nov 2026 06:20:00 CET."}
	lawOf := func(source string) []web.Pair {
		return []web.Pair{{Label: t("inc.law_source"), Value: source}, {Label: t("inc.law_late"), Value: "Notify all the same, and say why it took longer."}}
	}
	return []web.ClockCard{
		{Title: "Tell the customer, as their processor", Whose: link("Birch Dental"), State: state(web.ToneBad, t("inc.c_late")), Big: t("inc.late_by", "span", "1 h 20 min"), Until: t("inc.until", "when", "today 13:00 CET"), Passed: -1, Label: t("inc.by_contract"), Steps: steps, Law: lawOf("Regulation (EU) 2016/679, Article 33(2)"), Do: web.Link{Label: t("inc.check_send"), Href: "#"}},
		{Title: "Tell the customer, as their processor", Whose: link("Harbour Mail"), State: state(web.ToneBusy, t("inc.c_running")), Big: t("inc.left", "span", "16 h"), Until: t("inc.until", "when", "tomorrow 06:20 CET"), Passed: 33, Gone: t("inc.gone", "gone", "8 h 0 min", "all", "24 h"), Label: t("inc.by_us"), Steps: steps, Law: lawOf("Regulation (EU) 2016/679, Article 33(2)"), Do: web.Link{Label: t("inc.check_send"), Href: "#"}},
		{Title: "Tell the supervisory authority", Whose: web.Link{Label: t("inc.us")}, State: state(web.ToneWarn, t("inc.c_running")), Big: t("inc.left", "span", "5 h 2 min"), Until: t("inc.until", "when", "today 19:22 CET"), Passed: 93, Gone: t("inc.gone", "gone", "66 h", "all", "72 h"), Label: t("inc.by_law"), Beside: t("inc.beside", "when", "today 20:00 CET"), Steps: steps, Law: lawOf("Regulation (EU) 2016/679, Article 33(1)")},
		{Title: "Tell the customer, as their processor", Whose: link("Maple Bakery"), State: state(web.ToneGood, t("inc.c_met")), Big: t("inc.done_at", "when", "today 14:05 CET"), Until: t("inc.until", "when", "tomorrow 06:20 CET"), Passed: -1, Label: t("inc.by_us"), Steps: steps},
		{Title: "Tell the customer, as their processor", Whose: link("Kestrel & Söhne Verlagsgesellschaft mit beschränkter Haftung"), State: state(web.ToneUnknown, t("inc.c_shadow")), Big: t("inc.left", "span", "16 h"), Until: t("inc.until", "when", "tomorrow 06:20 CET"), Passed: 33, Gone: t("inc.gone", "gone", "8 h 0 min", "all", "24 h"), Why: t("inc.shadow"), Steps: steps},
		{Title: "Early warning", Whose: web.Link{Label: t("inc.us")}, State: state(web.ToneUnknown, t("inc.c_unknown")), Big: t("inc.not_known"), Passed: -1, Why: "Whether NIS2 is about us is not recorded.", Law: lawOf("Directive (EU) 2022/2555, Article 23(4)(a)")},
	}
}

func incidentCases(tx *web.Text) []Sample {
	t := tx.T
	parts := []web.Filter{}
	for _, x := range [][2]string{{"inc.clocks", "#clocks"}, {"inc.customers", "#customers"}, {"inc.notices", "#notices"}, {"inc.doing", "#doing"}, {"inc.timeline", "/"}, {"inc.papers", "#papers"}} {
		parts = append(parts, web.Filter{Label: t(x[0]), Href: x[1], Count: -1})
	}
	p := ops("incidents", t("inc.case", "number", "2026-7"), "A key not on the list was used on vineyard-web2. "+t("inc.are", "n", 3, "number", "Three")+" "+t("inc.and_may_be", "n", 1, "number", "One")+" "+t("inc.told_of", "n", 1, "number", "One"))
	p.Tone, p.Crumbs, p.Sub = web.ToneBad, []web.Link{link(t("inc.title"))}, t("inc.case", "number", "2026-7")+", "+t("inc.opened_by", "who", "Ada Keller", "when", "today 03:00")+", "+t("inc.times_in", "zone", "Europe/Berlin")
	needs := []web.Need{
		{State: state(web.ToneBad, t("inc.tone_now")), Title: t("inc.s_send", "who", "Birch Dental"), Cause: t("inc.s_late", "span", "1 h 20 min", "when", "today 13:00 CET"), Action: web.Link{Label: t("inc.check_send"), Href: "#"}, Strong: true},
		{State: state(web.ToneBad, t("inc.tone_now")), Title: t("inc.s_call", "who", "Maple Bakery"), Cause: t("inc.s_call_why"), Action: web.Link{Label: t("inc.tell_it"), Href: "#"}},
		{State: state(web.ToneWarn, t("inc.tone_next")), Title: t("inc.s_decide"), Cause: t("inc.s_decide_why"), Action: web.Link{Label: t("inc.decide"), Href: "#"}},
	}
	known := []web.Pair{{Label: t("col.servers"), Value: "vineyard-web2 and mail-7"}, {Label: t("inc.kinds"), Value: t("inc.kind_access")}, {Label: t("inc.detected"), Value: "today 02:45 CET"}, {Label: t("inc.contained"), Value: "today 07:22 CET"}, {Label: t("inc.significant"), Value: t("unknown")}}
	page := &web.Incident{Page: p, Parts: parts, Needs: needs, Clocks: sampleClocks(tx), AllOf: web.Link{Label: t("inc.clocks_more", "n", 40), Href: "#"}, Known: known, Words: "The key SHA256:Jb3m0r6qk8kq4x1Vd0c9bQ2p7e5Q0u1Wv3y8Zt6aLmE is nobody's.\nIt read the order database.",
		KnownDo: []web.Act{{Label: t("inc.edit"), Href: "#"}, {Label: t("inc.contain"), Href: "#"}, {Label: t("inc.impact"), Href: "#"}}, Sections: caseSections(tx), Ends: []web.Act{{Label: t("inc.close"), Href: "#"}, {Label: t("inc.false_alarm"), Href: "#"}, {Label: t("inc.merge"), Href: "#"}, {Label: t("inc.split"), Href: "#"}}}
	bare := ops("incidents", t("inc.case", "number", "2026-8"), "I think we were hacked. "+t("inc.nobody_yet"))
	bare.Tone, bare.Crumbs = web.ToneWarn, []web.Link{link(t("inc.title"))}
	var none []web.Section
	for _, x := range [][2]string{{"customers", "inc.customers"}, {"notices", "inc.notices"}, {"doing", "inc.doing"}, {"papers", "inc.papers"}} {
		none = append(none, web.Section{ID: x[0], Title: t(x[1]), Empty: t("inc.notices_empty")})
	}
	fresh := &web.Incident{Page: bare, Parts: parts, Exercise: t("inc.exercise"), Known: known[:1], Sections: none, Needs: []web.Need{{State: state(web.ToneBad, t("inc.tone_now")), Title: t("inc.s_affect"), Cause: t("inc.s_affect_why"), Action: web.Link{Label: t("inc.affect"), Href: "#"}, Strong: true}}}
	return []Sample{{"incident-full", page}, {"incident-fresh", fresh}}
}

func caseSections(tx *web.Text) []web.Section {
	t := tx.T
	aware := web.Section{ID: "awareness", Title: t("inc.awareness"), Lead: t("inc.awareness_lead"), Acts: []web.Act{{Label: t("inc.say_more"), Href: "#"}, {Label: t("inc.as_known"), Href: "#"}}, Grid: web.Grid{Heads: heads(tx, "inc.a_what", "inc.a_when", "inc.a_who", "inc.a_ground", "col.state", ""), Rows: []web.GridRow{
		row(word(t("inc.suspected"), t("inc.a_whole")), when(11), web.Cell{Link: web.Link{Label: "Ada Keller"}, At: at(11)}, word("A finding: a login past Teleport"), said(web.ToneGood, t("inc.a_counts")), todo(t("inc.correct"))),
		row(word(t("inc.certain"), "Birch Dental"), when(8), web.Cell{Link: web.Link{Label: "Tomas Lind"}, At: at(7)}, word("The key read the order database"), said(web.ToneBusy, t("inc.a_waits")), web.Cell{Acts: []web.Act{{Label: t("inc.confirm"), Href: "#", Post: true}}}),
	}}}
	customers := web.Section{ID: "customers", Title: t("inc.customers"), Lead: t("inc.customers_lead"), Acts: []web.Act{{Label: t("inc.affect"), Href: "#"}}, Grid: web.Grid{Heads: heads(tx, "col.customer", "col.state", "inc.their_clock", "inc.told", "inc.their_own", ""), Rows: []web.GridRow{
		row(lead("Birch Dental"), web.Cell{State: state(web.ToneBad, t("inc.affected")), At: at(8), Notes: []string{"The order database was read"}}, said(web.ToneBad, t("inc.late_by", "span", "1 h 20 min"), "Until today 13:00 CET", t("inc.contract_short")), said(web.ToneWarn, t("inc.n_draft")), word("", t("inc.own_later")), todo(t("inc.clear"))),
		row(lead("Maple Bakery"), web.Cell{State: state(web.ToneBad, t("inc.affected")), At: at(8)}, said(web.ToneGood, t("inc.done_at", "when", "today 14:05 CET")), said(web.ToneBusy, t("inc.n_accepted"), t("inc.told_at", "when", "today 14:05")), web.Cell{Link: web.Link{Label: t("inc.own_probably")}, At: at(-72), Notes: []string{t("inc.own_unknown")}}, todo(t("inc.clear"))),
		row(lead("Kestrel & Söhne Verlagsgesellschaft mit beschränkter Haftung"), web.Cell{State: state(web.ToneWarn, t("inc.possible")), At: at(11)}, said(web.ToneUnknown, t("inc.left", "span", "16 h")), said(web.ToneWarn, t("inc.not_told")), word("", t("inc.own_processor")), web.Cell{Acts: []web.Act{{Label: t("inc.is_affected"), Href: "#"}, {Label: t("inc.clear"), Href: "#"}}}),
	}}}
	notices := web.Section{ID: "notices", Title: t("inc.notices"), Lead: t("inc.notices_lead"), Acts: []web.Act{{Label: t("inc.notices_of"), Href: "#"}}, Grid: sampleNotices(tx)}
	deciding := web.Section{ID: "deciding", Title: t("inc.deciding"), Lead: t("inc.deciding_lead"), Grid: web.Grid{Heads: heads(tx, "inc.d_risk", "inc.d_what", "inc.d_reasons", "inc.d_who"), Rows: []web.GridRow{row(lead(t("inc.high"), t("inc.d_of", "likelihood", t("inc.medium"), "severity", t("inc.high"))), word("", t("inc.d_authority_yes"), t("inc.d_people_no")), word("Card numbers were not stored; addresses were read."), web.Cell{Link: web.Link{Label: "Ada Keller"}, At: at(2)})}}}
	doing := web.Section{ID: "doing", Title: t("inc.doing"), Lead: t("inc.doing_lead"), Acts: []web.Act{{Label: t("inc.act_snapshot"), Href: "#"}, {Label: t("inc.act_lock"), Href: "#"}, {Label: t("inc.act_done"), Href: "#"}}, Grid: web.Grid{Heads: heads(tx, "inc.do_what", "col.why", "inc.d_who", "inc.do_result"), Rows: []web.GridRow{
		row(word(t("inc.act_lock"), "Jens Holm"), word("His key was used"), web.Cell{Link: web.Link{Label: "Ada Keller"}, At: at(7)}, said(web.ToneGood, "Ended 3 grants and 1 session")),
		row(word(t("inc.act_snapshot")), word("Before anything is changed"), web.Cell{Link: web.Link{Label: "Ada Keller"}, At: at(6.8)}, said(web.ToneBad, "mail-7 does not answer")),
	}}}
	tasks := web.Section{ID: "tasks", Title: t("inc.tasks"), Acts: []web.Act{{Label: t("inc.task_add"), Href: "#"}, {Label: t("inc.note_add"), Href: "#"}}, Grid: web.Grid{Heads: heads(tx, "inc.t_text", "inc.t_owner", "col.until", "col.state", ""), Rows: []web.GridRow{
		row(word("Find out how many people were affected"), word("Priya Nair"), when(-22), said(web.ToneBusy, t("inc.t_open")), todo(t("inc.task_do"))),
		row(word("Ask the key's owner"), word("Ada Keller"), when(2), said(web.ToneBad, t("inc.t_late")), todo(t("inc.task_do"))),
	}}}
	papers := web.Section{ID: "papers", Title: t("inc.papers"), Lead: t("inc.papers_lead"), Acts: []web.Act{{Label: t("inc.paper_ico"), Href: "#"}, {Label: t("inc.paper_edpb"), Href: "#"}, {Label: t("inc.paper_after"), Href: "#"}}}
	return []web.Section{aware, customers, notices, deciding, doing, tasks, papers}
}

func sampleNotices(tx *web.Text) web.Grid {
	t := tx.T
	line := func(to string, tone web.Tone, key string, sent, told web.Cell, notes ...string) web.GridRow {
		return row(lead(to, t("inc.p_first")), said(tone, t(key)), when(-16), sent, told, web.Cell{Link: web.Link{Label: "Ada Keller"}, Notes: notes})
	}
	dash := word("", "–")
	return web.Grid{Heads: heads(tx, "inc.n_to", "col.state", "inc.n_due", "inc.n_sent_at", "inc.n_told_at", "inc.n_by"), Rows: []web.GridRow{
		line("Birch Dental", web.ToneWarn, "inc.n_draft", dash, dash), line("Harbour Mail", web.ToneBusy, "inc.n_waiting", dash, dash), line("Maple Bakery", web.ToneBusy, "inc.n_accepted", when(1), when(1), t("inc.n_alone")),
		line("Vineyard", web.ToneGood, "inc.n_acknowledged", when(6), when(6), t("inc.n_second", "who", "Tomas Lind")), line("Otter Works", web.ToneBad, "inc.n_unreachable", when(6), dash),
	}}
}

var letter = "Dear Birch Dental,\n\nwe are writing because personal data that we process for you is concerned.\n\nWhat happened: a key that is not on our list read the order database of shop-1 on 21 November from 02:45 to 07:22 (Europe/Berlin).\n\nWhom to ask: Priya Nair, privacy@harbour.example, +49 30 5550100.\n"

func caseNotices(tx *web.Text) []Sample {
	t := tx.T
	begin := func(say string, tone web.Tone) web.Page {
		p := ops("incidents", t("inc.the_notice"), say)
		p.Tone, p.Crumbs, p.Sub = tone, []web.Link{link(t("inc.title")), link(t("inc.case", "number", "2026-7")), link(t("inc.notices"))}, t("inc.p_first")+", en"
		return p
	}
	facts := []web.Fact{{Label: t("col.state"), State: state(web.ToneWarn, t("inc.n_draft"))}, {Label: t("inc.n_due"), State: web.State{Word: "today 13:00 CET"}, Note: t("inc.late_by", "span", "1 h 20 min")}, {Label: t("inc.n_sent_at"), State: web.State{Word: "–"}}, {Label: t("inc.n_told_at"), State: web.State{Word: "–"}}}
	tryHeads := heads(tx, "col.person", "inc.how", "col.state", "col.when", "inc.try_note")
	would := web.Section{ID: "whom", Title: t("inc.would"), Lead: t("inc.would_lead"), Grid: web.Grid{Heads: tryHeads, Rows: []web.GridRow{row(word("Dr. Ruth Birch"), word(t("inc.how_mail")), said(web.ToneBusy, t("inc.would_first")), word("–"), web.Cell{}), row(word("Sven Olsen"), word(t("inc.how_mail")), said(web.ToneUnknown, t("inc.would_next")), word("–"), web.Cell{})}}}
	fields := web.Section{ID: "fields", Title: t("inc.fields"), Lead: t("inc.fields_lead"), Grid: web.Grid{Heads: heads(tx, "inc.field", "col.state", "inc.value"), Rows: []web.GridRow{
		row(word(t("inc.f_nature")), said(web.ToneGood, t("inc.k_known")), word("", "A key that is not on the list read the order database.")), row(word(t("inc.f_people")), said(web.ToneGood, t("inc.k_range")), word(t("inc.range", "low", 100, "high", 200))),
		row(word(t("inc.f_records")), said(web.ToneWarn, t("inc.k_unknown")), web.Cell{Link: web.Link{Label: t("inc.finds_out", "who", "Priya Nair")}, At: at(-22)}), row(word(t("inc.f_consequences")), said(web.ToneUnknown, t("inc.k_empty")), web.Cell{}),
	}}}
	send := web.BoxForm{ID: "send", Title: t("inc.send"), Lead: t("inc.send_first"), Action: "#", Do: t("inc.send_do"), Hidden: []web.Pair{{Label: "version", Value: "3"}}, Fields: []web.FormField{{ID: "late_why", Label: t("inc.late_why"), Hint: t("inc.late_why_hint"), Rows: 2}, {ID: "alone_why", Label: t("inc.alone_why"), Hint: t("inc.alone_why_hint"), Optional: true}}}
	draft := &web.CaseNotice{Page: begin(t("inc.notice_say", "to", "Birch Dental", "state", t("inc.n_draft")), web.ToneWarn), Facts: facts, Checks: []web.State{state(web.ToneWarn, "How many records is not known yet: Priya Nair finds it out."), state(web.ToneWarn, "It is late. Say why.")}, Forms: []web.BoxForm{send}, Acts: []web.Act{{Label: t("inc.n_edit"), Href: "#"}, {Label: t("inc.tell_it"), Href: "#"}, {Label: t("inc.discard"), Href: "#"}}, Text: letter, Sections: []web.Section{would, fields}}
	stopped := &web.CaseNotice{Page: begin(t("inc.notice_say", "to", "Birch Dental", "state", t("inc.n_draft")), web.ToneWarn), Exercise: t("inc.exercise"), Facts: facts, Stopped: true, Checks: []web.State{state(web.ToneBad, "It names Maple Bakery, another customer. Take that out.")}, Acts: draft.Acts, Text: letter, Sections: []web.Section{would}}
	tried := web.Section{ID: "whom", Title: t("inc.tried"), Lead: t("inc.tried_lead"), Grid: web.Grid{Heads: tryHeads, Rows: []web.GridRow{row(word("Dr. Ruth Birch"), word(t("inc.how_mail")), said(web.ToneBad, t("inc.m_bounced")), when(5), word("", "The mailbox is full")), row(word("Sven Olsen"), word(t("inc.how_mail")), said(web.ToneBusy, t("inc.m_accepted")), when(4), web.Cell{}), row(word("Sven Olsen"), word(t("inc.how_call")), said(web.ToneGood, t("inc.m_called")), when(3), word("Ada Keller", "He wrote it down and asked for the log."))}}}
	sent := &web.CaseNotice{Page: begin(t("inc.notice_say", "to", "Birch Dental", "state", t("inc.n_called")), web.ToneGood), Facts: facts, Text: letter, Sum: strings.Repeat("0a1b2c3d", 8), Sections: []web.Section{tried, fields}, Pairs: []web.Pair{{Label: t("inc.n_by"), Value: "Ada Keller"}, {Label: t("inc.alone_why"), Value: "Nobody else is awake."}}}
	list := ops("incidents", t("inc.notices"), t("inc.notices_drafts", "n", 2, "number", "Two"))
	list.Crumbs, list.Tone = []web.Link{link(t("inc.title"))}, web.ToneWarn
	select1 := func(id, key string) web.FormField {
		return web.FormField{ID: id, Label: t(key), Options: []web.Choice{{Value: "first", Label: t("inc.p_first")}, {Value: "update", Label: t("inc.p_update")}}}
	}
	all := &web.CaseNotice{Page: list, Forms: []web.BoxForm{{ID: "send", Title: t("inc.send_all", "n", 2), Lead: t("inc.send_all_lead"), Action: "#", Do: t("inc.send_all_do"), Fields: send.Fields[1:]}, {ID: "draft", Title: t("inc.draft_customers"), Lead: t("inc.draft_lead"), Action: "#", Do: t("inc.draft_do"), Quiet: true, Fields: []web.FormField{select1("purpose", "inc.purpose")}},
		{ID: "others", Title: t("inc.draft_others"), Lead: t("inc.draft_others_lead"), Action: "#", Do: t("inc.draft_do"), Quiet: true, Fields: []web.FormField{select1("audience", "inc.n_to"), select1("regime", "inc.regime"), select1("what", "inc.purpose")}}}, Acts: []web.Act{{Label: t("inc.edit_all"), Href: "#"}}, Sections: []web.Section{{ID: "notices", Title: t("inc.notices"), Grid: sampleNotices(tx)}}}
	return []Sample{{"casenotice-draft", draft}, {"casenotice-stopped", stopped}, {"casenotice-sent", sent}, {"casenotices-full", all}}
}

func casePapers(tx *web.Text) []Sample {
	t := tx.T
	begin := func(say string) web.Page {
		p := ops("incidents", t("inc.papers"), say)
		p.Crumbs = []web.Link{link(t("inc.title")), link(t("inc.case", "number", "2026-7"))}
		return p
	}
	parts := []web.Filter{{Label: t("inc.paper_ico"), Href: "/", Current: true, Count: -1}, {Label: t("inc.paper_after"), Href: "/", Count: -1}}
	form := &web.CasePaper{Page: begin(t("inc.form_say", "title", "Personal data breach report (ICO)", "n", 1)), Parts: parts, Lead: "What their form asks for, filled in from this case. It is handed in at their page.", Made: Now, Answers: []web.PaperAnswer{{Question: "What happened?", Answer: "A key that is not on the list was used.\nIt read the order database.", Required: true}, {Question: "How many people could be affected?", Missing: "Not known yet: Priya Nair finds it out until Sunday 12:00.", Required: true}, {Question: "Have the staff involved been trained in the last two years?", Answer: "Yes"}}}
	after := &web.CasePaper{Page: begin("Report after case 2026-7."), Parts: parts, Exercise: t("inc.exercise"), Made: Now, Papers: []web.PaperPart{{ID: "part-1", Heading: "What happened", Paragraphs: []string{"A key that is not on the list was used on vineyard-web2 from 02:45 to 07:22."}}, {ID: "part-2", Heading: "Who was told", Heads: []string{"Customer", "Due", "Delivered"}, Rows: [][]string{{"Maple Bakery", "Sun 22 Nov 06:20", "Sat 21 Nov 14:05"}, {"Birch Dental", "Sat 21 Nov 13:00", "Sat 21 Nov 14:30, late"}}}}}
	return []Sample{{"casepaper-form", form}, {"casepaper-after", after}}
}

func incidentForms(tx *web.Text) []Sample {
	t := tx.T
	begin := func(key, say string) *web.AccessForm {
		p := ops("incidents", t(key), say)
		p.Crumbs = []web.Link{link(t("inc.title")), link(t("inc.case", "number", "2026-7"))}
		return &web.AccessForm{Page: p, Action: "#", Back: "/", Do: t("inc.save")}
	}
	level := func(id, key string, notes ...string) web.FormField {
		f := web.FormField{ID: id, Label: t(key)}
		for i, k := range []string{"inc.low", "inc.medium", "inc.high"} {
			f.Radios = append(f.Radios, web.RoleChoice{Value: k, Label: t(k), Note: t(notes[i]), Chosen: i == 1})
		}
		return f
	}
	decide := begin("inc.decide", t("inc.decide_say"))
	decide.Lines = []string{t("inc.decide_1"), t("inc.decide_2")}
	decide.Fields = []web.FormField{level("likelihood", "inc.likelihood", "inc.l_low", "inc.l_medium", "inc.l_high"), level("severity", "inc.severity", "inc.s_low", "inc.s_medium", "inc.s_high"), {ID: "authority", Label: t("inc.d_authority"), Ticks: []web.Choice{{Value: "1", Label: t("inc.d_authority_yes")}}}, {ID: "exemption", Label: t("inc.exemption"), Options: []web.Choice{{Label: t("inc.exempt_none")}, {Value: "x", Label: t("inc.exempt_unintelligible")}}}, {ID: "reasons", Label: t("inc.d_reasons"), Hint: t("inc.d_reasons_hint"), Rows: 5}}
	aware := begin("inc.say_more", t("inc.aware_say"))
	aware.Exercise, aware.Lines = t("inc.exercise"), []string{t("inc.aware_1"), t("inc.aware_2")}
	aware.Errors = []web.FieldError{{Field: "aware", Message: "The clocks were set back: this time was twice. Write it with its offset, as in 2026-10-25T02:30:00+02:00."}}
	aware.Fields = []web.FormField{{ID: "aware", Label: t("inc.a_when"), Hint: t("inc.time_offset", "zone", "Europe/Berlin"), Value: "2026-10-25 02:30", Optional: true}, {ID: "at", Label: t("col.when"), Type: "datetime-local", Value: "2026-11-21T03:00", Optional: true}, {ID: "ground", Label: t("inc.a_ground"), Rows: 3}}
	choose := begin("inc.act", t("inc.act_choose"))
	choose.Do = ""
	choose.Ways = []web.Act{{Label: t("inc.act_snapshot"), Href: "#"}, {Label: t("inc.act_lock"), Href: "#"}, {Label: t("inc.act_revoke"), Href: "#"}, {Label: t("inc.act_rotate"), Href: "#"}, {Label: t("inc.act_done"), Href: "#"}}
	public := &web.AccessForm{Page: nobody(t("inc.pub_title"), t("inc.pub_say_at", "company", "Harbour Hosting")), Action: "#", Back: "/", Do: t("inc.pub_do"), Lines: []string{t("inc.pub_1"), t("inc.pub_2"), t("inc.pub_3")}, Fields: []web.FormField{{ID: "text", Label: t("inc.pub_text"), Hint: t("inc.pub_text_hint"), Rows: 6}, {ID: "name", Label: t("inc.pub_name"), Optional: true}, {ID: "contact", Label: t("inc.pub_contact"), Hint: t("inc.pub_contact_hint"), Optional: true}}}
	public.House = "Harbour Hosting"
	thanks := &web.AccessForm{Page: nobody(t("inc.pub_thanks"), t("inc.pub_thanks_say")), Back: "/", Lines: []string{t("inc.pub_thanks_1"), t("inc.pub_thanks_2")}, About: t("inc.pub_ref"), Answers: []web.Pair{{Label: t("inc.pub_ref_label"), Value: "rpt_01jd3m0r6qk8kq4x1vd0c9bq2p", Mono: true}}}
	return []Sample{{"caseform-decide", decide}, {"caseform-aware", aware}, {"caseform-act", choose}, {"report-public", public}, {"report-thanks", thanks}}
}

func ownIncidents(tx *web.Text) []Sample {
	t := tx.T
	p := customer("notices", t("inc.own_title"), t("inc.concerns", "what", "shop-1"))
	p.Tone, p.Sub = web.ToneBad, t("inc.own_unread", "n", 1)
	full := &web.Incidents{Page: p, Acts: []web.Act{{Label: t("inc.own_report"), Href: "#", Strong: true}}, Sections: []web.Section{{ID: "notices", Title: t("inc.own_list"), Lead: t("inc.own_lead"), Grid: web.Grid{Heads: heads(tx, "inc.own_what", "inc.n_sent_at", "col.state"), Rows: []web.GridRow{row(lead("Personal data that we process for you is concerned", t("inc.p_first")), when(1), said(web.ToneWarn, t("inc.own_new"))), row(lead("openssl on shop-1", t("inc.p_advisory")), when(700), said(web.ToneGood, t("inc.own_acknowledged")))}}},
		{ID: "reports", Title: t("inc.own_reports"), Grid: web.Grid{Heads: heads(tx, "inc.rp_text", "inc.rp_when", "col.state"), Rows: []web.GridRow{row(word("Our shop shows orders that nobody made", "rpt_01jd3m0r6qk8kq4x1vd0c9bq2p"), when(2), said(web.ToneBusy, t("inc.own_waits")))}}}}}
	empty := &web.Incidents{Page: customer("notices", t("inc.own_title"), t("inc.own_say_none")), Acts: full.Acts, Sections: []web.Section{{ID: "notices", Title: t("inc.own_list"), Empty: t("inc.own_empty")}, {ID: "reports", Title: t("inc.own_reports"), Empty: t("inc.own_reports_empty")}}}
	one := customer("notices", t("inc.own_title"), "Personal data that we process for you is concerned.")
	one.Tone, one.Crumbs, one.Sub = web.ToneWarn, []web.Link{link(t("inc.own_title"))}, t("inc.own_sent", "when", "today 14:05")
	notice := &web.CaseNotice{Page: one, Own: true, Text: letter, Sum: strings.Repeat("0a1b2c3d", 8), Forms: []web.BoxForm{{ID: "acknowledge", Title: t("inc.own_ack"), Lead: t("inc.own_ack_lead"), Action: "#", Do: t("inc.own_ack_do")}}}
	return []Sample{{"ownnotices-full", full}, {"ownnotices-empty", empty}, {"ownnotice-new", notice}}
}
