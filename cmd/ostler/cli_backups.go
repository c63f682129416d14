package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// runView is what the command line reads of a run.
type runView struct {
	ID          string       `json:"id"`
	Plan        string       `json:"plan"`
	Job         string       `json:"job"`
	StartedBy   string       `json:"started_by"`
	State       string       `json:"state"`
	DueAt       string       `json:"due_at"`
	FinishedAt  string       `json:"finished_at"`
	Snapshot    string       `json:"snapshot"`
	UnreadCount int64        `json:"unread_count"`
	Unread      []unreadView `json:"unread"`
	Files       int64        `json:"files"`
	Bytes       int64        `json:"bytes"`
	AddedBytes  int64        `json:"added_bytes"`
	DurationMS  int64        `json:"duration_ms"`
	Failure     *failureView `json:"failure"`
}

type unreadView struct {
	bytePath
	Reason string `json:"reason"`
}

func (c *client) showRun(v runView) error {
	took := ""
	if v.DurationMS > 0 {
		took = (time.Duration(v.DurationMS) * time.Millisecond).Round(time.Millisecond).String()
	}
	pairs := []pair{{"Run", text(v.ID)}, {"State", state(v.State)}, {"Due", text(when(v.DueAt))}, {"Started by", text(v.StartedBy)},
		{"Finished", text(when(v.FinishedAt))}, {"Took", text(took)}, {"Snapshot", text(v.Snapshot)}}
	if v.Snapshot != "" {
		pairs = append(pairs, pair{"Files", text(count(v.Files))}, pair{"Size", text(size(v.Bytes))}, pair{"Added", text(size(v.AddedBytes))})
	}
	pairs = append(pairs, pair{"Plan", text(v.Plan)}, pair{"Job", text(v.Job)})
	if err := c.facts(pairs...); err != nil {
		return err
	}
	if v.Failure != nil {
		c.say("%s", v.Failure.Message)
		c.say("Next: %s", v.Failure.Next)
	}
	if v.UnreadCount > 0 {
		c.say("%s could not be read:", plural(v.UnreadCount, "file or folder", "files or folders"))
		for _, u := range v.Unread {
			c.say("  %s (%s)", safeName(u.bytes()), u.Reason)
		}
		if n := v.UnreadCount - int64(len(v.Unread)); n > 0 {
			c.say("  and %d more, or names that your role does not include", n)
		}
	}
	return nil
}

// err is nil for a complete run. A partial backup is not fine: it can be
// restored from, and it lacks files.
func (v runView) err() error {
	switch {
	case v.State == "complete":
		return nil
	case v.State == "partial":
		return controlplane.Errorf(controlplane.CodeInternal, "Mend what kept them from being read, or exclude them in the plan: ostler backup show "+v.ID,
			"The backup is partial: %s could not be read", plural(v.UnreadCount, "file or folder", "files or folders"))
	case v.Failure != nil:
		return controlplane.Errorf(controlplane.CodeInternal, v.Failure.Next, "%s", v.Failure.Message)
	}
	return controlplane.Errorf(controlplane.CodeInternal, "See ostler backup show "+v.ID+".", "The backup ended as %s", v.State)
}

func (c *client) backupCommand() *cobra.Command {
	var p paging
	lst := c.verb("list PLAN", "List the runs of a plan, newest first", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		plan, err := c.findPlan(ctx, args[0])
		if err != nil {
			return err
		}
		return list(ctx, c, "/plans/"+id(plan)+"/runs", nil, p, []string{"DUE", "STATE", "FILES", "SIZE", "ADDED", "UNREAD", "ID"}, func(v runView) []cell {
			return []cell{text(when(v.DueAt)), state(v.State), number(count(v.Files)), number(size(v.Bytes)), number(size(v.AddedBytes)), number(count(v.UnreadCount)), text(v.ID)}
		}, "This plan has not run yet.")
	})
	shw := c.verb("show RUN", "Show one run, with the files that could not be read", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/runs/"+id(args[0]), nil, c.showRun)
	})
	return noun("backup", "Run backups, and see what came of them", c.backupRun(), p.flags(lst), shw)
}

func (c *client) backupRun() *cobra.Command {
	var wait bool
	cmd := c.verb("run PLAN", "Start a backup now; with --wait exit code 1 unless it is complete", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		plan, err := c.findPlan(ctx, args[0])
		if err != nil {
			return err
		}
		var v runView
		a, err := c.post(ctx, "/plans/"+id(plan)+"/runs", map[string]any{}, &v)
		if err != nil {
			return err
		}
		if !wait {
			return shown(c, a, v, c.showRun)
		}
		if _, err := c.waitJob(ctx, v.Job); err != nil {
			return err
		}
		if a, err = c.get(ctx, "/runs/"+id(v.ID), nil, &v); err != nil {
			return err
		}
		if v.State != "complete" && v.State != "partial" && c.output == "table" {
			return v.err() // it says all there is
		}
		if err := shown(c, a, v, c.showRun); err != nil {
			return err
		}
		return v.err()
	})
	return c.waits(cmd, &wait)
}
