package sample

import (
	"time"

	"ostler/web"
)

func signIn(tx *web.Text) []Sample {
	first := &web.SignIn{Page: nobody(tx.T("signin.title"), tx.T("signin.say_at", "company", "Harbour Hosting")), Step: web.StepPassword}
	first.Sub = tx.T("signin.sub")
	wrong := &web.SignIn{Page: first.Page, Step: web.StepPassword, Email: "ada@harbour.example"}
	wrong.Problem = &web.Problem{Cause: "The e-mail address or the password is not right", Next: "Check both and try again; after five times you wait a minute."}
	code := &web.SignIn{Page: nobody(tx.T("signin.title"), tx.T("signin.code_say")), Step: web.StepCode}
	code.Sub = tx.T("signin.code_sub")
	spent := &web.SignIn{Page: nobody(tx.T("signin.title"), tx.T("signin.spent_say")), Step: web.StepSpent}
	qr, err := web.NewQR("otpauth://totp/Ostler:ines@maple.example?secret=JBSWY3DPEHPK3PXP&issuer=Ostler")
	if err != nil {
		qr = ""
	}
	setup := &web.Setup{Page: nobody(tx.T("setup.title"), tx.T("setup.say", "name", "Ines Moreau")), Token: "x", Email: "ines@maple.example", QR: qr, Secret: "JBSW Y3DP EHPK 3PXP"}
	setup.Sub, setup.House, first.House = tx.T("setup.of", "company", "Harbour Hosting"), "Harbour Hosting", "Harbour Hosting"
	bad := *setup
	bad.Errors = []web.FieldError{{Field: "password", Message: "The password is shorter than 12 characters"}, {Field: "code", Message: "The code does not fit: it may be the one before"}}
	codes := &web.Codes{Page: nobody(tx.T("codes.title"), tx.T("codes.say")), Codes: []string{"7k2m-x9qd", "p4wt-31vz", "mm8c-6r0h", "a5ys-kk2e", "t9bn-4q7f"}, Back: "/"}
	return append(pages("signin", map[string]*web.SignIn{"password": first, "wrong": wrong, "code": code, "spent": spent}, "password", "wrong", "code", "spent"),
		Sample{"setup", setup}, Sample{"codes", codes}, Sample{"setup-errors", &bad})
}

func needs() []web.Need {
	return []web.Need{
		{State: state(web.ToneBad, "Backup missed"), Title: "orchard-db1 has had no backup for 27 hours", Cause: "The store answers that it is full: 0 bytes left of 2 TB since yesterday 13:02.", Where: web.Link{Label: "Orchard Press", Href: "#"}, Since: at(27), Count: 4, Action: web.Link{Label: "Make room", Href: "#"}, Strong: true},
		{State: state(web.ToneWarn, "Partial"), Title: "3 files of db-1 could not be read", Cause: "Permission was denied. The rest of the copy is good.", Where: web.Link{Label: "Maple Bakery", Href: "#"}, Since: at(11.3), Count: 1, Action: web.Link{Label: "See the files", Href: "#"}},
		{State: state(web.ToneUnknown, "Silent"), Title: "vineyard-web1 has not been heard of for 41 minutes", Cause: "Its last sign of life was at 13:39. While it is silent, nothing is known about it.", Where: web.Link{Label: "Vineyard", Href: "#"}, Since: at(0.68), Action: web.Link{Label: "Open the server", Href: "#"}},
	}
}

func events() []web.Event {
	return []web.Event{
		{At: at(0.2), Tone: web.ToneGood, Text: "Backup of shop-1 finished: 18 412 files, 41 MB added.", Link: web.Link{Label: "Job", Href: "#"}},
		{At: at(0.4), Text: "Folder /srv/shop/office was listed from the copy of today 02:14.", Who: "Ines Moreau"},
		{At: at(0.68), Tone: web.ToneUnknown, Text: "vineyard-web1 went silent."},
		{At: at(11.3), Tone: web.ToneWarn, Text: "Backup of db-1 finished without 3 files.", Detail: "Permission was denied."},
		{At: at(27), Tone: web.ToneBad, Text: "Backup of orchard-db1 failed: the store is full.", Link: web.Link{Label: "Job", Href: "#"}},
		{At: at(74), Text: "The backup plan of shop-1 was changed: 02:15 instead of 03:00.", Who: "Ada Keller"},
	}
}

