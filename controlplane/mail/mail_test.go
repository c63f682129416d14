package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

const (
	anna  = "anna.müller-zebra@orchard.example"
	annaA = "anna.mueller-zebra@orchard.example"
	con   = "con_00000000000000000000000000"
)

// house is a control plane of which only mail is looked at.
type house struct {
	*mail.Mail
	t        *testing.T
	db       *db.DB
	clock    *dbtest.Clock
	keys     *secrets.Keeper
	ledger   *ledger.Ledger
	jobs     *jobs.Jobs
	findings *findings.Findings
	ctx      context.Context
	all      policy.Scope
	customer string
}

// newHouse builds one; a second one on the same database is the same house
// after a restart.
func newHouse(t *testing.T, d *db.DB, clock *dbtest.Clock, keys string, o mail.Options) *house {
	t.Helper()
	h := &house{t: t, db: d, clock: clock, ctx: controlplane.System(t.Context(), "test"), all: policy.AllCustomers("test"), customer: "cus_0000000000000000000000000g"}
	var err error
	h.keys, err = secrets.OpenFile(h.ctx, d, keys)
	h.must(err)
	h.must(h.keys.EnsureKey(h.ctx, h.customer))
	h.ledger, err = ledger.New(d, h.keys, ledger.Options{Origin: "test.invalid/ostler"})
	h.must(err)
	h.jobs = jobs.New(d, h.keys, nil, jobs.Options{})
	h.findings = findings.New(d, h.keys, h.ledger, nil)
	if o.PortalURL == "" {
		o.PortalURL = "https://portal.example"
	}
	if o.Company == "" {
		o.Company = "Hof & Stall"
	}
	if o.From == "" {
		o.From = "Hof & Stall <noreply@hof.example>"
	}
	if o.EHLO == "" {
		o.EHLO = "plane.hof.example"
	}
	h.Mail, err = mail.New(d, h.keys, h.ledger, h.jobs, h.findings, o)
	h.must(err)
	h.must(h.Start(h.ctx))
	return h
}

// each runs fn with a house and a sink, on each database; change may be nil.
func each(t *testing.T, so mailtest.Options, change func(o *mail.Options), fn func(h *house, s *mailtest.Sink)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		s := sink(t, so)
		o := s.Options()
		if change != nil {
			change(&o)
		}
		fn(newHouse(t, d, clock, filepath.Join(t.TempDir(), "keys"), o), s)
	})
}

func sink(t *testing.T, o mailtest.Options) *mailtest.Sink {
	t.Helper()
	s, err := mailtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) ready() mail.Message {
	return mail.Message{Customer: h.customer, Person: con, To: annaA, Name: "Anna Müller", Template: mail.RestoreReady,
		Args: map[string]string{"server": "orchard-db1", "until": "Friday 18:00"}, Path: "/restores/res_1", Subject: "res_1"}
}

func (h *house) enqueue(m mail.Message) (id string) {
	h.t.Helper()
	h.must(h.db.Write(h.ctx, func(tx *db.Tx) (err error) { id, err = h.Enqueue(tx, m); return err }))
	return id
}

// tick has the plane do what is due.
func (h *house) tick() {
	h.t.Helper()
	h.must(h.jobs.Tick(h.ctx))
}

// after moves the clock and ticks.
func (h *house) after(d time.Duration) {
	h.t.Helper()
	h.clock.Advance(d)
	h.tick()
}

func (h *house) get(id string) mail.Delivery {
	h.t.Helper()
	d, err := h.Get(h.ctx, h.all, id)
	h.must(err)
	return d
}

func (h *house) want(id string, state mail.State, cause mail.Cause) mail.Delivery {
	h.t.Helper()
	d := h.get(id)
	if d.State != state || d.Cause != cause {
		h.t.Errorf("mail: got %s, cause %q (%s), want %s, cause %q", d.State, d.Cause, d.Last.Reply, state, cause)
	}
	return d
}

