package helper_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

func TestAttributesAreKept(t *testing.T) {
	w := newWorld(t)
	w.snap(www+"/dir/f", "f")
	w.snap(www+"/hard/one", "shared")
	mtime := time.Date(2021, 5, 6, 7, 8, 9, 123456789, time.UTC)
	err := errors.Join(
		os.Chmod(w.repo.dir+www+"/dir/f", 0o640), os.Chmod(w.repo.dir+www+"/dir", 0o750),
		os.Chtimes(w.repo.dir+www+"/dir/f", mtime, mtime),
		os.Link(w.repo.dir+www+"/hard/one", w.repo.dir+www+"/hard/two"),
		os.Chtimes(w.repo.dir+www+"/dir", mtime, mtime))
	if err != nil {
		t.Fatal(err)
	}
	xattrs := true
	for _, n := range []string{"/dir/f", "/dir"} {
		if err := unix.Lsetxattr(w.repo.dir+www+n, "user.note", []byte("kept"), 0); err != nil {
			t.Logf("extended attributes are not tested: this file system has none (%v)", err)
			xattrs = false
		}
	}
	if os.Geteuid() == 0 {
		err = errors.Join(os.Chown(w.repo.dir+www+"/dir", 1234, 1235), os.Chown(w.repo.dir+www+"/dir/f", 1236, 1237))
		if err != nil {
			t.Fatal(err)
		}
	} else {
		t.Log("owners are not tested: that needs root")
	}
	got := w.apply(ask(wire.ConflictOverwrite, www+"/dir", www+"/hard"))
	for _, name := range []string{"/dir", "/dir/f"} {
		was, err1 := os.Lstat(w.repo.dir + www + name)
		is, err2 := os.Lstat(w.root + www + name)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if was.Mode() != is.Mode() || was.ModTime().UnixMilli() != is.ModTime().UnixMilli() {
			t.Errorf("%s: got %v %v, want %v %v", name, is.Mode(), is.ModTime(), was.Mode(), was.ModTime())
		}
		var wasSt, isSt unix.Stat_t
		if err := errors.Join(unix.Lstat(w.repo.dir+www+name, &wasSt), unix.Lstat(w.root+www+name, &isSt)); err != nil {
			t.Fatal(err)
		}
		if wasSt.Uid != isSt.Uid || wasSt.Gid != isSt.Gid {
			t.Errorf("%s: got owner %d:%d, want %d:%d", name, isSt.Uid, isSt.Gid, wasSt.Uid, wasSt.Gid)
		}
		buf := make([]byte, 16)
		if n, err := unix.Lgetxattr(w.root+www+name, "user.note", buf); xattrs && (err != nil || string(buf[:n]) != "kept") {
			t.Errorf("%s: attribute: got %q, %v", name, buf[:max(n, 0)], err)
		}
	}
	var one, two unix.Stat_t
	if err := errors.Join(unix.Lstat(w.root+www+"/hard/one", &one), unix.Lstat(w.root+www+"/hard/two", &two)); err != nil {
		t.Fatal(err)
	}
	if one.Ino == two.Ino || one.Nlink != 1 || two.Nlink != 1 || one.Size != two.Size {
		t.Errorf("hard links: got %+v and %+v, want files of their own", one, two)
	}
	if s := acts(t, got); !strings.Contains(s, "create /srv/www/hard/one (hard_link)") {
		t.Errorf("got\n%s\nwhich does not say that a hard link was one", s)
	}
	w.undo()
	if got := names(t, w.root+www); got != "" {
		t.Errorf("undone: left %s", got)
	}
}

func TestPowers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making devices and capabilities needs root")
	}
	capability := []byte{1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for _, special := range []bool{false, true} {
		w := newWorld(t)
		w.snap(www+"/suid", "s")
		w.snap(www+"/dir/f", "f")
		src := w.repo.dir + www
		err := errors.Join(os.Chmod(src+"/suid", 0o755|fs.ModeSetuid), os.Chmod(src+"/dir", 0o777|fs.ModeSetgid|fs.ModeSticky),
			unix.Mknod(src+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))), unix.Mkfifo(src+"/pipe", 0o644))
		if err != nil {
			t.Skipf("devices cannot be made here: %v", err)
		}
		caps := unix.Lsetxattr(src+"/suid", "security.capability", capability, 0) == nil
		a := ask(wire.ConflictOverwrite, www)
		a.Target.Special = special
		plan, err := w.h.Preview(t.Context(), a.Preview, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := acts(t, plan)
		got := acts(t, w.apply(a))
		if got != want {
			t.Errorf("got\n%s\nthe preview said\n%s", got, want)
		}
		info, err := os.Stat(w.root + www + "/suid")
		if err != nil {
			t.Fatal(err)
		}
		dir, err := os.Stat(w.root + www + "/dir")
		if err != nil {
			t.Fatal(err)
		}
		_, nodev := os.Lstat(w.root + www + "/null")
		buf := make([]byte, 64)
		_, nocap := unix.Lgetxattr(w.root+www+"/suid", "security.capability", buf)
		if special {
			want := "create /srv/www/dir\ncreate /srv/www/dir/f\ncreate /srv/www/null\ncreate /srv/www/pipe\ncreate /srv/www/suid\nsame /srv/www"
			if got != want {
				t.Errorf("staff: got\n%s", got)
			}
			if info.Mode()&fs.ModeSetuid == 0 || dir.Mode()&fs.ModeSticky == 0 || nodev != nil || caps && nocap != nil {
				t.Errorf("staff: got %v, %v, %v, %v", info.Mode(), dir.Mode(), nodev, nocap)
			}
			continue
		}
		want = "create /srv/www/dir (setuid_removed)\ncreate /srv/www/dir/f\ncreate /srv/www/suid (setuid_removed)\nrefuse /srv/www/null (policy)\nrefuse /srv/www/pipe (policy)\nsame /srv/www"
		if got != want {
			t.Errorf("customer: got\n%s", got)
		}
		if info.Mode() != 0o755 || dir.Mode() != 0o777|fs.ModeDir || nodev == nil || nocap == nil {
			t.Errorf("customer: got %v, %v, %v, %v", info.Mode(), dir.Mode(), nodev, nocap)
		}
	}
}

