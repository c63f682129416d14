package incidents

import (
	"context"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// NoticeFilter selects notices, newest first.
type NoticeFilter struct {
	Case, Advisory, Customer string
	Audience                 Audience
	State                    NoticeState
	// Heads leaves out all that is sealed: title, fields, words, reasons and text.
	Heads  bool
	noText bool // leaves out the text alone
	Limit  int
	Token  string
}

// Notices lists notices, without their texts where they are drafts.
// Permission: incident.read; contacts see those sent to them.
func (s *Service) Notices(ctx context.Context, scope policy.Scope, f NoticeFilter) (items []Notice, next string, err error) {
	switch {
	case f.Audience != "" && !f.Audience.Valid():
		return nil, "", invalid("/audience", "There is no such audience.")
	case f.State != "" && !f.State.Valid():
		return nil, "", invalid("/state", "There is no such state.")
	case f.Token != "" && !controlplane.ValidID(controlplane.PrefixBreachNotice, f.Token):
		return nil, "", invalid("/page_token", "This is not a page token of this list; leave it out to begin at the first page.")
	}
	if f.Limit <= 0 {
		f.Limit = 50
	}
	f.Limit = min(f.Limit, 200)
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		items, next = nil, ""
		rows, err := noticePage(tx, scope, f)
		if err != nil {
			return err
		}
		if len(rows) > f.Limit {
			rows = rows[:f.Limit]
			next = rows[f.Limit-1].ID
		}
		for _, r := range rows {
			if f.Heads {
				items = append(items, forReader(scope, r.head()))
				continue
			}
			n, _, err := s.openNotice(r)
			if err != nil && scope.All() {
				s.opts.Log.ErrorContext(ctx, "incidents.unreadable", "notice.id", r.ID, "err", err)
				n.Title, err = unreadable, nil // it keeps no other back
			}
			if err != nil {
				return err
			}
			items = append(items, forReader(scope, n))
		}
		return nil
	})
	return items, next, wrap("notices", err)
}

// forReader leaves out what is not a contact's: who of us wrote it, and why.
func forReader(scope policy.Scope, n Notice) Notice {
	if scope.All() {
		return n
	}
	n.Author, n.Second, n.Alone, n.AloneWhy, n.Tries = "", "", false, "", nil
	if n.State == Unreachable || n.State == Called {
		n.State = Sent
	}
	for i := range n.Fields {
		n.Fields[i].Owner = ""
	}
	return n
}

// Notice returns one whole. Permission: as Notices.
func (s *Service) Notice(ctx context.Context, scope policy.Scope, id string) (n Notice, err error) {
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		r, err := noticeIn(tx, scope, id)
		if err != nil {
			return err
		}
		var d noticeData
		if n, d, err = s.openNotice(r); err != nil {
			return err
		}
		if n.State == Draft || n.State == Waiting {
			k, err := s.kitOf(tx, r)
			if err != nil {
				return err
			}
			if n, _, err = k.write(n, d, tx.Now); err != nil {
				return err
			}
		}
		if n.Tries, err = s.triesIn(tx, r.ID); err != nil {
			return err
		}
		n = forReader(scope, n)
		return nil
	})
	return n, wrap("notice", err)
}

// Opened notes that a contact has the notice before them. The first time counts;
// for staff nothing is noted. Permission: incident.read, of a contact.
func (s *Service) Opened(ctx context.Context, scope policy.Scope, id string) error {
	return wrap("notice opened", s.portal(ctx, scope, id, Opened))
}

// Acknowledge notes that a contact has taken note. The first time counts.
// Permission: incident.read, of a contact.
func (s *Service) Acknowledge(ctx context.Context, scope policy.Scope, id string) (n Notice, err error) {
	if actorOf(ctx).Kind != controlplane.ActorContact {
		return n, controlplane.Errorf(controlplane.CodeForbidden, "Where you told them another way, record that instead.", "Only the customer can say that they took note")
	}
	if err = s.portal(ctx, scope, id, Acknowledged); err != nil {
		return n, wrap("acknowledge notice", err)
	}
	return s.Notice(ctx, scope, id)
}

