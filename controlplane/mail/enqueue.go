package mail

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// JobSend is the kind of job that sends a mail.
const JobSend = "mail.send"

// GiveUp is how long a mail is tried.
const GiveUp = 48 * time.Hour

// lanes bounds how many mails are handed over at a time, so that a slow mail
// server never holds all of the plane's workers.
const lanes = 4

// Enqueue queues a mail in the caller's transaction and returns its id; where
// the Message's key is taken, the id of the mail that is there, whatever has
// become of it. It fails for a mistake of the caller only: an address that
// cannot be used, or no configured mail server, is stored as the state of the
// mail and becomes a finding, and what the mail tells of goes on. The
// customer's data key must exist (secrets.Keeper.EnsureKey).
func (m *Mail) Enqueue(tx *db.Tx, msg Message) (id string, err error) {
	if id, err = m.enqueue(tx, msg); err != nil {
		return "", fmt.Errorf("mail: enqueue %s: %w", msg.Template, err)
	}
	return id, nil
}

func (m *Mail) enqueue(tx *db.Tx, msg Message) (string, error) {
	if msg.Key != "" {
		if there, err := m.there(tx, msg); err != nil || there != "" {
			return there, err
		}
	}
	r, to, title, err := m.newRow(tx, msg)
	if err != nil {
		return "", err
	}
	inserted, err := insertRow(tx, r)
	if err != nil {
		return "", err
	}
	if !inserted { // somebody else was faster
		there, err := m.there(tx, msg)
		if err == nil && there == "" {
			err = fmt.Errorf("its key is taken out of sight")
		}
		return there, err
	}
	err = m.append(tx, r, "mail.queued", map[string]any{"template": r.Template, "message_id": r.MessageID, "sha256": r.SHA256, "bytes": r.Size, "state": string(r.State)},
		map[string]string{"to": to, "title": title})
	if err != nil {
		return "", err
	}
	// The job also says what could not be queued: a contact's transaction sees
	// no finding of the company's.
	_, err = m.jobs.Enqueue(tx, jobs.Spec{Kind: JobSend, Executor: jobs.Plane, Customer: r.Customer, Resource: lane(r.ID), Key: JobSend + ":" + r.ID,
		Subject: r.ID, ExpiresAt: tx.Now.Add(GiveUp), MaxAttempts: maxTries, Title: "job.mail_send"})
	if err != nil {
		return "", err
	}
	m.wake(tx, r)
	return r.ID, nil
}

// there returns the id of the mail that has the key, or "".
func (m *Mail) there(tx *db.Tx, msg Message) (string, error) {
	r, err := rowByKey(tx, msg.Key)
	if err != nil || r == nil {
		return "", err
	}
	if r.Customer != msg.Customer {
		return "", fmt.Errorf("the key belongs to a mail of another customer")
	}
	return r.ID, nil
}

// newRow renders a mail and seals it.
func (m *Mail) newRow(tx *db.Tx, msg Message) (r *row, to, title string, err error) {
	id := controlplane.NewID(controlplane.PrefixMail)
	r = &row{
		ID: id, Key: msg.Key, Customer: msg.Customer, Audience: string(audience(msg.Person)), Person: msg.Person, Subject: msg.Subject,
		Template: msg.Template, Path: msg.Path, MessageID: strings.ToLower(id[len(controlplane.PrefixMail):]+"."+rand.Text()) + "@" + m.domain,
		State: Queued, Content: string(Full), CreatedAt: tx.NowMillis(),
	}
	if r.Key == "" {
		r.Key = id
	}
	to, ok := address(msg.To)
	switch {
	case !ok:
		r.State, r.Cause, r.EndedAt = Failed, CauseAddress, tx.NowMillis()
		to = tidy(msg.To)
	case !m.Configured():
		r.State, r.Cause = Unsent, CauseNoServer
	}
	l, err := compose(msg.Template, msg.Lang, msg.Name, msg.Args, m.o.Company, m.link(msg.Path), m.replyTo != nil)
	if err != nil {
		return nil, "", "", err
	}
	r.Lang = l.Lang
	h := header{messageID: r.MessageID, to: to, name: msg.Name, date: tx.Now}
	if !ok {
		h.to, h.name = "unusable@"+invalidDomain, "" // what the caller gave stands sealed in the row
	}
	out, err := m.render(l, h)
	if err != nil {
		return nil, "", "", err
	}
	r.SHA256, r.Size = out.sha256, int64(len(out.raw))
	for _, c := range []struct {
		column string
		value  string
		to     *[]byte
	}{{"address", to, &r.Address}, {"title", out.title, &r.Title}, {"raw", string(out.raw), &r.Raw}} {
		if *c.to, err = m.seal(r.Customer, "mails", c.column, r.ID, c.value); err != nil {
			return nil, "", "", err
		}
	}
	return r, to, out.title, nil
}

// audience is whose list shows a mail to that person.
func audience(person string) policy.Audience {
	if strings.HasPrefix(person, controlplane.PrefixStaff) {
		return policy.Staff
	}
	return policy.Customers
}

// lane spreads mails over the lanes by a random character of their id.
func lane(id string) string {
	return fmt.Sprintf("mail:%d", int(id[len(id)-2])%lanes)
}

// append writes an entry about a mail to the ledger.
func (m *Mail) append(tx *db.Tx, r *row, kind string, data map[string]any, personal map[string]string) error {
	subject := r.Subject
	if subject == "" {
		subject = r.ID
	}
	data["mail"] = r.ID
	_, err := m.ledger.Append(tx, ledger.Entry{Customer: r.Customer, Subject: subject, Kind: kind, Data: data, Personal: personal})
	return err
}

// wake has pages look again.
func (m *Mail) wake(tx *db.Tx, r *row) {
	if m.o.Bus == nil || r.Customer == "" {
		return
	}
	tx.AfterCommit(func() { m.o.Bus.Publish(bus.TopicCustomer(r.Customer)) })
}
