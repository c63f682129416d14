package restic_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// awkward are names that people, programs and attackers give to files.
var awkward = []string{
	"new\nline", "rtl\u202etxt.exe", "<img src=x onerror=alert(1)>", `..\..\evil`, "bad\xff\xfeutf8",
	"--target=", "-v", "a\"b'c", "[x]*?", "back\\slash", " space ", "$HOME", "café: not found", "(507) insufficient storage",
}

// Each file is found by its exact bytes, listed with them, and comes back whole.
func TestAwkwardNames(t *testing.T) {
	t.Parallel()
	r, _ := newRepo(t)
	for _, n := range awkward {
		write(t, filepath.Join(r.Dir, "srv", n), "content of "+n)
	}
	folder := "dir\xff\n"
	write(t, filepath.Join(r.Dir, "srv", folder, "[x]*?"), "deep")
	link := filepath.Join(r.Dir, "srv/zz-link")
	if err := os.Symlink("bad\xfftarget", link); err != nil {
		t.Fatal(err)
	}
	b, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.List(t.Context(), b.SnapshotID, []byte("/srv"), 0)
	if err != nil || !got.Found || got.Truncated {
		t.Fatalf("got %+v, %v", got, err)
	}
	nodes := map[string]wire.Node{}
	for _, n := range got.Nodes {
		nodes[string(n.Name)] = n
	}
	if len(nodes) != len(awkward)+2 {
		t.Errorf("got %d names, want %d", len(nodes), len(awkward)+2)
	}
	for _, name := range awkward {
		n, ok := nodes[name]
		if !ok || n.Type != wire.NodeFile || n.Size != int64(len("content of "+name)) || n.Mode != 0o644 || n.MTime == 0 {
			t.Errorf("got %+v for %q", n, name)
		}
	}
	if n := nodes["zz-link"]; n.Type != wire.NodeSymlink || string(n.LinkTarget) != "bad\xfftarget" {
		t.Errorf("got link %+v", n)
	}
	if nodes[folder].Type != wire.NodeDir {
		t.Errorf("got %+v for the folder", nodes[folder])
	}
	if testing.Short() {
		return
	}
	t.Run("list", func(t *testing.T) {
		t.Parallel()
		in, err := r.List(t.Context(), b.SnapshotID, []byte("/srv/"+folder+"/"), 10)
		if err != nil || len(in.Nodes) != 1 || string(in.Nodes[0].Name) != "[x]*?" {
			t.Errorf("got %+v, %v", in, err)
		}
	})
	t.Run("dump", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"bad\xff\xfeutf8", "--target="} {
			var w bytes.Buffer
			n, err := r.Dump(t.Context(), b.SnapshotID, []byte("/srv/"+name), &w)
			if err != nil || w.String() != "content of "+name || string(n.Name) != name {
				t.Errorf("got %q, %+v, %v", w.String(), n, err)
			}
		}
	})
	t.Run("restore", func(t *testing.T) {
		t.Parallel()
		staging := t.TempDir()
		for _, name := range []string{"new\nline", "[x]*?", folder + "/[x]*?"} {
			f, err := r.RestoreFile(t.Context(), b.SnapshotID, []byte("/srv/"+name), staging)
			if err != nil {
				t.Errorf("%q: %v", name, err)
				continue
			}
			text, err := os.ReadFile(f.Path)
			if err != nil || int64(len(text)) != f.Node.Size || filepath.Base(f.Path) != filepath.Base(name) {
				t.Errorf("%q: got %q at %q, %v", name, text, f.Path, err)
			}
		}
	})
}

