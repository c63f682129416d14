package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"
)

func (c *client) showJob(v jobView) error {
	if err := c.facts(pair{"Job", text(v.ID)}, pair{"Kind", text(v.Kind)}, pair{"State", state(v.State)}, pair{"Progress", text(v.progress())},
		pair{"Attempt", text(fmt.Sprintf("%d of %d", v.Attempt, v.MaxAttempts))}, pair{"Made", text(when(v.CreatedAt))}, pair{"Not before", text(when(v.NotBefore))},
		pair{"Not after", text(when(v.ExpiresAt))}, pair{"Started", text(when(v.StartedAt))}, pair{"Ended", text(when(v.FinishedAt))},
		pair{"Server", text(v.Server)}, pair{"Customer", text(v.Customer)}, pair{"For", text(v.Subject)}); err != nil {
		return err
	}
	if f := v.Failure; f != nil {
		c.say("%s", f.Message)
		if f.Detail != "" {
			c.say("  %s", f.Detail)
		}
		c.say("Next: %s", f.Next)
	}
	return nil
}

// reasonView is why a job waits.
type reasonView struct {
	Text  string `json:"text"`
	Until string `json:"until"`
}

func (c *client) jobCommand() *cobra.Command {
	shw := c.verb("show JOB", "Show one job, with why it failed", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/jobs/"+id(args[0]), nil, c.showJob)
	})
	why := c.verb("why JOB", "Say what a job waits for", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return list(ctx, c, "/jobs/"+id(args[0])+"/why", nil, paging{whole: true}, []string{"REASON", "UNTIL"}, func(v reasonView) []cell {
			return []cell{text(v.Text), text(when(v.Until))}
		}, "It waits for nothing: see ostler job show "+args[0])
	})
	wait := c.verb("wait JOB", "Wait until a job has ended; exit code 0 if it succeeded", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return c.jobEnds(ctx, args[0])
	})
	return noun("job", "What is done on servers and in the control plane", c.jobList(), shw, c.jobCancel(), c.waits(wait, nil), why)
}

// jobEnds waits for a job, shows it, and fails where it did not succeed.
func (c *client) jobEnds(ctx context.Context, job string) error {
	v, err := c.waitJob(ctx, job)
	if err != nil {
		return err
	}
	if c.output == "table" {
		if failed := v.err(); failed != nil {
			return failed
		}
	}
	if err := show(ctx, c, "/jobs/"+id(job), nil, c.showJob); err != nil {
		return err
	}
	return v.err()
}

func (c *client) jobList() *cobra.Command {
	var p paging
	var server, customer, subject string
	var kinds []string
	var open bool
	cmd := c.verb("list", "List jobs, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, server, customer)
		if err != nil {
			return err
		}
		q.Set("subject", subject)
		q["kind"] = kinds
		if open {
			q.Set("open", "true")
		}
		name, err := c.names(ctx)
		if err != nil {
			return err
		}
		return list(ctx, c, "/jobs", q, p, []string{"MADE", "STATE", "KIND", "SERVER", "PROGRESS", "ID"}, func(v jobView) []cell {
			return []cell{text(when(v.CreatedAt)), state(v.State), text(v.Kind), text(name(v.Server)), text(v.progress()), text(v.ID)}
		}, "There are no such jobs.")
	})
	addFilter(cmd, &server, &customer)
	cmd.Flags().StringVar(&subject, "for", "", "only jobs for this thing: id of a plan's run, a restore ...")
	cmd.Flags().StringArrayVar(&kinds, "kind", nil, "only jobs of this kind (again for more)")
	cmd.Flags().BoolVar(&open, "open", false, "only jobs that have not ended")
	return p.flags(cmd)
}

func (c *client) jobCancel() *cobra.Command {
	var wait bool
	cmd := c.verb("cancel JOB", "Cancel a job: at once while it waits, as soon as it can stop while it runs", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var v jobView
		a, err := c.post(ctx, "/jobs/"+id(args[0])+"/cancel", map[string]any{}, &v)
		if err != nil {
			return err
		}
		if wait {
			if _, err := c.waitJob(ctx, args[0]); err != nil {
				return err
			}
			return show(ctx, c, "/jobs/"+id(args[0]), nil, c.showJob)
		}
		return shown(c, a, v, c.showJob)
	})
	return c.waits(cmd, &wait)
}

// findingView is what the command line reads of a finding.
type findingView struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Owner    string `json:"owner"`
	Title    string `json:"title"`
	Cause    string `json:"cause"`
	Next     string `json:"next"`
	Link     string `json:"link"`
	OpenedAt string `json:"opened_at"`
	ClosedAt string `json:"closed_at"`
	Closed   string `json:"closed_because"`
	Count    int64  `json:"count"`
}

func (c *client) findingCommand() *cobra.Command {
	var p paging
	var server, customer string
	var kinds []string
	var closed bool
	lst := c.verb("list", "List what needs a person, worst first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, server, customer)
		if err != nil {
			return err
		}
		q["kind"] = kinds
		if closed {
			q.Set("closed", "true")
		}
		return list(ctx, c, "/findings", q, p, []string{"SEVERITY", "SINCE", "WHO", "WHAT", "NEXT", "ID"}, func(v findingView) []cell {
			return []cell{state(v.Severity), text(when(v.OpenedAt)), text(v.Owner), text(v.Title), text(v.Next), text(v.ID)}
		}, "Nothing is open here.")
	})
	addFilter(lst, &server, &customer)
	lst.Flags().StringArrayVar(&kinds, "kind", nil, "only this kind: backup.failed (again for more)")
	lst.Flags().BoolVar(&closed, "closed", false, "closed ones, newest first, instead of open ones")
	shw := c.verb("show FINDING", "Show one finding: what, why, and the one next step", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/findings/"+url.PathEscape(args[0]), nil, func(v findingView) error {
			return c.facts(pair{"Finding", text(v.Title)}, pair{"Severity", state(v.Severity)}, pair{"Cause", text(v.Cause)}, pair{"Next", text(v.Next)},
				pair{"For", text(v.Owner)}, pair{"Since", text(when(v.OpenedAt))}, pair{"Seen", text(count(v.Count) + " times")},
				pair{"Closed", text(when(v.ClosedAt))}, pair{"Because", text(v.Closed)}, pair{"In the portal", text(v.Link)}, pair{"Id", text(v.ID)})
		})
	})
	return noun("finding", "What needs a person", p.flags(lst), shw)
}
