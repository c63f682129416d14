package web

import (
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

var modeTexts = map[access.Mode][2]string{
	access.Observe: {"mode.observe", "mode.observe_note"}, access.Shadow: {"mode.shadow", "mode.shadow_note"}, access.Enforce: {"mode.enforce", "mode.enforce_note"},
}

func (v *visit) modeWord(m access.Mode) string {
	if keys, ok := modeTexts[m]; ok {
		return v.t(keys[0])
	}
	return string(m)
}

// clusterState is whether the cluster answers.
func (v *visit) clusterState(e access.Enforcement) State {
	switch {
	case !e.Configured:
		return State{ToneUnknown, v.t("cluster.none")}
	case e.Trouble != "":
		return State{ToneBad, v.t("cluster.unconfirmed")}
	case e.LookedAt.IsZero():
		return State{ToneUnknown, v.t("cluster.never")}
	}
	return State{ToneGood, v.t("cluster.good")}
}

// fakeNote says that the cluster is none.
func fakeNote(v *visit, e access.Enforcement) string {
	if e.Fake {
		return v.t("cluster.fake")
	}
	return ""
}

// enforcement is how the cluster stands, and what would change.
func (p *Portal) enforcement(v *visit) error {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return err
	}
	e, err := p.Access.Enforcement(v.ctx, scope)
	if err != nil {
		return err
	}
	page := v.enforcementPage(e)
	return v.render(page)
}

func (v *visit) enforcementPage(e access.Enforcement) *Access {
	page := v.accessPage("/access/teleport", v.t("cluster.title"), "")
	page.Crumbs = v.accessCrumbs("", "")
	v.saidOfCluster(page, e)
	if !e.Configured {
		page.Sections = []Section{{ID: "setup", Title: v.t("cluster.setup"), Items: []string{v.t("cluster.setup_1"), v.t("cluster.setup_2"), v.t("cluster.setup_3")}}}
		return page
	}
	if e.Fake {
		page.Sub = v.t("cluster.fake_say")
	}
	page.Facts = []Fact{{Label: v.t("col.state"), State: v.clusterState(e), At: e.LookedAt}, {Label: v.t("cluster.mode"), State: State{Word: v.modeWord(e.Mode)}, At: e.ModeSince, Note: e.ModeBy},
		{Label: v.t("cluster.cluster"), State: State{Word: e.Cluster}, Note: v.t("cluster.version", "version", e.Version)}, v.factAt("cluster.identity", e.IdentityExpires)}
	if e.LocksRefused {
		page.Facts = append(page.Facts, Fact{Label: v.t("cluster.locks"), State: State{ToneWarn, v.t("cluster.locks_refused")}, Note: v.t("cluster.locks_note")})
	}
	if v.can(policy.AccessWrite) {
		page.Acts = append(page.Acts, Act{Label: v.t("cluster.look"), Href: "/access/look", Post: true})
	}
	if v.can(policy.AccessAdmin) {
		page.Acts = append(page.Acts, Act{Label: v.t("cluster.set_mode"), Href: "/access/teleport/mode"})
	}
	page.Sections = []Section{v.plannedSection(e), v.foreignSection(e)}
	if e.Connector != "" {
		s := Section{ID: "connector", Title: v.t("cluster.connector"), Lead: v.t("cluster.connector_lead"), Pre: e.Connector}
		if len(e.ConnectorMissing) > 0 {
			s.Notes = []string{v.t("cluster.connector_missing", "who", v.p.tx.List(e.ConnectorMissing))}
		}
		page.Sections = append(page.Sections, s)
	}
	return page
}

