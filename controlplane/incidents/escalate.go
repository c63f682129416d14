package incidents

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/mail"
)

// registerNotices hooks up notices.
func (s *Service) registerNotices() {
	s.due = append(s.due, s.ordersDue, s.advisoriesDue, s.noticesDue, s.newsDue)
	s.onAffected = append(s.onAffected, s.clearedOf)
	s.onClosed = append(s.onClosed, s.closedOf)
	s.onFrozen = append(s.onFrozen, s.freezeNotice)
}

// MailBecame takes in what became of a mail, in its transaction (mail.OnChanged).
// A mail server's word stops the clock; where it comes back, it runs on.
func (s *Service) MailBecame(tx *db.Tx, b mail.Became) error {
	t, ok, err := tryByMail(tx, b.Mail)
	if err != nil || !ok {
		return wrap("news of a mail", err)
	}
	r, err := db.One[noticeRow](tx, noticesScope(), "notice", t.NoticeID)
	if err != nil {
		return wrap("news of a mail", err)
	}
	if t.State != string(b.State) || t.Cause != string(b.Cause) {
		t.State, t.Cause, t.At = string(b.State), string(b.Cause), tx.NowMillis()
		if !b.AcceptedAt.IsZero() && t.Content != string(mail.Notice) { // that of an unsafe channel says nothing from the start
			t.Content = string(b.Content)
		}
		if t.took() && !b.AcceptedAt.IsZero() {
			t.At = b.AcceptedAt.UnixMilli()
		}
		if err := saveTry(tx, t); err != nil {
			return wrap("news of a mail", err)
		}
	}
	switch {
	case !b.CalledAt.IsZero() && rank(NoticeState(r.State)) < rank(Called):
		if err = s.addTry(tx, r, tryRow{ContactID: t.ContactID, How: howCall, State: string(Called), At: b.CalledAt.UnixMilli()}, tryData{}); err == nil {
			err = s.reached(tx, &r, Called, b.CalledAt, howCall)
		}
	case t.dead() || b.State == mail.Unsent:
		err = s.cameBack(tx, &r, t)
	case t.took():
		err = s.reached(tx, &r, Accepted, b.AcceptedAt, howMail)
	case !b.AcceptedAt.IsZero() && r.open():
		// A mail without content: they know that there is something, and not what.
		r.NextAt = tx.NowMillis()
		s.wakeWatch(tx)
		err = db.Save(tx, &r)
	}
	return wrap("news of a mail", err)
}

// open reports whether nobody has it, as far as is known.
func (r noticeRow) open() bool {
	return r.State == string(Sent) || r.State == string(Unreachable)
}

// insists reports whether somebody has to open it: what is only for their
// information is done with when a mail server took it.
func insists(p Purpose) bool { return ofBreach(p) || p == Withdrawal }

// rank orders how surely somebody has a notice: what is surer stays.
func rank(s NoticeState) int {
	return slices.Index([]NoticeState{Sent, Unreachable, Accepted, Called, Opened, Acknowledged}, s)
}

// reached notes that somebody has a notice. The first time stops the clock.
func (s *Service) reached(tx *db.Tx, r *noticeRow, state NoticeState, at time.Time, how string) error {
	if rank(state) <= rank(NoticeState(r.State)) && r.ToldAt > 0 {
		return nil
	}
	first := r.ToldAt == 0
	if rank(state) > rank(NoticeState(r.State)) {
		r.State = string(state)
	}
	switch {
	case state != Accepted || !insists(Purpose(r.Purpose)):
		r.NextAt = 0 // nobody else has to be found
	case first:
		r.NextAt = tx.Now.Add(s.opts.Escalate).UnixMilli() // they have that long to open it
	}
	if first {
		r.ToldAt = at.UnixMilli()
	}
	if first || state != Accepted {
		r.News = 1
		s.wakeWatch(tx)
	}
	if err := db.Save(tx, r); err != nil || !first {
		return err
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "incident.notice_told",
		Data: map[string]any{"notice": r.ID, "at": controlplane.Instant(at), "how": how, "late": r.DueAt > 0 && r.ToldAt > r.DueAt}})
	return err
}

