package incidents_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
	"ostler/controlplane/policy"
)

// letters sends notices by the real mail.
type letters struct{ m *mail.Mail }

// Enqueue implements incidents.Mailer.
func (l letters) Enqueue(tx *db.Tx, x incidents.Letter) (string, error) {
	return l.m.Enqueue(tx, mail.Message(x))
}

// mailed runs fn with a world whose notices go out by the real mail to a real SMTP
// server, on each database.
func mailed(t *testing.T, so mailtest.Options, change func(o *mail.Options), fn func(w *world, m *mail.Mail, s *mailtest.Sink)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		s := must[*mailtest.Sink](t)(mailtest.Start(so))
		t.Cleanup(func() { _ = s.Close() })
		o := s.Options()
		o.From, o.PortalURL, o.EHLO, o.Company = "noreply@hof.example", "https://portal.example", "plane.hof.example", "Hof Hosting"
		if change != nil {
			change(&o)
		}
		var m *mail.Mail
		w := newWorld(t, d, clock, func(deps *incidents.Deps, _ *incidents.Options) {
			m = must[*mail.Mail](t)(mail.New(d, deps.Keeper, deps.Ledger, deps.Jobs, deps.Findings, o))
			deps.Mail = letters{m}
		})
		m.OnChanged(w.incidents.MailBecame)
		w.contactable()
		fn(w, m, s)
	})
}

// firstNotice sends maple the first notice of a case of theirs.
func (w *world) firstNotice() (incidents.Case, incidents.Notice) {
	w.t.Helper()
	c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
	return c, w.sendAlone(w.draft(c, incidents.First, w.maple).ID)
}

// noticesTo lists to whom the SMTP server took mails of a subject.
func noticesTo(s *mailtest.Sink, subject string) (to []string) {
	for _, m := range s.Messages() {
		if strings.Contains(m.Subject, subject) {
			to = append(to, m.To)
		}
	}
	slices.Sort(to)
	return to
}

const firstSubject = "An incident on servers of yours"

// The mail server is down for 20 hours: everybody who can be written to is, a person
// hears of it in time, and each mail arrives once when it is back.
func TestMailServerDownFor20Hours(t *testing.T) {
	var down atomic.Bool
	mailed(t, mailtest.Options{}, func(o *mail.Options) {
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if down.Load() {
				return nil, errors.New("connection refused")
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
	}, func(w *world, _ *mail.Mail, s *mailtest.Sink) {
		down.Store(true)
		c, n := w.firstNotice()
		for range 40 {
			w.later(30 * time.Minute)
		}
		a := of(t, w.get(c.ID), w.maple)
		if got := w.notice(n.ID); got.State != incidents.Unreachable || !got.ToldAt.IsZero() || a.Clock.State != incidents.Running || len(got.Tries) != 2 {
			t.Errorf("after 20 hours: %s, told %v, clock %s, %d tries", got.State, got.ToldAt, a.Clock.State, len(got.Tries))
		}
		if f := w.finding("incident.unreachable"); f.Args["person"] != "Ada Admin" {
			t.Errorf("finding: %+v", f)
		}
		down.Store(false)
		for range 4 {
			w.later(20 * time.Minute)
		}
		same(t, "arrived", noticesTo(s, firstSubject), []string{"anna@maple.example", "berta@maple.example"})
		a = of(t, w.get(c.ID), w.maple)
		if got := w.notice(n.ID); got.State != incidents.Accepted || a.Clock.State != incidents.Met || slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("when it is back: %s, clock %s, findings %v", got.State, a.Clock.State, w.kinds())
		}
		for id, count := range s.Counts() {
			if count != 1 {
				t.Errorf("%s arrived %d times", id, count)
			}
		}
		for _, x := range s.Messages() { // the whole text, and what the ledger has the hash of
			if strings.Contains(x.Subject, firstSubject) && !strings.Contains(string(x.Raw), "Case "+c.Number) && !strings.Contains(string(x.Raw), "case "+c.Number) {
				t.Errorf("the text is not in the mail:\n%s", x.Raw)
			}
		}
	})
}

