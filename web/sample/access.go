package sample

import (
	"fmt"

	"ostler/web"
)

func row(cells ...web.Cell) web.GridRow { return web.GridRow{Cells: cells} }
func word(s string, notes ...string) web.Cell {
	return web.Cell{Link: web.Link{Label: s}, Notes: notes}
}
func lead(s string, notes ...string) web.Cell {
	return web.Cell{Link: link(s), Strong: true, Notes: notes}
}
func when(hoursAgo float64, notes ...string) web.Cell {
	return web.Cell{At: at(hoursAgo), Notes: notes}
}
func said(t web.Tone, s string, n ...string) web.Cell { return web.Cell{State: state(t, s), Notes: n} }
func todo(label string) web.Cell                      { return web.Cell{Acts: []web.Act{{Label: label, Href: "#"}}} }
func send(label string) web.Cell {
	return web.Cell{Acts: []web.Act{{Label: label, Href: "#", Post: true}}}
}
func ticket(s string, notes ...string) web.Cell {
	return web.Cell{Link: web.Link{Label: s, Href: "https://tickets.example/" + s}, Away: true, Notes: notes}
}
func answering(id, label, yes, no string) web.Cell {
	return web.Cell{Ask: &web.Ask1{Action: "#", ID: id, Label: label, Yes: yes, No: no}}
}
func heads(tx *web.Text, keys ...string) (h []string) {
	for _, k := range keys {
		if k == "" {
			h = append(h, "")
			continue
		}
		h = append(h, tx.T(k))
	}
	return h
}

// accessNav are the pages beside one about access.
func accessNav(tx *web.Text, staff bool) (out []web.Filter) {
	keys := []string{"access.list", "changes.title", "notices.title", "instructing.title", "about.title"}
	if staff {
		keys = []string{"accessops.title", "matrix.title", "persons.title", "teams.title", "grants.title", "entries.title", "found.title", "cluster.title", "recert.title", "facilities.title"}
	}
	for i, k := range keys {
		out = append(out, web.Filter{Label: tx.T(k), Href: "#main", Current: i == 0, Count: -1})
	}
	return out
}

func accessSamples(tx *web.Text) []Sample {
	var all []Sample
	for _, f := range []func(*web.Text) []Sample{accessLists, accessTold, accessOps, accessCluster, accessForms, accessSingle} {
		all = append(all, f(tx)...)
	}
	return all
}

// lineHeads are the columns of a list.
func lineHeads(tx *web.Text) []string {
	return heads(tx, "col.person", "access.how", "col.why", "access.span", "access.granted", "access.enforced", "access.you_told")
}

