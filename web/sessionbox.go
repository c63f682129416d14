package web

import (
	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

var becauseTexts = map[string]string{"risk": "review.because_risk", "sample": "review.because_sample", "asked": "review.because_asked"}

// reviewBox is how the review of a session stands.
func (v *visit) reviewBox(s sessions.Session) *ReviewBox {
	r := s.Review
	b := &ReviewBox{State: v.reviewState(s), Lead: v.reviewLead(s)}
	if key, ok := becauseTexts[r.Because]; ok && v.staff() {
		b.Lines = append(b.Lines, v.t(key))
	}
	if v.staff() {
		b.Lines = append(b.Lines, v.riskWords(s.Risk)...)
		if r.Question != "" {
			b.Pairs = append(b.Pairs, Pair{Label: v.t("review.question_of", "name", r.QuestionBy), Value: PlainName([]byte(r.Question))})
		}
		if s.Risk.Score > 0 {
			b.Pairs = append(b.Pairs, Pair{Label: v.t("review.risk"), Value: v.t("review.risk_of", "n", s.Risk.Score)})
		}
		if !r.DueAt.IsZero() && r.State != sessions.Reviewed && r.State != sessions.Unreviewable {
			b.Pairs = append(b.Pairs, Pair{Label: v.t("review.due"), Value: v.moment(r.DueAt)})
		}
		if r.Why != "" {
			b.Pairs = append(b.Pairs, Pair{Label: v.t("review.asked_why"), Value: PlainName([]byte(r.Why))})
		}
		if r.Text != "" {
			b.Pairs = append(b.Pairs, Pair{Label: v.t("review.text"), Value: PlainName([]byte(r.Text))})
		}
		if r.Answer != "" {
			b.Pairs = append(b.Pairs, Pair{Label: v.t("review.answer"), Value: PlainName([]byte(r.Answer))})
		}
		if r.Void != "" {
			b.Pairs = append(b.Pairs, Pair{Label: v.t("review.void_why"), Value: PlainName([]byte(r.Void))})
		}
	}
	if r.State == sessions.Reviewed {
		b.Pairs = append(b.Pairs, Pair{Label: v.t("review.watched"), Value: v.t("review.watched_of", "percent", int(r.Watched*100))})
	}
	b.Acts = v.reviewActs(s)
	return b
}

// reviewLead is one sentence about a review.
func (v *visit) reviewLead(s sessions.Session) string {
	r := s.Review
	switch r.State {
	case sessions.Waiting:
		if s.State == sessions.Missing || s.State == sessions.Unrecorded {
			return v.t("review.lead_missing")
		}
		return v.t("review.lead_waiting")
	case sessions.Claimed:
		if r.By == v.actor.ID {
			return v.t("review.lead_mine", "when", v.moment(r.ClaimedUntil))
		}
		return v.t("review.lead_claimed", "name", v.reviewerName(r), "when", v.moment(r.ClaimedUntil))
	case sessions.Asked:
		return v.t("review.lead_asked", "name", v.reviewerName(r))
	case sessions.Unreviewable:
		return v.reviewEnded(s)
	case sessions.Reviewed:
		return v.t("review.lead_reviewed", "name", v.reviewerName(r), "when", v.moment(r.VerdictAt))
	}
	return v.t("review.lead_not_wanted")
}

var closedTexts = map[string]string{"deleted": "review.closed_deleted", "changed": "review.closed_changed", "gone": "review.closed_gone", "missing": "review.closed_missing", "unrecorded": "review.closed_unrecorded"}

// reviewEnded is why nobody can review a session any more.
func (v *visit) reviewEnded(s sessions.Session) string {
	when := s.Review.ClosedAt
	if r := s.Recording; r != nil && !r.DeletedAt.IsZero() {
		when = r.DeletedAt
	}
	if key, ok := closedTexts[s.Review.Closed]; ok {
		return v.t(key, "when", v.dayOf(when))
	}
	return v.t("review.impossible")
}

func (v *visit) reviewerName(r sessions.Review) string {
	if r.Reviewer != "" {
		return r.Reviewer
	}
	return v.t("word.somebody")
}

// reviewActs are what this reader can do about a review.
func (v *visit) reviewActs(s sessions.Session) (out []Act) {
	at := "/sessions/" + s.ID
	r := s.Review
	reviewer := v.staff() && v.can(policy.SessionReview)
	mine := r.State == sessions.Claimed && r.By == v.actor.ID
	switch {
	case reviewer && !mine && s.Recording.Playable() && (r.State == sessions.Waiting || r.State == sessions.NotWanted || r.State == "" || r.State == sessions.Claimed && r.ClaimedUntil.Before(v.now)):
		out = append(out, Act{Label: v.t("review.claim"), Href: at + "/claim", Post: true, Strong: true})
	case reviewer && mine:
		out = append(out, Act{Label: v.t("review.unclaim"), Href: at + "/unclaim", Post: true})
	}
	if r.State == sessions.Asked && r.Answer == "" && v.staff() {
		out = append(out, Act{Label: v.t("review.answer_do"), Href: at + "/answer", Strong: true})
	}
	if r.State == sessions.Unreviewable && v.staff() {
		out = append(out, Act{Label: v.t("review.known_do"), Href: at + "/answer"})
	}
	watchable := s.State != sessions.Missing && s.State != sessions.Unrecorded && (s.Recording == nil || s.Recording.Playable())
	if watchable && (r.State == sessions.NotWanted || r.State == "") && (reviewer || v.owner()) {
		out = append(out, Act{Label: v.t("review.ask"), Href: at + "/review"})
	}
	return out
}

// owner reports whether the reader is an owner of a customer.
func (v *visit) owner() bool {
	return v.actor.Kind == controlplane.ActorContact && policy.Role(v.actor.Role) == policy.RoleOwner
}

// sessionActs are what staff can do about a session's recording.
func (v *visit) sessionActs(s sessions.Session) (out []Act) {
	if !v.staff() {
		return nil
	}
	at := "/sessions/" + s.ID
	gone := s.Recording != nil && (s.Recording.Integrity == sessions.Changed || s.Recording.Integrity == sessions.Gone)
	if v.can(policy.SessionReview) && s.SID != "" && (s.State == sessions.Missing || gone) {
		out = append(out, Act{Label: v.t("session.fetch"), Href: at + "/fetch", Post: true})
	}
	if v.can(policy.SessionAdmin) && s.Recording.Playable() {
		out = append(out, Act{Label: v.t("session.hold"), Href: "/sessions/holds/new?" + query("session", s.ID)})
	}
	if s.Ground.Grant != "" && v.can(policy.AccessRead) {
		out = append(out, Act{Label: v.t("session.open_grant"), Href: "/access/grants/" + s.Ground.Grant})
	}
	if s.Person != "" && v.can(policy.AccessRead) {
		out = append(out, Act{Label: v.t("session.open_person"), Href: "/access/persons/" + s.Person})
	}
	return append(out, v.openCase(s)...)
}

// openCase leads to a new case about a session, with its server filled in.
func (v *visit) openCase(s sessions.Session) []Act {
	if v.p.Incidents == nil || !v.mayAct() {
		return nil
	}
	pairs := []string{"title", v.t("inc.of_session", "who", v.sessionWho(s), "when", v.moment(s.StartedAt))}
	if s.Server != "" {
		pairs = append(pairs, "servers", s.Server)
	}
	return []Act{{Label: v.t("inc.happened_do"), Href: "/incidents/new?" + query(pairs...)}}
}

// sessionSections are who took part, what was run, remarks, and who looked.
func (v *visit) sessionSections(scope policy.Scope, s sessions.Session) ([]Section, error) {
	var out []Section
	if len(s.Participants) > 1 || v.staff() {
		out = append(out, v.participants(s))
	}
	run, err := v.commandsSection(scope, s)
	if err != nil {
		return nil, err
	}
	out = append(out, run...)
	notes, err := v.notesSection(scope, s)
	if err != nil {
		return nil, err
	}
	out = append(out, notes...)
	looks, err := v.viewingsSection(scope, sessions.ViewingFilter{Session: s.ID, Limit: 50}, false)
	if err != nil {
		return nil, err
	}
	return append(out, looks), nil
}

var joinModes = map[string]string{"peer": "participant.peer", "observer": "participant.observer", "moderator": "participant.moderator", "impersonator": "participant.impersonator"}

func (v *visit) participants(s sessions.Session) Section {
	sec := Section{ID: "participants", Title: v.t("participant.title"), Empty: v.t("participant.none"), Grid: Grid{Heads: []string{v.t("col.person"), v.t("participant.joined"), v.t("participant.left"), v.t("participant.mode")}}}
	for _, x := range s.Participants {
		name := x.Name
		if name == "" {
			name = v.t("session.who_user", "user", PlainName([]byte(x.User)))
		}
		who := Cell{Link: Link{Label: name}, Strong: false}
		if len(x.Persons) > 1 {
			who.State = State{ToneWarn, v.t("participant.several", "n", len(x.Persons))}
		}
		if v.staff() && x.Name != "" {
			who.Notes = []string{PlainName([]byte(x.User))}
		}
		mode := Cell{}
		if key, ok := joinModes[x.Mode]; ok {
			mode.Link.Label = v.t(key)
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{who, v.orDash(x.Joined), v.orDash(x.Left), mode}})
	}
	return sec
}

