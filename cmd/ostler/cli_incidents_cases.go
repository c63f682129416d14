package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane/incidents"
)

// incidentView is what the command line reads of an incident.
type incidentView struct {
	ID            string               `json:"id"`
	Number        string               `json:"number"`
	Title         string               `json:"title"`
	Summary       string               `json:"summary"`
	Kinds         []string             `json:"kinds"`
	State         string               `json:"state"`
	Drill         bool                 `json:"drill"`
	OurData       string               `json:"our_data"`
	Significant   string               `json:"significant"`
	ChannelUnsafe bool                 `json:"channel_unsafe"`
	Zone          string               `json:"zone"`
	DetectedAt    string               `json:"detected_at"`
	OccurredFrom  string               `json:"occurred_from"`
	ContainedAt   string               `json:"contained_at"`
	HandledAt     string               `json:"handled_at"`
	AssessBy      string               `json:"assess_by"`
	FrozenUntil   string               `json:"frozen_until"`
	ClosedWhy     string               `json:"closed_because"`
	NextDue       string               `json:"next_due"`
	ShadowDue     string               `json:"shadow_due"`
	Asked         []incidentAskedView  `json:"asked"`
	Late          bool                 `json:"late"`
	Servers       []string             `json:"servers"`
	Affected      []incidentCustomer   `json:"affected"`
	Awareness     []incidentWord       `json:"awareness"`
	Tasks         []incidentTaskView   `json:"tasks"`
	Actions       []incidentActionView `json:"actions"`
	Facts         []incidentFactView   `json:"facts"`
	SignificantIf []string             `json:"significant_because"`
	Impact        map[string]any       `json:"impact"`
	PeopleIn      []string             `json:"people_in"`
}

type incidentCustomer struct {
	Customer   string             `json:"customer"`
	Name       string             `json:"name"`
	State      string             `json:"state"`
	Clock      *incidentClockView `json:"clock"`
	ToldAt     string             `json:"told_at"`
	TheirDue   string             `json:"their_due"`
	TheyKnewAt string             `json:"they_knew_at"`
	Role       string             `json:"role"`
}

type incidentWord struct {
	ID          string `json:"id"`
	Customer    string `json:"customer"`
	Certainty   string `json:"certainty"`
	Aware       string `json:"aware_at"`
	By          string `json:"by"`
	Ground      string `json:"ground"`
	RecordedAt  string `json:"recorded_at"`
	Supersedes  string `json:"supersedes"`
	ConfirmedBy string `json:"confirmed_by"`
}

type incidentClockView struct {
	Rule       string   `json:"rule"`
	Title      string   `json:"title"`
	Source     string   `json:"source"`
	Customer   string   `json:"customer"`
	State      string   `json:"state"`
	Shadow     bool     `json:"shadow"`
	Before     bool     `json:"before_reopening"`
	Undue      bool     `json:"without_undue_delay"`
	Contract   bool     `json:"contract"`
	Strict     string   `json:"strict"`
	Regulation string   `json:"regulation_1182_71"`
	MetAt      string   `json:"met_at"`
	Why        string   `json:"because"`
	Steps      []string `json:"steps"`
}

// due is until when, in words.
func (v incidentClockView) due() string {
	s := when(v.Strict)
	switch {
	case v.Strict == "" && v.Undue:
		s = "without undue delay"
	case v.Undue:
		s = "without undue delay, by " + s
	}
	if v.Contract {
		s += " (contract)"
	}
	if v.Before {
		s += " (from before it was reopened)"
	}
	if v.Shadow {
		s += " (if it is certain)"
	}
	return s
}

func (v incidentClockView) row() []cell {
	return []cell{text(v.Rule), text(v.Title), state(v.State), text(v.due()), text(when(v.MetAt)), text(v.Why), text(v.Customer)}
}

func (v incidentView) row() []cell {
	due := when(v.NextDue)
	switch {
	case v.Late && due == "":
		due = "late"
	case v.Late: // of what runs: what is late has passed
		due = "late; next " + due
	case v.NextDue == "" && v.ShadowDue != "":
		due = when(v.ShadowDue) + " (if it is certain)"
	}
	what := firstLine(v.Title)
	if v.Drill {
		what = "exercise: " + what
	}
	return []cell{text(v.Number), text(what), state(v.State), text(due), number(count(int64(len(v.Servers)))), text(v.ID)}
}

// ourData is whether data of our own is touched, in words.
var ourData = map[string]string{"yes": "touched: we are controller too", "no": "not touched", "unknown": "nobody has said: ostler incident change --our-data yes or no"}

