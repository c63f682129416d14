package sample

import (
	"ostler/web"
)

const sum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// restorePage begins the page of a restore.
func restorePage(tx *web.Text, name, say string, tone web.Tone) web.Page {
	p := customer("restore", tx.T("restores.title"), say)
	p.Tone, p.Crumbs, p.Self = tone, []web.Link{{Label: tx.T("restores.title"), Href: "/restores"}, {Label: name}}, "/restores/res_1"
	return p
}

// orderedBy is who asked for a restore.
func orderedBy(tx *web.Text) []web.Pair {
	return []web.Pair{{Label: tx.T("restore.by"), Value: tx.T("restore.who_when", "who", "Ines Moreau", "when", "today 14:02")}}
}

// lost is what could not be read from the store.
func lost(tx *web.Text) web.Missing {
	return web.Missing{Count: 3, Text: tx.T("restore.missing", "n", 3), Rows: [][]byte{[]byte("/srv/shop/office/old.ods"), []byte("/srv/shop/two\nlines.txt")}, More: 1}
}

func download(tx *web.Text) []Sample {
	file := []byte("invoice-2026-11.ods")
	of := func(key string, tone web.Tone, s web.State) *web.Download {
		return &web.Download{Page: restorePage(tx, string(file), tx.T(key, "name", string(file)), tone), State: s, Name: file, Asked: orderedBy(tx), Back: web.Link{Label: tx.T("restore.back"), Href: "#"}, JobHref: "#"}
	}
	running := of("download.say", "", state(web.ToneBusy, "running"))
	running.Progress, running.Cancel = &web.Progress{Percent: 60, Step: tx.T("progress.upload"), Done: 50e6, Total: 84e6, Rate: 11e6, Left: 4e9}, "#"
	running.Live, running.Refresh = []string{"job:job_3"}, 2
	waiting := of("download.say", "", state(web.ToneBusy, "waiting"))
	waiting.Why, waiting.Cancel = []string{"shop-1 has not been heard of since 13:39."}, "#"
	ready := of("download.say_ready", web.ToneGood, state(web.ToneGood, tx.T("restore.ready")))
	ready.Another = &web.FindForm{}
	ready.Ready, ready.FileHref, ready.Size, ready.SHA256, ready.Expires = true, "#", 84123, sum, at(-24)
	failed := of("download.say_failed", web.ToneBad, state(web.ToneBad, tx.T("restore.failed")))
	failed.Failed, failed.Again = &web.Problem{Cause: tx.T("own.no_key"), Next: tx.T("own.key_next"), Link: web.Link{Label: tx.T("key.return"), Href: "#"}}, "#"
	over := of("download.say_expired", web.ToneUnknown, state(web.ToneUnknown, tx.T("restore.expired")))
	over.Over, over.Again = true, "#"
	cancelled := of("download.say_cancelled", web.ToneUnknown, state(web.ToneUnknown, tx.T("restore.cancelled")))
	cancelled.Again = "#"
	name := "shop-1 2026-11-21.zip"
	archive := &web.Download{Page: restorePage(tx, name, tx.T("download.say_ready", "name", name), web.ToneGood), State: state(web.ToneGood, tx.T("restore.ready")), Ready: true, Archive: true, Name: []byte(name), FileHref: "#",
		Size: 3.1e6, SHA256: sum, Expires: at(-24), Files: 1219, Bytes: 9.4e6, Items: []web.ItemRow{{Path: []byte("/srv/shop/office"), Href: "#", At: at(5)}, {Path: []byte("/srv/shop/two\nlines.txt")}}, Asked: orderedBy(tx), JobHref: "#"}
	lacking := *archive
	name = "shop-1 2026-11-21-INCOMPLETE.zip"
	lacking.Page = restorePage(tx, name, tx.T("download.say_incomplete", "name", name, "n", 3), web.ToneWarn)
	lacking.State, lacking.Name, lacking.Missing = state(web.ToneWarn, tx.T("restore.incomplete")), []byte(name), lost(tx)
	helped := *archive
	helped.Helped = tx.T("restore.helped", "ticket", "OPS-1234", "reason", "Ines asked for it by phone")
	gone := *archive
	gone.Page = restorePage(tx, string(archive.Name), tx.T("download.say_expired", "name", string(archive.Name)), web.ToneUnknown)
	gone.State, gone.Ready, gone.Over, gone.Again = over.State, false, true, "#"
	return pages("download", map[string]*web.Download{"running": running, "waiting": waiting, "ready": ready, "failed": failed, "over": over, "cancelled": cancelled,
		"archive": archive, "incomplete": &lacking, "helped": &helped, "archive-over": &gone}, "running", "waiting", "ready", "failed", "over", "cancelled", "archive", "incomplete", "helped", "archive-over")
}

