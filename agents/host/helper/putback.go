package helper

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// stagedName is the file's name in its staging folder.
const stagedName = "file"

// note remembers a staging folder outside the state folder, so that a killed
// agent's next life removes it.
type note struct {
	Parent []byte `json:"parent"` // absolute beneath the root
	Name   string `json:"name"`
}

// place is an open folder that a file is put into.
type place struct {
	root, parent string
	fd           int // the parent
	staging      string
	stagingFD    int
}

// PutBack implements Helper. The file is written into a private folder beside
// the target and then gets its name in one step that never replaces anything.
func (h *Local) PutBack(ctx context.Context, p PutBack, report Report) (_ wire.PutBackResult, err error) {
	var none wire.PutBackResult
	if !idForm.MatchString(p.Job) {
		return none, Fail(wire.CausePolicy, nil, "the job's id has a form that none has")
	}
	parent, err := target(string(p.Path), string(p.TargetName), p.Bounds)
	if err != nil {
		return none, err
	}
	fd, err := openBeneath(h.o.Root, parent)
	if err != nil {
		return none, err
	}
	at := &place{root: h.o.Root, parent: parent, fd: fd, stagingFD: -1}
	defer unix.Close(fd)
	if err := at.vacant(string(p.TargetName)); err != nil {
		return none, err
	}
	repo, err := h.repo(ctx, p.Repo)
	if err != nil {
		return none, err
	}
	node, err := repo.Stat(ctx, p.Snapshot, p.Path)
	if err != nil {
		return none, err
	}
	if node.Type != wire.NodeFile {
		return none, Fail(wire.CauseUnsafePath, nil, "it is not a regular file in the snapshot")
	}
	free, err := h.o.Free(fdPath(fd))
	if err != nil {
		return none, fmt.Errorf("helper: free space: %w", err)
	}
	if need := node.Size + h.o.Reserve; need > free {
		return none, Fail(wire.CauseDiskFull, nil, "putting the file back needs %d bytes free on the server, and there are %d", need, free)
	}
	if err := h.stage(p.Job, at); err != nil {
		return none, err
	}
	defer func() {
		at.unstage()
		_ = os.Remove(filepath.Join(h.notesDir(), p.Job))
	}()
	out, err := at.create()
	if err != nil {
		return none, err
	}
	defer out.Close()
	w := &hashing{to: out, sum: sha256.New(), limit: node.Size, report: report, total: node.Size}
	if _, err := repo.Dump(ctx, p.Snapshot, p.Path, w); err != nil {
		return none, err
	}
	if err := dress(out, node); err != nil {
		return none, err
	}
	if err := at.name(string(p.TargetName)); err != nil {
		return none, err
	}
	return wire.PutBackResult{Path: []byte(filepath.Join(parent, string(p.TargetName))), Size: w.done, SHA256: hex.EncodeToString(w.sum.Sum(nil))}, nil
}

func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// vacant checks that nothing has the name yet, not even a dangling link.
func (at *place) vacant(name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(at.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case err == nil:
		return Fail(wire.CauseExists, nil, "there is something of that name already")
	case errors.Is(err, unix.ENOENT):
		return nil
	}
	return fmt.Errorf("helper: look for the target: %w", err)
}

// stage makes the private folder, after a note of it is on the disk.
func (h *Local) stage(job string, at *place) error {
	var random [8]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never returns an error
	at.staging = ".ostler-restore-" + hex.EncodeToString(random[:])
	b, err := json.Marshal(note{Parent: []byte(at.parent), Name: at.staging})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(h.notesDir(), job), b, 0o600); err != nil {
		return fmt.Errorf("helper: note the staging folder: %w", err)
	}
	if err := syncDir(h.notesDir()); err != nil {
		return fmt.Errorf("helper: note the staging folder: %w", err)
	}
	if err := unix.Mkdirat(at.fd, at.staging, 0o700); err != nil {
		return fmt.Errorf("helper: make the staging folder: %w", err)
	}
	return at.openStaging()
}

// openStaging opens the private folder and makes sure that it is ours.
func (at *place) openStaging() error {
	fd, err := unix.Openat(at.fd, at.staging, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return Fail(wire.CauseUnsafePath, err, "the staging folder is not ours")
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err != nil || int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 {
		_ = unix.Close(fd)
		return Fail(wire.CauseUnsafePath, err, "the staging folder is not ours")
	}
	at.stagingFD = fd
	return nil
}

// unstage removes the private folder and what may be left in it.
func (at *place) unstage() {
	if at.stagingFD < 0 {
		return
	}
	_ = unix.Unlinkat(at.stagingFD, stagedName, 0)
	_ = unix.Close(at.stagingFD)
	at.stagingFD = -1
	_ = unix.Unlinkat(at.fd, at.staging, unix.AT_REMOVEDIR)
}

func (at *place) create() (*os.File, error) {
	fd, err := unix.Openat(at.stagingFD, stagedName, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("helper: make the file: %w", err)
	}
	return os.NewFile(uintptr(fd), stagedName), nil
}

// dress gives the file the owner, mode and time that it had: without setuid,
// setgid and sticky bits, and the owner only where we may.
func dress(f *os.File, n wire.Node) error {
	if os.Geteuid() == 0 {
		if err := f.Chown(int(n.UID), int(n.GID)); err != nil {
			return fmt.Errorf("helper: set owner: %w", err)
		}
	}
	if err := f.Chmod(fs.FileMode(n.Mode).Perm()); err != nil {
		return fmt.Errorf("helper: set mode: %w", err)
	}
	at := unix.NsecToTimeval(time.UnixMilli(n.MTime).UnixNano())
	if err := unix.Futimes(int(f.Fd()), []unix.Timeval{at, at}); err != nil {
		return fmt.Errorf("helper: set time: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("helper: sync: %w", err)
	}
	return nil
}

// name gives the finished file its name. The folder must still be where it was
// when it was opened: a folder that was moved away may be out of bounds now.
func (at *place) name(name string) error {
	root, err := filepath.EvalSymlinks(at.root)
	if err != nil {
		return fmt.Errorf("helper: find the root: %w", err)
	}
	if now, err := os.Readlink(fdPath(at.fd)); err != nil || now != filepath.Join(root, at.parent) {
		return Fail(wire.CauseUnsafePath, err, "the folder was moved while the file was restored")
	}
	err = unix.Renameat2(at.stagingFD, stagedName, at.fd, name, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // not every file system can
		err = unix.Linkat(at.stagingFD, stagedName, at.fd, name, 0)
	}
	if errors.Is(err, unix.EEXIST) {
		return Fail(wire.CauseExists, err, "there is something of that name already")
	}
	if err != nil {
		return fmt.Errorf("helper: name the file: %w", err)
	}
	if err := unix.Fsync(at.fd); err != nil {
		return fmt.Errorf("helper: sync the folder: %w", err)
	}
	return nil
}

// sweepNote removes the staging folder that a killed job left, if there is one.
func (h *Local) sweepNote(job string) error {
	path := filepath.Join(h.notesDir(), job)
	b, err := os.ReadFile(path)
	if err != nil {
		return ignoreGone(err)
	}
	var n note
	if json.Unmarshal(b, &n) == nil && CleanAbsolute(string(n.Parent)) {
		fd, err := openBeneath(h.o.Root, string(n.Parent))
		if err == nil {
			at := &place{fd: fd, staging: n.Name, stagingFD: -1}
			if at.openStaging() == nil {
				at.unstage()
			}
			_ = unix.Close(fd)
		}
	}
	return os.Remove(path)
}
