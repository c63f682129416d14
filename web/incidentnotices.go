package web

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// caseNotices are the notices of a case, with what drafts and sends them.
func (p *Portal) caseNotices(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentRead)
	if err != nil {
		return err
	}
	page, err := v.noticesPage(scope, c)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) noticesPage(scope policy.Scope, c incidents.Case) (*CaseNotice, error) {
	x, err := v.partsOf(scope, c)
	if err != nil {
		return nil, err
	}
	page := &CaseNotice{Page: v.page("incidents", v.t("inc.notices"), ""), Exercise: v.exercise(c.Drill)}
	page.Crumbs = v.caseCrumbs(c)
	drafts, waiting, others, late := 0, 0, 0, false
	for _, n := range x.notices {
		switch n.State {
		case incidents.Draft:
			drafts++
			late = late || !n.DueAt.IsZero() && n.DueAt.Before(v.now)
		case incidents.Waiting:
			waiting++
			if n.Author != v.actor.ID {
				others++
			}
		}
	}
	switch {
	case drafts > 0:
		page.Say, page.Tone = v.t("inc.notices_drafts", "n", drafts, "number", capital(v.p.tx.Number(drafts))), ToneWarn
	case waiting > 0:
		page.Say, page.Tone = v.t("inc.notices_waiting", "n", waiting, "number", capital(v.p.tx.Number(waiting))), ToneBusy
	case x.untold() > 0:
		n := x.untold()
		page.Say, page.Tone = v.t("inc.notices_untold", "n", n, "number", capital(v.p.tx.Number(n))), ToneBad
	case len(x.notices) > 0:
		page.Say = v.t("inc.notices_none_open")
	default:
		page.Say = v.t("inc.notices_none")
	}
	page.Sub = plain(c.Title)
	sec := Section{ID: "notices", Title: v.t("inc.notices"), Empty: v.t("inc.notices_empty"), Grid: v.noticeGrid(openFirst(x.notices), x.names, x.who)}
	page.Sections = []Section{sec}
	if !v.mayAct() {
		return page, nil
	}
	if drafts+others > 0 {
		page.Forms = append(page.Forms, v.sendAllForm(c, x.notices, drafts+others, late))
	}
	if drafts > 0 {
		page.Acts = []Act{{Label: v.t("inc.edit_all"), Href: "/incidents/" + c.ID + "/notices/all"}}
	}
	page.Forms = append(page.Forms, v.draftForms(c, drafts > 0)...)
	return page, nil
}

// openFirst puts the notices first that somebody must still do something about.
func openFirst(items []incidents.Notice) []incidents.Notice {
	out := slices.Clone(items)
	rank := func(n incidents.Notice) int {
		switch n.State {
		case incidents.Unreachable, incidents.Draft, incidents.Waiting:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b incidents.Notice) int {
		if r := rank(a) - rank(b); r != 0 {
			return r
		}
		return dueOrder(a.DueAt, b.DueAt)
	})
	return out
}

// sendAllForm sends every draft of a case.
func (v *visit) sendAllForm(c incidents.Case, notices []incidents.Notice, n int, late bool) BoxForm {
	f := BoxForm{ID: "send", Title: v.t("inc.send_all", "n", n), Lead: v.t("inc.send_all_lead"), Action: "/incidents/" + c.ID + "/notices/send", Do: v.t("inc.send_all_do")}
	f.Fields = v.sendFields(late)
	f.Hidden = []Pair{seenOf(notices)}
	return f
}

// seenOf are the versions of the open notices that a page shows: what somebody else
// wrote goes only as it was looked at.
func seenOf(notices []incidents.Notice) Pair {
	var seen []string
	for _, n := range notices {
		if n.State == incidents.Draft || n.State == incidents.Waiting {
			seen = append(seen, n.ID+"="+strconv.FormatInt(n.Version, 10))
		}
	}
	return Pair{Label: "seen", Value: strings.Join(seen, " ")}
}

// seen are the versions of the notices that the page has shown, by id.
func (v *visit) seen() map[string]int64 {
	out := map[string]int64{}
	for _, one := range strings.Fields(v.c.FormValue("seen")) {
		id, version, _ := strings.Cut(one, "=")
		if n, err := strconv.ParseInt(version, 10, 64); err == nil {
			out[id] = n
		}
	}
	return out
}

// sendFields are what sending may have to say.
func (v *visit) sendFields(late bool) (out []FormField) {
	if late {
		out = append(out, v.entered("late_why", v.t("inc.late_why"), "").rows(2).hint(v.t("inc.late_why_hint")))
	}
	return append(out, v.entered("alone_why", v.t("inc.alone_why"), "").optional().hint(v.t("inc.alone_why_hint")))
}

