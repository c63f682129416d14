package helper_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"ostler/agents/wire"
)

// tick waits for the kernel's clock of files, which may move every 10 ms only.
func tick(t *testing.T) {
	t.Helper()
	probe := t.TempDir() + "/probe"
	at := func() time.Time {
		werr := os.WriteFile(probe, []byte("x"), 0o600)
		info, err := os.Stat(probe)
		if err := errors.Join(werr, err); err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	first := at()
	for !at().After(first) {
	}
}

func TestUndoAfterChanges(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *world) error
		want   string
		disk   map[string]string // what is there then; "" for nothing
	}{
		{"nothing", func(*world) error { return nil }, `
			removed /srv/www/b
			removed /srv/www/new
			removed /srv/www/new/in
			removed /srv/www/new/in/file
			returned /srv/www/f
			returned /srv/www/l`, map[string]string{"/f": "was here", "/b": "", "/new": ""}},
		{"what was made is written to", func(w *world) error { return os.WriteFile(w.root+www+"/b", []byte("mine now"), 0o600) }, `
			changed /srv/www/b
			removed /srv/www/new
			removed /srv/www/new/in
			removed /srv/www/new/in/file
			returned /srv/www/f
			returned /srv/www/l`, map[string]string{"/b": "mine now", "/f": "was here"}},
		{"written to, with the time set back", func(w *world) error {
			return errors.Join(os.WriteFile(w.root+www+"/f", []byte("FROM THE SNAPSHOT"), 0o600), os.Chtimes(w.root+www+"/f", longAgo, longAgo))
		}, `
			changed /srv/www/f
			removed /srv/www/b
			removed /srv/www/new
			removed /srv/www/new/in
			removed /srv/www/new/in/file
			returned /srv/www/l`, map[string]string{"/f": "FROM THE SNAPSHOT", "/b": ""}},
		{"replaced by another file", func(w *world) error {
			return errors.Join(os.WriteFile(w.root+www+"/x", []byte("another"), 0o600), os.Rename(w.root+www+"/x", w.root+www+"/f"))
		}, `
			changed /srv/www/f
			removed /srv/www/b
			removed /srv/www/new
			removed /srv/www/new/in
			removed /srv/www/new/in/file
			returned /srv/www/l`, map[string]string{"/f": "another"}},
		{"deleted", func(w *world) error { return errors.Join(os.Remove(w.root+www+"/f"), os.Remove(w.root+www+"/b")) }, `
			removed /srv/www/b
			removed /srv/www/new
			removed /srv/www/new/in
			removed /srv/www/new/in/file
			returned /srv/www/f
			returned /srv/www/l`, map[string]string{"/f": "was here", "/b": ""}},
		{"something else in a folder that was made", func(w *world) error { return os.WriteFile(w.root+www+"/new/mine", []byte("mine"), 0o600) }, `
			changed /srv/www/new
			removed /srv/www/b
			removed /srv/www/new/in
			removed /srv/www/new/in/file
			returned /srv/www/f
			returned /srv/www/l`, map[string]string{"/new/mine": "mine", "/new/in": ""}},
		{"a link where a folder was made", func(w *world) error {
			return errors.Join(os.Rename(w.root+www+"/new", w.root+"/outside/new"), os.Symlink("../../outside/new", w.root+www+"/new"))
		}, `
			changed /srv/www/new
			refuse /srv/www/new/in (unsafe_path)
			refuse /srv/www/new/in/file (unsafe_path)
			removed /srv/www/b
			returned /srv/www/f
			returned /srv/www/l`, map[string]string{"/f": "was here", "/../../outside/new/in/file": "made"}},
		{"the whole folder is gone", func(w *world) error { return os.RemoveAll(w.root + www + "/new") }, `
			removed /srv/www/b
			removed /srv/www/new
			removed /srv/www/new/in
			removed /srv/www/new/in/file
			returned /srv/www/f
			returned /srv/www/l`, map[string]string{"/f": "was here"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, a := small(t)
			w.apply(a)
			tick(t)
			if err := tt.change(w); err != nil {
				t.Fatal(err)
			}
			got := w.undo()
			wantText(t, "undo", acts(t, got), tt.want)
			if got.Undoable {
				t.Error("an undo cannot be undone")
			}
			for name, want := range tt.disk {
				b, err := os.ReadFile(w.root + www + name)
				if want == "" && !os.IsNotExist(err) || want != "" && string(b) != want {
					t.Errorf("%s: got %q, %v; want %q", name, b, err, want)
				}
			}
			if kept := got.Counts[wire.ActChanged] > 0 && tt.disk["/f"] != "was here" && tt.disk["/f"] != ""; kept != (got.SafetyBytes > 0) {
				t.Errorf("the safety copy has %d bytes", got.SafetyBytes)
			}
			again := w.undo()
			wantText(t, "again", acts(t, again), tt.want)
			if s, err := w.h.Settle(t.Context(), "rst_1"); err != nil || s.Bytes != got.SafetyBytes {
				t.Errorf("settle: got %+v, %v", s, err)
			}
			if left := w.left(); left != "" {
				t.Errorf("left %s", left)
			}
		})
	}
}

