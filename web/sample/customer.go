package sample

import (
	"time"

	"ostler/web"
)

func home(tx *web.Text) []Sample {
	said := web.Headline(tx, web.HeadlineFacts{Servers: 3, Open: []web.OpenFact{{Kind: web.OpenPartial, What: "db-1"}}})
	full := &web.Home{Page: customer("home", tx.T("home.title"), said.Sentence), Needs: needs()[1:2], Recent: events()[:4],
		Servers: []web.HomeServer{
			{Name: "shop-1", Location: "Frankfurt", State: state(web.ToneGood, "looked after"), Backup: state(web.ToneGood, "complete"), BackupAt: at(11.1), Next: at(-12.9), Href: "#"},
			{Name: "shop-2", Location: "Frankfurt", State: state(web.ToneGood, "looked after"), Backup: state(web.ToneGood, "complete"), BackupAt: at(10.8), Next: at(-12.9), Href: "#"},
			{Name: "db-1", Location: "Frankfurt", State: state(web.ToneGood, "looked after"), Backup: state(web.ToneWarn, "partial"), BackupAt: at(11.3), Next: at(-12.9), Href: "#"}},
		Calendars: []web.PlanCalendar{{Title: "Backups of db-1", Href: "#", Calendar: days("db-1", map[int]web.DayState{31: web.DayPartial, 46: web.DayMissed, 60: web.DayUnknown, 89: web.DayPartial})}}}
	full.GetBack, full.Asked = "/find", asked()[:1]
	full.Tone, full.Sub, full.Live, full.Refresh, full.Self = said.Tone, "Measured today, 14:20", []string{"customer:cus_1"}, 60, "/home"
	well := web.Headline(tx, web.HeadlineFacts{Servers: 1})
	quiet := &web.Home{Page: customer("home", tx.T("home.title"), well.Sentence), Servers: full.Servers[:1], Calendars: []web.PlanCalendar{{Title: "Backups of shop-1", Calendar: days("shop-1", nil)}}}
	quiet.Tone = well.Tone
	none := web.Headline(tx, web.HeadlineFacts{})
	empty := &web.Home{Page: customer("home", tx.T("home.title"), none.Sentence)}
	empty.Tone = none.Tone
	return []Sample{{"home-full", full}, {"home-quiet", quiet}, {"home-empty", empty}}
}

func asked() []web.AskedFile {
	return []web.AskedFile{
		{Name: []byte("invoice-2026-11.ods"), Kind: "to the browser", Href: "#", Server: "shop-1", State: state(web.ToneGood, "done"), At: at(2), Until: at(-22)},
		{Name: []byte("two\nlines.txt"), More: 2, Kind: "onto the server", Href: "#", Server: "shop-1", State: state(web.ToneBad, "failed"), At: at(30)}}
}