// shownCommands is how many commands a session's page lists.
const shownCommands = 40

// commandsSection are the commands of a session, for who may see them without
// watching; nothing where the terms do not say so. For our own people to read
// them is to look at the recording, and on record: they ask for it.
func (v *visit) commandsSection(scope policy.Scope, s sessions.Session) ([]Section, error) {
	if v.staff() && (s.Commands == 0 || !v.can(policy.SessionWatch)) {
		return nil, nil
	}
	if v.staff() && v.c.QueryParam("show") != "commands" {
		if !s.Recording.Playable() {
			return nil, nil
		}
		return []Section{{ID: "commands", Title: v.t("commands.title"), Lead: v.t("commands.look_say", "n", s.Commands), Notes: v.leftOut(s.Recording),
			Acts: []Act{{Label: v.t("commands.look"), Href: "/sessions/" + s.ID + "?show=commands#commands"}}}}, nil
	}
	moments, err := v.p.Sessions.Commands(v.ctx, scope, s.ID)
	switch code := controlplane.ErrorCode(err); {
	case code == controlplane.CodeForbidden, code == controlplane.CodeConflict, code == controlplane.CodeNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case len(moments) == 0:
		return nil, nil
	}
	sec := Section{ID: "commands", Title: v.t("commands.title"), Lead: v.commandsSaid(moments), Grid: Grid{Heads: []string{v.t("commands.at"), v.t("commands.command"), v.t("commands.ended")}}}
	for _, m := range moments[:min(len(moments), shownCommands)] {
		ended := Cell{}
		if m.Exit != "" {
			ended.Link.Label = v.t("commands.exit", "code", m.Exit)
		}
		ended.Notes = []string{v.readWord(m.Read)}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: offset(m.At)}}, {Link: Link{Label: PlainName([]byte(m.Text))}, Code: true}, ended}})
	}
	if more := len(moments) - shownCommands; more > 0 {
		sec.Notes = []string{v.t("commands.more", "n", more)}
	}
	sec.Notes = append(sec.Notes, v.leftOut(s.Recording)...)
	return []Section{sec}, nil
}

