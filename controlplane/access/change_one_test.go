package access_test

import (
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// A change by itself says which notice tells of it, and whether somebody read it.
func TestGetChange(t *testing.T) {
	tellEach(t, func(w *teller) {
		w.list(w.maple, operator(w.bob))
		changes, _, err := w.access.Changes(w.ctx, w.all, access.ChangeFilter{Customer: w.maple.ID})
		if err != nil || len(changes) == 0 {
			w.t.Fatalf("changes: %d %v", len(changes), err)
		}
		id := changes[0].ID
		got := must[access.ToldChange](w.t)(w.access.GetChange(w.ctx, w.all, id))
		if got.Change != changes[0] || got.Notice == "" || got.NoticeState != access.NoticeGathering || !got.ReadAt.IsZero() {
			w.t.Errorf("before it is told: got %+v", got)
		}
		w.after(2 * time.Minute)
		w.becomes(changed, w.anna.Email, mail.Accepted, "")
		reader := controlplane.WithActor(w.ctx, controlplane.Actor{Kind: controlplane.ActorContact, ID: w.anna.ID, Customer: w.maple.ID, Role: string(policy.RoleOwner)})
		must[access.Notice](w.t)(w.access.GetNotice(reader, policy.OneCustomer(w.maple.ID), got.Notice))
		got = must[access.ToldChange](w.t)(w.access.GetChange(w.ctx, policy.OneCustomer(w.maple.ID), id))
		if got.NotifiedAt.IsZero() || got.ReadAt.IsZero() || got.NoticeState != access.NoticeAccepted {
			w.t.Errorf("told and read: got %+v", got)
		}
		if _, err := w.access.GetChange(w.ctx, policy.OneCustomer("cus_other"), id); code(err) != controlplane.CodeNotFound {
			w.t.Errorf("another customer's: got %v, want not found", err)
		}
	})
}
