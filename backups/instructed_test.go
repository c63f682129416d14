package backups_test

import (
	"slices"
	"testing"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
)

// instructions are what the test says of who may tell us what.
type instructions struct {
	nobody bool
	paused []string
}

func (i *instructions) Authorised(_ *db.Tx, customer, act, by string) (string, error) {
	if i.nobody || act != "restore" || by != "" {
		return "", controlplane.Errorf(controlplane.CodeConflict, "Ask.", "Nobody may")
	}
	return "aut_of_" + customer, nil
}

func (i *instructions) Hold(_ *db.Tx, _ string, about ...string) error {
	if slices.ContainsFunc(about, func(a string) bool { return slices.Contains(i.paused, a) }) {
		return controlplane.Errorf(controlplane.CodeConflict, "Decide.", "This work is paused")
	}
	return nil
}

// Staff restore for a customer because somebody who may told them to, and not
// while that is paused.
func TestStaffAreToldToRestore(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		told := &instructions{nobody: true}
		j := jobs.New(h.db, h.keeper, nil, jobs.Options{})
		h.backups = backups.New(backups.Deps{DB: h.db, Keeper: h.keeper, Ledger: h.ledger, Jobs: j, Findings: h.findings, Customers: h.customers, Blobs: h.blobs, Instructions: told}, backups.Options{})
		_, err := h.backups.StartAssist(h.ctx, h.customer.ID, "they called us", "OPS-7")
		code(t, "nobody may tell us to", err, controlplane.CodeConflict)
		told.nobody, told.paused = false, []string{"OPS-7"}
		_, err = h.backups.StartAssist(h.ctx, h.customer.ID, "they called us", "OPS-7")
		code(t, "the ticket is paused", err, controlplane.CodeConflict)
		told.paused = nil
		a := must[backups.Assist](t)(h.backups.StartAssist(h.ctx, h.customer.ID, "they called us", "OPS-7"))
		entries, _, err := h.ledger.List(h.ctx, h.all, ledger.Filter{Subject: a.ID})
		if err != nil || len(entries) != 1 || entries[0].Data["authorisation"] != "aut_of_"+h.customer.ID {
			t.Errorf("entry: got %+v, %v, want the authorisation in it", entries, err)
		}
		scope, _, err := h.backups.AssistScope(h.ctx, "restore.run")
		if err != nil {
			t.Fatal(err)
		}
		for name, paused := range map[string]string{"the assist": a.ID, "its ticket": "OPS-7"} {
			told.paused = []string{paused}
			_, err := h.backups.StartDownload(h.ctx, scope, snap.ID, []byte("/srv/shop/a"))
			code(t, name+" is paused", err, controlplane.CodeConflict)
		}
		told.paused = nil
		if _, err := h.backups.StartDownload(h.ctx, scope, snap.ID, []byte("/srv/shop/a")); err != nil {
			t.Errorf("not paused any more: %v", err)
		}
		told.paused = []string{"OPS-7"}
		ctx, own := h.owner(h.customer.ID)
		if _, err := h.backups.StartDownload(ctx, own, snap.ID, []byte("/srv/shop/a")); err != nil {
			t.Errorf("the customer's own restore: %v", err)
		}
	})
}
