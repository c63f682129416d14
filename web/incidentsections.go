package web

import (
	"slices"

	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// awarenessSection is who held what to be so, and since when: nothing of it is
// ever changed, only followed by something later.
func (v *visit) awarenessSection(x caseParts) Section {
	c, at := x.c, "/incidents/"+x.c.ID
	sec := Section{ID: "awareness", Title: v.t("inc.awareness"), Lead: v.t("inc.awareness_lead"), Empty: v.t("inc.awareness_empty")}
	sec.Grid.Heads = []string{v.t("inc.a_what"), v.t("inc.a_when"), v.t("inc.a_who"), v.t("inc.a_ground"), v.t("col.state"), ""}
	for _, a := range c.Awareness {
		about := v.t("inc.a_whole")
		switch {
		case a.Customer == law.TheIncident:
			about = v.t("inc.a_itself")
		case a.Customer != "":
			about = x.names[a.Customer]
		}
		state, do := v.assertionState(c, a)
		who := Cell{Link: Link{Label: x.who[a.By]}, At: a.RecordedAt}
		if a.ConfirmedBy != "" {
			who.Notes = []string{v.t("inc.confirmed_by", "who", x.who[a.ConfirmedBy])}
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{ID: a.ID, Cells: []Cell{{Link: Link{Label: wordOf(v, certainties, a.Certainty)}, Notes: []string{about}}, {At: a.At}, who, {Link: Link{Label: plain(a.Ground)}}, {State: state}, {Acts: do}}})
	}
	if v.mayAct() && c.State == incidents.Open {
		sec.Acts = []Act{{Label: v.t("inc.say_more"), Href: at + "/aware"}}
	}
	if len(c.Awareness) > 1 {
		sec.Acts = append(sec.Acts, Act{Label: v.t("inc.as_known"), Href: at + "/known"})
	}
	return sec
}

// assertionState is whether somebody's word counts, and what can be done about it.
func (v *visit) assertionState(c incidents.Case, a law.Assertion) (State, []Act) {
	at := "/incidents/" + c.ID + "/aware"
	of := slices.DeleteFunc(slices.Clone(c.Awareness), func(o law.Assertion) bool { return o.Customer != a.Customer })
	open := v.mayAct() && c.State == incidents.Open
	if law.NeedsSecond(a, of) && a.ConfirmedBy == "" {
		if open && a.By != v.actor.ID {
			return State{ToneBusy, v.t("inc.a_waits")}, []Act{{Label: v.t("inc.confirm"), Href: at + "/" + a.ID + "/confirm", Post: true}}
		}
		return State{ToneBusy, v.t("inc.a_waits")}, nil
	}
	if slices.ContainsFunc(of, func(o law.Assertion) bool {
		return o.Supersedes == a.ID && (!law.NeedsSecond(o, of) || o.ConfirmedBy != "")
	}) {
		return State{ToneUnknown, v.t("inc.a_corrected")}, nil
	}
	var do []Act
	if open {
		do = []Act{{Label: v.t("inc.correct"), Href: at + "?" + query("supersedes", a.ID)}}
	}
	if e, ok := law.Effective(of, a.Certainty, v.now); ok && e.ID == a.ID {
		return State{ToneGood, v.t("inc.a_counts")}, do
	}
	return State{ToneUnknown, v.t("inc.a_later")}, do
}

// customersSection is who is in it: those who are affected first.
func (v *visit) customersSection(x caseParts, most int) Section {
	c, at := x.c, "/incidents/"+x.c.ID
	sec := Section{ID: "customers", Title: v.t("inc.customers"), Lead: v.t("inc.customers_lead"), Empty: v.t("inc.customers_empty")}
	sec.Grid.Heads = []string{v.t("col.customer"), v.t("col.state"), v.t("inc.their_clock"), v.t("inc.told"), v.t("inc.their_own"), ""}
	list := slices.Clone(c.Affected)
	rank := map[incidents.AffectedState]int{incidents.Certain: 0, incidents.Possible: 1, incidents.Cleared: 2}
	slices.SortStableFunc(list, func(a, b incidents.Affected) int {
		if r := rank[a.State] - rank[b.State]; r != 0 {
			return r
		}
		return dueOrder(a.Clock.Strict, b.Clock.Strict)
	})
	for _, a := range list[:min(len(list), most)] {
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: v.affectedCells(x, a)})
	}
	if n := len(list); n > most {
		sec.Acts = append(sec.Acts, Act{Label: v.t("inc.customers_more", "n", n), Href: at + "/customers"})
	}
	if v.mayAct() && c.State == incidents.Open {
		sec.Acts = append(sec.Acts, Act{Label: v.t("inc.affect"), Href: at + "/affect"})
	}
	return sec
}

