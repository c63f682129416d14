package mail_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
)

func reply(at mailtest.Moment, code int, text string) mailtest.Script {
	return func(now mailtest.Moment, _ mailtest.Message) mailtest.Action {
		if now == at {
			return mailtest.Action{Code: code, Text: text}
		}
		return mailtest.Action{}
	}
}

func drop(at mailtest.Moment) mailtest.Script {
	return func(now mailtest.Moment, _ mailtest.Message) mailtest.Action {
		return mailtest.Action{Drop: now == at}
	}
}

// TestOneTry is what is known after one try that a server did not take.
func TestOneTry(t *testing.T) {
	quick := func(o *mail.Options) { o.Step, o.Final = 300*time.Millisecond, 300*time.Millisecond }
	for _, c := range []struct {
		name    string
		sink    mailtest.Options
		script  mailtest.Script
		change  func(o *mail.Options)
		to      string
		state   mail.State
		cause   mail.Cause
		outcome mail.Outcome
		reply   string // part of it
		doubt   bool
		arrived int
		finding string
	}{
		{name: "greylisted", script: reply(mailtest.Rcpt, 450, "Greylisted, try again in 300 seconds"), state: mail.Deferred, cause: mail.CauseLater, outcome: mail.OutcomeDeferred, reply: "Greylisted, try again"},
		{name: "later after the data", script: reply(mailtest.Data, 452, "Out of room"), state: mail.Deferred, cause: mail.CauseLater, outcome: mail.OutcomeDeferred, reply: "Out of room"},
		{name: "no such person", script: reply(mailtest.Rcpt, 550, "No such user here"), state: mail.Failed, cause: mail.CauseRefused, outcome: mail.OutcomeRefused, reply: "No such user here", finding: "mail.failed"},
		{name: "content refused", script: reply(mailtest.Data, 554, "Looks like spam"), state: mail.Failed, cause: mail.CauseRefused, outcome: mail.OutcomeRefused, reply: "Looks like spam", finding: "mail.failed"},
		{name: "we may not send", script: reply(mailtest.Mail, 553, "Sender not allowed"), state: mail.Deferred, cause: mail.CauseLogin, outcome: mail.OutcomeDeferred, reply: "Sender not allowed"},
		{name: "too busy to talk", script: reply(mailtest.Connect, 421, "Too many connections"), state: mail.Deferred, cause: mail.CauseUnreachable, outcome: mail.OutcomeDeferred, reply: "421 Too many"},
		{name: "hangs up", script: drop(mailtest.Connect), state: mail.Deferred, cause: mail.CauseUnreachable, outcome: mail.OutcomeDeferred},
		{name: "lost at the recipient", script: drop(mailtest.Rcpt), state: mail.Deferred, cause: mail.CauseLost, outcome: mail.OutcomeDeferred},
		{name: "lost after the data, not taken", script: drop(mailtest.Data), state: mail.Deferred, cause: mail.CauseUnknown, outcome: mail.OutcomeUnknown, doubt: true},
		{name: "lost after the data, taken", script: drop(mailtest.Taken), state: mail.Deferred, cause: mail.CauseUnknown, outcome: mail.OutcomeUnknown, doubt: true, arrived: 1},
		{name: "no TLS", sink: mailtest.Options{NoTLS: true}, state: mail.Deferred, cause: mail.CauseNoTLS, outcome: mail.OutcomeDeferred, reply: "offers no encryption"},
		{name: "plain where TLS is implicit", sink: mailtest.Options{NoTLS: true}, change: func(o *mail.Options) { o.Security = mail.Implicit; quick(o) }, state: mail.Deferred, cause: mail.CauseNoTLS, outcome: mail.OutcomeDeferred},
		{name: "unknown authority", change: func(o *mail.Options) { o.Roots = nil }, state: mail.Deferred, cause: mail.CauseCertificate, outcome: mail.OutcomeDeferred, reply: "certificate"},
		{name: "another's certificate", sink: mailtest.Options{Names: []string{"mail.elsewhere.example"}}, state: mail.Deferred, cause: mail.CauseCertificate, outcome: mail.OutcomeDeferred, reply: "certificate"},
		{name: "implicit with an unknown authority", sink: mailtest.Options{Security: mail.Implicit}, change: func(o *mail.Options) { o.Roots = nil }, state: mail.Deferred, cause: mail.CauseCertificate, outcome: mail.OutcomeDeferred},
		{name: "wrong password", sink: mailtest.Options{User: "me", Password: "right"}, change: func(o *mail.Options) { o.Password = "wrong" }, state: mail.Deferred, cause: mail.CauseLogin, outcome: mail.OutcomeDeferred, reply: "535"},
		{name: "no login offered", change: func(o *mail.Options) { o.User, o.Password = "me", "x" }, state: mail.Deferred, cause: mail.CauseLogin, outcome: mail.OutcomeDeferred, reply: "no login"},
		{name: "nobody there", change: func(o *mail.Options) { o.Dial = refuse }, state: mail.Deferred, cause: mail.CauseUnreachable, outcome: mail.OutcomeDeferred, reply: "connection refused"},
		{name: "letters that it does not take", sink: mailtest.Options{NoUTF8: true}, to: anna, state: mail.Failed, cause: mail.CauseAddress, outcome: mail.OutcomeRefused, reply: "SMTPUTF8", finding: "mail.failed"},
		{name: "letters that it takes", to: anna, state: mail.Accepted, outcome: mail.OutcomeAccepted, arrived: 1},
		{name: "a domain in other letters", to: "info@müller.example", state: mail.Accepted, outcome: mail.OutcomeAccepted, arrived: 1},
		{name: "without reports", sink: mailtest.Options{NoDSN: true}, state: mail.Accepted, outcome: mail.OutcomeAccepted, arrived: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sink(t, c.sink)
			o := s.Options()
			if c.change != nil {
				c.change(&o)
			}
			h := newHouse(t, dbtest.SQLite(t, &dbtest.Clock{}), nil, filepath.Join(t.TempDir(), "keys"), o)
			s.Play(c.script)
			m := h.ready()
			if c.to != "" {
				m.To = c.to
			}
			id := h.enqueue(m)
			h.tick()
			got := h.want(id, c.state, c.cause)
			if got.Last.Outcome != c.outcome || !strings.Contains(got.Last.Reply, c.reply) || got.Last.Reply == "" || got.InDoubt != c.doubt {
				t.Errorf("try: got %+v, in doubt %v", got.Last, got.InDoubt)
			}
			if n := len(s.Messages()); n != c.arrived {
				t.Errorf("arrived: got %d, want %d", n, c.arrived)
			}
			if c.finding != "" {
				h.wantOpen(c.finding)
			} else {
				h.wantOpen()
			}
		})
	}
}

