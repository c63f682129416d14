package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Notice is what a customer was told, with every change in it.
type Notice struct {
	ID, Customer string // ntc_
	Items        []Change
	OpenedAt     time.Time // the first change
	DueAt        time.Time // by the customer's terms
	SentAt       time.Time // handed to mail
	// AcceptedAt is a mail server's word; ReadAt is when a contact opened it
	// here; CalledAt when a person told them another way, with CallNote.
	AcceptedAt, ReadAt time.Time
	AcknowledgedAt     time.Time
	AcknowledgedBy     string
	CalledAt           time.Time
	CallNote           string
	Mails              []NoticeMail // in the order in which contacts were tried
	Late               bool
	Urgent             bool   // of emergency access: told at once
	State              string // one of NoticeStates
	Why                string // unreachable: why, as part of a sentence
}

// The states of a notice.
const (
	NoticeGathering    = "gathering"    // further changes still come into it
	NoticeSent         = "sent"         // handed to mail
	NoticeAccepted     = "accepted"     // a mail server took it: not "read"
	NoticeBounced      = "bounced"      // it came back, or was refused: the next contact is tried
	NoticeAcknowledged = "acknowledged" // a contact took note in the portal
	NoticeUnreachable  = "unreachable"  // no contact can be reached by mail
	NoticeCalled       = "called"       // a person told them another way
)

// NoticeStates lists the states of a notice.
func NoticeStates() []string {
	return []string{NoticeGathering, NoticeSent, NoticeAccepted, NoticeBounced, NoticeAcknowledged, NoticeUnreachable, NoticeCalled}
}

// NoticeMail is one mail of a notice.
type NoticeMail struct {
	Mail, Contact, Name string
	State, Cause        string // of package mail
	At                  time.Time
}

// noticeHours is within which a change is told where nothing else was agreed.
const noticeHours = 24

// Templates of mail about changes.
const (
	mailChanged    = "access.changed"     // args items, a list
	mailBreakGlass = "access.break_glass" // args items, a list
)

// gather puts what changed in what is listed into each customer's next notice,
// in the transaction of the change: none goes untold, and none is in two.
func (s *Service) gather(tx *db.Tx, changes []Change) error {
	mine := map[string][]Change{}
	var grants []string
	for _, c := range changes {
		if c.Column != Listed {
			continue
		}
		mine[c.Customer] = append(mine[c.Customer], c)
		if c.Added {
			grants = append(grants, c.Ground)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(mine))
	open, err1 := gatheringOf(tx, ids)
	hours, err2 := noticeHoursOf(tx, ids)
	urgent, err3 := breakGlassOf(tx, grants)
	if err := errors.Join(err1, err2, err3); err != nil {
		return wrap("gather notices", err)
	}
	// Who took emergency access to a server that is shared did so to every tenant.
	type who struct{ person, role string }
	taken := map[who]bool{}
	for _, c := range changes {
		if c.Column == Listed && c.Added && urgent[c.Ground] {
			taken[who{c.Person, c.Role}] = true
		}
	}
	var fresh []noticeRow
	var items []noticeItemRow
	for _, customer := range ids {
		r, there := open[customer]
		before := r
		if !there {
			r = noticeRow{ID: controlplane.NewID(controlplane.PrefixNotice), CustomerID: customer, State: NoticeGathering, OpenedAt: tx.NowMillis(),
				GatherUntil: tx.Now.Add(s.opts.Batch).UnixMilli()}
		}
		h, agreed := hours[customer]
		if !agreed {
			h = noticeHours
		}
		for _, c := range mine[customer] {
			r.take(c, time.Duration(h)*time.Hour, c.Added && taken[who{c.Person, c.Role}], tx.NowMillis())
			items = append(items, noticeItemRow{ChangeID: c.ID, NoticeID: r.ID, CustomerID: customer})
		}
		if !there {
			fresh = append(fresh, r)
		} else if r.DueAt != before.DueAt || r.GatherUntil != before.GatherUntil || r.Urgent != before.Urgent {
			if err := db.Save(tx, &r); err != nil {
				return wrap("gather notices", err)
			}
		}
	}
	if len(urgent) > 0 {
		tx.AfterCommit(func() { s.opts.Bus.Publish(TopicWatch) })
	}
	return wrap("gather notices", errors.Join(insertAll(tx, fresh), insertAll(tx, items)))
}

// take puts a change into the notice. Its clock runs from when it was so, or from
// when it was written where that was earlier: what was learnt late is late.
func (r *noticeRow) take(c Change, within time.Duration, urgent bool, now int64) {
	due := min(controlplane.Millis(c.At), now) + within.Milliseconds()
	if r.DueAt == 0 || due < r.DueAt {
		r.DueAt = due
	}
	if urgent {
		r.Urgent, r.GatherUntil, r.DueAt = 1, min(r.GatherUntil, now), min(r.DueAt, now+time.Hour.Milliseconds())
	}
}

// noticesDue sends what has gathered, tries the next contact of what came back,
// and says of what is late that it is.
func (s *Service) noticesDue(ctx context.Context) error {
	ctx = asSystem(ctx)
	var errs []error
	for after := ""; ; {
		var rows []noticeRow
		err := s.db.Read(ctx, func(tx *db.Tx) (err error) { rows, err = dueNotices(tx, after); return err })
		if err != nil {
			return wrap("due notices", err)
		}
		for _, r := range rows {
			after = r.ID
			if err := s.keeper.EnsureKey(ctx, r.CustomerID); err != nil {
				errs = append(errs, err)
				continue
			}
			if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.sendNotice(tx, r.ID) }); err != nil {
				errs = append(errs, wrap("send notice "+r.ID, err))
			}
		}
		if len(rows) == 0 || ctx.Err() != nil {
			break
		}
	}
	var late []noticeRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { late, err = overdueNotices(tx); return err })
	if err == nil && len(late) > 0 {
		err = s.db.Write(ctx, s.lateNotices)
	}
	return errors.Join(append(errs, wrap("late notices", err))...)
}

