package sample

import (
	"time"

	"ostler/web"
)

func link(label string) web.Link { return web.Link{Label: label, Href: "#"} }

func in(days float64) time.Time { return at(-24 * days) }

// certMore are the other pages of certificates.
func certMore(tx *web.Text) []web.Filter {
	return []web.Filter{{Label: tx.T("certs.title"), Href: "/certificates", Count: -1}, {Label: tx.T("certlimits.title"), Href: "#", Count: -1}, {Label: tx.T("certset.title"), Href: "#", Count: -1}, {Label: tx.T("campaign.title"), Href: "#", Count: -1}}
}

// certRows are certificates in every state.
func certRows(tx *web.Text) []web.CertRow {
	bad, warn, good := web.ToneBad, web.ToneWarn, web.ToneGood
	row := func(name string, others int, server, customer string, s web.State, note string, until float64, left web.State) web.CertRow {
		r := web.CertRow{Name: name, Href: "#", Others: others, Server: link(server), Customer: link(customer), State: s, Note: note, Left: left}
		if until != 0 {
			r.Until = in(until)
		}
		return r
	}
	fresh := row("neu.orchard.example", 0, "orchard-web1", "Orchard Press", state(web.ToneBusy, tx.T("certstate.issuing")), "", 0, state(web.ToneUnknown, tx.T("cert.none_yet")))
	fresh.RenewsWhy = tx.T("cert.renews_now")
	expired := row("old.tailor.example", 0, "vineyard-web2", "Tailor & Sons", state(bad, tx.T("certstate.expired")), "old.tailor.example points to 198.51.100.9 (A), which is not this server.", -1.4, state(bad, tx.T("certstate.expired")))
	expired.Renews, expired.RenewsWhy = in(0.4), tx.T("cert.renews_again", "n", 9)
	unserved := row("mail.harbour.example", 2, "harbour-mail1", "Harbour Mail", state(bad, tx.T("certstate.unserved")), tx.T("cert.wrong", "n", 3, "wrong", 1), 88, state(good, "88 days"))
	unserved.Renews = in(58)
	failing := row("shop.maple.example", 1, "shop-1", "Maple Bakery", state(warn, tx.T("certstate.failing")), "A CAA record at maple.example allows digicert.com only, and not letsencrypt.org.", 9, state(warn, "9 days"))
	failing.Renews, failing.RenewsWhy = in(0.9), tx.T("cert.renews_again", "n", 4)
	paused := row("vineyard.example", 3, "vineyard-web1", "Vineyard", state(good, tx.T("certstate.served")), tx.T("cert.paused", "reason", "The site moves in December"), 44, state(good, "44 days"))
	paused.RenewsWhy = tx.T("cert.renews_paused")
	well := row("maple.example", 1, "shop-1", "Maple Bakery", state(good, tx.T("certstate.served")), "", 71, state(good, "71 days"))
	well.Renews = in(40)
	return []web.CertRow{fresh, expired, failing, paused, well, unserved}
}

// serverCerts are the certificates on one server's page.
func serverCerts(tx *web.Text) []web.CertRow {
	rows := certRows(tx)[2:5]
	for i := range rows {
		rows[i].Server, rows[i].Customer = web.Link{}, link("Maple Bakery")
	}
	return rows
}

func certificateList(tx *web.Text) []Sample {
	page := func(say string, tone web.Tone) web.Page {
		p := ops("certs", tx.T("certs.title"), say)
		p.Tone, p.Self = tone, "/certificates"
		return p
	}
	filters := []web.Filter{{Label: tx.T("certs.all"), Href: "#", Current: true, Count: -1}, {Label: tx.T("certs.failing"), Href: "#", Count: -1}, {Label: tx.T("certs.unserved"), Href: "#", Count: -1}, {Label: tx.T("certs.soon"), Href: "#", Count: -1}}
	say := tx.T("certs.say_open", "n", 3, "all", 214, "what", tx.T("open.expired", "what", "old.tailor.example"))
	full := &web.Certificates{Page: page(say, web.ToneBad), Filters: filters, Rows: certRows(tx), Pager: web.Pager{Next: "#"}, New: "#", More: certMore(tx)}
	full.Sub, full.More[0].Current = tx.T("certs.sub"), true
	well := &web.Certificates{Page: page(tx.T("certs.say_good", "n", 214), web.ToneGood), Filters: filters, Rows: certRows(tx)[4:5], New: "#", More: certMore(tx)}
	none := &web.Certificates{Page: page(tx.T("certs.say_none"), web.ToneUnknown), None: true, New: "#", More: certMore(tx)}
	noMatch := &web.Certificates{Page: full.Page, Query: "zebra", Group: "failing", Filters: filters}
	return pages("certificates", map[string]*web.Certificates{"full": full, "well": well, "empty": none, "no-match": noMatch}, "full", "well", "empty", "no-match")
}

