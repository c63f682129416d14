package world

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"ostler/agents/wire"
)

// Archive is an archive that a customer fetched and unpacked.
type Archive struct {
	Manifest wire.Manifest
	Names    []string // of all entries, in their order, without the two that begin it
	Entries  map[string]Unpacked
}

// Unpacked is one entry: a file's bytes, or a link's target.
type Unpacked struct {
	Data     string
	Mode     fs.FileMode
	UID, GID int // of a tar
}

// OpenArchive unpacks an archive, compares each file with what the manifest and
// SHA256SUMS say of it, and fails the test where they differ.
func OpenArchive(t testing.TB, format string, data []byte) *Archive {
	t.Helper()
	a := &Archive{Entries: map[string]Unpacked{}}
	if err := a.unpack(format, data); err != nil {
		t.Fatalf("unpack: %v", err)
	}
	if len(a.Names) < 2 || a.Names[0] != "ostler-manifest.json" || a.Names[1] != "SHA256SUMS" {
		t.Fatalf("the archive begins with %q, want the manifest and the sums", a.Names)
	}
	if err := json.Unmarshal([]byte(a.Entries[a.Names[0]].Data), &a.Manifest); err != nil {
		t.Fatalf("manifest: %v", err)
	}
	sums := a.Entries[a.Names[1]].Data
	delete(a.Entries, a.Names[0])
	delete(a.Entries, a.Names[1])
	a.Names = a.Names[2:]
	a.check(t, sums)
	return a
}

// Unpacks reports whether what everybody unpacks archives with takes this one
// for whole.
func Unpacks(format string, data []byte) bool {
	return (&Archive{Entries: map[string]Unpacked{}}).unpack(format, data) == nil
}

func (a *Archive) unpack(format string, data []byte) error {
	if format == string(wire.ArchiveZip) {
		return a.unzip(data)
	}
	return a.untar(data)
}

func (a *Archive) add(name string, e Unpacked) error {
	if _, twice := a.Entries[name]; twice {
		return errors.New("the archive has " + name + " twice")
	}
	a.Names, a.Entries[name] = append(a.Names, name), e
	return nil
}

func (a *Archive) unzip(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := a.add(f.Name, Unpacked{Data: string(b), Mode: f.Mode()}); err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) untar(data []byte) error {
	g, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	for r := tar.NewReader(g); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, g) // the checksum is behind the end of the tar
			return err
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := a.add(h.Name, Unpacked{Data: string(b) + h.Linkname, Mode: h.FileInfo().Mode(), UID: h.Uid, GID: h.Gid}); err != nil {
			return err
		}
	}
}

// check compares every file with its line of the manifest and of SHA256SUMS.
func (a *Archive) check(t testing.TB, sums string) {
	t.Helper()
	if len(a.Manifest.Entries) != len(a.Names) {
		t.Fatalf("the manifest has %d entries, the archive %d: %q", len(a.Manifest.Entries), len(a.Names), a.Names)
	}
	var files, size int64
	for i, e := range a.Manifest.Entries {
		got := a.Entries[a.Names[i]]
		if e.Type != wire.NodeFile {
			continue
		}
		files++
		size += e.Size
		sum := sha256.Sum256([]byte(got.Data))
		digest := hex.EncodeToString(sum[:])
		if e.SHA256 != digest || e.Size != int64(len(got.Data)) || !strings.Contains(sums, digest) {
			t.Errorf("%q: %d bytes with %s; the manifest says %d with %s", a.Names[i], len(got.Data), digest, e.Size, e.SHA256)
		}
	}
	if files != a.Manifest.Files || size != a.Manifest.Bytes || a.Manifest.Version != 1 {
		t.Errorf("the manifest says %d files and %d bytes, the archive has %d and %d", a.Manifest.Files, a.Manifest.Bytes, files, size)
	}
}

// File is the contents of the one file whose path on the server was this, and
// of the snapshot with this id of restic's where one is named.
func (a *Archive) File(t testing.TB, path, snapshot string) string {
	t.Helper()
	var found []string
	for i, e := range a.Manifest.Entries {
		at := string(e.Path)
		if at == "" {
			at = "/" + e.Name
		}
		if at == path && (snapshot == "" || e.Snapshot == snapshot) {
			found = append(found, a.Entries[a.Names[i]].Data)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%q is %d times in the archive: %q", path, len(found), a.Names)
	}
	return found[0]
}
