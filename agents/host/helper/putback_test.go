package helper_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/backups/restic"
	"ostler/internal/killpoint"
)

// engine is a repository with one file; it runs nothing.
type engine struct {
	node wire.Node
	data string
	fail error // in the middle of a dump
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

// lost is a server whose folder has lost a file that the snapshot has.
func lost(t *testing.T) *world {
	w := newWorld(t)
	w.snap(www+"/f", "the lost file\n")
	w.disk(www+"/there", "x")
	if err := os.Chmod(w.repo.dir+www+"/f", 0o640|fs.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	return w
}

func putBack(name string) helper.PutBack {
	return helper.PutBack{Job: "job_1", Path: []byte(www + "/f"), TargetName: []byte(name), Bounds: []string{www}}
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
		w := lost(t)
		res, err := w.h.PutBack(t.Context(), putBack(name), nil)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		at := w.root + www + "/" + name
		b, err := os.ReadFile(at)
		if err != nil || string(b) != "the lost file\n" {
			t.Errorf("%q: got %q, %v", name, b, err)
		}
		info, err := os.Stat(at)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := info.Mode(), fs.FileMode(0o640); got != want {
			t.Errorf("mode: got %v, want %v", got, want)
		}
		if got, want := info.ModTime().UnixMilli(), longAgo.UnixMilli(); got != want {
			t.Errorf("time: got %d, want %d", got, want)
		}
		if got, want := string(res.Path), www+"/"+name; got != want || res.Size != int64(len(b)) || len(res.SHA256) != 64 {
			t.Errorf("got %+v", res)
		}
		if left := w.left(); left != "" {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestPutBackRefused(t *testing.T) {
	type change = func(w *world, p *helper.PutBack)
	path := func(name string) change { return func(_ *world, p *helper.PutBack) { p.Path = []byte(name) } }
	named := func(name string) change { return func(_ *world, p *helper.PutBack) { p.TargetName = []byte(name) } }
	meanwhile := func(f func(w *world)) change {
		return func(w *world, _ *helper.PutBack) { w.repo.during = func(string) error { f(w); return nil } }
	}
	tests := []struct {
		name   string
		change change
		want   wire.Cause
	}{
		{"name is there", named("there"), wire.CauseExists},
		{"name is a dangling link", func(w *world, _ *helper.PutBack) { _ = os.Symlink("/nowhere", w.root+www+"/new") }, wire.CauseExists},
		{"name with a slash", named("../new"), wire.CauseUnsafePath},
		{"name ..", named(".."), wire.CauseUnsafePath},
		{"no name", named(""), wire.CauseUnsafePath},
		{"name with NUL", named("a\x00"), wire.CauseUnsafePath},
		{"path with ..", path(www + "/../../outside/f"), wire.CauseUnsafePath},
		{"relative path", path("srv/www/f"), wire.CauseUnsafePath},
		{"out of bounds", path("/outside/f"), wire.CauseUnsafePath},
		{"bound that only begins alike", func(_ *world, p *helper.PutBack) { p.Bounds = []string{"/srv/w"} }, wire.CauseUnsafePath},
		{"no bounds", func(_ *world, p *helper.PutBack) { p.Bounds = nil }, wire.CauseUnsafePath},
		{"a job with a path for an id", func(_ *world, p *helper.PutBack) { p.Job = "../x" }, wire.CausePolicy},
		{"parent is a link within", func(w *world, p *helper.PutBack) {
			_ = os.Symlink("../outside", w.root+www+"/link")
			p.Path = []byte(www + "/link/f")
		}, wire.CauseUnsafePath},
		{"parent is a link to the outside", func(w *world, p *helper.PutBack) {
			_ = os.Symlink("/etc", w.root+www+"/link")
			p.Path = []byte(www + "/link/f")
		}, wire.CauseUnsafePath},
		{"link further up", func(w *world, _ *helper.PutBack) {
			_ = os.Rename(w.root+"/srv", w.root+"/real")
			_ = os.Symlink("real", w.root+"/srv")
		}, wire.CauseUnsafePath},
		{"folder is gone", path(www + "/gone/f"), wire.CauseNotFound},
		{"parent is a file", path(www + "/there/f"), wire.CauseNotFound},
		{"not in the snapshot", path(www + "/none"), wire.CauseNotFound},
		{"not a file in the snapshot", func(w *world, _ *helper.PutBack) {
			_ = os.Remove(w.repo.dir + www + "/f")
			_ = os.Mkdir(w.repo.dir+www+"/f", 0o755)
		}, wire.CauseUnsafePath},
		{"no space, told before", func(w *world, _ *helper.PutBack) {
			w.options = func(o *helper.Options) { o.Free = func(string) (int64, error) { return 3, nil } }
			w.restart()
		}, wire.CauseDiskFull},
		{"no space in the middle", func(w *world, _ *helper.PutBack) { w.repo.during = func(string) error { return syscall.ENOSPC } }, wire.CauseDiskFull},
		{"damaged", func(w *world, _ *helper.PutBack) { w.repo.damaged[www+"/f"] = true }, wire.CauseDamaged},
		{"folder moved in the middle", meanwhile(func(w *world) { _ = os.Rename(w.root+www, w.root+"/outside/www") }), wire.CauseNotFound},
		{"folder swapped for a link in the middle", meanwhile(func(w *world) {
			_ = os.Rename(w.root+www, w.root+"/srv/old")
			_ = os.Symlink("../outside", w.root+www)
		}), wire.CauseUnsafePath},
		{"name taken in the middle", meanwhile(func(w *world) { _ = os.Symlink("../../outside/stolen", w.root+www+"/new") }), wire.CauseExists},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, p := lost(t), putBack("new")
			tt.change(w, &p)
			_, err := w.h.PutBack(t.Context(), p, nil)
			wantCause(t, err, tt.want)
			if all := contents(t, w.root); strings.Contains(all, "the lost file") {
				t.Errorf("it is on the server:\n%s", all)
			}
		})
	}
}

// A kill runs no clean-up: what it leaves is swept by the next life, whether the
// file had its name or not. A file is put back once at most.
func TestPutBackSweepsAfterAKill(t *testing.T) {
	for n := 1; ; n++ {
		w := lost(t)
		helper.At(w.h, nth(n, kill))
		point := killpoint.Until(func() { _, _ = w.h.PutBack(t.Context(), putBack("new"), nil) })
		if point == "" {
			break
		}
		w.restart()
		if err := w.h.Discard(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if left := w.left(); left != "" {
			t.Errorf("killed at %s: left %s", point, left)
		}
		if got := names(t, w.root+www); got != "there" && got != "new there" {
			t.Errorf("killed at %s: got %q", point, got)
		}
	}
}