func accessLists(tx *web.Text) []Sample {
	t := tx.T
	until := t("access.until", "when", "Thu 31 Dec 23:59")
	p := customer("access", t("access.title"), t("access.say", "n", 4, "number", "Four"))
	p.Say = "Four people can reach your servers; last changed Tuesday 3 November. " + t("access.open_unknown", "n", 1)
	p.Tone, p.Sub = web.ToneBad, t("access.as_of", "at", "today 14:20")+" "+t("access.own_apart", "n", 1)
	staff := web.Section{ID: "staff", Title: t("access.staff"), Lead: t("access.staff_lead"), Grid: web.Grid{Even: true, Heads: lineHeads(tx), Rows: []web.GridRow{
		row(lead("Tomas Lind", t("access.briefed"), t("access.trained", "when", "31 March 2027")), word(t("way.teleport"), "Looks after services, without root", t("access.all_servers")),
			ticket("OPS-1204", "Looks after the shop", t("access.by", "name", "Ada Keller"), t("access.used", "when", "yesterday 09:12")), when(430, until), when(430), when(429.9), when(429)),
		row(lead("Karolina Oleksandra Brzęczyszczykiewicz"), word(t("way.teleport"), "Everything on the server, root included", t("access.on_place", "place", "shop-1")),
			ticket("OPS-1311", "Moves the database", t("access.by", "name", "Tomas Lind"), t("access.unused")), when(2, until), when(2), said(web.ToneUnknown, t("access.unattested")), said(web.ToneBusy, t("access.not_told"))),
		row(lead("Piet Claes", t("who.contractor")), word(t("way.login"), "sudo", t("access.on_place", "place", "shop-1")), word("", t("changes.why_found")), when(30, t("access.no_end")), said(web.ToneWarn, t("access.not_listed")), when(30), said(web.ToneUnknown, t("access.never_told"))),
		row(lead("Jens Holm"), word(t("way.teleport"), "Looks after services, without root"), ticket("OPS-0990", "Night shift"), when(900, until), when(900), said(web.ToneWarn, t("access.could"), t("access.could_until", "when", "today 18:00")), when(899)),
	}}}
	unknown := web.Section{ID: "unknown", Title: t("access.unknown"), Lead: t("access.unknown_lead"), Grid: web.Grid{Even: true, Heads: lineHeads(tx), Rows: []web.GridRow{
		row(said(web.ToneBad, t("access.nobody_known"), "SHA256:Jb3m0r6qk8kq4x1Vd0c9bQ2p7e5Q0u1Wv3y8Zt6aLmE"), word(t("way.login"), "root", t("access.on_place", "place", "shop-1")), word(""), when(30, t("access.no_end")), said(web.ToneWarn, t("access.not_listed")), when(30), said(web.ToneUnknown, t("access.never_told")))}}}
	places := web.Section{ID: "places", Title: t("access.places"), Lead: t("access.places_lead"), Grid: web.Grid{Even: true, Heads: lineHeads(tx), Rows: []web.GridRow{
		row(lead("Mara Voss", "third party, Kabelwerk Süd"), word(t("way.visit"), "cabling", t("access.on_place", "place", "Falkenstein 2, rack 14")), ticket("OPS-1320", t("entries.escorted", "name", "Tomas Lind")), when(3, t("access.until", "when", "today 17:00")), when(3), said(web.ToneUnknown, t("access.by_hand")), when(2.9))}}}
	since := web.Section{ID: "since", Title: t("access.since"), Lead: t("access.since_lead", "when", "Mon 16 Nov 08:12"), Items: []string{"Karolina Oleksandra Brzęczyszczykiewicz was added, today 11:20, Moves the database", "Mia Roth was taken off, Thu 19 Nov 16:02, Left the company."}, Acts: []web.Act{{Label: t("changes.title"), Href: "#"}}}
	confirm := web.Section{ID: "confirm", Title: t("letin.title"), Lead: t("letin.lead"), Grid: web.Grid{Heads: heads(tx, "letin.found", "col.server", "letin.first", "letin.yours"), Rows: []web.GridRow{
		row(word(t("foundkind.key", "account", "deploy"), "ci@agency.example", "SHA256:0m7pQ2c8Yx1dN5v3R9t6B4k1W7e2L0a8Jf5s3Hq9ZuU"), word("shop-1"), when(300), answering("name-1", t("letin.whose"), t("letin.yes"), t("letin.no")))}}}
	confirmed := web.Section{ID: "confirmed", Title: t("access.confirmed"), Lead: t("access.confirmed_lead"), Grid: web.Grid{Heads: heads(tx, "access.source", "access.confirmed_from", "access.confirmed_to", "col.state"), Rows: []web.GridRow{
		row(word("Teleport"), when(700), when(0.05), said(web.ToneGood, t("access.attested"))), row(word("shop-1"), when(700), when(26), said(web.ToneUnknown, t("access.unattested"))), row(word("shop-2"), word(t("access.never")), web.Cell{}, said(web.ToneUnknown, t("access.unattested")))}}}
	full := &web.Access{Page: p, Parts: accessNav(tx, false), AsAt: &web.AsAt{CSV: "#", PDF: "#"}, Sections: []web.Section{since, unknown, staff, places, confirm, confirmed}}
	calm := customer("access", t("access.title"), "Two people can reach your servers; last changed Tuesday 3 November.")
	calm.Tone, calm.Sub = web.ToneGood, t("access.as_of", "at", "today 14:20")
	one := staff
	one.Grid.Rows = staff.Grid.Rows[:1]
	good := &web.Access{Page: calm, Parts: accessNav(tx, false), AsAt: &web.AsAt{CSV: "#", PDF: "#"}, Sections: []web.Section{{ID: "since", Title: t("access.since"), Notes: []string{t("access.since_nothing", "when", "yesterday 08:12")}}, one}}
	none := customer("access", t("access.title"), t("access.say", "n", 0, "number", "No")+" "+t("access.open_unattested"))
	none.Tone, none.Sub = web.ToneUnknown, t("access.as_of", "at", "today 14:20")
	empty := &web.Access{Page: none, Parts: accessNav(tx, false), AsAt: &web.AsAt{CSV: "#", PDF: "#"}, Sections: []web.Section{{ID: "staff", Title: t("access.staff"), Empty: t("access.nobody")}, {ID: "confirmed", Title: t("access.confirmed"), Lead: t("access.confirmed_lead"), Empty: t("access.confirmed_empty")}}}
	then := customer("access", t("access.title"), t("access.said", "n", 3, "number", "Three", "when", "Sat 14 Nov 23:59"))
	then.Sub = t("access.as_of_known", "at", "Sat 14 Nov 23:59", "known", "Mon 16 Nov 12:00")
	past := &web.Access{Page: then, Parts: accessNav(tx, false), AsAt: &web.AsAt{On: "2026-11-14", KnownOn: "2026-11-16", KnownTime: "12:00", Known: true, Now: "#", CSV: "#", PDF: "#"}, Sections: []web.Section{one, {ID: "services", Title: t("access.services"), Grid: staff.Grid}}}
	wrong := *past
	wrong.Errors = []web.FieldError{{Field: "on", Message: t("activity.no_day")}}
	staffView := ops("access", "Maple Bakery", t("access.say_of", "n", 4, "company", "Maple Bakery")+" "+t("access.open_differ", "n", 2, "number", "two"))
	staffView.Tone, staffView.Crumbs = web.ToneWarn, []web.Link{link(t("access.title")), link("Maple Bakery")}
	theirs := &web.Access{Page: staffView, Parts: accessNav(tx, false), Acts: []web.Act{{Label: t("grant.new"), Href: "#", Strong: true}, {Label: t("grant.break_glass"), Href: "#"}, {Label: t("entries.new"), Href: "#"}, {Label: t("terms.title"), Href: "#"}}, AsAt: &web.AsAt{Customer: "cus_1", CSV: "#", PDF: "#"}, Sections: []web.Section{staff, confirmed}}
	return []Sample{{"access-full", full}, {"access-good", good}, {"access-empty", empty}, {"access-then", past}, {"access-wrong", &wrong}, {"access-staff", theirs}}
}

