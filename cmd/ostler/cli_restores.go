package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// restoreView is what the command line reads of a restore.
type restoreView struct {
	ID           string        `json:"id"`
	Server       string        `json:"server"`
	Snapshot     string        `json:"snapshot"`
	Job          string        `json:"job"`
	Kind         string        `json:"kind"`
	State        string        `json:"state"`
	Over         bool          `json:"over"`
	Picked       int64         `json:"picked"`
	TargetServer string        `json:"target_server"`
	Target       string        `json:"target"`
	TargetB64    []byte        `json:"target_b64"`
	Conflict     string        `json:"conflict"`
	Name         string        `json:"name"`
	NameB64      []byte        `json:"name_b64"`
	Size         int64         `json:"size"`
	SHA256       string        `json:"sha256"`
	Files        int64         `json:"files"`
	Bytes        int64         `json:"bytes"`
	MissingCount int64         `json:"missing_count"`
	Missing      []missingView `json:"missing"`
	Preview      *tallyView    `json:"preview"`
	Result       *tallyView    `json:"result"`
	Undo         *tallyView    `json:"undo"`
	Resumable    bool          `json:"resumable"`
	CreatedAt    string        `json:"created_at"`
	FinishedAt   string        `json:"finished_at"`
	ExpiresAt    string        `json:"expires_at"`
	UndoUntil    string        `json:"undo_until"`
	FetchedAt    string        `json:"fetched_at"`
	Failure      *failureView  `json:"failure"`
	UndoFailure  *failureView  `json:"undo_failure"`
	bytePath
}

// missingView is what could not be read from a backup.
type missingView struct {
	bytePath
	Why failureView `json:"why"`
}

// tallyView is what a step on a server came to.
type tallyView struct {
	Counts      map[string]int64 `json:"counts"`
	Total       int64            `json:"total"`
	Changing    int64            `json:"changing"`
	Bytes       int64            `json:"bytes"`
	FreeBytes   int64            `json:"free_bytes"`
	SafetyBytes int64            `json:"safety_bytes"`
}

// acts are what can happen to a path, in the order in which they are told.
var acts = []string{"create", "replace", "beside", "same", "keep", "refuse", "removed", "returned", "changed"}

