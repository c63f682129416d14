//go:build slow

package e2e_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ostler/e2e/world"
)

// patience is how long it takes until a job of an agent that was killed is given
// out again, and more.
const patience = 5 * time.Minute

// The agent is killed while it sends an archive, and the plane lives on: it waits
// for a result that may be on its way, gives the job out again, and only what is
// not there yet is sent.
func TestSlowAgentAloneKilledInArchive(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h, _, pipe, order, want := packed(t, w)
	full := pipe.Limit(12 << 20)
	r := h.maple.Order(order)[0]
	within(t, "half of the archive is on its way", full)
	first := chunk(t, w, r.ID)
	h.host.Agent.Kill()
	pipe.Open()
	h.host.Start()
	h.maple.Came(r.ID, "ready", patience)
	whole(t, h, "killed", r.ID, want)
	if again := chunk(t, w, r.ID); again.Name() != first.Name() || !again.ModTime().Equal(first.ModTime()) {
		t.Errorf("the first chunk was sent again: %v, before %v", again.ModTime(), first.ModTime())
	}
}

// The agent is killed while it puts files in their places, and the plane lives on.
func TestSlowAgentAloneKilledInPlace(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	snapshot, wanted, before := changedMany(t, h)
	r := h.place(world.Place{Conflict: "overwrite"}, world.Of(snapshot, many)...)
	h.maple.Step(r.ID, "confirm")
	unlike(t, h, "apply", func() {
		h.host.Agent.Kill()
		h.host.Start()
	})
	h.maple.Came(r.ID, "ready", patience)
	applied(t, h, "killed", r.ID, wanted, before, func() { h.maple.Step(r.ID, "undo") })
}

// A sparse file of 2 GB, and one of no bytes: archived, put on the server and
// taken back. The disk is not filled with its zeros.
func TestSlowRestoreOfASparseFile(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	const image, size = folder + "/vm/image", 2 << 30
	h.host.Put(image, "")
	h.host.Put(folder+"/vm/empty", "")
	f, err := os.OpenFile(h.on(image), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("in the middle"), size/2)
	}
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	want := digest(t, h.on(image))
	var run world.Run
	h.maple.JSON(&run, "backup", "run", h.plan.ID, "--wait", "--wait-timeout", "5m")
	file := filepath.Join(t.TempDir(), "got.zip")
	id := h.maple.Order(world.Order{Kind: "archive", Picks: world.Of(run.Snapshot, folder+"/vm")})[0].ID
	r := h.maple.Came(id, "ready", patience)
	if r.Size > size/100 || r.Files != 2 || r.Bytes != size {
		t.Errorf("archive: got %+v", r)
	}
	if err := os.WriteFile(file, h.maple.Content(id), 0o600); err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	for name, sum := range map[string]string{"srv/maple/vm/image": want, "srv/maple/vm/empty": sum("")} {
		e, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := hashOf(t, e); got != sum {
			t.Errorf("%s: got %s, want %s", name, got, sum)
		}
	}
	swept(t, h, "archive")

	before := state(t, h.on(folder))
	target := world.Place{Placement: "folder", Folder: []byte(folder + "/back")}
	id = h.maple.Order(world.Order{Kind: "in_place", Picks: world.Of(run.Snapshot, folder+"/vm"), Target: &target})[0].ID
	h.maple.Came(id, "previewed", patience)
	h.maple.Step(id, "confirm")
	h.maple.Came(id, "ready", patience)
	back := h.on(folder + "/back/vm/image")
	if got := digest(t, back); got != want {
		t.Errorf("in place: got %s, want %s", got, want)
	}
	info, err := os.Stat(back)
	if err != nil || info.Size() != size || info.Sys().(*syscall.Stat_t).Blocks*512 > size/8 {
		t.Errorf("in place: %+v, %v", info, err)
	}
	h.maple.Step(id, "undo")
	h.maple.Came(id, "undone", patience)
	same(t, "undo", h.on(folder), before)
}

// digest is the SHA-256 of a file, hex.
func digest(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return hashOf(t, f)
}

func hashOf(t *testing.T, r io.Reader) string {
	t.Helper()
	s := sha256.New()
	if _, err := io.Copy(s, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(s.Sum(nil))
}
