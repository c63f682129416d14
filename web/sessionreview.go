package web

import (
	"errors"

	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// claim takes a session for review; the page of the session leads on to it.
func (p *Portal) claim(v *visit) error {
	return v.sessionAct(policy.SessionReview, "claimed", func(scope policy.Scope, id string) error {
		_, err := p.Sessions.Claim(v.ctx, scope, id)
		return err
	})
}

// unclaim gives it back.
func (p *Portal) unclaim(v *visit) error {
	return v.sessionAct(policy.SessionReview, "unclaimed", func(scope policy.Scope, id string) error {
		_, err := p.Sessions.Unclaim(v.ctx, scope, id)
		return err
	})
}

// recordingCheck reads a recording back now.
func (p *Portal) recordingCheck(v *visit) error {
	return v.sessionAct(policy.SessionReview, "recording_check", func(scope policy.Scope, id string) error {
		_, err := p.Sessions.Check(v.ctx, scope, id)
		return err
	})
}

// recordingFetch asks the cluster for a recording again.
func (p *Portal) recordingFetch(v *visit) error {
	return v.sessionAct(policy.SessionReview, "recording_fetch", func(scope policy.Scope, id string) error {
		_, err := p.Sessions.Fetch(v.ctx, scope, id)
		return err
	})
}

// sessionAct does something about the session of the address, and shows it.
func (v *visit) sessionAct(perm policy.Permission, done string, act func(policy.Scope, string) error) error {
	scope, err := v.scope(perm)
	if err != nil {
		return err
	}
	id := v.c.Param("id")
	if err := act(scope, id); err != nil {
		return v.sessionFault(scope, err)
	}
	return v.redirect("/sessions/"+id, done)
}

// sessionFault shows the session again with why something did not go through:
// who has it, until when, or that the reader took part in it.
func (v *visit) sessionFault(scope policy.Scope, err error) error {
	if c := controlplane.ErrorCode(err); c != controlplane.CodeConflict && c != controlplane.CodeForbidden {
		return err
	}
	s, gerr := v.p.Sessions.Get(v.ctx, scope, v.c.Param("id"))
	if gerr != nil {
		return err
	}
	page, perr := v.onePage(scope, s)
	if perr != nil {
		return err
	}
	return v.refused(page, err)
}

// refused shows a page with why an act did not go through.
func (v *visit) refused(view View, err error) error {
	var e *controlplane.Error
	if !errors.As(err, &e) {
		return err
	}
	p := view.base()
	p.Live, p.Refresh = nil, 0 // asking again would take it away
	p.Problem = &Problem{Cause: trimDot(e.Message), Next: e.Next}
	return v.renderStatus(status(e.Code), view)
}

// reviewAskPage is the form that puts a session into the queue.
func (v *visit) reviewAskPage(s sessions.Session) *AccessForm {
	at := "/sessions/" + s.ID
	page := v.accessForm(v.t("review.ask"), v.t("review.ask_say", "who", v.sessionWho(s), "when", v.moment(s.StartedAt)), at+"/review", at, v.t("review.ask_do"))
	page.Nav, page.Crumbs = v.sessionNav(), []Link{v.sessionHome(), {v.t("session.title"), at}}
	page.Lines = []string{v.t("review.ask_1"), v.t("review.ask_2")}
	page.Fields = []FormField{v.entered("why", v.t("col.why"), "").rows(3).hint(v.t("review.ask_hint"))}
	return page
}

// mayAskReview is a reviewer of ours, or an owner of the customer.
func (v *visit) mayAskReview() error {
	if v.owner() || v.staff() && v.can(policy.SessionReview) {
		return nil
	}
	whom := "fault.ask_owner"
	if v.staff() {
		whom = "fault.ask_admin"
	} else if v.viewer.Auditor {
		whom = "fault.ask_inviter"
	}
	return controlplane.Errorf(controlplane.CodeForbidden, v.t(whom), "%s", v.t("fault.forbidden", "what", v.permissionWord(policy.SessionReview)))
}

func (p *Portal) reviewAskForm(v *visit) error {
	_, s, err := v.sessionByID(policy.SessionRead)
	if err != nil {
		return err
	}
	if err := v.mayAskReview(); err != nil {
		return err
	}
	return v.render(v.reviewAskPage(s))
}

func (p *Portal) reviewAsk(v *visit) error {
	scope, s, err := v.sessionByID(policy.SessionRead)
	if err != nil {
		return err
	}
	if err := v.mayAskReview(); err != nil {
		return err
	}
	why := v.formValue("why")
	if why == "" {
		return v.invalid(v.reviewAskPage(s), controlplane.Invalid(controlplane.Field{Pointer: "/why", Message: v.t("review.why_missing")}))
	}
	if _, err := p.Sessions.AskReview(v.ctx, scope, s.ID, why); err != nil {
		return v.invalid(v.reviewAskPage(s), err)
	}
	return v.redirect("/sessions/"+s.ID, "review_asked")
}

// questionPage is the form that answers a reviewer's question.
func (v *visit) questionPage(s sessions.Session) *AccessForm {
	at := "/sessions/" + s.ID
	page := v.accessForm(v.t("review.answer_do"), v.t("review.answer_say", "name", v.reviewerName(s.Review)), at+"/answer", at, v.t("review.answer_send"))
	page.Nav, page.Crumbs = v.sessionNav(), []Link{v.sessionHome(), {v.t("session.title"), at}}
	if s.Review.State == sessions.Unreviewable {
		page.Title, page.Say, page.Do = v.t("review.known_do"), v.t("review.known_say"), v.t("review.known_send")
		page.Lines = []string{v.reviewEnded(s), v.t("review.known_1")}
		page.Fields = []FormField{v.entered("answer", v.t("review.known"), s.Review.Answer).rows(4)}
		return page
	}
	page.About, page.Answers = v.t("review.text"), []Pair{{Label: v.reviewerName(s.Review), Value: PlainName([]byte(s.Review.Text))}}
	page.Fields = []FormField{v.entered("answer", v.t("review.answer"), "").rows(4)}
	return page
}

func (p *Portal) questionForm(v *visit) error {
	_, s, err := v.sessionByID(policy.SessionRead)
	if err != nil {
		return err
	}
	return v.render(v.questionPage(s))
}

func (p *Portal) questionAnswer(v *visit) error {
	scope, s, err := v.sessionByID(policy.SessionRead)
	if err != nil {
		return err
	}
	text := v.formValue("answer")
	if text == "" {
		return v.invalid(v.questionPage(s), controlplane.Invalid(controlplane.Field{Pointer: "/answer", Message: v.t("review.answer_missing")}))
	}
	if _, err := p.Sessions.AnswerQuestion(v.ctx, scope, s.ID, text); err != nil {
		return v.invalid(v.questionPage(s), err)
	}
	return v.redirect("/sessions/"+s.ID, "question_answered")
}

// queue is what waits for a review, the riskiest first.
func (p *Portal) queue(v *visit) error {
	scope, err := v.scope(policy.SessionReview)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/sessions/queue", v.t("queue.title"), "")
	counts, err := p.Sessions.Counts(v.ctx, scope)
	if err != nil {
		return err
	}
	f := sessions.QueueFilter{Because: v.c.QueryParam("because"), Mine: v.c.QueryParam("mine") != "", Customer: v.c.QueryParam("customer"), Limit: sessionPage, PageToken: v.c.QueryParam("page")}
	items, own, next, err := p.Sessions.Queue(v.ctx, scope, f)
	if err != nil {
		return err
	}
	v.saidOfQueue(page, counts, own, len(items))
	n := func(key string, n int) Fact { return Fact{Label: v.t(key), State: State{Word: group(int64(n))}} }
	page.Facts = []Fact{n("queue.waiting", counts.Waiting), n("queue.overdue", counts.Overdue), n("queue.asked", counts.Asked), n("queue.reviewed", counts.Reviewed), n("queue.impossible", counts.Impossible),
		{Label: v.t("queue.watched"), State: State{Word: offset(counts.Watched)}, Note: v.t("queue.watched_note")}}
	sec := Section{ID: "queue", Title: v.t("queue.list"), Lead: v.t("queue.lead"), Empty: v.t("queue.empty")}
	if f.Because != "" || f.Mine || f.Customer != "" {
		sec.Empty = v.t("queue.none_of")
	}
	if sec.Grid, err = v.queueGrid(items); err != nil {
		return err
	}
	sec.Pager = pagerFor("/sessions/queue", v.c.QueryParams(), f.PageToken, next)
	page.Sections = []Section{sec}
	because := []Choice{{Value: "", Label: v.t("sessions.any")}, {Value: "risk", Label: v.t("queue.by_risk")}, {Value: "sample", Label: v.t("queue.by_sample")}, {Value: "asked", Label: v.t("queue.by_asked")}}
	mine := ""
	if f.Mine {
		mine = "1"
	}
	page.Sift = &Sift{Action: "/sessions/queue", Do: v.t("access.show"), Fields: []FormField{{ID: "because", Label: v.t("queue.because"), Options: chosen1(because, f.Because)},
		{ID: "mine", Label: v.t("queue.whose"), Options: chosen1([]Choice{{Value: "", Label: v.t("queue.everybody")}, {Value: "1", Label: v.t("queue.mine")}}, mine)}}}
	return v.render(page)
}

// saidOfQueue counts what waits, and what of it this reader may not review.
func (v *visit) saidOfQueue(page *Sessions, c sessions.ReviewCounts, own, here int) {
	switch {
	case c.Overdue > 0:
		page.Say, page.Tone = v.t("queue.say_overdue", "n", c.Overdue, "number", capital(v.p.tx.Number(c.Overdue))), ToneWarn
	case c.Waiting > 0:
		page.Say, page.Tone = v.t("queue.say", "n", c.Waiting, "number", capital(v.p.tx.Number(c.Waiting))), ToneBusy
	case c.Asked > 0:
		page.Say, page.Tone = v.t("queue.say_asked", "n", c.Asked, "number", capital(v.p.tx.Number(c.Asked))), ToneWarn
	default:
		page.Say, page.Tone = v.t("queue.say_none"), ToneGood
	}
	if own > 0 {
		page.Sub = v.t("queue.own", "n", own)
		if page.Tone == ToneGood && here == 0 {
			page.Say, page.Tone = v.t("queue.say_own"), ToneBusy
		}
	}
}

// queueGrid is what waits, with why and until when.
func (v *visit) queueGrid(items []sessions.Session) (Grid, error) {
	servers, err := v.serversOf(items)
	if err != nil {
		return Grid{}, err
	}
	names, err := v.customersOf(items)
	if err != nil {
		return Grid{}, err
	}
	g := Grid{Heads: []string{v.t("col.person"), v.t("session.began"), v.t("col.server"), v.t("queue.because"), v.t("session.recording"), v.t("review.due"), v.t("session.review")}}
	for _, s := range items {
		because := Cell{}
		if key, ok := becauseTexts[s.Review.Because]; ok {
			because.Link.Label = v.t(key)
		}
		if s.Risk.Score > 0 {
			because.Notes = append([]string{v.t("review.risk_of", "n", s.Risk.Score)}, v.riskWords(s.Risk)...)
		}
		g.Rows = append(g.Rows, GridRow{Cells: []Cell{v.cellWho(s), {At: s.StartedAt, Notes: []string{v.sessionLength(s)}}, v.cellWhere(s, servers, names), because, {State: v.recordingState(s)}, v.orDash(s.Review.DueAt), {State: v.reviewState(s)}}})
	}
	return g, nil
}

// dayWithoutSeed is a row of days of which no sample can be drawn.
func (v *visit) dayWithoutSeed(d sessions.Draw) GridRow {
	days := d.Day
	if d.From != "" && d.From != d.Day {
		days = v.t("draws.days", "from", d.From, "to", d.Day)
	}
	return GridRow{Cells: []Cell{{Link: Link{Label: days}}, {State: State{ToneUnknown, v.t("draws.none")}}, {}, {}, {Notes: []string{v.t("draws.none_note")}}, {}}}
}

// draws are the days' samples, and how anybody draws them again.
func (p *Portal) draws(v *visit) error {
	scope, err := v.scope(policy.SessionRead)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/sessions/draws", v.t("draws.title"), v.t("draws.say"))
	token := v.c.QueryParam("page")
	items, next, err := p.Sessions.Draws(v.ctx, scope, 50, token)
	if err != nil {
		return err
	}
	sec := Section{ID: "draws", Title: v.t("draws.list"), Empty: v.t("draws.empty"), Grid: Grid{Heads: []string{v.t("draws.day"), v.t("col.state"), v.t("draws.percent"), v.t("draws.drawn"), v.t("draws.commitment"), v.t("draws.seed")}}}
	for _, d := range items {
		state, seed, drawn := State{ToneBusy, v.t("draws.committed")}, Cell{Notes: []string{v.t("draws.later")}}, Cell{}
		if d.Commitment == "" {
			sec.Grid.Rows = append(sec.Grid.Rows, v.dayWithoutSeed(d))
			continue
		}
		if d.Seed != "" {
			state, seed = State{ToneGood, v.t("draws.revealed")}, Cell{Link: Link{Label: d.Seed}, Code: true, Notes: []string{v.moment(d.RevealedAt)}}
			drawn.Link.Label = v.t("draws.of", "drawn", d.Drawn, "n", d.Of)
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: d.Day}}, {State: state}, {Link: Link{Label: v.t("draws.percent_of", "n", d.Percent)}}, drawn, {Link: Link{Label: d.Commitment}, Code: true}, seed}})
	}
	sec.Pager = pagerFor("/sessions/draws", nil, token, next)
	how := Section{ID: "how", Title: v.t("draws.how"), Lead: v.t("draws.how_lead"), Items: []string{v.t("draws.how_1"), v.t("draws.how_2"), v.t("draws.how_3"), v.t("draws.how_4")}, Pre: v.t("draws.how_code")}
	page.Sections = []Section{sec, how}
	return v.render(page)
}
