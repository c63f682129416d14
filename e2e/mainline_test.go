package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
)

// A customer gets yesterday's version of a file back from a real off-site
// backup, by download and by putting it back, and the log proves it all.
func TestMainLine(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world.World) {
		h := newHouse(t, w, "")
		const lost = folder + "/office/plan.txt"
		first := h.maple.Over(h.plan.ID, time.Second)
		if first.StartedBy != "first" {
			t.Errorf("started by: got %s, want first", first.StartedBy)
		}
		h.host.Put(lost, "a plan that was overwritten\n")
		h.host.Put(folder+"/new.txt", "new\n")
		second := h.backUp()
		if second.Snapshot == first.Snapshot {
			t.Error("the second backup made no snapshot of its own")
		}
		var snaps struct {
			Items []struct{ ID, Outcome string }
		}
		h.maple.JSON(&snaps, "snapshot", "list", "--plan", h.plan.ID)
		if len(snaps.Items) != 2 || snaps.Items[0].ID != second.Snapshot || snaps.Items[1].ID != first.Snapshot {
			t.Fatalf("snapshots: got %+v", snaps.Items)
		}
		out, _, code := h.maple.CLI("snapshot", "ls", first.Snapshot, folder)
		w.Says("snapshot ls", out, "menu.txt", "office/")
		if code != 0 || strings.Contains(out, "new.txt") {
			t.Errorf("the first snapshot: exit %d, lists %s", code, out)
		}
		downloadAndPutBack(t, h, first.Snapshot, lost, "the first plan\n")
		timeline(t, h, lost)
		tamper(t, h)
	})
}

func downloadAndPutBack(t *testing.T, h *house, snapshot, lost, want string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "got")
	_, errs, code := h.maple.CLI("restore", "download", snapshot, lost, "-o", file)
	if got := read(t, file); code != 0 || got != want {
		t.Errorf("download: exit %d, got %q, want %q", code, got, want)
	}
	h.Says("download", errs, sum(want))
	var back struct{ State, Target, SHA256 string }
	h.maple.JSON(&back, "restore", "put-back", snapshot, lost, "--wait", "--wait-timeout", "60s")
	if got := read(t, filepath.Join(h.host.Root, back.Target)); got != want || back.SHA256 != sum(want) {
		t.Errorf("put back: got %q at %s", got, back.Target)
	}
	if filepath.Dir(back.Target) != filepath.Dir(lost) || back.Target == lost {
		t.Errorf("put back: %s is not beside %s", back.Target, lost)
	}
	if got := read(t, filepath.Join(h.host.Root, lost)); got == want {
		t.Error("put back: the original was replaced")
	}
}

// timeline checks that what happened stands in the customer's log.
func timeline(t *testing.T, h *house, lost string) {
	t.Helper()
	var log struct {
		Items []struct {
			Kind     string
			Personal map[string]string
		}
	}
	h.maple.JSON(&log, "ledger", "list", "--limit", "0")
	count := map[string]int{}
	seen := false
	for _, e := range log.Items {
		count[e.Kind]++
		seen = seen || e.Kind == "restore.fetched" && e.Personal["path"] == lost
	}
	for kind, want := range map[string]int{"plan.created": 1, "key.escrowed": 1, "repository.ready": 1, "backup.queued": 2, "backup.complete": 2,
		"restore.requested": 2, "restore.ready": 1, "restore.fetched": 1, "restore.put_back": 1} {
		if got := count[kind]; got != want {
			t.Errorf("timeline: %s: got %d, want %d", kind, got, want)
		}
	}
	if !seen {
		t.Error("timeline: no entry says which file was fetched")
	}
}

