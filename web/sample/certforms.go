package sample

import (
	"ostler/web"
)

func challenges(tx *web.Text) []web.RoleChoice {
	return []web.RoleChoice{{Value: "http-agent", Label: tx.T("challenge.agent"), Note: tx.T("challenge.agent_note"), Chosen: true}, {Value: "http-redirect", Label: tx.T("challenge.plane"), Note: tx.T("challenge.plane_note")},
		{Value: "dns-delegated", Label: tx.T("challenge.delegate"), Note: tx.T("challenge.delegate_note")}, {Value: "dns", Label: tx.T("challenge.dns"), Note: tx.T("challenge.dns_note")}}
}

func foundCert(tx *web.Text) web.FoundCertRow {
	return web.FoundCertRow{Names: []string{"blog.maple.example", "www.blog.maple.example"}, Path: "/etc/letsencrypt/live/blog.maple.example/fullchain.pem", Issuer: "R11", Renewer: tx.T("renewer.other", "name", "certbot"), Until: in(33), State: state(web.ToneGood, "33 days"),
		Lifetime: tx.T("foundcert.lifetime", "span", "90 days"), UsedBy: []string{"/etc/nginx/sites-enabled/blog"}, Customer: link("Maple Bakery"), Take: "#"}
}

func certForms(tx *web.Text) []Sample {
	pick := &web.CertForm{Page: ops("certs", tx.T("certform.new"), tx.T("certform.say")), Action: "#", Back: "#", IsNew: true, Pick: []web.Link{{Label: "Maple Bakery, shop-1: maple.example and shop.maple.example", Href: "ten_1"}, {Label: "Vineyard, vineyard-web1: vineyard.example", Href: "ten_2"}}}
	full := &web.CertForm{Page: ops("certs", tx.T("certform.new"), tx.T("certform.say_on", "server", "shop-1")), Action: "#", Back: "#", IsNew: true, Tenancy: "ten_1", Expert: true, Challenges: challenges(tx),
		Sites:     []web.Choice{{Value: "maple.example", Label: "maple.example", Chosen: true}, {Value: "shop.maple.example", Label: "shop.maple.example", Chosen: true}, {Value: "a-very-long-name-of-a-site.maple.example", Label: "a-very-long-name-of-a-site.maple.example"}},
		Wildcards: []web.Choice{{Value: "*.maple.example", Label: "*.maple.example"}, {Value: "*.shop.maple.example", Label: "*.shop.maple.example"}},
		Providers: []web.Choice{{Value: "", Label: tx.T("certform.no_provider"), Chosen: true}, {Value: "dns_1", Label: "Maple at Hetzner"}}, Keys: []web.Choice{{Value: "ec256", Label: "EC P-256", Chosen: true}, {Value: "rsa2048", Label: "RSA 2048"}},
		Services: []web.Choice{{Value: "nginx", Label: "nginx", Chosen: true}, {Value: "postfix", Label: "Postfix"}}, CAs: []web.Choice{{Value: "", Label: tx.T("certform.primary"), Chosen: true}}, Endpoints: "203.0.113.7:443\nmail.maple.example:25 smtp"}
	wrong := *full
	wrong.Open = true
	wrong.Errors = []web.FieldError{{Field: "names", Message: "Choose at least one name."}, {Field: "challenge", Message: "A wildcard can only be shown to be yours in the DNS."}, {Field: "endpoints", Message: "mail.maple.example: Write an address with its port."}}
	take := *full
	row := foundCert(tx)
	take.Take, take.TakeLines = &row, []string{tx.T("foundcert.take_1"), tx.T("foundcert.take_2", "renewer", "certbot"), tx.T("foundcert.take_3")}
	take.Page = ops("certs", tx.T("foundcert.take"), tx.T("foundcert.say_take", "name", "blog.maple.example", "server", "shop-1"))
	theirs := &web.CertForm{Page: customer("certs", tx.T("certform.edit"), tx.T("certform.say_edit", "name", "maple.example")), Action: "#", Back: "#", Tenancy: "ten_1", Sites: full.Sites, Challenges: full.Challenges, Providers: full.Providers}
	none := &web.CertForm{Page: ops("certs", tx.T("certform.new"), tx.T("certform.say")), Action: "#", Back: "#"}
	sites := &web.CertForm{Page: full.Page, Action: "#", Back: "#", Tenancy: "ten_1", Challenges: full.Challenges}
	return pages("certform", map[string]*web.CertForm{"pick": pick, "new": full, "wrong": &wrong, "take": &take, "customer": theirs, "none": none, "no-sites": sites}, "pick", "new", "wrong", "take", "customer", "none", "no-sites")
}

