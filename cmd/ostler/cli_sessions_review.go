package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

func (c *client) sessionQueue() *cobra.Command {
	var p paging
	var customer, because string
	var mine bool
	type queue struct {
		Items []staffSessionView `json:"items"`
		Own   int64              `json:"own"`
	}
	cmd := c.verb("queue", "List sessions that wait for a review, the riskiest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{}
		for k, v := range map[string]string{"customer": customer, "because": because} {
			if v != "" {
				q.Set(k, v)
			}
		}
		if mine {
			q.Set("mine", "true")
		}
		if err := list(ctx, c, "/session-reviews", q, p, []string{"RISK", "WHY", "DUE", "STARTED", "WHO", "HOST", "LENGTH", "ID"}, func(v staffSessionView) []cell {
			risk := ""
			if v.Risk != nil {
				risk = count(v.Risk.Score)
			}
			return []cell{text(risk), text(v.Review.Because), text(when(v.Review.DueAt)), text(when(v.StartedAt)), text(v.who()), text(v.Host), text(v.length()), text(v.ID)}
		}, "Nothing waits for you."); err != nil || c.output == "json" {
			return err
		}
		var all queue
		if _, err := c.get(ctx, "/session-reviews", q, &all); err == nil && all.Own > 0 {
			c.say("%s besides that you took part in: others review them.", plural(all.Own, "session waits", "sessions wait"))
		}
		return nil
	})
	f := cmd.Flags()
	f.StringVar(&customer, "customer", "", "on this customer's servers")
	f.StringVar(&because, "because", "", "risk, sample or asked")
	f.BoolVar(&mine, "mine", false, "only those that you claimed")
	return p.flags(cmd)
}

func (c *client) sessionAct(verb, short string) *cobra.Command {
	return c.verb(verb+" SESSION", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/sessions/"+id(args[0])+"/"+verb, nil, c.showSession)
	})
}

func (c *client) sessionJudge() *cobra.Command {
	var said string
	cmd := c.verb("judge SESSION fine|question|violation", "Give a verdict; you must not have taken part in the session", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		switch args[1] {
		case "fine", "question", "violation":
		default:
			return usagef("a verdict is fine, question or violation")
		}
		var s staffSessionView
		if _, err := c.get(ctx, "/sessions/"+id(args[0]), nil, &s); err != nil {
			return err
		}
		words, err := c.words(said)
		if err != nil {
			return err
		}
		return posted(ctx, c, "/sessions/"+id(args[0])+"/verdict", map[string]any{"verdict": args[1], "text": words, "version": s.Version}, c.showSession)
	})
	cmd.Flags().StringVar(&said, "text", "", "what you saw; needed with a question and a violation (- reads standard input)")
	return cmd
}

// sessionText is an act on a session that needs words.
func (c *client) sessionText(verb, short, key string) *cobra.Command {
	return c.verb(verb+" SESSION TEXT", short, cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		words, err := c.words(args[1])
		if err != nil {
			return err
		}
		return posted(ctx, c, "/sessions/"+id(args[0])+"/"+verb, map[string]string{key: words}, c.showSession)
	})
}

// sessionNoteView is a remark at a second.
type sessionNoteView struct {
	ID    string `json:"id"`
	AtMS  int64  `json:"at_ms"`
	Text  string `json:"text"`
	Name  string `json:"name"`
	Shown bool   `json:"shown"`
}

func (c *client) sessionNote() *cobra.Command {
	var at time.Duration
	var shown bool
	cmd := c.verb("note SESSION TEXT", "Make a remark at a moment of a recording", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/sessions/"+id(args[0])+"/notes", map[string]any{"at_ms": at.Milliseconds(), "text": args[1], "shown": shown}, func(v sessionNoteView) error {
			return c.facts(pair{"Note", text(v.ID)}, pair{"At", text(clock(v.AtMS))}, pair{"Text", text(v.Text)})
		})
	})
	cmd.Flags().DurationVar(&at, "at", 0, "since the recording's beginning: 1m30s")
	cmd.Flags().BoolVar(&shown, "shown", false, "the customer sees it")
	return cmd
}

func (c *client) sessionNotes() *cobra.Command {
	return c.verb("notes SESSION", "List the remarks on a session", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return list(ctx, c, "/sessions/"+id(args[0])+"/notes", nil, paging{whole: true}, []string{"AT", "WHO", "TEXT", "SHOWN"}, func(v sessionNoteView) []cell {
			shown := "to us"
			if v.Shown {
				shown = "to the customer"
			}
			return []cell{text(clock(v.AtMS)), text(v.Name), text(v.Text), text(shown)}
		}, "There are no remarks.")
	})
}

