package catalogue

import (
	"context"
	"errors"
	"io"
)

var errSoon = errors.ErrUnsupported

// ListingOptions bounds a ListingWriter.
type ListingOptions struct {
	// TempDir is a private folder for what does not fit in memory.
	TempDir string
	// Memory is how many bytes of names may wait in memory, 0 for 32 MiB.
	Memory int
}

// ListingWriter writes one snapshot's listing.
type ListingWriter struct{}

// NewListingWriter returns a writer of a listing to w.
func NewListingWriter(w io.Writer, o ListingOptions) *ListingWriter { return &ListingWriter{} }

// Add takes the next entry, in restic's order: depth first, each folder before
// what is in it. The root has no entry. It copies what it keeps.
func (w *ListingWriter) Add(e Entry) error { return errSoon }

// Entries is how many were added.
func (w *ListingWriter) Entries() int64 { return 0 }

// Close writes the listing. It does not close the underlying writer.
func (w *ListingWriter) Close() error { return errSoon }

// Discard lets go of what waits, temporary files included, and writes nothing
// more; after Close it does nothing.
func (w *ListingWriter) Discard() {}

// ListingReader reads a listing.
type ListingReader struct{}

// ReadListing returns a reader of a listing.
func ReadListing(r io.Reader) *ListingReader { return &ListingReader{} }

// Next returns the next entry, sorted by folder and name; it is valid until the
// next call. io.EOF means that the listing was whole; anything wrong with it
// is ErrListing.
func (r *ListingReader) Next() (*Entry, error) { return nil, errSoon }

// Entries is how many were read.
func (r *ListingReader) Entries() int64 { return 0 }

// Cache keeps decoded blocks of all catalogues.
type Cache struct{}

// NewCache returns a cache of at most so many bytes.
func NewCache(bytes int64) *Cache { return &Cache{} }

// Has reports whether a snapshot was merged and not dropped.
func (m Manifest) Has(ord Ordinal) bool { return false }

// Newest returns the newest ordinal; false where there is none.
func (m Manifest) Newest() (Ordinal, bool) { return 0, false }

// Names returns the names of the segments. What is stored under other names
// for the same catalogue is not needed.
func (m Manifest) Names() []string { return nil }

// Bytes is the size of all segments, unsealed.
func (m Manifest) Bytes() int64 { return 0 }

// Append merges the listing of the next snapshot; ord is above every one that
// was merged. It returns the manifest to store, and the segments to delete once
// it is stored. After an error, or where another manifest was stored meanwhile,
// what it put is in no manifest: delete what Names does not name.
func (c *Catalogue) Append(ctx context.Context, ord Ordinal, l *ListingReader) (Manifest, []string, Stats, error) {
	return Manifest{}, nil, Stats{}, errSoon
}

// Compact rewrites the catalogue without what no living snapshot has.
func (c *Catalogue) Compact(ctx context.Context, alive Alive) (Manifest, []string, error) {
	return Manifest{}, nil, errSoon
}

// Worth reports whether enough snapshots are gone that Compact is worth its
// cost: a quarter of those merged, or 32.
func (c *Catalogue) Worth(alive Alive) bool { return false }

// Folder returns what is in a folder of a snapshot, sorted by name, bytewise,
// limit at most (0: all). found is false where there is no such folder.
func (c *Catalogue) Folder(ctx context.Context, ord Ordinal, dir []byte, limit int) (entries []Entry, found, truncated bool, err error) {
	return nil, false, false, errSoon
}

// FolderAfter is Folder from the name after the one given.
func (c *Catalogue) FolderAfter(ctx context.Context, ord Ordinal, dir, after []byte, limit int) (entries []Entry, found, truncated bool, err error) {
	return nil, false, false, errSoon
}

// Stat returns one entry of a snapshot. The root is a folder without times.
func (c *Catalogue) Stat(ctx context.Context, ord Ordinal, path []byte) (Entry, bool, error) {
	return Entry{}, false, errSoon
}

// Walk calls each for the entry at root and for all beneath it, folder by
// folder: a folder's children stand together. Entries are valid during the call.
func (c *Catalogue) Walk(ctx context.Context, ord Ordinal, root []byte, each func(Entry) error) error {
	return errSoon
}

// Search returns the paths that answer a query, sorted by folder and name.
// more is true where there are further ones: ask again with After.
func (c *Catalogue) Search(ctx context.Context, q Query, alive Alive) (hits []Hit, more bool, err error) {
	return nil, false, errSoon
}

// History returns the versions of a path, newest first.
func (c *Catalogue) History(ctx context.Context, path []byte, alive Alive) ([]Version, error) {
	return nil, errSoon
}
