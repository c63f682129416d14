package helper

import (
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// CleanAbsolute reports whether name is absolute, without ".", "..", empty
// elements and NUL. Any other byte may stand in a file name.
func CleanAbsolute(name string) bool {
	return path.IsAbs(name) && path.Clean(name) == name && !strings.ContainsRune(name, 0)
}

// Beneath reports whether name is dir or below it; both are clean.
func Beneath(dir, name string) bool {
	return dir == "/" || name == dir || strings.HasPrefix(name, dir+"/")
}

// target checks where a file is to be put, by names alone: beside the
// original, under a plain name, beneath one of the bounds.
func target(original, name string, bounds []string) (parent string, err error) {
	if !CleanAbsolute(original) || original == "/" {
		return "", Fail(wire.CauseUnsafePath, nil, "the path of the original is not a plain absolute path")
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || len(name) > 255 {
		return "", Fail(wire.CauseUnsafePath, nil, "the new name is not a plain file name")
	}
	parent = path.Dir(original)
	inside := slices.ContainsFunc(bounds, func(b string) bool { return CleanAbsolute(b) && Beneath(b, parent) })
	if !inside {
		return "", Fail(wire.CauseUnsafePath, nil, "the folder is outside the tenancy's paths")
	}
	return parent, nil
}

// openBeneath opens the folder dir (clean, absolute) beneath root. No link in
// the way is followed, so nobody can lead it elsewhere.
func openBeneath(root, dir string) (fd int, err error) {
	rootFD, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, Fail(wire.CauseInternal, err, "the agent's root cannot be opened")
	}
	defer unix.Close(rootFD)
	rel := strings.TrimPrefix(dir, "/")
	if rel == "" {
		rel = "."
	}
	how := &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err = unix.Openat2(rootFD, rel, how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	switch {
	case err == nil:
		return fd, nil
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
		return -1, Fail(wire.CauseUnsafePath, err, "there is a link in the path of the folder")
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return -1, Fail(wire.CauseNotFound, err, "the folder is not on the server any more")
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
		return -1, Fail(wire.CauseUnsupported, err, "the kernel cannot open a path without following links (openat2, Linux 5.6)")
	}
	return -1, Fail(wire.CauseInternal, err, "the folder cannot be opened")
}