// open lists the kinds of open findings.
func (h *house) open() []string {
	h.t.Helper()
	items, _, err := h.findings.List(h.ctx, h.all, findings.Filter{})
	h.must(err)
	kinds := []string{}
	for _, f := range items {
		kinds = append(kinds, f.Kind)
		if title, cause, next := findings.Sentence("en", f); title == "" || cause == "" || next == "" {
			h.t.Errorf("finding %s has no sentence", f.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

func (h *house) wantOpen(want ...string) {
	h.t.Helper()
	if got := h.open(); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		h.t.Errorf("findings: got %v, want %v", got, want)
	}
}

// entries are the kinds of the ledger's entries about mail, in order.
func (h *house) entries() []string {
	h.t.Helper()
	var kinds []string
	h.must(h.db.Read(h.ctx, func(tx *db.Tx) error {
		return tx.Raw("SELECT kind FROM ledger_pending WHERE kind LIKE 'mail.%' ORDER BY id").Scan(&kinds).Error
	}))
	return kinds
}

func TestAcceptedWithEvidence(t *testing.T) {
	each(t, mailtest.Options{User: "ostler", Password: "pass word"}, nil, func(h *house, s *mailtest.Sink) {
		id := h.enqueue(h.ready())
		queued := h.want(id, mail.Queued, "")
		h.tick()
		d := h.want(id, mail.Accepted, "")
		got := s.Messages()
		if len(got) != 1 {
			h.t.Fatalf("messages: got %d, want 1", len(got))
		}
		m := got[0]
		if m.MessageID != queued.MessageID || m.To != annaA || m.From != "noreply@hof.example" || !m.TLS || m.User != "ostler" || m.Subject != "Your files are ready" {
			h.t.Errorf("message: got %+v, want Message-ID %s", m, queued.MessageID)
		}
		if "<"+m.EnvelopeID+">" != d.MessageID || !slices.Equal(m.Notify, []string{"FAILURE", "DELAY"}) {
			h.t.Errorf("DSN: got %q %v", m.EnvelopeID, m.Notify)
		}
		if a := d.Last; a.N != 1 || a.Tries != 1 || a.Outcome != mail.OutcomeAccepted || a.Code != 250 || a.QueueID != m.QueueID || !strings.Contains(a.Reply, m.QueueID) ||
			a.TLS != "TLS 1.3" || a.Peer != s.Peer() || a.Server != s.Addr() || !a.DSN || a.SHA256 != queued.SHA256 || a.Content != mail.Full {
			h.t.Errorf("evidence: got %+v", a)
		}
		raw, err := h.Bytes(h.ctx, h.all, id)
		h.must(err)
		if want := bytes.TrimSuffix(m.Raw, []byte("\r\n")); !bytes.Equal(bytes.TrimSuffix(raw, []byte("\r\n")), want) {
			h.t.Errorf("the bytes that arrived are not those that were stored:\n%q\n%q", raw, m.Raw)
		}
		if got, want := h.entries(), []string{"mail.queued", "mail.accepted"}; !slices.Equal(got, want) {
			h.t.Errorf("ledger: got %v, want %v", got, want)
		}
		h.after(48 * time.Hour)
		if n := len(s.Messages()); n != 1 {
			h.t.Errorf("later: %d messages, want 1", n)
		}
		h.wantOpen()
	})
}

func TestImplicitTLSAndLoopback(t *testing.T) {
	for _, c := range []struct {
		security mail.Security
		tls      bool
	}{{mail.Implicit, true}, {mail.Loopback, false}} {
		t.Run(string(c.security), func(t *testing.T) {
			each(t, mailtest.Options{Security: c.security}, nil, func(h *house, s *mailtest.Sink) {
				id := h.enqueue(h.ready())
				h.tick()
				d := h.want(id, mail.Accepted, "")
				if got := s.Messages(); len(got) != 1 || (d.Last.TLS != "") != c.tls {
					h.t.Errorf("got %d messages over %q", len(got), d.Last.TLS)
				}
			})
		})
	}
}

func TestKeyIsUniqueForEver(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		m := h.ready()
		m.Key = "restore.ready:res_1:" + con
		id := h.enqueue(m)
		if again := h.enqueue(m); again != id {
			t.Errorf("again: got %s, want %s", again, id)
		}
		h.tick()
		if again := h.enqueue(m); again != id {
			t.Errorf("after it was sent: got %s, want %s", again, id)
		}
		h.tick()
		if n := len(s.Messages()); n != 1 {
			t.Errorf("messages: got %d, want 1", n)
		}
		m.Customer = ""
		if err := h.db.Write(h.ctx, func(tx *db.Tx) error { _, err := h.Enqueue(tx, m); return err }); err == nil {
			t.Error("the key of another customer's mail was taken")
		}
	})
}

// TestNothingIsQueuedWithoutItsChange has a mail go with the transaction.
func TestNothingIsQueuedWithoutItsChange(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		undo := errors.New("undo")
		if err := h.db.Write(h.ctx, func(tx *db.Tx) error {
			if _, err := h.Enqueue(tx, h.ready()); err != nil {
				return err
			}
			return undo
		}); !errors.Is(err, undo) {
			t.Fatal(err)
		}
		h.tick()
		if items, _, err := h.List(h.ctx, h.all, mail.Filter{}); err != nil || len(items) != 0 || len(s.Messages()) != 0 {
			t.Errorf("got %d mails, %d messages, %v", len(items), len(s.Messages()), err)
		}
	})
}

