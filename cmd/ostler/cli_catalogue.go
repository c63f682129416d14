package main

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// catalogueView is what the command line reads of a plan's catalogue.
type catalogueView struct {
	Plan       string       `json:"plan"`
	Status     string       `json:"status"`
	Why        *failureView `json:"why"`
	Failure    *failureView `json:"failure"`
	Generation int64        `json:"generation"`
	Snapshots  int64        `json:"snapshots"`
	Behind     int64        `json:"behind"`
	Entries    int64        `json:"entries"`
	Bytes      int64        `json:"bytes"`
	UpdatedAt  string       `json:"updated_at"`
}

// settled reports whether waiting for more is of no use.
func (v catalogueView) settled() bool {
	return v.Status == "off" || v.Status == "declined" || v.Status == "ready" && v.Behind == 0
}

func (c *client) showCatalogue(v catalogueView) error {
	err := c.facts(pair{"Catalogue", state(v.Status)}, pair{"Snapshots", text(count(v.Snapshots))}, pair{"Not in it", text(count(v.Behind))}, pair{"Entries", text(count(v.Entries))},
		pair{"Size", text(size(v.Bytes))}, pair{"Generation", text(count(v.Generation))}, pair{"Changed", text(when(v.UpdatedAt))}, pair{"Plan", text(v.Plan)})
	for _, f := range []*failureView{v.Why, v.Failure} {
		if f != nil {
			c.say("%s", f.sentence())
		}
	}
	return err
}

func (c *client) planCatalogue() *cobra.Command {
	var on, off, rebuild, wait bool
	cmd := c.verb("catalogue PLAN", "Show the list of names that a plan's snapshots are searched by; turn it on or off, make it anew", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			plan, err := c.findPlan(ctx, args[0])
			if err != nil {
				return err
			}
			var v catalogueView
			var a answer
			path := "/plans/" + id(plan) + "/catalogue"
			switch {
			case on || off:
				a, err = c.call(ctx, http.MethodPut, path, nil, map[string]any{"on": on}, nil, &v)
			case rebuild:
				a, err = c.post(ctx, path+"/rebuild", nil, &v)
			default:
				a, err = c.get(ctx, path, nil, &v)
			}
			if err != nil {
				return err
			}
			if wait {
				if v, a, err = c.waitCatalogue(ctx, path); err != nil {
					return err
				}
			}
			if err := shown(c, a, v, c.showCatalogue); err != nil {
				return err
			}
			if wait && v.Status != "ready" && !off {
				return controlplane.Errorf(controlplane.CodeInternal, "Turn it on with ostler plan catalogue "+args[0]+" --on.", "The plan has no catalogue: it is %s", v.Status)
			}
			return nil
		})
	fl := cmd.Flags()
	fl.BoolVar(&on, "on", false, "keep one")
	fl.BoolVar(&off, "off", false, "delete it, and keep none")
	fl.BoolVar(&rebuild, "rebuild", false, "make it anew from all snapshots")
	cmd.MarkFlagsMutuallyExclusive("on", "off", "rebuild")
	return c.waits(cmd, &wait)
}

// waitCatalogue waits until every snapshot is in a catalogue.
func (c *client) waitCatalogue(ctx context.Context, path string) (catalogueView, answer, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	m := c.meter()
	defer m.end()
	v, a, err := poll(ctx, c, path, nil, false, func(v catalogueView) bool {
		m.show("catalogue "+v.Status, plural(v.Behind, "snapshot", "snapshots")+" to go")
		return v.settled()
	})
	return v, a, expired(ctx, err, "Making the catalogue", "Look again with ostler plan catalogue PLAN.")
}