func onServer(tx *web.Text) []Sample {
	of := func(key string, tone web.Tone, s web.State) *web.OnServer {
		x := &web.OnServer{Page: restorePage(tx, "office", tx.T(key, "name", tx.T("onserver.things", "name", "office", "n", 2), "server", "shop-1", "n", 2), tone), State: s, Name: []byte("office"), More: 2,
			Items: []web.ItemRow{{Path: []byte("/srv/shop/office"), Href: "#", At: at(5), Of: []byte("/srv")}, {Path: []byte("/srv/shop/a.ods"), Href: "#", At: at(29)}, {Path: []byte("/srv/shop/caf\xe9")}}, Server: "shop-1", Where: tx.T("onserver.original"), Rule: tx.T("onserver.rule_overwrite"), Asked: orderedBy(tx), JobHref: "#"}
		return x
	}
	count := func(key string, tone web.Tone, n int64) web.ChangeCount {
		return web.ChangeCount{State: state(tone, tx.T(key)), N: n}
	}
	row := func(path, key string, tone web.Tone, size int64, note string) web.ChangeRow {
		return web.ChangeRow{Path: []byte(path), State: state(tone, tx.T(key)), Size: size, Note: note}
	}
	figure := func(key, value string) web.Fact { return web.Fact{Label: tx.T(key), State: web.State{Word: value}} }

	running := of("onserver.say_previewing", "", state(web.ToneBusy, "running"))
	running.Progress, running.Cancel = &web.Progress{Percent: -1, Step: tx.T("progress.scan"), Current: []byte("/srv/shop/office/plan.ods")}, "#"
	running.Live, running.Refresh = []string{"job:job_3"}, 2
	previewed := of("onserver.say_previewed", web.ToneWarn, state(web.ToneWarn, tx.T("restore.previewed")))
	previewed.Files = []web.ChangeCount{count("act.create", web.ToneGood, 12), count("act.replace", web.ToneWarn, 3), count("act.refuse", web.ToneBad, 1), count("act.same", web.ToneUnknown, 1204)}
	previewed.List = []web.ChangeRow{row("/srv/shop/office/plan.ods", "act.replace", web.ToneWarn, 84123, ""), row("/srv/shop/office/new", "act.create", web.ToneGood, -1, tx.T("change.setuid_removed")),
		row("/srv/shop/two\nlines", "act.refuse", web.ToneBad, 12, "The target lies outside this customer's folders, or a symbolic link is in the way")}
	previewed.ListTitle, previewed.Pager = tx.T("onserver.list_preview"), web.Pager{Next: "#"}
	previewed.Figures = []web.Fact{figure("onserver.bytes_preview", "3.1 MB"), figure("onserver.free", "41 GB")}
	previewed.From, previewed.Missing, previewed.Confirm, previewed.Cancel, previewed.Until = "shop-2", lost(tx), "#", "#", at(-1)
	nothing := of("onserver.say_nothing", web.ToneUnknown, previewed.State)
	nothing.Files, nothing.ListTitle, nothing.Cancel, nothing.Until = []web.ChangeCount{count("act.same", web.ToneUnknown, 1204)}, previewed.ListTitle, "#", at(-1)
	nothing.NoList = &web.Problem{Cause: "The list of changes is damaged", Next: "Its figures are still shown; ask us if you need the list."}
	done := of("onserver.say_ready", web.ToneGood, state(web.ToneGood, tx.T("restore.ready")))
	done.Files, done.List, done.ListTitle = previewed.Files[:2], previewed.List[:2], tx.T("onserver.list_result")
	done.Target = []byte("/srv/shop/restored")
	done.Figures = []web.Fact{figure("onserver.bytes_result", "3.1 MB"), figure("onserver.safety", "2.2 MB")}
	done.Another = &web.FindForm{}
	done.Undo, done.UndoUntil = "#", at(-24*7)
	done.Pager = web.Pager{First: "#"}
	partly := of("onserver.say_ready_part", web.ToneWarn, state(web.ToneWarn, tx.T("restore.incomplete")))
	partly.Missing, partly.Files, partly.ListTitle = lost(tx), done.Files, done.ListTitle
	undone := of("onserver.say_undone_part", web.ToneWarn, state(web.ToneGood, tx.T("restore.undone")))
	undone.Files = []web.ChangeCount{count("act.returned", web.ToneGood, 3), count("act.removed", web.ToneGood, 10), count("act.changed", web.ToneWarn, 2)}
	undone.List, undone.ListTitle, undone.Again = []web.ChangeRow{row("/srv/shop/office/plan.ods", "act.changed", web.ToneWarn, 84123, "")}, tx.T("onserver.list_undo"), "#"
	failed := of("onserver.say_failed_part", web.ToneBad, state(web.ToneBad, tx.T("restore.failed")))
	failed.Failed, failed.Confirm, failed.Resume, failed.Undo, failed.UndoUntil, failed.Again = &web.Problem{Cause: "The server's disk is full", Next: "Free some space on the server, then try again."}, "#", true, "#", at(-24*7), "#"
	stuck := of("onserver.say_ready", web.ToneGood, done.State)
	stuck.Failed, stuck.Undo, stuck.UndoUntil = &web.Problem{Cause: tx.T("onserver.undo_failed", "cause", "the server's disk is full"), Next: "Free some space on the server, then try again."}, "#", at(-24*7)
	cancelled := of("onserver.say_cancelled", web.ToneUnknown, state(web.ToneUnknown, tx.T("restore.cancelled")))
	cancelled.Again = "#"
	expired := of("onserver.say_expired", web.ToneUnknown, state(web.ToneUnknown, tx.T("restore.expired")))
	expired.Again = "#"
	one := of("onserver.say_ready", web.ToneGood, done.State)
	one.Name, one.More, one.Items, one.Target, one.Rule, one.Size, one.SHA256 = []byte("invoice-2026-11.ods"), 0, nil, []byte("/srv/shop/invoice-2026-11.restored-20261121-0314.ods"), tx.T("onserver.rule_beside"), 84123, sum
	one.Say, one.Back = tx.T("onserver.say_beside", "name", "invoice-2026-11.ods", "server", "shop-1"), web.Link{Label: tx.T("restore.back"), Href: "#"}
	return pages("onserver", map[string]*web.OnServer{"running": running, "previewed": previewed, "nothing": nothing, "done": done, "partly": partly, "undone": undone, "failed": failed, "stuck": stuck,
		"cancelled": cancelled, "expired": expired, "one": one}, "running", "previewed", "nothing", "done", "partly", "undone", "failed", "stuck", "cancelled", "expired", "one")
}