func (v *visit) affectedCells(x caseParts, a incidents.Affected) []Cell {
	state := Cell{State: lookOf(v, affectedStates, a.State), Notes: []string{plain(a.Because)}}
	switch {
	case a.State == incidents.Cleared:
		state.Notes, state.At = []string{plain(a.ClearedWhy)}, a.ClearedAt
	case !a.KnownAt.IsZero():
		state.At = a.KnownAt
	default:
		state.At = a.SuspectedAt
	}
	name := orWord(x.names[a.Customer], a.Name)
	told := v.toldCell(x, a)
	return []Cell{{Link: Link{name, "/customers/" + a.Customer}, Strong: true}, state, v.theirClock(a), told, v.theirOwn(a), {Acts: v.affectedActs(x.c, a)}}
}

// theirClock is a customer's own clock in a few words.
func (v *visit) theirClock(a incidents.Affected) Cell {
	if a.Clock.Rule == "" || a.State == incidents.Cleared {
		return Cell{Notes: []string{"–"}}
	}
	var card ClockCard
	v.clockStands(&card, a.Clock)
	out := Cell{State: State{card.State.Tone, card.Big}, Notes: []string{card.Until}}
	if a.Clock.Contract {
		out.Notes = append(out.Notes, v.t("inc.contract_short"))
	}
	return out
}

// toldCell is whether a customer was told, and how far the latest notice is.
func (v *visit) toldCell(x caseParts, a incidents.Affected) Cell {
	var latest *incidents.Notice
	for i, n := range x.notices {
		if n.Customer == a.Customer && n.Audience == incidents.ToCustomer && n.Purpose != incidents.Freezing && n.State != incidents.Discarded && (latest == nil || n.MadeAt.After(latest.MadeAt)) {
			latest = &x.notices[i]
		}
	}
	out := Cell{}
	if !a.ToldAt.IsZero() {
		out.Notes = append(out.Notes, v.t("inc.told_at", "when", v.moment(a.ToldAt)))
	}
	if latest == nil {
		if a.ToldAt.IsZero() && a.State != incidents.Cleared {
			out.State = State{ToneWarn, v.t("inc.not_told")}
		}
		return out
	}
	out.State = lookOf(v, breachStates, latest.State)
	out.Link = Link{v.t("inc.the_notice"), "/incidents/notices/" + latest.ID}
	return out
}

// theirOwn is until when a customer probably has to tell their authority.
func (v *visit) theirOwn(a incidents.Affected) Cell {
	switch {
	case a.State == incidents.Cleared:
		return Cell{Notes: []string{"–"}}
	case a.Role == incidents.Processor:
		return Cell{Notes: []string{v.t("inc.own_processor")}}
	case a.TheirDue.IsZero():
		return Cell{Notes: []string{v.t("inc.own_later")}}
	}
	out := Cell{Link: Link{Label: v.t("inc.own_probably")}, At: a.TheirDue}
	if !a.TheyKnewAt.IsZero() {
		out.Notes = []string{v.t("inc.own_they_knew", "when", v.until(a.TheyKnewAt))}
	}
	if a.Role == incidents.RoleUnknown || a.Role == "" {
		out.Notes = append(out.Notes, v.t("inc.own_unknown"))
	}
	return out
}

func (v *visit) affectedActs(c incidents.Case, a incidents.Affected) (out []Act) {
	if !v.mayAct() || c.State != incidents.Open {
		return nil
	}
	at, of := "/incidents/"+c.ID, "?"+query("customer", a.Customer)
	if a.State != incidents.Certain {
		out = append(out, Act{Label: v.t("inc.is_affected"), Href: at + "/affect" + of})
	}
	if a.Financial && a.State != incidents.Cleared {
		out = append(out, Act{Label: v.t("inc.their_steps"), Href: at + "/their-steps" + of})
	}
	if a.State != incidents.Cleared {
		out = append(out, Act{Label: v.t("inc.clear"), Href: at + "/clear" + of})
		if a.Role != incidents.Processor {
			out = append(out, Act{Label: v.t("inc.they_knew"), Href: at + "/they-knew" + of})
		}
	}
	return out
}

