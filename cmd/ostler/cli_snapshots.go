package main

import (
	"context"
	"encoding/base64"
	"net/url"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// snapshotView is what the command line reads of a snapshot.
type snapshotView struct {
	ID          string `json:"id"`
	Plan        string `json:"plan"`
	Server      string `json:"server"`
	Customer    string `json:"customer"`
	Run         string `json:"run"`
	ResticID    string `json:"restic_id"`
	ArrivedAt   string `json:"arrived_at"`
	ClaimedAt   string `json:"claimed_at"`
	Outcome     string `json:"outcome"`
	UnreadCount int64  `json:"unread_count"`
	Files       int64  `json:"files"`
	Bytes       int64  `json:"bytes"`
	AddedBytes  int64  `json:"added_bytes"`
}

func (c *client) showSnapshot(v snapshotView) error {
	return c.facts(pair{"Snapshot", text(v.ID)}, pair{"Outcome", state(v.Outcome)}, pair{"Arrived", text(when(v.ArrivedAt))},
		pair{"Server says", text(when(v.ClaimedAt))}, pair{"Files", text(count(v.Files))}, pair{"Size", text(size(v.Bytes))}, pair{"Added", text(size(v.AddedBytes))},
		pair{"Unread files", text(count(v.UnreadCount))}, pair{"Restic id", text(v.ResticID)}, pair{"Server", text(v.Server)}, pair{"Plan", text(v.Plan)}, pair{"Run", text(v.Run)})
}

func (c *client) snapshotCommand() *cobra.Command {
	var p paging
	var server, customer, plan string
	lst := c.verb("list", "List snapshots by arrival, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, server, customer)
		if err != nil {
			return err
		}
		if plan != "" {
			found, err := c.findPlan(ctx, plan)
			if err != nil {
				return err
			}
			q.Set("plan", found)
		}
		name, err := c.names(ctx)
		if err != nil {
			return err
		}
		return list(ctx, c, "/snapshots", q, p, []string{"ARRIVED", "SERVER", "CUSTOMER", "OUTCOME", "FILES", "SIZE", "ADDED", "ID"}, func(v snapshotView) []cell {
			return []cell{text(when(v.ArrivedAt)), text(name(v.Server)), text(name(v.Customer)), state(v.Outcome), number(count(v.Files)), number(size(v.Bytes)), number(size(v.AddedBytes)), text(v.ID)}
		}, "There are no snapshots yet. The first arrives when a plan has run: ostler backup run PLAN")
	})
	addFilter(lst, &server, &customer)
	lst.Flags().StringVar(&plan, "plan", "", "plan, by name, server/name or id")
	shw := c.verb("show SNAPSHOT", "Show one snapshot", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/snapshots/"+id(args[0]), nil, c.showSnapshot)
	})
	return noun("snapshot", "What can be restored from", p.flags(lst), shw, c.snapshotLs())
}

// folderView is one folder of a snapshot. Found is nil while the listing goes on.
type folderView struct {
	bytePath
	Job       string       `json:"job"`
	State     string       `json:"state"`
	Over      bool         `json:"over"`
	Found     *bool        `json:"found"`
	Entries   []entryView  `json:"entries"`
	Truncated bool         `json:"truncated"`
	Failure   *failureView `json:"failure"`
}

type entryView struct {
	Name       string `json:"name"`
	NameB64    []byte `json:"name_b64"`
	Type       string `json:"type"`
	Size       int64  `json:"size"`
	Mode       string `json:"mode"`
	ModifiedAt string `json:"modified_at"`
	Link       string `json:"link_target"`
	LinkB64    []byte `json:"link_target_b64"`
}

func (c *client) snapshotLs() *cobra.Command {
	var b64 bool
	cmd := c.verb("ls SNAPSHOT [PATH]", "List a folder of a snapshot: from the list of names that is kept, else live from the server", cobra.RangeArgs(1, 2), func(ctx context.Context, args []string) error {
		raw, err := pathArg(args, 1, "/", b64)
		if err != nil {
			return err
		}
		v, a, err := c.folder(ctx, args[0], raw)
		if err != nil {
			return err
		}
		return shown(c, a, v, c.showFolder)
	})
	cmd.Flags().BoolVar(&b64, "base64", false, "PATH is base64 of the path's bytes (path_b64 of --output json)")
	return c.waits(cmd, nil)
}

// folder waits for the live listing of a folder.
func (c *client) folder(ctx context.Context, snapshot string, raw []byte) (folderView, answer, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	m := c.meter()
	defer m.end()
	v, a, err := poll(ctx, c, "/snapshots/"+id(snapshot)+"/files", url.Values{"path_b64": {base64.StdEncoding.EncodeToString(raw)}}, true, func(v folderView) bool {
		if !v.Over {
			m.show("listing "+v.State, "")
		}
		return v.Over
	})
	switch {
	case err != nil:
		return v, a, expired(ctx, err, "The listing", "Look again: the answer is kept when it comes.")
	case v.Found == nil && v.Failure != nil:
		return v, a, controlplane.Errorf(controlplane.CodeInternal, v.Failure.Next, "%s", v.Failure.Message)
	case v.Found == nil:
		return v, a, jobView{ID: v.Job, State: v.State}.err()
	case !*v.Found:
		return v, a, controlplane.Errorf(controlplane.CodeNotFound, "Look at the folder above it, or at another snapshot.", "This snapshot has no such folder")
	}
	return v, a, nil
}

func (c *client) showFolder(v folderView) error {
	rows := make([][]cell, len(v.Entries))
	for i, e := range v.Entries {
		name, bytes := safeName(rawBytes(e.Name, e.NameB64)), ""
		switch e.Type {
		case "dir":
			name += "/"
		case "file":
			bytes = size(e.Size)
		case "symlink":
			name += " -> " + safeName(rawBytes(e.Link, e.LinkB64))
		}
		rows[i] = []cell{text(e.Mode), number(bytes), text(when(e.ModifiedAt)), text(name)}
	}
	if len(rows) == 0 {
		c.say("The folder is empty.")
		return nil
	}
	if err := c.table([]string{"MODE", "SIZE", "MODIFIED", "NAME"}, rows); err != nil {
		return err
	}
	if v.Truncated {
		return controlplane.Errorf(controlplane.CodeInternal, "Name a folder further down.", "The folder has more entries than are listed (%d)", len(rows))
	}
	return nil
}

// bytePath is a path of a server as the API gives it: as text, and as bytes
// where it is not valid UTF-8.
type bytePath struct {
	Path    string `json:"path"`
	PathB64 []byte `json:"path_b64"`
}

func (p bytePath) bytes() []byte { return rawBytes(p.Path, p.PathB64) }

func rawBytes(text string, b64 []byte) []byte {
	if b64 != nil {
		return b64
	}
	return []byte(text)
}

// pathArg is the bytes of a path among the arguments. What the shell hands over
// is bytes already; base64 is for programs.
func pathArg(args []string, i int, missing string, b64 bool) ([]byte, error) {
	if len(args) <= i {
		return []byte(missing), nil
	}
	if !b64 {
		return []byte(args[i]), nil
	}
	raw, err := base64.StdEncoding.DecodeString(args[i])
	if err != nil {
		return nil, usagef("the path is not base64")
	}
	return raw, nil
}