// An empty folder, a missing one, a file that is no folder, and a snapshot that
// is not there are four different answers.
func TestListAnswers(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, _ := newRepo(t)
	write(t, filepath.Join(r.Dir, "srv/a"), "1")
	write(t, filepath.Join(r.Dir, "srv/b"), "2")
	if err := os.Mkdir(filepath.Join(r.Dir, "srv/empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path             string
		limit            int
		found, truncated bool
		nodes            int
	}{
		{"/", 0, true, false, 1},
		{"/srv", 2, true, true, 2},
		{"/srv", 3, true, false, 3},
		{"/srv/empty", 0, true, false, 0},
		{"/srv/gone", 0, false, false, 0},
		{"/srv/a", 0, false, false, 0},
	} {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			got, err := r.List(t.Context(), b.SnapshotID, []byte(c.path), c.limit)
			if err != nil || got.Found != c.found || got.Truncated != c.truncated || len(got.Nodes) != c.nodes || got.Nodes == nil {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	t.Run("no snapshot", func(t *testing.T) {
		t.Parallel()
		_, err := r.List(t.Context(), fakeID, []byte("/srv"), 0)
		wantCause(t, err, wire.CauseNotFound)
	})
	t.Run("no file", func(t *testing.T) {
		t.Parallel()
		_, err := r.Stat(t.Context(), b.SnapshotID, []byte("/srv/gone"))
		wantCause(t, err, wire.CauseNotFound)
	})
	t.Run("dump of a folder", func(t *testing.T) {
		t.Parallel()
		_, err := r.Dump(t.Context(), b.SnapshotID, []byte("/srv"), &bytes.Buffer{})
		wantCause(t, err, wire.CauseUnsafePath)
	})
	t.Run("the receiver fails", func(t *testing.T) {
		t.Parallel()
		_, err := r.Dump(t.Context(), b.SnapshotID, []byte("/srv/a"), broken{})
		if wantCause(t, err, wire.CauseInternal); !errors.Is(err, errBroken) {
			t.Errorf("got %v, want the receiver's error in it", err)
		}
	})
}

var errBroken = errors.New("the browser went away")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

// What is put back has its owner, times and user attributes, and no powers.
func TestRestoreFileTamesAndKeeps(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r, _ := newRepo(t)
	name := filepath.Join(r.Dir, "srv/tool")
	write(t, name, "#!/bin/sh\n")
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	attrs := syscall.Setxattr(name, "user.note", []byte("kept"), 0) == nil
	if os.Geteuid() == 0 {
		if err := os.Chown(name, 1234, 2345); err != nil {
			t.Fatal(err)
		}
		// A capability: version 2, cap_net_raw.
		_ = syscall.Setxattr(name, "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0)
	}
	if err := errors.Join(os.Chmod(name, 0o751|os.ModeSetuid|os.ModeSetgid), os.Chtimes(name, at, at)); err != nil {
		t.Fatal(err)
	}
	b, err := r.Backup(t.Context(), restic.BackupOptions{Paths: []string{"/srv"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.RestoreFile(t.Context(), b.SnapshotID, []byte("/srv/tool"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Lstat(got.Path)
	if err != nil || fi.Mode() != 0o751 || !fi.ModTime().Equal(at) {
		t.Fatalf("got %v, %v", fi, err)
	}
	if dir, err := os.Lstat(filepath.Dir(got.Path)); err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v for the folder, want it private", dir.Mode(), err)
	}
	if st := fi.Sys().(*syscall.Stat_t); os.Geteuid() == 0 && (st.Uid != 1234 || st.Gid != 2345) {
		t.Errorf("got owner %d:%d", st.Uid, st.Gid)
	}
	buf := make([]byte, 100)
	if n, err := syscall.Getxattr(got.Path, "user.note", buf); attrs && (err != nil || string(buf[:n]) != "kept") {
		t.Errorf("got user.note %q, %v", buf[:max(n, 0)], err)
	}
	if _, err := syscall.Getxattr(got.Path, "security.capability", buf); err == nil {
		t.Error("the file kept its capability")
	}
}

func TestUnsafeArguments(t *testing.T) {
	t.Parallel()
	r := &restic.Repo{Binary: "/nonexistent"} // it does not come to running
	for _, c := range []struct {
		name, id, path string
		want           wire.Cause
	}{
		{"an option as id", "--target=/", "/x", wire.CauseNotFound},
		{"latest", "latest", "/x", wire.CauseNotFound},
		{"a folder in the id", fakeID + ":/etc", "/x", wire.CauseNotFound},
		{"a relative path", fakeID, "x", wire.CauseUnsafePath},
		{"a way up", fakeID, "/srv/../etc/shadow", wire.CauseUnsafePath},
		{"a zero byte", fakeID, "/srv\x00/x", wire.CauseUnsafePath},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.List(t.Context(), c.id, []byte(c.path), 0)
			wantCause(t, err, c.want)
			_, err = r.Dump(t.Context(), c.id, []byte(c.path), &bytes.Buffer{})
			wantCause(t, err, c.want)
			_, err = r.RestoreFile(t.Context(), c.id, []byte(c.path), t.TempDir())
			wantCause(t, err, c.want)
		})
	}
}