func backups(tx *web.Text) []Sample {
	full := &web.Backups{Page: customer("backups", tx.T("backups.title"), "Two of your servers have a copy from last night; one has none yet."), Plans: []web.BackupPlan{
		{Server: "shop-1", Href: "#", State: state(web.ToneGood, "complete"), Newest: at(11.1), NewestHref: "#", Schedule: "Every day at 02:15", Next: at(-12.9), Calendar: days("shop-1", map[int]web.DayState{43: web.DayMissed}), Key: state(web.ToneGood, "with you")},
		{Server: "db-1", Href: "#", State: state(web.ToneWarn, "partial"), Newest: at(11.3), NewestHref: "#", NewestState: state(web.ToneWarn, "partial"), Schedule: "Every day at 02:00", Next: at(-12.9), Calendar: days("db-1", map[int]web.DayState{89: web.DayPartial}), Key: state(web.ToneGood, "we keep a sealed copy"), Needs: needs()[1:2]},
		{Server: "shop-2", Href: "#", State: state(web.ToneWarn, "waits for you"), Schedule: "Every day at 02:30", NextWhy: tx.T("plan.waits_key"), Key: state(web.ToneWarn, "not confirmed"), KeyHref: "#", KeyAction: "See the key and confirm it"}}}
	full.Tone, full.Asked = web.ToneWarn, asked()
	empty := &web.Backups{Page: customer("backups", tx.T("backups.title"), "No backup is planned yet.")}
	rows := []web.SnapshotRow{{At: at(11.1), Href: "#", State: state(web.ToneGood, "complete"), Files: 18412, Bytes: 9.1e9, Added: 41e6}, {At: at(35.1), Href: "#", State: state(web.ToneWarn, "partial"), Files: 18409, Bytes: 9.1e9, Added: 12e6, Note: "3 files could not be read"}, {At: at(59.1), Href: "#", State: state(web.ToneGood, "complete"), Files: 18001, Bytes: 9e9, Added: 9e9}}
	list := &web.Snapshots{Page: customer("backups", tx.T("snapshots.title"), "Of shop-1 there are 41 copies; the newest is of today 03:14."), Calendar: days("shop-1", nil), Rows: rows, RunHref: "#", PlanHref: "#", Pager: web.Pager{Next: "#"}}
	list.Crumbs = []web.Link{{Label: tx.T("backups.title"), Href: "/backups"}}
	none := &web.Snapshots{Page: customer("backups", tx.T("snapshots.title"), "Of shop-2 there is no copy yet."), RunHref: "#"}
	return []Sample{{"backups-full", full}, {"backups-empty", empty}, {"snapshots-full", list}, {"snapshots-empty", none}}
}

func crumbs(parts ...string) []web.Crumb {
	c := []web.Crumb{{Name: []byte("shop-1"), Href: "#"}}
	for i, p := range parts {
		href := "#"
		if i == len(parts)-1 {
			href = ""
		}
		c = append(c, web.Crumb{Name: []byte(p), Href: href})
	}
	return c
}

