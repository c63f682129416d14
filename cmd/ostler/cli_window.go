package main

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"
)

// windowView is what the command line reads of a change window.
type windowView struct {
	ID         string `json:"id"`
	ServerName string `json:"server_name"`
	State      string `json:"state"`
	Ticket     string `json:"ticket"`
	Who        string `json:"who"`
	What       string `json:"what"`
	OpenedAt   string `json:"opened_at"`
	EndsAt     string `json:"ends_at"`
	ClosedAt   string `json:"closed_at"`
}

// until is when it ended, or ends.
func (v windowView) until() string {
	if v.ClosedAt != "" {
		return when(v.ClosedAt)
	}
	return when(v.EndsAt)
}

func (c *client) showWindow(v windowView) error {
	return c.facts(pair{"Window", text(v.ID)}, pair{"Server", text(v.ServerName)}, pair{"State", state(v.State)}, pair{"Ticket", text(v.Ticket)},
		pair{"Who", text(v.Who)}, pair{"What", text(v.What)}, pair{"Since", text(when(v.OpenedAt))}, pair{"Until", text(v.until())})
}

func (c *client) windowCommand() *cobra.Command {
	var p paging
	var server string
	var open bool
	lst := c.verb("list", "List change windows, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, server, "")
		if err != nil {
			return err
		}
		if open {
			q.Set("open", "true")
		}
		return list(ctx, c, "/windows", q, p, []string{"SINCE", "UNTIL", "SERVER", "STATE", "TICKET", "WHO", "ID"}, func(v windowView) []cell {
			return []cell{text(when(v.OpenedAt)), text(v.until()), text(v.ServerName), state(v.State), text(v.Ticket), text(v.Who), text(v.ID)}
		}, "There are no change windows. Open one before you change a server: ostler window open SERVER --ticket TICKET")
	})
	lst.Flags().StringVar(&server, "server", "", "server, by name or id")
	lst.Flags().BoolVar(&open, "open", false, "only those that last")
	shut := c.verb("close WINDOW", "Close a change window, by its id; one that has ended stays as it is", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var v windowView
		a, err := c.post(ctx, "/windows/"+id(args[0])+"/close", nil, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, c.showWindow)
	})
	return noun("window", "Change windows: times in which a server is changed on purpose", p.flags(lst), c.windowOpen(), shut)
}

func (c *client) windowOpen() *cobra.Command {
	var ticket, who, what string
	var long time.Duration
	cmd := c.verb("open SERVER", "Open a change window on a server, so that what is found changed can be explained; it ends by itself", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if long%time.Minute != 0 || long < 0 {
				return usagef("--for is whole minutes, like 90m or 2h")
			}
			if who == "" {
				who = whoAmI()
			}
			var v windowView
			a, err := c.post(ctx, "/windows", map[string]any{"server": args[0], "ticket": ticket, "who": who, "what": what, "minutes": int(long / time.Minute)}, &v)
			if err != nil {
				return err
			}
			if err := shown(c, a, v, c.showWindow); err != nil {
				return err
			}
			c.say("Close it when you are done: ostler window close %s", v.ID)
			return nil
		})
	cmd.Flags().StringVar(&ticket, "ticket", "", "why: OPS-1234")
	cmd.Flags().StringVar(&who, "who", "", "who makes the change (default: your name on this machine)")
	cmd.Flags().StringVar(&what, "what", "", "with what: a playbook, a command")
	cmd.Flags().DurationVar(&long, "for", 2*time.Hour, "when it ends by itself, at most 12h")
	_ = cmd.MarkFlagRequired("ticket")
	return cmd
}

// whoAmI is who types, and where; what the machine does not know is left out.
func whoAmI() string {
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		return fmt.Sprintf("%s on %s", name, host)
	}
	return name
}
