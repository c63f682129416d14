package host

import (
	"context"
	"encoding/json"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// preview says what a restore on this server would do.
func (a *Agent) preview(ctx context.Context, t *task, p wire.PreviewParams, report helper.Report) (any, error) {
	return a.placing(ctx, t, p, report, func(ctx context.Context, from helper.Preview) (helper.Changed, error) {
		return a.o.Helper.Preview(ctx, from, report)
	})
}

// apply puts files and folders on this server.
func (a *Agent) apply(ctx context.Context, t *task, p wire.ApplyParams, report helper.Report) (any, error) {
	from := wire.PreviewParams{Selections: p.Selections, Source: p.Source, Target: p.Target}
	return a.placing(ctx, t, from, report, func(ctx context.Context, from helper.Preview) (helper.Changed, error) {
		return a.o.Helper.Apply(ctx, helper.Apply{Preview: from, Restore: p.Restore}, report)
	})
}

// placing gets what a restore is made from (its stores, or the archive of
// another server), runs f, and sends the complete list of changes to the plane.
func (a *Agent) placing(ctx context.Context, t *task, p wire.PreviewParams, report helper.Report, f func(context.Context, helper.Preview) (helper.Changed, error)) (any, error) {
	job := t.env.Job
	defer a.discard(ctx, job)
	in := helper.Preview{Job: job, Target: p.Target}
	if p.Source != nil {
		archive, err := a.fetchSource(ctx, t, *p.Source, report)
		if err != nil {
			return nil, err
		}
		in.Archive = archive
	}
	done, err := withStores(ctx, a, repositoriesOf(p.Selections), func(ctx context.Context, repos []helper.Repo) (helper.Changed, error) {
		for i, s := range p.Selections {
			in.Selections = append(in.Selections, helper.Selected{Repo: repos[i], Snapshot: s.SnapshotID, Paths: s.Paths})
		}
		return f(ctx, in)
	})
	if err != nil {
		return nil, err
	}
	return a.changes(ctx, t, done, report)
}

// undo takes a restore on this server back.
func (a *Agent) undo(ctx context.Context, t *task, p wire.UndoParams, report helper.Report) (any, error) {
	job := t.env.Job
	defer a.discard(ctx, job)
	done, err := a.o.Helper.Undo(ctx, helper.Undo{Job: job, Restore: p.Restore, Bounds: p.Bounds}, report)
	if err != nil {
		return nil, err
	}
	return a.changes(ctx, t, done, report)
}

func (a *Agent) settle(ctx context.Context, p wire.SettleParams) (any, error) {
	return a.o.Helper.Settle(ctx, p.Restore)
}

// changes sends the complete list up and returns the result.
func (a *Agent) changes(ctx context.Context, t *task, done helper.Changed, report helper.Report) (any, error) {
	up, err := a.upload(ctx, t, done.List, report)
	if err != nil {
		return nil, err
	}
	c := done.Changes
	c.Upload = up
	return fitChanges(c)
}

// fitChanges shortens a result until it fits into a frame; the list that was
// sent up is complete.
func fitChanges(c wire.Changes) (wire.Changes, error) {
	for {
		b, err := json.Marshal(c)
		if err != nil || len(b) < wire.MaxFrame-(64<<10) || len(c.Changes)+len(c.Missing) == 0 {
			return c, err
		}
		c.Changes = c.Changes[:len(c.Changes)/2]
		c.Missing = c.Missing[:(len(c.Missing)+1)/2]
		if len(c.Changes) == 0 {
			c.Missing = nil
		}
	}
}