func folder(tx *web.Text) []Sample {
	page := func(say string, tone web.Tone) web.Page {
		p := customer("backups", "/srv/shop", say)
		p.Tone, p.Crumbs, p.Self = tone, []web.Link{{Label: tx.T("backups.title"), Href: "/backups"}, {Label: "shop-1", Href: "#"}, {Label: "today 03:14"}}, "/snapshots/snap_1?path=%2Fsrv"
		return p
	}
	path := crumbs("srv", "shop")
	full := &web.Folder{Page: page("/srv/shop, as it was today at 03:14.", ""), State: web.FolderListed, Path: path, Up: "#", Unread: 3, Nodes: []web.NodeRow{
		{Name: []byte("office"), Dir: true, Href: "#", Changed: at(30), Mode: "drwxr-x---"},
		{Name: []byte("invoice-2026-11.ods"), Href: "#", Size: 84123, Changed: at(72), Mode: "-rw-r-----", Pick: "a"},
		{Name: []byte("two\nlines.txt"), Href: "#", Size: 12, Changed: at(72), Mode: "-rw-r--r--", InBasket: true},
		{Name: []byte("invoice\u202efdp.exe"), Href: "#", Size: 1200, Changed: at(72), Mode: "-rw-r--r--"},
		{Name: []byte("<img src=x onerror=alert(1)>"), Href: "#", Size: 0, Changed: at(72), Mode: "-rw-r--r--"},
		{Name: []byte("caf\xe9 "), Href: "#", Size: 42, Changed: at(9000), Mode: "-rw-r--r--"},
		{Name: []byte(`..\windows\system.ini`), Href: "#", Size: 42, Changed: at(72), Mode: "-rw-r--r--"},
		{Name: []byte("current"), Kind: "link", Target: []byte("/srv/shop/releases/41"), Changed: at(72), Mode: "lrwxrwxrwx"}}}
	full.Sub, full.Ticks, full.Pick, full.History, full.Basket, full.Pager = tx.T("folder.from_list"), true, "whole", "#", basketNote(tx, 1), web.Pager{Next: "#"}
	full.Copies = web.OtherCopies{Action: "#", Raw: "L3Nydi9zaG9w", On: "2026-11-21", Earlier: web.Link{Label: tx.T("copies.folder_earlier", "when", "Fri 20 Nov 03:14"), Href: "#"}, Later: web.Link{Label: tx.T("copies.folder_later", "when", "today 09:14"), Href: "#"}}
	waiting := &web.Folder{Page: page("The server is asked for the list of /srv/shop.", ""), State: web.FolderWaiting, Path: path, Waiting: &web.Waiting{Text: "Waiting for shop-1", Since: at(0.001), Job: "#", Why: []string{"A backup is at work on the same repository; the list comes after it."}}}
	waiting.Live, waiting.Refresh = []string{"job:job_2"}, 2
	missing := &web.Folder{Page: page("This copy has no folder /srv/shop/old.", web.ToneUnknown), State: web.FolderMissing, Path: crumbs("srv", "shop", "old"), Up: "#"}
	missing.Copies = web.OtherCopies{Earlier: full.Copies.Earlier}
	none := &web.Folder{Page: page("/srv/shop/empty was empty today at 03:14.", ""), State: web.FolderEmpty, Path: crumbs("srv", "shop", "empty")}
	silent := &web.Folder{Page: page("shop-1 did not answer within 30 seconds.", web.ToneUnknown), State: web.FolderSilent, Path: path, Again: "#"}
	silent.Problem = &web.Problem{Cause: "The server has not been heard of since 13:39", Next: "Its files are safe in the store. Ask again when it is back, or ask us."}
	start := &web.Folder{Page: page("A copy of today 03:14, complete.", ""), State: web.FolderStart, Path: path, Again: "#"}
	cut := *full
	cut.Nodes, cut.Cut, cut.Unread, cut.Pager, cut.InBasket = full.Nodes[:2], 5000, 0, web.Pager{First: "#"}, true
	cut.Sub = tx.T("folder.from_server_why", "why", tx.T("catalogue.building"))
	cut.Errors = []web.FieldError{{Field: "on", Message: tx.T("copies.none_before", "day", "2020-01-01")}}
	return pages("folder", map[string]*web.Folder{"listed": full, "waiting": waiting, "missing": missing, "empty": none, "silent": silent, "start": start, "cut": &cut}, "listed", "waiting", "missing", "empty", "silent", "start", "cut")
}

func file(tx *web.Text) []Sample {
	p := customer("backups", "invoice-2026-11.ods", "invoice-2026-11.ods, as it was today at 03:14.")
	p.Crumbs = []web.Link{{Label: tx.T("backups.title"), Href: "/backups"}, {Label: "shop-1", Href: "#"}}
	snap := web.SnapshotRow{At: at(11.1), Href: "#", State: state(web.ToneGood, "complete")}
	full := &web.File{Page: p, Path: crumbs("srv", "shop", "invoice-2026-11.ods"), Name: []byte("invoice-2026-11.ods"), Size: 84123, Changed: at(72), Mode: "-rw-r-----", Owner: "1000:1000", Snapshot: snap, Download: "#", PutBack: "#", Target: []byte("/srv/shop/invoice-2026-11.restored-20261121-031400.ods"), Known: true, Server: "shop-1"}
	full.Sub, full.Pick, full.History, full.Basket = tx.T("folder.from_list"), "a", "#", basketNote(tx, 2)
	full.Copies.Action, full.Copies.On = "#", "2026-11-21"
	full.Copies.Earlier = web.Link{Label: tx.T("copies.file_earlier", "when", "Fri 20 Nov 03:14"), Href: "#"}
	big := *full
	big.Size, big.Download, big.TooBig = 9e9, "", 2e9
	reader := *full
	reader.Download, reader.PutBack = "", ""
	missing := &web.File{Page: p, Path: full.Path, Missing: true, Snapshot: snap}
	missing.Say = "This copy has no file invoice-2026-12.ods."
	waiting := &web.File{Page: p, Path: full.Path, Waiting: &web.Waiting{Text: "Waiting for shop-1", Since: at(0.001)}}
	return pages("file", map[string]*web.File{"full": full, "big": &big, "reader": &reader, "missing": missing, "waiting": waiting}, "full", "big", "reader", "missing", "waiting")
}

