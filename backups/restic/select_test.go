package restic_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// awkwardTree makes a tree of awkward names and returns its paths, folders with
// a slash at their end, in restic's order.
func awkwardTree(t *testing.T, r *restic.Repo) []string {
	t.Helper()
	for _, n := range awkward {
		write(t, filepath.Join(r.Dir, "srv", n), "content of "+n)
		write(t, filepath.Join(r.Dir, "srv/dir\xff\n", n, "[x]*?"), "deep in "+n)
	}
	write(t, filepath.Join(r.Dir, "srv/\xfe\xff"), "1")
	write(t, filepath.Join(r.Dir, "srv/\xff\xfe"), "2") // JSON shows both alike
	write(t, filepath.Join(r.Dir, "srv/\ufffd\ufffd"), "3")
	write(t, filepath.Join(r.Dir, "srv/end\n"), "4")
	write(t, filepath.Join(r.Dir, "srv/empty"), "")
	err := errors.Join(os.Symlink("bad\xfftarget\n", filepath.Join(r.Dir, "srv/zz-link")), os.Mkdir(filepath.Join(r.Dir, "srv/zz-folder"), 0o700))
	if err != nil {
		t.Fatal(err)
	}
	return onDisk(t, r.Dir)
}

// onDisk lists what is beneath dir, depth first.
func onDisk(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if name = strings.TrimPrefix(name, dir); name != "" {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func backUp(t *testing.T, r *restic.Repo, paths ...string) string {
	t.Helper()
	b, err := r.Backup(t.Context(), restic.BackupOptions{Paths: paths})
	if err != nil || b.Outcome != wire.BackupComplete {
		t.Fatalf("got %+v, %v", b, err)
	}
	return b.SnapshotID
}

func paths(list ...string) [][]byte {
	var out [][]byte
	for _, p := range list {
		out = append(out, []byte(p))
	}
	return out
}

// Each node of a snapshot is there, with its exact bytes and what restic knows
// of it, and each path can be asked for again.
func TestWalk(t *testing.T) {
	t.Parallel()
	r, _ := newRepo(t)
	want := awkwardTree(t, r)
	id := backUp(t, r, "/srv")
	var got []string
	err := r.Walk(t.Context(), id, func(path []byte, n wire.Node) error {
		got = append(got, string(path))
		info, err := os.Lstat(filepath.Join(r.Dir, string(path)))
		if err != nil {
			return err
		}
		if string(n.Name) != filepath.Base(string(path)) || n.MTime != info.ModTime().UnixMilli() || fs.FileMode(n.Mode) != info.Mode().Perm() || n.UID != uint32(os.Getuid()) {
			t.Errorf("%q: got %+v, want %v", path, n, info)
		}
		kind := map[fs.FileMode]wire.NodeType{0: wire.NodeFile, fs.ModeDir: wire.NodeDir, fs.ModeSymlink: wire.NodeSymlink}[info.Mode().Type()]
		if n.Type != kind || kind == wire.NodeFile && n.Size != info.Size() || kind != wire.NodeFile && n.Size != 0 {
			t.Errorf("%q: got a %s of %d bytes, want a %s", path, n.Type, n.Size, kind)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	stop := errors.New("enough")
	if err := r.Walk(t.Context(), id, func([]byte, wire.Node) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the receiver's error", err)
	}
	if testing.Short() {
		return
	}
	err = r.Walk(t.Context(), fakeID, func([]byte, wire.Node) error { return nil })
	wantCause(t, err, wire.CauseNotFound)
}

// restored restores a selection and returns what is in the target.
func restored(t *testing.T, r *restic.Repo, id string, want ...string) (*restic.Contents, string, error) {
	t.Helper()
	c, err := r.Contents(t.Context(), id, paths(want...), filepath.Join(t.TempDir(), "list"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	target := filepath.Join(t.TempDir(), "target")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	return c, target, r.Restore(t.Context(), c, restic.RestoreOptions{Target: target})
}

func listed(t *testing.T, c *restic.Contents) (good []string, bad map[string]wire.Cause) {
	t.Helper()
	bad = map[string]wire.Cause{}
	err := c.Each(func(it restic.Item) error {
		if it.Cause == "" {
			good = append(good, string(it.Path))
		}
		return nil
	})
	if err == nil {
		err = c.EachMissing(func(p wire.Problem) error {
			bad[string(p.Path)] = p.Cause
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return good, bad
}

// Whatever its name is, what is selected comes back with its bytes, and nothing
// else does.
func TestRestoreSelection(t *testing.T) {
	t.Parallel()
	r, _ := newRepo(t)
	awkwardTree(t, r)
	id := backUp(t, r, "/srv")
	same := func(t *testing.T, target string, names []string) {
		t.Helper()
		for _, n := range names {
			a, err1 := os.ReadFile(filepath.Join(r.Dir, n))
			b, err2 := os.ReadFile(filepath.Join(target, n))
			if string(a) != string(b) || (err1 == nil) != (err2 == nil) {
				t.Errorf("%q: got %q, %v, want %q", n, b, err2, a)
			}
		}
	}
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		c, target, err := restored(t, r, id, "/srv")
		if err != nil {
			t.Fatal(err)
		}
		good, bad := listed(t, c)
		if want := onDisk(t, r.Dir); !slices.Equal(good, want) || len(bad) != 0 || !slices.Equal(onDisk(t, target), want) {
			t.Errorf("got %q, missing %v; want %q", good, bad, want)
		}
		same(t, target, good)
		if got, _ := os.Readlink(filepath.Join(target, "srv/zz-link")); got != "bad\xfftarget\n" {
			t.Errorf("got a link to %q", got)
		}
	})
	if testing.Short() {
		return
	}
	t.Run("each file", func(t *testing.T) {
		t.Parallel()
		var want []string
		for _, n := range append([]string{"\xff\xfe", "end\n", "empty", "zz-link"}, awkward...) {
			want = append(want, "/srv/"+n)
		}
		c, target, err := restored(t, r, id, append(want, "/srv/none", "/gone/none")...)
		if err != nil {
			t.Fatal(err)
		}
		good, bad := listed(t, c)
		slices.Sort(want)
		if slices.Sort(good); !slices.Equal(good, want) {
			t.Errorf("got %q\nwant %q", good, want)
		}
		if len(bad) != 2 || bad["/srv/none"] != wire.CauseNotFound || bad["/gone/none"] != wire.CauseNotFound {
			t.Errorf("missing: got %v", bad)
		}
		if got := onDisk(t, target); len(got) != len(want)+1 { // and /srv
			t.Errorf("got %q in the target", got)
		}
		same(t, target, want)
	})
	t.Run("folders", func(t *testing.T) {
		t.Parallel()
		c, target, err := restored(t, r, id, "/srv/dir\xff\n/--target=", "/srv/dir\xff\n/[x]*?", "/srv/zz-folder", "/srv/zz-folder/")
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(c.Files, c.Folders, c.Others); got != "2 3 0" {
			t.Errorf("got %s files, folders, others", got)
		}
		if got := onDisk(t, target); len(got) != 7 {
			t.Errorf("got %q in the target", got)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		_, err := r.Contents(t.Context(), id, paths("/srv/none"), filepath.Join(t.TempDir(), "list"))
		wantCause(t, err, wire.CauseNotFound)
		_, err = r.Contents(t.Context(), id, nil, filepath.Join(t.TempDir(), "list"))
		wantCause(t, err, wire.CauseInternal)
		_, err = r.Contents(t.Context(), id, paths("/srv/../etc"), filepath.Join(t.TempDir(), "list"))
		wantCause(t, err, wire.CauseUnsafePath)
	})
}

// What was restored has no powers, and what cannot be restored is said.
func TestRestoreTames(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, _ := newRepo(t)
	write(t, filepath.Join(r.Dir, "srv/tool"), "#!/bin/sh\n")
	err := errors.Join(os.Chmod(filepath.Join(r.Dir, "srv/tool"), 0o755|fs.ModeSetuid|fs.ModeSetgid),
		os.Mkdir(filepath.Join(r.Dir, "srv/group"), 0o755), os.Chmod(filepath.Join(r.Dir, "srv/group"), 0o775|fs.ModeSetgid|fs.ModeSticky),
		syscall.Mkfifo(filepath.Join(r.Dir, "srv/pipe"), 0o600), os.Link(filepath.Join(r.Dir, "srv/tool"), filepath.Join(r.Dir, "srv/twin")))
	if err != nil {
		t.Fatal(err)
	}
	id := backUp(t, r, "/srv")
	c, target, err := restored(t, r, id, "/")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"tool": 0o755, "twin": 0o755, "group": fs.ModeDir | fs.ModeSticky | 0o775} {
		if info, err := os.Lstat(filepath.Join(target, "srv", name)); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	good, bad := listed(t, c)
	if len(good) != 4 || len(bad) != 1 || bad["/srv/pipe"] != wire.CauseUnsupported {
		t.Errorf("got %q, missing %v", good, bad)
	}
}

// Where packs are lost, what is whole comes back, and what is not is named and
// not left there in part.
func TestRestoreDamaged(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, d := newRepo(t)
	write(t, filepath.Join(r.Dir, "srv/old/a"), strings.Repeat("first ", 1000))
	write(t, filepath.Join(r.Dir, "srv/old/b\xff\n"), strings.Repeat("second ", 1000))
	if err := os.Link(filepath.Join(r.Dir, "srv/old/a"), filepath.Join(r.Dir, "srv/zz-twin")); err != nil {
		t.Fatal(err)
	}
	backUp(t, r, "/srv")
	before := onDisk(t, filepath.Join(d.repo, "data"))
	write(t, filepath.Join(r.Dir, "srv/new"), "third")
	id := backUp(t, r, "/srv")
	packs := func(kind string) (out []string) {
		t.Helper()
		for _, p := range before {
			if len(filepath.Base(p)) != 64 {
				continue
			}
			cached := filepath.Join(r.CacheDir, "*", "data", "*", filepath.Base(p))
			if m, _ := filepath.Glob(cached); (len(m) > 0) == (kind == "trees") { // only trees are in the cache
				out = append(out, filepath.Join(d.repo, "data", p))
			}
		}
		if len(out) == 0 {
			t.Fatalf("there is no pack of %s", kind)
		}
		return out
	}
	trees := packs("trees")
	for _, p := range packs("data") {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	c, target, err := restored(t, r, id, "/srv")
	if err != nil {
		t.Fatal(err)
	}
	good, bad := listed(t, c)
	want := map[string]wire.Cause{"/srv/old/a": wire.CauseDamaged, "/srv/old/b\xff\n": wire.CauseDamaged, "/srv/zz-twin": wire.CauseDamaged}
	if fmt.Sprint(bad) != fmt.Sprint(want) || !slices.Equal(good, []string{"/srv", "/srv/new", "/srv/old"}) {
		t.Errorf("got %q, missing %v", good, bad)
	}
	if got := onDisk(t, target); !slices.Equal(got, good) {
		t.Errorf("got %q in the target", got)
	}
	_, _, err = restored(t, r, id, "/srv/old/a")
	wantCause(t, err, wire.CauseDamaged)

	for _, p := range trees {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	r.CacheDir = ""
	err = r.Walk(t.Context(), id, func([]byte, wire.Node) error { return nil })
	wantCause(t, err, wire.CauseDamaged)
	c, target, err = restored(t, r, id, "/srv")
	if err != nil {
		t.Fatal(err)
	}
	good, bad = listed(t, c)
	if bad["/srv/old"] != wire.CauseDamaged || !slices.Contains(good, "/srv/new") || !c.Unlisted {
		t.Errorf("got %q, missing %v", good, bad)
	}
	if got, err := os.ReadFile(filepath.Join(target, "srv/new")); err != nil || string(got) != "third" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = r.Contents(t.Context(), id, paths("/srv/old/a"), filepath.Join(t.TempDir(), "list"))
	wantCause(t, err, wire.CauseDamaged)
}

// Many paths are one run: folders above them are listed, and they are picked.
func TestManyPaths(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, _ := newRepo(t)
	var want []string
	for i := range 300 {
		p := fmt.Sprintf("/srv/%d/a b$%d ", i%60, i)
		write(t, filepath.Join(r.Dir, p), fmt.Sprint(i))
		if i%2 == 0 {
			want = append(want, p)
		}
	}
	id := backUp(t, r, "/srv")
	c, target, err := restored(t, r, id, want...)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := listed(t, c)
	slices.Sort(want)
	if slices.Sort(good); !slices.Equal(good, want) || len(bad) != 0 {
		t.Errorf("got %d, missing %v", len(good), bad)
	}
	if got := onDisk(t, target); len(got) != 1+30+150 {
		t.Errorf("got %d in the target", len(got))
	}
}

// A store that fails is no damage: the whole restore fails, and says so.
func TestStoreFailsDuringRestore(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, d := newRepo(t)
	write(t, filepath.Join(r.Dir, "srv/a"), "first")
	backUp(t, r, "/srv")
	write(t, filepath.Join(r.Dir, "srv/b"), "second")
	id := backUp(t, r, "/srv")
	err := r.Walk(t.Context(), id, func([]byte, wire.Node) error { return nil }) // the folders are in the cache now
	if err != nil {
		t.Fatal(err)
	}
	d.set(answer("GET", "/data/", 403))
	_, _, err = restored(t, r, id, "/srv")
	wantCause(t, err, wire.CauseStoreRefused)
}
