package web

import (
	"context"
	"slices"

	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

var askedStates = map[incidents.AskedState]look{
	incidents.AskOpen: {ToneBusy, "inc.a_waits"}, incidents.AskConfirmed: {ToneGood, "inc.w_confirmed"}, incidents.AskWithdrawn: {ToneUnknown, "inc.w_withdrawn"},
	incidents.AskDeclined: {ToneUnknown, "inc.w_declined"}, incidents.AskMoot: {ToneUnknown, "inc.w_moot"},
}

// askedWords is what takes a clock away, as a sentence without its full stop.
func (v *visit) askedWords(a incidents.Asked, names map[string]string) string {
	switch a.Act {
	case incidents.AskClear:
		return v.t("inc.w_clear", "name", names[a.Customer])
	case incidents.AskNotOurs:
		return v.t("inc.w_not_ours")
	}
	return v.t("inc.w_false_alarm")
}

// askedSection is what takes clocks away that run, and who confirmed it: until then
// they run on.
func (v *visit) askedSection(x caseParts) Section {
	c, at := x.c, "/incidents/"+x.c.ID+"/asked/"
	sec := Section{ID: "asked", Title: v.t("inc.second"), Lead: v.t("inc.second_lead")}
	sec.Grid.Heads = []string{v.t("inc.do_what"), v.t("col.why"), v.t("inc.d_who"), v.t("col.state"), ""}
	for _, a := range slices.Backward(c.Asked) {
		state, do := Cell{State: lookOf(v, askedStates, a.State), At: a.SettledAt}, []Act(nil)
		if who := x.who[a.SettledBy]; a.SettledBy != "" && who != "" {
			state.Notes = append(state.Notes, who)
		}
		if a.AloneWhy != "" {
			state.Notes = append(state.Notes, plain(a.AloneWhy))
		}
		if a.State == incidents.AskOpen && v.mayAct() && c.State == incidents.Open {
			if a.By == v.actor.ID {
				do = []Act{{Label: v.t("inc.w_withdraw"), Href: at + a.ID + "/withdraw", Post: true}}
			} else {
				do = []Act{{Label: v.t("inc.confirm"), Href: at + a.ID + "/confirm", Post: true}, {Label: v.t("inc.w_decline"), Href: at + a.ID + "/withdraw", Post: true}}
			}
		}
		sec.Grid.Rows = append(sec.Grid.Rows, GridRow{ID: a.ID, Cells: []Cell{{Link: Link{Label: v.askedWords(a, x.names)}, Strong: true}, {Link: Link{Label: plain(a.Why)}}, {Link: Link{Label: x.who[a.By]}, At: a.At}, state, {Acts: do}}})
	}
	return sec
}

// askedSteps are what waits for the reader as the second person.
func (v *visit) askedSteps(x caseParts, add adder) {
	for _, a := range x.c.Asked {
		if a.State == incidents.AskOpen && a.By != v.actor.ID {
			add(ToneWarn, v.t("inc.s_asked", "what", v.askedWords(a, x.names)), v.t("inc.s_asked_why", "who", x.who[a.By]), Link{v.t("inc.look"), "/incidents/" + x.c.ID + "#asked"}, false)
		}
	}
}

// incidentAskedConfirm confirms what takes a clock away, as the second person.
func (p *Portal) incidentAskedConfirm(v *visit) error {
	return v.settleAsked("inc_confirmed", p.Incidents.ConfirmAsked)
}

// incidentAskedWithdraw takes it back, or says no to it.
func (p *Portal) incidentAskedWithdraw(v *visit) error {
	return v.settleAsked("inc_w_not", p.Incidents.WithdrawAsked)
}

func (v *visit) settleAsked(done string, do func(ctx context.Context, scope policy.Scope, id, asked string) (incidents.Case, error)) error {
	scope, c, err := v.incidentCase(policy.IncidentWrite)
	if err != nil {
		return err
	}
	if _, err := do(v.ctx, scope, c.ID, v.c.Param("asked")); err != nil {
		return v.caseRefused(scope, c, err)
	}
	return v.redirect("/incidents/"+c.ID+"?done="+done+"#asked", "")
}

// endsCase carries out what ends a case or takes a customer out of it, which may wait
// for a second person.
func (v *visit) endsCase(form func(incidents.Case) (*AccessForm, error), done, place string, do func(policy.Scope, incidents.Case) (incidents.Case, error)) error {
	scope, c, err := v.incidentCase(policy.IncidentWrite)
	if err != nil {
		return err
	}
	page, err := form(c)
	if err != nil {
		return err
	}
	before := len(c.Asked)
	if c, err = do(scope, c); err != nil {
		return v.wrongCase(page, err)
	}
	if n := len(c.Asked); n > before && c.Asked[n-1].State == incidents.AskOpen {
		done, place = "inc_second", "asked"
	}
	to := "/incidents/" + c.ID + "?done=" + done
	if place != "" {
		to += "#" + place
	}
	return v.redirect(to, "")
}

// theyKnewForm takes since when a customer says that they knew of it.
func (v *visit) theyKnewForm(c incidents.Case) (*AccessForm, error) {
	one, name, err := v.oneIn(c)
	if err != nil {
		return nil, err
	}
	page := v.caseForm(c, v.t("inc.they_knew"), v.t("inc.they_knew_say", "name", name), "/they-knew", v.t("inc.save"))
	page.Lines = []string{v.t("inc.they_knew_1"), v.t("inc.they_knew_2")}
	page.Hidden = []Pair{{Label: "customer", Value: one}}
	was := noTime
	for _, a := range c.Affected {
		if a.Customer == one {
			was = a.TheyKnewAt
		}
	}
	page.Fields = []FormField{v.timeField("since", v.t("inc.they_knew_since"), "inc.they_knew_hint", was)}
	return page, nil
}

func (p *Portal) incidentTheyKnew(v *visit) error {
	return v.caseStep(policy.IncidentWrite, v.theyKnewForm)
}

func (p *Portal) incidentTheyKnewDo(v *visit) error {
	return v.caseDo(policy.IncidentWrite, v.theyKnewForm, "saved", "customers", func(scope policy.Scope, c incidents.Case) error {
		_, err := p.Incidents.TheyKnew(v.ctx, scope, c.ID, v.formValue("customer"), v.at("since"))
		return err
	})
}
