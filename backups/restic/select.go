package restic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"ostler/agents/wire"
)

// Contents lists what lies beneath paths of a snapshot into a new file of the
// given name, as Walk has it. A path that is not there is among what is
// missing; where nothing is there it is an error (CauseNotFound).
//
// Where folders of the snapshot are damaged, nobody can list it whole: then
// Unlisted is true, the counts are what restic would restore, and Restore makes
// the list from what it could.
func (r *Repo) Contents(ctx context.Context, snapshot string, paths [][]byte, file string) (_ *Contents, err error) {
	if err := checkID(snapshot); err != nil {
		return nil, err
	}
	wanted, err := newSelection(paths)
	if err != nil {
		return nil, err
	}
	s, err := r.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer s.close()
	c, err := NewContents(file, snapshot, wanted.raw())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = c.Close()
		}
	}()
	err = s.walk(ctx, snapshot, wanted.dirs(), func(p []byte, n wire.Node) error {
		if !wanted.has(p) {
			return nil
		}
		return c.Add(p, n)
	})
	var own *Error
	if errors.As(err, &own) && own.Cause == wire.CauseDamaged {
		return c, s.measure(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	wanted.missing(func(p string) { c.Lost([]byte(p), wire.CauseNotFound) })
	if c.n == 0 && len(c.lost) == len(wanted.paths) {
		return nil, failure(wire.CauseNotFound, "nothing of what was asked for is in the snapshot")
	}
	return c, nil
}

// maxDirs bounds the folders that one ls is asked for: it compares each node
// with each of them.
const maxDirs = 32

// selection is a set of paths, none beneath another.
type selection struct {
	paths []string
	found map[string]*bool
	all   bool // "/" is among them
}

func newSelection(paths [][]byte) (*selection, error) {
	w := &selection{found: map[string]*bool{}}
	for _, p := range paths {
		name, err := snapshotPath(p)
		if err != nil {
			return nil, err
		}
		w.paths = append(w.paths, name)
	}
	if len(w.paths) == 0 {
		return nil, failure(wire.CauseInternal, "nothing was asked for")
	}
	slices.Sort(w.paths)
	w.paths = slices.Compact(w.paths)
	if w.paths[0] == "/" {
		w.paths = w.paths[:1]
	}
	for _, p := range w.paths {
		w.found[p] = new(bool)
	}
	w.paths = slices.DeleteFunc(w.paths, func(p string) bool {
		if p == "/" {
			w.all = true
			return false
		}
		above := w.at([]byte(path.Dir(p))) != nil
		return above
	})
	return w, nil
}

func (w *selection) raw() [][]byte {
	out := make([][]byte, len(w.paths))
	for i, p := range w.paths {
		out[i] = []byte(p)
	}
	return out
}

// at returns the selected path that p is, or is beneath; nil where it is not.
func (w *selection) at(p []byte) *bool {
	if f := w.found[string(p)]; f != nil {
		return f
	}
	for i := len(p) - 1; i > 0; i-- {
		if p[i] == '/' {
			if f := w.found[string(p[:i])]; f != nil {
				return f
			}
		}
	}
	return nil
}

// has reports whether p was asked for, and remembers that it is there.
func (w *selection) has(p []byte) bool {
	if w.all {
		*w.found["/"] = true
		return true
	}
	f := w.at(p)
	if f == nil {
		return false
	}
	*f = true
	return true
}

func (w *selection) missing(f func(p string)) {
	for _, p := range w.paths {
		if !*w.found[p] {
			f(p)
		}
	}
}

// dirs returns what to ask ls for: the paths, or folders above them where they
// are many. nil is the whole snapshot.
func (w *selection) dirs() []string {
	dirs := w.paths
	for len(dirs) > maxDirs {
		var up []string
		for _, d := range dirs {
			up = append(up, path.Dir(d))
		}
		slices.Sort(up)
		up = slices.Compact(up)
		dirs = slices.DeleteFunc(slices.Clone(up), func(d string) bool {
			for d != "/" {
				d = path.Dir(d)
				if _, ok := slices.BinarySearch(up, d); ok {
					return true
				}
			}
			return false
		})
	}
	if slices.Contains(dirs, "/") {
		return nil
	}
	return dirs
}

// measure asks restic what it would restore, which passes over what is damaged.
func (s *session) measure(ctx context.Context, c *Contents) error {
	if err := c.clear(); err != nil {
		return err
	}
	c.Unlisted = true
	err := s.restore(ctx, c, "/nonexistent", &restoring{dry: true})
	if err != nil {
		return err
	}
	if c.Files+c.Folders == 0 {
		return failure(wire.CauseDamaged, "the folders of the snapshot that lead there are damaged")
	}
	return nil
}

// relist makes the list from what was restored.
func (c *Contents) relist(target string) error {
	if err := c.clear(); err != nil {
		return err
	}
	wanted, err := newSelection(c.Paths)
	if err != nil {
		return err
	}
	err = filepath.WalkDir(target, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p := []byte(strings.TrimPrefix(name, target))
		if len(p) == 0 || !wanted.has(p) {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return c.Add(p, nodeOf(info))
	})
	if err != nil {
		return localFailure("what was restored cannot be listed", err)
	}
	wanted.missing(func(p string) { c.Lost([]byte(p), wire.CauseDamaged) })
	return nil
}

// nodeOf describes a file as a snapshot does.
func nodeOf(info fs.FileInfo) wire.Node {
	n := wire.Node{Type: wire.NodeFile, Mode: uint32(info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)), MTime: info.ModTime().UnixMilli()}
	switch t := info.Mode().Type(); {
	case t == 0:
		n.Size = info.Size()
	case t&fs.ModeDir != 0:
		n.Type = wire.NodeDir
	case t&fs.ModeSymlink != 0:
		n.Type = wire.NodeSymlink
	case t&fs.ModeNamedPipe != 0:
		n.Type = wire.NodeFIFO
	case t&fs.ModeCharDevice != 0:
		n.Type = wire.NodeCharDev
	case t&fs.ModeDevice != 0:
		n.Type = wire.NodeDevice
	default:
		n.Type = wire.NodeIrregular
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		n.UID, n.GID = st.Uid, st.Gid
	}
	return n
}

