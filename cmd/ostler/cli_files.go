package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// snapshotRef names a snapshot.
type snapshotRef struct {
	ID        string `json:"id"`
	ArrivedAt string `json:"arrived_at"`
}

// foundView is what the command line reads of a file that was found.
type foundView struct {
	bytePath
	Server       string       `json:"server"`
	Type         string       `json:"type"`
	Size         int64        `json:"size"`
	ModifiedAt   string       `json:"modified_at"`
	Versions     int64        `json:"versions"`
	In           snapshotRef  `json:"in"`
	Present      bool         `json:"present"`
	MissingSince *snapshotRef `json:"missing_since"`
	Unread       bool         `json:"unread"`
}

// filesView is a page of a search, or several that were put together.
type filesView struct {
	Items     []json.RawMessage `json:"items"`
	Next      string            `json:"next_page_token"`
	Snapshots int64             `json:"snapshots"`
	Servers   []string          `json:"servers"`
	Behind    []json.RawMessage `json:"behind"`
}

// behindView is a plan of which a search did not see every snapshot.
type behindView struct {
	Plan      string       `json:"plan"`
	Name      string       `json:"name"`
	Server    string       `json:"server"`
	Snapshots int64        `json:"snapshots"`
	Why       *failureView `json:"why"`
}

func (c *client) fileCommand() *cobra.Command {
	return noun("file", "Find files in the snapshots, and their versions", c.fileFind(), c.fileHistory())
}

// findFlags narrow a search.
type findFlags struct {
	server, customer, plan     string
	on, ext, kind, beneath     string
	minSize, maxSize, from, to string
}

func (f *findFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	addFilter(cmd, &f.server, &f.customer)
	fl.StringVar(&f.plan, "plan", "", "plan, by name, server/name or id")
	fl.StringVar(&f.on, "on", "", "as of a day: 2026-11-18")
	fl.StringVar(&f.ext, "ext", "", "extension: ods")
	fl.StringVar(&f.kind, "type", "", "file, dir or symlink")
	fl.StringVar(&f.beneath, "beneath", "", "only beneath this folder")
	fl.StringVar(&f.minSize, "min-size", "", "at least so large: 10M (binary units)")
	fl.StringVar(&f.maxSize, "max-size", "", "at most so large")
	fl.StringVar(&f.from, "modified-from", "", "changed on this day (UTC) or instant, or later")
	fl.StringVar(&f.to, "modified-to", "", "changed on this day (UTC), or before this instant, or earlier")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"file", "dir", "symlink"}, cobra.ShellCompDirectiveNoFileComp))
}

// query turns the flags into the API's parameters.
func (f *findFlags) query(ctx context.Context, c *client, wanted string) (url.Values, error) {
	smallest, err := parseSize("--min-size", f.minSize)
	if err != nil {
		return nil, err
	}
	largest, err := parseSize("--max-size", f.maxSize)
	if err != nil {
		return nil, err
	}
	from, err := parseDay("--modified-from", f.from, 0)
	if err != nil {
		return nil, err
	}
	to, err := parseDay("--modified-to", f.to, 1)
	if err != nil {
		return nil, err
	}
	q, err := c.filter(ctx, f.server, f.customer)
	if err != nil {
		return nil, err
	}
	if f.plan != "" {
		plan, err := c.findPlan(ctx, f.plan)
		if err != nil {
			return nil, err
		}
		q.Set("plan", plan)
	}
	if f.beneath != "" {
		q.Set("beneath_b64", base64.StdEncoding.EncodeToString([]byte(f.beneath)))
	}
	for k, v := range map[string]string{"q": wanted, "on": f.on, "ext": f.ext, "type": f.kind, "min_size": smallest, "max_size": largest, "modified_from": from, "modified_to": to} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return q, nil
}

// parseSize reads a size with a binary unit, "" for none, as a number of bytes.
func parseSize(flag, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	digits, unit := strings.TrimRight(strings.ToUpper(s), "IB "), int64(1)
	for i, letter := range []string{"K", "M", "G", "T"} {
		if rest, ok := strings.CutSuffix(digits, letter); ok {
			digits, unit = strings.TrimSpace(rest), 1<<(10*(i+1))
			break
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n >= 0 && n*float64(unit) < 1<<60) {
		return "", usagef("%s is a size such as 500, 10K, 1.5M or 2G", flag)
	}
	return strconv.FormatInt(int64(n*float64(unit)), 10), nil
}

// parseDay reads a day (UTC) or an instant; a day counts from its beginning
// plus some days.
func parseDay(flag, s string, days int) (string, error) {
	if s == "" {
		return "", nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.AddDate(0, 0, days).Format(time.RFC3339), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return "", usagef("%s is a day such as 2026-11-18, or an instant such as 2026-11-18T14:00:00Z", flag)
	}
	return t.Format(time.RFC3339), nil
}

func (c *client) fileFind() *cobra.Command {
	var f findFlags
	var p paging
	cmd := c.verb("find [TEXT]", "Search the names of all snapshots: part of a name, a pattern with * and ?, an extension (.ods)", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			wanted := ""
			if len(args) == 1 {
				wanted = args[0]
			}
			q, err := f.query(ctx, c, wanted)
			if err != nil {
				return err
			}
			v, err := c.findAll(ctx, q, p)
			if err != nil {
				return err
			}
			if c.output == "json" {
				raw, err := json.Marshal(v)
				if err != nil {
					return fmt.Errorf("/files: %w", err)
				}
				return c.json(raw)
			}
			return c.showFound(ctx, v)
		})
	f.add(cmd)
	return p.flags(cmd)
}

