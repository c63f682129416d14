// Package helper is what needs root on a host, behind one narrow interface:
// data in, data out, and no network. It reads the repository passwords, which
// nobody else does, and reaches the store only through the unix socket that
// the agent hands it.
//
// Local is the helper in the agent's own process. A process of its own speaks
// the same interface over a socket: nothing here carries more than data.
package helper

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// Helper does what needs root. Every error is an *Error, or one that Failure
// maps. Methods may be called at the same time for different repositories.
type Helper interface {
	// Version returns restic's version, and why a newer one is wanted ("" if not).
	Version(ctx context.Context) (version, warning string, err error)
	// PrepareKey makes a repository's password or finds the one it made before,
	// and returns it sealed, never bare.
	PrepareKey(ctx context.Context, k KeyRequest) (Key, error)
	// Init makes the repository, or opens the one that is there.
	Init(ctx context.Context, r Repo) (wire.RepoInitialised, error)
	Backup(ctx context.Context, b Backup, report Report) (wire.BackupResult, error)
	// List returns one folder of a snapshot.
	List(ctx context.Context, r Repo, snapshot string, path []byte, limit int) (wire.Listing, error)
	// Fetch restores one file to private staging. Discard removes it.
	Fetch(ctx context.Context, f Fetch, report Report) (Staged, error)
	// Archive restores files and folders to private staging and packs them.
	// Discard removes the archive.
	Archive(ctx context.Context, a Archive, report Report) (Archived, error)
	// Catalogue lists a whole snapshot into private staging. Discard removes it.
	Catalogue(ctx context.Context, c Catalogue, report Report) (Catalogued, error)
	// Stage makes an empty private folder for a job that will be given a file of
	// that size, if there is room for it. Discard removes it.
	Stage(ctx context.Context, job string, size int64) (dir string, err error)
	// PutBack restores one file beside the original.
	PutBack(ctx context.Context, p PutBack, report Report) (wire.PutBackResult, error)
	Placer
	// Access says who can get into the host, and who is in it.
	Access(ctx context.Context) (wire.AccessScan, error)
	// Logins says who came in, by the host's own records.
	Logins(ctx context.Context, p wire.LoginsScanParams) (wire.LoginsScan, error)
	// EndLogins ends one user's Teleport sessions of an account.
	EndLogins(ctx context.Context, p wire.EndLoginParams) (wire.EndedLogins, error)
	// Discard removes what a job staged; with "" what any job ever staged.
	Discard(ctx context.Context, job string) error
}

// Report takes progress; JobRef and Seq are the caller's to fill in.
type Report func(wire.Progress)

// Repo is a repository as the helper sees it.
type Repo struct {
	ID     string // names the password
	Socket string // of the agent's store proxy
	User   string
	Name   string
}

// KeyRequest asks for a repository's password, sealed to the keys that are set
// (X25519, raw).
type KeyRequest struct {
	Repository string
	EscrowKey  []byte
	RevealKey  []byte
	// Returned is the password itself, on a host that has lost it; "" makes one.
	Returned string
}

// Key is a sealed password and its fingerprint.
type Key struct {
	EscrowSealed []byte
	RevealSealed []byte
	Fingerprint  string
}

// Backup is one run.
type Backup struct {
	Repo     Repo
	Host     string // the snapshot's host name
	Paths    []string
	Excludes []string
	Tags     []string
	// Time is the snapshot's time in Unix milliseconds; 0 is the clock's.
	Time int64
}

// Fetch asks for one file. MaxBytes 0 means no limit but the disk's.
type Fetch struct {
	Job      string
	Repo     Repo
	Snapshot string
	Path     []byte
	MaxBytes int64
}

// Staged is a file in private staging.
type Staged struct {
	Path   string // on the host
	Size   int64
	SHA256 string // hex
	MTime  int64  // Unix milliseconds
	Mode   uint32
}

// PutBack asks for one file beside the original.
type PutBack struct {
	Job        string
	Repo       Repo
	Snapshot   string
	Path       []byte
	TargetName []byte
	Bounds     []string
}

// Error is a failure with a cause that the plane knows.
type Error struct {
	Failure wire.Failure
	Err     error // for the host's own log
}

// Error returns cause and detail, and never a file's name.
func (e *Error) Error() string {
	s := "helper: " + string(e.Failure.Cause)
	if e.Failure.Detail != "" {
		s += ": " + e.Failure.Detail
	}
	return s
}

// Unwrap returns the technical cause.
func (e *Error) Unwrap() error { return e.Err }

// Fail returns an Error; err may be nil.
func Fail(c wire.Cause, err error, format string, args ...any) error {
	return &Error{Failure: wire.Failure{Cause: c, Detail: fmt.Sprintf(format, args...)}, Err: err}
}

// Failure maps any error of a helper to what the plane is told.
func Failure(err error) wire.Failure {
	var own *Error
	if errors.As(err, &own) {
		return own.Failure
	}
	if FullDisk(err) {
		return wire.Failure{Cause: wire.CauseDiskFull, Detail: "no space left on the server"}
	}
	var engine *restic.Error
	if errors.As(err, &engine) {
		return engine.Failure
	}
	return wire.Failure{Cause: wire.CauseInternal, Detail: "see the agent's log on the server"}
}

// FullDisk reports whether err says that a disk or a quota is full.
func FullDisk(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
