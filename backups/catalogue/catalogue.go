// Package catalogue remembers what every snapshot of one plan holds, so that
// browsing, searching and the history of a file open a few small blocks instead
// of the repository. It knows no customer, no plan, no key and no database.
//
// What it keeps true:
//   - What it answers about a snapshot is what that snapshot's listing said,
//     byte for byte. A snapshot that was never merged is ErrUnknown, not empty.
//   - Anything wrong with what is stored is ErrDamaged, anything wrong with a
//     listing ErrListing: never a shorter answer.
//   - Segments are written once and never changed. Whoever holds a Manifest
//     reads that manifest's segments, whatever is merged meanwhile, for as long
//     as the caller has not deleted them.
//   - What did not change costs nothing for a further snapshot.
//   - Memory is bounded: by a block for each segment, and by Cache.
//   - The same listings, merged in the same order, make the same blocks.
//
// # How it is kept
//
// A catalogue is a log of events (path, ordinal, what it is from then on, or
// that it is gone), sorted by path and then ordinal, in at most about ten
// segments, the older the larger. Paths are sorted by folder, '/' below every
// other byte, and then by name, bytewise: the children of a folder stand
// together, and all beneath a folder is one range. A segment is a row of
// blocks, each of some 64 KB, and an index of their first keys; names and the
// rest stand in columns of their own, so that a search reads names only.
package catalogue

import (
	"context"
	"errors"

	"ostler/agents/wire"
)

// The errors that callers tell apart; they come wrapped.
var (
	// ErrDamaged means that a stored block is missing, does not open or does
	// not hold what it should. The catalogue is to be built again.
	ErrDamaged = errors.New("catalogue: damaged")
	// ErrListing means that a listing is truncated, corrupt or out of order.
	// The catalogue is as it was; the listing is to be made again.
	ErrListing = errors.New("catalogue: bad listing")
	// ErrUnknown means that the snapshot is not in the catalogue.
	ErrUnknown = errors.New("catalogue: snapshot not in the catalogue")
)

// Entry is one node of a snapshot.
type Entry struct {
	Path  []byte // absolute, raw bytes, no NUL, no slash at the end
	Type  wire.NodeType
	Size  int64 // bytes, of files
	MTime int64 // Unix milliseconds
	Mode  uint32
	UID   uint32
	GID   uint32
	Link  []byte // target of a symlink, raw bytes
}

// Blocks is where the blocks of segments are kept, sealed by the caller with
// segment and block as associated data. Methods may be called at the same time.
type Blocks interface {
	// Put stores one block. A (segment, block) is put once; plain is valid
	// during the call only.
	Put(ctx context.Context, segment string, block int, plain []byte) error
	// Get returns what was put; an error that wraps ErrDamaged where it is
	// missing or does not open. The engine keeps the slice and does not write to it.
	Get(ctx context.Context, segment string, block int) ([]byte, error)
	// Delete removes all blocks of a segment; nil where there are none.
	Delete(ctx context.Context, segment string) error
}

// Ordinal numbers the snapshots of one catalogue in the order of their merge:
// 0, 1, 2 and so on, with gaps where the caller likes. It is never used again.
type Ordinal uint32

// Manifest says which segments make up a catalogue. The zero Manifest is an
// empty catalogue. The caller stores it as JSON and swaps it only where it is
// still the one that the change was made from. It holds no names of files.
type Manifest struct {
	Format   int       `json:"format"`
	Segments []Segment `json:"segments"`  // oldest first
	Merged   []Range   `json:"snapshots"` // the ordinals that were merged, less what Compact dropped
	Next     Ordinal   `json:"next"`      // above every ordinal that ever was merged
}

// Segment is one row of blocks that is never changed.
type Segment struct {
	Name   string  `json:"name"` // random, hex: unique over all catalogues
	First  Ordinal `json:"first"`
	Last   Ordinal `json:"last"`   // First and Last bound the ordinals of its events
	Keys   int64   `json:"keys"`   // paths
	Events int64   `json:"events"` // what became of them
	Bytes  int64   `json:"bytes"`  // of all blocks, unsealed
	Blocks int     `json:"blocks"` // the last one is the index
	Sum    string  `json:"sum"`    // SHA-256 of the index, hex
}

