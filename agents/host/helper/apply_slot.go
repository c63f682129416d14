package helper

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// ready is a step whose thing lies in its slot, with nothing about it that it
// must not have, and waits for its name.
type ready struct {
	step
	new   ident
	note  string
	sum   string
	cause wire.Cause // it could not be had
	// dir is the open folder, for a step that makes one; -1 else.
	dir int
}

// prepare puts a step's thing into its slot. Where it is there already it was
// put there before a kill.
func (r *placer) prepare(s step) (rd ready, err error) {
	rd = ready{step: s, note: s.Note, dir: -1}
	st := r.stages[r.s.Roots[s.Root].Stage]
	if err := r.h.put.reach("slot"); err != nil {
		return rd, err
	}
	slot := slotName(s.Seq)
	in, err := look(st.was, slot)
	if err == nil && in == nil {
		err = r.fetch(st, &rd, slot)
	}
	if err != nil || rd.cause != "" {
		return rd, err
	}
	if err := r.tame(st, &rd, slot); err != nil {
		return rd, err
	}
	in, err = look(st.was, slot)
	if err == nil && (in == nil || in.kind != s.Type) {
		err = Fail(wire.CauseInternal, nil, "what was staged is not there any more")
	}
	if err != nil {
		return rd, err
	}
	rd.new = in.ident
	return rd, nil
}

// fetch brings a thing from what was restored to its slot. A folder is made
// anew, because what is in it waits for its own turn.
func (r *placer) fetch(st *stage, rd *ready, slot string) error {
	if len(rd.From) == 0 {
		return r.makeFolder(st, rd, slot, -1)
	}
	from := string(rd.From)
	dir, in, err := st.find(r.s.Roots[rd.Root].Sel, from)
	if err != nil {
		return err
	}
	if in == nil || in.kind != rd.Type || in.kind == wire.NodeFile && in.Size != rd.Size {
		rd.cause = wire.CauseDamaged // restic could not restore it
		return nil
	}
	switch {
	case in.kind == wire.NodeDir:
		fd, err := unix.Openat(dir, path.Base(from), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("helper: open a staged folder: %w", err)
		}
		defer unix.Close(fd)
		return r.makeFolder(st, rd, slot, fd)
	case in.kind == wire.NodeFile && in.nlink > 1:
		rd.note = noteHardLink
		return copyFile(dir, path.Base(from), st.was, slot)
	}
	if err := unix.Renameat(dir, path.Base(from), st.was, slot); err != nil {
		return fmt.Errorf("helper: move to its slot: %w", err)
	}
	return nil
}

// find looks for what was restored of a path; nil where it was not.
func (st *stage) find(sel int, from string) (dir int, in *seen, err error) {
	if st.new < 0 {
		return -1, nil, nil
	}
	dir, err = st.folder(sel, path.Dir(from))
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return -1, nil, nil
	case err != nil:
		return -1, nil, fmt.Errorf("helper: open a staged folder: %w", err)
	}
	in, err = look(dir, path.Base(from))
	return dir, in, err
}

// makeFolder makes a folder in its slot as another one is, or as its step says.
func (r *placer) makeFolder(st *stage, rd *ready, slot string, like int) error {
	part := slot + ".part"
	if err := removeAll(st.was, part); err != nil {
		return fmt.Errorf("helper: make a folder: %w", err)
	}
	if err := unix.Mkdirat(st.was, part, 0o700); err != nil {
		return fmt.Errorf("helper: make a folder: %w", err)
	}
	fd, err := unix.Openat(st.was, part, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("helper: make a folder: %w", err)
	}
	defer unix.Close(fd)
	uid, gid, mode := rd.UID, rd.GID, rd.Mode
	if like >= 0 {
		var was unix.Stat_t
		if err := unix.Fstat(like, &was); err != nil {
			return fmt.Errorf("helper: look at a staged folder: %w", err)
		}
		uid, gid, mode = was.Uid, was.Gid, seenOf(&was).mode
		if err := copyAttributes(like, fd); err != nil {
			return err
		}
	}
	if err := own(fd, uid, gid); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, sysMode(modeFor(mode, &r.s.Target))); err != nil {
		return fmt.Errorf("helper: set mode: %w", err)
	}
	if err := unix.Renameat(st.was, part, st.was, slot); err != nil {
		return fmt.Errorf("helper: make a folder: %w", err)
	}
	return nil
}

// own gives an open file its owner, where we may.
func own(fd int, uid, gid uint32) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := unix.Fchown(fd, int(uid), int(gid)); err != nil {
		return fmt.Errorf("helper: set owner: %w", err)
	}
	return nil
}

