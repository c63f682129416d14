package incidents

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/mail"
)

// Templates of mail.
const (
	mailNotice    = mail.IncidentNotice
	mailUpdate    = mail.IncidentUpdate
	mailWithdrawn = mail.IncidentWithdrawn
	mailFreeze    = mail.IncidentFreeze
	mailAdvisory  = mail.IncidentAdvisory
	mailChange    = mail.IncidentChange
	mailChannel   = mail.IncidentChannel // without content
	mailSecond    = mail.IncidentSecond
)

// templateOf is the mail of a purpose.
func templateOf(p Purpose) string {
	switch p {
	case Update, Final:
		return mailUpdate
	case Withdrawal:
		return mailWithdrawn
	case Freezing:
		return mailFreeze
	case Advisory:
		return mailAdvisory
	case Change:
		return mailChange
	}
	return mailNotice
}

// post hands a mail to package mail. It is the one way by which notices, and
// questions about them, leave the house: an exercise sends nothing.
func (s *Service) post(tx *db.Tx, drill bool, l Letter) (mail string, err error) {
	if drill || s.deps.Mail == nil {
		return "", nil
	}
	return s.deps.Mail.Enqueue(tx, l)
}

// dispatch fixes a notice as it is sent, enters it in the ledger, and writes to the
// first contact. A customer whom nobody can write to is told by a person.
func (s *Service) dispatch(tx *db.Tx, k *kit, r *noticeRow, n Notice, d noticeData) error {
	n, out, err := k.write(n, d, tx.Now)
	if err != nil {
		return err
	}
	d.Title, d.Fields = out.title, n.Fields
	late := k.lateBy(n, tx.Now) > 0
	r.SHA256, r.SentAt, r.NextAt, r.State = digestOf(out.text), tx.NowMillis(), 0, string(Sent)
	r.Unsafe = max(r.Unsafe, flag(k.c.ChannelUnsafe))
	r.Version++
	if err := s.sealNotice(r, d, out.text); err != nil {
		return err
	}
	if r.Drill == 1 {
		// Its clocks run as if somebody had it; its state says that nobody has.
		r.State, r.ToldAt, r.News = string(Drilled), tx.NowMillis(), 1
		s.wakeWatch(tx)
		if err := db.Save(tx, r); err != nil {
			return err
		}
		return s.enter(tx, r.about(), "incident.notice_sent", s.sentData(r, d, late), map[string]string{"alone_why": d.AloneWhy, "late_why": d.LateWhy})
	}
	data := s.sentData(r, d, late)
	mail, contact, err := s.tryNext(tx, k, r, out)
	if err != nil {
		return err
	}
	if mail != "" {
		data["mail"], data["contact"] = mail, contact
	}
	if err := db.Save(tx, r); err != nil {
		return err
	}
	if d.AloneWhy != "" || d.LateWhy != "" || r.Second != "" { // reasons of ours are no customer's
		own := map[string]any{"notice": r.ID, "customer": r.CustomerID, "sha256": r.SHA256, "purpose": r.Purpose, "author": r.Author}
		if r.Second != "" {
			own["second"] = r.Second
		}
		if err := s.enter(tx, r.about(), "incident.notice_sent", own, map[string]string{"alone_why": d.AloneWhy, "late_why": d.LateWhy}); err != nil {
			return err
		}
	}
	_, err = s.ledger.Append(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.ID, Kind: "incident.notice_sent", Data: data})
	return err
}

// digestOf is the SHA-256 of a text, hex.
func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// sentData are the facts of a notice that was sent. The SHA-256 of the mail stands
// in the entry of the mail, which has the same subject.
func (s *Service) sentData(r *noticeRow, d noticeData, late bool) map[string]any {
	data := map[string]any{"notice": r.ID, "sha256": r.SHA256, "purpose": r.Purpose, "phase": r.Phase, "regime": r.Regime, "late": late}
	if r.Drill == 1 {
		data["drill"], data["customer"] = true, r.CustomerID
	}
	return data
}