// askAgain is when it is looked whether a customer whom no mail reaches has
// another contact by now.
const askAgain = 24 * time.Hour

// sendNotice writes one mail with every change to the first contact who was not
// tried yet. The key of the mail makes it one mail whatever happens.
func (s *Service) sendNotice(tx *db.Tx, id string) error {
	r, err := db.One[noticeRow](tx, everyone(), "notice", id)
	if err != nil {
		return err
	}
	if r.State != NoticeGathering && r.State != NoticeBounced && r.State != NoticeUnreachable {
		return nil // another replica was faster
	}
	c, err := s.customers.CustomerIn(tx, everyone(), r.CustomerID)
	if err != nil {
		return err
	}
	to, seq, err := s.nextContact(tx, r)
	if err != nil {
		return err
	}
	switch {
	case s.mail == nil:
		return s.unreachable(tx, r, c, "No mail server is configured")
	case to.ID == "" && seq == 0:
		return s.unreachable(tx, r, c, "The customer has no owner among the contacts")
	case to.ID == "":
		return s.unreachable(tx, r, c, "Mail to none of their owners arrives")
	}
	items, err := itemsOf(tx, []string{r.ID})
	if err != nil {
		return err
	}
	l := Letter{Key: fmt.Sprint("access.notice:", r.ID, ":", to.ID, ":", to.Version), Customer: c.ID, Person: to.ID, To: to.Email, Name: to.Name, Lang: to.Language,
		Template: mailChanged, Path: noticePath(r.ID), Subject: r.ID}
	lines, emergency, err := s.itemLines(tx, c, items[r.ID])
	if err != nil {
		return err
	}
	if emergency {
		l.Template = mailBreakGlass
	}
	l.Args = map[string]string{"items": strings.Join(lines, "\n")}
	mail, err := s.mail.Enqueue(tx, l)
	if err != nil {
		return err
	}
	m := noticeMailRow{MailID: mail, NoticeID: r.ID, CustomerID: c.ID, ContactID: to.ID, Seq: int64(seq), State: "queued", At: tx.NowMillis()}
	if m.Name, err = s.seal(c.ID, "access_notice_mails", "name", mail, to.Name); err != nil {
		return err
	}
	if err := db.Insert(tx, &m); err != nil {
		return err
	}
	r.State, r.TryAt, r.Why = NoticeSent, 0, ""
	if r.SentAt == 0 {
		r.SentAt = tx.NowMillis()
	}
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	return s.note(tx, ledger.Entry{Customer: c.ID, Subject: r.ID, Kind: "access.notice_sent", Data: noticeFacts(items[r.ID], mail, to.ID)})
}

func noticePath(id string) string { return "/access/notices/" + id }

// noticeFacts say which changes a notice tells of. The changes themselves stand
// in the ledger; their ids are listed as far as an entry has room for them.
func noticeFacts(items []changeRow, mail, contact string) map[string]any {
	ids := make([]string, len(items))
	for i, c := range items {
		ids[i] = c.ID
	}
	all := strings.Join(ids, " ")
	sum := sha256.Sum256([]byte(all))
	data := map[string]any{"mail": mail, "contact": contact, "changes": len(items), "changes_sha256": hex.EncodeToString(sum[:])}
	if len(ids) <= 500 {
		data["change_ids"] = all
	}
	return data
}

