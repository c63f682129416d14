package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// A backup that could not read a file is partial: on the command line, in the
// API, as a finding, and in the copy. It is complete again when the file can be
// read. The agent runs without root's right to read everything.
func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	h.host.Agent.Stop()
	h.host.Bounded = true
	h.host.Start()
	h.host.WaitConnected()
	h.host.Put(folder+"/private/diary.txt", "dear diary\n")
	h.host.Put(folder+"/secret.txt", "nobody reads this\n")
	secret, private := filepath.Join(h.host.Root, folder, "secret.txt"), filepath.Join(h.host.Root, folder, "private")
	mode := func(file string, m os.FileMode) {
		t.Helper()
		if err := os.Chmod(file, m); err != nil {
			t.Fatal(err)
		}
	}
	mode(secret, 0)
	mode(private, 0)
	t.Cleanup(func() { mode(private, 0o755) })

	_, errs, code := h.maple.CLI("backup", "run", h.plan.ID, "--wait", "--wait-timeout", "60s")
	if code != 1 {
		t.Errorf("backup run: exit %d, want 1: a partial backup is not fine", code)
	}
	h.Says("backup run", errs, "The backup is partial: 2 files or folders could not be read", "Next: ")
	run := h.run(h.maple.Runs(h.plan.ID)[0].ID)
	unread := map[string]bool{}
	for _, u := range run.Unread {
		unread[u.Path] = u.Reason != ""
	}
	if run.State != "partial" || run.Snapshot == "" || run.UnreadCount != 2 || !unread[folder+"/secret.txt"] || !unread[folder+"/private"] {
		t.Errorf("run: got %+v, want partial, with a copy, without secret.txt and private", run)
	}
	for who, c := range map[string]world.Caller{"staff": h.Staff(), "customer": h.maple.Caller} {
		if f := c.Findings("backup.partial"); len(f) != 1 || f[0].Severity == "" || f[0].Next == "" {
			t.Errorf("findings of %s: got %+v, want one backup.partial", who, f)
		}
	}
	out, errs, _ := h.maple.CLI("backup", "show", run.ID)
	h.Says("backup show", out+errs, "secret.txt", "partial")
	out, errs, code = h.maple.CLI("snapshot", "ls", run.Snapshot, folder)
	if code != 0 {
		t.Errorf("ls: exit %d\n%s", code, errs)
	}
	h.Says("ls", out, "menu.txt")
	if _, errs, code := h.maple.CLI("restore", "download", run.Snapshot, folder+"/secret.txt", "-o", t.TempDir(), "--wait-timeout", "60s"); code == 0 {
		t.Errorf("download of a file that is not in the copy: exit 0\n%s", errs)
	}
	if out, errs, _ := h.Staff().CLI("backup", "show", run.ID); out == "" || strings.Contains(out+errs, "secret.txt") {
		t.Errorf("staff see a file name of the customer's:\n%s", out)
	}

	mode(secret, 0o644)
	mode(private, 0o755)
	h.mended()
}
