package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// repositoryOf returns the repository of a plan that a person named.
func (c *client) repositoryOf(ctx context.Context, typed string) (planView, error) {
	var v planView
	plan, err := c.findPlan(ctx, typed)
	if err != nil {
		return v, err
	}
	_, err = c.get(ctx, "/plans/"+id(plan), nil, &v)
	return v, err
}

func (c *client) showRepository(v repositoryView) error {
	return c.facts(pair{"Repository", state(v.State)}, pair{"Key held by", text(v.Custody)}, pair{"Key safe since", text(when(v.ConfirmedAt))}, pair{"Id", text(v.ID)})
}

// afterwards waits for a repository where asked to, and shows it.
func (c *client) afterwards(ctx context.Context, wait bool, repository string) error {
	if wait {
		if _, err := c.waitRepository(ctx, repository); err != nil {
			return err
		}
	}
	return show(ctx, c, "/repositories/"+id(repository), nil, c.showRepository)
}

func (c *client) planCustody() *cobra.Command {
	var wait bool
	cmd := c.verb("custody PLAN customer|escrow", "Choose who holds the repository's key besides the server", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			if args[1] != "customer" && args[1] != "escrow" {
				return usagef("the custody is customer or escrow")
			}
			v, err := c.repositoryOf(ctx, args[0])
			if err != nil {
				return err
			}
			if _, err := c.post(ctx, "/repositories/"+id(v.Repository.ID)+"/custody", map[string]string{"custody": args[1]}, nil); err != nil {
				return err
			}
			return c.afterwards(ctx, wait, v.Repository.ID)
		})
	return c.waits(cmd, &wait)
}

func (c *client) planRetry() *cobra.Command {
	var wait bool
	cmd := c.verb("retry PLAN", "Try again to make the plan's repository, after it failed", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := c.repositoryOf(ctx, args[0])
		if err != nil {
			return err
		}
		if _, err := c.post(ctx, "/repositories/"+id(v.Repository.ID)+"/retry", map[string]any{}, nil); err != nil {
			return err
		}
		return c.afterwards(ctx, wait, v.Repository.ID)
	})
	return c.waits(cmd, &wait)
}

// planKey shows and confirms recovery keys.
func (c *client) planKey() *cobra.Command {
	var yes string
	shw := c.verb("show PLAN", "Show the recovery key, once: it cannot be shown again", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := c.repositoryOf(ctx, args[0])
		if err != nil {
			return err
		}
		if err := c.confirm(yes, v.Name, "The recovery key of "+v.Name+" is shown once; what makes it readable is destroyed."); err != nil {
			return err
		}
		var key struct {
			Key string `json:"recovery_key"`
		}
		a, err := c.post(ctx, "/repositories/"+id(v.Repository.ID)+"/reveal", map[string]any{}, &key)
		if err != nil {
			return err
		}
		if c.output == "json" {
			return c.json(a.raw)
		}
		if _, err := fmt.Fprintln(c.out, safe(key.Key)); err != nil {
			return err
		}
		c.say("Keep it where the server is not, on paper or in a password safe. Whoever has it can read the backups; without it nobody can if the server is lost.")
		c.say("Then confirm that you have it: ostler plan key confirm %s", args[0])
		return nil
	})
	shw.Flags().StringVar(&yes, "yes", "", "do not ask: the plan's name")
	var wait bool
	cnf := c.verb("confirm PLAN", "Confirm that you hold the recovery key: its last group is read from standard input", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := c.repositoryOf(ctx, args[0])
			if err != nil {
				return err
			}
			if c.inTerm {
				_, _ = fmt.Fprint(c.errw, "Last group of the recovery key: ")
			}
			typed, err := c.line()
			if err != nil {
				return err
			}
			if _, err := c.post(ctx, "/repositories/"+id(v.Repository.ID)+"/confirm", map[string]string{"last_group": typed}, nil); err != nil {
				return err
			}
			return c.afterwards(ctx, wait, v.Repository.ID)
		})
	return noun("key", "Recovery keys", shw, c.waits(cnf, &wait), c.planKeyReturn())
}

// planKeyReturn gives a key to a server that was set up anew.
func (c *client) planKeyReturn() *cobra.Command {
	var wait bool
	cmd := c.verb("return PLAN", "Give a server that lost its key its key again; the customer's copy is read from standard input", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			v, err := c.repositoryOf(ctx, args[0])
			if err != nil {
				return err
			}
			body := map[string]string{}
			if v.Repository.Custody != "escrow" {
				if c.inTerm {
					_, _ = fmt.Fprint(c.errw, "Recovery key: ")
				}
				if body["recovery_key"], err = c.line(); err != nil {
					return err
				}
			}
			if _, err := c.post(ctx, "/repositories/"+id(v.Repository.ID)+"/return", body, nil); err != nil {
				return err
			}
			return c.afterwards(ctx, wait, v.Repository.ID)
		})
	return c.waits(cmd, &wait)
}

// line reads one line of standard input.
func (c *client) line() (string, error) {
	s, err := bufio.NewReader(c.in).ReadString('\n')
	if s = strings.TrimSpace(s); s != "" {
		return s, nil
	}
	if err != nil {
		return "", usagef("nothing was entered on standard input")
	}
	return "", errCancelled
}

// confirm wants the name of what is destroyed, by --yes or typed.
func (c *client) confirm(yes, name, what string) error {
	if yes == name {
		return nil
	}
	if yes != "" {
		return usagef("--yes names %q, and this is %q", yes, name)
	}
	if !c.inTerm {
		return usagef("%s To go on without being asked, add --yes %q", what, name)
	}
	_, _ = fmt.Fprintf(c.errw, "%s\nType %s to go on: ", safe(what), safe(name))
	typed, err := c.line()
	if err != nil {
		return err
	}
	if typed != name {
		return errCancelled
	}
	return nil
}
