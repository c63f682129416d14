//go:build slow

package e2e_test

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ostler/e2e/world"
)

// The server's own disk is full: nothing is half done, the cause is told, and
// all goes on when there is room.
func TestSlowHostDiskFull(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	world.SmallDisk(t, filepath.Join(w.Dir, "hosts", "maple-1", "state"), "40m")
	h := newHouse(t, w, "")
	snapshot := h.maple.Runs(h.plan.ID)[0].Snapshot
	w.Step(t, "for a backup", func(t *testing.T) {
		h.host.Put(folder+"/large.bin", noise(60<<20)) // restic keeps packs of it in the state folder
		free := world.FillDisk(t, filepath.Join(h.host.State, "helper"))
		h.failed("disk_full", 60*time.Second)
		free()
		if err := os.Remove(filepath.Join(h.host.Root, folder, "large.bin")); err != nil {
			t.Fatal(err)
		}
		h.mended()
	})
	w.Step(t, "for a download", func(t *testing.T) {
		_, errs, code := h.maple.CLI("restore", "download", snapshot, folder+"/menu.txt", "-o", t.TempDir(), "--wait-timeout", "60s")
		if code != 1 { // 64 MiB stay free, and the disk has 40
			t.Errorf("download: exit %d, want 1", code)
		}
		w.Says("download", errs, "The server's disk is full", "Next: Free some space on the server")
		empty(t, filepath.Join(h.host.State, "staging"))
		var jobs struct {
			Items []struct{ Failure world.Failure }
		}
		h.JSON(&jobs, "job", "list", "--kind", "restore.download")
		w.Says("job list", jobs.Items[0].Failure.Detail, "bytes free on the server, and there are")
	})
	w.Step(t, "for a file put back", func(t *testing.T) {
		world.SmallDisk(t, filepath.Join(h.host.Root, folder, "small"), "1m")
		h.host.Put(folder+"/small/note.txt", "note\n")
		snapshot := h.backUp().Snapshot
		h.host.Put(folder+"/small/note.txt", "another\n") // what is the same already is not written again
		_, errs, code := h.maple.CLI("restore", "put-back", snapshot, folder+"/small/note.txt", "--wait", "--wait-timeout", "60s")
		if code != 1 {
			t.Errorf("put back: exit %d, want 1", code)
		}
		w.Says("put back", errs, "The server's disk is full", "Next: ")
		if left := restored(t, filepath.Join(h.host.Root, folder, "small")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// The plane's disk for downloads is full: the file is refused with cause and
// next step, nothing of it can be fetched, and there is room for the next try.
func TestSlowPlaneDiskFullForDownloads(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	world.SmallDisk(t, w.Downloads(), "9m")
	h := newHouse(t, w, "")
	h.host.Put(folder+"/large.bin", noise(12<<20)) // the first of two chunks fits
	snapshot := h.backUp().Snapshot
	file := filepath.Join(t.TempDir(), "got")
	_, errs, code := h.maple.CLI("restore", "download", snapshot, folder+"/large.bin", "-o", file, "--wait-timeout", "60s")
	if code != 1 {
		t.Errorf("download: exit %d, want 1", code)
	}
	w.Says("download", errs, "The control plane has no room left for the file", "Next: Make room")
	var list struct {
		Items []struct {
			ID, Job, State string
			Failure        *world.Failure
		}
	}
	h.maple.JSON(&list, "restore", "list")
	got := list.Items[0]
	if got.State != "failed" {
		t.Errorf("restore: got %s, want failed", got.State)
	}
	w.Told("restore", got.Failure, "plane_full")
	if status, raw := h.maple.Do("GET", "/restores/"+got.ID+"/content", nil); status != http.StatusConflict {
		t.Errorf("half a file: status %d, want 409: %.100s", status, raw)
	}
	empty(t, filepath.Join(h.host.State, "staging"))
	world.GrowDisk(t, w.Downloads(), "64m")
	if _, errs, code := h.maple.CLI("restore", "download", snapshot, folder+"/large.bin", "-o", file, "--wait-timeout", "60s"); code != 0 || sum(read(t, file)) != sum(noise(12<<20)) {
		t.Errorf("with room: exit %d\n%s", code, errs)
	}
}

// The disk of the plane's database is full: changes are refused with cause and
// next step, hosts keep their results, and all goes on when there is room.
func TestSlowPlaneDiskFullForDatabase(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{PlaneDisk: "32m"})
	gate := world.NewGate(t, w.Store)
	h := newHouse(t, w, gate.URL)
	h.host.Put(folder+"/large.bin", noise(1<<20))
	reached := gate.Shut("POST", "/data/")
	run := h.begin()
	within(t, "the backup sends data", reached)
	free := world.FillDisk(t, filepath.Join(w.Dir, "plane"))
	var errs string
	var code int
	for range 20 { // what is left in the write-ahead log takes a few
		if _, errs, code = w.CLI("server", "add", "more-"+rand.Text()[:6], "--country", "DE"); code != 0 {
			break
		}
	}
	if code != 1 {
		t.Errorf("server add: exit %d, want 1", code)
	}
	w.Says("server add", errs, "disk", "Next: ")
	gate.Open()
	world.Eventually(t, "the host has a result", backupLimit, func() bool {
		_, err := os.Stat(filepath.Join(h.host.State, "spool", run.Job+".json"))
		return err == nil
	})
	free()
	once(t, h, run, "with room")
}
