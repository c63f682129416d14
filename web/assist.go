package web

import (
	"cmp"
	"unicode/utf8"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// helpingBanner is what stands on every page while one of us may see a
// customer's files; nil where they may not.
func (v *visit) helpingBanner() *Helping {
	if !v.staff() || !v.can(policy.RestoreAssist) {
		return nil
	}
	a := v.assist()
	if !a.Open(v.now) {
		return nil
	}
	return &Helping{Customer: Link{v.customerName(a.Customer), "/customers/" + a.Customer}, Ticket: a.Ticket, Until: a.EndsAt, End: "/assist/" + a.ID + "/end"}
}

// customerName is a customer's name for a sentence; a plain word where it
// cannot be read.
func (v *visit) customerName(id string) string {
	names, err := v.customerNames([]string{id})
	if err != nil {
		v.p.log.ErrorContext(v.ctx, "web.customer", "error", err)
	}
	return cmp.Or(names[id], v.t("word.customer"))
}

// sayWhy leads whoever may help a customer from what they may not see yet to
// the form that asks why. Whose it is, is read from what they asked for.
func (v *visit) sayWhy() Link {
	to := Link{v.t("assist.do_first"), "/customers"}
	if id := v.ownerOf(v.c.Param("id")); id != "" {
		to.Href = "/assist/new?" + query("customer", id, "next", v.next())
	}
	return to
}

// ownerOf is whose snapshot or restore an id is, as staff may know; "" for
// anything else.
func (v *visit) ownerOf(id string) string {
	scope := policy.ScopeOf(v.actor)
	if controlplane.ValidID(controlplane.PrefixSnapshot, id) {
		s, err := v.p.Backups.Snapshot(v.ctx, scope, id)
		if err == nil {
			return s.Customer
		}
	}
	if controlplane.ValidID(controlplane.PrefixRestore, id) {
		r, err := v.p.Backups.Restore(v.ctx, scope, id)
		if err == nil {
			return r.Customer
		}
	}
	return ""
}

// reasonShown is how much of a request a reason is filled in with, in
// characters: both have their bounds.
const reasonShown = 900

// assistPage is the form that asks why one of us has to see a customer's files.
func (v *visit) assistPage() (*NewAssist, error) {
	page := &NewAssist{For: v.c.FormValue("customer"), Ask: v.c.FormValue("ask"), Next: v.c.FormValue("next"), Reason: v.c.FormValue("reason"), Ticket: v.c.FormValue("ticket")}
	if page.Ask != "" {
		scope, err := v.asksScope()
		if err != nil {
			return nil, err
		}
		a, err := v.p.Backups.Ask(v.ctx, scope, page.Ask)
		if err != nil {
			return nil, err
		}
		page.For = a.Customer
		if v.c.Request().Method == "GET" {
			page.Reason, page.Ticket = v.t("assist.asked", "what", cut(a.What, reasonShown)), a.ID
		}
	}
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return nil, err
	}
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, page.For)
	if err != nil {
		return nil, err
	}
	page.Page = v.page("customers", v.t("assist.title"), v.t("assist.say", "customer", c.Name))
	page.Crumbs = []Link{{v.t("customers.title"), "/customers"}, {c.Name, "/customers/" + c.ID}}
	page.Sub = v.t("assist.sub", "customer", c.Name)
	if a := v.assist(); a.Open(v.now) && a.Customer != c.ID {
		page.Ends = v.t("assist.ends", "customer", v.customerName(a.Customer))
	}
	return page, nil
}

// cut returns the first n characters of s, with a mark where there are more.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "…"
}

func (p *Portal) assistNew(v *visit) error {
	if v.c.QueryParam("customer")+v.c.QueryParam("ask") == "" {
		return v.redirect("/customers", "")
	}
	page, err := v.assistPage()
	if err != nil {
		return err
	}
	return v.render(page)
}

// assistStart lets the reader see one customer's files, and takes up the
// request that it is for.
func (p *Portal) assistStart(v *visit) error {
	page, err := v.assistPage()
	if err != nil {
		return err
	}
	if _, err := p.Backups.StartAssist(v.ctx, page.For, page.Reason, page.Ticket); err != nil {
		return v.invalid(page, err)
	}
	if page.Ask != "" {
		scope, err := v.asksScope()
		if err != nil {
			return err
		}
		a, err := p.Backups.Ask(v.ctx, scope, page.Ask)
		if err == nil && a.State == backups.AskOpen {
			_, err = p.Backups.TakeAsk(v.ctx, scope, page.Ask)
		}
		if err != nil {
			return err
		}
	}
	to := safeNext(page.Next)
	if to == "/" {
		to = "/find"
	}
	return v.redirect(to, "assist")
}

func (p *Portal) assistEnd(v *visit) error {
	to := "/customers"
	if c := v.assist().Customer; c != "" {
		to += "/" + c
	}
	if err := p.Backups.EndAssist(v.ctx, v.c.Param("id")); err != nil {
		return err
	}
	return v.redirect(to, "assist_ended")
}

// assistsListed is how many assists a list shows.
const assistsListed = 20

// assistRows are who of us could see a customer's files lately, and why.
func (v *visit) assistRows(customer string) ([]AssistRow, error) {
	if !v.can(policy.LedgerRead) {
		return nil, nil
	}
	scope, err := v.scope(policy.LedgerRead)
	if err != nil {
		return nil, err
	}
	as, err := v.p.Backups.Assists(v.ctx, scope, backups.AssistFilter{Customer: customer, Limit: assistsListed})
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, a := range as {
		ids[a.Staff] = true
	}
	names, err := v.p.Identity.Names(v.ctx, keysOf(ids))
	if err != nil {
		return nil, err
	}
	var rows []AssistRow
	for _, a := range as {
		row := AssistRow{Who: cmp.Or(names[a.Staff], v.t("word.somebody")), Reason: a.Reason, Ticket: a.Ticket, From: a.StartedAt, Until: a.EndsAt, State: State{ToneUnknown, v.t("assist.over")}}
		switch {
		case a.Open(v.now):
			row.State = State{ToneWarn, v.t("assist.open")}
		case !a.EndedAt.IsZero():
			row.Until = a.EndedAt
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// helpHref is where helping a customer begins; "" where the reader may not.
func (v *visit) helpHref(customer string) string {
	switch {
	case !v.can(policy.RestoreAssist):
		return ""
	case v.canOf(customer, policy.RestoreRun):
		return "/find"
	}
	return "/assist/new?" + query("customer", customer)
}
