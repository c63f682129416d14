package helper

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// papers are the archive's first two entries, written before the archive is: a
// million files have a manifest of 300 MB.
type papers struct {
	manifest, sums *os.File
	m, s           *bufio.Writer
	n              int
}

func newPapers(dir string) (*papers, error) {
	d := &papers{}
	var err1, err2 error
	d.manifest, err1 = os.OpenFile(filepath.Join(dir, "manifest"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	d.sums, err2 = os.OpenFile(filepath.Join(dir, "sums"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err := errors.Join(err1, err2); err != nil {
		d.close()
		return nil, fmt.Errorf("helper: make manifest: %w", err)
	}
	d.m, d.s = bufio.NewWriterSize(d.manifest, 256<<10), bufio.NewWriterSize(d.sums, 256<<10)
	return d, nil
}

func (d *papers) close() {
	_ = d.manifest.Close()
	_ = d.sums.Close()
}

// begin writes what stands before the entries.
func (d *papers) begin(m wire.Manifest) error {
	_, err := fmt.Fprintf(d.m, `{"version":%d,"complete":%t,"files":%d,"bytes":%d,"entries":[`, m.Version, m.Complete, m.Files, m.Bytes)
	return err
}

// item writes one value of a list.
func (d *papers) item(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if d.n++; d.n > 1 {
		_ = d.m.WriteByte(',')
	}
	_ = d.m.WriteByte('\n')
	_, err = d.m.Write(b)
	return err
}

func (d *papers) entry(e wire.ManifestEntry, name string) error {
	if e.Type == wire.NodeFile {
		// As sha256sum writes it, and reads it again.
		mark := ""
		if strings.ContainsAny(name, "\n\\\r") {
			mark, name = `\`, strings.NewReplacer("\n", `\n`, `\`, `\\`, "\r", `\r`).Replace(name)
		}
		if _, err := fmt.Fprintf(d.s, "%s%s  %s\n", mark, e.SHA256, name); err != nil {
			return err
		}
	}
	return d.item(e)
}

// missing ends the entries and begins the list of what is missing.
func (d *papers) missing() error {
	d.n = 0
	_, err := d.m.WriteString("\n],\"missing\":[")
	return err
}

func (d *papers) end() error {
	_, _ = d.m.WriteString("\n]}\n")
	return errors.Join(d.m.Flush(), d.s.Flush())
}

// count finds out what the archive holds, and what it lacks. What no archive can
// hold stands in the manifest only: the archive is complete without it.
func (p *packing) count() (a Archived, complete bool, err error) {
	err = p.each(func(_ *part, it restic.Item) error {
		switch it.Node.Type {
		case wire.NodeFile:
			a.Files++
			a.Bytes += it.Node.Size
		case wire.NodeDir:
			a.Folders++
		default:
			a.Others++
		}
		return nil
	})
	complete = true
	if err == nil {
		err = p.eachMissing(func(m wire.Problem) error {
			if m.Cause == wire.CauseUnsupported {
				return nil
			}
			complete = false
			if a.MissingCount++; len(a.Missing) < wire.MaxProblems {
				m.Path = append([]byte(nil), m.Path...)
				a.Missing = append(a.Missing, m)
			}
			return nil
		})
	}
	return a, complete, err
}

// describe writes the manifest and the sums: every file is read once.
func (p *packing) describe(a Archived, complete bool) (*papers, error) {
	d, err := newPapers(p.dir)
	if err != nil {
		return nil, err
	}
	err = d.begin(wire.Manifest{Version: 1, Complete: complete, Files: a.Files, Bytes: a.Bytes})
	names, begun, done := newNamer(p.Format), (*part)(nil), int64(0)
	sum := sha256.New()
	if err == nil {
		err = p.each(func(t *part, it restic.Item) error {
			if begun != t {
				names.begin(t.Label)
				begun = t
			}
			name := names.name(it.Path, t.Label)
			e := wire.ManifestEntry{Name: name, Snapshot: t.Snapshot, Type: it.Node.Type, MTime: it.Node.MTime,
				Mode: entryMode(it.Node), UID: it.Node.UID, GID: it.Node.GID}
			if "/"+name != string(it.Path) || !utf8.ValidString(name) {
				e.Path = it.Path
			}
			if it.Node.Type == wire.NodeFile {
				if err := hashFile(t.tree, it, sum); err != nil {
					return err
				}
				e.Size, e.SHA256 = it.Node.Size, hex.EncodeToString(sum.Sum(nil))
				done += it.Node.Size
				p.report(wire.Progress{Step: "pack", Done: done / 2, Total: a.Bytes})
			}
			return d.entry(e, name)
		})
	}
	if err == nil {
		err = d.missing()
	}
	if err == nil {
		err = p.eachMissing(func(m wire.Problem) error { return d.item(m) })
	}
	if err == nil {
		err = d.end()
	}
	if err != nil {
		d.close()
		return nil, fmt.Errorf("helper: write manifest: %w", err)
	}
	return d, nil
}

// entryMode is the mode that an entry gets: whoever unpacks it as root gets no
// program that runs as somebody else.
func entryMode(n wire.Node) uint32 { return n.Mode & (0o777 | uint32(os.ModeSticky)) }

// openStaged opens a file in a tree of ours. No link is followed, on the way or
// at its end.
func openStaged(tree string, path []byte) (*os.File, error) {
	dir, err := unix.Open(tree, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("helper: open staging: %w", err)
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, string(path[1:]), &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, Fail(wire.CauseInternal, err, "a restored file cannot be opened")
	}
	return os.NewFile(uintptr(fd), "staged"), nil
}

// copyStaged copies a file of ours, which must be as long as it should be.
func copyStaged(to io.Writer, tree string, it restic.Item) error {
	f, err := openStaged(tree, it.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(to, io.LimitReader(f, it.Node.Size+1))
	if err == nil && n != it.Node.Size {
		err = Fail(wire.CauseInternal, nil, "a restored file changed while it was packed")
	}
	return err
}

func hashFile(tree string, it restic.Item, sum hash.Hash) error {
	sum.Reset()
	if it.Node.Size == 0 {
		return nil
	}
	return copyStaged(sum, tree, it)
}

// entryTime is a time that every format can hold.
func entryTime(milli int64) time.Time {
	t := time.UnixMilli(milli).UTC()
	switch {
	case t.Year() < 1980:
		return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Year() > 2105:
		return time.Date(2105, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return t
}