// assists are who of us could see files.
func assists(tx *web.Text) []web.AssistRow {
	return []web.AssistRow{{Who: "Ada Keller", Reason: "Ines asked for it by phone:\nthe office folder as of Friday", Ticket: "OPS-1234", From: at(1), Until: at(-3), State: state(web.ToneWarn, tx.T("assist.open"))},
		{Who: "Ben Ortiz", Reason: "Look for a lost invoice", Ticket: "OPS-1190", From: at(400), Until: at(398), State: state(web.ToneUnknown, tx.T("assist.over"))}}
}

// helping is staff's page while they may see a customer's files.
func helping(p web.Page) web.Page {
	p.Helping = &web.Helping{Customer: web.Link{Label: "Maple Bakery", Href: "/customers/cus_1"}, Ticket: "OPS-1234", Until: at(-3), End: "#"}
	return p
}

func assistForm(tx *web.Text) []Sample {
	page := func() web.Page {
		p := ops("customers", tx.T("assist.title"), tx.T("assist.say", "customer", "Maple Bakery"))
		p.Sub, p.Crumbs = tx.T("assist.sub", "customer", "Maple Bakery"), []web.Link{{Label: tx.T("customers.title"), Href: "/customers"}, {Label: "Maple Bakery", Href: "#"}}
		return p
	}
	first := &web.NewAssist{Page: page(), For: "cus_1"}
	wrong := &web.NewAssist{Page: helping(page()), For: "cus_2", Ask: "ask_1", Reason: tx.T("assist.asked", "what", "The folder office, as of Friday."), Ends: tx.T("assist.ends", "customer", "Maple Bakery")}
	wrong.Errors = []web.FieldError{{Field: "ticket", Message: "Write something here."}}
	return pages("assist", map[string]*web.NewAssist{"new": first, "wrong": wrong}, "new", "wrong")
}