func TestGreylisting(t *testing.T) {
	mailed(t, mailtest.Options{}, nil, func(w *world, _ *mail.Mail, s *mailtest.Sink) {
		s.Play(func(at mailtest.Moment, _ mailtest.Message) mailtest.Action {
			if at == mailtest.Rcpt {
				return mailtest.Action{Code: 450, Text: "4.2.0 greylisted"}
			}
			return mailtest.Action{}
		})
		_, n := w.firstNotice()
		w.run()
		if got := w.notice(n.ID); got.State != incidents.Sent || got.Tries[0].State != string(mail.Deferred) {
			t.Errorf("got %s, %+v", got.State, got.Tries)
		}
		s.Play(nil)
		w.later(6 * time.Minute)
		if got := w.notice(n.ID); got.State != incidents.Accepted {
			t.Errorf("got %s, %+v", got.State, got.Tries)
		}
		same(t, "arrived", noticesTo(s, firstSubject), []string{"anna@maple.example"})
	})
}

// A bounce that comes after acceptance: it is not delivered any more, and the next
// contact is written to.
func TestBounceAfterAcceptance(t *testing.T) {
	mailed(t, mailtest.Options{}, nil, func(w *world, m *mail.Mail, s *mailtest.Sink) {
		c, n := w.firstNotice()
		w.run()
		got := w.notice(n.ID)
		if got.State != incidents.Accepted || of(t, w.get(c.ID), w.maple).Clock.State != incidents.Met {
			t.Fatalf("got %s", got.State)
		}
		d := must[mail.Delivery](t)(m.Get(w.ctx, w.all, got.Tries[0].Mail))
		w.clock.Advance(time.Hour)
		if _, err := m.ReceiveDSN(w.ctx, bounceOf(d)); err != nil {
			t.Fatal(err)
		}
		if a := of(t, w.get(c.ID), w.maple); a.Clock.State != incidents.Running || !a.ToldAt.IsZero() {
			t.Errorf("clock: %+v", a)
		}
		w.run()
		w.run()
		got = w.notice(n.ID)
		if got.State != incidents.Accepted || got.Tries[0].State != string(mail.Bounced) || !got.ToldAt.After(got.SentAt.Add(59*time.Minute)) {
			t.Errorf("got %s, told %s, %+v", got.State, got.ToldAt, got.Tries)
		}
		same(t, "arrived", noticesTo(s, firstSubject), []string{"anna@maple.example", "berta@maple.example"})
	})
}

// bounceOf is a report that a mail could not be delivered (RFC 3464).
func bounceOf(d mail.Delivery) []byte {
	return []byte(strings.ReplaceAll(fmt.Sprintf(`From: MAILER-DAEMON@relay.example
To: noreply@hof.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"

--B1
Content-Type: text/plain

I am sorry.

--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example
Original-Envelope-Id: %s

Final-Recipient: rfc822; %s
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--B1
Content-Type: text/rfc822-headers

Message-ID: %s

--B1--
`, d.ID, d.To, d.MessageID), "\n", "\r\n"))
}

// A list with one bad address: the others have it, and the next one of theirs.
func TestOneBadAddress(t *testing.T) {
	mailed(t, mailtest.Options{}, nil, func(w *world, _ *mail.Mail, s *mailtest.Sink) {
		s.Play(func(at mailtest.Moment, m mailtest.Message) mailtest.Action {
			if at == mailtest.Rcpt && strings.HasPrefix(m.To, "anna") {
				return mailtest.Action{Code: 550, Text: "5.1.1 no such user"}
			}
			return mailtest.Action{}
		})
		c := w.open([]customers.Server{w.shared})
		w.drafts(c, incidents.First)
		if sent, kept, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "now"}); err != nil || sent != 2 {
			t.Fatal(sent, kept, err)
		}
		w.run()
		w.run()
		same(t, "arrived", noticesTo(s, firstSubject), []string{"berta@maple.example", "henry@harbour.example"})
		items, _, err := w.incidents.Notices(w.ctx, w.all, incidents.NoticeFilter{Case: c.ID, State: incidents.Accepted})
		n := 0
		for _, x := range items {
			if x.Purpose == incidents.First {
				n++
			}
		}
		if err != nil || n != 2 {
			t.Errorf("got %d of 2 accepted, %v", n, err)
		}
	})
}

