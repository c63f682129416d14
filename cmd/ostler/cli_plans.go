package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// planView is what the command line reads of a plan.
type planView struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	Server       string         `json:"server"`
	ServerName   string         `json:"server_name"`
	Customer     string         `json:"customer"`
	CustomerName string         `json:"customer_name"`
	Tenancy      string         `json:"tenancy"`
	Paths        []string       `json:"paths"`
	Excludes     []string       `json:"excludes"`
	Cron         string         `json:"cron"`
	Zone         string         `json:"zone"`
	Jitter       int64          `json:"jitter_seconds"`
	CatchUp      bool           `json:"catch_up"`
	Enabled      bool           `json:"enabled"`
	Repository   repositoryView `json:"repository"`
	NextRuns     []string       `json:"next_runs"`
}

// repositoryView is what the command line reads of a repository.
type repositoryView struct {
	ID          string       `json:"id"`
	State       string       `json:"state"`
	Custody     string       `json:"custody"`
	KeyShown    bool         `json:"key_shown"`
	ConfirmedAt string       `json:"confirmed_at"`
	Failure     *failureView `json:"failure"`
}

func (c *client) showPlan(v planView) error {
	enabled := state("active")
	if !v.Enabled {
		enabled = text("disabled")
	}
	custody := v.Repository.Custody
	if custody == "" {
		custody = "not chosen yet"
	}
	next := make([]string, len(v.NextRuns))
	for i, n := range v.NextRuns {
		next[i] = when(n)
	}
	err := c.facts(pair{"Plan", text(v.Name)}, pair{"State", enabled}, pair{"Server", text(v.ServerName)}, pair{"Customer", text(v.CustomerName)},
		pair{"Paths", text(strings.Join(v.Paths, ", "))}, pair{"Excludes", text(strings.Join(v.Excludes, ", "))},
		pair{"Due", text(v.Cron + " in " + v.Zone)}, pair{"Spread", text((time.Duration(v.Jitter) * time.Second).String())},
		pair{"Catches up", text(yesNo(v.CatchUp))}, pair{"Next runs", text(strings.Join(next, ", "))},
		pair{"Repository", state(v.Repository.State)}, pair{"Key held by", text(custody)}, pair{"Key safe since", text(when(v.Repository.ConfirmedAt))},
		pair{"Tenancy", text(v.Tenancy)}, pair{"Id", text(v.ID)})
	if f := v.Repository.Failure; err == nil && f != nil {
		c.say("The repository could not be made: %s", f.Message)
		c.say("Next: %s", f.Next)
	}
	return err
}

func (c *client) planCommand() *cobra.Command {
	var p paging
	var server, customer string
	lst := c.verb("list", "List backup plans", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, server, customer)
		if err != nil {
			return err
		}
		return list(ctx, c, "/plans", q, p, []string{"PLAN", "SERVER", "CUSTOMER", "DUE", "REPOSITORY", "ID"}, func(v planView) []cell {
			due := v.Cron + " " + v.Zone
			if !v.Enabled {
				due = "disabled"
			}
			return []cell{text(v.Name), text(v.ServerName), text(v.CustomerName), text(due), state(v.Repository.State), text(v.ID)}
		}, "There are no backup plans yet. Add one: ostler plan add NAME --tenancy TENANCY --path /srv/www")
	})
	addFilter(lst, &server, &customer)
	shw := c.verb("show PLAN", "Show one plan, by name, server/name or id", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		plan, err := c.findPlan(ctx, args[0])
		if err != nil {
			return err
		}
		return show(ctx, c, "/plans/"+id(plan), nil, c.showPlan)
	})
	return noun("plan", "Backup plans, and the keys of what they make", p.flags(lst), c.planAdd(), shw, c.planEdit(), c.planCustody(), c.planRetry(), c.planKey(), c.planCatalogue())
}

// planFlags are what can be said of a plan.
type planFlags struct {
	paths, excludes []string
	cron, zone      string
	jitter          time.Duration
	catchUp         bool
}

func (f *planFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVar(&f.paths, "path", nil, "folder to back up (again for more)")
	fl.StringArrayVar(&f.excludes, "exclude", nil, "pattern of what to leave out (again for more)")
	fl.StringVar(&f.cron, "cron", "15 2 * * *", "when: minute hour day month weekday")
	fl.StringVar(&f.zone, "zone", "Europe/Berlin", "IANA time zone of --cron")
	fl.DurationVar(&f.jitter, "jitter", 30*time.Minute, "spread the start over this time")
	fl.BoolVar(&f.catchUp, "catch-up", true, "run once, late, what was missed")
}

