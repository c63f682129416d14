package access_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/mail"
)

const (
	changed = "access.changed"
	anna    = "Anna@maple.example"
	berta   = "Berta@maple.example"
)

// operator is somebody who may operate.
func operator(p access.Person) access.Want {
	return access.Want{Person: p.ID, Role: "operator", Why: "looks after the shop"}
}

// One mail tells of everything that changed meanwhile: whoever came and went is
// in it twice.
func TestChangesGatherIntoOneMail(t *testing.T) {
	tellEach(t, func(w *teller) {
		w.list(w.Maple, operator(w.bob))
		w.list(w.Maple, operator(w.bob), operator(w.cleo))
		w.list(w.Maple, operator(w.cleo))
		w.settle(access.Part{Column: access.Enforced, Source: "teleport", Customers: []string{w.Maple.ID}},
			access.Want{Customer: w.Maple.ID, Person: w.ada.ID, Way: access.WayAdmin, Ground: "x"})
		w.tellDue()
		same(w.T, "before the time", w.to(), nil)
		w.after(2 * time.Minute)
		w.tellDue()
		same(w.T, "mails", w.to(), []string{changed + " " + anna})
		if len(w.post.sent) != 1 {
			return
		}
		l := w.post.sent[0]
		lines := strings.Split(l.Args["items"], "\n")
		want := []string{
			"Bob Builder can sign in to your servers (operator), from 20 November 2026 10:00 CET, without an end yet. Why: looks after the shop.",
			"Cleo Clark can sign in to your servers (operator), from 20 November 2026 10:00 CET, without an end yet. Why: looks after the shop.",
			"Bob Builder can no longer sign in to your servers (operator), since 20 November 2026 10:00 CET.",
		}
		same(w.T, "items", lines, want)
		n := w.notices(w.Maple)
		if len(n) != 1 || n[0].State != access.NoticeSent || len(n[0].Items) != 3 || !n[0].DueAt.Equal(dbtest.Start.Add(24*time.Hour)) || n[0].Late || l.Path != "/access/notices/"+n[0].ID || l.Subject != n[0].ID {
			w.T.Fatalf("notices: got %+v", n)
		}
		same(w.T, "told", told(n[0].Items), []string{"added Bob Builder teleport operator", "added Cleo Clark teleport operator", "removed Bob Builder teleport operator"})

		w.list(w.Maple) // the next window is another notice
		w.after(2 * time.Minute)
		same(w.T, "mails", w.to(), []string{changed + " " + anna, changed + " " + anna})
		same(w.T, "second", told(w.notices(w.Maple)[1].Items), []string{"removed Cleo Clark teleport operator"})
		if n := w.notices(w.Harbour); len(n) != 0 {
			w.T.Errorf("another customer is told: %+v", n)
		}
	})
}

// Accepted, read and acknowledged are three things.
func TestEvidenceOfANotice(t *testing.T) {
	tellEach(t, func(w *teller) {
		change := w.list(w.Maple, operator(w.bob))[0]
		w.after(2 * time.Minute)
		n := w.notices(w.Maple)[0]
		stamped := func() (notified, acknowledged bool) {
			c := w.notices(w.Maple)[0].Items[0]
			if c.ID != change.ID {
				w.T.Fatalf("item: got %s, want %s", c.ID, change.ID)
			}
			return !c.NotifiedAt.IsZero(), !c.AcknowledgedAt.IsZero()
		}
		if a, b := stamped(); a || b {
			w.T.Error("sent is not accepted")
		}
		w.becomes(changed, anna, mail.Deferred, mail.CauseUnreachable)
		if got := w.notices(w.Maple)[0]; got.State != access.NoticeSent || got.Mails[0].State != "deferred" || got.Mails[0].Cause != "unreachable" || got.Mails[0].Name != "Anna" {
			w.T.Errorf("deferred: got %+v", got)
		}
		w.becomes(changed, anna, mail.Accepted, "")
		w.becomes(changed, anna, mail.Accepted, "")
		got := w.notices(w.Maple)[0]
		if a, b := stamped(); !a || b || got.State != access.NoticeAccepted || got.AcceptedAt.IsZero() || !got.ReadAt.IsZero() {
			w.T.Errorf("accepted: got %+v", got)
		}
		// Staff who look have not read it for the customer.
		if got := must[access.Notice](w.T)(w.access.GetNotice(w.Ctx, w.all, n.ID)); !got.ReadAt.IsZero() {
			w.T.Error("staff looked, and the customer is said to have read it")
		}
		ctx, scope := w.AsContact(w.anna)
		if got := must[access.Notice](w.T)(w.access.GetNotice(ctx, scope, n.ID)); got.ReadAt.IsZero() || !got.AcknowledgedAt.IsZero() || len(got.Items) != 1 || got.Items[0].Name != "Bob Builder" {
			w.T.Errorf("read: got %+v", got)
		}
		if err := w.access.Acknowledge(w.Ctx, w.all, n.ID); code(err) != controlplane.CodeForbidden {
			w.T.Errorf("staff acknowledge: got %v, want forbidden", err)
		}
		other, others := w.Owner(w.Harbour)
		if err := w.access.Acknowledge(other, others, n.ID); code(err) != controlplane.CodeNotFound {
			w.T.Errorf("another customer acknowledges: got %v, want not found", err)
		}
		if _, err := w.access.GetNotice(other, others, n.ID); code(err) != controlplane.CodeNotFound {
			w.T.Errorf("another customer reads: got %v, want not found", err)
		}
		for range 2 {
			if err := w.access.Acknowledge(ctx, scope, n.ID); err != nil {
				w.T.Fatal(err)
			}
		}
		got = w.notices(w.Maple)[0]
		if a, b := stamped(); !a || !b || got.State != access.NoticeAcknowledged || got.AcknowledgedBy != w.anna.ID {
			w.T.Errorf("acknowledged: got %+v", got)
		}
		same(w.T, "ledger", w.ledgerOf(n.ID), []string{"access.notice_sent", "access.notice_accepted", "access.notice_read", "access.notice_acknowledged"})
		same(w.T, "findings", w.found(w.Maple.ID), nil)
	})
}

