package backups_test

import (
	"slices"
	"strings"
	"testing"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

func TestAsk(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		b := &box{}
		h := newHouseWith(t, d, clock, b)
		c := must[customers.Contact](t)(h.customers.AddContact(h.ctx, h.all, customers.NewContact{Customer: h.customer.ID, Name: "Ines Moreau", Email: "ines@maple.invalid", Role: policy.RoleOwner}))
		ctx, scope := h.as(controlplane.ActorContact, c.ID, policy.RoleOwner, h.customer.ID)
		octx, oscope := h.owner(h.other.ID)
		reader, rscope := h.as(controlplane.ActorContact, "con_00000000000000000000000003", policy.RoleReader, h.customer.ID)
		ask := func(what string) error { _, err := h.backups.AskUs(ctx, scope, backups.NewAsk{What: what}); return err }
		code(t, "nothing", ask(" \n"), controlplane.CodeInvalid)
		code(t, "too much", ask(strings.Repeat("ä", 4001)), controlplane.CodeInvalid)
		_, err := h.backups.AskUs(reader, rscope, backups.NewAsk{What: "x"})
		code(t, "a reader", err, controlplane.CodeForbidden)
		_, err = h.backups.AskUs(h.ctx, h.all, backups.NewAsk{Customer: h.customer.ID, What: "x"})
		code(t, "staff", err, controlplane.CodeForbidden)
		_, err = h.backups.AskUs(ctx, scope, backups.NewAsk{Customer: h.other.ID, What: "x"})
		code(t, "for another customer", err, controlplane.CodeNotFound)

		what := "The folder /srv/shop/orders, as it was on Tuesday.\nOn maple-1, please."
		a := must[backups.Ask](t)(h.backups.AskUs(ctx, scope, backups.NewAsk{What: what, MailMe: true}))
		if a.State != backups.AskOpen || a.What != what || a.By != c.ID {
			t.Errorf("got %+v", a)
		}
		f := h.openKinds()[findings.RestoreAsked]
		if f.Link != "/asks/"+a.ID || f.Owner != findings.Ops || f.Customer != h.customer.ID || f.Args["customer"] != "Maple Bakery" {
			t.Errorf("finding: got %+v", f)
		}
		_, err = h.backups.Ask(octx, oscope, a.ID)
		code(t, "another customer reads", err, controlplane.CodeNotFound)
		_, err = h.backups.TakeAsk(ctx, scope, a.ID)
		code(t, "a contact takes", err, controlplane.CodeForbidden)
		taken := must[backups.Ask](t)(h.backups.TakeAsk(h.ctx, h.all, a.ID))
		if taken.State != backups.AskTaken || taken.TakenBy == "" {
			t.Errorf("taken: got %+v", taken)
		}
		_, err = h.backups.AnswerAsk(h.ctx, h.all, a.ID, "")
		code(t, "an empty answer", err, controlplane.CodeInvalid)
		must[backups.Ask](t)(h.backups.AnswerAsk(h.ctx, h.all, a.ID, "It is back."))
		_, err = h.backups.AnswerAsk(h.ctx, h.all, a.ID, "Again.")
		code(t, "answered twice", err, controlplane.CodeConflict)
		if got := must[backups.Ask](t)(h.backups.Ask(ctx, scope, a.ID)); got.State != backups.AskDone || got.Answer != "It is back." || !got.DoneAt.Equal(clock.Now()) {
			t.Errorf("done: got %+v", got)
		}
		if _, open := h.openKinds()[findings.RestoreAsked]; open {
			t.Error("the finding is still open")
		}
		if got := h.kinds(a.ID); !slices.Equal(got, []string{"restore.asked", "restore.ask_taken", "restore.ask_answered"}) {
			t.Errorf("ledger: got %v", got)
		}
		if len(b.letters) != 1 || b.letters[0].Template != "ask.answered" || b.letters[0].To != "ines@maple.invalid" || strings.Contains(b.letters[0].Args["answer"], "back") {
			t.Errorf("mail: got %+v", b.letters)
		}
		for range 20 {
			code(t, "another", ask("more"), "")
		}
		code(t, "too many", ask("more"), controlplane.CodeTooMany)
		if items := must[[]backups.Ask](t)(h.backups.Asks(ctx, scope, backups.AskFilter{Waiting: true})); len(items) != 20 {
			t.Errorf("waiting: got %d", len(items))
		}
		if items := must[[]backups.Ask](t)(h.backups.Asks(octx, oscope, backups.AskFilter{})); len(items) != 0 {
			t.Errorf("another customer lists %d", len(items))
		}
	})
}
