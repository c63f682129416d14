//go:build slow

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
)

// fakeRestic stands before the real restic and says so in its name. Where the
// file “shout” lies beside it, a backup and a listing (which is a “cat”) write
// one line of 200 MB and nothing else; all other commands are the real restic's.
const fakeRestic = `#!/bin/sh
# A FAKE restic for a test: see TestLongLineFromRestic.
if [ -e "%[1]s/shout" ]; then
  case "$1" in
  backup | cat)
    head -c 200000000 /dev/zero | tr '\0' 'x'
    head -c 200000000 /dev/zero | tr '\0' 'x' >&2
    exit 0 ;;
  esac
fi
exec "%[2]s" "$@"
`

// maxAgentRSS is how much memory the agent may ever take in a test, in KiB.
const maxAgentRSS = 128 << 10

// A line of 200 MB from restic is no memory of the agent, and no success.
func TestSlowLongLineFromRestic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fake := filepath.Join(dir, "fake-restic")
	if err := os.WriteFile(fake, fmt.Appendf(nil, fakeRestic, dir, world.Tool(t, "restic")), 0o755); err != nil {
		t.Fatal(err)
	}
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "", fmt.Sprintf("restic: %q", fake))
	snapshot := h.maple.Runs(h.plan.ID)[0].Snapshot
	if err := os.WriteFile(filepath.Join(dir, "shout"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.failed("internal", 60*time.Second)
	run := h.maple.Runs(h.plan.ID)[0]
	var job struct{ Failure world.Failure }
	h.Staff().Get("/jobs/"+run.Job, &job)
	h.Says("job", job.Failure.Detail, "named no snapshot")
	h.maple.JSON(nil, "plan", "catalogue", h.plan.ID, "--off") // else the list of names answers
	if _, errs, code := h.maple.CLI("snapshot", "ls", snapshot, "/", "--wait-timeout", "60s"); code != 1 || !strings.Contains(errs, "Next: ") {
		t.Errorf("ls: exit %d, want 1\n%s", code, errs)
	}
	got := peak(t, h.host.Agent)
	t.Logf("the agent took %d KiB at its peak", got)
	if got > maxAgentRSS {
		t.Errorf("the agent took %d KiB at its peak, want at most %d", got, maxAgentRSS)
	}
	if err := os.Remove(filepath.Join(dir, "shout")); err != nil {
		t.Fatal(err)
	}
	h.mended()
}

// peak is a process's largest resident set, in KiB.
func peak(t *testing.T, p *world.Proc) (kib int) {
	t.Helper()
	for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))) {
		if n, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 && err == nil {
			return kib
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
