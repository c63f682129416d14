package sample

import (
	"time"

	"ostler/web"
)

func find(tx *web.Text) []Sample {
	page := func(say string) web.Page {
		p := customer("restore", tx.T("find.title"), say)
		p.Self = "/find?q=invoice-2026"
		return p
	}
	servers := []web.Link{{Label: "shop-1", Href: "srv_1"}, {Label: "shop-2", Href: "srv_2"}}
	browse := []web.Link{{Label: tx.T("find.browse", "server", "shop-1", "when", "today 03:14"), Href: "#"}, {Label: tx.T("find.browse", "server", "shop-2: Database", "when", "today 03:31"), Href: "#"}}
	empty := &web.Find{Page: page(tx.T("find.say")), Servers: servers, Browse: browse, AskUs: "/ask"}
	none := &web.Find{Page: page(tx.T("find.say_none")), Query: web.FindForm{Text: "invioce", Ext: "ods", More: true}, Asked: true, Servers: servers, Browse: browse, None: tx.T("find.none"),
		Scope: tx.T("find.scope", "n", 412, "servers", "shop-1 and shop-2"), AskUs: "/ask"}
	full := &web.Find{Page: page(tx.T("find.say_found", "n", 6)), Query: web.FindForm{Text: "invoice-2026", On: "2026-11-20"}, Asked: true, Servers: servers, Scope: none.Scope, Ticks: true, Pager: web.Pager{First: "#", Next: "#"},
		Basket: basketNote(tx, 1), Rows: []web.FoundRow{
			{Name: []byte("invoice-2026-11.ods"), Folder: []byte("/srv/shop/office"), Href: "#", Server: "shop-1", Versions: 14, At: at(83.1), Size: 84123, InBasket: tx.T("basket.in_as_of", "when", "Wed 18 Nov 03:12"),
				Missing: tx.T("find.missing", "when", "Thu 19 Nov 03:14")},
			{Name: []byte("invoice-2026-10.ods"), Folder: []byte("/srv/shop/office"), Href: "#", Server: "shop-1", Versions: 22, At: at(10.1), Size: 91002, Pick: "a"},
			{Name: []byte("invoices-2026"), Folder: []byte("/srv/shop"), Dir: true, Href: "#", Server: "shop-2", Versions: 2, At: at(10.1), Pick: "b"},
			{Name: []byte("invoice-2026\u202efdp.exe"), Folder: []byte("/srv/shop/two\nlines"), Href: "#", Server: "shop-2", Versions: 1, At: at(10.1), Size: 1200, Pick: "c", Missing: tx.T("find.unread", "when", "today 03:14")},
			{Name: []byte("<img src=x onerror=alert(1)>caf\xe9 "), Folder: []byte("/srv/shop/a-very-long-name-without-any-place-to-break-it-that-goes-on-and-on-until-no-screen-is-wide-enough-for-it"), Href: "#", Server: "shop-2", Versions: 12004, At: at(10.1), Size: 42, Pick: "d"},
			{Name: []byte("invoice-current"), Folder: []byte("/srv/shop"), Kind: tx.T("node.symlink"), Href: "#", Server: "shop-1", Versions: 1, At: at(10.1), Size: 9, Pick: "e"}}}
	full.Done, full.DoneNext = tx.T("done.basket", "n", 1), web.Link{Label: tx.T("basket.go"), Href: "/basket"}
	wrong := &web.Find{Page: page(tx.T("find.say")), Query: web.FindForm{Text: "invoice", On: "yesterday", Min: "ten", More: true}, Servers: servers, Browse: browse}
	wrong.Errors = []web.FieldError{{Field: "on", Message: "Write the day as 2026-11-18."}, {Field: "min", Message: "Write a number of megabytes, such as 10."}}
	slow := &web.Find{Page: page(tx.T("find.say")), Query: web.FindForm{Text: "*a*"}, Servers: servers, Browse: browse}
	slow.Problem = &web.Problem{Cause: "The search took longer than it may", Next: "Name a server, a folder or a date, or more of the name."}
	behind := &web.Find{Page: page(tx.T("find.say_unsearched")), Query: web.FindForm{Text: "invoice"}, Asked: true, Servers: servers[:1], Browse: browse[:1], None: tx.T("find.none_unsearched"),
		Behind: []web.BehindRow{{Text: tx.T("find.behind", "n", 41, "plan", "Files", "server", "shop-1", "why", tx.T("catalogue.not_chosen")), Link: web.Link{Label: tx.T("find.behind_link"), Href: "#"}},
			{Text: tx.T("find.behind", "n", 1, "plan", "Files", "server", "shop-2", "why", tx.T("catalogue.waiting")), Link: web.Link{Label: tx.T("find.behind_link"), Href: "#"}}}}
	behind.Tone = web.ToneUnknown
	fresh := &web.Find{Page: page(tx.T("find.say")), NoCopy: true}
	return pages("find", map[string]*web.Find{"empty": empty, "none": none, "full": full, "wrong": wrong, "slow": slow, "behind": behind, "fresh": fresh}, "empty", "full", "none", "wrong", "slow", "behind", "fresh")
}

