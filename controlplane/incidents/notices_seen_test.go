package incidents_test

import (
	"reflect"
	"strings"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
)

// What somebody else wrote goes as it was looked at: what was changed since, or was
// not looked at, is left out and named.
func TestAllAreSentAsTheyWereSeen(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.shared})
		byCustomer := map[string]string{}
		for _, n := range w.drafts(c, incidents.First) {
			byCustomer[n.Customer] = n.ID
		}
		maple, harbour := byCustomer[w.maple.ID], byCustomer[w.harbour.ID]
		seen := w.seen(incidents.NoticeFilter{Case: c.ID})
		words := "One thing more."
		must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, maple, 0, incidents.NoticeEdit{Words: &words}))
		sent, kept, err := w.incidents.SendAll(w.asBob(), w.all, c.ID, incidents.Sending{Seen: seen})
		if err != nil || sent != 1 || len(kept) != 1 || !strings.Contains(kept[maple], "changed this notice after you looked") {
			t.Errorf("got %d, %v, %v", sent, kept, err)
		}
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"henry@harbour.example"})
		if got := w.notice(harbour); got.Second != w.bob.ID || got.State != incidents.Sent {
			t.Errorf("got %+v", got)
		}
		for name, in := range map[string]incidents.Sending{"not looked at": {}, "another looked at": {Seen: map[string]int64{harbour: 1}}} {
			if sent, kept, err := w.incidents.SendAll(w.asBob(), w.all, c.ID, in); err != nil || sent != 0 || !strings.Contains(kept[maple], "you have not looked at it") {
				t.Errorf("%s: got %d, %v, %v", name, sent, kept, err)
			}
		}
		// One by itself is the same.
		for version, want := range map[int64]controlplane.Code{0: controlplane.CodeConflict, 1: controlplane.CodeConflict} {
			if _, err := w.incidents.Send(w.asBob(), w.all, maple, incidents.Sending{Version: version}); code(err) != want {
				t.Errorf("version %d: got %v", version, err)
			}
		}
		if sent, kept, err := w.incidents.SendAll(w.asBob(), w.all, c.ID, incidents.Sending{Seen: w.seen(incidents.NoticeFilter{Case: c.ID})}); err != nil || sent != 1 || len(kept) != 0 {
			t.Errorf("as it is now: got %d, %v, %v", sent, kept, err)
		}
	})
}

// An advisory is sent as it was looked at, too. What nobody has changed says what the
// advisory says.
func TestAnAdvisoryIsSentAsItWasSeen(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		a := must[incidents.AdvisoryNote](t)(w.incidents.PlanAdvisory(w.ctx, w.all, incidents.NewAdvisory{Purpose: incidents.Advisory, Title: "A flaw", Text: "Update.",
			Customers: []string{w.maple.ID, w.harbour.ID}, Ground: "You run it."}))
		f := incidents.NoticeFilter{Advisory: a.ID}
		seen := w.seen(f)
		words := "Also turn it off."
		for _, n := range must2(t)(w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Advisory: a.ID, Customer: w.maple.ID})) {
			must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, n.ID, n.Version, incidents.NoticeEdit{Words: &words}))
		}
		must[incidents.AdvisoryNote](t)(w.incidents.SendAdvisory(w.asBob(), w.all, a.ID, incidents.Sending{Seen: seen}))
		same(t, "mails", w.sent(mail.IncidentAdvisory), []string{"henry@harbour.example"})
		if _, err := w.incidents.SendAdvisory(w.asBob(), w.all, a.ID, incidents.Sending{Seen: seen}); code(err) != controlplane.CodeConflict {
			t.Errorf("what was changed since: got %v", err)
		}
		must[incidents.AdvisoryNote](t)(w.incidents.SendAdvisory(w.asBob(), w.all, a.ID, incidents.Sending{Seen: w.seen(f)}))
		same(t, "mails", w.sent(mail.IncidentAdvisory), []string{"henry@harbour.example", "anna@maple.example"})
		w.run()
		if _, err := w.incidents.SendAdvisory(w.asBob(), w.all, a.ID, incidents.Sending{}); code(err) != controlplane.CodeConflict {
			t.Errorf("nothing is left: got %v", err)
		}
	})
}

// must2 is must of a page of a list.
func must2(t testing.TB) func(items []incidents.Notice, next string, err error) []incidents.Notice {
	return func(items []incidents.Notice, _ string, err error) []incidents.Notice {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
}

// A list of heads opens nothing that is sealed, and shows the same beside it.
func TestHeads(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.shared})
		w.drafts(c, incidents.First)
		if _, _, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "now"}); err != nil {
			t.Fatal(err)
		}
		w.run()
		f := incidents.NoticeFilter{Case: c.ID}
		whole := must2(t)(w.incidents.Notices(w.ctx, w.all, f))
		f.Heads = true
		heads := must2(t)(w.incidents.Notices(w.ctx, w.all, f))
		alone := 0
		for i, n := range whole {
			if n.Title == "" || n.Text == "" || n.Alone != (n.AloneWhy != "") {
				t.Errorf("whole: got %+v", n)
			}
			if n.Alone {
				alone++
			}
			n.Title, n.Text, n.Fields, n.Words, n.AloneWhy, n.LateWhy = "", "", nil, "", "", ""
			if !reflect.DeepEqual(heads[i], n) {
				t.Errorf("head: got %+v, want %+v", heads[i], n)
			}
		}
		if len(whole) != len(heads) || alone != 2 {
			t.Errorf("got %d and %d, %d alone", len(whole), len(heads), alone)
		}
		ctx, scope := w.asContact(w.anna)
		for _, n := range must2(t)(w.incidents.Notices(ctx, scope, incidents.NoticeFilter{Heads: true})) {
			if n.Alone || n.Author != "" || n.Customer != w.maple.ID {
				t.Errorf("a contact: got %+v", n)
			}
		}
	})
}
