package main

import (
	"ostler/backups"
	"ostler/controlplane/db"
	"ostler/controlplane/mail"
)

// letters sends what restores have to say by mail.
type letters struct{ mail *mail.Mail }

// Enqueue implements backups.Mailer.
func (l letters) Enqueue(tx *db.Tx, x backups.Letter) error {
	_, err := l.mail.Enqueue(tx, mail.Message(x))
	return err
}
