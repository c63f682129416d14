package wire

// Selection is what is wanted of one snapshot. Paths are absolute, raw bytes,
// sorted, and none lies beneath another; a folder stands for all beneath it.
type Selection struct {
	Repository Repository `json:"repository"`
	SnapshotID string     `json:"snapshot_id"` // restic's, 64 hex
	// Label tells selections apart where more than one snapshot is in an
	// archive: the name of the folder that holds this one's files. "" for none.
	Label string   `json:"label,omitempty"`
	Paths [][]byte `json:"paths"`
}

// MaxSelected bounds the paths of one job, over all its selections.
const MaxSelected = 1000

// ArchiveFormat is how an archive is packed.
type ArchiveFormat string

// The formats. A zip opens everywhere; a tar keeps owners, modes and names of
// any bytes. Both end in something that a truncated copy does not have: the
// zip's directory, gzip's checksum.
const (
	ArchiveZip   ArchiveFormat = "zip"
	ArchiveTarGz ArchiveFormat = "tar.gz"
)

// Valid reports whether f is a known format.
func (f ArchiveFormat) Valid() bool { return f == ArchiveZip || f == ArchiveTarGz }

// ArchiveParams has files and folders restored to private staging, packed, and
// sent to the plane in chunks. The archive's first entry is
// ostler-manifest.json (Manifest), its second SHA256SUMS.
type ArchiveParams struct {
	Selections []Selection   `json:"selections"`
	Format     ArchiveFormat `json:"format"`
	MaxBytes   int64         `json:"max_bytes"` // of the files, unpacked; 0: the disk decides
}

// ArchiveResult answers ArchiveParams once every chunk is stored.
type ArchiveResult struct {
	Upload
	Files   int64 `json:"files"`
	Folders int64 `json:"folders"`
	Others  int64 `json:"others"` // links, devices, pipes
	Bytes   int64 `json:"bytes"`  // of the files, unpacked
	// Missing are what was asked for and could not be read from the repository,
	// at most MaxProblems of them.
	Missing      []Problem `json:"missing,omitempty"`
	MissingCount int64     `json:"missing_count"`
}

// Upload is what a host sent up in chunks: one file.
type Upload struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex, of the whole
	Chunks int    `json:"chunks"`
}

// Manifest lists what is in an archive, and what is missing from it.
type Manifest struct {
	Version  int             `json:"version"` // 1
	Complete bool            `json:"complete"`
	Files    int64           `json:"files"`
	Bytes    int64           `json:"bytes"`
	Entries  []ManifestEntry `json:"entries"`
	Missing  []Problem       `json:"missing"`
}

// ManifestEntry is one entry of an archive.
type ManifestEntry struct {
	// Name is the entry's name in the archive; Path the original's, raw bytes,
	// where it is another (another case, characters that a zip cannot carry).
	Name     string   `json:"name"`
	Path     []byte   `json:"path,omitempty"`
	Snapshot string   `json:"snapshot"`
	Type     NodeType `json:"type"`
	Size     int64    `json:"size"`
	SHA256   string   `json:"sha256,omitempty"` // hex, of files
	MTime    int64    `json:"mtime"`            // Unix milliseconds
	Mode     uint32   `json:"mode"`
	UID      uint32   `json:"uid"`
	GID      uint32   `json:"gid"`
}

// Problem is one path with what is wrong with it. Path is raw bytes.
type Problem struct {
	Path  []byte `json:"path"`
	Cause Cause  `json:"cause"`
}

// MaxProblems bounds a list of problems in a result.
const MaxProblems = 200

// Placement says where on a server things go.
type Placement string

// The placements.
const (
	PlaceOriginal Placement = "original" // where they were
	PlaceFolder   Placement = "folder"   // beneath a folder of their own
)

// Valid reports whether p is a known placement.
func (p Placement) Valid() bool { return p == PlaceOriginal || p == PlaceFolder }

// Conflict says what happens where something is there already.
type Conflict string

// The rules for conflicts. What is overwritten is moved to the safety copy.
const (
	ConflictOverwrite Conflict = "overwrite"
	ConflictKeep      Conflict = "keep"   // leave what is there
	ConflictBeside    Conflict = "beside" // put it beside, under a name of its own
)

// Valid reports whether c is a known rule.
func (c Conflict) Valid() bool {
	return c == ConflictOverwrite || c == ConflictKeep || c == ConflictBeside
}

