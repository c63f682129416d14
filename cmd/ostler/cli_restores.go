package main

import (
	"context"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// restoreView is what the command line reads of a restore.
type restoreView struct {
	ID         string       `json:"id"`
	Server     string       `json:"server"`
	Snapshot   string       `json:"snapshot"`
	Job        string       `json:"job"`
	Kind       string       `json:"kind"`
	State      string       `json:"state"`
	Over       bool         `json:"over"`
	Target     string       `json:"target"`
	TargetB64  []byte       `json:"target_b64"`
	Size       int64        `json:"size"`
	SHA256     string       `json:"sha256"`
	CreatedAt  string       `json:"created_at"`
	FinishedAt string       `json:"finished_at"`
	ExpiresAt  string       `json:"expires_at"`
	FetchedAt  string       `json:"fetched_at"`
	Failure    *failureView `json:"failure"`
	bytePath
}

// err is nil for a restore that came to its end, and says why not otherwise.
func (v restoreView) err() error {
	switch {
	case v.State == "ready":
		return nil
	case v.Failure != nil && v.State == "expired":
		return controlplane.Errorf(controlplane.CodeExpired, v.Failure.Next, "%s", v.Failure.Message)
	case v.Failure != nil:
		return controlplane.Errorf(controlplane.CodeInternal, v.Failure.Next, "%s", v.Failure.Message)
	}
	return controlplane.Errorf(controlplane.CodeInternal, "See ostler restore show "+v.ID+".", "The restore ended as %s", v.State)
}

func (c *client) showRestore(v restoreView) error {
	pairs := []pair{{"Restore", text(v.ID)}, {"Kind", text(spaced(v.Kind))}, {"State", state(v.State)}, {"Path", text(safeName(v.bytes()))},
		{"On the server", text(safeName(rawBytes(v.Target, v.TargetB64)))}}
	if v.SHA256 != "" {
		pairs = append(pairs, pair{"Size", text(size(v.Size))}, pair{"SHA-256", text(v.SHA256)})
	}
	err := c.facts(append(pairs, pair{"Asked", text(when(v.CreatedAt))}, pair{"Ended", text(when(v.FinishedAt))}, pair{"Fetched", text(when(v.FetchedAt))},
		pair{"Kept until", text(when(v.ExpiresAt))}, pair{"Snapshot", text(v.Snapshot)}, pair{"Server", text(v.Server)}, pair{"Job", text(v.Job)})...)
	if f := v.Failure; f != nil {
		c.say("%s", f.Message)
		c.say("Next: %s", f.Next)
	}
	return err
}

func (c *client) restoreCommand() *cobra.Command {
	var limit int
	lst := c.verb("list", "List the newest restores", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		if limit < 1 || limit > pageSize {
			return usagef("--limit is 1 to %d", pageSize)
		}
		return list(ctx, c, "/restores", nil, paging{limit: limit}, []string{"ASKED", "KIND", "STATE", "SIZE", "PATH", "ID"}, func(v restoreView) []cell {
			return []cell{text(when(v.CreatedAt)), text(spaced(v.Kind)), state(v.State), number(size(v.Size)), text(safeName(v.bytes())), text(v.ID)}
		}, "Nothing has been restored yet: ostler restore download SNAPSHOT PATH")
	})
	lst.Flags().IntVar(&limit, "limit", 100, "at most so many, 1 to 200")
	shw := c.verb("show RESTORE", "Show one restore", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/restores/"+id(args[0]), nil, c.showRestore)
	})
	return noun("restore", "Get files back out of snapshots", c.restoreDownload(), c.restorePutBack(), lst, shw)
}

// startRestore asks for one file of a snapshot.
func (c *client) startRestore(ctx context.Context, kind, snapshot string, path []byte) (restoreView, answer, error) {
	var v restoreView
	a, err := c.post(ctx, "/restores", map[string]any{"kind": kind, "snapshot": snapshot, "path_b64": path}, &v)
	return v, a, err
}

// waitRestore waits until a restore is over; the job's progress shows meanwhile.
func (c *client) waitRestore(ctx context.Context, restore string) (restoreView, answer, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	m := c.meter()
	defer m.end()
	v, a, err := poll(ctx, c, "/restores/"+id(restore), nil, true, func(v restoreView) bool {
		shown, detail := v.State, ""
		if v.State == "active" {
			var j jobView
			if _, err := c.get(ctx, "/jobs/"+id(v.Job), nil, &j); err == nil { // a look that fails hides nothing: the restore itself is asked for
				shown, detail = j.State, j.Progress.String()
			}
		}
		m.show(shown, detail)
		return v.Over
	})
	if err != nil {
		return v, a, expired(ctx, err, "The restore "+restore, "See how far it is with ostler restore show "+restore+".")
	}
	return v, a, v.err()
}

func (c *client) restorePutBack() *cobra.Command {
	var wait, b64 bool
	cmd := c.verb("put-back SNAPSHOT PATH", "Put one file back on the server, beside the original", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		path, err := pathArg(args, 1, "", b64)
		if err != nil {
			return err
		}
		v, a, err := c.startRestore(ctx, "put_back", args[0], path)
		if err != nil {
			return err
		}
		if wait {
			if v, a, err = c.waitRestore(ctx, v.ID); err != nil {
				return err
			}
		}
		return shown(c, a, v, c.showRestore)
	})
	cmd.Flags().BoolVar(&b64, "base64", false, "PATH is base64 of the path's bytes (path_b64 of --output json)")
	return c.waits(cmd, &wait)
}
