package access_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
	"ostler/controlplane/policy"
)

// outgoing is package mail as the slice sees it.
type outgoing struct{ *mail.Mail }

func (o outgoing) Enqueue(tx *db.Tx, l access.Letter) (string, error) {
	return o.Mail.Enqueue(tx, mail.Message(l))
}

// newMailed is a world with real mail to a mail server of the test.
func newMailed(t testing.TB, d *db.DB, clock *dbtest.Clock, o mail.Options) (*world, *mail.Mail) {
	t.Helper()
	o.PortalURL, o.From, o.EHLO, o.Company = "https://portal.example", "Hof <noreply@hof.example>", "plane.hof.example", "Hof"
	var m *mail.Mail
	w := newWorld(t, d, clock, func(deps *access.Deps, _ *access.Options) {
		m = must[*mail.Mail](t)(mail.New(d, deps.Keeper, deps.Ledger, deps.Jobs, deps.Findings, o))
		deps.Mail = outgoing{m}
	})
	m.OnChanged(w.access.MailBecame)
	return w, m
}

// A notice goes through real mail to a real mail server: accepted, come back,
// on to the next contact, with every item in the mail.
func TestNoticeByRealMail(t *testing.T) {
	sink := must[*mailtest.Sink](t)(mailtest.Start(mailtest.Options{}))
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		before := len(sink.Messages())
		w, m := newMailed(t, d, clock, sink.Options())
		w.contact(w.Maple, "Anna", policy.RoleOwner)
		w.contact(w.Maple, "Berta", policy.RoleOwner)
		w.list(w.Maple, operator(w.bob), operator(w.cleo))
		w.after(2 * time.Minute)
		tick := func() {
			if err := w.Jobs.Tick(w.Ctx); err != nil {
				t.Fatal(err)
			}
			w.tellDue()
		}
		tick()
		n := w.notices(w.Maple)[0]
		if n.State != access.NoticeAccepted || n.Items[0].NotifiedAt.IsZero() || n.Mails[0].State != "accepted" {
			t.Fatalf("accepted: got %+v", n)
		}
		sent := sink.Messages()[before:]
		if len(sent) != 1 || sent[0].To != anna || !strings.Contains(string(sent[0].Raw), "Bob Builder can sign in") || !strings.Contains(string(sent[0].Raw), "Cleo Clark can sign in") {
			t.Fatalf("sent: got %+v", sent)
		}
		delivery, err := m.Get(w.Ctx, w.all, n.Mails[0].Mail)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.ReceiveDSN(w.Ctx, report(delivery.MessageID)); err != nil {
			t.Fatal(err)
		}
		w.tellDue()
		tick()
		n = w.notices(w.Maple)[0]
		if n.State != access.NoticeAccepted || len(n.Mails) != 2 || n.Mails[0].State != "bounced" || n.Mails[1].State != "accepted" {
			t.Errorf("the next contact: got %+v", n)
		}
		if sent = sink.Messages()[before:]; len(sent) != 2 || sent[1].To != berta {
			t.Errorf("sent: got %+v", sent)
		}
	})
}

// report is a report of failure about a mail (RFC 3464).
func report(messageID string) []byte {
	return []byte(strings.ReplaceAll(fmt.Sprintf(`From: MAILER-DAEMON@mx.example
To: noreply@hof.example
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It did not arrive.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; anna@maple.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b
Content-Type: message/rfc822-headers

Message-ID: %s

--b--
`, messageID), "\n", "\r\n"))
}

// BenchmarkTold has one person leave the lists of 2,000 customers, until every
// customer's notice is with a mail server: within 5 minutes, and none twice.
func BenchmarkTold(b *testing.B) {
	const lists = 2000
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			sink := must[*mailtest.Sink](b)(mailtest.Start(mailtest.Options{}))
			defer func() { _ = sink.Close() }()
			clock := &dbtest.Clock{}
			w, _ := newMailed(b, benchDB(b, engine, clock), clock, sink.Options())
			var ids []string
			for i := range lists {
				c := w.Customer(fmt.Sprintf("bench-%04d", i), "Bench")
				w.contact(c, "Owner", policy.RoleOwner)
				ids = append(ids, c.ID)
			}
			for b.Loop() {
				before := len(sink.Messages())
				leaver := must[access.Person](b)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindContractor, Name: "Leaver"}))
				var wants []access.Want
				for _, id := range ids {
					wants = append(wants, access.Want{Customer: id, Person: leaver.ID, Way: access.WayTeleport, Role: "operator", Ground: "grt_bench"})
				}
				w.settle(access.Part{Column: access.Listed, Source: "grant", Persons: []string{leaver.ID}}, wants...)
				w.Write(func(tx *db.Tx) error { // that they came is told already
					if err := tx.Exec("DELETE FROM access_notice_items").Error; err != nil {
						return err
					}
					return tx.Exec("DELETE FROM access_notices WHERE state = 'gathering'").Error
				})
				start := time.Now()
				if n := must[int](b)(w.access.Leave(w.Ctx, w.all, leaver.ID, "a new employer")); n != lists {
					b.Fatalf("taken off %d lists, want %d", n, lists)
				}
				left := time.Since(start)
				w.after(3 * time.Minute)
				queued := time.Since(start)
				for len(sink.Messages())-before < lists {
					if err := w.Jobs.Tick(w.Ctx); err != nil {
						b.Fatal(err)
					}
					if time.Since(start) > 30*time.Minute {
						b.Fatalf("%d of %d notices after half an hour", len(sink.Messages())-before, lists)
					}
					clock.Advance(time.Second)
				}
				b.ReportMetric(time.Since(start).Seconds(), "s")
				b.ReportMetric(left.Seconds(), "left-s")
				b.ReportMetric(queued.Seconds(), "queued-s")
				to := map[string]int{}
				for _, m := range sink.Messages()[before:] {
					to[m.To]++
				}
				if all := len(sink.Messages()) - before; all != lists || len(to) != lists {
					b.Errorf("notices: got %d to %d customers, want one to each of %d", all, len(to), lists)
				}
			}
		})
	}
}