// cameBack has the next contact tried. What came back told nobody: the notice is
// told from the first of those who have it still, and where nobody has, its clock
// runs on.
func (s *Service) cameBack(tx *db.Tx, r *noticeRow, t tryRow) error {
	tries, err := triesOf(tx, r.ID)
	if err != nil {
		return err
	}
	if r.ToldAt > 0 {
		if err := s.toldAnew(tx, r, tries); err != nil {
			return err
		}
	}
	if r.open() || r.State == string(Accepted) { // nobody has opened it
		later := slices.ContainsFunc(tries, func(o tryRow) bool { return o.Seq > t.Seq })
		if r.ToldAt == 0 {
			r.State = string(Sent)
		}
		if !later {
			r.NextAt = tx.NowMillis()
		}
	}
	s.wakeWatch(tx)
	return db.Save(tx, r)
}

// toldAnew counts from when a notice was told, after a try came back.
func (s *Service) toldAnew(tx *db.Tx, r *noticeRow, tries []tryRow) error {
	was := r.ToldAt
	r.ToldAt = 0
	how := ""
	for _, o := range tries {
		if o.told() && (r.ToldAt == 0 || o.At < r.ToldAt) {
			r.ToldAt, how = o.At, o.How
		}
	}
	if r.ToldAt == was {
		return nil
	}
	r.News = 1
	if r.ToldAt == 0 {
		return nil
	}
	_, err := s.ledger.Append(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "incident.notice_told",
		Data: map[string]any{"notice": r.ID, "at": controlplane.Instant(controlplane.FromMillis(r.ToldAt)), "how": how, "late": r.DueAt > 0 && r.ToldAt > r.DueAt}})
	return err
}

// dueAtOnce is how many notices Watch takes up in a transaction.
const dueAtOnce = 100

