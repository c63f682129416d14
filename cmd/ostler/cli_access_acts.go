package main

import (
	"context"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// grantView is what the command line reads of a grant.
type grantView struct {
	ID       string   `json:"id"`
	Who      string   `json:"who"`
	Customer string   `json:"customer"`
	Role     string   `json:"role"`
	Kind     string   `json:"kind"`
	State    string   `json:"state"`
	Reason   string   `json:"reason"`
	Ticket   string   `json:"ticket"`
	TicketBy string   `json:"ticket_by"`
	From     string   `json:"from"`
	Until    string   `json:"until"`
	Needs    []string `json:"needs"`
	Alone    bool     `json:"alone"`
	AnswerBy string   `json:"answer_by"`
	EndedAt  string   `json:"ended_at"`
	EndedWhy string   `json:"ended_why"`
}

func (c *client) showGrant(v grantView) error {
	return c.facts(pair{"Grant", text(v.ID)}, pair{"Who", text(v.Who)}, pair{"Role", text(v.Role)}, pair{"Kind", text(v.Kind)}, pair{"Alone", text(map[bool]string{true: "yes, nobody else was awake"}[v.Alone])}, pair{"State", state(v.State)}, pair{"Waits for", text(strings.Join(v.Needs, ", "))},
		pair{"Answer by", text(when(v.AnswerBy))}, pair{"From", text(when(v.From))}, pair{"Until", text(when(v.Until))}, pair{"Reason", text(v.Reason)}, pair{"Ticket", text(v.Ticket)},
		pair{"Ticket by", text(when(v.TicketBy))}, pair{"Ended", text(when(v.EndedAt))}, pair{"Because", text(v.EndedWhy)})
}

func (c *client) accessGrants() *cobra.Command {
	var p paging
	var states []string
	cmd := c.verb("grants [CUSTOMER]", "List grants, newest first", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		path := "/access/grants"
		if len(args) == 1 {
			path = "/customers/" + id(args[0]) + "/access/grants"
		}
		return list(ctx, c, path, url.Values{"state": states}, p, []string{"WHO", "ROLE", "STATE", "FROM", "UNTIL", "TICKET", "REASON", "ID"}, func(v grantView) []cell {
			return []cell{text(v.Who), text(v.Role), state(v.State), text(when(v.From)), text(when(v.Until)), text(v.Ticket), text(firstLine(v.Reason)), text(v.ID)}
		}, "There are no such grants.")
	})
	cmd.Flags().StringArrayVar(&states, "state", nil, "proposed, active, refused, revoked or expired (again for more)")
	return p.flags(cmd)
}

func (c *client) accessGrant() *cobra.Command {
	var b bodyFlags
	var emergency, alone bool
	cmd := c.verb("grant CUSTOMER", "Grant a person or a team access, or propose it where somebody else has to agree", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		switch {
		case err != nil:
			return err
		case (sent["person"] == nil) == (sent["team"] == nil):
			return usagef("name a person with --person, or a team with --team")
		case alone && !emergency:
			return usagef("--alone goes with --break-glass")
		}
		sent["customer"], sent["alone"] = args[0], alone
		if emergency {
			sent["kind"] = "break_glass"
		}
		return posted(ctx, c, "/access/grants", sent, c.showGrant)
	})
	cmd.Flags().BoolVar(&emergency, "break-glass", false, "in force at once, for four hours at most, and reviewed the next working day")
	cmd.Flags().BoolVar(&alone, "alone", false, "with --break-glass, to yourself: nobody else is awake to grant it")
	return b.add(cmd, bodyFlag{name: "person", help: "who, by id, e-mail or name", find: c.findPerson}, bodyFlag{name: "team", help: "a team instead, by id or name", find: c.findTeam}, bodyFlag{name: "role", help: "what it gives", must: true},
		bodyFlag{name: "reason", help: "why; the customer reads it", must: true}, bodyFlag{name: "ticket", help: "the ticket"}, bodyFlag{name: "no-ticket-until", key: "no_ticket_until", help: "while the ticket system is down: by then the ticket is filled in", instant: true},
		bodyFlag{name: "from", help: "instant or date (default: now)", instant: true}, bodyFlag{name: "until", help: "instant or date", must: true, instant: true})
}

func (c *client) accessAnswer() *cobra.Command {
	var refuse bool
	var note string
	cmd := c.verb("answer GRANT", "Approve a proposed grant, or refuse it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/access/grants/"+id(args[0])+"/answer", map[string]any{"yes": !refuse, "note": note}, c.showGrant)
	})
	cmd.Flags().BoolVar(&refuse, "refuse", false, "refuse it")
	cmd.Flags().StringVar(&note, "note", "", "why")
	return cmd
}

func (c *client) accessExtend() *cobra.Command {
	var until, reason, ticket string
	cmd := c.verb("extend GRANT", "Move a grant's end, with a reason of its own", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		end, err := instantOf("until", until)
		if err != nil {
			return err
		}
		return posted(ctx, c, "/access/grants/"+id(args[0])+"/extend", map[string]string{"until": end, "reason": reason, "ticket": ticket}, c.showGrant)
	})
	cmd.Flags().StringVar(&until, "until", "", "instant or date")
	cmd.Flags().StringVar(&reason, "reason", "", "why; the customer reads it")
	cmd.Flags().StringVar(&ticket, "ticket", "", "the ticket")
	_ = cmd.MarkFlagRequired("until")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (c *client) accessRevoke() *cobra.Command {
	var why string
	cmd := c.verb("revoke GRANT", "End a grant now", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/access/grants/"+id(args[0])+"/revoke", map[string]string{"why": why}, c.showGrant)
	})
	cmd.Flags().StringVar(&why, "why", "", "why; the customer reads it")
	_ = cmd.MarkFlagRequired("why")
	return cmd
}