// TestSlowServer has a server say nothing: each step has its time.
func TestSlowServer(t *testing.T) {
	for _, c := range []struct {
		at    mailtest.Moment
		cause mail.Cause
		doubt bool
	}{{mailtest.Connect, mail.CauseUnreachable, false}, {mailtest.Rcpt, mail.CauseLost, false}, {mailtest.Taken, mail.CauseUnknown, true}} {
		t.Run(string(c.at), func(t *testing.T) {
			s := sink(t, mailtest.Options{})
			o := s.Options()
			o.Step, o.Final = 200*time.Millisecond, 200*time.Millisecond
			h := newHouse(t, dbtest.SQLite(t, &dbtest.Clock{}), nil, filepath.Join(t.TempDir(), "keys"), o)
			wait := make(chan struct{})
			s.Play(func(at mailtest.Moment, _ mailtest.Message) mailtest.Action {
				if at == c.at {
					return mailtest.Action{Wait: wait}
				}
				return mailtest.Action{}
			})
			id := h.enqueue(h.ready())
			h.tick()
			close(wait)
			if got := h.want(id, mail.Deferred, c.cause); got.InDoubt != c.doubt {
				t.Errorf("in doubt: got %v", got.InDoubt)
			}
		})
	}
}

// TestServerDownFor20Hours has it wait, say so, and go out once it is back.
func TestServerDownFor20Hours(t *testing.T) {
	var down atomic.Bool
	var dials atomic.Int64
	each(t, mailtest.Options{}, func(o *mail.Options) {
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			if down.Load() {
				return refuse(ctx, network, addr)
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
	}, func(h *house, s *mailtest.Sink) {
		down.Store(true)
		ids := make([]string, 12)
		for i := range ids {
			ids[i] = h.enqueue(h.ready())
		}
		dials.Store(0)
		h.tick()
		if n := dials.Load(); n > 4 {
			h.t.Errorf("%d mails tried a server that takes none, one after the other", n)
		}
		h.wantOpen()
		var opened time.Duration
		for at, step := time.Duration(0), time.Minute; at < 20*time.Hour; {
			h.after(step)
			at += step
			if opened == 0 && len(h.open()) > 0 {
				opened, step = at, 20*time.Minute
			}
		}
		if opened < 15*time.Minute || opened > 25*time.Minute {
			h.t.Errorf("the finding opened after %s, want 15 to 25 minutes", opened)
		}
		h.wantOpen("mail.unreachable")
		d := h.get(ids[0])
		if d.Last.N != 1 || d.Last.Tries < 10 || d.Last.Cause != mail.CauseUnreachable {
			h.t.Errorf("tries against one obstacle are one line: got %+v", d.Last)
		}
		down.Store(false)
		for range 20 {
			h.after(time.Minute)
		}
		for _, id := range ids {
			h.want(id, mail.Accepted, "")
		}
		h.wantOpen()
		for id, n := range s.Counts() {
			if n != 1 {
				h.t.Errorf("%s arrived %d times", id, n)
			}
		}
		if n := len(h.entries()); n > 12*4 {
			h.t.Errorf("the ledger has %d entries about 12 mails", n)
		}
	})
}

func TestGreylistingPasses(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		first := map[string]time.Time{}
		s.Play(func(at mailtest.Moment, m mailtest.Message) mailtest.Action {
			if at != mailtest.Rcpt {
				return mailtest.Action{}
			}
			if first[m.To].IsZero() {
				first[m.To] = h.clock.Now()
			}
			if h.clock.Now().Sub(first[m.To]) < 5*time.Minute {
				return mailtest.Action{Code: 451, Text: "Greylisted"}
			}
			return mailtest.Action{}
		})
		id := h.enqueue(h.ready())
		h.tick()
		h.want(id, mail.Deferred, mail.CauseLater)
		for range 12 {
			h.after(time.Minute)
		}
		d := h.want(id, mail.Accepted, "")
		if got := h.get(id).Attempts; len(got) != 2 || got[0].Outcome != mail.OutcomeDeferred || got[0].Tries < 2 || d.AcceptedAt.IsZero() {
			h.t.Errorf("tries: got %+v", got)
		}
		h.wantOpen()
	})
}