// incidentCustomers is everybody in a case.
func (p *Portal) incidentCustomers(v *visit) error {
	scope, c, err := v.incidentCase(policy.IncidentRead)
	if err != nil {
		return err
	}
	x, err := v.partsOf(scope, c)
	if err != nil {
		return err
	}
	page := v.incidentsPage("", v.t("inc.customers"), v.t("inc.all_customers", "n", len(c.Affected), "number", capital(p.tx.Number(len(c.Affected))), "title", plain(c.Title)))
	page.Parts, page.Crumbs = nil, v.caseCrumbs(c)
	page.Sections = []Section{v.customersSection(x, len(c.Affected))}
	page.Exercise = v.exercise(c.Drill)
	return v.render(page)
}

// noticeTo is to whom a notice goes, in a word.
func (v *visit) noticeTo(n incidents.Notice, names map[string]string) string {
	if n.Customer != "" && names[n.Customer] != "" {
		return names[n.Customer]
	}
	return wordOf(v, audiences, n.Audience)
}

// noticesSection is what was told to whom, and how far it is.
func (v *visit) noticesSection(x caseParts, most int) Section {
	at := "/incidents/" + x.c.ID
	sec := Section{ID: "notices", Title: v.t("inc.notices"), Lead: v.t("inc.notices_lead"), Empty: v.t("inc.notices_empty")}
	sec.Grid = v.noticeGrid(x.notices[:min(len(x.notices), most)], x.names, x.who)
	if n := len(x.notices); n > most {
		sec.Notes = []string{v.t("inc.notices_more", "n", n)}
	}
	if v.mayAct() || len(x.notices) > 0 {
		sec.Acts = []Act{{Label: v.t("inc.notices_of"), Href: at + "/notices"}}
	}
	return sec
}

// noticeGrid is notices as a table.
func (v *visit) noticeGrid(items []incidents.Notice, names, who map[string]string) Grid {
	g := Grid{Heads: []string{v.t("inc.n_to"), v.t("col.state"), v.t("inc.n_due"), v.t("inc.n_sent_at"), v.t("inc.n_told_at"), v.t("inc.n_by")}}
	for _, n := range items {
		to := Cell{Link: Link{v.noticeTo(n, names), "/incidents/notices/" + n.ID}, Strong: true, Notes: []string{join(wordOf(v, purposes, n.Purpose), v.phase(n))}}
		by := Cell{Link: Link{Label: who[n.Author]}}
		if n.Second != "" {
			by.Notes = append(by.Notes, v.t("inc.n_second", "who", who[n.Second]))
		}
		if n.Alone {
			by.Notes = append(by.Notes, v.t("inc.n_alone"))
		}
		due := v.orDash(n.DueAt)
		if !n.DueAt.IsZero() && n.ToldAt.After(n.DueAt) {
			due.Notes = []string{v.t("inc.n_late")}
		}
		g.Rows = append(g.Rows, GridRow{Cells: []Cell{to, {State: lookOf(v, breachStates, n.State)}, due, v.orDash(n.SentAt), v.orDash(n.ToldAt), by}})
	}
	return g
}

// phase is which notice of a row it is.
func (v *visit) phase(n incidents.Notice) string {
	if n.Phase < 2 {
		return ""
	}
	return v.t("inc.phase", "n", n.Phase)
}

// decidingSection is how the risk was judged, and what follows from it.
func (v *visit) decidingSection(x caseParts) Section {
	sec := Section{ID: "deciding", Title: v.t("inc.deciding"), Lead: v.t("inc.deciding_lead"), Empty: v.t("inc.deciding_empty")}
	sec.Grid.Heads = []string{v.t("inc.d_risk"), v.t("inc.d_what"), v.t("inc.d_reasons"), v.t("inc.d_who")}
	for _, d := range slices.Backward(x.c.Decisions) {
		risk := Cell{Link: Link{Label: wordOf(v, levels, d.Risk)}, Strong: true, Notes: []string{v.t("inc.d_of", "likelihood", wordOf(v, levels, d.Likelihood), "severity", wordOf(v, levels, d.Severity))}}
		if d.NewDecision.Rule != "" {
			risk = Cell{Link: Link{Label: d.NewDecision.Rule}, Code: true}
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{risk, {Notes: v.follows(d)}, {Link: Link{Label: plain(d.Reasons)}}, {Link: Link{Label: x.who[d.By]}, At: d.At}}})
	}
	if v.mayAct() && x.c.State == incidents.Open {
		sec.Acts = []Act{{Label: v.t("inc.decide"), Href: "/incidents/" + x.c.ID + "/decide"}}
	}
	return sec
}

