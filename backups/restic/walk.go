package restic

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"unicode/utf8"

	"ostler/agents/wire"
)

// Walk calls each for every node of a snapshot, depth first: a folder comes
// before what is in it, and names come in bytewise order. path is absolute; it
// and the node's name are raw bytes and valid during the call only. Link
// targets are not there: LinkTarget is nil.
//
// It runs restic once. Where a name has bytes that are not UTF-8, which JSON
// cannot hold, a second run reads the same names as they are.
func (r *Repo) Walk(ctx context.Context, snapshot string, each func(path []byte, n wire.Node) error) error {
	if err := checkID(snapshot); err != nil {
		return err
	}
	s, err := r.open(ctx, nil)
	if err != nil {
		return err
	}
	defer s.close()
	return s.walk(ctx, snapshot, nil, each)
}

// walk is Walk beneath dirs (files may be among them); nil is everything.
func (s *session) walk(ctx context.Context, snapshot string, dirs []string, each func(path []byte, n wire.Node) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := append([]string{"--", snapshot}, dirs...)
	w := &walker{session: s, ctx: ctx, args: args, each: each}
	w.lines.each = w.line
	_, err := s.run(ctx, command{verb: "ls", args: append([]string{"--recursive"}, args...), limit: s.Limits.Copy, stdout: w})
	if w.err == nil && err == nil {
		w.lines.flush()
		w.err = w.exact.end()
	}
	cancel()
	w.exact.wait()
	if w.err == nil {
		return err
	}
	var own *Error
	if errors.As(w.err, &own) || !errors.Is(w.err, errLine) {
		return w.err
	}
	return failure(wire.CauseDamaged, "what restic read from the repository is not well formed").because(w.err)
}

// walker takes the output of ls.
type walker struct {
	*session
	ctx  context.Context // of the walk, for the second run
	args []string
	each func(path []byte, n wire.Node) error

	lines lines
	node  lsNode
	begun bool
	// offset is how many bytes the plain ls has written up to here.
	offset int64
	exact  *exactNames
	err    error
}

// Write implements io.Writer; its error ends restic.
func (w *walker) Write(p []byte) (int, error) {
	n, _ := w.lines.Write(p)
	return n, w.err
}

func (w *walker) line(line []byte, cut bool) {
	if w.err != nil {
		return
	}
	if cut {
		w.err = errLine
		return
	}
	if !w.begun { // the snapshot itself
		w.begun = true
		if !bytes.Contains(line, []byte(`"node"`)) {
			return
		}
	}
	if w.err = w.node.parse(line); w.err != nil || !w.node.isNode {
		return
	}
	path := w.node.path
	if w.node.lost > 0 && w.exact == nil {
		w.exact = w.session.exactNames(w.ctx, w.args, w.offset)
	}
	if w.exact != nil {
		if path, w.err = w.exact.next(path, w.node.lost); w.err != nil {
			return
		}
		w.node.node.Name = baseName(path)
	}
	w.offset += lineLen(path)
	w.err = w.each(path, w.node.node)
}

// lineLen is how long the plain ls makes the line of a path: it ends each with
// a newline, where there is not one already.
func lineLen(path []byte) int64 {
	n := int64(len(path))
	if path[n-1] != '\n' {
		n++
	}
	return n
}

// exactNames reads the output of a plain ls, in step with the one in JSON. The
// latter says how long each path is, so a newline in a name divides nothing.
type exactNames struct {
	r    *bufio.Reader
	pipe *io.PipeReader
	done chan error
	path []byte
}

// exactNames starts a plain ls and passes over what was read already.
func (s *session) exactNames(ctx context.Context, args []string, offset int64) *exactNames {
	r, w := io.Pipe()
	x := &exactNames{r: bufio.NewReaderSize(r, 64<<10), pipe: r, done: make(chan error, 1)}
	go func() {
		_, err := s.run(ctx, command{verb: "ls", args: append([]string{"--quiet", "--recursive"}, args...), plain: true, limit: s.Limits.Copy, stdout: w})
		if err != nil {
			_ = w.CloseWithError(err)
		} else {
			_ = w.Close()
		}
		x.done <- err
	}()
	for offset > 0 {
		n, err := x.r.Discard(int(min(offset, 1<<30)))
		if offset -= int64(n); err != nil {
			break // next meets it again
		}
	}
	return x
}

var errOutOfStep = errors.New("restic: two listings of one snapshot differ")

// next returns the path whose form in JSON is shown, with lost bytes replaced.
func (x *exactNames) next(shown []byte, lost int) ([]byte, error) {
	n := len(shown) - lost*(utf8.RuneLen(utf8.RuneError)-1)
	for cap(x.path) < n {
		x.path = append(x.path[:cap(x.path)], 0)
	}
	x.path = x.path[:n]
	if _, err := io.ReadFull(x.r, x.path); err != nil {
		return nil, x.broken(err)
	}
	if x.path[n-1] != '\n' {
		if c, err := x.r.ReadByte(); err != nil || c != '\n' {
			return nil, x.broken(errors.Join(err, errOutOfStep))
		}
	}
	if !sameShown(x.path, shown) {
		return nil, x.broken(errOutOfStep)
	}
	return x.path, nil
}

// sameShown reports whether JSON shows path as shown.
func sameShown(path, shown []byte) bool {
	for len(path) > 0 {
		r, n := utf8.DecodeRune(path)
		m := n
		if r == utf8.RuneError && n == 1 {
			m = utf8.RuneLen(utf8.RuneError)
		}
		if len(shown) < m {
			return false
		}
		if got, _ := utf8.DecodeRune(shown); got != r {
			return false
		}
		path, shown = path[n:], shown[m:]
	}
	return len(shown) == 0
}

func (x *exactNames) broken(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return failure(wire.CauseInternal, "names that are not UTF-8 could not be read as they are").because(err)
}

// end makes sure that the second listing ends where the first did.
func (x *exactNames) end() error {
	if x == nil {
		return nil
	}
	if _, err := x.r.ReadByte(); err != io.EOF {
		return x.broken(errors.Join(err, errOutOfStep))
	}
	return nil
}

// wait ends the second run.
func (x *exactNames) wait() {
	if x != nil {
		_ = x.pipe.Close()
		<-x.done
	}
}
