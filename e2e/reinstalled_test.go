package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// A server that was set up anew has lost its keys. It says so, and says what to
// do; the customer returns the key that they kept, and everything goes on with
// the repository that was there.
func TestReinstalledServer(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := &house{World: w, maple: w.AddCustomers("maple")[0]}
	h.AddStore("off-site", "")
	h.host = w.AddHost("maple-1")
	h.host.Put(folder+"/menu.txt", "soup\n")
	var ten, plan struct{ ID string }
	w.JSON(&ten, "tenancy", "add", "--server", "maple-1", "--customer", "maple", "--path", folder)
	w.JSON(&plan, "plan", "add", "Everything", "--tenancy", ten.ID, "--jitter", "0", "--cron", "15 2 * * *", "--path", folder)
	h.plan.ID = plan.ID
	h.maple.JSON(nil, "plan", "custody", plan.ID, "customer", "--wait", "--wait-timeout", "60s")
	out, _, _ := h.maple.CLI("plan", "key", "show", plan.ID, "--yes", "Everything")
	key := strings.TrimSpace(out)
	if _, errs, code := h.maple.Type(key[strings.LastIndex(key, "-")+1:]+"\n", "plan", "key", "confirm", plan.ID, "--wait", "--wait-timeout", "60s"); code != 0 {
		t.Fatalf("confirm: exit %d\n%s", code, errs)
	}
	if run := h.maple.Over(plan.ID, backupLimit); run.State != "complete" {
		t.Fatalf("first backup: got %s %+v", run.State, run.Failure)
	}
	before := h.maple.Runs(plan.ID)[0].Snapshot

	h.host.Agent.Stop()
	if err := os.RemoveAll(h.host.State); err != nil {
		t.Fatal(err)
	}
	if out, code := h.host.EnrolWith(h.host.EnrolToken()); code != 0 {
		t.Fatalf("enrol again: exit %d\n%s", code, out)
	}
	h.host.Start()
	h.host.WaitConnected()
	h.failed("no_key", backupLimit)
	_, errs, code := h.maple.CLI("restore", "download", before, folder+"/menu.txt", "-o", t.TempDir(), "--wait-timeout", "60s")
	if code == 0 {
		t.Error("a file came without the key")
	}
	h.Says("download", errs, "password is not on this server", "plan key return")

	if _, errs, code := h.maple.Type("ABCDE\n", "plan", "key", "return", plan.ID); code == 0 {
		t.Errorf("half a key was taken\n%s", errs)
	}
	if _, errs, code := h.maple.Type(key+"\n", "plan", "key", "return", plan.ID, "--wait", "--wait-timeout", "90s"); code != 0 {
		t.Fatalf("return: exit %d\n%s", code, errs)
	}
	if run := h.maple.Over(plan.ID, backupLimit); run.State != "complete" || run.Snapshot == "" {
		t.Fatalf("backup after the key is back: got %s %+v", run.State, run.Failure)
	}
	file := t.TempDir() + "/menu.txt"
	if _, errs, code := h.maple.CLI("restore", "download", before, folder+"/menu.txt", "-o", file, "--wait-timeout", "60s"); code != 0 || read(t, file) != "soup\n" {
		t.Errorf("the copy of before: exit %d\n%s", code, errs)
	}
	h.mended()
	for _, p := range []*world.Proc{h.host.Agent, w.Plane, w.Store.Proc} {
		if strings.Contains(p.Log(), key) {
			t.Errorf("the key is in the log of %s", p.Name)
		}
	}
	err := filepath.WalkDir(filepath.Join(w.Dir, "plane"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if strings.Contains(read(t, file), key) {
			t.Errorf("the key is in %s", file)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
