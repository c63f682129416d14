package helper_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/backups/restic"
)

// repository is an engine whose snapshot is a folder: it lists and copies it. As
// with restic's listing, links come without their targets. What it cannot show
// is how restic itself restores: the whole-system tests show that.
type repository struct {
	engine
	dir string
	// damaged are paths that cannot be read.
	damaged map[string]bool
	// during runs before each file is copied.
	during func(path string) error
	// copied are the paths that were restored.
	copied []string
}

func (r *repository) node(name string) (wire.Node, error) {
	var st unix.Stat_t
	if err := unix.Lstat(r.dir+name, &st); err != nil {
		return wire.Node{}, helper.Fail(wire.CauseNotFound, err, "not in the snapshot")
	}
	info, err := os.Lstat(r.dir + name)
	if err != nil {
		return wire.Node{}, err
	}
	n := wire.Node{Name: []byte(path.Base(name)), Type: wire.NodeFile, MTime: info.ModTime().UnixMilli(), UID: st.Uid, GID: st.Gid,
		Mode: uint32(info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky))}
	switch info.Mode().Type() {
	case 0:
		n.Size = st.Size
	case fs.ModeDir:
		n.Type = wire.NodeDir
	case fs.ModeSymlink:
		n.Type = wire.NodeSymlink
	case fs.ModeNamedPipe:
		n.Type = wire.NodeFIFO
	case fs.ModeDevice | fs.ModeCharDevice:
		n.Type = wire.NodeCharDev
	case fs.ModeSocket:
		n.Type = wire.NodeSocket
	}
	return n, nil
}

func (r *repository) Stat(_ context.Context, _ string, name []byte) (wire.Node, error) {
	return r.node(string(name))
}

func (r *repository) List(_ context.Context, _ string, dir []byte, _ int) (wire.Listing, error) {
	l := wire.Listing{Found: true}
	entries, err := os.ReadDir(r.dir + string(dir))
	for _, e := range entries {
		n, err := r.node(path.Join(string(dir), e.Name()))
		if err != nil {
			return l, err
		}
		if n.Type == wire.NodeSymlink {
			target, _ := os.Readlink(r.dir + path.Join(string(dir), e.Name()))
			n.LinkTarget = []byte(target)
		}
		l.Nodes = append(l.Nodes, n)
	}
	return l, err
}

func (r *repository) Contents(_ context.Context, snapshot string, paths [][]byte, file string) (*restic.Contents, error) {
	c, err := restic.NewContents(file, snapshot, paths)
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		if _, err := r.node(string(p)); err != nil {
			c.Lost(p, wire.CauseNotFound)
			continue
		}
		err := filepath.WalkDir(r.dir+string(p), func(name string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			in := "/" + strings.TrimPrefix(strings.TrimPrefix(name, r.dir), "/")
			n, err := r.node(in)
			if err != nil {
				return err
			}
			return c.Add([]byte(in), n)
		})
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (r *repository) Restore(ctx context.Context, c *restic.Contents, o restic.RestoreOptions) error {
	first := map[uint64]string{} // hard links, as restic makes them
	err := c.Each(func(it restic.Item) error {
		name := string(it.Path)
		r.copied = append(r.copied, name)
		if r.during != nil {
			if err := r.during(name); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if r.damaged[name] {
			return nil
		}
		return r.copy(name, it.Node, o.Target+name, first)
	})
	if err != nil {
		return err
	}
	return c.Check(o)
}

func (r *repository) copy(name string, n wire.Node, to string, first map[uint64]string) error {
	if err := os.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(r.dir+name, &st); err != nil {
		return err
	}
	var err error
	switch n.Type {
	case wire.NodeDir:
		if err = os.Mkdir(to, 0o755); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	case wire.NodeSymlink:
		target, rerr := os.Readlink(r.dir + name)
		return errors.Join(rerr, os.Symlink(target, to), os.Lchown(to, int(st.Uid), int(st.Gid)))
	case wire.NodeFile:
		if st.Nlink > 1 {
			if other, ok := first[st.Ino]; ok {
				return os.Link(other, to)
			}
			first[st.Ino] = to
		}
		var b []byte
		if b, err = os.ReadFile(r.dir + name); err == nil {
			err = os.WriteFile(to, b, 0o600)
		}
	case wire.NodeFIFO, wire.NodeCharDev:
		err = unix.Mknod(to, st.Mode, int(st.Rdev))
	}
	if err != nil || n.Type == wire.NodeSocket {
		return err
	}
	if err := os.Lchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	buf := make([]byte, 1024)
	if size, xerr := unix.Lgetxattr(r.dir+name, "user.note", buf); xerr == nil {
		err = unix.Lsetxattr(to, "user.note", buf[:size], 0)
	}
	if size, xerr := unix.Lgetxattr(r.dir+name, "security.capability", buf); xerr == nil {
		err = errors.Join(err, unix.Lsetxattr(to, "security.capability", buf[:size], 0))
	}
	at := unix.NsecToTimespec(st.Mtim.Nano())
	return errors.Join(err, unix.Chmod(to, st.Mode&0o7777),
		unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{at, at}, 0))
}

// world is a server with two tenants, and a snapshot of the first one's folder.
type world struct {
	t           *testing.T
	root, state string
	repo        *repository
	h           *helper.Local
	options     func(*helper.Options)
}

const www = "/srv/www"

var longAgo = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	if probe, err := os.MkdirTemp("/dev/shm", "ostler-test-"); err == nil { // a disk that is not waited for
		_ = os.Remove(probe)
		t.Setenv("TMPDIR", "/dev/shm")
	}
	w := &world{t: t, root: t.TempDir(), state: t.TempDir(), repo: &repository{dir: t.TempDir(), damaged: map[string]bool{}}}
	for _, d := range []string{w.root + www, w.root + "/srv/other", w.root + "/outside", w.repo.dir + www} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.restart()
	return w
}