func recoveryKey(tx *web.Text) []Sample {
	page := func(say string, tone web.Tone) web.Page {
		p := customer("backups", tx.T("backups.key"), say)
		p.Tone, p.Crumbs = tone, []web.Link{{Label: tx.T("backups.title"), Href: "/backups"}, {Label: "shop-2", Href: "#"}}
		return p
	}
	plan := web.Link{Label: "Back to the plan", Href: "#"}
	choose := &web.RecoveryKey{Page: page("Backups of shop-2 begin when you say who keeps the recovery key.", web.ToneWarn), Step: web.KeyChoose, Action: "#", Escrow: "#", Plan: plan}
	waiting := &web.RecoveryKey{Page: page("shop-2 is making its key.", ""), Step: web.KeyWaiting, Waiting: &web.Waiting{Text: "Waiting for shop-2", Since: Now.Add(-20 * time.Second)}, Plan: plan}
	shown := &web.RecoveryKey{Page: page("This is the recovery key of shop-2. Write it down before you go on.", web.ToneWarn), Step: web.KeyShown, Key: "K7Q2X-M0V9D-3TZNH-8WYFA-R5C1B-E6GJ4-P2S7K-X9M3T-7HV4D-0ZQKN-4WM8R", Action: "#", Escrow: "#", Plan: plan}
	confirm := &web.RecoveryKey{Page: page("The key of shop-2 was shown, and waits for you to confirm it.", web.ToneWarn), Step: web.KeyConfirm, Action: "#", Escrow: "#", Plan: plan}
	confirm.Errors = []web.FieldError{{Field: "last_group", Message: "That is not the last group of the key"}}
	done := &web.RecoveryKey{Page: page("You have the recovery key of shop-2; we do not.", web.ToneGood), Step: web.KeyConfirmed, Digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", At: at(400), Plan: plan, Return: "#", Typed: true}
	escrowed := &web.RecoveryKey{Page: page("We keep a sealed copy of the recovery key of shop-2.", web.ToneGood), Step: web.KeyEscrowed, Digest: done.Digest, At: at(400), Plan: plan, Return: "#"}
	ready := &web.RecoveryKey{Page: page(tx.T("key.say_ready", "server", "shop-2"), web.ToneWarn), Step: web.KeyReady, Action: "#", Escrow: "#", Plan: plan}
	theirs := &web.RecoveryKey{Page: page(tx.T("key.say_staff", "server", "shop-2"), web.ToneWarn), Step: web.KeyTheirs, Plan: plan}
	theirs.Owners = []web.PersonRow{{Name: "Ines Moreau", Email: "ines@maple.example", Role: "owner", Href: "#", State: state(web.ToneGood, "set up"), Seen: at(20)}}
	failed := &web.RecoveryKey{Page: page(tx.T("key.say_failed", "server", "shop-2"), web.ToneBad), Step: web.KeyFailed, Action: "#", Plan: plan}
	failed.Problem = &web.Problem{Cause: "The off-site store did not answer", Next: "It is tried again by itself."}
	confirm.Anew, shown.Anew = "#", "#"
	return pages("key", map[string]*web.RecoveryKey{"choose": choose, "waiting": waiting, "ready": ready, "theirs": theirs, "failed": failed, "shown": shown, "confirm": confirm, "confirmed": done, "escrowed": escrowed}, "choose", "waiting", "ready", "theirs", "failed", "shown", "confirm", "confirmed", "escrowed")
}
