package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// inPlaceFlags are what can be said of a restore on a server.
type inPlaceFlags struct {
	server, folder, conflict           string
	special, preview, yes, b64, mailMe bool
}

func (c *client) restoreInPlace() *cobra.Command {
	var f inPlaceFlags
	cmd := c.verb("in-place SNAPSHOT:PATH...", "Put files and folders on a server: shows what would change, asks, does it, and says until when it can be undone", cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error { return c.inPlace(ctx, args, f) })
	fl := cmd.Flags()
	fl.StringVar(&f.server, "to-server", "", "another server of the same customer, by name or id")
	fl.StringVar(&f.folder, "folder", "", "into this folder (default: where they were)")
	fl.StringVar(&f.conflict, "conflict", "beside", "where something else is there: overwrite (it is kept for an undo), keep, or beside (under a name of its own)")
	fl.BoolVar(&f.special, "special", false, "keep set-user-id bits and devices (staff only)")
	fl.BoolVar(&f.preview, "preview", false, "only show what would change; ostler restore confirm does it")
	fl.BoolVar(&f.yes, "yes", false, "do not ask")
	fl.BoolVar(&f.b64, "base64", false, "PATH is base64 of the path's bytes (path_b64 of --output json)")
	fl.BoolVar(&f.mailMe, "mail", false, "have a mail sent when it is over")
	cmd.MarkFlagsMutuallyExclusive("preview", "yes")
	_ = cmd.RegisterFlagCompletionFunc("conflict", cobra.FixedCompletions([]string{"overwrite", "keep", "beside"}, cobra.ShellCompDirectiveNoFileComp))
	return c.waits(cmd, nil)
}

// inPlace previews, asks, and carries out.
func (c *client) inPlace(ctx context.Context, args []string, f inPlaceFlags) error {
	picks, _, err := picksOf(args, f.b64)
	if err != nil {
		return err
	}
	if !f.preview && !f.yes && !c.inTerm {
		return usagef("This changes files on a server. Look at what would change with --preview; to go on without being asked, add --yes")
	}
	target := map[string]any{"server": f.server, "conflict": f.conflict, "special": f.special}
	if f.folder != "" {
		target["placement"], target["folder_b64"] = "folder", []byte(f.folder)
	}
	var started startedView
	if _, err := c.post(ctx, "/restores", map[string]any{"kind": "in_place", "picks": picks, "target": target, "mail_me": f.mailMe}, &started); err != nil {
		return err
	}
	previewed, raw, err := c.previews(ctx, started.Items)
	if errors.Is(err, errTimedOut) {
		return err // they go on, and wait to be confirmed
	}
	if err != nil {
		return c.dropAll(ctx, started.Items, err)
	}
	if f.preview {
		if c.output == "json" {
			return c.jsonItems(raw)
		}
		for _, v := range previewed {
			c.say("Do it until %s with: ostler restore confirm %s", when(v.ExpiresAt), v.ID)
		}
		return nil
	}
	var changing, idle []restoreView
	for _, v := range previewed {
		if v.Preview != nil && v.Preview.Changing > 0 {
			changing = append(changing, v)
			continue
		}
		idle = append(idle, v)
		c.say("Nothing on the server would change (%s); %s is not carried out.", v.Preview, v.ID)
		if err := c.dropAll(ctx, []restoreView{v}, nil); err != nil {
			return err
		}
	}
	if len(changing) > 0 && !f.yes {
		if err := c.confirm("", "yes", "The files are put on the server as listed."); err != nil {
			return c.dropAll(ctx, changing, err)
		}
	}
	return c.applyAll(ctx, changing, idle)
}

// dropAll cancels restores that nobody wants any more; err is why.
func (c *client) dropAll(ctx context.Context, all []restoreView, err error) error {
	ctx = context.WithoutCancel(ctx)
	for _, v := range all {
		_, cerr := c.post(ctx, "/restores/"+id(v.ID)+"/cancel", nil, nil)
		if controlplane.ErrorCode(cerr) != controlplane.CodeConflict { // it is over already
			err = errors.Join(err, cerr)
		}
	}
	return err
}

// shownChanges is how many changes stand beneath a preview's figures.
const shownChanges = 20

