package sample

import "ostler/web"

func accessCluster(tx *web.Text) []Sample {
	t := tx.T
	fp := ops("access", t("found.title"), t("found.say", "n", 1))
	fp.Tone, fp.Sub = web.ToneBad, t("found.sub")
	found := &web.Access{Page: fp, Parts: accessNav(tx, true), Filters: []web.Filter{{Label: t("found.unexplained"), Href: "#", Current: true, Count: -1}, {Label: t("found.all"), Href: "#", Count: -1}},
		Sections: []web.Section{{ID: "found", Title: t("found.list"), Acts: []web.Act{{Label: t("baseline.title"), Href: "#"}}, Grid: web.Grid{Heads: heads(tx, "letin.found", "col.server", "found.whose", "found.seen", "found.used", ""), Rows: []web.GridRow{
			row(web.Cell{Link: web.Link{Label: t("foundkind.key", "account", "root")}, Strong: true, Notes: []string{"old-laptop", "SHA256:Jb3m0r6qk8kq4x1Vd0c9bQ2p7e5Q0u1Wv3y8Zt6aLmE"}}, web.Cell{Link: link("shop-1")}, said(web.ToneBad, t("found.nobody")), when(0.5, t("found.first", "when", "Fri 20 Nov 07:10")), web.Cell{Notes: []string{"–"}}, todo(t("found.explain"))),
			row(word(t("foundkind.account", "account", "backup")), web.Cell{Link: link("shop-1")}, said(web.ToneWarn, t("found.baseline"), t("grant.review_by", "when", "Sunday 20 December")), when(0.5), when(300), todo(t("found.explain"))),
			row(word(t("foundkind.key", "account", "deploy")), web.Cell{Link: link("shop-2")}, said(web.ToneBusy, t("found.asked")), when(0.5), web.Cell{Notes: []string{"–"}}, todo(t("found.explain")))}}}}}
	cp := ops("access", t("cluster.title"), t("cluster.say_foreign", "n", 1))
	cp.Tone, cp.Sub = web.ToneBad, t("cluster.fake_say")
	facts := []web.Fact{{Label: t("col.state"), State: state(web.ToneGood, t("cluster.good")), At: at(0.05)}, {Label: t("cluster.mode"), State: web.State{Word: t("mode.shadow")}, At: at(50), Note: "Ada Keller"}, {Label: t("cluster.cluster"), State: web.State{Word: "harbour"}, Note: t("cluster.version", "version", "18.1.0")}, {Label: t("cluster.identity"), At: in(20)}, {Label: t("cluster.locks"), State: state(web.ToneWarn, t("cluster.locks_refused")), Note: t("cluster.locks_note")}}
	cluster := &web.Access{Page: cp, Parts: accessNav(tx, true), Facts: facts, Acts: []web.Act{{Label: t("cluster.look"), Href: "#", Post: true}, {Label: t("cluster.set_mode"), Href: "#"}}, Sections: []web.Section{
		{ID: "planned", Title: t("cluster.planned"), Lead: t("cluster.planned_would"), Grid: web.Grid{Heads: heads(tx, "changes.what", "col.person", "cluster.adds", "cluster.removes", "col.why"), Rows: []web.GridRow{row(word(t("planned.role_narrow"), "ostler-staff-tomas-operator"), word("Tomas Lind"), word(""), word("orchard, vineyard"), word(t("changes.why_expired")))}}},
		{ID: "foreign", Title: t("foreign.title"), Lead: t("foreign.lead"), Grid: web.Grid{Heads: heads(tx, "col.role", "foreign.users", "foreign.reaches", "col.why", "foreign.answers", ""), Rows: []web.GridRow{
			row(web.Cell{Link: web.Link{Label: "access"}, Code: true}, word("ada, tomas"), word(t("entries.everywhere")), word(t("foreign.wildcard")), said(web.ToneBad, t("found.nobody")), todo(t("foreign.accept"))), row(web.Cell{Link: web.Link{Label: "editor"}, Code: true}, word("ada"), word(""), word(t("foreign.admin")), said(web.ToneWarn, "Ada Keller", t("access.until", "when", "Thu 31 Dec 23:59")), todo(t("foreign.accept")))}}},
		{ID: "connector", Title: t("cluster.connector"), Lead: t("cluster.connector_lead"), Pre: "attributes_to_roles:\n  - name: email\n    value: tomas@harbour.example\n    roles: [ostler-staff-tomas-operator]", Notes: []string{t("cluster.connector_missing", "who", "tomas")}}}}
	dp := ops("access", t("cluster.title"), t("cluster.say_trouble", "when", "today 09:12", "what", "Teleport's certificate is signed by an authority that the identity file does not know"))
	dp.Tone, dp.Problem = web.ToneBad, &web.Problem{Cause: "Teleport's certificate is signed by an authority that the identity file does not know", Next: "Make a new identity file with tctl, and put it in the old one's place."}
	down := &web.Access{Page: dp, Parts: accessNav(tx, true), Facts: facts[1:3], Sections: []web.Section{{ID: "planned", Title: t("cluster.planned"), Empty: t("cluster.planned_empty")}, {ID: "foreign", Title: t("foreign.title"), Lead: t("foreign.lead"), Empty: t("foreign.empty")}}}
	np := ops("access", t("cluster.title"), t("accessops.say_no_cluster"))
	np.Tone = web.ToneUnknown
	none := &web.Access{Page: np, Parts: accessNav(tx, true), Sections: []web.Section{{ID: "setup", Title: t("cluster.setup"), Items: []string{t("cluster.setup_1"), t("cluster.setup_2"), t("cluster.setup_3")}}}}
	rp := ops("access", "Quarter 4 of 2026", t("recert.say_of", "title", "Quarter 4 of 2026", "n", 2, "all", 31, "when", "Sat 5 Dec 23:59"))
	rp.Tone, rp.Sub = web.ToneBusy, t("recert.sub")
	recert := &web.Access{Page: rp, Parts: accessNav(tx, true), Sections: []web.Section{{ID: "items", Title: t("recert.items"), Pager: web.Pager{Next: "#"}, Grid: web.Grid{Heads: heads(tx, "col.person", "col.customer", "access.how", "recert.used", "recert.answer"), Rows: []web.GridRow{
		row(lead("Tomas Lind", t("recert.last_on_call", "when", "Sat 12 Dec 23:59")), web.Cell{Link: link("Maple Bakery")}, word(t("way.teleport"), "Looks after services, without root"), said(web.ToneWarn, t("recert.unused")), answering("because-1", t("col.why"), t("recert.do_keep"), t("recert.do_revoke"))),
		row(lead("Ada Keller"), web.Cell{Link: link("Vineyard")}, word(t("way.admin")), when(20), web.Cell{State: state(web.ToneGood, t("recert.keep")), At: at(3), Notes: []string{"Runs the hypervisor"}})}}}}}
	return []Sample{{"found-full", found}, {"cluster-shadow", cluster}, {"cluster-down", down}, {"cluster-none", none}, {"recert-full", recert}}
}