// includes returns restic's options that select the paths of c: in a file, but
// for names that have a newline. Those are divided into several runs where they
// would be too long for one.
func (s *session) includes(c *Contents) ([][]string, error) {
	if len(c.Paths) == 1 && string(c.Paths[0]) == "/" {
		return [][]string{nil}, nil
	}
	var b bytes.Buffer
	b.WriteByte('\n') // what comes first is no byte order mark
	var runs [][]string
	var args []string
	size := 0
	for _, p := range c.Paths {
		pattern := escape(string(p))
		if len(pattern) > maxPattern {
			return nil, failure(wire.CauseUnsafePath, "a path is longer than a path can be")
		}
		if !strings.Contains(pattern, "\n") {
			b.WriteString(includeLine(pattern) + "\n")
			continue
		}
		if size += len(pattern); size > maxPatterns {
			runs, args, size = append(runs, args), nil, len(pattern)
		}
		args = append(args, "--include="+pattern)
	}
	if b.Len() > 1 {
		name := filepath.Join(s.dir, "includes")
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			return nil, localFailure("the file of patterns cannot be written", err)
		}
		if cr := s.Credential; cr != nil {
			if err := os.Chown(name, int(cr.Uid), int(cr.Gid)); err != nil {
				return nil, localFailure("the file of patterns cannot be handed to restic's user", err)
			}
		}
		args = append(args, "--include-file="+name)
	}
	return append(runs, args), nil
}

// Bounds of patterns: of one in a file (whose reader takes lines of 64 KiB), and
// of all of one run's arguments.
const (
	maxPattern  = 16 << 10
	maxPatterns = 128 << 10
)

// includeLine undoes what the reader of patterns does to a line: it expands
// variables, and trims spaces and a carriage return from its end.
func includeLine(pattern string) string {
	last := strings.LastIndexFunc(pattern, func(r rune) bool { return true })
	if end := pattern[last:]; strings.TrimSpace(end) == "" {
		pattern = pattern[:last] + "[" + end + "]"
	}
	return strings.ReplaceAll(pattern, "$", "$$")
}

// restoreSummary is the last line of a restore.
type restoreSummary struct {
	Type       string `json:"message_type"`
	TotalFiles int64  `json:"total_files"`
	TotalBytes int64  `json:"total_bytes"`
	DoneFiles  int64  `json:"files_restored"`
	DoneBytes  int64  `json:"bytes_restored"`
}

func readSummary(line []byte) (m restoreSummary, ok bool) {
	return m, len(line) > 0 && line[0] == '{' && json.Unmarshal(line, &m) == nil
}
