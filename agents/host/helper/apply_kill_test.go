package helper_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/internal/killpoint"
)

// nth calls act at the nth point, counted from 1.
func nth(n int, act func(point string) error) func(string) error {
	return func(point string) error {
		if n--; n == 0 {
			return act(point)
		}
		return nil
	}
}

func kill(point string) error {
	killpoint.Kill(point)
	return nil
}

// small is a restore with every kind of act in it.
func small(t *testing.T) (*world, helper.Apply) {
	w := newWorld(t)
	w.snap(www+"/new/in/file", "made")
	w.snap(www+"/f", "from the snapshot")
	w.snap(www+"/b", "also")
	w.disk(www+"/f", "was here")
	w.disk(www+"/keep", "stays")
	if err := errors.Join(os.Symlink("f", w.repo.dir+www+"/l"), os.Symlink("keep", w.root+www+"/l")); err != nil {
		t.Fatal(err)
	}
	return w, ask(wire.ConflictOverwrite, www)
}

// What each point leaves is what a kill -9 there would: the next life goes on,
// or the undo takes back what was done.
func TestKilledAtEveryStep(t *testing.T) {
	w, a := small(t)
	before := contents(t, w.root+www)
	wantActs := acts(t, w.apply(a))
	after := contents(t, w.root+"/srv/www/new") + contents(t, w.root+www+"/f")
	wantLeft := w.left()
	for _, how := range []string{"exchange", "no exchange", "no replace flag"} {
		points := map[string]bool{}
		for n := 1; ; n++ {
			fresh := func() (*world, helper.Apply, string) {
				w, a := small(t)
				fs := func() {
					switch how {
					case "no exchange":
						helper.WithoutRename(w.h, unix.RENAME_EXCHANGE)
					case "no replace flag":
						helper.WithoutRename(w.h, unix.RENAME_EXCHANGE|unix.RENAME_NOREPLACE)
					}
				}
				fs()
				helper.At(w.h, nth(n, kill))
				point := killpoint.Until(func() { _, _ = w.h.Apply(t.Context(), a, nil) })
				for _, name := range []string{"f", "l"} { // never a moment without either
					if _, err := os.Lstat(w.root + www + "/" + name); err != nil {
						t.Errorf("%s: killed at %s: %v", how, point, err)
					}
				}
				w.restart()
				fs()
				return w, a, point
			}
			w, a, point := fresh()
			if point == "" {
				break
			}
			points[point] = true
			name := fmt.Sprintf("%s: killed at %d, %s", how, n, point)
			if n%2 == 0 { // the agent's next life sweeps first
				if err := w.h.Discard(t.Context(), ""); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			done, err := w.h.Apply(t.Context(), a, nil)
			if err != nil {
				t.Fatalf("%s: going on: %v", name, err)
			}
			wantText(t, name, acts(t, done), wantActs)
			if got := contents(t, w.root+"/srv/www/new") + contents(t, w.root+www+"/f"); got != after {
				t.Errorf("%s: got\n%s\nwant\n%s", name, got, after)
			}
			if left := w.left(); left != wantLeft {
				t.Errorf("%s: left %s, want %s", name, left, wantLeft)
			}
			w.undo()
			if got := contents(t, w.root+www); got != before {
				t.Errorf("%s: undone:\n%s\nwas\n%s", name, got, before)
			}

			w, _, _ = fresh() // and the other way: it is taken back where it stands
			if _, err := w.h.Undo(t.Context(), undoAsk(), nil); err != nil && helper.Failure(err).Cause != wire.CauseNothingToUndo {
				t.Fatalf("%s: undo: %v", name, err)
			}
			if err := w.h.Discard(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, w.root+www); got != before {
				t.Errorf("%s: undone halfway:\n%s\nwas\n%s", name, got, before)
			}
			if _, err := w.h.Settle(t.Context(), "rst_1"); err != nil {
				t.Errorf("%s: settle: %v", name, err)
			}
			if left := w.left(); left != "" {
				t.Errorf("%s: settled: left %s", name, left)
			}
		}
		for _, p := range []string{"plan", "planned", "stage", "fill", "filled", "slot", "intent", "give", "swap", "done", "sweep", "applied", "list"} {
			if !points[p] {
				t.Errorf("%s: no kill at %s", how, p)
			}
		}
		if how != "exchange" && !points["replaced"] {
			t.Errorf("%s: no kill between the two renames", how)
		}
	}
}

func TestUndoKilledAtEveryStep(t *testing.T) {
	for _, flags := range []uint{0, unix.RENAME_EXCHANGE} {
		points := map[string]bool{}
		for n := 1; ; n++ {
			w, a := small(t)
			helper.WithoutRename(w.h, flags)
			before := contents(t, w.root+www)
			w.apply(a)
			helper.At(w.h, nth(n, kill))
			point := killpoint.Until(func() { _, _ = w.h.Undo(t.Context(), undoAsk(), nil) })
			if point == "" {
				break
			}
			points[point] = true
			w.restart()
			helper.WithoutRename(w.h, flags)
			if _, err := w.h.Apply(t.Context(), a, nil); point != "journal" && point != "undo" && point != "stage" && err == nil {
				t.Errorf("killed at %s: applied again in the middle of its undo", point)
			}
			got := w.undo()
			if got.Counts[wire.ActReturned] != 2 || got.Counts[wire.ActRemoved] != 4 || got.Counts[wire.ActChanged] != 0 {
				t.Errorf("killed at %d, %s: got\n%s", n, point, acts(t, got))
			}
			if now := contents(t, w.root+www); now != before {
				t.Errorf("killed at %s: undone:\n%s\nwas\n%s", point, now, before)
			}
			if left := w.left(); left != "state rst_1" {
				t.Errorf("killed at %s: left %s", point, left)
			}
		}
		if flags == 0 && !points["returned"] {
			t.Error("no kill between the exchange and what is deleted")
		}
		for _, p := range []string{"return", "remove", "removed", "rmdir", "undone"} {
			if !points[p] {
				t.Errorf("no kill at %s", p)
			}
		}
	}
}

// A full disk at any point stops the restore with its cause. What was done by
// then stays, can be taken back, and applying again goes on.
func TestDiskFullAtEveryStep(t *testing.T) {
	for n := 1; ; n++ {
		w, a := small(t)
		before := contents(t, w.root+www)
		var at string
		helper.At(w.h, nth(n, func(point string) error {
			at = point
			return fmt.Errorf("fault: %w", syscall.ENOSPC)
		}))
		_, err := w.h.Apply(t.Context(), a, nil)
		if at == "" {
			break
		}
		name := fmt.Sprintf("full at %d, %s", n, at)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		f := helper.Failure(err)
		if f.Cause != wire.CauseDiskFull {
			t.Errorf("%s: got %+v", name, f)
		}
		changed := contents(t, w.root+www) != before
		if left := w.left(); changed != strings.Contains(left, "state") && at != "list" {
			t.Errorf("%s: changed %v, left %q", name, changed, left)
		}
		if changed && at != "list" && at != "applied" && at != "sweep" && !strings.Contains(f.Detail, "can be taken back") {
			t.Errorf("%s: the detail does not say how far it came: %q", name, f.Detail)
		}
		if n%2 == 0 {
			done := w.apply(a)
			if done.Counts[wire.ActReplace] != 2 || done.Counts[wire.ActRefuse] != 0 {
				t.Errorf("%s: going on: got\n%s", name, acts(t, done))
			}
			changed = true
		}
		if changed {
			w.undo()
		}
		if got := contents(t, w.root+www); got != before {
			t.Errorf("%s: undone:\n%s\nwas\n%s", name, got, before)
		}
	}
}

func TestDiskFullWhileRestoring(t *testing.T) {
	w, a := small(t)
	before := contents(t, w.root)
	w.repo.during = func(string) error { return syscall.ENOSPC }
	_, err := w.h.Apply(t.Context(), a, nil)
	wantCause(t, err, wire.CauseDiskFull)
	if after := contents(t, w.root); after != before || w.left() != "" {
		t.Errorf("left %s and\n%s", w.left(), after)
	}
	w.options = func(o *helper.Options) { o.Free = func(string) (int64, error) { return 10, nil } }
	w.restart()
	_, err = w.h.Apply(t.Context(), a, nil)
	wantCause(t, err, wire.CauseDiskFull)
	if after := contents(t, w.root); after != before || w.left() != "" {
		t.Errorf("told before: left %s and\n%s", w.left(), after)
	}
}