// findAll gets the pages of a search until p.limit or the end.
func (c *client) findAll(ctx context.Context, q url.Values, p paging) (filesView, error) {
	if p.limit < 0 {
		return filesView{}, usagef("--limit is 0 or more")
	}
	all := filesView{Items: []json.RawMessage{}, Next: p.token}
	for {
		most := pageSize
		if p.limit > 0 {
			most = min(most, p.limit-len(all.Items))
		}
		q.Set("page_size", strconv.Itoa(most))
		if all.Next != "" {
			q.Set("page_token", all.Next)
		}
		var got filesView
		if _, err := c.get(ctx, "/files", q, &got); err != nil {
			return all, err
		}
		got.Items = append(all.Items, got.Items...)
		all = got
		if all.Next == "" || p.limit > 0 && len(all.Items) >= p.limit {
			return all, nil
		}
	}
}

func (c *client) showFound(ctx context.Context, v filesView) error {
	name, err := c.names(ctx)
	if err != nil {
		return err
	}
	rows := make([][]cell, len(v.Items))
	for i, raw := range v.Items {
		var f foundView
		if err := json.Unmarshal(raw, &f); err != nil {
			return fmt.Errorf("/files: the control plane's answer cannot be read: %w", err)
		}
		path, bytes := safeName(f.bytes()), ""
		switch f.Type {
		case "dir":
			path += "/"
		case "file":
			bytes = size(f.Size)
		}
		rows[i] = []cell{text(when(f.ModifiedAt)), number(bytes), number(count(f.Versions)), text(name(f.Server)), text(f.seen()), text(f.In.ID), text(path)}
	}
	if len(rows) == 0 {
		c.say("Nothing was found in %s.", plural(v.Snapshots, "snapshot", "snapshots"))
	} else if err := c.table([]string{"MODIFIED", "SIZE", "VERSIONS", "SERVER", "SEEN", "NEWEST IN", "PATH"}, rows); err != nil {
		return err
	}
	for _, raw := range v.Behind {
		var b behindView
		if err := json.Unmarshal(raw, &b); err != nil {
			return fmt.Errorf("/files: the control plane's answer cannot be read: %w", err)
		}
		c.say("Not searched: %s of %s on %s. %s", plural(b.Snapshots, "snapshot", "snapshots"), b.Name, name(b.Server), b.Why.sentence())
	}
	if v.Next != "" {
		c.say("There are more: --page-token %s, or --limit 0 for all.", v.Next)
	}
	return nil
}

// seen says whether the newest snapshot has it.
func (f foundView) seen() string {
	switch {
	case f.Present || f.MissingSince == nil:
		return "newest"
	case f.Unread:
		return "unread " + when(f.MissingSince.ArrivedAt)
	}
	return "missing " + when(f.MissingSince.ArrivedAt)
}

// sentence is the cause and the next step in one line.
func (f *failureView) sentence() string {
	if f == nil {
		return ""
	}
	return strings.TrimSpace(f.Message + " " + f.Next)
}

// historyView is what the command line reads of a file's versions.
type historyView struct {
	bytePath
	Versions []struct {
		Type       string      `json:"type"`
		Size       int64       `json:"size"`
		ModifiedAt string      `json:"modified_at"`
		Mode       string      `json:"mode"`
		FirstSeen  snapshotRef `json:"first_seen"`
		LastSeen   snapshotRef `json:"last_seen"`
		Copies     int64       `json:"copies"`
	} `json:"versions"`
	Present     bool         `json:"present"`
	MissingFrom *snapshotRef `json:"missing_from"`
	Unread      bool         `json:"unread"`
	Behind      int64        `json:"behind"`
	Why         *failureView `json:"why"`
}

func (c *client) fileHistory() *cobra.Command {
	var b64 bool
	cmd := c.verb("history PLAN PATH", "List the versions of one path, newest first", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		raw, err := pathArg(args, 1, "", b64)
		if err != nil {
			return err
		}
		plan, err := c.findPlan(ctx, args[0])
		if err != nil {
			return err
		}
		q := url.Values{"plan": {plan}, "path_b64": {base64.StdEncoding.EncodeToString(raw)}}
		return show(ctx, c, "/files/history", q, c.showHistory)
	})
	cmd.Flags().BoolVar(&b64, "base64", false, "PATH is base64 of the path's bytes (path_b64 of --output json)")
	return cmd
}

func (c *client) showHistory(v historyView) error {
	rows := make([][]cell, len(v.Versions))
	for i, x := range v.Versions {
		rows[i] = []cell{text(when(x.ModifiedAt)), number(size(x.Size)), text(x.Mode), number(count(x.Copies)), text(when(x.FirstSeen.ArrivedAt)), text(when(x.LastSeen.ArrivedAt)), text(x.LastSeen.ID)}
	}
	if len(rows) == 0 {
		c.say("No version is known.")
	} else if err := c.table([]string{"MODIFIED", "SIZE", "MODE", "COPIES", "FIRST SEEN", "LAST SEEN", "NEWEST IN"}, rows); err != nil {
		return err
	}
	if m := v.MissingFrom; m != nil && v.Unread {
		c.say("The backup of %s could not read it.", when(m.ArrivedAt))
	} else if m != nil {
		c.say("It is missing from the backup of %s.", when(m.ArrivedAt))
	}
	if v.Behind > 0 {
		c.say("Not looked at: %s. %s", plural(v.Behind, "snapshot", "snapshots"), v.Why.sentence())
	}
	return nil
}
