package restic

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"ostler/agents/wire"
)

// Dump writes one file of a snapshot to w and returns its node. It is an error
// where the path is not a regular file, or where not exactly its bytes came.
func (r *Repo) Dump(ctx context.Context, snapshot string, name []byte, w io.Writer) (wire.Node, error) {
	n, p, err := r.file(ctx, snapshot, name)
	if err != nil {
		return n, err
	}
	s, err := r.open(ctx, nil)
	if err != nil {
		return n, err
	}
	defer s.close()
	c := &counting{w: w}
	_, err = s.run(ctx, command{
		verb: "dump", args: []string{"--", snapshot, p}, plain: true, limit: s.Limits.Copy, stdout: c, own: p[1:],
	})
	if err != nil {
		return n, err
	}
	if c.n != n.Size {
		return n, failure(wire.CauseDamaged, fmt.Sprintf("%d bytes came of a file of %d", c.n, n.Size))
	}
	return n, nil
}

// file returns the node of a regular file.
func (r *Repo) file(ctx context.Context, snapshot string, name []byte) (wire.Node, string, error) {
	p, err := snapshotPath(name)
	if err != nil {
		return wire.Node{}, "", err
	}
	n, err := r.Stat(ctx, snapshot, name)
	if err == nil && n.Type != wire.NodeFile {
		err = failure(wire.CauseUnsafePath, "that is not a regular file in the snapshot")
	}
	return n, p, err
}

// Restored is one file in staging.
type Restored struct {
	Path string // absolute on the host, in a folder of its own
	Node wire.Node
}

// RestoreFile restores one regular file, with its owner, mode, times and user
// attributes, into a new folder beneath staging, which must be a folder that
// nobody else can write. Set-user-id and set-group-id bits and capabilities are
// taken off. The caller removes the folder of
// Restored.Path.
//
// Why not Dump: a dump is bytes only. What a person gets back should belong to
// whom it belonged to.
func (r *Repo) RestoreFile(ctx context.Context, snapshot string, name []byte, staging string) (_ Restored, err error) {
	n, p, err := r.file(ctx, snapshot, name)
	if err != nil {
		return Restored{}, err
	}
	s, err := r.open(ctx, nil)
	if err != nil {
		return Restored{}, err
	}
	defer s.close()
	dir, err := s.stage(staging)
	if err != nil {
		return Restored{}, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	parent, base := path.Split(p)
	var out bytes.Buffer
	_, err = s.run(ctx, command{
		verb:  "restore",
		args:  []string{"--target=" + dir, "--include=/" + escape(base), "--", snapshot + ":" + path.Clean(parent)},
		limit: s.Limits.Copy, stdout: limited(&out, maxLine), own: p[1:],
	})
	if err != nil {
		return Restored{}, err
	}
	var sum struct {
		Files int64 `json:"files_restored"`
	}
	if err := lastObject(out.Bytes(), &sum); err != nil || sum.Files != 1 { // exit 0 even where nothing matched
		return Restored{}, failure(wire.CauseInternal, fmt.Sprintf("restic restored %d files where one was asked for", sum.Files)).because(err)
	}
	res := Restored{Path: filepath.Join(dir, base), Node: n}
	return res, tame(res)
}

// stage makes the folder for one restore.
func (s *session) stage(staging string) (string, error) {
	staging, err := filepath.Abs(staging)
	if err != nil {
		return "", localFailure("no folder to restore into", err)
	}
	dir, err := os.MkdirTemp(staging, "file-")
	if err != nil {
		return "", localFailure("no folder to restore into", err)
	}
	if c := s.Credential; c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			return dir, localFailure("the folder to restore into cannot be handed over", err)
		}
	}
	return dir, nil
}

// tame checks what was restored and takes off what would give it powers.
func tame(f Restored) error {
	fi, err := os.Lstat(f.Path)
	switch {
	case err != nil:
		return failure(wire.CauseInternal, "the restored file is not there").because(err)
	case !fi.Mode().IsRegular():
		return failure(wire.CauseUnsafePath, "what was restored is not a regular file")
	case fi.Size() != f.Node.Size:
		return failure(wire.CauseDamaged, fmt.Sprintf("%d bytes came of a file of %d", fi.Size(), f.Node.Size))
	}
	if fi.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
		if err := os.Chmod(f.Path, fi.Mode().Perm()); err != nil {
			return localFailure("the restored file keeps its special mode", err)
		}
	}
	buf := make([]byte, 64<<10)
	n, err := syscall.Listxattr(f.Path, buf)
	if err == syscall.ENOTSUP || err == syscall.ENODATA {
		return nil
	}
	if err != nil {
		return localFailure("the restored file's attributes cannot be read", err)
	}
	for attr := range strings.SplitSeq(string(buf[:n]), "\x00") {
		if attr != "security.capability" && !strings.HasPrefix(attr, "trusted.") {
			continue // security.selinux is the host's own label
		}
		if err := syscall.Removexattr(f.Path, attr); err != nil {
			return localFailure("the restored file keeps a security attribute", err)
		}
	}
	return nil
}

// counting counts what goes to w.
type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