// TestSealed looks for what names a person in every file of the database.
func TestSealed(t *testing.T) {
	dir := t.TempDir()
	clock := &dbtest.Clock{}
	d, err := db.Open(t.Context(), db.Options{URL: "sqlite:" + filepath.Join(dir, "ostler.db"), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := sink(t, mailtest.Options{})
	h := newHouse(t, d, clock, filepath.Join(t.TempDir(), "keys"), s.Options())
	s.Play(func(at mailtest.Moment, m mailtest.Message) mailtest.Action {
		if at == mailtest.Rcpt && strings.HasPrefix(m.To, "bernd") {
			return mailtest.Action{Code: 550, Text: "no such user " + m.To}
		}
		return mailtest.Action{}
	})
	id := h.enqueue(h.ready())
	m := h.ready()
	m.To = "bernd-zebra@orchard.example"
	h.enqueue(m)
	m.To = "not an address of zebra-person"
	h.enqueue(m)
	h.tick()
	h.must(h.RecordCall(h.ctx, h.all, id, "called zebra-number"))
	_, err = h.ReceiveDSN(h.ctx, bounce(h.get(id), "failed", "smtp; 550 zebra-mailbox is full"))
	h.must(err)
	h.must(d.Close())
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	h.must(err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		h.must(err)
		for _, word := range []string{"zebra", "Müller", "bernd", "orchard.example"} {
			if bytes.Contains(raw, []byte(word)) {
				t.Errorf("%s holds %q in clear", filepath.Base(f), word)
			}
		}
	}
}

func TestUnsentWithoutServer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		keys := filepath.Join(t.TempDir(), "keys")
		h := newHouse(t, d, clock, keys, mail.Options{})
		contact := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: con, Customer: h.customer, Role: string(policy.RoleOwner)})
		var id string
		h.must(d.Write(contact, func(tx *db.Tx) (err error) { id, err = h.Enqueue(tx, h.ready()); return err }))
		h.want(id, mail.Unsent, mail.CauseNoServer)
		h.enqueue(h.ready())
		h.tick()
		h.wantOpen("mail.unconfigured")
		s := sink(t, mailtest.Options{})
		h = newHouse(t, d, clock, keys, s.Options())
		h.wantOpen()
		h.after(time.Hour)
		h.want(id, mail.Unsent, mail.CauseNoServer)
	})
}

// TestServerTakenAway has a mail wait for a server that is then configured no more.
func TestServerTakenAway(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		keys := filepath.Join(t.TempDir(), "keys")
		h := newHouse(t, d, clock, keys, mail.Options{Host: "mail.hof.example", Dial: refuse})
		id := h.enqueue(h.ready())
		for range 8 {
			h.after(5 * time.Minute)
		}
		h.want(id, mail.Deferred, mail.CauseUnreachable)
		h.wantOpen("mail.unreachable")
		h = newHouse(t, d, clock, keys, mail.Options{})
		h.after(20 * time.Minute)
		h.want(id, mail.Unsent, mail.CauseNoServer)
		h.wantOpen("mail.unconfigured")
	})
}

