package helper_test

import (
	"archive/tar"
	"archive/zip"
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
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// unpacked is one entry of an archive.
type unpacked struct {
	name string
	mode fs.FileMode
	data string // or a link's target
}

// open reads an archive as others would.
func open(t *testing.T, f wire.ArchiveFormat, path string) (entries []unpacked, m wire.Manifest) {
	t.Helper()
	if f == wire.ArchiveZip {
		entries = openZip(t, path)
	} else {
		entries = openTar(t, path)
	}
	if len(entries) < 2 || entries[0].name != "ostler-manifest.json" || entries[1].name != "SHA256SUMS" {
		t.Fatalf("got %+v, want the manifest and the sums first", entries)
	}
	if err := json.Unmarshal([]byte(entries[0].data), &m); err != nil || m.Version != 1 {
		t.Fatalf("manifest: %v\n%s", err, entries[0].data)
	}
	checkSums(t, entries, m)
	return entries[2:], m
}

func openZip(t *testing.T, path string) (entries []unpacked) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, e := range z.File {
		r, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, unpacked{e.Name, e.Mode(), string(b)})
	}
	return entries
}

func openTar(t *testing.T, path string) (entries []unpacked) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(g); ; {
		h, err := r.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, unpacked{h.Name, h.FileInfo().Mode(), string(b) + h.Linkname})
	}
}

// checkSums compares manifest, sums and contents.
func checkSums(t *testing.T, entries []unpacked, m wire.Manifest) {
	t.Helper()
	var sums []string
	for s := bufio.NewScanner(strings.NewReader(entries[1].data)); s.Scan(); {
		sums = append(sums, s.Text())
	}
	files := 0
	for i, e := range m.Entries {
		got := entries[i+2]
		if shown := string([]rune(strings.TrimSuffix(got.name, "/"))); shown != e.Name {
			t.Errorf("entry %d: got %q, the manifest has %q", i, got.name, e.Name)
		}
		if e.Type != wire.NodeFile {
			continue
		}
		sum := sha256.Sum256([]byte(got.data))
		if hex.EncodeToString(sum[:]) != e.SHA256 || int64(len(got.data)) != e.Size || !strings.Contains(sums[files], e.SHA256) {
			t.Errorf("%q: got %d bytes, the manifest has %+v, the sums %q", got.name, len(got.data), e, sums[files])
		}
		files++
	}
	if int64(files) != m.Files || len(sums) != files || len(entries) != len(m.Entries)+2 {
		t.Errorf("got %d files, %d sums, %d entries; the manifest has %d and %d", files, len(sums), len(entries), m.Files, len(m.Entries))
	}
}

var mixed = []thing{
	{path: "/srv", kind: wire.NodeDir},
	{path: "/srv/Bild.JPG", data: "a"},
	{path: "/srv/Readme.txt", data: "1"},
	{path: "/srv/bild.jpg", data: "b"},
	{path: "/srv/bomb.zip", data: strings.Repeat("\x00", 100_000)},
	{path: "/srv/deep", kind: wire.NodeDir},
	{path: "/srv/deep/-rf --target=", data: "option"},
	{path: "/srv/deep/C:\\evil\n\u202egpj.exe", data: "backslash"},
	{path: "/srv/deep/bad\xff", data: "latin"},
	{path: "/srv/deep/empty"},
	{path: "/srv/dev", kind: wire.NodeCharDev},
	{path: "/srv/link", kind: wire.NodeSymlink, data: "../../etc/passwd"},
	{path: "/srv/lost", data: "gone", damaged: true},
	{path: "/srv/readme.TXT", data: "2"},
	{path: "/srv/readme.txt", data: "3"},
	{path: "/srv/readme.txt (2)", data: "4"},
}

