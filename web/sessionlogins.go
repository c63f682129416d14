package web

import (
	"time"

	"ostler/controlplane"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

var loginKinds = map[sessions.LoginKind]string{sessions.LoginSSH: "login.ssh", sessions.LoginConsole: "login.console", sessions.LoginSudo: "login.sudo"}

var loginStates = map[sessions.LoginState]struct {
	tone Tone
	key  string
}{
	sessions.Matched: {ToneGood, "login.matched"}, sessions.Awaited: {ToneBusy, "login.awaited"}, sessions.Outside: {ToneBad, "login.outside"},
	sessions.CustomersOwn: {ToneUnknown, "login.customers_own"}, sessions.Explained: {ToneUnknown, "login.explained"},
}

func (v *visit) loginState(s sessions.LoginState) State {
	w, ok := loginStates[s]
	if !ok {
		return State{ToneUnknown, string(s)}
	}
	return State{w.tone, v.t(w.key)}
}

func (v *visit) loginKind(k sessions.LoginKind) string {
	if key, ok := loginKinds[k]; ok {
		return v.t(key)
	}
	return string(k)
}

// loginGroups are the choices above the list of logins.
var loginGroups = []struct {
	word, key string
	states    []sessions.LoginState
}{
	{"", "logins.outside", []sessions.LoginState{sessions.Outside}}, {"explained", "logins.explained", []sessions.LoginState{sessions.Explained}},
	{"awaited", "logins.awaited", []sessions.LoginState{sessions.Awaited}}, {"all", "logins.all", nil},
}

// logins are what hosts saw that Teleport did not, for staff.
func (p *Portal) logins(v *visit) error {
	scope, err := v.scope(policy.SessionRead)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/sessions/logins", v.t("logins.title"), "")
	q := v.c.QueryParam
	f := sessions.LoginFilter{Customer: q("customer"), Server: q("server"), Limit: sessionPage, PageToken: q("page")}
	var choices []Choice
	for _, g := range loginGroups {
		if g.word == q("show") {
			f.States = g.states
		}
		choices = append(choices, Choice{Value: g.word, Label: v.t(g.key)})
	}
	s := &Sift{Action: "/sessions/logins", Do: v.t("access.show"), Fields: []FormField{{ID: "show", Label: v.t("sessions.show"), Options: chosen1(choices, q("show"))}}}
	for _, id := range []string{"customer", "server"} {
		if q(id) != "" {
			s.Hidden = append(s.Hidden, Pair{Label: id, Value: q(id)})
			s.Clear = "/sessions/logins"
		}
	}
	f.From, f.To = v.siftDays(page, s)
	page.Sift = s
	items, next, err := p.Sessions.Logins(v.ctx, scope, f)
	if err != nil {
		return err
	}
	g := v.gather(findings.Filter{Customer: f.Customer, Server: f.Server, Kinds: []string{findings.SessionLoginOutside, findings.SessionLoginsUnread}})
	page.Needs = g.needsOf("session")
	page.Say, page.Tone = v.sessionsSaid(g, nil, State{"", v.t("logins.say")})
	page.Sub = v.t("logins.sub")
	sec := Section{ID: "logins", Title: v.t("logins.list"), Empty: v.t("logins.empty"), Notes: []string{v.t("logins.what")}}
	if sec.Grid, err = v.loginGrid(items); err != nil {
		return err
	}
	keep := v.c.QueryParams()
	keep.Del("page")
	sec.Pager = pagerFor("/sessions/logins", keep, f.PageToken, next)
	page.Sections = []Section{sec}
	return v.render(page)
}

// loginGrid is logins as a table.
func (v *visit) loginGrid(items []sessions.Login) (Grid, error) {
	ids := map[string]bool{}
	by := map[string]bool{}
	for _, l := range items {
		ids[l.Server] = true
		if l.By != "" {
			by[l.By] = true
		}
	}
	servers, err := v.serverNames(keysOf(ids))
	if err != nil {
		return Grid{}, err
	}
	names, err := v.p.Identity.Names(v.ctx, keysOf(by))
	if err != nil {
		return Grid{}, err
	}
	g := Grid{Heads: []string{v.t("logins.when"), v.t("col.server"), v.t("logins.how"), v.t("logins.account"), v.t("logins.from"), v.t("col.state"), ""}}
	for _, l := range items {
		account := Cell{Link: Link{Label: PlainName([]byte(l.Account))}, Code: true}
		if l.Target != "" {
			account.Notes = []string{v.t("logins.became", "account", PlainName([]byte(l.Target)))}
		}
		if l.Key != "" && v.staff() {
			account.Notes = append(account.Notes, l.Key)
		}
		if l.Weak {
			account.Notes = append(account.Notes, v.t("logins.weak"))
		}
		state := Cell{State: v.loginState(l.State)}
		if l.Why != "" {
			state.Notes = []string{PlainName([]byte(l.Why)), names[l.By]}
		}
		do := Cell{}
		switch {
		case l.State == sessions.Outside && v.staff() && v.can(policy.SessionReview):
			do.Acts = []Act{{Label: v.t("logins.explain"), Href: "/sessions/logins/" + l.ID + "/explain"}}
		case l.Session != "":
			do.Acts = []Act{{Label: v.t("logins.session"), Href: "/sessions/" + l.Session}}
		}
		g.Rows = append(g.Rows, GridRow{ID: l.ID, Cells: []Cell{{At: l.At}, {Link: Link{servers[l.Server], "/servers/" + l.Server}}, {Link: Link{Label: v.loginKind(l.Kind)}}, account, {Link: Link{Label: PlainName([]byte(l.From))}, Code: true}, state, do}})
	}
	return g, nil
}

// loginForm says why a login past Teleport was right.
func (v *visit) loginForm() *AccessForm {
	at := "/sessions/logins/" + pathEscape(v.c.Param("login")) + "/explain"
	page := v.accessForm(v.t("logins.explain"), v.t("logins.explain_say"), at, "/sessions/logins", v.t("logins.explain_do"))
	page.Nav, page.Crumbs = "sessions", []Link{v.sessionHome(), {v.t("logins.title"), "/sessions/logins"}}
	page.Lines = []string{v.t("logins.explain_1"), v.t("logins.explain_2")}
	page.Fields = []FormField{v.entered("why", v.t("logins.why"), "").rows(3).hint(v.t("logins.why_hint"))}
	return page
}

// loginID is the login of the address, where it can be one.
func (v *visit) loginID() (string, error) {
	id := v.c.Param("login")
	if !controlplane.ValidID(controlplane.PrefixLogin, id) {
		return "", controlplane.NotFound("login")
	}
	return id, nil
}

func (p *Portal) loginExplain(v *visit) error {
	if _, err := v.loginID(); err != nil {
		return err
	}
	return v.render(v.loginForm())
}

func (p *Portal) loginExplainDo(v *visit) error {
	scope, err := v.scope(policy.SessionReview)
	if err != nil {
		return err
	}
	id, err := v.loginID()
	if err != nil {
		return err
	}
	why := v.formValue("why")
	if why == "" {
		return v.invalid(v.loginForm(), controlplane.Invalid(controlplane.Field{Pointer: "/why", Message: v.t("logins.why_missing")}))
	}
	if _, err := p.Sessions.Explain(v.ctx, scope, id, why); err != nil {
		return v.invalid(v.loginForm(), err)
	}
	return v.redirect("/sessions/logins", "login_explained")
}

// viewings are who looked at recordings, for staff.
func (p *Portal) viewings(v *visit) error {
	scope, err := v.scope(policy.SessionRead)
	if err != nil {
		return err
	}
	page := v.sessionsPage("/sessions/viewings", v.t("viewings.title"), v.t("viewings.say"))
	f := sessions.ViewingFilter{Customer: v.c.QueryParam("customer"), By: v.c.QueryParam("by"), Limit: sessionPage, PageToken: v.c.QueryParam("page")}
	sec, err := v.viewingsSection(scope, f, true)
	if err != nil {
		return err
	}
	keep := v.c.QueryParams()
	keep.Del("page")
	sec.Pager = pagerFor("/sessions/viewings", keep, f.PageToken, sec.Pager.Next)
	page.Sections = []Section{sec}
	return v.render(page)
}

var wayWords = map[string]string{"player": "viewing.player", "transcript": "viewing.transcript", "download": "viewing.download", "search": "viewing.search", "commands": "viewing.commands", "events": "viewing.events"}

var purposeWords = map[string]string{"review": "purpose.review", "audit": "purpose.audit", "support": "purpose.support", "own": "purpose.own"}

var kindWords = map[string]string{"staff": "viewing.staff", "contact": "viewing.contact", "auditor": "viewing.auditor"}

// viewingsSection are looks at recordings; with their sessions where they are of
// several. Pager.Next is the token of what follows.
func (v *visit) viewingsSection(scope policy.Scope, f sessions.ViewingFilter, several bool) (Section, error) {
	items, next, err := v.p.Sessions.Viewings(v.ctx, scope, f)
	if err != nil {
		return Section{}, err
	}
	sec := Section{ID: "viewings", Title: v.t("viewings.list"), Empty: v.t("viewings.empty"), Pager: Pager{Next: next}}
	if !several {
		sec.Lead, sec.Pager = v.t("viewings.lead"), Pager{}
	}
	sec.Grid.Heads = []string{v.t("viewings.who"), v.t("viewings.when"), v.t("viewings.how"), v.t("viewings.why"), v.t("viewings.watched")}
	if several {
		sec.Grid.Heads = append(sec.Grid.Heads, "")
	}
	word := v.wordOf
	for _, w := range items {
		name := w.Name
		if name == "" {
			name = v.t("word.somebody")
		}
		how := Cell{Link: Link{Label: word(wayWords, w.Way)}}
		if w.Query != "" {
			how.Notes = []string{v.t("viewings.query", "words", PlainName([]byte(w.Query)))}
		}
		length := Cell{}
		if w.Watched > 0 {
			length.Link.Label = offset(w.Watched.Round(time.Second))
		}
		row := []Cell{{Link: Link{Label: name}, Notes: []string{word(kindWords, w.Kind)}}, {At: w.OpenedAt}, how, {Link: Link{Label: word(purposeWords, w.Purpose)}}, length}
		if several {
			act := Cell{}
			if w.Session != "" {
				act.Acts = []Act{{Label: v.t("viewings.session"), Href: "/sessions/" + w.Session}}
			}
			row = append(row, act)
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: row})
	}
	return sec, nil
}