// portal notes what a contact did with a notice in the portal, in their own
// transaction; what follows for the case Watch does.
func (s *Service) portal(ctx context.Context, scope policy.Scope, id string, state NoticeState) error {
	actor := actorOf(ctx)
	if actor.Kind != controlplane.ActorContact {
		return nil
	}
	if err := s.ready(ctx, actor.Customer); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := noticeIn(tx, scope, id)
		if err != nil || rank(NoticeState(r.State)) >= rank(state) {
			return err
		}
		c, err := s.customers.ContactIn(tx, scope, actor.ID)
		if err != nil {
			return err
		}
		if err := s.addTry(tx, r, tryRow{ContactID: c.ID, How: howPortal, State: string(state), At: tx.NowMillis(), ByID: c.ID}, tryData{Name: c.Name}); err != nil {
			return err
		}
		if r.OpenedAt == 0 {
			r.OpenedAt = tx.NowMillis()
		}
		kind := "incident.notice_opened"
		if state == Acknowledged {
			kind, r.AckAt, r.AckBy = "incident.notice_acknowledged", tx.NowMillis(), c.ID
		}
		if err := s.reached(tx, &r, state, tx.Now, howPortal); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: kind, Data: map[string]any{"notice": r.ID, "contact": c.ID}})
		return err
	})
}

// addTry adds an attempt to reach somebody.
func (s *Service) addTry(tx *db.Tx, r noticeRow, t tryRow, d tryData) error {
	tries, err := triesOf(tx, r.ID)
	if err != nil {
		return err
	}
	t.NoticeID, t.CustomerID, t.Seq = r.ID, r.CustomerID, int64(len(tries))+1
	if err := s.sealTry(&t, d); err != nil {
		return err
	}
	return db.Insert(tx, &t)
}

// maxRecipient and maxReference bound what is written of who was told.
const (
	maxRecipient = 200
	maxReference = 200
)

// Tell records that somebody was told another way, or a form handed in.
// Permission: incident.write.
func (s *Service) Tell(ctx context.Context, scope policy.Scope, id string, in Telling) (n Notice, err error) {
	if !scope.All() {
		return n, notStaff()
	}
	if in, err = in.check(); err != nil {
		return n, err
	}
	var r noticeRow
	if err := s.db.Read(ctx, func(tx *db.Tx) error { r, err = noticeIn(tx, scope, id); return err }); err != nil {
		return n, wrap("tell", err)
	}
	if err := s.ready(ctx, r.CustomerID); err != nil {
		return n, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { return s.tell(tx, scope, id, in) })
	if err != nil {
		return n, wrap("tell", err)
	}
	return s.Notice(ctx, scope, id)
}

// check makes a telling one that can be kept.
func (in Telling) check() (Telling, error) {
	var err error
	if in.To, err = textField("/to", controlplane.Line(in.To, maxRecipient), maxRecipient, true); err != nil {
		return in, err
	}
	if !slices.Contains([]string{howCall, howLetter, howForm}, in.How) {
		return in, invalid("/how", "Say whether it was a call, a letter or a form.")
	}
	if in.Note, err = textField("/note", plainText(in.Note), maxField, in.How == howCall); err != nil {
		return in, err
	}
	if in.LateWhy, err = textField("/late_why", plainText(in.LateWhy), maxField, false); err != nil {
		return in, err
	}
	in.Reference, err = textField("/reference", controlplane.Line(in.Reference, maxReference), maxReference, false)
	return in, err
}

