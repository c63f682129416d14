package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// The whole way by the command line: found, looked at, packed, put back, taken
// back; whatever files are called, they steer no terminal.
func TestRestoreByCommand(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	const file, dir = folder + "/office/plan.txt", folder + "/odd"
	for name := range names {
		h.host.Put(dir+"/"+name, "in "+name)
	}
	h.host.Put(file, "the second plan\n")
	snapshot := h.backUp().Snapshot
	h.maple.Listed(h.plan.ID, 2)
	first := h.maple.Runs(h.plan.ID)[1].Snapshot
	run := func(t *testing.T, want int, args ...string) (out, errs string) {
		t.Helper()
		out, errs, code := h.maple.CLI(args...)
		if code != want {
			t.Fatalf("ostler %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, errs)
		}
		plain(t, strings.Join(args[:2], " "), out+errs)
		return out, errs
	}
	w.Step(t, "find", func(t *testing.T) {
		out, _ := run(t, 0, "file", "find", "PLAN.t")
		w.Says("file find", out, "/office/plan.txt", snapshot, "maple-1", "newest")
		out, _ = run(t, 0, "file", "find", "--beneath", dir, "--type", "file")
		for _, shown := range names {
			w.Says("file find", out, shown)
		}
		out, _ = run(t, 0, "file", "history", h.plan.ID, file)
		w.Says("file history", out, snapshot, first)
		_, errs := run(t, 0, "file", "find", "never-was")
		w.Says("file find", errs, "Nothing was found in 2 snapshots")
		run(t, 3, "file", "history", h.plan.ID, folder+"/never-was")
	})
	w.Step(t, "archive", func(t *testing.T) {
		got := filepath.Join(t.TempDir(), "got.tar.gz")
		out, errs := run(t, 0, "restore", "archive", first+":"+file, snapshot+":"+file, snapshot+":"+dir, "-o", got, "--wait-timeout", "60s")
		data := read(t, got)
		if strings.TrimSpace(out) != got {
			t.Errorf("it says %q, want the file", out)
		}
		w.Says("restore archive", errs, sum(data))
		a := world.OpenArchive(t, "tar.gz", []byte(data))
		if a.File(t, file, h.resticID(t, first)) != "the first plan\n" || a.File(t, file, h.resticID(t, snapshot)) != "the second plan\n" || a.Manifest.Files != int64(len(names))+2 {
			t.Errorf("archive: got %q", a.Names)
		}
		run(t, 5, "restore", "archive", first+":"+file, "-o", got) // it is there already
		run(t, 2, "restore", "archive", first)
	})
	w.Step(t, "in place", func(t *testing.T) {
		before := state(t, h.on(folder))
		run(t, 2, "restore", "in-place", first+":"+file) // nobody can be asked
		out, errs := run(t, 0, "restore", "in-place", first+":"+file, "--conflict", "overwrite", "--preview", "--wait-timeout", "60s")
		w.Says("in-place --preview", out, "replace", file)
		same(t, "preview", h.on(folder), before)
		id := errs[strings.LastIndex(errs, "res_"):]
		id = strings.Fields(id)[0]
		run(t, 0, "restore", "confirm", id, "--wait", "--wait-timeout", "60s")
		if got := read(t, h.on(file)); got != "the first plan\n" {
			t.Errorf("confirmed: got %q", got)
		}
		out, _ = run(t, 0, "restore", "changes", id)
		w.Says("restore changes", out, "replace", file)
		run(t, 0, "restore", "undo", id, "--wait", "--wait-timeout", "60s")
		same(t, "undo", h.on(folder), before)
		_, errs = run(t, 5, "restore", "undo", id)
		w.Says("undone twice", errs, "Next: ")
		out, _ = run(t, 0, "restore", "in-place", snapshot+":"+dir, "--folder", folder+"/back", "--yes", "--wait-timeout", "60s")
		w.Says("in-place --yes", out, "create")
		for name := range names {
			if got := read(t, h.on(folder+"/back/odd/"+name)); got != "in "+name {
				t.Errorf("%q: got %q", name, got)
			}
		}
		_, errs = run(t, 2, "restore", "in-place", snapshot+":"+dir, "--folder", "/", "--yes")
		w.Says("into /", errs, "outside your folders")
		_, errs = run(t, 2, "restore", "in-place", snapshot+":"+dir, "--folder=--target=/", "--yes")
		w.Says("into an option", errs, "Name a folder")
	})
	out, _ := run(t, 0, "restore", "list")
	w.Says("restore list", out, "in place", "archive", "undone")
}

// An archive that was cut off opens nowhere as if it were whole; one that is
// damaged where it is kept is not delivered.
func TestArchiveIsNeverHalf(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	h.host.Put(folder+"/large.bin", noise(9<<20)) // two chunks
	snapshot := h.backUp().Snapshot
	for _, format := range []string{"zip", "tar.gz"} {
		r, _ := h.archive(t, format, world.Of(snapshot, folder)...)
		data := h.maple.Content(r.ID)
		for _, keep := range []int{0, 100, len(data) / 2, 8 << 20, len(data) - 100, len(data) - 1} {
			if world.Unpacks(format, data[:keep]) {
				t.Errorf("%s: %d of %d bytes unpack as if they were all", format, keep, len(data))
			}
		}
		chunks, err := filepath.Glob(filepath.Join(w.Downloads(), "downloads", r.ID, "000001-*"))
		if err != nil || len(chunks) == 0 {
			t.Fatalf("the second chunk: %q, %v", chunks, err)
		}
		b := []byte(read(t, chunks[0]))
		b[len(b)/2] ^= 1
		if err := os.WriteFile(chunks[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _ := h.maple.Do("GET", "/restores/"+r.ID+"/content", nil); status != 0 { // 0: the connection was cut
			t.Errorf("%s: a damaged archive was delivered, status %d", format, status)
		}
	}
}