func TestDamagedFilesAreMissing(t *testing.T) {
	w := newWorld(t)
	w.snap(www+"/good", "g")
	w.snap(www+"/bad", "b")
	w.disk(www+"/bad", "still here")
	w.repo.damaged[www+"/bad"] = true
	got := w.apply(ask(wire.ConflictOverwrite, www))
	wantText(t, "acts", acts(t, got), "create /srv/www/good\nrefuse /srv/www/bad (repository_damaged)\nsame /srv/www")
	if got.MissingCount != 1 || string(got.Missing[0].Path) != www+"/bad" || got.Missing[0].Cause != wire.CauseDamaged {
		t.Errorf("missing: got %+v", got.Missing)
	}
	if b, _ := os.ReadFile(w.root + www + "/bad"); string(b) != "still here" {
		t.Errorf("what was there is %q", b)
	}
}

func TestTheSameAnswerAgain(t *testing.T) {
	w, a := small(t)
	first := w.apply(a)
	after := contents(t, w.root)
	w.restart()
	again := w.apply(a)
	if acts(t, first) != acts(t, again) || first.SafetyBytes != again.SafetyBytes || first.SafetyBytes != int64(len("was here")) || first.Undoable != again.Undoable {
		t.Errorf("got\n%+v\nfirst\n%+v", again.Changes, first.Changes)
	}
	if contents(t, w.root) != after {
		t.Error("it was applied twice")
	}
	other := ask(wire.ConflictKeep, www)
	_, err := w.h.Apply(t.Context(), other, nil)
	wantCause(t, err, wire.CausePolicy)
	a.Restore = "../x"
	_, err = w.h.Apply(t.Context(), a, nil)
	wantCause(t, err, wire.CausePolicy)
}

// What changes between the plan and the act is met by the rule, not by force.
func TestTheDiskChangesMeanwhile(t *testing.T) {
	tests := []struct {
		name string
		rule wire.Conflict
		do   func(w *world) error
		want string
	}{
		{"a name is taken, overwrite", wire.ConflictOverwrite, func(w *world) error { return os.WriteFile(w.root+www+"/b", []byte("quick"), 0o600) }, "replace /srv/www/b"},
		{"a name is taken, keep", wire.ConflictKeep, func(w *world) error { return os.WriteFile(w.root+www+"/b", []byte("quick"), 0o600) }, "keep /srv/www/b"},
		{"a name is taken, beside", wire.ConflictBeside, func(w *world) error { return os.WriteFile(w.root+www+"/b", []byte("quick"), 0o600) }, "beside /srv/www/b.restored"},
		{"the name beside is taken", wire.ConflictBeside, func(w *world) error { return os.WriteFile(w.root+www+"/f.restored", []byte("quick"), 0o600) }, "beside /srv/www/f-2.restored"},
		{"a folder has the name", wire.ConflictOverwrite, func(w *world) error { return os.Mkdir(w.root+www+"/b", 0o755) }, "refuse /srv/www/b (exists)"},
		{"a file becomes a folder", wire.ConflictOverwrite, func(w *world) error {
			return errors.Join(os.Remove(w.root+www+"/f"), os.Mkdir(w.root+www+"/f", 0o755))
		}, "refuse /srv/www/f (exists)"},
		{"what was to be replaced is gone", wire.ConflictOverwrite, func(w *world) error { return os.Remove(w.root + www + "/f") }, "create /srv/www/f"},
		{"a folder comes up", wire.ConflictOverwrite, func(w *world) error { return os.Mkdir(w.root+www+"/new", 0o755) }, "create /srv/www/new/in/file"},
		{"a link takes a folder's name", wire.ConflictOverwrite, func(w *world) error { return os.Symlink("../../outside", w.root+www+"/new") }, "refuse /srv/www/new/in/file (unsafe_path)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, a := small(t)
			a.Target.Conflict = tt.rule
			outside := contents(t, w.root+"/outside")
			helper.At(w.h, func(point string) error {
				if point == "filled" {
					return tt.do(w)
				}
				return nil
			})
			got := w.apply(a)
			helper.At(w.h, nil)
			if s := acts(t, got); !strings.Contains(s+"\n", tt.want+"\n") {
				t.Errorf("got\n%s\nwant %s", s, tt.want)
			}
			if now := contents(t, w.root+"/outside"); now != outside {
				t.Errorf("outside: %s", now)
			}
			w.undo()
		})
	}
}