func (c *client) showIncident(v incidentView) error {
	yes := func(b bool, s string) string {
		if b {
			return s
		}
		return ""
	}
	late := ""
	if v.Late {
		late = "a deadline has passed: tell them all the same, and say why it took longer"
	}
	err := c.facts(pair{"Incident", text(v.Number + " (" + v.ID + ")")}, pair{"Exercise", text(yes(v.Drill, "yes: nothing leaves the house"))}, pair{"What", text(v.Title)}, pair{"Known", text(v.Summary)}, pair{"Kinds", text(strings.Join(v.Kinds, ", "))},
		pair{"State", state(v.State)}, pair{"because", text(v.ClosedWhy)}, pair{"Late", text(late)}, pair{"Next due", text(when(v.NextDue))}, pair{"Due if it is certain", text(when(v.ShadowDue))}, pair{"Assess by", text(when(v.AssessBy))}, pair{"Detected", text(when(v.DetectedAt))}, pair{"Since", text(when(v.OccurredFrom))},
		pair{"Contained", text(when(v.ContainedAt))}, pair{"Handled", text(when(v.HandledAt))}, pair{"Our own data", text(ourData[v.OurData])}, pair{"Significant (NIS2)", text(v.Significant)}, pair{"because", text(strings.Join(v.SignificantIf, " "))}, pair{"People live in", text(strings.Join(v.PeopleIn, ", "))},
		pair{"Usual channel", text(yes(v.ChannelUnsafe, "may be compromised: call them"))}, pair{"Frozen until", text(when(v.FrozenUntil))}, pair{"Zone", text(v.Zone)})
	if err != nil {
		return err
	}
	rows := make([][]cell, len(v.Affected))
	for i, a := range v.Affected {
		due := ""
		if a.Clock != nil {
			due = a.Clock.due()
		}
		rows[i] = []cell{text(a.Name), state(a.State), text(due), text(when(a.ToldAt)), text(when(a.TheirDue)), text(when(a.TheyKnewAt)), text(a.Customer)}
	}
	if len(rows) > 0 {
		if err := c.table([]string{"CUSTOMER", "STATE", "TELL THEM", "TOLD", "THEIR OWN, PROBABLY", "THEY KNEW", "ID"}, rows); err != nil {
			return err
		}
	}
	if err := c.showFacts(v.Facts); err != nil {
		return err
	}
	if err := c.showAsked(v.Asked); err != nil {
		return err
	}
	return c.showWords(v.Awareness)
}

func (c *client) showWords(words []incidentWord) error {
	if len(words) == 0 {
		return nil
	}
	rows := make([][]cell, len(words))
	for i, w := range words {
		ground := w.Ground
		if w.Supersedes != "" {
			ground += " (corrects " + w.Supersedes + ")"
		}
		rows[i] = []cell{text(when(w.Aware)), text(w.Certainty), text(w.Customer), text(w.By), text(ground), text(when(w.RecordedAt)), text(w.ID)}
	}
	return c.table([]string{"AWARE", "HOW SURE", "CUSTOMER", "BY", "GROUND", "WRITTEN", "ID"}, rows)
}

func (c *client) incidentList() *cobra.Command {
	var p paging
	one := map[string]*string{}
	var drills bool
	cmd := c.verb("list", "List incidents, the latest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{}
		for k, v := range one {
			q.Set(k, *v)
		}
		if drills {
			q.Set("drills", "true")
		}
		return list(ctx, c, "/incidents", q, p, []string{"NUMBER", "WHAT", "STATE", "NEXT DUE", "SERVERS", "ID"}, incidentView.row, "There are no incidents.")
	})
	f := cmd.Flags()
	for name, help := range map[string]string{"state": "open, closed, false_alarm or merged", "customer": "in which this customer is", "server": "that touch this server"} {
		one[name] = f.String(name, "", help)
	}
	f.BoolVar(&drills, "drills", false, "exercises, too")
	return p.flags(cmd)
}

func (c *client) incidentShow() *cobra.Command {
	var known string
	cmd := c.verb("show INCIDENT", "Show an incident, by number or id", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/incidents/"+id(args[0]), url.Values{"known_at": {known}}, c.showIncident)
	})
	cmd.Flags().StringVar(&known, "as-known", "", "as it was known at this instant")
	return cmd
}

func (c *client) incidentClocks() *cobra.Command {
	var known string
	var steps bool
	cmd := c.verb("clocks INCIDENT", "Who must be told by when, and how it was computed", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var all []incidentClockView
		err := list(ctx, c, "/incidents/"+id(args[0])+"/clocks", url.Values{"known_at": {known}}, paging{whole: true}, []string{"RULE", "WHAT", "STATE", "DUE", "DONE", "WHY", "CUSTOMER"}, func(v incidentClockView) []cell {
			all = append(all, v)
			return v.row()
		}, "No clock runs.")
		if err != nil || !steps || c.output == "json" {
			return err
		}
		for _, v := range all {
			c.say("%s %s (%s)", v.Rule, v.Customer, v.Source)
			for _, s := range v.Steps {
				c.say("  %s", s)
			}
		}
		return nil
	})
	cmd.Flags().StringVar(&known, "as-known", "", "as they were known at this instant")
	cmd.Flags().BoolVar(&steps, "steps", false, "how each was computed")
	return cmd
}

