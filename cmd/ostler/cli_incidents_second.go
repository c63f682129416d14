package main

import "github.com/spf13/cobra"

// incidentAskedView is what takes a clock away, with what became of it.
type incidentAskedView struct {
	ID       string `json:"id"`
	Act      string `json:"act"`
	Customer string `json:"customer"`
	Because  string `json:"because"`
	By       string `json:"by"`
	At       string `json:"at"`
	State    string `json:"state"`
	Settled  string `json:"settled_by"`
	Alone    string `json:"alone_because"`
}

// askedActs are what takes a clock away, in words.
var askedActs = map[string]string{"false_alarm": "it was a false alarm", "clear": "a customer is not in it", "not_ours": "our own data are not touched"}

// showAsked shows what takes a clock away, and who confirmed it.
func (c *client) showAsked(list []incidentAskedView) error {
	if len(list) == 0 {
		return nil
	}
	rows := make([][]cell, len(list))
	for i, a := range list {
		because := a.Because
		if a.Alone != "" {
			because += " (" + a.Alone + ")"
		}
		stands := state(a.State)
		if a.State == "open" {
			stands = cell{text: "waits for a second person, the clocks run on", tone: toneWarn}
		}
		rows[i] = []cell{text(askedActs[a.Act]), text(a.Customer), text(a.By), text(when(a.At)), stands, text(a.Settled), text(because), text(a.ID)}
	}
	return c.table([]string{"SAID", "CUSTOMER", "BY", "AT", "STATE", "SETTLED BY", "BECAUSE", "ID"}, rows)
}

// incidentSecond are the second person's verbs, and what customers say of themselves.
func (c *client) incidentSecond() []*cobra.Command {
	asked := textFlag{"asked", "asked", "which (sec_)"}
	return []*cobra.Command{
		c.incidentAct("confirm-asked", "asked/confirm", "Confirm, as another person, what takes a clock away: a false alarm, a customer who is not in it, our own data that are not touched", nil, []string{"asked"}, asked),
		c.incidentAct("withdraw-asked", "asked/withdraw", "Take that back, or say no to it as another person: the clocks run on", nil, []string{"asked"}, asked),
		c.incidentAct("they-knew", "they-knew", "Write down since when a customer says that they knew of it themselves", nil, []string{"customer", "since"}, textFlag{"customer", "customer", "who"},
			textFlag{"since", "since", "since when they say that they knew"}),
	}
}
