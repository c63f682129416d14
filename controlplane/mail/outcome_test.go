package mail_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
)

func TestListsOfLines(t *testing.T) {
	h := quiet(t, mail.Options{})
	many := strings.Repeat("x\n", 2003)
	for _, tc := range []struct {
		name, items, plain string
		lines              int
	}{
		{"two", "Anna may <b>\nBen may not", "\n\n- Anna may <b>\n- Ben may not\n\n", 2},
		{"a line is no header and no second line", "Anna\r\nBcc: x@x.example\u2028and\u202e more", "\n\n- Anna\n- Bcc: x@x.example and more\n\n", 2},
		{"empty lines are none", "\n Anna \n\n", "\n\n- Anna\n\n", 1},
		{"a template in it is text", "{items...} {until}", "\n\n- {items...} {until}\n\n", 1},
		{"none", "", "These are all of the changes:\n\nThe portal", 0},
		{"too many", many, "- x\n- and 3 more, which the portal lists\n\n", 2001},
		{"long", strings.Repeat("ä", 500), "\n\n- " + strings.Repeat("ä", 199) + "…\n\n", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := h.ready()
			m.Template, m.Args = mail.AccessChanged, map[string]string{"items": tc.items}
			_, plain, html := read(t, h.raw(h.enqueue(m)))
			if !strings.Contains(plain, tc.plain) {
				t.Errorf("text: got %.900q, want %.200q in it", plain, tc.plain)
			}
			if got := strings.Count(html, "<li>"); got != tc.lines || strings.Contains(html, "<b>") {
				t.Errorf("html: got %d entries, want %d: %.900s", got, tc.lines, html)
			}
		})
	}
}

// TestOthersAreTold has whoever asked hear what became of a mail, in the
// transaction that stores it.
func TestOthersAreTold(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		var heard []string
		var stop error
		h.OnChanged(func(tx *db.Tx, b mail.Became) error {
			heard = append(heard, fmt.Sprintf("%s %s %s called=%v", b.Key, b.State, b.Cause, !b.CalledAt.IsZero()))
			return stop
		})
		m := h.ready()
		m.Key = "one"
		id := h.enqueue(m)
		h.tick()
		stop = errors.New("not stored")
		if _, err := h.ReceiveDSN(h.ctx, bounce(h.get(id), "failed", "smtp; 550 gone")); !errors.Is(err, stop) {
			h.t.Errorf("a bounce that is not stored: got %v, want %v", err, stop)
		}
		h.want(id, mail.Accepted, "")
		stop = nil
		_, err := h.ReceiveDSN(h.ctx, bounce(h.get(id), "failed", "smtp; 550 gone"))
		h.must(err)
		h.must(h.RecordCall(h.ctx, h.all, id, "Anna took the call."))
		m.Key, m.To = "two", "nobody"
		h.enqueue(m)
		h.after(time.Minute)
		want := []string{"one accepted  called=false", "one bounced bounced called=false", "one bounced bounced called=false", "one bounced bounced called=true", "two failed address called=false"}
		if got := strings.Join(heard, "\n"); got != strings.Join(want, "\n") {
			h.t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	})
}