// leftOut says what of a recording no list has.
func (v *visit) leftOut(r *sessions.Recording) (out []string) {
	if r != nil && r.CommandsLeft > 0 {
		out = append(out, v.t("commands.left", "n", r.CommandsLeft))
	}
	if r != nil && r.MomentsLeft > 0 {
		out = append(out, v.t("commands.others_left", "n", r.MomentsLeft))
	}
	return out
}

// commandsSaid is commands as a sentence: how many, and the first few of them.
func (v *visit) commandsSaid(moments []sessions.Moment) string {
	var some []string
	seen := map[string]bool{}
	for _, m := range moments {
		if c := PlainName([]byte(m.Text)); !seen[c] && len([]rune(c)) <= 60 && len(some) < 3 {
			seen[c] = true
			some = append(some, c)
		}
	}
	switch len(some) {
	case 0:
		return v.t("session.commands", "n", len(moments)) + "."
	case len(moments):
		return v.t("commands.said_all", "n", len(moments), "some", v.p.tx.List(some))
	}
	return v.t("commands.said", "n", len(moments), "some", v.p.tx.List(some))
}

// readWord is how something in a recording is known.
func (v *visit) readWord(read string) string {
	switch read {
	case "kernel":
		return v.t("commands.kernel")
	case "screen":
		return v.t("commands.screen")
	}
	return ""
}

// notesSection are the remarks that the reader may see.
func (v *visit) notesSection(scope policy.Scope, s sessions.Session) ([]Section, error) {
	if !v.can(policy.SessionWatch) {
		return nil, nil
	}
	notes, err := v.p.Sessions.Notes(v.ctx, scope, s.ID)
	if c := controlplane.ErrorCode(err); c == controlplane.CodeForbidden || c == controlplane.CodeConflict || c == controlplane.CodeNotFound {
		return nil, nil
	}
	if err != nil || len(notes) == 0 {
		return nil, err
	}
	sec := Section{ID: "notes", Title: v.t("note.all"), Grid: Grid{Heads: []string{v.t("commands.at"), v.t("note.text"), v.t("note.by")}}}
	for _, n := range notes {
		by := Cell{Link: Link{Label: n.Name}, At: n.MadeAt}
		if n.Shown && v.staff() {
			by.Notes = []string{v.t("note.is_shown")}
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: offset(n.At)}}, {Link: Link{Label: PlainName([]byte(n.Text))}}, by}})
	}
	return []Section{sec}, nil
}