func today(tx *web.Text) []Sample {
	full := &web.Today{Page: ops("today", tx.T("today.title"), "Three things need you: first, orchard-db1 has had no backup for 27 hours."), Needs: needs(), LastHour: events()[:3]}
	full.Tone, full.Sub, full.Live, full.Refresh, full.Self = web.ToneBad, "412 servers looked after · 1 silent · 3 jobs at work", []string{"findings"}, 30, "/today"
	said := web.Headline(tx, web.HeadlineFacts{Servers: 412})
	empty := &web.Today{Page: ops("today", tx.T("today.title"), said.Sentence)}
	empty.Tone, empty.Done = said.Tone, "You are signed in."
	return []Sample{{"today-full", full}, {"today-empty", empty}}
}

func servers(tx *web.Text) []Sample {
	row := func(name, place string, s web.State, seen float64, customer string, b web.State, backup float64, n int) web.ServerRow {
		r := web.ServerRow{Name: name, Href: "#", Location: place, State: s, Seen: at(seen), Backup: b, Findings: n}
		if customer != "" {
			r.Customers = []web.Link{{Label: customer, Href: "#"}}
		}
		if backup > 0 {
			r.BackupAt = at(backup)
		}
		return r
	}
	good := state(web.ToneGood, "complete")
	full := &web.Servers{Page: ops("servers", tx.T("servers.title"), "412 servers are looked after; 1 is silent."), Filters: []web.Filter{{Label: "All", Href: "#", Current: true, Count: 412}, {Label: "Silent", Href: "#", Count: 1}, {Label: "Not enrolled", Href: "#", Count: 2}}, Pager: web.Pager{Next: "#"}}
	full.Rows = []web.ServerRow{
		row("db-1", "Frankfurt", state(web.ToneGood, "connected"), 0.003, "Maple Bakery", state(web.ToneWarn, "partial"), 11.3, 1),
		row("orchard-db1", "Vienna", state(web.ToneGood, "connected"), 0.002, "Orchard Press", state(web.ToneBad, "failed"), 51, 1),
		row("shop-1", "Frankfurt", state(web.ToneGood, "connected"), 0.001, "Maple Bakery", good, 11.1, 0),
		row("vineyard-web1", "Graz", state(web.ToneUnknown, "silent"), 0.68, "Vineyard", good, 12, 1),
		row("vineyard-web2", "Graz", state(web.ToneUnknown, "not enrolled"), 400, "", state(web.ToneUnknown, "none yet"), 0, 0),
	}
	full.Rows[3].Customers = append(full.Rows[3].Customers, web.Link{Label: "Tailor & Sons", Href: "#"})
	none := &web.Servers{Page: ops("servers", tx.T("servers.title"), tx.T("headline.no_servers")), None: true}
	noMatch := &web.Servers{Page: full.Page, Query: "zebra", Filters: full.Filters}
	form := &web.NewServer{Page: ops("servers", tx.T("newserver.title"), tx.T("newserver.say"))}
	form.Crumbs = []web.Link{{Label: tx.T("servers.title"), Href: "/servers"}}
	wrong := &web.NewServer{Page: form.Page, Name: "Shop 1"}
	wrong.Errors = []web.FieldError{{Field: "name", Message: "A host name has letters, figures, hyphens and dots only"}}
	return []Sample{{"servers-full", full}, {"servers-empty", none}, {"servers-no-match", noMatch}, {"newserver", form}, {"newserver-error", wrong}}
}