// tryNext writes to the first contact who was not tried yet. It changes r, and
// leaves the saving of it to the caller.
func (s *Service) tryNext(tx *db.Tx, k *kit, r *noticeRow, out rendered) (mailID, contact string, err error) {
	tries, err := triesOf(tx, r.ID)
	if err != nil {
		return "", "", err
	}
	owners, err := s.owners(tx, r.CustomerID)
	if err != nil {
		return "", "", err
	}
	i := slices.IndexFunc(owners, func(c customers.Contact) bool {
		return !slices.ContainsFunc(tries, func(t tryRow) bool {
			return t.How == howMail && t.ContactID == c.ID && (t.At >= c.UpdatedAt.UnixMilli() || !t.dead())
		})
	})
	switch {
	case s.deps.Mail == nil:
		return "", "", s.nobody(tx, k, r, "No mail server is configured")
	case i < 0 && len(owners) == 0:
		return "", "", s.nobody(tx, k, r, "They have no owner among their contacts")
	case i < 0 && r.ToldAt > 0:
		return "", "", s.nobody(tx, k, r, "None of those who were written to has opened the notice")
	case i < 0:
		return "", "", s.nobody(tx, k, r, "Mail to none of their owners has reached them")
	}
	c := owners[i]
	r.Unsafe = max(r.Unsafe, flag(k.c.ChannelUnsafe)) // it may have become so since
	l := Letter{Key: fmt.Sprint("incident.notice:", r.ID, ":", c.ID, ":", c.Version), Customer: r.CustomerID, Person: c.ID, To: c.Email, Name: c.Name, Lang: r.Lang,
		Template: templateOf(Purpose(r.Purpose)), Args: map[string]string{"text": out.text}, Path: "/notices/" + r.ID, Subject: r.ID}
	if r.Unsafe == 1 {
		l.Template, l.Args = mailChannel, nil
	}
	if mailID, err = s.post(tx, r.Drill == 1, l); err != nil {
		return "", "", err
	}
	t := tryRow{NoticeID: r.ID, Seq: int64(len(tries)) + 1, CustomerID: r.CustomerID, ContactID: c.ID, How: howMail, MailID: mailID, State: string(mail.Queued), At: tx.NowMillis()}
	if r.Unsafe == 1 {
		t.Content = string(mail.Notice)
	}
	if err := s.sealTry(&t, tryData{Name: c.Name}); err != nil {
		return "", "", err
	}
	if err := db.Insert(tx, &t); err != nil {
		return "", "", err
	}
	if r.ToldAt == 0 {
		r.State = string(Sent)
	}
	r.NextAt = 0
	if insists(Purpose(r.Purpose)) {
		r.NextAt = tx.Now.Add(s.opts.Escalate).UnixMilli()
	}
	if r.Unsafe == 1 { // whoever has the mail knows nothing yet
		return mailID, c.ID, s.raiseNobody(tx, k, *r, "The usual channel may be read by others, so the mail says nothing")
	}
	return mailID, c.ID, nil
}

// How somebody was tried.
const (
	howMail   = "mail"
	howPortal = "portal"
	howCall   = "call"
	howLetter = "letter"
	howForm   = "form"
)

// dead reports whether what was tried did not arrive.
func (t tryRow) dead() bool { return t.State == string(mail.Bounced) || t.State == string(mail.Failed) }

// took reports whether a mail server took the whole text.
func (t tryRow) took() bool {
	return t.How == howMail && t.Content != string(mail.Notice) &&
		(t.State == string(mail.Accepted) || t.State == string(mail.Opened) || t.State == string(mail.Acknowledged))
}

// told reports whether somebody has the notice by it: a mail server took all of
// it, they opened it in the portal, or a person told them.
func (t tryRow) told() bool {
	return t.took() || t.How != howMail && slices.Contains([]string{string(Called), string(Opened), string(Acknowledged)}, t.State)
}

// askAgain is when it is looked whether a customer whom nobody can write to has
// another contact by now.
const askAgain = time.Hour

// nobody has a person call: nobody else can be written to.
func (s *Service) nobody(tx *db.Tx, k *kit, r *noticeRow, because string) error {
	r.NextAt = tx.Now.Add(askAgain).UnixMilli()
	if r.ToldAt == 0 {
		r.State = string(Unreachable)
	}
	return s.raiseNobody(tx, k, *r, because)
}

// raiseNobody says to a person by name that they have to call.
func (s *Service) raiseNobody(tx *db.Tx, k *kit, r noticeRow, because string) error {
	if Purpose(r.Purpose) == Freezing {
		return nil // whoever cannot be told of the incident itself is called for that
	}
	args := map[string]string{"case": k.c.Number, "customer": k.names.clients[r.CustomerID], "because": because}
	if who := cmp.Or(k.c.Lead, r.Author); controlplane.ValidID(controlplane.PrefixStaff, who) {
		name, err := s.identity.NameIn(tx, who)
		if err != nil {
			return err
		}
		args["person"] = name
	}
	for key, v := range args {
		if v == "" {
			delete(args, key)
		}
	}
	return s.findings.Raise(tx, findings.Finding{Key: nobodyKey(r.ID), Subject: r.ID, Kind: findings.IncidentUnreachable, Severity: findings.Bad, Owner: findings.Ops,
		Args: args, Link: "/incidents/notices/" + r.ID + "/tell"})
}

func nobodyKey(notice string) string { return findings.IncidentUnreachable + ":" + notice }

// wakeWatch has Watch look at once.
func (s *Service) wakeWatch(tx *db.Tx) {
	tx.AfterCommit(func() { s.opts.Bus.Publish(TopicWatch) })
}