const wish = "Please get back the folder office on shop-1, as it was on Friday.\nSomebody moved half of it away this morning."

func askUs(tx *web.Text) []Sample {
	form := func(m web.MailChoice) *web.NewAsk {
		return &web.NewAsk{Page: customer("restore", tx.T("ask.title"), tx.T("ask.say")), Mail: m}
	}
	wrong := form(web.MailChoice{Off: true})
	wrong.Errors = []web.FieldError{{Field: "what", Message: "Write something here."}}
	out := pages("newask", map[string]*web.NewAsk{"new": form(web.MailChoice{To: "ines@maple.example", Chosen: true}), "wrong": wrong}, "new", "wrong")
	rows := []web.AskRow{{What: wish, Href: "#", By: "Ines Moreau", At: at(0.3), State: state(web.ToneWarn, tx.T("ask.open"))}, {What: "One invoice", Href: "#", By: "Ines Moreau", At: at(300), State: state(web.ToneGood, tx.T("ask.done"))}}
	theirs := &web.Asks{Page: customer("restore", tx.T("asks.title"), tx.T("asks.say", "n", 1)), Rows: rows, New: "/ask"}
	ours := &web.Asks{Page: ops("today", tx.T("asks.title"), tx.T("asks.say", "n", 1)), Rows: []web.AskRow{rows[0]}}
	ours.Rows[0].Customer = web.Link{Label: "Maple Bakery", Href: "#"}
	none := &web.Asks{Page: customer("restore", tx.T("asks.title"), tx.T("asks.say_none")), New: "/ask"}
	return append(append(out, pages("asks", map[string]*web.Asks{"full": theirs, "staff": ours, "empty": none}, "full", "staff", "empty")...), asked1(tx)...)
}

// asked1 is one request, to either side.
func asked1(tx *web.Text) []Sample {
	about := []web.Pair{{Label: tx.T("ask.by"), Value: tx.T("restore.who_when", "who", "Ines Moreau", "when", "today 14:02")}}
	open := &web.Ask{Page: customer("restore", tx.T("ask.one"), tx.T("ask.say_open")), State: state(web.ToneWarn, tx.T("ask.open")), What: wish, About: about}
	open.Sub, open.Live, open.Self = tx.T("ask.mail"), []string{"ask:ask_1"}, "/asks/ask_1"
	done := &web.Ask{Page: customer("restore", tx.T("ask.one"), tx.T("ask.say_done")), State: state(web.ToneGood, tx.T("ask.done")), What: wish, Answer: "It is back where it was.\nWhat was there is kept aside until Friday.", About: about}
	done.Tone = web.ToneGood
	ours := &web.Ask{Page: helping(ops("today", tx.T("ask.one"), tx.T("ask.say_open_staff", "customer", "Maple Bakery"))), State: open.State, What: wish, About: about, Take: "#", Help: web.Link{Label: tx.T("assist.help"), Href: "#"}, Answering: "#"}
	ours.Tone = web.ToneWarn
	return pages("ask", map[string]*web.Ask{"open": open, "done": done, "staff": ours}, "open", "done", "staff")
}

func restoreList(tx *web.Text) []Sample {
	page := func() web.Page {
		p := customer("restore", tx.T("restores.title"), tx.T("restores.say"))
		p.Self = "/restores"
		return p
	}
	staff := helping(ops("restore", tx.T("restores.title"), tx.T("restores.say")))
	staff.Self = "/restores"
	return pages("restores", map[string]*web.Restores{"full": {Page: page(), Another: &web.FindForm{}, Rows: asked(), Asked: "#", Asks: "#", Assists: assists(tx)}, "staff": {Page: staff, Rows: asked(), Assists: assists(tx)}, "empty": {Page: page()}}, "full", "staff", "empty")
}
