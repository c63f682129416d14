package helper_test

import (
	"cmp"
	"os"
	"strings"
	"syscall"
	"testing"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// differing is a server and a snapshot that differ in every way that matters.
func differing(t *testing.T) *world {
	w := newWorld(t)
	for name, data := range map[string]string{"/same": "same", "/old.txt": "new text", "/gone": "gone", "/sub/deep/file": "deep", "/empty": "", "/touched": "x"} {
		w.snap(www+name, data)
	}
	for name, data := range map[string]string{"/same": "same", "/old.txt": "old", "/extra": "mine", "/touched": "x"} {
		w.disk(www+name, data)
	}
	later := longAgo.AddDate(0, 0, 1)
	for _, err := range []error{
		os.Chtimes(w.root+www+"/touched", later, later),
		os.Symlink("old.txt", w.repo.dir+www+"/link"), os.Symlink("extra", w.root+www+"/link"),
		os.Symlink("old.txt", w.repo.dir+www+"/samelink"), os.Symlink("old.txt", w.root+www+"/samelink"),
		os.Mkdir(w.root+www+"/nowdir", 0o755), os.Symlink("../outside", w.root+www+"/nowlink"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.snap(www+"/nowdir", "was a file")
	w.snap(www+"/nowlink/in", "was in a folder")
	w.snap(www+"/nowfile/in", "was in a folder")
	w.disk(www+"/nowfile", "is a file")
	return w
}

func TestPreviewAndApplyAgree(t *testing.T) {
	tests := []struct {
		rule wire.Conflict
		want string
	}{
		{wire.ConflictOverwrite, `
			create /srv/www/empty
			create /srv/www/gone
			create /srv/www/sub
			create /srv/www/sub/deep
			create /srv/www/sub/deep/file
			refuse /srv/www/nowdir (exists)
			refuse /srv/www/nowfile (exists)
			refuse /srv/www/nowfile/in (exists)
			refuse /srv/www/nowlink (unsafe_path)
			refuse /srv/www/nowlink/in (unsafe_path)
			replace /srv/www/link
			replace /srv/www/old.txt
			replace /srv/www/touched
			same /srv/www
			same /srv/www/same
			same /srv/www/samelink`},
		{wire.ConflictKeep, `
			create /srv/www/empty
			create /srv/www/gone
			create /srv/www/sub
			create /srv/www/sub/deep
			create /srv/www/sub/deep/file
			keep /srv/www/link
			keep /srv/www/nowdir
			keep /srv/www/old.txt
			keep /srv/www/touched
			refuse /srv/www/nowfile (exists)
			refuse /srv/www/nowfile/in (exists)
			refuse /srv/www/nowlink (unsafe_path)
			refuse /srv/www/nowlink/in (unsafe_path)
			same /srv/www
			same /srv/www/same
			same /srv/www/samelink`},
		{wire.ConflictBeside, `
			beside /srv/www/link.restored
			beside /srv/www/nowdir.restored
			beside /srv/www/old.restored-2.txt
			beside /srv/www/touched.restored
			create /srv/www/empty
			create /srv/www/gone
			create /srv/www/sub
			create /srv/www/sub/deep
			create /srv/www/sub/deep/file
			refuse /srv/www/nowfile (exists)
			refuse /srv/www/nowfile/in (exists)
			refuse /srv/www/nowlink (unsafe_path)
			refuse /srv/www/nowlink/in (unsafe_path)
			same /srv/www
			same /srv/www/same
			same /srv/www/samelink`},
	}
	for _, tt := range tests {
		t.Run(string(tt.rule), func(t *testing.T) {
			w := differing(t)
			if tt.rule == wire.ConflictBeside {
				w.disk(www+"/old.restored.txt", "the name is taken")
			}
			a := ask(tt.rule, www)
			before := contents(t, w.root)
			got, err := w.h.Preview(t.Context(), a.Preview, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantText(t, "preview", acts(t, got), tt.want)
			if after := contents(t, w.root); after != before {
				t.Errorf("the preview changed the disk:\n%s\nwas\n%s", after, before)
			}
			if got.FreeBytes != 1<<30 || got.Undoable {
				t.Errorf("got %d free, undoable %v", got.FreeBytes, got.Undoable)
			}
			done := w.apply(a)
			wantText(t, "apply", acts(t, done), tt.want)
			if done.Bytes != got.Bytes || !done.Undoable {
				t.Errorf("got %d bytes, undoable %v; the preview said %d", done.Bytes, done.Undoable, got.Bytes)
			}
			for _, c := range done.Changes.Changes {
				if wrote := c.Type == wire.NodeFile && (c.Act == wire.ActCreate || c.Act == wire.ActReplace || c.Act == wire.ActBeside); wrote != (len(c.SHA256) == 64) {
					t.Errorf("%s %s: sum %q", c.Act, c.Path, c.SHA256)
				}
			}
			again, err := w.h.Preview(t.Context(), a.Preview, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n := again.Counts[wire.ActCreate] + again.Counts[wire.ActReplace]; n != 0 {
				t.Errorf("after it, %d would change again:\n%s", n, acts(t, again))
			}
			w.undo()
			if after := contents(t, w.root); after != before {
				t.Errorf("undone:\n%s\nwas\n%s", after, before)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	folder := func(name string) func(*world, *helper.Apply) {
		return func(_ *world, a *helper.Apply) { a.Target.Placement, a.Target.Folder = wire.PlaceFolder, []byte(name) }
	}
	tests := []struct {
		name   string
		change func(*world, *helper.Apply)
		paths  []string
		want   string // the creates
		cause  wire.Cause
	}{
		{"a folder that is made", folder(www + "/back/today"), []string{www + "/a", www + "/dir"}, "/back /back/today /back/today/a /back/today/dir /back/today/dir/b", ""},
		{"two of one name", folder(www + "/back"), []string{www + "/dir/b", www + "/two/b"}, "/back /back/b /back/b-2", ""},
		{"one beneath the other, of two snapshots", func(_ *world, a *helper.Apply) {
			a.Selections = append(a.Selections, helper.Selected{Snapshot: "s2", Paths: [][]byte{[]byte(www + "/dir/b")}})
		}, []string{www + "/dir"}, "/dir /dir/b /dir/b-2", ""},
		{"one beneath the other, of one snapshot", func(*world, *helper.Apply) {}, []string{www + "/dir", www + "/dir/b"}, "", wire.CausePolicy},
		{"the whole snapshot", folder(www + "/back"), []string{"/"}, "/back /back/srv /back/srv/www /back/srv/www/a /back/srv/www/dir /back/srv/www/dir/b /back/srv/www/two /back/srv/www/two/b", ""},
		{"a folder named like an option", folder(www + "/--target=/"), []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"a folder of a name like an option", folder(www + "/--target="), []string{www + "/a"}, "/--target= /--target=/a", ""},
		{"a file that is not there", func(*world, *helper.Apply) {}, []string{www + "/a", www + "/none"}, "/a", ""},
		{"target /", folder("/"), []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"target / with bounds of /", func(_ *world, a *helper.Apply) {
			a.Target.Placement, a.Target.Folder, a.Target.Bounds = wire.PlaceFolder, []byte("/"), []string{"/"}
		}, []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"everything to where it was, with bounds of /", func(_ *world, a *helper.Apply) { a.Target.Bounds = []string{"/"} }, []string{"/"}, "", wire.CauseUnsafePath},
		{"a folder of another tenant", folder("/srv/other/x"), []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"a path of another tenant", func(*world, *helper.Apply) {}, []string{www + "/a", "/srv/other/x"}, "", wire.CauseUnsafePath},
		{"a folder that begins alike", folder(www + "2/x"), []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"a folder with ..", folder(www + "/../other"), []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"a path with ..", func(*world, *helper.Apply) {}, []string{www + "/../other"}, "", wire.CauseUnsafePath},
		{"a relative path", func(*world, *helper.Apply) {}, []string{"srv/www/a"}, "", wire.CauseUnsafePath},
		{"an ending with a slash", func(_ *world, a *helper.Apply) { a.Target.Suffix = "/../x" }, []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"no bounds", func(_ *world, a *helper.Apply) { a.Target.Bounds = nil }, []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"nothing", func(*world, *helper.Apply) {}, nil, "", wire.CausePolicy},
		{"an unknown rule", func(_ *world, a *helper.Apply) { a.Target.Conflict = "merge" }, []string{www + "/a"}, "", wire.CauseUnsupported},
		{"the bound is a link", func(w *world, _ *helper.Apply) {
			_ = os.Rename(w.root+www, w.root+"/srv/real")
			_ = os.Symlink("real", w.root+www)
		}, []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"a link above the bound", func(w *world, _ *helper.Apply) {
			_ = os.Rename(w.root+"/srv", w.root+"/real")
			_ = os.Symlink("real", w.root+"/srv")
		}, []string{www + "/a"}, "", wire.CauseUnsafePath},
		{"the bound is gone", func(w *world, _ *helper.Apply) { _ = os.Remove(w.root + www) }, []string{www + "/dir"}, ". /dir /dir/b", ""},
		{"all above the bound is gone", func(w *world, _ *helper.Apply) { _ = os.RemoveAll(w.root + "/srv") }, []string{www + "/dir"}, "", wire.CauseNotFound},
		{"names of any bytes", func(w *world, a *helper.Apply) {
			for _, n := range []string{"new\nline", "\xff\xfe", "-rf", "--target=/", "\u202egpj.exe", `..\x`, "..x"} {
				if n == "--target=/" {
					n = "--target="
				}
				w.snap(www+"/odd/"+n, n)
			}
		}, []string{www + "/odd"}, "/odd /odd/--target= /odd/-rf /odd/..\\x /odd/..x /odd/new\nline /odd/\u202egpj.exe /odd/\xff\xfe", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.snap(www+"/a", "a")
			w.snap(www+"/dir/b", "b")
			w.snap(www+"/two/b", "two")
			a := ask(wire.ConflictOverwrite, tt.paths...)
			tt.change(w, &a)
			before := contents(t, w.root)
			_, perr := w.h.Preview(t.Context(), a.Preview, nil)
			got, err := w.h.Apply(t.Context(), a, nil)
			if tt.cause != "" {
				wantCause(t, perr, tt.cause)
				wantCause(t, err, tt.cause)
				if after := contents(t, w.root); after != before {
					t.Errorf("changed:\n%s\nwas\n%s", after, before)
				}
				if left := w.left(); left != "" {
					t.Errorf("left behind: %s", left)
				}
				return
			}
			if perr != nil || err != nil {
				t.Fatal(perr, err)
			}
			var made []string
			for _, c := range got.Changes.Changes {
				if c.Act == wire.ActCreate {
					made = append(made, cmp.Or(strings.TrimPrefix(string(c.Path), www), "."))
				}
				if _, err := os.Lstat(w.root + string(c.Path)); err != nil {
					t.Error(err)
				}
			}
			wantText(t, "made", strings.Join(made, " "), tt.want)
			if tt.name == "a file that is not there" && (got.MissingCount != 1 || got.Missing[0].Cause != wire.CauseNotFound) {
				t.Errorf("missing: got %+v", got.Missing)
			}
			if left := w.left(); left != "state rst_1" {
				t.Errorf("left behind: %s", left)
			}
			w.undo()
			if after := contents(t, w.root); after != before {
				t.Errorf("undone:\n%s\nwas\n%s", after, before)
			}
		})
	}
}

func TestOnlyWhatIsNeededIsRestored(t *testing.T) {
	w := differing(t)
	w.apply(ask(wire.ConflictOverwrite, www))
	for _, name := range w.repo.copied {
		if strings.HasSuffix(name, "/same") || strings.HasSuffix(name, "/in") {
			t.Errorf("%s was restored to staging for nothing", name)
		}
	}
}

func TestAnotherFileSystem(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
	w := newWorld(t)
	w.snap(www+"/mnt/f", "f")
	w.snap(www+"/g", "g")
	at := w.root + www + "/mnt"
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", at, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(at, syscall.MNT_DETACH) })
	got := w.apply(ask(wire.ConflictOverwrite, www+"/g", www+"/mnt"))
	if n := got.Counts[wire.ActCreate]; n != 2 {
		t.Errorf("each on its own: got\n%s", acts(t, got))
	}
	if b, err := os.ReadFile(at + "/f"); err != nil || string(b) != "f" {
		t.Errorf("got %q, %v", b, err)
	}
	w.undo()
	a := ask(wire.ConflictOverwrite, www)
	a.Restore = "rst_2"
	got = w.apply(a)
	if s := acts(t, got); !strings.Contains(s, "refuse /srv/www/mnt/f (unsupported)") || !strings.Contains(s, "create /srv/www/g") {
		t.Errorf("a file system within: got\n%s", s)
	}
}
