//go:build slow

package helper_test

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

// A hundred thousand files in one folder: more than the old zip can count.
func TestSlowArchiveOfManyFiles(t *testing.T) {
	const many = 100_000
	for _, f := range []wire.ArchiveFormat{wire.ArchiveZip, wire.ArchiveTarGz} {
		s := &shelf{things: []thing{{path: "/srv", kind: wire.NodeDir}}}
		for i := range many {
			s.things = append(s.things, thing{path: fmt.Sprintf("/srv/%06d", i), data: "x"})
		}
		got, err := s.on(t, nil).Archive(t.Context(), asks(f, "/srv"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if entries, m := open(t, f, got.Path); len(entries) != many+1 || m.Files != many || !m.Complete {
			t.Errorf("%s: got %d entries, %d files", f, len(entries), m.Files)
		}
	}
}

// A sparse file of 2 GB takes no 2 GB of the disk on its way, and a zip that has
// it is small.
func TestSlowArchiveOfASparseFile(t *testing.T) {
	const size = 2 << 30
	r := realRepo(t)
	lay(t, r, "srv/image", "")
	if err := os.Truncate(filepath.Join(r.Dir, "srv/image"), size); err != nil {
		t.Fatal(err)
	}
	lay(t, r, "srv/small", "x")
	snap := backUp(t, r)
	state := t.TempDir()
	h := over(t, r, func(o *helper.Options) { o.State, o.Free = state, func(string) (int64, error) { return 1 << 40, nil } })
	a, err := h.Archive(t.Context(), of(asks(wire.ArchiveZip, "/srv"), snap), func(p wire.Progress) {
		var st unix.Stat_t
		if p.Step == "pack" && unix.Stat(filepath.Join(state, "staging/job_1/tree-0/srv/image"), &st) == nil && st.Blocks*512 > size/8 {
			t.Errorf("the file takes %d bytes of the disk", st.Blocks*512)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.Files != 2 || a.Bytes != size+1 || a.Size > size/100 {
		t.Errorf("got %+v", a)
	}
	z, err := zip.OpenReader(a.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if f := z.File[3]; f.Name != "srv/image" || f.UncompressedSize64 != size {
		t.Errorf("got %s of %d bytes", f.Name, f.UncompressedSize64)
	}
}

// To read what restic lists and write the listing costs at most 0.4 of what it
// costs restic to list it: processor time of both, so others do not count.
func TestSlowListingCost(t *testing.T) {
	const many = 100_000
	r := realRepo(t)
	for i := range many {
		dir := filepath.Join(r.Dir, fmt.Sprintf("srv/www/customer-%02d/wp-content/uploads/2026/%d", i%50, i%1000))
		if i < 1000 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("IMG_2026%06d.jpg", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	snap := backUp(t, r)
	h := over(t, r, nil)
	cost := func(f func()) time.Duration {
		used := func() (sum time.Duration) {
			for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
				var u unix.Rusage
				if err := unix.Getrusage(who, &u); err != nil {
					t.Fatal(err)
				}
				sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
			}
			return sum
		}
		before := used()
		f()
		return used() - before
	}
	ls, walk, whole, snapshots := time.Duration(1<<62), time.Duration(1<<62), time.Duration(1<<62), time.Duration(1<<62)
	// What others do on the machine makes all of it dearer, and never cheaper: the
	// least of some tries counts, of all four alike.
	for try := 1; try <= 12; try++ {
		ls = min(ls, cost(func() {
			cmd := exec.Command(r.Binary, "-r", r.URL, "--password-file", r.PasswordFile, "--no-cache", "--no-lock", "ls", "--json", snap)
			cmd.Env = []string{"HOME=/nonexistent"}
			cmd.Stdout = struct{ io.Writer }{io.Discard} // through a pipe, as everybody reads it
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
		}))
		walk = min(walk, cost(func() {
			if err := r.Walk(t.Context(), snap, func([]byte, wire.Node) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}))
		whole = min(whole, cost(func() {
			c, err := h.Catalogue(t.Context(), helper.Catalogue{Job: "job_1", Snapshot: snap}, nil)
			if err != nil || c.Entries < many {
				t.Fatalf("got %+v, %v", c, err)
			}
		}))
		snapshots = min(snapshots, cost(func() {
			if _, err := r.Snapshots(t.Context()); err != nil {
				t.Fatal(err)
			}
		}))
		if try >= 3 && whole-snapshots <= ls*14/10 {
			break
		}
	}
	t.Logf("restic ls %v, walk %v, listing %v with the list of snapshots (%v)", ls, walk, whole, snapshots)
	if limit := ls * 14 / 10; whole-snapshots > limit {
		t.Errorf("listing: got %v of processor time, want at most %v", whole-snapshots, limit)
	}
}
