package helper_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/backups/restic"
)

// engine is a repository with one file; it runs nothing.
type engine struct {
	node wire.Node
	data string
	// during runs in the middle of a dump.
	during func()
	fail   error
}

func (e *engine) Init(context.Context) (wire.RepoInitialised, error) {
	return wire.RepoInitialised{}, nil
}

func (e *engine) Backup(context.Context, restic.BackupOptions) (wire.BackupResult, error) {
	return wire.BackupResult{}, nil
}

func (e *engine) List(context.Context, string, []byte, int) (wire.Listing, error) {
	return wire.Listing{}, nil
}

func (e *engine) Stat(context.Context, string, []byte) (wire.Node, error) { return e.node, nil }

func (e *engine) Dump(_ context.Context, _ string, _ []byte, w io.Writer) (wire.Node, error) {
	half := len(e.data) / 2
	if _, err := io.WriteString(w, e.data[:half]); err != nil {
		return e.node, err
	}
	if e.during != nil {
		e.during()
	}
	if e.fail != nil {
		return e.node, e.fail
	}
	_, err := io.WriteString(w, e.data[half:])
	return e.node, err
}

func newEngine() *engine {
	data := "the lost file\n"
	return &engine{data: data, node: wire.Node{Name: []byte("f"), Type: wire.NodeFile, Size: int64(len(data)), Mode: uint32(fs.ModeSetuid | 0o640),
		MTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli(), UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}}
}

