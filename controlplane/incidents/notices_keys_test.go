package incidents_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// brokenKeys are a customer on the shared server whose key does not open, as another
// replica has made it, and one whose key was destroyed. mend has the first one's
// work again.
func (w *world) brokenKeys() (broken, gone customers.Customer, mend func()) {
	w.t.Helper()
	broken = customers.Customer{ID: controlplane.NewID(controlplane.PrefixCustomer), Slug: "broken", Name: "Broken Pottery"}
	gone = w.customer("gone", "Gone Fishing")
	w.contact(gone, "Gus", policy.RoleOwner)
	w.lives(w.shared, gone)
	w.write(func(tx *db.Tx) error {
		return errors.Join(
			tx.Exec("INSERT INTO customers (id, slug, name, parent_id, country, zone, version, created_at, updated_at) VALUES (?, ?, ?, '', 'DE', 'UTC', 1, 1, 1)", broken.ID, broken.Slug, broken.Name).Error,
			tx.Exec("INSERT INTO tenancies (id, server_id, customer_id, dedicated, paths_json, sites_json, databases_json, version, created_at, updated_at, ended_at) VALUES (?, ?, ?, 0, '[]', '[]', '[]', 1, 1, 1, 0)",
				controlplane.NewID(controlplane.PrefixTenancy), w.shared.ID, broken.ID).Error,
			tx.Exec("INSERT INTO data_keys (customer_id, version, home, wrapped, created_at, destroyed_at) VALUES (?, 1, 'file', ?, 1, 0)", broken.ID, []byte("no key")).Error)
	})
	if err := w.keeper.Destroy(w.ctx, gone.ID); err != nil {
		w.t.Fatal(err)
	}
	return broken, gone, func() {
		w.write(func(tx *db.Tx) error {
			return tx.Exec("DELETE FROM data_keys WHERE customer_id = ?", broken.ID).Error
		})
		if err := w.keeper.EnsureKey(w.ctx, broken.ID); err != nil {
			w.t.Fatal(err)
		}
	}
}

// toCall are the customers whom a person has to call, with why.
func (w *world) toCall() (out []string) {
	w.t.Helper()
	for _, f := range w.found() {
		if f.Kind == "incident.unreachable" {
			out = append(out, f.Args["person"]+" calls "+f.Args["customer"]+": "+f.Args["because"])
		}
	}
	slices.Sort(out)
	return out
}

const (
	callBroken = "Ada Admin calls Broken Pottery: Their key cannot be used: nothing can be written for them"
	callGone   = "Ada Admin calls Gone Fishing: Their key was destroyed: nothing can be written for them any more"
)

// One customer's key that cannot be used keeps nobody else waiting: they are left
// out, the result says so, and a person is told by name to call them.
func TestABrokenKeyKeepsNobodyElseWaiting(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		broken, gone, mend := w.brokenKeys()
		c := w.open([]customers.Server{w.shared})
		w.run()
		frozen := w.sent(mail.IncidentFreeze)
		slices.Sort(frozen)
		same(t, "an order", frozen, []string{"anna@maple.example", "henry@harbour.example"})
		same(t, "to be called", w.toCall(), []string{callBroken, callGone})

		made, left, err := w.incidents.MakeDrafts(w.ctx, w.all, c.ID, incidents.First)
		if err != nil || len(made) != 2 || len(left) != 2 || left[broken.ID] == "" || left[gone.ID] == "" {
			t.Fatalf("drafts: got %d, left out %v, %v", len(made), left, err)
		}
		words := "Change your passwords."
		if n, err := w.incidents.EditAll(w.ctx, w.all, c.ID, incidents.NoticeEdit{Words: &words}); err != nil || n != 2 {
			t.Errorf("edited: got %d, %v", n, err)
		}
		if sent, kept, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "now"}); err != nil || sent != 2 || len(kept) != 0 {
			t.Errorf("sent: got %d, %v, %v", sent, kept, err)
		}
		same(t, "to be called", w.toCall(), []string{callBroken, callGone})

		mend()
		w.later(5 * time.Minute) // the order is taken up again
		if items, _, err := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID, Customer: broken.ID}); err != nil || len(items) != 1 || items[0].Purpose != incidents.Freezing {
			t.Errorf("the order: got %+v, %v", items, err)
		}
		same(t, "to be called", w.toCall(), []string{callGone})
		if made, left, err = w.incidents.MakeDrafts(w.ctx, w.all, c.ID, incidents.First, broken.ID, gone.ID); err != nil || len(made) != 1 || made[0].Customer != broken.ID || len(left) != 1 {
			t.Errorf("when it works again: got %+v, left out %v, %v", made, left, err)
		}
	})
}

// The same of an advisory: who is left out is named, and is told when their key works.
func TestABrokenKeyOfAnAdvisory(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		broken, gone, mend := w.brokenKeys()
		a := must[incidents.AdvisoryNote](t)(w.incidents.PlanAdvisory(w.ctx, w.all, incidents.NewAdvisory{Purpose: incidents.Change, Title: "A move", Text: "We move.",
			Customers: []string{broken.ID, gone.ID, w.maple.ID}, Ground: "You live in the old hall."}))
		want := []string{broken.ID, gone.ID}
		slices.Sort(want)
		same(t, "nothing is written to", a.Unwritten, want)
		same(t, "to be called", w.toCall(), []string{callBroken, callGone})
		a = must[incidents.AdvisoryNote](t)(w.incidents.SendAdvisory(w.asBob(), w.all, a.ID, incidents.Sending{Seen: w.seen(incidents.NoticeFilter{Advisory: a.ID})}))
		same(t, "told", w.sent(mail.IncidentChange), []string{"anna@maple.example"})
		mend()
		w.contact(broken, "Bea", policy.RoleOwner)
		w.later(5 * time.Minute)
		same(t, "told when it works", w.sent(mail.IncidentChange), []string{"anna@maple.example", "bea@broken.example"})
		a = must[incidents.AdvisoryNote](t)(w.incidents.AdvisoryOf(w.ctx, w.all, a.ID))
		same(t, "nothing is written to", a.Unwritten, []string{gone.ID})
		if l := w.post.letters(mail.IncidentChange); len(l) != 2 || l[1].Args["text"] == "" {
			t.Errorf("got %+v", l)
		}
	})
}
