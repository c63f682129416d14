package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// startedView is what a request for many files started.
type startedView struct {
	Items []restoreView `json:"items"`
}

// picksOf reads SNAPSHOT:PATH arguments as the API takes them.
func picksOf(args []string, b64 bool) (picks []map[string]any, snapshots []string, err error) {
	seen := map[string]bool{}
	for _, a := range args {
		snapshot, path, ok := strings.Cut(a, ":")
		raw := []byte(path)
		if b64 {
			if raw, err = base64.StdEncoding.DecodeString(path); err != nil {
				return nil, nil, usagef("%q: the path is not base64", a)
			}
		}
		if !ok || snapshot == "" || len(raw) == 0 {
			return nil, nil, usagef("%q is not SNAPSHOT:PATH, such as snap_1:/srv/www", a)
		}
		picks = append(picks, map[string]any{"snapshot": snapshot, "path_b64": raw})
		if !seen[snapshot] {
			seen[snapshot] = true
			snapshots = append(snapshots, snapshot)
		}
	}
	return picks, snapshots, nil
}

// archiveFlags are what can be said of an archive.
type archiveFlags struct {
	file, format             string
	force, b64, wait, mailMe bool
}

func (c *client) restoreArchive() *cobra.Command {
	var f archiveFlags
	cmd := c.verb("archive SNAPSHOT:PATH...", "Pack files and folders of snapshots; -o or --wait downloads, checks SHA-256, and fails where something is missing", cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error { return c.archive(ctx, args, f) })
	fl := cmd.Flags()
	fl.StringVarP(&f.file, "file", "o", "", "where to: a file, a folder, or - for standard output (with --wait: the archive's own name, here)")
	fl.StringVar(&f.format, "format", "", "zip, or tar.gz, which keeps owners, modes and names of any bytes (default: by the name of -o, else zip)")
	fl.BoolVar(&f.force, "force", false, "replace a file that is there")
	fl.BoolVar(&f.b64, "base64", false, "PATH is base64 of the path's bytes (path_b64 of --output json)")
	fl.BoolVar(&f.mailMe, "mail", false, "have a mail sent when it is ready")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"zip", "tar.gz"}, cobra.ShellCompDirectiveNoFileComp))
	return c.waits(cmd, &f.wait)
}

// archive has files packed, and downloads what came of it.
func (c *client) archive(ctx context.Context, args []string, f archiveFlags) error {
	picks, snapshots, err := picksOf(args, f.b64)
	if err != nil {
		return err
	}
	if f.file == "-" && c.output == "json" {
		return usagef("standard output is the archive's with -o -: leave --output json away")
	}
	if f.format == "" && (strings.HasSuffix(f.file, ".tar.gz") || strings.HasSuffix(f.file, ".tgz")) {
		f.format = "tar.gz"
	}
	if err := c.oneFile(ctx, snapshots, f); err != nil {
		return err
	}
	var started startedView
	a, err := c.post(ctx, "/restores", map[string]any{"kind": "archive", "picks": picks, "format": f.formatOr("zip"), "mail_me": f.mailMe}, &started)
	if err != nil {
		return err
	}
	if !f.wait && f.file == "" {
		if c.output == "json" {
			return c.json(a.raw)
		}
		for _, v := range started.Items {
			if err := c.showRestore(v); err != nil {
				return err
			}
			c.say("Fetch it with: ostler restore download %s", v.ID)
		}
		return nil
	}
	return c.fetchAll(ctx, started.Items, f)
}

func (f archiveFlags) formatOr(other string) string {
	if f.format == "" {
		return other
	}
	return f.format
}

// oneFile refuses, before anything is started, a file that is there, and one
// file for the archives of several servers.
func (c *client) oneFile(ctx context.Context, snapshots []string, f archiveFlags) error {
	if info, err := os.Stat(f.file); f.file == "" || err == nil && info.IsDir() {
		return nil
	}
	if _, err := localName(f.file, []byte("archive"), f.force); err != nil {
		return err
	}
	first := ""
	for _, s := range snapshots {
		if len(snapshots) == 1 {
			break
		}
		var v snapshotView
		if _, err := c.get(ctx, "/snapshots/"+id(s), nil, &v); err != nil {
			return err
		}
		if first == "" {
			first = v.Server
		}
		if v.Server != first {
			return usagef("these are files of several servers, which makes one archive for each: name a folder with -o")
		}
	}
	return nil
}

// fetchAll downloads archives one after the other. What is incomplete is kept,
// and is an error in the end.
func (c *client) fetchAll(ctx context.Context, all []restoreView, f archiveFlags) error {
	var done []json.RawMessage
	var failed error
	for _, v := range all {
		v, a, err := c.waitRestore(ctx, v.ID)
		if err != nil {
			return err
		}
		if v.Kind == "download" {
			c.say("One file alone is not packed: this is the file itself.")
		}
		target, err := localName(f.file, v.fileName(), f.force)
		if err != nil {
			return err
		}
		if err := c.save(ctx, v, target, f.file == "-", f.force); err != nil {
			return err
		}
		done = append(done, a.raw)
		failed = errors.Join(failed, v.whole())
	}
	if c.output == "json" {
		if err := c.jsonItems(done); err != nil {
			return err
		}
	}
	return failed
}

// jsonItems prints several answers as a list.
func (c *client) jsonItems(items []json.RawMessage) error {
	if items == nil {
		items = []json.RawMessage{}
	}
	raw, err := json.Marshal(page[json.RawMessage]{Items: items})
	if err != nil {
		return fmt.Errorf("the control plane's answers: %w", err)
	}
	return c.json(raw)
}

// save fetches a file that is ready, and says what it is.
func (c *client) save(ctx context.Context, v restoreView, target string, toOut, force bool) error {
	if toOut {
		if err := c.fetchTo(ctx, v, c.out, 0, sha256.New()); err != nil {
			return err
		}
		c.sayMissing(v)
		return nil
	}
	if err := c.fetch(ctx, v, target, force); err != nil {
		return err
	}
	c.sayMissing(v)
	if c.output == "json" {
		return nil
	}
	c.say("SHA-256 %s, as the server read it.", v.SHA256)
	if c.outTerm {
		target = safe(target)
	}
	_, err := fmt.Fprintln(c.out, target) // for programs: the name as it is
	return err
}
