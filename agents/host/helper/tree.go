package helper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// tree is the disk beneath the root as a restore sees it: a stack of open
// folders, from the one that holds a bound down to the one at work. Folders are
// entered by descriptor, one name at a time, and no link is ever followed.
type tree struct {
	root, real string // as configured, and where that really is
	bound      string
	frames     []*frame
	// leave is called before a folder that is there is closed; it may be nil.
	leave func(*frame) error
}

// frame is one folder of a tree.
type frame struct {
	path string // absolute beneath the root
	fd   int    // -1: it is not there
	dev  uint64 // its file system; of one that is not there its parent's
	why  wire.Cause
	// taken are the names that a plan gives in it.
	taken map[string]bool
	dirty bool
}

func newTree(root string) (*tree, error) {
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("helper: find the root: %w", err)
	}
	return &tree{root: root, real: real}, nil
}

// close leaves all folders.
func (t *tree) close() error {
	var errs []error
	for len(t.frames) > 0 {
		errs = append(errs, t.pop())
	}
	t.bound = ""
	return errors.Join(errs...)
}

func (t *tree) top() *frame { return t.frames[len(t.frames)-1] }

func (t *tree) pop() (err error) {
	f := t.top()
	t.frames = t.frames[:len(t.frames)-1]
	if f.fd < 0 {
		return nil
	}
	if t.leave != nil {
		err = t.leave(f)
	}
	return errors.Join(err, unix.Close(f.fd))
}

// dir returns the folder dir, which lies beneath bound or holds it. One that is
// not there, or cannot be entered, is a frame too. An error is about the bound:
// its way is not there or leads through a link.
func (t *tree) dir(bound, dir string) (*frame, error) {
	if t.bound != bound {
		if err := t.close(); err != nil {
			return nil, err
		}
		holds := path.Dir(bound)
		fd, err := openBeneath(t.root, holds)
		if err != nil {
			return nil, err
		}
		f := &frame{path: holds, fd: fd}
		if f.dev, err = deviceOf(fd); err != nil {
			return nil, errors.Join(err, unix.Close(fd))
		}
		t.bound, t.frames = bound, append(t.frames, f)
	}
	for len(t.frames) > 1 && !Beneath(t.top().path, dir) {
		if err := t.pop(); err != nil {
			return nil, err
		}
	}
	for t.top().path != dir {
		rest := strings.TrimPrefix(strings.TrimPrefix(dir, t.top().path), "/")
		name, _, _ := strings.Cut(rest, "/")
		t.frames = append(t.frames, t.top().enter(name))
	}
	return t.top(), nil
}

// enter opens a folder in f.
func (f *frame) enter(name string) *frame {
	in := &frame{path: join(f.path, name), fd: -1, dev: f.dev, why: f.why}
	if f.fd < 0 || f.why != "" {
		return in
	}
	fd, err := unix.Openat(f.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		in.fd = fd
		if in.dev, err = deviceOf(fd); err != nil {
			in.why = wire.CauseInternal
		}
	case errors.Is(err, unix.ENOENT):
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		in.why = wire.CauseExists
		if was, err := look(f.fd, name); err == nil && was != nil && was.kind == wire.NodeSymlink {
			in.why = wire.CauseUnsafePath
		}
	default:
		in.why = wire.CauseInternal
	}
	return in
}

// isWhere reports whether an open folder still is where it was when it was
// opened: one that was moved away may be out of bounds now.
func (t *tree) isWhere(f *frame) bool {
	now, err := os.Readlink(fdPath(f.fd))
	return err == nil && now == filepath.Join(t.real, f.path)
}

func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

func deviceOf(fd int) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("helper: look at a folder: %w", err)
	}
	return st.Dev, nil
}

// seen is what stands under a name on the disk.
type seen struct {
	ident
	kind  wire.NodeType
	mode  uint32 // as in wire.Node
	uid   uint32
	gid   uint32
	nlink uint64
	link  string
}

// ident tells whether something is what it was. Times are nanoseconds. The
// device is no part of it: its number may be another after the next boot.
type ident struct {
	Ino   uint64 `json:"i"`
	Size  int64  `json:"s"`
	MTime int64  `json:"m"`
	CTime int64  `json:"c"`
}

// same reports whether it is the same thing, as far as its content goes. A
// rename changes the ctime.
func (i ident) same(o ident) bool {
	i.CTime, o.CTime = 0, 0
	return i == o
}

// look returns what stands under a name, nil for nothing. A link is not followed.
func look(fd int, name string) (*seen, error) {
	var st unix.Stat_t
	err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("helper: look at a name: %w", err)
	}
	s := seenOf(&st)
	if s.kind == wire.NodeSymlink {
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fd, name, buf)
		if err != nil {
			return nil, fmt.Errorf("helper: read a link: %w", err)
		}
		s.link = string(buf[:n])
	}
	return s, nil
}

func seenOf(st *unix.Stat_t) *seen {
	s := &seen{ident: ident{Ino: st.Ino, Size: st.Size, MTime: st.Mtim.Nano(), CTime: st.Ctim.Nano()}, uid: st.Uid, gid: st.Gid, nlink: uint64(st.Nlink)}
	s.mode = st.Mode & 0o777
	for bit, mode := range map[uint32]fs.FileMode{unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky} {
		if st.Mode&bit != 0 {
			s.mode |= uint32(mode)
		}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		s.kind = wire.NodeFile
	case unix.S_IFDIR:
		s.kind = wire.NodeDir
	case unix.S_IFLNK:
		s.kind = wire.NodeSymlink
	case unix.S_IFBLK:
		s.kind = wire.NodeDevice
	case unix.S_IFCHR:
		s.kind = wire.NodeCharDev
	case unix.S_IFIFO:
		s.kind = wire.NodeFIFO
	case unix.S_IFSOCK:
		s.kind = wire.NodeSocket
	default:
		s.kind = wire.NodeIrregular
	}
	return s
}

// sysMode turns a mode as in wire.Node into the kernel's.
func sysMode(mode uint32) uint32 {
	m := mode & 0o777
	for bit, is := range map[uint32]fs.FileMode{unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky} {
		if mode&uint32(is) != 0 {
			m |= bit
		}
	}
	return m
}
