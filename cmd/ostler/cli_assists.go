package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"
)

// assistView is what the command line reads of an assist.
type assistView struct {
	ID        string `json:"id"`
	Customer  string `json:"customer"`
	Staff     string `json:"staff"`
	Reason    string `json:"reason"`
	Ticket    string `json:"ticket"`
	StartedAt string `json:"started_at"`
	EndsAt    string `json:"ends_at"`
	EndedAt   string `json:"ended_at"`
}

// ended is when it ended, or ends.
func (v assistView) ended() string {
	if v.EndedAt != "" {
		return when(v.EndedAt)
	}
	return when(v.EndsAt)
}

func (c *client) showAssist(v assistView) error {
	return c.facts(pair{"Assist", text(v.ID)}, pair{"Customer", text(v.Customer)}, pair{"Ticket", text(v.Ticket)}, pair{"Reason", text(v.Reason)},
		pair{"Since", text(when(v.StartedAt))}, pair{"Until", text(v.ended())}, pair{"Staff", text(v.Staff)})
}

func (c *client) assistCommand() *cobra.Command {
	var reason, ticket string
	start := c.verb("start CUSTOMER", "See a customer's files and restore them, for four hours; the customer sees the reason and the ticket", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			var v assistView
			a, err := c.post(ctx, "/assists", map[string]any{"customer": args[0], "reason": reason, "ticket": ticket}, &v)
			if err != nil {
				return err
			}
			return shown(c, a, v, c.showAssist)
		})
	start.Flags().StringVar(&reason, "reason", "", "why; the customer reads it")
	start.Flags().StringVar(&ticket, "ticket", "", "the ticket: OPS-1234")
	_ = start.MarkFlagRequired("reason")
	_ = start.MarkFlagRequired("ticket")
	end := c.verb("end [ASSIST]", "End an assist: your open one, or the one of that id", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		if len(args) == 0 {
			var v assistView
			if _, err := c.get(ctx, "/assists/current", nil, &v); err != nil {
				return err
			}
			args = []string{v.ID}
		}
		if _, err := c.post(ctx, "/assists/"+id(args[0])+"/end", nil, nil); err != nil {
			return err
		}
		c.say("The assist has ended.")
		return nil
	})
	return noun("assist", "Help a customer restore, with a reason that they see", start, end, c.assistList())
}

func (c *client) assistList() *cobra.Command {
	var customer string
	var open bool
	cmd := c.verb("list", "List the newest assists", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{"customer": {customer}}
		if open {
			q.Set("open", "true")
		}
		name, err := c.names(ctx)
		if err != nil {
			return err
		}
		return list(ctx, c, "/assists", q, paging{limit: pageSize}, []string{"SINCE", "UNTIL", "CUSTOMER", "TICKET", "REASON", "STAFF", "ID"}, func(v assistView) []cell {
			return []cell{text(when(v.StartedAt)), text(v.ended()), text(name(v.Customer)), text(v.Ticket), text(v.Reason), text(v.Staff), text(v.ID)}
		}, "Nobody has looked into a customer's files to help.")
	})
	cmd.Flags().StringVar(&customer, "customer", "", "customer, by slug or id")
	cmd.Flags().BoolVar(&open, "open", false, "only those that last")
	return cmd
}