func refuse(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
}

func TestOptionsThatCannotWork(t *testing.T) {
	d := dbtest.SQLite(t, &dbtest.Clock{})
	good := mail.Options{Host: "mail.example", From: "Hof <noreply@hof.example>", PortalURL: "https://portal.example", EHLO: "plane"}
	for name, change := range map[string]func(o *mail.Options){
		"no from":                 func(o *mail.Options) { o.From = "" },
		"two lines":               func(o *mail.Options) { o.From = "Hof\r\nBcc: x@y.example <noreply@hof.example>" },
		"reply to":                func(o *mail.Options) { o.ReplyTo = "nobody" },
		"bounces":                 func(o *mail.Options) { o.BouncesTo = "a b@c" },
		"clear":                   func(o *mail.Options) { o.Security = mail.Loopback },
		"login in clear":          func(o *mail.Options) { o.Security, o.Host, o.User = mail.Loopback, "127.0.0.1", "me" },
		"unknown tls":             func(o *mail.Options) { o.Security = "opportunistic" },
		"port":                    func(o *mail.Options) { o.Port = 70000 },
		"ehlo":                    func(o *mail.Options) { o.EHLO = "plane\r\nMAIL FROM:<x>" },
		"portal":                  func(o *mail.Options) { o.PortalURL = "javascript:alert(1)" },
		"portal with slash":       func(o *mail.Options) { o.PortalURL += "/" },
		"dkim without a key":      func(o *mail.Options) { o.DKIM = &mail.DKIM{Domain: "hof.example", Selector: "s"} },
		"dkim without a selector": func(o *mail.Options) { o.DKIM = &mail.DKIM{Domain: "hof.example"} },
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			change(&o)
			if _, err := mail.New(d, nil, nil, jobs.New(d, nil, nil, jobs.Options{}), nil, o); err == nil {
				t.Error("no error")
			}
		})
	}
	if _, err := mail.New(d, nil, nil, jobs.New(d, nil, nil, jobs.Options{}), nil, good); err != nil {
		t.Errorf("good ones: %v", err)
	}
}

// TestSinkInAFolder is what a demo starts: each message is a file to read.
func TestSinkInAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mails")
	s, ca, err := mailtest.StartIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := os.Stat(ca); err != nil {
		t.Error(err)
	}
	h := newHouse(t, dbtest.SQLite(t, &dbtest.Clock{}), nil, filepath.Join(t.TempDir(), "keys"), s.Options())
	h.enqueue(h.ready())
	h.enqueue(h.ready())
	h.tick()
	for i, m := range s.Messages() {
		raw, err := os.ReadFile(m.File)
		if err != nil || !bytes.Equal(raw, m.Raw) || m.File != filepath.Join(dir, fmt.Sprintf("%04d.eml", i+1)) {
			t.Errorf("%s: %v", m.File, err)
		}
	}
	if n := len(s.Messages()); n != 2 {
		t.Errorf("messages: got %d, want 2", n)
	}
}

// bounce is a report about a mail, as Postfix writes them.
func bounce(d mail.Delivery, action, diagnostic string) []byte {
	return []byte(strings.ReplaceAll(fmt.Sprintf(`From: MAILER-DAEMON@relay.example (Mail Delivery System)
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
Arrival-Date: Fri, 20 Nov 2026 09:00:00 +0000

Final-Recipient: rfc822; %s
Original-Recipient: rfc822;%s
Action: %s
Status: 5.2.2
Remote-MTA: dns; mx.orchard.example
Diagnostic-Code: %s

--B1
Content-Type: text/rfc822-headers

Message-ID: %s
Subject: Your files are ready

--B1--
`, strings.Trim(d.MessageID, "<>"), d.To, d.To, action, diagnostic, d.MessageID), "\n", "\r\n"))
}
