package web

import (
	"slices"
	"time"

	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
)

// stepsShown is how many steps stand under the one that comes next.
const stepsShown = 4

// nextSteps are what is to be done in a case, the one next step first: telling
// comes before knowing, since a first notice waits for nothing.
func (v *visit) nextSteps(x caseParts) []Need {
	if x.c.State != incidents.Open || !v.mayAct() {
		return nil
	}
	var out []Need
	add := func(tone Tone, title, cause string, do Link, post bool) {
		out = append(out, Need{State: State{tone, v.t(toneOf(tone))}, Title: title, Cause: cause, Action: do, Post: post})
	}
	v.noticeSteps(x, add)
	v.factSteps(x, add)
	v.workSteps(x, add)
	slices.SortStableFunc(out, func(a, b Need) int { return stepRank(a.State.Tone) - stepRank(b.State.Tone) })
	out = out[:min(len(out), stepsShown)]
	if len(out) > 0 {
		out[0].Strong = true
	}
	return out
}

// stepRank puts what is to be done now before what is next.
func stepRank(t Tone) int {
	switch t {
	case ToneBad:
		return 0
	case ToneWarn:
		return 1
	}
	return 2
}

func toneOf(t Tone) string {
	switch t {
	case ToneBad:
		return "inc.tone_now"
	case ToneWarn:
		return "inc.tone_next"
	}
	return "inc.tone_then"
}

type adder func(tone Tone, title, cause string, do Link, post bool)

// noticeSteps are those about telling.
func (v *visit) noticeSteps(x caseParts, add adder) {
	at := "/incidents/" + x.c.ID
	drafts := slices.DeleteFunc(slices.Clone(x.notices), func(n incidents.Notice) bool { return n.State != incidents.Draft })
	slices.SortStableFunc(drafts, func(a, b incidents.Notice) int { return dueOrder(a.DueAt, b.DueAt) })
	for _, n := range x.notices {
		to, page := v.noticeTo(n, x.names), "/incidents/notices/"+n.ID
		switch {
		case n.State == incidents.Unreachable:
			add(ToneBad, v.t("inc.s_call", "who", to), v.t("inc.s_call_why"), Link{v.t("inc.tell_it"), page + "/tell"}, false)
		case n.State == incidents.Waiting && n.Author != v.actor.ID:
			why := "inc.s_second_waits"
			if n.Purpose == incidents.First {
				why = "inc.s_second_why"
			}
			add(ToneBad, v.t("inc.s_second", "who", to), v.t(why, "who", x.who[n.Author]), Link{v.t("inc.check_send"), page}, false)
		}
	}
	switch {
	case len(drafts) == 1:
		n := drafts[0]
		add(ToneBad, v.t("inc.s_send", "who", v.noticeTo(n, x.names)), v.dueWords(n.DueAt), Link{v.t("inc.check_send"), "/incidents/notices/" + n.ID}, false)
	case len(drafts) > 1:
		add(ToneBad, v.t("inc.s_send_all", "n", len(drafts)), v.dueWords(drafts[0].DueAt), Link{v.t("inc.check_send"), at + "/notices"}, false)
	}
	if untold := x.untold(); untold > 0 {
		add(ToneBad, v.t("inc.s_draft", "n", untold), v.t("inc.s_draft_why"), Link{v.t("inc.notices_of"), at + "/notices"}, false)
	}
}

// untold is how many customers are affected and have no notice of it, not even a draft.
func (x caseParts) untold() (n int) {
	for _, a := range x.c.Affected {
		if a.State == incidents.Certain && a.ToldAt.IsZero() && !slices.ContainsFunc(x.notices, func(n incidents.Notice) bool {
			return n.Customer == a.Customer && n.Purpose != incidents.Freezing && n.State != incidents.Discarded
		}) {
			n++
		}
	}
	return n
}