func TestGivenUpAfterTwoDays(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		s.Play(reply(mailtest.Rcpt, 450, "Mailbox busy"))
		id := h.enqueue(h.ready())
		for range 49 {
			h.after(time.Hour)
		}
		d := h.want(id, mail.Failed, mail.CauseExpired)
		if !strings.Contains(d.Last.Reply, "Mailbox busy") || d.EndedAt.Sub(d.CreatedAt) < 46*time.Hour {
			h.t.Errorf("got %+v", d)
		}
		h.wantOpen("mail.failed")
		items, _, err := h.findings.List(h.ctx, h.all, findings.Filter{})
		h.must(err)
		if _, cause, _ := findings.Sentence("en", items[0]); !strings.Contains(cause, "within two days") || !strings.Contains(cause, "Mailbox busy") {
			h.t.Errorf("finding: %q", cause)
		}
	})
}

func TestCancelledByAPerson(t *testing.T) {
	each(t, mailtest.Options{}, func(o *mail.Options) { o.Dial = refuse }, func(h *house, s *mailtest.Sink) {
		id := h.enqueue(h.ready())
		h.tick()
		items, _, err := h.jobs.List(h.ctx, h.all, jobs.Filter{})
		h.must(err)
		if f := items[0].Failure; f == nil || f.Cause != wire.CauseMailServer || !strings.Contains(f.Detail, "refused") {
			h.t.Errorf("job: got %+v", items[0].Failure)
		}
		h.must(h.jobs.Cancel(h.ctx, h.all, items[0].ID))
		h.want(id, mail.Failed, mail.CauseCancelled)
	})
}

// TestNoticeWithoutTLS has a mail go out without its content and without the
// login, and a person called.
func TestNoticeWithoutTLS(t *testing.T) {
	each(t, mailtest.Options{NoTLS: true}, func(o *mail.Options) { o.NoticeWithoutTLS, o.User, o.Password = true, "me", "secret" }, func(h *house, s *mailtest.Sink) {
		id := h.enqueue(h.ready())
		h.tick()
		d := h.want(id, mail.Accepted, "")
		got := s.Messages()
		if len(got) != 1 || got[0].TLS || got[0].User != "" || got[0].Subject != "There is something for you in the portal" {
			h.t.Fatalf("messages: got %+v", got)
		}
		for _, word := range []string{"orchard-db1", "Friday", "Anna", "Your files"} {
			if strings.Contains(string(got[0].Raw), word) {
				h.t.Errorf("the notice holds %q", word)
			}
		}
		if d.Content != mail.Notice || d.Last.TLS != "" || d.Last.SHA256 == d.SHA256 || got[0].MessageID != "<notice."+strings.TrimPrefix(d.MessageID, "<") {
			h.t.Errorf("evidence: got %+v", d)
		}
		h.wantOpen("mail.notice")
		h.must(h.RecordCall(h.ctx, h.all, id, "Spoke to Anna at 9:30; she has read it."))
		h.wantOpen()
		if d = h.get(id); d.CallNote == "" || d.CalledAt.IsZero() {
			h.t.Errorf("call: got %+v", d)
		}
		if got, want := h.entries(), []string{"mail.queued", "mail.accepted", "mail.called"}; !slices.Equal(got, want) {
			h.t.Errorf("ledger: got %v, want %v", got, want)
		}
	})
}

