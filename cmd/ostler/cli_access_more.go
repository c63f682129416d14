package main

import (
	"context"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

func (c *client) showWayIn(v foundAccessView) error {
	return c.facts(pair{"Way in", text(v.ID)}, pair{"Server", text(v.ServerName)}, pair{"Kind", text(v.Kind)}, pair{"Account", text(v.Account)}, pair{"Whose", text(v.whose())})
}

func (c *client) accessExplain() *cobra.Command {
	var b bodyFlags
	var nobody bool
	cmd := c.verb("explain FOUND", "Say whose a way in is that a scan found", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		if nobody && len(sent) > 0 || !nobody && len(sent) != 1 {
			return usagef("name a person with --person, the customer who let them in with --customer, or take it back with --nobody")
		}
		return posted(ctx, c, "/access/found/"+id(args[0])+"/explain", sent, c.showWayIn)
	})
	cmd.Flags().BoolVar(&nobody, "nobody", false, "it is not known whose: take back what was said")
	return b.add(cmd, bodyFlag{name: "person", help: "whose it is, by id, e-mail or name", find: c.findPerson}, bodyFlag{name: "customer", help: "the customer let them in; they are asked to confirm it"})
}

func (c *client) accessBaseline() *cobra.Command {
	var b bodyFlags
	cmd := c.verb("baseline", "Accept what no list explains as it was found, with an owner and a date to look again", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		type accepted struct {
			Accepted int64 `json:"accepted"`
		}
		return posted(ctx, c, "/access/baselines", sent, func(v accepted) error { return c.facts(pair{"Accepted", text(count(v.Accepted))}) })
	})
	return b.add(cmd, bodyFlag{name: "server", help: "name or id (default: what roles that are not ours enforce in the cluster)"}, bodyFlag{name: "owner", help: "who answers for it, by id, e-mail or name", must: true, find: c.findPerson},
		bodyFlag{name: "review", help: "instant or date of the next look", must: true, instant: true}, bodyFlag{name: "reason", help: "why", must: true})
}

func (c *client) accessAcceptRole() *cobra.Command {
	var b bodyFlags
	cmd := c.verb("accept-role ROLE", "Answer for a role of the cluster that is not ours, until a date", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		sent["role"] = args[0]
		if _, err := c.post(ctx, "/access/enforcement/roles", sent, nil); err != nil {
			return err
		}
		c.say("%s is accepted.", args[0])
		return nil
	})
	return b.add(cmd, bodyFlag{name: "owner", help: "who answers for it, by id, e-mail or name", must: true, find: c.findPerson}, bodyFlag{name: "until", help: "instant or date", must: true, instant: true}, bodyFlag{name: "reason", help: "why", must: true})
}

func (c *client) accessAcknowledge() *cobra.Command {
	return c.verb("acknowledge NOTICE", "Take note of a notice, as the customer whom it tells", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/access/notices/"+id(args[0])+"/acknowledge", nil, func(v noticeView) error {
			return c.facts(pair{"Notice", text(v.ID)}, pair{"State", state(v.State)}, pair{"Changes", text(count(int64(len(v.Changes))))}, pair{"Acknowledged", text(when(v.AcknowledgedAt))})
		})
	})
}

func (c *client) accessTicket() *cobra.Command {
	return c.verb("ticket GRANT TICKET", "Fill in the ticket that a grant lacks", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/access/grants/"+id(args[0])+"/ticket", map[string]string{"ticket": args[1]}, c.showGrant)
	})
}

func (c *client) accessReview() *cobra.Command {
	var b bodyFlags
	cmd := c.verb("review GRANT", "Note that you looked at an emergency grant or a baseline of somebody else", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		return posted(ctx, c, "/access/grants/"+id(args[0])+"/review", sent, c.showGrant)
	})
	return b.add(cmd, bodyFlag{name: "note", help: "what you found", must: true})
}

// facilityView is what the command line reads of a facility.
type facilityView struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Country      string `json:"country"`
	Location     string `json:"location"`
	Certificates []struct {
		Name  string `json:"name"`
		Until string `json:"until"`
	} `json:"certificates"`
}

// papers are a facility's certificates, and until when they hold.
func (v facilityView) papers() string {
	out := make([]string, len(v.Certificates))
	for i, p := range v.Certificates {
		out[i] = p.Name
		if p.Until != "" {
			out[i] += " until " + when(p.Until)
		}
	}
	return strings.Join(out, ", ")
}