// saidOfCluster is the sentence: trouble first, then what waits, then the mode.
func (v *visit) saidOfCluster(page *Access, e access.Enforcement) {
	unanswered := 0
	for _, f := range e.Foreign {
		if f.AcceptedBy == "" || !f.Until.IsZero() && !f.Until.After(v.now) {
			unanswered++
		}
	}
	switch {
	case !e.Configured:
		page.Say, page.Tone = v.t("accessops.say_no_cluster"), ToneUnknown
	case e.Trouble != "":
		page.Say, page.Tone = v.t("cluster.say_trouble", "when", v.moment(e.TroubleSince), "what", trimDot(e.Trouble)), ToneBad
		page.Problem = &Problem{Cause: trimDot(e.Trouble), Next: e.TroubleNext}
	case e.LookedAt.IsZero():
		page.Say, page.Tone = v.t("cluster.say_never"), ToneUnknown
	case unanswered > 0:
		page.Say, page.Tone = v.t("cluster.say_foreign", "n", unanswered, "number", capital(v.p.tx.Number(unanswered))), ToneBad
	case e.LocksRefused:
		page.Say, page.Tone = v.t("cluster.say_locks"), ToneWarn
	case e.Mode != access.Enforce:
		page.Say, page.Tone = v.sayOfMode(e), ToneUnknown
	case len(e.Planned) > 0:
		page.Say, page.Tone = v.t("cluster.say_planned", "n", len(e.Planned), "number", capital(v.p.tx.Number(len(e.Planned)))), ToneBusy
	default:
		page.Say, page.Tone = v.t("cluster.say_good"), ToneGood
	}
}

var plannedTexts = map[string]string{
	"role.create": "planned.role_create", "role.narrow": "planned.role_narrow", "role.widen": "planned.role_widen", "role.delete": "planned.role_delete",
	"role.restore": "planned.role_restore", "user.add_role": "planned.user_add_role", "user.remove_role": "planned.user_remove_role", "lock.user": "planned.lock_user", "lock.kick": "planned.lock_kick",
}

// plannedSection is what enforcing changes, or would.
func (v *visit) plannedSection(e access.Enforcement) Section {
	s := Section{ID: "planned", Title: v.t("cluster.planned"), Lead: v.t("cluster.planned_would"), Empty: v.t("cluster.planned_empty"), Grid: Grid{Heads: []string{v.t("changes.what"), v.t("col.person"), v.t("cluster.adds"), v.t("cluster.removes"), v.t("col.why")}}}
	if e.Mode == access.Enforce {
		s.Lead = v.t("cluster.planned_waits")
	}
	for _, x := range e.Planned {
		what := x.What
		if key, ok := plannedTexts[x.What]; ok {
			what = v.t(key)
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: what}, Notes: []string{join(x.Role, x.User)}}, {Link: Link{Label: x.Person}}, {Link: Link{Label: strings.Join(x.Add, ", ")}}, {Link: Link{Label: strings.Join(x.Remove, ", ")}}, {Link: Link{Label: v.changeWhy(x.Why)}}}})
	}
	return s
}

var foreignTexts = map[string]string{"wildcard": "foreign.wildcard", "label": "foreign.label", "expression": "foreign.expression", "admin": "foreign.admin"}

// foreignSection are roles that are not ours and reach customers' servers.
func (v *visit) foreignSection(e access.Enforcement) Section {
	s := Section{ID: "foreign", Title: v.t("foreign.title"), Lead: v.t("foreign.lead"), Empty: v.t("foreign.empty"), Grid: Grid{Heads: []string{v.t("col.role"), v.t("foreign.users"), v.t("foreign.reaches"), v.t("col.why"), v.t("foreign.answers"), ""}}}
	for _, f := range e.Foreign {
		why := f.Why
		if key, ok := foreignTexts[f.Why]; ok {
			why = v.t(key)
		}
		state := Cell{State: State{ToneBad, v.t("found.nobody")}}
		if f.AcceptedBy != "" {
			state = Cell{State: State{ToneWarn, f.AcceptedBy}, Notes: []string{v.upTo(f.Until)}}
			if !f.Until.IsZero() && !f.Until.After(v.now) {
				state.State.Tone = ToneBad
			}
		}
		reaches := strings.Join(f.Reaches, ", ")
		if slices.Contains(f.Reaches, "*") {
			reaches = v.t("entries.everywhere")
		}
		var acts []Act
		if v.can(policy.AccessAdmin) {
			acts = []Act{{Label: v.t("foreign.accept"), Href: "/access/teleport/role?" + query("role", f.Role)}}
		}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: f.Role}, Code: true}, {Link: Link{Label: strings.Join(f.Users, ", ")}}, {Link: Link{Label: reaches}}, {Link: Link{Label: why}}, state, {Acts: acts}}})
	}
	return s
}

