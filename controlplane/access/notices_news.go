package access

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// MailBecame takes what became of a mail, in the transaction that stores it:
// hang it on mail.OnChanged. Mails that are no notice are not looked at.
func (s *Service) MailBecame(tx *db.Tx, b mail.Became) error {
	var rows []noticeMailRow
	rows, err := db.Where[noticeMailRow](tx, everyone(), "mail_id", 1, "mail_id = ?", b.Mail)
	if err != nil || len(rows) == 0 {
		return wrap("news of a mail", err)
	}
	m := rows[0]
	r, err := db.One[noticeRow](tx, everyone(), "notice", m.NoticeID)
	if err != nil {
		return wrap("news of a mail", err)
	}
	if m.State != string(b.State) || m.Cause != string(b.Cause) {
		m.State, m.Cause, m.At = string(b.State), string(b.Cause), tx.NowMillis()
		if err := db.Save(tx, &m); err != nil {
			return wrap("news of a mail", err)
		}
	}
	if !b.CalledAt.IsZero() && r.CalledAt == 0 {
		return wrap("news of a mail", s.noteCall(tx, r, b.CalledAt, ""))
	}
	switch {
	case m.dead():
		err = s.cameBack(tx, r, m)
	case b.State == mail.Unsent:
		c, err1 := s.customers.CustomerIn(tx, everyone(), r.CustomerID)
		if err = err1; err == nil && r.open() {
			err = s.unreachable(tx, r, c, "No mail server is configured")
		}
	case !b.AcceptedAt.IsZero():
		err = s.accepted(tx, r, m, b.AcceptedAt)
	}
	return wrap("news of a mail", err)
}

// open reports whether nobody has the notice yet, as far as is known.
func (r noticeRow) open() bool {
	return r.State == NoticeGathering || r.State == NoticeSent || r.State == NoticeBounced || r.State == NoticeUnreachable
}

// accepted notes a mail server's word that it took the notice.
func (s *Service) accepted(tx *db.Tx, r noticeRow, m noticeMailRow, at time.Time) error {
	if r.AcceptedAt != 0 {
		return nil
	}
	r.AcceptedAt = at.UnixMilli()
	if r.open() {
		r.State, r.TryAt, r.Why = NoticeAccepted, 0, ""
	}
	late := r.LateAt == 0 && r.AcceptedAt > r.DueAt
	if late {
		r.LateAt = r.AcceptedAt
	}
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	if err := stamp(tx, "notified_at", r.ID, r.AcceptedAt); err != nil {
		return err
	}
	if late {
		if err := s.tellLate(tx, r, false); err != nil {
			return err
		}
	}
	if err := s.reached(tx, r.ID, "a mail server accepted it"); err != nil {
		return err
	}
	return s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "access.notice_accepted", Data: map[string]any{"mail": m.MailID, "contact": m.ContactID}})
}

// cameBack has the next contact tried, unless somebody has the notice by now.
func (s *Service) cameBack(tx *db.Tx, r noticeRow, m noticeMailRow) error {
	if r.ReadAt != 0 || r.CalledAt != 0 || r.AcknowledgedAt != 0 || r.State == NoticeBounced {
		return nil
	}
	mails, err := mailsOf(tx, []string{r.ID})
	if err != nil {
		return err
	}
	for _, o := range mails[r.ID] {
		if o.Seq > m.Seq {
			return nil // the next one is being tried already
		}
	}
	// A server's word for it was not worth what it seemed: it is taken back.
	r.State, r.AcceptedAt, r.TryAt = NoticeBounced, 0, tx.NowMillis()
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	if err := stamp(tx, "notified_at", r.ID, 0); err != nil {
		return err
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish(TopicWatch) })
	return s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "access.notice_bounced",
		Data: map[string]any{"mail": m.MailID, "contact": m.ContactID, "state": m.State, "cause": m.Cause}})
}

// NoticeCall is how a person told a customer another way.
type NoticeCall struct {
	Who  string    // whom they reached
	At   time.Time // when; zero is now
	Said string    // what was said
}

// RecordNoticeCall notes that a person told the customer another way: whom, when,
// and what was said. It closes the finding that asks for it. Permission: access.write.
func (s *Service) RecordNoticeCall(ctx context.Context, scope policy.Scope, notice string, call NoticeCall) (Notice, error) {
	var f inputs
	who := f.line("/who", call.Who, maxName, "Say whom you reached.")
	said := f.line("/said", call.Said, maxReason, "Say in a sentence what was said.")
	if err := f.err(); err != nil {
		return Notice{}, err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[noticeRow](tx, scope, "notice", notice)
		if err != nil {
			return err
		}
		at := call.At
		if at.IsZero() {
			at = tx.Now
		}
		switch {
		case r.State == NoticeGathering:
			return conflict("Wait until it has been sent, then note the call.", "This notice still gathers changes")
		case at.After(tx.Now):
			return invalid("/at", "Say when you reached them: this is still to come.")
		case at.Before(controlplane.FromMillis(r.OpenedAt).Truncate(time.Minute)): // people say the minute
			return invalid("/at", "This was before there was anything to tell.")
		}
		return s.noteCall(tx, r, at, who+": "+said)
	})
	if err != nil {
		return Notice{}, wrap("record call", err)
	}
	return s.GetNotice(ctx, scope, notice)
}

func (s *Service) noteCall(tx *db.Tx, r noticeRow, at time.Time, note string) (err error) {
	r.CalledAt = at.UnixMilli()
	if r.CallNote, err = s.seal(r.CustomerID, "access_notices", "call_note", r.ID, note); err != nil {
		return err
	}
	if r.open() {
		r.State, r.TryAt, r.Why = NoticeCalled, 0, ""
	}
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	if err := s.reached(tx, r.ID, "the customer was told another way"); err != nil {
		return err
	}
	return s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "access.notice_called", Data: map[string]any{"at": controlplane.Instant(at)}, Personal: map[string]string{"note": note}})
}

// Acknowledge notes that a contact has taken note. The first time counts.
// Permission: access.confirm. Errors: not found, forbidden for who is no contact.
func (s *Service) Acknowledge(ctx context.Context, scope policy.Scope, notice string) error {
	if actorOf(ctx).Kind != controlplane.ActorContact {
		return controlplane.Errorf(controlplane.CodeForbidden, "Where you told them another way, note the call instead.", "Only the customer can say that they took note")
	}
	return wrap("acknowledge", s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[noticeRow](tx, scope, "notice", notice)
		if err != nil || r.AcknowledgedAt > 0 {
			return err
		}
		if r.State == NoticeGathering {
			return conflict("Wait some minutes, then load the page again.", "This notice still gathers changes")
		}
		r.AcknowledgedAt, r.AcknowledgedBy, r.State, r.TryAt = tx.NowMillis(), actorOf(tx.Context()).ID, NoticeAcknowledged, 0
		if r.ReadAt == 0 {
			r.ReadAt = tx.NowMillis()
		}
		if err := db.Save(tx, &r); err != nil {
			return err
		}
		if err := stamp(tx, "acknowledged_at", r.ID, r.AcknowledgedAt); err != nil {
			return err
		}
		if err := s.reached(tx, r.ID, "the customer took note"); err != nil {
			return err
		}
		return s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "access.notice_acknowledged"})
	}))
}
