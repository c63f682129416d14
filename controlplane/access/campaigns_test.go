package access_test

import (
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
)

func (w *teller) grant(c customers.Customer, p access.Person) access.Grant {
	w.T.Helper()
	return must[access.Grant](w.T)(w.access.Grant(w.as(w.cleo), w.all, access.NewGrant{Customer: c.ID, Person: p.ID, Role: "operator", Reason: "looks after the shop", Ticket: "T-1", Until: w.Clock.Now().Add(90 * day)}))
}

// items are what a campaign asks, as "name answer".
func (w *teller) items(campaign string) (out []access.CampaignItem, short []string) {
	w.T.Helper()
	for token := ""; ; {
		items, next, err := w.access.CampaignItems(w.Ctx, w.all, campaign, "", 2, token)
		if err != nil {
			w.T.Fatal(err)
		}
		for _, i := range items {
			out = append(out, i)
			short = append(short, i.Name+" "+i.Answer)
		}
		if token = next; token == "" {
			return out, short
		}
	}
}

func (w *teller) state(g access.Grant) access.GrantState {
	w.T.Helper()
	return must[access.Grant](w.T)(w.access.GetGrant(w.Ctx, w.all, g.ID)).State
}

// What is not confirmed by the date is revoked; nobody answers for themselves;
// whom nobody needs to confirm is not asked about.
func TestCampaign(t *testing.T) {
	tellEach(t, func(w *teller) {
		if _, err := w.access.StartCampaign(w.Ctx, w.all, "Nothing", w.Clock.Now().Add(day)); code(err) != controlplane.CodeConflict {
			w.T.Errorf("empty lists: got %v, want conflict", err)
		}
		bob, ada := w.grant(w.Maple, w.bob), w.grant(w.Maple, w.ada)
		other := w.grant(w.Harbour, w.bob)
		for name, due := range map[string]time.Time{"past": w.Clock.Now().Add(-time.Hour), "a year": w.Clock.Now().Add(365 * day)} {
			if _, err := w.access.StartCampaign(w.Ctx, w.all, name, due); code(err) != controlplane.CodeInvalid {
				w.T.Errorf("%s: got %v, want invalid", name, err)
			}
		}
		entry := must[access.Entry](w.T)(w.access.AddEntry(w.Ctx, w.all, access.Entry{Way: access.WayAdmin, Person: w.cleo.ID, Customer: w.Maple.ID, Role: "hypervisor", Reason: "the work", Until: w.Clock.Now().Add(90 * day)}))
		c := must[access.Campaign](w.T)(w.access.StartCampaign(w.Ctx, w.all, "Winter", w.Clock.Now().Add(14*day)))
		if c.Total != 4 || c.Open != 4 || c.Title != "Winter" || !c.DueAt.Equal(w.Clock.Now().Add(14*day)) {
			w.T.Errorf("campaign: got %+v", c)
		}
		if _, err := w.access.StartCampaign(w.Ctx, w.all, "Twice", w.Clock.Now().Add(day)); code(err) != controlplane.CodeConflict {
			w.T.Errorf("what is asked about already: got %v, want conflict", err)
		}
		all, _ := w.items(c.ID)
		of := func(ground string) access.CampaignItem {
			i := slices.IndexFunc(all, func(i access.CampaignItem) bool { return i.Grant == ground })
			if i < 0 {
				w.T.Fatalf("no item of %s in %+v", ground, all)
			}
			return all[i]
		}
		if i := of(bob.ID); i.Name != "Bob Builder" || i.Role != "operator" || i.Way != access.WayTeleport || !i.LastUsed.IsZero() || !i.RevokeAt.Equal(c.DueAt) {
			w.T.Errorf("item: got %+v", i)
		}
		if _, err := w.access.AnswerItem(w.as(w.bob), w.all, of(bob.ID).ID, true, "I need it"); code(err) != controlplane.CodeForbidden {
			w.T.Errorf("Bob answers for Bob: got %v, want forbidden", err)
		}
		if _, err := w.access.AnswerItem(w.Ctx, w.all, of(bob.ID).ID, true, " "); code(err) != controlplane.CodeInvalid {
			w.T.Errorf("without why: got %v, want invalid", err)
		}
		ctx, scope := w.Owner(w.Harbour)
		if _, err := w.access.AnswerItem(ctx, scope, of(bob.ID).ID, false, "not theirs"); code(err) != controlplane.CodeNotFound {
			w.T.Errorf("another customer answers: got %v, want not found", err)
		}
		if got := must[access.CampaignItem](w.T)(w.access.AnswerItem(w.Ctx, w.all, of(bob.ID).ID, true, "looks after it daily")); got.Answer != access.AnswerKeep || got.Because != "looks after it daily" {
			w.T.Errorf("kept: got %+v", got)
		}
		if _, err := w.access.AnswerItem(w.Ctx, w.all, of(bob.ID).ID, false, "no"); code(err) != controlplane.CodeConflict {
			w.T.Errorf("again: got %v, want conflict", err)
		}
		must[access.CampaignItem](w.T)(w.access.AnswerItem(w.as(w.bob), w.all, of(ada.ID).ID, false, "has other work"))
		if got := w.state(ada); got != access.GrantRevoked {
			w.T.Errorf("revoked: got %s", got)
		}
		ctx, scope = w.AsContact(w.anna) // a customer answers for their own
		must[access.CampaignItem](w.T)(w.access.AnswerItem(ctx, scope, of(entry.ID).ID, false, "we do not know them"))
		if items, _, err := w.access.Entries(w.Ctx, w.all, access.EntryFilter{Customer: w.Maple.ID}); err != nil || len(items) != 0 {
			w.T.Errorf("the entry is there still: %+v, %v", items, err)
		}
		if got := must[[]access.Campaign](w.T)(w.access.Campaigns(ctx, scope)); len(got) != 1 || got[0].Total != 3 || got[0].Kept != 1 || got[0].Revoked != 2 || got[0].Open != 0 || !got[0].EndedAt.IsZero() {
			w.T.Errorf("maple's part: got %+v", got)
		}
		w.after(15 * day)
		if got := w.state(other); got != access.GrantActive {
			w.T.Errorf("the last one who could come: got %s", got)
		}
		if got := w.state(bob); got != access.GrantActive {
			w.T.Errorf("who was kept: got %s", got)
		}
	})
}