func server(tx *web.Text) []Sample {
	p := ops("servers", "shop-1", "shop-1 is looked after; its latest backup is complete.")
	p.Tone, p.Sub, p.Crumbs = web.ToneGood, "Frankfurt · enrolled 1 March", []web.Link{{Label: tx.T("servers.title"), Href: "/servers"}}
	p.Live, p.Self = []string{"server:srv_1"}, "/servers/srv_1"
	full := &web.Server{Page: p, Timeline: events(), Taken: at(30), More: "#",
		Strip: []web.Fact{
			{Label: "Connection", State: state(web.ToneGood, "connected"), At: at(0.004), Note: "agent 0.1.0"},
			{Label: "Latest backup", State: state(web.ToneGood, "complete"), At: at(11.1)},
			{Label: "Clock", State: state(web.ToneGood, "40 ms apart"), Note: "from ours"},
			{Label: "Disk", State: state(web.ToneWarn, "9 % free"), Note: "/srv"},
		},
		Disks:     []web.Disk{{Mount: "/", Size: 40e9, Free: 21e9, UsedPercent: 48}, {Mount: "/srv", Size: 200e9, Free: 18e9, UsedPercent: 91, State: state(web.ToneWarn, "nearly full")}},
		Inventory: []web.Pair{{Label: "System", Value: "Debian GNU/Linux 12 (bookworm)"}, {Label: "Kernel", Value: "6.1.0-31-amd64", Mono: true}, {Label: "Memory", Value: "8.2 GB, 4 CPUs"}, {Label: "Packages", Value: "1204"}, {Label: "Boot", Value: "0c1f4f7e-21aa-4b6e-9f4d-2f6a7c1f2b11", Mono: true}},
		Simulated: []string{"boot_id", "packages"}, Certs: serverCerts(tx), Others: link(tx.T("server.certs_found")), CertsMore: "#",
		Tenancies: []web.TenancyRow{{Customer: web.Link{Label: "Maple Bakery", Href: "#"}, Paths: []string{"/srv/shop", "/etc/shop"}, Sites: []string{"maple.example"}, PlanHref: "#", SitesSet: "#"}},
		Windows: []web.WindowRow{{From: at(1), Until: at(-1), State: state(web.ToneWarn, tx.T("window.open")), Ticket: "OPS-1207", Who: "ada on bastion-1", What: "patch.yml"},
			{From: at(50), Until: at(49.2), State: state("", tx.T("window.closed")), Ticket: "OPS-1198", Who: "kim on bastion-1"}},
		Plans: []web.PlanRow{{Name: "Maple Bakery", Href: "#", State: state(web.ToneGood, "complete"), Latest: at(11.1), Next: at(-12.9), Schedule: "every day at 02:15"}},
	}
	silent := *full
	silent.Say, silent.Tone = "shop-1 has not been heard of for 41 minutes: what follows is what was known then.", web.ToneUnknown
	silent.Strip = append([]web.Fact{{Label: "Connection", State: state(web.ToneUnknown, "silent"), At: at(0.68), Note: "last sign of life"}}, full.Strip[1:]...)
	silent.Needs = needs()[2:]
	blank := &web.Server{Page: ops("servers", "vineyard-web2", "No agent has ever spoken for vineyard-web2."), EnrolHref: "#", Strip: []web.Fact{{Label: "Connection", State: state(web.ToneUnknown, "not enrolled")}}}
	blank.Tone, blank.Crumbs = web.ToneUnknown, p.Crumbs
	return []Sample{{"server-full", full}, {"server-silent", &silent}, {"server-empty", blank}}
}

func enrol(tx *web.Text) []Sample {
	p := ops("servers", tx.T("enrol.title"), tx.T("enrol.say", "server", "shop-3"))
	p.Crumbs, p.Live, p.Refresh, p.Self = []web.Link{{Label: "Servers", Href: "/servers"}, {Label: "shop-3", Href: "#"}}, []string{"server:srv_3"}, 5, "/enrolments/enr_1"
	wait := &web.Enrol{Page: p, Server: web.Link{Label: "shop-3", Href: "#"}, Command: "ostler-agent enrol --url https://ostler.example:8445 \\\n  --pin sha256:5c1b…e40a --token ost_enr_9f2kq0v7x3m1zt6y5r8w4b2n_1a2b3c4d", Expires: at(-0.96), Again: "#",
		Steps: []web.Step{{State: state(web.ToneGood, "done"), Text: "The command was made", At: at(0.04)}, {State: state(web.ToneBusy, "waiting"), Text: "The server answers with the token", Note: "Nothing has come yet. The server must reach ostler.example on port 8445."}, {State: state(web.ToneUnknown, "later"), Text: "Its agent connects"}, {State: state(web.ToneUnknown, "later"), Text: "Its first inventory arrives"}}}
	done := &web.Enrol{Page: p, Steps: []web.Step{{State: state(web.ToneGood, "done"), Text: "The command was made", At: at(0.2)}, {State: state(web.ToneGood, "done"), Text: "The server answered with the token", At: at(0.1)}, {State: state(web.ToneGood, "done"), Text: "Its agent connected", Note: "agent 0.1.0", At: at(0.09)}, {State: state(web.ToneGood, "done"), Text: "Its first inventory arrived", Note: "Debian 12, 2 disks, 1204 packages", At: at(0.08)}}}
	done.Say, done.Live, done.Refresh, done.Tone = "shop-3 is enrolled and connected.", nil, 0, web.ToneGood
	refused := &web.Enrol{Page: p, Again: "#", Steps: []web.Step{{State: state(web.ToneGood, "done"), Text: "The command was made", At: at(3)}, {State: state(web.ToneBad, "refused"), Text: "The token came too late", Note: "It ended at 12:20. Make a new command."}}}
	refused.Say, refused.Tone = "The command for shop-3 has ended without an answer.", web.ToneWarn
	return []Sample{{"enrol-waiting", wait}, {"enrol-done", done}, {"enrol-expired", refused}}
}