func sites(tx *web.Text) []Sample {
	full := &web.TenancySites{Page: ops("customers", tx.T("sites.title"), tx.T("sites.say", "customer", "Maple Bakery", "server", "shop-1")), Action: "#", Back: "#", Sites: "maple.example\nshop.maple.example"}
	full.Sub = tx.T("sites.sub")
	wrong := *full
	wrong.Errors = []web.FieldError{{Field: "sites", Message: "shop_1: a host name has letters, figures, hyphens and dots only"}}
	return []Sample{{"sites", full}, {"sites-wrong", &wrong}}
}

func certConfirms(tx *web.Text) []Sample {
	name := "shop.maple.example"
	page := func(say string, tone web.Tone) web.Page {
		p := ops("certs", name, say)
		p.Tone, p.Crumbs = tone, []web.Link{{Label: tx.T("certs.title"), Href: "/certificates"}, {Label: name, Href: "#"}}
		return p
	}
	pause := &web.CertConfirm{Page: page(tx.T("certconfirm.pause", "name", name), ""), Action: "#", Back: "#", Do: tx.T("certconfirm.pause_do"), Until: true, UntilOn: "2026-12-10", Words: &web.CertWords{Label: tx.T("col.reason"), Hint: tx.T("certconfirm.pause_hint")},
		Lines: []string{tx.T("certconfirm.pause_1"), tx.T("certconfirm.pause_2"), tx.T("certconfirm.pause_3", "when", "Mon 30 Nov 13:05")}}
	pause.Errors = []web.FieldError{{Field: "words", Message: "Write something here."}}
	revoke := &web.CertConfirm{Page: page(tx.T("certconfirm.revoke", "name", name), web.ToneBad), Action: "#", Back: "#", Do: tx.T("certconfirm.revoke_do"), Typed: name, Lines: []string{tx.T("certconfirm.revoke_1"), tx.T("certconfirm.revoke_2"), tx.T("certconfirm.revoke_3"), tx.T("certconfirm.revoke_4")},
		Reasons: []web.Choice{{Value: "4", Label: tx.T("revoke.superseded"), Chosen: true}, {Value: "5", Label: tx.T("revoke.cessation")}, {Value: "3", Label: tx.T("revoke.affiliation")}, {Value: "0", Label: tx.T("revoke.unspecified")}}}
	known := &web.CertConfirm{Page: page(tx.T("certconfirm.known", "name", name), web.ToneBad), Action: "#", Back: "#", Do: tx.T("certconfirm.known_do"), Typed: name, Words: &web.CertWords{Label: tx.T("certconfirm.known_how"), Hint: tx.T("certconfirm.known_hint")},
		Lines: []string{tx.T("certconfirm.known_1"), tx.T("certconfirm.known_2"), tx.T("certconfirm.known_3"), tx.T("certconfirm.known_4")}}
	end := &web.CertConfirm{Page: page(tx.T("certconfirm.end", "name", name), web.ToneWarn), Action: "#", Back: "#", Do: tx.T("certconfirm.end_do"), Typed: name, Lines: []string{tx.T("certconfirm.end_1"), tx.T("certconfirm.end_2"), tx.T("certconfirm.end_3", "when", "Mon 30 Nov 13:05")}}
	undo := &web.CertConfirm{Page: page(tx.T("certconfirm.undo", "name", name), web.ToneWarn), Action: "#", Back: "#", Do: tx.T("certconfirm.undo_do"), Lines: []string{tx.T("certconfirm.undo_1"), tx.T("certconfirm.undo_2"), tx.T("certconfirm.undo_3")}}
	return pages("certconfirm", map[string]*web.CertConfirm{"pause": pause, "revoke": revoke, "known": known, "end": end, "undo": undo}, "pause", "revoke", "known", "end", "undo")
}