func (s *Service) tell(tx *db.Tx, scope policy.Scope, id string, in Telling) error {
	r, err := noticeIn(tx, scope, id)
	if err != nil {
		return err
	}
	if r.State == string(Discarded) {
		return conflict("Draft another one.", "This notice was put aside")
	}
	k, err := s.kitOf(tx, r)
	if err != nil {
		return err
	}
	at, err := s.when("/at", in.At, k.zone, tx.Now)
	if err != nil {
		return err
	}
	if err := afterItWasMade(r, k, at); err != nil {
		return err
	}
	n, d, err := s.openNotice(r)
	if err != nil {
		return err
	}
	if in.Reference != "" {
		d.Reference = in.Reference
	}
	if n, err = k.toldLate(n, &r, &d, in, at); err != nil {
		return err
	}
	if r.SentAt == 0 { // what was told is what it says now
		if n, err = s.fix(k, &r, n, &d, tx, at); err != nil {
			return err
		}
	}
	if err := s.sealNotice(&r, d, n.Text); err != nil {
		return err
	}
	if err := s.addTry(tx, r, tryRow{How: in.How, State: string(Called), At: at.UnixMilli(), ByID: actorOf(tx.Context()).ID}, tryData{Name: in.To, Note: in.Note}); err != nil {
		return err
	}
	if err := s.noMoreAsked(tx, r.CaseID, r.AdvisoryID, r.ID); err != nil {
		return err
	}
	personal := map[string]string{"to": in.To, "note": in.Note, "reference": in.Reference, "late_why": d.LateWhy}
	if err := s.enter(tx, r.about(), "incident.notice_told", map[string]any{"notice": r.ID, "customer": r.CustomerID, "audience": r.Audience, "how": in.How,
		"at": controlplane.Instant(at), "sha256": r.SHA256}, personal); err != nil {
		return err
	}
	return s.called(tx, r, at, in.How)
}

// called is what a notice is once a person told somebody.
func (s *Service) called(tx *db.Tx, r noticeRow, at time.Time, how string) error {
	if r.Drill == 1 {
		r.State, r.News, r.NextAt = string(Drilled), 1, 0
		if r.ToldAt == 0 {
			r.ToldAt = at.UnixMilli()
		}
		s.wakeWatch(tx)
		return db.Save(tx, &r)
	}
	// Told before a mail server's word for it: the earlier instant is the one.
	if r.ToldAt > at.UnixMilli() {
		r.ToldAt = at.UnixMilli()
	}
	if rank(Called) <= rank(NoticeState(r.State)) {
		return db.Save(tx, &r)
	}
	return s.reached(tx, &r, Called, at, how)
}

// afterItWasMade refuses that a notice was told before there was one.
func afterItWasMade(r noticeRow, k *kit, at time.Time) error {
	made := controlplane.FromMillis(r.MadeAt).Truncate(time.Minute) // people write minutes
	if k.c.DetectedAt.Truncate(time.Minute).After(made) {
		made = k.c.DetectedAt.Truncate(time.Minute)
	}
	if at.Before(made) {
		return invalid("/at", "This notice was written after that, at "+made.In(k.zone).Format("2006-01-02 15:04 MST")+". Write what they were told before into the timeline.")
	}
	return nil
}

// toldLate takes in why somebody is told late, and refuses that nobody says so.
func (k *kit) toldLate(n Notice, r *noticeRow, d *noticeData, in Telling, at time.Time) (Notice, error) {
	if in.LateWhy != "" {
		d.LateWhy = in.LateWhy
	}
	n.LateWhy = d.LateWhy
	if due := k.due(n); !due.IsZero() {
		r.DueAt, n.DueAt = controlplane.Millis(due), due
	}
	inTime := r.ToldAt > 0 && r.ToldAt <= r.DueAt
	if k.lateBy(n, at) > 0 && !inTime && n.lateReasons() == "" {
		return n, lateUnsaid()
	}
	return n, nil
}

// fix has a draft say for good what it says now.
func (s *Service) fix(k *kit, r *noticeRow, n Notice, d *noticeData, tx *db.Tx, at time.Time) (Notice, error) {
	n, out, err := k.write(n, *d, tx.Now)
	if err != nil {
		return n, err
	}
	if err := stopped(k.stops(n, out)); err != nil {
		return n, err
	}
	d.Title, d.Fields = out.title, n.Fields
	r.SHA256, r.SentAt, r.State = digestOf(out.text), at.UnixMilli(), string(Sent)
	r.Version++
	return n, nil
}
