package main

import (
	"context"

	"github.com/spf13/cobra"
)

// advisoryView is an advisory, with whom it concerns.
type advisoryView struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	SentAt  string `json:"sent_at"`
	Told    int64  `json:"told"`
	Waiting int64  `json:"waiting"`
	For     []struct {
		Customer string `json:"customer"`
		Server   string `json:"server"`
		Package  string `json:"package"`
		Version  string `json:"version"`
		Ground   string `json:"because"`
	} `json:"for"`
	Silent    []string `json:"silent_servers"`
	Unwritten []string `json:"unwritten"`
}

func (c *client) showAdvisory(v advisoryView) error {
	if err := c.facts(pair{"Advisory", text(v.ID)}, pair{"What", text(v.Title)}, pair{"Sent", text(when(v.SentAt))}, pair{"Reached", text(count(v.Told))}, pair{"Not yet", text(count(v.Waiting))}); err != nil {
		return err
	}
	rows := make([][]cell, len(v.For))
	for i, r := range v.For {
		rows[i] = []cell{text(r.Customer), text(r.Server), text(r.Package + " " + r.Version), text(r.Ground)}
	}
	if err := c.table([]string{"CUSTOMER", "SERVER", "HAS", "BECAUSE"}, rows); err != nil {
		return err
	}
	for _, who := range v.Unwritten {
		c.say("Nothing is written to %s yet.", who)
	}
	for _, s := range v.Silent {
		c.say("What runs on %s is not known: its customers may be concerned.", s)
	}
	return nil
}

// advisoryCommand tells customers of what is no breach.
func (c *client) advisoryCommand() *cobra.Command {
	return noun("advisory", "Tell customers of software they run, or of a change",
		c.verb("list", "List advisories, the latest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
			return list(ctx, c, "/advisories", nil, paging{whole: true}, []string{"WHAT", "SENT", "REACHED", "NOT YET", "ID"}, func(v advisoryView) []cell {
				return []cell{text(v.Title), text(when(v.SentAt)), number(count(v.Told)), number(count(v.Waiting)), text(v.ID)}
			}, "There are none.")
		}),
		c.verb("show ADVISORY", "Show an advisory, whom it concerns and why", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			return show(ctx, c, "/advisories/"+id(args[0]), nil, c.showAdvisory)
		}),
		c.advisoryPlan(),
		c.advisorySend())
}

func (c *client) advisorySend() *cobra.Command {
	var seen seenFile
	cmd := c.verb("send ADVISORY", "Send an advisory, or ask for a second person", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		versions, err := seen.versions()
		if err != nil {
			return err
		}
		return posted(ctx, c, "/advisories/"+id(args[0])+"/send", map[string]any{"seen": versions}, c.showAdvisory)
	})
	return seen.flag(cmd, "ostler incident notices --advisory ADVISORY --limit 0 --output json")
}

func (c *client) advisoryPlan() *cobra.Command {
	var title, words, software, below, ground string
	var customers []string
	var change bool
	cmd := c.verb("plan", "Find whom something concerns, and draft what they are told", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		said, err := c.words(words)
		if err != nil {
			return err
		}
		body := map[string]any{"purpose": "advisory", "title": title, "text": said, "software": software, "below": below, "customers": customers, "because": ground}
		if change {
			body["purpose"] = "change"
		}
		return posted(ctx, c, "/advisories", body, c.showAdvisory)
	})
	f := cmd.Flags()
	f.StringVar(&title, "title", "", "in a few words")
	f.StringVar(&words, "text", "", "what they should know and do (- reads standard input)")
	f.StringVar(&software, "software", "", "a package: everybody whose inventory has it")
	f.StringVar(&below, "below", "", "versions before this one")
	f.StringArrayVar(&customers, "customer", nil, "told beside those (again for more)")
	f.StringVar(&ground, "because", "", "why these are told")
	f.BoolVar(&change, "change", false, "it is a change of a service")
	_ = cmd.MarkFlagRequired("title")
	_ = cmd.MarkFlagRequired("text")
	return cmd
}