// draftForms draft notices: to the customers, and to whom else.
func (v *visit) draftForms(c incidents.Case, quiet bool) []BoxForm {
	at := "/incidents/" + c.ID + "/notices"
	var to, others []Choice
	for _, p := range []incidents.Purpose{incidents.First, incidents.Update, incidents.Final} {
		to = append(to, Choice{Value: string(p), Label: wordOf(v, purposes, p)})
	}
	if c.State == incidents.FalseAlarm {
		to = []Choice{{Value: string(incidents.Withdrawal), Label: wordOf(v, purposes, incidents.Withdrawal)}}
	}
	for _, a := range []incidents.Audience{incidents.ToAuthority, incidents.ToCSIRT, incidents.ToPeople} {
		others = append(others, Choice{Value: string(a), Label: wordOf(v, audiences, a)})
	}
	regimes := []Choice{{Value: "gdpr", Label: v.t("inc.r_gdpr")}, {Value: "uk-gdpr", Label: v.t("inc.r_uk")}, {Value: "nis2", Label: v.t("inc.r_nis2")}}
	var out []BoxForm
	if len(c.Affected) > 0 {
		out = append(out, BoxForm{ID: "draft", Title: v.t("inc.draft_customers"), Lead: v.t("inc.draft_lead"), Action: at, Do: v.t("inc.draft_do"), Quiet: quiet, Hidden: []Pair{{Label: "audience", Value: string(incidents.ToCustomer)}}, Fields: []FormField{{ID: "purpose", Label: v.t("inc.purpose"), Options: to}}})
	}
	return append(out, BoxForm{ID: "others", Title: v.t("inc.draft_others"), Lead: v.t("inc.draft_others_lead"), Action: at, Do: v.t("inc.draft_do"), Quiet: true,
		Fields: []FormField{{ID: "audience", Label: v.t("inc.n_to"), Options: others}, {ID: "regime", Label: v.t("inc.regime"), Options: regimes}, {ID: "what", Label: v.t("inc.purpose"), Options: to}}})
}

// caseNoticesDraft drafts notices.
func (p *Portal) caseNoticesDraft(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentWrite)
	if err != nil {
		return err
	}
	to := incidents.Audience(v.formValue("audience"))
	at := "/incidents/" + c.ID + "/notices"
	if to == incidents.ToCustomer {
		made, left, err := p.Incidents.MakeDrafts(v.ctx, scope, c.ID, incidents.Purpose(v.formValue("purpose")), v.formList("customer")...)
		switch {
		case err != nil:
			return v.noticesRefused(scope, c, err)
		case len(left) > 0:
			return v.noticesLeft(scope, c, left)
		case len(made) == 1:
			return v.redirect("/incidents/notices/"+made[0].ID, "inc_drafted")
		case len(made) == 0:
			return v.redirect(at, "nothing")
		}
		return v.redirect(at, "inc_drafted")
	}
	n, err := p.Incidents.MakeDraftFor(v.ctx, scope, c.ID, to, v.formValue("regime"), incidents.Purpose(v.formValue("what")))
	if err != nil {
		return v.noticesRefused(scope, c, err)
	}
	return v.redirect("/incidents/notices/"+n.ID, "inc_drafted")
}

// noticesLeft names those for whom nothing could be written.
func (v *visit) noticesLeft(scope policy.Scope, c incidents.Case, left map[string]string) error {
	page, err := v.noticesPage(scope, c)
	if err != nil {
		return err
	}
	names, err := v.namesOfCustomers(customersIn(c))
	if err != nil {
		return err
	}
	page.Say, page.Tone = v.t("inc.left_out_say", "n", len(left)), ToneBad
	sec := Section{ID: "left", Title: v.t("inc.left_out"), Grid: Grid{Heads: []string{v.t("col.customer"), v.t("inc.kept_why")}}}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{names[id], "/customers/" + id}, Strong: true}, {State: State{ToneBad, left[id]}}}})
	}
	page.Sections = append([]Section{sec}, page.Sections...)
	return v.render(page)
}

func (v *visit) noticesRefused(scope policy.Scope, c incidents.Case, err error) error {
	page, perr := v.noticesPage(scope, c)
	if perr != nil {
		return err
	}
	return v.invalid(page, err)
}

// caseNoticesSend sends every draft of a case; why some did not go is said.
func (p *Portal) caseNoticesSend(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentWrite)
	if err != nil {
		return err
	}
	sent, kept, err := p.Incidents.SendAll(v.ctx, scope, c.ID, incidents.Sending{Seen: v.seen(), AloneWhy: v.text("alone_why"), LateWhy: v.text("late_why")})
	if err != nil {
		return v.noticesRefused(scope, c, err)
	}
	if len(kept) == 0 {
		return v.redirect("/incidents/"+c.ID+"/notices", "inc_sent")
	}
	page, err := v.noticesPage(scope, c)
	if err != nil {
		return err
	}
	notices, err := v.noticesOf(scope, c.ID)
	if err != nil {
		return err
	}
	asks := func(n incidents.Notice) bool { return kept[n.ID] == "" || n.State == incidents.Waiting }
	if sent > 0 || slices.ContainsFunc(notices, func(n incidents.Notice) bool { return !asks(n) }) {
		page.Say, page.Tone = v.t("inc.kept_say", "sent", sent, "n", len(kept)), ToneWarn
	} // otherwise all wait for a second person, as the page says already
	names, err := v.namesOfCustomers(customersIn(c))
	if err != nil {
		return err
	}
	sec := Section{ID: "kept", Title: v.t("inc.kept"), Grid: Grid{Heads: []string{v.t("inc.n_to"), v.t("inc.kept_why")}}}
	for _, n := range notices {
		if why, ok := kept[n.ID]; ok {
			sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{v.noticeTo(n, names), "/incidents/notices/" + n.ID}, Strong: true}, {State: State{ToneWarn, plain(why)}}}})
		}
	}
	page.Sections = append([]Section{sec}, page.Sections...)
	return v.render(page)
}