// nextContact is the owner who is tried next, and how many were before; whoever
// the latest mails did not reach comes last. One whose address was changed since
// is tried again.
func (s *Service) nextContact(tx *db.Tx, r noticeRow) (next customers.Contact, tried int, err error) {
	mails, err := mailsOf(tx, []string{r.ID})
	if err != nil {
		return next, 0, err
	}
	owners, err := s.owners(tx, r.CustomerID)
	if err != nil {
		return next, 0, err
	}
	latest, err := lastMails(tx, r.CustomerID)
	if err != nil {
		return next, 0, err
	}
	dead := map[string]bool{}
	seen := map[string]bool{}
	for _, m := range latest {
		if !seen[m.ContactID] {
			seen[m.ContactID], dead[m.ContactID] = true, m.dead()
		}
	}
	slices.SortStableFunc(owners, func(a, b customers.Contact) int {
		switch {
		case dead[a.ID] == dead[b.ID]:
			return 0
		case dead[a.ID]:
			return 1
		}
		return -1
	})
	for _, c := range owners {
		if !slices.ContainsFunc(mails[r.ID], func(m noticeMailRow) bool { return m.ContactID == c.ID && m.At >= c.UpdatedAt.UnixMilli() }) {
			return c, len(mails[r.ID]), nil
		}
	}
	return next, len(mails[r.ID]), nil
}

// dead reports whether the mail did not arrive.
func (m noticeMailRow) dead() bool { return m.State == "bounced" || m.State == "failed" }

// unreachable has a person call: mail reaches nobody.
func (s *Service) unreachable(tx *db.Tx, r noticeRow, c customers.Customer, because string) error {
	again := r.State == NoticeUnreachable && r.Why == because
	r.State, r.Why, r.TryAt = NoticeUnreachable, because, tx.Now.Add(askAgain).UnixMilli()
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	if err := s.findings.Raise(tx, findings.Finding{Key: undeliveredKey(r.ID), Customer: r.CustomerID, Subject: r.ID, Kind: findings.AccessNoticeUndelivered,
		Severity: findings.Warn, Owner: findings.Ops, Args: map[string]string{"where": c.Name, "because": because}, Link: noticePath(r.ID)}); err != nil || again {
		return err
	}
	return s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "access.notice_unreachable", Data: map[string]any{"because": because}})
}

func undeliveredKey(notice string) string { return findings.AccessNoticeUndelivered + ":" + notice }
func lateKey(notice string) string        { return findings.AccessNoticeLate + ":" + notice }

// lateNotices says of each notice whose time is over and which nobody has that
// it is late: once.
func (s *Service) lateNotices(tx *db.Tx) error {
	rows, err := overdueNotices(tx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		r.LateAt = tx.NowMillis()
		if err := db.Save(tx, &r); err != nil {
			return err
		}
		if err := s.tellLate(tx, r, true); err != nil {
			return err
		}
	}
	return nil
}

// tellLate enters in the ledger that a notice is late, and raises a finding
// where it still is.
func (s *Service) tellLate(tx *db.Tx, r noticeRow, open bool) error {
	if err := s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "access.notice_late",
		Data: map[string]any{"due": controlplane.Instant(controlplane.FromMillis(r.DueAt)), "state": r.State}}); err != nil || !open {
		return err
	}
	c, err := s.customers.CustomerIn(tx, policy.OneCustomer(r.CustomerID), r.CustomerID)
	if err != nil {
		return err
	}
	because := map[string]string{NoticeGathering: "it has not been handed to mail yet", NoticeSent: "no mail server has taken it yet",
		NoticeBounced: "mail to a contact came back, and the next one is tried", NoticeUnreachable: "no contact can be reached by mail"}[r.State]
	args := map[string]string{"where": c.Name, "by": instantWords(controlplane.FromMillis(r.DueAt), zoneOf(c))}
	if because != "" {
		args["because"] = because
	}
	return s.findings.Raise(tx, findings.Finding{Key: lateKey(r.ID), Customer: r.CustomerID, Subject: r.ID, Kind: findings.AccessNoticeLate,
		Severity: findings.Bad, Owner: findings.Ops, Args: args, Link: noticePath(r.ID)})
}

// reached closes what was open because nobody had the notice.
func (s *Service) reached(tx *db.Tx, notice, cause string) error {
	for _, key := range []string{undeliveredKey(notice), lateKey(notice)} {
		if err := s.findings.Close(tx, key, cause); err != nil {
			return fmt.Errorf("close %s: %w", key, err)
		}
	}
	return nil
}