// What comes back goes to the next contact, and then to a person.
func TestBouncesGoToTheNextContact(t *testing.T) {
	tellEach(t, func(w *teller) {
		w.list(w.Maple, operator(w.bob))
		w.after(2 * time.Minute)
		w.becomes(changed, anna, mail.Accepted, "")
		w.becomes(changed, anna, mail.Bounced, mail.CauseBounced)
		n := w.notices(w.Maple)[0]
		if n.State != access.NoticeBounced || !n.AcceptedAt.IsZero() || !n.Items[0].NotifiedAt.IsZero() {
			w.T.Errorf("bounced: got %+v", n)
		}
		w.tellDue()
		w.tellDue()
		same(w.T, "mails", w.to(), []string{changed + " " + anna, changed + " " + berta})
		w.becomes(changed, anna, mail.Bounced, mail.CauseBounced) // a second report of the first
		w.becomes(changed, berta, mail.Failed, mail.CauseRefused)
		w.after(time.Minute)
		n = w.notices(w.Maple)[0]
		if n.State != access.NoticeUnreachable || n.Why == "" || len(n.Mails) != 2 {
			w.T.Errorf("nobody left: got %+v", n)
		}
		same(w.T, "findings", w.found(w.Maple.ID), []string{"access.notice_undelivered"})
		at := n.OpenedAt.Add(time.Minute)
		for name, call := range map[string]access.NoticeCall{"nobody": {Said: "They know"}, "nothing": {Who: "Anna"}, "to come": {Who: "Anna", Said: "They know", At: at.AddDate(1, 0, 0)}, "before": {Who: "Anna", Said: "They know", At: n.OpenedAt.Add(-time.Minute)}} {
			if _, err := w.access.RecordNoticeCall(w.Ctx, w.all, n.ID, call); code(err) != controlplane.CodeInvalid {
				w.T.Errorf("a call, %s: got %v, want invalid", name, err)
			}
		}
		got := must[access.Notice](w.T)(w.access.RecordNoticeCall(w.Ctx, w.all, n.ID, access.NoticeCall{Who: "Anna at the bakery", Said: "She knows.", At: at}))
		if got.State != access.NoticeCalled || got.CallNote != "Anna at the bakery: She knows." || !got.CalledAt.Equal(at) {
			w.T.Errorf("called: got %+v", got)
		}
		same(w.T, "findings after the call", w.found(w.Maple.ID), nil)
		w.after(48 * time.Hour)
		same(w.T, "never late", w.found(w.Maple.ID), nil)

		// Whoever the latest mail did not reach is not the first again, but one of them is.
		w.contact(w.Maple, "Clara", "owner")
		w.list(w.Maple)
		w.after(2 * time.Minute)
		to := w.to()
		if got := to[len(to)-1]; got != changed+" Clara@maple.example" {
			w.T.Errorf("the next notice: got %s, want Clara, whom no mail failed to reach", got)
		}
	})
}

