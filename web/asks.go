package web

import (
	"cmp"

	"ostler/backups"
	"ostler/controlplane/policy"
)

// asksScope is whose requests the reader may see: their company's, for who may
// restore there; all, for those of us who may help.
func (v *visit) asksScope() (policy.Scope, error) {
	if v.staff() {
		return v.scope(policy.RestoreAssist)
	}
	return v.scope(policy.RestoreAsk)
}

// mailChoice says where a mail goes once something is over: to the contact's
// own address, and to nobody where no mail server is set up.
func (v *visit) mailChoice(chosen bool) MailChoice {
	switch {
	case v.staff():
		return MailChoice{}
	case !v.p.o.Mails:
		return MailChoice{Off: true}
	}
	return MailChoice{To: v.person.Email, Chosen: chosen}
}

// askHref is where a customer asks us after a restore did not give them all;
// "" where it did.
func (v *visit) askHref(r backups.Restore) string {
	if r.State != backups.RestoreFailed && !r.Incomplete() || !v.can(policy.RestoreAsk) {
		return ""
	}
	return "/ask"
}

var askStates = map[backups.AskState]struct {
	tone Tone
	key  string
}{
	backups.AskOpen: {ToneWarn, "ask.open"}, backups.AskTaken: {ToneBusy, "ask.taken"}, backups.AskDone: {ToneGood, "ask.done"},
}

func (v *visit) askState(s backups.AskState) State {
	x, ok := askStates[s]
	if !ok {
		return State{ToneUnknown, v.t("unknown")}
	}
	return State{x.tone, v.t(x.key)}
}

func (v *visit) newAskPage() *NewAsk {
	page := &NewAsk{Page: v.page("restore", v.t("ask.title"), v.t("ask.say")), What: v.c.FormValue("what"), Mail: v.mailChoice(v.c.Request().Method == "GET" || v.c.FormValue("mail") != "")}
	page.Crumbs = []Link{{v.t("restores.title"), "/restores"}, {v.t("asks.title"), "/asks"}}
	return page
}

// askNew is the form by which a customer has us restore something.
func (p *Portal) askNew(v *visit) error { return v.render(v.newAskPage()) }

func (p *Portal) askMake(v *visit) error {
	scope, err := v.scope(policy.RestoreAsk)
	if err != nil {
		return err
	}
	page := v.newAskPage()
	a, err := p.Backups.AskUs(v.ctx, scope, backups.NewAsk{What: page.What, MailMe: page.Mail.Wanted()})
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/asks/"+a.ID, "asked")
}

// asksListed is how many requests a list shows.
const asksListed = 100

// asks lists requests: those that wait first.
func (p *Portal) asks(v *visit) error {
	scope, err := v.asksScope()
	if err != nil {
		return err
	}
	f := backups.AskFilter{Customer: v.c.QueryParam("customer"), Waiting: true, Limit: asksListed}
	waiting, err := p.Backups.Asks(v.ctx, scope, f)
	if err != nil {
		return err
	}
	f.Waiting = false
	all, err := p.Backups.Asks(v.ctx, scope, f)
	if err != nil {
		return err
	}
	page := &Asks{Page: v.page("restore", v.t("asks.title"), v.t("asks.say", "n", len(waiting)))}
	page.Crumbs = []Link{{v.t("restores.title"), "/restores"}}
	if len(waiting) == 0 {
		page.Say = v.t("asks.say_none")
	}
	if v.staff() {
		page.Nav, page.Crumbs = "today", []Link{{v.t("today.title"), "/today"}}
	} else {
		page.New = "/ask"
	}
	list := waiting
	for _, a := range all {
		if a.State == backups.AskDone {
			list = append(list, a)
		}
	}
	page.Rows, err = v.askRows(list)
	if err != nil {
		return err
	}
	return v.render(page)
}

// askLine is how much of a request a list shows, in characters.
const askLine = 120

