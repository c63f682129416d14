package wire

// Action is one typed thing that an agent can do. There is no shell action.
type Action string

// The closed set of actions.
const (
	ActionInventory   Action = "inventory.collect"
	ActionRepoPrepare Action = "repository.prepare" // make the passwords on the host
	ActionRepoInit    Action = "repository.init"    // restic init, once the store knows the host and the key is safe
	ActionBackup      Action = "backup.run"
	ActionList        Action = "snapshot.list"    // one folder of a snapshot
	ActionDownload    Action = "restore.download" // one file to the plane, in sealed chunks
	ActionPutBack     Action = "restore.put_back" // one file on the server, beside the original
	ActionCatalogue   Action = "catalogue.build"  // the names in a snapshot, for browsing and searching
	ActionArchive     Action = "restore.archive"  // files and folders to the plane, as one archive
	ActionPreview     Action = "restore.preview"  // what a restore on the server would do
	ActionApply       Action = "restore.apply"    // files and folders on the server
	ActionUndo        Action = "restore.undo"     // takes a restore on the server back
	ActionSettle      Action = "restore.settle"   // deletes the safety copy of a restore

	ActionCertRequest Action = "certificate.request"   // a key made on the host, and a signing request for it
	ActionCertDeploy  Action = "certificate.deploy"    // install, test, reload, look, and back again where it fails
	ActionCertLook    Action = "certificate.look"      // what is served, and which certificates others renew
	ActionCertTake    Action = "certificate.take_over" // stop another's renewer, or let it renew again
	ActionCertForget  Action = "certificate.forget"    // delete keys that are not used any more

	ActionAccessScan Action = "access.scan"      // who can get into the host, and who is in it
	ActionEndLogin   Action = "access.end_login" // end somebody's Teleport sessions on the host
	ActionLoginsScan Action = "logins.scan"      // who came in, by the host's own records
)

// Actions lists every action in a fixed order.
func Actions() []Action {
	return []Action{ActionInventory, ActionRepoPrepare, ActionRepoInit, ActionBackup, ActionList, ActionDownload, ActionPutBack,
		ActionCatalogue, ActionArchive, ActionPreview, ActionApply, ActionUndo, ActionSettle,
		ActionCertRequest, ActionCertDeploy, ActionCertLook, ActionCertTake, ActionCertForget,
		ActionAccessScan, ActionEndLogin, ActionLoginsScan}
}

// Restart says what a crash in the middle of an action means.
type Restart string

// The ways to restart.
const (
	Idempotent Restart = "idempotent"   // run it again
	Resumable  Restart = "resumable"    // run it again, it goes on where it stopped
	AtMostOnce Restart = "at_most_once" // report interrupted, never run it again by itself
)

// Restart returns what a crash in the middle of a means.
func (a Action) Restart() Restart {
	switch a {
	case ActionBackup, ActionPutBack:
		return AtMostOnce
	case ActionDownload, ActionCatalogue, ActionArchive, ActionPreview, ActionApply, ActionUndo:
		return Resumable
	default:
		return Idempotent
	}
}

// Valid reports whether a is in the closed set.
func (a Action) Valid() bool {
	for _, b := range Actions() {
		if a == b {
			return true
		}
	}
	return false
}

// InventoryParams asks for a first inventory.
type InventoryParams struct{}

// Inventory is what a server says of itself.
type Inventory struct {
	OS            string `json:"os"`         // PRETTY_NAME of os-release
	OSID          string `json:"os_id"`      // ID of os-release
	OSVersion     string `json:"os_version"` // VERSION_ID of os-release
	Kernel        string `json:"kernel"`
	Arch          string `json:"arch"`
	BootID        string `json:"boot_id"`
	Hostname      string `json:"hostname"`
	CPUs          int    `json:"cpus"`
	MemoryBytes   int64  `json:"memory_bytes"`
	Disks         []Disk `json:"disks"`
	Packages      int    `json:"packages"`      // installed packages by dpkg's status file; -1 unknown
	PackagesHash  string `json:"packages_hash"` // SHA-256 of sorted name=version lines
	ResticVersion string `json:"restic_version"`
	// Simulated names the facts that --root took from fixtures.
	Simulated []string `json:"simulated,omitempty"`
}

