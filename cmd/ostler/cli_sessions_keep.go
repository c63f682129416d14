package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func (c *client) sessionFeed() *cobra.Command {
	type feed struct {
		Configured  bool   `json:"configured"`
		Cluster     string `json:"cluster"`
		ReadTo      string `json:"read_to"`
		ReadAt      string `json:"read_at"`
		Events      int64  `json:"events"`
		Quarantined int64  `json:"quarantined"`
		Trouble     string `json:"trouble"`
		Since       string `json:"since"`
	}
	return c.verb("feed", "Until when the cluster's audit log was read", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return show(ctx, c, "/sessions/feed", nil, func(v feed) error {
			if !v.Configured {
				c.say("No Teleport cluster is configured: sessions are not read.")
				return nil
			}
			return c.facts(pair{"Cluster", text(v.Cluster)}, pair{"Read to", text(orNotYet(when(v.ReadTo)))}, pair{"Read at", text(when(v.ReadAt))}, pair{"Events", text(count(v.Events))},
				pair{"Unreadable", text(count(v.Quarantined))}, pair{"Trouble", text(v.Trouble)}, pair{"since", text(when(v.Since))})
		})
	})
}

// sessionJob asks for something that a job does: of a session, where path is
// what follows its id.
func (c *client) sessionJob(use, path, short string) *cobra.Command {
	var wait bool
	args := cobra.NoArgs
	if strings.Contains(use, " ") {
		args = cobra.ExactArgs(1)
	}
	cmd := c.verb(use, short, args, func(ctx context.Context, args []string) error {
		at := path
		if len(args) == 1 {
			at = "/sessions/" + id(args[0]) + path
		}
		var v struct {
			Job string `json:"job"`
		}
		a, err := c.post(ctx, at, nil, &v)
		if err != nil {
			return err
		}
		if wait {
			_, err = c.waitJob(ctx, v.Job)
			return err
		}
		return shown(c, a, v, func(struct {
			Job string `json:"job"`
		}) error {
			return c.facts(pair{"Job", text(v.Job)})
		})
	})
	return c.waits(cmd, &wait)
}

func (c *client) sessionQuarantine() *cobra.Command {
	var p paging
	type bad struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		At       string `json:"at"`
		SeenAt   string `json:"seen_at"`
		Reason   string `json:"reason"`
		Bytes    int64  `json:"bytes"`
		Resolved string `json:"resolved_at"`
	}
	cmd := c.verb("quarantine", "List events that could not be taken in", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/sessions/quarantine", nil, p, []string{"SEEN", "OF", "TYPE", "SIZE", "WHY", "LOOKED AT", "ID"}, func(v bad) []cell {
			return []cell{text(when(v.SeenAt)), text(when(v.At)), text(v.Type), text(size(v.Bytes)), text(v.Reason), text(orNotYet(when(v.Resolved))), text(v.ID)}
		}, "Every event was taken in.")
	})
	return p.flags(cmd)
}

func (c *client) sessionDismiss() *cobra.Command {
	return c.verb("dismiss EVENT TEXT", "Say that a person has looked at an event that could not be taken in", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		words, err := c.words(args[1])
		if err == nil {
			_, err = c.post(ctx, "/sessions/quarantine/"+id(args[0])+"/dismiss", map[string]string{"why": words}, nil)
		}
		if err == nil {
			c.say("Noted.")
		}
		return err
	})
}

// sessionHoldView is a hold on recordings.
type sessionHoldView struct {
	ID         string `json:"id"`
	Session    string `json:"session"`
	Customer   string `json:"customer"`
	From       string `json:"from"`
	To         string `json:"to"`
	Reason     string `json:"reason"`
	At         string `json:"at"`
	Until      string `json:"until"`
	ReleasedAt string `json:"released_at"`
	Asked      string `json:"asked"`
	Alone      bool   `json:"alone"`
	ReviewedBy string `json:"reviewed_by"`
}

func (v sessionHoldView) what() string {
	if v.Session != "" {
		return v.Session
	}
	return v.Customer + " from " + when(v.From) + " to " + when(v.To)
}

// released is how a hold ended, as people say it.
func (v sessionHoldView) released() string {
	switch {
	case v.Alone && v.ReviewedBy == "":
		return when(v.ReleasedAt) + ", by one person: somebody else has to look at it"
	case v.Alone:
		return when(v.ReleasedAt) + ", by one person, and looked at"
	}
	return when(v.ReleasedAt)
}