func TestArchive(t *testing.T) {
	want := map[wire.ArchiveFormat][]string{
		wire.ArchiveZip: {"srv/", "srv/Bild.JPG", "srv/Readme.txt", "srv/bild (2).jpg", "srv/bomb.zip", "srv/deep/", "srv/deep/-rf --target=",
			"srv/deep/C:%5Cevil%0A%E2%80%AEgpj.exe", "srv/deep/bad%FF", "srv/deep/empty", "srv/link", "srv/readme (2).TXT", "srv/readme (3).txt", "srv/readme.txt (2)"},
		wire.ArchiveTarGz: {"srv/", "srv/Bild.JPG", "srv/Readme.txt", "srv/bild.jpg", "srv/bomb.zip", "srv/deep/", "srv/deep/-rf --target=",
			"srv/deep/C:\\evil\n\u202egpj.exe", "srv/deep/bad\xff", "srv/deep/empty", "srv/link", "srv/readme.TXT", "srv/readme.txt", "srv/readme.txt (2)"},
	}
	for f, names := range want {
		t.Run(string(f), func(t *testing.T) {
			state := t.TempDir()
			h := (&shelf{things: mixed}).on(t, func(o *helper.Options) { o.State = state })
			var steps []string
			got, err := h.Archive(t.Context(), asks(f, "/srv", "/none"), func(p wire.Progress) {
				if len(steps) == 0 || steps[len(steps)-1] != p.Step {
					steps = append(steps, p.Step)
				}
				if p.Done > p.Total {
					t.Errorf("got progress %+v", p)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(steps, " "), "list restore pack"; got != want {
				t.Errorf("steps: got %q, want %q", got, want)
			}
			entries, m := open(t, f, got.Path)
			var have []string
			for _, e := range entries {
				have = append(have, e.name)
				if f == wire.ArchiveZip && (strings.Contains(e.name, "..") || strings.HasPrefix(e.name, "/") || strings.ContainsAny(e.name, "\\\n")) {
					t.Errorf("a zip has the name %q", e.name)
				}
			}
			if !slices.Equal(have, names) {
				t.Errorf("got %q\nwant %q", have, names)
			}
			link := entries[slices.Index(names, "srv/link")]
			if link.mode.Type() != fs.ModeSymlink || link.data != "../../etc/passwd" {
				t.Errorf("got link %+v", link)
			}
			latin := m.Entries[8]
			if string(latin.Path) != "/srv/deep/bad\xff" || latin.MTime != mtime || latin.Snapshot != "snap" {
				t.Errorf("manifest: got %+v", latin)
			}
			missing := map[string]wire.Cause{}
			for _, p := range m.Missing {
				missing[string(p.Path)] = p.Cause
			}
			if fmt.Sprint(missing) != "map[/none:not_found /srv/dev:unsupported /srv/lost:repository_damaged]" || m.Complete || got.MissingCount != 2 || len(got.Missing) != 2 {
				t.Errorf("missing: got %v, complete %v, %+v", missing, m.Complete, got)
			}
			if got.Files != 11 || got.Folders != 2 || got.Others != 1 || got.Bytes != m.Bytes {
				t.Errorf("counts: got %+v", got)
			}
			if left := staged(t, state); left != "archive" {
				t.Errorf("staging has %s", left)
			}
			if err := h.Discard(t.Context(), "job_1"); err != nil || staged(t, state) != "" {
				t.Errorf("after Discard: %s, %v", staged(t, state), err)
			}
		})
	}
}

// What no archive can hold makes it no less complete; a zip bomb is only a file.
func TestArchiveComplete(t *testing.T) {
	s := &shelf{things: []thing{{path: "/srv", kind: wire.NodeDir}, {path: "/srv/pipe", kind: wire.NodeFIFO}, {path: "/srv/x", data: "1"}}}
	got, err := s.on(t, nil).Archive(t.Context(), asks(wire.ArchiveZip, "/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, m := open(t, wire.ArchiveZip, got.Path); !m.Complete || len(m.Missing) != 1 || got.MissingCount != 0 || len(got.Missing) != 0 {
		t.Errorf("got %+v, %+v", m, got)
	}
}

// Several selections lie in folders of their own; one that is gone is missing.
func TestArchiveOfSelections(t *testing.T) {
	a := asks(wire.ArchiveTarGz, "/srv/Readme.txt")
	a.Selections[0].Label = "monday"
	for _, label := range []string{"Tuesday", "wednesday"} {
		a.Selections = append(a.Selections, a.Selections[0])
		a.Selections[len(a.Selections)-1].Label = label
	}
	a.Selections[2].Paths = [][]byte{[]byte("/none")}
	s := &shelf{things: mixed}
	got, err := s.on(t, nil).Archive(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	entries, m := open(t, wire.ArchiveTarGz, got.Path)
	if len(entries) != 2 || entries[0].name != "monday/srv/Readme.txt" || entries[1].name != "Tuesday/srv/Readme.txt" || string(m.Entries[1].Path) != "/srv/Readme.txt" {
		t.Errorf("got %+v, %+v", entries, m)
	}
	if m.Complete || got.MissingCount != 1 || string(got.Missing[0].Path) != "/none" || got.Missing[0].Cause != wire.CauseNotFound {
		t.Errorf("missing: got %+v", got)
	}
	for _, label := range []string{"", "..", "a/b", "MONDAY", "sha256sums", "a\nb"} {
		a.Selections[1].Label = label
		_, err := s.on(t, nil).Archive(t.Context(), a, nil)
		wantCause(t, err, wire.CausePolicy)
	}
}

func TestArchiveRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(a *helper.Archive, s *shelf, o *helper.Options)
		want   wire.Cause
	}{
		{"nothing selected", func(a *helper.Archive, _ *shelf, _ *helper.Options) { a.Selections = nil }, wire.CausePolicy},
		{"no paths", func(a *helper.Archive, _ *shelf, _ *helper.Options) { a.Selections[0].Paths = nil }, wire.CausePolicy},
		{"a format of tomorrow", func(a *helper.Archive, _ *shelf, _ *helper.Options) { a.Format = "rar" }, wire.CauseUnsupported},
		{"a job with a path for an id", func(a *helper.Archive, _ *shelf, _ *helper.Options) { a.Job = "../x" }, wire.CausePolicy},
		{"more than allowed", func(a *helper.Archive, _ *shelf, _ *helper.Options) { a.MaxBytes = 99_999 }, wire.CausePolicy},
		{"not there", func(a *helper.Archive, _ *shelf, _ *helper.Options) {
			a.Selections[0].Paths = [][]byte{[]byte("/none")}
		}, wire.CauseNotFound},
		{"no space", func(_ *helper.Archive, _ *shelf, o *helper.Options) {
			o.Free = func(string) (int64, error) { return 200_000, nil }
		}, wire.CauseDiskFull},
		{"over the quota", func(_ *helper.Archive, _ *shelf, o *helper.Options) { o.StagingQuota = 150_000 }, wire.CauseDiskFull},
		{"no space in the middle", func(_ *helper.Archive, s *shelf, _ *helper.Options) {
			s.before = func(string) error { return fmt.Errorf("restore: %w", syscall.ENOSPC) }
		}, wire.CauseDiskFull},
		{"all is damaged", func(_ *helper.Archive, s *shelf, _ *helper.Options) {
			for i := range s.things {
				s.things[i].damaged = true
			}
		}, wire.CauseDamaged},
		{"a file that became a link", func(_ *helper.Archive, s *shelf, _ *helper.Options) {
			s.after = func(target string) error { // between restic and us; nobody can, and if: it is not followed
				at := filepath.Join(target, "srv/Readme.txt")
				return errors.Join(os.Remove(at), os.Symlink("/etc/hostname", at))
			}
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, s, state := asks(wire.ArchiveZip, "/srv"), &shelf{things: slices.Clone(mixed)}, ""
			h := s.on(t, func(o *helper.Options) {
				tt.change(&a, s, o)
				state = o.State
			})
			got, err := h.Archive(t.Context(), a, nil)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if _, m := open(t, a.Format, got.Path); m.Complete || m.Files != 10 {
					t.Errorf("got %+v", m)
				}
				return
			}
			wantCause(t, err, tt.want)
			if left := staged(t, state); left != "" {
				t.Errorf("left in staging: %s", left)
			}
		})
	}
}

// What was killed and begun again has the same bytes: the chunks that the plane
// has already are those of the second archive too.
func TestArchiveIsTheSameAgain(t *testing.T) {
	for _, f := range []wire.ArchiveFormat{wire.ArchiveZip, wire.ArchiveTarGz} {
		state := t.TempDir()
		s := &shelf{things: mixed}
		h := s.on(t, func(o *helper.Options) { o.State = state })
		first, err := h.Archive(t.Context(), asks(f, "/srv"), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = h.Archive(ctx, asks(f, "/srv"), func(p wire.Progress) {
			if p.Step == "pack" {
				cancel()
			}
		})
		if err == nil {
			t.Fatal("it went on after it was stopped")
		}
		// A kill leaves everything where it is.
		junk := filepath.Join(state, "staging", "job_1", "tree-0", "srv")
		if err := errors.Join(os.MkdirAll(junk, 0o700), os.WriteFile(filepath.Join(junk, "half"), []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
		again, err := h.Archive(t.Context(), asks(f, "/srv"), nil)
		if err != nil || again.SHA256 != first.SHA256 || again.Size != first.Size {
			t.Errorf("%s: got %+v, %v; want %+v", f, again.Staged, err, first.Staged)
		}
		b, err := os.ReadFile(again.Path)
		sum := sha256.Sum256(b)
		if err != nil || hex.EncodeToString(sum[:]) != again.SHA256 || int64(len(b)) != again.Size {
			t.Errorf("%s: the archive is not what is said of it: %v", f, err)
		}
	}
}

func TestStage(t *testing.T) {
	state := t.TempDir()
	h := (&shelf{}).on(t, func(o *helper.Options) { o.State, o.StagingQuota = state, 100 })
	dir, err := h.Stage(t.Context(), "job_1", 60)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v", info, err)
	}
	_, err = h.Stage(t.Context(), "job_2", 60)
	wantCause(t, err, wire.CauseDiskFull)
	if err := h.Discard(t.Context(), "job_1"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Stage(t.Context(), "job_2", 60); err != nil {
		t.Errorf("after the first was discarded: %v", err)
	}
	_, err = h.Stage(t.Context(), "../x", 1)
	wantCause(t, err, wire.CausePolicy)
}