// InventoryAnswer is what a host answers: its Inventory, and the packages that
// dpkg's status file has as installed. No list is an agent that sends none yet, or
// a host without such a file.
type InventoryAnswer struct {
	Inventory
	Installed []Package `json:"installed,omitempty"`
}

// Package is one that is installed.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Source  string `json:"source,omitempty"` // the source package, where it has another name
}

// Disk is one mounted file system.
type Disk struct {
	Mount     string `json:"mount"`
	SizeBytes int64  `json:"size_bytes"`
	FreeBytes int64  `json:"free_bytes"`
}

// Repository says where a repository is; the passwords are on the host.
type Repository struct {
	ID string `json:"id"`
	// URL of the rest-server, "https://host:port", without credentials.
	StoreURL string `json:"store_url"`
	// StorePin is the SHA-256 of the store certificate's public key info (hex);
	// "" means that the system's roots decide.
	StorePin string `json:"store_pin,omitempty"`
	// User is the store's user and first path element (--private-repos).
	User string `json:"user"`
	// Name is the repository's path below the user.
	Name string `json:"name"`
}

// RepoPrepareParams has the host make a store password and a repository
// password, or find the ones it made before: it answers the same again.
type RepoPrepareParams struct {
	Repository Repository `json:"repository"`
	// EscrowKey is the Keeper's public HPKE key (X25519). Where it is set, the
	// repository password comes back sealed to it; else RecoveryKeySealed does.
	EscrowKey []byte `json:"escrow_key,omitempty"`
	// RevealKey is a public HPKE key (X25519) that is used once, to show the
	// recovery key to the customer's own eyes.
	RevealKey []byte `json:"reveal_key,omitempty"`
	// Returned is the repository's password on its way back to a host that has
	// lost it (a reinstalled server), sealed to the host's Hello.SealKey. The
	// host takes it, instead of making one, where its print is KeyFingerprint.
	Returned       []byte `json:"returned,omitempty"`
	KeyFingerprint string `json:"key_fingerprint,omitempty"`
}

// HPKEInfo is the info string of every HPKE seal of a repository password; the
// repository's id follows it.
const HPKEInfo = "ostler repository password v1 "

// RepoPrepared answers RepoPrepareParams.
type RepoPrepared struct {
	// StoreHash is the bcrypt hash of the store password, for .htpasswd.
	StoreHash string `json:"store_hash"`
	// Sealed are HPKE messages (enc || ciphertext) of the repository password.
	EscrowSealed []byte `json:"escrow_sealed,omitempty"`
	RevealSealed []byte `json:"reveal_sealed,omitempty"`
	// KeyFingerprint is hex SHA-256 of "ostler key fingerprint v1\n" + password:
	// a confirmed copy can be compared with it.
	KeyFingerprint string `json:"key_fingerprint"`
}

// RepoInitParams has the host run restic init; a repository that is there and
// opens with the host's password is fine.
type RepoInitParams struct {
	Repository Repository `json:"repository"`
}

// RepoInitialised answers RepoInitParams.
type RepoInitialised struct {
	ResticID string `json:"restic_id"` // the repository's own id
	Created  bool   `json:"created"`
}

// BackupParams is one run of a plan.
type BackupParams struct {
	Repository Repository `json:"repository"`
	Plan       string     `json:"plan"`
	Run        string     `json:"run"`
	Tenancy    string     `json:"tenancy"`
	// Paths are absolute on the server; the agent's --root stands before them.
	Paths    []string `json:"paths"`
	Excludes []string `json:"excludes"` // restic patterns
	Tags     []string `json:"tags"`
	// SnapshotTime is the demo's simulated time in Unix milliseconds (0: the
	// host's clock). The host's policy must allow it.
	SnapshotTime int64 `json:"snapshot_time,omitempty"`
}

// BackupOutcome is complete or partial; a failed run has a Failure instead.
type BackupOutcome string

