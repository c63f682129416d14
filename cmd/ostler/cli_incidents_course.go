package main

import (
	"context"

	"github.com/spf13/cobra"
)

// textFlag is a flag whose value goes into a field of the body.
type textFlag struct{ name, key, help string }

// incidentAct is an act on an incident: its flags are the fields of its body, and
// what stands in needs must be given.
func (c *client) incidentAct(verb, path, short string, fixed map[string]any, needs []string, flags ...textFlag) *cobra.Command {
	one := make([]*string, len(flags))
	cmd := c.verb(verb+" INCIDENT", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := map[string]any{}
		for k, v := range fixed {
			body[k] = v
		}
		for i, f := range flags {
			if *one[i] == "" {
				continue
			}
			words, err := c.words(*one[i])
			if err != nil {
				return err
			}
			body[f.key] = words
		}
		return posted(ctx, c, "/incidents/"+id(args[0])+"/"+path, body, c.showIncident)
	})
	for i, f := range flags {
		one[i] = cmd.Flags().String(f.name, "", f.help)
	}
	for _, n := range needs {
		_ = cmd.MarkFlagRequired(n)
	}
	return cmd
}

func (c *client) incidentCourse() []*cobra.Command {
	why := textFlag{"because", "because", "why (- reads standard input)"}
	at := func(help string) textFlag { return textFlag{"at", "at", help} }
	how := textFlag{"how", "how", "by what"}
	return []*cobra.Command{
		c.incidentAct("assert", "awareness", "Say since when it was suspected, or certain", nil, []string{"certainty", "ground"}, textFlag{"certainty", "certainty", "suspected or certain"}, textFlag{"aware", "aware_at", "since when (default: now)"},
			textFlag{"ground", "ground", "on what ground"}, textFlag{"customer", "customer", "of this customer alone; “incident” is the incident itself, whatever data it touched (NIS2)"}, textFlag{"corrects", "supersedes", "the assertion that it corrects (asr_); to a later time, another person confirms it"}),
		c.incidentAct("confirm", "awareness/confirm", "Confirm a correction to a later time, as another person", nil, []string{"assertion"}, textFlag{"assertion", "assertion", "which (asr_)"}),
		c.incidentAffect(),
		c.incidentAct("clear", "clear", "Say that a customer is not in it; of who is held certain, another person confirms it; whoever was told is told so", nil, []string{"customer", "because"}, textFlag{"customer", "customer", "who"}, why),
		c.incidentAct("contain", "contain", "Say since when nobody could reach the data any more", nil, []string{"how"}, at("since when (default: now)"), how),
		c.incidentAct("handled", "handled", "Say since when it is handled", nil, []string{"how"}, at("since when (default: now)"), how),
		c.incidentAct("close", "close", "Close an incident", map[string]any{"state": "closed"}, []string{"because"}, why),
		c.incidentAct("false-alarm", "close", "Say that nothing had happened; where somebody is certain, another person confirms it; whoever was told is told so", map[string]any{"state": "false_alarm"}, []string{"because"}, why),
		c.incidentAct("reopen", "reopen", "Open it again on new facts: a new clock", nil, []string{"because"}, textFlag{"aware", "aware_at", "since when the new facts are known (default: now)"}, why),
		c.incidentAct("unclose", "reopen", "Open it again because it was closed wrongly: the old clock runs on", map[string]any{"wrongly_closed": true}, []string{"because"}, why),
		c.incidentAct("merge", "merge", "Have it go on in another one", nil, []string{"into", "because"}, textFlag{"into", "into", "the other one"}, why),
		c.incidentSplit(),
		c.incidentAct("freeze", "freeze", "Keep its recordings, logs and backups longer than the first 30 days", nil, []string{"until", "because"}, textFlag{"until", "until", "until when"}, why),
		c.incidentAct("thaw", "thaw", "Let go of what is kept for it", nil, []string{"because"}, why),
	}
}

func (c *client) incidentAffect() *cobra.Command {
	var customers, servers []string
	var since, because string
	var certain bool
	cmd := c.verb("affect INCIDENT", "Put customers, or the customers of servers, into it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := map[string]any{"customers": customers, "servers": servers, "because": because, "state": "possible"}
		if certain {
			body["state"] = "affected"
		}
		if since != "" {
			body["since"] = since
		}
		return posted(ctx, c, "/incidents/"+id(args[0])+"/affected", body, c.showIncident)
	})
	f := cmd.Flags()
	f.StringArrayVar(&customers, "customer", nil, "who (again for more)")
	f.StringArrayVar(&servers, "server", nil, "everybody on this server (again for more)")
	f.BoolVar(&certain, "certain", false, "their data is concerned: their clock starts")
	f.StringVar(&since, "since", "", "since when that is known (default: now)")
	f.StringVar(&because, "because", "", "why")
	_ = cmd.MarkFlagRequired("because")
	return cmd
}

func (c *client) incidentSplit() *cobra.Command {
	var customers, servers []string
	var because string
	cmd := c.verb("split INCIDENT SENTENCE", "Make an incident of its own of a part of one", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/incidents/"+id(args[0])+"/split", map[string]any{"title": args[1], "customers": customers, "servers": servers, "because": because}, c.showIncident)
	})
	f := cmd.Flags()
	f.StringArrayVar(&customers, "customer", nil, "who goes along (again for more)")
	f.StringArrayVar(&servers, "server", nil, "which server goes along (again for more)")
	f.StringVar(&because, "because", "", "why")
	_ = cmd.MarkFlagRequired("because")
	return cmd
}
