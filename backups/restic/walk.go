package restic

import (
	"context"

	"ostler/agents/wire"
)

// Walk calls each for every node of a snapshot, depth first: a folder comes
// before what is in it, and names come in bytewise order. It runs restic once.
// path is absolute; it and the node's name are raw bytes and valid during the
// call only. Link targets are not there: LinkTarget is nil.
func (r *Repo) Walk(ctx context.Context, snapshot string, each func(path []byte, n wire.Node) error) error {
	return failure(wire.CauseUnsupported, "walking a snapshot is not built")
}

// Contents lists what lies beneath paths of a snapshot into a new file of the
// given name, as Walk has it. A folder that is damaged and a path that is not
// there are among what is missing; where nothing is there it is an error.
func (r *Repo) Contents(ctx context.Context, snapshot string, paths [][]byte, file string) (*Contents, error) {
	return nil, failure(wire.CauseUnsupported, "listing a selection is not built")
}

// RestoreOptions are how a selection is restored.
type RestoreOptions struct {
	// Target is an empty folder that nobody but us can enter; absolute. A path
	// of the snapshot lies beneath it as it lies beneath the root.
	Target string
	// Special keeps set-user-id and set-group-id bits, capabilities and trusted
	// attributes, and devices. Else they are taken off or left out.
	Special bool
	// Progress gets at most one report a second, from one goroutine.
	Progress func(wire.Progress)
}

// Restore restores a selection in as few runs of restic as there can be, and
// marks in c what could not be restored: what is damaged is not in Target. It
// is an error where nothing could be restored, where the store or the disk
// failed, and where it was stopped.
func (r *Repo) Restore(ctx context.Context, c *Contents, o RestoreOptions) error {
	return failure(wire.CauseUnsupported, "restoring a selection is not built")
}