// tamper verifies the log, changes one byte of a leaf in the stopped plane's
// database, and expects the entry to be named.
func tamper(t *testing.T, h *house) {
	t.Helper()
	out, errs, code := h.CLI("ledger", "verify")
	if code != 0 {
		t.Fatalf("ledger verify: exit %d\n%s%s", code, out, errs)
	}
	if _, errs, code := h.maple.CLI("ledger", "verify", "--customer", h.maple.Slug); code != 0 {
		t.Errorf("a customer's own verification: exit %d\n%s", code, errs)
	}
	var queued struct {
		Items []struct {
			ID   string
			Leaf int64
		}
	}
	h.JSON(&queued, "ledger", "list", "--kind", "backup.queued")
	entry := queued.Items[len(queued.Items)-1]
	h.Plane.Stop()
	h.ChangeLeaf(entry.ID)
	h.StartPlane()
	out, errs, code = h.CLI("ledger", "verify")
	if code != 1 {
		t.Errorf("ledger verify after one byte was changed: exit %d, want 1", code)
	}
	h.Says("ledger verify", out+errs, "entry "+entry.ID, "Next: ")
	if others := strings.Count(errs, "entry ent_"); others > 1 {
		t.Errorf("one entry was changed, and %d are named:\n%s", others, errs)
	}
}

// The customer holds the key: it is shown once, and nothing is written to the
// store before it is confirmed.
func TestCustomerCustody(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	maple := w.AddCustomers("maple")[0]
	w.AddStore("off-site", "")
	host := w.AddHost("maple-1")
	host.Put(folder+"/menu.txt", "soup\n")
	var id struct{ ID string }
	w.JSON(&id, "tenancy", "add", "--server", host.Name, "--customer", "maple", "--path", folder)
	w.JSON(&id, "plan", "add", "Everything", "--tenancy", id.ID, "--path", folder, "--custody", "customer")
	plan := id.ID
	var repository string
	state := func() string {
		var p struct{ Repository struct{ ID, State string } }
		maple.Get("/plans/"+plan, &p)
		repository = p.Repository.ID
		return p.Repository.State
	}
	world.Eventually(t, "the server has made the key", 20*time.Second, func() bool { return state() == "unconfirmed" })
	if f := maple.Findings("key.unconfirmed"); len(f) != 1 || f[0].Next == "" {
		t.Errorf("findings: got %+v, want one that asks for the confirmation", f)
	}
	_, errs, code := maple.CLI("backup", "run", plan)
	if code != 5 {
		t.Errorf("a backup before the confirmation: exit %d, want 5", code)
	}
	w.Says("backup run", errs, "not ready", "Next: The customer confirms the recovery key first.")
	if _, _, code := w.CLI("plan", "key", "show", plan, "--yes", "Everything"); code == 0 {
		t.Error("staff were shown a customer's recovery key")
	}
	key, errs, code := maple.CLI("plan", "key", "show", plan, "--yes", "Everything")
	if key = strings.TrimSpace(key); code != 0 || strings.Count(key, "-") < 3 {
		t.Fatalf("key show: exit %d, %q\n%s", code, key, errs)
	}
	if _, errs, code := maple.CLI("plan", "key", "show", plan, "--yes", "Everything"); code != 5 || !strings.Contains(errs, "shown already") {
		t.Errorf("shown a second time: exit %d, %s", code, errs)
	}
	if _, errs, code := maple.Type("WRONG\n", "plan", "key", "confirm", plan); code != 2 || !strings.Contains(errs, "not the last group") {
		t.Errorf("a wrong group: exit %d, %s", code, errs)
	}
	if entries, err := os.ReadDir(filepath.Join(w.Store.Dir, "data", repository)); err == nil {
		t.Errorf("the store has %d things before the key was confirmed", len(entries))
	}
	if _, errs, code := maple.Type(key[strings.LastIndexByte(key, '-')+1:]+"\n", "plan", "key", "confirm", plan, "--wait", "--wait-timeout", "60s"); code != 0 {
		t.Fatalf("confirm: exit %d\n%s", code, errs)
	}
	if run := maple.Over(plan, backupLimit); run.State != "complete" {
		t.Errorf("first backup: got %+v", run)
	}
	if f := maple.Findings("key.unconfirmed"); len(f) != 0 {
		t.Errorf("findings after the confirmation: %+v", f)
	}
	if found := strings.Contains(read(t, w.SQLite()), key); found {
		t.Error("the recovery key stands in the plane's database")
	}
}
