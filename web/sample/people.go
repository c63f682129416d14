package sample

import "ostler/web"

func people(tx *web.Text) []Sample {
	rows := []web.PersonRow{
		{Name: "Ines Moreau", Email: "ines@maple.example", Role: "owner", Href: "#", State: state(web.ToneGood, "set up"), Seen: at(0.1), This: true},
		{Name: "Jonas Weber", Email: "jonas@maple.example", Role: "may restore", Href: "#", State: state(web.ToneBusy, "invited")},
		{Name: "Karolina Oleksandra Brzęczyszczykiewicz", Email: "karolina.oleksandra.brzeczyszczykiewicz@accounting.maple-bakery.example", Role: "may look", Href: "#", State: state(web.ToneUnknown, "not invited")}}
	auditors := []web.AuditorRow{{Name: "Helle Nyberg", Email: "helle.nyberg@audit.example", State: state(web.ToneGood, "set up"), Until: at(-700)},
		{Name: "Piet Claes", Email: "piet@audit.example", State: state(web.ToneUnknown, "over"), Until: at(900)}}
	own := &web.People{Page: customer("people", tx.T("people.title"), tx.T("people.say", "n", 1, "company", "Maple Bakery")), Rows: rows, Auditors: auditors, New: "#"}
	own.Sub = tx.T("people.sub", "n", 2, "number", "Two")
	staff := &web.People{Page: ops("people", tx.T("people.title"), tx.T("people.say", "n", 1, "company", "Harbour Hosting")), Rows: rows[:1]}
	p := customer("people", "Jonas Weber", tx.T("person.say_restorer", "name", "Jonas Weber"))
	p.Crumbs = []web.Link{{Label: tx.T("people.title"), Href: "#"}}
	one := &web.Person{Page: p, State: rows[0].State, Seen: at(3), Facts: []web.Pair{{Label: "E-mail", Value: "jonas@maple.example"}, {Label: "Role", Value: "may restore"}},
		Roles: roles(tx), Save: "#", Invite: "#", Again: true, SignOut: "#", Remove: "#"}
	fresh := *one
	fresh.State, fresh.Seen, fresh.Again, fresh.SignOut = rows[1].State, fresh.Now.Add(-1), false, ""
	fresh.Errors = []web.FieldError{{Field: "role", Message: "Choose owner, restorer or reader."}}
	off := &web.Person{Page: ops("people", "Ada Keller", tx.T("person.say_off", "name", "Ada Keller")), State: state(web.ToneUnknown, "switched off"), Staff: true, Enable: "#"}
	self := &web.Person{Page: p, State: rows[0].State, Why: tx.T("person.self")}
	form := &web.NewPerson{Page: customer("people", tx.T("newperson.title"), tx.T("newperson.say", "company", "Maple Bakery")), Action: "#", Back: "#", Roles: roles(tx)}
	form.Errors = []web.FieldError{{Field: "email", Message: "Enter one e-mail address, such as name@example.com."}}
	auditor := &web.NewPerson{Page: ops("customers", tx.T("newauditor.title"), tx.T("newauditor.say", "company", "Maple Bakery")), Action: "#", Back: "#", Auditor: true, Until: "2026-12-05"}
	invited := &web.Invited{Page: customer("people", tx.T("invited.title"), tx.T("invited.say", "name", "Jonas Weber")), Link: "https://portal.harbour-hosting.example/invite/9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822C", Expires: at(-72), Back: web.Link{Label: "People", Href: "#"}}
	again := *invited
	again.Sub = tx.T("invited.again", "name", "Jonas Weber")
	return []Sample{{"people-full", own}, {"people-staff", staff}, {"person-full", one}, {"person-fresh", &fresh}, {"person-off", off}, {"person-self", self}, {"newperson-wrong", form}, {"newperson-auditor", auditor}, {"invited-new", invited}, {"invited-again", &again}}
}

func roles(tx *web.Text) []web.RoleChoice {
	return []web.RoleChoice{{Value: "owner", Label: "Owner", Note: tx.T("role.owner_note")}, {Value: "restorer", Label: "May restore", Note: tx.T("role.restorer_note"), Chosen: true}, {Value: "reader", Label: "May look", Note: tx.T("role.reader_note")}}
}

func ownSignIn(tx *web.Text) []Sample {
	password := &web.Password{Page: customer("account", tx.T("password.title"), tx.T("password.say")), Email: "ines@maple.example"}
	password.Sub = tx.T("password.sub")
	password.Errors = []web.FieldError{{Field: "old_password", Message: "This is not your present password."}}
	codes := &web.NewCodes{Page: customer("account", tx.T("codes.title"), tx.T("newcodes.say"))}
	codes.Sub = tx.T("newcodes.sub")
	return []Sample{{"password", password}, {"newcodes", codes}}
}