func (c *client) accessFacilities() *cobra.Command {
	var p paging
	return p.flags(c.verb("facilities", "List the places where servers stand", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/access/facilities", nil, p, []string{"NAME", "COUNTRY", "LOCATION", "CERTIFICATES", "ID"}, func(v facilityView) []cell {
			return []cell{text(v.Name), text(v.Country), text(v.Location), text(v.papers()), text(v.ID)}
		}, "No facility is known yet.")
	}))
}

// accessEntryView is what the command line reads of an entry.
type accessEntryView struct {
	ID         string `json:"id"`
	Way        string `json:"way"`
	PersonName string `json:"person_name"`
	Customer   string `json:"customer"`
	Server     string `json:"server"`
	Facility   string `json:"facility"`
	Rack       string `json:"rack"`
	Reason     string `json:"reason"`
	Ticket     string `json:"ticket"`
	EscortName string `json:"escort_name"`
	From       string `json:"from"`
	Until      string `json:"until"`
	ReviewBy   string `json:"review_by"`
	EndedAt    string `json:"ended_at"`
	EndedWhy   string `json:"ended_why"`
}

// where is what an entry reaches.
func (v accessEntryView) where() string {
	switch {
	case v.Server != "":
		return v.Server
	case v.Customer != "":
		return v.Customer
	case v.Facility != "":
		return strings.TrimSpace(v.Facility + " " + v.Rack)
	}
	return "all customers"
}

func (c *client) showEntry(v accessEntryView) error {
	return c.facts(pair{"Entry", text(v.ID)}, pair{"Way", text(v.Way)}, pair{"Who", text(v.PersonName)}, pair{"Where", text(v.where())}, pair{"Escort", text(v.EscortName)}, pair{"From", text(when(v.From))},
		pair{"Until", text(when(v.Until))}, pair{"Review by", text(when(v.ReviewBy))}, pair{"Reason", text(v.Reason)}, pair{"Ticket", text(v.Ticket)}, pair{"Ended", text(when(v.EndedAt))}, pair{"Because", text(v.EndedWhy)})
}

func (c *client) accessEntries() *cobra.Command {
	var p paging
	var ways []string
	var ended bool
	cmd := c.verb("entries [CUSTOMER]", "List who is on lists by another ground than a grant, newest first", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		path := "/access/entries"
		if len(args) == 1 {
			path = "/customers/" + id(args[0]) + "/access/entries"
		}
		q := url.Values{"way": ways}
		if ended {
			q.Set("ended", "true")
		}
		return list(ctx, c, path, q, p, []string{"WHO", "WAY", "WHERE", "FROM", "UNTIL", "REVIEW", "ENDED", "REASON", "ID"}, func(v accessEntryView) []cell {
			return []cell{text(v.PersonName), text(v.Way), text(v.where()), text(when(v.From)), text(when(v.Until)), text(when(v.ReviewBy)), text(when(v.EndedAt)), text(firstLine(v.Reason)), text(v.ID)}
		}, "There are no such entries.")
	})
	cmd.Flags().StringArrayVar(&ways, "way", nil, "admin, backup_key, physical, visit, service, login or customer (again for more)")
	cmd.Flags().BoolVar(&ended, "ended", false, "those too that have ended")
	return p.flags(cmd)
}

func (c *client) accessVisit() *cobra.Command {
	var b bodyFlags
	cmd := c.verb("visit", "Note a visit to a facility, before or after it", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		sent["way"] = "visit"
		return posted(ctx, c, "/access/entries", sent, c.showEntry)
	})
	return b.add(cmd, bodyFlag{name: "person", help: "who comes, by id, e-mail or name", must: true, find: c.findPerson}, bodyFlag{name: "facility", help: "where, by id or name", must: true, find: c.findFacility},
		bodyFlag{name: "rack", help: "which rack"}, bodyFlag{name: "escort", help: "who goes with them, by id, e-mail or name", must: true, find: c.findPerson}, bodyFlag{name: "reason", help: "why; customers read it", must: true},
		bodyFlag{name: "ticket", help: "the ticket"}, bodyFlag{name: "from", help: "instant or date (default: now)", instant: true}, bodyFlag{name: "until", help: "instant or date", must: true, instant: true})
}

func (c *client) accessEntry() *cobra.Command {
	cmd := c.verb("entry ENTRY", "Show an entry, or add, review or end one", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/access/entries/"+id(args[0]), nil, c.showEntry)
	})
	var b bodyFlags
	end := c.verb("end ENTRY", "Take somebody off now", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		return posted(ctx, c, "/access/entries/"+id(args[0])+"/end", sent, c.showEntry)
	})
	cmd.AddCommand(b.add(end, bodyFlag{name: "why", help: "why; the customer reads it", must: true}), c.accessEntryAdd(), c.accessEntryReview())
	return cmd
}
