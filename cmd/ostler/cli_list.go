package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

const pageSize = 200 // the most that the API gives at once

// page is a list as the API gives it.
type page[T any] struct {
	Items         []T    `json:"items"`
	NextPageToken string `json:"next_page_token"`
}

// paging are the flags of every list.
type paging struct {
	limit int
	token string
	whole bool // the API gives the list in one piece
}

func (p *paging) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().IntVar(&p.limit, "limit", 100, "at most so many (0: all)")
	cmd.Flags().StringVar(&p.token, "page-token", "", "go on where an earlier list ended")
	return cmd
}

// list gets the pages of a list until p.limit and shows them: as JSON in the
// API's own form, or as a table of rows.
func list[T any](ctx context.Context, c *client, path string, query url.Values, p paging, heads []string, row func(T) []cell, none string) error {
	raw, next, err := pages[json.RawMessage](ctx, c, path, query, p)
	if err != nil {
		return err
	}
	if c.output == "json" {
		if raw == nil {
			raw = []json.RawMessage{}
		}
		b, err := json.Marshal(page[json.RawMessage]{raw, next})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return c.json(b)
	}
	if len(raw) == 0 {
		c.say("%s", none)
		return nil
	}
	rows := make([][]cell, len(raw))
	for i, r := range raw {
		var v T
		if err := json.Unmarshal(r, &v); err != nil {
			return fmt.Errorf("%s: the control plane's answer cannot be read: %w", path, err)
		}
		rows[i] = row(v)
	}
	if err := c.table(heads, rows); err != nil {
		return err
	}
	if next != "" {
		c.say("There are more: --page-token %s, or --limit 0 for all.", next)
	}
	return nil
}

// pages gets items until p.limit or the end.
func pages[T any](ctx context.Context, c *client, path string, query url.Values, p paging) (items []T, next string, err error) {
	if p.limit < 0 {
		return nil, "", usagef("--limit is 0 or more")
	}
	next = p.token
	for {
		q := url.Values{}
		for k, v := range query {
			if len(v) > 0 && v[0] != "" {
				q[k] = v
			}
		}
		size := pageSize
		if p.limit > 0 {
			size = min(size, p.limit-len(items))
		}
		if !p.whole {
			q.Set("page_size", fmt.Sprint(size))
		}
		if next != "" {
			q.Set("page_token", next)
		}
		var got page[T]
		if _, err := c.get(ctx, path, q, &got); err != nil {
			return nil, "", err
		}
		items, next = append(items, got.Items...), got.NextPageToken
		if next == "" || p.limit > 0 && len(items) >= p.limit {
			return items, next, nil
		}
	}
}

// show gets one thing and prints it as the API's JSON, or by print.
func show[T any](ctx context.Context, c *client, path string, query url.Values, print func(T) error) error {
	var v T
	a, err := c.get(ctx, path, query, &v)
	if err != nil {
		return err
	}
	return shown(c, a, v, print)
}

// shown prints an answer: as the API's JSON, or by print.
func shown[T any](c *client, a answer, v T, print func(T) error) error {
	if c.output == "json" {
		return c.json(a.raw)
	}
	return print(v)
}

// id is a path's part from what a person typed.
func id(typed string) string { return url.PathEscape(typed) }

// findPlan returns the plan of an id, of a name, or of "server/name". Names of
// plans are unique on their own tenancy only.
func (c *client) findPlan(ctx context.Context, typed string) (string, error) {
	if controlplane.ValidID(controlplane.PrefixPlan, typed) {
		return typed, nil
	}
	plans, _, err := pages[planView](ctx, c, "/plans", nil, paging{})
	if err != nil {
		return "", err
	}
	var found []planView
	for _, p := range plans {
		if p.Name == typed || p.ServerName+"/"+p.Name == typed || p.ID == typed {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return "", controlplane.Errorf(controlplane.CodeNotFound, "See ostler plan list.", "There is no such plan")
	case 1:
		return found[0].ID, nil
	}
	ids := ""
	for _, p := range found {
		ids += "\n  " + p.ID + "  " + p.ServerName + "/" + p.Name
	}
	return "", usagef("%q names %d plans; say which by server/name or by id:%s", typed, len(found), ids)
}