func padlocks(tx *web.Text) []Sample {
	page := func(say string, tone web.Tone) web.Page {
		p := customer("certs", tx.T("padlock.title"), say)
		p.Tone, p.Self, p.Sub = tone, "/certificates", tx.T("home.measured", "when", "today 14:20")
		return p
	}
	us := tx.T("renewer.us")
	rows := []web.PadlockRow{
		{Site: "shop.maple.example", Href: "#", State: state(web.ToneWarn, tx.T("padlock.good_yet")), Note: "A CAA record at maple.example allows digicert.com only, and not letsencrypt.org.", Until: in(9), Renewer: us, Server: link("shop-1"), Change: "Add the CAA record: maple.example CAA 0 issue \"letsencrypt.org\"."},
		{Site: "old.maple.example", Href: "#", State: state(web.ToneBad, tx.T("padlock.broken")), Note: "old.maple.example does not exist in the DNS.", Until: in(-2), Renewer: us, Server: link("shop-1"), Change: "Add an A or AAAA record for old.maple.example that points to 203.0.113.7."},
		{Site: "mail.maple.example", Href: "#", State: state(web.ToneBad, tx.T("padlock.unserved")), Until: in(80), Renewer: us, Server: link("mail-1")},
		{Site: "blog.maple.example", State: state(web.ToneUnknown, tx.T("padlock.theirs")), Note: tx.T("padlock.theirs_note"), Until: in(33), Renewer: tx.T("renewer.other", "name", "certbot"), Server: link("shop-1"), New: "#"},
		{Site: "test.maple.example", State: state(web.ToneUnknown, tx.T("padlock.unknown")), Note: tx.T("padlock.unknown_note"), Renewer: tx.T("renewer.unknown"), Server: link("shop-1"), New: "#"},
		{Site: "neu.maple.example", Href: "#", State: state(web.ToneBusy, tx.T("padlock.coming")), Renewer: us, Server: link("shop-1")},
		{Site: "maple.example", Href: "#", State: state(web.ToneGood, tx.T("padlock.good")), Until: in(71), Renewer: us, Server: link("shop-1")},
	}
	full := &web.Padlocks{Page: page(tx.T("padlock.say_change", "n", 2, "all", 7, "site", "shop.maple.example"), web.ToneBad), Rows: rows, New: "#", DNS: "#"}
	good := &web.Padlocks{Page: page(tx.T("padlock.say_good", "n", 1), web.ToneGood), Rows: rows[6:]}
	none := &web.Padlocks{Page: page(tx.T("padlock.say_none"), web.ToneUnknown), New: "#", DNS: "#"}
	return pages("padlocks", map[string]*web.Padlocks{"full": full, "good": good, "empty": none}, "full", "good", "empty")
}

func certSteps() []web.AttemptStep {
	return []web.AttemptStep{{At: at(2.02), Text: "It began."}, {At: at(2.019), Text: "The server was asked for a key and a signing request."}, {At: at(2.018), Text: "The server made a key and sent a signing request; it was checked."},
		{At: at(2.017), Text: "The names were looked at before the authority is asked: nothing stands in the way."}, {At: at(2.016), Text: "Let's Encrypt has the order."}, {At: at(2.014), Text: "Let's Encrypt issued the certificate, valid until 19 February 2027."},
		{At: at(2.01), Text: "Every name shows the new certificate.", Tone: web.ToneGood}}
}