// modeForm shows the steps, and what enforcing would change.
func (v *visit) modeForm() (policy.Scope, *AccessForm, error) {
	scope, err := v.scope(policy.AccessAdmin)
	if err != nil {
		return scope, nil, err
	}
	e, err := v.p.Access.Enforcement(v.ctx, scope)
	if err != nil {
		return scope, nil, err
	}
	page := v.accessForm(v.t("cluster.set_mode"), v.t("mode.say"), "/access/teleport/mode", "/access/teleport", v.t("mode.do"))
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("cluster.title"), "/access/teleport"})
	f := v.entered("mode", v.t("cluster.mode"), string(e.Mode))
	for _, m := range []access.Mode{access.Observe, access.Shadow, access.Enforce} {
		keys := modeTexts[m]
		f.Radios = append(f.Radios, RoleChoice{Value: string(m), Label: v.t(keys[0]), Note: v.t(keys[1], "n", len(e.Planned)), Chosen: f.Value == string(m)})
	}
	page.Fields = []FormField{f, v.entered("why", v.t("col.why"), "").rows(2)}
	return scope, page, nil
}

func (p *Portal) mode(v *visit) error {
	_, page, err := v.modeForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) modeSet(v *visit) error {
	scope, page, err := v.modeForm()
	if err != nil {
		return err
	}
	if _, err := p.Access.SetMode(v.ctx, scope, access.Mode(v.formValue("mode")), v.formValue("why")); err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/teleport", "saved")
}

// accessLook has the cluster, or a host, looked at now.
func (p *Portal) accessLook(v *visit) error {
	scope, err := v.scope(policy.AccessWrite)
	if err != nil {
		return err
	}
	if _, err := p.Access.Look(v.ctx, scope, v.formValue("server")); err != nil {
		e, eerr := p.Access.Enforcement(v.ctx, scope)
		if eerr != nil {
			return eerr
		}
		return v.invalid(v.enforcementPage(e), err)
	}
	return v.redirect("/access/teleport", "looked")
}

// foreignForm asks who answers for a role that is not ours.
func (v *visit) foreignForm() (policy.Scope, string, *AccessForm, error) {
	scope, err := v.scope(policy.AccessAdmin)
	if err != nil {
		return scope, "", nil, err
	}
	role := v.c.FormValue("role")
	if role == "" {
		return scope, "", nil, controlplane.NotFound("role")
	}
	page := v.accessForm(v.t("foreign.accept"), v.t("foreign.accept_say", "role", role), "/access/teleport/role", "/access/teleport", v.t("foreign.accept_do"))
	page.Tone = ToneWarn
	page.Crumbs = append(v.accessCrumbs("", ""), Link{v.t("cluster.title"), "/access/teleport"})
	page.Lines = []string{v.t("foreign.line_1"), v.t("foreign.line_2")}
	owners, err := v.personChoices(v.t("grant.choose"), human)
	if err != nil {
		return scope, "", nil, err
	}
	page.Hidden = []Pair{{Label: "role", Value: role}}
	page.Fields = []FormField{v.entered("owner", v.t("baseline.owner"), "").among(owners), v.entered("until", v.t("col.until"), "").kind("date"), v.entered("reason", v.t("col.reason"), "").rows(3)}
	return scope, role, page, nil
}

func (p *Portal) foreignRole(v *visit) error {
	_, _, page, err := v.foreignForm()
	if err != nil {
		return err
	}
	return v.render(page)
}

func (p *Portal) foreignRoleAccept(v *visit) error {
	scope, role, page, err := v.foreignForm()
	if err != nil {
		return err
	}
	var until time.Time
	if until, err = v.dayField("until"); err == nil {
		err = p.Access.AcceptRole(v.ctx, scope, role, v.formValue("owner"), until, v.formValue("reason"))
	}
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/access/teleport", "saved")
}

// sayOfMode is the sentence before the lists are enforced.
func (v *visit) sayOfMode(e access.Enforcement) string {
	if e.Mode == access.Shadow {
		return v.t("cluster.say_shadow", "n", len(e.Planned))
	}
	return v.t("cluster.say_observe")
}
