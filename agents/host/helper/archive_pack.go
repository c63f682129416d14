package helper

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// pack writes the archive and deletes what was restored as it goes.
func (p *packing) pack() (Archived, error) {
	a, complete, err := p.count()
	if err != nil {
		return a, err
	}
	docs, err := p.describe(a, complete)
	if err != nil {
		return a, err
	}
	defer docs.close()
	path := filepath.Join(p.dir, "archive")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return a, fmt.Errorf("helper: make archive: %w", err)
	}
	sum := sha256.New()
	to := &measured{w: io.MultiWriter(out, sum)}
	buf := bufio.NewWriterSize(to, 1<<20)
	err = p.write(newContainer(p.Format, buf), docs, a)
	if err == nil {
		err = buf.Flush()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return a, fmt.Errorf("helper: write archive: %w", err)
	}
	a.Staged = Staged{Path: path, Size: to.n, SHA256: hex.EncodeToString(sum.Sum(nil)), Mode: 0o600}
	for _, t := range p.parts {
		if err := os.RemoveAll(t.tree); err != nil {
			return a, fmt.Errorf("helper: clear staging: %w", err)
		}
	}
	p.close()
	p.parts = nil
	return a, errors.Join(os.Remove(docs.manifest.Name()), os.Remove(docs.sums.Name()))
}

// container is a zip or a tar.
type container interface {
	// file writes a file's head; its bytes go to the writer.
	file(name string, n wire.Node) (io.Writer, error)
	folder(name string, n wire.Node) error
	link(name string, n wire.Node, target string) error
	Close() error
}

// write writes all entries: manifest and sums first.
func (p *packing) write(c container, docs *papers, a Archived) error {
	for _, doc := range []struct {
		name string
		f    *os.File
	}{{manifestName, docs.manifest}, {sumsName, docs.sums}} {
		info, err := doc.f.Stat()
		if err != nil {
			return err
		}
		w, err := c.file(doc.name, wire.Node{Type: wire.NodeFile, Size: info.Size(), Mode: 0o644})
		if err == nil {
			_, err = io.Copy(w, io.NewSectionReader(doc.f, 0, info.Size()))
		}
		if err != nil {
			return err
		}
	}
	names, begun, done := newNamer(p.Format), (*part)(nil), int64(0)
	err := p.each(func(t *part, it restic.Item) error {
		if begun != t {
			names.begin(t.Label)
			begun = t
		}
		done += it.Node.Size
		p.report(wire.Progress{Step: "pack", Done: a.Bytes/2 + done/2, Total: a.Bytes})
		return p.entry(c, t, it, names.name(it.Path, t.Label))
	})
	if err != nil {
		return err
	}
	return c.Close()
}

func (p *packing) entry(c container, t *part, it restic.Item, name string) error {
	at := t.tree + string(it.Path)
	it.Node.Mode = entryMode(it.Node)
	switch it.Node.Type {
	case wire.NodeDir:
		return c.folder(name, it.Node)
	case wire.NodeSymlink:
		target, err := os.Readlink(at)
		if err != nil {
			return err
		}
		return c.link(name, it.Node, target)
	}
	w, err := c.file(name, it.Node)
	if err != nil {
		return err
	}
	if it.Node.Size > 0 {
		if err := copyStaged(w, t.tree, it); err != nil {
			return err
		}
	}
	return os.Remove(at)
}

func newContainer(f wire.ArchiveFormat, w io.Writer) container {
	if f == wire.ArchiveZip {
		z := zip.NewWriter(w)
		z.RegisterCompressor(zip.Deflate, new(compressor).on)
		return &zipFile{z}
	}
	g, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // an error is about the level only
	return &tarFile{tar.NewWriter(g), g}
}

// compressor is used for one file after the other: a new one takes a megabyte.
type compressor struct{ w *flate.Writer }

func (c *compressor) on(to io.Writer) (_ io.WriteCloser, err error) {
	if c.w == nil {
		c.w, err = flate.NewWriter(to, flate.BestSpeed)
		return c.w, err
	}
	c.w.Reset(to)
	return c.w, nil
}

// tiny is the size up to which a file is not compressed.
const tiny = 64

type zipFile struct{ *zip.Writer }

func (z *zipFile) head(name string, n wire.Node, kind fs.FileMode) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Modified: entryTime(n.MTime), Method: zip.Store}
	if kind == 0 && n.Size > tiny {
		h.Method = zip.Deflate
	}
	h.SetMode(fs.FileMode(n.Mode) | kind)
	return z.CreateHeader(h)
}

func (z *zipFile) file(name string, n wire.Node) (io.Writer, error) { return z.head(name, n, 0) }

func (z *zipFile) folder(name string, n wire.Node) error {
	_, err := z.head(name+"/", n, fs.ModeDir)
	return err
}

func (z *zipFile) link(name string, n wire.Node, target string) error {
	n.Mode = 0o777
	w, err := z.head(name, n, fs.ModeSymlink)
	if err == nil {
		_, err = io.WriteString(w, target)
	}
	return err
}

type tarFile struct {
	*tar.Writer
	gz *gzip.Writer
}

func (t *tarFile) head(name string, n wire.Node, kind byte, target string) error {
	mode := int64(n.Mode & 0o777)
	if fs.FileMode(n.Mode)&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	h := &tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: mode, Uid: int(n.UID), Gid: int(n.GID),
		ModTime: time.UnixMilli(n.MTime).UTC(), Format: tar.FormatPAX}
	if kind == tar.TypeReg {
		h.Size = n.Size
	}
	return t.WriteHeader(h)
}

func (t *tarFile) file(name string, n wire.Node) (io.Writer, error) {
	return t, t.head(name, n, tar.TypeReg, "")
}

func (t *tarFile) folder(name string, n wire.Node) error {
	return t.head(name+"/", n, tar.TypeDir, "")
}

func (t *tarFile) link(name string, n wire.Node, target string) error {
	return t.head(name, n, tar.TypeSymlink, target)
}

// Close ends the archive: a copy that was cut off does not have what it writes.
func (t *tarFile) Close() error { return errors.Join(t.Writer.Close(), t.gz.Close()) }

// measured counts what goes through.
type measured struct {
	w io.Writer
	n int64
}

func (m *measured) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.n += int64(n)
	return n, err
}
