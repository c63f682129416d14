package access

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Notices lists a customer's notices, newest first; of all customers of the
// scope where customer is "". Permission: access.read.
func (s *Service) Notices(ctx context.Context, scope policy.Scope, customer string, limit int, pageToken string) (items []Notice, next string, err error) {
	limit, err = pageOf(controlplane.PrefixNotice, limit, pageToken)
	if err != nil {
		return nil, "", err
	}
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		where, args := "1 = 1", []any{}
		if customer != "" {
			c, err := s.customers.CustomerIn(tx, scope, customer)
			if err != nil {
				return err
			}
			where, args = "customer_id = ?", append(args, c.ID)
		}
		if pageToken != "" {
			where, args = where+" AND id < ?", append(args, pageToken)
		}
		rows, err := db.Where[noticeRow](tx, scope, "id DESC", limit+1, where, args...)
		if err != nil {
			return err
		}
		if len(rows) > limit {
			rows = rows[:limit]
			next = rows[limit-1].ID
		}
		items, err = s.noticesOf(tx, scope, rows)
		return err
	})
	return items, next, wrap("notices", err)
}

// pageOf checks what a page is asked for with: a token is the last id before it.
func pageOf(prefix string, limit int, token string) (int, error) {
	if token != "" && !controlplane.ValidID(prefix, token) {
		return 0, invalid("/page_token", "This is not a page token of this list; leave it out to begin at the first page.")
	}
	if limit <= 0 {
		limit = 50
	}
	return min(limit, 200), nil
}

// noticesOf are rows with their items and mails, as a scope reads them.
func (s *Service) noticesOf(tx *db.Tx, scope policy.Scope, rows []noticeRow) ([]Notice, error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	items, err := itemsOf(tx, ids)
	if err != nil {
		return nil, err
	}
	mails, err := mailsOf(tx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Notice, len(rows))
	for i, r := range rows {
		n := r.value()
		if n.Items, err = s.changesOf(tx, scope, items[r.ID]); err != nil {
			return nil, err
		}
		if n.CallNote, err = s.open(r.CustomerID, "access_notices", "call_note", r.ID, r.CallNote); err != nil {
			return nil, err
		}
		for _, m := range mails[r.ID] {
			x := NoticeMail{Mail: m.MailID, Contact: m.ContactID, State: m.State, Cause: m.Cause, At: controlplane.FromMillis(m.At)}
			if x.Name, err = s.open(r.CustomerID, "access_notice_mails", "name", m.MailID, m.Name); err != nil {
				return nil, err
			}
			n.Mails = append(n.Mails, x)
		}
		out[i] = n
	}
	return out, nil
}

// value is the notice but for its items, its mails and what is sealed.
func (r noticeRow) value() Notice {
	at := controlplane.FromMillis
	return Notice{ID: r.ID, Customer: r.CustomerID, OpenedAt: at(r.OpenedAt), DueAt: at(r.DueAt), SentAt: at(r.SentAt), AcceptedAt: at(r.AcceptedAt),
		ReadAt: at(r.ReadAt), AcknowledgedAt: at(r.AcknowledgedAt), AcknowledgedBy: r.AcknowledgedBy, CalledAt: at(r.CalledAt), Late: r.LateAt > 0,
		Urgent: r.Urgent == 1, State: r.State, Why: r.Why}
}

// GetNotice returns a notice; a contact who reads it is noted as having read it.
// Permission: access.read.
func (s *Service) GetNotice(ctx context.Context, scope policy.Scope, id string) (n Notice, err error) {
	var row noticeRow
	err = s.db.Read(ctx, func(tx *db.Tx) error { row, err = db.One[noticeRow](tx, scope, "notice", id); return err })
	if err != nil {
		return n, wrap("notice", err)
	}
	if actorOf(ctx).Kind == controlplane.ActorContact && row.ReadAt == 0 && row.State != NoticeGathering {
		if err := s.readBy(ctx, scope, id); err != nil {
			return n, wrap("notice", err)
		}
	}
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		row, err := db.One[noticeRow](tx, scope, "notice", id)
		if err != nil {
			return err
		}
		all, err := s.noticesOf(tx, scope, []noticeRow{row})
		if err == nil {
			n = all[0]
		}
		return err
	})
	return n, wrap("notice", err)
}

func (s *Service) readBy(ctx context.Context, scope policy.Scope, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[noticeRow](tx, scope, "notice", id)
		if err != nil || r.ReadAt > 0 {
			return err
		}
		r.ReadAt, r.TryAt = tx.NowMillis(), 0
		if err := db.Save(tx, &r); err != nil {
			return err
		}
		if err := s.reached(tx, r.ID, "the customer read it in the portal"); err != nil {
			return err
		}
		return s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "access.notice_read"})
	})
}

// oneVisit is how long somebody may look before it is another visit.
const oneVisit = 30 * time.Minute

// maxSince bounds how many changes SinceVisit returns.
const maxSince = 200

// SinceVisit returns what changed in a customer's list since the actor looked at
// it last, newest first and at most 200, and notes that they look now. Looks
// within half an hour of each other are one visit. At the first one last is zero
// and there are no changes. Permission: access.read.
func (s *Service) SinceVisit(ctx context.Context, scope policy.Scope, customer string) (last time.Time, changes []Change, err error) {
	var id string
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := s.customers.CustomerIn(tx, scope, customer)
		if err != nil {
			return err
		}
		id = c.ID
		last, err = s.look(tx, id)
		return err
	})
	if err != nil || last.IsZero() {
		return last, nil, wrap("since the last visit", err)
	}
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		rows, err := db.Where[changeRow](tx, policy.OneCustomer(id), "known_at DESC, id DESC", maxSince, "customer_id = ? AND col = ? AND known_at > ?", id, string(Listed), last.UnixMilli())
		if err != nil {
			return err
		}
		changes, err = s.changesOf(tx, scope, rows)
		return err
	})
	return last, changes, wrap("since the last visit", err)
}

// look notes that the actor looks at a customer's list, and returns when they
// did at their visit before.
func (s *Service) look(tx *db.Tx, customer string) (last time.Time, err error) {
	a := actorOf(tx.Context())
	if a.ID == "" || a.Kind == controlplane.ActorSystem || a.Kind == controlplane.ActorAgent {
		return last, nil
	}
	rows, err := db.Where[seenRow](tx, policy.OneCustomer(customer), "reader", 1, "customer_id = ? AND reader = ?", customer, a.ID)
	if err != nil {
		return last, err
	}
	r := seenRow{CustomerID: customer, Reader: a.ID}
	if len(rows) > 0 {
		r = rows[0]
	}
	if tx.NowMillis()-r.At > oneVisit.Milliseconds() {
		r.BeforeAt = r.At
	}
	r.At = tx.NowMillis()
	return controlplane.FromMillis(r.BeforeAt), putSeen(tx, r)
}