func certSettings(tx *web.Text) []Sample {
	page := func(say string, tone web.Tone) web.Page {
		p := ops("certs", tx.T("certset.title"), say)
		p.Tone, p.Crumbs = tone, []web.Link{{Label: tx.T("certs.title"), Href: "/certificates"}}
		return p
	}
	open := state(web.ToneGood, tx.T("certset.open"))
	full := &web.CertSettings{Page: page(tx.T("certset.say", "ca", "Let's Encrypt"), ""), NewCA: "#", Kinds: []web.Link{{Label: "cloudflare", Href: "cloudflare"}, {Label: "hetzner", Href: "hetzner"}}, More: certMore(tx),
		Authorities: []web.AuthorityRow{{Name: "Let's Encrypt", Directory: "https://acme-v02.api.letsencrypt.org/directory", Role: tx.T("carole.primary"), State: state(web.ToneWarn, tx.T("certset.blocked")), Note: "Let's Encrypt does not answer, or answers with an error of its own.", Until: in(0.1), Account: "https://acme-v02.api.letsencrypt.org/acme/acct/12345678", Contact: "certs@harbour.example"},
			{Name: "ZeroSSL", Directory: "https://acme.zerossl.com/v2/DV90", Role: tx.T("carole.fallback"), State: open}, {Name: "Let's Encrypt (staging)", Directory: "https://acme-staging-v02.api.letsencrypt.org/directory", Role: tx.T("carole.staging"), State: open}},
		Providers: []web.ProviderRow{{Name: "Our zone", Kind: "rfc2136", Zone: "acme.harbour.example", Customer: web.Link{Label: "Harbour Hosting"}, Made: at(400), Remove: "#"}, {Name: "Maple at Hetzner", Kind: "hetzner", Customer: link("Maple Bakery"), Made: at(90), Remove: "#"}}}
	none := &web.CertSettings{Page: page(tx.T("certset.say_none"), web.ToneWarn), NewCA: "#"}
	ca := &web.CertAdd{Page: page(tx.T("certadd.authority_say"), ""), Action: "#", Back: "#", Lead: tx.T("certadd.authority_note"), Roles: []web.RoleChoice{{Value: "primary", Label: tx.T("carole.primary"), Note: tx.T("carole.primary_note"), Chosen: true}, {Value: "fallback", Label: tx.T("carole.fallback"), Note: tx.T("carole.fallback_note")}},
		Fields: []web.AddField{{ID: "name", Label: tx.T("col.name"), Hint: tx.T("certadd.name_hint")}, {ID: "directory", Label: tx.T("certadd.directory"), Hint: tx.T("certadd.directory_hint")}, {ID: "eab_key", Label: tx.T("certadd.eab_key"), Secret: true, Optional: true}, {ID: "roots", Label: tx.T("certadd.roots"), Hint: tx.T("certadd.roots_hint"), Optional: true, Rows: 4}}}
	ca.Errors = []web.FieldError{{Field: "directory", Message: "Enter an address that begins with https."}, {Field: "role", Message: "There is one already."}}
	provider := &web.CertAdd{Page: page(tx.T("certadd.provider_say", "kind", "hetzner"), ""), Action: "#", Back: "#", Lead: tx.T("certadd.provider_note"), Hidden: map[string]string{"kind": "hetzner"}, For: []web.Choice{{Value: "", Label: tx.T("certadd.ours"), Chosen: true}, {Value: "cus_1", Label: "Maple Bakery"}},
		Fields: []web.AddField{{ID: "name", Label: tx.T("col.name"), Hint: tx.T("certadd.provider_name")}, {ID: "config-token", Label: "token", Hint: "An API token that may change the zone.", Secret: true}}}
	return []Sample{{"certsettings-full", full}, {"certsettings-empty", none}, {"certadd-authority", ca}, {"certadd-provider", provider}, {"dnsproviders", dnsProviders(tx, web.ProviderRow{Name: "Our account", Kind: "hetzner", Made: at(90), Remove: "#"})}, {"dnsproviders-none", dnsProviders(tx)}}
}

// dnsProviders are a customer's own.
func dnsProviders(tx *web.Text, rows ...web.ProviderRow) *web.DNSProviders {
	p := &web.DNSProviders{Page: customer("certs", tx.T("certset.providers"), tx.T("certdns.say", "n", len(rows))), Rows: rows, Kinds: []web.Link{{Label: "cloudflare", Href: "cloudflare"}, {Label: "hetzner", Href: "hetzner"}}}
	p.Crumbs = []web.Link{{Label: tx.T("padlock.title"), Href: "/certificates"}}
	if len(rows) == 0 {
		p.Say = tx.T("certdns.say_none")
	}
	return p
}

