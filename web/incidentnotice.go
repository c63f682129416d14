package web

import (
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// one is a notice with its case; an advisory's has none.
type one struct {
	n     incidents.Notice
	c     incidents.Case
	names map[string]string
	who   map[string]string
}

// noticeByID is the notice that the address names.
func (v *visit) noticeByID(perm policy.Permission) (scope policy.Scope, x one, err error) {
	if scope, err = v.scope(perm); err != nil {
		return scope, x, err
	}
	if x.n, err = v.p.Incidents.Notice(v.ctx, scope, v.c.Param("notice")); err != nil {
		return scope, x, err
	}
	if x.n.Case != "" {
		if x.c, err = v.p.Incidents.Get(v.ctx, scope, x.n.Case); err != nil {
			return scope, x, err
		}
		v.zone = caseZone(x.c, v.zone)
	}
	if x.n.Customer != "" {
		if x.names, err = v.namesOfCustomers([]string{x.n.Customer}); err != nil {
			return scope, x, err
		}
	}
	ids := []string{x.n.Author, x.n.Second}
	for _, f := range x.n.Fields {
		ids = append(ids, f.Owner)
	}
	for _, t := range x.n.Tries {
		ids = append(ids, t.By)
	}
	x.who, err = v.staffNames(ids...)
	return scope, x, err
}

// caseNotice is one notice, for staff; a contact is led to what they were told.
func (p *Portal) caseNotice(v *visit) error {
	if !v.staff() {
		return v.c.Redirect(http.StatusSeeOther, "/notices/"+pathEscape(v.c.Param("notice")))
	}
	scope, x, err := v.noticeByID(policy.IncidentRead)
	if err != nil {
		return err
	}
	page, err := v.breachPage(scope, x)
	if err != nil {
		return err
	}
	return v.render(page)
}

func (v *visit) crumbsOf(x one) []Link {
	if x.n.Case == "" {
		return []Link{{v.t("inc.title"), "/incidents"}, {v.t("inc.advisory"), "/incidents/advisories/" + x.n.Advisory}}
	}
	return append(v.caseCrumbs(x.c), Link{v.t("inc.notices"), "/incidents/" + x.c.ID + "/notices"})
}

func (v *visit) breachPage(scope policy.Scope, x one) (*CaseNotice, error) {
	n, to := x.n, v.noticeTo(x.n, x.names)
	page := &CaseNotice{Page: v.page("incidents", v.t("inc.the_notice"), ""), Exercise: v.exercise(n.Drill)}
	page.Crumbs = v.crumbsOf(x)
	state := lookOf(v, breachStates, n.State)
	page.Say, page.Tone = v.t("inc.notice_say", "to", to, "state", state.Word), state.Tone
	page.Sub = join(wordOf(v, purposes, n.Purpose), v.phase(n), n.Lang)
	page.Facts = []Fact{{Label: v.t("col.state"), State: state}, {Label: v.t("inc.n_due"), State: State{Word: "–"}}, v.factAt("inc.n_sent_at", n.SentAt), v.factAt("inc.n_told_at", n.ToldAt)}
	if !n.DueAt.IsZero() {
		page.Facts[1] = Fact{Label: v.t("inc.n_due"), State: State{Word: v.until(n.DueAt)}, Note: v.leftWords(n)}
	}
	page.Text, page.Sum = n.Text, n.SHA256
	open := n.State == incidents.Draft || n.State == incidents.Waiting
	tries := n.Tries
	if open {
		pre, err := v.p.Incidents.Preview(v.ctx, scope, n.ID)
		if err != nil {
			return nil, err
		}
		if pre.Notice.Text != "" {
			page.Text = pre.Notice.Text
		}
		page.Sum, tries = "", pre.Recipients
		for _, k := range pre.Checks {
			tone := ToneWarn
			if k.Stops {
				tone, page.Stopped = ToneBad, true
				if k.Key == "contact" {
					page.Acts = []Act{{Label: v.t("inc.company"), Href: "/incidents/company"}}
				}
			}
			page.Checks = append(page.Checks, State{tone, k.Text})
		}
		if len(page.Checks) == 0 {
			page.Checks = []State{{ToneGood, v.t("inc.checks_fine")}}
		}
	}
	if v.mayAct() {
		v.noticeDoes(page, x)
	}
	page.Sections = []Section{v.triesSection(x, tries, open), v.fieldsSection(x)}
	page.Pairs = v.noticePairs(x)
	return page, nil
}

// leftWords is how much time is left for a notice, or by how much it was late.
func (v *visit) leftWords(n incidents.Notice) string {
	switch {
	case n.ToldAt.IsZero() && n.DueAt.Before(v.now):
		return v.t("inc.late_by", "span", v.hours(v.now.Sub(n.DueAt)))
	case n.ToldAt.IsZero():
		return v.t("inc.left", "span", v.hours(n.DueAt.Sub(v.now)))
	case n.ToldAt.After(n.DueAt):
		return v.t("inc.late_by", "span", v.hours(n.ToldAt.Sub(n.DueAt)))
	}
	return v.t("inc.in_time")
}

// noticeDoes is what can be done about a notice as it stands.
func (v *visit) noticeDoes(page *CaseNotice, x one) {
	n, at := x.n, "/incidents/notices/"+x.n.ID
	edit := Act{Label: v.t("inc.n_edit"), Href: at + "/edit"}
	tell := Act{Label: v.t("inc.tell_it"), Href: at + "/tell"}
	switch n.State {
	case incidents.Draft:
		if !page.Stopped {
			late := !n.DueAt.IsZero() && n.DueAt.Before(v.now)
			page.Forms = append(page.Forms, BoxForm{ID: "send", Title: v.t("inc.send"), Lead: v.sendLead(n), Action: at + "/send", Do: v.t("inc.send_do"), Hidden: []Pair{versionOf(n.Version)}, Fields: v.sendFields(late)})
		}
		page.Acts = append(page.Acts, edit, tell, Act{Label: v.t("inc.discard"), Href: at + "/discard"})
	case incidents.Waiting:
		if n.Author != v.actor.ID {
			page.Forms = append(page.Forms, BoxForm{ID: "approve", Title: v.t("inc.approve"), Lead: v.t("inc.approve_lead", "who", x.who[n.Author]), Action: at + "/approve", Do: v.t("inc.approve_do"), Hidden: []Pair{versionOf(n.Version)}})
		} else {
			page.Forms = append(page.Forms, BoxForm{ID: "send", Title: v.t("inc.send_alone"), Lead: v.t("inc.send_alone_lead", "when", v.until(n.AskedAt)), Action: at + "/send", Do: v.t("inc.send_alone"), Quiet: true, Hidden: []Pair{versionOf(n.Version)},
				Fields: []FormField{v.entered("alone_why", v.t("inc.alone_why"), "").rows(2)}})
		}
		page.Acts = []Act{edit, tell, {Label: v.t("inc.discard"), Href: at + "/discard"}}
	case incidents.Sent, incidents.Accepted, incidents.Unreachable, incidents.Opened, incidents.Drilled:
		page.Acts = []Act{tell}
	}
}

// sendLead says what sending does.
func (v *visit) sendLead(n incidents.Notice) string {
	switch {
	case n.Drill:
		return v.t("inc.send_drill")
	case n.Audience != incidents.ToCustomer:
		return v.t("inc.send_paper")
	case n.Purpose == incidents.First:
		return v.t("inc.send_first")
	}
	return v.t("inc.send_lead")
}

var tryHows = map[string]string{"mail": "inc.how_mail", "call": "inc.how_call", "letter": "inc.how_letter", "portal": "inc.how_portal", "form": "inc.how_form"}

var tryStates = map[string]look{
	"queued": {ToneBusy, "inc.m_queued"}, "sending": {ToneBusy, "inc.m_queued"}, "accepted": {ToneBusy, "inc.m_accepted"}, "deferred": {ToneWarn, "inc.m_deferred"}, "failed": {ToneBad, "inc.m_failed"}, "in_doubt": {ToneUnknown, "inc.m_in_doubt"},
	"bounced": {ToneBad, "inc.m_bounced"}, "opened": {ToneGood, "inc.m_opened"}, "acknowledged": {ToneGood, "inc.m_acknowledged"}, "called": {ToneGood, "inc.m_called"}, "unsent": {ToneBad, "inc.m_failed"},
}

// triesSection is who was written to and what became of it, or who would be.
func (v *visit) triesSection(x one, tries []incidents.Try, open bool) Section {
	sec := Section{ID: "whom", Title: v.t("inc.tried"), Lead: v.t("inc.tried_lead"), Empty: v.t("inc.tried_empty"), Grid: Grid{Heads: []string{v.t("col.person"), v.t("inc.how"), v.t("col.state"), v.t("col.when"), v.t("inc.try_note")}}}
	if open {
		sec.Title, sec.Lead, sec.Empty = v.t("inc.would"), v.t("inc.would_lead"), v.t("inc.would_empty")
	}
	for i, t := range tries {
		state := lookOf(v, tryStates, t.State)
		if t.State == "" {
			state = State{ToneUnknown, v.t("inc.would_next")}
			if i == 0 {
				state = State{ToneBusy, v.t("inc.would_first")}
			}
		}
		note := Cell{Notes: []string{plain(t.Cause), plain(t.Note)}}
		if t.By != "" {
			note.Link.Label = x.who[t.By]
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: plain(t.Name)}, Strong: false}, {Link: Link{Label: wordOf(v, tryHows, t.How)}}, {State: state}, v.orDash(t.At), note}})
	}
	return sec
}