// A mail server that is down for a day: nothing is lost, it is said since when,
// late is said once, and the mail goes out in the end.
func TestMailServerDownForADay(t *testing.T) {
	tellEach(t, func(w *teller) {
		w.list(w.Maple, operator(w.bob))
		w.after(2 * time.Minute)
		w.becomes(changed, anna, mail.Deferred, mail.CauseUnreachable)
		for range 26 {
			w.after(time.Hour)
		}
		n := w.notices(w.Maple)[0]
		if !n.Late || n.State != access.NoticeSent || !n.Mails[0].At.Equal(dbtest.Start.Add(2*time.Minute)) {
			w.T.Errorf("after a day: got %+v", n)
		}
		same(w.T, "findings", w.found(w.Maple.ID), []string{"access.notice_late"})
		w.becomes(changed, anna, mail.Accepted, "")
		if n = w.notices(w.Maple)[0]; !n.Late || n.State != access.NoticeAccepted {
			w.T.Errorf("in the end: got %+v", n)
		}
		same(w.T, "findings in the end", w.found(w.Maple.ID), nil)
		same(w.T, "ledger", w.ledgerOf(n.ID), []string{"access.notice_sent", "access.notice_late", "access.notice_accepted"})
		same(w.T, "mails", w.to(), []string{changed + " " + anna})
	})
}

func TestNobodyToTell(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(w *teller)
		want    string
	}{
		{"no owner", func(w *teller) { w.list(w.Harbour, operator(w.bob)) }, "The customer has no owner among the contacts"},
		{"one dead contact", func(w *teller) {
			w.contact(w.Harbour, "Dora", "owner")
			w.list(w.Harbour, operator(w.bob))
			w.after(2 * time.Minute)
			w.becomes(changed, "Dora@harbour.example", mail.Failed, mail.CauseAddress)
		}, "Mail to none of their owners arrives"},
		{"no mail server", func(w *teller) {
			w.contact(w.Harbour, "Dora", "owner")
			w.list(w.Harbour, operator(w.bob))
			w.after(2 * time.Minute)
			w.becomes(changed, "Dora@harbour.example", mail.Unsent, mail.CauseNoServer)
		}, "No mail server is configured"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := &dbtest.Clock{}
			w := newTeller(t, dbtest.SQLite(t, clock), clock)
			tc.prepare(w)
			w.after(3 * time.Minute)
			w.after(3 * time.Minute)
			n := w.notices(w.Harbour)
			if len(n) != 1 || n[0].State != access.NoticeUnreachable || n[0].Why != tc.want {
				t.Fatalf("got %+v, want unreachable: %s", n, tc.want)
			}
			same(t, "findings", w.found(w.Harbour.ID), []string{"access.notice_undelivered"})
			before := len(w.post.sent)
			w.contact(w.Harbour, "Elsa", "owner") // somebody who can be reached comes
			w.after(25 * time.Hour)
			if got := w.to()[before:]; len(got) != 1 || got[0] != changed+" Elsa@harbour.example" {
				t.Errorf("the next day: got %v, want a mail to Elsa", got)
			}
		})
	}
}

// A contact whose address was put right is tried again.
func TestAnAddressThatWasPutRight(t *testing.T) {
	tellEach(t, func(w *teller) {
		dora := w.contact(w.Harbour, "Dora", "owner")
		w.list(w.Harbour, operator(w.bob))
		w.after(2 * time.Minute)
		w.becomes(changed, "Dora@harbour.example", mail.Failed, mail.CauseRefused)
		w.after(time.Minute)
		right := "dora@harbour.example.org"
		must[customers.Contact](w.T)(w.Customers.UpdateContact(w.Ctx, w.all, dora.ID, customers.ContactChange{Email: &right}))
		w.after(25 * time.Hour)
		w.after(25 * time.Hour)
		same(w.T, "mails", w.to(), []string{changed + " Dora@harbour.example", changed + " " + right})
		if n := w.notices(w.Harbour)[0]; n.State != access.NoticeSent || !n.Late {
			w.T.Errorf("got %+v", n)
		}
	})
}

// What ends while nobody looks is told late, and says so.
func TestWhatWasLearntLateIsLate(t *testing.T) {
	tellEach(t, func(w *teller) {
		bob := operator(w.bob)
		w.list(w.Maple, bob)
		w.after(2 * time.Minute)
		w.becomes(changed, anna, mail.Accepted, "")
		w.Clock.Advance(72 * time.Hour)
		w.settle(access.Part{Column: access.Listed, Source: "test", Customers: []string{w.Maple.ID}, At: w.Clock.Now().Add(-30 * time.Hour)})
		w.after(2 * time.Minute)
		n := w.notices(w.Maple)[1]
		if !n.Late || !n.DueAt.Equal(w.Clock.Now().Add(-6*time.Hour-2*time.Minute)) {
			w.T.Errorf("got late %v, due %s", n.Late, n.DueAt)
		}
	})
}

