package helper

import (
	"context"

	"ostler/agents/wire"
)

// Selected is what a restore wants of one snapshot: absolute paths, raw bytes.
type Selected struct {
	Repo     Repo
	Snapshot string
	Paths    [][]byte
}

// Preview asks what a restore on this server would do.
type Preview struct {
	Job        string
	Selections []Selected // or
	// Archive is a tar.gz of another server that was fetched whole and whose
	// checksum was compared: a file that nobody but us can write.
	Archive string
	Target  wire.Target
}

// Apply puts files and folders on this server. Restore names it from then on:
// for the safety copy, Undo and Settle. Running it again goes on where it
// stopped; where it was done the same answer is given again.
type Apply struct {
	Preview
	Restore string
}

// Undo takes a restore back, whole or in part done.
type Undo struct {
	Job     string
	Restore string
	Bounds  []string
}

// Changed is what a restore did or would do. The complete list (JSON lines of
// wire.Change, gzipped) waits in private staging until Discard; the caller
// sends it up. Changes.Upload says its size, sum and chunks.
type Changed struct {
	wire.Changes
	List Staged
}

// Placer puts things on the server and takes them back; *Local is one.
type Placer interface {
	// Preview says what Apply would do, and changes nothing.
	Preview(ctx context.Context, p Preview, report Report) (Changed, error)
	Apply(ctx context.Context, a Apply, report Report) (Changed, error)
	// Undo removes what Apply made and returns what it replaced, but for what
	// somebody changed since. It can be run again; an undo is not undone.
	Undo(ctx context.Context, u Undo, report Report) (Changed, error)
	// Settle deletes the safety copy. A restore that is not known is settled.
	Settle(ctx context.Context, restore string) (wire.Settled, error)
}
