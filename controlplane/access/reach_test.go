package access_test

import (
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// Where a person stands is read from the lists, not from what was granted to them.
func TestReachOf(t *testing.T) {
	tellEach(t, func(w *teller) {
		if got := must[[]access.Reach](w.t)(w.access.ReachOf(w.ctx, w.all, w.bob.ID)); len(got) != 0 {
			w.t.Errorf("on no list: got %+v", got)
		}
		w.list(w.maple, operator(w.bob))
		got := must[[]access.Reach](w.t)(w.access.ReachOf(w.ctx, w.all, w.bob.ID))
		if len(got) != 1 || got[0].Customer != w.maple.ID || got[0].Way != access.WayTeleport || got[0].Role != "operator" || !got[0].Listed || got[0].Enforced || got[0].Could {
			w.t.Errorf("on maple's list: got %+v", got)
		}
		if _, err := w.access.ReachOf(w.ctx, policy.OneCustomer(w.maple.ID), w.bob.ID); code(err) != controlplane.CodeForbidden {
			w.t.Errorf("one customer's scope: got %v, want forbidden", err)
		}
		if _, err := w.access.ReachOf(w.ctx, w.all, controlplane.NewID(controlplane.PrefixPerson)); code(err) != controlplane.CodeNotFound {
			w.t.Errorf("nobody: got %v, want not found", err)
		}
	})
}