func (c *client) incidentOpen() *cobra.Command {
	body := map[string]any{}
	var servers, customers, kinds []string
	one := map[string]*string{}
	flags := map[string]*bool{}
	cmd := c.verb("open SENTENCE", "Open an incident: say in one sentence what you think happened", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		words, err := c.words(args[0])
		if err != nil {
			return err
		}
		body["title"] = strings.TrimSpace(words)
		for k, v := range one {
			if *v != "" {
				body[k] = *v
			}
		}
		for k, v := range flags {
			if *v {
				body[k] = true
			}
		}
		for k, v := range map[string][]string{"servers": servers, "customers": customers, "kinds": kinds} {
			if len(v) > 0 {
				body[k] = v
			}
		}
		return posted(ctx, c, "/incidents", body, c.showIncident)
	})
	f := cmd.Flags()
	f.StringArrayVar(&servers, "server", nil, "it touches this server: its customers are in it together (again for more)")
	f.StringArrayVar(&customers, "customer", nil, "it touches this customer (again for more)")
	f.StringArrayVar(&kinds, "kind", nil, "destruction, loss, alteration, disclosure or access (again for more)")
	for flag, o := range map[string][2]string{"summary": {"summary", "what is known"}, "detected": {"detected_at", "when it was noticed (default: now)"}, "certainty": {"certainty", "suspected or certain (default: suspected)"},
		"aware": {"aware_at", "since when (default: now)"}, "ground": {"ground", "on what ground"}, "lead": {"lead", "who leads (stf_; default: you)"}, "our-data": {"our_data", "whether data of our own staff or billing is touched: yes, no or unknown (default)"}, "report": {"source", "the report it comes from (rpt_)"}} {
		one[o[0]] = f.String(flag, "", o[1])
	}
	for flag, o := range map[string][2]string{"channel-unsafe": {"channel_unsafe", "the usual channel may be compromised"}, "drill": {"drill", "an exercise: nothing leaves the house"}} {
		flags[o[0]] = f.Bool(flag, false, o[1])
	}
	return cmd
}

// incidentChange changes what is known: one flag for each fact.
func (c *client) incidentChange() *cobra.Command {
	var what, summary, since, lead, ours string
	var kinds, people, facts, owed, dropped []string
	var unsafe bool
	var cmd *cobra.Command
	cmd = c.verb("change INCIDENT", "Change what is known of an incident: only what is named changes", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := map[string]any{}
		for _, x := range []struct {
			flag, key string
			value     any
		}{{"what", "title", what}, {"summary", "summary", summary}, {"since", "occurred_from", since}, {"lead", "lead", lead}, {"kind", "kinds", kinds}, {"people-in", "people_in", people}, {"our-data", "our_data", ours}, {"channel-unsafe", "channel_unsafe", unsafe}} {
			if cmd.Flags().Changed(x.flag) {
				body[x.key] = x.value
			}
		}
		list, err := caseFacts(facts, owed, dropped)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			body["facts"] = list
		}
		if len(body) == 0 {
			return usagef("say what changes: see --help")
		}
		return changed(ctx, c, http.MethodPatch, "/incidents/"+id(args[0]), func(incidentView) (any, error) { return body, nil }, c.showIncident)
	})
	f := cmd.Flags()
	f.StringVar(&what, "what", "", "what happened, in one sentence")
	f.StringVar(&summary, "summary", "", "what is known")
	f.StringVar(&since, "since", "", "since when it went on")
	f.StringVar(&lead, "lead", "", "who leads (stf_)")
	f.StringArrayVar(&kinds, "kind", nil, "destruction, loss, alteration, disclosure or access (again for more)")
	f.StringSliceVar(&people, "people-in", nil, "countries in which the people affected live: AT,DE,FR")
	f.StringVar(&ours, "our-data", "", "whether data of our own staff or billing is touched: yes, no or unknown")
	f.BoolVar(&unsafe, "channel-unsafe", false, "the usual channel may be compromised")
	f.StringArrayVar(&facts, "fact", nil, "KEY=TEXT: "+strings.Join(incidents.CaseFactKeys(), ", ")+" (again for more)")
	f.StringArrayVar(&owed, "unknown", nil, "KEY=PERSON,TIME: who (stf_) finds it out, and until when (again for more)")
	f.StringArrayVar(&dropped, "no-fact", nil, "KEY: take away what was written (again for more)")
	return cmd
}