func customerList(tx *web.Text) []Sample {
	list := &web.Customers{Page: ops("customers", tx.T("customers.title"), "Four customers are looked after; for one something is open."), Rows: []web.CustomerRow{
		{Name: "Maple Bakery", Href: "#", Servers: 3, State: state(web.ToneWarn, "1 open"), Since: at(6000)},
		{Name: "Orchard Press", Href: "#", Servers: 1, State: state(web.ToneGood, "nothing open"), Since: at(3000)},
		{Name: "Vineyard", Href: "#", Parent: web.Link{Label: "Orchard Press", Href: "#"}, Servers: 2, State: state(web.ToneUnknown, "1 silent"), Since: at(900)}},
		Filters: []web.Filter{{Label: "All", Href: "#", Current: true, Count: 4}, {Label: "Needs attention", Href: "#", Count: 1}}, Pager: web.Pager{Next: "#"}}
	list.Sub = tx.T("customers.order")
	noMatch := &web.Customers{Page: list.Page, Query: "zebra", Group: "open", Filters: list.Filters}
	empty := &web.Customers{Page: ops("customers", tx.T("customers.title"), "There is no customer yet."), None: true}
	form := &web.NewCustomer{Page: ops("customers", tx.T("newcustomer.title"), tx.T("newcustomer.say"))}
	one := &web.Customer{Page: ops("customers", "Maple Bakery", "Maple Bakery has three servers; one thing is open."),
		Facts: []web.Pair{{Label: "Short name", Value: "maple-bakery", Mono: true}, {Label: "Country", Value: "DE"}, {Label: "Id", Value: "cus_06f2k0x9yqj6v3", Mono: true}},
		Needs: needs()[1:2], Contacts: []web.PersonRow{{Name: "Ines Moreau", Email: "ines@maple.example", Role: "owner", State: state(web.ToneGood, "set up")}, {Name: "Jonas Weber", Email: "jonas@maple.example", Role: "restorer", State: state(web.ToneUnknown, "invited")}},
		Tenancies: []web.TenancyRow{{Server: web.Link{Label: "shop-1", Href: "#"}, Paths: []string{"/srv/shop"}, Sites: []string{"maple.example"}, PlanHref: "#", SitesSet: "#"}, {Server: web.Link{Label: "db-1", Href: "#"}, Paths: []string{"/var/lib/maple"}, NewPlan: "#"}},
		Events:    events()[3:]}
	one.NewContact, one.NewAuditor, one.Evidence = "#", "#", "#"
	one.Auditors = []web.AuditorRow{{Name: "Helle Nyberg", Email: "helle.nyberg@audit.example", State: state(web.ToneGood, "set up"), Until: at(-700), Invite: "#", End: "#"}}
	one.Crumbs = []web.Link{{Label: tx.T("customers.title"), Href: "/customers"}}
	blank := &web.Customer{Page: ops("customers", "Tailor & Sons", "Nothing of Tailor & Sons is looked after yet."), Facts: one.Facts, Parent: web.Link{Label: "Orchard Press", Href: "#"}}
	blank.Tone = web.ToneUnknown
	tenancy := &web.NewTenancy{Page: ops("customers", tx.T("newtenancy.title"), tx.T("newtenancy.say", "customer", "Maple Bakery")), Action: "#", Paths: "/srv/shop", Server: "srv_2", Servers: []web.Link{{Label: "db-1", Href: "srv_1"}, {Label: "shop-1", Href: "srv_2"}}}
	tenancy.Errors = []web.FieldError{{Field: "paths", Message: "/srv/shop belongs to another customer on this server"}}
	one.Help, one.Asks, one.Assists = web.Link{Label: tx.T("assist.help"), Href: "#"}, "#", assists(tx)
	return []Sample{{"newtenancy", tenancy}, {"customers-full", list}, {"customers-empty", empty}, {"customers-nomatch", noMatch}, {"newcustomer", form}, {"customer-full", one}, {"customer-empty", blank}}
}