// The last one who could come stays seven days more, with a finding.
func TestLastOnCall(t *testing.T) {
	tellEach(t, func(w *teller) {
		w.grant(w.Maple, w.bob)
		first := w.grant(w.Maple, w.ada)
		w.Clock.Advance(time.Minute)
		late := must[access.Grant](w.T)(w.access.Grant(w.as(w.bob), w.all, access.NewGrant{Customer: w.Maple.ID, Person: w.cleo.ID, Role: "operator", Reason: "looks after the shop", Ticket: "T-1", Until: w.Clock.Now().Add(90 * day)}))
		c := must[access.Campaign](w.T)(w.access.StartCampaign(w.Ctx, w.all, "Winter", w.Clock.Now().Add(14*day)))
		w.after(13 * day)
		if got := w.state(first); got != access.GrantActive {
			w.T.Errorf("before the date: got %s", got)
		}
		w.after(25 * time.Hour)
		w.tellDue()
		if a, b := w.state(first), w.state(late); a != access.GrantRevoked || b != access.GrantActive {
			w.T.Errorf("at the date: got %s and %s, want the latest one kept", a, b)
		}
		items, _ := w.items(c.ID)
		if i := items[0]; i.Answer != access.AnswerOpen || !i.LastOnCall || i.Name != "Cleo Clark" || !i.RevokeAt.Equal(w.Clock.Now().Add(7*day)) {
			w.T.Errorf("open: got %+v", i)
		}
		if got := w.open(findings.AccessLastOnCall); len(got) != 1 || got[0].Args["person"] != "Cleo Clark" || got[0].Customer != w.Maple.ID {
			w.T.Errorf("finding: got %+v", got)
		}
		w.after(6 * day)
		if got := w.state(late); got != access.GrantActive {
			w.T.Errorf("six days later: got %s", got)
		}
		w.after(25 * time.Hour)
		if got := w.state(late); got != access.GrantRevoked {
			w.T.Errorf("eight days later: got %s", got)
		}
		if got := w.open(findings.AccessLastOnCall); len(got) != 0 {
			w.T.Errorf("finding: got %+v", got)
		}
		if got := must[[]access.Campaign](w.T)(w.access.Campaigns(w.Ctx, w.all)); got[0].Open != 0 || got[0].Revoked != 3 || got[0].EndedAt.IsZero() {
			w.T.Errorf("campaign: got %+v", got)
		}
	})
}

