package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"
)

// recertificationView is what the command line reads of a recertification.
type recertificationView struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	DueAt   string `json:"due_at"`
	EndedAt string `json:"ended_at"`
	Total   int64  `json:"total"`
	Open    int64  `json:"open"`
	Kept    int64  `json:"kept"`
	Revoked int64  `json:"revoked"`
}

// recertificationItemView is what the command line reads of a line to confirm.
type recertificationItemView struct {
	ID         string `json:"id"`
	Customer   string `json:"customer"`
	Name       string `json:"name"`
	Role       string `json:"role"`
	Way        string `json:"way"`
	LastUsed   string `json:"last_used_at"`
	LastOnCall bool   `json:"last_on_call"`
	Answer     string `json:"answer"`
	Because    string `json:"because"`
	RevokeAt   string `json:"revoke_at"`
}

// said is what was answered, or that nothing was yet.
func (v recertificationItemView) said() string {
	switch v.Answer {
	case "":
		return "open"
	case "revoked_silently":
		return "revoked, nobody answered"
	}
	return spaced(v.Answer)
}

func (c *client) accessRecertification() *cobra.Command {
	return noun("recertification", "Have every line of every list confirmed by somebody", c.recertificationList(), c.recertificationStart(), c.recertificationItems(), c.recertificationAnswer())
}

func (c *client) recertificationList() *cobra.Command {
	var p paging
	return p.flags(c.verb("list", "List recertifications, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/access/recertifications", nil, p, []string{"TITLE", "DUE", "ENDED", "LINES", "OPEN", "KEPT", "REVOKED", "ID"}, func(v recertificationView) []cell {
			return []cell{text(v.Title), text(when(v.DueAt)), text(orNotYet(v.EndedAt)), number(count(v.Total)), number(count(v.Open)), number(count(v.Kept)), number(count(v.Revoked)), text(v.ID)}
		}, "There was no recertification yet.")
	}))
}

func (c *client) recertificationStart() *cobra.Command {
	var b bodyFlags
	cmd := c.verb("start TITLE", "Ask about every line of every list; what nobody confirms by the date is revoked", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		sent["title"] = args[0]
		return posted(ctx, c, "/access/recertifications", sent, func(v recertificationView) error {
			return c.facts(pair{"Recertification", text(v.ID)}, pair{"Title", text(v.Title)}, pair{"Due", text(when(v.DueAt))}, pair{"Lines", text(count(v.Total))})
		})
	})
	return b.add(cmd, bodyFlag{name: "due", help: "instant or date", must: true, instant: true})
}

func (c *client) recertificationItems() *cobra.Command {
	var p paging
	var customer string
	cmd := c.verb("items RECERTIFICATION", "List what a recertification asks, the open ones first", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		name, err := c.names(ctx)
		if err != nil {
			return err
		}
		return list(ctx, c, "/access/recertifications/"+id(args[0])+"/items", url.Values{"customer": {customer}}, p, []string{"WHO", "CUSTOMER", "WAY", "ROLE", "LAST USED", "ANSWER", "WHY", "ID"}, func(v recertificationItemView) []cell {
			return []cell{text(v.Name), text(name(v.Customer)), text(v.Way), text(v.Role), text(when(v.LastUsed)), text(v.said()), text(firstLine(v.Because)), text(v.ID)}
		}, "It asks about nothing.")
	})
	cmd.Flags().StringVar(&customer, "customer", "", "only of this customer, by slug or id")
	return p.flags(cmd)
}

func (c *client) recertificationAnswer() *cobra.Command {
	var keep, revoke bool
	var why string
	cmd := c.verb("answer ITEM", "Keep one line, or revoke it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if keep == revoke {
			return usagef("say --keep, or --revoke")
		}
		return posted(ctx, c, "/access/recertification-items/"+id(args[0])+"/answer", map[string]any{"keep": keep, "because": why}, func(v recertificationItemView) error {
			return c.facts(pair{"Line", text(v.ID)}, pair{"Who", text(v.Name)}, pair{"Answer", text(v.said())}, pair{"Because", text(v.Because)}, pair{"Ends", text(when(v.RevokeAt))})
		})
	})
	cmd.Flags().BoolVar(&keep, "keep", false, "it is still needed")
	cmd.Flags().BoolVar(&revoke, "revoke", false, "take it away; the customer is told")
	cmd.Flags().StringVar(&why, "why", "", "why")
	_ = cmd.MarkFlagRequired("why")
	return cmd
}