// TestOneBadAddress has the others go out.
func TestOneBadAddress(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		bad := []string{"", "nobody", "a b@x.example", "a@x.example\r\nRCPT TO:<b@x.example>", "<a@x.example>", "Anna <a@x.example>", "a@x.example, b@x.example",
			"a@" + strings.Repeat("x", 300) + ".example", "a@-.example", "\"a b\"@x.example", "a@x.example\x00"}
		h.must(h.db.Write(h.ctx, func(tx *db.Tx) error {
			for i, to := range append(bad, annaA) {
				m := h.ready()
				m.To, m.Key = to, "k"+string(rune('a'+i))
				if _, err := h.Enqueue(tx, m); err != nil {
					return err
				}
			}
			return nil
		}))
		h.tick()
		items, _, err := h.List(h.ctx, h.all, mail.Filter{States: []mail.State{mail.Failed}})
		h.must(err)
		if len(items) != len(bad) {
			h.t.Errorf("failed: got %d, want %d", len(items), len(bad))
		}
		for _, d := range items {
			if d.Cause != mail.CauseAddress || d.Last.N != 0 {
				h.t.Errorf("got %+v", d)
			}
		}
		if got := s.Messages(); len(got) != 1 || got[0].To != annaA {
			h.t.Errorf("messages: got %d", len(got))
		}
		if n := len(h.open()); n != len(bad) {
			h.t.Errorf("findings: got %d, want %d", n, len(bad))
		}
	})
}

// TestTwoHundredRecipients are queued in one transaction; each gets one.
func TestTwoHundredRecipients(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		const n = 200
		h.must(h.db.Write(h.ctx, func(tx *db.Tx) error {
			for i := range n {
				m := h.ready()
				m.To = "p" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + "@" + string(rune('a'+i/26)) + ".example"
				m.Key = m.To + m.Template
				if _, err := h.Enqueue(tx, m); err != nil {
					return err
				}
			}
			return nil
		}))
		h.tick()
		seen := map[string]int{}
		for _, m := range s.Messages() {
			seen[m.To]++
		}
		for to, k := range seen {
			if k != 1 {
				h.t.Errorf("%s: %d messages", to, k)
			}
		}
		if len(seen) != n {
			h.t.Errorf("recipients: got %d, want %d", len(seen), n)
		}
		var pages, total int
		for token := ""; ; pages++ {
			items, next, err := h.List(h.ctx, h.all, mail.Filter{Customer: h.customer, States: []mail.State{mail.Accepted}, Limit: 90, PageToken: token})
			h.must(err)
			for _, d := range items {
				if d.Last.QueueID == "" {
					h.t.Errorf("%s: a list without evidence", d.ID)
				}
			}
			total += len(items)
			if token = next; token == "" {
				break
			}
		}
		if pages != 2 || total != n {
			h.t.Errorf("list: got %d on %d pages", total, pages+1)
		}
	})
}

func TestCheck(t *testing.T) {
	s := sink(t, mailtest.Options{User: "me", Password: "right"})
	o := s.Options()
	o.PortalURL, o.From, o.EHLO = "https://portal.example", "noreply@hof.example", "plane"
	p, err := mail.Check(t.Context(), o)
	if err != nil || p.TLS != "TLS 1.3" || p.Peer != s.Peer() || !p.DSN || p.Server != s.Addr() {
		t.Errorf("got %+v, %v", p, err)
	}
	for name, change := range map[string]func(o *mail.Options){
		"password":    func(o *mail.Options) { o.Password = "wrong" },
		"certificate": func(o *mail.Options) { o.Roots = nil },
		"nobody":      func(o *mail.Options) { o.Dial = refuse },
		"none":        func(o *mail.Options) { o.Host = "" },
	} {
		bad := o
		change(&bad)
		if _, err := mail.Check(t.Context(), bad); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n := len(s.Messages()); n != 0 {
		t.Errorf("a check sent %d mails", n)
	}
}
