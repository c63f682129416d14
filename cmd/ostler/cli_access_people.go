package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ostler/controlplane/access"
)

// bodyFlag is a flag whose value goes into a request.
type bodyFlag struct {
	name, key, help string // key is the request's; "" is the flag's name
	must            bool
	instant         bool // a time; a date is its beginning, UTC
	// find makes an id of what people type; nil sends it as it is.
	find func(ctx context.Context, typed string) (string, error)
}

// bodyFlags are the flags of a command that makes or changes something.
type bodyFlags struct {
	flags  []bodyFlag
	values []*string
}

// add gives a command its flags.
func (b *bodyFlags) add(cmd *cobra.Command, flags ...bodyFlag) *cobra.Command {
	for _, f := range flags {
		b.flags, b.values = append(b.flags, f), append(b.values, cmd.Flags().String(f.name, "", f.help))
		if f.must {
			_ = cmd.MarkFlagRequired(f.name)
		}
	}
	return cmd
}

// sent is what was typed, under the request's keys.
func (b *bodyFlags) sent(ctx context.Context) (map[string]any, error) {
	out := map[string]any{}
	for i, f := range b.flags {
		v := *b.values[i]
		if v == "" {
			continue
		}
		if f.instant {
			at, err := instantOf(f.name, v)
			if err != nil {
				return nil, err
			}
			v = at
		}
		if f.find != nil {
			found, err := f.find(ctx, v)
			if err != nil {
				return nil, err
			}
			v = found
		}
		key := f.key
		if key == "" {
			key = f.name
		}
		out[key] = v
	}
	return out, nil
}

// instantOf reads an instant, a date and time of day in UTC as the command line
// shows them, or a date as its beginning in UTC.
func instantOf(flag, typed string) (string, error) {
	if day, err := time.Parse(time.DateOnly, typed); err == nil {
		return day.Format(time.RFC3339), nil
	}
	at := typed
	if strings.HasSuffix(at, "Z") {
		at = strings.Replace(at, " ", "T", 1)
	}
	t, err := access.ParseInstant("/"+flag, at, nil)
	if err != nil || t.IsZero() {
		return "", usagef("--%s is an instant, 2026-12-01T08:00:00Z, or a date, 2026-12-01", flag)
	}
	return t.Format(time.RFC3339Nano), nil
}

// paperView is what the command line reads of a paper.
type paperView struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Customer  string `json:"customer"`
	Version   string `json:"version"`
	From      string `json:"from"`
	Until     string `json:"until"`
	Reference string `json:"reference"`
}

// wholePersonView is a person with what is known of them.
type wholePersonView struct {
	accessPersonView
	Staff         string      `json:"staff"`
	Customer      string      `json:"customer"`
	Owner         string      `json:"owner"`
	TeleportUsers []string    `json:"teleport_users"`
	Logins        []string    `json:"logins"`
	Papers        []paperView `json:"papers"`
}

func (c *client) showPerson(v wholePersonView) error {
	if err := c.facts(pair{"Person", text(v.ID)}, pair{"Name", text(v.Name)}, pair{"Kind", text(v.Kind)}, pair{"Company", text(v.Company)}, pair{"Customer", text(v.Customer)}, pair{"Staff", text(v.Staff)},
		pair{"Answers for it", text(v.Owner)}, pair{"Teleport users", text(strings.Join(v.TeleportUsers, ", "))}, pair{"Logins", text(strings.Join(v.Logins, ", "))}, pair{"Left", text(when(v.LeftAt))}); err != nil {
		return err
	}
	if len(v.Papers) == 0 {
		return nil
	}
	rows := make([][]cell, len(v.Papers))
	for i, p := range v.Papers {
		rows[i] = []cell{text(p.Kind), text(p.Customer), text(p.Version), text(when(p.From)), text(when(p.Until)), text(p.Reference)}
	}
	return c.table([]string{"PAPER", "CUSTOMER", "VERSION", "FROM", "UNTIL", "KEPT AT"}, rows)
}

func (c *client) accessPerson() *cobra.Command {
	cmd := c.verb("person WHO", "Show a person with their papers, or add or change one", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		who, err := c.findPerson(ctx, args[0])
		if err != nil {
			return err
		}
		return show(ctx, c, "/access/people/"+id(who), nil, c.showPerson)
	})
	cmd.AddCommand(c.accessPersonAdd(), c.accessPersonChange())
	return cmd
}