func (c *client) planAdd() *cobra.Command {
	var f planFlags
	var tenancy, custody, store string
	var wait bool
	cmd := c.verb("add NAME", "Add a backup plan to a tenancy", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if wait && custody != "escrow" {
			return usagef("--wait goes with --custody escrow: else the customer confirms the key first")
		}
		body := map[string]any{"name": args[0], "tenancy": tenancy, "paths": f.paths, "excludes": append([]string{}, f.excludes...), "cron": f.cron,
			"zone": f.zone, "jitter_seconds": int64(f.jitter / time.Second), "catch_up": f.catchUp, "custody": custody, "store": store}
		var v planView
		a, err := c.post(ctx, "/plans", body, &v)
		if err != nil {
			return err
		}
		if wait {
			if v.Repository, err = c.waitRepository(ctx, v.Repository.ID); err != nil {
				return err
			}
			if a, err = c.get(ctx, "/plans/"+id(v.ID), nil, &v); err != nil {
				return err
			}
		}
		return shown(c, a, v, c.showPlan)
	})
	f.add(cmd)
	cmd.Flags().StringVar(&tenancy, "tenancy", "", "id of the tenancy (ostler tenancy list)")
	cmd.Flags().StringVar(&custody, "custody", "", "who holds the key: customer or escrow (default: the customer chooses)")
	cmd.Flags().StringVar(&store, "store", "", "id of the off-site store, where there is more than one")
	_ = cmd.RegisterFlagCompletionFunc("custody", cobra.FixedCompletions([]string{"customer", "escrow"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagRequired("tenancy")
	_ = cmd.MarkFlagRequired("path")
	return c.waits(cmd, &wait)
}

// planEdit changes what was named and leaves the rest. It sends the version
// that it read: a change by somebody else in between is a conflict.
func (c *client) planEdit() *cobra.Command {
	var f planFlags
	var name string
	var enable, disable bool
	var cmd *cobra.Command
	cmd = c.verb("edit PLAN", "Change a plan: only what is named changes", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		plan, err := c.findPlan(ctx, args[0])
		if err != nil {
			return err
		}
		body := map[string]any{}
		for _, x := range []struct {
			flag, key string
			value     any
		}{
			{"name", "name", name}, {"path", "paths", f.paths}, {"exclude", "excludes", f.excludes}, {"cron", "cron", f.cron},
			{"zone", "zone", f.zone}, {"jitter", "jitter_seconds", int64(f.jitter / time.Second)}, {"catch-up", "catch_up", f.catchUp},
		} {
			if cmd.Flags().Changed(x.flag) {
				body[x.key] = x.value
			}
		}
		if enable || disable {
			body["enabled"] = enable
		}
		if len(body) == 0 {
			return usagef("name what to change: --path, --exclude, --cron, --enable ...")
		}
		a, err := c.get(ctx, "/plans/"+id(plan), nil, nil)
		if err != nil {
			return err
		}
		var v planView
		a, err = c.call(ctx, http.MethodPatch, "/plans/"+id(plan), nil, body, http.Header{"If-Match": a.header.Values("ETag")}, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, c.showPlan)
	})
	f.add(cmd)
	cmd.Flags().StringVar(&name, "name", "", "a new name")
	cmd.Flags().BoolVar(&enable, "enable", false, "run it when it is due")
	cmd.Flags().BoolVar(&disable, "disable", false, "do not run it any more when it is due")
	cmd.MarkFlagsMutuallyExclusive("enable", "disable")
	return cmd
}

// waitRepository waits while the server and the store work at a repository. A
// repository that failed is an error with its cause.
func (c *client) waitRepository(ctx context.Context, repository string) (repositoryView, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	m := c.meter()
	defer m.end()
	v, _, err := poll(ctx, c, "/repositories/"+id(repository), nil, false, func(v repositoryView) bool {
		m.show("repository "+v.State, "")
		switch v.State {
		case "preparing", "registering", "initialising":
			return false
		}
		return true
	})
	if err != nil {
		return v, expired(ctx, err, "Making the repository", "Look again with ostler plan show.")
	}
	if v.State == "failed" {
		message, next := "The repository could not be made", "See ostler plan show."
		if v.Failure != nil {
			message, next = v.Failure.Message, v.Failure.Next
		}
		return v, controlplane.Errorf(controlplane.CodeInternal, next, "%s", message)
	}
	return v, nil
}
