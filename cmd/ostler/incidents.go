package main

import (
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
)

// openIncidents wires breach notification. It stands last: it looks at what all
// other slices know.
func (a *App) openIncidents() (err error) {
	zone, err := a.Config.Access.options()
	if err != nil {
		return err
	}
	a.Incidents, err = incidents.New(incidents.Deps{DB: a.DB, Keeper: a.Keeper, Ledger: a.Ledger, Jobs: a.Jobs, Findings: a.Findings,
		Customers: a.Customers, Identity: a.Identity, Mail: incidentLetters{a.Mail}}, incidents.Options{Log: a.log, Bus: a.Bus, Zone: zone.Zone})
	if err != nil {
		return err
	}
	a.Mail.OnChanged(a.Incidents.MailBecame)
	return nil
}

// incidentLetters sends what incidents have to say by mail.
type incidentLetters struct{ mail *mail.Mail }

// Enqueue implements incidents.Mailer.
func (l incidentLetters) Enqueue(tx *db.Tx, x incidents.Letter) (string, error) {
	return l.mail.Enqueue(tx, mail.Message(x))
}