// What ended by itself is no answer of anybody's, and an answer that a crash left
// behind is carried out.
func TestCampaignAfterACrash(t *testing.T) {
	tellEach(t, func(w *teller) {
		bob, ada := w.grant(w.Maple, w.bob), w.grant(w.Maple, w.ada)
		c := must[access.Campaign](w.T)(w.access.StartCampaign(w.Ctx, w.all, "Winter", w.Clock.Now().Add(14*day)))
		if _, err := w.access.Revoke(w.Ctx, w.all, ada.ID, "other work"); err != nil {
			w.T.Fatal(err)
		}
		w.Write(func(tx *db.Tx) error { // answered, and killed before it was carried out
			return tx.Exec("UPDATE access_campaign_items SET answer = 'revoke', answered_at = ?, done_at = 0 WHERE ground_id = ?", tx.NowMillis(), bob.ID).Error
		})
		w.tellDue()
		if got := w.state(bob); got != access.GrantRevoked {
			w.T.Errorf("carried out: got %s", got)
		}
		w.after(15 * day)
		items, _ := w.items(c.ID)
		for _, i := range items {
			if i.Grant == ada.ID && i.Answer != access.AnswerEnded {
				w.T.Errorf("ended by itself: got %+v", i)
			}
		}
		if got := must[[]access.Campaign](w.T)(w.access.Campaigns(w.Ctx, w.all)); got[0].Ended != 1 || got[0].EndedAt.IsZero() {
			w.T.Errorf("campaign: got %+v", got)
		}
	})
}

// A campaign starts by itself at the beginning of each quarter, once, also where
// the plane was down then.
func TestCampaignOfAQuarter(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newTeller(t, dbtest.SQLite(t, clock), clock)
	w.grant(w.Maple, w.bob)
	w.tellDue()
	clock.Advance(time.Date(2027, 1, 2, 9, 0, 0, 0, time.UTC).Sub(clock.Now()))
	for range 3 {
		if err := w.Jobs.Tick(w.Ctx); err != nil {
			t.Fatal(err)
		}
	}
	got := must[[]access.Campaign](t)(w.access.Campaigns(w.Ctx, w.all))
	if len(got) != 1 || got[0].Title != "Quarter 1 of 2027" || got[0].Total != 1 || !got[0].DueAt.Equal(clock.Now().Add(14*day)) {
		t.Errorf("got %+v", got)
	}
}

func TestStaffNotice(t *testing.T) {
	tellEach(t, func(w *teller) {
		ctx := w.as(w.bob)
		n := must[access.StaffNotice](w.T)(w.access.StaffNotice(ctx))
		if n.Months != 12 || len(n.Text) < 4 || !n.AcknowledgedAt.IsZero() {
			w.T.Errorf("got %+v", n)
		}
		for range 2 {
			if err := w.access.AcknowledgeStaffNotice(ctx, n.SHA256); err != nil {
				w.T.Fatal(err)
			}
		}
		if n = must[access.StaffNotice](w.T)(w.access.StaffNotice(ctx)); n.AcknowledgedAt.IsZero() {
			w.T.Error("not kept")
		}
		if n := must[access.StaffNotice](w.T)(w.access.StaffNotice(w.Ctx)); !n.AcknowledgedAt.IsZero() {
			w.T.Error("Bob's is Ada's too")
		}
		must[access.Terms](w.T)(w.access.SetTerms(w.Ctx, w.all, must[access.Terms](w.T)(w.access.Terms(w.Ctx, w.all, w.Maple.ID))))
		w.Write(func(tx *db.Tx) error { // as agreed before there was a longest time
			return tx.Exec("UPDATE access_terms SET recording_months = 18 WHERE customer_id = ?", w.Maple.ID).Error
		})
		if again := must[access.StaffNotice](w.T)(w.access.StaffNotice(ctx)); again.Months != 18 || !again.AcknowledgedAt.IsZero() || again.SHA256 == n.SHA256 {
			w.T.Errorf("another text: got %+v", again)
		}
		if err := w.access.AcknowledgeStaffNotice(ctx, n.SHA256); code(err) != controlplane.CodeConflict {
			w.T.Errorf("the old text: got %v, want conflict", err)
		}
		contact, _ := w.AsContact(w.anna)
		if err := w.access.AcknowledgeStaffNotice(contact, n.SHA256); code(err) != controlplane.CodeForbidden {
			w.T.Errorf("a contact: got %v, want forbidden", err)
		}
	})
}
