package main

import (
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// openIncidents wires breach notification. It stands last: it looks at what all
// other slices know.
func (a *App) openIncidents() (err error) {
	zone, err := a.Config.Access.options()
	if err != nil {
		return err
	}
	a.Incidents, err = incidents.New(incidents.Deps{DB: a.DB, Keeper: a.Keeper, Ledger: a.Ledger, Jobs: a.Jobs, Findings: a.Findings,
		Customers: a.Customers, Identity: a.Identity, Mail: incidentLetters{a.Mail}, Around: incidentAround{a}, Acts: incidentActs{a}, Holds: incidentHolds{a}, Inventory: incidentInventory{a.Agents}}, incidents.Options{Log: a.log, Bus: a.Bus, Zone: zone.Zone})
	if err != nil {
		return err
	}
	a.Mail.OnChanged(a.Incidents.MailBecame)
	return nil
}

// reportViolation reports a session whose verdict asks for an incident. Sessions
// are opened before incidents are.
func (a *App) reportViolation(tx *db.Tx, session, text string) error {
	if a.Incidents == nil {
		return nil
	}
	return a.Incidents.ReportIn(tx, policy.AllCustomers("a verdict asks for an incident"), incidents.NewReport{Source: incidents.FromFinding, Key: "session.violation:" + session, Subject: session, Text: text})
}

// incidentLetters sends what incidents have to say by mail.
type incidentLetters struct{ mail *mail.Mail }

// Enqueue implements incidents.Mailer.
func (l incidentLetters) Enqueue(tx *db.Tx, x incidents.Letter) (string, error) {
	return l.mail.Enqueue(tx, mail.Message(x))
}