func accessForms(tx *web.Text) []Sample {
	t := tx.T
	form := func(say string, do string, fields ...web.FormField) *web.AccessForm {
		f := &web.AccessForm{Page: ops("access", say, say), Action: "#", Back: "#", Do: do, Fields: fields}
		f.Crumbs = []web.Link{link(t("access.title")), link("Maple Bakery")}
		return f
	}
	roles := []web.RoleChoice{{Value: "engineer", Label: "engineer", Note: "Everything on the server, root included", Chosen: true}, {Value: "operator", Label: "operator", Note: "Looks after services, without root"}}
	grant := form(t("grant.new_say_of", "company", "Maple Bakery"), t("grant.check"),
		web.FormField{ID: "person", Label: t("col.person"), Options: []web.Choice{{Label: t("grant.choose")}, {Value: "1", Label: "Tomas Lind", Chosen: true}}}, web.FormField{ID: "role", Label: t("col.role"), Radios: roles},
		web.FormField{ID: "reason", Label: t("col.reason"), Rows: 3, Hint: t("grant.reason_hint")}, web.FormField{ID: "ticket", Label: t("col.ticket"), Optional: true}, web.FormField{ID: "no_ticket", Label: t("grant.no_ticket"), Ticks: []web.Choice{{Value: "1", Label: t("grant.no_ticket_tick")}}},
		web.FormField{ID: "until", Label: t("col.until"), Type: "date", Hint: t("grant.until_hint")})
	grant.Errors = []web.FieldError{{Field: "reason", Message: t("grant.reason_missing")}, {Field: "until", Message: t("grant.until_missing")}, {Field: "person", Message: "The training of Tomas Lind ended on 31 October. Record the new one first."}}
	check := form(t("grant.check_say", "company", "Maple Bakery"), t("grant.do"))
	check.Change, check.Lines = t("grant.change"), []string{t("grant.line_1"), t("grant.line_2")}
	check.Answers = []web.Pair{{Label: t("col.person"), Value: "Tomas Lind"}, {Label: t("col.role"), Value: "Everything on the server, root included"}, {Label: t("col.reason"), Value: "Moves the database"}, {Label: t("col.until"), Value: "Thu 31 Dec 23:59"}}
	check.Hidden = []web.Pair{{Label: "checked", Value: "1"}}
	glass := form(t("grant.emergency_say_of", "company", "Maple Bakery"), t("grant.check"), web.FormField{ID: "hours", Label: t("grant.hours"), Options: []web.Choice{{Value: "1", Label: t("grant.n_hours", "n", 1)}, {Value: "4", Label: t("grant.n_hours", "n", 4)}}})
	glass.Tone, glass.Lines = web.ToneWarn, []string{t("grant.emergency_1"), t("grant.emergency_2"), t("grant.emergency_3"), t("grant.emergency_4")}
	leave := form(t("leave.say", "name", "Tomas Lind"), t("leave.do"), web.FormField{ID: "why", Label: t("col.why"), Hint: t("leave.why_hint")}, web.FormField{ID: "typed", Label: t("certconfirm.typed", "name", "Tomas Lind")})
	leave.Tone, leave.Lines = web.ToneBad, []string{t("leave.line_1"), t("leave.line_2"), t("leave.line_3"), t("leave.line_4")}
	mode := form(t("mode.say"), t("mode.do"), web.FormField{ID: "mode", Label: t("cluster.mode"), Radios: []web.RoleChoice{{Value: "observe", Label: t("mode.observe"), Note: t("mode.observe_note")}, {Value: "shadow", Label: t("mode.shadow"), Note: t("mode.shadow_note"), Chosen: true}, {Value: "enforce", Label: t("mode.enforce"), Note: t("mode.enforce_note", "n", 12)}}}, web.FormField{ID: "why", Label: t("col.why"), Rows: 2})
	mode.Problem = &web.Problem{Cause: "Two people with grants have no name in Teleport", Next: "Give Tomas Lind and Jens Holm their names there first."}
	terms := form(t("terms.say", "company", "Maple Bakery"), t("terms.save"), web.FormField{ID: "notice_hours", Label: t("terms.f_hours"), Type: "number", Value: "24", Hint: t("terms.f_hours_hint")},
		web.FormField{ID: "rules", Label: t("terms.f_rules"), Hint: t("terms.f_rules_hint"), Ticks: []web.Choice{{Value: "second", Label: t("terms.f_second"), Chosen: true}, {Value: "customer", Label: t("terms.f_customer")}}})
	terms.Errors = []web.FieldError{{Field: "rules", Message: "Choose one."}, {Field: "notice_hours", Message: t("form.no_number")}}
	return []Sample{{"accessform-grant", grant}, {"accessform-check", check}, {"accessform-emergency", glass}, {"accessform-leave", leave}, {"accessform-mode", mode}, {"accessform-terms", terms}}
}