// Range is the ordinals from First to Last, both included.
type Range struct {
	First Ordinal `json:"first"`
	Last  Ordinal `json:"last"`
}

// Stats says what Append did.
type Stats struct {
	Entries int64 `json:"entries"` // in the listing
	New     int64 `json:"new"`     // that were not in the snapshot merged before
	Changed int64 `json:"changed"`
	Gone    int64 `json:"gone"`    // that were in the snapshot merged before, and are not in this one
	Written int64 `json:"written"` // bytes put, segments that were merged included
}

// Alive tells which snapshots still exist; nil means all. It must answer the
// same for as long as a call lasts.
type Alive func(Ordinal) bool

// Query says what is searched. The zero Query finds everything.
type Query struct {
	// Text is part of a name, without regard to case (Unicode's simple folding,
	// composed and decomposed letters alike). With a slash it is part of the
	// whole path. With * or ? it is a pattern that the whole name must match;
	// with a slash the whole path, or, where it does not begin with one, the
	// path's last folders and name. * and ? stop at a slash, ** does not;
	// [abc], [a-z] and [!a] are classes, [*] a star.
	Text string
	// Ext is the end of the name after a dot, "pdf" or "tar.gz", with or
	// without the leading dot, without regard to case.
	Ext  string
	Type wire.NodeType // "" for any
	// MinSize and MaxSize are bytes, both included, 0 for none. With either,
	// only files are found.
	MinSize, MaxSize int64
	// ModifiedFrom and ModifiedTo are Unix milliseconds, from included and to
	// excluded, 0 for none.
	ModifiedFrom, ModifiedTo int64
	At                       *Ordinal // in this snapshot, which is alive; nil: in any that is
	Beneath                  []byte   // only what lies beneath this folder; empty for all
	Limit                    int      // hits, 100 where it is 0
	After                    []byte   // path of the last hit of the page before
}

// Hit is one path that a search found. First, Last, Versions and Present are
// about the path in all snapshots that are alive.
type Hit struct {
	Path     []byte
	Newest   Entry   // the newest version that answers the query; with At, the one there
	In       Ordinal // the newest snapshot that has Newest; with At, that one
	Versions int     // versions that differ
	First    Ordinal // the first snapshot that has it
	Last     Ordinal // the last one
	Present  bool    // whether the newest snapshot has it
}

// Version is one state of a path. What went away and came back unchanged is one
// version with more than one span.
type Version struct {
	Entry
	First  Ordinal // of Spans
	Last   Ordinal
	Copies int    // how many snapshots have it
	Spans  []Span // oldest first
}

// Span is a run of snapshots that all have a version: First and Last are alive,
// and all that are alive between them have it too.
type Span struct{ First, Last Ordinal }

// Catalogue reads the segments of one manifest, and writes the next ones. It
// does not change: Append and Compact return the manifest to store. Methods may
// be called at the same time; two changes made from the same manifest are the
// caller's to prevent, by comparing before it swaps.
type Catalogue struct {
	blocks   Blocks
	manifest Manifest
	cache    *Cache
	bounds   bounds
}

// bounds are sizes that tests make small.
type bounds struct {
	block int   // blockRaw
	small int64 // tierSmall
	stage int   // stagedBytes
}

// Open returns the catalogue that m describes. It reads nothing yet. A nil
// cache keeps nothing.
func Open(b Blocks, m Manifest, c *Cache) *Catalogue {
	if c == nil {
		c = NewCache(0)
	}
	return &Catalogue{blocks: b, manifest: m, cache: c, bounds: bounds{blockRaw, tierSmall, stagedBytes}}
}

// Manifest returns what Open was given.
func (c *Catalogue) Manifest() Manifest { return c.manifest }
