package backups_test

import (
	"testing"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
)

// What lies above the customer's folders goes back to its place as far as it is
// theirs, and the restore says so.
func TestAFolderAboveOnesOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		paths := []string{"/srv/shop", "/srv/mail"}
		must[customers.Tenancy](t)(h.customers.UpdateTenancy(h.ctx, h.all, h.tenancy.ID, customers.TenancyChange{Paths: &paths}))
		for name, tt := range map[string]struct {
			pick, path, chosen string
			to                 backups.Destination
		}{
			"above":             {"/srv", "/srv/shop", "/srv", backups.Destination{}},
			"everything":        {"/", "/srv/shop", "", backups.Destination{}},
			"beneath":           {"/srv/shop/a", "/srv/shop/a", "", backups.Destination{}},
			"into a folder":     {"/srv", "/srv", "", backups.Destination{Placement: wire.PlaceFolder, Folder: []byte("/srv/mail/old")}},
			"everything, aside": {"//", "/srv/shop", "", backups.Destination{Placement: wire.PlaceFolder, Folder: []byte("/srv/mail/old")}},
		} {
			r := must[[]backups.Restore](t)(h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, tt.pick), Target: tt.to}))[0]
			items := must[[]backups.Pick](t)(h.backups.RestoreItems(ctx, scope, r.ID))
			if len(items) != 1 || string(items[0].Path) != tt.path || string(items[0].Chosen) != tt.chosen {
				t.Errorf("%s: got %+v", name, items)
			}
			var p wire.PreviewParams
			h.take(wire.ActionPreview, &p)
			if got := p.Selections[0].Paths; len(got) != 1 || string(got[0]) != tt.path {
				t.Errorf("%s: the server is asked for %q", name, got)
			}
			must[backups.Restore](t)(h.backups.CancelRestore(ctx, scope, r.ID))
		}
		_, err := h.backups.StartInPlace(ctx, scope, backups.Order{Picks: picks(snap, "/srv", "/var")})
		code(t, "nothing of it is theirs", err, controlplane.CodeInvalid)
		b := must[backups.Basket](t)(h.backups.BasketAdd(ctx, scope, "", picks(snap, "/")))
		if len(b.Items) != 1 || string(b.Items[0].Path) != "/srv/shop" {
			t.Errorf("a basket of everything: got %+v", b.Items)
		}
	})
}
