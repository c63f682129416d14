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
		w.list(w.Maple, operator(w.bob))
		changes, _, err := w.access.Changes(w.Ctx, w.all, access.ChangeFilter{Customer: w.Maple.ID})
		if err != nil || len(changes) == 0 {
			w.T.Fatalf("changes: %d %v", len(changes), err)
		}
		id := changes[0].ID
		got := must[access.ToldChange](w.T)(w.access.GetChange(w.Ctx, w.all, id))
		if got.Change != changes[0] || got.Notice == "" || got.NoticeState != access.NoticeGathering || !got.ReadAt.IsZero() {
			w.T.Errorf("before it is told: got %+v", got)
		}
		w.after(2 * time.Minute)
		w.becomes(changed, w.anna.Email, mail.Accepted, "")
		reader := controlplane.WithActor(w.Ctx, controlplane.Actor{Kind: controlplane.ActorContact, ID: w.anna.ID, Customer: w.Maple.ID, Role: string(policy.RoleOwner)})
		must[access.Notice](w.T)(w.access.GetNotice(reader, policy.OneCustomer(w.Maple.ID), got.Notice))
		got = must[access.ToldChange](w.T)(w.access.GetChange(w.Ctx, policy.OneCustomer(w.Maple.ID), id))
		if got.NotifiedAt.IsZero() || got.ReadAt.IsZero() || got.NoticeState != access.NoticeAccepted {
			w.T.Errorf("told and read: got %+v", got)
		}
		if _, err := w.access.GetChange(w.Ctx, policy.OneCustomer("cus_other"), id); code(err) != controlplane.CodeNotFound {
			w.T.Errorf("another customer's: got %v, want not found", err)
		}
	})
}