func basketNote(tx *web.Text, n int) web.BasketNote {
	return web.BasketNote{Items: n, Text: tx.T("basket.note", "n", n), Href: "/basket"}
}

func versions(tx *web.Text) []Sample {
	page := func(say string) web.Page {
		p := customer("restore", "invoice-2026-11.ods", say)
		p.Crumbs, p.Self = []web.Link{{Label: tx.T("find.title"), Href: "/find"}, {Label: "shop-1"}}, "/files?plan=plan_1&path=%2Fsrv%2Fshop"
		return p
	}
	name, full := []byte("invoice-2026-11.ods"), []byte("/srv/shop/office/invoice-2026-11.ods")
	folder := web.Link{Label: tx.T("files.folder"), Href: "#"}
	all := &web.Files{Page: page(tx.T("files.say", "name", "invoice-2026-11.ods", "n", 4)), Name: name, Path: full, Server: "shop-1", Folder: folder, Basket: basketNote(tx, 2), Versions: []web.VersionRow{
		{Changed: at(72), First: at(83.1), Last: at(83.1), Copies: 1, Size: 84123, Type: "file", Href: "#", Download: "#", Pick: "a", InBasket: true},
		{Changed: at(400), First: at(395.1), Last: at(107.1), Copies: 12, Size: 83012, Type: "file", Href: "#", Download: "#", Pick: "b"},
		{First: at(443.1), Last: at(419.1), Copies: 2, Size: 9, Type: "symlink", Kind: tx.T("node.symlink"), Href: "#", Pick: "c"},
		{Changed: at(9000), First: at(8995), Last: at(8995), Copies: 1, Type: "dir", Href: "#", Pick: "d"}}}
	missing := *all
	missing.Missing, missing.Unseen, missing.Why = "Missing from the backup of Thu 19 Nov 03:14.", tx.T("files.behind", "n", 2, "why", tx.T("catalogue.building")), web.Link{Label: tx.T("find.behind_link"), Href: "#"}
	missing.Versions = all.Versions[1:2]
	missing.Say = tx.T("files.say", "name", "invoice-2026-11.ods", "n", 1)
	behind := &web.Files{Page: page(tx.T("files.say_unknown", "name", "invoice-2026-11.ods")), Name: name, Path: full, Server: "shop-1", Unseen: tx.T("files.behind", "n", 41, "why", tx.T("catalogue.not_chosen")),
		Why: missing.Why, Folder: web.Link{Label: tx.T("files.folder_newest", "when", "today 03:14"), Href: "#"}}
	behind.Tone = web.ToneUnknown
	dir := &web.Files{Page: page(tx.T("files.say_folder", "name", "office")), Name: []byte("office"), Path: []byte("/srv/shop/office"), Server: "shop-1", Folder: folder, Versions: all.Versions[3:],
		Deep: tx.T("files.folder_note"), Copies: web.OtherCopies{Action: "#", Raw: "/srv/shop/office", On: "2026-11-20"}}
	return pages("files", map[string]*web.Files{"full": all, "missing": &missing, "behind": behind, "folder": dir}, "full", "missing", "behind", "folder")
}