// A mail server without encryption gets a mail without content: that tells nobody,
// and a person calls.
func TestAMailWithoutContentTellsNobody(t *testing.T) {
	mailed(t, mailtest.Options{NoTLS: true}, func(o *mail.Options) { o.NoticeWithoutTLS = true }, func(w *world, m *mail.Mail, s *mailtest.Sink) {
		c, n := w.firstNotice()
		w.run()
		w.run()
		got := w.notice(n.ID)
		if got.State.Delivered() || of(t, w.get(c.ID), w.maple).Clock.State != incidents.Running || !slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("got %s, findings %v", got.State, w.kinds())
		}
		for _, x := range s.Messages() {
			if strings.Contains(string(x.Raw), "maple-1") || strings.Contains(string(x.Raw), c.Number) {
				t.Errorf("its content went out in clear:\n%s", x.Raw)
			}
		}
		if err := m.RecordCall(w.ctx, w.all, got.Tries[0].Mail, "Spoke to Anna."); err != nil {
			t.Fatal(err)
		}
		w.run()
		if got := w.notice(n.ID); got.State != incidents.Called || of(t, w.get(c.ID), w.maple).Clock.State != incidents.Met || slices.Contains(w.kinds(), "incident.unreachable") {
			t.Errorf("got %s, findings %v", got.State, w.kinds())
		}
	})
}

// breaking is mail that breaks off after some letters: the process ends there.
type breaking struct {
	post *post
	left int
}

var errKilled = errors.New("killed")

// Enqueue implements incidents.Mailer.
func (b *breaking) Enqueue(tx *db.Tx, l incidents.Letter) (string, error) {
	if b.left--; b.left < 0 {
		return "", errKilled
	}
	return b.post.Enqueue(tx, l)
}

// A process that ends in the middle of many notices: what was sent stays sent, the
// rest is sent by the next, and nobody has one twice.
func TestKilledInTheMiddleOfMany(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		b := &breaking{left: 130}
		w := newWorld(t, d, clock, func(deps *incidents.Deps, _ *incidents.Options) {
			b.post = deps.Mail.(*post)
			deps.Mail = b
		})
		w.contactable()
		const many = 180
		for i := range many {
			c := w.customer(fmt.Sprintf("firm-%03d", i), fmt.Sprintf("Firm Number%03d", i))
			w.contact(c, "Owner", policy.RoleOwner)
			w.lives(w.shared, c)
		}
		c := w.open([]customers.Server{w.shared})
		if got := w.drafts(c, incidents.First); len(got) != many+2 {
			t.Fatalf("drafts: %d", len(got))
		}
		_, _, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "now"})
		if !errors.Is(err, errKilled) || len(w.sent(mail.IncidentNotice)) != 100 {
			t.Fatalf("got %v after %d mails", err, len(w.sent(mail.IncidentNotice)))
		}
		b.left = 1 << 30
		sent, kept, err := w.incidents.SendAll(w.ctx, w.all, c.ID, incidents.Sending{AloneWhy: "now"})
		if err != nil || sent != many+2-100 || len(kept) != 0 {
			t.Errorf("got %d, %v, %v", sent, kept, err)
		}
		once := w.sent(mail.IncidentNotice)
		slices.Sort(once)
		if len(once) != many+2 || len(slices.Compact(once)) != many+2 {
			t.Errorf("mails: %d, each once", len(once))
		}
		// A false alarm told to all of them, broken off too.
		w.falseAlarm(c.ID, "A test.")
		b.left = 70
		if err := w.incidents.Pass(w.ctx); !errors.Is(err, errKilled) {
			t.Errorf("got %v", err)
		}
		b.left = 1 << 30
		w.run()
		once = w.sent(mail.IncidentWithdrawn)
		slices.Sort(once)
		if len(once) != many+2 || len(slices.Compact(once)) != many+2 {
			t.Errorf("withdrawals: %d, each once", len(once))
		}
	})
}
