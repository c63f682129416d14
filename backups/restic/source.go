package restic

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"ostler/agents/wire"
	"ostler/controlplane"
)

// sources says which of a plan's paths are there. restic 0.18 leaves a missing
// one out and says success, so we look ourselves. present are relative to the
// agent's root, missing as the plan has them. A link on the way to a path is an
// error: whoever may write in one folder could lead a backup, and so a
// download, to what lies outside it.
func (r *Repo) sources(paths []string) (present, missing []string, err error) {
	if len(paths) == 0 {
		return nil, nil, failure(wire.CauseSourceMissing, "the plan names no path")
	}
	lstat := os.Lstat
	if r.Dir != "/" {
		root, err := os.OpenRoot(r.Dir)
		if err != nil {
			return nil, nil, failure(wire.CauseSourceMissing, "the agent's root is not there").because(err)
		}
		defer root.Close()
		lstat = root.Lstat
	}
	for _, p := range paths {
		if !strings.HasPrefix(p, "/") || strings.Contains(p, "\x00") {
			return nil, nil, failure(wire.CauseUnsafePath, "a path of a plan starts with a slash and has no zero byte")
		}
		rel := strings.TrimPrefix(path.Clean(p), "/")
		if rel == "" {
			rel = "."
		}
		at := rel
		if r.Dir == "/" {
			at = "/" + rel
		}
		err := throughNoLink(lstat, at)
		if err == nil {
			_, err = lstat(at)
		}
		switch {
		case errors.Is(err, errLink):
			return nil, nil, failure(wire.CauseUnsafePath, "there is a link on the way to a path of the plan: name the folder that it leads to")
		case err == nil, errors.Is(err, fs.ErrPermission):
			present = append(present, rel) // restic says what it may not read
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			missing = append(missing, p)
		default:
			return nil, nil, failure(wire.CauseUnsafePath, "a path of the plan leads out of the agent's root, or cannot be looked at").because(err)
		}
	}
	return present, missing, nil
}

var errLink = errors.New("restic: a link on the way to a path")

// throughNoLink returns errLink where a folder above name is a symbolic link.
// name itself may be one: a link is backed up as a link.
func throughNoLink(lstat func(string) (fs.FileInfo, error), name string) error {
	for i := 1; i < len(name); i++ {
		if name[i] != '/' {
			continue
		}
		info, err := lstat(name[:i])
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return errLink
		}
	}
	return nil
}

// serverPath turns a path that restic reports, absolute or relative to its
// working directory, into one on the server.
func (r *Repo) serverPath(item string) string {
	if !strings.HasPrefix(item, "/") {
		return path.Join("/", item)
	}
	if r.Dir == "/" {
		return item
	}
	if rest, ok := strings.CutPrefix(item, r.Dir+"/"); ok {
		return "/" + rest
	}
	return item
}

// reason takes the system's words off the end of an error of restic, in which
// the path stands up to three times.
func reason(message string) string {
	if i := strings.LastIndex(message, ": "); i >= 0 {
		message = message[i+2:]
	}
	return controlplane.Line(message, 160)
}
