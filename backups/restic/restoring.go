package restic

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// RestoreOptions are how a selection is restored.
type RestoreOptions struct {
	// Target is an empty folder that nobody but us can enter; absolute. A path
	// of the snapshot lies beneath it as it lies beneath the root.
	Target string
	// Special keeps set-user-id and set-group-id bits, capabilities, trusted
	// attributes and devices. Else they are taken off and left out.
	Special bool
	// Progress gets at most one report a second, from one goroutine.
	Progress func(wire.Progress)
}

// Restore restores a selection in as few runs of restic as there can be (one,
// but for names with newlines beyond measure), and marks in c what is missing
// from Target: what is damaged (it is not left there in part), what cannot be
// restored (CauseUnsupported: sockets; devices without Special). Every node of
// the list is looked at: restic's own counts are not relied on.
//
// It is an error where nothing could be restored, where the store or the disk
// failed, and where it was stopped; then what is in Target is of no use.
func (r *Repo) Restore(ctx context.Context, c *Contents, o RestoreOptions) error {
	if !filepath.IsAbs(o.Target) {
		return failure(wire.CauseInternal, "the folder to restore into is not an absolute path")
	}
	o.Target = filepath.Clean(o.Target)
	s, err := r.open(ctx, nil)
	if err != nil {
		return err
	}
	defer s.close()
	if cr := s.Credential; cr != nil {
		if err := os.Chown(o.Target, int(cr.Uid), int(cr.Gid)); err != nil {
			return localFailure("the folder to restore into cannot be handed over", err)
		}
	}
	t := restoring{progress: o.Progress}
	if err := s.restore(ctx, c, o.Target, &t); err != nil {
		return err
	}
	if c.Unlisted {
		if err := c.relist(o.Target); err != nil {
			return err
		}
	}
	return t.settle(c, o)
}

// restoring is a restore as it is heard.
type restoring struct {
	dry      bool
	progress func(wire.Progress)

	beat  atomic.Uint64
	last  restoreSummary
	seq   int64
	files int64 // of runs before
	bytes int64
	stop  context.CancelCauseFunc
	store func() *wire.Failure

	mu   sync.Mutex
	seed maphash.Seed
	bad  map[uint64]wire.Cause // by the hash of a path as JSON shows it
}

// maxBad bounds the paths with errors that are remembered, 16 bytes each.
const maxBad = 4 << 20

var someErrors = regexp.MustCompile(`(?i)there were \d+ errors`)

// restore runs restic for all paths of c.
func (s *session) restore(ctx context.Context, c *Contents, target string, t *restoring) error {
	runs, err := s.includes(c)
	if err != nil {
		return err
	}
	t.seed, t.bad, t.store = maphash.MakeSeed(), map[uint64]wire.Cause{}, s.relay.verdict
	ctx, t.stop = context.WithCancelCause(ctx)
	defer t.stop(nil)
	for _, patterns := range runs {
		t.last = restoreSummary{}
		args := append([]string{"--target=" + target, "--sparse"}, patterns...)
		if t.dry {
			args = append(args, "--dry-run")
		}
		out := &lines{each: func(line []byte, cut bool) { t.line(c, line, cut) }}
		_, err := s.run(ctx, command{
			verb: "restore", args: append(args, "--", c.Snapshot), limit: s.Limits.Copy,
			stdout: out, said: t.said, beat: &t.beat, tolerate: someErrors.MatchString,
		})
		out.flush()
		if err != nil {
			return err
		}
		t.files += t.last.DoneFiles
		t.bytes += t.last.DoneBytes
		if t.dry {
			c.Files += t.last.TotalFiles
			c.Bytes += t.last.TotalBytes
		}
	}
	return nil
}

// line takes a line of stdout: a status or the summary. Where all bytes are
// there, restic works on the server's own disk only and says nothing new.
func (t *restoring) line(c *Contents, line []byte, cut bool) {
	m, ok := readSummary(line)
	if cut || !ok || m.Type != "status" && m.Type != "summary" {
		return
	}
	if m != t.last || m.DoneBytes >= m.TotalBytes && m.TotalFiles > 0 {
		t.beat.Add(1)
	}
	t.last = m
	if t.progress == nil || t.dry {
		return
	}
	t.seq++
	t.progress(wire.Progress{
		Seq: t.seq, Step: "restore", Done: t.bytes + m.DoneBytes, Total: max(c.Bytes, t.bytes+m.DoneBytes),
		Files: t.files + m.DoneFiles, TotalFiles: c.Files + c.Folders + c.Others,
	})
}

// metadata is how restic begins to say that all but an owner, a mode, a time or
// an attribute of a file was restored.
var metadata = regexp.MustCompile(`^(lchown|chown|chmod|xattr\.\w+|l?setxattr|failed to restore timestamp|utimensat|fchmodat)\b`)

// said takes an error about one path.
func (t *restoring) said(m *saying) {
	if m.Type != "error" {
		return
	}
	t.beat.Add(1)
	f, known := match(m.Error.Message, m.Item)
	if !known && metadata.MatchString(m.Error.Message) {
		return
	}
	switch {
	case !known:
		f.Cause = wire.CauseInternal
	case f.Cause == wire.CauseDiskFull:
		t.stop(&Error{Failure: f, Exit: -1})
		return
	case f.Cause == wire.CauseStoreUnreachable && t.store() == nil:
		f.Cause = wire.CauseDamaged // the store answers: what it has is too short
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.bad) >= maxBad {
		t.stop(failure(wire.CauseDamaged, "millions of files are damaged"))
		return
	}
	t.bad[maphash.String(t.seed, m.Item)] = f.Cause
}

