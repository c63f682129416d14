package helper_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// zeros is as many of them as are read.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// forged is an archive that another server made up.
type forged struct {
	manifest string
	declared int64 // of the manifest; 0: what it has
	size     int64 // of /srv/www/zeros, all zeros
	tail     int64 // zeros behind the last entry
}

// write writes the archive as far as its heads allow.
func (f forged) write(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archive")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(out, gzip.BestSpeed)
	w := tar.NewWriter(z)
	size := int64(len(f.manifest))
	if f.declared > 0 {
		size = f.declared
	}
	_ = w.WriteHeader(&tar.Header{Name: "ostler-manifest.json", Typeflag: tar.TypeReg, Size: size, Mode: 0o644})
	_, _ = io.WriteString(w, f.manifest)
	if f.declared == 0 {
		_ = w.WriteHeader(&tar.Header{Name: "SHA256SUMS", Typeflag: tar.TypeReg, Mode: 0o644})
		if f.size > 0 {
			_ = w.WriteHeader(&tar.Header{Name: "srv/www/zeros", Typeflag: tar.TypeReg, Size: f.size, Mode: 0o644})
			_, _ = io.CopyN(w, zeros{}, f.size)
		}
		_ = w.Close()
	}
	_, _ = io.CopyN(z, zeros{}, f.tail)
	if err := errors.Join(z.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func manifestOf(t *testing.T, entries []wire.ManifestEntry, missing int) string {
	t.Helper()
	m := wire.Manifest{Version: 1, Complete: true, Entries: entries, Missing: []wire.Problem{}}
	for i := range missing {
		m.Missing = append(m.Missing, wire.Problem{Path: fmt.Appendf(nil, "/srv/www/%d", i), Cause: wire.CauseDamaged})
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func zeroEntry(size int64) []wire.ManifestEntry {
	sum := sha256.New()
	_, _ = io.CopyN(sum, zeros{}, size)
	return []wire.ManifestEntry{{Name: "srv/www/zeros", Snapshot: "s", Type: wire.NodeFile, Size: size, Mode: 0o644, SHA256: hex.EncodeToString(sum.Sum(nil))}}
}

func previewOf(archive string) helper.Preview {
	a := ask(wire.ConflictOverwrite)
	a.Selections, a.Archive = nil, archive
	return a.Preview
}

// The archive of another server is read by root here: few bytes of it must not
// stand for very many on the disk or in memory.
func TestAForgedArchive(t *testing.T) {
	w := newWorld(t)
	var tops []wire.ManifestEntry
	for i := range wire.MaxSelected + 1 {
		tops = append(tops, wire.ManifestEntry{Name: fmt.Sprint("srv/www/", i), Snapshot: "s", Type: wire.NodeFile})
	}
	long := zeroEntry(1)
	long[0].Path = []byte("/srv/www/" + strings.Repeat("x", 8<<20))
	for name, tt := range map[string]struct {
		forged
		want wire.Cause
	}{
		"a manifest of 1 TiB":    {forged{declared: 1 << 40}, wire.CauseDamaged},
		"no room for it":         {forged{declared: 2 << 30}, wire.CauseDiskFull},
		"one line of many MiB":   {forged{manifest: manifestOf(t, long, 0), size: 1}, wire.CauseDamaged},
		"a field of many MiB":    {forged{manifest: `{"x":"` + strings.Repeat("x", 8<<20) + `","entries":[],"missing":[]}`}, wire.CauseDamaged},
		"a tail of zeros":        {forged{manifest: manifestOf(t, nil, 0), tail: 64 << 20}, wire.CauseDamaged},
		"a list that has no end": {forged{manifest: `{"version":1,"entries":[],"missing":[`}, wire.CauseDamaged},
		"more files than chosen": {forged{manifest: manifestOf(t, tops, 0)}, wire.CauseDamaged},
	} {
		_, err := w.h.Preview(t.Context(), previewOf(tt.write(t)), nil)
		if f := helper.Failure(err); err == nil || f.Cause != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// A file of zeros takes long to pass over: a cancel is heard in its middle.
func TestAForgedArchiveIsCancelled(t *testing.T) {
	w := newWorld(t)
	const size = 256 << 20
	archive := forged{manifest: manifestOf(t, zeroEntry(size), 0), size: size}.write(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	time.AfterFunc(20*time.Millisecond, func() { cancel(stop) })
	if _, err := w.h.Preview(ctx, previewOf(archive), nil); !errors.Is(err, stop) {
		t.Errorf("got %v, want the cancel's cause", err)
	}
}

// All that another server could not read is counted, however much it is.
func TestMuchIsMissingFromAnArchive(t *testing.T) {
	w := newWorld(t)
	archive := forged{manifest: manifestOf(t, zeroEntry(10), 15_000), size: 10}.write(t)
	got, err := w.h.Preview(t.Context(), previewOf(archive), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.MissingCount != 15_000 || len(got.Missing) != wire.MaxProblems || got.Counts[wire.ActCreate] != 1 {
		t.Errorf("got %d missing, %d of them, %v", got.MissingCount, len(got.Missing), got.Counts)
	}
}
