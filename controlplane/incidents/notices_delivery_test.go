package incidents_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// TestDelivery follows a notice: a mail server's word stops the clock, a bounce has
// it run on, the next contact is written to, and then a person has to call.
func TestDelivery(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.sendAlone(w.draft(c, incidents.First, w.maple).ID)
		told := func(want bool, state incidents.NoticeState) {
			t.Helper()
			w.run()
			a := of(t, w.get(c.ID), w.maple)
			if got := w.notice(n.ID); got.State != state || got.ToldAt.IsZero() == want || a.ToldAt.IsZero() == want || (a.Clock.State == incidents.Met) != want {
				t.Errorf("got %s, told %v, the customer %v, clock %s", got.State, got.ToldAt, a.ToldAt, a.Clock.State)
			}
		}
		told(false, incidents.Sent)
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Deferred, mail.CauseLater)
		told(false, incidents.Sent)
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Accepted, "")
		told(true, incidents.Accepted)
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Bounced, mail.CauseBounced)
		told(false, incidents.Sent)
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example", "berta@maple.example"})
		w.becomes(mail.IncidentNotice, "berta@maple.example", mail.Failed, mail.CauseRefused)
		told(false, incidents.Unreachable)
		f := w.finding("incident.unreachable")
		if f.Args["person"] != "Ada Admin" || f.Args["customer"] != "Maple Bakery" || f.Args["because"] == "" {
			t.Errorf("finding: %+v", f)
		}
		// Somebody puts an address right: it is tried again.
		address := "anna.new@maple.example"
		w.clock.Advance(time.Minute)
		must[customers.Contact](t)(w.customers.UpdateContact(w.ctx, w.all, w.anna.ID, customers.ContactChange{Email: &address}))
		w.later(time.Hour)
		w.becomes(mail.IncidentNotice, address, mail.Accepted, "")
		told(true, incidents.Accepted)
		if slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("findings: %v", w.kinds())
		}
		if got := w.notice(n.ID); len(got.Tries) != 3 || got.Tries[0].Name != "Anna" || got.Tries[1].State != "failed" {
			t.Errorf("tries: %+v", got.Tries)
		}
	})
}

// Nobody opens it: the next contact has it after four hours, then a person hears
// of it; a call is recorded; opening it in the portal is the surest.
func TestNobodyOpens(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.sendAlone(w.draft(c, incidents.First, w.maple).ID)
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Accepted, "")
		w.later(4 * time.Hour)
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example", "berta@maple.example"})
		w.becomes(mail.IncidentNotice, "berta@maple.example", mail.Accepted, "")
		w.later(4 * time.Hour)
		if got := w.notice(n.ID); got.State != incidents.Accepted || !strings.Contains(w.finding("incident.unreachable").Args["because"], "opened") {
			t.Errorf("got %s, findings %v", got.State, w.kinds())
		}
		got := must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "Berta", How: "call", Note: "She had it and has read it."}))
		w.run()
		if got.State != incidents.Called || slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("got %s, findings %v", got.State, w.kinds())
		}
		told := got.ToldAt
		ctx, scope := w.asContact(w.berta)
		if err := w.incidents.Opened(ctx, scope, n.ID); err != nil {
			t.Fatal(err)
		}
		got = must[incidents.Notice](t)(w.incidents.Acknowledge(ctx, scope, n.ID))
		if got.State != incidents.Acknowledged || !got.ToldAt.Equal(told) || got.Author != "" || got.AloneWhy != "" || len(got.Tries) != 0 {
			t.Errorf("got %+v", got)
		}
		w.later(24 * time.Hour)
		same(t, "mails", w.sent(mail.IncidentNotice), []string{"anna@maple.example", "berta@maple.example"})
		var kinds []string
		for _, e := range w.entries("incident.notice") {
			if e.Customer == w.maple.ID && e.Subject == n.ID {
				kinds = append(kinds, e.Kind)
			}
		}
		same(t, "the customer's ledger", kinds, []string{"incident.notice_sent", "incident.notice_told", "incident.notice_opened", "incident.notice_acknowledged"})
	})
}