// A plane that is killed at any step sends each mail once.
func TestNoMailTwiceAfterACrash(t *testing.T) {
	tellEach(t, func(w *teller) {
		crash := errors.New("killed")
		fail := true
		w.access.OnChanged(func(*db.Tx, []access.Change) error {
			if fail {
				return crash
			}
			return nil
		})
		part := access.Part{Column: access.Listed, Source: "test", Customers: []string{w.Maple.ID}}
		bob := operator(w.bob)
		bob.Customer, bob.Way, bob.Ground = w.Maple.ID, access.WayTeleport, "g"
		err := w.DB.Write(w.Ctx, func(tx *db.Tx) error { _, err := w.access.Settle(tx, part, []access.Want{bob}); return err })
		if !errors.Is(err, crash) || len(w.notices(w.Maple)) != 0 {
			w.T.Fatalf("a change that was not stored: got %v, %d notices", err, len(w.notices(w.Maple)))
		}
		fail = false
		w.settle(part, bob)
		w.Clock.Advance(2 * time.Minute)
		w.post.fail = crash
		if err := w.access.TellDue(w.T.Context()); !errors.Is(err, crash) {
			w.T.Fatalf("got %v, want the crash", err)
		}
		if n := w.notices(w.Maple)[0]; n.State != access.NoticeGathering || len(n.Mails) != 0 {
			w.T.Errorf("after the crash: got %+v", n)
		}
		for range 3 {
			w.tellDue()
		}
		same(w.T, "mails", w.to(), []string{changed + " " + anna})
	})
}

func TestSinceVisit(t *testing.T) {
	tellEach(t, func(w *teller) {
		w.list(w.Maple, operator(w.bob))
		ctx, scope := w.AsContact(w.anna)
		since := func() (time.Time, []string) {
			last, changes, err := w.access.SinceVisit(ctx, scope, w.Maple.Slug)
			if err != nil {
				w.T.Fatal(err)
			}
			return last, told(changes)
		}
		last, changes := since()
		if !last.IsZero() || len(changes) != 0 {
			w.T.Errorf("the first visit: got %s, %v", last, changes)
		}
		w.hours(1)
		w.list(w.Maple, operator(w.bob), operator(w.cleo))
		w.hours(1)
		for range 2 { // the second look is the same visit
			last, changes = since()
			if !last.Equal(dbtest.Start) {
				w.T.Errorf("last: got %s, want %s", last, dbtest.Start)
			}
			same(w.T, "since", changes, []string{"added Cleo Clark teleport operator"})
			w.Clock.Advance(time.Minute)
		}
		w.hours(2)
		last, changes = since()
		if want := dbtest.Start.Add(2*time.Hour + time.Minute); !last.Equal(want) || len(changes) != 0 {
			w.T.Errorf("the third visit: got %s, %v; want %s and nothing", last, changes, want)
		}
		if _, _, err := w.access.SinceVisit(ctx, scope, w.Harbour.ID); code(err) != controlplane.CodeNotFound {
			w.T.Errorf("another customer's: got %v, want not found", err)
		}
		// Another reader has visits of their own.
		ctx, scope = w.AsContact(w.berta)
		if last, _ = since(); !last.IsZero() {
			w.T.Errorf("Berta: got %s, want never", last)
		}
	})
}

func TestNoticesHavePages(t *testing.T) {
	clock := &dbtest.Clock{}
	w := newTeller(t, dbtest.SQLite(t, clock), clock)
	for i := range 5 {
		if i%2 == 0 {
			w.list(w.Maple, operator(w.bob))
		} else {
			w.list(w.Maple)
		}
		w.after(3 * time.Minute)
	}
	var seen []string
	for token := ""; ; {
		items, next, err := w.access.Notices(w.Ctx, w.all, w.Maple.Slug, 2, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range items {
			seen = append(seen, n.ID)
		}
		if token = next; token == "" {
			break
		}
	}
	all := w.notices(w.Maple)
	if len(seen) != 5 || len(all) != 5 || seen[0] != all[4].ID || seen[4] != all[0].ID {
		t.Errorf("got %v", seen)
	}
	if _, _, err := w.access.Notices(w.Ctx, w.all, "", 2, "x"); code(err) != controlplane.CodeInvalid {
		t.Errorf("a token of nobody's: got %v, want invalid", err)
	}
	other, others := w.Owner(w.Harbour)
	if items, _, err := w.access.Notices(other, others, "", 0, ""); err != nil || len(items) != 0 {
		t.Errorf("another customer sees %v, %v", items, err)
	}
	if _, _, err := w.access.Notices(other, others, w.Maple.ID, 0, ""); code(err) != controlplane.CodeNotFound {
		t.Errorf("another customer's: got %v, want not found", err)
	}
}