// cause says what restic said of a path; "" for nothing.
func (t *restoring) cause(path []byte) wire.Cause {
	if len(t.bad) == 0 {
		return ""
	}
	return t.bad[maphash.String(t.seed, mangle(string(path)))]
}

// settle looks at every node of the list in the target: it marks what is not
// there, removes what is there in part, and takes powers away.
func (t *restoring) settle(c *Contents, o RestoreOptions) error {
	shared, err := t.sharedBad(c, o.Target)
	if err != nil {
		return err
	}
	var there, i int64
	err = c.Each(func(it Item) error {
		cause, err := t.look(it, o, shared)
		if err != nil {
			return err
		}
		if cause == "" {
			there++
		} else {
			c.marks[i] = cause
		}
		i++
		return nil
	})
	if err != nil {
		return err
	}
	if there > 0 {
		return nil
	}
	worst := wire.CauseUnsupported
	for _, cause := range c.marks {
		if worst == wire.CauseUnsupported || cause == wire.CauseDamaged {
			worst = cause
		}
	}
	if len(c.marks) == 0 {
		worst = wire.CauseNotFound
	}
	return failure(worst, "nothing of what was asked for could be restored")
}

// Check looks at every node of the list in o.Target, as Restore does at its end.
// It is for engines that restore by other means.
func (c *Contents) Check(o RestoreOptions) error { return new(restoring).settle(c, o) }

type inode struct{ dev, ino uint64 }

// sharedBad finds the damaged files that have more than one name: restic says it
// of the first one only.
func (t *restoring) sharedBad(c *Contents, target string) (map[inode]wire.Cause, error) {
	if len(t.bad) == 0 {
		return nil, nil
	}
	shared := map[inode]wire.Cause{}
	err := c.Each(func(it Item) error {
		cause := t.cause(it.Path)
		if cause == "" || it.Node.Type != wire.NodeFile {
			return nil
		}
		var st unix.Stat_t
		if unix.Lstat(target+string(it.Path), &st) == nil && st.Nlink > 1 {
			shared[inode{uint64(st.Dev), st.Ino}] = cause
		}
		return nil
	})
	return shared, err
}

// look says why a node is not in the target; "" where it is.
func (t *restoring) look(it Item, o RestoreOptions, shared map[inode]wire.Cause) (wire.Cause, error) {
	name := o.Target + string(it.Path)
	cause := t.cause(it.Path)
	var st unix.Stat_t
	err := unix.Lstat(name, &st)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENAMETOOLONG):
		if cause == "" && it.Node.Type != wire.NodeFile && it.Node.Type != wire.NodeDir && it.Node.Type != wire.NodeSymlink {
			cause = wire.CauseUnsupported
		}
		if cause == "" {
			cause = wire.CauseDamaged
		}
		return cause, nil
	case err != nil:
		return "", localFailure("what was restored cannot be looked at", err)
	}
	special := false
	switch it.Node.Type {
	case wire.NodeFile:
		if cause == "" && st.Nlink > 1 {
			cause = shared[inode{uint64(st.Dev), st.Ino}]
		}
		if cause == "" && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != it.Node.Size) {
			cause = wire.CauseDamaged
		}
	case wire.NodeDir:
		return cause, t.tame(name, &st, o)
	case wire.NodeSymlink:
	default:
		if special = !o.Special; special && cause == "" {
			cause = wire.CauseUnsupported
		}
	}
	if cause != "" || special {
		if err := unix.Unlink(name); err != nil {
			return "", localFailure("a damaged file cannot be removed", err)
		}
		return cause, nil
	}
	if it.Node.Type == wire.NodeFile {
		return "", t.tame(name, &st, o)
	}
	return "", nil
}

// tame takes off what would give a file powers.
func (t *restoring) tame(name string, st *unix.Stat_t, o RestoreOptions) error {
	if o.Special {
		return nil
	}
	if st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		if err := unix.Fchmodat(unix.AT_FDCWD, name, st.Mode&0o1777, 0); err != nil {
			return localFailure("a restored file keeps its special mode", err)
		}
	}
	return removePowers(name)
}

// removePowers removes capabilities and the like from a file that is no link.
func removePowers(name string) error {
	var buf [4 << 10]byte
	n, err := unix.Llistxattr(name, buf[:])
	var list []byte
	switch {
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENODATA):
		return nil
	case errors.Is(err, syscall.ERANGE):
		list = make([]byte, 64<<10)
		n, err = unix.Llistxattr(name, list)
	default:
		list = buf[:]
	}
	if err != nil {
		return localFailure("a restored file's attributes cannot be read", err)
	}
	for attr := range bytes.SplitSeq(list[:n], []byte{0}) {
		a := string(attr)
		if a != "security.capability" && !strings.HasPrefix(a, "trusted.") {
			continue // security.selinux is the host's own label
		}
		if err := unix.Lremovexattr(name, a); err != nil {
			return localFailure("a restored file keeps a security attribute", err)
		}
	}
	return nil
}
