package main

import (
	"context"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// askView is what the command line reads of a request to restore something.
type askView struct {
	ID        string `json:"id"`
	Customer  string `json:"customer"`
	By        string `json:"by"`
	State     string `json:"state"`
	What      string `json:"what"`
	Answer    string `json:"answer"`
	TakenBy   string `json:"taken_by"`
	DoneBy    string `json:"done_by"`
	CreatedAt string `json:"created_at"`
	TakenAt   string `json:"taken_at"`
	DoneAt    string `json:"done_at"`
}

func (c *client) showAsk(v askView) error {
	return c.facts(pair{"Request", text(v.ID)}, pair{"State", state(v.State)}, pair{"What", text(v.What)}, pair{"Answer", text(v.Answer)}, pair{"Customer", text(v.Customer)},
		pair{"Asked", text(when(v.CreatedAt))}, pair{"By", text(v.By)}, pair{"Taken", text(when(v.TakenAt))}, pair{"Taken by", text(v.TakenBy)},
		pair{"Done", text(when(v.DoneAt))}, pair{"Done by", text(v.DoneBy)})
}

func (c *client) askCommand() *cobra.Command {
	var mailMe bool
	add := c.verb("new TEXT", "Have us restore something: what, from when, on which server (- reads standard input)", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		what, err := c.words(args[0])
		if err != nil {
			return err
		}
		return posted(ctx, c, "/asks", map[string]any{"what": what, "mail_me": mailMe}, c.showAsk)
	})
	add.Flags().BoolVar(&mailMe, "mail", false, "have a mail sent when it is answered")
	shw := c.verb("show REQUEST", "Show one request", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/asks/"+id(args[0]), nil, c.showAsk)
	})
	take := c.verb("take REQUEST", "Say that you are at it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/asks/"+id(args[0])+"/take", nil, c.showAsk)
	})
	answer := c.verb("answer REQUEST TEXT", "Say what was done, which ends the request; the customer reads it (- reads standard input)", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			said, err := c.words(args[1])
			if err != nil {
				return err
			}
			return posted(ctx, c, "/asks/"+id(args[0])+"/answer", map[string]any{"answer": said}, c.showAsk)
		})
	return noun("ask", "Ask us to restore something, and answer it", add, c.askList(), shw, take, answer)
}

func (c *client) askList() *cobra.Command {
	var customer string
	var waiting bool
	cmd := c.verb("list", "List the newest requests", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{"customer": {customer}}
		if waiting {
			q.Set("waiting", "true")
		}
		name, err := c.names(ctx)
		if err != nil {
			return err
		}
		return list(ctx, c, "/asks", q, paging{limit: pageSize}, []string{"ASKED", "CUSTOMER", "STATE", "WHAT", "ID"}, func(v askView) []cell {
			return []cell{text(when(v.CreatedAt)), text(name(v.Customer)), state(v.State), text(firstLine(v.What)), text(v.ID)}
		}, "Nobody has asked for anything.")
	})
	cmd.Flags().StringVar(&customer, "customer", "", "customer, by slug or id")
	cmd.Flags().BoolVar(&waiting, "waiting", false, "only those that are not done")
	return cmd
}

// posted sends a body and shows the answer.
func posted[T any](ctx context.Context, c *client, path string, body any, print func(T) error) error {
	var v T
	a, err := c.post(ctx, path, body, &v)
	if err != nil {
		return err
	}
	return shown(c, a, v, print)
}

// maxWords bounds a text from standard input, in bytes.
const maxWords = 64 << 10

// words is a text of the arguments, or all of standard input for "-".
func (c *client) words(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	raw, err := io.ReadAll(io.LimitReader(c.in, maxWords))
	if err != nil {
		return "", controlplane.Errorf(controlplane.CodeInternal, "Try again.", "Standard input cannot be read").Because(err)
	}
	return string(raw), nil
}

// firstLine is the beginning of a text, for tables.
func firstLine(s string) string {
	line, more, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(line); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	if more != "" {
		line += " …"
	}
	return line
}
