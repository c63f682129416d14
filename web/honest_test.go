package web_test

import (
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/backups"
)

// No page of any reader gives an all-clear while something is not backed up,
// and what the headline counts is in the list beneath it.
func TestNoAllClearWithoutABackup(t *testing.T) {
	h := newSQLite(t)
	ada, ines, jonas := h.browser(h.admin.ID), h.browser(h.owner.ID), h.browser(h.reader.ID)
	pages := func(when, want string) {
		t.Helper()
		for path, p := range map[string]*person{"/today": ada, "/customers/" + h.maple.ID: ada, "/servers/" + h.server.ID: ada, "/home": ines, "/backups": ines} {
			body := p.page(path)
			if said := heading(body); strings.Contains(said, "Nothing needs") || strings.Contains(said, "complete") || strings.Contains(body, "Nothing is open") {
				t.Errorf("%s, %s says %q", when, path, said)
			}
			if list := between(body, `<ul class="need">`, "</ul>"); want != "" && path != "/backups" && !strings.Contains(list, want) {
				t.Errorf("%s, %s does not list %q:\n%s", when, path, want, list)
			}
		}
	}
	pages("no plan", "maple-1 has no backup plan")
	if body := jonas.page("/home"); strings.Contains(body, "/plan\"") || !strings.Contains(body, "maple-1 has no backup plan") {
		t.Errorf("a reader: %q", heading(body))
	}
	if body := ines.page("/home"); !strings.Contains(body, `href="/tenancies/`+h.tenancy.ID+`/plan"`) {
		t.Error("an owner is not led to the form of a plan")
	}
	h.newPlan(backups.CustodyEscrow)
	pages("preparing", "maple-1 has no backup yet")
	for path, p := range map[string]*person{"/home": ines, "/backups": ines, "/servers/" + h.server.ID: ada, "/customers/" + h.maple.ID: ada} {
		if body := p.page(path); !strings.Contains(body, "begins once the key is safe") {
			t.Errorf("%s promises a time before the key is safe", path)
		}
	}
	h.prepared()
	h.initialised()
	pages("no copy", "maple-1 has no backup yet")
	h.backup(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 1})
	if body := ada.page("/today"); strings.Contains(body, "maple-1 has no backup") || !strings.Contains(body, "shared-1 has no backup plan") {
		t.Errorf("with a copy: %q", heading(body))
	}
}