// Target is where a restore goes on a server, and by which rules.
type Target struct {
	Placement Placement `json:"placement"`
	// Folder is absolute, for PlaceFolder; it is made where it is missing.
	Folder   []byte   `json:"folder,omitempty"`
	Conflict Conflict `json:"conflict"`
	// Suffix goes between name and extension for ConflictBeside:
	// ".restored-20261120-0214".
	Suffix string `json:"suffix,omitempty"`
	// Bounds are the tenancy's paths: nothing is written outside them.
	Bounds []string `json:"bounds"`
	// Special allows set-user-id bits and devices; staff only.
	Special bool `json:"special,omitempty"`
}

// Source is an archive (ArchiveTarGz) that another server sent up, for a
// restore on this one. The host gets its chunks from the plane.
type Source struct {
	Job string `json:"job"` // whose chunks they are
	Upload
}

// PreviewParams asks what a restore would do; it changes nothing.
type PreviewParams struct {
	Selections []Selection `json:"selections,omitempty"` // or
	Source     *Source     `json:"source,omitempty"`
	Target     Target      `json:"target"`
}

// Act is what happens to one path of a restore.
type Act string

// The acts.
const (
	ActCreate  Act = "create"  // nothing is there
	ActReplace Act = "replace" // something else is there; it goes to the safety copy
	ActSame    Act = "same"    // what is there is the same
	ActKeep    Act = "keep"    // something else is there and stays
	ActBeside  Act = "beside"  // something is there; it goes beside
	ActRefuse  Act = "refuse"  // not allowed, or impossible; Cause says why
	// Of an undo.
	ActRemoved  Act = "removed"  // what the restore made is gone again
	ActReturned Act = "returned" // what was there before is back
	ActChanged  Act = "changed"  // somebody changed it since: left as it is
)

// Valid reports whether a is a known act.
func (a Act) Valid() bool {
	switch a {
	case ActCreate, ActReplace, ActSame, ActKeep, ActBeside, ActRefuse, ActRemoved, ActReturned, ActChanged:
		return true
	}
	return false
}

// Change is what happens, or happened, to one path. The complete list goes up
// as JSON lines of Change, gzipped; a result carries the first of it.
type Change struct {
	Path   []byte   `json:"path"` // on the server, absolute, raw bytes
	Type   NodeType `json:"type"`
	Act    Act      `json:"act"`
	Size   int64    `json:"size"`             // of files
	Cause  Cause    `json:"cause,omitempty"`  // of ActRefuse
	Note   string   `json:"note,omitempty"`   // "setuid_removed", "case_collision", "hard_link" (now a file of its own)
	SHA256 string   `json:"sha256,omitempty"` // hex, of files that were written
}

// MaxChanges bounds the changes in a result.
const MaxChanges = 1000

// Changes answers PreviewParams, ApplyParams and UndoParams.
type Changes struct {
	Upload               // the complete list
	Counts map[Act]int64 `json:"counts"`
	Bytes  int64         `json:"bytes"` // that are, or would be, written
	// Changes are the first of the list, what differs before what is the same.
	Changes []Change `json:"changes"`
	// FreeBytes is the room where they go; of a preview.
	FreeBytes int64 `json:"free_bytes,omitempty"`
	// Missing are what could not be read from the repository.
	Missing      []Problem `json:"missing,omitempty"`
	MissingCount int64     `json:"missing_count"`
	// SafetyBytes is the size of the safety copy, 0 where none was needed.
	SafetyBytes int64 `json:"safety_bytes,omitempty"`
	// Undoable reports whether UndoParams can take it back.
	Undoable bool `json:"undoable,omitempty"`
}

// ApplyParams puts files and folders on a server. Restore names it for the
// safety copy and for UndoParams and SettleParams.
type ApplyParams struct {
	Restore    string      `json:"restore"`
	Selections []Selection `json:"selections,omitempty"` // or
	Source     *Source     `json:"source,omitempty"`
	Target     Target      `json:"target"`
}

// UndoParams takes a restore back: what it made goes, what it replaced returns.
// What somebody changed since then stays as it is, and is listed.
type UndoParams struct {
	Restore string   `json:"restore"`
	Bounds  []string `json:"bounds"`
}

// SettleParams deletes the safety copy of a restore.
type SettleParams struct {
	Restore string `json:"restore"`
}

// Settled answers SettleParams.
type Settled struct {
	Bytes int64 `json:"bytes"` // that were let go of
}

// CatalogueParams has the host list a whole snapshot once and send the list up
// in chunks (backups/catalogue's listing format).
type CatalogueParams struct {
	Repository Repository `json:"repository"`
	SnapshotID string     `json:"snapshot_id"`
}

// CatalogueResult answers CatalogueParams once every chunk is stored.
type CatalogueResult struct {
	Upload
	Entries int64 `json:"entries"`
	// Snapshots are restic's ids of all snapshots that the repository has.
	Snapshots []string `json:"snapshots"`
}
