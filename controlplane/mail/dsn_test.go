package mail_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/findings"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
)

func TestBounceAfterAcceptance(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		id := h.enqueue(h.ready())
		h.tick()
		d := h.want(id, mail.Accepted, "")
		late := bounce(d, "delayed", "smtp; 451 try later")
		raw := bounce(d, "failed", "smtp; 552 5.2.2 The mailbox\x1b[31m is full")
		h.clock.Advance(time.Hour)
		for _, r := range [][]byte{late, raw, raw} {
			got, err := h.ReceiveDSN(h.ctx, r)
			if err != nil || got != id {
				h.t.Fatalf("got %q, %v, want %q", got, err, id)
			}
		}
		d = h.want(id, mail.Bounced, mail.CauseBounced)
		if len(d.Reports) != 2 || d.AcceptedAt.IsZero() || d.EndedAt.Sub(d.AcceptedAt) != time.Hour || d.Last.QueueID == "" {
			h.t.Fatalf("got %+v", d)
		}
		i := slices.IndexFunc(d.Reports, func(r mail.Report) bool { return r.Action == "failed" })
		if r := d.Reports[i]; r.Status != "5.2.2" || r.Reporter != "relay.example" || !strings.Contains(r.Diagnostic, "is full") || strings.Contains(r.Diagnostic, "\x1b") {
			h.t.Errorf("report: got %+v", r)
		}
		h.wantOpen("mail.bounced")
		items, _, err := h.findings.List(h.ctx, h.all, findings.Filter{})
		h.must(err)
		if title, cause, _ := findings.Sentence("en", items[0]); !strings.Contains(title, annaA) || !strings.Contains(cause, "is full") {
			h.t.Errorf("finding: %q %q", title, cause)
		}
		if got, want := h.entries(), []string{"mail.queued", "mail.accepted", "mail.reported", "mail.bounced"}; !slices.Equal(got, want) {
			h.t.Errorf("ledger: got %v, want %v", got, want)
		}
		h.must(h.Acknowledge(h.ctx, h.all, id)) // it reached them after all
		h.want(id, mail.Acknowledged, mail.CauseBounced)
		h.wantOpen()
	})
}

// TestBounceAnswersADoubt has a mail that may have been taken come back: it was.
func TestBounceAnswersADoubt(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		s.Play(drop(mailtest.Taken))
		id := h.enqueue(h.ready())
		h.tick()
		_, err := h.ReceiveDSN(h.ctx, bounce(h.get(id), "failed", "smtp; 550 gone"))
		h.must(err)
		s.Play(nil)
		h.after(time.Hour)
		h.want(id, mail.Bounced, mail.CauseBounced)
		if n := len(s.Messages()); n != 1 {
			h.t.Errorf("it was sent again: %d", n)
		}
	})
}

func TestReportsOfOtherShapes(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		id := h.enqueue(h.ready())
		h.tick()
		d := h.get(id)
		whole := string(bounce(d, "failed", "smtp; 550 gone"))
		without := func(line string) string {
			i := strings.Index(whole, line)
			j := i + strings.Index(whole[i:], "\r\n") + 2
			return whole[:i] + whole[j:]
		}
		for name, raw := range map[string]string{
			"envelope id only":         without("Message-ID"),
			"Message-ID only":          without("Original-Envelope-Id"),
			"xtext":                    strings.Replace(whole, "Original-Envelope-Id: ", "Original-Envelope-Id: +41nother+40one\r\nX-Old: ", 1),
			"bare newlines":            strings.ReplaceAll(whole, "\r\n", "\n"),
			"cut off":                  whole[:strings.Index(whole, "Subject: Your files")],
			"two recipients, one fine": strings.Replace(whole, "Action: failed", "Action: delivered\r\nStatus: 2.0.0\r\n\r\nFinal-Recipient: rfc822; b@x.example\r\nAction: failed", 1),
			"of a notice":              strings.ReplaceAll(whole, "Message-ID: <", "Message-ID: <notice."),
		} {
			if got, err := h.ReceiveDSN(h.ctx, []byte(raw)); err != nil || got != id {
				h.t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
		h.want(id, mail.Bounced, mail.CauseBounced)
		for name, c := range map[string]struct {
			raw  string
			want controlplane.Code
		}{
			"nothing":          {"", controlplane.CodeInvalid},
			"a letter":         {"From: a@x.example\r\nSubject: out of office\r\n\r\nI am away.\r\n", controlplane.CodeInvalid},
			"no status":        {strings.ReplaceAll(whole, "message/delivery-status", "text/plain"), controlplane.CodeInvalid},
			"unknown action":   {strings.ReplaceAll(whole, "Action: failed", "Action: exploded"), controlplane.CodeInvalid},
			"no boundary":      {strings.Replace(whole, "boundary=\"B1\"", "", 1), controlplane.CodeInvalid},
			"a disposition":    {strings.Replace(whole, "report-type=delivery-status", "report-type=disposition-notification", 1), controlplane.CodeInvalid},
			"too long":         {whole + strings.Repeat("x", 2<<20), controlplane.CodeInvalid},
			"of somebody else": {strings.ReplaceAll(whole, strings.Trim(d.MessageID, "<>"), "abc@elsewhere.example"), controlplane.CodeNotFound},
		} {
			if _, err := h.ReceiveDSN(h.ctx, []byte(c.raw)); controlplane.ErrorCode(err) != c.want {
				h.t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
		}
	})
}

// FuzzReceive feeds anything: it is an error or a report, never a panic.
func FuzzReceive(f *testing.F) {
	f.Add(bounce(mail.Delivery{MessageID: "<a@b>", To: "x@y"}, "failed", "smtp; 550"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ids, action, err := mail.ParseReport(raw)
		if err == nil && action == "" {
			t.Errorf("a report without an action: %v", ids)
		}
	})
}