func accessTold(tx *web.Text) []Sample {
	t := tx.T
	rows := []web.GridRow{
		row(web.Cell{Link: link(t("notices.changes", "n", 2)), Strong: true, Notes: []string{"Karolina Oleksandra Brzęczyszczykiewicz was added", "Mia Roth was taken off"}}, said(web.ToneGood, t("notice.accepted")), when(-21), when(1), web.Cell{Notes: []string{"–"}}, web.Cell{Notes: []string{"–"}}),
		row(web.Cell{Link: link(t("notices.changes", "n", 1)), Strong: true, Notes: []string{"Tomas Lind was added"}}, said(web.ToneWarn, t("notice.bounced")+", "+t("notice.late")), when(400), web.Cell{Notes: []string{"–"}}, when(390), when(389)),
		row(web.Cell{Link: link(t("notices.changes", "n", 5)), Strong: true, Notes: []string{"Jens Holm was added", "Piet Claes was added", t("notices.more", "n", 3)}}, said(web.ToneBad, t("notice.unreachable")), when(880), web.Cell{Notes: []string{"–"}}, web.Cell{Notes: []string{"–"}}, web.Cell{Notes: []string{"–"}})}
	p := customer("access", t("notices.title"), t("notices.say_unreachable"))
	p.Tone = web.ToneBad
	list := &web.Access{Page: p, Parts: accessNav(tx, false), Sections: []web.Section{{ID: "notices", Title: t("notices.list"), Notes: []string{t("notices.what")}, Pager: web.Pager{Next: "#"},
		Grid: web.Grid{Heads: heads(tx, "notices.notice", "col.state", "notices.due", "notices.accepted", "notices.read", "changes.acknowledged"), Rows: rows}}}}
	none := &web.Access{Page: customer("access", t("notices.title"), t("notices.say_none")), Parts: accessNav(tx, false), Sections: []web.Section{{ID: "notices", Title: t("notices.list"), Empty: t("notices.empty")}}}
	np := customer("access", t("notices.notice"), t("notice.say", "n", 2, "state", t("notice.accepted")))
	np.Tone = web.ToneGood
	changeHeads := heads(tx, "changes.what", "col.why", "changes.from", "access.enforced", "changes.told", "changes.acknowledged")
	changes := web.Grid{Heads: changeHeads, Rows: []web.GridRow{
		row(word(t("changes.added", "name", "Karolina Oleksandra Brzęczyszczykiewicz"), join(t("way.teleport"), "Everything on the server, root included")), word("Moves the database"), when(2, t("access.until", "when", "Thu 31 Dec 23:59")), when(1.99), when(1), said(web.ToneBusy, t("changes.not_acknowledged"))),
		row(word(t("changes.removed", "name", "Mia Roth"), t("way.physical")), word(t("changes.why_left")), when(45, t("changes.known", "when", "today 09:00")), said(web.ToneUnknown, t("access.by_hand")), said(web.ToneBusy, t("access.not_told")), said(web.ToneBusy, t("changes.not_acknowledged")))}}
	notice := &web.Access{Page: np, Parts: accessNav(tx, false), Acts: []web.Act{{Label: t("notice.acknowledge"), Href: "#", Post: true, Strong: true}},
		Facts: []web.Fact{{Label: t("notices.opened"), At: at(2)}, {Label: t("notices.due"), At: at(-21)}, {Label: t("notices.accepted"), At: at(1)}, {Label: t("notices.read"), State: web.State{Word: "–"}}},
		Sections: []web.Section{{ID: "items", Title: t("notice.items"), Grid: changes}, {ID: "mails", Title: t("notice.mails"), Lead: t("notice.mails_lead"), Grid: web.Grid{Heads: heads(tx, "notice.to", "col.state", "col.when"), Rows: []web.GridRow{
			row(word("Jonas Weber"), said(web.ToneBad, t("mailstate.bounced"), "550 no such mailbox"), when(1.8)), row(word("Ines Moreau"), said(web.ToneGood, t("mailstate.accepted")), when(1))}}}}}
	ip := customer("access", t("instructing.title"), t("instructing.paused"))
	ip.Tone, ip.Sub = web.ToneWarn, t("instructing.sub")
	instructing := &web.Access{Page: ip, Parts: accessNav(tx, false), Sections: []web.Section{
		{ID: "now", Title: t("instructing.now"), Acts: []web.Act{{Label: t("instructing.new"), Href: "#"}}, Grid: web.Grid{Heads: heads(tx, "col.person", "instructing.acts", "col.since", "col.until", "instructing.document", ""), Rows: []web.GridRow{
			row(web.Cell{Link: web.Link{Label: "Ines Moreau"}, Strong: true, Notes: []string{t("capacity.contact")}}, word(t("act.all")), when(9000), web.Cell{Notes: []string{"–"}}, word("Contract, section 4"), send(t("instructing.end")))}}},
		{ID: "flagged", Title: t("flagged.title"), Lead: t("flagged.lead"), Grid: web.Grid{Heads: heads(tx, "flagged.what", "flagged.why", "col.state", "flagged.at", ""), Rows: []web.GridRow{
			row(ticket("OPS-1333", "Copy the mailbox of a former employee to the managing director"), word("Without a ground, this breaks the secrecy of correspondence."), said(web.ToneWarn, t("flagged.paused")), when(5), web.Cell{})}}}}}
	about := &web.Access{Page: customer("access", t("about.title"), t("about.say_ended", "what", "ISO 27001", "where", "Falkenstein 2")), Parts: accessNav(tx, false), Sections: []web.Section{
		{ID: "places", Title: t("facilities.where"), Grid: web.Grid{Heads: heads(tx, "facilities.place", "facilities.controls", "facilities.certificates"), Rows: []web.GridRow{row(web.Cell{Link: web.Link{Label: "Falkenstein 2"}, Strong: true, Notes: []string{"DE"}}, word("Photo ID, cameras, alarm, locked racks"), said(web.ToneWarn, t("facilities.ended"), t("facilities.paper_ended", "name", "ISO 27001 DE-4711", "when", "Friday 13 November"), t("facilities.paper", "name", "EN 50600", "when", "3 March 2027")))}}},
		{ID: "terms", Title: t("terms.agreed"), Items: []string{t("terms.hours", "n", 24), t("terms.days", "n", 92), t("terms.approves"), t("terms.break_glass")}},
		{ID: "recording", Title: t("recording.title"), Lead: t("recording.lead"), Items: []string{"When you reach a customer's server, we record it: who you are, which server, when you came and went.", "Recordings of sessions are kept for at most 12 months, and then deleted."}}}}
	about.Tone = web.ToneWarn
	cp := customer("access", t("changes.title"), t("changes.say"))
	course := &web.Access{Page: cp, Parts: accessNav(tx, false), Filters: []web.Filter{{Label: t("changes.listed"), Href: "#", Current: true, Count: -1}, {Label: t("changes.enforced"), Href: "#", Count: -1}}, Sections: []web.Section{{ID: "changes", Title: t("changes.list"), Grid: changes, Pager: web.Pager{First: "#", Next: "#"}}}}
	return []Sample{{"notices-full", list}, {"notices-empty", none}, {"notice-full", notice}, {"instructing-paused", instructing}, {"access-about", about}, {"changes-full", course}}
}

