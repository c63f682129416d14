package e2e_test

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/e2e/world"
)

// kindOf is the finding that a cause of failure opens, where it has one of its own.
var kindOf = map[string]string{"store_unreachable": "store.unreachable", "store_full": "store.full", "store_refused": "store.refused",
	"wrong_password": "repository.wrong_password"}

// failed runs the plan, which must fail for a cause that API, command line and
// finding tell in words, within a limit.
func (h *house) failed(cause string, limit time.Duration) {
	h.T.Helper()
	began := time.Now()
	_, errs, code := h.maple.CLI("backup", "run", h.plan.ID, "--wait", "--wait-timeout", "100s")
	if took := time.Since(began); took > limit {
		h.T.Errorf("it took %s, want less than %s", took.Round(time.Second), limit)
	}
	if code != 1 {
		h.T.Errorf("backup run: exit %d, want 1", code)
	}
	run := h.maple.Runs(h.plan.ID)[0]
	if run.State != "failed" || run.Snapshot != "" {
		h.T.Errorf("run: got %s with snapshot %q, want failed without one", run.State, run.Snapshot)
	}
	h.Told("run", run.Failure, cause)
	if run.Failure != nil {
		h.Says("backup run", errs, run.Failure.Message, "Next: "+run.Failure.Next)
	}
	var job struct{ Failure *world.Failure }
	if !h.Staff().Get("/jobs/"+run.Job, &job) || job.Failure == nil || job.Failure.Cause != cause || job.Failure.Detail == "" {
		h.T.Errorf("job: got %+v, want %s with a detail for staff", job.Failure, cause)
	}
	kind := cmp.Or(kindOf[cause], "backup.failed")
	for who, c := range map[string]world.Caller{"staff": h.Staff(), "customer": h.maple.Caller} {
		if f := c.Findings(kind); len(f) != 1 || f[0].Cause == "" || f[0].Next == "" || f[0].Severity != "bad" {
			h.T.Errorf("findings of %s: got %+v, want one %s that is bad", who, f, kind)
		}
	}
}

// mended expects the next backup to be complete, and nothing to be open.
func (h *house) mended() {
	h.T.Helper()
	h.backUp()
	if f := h.Staff().Findings(""); len(f) != 0 {
		h.T.Errorf("findings after a complete backup: %+v", f)
	}
}

func TestStoreFaults(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "", "store_idle: 4s", "store_stall: 5s")
	w.Step(t, "down", func(t *testing.T) {
		w.Store.Proc.Stop()
		h.failed("store_unreachable", 20*time.Second)
		snapshot := h.maple.Runs(h.plan.ID)[1].Snapshot
		_, errs, code := h.maple.CLI("restore", "download", snapshot, folder+"/menu.txt", "-o", t.TempDir(), "--wait-timeout", "6s")
		if code != 8 {
			t.Errorf("download: exit %d, want 8", code)
		}
		w.Says("download", errs, "has not ended within --wait-timeout", "Next: ")
		var restores struct{ Items []struct{ Job string } }
		h.maple.JSON(&restores, "restore", "list")
		out, _, _ := h.maple.CLI("job", "why", restores.Items[0].Job)
		w.Says("job why", out, "Attempt 1 of 3 failed", "it is tried again")
		h.maple.JSON(nil, "job", "cancel", restores.Items[0].Job, "--wait", "--wait-timeout", "10s")
		w.Store.Start()
		h.mended()
	})
	w.Step(t, "hanging", func(t *testing.T) { // it takes connections and says nothing
		store := w.Store.Proc.Cmd.Process
		if err := store.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		h.failed("store_unreachable", 40*time.Second)
		if err := store.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		h.mended()
	})
	w.Step(t, "full", func(t *testing.T) {
		w.Store.Proc.Stop()
		w.Store.Start("--max-size", "65536") // it answers 507
		h.host.Put(folder+"/large.bin", noise(2<<20))
		h.failed("store_full", 30*time.Second)
		w.Store.Proc.Stop()
		w.Store.Start()
		h.mended()
	})
	w.Step(t, "refusing", func(t *testing.T) {
		users := w.Store.Users("")
		h.failed("store_refused", 20*time.Second)
		w.Store.Users(users)
		h.mended()
	})
	w.Step(t, "another repository password", func(t *testing.T) {
		file := filepath.Join(h.host.State, "helper", "keys", h.plan.Repository+".key")
		right := read(t, file)
		put := func(text string) {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put(strings.Map(func(r rune) rune { // each group is another
			if r >= 'A' && r < 'Z' {
				return r + 1
			}
			return r
		}, right))
		h.failed("wrong_password", 20*time.Second)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		h.failed("no_key", 20*time.Second)
		put(right)
		h.mended()
	})
}

func TestMissingSourcePath(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	dir := filepath.Join(h.host.Root, folder)
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	w.Step(t, "all", func(t *testing.T) {
		move(dir, dir+".away")
		h.failed("source_missing", 20*time.Second)
		move(dir+".away", dir)
		h.mended()
	})
	w.Step(t, "some", func(t *testing.T) {
		gone := folder + "/never-was"
		h.JSON(nil, "plan", "edit", h.plan.ID, "--path", folder+"/office", "--path", gone)
		_, errs, code := h.maple.CLI("backup", "run", h.plan.ID, "--wait", "--wait-timeout", "60s")
		if code != 1 {
			t.Errorf("a partial backup: exit %d, want 1", code)
		}
		w.Says("backup run", errs, "partial: 1 ", "Next: ", gone+" (does not exist)")
		run := h.run(h.maple.Runs(h.plan.ID)[0].ID)
		if run.State != "partial" || run.Snapshot == "" || run.UnreadCount != 1 || len(run.Unread) != 1 || run.Unread[0].Path != gone {
			t.Errorf("run: got %+v, want partial without %s", run, gone)
		}
		if f := h.maple.Findings("backup.folder_missing"); len(f) != 1 || f[0].Cause == "" || f[0].Next == "" {
			t.Errorf("findings: got %+v, want one", f)
		}
		var seen world.Run // staff are told how many, and not which
		if h.Staff().Get("/runs/"+run.ID, &seen); seen.UnreadCount != 1 || len(seen.Unread) != 0 {
			t.Errorf("staff see %+v, want the count without names", seen.Unread)
		}
		out, _, code := h.maple.CLI("snapshot", "ls", run.Snapshot, folder+"/office")
		if code != 0 || !strings.Contains(out, "plan.txt") {
			t.Errorf("what was there: exit %d, %s", code, out)
		}
		h.JSON(nil, "plan", "edit", h.plan.ID, "--path", folder)
		h.mended()
	})
}
