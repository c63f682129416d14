package mail

import (
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// Became is what is known of a mail now.
type Became struct {
	Mail, Key, Customer string
	Person              string // con_ or stf_ of the recipient, or ""
	Subject, Template   string
	State               State
	Cause               Cause
	// Content is what was accepted: with Notice, nobody was told what it is about.
	Content Content
	// AcceptedAt is the mail server's word for it; zero before.
	AcceptedAt time.Time
	// CalledAt is when a person reached the recipient another way; zero before.
	CalledAt time.Time
}

// OnChanged has f told of every change in what is known about a mail, in the
// transaction that stores it. The same may come again: f is idempotent. Call it
// before jobs.Run.
func (m *Mail) OnChanged(f func(tx *db.Tx, b Became) error) { m.changed = append(m.changed, f) }

// tell tells of a mail as it stands in r.
func (m *Mail) tell(tx *db.Tx, r *row) error {
	b := Became{Mail: r.ID, Key: r.Key, Customer: r.Customer, Person: r.Person, Subject: r.Subject, Template: r.Template, State: r.State, Cause: r.Cause, Content: Content(r.Content),
		AcceptedAt: controlplane.FromMillis(r.AcceptedAt), CalledAt: controlplane.FromMillis(r.CalledAt)}
	for _, f := range m.changed {
		if err := f(tx, b); err != nil {
			return err
		}
	}
	return nil
}
