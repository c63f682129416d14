package web

import (
	"time"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// sessionOne is one session, for staff, its customers and auditors.
func (p *Portal) sessionOne(v *visit) error {
	scope, s, err := v.sessionByID(policy.SessionRead)
	if err != nil {
		return err
	}
	page, err := v.onePage(scope, s)
	if err != nil {
		return err
	}
	return v.render(page)
}

// onePage is a session's page.
func (v *visit) onePage(scope policy.Scope, s sessions.Session) (*OneSession, error) {
	servers, err := v.serversOf([]sessions.Session{s})
	if err != nil {
		return nil, err
	}
	names, err := v.customersOf([]sessions.Session{s})
	if err != nil {
		return nil, err
	}
	page := &OneSession{Page: v.page(v.sessionNav(), v.t("session.title"), ""), Parts: v.sessionParts("")}
	page.Crumbs = []Link{v.sessionHome()}
	where := v.sessionWhere(s, servers)
	v.saidOfSession(page, s, where.Label)
	page.Facts = v.sessionFacts(s, where, names)
	page.Ground, page.Tickets = v.groundPairs(s), v.ticketOf(s.Ground.Ticket)
	page.Course = v.sessionSteps(s)
	page.Proof = v.proof(s)
	terms, err := v.termsFor(scope, s)
	if err != nil {
		return nil, err
	}
	page.Watch = v.watchBox(s, terms)
	page.Review = v.reviewBox(s)
	if page.Sections, err = v.sessionSections(scope, s); err != nil {
		return nil, err
	}
	page.Acts = v.sessionActs(s)
	if v.can(policy.LedgerRead) && !v.viewer.Auditor {
		if page.Events, _, err = v.events(ledger.Filter{Subject: s.ID, Limit: 40}); err != nil {
			return nil, err
		}
	}
	if v.staff() && (s.State == sessions.Live || s.State == sessions.Ended || s.State == sessions.Uploaded || s.Review.State == sessions.Claimed) {
		page.Live, page.Refresh = []string{bus.TopicFindings}, 30
	}
	return page, nil
}

// saidOfSession is the sentence: who was where and for how long, and the worst
// that is to be said of it.
func (v *visit) saidOfSession(page *OneSession, s sessions.Session, where string) {
	key := "session.say"
	switch {
	case s.State == sessions.Live && !s.Endless:
		key = "session.say_live"
	case s.EndedAt.IsZero():
		key = "session.say_no_end"
	}
	page.Say = v.t(key, "who", capital(v.sessionWho(s)), "where", where, "when", v.moment(s.StartedAt), "span", span(v.p.tx, s.Length(v.now)))
	rec, rev := v.recordingState(s), v.reviewState(s)
	page.Tone = ToneGood
	add := func(tone Tone, sentence string) {
		if !worse(tone, page.Tone) && tone != page.Tone {
			return
		}
		page.Tone = tone
		page.Say += " " + sentence
	}
	switch rec.Tone {
	case ToneBad, ToneWarn:
		add(rec.Tone, v.t(v.recordingTrouble(s)))
	case ToneBusy, ToneUnknown:
		page.Tone = rec.Tone
	}
	if lacks := v.lacks(s); lacks != "" {
		add(ToneWarn, v.t("session.said_lacks", "what", lacks))
	}
	if rev.Tone == ToneBad || rev.Tone == ToneWarn {
		add(rev.Tone, v.t("session.said_review", "what", rev.Word))
	}
	if page.Tone == ToneGood && s.Review.State != sessions.Reviewed {
		page.Tone = "" // recorded; nobody has judged it
	}
	page.Sub = v.sessionKind(s.Kind)
	if s.Commands > 0 {
		page.Sub += ", " + v.t("session.commands", "n", s.Commands)
	}
}

// recordingTrouble is the sentence about what is wrong with a recording.
func (v *visit) recordingTrouble(s sessions.Session) string {
	switch r := s.Recording; {
	case r != nil && r.Integrity == sessions.Changed:
		return "session.but_changed"
	case r != nil && r.Integrity == sessions.Gone:
		return "session.but_gone"
	case r != nil && r.Partial != "":
		return "session.but_partial"
	case s.State == sessions.Unrecorded:
		return "session.but_unrecorded"
	}
	return "session.but_missing"
}

func (v *visit) sessionFacts(s sessions.Session, where Link, names map[string]string) []Fact {
	out := []Fact{{Label: v.t("col.server"), State: State{Word: ""}, Link: where}}
	if where.Href == "" {
		out[0] = Fact{Label: v.t("col.server"), State: State{Word: where.Label}}
	}
	if s.Server == "" {
		out[0] = Fact{Label: v.t("col.server"), State: State{Word: where.Label}, Note: v.t("session.no_server")}
	}
	if v.staff() || v.viewer.Auditor {
		var of []string
		for _, id := range s.Customers {
			if names[id] != "" {
				of = append(of, names[id])
			}
		}
		out = append(out, Fact{Label: v.t("col.customers"), State: State{Word: orDashWord(v.p.tx.List(of))}})
	}
	out = append(out, Fact{Label: v.t("session.began"), At: s.StartedAt}, Fact{Label: v.t("session.lasted"), State: State{Word: orDashWord(v.sessionLength(s))}})
	out = append(out, Fact{Label: v.t("session.recording"), State: v.recordingState(s)})
	review := v.reviewState(s)
	return append(out, Fact{Label: v.t("session.review"), State: review})
}

func orDashWord(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

var groundKinds = map[string]string{"normal": "session.grant_normal", "break_glass": "session.grant_break_glass", "baseline": "session.grant_baseline"}

// groundPairs are on what somebody was there; what is missing says so.
func (v *visit) groundPairs(s sessions.Session) []Pair {
	g := s.Ground
	out := []Pair{{Label: v.t("col.person"), Value: v.sessionWho(s)}}
	if v.staff() {
		out = append(out, Pair{Label: v.t("session.user"), Value: orDashWord(PlainName([]byte(s.User))), Mono: true}, Pair{Label: v.t("session.login"), Value: orDashWord(PlainName([]byte(s.Login))), Mono: true},
			Pair{Label: v.t("session.from"), Value: orDashWord(PlainName([]byte(s.Address))), Mono: true})
	}
	if g.Reason != "" {
		out = append(out, Pair{Label: v.t("col.reason"), Value: PlainName([]byte(g.Reason))})
	}
	if g.Role != "" && v.p.Access != nil {
		role := v.roleTitle(g.Role)
		if key, ok := groundKinds[g.Kind]; ok {
			role += ", " + v.t(key)
		}
		out = append(out, Pair{Label: v.t("session.role"), Value: role})
	}
	if lacks := v.lacks(s); lacks != "" {
		out = append(out, Pair{Label: v.t("session.missing"), Value: capital(lacks) + ". " + v.t("session.missing_note")})
	}
	if s.Command != "" && (v.staff() || v.viewer.Auditor) {
		out = append(out, Pair{Label: v.t("session.command"), Value: PlainName([]byte(s.Command)), Mono: true})
	}
	return out
}

// sessionSteps is how far a session and its recording are, one line for each step.
func (v *visit) sessionSteps(s sessions.Session) []Step {
	out := []Step{{State: State{ToneGood, v.t("course.done")}, Text: v.t("course.began"), At: s.StartedAt}}
	switch {
	case s.Endless:
		out = append(out, Step{State: State{ToneWarn, v.t("course.lacking")}, Text: v.t("course.no_end"), Note: v.t("course.no_end_note")})
	case !s.EndedAt.IsZero():
		out = append(out, Step{State: State{ToneGood, v.t("course.done")}, Text: v.t("course.ended"), At: s.EndedAt})
	default:
		return append(out, Step{State: State{ToneBusy, v.t("course.now")}, Text: v.t("course.runs")})
	}
	r := s.Recording
	switch s.State {
	case sessions.Ended:
		out = append(out, Step{State: State{ToneBusy, v.t("course.now")}, Text: v.t("course.awaited"), Note: v.t("course.awaited_note", "when", v.moment(s.DueAt))})
	case sessions.Uploaded:
		out = append(out, Step{State: State{ToneBusy, v.t("course.now")}, Text: v.t("course.fetching")})
	case sessions.Missing:
		out = append(out, Step{State: State{ToneBad, v.t("course.lacking")}, Text: v.t("course.missing"), Note: v.t("course.missing_note")})
	case sessions.Unrecorded:
		out = append(out, Step{State: State{ToneWarn, v.t("course.lacking")}, Text: v.t("course.unrecorded"), Note: v.t("course.unrecorded_note")})
	case sessions.Stored:
		if r != nil {
			step := Step{State: State{ToneGood, v.t("course.done")}, Text: v.t("course.stored"), At: r.StoredAt}
			if r.Partial != "" {
				step.State, step.Note = State{ToneWarn, v.t("course.in_part")}, capital(trimDot(r.Partial))+"."
			}
			out = append(out, step)
		}
	}
	return append(out, v.courseAfter(s)...)
}

// courseAfter is what becomes of a recording that was stored.
func (v *visit) courseAfter(s sessions.Session) (out []Step) {
	r := s.Recording
	if r == nil {
		return nil
	}
	switch {
	case !r.DeletedAt.IsZero():
		out = append(out, Step{State: State{ToneUnknown, v.t("course.gone")}, Text: v.t("course.deleted"), Note: v.deletedWhy(r.DeletedWhy), At: r.DeletedAt})
	case len(r.Holds) > 0:
		out = append(out, Step{State: State{ToneBusy, v.t("course.held")}, Text: v.t("course.hold", "n", len(r.Holds)), Note: v.holdUntil(r.Holds)})
	case !r.KeptUntil.IsZero():
		out = append(out, Step{State: State{"", v.t("course.later")}, Text: v.t("course.kept"), At: r.KeptUntil})
	}
	return out
}

// holdUntil is until when the longest hold stands.
func (v *visit) holdUntil(hs []sessions.Hold) string {
	var until time.Time
	for _, h := range hs {
		if h.Until.IsZero() {
			return v.t("course.hold_open")
		}
		if h.Until.After(until) {
			until = h.Until
		}
	}
	return v.t("course.hold_until", "when", v.moment(until))
}

func (v *visit) deletedWhy(why string) string {
	switch why {
	case "term":
		return v.t("recording.why_term")
	case "contract":
		return v.t("recording.why_contract")
	}
	return PlainName([]byte(why))
}

// proof is what shows that a recording is the one that was made.
func (v *visit) proof(s sessions.Session) *Proof {
	r := s.Recording
	if r == nil {
		return nil
	}
	p := &Proof{Sums: []Pair{{Label: v.t("proof.events"), Value: r.SHA256}, {Label: v.t("proof.cast"), Value: r.CastSHA256}}}
	switch r.Integrity {
	case sessions.Intact:
		p.State, p.Lead = State{ToneGood, v.t("proof.intact")}, v.t("proof.intact_lead", "when", v.moment(r.CheckedAt))
	case sessions.Changed:
		p.State, p.Lead = State{ToneBad, v.t("proof.changed")}, v.t("proof.changed_lead", "when", v.moment(r.CheckedAt))
	case sessions.Gone:
		p.State, p.Lead = State{ToneBad, v.t("proof.gone")}, v.t("proof.gone_lead", "when", v.moment(r.CheckedAt))
	default:
		p.State, p.Lead = State{ToneUnknown, v.t("proof.unchecked")}, v.t("proof.unchecked_lead")
	}
	if !r.DeletedAt.IsZero() {
		p.State, p.Lead = State{ToneUnknown, v.t("proof.deleted")}, v.t("proof.deleted_lead")
	}
	if href := v.ledgerOf(s, "session.recording_stored"); href != "" {
		p.Ledger = Link{v.t("proof.ledger"), href}
	}
	if v.staff() && v.can(policy.SessionReview) && r.DeletedAt.IsZero() {
		p.Checks = []Act{{Label: v.t("proof.check"), Href: "/sessions/" + s.ID + "/check", Post: true}}
	}
	return p
}

// ledgerOf is the page of the entry of a kind about a session.
func (v *visit) ledgerOf(s sessions.Session, kind string) string {
	if !v.can(policy.LedgerRead) {
		return ""
	}
	scope, err := v.scope(policy.LedgerRead)
	if err != nil {
		return ""
	}
	items, _, err := v.p.Ledger.List(v.ctx, scope, ledger.Filter{Subject: s.ID, Kinds: []string{kind}, Limit: 1})
	if err != nil || len(items) == 0 {
		return ""
	}
	return "/activity/" + items[0].ID
}

// termsFor are the terms that decide what a contact sees of a session: nothing
// where the server is shared.
func (v *visit) termsFor(scope policy.Scope, s sessions.Session) (sessions.Terms, error) {
	if v.actor.Kind != controlplane.ActorContact {
		return sessions.Terms{Watch: true, Commands: true}, nil
	}
	return v.p.Sessions.TermsOf(v.ctx, scope, v.actor.Customer)
}

// watchBox opens the recording, or says why it cannot be watched.
func (v *visit) watchBox(s sessions.Session, terms sessions.Terms) *WatchBox {
	b := &WatchBox{Do: v.t("watch.do"), At: v.c.QueryParam("at")}
	no := func(cause, next string) *WatchBox {
		b.Why = &Problem{Cause: v.t(cause), Next: v.t(next)}
		return b
	}
	r := s.Recording
	switch {
	case r != nil && !r.DeletedAt.IsZero():
		return no("watch.deleted", "watch.deleted_next")
	case r != nil && r.Integrity == sessions.Changed:
		return no("watch.changed", "watch.changed_next")
	case r != nil && r.Integrity == sessions.Gone:
		return no("watch.gone", "watch.gone_next")
	case s.State == sessions.Live:
		return no("watch.live", "watch.live_next")
	case s.State == sessions.Ended, s.State == sessions.Uploaded:
		return no("watch.awaited", "watch.awaited_next")
	case s.State == sessions.Missing:
		return no("watch.missing", "watch.missing_next")
	case s.State == sessions.Unrecorded:
		return no("watch.unrecorded", "watch.unrecorded_next")
	case !r.Playable():
		return no("watch.nothing", "watch.nothing_next")
	case !v.can(policy.SessionWatch):
		return no("watch.forbidden", "watch.forbidden_next")
	case !terms.Watch:
		return no("watch.terms", "watch.terms_next")
	}
	b.Action = "/sessions/" + s.ID + "/watch"
	b.Lead = v.t("watch.lead", "span", offset(r.Duration))
	if r.Partial != "" {
		b.Lead += " " + v.t("watch.partial")
	}
	b.Purposes = v.purposes(s)
	return b
}

// purposes are what a reader may watch for; the customer sees which it was.
func (v *visit) purposes(s sessions.Session) []RoleChoice {
	switch {
	case v.viewer.Auditor:
		return []RoleChoice{{Value: "audit", Label: v.t("purpose.audit"), Chosen: true}}
	case !v.staff():
		return []RoleChoice{{Value: "own", Label: v.t("purpose.own"), Chosen: true}}
	}
	mine := v.reviews(s.Review)
	return []RoleChoice{{Value: "review", Label: v.t("purpose.review"), Note: v.t("purpose.review_note"), Chosen: mine || s.Review.State == sessions.Waiting}, {Value: "support", Label: v.t("purpose.support"), Note: v.t("purpose.support_note"), Chosen: !mine && s.Review.State != sessions.Waiting}}
}