func certificate(tx *web.Text) []Sample {
	name := "shop.maple.example"
	page := func(p web.Page, tone web.Tone) web.Page {
		p.Tone, p.Sub, p.Self = tone, "Maple Bakery · shop-1", "/certificates/crt_1"
		p.Crumbs = []web.Link{{Label: tx.T("certs.title"), Href: "/certificates"}, {Label: name}}
		return p
	}
	right := web.Look{State: state(web.ToneGood, tx.T("look.right")), At: at(2)}
	served := []web.ServedRow{{Name: name, Address: "203.0.113.7:443", Host: right, Here: right}, {Name: name, Address: "[2001:db8::7]:443", Host: right, Here: web.Look{State: state(web.ToneUnknown, tx.T("look.never"))}},
		{Name: "www." + name, Address: "203.0.113.7:443", Host: right, Here: right}}
	about := []web.Pair{{Label: tx.T("cert.challenge"), Value: tx.T("challenge.agent")}, {Label: tx.T("certform.key"), Value: "EC P-256"}, {Label: tx.T("certform.services"), Value: "nginx"}, {Label: tx.T("cert.folder"), Value: name, Mono: true},
		{Label: tx.T("cert.serial"), Value: "04:a1:9c:33:5e:10:77:02:be:44:9a:51:c8:d2:ee:01:37:6b", Mono: true}, {Label: tx.T("cert.sha256"), Value: sum, Mono: true}}
	good := &web.Certificate{Page: page(ops("certs", name, tx.T("cert.say_served", "name", name, "day", "Friday 19 February 2027")), web.ToneGood), Names: []string{name, "www." + name}, Server: link("shop-1"), Customer: link("Maple Bakery"), About: about, Served: served,
		Strip: []web.Fact{{Label: tx.T("cert.until"), State: state(web.ToneGood, "90 days"), Note: "Friday 19 February 2027 13:05"}, {Label: tx.T("cert.served"), State: state(web.ToneGood, tx.T("certstate.served")), At: at(2)},
			{Label: tx.T("cert.renews"), State: web.State{Word: "Wed 20 Jan 04:12"}, Note: tx.T("cert.from_ari_short", "ca", "Let's Encrypt")}, {Label: tx.T("cert.issuer"), State: web.State{Word: "E7"}, Note: "Let's Encrypt"}},
		Why: []web.WhyRow{{Text: "It is not due: it is renewed at Wed 20 Jan 04:12."}}, WhyTitle: tx.T("cert.why_not"),
		Renewal: []string{tx.T("cert.from_ari", "at", "Wed 20 Jan 04:12", "ca", "Let's Encrypt", "from", "Tue 19 Jan 16:00", "to", "Thu 21 Jan 11:00"), tx.T("cert.poll", "ca", "Let's Encrypt", "when", "today 20:10")},
		Attempts: []web.AttemptRow{{Title: tx.T("reason.renewal"), State: state(web.ToneGood, tx.T("issuestate.served")), At: at(2.02), Took: 31 * time.Second, Say: tx.T("issue.say_served", "ca", "Let's Encrypt"), Steps: certSteps(), Open: true, Facts: []web.Pair{{Label: tx.T("issue.requests"), Value: "7"}}},
			{Title: tx.T("reason.dry_run"), State: state(web.ToneGood, tx.T("issuestate.passed")), At: at(30), Took: 8 * time.Second, Say: tx.T("issue.say_dry_run", "ca", "Let's Encrypt (staging)"), Who: "Ada Keller"}},
		Acts: web.CertActs{Renew: "#", Check: "#", DryRun: "#", Pause: "#", Edit: "#", Revoke: "#", Compromised: "#", End: "#", Undo: "#"}}
	good.Live = []string{"server:srv_1"}
	failing := *good
	failing.Page = page(ops("certs", name, tx.T("cert.say_failing", "name", name, "day", "Monday 30 November", "n", 4)), web.ToneWarn)
	cause, next := "A CAA record at maple.example allows digicert.com only, and not letsencrypt.org", "Add the CAA record: maple.example CAA 0 issue \"letsencrypt.org\"."
	failing.Acts.Try = true
	failing.Failed, failing.TryAgain = &web.Problem{Cause: cause, Next: next}, in(0.9)
	failing.Strip = []web.Fact{{Label: tx.T("cert.until"), State: state(web.ToneWarn, "9 days"), Note: "Mon 30 Nov 13:05"}, {Label: tx.T("cert.served"), State: state(web.ToneWarn, tx.T("certstate.failing")), Note: cause + ".", At: at(2)}, {Label: tx.T("cert.next_try"), State: web.State{Word: "tomorrow 11:56"}, Note: tx.T("cert.renews_again", "n", 4)}}
	failing.Why = []web.WhyRow{{Text: "The last attempt failed; the next one is at tomorrow 11:56.", Next: "Try again now if you have mended the cause."}}
	failing.Attempts = []web.AttemptRow{{Title: tx.T("reason.renewal"), State: state(web.ToneBad, tx.T("issuestate.failed")), At: at(3), Took: 2 * time.Second, Say: cause + ".", Next: next, Again: in(0.9), Open: true,
		Steps: []web.AttemptStep{{At: at(3), Text: "It began."}, {At: at(2.999), Text: "It came to nothing.", Tone: web.ToneBad}}, Facts: []web.Pair{{Label: tx.T("issue.detail"), Value: "maple.example. 300 IN CAA 0 issue \"digicert.com\"", Mono: true}}},
		{Title: tx.T("reason.forced"), State: state(web.ToneBad, tx.T("issuestate.rolled_back")), At: at(40), Took: 44 * time.Second, Say: tx.T("issue.say_rolled_back") + " shop.maple.example still shows another certificate at [2001:db8::7]:443.", Next: "See which service answers there, and whether it reads our files.", Who: "Ada Keller"}}
	failing.Pager = web.Pager{First: "#attempts", Next: "#attempts"}
	unserved := *good
	unserved.Page = page(ops("certs", name, tx.T("cert.say_unserved", "name", name, "n", 1, "all", 3)), web.ToneBad)
	other := served[1]
	other.Host = web.Look{State: state(web.ToneBad, tx.T("look.other")), Note: tx.T("look.other_until", "when", "Mon 30 Nov 13:05"), At: at(2)}
	other.Here = web.Look{State: state(web.ToneBad, tx.T("look.nothing")), Note: "connection refused", At: at(1)}
	mail := web.ServedRow{Name: "mail." + name, Address: "203.0.113.7:25", Protocol: tx.T("certproto.smtp"), Host: right, Here: web.Look{State: state(web.ToneBad, tx.T("look.chain")), Note: tx.T("look.chain_note"), At: at(2)}}
	unserved.Strip = append([]web.Fact{good.Strip[0], {Label: tx.T("cert.served"), State: state(web.ToneBad, tx.T("certstate.unserved")), Note: tx.T("cert.wrong", "n", 3, "wrong", 2), At: at(1)}}, good.Strip[2:]...)
	unserved.Page.Say = tx.T("cert.say_unserved", "name", name, "n", 2, "all", 3)
	unserved.Served = []web.ServedRow{served[0], other, mail}
	fresh := &web.Certificate{Page: page(ops("certs", name, tx.T("cert.say_issuing", "name", name)), web.ToneBusy), Names: good.Names, Server: good.Server, Customer: good.Customer, About: about[:3], WhyTitle: tx.T("cert.why_open"), Why: []web.WhyRow{{Text: "An attempt is under way: it is at the authority."}},
		Strip:    []web.Fact{{Label: tx.T("cert.until"), State: state(web.ToneUnknown, tx.T("cert.none_yet"))}, {Label: tx.T("cert.served"), State: state(web.ToneBusy, tx.T("certstate.issuing"))}, {Label: tx.T("cert.renews"), State: web.State{Word: tx.T("cert.renews_now")}}},
		Attempts: []web.AttemptRow{{Title: tx.T("reason.new"), State: state(web.ToneBusy, tx.T("issuestate.ordering")), At: at(0.01), Say: tx.T("issue.say_ordering", "ca", "Let's Encrypt"), Steps: certSteps()[:4], Open: true}},
		Records:  []web.RecordRow{{ID: "record-0", Name: "_acme-challenge." + name, Type: "CNAME", Value: "5f2c9a.acme.harbour.example"}, {ID: "record-1", Name: "_acme-challenge.www." + name, Type: "CNAME", Value: "77ab01.acme.harbour.example", State: state(web.ToneGood, "there")}}}
	fresh.Live, fresh.Refresh = []string{"server:srv_1"}, 30
	theirs := *good
	theirs.Page, theirs.Acts = page(customer("certs", name, good.Say), web.ToneGood), web.CertActs{Check: "#"}
	theirs.Sub, theirs.Customer = "shop-1", web.Link{}
	paused := *good
	paused.Page = page(ops("certs", name, tx.T("cert.say_paused", "name", name, "day", "Friday 19 February 2027")), web.ToneWarn)
	paused.Acts = web.CertActs{Resume: "#", Check: "#", Edit: "#", End: "#"}
	paused.Explain = web.Link{Label: tx.T("cert.explained", "ca", "Let's Encrypt", "host", "community.letsencrypt.org"), Href: "https://community.letsencrypt.org/t/1"}
	paused.Problem = &web.Problem{Cause: "It is paused", Next: "Resume it first."}
	blank := &web.Certificate{Page: page(ops("certs", name, tx.T("cert.say_ended", "name", name)), web.ToneUnknown), Names: good.Names}
	return pages("certificate", map[string]*web.Certificate{"good": good, "failing": &failing, "unserved": &unserved, "new": fresh, "customer": &theirs, "paused": &paused, "ended": blank}, "good", "failing", "unserved", "new", "customer", "paused", "ended")
}