// restart is the helper's next life.
func (w *world) restart() {
	w.t.Helper()
	o := helper.Options{State: w.state, Root: w.root, Engine: func(helper.Repo) helper.Engine { return w.repo }, Reserve: 1,
		Free: func(string) (int64, error) { return 1 << 30, nil }}
	if w.options != nil {
		w.options(&o)
	}
	h, err := helper.NewLocal(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.h = h
}

// put writes a file, and the folders above it, as of long ago.
func put(t *testing.T, base, name, data string) {
	t.Helper()
	full := base + name
	err := errors.Join(os.MkdirAll(path.Dir(full), 0o755), os.WriteFile(full, []byte(data), 0o644), os.Chtimes(full, longAgo, longAgo))
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) disk(name, data string) { w.t.Helper(); put(w.t, w.root, name, data) }
func (w *world) snap(name, data string) { w.t.Helper(); put(w.t, w.repo.dir, name, data) }

func ask(c wire.Conflict, paths ...string) helper.Apply {
	a := helper.Apply{Restore: "rst_1", Preview: helper.Preview{Job: "job_1",
		Target: wire.Target{Placement: wire.PlaceOriginal, Conflict: c, Suffix: ".restored", Bounds: []string{www}}}}
	s := helper.Selected{Snapshot: "s"}
	for _, p := range paths {
		s.Paths = append(s.Paths, []byte(p))
	}
	a.Selections = []helper.Selected{s}
	return a
}

func (w *world) apply(a helper.Apply) helper.Changed {
	w.t.Helper()
	c, err := w.h.Apply(w.t.Context(), a, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) undo() helper.Changed {
	w.t.Helper()
	c, err := w.h.Undo(w.t.Context(), undoAsk(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func undoAsk() helper.Undo {
	return helper.Undo{Job: "job_2", Restore: "rst_1", Bounds: []string{www}}
}

// acts are the changes as "act path", sorted; the complete list must say the
// same as the result.
func acts(t *testing.T, c helper.Changed) string {
	t.Helper()
	var lines []string
	for _, x := range c.Changes.Changes {
		line := string(x.Act) + " " + string(x.Path)
		for _, more := range []string{string(x.Cause), x.Note} {
			if more != "" {
				line += " (" + more + ")"
			}
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	f, err := os.Open(c.List.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	packed, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(packed); hex.EncodeToString(sum[:]) != c.SHA256 || int64(len(packed)) != c.Size || c.Chunks != wire.ChunkCount(c.Size) {
		t.Errorf("the list is not what the result says: %+v", c.Upload)
	}
	gz, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[wire.Act]int64{}
	for dec := json.NewDecoder(gz); ; {
		var x wire.Change
		if err := dec.Decode(&x); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		counts[x.Act]++
	}
	if !maps.Equal(counts, c.Counts) {
		t.Errorf("the list counts %v, the result %v", counts, c.Counts)
	}
	return strings.Join(lines, "\n")
}

// tree is everything beneath a folder, one line each: kind, mode, content. With
// times, those of files too.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %v", strings.TrimPrefix(name, dir), info.Mode())
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(name)
			line += " -> " + target
		case d.Type().IsRegular():
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %q %d", b, info.ModTime().UnixNano())
		}
		st := info.Sys().(*syscall.Stat_t)
		lines = append(lines, fmt.Sprintf("%s %d:%d", line, st.Uid, st.Gid))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	want = strings.ReplaceAll(strings.TrimSpace(want), "\t", "")
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

// left lists private folders and states that stay behind.
func (w *world) left() string {
	w.t.Helper()
	var found []string
	err := filepath.WalkDir(w.root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".ostler-restore-") {
			found = append(found, strings.TrimPrefix(path.Dir(name), w.root))
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if s := names(w.t, filepath.Join(w.state, "helper/restores")); s != "" {
		found = append(found, "state "+s)
	}
	return strings.Join(found, ", ")
}
