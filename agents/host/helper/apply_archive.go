package helper

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// archived supplies from an archive that another server packed. It was on the
// way through the plane, so no name in it is believed.
type archived struct {
	h     *Local
	file  string // the archive
	dir   string // private staging
	snaps []string
	lists []*restic.Contents // one for each snapshot
	roots [][][]byte
	tops  int            // how many roots there are
	lost  []wire.Problem // at most keptLost; unkept counts the others
	// unkept are those of which only the number is remembered.
	unkept int64
}

// openArchive lists an archive, reading it to its very end.
func (h *Local) openArchive(ctx context.Context, p Preview) (_ supply, err error) {
	a := &archived{h: h, file: p.Archive, dir: filepath.Join(h.stagingDir(), p.Job)}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return nil, fmt.Errorf("helper: make staging: %w", err)
	}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	err = a.scan(ctx, func(e *packedEntry) error {
		sel, err := a.selection(h, p.Job, e.Snapshot)
		if err != nil {
			return err
		}
		if top := a.roots[sel]; len(top) == 0 || !Beneath(string(top[len(top)-1]), e.path) {
			if a.tops++; a.tops > wire.MaxSelected {
				return damagedArchive(nil)
			}
			a.roots[sel] = append(top, []byte(e.path))
		}
		return a.lists[sel].Add([]byte(e.path), e.node)
	}, a.lose)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *archived) selection(h *Local, job, snapshot string) (int, error) {
	if i := slices.Index(a.snaps, snapshot); i >= 0 {
		return i, nil
	}
	if len(a.snaps) == wire.MaxSelected {
		return 0, damagedArchive(nil)
	}
	name := h.listFile(job, len(a.snaps))
	_ = os.Remove(name) // of a run that was killed
	c, err := restic.NewContents(name, snapshot, nil)
	if err != nil {
		return 0, err
	}
	a.snaps, a.lists, a.roots = append(a.snaps, snapshot), append(a.lists, c), append(a.roots, nil)
	return len(a.snaps) - 1, nil
}

func (a *archived) close() {
	for _, c := range a.lists {
		_ = c.Close()
	}
	a.lists = nil
	_ = os.Remove(filepath.Join(a.dir, "manifest"))
}

func (a *archived) wanted() [][][]byte { return a.roots }

func (a *archived) stat(context.Context, int, string) (wire.Node, bool) { return wire.Node{}, false }

func (a *archived) each(_ context.Context, node func(int, string, wire.Node) error, lost func(int, wire.Problem)) error {
	for sel, c := range a.lists {
		err := c.Each(func(it restic.Item) error {
			n := it.Node
			n.LinkTarget = slices.Clone(n.LinkTarget)
			return node(sel, string(it.Path), n)
		})
		if err != nil {
			return err
		}
	}
	for _, p := range a.lost {
		lost(0, p)
	}
	for range a.unkept {
		lost(0, wire.Problem{Cause: wire.CauseDamaged})
	}
	return nil
}

// packedEntry is one entry of an archive.
type packedEntry struct {
	wire.ManifestEntry
	path string // the original's
	node wire.Node
	body io.Reader
}

func damagedArchive(err error) error {
	return Fail(wire.CauseDamaged, err, "the archive of the other server is not whole, or not one of ours")
}