// fieldsSection is what is known of what the law asks for.
func (v *visit) fieldsSection(x one) Section {
	sec := Section{ID: "fields", Title: v.t("inc.fields"), Lead: v.t("inc.fields_lead"), Grid: Grid{Heads: []string{v.t("inc.field"), v.t("col.state"), v.t("inc.value")}}}
	open := v.mayAct() && (x.n.State == incidents.Draft || x.n.State == incidents.Waiting)
	for _, f := range x.n.Fields {
		name := Cell{Link: Link{Label: wordOf(v, fieldTexts, f.Key)}}
		if open && f.Key != "contact" {
			name.Link.Href = "/incidents/notices/" + x.n.ID + "/edit?" + query("field", f.Key)
		}
		value := Cell{Notes: []string{plainText(f.Value)}}
		tone := ToneGood
		switch f.Known {
		case incidents.IsRange:
			value = Cell{Link: Link{Label: v.t("inc.range", "low", f.Low, "high", f.High)}}
		case incidents.IsUnknown:
			tone, value = ToneWarn, Cell{Link: Link{Label: v.t("inc.finds_out", "who", x.who[f.Owner])}, At: f.By}
		case incidents.Empty:
			tone = ToneUnknown
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{name, {State: State{tone, wordOf(v, knownTexts, f.Known)}}, value}})
	}
	sec.Empty = v.t("inc.fields_empty")
	return sec
}