func campaigns(tx *web.Text) []Sample {
	page := func(say string, tone web.Tone) web.Page {
		p := ops("certs", tx.T("campaign.title"), say)
		p.Tone, p.Crumbs = tone, []web.Link{{Label: tx.T("certs.title"), Href: "/certificates"}}
		return p
	}
	busy := state(web.ToneBusy, tx.T("campaign.running"))
	list := &web.CertCampaigns{Page: page(tx.T("campaign.say_running", "n", 1), ""), New: "#", More: certMore(tx), Rows: []web.CampaignRow{{Reason: "Let's Encrypt must revoke certificates of 18 November", Href: "#", State: busy, Finished: 61, Total: 214, At: at(1), Who: "Ada Keller"},
		{Reason: "Drill", Href: "#", State: state(web.ToneWarn, tx.T("campaign.over_failed", "n", 1)), Finished: 12, Total: 12, At: at(900), Who: "Ada Keller"}}}
	none := &web.CertCampaigns{Page: page(tx.T("campaign.say"), ""), New: "#"}
	one := &web.CertCampaign{Page: page(tx.T("campaign.say_one", "n", 60, "total", 214), web.ToneBusy), State: busy, Progress: &web.Progress{Percent: 28, Step: tx.T("campaign.at_it")}, Cancel: "#", Unknown: []string{"04a19c335e107702be449a51c8d2ee01376b"}, Rows: certRows(tx)[3:], Pager: web.Pager{Next: "#"},
		Counts: []web.ChangeCount{{State: state(web.ToneGood, tx.T("campaign.served")), N: 60}, {State: state(web.ToneBusy, tx.T("campaign.open")), N: 8}, {State: state(web.ToneUnknown, tx.T("campaign.waiting")), N: 145}, {State: state(web.ToneBad, tx.T("campaign.failed")), N: 1}},
		About:  []web.Pair{{Label: tx.T("campaign.begun"), Value: tx.T("restore.who_when", "who", "Ada Keller", "when", "today 13:20")}}}
	nothing := &web.CertCampaign{Page: page(tx.T("campaign.say_done", "n", 0, "total", 0), ""), State: state(web.ToneGood, tx.T("campaign.over"))}
	form := &web.NewCertCampaign{Page: page(tx.T("campaign.say_new"), ""), Lines: []string{tx.T("campaign.new_1"), tx.T("campaign.new_2"), tx.T("campaign.new_3")}}
	form.Errors = []web.FieldError{{Field: "serials", Message: tx.T("campaign.no_serials")}}
	return []Sample{{"campaigns-full", list}, {"campaigns-empty", none}, {"campaign-running", one}, {"campaign-nothing", nothing}, {"campaign-new", form}}
}

func foundCerts(tx *web.Text) []Sample {
	page := func(say string) web.Page {
		p := ops("certs", tx.T("foundcert.title"), say)
		p.Sub, p.Crumbs = tx.T("foundcert.looked", "when", "today 04:10"), []web.Link{{Label: tx.T("certs.title"), Href: "/certificates"}, {Label: "shop-1", Href: "#"}}
		return p
	}
	stray := web.FoundCertRow{Names: []string{"intern.example"}, Path: "/etc/ssl/intern.pem", Issuer: "Intern CA", Renewer: tx.T("renewer.nobody"), Until: in(-20), State: state(web.ToneBad, tx.T("certstate.expired")), TakeWhy: tx.T("foundcert.nobodys")}
	taken := foundCert(tx)
	taken.Names, taken.Take, taken.Taken = []string{"maple.example"}, "", link(tx.T("cert.open"))
	full := &web.FoundCerts{Page: page(tx.T("foundcert.say", "n", 2, "server", "shop-1")), Rows: []web.FoundCertRow{foundCert(tx), stray, taken}}
	none := &web.FoundCerts{Page: page(tx.T("foundcert.say_none", "server", "shop-1"))}
	return pages("foundcerts", map[string]*web.FoundCerts{"full": full, "empty": none}, "full", "empty")
}

func certLimits(tx *web.Text) []Sample {
	page := func(say string, tone web.Tone) web.Page {
		p := ops("certs", tx.T("certlimits.title"), say)
		p.Tone, p.Crumbs = tone, []web.Link{{Label: tx.T("certs.title"), Href: "/certificates"}}
		return p
	}
	full := &web.CertLimits{Page: page(tx.T("certlimits.say", "n", 1), web.ToneWarn), N: "10000", Forecast: "10 000 new sites take 4 days 5 hours.", Points: []web.Pair{{Label: "Begun", Value: "at once"}}, Waiting: certRows(tx)[:1], More: certMore(tx),
		Rows: []web.LimitRow{{Limit: "New orders in 3 hours", Scope: "our account at Let's Encrypt", Used: 300, Most: 300, State: state(web.ToneWarn, "used up"), Free: in(0.1)}, {Limit: "Certificates of a domain in 7 days", Scope: "maple.example", Used: 12, Most: 50, State: state(web.ToneGood, "room")}}}
	wrong := &web.CertLimits{Page: page(tx.T("certlimits.say_none"), web.ToneGood), N: "many", More: certMore(tx)}
	wrong.Errors = []web.FieldError{{Field: "n", Message: tx.T("certlimits.no_number")}}
	return pages("certlimits", map[string]*web.CertLimits{"full": full, "wrong": wrong}, "full", "wrong")
}
