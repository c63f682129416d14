package helper

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// Preview implements Placer. What it says is what the same plan says to Apply:
// the two share everything but the acts themselves.
func (h *Local) Preview(ctx context.Context, p Preview, report Report) (_ Changed, err error) {
	if !idForm.MatchString(p.Job) {
		return Changed{}, Fail(wire.CausePolicy, nil, "the job's id has a form that none has")
	}
	from, err := h.supply(ctx, p)
	if err != nil {
		return Changed{}, err
	}
	defer from.close()
	l, err := h.newLister(p.Job)
	if err != nil {
		return Changed{}, err
	}
	plan, err := h.plan(ctx, p, from, report, func(s step) error { return l.add(s.change()) }, l.missing)
	if err != nil {
		l.drop()
		return Changed{}, err
	}
	free, err := h.freeAt(plan.grounds)
	if err != nil {
		l.drop()
		return Changed{}, err
	}
	l.changes.FreeBytes = free
	return l.finish()
}

// plan walks what is wanted and gives emit each step.
func (h *Local) plan(ctx context.Context, ask Preview, from supply, report Report, emit func(step) error, missing func(wire.Problem)) (_ *planner, err error) {
	roots, err := layout(from.wanted(), ask.Target)
	if err != nil {
		return nil, err
	}
	if ask.name != "" {
		roots[0].to = path.Join(path.Dir(roots[0].to), ask.name)
	}
	disk, err := newTree(h.o.Root)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := disk.close(); err == nil {
			err = cerr
		}
	}()
	p := newPlanner(disk, ask.Target, roots)
	if err := p.check(); err != nil {
		return nil, err
	}
	p.stat = func(sel int, name string) (wire.Node, bool) { return from.stat(ctx, sel, name) }
	var nodes int64
	p.emit = func(s step) error {
		if nodes++; nodes%1000 == 0 {
			if report != nil {
				report(wire.Progress{Step: "scan", Files: nodes})
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		return emit(s)
	}
	told := map[string]bool{}
	err = from.each(ctx, p.node, func(sel int, lost wire.Problem) {
		told[fmt.Sprint(sel, string(lost.Path))] = true
		missing(lost)
	})
	if err != nil {
		return nil, err
	}
	for i, w := range p.wanted {
		if r := p.roots[i]; !w.seen && !told[fmt.Sprint(r.sel, r.from)] {
			missing(wire.Problem{Path: []byte(r.from), Cause: wire.CauseNotFound})
		}
	}
	p.settle()
	return p, nil
}

// freeAt is the room at the tightest of the grounds.
func (h *Local) freeAt(grounds []ground) (int64, error) {
	var all []int64
	for _, g := range grounds {
		free, err := h.freeOf(g.path)
		if err != nil {
			return 0, err
		}
		all = append(all, free)
	}
	if len(all) == 0 {
		return 0, nil
	}
	return slices.Min(all), nil
}

func (h *Local) freeOf(dir string) (int64, error) {
	fd, err := openBeneath(h.o.Root, dir)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	free, err := h.o.Free(fdPath(fd))
	if err != nil {
		return 0, fmt.Errorf("helper: free space: %w", err)
	}
	return free, nil
}

// listFile is the name of a list of a selection's contents, in private staging.
func (h *Local) listFile(job string, sel int) string {
	return filepath.Join(h.stagingDir(), job, fmt.Sprintf("contents-%d", sel))
}
