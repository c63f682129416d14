package helper_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/backups/catalogue"
	"ostler/backups/restic"
)

// realRepo is a repository of the real restic in a folder, and a root.
func realRepo(t *testing.T) *restic.Repo {
	t.Helper()
	bin := os.Getenv("OSTLERTEST_BIN")
	if bin == "" {
		bin = "../../../.bin"
	}
	bin, err := filepath.Abs(filepath.Join(bin, "restic"))
	if err == nil {
		_, err = os.Stat(bin)
	}
	if err != nil {
		t.Fatalf("restic is not built; run: make tools (%v)", err)
	}
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &restic.Repo{Binary: bin, URL: filepath.Join(dir, "repo"), PasswordFile: password, Dir: t.TempDir()}
	if _, err := r.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func lay(t *testing.T, r *restic.Repo, name, data string) {
	t.Helper()
	at := filepath.Join(r.Dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(data), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func backUp(t *testing.T, r *restic.Repo) string {
	t.Helper()
	b, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
	if err != nil || b.Outcome != wire.BackupComplete {
		t.Fatalf("got %+v, %v", b, err)
	}
	return b.SnapshotID
}

func over(t *testing.T, r *restic.Repo, o func(*helper.Options)) *helper.Local {
	t.Helper()
	return newHelper(t, r.Dir, newEngine(), func(opts *helper.Options) {
		opts.Engine = func(helper.Repo) helper.Engine { return r }
		if o != nil {
			o(opts)
		}
	})
}

func of(a helper.Archive, snapshot string) helper.Archive {
	for i := range a.Selections {
		a.Selections[i].Snapshot = snapshot
	}
	return a
}

var odd = []string{"new\nline", "bad\xff\xfe", "--target=", "-rf", "[x]*?", `..\evil`, " space ", "$HOME", "Ä", "ä", "empty"}

// With the real restic: whatever a name is, its bytes come back under a name
// that the archive can hold, and a listing has it byte for byte.
func TestRealArchiveAndListing(t *testing.T) {
	if testing.Short() {
		t.Skip("runs restic several times")
	}
	r := realRepo(t)
	for _, n := range odd {
		lay(t, r, "srv/"+n, strings.TrimPrefix("content of "+n, "content of empty"))
	}
	lay(t, r, "srv/deep\xff/er/file", "deep")
	err := errors.Join(os.Symlink("/etc/passwd", filepath.Join(r.Dir, "srv/link")), os.Chmod(filepath.Join(r.Dir, "srv/-rf"), 0o755|fs.ModeSetuid))
	if err != nil {
		t.Fatal(err)
	}
	snap := backUp(t, r)
	h := over(t, r, nil)
	for _, f := range []wire.ArchiveFormat{wire.ArchiveZip, wire.ArchiveTarGz} {
		a, err := h.Archive(t.Context(), of(asks(f, "/srv"), snap), nil)
		if err != nil {
			t.Fatal(err)
		}
		entries, m := open(t, f, a.Path)
		if !m.Complete || a.MissingCount != 0 || int(a.Files) != len(odd)+1 || a.Folders != 3 || a.Others != 1 {
			t.Errorf("%s: got %+v, %+v", f, a, m.Missing)
		}
		for i, e := range m.Entries {
			original := "/" + e.Name
			if e.Path != nil {
				original = string(e.Path)
			}
			info, err := os.Lstat(filepath.Join(r.Dir, original))
			if err != nil {
				t.Errorf("%q is not where the manifest says: %v", e.Name, err)
				continue
			}
			if info.Mode().IsRegular() {
				if want, err := os.ReadFile(filepath.Join(r.Dir, original)); err != nil || entries[i].data != string(want) {
					t.Errorf("%q: got %q, want %q, %v", original, entries[i].data, want, err)
				}
			}
			if e.MTime != info.ModTime().UnixMilli() || entries[i].mode&fs.ModeSetuid != 0 {
				t.Errorf("%q: got %+v, %v", original, e, entries[i].mode)
			}
		}
	}
	c, err := h.Catalogue(t.Context(), helper.Catalogue{Job: "job_2", Snapshot: snap}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	_ = filepath.WalkDir(r.Dir, func(name string, _ fs.DirEntry, _ error) error {
		if name != r.Dir {
			want = append(want, strings.TrimPrefix(name, r.Dir))
		}
		return nil
	})
	got := listing(t, c.Path)
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) || int(c.Entries) != len(want) || !slices.Equal(c.Snapshots, []string{snap}) {
		t.Errorf("got %q of %+v\nwant %q", got, c, want)
	}
	again, err := h.Catalogue(t.Context(), helper.Catalogue{Job: "job_2", Snapshot: snap}, nil)
	if err != nil || again.SHA256 != c.SHA256 {
		t.Errorf("again: got %+v, %v, want the same bytes as %+v", again, err, c)
	}
}

func listing(t *testing.T, path string) (paths []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := catalogue.ReadListing(f); ; {
		e, err := r.Next()
		if err == io.EOF {
			return paths
		}
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, string(e.Path))
	}
}

// With a pack lost, the archive has what is there and says what is not.
func TestRealArchiveOfADamagedRepository(t *testing.T) {
	if testing.Short() {
		t.Skip("runs restic several times")
	}
	r := realRepo(t)
	lay(t, r, "srv/a", strings.Repeat("first", 100))
	backUp(t, r)
	packs, err := filepath.Glob(filepath.Join(r.URL, "data/*/*"))
	if err != nil || len(packs) != 2 {
		t.Fatalf("got packs %v, %v", packs, err)
	}
	lay(t, r, "srv/b", "second")
	snap := backUp(t, r)
	for _, p := range packs { // the folders of the second snapshot are in later packs
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	state := t.TempDir()
	h := over(t, r, func(o *helper.Options) { o.State = state })
	a, err := h.Archive(t.Context(), of(asks(wire.ArchiveZip, "/srv"), snap), nil)
	if err != nil {
		t.Fatal(err)
	}
	entries, m := open(t, wire.ArchiveZip, a.Path)
	if len(entries) != 2 || entries[1].name != "srv/b" || entries[1].data != "second" || m.Complete {
		t.Errorf("got %+v, %+v", entries, m)
	}
	if a.MissingCount != 1 || len(a.Missing) != 1 || string(a.Missing[0].Path) != "/srv/a" || a.Missing[0].Cause != wire.CauseDamaged {
		t.Errorf("missing: got %+v", a)
	}
	_, err = h.Archive(t.Context(), of(asks(wire.ArchiveZip, "/srv/a"), snap), nil)
	wantCause(t, err, wire.CauseDamaged)
	if left := staged(t, state); left != "" {
		t.Errorf("left in staging: %s", left)
	}
}

// Only what the host's own policy lets be listed is in a listing.
func TestCatalogueWithin(t *testing.T) {
	h := (&shelf{things: mixed}).on(t, nil)
	for _, tt := range []struct {
		within [][]string
		want   int64
	}{
		{nil, 16}, {[][]string{{"/"}}, 16}, {[][]string{{"/srv/deep"}}, 6}, {[][]string{{"/srv"}, {"/srv/deep", "/var"}}, 6}, {[][]string{{"/srv"}, {"/var"}}, 0},
	} {
		got, err := h.Catalogue(t.Context(), helper.Catalogue{Job: "job_1", Within: tt.within}, nil)
		if err != nil || got.Entries != tt.want || int64(len(listing(t, got.Path))) != tt.want || !slices.Equal(got.Snapshots, []string{"a", "b"}) {
			t.Errorf("%v: got %+v, %v, want %d", tt.within, got, err, tt.want)
		}
	}
	_, err := h.Catalogue(t.Context(), helper.Catalogue{Job: "../x"}, nil)
	wantCause(t, err, wire.CausePolicy)
	h = (&shelf{things: mixed}).on(t, func(o *helper.Options) { o.Free = func(string) (int64, error) { return 1000, nil } })
	_, err = h.Catalogue(t.Context(), helper.Catalogue{Job: "job_1"}, nil)
	wantCause(t, err, wire.CauseDiskFull)
}
