package web

import (
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

var noticeStates = map[string]struct {
	tone Tone
	key  string
}{
	"gathering": {ToneBusy, "notice.gathering"}, "sent": {ToneBusy, "notice.sent"}, "accepted": {ToneGood, "notice.accepted"},
	"bounced": {ToneWarn, "notice.bounced"}, "acknowledged": {ToneGood, "notice.acknowledged"}, "unreachable": {ToneBad, "notice.unreachable"},
	"called": {ToneGood, "notice.called"},
}

// noticeState is how far a notice is; one that is late is never well.
func (v *visit) noticeState(n access.Notice) State {
	s, ok := noticeStates[n.State]
	if !ok {
		return State{ToneUnknown, n.State}
	}
	if n.Late && s.tone != ToneBad {
		return State{ToneWarn, v.t(s.key) + ", " + v.t("notice.late")}
	}
	return State{s.tone, v.t(s.key)}
}

// notices are what a customer was told, and how far each came.
func (p *Portal) notices(v *visit) error {
	scope, c, err := v.accessOf(policy.AccessRead)
	if err != nil {
		return err
	}
	page := &Access{Page: v.page("access", v.t("notices.title"), ""), Parts: v.accessParts(c.ID, "/access/notices")}
	page.Crumbs = v.accessCrumbs(c.ID, c.Name)
	token := v.c.QueryParam("page")
	items, next, err := p.Access.Notices(v.ctx, scope, c.ID, 50, token)
	if err != nil {
		return err
	}
	v.saidOfNotices(page, items, token == "")
	s := Section{ID: "notices", Title: v.t("notices.list"), Empty: v.t("notices.empty"), Notes: []string{v.t("notices.what")}}
	s.Grid.Heads = []string{v.t("notices.notice"), v.t("col.state"), v.t("notices.due"), v.t("notices.accepted"), v.t("notices.read"), v.t("changes.acknowledged")}
	for _, n := range items {
		s.Grid.Rows = append(s.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{v.t("notices.changes", "n", len(n.Items)), "/access/notices/" + n.ID}, Strong: true, Notes: v.firstItems(n)},
			{State: v.noticeState(n)}, {At: n.DueAt}, v.orDash(n.AcceptedAt), v.orDash(n.ReadAt), v.orDash(n.AcknowledgedAt)}})
	}
	self := v.ofCustomer("/access/notices", c.ID)
	if token != "" {
		s.Pager.First = self
	}
	if next != "" {
		sep := "?"
		if self != "/access/notices" {
			sep = "&"
		}
		s.Pager.Next = self + sep + query("page", next)
	}
	page.Sections = []Section{s}
	return v.render(page)
}

// saidOfNotices counts what nobody has taken note of, and what went wrong.
func (v *visit) saidOfNotices(page *Access, items []access.Notice, first bool) {
	open, worst := 0, ToneGood
	for _, n := range items {
		s := v.noticeState(n)
		if n.AcknowledgedAt.IsZero() && n.State != "gathering" {
			open++
		}
		if s.Tone == ToneBad || s.Tone == ToneWarn && worst != ToneBad {
			worst = s.Tone
		}
	}
	switch {
	case !first:
		page.Say, page.Tone = v.t("notices.say_older"), ""
	case len(items) == 0:
		page.Say, page.Tone = v.t("notices.say_none"), ""
	case worst == ToneBad:
		page.Say, page.Tone = v.t("notices.say_unreachable"), ToneBad
	case worst == ToneWarn:
		page.Say, page.Tone = v.t("notices.say_trouble"), ToneWarn
	case open > 0:
		page.Say, page.Tone = v.t("notices.say_open", "n", open, "number", capital(v.p.tx.Number(open))), ToneBusy
	default:
		page.Say, page.Tone = v.t("notices.say_good"), ToneGood
	}
}

// firstItems are the first changes of a notice, in words.
func (v *visit) firstItems(n access.Notice) (out []string) {
	for _, x := range n.Items[:min(len(n.Items), 2)] {
		out = append(out, v.changeSentence(x))
	}
	if more := len(n.Items) - 2; more > 0 {
		out = append(out, v.t("notices.more", "n", more))
	}
	return out
}