func (v *visit) noticePairs(x one) (out []Pair) {
	add := func(key, value string) {
		if value != "" {
			out = append(out, Pair{Label: v.t(key), Value: value})
		}
	}
	add("inc.n_by", x.who[x.n.Author])
	add("inc.n_second_who", x.who[x.n.Second])
	add("inc.alone_why", plain(x.n.AloneWhy))
	add("inc.late_why", plain(x.n.LateWhy))
	return out
}

// noticeDo does something about a notice, and shows it again.
func (v *visit) noticeDo(done string, do func(policy.Scope, one) error) error {
	scope, x, err := v.noticeByID(policy.IncidentWrite)
	if err != nil {
		return err
	}
	if err := do(scope, x); err != nil {
		page, perr := v.breachPage(scope, x)
		if perr != nil {
			return err
		}
		if controlplane.ErrorCode(err) == controlplane.CodeForbidden {
			return v.refused(page, err)
		}
		return v.invalid(page, err)
	}
	return v.redirect("/incidents/notices/"+x.n.ID, done)
}

// caseNoticeSend sends a draft, or asks for a second person.
func (p *Portal) caseNoticeSend(v *visit) error {
	done := "inc_sent"
	scope, x, err := v.noticeByID(policy.IncidentWrite)
	if err != nil {
		return err
	}
	n, err := p.Incidents.Send(v.ctx, scope, x.n.ID, incidents.Sending{Version: v.version(), AloneWhy: v.text("alone_why"), LateWhy: v.text("late_why")})
	if err != nil {
		return v.noticeDo(done, func(policy.Scope, one) error { return err })
	}
	if n.State == incidents.Waiting {
		done = "inc_asked"
	}
	return v.redirect("/incidents/notices/"+n.ID, done)
}

// caseNoticeApprove sends what a colleague drafted.
func (p *Portal) caseNoticeApprove(v *visit) error {
	return v.noticeDo("inc_sent", func(scope policy.Scope, x one) error {
		_, err := p.Incidents.Approve(v.ctx, scope, x.n.ID, v.version())
		return err
	})
}