// A customer opens it before any mail server has said a word: that is delivered,
// and the case knows by the plane's own transaction.
func TestOpenedFirst(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		n := w.sendAlone(w.draft(c, incidents.First, w.maple).ID)
		ctx, scope := w.asContact(w.anna)
		if err := w.incidents.Opened(ctx, scope, n.ID); err != nil {
			t.Fatal(err)
		}
		w.run()
		if a := of(t, w.get(c.ID), w.maple); a.Clock.State != incidents.Met || a.TheirDue.IsZero() {
			t.Errorf("got %+v", a)
		}
		w.becomes(mail.IncidentNotice, "anna@maple.example", mail.Bounced, mail.CauseBounced)
		w.later(5 * time.Hour)
		if got := w.notice(n.ID); got.State != incidents.Opened || len(w.sent(mail.IncidentNotice)) != 1 {
			t.Errorf("got %s, mails %v", got.State, w.post.to())
		}
		other, scope := w.asContact(w.henry)
		for name, err := range map[string]error{"opened": w.incidents.Opened(other, scope, n.ID), "acknowledge": second(w.incidents.Acknowledge(other, scope, n.ID)), "notice": second(w.incidents.Notice(other, scope, n.ID))} {
			if code(err) != controlplane.CodeNotFound {
				t.Errorf("another customer, %s: %v", name, err)
			}
		}
		if _, err := w.incidents.Acknowledge(w.ctx, w.all, n.ID); code(err) != controlplane.CodeForbidden {
			t.Errorf("staff took note: %v", err)
		}
	})
}

// A customer without contacts blocks nothing, and goes to a person.
func TestNobodyToWriteTo(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		lonely := w.customer("lonely", "Lonely Ltd")
		reader := w.customer("reading", "Reading Room")
		w.contact(reader, "Rita", policy.RoleReader)
		w.lives(w.shared, lonely)
		w.lives(w.shared, reader)
		c := w.open([]customers.Server{w.shared})
		if got := w.drafts(c, incidents.First); len(got) != 4 {
			t.Fatalf("drafts: %d", len(got))
		}
		sent, kept, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "now"})
		if err != nil || sent != 4 || len(kept) != 0 {
			t.Fatalf("got %d, %v, %v", sent, kept, err)
		}
		w.run()
		got := w.sent(mail.IncidentNotice)
		slices.Sort(got)
		same(t, "mails", got, []string{"anna@maple.example", "henry@harbour.example"})
		var who []string
		for _, f := range w.found() {
			if f.Kind == "incident.unreachable" {
				who = append(who, f.Args["customer"]+": "+f.Args["because"])
			}
		}
		slices.Sort(who)
		same(t, "to be called", who, []string{"Lonely Ltd: They have no owner among their contacts", "Reading Room: They have no owner among their contacts"})
		w.contact(lonely, "Lea", policy.RoleOwner)
		w.later(time.Hour)
		if !slices.Contains(w.sent(mail.IncidentNotice), "lea@lonely.example") {
			t.Errorf("mails: %v", w.post.to())
		}
	})
}

// The usual channel may be read by others: the mail says nothing, and a person calls.
func TestUnsafeChannel(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}, func(n *incidents.NewCase) { n.ChannelUnsafe = true }), w.maple)
		d := w.draft(c, incidents.First, w.maple)
		if p := must[incidents.Preview](t)(w.incidents.Preview(w.ctx, w.all, d.ID)); !slices.Contains(texts(p.Checks), "channel") {
			t.Errorf("checks: %+v", p.Checks)
		}
		n := w.sendAlone(d.ID)
		w.run()
		l := w.post.letters(mail.IncidentChannel)
		if len(w.sent(mail.IncidentNotice)) != 0 || len(l) == 0 || len(l[0].Args) != 0 {
			t.Fatalf("mails: %v", w.post.to())
		}
		w.becomes(mail.IncidentChannel, "anna@maple.example", mail.Accepted, "")
		w.run()
		if got := w.notice(n.ID); got.State.Delivered() || !slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("got %s, findings %v", got.State, w.kinds())
		}
		must[incidents.Notice](t)(w.incidents.Tell(w.ctx, w.all, n.ID, incidents.Telling{To: "Anna", How: "call", Note: "Called the number of the contract."}))
		w.run()
		if a := of(t, w.get(c.ID), w.maple); a.Clock.State != incidents.Met || slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("clock %s, findings %v", a.Clock.State, w.kinds())
		}
	})
}
