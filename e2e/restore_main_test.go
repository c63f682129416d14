package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ostler/e2e/world"
)

// state tells everything of a folder that a restore could change: names, types,
// modes, owners, contents and the targets of links. Private folders of restores
// are left out.
func state(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".ostler-restore-") {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			s := sha256.Sum256(data)
			text = hex.EncodeToString(s[:])
		case info.Mode()&fs.ModeSymlink != 0:
			if text, err = os.Readlink(name); err != nil {
				return err
			}
		}
		own := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&b, "%q %s %d:%d %s\n", strings.TrimPrefix(name, dir), info.Mode(), own.Uid, own.Gid, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// same fails the test where a folder is not as it was.
func same(t *testing.T, what, dir, before string) {
	t.Helper()
	if after := state(t, dir); after != before {
		t.Errorf("%s: %s is\n%s\nand was\n%s", what, dir, after, before)
	}
}

// private are the folders that restores keep beside what they restore to: with
// the safety copy in them.
func private(t *testing.T, root string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".ostler-restore-") {
			found = append(found, name)
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// safety reads the one file with this text in the safety copies beneath a root.
func safety(t *testing.T, root, text string) bool {
	t.Helper()
	for _, dir := range private(t, root) {
		hit := false
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				hit = hit || read(t, name) == text
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if hit {
			return true
		}
	}
	return false
}

// acts are the changes of a list as "act path", sorted.
func acts(changes []world.Change) []string {
	var all []string
	for _, c := range changes {
		all = append(all, c.Act+" "+c.Name())
	}
	slices.Sort(all)
	return all
}

// on is a path on the house's server.
func (h *house) on(path string) string { return filepath.Join(h.host.Root, path) }

// resticID is what restic calls a snapshot.
func (h *house) resticID(t *testing.T, snapshot string) string {
	t.Helper()
	var s struct {
		ResticID string `json:"restic_id"`
	}
	if !h.maple.Get("/snapshots/"+snapshot, &s) {
		t.Fatalf("snapshot %s cannot be read", snapshot)
	}
	return s.ResticID
}

// archive orders an archive, waits for it and unpacks it.
func (h *house) archive(t *testing.T, format string, picks ...world.Pick) (world.Restore, *world.Archive) {
	t.Helper()
	id := h.maple.Order(world.Order{Kind: "archive", Format: format, Picks: picks})[0].ID
	r := h.maple.Came(id, "ready", backupLimit)
	data := h.maple.Content(id)
	if got := sum(string(data)); got != r.SHA256 || int64(len(data)) != r.Size {
		t.Errorf("archive: %d bytes with %s, want %d with %s", len(data), got, r.Size, r.SHA256)
	}
	return r, world.OpenArchive(t, format, data)
}

// place orders a restore on a server and waits for its preview.
func (h *house) place(target world.Place, picks ...world.Pick) world.Restore {
	h.T.Helper()
	id := h.maple.Order(world.Order{Kind: "in_place", Picks: picks, Target: &target})[0].ID
	return h.maple.Came(id, "previewed", backupLimit)
}

// confirm has a restore done and waits for it.
func (h *house) confirm(id string) world.Restore {
	h.T.Helper()
	h.maple.Step(id, "confirm")
	return h.maple.Came(id, "ready", backupLimit)
}

// undo takes a restore back and waits for it.
func (h *house) undo(id string) world.Restore {
	h.T.Helper()
	h.maple.Step(id, "undo")
	return h.maple.Came(id, "undone", backupLimit)
}

// own gives a file of the server an owner and a mode.
func (h *house) own(t *testing.T, path string, uid, gid int, mode os.FileMode) {
	t.Helper()
	if os.Geteuid() != 0 {
		uid, gid = os.Getuid(), os.Getgid()
	}
	if err := os.Chown(h.on(path), uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.on(path), mode); err != nil {
		t.Fatal(err)
	}
}

// A customer looks for a file over all copies, sees its versions, fetches two of
// them in one archive, has one put where it was, and takes that back.
func TestFindAndRestore(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world.World) {
		h := newHouse(t, w, "")
		const lost, kept = folder + "/office/budget.ods", folder + "/office/plan.txt"
		h.host.Put(lost, "the budget of spring\n")
		h.own(t, lost, 1204, 1205, 0o640)
		first := h.backUp().Snapshot
		h.host.Put(lost, "the budget of autumn, longer\n")
		second := h.backUp().Snapshot
		if err := os.Remove(h.on(lost)); err != nil {
			t.Fatal(err)
		}
		third := h.backUp().Snapshot
		h.maple.Listed(h.plan.ID, 4)
		found(t, h, lost, first, second, third)

		h.own(t, kept, 1206, 1207, 0o604)
		_, a := h.archive(t, "zip", append(world.Of(first, lost), world.Of(second, lost, folder+"/menu.txt")...)...)
		if got := a.File(t, lost, h.resticID(t, first)) + a.File(t, lost, h.resticID(t, second)) + a.File(t, folder+"/menu.txt", ""); got != "the budget of spring\nthe budget of autumn, longer\nsoup\n" || !a.Manifest.Complete {
			t.Errorf("archive: got %q, complete %v", got, a.Manifest.Complete)
		}
		placed(t, h, first)
		if _, errs, code := h.CLI("ledger", "verify"); code != 0 {
			t.Errorf("ledger verify: exit %d\n%s", code, errs)
		}
	})
}