func join(a, b string) string { return a + ", " + b }

func accessOps(tx *web.Text) []Sample {
	t := tx.T
	p := ops("access", t("access.title"), t("accessops.say_open", "n", 2, "number", "Two")+" First, Piet Claes can reach shop-1 otherwise than the list says.")
	p.Tone = web.ToneBad
	grants := web.Grid{Heads: heads(tx, "col.person", "col.customer", "col.role", "col.why", "access.span", "col.state"), Rows: []web.GridRow{
		row(lead("Tomas Lind"), web.Cell{Link: link("Orchard Press")}, word("Everything on the server, root included"), ticket("OPS-1340", "Restores the shop's database"), when(-1, t("access.until", "when", "Mon 23 Nov 23:59")), said(web.ToneBusy, t("grantstate.proposed"), t("grant.needs_customer", "when", "tomorrow 02:10"))),
		row(lead("Night shift", t("grant.team")), web.Cell{Link: link("Maple Bakery")}, word("Looks after services, without root"), word("", "On call at night"), when(800, t("access.until", "when", "Thu 31 Dec 23:59")), said(web.ToneGood, t("grantstate.active"))),
		row(lead("Ada Keller"), web.Cell{Link: link("Maple Bakery")}, word("Everything on the server, root included"), word("", "Database does not answer, nobody else awake"), when(9, t("grant.ended", "when", "today 08:20")), said(web.ToneUnknown, t("grantstate.expired"), t("grant.review_by", "when", "Mon 23 Nov 17:00")))}}
	overview := &web.Access{Page: p, Parts: accessNav(tx, true),
		Needs: []web.Need{{State: state(web.ToneBad, t("severity.bad")), Title: "Piet Claes can reach shop-1 otherwise than the list says", Cause: "A key of his was found for root. No grant gives it.", Where: link("Maple Bakery"), Since: at(30), Action: link("Open the list"), Strong: true}, {State: state(web.ToneWarn, t("severity.warn")), Title: "Emergency access of Ada Keller to Maple Bakery is to be reviewed", Cause: "Somebody else looks at it by Monday.", Since: at(9), Action: link("Open the grant")}},
		Facts: []web.Fact{{Label: "Teleport", State: state(web.ToneGood, t("cluster.good")), At: at(0.05), Link: link(t("cluster.title"))}, {Label: t("cluster.mode"), State: web.State{Word: t("mode.enforce")}, Note: t("cluster.fake")}, {Label: t("accessops.waiting"), State: web.State{Word: "1"}, Link: link(t("grants.title"))}, {Label: t("accessops.expiring"), State: web.State{Word: "3"}, Note: t("accessops.expiring_note")}},
		Sections: []web.Section{{ID: "proposed", Title: t("access.proposed"), Lead: t("access.proposed_lead"), Grid: grants}, {ID: "customers", Title: t("customers.title"), Grid: web.Grid{Heads: heads(tx, "col.customer", "col.state", "accessops.persons", "accessops.expiring", "col.changed"), Rows: []web.GridRow{
			row(lead("Maple Bakery"), said(web.ToneWarn, t("accessops.differs", "n", 2)), word("4"), word("1"), when(2)), row(lead("Orchard Press"), said(web.ToneGood, t("accessops.agrees")), word("3"), word("0"), when(700)), row(lead("Vineyard"), said(web.ToneUnknown, t("access.unattested")), word("3"), word("2"), when(60))}}}}}
	fresh := ops("access", t("access.title"), t("accessops.say_no_cluster"))
	fresh.Tone = web.ToneUnknown
	none := &web.Access{Page: fresh, Parts: accessNav(tx, true), Sections: []web.Section{{ID: "customers", Title: t("customers.title"), Empty: t("accessops.empty")}}}
	m := &web.Matrix{Page: ops("access", t("matrix.title"), t("matrix.say", "people", 3, "n", 40)), Parts: accessNav(tx, true), Pager: web.Pager{Next: "#"}}
	for i := range 40 {
		m.Columns = append(m.Columns, link(fmt.Sprintf("Customer number %d", i+1)))
	}
	for n, name := range []string{"Ada Keller", "Karolina Oleksandra Brzęczyszczykiewicz", "Tomas Lind"} {
		r := web.MatrixRow{Person: link(name), Cells: make([]web.MatrixCell, 40)}
		for i := range 40 {
			if (i+n)%3 == 0 {
				r.Cells[i] = web.MatrixCell{Text: "operator", Href: "#", Until: in(float64(40 - i)), Differs: i == 4}
			}
		}
		m.Rows = append(m.Rows, r)
	}
	empty := &web.Matrix{Page: ops("access", t("matrix.title"), t("matrix.say", "people", 0, "n", 0)), Parts: accessNav(tx, true), Query: "zz"}
	pp := ops("access", "Tomas Lind", t("person_of.say", "name", "Tomas Lind", "n", 3, "number", "three")+" "+t("person_of.papers", "what", t("persons.no_training")))
	pp.Tone, pp.Crumbs = web.ToneWarn, []web.Link{link(t("access.title")), link(t("persons.title"))}
	person := &web.Access{Page: pp, Parts: accessNav(tx, true), Acts: []web.Act{{Label: t("person_of.edit"), Href: "#"}, {Label: t("person_of.leave"), Href: "#"}},
		Pairs:    []web.Pair{{Label: t("persons.kind"), Value: t("who.staff")}, {Label: t("persons.teleport"), Value: "tomas", Mono: true}, {Label: t("persons.logins"), Value: "ops, tlind", Mono: true}},
		Sections: []web.Section{{ID: "papers", Title: t("persons.papers"), Acts: []web.Act{{Label: t("paper.new"), Href: "#"}}, Grid: web.Grid{Heads: heads(tx, "paper.paper", "col.since", "col.until", "col.state", "paper.reference"), Rows: []web.GridRow{row(word(t("paper.confidentiality")), when(9000), web.Cell{Notes: []string{"–"}}, said(web.ToneGood, t("facilities.valid")), word("HR 12/4")), row(word(t("paper.training"), "2025"), when(9000), when(20), said(web.ToneWarn, t("facilities.ended")), word("HR 12/5"))}}}, {ID: "lists", Title: t("person_of.lists"), Lead: t("person_of.lists_lead"), Notes: []string{t("person_of.lists_more", "n", 12)}, Grid: web.Grid{Heads: heads(tx, "col.customer", "access.how", "col.until", "col.state"), Rows: []web.GridRow{row(lead("Maple Bakery"), word(t("way.teleport"), "Looks after services, without root"), web.Cell{At: in(300)}, said(web.ToneGood, t("person_of.listed"))), row(lead("Vineyard"), word(t("way.login"), "root"), web.Cell{Notes: []string{"–"}}, said(web.ToneWarn, t("access.not_listed")))}}}, {ID: "grants", Title: t("grants.title"), Grid: grants}}}
	gp := ops("access", t("grant.title"), t("grant.say", "who", "Tomas Lind", "role", "Everything on the server, root included", "company", "Orchard Press", "state", t("grantstate.proposed")))
	gp.Tone = web.ToneBusy
	grant := &web.Access{Page: gp, Parts: accessNav(tx, false), Acts: []web.Act{{Label: t("grant.revoke"), Href: "#"}}, Facts: []web.Fact{{Label: t("col.state"), State: state(web.ToneBusy, t("grantstate.proposed")), Note: t("grant.needs_second", "when", "tomorrow 02:10")}, {Label: t("col.since"), At: at(0)}, {Label: t("col.until"), At: in(3)}},
		Pairs: []web.Pair{{Label: t("col.reason"), Value: "Restores the shop's database"}, {Label: t("col.ticket"), Value: "OPS-1340"}}, Sections: []web.Section{{ID: "answers", Title: t("grant.answers"), Empty: t("grant.no_answers")},
			{ID: "answer", Title: t("grant.your_answer"), Lead: t("grant.your_answer_lead"), Grid: web.Grid{Heads: []string{""}, Rows: []web.GridRow{row(answering("note", t("grant.note"), t("grant.approve"), t("grant.refuse")))}}}}}
	people := &web.Access{Page: ops("access", t("persons.title"), t("persons.say", "n", 2, "number", "Two")), Parts: accessNav(tx, true), Sections: []web.Section{{ID: "persons", Title: t("persons.title"), Acts: []web.Act{{Label: t("persons.new"), Href: "#"}}, Grid: web.Grid{Heads: heads(tx, "col.person", "persons.kind", "persons.papers", "persons.names", "col.state"), Rows: []web.GridRow{
		row(lead("Tomas Lind"), word(t("who.staff")), said(web.ToneWarn, t("persons.no_training")), web.Cell{Link: web.Link{Label: "tomas, ops, tlind"}, Code: true}, said(web.ToneGood, t("persons.here"))), row(lead("Mia Roth", "Kabelwerk Süd"), word(t("who.third_party")), web.Cell{}, web.Cell{}, web.Cell{State: state(web.ToneUnknown, t("persons.left")), At: at(45)})}}}}}
	return []Sample{{"accessops-full", overview}, {"accessops-none", none}, {"matrix-full", m}, {"matrix-empty", empty}, {"person-of", person}, {"persons-full", people}, {"grant-proposed", grant}}
}