func basket(tx *web.Text) []Sample {
	page := func(say string) web.Page {
		p := customer("restore", tx.T("basket.title"), say)
		p.Crumbs, p.Self, p.Live, p.LivePart = []web.Link{{Label: tx.T("find.title"), Href: "/find"}, {Label: tx.T("basket.title")}}, "/basket", []string{"basket:con_1"}, "items"
		return p
	}
	target := web.BasketTarget{Placement: "original", Conflict: "beside", Format: "zip", Mail: true, Example: []byte("/srv/shop/office/invoice-2026-11.restored-20261118-0212.ods")}
	servers := []web.Link{{Label: "shop-1", Href: "srv_1"}, {Label: "shop-2", Href: "srv_2"}}
	empty := &web.Basket{Page: page(tx.T("basket.say_empty"))}
	items := []web.BasketRow{{ID: "itm_1", Name: []byte("invoice-2026-11.ods"), Folder: []byte("/srv/shop/office"), Server: "shop-1", At: at(83.1), Href: "#", Files: 1, Bytes: 84123, Known: true},
		{ID: "itm_2", Name: []byte("office"), Folder: []byte("/srv/shop"), Dir: true, Server: "shop-2", At: at(10.1), Href: "#", Files: 1204, Bytes: 3.1e9, Known: true}}
	full := &web.Basket{Page: page(tx.T("basket.say", "n", 2)), Items: items, Files: 1205, Bytes: 3.1e9, Known: true, Took: 4 * time.Minute, Parts: 2, Servers: servers, Folders: "shop-1: /srv/shop; shop-2: /srv/shop, /srv/blog", Target: target, Mail: web.MailChoice{To: "ines@maple.example", Chosen: true}, CanRestore: true}
	gone := *full
	gone.Say = tx.T("basket.say", "n", 4)
	gone.Items = append(items[:2:2], web.BasketRow{ID: "itm_3", Name: []byte("two\nlines\xff"), Folder: []byte("/srv/shop"), Gone: true},
		web.BasketRow{ID: "itm_4", Name: []byte("cache"), Folder: []byte("/srv/shop"), Dir: true, Server: "shop-1", At: at(10.1), Href: "#"})
	gone.Gone, gone.Known, gone.Parts, gone.Took = 1, false, 1, 0
	lost := &web.Basket{Page: page(tx.T("basket.say_gone")), Items: gone.Items[2:3], Gone: 1}
	lost.Tone = web.ToneBad
	wrong := *full
	wrong.Target.Placement, wrong.Target.Folder = "folder", "restored"
	wrong.Live = nil
	wrong.Errors = []web.FieldError{{Field: "folder", Message: "Name a folder on the server, from / on."}, {Message: "The same file or folder is chosen from two copies. Choose one of them, or restore them one after the other."}}
	wrong.Mail = web.MailChoice{Off: true}
	ours := *full
	ours.Viewer.Staff, ours.Mail = true, web.MailChoice{}
	ours.Page = helping(ours.Page)
	return pages("basket", map[string]*web.Basket{"empty": empty, "full": full, "gone": &gone, "lost": lost, "wrong": &wrong, "helping": &ours}, "empty", "full", "gone", "lost", "wrong", "helping")
}

// namesLists are the states of a plan's list of names.
func namesLists(tx *web.Text) []Sample {
	page := func(p web.Page, n web.NamesList) *web.Plan {
		p.Sub = "Files"
		return &web.Plan{Page: p, Paths: []string{"/srv/shop"}, Schedule: "Every day at 02:15", Cron: "15 2 * * *", ZoneName: "Europe/Berlin", Next: []time.Time{at(-12.9)}, Names: &n}
	}
	mine := customer("backups", tx.T("plan.title"), "shop-1 is backed up every day at 02:15.")
	theirs := ops("servers", tx.T("plan.title"), mine.Say)
	return pages("names", map[string]*web.Plan{
		"ready": page(theirs, web.NamesList{State: state(web.ToneGood, tx.T("names.ready")), Text: tx.T("names.say_ready", "n", 41), On: true, Choose: "#", Anew: "#",
			Behind: tx.T("names.behind", "n", 1, "why", tx.T("catalogue.failed")) + " The store could not be reached for 10 minutes."}),
		"choose":  page(mine, web.NamesList{State: state(web.ToneUnknown, tx.T("names.declined")), Text: tx.T("names.say_declined"), Means: tx.T("names.means"), Choose: "#", Yes: true}),
		"chosen":  page(mine, web.NamesList{State: state(web.ToneBusy, tx.T("names.building")), Text: tx.T("names.say_building", "n", 1), Means: tx.T("names.means"), On: true, Choose: "#", Yes: true, Anew: "#"}),
		"theirs":  page(theirs, web.NamesList{State: state(web.ToneUnknown, tx.T("names.declined")), Text: tx.T("names.say_declined"), Means: tx.T("names.means_staff"), Theirs: tx.T("names.theirs")}),
		"off":     page(theirs, web.NamesList{State: state(web.ToneUnknown, tx.T("names.off")), Text: tx.T("names.say_off"), Choose: "#"}),
		"mending": page(mine, web.NamesList{State: state(web.ToneWarn, tx.T("names.damaged")), Text: tx.T("names.say_damaged"), On: true}),
	}, "ready", "choose", "chosen", "theirs", "off", "mending")
}