// noticesDue sends what waited long enough for a second person, writes to the next
// contact of what nobody has opened, and then has a person call.
func (s *Service) noticesDue(ctx context.Context) error {
	ctx = asSystem(ctx)
	for {
		var ids []string
		if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { ids, err = dueNotices(tx, dueAtOnce); return err }); err != nil || len(ids) == 0 {
			return wrap("due notices", err)
		}
		err := s.noticesNow(ctx, ids)
		for i := 0; err != nil && ctx.Err() == nil && i < len(ids); i++ { // one of them does not hold up the others
			if e := s.noticesNow(ctx, ids[i:i+1]); e != nil {
				s.opts.Log.ErrorContext(ctx, "incidents.notice", "notice.id", ids[i], "err", e)
				e = s.db.Write(ctx, func(tx *db.Tx) error { return putOff(tx, ids[i], tx.Now.Add(retryAfter).UnixMilli()) })
				if e != nil {
					return wrap("due notices", errors.Join(err, e))
				}
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// retryAfter is when a notice is looked at again with which something was wrong.
const retryAfter = 5 * time.Minute

// noticesNow does what is due of notices.
func (s *Service) noticesNow(ctx context.Context, ids []string) error {
	var customers []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { customers, err = customersOf(tx, ids); return err })
	if err != nil {
		return err
	}
	if err := s.ready(ctx, customers...); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		kits := map[string]*kit{}
		for _, id := range ids {
			r, err := db.One[noticeRow](tx, noticesScope(), "notice", id)
			if err != nil {
				return err
			}
			if r.NextAt == 0 || r.NextAt > tx.NowMillis() {
				continue // another replica was faster
			}
			k := kits[r.about()]
			if k == nil {
				if k, err = s.kitOf(tx, r); err != nil {
					return err
				}
				kits[r.about()] = k
			}
			if err := s.noticeNow(tx, k, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// noticeNow does what is due of one.
func (s *Service) noticeNow(tx *db.Tx, k *kit, r noticeRow) error {
	n, d, err := s.openNotice(r)
	if err != nil {
		return err
	}
	if k.over(n) {
		// It was taken back, and whoever had it was told so: nobody else gets it now.
		r.NextAt = 0
		if err := s.findings.Close(tx, nobodyKey(r.ID), "it was taken back"); err != nil {
			return err
		}
		return db.Save(tx, &r)
	}
	switch n.State {
	case Draft, Waiting:
		return s.goAlone(tx, k, r, n, d)
	case Sent, Accepted, Unreachable:
		if _, _, err := s.tryNext(tx, k, &r, rendered{title: n.Title, text: n.Text}); err != nil {
			return err
		}
		return db.Save(tx, &r)
	}
	r.NextAt = 0
	return db.Save(tx, &r)
}

// goAlone sends a first notice in its author's name: nobody answered in time.
func (s *Service) goAlone(tx *db.Tx, k *kit, r noticeRow, n Notice, d noticeData) error {
	d.AloneWhy, r.Alone = aloneHour, 1
	if k.lateBy(n, tx.Now) > 0 && n.lateReasons() == "" {
		d.LateWhy = aloneHour
	}
	n.LateWhy = d.LateWhy
	n, out, err := k.write(n, d, tx.Now)
	if err != nil {
		return err
	}
	for _, c := range k.stops(n, out) {
		if c.Stops { // since it was asked for: a person has to change it
			r.State, r.AskedAt, r.NextAt = string(Draft), 0, 0
			if err := db.Save(tx, &r); err != nil {
				return err
			}
			if err := s.noMoreAsked(tx, r.CaseID, r.AdvisoryID, ""); err != nil {
				return err
			}
			return s.raiseNobody(tx, k, r, "Their first notice could not be sent: "+strings.TrimRight(c.Text, "."))
		}
	}
	if err := s.dispatch(tx, k, &r, n, d); err != nil {
		return err
	}
	return s.noMoreAsked(tx, r.CaseID, r.AdvisoryID, "")
}

// newsDue has cases count anew what was delivered, or was not after all, and ends
// the findings about it: in the plane's own transaction, for a contact's sees
// nothing of a case.
func (s *Service) newsDue(ctx context.Context) error {
	ctx = asSystem(ctx)
	for {
		var ids []string
		if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { ids, err = newsOf(tx, dueAtOnce); return err }); err != nil || len(ids) == 0 {
			return wrap("news of notices", err)
		}
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			var cases []string
			for _, id := range ids {
				r, err := db.One[noticeRow](tx, noticesScope(), "notice", id)
				if err != nil {
					return err
				}
				if r.News == 0 {
					continue
				}
				if err := noNews(tx, id); err != nil {
					return err
				}
				if r.CaseID != "" && !slices.Contains(cases, r.CaseID) {
					cases = append(cases, r.CaseID)
				}
				if err := s.settleNotice(tx, r); err != nil {
					return err
				}
			}
			for _, id := range cases {
				if err := s.recount(tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || ctx.Err() != nil {
			return wrap("news of notices", errors.Join(err, ctx.Err()))
		}
	}
}

// settleNotice ends what was open because nobody had a notice, and tells of it.
func (s *Service) settleNotice(tx *db.Tx, r noticeRow) error {
	if r.ToldAt == 0 {
		return nil
	}
	if err := s.findings.Close(tx, nobodyKey(r.ID), "somebody has the notice"); err != nil {
		return err
	}
	n, _, err := s.openNotice(r)
	if err != nil { // that it was delivered is known all the same
		s.opts.Log.ErrorContext(tx.Context(), "incidents.notice", "notice.id", r.ID, "err", err)
	}
	for _, f := range s.onDelivered {
		if err := f(tx, n); err != nil {
			return err
		}
	}
	return nil
}