func (c *client) accessLeave() *cobra.Command {
	var yes, why string
	cmd := c.verb("leave WHO", "End everything that a person has, on every customer at once", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		who, err := c.findPerson(ctx, args[0])
		if err != nil {
			return err
		}
		var p accessPersonView
		if _, err := c.get(ctx, "/access/people/"+id(who), nil, &p); err != nil {
			return err
		}
		if err := c.confirm(yes, p.Name, "They lose all access, and are locked out for good."); err != nil {
			return err
		}
		type left struct {
			Customers int64 `json:"customers"`
		}
		return posted(ctx, c, "/access/people/"+id(who)+"/leave", map[string]string{"why": why}, func(v left) error {
			return c.facts(pair{"Left", text(p.Name)}, pair{"Taken off", text(plural(v.Customers, "customer's list", "customers' lists"))})
		})
	})
	cmd.Flags().StringVar(&yes, "yes", "", "do not ask: the person's name")
	cmd.Flags().StringVar(&why, "why", "", "why, for the record")
	_ = cmd.MarkFlagRequired("why")
	return cmd
}

// enforcementView is what the command line reads of how the cluster stands.
type enforcementView struct {
	Configured   bool   `json:"configured"`
	Mode         string `json:"mode"`
	Cluster      string `json:"cluster"`
	Version      string `json:"version"`
	LookedAt     string `json:"looked_at"`
	Trouble      string `json:"trouble"`
	TroubleNext  string `json:"trouble_next"`
	TroubleSince string `json:"trouble_since"`
	Expires      string `json:"identity_expires"`
	LocksRefused bool   `json:"locks_refused"`
	Planned      []any  `json:"planned"`
	Foreign      []any  `json:"foreign"`
	Connector    string `json:"connector"`
}

func (c *client) showEnforcement(v enforcementView) error {
	if !v.Configured {
		c.say("No Teleport cluster is configured.")
	}
	if v.Trouble != "" {
		c.say("%s %s", v.Trouble, v.TroubleNext)
	}
	return c.facts(pair{"Mode", text(v.Mode)}, pair{"Cluster", text(v.Cluster)}, pair{"Version", text(v.Version)}, pair{"Looked at", text(when(v.LookedAt))}, pair{"Unconfirmed since", text(when(v.TroubleSince))},
		pair{"Identity until", text(when(v.Expires))}, pair{"Locks refused", text(yesNo(v.LocksRefused))}, pair{"Differences", text(count(int64(len(v.Planned))))}, pair{"Roles that are not ours", text(count(int64(len(v.Foreign))))})
}

func (c *client) accessEnforcement() *cobra.Command {
	var connector bool
	cmd := c.verb("enforcement", "Show how the Teleport cluster stands", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return show(ctx, c, "/access/enforcement", nil, func(v enforcementView) error {
			if !connector {
				return c.showEnforcement(v)
			}
			for _, l := range safeLines(v.Connector) {
				if _, err := c.out.Write([]byte(l + "\n")); err != nil {
					return err
				}
			}
			return nil
		})
	})
	cmd.Flags().BoolVar(&connector, "connector", false, "print the mapping that the single sign-on connector needs")
	return cmd
}

func (c *client) accessMode() *cobra.Command {
	var yes, why string
	cmd := c.verb("mode MODE", "Change how the cluster is dealt with: observe, shadow or enforce", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if args[0] == "enforce" {
			if err := c.confirm(yes, args[0], "From then on the cluster's roles follow the lists."); err != nil {
				return err
			}
		}
		return posted(ctx, c, "/access/enforcement/mode", map[string]string{"mode": args[0], "why": why}, c.showEnforcement)
	})
	cmd.Flags().StringVar(&yes, "yes", "", "do not ask: enforce")
	cmd.Flags().StringVar(&why, "why", "", "why, for the record")
	_ = cmd.MarkFlagRequired("why")
	return cmd
}

func (c *client) accessLook() *cobra.Command {
	var server string
	cmd := c.verb("look", "Have the cluster looked at now, and a host with --server", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		type job struct {
			Job string `json:"job"`
		}
		return posted(ctx, c, "/access/enforcement/look", map[string]string{"server": server}, func(v job) error { return c.facts(pair{"Job", text(v.Job)}) })
	})
	cmd.Flags().StringVar(&server, "server", "", "this host too, by name or id")
	return cmd
}

func (c *client) accessVerify() *cobra.Command {
	return c.verb("verify", "Rebuild every list from the ledger alone and compare; exit code 1 where one differs", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		var v struct {
			OK      bool     `json:"ok"`
			Checked int64    `json:"checked"`
			Differ  []string `json:"differ"`
		}
		a, err := c.post(ctx, "/access/verification", map[string]any{}, &v)
		if err != nil {
			return err
		}
		if c.output == "json" {
			err = c.json(a.raw)
		} else if v.OK {
			c.say("The lists are what the ledger says: %s.", plural(v.Checked, "entry", "entries"))
		}
		if err != nil || v.OK {
			return err
		}
		return controlplane.Errorf(controlplane.CodeInternal, "Keep everything as it is, and find out who could write in the database.",
			"%s: %s", plural(int64(len(v.Differ)), "line is not what the ledger says", "lines are not what the ledger says"), firstLine(strings.Join(v.Differ, " ")))
	})
}
