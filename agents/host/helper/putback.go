package helper

import (
	"context"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// PutBack implements Helper: a restore of one file under a name of its own,
// which never replaces anything and is not taken back.
func (h *Local) PutBack(ctx context.Context, p PutBack, report Report) (wire.PutBackResult, error) {
	var none wire.PutBackResult
	parent, err := target(string(p.Path), string(p.TargetName), p.Bounds)
	if err != nil {
		return none, err
	}
	if err := h.vacant(parent, string(p.TargetName)); err != nil {
		return none, err
	}
	e, err := h.repo(ctx, p.Repo)
	if err != nil {
		return none, err
	}
	node, err := e.Stat(ctx, p.Snapshot, p.Path)
	if err != nil {
		return none, err
	}
	if node.Type != wire.NodeFile {
		return none, Fail(wire.CauseUnsafePath, nil, "it is not a regular file in the snapshot")
	}
	a := Apply{Restore: p.Job, Preview: Preview{Job: p.Job, name: string(p.TargetName),
		Selections: []Selected{{Repo: p.Repo, Snapshot: p.Snapshot, Paths: [][]byte{p.Path}}},
		Target:     wire.Target{Placement: wire.PlaceOriginal, Conflict: wire.ConflictKeep, Bounds: p.Bounds}}}
	done, err := h.Apply(ctx, a, report)
	if err != nil {
		return none, err
	}
	if _, err := h.Settle(ctx, p.Job); err != nil {
		return none, err
	}
	if len(done.Changes.Changes) != 1 {
		return none, Fail(wire.CauseInternal, nil, "one file was to be restored, and there are %d changes", len(done.Changes.Changes))
	}
	switch c := done.Changes.Changes[0]; c.Act {
	case wire.ActCreate:
		return wire.PutBackResult{Path: c.Path, Size: c.Size, SHA256: c.SHA256}, nil
	case wire.ActRefuse:
		return none, Fail(c.Cause, nil, "the file could not be put into its folder")
	}
	return none, Fail(wire.CauseExists, nil, "there is something of that name already")
}

// vacant checks that the folder is there and that nothing in it has the name,
// not even a dangling link.
func (h *Local) vacant(dir, name string) error {
	fd, err := openBeneath(h.o.Root, dir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	there, err := look(fd, name)
	if err == nil && there != nil {
		err = Fail(wire.CauseExists, nil, "there is something of that name already")
	}
	return err
}
