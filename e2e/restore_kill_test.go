//go:build slow

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ostler/e2e/world"
)

// whole expects an archive that was cut off to have come all the same, once and
// with every byte, and nothing of it left on the server.
func whole(t *testing.T, h *house, when, id string, want map[string]string) {
	t.Helper()
	r := h.maple.Came(id, "ready", backupLimit)
	data := h.maple.Content(id)
	if got := sum(string(data)); got != r.SHA256 {
		t.Errorf("%s: SHA-256: got %s, want %s", when, got, r.SHA256)
	}
	a := world.OpenArchive(t, "zip", data)
	for name, text := range want {
		if got := a.File(t, name, ""); got != text {
			t.Errorf("%s: %s: got %d bytes, want %d", when, name, len(got), len(text))
		}
	}
	if !a.Manifest.Complete || r.Incomplete {
		t.Errorf("%s: not complete: %+v", when, r)
	}
	swept(t, h, when)
}

// swept expects that nothing is staged on the server any more.
func swept(t *testing.T, h *house, when string) {
	t.Helper()
	world.Eventually(t, when+": nothing is staged", 10*time.Second, func() bool {
		left, err := os.ReadDir(filepath.Join(h.host.State, "staging"))
		return err == nil && len(left) == 0
	})
	empty(t, filepath.Join(h.host.State, "helper", "tmp"))
}

// packed is a house behind a gate, with an archive of three chunks to be had.
func packed(t *testing.T, w *world.World) (h *house, gate *world.Gate, pipe *world.Pipe, order world.Order, want map[string]string) {
	t.Helper()
	gate = world.NewGate(t, w.Store)
	h = newHouse(t, w, gate.URL)
	want = map[string]string{folder + "/large.bin": noise(17 << 20), folder + "/menu.txt": "soup\n"}
	h.host.Put(folder+"/large.bin", want[folder+"/large.bin"])
	snapshot := h.backUp().Snapshot
	h.maple.Listed(h.plan.ID, 2)
	h.host.Agent.Stop()
	pipe = h.host.Through(func(addr string) *world.Pipe { return world.NewPipe(t, addr) })
	h.host.Start()
	h.host.WaitConnected()
	return h, gate, pipe, world.Order{Kind: "archive", Picks: world.Of(snapshot, folder)}, want
}

// reborn kills the agent and the plane, and starts them when the plane's
// patience with the agent is over.
func reborn(h *house, open ...func()) {
	h.T.Helper()
	h.host.Agent.Kill()
	h.Plane.Kill()
	h.Passed("agent")
	for _, way := range open {
		way()
	}
	h.StartPlane()
	h.host.Start()
}

// The agent is killed at each step of an archive, and the plane too: it begins
// again by itself, and the customer gets the whole.
func TestSlowAgentKilledInArchive(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h, gate, pipe, order, want := packed(t, w)
	for _, step := range []struct {
		name string
		stop func() <-chan struct{}
	}{
		{"while it lists", func() <-chan struct{} { return gate.Shut("GET", "/config") }},
		{"while it restores to staging", func() <-chan struct{} { return gate.Shut("GET", "/data/") }},
		{"while it sends", func() <-chan struct{} { return pipe.Limit(12 << 20) }},
	} {
		w.Step(t, step.name, func(t *testing.T) {
			reached := step.stop()
			r := h.maple.Order(order)[0]
			within(t, step.name, reached)
			reborn(h, gate.Open, pipe.Open)
			whole(t, h, step.name, r.ID, want)
			if n := starts(t, h.host, r.Job); n != 2 {
				t.Errorf("starts: got %d, want 2", n)
			}
		})
	}
}

// Somebody thinks better of it in the middle: it ends soon, and leaves nothing.
func TestSlowRestoreCancelled(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	gate := world.NewGate(t, w.Store)
	h := newHouse(t, w, gate.URL)
	h.host.Put(folder+"/large.bin", noise(2<<20))
	snapshot := h.backUp().Snapshot
	h.maple.Listed(h.plan.ID, 2)
	h.host.Put(folder+"/large.bin", "changed since\n")
	before := state(t, h.on(folder))
	place := h.place(world.Place{Conflict: "overwrite"}, world.Of(snapshot, folder)...)
	for _, step := range []struct {
		name  string
		begin func() (id string)
	}{
		{"archive", func() string {
			return h.maple.Order(world.Order{Kind: "archive", Picks: world.Of(snapshot, folder)})[0].ID
		}},
		{"in place", func() string {
			h.maple.Step(place.ID, "confirm")
			return place.ID
		}},
	} {
		reached := gate.Shut("GET", "/data/")
		id := step.begin()
		within(t, step.name, reached)
		h.maple.Step(id, "cancel")
		r := h.maple.Came(id, "cancelled", backupLimit)
		gate.Open()
		if r.Failure == nil || r.Failure.Next == "" {
			t.Errorf("%s: got %+v", step.name, r)
		}
		same(t, step.name, h.on(folder), before)
		if left := private(t, h.host.Root); len(left) != 0 {
			t.Errorf("%s: left behind: %q", step.name, left)
		}
		swept(t, h, step.name)
		if status, answer := h.maple.Do("POST", "/restores/"+id+"/confirm", nil); status < 400 || status >= 500 {
			t.Errorf("%s: confirmed when it was cancelled: status %d: %s", step.name, status, answer)
		}
	}
	nothing(t, h, place.ID, before)
}