func newHelper(t *testing.T, root string, e *engine, o func(*helper.Options)) *helper.Local {
	t.Helper()
	opts := helper.Options{State: t.TempDir(), Root: root, Engine: func(helper.Repo) helper.Engine { return e }, Reserve: 1,
		Free: func(string) (int64, error) { return 1 << 30, nil }}
	if o != nil {
		o(&opts)
	}
	h, err := helper.NewLocal(opts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// tree makes root/srv/www with a file, and root/outside.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	err := errors.Join(os.MkdirAll(filepath.Join(root, "srv/www"), 0o755), os.MkdirAll(filepath.Join(root, "outside"), 0o755),
		os.WriteFile(filepath.Join(root, "srv/www/there"), []byte("x"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func putBack(name string) helper.PutBack {
	return helper.PutBack{Job: "job_1", Path: []byte("/srv/www/f"), TargetName: []byte(name), Bounds: []string{"/srv/www"}}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func wantCause(t *testing.T, err error, want wire.Cause) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want %s", want)
	}
	f := helper.Failure(err)
	if f.Cause != want || f.Detail == "" {
		t.Fatalf("got %+v (%v), want %s", f, err, want)
	}
	if strings.Contains(f.Detail, "www") {
		t.Errorf("detail %q names a file", f.Detail)
	}
}

func TestPutBack(t *testing.T) {
	for _, name := range []string{"f (restored)", "a\nb", "\xff\xfe", "..x", "-rf", "\u202egpj.exe", `..\x`} {
		root := tree(t)
		e := newEngine()
		res, err := newHelper(t, root, e, nil).PutBack(t.Context(), putBack(name), nil)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		path := filepath.Join(root, "srv/www", name)
		b, err := os.ReadFile(path)
		if err != nil || string(b) != e.data {
			t.Errorf("%q: got %q, %v", name, b, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := info.Mode(), fs.FileMode(0o640); got != want {
			t.Errorf("mode: got %v, want %v", got, want)
		}
		if got, want := info.ModTime().UnixMilli(), e.node.MTime; got != want {
			t.Errorf("time: got %d, want %d", got, want)
		}
		if got, want := string(res.Path), "/srv/www/"+name; got != want || res.Size != e.node.Size || len(res.SHA256) != 64 {
			t.Errorf("got %+v", res)
		}
		if left, _ := filepath.Glob(filepath.Join(root, "srv/www/.ostler-restore-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestPutBackRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(root string, p *helper.PutBack, e *engine, o *helper.Options)
		want   wire.Cause
	}{
		{"name is there", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.TargetName = []byte("there") }, wire.CauseExists},
		{"name is a dangling link", func(root string, p *helper.PutBack, _ *engine, _ *helper.Options) {
			_ = os.Symlink("/nowhere", filepath.Join(root, "srv/www/new"))
		}, wire.CauseExists},
		{"name with a slash", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.TargetName = []byte("../new") }, wire.CauseUnsafePath},
		{"name ..", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.TargetName = []byte("..") }, wire.CauseUnsafePath},
		{"no name", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.TargetName = nil }, wire.CauseUnsafePath},
		{"name with NUL", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.TargetName = []byte("a\x00") }, wire.CauseUnsafePath},
		{"path with ..", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) {
			p.Path = []byte("/srv/www/../../outside/f")
		}, wire.CauseUnsafePath},
		{"relative path", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.Path = []byte("srv/www/f") }, wire.CauseUnsafePath},
		{"out of bounds", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.Path = []byte("/outside/f") }, wire.CauseUnsafePath},
		{"bound that only begins alike", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.Bounds = []string{"/srv/w"} }, wire.CauseUnsafePath},
		{"no bounds", func(_ string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.Bounds = nil }, wire.CauseUnsafePath},
		{"parent is a link within", func(root string, p *helper.PutBack, _ *engine, _ *helper.Options) {
			_ = os.Symlink("../outside", filepath.Join(root, "srv/www/link"))
			p.Path = []byte("/srv/www/link/f")
		}, wire.CauseUnsafePath},
		{"parent is a link to the outside", func(root string, p *helper.PutBack, _ *engine, _ *helper.Options) {
			_ = os.Symlink("/etc", filepath.Join(root, "srv/www/link"))
			p.Path = []byte("/srv/www/link/f")
		}, wire.CauseUnsafePath},
		{"link further up", func(root string, p *helper.PutBack, _ *engine, _ *helper.Options) {
			_ = os.Rename(filepath.Join(root, "srv"), filepath.Join(root, "real"))
			_ = os.Symlink("real", filepath.Join(root, "srv"))
		}, wire.CauseUnsafePath},
		{"folder is gone", func(root string, p *helper.PutBack, _ *engine, _ *helper.Options) { p.Path = []byte("/srv/www/gone/f") }, wire.CauseNotFound},
		{"parent is a file", func(root string, p *helper.PutBack, _ *engine, _ *helper.Options) {
			p.Path = []byte("/srv/www/there/f")
		}, wire.CauseNotFound},
		{"not a file in the snapshot", func(_ string, _ *helper.PutBack, e *engine, _ *helper.Options) { e.node.Type = wire.NodeDevice }, wire.CauseUnsafePath},
		{"no space, told before", func(_ string, _ *helper.PutBack, _ *engine, o *helper.Options) {
			o.Free = func(string) (int64, error) { return 3, nil }
		}, wire.CauseDiskFull},
		{"no space in the middle", func(_ string, _ *helper.PutBack, e *engine, _ *helper.Options) { e.fail = syscall.ENOSPC }, wire.CauseDiskFull},
		{"longer than it says", func(_ string, _ *helper.PutBack, e *engine, _ *helper.Options) { e.node.Size = 2 }, wire.CauseInternal},
		{"folder moved in the middle", func(root string, _ *helper.PutBack, e *engine, _ *helper.Options) {
			e.during = func() { _ = os.Rename(filepath.Join(root, "srv/www"), filepath.Join(root, "outside/www")) }
		}, wire.CauseUnsafePath},
		{"folder swapped for a link in the middle", func(root string, _ *helper.PutBack, e *engine, _ *helper.Options) {
			e.during = func() {
				_ = os.Rename(filepath.Join(root, "srv/www"), filepath.Join(root, "srv/old"))
				_ = os.Symlink("../outside", filepath.Join(root, "srv/www"))
			}
		}, wire.CauseUnsafePath},
		{"name taken in the middle", func(root string, _ *helper.PutBack, e *engine, _ *helper.Options) {
			e.during = func() { _ = os.Symlink("../../outside/stolen", filepath.Join(root, "srv/www/new")) }
		}, wire.CauseExists},
		{"staging swapped in the middle", func(root string, _ *helper.PutBack, e *engine, _ *helper.Options) {
			e.during = func() { // what is written goes to the open folder, wherever its name leads now
				staging, _ := filepath.Glob(filepath.Join(root, "srv/www/.ostler-restore-*"))
				_ = os.Rename(staging[0], filepath.Join(root, "srv/away"))
				_ = os.Symlink("../../outside", staging[0])
				_ = os.WriteFile(filepath.Join(root, "srv/www/new"), nil, 0o600)
			}
		}, wire.CauseExists},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, e, p := tree(t), newEngine(), putBack("new")
			h := newHelper(t, root, e, func(o *helper.Options) { tt.change(root, &p, e, o) })
			_, err := h.PutBack(t.Context(), p, nil)
			wantCause(t, err, tt.want)
			err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					if b, _ := os.ReadFile(path); bytes.Contains(b, []byte("lost")) {
						t.Errorf("part of the file is at %s", path)
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if left, _ := filepath.Glob(filepath.Join(root, "srv/www/.ostler-restore-*/file")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A kill runs no clean-up: what it leaves is a note and a staging folder, which
// the test copies while a restore is under way.
func TestPutBackSweepsAfterAKill(t *testing.T) {
	root, e, state := tree(t), newEngine(), t.TempDir()
	www := filepath.Join(root, "srv/www")
	h := newHelper(t, root, e, func(o *helper.Options) { o.State = state })
	e.during = func() {
		notes, _ := filepath.Glob(filepath.Join(state, "helper/put_back/*"))
		staging, _ := filepath.Glob(filepath.Join(www, ".ostler-restore-*"))
		note, err := os.ReadFile(notes[0])
		name := filepath.Base(staging[0])
		err = errors.Join(err,
			os.WriteFile(notes[0]+"_killed", bytes.ReplaceAll(note, []byte(name), []byte(name+"0")), 0o600),
			os.Mkdir(staging[0]+"0", 0o700), os.WriteFile(staging[0]+"0/file", []byte("half"), 0o600))
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := h.PutBack(t.Context(), putBack("new"), nil); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(www, ".ostler-restore-*")); len(left) != 1 {
		t.Fatalf("the kill left %v", left)
	}
	again := newHelper(t, root, e, func(o *helper.Options) { o.State = state })
	if err := again.Discard(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, www), "new there"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := names(t, filepath.Join(state, "helper/put_back")); got != "" {
		t.Errorf("notes: got %q", got)
	}
}
