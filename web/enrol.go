package web

import (
	"ostler/agents"
	"ostler/controlplane/bus"
	"ostler/controlplane/policy"
)

// stepTexts are the lines of the enrolment's checklist.
var stepTexts = map[string]string{
	agents.StepToken: "enrol.token", agents.StepContacted: "enrol.contacted", agents.StepConnected: "enrol.connected",
	agents.StepInventory: "enrol.inventory", agents.StepReady: "enrol.ready",
}

var stepStates = map[agents.StepState]struct {
	tone Tone
	key  string
}{
	agents.StepDone: {ToneGood, "step.done"}, agents.StepNow: {ToneBusy, "step.now"}, agents.StepLater: {ToneUnknown, "step.later"}, agents.StepFailed: {ToneBad, "step.failed"},
}

// enrolPage is how far a server's enrolment is.
func (p *Portal) enrolPage(v *visit) (*Enrol, error) {
	scope, err := v.scope(policy.ServerEnrol)
	if err != nil {
		return nil, err
	}
	s, err := p.Customers.GetServer(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return nil, err
	}
	steps, err := p.Agents.Checklist(v.ctx, scope, s.ID)
	if err != nil {
		return nil, err
	}
	self := "/servers/" + s.ID
	page := &Enrol{Page: v.page("servers", v.t("enrol.title"), v.t("enrol.say", "server", s.Name)), Server: Link{s.Name, self}, Again: self + "/enrol"}
	page.Crumbs = []Link{{v.t("servers.title"), "/servers"}, page.Server}
	page.Self, page.Live, page.Refresh = self+"/enrol", []string{bus.TopicServer(s.ID)}, 5
	for _, st := range steps {
		x := stepStates[st.State]
		step := Step{State: State{x.tone, v.t(x.key)}, Text: v.t(stepTexts[st.Key]), At: st.At}
		if !st.Until.IsZero() && st.State != agents.StepDone {
			step.Note = v.t("enrol.until", "when", v.moment(st.Until))
		}
		page.Steps = append(page.Steps, step)
		switch {
		case st.State == agents.StepFailed:
			page.Say, page.Tone = v.t("enrol.failed", "server", s.Name), ToneBad
		case st.Key == agents.StepReady && st.State == agents.StepDone:
			page.Say, page.Tone, page.Again, page.Ready = v.t("enrol.done", "server", s.Name), ToneGood, "", true
		case st.Key == agents.StepToken && st.State != agents.StepDone:
			page.Fresh = true
		}
	}
	return page, nil
}

func (p *Portal) enrol(v *visit) error {
	page, err := p.enrolPage(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

// enrolToken shows the command in its own answer: the token can be read this
// once. Only the checklist on that page is live.
func (p *Portal) enrolToken(v *visit) error {
	scope, err := v.scope(policy.ServerEnrol)
	if err != nil {
		return err
	}
	token, expires, err := p.Agents.NewToken(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	page, err := p.enrolPage(v)
	if err != nil {
		return err
	}
	page.Say, page.Tone, page.Fresh = v.t("enrol.say", "server", page.Server.Label), "", false
	page.Command = "echo '" + token + "' |\n  sudo ostler-agent enrol --plane " + p.o.EnrolURL + " --token-file -"
	page.Expires, page.Refresh, page.LivePart = expires, 0, "steps-live"
	return v.render(page)
}