// follows is what follows from a decision.
func (v *visit) follows(d incidents.Decision) []string {
	if d.NewDecision.Rule != "" {
		if d.NotDue {
			return []string{v.t("inc.c_not_due")}
		}
		return []string{v.t("inc.d_due")}
	}
	out := []string{v.t("inc.d_authority_no"), v.t("inc.d_people_no")}
	if d.Authority {
		out[0] = v.t("inc.d_authority_yes")
	}
	if d.People {
		out[1] = v.t("inc.d_people_yes")
	}
	if d.Exemption != incidents.NoExemption {
		out = append(out, wordOf(v, exemptions, d.Exemption))
	}
	return out
}

// doingSection is what was done to contain it.
func (v *visit) doingSection(x caseParts) Section {
	c, at := x.c, "/incidents/"+x.c.ID
	sec := Section{ID: "doing", Title: v.t("inc.doing"), Lead: v.t("inc.doing_lead"), Empty: v.t("inc.doing_empty")}
	sec.Grid.Heads = []string{v.t("inc.do_what"), v.t("col.why"), v.t("inc.d_who"), v.t("inc.do_result")}
	for _, a := range slices.Backward(c.Actions) {
		result := Cell{State: State{ToneGood, plain(a.Result)}}
		if a.Failed {
			result.State.Tone = ToneBad
		}
		for _, r := range a.Refs {
			if isJob(r) {
				result.Link = Link{v.t("inc.do_job"), "/jobs/" + r}
			}
		}
		what := Cell{Link: Link{Label: wordOf(v, actionKinds, a.Kind)}}
		if a.Target != "" {
			what.Notes = []string{v.targetName(a.Target)}
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{what, {Link: Link{Label: plain(a.Why)}}, {Link: Link{Label: x.who[a.By]}, At: a.At}, result}})
	}
	if v.mayAct() && c.State == incidents.Open {
		for _, k := range []incidents.ActionKind{incidents.ActSnapshot, incidents.ActLock, incidents.ActRevoke, incidents.ActRotate, incidents.ActDone} {
			sec.Acts = append(sec.Acts, Act{Label: wordOf(v, actionKinds, k), Href: at + "/act?kind=" + string(k)})
		}
	}
	return sec
}

// tasksSection is what is still to be done, by whom and until when.
func (v *visit) tasksSection(x caseParts) Section {
	c, at := x.c, "/incidents/"+x.c.ID+"/tasks/"
	sec := Section{ID: "tasks", Title: v.t("inc.tasks"), Empty: v.t("inc.tasks_empty")}
	sec.Grid.Heads = []string{v.t("inc.t_text"), v.t("inc.t_owner"), v.t("col.until"), v.t("col.state"), ""}
	for _, t := range c.Tasks {
		state, do := State{ToneBusy, v.t("inc.t_open")}, []Act(nil)
		switch {
		case !t.DoneAt.IsZero():
			state = State{ToneGood, v.t("inc.t_done", "when", v.moment(t.DoneAt))}
		case !t.DueAt.IsZero() && t.DueAt.Before(v.now):
			state = State{ToneBad, v.t("inc.t_late")}
		}
		if t.DoneAt.IsZero() && v.mayAct() {
			do = []Act{{Label: v.t("inc.task_do"), Href: at + t.ID}}
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{Cells: []Cell{{Link: Link{Label: plain(t.Text)}, Notes: []string{plain(t.Note)}}, {Link: Link{Label: orWord(t.OwnerName, x.who[t.Owner])}}, v.orDash(t.DueAt), {State: state}, {Acts: do}}})
	}
	if v.mayAct() && c.State == incidents.Open {
		sec.Acts = []Act{{Label: v.t("inc.task_add"), Href: at + "new"}, {Label: v.t("inc.note_add"), Href: "/incidents/" + c.ID + "/note"}}
	}
	return sec
}

// papersSection leads to a case's documents.
func (v *visit) casePapers(c incidents.Case) Section {
	at := "/incidents/" + c.ID
	return Section{ID: "papers", Title: v.t("inc.papers"), Lead: v.t("inc.papers_lead"), Acts: []Act{{Label: v.t("inc.timeline"), Href: at + "/timeline"},
		{Label: v.t("inc.paper_ico"), Href: at + "/papers/ico"}, {Label: v.t("inc.paper_edpb"), Href: at + "/papers/edpb"}, {Label: v.t("inc.paper_after"), Href: at + "/papers/after"}, {Label: v.t("inc.register"), Href: "/incidents/register"}}}
}