func (v *visit) askRows(list []backups.Ask) ([]AskRow, error) {
	people, owners := map[string]bool{}, map[string]bool{}
	for _, a := range list {
		people[a.By], owners[a.Customer] = true, true
	}
	names, err := v.p.Identity.Names(v.ctx, keysOf(people))
	if err != nil {
		return nil, err
	}
	companies, err := v.customerNames(keysOf(owners))
	if err != nil {
		return nil, err
	}
	var rows []AskRow
	for _, a := range list {
		row := AskRow{What: cut(a.What, askLine), Href: "/asks/" + a.ID, By: cmp.Or(names[a.By], v.t("word.somebody")), At: a.CreatedAt, State: v.askState(a.State)}
		if name := companies[a.Customer]; name != "" {
			row.Customer = Link{name, "/customers/" + a.Customer}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// askSaid are the sentences of a request by its state: to the customer, to us.
var askSaid = map[backups.AskState][2]string{
	backups.AskOpen: {"ask.say_open", "ask.say_open_staff"}, backups.AskTaken: {"ask.say_taken", "ask.say_taken_staff"}, backups.AskDone: {"ask.say_done", "ask.say_done_staff"},
}

func (v *visit) askPage(a backups.Ask) (*Ask, error) {
	names, err := v.p.Identity.Names(v.ctx, []string{a.By, a.TakenBy, a.DoneBy})
	if err != nil {
		return nil, err
	}
	who := func(id string) string { return cmp.Or(names[id], v.t("word.somebody")) }
	said, company := askSaid[a.State][0], ""
	if v.staff() {
		said, company = askSaid[a.State][1], v.customerName(a.Customer)
	}
	page := &Ask{Page: v.page("restore", v.t("ask.one"), v.t(said, "customer", company, "who", who(a.TakenBy))), State: v.askState(a.State), What: a.What, Answer: a.Answer}
	page.Tone, page.Crumbs, page.Self = page.State.Tone, []Link{{v.t("restores.title"), "/restores"}, {v.t("asks.title"), "/asks"}}, "/asks/"+a.ID
	line := func(key, id string, asked bool, when string) {
		if asked {
			page.About = append(page.About, Pair{Label: v.t(key), Value: v.t("restore.who_when", "who", who(id), "when", when)})
		}
	}
	line("ask.by", a.By, true, v.moment(a.CreatedAt))
	line("ask.taken_by", a.TakenBy, a.TakenBy != "", v.moment(a.TakenAt))
	line("ask.done_by", a.DoneBy, a.DoneBy != "", v.moment(a.DoneAt))
	if a.State != backups.AskDone {
		page.Live = []string{"ask:" + a.ID}
		if !v.staff() && a.MailMe && v.p.o.Mails {
			page.Sub = v.t("ask.mail")
		}
	}
	if !v.staff() {
		return page, nil
	}
	page.Nav, page.Crumbs = "today", []Link{{v.t("asks.title"), "/asks"}, {company, "/customers/" + a.Customer}}
	if a.State != backups.AskDone {
		page.Help = Link{v.t("assist.help"), "/assist/new?" + query("ask", a.ID)}
		if v.canOf(a.Customer, policy.RestoreRun) {
			page.Help = Link{v.t("assist.files"), "/find"}
		}
		page.Answering, page.Draft, page.Live = page.Self+"/answer", v.c.FormValue("answer"), nil // what is typed stays
		if a.State == backups.AskOpen {
			page.Take = page.Self + "/take"
		}
	}
	return page, nil
}

func (p *Portal) ask(v *visit) error {
	scope, err := v.asksScope()
	if err != nil {
		return err
	}
	a, err := p.Backups.Ask(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	page, err := v.askPage(a)
	if err != nil {
		return err
	}
	return v.render(page)
}

// askStep answers a form that moves a request on.
func (p *Portal) askStep(v *visit, done string, step func(scope policy.Scope, id string) (backups.Ask, error)) error {
	scope, err := v.asksScope()
	if err != nil {
		return err
	}
	id := v.c.Param("id")
	if _, err := step(scope, id); err != nil {
		a, aerr := p.Backups.Ask(v.ctx, scope, id)
		if aerr != nil {
			return aerr
		}
		page, perr := v.askPage(a)
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/asks/"+id, done)
}

func (p *Portal) askTake(v *visit) error {
	return p.askStep(v, "taken", func(s policy.Scope, id string) (backups.Ask, error) { return p.Backups.TakeAsk(v.ctx, s, id) })
}

func (p *Portal) askAnswer(v *visit) error {
	return p.askStep(v, "answered", func(s policy.Scope, id string) (backups.Ask, error) {
		return p.Backups.AnswerAsk(v.ctx, s, id, v.c.FormValue("answer"))
	})
}
