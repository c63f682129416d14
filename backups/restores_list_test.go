package backups_test

import (
	"fmt"
	"testing"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

func TestListRestoresInPages(t *testing.T) {
	each(t, func(t *testing.T, h *house, snap backups.Snapshot) {
		ctx, scope := h.owner(h.customer.ID)
		var want []string
		for i := range 3 { // at one instant: the id tells them apart
			r := must[backups.Restore](t)(h.backups.StartDownload(ctx, scope, snap.ID, fmt.Appendf(nil, "/srv/shop/%d", i)))
			want = append([]string{r.ID}, want...)
		}
		var got []string
		f := backups.RestoreFilter{Customer: h.customer.ID, Server: h.server.ID, Limit: 2}
		for pages := 0; pages == 0 || f.PageToken != ""; pages++ {
			items, next, err := h.backups.ListRestores(ctx, scope, f)
			if err != nil || pages > 1 {
				t.Fatalf("page %d: %v", pages, err)
			}
			for _, r := range items {
				got = append(got, r.ID)
			}
			f.PageToken = next
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for name, f := range map[string]backups.RestoreFilter{"another customer": {Customer: "cus_none"}, "another server": {Server: "srv_none"}} {
			if items, _, err := h.backups.ListRestores(ctx, scope, f); err != nil || len(items) != 0 {
				t.Errorf("%s: got %d, %v", name, len(items), err)
			}
		}
		if items, _, err := h.backups.ListRestores(ctx, policy.OneCustomer("cus_none"), backups.RestoreFilter{}); err != nil || len(items) != 0 {
			t.Errorf("another scope: got %d, %v", len(items), err)
		}
		if _, _, err := h.backups.ListRestores(ctx, scope, backups.RestoreFilter{PageToken: "x"}); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("a made-up token: got %v", err)
		}
	})
}
