package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// Scripts rely on the exit codes; people on the words beside them.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	gate := world.NewGate(t, w.Store)
	h := newHouse(t, w, gate.URL)
	bad := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(bad, []byte("ost_staff_0000000000000000000000000000000000000000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.host.Put(folder+"/large.bin", noise(1<<20))
	reached := gate.Shut("POST", "/data/")
	run := h.begin() // stays in the middle
	within(t, "the backup sends data", reached)
	nobody, stranger := world.Caller{W: w}, world.Caller{W: w, Token: bad}
	none := strings.Repeat("0", 26)
	for _, tt := range []struct {
		name string
		who  world.Caller
		args []string
		want int
		says []string
	}{
		{"all is well", h.Staff(), []string{"server", "list"}, 0, nil},
		{"status is asked", h.Staff(), []string{"server", "status", "maple-1", "--check"}, 0, nil},
		{"no such verb", h.Staff(), []string{"server", "explode"}, 2, []string{"explode"}},
		{"no such flag", h.Staff(), []string{"server", "list", "--explode"}, 2, []string{"--explode"}},
		{"an argument is missing", h.Staff(), []string{"server", "show"}, 2, []string{"Usage: "}},
		{"a flag is missing", h.Staff(), []string{"store", "add", "second"}, 2, []string{"required flag"}},
		{"a value is wrong", h.Staff(), []string{"plan", "edit", h.plan.ID, "--path", "/elsewhere", "--cron", "often"}, 2, []string{"/paths/0: ", "/cron: ", "Next: "}},
		{"no such thing", h.Staff(), []string{"snapshot", "show", "snap_" + none}, 3, []string{"no such snapshot", "Next: "}},
		{"no such name", h.Staff(), []string{"server", "show", "nowhere-1"}, 3, []string{"Next: "}},
		{"no such file in it", h.maple.Caller, []string{"snapshot", "ls", h.maple.Runs(h.plan.ID)[1].Snapshot, "/nowhere"}, 3, []string{"no such folder", "Next: "}},
		{"nobody", nobody, []string{"server", "list"}, 4, []string{"Next: "}},
		{"a token that is not known", stranger, []string{"server", "list"}, 4, []string{"Next: "}},
		{"going on already", h.maple.Caller, []string{"backup", "run", h.plan.ID}, 5, []string{"going on already", "Next: Wait for it"}},
		{"a file is there already", h.maple.Caller, []string{"restore", "download", h.maple.Runs(h.plan.ID)[1].Snapshot, folder + "/menu.txt", "-o", bad}, 5, []string{"is there already", "--force"}},
		{"not in time", h.maple.Caller, []string{"job", "wait", run.Job, "--wait-timeout", "300ms"}, 8, []string{"has not ended within --wait-timeout; it goes on", "Next: "}},
		{"not allowed", h.Staff(), []string{"restore", "list"}, 1, []string{"A customer's files are theirs", "Next: ", "ostler assist start"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, code := tt.who.CLI(tt.args...)
			if code != tt.want {
				t.Errorf("ostler %s: exit %d, want %d\n%s%s", strings.Join(tt.args, " "), code, tt.want, out, errs)
			}
			for _, s := range tt.says {
				if !strings.Contains(errs, s) {
					t.Errorf("%q is not in:\n%s", s, errs)
				}
			}
			if code != 0 && out != "" {
				t.Errorf("an error wrote to standard output: %s", out)
			}
		})
	}
	h.maple.JSON(nil, "job", "cancel", run.Job, "--wait", "--wait-timeout", "60s")
	if got := h.run(run.ID); got.State != "cancelled" {
		t.Errorf("after cancel: got %s", got.State)
	}
	if _, errs, code := h.maple.CLI("job", "wait", run.Job); code != 1 || !strings.Contains(errs, "A person cancelled it.") {
		t.Errorf("a cancelled job: exit %d, want 1\n%s", code, errs)
	}
	gate.Open()
	h.backUp()
	w.Plane.Stop()
	_, errs, code := w.CLI("server", "list")
	if code != 1 {
		t.Errorf("no plane: exit %d, want 1", code)
	}
	w.Says("no plane", errs, "Nothing listens on", "Next: Start it with ostler serve")
}
