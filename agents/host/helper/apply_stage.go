package helper

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// The folders of a stage. What restic restores lies in new (new.part while it is
// not whole). A slot in was holds what is about to get its name, and from then
// on what stood there before: it becomes the safety copy by itself.
const (
	dirNew  = "new"
	dirPart = "new.part"
	dirWas  = "was"
)

// stage is a private folder of ours on the disk of the target.
type stage struct {
	note    stageNote
	parent  int // descriptors
	fd      int
	was     int
	new     int // -1: nothing is staged
	staged  string
	stageFD int // the folder staged in new, opened last
}

// stagePrefix begins the name of every private folder.
const stagePrefix = ".ostler-restore-"

func stageName() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never returns an error
	return stagePrefix + hex.EncodeToString(random[:])
}

// openStage opens a stage, making it if asked to. Nil without an error: it is
// not there.
func (h *Local) openStage(n stageNote, make bool) (_ *stage, err error) {
	st := &stage{note: n, parent: -1, fd: -1, was: -1, new: -1, stageFD: -1}
	defer func() {
		if err != nil {
			st.close()
		}
	}()
	if st.parent, err = openBeneath(h.o.Root, string(n.Parent)); err != nil {
		if !make && Failure(err).Cause == wire.CauseNotFound {
			return nil, nil
		}
		return nil, err
	}
	if make {
		if err := h.put.reach("stage"); err != nil {
			return nil, err
		}
		if err := unix.Mkdirat(st.parent, n.Name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, fmt.Errorf("helper: make the staging folder: %w", err)
		}
	}
	st.fd, err = ownFolder(st.parent, n.Name)
	if errors.Is(err, unix.ENOENT) && !make {
		st.close()
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if make {
		if err := unix.Mkdirat(st.fd, dirWas, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, fmt.Errorf("helper: make the staging folder: %w", err)
		}
	}
	if st.was, err = ownFolder(st.fd, dirWas); err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, err
	}
	if st.new, err = ownFolder(st.fd, dirNew); err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, err
	}
	return st, nil
}

// ownFolder opens a folder and makes sure that nobody else can enter it.
func ownFolder(parent int, name string) (int, error) {
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return -1, err
	}
	if err != nil {
		return -1, Fail(wire.CauseUnsafePath, err, "the staging folder is not ours")
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err != nil || int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 {
		_ = unix.Close(fd)
		return -1, Fail(wire.CauseUnsafePath, err, "the staging folder is not ours")
	}
	return fd, nil
}

func (st *stage) close() {
	for _, fd := range []int{st.stageFD, st.new, st.was, st.fd, st.parent} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	st.parent, st.fd, st.was, st.new, st.stageFD, st.staged = -1, -1, -1, -1, -1, ""
}

// clear removes what is staged and not placed.
func (st *stage) clear() error {
	for _, fd := range []*int{&st.stageFD, &st.new} {
		if *fd >= 0 {
			_ = unix.Close(*fd)
		}
		*fd = -1
	}
	st.staged = ""
	return errors.Join(removeAll(st.fd, dirPart), removeAll(st.fd, dirNew))
}

// remove removes the stage with all that is in it.
func (st *stage) remove() error {
	err := errors.Join(st.clear(), removeAll(st.fd, dirWas))
	if err == nil {
		err = unix.Unlinkat(st.parent, st.note.Name, unix.AT_REMOVEDIR)
	}
	if err != nil {
		return fmt.Errorf("helper: remove the staging folder: %w", err)
	}
	return nil
}

// removeAll removes a tree in a folder of ours.
func removeAll(fd int, name string) error { return os.RemoveAll(fdPath(fd) + "/" + name) }

// slots calls each for the names in was.
func (st *stage) slots(each func(name string) error) error {
	if st.was < 0 {
		return nil
	}
	f, err := os.Open(fdPath(st.was))
	if err != nil {
		return fmt.Errorf("helper: list the safety copy: %w", err)
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(1000)
		for _, n := range names {
			if err := each(n); err != nil {
				return err
			}
		}
		if err != nil || len(names) == 0 {
			return nil
		}
	}
}

// weigh is the number of things in the safety copy and the size of its files.
func (st *stage) weigh() (n, bytes int64, err error) {
	err = st.slots(func(name string) error {
		was, err := look(st.was, name)
		if err != nil || was == nil {
			return err
		}
		n++
		if was.kind == wire.NodeFile {
			bytes += was.Size
		}
		return nil
	})
	return n, bytes, err
}

// folder opens the folder that a path was staged in.
func (st *stage) folder(sel int, dir string) (int, error) {
	rel := strconv.Itoa(sel) + dir
	if rel == st.staged {
		return st.stageFD, nil
	}
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(st.new, path.Clean(rel), how)
	if err != nil {
		return -1, err
	}
	if st.stageFD >= 0 {
		_ = unix.Close(st.stageFD)
	}
	st.stageFD, st.staged = fd, rel
	return fd, nil
}

func slotName(seq int64) string { return strconv.FormatInt(seq, 10) }

// placing is what restores on this server share.
type placing struct {
	hold holder
	// rename is renameat2, and at is told before every change of the disk; tests
	// put their faults here.
	rename func(fromDir int, from string, toDir int, to string, flags uint) error
	at     func(point string) error
}

// reach is called before each change of the disk.
func (p *placing) reach(point string) error {
	if p.at == nil {
		return nil
	}
	return p.at(point)
}

func (p *placing) renameat2(fromDir int, from string, toDir int, to string, flags uint) error {
	if p.rename != nil {
		return p.rename(fromDir, from, toDir, to, flags)
	}
	return unix.Renameat2(fromDir, from, toDir, to, flags)
}

// cannot reports whether a file system does not know a kind of rename.
func cannot(err error) bool { return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) }

// give gives a thing its name where nothing has it; EEXIST where something has.
func (p *placing) give(fromDir int, from string, toDir int, to string, folder bool) error {
	err := p.renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE)
	if !cannot(err) {
		return err
	}
	if folder { // it has no second name; an empty folder in its way is no loss
		was, lookErr := look(toDir, to)
		if lookErr != nil || was != nil {
			return errors.Join(lookErr, unix.EEXIST)
		}
		return unix.Renameat(fromDir, from, toDir, to)
	}
	if err := unix.Linkat(fromDir, from, toDir, to, 0); err != nil {
		return err
	}
	return unix.Unlinkat(fromDir, from, 0)
}