// scan reads an archive: its manifest goes to staging, and is then read in step
// with the entries. An archive that ends early, or goes on after its end, fails.
func (a *archived) scan(ctx context.Context, each func(*packedEntry) error, lost func(wire.Problem)) error {
	err := a.read(ctx, each, lost)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (a *archived) read(ctx context.Context, each func(*packedEntry) error, lost func(wire.Problem)) error {
	f, err := os.Open(a.file)
	if err != nil {
		return fmt.Errorf("helper: open the archive: %w", err)
	}
	defer f.Close()
	packed, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return damagedArchive(err)
	}
	gz := &whileWanted{ctx, packed}
	t := tar.NewReader(gz)
	m, err := a.papers(t)
	if err != nil {
		return err
	}
	defer m.Close()
	lines := &allowance{r: bufio.NewReaderSize(m, 256<<10), left: maxManifestLine}
	dec := json.NewDecoder(lines)
	if err := seekKey(dec, "entries"); err != nil {
		return damagedArchive(err)
	}
	for dec.More() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e := &packedEntry{body: t}
		lines.left = maxManifestLine
		if err := dec.Decode(&e.ManifestEntry); err != nil {
			return damagedArchive(err)
		}
		h, err := t.Next()
		if err != nil {
			return damagedArchive(err)
		}
		if err := e.take(h); err != nil {
			return err
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if _, err := t.Next(); !errors.Is(err, io.EOF) {
		return damagedArchive(err)
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(gz, maxTrailing+1)); err != nil || n > maxTrailing { // its checksum
		return damagedArchive(err)
	}
	return eachMissing(dec, lines, lost)
}

// eachMissing reads what stands behind the manifest's entries.
func eachMissing(dec *json.Decoder, lines *allowance, lost func(wire.Problem)) error {
	_, err := dec.Token() // the list's end
	if err == nil {
		err = seekNext(dec, "missing")
	}
	if err == nil {
		_, err = dec.Token()
	}
	for err == nil && dec.More() {
		var p wire.Problem
		lines.left = maxManifestLine
		if err = dec.Decode(&p); err == nil {
			lost(p)
		}
	}
	if err == nil {
		_, err = dec.Token() // a list that is cut off has none
	}
	if err != nil {
		return damagedArchive(err)
	}
	return nil
}

// papers reads the archive's first two entries and returns the manifest.
func (a *archived) papers(t *tar.Reader) (*os.File, error) {
	h, err := t.Next()
	if err != nil || h.Name != manifestName || h.Typeflag != tar.TypeReg || h.Size > maxManifest {
		return nil, damagedArchive(err)
	}
	if err := a.room(h.Size); err != nil {
		return nil, err
	}
	m, err := os.OpenFile(filepath.Join(a.dir, "manifest"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("helper: keep the manifest: %w", err)
	}
	_, err = io.Copy(m, t)
	if err == nil {
		_, err = m.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("helper: keep the manifest: %w", err), m.Close())
	}
	if h, err = t.Next(); err != nil || h.Name != sumsName {
		return nil, errors.Join(damagedArchive(err), m.Close())
	}
	return m, nil
}

// take puts an entry's head and its line in the manifest together.
func (e *packedEntry) take(h *tar.Header) error {
	name := strings.TrimSuffix(h.Name, "/")
	if utf8.ValidString(name) && name != e.Name {
		return damagedArchive(nil)
	}
	if e.path = string(e.Path); e.path == "" {
		e.path = "/" + name
	}
	e.node = wire.Node{Type: e.Type, MTime: e.MTime, Mode: e.Mode, UID: e.UID, GID: e.GID}
	want := byte(tar.TypeReg)
	switch e.Type {
	case wire.NodeFile:
		e.node.Size = h.Size
	case wire.NodeDir:
		want = tar.TypeDir
	case wire.NodeSymlink:
		want = tar.TypeSymlink
		e.node.LinkTarget = []byte(h.Linkname)
	default:
		return damagedArchive(nil)
	}
	if h.Typeflag != want || !CleanAbsolute(e.path) || e.Type == wire.NodeFile && h.Size != e.Size {
		return damagedArchive(nil)
	}
	return nil
}

// fill unpacks what is wanted. os.Root keeps every name in the target.
func (a *archived) fill(ctx context.Context, sel int, covers [][]byte, o restic.RestoreOptions) error {
	covered := map[string]bool{}
	for _, c := range covers {
		covered[string(c)] = true
	}
	to, err := os.OpenRoot(o.Target)
	if err != nil {
		return fmt.Errorf("helper: open the staging folder: %w", err)
	}
	defer to.Close()
	var done int64
	var tight []*packedEntry // folders that cannot be written in
	err = a.scan(ctx, func(e *packedEntry) error {
		if e.Snapshot != a.snaps[sel] || !beneathAny(covered, e.path) {
			return nil
		}
		if o.Progress != nil && e.Size > 0 {
			o.Progress(wire.Progress{Step: "restore", Done: done, Total: a.lists[sel].Bytes})
		}
		done += e.Size
		if e.Type == wire.NodeDir && e.Mode&0o700 != 0o700 {
			tight = append(tight, e)
		}
		return unpack(to, e)
	}, func(wire.Problem) {})
	if err != nil {
		return err
	}
	for _, e := range tight {
		if err := to.Chmod(e.path[1:], fs.FileMode(e.Mode).Perm()); err != nil {
			return fmt.Errorf("helper: set mode: %w", err)
		}
	}
	return nil
}

func unpack(to *os.Root, e *packedEntry) error {
	rel := e.path[1:]
	if rel == "" {
		return nil
	}
	if err := to.MkdirAll(path.Dir(rel), 0o700); err != nil {
		return fmt.Errorf("helper: unpack a folder: %w", err)
	}
	switch e.Type {
	case wire.NodeDir:
		err := to.Mkdir(rel, 0o700)
		if err == nil && os.Geteuid() == 0 {
			err = to.Lchown(rel, int(e.UID), int(e.GID))
		}
		if err == nil {
			err = to.Chmod(rel, fs.FileMode(e.Mode&0o777|0o700))
		}
		if err != nil {
			return fmt.Errorf("helper: unpack a folder: %w", err)
		}
		return nil
	case wire.NodeSymlink:
		err := to.Symlink(string(e.node.LinkTarget), rel)
		if err == nil && os.Geteuid() == 0 {
			err = to.Lchown(rel, int(e.UID), int(e.GID))
		}
		if err != nil {
			return fmt.Errorf("helper: unpack a link: %w", err)
		}
		return nil
	}
	return unpackFile(to, rel, e)
}

// unpackFile writes one file. One whose sum is not the manifest's is not left.
func unpackFile(to *os.Root, rel string, e *packedEntry) error {
	f, err := to.OpenFile(rel, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("helper: unpack a file: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, sum), e.body); err != nil {
		if FullDisk(err) {
			return fmt.Errorf("helper: unpack a file: %w", err)
		}
		return damagedArchive(err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != e.SHA256 {
		return to.Remove(rel)
	}
	fd := int(f.Fd())
	if err := own(fd, e.UID, e.GID); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, e.Mode&0o777); err != nil {
		return fmt.Errorf("helper: set mode: %w", err)
	}
	return setTimes(fd, e.MTime*1e6)
}