func (c *client) accessPersonAdd() *cobra.Command {
	var b bodyFlags
	var users, logins []string
	cmd := c.verb("add", "Add somebody who can stand on lists", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		if (sent["name"] == nil) == (sent["staff"] == nil) {
			return usagef("give a name with --name, or with --staff who of us they are")
		}
		if len(users) > 0 {
			sent["teleport_users"] = users
		}
		if len(logins) > 0 {
			sent["logins"] = logins
		}
		return posted(ctx, c, "/access/people", sent, c.showPerson)
	})
	cmd.Flags().StringArrayVar(&users, "teleport-user", nil, "their user in Teleport (again for more)")
	cmd.Flags().StringArrayVar(&logins, "login", nil, "their login on hosts (again for more)")
	return b.add(cmd, bodyFlag{name: "kind", help: "staff, contractor, third_party, customer or service", must: true}, bodyFlag{name: "name", help: "their name"},
		bodyFlag{name: "staff", help: "one of us, by id: the name is theirs then"}, bodyFlag{name: "customer", help: "whose they are, where they are a customer's own"},
		bodyFlag{name: "company", help: "who employs them"}, bodyFlag{name: "owner", help: "of a service account: who answers for it, by id, e-mail or name", find: c.findPerson})
}

func (c *client) accessPaper() *cobra.Command {
	var b bodyFlags
	cmd := c.verb("paper WHO", "Record an agreement, a training or an acknowledgement; it replaces the one before", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		who, err := c.findPerson(ctx, args[0])
		if err != nil {
			return err
		}
		return posted(ctx, c, "/access/people/"+id(who)+"/papers", sent, func(v paperView) error {
			return c.facts(pair{"Paper", text(v.ID)}, pair{"Kind", text(v.Kind)}, pair{"Customer", text(v.Customer)}, pair{"Version", text(v.Version)}, pair{"From", text(when(v.From))},
				pair{"Until", text(when(v.Until))}, pair{"Kept at", text(v.Reference)})
		})
	})
	return b.add(cmd, bodyFlag{name: "kind", help: "confidentiality, training or brief", must: true}, bodyFlag{name: "customer", help: "whose brief"}, bodyFlag{name: "version", help: "of the text"},
		bodyFlag{name: "from", help: "instant or date (default: now)", instant: true}, bodyFlag{name: "until", help: "instant or date", instant: true},
		bodyFlag{name: "reference", help: "where the paper itself is kept"})
}

// teamView is what the command line reads of a team.
type teamView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Members []struct {
		Person string `json:"person"`
		Name   string `json:"name"`
		From   string `json:"from"`
		Until  string `json:"until"`
	} `json:"members"`
}

// who are a team's members, and until when.
func (v teamView) who() string {
	out := make([]string, len(v.Members))
	for i, m := range v.Members {
		out[i] = m.Name
		if m.Until != "" {
			out[i] += " until " + when(m.Until)
		}
	}
	return strings.Join(out, ", ")
}

func (c *client) accessTeams() *cobra.Command {
	var p paging
	return p.flags(c.verb("teams", "List teams with their members", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/access/teams", nil, p, []string{"NAME", "ID", "MEMBERS"}, func(v teamView) []cell {
			return []cell{text(v.Name), text(v.ID), text(v.who())}
		}, "There are no teams yet.")
	}))
}

// authorisationView is what the command line reads of who may instruct us.
type authorisationView struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Capacity string   `json:"capacity"`
	Acts     []string `json:"acts"`
	From     string   `json:"from"`
	Until    string   `json:"until"`
	EndedAt  string   `json:"ended_at"`
	Document string   `json:"document"`
}

// may is for what they may instruct us.
func (v authorisationView) may() string { return strings.Join(v.Acts, ", ") }

func (c *client) accessAuthorisations() *cobra.Command {
	var p paging
	var at string
	cmd := c.verb("authorisations CUSTOMER", "List who may instruct us for a customer", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		q := url.Values{}
		if at != "" {
			instant, err := instantOf("at", at)
			if err != nil {
				return err
			}
			q.Set("at", instant)
		}
		return list(ctx, c, "/customers/"+id(args[0])+"/access/authorisations", q, p, []string{"NAME", "CAPACITY", "MAY", "FROM", "UNTIL", "ENDED", "DOCUMENT", "ID"}, func(v authorisationView) []cell {
			return []cell{text(v.Name), text(v.Capacity), text(v.may()), text(when(v.From)), text(when(v.Until)), text(when(v.EndedAt)), text(v.Document), text(v.ID)}
		}, "Nobody may instruct us for them.")
	})
	cmd.Flags().StringVar(&at, "at", "", "who could at this instant (default: all there were)")
	return p.flags(cmd)
}