func (c *client) showHold(v sessionHoldView) error {
	return c.facts(pair{"Hold", text(v.ID)}, pair{"Keeps", text(v.what())}, pair{"Until", text(when(v.Until))}, pair{"Because", text(v.Reason)}, pair{"Release asked by", text(v.Asked)}, pair{"Released", text(v.released())})
}

func (c *client) sessionHolds() *cobra.Command {
	var p paging
	var customer string
	var all bool
	cmd := c.verb("holds", "List what keeps recordings beyond their term", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{"customer": {customer}}
		if all {
			q.Set("all", "true")
		}
		return list(ctx, c, "/session-holds", q, p, []string{"SINCE", "KEEPS", "UNTIL", "WHY", "RELEASED", "ID"}, func(v sessionHoldView) []cell {
			return []cell{text(when(v.At)), text(v.what()), text(when(v.Until)), text(firstLine(v.Reason)), text(v.released()), text(v.ID)}
		}, "Nothing is held.")
	})
	cmd.Flags().StringVar(&customer, "customer", "", "of this customer")
	cmd.Flags().BoolVar(&all, "all", false, "those that ended, too")
	return p.flags(cmd)
}

func (c *client) sessionHold() *cobra.Command {
	var b bodyFlags
	cmd := c.verb("hold", "Keep recordings beyond their term: one session's, or a customer's of a time", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		if (sent["session"] == nil) == (sent["customer"] == nil) {
			return usagef("name a session with --session, or a customer with --customer")
		}
		return posted(ctx, c, "/session-holds", sent, c.showHold)
	})
	return b.add(cmd, bodyFlag{name: "session", help: "one session"}, bodyFlag{name: "customer", help: "every session of a customer"}, bodyFlag{name: "from", help: "of a customer: from this instant or date", instant: true},
		bodyFlag{name: "to", help: "of a customer: until this instant or date", instant: true}, bodyFlag{name: "reason", help: "why", must: true}, bodyFlag{name: "until", help: "instant or date (default: in 30 days)", instant: true})
}

func (c *client) sessionRelease() *cobra.Command {
	var why string
	var alone bool
	cmd := c.verb("release HOLD", "End a hold: one person asks, another one grants it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		path := "/session-holds/" + id(args[0]) + "/release"
		if alone {
			path += "-alone"
		}
		return posted(ctx, c, path, map[string]string{"why": why}, c.showHold)
	})
	cmd.Flags().StringVar(&why, "why", "", "why")
	cmd.Flags().BoolVar(&alone, "alone", false, "in an emergency, without a second person: the customers are told, and somebody else looks at it")
	_ = cmd.MarkFlagRequired("why")
	return cmd
}

func (c *client) sessionTerms() *cobra.Command {
	var watch, commands string
	var percent int64
	type terms struct {
		Watch    bool  `json:"watch"`
		Commands bool  `json:"commands"`
		Percent  int64 `json:"percent"`
		Months   int64 `json:"months"`
	}
	print := func(v terms) error {
		yes := map[bool]string{true: "yes", false: "no"}
		return c.facts(pair{"They may watch", text(yes[v.Watch])}, pair{"They see commands", text(yes[v.Commands])}, pair{"Drawn for review", text(count(v.Percent) + " %")}, pair{"Kept at most", text(plural(v.Months, "month", "months"))})
	}
	cmd := c.verb("terms CUSTOMER", "What was agreed with a customer about recordings; change it with the flags", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		path := "/customers/" + id(args[0]) + "/sessions/terms"
		var v terms
		a, err := c.get(ctx, path, nil, &v)
		if err != nil {
			return err
		}
		before := v
		for _, f := range []struct {
			said string
			into *bool
		}{{watch, &v.Watch}, {commands, &v.Commands}} {
			switch f.said {
			case "":
			case "yes", "no":
				*f.into = f.said == "yes"
			default:
				return usagef("--watch and --commands are yes or no")
			}
		}
		if percent >= 0 {
			v.Percent = percent
		}
		if v == before {
			return shown(c, a, v, print)
		}
		a, err = c.call(ctx, http.MethodPut, path, nil, map[string]any{"watch": v.Watch, "commands": v.Commands, "percent": v.Percent}, http.Header{"If-Match": {a.header.Get("ETag")}}, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, print)
	})
	cmd.Flags().StringVar(&watch, "watch", "", "yes or no: their owners may watch recordings of servers that are theirs alone")
	cmd.Flags().StringVar(&commands, "commands", "", "yes or no: they see the commands that were run")
	cmd.Flags().Int64Var(&percent, "percent", -1, "of sessions without a cause, drawn for review: 0 to 100")
	return cmd
}