func TestUndoRefused(t *testing.T) {
	w, a := small(t)
	_, err := w.h.Undo(t.Context(), undoAsk(), nil)
	wantCause(t, err, wire.CauseNothingToUndo)
	w.apply(a)
	u := undoAsk()
	u.Bounds = []string{"/srv/other"}
	got, err := w.h.Undo(t.Context(), u, nil)
	if err != nil || got.Counts[wire.ActRefuse] != 6 {
		t.Errorf("bounds that are narrower now: got %v, %v", got.Counts, err)
	}
	if b, _ := os.ReadFile(w.root + www + "/f"); string(b) != "from the snapshot" {
		t.Errorf("got %q", b)
	}
	u.Restore = "../x"
	_, err = w.h.Undo(t.Context(), u, nil)
	wantCause(t, err, wire.CausePolicy)
}

func TestSettle(t *testing.T) {
	w, a := small(t)
	w.apply(a)
	after := contents(t, w.root+www+"/f")
	if err := w.h.Discard(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if left := w.left(); left != "/srv/www, state rst_1" {
		t.Errorf("the agent's next life left %s", left)
	}
	got, err := w.h.Settle(t.Context(), "rst_1")
	if err != nil || got.Bytes != int64(len("was here")) {
		t.Errorf("got %+v, %v", got, err)
	}
	if left := w.left(); left != "" || contents(t, w.root+www+"/f") != after {
		t.Errorf("left %s", left)
	}
	if got, err := w.h.Settle(t.Context(), "rst_1"); err != nil || got.Bytes != 0 {
		t.Errorf("again: got %+v, %v", got, err)
	}
	_, err = w.h.Undo(t.Context(), undoAsk(), nil)
	wantCause(t, err, wire.CauseNothingToUndo)
	_, err = w.h.Settle(t.Context(), "..")
	wantCause(t, err, wire.CausePolicy)
}

// The tenant cannot enter the safety copy, but can move it away: nothing is said
// to have returned then.
func TestSafetyCopyMovedAway(t *testing.T) {
	w, a := small(t)
	w.apply(a)
	entries, err := os.ReadDir(w.root + www)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if len(e.Name()) > 16 && e.Name()[:16] == ".ostler-restore-" {
			if err := os.Rename(w.root+www+"/"+e.Name(), w.root+www+"/moved"); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := w.undo()
	if got.Counts[wire.ActReturned] != 0 || got.Counts[wire.ActRefuse] != 2 || got.Counts[wire.ActRemoved] != 4 {
		t.Errorf("got\n%s", acts(t, got))
	}
	if b, _ := os.ReadFile(w.root + www + "/f"); string(b) != "from the snapshot" {
		t.Errorf("got %q", b)
	}
}