func plan(tx *web.Text) []Sample {
	p := ops("servers", tx.T("plan.title"), "Maple Bakery on shop-1 is backed up every day at 02:15.")
	p.Crumbs, p.Sub = []web.Link{{Label: "Servers", Href: "/servers"}, {Label: "shop-1", Href: "#"}}, "Keeps everything until further notice"
	full := &web.Plan{Page: p, Paths: []string{"/srv/shop", "/etc/shop"}, Excludes: []string{"*.tmp", "/srv/shop/cache"}, Schedule: "Every day at 02:15", Cron: "15 2 * * *", ZoneName: "Europe/Berlin", RunHref: "#", EditHref: "#", KeyHref: "#", KeyAction: "Recovery key", Calendar: days("shop-1", map[int]web.DayState{43: web.DayMissed, 70: web.DayPartial, 71: web.DayUnknown}), More: "#",
		Strip: []web.Fact{{Label: "Latest copy", State: state(web.ToneGood, "complete"), At: at(11.1)}, {Label: "Recovery key", State: state(web.ToneGood, "with the customer"), Note: "confirmed 2 March by Ines Moreau"}, {Label: "Store", State: state(web.ToneGood, "answered"), At: at(11.1)}, {Label: "In the store", State: state("", "41 copies"), Note: "12 GB added in all"}}}
	for i := range 7 {
		full.Next = append(full.Next, Now.Add(time.Duration(12.9*float64(time.Hour))).AddDate(0, 0, i))
	}
	full.Runs = []web.RunRow{{At: at(11.1), State: state(web.ToneGood, "complete"), Took: 41 * time.Second, Files: 18412, Bytes: 9e9, Added: 41e6, Job: "#"}, {At: at(35.1), State: state(web.ToneWarn, "partial"), Took: 44 * time.Second, Files: 18409, Added: 12e6, Job: "#", Note: "3 files could not be read"}, {At: at(59.1), State: state(web.ToneBad, "failed"), Job: "#", Note: "The store could not be reached for 10 minutes"}}
	waiting := &web.Plan{Page: ops("servers", tx.T("plan.title"), "Backups of Orchard Press on orchard-db1 have not begun: nobody has confirmed the recovery key."), Paths: []string{"/srv/orchard"}, Schedule: "Every day at 03:00", Cron: "0 3 * * *", ZoneName: "Europe/Berlin", Waits: "Begins once the key is safe.", KeyHref: "#", KeyAction: "Recovery key", Strip: []web.Fact{{Label: "Latest copy", State: state(web.ToneUnknown, "none yet")}, {Label: "Recovery key", State: state(web.ToneWarn, "not confirmed"), At: at(3)}}}
	waiting.Tone = web.ToneWarn
	edit := &web.PlanEdit{Page: ops("servers", tx.T("planedit.title"), "What of shop-1 should be backed up, and when?"), Action: "#", Paths: "/srv/shop\n/etc/shop", Excludes: "*.tmp", Cron: "15 2 * * *", ZoneName: "Europe/Berlin", Bounds: []string{"/srv/shop", "/etc/shop"}}
	fresh := &web.PlanEdit{Page: edit.Page, Action: "#", Paths: "/srv/other", Cron: "61 2 * * *", ZoneName: "Europe/Berlin", IsNew: true, Bounds: edit.Bounds}
	fresh.Errors = []web.FieldError{{Field: "paths", Message: "/srv/other lies outside the customer’s folders on this server"}, {Field: "cron", Message: "The first figure is the minute: 0 to 59"}}
	return []Sample{{"plan-full", full}, {"plan-empty", waiting}, {"planedit", edit}, {"planedit-error", fresh}}
}