// tame takes off what only staff may give, and reads a file for its checksum.
func (r *placer) tame(st *stage, rd *ready, slot string) error {
	switch rd.Type {
	case wire.NodeFile, wire.NodeDir:
	default: // a link has no mode; devices and pipes come with Special only
		return nil
	}
	fd, err := unix.Openat(st.was, slot, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("helper: open what was staged: %w", err)
	}
	f := os.NewFile(uintptr(fd), slot)
	if rd.Type == wire.NodeDir {
		if rd.dir, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return errors.Join(fmt.Errorf("helper: open a folder: %w", err), f.Close())
		}
	}
	defer f.Close()
	var was unix.Stat_t
	if err := unix.Fstat(fd, &was); err != nil {
		return fmt.Errorf("helper: look at what was staged: %w", err)
	}
	if !r.s.Target.Special {
		if now := seenOf(&was).mode; now != now&0o777 {
			if err := unix.Fchmod(fd, now&0o777); err != nil {
				return fmt.Errorf("helper: set mode: %w", err)
			}
		}
		if err := dropPowers(fd); err != nil {
			return err
		}
	}
	if rd.Type == wire.NodeFile {
		sum := sha256.New()
		if _, err := io.Copy(sum, f); err != nil {
			return fmt.Errorf("helper: read what was staged: %w", err)
		}
		rd.sum = hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

// attributes lists the extended attributes of an open file; none where its file
// system has none.
func attributes(fd int) ([]string, error) {
	size, err := unix.Flistxattr(fd, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
		return nil, nil
	}
	buf := make([]byte, size+1024)
	if err == nil {
		size, err = unix.Flistxattr(fd, buf)
	}
	if err != nil {
		return nil, fmt.Errorf("helper: list attributes: %w", err)
	}
	return strings.Split(strings.TrimSuffix(string(buf[:size]), "\x00"), "\x00"), nil
}

// power reports whether an attribute gives a file powers. security.selinux is
// the host's own label.
func power(attr string) bool {
	return attr == "security.capability" || strings.HasPrefix(attr, "trusted.")
}

func dropPowers(fd int) error {
	attrs, err := attributes(fd)
	for _, a := range attrs {
		if err == nil && power(a) {
			err = unix.Fremovexattr(fd, a)
		}
	}
	if err != nil {
		return fmt.Errorf("helper: take off a file's powers: %w", err)
	}
	return nil
}

// copyAttributes gives one open file the attributes of another. What the host's
// security labels by itself is left to it.
func copyAttributes(from, to int) error {
	attrs, err := attributes(from)
	if err != nil {
		return err
	}
	for _, a := range attrs {
		if strings.HasPrefix(a, "security.") && !power(a) {
			continue
		}
		size, err := unix.Fgetxattr(from, a, nil)
		buf := make([]byte, size)
		if err == nil && size > 0 {
			size, err = unix.Fgetxattr(from, a, buf)
		}
		if err == nil {
			err = unix.Fsetxattr(to, a, buf[:size], 0)
		}
		if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("helper: copy an attribute: %w", err)
		}
	}
	return nil
}

// copyFile makes a file of its own of one that has several names: what becomes
// of one name must not become of the others.
func copyFile(fromDir int, from string, toDir int, to string) error {
	in, err := unix.Openat(fromDir, from, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("helper: open what was staged: %w", err)
	}
	src := os.NewFile(uintptr(in), from)
	defer src.Close()
	part := to + ".part"
	_ = unix.Unlinkat(toDir, part, 0)
	out, err := unix.Openat(toDir, part, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("helper: make a file: %w", err)
	}
	dst := os.NewFile(uintptr(out), part)
	defer dst.Close()
	var was unix.Stat_t
	if err := unix.Fstat(in, &was); err != nil {
		return fmt.Errorf("helper: look at what was staged: %w", err)
	}
	if _, err := io.Copy(dst, src); err != nil {
		return fmt.Errorf("helper: copy a file: %w", err)
	}
	if err := own(out, was.Uid, was.Gid); err != nil {
		return err
	}
	if err := copyAttributes(in, out); err != nil {
		return err
	}
	if err := unix.Fchmod(out, was.Mode&0o7777); err != nil {
		return fmt.Errorf("helper: set mode: %w", err)
	}
	if err := setTimes(out, was.Mtim.Nano()); err != nil {
		return err
	}
	err = dst.Sync()
	if err == nil {
		err = unix.Renameat(toDir, part, toDir, to)
	}
	if err != nil {
		return fmt.Errorf("helper: copy a file: %w", err)
	}
	return nil
}

// setTimes sets an open file's time, in nanoseconds.
func setTimes(fd int, mtime int64) error {
	at := unix.NsecToTimespec(mtime)
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, fdPath(fd), []unix.Timespec{at, at}, 0); err != nil {
		return fmt.Errorf("helper: set time: %w", err)
	}
	return nil
}