// The outcomes of a run that made a snapshot.
const (
	BackupComplete BackupOutcome = "complete"
	BackupPartial  BackupOutcome = "partial"
)

// BackupResult answers BackupParams.
type BackupResult struct {
	Outcome         BackupOutcome `json:"outcome"`
	SnapshotID      string        `json:"snapshot_id"` // restic's, 64 hex
	FilesNew        int64         `json:"files_new"`
	FilesChanged    int64         `json:"files_changed"`
	FilesUnmodified int64         `json:"files_unmodified"`
	TotalFiles      int64         `json:"total_files"`
	TotalBytes      int64         `json:"total_bytes"`
	AddedBytes      int64         `json:"added_bytes"` // after compression, as stored
	SnapshotAt      int64         `json:"snapshot_at"` // restic's claim, Unix milliseconds
	DurationMillis  int64         `json:"duration_millis"`
	// Unread are files that could not be read, at most MaxUnread of them.
	Unread      []Unread `json:"unread,omitempty"`
	UnreadCount int64    `json:"unread_count"`
	// MissingPaths are paths of the plan that do not exist on the server.
	MissingPaths []string `json:"missing_paths,omitempty"`
}

// MaxUnread bounds the list of files that could not be read.
const MaxUnread = 200

// Unread is one file that a backup could not read. Path is raw bytes.
type Unread struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// ListParams asks for one folder of a snapshot.
type ListParams struct {
	Repository Repository `json:"repository"`
	SnapshotID string     `json:"snapshot_id"`
	Path       []byte     `json:"path"` // absolute, raw bytes
	Limit      int        `json:"limit"`
}

// Listing answers ListParams. Found is false where the snapshot has no such
// folder, which is not the same as an empty one.
type Listing struct {
	Found     bool   `json:"found"`
	Nodes     []Node `json:"nodes"`
	Truncated bool   `json:"truncated"`
}

// NodeType is what a node of a snapshot is.
type NodeType string

// The types of node, as restic names them.
const (
	NodeFile      NodeType = "file"
	NodeDir       NodeType = "dir"
	NodeSymlink   NodeType = "symlink"
	NodeDevice    NodeType = "dev"
	NodeCharDev   NodeType = "chardev"
	NodeFIFO      NodeType = "fifo"
	NodeSocket    NodeType = "socket"
	NodeIrregular NodeType = "irregular"
)

// Node is one entry of a folder. Name is raw bytes: newlines, control and
// right-to-left marks and invalid UTF-8 all occur.
type Node struct {
	Name       []byte   `json:"name"`
	Type       NodeType `json:"type"`
	Size       int64    `json:"size"`
	Mode       uint32   `json:"mode"`  // permission bits as in os.FileMode
	MTime      int64    `json:"mtime"` // Unix milliseconds
	UID        uint32   `json:"uid"`
	GID        uint32   `json:"gid"`
	LinkTarget []byte   `json:"link_target,omitempty"`
}

// DownloadParams has one file restored to staging and sent in chunks.
type DownloadParams struct {
	Repository Repository `json:"repository"`
	SnapshotID string     `json:"snapshot_id"`
	Path       []byte     `json:"path"`
	MaxBytes   int64      `json:"max_bytes"`
}

// DownloadResult answers DownloadParams once every chunk is stored.
type DownloadResult struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex, of the whole file
	Chunks int    `json:"chunks"`
	MTime  int64  `json:"mtime"`
	Mode   uint32 `json:"mode"`
}

// PutBackParams puts one file of a snapshot beside the original.
type PutBackParams struct {
	Repository Repository `json:"repository"`
	SnapshotID string     `json:"snapshot_id"`
	Path       []byte     `json:"path"`
	// TargetName is the new file's name, without any slash.
	TargetName []byte `json:"target_name"`
	// Bounds are the tenancy's paths; the target must be beneath one of them.
	Bounds []string `json:"bounds"`
}

// PutBackResult answers PutBackParams.
type PutBackResult struct {
	Path   []byte `json:"path"` // where it is now, absolute on the server
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}