func TestTheFolderMovesMeanwhile(t *testing.T) {
	for _, point := range []string{"filled", "intent", "give", "swap", "done"} {
		w, a := small(t)
		moved := false
		helper.At(w.h, func(p string) error {
			if p != point || moved {
				return nil
			}
			moved = true
			return errors.Join(os.Rename(w.root+www, w.root+"/outside/www"), os.Symlink("../outside", w.root+www))
		})
		got, err := w.h.Apply(t.Context(), a, nil)
		for _, name := range []string{"new", "b"} {
			if _, serr := os.Lstat(w.root + "/outside/" + name); serr == nil {
				t.Errorf("moved at %s: %s came outside", point, name)
			}
		}
		if b, _ := os.ReadFile(w.root + "/outside/www/f"); point != "done" && string(b) != "was here" {
			t.Errorf("moved at %s: a file outside is %q now", point, b)
		}
		if err == nil && got.Counts[wire.ActRefuse] == 0 {
			t.Errorf("moved at %s: nothing was refused", point)
		}
	}
}

// A tenant swaps a folder for a link in a tight loop while restores run into it.
func TestSwapRace(t *testing.T) {
	w := newWorld(t)
	for _, n := range []string{"/d/a", "/d/b", "/d/e/f", "/d/e/g/h"} {
		w.snap(www+n, "from the snapshot")
		w.disk(www+n, "was here")
	}
	outside := contents(t, w.root+"/outside")
	dir, aside := w.root+www+"/d", w.root+www+"/aside"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{})
	var swaps atomic.Int64
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if os.Rename(dir, aside) != nil {
				_ = os.RemoveAll(aside) // a restore made the folder anew while it was away
				continue
			}
			_ = os.Symlink("../../outside", dir)
			_ = os.Remove(dir)
			_ = os.Rename(aside, dir)
			swaps.Add(1)
		}
	}()
	refused, replaced := int64(0), int64(0)
	for n := 0; n < 60 || swaps.Load() < 100 && n < 3000; n++ {
		a := ask(wire.ConflictOverwrite, www+"/d")
		a.Restore = "rst_" + strings.Repeat("x", n%50+1)
		got, err := w.h.Apply(t.Context(), a, nil)
		if err == nil {
			refused += got.Counts[wire.ActRefuse]
			replaced += got.Counts[wire.ActReplace] + got.Counts[wire.ActCreate]
		}
		u := undoAsk()
		u.Restore = a.Restore
		_, _ = w.h.Undo(t.Context(), u, nil)
		_, _ = w.h.Settle(t.Context(), a.Restore)
	}
	stop()
	<-done
	if now := contents(t, w.root+"/outside"); now != outside {
		t.Errorf("something came outside:\n%s", now)
	}
	t.Logf("%d swaps; %d put in place, %d refused", swaps.Load(), replaced, refused)
}

func TestStageIsPrivate(t *testing.T) {
	w, a := small(t)
	seen := false
	w.repo.during = func(string) error {
		if seen {
			return nil
		}
		seen = true
		found, _ := filepath.Glob(w.root + "/srv/www/.ostler-restore-*")
		if len(found) != 1 {
			t.Fatalf("got stages %v", found)
		}
		info, err := os.Stat(found[0])
		if err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("got %v, %v", info.Mode(), err)
		}
		// what is written goes to the open folder, wherever its name leads now
		_ = os.Rename(found[0], found[0]+"-away")
		_ = os.Symlink("../../outside", found[0])
		return nil
	}
	_, err := w.h.Apply(t.Context(), a, nil)
	if !seen || err != nil {
		t.Logf("the restore ended with %v", err)
	}
	if got := names(t, w.root+"/outside"); got != "" {
		t.Errorf("came outside: %s", got)
	}
}

func TestCancel(t *testing.T) {
	w, a := small(t)
	before := contents(t, w.root)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	w.repo.during = func(string) error { cancel(why); return nil }
	if _, err := w.h.Apply(ctx, a, nil); !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
	if contents(t, w.root) != before || w.left() != "" {
		t.Errorf("left %s", w.left())
	}
}
