//go:build slow

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/e2e/world"
)

// starts counts how often a host's journal says that a job started.
func starts(t *testing.T, h *world.Host, job string) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(read(t, filepath.Join(h.State, "journal.jsonl"))) {
		if strings.Contains(line, `"job":"`+job+`"`) && strings.Contains(line, `"state":"started"`) {
			n++
		}
	}
	return n
}

func TestSlowAgentKilled(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	gate := world.NewGate(t, w.Store)
	h := newHouse(t, w, gate.URL)
	w.Step(t, "in mid-backup", func(t *testing.T) {
		h.host.Put(folder+"/large.bin", noise(4<<20))
		reached := gate.Shut("POST", "/data/")
		run := h.begin()
		within(t, "the backup sends data", reached)
		h.host.Agent.Kill()
		gate.Open()
		h.host.Start()
		got := h.maple.Over(h.plan.ID, 30*time.Second)
		if got.ID != run.ID || got.State != "interrupted" || got.Snapshot != "" {
			t.Errorf("run: got %+v, want %s interrupted without a snapshot", got, run.ID)
		}
		h.Told("run", got.Failure, "interrupted")
		if n := starts(t, h.host, run.Job); n > 1 {
			t.Errorf("starts: got %d, want 1", n)
		}
		for who, c := range map[string]world.Caller{"staff": h.Staff(), "customer": h.maple.Caller} {
			if f := c.Findings("backup.failed"); len(f) != 1 || f[0].Cause == "" || f[0].Next == "" {
				t.Errorf("findings of %s: got %+v, want one with cause and next step", who, f)
			}
		}
		out, _, _ := h.CLI("finding", "list")
		h.Says("finding list", out, "The backup of maple-1 failed")
		_, errs, code := h.maple.CLI("job", "wait", run.Job)
		if code != 1 {
			t.Errorf("job wait: exit %d, want 1", code)
		}
		h.Says("job wait", errs, "interrupted", "Next: ")
		h.host.WaitConnected()
		h.backUp() // a lock that the killed one left is no obstacle
		if f := h.Staff().Findings("backup.failed"); len(f) != 0 {
			t.Errorf("findings after a complete backup: %+v", f)
		}
	})
}

// The plane is killed between the commit of a job and the moment when its agent
// is told: the job starts once all the same, and has one result.
func TestSlowPlaneKilledAfterCommit(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world.World) {
		h := newHouse(t, w, "")
		signer := h.Signer.Cmd.Process
		for _, told := range []string{"before the wake-up", "about the wake-up"} {
			if told == "before the wake-up" { // without a signature nothing is offered
				if err := signer.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			run := h.begin()
			h.Plane.Kill()
			if err := signer.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if n := starts(t, h.host, run.Job); told == "before the wake-up" && n != 0 {
				t.Fatalf("%s: it had started already", told)
			}
			h.StartPlane()
			once(t, h, run, told)
		}
	})
}

// once waits for a run and checks that there was one start and one result of it.
func once(t *testing.T, h *house, run world.Run, when string) {
	t.Helper()
	got := h.maple.Over(h.plan.ID, backupLimit)
	if got.ID != run.ID || got.State != "complete" {
		t.Errorf("%s: run: got %+v, want %s complete", when, got, run.ID)
	}
	if n := starts(t, h.host, run.Job); n != 1 {
		t.Errorf("%s: starts: got %d, want 1", when, n)
	}
	var log struct{ Items []struct{ Kind string } }
	h.JSON(&log, "ledger", "list", "--about", run.ID, "--limit", "0")
	count := map[string]int{}
	for _, e := range log.Items {
		count[e.Kind]++
	}
	if count["backup.queued"] != 1 || count["backup.complete"] != 1 || len(count) != 2 {
		t.Errorf("%s: the log has %v, want one queued and one complete", when, count)
	}
	var snaps struct{ Items []struct{ Run string } }
	h.maple.JSON(&snaps, "snapshot", "list", "--plan", h.plan.ID)
	n := 0
	for _, s := range snaps.Items {
		if s.Run == run.ID {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%s: snapshots of the run: got %d, want 1", when, n)
	}
	if _, errs, code := h.CLI("ledger", "verify"); code != 0 {
		t.Errorf("%s: ledger verify: exit %d\n%s", when, code, errs)
	}
}

// The plane is killed while a host works: the host goes on, and its result
// arrives when the plane is back.
func TestSlowPlaneKilledMidBackup(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world.World) {
		gate := world.NewGate(t, w.Store)
		h := newHouse(t, w, gate.URL)
		h.host.Put(folder+"/large.bin", noise(1<<20))
		reached := gate.Shut("POST", "/data/")
		run := h.begin()
		within(t, "the backup sends data", reached)
		h.Plane.Kill()
		gate.Open()
		world.Eventually(t, "the host has a result", backupLimit, func() bool {
			_, err := os.Stat(filepath.Join(h.host.State, "spool", run.Job+".json"))
			return err == nil
		})
		h.StartPlane()
		once(t, h, run, "after the kill")
	})
}