// noticePage is one notice: every change in it, and what became of its mails.
func (v *visit) noticePage(id string) (*Access, error) {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return nil, err
	}
	n, err := v.p.Access.GetNotice(v.ctx, scope, id)
	if err != nil {
		return nil, err
	}
	state := v.noticeState(n)
	page := &Access{Page: v.page("access", v.t("notices.notice"), v.t("notice.say", "n", len(n.Items), "state", state.Word)), Parts: v.accessParts(n.Customer, "/access/notices")}
	page.Tone = state.Tone
	page.Crumbs = []Link{{v.t("access.title"), v.ofCustomer("/access", n.Customer)}, {v.t("notices.title"), v.ofCustomer("/access/notices", n.Customer)}}
	page.Facts = []Fact{{Label: v.t("notices.opened"), At: n.OpenedAt}, {Label: v.t("notices.due"), At: n.DueAt}, v.factAt("notices.sent", n.SentAt), v.factAt("notices.accepted", n.AcceptedAt), v.factAt("notices.read", n.ReadAt)}
	ack := v.factAt("changes.acknowledged", n.AcknowledgedAt)
	ack.Note = n.AcknowledgedBy
	page.Facts = append(page.Facts, ack)
	if !n.CalledAt.IsZero() {
		page.Facts = append(page.Facts, v.factAt("notice.call_fact", n.CalledAt))
		page.Pairs = append(page.Pairs, Pair{Label: v.t("notice.call_note"), Value: PlainName([]byte(n.CallNote))})
	}
	if n.State == access.NoticeUnreachable {
		page.Problem = v.unreached(n)
	}
	page.Acts = v.noticeActs(n)
	page.Sections = append(page.Sections, Section{ID: "items", Title: v.t("notice.items"), Grid: v.changeGrid(n.Items), Empty: v.t("changes.empty")})
	mails := Section{ID: "mails", Title: v.t("notice.mails"), Lead: v.t("notice.mails_lead"), Empty: v.t("notice.mails_empty"), Grid: Grid{Heads: []string{v.t("notice.to"), v.t("col.state"), v.t("col.when")}}}
	for _, m := range n.Mails {
		mails.Grid.Rows = append(mails.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: m.Name}}, {State: v.mailState(m.State), Notes: []string{m.Cause}}, {At: m.At}}})
	}
	page.Sections = append(page.Sections, mails)
	return page, nil
}

// unreached says why a notice reached nobody, and what staff do about it.
func (v *visit) unreached(n access.Notice) *Problem {
	p := &Problem{Cause: v.t("notice.nobody"), Next: v.t("notice.nobody_theirs")}
	if v.staff() {
		p.Next = v.t("notice.nobody_next")
	}
	return p
}

// noticeActs are what the reader can do about a notice: take note of it, or for
// staff say whom they told another way.
func (v *visit) noticeActs(n access.Notice) []Act {
	self := "/access/notices/" + n.ID
	switch {
	case !n.AcknowledgedAt.IsZero() || n.State == access.NoticeGathering:
		return nil
	case v.actor.Customer != "" && v.can(policy.AccessConfirm):
		return []Act{{Label: v.t("notice.acknowledge"), Href: self + "/acknowledge", Post: true, Strong: true}}
	case v.staff() && v.can(policy.AccessWrite):
		return []Act{{Label: v.t("notice.call"), Href: self + "/call", Strong: n.State == access.NoticeUnreachable}}
	}
	return nil
}

var mailStates = map[string]struct {
	tone Tone
	key  string
}{
	"queued": {ToneBusy, "mailstate.queued"}, "deferred": {ToneWarn, "mailstate.deferred"}, "accepted": {ToneGood, "mailstate.accepted"}, "bounced": {ToneBad, "mailstate.bounced"},
	"failed": {ToneBad, "mailstate.failed"}, "in_doubt": {ToneUnknown, "mailstate.in_doubt"}, "unsent": {ToneBad, "mailstate.failed"}, "called": {ToneGood, "mailstate.called"},
}

func (v *visit) mailState(word string) State {
	s, ok := mailStates[word]
	if !ok {
		return State{ToneUnknown, word}
	}
	return State{s.tone, v.t(s.key)}
}

func (p *Portal) notice(v *visit) error {
	page, err := v.noticePage(v.c.Param("id"))
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) noticeAcknowledge(v *visit) error {
	scope, err := v.scope(policy.AccessConfirm)
	if err != nil {
		return err
	}
	id := v.c.Param("id")
	if err := p.Access.Acknowledge(v.ctx, scope, id); err != nil {
		page, perr := v.noticePage(id)
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/access/notices/"+id, "acknowledged")
}
