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
		if got := must[[]access.Reach](w.T)(w.access.ReachOf(w.Ctx, w.all, w.bob.ID)); len(got) != 0 {
			w.T.Errorf("on no list: got %+v", got)
		}
		w.list(w.Maple, operator(w.bob))
		got := must[[]access.Reach](w.T)(w.access.ReachOf(w.Ctx, w.all, w.bob.ID))
		if len(got) != 1 || got[0].Customer != w.Maple.ID || got[0].Way != access.WayTeleport || got[0].Role != "operator" || !got[0].Listed || got[0].Enforced || got[0].Could {
			w.T.Errorf("on maple's list: got %+v", got)
		}
		if _, err := w.access.ReachOf(w.Ctx, policy.OneCustomer(w.Maple.ID), w.bob.ID); code(err) != controlplane.CodeForbidden {
			w.T.Errorf("one customer's scope: got %v, want forbidden", err)
		}
		if _, err := w.access.ReachOf(w.Ctx, w.all, controlplane.NewID(controlplane.PrefixPerson)); code(err) != controlplane.CodeNotFound {
			w.T.Errorf("nobody: got %v, want not found", err)
		}
	})
}