// String tells the counts: "3 create, 1 refuse".
func (t *tallyView) String() string {
	if t == nil {
		return ""
	}
	var parts []string
	for _, act := range acts {
		if n := t.Counts[act]; n > 0 {
			parts = append(parts, count(n)+" "+act)
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// fileName is what a fetched file is saved as.
func (v restoreView) fileName() []byte {
	if name := rawBytes(v.Name, v.NameB64); len(name) > 0 {
		return name
	}
	return v.bytes()
}

// moved is the size of what is fetched, or what was written on a server.
func (v restoreView) moved() int64 {
	if v.Kind == "in_place" {
		return v.Bytes
	}
	return v.Size
}

// fetchable reports whether it ends in a file for whoever asked for it.
func (v restoreView) fetchable() bool { return v.Kind == "download" || v.Kind == "archive" }

// err is nil for a restore that came as far as it comes without a person, and
// says why not otherwise.
func (v restoreView) err() error {
	switch {
	case v.State == "ready" || v.State == "previewed" || v.State == "undone":
		return nil
	case v.Failure != nil && v.State == "expired":
		return controlplane.Errorf(controlplane.CodeExpired, v.Failure.Next, "%s", v.Failure.Message)
	case v.Failure != nil:
		return controlplane.Errorf(controlplane.CodeInternal, v.Failure.Next, "%s", v.Failure.Message)
	}
	return controlplane.Errorf(controlplane.CodeInternal, "See ostler restore show "+v.ID+".", "The restore ended as %s", v.State)
}

func (c *client) showRestore(v restoreView) error {
	pairs := []pair{{"Restore", text(v.ID)}, {"Kind", text(spaced(v.Kind))}, {"State", state(v.State)}, {"Path", text(safeName(v.bytes()))}}
	if v.Picked > 1 {
		pairs = append(pairs, pair{"Chosen", text(plural(v.Picked, "file or folder", "files and folders"))})
	}
	pairs = append(pairs, pair{"On the server", text(safeName(rawBytes(v.Target, v.TargetB64)))}, pair{"Where one is there", text(v.Conflict)},
		pair{"Preview", text(v.Preview.String())}, pair{"Result", text(v.Result.String())}, pair{"Undone", text(v.Undo.String())})
	if v.SHA256 != "" && v.Kind != "in_place" { // else they are of what went from server to server
		pairs = append(pairs, pair{"Size", text(size(v.Size))}, pair{"SHA-256", text(v.SHA256)})
	}
	if v.Kind == "archive" && v.SHA256 != "" {
		pairs = append(pairs, pair{"Holds", text(plural(v.Files, "file", "files") + ", " + size(v.Bytes))})
	}
	kept := pair{"Kept until", text(when(v.ExpiresAt))}
	if v.State == "previewed" {
		kept.name = "Confirm until"
	}
	err := c.facts(append(pairs, pair{"Asked", text(when(v.CreatedAt))}, pair{"Ended", text(when(v.FinishedAt))}, pair{"Fetched", text(when(v.FetchedAt))},
		kept, pair{"Undo until", text(when(v.UndoUntil))}, pair{"Snapshot", text(v.Snapshot)}, pair{"Server", text(v.Server)},
		pair{"To server", text(v.TargetServer)}, pair{"Job", text(v.Job)})...)
	c.sayMissing(v)
	for _, f := range []*failureView{v.Failure, v.UndoFailure} {
		if f != nil {
			c.say("%s", f.Message)
			c.say("Next: %s", f.Next)
		}
	}
	return err
}

// shownMissing bounds how much of what is missing is named.
const shownMissing = 20

// sayMissing names what could not be read from the backup.
func (c *client) sayMissing(v restoreView) {
	if v.MissingCount == 0 {
		return
	}
	c.say("INCOMPLETE: %s that you asked for could not be read from the backup:", plural(v.MissingCount, "file or folder", "files or folders"))
	for i, m := range v.Missing {
		if i == shownMissing {
			break
		}
		c.say("  %s: %s", safeName(m.bytes()), m.Why.Message)
	}
	if n := v.MissingCount - int64(min(len(v.Missing), shownMissing)); n > 0 {
		c.say("  and %d more", n)
	}
}

// whole is an error where something that was asked for is missing.
func (v restoreView) whole() error {
	if v.MissingCount == 0 {
		return nil
	}
	return controlplane.Errorf(controlplane.CodeInternal, "Try another snapshot for what is missing, and tell us: the backup is damaged, or it never had it.",
		"The restore is not complete: %s missing", plural(v.MissingCount, "file or folder is", "files or folders are"))
}

func (c *client) restoreCommand() *cobra.Command {
	var p paging
	var server, customer string
	lst := c.verb("list", "List restores, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, server, customer)
		if err != nil {
			return err
		}
		return list(ctx, c, "/restores", q, p, []string{"ASKED", "KIND", "STATE", "SIZE", "PATH", "ID"}, func(v restoreView) []cell {
			path := safeName(v.bytes())
			if v.Picked > 1 {
				path += " and " + count(v.Picked-1) + " more"
			}
			return []cell{text(when(v.CreatedAt)), text(spaced(v.Kind)), state(v.State), number(size(v.moved())), text(path), text(v.ID)}
		}, "Nothing has been restored yet: ostler restore download SNAPSHOT PATH")
	})
	addFilter(lst, &server, &customer)
	shw := c.verb("show RESTORE", "Show one restore", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/restores/"+id(args[0]), nil, c.showRestore)
	})
	return noun("restore", "Get files back out of snapshots", c.restoreDownload(), c.restoreArchive(), c.restoreInPlace(), c.restorePutBack(), p.flags(lst), shw,
		c.restoreStep("confirm RESTORE", "Carry out a restore that was previewed, or go on with one that stopped in the middle"),
		c.restoreStep("undo RESTORE", "Take a restore on a server back: what it made goes, what it replaced returns"),
		c.restoreStep("cancel RESTORE", "Stop a restore"), c.restoreChanges())
}

// startRestore asks for one file of a snapshot.
func (c *client) startRestore(ctx context.Context, kind, snapshot string, path []byte) (restoreView, answer, error) {
	var v restoreView
	a, err := c.post(ctx, "/restores", map[string]any{"kind": kind, "snapshot": snapshot, "path_b64": path}, &v)
	return v, a, err
}

// waitRestore waits until a restore is over or waits for a person; the job's
// progress shows meanwhile.
func (c *client) waitRestore(ctx context.Context, restore string) (restoreView, answer, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	m := c.meter()
	defer m.end()
	v, a, err := poll(ctx, c, "/restores/"+id(restore), nil, true, func(v restoreView) bool {
		shown, detail := v.State, ""
		done := v.Over || v.State == "previewed"
		if !done {
			var j jobView
			if _, err := c.get(ctx, "/jobs/"+id(v.Job), nil, &j); err == nil { // a look that fails hides nothing: the restore itself is asked for
				detail = j.progress()
				if v.State == "active" {
					shown = j.State
				}
			}
		}
		m.show(shown, detail)
		return done
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