func (c *client) sessionDraws() *cobra.Command {
	var p paging
	type draw struct {
		Day        string `json:"day"`
		From       string `json:"from"`
		Commitment string `json:"commitment"`
		Seed       string `json:"seed"`
		Percent    int64  `json:"percent"`
		Of         int64  `json:"of"`
		Drawn      int64  `json:"drawn"`
	}
	cmd := c.verb("draws", "List the days' samples: commitments, and seeds once the day is over", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		if c.output == "json" {
			return list(ctx, c, "/session-draws", nil, p, nil, func(draw) []cell { return nil }, "")
		}
		items, next, err := pages[draw](ctx, c, "/session-draws", nil, p)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			c.say("No sample was drawn yet.")
		}
		for _, v := range items { // a sum stands whole on a line of its own
			pairs := []pair{{v.Day, text(fmt.Sprintf("%d of %d drawn, at %d %%", v.Drawn, v.Of, v.Percent))}, {"SHA-256", text(v.Commitment)}, {"Seed", text(v.Seed)}}
			switch {
			case v.Commitment == "" && v.From != "" && v.From != v.Day:
				pairs = []pair{{v.From + " to " + v.Day, text("no seed was committed before these days: nothing is drawn of them")}}
			case v.Commitment == "":
				pairs = []pair{{v.Day, text("no seed was committed before the day: nothing is drawn of it")}}
			case v.Seed == "":
				pairs[0].value = text(fmt.Sprintf("the seed is shown after the day, at %d %%", v.Percent))
			}
			if err := c.facts(pairs...); err != nil {
				return err
			}
		}
		if next != "" {
			c.say("There are more: --page-token %s, or --limit 0 for all.", next)
		}
		return nil
	})
	return p.flags(cmd)
}

// hostLoginView is one login that a host's own records tell of.
type hostLoginView struct {
	ID      string `json:"id"`
	Server  string `json:"server"`
	Name    string `json:"server_name"`
	Weak    bool   `json:"weak"`
	Kind    string `json:"kind"`
	Account string `json:"account"`
	Target  string `json:"target"`
	From    string `json:"from"`
	At      string `json:"at"`
	State   string `json:"state"`
	Session string `json:"session"`
	Why     string `json:"why"`
}

// where is the server's name, as far as the reader may know it.
func (v hostLoginView) where() string {
	if v.Name != "" {
		return v.Name
	}
	return v.Server
}

// why is what is known of the login: what a person said, or of which session it
// is; else that it may not be true.
func (v hostLoginView) why() string {
	if said := firstLine(v.Why + v.Session); said != "" || !v.Weak {
		return said
	}
	return "from a file that any account can write"
}

func (v hostLoginView) who() string {
	if v.Target != "" {
		return v.Account + " became " + v.Target
	}
	return v.Account
}

func (c *client) sessionLogins() *cobra.Command {
	var p paging
	var customer, server string
	var states []string
	cmd := c.verb("logins", "List logins that hosts saw, the latest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{"customer": {customer}, "server": {server}, "state": states}
		return list(ctx, c, "/logins", q, p, []string{"AT", "SERVER", "KIND", "WHO", "FROM", "STATE", "WHY", "ID"}, func(v hostLoginView) []cell {
			return []cell{text(when(v.At)), text(v.where()), text(v.Kind), text(v.who()), text(v.From), state(v.State), text(v.why()), text(v.ID)}
		}, "Hosts saw no such logins.")
	})
	f := cmd.Flags()
	f.StringVar(&customer, "customer", "", "on this customer's servers")
	f.StringVar(&server, "server", "", "on this server")
	f.StringArrayVar(&states, "state", nil, "outside, awaited, matched, explained or customers_own (again for more)")
	return p.flags(cmd)
}

func (c *client) sessionExplain() *cobra.Command {
	return c.verb("explain LOGIN TEXT", "Say why a login outside Teleport was right; the customer reads it", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		words, err := c.words(args[1])
		if err != nil {
			return err
		}
		return posted(ctx, c, "/logins/"+id(args[0])+"/explain", map[string]string{"why": words}, func(v hostLoginView) error {
			return c.facts(pair{"Login", text(v.ID)}, pair{"Who", text(v.who())}, pair{"At", text(when(v.At))}, pair{"State", state(v.State)}, pair{"Because", text(v.Why)})
		})
	})
}

func (c *client) sessionCoverage() *cobra.Command {
	var from, to string
	type coverage struct {
		From     string      `json:"from"`
		To       string      `json:"to"`
		Sessions int64       `json:"sessions"`
		Recorded int64       `json:"recorded"`
		Running  int64       `json:"running"`
		Logins   int64       `json:"logins"`
		Outside  int64       `json:"outside"`
		Own      int64       `json:"customers_own"`
		Silent   []string    `json:"silent"`
		Share    json.Number `json:"share"`
	}
	cmd := c.verb("coverage CUSTOMER", "How much of what was seen on a customer's servers is recorded", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		q := url.Values{}
		for k, v := range map[string]string{"from": from, "to": to} {
			if v != "" {
				q.Set(k, v)
			}
		}
		return show(ctx, c, "/customers/"+id(args[0])+"/sessions/coverage", q, func(v coverage) error {
			share := "unknown"
			if s, err := v.Share.Float64(); err == nil {
				share = count(int64(s*100)) + " %"
			}
			if err := c.facts(pair{"From", text(when(v.From))}, pair{"To", text(when(v.To))}, pair{"Recorded", text(share)}, pair{"Sessions", text(count(v.Sessions))}, pair{"with recording", text(count(v.Recorded))},
				pair{"that run", text(count(v.Running))}, pair{"Logins seen by hosts", text(count(v.Logins))}, pair{"outside Teleport", text(count(v.Outside))}, pair{"the customer's own", text(count(v.Own))}); err != nil {
				return err
			}
			for _, s := range v.Silent {
				c.say("%s did not tell for a part of the time.", s)
			}
			return nil
		})
	})
	cmd.Flags().StringVar(&from, "from", "", "instant (default: 30 days ago)")
	cmd.Flags().StringVar(&to, "to", "", "instant (default: now)")
	return cmd
}