// nothing has a restore undone that stopped before it changed anything, which
// the plane cannot know: the server says so, and it is not offered again.
func nothing(t *testing.T, h *house, id, before string) {
	t.Helper()
	if h.maple.Restore(id).UndoUntil == "" {
		return
	}
	h.maple.Step(id, "undo")
	r := h.maple.Idle(id, backupLimit)
	h.Told("undo of nothing", r.UndoFailure, "nothing_to_undo")
	if r.UndoUntil != "" || r.Resumable {
		t.Errorf("undo of nothing: it is still offered: %+v", r)
	}
	same(t, "undo of nothing", h.on(folder), before)
}

// The plane is killed at each step of an archive: the server goes on, and what
// it sends is taken up and checked when the plane is back.
func TestSlowPlaneKilledInArchive(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world.World) {
		h, gate, pipe, order, want := packed(t, w)
		for _, step := range []struct {
			name string
			stop func() <-chan struct{}
		}{
			{"while the server restores to staging", func() <-chan struct{} { return gate.Shut("GET", "/data/") }},
			{"while the server sends", func() <-chan struct{} { return pipe.Limit(12 << 20) }},
		} {
			reached := step.stop()
			r := h.maple.Order(order)[0]
			within(t, step.name, reached)
			w.Plane.Kill()
			gate.Open()
			pipe.Open()
			w.StartPlane()
			whole(t, h, step.name, r.ID, want)
			if n := starts(t, h.host, r.Job); n != 1 {
				t.Errorf("%s: starts: got %d, want 1", step.name, n)
			}
		}
		r := h.maple.Order(order)[0]
		world.Eventually(t, "it is checked", backupLimit, func() bool { return h.maple.Restore(r.ID).State != "active" })
		w.Plane.Kill()
		w.Passed("plane")
		w.StartPlane()
		whole(t, h, "while it is checked", r.ID, want)
		if _, errs, code := h.CLI("ledger", "verify"); code != 0 {
			t.Errorf("ledger verify: exit %d\n%s", code, errs)
		}
	})
}

// many is a folder of files of which each was changed after its backup.
const many, manyFiles = folder + "/many", 600

// changedMany backs up many files and changes each; a restore brings them back.
func changedMany(t *testing.T, h *house) (snapshot, wanted, before string) {
	t.Helper()
	for i := range manyFiles {
		h.host.Put(fmt.Sprintf("%s/%04d", many, i), fmt.Sprintf("file %d as it was backed up\n", i))
	}
	snapshot = h.backUp().Snapshot
	h.maple.Listed(h.plan.ID, 2)
	wanted = contents(t, h.on(many))
	for i := range manyFiles {
		h.host.Put(fmt.Sprintf("%s/%04d", many, i), fmt.Sprintf("file %d, changed since\n", i))
		h.own(t, fmt.Sprintf("%s/%04d", many, i), 1300+i%3, 1400, 0o640)
	}
	return snapshot, wanted, state(t, h.on(folder))
}

// contents are the bytes of all files of a folder.
func contents(t *testing.T, dir string) (all string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all += read(t, filepath.Join(dir, f.Name()))
	}
	return all
}

// unlike waits until the first of the files is another than it was, and calls
// at. It returns whether the last one was as before then: it was in the middle.
func unlike(t *testing.T, h *house, what string, at func()) (middle bool) {
	t.Helper()
	first, last := h.on(many+"/0000"), fmt.Sprintf("%s/%04d", h.on(many), manyFiles-1)
	before, end := read(t, first), read(t, last)
	for limit := time.Now().Add(backupLimit); read(t, first) == before; time.Sleep(200 * time.Microsecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s: nothing changes", what)
		}
	}
	at()
	return read(t, last) == end
}