// previews waits for previews and shows them.
func (c *client) previews(ctx context.Context, all []restoreView) (previewed []restoreView, raw []json.RawMessage, err error) {
	name, err := c.names(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range all {
		v, a, err := c.waitRestore(ctx, v.ID)
		if err != nil {
			return nil, nil, err
		}
		previewed, raw = append(previewed, v), append(raw, a.raw)
		if c.output == "json" {
			continue
		}
		if err := c.showPreview(ctx, v, name(v.TargetServer)); err != nil {
			return nil, nil, err
		}
	}
	return previewed, raw, nil
}

func (c *client) showPreview(ctx context.Context, v restoreView, server string) error {
	t := v.Preview
	if t == nil {
		t = &tallyView{}
	}
	err := c.facts(pair{"Restore", text(v.ID)}, pair{"On server", text(server)}, pair{"Into", text(safeName(rawBytes(v.Target, v.TargetB64)))},
		pair{"Would", text(t.String())}, pair{"Written", text(size(t.Bytes))}, pair{"Room there", text(size(t.FreeBytes))}, pair{"Kept for an undo", text(size(t.SafetyBytes))})
	if err != nil {
		return err
	}
	c.sayMissing(v)
	if t.Total == 0 {
		return nil
	}
	got, err := c.changes(ctx, v.ID, "preview", 0, shownChanges)
	if err != nil {
		return err
	}
	if err := c.showChanges(got); err != nil {
		return err
	}
	if n := got.Total - int64(len(got.Items)); n > 0 {
		c.say("and %d more: ostler restore changes %s", n, v.ID)
	}
	return nil
}

// applyAll confirms restores, waits for them and tells what came of it.
// Idle are those that would have changed nothing.
func (c *client) applyAll(ctx context.Context, all, idle []restoreView) error {
	raw := []json.RawMessage{}
	var failed error
	for _, v := range idle {
		failed = errors.Join(failed, v.refused(v.Preview))
	}
	for i, v := range all {
		if _, err := c.post(ctx, "/restores/"+id(v.ID)+"/confirm", nil, nil); err != nil {
			return c.dropAll(ctx, all[i:], err)
		}
		v, a, err := c.waitRestore(ctx, v.ID)
		if err != nil {
			return err
		}
		raw = append(raw, a.raw)
		failed = errors.Join(failed, v.whole(), v.refused(v.Result))
		if c.output == "json" {
			continue
		}
		if err := c.showRestore(v); err != nil {
			return err
		}
		if v.UndoUntil != "" {
			c.say("It can be undone until %s: ostler restore undo %s", when(v.UndoUntil), v.ID)
		}
	}
	if c.output == "json" {
		if err := c.jsonItems(raw); err != nil {
			return err
		}
	}
	return failed
}

// refused is an error where the server would not do some of it.
func (v restoreView) refused(t *tallyView) error {
	if t == nil || t.Counts["refuse"] == 0 {
		return nil
	}
	return controlplane.Errorf(controlplane.CodeInternal, "See which, and why: ostler restore changes "+v.ID, "The server refuses %s", plural(t.Counts["refuse"], "path", "paths"))
}

// changesView is a part of a list of changes.
type changesView struct {
	Items []struct {
		bytePath
		Type string       `json:"type"`
		Act  string       `json:"act"`
		Size int64        `json:"size"`
		Note string       `json:"note"`
		Why  *failureView `json:"why"`
	} `json:"items"`
	Total int64 `json:"total"`

	raw []byte
}

func (c *client) changes(ctx context.Context, restore, which string, offset, limit int) (v changesView, err error) {
	a, err := c.get(ctx, "/restores/"+id(restore)+"/changes", url.Values{"list": {which}, "offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(limit)}}, &v)
	v.raw = a.raw
	return v, err
}

func (c *client) showChanges(v changesView) error {
	rows := make([][]cell, len(v.Items))
	for i, x := range v.Items {
		path, bytes, note := safeName(x.bytes()), "", spaced(x.Note)
		switch x.Type {
		case "dir":
			path += "/"
		case "file":
			bytes = size(x.Size)
		}
		if x.Why != nil {
			note = x.Why.Message
		}
		act := text(x.Act)
		if x.Act == "refuse" {
			act.tone = toneBad
		}
		rows[i] = []cell{act, number(bytes), text(path), text(note)}
	}
	if len(rows) == 0 {
		return nil
	}
	return c.table([]string{"ACT", "SIZE", "PATH", "NOTE"}, rows)
}

func (c *client) restoreChanges() *cobra.Command {
	var which string
	var offset, limit int
	cmd := c.verb("changes RESTORE", "List what a restore would change on the server, changed, or took back", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if limit < 1 || limit > 1000 || offset < 0 {
			return usagef("--limit is 1 to 1000, and --offset 0 or more")
		}
		if which == "" {
			var v restoreView
			if _, err := c.get(ctx, "/restores/"+id(args[0]), nil, &v); err != nil {
				return err
			}
			which = v.newestList()
		}
		v, err := c.changes(ctx, args[0], which, offset, limit)
		if err != nil {
			return err
		}
		if c.output == "json" {
			return c.json(v.raw)
		}
		if err := c.showChanges(v); err != nil {
			return err
		}
		if n := v.Total - int64(offset+len(v.Items)); n > 0 {
			c.say("There are %d more: --offset %d", n, offset+len(v.Items))
		}
		return nil
	})
	fl := cmd.Flags()
	fl.StringVar(&which, "list", "", "preview, result or undo (default: the newest)")
	fl.IntVar(&offset, "offset", 0, "leave out so many")
	fl.IntVar(&limit, "limit", 100, "at most so many, 1 to 1000")
	_ = cmd.RegisterFlagCompletionFunc("list", cobra.FixedCompletions([]string{"preview", "result", "undo"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// newestList is the latest list of changes that there is.
func (v restoreView) newestList() string {
	switch {
	case v.Undo != nil:
		return "undo"
	case v.Result != nil:
		return "result"
	}
	return "preview"
}

// restoreStep is a command that moves a restore on.
func (c *client) restoreStep(use, short string) *cobra.Command {
	var wait bool
	var step string
	if _, err := fmt.Sscan(use, &step); err != nil {
		panic(err) // a mistake of this file
	}
	cmd := c.verb(use, short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var v restoreView
		a, err := c.post(ctx, "/restores/"+id(args[0])+"/"+step, nil, &v)
		if err != nil {
			return err
		}
		if wait {
			v, a, err = c.waitRestore(ctx, v.ID)
			if err != nil && !(step == "cancel" && v.State == "cancelled") {
				return err
			}
		}
		if err := shown(c, a, v, c.showRestore); err != nil {
			return err
		}
		if wait && step == "undo" && v.State != "undone" {
			return controlplane.Errorf(controlplane.CodeInternal, "Try it again, or see ostler restore show "+v.ID+".", "The restore was not taken back")
		}
		if wait && step == "confirm" {
			return v.whole()
		}
		return nil
	})
	return c.waits(cmd, &wait)
}