// found searches for a lost file and looks at its versions.
func found(t *testing.T, h *house, lost, first, second, third string) {
	t.Helper()
	for _, q := range []string{"budget", "*.ods", ".ods", "BUDGET", "office/bud"} {
		s := h.maple.Find("q", q)
		if len(s.Items) != 1 || s.Items[0].Name() != lost || s.Items[0].Versions != 2 || s.Items[0].Present || s.Snapshots != 4 || len(s.Behind) != 0 {
			t.Errorf("find %q: got %+v", q, s)
			continue
		}
		if f := s.Items[0]; f.First.ID != first || f.Last.ID != second || f.MissingSince == nil || f.MissingSince.ID != third {
			t.Errorf("find %q: got %+v, want from %s to %s", q, f, first, second)
		}
	}
	if s := h.maple.Find("q", "budget", "min_size", "1000"); len(s.Items) != 0 {
		t.Errorf("find by size: got %+v", s.Items)
	}
	hist := h.maple.History(h.plan.ID, lost)
	if len(hist.Versions) != 2 || hist.Versions[0].FirstSeen.ID != second || hist.Versions[1].LastSeen.ID != first || hist.Present ||
		hist.MissingFrom == nil || hist.MissingFrom.ID != third || hist.Source != "catalogue" {
		t.Errorf("history: got %+v", hist)
	}
}

// placed puts a folder back over what is there, and takes that back.
func placed(t *testing.T, h *house, snapshot string) {
	t.Helper()
	const lost, kept = folder + "/office/budget.ods", folder + "/office/plan.txt"
	h.host.Put(kept, "a plan of today\n")
	before := state(t, h.on(folder))
	r := h.place(world.Place{Conflict: "overwrite"}, world.Of(snapshot, folder+"/office")...)
	same(t, "preview", h.on(folder), before)
	if left := private(t, h.host.Root); len(left) != 0 {
		t.Errorf("the preview made %q", left)
	}
	preview := acts(h.maple.Changes(r.ID, "preview"))
	for _, want := range []string{"create " + lost, "replace " + kept} {
		if !slices.Contains(preview, want) {
			t.Errorf("preview: got %q, want %s", preview, want)
		}
	}
	r = h.confirm(r.ID)
	if result := acts(h.maple.Changes(r.ID, "result")); !slices.Equal(result, preview) {
		t.Errorf("result: got %q, previewed %q", result, preview)
	}
	info, err := os.Stat(h.on(lost))
	if err != nil || read(t, h.on(lost)) != "the budget of spring\n" || read(t, h.on(kept)) != "the first plan\n" {
		t.Fatalf("restored: %v, %q", err, read(t, h.on(kept)))
	}
	if own := info.Sys().(*syscall.Stat_t); info.Mode() != 0o640 || os.Geteuid() == 0 && (own.Uid != 1204 || own.Gid != 1205) {
		t.Errorf("restored: mode %s, owner %d:%d", info.Mode(), own.Uid, own.Gid)
	}
	if !safety(t, h.host.Root, "a plan of today\n") || r.Result.SafetyBytes == 0 || r.UndoUntil == "" {
		t.Errorf("no safety copy: %+v", r)
	}
	r = h.undo(r.ID)
	same(t, "undo", h.on(folder), before)
	if r.Undo.Counts["returned"] != 1 || r.Undo.Counts["removed"] != 1 || r.Undo.Counts["changed"] != 0 {
		t.Errorf("undo: got %+v", r.Undo.Counts)
	}
	empty(t, filepath.Join(h.host.State, "staging"))
}