// dueOrder puts what has no time last.
func dueOrder(a, b time.Time) int {
	switch {
	case a.IsZero() && !b.IsZero():
		return 1
	case b.IsZero() && !a.IsZero():
		return -1
	}
	return a.Compare(b)
}

// dueWords is until when something is to be done, with the time left.
func (v *visit) dueWords(t time.Time) string {
	switch {
	case t.IsZero():
		return v.t("inc.s_undue")
	case t.Before(v.now):
		return v.t("inc.s_late", "span", v.hours(v.now.Sub(t)), "when", v.until(t))
	}
	return v.t("inc.s_due", "span", v.hours(t.Sub(v.now)), "when", v.until(t))
}

// factSteps are those about what is known.
func (v *visit) factSteps(x caseParts, add adder) {
	c, at := x.c, "/incidents/"+x.c.ID
	for _, a := range c.Awareness {
		if law.NeedsSecond(a, c.Awareness) && a.ConfirmedBy == "" && a.By != v.actor.ID {
			add(ToneWarn, v.t("inc.s_confirm"), v.t("inc.s_confirm_why", "who", x.who[a.By]), Link{v.t("inc.look"), at + "#awareness"}, false)
		}
	}
	v.askedSteps(x, add)
	if c.OurData == law.Unknown {
		add(ToneWarn, v.t("inc.s_ours"), v.t("inc.s_ours_why"), Link{v.t("inc.edit"), at + "/edit"}, false)
	}
	if len(c.Affected) == 0 {
		add(ToneBad, v.t("inc.s_affect"), v.t("inc.s_affect_why"), Link{v.t("inc.affect"), at + "/affect"}, false)
	}
	certain := slices.ContainsFunc(c.Affected, func(a incidents.Affected) bool { return a.State == incidents.Certain })
	if !c.AssessBy.IsZero() && !certain {
		tone := ToneWarn
		if c.AssessBy.Before(v.now) {
			tone = ToneBad
		}
		add(tone, v.t("inc.s_assess"), v.dueWords(c.AssessBy), Link{v.t("inc.say_more"), at + "/aware"}, false)
	}
	if c.ContainedAt.IsZero() {
		add(ToneWarn, v.t("inc.s_contain"), v.t("inc.s_contain_why"), Link{v.t("inc.act"), at + "/act"}, false)
	}
}

// workSteps are those that come after.
func (v *visit) workSteps(x caseParts, add adder) {
	c, at := x.c, "/incidents/"+x.c.ID
	if len(c.Decisions) == 0 && len(c.Affected) > 0 {
		add(ToneWarn, v.t("inc.s_decide"), v.t("inc.s_decide_why"), Link{v.t("inc.decide"), at + "/decide"}, false)
	}
	if slices.ContainsFunc(x.clocks, func(k incidents.Clock) bool {
		return k.State == incidents.Unknown && k.Deadline.Rule.Trigger == law.SignificantAware
	}) {
		add(ToneWarn, v.t("inc.s_nis2"), v.t("inc.s_nis2_why"), Link{v.t("inc.impact"), at + "/impact"}, false)
	}
	for _, t := range c.Tasks {
		if t.DoneAt.IsZero() && !t.DueAt.IsZero() && t.DueAt.Before(v.now.Add(dueSoon)) {
			add(ToneWarn, short(plain(t.Text)), v.dueWords(t.DueAt), Link{v.t("inc.task_do"), at + "/tasks/" + t.ID}, false)
		}
	}
	if !c.ContainedAt.IsZero() && c.HandledAt.IsZero() {
		add(ToneBusy, v.t("inc.s_handled"), v.t("inc.s_handled_why"), Link{v.t("inc.handle"), at + "/handled"}, false)
	}
	if !c.HandledAt.IsZero() && c.NextDue.IsZero() {
		add(ToneBusy, v.t("inc.s_close"), v.t("inc.s_close_why"), Link{v.t("inc.close"), at + "/close"}, false)
	}
}
