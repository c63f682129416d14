package helper

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// Options configures Local.
type Options struct {
	State  string // the agent's state folder; the helper keeps to its part of it
	Root   string // absolute; "/" in production
	Restic string // restic's path
	// Reserve is what stays free on a disk that is restored to, in bytes.
	Reserve int64
	// StagingQuota bounds all staged files together, in bytes.
	StagingQuota int64
	// Free returns the free bytes at a folder; nil asks the file system.
	Free   func(dir string) (int64, error)
	Limits restic.Limits
	Log    *slog.Logger
	// Engine is what works on a repository; nil is restic. Tests put theirs here.
	Engine func(Repo) Engine
}

// Engine is what works on one repository; *restic.Repo is one.
type Engine interface {
	Init(ctx context.Context) (wire.RepoInitialised, error)
	Backup(ctx context.Context, o restic.BackupOptions) (wire.BackupResult, error)
	List(ctx context.Context, snapshot string, path []byte, limit int) (wire.Listing, error)
	Stat(ctx context.Context, snapshot string, name []byte) (wire.Node, error)
	Dump(ctx context.Context, snapshot string, name []byte, w io.Writer) (wire.Node, error)
	Snapshots(ctx context.Context) ([]restic.Snapshot, error)
	Walk(ctx context.Context, snapshot string, each func(path []byte, n wire.Node) error) error
	Contents(ctx context.Context, snapshot string, paths [][]byte, file string) (*restic.Contents, error)
	Restore(ctx context.Context, c *restic.Contents, o restic.RestoreOptions) error
}

// Defaults of Options.
const (
	DefaultReserve      = 64 << 20
	DefaultStagingQuota = 20 << 30
)

// Local is the Helper in the agent's own process.
type Local struct {
	o      Options
	usable atomic.Bool // restic, as far as its version goes
	keys   sync.Mutex
	// room guards the sum of what is staged and promised.
	room     sync.Mutex
	promised map[string]int64
	put      placing
}

// NewLocal makes the helper's folders.
func NewLocal(o Options) (*Local, error) {
	if o.Free == nil {
		o.Free = freeBytes
	}
	if o.Reserve == 0 {
		o.Reserve = DefaultReserve
	}
	if o.StagingQuota == 0 {
		o.StagingQuota = DefaultStagingQuota
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Local{o: o, promised: map[string]int64{}}
	for _, d := range []string{h.keyDir(), h.dir("cache"), h.dir("tmp"), h.restoresDir(), h.stagingDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("helper: make folder: %w", err)
		}
	}
	return h, nil
}

func (h *Local) dir(name string) string { return filepath.Join(h.o.State, "helper", name) }
func (h *Local) keyDir() string         { return h.dir("keys") }
func (h *Local) stagingDir() string     { return filepath.Join(h.o.State, "staging") }

// repo is the engine's view of a repository. A restic that is missing or too
// old is found out before it is let near one; once it is replaced it is used.
func (h *Local) repo(ctx context.Context, r Repo) (Engine, error) {
	if h.o.Engine != nil {
		return h.o.Engine(r), nil
	}
	if !h.usable.Load() {
		if _, _, err := h.Version(ctx); err != nil {
			return nil, err
		}
		h.usable.Store(true)
	}
	return &restic.Repo{
		Binary: h.o.Restic, Socket: r.Socket, Path: "/" + r.User + "/" + r.Name + "/",
		PasswordFile: h.keyPath(r.ID), CacheDir: filepath.Join(h.dir("cache"), r.ID),
		Dir: h.o.Root, TempDir: h.dir("tmp"), Limits: h.o.Limits, Log: h.o.Log,
	}, nil
}

// Version implements Helper.
func (h *Local) Version(ctx context.Context) (version, warning string, err error) {
	v, err := (&restic.Repo{Binary: h.o.Restic, TempDir: h.dir("tmp"), Log: h.o.Log}).Version(ctx)
	return v.Version, v.Warning, err
}

// Init implements Helper.
func (h *Local) Init(ctx context.Context, r Repo) (wire.RepoInitialised, error) {
	e, err := h.repo(ctx, r)
	if err != nil {
		return wire.RepoInitialised{}, err
	}
	made, err := e.Init(ctx)
	if err != nil {
		return made, err
	}
	return made, h.settle(r.ID)
}

// Backup implements Helper.
func (h *Local) Backup(ctx context.Context, b Backup, report Report) (wire.BackupResult, error) {
	o := restic.BackupOptions{Paths: b.Paths, Excludes: b.Excludes, Tags: b.Tags, Host: b.Host, Progress: report}
	if b.Time != 0 {
		o.Time = time.UnixMilli(b.Time).UTC()
	}
	e, err := h.repo(ctx, b.Repo)
	if err != nil {
		return wire.BackupResult{}, err
	}
	return e.Backup(ctx, o)
}

// List implements Helper.
func (h *Local) List(ctx context.Context, r Repo, snapshot string, path []byte, limit int) (wire.Listing, error) {
	e, err := h.repo(ctx, r)
	if err != nil {
		return wire.Listing{}, err
	}
	return e.List(ctx, snapshot, path, limit)
}

// freeBytes is what an unprivileged user could still write at dir.
func freeBytes(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
