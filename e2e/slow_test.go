//go:build slow

package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"ostler/e2e/world"
)

// An agent that is killed in the middle of a download goes on with what the
// plane does not have yet, and the customer gets the whole file.
func TestSlowAgentKilledMidDownload(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	large := noise(20 << 20) // three chunks
	h.host.Put(folder+"/large.bin", large)
	snapshot := h.backUp().Snapshot
	h.host.Agent.Stop()
	pipe := h.host.Through(func(addr string) *world.Pipe { return world.NewPipe(t, addr) })
	h.host.Start()
	h.host.WaitConnected()
	full := pipe.Limit(12 << 20) // the first chunk and half of the second
	id := h.ask("download", snapshot, folder+"/large.bin")
	within(t, "half of the file is on its way", full)
	first := chunk(t, w, id)
	h.host.Agent.Kill()
	pipe.Open()
	h.host.Start()
	var r struct {
		State, SHA256 string
		Failure       *world.Failure
	}
	world.Eventually(t, "the download is over", 5*time.Minute, func() bool {
		return h.maple.Get("/restores/"+id, &r) && r.State != "active" && r.State != "checking"
	})
	if r.State != "ready" || r.SHA256 != sum(large) {
		t.Fatalf("restore: got %+v, want %s", r, sum(large))
	}
	if again := chunk(t, w, id); again.Name() != first.Name() || !again.ModTime().Equal(first.ModTime()) {
		t.Errorf("the first chunk was sent again: %v, before %v", again.ModTime(), first.ModTime())
	}
	file := filepath.Join(t.TempDir(), "got")
	if _, errs, code := h.maple.CLI("restore", "download", id, "-o", file); code != 0 || sum(read(t, file)) != sum(large) {
		t.Errorf("download: exit %d\n%s", code, errs)
	}
	empty(t, filepath.Join(h.host.State, "staging"))
}

// chunk waits for the first chunk of a download where the plane keeps it.
func chunk(t *testing.T, w *world.World, restore string) os.FileInfo {
	t.Helper()
	var found []string
	world.Eventually(t, "the first chunk is stored", 20*time.Second, func() bool {
		found, _ = filepath.Glob(filepath.Join(w.Downloads(), "downloads", restore, "000000-*"))
		return len(found) == 1
	})
	info, err := os.Stat(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// restored lists what a host's folder has besides what was there: names that
// came by a restore.
func restored(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*.restored-*", ".ostler-restore-*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, names...)
	}
	return found
}