// applied expects a restore to be done whole, kept in a safety copy, and taken
// back to the last bit.
func applied(t *testing.T, h *house, when, id, wanted, before string, undo func()) {
	t.Helper()
	r := h.maple.Came(id, "ready", backupLimit)
	if got := contents(t, h.on(many)); got != wanted {
		t.Errorf("%s: the files are not what was backed up", when)
	}
	if r.Result.Counts["replace"] != manyFiles || r.Result.Counts["refuse"] != 0 {
		t.Errorf("%s: result: got %+v", when, r.Result.Counts)
	}
	if !safety(t, h.host.Root, "file 7, changed since\n") || r.Result.SafetyBytes == 0 {
		t.Errorf("%s: the safety copy is not kept: %+v", when, r.Result)
	}
	swept(t, h, when)
	undo()
	r = h.maple.Came(id, "undone", backupLimit)
	same(t, when+": undo", h.on(folder), before)
	if r.Undo.Counts["returned"] != manyFiles || len(r.Undo.Counts) != 1 {
		t.Errorf("%s: undo: got %+v", when, r.Undo.Counts)
	}
	if left := private(t, h.host.Root); len(left) != 0 {
		t.Errorf("%s: left behind: %q", when, left)
	}
	swept(t, h, when)
}

// The agent is killed at each step of a restore on its server, and of its undo,
// and the plane too: it goes on, and what was there before can be had back.
func TestSlowAgentKilledInPlace(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	gate := world.NewGate(t, w.Store)
	h := newHouse(t, w, gate.URL)
	snapshot, wanted, before := changedMany(t, h)
	undo := func(id string) func() { return func() { h.maple.Step(id, "undo") } }
	again := func() { reborn(h, gate.Open) }
	w.Step(t, "preview", func(t *testing.T) {
		reached := gate.Shut("GET", "/config")
		id := h.maple.Order(world.Order{Kind: "in_place", Picks: world.Of(snapshot, many), Target: &world.Place{Conflict: "overwrite"}})[0].ID
		within(t, "the preview reads", reached)
		again()
		r := h.maple.Came(id, "previewed", backupLimit)
		if r.Preview.Counts["replace"] != manyFiles || len(h.maple.Changes(id, "preview")) < manyFiles {
			t.Errorf("preview: got %+v", r.Preview)
		}
		same(t, "preview", h.on(folder), before)
		swept(t, h, "preview")
		h.host.WaitConnected()
		h.maple.Step(id, "confirm")
		applied(t, h, "preview", id, wanted, before, undo(id))
	})
	w.Step(t, "apply, while it restores to staging", func(t *testing.T) {
		r := h.place(world.Place{Conflict: "overwrite"}, world.Of(snapshot, many)...)
		reached := gate.Shut("GET", "/data/")
		h.maple.Step(r.ID, "confirm")
		within(t, "the restore reads data", reached)
		same(t, "staged only", h.on(folder), before)
		again()
		applied(t, h, "staging", r.ID, wanted, before, undo(r.ID))
	})
	w.Step(t, "apply and undo, in the middle", func(t *testing.T) {
		for range 5 {
			r := h.place(world.Place{Conflict: "overwrite"}, world.Of(snapshot, many)...)
			h.maple.Step(r.ID, "confirm")
			middle := unlike(t, h, "apply", again)
			back := false
			applied(t, h, "in the middle", r.ID, wanted, before, func() {
				h.maple.Step(r.ID, "undo")
				back = unlike(t, h, "undo", again)
			})
			if t.Failed() || middle && back {
				return
			}
		}
		t.Error("five times it was done before it was killed")
	})
}

// The plane is killed at each step of a restore on a server: the server goes on
// by itself, and its result counts when the plane is back.
func TestSlowPlaneKilledInPlace(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world.World) {
		gate := world.NewGate(t, w.Store)
		h := newHouse(t, w, gate.URL)
		snapshot, wanted, before := changedMany(t, h)
		reached := gate.Shut("GET", "/config")
		r := h.maple.Order(world.Order{Kind: "in_place", Picks: world.Of(snapshot, many), Target: &world.Place{Conflict: "overwrite"}})[0]
		within(t, "the preview reads", reached)
		w.Plane.Kill()
		gate.Open()
		w.StartPlane()
		h.maple.Came(r.ID, "previewed", backupLimit)
		same(t, "preview", h.on(folder), before)

		reached = gate.Shut("GET", "/data/")
		h.maple.Step(r.ID, "confirm")
		within(t, "the restore reads data", reached)
		job := h.maple.Restore(r.ID).Job
		w.Plane.Kill()
		gate.Open()
		world.Eventually(t, "the files are in their place", backupLimit, func() bool { return contents(t, h.on(many)) == wanted })
		w.StartPlane()
		applied(t, h, "apply", r.ID, wanted, before, func() {
			if n := starts(t, h.host, job); n != 1 {
				t.Errorf("starts of the apply: got %d, want 1", n)
			}
			h.maple.Step(r.ID, "undo")
			job = h.maple.Restore(r.ID).Job
			world.Eventually(t, "the undo has begun", backupLimit, func() bool { return starts(t, h.host, job) == 1 })
			w.Plane.Kill()
			w.StartPlane()
		})
		if n := starts(t, h.host, job); n != 1 {
			t.Errorf("starts of the undo: got %d, want 1", n)
		}
	})
}
