//go:build slow

package e2e_test

import (
	"path/filepath"
	"testing"

	"ostler/e2e/world"
)

// The server's own disk has no room to stage an archive: that is told before a
// byte is read, nothing is left behind, and with room it goes on.
func TestSlowArchiveStagingFull(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	disk := filepath.Join(w.Dir, "hosts", "maple-1", "state")
	world.SmallDisk(t, disk, "80m")
	h := newHouse(t, w, "")
	h.host.Put(folder+"/large.bin", noise(30<<20))
	snapshot := h.backUp().Snapshot
	if f := h.maple.Look(snapshot, folder); f.Source != "live" || f.Why == nil || f.Names() != "large.bin\nmenu.txt\noffice" {
		t.Errorf("without room for a list of the names: got %+v", f)
	}
	order := world.Order{Kind: "archive", Picks: world.Of(snapshot, folder)}
	r := h.maple.Came(h.maple.Order(order)[0].ID, "failed", backupLimit)
	w.Told("archive", r.Failure, "disk_full")
	empty(t, filepath.Join(h.host.State, "staging"))
	if status, _ := h.maple.Do("GET", "/restores/"+r.ID+"/content", nil); status != 409 {
		t.Errorf("the content of nothing: status %d, want 409", status)
	}
	if got, want := h.maple.Came(h.maple.Order(world.Order{Kind: "archive", Format: "tar.gz", Picks: world.Of(snapshot, folder+"/menu.txt")})[0].ID, "ready", backupLimit), int64(1); got.Files != want {
		t.Errorf("what fits: got %+v", got)
	}
	world.GrowDisk(t, disk, "400m")
	if _, a := h.archive(t, "zip", order.Picks...); a.File(t, folder+"/large.bin", "") != noise(30<<20) {
		t.Error("with room: other bytes")
	}
}

// The disk that files would go to is full: the restore says so and changes
// nothing; with room it is done, and undone.
func TestSlowRestoreOnFullDisk(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	const small = folder + "/small"
	disk := filepath.Join(w.Dir, "hosts", "maple-1", "root", small)
	world.SmallDisk(t, disk, "160m")
	h := newHouse(t, w, "")
	h.host.Put(small+"/disk/large.bin", noise(30<<20))
	h.host.Put(small+"/disk/note.txt", "a note\n")
	snapshot := h.backUp().Snapshot
	h.host.Put(small+"/disk/large.bin", "changed since\n")
	before := state(t, h.on(folder))
	world.GrowDisk(t, disk, "70m") // 64 MiB stay free
	r := h.place(world.Place{Conflict: "overwrite"}, world.Of(snapshot, small+"/disk")...)
	h.maple.Step(r.ID, "confirm")
	r = h.maple.Came(r.ID, "failed", backupLimit)
	w.Told("restore", r.Failure, "disk_full")
	same(t, "full", h.on(folder), before)
	if left := private(t, h.host.Root); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	nothing(t, h, r.ID, before)
	world.GrowDisk(t, disk, "160m")
	r = h.confirm(h.place(world.Place{Conflict: "overwrite"}, world.Of(snapshot, small+"/disk")...).ID)
	if read(t, h.on(small+"/disk/large.bin")) != noise(30<<20) || !safety(t, h.host.Root, "changed since\n") {
		t.Errorf("with room: got %+v", r.Result)
	}
	h.undo(r.ID)
	same(t, "undo", h.on(folder), before)
}
