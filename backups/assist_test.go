package backups_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

func TestAssist(t *testing.T) {
	each(t, func(t *testing.T, h *house, _ backups.Snapshot) {
		_, _, err := h.backups.AssistScope(h.ctx, policy.FileRead)
		code(t, "before", err, controlplane.CodeForbidden)
		if e, ok := err.(*controlplane.Error); !ok || !strings.HasPrefix(e.Next, "Say why first") {
			t.Errorf("next step: %+v", err)
		}
		a := must[backups.Assist](t)(h.backups.StartAssist(h.ctx, h.customer.ID, " Ines called:\r\nthe shop is down ", "OPS-7"))
		if a.Reason != "Ines called:\nthe shop is down" || !a.EndsAt.Equal(h.clock.Now().Add(4*time.Hour)) || !a.Open(h.clock.Now()) {
			t.Errorf("got %+v", a)
		}
		scope, got, err := h.backups.AssistScope(h.ctx, policy.RestoreRun)
		if err != nil || got.ID != a.ID || scope.All() || !scope.Allows(h.customer.ID) || scope.Allows(h.other.ID) {
			t.Errorf("scope: got %+v, %v", scope, err)
		}
		if wide, _, err := h.backups.AssistScope(h.ctx, policy.PlanRead); err != nil || !wide.All() {
			t.Errorf("another permission: got %+v, %v, want what the role gives", wide, err)
		}
		colleague, _ := h.as(controlplane.ActorStaff, "stf_00000000000000000000000002", policy.RoleAdmin, "")
		_, _, err = h.backups.AssistScope(colleague, policy.FileRead)
		code(t, "a colleague", err, controlplane.CodeForbidden)
		code(t, "a colleague ends it", h.backups.EndAssist(colleague, a.ID), controlplane.CodeNotFound)
		support, _ := h.as(controlplane.ActorStaff, "stf_00000000000000000000000003", policy.RoleSupport, "")
		_, err = h.backups.StartAssist(support, h.customer.ID, "they called", "y")
		code(t, "support", err, controlplane.CodeForbidden)
		ctx, cscope := h.owner(h.customer.ID)
		_, err = h.backups.StartAssist(ctx, h.customer.ID, "they called", "y")
		code(t, "a contact", err, controlplane.CodeForbidden)
		_, err = h.backups.StartAssist(controlplane.System(t.Context(), "test"), h.customer.ID, "they called", "y")
		code(t, "nobody", err, controlplane.CodeForbidden)
		if s, none, err := h.backups.AssistScope(ctx, policy.FileRead); err != nil || none.ID != "" || !s.Allows(h.customer.ID) || s.All() {
			t.Errorf("a contact's own scope: %+v, %v", s, err)
		}
		for name, in := range map[string][2]string{"no reason": {" ", "OPS-7"}, "no sentence": {"restore", "OPS-7"}, "no ticket": {"they called", ""}, "lines in a ticket": {"they called", "a\nb"}, "turned around": {"they called\u202e", "y"}, "long": {strings.Repeat("x", 1001), "y"}} {
			_, err := h.backups.StartAssist(h.ctx, h.customer.ID, in[0], in[1])
			code(t, name, err, controlplane.CodeInvalid)
		}
		_, err = h.backups.StartAssist(h.ctx, "cus_none", "they called", "y")
		code(t, "no customer", err, controlplane.CodeNotFound)

		b := must[backups.Assist](t)(h.backups.StartAssist(h.ctx, h.other.ID, "the next call", "OPS-8")) // ends the other
		if cur := must[backups.Assist](t)(h.backups.CurrentAssist(h.ctx)); cur.ID != b.ID {
			t.Errorf("current: got %+v", cur)
		}
		if got := h.kinds(a.ID); !slices.Equal(got, []string{"restore.assist_started", "restore.assist_ended"}) {
			t.Errorf("ledger: got %v", got)
		}
		seen, _, err := h.ledger.List(ctx, cscope, ledger.Filter{Subject: a.ID})
		if err != nil || len(seen) != 2 || seen[1].Personal["reason"] != a.Reason || seen[1].Data["ticket"] != "OPS-7" || seen[1].Actor.ID != a.Staff {
			t.Errorf("the customer sees %+v, %v", seen, err)
		}
		if as := must[[]backups.Assist](t)(h.backups.Assists(ctx, cscope, backups.AssistFilter{})); len(as) != 1 || as[0].Reason != a.Reason {
			t.Errorf("the customer's list: got %+v", as)
		}
		if as := must[[]backups.Assist](t)(h.backups.Assists(h.ctx, h.all, backups.AssistFilter{Open: true})); len(as) != 1 || as[0].ID != b.ID {
			t.Errorf("open: got %+v", as)
		}
		if err := h.backups.EndAssist(h.ctx, b.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.backups.EndAssist(h.ctx, b.ID); err != nil {
			t.Errorf("ended twice: %v", err)
		}
		_, _, err = h.backups.AssistScope(h.ctx, policy.FileRead)
		code(t, "after", err, controlplane.CodeForbidden)
		if h.db.Dialect() == db.Postgres {
			if as := must[[]backups.Assist](t)(h.backups.Assists(ctx, h.all, backups.AssistFilter{})); len(as) != 1 {
				t.Errorf("row-level security: got %d assists, want one's own", len(as))
			}
		}
	})
}
